"""The near part of the matrix, its products and the field at near points, against the slow twins."""

import math

import numpy as np
import pytest

from efield.bem import quadrature
from efield.kernels import near, near_products, panels
from tests import reference
from tests.kernel_cases import SINGLE, octahedron, random_triangles, scaled


def near_matrix(corners):
    """The kernel's matrix of a few triangles, as one block."""
    n = len(corners)
    _, areas, centroids, radii = reference.geometry(corners)
    nodes = quadrature.points_on(corners, quadrature.SEVEN_POINTS).reshape(-1, 3).T
    out = np.full(n * n, np.nan, dtype=np.float32)
    cell, start, end = np.zeros(1, dtype=np.int32), np.zeros(1, dtype=np.int32), np.array([n], dtype=np.int32)
    near.near_blocks(
        out, np.array([0, n * n]), cell, cell, start, end, corners, centroids, areas, radii,
        np.ascontiguousarray(nodes), quadrature.SEVEN_POINTS, quadrature.SEVEN_WEIGHTS,
    )  # fmt: skip
    return out.reshape(n, n)


@pytest.mark.parametrize(
    ("offset", "tolerance"),
    [
        # About twice the measured error. Far off, single precision sets it; nearer, seven points on the source
        # triangle, which is cut into pieces of about the size of the gap when nearly touching.
        ((0.0, 0.0, 12.0), 1e-6),
        ((3.0, 1.0, 3.0), 1e-6),
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


def test_near_blocks(leaves):
    corners, start, end, _, targets, sources = leaves
    _, areas, centroids, radii = reference.geometry(corners)
    matrix = np.array([[reference.pair_entry(corners, i, j) for j in range(10)] for i in range(10)])
    expected, offsets = reference.blocks(matrix, targets, sources, start, end)
    out = np.full(len(expected), np.nan, dtype=np.float32)
    nodes = quadrature.points_on(corners, quadrature.SEVEN_POINTS).reshape(-1, 3).T
    near.near_blocks(
        out, offsets, targets, sources, start, end, corners, centroids, areas, radii,
        np.ascontiguousarray(nodes), quadrature.SEVEN_POINTS, quadrature.SEVEN_WEIGHTS,
    )  # fmt: skip
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


def test_near_product_and_its_transpose(leaves, rng):
    _, start, end, cells, targets, sources = leaves
    keep = np.array([0, 1, 3, 4, 5, 8])  # leaves 1 and 4 are not neighbours
    targets, sources = targets[keep], sources[keep]
    dense = rng.normal(size=(10, 10)).astype(np.float32)
    mask = np.zeros_like(dense)
    for t, s in zip(targets, sources, strict=True):
        mask[start[t] : end[t], start[s] : end[s]] = 1.0
    flat, offsets = reference.blocks(dense, targets, sources, start, end)
    q = rng.normal(size=(2, 10)).astype(np.float32)
    before = rng.normal(size=(2, 10))

    first, order = np.searchsorted(targets, [1, 2, 4, 5]), np.arange(6)
    out = before.copy()
    near_products.near_product(out, flat, offsets, first, order, sources, cells, start, end, q)
    np.testing.assert_allclose(out, before + q @ (dense * mask).T, atol=SINGLE * 10)

    order = np.lexsort((targets, sources))
    first = np.searchsorted(sources[order], [1, 2, 4, 5])
    out = before.copy()
    near_products.near_product_transposed(out, flat, offsets, first, order, targets, cells, start, end, q)
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
