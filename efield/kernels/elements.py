r"""Current elements: the sum of v / |r - s| over point-like pieces of wire, without units or constants."""

from __future__ import annotations

import math

import numpy as np
from numba import prange
from numpy.typing import NDArray

from efield._jit import kernel

F64 = NDArray[np.float64]


@kernel
def element_potential(out: F64, points: F64, positions: F64, vectors: F64) -> None:
    """Fill `out` with sum_s v_s / |r - s|.

    Parameters
    ----------
    out, points : ndarray, shape (n_points, 3)
        Sum and points. At an element itself the sum is infinite or NaN.
    positions, vectors : ndarray, shape (3, n_elements)
        Elements, one row for each axis: so the compiler loads several at a time, which makes it four times as fast.
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
            inverse = math.sqrt(1.0 / (dx * dx + dy * dy + dz * dz))
            ax += inverse * vectors[0, s]
            ay += inverse * vectors[1, s]
            az += inverse * vectors[2, s]
        out[i, 0] = ax
        out[i, 1] = ay
        out[i, 2] = az
