"""Lesions in heads: what is cut, what is left, and the cortex; the fields are in test_meshes_lesions_fields.py."""

import json
import warnings

import numpy as np
import pytest

import efield
import meshes
from meshes import HeadModel, Interface, Surface, icosphere, sphere_head
from meshes.lesions import ellipsoid, insert_lesion, refined_around
from meshes.lesions.complexes import Complex
from meshes.lesions.tidy import qualities

RADII = [90.0, 84.0, 78.0, 68.0, 58.0]
SIGMAS = [0.465, 0.010, 1.654, 0.275, 0.126]
TISSUES = (0.275, 0.126)
UP = np.array([0.0, 0.0, 1.0])
CROSSING = 62.0 * UP


@pytest.fixture(scope="module")
def spheres():
    head = sphere_head(RADII, SIGMAS, subdivisions=3)
    # Three regions of the cortex: under the lesions of these tests, beside them, and far away.
    height = head.cortex.vertices[:, 2] / np.linalg.norm(head.cortex.vertices, axis=1)
    regions = {
        "m1-hand-left": height > 0.995,
        "beside": (height > 0.9) & (height <= 0.995),
        "m1-hand-right": height < 0.0,
    }
    return HeadModel(
        "spheres",
        head.interfaces,
        head.cortex,
        regions={name: np.flatnonzero(rows) for name, rows in regions.items()},
        targets={"m1-hand-left": 66.5 * UP, "m1-hand-right": -66.5 * UP},
        provenance={"tissues": json.dumps({"csf": [1.654, "x"], "grey": [0.275, "x"], "white": [0.126, "x"]})},
    )


def areas_by_sides(interface):
    sides, kind = np.unique(interface.sigmas, axis=0, return_inverse=True)
    areas = np.bincount(kind.reshape(-1), interface.surface.areas)
    return {tuple(side): float(area) for side, area in zip(sides.tolist(), areas, strict=True)}


def cap(radius, distance, other):
    """Return the area of a sphere's part inside another one whose centre is at a distance (Archimedes)."""
    cosine = (radius**2 + distance**2 - other**2) / (2.0 * radius * distance)
    return 2.0 * np.pi * radius**2 * (1.0 - cosine)


def test_inside_white_matter_it_is_one_more_closed_surface(spheres):
    head = spheres.with_lesion(centre=(0, 0, 30), radius=10)
    assert not head.touching
    assert [i.name for i in head.interfaces] == [*(i.name for i in spheres.interfaces), "lesion"]
    lesion = head.interfaces[-1]
    assert (lesion.sigma_inside, lesion.sigma_outside) == (1.654, 0.126)
    assert lesion.surface.volume == pytest.approx(4.0 / 3.0 * np.pi * 1000.0, rel=1e-6)
    for old, new in zip(spheres.interfaces, head.interfaces, strict=False):
        assert new is old
    np.testing.assert_array_equal(head.cortex.vertices, spheres.cortex.vertices)
    told = json.loads(head.provenance["lesions"])["lesion"]
    assert told["volume (mm3)"] == {"white": pytest.approx(lesion.surface.volume, abs=0.1), "grey": 0.0}
    assert head.checksum != spheres.checksum


@pytest.mark.parametrize("sigma", [1.654, 0.6])
def test_across_grey_and_white_matter_the_areas_are_those_of_spheres(spheres, sigma):
    with pytest.warns(UserWarning, match="m1-hand-left 100.0%"):
        head = spheres.with_lesion(centre=CROSSING, radius=12, conductivity=sigma, edge=1.5)
    assert head.touching
    parts = {i.name: areas_by_sides(i) for i in head.interfaces}
    before = {i.name: i.surface.areas.sum() for i in spheres.interfaces}
    pial, white = cap(68.0, 62.0, 12.0), cap(58.0, 62.0, 12.0)
    in_white = cap(12.0, 62.0, 58.0)
    in_grey = cap(12.0, 62.0, 68.0) - in_white
    # The big spheres are of flat triangles of 8 mm: their caps are known to a few per cent.
    assert before["sphere-4"] - parts["sphere-4"][0.275, 1.654] == pytest.approx(pial, rel=0.04)
    assert before["sphere-5"] - parts["sphere-5"][0.126, 0.275] == pytest.approx(white, rel=0.04)
    assert parts["lesion"] == {
        (sigma, 0.126): pytest.approx(in_white, rel=0.04),
        (sigma, 0.275): pytest.approx(in_grey, rel=0.04),
    }
    if sigma == 1.654:  # like CSF: no surface between the lesion and the CSF over it
        assert set(parts["sphere-4"]) == {(0.275, 1.654)}
    else:
        assert parts["sphere-4"][0.6, 1.654] == pytest.approx(pial, rel=0.04)


def test_volumes_add_up(spheres):
    with pytest.warns(UserWarning, match="takes cortex"):
        head = spheres.with_lesion(centre=CROSSING, radius=12, conductivity=0.6)
    told = json.loads(head.provenance["lesions"])["lesion"]["volume (mm3)"]
    after = {sigma: Complex.of(head.interfaces).region(sigma)[0].volume for sigma in (0.6, 0.275, 0.126)}
    before = {sigma: Complex.of(spheres.interfaces).region(sigma)[0].volume for sigma in (0.275, 0.126)}
    # Mending thin triangles moves a little from one side to the other.
    assert after[0.6] == pytest.approx(sum(told.values()), rel=2e-3)
    assert before[0.275] - after[0.275] == pytest.approx(told["grey"], rel=5e-3)
    assert before[0.126] - after[0.126] == pytest.approx(told["white"], rel=5e-3)


def test_conducting_as_white_matter_it_changes_nothing_but_the_grey(spheres):
    inside = spheres.with_lesion(centre=(0, 0, 30), radius=10, conductivity="white")
    assert [i.name for i in inside.interfaces] == [i.name for i in spheres.interfaces]
    with pytest.warns(UserWarning, match="takes cortex"):
        across = spheres.with_lesion(centre=CROSSING, radius=12, conductivity="white")
    # White matter now bulges into the grey: the old surface without its cap, and the wall in the grey.
    assert set(areas_by_sides(across.interfaces[-1])) == {(0.126, 0.275)}


def test_cortex_regions_and_targets(spheres):
    with pytest.warns(UserWarning, match=r"beside [\d.]+%, m1-hand-left 100.0%") as seen:
        head = spheres.with_lesion(centre=CROSSING, radius=12)
    assert seen[0].filename == __file__
    assert set(head.regions) == {"beside", "m1-hand-right"}
    assert set(head.targets) == {"m1-hand-right"}
    distance = np.linalg.norm(head.cortex.vertices - CROSSING, axis=1)
    assert distance.min() > 12.9  # flat triangles of the lesion: a little less than 13
    # The regions are the same places as before, less those that were lost.
    for name in head.regions:
        left, old = head.cortex.vertices[head.regions[name]], spheres.cortex.vertices[spheres.regions[name]]
        kept = old[np.linalg.norm(old - CROSSING, axis=1) > 13.05]
        assert {tuple(point) for point in kept} <= {tuple(point) for point in left} <= {tuple(point) for point in old}
    with pytest.warns(UserWarning, match="takes cortex"):
        wider = spheres.with_lesion(centre=CROSSING, radius=12, margin=5.0)
    assert np.linalg.norm(wider.cortex.vertices - CROSSING, axis=1).min() > 16.9


def test_a_region_that_is_lost_is_no_target(spheres):
    with pytest.warns(UserWarning, match="m1-hand-left 100.0%"):
        head = spheres.with_lesion(centre=CROSSING, radius=12)
    with pytest.raises(ValueError, match="m1-hand-left"):
        efield.Target.named("m1-hand", head, side="left")
    assert efield.Target.named("m1-hand", head, side="right").side == "right"


def test_two_lesions_apart_together_and_one_in_the_other(spheres):
    one = spheres.with_lesion(centre=(-62, 0, 0), radius=9, name="old", margin=0.0)
    assert one.touching
    apart = one.with_lesion(centre=(40, 0, 0), radius=9, conductivity=0.8, name="new")
    assert [i.name for i in apart.interfaces[-2:]] == ["old", "new"]
    # Overlapping: what the first took stays as it is.
    joined = one.with_lesion(centre=(-50, 0, 0), radius=9, conductivity=0.8, name="new", margin=0.0)
    old, new = (json.loads(joined.provenance["lesions"])[name]["volume (mm3)"] for name in ("old", "new"))
    assert sum(new.values()) < 4.0 / 3.0 * np.pi * 9.0**3 - 100.0
    assert sum(old.values()) > 100.0
    with pytest.raises(ValueError, match="must reach into grey or white"):
        one.with_lesion(centre=(-60, 0, 0), radius=4, name="new", margin=0.0)


def test_it_opens_into_a_ventricle():
    plain = sphere_head(RADII, SIGMAS, subdivisions=3)
    ventricle = Interface(icosphere(2, radius=12.0, name="ventricle"), 1.654, 0.126)
    head = HeadModel("with ventricle", (*plain.interfaces, ventricle), plain.cortex)
    hurt = head.with_lesion(centre=(0, 0, 14), radius=8, tissues=TISSUES)
    # Both are CSF: what is left of the two surfaces is one closed surface around both.
    csf, _ = Complex.of(hurt.interfaces).region(1.654)
    assert csf.is_closed
    both = Complex.of(hurt.interfaces[-2:]).region(1.654)[0]
    taken = json.loads(hurt.provenance["lesions"])["lesion"]["volume (mm3)"]["0.126 S/m"]
    assert both.volume == pytest.approx(ventricle.surface.volume + taken, rel=2e-3)
    stiff = head.with_lesion(centre=(0, 0, 14), radius=8, tissues=TISSUES, conductivity=0.8)
    assert set(areas_by_sides(stiff.interface("ventricle"))) == {(1.654, 0.126), (1.654, 0.8)}


def test_surfaces_far_from_it_keep_every_bit_and_those_near_it_their_shape(spheres):
    lesion = ellipsoid(CROSSING, 12.0, edge=2.0)
    with pytest.warns(UserWarning, match="takes cortex"):
        head = insert_lesion(spheres, lesion)
    for k in (0, 1, 2):
        assert head.interfaces[k] is spheres.interfaces[k]
    import igl

    for k in (3, 4):
        new, old = head.interfaces[k].surface, spheres.interfaces[k].surface
        middle = np.concatenate([new.vertices, new.centroids])
        off = np.sqrt(igl.point_mesh_squared_distance(middle, old.vertices, old.triangles.astype(np.int64))[0])
        assert off.max() < 0.05
    finer = refined_around(spheres, lesion)
    for old, new in zip(spheres.interfaces, finer.interfaces, strict=True):
        assert new.surface.areas.sum() == pytest.approx(old.surface.areas.sum(), rel=1e-12)


def test_on_the_default_head_no_sliver_is_left():
    head = meshes.load_head("pycortex")
    worst = max(1.0 / qualities(i.surface.corners).min() for i in head.interfaces)
    # Over the bank behind M1 hand left: two gyri, pial and white surfaces, a sulcus. HeadModel checks for crossings.
    centre = head.targets["m1-hand-left"] + [-4.0, -13.0, -3.0]
    with pytest.warns(UserWarning, match="m1-hand-left"):
        hurt = head.with_lesion(centre=centre, radius=12, conductivity=0.8)
    assert hurt.touching
    quality = np.concatenate([qualities(i.surface.corners) for i in hurt.interfaces])
    assert 1.0 / quality.min() < max(60.0, worst)
    assert np.percentile(1.0 / quality, 99.9) < 13.0


def test_same_input_same_bits(spheres):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        first, second = (spheres.with_lesion(centre=CROSSING, radius=12) for _ in range(2))
    assert first.checksum == second.checksum


def test_a_surface_with_a_name_of_its_own(spheres):
    ball = icosphere(3, radius=8.0, centre=(0, 0, 20), name="ball")
    head = spheres.with_lesion(ball, name="cyst", conductivity=0.5)
    np.testing.assert_array_equal(head.interface("cyst").surface.vertices, ball.vertices)


BAD = {
    "nothing": ({}, "must be one of"),
    "two things": ({"centre": CROSSING, "radius": 9, "radii": (9, 9, 9)}, "must be one of"),
    "no centre": ({"radius": 9}, "must be one of"),
    "rotated sphere": ({"centre": CROSSING, "radius": 9, "rotation": np.eye(3)}, "must be one of"),
    "no radius": ({"centre": CROSSING, "radius": 0}, "radius must be a positive number; got 0"),
    "negative axis": ({"centre": CROSSING, "radii": (9, -1, 9)}, "radii must be a positive number"),
    "two axes": ({"centre": CROSSING, "radii": (9, 9)}, "radii must be a vector"),
    "mirrored": ({"centre": CROSSING, "radii": (9, 8, 7), "rotation": np.diag([1, 1, -1])}, "right-handed rotation"),
    "coarse": ({"centre": CROSSING, "radius": 9, "edge": 7}, "edge must be 0.09 to 4.5 mm"),
    "insulator": ({"centre": CROSSING, "radius": 9, "conductivity": 0}, "conductivity must be a positive number"),
    "word": ({"centre": CROSSING, "radius": 9, "conductivity": "bone"}, "conductivity must be one of 'csf'"),
    "skull": ({"centre": 81 * UP, "radius": 2}, "must reach into"),
    "outside": ({"centre": (0, 200, 0), "radius": 9}, r"outside the head, 1\d\d\.\d mm away"),
    "all of it": ({"centre": (0, 0, 0), "radius": 72}, "must leave a tenth of each surface"),
    "taken name": ({"centre": CROSSING, "radius": 9, "name": "sphere-4"}, "name must be new"),
    "unknown tissue": ({"centre": CROSSING, "radius": 9, "tissues": ("gray",)}, "tissue in tissues must be one of"),
    "unknown value": ({"centre": CROSSING, "radius": 9, "tissues": (0.3,)}, "must be a conductivity in the head"),
    "not a region": ({"region": "no/such/mask.nii.gz"}, "is no file"),
    "inside out": ({"region": Surface(icosphere(1).vertices, icosphere(1).triangles[:, ::-1])}, "counter-clockwise"),
    "open": ({"region": Surface(icosphere(1).vertices, icosphere(1).triangles[1:])}, "must be closed"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_a_sentence(spheres, case):
    arguments, message = BAD[case]
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        spheres.with_lesion(**arguments)


def test_a_mask_in_another_frame_is_told_how_far_it_is(spheres):
    affine = np.eye(4)
    affine[:3, 3] = 300.0
    with pytest.raises(ValueError, match=r"outside the head, \d\d\d\.\d mm away.*affine"):
        spheres.with_lesion((np.pad(np.ones((9, 9, 9)), 1), affine))


def test_a_head_without_names_asks_for_conductivities():
    with pytest.raises(ValueError, match="which names none"):
        sphere_head(RADII, SIGMAS, subdivisions=2).with_lesion(centre=(0, 0, 20), radius=8)
    with pytest.raises(TypeError, match="region must be"):
        sphere_head(RADII, SIGMAS, subdivisions=2).with_lesion(np.ones((3, 3, 3)))
