"""Domes of dipoles: the shell's theorem for harmonic fields, and rings that stand where they should."""

from dataclasses import replace

import numpy as np
import pytest

from coils.catalogue import DRAWINGS
from coils.domes import dome_depth, dome_rings
from coils.quadrature import ring_rule
from coils.windings import Wing

CONE = DRAWINGS["magstim-double-cone"].wings()[0]


def gradient(degree: int, rho: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the radial and the axial derivative of the axial solid harmonic r^l P_l(cos theta)."""
    radial = {1: 0.0 * z, 2: -rho, 3: -3.0 * z * rho, 4: -6.0 * z**2 * rho + 1.5 * rho**3}
    axial = {1: 1.0 + 0.0 * z, 2: 2.0 * z, 3: 3.0 * z**2 - 1.5 * rho**2, 4: 4.0 * z**3 - 6.0 * z * rho**2}
    return radial[degree], axial[degree]


@pytest.mark.parametrize("degree", [1, 2, 3, 4])
@pytest.mark.parametrize("dome", [5.0, 24.0, 60.0])
def test_a_dome_has_the_moments_of_the_flat_discs(degree: int, dome: float) -> None:
    """The sum of m . grad f over a shell is the flux of grad f through its rim, whatever the shell, if f is harmonic.

    The rules are exact for these polynomials (degree 3 at most over the height, 2 planes), so only rounding is left.
    """
    wing = replace(CONE, dome=dome)
    rings = dome_rings(wing, 6, 3)
    radial, axial = gradient(degree, rings.radii, rings.heights)
    found = np.sum(rings.radial * radial + rings.axial * axial)
    # Flux through the flat disc of each thin filament, in closed form.
    radius, z, share = wing.winding.filaments(12, 12)
    area, second = np.pi * radius**2, np.pi * radius**4 / 2.0  # integrals of 1 and of rho^2
    flux = {1: area, 2: 2.0 * z * area, 3: 3.0 * z**2 * area - 1.5 * second, 4: 4.0 * z**3 * area - 6.0 * z * second}
    expected = 1e-6 * np.sum(share * flux[degree])
    scale = 1e-6 * np.sum(share * area) * (wing.winding.outer_diameter / 2.0 + dome) ** (degree - 1)
    assert found == pytest.approx(expected, abs=1e-13 * scale)


def test_flat_dome_is_the_flat_rule_split_at_the_opening() -> None:
    """Without depth nothing is radial, and all rings lie on two planes within the wire's height."""
    rings = dome_rings(replace(CONE, dome=0.0), 5, 3)
    assert not rings.radial.any()
    assert len(np.unique(rings.heights)) == 2
    _, heights, moments = ring_rule(CONE.winding, 5, 2)
    assert rings.axial.sum() == pytest.approx(2.0 * moments.sum(), rel=1e-12)
    assert rings.heights.mean() == pytest.approx(heights.mean(), rel=1e-12)


def test_rings_stand_in_the_opening_and_between_the_edges() -> None:
    inner, outer = 48.0, 62.5  # radii of the double cone's winding (mm)
    rings = dome_rings(CONE, 6, 3)
    opening = rings.radii < inner
    assert opening.sum() == 12
    assert rings.radii.max() < outer
    assert (rings.axial > 0.0).all()
    # Behind by the paraboloid, 24 mm in the middle; the dipoles point along its normal, outwards and to the head.
    depth = rings.behind - rings.heights
    np.testing.assert_allclose(depth[opening], 24.0 * (1.0 - (rings.radii[opening] / inner) ** 2), atol=1e-12)
    assert not depth[~opening].any()
    slope = 2.0 * 24.0 * rings.radii[opening] / inner**2
    np.testing.assert_allclose(rings.radial[opening], -slope * rings.axial[opening], rtol=1e-12)
    assert dome_depth(CONE, np.array([0.0, inner, outer])).tolist() == [24.0, 0.0, 0.0]


def test_wings_know_nothing_of_the_dome() -> None:
    """The turns are the same for any shell: closed forms and wires do not change."""
    plate = Wing(CONE.winding, CONE.pose, CONE.sense)
    points = np.array([[30.0, 10.0, 40.0], [0.0, 0.0, 20.0]])
    np.testing.assert_array_equal(plate.potential(points), CONE.potential(points))
    np.testing.assert_array_equal(plate.wires()[0].path, CONE.wires()[0].path)
