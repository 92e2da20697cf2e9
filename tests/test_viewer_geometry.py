"""Views and slices: the geometry under the pictures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import meshes
from efield.viewer.slices import cut, inside_cut, loops
from efield.viewer.view import View, letters, tangent, upright

UNIT = st.floats(-1.0, 1.0)
DIRECTION = st.tuples(UNIT, UNIT, UNIT).map(np.array).filter(lambda v: np.linalg.norm(v) > 0.1)


def area(outline: np.ndarray) -> float:
    """Signed area of a plane outline, positive when counter-clockwise (shoelace)."""
    x, y = outline.T
    return 0.5 * float(x @ np.roll(y, -1) - y @ np.roll(x, -1))


def axes_of(normal: np.ndarray) -> np.ndarray:
    first = tangent(np.eye(3)[np.abs(normal).argmin()], normal)
    return np.stack([first, np.cross(normal, first)])


@given(normal=DIRECTION, height=st.floats(-80.0, 80.0))
@settings(deadline=None, max_examples=40)
def test_a_cut_sphere_is_one_circle_counter_clockwise(normal: np.ndarray, height: float) -> None:
    sphere = meshes.icosphere(4, radius=90.0)
    normal = normal / np.linalg.norm(normal)
    points, share, edges, segments = cut(sphere, height * normal, normal)
    # Points lie in the plane and on their edges, to rounding.
    assert np.abs((points - height * normal) @ normal).max() < 1e-10
    ends = sphere.vertices[edges]
    assert np.allclose(points, ends[:, 0] * (1.0 - share)[:, None] + ends[:, 1] * share[:, None], atol=1e-10)
    (outline,) = loops(points @ axes_of(normal).T, segments)
    assert len(outline) == len(segments)
    # 5120 flat triangles lie up to 0.17 % of the radius inside the sphere (sagitta of the longest edge), so the
    # section's squared radius lacks up to 2 * 0.0017 * 90^2 mm^2.
    exact = np.pi * (90.0**2 - height**2)
    assert exact - np.pi * 0.0034 * 90.0**2 - 1e-6 <= area(outline) <= exact


def test_a_cut_through_vertices_is_closed() -> None:
    """The icosphere has many vertices at x = 0: none may open the outline or be counted twice."""
    sphere = meshes.icosphere(3, radius=1.0)
    assert (sphere.vertices[:, 0] == 0.0).sum() > 10
    points, _, _, segments = cut(sphere, (0, 0, 0), (1, 0, 0))
    (outline,) = loops(points[:, 1:], segments)
    assert len(outline) == len(segments)


def test_a_hole_runs_the_other_way() -> None:
    outer, inner = meshes.icosphere(3, radius=2.0), meshes.icosphere(3, radius=1.0)
    shell = meshes.Surface(
        np.concatenate([outer.vertices, inner.vertices]),
        np.concatenate([outer.triangles, inner.triangles[:, ::-1] + len(outer.vertices)]),
    )
    points, _, _, segments = cut(shell, (0, 0, 0.01), (0, 0, 1))
    signs = sorted(np.sign(area(outline)) for outline in loops(points[:, :2], segments))
    assert signs == [-1.0, 1.0]


def test_a_plane_that_misses_cuts_nothing() -> None:
    points, share, edges, segments = cut(meshes.icosphere(1), (0, 0, 5), (0, 0, 1))
    assert len(points) == len(share) == len(edges) == len(segments) == 0
    assert loops(points, segments) == []


def test_an_open_outline_is_left_out() -> None:
    strip = meshes.Surface([[0, 0, -1], [1, 0, 1], [0, 1, 1]], [[0, 1, 2]])
    points, _, _, segments = cut(strip, (0, 0, 0), (0, 0, 1))
    assert len(segments) == 1
    assert loops(points, segments) == []


@given(x=st.floats(-2.0, 2.0), y=st.floats(-2.0, 2.0))
@settings(deadline=None)
def test_points_inside_a_cut_sphere(x: float, y: float) -> None:
    sphere = meshes.icosphere(4, radius=1.0)
    distance = np.hypot(x, y)
    if abs(distance - 1.0) < 0.004:  # the flat triangles' share of the radius, 0.17 %, and to spare
        return
    (inside,) = inside_cut(sphere, (0, 0, 0), np.eye(3)[:2], np.array([[x, y]]))
    assert inside == (distance < 1.0)


@given(towards=DIRECTION, up=DIRECTION, point=DIRECTION)
@settings(deadline=None)
def test_a_view_keeps_lengths_and_hands(towards: np.ndarray, up: np.ndarray, point: np.ndarray) -> None:
    if np.linalg.norm(np.cross(towards, up)) < 0.05:
        return
    view = View("head", (1.0, 2.0, 3.0), towards, up, 100.0, (400, 200))
    frame = np.stack([view.right, view.up, view.towards])
    assert np.allclose(frame @ frame.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(frame) == pytest.approx(1.0, abs=1e-12)  # right, up, towards the eye: right-handed
    assert view.width == 200.0
    spot = view.project(view.centre + point)[0]
    # Pythagoras: what is not seen is the part along the view.
    unseen = point @ view.towards
    assert np.linalg.norm(spot) ** 2 + unseen**2 == pytest.approx(point @ point, abs=1e-10)


def test_anterior_is_up_except_over_the_face() -> None:
    assert np.allclose(upright([0, 0, 1]), [0, 1, 0])
    assert np.allclose(upright([0, 1, 0]), [0, 0, 1])


@pytest.mark.parametrize(
    ("direction", "name"),
    [((1, 0, 0), "R"), ((-1, 0, 0), "L"), ((0, -1, 0), "P"), ((0, 0, -1), "I"), ((-0.7, 0, 0.6), "LS")],
)
def test_letters_are_those_of_ras(direction: tuple[float, float, float], name: str) -> None:
    assert letters(direction) == name
