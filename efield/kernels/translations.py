"""Move expansions through the tree: leaves to cells and back, children to parents, far cell to far cell.

Notes
-----
Every output row is owned by one parallel index and summed in a fixed order, so the answer has the same bits for
any number of threads.
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


@kernel
def leaves_to_cells(out: F32, rows: F32, leaves: I32, start: I32, end: I32, q: F32) -> None:
    """Sum q[:, t] * rows[t] over the triangles of each leaf into out[leaf].

    Parameters
    ----------
    out : ndarray, shape (n_cells, n_rhs, width)
        Coefficients; rows of leaves are overwritten.
    rows : ndarray, shape (n, full_width)
        Expansion rows in tree order, of which the first `width` entries count.
    leaves, start, end : ndarray
        The tree.
    q : ndarray, shape (n_rhs, n)
        Vectors in tree order.
    """
    width = out.shape[2]
    for number in prange(leaves.shape[0]):
        cell = leaves[number]
        for r in range(q.shape[0]):
            for k in range(width):
                out[cell, r, k] = 0.0
            for t in range(start[cell], end[cell]):
                value = q[r, t]
                for k in range(width):
                    out[cell, r, k] += value * rows[t, k]


@kernel
def cells_to_leaves(out: F64, rows: F32, leaves: I32, start: I32, end: I32, local: F32) -> None:
    """Add rows[t] . local[leaf] to out[:, t] for the triangles of each leaf (shapes as in `leaves_to_cells`)."""
    width = local.shape[2]
    for number in prange(leaves.shape[0]):
        cell = leaves[number]
        for t in range(start[cell], end[cell]):
            for r in range(out.shape[0]):
                total = np.float32(0.0)
                for k in range(width):
                    total += rows[t, k] * local[cell, r, k]
                out[r, t] += total


@inline
def _add_product(out: F32, matrix: F32, x: F32, count: int, width: int) -> None:
    """Add x @ matrix to the first `width` entries of `out`; the first `count` rows of the matrix, four at once."""
    for j in range(0, count, 4):
        a = x[j]
        b = x[j + 1]
        c = x[j + 2]
        d = x[j + 3]
        for i in range(width):
            out[i] += a * matrix[j, i] + b * matrix[j + 1, i] + c * matrix[j + 2, i] + d * matrix[j + 3, i]


@inline
def _add_four_products(
    out0: F32, out1: F32, out2: F32, out3: F32, matrix: F32, x0: F32, x1: F32, x2: F32, x3: F32, count: int, width: int
) -> None:
    """Do `_add_product` for four pairs of x and out, so that each row of the matrix is loaded once for all."""
    for j in range(0, count, 4):
        a0 = x0[j]
        b0 = x0[j + 1]
        c0 = x0[j + 2]
        d0 = x0[j + 3]
        a1 = x1[j]
        b1 = x1[j + 1]
        c1 = x1[j + 2]
        d1 = x1[j + 3]
        a2 = x2[j]
        b2 = x2[j + 1]
        c2 = x2[j + 2]
        d2 = x2[j + 3]
        a3 = x3[j]
        b3 = x3[j + 1]
        c3 = x3[j + 2]
        d3 = x3[j + 3]
        for i in range(width):
            p = matrix[j, i]
            q = matrix[j + 1, i]
            r = matrix[j + 2, i]
            s = matrix[j + 3, i]
            out0[i] += a0 * p + b0 * q + c0 * r + d0 * s
            out1[i] += a1 * p + b1 * q + c1 * r + d1 * s
            out2[i] += a2 * p + b2 * q + c2 * r + d2 * s
            out3[i] += a3 * p + b3 * q + c3 * r + d3 * s


@kernel
def children_to_parents(coefficients: F32, cells: I32, child: I32, children: I32, octant: I32, shift: F32) -> None:
    """Set each of `cells` to the sum over its children of coefficients[child] @ shift[octant].

    Parameters
    ----------
    coefficients : ndarray, shape (n_cells, n_rhs, width)
        Changed in place.
    cells : ndarray
        Parents of one generation.
    child, children, octant : ndarray, shape (n_cells,)
        First child, number of children, and which octant of its parent a cell is.
    shift : ndarray, shape (9, full_width, full_width)
        Translation from each octant (the last: none), transposed for products from the left.
    """
    width = coefficients.shape[2]
    for number in prange(cells.shape[0]):
        cell = cells[number]
        for r in range(coefficients.shape[1]):
            coefficients[cell, r, :] = 0.0
            for c in range(child[cell], child[cell] + children[cell]):
                matrix = shift[octant[c]]
                _add_product(coefficients[cell, r], matrix, coefficients[c, r], width, width)


@kernel
def parents_to_children(coefficients: F32, cells: I32, parent: I32, octant: I32, shift: F32) -> None:
    """Add coefficients[parent] @ shift[octant] to each of `cells` (arguments as in `children_to_parents`)."""
    width = coefficients.shape[2]
    for number in prange(cells.shape[0]):
        cell = cells[number]
        matrix = shift[octant[cell]]
        for r in range(coefficients.shape[1]):
            _add_product(coefficients[cell, r], matrix, coefficients[parent[cell], r], width, width)


@kernel
def far_to_far(
    out: F32,
    source: F32,
    matrices: F32,
    counts: I32,
    task_first: I64,
    key: I32,
    targets: I32,
    sources: I32,
) -> None:
    """Add source[s] @ matrices[key] to out[t] for every far pair.

    Parameters
    ----------
    out, source : ndarray, shape (n_cells, n_rhs, width)
        Local and multipole coefficients.
    matrices : ndarray, shape (n_keys, full_width, full_width)
        Translations; widths are multiples of 16, so that no rest is left beside whole vector registers.
    counts : ndarray, shape (n_keys,)
        Coefficients that count for each translation, at most `width`: the fewer, the farther.
    task_first : ndarray, shape (n_tasks + 1,)
        Pairs of each task, which owns all their targets. Inside a task pairs of one key follow each other, so
        that the matrix stays in the nearest cache.
    key, targets, sources : ndarray, shape (n_pairs,)
        Matrix and cells of each pair.
    """
    n_rhs = source.shape[1]
    for task in prange(task_first.shape[0] - 1):
        begin = task_first[task]
        last = task_first[task + 1]
        while begin < last:
            k = key[begin]
            stop = begin + 1
            while stop < last and key[stop] == k:
                stop += 1
            matrix = matrices[k]
            count = counts[k]
            width = (count + 15) // 16 * 16
            # Pairs of one key have different targets, so that four products can share each row of the matrix.
            items = (stop - begin) * n_rhs
            whole = items - items % 4
            for item in range(0, whole, 4):
                p0 = begin + item // n_rhs
                p1 = begin + (item + 1) // n_rhs
                p2 = begin + (item + 2) // n_rhs
                p3 = begin + (item + 3) // n_rhs
                r0 = item % n_rhs
                r1 = (item + 1) % n_rhs
                r2 = (item + 2) % n_rhs
                r3 = (item + 3) % n_rhs
                _add_four_products(
                    out[targets[p0], r0],
                    out[targets[p1], r1],
                    out[targets[p2], r2],
                    out[targets[p3], r3],
                    matrix,
                    source[sources[p0], r0],
                    source[sources[p1], r1],
                    source[sources[p2], r2],
                    source[sources[p3], r3],
                    count,
                    width,
                )
            for item in range(whole, items):
                pair = begin + item // n_rhs
                r = item % n_rhs
                _add_product(out[targets[pair], r], matrix, source[sources[pair], r], count, width)
            begin = stop
