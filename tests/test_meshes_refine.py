"""Splitting: closed, oriented, on the sphere, well shaped, free of crossings."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import meshes
from meshes.checks import check_surface, crossing_pairs
from meshes.refine import bent_middles, sphere_normals, split_head, split_surface

# Areas of parts add up to the whole but for rounding.
ROUNDING = 1e-12


def angles(surface):
    """Return the angles of every triangle (radians), shape (n, 3)."""
    along = np.roll(surface.corners, -1, axis=1) - surface.corners
    along /= np.linalg.norm(along, axis=2, keepdims=True)
    return np.arccos(np.clip(-np.einsum("nkd,nkd->nk", along, np.roll(along, 1, axis=1)), -1.0, 1.0))


def uneven(seed):
    """An ellipsoid with displaced vertices: no two edges of one length."""
    sphere = meshes.icosphere(2, radius=10.0)
    noise = np.random.default_rng(seed).normal(scale=0.2, size=sphere.vertices.shape)
    return meshes.Surface((sphere.vertices + noise) * [1.0, 1.3, 0.8], sphere.triangles, "uneven")


@pytest.mark.parametrize("curved", [False, True])
def test_full_split_makes_four_of_each(curved):
    surface = uneven(1)
    finer, parent = split_surface(surface, curved=curved)
    check_surface(finer)
    np.testing.assert_array_equal(parent, np.repeat(np.arange(320), 4))
    np.testing.assert_array_equal(finer.vertices[: len(surface.vertices)], surface.vertices)
    assert len(finer.vertices) == len(surface.vertices) + 480
    assert finer.name == "uneven"


@given(marked=st.lists(st.booleans(), min_size=320, max_size=320), seed=st.integers(0, 100))
@settings(deadline=None, max_examples=25)
def test_flat_split_is_the_same_closed_surface(marked, seed):
    surface = uneven(seed)
    finer, parent = split_surface(surface, np.array(marked))
    assert finer.is_closed
    areas = np.bincount(parent, finer.areas, 320)
    np.testing.assert_allclose(areas, surface.areas, rtol=ROUNDING)
    np.testing.assert_allclose(finer.normals, surface.normals[parent], atol=1e-12)
    parts = np.bincount(parent, minlength=320)
    assert (parts[marked] == 4).all()
    assert parts.max() <= 4


def test_one_marked_triangle_splits_few_others():
    surface = uneven(3)
    finer, parent = split_surface(surface, np.arange(320) == 7)
    assert set(np.bincount(parent)) == {1, 2, 3, 4}
    assert 3 + 3 < len(finer.triangles) - 320 < 30


def test_none_marked_changes_nothing():
    surface = uneven(4)
    same, parent = split_surface(surface, np.zeros(320, dtype=bool), curved=True)
    assert same.checksum == surface.checksum
    np.testing.assert_array_equal(parent, np.arange(320))


def test_repeated_refinement_keeps_angles():
    surface = uneven(5)
    smallest = angles(surface).min()
    for _ in range(8):
        near = np.linalg.norm(surface.centroids - surface.vertices[3], axis=1)
        surface, _ = split_surface(surface, near <= np.sort(near)[20])
    # Halving longest edges bounds them by half the smallest one (Rosenberg and Stenger 1975).
    assert angles(surface).min() > 0.5 * smallest


def test_curved_middles_lie_on_spheres_to_fourth_order():
    off = []
    for subdivisions in (2, 3, 4):
        finer, _ = split_surface(meshes.icosphere(subdivisions), curved=True)
        off.append(np.abs(np.linalg.norm(finer.vertices, axis=1) - 1.0).max())
    assert off[-1] < 2e-6
    assert (np.log2(np.divide(off[:-1], off[1:])) > 3.8).all()


def test_normals_are_exact_on_spheres():
    rng = np.random.default_rng(8)
    points = rng.normal(size=(60, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    from scipy.spatial import ConvexHull

    hull = ConvexHull(points)
    corners = points[hull.simplices]
    inward = np.linalg.det(corners) < 0.0
    triangles = np.where(inward[:, None], hull.simplices[:, ::-1], hull.simplices)
    np.testing.assert_allclose(sphere_normals(meshes.Surface(points, triangles)), points, atol=1e-12)


def test_bent_middle_of_a_circle_and_of_a_line():
    angle = 0.3
    ends = np.array([[[np.cos(a), np.sin(a), 0.0] for a in (-angle, angle)]])
    # The chord's middle plus the mean rise: cos a (1 + sin^2 a / 2).
    expected = np.cos(angle) * (1.0 + 0.5 * np.sin(angle) ** 2)
    np.testing.assert_allclose(bent_middles(ends, ends), [[expected, 0.0, 0.0]], atol=1e-15)
    up = np.array([[[1.0, 0, 0], [1.0, 0, 0]]])
    straight = np.array([[[0.0, -1.0, 0.0], [0.0, 3.0, 0.0]]])
    np.testing.assert_array_equal(bent_middles(straight, up), [[0.0, 1.0, 0.0]])


def test_split_head_keeps_what_is_asked_of_it(small_head):
    finer, parent = split_head(small_head, curved=True)
    assert finer.cortex is small_head.cortex
    assert finer.regions.keys() == small_head.regions.keys()
    np.testing.assert_array_equal(parent, np.repeat(np.arange(3 * 320), 4))
    assert [i.sigma_inside for i in finer.interfaces] == [i.sigma_inside for i in small_head.interfaces]
    assert finer.resolution == "coarse refined"
    assert finer.checksum != small_head.checksum


def test_curved_split_stays_clear_of_other_surfaces():
    outer, inner = meshes.icosphere(1, radius=80, name="outer"), meshes.icosphere(1, radius=78, name="inner")
    head = meshes.HeadModel(
        name="thin",
        interfaces=(meshes.Interface(outer, 0.3, 0.0), meshes.Interface(inner, 1.0, 0.3)),
        cortex=meshes.icosphere(1, radius=60),
    )
    marked = [np.zeros(80, dtype=bool), np.ones(80, dtype=bool)]
    alone, _ = split_surface(inner, curved=True)
    assert len(crossing_pairs([outer, alone])[0])  # so the test tests something
    finer, _ = split_head(head, marked, curved=True)  # checks for crossings itself
    assert len(finer.interfaces[1].surface.triangles) == 320


@pytest.mark.parametrize("marked", [[True], [1] * 320, [[True] * 320], "all"])
def test_marks_must_be_one_truth_value_per_triangle(marked):
    sentence = r"^marked must be one truth value per triangle of uneven, shape \(320,\); got"
    with pytest.raises(ValueError, match=sentence):
        split_surface(uneven(6), marked)


def test_marks_must_be_one_array_per_interface(small_head):
    with pytest.raises(ValueError, match="marked must hold one array per interface, 3; got 2"):
        split_head(small_head, [np.ones(320, dtype=bool)] * 2)
