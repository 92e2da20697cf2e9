"""Lesions across a line at which a tissue that they replace meets two that they leave."""

import json

import numpy as np
import pytest

import meshes
from meshes import HeadModel, Interface, Surface
from meshes.checks import winding_numbers
from meshes.lesions.junctions import split_at_points
from tests.touching_cases import RADIUS, two_halves

UPPER, LOWER, AROUND = 0.33, 1.2, 0.465
LESION, SECOND = 0.6, 0.8
CENTRE, SIZE = np.array([76.0, 0.0, 0.0]), 10.0
RIM = np.array([55.0, 0.0, 57.0]), np.array([47.0, 0.0, 68.0])


@pytest.fixture(scope="module")
def halves():
    """Return a ball of two halves within a third tissue: along its equator the three meet."""
    head = two_halves(12, (UPPER, LOWER))
    ball, disc = head.interfaces
    scalp = Interface(meshes.icosphere(3, radius=95.0, name="scalp"), AROUND, 0.0)
    renamed = Surface(ball.surface.vertices, ball.surface.triangles, "ball")
    return HeadModel("halves", (scalp, Interface(renamed, ball.sigmas[:, 0], AROUND), disc), head.cortex)


def distance(points, centre):
    return np.linalg.norm(points - centre, axis=1)


def halves_at(points):
    """Return the conductivity at points in the ball of two halves, and how far they are from a boundary (mm)."""
    radius = distance(points, 0.0)
    sigma = np.where(radius > RADIUS, AROUND, np.where(points[:, 2] > 0.0, UPPER, LOWER))
    return sigma, np.minimum(np.abs(radius - RADIUS), np.abs(points[:, 2]))


def with_ball(known, points, centre, radius, sigma):
    """Return the same after a ball has taken the place of the upper half's tissue."""
    before, clear = known
    off = distance(points, centre)
    return np.where((before == UPPER) & (off < radius), sigma, before), np.minimum(clear, np.abs(off - radius))


def assert_conductivities(head, points, known, among):
    """Check that each point is in the region of its conductivity and in no other; 1 mm is for flat triangles."""
    sigma, clear = known
    points, sigma = points[clear > 1.0], sigma[clear > 1.0]
    assert min((sigma == value).sum() for value in among) > 10
    for surface in head.enclosures:
        value = float(surface.name.split()[2])
        np.testing.assert_allclose(winding_numbers(points, surface), sigma == value, atol=1e-6)


def cloud(centre, radius):
    """Return points around a place, within the scalp."""
    points = centre + np.random.default_rng(5).uniform(-radius, radius, (3000, 3))
    return points[distance(points, 0.0) < 93.0]


def lens(first, second, apart):
    """Return the volume that two balls have in common."""
    depth = first + second - apart
    spread = apart**2 + 2.0 * apart * (first + second) - 3.0 * (first - second) ** 2
    return np.pi * depth**2 * spread / (12.0 * apart)


@pytest.mark.parametrize("sigma", [LESION, AROUND, LOWER])
def test_across_the_line_it_has_half_the_lens_of_two_balls(halves, sigma):
    head = halves.with_lesion(centre=CENTRE, radius=SIZE, tissues=(UPPER,), conductivity=sigma, edge=1.5)
    taken = json.loads(head.provenance["lesions"])["lesion"]["volume (mm3)"][f"{UPPER} S/m"]
    assert taken == pytest.approx(
        0.5 * lens(RADIUS, SIZE, CENTRE[0]), rel=0.03
    )  # the big ball's triangles are of 10 mm
    points = cloud(CENTRE, 14.0)
    assert_conductivities(
        head, points, with_ball(halves_at(points), points, CENTRE, SIZE, sigma), {UPPER, LOWER, AROUND, sigma}
    )


def test_what_it_leaves_keeps_its_shape(halves):
    head = halves.with_lesion(centre=CENTRE, radius=SIZE, tissues=(UPPER,), conductivity=LESION)
    areas = []
    for one in (halves, head):
        ball = one.interface("ball")
        areas.append(ball.surface.areas[ball.sigmas[:, 0] == LOWER].sum())
    # Nothing of the lower half's boundary to the third tissue is taken: its triangles at the line are only split.
    assert areas[1] == pytest.approx(areas[0], rel=1e-6)


def test_a_second_lesion_over_the_rim_of_the_first(halves):
    # Where the first one's wall ends, it, the upper half and the tissue around meet; the second takes the upper half.
    first = halves.with_lesion(centre=RIM[0], radius=14, tissues=(UPPER,), conductivity=LESION, name="first")
    both = first.with_lesion(centre=RIM[1], radius=14, tissues=(UPPER,), conductivity=SECOND, name="second")
    points = cloud(np.mean(RIM, axis=0), 14.0)
    known = with_ball(halves_at(points), points, RIM[0], 14.0, LESION)
    known = with_ball(known, points, RIM[1], 14.0, SECOND)
    assert_conductivities(both, points, known, {UPPER, AROUND, LESION, SECOND})


def test_points_on_edges_become_corners():
    square = np.array([[0, 0, 0], [4, 0, 0], [4, 4, 0], [0, 4, 0]], dtype=float)
    shared = np.linspace(square[0], square[2], 7)[1:-1]
    other = np.array([[2.0, 0.0, 0.0], [2.5, 0.0, 1e-3], [1.0, 2.3, 0.0]])  # on an edge, beside it, within a triangle
    points = np.concatenate([square, shared, other])
    triangles = np.array([[0, 1, 2], [0, 2, 3]])
    pieces, parent = split_at_points(points, triangles, np.arange(4, len(points)))
    surface = Surface(points, pieces.astype(np.int32))
    np.testing.assert_allclose(np.bincount(parent, surface.areas), [8.0, 8.0], rtol=1e-12)
    np.testing.assert_array_equal(np.bincount(parent), [7, 6])
    assert set(np.unique(pieces)) == set(range(10))
    normals = np.cross(*(points[pieces[:, k]] - points[pieces[:, 0]] for k in (1, 2)))
    assert (normals[:, 2] > 0.0).all()
    # Inner edges are met once each way: the two sides of the diagonal have the same points on it.
    ends = np.stack([pieces, np.roll(pieces, -1, axis=1)], axis=2).reshape(-1, 2)
    seen = {tuple(pair) for pair in ends.tolist()}
    assert len(seen) == len(ends)
    assert sum((b, a) not in seen for a, b in seen) == 5
    none, _ = split_at_points(points, triangles, np.array([10, 11]))
    assert none.shape == (0, 3)
