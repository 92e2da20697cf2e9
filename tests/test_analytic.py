"""The closed forms against Maxwell's equations, against each other and against a harmonic series."""

import re

import numpy as np
import pytest
from scipy.constants import mu_0
from scipy.spatial.transform import Rotation

from efield import _harmonics, analytic
from tests.wire_cases import circle, elements_of

STEP = 1e-2  # mm; central differences then err by about (STEP / 10 mm)^2 = 1e-6 at most, and 1e-9 by rounding


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def dipoles(rng):
    positions = rng.normal(size=(5, 3))
    positions *= (rng.uniform(95.0, 120.0, 5) / np.linalg.norm(positions, axis=1))[:, None]
    return positions, 0.04 * rng.normal(size=(5, 3))


@pytest.fixture
def points(rng):
    directions = rng.normal(size=(200, 3))
    return directions / np.linalg.norm(directions, axis=1)[:, None] * 80.0 * rng.random((200, 1)) ** (1 / 3)


def derivatives(field, points):
    """Return curl and divergence per mm by central differences."""
    jacobian = np.stack([(field(points + s) - field(points - s)) / (2.0 * STEP) for s in STEP * np.eye(3)], axis=1)
    curl = np.stack([jacobian[:, i, j] - jacobian[:, j, i] for i, j in ((1, 2), (2, 0), (0, 1))], axis=1)
    return curl, np.trace(jacobian, axis1=1, axis2=2)


def dipole_db_dt(points, positions, moments, didt=1e6):
    """Return dB/dt of dipoles in free space, from the textbook formula (T/s)."""
    x = (points[:, None] - positions) * 1e-3
    r = np.linalg.norm(x, axis=2, keepdims=True)
    return (
        didt
        * mu_0
        / (4 * np.pi)
        * (3.0 * x * np.einsum("psi,si->ps", x, moments)[..., None] / r**5 - moments / r**3).sum(axis=1)
    )


def tilted_square(side, centre, n_gauss=14):
    """Return a square loop and the dipoles, one Gauss rule over its area, that stand for the same current."""
    u, v, n = Rotation.from_rotvec([0.5, -0.3, 0.2]).as_matrix().T
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * side / 2.0
    nodes, weights = np.polynomial.legendre.leggauss(n_gauss)
    s, t = (grid.ravel() * side / 2.0 for grid in np.meshgrid(nodes, nodes))
    area = np.outer(weights, weights).ravel() * side**2 / 4.0 * 1e-6
    return centre + corners @ np.stack([u, v]), centre + np.outer(s, u) + np.outer(t, v), np.outer(area, n)


def largest(vectors):
    return np.linalg.norm(vectors, axis=-1).max()


def test_field_is_tangential_everywhere(points, dipoles):
    field = analytic.sphere_field(points, *dipoles)
    cosine = np.einsum("ij,ij->i", field, points) / np.linalg.norm(field, axis=1) / np.linalg.norm(points, axis=1)
    assert np.abs(cosine).max() < 1e-14  # rounding


def test_curl_is_minus_db_dt(points, dipoles):
    curl, _ = derivatives(lambda x: analytic.sphere_field(x, *dipoles), points)
    # V/m per mm is 1000 V/m^2; 1e-6 is the error of the differences
    db_dt = dipole_db_dt(points, *dipoles)
    assert largest(1e3 * curl + db_dt) < 1e-6 * largest(db_dt)


def test_divergence_is_zero(points, dipoles):
    curl, divergence = derivatives(lambda x: analytic.sphere_field(x, *dipoles), points)
    assert np.abs(divergence).max() < 1e-6 * largest(curl)  # error of the differences


def test_field_is_zero_at_the_centre(dipoles):
    centre = np.array([3.0, -4.0, 5.0])
    assert not analytic.sphere_field(centre, *dipoles, centre=centre).any()


def test_radial_dipoles_move_no_charge(points, dipoles):
    positions = dipoles[0]
    moments = positions * np.array([[0.5, -1.0, 2.0, 0.3, 1.0]]).T
    primary = analytic.free_space_field(points, positions, moments)
    assert largest(analytic.sphere_field(points, positions, moments) - primary) < 1e-13 * largest(primary)


def test_rotation_and_translation_with_the_sphere(points, dipoles):
    turn = Rotation.from_rotvec([0.7, -0.4, 1.1]).as_matrix()
    centre = np.array([12.0, -7.0, 30.0])
    field = analytic.sphere_field(points, *dipoles)
    moved = analytic.sphere_field(
        points @ turn.T + centre, dipoles[0] @ turn.T + centre, dipoles[1] @ turn.T, centre=centre
    )
    assert largest(moved - field @ turn.T) < 1e-13 * largest(field)  # rounding


def test_linear_in_current_and_sources(points, dipoles):
    whole = analytic.sphere_field(points, *dipoles, didt=-3e6)
    parts = sum(analytic.sphere_field(points, p, m) for p, m in zip(*dipoles, strict=True))
    assert largest(whole + 3.0 * parts) < 1e-13 * largest(whole)  # rounding


def test_harmonic_series_of_the_radial_flux(dipoles):
    """E = x cross grad psi, with psi from x.dB/dt on one sphere: only the coil's field in free space enters."""
    radius, degree = 60.0, 60
    z, weights = np.polynomial.legendre.leggauss(degree + 20)
    phi = 2.0 * np.pi * np.arange(2 * degree + 40) / (2 * degree + 40)
    rho = np.sqrt(1.0 - z**2)
    normals = np.stack([np.outer(rho, np.cos(phi)), np.outer(rho, np.sin(phi)), np.outer(z, np.ones_like(phi))], -1)
    normals = normals.reshape(-1, 3)
    weights = np.repeat(weights, len(phi)) * 2.0 * np.pi / len(phi)
    flux = np.einsum("ij,ij->i", radius * 1e-3 * normals, dipole_db_dt(radius * normals, *dipoles))
    psi = np.zeros((degree + 1, degree + 1), dtype=complex)  # psi = sum of Re(g R)
    for l_, harmonics in enumerate(_harmonics.regular(normals, degree)):
        if l_:
            factor = np.where(np.arange(l_ + 1) == 0, 1.0, 2.0) * (2 * l_ + 1) / (4.0 * np.pi) / (l_ * (l_ + 1))
            psi[: l_ + 1, l_] = factor * ((weights * flux) @ harmonics.conj())
    points = 0.9 * radius * normals[::97]
    gradient = _harmonics.evaluate(_harmonics.gradient(psi, inner=True), points / radius, inner=True)
    series = np.cross(points / radius, gradient)
    exact = analytic.sphere_field(points, *dipoles)
    # the nearest dipole is at 95 mm: the truncated tail is (54 / 95)^60 = 2e-15
    assert largest(series - exact) < 1e-12 * largest(exact)


def test_loop_equals_its_dipole_sheet_in_a_sphere(points):
    loop, positions, moments = tilted_square(30.0, np.array([10.0, 20.0, 115.0]))
    wire = analytic.sphere_field_of_loop(points, loop)
    # 14 Gauss points over a 30 mm square at 20 mm: measured 2e-12
    assert largest(wire - analytic.sphere_field(points, positions, moments)) < 1e-10 * largest(wire)


def test_loop_equals_its_dipole_sheet_in_free_space(points):
    loop, positions, moments = tilted_square(30.0, np.array([10.0, 20.0, 115.0]))
    wire = analytic.free_space_field_of_loop(points, loop)
    assert largest(wire - analytic.free_space_field(points, positions, moments)) < 1e-10 * largest(wire)


def test_long_wire_near_the_sphere_is_integrated_to_rounding(points):
    """A 300 mm square 1 mm above the sphere: cutting its sides by hand changes nothing."""
    corners = np.array([[-150, -150, 81], [150, -150, 81], [150, 150, 81], [-150, 150, 81]], dtype=float)
    cut = np.concatenate(
        [a + np.linspace(0, 1, 37)[:-1, None] * (b - a) for a, b in zip(corners, np.roll(corners, -1, 0), strict=True)]
    )
    points = np.concatenate([points, [[0.0, 0.0, 79.9]]])
    whole = analytic.sphere_field_of_loop(points, corners, radius=80.0)
    assert largest(whole - analytic.sphere_field_of_loop(points, cut, radius=80.0)) < 1e-12 * largest(whole)


def test_loop_closed_twice_and_reversed(points):
    loop, *_ = tilted_square(30.0, np.array([0.0, 0.0, 115.0]))
    field = analytic.sphere_field_of_loop(points, loop)
    closed = analytic.sphere_field_of_loop(points, np.concatenate([loop, loop[:1]]))
    assert largest(closed - field) < 1e-13 * largest(field)  # another order of summation
    assert largest(analytic.sphere_field_of_loop(points, loop[::-1]) + field) < 1e-13 * largest(field)


def test_elements_of_a_loop_are_its_line_integral(points):
    """Twelve Gauss points on each side of 20 mm, 15 mm off the sphere."""
    path = circle(40.0, 95.0, 12) + np.array([5.0, -8.0, 0.0])
    elements = elements_of(path, 12)
    loop = analytic.sphere_field_of_loop(points, path, radius=81.0, didt=2e6)
    found = analytic.sphere_field_of_elements(points, elements.points, elements.vectors, radius=81.0, didt=2e6)
    np.testing.assert_allclose(found, loop, rtol=0, atol=1e-10 * np.abs(loop).max())


def test_the_field_of_a_single_element(points, dipoles):
    """Tangential, without sources, and with the radial curl of Biot and Savart: its leads are radial and add none."""
    positions, vectors = dipoles

    def field(x):
        return analytic.sphere_field_of_elements(x, positions[:1], 50.0 * vectors[:1], radius=90.0)

    values = field(points)
    assert np.abs(np.einsum("pi,pi->p", values, points)).max() < 1e-12 * 80.0 * np.abs(values).max()
    curl, divergence = derivatives(field, points)
    assert np.abs(divergence).max() < 1e-6 * np.abs(curl).max()
    offset = points - positions[0]
    flux = np.cross(50.0 * vectors[0], offset) / np.linalg.norm(offset, axis=1)[:, None] ** 3  # T m per A over 1e-7
    expected = -1e6 * 1e-7 * np.einsum("pi,pi->p", flux, points)
    radial = np.einsum("pi,pi->p", curl, points)
    np.testing.assert_allclose(radial, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def test_primary_field_on_the_axis_plane_of_a_dipole():
    """A z dipole at the origin: E_p = -(mu0 / 4 pi) didt m / x^2 along y at (x, 0, 0), in SI."""
    field = analytic.free_space_field([[50.0, 0.0, 0.0]], [[0.0, 0.0, 0.0]], [[0.0, 0.0, 0.04]], didt=2e6)
    expected = -mu_0 / (4 * np.pi) * 2e6 * 0.04 / 0.05**2
    np.testing.assert_allclose(field, [[0.0, expected, 0.0]], rtol=1e-14, atol=0.0)


def test_many_points_and_dipoles_are_cut_into_blocks(rng):
    points = rng.normal(size=(300, 3))
    positions, moments = 100.0 + rng.random((1500, 3)), rng.normal(size=(1500, 3))
    together = analytic.sphere_field(points, positions, moments)
    alone = np.concatenate([analytic.sphere_field(x, positions, moments) for x in points])
    assert largest(together - alone) < 1e-13 * largest(together)  # another order of summation


def test_no_points_and_no_dipoles():
    assert analytic.sphere_field(np.zeros((0, 3)), [[0, 0, 1]], [[0, 0, 1]]).shape == (0, 3)
    assert not analytic.sphere_field([[1, 2, 3]], np.zeros((0, 3)), np.zeros((0, 3))).any()


GOOD = {"points": [[0, 0, 80]], "positions": [[0, 0, 100]], "moments": [[0, 0, 1]]}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"positions": [[0, 0, 79]]}, "positions must be outside the sphere of radius 80 mm"),
        ({"radius": 101.0}, "positions must be outside the sphere of radius 101 mm"),
        ({"radius": 70.0}, "points must be inside the sphere of radius 70 mm"),
        ({"radius": -1.0}, "radius must be a positive number"),
        ({"moments": [[0, 0, 1], [0, 0, 1]]}, "moments must be one row per position (1)"),
        ({"points": [[0, 0, np.nan]]}, "points must be finite"),
        ({"didt": np.inf}, "didt must be a finite number"),
        ({"centre": [0, 0]}, "centre must be a vector of shape (3,)"),
    ],
)
def test_bad_input_of_dipoles(change, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        analytic.sphere_field(**(GOOD | change))


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ([[0, 0, 90], [1, 0, 90]], "path must be a closed polyline of at least 3 different corners"),
        # all corners at 113 mm or more, but the sides cut the sphere
        ([[-80, -80, 0], [80, -80, 0], [80, 80, 0], [-80, 80, 1]], "path must be outside the sphere of radius 85 mm"),
    ],
)
def test_bad_path(path, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        analytic.sphere_field_of_loop([[0, 0, 85]], path)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"vectors": [[1.0, 0.0, 0.0]] * 2}, "vectors must be one row per position (1); got 2 rows."),
        ({"positions": [[0.0, 0.0, 79.0]]}, "positions must be outside the sphere of radius 80 mm about centre"),
        ({"positions": [[0.0, np.nan, 90.0]]}, "positions must be finite"),
    ],
)
def test_bad_input_of_elements(change, sentence):
    arguments = {"positions": [[0.0, 0.0, 100.0]], "vectors": [[1.0, 0.0, 0.0]], **change}
    with pytest.raises(ValueError, match=re.escape(sentence)):
        analytic.sphere_field_of_elements([[0.0, 0.0, 80.0]], **arguments)


def test_points_on_the_source_are_refused():
    with pytest.raises(ValueError, match="off the dipoles"):
        analytic.free_space_field([[1, 2, 3]], [[1, 2, 3], [0, 0, 0]], np.ones((2, 3)))
    with pytest.raises(ValueError, match="off the wire"):
        analytic.free_space_field_of_loop([[5, 0, 0]], [[0, 0, 0], [10, 0, 0], [0, 10, 0]])
