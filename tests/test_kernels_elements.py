"""The compiled potential of current elements against its slow twin."""

import numpy as np

from efield.kernels import elements
from tests import reference
from tests.kernel_cases import ROUNDING


def test_element_potential(rng):
    points, positions = rng.uniform(-1.0, 1.0, (7, 3)), rng.uniform(2.0, 3.0, (3, 13))
    vectors = rng.normal(size=(3, 13))
    out = np.full_like(points, np.nan)
    elements.element_potential(out, points, positions, vectors)
    expected = reference.element_potential(points, positions, vectors)
    np.testing.assert_allclose(out, expected, rtol=0, atol=10 * ROUNDING)


def test_element_potential_at_an_element_is_not_finite():
    out, points = np.zeros((1, 3)), np.array([[1.0, 2.0, 3.0]])
    with np.errstate(all="ignore"):  # without JIT numpy warns
        elements.element_potential(out, points, np.ascontiguousarray(points.T), np.ones((3, 1)))
    assert not np.isfinite(out).any()
