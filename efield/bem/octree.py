"""An adaptive octree over points on a fixed lattice, so that trees of sources and of targets share one grid."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]

MAX_LEVEL = 16
"""A cell at this level is 1/65536 of the root's edge: points that still share one are kept together."""

FITTING = 2.0
"""An object may enter a cell whose edge is at least this many of its radii."""

STAYS = 8
"""The "octant" of a leaf that holds what was too large for the children, with the box of its parent."""


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
        Level, run of points, parent (-1 for a root), first child, number of children, octant in the parent (or
        `STAYS`).
    index : ndarray, shape (n_cells, 3)
        Position of the cell in units of its own edge from the lattice's corner; may be negative.
    generations : tuple of ndarray
        Cells by round of splitting: parents always in an earlier one.
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
    generations: tuple[I32, ...]
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
            Extent of the object at each point (mm). Expansions assume that objects stay about inside their cell, so
            when a cell is split, the objects too large for a child (`FITTING` radii wider than its edge) stay behind
            in a leaf of their own with the box of the parent.
        """
        units = np.floor((points - lattice.corner) * (2**MAX_LEVEL / lattice.edge)).astype(np.int64)
        deepest = np.full(len(points), MAX_LEVEL)
        if radii is not None:
            deepest = np.floor(np.log2(lattice.edge / (FITTING * np.maximum(radii, 1e-12)))).astype(np.int64)
            deepest = np.clip(deepest, 0, MAX_LEVEL)
        key, roots = _keys(units, deepest)
        order = np.lexsort((key, roots))
        key, roots = key[order], roots[order]

        starts, ends = _runs(roots, 0, len(roots))
        n_roots = len(starts)
        generation = _Generation(starts, ends, np.zeros(n_roots, dtype=np.int64), np.full(n_roots, -1), starts * 0)
        done: list[_Generation] = []
        child: list[I64] = []
        children: list[I64] = []
        first = 0
        for depth in range(MAX_LEVEL + 1):
            count = len(generation.start)
            child.append(np.full(count, -1))
            children.append(np.zeros(count, dtype=np.int64))
            done.append(generation)
            if depth == MAX_LEVEL:
                break
            scale = 9 ** (MAX_LEVEL - depth - 1)
            # Digit 0 of the last object: nothing in the cell fits into a child, or the cell is itself a remainder.
            divisible = (key[generation.end - 1] // scale) % 9 > 0
            split = np.flatnonzero((generation.end - generation.start > leaf_size) & divisible)
            if not len(split):
                break
            pieces = [_runs(key // scale, generation.start[c], generation.end[c]) for c in split]
            counts = np.array([len(piece[0]) for piece in pieces])
            children[-1][split] = counts
            child[-1][split] = first + count + np.concatenate([[0], np.cumsum(counts)[:-1]])
            start = np.concatenate([piece[0] for piece in pieces])
            digit = (key[start] // scale) % 9
            generation = _Generation(
                start=start,
                end=np.concatenate([piece[1] for piece in pieces]),
                level=np.where(digit > 0, depth + 1, depth),
                parent=np.repeat(first + split, counts),
                octant=np.where(digit > 0, digit - 1, STAYS),
            )
            first += count
        level = np.concatenate([g.level for g in done])
        start = np.concatenate([g.start for g in done])
        return cls(
            order=order,
            level=level.astype(np.int32),
            index=np.ascontiguousarray(units[order][start] >> (MAX_LEVEL - level)[:, None]),
            start=start.astype(np.int32),
            end=np.concatenate([g.end for g in done]).astype(np.int32),
            parent=np.concatenate([g.parent for g in done]).astype(np.int32),
            child=np.concatenate(child).astype(np.int32),
            children=np.concatenate(children).astype(np.int32),
            octant=np.concatenate([g.octant for g in done]).astype(np.int32),
            generations=tuple(
                np.arange(a, a + len(g.start), dtype=np.int32)
                for a, g in zip(np.cumsum([0] + [len(g.start) for g in done]), done, strict=False)
            ),
            lattice=lattice,
        )

    @cached_property
    def leaves(self) -> I32:
        """Numbers of the cells without children."""
        return np.flatnonzero(self.children == 0).astype(np.int32)

    @cached_property
    def half_sizes(self) -> F64:
        """Half edge of every cell (mm)."""
        half: F64 = 0.5 * self.lattice.edge * np.exp2(-self.level.astype(np.float64))
        return half

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

    @property
    def n_roots(self) -> int:
        """Number of cells without a parent, which come first."""
        return len(self.generations[0])


class _Generation(NamedTuple):
    """Cells made by one round of splitting."""

    start: I64
    end: I64
    level: I64
    parent: I64
    octant: I64


def _runs(keys: I64, start: int, end: int) -> tuple[I64, I64]:
    """Return starts and ends of the runs of equal keys between start and end."""
    part = keys[start:end]
    cuts = start + 1 + np.flatnonzero(part[1:] != part[:-1])
    return np.concatenate([[start], cuts]), np.concatenate([cuts, [end]])


def _keys(units: I64, deepest: I64) -> tuple[I64, I64]:
    """Return, for each object, a key whose digits to base 9 are its octant plus one at each level, and its root.

    From the level on at which an object is too large for a child the digits are 0, so that it sorts first.
    """
    key = np.zeros(len(units), dtype=np.int64)
    for level in range(1, MAX_LEVEL + 1):
        bits = (units >> (MAX_LEVEL - level)) & 1
        digit = 1 + bits[:, 0] + 2 * bits[:, 1] + 4 * bits[:, 2]
        key = 9 * key + np.where(level <= deepest, digit, 0)
    cube = units >> MAX_LEVEL
    cube -= cube.min(axis=0)
    size = cube.max(axis=0) + 1
    return key, (cube[:, 0] * size[1] + cube[:, 1]) * size[2] + cube[:, 2]
