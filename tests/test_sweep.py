"""All angles of a coil at once: stand-off and fields agree with one pose after the other."""

import numpy as np
import pytest

import coils
import efield
import meshes
from efield.kernels.placement import stand_off
from efield.kernels.turns import field_at_nodes, stand_off_of_turns
from efield.targeting.landscape import Landscape
from efield.targeting.objectives import strength
from efield.targeting.placements import Placements
from efield.targeting.sweep import AngleSweep
from efield.targeting.target_field import TargetField
from tests import reference


@pytest.fixture(scope="module")
def head():
    return meshes.sphere_head([90.0, 80.0], [0.465, 0.3], subdivisions=2)


@pytest.fixture(scope="module")
def target():
    return efield.Target(position=(-20.0, 10.0, 62.0), radius=12.0)


@pytest.fixture(scope="module")
def fields(head, target):
    return TargetField(efield.BemSolver(head), [target.on(head)])


def small_coil(depth):
    """Two rings of dipoles of opposite sign; in layers if it has a depth, and with moments off its axis."""
    turn = 2.0 * np.pi * np.arange(12) / 12
    ring = np.column_stack([15.0 * np.cos(turn), 15.0 * np.sin(turn), np.full(12, -6.0)])
    positions = np.concatenate([ring + np.array([25.0, 0.0, 0.0]), ring - np.array([25.0, 0.0, depth])])
    moments = np.tile([0.1, 0.2, 1.0], (24, 1)) * 1e-3
    moments[12:] *= -1.0
    casing = coils.load_coil("magstim-25mm").casing
    return coils.Coil(positions=positions, moments=moments, name="small", casing=casing)


@pytest.mark.parametrize("depth", [0.0, 3.0, 12.0])
def test_all_angles_at_once_are_the_angles_one_by_one(head, target, fields, depth):
    coil = small_coil(depth)
    space = Placements(head, coil, target, 4.0, 25.0, 8.0, 15.0)
    table = fields.table(coil, space.rotations, space.origins, spare=6.0, distance=4.0)
    axes, contacts = space.sites
    distances, _ = space.clearance.of_turns(axes, contacts, space.angles)
    got = AngleSweep(table, space.angles).means(axes, contacts, distances)
    assert got.shape == (len(contacts), len(space.angles), 1, 3)
    direct = table.means(space.rotations, space.origins).reshape(got.shape)
    # Polynomials on the nodes against sums over the sources, both from one table: 1e-4 of the greatest.
    np.testing.assert_allclose(got, direct, atol=3e-4 * np.linalg.norm(direct, axis=-1).max())


def test_distances_may_vary_with_the_angle_up_to_a_limit(head, target, fields):
    coil = small_coil(3.0)
    space = Placements(head, coil, target, 4.0, 6.0, 6.0, 30.0)
    axes, contacts = space.sites
    wavy = 5.0 + np.abs(6.0 * np.sin(space.angles))[None] * np.array([[0.5], [1.0], [0.1], [1.5], [2.5]])
    turned, far = space.rotations, np.repeat(contacts, len(space.angles), axis=0)
    origins = far - wavy.reshape(-1, 1) * turned[:, :, 2]
    table = fields.table(coil, turned, origins, spare=20.0)
    got = AngleSweep(table, space.angles).means(axes, contacts, wavy)
    direct = table.means(turned, origins).reshape(got.shape)
    spread = np.ptp(wavy, axis=1)
    near = spread <= 6.0
    assert near.sum() >= 3
    np.testing.assert_allclose(got[near], direct[near], atol=1e-3 * np.linalg.norm(direct, axis=-1).max())
    assert np.isnan(got[spread > 12.0]).all(), "those are evaluated one by one"


def test_bent_coils_are_told_from_flat_ones():
    assert AngleSweep.possible(coils.load_coil("magstim-70mm"))
    assert not AngleSweep.possible(coils.load_coil("magstim-double-cone"))


@pytest.mark.parametrize("name", ["magstim-70mm", "magstim-double-cone"])
def test_the_landscape_holds_the_scores_of_single_poses(head, target, fields, name):
    coil = coils.load_coil(name)
    prepared = strength().prepare(head, [target])
    space = Placements(head, coil, target, 4.0, 8.0, 8.0, 45.0)
    landscape = Landscape.survey(fields, coil, space, prepared, lambda *_: None)
    single = np.linalg.norm(fields._directly(coil, space.rotations, space.origins)[:, 0], axis=1)
    # The table's interpolation: 1e-3 of the greatest at 3 mm.
    np.testing.assert_allclose(landscape.values.ravel(), single, atol=2e-3 * single.max())


# ------------------------------------------------------------------------------------------------------ kernels


def random_frames(rng, count):
    return np.ascontiguousarray(np.linalg.qr(rng.normal(size=(count, 3, 3)))[0])


def test_stand_off_of_turns_is_that_of_each_turned_frame(rng):
    scalp = rng.normal(size=(300, 3)) * 20.0
    height = rng.normal(size=(14, 10)) * 4.0
    height[rng.random(height.shape) < 0.3] = -np.inf
    corner, step = np.array([-15.0, -9.0]), 2.0
    frames, contacts = random_frames(rng, 5), rng.normal(size=(5, 3))
    angles = np.linspace(0.0, 2.0 * np.pi, 7, endpoint=False)
    rings = int(np.ceil(np.hypot(19.0, 13.0) / step)) + 1
    most, least = np.full(rings, height.max()), np.full(rings, -np.inf)
    out, bump = np.empty((5, 7)), np.empty(5)
    turns = np.cos(angles), np.sin(angles)
    stand_off_of_turns(out, bump, frames, contacts, *turns, scalp, height, corner, step, most, least)
    for column, angle in enumerate(angles):
        x, y, z = frames[:, :, 0], frames[:, :, 1], frames[:, :, 2]
        c, s = np.cos(angle), np.sin(angle)
        turned = np.ascontiguousarray(np.stack([c * x - s * y, c * y + s * x, z], axis=2))
        expected = np.empty(5)
        stand_off(expected, turned, contacts, scalp, height, corner, step)
        np.testing.assert_allclose(out[:, column], np.maximum(expected, -1e300), rtol=1e-12, atol=1e-9)
    local = np.einsum("pji,psj->psi", frames, scalp[None] - contacts[:, None])
    reach = np.hypot(local[:, :, 0], local[:, :, 1]) < rings * step
    np.testing.assert_allclose(bump, np.where(reach, -local[:, :, 2], -np.inf).max(axis=1), rtol=1e-12)


def test_field_at_nodes_is_the_interpolated_table_in_the_frames_of_the_poses(rng):
    table = rng.normal(size=(16, 16, 16, 2, 3)).astype(np.float32)
    corner, step = np.full(3, -8.0), 1.1
    rotations, origins, nodes = random_frames(rng, 3), rng.uniform(-1.0, 1.0, (3, 3)), rng.normal(size=(4, 3))
    out = np.empty((3, 2, 12), dtype=np.float32)
    field_at_nodes(out, rotations, origins, nodes, table, corner, step)
    for node in range(4):
        for axis in range(3):
            # A dipole along one axis of the pose at the node picks one component.
            moment = np.eye(3)[axis][None]
            one = reference.functional_of_poses(rotations, origins, nodes[node][None], moment, table, corner, step)
            np.testing.assert_allclose(out[:, :, 3 * node + axis], one, rtol=1e-5, atol=1e-5)
    field_at_nodes(out, rotations, origins + 100.0, nodes, table, corner, step)
    assert np.isnan(out).all(), "outside the table"
