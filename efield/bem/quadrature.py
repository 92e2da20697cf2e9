"""Quadratures on a triangle: barycentric points and weights that sum to one.

Sources: G. Strang and G. Fix, An Analysis of the Finite Element Method (1973), table 4.1; D. A. Dunavant, Int. J.
Numer. Methods Eng. 21:1129-1148 (1985).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


def _orbit(a: float) -> list[list[float]]:
    b = 1.0 - 2.0 * a
    return [[b, a, a], [a, b, a], [a, a, b]]


_ROOT15 = math.sqrt(15.0)

THREE_POINTS: F64 = np.array(_orbit(1.0 / 6.0))
THREE_WEIGHTS: F64 = np.full(3, 1.0 / 3.0)
"""Exact to degree 2."""

SEVEN_POINTS: F64 = np.array([[1.0 / 3.0] * 3, *_orbit((6.0 - _ROOT15) / 21.0), *_orbit((6.0 + _ROOT15) / 21.0)])
SEVEN_WEIGHTS: F64 = np.array([0.225] + [(155.0 - _ROOT15) / 1200.0] * 3 + [(155.0 + _ROOT15) / 1200.0] * 3)
"""Exact to degree 5."""


def points_on(corners: F64, barycentric: F64) -> F64:
    """Return the quadrature points of each triangle, shape (n, n_q, 3), from corners (n, 3, 3)."""
    points: F64 = np.einsum("qv,nvd->nqd", barycentric, corners)
    return points
