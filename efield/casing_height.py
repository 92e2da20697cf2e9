"""Map how far a casing reaches towards the head, and cut a scalp finely enough to overlook nothing between samples."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from meshes import Surface

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

__all__ = ["CELL", "CasingHeight", "Skin", "casing_height", "skin_of"]

CELL = 0.5
"""Edge of a cell of the maps (mm)."""

_EDGE = 6.5
"""Longest edge of a triangle of the scalp (mm): longer ones are cut."""

_PART = 0.6
"""Longest edge of the parts whose corners stand for a triangle (mm)."""

_BETWEEN = 0.25
"""Longest edge of the parts whose corners stand for a triangle of the casing (mm)."""

_NEXT = 3
"""The bend of a casing is looked at over so many cells."""

_UNEVEN = 0.1
"""Sampling makes planes so uneven (mm); over an edge of the scalp's triangles that much bend is as little."""


class CasingHeight:
    """Heights of a casing over the cells of its x-y plane.

    Attributes
    ----------
    fine : ndarray, shape (n_x, n_y)
        Greatest z (mm) over a cell and those around it; -inf beside the casing.
    coarse : ndarray, shape (n_x, n_y)
        The same as far from the cell as a corner of a triangle of the scalp may be from its centroid; -inf where the
        corners suffice: where the casing is plane, or opens towards the head, all around.
    corner : ndarray, shape (2,)
        Lower corner of the first cell (mm).
    most, least : ndarray, shape (n_rings,)
        Greatest and least of `fine` at distances from the axis of k to k + 1 cells; the least is -inf where the casing
        does not go all around.
    coarse_most : ndarray, shape (n_rings,)
        Greatest of `coarse` there.
    extent : float
        Distance from the coil's axis to the farthest corner of the maps (mm).

    Notes
    -----
    A casing must back off along z by the greatest h(p) - z(p) over all points p of the scalp, with the casing's height
    h and the scalp's depth z. Corners of a scalp's triangles alone do not tell: a rim passes between them. Their parts
    have edges of `_PART`, so that every point is within `_PART` / sqrt(3) = 0.35 mm of a corner of a part, and every
    point of the casing within 0.15 mm of a sample: together less than a cell. So `fine` at one of the three corners
    around p is at least h(p), but for the casing's own slope over 0.15 mm; and z there differs from z(p) by 0.35 mm
    times the scalp's slope in the coil's frame at most. On the other hand `fine` exceeds the casing by its slope times
    half a cell to two, 0.8 mm in the mean.
    """

    def __init__(self, casing: Surface) -> None:
        points = _samples(casing)
        margin = int(np.ceil(_EDGE / CELL)) + 3
        self.corner = points[:, :2].min(axis=0) - margin * CELL
        cell = np.floor((points[:, :2] - self.corner) / CELL).astype(np.int64)
        height = np.full(cell.max(axis=0) + margin + 1, -np.inf)
        np.maximum.at(height, (cell[:, 0], cell[:, 1]), points[:, 2])
        self.fine = _grown(height, 1.0)
        # Corners are that far from the centroid, two thirds of a median, which is shorter than the longest edge.
        reach = 2.0 / 3.0 * _EDGE / CELL + 1.5
        # A convex height exceeds its value at a point between three others by no more at one of these.
        mixed = _grown(np.where(_is_convex(height), -np.inf, 0.0), reach)
        self.coarse = _grown(self.fine, reach) + mixed
        self.most, self.least = _rings(self.fine, self.corner)
        self.coarse_most = _rings(self.coarse, self.corner)[0]
        self.extent = len(self.most) * CELL


class Skin:
    """A scalp cut so that no edge is longer than `CasingHeight` reckons with.

    Attributes
    ----------
    vertices, triangles : ndarray, shape (n_points, 3), (n_triangles, 3)
        mm.
    parts : ndarray, shape (n_triangles,)
        In how many parts the edges of each triangle are to be cut.
    """

    def __init__(self, scalp: Surface) -> None:
        parts = _parts(scalp.corners, _EDGE)
        cut = [
            np.einsum("tcq,nqd->ntcd", _similar(k), scalp.corners[parts == k]).reshape(-1, 3, 3)
            for k in np.unique(parts).tolist()
        ]
        vertices, index = np.unique(np.concatenate(cut).reshape(-1, 3), axis=0, return_inverse=True)
        self.vertices = np.ascontiguousarray(vertices)
        self.triangles = np.ascontiguousarray(index.reshape(-1, 3), dtype=np.int64)
        self.parts = _parts(self.vertices[self.triangles], _PART)


@lru_cache(maxsize=8)
def casing_height(casing: Surface) -> CasingHeight:
    """Return the maps of a casing, made once."""
    return CasingHeight(casing)


@lru_cache(maxsize=8)
def skin_of(scalp: Surface) -> Skin:
    """Return a scalp with its long triangles cut, made once."""
    return Skin(scalp)


def _parts(corners: F64, longest: float) -> I64:
    """Return in how many parts to cut the edges of triangles."""
    edges = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    parts: I64 = np.maximum(np.ceil(edges / longest), 1).astype(np.int64)
    return parts


def _similar(parts: int) -> F64:
    """Return barycentric coordinates of a triangle's parts^2 similar parts, shape (parts^2, 3 corners, 3)."""
    i, j = np.meshgrid(np.arange(parts), np.arange(parts), indexing="ij")
    at = np.stack([i, j], axis=2)
    up = at[i + j < parts][:, None] + np.array([[0, 0], [1, 0], [0, 1]])
    down = at[i + j < parts - 1][:, None] + np.array([[1, 1], [0, 1], [1, 0]])
    steps = np.concatenate([up, down]) / parts
    shares: F64 = np.concatenate([1.0 - steps.sum(axis=2, keepdims=True), steps], axis=2)
    return shares


def _samples(casing: Surface) -> F64:
    """Return the corners of the casing's triangles' parts."""
    parts = _parts(casing.corners, _BETWEEN)
    points = []
    for k in np.unique(parts).tolist():
        a, b = np.meshgrid(np.arange(k + 1), np.arange(k + 1), indexing="ij")
        inside = a + b <= k
        u, v = a[inside] / k, b[inside] / k
        shares = np.column_stack([1.0 - u - v, u, v])
        points.append(np.einsum("qc,ncd->nqd", shares, casing.corners[parts == k]).reshape(-1, 3))
    return np.concatenate(points)


def _is_convex(height: F64) -> NDArray[np.bool_]:
    """Return whether the casing goes on around each cell, in a plane or towards the head."""
    convex = np.ones(height.shape, dtype=np.bool_)
    for step in ((_NEXT, 0), (0, _NEXT), (_NEXT, _NEXT), (_NEXT, -_NEXT)):
        before, after = np.roll(height, step, axis=(0, 1)), np.roll(height, (-step[0], -step[1]), axis=(0, 1))
        whole = np.isfinite(before) & np.isfinite(after) & np.isfinite(height)
        convex &= whole
        convex[whole] &= (before + after)[whole] >= 2.0 * height[whole] - _UNEVEN
    return convex


def _grown(height: F64, cells: float) -> F64:
    """Return the greatest height within so many cells along a line of cells, or of a circle of them."""
    from scipy.ndimage import maximum_filter1d  # here, so that importing the package loads no SciPy

    grown = np.full(height.shape, -np.inf)
    count = int(np.ceil(cells))
    for i in range(-count, count + 1):
        # Points of cells i apart are nearer than that by up to a cell.
        width = int(np.ceil(np.sqrt(max(cells**2 - max(abs(i) - 1, 0) ** 2, 0.0)))) if abs(i) else count
        row = maximum_filter1d(height, 2 * width + 1, axis=1, mode="constant", cval=-np.inf)
        low, high = max(i, 0), height.shape[0] + min(i, 0)
        grown[low:high] = np.maximum(grown[low:high], row[low - i : high - i])
    return grown


def _rings(height: F64, corner: F64) -> tuple[F64, F64]:
    """Return the greatest and least height in rings about the axis, one cell wide."""
    edges = [corner[axis] + CELL * np.arange(height.shape[axis] + 1) for axis in range(2)]
    x, y = np.meshgrid(*[np.maximum(np.abs(edge[:-1]), np.abs(edge[1:])) for edge in edges], indexing="ij")
    last = np.floor(np.hypot(x, y) / CELL).astype(np.int64)
    x, y = np.meshgrid(*[_nearest(edge) for edge in edges], indexing="ij")
    first = np.floor(np.hypot(x, y) / CELL).astype(np.int64)
    most, least = np.full(last.max() + 1, -np.inf), np.full(last.max() + 1, np.inf)
    for shift in range(int((last - first).max()) + 1):
        ring = np.minimum(first + shift, last)
        np.maximum.at(most, ring, height)
        np.minimum.at(least, ring, height)
    # Beyond this, circles leave the map: the casing does not go all around there.
    inner = min(-edges[0][0], edges[0][-1], -edges[1][0], edges[1][-1])
    least[np.arange(1, len(least) + 1) * CELL > inner] = -np.inf
    return most, least


def _nearest(edges: F64) -> F64:
    """Return how near to zero each of the intervals between some edges comes."""
    nearest: F64 = np.where(edges[:-1] * edges[1:] <= 0.0, 0.0, np.minimum(np.abs(edges[:-1]), np.abs(edges[1:])))
    return nearest
