"""Split triangles at points that lie on their edges, so that all triangles at a line have the same edges.

Notes
-----
Where three tissues meet, the triangles of three surfaces share a line. A lesion that replaces one of the tissues cuts
the two surfaces that bound it, and with them each edge of the line that it crosses. The third surface, between the
tissues that stay, is not cut: its triangles would keep the whole edge beside the two halves of the others, and no
region there would be closed. So they are split at the same points.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from meshes.arrays import FloatArray

__all__ = ["split_at_points"]

IndexArray = npt.NDArray[np.int64]

_ON = 1e-7
"""A point nearer to an edge than this lies on it (mm): cuts round to about a millionth of that."""


class _Hits(NamedTuple):
    """Points within edges of triangles, at most one for each triangle: triangle, number of the edge, point."""

    row: IndexArray
    edge: IndexArray
    point: IndexArray


def split_at_points(points: FloatArray, triangles: IndexArray, wanted: IndexArray) -> tuple[IndexArray, IndexArray]:
    """Return triangles split until none of the wanted points lies within an edge.

    Parameters
    ----------
    points : ndarray, shape (n_points, 3)
        mm.
    triangles : ndarray, shape (n_triangles, 3)
    wanted : ndarray, shape (n_wanted,)
        Numbers of the points to split at.

    Returns
    -------
    pieces : ndarray, shape (m, 3)
        The pieces of those triangles that were split, turned as they were.
    parent : ndarray, shape (m,)
        The triangle that each is a piece of; triangles that are not named here are whole.

    Notes
    -----
    In each round a triangle is halved at one point, the one nearest to the middle of its edge, and joined to the corner
    opposite: triangles that share an edge end up with the same points on it, whatever the order.
    """
    parent = _near(points, triangles, wanted)
    current = triangles[parent]
    done, parents = [current[:0]], [parent[:0]]
    while len(current):
        row, edge, point = _hits(points, current, wanted)
        whole = np.setdiff1d(np.arange(len(current)), row)
        done.append(current[whole])
        parents.append(parent[whole])
        a, b, apex = (current[row, (edge + k) % 3] for k in range(3))
        current = np.concatenate([np.column_stack([a, point, apex]), np.column_stack([point, b, apex])])
        parent = np.tile(parent[row], 2)
    pieces, source = np.concatenate(done), np.concatenate(parents)
    split = np.bincount(source, minlength=1)[source] > 1
    return pieces[split], source[split]


def _near(points: FloatArray, triangles: IndexArray, wanted: IndexArray) -> IndexArray:
    """Return the triangles whose bounding boxes meet that of the wanted points."""
    if not len(wanted) or not len(triangles):
        return np.empty(0, dtype=np.int64)
    corners = points[triangles]
    low, high = points[wanted].min(axis=0) - _ON, points[wanted].max(axis=0) + _ON
    return np.flatnonzero(((corners.max(axis=1) >= low) & (corners.min(axis=1) <= high)).all(axis=1))


def _hits(points: FloatArray, triangles: IndexArray, wanted: IndexArray) -> _Hits:
    """Return for each triangle that has wanted points within its edges the one nearest to the middle of its edge."""
    from scipy.spatial import cKDTree

    start, end = points[triangles].reshape(-1, 3), points[np.roll(triangles, -1, axis=1)].reshape(-1, 3)
    apex = np.roll(triangles, -2, axis=1).reshape(-1)
    length = np.linalg.norm(end - start, axis=1)
    middle = 0.5 * (start + end)
    lists = cKDTree(points[wanted]).query_ball_point(middle, 0.5 * length)
    edge = np.repeat(np.arange(len(lists)), [len(found) for found in lists])
    point = wanted[np.array([which for found in lists for which in found], dtype=np.int64)]
    ahead = (end - start)[edge] / length[edge, None]
    offset = points[point] - middle[edge]
    along = np.einsum("nd,nd->n", offset, ahead)
    off = np.linalg.norm(offset - along[:, None] * ahead, axis=1)
    on = (off < _ON) & (np.abs(along) < 0.5 * length[edge] - _ON) & (point != apex[edge])
    edge, point, along = edge[on], point[on], along[on]
    order = np.lexsort([point, np.abs(along), edge // 3])
    row, first = np.unique(edge[order] // 3, return_index=True)
    return _Hits(row, edge[order[first]] % 3, point[order[first]])
