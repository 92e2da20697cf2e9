"""Check that no casing cuts the scalp, over random targets, angles and tilts, by two other libraries.

    python benchmarks/clearance.py [--quick] [--targets 1000] [--seed 1]

Each target is a random point of the cortex; deep and temporal ones and those beside the ears are included. The coil
goes over the nearest scalp point as in a search (`efield.placement`: scalp_points, frames, Clearance), at a random
angle and tilted by up to 15 degrees about that point. manifold3d then measures the least distance between the triangles
of casing and scalp, exactly; VTK's vtkCollisionDetectionFilter looks for triangles that cross. As a control both are
asked again with the coil 3 mm nearer to the head than half a millimetre allows. Asked for no distance, casings touch:
manifold3d gives the volume that they share with the head. Takes some 15 minutes on one core; --quick takes 15 targets
on one coarse head.
"""

import argparse
import time
from dataclasses import dataclass

import manifold3d
import numpy as np
import pyvista
from numpy.typing import NDArray
from vtkmodules.vtkCommonMath import vtkMatrix4x4
from vtkmodules.vtkFiltersModeling import vtkCollisionDetectionFilter

import coils
import meshes
from efield.placement import Clearance, frames

F64 = NDArray[np.float64]

NAMES = ("magstim-70mm", "magstim-90mm-circular", "magstim-double-cone", "magventure-twin")
STEEPEST = 15.0
FAR = 8.0  # mm; gaps beyond are not looked for
NEARER = 3.0  # mm, of the control
TOUCH = 0.1  # mm^3 that casing and head may share when no distance is asked for


@dataclass(frozen=True)
class Pair:
    """A casing and a scalp in the two other libraries."""

    casing: manifold3d.Manifold
    scalp: manifold3d.Manifold
    filter: vtkCollisionDetectionFilter

    @classmethod
    def of(cls, casing: meshes.Surface, scalp: meshes.Surface) -> "Pair":
        """Hand the same triangles to both."""
        collision = vtkCollisionDetectionFilter()
        for number, surface in enumerate((casing, scalp)):
            faces = np.column_stack([np.full(len(surface.triangles), 3), surface.triangles])
            collision.SetInputData(number, pyvista.PolyData(surface.vertices, faces.ravel()))
            collision.SetMatrix(number, vtkMatrix4x4())
        collision.SetCollisionModeToFirstContact()
        solids = [
            manifold3d.Manifold(manifold3d.Mesh64(surface.vertices, surface.triangles.astype(np.uint64)))
            for surface in (casing, scalp)
        ]
        return cls(*solids, collision)

    def gap(self, matrix: F64) -> float:
        """Return the least distance between the surfaces (mm); 0 if they touch or cross."""
        return float(self.casing.transform(matrix[:3]).min_gap(self.scalp, FAR))

    def shared(self, matrix: F64) -> float:
        """Return the volume inside both (mm^3)."""
        return float((self.casing.transform(matrix[:3]) ^ self.scalp).volume())

    def cross(self, matrix: F64) -> bool:
        """Return whether VTK finds triangles that cross."""
        placed = vtkMatrix4x4()
        placed.DeepCopy(matrix.ravel())
        self.filter.SetMatrix(0, placed)
        self.filter.Update()
        return bool(self.filter.GetNumberOfContacts() > 0)


def random_frames(head: meshes.HeadModel, count: int, rng: np.random.Generator) -> tuple[F64, F64, F64]:
    """Return contacts, tilted frames and the depth of the targets below the scalp."""
    targets = head.cortex.vertices[rng.integers(len(head.cortex.vertices), size=count)]
    contacts, normals = meshes.scalp_points(head, targets)
    sideways = frames(normals, rng.normal(size=(count, 3)))[:, :, 0]
    leaning = normals + np.tan(np.radians(rng.uniform(0.0, STEEPEST, (count, 1)))) * sideways
    rotations = frames(leaning / np.linalg.norm(leaning, axis=1)[:, None], rng.normal(size=(count, 3)))
    return contacts, rotations, np.linalg.norm(targets - contacts, axis=1)


def matrices(rotations: F64, origins: F64) -> F64:
    """Return 4x4 matrices, coil to head."""
    result = np.tile(np.eye(4), (len(rotations), 1, 1))
    result[:, :3, :3], result[:, :3, 3] = rotations, origins
    return result


def control(pair: Pair, placed: F64) -> str:
    """Return how many of some poses both libraries find crossing once the coil is moved in."""
    moved = placed[:100].copy()
    moved[:, :3, 3] += NEARER * moved[:, :3, 2]
    found = sum(pair.cross(matrix) for matrix in moved), sum(pair.gap(matrix) <= 0.0 for matrix in moved)
    return f"{found[0]}, {found[1]} of {len(moved)}"


def row(head: meshes.HeadModel, coil: coils.Coil, distance: float, contacts: F64, rotations: F64) -> tuple[str, int]:
    """Return a row of the table, and how many casings cut the scalp."""
    start = time.perf_counter()
    assert coil.casing is not None
    pair = Pair.of(coil.casing, head.scalp)
    origins = Clearance(head, coil, distance).origins(rotations, contacts)
    back = np.linalg.norm(origins - contacts, axis=1)
    placed = matrices(rotations, origins)
    if distance > 0.0:
        gaps = np.array([pair.gap(matrix) for matrix in placed])
        crossing, zero = sum(pair.cross(matrix) for matrix in placed), int((gaps <= 0.0).sum())
        failures = crossing + zero
        found = f"{crossing} | {zero} | {gaps.min():.3f}, {np.median(gaps):.3f}, {gaps.max():.3f} | | "
        found += control(pair, placed) if distance < 1.0 else ""
    else:
        placed = placed[: max(len(placed) // 4, 10)]
        shared = max(pair.shared(matrix) for matrix in placed)
        failures = int(shared > TOUCH)
        found = f"touching | touching | touching | {shared:.2g} | "
    seconds = time.perf_counter() - start
    moved = f"{np.median(back):.1f}, {back.max():.1f}"
    return f"{distance:g} | {len(placed)} | {found} | {moved} | {seconds:.0f} |", failures


def main() -> None:
    """Print a row for each head, coil and distance; fail if a casing cuts a scalp."""
    parser = argparse.ArgumentParser(description="Casings against scalps.")
    parser.add_argument("--quick", action="store_true", help="smoke test: 15 targets, one coarse head, two coils")
    parser.add_argument("--targets", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    heads = ("pycortex",) if arguments.quick else ("pycortex", "fsaverage")
    names = ("magstim-70mm", "magstim-double-cone") if arguments.quick else NAMES
    count = 15 if arguments.quick else arguments.targets
    print("| head | coil | asked (mm) | poses | crossing (VTK) | gap 0 (manifold3d) ", end="")
    print(
        "| least, median, greatest gap (mm) | most volume shared (mm3) | control: crossing (VTK, manifold3d) ", end=""
    )
    print("| contact to origin: median, most (mm) | seconds |")
    print("|---|---|---:|---:|---:|---:|---|---:|---|---|---:|")
    failures, notes = 0, []
    for head_name in heads:
        head = meshes.load_head(head_name, resolution="fast" if arguments.quick else "standard")
        contacts, rotations, depth = random_frames(head, count, np.random.default_rng(arguments.seed))
        notes.append(
            f"{head_name}: targets {depth.min():.0f} to {depth.max():.0f} mm under the scalp, "
            f"{(depth > 40.0).mean():.0%} more than 40; contacts at z {contacts[:, 2].min():.0f} to "
            f"{contacts[:, 2].max():.0f} mm"
        )
        for name in names:
            for distance in (4.0, 0.5, 0.0):
                text, cuts = row(head, coils.load_coil(name), distance, contacts, rotations)
                failures += cuts
                print(f"| {head_name} | {name} | {text}", flush=True)
    print("\n" + "\n".join(notes))
    if failures:
        raise SystemExit(f"{failures} casings cut the scalp.")


if __name__ == "__main__":
    main()
