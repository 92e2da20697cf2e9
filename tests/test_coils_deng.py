"""Half-value depth and spread of every named coil against its published figures, in the published set-ups.

Sphere of 85 mm, brain of 70 mm. Deng, Lisanby and Peterchev, Brain Stimul 2013;6:1-13: the nearest turn 5 mm above the
scalp; their table fits concentric turns within 5 % (figure-8) and 10 % (circular coils), the tolerances in the
catalogue. Drakaki et al., Brain Stimul 2022;15:697-706, measured around real coils: the casing 4 mm above the scalp.
"""

import numpy as np
import pytest

from coils import list_coils, load_coil
from coils.catalogue import DRAWINGS, Published
from coils.named import published
from coils.windings import Wing
from efield import analytic, metrics

SCALP, BRAIN = 85.0, 70.0
HEAD = np.array([1.0, -1.0, -1.0])
ROWS = [(name, row) for name in list_coils() for row in published(name)]


def height_over_sphere(wings: tuple[Wing, ...], gap: float) -> float:
    """Lower the coil by bisection until the turns' head-side face is `gap` off the scalp."""
    angle = np.linspace(0.0, 2.0 * np.pi, 721)
    points = []
    for wing in wings:
        for radius in np.linspace(wing.winding.inner_diameter / 2.0, wing.winding.outer_diameter / 2.0, 30):
            circle = np.column_stack([radius * np.cos(angle), radius * np.sin(angle), np.zeros_like(angle)])
            points.append(wing.pose.apply(circle) * HEAD)
    face = np.concatenate(points)
    low, high = 50.0, 300.0
    while high - low > 1e-6:
        middle = (low + high) / 2.0
        clear = np.linalg.norm(face + np.array([0.0, 0.0, middle]), axis=1).min() >= SCALP + gap
        low, high = (low, middle) if clear else (middle, high)
    return high


def half_values(name: str, height: float) -> metrics.HalfValues:
    coil = load_coil(name)
    shift = np.array([0.0, 0.0, height])
    return metrics.half_values(
        lambda points: analytic.sphere_field(points, coil.positions * HEAD + shift, coil.moments * HEAD, radius=SCALP),
        radius=BRAIN,
        spacing=4.0,  # d and S differ by less than 0.5 % from those at 2 mm
    )


def measured(name: str, row: Published) -> metrics.HalfValues:
    wings = DRAWINGS[name].wings()
    if row.source == "Drakaki":
        return half_values(name, max(SCALP + 4.0, height_over_sphere(wings, 4.0)))
    return half_values(name, height_over_sphere(wings, 5.0))


@pytest.mark.parametrize(("name", "row"), ROWS, ids=[f"{name} {row.source}" for name, row in ROWS])
def test_named_coil_has_the_published_depth_and_spread(name: str, row: Published) -> None:
    """Within the row's tolerance; drawings without one, and measured models, within 10 % and 11 %.

    Found: rows with a tolerance within 4.3 %, see benchmarks/deng_coils.py. The worst of the others is the MC-B70,
    whose drawn and whose measured figures are 4 and 8 % apart themselves: 5 and 10 % from the measured ones.
    """
    found = measured(name, row)
    depth, spread = (row.tolerance, row.tolerance) if row.tolerance is not None else (0.10, 0.11)
    assert found.depth == pytest.approx(row.depth, rel=depth)
    assert found.spread == pytest.approx(row.spread, rel=spread)
    if row.peak is not None and name != "magstim-70mm":
        # dI/dt and thickness of the casing enter too: within 12 % (C-B60; the others 4 %).
        assert found.peak == pytest.approx(row.peak, rel=0.12)


def test_bars_of_the_table_are_the_ones_agreed_on() -> None:
    """Rows 4, 5, 25, 29, 31 and 37 of Deng's table are checked: 5 % for figures-of-eight, 10 % for circular coils."""
    bars = {row.source: row.tolerance for _, row in ROWS if row.tolerance is not None}
    assert bars == {f"Deng {no}": 0.05 for no in (25, 29, 31, 37)} | {"Deng 4": 0.10, "Deng 5": 0.10}


def test_measured_magstim_70mm_sits_deeper_in_its_casing() -> None:
    """Drakaki's model of the D70 has its dipoles 9.4 mm behind the casing's face, here the winding's middle is 6 mm.

    3.4 mm further out the drawing gives the measured field within 2 %; at 4 mm it is 18 % stronger.
    """
    row = published("magstim-70mm")[1]
    assert row.peak is not None
    assert half_values("magstim-70mm", SCALP + 4.0).peak == pytest.approx(1.18 * row.peak, rel=0.01)
    assert half_values("magstim-70mm", SCALP + 7.4).peak == pytest.approx(row.peak, rel=0.02)


def test_plane_of_the_90mm_coil_at_5mm() -> None:
    """With the winding's plane 5 mm above the pole, line integrals (coils.md 7b) give 1.78 cm and 96 cm2."""
    found = half_values("magstim-90mm-circular", SCALP + 5.0 - 3.0)
    assert found.depth == pytest.approx(17.8, rel=0.01)
    assert found.spread == pytest.approx(9600.0, rel=0.01)


def test_published_of_an_unknown_coil_lists_the_names() -> None:
    with pytest.raises(ValueError, match=r"name must be one of magstim-25mm, .*; got 'magstim'."):
        published("magstim")
