"""Products with the stored near part and with its transpose.

Notes
-----
All entries of a target leaf form one strip: a row-major matrix with a row per triangle of the leaf and a column per
triangle of all its near leaves, pair after pair. Long rows keep vector registers busy; rows and right-hand sides are
taken four by four, so that every number that is loaded is used four times. Sums run over at most `CHUNK` columns in
single precision, then in double.
"""

from __future__ import annotations

import numpy as np
from numba import prange
from numpy.typing import NDArray

from efield._jit import inline, kernel

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]

CHUNK = 2048
"""Columns summed in single precision. Measured: longer runs waste less at their ends than they lose in the cache."""


@inline
def _four_rows(out: F64, r: int, i: int, rows: int, b0: F32, b1: F32, b2: F32, b3: F32, x: F32) -> None:
    """Add to out[r, i:i+4] (as far as there are rows) the products of four rows with x."""
    t0 = np.float32(0.0)
    t1 = np.float32(0.0)
    t2 = np.float32(0.0)
    t3 = np.float32(0.0)
    for j in range(x.shape[0]):
        t0 += b0[j] * x[j]
        t1 += b1[j] * x[j]
        t2 += b2[j] * x[j]
        t3 += b3[j] * x[j]
    out[r, i] += t0
    if i + 1 < rows:
        out[r, i + 1] += t1
    if i + 2 < rows:
        out[r, i + 2] += t2
    if i + 3 < rows:
        out[r, i + 3] += t3


@inline
def _four_rows_four_vectors(
    out: F64, r: int, i: int, rows: int, b0: F32, b1: F32, b2: F32, b3: F32, x: F32, y: F32, z: F32, w: F32
) -> None:
    """Add to out[r:r+4, i:i+4] (as far as there are rows) the products of four rows with four vectors."""
    t00 = np.float32(0.0)
    t01 = np.float32(0.0)
    t02 = np.float32(0.0)
    t03 = np.float32(0.0)
    t10 = np.float32(0.0)
    t11 = np.float32(0.0)
    t12 = np.float32(0.0)
    t13 = np.float32(0.0)
    t20 = np.float32(0.0)
    t21 = np.float32(0.0)
    t22 = np.float32(0.0)
    t23 = np.float32(0.0)
    t30 = np.float32(0.0)
    t31 = np.float32(0.0)
    t32 = np.float32(0.0)
    t33 = np.float32(0.0)
    for j in range(x.shape[0]):
        t00 += b0[j] * x[j]
        t01 += b0[j] * y[j]
        t02 += b0[j] * z[j]
        t03 += b0[j] * w[j]
        t10 += b1[j] * x[j]
        t11 += b1[j] * y[j]
        t12 += b1[j] * z[j]
        t13 += b1[j] * w[j]
        t20 += b2[j] * x[j]
        t21 += b2[j] * y[j]
        t22 += b2[j] * z[j]
        t23 += b2[j] * w[j]
        t30 += b3[j] * x[j]
        t31 += b3[j] * y[j]
        t32 += b3[j] * z[j]
        t33 += b3[j] * w[j]
    out[r, i] += t00
    out[r + 1, i] += t01
    out[r + 2, i] += t02
    out[r + 3, i] += t03
    if i + 1 < rows:
        out[r, i + 1] += t10
        out[r + 1, i + 1] += t11
        out[r + 2, i + 1] += t12
        out[r + 3, i + 1] += t13
    if i + 2 < rows:
        out[r, i + 2] += t20
        out[r + 1, i + 2] += t21
        out[r + 2, i + 2] += t22
        out[r + 3, i + 2] += t23
    if i + 3 < rows:
        out[r, i + 3] += t30
        out[r + 1, i + 3] += t31
        out[r + 2, i + 3] += t32
        out[r + 3, i + 3] += t33


@kernel
def near_product(
    out: F64,
    strips: F32,
    first_entry: I64,
    first_pair: I64,
    sources: I32,
    leaves: I32,
    start: I32,
    end: I32,
    q: F32,
) -> None:
    """Add the near part of K q to `out`.

    Parameters
    ----------
    out : ndarray, shape (n_rhs, n)
        Added to.
    strips : ndarray, shape (n_entries,)
        The strips of all target leaves, see the module's notes.
    first_entry : ndarray, shape (n_leaves + 1,)
        Where the strip of each leaf starts.
    first_pair : ndarray, shape (n_leaves + 1,)
        Pairs of leaf number l are first_pair[l]..first_pair[l+1].
    sources : ndarray, shape (n_pairs,)
        Source leaf of each pair.
    leaves, start, end : ndarray
        Cells that are leaves; triangles of each cell.
    q : ndarray, shape (n_rhs, n)
        Charge densities in tree order.
    """
    n_rhs = q.shape[0]
    for number in prange(leaves.shape[0]):
        t = leaves[number]
        rows = end[t] - start[t]
        columns = (first_entry[number + 1] - first_entry[number]) // rows
        strip = strips[first_entry[number] : first_entry[number + 1]].reshape((rows, columns))
        x = np.empty((n_rhs, columns), dtype=np.float32)
        for r in range(n_rhs):
            at = 0
            for pair in range(first_pair[number], first_pair[number + 1]):
                s = sources[pair]
                for j in range(start[s], end[s]):
                    x[r, at] = q[r, j]
                    at += 1
        mine = out[:, start[t] : end[t]]
        whole = n_rhs - n_rhs % 4
        for low in range(0, columns, CHUNK):
            high = min(low + CHUNK, columns)
            for i in range(0, rows, 4):
                # Beyond the last row the last one is taken again, and its product dropped.
                b0 = strip[i, low:high]
                b1 = strip[min(i + 1, rows - 1), low:high]
                b2 = strip[min(i + 2, rows - 1), low:high]
                b3 = strip[min(i + 3, rows - 1), low:high]
                for r in range(0, whole, 4):
                    _four_rows_four_vectors(
                        mine,
                        r,
                        i,
                        rows,
                        b0,
                        b1,
                        b2,
                        b3,
                        x[r, low:high],
                        x[r + 1, low:high],
                        x[r + 2, low:high],
                        x[r + 3, low:high],
                    )
                for r in range(whole, n_rhs):
                    _four_rows(mine, r, i, rows, b0, b1, b2, b3, x[r, low:high])


@inline
def _add_rows(
    out: F32,
    b0: F32,
    b1: F32,
    b2: F32,
    b3: F32,
    a0: np.float32,
    a1: np.float32,
    a2: np.float32,
    a3: np.float32,
) -> None:
    """Add four rows, each times its factor, to `out`."""
    for j in range(out.shape[0]):
        out[j] += a0 * b0[j] + a1 * b1[j] + a2 * b2[j] + a3 * b3[j]


@kernel
def near_columns(
    out: F32, strips: F32, first_entry: I64, first_column: I64, leaves: I32, start: I32, end: I32, g: F32
) -> None:
    """Set `out` to the transpose of each target leaf's strip times that leaf's part of g.

    Parameters
    ----------
    out : ndarray, shape (n_rhs, n_columns)
        One number per column of each strip.
    first_column : ndarray, shape (n_leaves + 1,)
        Where the columns of each leaf's strip start in `out`.
    strips, first_entry, leaves, start, end
        As in `near_product`.
    g : ndarray, shape (n_rhs, n)
        Vectors in tree order.
    """
    zero = np.float32(0.0)
    for number in prange(leaves.shape[0]):
        t = leaves[number]
        rows = end[t] - start[t]
        columns = first_column[number + 1] - first_column[number]
        strip = strips[first_entry[number] : first_entry[number + 1]].reshape((rows, columns))
        for r in range(g.shape[0]):
            out[r, first_column[number] : first_column[number + 1]] = zero
        for low in range(0, columns, CHUNK):
            high = min(low + CHUNK, columns)
            for i in range(0, rows, 4):
                b0 = strip[i, low:high]
                b1 = strip[min(i + 1, rows - 1), low:high]
                b2 = strip[min(i + 2, rows - 1), low:high]
                b3 = strip[min(i + 3, rows - 1), low:high]
                for r in range(g.shape[0]):
                    a0 = g[r, start[t] + i]
                    a1 = g[r, start[t] + i + 1] if i + 1 < rows else zero
                    a2 = g[r, start[t] + i + 2] if i + 2 < rows else zero
                    a3 = g[r, start[t] + i + 3] if i + 3 < rows else zero
                    part = out[r, first_column[number] + low : first_column[number] + high]
                    _add_rows(part, b0, b1, b2, b3, a0, a1, a2, a3)


@kernel
def sum_columns(
    out: F64, columns: F32, first_pair: I64, order: I64, column: I64, leaves: I32, start: I32, end: I32
) -> None:
    """Add the columns that belong to each source leaf to `out`, always in the same order.

    Parameters
    ----------
    out : ndarray, shape (n_rhs, n)
        Added to.
    columns : ndarray, shape (n_rhs, n_columns)
        From `near_columns`.
    first_pair, order : ndarray, shape (n_leaves + 1,), (n_pairs,)
        Pairs whose source is leaf number l are order[first_pair[l]:first_pair[l+1]].
    column : ndarray, shape (n_pairs,)
        First column of each pair.
    leaves, start, end : ndarray
        The source leaves.
    """
    for number in prange(leaves.shape[0]):
        s = leaves[number]
        for at in range(first_pair[number], first_pair[number + 1]):
            first = column[order[at]]
            for r in range(out.shape[0]):
                for j in range(end[s] - start[s]):
                    out[r, start[s] + j] += columns[r, first + j]
