"""Compare the target's field by reciprocity with direct solutions at random legal poses.

    python benchmarks/reciprocity.py [--quick] [--poses 50] [--resolution standard] [--seed 1]

One block of three transposed solves gives the mean field over left M1 hand for every pose of every coil, through the
same table as in a search; each pose is then solved directly. Poses: scalp points within 40 mm of the target's, any
handle direction, 2 to 12 mm from casing to scalp. The two routes share the matrix and its products, not the solution,
so this checks adjoint, primary field and table against each other; it says nothing about discretisation
(sphere_accuracy.py does). About ten minutes on two cores; --quick takes two poses over a small layered sphere.
"""

import argparse
import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from coils import Coil, load_coil
from efield import BemSolver, Target, place
from efield.targeting.target_field import TargetField
from meshes import HeadModel, Pose, load_head, scalp_point, sphere_head

F64 = NDArray[np.float64]

REACH = 40.0
BAR = 0.003
COILS = ("magstim-70mm", "magstim-90mm-circular", "magstim-double-cone")


def random_poses(head: HeadModel, coil: Coil, target: Target, count: int, rng: np.random.Generator) -> Iterator[Pose]:
    """Yield poses with the casing clear of the scalp."""
    over = scalp_point(head, target.position)[0]
    vertices = head.scalp.vertices
    near = vertices[np.linalg.norm(vertices - over, axis=1) < REACH]
    for _ in range(count):
        centre = near[rng.integers(len(near))]
        yield place(head, centre, handle=rng.normal(size=3), distance=rng.uniform(2.0, 12.0), coil=coil)


def setting(*, quick: bool, resolution: str) -> tuple[HeadModel, Target]:
    """Return head and target."""
    if not quick:
        head = load_head("pycortex", resolution=resolution)
        return head, Target.named("m1-hand", head, side="left")
    head = sphere_head([90, 84, 78, 68], [0.465, 0.010, 1.654, 0.275], subdivisions=2)
    return head, Target(position=(-30.0, 5.0, 60.0), radius=15.0)


def compare(fields: TargetField, solver: BemSolver, coil: Coil, poses: list[Pose]) -> list[float]:
    """Print one row for a coil, and return the relative differences at the target."""
    matrices = np.array([pose.matrix for pose in poses])
    rotations, origins = matrices[:, :3, :3].copy(), matrices[:, :3, 3].copy()
    began = time.perf_counter()
    table = fields.table(coil, rotations, origins, spare=0.0)
    found = table.means(rotations, origins)[:, 0]
    searched = time.perf_counter() - began
    began = time.perf_counter()
    patch = fields.patches[0]
    direct = np.array([patch.mean(field.vectors) for field in solver.solve_many(coil, poses, points=patch.points)])
    seconds = (time.perf_counter() - began) / len(poses)
    differences = np.linalg.norm(found - direct, axis=1) / np.linalg.norm(direct, axis=1)
    strengths = np.linalg.norm(direct, axis=1)
    print(
        f"| {coil.name} | {len(poses)} | {strengths.min():.3f} to {strengths.max():.3f} | {np.median(differences):.4%} "
        f"| {differences.max():.4%} | {searched:.1f} | {seconds:.1f} |",
        flush=True,
    )
    return differences.tolist()


def main() -> None:
    """Print one row per coil, then the worst of all."""
    parser = argparse.ArgumentParser(description="The search's functional against direct solutions.")
    parser.add_argument("--quick", action="store_true", help="smoke test on a sphere")
    parser.add_argument("--poses", type=int, default=50, help="random legal poses of each coil")
    parser.add_argument("--resolution", default="standard")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    head, target = setting(quick=arguments.quick, resolution=arguments.resolution)
    solver = BemSolver(head)
    start = time.perf_counter()
    fields = TargetField(solver, [target.on(head)])
    print(f"{head!r}, {target.name} {target.side}; three transposed solves: {time.perf_counter() - start:.1f} s\n")
    print("| coil | poses | direct (V/m at 1 A/us) | median difference | worst | table (s) | direct (s a pose) |")
    print("|---|---:|---|---:|---:|---:|---:|")
    rng = np.random.default_rng(arguments.seed)
    differences: list[float] = []
    for name in COILS[:1] if arguments.quick else COILS:
        coil = load_coil(name)
        poses = list(random_poses(head, coil, target, 2 if arguments.quick else arguments.poses, rng))
        differences += compare(fields, solver, coil, poses)
    worst = max(differences)
    verdict = "met" if worst <= BAR else "MISSED"
    print(f"\nworst {worst:.4%}, median {np.median(differences):.4%}; bar {BAR:.1%}: {verdict}")


if __name__ == "__main__":
    main()
