"""Patches of cortex cut into parts, for objectives that look within a region."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from efield.targeting.patch import Patch

F64 = NDArray[np.float64]

__all__ = ["cut_into_parts"]


def cut_into_parts(own: Sequence[Patch], count: int) -> tuple[tuple[Patch, ...], F64, tuple[Patch, ...]]:
    """Cut patches into parts of like area.

    Parameters
    ----------
    own : sequence of Patch
        What to cut.
    count : int
        Parts of each, at most.

    Returns
    -------
    own : tuple of Patch
        As given.
    shares : ndarray, shape (n_parts, n_patches)
        Share of each part in each patch.
    parts : tuple of Patch
        The parts, patch by patch.
    """
    pieces: list[Patch] = []
    of: list[int] = []
    for number, patch in enumerate(own):
        parts = _parts(patch, min(count, len(patch.points)))
        pieces += parts
        of += [number] * len(parts)
    shares = np.zeros((len(pieces), len(own)))
    first = 0
    for number, patch in enumerate(own):
        for rows in _split(patch, min(count, len(patch.points))):
            shares[first, number] = patch.weights[rows].sum()
            first += 1
    return tuple(own), shares, tuple(pieces)


def _parts(patch: Patch, count: int) -> list[Patch]:
    return [
        Patch(
            points=np.ascontiguousarray(patch.points[rows]),
            weights=patch.weights[rows] / patch.weights[rows].sum(),
            indices=np.empty(0, dtype=np.int64),
            normal=None,
        )
        for rows in _split(patch, count)
    ]


def _split(patch: Patch, count: int) -> list[NDArray[np.int64]]:
    """Cut points into parts of like weight, again and again across their longest side."""
    parts = [np.arange(len(patch.points))]
    while len(parts) < count:
        largest = max(range(len(parts)), key=lambda k: (len(parts[k]) > 1, patch.weights[parts[k]].sum()))
        rows = parts.pop(largest)
        if len(rows) == 1:
            parts.append(rows)
            break
        order = rows[np.argsort(patch.points[rows, np.ptp(patch.points[rows], axis=0).argmax()], kind="stable")]
        half = np.cumsum(patch.weights[order])
        middle = int(np.clip(np.searchsorted(half, 0.5 * half[-1]), 1, len(order) - 1))
        parts += [order[:middle], order[middle:]]
    return parts
