"""Compare every named coil with its published half-value depth and spread, and count dipoles against their error.

    python benchmarks/deng_coils.py                 # all tables
    python benchmarks/deng_coils.py --markdown      # the README's table

Set-up of Deng, Lisanby and Peterchev, Brain Stimul 2013;6:1-13: sphere of 85 mm, brain of 70 mm, winding as near to the
scalp as 5 mm. d1/2 is the half-value depth, S1/2 the half-value volume over d1/2. The set-up's sizes are not in the
paper's abstract or tables; they are those that reproduce them best, so agreement within 5 % (figure-8) or 10 %
(circular) is what the table can tell. The 5 mm are taken to the nearest turn: under a circular coil the scalp then
reaches up into its opening. With 5 mm from the scalp to the winding's plane d1/2 and S1/2 of the two circular coils are
+2.6 and +6.5 % (70 mm), +2.5 and +10.2 % (90 mm) off; flat figures-of-eight are the same either way.

Set-up of the rows "Drakaki": the same sphere, origin of the coil's frame 4 mm above the scalp; a coil whose winding
would then come nearer than 4 mm is raised. Their figures are of dipole models measured around real coils. Half a minute
on one core.
"""

import argparse
import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from coils import Coil, figure_of_eight, list_coils, load_coil
from coils.catalogue import DRAWINGS, Published
from coils.windings import Wing
from efield import analytic, metrics

SCALP, BRAIN = 85.0, 70.0
WINDING_GAP, CASING_GAP = 5.0, 4.0
HEAD = np.array([1.0, -1.0, -1.0])  # coil over the north pole, its z axis down

F64 = npt.NDArray[np.float64]


def faces(wings: Sequence[Wing]) -> F64:
    """Return points on the windings' head-side and edge faces, shape (n, 3) (mm, coil frame)."""
    angle = np.radians(np.arange(0.0, 360.0, 0.5))
    parts = []
    for wing in wings:
        inner, outer, height = wing.winding.inner_diameter / 2, wing.winding.outer_diameter / 2, wing.winding.height
        rims = [(r, 0.0) for r in np.linspace(inner, outer, 31)]
        rims += [(r, z) for r in (inner, outer) for z in np.linspace(-height, 0.0, 5)]
        for radius, z in rims:
            circle = np.column_stack([radius * np.cos(angle), radius * np.sin(angle), np.full_like(angle, z)])
            parts.append(wing.pose.apply(circle))
    return np.concatenate(parts)


def height_over_sphere(wings: Sequence[Wing], gap: float) -> float:
    """Return how far over the sphere's centre the origin must be for the nearest winding to be `gap` off it (mm)."""
    points, reach = faces(wings) * HEAD, SCALP + gap
    aside = np.hypot(points[:, 0], points[:, 1])
    near = aside < reach
    return float((np.sqrt(reach**2 - aside[near] ** 2) - points[near, 2]).max())


def half_values(coil: Coil, height: float, *, spacing: float = 2.5) -> metrics.HalfValues:
    """Measure a coil whose origin is `height` above the sphere's centre."""
    shift = np.array([0.0, 0.0, height])
    return metrics.half_values(
        lambda points: analytic.sphere_field(points, coil.positions * HEAD + shift, coil.moments * HEAD, radius=SCALP),
        radius=BRAIN,
        spacing=spacing,
    )


def measure(name: str, row: Published, *, spacing: float = 2.5) -> metrics.HalfValues:
    """Measure a named coil in the set-up of a published row."""
    wings = DRAWINGS[name].wings()
    if row.source == "Drakaki":
        height = max(SCALP + CASING_GAP, height_over_sphere(wings, CASING_GAP))
    else:
        height = height_over_sphere(wings, WINDING_GAP)
    return half_values(load_coil(name), height, spacing=spacing)


def table(*, markdown: bool) -> None:
    """Print one line per named coil and published row."""
    head = ("coil", "published", "d1/2 cm", "", "S1/2 cm²", "", "peak V/m per A/µs", "dipoles", "their error")
    if markdown:
        print("| " + " | ".join(head) + " |\n|---|---|---:|---:|---:|---:|---:|---:|---:|")
    for name in list_coils():
        coil = load_coil(name)
        error = coil.discretisation_error or np.nan
        for row in DRAWINGS[name].published:
            found = measure(name, row)
            peak = f"{found.peak:.3f}" + (f" ({row.peak:.3f})" if row.peak else "")
            cells = (
                name,
                row.source,
                f"{found.depth / 10:.2f} ({row.depth / 10:.2f})",
                f"{found.depth / row.depth - 1:+.1%}",
                f"{found.spread / 100:.1f} ({row.spread / 100:.1f})",
                f"{found.spread / row.spread - 1:+.1%}",
                peak,
                f"{coil.n_dipoles}",
                f"{error:.2%}",
            )
            print(
                "| " + " | ".join(cells) + " |"
                if markdown
                else "{:22} {:9} {:>12} {:>6} {:>12} {:>6} {:>14} {:>5} {:>6}".format(*cells)
            )


def dipoles_against_error() -> None:
    """Print how many dipoles the 70 mm coil needs for a wanted error."""
    print("\nmagstim-70mm winding: dipoles against the error 10 mm below it")
    for wanted in (0.05, 0.01, 0.001, 0.0001):
        start = time.perf_counter()
        coil = figure_of_eight(inner_diameter=56, outer_diameter=87, turns=9, max_error=wanted)
        seconds = time.perf_counter() - start
        print(
            f"wanted {wanted:7.2%}  got {coil.discretisation_error:7.3%}  {coil.n_dipoles:4d} dipoles  {seconds:.2f} s"
        )


def main() -> None:
    """Print the tables: found, and in brackets published."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markdown", action="store_true", help="print the README's table only")
    arguments = parser.parse_args()
    table(markdown=arguments.markdown)
    if not arguments.markdown:
        dipoles_against_error()


if __name__ == "__main__":
    main()
