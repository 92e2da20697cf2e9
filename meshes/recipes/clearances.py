"""Move a surface until it keeps its distance from another one."""

from dataclasses import dataclass

import igl
import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csr_array

from meshes.arrays import FloatArray
from meshes.checks import crossing_pairs
from meshes.midsurface import neighbour_mean
from meshes.surface import Surface

__all__ = ["Clearance", "keep_clear", "relax_crossings"]


@dataclass(frozen=True)
class Clearance:
    """A demand: the surface called `moved` lies inside or outside the one called `fixed`, so many mm away.

    Parameters
    ----------
    moved : str
        Name of the surface that gives way.
    fixed : str
        Name of the surface that stays.
    inside : bool
        Whether `moved` must lie inside `fixed`; otherwise it lies outside: around it or beside it.
    distance : float
        Least distance (mm).
    around : bool, optional
        Whether `moved` encloses `fixed`.
    """

    moved: str
    fixed: str
    inside: bool
    distance: float
    around: bool = False


def signed_depth(
    points: FloatArray, surface: Surface, reach: float
) -> tuple[FloatArray, FloatArray, npt.NDArray[np.int64]]:
    """Return the depth of points below a closed surface, the nearest points on it, and their triangles.

    Parameters
    ----------
    points : ndarray, shape (n, 3)
        Positions (mm).
    surface : Surface
        Closed and outward.
    reach : float
        Farther away than this (mm) the sign is not worked out: the depth is infinite there.

    Returns
    -------
    depth : ndarray, shape (n,)
        Distance (mm), positive inside, negative outside.
    nearest : ndarray, shape (n, 3)
        Nearest point of the surface (mm).
    triangle : ndarray, shape (n,)
        Its triangle.

    Notes
    -----
    Sign by winding number: the sign of the nearest triangle's normal is wrong at the folds of a cortex.
    """
    faces = surface.triangles.astype(np.int64)
    squared, triangle, nearest = igl.point_mesh_squared_distance(points, surface.vertices, faces)
    depth = np.full(len(points), np.inf)
    near = np.flatnonzero(squared < reach**2)
    if len(near):
        winding = igl.fast_winding_number(surface.vertices, faces, np.ascontiguousarray(points[near]))
        depth[near] = np.sqrt(squared[near]) * np.where(winding > 0.5, 1.0, -1.0)
    return depth, np.asarray(nearest), np.asarray(triangle, dtype=np.int64)


def sample_weights(surface: Surface) -> csr_array:
    """Return the matrix that takes vertices to sample points: the vertices, edge middles and centroids."""
    triangles = surface.triangles.astype(np.int64)
    count = len(surface.vertices)
    edges = np.sort(np.stack([triangles, np.roll(triangles, -1, axis=1)], axis=2).reshape(-1, 2), axis=1)
    edges = np.unique(edges, axis=0)
    rows = [np.arange(count), count + np.repeat(np.arange(len(edges)), 2)]
    rows.append(count + len(edges) + np.repeat(np.arange(len(triangles)), 3))
    columns = [np.arange(count), edges.ravel(), triangles.ravel()]
    weights = [np.ones(count), np.full(edges.size, 0.5), np.full(triangles.size, 1.0 / 3.0)]
    shape = (count + len(edges) + len(triangles), count)
    return csr_array(coo_array((np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns))), shape=shape))


def keep_clear(
    moved: Surface,
    fixed: Surface,
    demand: Clearance,
    *,
    steps: int = 20,
    share: float = 1.0,
    reach: float | None = None,
) -> tuple[Surface, float]:
    """Push a surface away from another one until the demand holds, or the steps are used up.

    Parameters
    ----------
    moved, fixed : Surface
        Closed and outward.
    demand : Clearance
        Side and distance.
    steps : int, optional
        At most so many pushes.
    share : float, optional
        Part of the lacking distance that `moved` makes up for in each push.
    reach : float, optional
        How deep on the wrong side (mm) a point is still seen; by default twice the distance and 2 mm more.

    Returns
    -------
    surface : Surface
        `moved` with new vertices.
    lacking : float
        What is still lacking of the distance at the worst sample point (mm), 0 if nothing.

    Notes
    -----
    Looked at from both surfaces, at vertices, edge middles and centroids; a vertex moves by the weighted mean of what
    the sample points around it lack, times 1.5, because a mean of demands falls short of the largest.
    """
    vertices = moved.vertices.copy()
    weights = sample_weights(moved)
    probes = np.ascontiguousarray(sample_weights(fixed) @ fixed.vertices)
    lacking = 0.0
    depth = 2.0 * demand.distance + 2.0 if reach is None else reach
    for step in range(steps + 1):
        current = Surface(vertices, moved.triangles, moved.name)
        push, total, lacking = _pushes(current, fixed, demand, weights, probes, depth)
        if lacking <= 0.0 or step == steps:
            break
        active = total > 0.0
        vertices[active] += 1.5 * share * push[active] / total[active, None]
    return Surface(vertices, moved.triangles, moved.name), max(lacking, 0.0)


def _pushes(
    moved: Surface, fixed: Surface, demand: Clearance, weights: csr_array, probes: FloatArray, reach: float
) -> tuple[FloatArray, FloatArray, float]:
    """Return the summed pushes of the vertices, their summed weights, and the worst lack (mm)."""
    samples = np.ascontiguousarray(weights @ moved.vertices)
    own = _lacks(samples, fixed, reach, demand.distance, 1.0 if demand.inside else -1.0)
    # Seen from the fixed surface: it lies outside `moved`, unless `moved` goes around it.
    other = _lacks(probes, moved, reach, demand.distance, 1.0 if demand.around else -1.0)
    rows, amount, away, _, _ = own
    back = weights[rows]
    push = back.T @ (amount[:, None] * away)
    total = back.T @ np.ones(len(rows))
    rows, amount, away, nearest, triangle = other
    corners = moved.triangles[triangle]
    shares = _barycentric(nearest, moved.vertices[corners])
    for corner in range(3):
        np.add.at(push, corners[:, corner], -(shares[:, corner] * amount)[:, None] * away)
        np.add.at(total, corners[:, corner], shares[:, corner])
    worst = max((float(part[1].max()) for part in (own, other) if len(part[1])), default=0.0)
    return push, total, worst


def _lacks(
    points: FloatArray, surface: Surface, reach: float, distance: float, side: float
) -> tuple[npt.NDArray[np.int64], FloatArray, FloatArray, FloatArray, npt.NDArray[np.int64]]:
    """Return which points lack distance from a surface, how much, the way out, and where the surface is nearest."""
    depth, nearest, triangle = signed_depth(points, surface, reach)
    kept = np.where(np.isfinite(depth), side * depth, np.inf)
    # A thousandth of a millimetre of slack, or the last step never ends.
    rows = np.flatnonzero(kept < distance - 1e-3)
    way = points[rows] - nearest[rows]
    length = np.linalg.norm(way, axis=1)
    sign = np.where(kept[rows] < 0.0, -1.0, 1.0)
    normal = -side * surface.normals[triangle[rows]]
    away = np.where(length[:, None] > 1e-6, sign[:, None] * way / np.maximum(length, 1e-12)[:, None], normal)
    return rows, distance - kept[rows], away, nearest[rows], triangle[rows]


def _barycentric(points: FloatArray, corners: FloatArray) -> FloatArray:
    """Return the weights, shape (n, 3), that make the points from the corners of their triangles, shape (n, 3, 3)."""
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    offset = points - corners[:, 0]
    aa, ab, bb = (np.einsum("ij,ij->i", u, v) for u, v in ((first, first), (first, second), (second, second)))
    ap, bp = np.einsum("ij,ij->i", first, offset), np.einsum("ij,ij->i", second, offset)
    scale = aa * bb - ab**2
    beta, gamma = (bb * ap - ab * bp) / scale, (aa * bp - ab * ap) / scale
    weights: FloatArray = np.clip(np.stack([1.0 - beta - gamma, beta, gamma], axis=1), 0.0, 1.0)
    return weights


def relax_crossings(surface: Surface, *, steps: int = 40) -> Surface:
    """Smooth a surface where it crosses itself, and nowhere else, until it no longer does.

    Parameters
    ----------
    surface : Surface
        Closed.
    steps : int, optional
        At most so many rounds; each moves the crossing triangles' vertices half-way to their neighbours' mean.

    Returns
    -------
    Surface
        May still cross itself if the steps did not suffice.
    """
    mean = neighbour_mean(surface)
    vertices = surface.vertices.copy()
    for _ in range(steps):
        current = Surface(vertices, surface.triangles, surface.name)
        bad = np.unique(np.concatenate(crossing_pairs([current])))
        if not len(bad):
            return current
        touched = np.unique(surface.triangles[bad])
        vertices[touched] = 0.5 * vertices[touched] + 0.5 * (mean[touched] @ vertices)
    return Surface(vertices, surface.triangles, surface.name)
