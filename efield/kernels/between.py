"""Look between the vertices of a scalp for what a casing would cut."""

from __future__ import annotations

import math

import numpy as np
from numba import prange
from numpy.typing import NDArray

from efield._jit import inline, kernel

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@inline
def _over(x: float, y: float, height: F64, corner: F64, step: float) -> float:
    """Return the height over a point of the x-y plane; -inf beside the map."""
    u = math.floor((x - corner[0]) / step)
    v = math.floor((y - corner[1]) / step)
    if u < 0 or v < 0 or u >= height.shape[0] or v >= height.shape[1]:
        return -math.inf
    return float(height[u, v])


@kernel
def stand_off_between(
    out: F64,
    frames: F64,
    contacts: F64,
    cosines: F64,
    sines: F64,
    vertices: F64,
    triangles: I64,
    parts: I64,
    coarse: F64,
    rings: F64,
    fine: F64,
    corner: F64,
    step: float,
) -> None:
    """Raise the distances that the vertices of a scalp ask for to those that the points between them ask for.

    Parameters
    ----------
    out : ndarray, shape (n_contacts, n_angles)
        Distance (mm) from the contact back along -z that the vertices need, at each angle; raised in place.
    frames, contacts : ndarray, shape (n_contacts, 3, 3), (n_contacts, 3)
        Coil axes at the angle 0 as columns, and points of the scalp (mm).
    cosines, sines : ndarray, shape (n_angles,)
        Of the angles; the coil's axes are x' = cos x - sin y, y' = cos y + sin x.
    vertices, triangles : ndarray, shape (n_points, 3), (n_triangles, 3)
        The scalp (mm).
    parts : ndarray, shape (n_triangles,)
        In how many parts to cut the edges of a triangle; the corners of its parts^2 parts are looked at.
    coarse : ndarray, shape (n_x, n_y)
        Greatest height of the casing within reach of a triangle from its centroid (mm): a triangle is left out if that
        asks for no more than is needed already; -inf where there is nothing to be found between its corners.
    rings : ndarray, shape (n_rings,)
        Greatest of `coarse` at distances from the axis of k * step to (k + 1) * step.
    fine : ndarray, shape (n_x, n_y)
        Height of the casing (mm); -inf beside it.
    corner, step : ndarray, shape (2,), float
        Lower corner of the first cell and edge of a cell (mm), of both maps.
    """
    top = rings.max()
    for i in prange(contacts.shape[0]):
        local = np.empty((vertices.shape[0], 3))
        least = out[i].min()
        for p in range(vertices.shape[0]):
            dx = vertices[p, 0] - contacts[i, 0]
            dy = vertices[p, 1] - contacts[i, 1]
            dz = vertices[p, 2] - contacts[i, 2]
            for axis in range(3):
                local[p, axis] = frames[i, 0, axis] * dx + frames[i, 1, axis] * dy + frames[i, 2, axis] * dz
        chosen = np.empty(triangles.shape[0], dtype=np.int64)
        middle = np.empty((triangles.shape[0], 2))
        highest = np.empty(triangles.shape[0])
        bound = np.empty(triangles.shape[0])
        count = 0
        for t in range(triangles.shape[0]):
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            z = min(local[a, 2], local[b, 2], local[c, 2])
            if top - z <= least:
                continue
            x = (local[a, 0] + local[b, 0] + local[c, 0]) / 3.0
            y = (local[a, 1] + local[b, 1] + local[c, 1]) / 3.0
            ring = math.floor(math.sqrt(x * x + y * y) / step)
            if ring >= rings.shape[0] or rings[ring] - z <= least:
                continue
            chosen[count] = t
            middle[count, 0] = x
            middle[count, 1] = y
            highest[count] = z
            bound[count] = rings[ring] - z
            count += 1
        corners = np.empty((3, 3))
        for j in range(cosines.shape[0]):
            best = out[i, j]
            for n in range(count):
                if bound[n] <= best:
                    continue
                x = cosines[j] * middle[n, 0] - sines[j] * middle[n, 1]
                y = cosines[j] * middle[n, 1] + sines[j] * middle[n, 0]
                if _over(x, y, coarse, corner, step) - highest[n] <= best:
                    continue
                t = chosen[n]
                for k in range(3):
                    p = triangles[t, k]
                    corners[k, 0] = cosines[j] * local[p, 0] - sines[j] * local[p, 1]
                    corners[k, 1] = cosines[j] * local[p, 1] + sines[j] * local[p, 0]
                    corners[k, 2] = local[p, 2]
                for a in range(parts[t] + 1):
                    for b in range(parts[t] + 1 - a):
                        s = a / parts[t]
                        q = b / parts[t]
                        r = 1.0 - s - q
                        x = r * corners[0, 0] + s * corners[1, 0] + q * corners[2, 0]
                        y = r * corners[0, 1] + s * corners[1, 1] + q * corners[2, 1]
                        z = r * corners[0, 2] + s * corners[1, 2] + q * corners[2, 2]
                        best = max(best, _over(x, y, fine, corner, step) - z)
            out[i, j] = best
