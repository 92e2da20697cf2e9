"""Compare the target's field by reciprocity with direct solutions at random legal poses.

    python benchmarks/reciprocity.py [--quick] [--poses 20] [--seed 1]

One block of three transposed solves gives the mean field over left M1 hand for every pose; each pose is then solved
directly. Poses: scalp points within 40 mm of the target's, any handle direction, 2 to 12 mm from casing to scalp. The
two routes share the matrix and its products, not the solution, so this checks adjoint, primary field and evaluation
against each other; it says nothing about discretisation (sphere_accuracy.py does). About ten minutes on two cores;
--quick takes two poses over a small layered sphere.
"""

import argparse
import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from coils import Coil, load_coil
from efield import BemSolver, Target, place
from efield.bem.reciprocity import ReciprocalField
from meshes import HeadModel, Pose, load_head, scalp_point, sphere_head

F64 = NDArray[np.float64]

REACH = 40.0
BAR = 0.005


def random_poses(head: HeadModel, coil: Coil, target: Target, count: int, rng: np.random.Generator) -> Iterator[Pose]:
    """Yield poses with the casing clear of the scalp."""
    over = scalp_point(head, target.position)[0]
    vertices = head.scalp.vertices
    near = vertices[np.linalg.norm(vertices - over, axis=1) < REACH]
    for _ in range(count):
        centre = near[rng.integers(len(near))]
        yield place(head, centre, handle=rng.normal(size=3), distance=rng.uniform(2.0, 12.0), coil=coil)


def setting(*, quick: bool) -> tuple[HeadModel, Target]:
    """Return head and target."""
    if not quick:
        head = load_head()
        return head, Target.named("m1-hand", head, side="left")
    head = sphere_head([90, 84, 78, 68], [0.465, 0.010, 1.654, 0.275], subdivisions=2)
    return head, Target(position=(-30.0, 5.0, 60.0), radius=15.0)


def main() -> None:
    """Print one row per pose, then the worst and the median."""
    parser = argparse.ArgumentParser(description="Reciprocity against direct solutions.")
    parser.add_argument("--quick", action="store_true", help="smoke test on a sphere")
    parser.add_argument("--poses", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    head, target = setting(quick=arguments.quick)
    coil = load_coil("magstim-70mm")
    solver = BemSolver(head)
    patch = target.on(head)
    start = time.perf_counter()
    reciprocal = ReciprocalField(solver, patch.points, patch.weights, np.eye(3))
    print(f"three transposed solves: {time.perf_counter() - start:.1f} s, {reciprocal.result.iterations} iterations\n")
    print(f"{head!r}, mean field over {len(patch.points)} points of {target.name} {target.side}\n")
    print("| pose | coil centre (mm) | direct (V/m at 1 A/us) | reciprocity | relative difference | seconds |")
    print("|---:|---|---:|---:|---:|---:|")
    differences = []
    rng = np.random.default_rng(arguments.seed)
    count = 2 if arguments.quick else arguments.poses
    for number, pose in enumerate(random_poses(head, coil, target, count, rng), start=1):
        start = time.perf_counter()
        direct = patch.mean(solver.solve(coil, pose, points=patch.points).vectors)
        seconds = time.perf_counter() - start
        found = reciprocal.functional(coil, pose)
        differences.append(float(np.linalg.norm(found - direct) / np.linalg.norm(direct)))
        centre = ", ".join(f"{value:.0f}" for value in pose.origin)
        print(
            f"| {number} | ({centre}) | {np.linalg.norm(direct):.4f} | {np.linalg.norm(found):.4f} "
            f"| {differences[-1]:.4%} | {seconds:.1f} |",
            flush=True,
        )
    worst = max(differences)
    verdict = "met" if worst <= BAR else "MISSED"
    print(f"\nworst {worst:.4%}, median {np.median(differences):.4%}; bar {BAR:.1%}: {verdict}")


if __name__ == "__main__":
    main()
