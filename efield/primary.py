r"""The primary field of a coil: what the changing current induces in empty space.

Notes
-----
The sum over the coil's sources of :math:`-\partial A / \partial t`. Dipoles m and current elements v (lengths with
direction) have

.. math:: A(r) = \frac{\mu_0}{4\pi} \sum_s \frac{m_s \times (r - s)}{|r - s|^3}, \qquad
   A(r) = \frac{\mu_0}{4\pi} \sum_s \frac{v_s}{|r - s|},

J. D. Jackson, Classical Electrodynamics, 3rd ed., eq. 5.55 and 5.32; a grid holds A itself. The surface-charge equation
takes :math:`\nabla \cdot A = 0`, which elements have together if they make closed circuits, and not alone.

Of all that solves, this is the only module that converts millimetres to metres; `efield.analytic`, which measures the
solvers, does so on its own.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from coils import Coil
from efield.kernels.dipoles import dipole_potential
from efield.kernels.elements import element_potential
from meshes import Pose

F64 = NDArray[np.float64]

MM_PER_M = 1000.0


@cache
def potential_factor() -> float:
    """Return mu0 / 4 pi for lengths in mm (V s / m per A m^2 / mm^2): A(r) = factor * sum m x d / |d|^3."""
    from scipy.constants import mu_0  # here, so that importing the package loads no SciPy

    return float(mu_0 / (4.0 * np.pi) * MM_PER_M**2)


@cache
def element_factor() -> float:
    """Return mu0 / 4 pi for current elements (T m per A): A(r) = factor * sum v / |d|, whatever the unit of length."""
    return potential_factor() / MM_PER_M**2


def primary_field(points: F64, coil: Coil, pose: Pose, *, didt: float = 1e6) -> F64:
    """Return the primary field -dA/dt of a coil (V/m).

    Parameters
    ----------
    points : ndarray, shape (n_points, 3)
        Points in the head's space (mm), C-contiguous.
    coil : Coil
        The coil: the sum of its dipoles, its current elements and its grid.
    pose : Pose
        Coil to head.
    didt : float
        Rate of change of the current (A/s).

    Returns
    -------
    ndarray, shape (n_points, 3)
        Infinite or NaN at a dipole or current element of the coil.

    Raises
    ------
    ValueError
        If the coil has a grid, and a point lies outside it.
    """
    out = np.zeros_like(points)
    if coil.n_dipoles:
        positions, moments = pose.apply(coil.positions), pose.apply_vectors(coil.moments)
        dipole_potential(out, points, np.ascontiguousarray(positions.T), np.ascontiguousarray(moments.T))
        out *= -didt * potential_factor()
    if coil.segments is not None:
        total = np.empty_like(points)
        positions, vectors = pose.apply(coil.segments.points), pose.apply_vectors(coil.segments.vectors)
        element_potential(total, points, np.ascontiguousarray(positions.T), np.ascontiguousarray(vectors.T))
        out -= didt * element_factor() * total
    if coil.grid is not None:
        try:
            potential = coil.grid.potential(pose.inverse().apply(points))
        except ValueError as error:
            raise ValueError(
                f"pose must bring the head and all points asked for into the grid of {coil.name}; got others: {error}"
            ) from error
        out -= didt * pose.apply_vectors(potential)
    return out
