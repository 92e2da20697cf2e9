"""The middle of the grey matter, and the recipe that thins out a head."""

import numpy as np
import pytest

import meshes
from meshes.checks import check_crossings, check_surface, crossing_pairs
from meshes.midsurface import mid_surface
from meshes.recipes.clearances import Clearance, keep_clear, relax_crossings, signed_depth
from meshes.recipes.fast_head import aspects, decimate, relax_thin
from meshes.recipes.pack_head import carried_over, join


def folded(unit, radius):
    return (radius + 3.0 * np.sin(9 * unit[:, :1]) * np.sin(9 * unit[:, 2:])) * unit


def folded_pair():
    """Return a folded pial surface, and a white one 3 mm below with the same and with other triangles."""
    sphere = meshes.icosphere(4)
    turn = meshes.Pose.from_axes((0, 0, 0), (0.2, 0.1, 1), (0, 1, 0.3))
    pial = meshes.Surface(folded(sphere.vertices, 40.0), sphere.triangles, "pial")
    white = meshes.Surface(folded(sphere.vertices, 37.0), sphere.triangles, "white")
    # Rotating the vertices and the order of the triangles gives the same shape without correspondence.
    other = meshes.Surface(folded(turn.apply(sphere.vertices), 37.0), sphere.triangles[::-1], "white")
    return pial, white, other


def test_mid_surface_with_correspondence_is_the_mean():
    pial, white, _ = folded_pair()
    middle = mid_surface(pial, white)
    assert np.allclose(middle.vertices, 0.5 * (pial.vertices + white.vertices), rtol=0, atol=1e-13)
    assert np.array_equal(middle.triangles, pial.triangles)


def test_mid_surface_without_correspondence_lies_halfway():
    pial, _, white = folded_pair()
    middle = mid_surface(pial, white, name="middle")
    assert middle.name == "middle"
    depth = signed_depth(middle.vertices, pial, np.inf)[0]
    height = -signed_depth(middle.vertices, white, np.inf)[0]
    assert (depth > 0).all()
    assert (height > 0).all()
    # Stretched in four rounds that each halve the difference; averaging of the ways undoes little of it.
    assert np.median(abs(depth - height) / (depth + height)) < 0.02
    assert np.percentile(abs(depth - height) / (depth + height), 99) < 0.1
    assert not len(crossing_pairs([middle])[0])
    assert (np.einsum("ij,ij->i", middle.normals, pial.normals) > 0).all()


def test_signed_depth_of_a_sphere():
    sphere = meshes.icosphere(5, radius=10.0)
    points = np.array([[0, 0, 8.0], [0, 9.0, 0], [12.0, 0, 0], [50.0, 0, 0]])
    depth, nearest, triangle = signed_depth(points, sphere, 5.0)
    # Facets of a sphere of 10 mm at 5 subdivisions lie at most 2 um inside it.
    assert np.allclose(depth[:3], [2, 1, -2], rtol=0, atol=3e-3)
    assert depth[3] == np.inf
    assert np.allclose(np.linalg.norm(nearest, axis=1), 10.0, rtol=0, atol=3e-3)
    assert triangle.shape == (4,)


@pytest.mark.parametrize("inside", [True, False])
def test_keep_clear_separates_crossing_spheres(inside):
    fixed = meshes.icosphere(3, radius=20.0, name="fixed")
    if inside:
        moved = meshes.icosphere(3, radius=17.0, centre=(2.9, 0.6, 0.2), name="moved")
    else:
        moved = meshes.icosphere(3, radius=10.0, centre=(29.8, 0, 0), name="moved")
    demand = Clearance("moved", "fixed", inside=inside, distance=0.5)
    assert meshes.closest_points(fixed, moved.vertices)[2].min() < 0.45
    result, lacking = keep_clear(moved, fixed, demand)
    assert lacking == 0.0
    check_crossings([fixed, result])
    check_surface(result)
    for points, surface in ((result.vertices, fixed), (fixed.vertices, result), (result.centroids, fixed)):
        assert meshes.closest_points(surface, points)[2].min() > 0.5 - 2e-3
    # Only what was too near has moved.
    far = meshes.closest_points(fixed, moved.vertices)[2] > 2.5
    assert np.array_equal(result.vertices[far], moved.vertices[far])


def test_keep_clear_pushes_an_outer_surface_outwards():
    inner = meshes.icosphere(3, radius=20.0, centre=(1.5, 0, 0), name="inner")
    outer = meshes.icosphere(3, radius=21.0, name="outer")
    demand = Clearance("outer", "inner", inside=False, distance=1.2, around=True)
    result, lacking = keep_clear(outer, inner, demand)
    assert lacking == 0.0
    assert result.volume > outer.volume
    assert meshes.closest_points(result, inner.vertices)[2].min() > 1.2 - 2e-3
    assert (signed_depth(inner.vertices, result, np.inf)[0] > 0).all()


def test_decimate_and_relax_thin_keep_the_shape():
    pial, _, _ = folded_pair()
    few = decimate(pial, 2000)
    assert len(few.triangles) == 2000
    even = relax_thin(few)
    check_surface(even)
    check_crossings([even])
    assert aspects(even).max() <= max(aspects(few).max(), 8.0)
    assert even.volume == pytest.approx(pial.volume, rel=0.005)
    assert meshes.closest_points(even, pial.vertices)[2].mean() < 0.1


def test_aspect_of_known_triangles():
    surface = meshes.Surface([[0, 0, 0], [1, 0, 0], [0.5, np.sqrt(0.75), 0], [0, 1, 0]], [[0, 1, 2], [0, 1, 3]])
    # Right isosceles: sqrt(2) over (2 sqrt(3) times its inradius (2 - sqrt(2)) / 2).
    assert np.allclose(aspects(surface), [1.0, np.sqrt(2) / (np.sqrt(3) * (2 - np.sqrt(2)))], rtol=1e-12, atol=0)


def test_relax_crossings_unfolds_a_crossing():
    sphere = meshes.icosphere(3, radius=10.0)
    vertices = sphere.vertices.copy()
    vertices[100] *= -1.2  # pulled right through the other side
    crossed = meshes.Surface(vertices, sphere.triangles)
    assert len(crossing_pairs([crossed])[0])
    assert not len(crossing_pairs([relax_crossings(crossed)])[0])


def test_regions_are_carried_over_within_their_hemisphere():
    def brain(n):
        # Two balls 0.2 mm apart: the nearest vertex is often in the other one.
        return join([meshes.icosphere(n, radius=10.0, centre=(x, 0, 0)) for x in (-10.1, 10.1)], "cortex")

    standard, fast = brain(4), brain(3)
    half = len(standard.vertices) // 2
    near_middle = np.flatnonzero(abs(standard.vertices[:, 0]) < 2.0)
    regions = {"left": near_middle[near_middle < half], "right": near_middle[near_middle >= half]}
    carried = carried_over(regions, standard, fast)
    for name, sign in (("left", -1), ("right", 1)):
        # The coarse icosphere's vertices are among the fine one's, so the region must be exactly the same rule.
        expected = np.flatnonzero((abs(fast.vertices[:, 0]) < 2.0) & (sign * fast.vertices[:, 0] > 0))
        assert np.array_equal(carried[name], expected)
