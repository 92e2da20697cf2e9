"""Every compiled kernel against its slow twin in tests/reference.py; also run with NUMBA_DISABLE_JIT=1."""

import math

import numpy as np
import pytest

from efield.bem import quadrature
from efield.bem.expansions import normalisation, padded_width
from efield.bem.octree import STAYS, Lattice, Octree
from efield.kernels import (
    dipoles,
    functionals,
    near,
    near_products,
    octree,
    panels,
    placement,
    solid_harmonics,
    translations,
)
from tests import reference

# Re-association and fused multiply-adds move a sum of a few hundred terms by some units in the last place.
ROUNDING = 1e-12
# Entries and coefficients are stored in single precision, eps = 6e-8, and summed over some ten of them.
SINGLE = 1e-6


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def random_triangles(rng, count, *, size=1.0, spread=4.0):
    return rng.uniform(-spread, spread, (count, 1, 3)) + size * rng.normal(size=(count, 3, 3))


def octahedron():
    """A closed surface of eight triangles, outward."""
    axes = np.eye(3)
    faces = []
    for signs in np.array(np.meshgrid([-1.0, 1.0], [-1.0, 1.0], [-1.0, 1.0])).reshape(3, -1).T:
        a, b, c = signs[:, None] * axes
        faces.append([a, b, c] if signs.prod() > 0.0 else [a, c, b])
    return np.array(faces)


def scaled(values):
    """Absolute tolerance scale: the greatest magnitude."""
    return float(np.abs(values).max())


# ---------------------------------------------------------------------------------------------------- dipoles


def test_dipole_potential(rng):
    points, positions = rng.uniform(-1.0, 1.0, (7, 3)), rng.uniform(2.0, 3.0, (5, 3))
    moments = rng.normal(size=(5, 3))
    out = np.full_like(points, np.nan)
    dipoles.dipole_potential(out, points, positions, moments)
    np.testing.assert_allclose(out, reference.dipole_potential(points, positions, moments), rtol=ROUNDING)


def test_dipole_potential_at_a_dipole_is_not_finite():
    out, points = np.zeros((1, 3)), np.array([[1.0, 2.0, 3.0]])
    with np.errstate(all="ignore"):  # without JIT numpy warns
        dipoles.dipole_potential(out, points, points, np.ones((1, 3)))
    assert not np.isfinite(out).any()


# ----------------------------------------------------------------------------------------------------- panels


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


def test_mean_field_of_triangles(rng):
    corners = random_triangles(rng, 4)
    normals = reference.geometry(corners)[0]
    points, weights = rng.uniform(6.0, 9.0, (3, 3)), np.array([0.5, 0.2, 0.3])
    out = np.full((4, 3), np.nan)
    functionals.mean_field_of_triangles(out, points, weights, corners, normals)
    expected = [sum(w * reference.triangle_field(c, p) for w, p in zip(weights, points, strict=True)) for c in corners]
    np.testing.assert_allclose(out, np.array(expected) / (4.0 * math.pi), rtol=1e-9)


# -------------------------------------------------------------------------------------------------- harmonics


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
    solid_harmonics.local_field_at_points(
        out, points, cell, local, centres, half_sizes, degree, normalisation(degree)
    )
    expected = reference.local_field(points, cell, local[:, :, :25], centres, half_sizes, degree)
    np.testing.assert_allclose(out, before + expected, atol=SINGLE * scaled(expected))


# ----------------------------------------------------------------------------------------------- translations


@pytest.fixture
def tree():
    """Forty random points in cells of at most five: several generations, some cells with few children."""
    points = np.random.default_rng(5).normal(size=(40, 3))
    return Octree.build(points, Lattice.around(points), 5)


def test_leaves_to_cells_and_back(tree, rng):
    rows, q = rng.normal(size=(40, 8)).astype(np.float32), rng.normal(size=(2, 40)).astype(np.float32)
    cells = np.full((len(tree.level), 2, 8), np.nan, dtype=np.float32)
    translations.leaves_to_cells(cells, rows, tree.leaves, tree.start, tree.end, q)
    out = np.zeros((2, 40))
    local = np.nan_to_num(cells)
    translations.cells_to_leaves(out, rows, tree.leaves, tree.start, tree.end, local)
    for leaf in tree.leaves:
        part = slice(tree.start[leaf], tree.end[leaf])
        np.testing.assert_allclose(cells[leaf], q[:, part] @ rows[part], atol=10 * SINGLE)
        np.testing.assert_allclose(out[:, part], local[leaf] @ rows[part].T, atol=100 * SINGLE)
    inner = np.setdiff1d(np.arange(len(tree.level)), tree.leaves)
    assert np.isnan(cells[inner]).all(), "cells that are not leaves are left alone"


def test_children_to_parents_and_back(tree, rng):
    shift = rng.normal(size=(9, 8, 8)).astype(np.float32)
    before = rng.normal(size=(len(tree.level), 2, 8)).astype(np.float32)
    parents = np.flatnonzero(tree.children > 0).astype(np.int32)
    parents = np.array([p for p in parents if not (tree.children[tree.child[p] :][: tree.children[p]] > 0).any()])
    out = before.copy()
    translations.children_to_parents(out, parents, tree.child, tree.children, tree.octant, shift)
    expected = before.copy()
    for p in parents:
        children = range(tree.child[p], tree.child[p] + tree.children[p])
        expected[p] = sum(before[c] @ shift[tree.octant[c]] for c in children)
    np.testing.assert_allclose(out, expected, atol=50 * SINGLE)

    cells = tree.generations[1]
    out = before.copy()
    translations.parents_to_children(out, cells, tree.parent, tree.octant, shift)
    expected = before.copy()
    for c in cells:
        expected[c] += before[tree.parent[c]] @ shift[tree.octant[c]]
    np.testing.assert_allclose(out, expected, atol=50 * SINGLE)


def test_far_to_far(rng):
    matrices = rng.normal(size=(3, 8, 8)).astype(np.float32)
    widths = np.array([8, 4, 8], dtype=np.int32)
    source = rng.normal(size=(5, 2, 8)).astype(np.float32)
    before = rng.normal(size=(4, 2, 8)).astype(np.float32)
    # Tasks own their targets: 0 and 1, nothing, 2 and 3.
    task_first = np.array([0, 3, 3, 6])
    key = np.array([0, 1, 1, 2, 2, 0], dtype=np.int32)
    targets = np.array([0, 0, 1, 2, 3, 3], dtype=np.int32)
    sources = np.array([4, 1, 2, 0, 0, 3], dtype=np.int32)
    out = before.copy()
    translations.far_to_far(out, source, matrices, widths, task_first, key, targets, sources)
    expected = before.copy()
    for k, t, s in zip(key, targets, sources, strict=True):
        w = widths[k]
        expected[t, :, :w] += source[s, :, :w] @ matrices[k, :w, :w]
    np.testing.assert_allclose(out, expected, atol=50 * SINGLE)


# --------------------------------------------------------------------------------------------------- octrees


def lists(target, source):
    far_t, far_s, near_t, near_s = octree.interaction_lists(
        target.level, target.index, target.child, target.children, target.n_roots,
        source.level, source.index, source.child, source.children, source.n_roots,
    )  # fmt: skip
    assert len(set(zip(far_t, far_s, strict=True))) == len(far_t), "no far pair twice"
    assert len(set(zip(near_t, near_s, strict=True))) == len(near_t), "no near pair twice"
    return set(zip(far_t.tolist(), far_s.tolist(), strict=True)), set(
        zip(near_t.tolist(), near_s.tolist(), strict=True)
    )


def test_interaction_lists(tree, rng):
    """One tree with itself, and with another that reaches beyond its lattice and has large objects."""
    assert lists(tree, tree) == reference.interaction_lists(tree, tree)
    points = 1.5 * rng.normal(size=(80, 3))
    other = Octree.build(points, tree.lattice, 3, rng.choice([0.01, 0.8], 80, p=[0.9, 0.1]))
    assert other.n_roots > 1
    assert STAYS in other.octant
    assert lists(tree, other) == reference.interaction_lists(tree, other)
    assert lists(other, tree) == reference.interaction_lists(other, tree)
    assert all(len(part) > 100 for part in lists(tree, other)), "the case is not empty"


# -------------------------------------------------------------------------------------------------- placement


def random_rotations(rng, count):
    rotations = np.linalg.qr(rng.normal(size=(count, 3, 3)))[0]
    return np.ascontiguousarray(rotations * np.sign(np.linalg.det(rotations))[:, None, None])


def test_stand_off(rng):
    rotations, origins = random_rotations(rng, 4), rng.normal(size=(4, 3))
    scalp, height = 3.0 * rng.normal(size=(60, 3)), rng.normal(size=(5, 4))
    height[0, 0] = -np.inf
    corner = np.array([-4.0, -3.0])
    out = np.full(4, np.nan)
    placement.stand_off(out, rotations, origins, scalp, height, corner, 1.5)
    np.testing.assert_allclose(out, reference.stand_off(rotations, origins, scalp, height, corner, 1.5), rtol=ROUNDING)


@pytest.fixture
def poses(rng):
    """Three poses, four dipoles; the table's nodes cover all of them with room to spare."""
    return random_rotations(rng, 3), rng.uniform(-1.0, 1.0, (3, 3)), rng.normal(size=(4, 3)), rng.normal(size=(4, 3))


def test_functional_of_poses(poses, rng):
    table = rng.normal(size=(16, 16, 16, 2, 3)).astype(np.float32)
    corner = np.full(3, -8.0)
    out = np.full((3, 2), np.nan)
    placement.functional_of_poses(out, *poses, table, corner, 1.1)
    np.testing.assert_allclose(out, reference.functional_of_poses(*poses, table, corner, 1.1), rtol=1e-10, atol=1e-12)


def test_functional_of_poses_is_exact_for_cubic_fields(poses, rng):
    corner, step = np.full(3, -8.0), 1.1
    coefficients = rng.normal(size=(4, 4, 4, 2, 3)) / 8.0 ** np.arange(4)[:, None, None, None, None]

    def field(points):
        scaled_points = points / 8.0
        powers = scaled_points[:, :, None] ** np.arange(4)
        return np.einsum("pi,pj,pk,ijkfd->pfd", powers[:, 0], powers[:, 1], powers[:, 2], coefficients)

    axis = corner[0] + step * np.arange(16)
    nodes = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    table = field(nodes).reshape(16, 16, 16, 2, 3).astype(np.float32)
    out = np.empty((3, 2))
    placement.functional_of_poses(out, *poses, table, corner, step)
    rotations, origins, positions, moments = poses
    exact = [
        np.einsum("sfd,sd->f", field(origin + positions @ rotation.T), moments @ rotation.T)
        for rotation, origin in zip(rotations, origins, strict=True)
    ]
    np.testing.assert_allclose(out, exact, atol=10 * SINGLE * scaled(table))  # the table is in single precision
