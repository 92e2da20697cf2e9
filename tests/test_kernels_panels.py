"""Closed forms over single triangles against quadrature, identities and limits."""

import math

import numpy as np
import pytest

from efield.kernels import functionals, panels
from tests import reference
from tests.kernel_cases import octahedron, random_triangles, scaled


def test_solid_angle_is_the_spherical_excess(rng):
    corners = random_triangles(rng, 12)
    for t in range(12):
        x, y, z = point = rng.uniform(-3.0, 3.0, 3)
        # Girard's excess is a difference of angles of the order of pi.
        expected = reference.solid_angle(corners[t], point)
        assert panels.solid_angle(corners, t, x, y, z) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_solid_angles_of_a_closed_surface_sum_to_full_and_none():
    corners = octahedron()
    inside = sum(panels.solid_angle(corners, t, 0.1, 0.2, -0.1) for t in range(8))
    outside = sum(panels.solid_angle(corners, t, 0.9, 0.2, -0.8) for t in range(8))
    assert inside == pytest.approx(4.0 * math.pi, rel=1e-14)
    assert outside == pytest.approx(0.0, abs=1e-14)


def test_solid_angle_in_the_plane_is_the_mean_of_both_sides():
    corners = np.array([[[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    assert panels.solid_angle(corners, 0, 0.25, 0.25, 0.0) == 0.0
    assert panels.solid_angle(corners, 0, 0.25, 0.25, -1e-9) == pytest.approx(2.0 * math.pi, rel=1e-7)
    assert panels.solid_angle(corners, 0, 0.25, 0.25, 1e-9) == pytest.approx(-2.0 * math.pi, rel=1e-7)


def test_triangle_field_is_the_integral(rng):
    corners = random_triangles(rng, 6)
    normals, _, centroids, radii = reference.geometry(corners)
    for t in range(6):
        direction = rng.normal(size=3)
        for distance in (1.2, 3.0, 20.0):
            point = centroids[t] + distance * radii[t] * direction / np.linalg.norm(direction)
            expected = reference.triangle_field(corners[t], point)
            value = panels.triangle_field(corners, normals, t, *point)
            # The closed form cancels as (size / distance)^2 relative to its terms, eps * 400 at the farthest.
            np.testing.assert_allclose(value, expected, rtol=0, atol=1e-9 * scaled(expected))


def test_triangle_field_jumps_by_the_full_angle_across_the_triangle():
    """The normal field of a unit charge density is +-1/2 at its two sides (times 4 pi); at the middle it is 0."""
    corners = np.array([[[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]])
    normals = np.array([[0.0, 0.0, 1.0]])
    above, on, below = (panels.triangle_field(corners, normals, 0, 0.5, 0.6, z) for z in (1e-9, 0.0, -1e-9))
    assert above[2] == pytest.approx(2.0 * math.pi, rel=1e-8)
    assert on[2] == 0.0
    assert below[2] == pytest.approx(-2.0 * math.pi, rel=1e-8)
    np.testing.assert_allclose(above[:2], on[:2], rtol=1e-8)


def test_triangle_field_on_an_edge_is_finite():
    corners = np.array([[[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]])
    assert np.isfinite(panels.triangle_field(corners, np.array([[0.0, 0.0, 1.0]]), 0, 1.0, 0.0, 0.0)).all()


def test_solid_angle_at_points_on_the_triangle_is_zero(rng):
    """Points in the plane only to within rounding, as every centroid is: neither side may win."""
    corners = 90.0 + random_triangles(rng, 200, size=2.0)
    for t in range(200):
        x, y, z = rng.dirichlet(np.ones(3)) @ corners[t]
        assert panels.solid_angle(corners, t, x, y, z) == 0.0


@pytest.mark.parametrize(
    "point",
    [(0.3, 0.2, 0.0), (2.0, -1.0, 0.5), (-1.0, -1.0, 2.0), (0.5, 0.7, -1.0), (0.2, -3.0, 0.1), (-2.0, 0.3, 0.0)],
)
def test_distance_to_triangle(point):
    corners = np.array([[[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    barycentric = np.array([[i, j, 400 - i - j] for i in range(401) for j in range(401 - i)]) / 400.0
    nearest = np.linalg.norm(barycentric @ corners[0] - point, axis=1).min()
    # the sampled minimum is too great by at most its spacing, 1/400
    assert panels.distance_to_triangle(corners, 0, *point) == pytest.approx(nearest, abs=0.0025)
    assert panels.distance_to_triangle(corners, 0, *point) <= nearest + 1e-12


def test_mean_field_of_triangles(rng):
    corners = random_triangles(rng, 4)
    normals = reference.geometry(corners)[0]
    points, weights = rng.uniform(6.0, 9.0, (3, 3)), np.array([0.5, 0.2, 0.3])
    out = np.full((4, 3), np.nan)
    functionals.mean_field_of_triangles(out, points, weights, corners, normals)
    expected = [sum(w * reference.triangle_field(c, p) for w, p in zip(weights, points, strict=True)) for c in corners]
    np.testing.assert_allclose(out, np.array(expected) / (4.0 * math.pi), rtol=1e-9)


def test_add_current_elements(rng):
    points, positions = rng.uniform(6.0, 9.0, (3, 3)), rng.uniform(-2.0, 2.0, (4, 3))
    currents, before = rng.normal(size=(4, 2, 3)), rng.normal(size=(3, 2, 3))
    out = before.copy()
    functionals.add_current_elements(out, points, positions, currents)
    offset = points[:, None] - positions
    offset /= np.linalg.norm(offset, axis=2)[:, :, None] ** 3
    expected = before + np.cross(currents[None], offset[:, :, None]).sum(axis=1)
    np.testing.assert_allclose(out, expected, rtol=1e-12)


def test_triangle_potential_is_the_integral(rng):
    """Near, far, beside and almost on the triangle."""
    corners = random_triangles(rng, 6)
    normals, _, centroids, radii = reference.geometry(corners)
    for t in range(6):
        direction = rng.normal(size=3)
        for distance in (1e-3, 0.3, 1.2, 5.0, 20.0):
            point = centroids[t] + distance * radii[t] * direction / np.linalg.norm(direction)
            expected = reference.triangle_potential(corners[t], point)
            value = panels.triangle_potential(corners, normals, t, *point)
            # The logarithms cancel by a factor of distance / size and are all the more rounded.
            assert value == pytest.approx(expected, rel=1e-11 * max(1.0, distance**2))


def test_triangle_potential_on_the_triangle_is_continuous_and_finite():
    """At the right angle between legs a it is sqrt(2) a asinh(1); on edges and corners no worse than beside."""
    corners = np.array([[[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]])
    normals = np.array([[0.0, 0.0, 1.0]])
    # In polar coordinates the potential at a corner is the integral of the distance to the opposite edge.
    assert panels.triangle_potential(corners, normals, 0, 0.0, 0.0, 0.0) == pytest.approx(
        2.0 * math.sqrt(2.0) * math.asinh(1.0), rel=1e-14
    )
    for x, y in [(0.5, 0.6), (1.0, 0.0), (1.0, 1.0), (2.0, 0.0), (3.0, 0.0), (-1.0, 2.0)]:
        on = panels.triangle_potential(corners, normals, 0, x, y, 0.0)
        for z in (-1e-9, 1e-9):
            assert panels.triangle_potential(corners, normals, 0, x, y, z) == pytest.approx(on, rel=1e-7)


def test_triangle_potential_and_field_are_one(rng):
    """The field is minus the gradient of the potential."""
    corners = random_triangles(rng, 4)
    normals = reference.geometry(corners)[0]
    step = 1e-4
    for t in range(4):
        point = rng.uniform(-3.0, 3.0, 3)
        gradient = [
            panels.triangle_potential(corners, normals, t, *(point + step * axis))
            - panels.triangle_potential(corners, normals, t, *(point - step * axis))
            for axis in np.eye(3)
        ]
        field = np.array(panels.triangle_field(corners, normals, t, *point))
        # Central differences: step^2 over the squared distance, and rounding over the step.
        np.testing.assert_allclose(field, -np.array(gradient) / (2.0 * step), rtol=0, atol=1e-6 * scaled(field))
