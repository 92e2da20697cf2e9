"""Casings: closed, outward, plane on the head side, around every dipole and wire."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coils import Coil, circular, figure_of_eight
from coils.casing import casing_surface
from meshes import Surface


def winding_number(surface: Surface, points: np.ndarray) -> np.ndarray:
    """Sum the solid angles of all triangles (van Oosterom and Strackee 1983): 1 inside, 0 outside."""
    total = np.zeros(len(points))
    for index, point in enumerate(points):
        a, b, c = np.moveaxis(surface.corners - point, 1, 0)
        la, lb, lc = (np.linalg.norm(v, axis=1) for v in (a, b, c))
        triple = np.einsum("ij,ij->i", a, np.cross(b, c))
        dots = [np.einsum("ij,ij->i", u, v) for u, v in ((a, b), (a, c), (b, c))]
        total[index] = np.arctan2(triple, la * lb * lc + dots[0] * lc + dots[1] * lb + dots[2] * la).sum()
    return total / (2.0 * np.pi)


def genus(surface: Surface) -> float:
    return 1.0 - (len(surface.vertices) - len(surface.triangles) / 2.0) / 2.0


def check_casing(coil: Coil) -> None:
    casing = coil.casing
    assert casing.is_closed
    assert genus(casing) == 0.0
    wires = np.concatenate([w.path for w in coil.wires])
    for points in (coil.positions[::3], wires[:: len(wires) // 100]):
        # Exactly 1 inside; the sum of angles rounds to about 1e-12.
        np.testing.assert_allclose(winding_number(casing, points), 1.0, atol=1e-9)


def test_flat_figure_of_eight() -> None:
    coil = figure_of_eight(inner_diameter=56, outer_diameter=87, turns=9, clearance=3, casing_margin=5)
    check_casing(coil)
    low, high = coil.casing.vertices.min(axis=0), coil.casing.vertices.max(axis=0)
    # Two discs of radius 48.5 mm about (+-43.5, 0): the polygon's corners are on the arcs, not at their very ends.
    np.testing.assert_allclose([low[0], high[0]], [-92.0, 92.0], atol=0.1)
    np.testing.assert_allclose([low[1], high[1]], [-48.5, 48.5], atol=0.1)
    assert (low[2], high[2]) == (-12.0, 0.0)
    # A waist, not a bar: at x = 0 the casing is 0.7 of the discs wide.
    at_fold = coil.casing.vertices[np.abs(coil.casing.vertices[:, 0]) < 1e-12]
    assert at_fold[:, 1].max() == pytest.approx(0.7 * 48.5, rel=1e-12)


def test_disc_has_the_volume_of_a_disc() -> None:
    coil = circular(inner_diameter=66, outer_diameter=123, turns=14)
    check_casing(coil)
    # The inscribed polygon with 5 mm edges is short of the circle by (edge/radius)^2 / 6 = 0.1 %.
    assert coil.casing.volume == pytest.approx(np.pi * 66.5**2 * 12.0, rel=1.5e-3)


def test_double_cone_opens_towards_the_head() -> None:
    coil = figure_of_eight(inner_diameter=96, outer_diameter=125, turns=7, wing_angle=100)
    check_casing(coil)
    vertices = coil.casing.vertices
    # Head side through the origin at the junction; the outer edges are nearer to the head.
    junction = vertices[(np.abs(vertices[:, 0]) < 1e-12)]
    assert junction[:, 2].max() == pytest.approx(0.0, abs=1e-12)
    assert vertices[:, 2].max() > 60.0
    # The head side of each wing is one plane through the fold, tilted by 40 degrees, and nothing is beyond it.
    normal = np.array([-np.sin(np.radians(40)), 0.0, np.cos(np.radians(40))])
    right = vertices[vertices[:, 0] >= 0.0]
    height = right @ normal
    assert height.max() == pytest.approx(0.0, abs=1e-12)
    assert height.min() == pytest.approx(-12.0, rel=1e-12)


def test_triangles_are_decent() -> None:
    """No sliver: smallest angle over 20 degrees in a flat casing (a right isosceles has 45), edges near 5 mm."""
    casing = figure_of_eight(inner_diameter=56, outer_diameter=87, turns=9).casing
    corners = casing.corners
    sides = [np.linalg.norm(corners[:, (i + 1) % 3] - corners[:, (i + 2) % 3], axis=1) for i in range(3)]
    a, b, c = np.sort(np.stack(sides), axis=0)
    smallest = np.degrees(np.arccos((b**2 + c**2 - a**2) / (2.0 * b * c)))
    assert smallest.min() > 20.0
    assert 3.5 < casing.mean_edge < 6.0


@settings(deadline=None, max_examples=25)
@given(
    radius=st.floats(15.0, 90.0),
    ratio=st.floats(0.5, 1.3),
    thickness=st.floats(3.0, 40.0),
    tilt=st.floats(0.0, 50.0),
)
def test_any_casing_is_closed_and_outward(radius: float, ratio: float, thickness: float, tilt: float) -> None:
    pivot = thickness / 4.0
    casing = casing_surface(
        radius=radius, offset=ratio * radius, thickness=thickness, tilt=np.radians(tilt), pivot=pivot
    )
    assert casing.is_closed
    assert genus(casing) == 0.0
    assert casing.volume > 0.0
    assert casing.areas.min() > 1e-6  # mm^2: no triangle without area
    # Symmetric about x = 0 exactly: the left half is a copy.
    mirrored = casing.vertices * [-1.0, 1.0, 1.0]
    order = [np.lexsort(np.round(v, 9).T) for v in (casing.vertices, mirrored)]
    np.testing.assert_array_equal(casing.vertices[order[0]], mirrored[order[1]])


@pytest.mark.parametrize("tilt", [0.0, 20.0, 40.0])
def test_fold_keeps_the_thickness(tilt: float) -> None:
    """Volume is area times thickness, plus the wedges of the mitre spread over the plate out to the discs' centres."""
    flat = casing_surface(radius=48.5, offset=43.5, thickness=12.0)
    bent = casing_surface(radius=48.5, offset=43.5, thickness=12.0, tilt=np.radians(tilt), pivot=3.0)
    half_disc = np.pi * 48.5**2 / 2.0
    width = (flat.volume / 12.0 / 2.0 - half_disc) / 43.5  # mean, from the fold to the disc's centre
    # Above the pivot 3 mm are lost, below it 9 mm are gained.
    wedges = width * (9.0**2 - 3.0**2) * np.tan(np.radians(tilt))
    # The half disc is a polygon, 0.1 % smaller.
    assert bent.volume - flat.volume == pytest.approx(wedges, rel=0.01, abs=1e-6)


@settings(deadline=None, max_examples=25)
@given(
    radius=st.floats(40.0, 90.0),
    ratio=st.floats(1.0, 1.3),
    opening=st.floats(0.3, 0.7),
    tilt=st.floats(0.0, 50.0),
    bridge=st.floats(0.0, 12.0),
)
def test_any_casing_with_holes_is_closed_with_two_holes(
    radius: float, ratio: float, opening: float, tilt: float, bridge: float
) -> None:
    offset, hole = ratio * radius, opening * radius
    casing = casing_surface(
        radius=radius, offset=offset, thickness=12.0, tilt=np.radians(tilt), pivot=3.0, hole=hole, bridge=bridge
    )
    assert casing.is_closed
    assert genus(casing) == 2.0
    assert casing.areas.min() > 1e-6  # mm^2
    # Through the middle of the hole, from the head to behind the plate, nothing is in the way.
    along = np.array([np.cos(np.radians(tilt)), 0.0, np.sin(np.radians(tilt))])
    normal = np.array([-along[2], 0.0, along[0]])
    axis = offset * along - [0.0, 0.0, bridge] + np.linspace(-30.0, 10.0, 9)[:, None] * normal
    np.testing.assert_allclose(winding_number(casing, axis), 0.0, atol=1e-9)


def test_hole_takes_its_volume_away() -> None:
    plate, ring = (casing_surface(radius=67.5, offset=62.5, thickness=12.0, hole=hole) for hole in (0.0, 43.0))
    # Polygons with 5 mm edges are short of their circles by (edge / radius)^2 / 6: 0.2 % of a circle of 43 mm.
    assert plate.volume - ring.volume == pytest.approx(2.0 * np.pi * 43.0**2 * 12.0, rel=3e-3)


def test_bridge_fills_the_fold_up_to_the_origin() -> None:
    size = dict(radius=50.0, offset=53.0, thickness=16.0, tilt=np.radians(30.0), pivot=3.0)
    plain, bridged = casing_surface(**size), casing_surface(**size, bridge=10.0)
    # In front of the plain fold, 10 mm lower down, a flat piece reaches to z = 0, until the wings rise above it.
    np.testing.assert_array_equal(plain.vertices[:, :2], bridged.vertices[:, :2])
    points = np.array([[x, 0.0, z] for x in (0.0, 8.0, -8.0) for z in (-0.5, 0.5)])
    np.testing.assert_allclose(winding_number(bridged, points), np.tile([1.0, 0.0], 3), atol=1e-9)
    far = np.abs(plain.vertices[:, 0]) > 25.0
    np.testing.assert_allclose(bridged.vertices[far], plain.vertices[far] - [0.0, 0.0, 10.0], atol=1e-12)
