"""Cut surfaces with a plane: closed outlines for drawing, and values along them."""

import numpy as np
import numpy.typing as npt

from meshes import Surface, arrays
from meshes.arrays import FloatArray

__all__ = ["cut", "inside_cut", "loops"]


def cut(
    surface: Surface, origin: npt.ArrayLike, normal: npt.ArrayLike
) -> tuple[FloatArray, FloatArray, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Cut a surface with a plane.

    Parameters
    ----------
    surface : Surface
        Any triangles.
    origin : array_like, shape (3,)
        A point of the plane (mm).
    normal : array_like, shape (3,)
        The plane's normal.

    Returns
    -------
    points : ndarray, shape (n_points, 3)
        Where edges of the surface cross the plane (mm).
    share : ndarray, shape (n_points,)
        Each point is ``(1 - share) * first + share * second`` of its edge's two vertices.
    edges : ndarray, shape (n_points, 2)
        Those two vertices.
    segments : ndarray, shape (n_segments, 2)
        Pairs of points that a triangle joins, directed so that on a closed outward surface the inside lies to the left
        seen from the tip of the normal.

    Notes
    -----
    A vertex that lies exactly in the plane counts as above it, so that the outline of a closed surface is closed.
    """
    axis = arrays.unit_vector(normal, "normal")
    height = (surface.vertices - arrays.vector(origin, "origin")) @ axis
    above = height >= 0.0
    triangles = surface.triangles.astype(np.int64)
    count = above[triangles].sum(axis=1)
    crossed = triangles[(count == 1) | (count == 2)]
    # Turn each triangle so that its first vertex is alone on its side.
    side = above[crossed]
    alone = np.where(side.sum(axis=1) == 1, side.argmax(axis=1), (~side).argmax(axis=1))
    rows = np.arange(len(crossed))
    apex, second, third = (crossed[rows, (alone + k) % 3] for k in range(3))
    pairs = np.sort(np.concatenate([np.column_stack([apex, second]), np.column_stack([third, apex])]), axis=1)
    edges, index = np.unique(pairs, axis=0, return_inverse=True)
    ends = index.reshape(2, -1).T
    up = above[apex]
    segments = np.where(up[:, None], ends, ends[:, ::-1])
    low, high = height[edges[:, 0]], height[edges[:, 1]]
    share = low / (low - high) if len(edges) else np.zeros(0)
    points = surface.vertices[edges[:, 0]] * (1.0 - share)[:, None] + surface.vertices[edges[:, 1]] * share[:, None]
    return points, share, edges, segments


def loops(points: FloatArray, segments: npt.NDArray[np.int64]) -> list[FloatArray]:
    """Join directed segments to closed outlines.

    Parameters
    ----------
    points : ndarray, shape (n_points, d)
        Positions.
    segments : ndarray, shape (n_segments, 2)
        From `cut`; several may begin in a point where as many end, as on a surface that touches itself along an edge.

    Returns
    -------
    list of ndarray, shape (k, d)
        Outlines; the last point of each is joined to the first. Open ends (of a surface that is not closed) are left
        out.
    """
    following: dict[int, list[int]] = {}
    for start, end in segments:
        following.setdefault(int(start), []).append(int(end))

    def step(at: int) -> int:
        ends = following[at]
        end = ends.pop()
        if not ends:
            del following[at]
        return end

    outlines = []
    while following:
        first = next(reversed(following))
        path, at = [first], step(first)
        while at != first and at in following:
            path.append(at)
            at = step(at)
        if at == first:
            outlines.append(points[path])
    return outlines


def inside_cut(surface: Surface, origin: npt.ArrayLike, plane: FloatArray, flat: FloatArray) -> npt.NDArray[np.bool_]:
    """Tell which points of a plane lie inside a closed surface.

    Parameters
    ----------
    surface : Surface
        Closed.
    origin : array_like, shape (3,)
        The plane's origin (mm).
    plane : ndarray, shape (2, 3)
        The plane's two directions, unit and perpendicular.
    flat : ndarray, shape (n, 2)
        Points in the plane, along its directions from its origin (mm).

    Returns
    -------
    ndarray of bool, shape (n,)
        By the parity of the outline's crossings with a ray along the first direction.
    """
    start = arrays.vector(origin, "origin")
    points, _, _, segments = cut(surface, start, np.cross(plane[0], plane[1]))
    ends = ((points - start) @ plane.T)[segments]
    inside = np.zeros(len(flat), dtype=np.bool_)
    x, y = flat.T
    # A loop over segments keeps the memory of a fine grid small; there are a few hundred of them.
    for (x0, y0), (x1, y1) in ends:
        if y0 != y1:
            crosses = (y >= min(y0, y1)) & (y < max(y0, y1))
            inside ^= crosses & (x < x0 + (y - y0) * ((x1 - x0) / (y1 - y0)))
    return inside
