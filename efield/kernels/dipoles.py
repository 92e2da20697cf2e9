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
    positions, moments : ndarray, shape (n_dipoles, 3)
        Dipoles. At a dipole itself the sum is infinite or NaN.
    """
    for i in prange(points.shape[0]):
        ax = 0.0
        ay = 0.0
        az = 0.0
        for s in range(positions.shape[0]):
            dx = points[i, 0] - positions[s, 0]
            dy = points[i, 1] - positions[s, 1]
            dz = points[i, 2] - positions[s, 2]
            r2 = dx * dx + dy * dy + dz * dz
            scale = 1.0 / (r2 * math.sqrt(r2))
            ax += scale * (moments[s, 1] * dz - moments[s, 2] * dy)
            ay += scale * (moments[s, 2] * dx - moments[s, 0] * dz)
            az += scale * (moments[s, 0] * dy - moments[s, 1] * dx)
        out[i, 0] = ax
        out[i, 1] = ay
        out[i, 2] = az
