"""The near part of the matrix, its products and the field at near points, against the slow twins."""

import math

import numpy as np
import pytest

from efield.bem import quadrature
from efield.kernels import near, near_products, panels
from tests import reference
from tests.kernel_cases import SINGLE, octahedron, random_triangles, scaled


def filled(corners, size, first_entry, row_length, targets, sources, start, end):
    """The kernel's entries for given pairs of leaves."""
    _, areas, centroids, radii = reference.geometry(corners)
    few, many = (
        np.ascontiguousarray(quadrature.points_on(corners, points).reshape(-1, 3).T)
        for points in (quadrature.THREE_POINTS, quadrature.SEVEN_POINTS)
    )
    out = np.full(size, np.nan, dtype=np.float32)
    near.near_strips(
        out, first_entry, row_length, targets, sources, start, end, corners, centroids, areas, radii, few, many,
        quadrature.THREE_WEIGHTS, quadrature.SEVEN_WEIGHTS, quadrature.SEVEN_POINTS,
    )  # fmt: skip
    return out


def near_matrix(corners):
    """The kernel's matrix of a few triangles, as one block."""
    n = len(corners)
    cell, start, end = np.zeros(1, dtype=np.int32), np.zeros(1, dtype=np.int32), np.array([n], dtype=np.int32)
    return filled(corners, n * n, np.array([0]), np.array([n]), cell, cell, start, end).reshape(n, n)


@pytest.mark.parametrize(
    ("offset", "tolerance"),
    [
        # About twice the measured error. Far off, three points on the source triangle set it; nearer, seven points,
        # and the triangle is cut into pieces of about the size of the gap when nearly touching.
        ((0.0, 0.0, 12.0), 2e-6),
        ((3.0, 1.0, 3.0), 1.3e-4),
        ((1.4, 1.0, 1.4), 1e-5),
        ((0.0, 0.0, 1.0), 3e-4),
        ((0.1, 0.1, 0.3), 4e-4),
        ((0.0, 0.0, 0.1), 2.5e-4),
    ],
)
def test_an_entry_of_the_near_part(offset, tolerance):
    a = np.array([[0.0, 0.0, 0.0], [1.0, 0.1, 0.0], [0.2, 0.9, 0.1]])
    corners = np.array([a, a @ [[0.9, 0.1, 0.0], [-0.1, 0.9, 0.2], [0.0, -0.2, 1.0]] + offset])
    matrix = near_matrix(corners)
    for i, j in ((0, 1), (1, 0)):
        assert matrix[i, j] == pytest.approx(reference.pair_entry(corners, i, j, 20), rel=tolerance)
        assert matrix[i, i] == 0.0


@pytest.fixture
def leaves(rng):
    """Ten triangles of unlike sizes in three leaves, cells 1, 2, 4 of a tree, and all nine pairs of them."""
    corners = random_triangles(rng, 10, size=0.6)
    start = np.array([0, 0, 4, 4, 7], dtype=np.int32)
    end = np.array([10, 4, 7, 10, 10], dtype=np.int32)
    cells = np.array([1, 2, 4], dtype=np.int32)
    targets, sources = np.repeat(cells, 3), np.tile(cells, 3)
    return corners, start, end, cells, targets, sources


def test_near_strips(leaves):
    corners, start, end, cells, targets, sources = leaves
    matrix = np.array([[reference.pair_entry(corners, i, j) for j in range(10)] for i in range(10)])
    expected, first_entry, _, column = reference.strips(matrix, cells, targets, sources, start, end)
    leaf = np.searchsorted(cells, targets)
    out = filled(corners, 100, first_entry[leaf] + column % 10, np.full(9, 10), targets, sources, start, end)
    # Twice the measured error of single entries; some of these triangles cut each other, which no head's do.
    np.testing.assert_allclose(out, expected, rtol=0.0, atol=3e-4 * scaled(expected))
    assert np.median(np.abs(out - expected)) < 1e-6 * scaled(expected)


def test_the_near_part_of_a_closed_surface_lets_no_charge_out():
    """Gauss: the flux of a triangle's charge through its own closed surface is half of it."""
    corners = octahedron() * [1.0, 1.5, 0.7]
    areas = reference.geometry(corners)[1]
    # The solid angles seen from any point of a triangle sum to 2 pi, so the sum is exact for any quadrature of it; but
    # for some targets the source triangle is cut into pieces and for others not (measured: 3e-5).
    np.testing.assert_allclose(areas @ near_matrix(corners), 0.5 * areas, rtol=1e-4)


@pytest.mark.parametrize("x", [-2.0, -0.5, 0.0, 0.5, 2.0])
@pytest.mark.parametrize("y", [-3.0, -0.5, 0.0, 0.5, 3.0])
def test_arctan2(x, y):
    value = near._arctan2(np.float32(y), np.float32(x))
    assert value == pytest.approx(math.atan2(y, x), abs=5e-7)  # single precision of numbers up to pi


@pytest.mark.parametrize("n_rhs", [1, 2, 4, 6])
def test_near_product_and_its_transpose(leaves, rng, n_rhs, monkeypatch):
    monkeypatch.setattr(near_products, "CHUNK", 3)  # has an effect without JIT only: several chunks in a row
    _, start, end, cells, targets, sources = leaves
    keep = np.array([0, 1, 3, 4, 5, 8])  # leaves 1 and 4 are not neighbours
    targets, sources = targets[keep], sources[keep]
    dense = rng.normal(size=(10, 10)).astype(np.float32)
    mask = np.zeros_like(dense)
    for t, s in zip(targets, sources, strict=True):
        mask[start[t] : end[t], start[s] : end[s]] = 1.0
    flat, first_entry, first_column, column = reference.strips(dense, cells, targets, sources, start, end)
    q = rng.normal(size=(n_rhs, 10)).astype(np.float32)
    before = rng.normal(size=(n_rhs, 10))

    first = np.searchsorted(targets, [1, 2, 4, 5])
    out = before.copy()
    near_products.near_product(out, flat, first_entry, first, sources, cells, start, end, q)
    np.testing.assert_allclose(out, before + q @ (dense * mask).T, atol=SINGLE * 10)

    order = np.lexsort((targets, sources))
    first = np.searchsorted(sources[order], [1, 2, 4, 5])
    out = before.copy()
    columns = np.full((n_rhs, first_column[-1]), np.nan, dtype=np.float32)
    near_products.near_columns(columns, flat, first_entry, first_column, cells, start, end, q)
    near_products.sum_columns(out, columns, first, order, column, cells, start, end)
    np.testing.assert_allclose(out, before + q @ (dense * mask), atol=SINGLE * 10)


def test_near_field_at_points(leaves, rng):
    corners, start, end, cells, _, sources = leaves
    normals, areas, centroids, radii = reference.geometry(corners)
    points = np.concatenate([rng.uniform(-6.0, 6.0, (4, 3)), [centroids[0] + np.array([30.0, 0.0, 0.0])]])
    point_leaves = np.array([0, 1], dtype=np.int32)
    point_start, point_end = np.array([0, 2], dtype=np.int32), np.array([2, 5], dtype=np.int32)
    first = np.array([0, 2, 5])  # the first two points see the leaves 1 and 2 only
    seen = np.concatenate([sources[:2], cells])
    q = rng.normal(size=(3, 10))
    out = np.zeros((3, 5, 3))
    panels.near_field_at_points(
        out, points, first, seen, point_leaves, point_start, point_end, start, end,
        corners, normals, centroids, areas, radii, quadrature.THREE_POINTS, quadrature.THREE_WEIGHTS, q,
    )  # fmt: skip
    field = np.array([[reference.triangle_field(c, p) for c in corners] for p in points]) / (4.0 * math.pi)
    field[:2, 7:] = 0.0
    # Beyond 5 radii three points of degree 2 stand for the triangle: measured, off by 2.5e-4 of its field or less.
    bound = 5e-4 * np.einsum("rt,pt->rp", np.abs(q), np.linalg.norm(field, axis=2))
    assert (np.linalg.norm(out - np.einsum("rt,ptd->rpd", q, field), axis=2) <= bound).all()
