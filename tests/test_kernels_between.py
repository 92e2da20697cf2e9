"""What looks between the vertices of a scalp against its slow twin."""

import numpy as np

from efield.kernels.between import stand_off_between
from tests import reference
from tests.kernel_cases import ROUNDING, random_rotations


def test_stand_off_between(rng):
    """With a coarse map that leaves nothing out; what is needed already is never lowered."""
    frames, contacts = random_rotations(rng, 3), rng.normal(size=(3, 3))
    scalp = (3.0 * rng.normal(size=(30, 3)), rng.integers(0, 30, (20, 3)), rng.integers(1, 5, 20))
    fine = np.full((60, 60), -np.inf)
    fine[26:35, 25:33] = rng.normal(size=(9, 8))
    corner, step, angles = np.full(2, -30.0), 1.0, np.array([0.0, 1.3])
    needed = np.full((3, 2), -1e3)
    expected = reference.stand_off_between(needed, frames, contacts, angles, *scalp, fine, corner, step)
    assert (expected > -1e3).all()
    coarse, rings = np.full((60, 60), fine.max()), np.full(60, fine.max())
    poses, shape = (frames, contacts, np.cos(angles), np.sin(angles)), (coarse, rings, fine, corner, step)
    found, kept = needed.copy(), expected + 0.25
    stand_off_between(found, *poses, *scalp, *shape)
    np.testing.assert_allclose(found, expected, rtol=ROUNDING)
    stand_off_between(kept, *poses, *scalp, *shape)
    np.testing.assert_array_equal(kept, expected + 0.25)


def test_where_the_coarse_map_is_empty_nothing_is_looked_at(rng):
    frames, contacts = random_rotations(rng, 1), np.zeros((1, 3))
    vertices, triangles = rng.normal(size=(9, 3)), np.arange(9).reshape(3, 3)
    empty, full = np.full((10, 10), -np.inf), np.ones((10, 10))
    out = np.full((1, 1), -7.0)
    scalp = (vertices, triangles, np.full(3, 2))
    shape = (np.full(10, 1.0), full, np.full(2, -5.0), 1.0)
    stand_off_between(out, frames, contacts, np.ones(1), np.zeros(1), *scalp, empty, *shape)
    assert out[0, 0] == -7.0
    stand_off_between(out, frames, contacts, np.ones(1), np.zeros(1), *scalp, full, *shape)
    local = vertices @ frames[0]
    assert out[0, 0] >= 1.0 - local[:, 2].max()
