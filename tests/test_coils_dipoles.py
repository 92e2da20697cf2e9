"""Dipoles stand for their windings: moments exactly, fields to the stated error."""

import numpy as np
import pytest
from numpy.polynomial import legendre

from coils import Coil, circular, figure_of_eight
from coils.dipoles import dipole_error
from coils.quadrature import ring_rule
from coils.windings import Winding
from efield.analytic import free_space_field, free_space_field_of_loop, sphere_field, sphere_field_of_loop

MAGSTIM_70 = dict(inner_diameter=56.0, outer_diameter=87.0, turns=9, wire_width=1.75, wire_height=6.0)
TWO_LAYERS = dict(inner_diameter=35.0, outer_diameter=75.0, turns=5, wire_width=1.75, wire_height=11.0, layers=2)


def solid_harmonic(degree: int, rho: np.ndarray, z: np.ndarray) -> np.ndarray:
    r = np.hypot(rho, z)
    cosine = np.divide(z, r, out=np.ones_like(r), where=r > 0.0)
    return r**degree * legendre.legval(cosine, [0.0] * degree + [1.0])


def moment_of(winding: Winding, degree: int, height: float) -> float:
    """Integrate a solid harmonic about (0, 0, height) over the discs of all filaments, by plain Gauss rules."""
    radius, z, share = winding.filaments(12, 12)
    node, weight = legendre.leggauss(12)
    t = 0.5 * (1.0 + node) * radius[:, None] ** 2
    values = solid_harmonic(degree, np.sqrt(t), np.broadcast_to((z - height)[:, None], t.shape))
    return float(np.sum(share * np.pi * radius**2 * (values @ weight) / 2.0)) * 1e-6


@pytest.mark.parametrize(("size", "planes"), [(MAGSTIM_70, 1), (MAGSTIM_70, 2), (TWO_LAYERS, 1), (TWO_LAYERS, 2)])
@pytest.mark.parametrize("rings", [1, 3, 5])
def test_rings_keep_the_axial_moments_of_the_thick_winding(size: dict, planes: int, rings: int) -> None:
    """All harmonic moments below degree 2 * rings: the rule is exact for them, so only rounding is left."""
    winding = Winding(**size)
    radii, heights, moments = ring_rule(winding, rings, planes)
    assert moments.sum() * planes == pytest.approx(winding.moment, rel=1e-12)
    centre = heights.mean() if planes == 1 else 0.0
    scale = winding.outer_diameter / 2.0
    for degree in range(2 * rings):
        found = sum(np.sum(moments * solid_harmonic(degree, radii, np.full(rings, h - centre))) for h in heights)
        assert found == pytest.approx(moment_of(winding, degree, centre), abs=1e-12 * scale**degree * winding.moment)


def test_gauss_radii_lie_inside_the_winding() -> None:
    for rings in range(1, 15):
        radii, _, _ = ring_rule(Winding(**MAGSTIM_70), rings, 1)
        assert (np.diff(radii) > 0.0).all()
        assert 0.0 < radii[0] <= radii[-1] < 43.5


@pytest.mark.parametrize("planes", [3, 0])
def test_planes_fit_the_layers(planes: int) -> None:
    with pytest.raises(ValueError, match=f"planes must be 1 or a multiple of the 2 layers; got {planes}."):
        ring_rule(Winding(**TWO_LAYERS), 4, planes)


def exact_field(points: np.ndarray, size: dict, offset: float) -> np.ndarray:
    """Give the primary field of a flat figure-8 with its winding's face at z = 0, by finer filaments and polygons."""
    angle = 2.0 * np.pi * np.arange(600) / 600
    circle = np.column_stack([np.cos(angle), np.sin(angle), np.zeros(600)])
    total = np.zeros_like(points)
    for radius, z, share in zip(*Winding(**size).filaments(3, 5), strict=True):
        for side in (1.0, -1.0):
            path = radius * circle * [1.0, side, 1.0] + [side * offset, 0.0, z]
            total += share * free_space_field_of_loop(points, path)
    return total


def test_stated_error_is_the_error_by_an_independent_route() -> None:
    """Fewer points (random ones) and other filaments than the package uses: the maximum may only be a bit smaller."""
    coil = figure_of_eight(**MAGSTIM_70, clearance=0.0)
    rng = np.random.default_rng(7)
    points = np.column_stack([rng.uniform(-97, 97, 150), rng.uniform(-54, 54, 150), np.full(150, 10.0)])
    exact = exact_field(points, MAGSTIM_70, 43.5)
    # The peak of the field on the plane is under the junction, at the origin.
    peak = np.linalg.norm(exact_field(np.array([[0.0, 0.0, 10.0]]), MAGSTIM_70, 43.5))
    difference = np.linalg.norm(free_space_field(points, coil.positions, coil.moments) - exact, axis=1).max() / peak
    assert coil.discretisation_error <= 1e-3
    assert (
        difference <= 1.02 * coil.discretisation_error
    )  # polygons of 600 corners: 2e-5 of the field, 2 % of the error
    assert difference >= 0.3 * coil.discretisation_error  # a worst case, and 150 points come near it


def test_error_falls_below_the_winding() -> None:
    """Harmonics of the dipoles' spacing die out by distance: at 20 mm not a tenth of the error at 10 mm is left."""
    coil = figure_of_eight(**MAGSTIM_70, clearance=0.0)
    points = np.column_stack([np.linspace(-90, 90, 60), 20.0 * np.sin(np.arange(60)), np.full(60, 20.0)])
    exact = exact_field(points, MAGSTIM_70, 43.5)
    difference = free_space_field(points, coil.positions, coil.moments) - exact
    relative = np.linalg.norm(difference, axis=1).max() / np.linalg.norm(exact, axis=1).max()
    assert relative < 0.1 * coil.discretisation_error


@pytest.mark.parametrize(
    ("coil", "height"),
    [
        (figure_of_eight(**MAGSTIM_70), 4.0),
        (figure_of_eight(**TWO_LAYERS, wing_angle=150), 7.0),  # the wings' faces touch the sphere at 3 mm
        (circular(inner_diameter=66, outer_diameter=123, turns=14), 4.0),
    ],
    ids=["flat", "bent, two layers", "circular"],
)
def test_field_in_a_sphere_against_line_integrals(coil: Coil, height: float) -> None:
    """In the brain, 15 mm under the scalp and 22 mm under the winding, a fifth of the stated error is left at most."""
    head = np.array([1.0, -1.0, -1.0])
    shift = np.array([0.0, 0.0, 85.0 + height])
    rng = np.random.default_rng(3)
    direction = rng.normal(size=(40, 3)) * 0.5 + [0.0, 0.0, 1.0]
    points = 70.0 * direction / np.linalg.norm(direction, axis=1, keepdims=True)
    dipoles = sphere_field(points, coil.positions * head + shift, coil.moments * head)
    wires = sum(w.turns * sphere_field_of_loop(points, w.path * head + shift) for w in coil.wires)
    error = np.linalg.norm(dipoles - wires, axis=1).max() / np.linalg.norm(wires, axis=1).max()
    assert error < 0.2 * coil.discretisation_error


@pytest.mark.parametrize(("max_error", "most"), [(5e-2, 70), (1e-2, 130), (1e-3, 300), (1e-4, 750)])
def test_dipoles_against_error(max_error: float, most: int) -> None:
    """The numbers the package quotes for the 70 mm coil (60, 118, 280, 694), with room for other rounding."""
    coil = figure_of_eight(**MAGSTIM_70, max_error=max_error)
    assert 0.0 < coil.discretisation_error <= max_error
    assert coil.n_dipoles <= most


@pytest.mark.parametrize("wing_angle", [180.0, 100.0])
def test_moment_per_wing_is_kept(wing_angle: float) -> None:
    coil = figure_of_eight(**MAGSTIM_70, wing_angle=wing_angle)
    tilt = np.radians(180.0 - wing_angle) / 2.0
    expected = Winding(**MAGSTIM_70).moment * np.array([-np.sin(tilt), 0.0, np.cos(tilt)])
    right, left = coil.wing_moments
    np.testing.assert_allclose(right, expected, atol=1e-14)  # rounding
    np.testing.assert_allclose(left, expected * [1.0, 1.0, -1.0], atol=1e-14)


def test_figure_of_eight_is_its_own_mirror_image() -> None:
    """Mirrored in x = 0 and in y = 0 the set of dipoles is the same, moments as axial vectors (current reversed)."""
    coil = figure_of_eight(**MAGSTIM_70, wing_angle=140.0)
    rows = np.hstack([coil.positions, 1e3 * coil.moments])
    # Mirrored in x = 0, the current too maps onto itself. Mirrored in y = 0 it is reversed: the moments change sign.
    mirrored_x = rows * [-1.0, 1.0, 1.0, 1.0, -1.0, -1.0]
    mirrored_y = rows * [1.0, -1.0, 1.0, 1.0, -1.0, 1.0]
    for image in (mirrored_x, mirrored_y):
        gap = np.linalg.norm(rows[:, None] - image, axis=2).min(axis=1)
        assert gap.max() < 1e-11  # mm, rounding


def test_error_at_another_distance_and_bad_distance() -> None:
    from coils.dipoles import place_dipoles
    from coils.windings import Wing
    from meshes import Pose

    wing = Wing(Winding(**MAGSTIM_70), Pose(np.eye(4)), 1)
    positions, moments, error = place_dipoles([wing], max_error=1e-2)
    assert dipole_error([wing], positions, moments) == error
    assert dipole_error([wing], positions, moments, distance=5.0) > 3.0 * error
    assert dipole_error([wing], positions, moments, distance=20.0) < error / 3.0
    with pytest.raises(ValueError, match=r"distance must be a positive number; got 0.0."):
        dipole_error([wing], positions, moments, distance=0)
