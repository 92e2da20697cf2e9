"""Checks of surfaces and heads: each fault gets its sentence, with count and place."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import trimesh

import meshes
from meshes.checks import check_crossings, check_surface, crossing_pairs, winding_numbers

# Beside the checkout, where the project's shared test data lie; not part of the repository.
BAD_HEAD = Path(__file__).parents[2] / "shared" / "data" / "head_3shell_wh.npz"


def sphere(radius=10.0, centre=(0, 0, 0), name="ball", n=2):
    return meshes.icosphere(n, radius=radius, centre=centre, name=name)


def joined(*surfaces, name="joined"):
    offsets = np.cumsum([0] + [len(s.vertices) for s in surfaces[:-1]])
    triangles = [s.triangles + o for s, o in zip(surfaces, offsets, strict=True)]
    return meshes.Surface(np.vstack([s.vertices for s in surfaces]), np.vstack(triangles), name)


def flipped(surface):
    return meshes.Surface(surface.vertices, surface.triangles[:, ::-1], surface.name)


def turned(surface, rows):
    triangles = surface.triangles.copy()
    triangles[rows] = triangles[rows, ::-1]
    return meshes.Surface(surface.vertices, triangles, surface.name)


def pinched(surface):
    """Collapse one triangle to zero area without opening the surface."""
    vertices = surface.vertices.copy()
    vertices[surface.triangles[0, 0]] = vertices[surface.triangles[0, 1]]
    return meshes.Surface(vertices, surface.triangles, surface.name)


def test_good_surfaces_pass():
    check_surface(sphere())
    check_surface(joined(sphere(), sphere(centre=(30, 0, 0))))
    check_surface(joined(sphere(), flipped(sphere(5.0))))  # a hollow ball


@pytest.mark.parametrize(
    ("surface", "sentence"),
    [
        (meshes.Surface(sphere().vertices, sphere().triangles[1:], "ball"), r"ball must be closed; got 3 open edges"),
        (flipped(sphere()), r"ball must be counter-clockwise .* got a piece of 320 triangles turned the wrong way"),
        (joined(sphere(), flipped(sphere(centre=(30, 0, 0)))), r"joined must be counter-clockwise .* turned the wrong"),
        (joined(sphere(), sphere(5.0)), r"joined must be counter-clockwise .* turned the wrong way"),
        (turned(sphere(), [5]), r"ball must have all triangles turned the same way; got 3 edges"),
        (joined(sphere(), sphere(), name="twice"), None),
        (
            meshes.Surface(sphere().vertices, np.vstack([sphere().triangles, sphere().triangles]), "ball"),
            r"ball must have two triangles at each edge; got 480 edges with more",
        ),
        (pinched(sphere()), r"ball must have no triangle without area; got 2, first at"),
        (meshes.Surface(np.eye(3), [[0, 1, 2]], "ball"), r"ball must have at least 4 triangles .* got 1\."),
        (
            meshes.Surface(np.vstack([sphere().vertices, [[7, 8, 9]]]), sphere().triangles, "ball"),
            r"ball must use each of its vertices; got 1 in no triangle, first at \(7\.0, 8\.0, 9\.0\) mm",
        ),
    ],
)
def test_faults_of_one_surface(surface, sentence):
    if sentence is None:  # two copies in one place are closed and outward edge by edge, but touch everywhere
        with pytest.raises(ValueError, match=r"twice must not cross itself"):
            check_crossings([surface])
        return
    with pytest.raises(ValueError, match=sentence):
        check_surface(surface)


def test_crossing_of_two_surfaces_is_found_and_counted():
    apart = [sphere(), sphere(centre=(20.5, 0, 0), name="other")]
    check_crossings(apart)
    close = [sphere(), sphere(centre=(19.0, 0, 0), name="other")]
    with pytest.raises(ValueError, match=r"ball and other must not cross or touch; got \d+ pairs of triangles"):
        check_crossings(close)


def test_crossing_is_found_beside_shared_corners():
    # The second triangle stands on a corner of the first and cuts through it.
    vertices = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0.2, 0.2, -1], [0.2, 0.2, 1]]
    first, second = crossing_pairs([meshes.Surface(vertices, [[0, 1, 2], [0, 3, 4]])])
    assert (first.tolist(), second.tolist()) == ([0], [1])
    # Two triangles that share an edge do not cross unless folded flat onto each other.
    neighbours = meshes.Surface([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0.3, 0.8, 0.1]], [[0, 1, 2], [1, 0, 3]])
    assert len(crossing_pairs([neighbours])[0]) == 0


def disjoint(first, second):
    """Exact answer for two triangles, or a segment and a triangle, of integers: is there a separating plane?"""

    def cross(a, b):
        return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]

    def sides(points):
        return [tuple(q - p for p, q in zip(points[k - 1], points[k], strict=True)) for k in range(len(points))]

    one, other = sides(first), sides(second)
    across = [cross(a, b) for a in one for b in other]
    normals = [cross(one[0], one[1]), cross(other[0], other[1])]
    within = [cross(n, a) for n in normals for a in one + other]
    for axis in across + normals + within:
        left, right = ([sum(a * x for a, x in zip(axis, p, strict=True)) for p in side] for side in (first, second))
        if max(left) < min(right) or max(right) < min(left):
            return True
    return False


def meet_beyond_corner(points):
    """Exact answer for the triangles 0, 1, 2 and 0, 3, 4: a ray from the corner leaves one of them by its far side."""
    v, a, b, c, d = ([round(x * 2**100) for x in map(Fraction, p)] for p in points.tolist())
    return not (disjoint([a, b], [v, c, d]) and disjoint([c, d], [v, a, b]))


def test_a_corner_in_common_is_no_crossing_in_a_plane():
    # Two of the four flat parts of a triangle; libigl 2.6.2 takes them for crossing.
    vertices = [
        [0.0, 47.31580009072202, 76.55857275168358],
        [45.00000000000001, 27.81152949374527, 72.81152949374527],
        [0.0, 23.65790004536101, 83.27928637584179],
        [22.500000000000004, 37.563664792233645, 74.68505112271443],
        [22.500000000000004, 13.905764746872634, 81.40576474687263],
    ]
    pair = meshes.Surface(vertices, [[0, 2, 3], [3, 4, 1]])
    assert len(crossing_pairs([pair])[0]) == 0


@pytest.mark.parametrize("n", [0, 1, 2, 3])
@pytest.mark.parametrize("centre", [(0.0, 0.0, 0.0), (1.3, 2.7, -5.1)])
def test_flatly_split_triangles_do_not_cross(n, centre):
    surface = meshes.icosphere(n, radius=90.0, centre=centre)
    vertices, faces = trimesh.remesh.subdivide(surface.vertices, surface.triangles)
    check_crossings([meshes.Surface(vertices, faces, "split")])


@pytest.mark.parametrize("bend", [0.0, 1e-15, 1e-14, 1e-12, 1e-6, 1.0])
def test_pairs_with_a_common_corner_agree_with_exact_arithmetic(bend):
    """Fans of two triangles in one plane to within rounding, or not."""
    rng = np.random.default_rng(5)
    points = rng.normal(size=(400, 5, 3)) * [1.0, 1.0, bend]
    points = points @ np.linalg.qr(rng.normal(size=(3, 3)))[0]
    exact = {k for k in range(400) if meet_beyond_corner(points[k])}
    fan = [[0, 1, 2], [0, 3, 4]]
    found = {k for k in range(400) if len(crossing_pairs([meshes.Surface(points[k], fan)])[0])}
    assert found <= exact
    # libigl itself misses a few that overlap when coplanar to 1e-14.
    assert len(exact - found) <= (4 if 0.0 < bend < 1e-12 else 0)
    assert 20 < len(exact) < 200


@pytest.mark.parametrize(
    "points",
    [
        [[0, 0, 0], [4, 0, 0], [0, 4, 0], [3, 1, 0], [1, 3, 0]],  # one in the other
        [[0, 0, 0], [4, 0, 0], [0, 4, 0], [4, 4, 0], [-4, 4, 0]],  # sides across
        [[0, 0, 0], [4, 0, 0], [0, 4, 0], [2, 0, 0], [0, -4, 0]],  # side on side
        [[0, 0, 0], [4, 0, 0], [0, 4, 0], [2, 2, -1], [2, 2, 1]],  # through and through
        [[0, 0, 0], [4, 0, 0], [0, 4, 0], [1, 1, -1], [1, 1, 5]],  # beyond the far side, crossing inside
    ],
)
@pytest.mark.parametrize("turn", [1, -1])
def test_true_crossings_beside_a_common_corner_are_found(points, turn):
    assert meet_beyond_corner(np.array(points, dtype=float))
    pair = meshes.Surface(points, [[0, 1, 2], [0, 3, 4][::turn]])
    assert len(crossing_pairs([pair])[0]) == 1


def test_small_integer_pairs_agree_with_exact_arithmetic():
    """Ties of all kinds: in one plane, side on side, corner on side."""
    rng = np.random.default_rng(2)
    found, exact = set(), set()
    for k in range(1500):
        points = rng.integers(0, 4, (5, 3)).astype(float)
        points[:, 2] *= k % 2
        normals = np.cross(points[[1, 3]] - points[0], points[[2, 4]] - points[0])
        if not normals.any(axis=1).all() or len(np.unique(points, axis=0)) < 5:
            continue
        if len(crossing_pairs([meshes.Surface(points, [[0, 1, 2], [0, 3, 4]])])[0]):
            found.add(k)
        if meet_beyond_corner(points):
            exact.add(k)
    assert found <= exact
    # Only contacts of measure zero may be missed, never in one plane: an edge from the corner in the other triangle.
    missed = exact - found
    assert all(k % 2 == 1 for k in missed)
    assert len(missed) < 0.1 * len(exact)
    assert len(exact) > 300


def test_crossings_agree_with_segment_tests():
    """Random triangles: libigl's answer against a plain test of each edge with each triangle."""
    rng = np.random.default_rng(7)
    corners = rng.normal(size=(60, 3, 3))
    soup = meshes.Surface(corners.reshape(-1, 3), np.arange(180).reshape(-1, 3))

    def pierces(a, b, triangle):
        normal = np.cross(triangle[1] - triangle[0], triangle[2] - triangle[0])
        da, db = normal @ (a - triangle[0]), normal @ (b - triangle[0])
        if da * db > 0:
            return False
        point = a + (b - a) * da / (da - db)
        sides = [normal @ np.cross(triangle[(k + 1) % 3] - triangle[k], point - triangle[k]) for k in range(3)]
        return min(sides) > 0

    expected = {
        (i, j)
        for i in range(60)
        for j in range(i + 1, 60)
        if any(
            pierces(corners[p, k], corners[p, (k + 1) % 3], corners[q]) for p, q in ((i, j), (j, i)) for k in range(3)
        )
    }
    assert len(expected) > 100
    assert set(zip(*(side.tolist() for side in crossing_pairs([soup])), strict=True)) == expected


def test_real_cortex_with_crossings_is_refused():
    if not BAD_HEAD.exists():
        pytest.skip("needs the shared test head with a crossing cortex")
    with np.load(BAD_HEAD) as file:
        surfaces = [meshes.Surface(file[f"{n}_v"], file[f"{n}_f"], str(n)) for n in file["names"]]
    # 251 by the data's README.
    with pytest.raises(ValueError, match=r"cortex must not cross itself; got 251 triangles"):
        check_crossings(surfaces)


def test_winding_numbers():
    rng = np.random.default_rng(3)
    points = rng.uniform(-15, 15, size=(200, 3))
    surface = joined(sphere(), flipped(sphere(5.0)))
    distance = np.linalg.norm(points, axis=1)
    clear = (abs(distance - 10) > 0.3) & (abs(distance - 5) > 0.2)  # the facets' sagitta
    expected = ((distance < 10) & (distance > 5))[clear]
    # Rounding of 640 solid angles.
    assert np.allclose(winding_numbers(points[clear], surface), expected, rtol=0, atol=1e-12)
    # A hemisphere seen from its centre fills half of all directions.
    half = meshes.icosphere(3)
    cap = meshes.Surface(half.vertices, half.triangles[half.centroids[:, 2] > 0])
    other = meshes.Surface(half.vertices, half.triangles[half.centroids[:, 2] < 0])
    total = winding_numbers([[0, 0, 0]], cap) + winding_numbers([[0, 0, 0]], other)
    band = meshes.Surface(half.vertices, half.triangles[half.centroids[:, 2] == 0.0])
    assert total[0] + winding_numbers([[0, 0, 0]], band)[0] == pytest.approx(1.0, abs=1e-13)


def nested(*entries, cortex=None):
    """Make a head of (surface, inside, outside)."""
    interfaces = tuple(meshes.Interface(*entry) for entry in entries)
    return meshes.HeadModel("test", interfaces, cortex or sphere(7.0, name="cortex"))


def test_a_head_with_two_surfaces_side_by_side_passes():
    nested(
        (sphere(30.0, name="scalp"), 0.4, 0.0),
        (sphere(10.0, (15, 0, 0), "right"), 0.3, 0.4),
        (sphere(10.0, (-15, 0, 0), "left"), 0.2, 0.4),
        (sphere(5.0, (-15, 0, 0), "core"), 0.1, 0.2),
        cortex=sphere(20.0, name="cortex"),
    )


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        (
            ((sphere(10.0, name="scalp"), 0.4, 0.0), (sphere(5.0, name="skull"), 0.01, 0.3)),
            r"skull must be nested as its conductivities say; got sigma_outside = 0\.3 S/m, but it lies directly "
            r"inside scalp, whose sigma_inside is 0\.4 S/m",
        ),
        (
            ((sphere(5.0, name="scalp"), 0.4, 0.0), (sphere(10.0, name="skull"), 0.01, 0.4)),
            r"interfaces must begin with the scalp; got scalp first, which lies inside skull",
        ),
        (
            ((sphere(10.0, name="scalp"), 0.4, 0.0), (sphere(5.0, (40, 0, 0), "skull"), 0.01, 0.4)),
            r"skull must lie inside scalp, the first surface; got its vertex at .* outside",
        ),
        (
            (
                (sphere(10.0, name="scalp"), 0.4, 0.0),
                (joined(sphere(5.0), sphere(5.0, (40, 0, 0)), name="skull"), 0.01, 0.4),
            ),
            r"skull must lie inside scalp, the first surface; got its vertex at \((3|4)\d\.",
        ),
        (
            ((sphere(10.0, name="scalp"), 0.4, 0.0), (sphere(5.0, (7, 0, 0), "skull"), 0.01, 0.4)),
            r"scalp and skull must not cross or touch; got \d+ pairs",
        ),
        (
            ((sphere(10.0, name="a"), 0.4, 0.0), (sphere(5.0, name="a"), 0.01, 0.4)),
            r"interfaces must have different names; got 'a' 2 times",
        ),
        ((), r"interfaces must hold at least the scalp; got none"),
    ],
)
def test_faults_of_a_head(entries, sentence):
    with pytest.raises(ValueError, match=sentence):
        nested(*entries)


def test_cortex_in_metres_is_refused():
    with pytest.raises(ValueError, match=r"cortex must lie inside the scalp and fill .* Check units \(mm\)"):
        nested((sphere(10.0, name="scalp"), 0.4, 0.0), cortex=sphere(0.007))
    with pytest.raises(ValueError, match=r"cortex must lie inside the scalp"):
        nested((sphere(10.0, name="scalp"), 0.4, 0.0), cortex=sphere(7.0, (50, 0, 0)))


@pytest.mark.parametrize(
    ("inside", "outside", "sentence"),
    [
        (0.0, 0.4, r"sigma_inside of ball must be a positive number; got 0\.0"),
        (-1.0, 0.4, r"sigma_inside of ball must be a positive number; got -1\.0"),
        (np.nan, 0.4, r"sigma_inside of ball must be a positive number; got nan"),
        (0.4, -0.1, r"sigma_outside of ball must be zero or a positive number; got -0\.1"),
        (0.4, np.inf, r"sigma_outside of ball must be zero or a positive number; got inf"),
    ],
)
def test_conductivities_are_checked(inside, outside, sentence):
    with pytest.raises(ValueError, match=sentence):
        meshes.Interface(sphere(), inside, outside)


def test_only_air_may_not_conduct():
    # Air within is the other side of a surface that is turned inwards.
    with pytest.raises(ValueError, match=r"^skull must have a positive sigma_outside, as only the first surface"):
        nested((sphere(10.0, name="scalp"), 0.4, 0.0), (sphere(5.0, name="skull"), 0.01, 0.0))


@pytest.mark.parametrize(
    ("region", "sentence"),
    [
        ([0, 10**6], r"region 'spot' must index the cortex, 0 to 161; got 0 to 1000000"),
        ([-1], r"region 'spot' must index the cortex"),
        ([0.5], r"region 'spot' must be a list of cortex vertex indices"),
        ([], r"region 'spot' must be a list of cortex vertex indices"),
    ],
)
def test_regions_are_checked(region, sentence):
    interface = meshes.Interface(sphere(10.0, name="scalp"), 0.4, 0.0)
    with pytest.raises(ValueError, match=sentence):
        meshes.HeadModel("test", (interface,), sphere(7.0), regions={"spot": region})


def test_wrong_types_are_refused():
    with pytest.raises(TypeError, match=r"surface must be a meshes\.Surface; got str"):
        meshes.Interface("scalp", 0.4, 0.0)
    with pytest.raises(TypeError, match=r"interfaces must be of meshes\.Interface; got Surface"):
        meshes.HeadModel("test", (sphere(),), sphere(7.0))
    with pytest.raises(TypeError, match=r"cortex must be a meshes\.Surface; got NoneType"):
        meshes.HeadModel("test", (meshes.Interface(sphere(), 0.4, 0.0),), None)


def test_head_checksum_follows_conductivity_and_regions():
    def head(sigma, regions):
        return meshes.HeadModel("test", (meshes.Interface(sphere(), sigma, 0.0),), sphere(7.0), regions=regions)

    base = head(0.4, {"spot": [3, 1]})
    assert base.checksum == head(0.4, {"spot": [1, 3, 3]}).checksum  # a region is a set
    assert len({base.checksum, head(0.5, {"spot": [1, 3]}).checksum, head(0.4, {"spot": [1]}).checksum}) == 3
