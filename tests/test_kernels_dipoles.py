"""The compiled field of dipoles against its slow twin."""

import numpy as np

from efield.kernels import dipoles
from tests import reference
from tests.kernel_cases import ROUNDING


def test_dipole_potential(rng):
    points, positions = rng.uniform(-1.0, 1.0, (7, 3)), rng.uniform(2.0, 3.0, (5, 3))
    moments = rng.normal(size=(5, 3))
    out = np.full_like(points, np.nan)
    dipoles.dipole_potential(out, points, np.ascontiguousarray(positions.T), np.ascontiguousarray(moments.T))
    np.testing.assert_allclose(out, reference.dipole_potential(points, positions, moments), rtol=ROUNDING)


def test_dipole_potential_at_a_dipole_is_not_finite():
    out, points = np.zeros((1, 3)), np.array([[1.0, 2.0, 3.0]])
    with np.errstate(all="ignore"):  # without JIT numpy warns
        dipoles.dipole_potential(out, points, np.ascontiguousarray(points.T), np.ones((3, 1)))
    assert not np.isfinite(out).any()
