"""Named coils over the sphere of published rows: where they stand, and what is measured there."""

import numpy as np
import pytest

import coils
from coils.catalogue import DRAWINGS
from coils.named import published
from efield.coil_validation import SCALP, height_over_sphere, published_set_up


def test_a_figure_of_eight_touches_with_its_junction() -> None:
    """The two flat windings meet on the axis, 3 mm behind the origin: 5 mm over the north pole."""
    height = height_over_sphere(DRAWINGS["magstim-70mm"].wings(), 5.0)
    assert height == pytest.approx(SCALP + 5.0 - 3.0, abs=1e-9)


def test_a_circular_coil_touches_with_its_inner_edge() -> None:
    """The inner edge, 33 mm from the axis, lies on a sphere of 90 mm."""
    height = height_over_sphere(DRAWINGS["magstim-90mm-circular"].wings(), 5.0)
    assert height == pytest.approx(np.sqrt(90.0**2 - 33.0**2) - 3.0, abs=1e-9)


@pytest.mark.parametrize("name", ["magstim-double-cone", "magventure-mc-b70"])
def test_a_bent_coil_is_as_near_as_its_winding_allows(name: str) -> None:
    """By another route: the distance of the wires, which lie within the turns' cross-section of 6 mm."""
    coil = coils.load_coil(name)
    height = height_over_sphere(DRAWINGS[name].wings(), 5.0)
    corners = np.concatenate([wire.path for wire in coil.wires]) * [1.0, -1.0, -1.0] + [0.0, 0.0, height]
    nearest = np.linalg.norm(corners, axis=1).min()
    assert SCALP + 5.0 < nearest < SCALP + 5.0 + 3.0


def test_half_values_are_near_the_published() -> None:
    """Coarsely sampled, 1 % more; benchmarks/deng_coils.py measures all rows."""
    for name in ("magstim-70mm", "magstim-double-cone"):
        row = published(name)[0]
        found = published_set_up(name, row, spacing=5.0)
        assert found.depth == pytest.approx(row.depth, rel=0.06)
        assert found.spread == pytest.approx(row.spread, rel=0.06)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="name must be one of"):
        published_set_up("nosuch", published("magstim-70mm")[0])
