"""Two coils at once: how far their casings are apart, and that no legal pair of the grid beats the one found."""

import json

import manifold3d
import numpy as np
import pytest
from scipy.ndimage import map_coordinates
from scipy.spatial.transform import Rotation

import coils
import efield
import meshes
from efield.kernels.casings import least_distance
from efield.targeting.casings import CasingGap
from efield.targeting.placements import Placements
from efield.targeting.target_field import TargetField
from efield.targeting.two_coils import optimize_two

GAP, DISTANCE = 3.0, 4.0
GRID = {"radius": 16.0, "spacing": 8.0, "angle_step": 72.0}


@pytest.fixture(scope="module")
def coil():
    """A small figure-8: 94 by 52 mm."""
    return coils.load_coil("magstim-25mm")


@pytest.fixture(scope="module")
def ring():
    return coils.circular(name="ring", inner_diameter=30.0, outer_diameter=50.0, turns=5)


@pytest.fixture(scope="module")
def solver():
    head = meshes.sphere_head(radii=[90], conductivities=[0.33], subdivisions=2)
    return efield.BemSolver(head)


def over(x):
    """A target 18 mm under the top of the sphere, x mm to the right; the two sides are not alike."""
    return efield.Target(position=(x, 0.1 * x + 3.0, np.sqrt(70.0**2 - x**2)), side="right" if x > 0 else "left")


@pytest.fixture(scope="module")
def close():
    """Targets 30 mm apart, over which both coils would overlap."""
    return over(-14.0), over(16.0)


@pytest.fixture(scope="module")
def found(solver, coil, close):
    return optimize_two(solver, (coil, coil), close, gap=GAP, distance=DISTANCE, **GRID)


@pytest.fixture(scope="module")
def summed(solver, coil, close):
    return optimize_two(solver, (coil, coil), close, gap=GAP, distance=DISTANCE, objective="sum", **GRID)


def solid(surface):
    """The same closed surface in manifold3d, in double precision."""
    return manifold3d.Manifold(manifold3d.Mesh64(surface.vertices, surface.triangles.astype(np.uint64)))


def exact_gap(first, second, here, there, reach=20.0):
    """Least distance between the triangles of two casings (mm); 0 if they touch or cross."""
    return solid(first.casing).transform(here[:3]).min_gap(solid(second.casing).transform(there[:3]), reach)


def random_matrix(rng, scale):
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.random(random_state=int(rng.integers(1 << 30))).as_matrix()
    matrix[:3, 3] = scale * rng.normal(size=3)
    return matrix


def test_gap_is_never_too_large_and_too_small_by_no_more_than_its_error(coil, ring):
    rng = np.random.default_rng(4)
    gap = CasingGap(coil, ring, reach=10.0)
    assert gap.error == pytest.approx(1.0 / np.sqrt(3.0))
    near = touching = 0
    for _ in range(80):
        here, there = random_matrix(rng, 5.0), random_matrix(rng, 35.0)
        measured = gap.between(meshes.Pose(here), meshes.Pose(there))
        exact = exact_gap(coil, ring, here, there)
        if exact <= 0.0:
            assert measured <= 0.0
            touching += 1
        elif exact - gap.error >= gap.reach:
            assert measured == gap.reach
        else:
            assert exact - gap.error - 1e-6 <= measured <= exact + 1e-6
            near += 1
    assert near > 10
    assert touching > 10


def test_whether_a_gap_is_left_is_what_the_gap_says(coil, ring):
    rng = np.random.default_rng(7)
    gap = CasingGap(coil, ring, reach=10.0)
    seen = set()
    for _ in range(60):
        here, there = (
            (matrix[:3, :3], matrix[:3, 3]) for matrix in (random_matrix(rng, 5.0), random_matrix(rng, 30.0))
        )
        expected = gap.of_frames(*here, *there)
        for wanted in (0.0, 3.0, max(expected - 1e-3, 0.0), min(max(expected + 1e-3, 0.0), 9.0)):
            assert gap.leaves(wanted, here, there) == (expected >= wanted)
        seen.add(expected >= 3.0)
    assert seen == {True, False}


def test_the_other_way_round_it_is_the_same_gap(coil, ring):
    rng = np.random.default_rng(5)
    one, other = CasingGap(coil, ring, reach=10.0), CasingGap(ring, coil, reach=10.0)
    for _ in range(10):
        here, there = meshes.Pose(random_matrix(rng, 5.0)), meshes.Pose(random_matrix(rng, 35.0))
        first, second = one.between(here, there), other.between(there, here)
        if max(first, second) > 0.0:  # inside each other, the depths are of different points
            assert abs(first - second) <= one.error + 1e-6


def test_gap_of_parallel_faces_is_known(ring):
    """Two rings head side to head side, 7 mm apart: the nearest points are samples; only the allowance is missing."""
    gap = CasingGap(ring, ring, reach=20.0)
    turned = meshes.Pose.from_axes([0.0, 0.0, 7.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0])
    assert gap.between(meshes.Pose(np.eye(4)), turned) == pytest.approx(7.0 - gap.error, abs=1e-4)
    far = meshes.Pose.from_axes([0.0, 0.0, 300.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0])
    assert gap.between(meshes.Pose(np.eye(4)), far) == gap.reach


def test_groups_leave_out_no_point(coil, ring):
    """The kernel, which skips groups of points by a bound, against a look-up of all points by SciPy."""
    rng = np.random.default_rng(6)
    gap = CasingGap(coil, ring, reach=10.0)
    _, _, _, points, table, corner, step, _ = gap.search_data
    for _ in range(20):
        matrix = random_matrix(rng, 35.0)
        rotation, shift = np.ascontiguousarray(matrix[:3, :3]), np.ascontiguousarray(matrix[:3, 3])
        nodes = (points @ rotation.T + shift - corner) / step
        expected = map_coordinates(table, nodes.T, order=1, mode="constant", cval=10.0).min()
        least = least_distance(rotation, shift, *gap.search_data, -np.inf, 10.0)
        if expected < 9.0:
            assert least == pytest.approx(expected, abs=1e-4)
        else:
            assert least >= 9.0 - 1e-4


def test_no_legal_pair_of_the_grid_beats_the_one_found(solver, coil, close, found):
    """All pairs, with fields summed source by source and gaps by another library."""
    fields = TargetField(solver, [target.on(solver.head) for target in close])
    values, poses = [], []
    for index, target in enumerate(close):
        space = Placements(solver.head, coil, target, DISTANCE, GRID["radius"], GRID["spacing"], GRID["angle_step"])
        poses.append([
            meshes.Pose.from_axes(origin, rotation[:, 2], rotation[:, 1])
            for rotation, origin in zip(space.rotations, space.origins, strict=True)
        ])  # fmt: skip
        values.append(np.linalg.norm(fields.of_poses(coil, poses[-1])[:, index], axis=1))
    weaker = np.minimum(values[0][:, None], values[1][None, :])
    better = np.argwhere(weaker > found.grid_value * 1.001)  # the table is good to 1e-3
    assert len(better) > 40
    error = 1.0 / np.sqrt(3.0)
    for i, j in better:
        assert exact_gap(coil, coil, poses[0][i].matrix, poses[1][j].matrix) < GAP + error
    same = np.argwhere(np.abs(weaker / found.grid_value - 1.0) <= 1e-3)
    assert any(exact_gap(coil, coil, poses[0][i].matrix, poses[1][j].matrix) >= GAP for i, j in same)


def test_what_is_returned_is_legal_and_no_worse_than_the_grid(solver, coil, found, summed):
    scalp = solid(solver.head.scalp)
    for result in (found, summed):
        here, there = (pose.matrix for pose in result.poses)
        exact = exact_gap(coil, coil, here, there)
        assert exact >= GAP
        assert result.gap <= exact <= result.gap + result.gap_error + 1e-6
        for matrix in (here, there):
            assert solid(coil.casing).transform(matrix[:3]).min_gap(scalp, 20.0) > 0.9 * DISTANCE
        assert not result.free
        assert result.undecided == 0
        # A half turn of a handle may cost a hundredth.
        assert result.score >= 0.99 * result.grid_value
        assert (result.fields <= 1.05 * result.alone).all()


def test_each_objective_is_best_at_its_own(found, summed):
    """The sum found for the pair with the best weaker field is no more than the best sum, and the other way round."""
    assert found.grid_value <= found.alone.min()
    assert summed.grid_value <= summed.alone.sum()
    assert summed.grid_value >= 2.0 * found.grid_value * (1.0 - 1e-9)
    assert summed.fields.sum() >= 0.97 * found.fields.sum()
    assert found.fields.min() >= 0.97 * summed.fields.min()


def test_fields_are_those_of_the_direct_solution(solver, coil, close, found):
    patches = [target.on(solver.head) for target in close]
    direct = np.array([
        [patch.mean(solver.solve(coil, pose, points=patch.points).vectors) for patch in patches]
        for pose in found.poses
    ])  # fmt: skip
    np.testing.assert_allclose(found.vectors, direct, atol=2e-3 * np.abs(direct).max())
    own = np.linalg.norm(direct[[0, 1], [0, 1]], axis=1)
    np.testing.assert_allclose(found.fields, own, rtol=2e-3)
    np.testing.assert_allclose(found.together(), np.linalg.norm(direct.sum(axis=0), axis=1), rtol=1e-2)
    np.testing.assert_allclose(found.together(opposite=True), np.linalg.norm(direct[0] - direct[1], axis=1), rtol=1e-2)


def test_coils_that_do_not_touch_each_keep_their_own_best(solver, coil):
    targets = over(-60.0), over(60.0)
    apart = optimize_two(solver, (coil, coil), targets, distance=DISTANCE, **GRID)
    assert apart.free
    assert apart.pairs == 0
    assert apart.grid_value is None
    assert apart.gap == apart.reach
    np.testing.assert_allclose(apart.fields, apart.alone, rtol=0.01)
    for target, field in zip(targets, apart.fields, strict=True):
        options = {"distance": DISTANCE, "radius": 8.0, "spacing": 4.0, "angle_step": 30.0, "gap": 0.2}
        alone = efield.optimize(solver, coil, target, **options)
        assert field == pytest.approx(alone.field_at_target, rel=0.01)


def test_a_wanted_direction_counts_with_its_sign(solver, coil):
    targets = [
        efield.Target(position=(x, 0.0, 45.0), direction=(0.0, sign, 0.0)) for x, sign in ((-50.0, 1.0), (50.0, -1.0))
    ]
    pair = optimize_two(solver, (coil, coil), targets, distance=DISTANCE, radius=6.0, spacing=6.0, angle_step=60.0)
    assert (pair.fields > 0.0).all()
    np.testing.assert_allclose(pair.fields, [pair.vectors[0, 0, 1], -pair.vectors[1, 1, 1]])


def test_result_is_plain_data(found):
    data = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert "not a medical device" in data["what"]
    assert data["gap_between_casings_mm"] == pytest.approx(found.gap)
    matrix = np.array(data["coils"][1]["matrix_coil_to_head_mm"])
    np.testing.assert_allclose(matrix, found.poses[1].matrix, atol=1e-8)
    assert "mm apart" in repr(found)


def test_handles_leave_away_from_the_other_coil(found, coil):
    between = found.poses[1].origin - found.poses[0].origin
    first, second = (pose.apply_vectors(coil.handle[None])[0] for pose in found.poses)
    # A figure-8 coil serves as well turned by half a circle: neither handle need point at the other coil.
    assert first @ between <= 1e-6
    assert second @ between >= -1e-6


BARE = coils.Coil(positions=[[0, 0, -10]], moments=[[0, 0, 0.04]], name="bare")
BAD = [
    ({"solver": "head"}, TypeError, "solver must be an efield.BemSolver; got str. Use BemSolver"),
    ({"coils": 1}, TypeError, r"coils must be a pair of Coil; got int. Give \(first, second\)"),
    ({"coils": 3}, ValueError, "coils must be two, one for each side; got 3"),
    ({"coils": "names"}, TypeError, "coils must be a pair of Coil; got str in it. Use coils.load_coil"),
    ({"coils": "bare"}, ValueError, "first must be a coil with a casing; got bare without"),
    ({"targets": 1}, ValueError, "targets must be two, one for each side; got 1"),
    ({"targets": "names"}, TypeError, "targets must be a pair of Target; got str in it. Use Target.named"),
    ({"targets": "outside"}, ValueError, "position must be inside the head"),
    ({"objective": "best"}, ValueError, "objective must be one of 'weaker', 'sum'; got 'best'"),
    ({"gap": -1.0}, ValueError, "gap must be zero or a positive number; got -1.0"),
    ({"gap": float("nan")}, ValueError, "gap must be"),
    ({"gap": 400.0}, ValueError, "gap must be at most 30 mm; got 400"),
    ({"gap": 29.0, "radius": 5.0}, ValueError, "gap must be one that two placements leave; got 29 mm, which none of"),
    ({"distance": -2.0}, ValueError, "distance must be zero or a positive number"),
    ({"radius": 0.0}, ValueError, "radius must be a positive number"),
    ({"spacing": 0.2}, ValueError, "radius, spacing and angle_step must give at most"),
    ({"angle_step": 120.0}, ValueError, "angle_step must be at most 90 degrees"),
]


@pytest.mark.parametrize(("change", "kind", "sentence"), BAD, ids=[str(change) for change, _, _ in BAD])
def test_bad_input_gets_a_sentence(solver, coil, close, change, kind, sentence):
    some = {
        "coils": {1: 7, 3: (coil,) * 3, "names": ("magstim-25mm", coil), "bare": (BARE, coil)},
        "targets": {
            1: (close[0],),
            "names": ("m1-hand", close[1]),
            "outside": (efield.Target(position=(0, 0, 200)),) * 2,
        },
    }
    arguments = {"solver": solver, "coils": (coil, coil), "targets": close, **GRID}
    for name, value in change.items():
        arguments[name] = some[name][value] if name in some else value
    solver, pair, targets = (arguments.pop(name) for name in ("solver", "coils", "targets"))
    with pytest.raises(kind, match=sentence):
        optimize_two(solver, pair, targets, **arguments)


@pytest.mark.parametrize(
    ("arguments", "kind", "sentence"),
    [
        (("coil", None), TypeError, "second must be a coils.Coil; got NoneType"),
        ((BARE, "coil"), ValueError, "first must be a coil with a casing; got bare without"),
    ],
)
def test_casings_are_asked_for(coil, arguments, kind, sentence):
    with pytest.raises(kind, match=sentence):
        CasingGap(*(coil if value == "coil" else value for value in arguments))


def test_a_gap_is_between_poses(coil):
    with pytest.raises(TypeError, match=r"second must be a meshes\.Pose; got ndarray"):
        CasingGap(coil, coil).between(meshes.Pose(np.eye(4)), np.eye(4))
    with pytest.raises(ValueError, match="reach must be a positive number"):
        CasingGap(coil, coil, reach=0.0)
