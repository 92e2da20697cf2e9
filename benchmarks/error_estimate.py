"""Compare the error estimate that comes with every field with true errors, and show what refinement does.

    python benchmarks/error_estimate.py [--quick] [--full] [--head]

Spheres: the five layers of sphere_accuracy.py and others; the field over the head's cortex, or in the others on a
sphere some millimetres inside the innermost one. Truths: the exact field of round spheres, and the field with every
triangle split in four and rounded off (`BemSolver.refine`, share=1, curved). The estimate is meant to be within a
factor of 3 of both.

--head adds the default head in "fast" resolution at two poses against itself with every triangle split, rounded off and
flat (236,000 triangles), and rounds of refinement for M1 hand; 8 minutes on one core, 3 GiB. --quick stops at 1,600
triangles, --full goes on to 102,400.
"""

import argparse
import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sphere_accuracy import CONCENTRIC, CONDUCTIVITIES, DISPLACED, RADII, coil_pose

from coils import Coil, load_coil
from efield import BemSolver, Target, analytic, metrics, place, spectral
from efield.fields import EField
from meshes import HeadModel, Pose, icosphere, load_head, sphere_head

F64 = NDArray[np.float64]

# What is left out at points r mm from the centre falls as (r / 100)^degree: below 1e-5 at 71 mm, 1e-4 at 80 mm.
DEGREE = 40

# Name: radii, conductivities, centres, and the radius where the field is asked for (None: the head's own cortex).
SPHERES: dict[str, tuple[list[float], list[float], F64, float | None]] = {
    "five layers, concentric": (RADII, CONDUCTIVITIES, CONCENTRIC, None),
    "five layers, displaced": (RADII, CONDUCTIVITIES, DISPLACED, None),
    "four layers, displaced": (
        [90.0, 84.0, 78.0, 74.0],
        [0.465, 0.010, 1.654, 0.275],
        np.array([[0, 0, 0], [1.0, 0, 1.0], [1.0, -1.0, 2.0], [2.0, -1.0, 3.0]]),
        71.0,
    ),
    "three layers, displaced": (
        [90.0, 84.0, 78.0],
        [0.465, 0.010, 0.33],
        np.array([[0, 0, 0], [1.0, 0, 1.0], [1.0, -1.0, 2.0]]),
        70.0,
    ),
    "two layers, concentric": ([90.0, 78.0], [0.33, 0.2], np.zeros((2, 3)), 74.0),
    "one sphere": ([90.0], [0.33], np.zeros((1, 3)), 80.0),
}


def area_weights(head: HeadModel) -> F64:
    """Return a third of the area of the triangles around each vertex of the cortex (mm^2)."""
    return head.cortex.vertex_areas


def spheres(name: str, subdivisions: int) -> HeadModel:
    """Return one of the arrangements of spheres."""
    radii, conductivities, centres, radius = SPHERES[name]
    head = sphere_head(radii, conductivities, subdivisions=subdivisions, centres=centres)
    if radius is None:
        return head
    return replace(head, cortex=icosphere(subdivisions, radius=radius, centre=centres[-1]))


def exact_field(name: str, coil: Coil, pose: Pose, points: F64) -> F64:
    """Return the exact field at 1 A/us (V/m): closed form if concentric, else spectral."""
    radii, conductivities, centres, _ = SPHERES[name]
    dipoles = pose.apply(coil.positions), pose.apply_vectors(coil.moments)
    if not centres.any():
        return analytic.sphere_field(points, *dipoles)
    return spectral.sphere_solution(radii, conductivities, centres, *dipoles, degree=DEGREE).field(points)


def print_row(name: str, head: HeadModel, field: EField, truths: list[F64 | None]) -> None:
    """Print true errors over the cortex (area-weighted) beside the estimate."""
    weights = area_weights(head)
    estimate = field.error_estimate.relative_error
    cells = [name, f"{int(field.provenance['triangles']):,}", f"{estimate:.3%}"]
    for truth in truths:
        if truth is None:
            cells += ["", ""]
        else:
            error = metrics.relative_error(field.vectors, truth, weights=weights)
            cells += [f"{error:.3%}", f"{estimate / error:.2f}"]
    print("| " + " | ".join(cells) + " |", flush=True)


def print_header(*truths: str) -> None:
    """Print the head of a table with two columns for each truth."""
    cells = ["case", "triangles", "estimate"]
    for truth in truths:
        cells += [f"error, {truth}", "estimate / it"]
    print("\n| " + " | ".join(cells) + " |")
    print("|---|" + (len(cells) - 1) * "---:|")


def sphere_rows(coil: Coil, meshes: range) -> None:
    """Print the table of spheres."""
    pose = coil_pose(coil)
    print_header("exact", "split and rounded")
    for name in SPHERES:
        for subdivisions in meshes:
            head = spheres(name, subdivisions)
            exact = exact_field(name, coil, pose, head.cortex.vertices)
            # One more splitting of 25,600 triangles is as costly as the head's.
            if subdivisions < 4:
                finer = BemSolver(head).refine(coil, pose, share=1.0, curved=True)
                print_row(name, head, finer.before, [exact, finer.field.vectors])
            else:
                print_row(name, head, BemSolver(head).solve(coil, pose), [exact, None])


def head_rows(coil: Coil) -> None:
    """Print the default head against itself with split triangles, and rounds of refinement for a target."""
    head = load_head(resolution="fast")
    hand = Target.named("m1-hand", head, side="left")
    leg = Target.named("m1-leg", head, side="right")
    poses = {
        "M1 hand left": place(head, hand, handle=(-0.7, -0.7, 0.0), coil=coil),
        "M1 leg right": place(head, leg, handle=(0.0, -1.0, 0.0), coil=coil),
    }
    solver = BemSolver(head)
    print_header("split and rounded", "split")
    for name, pose in poses.items():
        rounded = solver.refine(coil, pose, share=1.0, curved=True)
        flat = solver.refine(coil, pose, share=1.0)
        print_row(f"default head, fast, {name}", head, rounded.before, [rounded.field.vectors, flat.field.vectors])
    pose, points = poses["M1 hand left"], hand.on(head).points
    print(f"\nField at {len(points)} points of M1 hand left, refined for them alone:\n")
    for share, rounds in ((1.0, 1), (0.7, 3)):
        step = solver
        for _ in range(rounds):
            began = time.perf_counter()
            result = step.refine(coil, pose, points=points, share=share)
            step = result.solver
            mean = np.linalg.norm(result.field.vectors.mean(axis=0))
            print(f"* share {share:g}: {result} Mean {mean:.4f} V/m. {time.perf_counter() - began:.0f} s", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="Error estimate against true errors.")
    parser.add_argument("--quick", action="store_true", help="smoke test: 320 triangles on each sphere")
    parser.add_argument("--full", action="store_true", help="up to 20,480 triangles on each sphere")
    parser.add_argument("--head", action="store_true", help="also the default head")
    arguments = parser.parse_args()
    coil = load_coil("magstim-70mm")
    sphere_rows(coil, range(2, 3 if arguments.quick else 6 if arguments.full else 5))
    if arguments.head:
        head_rows(coil)


if __name__ == "__main__":
    main()
