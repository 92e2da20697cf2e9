"""Products with the stored near blocks and with their transpose."""

from __future__ import annotations

import numpy as np
from numba import prange
from numpy.typing import NDArray

from efield._jit import kernel

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]


@kernel
def near_product(
    out: F64, blocks: F32, offsets: I64, first: I64, order: I64, sources: I32, leaves: I32, start: I32, end: I32, q: F32
) -> None:
    """Add the near part of K q to `out`; leaf number l owns columns start..end of it.

    Parameters
    ----------
    out : ndarray, shape (n_rhs, n)
        Added to.
    blocks, offsets : ndarray
        The near blocks.
    first, order : ndarray, shape (n_leaves + 1,), (n_pairs,)
        Pairs of leaf number l are order[first[l]:first[l+1]].
    sources : ndarray, shape (n_pairs,)
        Source leaf of each pair.
    leaves, start, end : ndarray
        Cells that are leaves; triangles of each cell.
    q : ndarray, shape (n_rhs, n)
        Charge densities in tree order.
    """
    for number in prange(leaves.shape[0]):
        t = leaves[number]
        rows = end[t] - start[t]
        for at in range(first[number], first[number + 1]):
            pair = order[at]
            s = sources[pair]
            columns = end[s] - start[s]
            block = blocks[offsets[pair] : offsets[pair + 1]].reshape((rows, columns))
            whole = q.shape[0] - q.shape[0] % 4
            for r in range(0, whole, 4):
                # Four right-hand sides share each entry that is loaded.
                q0 = q[r, start[s] : end[s]]
                q1 = q[r + 1, start[s] : end[s]]
                q2 = q[r + 2, start[s] : end[s]]
                q3 = q[r + 3, start[s] : end[s]]
                for i in range(rows):
                    row = block[i]
                    total0 = np.float32(0.0)
                    total1 = np.float32(0.0)
                    total2 = np.float32(0.0)
                    total3 = np.float32(0.0)
                    for j in range(columns):
                        total0 += row[j] * q0[j]
                        total1 += row[j] * q1[j]
                        total2 += row[j] * q2[j]
                        total3 += row[j] * q3[j]
                    out[r, start[t] + i] += total0
                    out[r + 1, start[t] + i] += total1
                    out[r + 2, start[t] + i] += total2
                    out[r + 3, start[t] + i] += total3
            for r in range(whole, q.shape[0]):
                part = q[r, start[s] : end[s]]
                for i in range(rows):
                    total = np.float32(0.0)
                    for j in range(columns):
                        total += block[i, j] * part[j]
                    out[r, start[t] + i] += total


@kernel
def near_product_transposed(
    out: F64, blocks: F32, offsets: I64, first: I64, order: I64, targets: I32, leaves: I32, start: I32, end: I32, g: F32
) -> None:
    """Add the near part of K^T g to `out`; pairs are grouped by their source leaf here.

    Parameters
    ----------
    out, blocks, offsets, leaves, start, end
        As in `near_product`.
    first, order : ndarray
        Pairs whose source is leaf number l are order[first[l]:first[l+1]].
    targets : ndarray, shape (n_pairs,)
        Target leaf of each pair.
    g : ndarray, shape (n_rhs, n)
        Vectors in tree order.
    """
    for number in prange(leaves.shape[0]):
        s = leaves[number]
        columns = end[s] - start[s]
        part = np.empty(columns, dtype=np.float32)
        for r in range(g.shape[0]):
            for j in range(columns):
                part[j] = 0.0
            for at in range(first[number], first[number + 1]):
                pair = order[at]
                t = targets[pair]
                rows = end[t] - start[t]
                block = blocks[offsets[pair] : offsets[pair + 1]].reshape((rows, columns))
                for i in range(rows):
                    value = g[r, start[t] + i]
                    for j in range(columns):
                        part[j] += block[i, j] * value
            for j in range(columns):
                out[r, start[s] + j] += part[j]
