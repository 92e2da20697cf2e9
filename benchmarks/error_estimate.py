"""Compare the error estimate that comes with every field with true errors.

    python benchmarks/error_estimate.py [--quick] [--head]

Spheres as in sphere_accuracy.py. Two truths: the exact field of round spheres, and the field on the same flat surfaces
with every triangle split in four, which has the error of the charge alone. The estimate is of the second. On spheres
the error of the charge and that of the flat triangles partly cancel, so the exact error is the smaller one.

--head adds the default head in "fast" resolution against itself with every triangle split (236,000 triangles; several
minutes and GiB); --quick stops at 1,600 triangles.
"""

import argparse
import time

import numpy as np
from numpy.typing import NDArray
from sphere_accuracy import CONCENTRIC, DISPLACED, coil_pose, reference, spheres

from coils import Coil, load_coil
from efield import BemSolver, Target, metrics, place
from efield.fields import EField
from meshes import HeadModel, Interface, Pose, Surface, load_head

F64 = NDArray[np.float64]


def split(surface: Surface) -> Surface:
    """Return the same flat surface with every triangle cut in four at the middles of its edges."""
    triangles = surface.triangles.astype(np.int64)
    edges = np.stack([triangles, np.roll(triangles, -1, axis=1)], axis=2).reshape(-1, 2)
    unique, which = np.unique(np.sort(edges, axis=1), axis=0, return_inverse=True)
    middles = surface.vertices[unique].mean(axis=1)
    a, b, c = triangles.T
    ab, bc, ca = which.reshape(-1, 3).T + len(surface.vertices)
    quarters = np.stack([a, ab, ca, ab, b, bc, ca, bc, c, ab, bc, ca], axis=1).reshape(-1, 3)
    return Surface(np.vstack([surface.vertices, middles]), quarters, surface.name)


def split_head(head: HeadModel) -> HeadModel:
    """Return the head on split surfaces, its cortex as it was."""
    interfaces = [Interface(split(i.surface), i.sigma_inside, i.sigma_outside) for i in head.interfaces]
    return HeadModel(name=f"{head.name}, split", interfaces=tuple(interfaces), cortex=head.cortex)


def area_weights(surface: Surface) -> F64:
    """Return a third of the area of the triangles around each vertex (mm^2)."""
    corners = surface.triangles.ravel()
    return np.bincount(corners, np.repeat(surface.areas / 3.0, 3), minlength=len(surface.vertices))


def print_row(name: str, head: HeadModel, field: EField, exact: F64 | None, finer: EField | None) -> None:
    """Print true errors over the cortex (area-weighted) beside the estimate."""
    weights = area_weights(head.cortex)
    estimate = field.error_estimate
    cells = [name, f"{int(field.provenance['triangles']):,}"]
    for truth in (exact, None if finer is None else finer.vectors):
        if truth is None:
            cells += ["", ""]
        else:
            error = metrics.relative_error(field.vectors, truth, weights=weights)
            cells += [f"{error:.3%}", f"{estimate.relative_error / error:.2f}"]
    cells += [f"{estimate.relative_error:.3%}", f"{estimate.interface_mismatch:.2f}"]
    print("| " + " | ".join(cells) + " |", flush=True)


def spheres_rows(name: str, centres: F64, meshes: range, coil: Coil) -> None:
    """Print the rows of one arrangement of spheres."""
    pose = coil_pose(coil)
    for subdivisions in meshes:
        head = spheres(centres, subdivisions)
        exact = reference(centres, coil, pose, head.cortex.vertices)
        field = BemSolver(head).solve(coil, pose)
        # One more splitting of 25,600 triangles is as costly as the head's.
        finer = BemSolver(split_head(head)).solve(coil, pose) if subdivisions < 4 else None
        print_row(name, head, field, exact, finer)


def head_rows(coil: Coil) -> None:
    """Print the default head against itself with split triangles, and what the estimate costs."""
    head = load_head(resolution="fast")
    target = Target.named("m1-hand", head, side="left")
    pose: Pose = place(head, target, handle=(-0.7, -0.7, 0.0), coil=coil)
    field = BemSolver(head).solve(coil, pose)
    start = time.perf_counter()
    finer = BemSolver(split_head(head)).solve(coil, pose)
    print_row("default head, fast", head, field, None, finer)
    logged = time.perf_counter() - start
    print(f"\nThe split head took {logged:.0f} s.")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Error estimate against true errors.")
    parser.add_argument("--quick", action="store_true", help="smoke test: 1,600 triangles")
    parser.add_argument("--head", action="store_true", help="also the default head")
    arguments = parser.parse_args()
    coil = load_coil("magstim-70mm")
    print("| case | triangles | error, exact | estimate / it | error, split | estimate / it | estimate | mismatch |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    meshes = range(2, 3 if arguments.quick else 5)
    for name, centres in (("concentric", CONCENTRIC), ("displaced", DISPLACED)):
        spheres_rows(name, centres, meshes, coil)
    if arguments.head:
        head_rows(coil)


if __name__ == "__main__":
    main()
