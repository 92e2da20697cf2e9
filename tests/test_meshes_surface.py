"""Surface: derived geometry against closed forms and invariants."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as any_array

import meshes


@pytest.fixture
def box() -> meshes.Surface:
    """Return a box of 2 x 3 x 4 mm with one corner at (10, 20, 30)."""
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=float)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    triangles = [t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))]
    return meshes.Surface(corners * (2, 3, 4) + (10, 20, 30), triangles, "box")


def test_box_has_its_volume_area_and_normals(box):
    # Sums of a dozen exact products: rounding only.
    assert box.is_closed
    assert box.volume == pytest.approx(24.0, rel=1e-13)
    assert box.areas.sum() == pytest.approx(2 * (6 + 8 + 12), rel=1e-14)
    outward = box.centroids - box.vertices.mean(axis=0)
    assert (np.einsum("ij,ij->i", outward, box.normals) > 0.0).all()
    assert np.allclose(np.linalg.norm(box.normals, axis=1), 1.0, rtol=0, atol=1e-15)
    # Three faces meet at right angles, each of the same weight however it is cut into triangles.
    expected = np.sign(box.vertices - box.vertices.mean(axis=0)) / np.sqrt(3.0)
    assert np.allclose(box.vertex_normals, expected, rtol=0, atol=1e-14)


def test_mean_edge_of_one_triangle():
    triangle = meshes.Surface([[0, 0, 0], [3, 0, 0], [0, 4, 0]], [[0, 1, 2]])
    assert triangle.mean_edge == pytest.approx(4.0, rel=1e-15)
    assert not triangle.is_closed


def test_degenerate_triangle_and_spare_vertex_get_zero_normals():
    surface = meshes.Surface([[0, 0, 0], [1, 0, 0], [2, 0, 0], [5, 5, 5]], [[0, 1, 2]])
    assert np.array_equal(surface.normals, [[0, 0, 0]])
    assert np.array_equal(surface.vertex_normals, np.zeros((4, 3)))


def test_is_closed_sees_holes_doubles_and_turned_triangles(box):
    assert not meshes.Surface(box.vertices, box.triangles[1:]).is_closed
    assert not meshes.Surface(box.vertices, np.vstack([box.triangles, box.triangles])).is_closed
    turned = box.triangles.copy()
    turned[3] = turned[3, ::-1]
    assert not meshes.Surface(box.vertices, turned).is_closed
    assert meshes.Surface(box.vertices, box.triangles[:, ::-1]).is_closed


def test_checksum_follows_content_not_name(box):
    assert meshes.Surface(box.vertices, box.triangles, "other").checksum == box.checksum
    assert meshes.Surface(box.vertices + 1e-12, box.triangles).checksum != box.checksum
    assert meshes.Surface(box.vertices, np.roll(box.triangles, 1, axis=0)).checksum != box.checksum


def test_arrays_are_copies():
    vertices = np.eye(3)
    surface = meshes.Surface(vertices, [[0, 1, 2]])
    vertices[0] = 7.0
    assert np.array_equal(surface.vertices, np.eye(3))


@settings(deadline=None, max_examples=50)
@given(any_array(np.float64, (3, 4), elements=st.floats(-3, 3)))
def test_transformed_scales_volume_and_keeps_triangles_outward(rows):
    matrix = np.vstack([rows, [0, 0, 0, 1]])
    determinant = np.linalg.det(matrix[:3, :3])
    if abs(determinant) < 1e-3:
        return
    sphere = meshes.icosphere(1, radius=10.0)
    moved = sphere.transformed(matrix)
    # Rounding of a few hundred sums, magnified by the shape's thinness (determinant at least 1e-3 of 27 or so).
    assert moved.volume == pytest.approx(abs(determinant) * sphere.volume, rel=1e-9)
    assert moved.is_closed


@pytest.mark.parametrize(
    ("matrix", "sentence"),
    [
        (np.eye(3), r"matrix must be a finite array of shape \(4, 4\); got shape \(3, 3\)"),
        (np.diag([1.0, 1, 0, 1]), r"matrix must be invertible"),
        (np.diag([1.0, 1, 1, 2]), r"matrix must have the last row"),
        (np.full((4, 4), np.nan), r"matrix must be a finite array"),
    ],
)
def test_transformed_rejects(box, matrix, sentence):
    with pytest.raises(ValueError, match=sentence):
        box.transformed(matrix)


def test_construction_names_the_surface():
    with pytest.raises(ValueError, match="vertices of scalp must be finite"):
        meshes.Surface([[np.nan, 0, 0]], np.zeros((0, 3)), "scalp")
