"""Measure the solver against exact solutions in layered spheres, and its order of convergence.

    python benchmarks/sphere_accuracy.py [--quick] [--full] [--plot FILE.png]

Five spheres of 90, 84, 78, 68 and 58 mm; the coil's nearest dipole lies 10 mm above the scalp; the field is compared at
evenly spread points 1.5 mm under the innermost sphere but one (the "pia"). Three cases:

concentric      the closed form (efield.analytic). The inner interfaces carry no charge here, so it tests little.
displaced       the two inner spheres shifted by 3 to 6 mm; the spectral solution (efield.spectral), good to 1e-6.
radial dipole   over the concentric spheres; the exact secondary field is zero, so all of it is error.

--quick stops at 6,400 triangles; --full goes on to 102,400. Without options about a minute on two cores.
"""

import argparse
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coils import Coil, load_coil
from efield import BemSolver, analytic, metrics, spectral
from efield.fields import EField
from efield.primary import primary_field
from meshes import HeadModel, Pose, sphere_head

F64 = NDArray[np.float64]

RADII = [90.0, 84.0, 78.0, 68.0, 58.0]
CONDUCTIVITIES = [0.465, 0.010, 1.654, 0.275, 0.126]
CONCENTRIC = np.zeros((5, 3))
DISPLACED = np.array([[0, 0, 0], [0, 0, 0], [0, 0, 0], [3.0, -2.0, 4.0], [0.0, 3.0, 6.0]])
DEPTH = 1.5
GAP = 10.0
# Off every symmetry axis of the icosahedron that the spheres are made from.
COIL_DIRECTION = np.array([0.35, -0.2, 0.9])
COIL_FRONT = np.array([0.6, 0.7, 0.1])
BAR = 0.0025
RADIAL_BAR = 0.005


@dataclass(frozen=True)
class Row:
    """Errors of one mesh."""

    triangles: int
    edge: float
    error: float
    peak_error: float
    iterations: int
    seconds: float


def sphere_points(count: int, radius: float, centre: F64) -> F64:
    """Return points spread evenly over a sphere (mm), on a spiral that no mesh shares."""
    index = np.arange(count) + 0.5
    z = 1.0 - 2.0 * index / count
    angle = np.pi * (1.0 + np.sqrt(5.0)) * index
    rho = np.sqrt(1.0 - z * z)
    return np.column_stack([rho * np.cos(angle), rho * np.sin(angle), z]) * radius + centre


def coil_pose(coil: Coil, *, gap: float = GAP) -> Pose:
    """Return the pose that puts the coil's nearest dipole `gap` mm above the scalp, its axis through the centre."""
    direction = COIL_DIRECTION / np.linalg.norm(COIL_DIRECTION)
    along = float(RADII[0] + gap + coil.positions[:, 2].max())
    y = COIL_FRONT - (COIL_FRONT @ direction) * direction
    return Pose.from_axes(along * direction, -direction, y)


def spheres(centres: F64, subdivisions: int) -> HeadModel:
    """Return the five-layer head."""
    return sphere_head(RADII, CONDUCTIVITIES, subdivisions=subdivisions, centres=centres)


def evaluation_points(centres: F64, count: int = 5000) -> F64:
    """Return the points under the "pia" at which fields are compared (mm)."""
    return sphere_points(count, RADII[3] - DEPTH, centres[3])


def reference(centres: F64, coil: Coil, pose: Pose, points: F64) -> F64:
    """Return the exact field at 1 A/us (V/m): closed form if concentric, else spectral to degree 60."""
    positions, moments = pose.apply(coil.positions), pose.apply_vectors(coil.moments)
    if not centres.any():
        return analytic.sphere_field(points, positions, moments)
    solution = spectral.sphere_solution(RADII, CONDUCTIVITIES, centres, positions, moments, degree=60)
    return solution.field(points)


def solved(centres: F64, subdivisions: int, coil: Coil, pose: Pose, points: F64) -> tuple[EField, float, float]:
    """Return the computed field, the seconds it took and the mean edge (mm)."""
    start = time.perf_counter()
    head = spheres(centres, subdivisions)
    field = BemSolver(head).solve(coil, pose, points=points)
    return field, time.perf_counter() - start, head.interfaces[3].surface.mean_edge


def compare(centres: F64, subdivisions: int, coil: Coil, pose: Pose, points: F64, exact: F64) -> Row:
    """Solve on one mesh and compare."""
    field, seconds, edge = solved(centres, subdivisions, coil, pose, points)
    top = float(np.linalg.norm(exact, axis=1).max())
    return Row(
        100 * 4**subdivisions,
        edge,
        metrics.relative_error(field.vectors, exact),
        field.maximum / top - 1.0,
        field.error_estimate.iterations,
        seconds,
    )


def radial_dipole(subdivisions: int, points: F64) -> Row:
    """Return the secondary field of a radial dipole 10 mm above the scalp, relative to the primary field."""
    coil = Coil(positions=np.zeros((1, 3)), moments=np.array([[0.0, 0.0, 1.0]]), name="dipole")
    pose = coil_pose(coil)
    field, seconds, edge = solved(CONCENTRIC, subdivisions, coil, pose, points)
    primary = primary_field(points, coil, pose)
    secondary = field.vectors - primary
    top = float(np.linalg.norm(primary, axis=1).max())
    return Row(
        100 * 4**subdivisions,
        edge,
        float(np.linalg.norm(secondary) / np.linalg.norm(primary)),
        float(np.linalg.norm(secondary, axis=1).max()) / top,
        field.error_estimate.iterations,
        seconds,
    )


def print_table(title: str, rows: list[Row], *, bar: float) -> None:
    """Print one case as Markdown, with the order of convergence between successive meshes."""
    print(f"\n### {title}\n")
    print("| triangles | pia edge (mm) | relative L2 error | order | peak error | iterations | seconds | bar |")
    print("|---:|---:|---:|---:|---:|---:|---:|---|")
    for before, row in zip([None, *rows], rows, strict=False):
        order = "" if before is None else f"{np.log(before.error / row.error) / np.log(before.edge / row.edge):.2f}"
        verdict = "" if row.triangles != 25600 else f"{'met' if row.error <= bar else 'MISSED'} ({bar:.2%})"
        print(
            f"| {row.triangles:,} | {row.edge:.1f} | {row.error:.3%} | {order} | {row.peak_error:+.3%} "
            f"| {row.iterations} | {row.seconds:.1f} | {verdict} |"
        )


def plot(results: dict[str, list[Row]], path: str) -> None:
    """Draw the errors against the edge length, both logarithmic."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 4.5), layout="constrained")
    for title, rows in results.items():
        axes.loglog([row.edge for row in rows], [100 * row.error for row in rows], "o-", label=title)
    edges = np.array([row.edge for row in next(iter(results.values()))])
    first = 100 * min(rows[0].error for rows in results.values())
    axes.loglog(edges, 0.7 * first * (edges / edges[0]) ** 2, "k:", label="second order")
    axes.axhline(100 * BAR, color="0.6", linewidth=0.8)
    axes.set(xlabel="mean edge of the pia (mm)", ylabel="relative L2 error of E (%)")
    axes.set_title("Surface-charge BEM in five-layer spheres")
    axes.legend()
    figure.savefig(path, dpi=150)


def main() -> None:
    """Print the tables and, if asked, draw the plot."""
    parser = argparse.ArgumentParser(description="Accuracy in layered spheres.")
    parser.add_argument("--quick", action="store_true", help="smoke test: up to 6,400 triangles")
    parser.add_argument("--full", action="store_true", help="up to 102,400 triangles")
    parser.add_argument("--plot", metavar="FILE", help="write a picture of the errors")
    arguments = parser.parse_args()
    meshes = range(2, 4 if arguments.quick else 6 if arguments.full else 5)
    coil = load_coil("magstim-70mm")
    pose = coil_pose(coil)
    results: dict[str, list[Row]] = {}
    for title, centres in (("concentric", CONCENTRIC), ("displaced", DISPLACED)):
        points = evaluation_points(centres)
        exact = reference(centres, coil, pose, points)
        results[title] = [compare(centres, s, coil, pose, points, exact) for s in meshes]
        print_table(f"{title} five-layer spheres, {coil.name}", results[title], bar=BAR)
    points = evaluation_points(CONCENTRIC)
    results["radial dipole"] = [radial_dipole(s, points) for s in meshes]
    print_table("radial dipole: secondary over primary field", results["radial dipole"], bar=RADIAL_BAR)
    if arguments.plot:
        plot(results, arguments.plot)


if __name__ == "__main__":
    main()
