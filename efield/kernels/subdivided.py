"""Field of charge that varies within triangles: four children of each, every one with its own density."""

from __future__ import annotations

import math

import numpy as np
from numba import prange
from numpy.typing import NDArray

from efield._jit import kernel
from efield.kernels.panels import triangle_field

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@kernel
def field_of_children(
    out: F64, points: F64, first: I64, chosen: I64, corners: F64, normals: F64, densities: F64
) -> None:
    """Compute the field at points of the children of the triangles listed for each point, in closed form.

    Parameters
    ----------
    out : ndarray, shape (n_points, 3)
        Overwritten (V/m).
    points : ndarray, shape (n_points, 3)
        Points (mm), on no child.
    first, chosen : ndarray, shape (n_points + 1,), (n_listed,)
        The triangles of point i are chosen[first[i]:first[i + 1]].
    corners, normals : ndarray, shape (4 * n_triangles, 3, 3), (4 * n_triangles, 3)
        Children 4 t to 4 t + 3 belong to triangle t (mm).
    densities : ndarray, shape (n_triangles, 4)
        Charge over eps0 on each child (V/m).
    """
    quarter = 1.0 / (4.0 * math.pi)
    for i in prange(points.shape[0]):
        x = points[i, 0]
        y = points[i, 1]
        z = points[i, 2]
        ex = 0.0
        ey = 0.0
        ez = 0.0
        for at in range(first[i], first[i + 1]):
            t = chosen[at]
            for c in range(4):
                fx, fy, fz = triangle_field(corners, normals, 4 * t + c, x, y, z)
                ex += densities[t, c] * fx
                ey += densities[t, c] * fy
                ez += densities[t, c] * fz
        out[i, 0] = quarter * ex
        out[i, 1] = quarter * ey
        out[i, 2] = quarter * ez
