"""Surface nets of label volumes and their simplification: sizes, topology, lines where regions meet, no crossings."""

import numpy as np
import pytest

from meshes.labels.cortex import _level
from meshes.labels.mesh import LabelMesh
from meshes.labels.nets import surface_net
from meshes.labels.simplify import colliding, simplify
from meshes.surface import Surface
from tests.label_cases import edge_balance, ellipsoids, euler


def random_labels(rng, size=7, count=4):
    labels = rng.integers(0, count, size=(size, size, size)).astype(np.uint8)
    return np.pad(labels, 1)


@pytest.fixture(scope="module")
def blobs():
    """Return a net in which three tissues meet along lines: a ball of two halves and a ring around it."""
    x, y, z = np.meshgrid(*3 * [np.arange(-20.0, 21.0)], indexing="ij")
    labels = np.zeros(x.shape, dtype=np.uint8)
    labels[x**2 + y**2 + z**2 < 18.0**2] = 1
    labels[x**2 + y**2 + z**2 < 12.3**2] = 2
    labels[(x**2 + y**2 + z**2 < 12.3**2) & (z > 0.3 * x)] = 3
    labels[(np.hypot(x, y) - 12.0) ** 2 + z**2 < 3.1**2] = 4
    return surface_net(labels, np.eye(4))


@pytest.fixture(scope="module")
def few(blobs):
    return simplify(blobs, 3000)


@pytest.mark.parametrize(("radius", "volume", "area"), [(10.0, 0.02, 0.01), (25.0, 0.003, 0.004)])
def test_volume_and_area_of_a_ball(radius, volume, area):
    labels, affine = ellipsoids([(radius, radius, radius)])
    ball = surface_net(labels, affine).region([1])
    assert ball.is_closed
    assert ball.volume == pytest.approx(4.0 / 3.0 * np.pi * radius**3, rel=volume)
    assert ball.areas.sum() == pytest.approx(4.0 * np.pi * radius**2, rel=area)
    depth = np.linalg.norm(ball.vertices, axis=1) - radius
    assert abs(depth.mean()) < 0.02
    assert depth.std() < 0.08  # without smoothing 0.14 of a voxel


def test_finer_voxels_come_closer_to_the_ellipsoid():
    axes = np.array([24.0, 17.0, 20.0])
    scatter = []
    for spacing in (2.0, 1.0, 0.5):
        labels, affine = ellipsoids([axes], spacing=spacing)
        surface = surface_net(labels, affine).region([1])
        level = np.linalg.norm(surface.vertices / axes, axis=1) - 1.0
        slope = np.linalg.norm(surface.vertices / axes**2, axis=1)
        scatter.append(np.sqrt(np.mean((level / slope) ** 2)))
    # First order in the voxel's size.
    assert scatter[0] > 1.7 * scatter[1] > 2.8 * scatter[2]


def test_smoothing_keeps_volume_where_the_mean_of_neighbours_would_not(monkeypatch):
    labels, affine = ellipsoids([(8.0, 8.0, 8.0)])
    ours = surface_net(labels, affine).region([1]).volume
    monkeypatch.setattr("meshes.labels.nets._BACK", 0.0)
    plain = surface_net(labels, affine).region([1]).volume
    true = 4.0 / 3.0 * np.pi * 8.0**3
    assert abs(ours / true - 1.0) < 0.02
    assert plain / true - 1.0 < -0.08


def test_vertices_stay_in_their_cells():
    labels, affine = ellipsoids([(9.0, 12.0, 7.0)])
    start, end = (surface_net(labels, affine, rounds=rounds) for rounds in (0, 40))
    index = (end.vertices - affine[:3, 3]) - 0.5
    cell = np.rint((start.vertices - affine[:3, 3]) - 0.5)
    assert np.abs(index - cell).max() < 0.5
    assert np.abs(end.vertices - start.vertices).max() > 0.2  # and smoothing does something


def test_a_sheet_of_one_voxel_stays_a_sheet():
    labels = np.zeros((24, 24, 9), dtype=np.uint8)
    labels[2:-2, 2:-2, 4] = 1
    sheet = surface_net(labels, np.eye(4)).region([1])
    assert sheet.is_closed
    assert euler(sheet) == 2
    middle = np.abs(sheet.vertices[:, :2] - 11.5).max(axis=1) < 6.0
    assert np.ptp(sheet.vertices[middle, 2]) == pytest.approx(1.0, abs=0.03)


def test_oblong_mirrored_and_turned_voxels_give_outward_surfaces():
    labels, _ = ellipsoids([(12.0, 10.0, 11.0), (7.0, 6.0, 6.0)])
    turn = np.array([[0.6, -0.8, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, 1.0]])
    for mirror in (1.0, -1.0):
        affine = np.eye(4)
        affine[:3, :3] = turn @ np.diag([mirror * 1.0, 1.3, 0.7])
        affine[:3, 3] = [5.0, -3.0, 2.0]
        mesh = surface_net(labels, affine)
        size = 1.3 * 0.7
        assert mesh.region([2]).volume == pytest.approx((labels == 2).sum() * size, rel=0.02)
        assert mesh.region([1]).volume == pytest.approx((labels == 1).sum() * size, rel=0.02)
    plain = surface_net(labels, np.eye(4))
    mirrored = surface_net(labels, np.diag([-1.0, 1.0, 1.0, 1.0]))
    np.testing.assert_array_equal(mirrored.vertices, plain.vertices * [-1.0, 1.0, 1.0])


@pytest.mark.parametrize("seed", range(2))
def test_random_labels_give_closed_regions_that_do_not_cross(seed):
    labels = random_labels(np.random.default_rng(seed))
    mesh = surface_net(labels, np.eye(4))
    assert not len(colliding(mesh.vertices, mesh.triangles))
    for label in range(4):
        assert not edge_balance(mesh, label).any()
    # The regions fill the head exactly: volumes add up.
    parts = sum(mesh.region([label]).volume for label in (1, 2, 3))
    assert parts == pytest.approx(mesh.region([1, 2, 3]).volume, rel=1e-12)
    few = simplify(mesh, 400)
    assert not len(colliding(few.vertices, few.triangles))
    for label in range(4):
        assert not edge_balance(few, label).any()


def test_crossings_are_found(blobs):
    vertices = blobs.vertices.copy()
    vertices[0] += 6.0
    assert len(colliding(vertices, blobs.triangles))
    with pytest.raises(ValueError, match=r"mesh must be free of crossings to be simplified; got \d+ crossing"):
        simplify(LabelMesh(vertices, blobs.triangles, blobs.sides), len(blobs.triangles) - 50)


def test_simplified_regions_keep_volume_topology_and_lines(blobs, few):
    assert 2900 < len(few.triangles) <= 3000
    assert not len(colliding(few.vertices, few.triangles))
    for label in (1, 2, 3, 4):
        before, after = blobs.region([label]), few.region([label])
        assert not edge_balance(few, label).any()
        assert after.volume == pytest.approx(before.volume, rel=0.01)
        assert euler(after) == euler(before)
    for pair in np.unique(blobs.pairs):
        assert (
            np.unique(blobs.sides[blobs.pairs == pair], axis=0).tolist()
            in np.unique(few.sides, axis=0)[:, None].tolist()
        )
    assert euler(few.region([1, 2, 3, 4])) == 2
    assert euler(few.region([4])) == 0  # the ring is a ring still


def test_simplified_triangles_are_well_shaped_and_near_the_surface():
    axes = np.array([24.0, 17.0, 20.0])
    labels, affine = ellipsoids([axes])
    few = simplify(surface_net(labels, affine), 1500).region([1])
    longest = np.linalg.norm(few.corners - np.roll(few.corners, -1, axis=1), axis=2).max(axis=1)
    assert np.max(longest**2 / (2.0 * few.areas)) < 10.0
    level = np.linalg.norm(few.centroids / axes, axis=1) - 1.0
    distance = level / np.linalg.norm(few.centroids / axes**2, axis=1)
    assert np.sqrt(np.mean(distance**2)) < 0.12
    assert few.volume == pytest.approx(4.0 / 3.0 * np.pi * axes.prod(), rel=0.005)


def test_needles_of_a_level_set_go():
    labels, affine = ellipsoids([(13.0, 11.0, 12.0)])
    places = np.indices(labels.shape).transpose(1, 2, 3, 0) + affine[:3, 3]
    level = _level(8.0 * (1.0 - np.linalg.norm(places / [13.0, 11.0, 12.0], axis=3)), 0.0, affine)
    longest = np.linalg.norm(level.corners - np.roll(level.corners, -1, axis=1), axis=2).max(axis=1)
    assert np.max(longest**2 / (2.0 * level.areas)) > 100.0
    sides = np.tile([1, 0], (len(level.triangles), 1))
    few = simplify(LabelMesh(level.vertices, level.triangles.astype(np.int64), sides), 600).region([1])
    assert 560 < len(few.triangles) <= 600
    assert few.is_closed
    assert few.volume == pytest.approx(level.volume, rel=0.02)
    longest = np.linalg.norm(few.corners - np.roll(few.corners, -1, axis=1), axis=2).max(axis=1)
    assert np.median(longest**2 / (2.0 * few.areas)) < 3.0


def test_size_makes_some_regions_coarser(blobs, few):
    coarse = simplify(blobs, 3000, size=np.array([1.0, 2.0, 1.0, 1.0, 1.0]))
    outer = [(mesh.sides == [1, 0]).all(axis=1).sum() for mesh in (few, coarse)]
    assert outer[1] < 0.85 * outer[0]


def test_same_volume_same_bits():
    labels = random_labels(np.random.default_rng(5))
    first, second = (simplify(surface_net(labels, np.eye(4)), 900) for _ in range(2))
    np.testing.assert_array_equal(first.vertices, second.vertices)
    np.testing.assert_array_equal(first.triangles, second.triangles)


def test_surface_of_a_mesh_has_no_spare_vertices(blobs):
    surface = blobs.surface((blobs.sides == [4, 1]).all(axis=1), "ring")
    assert isinstance(surface, Surface)
    assert surface.name == "ring"
    assert len(np.unique(surface.triangles)) == len(surface.vertices)
