"""Sums over long vectors against their twins, to the bit where the order is the whole point; also run without JIT."""

import numpy as np
import pytest

from efield.kernels import reductions
from tests import reference

# Lengths around a chunk, none, one and an odd number of them: every way for the pairs not to come out even.
LENGTHS = [0, 1, reductions.CHUNK - 1, reductions.CHUNK, reductions.CHUNK + 1, 5 * reductions.CHUNK + 7]


@pytest.fixture(params=LENGTHS)
def system(request):
    """Five rows of 1/n on the average and a vector, so that sums are of the size of their terms' mean."""
    rng = np.random.default_rng(3)
    return rng.normal(size=(5, request.param)), rng.normal(size=request.param), rng.normal(size=5)


def bound(basis, vector):
    """What n roundings of the terms can make of a dot product; pairwise chunks stay far below it."""
    return 1e-15 * (np.abs(basis) @ np.abs(vector)) * np.sqrt(reductions.CHUNK) + 1e-300


def test_dots(system):
    basis, vector, _ = system
    out = np.full(5, np.nan)
    reductions.dots(out, basis, vector)
    assert (np.abs(out - reference.dots(basis, vector, reductions.CHUNK)) <= bound(basis, vector)).all()


def test_no_rows_are_no_products():
    out = np.empty(0)
    vector = np.ones(9)
    reductions.dots(out, np.empty((0, 9)), vector)
    reductions.subtract(vector, out, np.empty((0, 9)))
    reductions.subtract_and_dots(out, vector, out, np.empty((0, 9)))
    np.testing.assert_array_equal(vector, np.ones(9))
    reductions.combine(vector, out, np.empty((0, 9)))
    np.testing.assert_array_equal(vector, np.zeros(9))


def test_subtract_and_combine(system):
    basis, vector, weights = system
    sizes = np.abs(vector) + np.abs(weights) @ np.abs(basis)
    left = vector.copy()
    reductions.subtract(left, weights, basis)
    assert (np.abs(left - (vector - reference.combine(weights, basis))) <= 1e-15 * sizes).all()
    out = np.full_like(vector, np.nan)
    reductions.combine(out, weights, basis)
    assert (np.abs(out - reference.combine(weights, basis)) <= 1e-15 * sizes).all()


def test_the_fused_pass_is_the_two_single_ones(system):
    """To rounding: the compiler may join the two loops in another order than it takes each alone."""
    basis, vector, weights = system
    left, one = vector.copy(), vector.copy()
    dots, single = np.full(5, np.nan), np.full(5, np.nan)
    reductions.subtract_and_dots(dots, left, weights, basis)
    reductions.subtract(one, weights, basis)
    reductions.dots(single, basis, one)
    np.testing.assert_array_equal(left, one)
    assert (np.abs(dots - single) <= bound(basis, one)).all()


@pytest.mark.parametrize(
    ("heads", "in_pairs"),
    [([1e16, -1e16, 1.0, 1.0], 2.0), ([1e16, 1.0, -1e16, 1.0], 0.0)],  # one by one: 2 and 1; halves across: 0 and 2
)
def test_chunks_are_added_in_pairs(heads, in_pairs):
    """1e16 swallows a 1 added to it alone: the order of the sum shows in the result."""
    basis = np.zeros((1, 4 * reductions.CHUNK))
    basis[0, :: reductions.CHUNK] = heads
    vector = np.ones(basis.shape[1])
    out = np.empty(1)
    reductions.dots(out, basis, vector)
    assert out[0] == reference.dots(basis, vector, reductions.CHUNK)[0] == in_pairs


def test_a_nan_is_not_hidden():
    basis = np.ones((2, 3 * reductions.CHUNK))
    basis[1, -1] = np.nan
    out = np.empty(2)
    reductions.dots(out, basis, np.ones(basis.shape[1]))
    assert out[0] == basis.shape[1]
    assert np.isnan(out[1])
