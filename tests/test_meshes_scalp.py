"""Scalp points and smoothed normals."""

import numpy as np
import pytest

import meshes


def random_directions(count):
    directions = np.random.default_rng(11).normal(size=(count, 3))
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


def degrees(one, other):
    return np.degrees(np.arccos(np.clip(np.einsum("ij,ij->i", one, other), -1, 1)))


def test_points_and_normals_on_a_sphere():
    head = meshes.sphere_head([90], [0.33], subdivisions=4)
    directions = random_directions(500)
    closest, normals = meshes.scalp_points(head, 100.0 * directions)
    # Facets of 6 mm on a sphere of 90 mm lie up to 0.11 mm inside it and tilt by up to 2.2 degrees.
    assert np.allclose(np.linalg.norm(closest, axis=1), 90.0, rtol=0, atol=0.12)
    facet = degrees(head.scalp.normals[meshes.closest_points(head.scalp, closest)[1]], directions)
    smoothed = degrees(normals, directions)
    assert facet.max() > 1.0
    assert smoothed.max() < 0.3
    assert np.allclose(np.linalg.norm(normals, axis=1), 1.0, rtol=0, atol=1e-14)


def test_normal_error_shrinks_with_the_mesh():
    worst = []
    for n in (2, 3, 4):
        head = meshes.sphere_head([90], [0.33], subdivisions=n)
        _, normals = meshes.scalp_points(head, 100.0 * random_directions(300))
        worst.append(degrees(normals, random_directions(300)).max())
    assert worst[0] > worst[1] > worst[2]


def test_closest_points_against_every_triangle():
    """Against a dense sampling of the surface: no sample is closer, and the point lies in its triangle."""
    sphere = meshes.icosphere(1, radius=10.0)
    points = np.random.default_rng(5).uniform(-15, 15, (50, 3))
    closest, triangle, distance = meshes.closest_points(sphere, points)
    weights = np.random.default_rng(6).dirichlet([0.5] * 3, 2000)
    samples = np.einsum("sk,tkj->tsj", weights, sphere.corners).reshape(-1, 3)
    nearest = np.sqrt(((points[:, None] - samples) ** 2).sum(axis=2).min(axis=1))
    assert (nearest >= distance - 1e-12).all()
    assert np.allclose(distance, np.linalg.norm(points - closest, axis=1), rtol=0, atol=1e-12)
    offset = np.einsum("ij,ij->i", closest - sphere.centroids[triangle], sphere.normals[triangle])
    assert np.allclose(offset, 0.0, rtol=0, atol=1e-12)


def test_one_point_equals_many():
    head = meshes.load_head("pycortex")
    points = head.cortex.vertices[head.regions["m1-hand-left"]]
    closest, normals = meshes.scalp_points(head, points)
    for row in (0, -1):
        point, normal = meshes.scalp_point(head, points[row])
        assert np.array_equal(point, closest[row])
        assert np.array_equal(normal, normals[row])


def test_normals_are_smooth_and_outward_on_a_real_head():
    head = meshes.load_head("pycortex")
    start, normal = meshes.scalp_point(head, head.cortex.vertices[head.regions["m1-hand-left"]].mean(axis=0))
    assert normal @ (start - head.scalp.vertices.mean(axis=0)) > 0
    # Along 20 mm of scalp in steps of 0.5 mm: the direction turns by less than 2 degrees per step. A facet normal
    # jumps by up to 10 degrees there.
    along = np.cross(normal, [0, 1, 0])
    path = start + np.linspace(-10, 10, 41)[:, None] * along
    closest, normals = meshes.scalp_points(head, path)
    facets = head.scalp.normals[meshes.closest_points(head.scalp, closest)[1]]
    assert degrees(normals[1:], normals[:-1]).max() < 2.0
    assert degrees(normals[1:], normals[:-1]).max() < 0.5 * degrees(facets[1:], facets[:-1]).max()
    assert degrees(normals, facets).max() < 15.0


@pytest.mark.parametrize("name", ["pycortex", "fsaverage"])
def test_normals_turn_as_slowly_as_the_head_where_coils_go(name):
    """Steps of 1 mm from 500 places above Fpz: by 0.6 degrees in the median, as on a sphere of 90 mm.

    Facets jump by 5 to 10 degrees. The fastest hundredth, over the ears, turns by 1.6.
    """
    rng = np.random.default_rng(8)
    head = meshes.load_head(name)
    scalp = head.scalp
    upper = np.flatnonzero(scalp.centroids[:, 2] > meshes.positions_10_10(head)["Fpz"][2] + 10.0)
    some = rng.choice(upper, 500, p=scalp.areas[upper] / scalp.areas[upper].sum())
    points = np.einsum("ni,nij->nj", rng.dirichlet([1.0] * 3, 500), scalp.corners[some])
    along = np.cross(scalp.normals[some], rng.normal(size=(500, 3)))
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    here, there = meshes.scalp_points(head, points)[1], meshes.scalp_points(head, points + along)[1]
    turned = degrees(here, there)
    facets = scalp.normals[meshes.closest_points(scalp, points + along)[1]]
    assert 0.4 < np.median(turned) < 0.8
    assert np.quantile(turned, 0.99) < 2.0
    assert turned.max() < 3.0
    assert np.quantile(degrees(scalp.normals[some], facets), 0.99) > 2.0 * np.quantile(turned, 0.99)


def test_no_points_give_no_points():
    closest, normals = meshes.scalp_points(meshes.sphere_head([90], [0.33], subdivisions=1), np.zeros((0, 3)))
    assert closest.shape == normals.shape == (0, 3)


def test_bad_input_gets_a_sentence():
    head = meshes.sphere_head([90], [0.33], subdivisions=1)
    with pytest.raises(ValueError, match=r"point must be a vector of shape \(3,\)"):
        meshes.scalp_point(head, [[0, 0, 1]])
    with pytest.raises(ValueError, match="radius must be a positive number"):
        meshes.scalp_point(head, [0, 0, 1], radius=0)
    with pytest.raises(ValueError, match="points must be finite"):
        meshes.scalp_points(head, [[0, np.nan, 1]])
