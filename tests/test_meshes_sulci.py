"""Walls of sulci, and the line along the central sulcus."""

from dataclasses import replace

import numpy as np
import pytest

import efield
import meshes
from meshes.anatomy.labels import label_vertices, transfer_regions
from meshes.anatomy.mni import mni_transform
from meshes.anatomy.sulci import central_sulcus, fundus_between
from meshes.anatomy.walls import angle_across, bank_of, wall_around

HEIGHT, WIDTH = 8.0, 12.0
"""Half the depth of the folds, and their period over 2 pi: gyri 75 mm apart would be flat, 38 mm are as in a brain."""


def wave(x, y, bend=0.0):
    """Height of a rippled sheet: fundi at x = bend(y) + 2 pi n WIDTH / 2."""
    return -HEIGHT * np.cos((x - bend * np.sin(y / 15.0)) * 2.0 / WIDTH)


def sheet(step, *, bend=0.0, half=40.0):
    """Rippled sheet with normals up; vertices are jittered along it, so that no symmetry of the mesh helps."""
    rng = np.random.default_rng(5)
    along = np.arange(-half, half + step / 2.0, step)
    x, y = (grid.ravel() for grid in np.meshgrid(along, along, indexing="ij"))
    x, y = x + rng.uniform(-0.2, 0.2, len(x)) * step, y + rng.uniform(-0.2, 0.2, len(x)) * step
    n = len(along)
    corner = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)).ravel()
    triangles = np.concatenate(
        [
            np.column_stack([corner, corner + n, corner + n + 1]),
            np.column_stack([corner, corner + n + 1, corner + 1]),
        ]
    )
    return meshes.Surface(np.column_stack([x, y, wave(x, y, bend)]), triangles, "sheet")


@pytest.fixture(scope="module")
def heads():
    return {
        "pycortex": meshes.load_head("pycortex", resolution="standard"),
        "fsaverage": meshes.load_head("fsaverage"),
    }


# ------------------------------------------------------------------------------------------------------------- walls


def test_a_walls_normal_converges_to_the_closed_form():
    """Over x from a to b the sum of normal times area is (z(a) - z(b), 0, b - a) per length, whatever lies between."""
    a, b = 1.0, 12.0
    exact = np.array([wave(a, 0.0) - wave(b, 0.0), 0.0, b - a])
    exact /= np.linalg.norm(exact)
    errors = []
    for step in (2.0, 1.0, 0.5):
        surface = sheet(step)
        x = surface.vertices[:, 0]
        wall = wall_around(surface, (6.5, 0.0, 0.0), radius=25.0, vertices=np.flatnonzero((x > a) & (x < b)))
        errors.append(np.degrees(np.arccos(wall.normal @ exact)))
    assert errors[2] < 1.0
    assert errors[2] < 0.6 * errors[0]  # the strip's jagged rims: first order in the edge


def test_a_fold_runs_along_itself_however_it_lies():
    """The sheet turned and moved anywhere: direction, normal and area turn with it, clearness stays."""
    surface = sheet(1.0)
    rng = np.random.default_rng(3)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = turn, rng.normal(size=3) * 50.0
    point = np.array([5.0, 2.0, wave(5.0, 2.0)])
    wall = wall_around(surface, point, facing=(-1.0, 0.0, 0.2))
    moved = wall_around(
        surface.transformed(matrix), turn @ point + matrix[:3, 3], facing=turn @ np.array([-1.0, 0.0, 0.2])
    )
    assert abs(wall.direction[1]) > np.cos(np.radians(0.5))
    assert wall.clearness > 0.99
    np.testing.assert_allclose(moved.normal, turn @ wall.normal, atol=1e-9)
    assert abs(moved.direction @ turn @ wall.direction) == pytest.approx(1.0, abs=1e-9)
    assert moved.direction[np.abs(moved.direction).argmax()] > 0.0
    assert (moved.area, moved.clearness) == pytest.approx((wall.area, wall.clearness), rel=1e-9)


def test_the_two_walls_of_a_sulcus_face_each_other():
    surface = sheet(1.0)
    walls = [wall_around(surface, (0.0, 0.0, -HEIGHT), radius=14.0, facing=(way, 0.0, 0.0)) for way in (-1.0, 1.0)]
    np.testing.assert_allclose(walls[0].normal * [-1.0, 1.0, 1.0], walls[1].normal, atol=0.01)  # jitter
    assert walls[0].normal[0] < -0.5
    assert walls[0].area == pytest.approx(walls[1].area, rel=0.02)
    normal = wall_around(surface, (0.0, 0.0, -HEIGHT), radius=14.0).normal
    assert normal[2] > 0.999  # both together: nothing is left but up


def test_a_ball_has_no_direction_and_a_bent_fold_less():
    ball = wall_around(meshes.icosphere(4, radius=60.0), (0.0, 0.0, 60.0), radius=15.0)
    assert ball.clearness < 0.2  # of facets
    straight, bent = (
        wall_around(sheet(1.0, bend=bend), (0.0, 24.0, -HEIGHT), radius=14.0).clearness for bend in (0.0, 4.0)
    )
    assert bent < straight


def test_a_flat_wall_all_by_itself_has_no_direction():
    """Normals all alike: no direction can be told, and none is claimed."""
    flat = meshes.Surface([[0, 0, 0], [9, 0, 0], [0, 9, 0], [9, 9, 0]], [[0, 1, 2], [1, 3, 2]])
    wall = wall_around(flat, (4.0, 4.0, 0.0), radius=20.0)
    np.testing.assert_array_equal(wall.normal, [0.0, 0.0, 1.0])
    assert wall.clearness == 0.0
    assert wall.area == pytest.approx(81.0)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"point": (0.0, 0.0, 90.0)}, r"point must have cortex of the wall within 12 mm; got \[0\.0, 0\.0, 90\.0\]"),
        ({"point": (0.0, np.inf, 0.0)}, r"point must be finite"),
        ({"radius": -1.0}, r"radius must be a positive number; got -1"),
        ({"facing": (0.0, 0.0, -1.0)}, r"point must have cortex of the wall within 12 mm"),
        ({"facing": (0.0, 0.0, 0.0)}, r"facing must be a direction, not the zero vector"),
        ({"vertices": [0.5]}, r"vertices must be a list of vertex indices; got float64"),
        ({"vertices": [10**6]}, r"vertices must index the cortex, 0 to .*; got 1000000"),
        ({"vertices": []}, r"vertices must be a list of vertex indices|point must have cortex"),
    ],
)
def test_bad_walls_get_a_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        wall_around(sheet(2.0), **({"point": (0.0, 0.0, -HEIGHT)} | arguments))


def test_a_closed_surface_within_the_radius_has_no_normal():
    with pytest.raises(ValueError, match=r"facing must be given where the normals within 50 mm cancel out"):
        wall_around(meshes.icosphere(2, radius=10.0), (0.0, 0.0, 0.0), radius=50.0)


@pytest.mark.parametrize("angle", [0.0, 30.0, 90.0, 120.0, 180.0])
def test_the_angle_across_an_axis(angle):
    """A normal that leans towards the axis counts as if it did not; the sign is told apart."""
    direction = (np.cos(np.radians(angle)), np.sin(np.radians(angle)), 0.0)
    found, into = angle_across(direction, (2.0, 0.0, -3.0), (0.0, 0.0, 5.0))
    assert found == pytest.approx(min(angle, 180.0 - angle), abs=1e-6)
    if angle != 90.0:
        assert into == (angle > 90.0)


def test_an_angle_along_the_axis_gets_a_sentence():
    with pytest.raises(ValueError, match=r"normal must not be along the axis; got \[0\.0, 0\.0, 1\.0\]"):
        angle_across((1.0, 0.0, 0.0), (0.0, 0.0, 2.0), (0.0, 0.0, 1.0))


@pytest.mark.parametrize("name", ["m1-hand", "s1-hand"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_walls_of_the_hand_are_banks_of_the_central_sulcus(heads, name, side):
    """M1's faces back and outwards, S1's forwards and inwards; the fold is clear and runs obliquely to the midline.

    The wall's mean normal is the sum over the bank's vertices within 12 mm, as benchmarks/physiology.py had it.
    """
    for head in heads.values():
        target = efield.Target.named(name, head, side=side)
        wall = target.wall(head)
        bank = bank_of(head, f"{name}-{side}")
        near = bank[np.linalg.norm(head.cortex.vertices[bank] - target.position, axis=1) <= 12.0]
        total = head.cortex.vertex_areas[near] @ head.cortex.vertex_normals[near]
        np.testing.assert_allclose(wall.normal, total / np.linalg.norm(total), atol=1e-12)
        outwards = -1.0 if side == "left" else 1.0
        way = -1.0 if name == "m1-hand" else 1.0
        assert way * wall.normal[1] > 0.5
        assert -way * outwards * wall.normal[0] > 0.2
        assert wall.clearness > 0.3
        # From the side to the midline the sulcus runs backwards; 36 to 51 degrees from the midline on these heads.
        assert wall.direction[0] * wall.direction[1] * outwards > 0.0
        assert 30.0 < np.degrees(np.arctan2(*np.abs(wall.direction[:2]))) < 60.0


def test_walls_of_other_targets_face_as_their_patch(heads):
    head = heads["pycortex"]
    hand = efield.Target.named("m1-hand", head)
    free = efield.Target(position=hand.position)
    wall, patch = free.wall(head), free.on(head)
    assert wall.normal @ patch.normal > 0.7
    assert wall.normal @ hand.wall(head).normal > 0.7
    assert efield.Target.named("m1-leg", head).wall(head) is None


def test_a_deep_target_has_no_wall(small_head):
    assert efield.Target(position=(0.0, 0.0, 0.0)).wall(small_head) is None


def test_a_mesh_without_a_vertex_nearby_has_no_wall(small_head):
    """Facets of 25 mm: a target in the middle of one sees no vertex within 12 mm."""
    middle = small_head.cortex.centroids[7]
    gap = np.linalg.norm(small_head.cortex.vertices - middle, axis=1).min()
    assert gap > 12.0
    assert efield.Target(position=middle, radius=3.0).wall(small_head) is None


# ---------------------------------------------------------------------------------------------------- central sulcus


@pytest.mark.parametrize("bend", [0.0, 4.0])
def test_the_fundus_of_a_rippled_sheet_is_found(bend):
    """Banks that stand apart, and higher on one side: the line lies in the fundus, not halfway between them."""
    step = 1.0
    surface = sheet(step, bend=bend)
    x, y, z = surface.vertices.T
    off = x - bend * np.sin(y / 15.0)
    inner = np.abs(y) < 30.0
    first = np.flatnonzero(inner & (off > 3.0) & (off < 6.0))
    second = np.flatnonzero(inner & (off > -11.0) & (off < -9.0))
    line = fundus_between(surface, first, second, -z)
    miss = np.abs(line.points[:, 0] - bend * np.sin(line.points[:, 1] / 15.0))
    inside = np.abs(line.points[:, 1]) < 25.0
    assert miss[inside].max() < step
    assert meshes.closest_points(surface, line.points)[2].max() < 1e-9
    assert np.ptp(line.points[:, 1]) > 48.0
    # Along x = bend sin(y / 15) the length is the integral of sqrt(1 + (bend / 15 cos(y / 15))^2).
    ends = np.sort(line.points[[0, -1], 1])
    way = np.linspace(*ends, 2001)
    exact = np.trapezoid(np.sqrt(1.0 + (bend / 15.0 * np.cos(way / 15.0)) ** 2), way)
    assert line.length == pytest.approx(exact, rel=0.03)
    steps = np.linalg.norm(np.diff(line.points, axis=0), axis=1)
    assert 1.0 < steps.min() <= steps.max() < 3.0


def test_a_lines_direction_is_its_tangent():
    bend = 4.0
    surface = sheet(1.0, bend=bend)
    x, y, z = surface.vertices.T
    off = x - bend * np.sin(y / 15.0)
    inner = np.abs(y) < 30.0
    banks = [np.flatnonzero(inner & (way * off > 3.0) & (way * off < 8.0)) for way in (1.0, -1.0)]
    line = fundus_between(surface, *banks, -z)
    nearest, direction = line.at((9.0, 0.0, 5.0), span=12.0)
    assert abs(nearest[1]) < 4.0
    slope = bend / 15.0 * np.cos(nearest[1] / 15.0)
    tangent = np.array([slope, 1.0, 0.0]) / np.hypot(slope, 1.0)
    assert abs(direction @ tangent) > np.cos(np.radians(8.0))
    assert direction @ (line.points[-1] - line.points[0]) > 0.0


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("name", ["pycortex", "fsaverage"])
def test_the_central_sulcus_of_the_heads_that_ship(heads, name, side):
    """It runs from the midline down and forwards between M1 and S1, deeper than both."""
    head = heads[name]
    line = central_sulcus(head, side=side)
    assert 75.0 < line.length < 110.0
    first, last = line.points[0], line.points[-1]
    assert abs(first[0]) < 12.0
    assert abs(last[0]) > 50.0
    assert last[1] > first[1] + 20.0
    assert first[2] > last[2] + 40.0
    assert meshes.closest_points(head.cortex, line.points)[2].max() < 1e-9
    gaps = []
    for area in ("m1", "s1"):
        target = efield.Target.named(f"{area}-hand", head, side=side)
        nearest, direction = line.at(target.position)
        ahead = np.cross(direction, [0.0, 0.0, 1.0])
        gaps.append((target.position - nearest) @ (ahead * np.sign(ahead[1])))
        depth = meshes.closest_points(head.scalp, np.array([nearest, target.position]))[2]
        assert depth[0] > depth[1] + 5.0
    assert gaps[0] > gaps[1] + 2.0
    # The wall's fold axis comes from normals alone, the line from the fundus: two routes to the same direction.
    target = efield.Target.named("m1-hand", head, side=side)
    direction = line.at(target.position)[1]
    assert 30.0 < np.degrees(np.arctan2(*np.abs(direction[:2]))) < 60.0
    assert abs(direction @ target.wall(head).direction) > np.cos(np.radians(15.0))  # 4 to 10 degrees


@pytest.mark.parametrize("side", ["left", "right"])
def test_labels_and_regions_give_the_same_line(heads, side):
    """Desikan's pre- and postcentral gyrus and HCP's areas 4 and 3b against the regions of leg, hand and mouth."""
    head = heads["fsaverage"]
    lines = [
        central_sulcus(head, side=side, regions={key: rows for key, rows in head.regions.items() if chosen(key)}).points
        for chosen in (
            lambda key: key.startswith("desikan:"),
            lambda key: key.startswith("mmp:"),
            lambda key: ":" not in key,
        )
    ]
    np.testing.assert_array_equal(lines[0], central_sulcus(head, side=side).points)  # gyri come first
    for line in lines[1:]:
        apart = np.linalg.norm(line[:, None] - lines[0], axis=2).min(axis=1)
        assert np.median(apart) < 1.5  # 0.1 to 1.0 mm
        assert (apart < 5.0).mean() > 0.9


@pytest.mark.parametrize("side", ["left", "right"])
def test_gyri_carried_over_from_fsaverage_give_the_line_of_the_painted_regions(heads, side):
    """Two routes to one person's sulcus: functional regions painted on it, and the gyri of an average of 40 others."""
    person, average = heads["pycortex"], heads["fsaverage"]
    names = [f"desikan:{gyrus}-{side}" for gyrus in ("precentral", "postcentral")]
    carried = transfer_regions(
        average, person, source_map=mni_transform(average), head_map=mni_transform(person), names=names
    )
    line = central_sulcus(person, side=side).points
    apart = np.linalg.norm(line[:, None] - central_sulcus(person, side=side, regions=carried).points, axis=2).min(
        axis=1
    )
    assert np.median(apart) < 1.5  # 0.4 and 0.8 mm
    assert np.quantile(apart, 0.9) < 3.0


def test_heads_without_banks_get_a_sentence(heads, small_head):
    with pytest.raises(ValueError, match=r"regions must tell both banks .* on the left, such as .*; got m1-hand-left"):
        central_sulcus(small_head)
    with pytest.raises(ValueError, match=r"side must be one of 'left', 'right'; got 'both'"):
        central_sulcus(small_head, side="both")
    leg = label_vertices(heads["pycortex"].regions, ["m1-leg"], "left")
    far = label_vertices(heads["pycortex"].regions, ["s1-mouth"], "left")
    with pytest.raises(ValueError, match=r"first and second must lie opposite each other, within 20 mm"):
        fundus_between(heads["pycortex"].cortex, leg, far, np.zeros(len(heads["pycortex"].cortex.vertices)))
    with pytest.raises(ValueError, match=r"depth must be one number per vertex, 162; got shape \(3,\)"):
        fundus_between(small_head.cortex, [0], [1], [0.0, 1.0, 2.0])
    with pytest.raises(ValueError, match=r"first and second must be vertices on either bank; got none"):
        fundus_between(small_head.cortex, [], [1], np.zeros(162))


def test_the_result_says_the_angle_to_the_sulcus(small_result):
    """A ball has no sulcus: its wall faces the coil, and no angle is told."""
    assert np.isnan(small_result.angle_to_sulcus) or 0.0 <= small_result.angle_to_sulcus <= 90.0
    told = small_result.as_dict()["pose"]["current_to_sulcus_normal_deg"]
    assert told is None or told == small_result.angle_to_sulcus
    other = replace(small_result, targets=(efield.Target(position=(0.0, 0.0, 0.0)),))
    assert np.isnan(other.angle_to_sulcus)
