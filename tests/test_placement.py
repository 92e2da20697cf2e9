"""Coils laid on scalps: tangential, at a distance, turned as asked, clear of the head."""

import numpy as np
import pytest

import coils
import efield
import meshes
from efield.placement import Clearance, frames
from meshes.checks import crossing_pairs


@pytest.fixture(scope="module")
def sphere():
    """Edges of 7 mm: flat triangles lie up to edge^2 / (6 radius) = 0.1 mm inside the sphere of 90 mm."""
    return meshes.sphere_head([90.0], [0.33], subdivisions=4)


@pytest.fixture(scope="module")
def head():
    """A real head, with ears and nose."""
    return meshes.load_head("pycortex", resolution="fast")


@pytest.fixture(scope="module")
def coil():
    return coils.load_coil("magstim-70mm")


def casing_at(coil, pose):
    return coil.casing.transformed(pose.matrix)


def distances(points, surface):
    """Signed distance to a closed surface by libigl (mm), negative inside; the sign by winding number."""
    igl = pytest.importorskip("igl")
    kind = igl.SIGNED_DISTANCE_TYPE_FAST_WINDING_NUMBER
    return igl.signed_distance(points, surface.vertices, surface.triangles.astype(np.int64), kind)[0]


DIRECTIONS = [(0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.2), (-0.6, -0.5, 0.6), (0.2, 0.3, -0.9)]


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_on_a_sphere_every_axis_is_known(sphere, direction):
    outward = np.array(direction) / np.linalg.norm(direction)
    handle = np.array([0.3, -0.8, 0.1])
    pose = efield.place(sphere, 90.0 * outward, handle=handle, distance=7.0)
    # Facets tilt by up to edge / diameter = 0.04 rad; the normal smoothed over 15 mm by a quarter of that.
    np.testing.assert_allclose(pose.z_axis, -outward, atol=0.01)
    assert 96.88 < np.linalg.norm(pose.origin) < 97.0 + 1e-9
    np.testing.assert_allclose(pose.origin / np.linalg.norm(pose.origin), outward, atol=0.002)
    along = handle - (handle @ pose.z_axis) * pose.z_axis
    np.testing.assert_allclose(-pose.y_axis, along / np.linalg.norm(along), atol=1e-12)
    np.testing.assert_allclose(np.cross(pose.x_axis, pose.y_axis), pose.z_axis, atol=1e-12)


def test_a_flat_coil_touches_a_sphere_at_one_point(sphere, coil):
    """A flat casing keeps its distance exactly: the contact point is the nearest."""
    for distance in (0.0, 4.0, 11.0):
        pose = efield.place(sphere, (0.0, 0.0, 90.0), distance=distance, coil=coil)
        assert pose.origin[2] == pytest.approx(90.0 + distance, abs=0.12)
        nearest = distances(casing_at(coil, pose).vertices, sphere.scalp).min()
        # The scalp's facets slope: nearer than along the axis by 1e-3. Casing vertices are 5 mm apart.
        assert 0.999 * distance <= nearest <= distance + 0.2


def test_a_bent_coil_is_moved_back_until_its_wings_are_clear(sphere):
    """A casing with wings that reach 20 mm towards the head: without it the wings would be inside."""
    bent = coils.figure_of_eight(name="bent", inner_diameter=56.0, outer_diameter=87.0, turns=9, wing_angle=150.0)
    reach = bent.casing.vertices[:, 2].max()
    assert reach > 10.0
    naive = efield.place(sphere, (0.0, 0.0, 90.0), distance=2.0)
    assert distances(casing_at(bent, naive).vertices, sphere.scalp).min() < 0.0
    clear = efield.place(sphere, (0.0, 0.0, 90.0), distance=2.0, coil=bent)
    assert distances(casing_at(bent, clear).vertices, sphere.scalp).min() > 0.5
    assert crossings(casing_at(bent, naive), sphere.scalp) > 0
    assert crossings(casing_at(bent, clear), sphere.scalp) == 0


def random_poses(head, coil, count, seed, distance):
    """Anywhere on the upper head, ears and forehead included."""
    rng = np.random.default_rng(seed)
    vertices = head.scalp.vertices
    upper = vertices[vertices[:, 2] > np.quantile(vertices[:, 2], 0.4)]
    for _ in range(count):
        centre = upper[rng.integers(len(upper))]
        yield efield.place(head, centre, handle=rng.normal(size=3), distance=distance, coil=coil)


def crossings(casing, scalp):
    """Number of crossing pairs of a casing's triangle and a scalp's (a flat casing's own are coplanar: not counted)."""
    first, second = crossing_pairs([casing, scalp])
    count = len(casing.triangles)
    return int(((first < count) & (second >= count)).sum())


@pytest.mark.parametrize("distance", [1.0, 4.0])
def test_the_casing_never_cuts_a_real_scalp(head, coil, distance):
    """By independent routes: triangle crossings, distances of casing points to the scalp and the other way round."""
    for pose in random_poses(head, coil, 12, 5, distance):
        casing = casing_at(coil, pose)
        assert crossings(casing, head.scalp) == 0
        points = np.concatenate([casing.vertices, casing.corners.mean(axis=1)])
        nearest = min(distances(points, head.scalp).min(), distances(head.scalp.vertices, casing).min())
        # The distance counts along the coil's axis; at the casing's rim the scalp may be nearer, by the cosine of the
        # direction: measured 8 % where this flat casing's rim passes the cheekbone, 0.2 % elsewhere.
        # There, edge is nearest to edge, which the points of neither see: up to 0.28 mm farther.
        assert 0.9 * distance < nearest <= distance + 0.3


def test_the_casing_is_no_farther_than_it_must(head, coil):
    """Asked for no distance, each casing touches: a millimetre and a half nearer and the scalp is in it."""
    for pose in random_poses(head, coil, 6, 6, 0.0):
        inwards = meshes.Pose.from_axes(pose.origin + 1.5 * pose.z_axis, pose.z_axis, pose.y_axis)
        assert distances(head.scalp.vertices, casing_at(coil, inwards)).min() < 0.0


def test_distance_is_along_the_axis(head, coil):
    near, far = (
        efield.place(head, (60.0, 20.0, 60.0), handle=(0.2, -1.0, 0.0), distance=d, coil=coil) for d in (2.0, 10.0)
    )
    np.testing.assert_array_equal(near.rotation, far.rotation)
    np.testing.assert_allclose(far.origin, near.origin - 8.0 * near.z_axis, atol=1e-9)


def test_a_point_over_or_under_the_scalp_snaps_to_it(head):
    on, outward = meshes.scalp_point(head, (-60.0, 10.0, 70.0))
    reference = efield.place(head, on)
    for offset in (-5.0, 5.0):
        pose = efield.place(head, on + offset * outward)
        # The nearest scalp point moves by the offset times the difference of facet and smoothed normal.
        np.testing.assert_allclose(pose.origin, reference.origin, atol=2.0)
        assert pose.z_axis @ reference.z_axis > 0.995


def test_a_target_will_do_for_a_centre(sphere):
    target = efield.Target(position=(10.0, 20.0, 70.0))
    np.testing.assert_array_equal(efield.place(sphere, target).matrix, efield.place(sphere, (10, 20, 70)).matrix)


def test_a_name_of_the_10_10_system_will_do_for_a_centre(head):
    expected = efield.place(head, meshes.positions_10_10(head)["C3"])
    np.testing.assert_array_equal(efield.place(head, "c3").matrix, expected.matrix)
    old = efield.place(head, "T3")
    np.testing.assert_array_equal(old.matrix, efield.place(head, "T7").matrix)
    with pytest.raises(ValueError, match=r"a name of the 10-10 system such as \"C3\"; got 'hand'"):
        efield.place(head, "hand")


def test_many_poses_at_once_are_the_single_ones(head, coil):
    """The clearance drops far scalp points by the batch: that must not change any pose."""
    rng = np.random.default_rng(7)
    contacts, outward = meshes.scalp_points(head, rng.normal(size=(6, 3)) * 20.0 + [-50.0, 0.0, 90.0])
    rotations = frames(outward, rng.normal(size=(6, 3)))
    clearance = Clearance(head, coil, 3.0)
    together = clearance.origins(rotations, contacts)
    alone = [clearance.origins(rotations[i : i + 1], contacts[i : i + 1])[0] for i in range(6)]
    np.testing.assert_array_equal(together, alone)


def test_frames_are_right_handed_rotations():
    rng = np.random.default_rng(8)
    outward = rng.normal(size=(20, 3))
    outward /= np.linalg.norm(outward, axis=1)[:, None]
    rotations = frames(outward, rng.normal(size=(20, 3)))
    products = rotations.transpose(0, 2, 1) @ rotations
    np.testing.assert_allclose(products, np.broadcast_to(np.eye(3), (20, 3, 3)), atol=1e-14)
    np.testing.assert_allclose(np.linalg.det(rotations), 1.0, rtol=1e-13)
    np.testing.assert_array_equal(rotations[:, :, 2], -outward)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"centre": (0.0, np.nan, 90.0)}, r"centre must be finite; got \[0\.0, nan, 90\.0\]"),
        ({"centre": (0.0, 90.0)}, r"centre must be a vector of shape \(3,\); got shape \(2,\)"),
        ({"centre": "Cz"}, r"fiducials must hold nasion, lpa and rpa; got a head 'spheres' without"),
        ({"distance": -1.0}, r"distance must be zero or a positive number; got -1\.0"),
        ({"distance": np.inf}, r"distance must be zero or a positive number; got inf"),
        ({"handle": (0.0, 0.0, 0.0)}, r"handle must be a direction, not the zero vector"),
        ({"handle": (0.0, np.inf, 0.0)}, r"handle must be finite"),
    ],
)
def test_bad_input_gets_a_sentence(sphere, arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        efield.place(sphere, **({"centre": (0.0, 0.0, 90.0)} | arguments))


def test_a_handle_into_the_head_gets_a_sentence(sphere):
    _, outward = meshes.scalp_point(sphere, (0.0, 0.0, 90.0))
    with pytest.raises(ValueError, match="handle must not point straight into or out of the head"):
        efield.place(sphere, (0.0, 0.0, 90.0), handle=outward)
