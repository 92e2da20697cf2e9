r"""Magnetic dipoles: the sum of m x (r - s) / |r - s|^3 over dipoles, without units or constants."""

from __future__ import annotations

import math

import numpy as np
from numba import prange
from numpy.typing import NDArray

from efield._jit import kernel

F64 = NDArray[np.float64]


@kernel
def dipole_potential(out: F64, points: F64, positions: F64, moments: F64) -> None:
    """Fill `out` with sum_s m_s x (r - s) / |r - s|^3.

    Parameters
    ----------
    out, points : ndarray, shape (n_points, 3)
        Sum and points.
    positions, moments : ndarray, shape (3, n_dipoles)
        Dipoles, one row for each axis: so the compiler loads several at a time. At a dipole itself the sum is infinite
        or NaN.
    """
    for i in prange(points.shape[0]):
        x = points[i, 0]
        y = points[i, 1]
        z = points[i, 2]
        ax = 0.0
        ay = 0.0
        az = 0.0
        for s in range(positions.shape[1]):
            dx = x - positions[0, s]
            dy = y - positions[1, s]
            dz = z - positions[2, s]
            inverse = 1.0 / (dx * dx + dy * dy + dz * dz)
            scale = inverse * math.sqrt(inverse)
            ax += scale * (moments[1, s] * dz - moments[2, s] * dy)
            ay += scale * (moments[2, s] * dx - moments[0, s] * dz)
            az += scale * (moments[0, s] * dy - moments[1, s] * dx)
        out[i, 0] = ax
        out[i, 1] = ay
        out[i, 2] = az
