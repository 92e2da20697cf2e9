"""Pose: a group of rigid motions; everything else is rejected with the amount."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as any_array

import meshes

coordinates = any_array(np.float64, 3, elements=st.floats(-100, 100))


@settings(deadline=None, max_examples=100)
@given(coordinates, coordinates, coordinates)
def test_from_axes_points_where_it_is_told(origin, z, y):
    assume(np.linalg.norm(z) > 1e-3 and np.linalg.norm(y) > 1e-3)
    sine = np.linalg.norm(np.cross(z, y)) / np.linalg.norm(z) / np.linalg.norm(y)
    assume(sine > 1e-4)
    pose = meshes.Pose.from_axes(origin, z, y)
    # Rounding of a normalisation, divided by the least sine for y.
    assert np.allclose(pose.z_axis, z / np.linalg.norm(z), rtol=0, atol=1e-14)
    assert pose.y_axis @ y > 0.0
    assert abs(np.linalg.det(np.stack([pose.z_axis, pose.y_axis, y / np.linalg.norm(y)]))) < 1e-11
    assert np.allclose(pose.rotation.T @ pose.rotation, np.eye(3), rtol=0, atol=1e-14)
    assert np.linalg.det(pose.rotation) == pytest.approx(1.0, abs=1e-14)
    assert np.array_equal(pose.origin, origin)


@settings(deadline=None, max_examples=50)
@given(coordinates, coordinates)
def test_inverse_and_composition(origin, point):
    pose = meshes.Pose.from_axes(origin, (1, 2, 3), (0, 1, -1))
    # Positions up to 300 mm: 300 * 2e-16 times a few operations.
    assert np.allclose(pose.inverse().apply(pose.apply(point)), point, rtol=0, atol=1e-12)
    assert np.allclose((pose @ pose.inverse()).matrix, np.eye(4), rtol=0, atol=1e-12)
    other = meshes.Pose.from_axes((5, 6, 7), (0, 1, 0), (0, 0, 1))
    assert np.allclose((pose @ other).apply(point), pose.apply(other.apply(point)), rtol=0, atol=1e-12)


def test_shapes_and_vectors():
    pose = meshes.Pose.from_axes((0, 0, 90), (0, 0, -1), (0, 1, 0))
    assert pose.apply([0, 0, 4]).shape == (3,)
    assert np.array_equal(pose.apply([[0, 0, 4]]), [[0, 0, 86]])
    assert np.array_equal(pose.apply_vectors([0, 0, 4]), [0, 0, -4])
    assert np.array_equal(pose.x_axis, [-1, 0, 0])


def test_copies_cannot_change_a_pose():
    matrix = np.eye(4)
    pose = meshes.Pose(matrix)
    matrix[0, 3] = 5.0
    pose.origin[:] = 5.0
    pose.rotation[:] = 5.0
    assert np.array_equal(pose.matrix, np.eye(4))


def test_a_rotation_printed_with_four_digits_becomes_exact():
    exact = meshes.Pose.from_axes((1, 2, 3), (1, 2, 3), (0, 1, -1))
    read = meshes.Pose(exact.matrix.round(4))
    assert np.allclose(read.rotation.T @ read.rotation, np.eye(3), rtol=0, atol=1e-14)
    # The nearest rotation is no farther from the exact one than twice the rounding, 5e-5 per entry of nine.
    assert np.linalg.norm(read.rotation - exact.rotation) < 2 * 3 * 5e-5


@pytest.mark.parametrize(
    ("matrix", "sentence"),
    [
        (np.diag([1.0, 1.05, 1, 1]), r"matrix must not scale: .* got lengths 1, 1\.05, 1 of the x, y and z axes"),
        (np.diag([1.0, 1, -1, 1]), r"matrix must be right-handed, .* got determinant -1"),
        (np.zeros((4, 4)), r"matrix must have the last row"),
        (np.diag([0.0, 0, 0, 1]), r"matrix must not scale"),
        (np.eye(3), r"matrix must be an array of shape \(4, 4\); got shape \(3, 3\)"),
        (np.diag([1, 1, 1, np.nan]), r"matrix must be finite"),
        ("matrix", r"matrix must be an array of numbers"),
        (np.eye(4) + np.eye(4, k=-3) * 7, r"matrix must have the last row \(0, 0, 0, 1\); .* Is it transposed\?"),
    ],
)
def test_bad_matrices_get_a_sentence(matrix, sentence):
    with pytest.raises(ValueError, match=sentence):
        meshes.Pose(matrix)


def test_shear_is_given_in_degrees():
    matrix = np.eye(4)
    matrix[:3, 1] = [np.sin(np.radians(2)), np.cos(np.radians(2)), 0]
    with pytest.raises(ValueError, match=r"matrix must not shear: .* got 88 degrees between the x-y axes"):
        meshes.Pose(matrix)


def test_from_axes_rejects_parallel_and_zero():
    with pytest.raises(ValueError, match="y must not be parallel to z"):
        meshes.Pose.from_axes((0, 0, 0), (0, 0, 1), (0, 0, -2))
    with pytest.raises(ValueError, match="z must be a direction, not the zero vector"):
        meshes.Pose.from_axes((0, 0, 0), (0, 0, 0), (0, 1, 0))
