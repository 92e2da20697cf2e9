"""Solid harmonics, and the rows of triangles and points in them, against the slow twins."""

import numpy as np

from efield.bem import quadrature
from efield.bem.expansions import normalisation, padded_width
from efield.kernels import solid_harmonics
from tests import reference
from tests.kernel_cases import SINGLE, random_triangles, scaled


def test_regular_harmonics(rng):
    degree, norm = 6, normalisation(6)
    for point in [*rng.normal(size=(4, 3)), np.array([0.0, 0.0, -0.7]), np.zeros(3)]:
        re, im, row = np.empty(28), np.empty(28), np.zeros(49)
        solid_harmonics.fill_regular(*point, degree, re, im)
        solid_harmonics.add_value_row(2.0, degree, re, im, norm, row)
        np.testing.assert_allclose(row, 2.0 * reference.regular(point[None], degree)[0], rtol=1e-11, atol=1e-12)


def test_gradient_of_the_regular_harmonics(rng):
    degree, norm = 6, normalisation(6)
    for point, direction in zip(rng.normal(size=(4, 3)), rng.normal(size=(4, 3)), strict=True):
        re, im, row = np.empty(28), np.empty(28), np.zeros(49)
        solid_harmonics.fill_regular(*point, degree, re, im)
        solid_harmonics.add_gradient_row(*direction, degree, re, im, norm, row)
        expected = reference.regular_gradient(point[None], degree)[0] @ direction
        # differences divide the rounding of harmonics of the order of 100 by the step, 0.05
        np.testing.assert_allclose(row, expected, rtol=1e-9, atol=1e-10 * scaled(expected))


def test_triangle_rows(rng):
    degree = 4
    corners = random_triangles(rng, 3, size=0.3, spread=0.5)
    normals, areas, _, _ = reference.geometry(corners)
    centres, half_sizes = rng.uniform(-0.5, 0.5, (3, 3)), np.array([1.0, 2.0, 0.5])
    width = padded_width(degree)
    charge, normal = np.zeros((3, width), dtype=np.float32), np.zeros((3, width), dtype=np.float32)
    rule = quadrature.SEVEN_POINTS, quadrature.SEVEN_WEIGHTS
    solid_harmonics.triangle_rows(
        charge, normal, corners, normals, areas, centres, half_sizes, *rule, degree, normalisation(degree)
    )
    expected = reference.triangle_rows(corners, normals, areas, centres, half_sizes, *rule, degree)
    for row, twin in zip((charge, normal), expected, strict=True):
        np.testing.assert_allclose(row[:, :25], twin, rtol=SINGLE, atol=SINGLE * scaled(twin))
        assert not row[:, 25:].any()
    # Seven points integrate the polynomials of degree 4 exactly, so the rows are the moments themselves.
    exact = reference.triangle_rows(corners, normals, areas, centres, half_sizes, *reference.triangle_rule(6), degree)
    np.testing.assert_allclose(charge[:, :25], exact[0], rtol=SINGLE, atol=SINGLE * scaled(exact[0]))
    np.testing.assert_allclose(normal[:, :25], exact[1], rtol=SINGLE, atol=SINGLE * scaled(exact[1]))


def test_local_field_at_points(rng):
    degree = 4
    width = padded_width(degree)
    local = rng.normal(size=(3, 2, width)).astype(np.float32)
    points, cell = rng.normal(size=(5, 3)), np.array([0, 2, 2, 1, 0], dtype=np.int32)
    centres, half_sizes = 0.3 * rng.normal(size=(3, 3)), np.array([1.0, 2.0, 1.5])
    before = rng.normal(size=(2, 5, 3))
    out = before.copy()
    solid_harmonics.local_field_at_points(out, points, cell, local, centres, half_sizes, degree, normalisation(degree))
    expected = reference.local_field(points, cell, local[:, :, :25], centres, half_sizes, degree)
    np.testing.assert_allclose(out, before + expected, atol=SINGLE * scaled(expected))


def test_local_potential_at_points(rng):
    degree = 4
    local = rng.normal(size=(3, 2, padded_width(degree))).astype(np.float32)
    points, cell = rng.normal(size=(5, 3)), np.array([0, 2, 2, 1, 0], dtype=np.int32)
    cells = 0.3 * rng.normal(size=(3, 3)), np.array([1.0, 2.0, 1.5])
    before = rng.normal(size=(2, 5))
    out = before.copy()
    solid_harmonics.local_potential_at_points(out, points, cell, local, *cells, degree, normalisation(degree))
    expected = reference.local_potential(points, cell, local, *cells, degree)
    np.testing.assert_allclose(out, before + expected, rtol=0, atol=1e-11 * scaled(expected))
