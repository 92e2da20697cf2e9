r"""Current elements: the sum of v / |r - s| over point-like pieces of wire, without units or constants."""

from __future__ import annotations

import math

import numpy as np
from numba import prange
from numpy.typing import NDArray

from efield._jit import kernel

F64 = NDArray[np.float64]


@kernel
def add_element_potential(out: F64, points: F64, positions: F64, currents: F64) -> None:
    """Add the sum over elements of J / |x - x_s| to `out`, for one or several sets of currents.

    Parameters
    ----------
    out : ndarray, shape (n_points, n_sets, 3)
        Added to.
    points : ndarray, shape (n_points, 3)
        Points. At an element itself the sum is infinite or NaN.
    positions, currents : ndarray, shape (n_elements, 3), (n_elements, n_sets, 3)
        Elements, in the unit of length of the points.
    """
    for i in prange(points.shape[0]):
        for s in range(positions.shape[0]):
            dx = points[i, 0] - positions[s, 0]
            dy = points[i, 1] - positions[s, 1]
            dz = points[i, 2] - positions[s, 2]
            inverse = math.sqrt(1.0 / (dx * dx + dy * dy + dz * dz))
            for f in range(currents.shape[1]):
                out[i, f, 0] += inverse * currents[s, f, 0]
                out[i, f, 1] += inverse * currents[s, f, 1]
                out[i, f, 2] += inverse * currents[s, f, 2]
