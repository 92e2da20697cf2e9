r"""Evaluate a coil at all angles over many places at once.

Notes
-----
A coil of many sources turned to many angles meets the same reciprocal field again and again. Here the field over a
place is interpolated from the table once, at nodes on some rings about the coil's axis, and a matrix takes it from
there to the functionals at all angles: the nodes are Chebyshev points along the diameter and the depth and equidistant
in azimuth, so the field at every source at every angle is a polynomial in the distance from the axis and a
trigonometric one in azimuth (L. N. Trefethen, Spectral Methods in MATLAB, 2000, chapter 11, for the disc). What a
search costs then hardly depends on the number of sources. The casing asks for another distance at each angle: the
matrix is used at some distances, and a polynomial goes between them. The idea of letting a few sources at fixed places
stand for a coil at all angles is that of L. J. Gomez, M. Dannhauer and A. V. Peterchev, NeuroImage 228:117696 (2021).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coils import Coil
from efield.kernels.turns import field_at_nodes
from efield.targeting.table import PoseTable

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

__all__ = ["AngleSweep"]

_RINGS, _AZIMUTHS, _LAYER = 10, 32, 6.0
"""Nodes along a radius and around, and the depth of a coil for each layer of nodes beyond three (mm; one layer if all
its sources lie in one plane). Over the default head, 43 mm around M1 hand, no
functional of magstim-70mm differs by more than 1.2e-4 of the greatest from the sum over all sources; beside the ear,
where the stand-off varies with the angle, by 4.5e-4."""

_LEVELS = 4
"""Distances from the scalp at each place between which a polynomial interpolates."""

_ANGLES = 40
"""Angles at which the matrix works; the trigonometric series has half as many terms, and _AZIMUTHS / 2 + 1 suffice."""

_PLACES = 64
"""Places handled at once: bounds the memory, and keeps it in the cache."""

_SAME = 1e-6
"""Stand-off that varies less (mm) is the same at all angles: what touches lies under the middle of the casing."""

_WIDEST = 12.0
"""Stand-off may vary so much over the angles of a place (mm); where it varies more each angle is evaluated by itself.
At the limit the polynomial between four distances is good to 1e-3 of the field."""


@dataclass(frozen=True, eq=False)
class _Source:
    """The nodes for one kind of source, and the matrix from the field there to the sums at all angles."""

    nodes: F64
    matrix: F32


class AngleSweep:
    """The fields of one coil at equidistant angles over places on the scalp, from its tables.

    Parameters
    ----------
    table : PoseTable
        Of a coil flat enough that no source reaches beyond its casing's head side (see `possible`).
    angles : ndarray, shape (n_angles,)
        Angles (rad), in any order.
    """

    def __init__(self, table: PoseTable, angles: F64) -> None:
        self._table = table
        few = 2.0 * np.pi * np.arange(_ANGLES) / _ANGLES
        self._series = _periodic(angles[:, None] - few[None], _ANGLES).astype(np.float32)
        self._sources = [_source(positions, vectors, few) for _, positions, vectors in table.grids]

    @staticmethod
    def possible(coil: Coil) -> bool:
        """Tell whether a coil is flat: rings of nodes then stay outside the head wherever the coil does."""
        highest = [coil.positions[:, 2].max()] if coil.n_dipoles else []
        if coil.segments is not None:
            highest.append(coil.segments.points[:, 2].max())
        return bool(max(highest) <= 0.0)

    def means(self, frames: F64, contacts: F64, need: F64) -> F32:
        """Return the mean field over each target.

        Parameters
        ----------
        frames, contacts : ndarray, shape (n, 3, 3), (n, 3)
            Coil axes at the angle 0, and scalp points (mm).
        need : ndarray, shape (n, n_angles)
            Distance from the contact to the coil's origin at each angle (mm).

        Returns
        -------
        ndarray, shape (n, n_angles, n_targets, 3)
            V/m at 1 A/us; NaN where a place must be evaluated angle by angle: its nodes leave the table, or `need`
            varies by more than 12 mm.
        """
        n, n_angles = need.shape
        count = self._table.grids[0][0].values.shape[3]
        out = np.empty((n, n_angles, count), dtype=np.float32)
        nearest = need.min(axis=1)
        wide = need.max(axis=1) - nearest
        # Chebyshev points of the second kind, so that the nearest and the farthest are among them.
        levels = 0.5 - 0.5 * np.cos(np.pi * np.arange(_LEVELS) / (_LEVELS - 1))
        same = np.flatnonzero(wide < _SAME)
        varied = np.flatnonzero(wide >= _SAME)
        for first in range(0, len(same), _PLACES):
            rows = same[first : first + _PLACES]
            out[rows] = self._at_levels(frames[rows], contacts[rows], nearest[rows, None])[:, 0].transpose(0, 2, 1)
        for first in range(0, len(varied), _PLACES):
            rows = varied[first : first + _PLACES]
            at = nearest[rows, None] + wide[rows, None] * levels
            weights = _lagrange((need[rows] - nearest[rows, None]) / wide[rows, None], levels).astype(np.float32)
            sums = self._at_levels(frames[rows], contacts[rows], at)  # (places, levels, functionals, angles)
            out[rows] = np.einsum("pal,plfa->paf", weights, sums, optimize=True)
        out[wide > _WIDEST] = np.nan
        out *= np.float32(-1e6)
        return out.reshape(n, n_angles, -1, 3)

    def _at_levels(self, frames: F64, contacts: F64, distances: F64) -> F32:
        """Return the functionals at some distances from each place, shape (n, n_levels, n_functionals, n_angles)."""
        n, n_levels = distances.shape
        rotations = np.ascontiguousarray(np.repeat(frames, n_levels, axis=0))
        origins = np.repeat(contacts, n_levels, axis=0) - distances.reshape(-1, 1) * rotations[:, :, 2]
        total: F32 | None = None
        for (grid, _, _), source in zip(self._table.grids, self._sources, strict=True):
            count = grid.values.shape[3]
            field = np.empty((len(rotations), count, 3 * len(source.nodes)), dtype=np.float32)
            field_at_nodes(field, rotations, origins, source.nodes, grid.values, grid.corner, grid.node)
            part = field.reshape(-1, field.shape[2]) @ source.matrix
            total = part if total is None else total + part
        assert total is not None  # for the type checker: a coil has sources
        sums: F32 = (total @ self._series.T).reshape(n, n_levels, -1, len(self._series))
        return sums


def _source(positions: F64, vectors: F64, angles: F64) -> _Source:
    """Choose the nodes for some sources, and find the matrix, shape (3 * n_nodes, n_angles)."""
    radius = np.hypot(positions[:, 0], positions[:, 1])
    azimuth = np.arctan2(positions[:, 1], positions[:, 0])
    wide = max(float(radius.max()), 1.0)
    low, high = float(positions[:, 2].min()), float(positions[:, 2].max())
    # Chebyshev points of the first kind along a diameter; the half with positive sign are the rings.
    diameter = wide * np.cos(np.pi * (2.0 * np.arange(2 * _RINGS) + 1.0) / (4.0 * _RINGS))
    count = 3 + int(np.ceil((high - low) / _LAYER)) if high - low > 1e-6 else 1
    depth = 0.5 * (low + high) - 0.5 * (high - low) * np.cos(np.pi * (2.0 * np.arange(count) + 1.0) / (2.0 * count))
    around = 2.0 * np.pi * np.arange(_AZIMUTHS) / _AZIMUTHS
    rings, layers, turns = np.meshgrid(diameter[:_RINGS], depth, around, indexing="ij")
    nodes = np.column_stack([(rings * np.cos(turns)).ravel(), (rings * np.sin(turns)).ravel(), layers.ravel()])
    along = _lagrange(radius, diameter)
    through = _lagrange(positions[:, 2], depth)
    matrix = np.empty((len(nodes), 3, len(angles)))
    for column, angle in enumerate(angles):
        # In the frame at the angle 0, a source of the turned coil has the azimuth less by the angle.
        here = azimuth - angle
        same = _periodic(here[:, None] - around[None], _AZIMUTHS)
        opposite = _periodic(here[:, None] + np.pi - around[None], _AZIMUTHS)
        disc = along[:, :_RINGS, None] * same[:, None] + along[:, : _RINGS - 1 : -1, None] * opposite[:, None]
        c, s = np.cos(angle), np.sin(angle)
        turned = np.column_stack(
            [c * vectors[:, 0] + s * vectors[:, 1], c * vectors[:, 1] - s * vectors[:, 0], vectors[:, 2]]
        )
        part = np.einsum("srk,sl,sd->rlkd", disc, through, turned, optimize=True)
        matrix[:, :, column] = part.reshape(-1, 3)
    return _Source(np.ascontiguousarray(nodes), matrix.reshape(-1, len(angles)).astype(np.float32))


def _lagrange(at: F64, nodes: F64) -> F64:
    """Return the Lagrange polynomials of some nodes, shape (*at.shape, n_nodes)."""
    weights = np.ones((*at.shape, len(nodes)))
    for j, node in enumerate(nodes):
        for k, other in enumerate(nodes):
            if j != k:
                weights[..., j] *= (at - other) / (node - other)
    return weights


def _periodic(turn: F64, count: int) -> F64:
    """Return the trigonometric interpolation weight of a node `turn` away among an even number around (Trefethen)."""
    half = 0.5 * turn
    near = np.abs(np.sin(half)) < 1e-9
    tangent = np.where(near, 1.0, np.tan(np.where(near, 0.5, half)))
    weights: F64 = np.where(near, 1.0, np.sin(count * half) / (count * tangent))
    return weights
