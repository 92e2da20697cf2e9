"""Find the holes of a surface and span them with triangles of the least area."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from meshes.arrays import FloatArray
from meshes.repairing.draft import Draft

__all__ = ["boundary_loops", "filled"]

IndexArray = npt.NDArray[np.int64]

# An aspect of 100: below, collinear vertices of a straight rim would be joined by triangles without area.
_FLATTEST = 0.005


def boundary_loops(triangles: npt.ArrayLike, n_vertices: int) -> list[IndexArray]:
    """Return the rims of the holes.

    Parameters
    ----------
    triangles : array_like of int, shape (n_triangles, 3)
        Neighbours turned the same way.
    n_vertices : int
        Number of vertices.

    Returns
    -------
    list of ndarray
        Vertices of each rim in order, so that a triangle on it in that order is turned as those around. A rim that
        touches itself in a vertex is two.

    Examples
    --------
    >>> boundary_loops([[0, 1, 2], [0, 2, 3], [0, 3, 1]], 4)
    [array([3, 2, 1])]
    """
    rows = np.asarray(triangles, dtype=np.int64)
    start, end = rows.ravel(), np.roll(rows, -1, axis=1).ravel()
    alone = ~np.isin(start * n_vertices + end, end * n_vertices + start)
    # Along the rim the other way, as the missing triangles run.
    following: dict[int, list[int]] = {}
    for first, second in zip(end[alone].tolist(), start[alone].tolist(), strict=True):
        following.setdefault(first, []).append(second)
    loops = []
    while following:
        path = [max(following)]
        while path:
            ways = following.get(path[-1])
            if not ways:  # a rim that does not close, where triangles are turned differently
                path.pop()
                continue
            at = ways.pop()
            if not ways:
                del following[path[-1]]
            if at in path:
                loop = path[path.index(at) :]
                del path[path.index(at) + 1 :]
                if len(loop) > 2:
                    loops.append(np.array(loop, dtype=np.int64))
                if at not in following:
                    path.pop()
            else:
                path.append(at)
    return loops


def filled(draft: Draft, *, longest: int) -> tuple[Draft, int]:
    """Span the holes of at most `longest` edges.

    Parameters
    ----------
    draft : Draft
        Neighbours turned the same way.
    longest : int
        Holes of more edges are left.

    Returns
    -------
    draft : Draft
        With the holes filled, without new vertices.
    left : int
        How many holes are left.

    Notes
    -----
    The triangulation of the rim with the least total area that uses no edge that the surface has already, by dynamic
    programming (G. Barequet and M. Sharir, Computer Aided Geometric Design 12:207-229, 1995).
    """
    triangles = draft.surface.triangles.astype(np.int64)
    count = len(draft.surface.vertices)
    loops = boundary_loops(triangles, count)
    edges = np.sort(np.stack([triangles, np.roll(triangles, -1, axis=1)], axis=2).reshape(-1, 2), axis=1)
    known = set((edges[:, 0] * count + edges[:, 1]).tolist())
    patches, left, spanned = [triangles], 0, 0
    for loop in loops:
        patch = None
        if len(loop) <= longest:
            patch = _spanned(draft.surface.vertices, loop, known, count)
            if patch is None:  # flat triangles are mended later
                patch = _spanned(draft.surface.vertices, loop, known, count, flattest=0.0)
        if patch is None:
            left += 1
            continue
        patches.append(patch)
        spanned += 1
        sides = np.sort(np.stack([patch, np.roll(patch, -1, axis=1)], axis=2).reshape(-1, 2), axis=1)
        known.update((sides[:, 0] * count + sides[:, 1]).tolist())
    result = draft.with_triangles(np.concatenate(patches))
    if spanned:
        number = sum(map(len, patches[1:]))
        result = result.noted(f"filled {spanned} holes with {number} triangles")
    return result, left


def _spanned(
    vertices: FloatArray, loop: IndexArray, known: set[int], count: int, flattest: float = _FLATTEST
) -> IndexArray | None:
    """Return the triangles that span a rim, None if there is no way without an edge that is there already.

    No triangle has an area below `flattest` times the square of its longest edge.
    """
    n = len(loop)
    points = vertices[loop]
    low, high = np.minimum(loop[:, None], loop[None]), np.maximum(loop[:, None], loop[None])
    barred = np.array([[key in known for key in row] for row in (low * count + high).tolist()])
    step = np.arange(n)
    barred[step, (step + 1) % n] = barred[(step + 1) % n, step] = False  # the rim itself
    square = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    cost = np.full((n, n), np.inf)
    cost[step[:-1], step[1:]] = 0.0
    apex = np.zeros((n, n), dtype=np.int64)
    for span in range(2, n):
        for i in range(n - span):
            j = i + span
            if barred[i, j]:
                continue
            between = np.arange(i + 1, j)
            area = 0.5 * np.linalg.norm(np.cross(points[between] - points[i], points[j] - points[i]), axis=1)
            longest = np.maximum(np.maximum(square[i, between], square[between, j]), square[i, j])
            area[area < flattest * longest] = np.inf
            # Of equal areas, as in a plane, the one with the shorter edges.
            total = cost[i, between] + cost[between, j] + area + 1e-6 * longest
            best = int(total.argmin())
            cost[i, j], apex[i, j] = total[best], between[best]
    if not np.isfinite(cost[0, n - 1]):
        return None
    patch, pending = [], [(0, n - 1)]
    while pending:
        i, j = pending.pop()
        if j - i > 1:
            k = int(apex[i, j])
            patch.append((loop[i], loop[k], loop[j]))
            pending += [(i, k), (k, j)]
    return np.array(patch, dtype=np.int64)
