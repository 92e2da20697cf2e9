"""The compiled parts of the search for a placement against their slow twins."""

import numpy as np
import pytest

from efield.kernels import placement
from tests import reference
from tests.kernel_cases import ROUNDING, SINGLE, random_rotations, scaled


def test_stand_off(rng):
    rotations, origins = random_rotations(rng, 4), rng.normal(size=(4, 3))
    scalp, height = 3.0 * rng.normal(size=(60, 3)), rng.normal(size=(5, 4))
    height[0, 0] = -np.inf
    corner = np.array([-4.0, -3.0])
    out = np.full(4, np.nan)
    placement.stand_off(out, rotations, origins, scalp, height, corner, 1.5)
    np.testing.assert_allclose(out, reference.stand_off(rotations, origins, scalp, height, corner, 1.5), rtol=ROUNDING)


@pytest.fixture
def poses(rng):
    """Three poses, four dipoles; the table's nodes cover all of them with room to spare."""
    return random_rotations(rng, 3), rng.uniform(-1.0, 1.0, (3, 3)), rng.normal(size=(4, 3)), rng.normal(size=(4, 3))


def test_functional_of_poses(poses, rng):
    table = rng.normal(size=(16, 16, 16, 2, 3)).astype(np.float32)
    corner = np.full(3, -8.0)
    out = np.full((3, 2), np.nan)
    # The table is interpolated in its own single precision.
    placement.functional_of_poses(out, *poses, table, corner, 1.1)
    np.testing.assert_allclose(out, reference.functional_of_poses(*poses, table, corner, 1.1), rtol=1e-6, atol=1e-6)


def test_functional_of_poses_is_exact_for_cubic_fields(poses, rng):
    corner, step = np.full(3, -8.0), 1.1
    coefficients = rng.normal(size=(4, 4, 4, 2, 3)) / 8.0 ** np.arange(4)[:, None, None, None, None]

    def field(points):
        scaled_points = points / 8.0
        powers = scaled_points[:, :, None] ** np.arange(4)
        return np.einsum("pi,pj,pk,ijkfd->pfd", powers[:, 0], powers[:, 1], powers[:, 2], coefficients)

    axis = corner[0] + step * np.arange(16)
    nodes = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    table = field(nodes).reshape(16, 16, 16, 2, 3).astype(np.float32)
    out = np.empty((3, 2))
    placement.functional_of_poses(out, *poses, table, corner, step)
    rotations, origins, positions, moments = poses
    exact = [
        np.einsum("sfd,sd->f", field(origin + positions @ rotation.T), moments @ rotation.T)
        for rotation, origin in zip(rotations, origins, strict=True)
    ]
    np.testing.assert_allclose(out, exact, atol=10 * SINGLE * scaled(table))  # the table is in single precision
