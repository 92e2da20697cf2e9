"""Set the best placements on the default head beside what physiology knows.

    python benchmarks/physiology.py [--quick] [--resolution standard|fast] [--coil NAME]

For each target: the placement that `efield.optimize` finds, its handle against the normal of the bank of the central
sulcus and against the midline, the target's depth, the field there per A/us, the dI/dt for 60 V/m, and where the peak
of the cortex lies. Marks of the literature: [S] seen in the named source, [R] recalled, not confirmed.

Measured: 16 minutes with one thread on a busy machine; --quick searches a small sphere with made-up regions.
"""

import argparse
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from coils import Coil, load_coil
from efield import BemSolver, Target, metrics, optimize
from efield.targeting.result import SearchResult
from meshes import HeadModel, load_head, sphere_head
from meshes.anatomy.walls import angle_across

F64 = NDArray[np.float64]

TARGETS = [(name, side) for name in ("m1-hand", "m1-leg", "s1-hand") for side in ("left", "right")]
WANTED = 60.0

LITERATURE = [
    (
        "M1 hand, orientation",
        "induced current across the central sulcus, about 45 degrees to the midline, back to front",
        "J Clin Neurophysiol 1992;9:132-136 [S]",
    ),
    (
        "foot (abductor hallucis), orientation",
        "33 +/- 18 degrees anterior of lateral, so 57 +/- 18 to the midline; across the postcentral gyrus",
        "Richter 2013, PLoS ONE 8:e60358 [S]",
    ),
    ("M1 leg, position", "5 to 10 mm from the midline", "[R]"),
    ("M1 hand, position", "hand knob, about 23 mm from the midline", "knob: Yousry 1997 [S]; distance: [R]"),
    (
        "S1 hand, scalp site",
        "by evidence 20 mm lateral and 5 mm posterior of M1 hand's; by tradition 15 to 20 mm posterior",
        "Holmes and Tame 2018, 2019 [S]",
    ),
    (
        "M1 hand, field at motor threshold",
        "50 to 100 V/m in head models; 60 V/m as reference level",
        "range: [R]; level: J Integr Neurosci 2026 (JIN47371) [S]",
    ),
    ("M1 hand, field per A/us", "about 1 to 1.5 V/m per A/us at 18 to 22 mm", "[R]"),
]


@dataclass(frozen=True)
class Row:
    """What one target's best placement says."""

    name: str
    result: SearchResult
    to_bank: tuple[float, bool] | None
    maximum: float

    @property
    def peak_distance(self) -> float:
        """Distance from the robust peak of the cortex to the nearest point of the target's patch (mm)."""
        peak = self.result.field.peak().position
        return float(np.linalg.norm(self.result.patch.points - peak, axis=1).min())


def search(solver: BemSolver, coil: Coil, name: str, side: str, **options: float) -> Row:
    """Search one target."""
    target = Target.named(name, solver.head, side=side)
    result = optimize(solver, coil, target, **options)
    wall = target.wall(solver.head)
    angle = None if wall is None else angle_across(result.current_direction, wall.normal, result.pose.z_axis)
    return Row(f"{name} {side}", result, angle, result.field.maximum)


def print_header() -> None:
    """Print the head of the table."""
    print(
        "| target | depth (mm) | from midline (mm) | to sulcus normal (deg) | current | to midline (deg) "
        "| V/m per A/us | normal part | peak of cortex | maximum | peak to target (mm) "
        "| A/us for 60 V/m | of coil's maximum | estimated error |"
    )
    print("|---|" + "---:|" * 13, flush=True)


def print_row(row: Row) -> None:
    """Print one target as Markdown, as soon as it is known."""
    best, peak = row.result, row.result.field.peak()
    didt = best.didt_for(WANTED)
    share = "unknown" if best.coil.max_didt is None else f"{didt / best.coil.max_didt:.0%}"
    error = best.field.error_estimate.relative_error
    angle, way = "-", "-"
    if row.to_bank is not None:
        angle, way = f"{row.to_bank[0]:.0f}", "into the bank" if row.to_bank[1] else "out of the bank"
    print(
        f"| {row.name} | {best.target_depth:.1f} | {abs(best.target.position[0]):.0f} | {angle} "
        f"| {way} | {best.angle_to_midline:.0f} "
        f"| {best.field_at_target:.2f} | {best.normal_at_target:+.2f} | {peak.value:.2f} | {row.maximum:.2f} "
        f"| {row.peak_distance:.0f} | {didt / 1e6:.0f} | {share} | {error:.1%} |",
        flush=True,
    )


def print_sites(rows: list[Row]) -> None:
    """Print where the coil's centre comes to lie for S1 hand against M1 hand."""
    sites = {row.name: row.result.scalp_position for row in rows}
    for side in ("left", "right"):
        if {f"m1-hand {side}", f"s1-hand {side}"} <= sites.keys():
            shift = sites[f"s1-hand {side}"] - sites[f"m1-hand {side}"]
            lateral = -shift[0] if side == "left" else shift[0]
            print(
                f"\nScalp site for s1-hand {side} against m1-hand: {lateral:+.0f} mm lateral, "
                f"{-shift[1]:+.0f} mm posterior, {shift[2]:+.0f} mm up."
            )


def print_literature() -> None:
    """Print what is known of the targets."""
    print("\n| what | literature | source |\n|---|---|---|")
    for row in LITERATURE:
        print("| " + " | ".join(row) + " |")


def small_head() -> HeadModel:
    """Return a sphere with made-up regions, for the smoke test."""
    head = sphere_head([90, 84, 78, 68], [0.465, 0.010, 1.654, 0.275], subdivisions=2)
    points = head.cortex.vertices
    caps = {
        f"{name}-left": np.flatnonzero(points @ np.array(axis) > 0.9 * metrics.peak(points))
        for name, axis in (("m1-hand", (-0.5, 0.2, 0.84)), ("s1-hand", (-0.5, -0.2, 0.84)))
    }
    return replace(head, regions=caps)


def main() -> None:
    """Print the table of results and that of the literature."""
    parser = argparse.ArgumentParser(description="Best placements beside physiology.")
    parser.add_argument("--quick", action="store_true", help="smoke test on a sphere")
    parser.add_argument("--resolution", default="standard", help="of the default head: standard or fast")
    parser.add_argument("--coil", default="magstim-70mm")
    arguments = parser.parse_args()
    coil = load_coil(arguments.coil)
    if arguments.quick:
        solver = BemSolver(small_head())
        wanted = [("m1-hand", "left"), ("s1-hand", "left")]
        options = {"radius": 6.0, "spacing": 3.0, "angle_step": 30.0}
    else:
        solver = BemSolver(load_head(resolution=arguments.resolution))
        wanted, options = TARGETS, {}
    print(f"{solver.head!r} {solver.head.resolution}, {coil.name}, 4 mm from casing to scalp\n")
    print_header()
    rows = []
    for name, side in wanted:
        rows.append(search(solver, coil, name, side, **options))
        print_row(rows[-1])
    print_sites(rows)
    print_literature()


if __name__ == "__main__":
    main()
