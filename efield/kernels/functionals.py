"""Functionals of the field: their weights for the charge on each triangle, and the field of their current elements."""

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


@kernel
def add_current_elements(out: F64, points: F64, positions: F64, currents: F64) -> None:
    """Add the sum over elements of J x (x - x_s) / |x - x_s|^3 to `out`, for each functional.

    Parameters
    ----------
    out : ndarray, shape (n_points, n_functionals, 3)
        Added to.
    points : ndarray, shape (n_points, 3)
        Points (mm), off the elements.
    positions, currents : ndarray, shape (n_elements, 3), (n_elements, n_functionals, 3)
        Elements (mm).
    """
    for i in prange(points.shape[0]):
        for s in range(positions.shape[0]):
            dx = points[i, 0] - positions[s, 0]
            dy = points[i, 1] - positions[s, 1]
            dz = points[i, 2] - positions[s, 2]
            r2 = dx * dx + dy * dy + dz * dz
            scale = 1.0 / (r2 * math.sqrt(r2))
            for f in range(currents.shape[1]):
                jx = scale * currents[s, f, 0]
                jy = scale * currents[s, f, 1]
                jz = scale * currents[s, f, 2]
                out[i, f, 0] += jy * dz - jz * dy
                out[i, f, 1] += jz * dx - jx * dz
                out[i, f, 2] += jx * dy - jy * dx
