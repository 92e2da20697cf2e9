"""Reciprocity against direct solutions: two routes to the same number."""

import numpy as np
import pytest

import coils
import efield
import meshes
from efield.bem.reciprocity import ReciprocalField

POSES = 20
RADII, SIGMA = [90, 84, 76, 60], [0.465, 0.01, 0.275, 0.126]
CENTRES = [(0, 0, 0), (0, 0, 0), (2, -1, 3), (3, 2, 5)]


@pytest.fixture(scope="module")
def head():
    """A thin low-conducting shell around displaced spheres: charges on every interface."""
    return meshes.sphere_head(RADII, SIGMA, subdivisions=2, centres=CENTRES)


@pytest.fixture(scope="module")
def solver(head):
    return efield.BemSolver(head)


@pytest.fixture(scope="module")
def coil():
    return coils.load_coil("magstim-70mm")


@pytest.fixture(scope="module")
def patch(head):
    return efield.Target(position=(-20.0, 10.0, 62.0), radius=16.0).on(head)


@pytest.fixture(scope="module")
def reciprocal(solver, patch):
    return ReciprocalField(solver, patch.points, patch.weights, np.eye(3))


@pytest.fixture(scope="module")
def poses(head, coil):
    """Random legal poses: casing clear of the scalp by 0 to 15 mm, any direction of the handle."""
    rng = np.random.default_rng(2)
    return [
        efield.place(
            head,
            rng.normal(size=3) * [40.0, 40.0, 20.0] + [0.0, 0.0, 90.0],
            handle=rng.normal(size=3),
            distance=rng.uniform(0.0, 15.0),
            coil=coil,
        )
        for _ in range(POSES)
    ]


def test_the_functional_is_that_of_the_direct_solution(solver, coil, patch, reciprocal, poses):
    """Issue 2's bar is 0.5 %. Measured: 6e-5 under the coil, 3e-4 on the other side of the head, where it is weak."""
    for pose in poses:
        direct = patch.mean(solver.solve(coil, pose, points=patch.points).vectors)
        found = reciprocal.functional(coil, pose)
        assert found.shape == (3,)
        assert np.linalg.norm(found - direct) <= 6e-4 * np.linalg.norm(direct)


def test_dipoles_anywhere_and_turned_anyhow(solver, patch, reciprocal):
    """The reciprocal field at single points, component by component."""
    rng = np.random.default_rng(3)
    for _ in range(3):
        point = rng.normal(size=3)
        point *= 130.0 / np.linalg.norm(point)
        field = reciprocal.at(point[None])[0]
        assert field.shape == (3, 3)
        for axis in range(3):
            dipole = coils.Coil(positions=point[None], moments=np.eye(3)[axis][None], name="dipole")
            direct = patch.mean(solver.solve(dipole, meshes.Pose(np.eye(4)), points=patch.points).vectors)
            np.testing.assert_allclose(-1e6 * field[:, axis], direct, atol=5e-4 * np.abs(1e6 * field).max())


def test_a_component_is_the_component_of_the_vector(solver, coil, patch, reciprocal, poses):
    direction = np.array([0.6, 0.0, -0.8])
    single = ReciprocalField(solver, patch.points, patch.weights, direction[None])
    for pose in poses[:3]:
        vector = reciprocal.functional(coil, pose)
        # Two solves to a residual of 1e-6, magnified behind the skull.
        assert single.functional(coil, pose)[0] == pytest.approx(vector @ direction, abs=1e-4 * np.linalg.norm(vector))


def test_it_is_linear_in_didt(coil, reciprocal, poses):
    one = reciprocal.functional(coil, poses[0])
    np.testing.assert_allclose(reciprocal.functional(coil, poses[0], didt=-2.5e6), -2.5 * one, rtol=1e-12)


def test_the_reciprocal_field_has_no_source_and_its_curl_converges_to_none():
    """Outside it is the magnetic field of currents that close inside the head.

    Without divergence it is by construction. Without curl it is if a gradient added to the primary field changes
    nothing (a uniform field is shielded), which holds for the continuous equations: the curl falls as their error.
    """
    point, step = np.array([70.0, -80.0, 180.0]), 2.0
    offsets = step * np.concatenate([np.eye(3), -np.eye(3)])
    curls = []
    for subdivisions in (1, 2):
        head = meshes.sphere_head(RADII, SIGMA, subdivisions=subdivisions, centres=CENTRES)
        reciprocal = ReciprocalField(
            efield.BemSolver(head), np.array([[-20.0, 10.0, 62.0]]), np.ones(1), np.eye(3)
        )
        values = reciprocal.at(point + offsets)
        jacobian = (values[:3] - values[3:]) / (2.0 * step)  # derivative, functional, component
        scale = np.abs(jacobian).max()
        # Single precision of the field, 1e-7 to 1e-6, times its distance over the step; measured 4e-3 and 3e-4.
        assert np.abs(np.einsum("dfd->f", jacobian)).max() < 0.01 * scale
        curls.append(np.abs(jacobian - jacobian.transpose(2, 1, 0)).max() / scale)
    assert curls[1] < 0.1
    assert np.log2(curls[0] / curls[1]) > 1.8  # measured: 2.3, and 1.9 from there to the next finer mesh


def test_its_solves_are_reported(reciprocal):
    assert len(reciprocal.result.residuals) == 3
    assert all(history[-1] <= 1e-5 for history in reciprocal.result.residuals)
