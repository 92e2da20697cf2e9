"""How far a coil's casing is from the scalp, for many poses; negative where it is in the head."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from coils import Coil
from meshes import HeadModel, Surface, closest_points
from meshes.checks import winding_numbers

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

__all__ = ["casing_gaps", "signed_distances"]

_SPACING = 2.0
"""Greatest distance between neighbouring points that stand for the casing (mm).

The distance to the scalp is taken to its triangles, so that the points' spacing counts in second order over a smooth
scalp and, over an edge of it, by the spacing times the sine of the angle between its triangles: about 0.1 mm.
"""

_CELL = 12.0
"""Edge of the boxes of points that are looked at, or left out, together (mm)."""

_DOUBT = 0.5
"""Below this cosine between a triangle's normal and the way to a point, the point's side is counted, not read off."""

_BATCH = 200_000
"""Points at once: bounds the memory."""


def casing_gaps(head: HeadModel, coil: Coil, rotations: F64, origins: F64) -> F64:
    """Return the least distance from a coil's casing to the scalp for each pose.

    Parameters
    ----------
    head : HeadModel
        Its scalp is used.
    coil : Coil
        The coil; without a casing its origin stands for it.
    rotations, origins : ndarray, shape (n_poses, 3, 3), (n_poses, 3)
        Columns of a rotation are the coil's axes in the head; origins in mm.

    Returns
    -------
    ndarray, shape (n_poses,)
        mm; where the casing cuts the scalp, minus the depth of its deepest point. Right to about 0.1 mm.

    Notes
    -----
    A signed distance changes by no more than the way that a point moves. So of the points that stand for the casing,
    only those in boxes whose middle is near enough need be looked at.
    """
    if coil.casing is None:
        return signed_distances(head.scalp, origins)
    points, middles, radii, box = _samples(coil.casing)
    found = np.empty(len(origins))
    step = max(_BATCH // len(middles), 1)
    for first in range(0, len(origins), step):
        rows = np.arange(first, min(first + step, len(origins)))
        placed = np.einsum("pij,sj->psi", rotations[rows], middles) + origins[rows, None]
        coarse = signed_distances(head.scalp, placed.reshape(-1, 3)).reshape(len(rows), -1)
        for row, middle in zip(rows, coarse, strict=True):
            # The box with the nearest middle first: it brings the bar down for all others.
            nearest = box == middle.argmin()
            least = signed_distances(head.scalp, points[nearest] @ rotations[row].T + origins[row]).min()
            others = (middle - radii < least)[box] & ~nearest
            rest = signed_distances(head.scalp, points[others] @ rotations[row].T + origins[row])
            found[row] = min(least, rest.min(initial=np.inf))
    return found


def signed_distances(surface: Surface, points: F64) -> F64:
    """Return the distances of points to a closed surface, shape (n,) (mm); negative inside."""
    closest, triangle, distance = closest_points(surface, points)
    along = np.einsum("ij,ij->i", points - closest, surface.normals[triangle])
    inside = along < 0.0
    doubtful = np.flatnonzero(np.abs(along) < _DOUBT * distance)
    if len(doubtful):  # at edges; it takes longer
        inside[doubtful] = winding_numbers(points[doubtful], surface) > 0.5
    signed: F64 = np.where(inside, -distance, distance)
    return signed


@lru_cache(maxsize=4)
def _samples(casing: Surface) -> tuple[F64, F64, F64, I64]:
    """Return points on a casing; the boxes' middles, each a point of the casing, and radii; and the box of each."""
    points = _points(casing)
    cell = np.floor((points - points.min(axis=0)) / _CELL).astype(np.int64)
    _, box = np.unique(cell, axis=0, return_inverse=True)
    box = box.ravel()
    count = np.bincount(box)
    mean = np.column_stack([np.bincount(box, points[:, axis]) for axis in range(3)]) / count[:, None]
    # The nearest of a box's own points to its mean: a point in the casing could be far from the scalp.
    order = np.lexsort((np.linalg.norm(points - mean[box], axis=1), box))
    first = np.concatenate([[0], np.cumsum(count)[:-1]])
    middles = points[order[first]]
    radii = np.zeros(len(count))
    np.maximum.at(radii, box, np.linalg.norm(points - middles[box], axis=1))
    return points, middles, radii, box.astype(np.int64)


def _points(surface: Surface) -> F64:
    """Return the corners of a surface's triangles, cut until their edges are short enough."""
    corners = surface.corners
    longest = np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2).max(axis=1)
    parts = np.maximum(np.ceil(longest / _SPACING), 1).astype(np.int64)
    found = [surface.vertices]
    for count in np.unique(parts):
        a, b = np.meshgrid(np.arange(count + 1), np.arange(count + 1), indexing="ij")
        inside = a + b <= count
        u, v = a[inside] / count, b[inside] / count
        shares = np.column_stack([1.0 - u - v, u, v])
        found.append(np.einsum("qv,nvd->nqd", shares, corners[parts == count]).reshape(-1, 3))
    # Edges belong to two triangles: their points come twice.
    merged: F64 = np.unique(np.round(np.concatenate(found), 6), axis=0)
    return np.ascontiguousarray(merged)
