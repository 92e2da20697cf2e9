"""Products of long vectors against their twins; also run without JIT. Bits for any threads: test_determinism.py."""

import numpy as np
import pytest

from efield.kernels import reductions
from tests import reference

# Lengths around a tile and a chunk, none, and several chunks.
LENGTHS = [0, 1, reductions.TILE + 1, reductions.CHUNK - 1, reductions.CHUNK, 2 * reductions.CHUNK + 7]


@pytest.fixture(params=LENGTHS)
def length(request):
    return request.param


@pytest.mark.parametrize(("rows", "count"), [(1, 1), (4, 2), (5, 3), (6, 5)])
def test_products(length, rows, count):
    rng = np.random.default_rng(3)
    basis, vectors = rng.normal(size=(rows, length)), rng.normal(size=(count, length))
    out = np.full((rows, count), np.nan)
    reductions.products(out, basis, vectors)
    # What roundings of partial sums over a chunk can make of it.
    bound = 1e-15 * (np.abs(basis) @ np.abs(vectors).T) * np.sqrt(reductions.CHUNK) + 1e-300
    assert (np.abs(out - reference.products(basis, vectors)) <= bound).all()


@pytest.mark.parametrize(("rows", "count"), [(1, 1), (4, 2), (5, 3), (6, 1)])
def test_add_combinations(length, rows, count):
    rng = np.random.default_rng(4)
    basis, before = rng.normal(size=(rows, length)), rng.normal(size=(count, length))
    weights = rng.normal(size=(rows, count))
    out = before.copy()
    reductions.add_combinations(out, weights, basis)
    sizes = np.abs(before) + np.abs(weights).T @ np.abs(basis)
    assert (np.abs(out - before - reference.combinations(weights, basis).reshape(out.shape)) <= 2e-15 * sizes).all()


def test_no_rows_and_no_vectors():
    reductions.products(np.empty((0, 1)), np.empty((0, 9)), np.ones((1, 9)))
    reductions.products(np.empty((2, 0)), np.ones((2, 9)), np.empty((0, 9)))
    vectors = np.ones((1, 9))
    reductions.add_combinations(vectors, np.empty((0, 1)), np.empty((0, 9)))
    np.testing.assert_array_equal(vectors, np.ones((1, 9)))


def test_a_nan_is_not_hidden():
    basis = np.ones((2, 3 * reductions.CHUNK))
    basis[1, -1] = np.nan
    out = np.empty((2, 1))
    reductions.products(out, basis, np.ones((1, basis.shape[1])))
    assert out[0, 0] == basis.shape[1]
    assert np.isnan(out[1, 0])
