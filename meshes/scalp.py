"""Find points on the scalp and the direction of the scalp there, smoothed over the patch a coil rests on."""

from __future__ import annotations

import atexit
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from meshes import arrays
from meshes.arrays import FloatArray
from meshes.head import HeadModel
from meshes.surface import Surface

if TYPE_CHECKING:
    from scipy.spatial import KDTree

__all__ = ["closest_points", "scalp_point", "scalp_points"]


def closest_points(surface: Surface, points: npt.ArrayLike) -> tuple[FloatArray, npt.NDArray[np.int64], FloatArray]:
    """Return the points of a surface closest to given ones.

    Parameters
    ----------
    surface : Surface
        Any triangles.
    points : array_like, shape (n, 3)
        Positions (mm).

    Returns
    -------
    closest : ndarray, shape (n, 3)
        Positions on the surface (mm).
    triangle : ndarray, shape (n,)
        The triangle each lies on.
    distance : ndarray, shape (n,)
        Distance (mm), not signed.

    Raises
    ------
    ValueError
        If `points` is not an array of finite positions.
    """
    rows = arrays.vectors(points, "points")
    if not len(rows):
        return np.zeros((0, 3)), np.zeros(0, dtype=np.int64), np.zeros(0)
    tree, triangles = _tree(surface)
    squared, triangle, closest = tree.squared_distance(surface.vertices, triangles, rows)
    return (
        np.ascontiguousarray(closest, dtype=np.float64).reshape(-1, 3),
        np.atleast_1d(np.asarray(triangle, dtype=np.int64)),
        np.sqrt(np.atleast_1d(np.asarray(squared, dtype=np.float64))),
    )


def scalp_points(head: HeadModel, points: npt.ArrayLike, *, radius: float = 15.0) -> tuple[FloatArray, FloatArray]:
    """Return the scalp points closest to given ones, and the scalp's smoothed outward normals there.

    Parameters
    ----------
    head : HeadModel
        Its scalp is used.
    points : array_like, shape (n, 3)
        Positions (mm), on the scalp or off it.
    radius : float, optional
        Radius of the patch over which the normal is averaged (mm).

    Returns
    -------
    closest : ndarray, shape (n, 3)
        Positions on the scalp's triangles (mm).
    normals : ndarray, shape (n, 3)
        Outward unit normals.

    Raises
    ------
    ValueError
        If `points` is not an array of finite positions, or `radius` is not positive.

    Notes
    -----
    The mean of the vertex normals, interpolated to the triangles' edge middles within `radius`, weighted by area and by
    ``(1 - (d / radius)^2)^2`` with the distance d, so that the normal turns smoothly as the point moves and does not
    follow the facets. What faces away from the closest triangle (behind an ear) does not count.
    """
    width = arrays.positive(radius, "radius")
    surface = head.scalp
    closest, triangle, _ = closest_points(surface, points)
    # A few triangles count even where the mesh is coarser than the patch.
    reach = max(width, 1.5 * surface.mean_edge)
    samples, directions, areas, tree = _samples(surface)
    around = tree.query_ball_point(closest, reach, return_sorted=True)
    normals = np.empty_like(closest)
    for row, own in enumerate(surface.normals[triangle]):
        index = np.array(around[row], dtype=np.int64)
        squared = ((samples[index] - closest[row]) ** 2).sum(axis=1)
        weight = areas[index] * (1.0 - squared / reach**2) ** 2
        weight[directions[index] @ own <= 0.0] = 0.0
        total = weight @ directions[index]
        length = np.linalg.norm(total)
        normals[row] = total / length if length > 0.0 else own
    return closest, normals


@lru_cache(maxsize=8)
def _tree(surface: Surface) -> tuple[Any, npt.NDArray[np.int64]]:
    """Return the tree of a surface's triangles, and these as libigl wants them.

    Built once per surface: with 16,000 triangles that takes 10 ms, and a point a tenth of a millisecond.
    """
    import igl  # here, because it takes a tenth of a second to load and most uses of the package do not need it

    triangles = surface.triangles.astype(np.int64)
    tree = igl.AABB()
    tree.init(surface.vertices, triangles)
    return tree, triangles


# Objects of libigl that are alive at the end of the program would be reported on stderr as leaked.
atexit.register(_tree.cache_clear)


@lru_cache(maxsize=8)
def _samples(surface: Surface) -> tuple[FloatArray, FloatArray, FloatArray, KDTree]:
    """Return the edge middles of each triangle, the surface's normals there, a third of its area, and their tree.

    Edge middles integrate over a triangle to second order; centroids are too few where triangles are large.
    """
    from scipy.spatial import KDTree  # here, so that importing the package loads no SciPy

    following = np.roll(surface.triangles, -1, axis=1)
    middles = 0.5 * (surface.vertices[surface.triangles] + surface.vertices[following]).reshape(-1, 3)
    directions = (surface.vertex_normals[surface.triangles] + surface.vertex_normals[following]).reshape(-1, 3)
    directions /= np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-300)
    return middles, directions, np.repeat(surface.areas / 3.0, 3), KDTree(middles)


def scalp_point(head: HeadModel, point: npt.ArrayLike, *, radius: float = 15.0) -> tuple[FloatArray, FloatArray]:
    """Return the scalp point closest to one point, and the smoothed outward normal there, both of shape (3,).

    See `scalp_points`, which takes many points at once.

    Examples
    --------
    >>> import meshes
    >>> head = meshes.sphere_head([90], [0.33], subdivisions=3)
    >>> position, normal = scalp_point(head, (0, 0, 70))
    >>> bool(normal[2] > 0.999)
    True
    """
    closest, normals = scalp_points(head, arrays.vector(point, "point")[None], radius=radius)
    return closest[0], normals[0]
