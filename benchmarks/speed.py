"""Time the solver: products against the number of triangles, blocks of right-hand sides, the parts of the main job.

    python benchmarks/speed.py [--quick] [--largest 409600] [--fmm3dpy] [--plot speed.png]

Table 1: one product with the matrix of nested spheres (5 surfaces; 3 above 500,000 triangles), accuracy 1e-4, with the
true relative error at 200 triangles against the direct sum of exact entries, set-up, memory and the fitted exponent.
Table 2: the default head, both resolutions: building, one solve, three transposed solves, the field at the cortex.
Compiled code is warm: everything is run once on a small sphere first. --fmm3dpy adds the FMM3D wheel (gradients at the
centroids of as many point charges; pip install fmm3dpy) in the same run.
"""

import argparse
import os
import platform
import resource
import time
from collections.abc import Callable

import numba
import numpy as np
from numpy.typing import NDArray

import coils
import efield
import meshes
from efield.bem import quadrature
from efield.bem.layer import ChargeLayer
from efield.bem.operator import BemOperator
from efield.bem.reciprocity import ReciprocalField

F64 = NDArray[np.float64]

RADII = [90.0, 84.0, 78.0, 68.0, 58.0]
SIGMAS = [0.465, 0.010, 1.654, 0.275, 0.126]


def best_of(count: int, work: Callable[[], object]) -> float:
    """Return the least wall time of several runs (s)."""
    times = []
    for _ in range(count):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def machine() -> str:
    """Return processor, threads and versions in a line."""
    model = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
        model = names[0] if names else model
    return f"{model}, {numba.get_num_threads()} threads, Python {platform.python_version()}, numba {numba.__version__}"


def spheres(n_triangles: int) -> meshes.Surface:
    """Return nested spheres with at least so many triangles in all, as one surface."""
    count = 5 if n_triangles < 500_000 else 3
    subdivisions = int(np.ceil(np.log(n_triangles / count / 20) / np.log(4) - 1e-9))
    unit = meshes.icosphere(subdivisions)
    vertices = np.concatenate([unit.vertices * radius for radius in RADII[:count]])
    triangles = np.concatenate([unit.triangles + k * len(unit.vertices) for k in range(count)])
    return meshes.Surface(vertices, triangles, "spheres")


def direct_rows(surface: meshes.Surface, rows: NDArray[np.int64], charge: F64) -> F64:
    """Return K q for some rows by the exact solid angle of the row's triangle from 7 points of every triangle."""
    points = quadrature.points_on(surface.corners, quadrature.SEVEN_POINTS).reshape(-1, 3)
    weights = np.tile(quadrature.SEVEN_WEIGHTS, len(surface.triangles)) * np.repeat(surface.areas * charge, 7)
    out = np.empty(len(rows))
    for k, row in enumerate(rows):
        a, b, c = (corner - points for corner in surface.corners[row])
        la, lb, lc = (np.linalg.norm(v, axis=1) for v in (a, b, c))
        over = np.einsum("ij,ij->i", a, np.cross(b, c))
        under = la * lb * lc + (a * b).sum(1) * lc + (b * c).sum(1) * la + (c * a).sum(1) * lb
        omega = 2.0 * np.arctan2(over, under)
        omega[7 * row : 7 * row + 7] = 0.0
        out[k] = weights @ omega / (4.0 * np.pi * surface.areas[row])
    return out


def products(largest: int, *, with_fmm: bool) -> list[tuple[int, float]]:
    """Print table 1; return triangles and seconds."""
    head = "| triangles | set-up s | product s | 16 at once, s each | error | memory MB |"
    head += " fmm3dpy s |" if with_fmm else ""
    print(head)
    print("|" + "---:|" * (head.count("|") - 1))
    rng = np.random.default_rng(1)
    found = []
    n = 6_400
    while n <= largest:
        surface = spheres(n)
        n = len(surface.triangles)
        start = time.perf_counter()
        layer = ChargeLayer(surface, tolerance=1e-4)
        built = time.perf_counter() - start
        x, y, z = surface.centroids.T / 90.0
        charge = (x * y + 0.3 * z + np.sin(5.0 * x) * np.cos(4.0 * z))[:, None]
        block = charge * rng.uniform(0.5, 1.5, 16)
        result = layer.normal_field(charge)
        layer.normal_field(block)
        one = best_of(5, lambda layer=layer, charge=charge: layer.normal_field(charge))
        many = best_of(2, lambda layer=layer, block=block: layer.normal_field(block)) / 16
        rows = rng.choice(n, 200 if n < 200_000 else 40, replace=False)
        exact = direct_rows(surface, rows, charge[:, 0])
        error = np.linalg.norm(result[rows, 0] - exact) / np.linalg.norm(exact)
        row = f"| {n:,} | {built:.1f} | {one:.3f} | {many:.3f} | {error:.1e} | {layer.nbytes / 1e6:.0f} |"
        print(row + (f" {fmm_seconds(surface, charge):.2f} |" if with_fmm else ""), flush=True)
        found.append((n, one))
        n *= 4
    if len(found) > 1:
        sizes, seconds = np.array(found).T
        print(f"\nseconds grow as N^{np.polyfit(np.log(sizes), np.log(seconds), 1)[0]:.2f}\n")
    return found


def fmm_seconds(surface: meshes.Surface, charge: F64) -> float:
    """Return the least wall time of three gradient sums by the FMM3D wheel at 1e-4 (s)."""
    import fmm3dpy

    sources = np.asfortranarray(surface.centroids.T / 90.0)
    strength = np.ascontiguousarray(charge[:, 0] * surface.areas)
    return best_of(3, lambda: fmm3dpy.lfmm3d(eps=1e-4, sources=sources, charges=strength, pg=2))


def main_job(resolution: str) -> None:
    """Print one row of table 2."""
    head = meshes.load_head("pycortex", resolution=resolution)
    coil = coils.load_coil("magstim-70mm")
    target = efield.Target.named("m1-hand", head)
    patch = target.on(head)
    pose = efield.place(head, target, handle=(-0.7, -0.7, 0.0), coil=coil)
    solver = efield.BemSolver(head, tolerance=1e-5)
    operator: BemOperator = solver.operator
    rhs = operator.contrast * operator.without_net_flux(solver.normal_primary(coil, pose, 1e6)[:, None])[:, 0]
    start = time.perf_counter()
    result = operator.solve(rhs[:, None], tolerance=1e-5)
    solved = time.perf_counter() - start
    start = time.perf_counter()
    adjoint = ReciprocalField(solver, patch.points, patch.weights, np.eye(3))
    reversed_ = time.perf_counter() - start
    field = best_of(2, lambda: operator.layer.field(head.cortex.vertices, result.solution))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"| {resolution} | {len(operator.part):,} | {solver.cost['seconds in all']:.1f} | {solved:.1f} | "
        f"{result.iterations} | {reversed_:.1f} | {adjoint.result.iterations} | {field:.2f} | "
        f"{len(head.cortex.vertices):,} | {peak:.2f} |",
        flush=True,
    )


def plot(found: list[tuple[int, float]], path: str) -> None:
    """Draw seconds per product against triangles."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    sizes, seconds = np.array(found).T
    figure, axes = plt.subplots(figsize=(6, 4.2), layout="constrained")
    axes.loglog(sizes, seconds, "o-", label="efield, 1e-4")
    axes.loglog(sizes, seconds[-1] * sizes / sizes[-1], "k:", label="proportional to N")
    axes.set(xlabel="triangles", ylabel="seconds per product", title=machine())
    axes.title.set_fontsize(7)
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description="Speed of the solver.")
    parser.add_argument("--quick", action="store_true", help="smoke test: small spheres only")
    parser.add_argument("--largest", type=int, default=409_600, help="triangles of the largest product")
    parser.add_argument("--fmm3dpy", action="store_true", help="compare with the FMM3D wheel")
    parser.add_argument("--plot", help="PNG of table 1")
    arguments = parser.parse_args()
    print(machine() + "\n")
    warm = ChargeLayer(spheres(1_280))
    warm.normal_field_transposed(warm.normal_field(np.ones((warm.n_triangles, 4))))
    warm.field(np.zeros((1, 3)), np.ones((warm.n_triangles, 1)))
    found = products(10_000 if arguments.quick else arguments.largest, with_fmm=arguments.fmm3dpy)
    if arguments.plot:
        plot(found, arguments.plot)
    if arguments.quick:
        return
    print("| default head | triangles | build s | solve s | iterations | 3 transposed solves s | iterations "
          "| field s | points | peak GB |")
    print("|---|" + "---:|" * 9)
    for resolution in ("fast", "standard"):
        main_job(resolution)


if __name__ == "__main__":
    main()
