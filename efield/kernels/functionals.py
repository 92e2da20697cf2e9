"""Weights of a functional of the field with respect to the charge on each triangle."""

from __future__ import annotations

import math

import numpy as np
from numba import prange
from numpy.typing import NDArray

from efield._jit import kernel
from efield.kernels.panels import triangle_field

F64 = NDArray[np.float64]


@kernel
def mean_field_of_triangles(out: F64, points: F64, weights: F64, corners: F64, normals: F64) -> None:
    """Fill `out` with the weighted sum over points of the field of each triangle with unit charge density.

    Parameters
    ----------
    out : ndarray, shape (n_triangles, 3)
        Sum of weights[p] * Int_t (x_p - y) / (4 pi |x_p - y|^3) dS(y), in closed form.
    points, weights : ndarray, shape (n_points, 3), (n_points,)
        Points (mm).
    corners, normals : ndarray, shape (n_triangles, 3, 3), (n_triangles, 3)
        Triangles (mm).
    """
    for t in prange(corners.shape[0]):
        ax = 0.0
        ay = 0.0
        az = 0.0
        for p in range(points.shape[0]):
            fx, fy, fz = triangle_field(corners, normals, t, points[p, 0], points[p, 1], points[p, 2])
            ax += weights[p] * fx
            ay += weights[p] * fy
            az += weights[p] * fz
        scale = 1.0 / (4.0 * math.pi)
        out[t, 0] = scale * ax
        out[t, 1] = scale * ay
        out[t, 2] = scale * az
