"""Ellipsoids and masks as surfaces, and the mending of thin triangles."""

import nibabel as nib
import numpy as np
import pytest

from meshes import icosphere, sphere_head
from meshes.checks import check_crossings, check_surface
from meshes.lesions import ellipsoid, mask_surface
from meshes.lesions.cutting import cut_solid
from meshes.lesions.tidy import qualities, tidied

TURN = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
TURN *= np.linalg.det(TURN)


@pytest.mark.parametrize(("radii", "edge"), [(10.0, 2.0), ((12.0, 8.0, 8.0), 2.0), ((6.0, 9.0, 18.0), 1.5)])
def test_ellipsoids(radii, edge):
    centre = np.array([-25.0, 16.0, 4.0])
    surface = ellipsoid(centre, radii, rotation=None if np.ndim(radii) == 0 else TURN, edge=edge, name="x")
    check_surface(surface)
    check_crossings([surface])
    axes = np.broadcast_to(radii, 3)
    local = (surface.vertices - centre) @ (np.eye(3) if np.ndim(radii) == 0 else TURN) / axes
    # One scale makes up for the flat triangles, so every vertex lies the same share outside.
    share = np.linalg.norm(local, axis=1)
    assert np.ptp(share) < 1e-12
    assert 1.0 < share[0] < 1.02
    assert surface.volume == pytest.approx(4.0 / 3.0 * np.pi * axes.prod(), rel=1e-12)
    assert surface.mean_edge == pytest.approx(edge, rel=0.15)
    assert qualities(surface.corners).min() > 0.15


AFFINES = {
    "1 mm": np.diag([1.0, 1.0, 1.0, 1.0]),
    "left-handed": np.diag([-1.0, 1.0, 1.0, 1.0]),
    "oblique, thick slices": np.block(
        [[TURN * [0.9, 0.9, 3.0], np.zeros((3, 1))], [np.zeros((1, 3)), np.ones((1, 1))]]
    ),
}


def ball_mask(affine, centre, radius):
    """Return a mask of a ball on a grid that covers it, and the grid's affine map."""
    inverse = np.linalg.inv(affine[:3, :3])
    reach = (np.abs(inverse).sum(axis=1) * (radius + 3.0)).astype(int) + 1
    moved = affine.copy()
    moved[:3, 3] = centre - affine[:3, :3] @ reach + [0.25, -0.125, 0.5]
    index = np.indices(2 * reach + 1).reshape(3, -1)
    points = (moved[:3, :3] @ index).T + moved[:3, 3]
    return (np.linalg.norm(points - centre, axis=1) < radius).reshape(2 * reach + 1), moved


@pytest.mark.parametrize("name", AFFINES)
def test_the_mask_of_a_ball_becomes_the_ball(name):
    centre = np.array([10.0, -20.0, 30.0])
    mask, affine = ball_mask(AFFINES[name], centre, 12.0)
    surface = mask_surface(mask, affine, edge=2.0)
    check_surface(surface)
    check_crossings([surface])
    voxels = mask.sum() * abs(np.linalg.det(affine[:3, :3]))
    assert surface.volume == pytest.approx(voxels, rel=0.01)
    distance = np.linalg.norm(surface.vertices - centre, axis=1)
    thick = np.linalg.norm(affine[:3, :3], axis=0).max()
    assert np.abs(distance - 12.0).max() < 0.75 * thick  # no worse than voxels
    assert np.sqrt(np.mean((distance - 12.0) ** 2)) < 0.35 * thick
    assert np.abs(np.average(surface.centroids, axis=0, weights=surface.areas) - centre).max() < 0.15
    assert qualities(surface.corners).min() > 0.05


def test_a_mask_of_two_pieces_at_the_edge_of_the_volume():
    mask = np.zeros((40, 30, 30), dtype=np.uint8)
    mask[:10, 5:20, 5:20] = 1
    mask[25:37, 8:20, 8:20] = 1
    mask[20, 25, 25] = 1  # a speck, left out
    surface = mask_surface(mask, np.eye(4), edge=2.0)
    check_surface(surface)
    assert surface.volume == pytest.approx(10 * 15 * 15 + 12**3, rel=0.01)
    assert not (np.linalg.norm(surface.vertices - [20, 25, 25], axis=1) < 3.0).any()


def test_smoothing_rounds_the_corners_of_voxels_off():
    mask = np.zeros((40, 40, 40))
    mask[10:30, 10:30, 10:30] = 1.0
    sharp, smooth = (mask_surface(mask, np.eye(4), edge=1.5, smooth=width) for width in (0.5, 3.0))
    assert smooth.areas.sum() < 0.92 * sharp.areas.sum()
    assert smooth.volume == pytest.approx(sharp.volume, rel=0.01)


def test_a_mask_file_gives_the_lesion_of_its_arrays(tmp_path):
    head = sphere_head([90.0, 80.0], [0.33, 0.2], subdivisions=2)
    mask, affine = ball_mask(np.diag([1.0, 1.0, 1.0, 1.0]), np.array([0.0, 0.0, 40.0]), 10.0)
    path = tmp_path / "lesion.nii.gz"
    nib.save(nib.Nifti1Image(mask.astype(np.uint8), affine), path)
    one, other = (head.with_lesion(what, tissues=(0.2,)) for what in (path, (mask, affine)))
    assert one.checksum == other.checksum
    assert one.interface("lesion").surface.volume == pytest.approx(mask.sum(), rel=0.01)


CUBE = np.pad(np.ones((9, 9, 9)), 2)
BAD = {
    "empty": (np.zeros((9, 9, 9)), np.eye(4), "above the threshold; got none"),
    "full": (np.ones((9, 9, 9)), np.eye(4), "voxels outside the lesion"),
    "speck": (np.pad(np.ones((3, 3, 3)), 2), np.eye(4), "a piece of at least 64 mm3; got 27"),
    "metres": (CUBE, np.diag([1e-3, 1e-3, 1e-3, 1.0]), "a piece of at least 64 mm3"),
    "series": (np.ones((5, 5, 5, 2)), np.eye(4), "three axes"),
    "nan": (np.where(CUBE, np.nan, 0.0), np.eye(4), "finite numbers"),
    "words": (np.full((3, 3, 3), "lesion"), np.eye(4), "finite numbers"),
    "flat affine": (CUBE, np.diag([1.0, 1.0, 0.0, 1.0]), "invertible"),
    "affine of 3": (CUBE, np.eye(3), "invertible matrix of shape"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_masks_get_a_sentence(case):
    values, affine, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        mask_surface(values, affine, edge=2.0)


def test_a_file_that_is_no_image(tmp_path):
    path = tmp_path / "lesion.nii.gz"
    path.write_bytes(b"not gzip")
    with pytest.raises(ValueError, match=r"nibabel reads.*lesion.nii.gz"):
        sphere_head([90.0], [0.33], subdivisions=1).with_lesion(path, tissues=(0.33,))


@pytest.fixture(scope="module")
def cut_spheres():
    """Return two spheres cut by each other: the parts outside, and the parts inside, as labelled triangles."""
    first, second = icosphere(4, radius=20.0), icosphere(4, radius=15.0, centre=(18.0, 1.0, 2.0))
    cut = cut_solid(first, second)
    corners = np.concatenate([cut.outside.corners, cut.inside.corners, cut.wall.corners])
    labels = np.repeat([0, 1, 2], [len(p.corners) for p in (cut.outside, cut.inside, cut.wall)])
    points, which = np.unique(corners.reshape(-1, 3), axis=0, return_inverse=True)
    return points, which.reshape(-1, 3).astype(np.int64), labels


def line_edges(triangles):
    """Return the edges at which not two triangles meet, how many meet at each, and the edges of all triangles."""
    ends = np.sort(np.stack([triangles, np.roll(triangles, -1, axis=1)], axis=2).reshape(-1, 2), axis=1)
    edges, which, count = np.unique(ends, axis=0, return_inverse=True, return_counts=True)
    return edges[count != 2], count, which


def test_cut_surfaces_fit_together_and_volumes_add_up(cut_spheres):
    points, triangles, _ = cut_spheres
    edges, count, _ = line_edges(triangles)
    assert set(count.tolist()) == {2, 3}  # three parts meet along the curve, and nothing is open
    # The curve lies in the plane where both distances fit, up to the flat triangles.
    axis = np.array([18.0, 1.0, 2.0])
    height = points[np.unique(edges)] @ axis / np.linalg.norm(axis)
    plane = (20.0**2 - 15.0**2 + axis @ axis) / (2.0 * np.linalg.norm(axis))
    np.testing.assert_allclose(height, plane, atol=0.1)


def test_thin_triangles_are_mended_and_nothing_else_changes(cut_spheres):
    points, triangles, labels = cut_spheres
    mended, own = tidied(points, triangles, labels, np.full(len(points), 0.8), least=0.8)
    before, after = (qualities(points[rows]) for rows in (triangles, mended))
    assert (before < 0.05).sum() > 10
    assert after.min() > 0.1
    assert len(mended) < len(triangles)
    _, count, _ = line_edges(mended)
    assert set(count.tolist()) == {2, 3}

    def area(rows):
        at = points[rows]
        return 0.5 * np.linalg.norm(np.cross(at[:, 1] - at[:, 0], at[:, 2] - at[:, 0]), axis=1).sum()

    for label in range(3):
        assert area(mended[own == label]) == pytest.approx(area(triangles[labels == label]), rel=2e-3)
    for pair in ((0, 1), (0, 2), (1, 2)):  # each two parts, the wall turned over where it bounds the outside
        volumes = []
        for rows, kinds in ((triangles, labels), (mended, own)):
            at = points[rows]
            sign = np.where((kinds == 2) & (pair == (0, 2)), -1.0, 1.0) * np.isin(kinds, pair)
            volumes.append(float(sign @ np.linalg.det(at)) / 6.0)
        assert volumes[1] == pytest.approx(volumes[0], rel=2e-3)


def test_points_that_must_stay_do(cut_spheres):
    points, triangles, labels = cut_spheres
    same, own = tidied(points, triangles, labels, np.zeros(len(points)), least=0.8)
    np.testing.assert_array_equal(same, triangles)
    np.testing.assert_array_equal(own, labels)
