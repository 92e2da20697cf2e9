"""Tabulate the reciprocal field of targets around poses of a coil, so that a pose costs a look-up for each source."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from coils import Coil
from efield.bem.reciprocity import ReciprocalField
from efield.kernels.placement import functional_of_poses
from meshes import HeadModel

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

__all__ = ["PoseTable", "sources_of"]

logger = logging.getLogger(__name__)

_NODE = 3.0
"""Greatest spacing of the tabulated reciprocal field (mm)."""

_CHUNK = 2048
"""Poses handled at once: bounds the memory."""

_NODES = 200_000
"""Nodes evaluated at once: bounds the memory."""

_LARGEST = 2**31
"""Bytes of the largest table; a greater one gets wider nodes."""

_SAMPLED = 97
"""One in so many poses is looked at for how near the sources come to the scalp."""


class PoseTable:
    """The means of E over targets for poses of one coil, from tables of the reciprocal field.

    One table is for the coil's dipoles, one for its current elements. It covers the poses it was built for, and those
    whose sources lie less than `spare` from theirs.
    """

    def __init__(self, parts: list[Grid], sources: list[tuple[F64, F64]]) -> None:
        self._parts = parts
        self._sources = sources

    @classmethod
    def build(
        cls,
        reciprocal: ReciprocalField,
        head: HeadModel,
        coil: Coil,
        rotations: F64,
        origins: F64,
        *,
        spare: float,
        distance: float | None = None,
        stand_in: F64 | None = None,
    ) -> PoseTable:
        """Tabulate H for dipoles and F for current elements, as far as the coil has them.

        Parameters
        ----------
        reciprocal : ReciprocalField
            Of the targets.
        head : HeadModel
            The head, whose scalp the tables keep out of.
        coil : Coil
            The coil.
        rotations, origins : ndarray, shape (n_poses, 3, 3), (n_poses, 3)
            Poses that the tables shall cover.
        spare : float
            How far beyond them, and between them, they shall reach (mm).
        distance : float, optional
            From the scalp to the coil's z = 0 along its axis in all poses (mm), if that is known.
        stand_in : ndarray, shape (n, 3), optional
            Points in the coil's frame (mm) that the tables shall cover instead of the sources, for example a disc that
            they sweep at all angles.
        """
        parts, sources = [], []
        for evaluate, positions, vectors in sources_of(reciprocal, coil):
            # The stencil reaches two nodes towards the scalp, where the field jumps: keep it outside.
            gap = -np.inf if distance is None else distance - positions[:, 2].max()
            if 0.45 * gap < _NODE:  # a bent coil reaches to z > 0 beside the head, and is further from it than that
                gap = max(gap, _gap(head, rotations, origins, positions))
            node = float(np.clip(0.45 * gap, 1.0, _NODE))
            covered = positions if stand_in is None else stand_in
            count = reciprocal.count
            parts.append(Grid.build(evaluate, rotations, origins, covered, node=node, spare=spare, count=count))
            sources.append((positions, vectors))
        return cls(parts, sources)

    def means(self, rotations: F64, origins: F64) -> F64:
        """Return the mean field over each target for poses, shape (n_poses, n_targets, 3), V/m at 1 A/us."""
        total = sum(
            part.functionals(rotations, origins, *sources)
            for part, sources in zip(self._parts, self._sources, strict=True)
        )
        means: F64 = -1e6 * np.asarray(total).reshape(len(rotations), -1, 3)
        return means

    @property
    def grids(self) -> tuple[tuple[Grid, F64, F64], ...]:
        """Each table with the positions and vectors of the sources that it is for."""
        return tuple((part, *sources) for part, sources in zip(self._parts, self._sources, strict=True))


class Grid:
    """A reciprocal field at the nodes of a regular grid around all poses."""

    def __init__(self, values: F32, corner: F64, node: float) -> None:
        self.values = values
        self.corner = corner
        self.node = node

    @classmethod
    def build(
        cls,
        evaluate: Callable[[F64], F64],
        rotations: F64,
        origins: F64,
        positions: F64,
        *,
        node: float,
        spare: float,
        count: int,
    ) -> Grid:
        """Tabulate H or its vector potential, of `count` functionals, where the sources can come to lie."""
        while True:
            nodes_spare = 2 + int(np.ceil(spare / node))
            reach = np.linalg.norm(positions, axis=1).max() + (5.0 + nodes_spare) * node
            corner = origins.min(axis=0) - reach
            shape = np.ceil((origins.max(axis=0) + reach - corner) / node).astype(np.int64)
            if int(np.prod(shape)) * count * 12 <= _LARGEST:
                break
            node *= 1.25
        used = np.zeros(shape, dtype=bool)
        for first in range(0, len(origins), _CHUNK):
            rows = slice(first, first + _CHUNK)
            points = origins[rows, None] + np.einsum("pij,sj->psi", rotations[rows], positions)
            cell = ((points.reshape(-1, 3) - corner) / node).astype(np.int64)
            used[cell[:, 0], cell[:, 1], cell[:, 2]] = True
        used = _grown(used, nodes_spare)
        nodes = np.argwhere(used)
        values = np.full((*shape, count, 3), np.nan, dtype=np.float32)
        for first in range(0, len(nodes), _NODES):
            own = nodes[first : first + _NODES]
            values[tuple(own.T)] = evaluate(np.ascontiguousarray(corner + node * own))
        logger.debug("reciprocal field tabulated at %d nodes of %s", len(nodes), shape)
        return cls(values, corner, node)

    def functionals(self, rotations: F64, origins: F64, positions: F64, vectors: F64) -> F64:
        """Return sum m . H or sum v . F for poses, shape (n_poses, n_functionals)."""
        out = np.empty((len(rotations), self.values.shape[3]))
        grid = (self.values, self.corner, self.node)
        functional_of_poses(out, rotations, origins, positions, vectors, *grid)
        if np.isnan(out).any():
            raise RuntimeError("The table of the reciprocal field must cover every placement; got one outside it.")
        return out


def sources_of(reciprocal: ReciprocalField, coil: Coil) -> list[tuple[Callable[[F64], F64], F64, F64]]:
    """Return what to tabulate for each kind of source of a coil, and the sources."""
    found: list[tuple[Callable[[F64], F64], F64, F64]] = []
    if coil.n_dipoles:
        found.append((reciprocal.at, coil.positions, coil.moments))
    if coil.segments is not None:
        found.append((reciprocal.potential_at, coil.segments.points, coil.segments.vectors))
    return found


def _gap(head: HeadModel, rotations: F64, origins: F64, positions: F64) -> float:
    """Return how near any source comes to the scalp (mm), over one in 97 of the poses."""
    from scipy.spatial import cKDTree

    scalp = head.scalp
    every = _SAMPLED if len(origins) > 10 * _SAMPLED else 1
    points = origins[::every, None] + np.einsum("pij,sj->psi", rotations[::every], positions)
    to_vertex = float(np.min(cKDTree(scalp.vertices).query(points.reshape(-1, 3))[0]))
    # The foot of the perpendicular is within a triangle, at most its longest edge / sqrt(3) from a corner.
    edge = float(np.linalg.norm(scalp.corners - np.roll(scalp.corners, 1, axis=1), axis=2).mean())
    return float(np.sqrt(max(to_vertex**2 - edge**2 / 3.0, 0.0)))


def _grown(used: NDArray[np.bool_], spare: int) -> NDArray[np.bool_]:
    """Add the nodes that cubic interpolation needs around each cell, and some to spare."""
    for axis in range(3):
        grown = used.copy()
        for shift in range(-1 - spare, 3 + spare):
            grown |= np.roll(used, shift, axis=axis)
        used = grown
    return used
