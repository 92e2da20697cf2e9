"""Products of sets of long vectors, with the same bits for any number of threads.

Notes
-----
BLAS splits a long dot product among its threads, so its last bits follow their number (OpenBLAS: vectors of more than
10,000 entries). Here vectors are cut into chunks of fixed length, one parallel index owns the partial sums of a chunk,
and these are added in a fixed order. The order depends on the length of the vectors alone.

Rows are taken four by four, so that each number that is loaded is used four times, in tiles that stay in the nearest
cache.
"""

from __future__ import annotations

import numpy as np
from numba import prange
from numpy.typing import NDArray

from efield._jit import inline, kernel

F64 = NDArray[np.float64]

TILE = 512
"""Entries of a tile: eight rows of them fill the nearest cache. Results depend on it in the last bits."""

CHUNK = 8 * TILE
"""Entries of a chunk, whose partial sums one parallel index owns."""


# Helpers take views that begin at 0: an index that might be negative keeps numba from vectorising.
@inline
def _add_four_dots(out: F64, c: int, k: int, rows: int, b0: F64, b1: F64, b2: F64, b3: F64, x: F64) -> None:
    """Add the products of x with four rows to out[k:k+4, c], as far as there are rows."""
    t0 = 0.0
    t1 = 0.0
    t2 = 0.0
    t3 = 0.0
    for i in range(x.shape[0]):
        t0 += b0[i] * x[i]
        t1 += b1[i] * x[i]
        t2 += b2[i] * x[i]
        t3 += b3[i] * x[i]
    out[k, c] += t0
    if k + 1 < rows:
        out[k + 1, c] += t1
    if k + 2 < rows:
        out[k + 2, c] += t2
    if k + 3 < rows:
        out[k + 3, c] += t3


@inline
def _add_eight_dots(out: F64, c: int, k: int, rows: int, b0: F64, b1: F64, b2: F64, b3: F64, x: F64, y: F64) -> None:
    """Add the products of x and y with four rows to out[k:k+4, c:c+2], as far as there are rows."""
    t0 = 0.0
    t1 = 0.0
    t2 = 0.0
    t3 = 0.0
    u0 = 0.0
    u1 = 0.0
    u2 = 0.0
    u3 = 0.0
    for i in range(x.shape[0]):
        t0 += b0[i] * x[i]
        t1 += b1[i] * x[i]
        t2 += b2[i] * x[i]
        t3 += b3[i] * x[i]
        u0 += b0[i] * y[i]
        u1 += b1[i] * y[i]
        u2 += b2[i] * y[i]
        u3 += b3[i] * y[i]
    out[k, c] += t0
    out[k, c + 1] += u0
    if k + 1 < rows:
        out[k + 1, c] += t1
        out[k + 1, c + 1] += u1
    if k + 2 < rows:
        out[k + 2, c] += t2
        out[k + 2, c + 1] += u2
    if k + 3 < rows:
        out[k + 3, c] += t3
        out[k + 3, c + 1] += u3


@kernel
def products(out: F64, basis: F64, vectors: F64) -> None:
    """Fill `out` with basis @ vectors.T.

    Parameters
    ----------
    out : ndarray, shape (m, k)
        The products.
    basis, vectors : ndarray, shape (m, n), (k, n)
        Rows, each in one piece.
    """
    rows = basis.shape[0]
    count = vectors.shape[0]
    n = vectors.shape[1]
    chunks = (n + CHUNK - 1) // CHUNK
    partial = np.zeros((chunks, rows, count))
    for chunk in prange(chunks):
        mine = partial[chunk]
        last = min((chunk + 1) * CHUNK, n)
        for low in range(chunk * CHUNK, last, TILE):
            high = min(low + TILE, last)
            for k in range(0, rows, 4):
                # Beyond the last row the last one is taken again, and its product dropped.
                b0 = basis[k, low:high]
                b1 = basis[min(k + 1, rows - 1), low:high]
                b2 = basis[min(k + 2, rows - 1), low:high]
                b3 = basis[min(k + 3, rows - 1), low:high]
                for c in range(0, count - 1, 2):
                    x = vectors[c, low:high]
                    _add_eight_dots(mine, c, k, rows, b0, b1, b2, b3, x, vectors[c + 1, low:high])
                if count % 2 == 1:
                    _add_four_dots(mine, count - 1, k, rows, b0, b1, b2, b3, vectors[count - 1, low:high])
    for k in prange(rows):
        for c in range(count):
            total = 0.0
            for chunk in range(chunks):
                total += partial[chunk, k, c]
            out[k, c] = total


@inline
def _add_four_rows(out: F64, b0: F64, b1: F64, b2: F64, b3: F64, w0: float, w1: float, w2: float, w3: float) -> None:
    """Add four rows, each times its weight, to `out`."""
    for i in range(out.shape[0]):
        out[i] += w0 * b0[i] + w1 * b1[i] + w2 * b2[i] + w3 * b3[i]


@kernel
def add_combinations(vectors: F64, weights: F64, basis: F64) -> None:
    """Add weights.T @ basis to `vectors`, in place.

    Parameters
    ----------
    vectors : ndarray, shape (k, n)
        Changed in place.
    weights : ndarray, shape (m, k)
        Factors of the rows.
    basis : ndarray, shape (m, n)
        Rows.
    """
    rows = basis.shape[0]
    n = vectors.shape[1]
    for tile in prange((n + TILE - 1) // TILE):
        low = tile * TILE
        high = min(low + TILE, n)
        for k in range(0, rows, 4):
            # Beyond the last row the last one is taken again, with a weight of zero.
            b0 = basis[k, low:high]
            b1 = basis[min(k + 1, rows - 1), low:high]
            b2 = basis[min(k + 2, rows - 1), low:high]
            b3 = basis[min(k + 3, rows - 1), low:high]
            for c in range(vectors.shape[0]):
                w1 = weights[k + 1, c] if k + 1 < rows else 0.0
                w2 = weights[k + 2, c] if k + 2 < rows else 0.0
                w3 = weights[k + 3, c] if k + 3 < rows else 0.0
                _add_four_rows(vectors[c, low:high], b0, b1, b2, b3, weights[k, c], w1, w2, w3)
