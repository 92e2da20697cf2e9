"""Far and near pairs of two octrees, sorted into the order in which the kernels take them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from efield.bem.expansions import multipole_to_local
from efield.bem.octree import Octree
from efield.kernels.octree import interaction_lists
from efield.kernels.translations import far_to_far

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]

TASKS = 64
"""Independent runs of target cells; fixed, so that sums do not depend on the number of threads."""

_REACH = 1.3
"""Effective radius of a cell's content in half edges. Measured on the default head at degree 9: 1.0, 1.2, 1.3, 1.5 give
relative errors of a product of 3e-5, 5e-5, 6e-5, 2e-4, each cheaper than the one before."""


@dataclass(frozen=True, eq=False)
class FarPairs:
    """Cell pairs that see each other through expansions, and their translation matrices.

    Attributes
    ----------
    targets, sources, key : ndarray, shape (n_pairs,)
        Cells of each pair and the number of its matrix, sorted by task, then key.
    task_first : ndarray, shape (TASKS + 1,)
        Pairs of each task, which owns all its targets.
    matrices : ndarray, shape (n_keys, width, width)
        Translations of multipole coefficients already divided by the source's half edge.
    counts : ndarray, shape (n_keys,)
        Coefficients that count for each matrix; the entries of all others are zero.
    """

    targets: I32
    sources: I32
    key: I32
    task_first: I64
    matrices: F32
    counts: I32

    @classmethod
    def between(cls, target: Octree, source: Octree, targets: I32, sources: I32, degree: int) -> FarPairs:
        """Group pairs by relative geometry and make one matrix for each."""
        level_t, level_s = target.level[targets].astype(np.int64), source.level[sources].astype(np.int64)
        finest = np.maximum(level_t, level_s)
        up_t, up_s = finest - level_t, finest - level_s
        offset = (2 * target.index[targets] + 1 << up_t[:, None]) - (2 * source.index[sources] + 1 << up_s[:, None])
        bound = int(np.abs(offset).max(initial=0)) + 1
        code = (up_t * 32 + up_s) * (2 * bound) ** 3
        for axis in range(3):
            code = code + (offset[:, axis] + bound) * (2 * bound) ** axis
        _, first, key = np.unique(code, return_index=True, return_inverse=True)
        scale_s = np.exp2(up_s[first].astype(np.float64))
        scale_t = np.exp2(up_t[first].astype(np.float64))
        matrices = multipole_to_local(offset[first].astype(float), scale_s, scale_t, degree)
        matrices *= scale_s[:, None, None].astype(np.float32)
        # In units of half the edge of the larger cell; expansions converge as (reach / (distance - reach))^degree.
        larger = 2.0 ** np.maximum(up_t, up_s)[first]
        distance = np.linalg.norm(offset[first], axis=1) / larger
        counts = ((degrees_for(distance, degree) + 1) ** 2).astype(np.int32)
        beyond = np.arange(matrices.shape[1]) >= counts[:, None]
        matrices[beyond] = 0.0
        matrices.transpose(0, 2, 1)[beyond] = 0.0
        return cls._sorted(targets, sources, key.astype(np.int32), matrices, counts, len(target.level))

    @classmethod
    def _sorted(cls, targets: I32, sources: I32, key: I32, matrices: F32, counts: I32, n_cells: int) -> FarPairs:
        load = np.cumsum(np.bincount(targets, minlength=n_cells))
        task_of_cell = np.minimum(load * TASKS // max(int(load[-1]) + 1, 1), TASKS - 1)
        task = task_of_cell[targets]
        order = np.lexsort((targets, key, task))
        task_first = np.searchsorted(task[order], np.arange(TASKS + 1)).astype(np.int64)
        return cls(targets[order], sources[order], key[order], task_first, matrices, counts)

    def transposed(self, n_cells: int) -> FarPairs:
        """Return the pairs with sources and targets exchanged and every matrix transposed."""
        matrices = np.ascontiguousarray(self.matrices.transpose(0, 2, 1))
        return self._sorted(self.sources, self.targets, self.key, matrices, self.counts, n_cells)

    def apply(self, out: F32, source: F32) -> None:
        """Add the translated coefficients to `out`; both have shape (n_cells, n_rhs, width), any padded width."""
        counts = np.minimum(self.counts, np.int32(out.shape[2]))
        far_to_far(out, source, self.matrices, counts, self.task_first, self.key, self.targets, self.sources)

    @property
    def nbytes(self) -> int:
        """Memory of the lists and matrices (bytes)."""
        lists = self.targets.nbytes + self.sources.nbytes + self.key.nbytes
        return lists + self.matrices.nbytes


def degrees_for(distance: F64, degree: int) -> NDArray[np.int64]:
    """Return the degree that gives every translation the error that `degree` gives the nearest cells.

    Parameters
    ----------
    distance : ndarray
        Distance of the cells' centres in half edges of the larger one; 4 for the nearest far cells.
    degree : int
        Degree of expansions.

    Returns
    -------
    ndarray of int
    """
    ratio = _REACH / (distance - _REACH)
    nearest = _REACH / (4.0 - _REACH)
    wanted: F64 = np.ceil(degree * np.log(nearest) / np.log(ratio))
    return np.clip(wanted, 2, degree).astype(np.int64)


@dataclass(frozen=True, eq=False)
class NearPairs:
    """Adjacent leaves, sorted by their target.

    Attributes
    ----------
    targets, sources : ndarray, shape (n_pairs,)
        Cells of each pair.
    first_by_target : ndarray, shape (n_target_leaves + 1,)
        First pair of each target leaf, in the order of `leaves`.
    first_by_source, order_by_source : ndarray, shape (n_source_leaves + 1,), (n_pairs,)
        Pairs whose source is leaf number l are ``order_by_source[first_by_source[l]:first_by_source[l + 1]]``.
    column : ndarray, shape (n_pairs,)
        Number of sources in all pairs before.
    first_column : ndarray, shape (n_target_leaves + 1,)
        The same for the first pair of each target leaf.
    """

    targets: I32
    sources: I32
    first_by_target: I64
    first_by_source: I64
    order_by_source: I64
    column: I64
    first_column: I64

    @classmethod
    def between(cls, target: Octree, source: Octree, targets: I32, sources: I32) -> NearPairs:
        """Sort the pairs."""
        order = np.lexsort((sources, targets))
        targets, sources = targets[order], sources[order]
        by_source = np.lexsort((targets, sources))
        column = np.concatenate([[0], np.cumsum((source.end - source.start)[sources], dtype=np.int64)])
        first = _first(targets, target.leaves)
        return cls(
            targets=targets,
            sources=sources,
            first_by_target=first,
            first_by_source=_first(sources[by_source], source.leaves),
            order_by_source=by_source.astype(np.int64),
            column=column[:-1],
            first_column=column[first],
        )


def _first(values: I32, leaves: I32) -> I64:
    """Return where the run of each leaf (ascending) starts in the sorted `values`, and the end."""
    bounds = np.append(leaves, np.iinfo(np.int32).max)
    return np.searchsorted(values, bounds).astype(np.int64)


def pair_up(target: Octree, source: Octree, degree: int) -> tuple[FarPairs, NearPairs]:
    """List the far and the near pairs of two octrees on one lattice."""
    far_t, far_s, near_t, near_s = interaction_lists(
        target.level,
        target.index,
        target.child,
        target.children,
        target.n_roots,
        source.level,
        source.index,
        source.child,
        source.children,
        source.n_roots,
    )
    return (
        FarPairs.between(target, source, far_t, far_s, degree),
        NearPairs.between(target, source, near_t, near_s),
    )
