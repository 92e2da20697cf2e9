"""Sums over long vectors with the same bits for any number of threads.

Notes
-----
BLAS splits a long dot product among its threads, so its last bits follow their number (OpenBLAS: vectors of more than
10,000 entries). Here a vector is cut into chunks of fixed length, one parallel index owns the partial sums of a chunk,
and these are added in pairs, pairs of pairs and so on. The order depends on the length of the vectors alone.

A chunk of the vector stays in the nearest cache while the rows of the basis pass by, each read once.
"""

from __future__ import annotations

import numpy as np
from numba import prange
from numpy.typing import NDArray

from efield._jit import inline, kernel, serial

F64 = NDArray[np.float64]

CHUNK = 2048
"""Entries of a chunk: 16 kB, half of the nearest cache. Results depend on it in the last bits."""


# Helpers take views that begin at 0: an index that might be negative keeps numba from vectorising.
@inline
def _dot(first: F64, second: F64) -> float:
    total = 0.0
    for i in range(second.shape[0]):
        total += first[i] * second[i]
    return total


@inline
def _add(out: F64, weight: float, row: F64) -> None:
    for i in range(out.shape[0]):
        out[i] += weight * row[i]


@serial
def _add_in_pairs(partial: F64) -> None:
    """Sum over the first axis into its first row; the others are overwritten."""
    stride = 1
    while stride < partial.shape[0]:
        for c in range(0, partial.shape[0] - stride, 2 * stride):
            for k in range(partial.shape[1]):
                partial[c, k] += partial[c + stride, k]
        stride *= 2


@kernel
def dots(out: F64, basis: F64, vector: F64) -> None:
    """Fill `out` with basis[k] . vector for every row k.

    Parameters
    ----------
    out : ndarray, shape (m,)
        The products.
    basis : ndarray, shape (m, n)
        Rows.
    vector : ndarray, shape (n,)
        A vector, in one piece.
    """
    n = vector.shape[0]
    chunks = max((n + CHUNK - 1) // CHUNK, 1)
    partial = np.empty((chunks, basis.shape[0]))
    for c in prange(chunks):
        begin = c * CHUNK
        end = min(begin + CHUNK, n)
        for k in range(basis.shape[0]):
            partial[c, k] = _dot(basis[k, begin:end], vector[begin:end])
    _add_in_pairs(partial)
    for k in range(basis.shape[0]):
        out[k] = partial[0, k]


@kernel
def subtract(vector: F64, weights: F64, basis: F64) -> None:
    """Subtract weights @ basis from `vector`, in place.

    Parameters
    ----------
    vector : ndarray, shape (n,)
        Changed in place.
    weights : ndarray, shape (m,)
        Factors of the rows.
    basis : ndarray, shape (m, n)
        Rows.
    """
    n = vector.shape[0]
    for c in prange((n + CHUNK - 1) // CHUNK):
        begin = c * CHUNK
        end = min(begin + CHUNK, n)
        for k in range(basis.shape[0]):
            _add(vector[begin:end], -weights[k], basis[k, begin:end])


@kernel
def subtract_and_dots(out: F64, vector: F64, weights: F64, basis: F64) -> None:
    """Do `subtract`, then `dots` with what is left, with a single pass over the basis.

    Parameters
    ----------
    out : ndarray, shape (m,)
        Products of the rows with the vector that is left.
    vector, weights, basis : ndarray
        As in `subtract`.
    """
    n = vector.shape[0]
    chunks = max((n + CHUNK - 1) // CHUNK, 1)
    partial = np.empty((chunks, basis.shape[0]))
    for c in prange(chunks):
        begin = c * CHUNK
        end = min(begin + CHUNK, n)
        for k in range(basis.shape[0]):
            _add(vector[begin:end], -weights[k], basis[k, begin:end])
        for k in range(basis.shape[0]):
            partial[c, k] = _dot(basis[k, begin:end], vector[begin:end])
    _add_in_pairs(partial)
    for k in range(basis.shape[0]):
        out[k] = partial[0, k]


@kernel
def combine(out: F64, weights: F64, basis: F64) -> None:
    """Fill `out` with weights @ basis.

    Parameters
    ----------
    out : ndarray, shape (n,)
        The sum; overwritten.
    weights : ndarray, shape (m,)
        Factors of the rows.
    basis : ndarray, shape (m, n)
        Rows.
    """
    n = out.shape[0]
    for c in prange((n + CHUNK - 1) // CHUNK):
        begin = c * CHUNK
        end = min(begin + CHUNK, n)
        out[begin:end] = 0.0
        for k in range(basis.shape[0]):
            _add(out[begin:end], weights[k], basis[k, begin:end])
