"""Targets on heads: where they are, and the points that stand for them."""

import numpy as np
import pytest

import efield
import meshes
from efield.targeting.patch import cut
from efield.targeting.target import named_position

RADIUS = 90.0
UP = np.array([0.3, -0.5, 0.8]) / np.linalg.norm([0.3, -0.5, 0.8])
ALONG = np.cross(UP, [0.2, 1.0, 0.3]) / np.linalg.norm(np.cross(UP, [0.2, 1.0, 0.3]))


@pytest.fixture(scope="module")
def head():
    """Two concentric spheres: whatever lies under the coil's centre gets the most."""
    return meshes.sphere_head([RADIUS, 80.0], [0.465, 0.3], subdivisions=3)


@pytest.fixture(scope="module")
def real_head():
    return meshes.load_head("pycortex", resolution="fast")


@pytest.fixture(scope="module")
def standard_head():
    return meshes.load_head("pycortex", resolution="standard")


def test_a_patch_is_the_cortex_around_the_position(head):
    """A cap of a sphere: its area is pi times the square of the chord, wherever the vertices lie."""
    target = efield.Target(position=88.5 * UP, radius=15.0)
    patch = target.on(head)
    distance = np.linalg.norm(head.cortex.vertices - target.position, axis=1)
    np.testing.assert_array_equal(patch.indices, np.flatnonzero(distance <= 15.0))
    # Parts that the rim cuts are represented by what lies inside: a convex set, so no point is outside.
    assert np.linalg.norm(patch.points - target.position, axis=1).max() <= 15.0
    assert meshes.closest_points(head.cortex, patch.points)[2].max() < 1e-9
    assert patch.area == pytest.approx(np.pi * 15.0**2, rel=0.01)  # facets, and pieces of 2 mm at the rim
    assert patch.weights.sum() == pytest.approx(1.0, rel=1e-14)
    assert patch.dropped == 0.0
    assert patch.normal @ UP > 0.999
    np.testing.assert_allclose(patch.mean(patch.points), patch.centre, rtol=1e-14)


def test_a_patchs_mean_does_not_depend_on_the_mesh():
    """Mean of a smooth field over the cap: converges with the mesh to that of the true cap; area and centre with it.

    The cap of chord r on a sphere of radius R has the area pi r^2 (Archimedes), and heights above the plane through the
    centre are spread evenly between R (1 - r^2 / 2 R^2) and R, which gives the mean of exp(height) in closed form.
    """
    radius, chord, scale = 78.5, 15.0, 5.0
    low = radius - chord**2 / (2.0 * radius)
    exact = scale * (1.0 - np.exp((low - radius) / scale)) / (radius - low)
    errors, areas = [], []
    for subdivisions in (2, 3, 4):
        cortex = meshes.icosphere(subdivisions, radius=radius)
        scalp = meshes.Interface(meshes.icosphere(3, radius=90.0, name="scalp"), 0.3, 0.0)
        patch = efield.Target(position=radius * UP, radius=chord).on(meshes.HeadModel("ball", (scalp,), cortex))
        errors.append(abs(patch.weights @ np.exp((patch.points @ UP - radius) / scale) / exact - 1.0))
        areas.append(abs(patch.area / (np.pi * chord**2) - 1.0))
    # Facets of 40, 20 and 10 mm in a sphere: second order in the edge.
    assert errors[2] < 0.3 * errors[1] < 0.09 * errors[0]
    assert errors[2] < 0.015
    assert max(areas) < 0.05
    assert areas[2] < 0.01


@pytest.mark.parametrize(("parts", "pieces"), [(1, 1), (1, 4), (3, 1), (2, 3)])
def test_cutting_keeps_area_and_first_moments(parts, pieces):
    surface = meshes.icosphere(1, radius=10.0)
    longest = np.linalg.norm(surface.corners - np.roll(surface.corners, -1, axis=1), axis=2).max()
    rows = np.array([3, 17, 60])
    found = cut(surface, rows, piece=1.001 * longest / (parts * pieces), part=1.001 * longest / parts)
    of = [np.flatnonzero(found.triangle == row) for row in rows]
    assert sum(map(len, of)) == len(found.areas)
    for row, own in zip(rows, of, strict=True):
        np.testing.assert_allclose(found.areas[own].sum(), surface.areas[row], rtol=1e-13)
        middle = found.areas[own] @ found.points[own] / surface.areas[row]
        np.testing.assert_allclose(middle, surface.centroids[row], atol=1e-12)
        assert len(np.unique(found.part[own])) <= parts**2
        assert np.isin(found.vertex[own], surface.triangles[row]).all()
    np.testing.assert_allclose(found.shares.sum(axis=1), 1.0, rtol=1e-14)
    # Pieces differ by translation and half a turn alone: each is as large as its triangle over the square of the count.
    assert (found.shares > 0.0).all()


def test_points_outside_the_grey_matter_are_left_out():
    """A coarse cortex between two fine spheres: flat facets sag through the inner one, and what sags is no cortex."""
    cortex = meshes.icosphere(2, radius=78.0)  # facets of 24 mm sag by 1.5 mm
    shells = [
        meshes.Interface(meshes.icosphere(4, radius=radius, name=f"shell-{radius:g}"), inner, outer)
        for radius, inner, outer in ((90.0, 0.3, 0.0), (80.0, 0.2, 0.3), (77.0, 0.1, 0.2))
    ]
    head = meshes.HeadModel("sagging", tuple(shells), cortex)
    target = efield.Target(position=78.0 * UP, radius=20.0)
    patch = target.on(head)
    assert 0.1 < patch.dropped < 0.9
    assert np.linalg.norm(patch.points, axis=1).min() > 76.8  # facets of the inner sphere sag by 0.1 mm
    whole = target.on(meshes.HeadModel("without", tuple(shells[:2]), cortex))
    assert whole.dropped == 0.0
    assert patch.area == pytest.approx((1.0 - patch.dropped) * whole.area, rel=1e-12)


def test_a_deep_target_is_a_single_point(head):
    patch = efield.Target(position=(1.0, 2.0, 3.0), radius=5.0).on(head)
    np.testing.assert_array_equal(patch.points, [[1.0, 2.0, 3.0]])
    assert patch.weights.tolist() == [1.0]
    assert not len(patch.indices)
    assert patch.normal is None


def test_only_the_region_counts(head):
    """Each vertex of the region with its third of the triangles; regions that share nothing share no area."""
    near = efield.Target(position=88.5 * UP, radius=25.0).on(head)
    ahead = head.cortex.vertices @ ALONG > 0.0
    halves = [
        efield.Target(position=88.5 * UP, radius=25.0, region=np.flatnonzero(half)).on(head) for half in (ahead, ~ahead)
    ]
    for half, own in zip(halves, (ahead, ~ahead), strict=True):
        np.testing.assert_array_equal(half.indices, near.indices[own[near.indices]])
    assert sum(half.area for half in halves) == pytest.approx(near.area, rel=1e-12)
    first = near.indices[:1]
    alone = efield.Target(position=head.cortex.vertices[first[0]], radius=30.0, region=first).on(head)
    # Thirds are cut along pieces: a triangle cut into k^2 pieces gives its corners thirds to within 1 / k.
    assert alone.area == pytest.approx(head.cortex.vertex_areas[first[0]], rel=0.15)


def test_a_patch_does_not_jump_a_sulcus():
    """Two sheets of cortex, 4 mm apart and joined far away: only the sheet that holds the position counts."""
    far = meshes.icosphere(3, radius=60.0)
    near = meshes.icosphere(3, radius=56.0)
    cortex = meshes.Surface(
        np.concatenate([far.vertices, near.vertices]),
        np.concatenate([far.triangles, near.triangles + len(far.vertices)]),
        "cortex",
    )
    scalp = meshes.Interface(meshes.icosphere(3, radius=90.0, name="scalp"), 0.3, 0.0)
    head = meshes.HeadModel(name="sheets", interfaces=(scalp,), cortex=cortex)
    for radius, sheet in ((59.0, slice(0, 642)), (57.0, slice(642, 1284))):
        patch = efield.Target(position=radius * UP, radius=15.0).on(head)
        assert len(patch.indices) > 5
        assert np.isin(patch.indices, np.arange(1284)[sheet]).all()
        assert (abs(np.linalg.norm(patch.points, axis=1) - (60.0 if radius > 58.0 else 56.0)) < 1.0).all()


def test_vertex_areas_sum_to_the_surface(head):
    areas = head.cortex.vertex_areas
    assert (areas > 0.0).all()
    assert areas.sum() == pytest.approx(head.cortex.areas.sum(), rel=1e-13)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("name", sorted(efield.list_targets()))
def test_named_targets_lie_where_anatomy_says(real_head, name, side):
    """In RAS: left at x < 0; motor before somatosensory; legs near the midline on top, mouth at the side below."""
    target = efield.Target.named(name, real_head, side=side)
    assert target.name == name
    assert target.side == side
    middle = 0.5 * (real_head.cortex.vertices.min(axis=0) + real_head.cortex.vertices.max(axis=0))
    lateral = (target.position[0] - middle[0]) * (-1.0 if side == "left" else 1.0)
    low, high = {"leg": (0.0, 25.0), "hand": (20.0, 55.0), "mouth": (35.0, 75.0)}[name.split("-")[1]]
    assert low < lateral < high
    region = real_head.regions[f"{name}-{side}"]
    assert meshes.closest_points(real_head.cortex, target.position[None])[2][0] < 1e-9
    patch = target.on(real_head)
    assert np.isin(patch.indices, region).all()
    assert np.linalg.norm(patch.points - target.position, axis=1).max() <= 5.0
    depth = meshes.closest_points(real_head.scalp, target.position[None])[2][0]
    assert 10.0 < depth < 50.0
    if name.startswith("m1"):
        sensory = efield.Target.named(name.replace("m1", "s1"), real_head, side=side)
        assert target.position[1] > sensory.position[1]


@pytest.mark.parametrize(
    "key", sorted(f"{name}-{side}" for name in efield.list_targets() for side in ("left", "right"))
)
def test_targets_are_the_same_in_every_resolution(real_head, standard_head, key):
    """The stored position is the one found on the standard mesh; the patches on both meshes are nearly the same."""
    np.testing.assert_array_equal(real_head.targets[key], standard_head.targets[key])
    np.testing.assert_allclose(named_position(standard_head, key), standard_head.targets[key], atol=0.006)  # rounded
    name, _, side = key.rpartition("-")
    targets = [efield.Target.named(name, head, side=side) for head in (real_head, standard_head)]
    fast, standard = (target.on(head) for target, head in zip(targets, (real_head, standard_head), strict=True))
    # The meshes are 0.2 mm apart on average (recipe fast_head): 1.1 mm at m1-mouth-left, less than 0.5 elsewhere.
    assert np.linalg.norm(targets[0].position - targets[1].position) < 1.2
    assert np.linalg.norm(targets[1].position - standard_head.targets[key]) < 0.01
    if "hand" in key:
        assert fast.area == pytest.approx(standard.area, rel=0.05)
        assert np.linalg.norm(fast.centre - standard.centre) < 0.5
        assert fast.normal @ standard.normal > np.cos(np.radians(6.0))
        assert 0.8 < standard.area / (np.pi * 25.0) < 1.5  # a disc, bent over the lip
    assert max(fast.dropped, standard.dropped) < 0.03


@pytest.mark.parametrize("side", ["left", "right"])
def test_leg_targets_lie_on_the_crown_beside_the_midline(standard_head, side):
    """5 to 10 mm from the midline (recalled), and no deeper than what lies above them: on the way out is no cortex."""
    for name in ("m1-leg", "s1-leg"):
        position = standard_head.targets[f"{name}-{side}"]
        assert 5.0 < abs(position[0]) < 12.0
        outward = meshes.scalp_point(standard_head, position)[1]
        ahead = standard_head.cortex.vertices - position
        above = ahead @ outward
        assert not ((np.linalg.norm(ahead - above[:, None] * outward, axis=1) < 2.0) & (above > 4.0)).any()


def test_hand_lies_between_leg_and_mouth(real_head):
    heights = [efield.Target.named(f"m1-{part}", real_head).position[2] for part in ("leg", "hand", "mouth")]
    assert heights == sorted(heights, reverse=True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"position": (0.0, np.nan, 0.0)}, r"position must be finite; got \[0\.0, nan, 0\.0\]"),
        ({"position": (0.0, 1.0)}, r"position must be a vector of shape \(3,\); got shape \(2,\)"),
        ({"direction": (0.0, 0.0, 0.0)}, r"direction must be a direction, not the zero vector"),
        ({"radius": 0.0}, r"radius must be a positive number; got 0\.0"),
        ({"radius": -5}, r"radius must be a positive number; got -5\.0"),
        ({"radius": np.nan}, r"radius must be a positive number; got nan"),
    ],
)
def test_bad_targets_get_a_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        efield.Target(**({"position": (0.0, 0.0, 60.0)} | arguments))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"name": "v1"}, r"name must be one of 'm1-hand', .*'s1-mouth'; got 'v1'"),
        ({"side": "both"}, r"side must be one of 'left', 'right'; got 'both'"),
        ({"name": "m1-leg"}, r"head must have the region 'm1-leg-left'; got 'small' with regions: m1-hand-left"),
    ],
)
def test_unknown_targets_get_a_sentence(small_head, arguments, sentence):
    arguments = {"name": "m1-hand", "side": "left"} | arguments
    with pytest.raises(ValueError, match=sentence):
        efield.Target.named(arguments["name"], small_head, side=arguments["side"])


def test_a_tiny_radius_costs_little(head):
    """Pieces stop at 0.1 mm: a point's worth of cortex is a handful of them, not millions."""
    patch = efield.Target(position=head.cortex.vertices[7], radius=1e-3).on(head)
    assert len(patch.points) == 1


def test_the_whole_cortex_has_no_mean_normal(head):
    patch = efield.Target(position=[0.0, 0.0, 0.0], radius=300.0).on(head)
    assert patch.normal is None
    assert patch.area == pytest.approx(head.cortex.areas.sum(), rel=1e-6)
