"""Products and fields of a charge layer against direct sums over all triangles."""

import math

import numba
import numpy as np
import pytest

import meshes
from efield.bem.layer import ChargeLayer, degree_for
from efield.bem.operator import _merged
from tests import reference

TOLERANCES = [1e-2, 1e-3, 1e-4]

LEAF = 32
"""Triangles in a leaf: few, so that 640 of them have a far part."""

# Error of the far part of products over the tolerance: measured 0.73, 0.71 and 0.66 for the tolerances above.
ALLOWED = 1.0

# The near part's quadrature: measured 9e-4 for random charges, where neighbours' errors do not cancel, and 1.2e-4 for
# smooth ones. Its entries do not depend on the tolerance.
NEAR_RANDOM = 2e-3
NEAR_SMOOTH = 3e-4

# Error of the field at points over the tolerance, and where only triangles of adjacent cells matter. The gradient of an
# expansion converges later than its value: measured up to 4.8 times the tolerance (at 300 mm, where the fields of
# charges of either sign cancel), and 7e-5 from three points per triangle beyond 5 radii.
FIELD = 10.0
FIELD_FLOOR = 2e-4

# Error of the potential at points over the tolerance, measured up to 0.34 at 300 mm and 0.2 elsewhere, and its floor,
# measured 1e-5, from three points per triangle beyond 5 radii.
POTENTIAL = 0.6
POTENTIAL_FLOOR = 3e-5

# Scatter of the potential inside a sphere of 320 triangles with uniform charge: measured 9e-5, of 1280 2e-5.
UNIFORM = 2e-4


@pytest.fixture(scope="module")
def surface():
    """Two spheres of 320 triangles, 6 mm apart with edges of 20 mm: a thin skull on a coarse mesh."""
    head = meshes.sphere_head([90.0, 84.0], [0.465, 0.01], subdivisions=2)
    return _merged([interface.surface for interface in head.interfaces])


@pytest.fixture(scope="module")
def dense(surface):
    return reference.dense_matrix(surface.corners)


@pytest.fixture(scope="module")
def layers(surface):
    return {tolerance: ChargeLayer(surface, tolerance=tolerance, leaf_size=LEAF) for tolerance in TOLERANCES}


@pytest.fixture(scope="module")
def charge(surface):
    """Two random columns and a smooth one, as a coil makes it."""
    random = np.random.default_rng(1).normal(size=(len(surface.triangles), 2))
    return np.column_stack([random, np.exp(surface.centroids[:, 2] / 20.0)])


def errors(value, exact, scale=None):
    """Relative 2-norm error of each column."""
    return np.linalg.norm(value - exact, axis=0) / np.linalg.norm(exact if scale is None else scale, axis=0)


def far_mask(layer):
    """Which entries of the matrix go through expansions."""
    tree, near = layer.tree, layer._near
    mask = np.ones((layer.n_triangles, layer.n_triangles), dtype=bool)
    for t, s in zip(near.targets, near.sources, strict=True):
        rows, columns = tree.order[tree.start[t] : tree.end[t]], tree.order[tree.start[s] : tree.end[s]]
        mask[np.ix_(rows, columns)] = False
    return mask


@pytest.mark.parametrize("tolerance", TOLERANCES)
def test_the_far_part_is_as_accurate_as_asked(surface, dense, charge, tolerance):
    """Charge through expansions alone, against the direct sum over the same pairs, relative to the whole product."""
    layer = ChargeLayer(surface, tolerance=tolerance, leaf_size=LEAF)
    mask = far_mask(layer)
    assert 0.5 < mask.mean() < 1.0, "both parts are at work"
    layer._near_entries[:] = 0.0
    far = dense * mask
    assert errors(layer.normal_field(charge), far @ charge, dense @ charge).max() < ALLOWED * tolerance
    transposed = errors(layer.normal_field_transposed(charge), far.T @ charge, dense.T @ charge)
    assert transposed.max() < ALLOWED * tolerance


def test_the_near_part_is_accurate(surface, dense, charge):
    layer = ChargeLayer(surface, tolerance=1e-2, leaf_size=LEAF)
    mask = far_mask(layer)
    layer._charge_rows[:] = 0.0
    error = errors(layer.normal_field(charge), (dense * ~mask) @ charge, dense @ charge)
    assert error[:2].max() < NEAR_RANDOM
    assert error[2] < NEAR_SMOOTH


@pytest.mark.parametrize("tolerance", TOLERANCES)
def test_products_and_transposes_against_the_dense_matrix(layers, dense, charge, tolerance):
    layer = layers[tolerance]
    limit = np.array([NEAR_RANDOM, NEAR_RANDOM, NEAR_SMOOTH]) + ALLOWED * tolerance
    assert (errors(layer.normal_field(charge), dense @ charge) < limit).all()
    assert (errors(layer.normal_field_transposed(charge), dense.T @ charge) < NEAR_RANDOM + ALLOWED * tolerance).all()


@pytest.mark.parametrize("product", ["normal_field", "normal_field_transposed"])
def test_a_product_may_be_less_accurate_than_the_layer(layers, dense, charge, product):
    """The fewer coefficients the less accurate, but as accurate as asked; never more than the layer has."""
    layer, matrix = layers[min(TOLERANCES)], dense if product == "normal_field" else dense.T
    apply = getattr(layer, product)
    full = apply(charge)
    np.testing.assert_array_equal(apply(charge, tolerance=1e-9), full)
    changes = [errors(apply(charge, tolerance=t), full, matrix @ charge).max() for t in (1e-3, 1e-2)]
    assert 0.0 < changes[0] < changes[1] < ALLOWED * 1e-2
    assert changes[0] < ALLOWED * 1e-3


@pytest.mark.parametrize("tolerance", TOLERANCES)
def test_the_transpose_is_exact(layers, tolerance):
    """g . K q = K^T g . q to single precision, whatever the accuracy of K."""
    layer, rng = layers[tolerance], np.random.default_rng(2)
    q, g = rng.normal(size=(2, layer.n_triangles, 5))
    kq, kg = layer.normal_field(q), layer.normal_field_transposed(g)
    difference = np.abs((g * kq).sum(axis=0) - (kg * q).sum(axis=0))
    assert (difference <= 1e-6 * np.linalg.norm(g, axis=0) * np.linalg.norm(kq, axis=0)).all()


@pytest.mark.parametrize("product", ["normal_field", "normal_field_transposed"])
def test_right_hand_sides_do_not_touch_each_other(layers, charge, product):
    apply = getattr(layers[1e-3], product)
    together = apply(charge)
    for column in range(3):
        alone = apply(charge[:, column : column + 1])[:, 0]
        # single precision: the order of some sums may depend on the number of columns
        np.testing.assert_allclose(together[:, column], alone, rtol=0, atol=1e-6 * np.abs(alone).max())


def test_products_are_linear(layers, charge):
    layer = layers[1e-3]
    single = layer.normal_field(charge)
    np.testing.assert_array_equal(layer.normal_field(4.0 * charge), 4.0 * single)  # exact: a power of two
    mixed = layer.normal_field(charge @ np.array([[1.0], [-2.0], [0.5]]))
    expected = single @ np.array([[1.0], [-2.0], [0.5]])
    np.testing.assert_allclose(mixed, expected, rtol=0, atol=2e-6 * np.abs(expected).max())


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="needs two threads")
def test_the_same_bits_for_any_number_of_threads(layers, charge):
    layer, points = layers[1e-3], 80.0 * np.random.default_rng(3).normal(size=(200, 3))
    before, results = numba.get_num_threads(), []
    try:
        for threads in (1, 2):
            numba.set_num_threads(threads)
            results.append(
                (
                    layer.normal_field(charge),
                    layer.normal_field_transposed(charge),
                    layer.field(points, charge),
                    layer.potential(points, charge),
                )
            )
    finally:
        numba.set_num_threads(before)
    for one, two in zip(*results, strict=True):
        np.testing.assert_array_equal(one, two)


def directions(count):
    rng = np.random.default_rng(4)
    vectors = rng.normal(size=(count, 3))
    return vectors / np.linalg.norm(vectors, axis=1)[:, None]


def direct_field(surface, points, charge):
    return np.einsum("ptd,tr->pdr", reference.panel_fields(surface.corners, points), charge) / (4.0 * math.pi)


@pytest.mark.parametrize("radius", [30.0, 80.0, 87.0, 91.0, 120.0, 300.0])
def test_the_field_at_points(layers, surface, charge, radius):
    """Deep inside, in the thin layer, just outside and far off: relative to the field there, per column."""
    points = radius * directions(150)
    exact = direct_field(surface, points, charge)
    for tolerance, layer in layers.items():
        value = layer.field(points, charge)
        assert value.shape == (150, 3, 3)
        error = np.linalg.norm(value - exact, axis=(0, 1)) / np.linalg.norm(exact, axis=(0, 1))
        assert error.max() < FIELD * tolerance + FIELD_FLOOR


def off_the_surface(surface, radius):
    """Points all around and many together, whose leaves are small; not too near a triangle for Gauss points."""
    around, together = directions(60), directions(120) + np.array([0.0, 3.0, 6.0])
    points = radius * np.concatenate([around, together / np.linalg.norm(together, axis=1)[:, None]])
    gap = np.linalg.norm(points[:, None] - surface.vertices, axis=2).min(axis=1)
    return points[gap > 4.0]


@pytest.mark.parametrize("radius", [30.0, 80.0, 94.0, 120.0, 300.0])
def test_the_potential_at_points(layers, surface, charge, radius):
    """Deep inside, near the surface and far off: relative to the potential there, per column."""
    points = off_the_surface(surface, radius)
    assert len(points) > 100
    exact = reference.panel_potentials(surface.corners, points) @ charge / (4.0 * math.pi)
    for tolerance, layer in layers.items():
        value = layer.potential(points, charge)
        assert value.shape == (len(points), 3)
        assert errors(value, exact).max() < POTENTIAL * tolerance + POTENTIAL_FLOOR


def test_the_field_is_minus_the_gradient_of_the_potential(layers, charge):
    """Across leaves, where the expansions change: the line integral of the field is the fall of the potential."""
    layer = layers[1e-4]
    nodes, weights = np.polynomial.legendre.leggauss(40)
    for start, end in [((0.0, 0.0, 20.0), (10.0, 40.0, 60.0)), ((60.0, -80.0, 60.0), (150.0, 40.0, -90.0))]:
        a, b = np.array(start), np.array(end)
        field = layer.field(a + 0.5 * (1.0 + nodes)[:, None] * (b - a), charge)
        work = 0.5 * np.einsum("p,pdr,d->r", weights, field, b - a)
        before, after = layer.potential(np.stack([a, b]), charge)
        scale = np.abs(before) + np.abs(after)
        assert (np.abs(before - after - work) < 1e-4 * scale).all()  # measured 2e-5


def test_a_uniform_closed_surface_has_a_constant_potential_inside():
    """q R on a sphere of radius R: the potential inside; outside that of its whole charge."""
    previous = None
    for subdivisions in (2, 3):
        sphere = meshes.icosphere(subdivisions, radius=90.0)
        layer = ChargeLayer(sphere, tolerance=1e-4, leaf_size=LEAF)
        inside = layer.potential(60.0 * directions(100), np.ones((layer.n_triangles, 1)))[:, 0]
        outside = layer.potential(150.0 * directions(100), np.ones((layer.n_triangles, 1)))[:, 0]
        # Not q R alone: the flat triangles have a smaller area and a smaller radius.
        assert np.ptp(inside) < UNIFORM * np.abs(inside).mean()
        np.testing.assert_allclose(outside, sphere.areas.sum() / (4.0 * math.pi * 150.0), rtol=UNIFORM)
        error = abs(inside.mean() / 90.0 - 1.0)
        assert previous is None or error < previous / 3.5  # second order: measured 4.0
        previous = error
    assert previous is not None
    assert previous < 0.01


@pytest.mark.parametrize("kind", ["field", "potential"])
def test_no_points_no_values(layers, charge, kind):
    assert getattr(layers[1e-2], kind)(np.zeros((0, 3)), charge).shape == ((0, 3, 3) if kind == "field" else (0, 3))


def test_the_field_at_the_surface_jumps_by_the_charge(layers, surface, charge):
    """Just outside minus just inside is q n; on the triangle itself the mean of both; all else is continuous."""
    layer, chosen = layers[1e-4], np.arange(0, 640, 7)
    where, normals = surface.centroids[chosen], surface.normals[chosen]
    step = 1e-7
    outside, on, inside = (layer.field(where + s * step * normals, charge) for s in (1.0, 0.0, -1.0))
    jump = charge[chosen, None, :] * normals[:, :, None]
    # Tangential fields change over the step by about step / edge = 1e-8 of themselves.
    np.testing.assert_allclose(outside - inside, jump, atol=1e-6 * np.abs(charge).max())
    np.testing.assert_allclose(0.5 * (outside + inside), on, atol=1e-6 * np.abs(charge).max())


def test_the_normal_field_is_the_mean_of_the_field(layers, surface, charge):
    """K q is the mean of n . E over each triangle: two routines, one answer."""
    layer = layers[1e-4]
    barycentric, weights = reference.triangle_rule(8)
    chosen = np.arange(0, 640, 31)
    points = np.einsum("qv,nvd->nqd", barycentric, surface.corners[chosen])
    field = layer.field(points.reshape(-1, 3), charge).reshape(*points.shape, 3)
    mean = np.einsum("q,nd,nqdr->nr", weights, surface.normals[chosen], field)
    product = layer.normal_field(charge)
    # The normal field has logarithmic peaks at edges, which 64 points integrate to about 1e-3.
    assert errors(mean, product[chosen], product[chosen]).max() < 5e-3


def test_points_share_a_lattice_with_the_triangles(layers, charge):
    """Points in one place, on top of each other, alone, or none at all."""
    layer = layers[1e-3]
    one = layer.field(np.array([[10.0, 20.0, 30.0]]), charge)
    many = layer.field(np.tile([[10.0, 20.0, 30.0]], (100, 1)), charge)
    # All hundred share one finest cell, for which other expansions count than for the single point.
    np.testing.assert_allclose(many, np.repeat(one, 100, axis=0), atol=5e-3 * np.abs(one).max())
    assert (many == many[0]).all()


def test_degrees_rise_with_the_accuracy():
    degrees = [degree_for(tolerance) for tolerance in (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)]
    assert degrees == sorted(degrees)
    assert degrees[0] >= 3
    assert degrees[1] < degrees[3] < degrees[5]


def test_memory_is_counted(layers):
    layer = layers[1e-2]
    assert layer.nbytes > layer._near_entries.nbytes + layer._charge_rows.nbytes + layer._normal_rows.nbytes


def test_a_large_triangle_among_small_ones(charge):
    """One coarse sphere inside a fine one: large triangles stay in coarse leaves, and products stay accurate."""
    fine = meshes.icosphere(2, radius=90.0)
    coarse = meshes.icosphere(0, radius=60.0)
    surface = _merged([fine, coarse])
    dense = reference.dense_matrix(surface.corners)
    layer = ChargeLayer(surface, tolerance=1e-3, leaf_size=8)
    q = np.concatenate([charge[:320], charge[:20]])
    error = errors(layer.normal_field(q), dense @ q)
    # neighbours on an icosahedron meet at 138 degrees: measured 4.1e-3
    assert (error < 6e-3).all()
