"""The recipe of the pycortex head: painted regions, bodies from masks, thin triangles, surfaces pushed apart."""

import gzip
import io
import tarfile

import nibabel as nib
import numpy as np
import pytest

import meshes
from meshes.checks import check_crossings, check_surface, crossing_pairs
from meshes.measures import aspects
from meshes.recipes import pycortex, pycortex_layers
from meshes.recipes.layers import (
    Grid,
    closed,
    contour,
    inside,
    largest_piece,
    opened,
    outside_distance,
    remeshed,
    rounded_maximum,
    signed_distance,
)
from meshes.recipes.pycortex_source import FOLDER, T1, points_within, read_subject
from meshes.recipes.untangle import mend_shapes, slenderness


def grid_of(size, spacing=1.0):
    """Return a cubic grid around the origin and the distance of its points from there."""
    grid = Grid(np.full(3, -0.5 * spacing * (size - 1)), (size, size, size), spacing)
    points = grid.points(np.ones(grid.shape, dtype=bool)).reshape(*grid.shape, 3)
    return grid, points, np.linalg.norm(points, axis=3)


# Painted regions


def test_points_within_relative_and_absolute_paths():
    square = [
        "M 1,1 L 3,1 L 3,3 L 1,3 Z",
        "m 1,1 2,0 0,2 -2,0 z",
        "M1 1H3V3H1Z",
        "m1,1h2v2h-2z",
        "m 1 1 c 1,0 1,0 2,0 c 0,1 0,1 0,2 l -2,0 z",
    ]
    points = np.random.default_rng(1).uniform(0, 4, (200, 2))
    expected = ((points > 1) & (points < 3)).all(axis=1)
    for data in square:
        assert np.array_equal(points_within(points, [data]), expected), data
    two = points_within(points, [square[0], "M 0,0 h 0.5 v 4 h -0.5 z"])
    assert np.array_equal(two, expected | (points[:, 0] < 0.5))


def test_points_within_a_circle_of_cubic_curves():
    # The usual four-arc circle, right to 2.8e-4 of the radius; as large as a region in the drawing.
    r, k = 100.0, 400.0 / 3.0 * (np.sqrt(2.0) - 1.0)
    data = f"M {r},0 C {r},{k} {k},{r} 0,{r} c {-k},0 {-r},{k - r} {-r},{-r} C {-r},{-k} {-k},{-r} 0,{-r} "
    points = np.random.default_rng(2).uniform(-120, 120, (5000, 2))
    radius = np.linalg.norm(points, axis=1)
    clear = abs(radius - r) > 0.5  # matplotlib draws the curves with a few chords
    inside_path = points_within(points[clear], [data + f"C {k},{-r} {r},{-k} {r},0 z"])
    assert np.array_equal(inside_path, radius[clear] < r)


def test_an_unknown_path_command_gets_a_sentence():
    with pytest.raises(ValueError, match=r"path must be of the commands m, l, h, v, c, z; got 'a'"):
        points_within(np.zeros((1, 2)), ["M 0,0 a 1,1 0 0 0 1,1 z"])


def gifti(surface):
    arrays = [
        nib.gifti.GiftiDataArray(surface.vertices.astype(np.float32), intent="NIFTI_INTENT_POINTSET"),
        nib.gifti.GiftiDataArray(surface.triangles, intent="NIFTI_INTENT_TRIANGLE"),
    ]
    return nib.gifti.GiftiImage(darrays=arrays).to_bytes()


def write_sdist(path, *, leave_out=""):
    """Write an archive like pycortex', with flat maps of 9 x 9 vertices 1 apart, the first column cut off."""
    side = np.arange(9.0)
    x, y = (part.ravel() for part in np.meshgrid(side, side))
    corner = np.arange(81).reshape(9, 9)[:-1, :-1].ravel()
    faces = np.concatenate(
        [np.stack([corner, corner + 1, corner + 10], 1), np.stack([corner, corner + 10, corner + 9], 1)]
    )
    pial = meshes.Surface(np.stack([x, y, 5.0 + 0 * x], 1), faces)
    flat = meshes.Surface(pial.vertices, faces[(x[faces] > 0.5).all(axis=1)])
    svg = """<svg xmlns="http://www.w3.org/2000/svg" width="160" height="80"
        xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape">
        <g inkscape:label="rois"><g inkscape:label="shapes"><g inkscape:label="M1H">
        <path d="m 2,2 22,0 0,22 -22,0 z"/><path d="M 85,75 h 10 v -10 h -10 z"/></g></g></g></svg>"""
    image = nib.Nifti1Image(np.arange(24, dtype=np.uint8).reshape(2, 3, 4), np.diag([1.0, 1, 1, 1]))
    content = {T1: gzip.compress(image.to_bytes()), "overlays.svg": svg.encode()}
    for half in ("lh", "rh"):
        content |= {f"surfaces/pia_{half}.gii": gifti(pial), f"surfaces/wm_{half}.gii": gifti(pial)}
        content[f"surfaces/flat_{half}.gii"] = gifti(flat)
    with tarfile.open(path, "w:gz") as archive:
        for name, data in content.items():
            if name != leave_out:
                info = tarfile.TarInfo(f"pycortex-1.2.12/{FOLDER}/{name}")
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))


def test_regions_are_read_from_the_drawing(tmp_path):
    write_sdist(tmp_path / "s.tar.gz")
    subject = read_subject(tmp_path / "s.tar.gz")
    assert subject.t1.shape == (2, 3, 4)
    region = subject.region("M1H")
    # The two maps lie side by side, 16 units wide and 8 high together: 10 of the drawing's to one, y upwards.
    x, y = subject.flat["lh"].vertices[:, :2].T
    drawn = (10 * x > 2) & (10 * x < 24) & (80 - 10 * y > 2) & (80 - 10 * y < 24)
    # x = 0 is not on the flat map: what the path holds of it does not count, what neighbours x = 1 does.
    expected = drawn & (x > 0.5)
    expected |= (x < 0.5) & (y >= 5) & (y <= 7)  # triangles slant: (0, 5) is a neighbour of (1, 6)
    assert np.array_equal(region["lh"], np.flatnonzero(expected))
    assert region["rh"].tolist() == [0, 9, 10]  # drawn around (1, 1)
    with pytest.raises(ValueError, match="region must be painted in the overlays; got 'V1'"):
        subject.region("V1")


def test_an_archive_without_a_file_gets_a_sentence(tmp_path):
    write_sdist(tmp_path / "s.tar.gz", leave_out="overlays.svg")
    with pytest.raises(ValueError, match=r"s\.tar\.gz must hold filestore/db/S1/overlays\.svg; got an archive without"):
        read_subject(tmp_path / "s.tar.gz")


# Bodies from masks


def test_signed_distance_of_a_ball():
    grid, _, radius = grid_of(41)
    field = signed_distance(radius < 12.3, grid)
    # The rim of a voxel mask is half a voxel off, its corners sqrt(3) / 2.
    assert abs(field - (radius - 12.3)).max() < 0.9
    wide = signed_distance(radius < 12.3, grid, smoothing=1.5)
    # To first order smoothing adds half the variance times the Laplacian 2 / r of the distance.
    assert np.mean((wide - radius + 12.3)[abs(radius - 12.3) < 2]) == pytest.approx(1.5**2 / 12.3, abs=0.1)


def test_distance_to_a_surface_is_exact_within_reach():
    grid, points, _ = grid_of(31)
    ball = meshes.icosphere(4, radius=9.0, centre=(0.3, 0.2, -0.4))
    field = outside_distance(ball, grid, reach=4.0)
    exact = np.linalg.norm(points - [0.3, 0.2, -0.4], axis=3) - 9.0
    near = abs(exact) < 3.0
    # An icosphere of 9 mm and four subdivisions lies at most 13 um inside the sphere.
    assert abs(field - exact)[near].max() < 0.015
    assert np.array_equal(inside(ball, grid)[abs(exact) > 0.05], (exact < 0)[abs(exact) > 0.05])


def test_opened_closed_and_largest_piece():
    grid, points, radius = grid_of(51)
    ball = radius < 15.0
    spike = (np.linalg.norm(points[..., :2], axis=3) < 2.0) & (points[..., 2] > 0) & (points[..., 2] < 23)
    speck = np.linalg.norm(points - [20.0, 20.0, 20.0], axis=3) < 3.0
    hollow = radius < 4.0
    cleft = (abs(points[..., 0]) < 1.5) & (points[..., 2] < -8.0)
    assert not opened(largest_piece(ball | spike | speck), 4.0, grid)[radius > 17.0].any()
    assert opened(ball, 4.0, grid).sum() == pytest.approx(ball.sum(), rel=0.02)
    mended = closed(ball & ~hollow & ~cleft, 5.0, grid)
    assert mended[radius < 13.0].all()
    assert not mended[radius > 15.5].any()


def test_rounded_maximum_is_a_maximum_away_from_the_edge():
    first = np.linspace(-10, 10, 2001, dtype=np.float32)
    second = np.zeros_like(first)
    result = rounded_maximum(first, second, 4.0)
    away = abs(first) >= 4.0
    assert np.array_equal(result[away], np.maximum(first, second)[away])
    assert (result >= np.maximum(first, second)).all()
    assert result.max() == 10.0
    assert result[1000] == pytest.approx(1.0)  # a quarter of the width
    slope = np.diff(result) / np.diff(first)
    assert abs(np.diff(slope)).max() < 0.01  # no kink: the slope goes from 0 to 1 over 8 mm in steps of 0.01
    assert (np.diff(result) > -1e-6).all()


# pyacvd 0.4 calls what pyvista 0.49 is about to rename.
@pytest.mark.filterwarnings("ignore:.PolyData._connectivity_array. is deprecated")
def test_contour_of_a_ball_and_even_triangles():
    grid, _, radius = grid_of(61)
    ball = contour((radius - 20.3).astype(np.float32), grid, "ball")
    check_surface(ball)
    exact = 4.0 / 3.0 * np.pi * 20.3**3
    assert ball.volume == pytest.approx(exact, rel=2e-3)
    even = remeshed(ball, 2000)
    check_surface(even)
    assert abs(len(even.triangles) - 2000) < 40
    assert aspects(even).max() < 5.0
    # Vertices on the ball: the volume lacks what 2000 flat triangles lack, 3 h^2 / (20 r^2) with edges h = 2.4.
    assert abs(np.linalg.norm(even.vertices, axis=1) - 20.3).max() < 0.03
    assert 0.99 < even.volume / ball.volume < 1.0


def test_contour_without_handles():
    grid, points, _ = grid_of(61)
    ring = np.hypot(np.hypot(points[..., 0], points[..., 1]) - 15.0, points[..., 2]) - 5.0
    with pytest.raises(RuntimeError, match="ring must have no handle; got some after 2 attempts"):
        contour(ring.astype(np.float32), grid, "ring", attempts=2)
    # A thin bridge over a cleft, and a separate piece: smoothing takes the one away, the other is dropped.
    ball = np.linalg.norm(points, axis=3) - 18.0
    bridge = np.hypot(np.hypot(points[..., 0], points[..., 2] - 18.0) - 6.0, points[..., 1]) - 1.1
    piece = np.linalg.norm(points - 25.0, axis=3) - 3.0
    surface = contour(np.minimum(np.minimum(ball, bridge), piece).astype(np.float32), grid, "ball")
    check_surface(surface)
    assert 2 * len(surface.vertices) - len(surface.triangles) == 4
    assert surface.vertices.max() < 24.5


# Layers of a head


@pytest.fixture(scope="module")
def round_head():
    """Return T1, labels and pial surfaces of a round head whose bone has marrow that is labelled as scalp."""
    size, spacing = 104, 2.0
    grid, points, radius = grid_of(size, spacing)
    shells = [(92.0, 110.0, 258), (80.0, 45.0, 165), (78.0, 120.0, 258), (74.0, 40.0, 165), (72.0, 40.0, 24)]
    t1, labels = np.zeros(grid.shape), np.zeros(grid.shape, dtype=np.int32)
    for limit, intensity, label in shells:
        t1[radius < limit], labels[radius < limit] = intensity, label
    # Where bone has marrow (the upper part), samseg's label ends at the inner table.
    upper = points[..., 2] > 20.0
    labels[(radius < 80.0) & (radius > 74.0)] = 165
    labels[upper & (radius < 80.0) & (radius > 74.0)] = 258
    pial = {}
    for side, x in (("lh", -33.0), ("rh", 33.0)):
        ball = meshes.icosphere(4, radius=31.0, centre=(x, 0, 10.0), name=f"pial_{side}")
        pial[side] = ball
        t1[inside(ball, grid)], labels[inside(ball, grid)] = 90.0, 3
        for centre, width, code in (((x, 0.0, 10.0), 26.0, 2), ((x, 0.0, 10.0), 9.0, 4 if x < 0 else 43)):
            body = np.linalg.norm(points - centre, axis=3) < width
            t1[body], labels[body] = (100.0 if code == 2 else 30.0), code
    low = np.linalg.norm(points - [0.0, -20.0, -45.0], axis=3) < 20.0
    t1[low], labels[low] = 90.0, 8
    affine = np.eye(4) * spacing
    affine[:3, 3], affine[3, 3] = grid.origin, 1.0
    return t1, labels, affine, pial


@pytest.fixture(scope="module")
def round_fields(round_head):
    t1, labels, affine, pial = round_head
    data = pycortex_layers.volumes(t1, affine, labels)
    return data, pycortex_layers.head_fields(data, pial)


def test_volumes_are_turned_and_cut():
    grid, points, radius = grid_of(40, 4.0)
    rng = np.random.default_rng(4)
    t1 = np.where(radius < 50.0, rng.uniform(80.0, 120.0, grid.shape), 0.0)
    labels = rng.integers(0, 50, grid.shape).astype(np.int32)
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    affine[:3, 3] = grid.origin
    plain = pycortex_layers.volumes(t1, affine, labels)
    flip = np.array([[-1.0, 0, 0, 39], [0, 0, 1.0, 0], [0, 1.0, 0, 0], [0, 0, 0, 1]])
    turned = pycortex_layers.volumes(t1[::-1].transpose(0, 2, 1), affine @ flip, labels[::-1].transpose(0, 2, 1))
    assert np.allclose(plain.grid.origin, turned.grid.origin)
    assert np.array_equal(plain.t1, turned.t1)
    assert np.array_equal(plain.labels, turned.labels)
    # A value stays where it was: the label at one point of the head.
    i, j, k = np.round(plain.grid.indices(points[20, 25, 18][None]))[:, 0].astype(int)
    assert plain.labels[i, j, k] == labels[20, 25, 18]
    assert max(plain.grid.shape) < 36  # 25 voxels of head, 12 mm of margin on either side
    with pytest.raises(ValueError, match="labels must have the shape of the T1"):
        pycortex_layers.volumes(t1, affine, labels[1:])
    with pytest.raises(ValueError, match="affine must have cubic voxels along the axes"):
        pycortex_layers.volumes(t1, affine @ np.diag([1.0, 1, 1.5, 1]), labels)


def test_skull_reaches_the_outer_table_beyond_the_marrow(round_fields):
    data, fields = round_fields
    surfaces = {name: contour(field, data.grid, name) for name, field in fields.items()}
    for name, radius in (("scalp", 92.0), ("outer_skull", 80.0), ("inner_skull", 72.0)):
        vertices = surfaces[name].vertices
        calvaria = vertices[vertices[:, 2] > 40.0]
        # Half a voxel (1 mm) of the masks' rims, and what smoothing takes off a sphere, 2^2 / 80 mm.
        assert abs(np.linalg.norm(calvaria, axis=1) - radius).max() < 1.2, name
    assert surfaces["scalp"].vertices[:, 2].min() > -92.0  # closed above the lowest slice


def test_layers_keep_their_least_thickness(round_fields, round_head):
    data, fields = round_fields
    assert (fields["outer_skull"] <= fields["inner_skull"] - pycortex_layers.BONE + 1e-3).all()
    assert (fields["scalp"] <= fields["outer_skull"] - pycortex_layers.SCALP + 1e-3).all()
    for side in ("lh", "rh"):
        distance = outside_distance(round_head[3][side], data.grid, reach=6.0)
        assert (fields["inner_skull"] <= distance - pycortex_layers.FLUID + 1e-3).all()
        assert (fields["cerebellum"] >= pycortex_layers.TENTORIUM - distance - 1e-3).all()


def test_ventricles_stay_within_white_matter(round_fields):
    data, _ = round_fields
    white = meshes.icosphere(4, radius=26.0, centre=(-33.0, 6.0, 10.0))  # 26 - 6 from the ventricle's middle
    ventricle = contour(pycortex_layers.ventricle_field(data, white, "lh"), data.grid, "ventricle_lh")
    assert ventricle.volume == pytest.approx(4 / 3 * np.pi * 9.0**3, rel=0.12)  # voxels of 2 mm
    narrow = meshes.icosphere(4, radius=11.0, centre=(-33.0, 6.0, 10.0))
    cut = contour(pycortex_layers.ventricle_field(data, narrow, "lh"), data.grid, "ventricle_lh")
    assert (np.linalg.norm(cut.vertices - [-33.0, 6.0, 10.0], axis=1) < 11.0 - 0.5).all()
    assert cut.volume < ventricle.volume


# Triangles and clearances


def test_slenderness_of_known_triangles():
    corners = np.array([[[0, 0, 0], [1, 0, 0], [0.5, np.sqrt(0.75), 0]], [[0, 0, 0], [4, 0, 0], [2, 1, 0]]])
    assert np.allclose(slenderness(corners), [2 / np.sqrt(3), 4.0], rtol=1e-12, atol=0)
    assert slenderness(np.zeros((1, 3, 3)))[0] == np.inf


def test_thin_triangles_are_mended():
    rng = np.random.default_rng(3)
    ball = meshes.icosphere(4, radius=30.0)
    # Needles and caps: vertices slide along their edges almost into a neighbour, or onto the edge opposite.
    vertices = ball.vertices.copy()
    for triangle in rng.choice(len(ball.triangles), 120, replace=False):
        a, b, c = ball.triangles[triangle]
        aim = vertices[b] if rng.random() < 0.5 else 0.5 * (vertices[b] + vertices[c])
        vertices[a] += 0.93 * (aim - vertices[a])
    thin = meshes.Surface(vertices, ball.triangles, "ball")
    before = crossing_pairs([thin])[0]
    assert (aspects(thin) > 7.0).sum() > 100
    mended = mend_shapes(thin, limit=7.0)
    check_surface(mended)
    assert 2 * len(mended.vertices) - len(mended.triangles) == 4
    assert (aspects(mended) > 7.0).sum() <= 0.05 * (aspects(thin) > 7.0).sum()
    assert mended.volume == pytest.approx(thin.volume, rel=5e-3)
    assert len(crossing_pairs([mended])[0]) <= len(before)
    assert meshes.closest_points(mended, ball.vertices)[2].max() < 1.5
    again = mend_shapes(ball, limit=7.0)
    assert np.array_equal(again.vertices, ball.vertices)  # nothing to mend, nothing moved


def test_surfaces_settle_apart():
    radii = {"scalp": 60.0, "outer_skull": 59.0, "inner_skull": 54.6, "cerebellum": 12.0}
    surfaces = {name: meshes.icosphere(4, radius=radius, name=name) for name, radius in radii.items()}
    surfaces["cerebellum"] = meshes.icosphere(3, radius=12.0, centre=(0, 0, -36.3), name="cerebellum")
    for side, sign in (("lh", -1.0), ("rh", 1.0)):
        for name, radius in (("pial", 26.0), ("white", 25.7), ("ventricle", 8.0)):
            centre = (sign * (26.1 + (18.0 if name == "ventricle" else 0.0)), 0, 0)
            surfaces[f"{name}_{side}"] = meshes.icosphere(3, radius=radius, centre=centre, name=f"{name}_{side}")
    apart = pycortex.settled({name: surfaces[name] for name in pycortex.ORDER})
    for surface in apart.values():
        check_surface(surface)
        assert aspects(surface).max() < 10.0
        assert np.array_equal(surface.vertices, surface.vertices.astype(np.float32))
    check_crossings(list(apart.values()))
    for demand in pycortex.DEMANDS:
        one, other = apart[demand.moved], apart[demand.fixed]
        for a, b in ((one, other), (other, one)):
            points = np.concatenate([a.vertices, a.centroids])
            # keep_clear stops a thousandth short.
            assert meshes.closest_points(b, points)[2].min() > demand.distance - 2e-3, (demand.moved, demand.fixed)
