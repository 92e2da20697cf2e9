"""An adaptive octree over points on a fixed lattice, so that trees of sources and of targets share one grid."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]

MAX_LEVEL = 16
"""A cell at this level is 1/65536 of the root's edge: points that still share one are kept together."""


@dataclass(frozen=True, eq=False)
class Lattice:
    """The cube that level 0 stands for: its lower corner and its edge (mm)."""

    corner: F64
    edge: float

    @classmethod
    def around(cls, points: F64) -> Lattice:
        """Return a cube that holds all points."""
        low, high = points.min(axis=0), points.max(axis=0)
        edge = float((high - low).max()) * 1.001 + 1e-6
        return cls(corner=0.5 * (low + high) - 0.5 * edge, edge=edge)


@dataclass(frozen=True, eq=False)
class Octree:
    """Cells of an octree, parents before children, the points of a cell a run of `order`.

    Attributes
    ----------
    order : ndarray, shape (n_points,)
        Point numbers in tree order.
    level, start, end, parent, child, children, octant : ndarray, shape (n_cells,)
        Level, run of points, parent (-1 for a root), first child, number of children, octant in the parent.
    index : ndarray, shape (n_cells, 3)
        Position of the cell in units of its own edge from the lattice's corner; may be negative.
    n_roots : int
        Number of cells of level 0, which come first.
    lattice : Lattice
        The grid.
    """

    order: I64
    level: I32
    index: I64
    start: I32
    end: I32
    parent: I32
    child: I32
    children: I32
    octant: I32
    n_roots: int
    lattice: Lattice

    @classmethod
    def build(cls, points: F64, lattice: Lattice, leaf_size: int, radii: F64 | None = None) -> Octree:
        """Sort points into cells of at most `leaf_size` points.

        Parameters
        ----------
        points : ndarray, shape (n_points, 3)
            Points (mm), also outside the lattice's cube.
        lattice : Lattice
            The grid.
        leaf_size : int
            A cell with more points is split.
        radii : ndarray, shape (n_points,), optional
            Extent of the object at each point (mm): a cell is not split into children with an edge below three
            times the largest extent, because expansions assume that objects stay about inside their cell.
        """
        units = np.floor((points - lattice.corner) * (2**MAX_LEVEL / lattice.edge)).astype(np.int64)
        base = (units.min(axis=0) >> MAX_LEVEL) << MAX_LEVEL
        code = _morton(units - base)
        order = np.argsort(code, kind="stable")
        code = code[order]
        extent = np.zeros(len(points)) if radii is None else radii[order]

        starts, ends = _runs(code >> (3 * MAX_LEVEL), 0, len(code))
        n_roots = len(starts)
        level = [np.zeros(n_roots, dtype=np.int64)]
        start, end = [starts], [ends]
        parent, octant = [np.full(n_roots, -1)], [np.zeros(n_roots, dtype=np.int64)]
        child, children = [], []
        first, here = 0, np.arange(n_roots)
        for depth in range(MAX_LEVEL + 1):
            s, e = start[-1], end[-1]
            split = (e - s > leaf_size) & (depth < MAX_LEVEL)
            edge = lattice.edge / 2.0 ** (depth + 1)
            split &= edge >= 3.0 * np.maximum.reduceat(extent, s) if len(s) else split
            child.append(np.full(len(s), -1))
            children.append(np.zeros(len(s), dtype=np.int64))
            if not split.any():
                break
            shift = 3 * (MAX_LEVEL - depth - 1)
            pieces = [_runs(code >> shift, s[c], e[c]) for c in np.flatnonzero(split)]
            counts = np.array([len(p[0]) for p in pieces])
            next_first = first + len(s)
            children[-1][split] = counts
            child[-1][split] = next_first + np.concatenate([[0], np.cumsum(counts)[:-1]])
            new_start = np.concatenate([p[0] for p in pieces])
            start.append(new_start)
            end.append(np.concatenate([p[1] for p in pieces]))
            parent.append(np.repeat(here[split], counts))
            octant.append((code[new_start] >> shift) & 7)
            level.append(np.full(len(new_start), depth + 1))
            first, here = next_first, next_first + np.arange(len(new_start))

        all_level = np.concatenate(level)
        all_start = np.concatenate(start)
        index = units[order][all_start] >> (MAX_LEVEL - all_level)[:, None]
        small = {
            name: np.concatenate(parts).astype(np.int32)
            for name, parts in (
                ("end", end), ("parent", parent), ("child", child), ("children", children), ("octant", octant)
            )
        }
        return cls(
            order=order,
            level=all_level.astype(np.int32),
            index=np.ascontiguousarray(index),
            start=all_start.astype(np.int32),
            n_roots=n_roots,
            lattice=lattice,
            **small,
        )

    @cached_property
    def leaves(self) -> I32:
        """Numbers of the cells without children."""
        return np.flatnonzero(self.children == 0).astype(np.int32)

    @cached_property
    def half_sizes(self) -> F64:
        """Half edge of every cell (mm)."""
        return 0.5 * self.lattice.edge / 2.0**self.level

    @cached_property
    def centres(self) -> F64:
        """Centre of every cell (mm), shape (n_cells, 3)."""
        centres: F64 = self.lattice.corner + (2.0 * self.index + 1.0) * self.half_sizes[:, None]
        return centres

    @cached_property
    def leaf_of_point(self) -> I32:
        """The leaf of each point, in tree order."""
        out = np.empty(len(self.order), dtype=np.int32)
        sizes = self.end[self.leaves] - self.start[self.leaves]
        by_start = np.argsort(self.start[self.leaves], kind="stable")
        out[:] = np.repeat(self.leaves[by_start], sizes[by_start])
        return out

    @cached_property
    def levels(self) -> list[I32]:
        """Cells of each level."""
        return [np.flatnonzero(self.level == n).astype(np.int32) for n in range(int(self.level.max()) + 1)]


def _runs(keys: I64, start: int, end: int) -> tuple[I64, I64]:
    """Return starts and ends of the runs of equal keys between start and end."""
    part = keys[start:end]
    cuts = start + 1 + np.flatnonzero(part[1:] != part[:-1])
    return np.concatenate([[start], cuts]), np.concatenate([cuts, [end]])


def _morton(units: I64) -> I64:
    """Interleave the bits of three non-negative integers below 2**21."""
    code = np.zeros(len(units), dtype=np.int64)
    for axis in range(3):
        bits = units[:, axis].copy()
        for mask_shift, mask in (
            (32, 0x1F00000000FFFF),
            (16, 0x1F0000FF0000FF),
            (8, 0x100F00F00F00F00F),
            (4, 0x10C30C30C30C30C3),
            (2, 0x1249249249249249),
        ):
            bits = (bits | (bits << mask_shift)) & mask
        code |= bits << axis
    return code
