"""Compute vector potentials of dipoles and circular turns, up to a common factor.

The package needs them to measure how well a set of dipoles stands for a winding and to find the direction of the
induced field. Both are ratios, so that mu0/4pi and the conversion of mm are left out here: they belong to the
solver. Every function gives the potential in the Coulomb gauge for one ampere, in units of mu0/4pi; with moments in
mm^2 it is a pure number.
"""

from collections.abc import Iterator

import numpy as np

from meshes.arrays import FloatArray

__all__ = ["dipole_potential", "element_potential", "turn_potential"]

# Below this squared modulus the elliptic integrals cancel; there the series is good to 5e-10, here the rest to 2e-9.
_SMALL_SQUARE = 1e-3

# Pairs of a point and a source whose distance stands in memory at once.
_PAIRS = 10_000_000


def dipole_potential(points: FloatArray, positions: FloatArray, moments: FloatArray) -> FloatArray:
    """Sum the vector potentials of magnetic dipoles.

    Parameters
    ----------
    points : ndarray, shape (n_points, 3)
        Where to compute the potential (mm), not on a dipole: there it is infinite.
    positions : ndarray, shape (n_dipoles, 3)
        Positions of the dipoles (mm).
    moments : ndarray, shape (n_dipoles, 3)
        Moments per ampere (mm^2).

    Returns
    -------
    ndarray, shape (n_points, 3)
        Sum of m x (r - s) / |r - s|^3.
    """
    total = np.empty((len(points), 3))
    # m x (r - s) = m x r - m x s: two small matrix products instead of one cross product per pair.
    crossed = np.cross(moments, positions)
    for part, square in _squares(points, positions):
        weight = square**-1.5
        total[part] = np.cross(weight @ moments, points[part]) - weight @ crossed
    return total


def element_potential(points: FloatArray, positions: FloatArray, vectors: FloatArray) -> FloatArray:
    """Sum the vector potentials of current elements, each taken as a point.

    Parameters
    ----------
    points : ndarray, shape (n_points, 3)
        Where to compute the potential (mm), not on an element.
    positions : ndarray, shape (n_elements, 3)
        Middles of the elements (mm).
    vectors : ndarray, shape (n_elements, 3)
        From start to end of each, times its turns (mm).

    Returns
    -------
    ndarray, shape (n_points, 3)
        Sum of v / |r - p|.
    """
    total = np.empty((len(points), 3))
    for part, square in _squares(points, positions):
        total[part] = square**-0.5 @ vectors
    return total


def _squares(points: FloatArray, positions: FloatArray) -> Iterator[tuple[slice, FloatArray]]:
    """Yield the squared distances of so many points at a time from all positions that a table has 80 MB at most."""
    step = max(1, _PAIRS // max(len(positions), 1))
    for first in range(0, len(points), step):
        part = slice(first, first + step)
        square = np.zeros((len(points[part]), len(positions)))
        for axis in range(3):
            square += (points[part, axis, None] - positions[:, axis]) ** 2
        yield part, square


def turn_potential(distance: FloatArray, height: FloatArray, radius: FloatArray | float) -> FloatArray:
    """Compute the vector potential of a thin circular turn in closed form.

    Parameters
    ----------
    distance : ndarray, shape (n,)
        Distance of the points from the turn's axis (mm).
    height : ndarray, shape (n,)
        Their distance from the turn's plane (mm).
    radius : float or ndarray broadcastable to (n,)
        Radius of the turn (mm).

    Returns
    -------
    ndarray, shape (n,)
        The component along the current, the only one. Infinite on the wire, zero on the axis.

    Notes
    -----
    With k^2 = 4 a rho / ((a + rho)^2 + z^2), A = 4 sqrt(a/rho) ((1 - k^2/2) K - E) / k: Jackson, Classical
    Electrodynamics, 3rd ed., eq. 5.37.
    """
    from scipy.special import ellipe, ellipk  # here, so that importing the package loads no SciPy

    square = 4.0 * radius * distance / ((radius + distance) ** 2 + height**2)
    small = square < _SMALL_SQUARE
    safe = np.where(small, 0.5, square)
    series = np.pi / 32.0 * square**2 * (1.0 + square * (3.0 / 4.0 + square * 75.0 / 128.0))
    bracket = np.where(small, series, (1.0 - safe / 2.0) * ellipk(safe) - ellipe(safe))
    # sqrt(a/rho)/k = sqrt((a + rho)^2 + z^2) / (2 rho), which needs a care only on the axis.
    factor = 2.0 * np.sqrt((radius + distance) ** 2 + height**2)
    return np.divide(factor * bracket, distance, out=np.zeros_like(bracket), where=distance > 0.0)
