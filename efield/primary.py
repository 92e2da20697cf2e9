"""The primary field of a coil: what the changing current induces in empty space.

Of all that solves, this is the only module that converts millimetres to metres; `efield.analytic`, which measures the
solvers, does so on its own.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from coils import Coil
from efield.kernels.dipoles import dipole_potential
from meshes import Pose

F64 = NDArray[np.float64]

MM_PER_M = 1000.0


@cache
def potential_factor() -> float:
    """Return mu0 / 4 pi for lengths in mm (V s / m per A m^2 / mm^2): A(r) = factor * sum m x d / |d|^3."""
    from scipy.constants import mu_0  # here, so that importing the package loads no SciPy

    return float(mu_0 / (4.0 * np.pi) * MM_PER_M**2)


def primary_field(points: F64, coil: Coil, pose: Pose, *, didt: float = 1e6) -> F64:
    """Return the primary field -dA/dt of a coil (V/m).

    Parameters
    ----------
    points : ndarray, shape (n_points, 3)
        Points in the head's space (mm), C-contiguous.
    coil : Coil
        The coil.
    pose : Pose
        Coil to head.
    didt : float
        Rate of change of the current (A/s).

    Returns
    -------
    ndarray, shape (n_points, 3)
        Infinite or NaN at a dipole of the coil.
    """
    out = np.empty_like(points)
    dipole_potential(out, points, pose.apply(coil.positions), pose.apply_vectors(coil.moments))
    out *= -didt * potential_factor()
    return out
