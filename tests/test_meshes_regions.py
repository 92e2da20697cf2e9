"""Named regions on any head: their own, by labels, carried over, by MNI coordinates."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

import efield
import meshes
from meshes.anatomy.fitting import estimate_mni_affine
from meshes.anatomy.labels import label_vertices, regions_of_codes, sides_of, transfer_regions
from meshes.anatomy.mni import MniAffine, mni_transform
from meshes.anatomy.regions import EXPECTED, REGIONS, find_region, labelled_region

KEYS = sorted(f"{name}-{side}" for name in REGIONS for side in ("left", "right"))


def split(key):
    name, _, side = key.rpartition("-")
    return name, side


@pytest.fixture(scope="module")
def average():
    return meshes.load_head("fsaverage")


@pytest.fixture(scope="module")
def painted():
    return meshes.load_head("pycortex", resolution="fast")


@pytest.fixture(scope="module")
def bare(painted):
    """The same person without regions and registration: all that is known is the shape of the brain."""
    return replace(painted, name="somebody", regions={}, targets={}, provenance={})


@pytest.fixture(scope="module")
def shape(bare):
    return estimate_mni_affine(bare)


@pytest.fixture(scope="module")
def labelled(painted):
    """The person with the painted regions as an atlas' labels: area 4 is M1 of leg, hand and mouth, 3b is S1."""
    regions = {}
    for side in ("left", "right"):
        for area, label in (("m1", "mmp:4"), ("s1", "mmp:3b")):
            parts = [f"{area}-{part}" for part in ("leg", "hand", "mouth")]
            regions[f"{label}-{side}"] = label_vertices(painted.regions, parts, side)
    return replace(painted, name="labelled", regions=regions, targets={})


# ------------------------------------------------------------------------------------------------- own regions first


@pytest.mark.parametrize("key", KEYS)
def test_heads_with_regions_keep_their_targets(painted, average, key):
    """As before there was another way: the region, around the position that the head brings along or its own middle."""
    name, side = split(key)
    for head in (painted, average):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            target = efield.Target.named(name, head, side=side)
        np.testing.assert_array_equal(target.region, head.regions[key])
        aimed = key in head.targets
        assert target.source == f"region {key} of {head.name}" + (
            ", aimed at the position that the head brings along" if aimed else ""
        )
        if aimed:
            assert np.linalg.norm(target.position - head.targets[key]) < 1.2  # fast mesh; tests/test_targets.py


def test_a_position_alone_will_do(painted):
    head = replace(painted, regions={}, targets={"m1-hand-left": (-37.0, 10.0, 52.0)})
    target = efield.Target.named("m1-hand", head)
    assert target.position.tolist() == [-37.0, 10.0, 52.0]
    assert target.region is None
    assert target.source == "position m1-hand-left that pycortex brings along"


# ------------------------------------------------------------------------------------------------------------ labels


def grid():
    """Points 2 mm apart around M1 leg and S1 leg in MNI space, on the left."""
    axes = (np.arange(-30.0, 10.0, 2.0), np.arange(-60.0, 0.0, 2.0), np.arange(50.0, 90.0, 2.0))
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def test_a_ball_of_the_gyrus_is_cut_by_areas():
    points = grid()
    everything = np.arange(len(points))
    behind = np.flatnonzero(points[:, 1] < -26.0)
    ball = np.linalg.norm(points - [-6.0, -26.0, 66.0], axis=1) <= 12.0
    regions = {"desikan:paracentral-left": everything, "desikan:precentral-left": everything[:5]}
    whole, used = labelled_region(regions, points, "m1-leg", "left")
    assert used == ("desikan:paracentral", "desikan:precentral")
    # Without areas: nearer to M1 leg's point than to S1 leg's.
    nearer = np.linalg.norm(points - [-6.0, -26.0, 66.0], axis=1) <= np.linalg.norm(
        points - [-8.0, -38.0, 68.0], axis=1
    )
    np.testing.assert_array_equal(whole, np.flatnonzero(ball & nearer))
    assert 0.5 < len(whole) / ball.sum() < 0.9
    for labels in (("mmp:4",), ("juelich:4a", "juelich:4p"), ("label:BA4a_exvivo", "label:BA4p_exvivo")):
        areas = {f"{label}-left": rows for label, rows in zip(labels, np.array_split(behind, len(labels)), strict=True)}
        both, used = labelled_region(regions | areas, points, "m1-leg", "left")
        np.testing.assert_array_equal(both, np.intersect1d(behind, np.flatnonzero(ball)))
        assert used == ("desikan:paracentral", "desikan:precentral", *labels)
        alone, used = labelled_region(areas, points, "m1-leg", "left")
        np.testing.assert_array_equal(alone, both)
        assert used == labels
    # The hand's gyrus is not cut.
    hand = points + np.array([-37.0, -21.0, 58.0]) - np.array([-6.0, -26.0, 66.0])
    found, used = labelled_region(
        {"desikan:precentral-left": everything, "mmp:4-left": behind}, hand, "m1-hand", "left"
    )
    np.testing.assert_array_equal(found, np.flatnonzero(ball))
    assert used == ("desikan:precentral",)


def test_sides_do_not_mix():
    points = grid()
    regions = {"mmp:4-left": np.arange(len(points))}
    assert len(labelled_region(regions, points, "m1-leg", "left")[0])
    assert not len(labelled_region(regions, points, "m1-leg", "right")[0])
    mirrored, _ = labelled_region({"mmp:4-right": np.arange(len(points))}, points * [-1, 1, 1], "m1-leg", "right")
    np.testing.assert_array_equal(mirrored, labelled_region(regions, points, "m1-leg", "left")[0])


@pytest.mark.parametrize("part", ["hand", "leg"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_labels_on_the_cortex_are_used(labelled, painted, shape, part, side):
    """Area 4 all along M1: within 12 mm of the MNI point, on the person's own M1, and no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        target = efield.Target.named(f"m1-{part}", labelled, side=side, mni=shape)
    point = np.array(REGIONS[f"m1-{part}"].point) * ([1, 1, 1] if side == "left" else [-1, 1, 1])
    assert np.linalg.norm(shape.to_mni(labelled.cortex.vertices[target.region]) - point, axis=1).max() <= 12.0
    assert np.isin(target.region, labelled.regions[f"mmp:4-{side}"]).all()
    assert target.source.startswith("labels mmp:4 of labelled within 12 mm of MNI (")
    true = efield.Target.named(f"m1-{part}", painted, side=side)
    # Measured 1.5 (hand left) to 10 mm (leg left: painted farther forward than the usual coordinates).
    assert np.linalg.norm(target.position - true.position) < 12.0
    to_own, to_other = (
        np.linalg.norm(labelled.cortex.vertices[labelled.regions[f"{label}-{side}"]] - target.position, axis=1).min()
        for label in ("mmp:4", "mmp:3b")
    )
    assert to_own < to_other


@pytest.mark.parametrize("key", KEYS)
def test_the_rule_gives_the_regions_of_fsaverage_again(average, key):
    """The shipped regions were made by meshes.recipes.pack_head from the same labels: the very same vertices."""
    name, side = split(key)
    vertices = mni_transform(average).to_mni(average.cortex.vertices)
    found, labels = labelled_region(average.regions, vertices, name, side)
    np.testing.assert_array_equal(found, average.regions[key])
    assert all(label.startswith(("desikan:", "mmp:")) for label in labels)
    # Areas alone instead of gyri: the middle moves by less than half the ball's radius.
    only = {label: rows for label, rows in average.regions.items() if label.startswith("mmp:")}
    areas, labels = labelled_region(only, vertices, name, side)
    assert all(label.startswith("mmp:") for label in labels)
    shift = average.cortex.vertices[areas].mean(axis=0) - average.cortex.vertices[found].mean(axis=0)
    assert np.linalg.norm(shift) < 6.0


def test_labels_and_own_regions_give_the_same_target_on_fsaverage(average):
    for key in KEYS:
        name, side = split(key)
        own, found = (efield.Target.named(name, average, side=side, by=by) for by in ("region", "labels"))
        np.testing.assert_array_equal(own.position, found.position)
        assert found.source.startswith("labels desikan:")


# ---------------------------------------------------------------------------------------------------------- transfer


def test_an_affinely_moved_copy_gets_the_very_same_regions(average):
    """Whatever turns, stretches and shifts a head leaves vertices' counterparts what they are, if the map is known."""
    matrix = np.eye(4)
    matrix[:3, :3] = [[1.05, 0.02, -0.03], [0.05, 0.92, -0.2], [0.01, 0.18, 0.97]]
    matrix[:3, 3] = (3.0, 38.0, -7.0)
    copy = meshes.HeadModel(
        name="copy",
        interfaces=tuple(
            meshes.Interface(part.surface.transformed(matrix), part.sigma_inside, part.sigma_outside)
            for part in average.interfaces[:1]
        ),
        cortex=average.cortex.transformed(matrix),
    )
    here = mni_transform(average)
    there = MniAffine(here.matrix @ np.linalg.inv(matrix), "known")
    carried = transfer_regions(average, copy, source_map=here, head_map=there)
    assert carried.keys() == {key for key in average.regions if key.endswith(("left", "right"))}
    for key, rows in carried.items():
        np.testing.assert_array_equal(rows, average.regions[key])


def test_normals_keep_the_banks_of_a_sulcus_apart(painted, average, shape, bare):
    """Without them more of what is carried over as M1 is painted S1."""
    import meshes.anatomy.labels as labels

    areas = np.bincount(bare.cortex.triangles.ravel(), np.repeat(bare.cortex.areas / 3.0, 3))

    def wrong(turn):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(labels, "_TURN", turn)
            found = transfer_regions(average, bare, source_map=mni_transform(average), head_map=shape)
        return sum(
            areas[
                np.intersect1d(found[key], painted.regions[f"{REGIONS[split(key)[0]].opposite}-{split(key)[1]}"])
            ].sum()
            for key in KEYS
        )

    assert wrong(10.0) < 0.9 * wrong(0.0)


@pytest.mark.parametrize(("way", "most"), [("transfer", 17.0), ("mni", 18.0)])
def test_how_near_a_guess_comes_to_the_painted_targets(bare, painted, shape, way, most):
    """Twelve painted targets of one person, found from the brain's shape alone: the figures that the warning tells."""
    apart = {}
    for key in KEYS:
        name, side = split(key)
        with pytest.warns(UserWarning, match=rf"{name} {side} of somebody is a guess: .*on the one head where this"):
            guess = efield.Target.named(name, bare, side=side, by=way, mni=shape)
        apart[key] = np.linalg.norm(guess.position - efield.Target.named(name, painted, side=side).position)
        assert guess.region is not None
        assert meshes.closest_points(bare.cortex, guess.position[None])[2][0] < 1e-9
    limbs = [value for key, value in apart.items() if "mouth" not in key]
    mouths = [value for key, value in apart.items() if "mouth" in key]
    for values, parts in ((limbs, "hands and legs"), (mouths, "mouths")):
        middle, worst = EXPECTED[way, parts]
        assert np.median(values) == pytest.approx(middle, abs=2.0)  # told: of the standard mesh
        assert max(values) == pytest.approx(worst, abs=2.0)
    assert max(apart.values()) < most + 1.0


def test_carried_over_regions_come_before_coordinates(bare, shape):
    with pytest.warns(
        UserWarning, match="m1-hand left of somebody is a guess: region m1-hand-left of fsaverage carried"
    ):
        target = efield.Target.named("m1-hand", bare, mni=shape)
    assert target.region is not None
    assert shape.source in target.source
    place = find_region(bare, "m1-hand", mni=shape)
    assert (place.way, place.expected_error) == ("transfer", 5.0)
    assert place.regions.keys() == {"m1-hand-left", "s1-hand-left"}


def test_the_midline_belongs_to_the_hemisphere():
    """Two pieces, each for itself beyond doubt, cross the midline a little; a single piece is parted by x."""
    ball = meshes.icosphere(3, radius=30.0)
    left, right = (ball.vertices + np.array([shift, 0.0, 0.0]) for shift in (-29.0, 29.0))
    both = meshes.Surface(np.concatenate([left, right]), np.concatenate([ball.triangles, ball.triangles + len(left)]))
    assert (left[:, 0] > 0.0).any()
    np.testing.assert_array_equal(sides_of(both, both.vertices[:, 0]), np.repeat([False, True], len(left)))
    np.testing.assert_array_equal(sides_of(ball, ball.vertices[:, 0]), ball.vertices[:, 0] > 0.0)


# --------------------------------------------------------------------------------------------------- MNI coordinates


@pytest.mark.parametrize("point", [(-37.0, -21.0, 58.0), (4.0, -30.0, 60.0), (-40.0, 40.0, 20.0), (2.5, 20.0, 40.0)])
def test_a_point_of_mni_space_moves_to_the_cortex_of_its_side(average, point):
    target = efield.Target.at_mni(point, average, radius=7.0, name="spot")
    known = mni_transform(average)
    mapped = known.from_mni([point])[0]
    moved = np.linalg.norm(target.position - mapped)
    assert f"moved by {moved:.1f} mm to the nearest cortex" in target.source
    assert known.source in target.source
    assert meshes.closest_points(average.cortex, target.position[None])[2][0] < 1e-9
    # No cortex of that side is nearer.
    vertices = average.cortex.vertices
    half = len(vertices) // 2
    mine = vertices[:half] if point[0] < 0.0 else vertices[half:]
    assert moved <= np.linalg.norm(mine - mapped, axis=1).min()
    assert np.linalg.norm(mine - target.position, axis=1).min() < 3.0
    assert (target.name, target.radius, target.region) == ("spot", 7.0, None)
    assert target.on(average).area > 10.0


@pytest.mark.parametrize("point", [(-15.0, -20.0, 5.0), (-20.0, -3.0, 25.0)])
def test_a_deep_point_stays_where_it_is(average, point):
    """Thalamus and the white matter over it, 10 and 17 mm from the cortex: no cortex is meant."""
    mapped = mni_transform(average).from_mni([point])[0]
    target = efield.Target.at_mni(point, average)
    np.testing.assert_array_equal(target.position, mapped)
    gap = meshes.closest_points(average.cortex, mapped[None])[2][0]
    assert target.source.endswith(f"{gap:.1f} mm from the cortex of its side, left where it is")


def test_targets_of_any_region(labelled, average):
    whole = efield.Target.of_region("mmp:4", labelled, side="left")
    same = efield.Target.of_region("mmp:4-left", labelled)
    np.testing.assert_array_equal(whole.position, same.position)
    np.testing.assert_array_equal(whole.region, labelled.regions["mmp:4-left"])
    assert (whole.name, whole.side, whole.source) == ("mmp:4", "left", "region mmp:4-left of labelled")
    assert meshes.closest_points(labelled.cortex, whole.position[None])[2][0] < 1e-9
    assert np.isin(whole.on(labelled).indices, whole.region).all()
    # A lobe's worth of cortex: pieces get larger rather than many.
    lobe = replace(average, regions={"label:front-left": np.flatnonzero(average.cortex.vertices[:10242, 1] > 45.0)})
    assert efield.Target.of_region("label:front", lobe, side="left").position[1] > 45.0


# ------------------------------------------------------------------------------------------------- refusals, reports


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"name": "v1"}, r"name must be one of 'm1-hand', .*; got 'v1'"),
        ({"side": "both"}, r"side must be one of 'left', 'right'; got 'both'"),
        ({"by": "guess"}, r"by must be one of 'region', 'labels', 'transfer', 'mni'; got 'guess'"),
        ({"by": "region"}, r"head must have the region 'm1-leg-left'; got 'small' with regions: m1-hand-left"),
        ({"by": "labels"}, r"head must have the region 'm1-leg-left', or what by='labels' needs; got 'small'"),
        ({}, r"got 'small' with regions: m1-hand-left.* Nor can it be found by MNI coordinates: head must have"),
    ],
)
def test_what_cannot_be_found_gets_a_sentence(small_head, arguments, sentence):
    arguments = {"name": "m1-leg", "side": "left"} | arguments
    with pytest.raises(ValueError, match=sentence):
        efield.Target.named(arguments.pop("name"), small_head, **arguments)


def test_other_bad_input_gets_a_sentence(small_head, painted, shape):
    with pytest.raises(
        ValueError, match=r"name must be a region of small, with its side; got 'mmp:4-left'. There are:"
    ):
        efield.Target.of_region("mmp:4", small_head, side="left")
    with pytest.raises(ValueError, match=r"side must be one of 'left', 'right'; got 'up'"):
        efield.Target.of_region("m1-hand", small_head, side="up")
    with pytest.raises(ValueError, match=r"point must be finite"):
        efield.Target.at_mni((0.0, np.nan, 0.0), painted, mni=shape)
    with pytest.raises(ValueError, match=r"to be laid over fsaverage; got 'small'"):
        efield.Target.at_mni((0.0, 0.0, 0.0), small_head)
    for call in (efield.Target.named, efield.Target.of_region):
        with pytest.raises(TypeError, match=r"head must be a meshes.HeadModel; got str"):
            call("m1-hand", "pycortex")
    with pytest.raises(TypeError, match=r"head must be a meshes.HeadModel; got str"):
        efield.Target.at_mni((0.0, 0.0, 0.0), "pycortex")
    with pytest.raises(ValueError, match=r"names must be one of .*; got 'v1-left'"):
        transfer_regions(painted, painted, source_map=shape, head_map=shape, names=["v1-left"])
    with pytest.raises(ValueError, match=r"side must be one of 'left', 'right'; got ''"):
        label_vertices({}, ["mmp:4"], "")


def test_codes_become_regions():
    cortex = meshes.icosphere(2, radius=60.0)
    rng = np.random.default_rng(2)
    codes = rng.integers(0, 4, len(cortex.vertices)).astype(np.uint8)
    found = regions_of_codes(cortex, codes, np.array(["", "a", "b", "c"]), "mine")
    assert found.keys() == {f"mine:{name}-{side}" for name in "abc" for side in ("left", "right")}
    every = np.concatenate(list(found.values()))
    np.testing.assert_array_equal(np.sort(every), np.flatnonzero(codes > 0))
    assert (cortex.vertices[found["mine:b-right"], 0] > 0.0).all()
    assert (codes[found["mine:b-right"]] == 2).all()
    with pytest.raises(ValueError, match=r"codes must be one per vertex, 162; got shape \(3,\)"):
        regions_of_codes(cortex, [0, 1, 2], ["", "a", "b"], "mine")
    with pytest.raises(ValueError, match=r"codes must be 0 to 1; got 0 to 3"):
        regions_of_codes(cortex, codes, ["", "a"], "mine")


def test_hundreds_of_labels_are_not_listed(labelled):
    with pytest.raises(ValueError, match=r"There are: 4 labels of 'mmp'\. Like it: mmp:4-right, "):
        efield.Target.of_region("mmp:4-rigth", labelled)


def test_results_say_where_the_target_comes_from(small_result):
    provenance = small_result.as_dict()["provenance"]
    assert provenance["target"] == small_result.target.source == "region m1-hand-left of small"
    other = replace(small_result, targets=(efield.Target(position=(0.0, 0.0, 60.0)),))
    assert "target" not in other.as_dict()["provenance"]
