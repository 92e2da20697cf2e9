"""The measurements behind speed.py, one function each; every one takes and returns what JSON can hold."""

import os
import platform
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import sphere_accuracy
from _direct_sums import exact_rows, point_sum
from numpy.typing import NDArray

import coils
import efield
import meshes
from efield import metrics
from efield.bem import solver as solver_module
from efield.bem.layer import ChargeLayer

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Result = dict[str, Any]

ROWS = 200
"""Triangles at which a product is compared with the direct sum."""


def seconds(work: Callable[[], object], *, best_of: int = 1, at_least: float = 0.0) -> float:
    """Return the least wall time of `best_of` runs, or of as many more as take `at_least` seconds in all (s)."""
    times: list[float] = []
    while len(times) < best_of or sum(times) < at_least:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def peak_memory() -> float:
    """Return the peak resident memory of this process (GiB); Linux counts it in KiB, macOS in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**30 if sys.platform == "darwin" else 2**20)


def machine() -> Result:
    """Return processor, cores, threads and versions."""
    model = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
        model = names[0] if names else model
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "threads": numba.get_num_threads(),
        "Python": platform.python_version(),
        "numpy": np.__version__,
        "numba": numba.__version__,
        "load when begun": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "peak memory of the imports, GiB": round(peak_memory(), 2),
    }


def spheres(frequency: int) -> meshes.Surface:
    """Return five nested spheres of 20 frequency**2 triangles each, icosahedra whose edges are cut into `frequency`.

    Corners are not joined: products need none of that, and so any number of triangles can be had.
    """
    base = meshes.icosphere(0)
    a, b, c = (corner[:, None] for corner in np.moveaxis(base.corners, 1, 0))
    i, j = (index.ravel() for index in np.meshgrid(range(frequency), range(frequency), indexing="ij"))
    up, down = i + j < frequency, i + j < frequency - 1

    def point(u: I64, v: I64) -> F64:
        return ((frequency - u - v)[:, None] * a + u[:, None] * b + v[:, None] * c).reshape(-1, 3)

    upward = [point(i[up] + s, j[up] + t) for s, t in ((0, 0), (1, 0), (0, 1))]
    downward = [point(i[down] + s, j[down] + t) for s, t in ((1, 0), (1, 1), (0, 1))]
    corners = np.concatenate([np.stack(upward, axis=1), np.stack(downward, axis=1)]).reshape(-1, 3)
    corners /= np.linalg.norm(corners, axis=1)[:, None]
    vertices = np.concatenate([corners * radius for radius in sphere_accuracy.RADII])
    return meshes.Surface(vertices, np.arange(len(vertices)).reshape(-1, 3), "spheres")


def smooth_charge(surface: meshes.Surface) -> F64:
    """Return a charge that varies over a few centimetres, shape (n, 1)."""
    x, y, z = surface.centroids.T / 90.0
    charge: F64 = (x * y + 0.3 * z + np.sin(5.0 * x) * np.cos(4.0 * z))[:, None]
    return charge


def warm_up() -> None:
    """Compile, or load from the cache, everything that is timed."""
    layer = ChargeLayer(spheres(4))
    for width in (1, 4, 5, 16):
        layer.normal_field_transposed(layer.normal_field(np.ones((layer.n_triangles, width))))
    layer.field(np.zeros((1, 3)), np.ones((layer.n_triangles, 1)))
    exact_rows(spheres(1), np.arange(3), np.ones(100))
    head = sphere_accuracy.spheres(sphere_accuracy.CONCENTRIC, 1)
    coil = coils.load_coil("magstim-70mm")
    efield.BemSolver(head).solve(coil, sphere_accuracy.coil_pose(coil))


def accuracy(*, displaced: bool, subdivisions: int, product: float) -> Result:
    """Solve five-layer spheres and compare with the exact field 1.5 mm under the "pia"."""
    centres = sphere_accuracy.DISPLACED if displaced else sphere_accuracy.CONCENTRIC
    coil = coils.load_coil("magstim-70mm")
    pose = sphere_accuracy.coil_pose(coil)
    points = sphere_accuracy.evaluation_points(centres)
    exact = sphere_accuracy.reference(centres, coil, pose, points)
    before = peak_memory()
    start = time.perf_counter()
    head = sphere_accuracy.spheres(centres, subdivisions)
    field = efield.BemSolver(head, accuracy=product).solve(coil, pose, points=points)
    return {
        "triangles": 100 * 4**subdivisions,
        "edge": head.interfaces[3].surface.mean_edge,
        "product": product,
        "error": metrics.relative_error(field.vectors, exact),
        "estimate": field.error_estimate.relative_error,
        "iterations": field.error_estimate.iterations,
        "seconds": time.perf_counter() - start,
        "peak": peak_memory(),
        "peak before": before,
    }


def products(*, frequency: int, rows: int = ROWS, width: int = 16, patience: float = 2.0) -> Result:
    """Time products with the matrix of five spheres, alone and in a block, and compare with the direct sum."""
    surface = spheres(frequency)
    n = len(surface.triangles)
    charge = smooth_charge(surface)
    start = time.perf_counter()
    layer = ChargeLayer(surface, tolerance=1e-4)
    built = time.perf_counter() - start
    block = charge * np.random.default_rng(1).uniform(0.5, 1.5, width)
    result = layer.normal_field(charge)
    layer.normal_field(block)
    one = seconds(lambda: layer.normal_field(charge), best_of=5, at_least=patience)
    many = seconds(lambda: layer.normal_field(block), best_of=2, at_least=patience) / width
    peak = peak_memory()
    chosen = np.sort(np.random.default_rng(2).choice(n, min(rows, n), replace=False))
    exact = exact_rows(surface, chosen, charge[:, 0])
    return {
        "triangles": n,
        "build": built,
        "one": one,
        "many": many,
        "error": float(np.linalg.norm(result[chosen, 0] - exact) / np.linalg.norm(exact)),
        "bytes": layer.nbytes,
        "peak": peak,
    }


def direct(*, frequency: int, single: bool) -> Result:
    """Time the direct sum over centre points, all on all."""
    points, strength = _point_charges(spheres(frequency))
    dtype = np.float32 if single else np.float64
    points, strength = np.ascontiguousarray(points.T, dtype=dtype), strength.astype(dtype)
    everything = np.arange(len(strength))
    out = np.empty((len(strength), 3), dtype=dtype)
    point_sum(out, points, strength, everything[:4])
    time_taken = seconds(lambda: point_sum(out, points, strength, everything), best_of=2 if frequency < 50 else 1)
    return {"triangles": len(strength), "seconds": time_taken, "peak": peak_memory()}


def _point_charges(surface: meshes.Surface) -> tuple[F64, F64]:
    return surface.centroids, smooth_charge(surface)[:, 0] * surface.areas


def fmm3dpy(*, frequency: int, eps: list[float]) -> Result:
    """Time gradients at the centroids by the FMM3D wheel, with its true error at 1,000 of them for each eps."""
    try:
        from fmm3dpy import lfmm3d
    except ImportError:
        return {"missing": "fmm3dpy is not installed: pip install fmm3dpy"}
    centroids, strength = _point_charges(spheres(frequency))
    chosen = np.sort(np.random.default_rng(2).choice(len(strength), min(1000, len(strength)), replace=False))
    exact = np.empty((len(chosen), 3))
    point_sum(exact, np.ascontiguousarray(centroids.T), strength, chosen)
    sources = np.asfortranarray(centroids.T)
    found = []
    for precision in eps:
        start = time.perf_counter()
        gradient = -lfmm3d(eps=precision, sources=sources, charges=strength, pg=2).grad.T
        taken = time.perf_counter() - start
        # Some versions of the wheel have a factor of 1/(4 pi), some have not: the error is that after the best factor.
        factor = np.sum(gradient[chosen] * exact) / np.sum(gradient[chosen] ** 2)
        error = np.linalg.norm(factor * gradient[chosen] - exact) / np.linalg.norm(exact)
        found.append({"eps": precision, "error": float(error), "seconds": taken})
    return {"triangles": len(strength), "runs": found, "peak": peak_memory()}


def load(name: str) -> meshes.HeadModel:
    """Return the default head in a resolution, or five displaced spheres: "sphere 4" with their subdivisions."""
    kind, detail = name.split()
    if kind == "sphere":
        return sphere_accuracy.spheres(sphere_accuracy.DISPLACED, int(detail))
    return meshes.load_head("pycortex", resolution=detail)


def poses_over(head: meshes.HeadModel, coil: coils.Coil, count: int) -> list[meshes.Pose]:
    """Return poses spread over the top of the head, within 60 degrees of the vertical, handles all round."""
    middle = head.cortex.vertices.mean(axis=0)
    index = np.arange(count) + 0.5
    height = 1.0 - 0.5 * index / count
    angle = np.pi * (1.0 + np.sqrt(5.0)) * index
    rho = np.sqrt(1.0 - height**2)
    directions = np.column_stack([rho * np.cos(angle), rho * np.sin(angle), height])
    handles = np.column_stack([np.cos(2.4 * index), np.sin(2.4 * index), 0.01 * index])
    return [
        efield.place(head, middle + 120.0 * direction, handle=handle, coil=coil)
        for direction, handle in zip(directions, handles, strict=True)
    ]


def parts(*, head: str, tolerance: float = 1e-5) -> Result:
    """Time the parts of building a solver and of one solve."""
    start = time.perf_counter()
    model = load(head)
    loaded = time.perf_counter() - start
    coil = coils.load_coil("magstim-70mm")
    pose = poses_over(model, coil, 3)[0]
    solver = efield.BemSolver(model, tolerance=tolerance)
    operator = solver.operator
    after_build = peak_memory()
    build = {name.removeprefix("seconds, "): value for name, value in solver.cost.items() if "seconds, " in name}
    build["fluxes and the rest"] = solver.cost["seconds in all"] - sum(build.values())

    spent = {"products": 0.0, "primary field": 0.0, "field at points": 0.0, "linear solver": 0.0, "estimate": 0.0}
    nested = {"primary field": 0.0, "field at points": 0.0}
    inside_estimate = False

    def timed(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **options: Any) -> Any:
            nonlocal inside_estimate
            begun = time.perf_counter()
            if name == "estimate":
                inside_estimate = True
            result = work(*args, **options)
            if name == "estimate":
                inside_estimate = False
            taken = time.perf_counter() - begun
            (nested if inside_estimate and name in nested else spent)[name] += taken
            return result

        return run

    # Methods are replaced on this one instance to time them; nothing else sees it.
    operator.apply = timed("products", operator.apply)  # type: ignore[method-assign]
    operator.solve = timed("linear solver", operator.solve)  # type: ignore[method-assign]
    operator.layer.field = timed("field at points", operator.layer.field)  # type: ignore[method-assign]
    original = solver_module.primary_field, solver_module.estimate_error
    solver_module.primary_field = timed("primary field", original[0])
    solver_module.estimate_error = timed("estimate", original[1])
    try:
        start = time.perf_counter()
        field = solver.solve(coil, pose)
        whole = time.perf_counter() - start
    finally:
        solver_module.primary_field, solver_module.estimate_error = original
    orthogonal = spent.pop("linear solver") - spent["products"]
    solve = {
        "primary field": spent["primary field"],
        "products": spent["products"],
        "orthogonalisation": orthogonal,
        "field at the cortex": spent["field at points"],
        "error estimate": spent["estimate"],
    }
    solve["checks and the rest"] = whole - sum(solve.values())
    return {
        "head": head,
        "triangles": len(operator.part),
        "points": len(field.points),
        "iterations": field.error_estimate.iterations,
        "load": loaded,
        "build": build,
        "build in all": solver.cost["seconds in all"],
        "solve": solve,
        "solve in all": whole,
        "bytes": solver.cost["bytes"],
        "peak after build": after_build,
        "peak": peak_memory(),
    }


def blocks(*, head: str, count: int = 16, alone: int = 4, tolerance: float = 1e-5) -> Result:
    """Compare right-hand sides of `count` coil poses solved at once with some of them solved one at a time."""
    model = load(head)
    coil = coils.load_coil("magstim-70mm")
    solver = efield.BemSolver(model, tolerance=tolerance)
    operator = solver.operator
    normal = np.stack([solver.normal_primary(coil, pose, 1e6) for pose in poses_over(model, coil, count)], axis=1)
    rhs = operator.contrast[:, None] * operator.without_net_flux(normal)
    operator.apply(rhs[:, :1])
    operator.apply(rhs)
    product_one = seconds(lambda: operator.apply(rhs[:, :1]), best_of=7)
    product_all = seconds(lambda: operator.apply(rhs), best_of=4) / count
    chosen = np.linspace(0, count - 1, alone).round().astype(int)
    singles, iterations = [], []
    for column in chosen:
        start = time.perf_counter()
        result = operator.solve(rhs[:, column : column + 1], tolerance=tolerance)
        singles.append(time.perf_counter() - start)
        iterations.append(result.iterations)
    peak_alone = peak_memory()
    start = time.perf_counter()
    together = operator.solve(rhs, tolerance=tolerance)
    block = time.perf_counter() - start
    return {
        "head": head,
        "triangles": len(operator.part),
        "count": count,
        "alone": alone,
        "product one": product_one,
        "product each": product_all,
        "solve one": float(np.mean(singles)),
        "solve each": block / count,
        "iterations one": iterations,
        "iterations block": together.iterations,
        "peak one": peak_alone,
        "peak": peak_memory(),
    }


def million(*, subdivisions: int, tolerance: float = 1e-5) -> Result:
    """Build and solve three nested spheres; compare with the closed form."""
    coil = coils.load_coil("magstim-70mm")
    pose = sphere_accuracy.coil_pose(coil)
    start = time.perf_counter()
    head = meshes.sphere_head([90.0, 84.0, 78.0], [0.465, 0.010, 0.275], subdivisions=subdivisions)
    made = time.perf_counter()
    solver = efield.BemSolver(head, tolerance=tolerance)
    built = time.perf_counter()
    points = sphere_accuracy.sphere_points(2000, 76.5, np.zeros(3))
    field = solver.solve(coil, pose, points=points)
    solved = time.perf_counter()
    exact = efield.analytic.sphere_field(points, pose.apply(coil.positions), pose.apply_vectors(coil.moments))
    return {
        "triangles": len(solver.operator.part),
        "mesh": made - start,
        "build": built - made,
        "solve": solved - built,
        "iterations": field.error_estimate.iterations,
        "error": metrics.relative_error(field.vectors, exact),
        "bytes": solver.cost["bytes"],
        "peak": peak_memory(),
    }
