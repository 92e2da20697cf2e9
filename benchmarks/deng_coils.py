"""Compare the coils with Deng's table, and count dipoles against their error.

    python benchmarks/deng_coils.py

Set-up of Deng, Lisanby and Peterchev, Brain Stimul 2013;6:1-13: sphere of 85 mm, brain of 70 mm, winding 5 mm above the
scalp. d1/2 is the half-value depth, S1/2 the half-value volume over d1/2. The set-up's sizes are not in the paper's
abstract or tables; they are those that reproduce them best, so agreement within 5 % (figure-8) or 10 % (circular) is
what the table can tell. A few seconds on one core.
"""

import time
from dataclasses import dataclass

import numpy as np

from coils import Coil, circular, figure_of_eight, load_coil
from efield import analytic, metrics

SCALP, BRAIN, GAP = 85.0, 70.0, 5.0
CLEARANCE = 3.0  # of the casing, part of the gap


@dataclass(frozen=True)
class Row:
    """A coil of Deng's table with the published half-value depth (mm) and spread (mm^2)."""

    number: str
    coil: Coil
    depth: float
    spread: float


def rows() -> list[Row]:
    """Build the flat coils of the table whose windings are published."""
    return [
        Row("31", load_coil("magstim-70mm"), 14.1, 1480.0),
        Row("5", load_coil("magstim-90mm-circular"), 17.4, 8740.0),
        Row(
            "25",
            figure_of_eight(inner_diameter=18, outer_diameter=42, turns=14, wire_width=0.75, name="Magstim 25 mm"),
            9.6,
            646.0,
        ),
        Row(
            "29",
            figure_of_eight(
                inner_diameter=35, outer_diameter=75, turns=5, wire_height=11, layers=2, name="MagVenture C-B60"
            ),
            13.3,
            1290.0,
        ),
        Row("4", circular(inner_diameter=40, outer_diameter=94, turns=15, name="Magstim 70 mm circular"), 14.4, 6600.0),
        Row(
            "6",
            circular(inner_diameter=47, outer_diameter=97.5, turns=9, layers=2, name="Magstim MST animal"),
            15.3,
            7270.0,
        ),
        Row(
            "7",
            circular(inner_diameter=44, outer_diameter=120, turns=9, layers=2, name="Magstim MST human"),
            17.2,
            8640.0,
        ),
    ]


def half_values(coil: Coil) -> metrics.HalfValues:
    """Measure a flat coil over the north pole of the sphere."""
    head = np.array([1.0, -1.0, -1.0])
    shift = np.array([0.0, 0.0, SCALP + GAP - CLEARANCE])
    return metrics.half_values(
        lambda points: analytic.sphere_field(points, coil.positions * head + shift, coil.moments * head, radius=SCALP),
        radius=BRAIN,
    )


def main() -> None:
    """Print both tables."""
    print(
        f"{'no':>3} {'coil':24} {'dipoles':>7} {'error':>8} "
        f"{'d1/2 cm':>9} {'published':>10} {'S1/2 cm2':>8} {'published':>10}"
    )
    for row in rows():
        found = half_values(row.coil)
        print(
            f"{row.number:>3} {row.coil.name:24} {row.coil.n_dipoles:7d} {row.coil.discretisation_error:8.2%} "
            f"{found.depth / 10:9.2f} {row.depth / 10:5.2f} {found.depth / row.depth - 1:+4.0%} "
            f"{found.spread / 100:8.1f} {row.spread / 100:5.1f} {found.spread / row.spread - 1:+4.0%}"
        )
    print("\nmagstim-70mm winding: dipoles against the error 10 mm below it")
    for wanted in (0.05, 0.01, 0.001, 0.0001):
        start = time.perf_counter()
        coil = figure_of_eight(inner_diameter=56, outer_diameter=87, turns=9, max_error=wanted)
        seconds = time.perf_counter() - start
        print(
            f"wanted {wanted:7.2%}  got {coil.discretisation_error:7.3%}  {coil.n_dipoles:4d} dipoles  {seconds:.2f} s"
        )


if __name__ == "__main__":
    main()
