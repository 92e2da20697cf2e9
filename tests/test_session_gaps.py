"""Distances from casings to the scalp: another library, closed forms, signs at edges."""

import dataclasses

import numpy as np
import pytest

import coils
import efield
import meshes
from efield.session.gaps import casing_gaps, signed_distances
from meshes import Pose
from tests.session_cases import RADIUS, SPOT, box, eight, moved


@pytest.fixture(scope="module")
def head() -> meshes.HeadModel:
    return meshes.sphere_head([RADIUS, 80.0], [0.465, 0.3], subdivisions=2)


@pytest.fixture(scope="module")
def coil() -> coils.Coil:
    return eight()


@pytest.fixture(scope="module")
def optimum(head, coil) -> Pose:
    return efield.place(head, RADIUS * SPOT, handle=(0.0, -1.0, 0.3), distance=5.0, coil=coil)


def test_gaps_are_those_of_another_library(head, coil, optimum, rng):
    """VTK's signed distance of finely cut casings, over poses that cut, touch, and stand off askew."""
    import pyvista

    scalp = pyvista.PolyData.from_regular_faces(head.scalp.vertices, head.scalp.triangles)
    fine = pyvista.PolyData.from_regular_faces(coil.casing.vertices, coil.casing.triangles).subdivide(7)
    for _ in range(6):
        pose = moved(optimum, shift=rng.normal(size=3) * [10, 10, 6], turn=rng.normal(size=3) * 8.0)
        placed = pyvista.PolyData(pose.apply(np.asarray(fine.points, dtype=np.float64)))
        wanted = placed.compute_implicit_distance(scalp)["implicit_distance"].min()
        found = casing_gaps(head, coil, pose.rotation[None], pose.origin[None])[0]
        assert found == pytest.approx(wanted, abs=0.1)


def test_gaps_of_two_balls_are_known(head):
    """A ball over a ball: centres apart less both radii, in and out of it; facets of both are below 2.5 mm deep."""
    ball = meshes.sphere_head([20.0], [0.3], subdivisions=3).scalp
    coil = coils.Coil(positions=[[0, 0, 0]], moments=[[0, 0, 1.0]], name="ball", casing=ball)
    apart = np.array([150.0, 115.0, 110.0, 100.0])
    found = casing_gaps(head, coil, np.tile(np.eye(3), (4, 1, 1)), apart[:, None] * SPOT)
    np.testing.assert_allclose(found, apart - RADIUS - 20.0, atol=2.5)
    assert found[3] < -7.0
    np.testing.assert_allclose(np.diff(found), np.diff(apart), atol=0.3)


def test_without_a_casing_the_origin_stands_for_it(head, coil):
    bare = dataclasses.replace(coil, casing=None)
    origins = (
        np.array([100.0, 70.0])[:, None] * head.scalp.vertices[0] / RADIUS
    )  # over a corner, which is on the sphere
    found = casing_gaps(head, bare, np.tile(np.eye(3), (2, 1, 1)), origins)
    assert found[0] == pytest.approx(10.0, abs=1e-9)
    assert -20.0 <= found[1] < -17.0


def test_signs_hold_at_the_corners_of_a_box(rng):
    """At edges the nearest triangle does not tell the side; the box's own formula does."""
    surface = box(10.0, 6.0, 8.0)
    points = rng.uniform(-16.0, 16.0, size=(2000, 3))
    beyond = np.abs(points - [0.0, 0.0, -4.0]) - [10.0, 6.0, 4.0]
    exact = np.linalg.norm(np.maximum(beyond, 0.0), axis=1) + np.minimum(beyond.max(axis=1), 0.0)
    np.testing.assert_allclose(signed_distances(surface, points), exact, atol=1e-9)
