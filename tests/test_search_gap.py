"""How near bent coils come to the scalp in a search: it sets the spacing, and with it the size, of the table."""

import numpy as np
import pytest

import coils
import efield
import meshes
from efield.targeting.placements import Placements
from efield.targeting.table import _gap


@pytest.mark.parametrize("name", ["magstim-double-cone", "magventure-twin"])
def test_gap_of_a_bent_coil_is_that_to_the_scalp(name: str) -> None:
    """On a sphere the distance is known; z of the wings, which reach beside the head, would say that it is negative."""
    head = meshes.sphere_head(radii=[90], conductivities=[0.33], subdivisions=5)
    coil = coils.load_coil(name)
    space = Placements(head, coil, efield.Target(position=(0, 0, 75)), 4.0, 10.0, 2.0, 30.0)
    rotations, origins = space.cover()
    points = origins[::7, None] + np.einsum("pij,sj->psi", rotations[::7], coil.positions)
    exact = np.linalg.norm(points, axis=2).min() - 90.0
    assert 4.0 - coil.positions[:, 2].max() < 2.0
    assert exact > 4.0
    assert _gap(head, rotations, origins, coil.positions) == pytest.approx(exact, abs=0.5)
