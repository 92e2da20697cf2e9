"""Solid harmonics and the translation of expansions: addition theorems, exactness, convergence."""

import itertools
import math

import numpy as np
import pytest

from efield.bem import expansions
from tests import reference

# Matrices are stored in single precision: eps = 6e-8, times terms of the order of one, summed over some hundred.
SINGLE = 2e-6


def real(harmonics, degree):
    """Real Schmidt harmonics from the unnormalised complex ones, m >= 0 cosines, m < 0 sines."""
    norm = expansions.normalisation(degree)
    out = np.empty(harmonics.shape)
    for n, m in reference.orders(degree):
        value = norm[n * (n + 1) // 2 + abs(m)] * harmonics[:, n * n + n + abs(m)]
        out[:, n * n + n + m] = value.imag if m < 0 else value.real
    return out


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def test_complex_regular_harmonics_are_the_schmidt_ones(rng):
    points = rng.normal(size=(6, 3))
    np.testing.assert_allclose(
        real(expansions.regular(points, 7), 7), reference.regular(points, 7), rtol=1e-10, atol=1e-11
    )


def test_complex_irregular_harmonics_are_the_schmidt_ones(rng):
    """Irregular ones are unnormalised the other way: (n - m)! Y_n^m r^(-n-1)."""
    points = rng.normal(size=(6, 3)) + np.array([2.0, 0.0, 0.0])
    degree = 7
    values = expansions.irregular(points, degree)
    out = np.empty(values.shape)
    for n, m in reference.orders(degree):
        a = abs(m)
        scale = math.sqrt(2.0 if m else 1.0) / math.sqrt(math.factorial(n - a) * math.factorial(n + a))
        value = scale * values[:, n * n + n + a]
        out[:, n * n + n + m] = value.imag if m < 0 else value.real
    np.testing.assert_allclose(out, reference.irregular(points, degree), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("ratio", [0.1, 0.4])
def test_the_two_kinds_sum_to_the_inverse_distance(rng, ratio):
    """1 / |x - y| = sum_k R_k(y) S_k(x), with a rest below ratio^(p+1) / (1 - ratio) of 1 / |x|."""
    x, y = rng.normal(size=(2, 8, 3))
    y *= ratio * np.linalg.norm(x, axis=1)[:, None] / np.linalg.norm(y, axis=1)[:, None]
    for degree in (3, 6, 12):
        total = np.einsum("pk,pk->p", reference.regular(y, degree), reference.irregular(x, degree))
        rest = np.abs(total - 1.0 / np.linalg.norm(x - y, axis=1)) * np.linalg.norm(x, axis=1)
        assert rest.max() <= ratio ** (degree + 1) / (1.0 - ratio) + 1e-14


def test_harmonics_have_no_source(rng):
    """The second differences of every harmonic sum to zero."""
    points, step, degree = rng.normal(size=(4, 3)), 1e-3, 5
    for function, at in ((expansions.regular, points), (expansions.irregular, points + np.array([2.0, 0.0, 0.0]))):
        centre = function(at, degree)
        around = sum(function(at + s * step * axis, degree) for axis in np.eye(3) for s in (-1, 1))
        # rounding over step^2, 1e-16 / 1e-6, times values of up to 9!; truncation step^2
        assert np.abs((around - 6.0 * centre) / step**2).max() < 1e-4 * np.abs(centre).max()


def test_the_change_to_real_harmonics_is_unitary():
    matrix = expansions._real_from_complex(6)
    np.testing.assert_allclose(matrix @ matrix.conj().T, np.eye(49), atol=1e-15)


def test_width_is_padded_to_sixteens_and_the_rest_is_zero():
    for degree in range(3, 10):
        width = (degree + 1) ** 2
        padded = expansions.padded_width(degree)
        assert padded % 16 == 0
        assert width <= padded < width + 16
        for matrix in (
            expansions.child_to_parent(degree)[:8],
            expansions.multipole_to_local(np.array([[4.0, 0.0, 2.0]]), np.ones(1), np.ones(1), degree),
        ):
            assert matrix.dtype == np.float32
            assert matrix.shape[1:] == (padded, padded)
            assert not matrix[:, width:].any()
            assert not matrix[:, :, width:].any()


@pytest.mark.parametrize("octant", range(8))
def test_moving_multipoles_to_the_parent_is_exact(rng, octant):
    """The parent's coefficients are those of its own points: sum q R((y - c) / s), about the parent's centre."""
    degree = 6
    width = (degree + 1) ** 2
    shift = np.array([1.0 if octant >> axis & 1 else -1.0 for axis in range(3)])
    child = rng.uniform(-1.0, 1.0, (9, 3))  # in half edges of the child, whose centre is at shift
    q = rng.normal(size=9)
    below = np.zeros(expansions.padded_width(degree))
    below[:width] = q @ reference.regular(child, degree)
    parent = expansions.child_to_parent(degree)[octant] @ below
    exact = q @ reference.regular((child + shift) / 2.0, degree)
    np.testing.assert_allclose(parent[:width], exact, atol=SINGLE * np.abs(exact).max())


@pytest.mark.parametrize("octant", range(8))
def test_moving_local_expansions_to_the_child_is_exact(rng, octant):
    """A polynomial of degree p stays the same polynomial."""
    degree = 6
    width = (degree + 1) ** 2
    shift = np.array([1.0 if octant >> axis & 1 else -1.0 for axis in range(3)])
    above = np.zeros(expansions.padded_width(degree))
    above[:width] = rng.normal(size=width)
    below = above @ expansions.child_to_parent(degree)[octant]
    points = rng.uniform(-1.0, 1.0, (5, 3))
    from_child = reference.regular(points, degree) @ below[:width]
    from_parent = reference.regular((points + shift) / 2.0, degree) @ above[:width]
    np.testing.assert_allclose(from_child, from_parent, atol=SINGLE * np.abs(above).sum())


def test_a_remainder_keeps_the_coefficients_of_its_parent():
    np.testing.assert_array_equal(expansions.child_to_parent(5)[8], np.eye(expansions.padded_width(5)))


def far_potential(offset, source_scale, target_scale, degree, y, q, x):
    """Potential at x of charges q at y through multipoles about 0 and a local expansion about `offset`."""
    width = (degree + 1) ** 2
    multipole = np.zeros(expansions.padded_width(degree))
    multipole[:width] = q @ reference.regular(y, degree)
    matrix = expansions.multipole_to_local(
        np.array([offset]), np.array([source_scale]), np.array([target_scale]), degree
    )[0]
    return reference.regular(x, degree) @ (multipole @ matrix)[:width]


@pytest.mark.parametrize(("source_scale", "target_scale"), [(1.0, 1.0), (2.0, 1.0), (1.0, 4.0)])
def test_multipole_to_local_converges_with_the_degree(rng, source_scale, target_scale):
    """Cells of any two sizes with a gap of the larger one's edge: the error falls by a factor for every degree."""
    larger = max(source_scale, target_scale)
    offset = np.array([source_scale + target_scale + 2.0 * larger, 0.5 * larger, -larger])
    y, x = rng.uniform(-1.0, 1.0, (2, 40, 3))  # in half edges
    q = rng.normal(size=40)
    distance = np.linalg.norm((offset + target_scale * x)[:, None] - source_scale * y, axis=2)
    exact = (q / distance).sum(axis=1)
    errors = [
        np.abs(far_potential(offset, source_scale, target_scale, degree, y, q, x) - exact).max()
        / (np.abs(q) / distance).sum(axis=1).max()
        for degree in (2, 4, 6, 8, 10)
    ]
    # Points in the corners are off by sqrt(3) half edges on either side of a distance of at least 4: rate
    # (sqrt(3) / (4 - sqrt(3)))^2 = 0.58 for two degrees in the worst case; random points do better.
    for coarse, fine in itertools.pairwise(errors):
        assert fine < 0.6 * coarse or fine < SINGLE
    assert errors[-1] < 2e-4


def test_multipole_to_local_of_one_charge_at_the_centre():
    """A charge at the source's centre: the local coefficients are the irregular harmonics at the distance."""
    degree, offset = 5, np.array([3.0, -4.0, 5.0])
    matrix = expansions.multipole_to_local(offset[None], np.ones(1), np.ones(1), degree)[0]
    exact = reference.irregular(-offset[None], degree)[0]  # 1/|offset + x| = sum R_k(x) S_k(-offset)
    np.testing.assert_allclose(matrix[0, :36], exact, rtol=SINGLE, atol=1e-9)
