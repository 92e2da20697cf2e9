"""Errors of placement: samples, poses, losses, maps, and the placement with the greatest expected field."""

import json
from dataclasses import replace

import numpy as np
import pytest
import trimesh
from scipy import stats
from scipy.special import erfc

import coils
import efield
import meshes
from efield.targeting.disturbed import Disturber
from efield.targeting.losses import Loss
from efield.targeting.placement_errors import (
    KINDS,
    REPLICATES,
    Moves,
    PlacementError,
    list_placement_errors,
    sample_normals,
)
from efield.targeting.robust_placement import climb, expected_score, optimize_expected
from efield.targeting.robustness import map_of_result, of_result, robustness, score_of
from efield.targeting.target_field import TargetField
from efield.viewer.robustness_map import save_robustness
from meshes.checks import winding_numbers

RADIUS = 90.0
UP = np.array([0.3, 0.2, 0.933]) / np.linalg.norm([0.3, 0.2, 0.933])
LARGE = PlacementError(position=8.0, angle=12.0, tilt=5.0, distance=2.0)


@pytest.fixture(scope="module")
def head():
    return meshes.sphere_head([RADIUS, 80.0], [0.465, 0.3], subdivisions=2)


@pytest.fixture(scope="module")
def solver(head):
    return efield.BemSolver(head)


@pytest.fixture(scope="module")
def coil():
    """Eight dipoles in two loops of 30 mm, in a box: every pose is cheap."""
    around, aside = np.radians([45.0, 135.0, 225.0, 315.0]), np.array([15.0, 0.0, 0.0])
    loop = np.column_stack([8.0 * np.cos(around), 8.0 * np.sin(around), np.full(4, -5.0)])
    positions = np.concatenate([loop + aside, loop - aside])
    moments = np.repeat([[0.0, 0.0, 1.5e-3], [0.0, 0.0, -1.5e-3]], 4, axis=0)
    box = trimesh.creation.box(bounds=[[-32.0, -17.0, -12.0], [32.0, 17.0, 0.0]])
    casing = meshes.Surface(box.vertices, box.faces, "casing")
    return coils.Coil(positions=positions, moments=moments, name="eight dipoles", casing=casing)


@pytest.fixture(scope="module")
def result(solver, coil):
    target = efield.Target(position=65.0 * UP, radius=12.0)
    return efield.optimize(solver, coil, target, spacing=7.0, radius=14.0, angle_step=30.0, distance=8.0, gap=0.05)


@pytest.fixture(scope="module")
def found(result):
    return of_result(result, LARGE, samples=512, seed=3)


@pytest.fixture(scope="module")
def disturber(head, coil):
    return Disturber(head, coil)


# ----------------------------------------------------------------------------------------------------- samples


def test_every_replicate_fills_each_axis_evenly():
    """A net in base two: of n points exactly one lies in each nth of every axis, whatever digits are flipped."""
    samples = sample_normals(512, 5)
    uniform = stats.norm.cdf(samples).reshape(REPLICATES, 64, 6)
    for part in uniform:
        for axis in range(6):
            assert sorted((64 * part[:, axis]).astype(int)) == list(range(64))
    assert not np.allclose(uniform[0], uniform[1])
    np.testing.assert_array_equal(samples, sample_normals(512, 5))
    assert not np.allclose(samples, sample_normals(512, 6))


def test_the_standard_error_is_that_of_many_seeds():
    """Means over forty seeds scatter as much as each of them says; a factor of 1.5 is five of its own errors."""

    def loss(seed):
        normals = sample_normals(256, seed)
        return Loss.of(np.exp(-0.02 * (normals**2).sum(axis=1) + 0.1 * normals[:, 0] * normals[:, 3]))

    losses = [loss(seed) for seed in range(40)]
    for value, error in (("expected", "expected_error"), ("low", "low_error")):
        scatter = np.std([getattr(one, value) for one in losses], ddof=1)
        said = np.sqrt(np.mean([getattr(one, error) ** 2 for one in losses]))
        assert scatter / 1.5 < said < 1.5 * scatter


def test_presets_give_back_the_published_statistics():
    """Conversions by scipy's own distributions: mean distance, mean angle, medians."""
    hand, robot = PlacementError.named("hand-held"), PlacementError.named("robotic")
    assert stats.rayleigh(scale=hand.position).mean() == pytest.approx(10.66, rel=1e-12)
    assert stats.halfnorm(scale=hand.angle).mean() == pytest.approx(5.99, rel=1e-12)
    assert stats.rayleigh(scale=hand.tilt).mean() == pytest.approx(7.79, rel=1e-12)
    assert stats.rayleigh(scale=robot.position).median() == pytest.approx(1.34, rel=1e-12)
    assert stats.maxwell(scale=robot.angle).median() == pytest.approx(3.48, rel=1e-9)
    repeat = PlacementError.named("navigated-repeat")
    assert stats.rayleigh(scale=repeat.position).mean() == pytest.approx(0.3, rel=1e-12)


def test_every_number_of_a_preset_says_where_it_comes_from():
    for name, text in list_placement_errors().items():
        error = PlacementError.named(name)
        assert error.text == text
        assert error.distance == 0.0, "nobody's measurement is behind a lift-off"
        assert {figure.kind for figure in error.figures} == set(KINDS)
        for figure in error.figures:
            assert figure.certainty in ("seen", "computed", "assumed")
            if figure.certainty == "seen":
                assert any(word in figure.source for word in ("doi", "2013", "2019"))
        json.dumps(error.as_dict(), allow_nan=False)


# ------------------------------------------------------------------------------------------------------- poses


def test_no_error_is_the_planned_pose(disturber, result):
    seat = disturber.seat(result.pose)
    rotations, origins = disturber.poses(seat, Moves.of("distance", np.zeros(3), 1))
    np.testing.assert_allclose(rotations, np.tile(result.pose.rotation, (3, 1, 1)), atol=1e-12)
    np.testing.assert_allclose(origins, np.tile(result.pose.origin, (3, 1)), atol=1e-9)
    assert seat.gap == pytest.approx(result.distance, abs=1e-9)


def test_moves_are_what_they_are_called(disturber, result):
    seat = disturber.seat(result.pose)
    z = result.pose.z_axis
    # Turned counter-clockwise seen from outside: from y towards x, as seen with the axis to the eye.
    rotations, _ = disturber.poses(seat, Moves(np.zeros((1, 2)), np.array([0.3]), np.zeros((1, 2)), np.zeros(1)))
    y = np.cos(0.3) * result.pose.y_axis + np.sin(0.3) * np.cross(-z, result.pose.y_axis)
    np.testing.assert_allclose(rotations[0, :, 1], y, atol=1e-12)
    # A tilt is the angle between the axes.
    rotations, _ = disturber.poses(seat, Moves.of("tilt", np.radians([7.0]), 8))
    np.testing.assert_allclose(np.degrees(np.arccos(rotations[:, :, 2] @ z)), 7.0, rtol=1e-9)
    # Lift-off is along the axis.
    _, origins = disturber.poses(seat, Moves.of("distance", np.array([0.0, 3.0]), 1))
    np.testing.assert_allclose(origins[1], origins[0] - 3.0 * z, atol=1e-12)
    # A shift s in the touching plane of a sphere is an arc of R atan(s / R); facets of 28 mm sag by 1 mm.
    rotations, origins = disturber.poses(seat, Moves.of("position", np.array([12.0]), 8))
    cosine = origins @ result.pose.origin / np.linalg.norm(origins, axis=1) / np.linalg.norm(result.pose.origin)
    np.testing.assert_allclose(RADIUS * np.arccos(cosine), RADIUS * np.arctan2(12.0, RADIUS), rtol=0.06)
    along = origins - result.pose.origin
    assert along[0] @ result.pose.x_axis > 11.0, "the first direction is the coil's x"
    assert along[2] @ result.pose.y_axis > 11.0, "and a quarter of a turn on its y"


def test_no_sample_puts_the_casing_into_the_scalp(disturber, head, coil):
    """Winding numbers, which the clearance does not use: of the casing in the scalp, and of the scalp in the casing."""
    tilted = PlacementError(position=8.0, angle=12.0, tilt=12.0)
    seat = disturber.seat(efield.place(head, RADIUS * UP, distance=1.0, coil=coil))
    corners = np.concatenate([head.scalp.vertices, head.scalp.centroids])
    into = 0
    for rotation, origin in zip(*disturber.poses(seat, tilted.moves(sample_normals(64, 1))), strict=True):
        casing = coil.casing.vertices @ rotation.T + origin
        assert winding_numbers(casing, head.scalp).max() < 0.5
        assert np.abs(winding_numbers(np.ascontiguousarray((corners - origin) @ rotation), coil.casing)).max() < 0.5
        # The same tilt at the planned gap under the centre alone would not do.
        height = (origin - seat.contact) @ -rotation[:, 2]
        into += winding_numbers(casing + (height - seat.gap) * rotation[:, 2], head.scalp).max() > 0.5
    assert into > 5


# ------------------------------------------------------------------------------------------------------ losses


def test_without_error_nothing_is_lost(result):
    none = robustness(result.fields, result.coil, result.pose, error=PlacementError(), samples=64)
    np.testing.assert_allclose(none.shares, 1.0, rtol=1e-9)
    assert none.planned == pytest.approx(result.field_at_target, rel=2e-3)
    assert none.total.expected_error < 1e-12
    for curve in none.curves.values():
        assert curve.mean[0] == pytest.approx(1.0, rel=1e-9)


def test_samples_are_those_of_direct_solutions(result, solver, disturber, found):
    """The slow way for 24 samples: every pose solved, without reciprocity and without a table."""
    patch, seat = result.patches[0], disturber.seat(result.pose)
    rotations, origins = disturber.poses(seat, LARGE.moves(sample_normals(512, 3)))

    def direct(pose):
        return np.linalg.norm(patch.mean(solver.solve(result.coil, pose, points=patch.points).vectors))

    planned = direct(result.pose)
    assert found.planned == pytest.approx(planned, rel=2e-3)
    for row in range(0, 512, 22):
        pose = meshes.Pose.from_axes(origins[row], rotations[row, :, 2], rotations[row, :, 1])
        # Interpolation in the table: 1e-3.
        assert found.shares[row] == pytest.approx(direct(pose) / planned, rel=2e-3)


def test_pseudo_random_samples_agree(result, disturber, found):
    """Another generator: differences within four standard errors of both together."""
    count = 4096
    normals = np.random.default_rng(8).standard_normal((count, 6))
    poses = disturber.poses(disturber.seat(result.pose), LARGE.moves(normals))
    shares = score_of(result.targets)(result.fields.means(result.coil, *poses)) / found.planned
    error = np.hypot(shares.std() / np.sqrt(count), found.total.expected_error)
    assert abs(shares.mean() - found.total.expected) < 4.0 * error
    assert error < 0.003
    density = stats.gaussian_kde(shares)(np.quantile(shares, 0.05))[0]
    error = np.hypot(np.sqrt(0.05 * 0.95 / count) / density, found.total.low_error)
    assert abs(np.quantile(shares, 0.05) - found.total.low) < 4.0 * error


def test_more_error_loses_more(result, found):
    half = robustness(result.fields, result.coil, result.pose, error=LARGE.scaled(0.5), samples=256)
    assert 1.0 > half.total.expected > found.total.expected
    assert half.total.low > found.total.low
    assert found.total.low < found.total.expected
    for kind in ("position", "distance"):
        assert found.total.expected < found.alone[kind].expected < 1.0
    assert (np.diff(found.curves["distance"].mean) < 0.0).all()
    assert (found.curves["position"].least <= found.curves["position"].mean).all()


def test_turning_a_round_coil_changes_nothing(solver, result):
    """A ring of 36 dipoles has harmonics of order 0, 36, ... about its axis, and the latter vanish at a distance."""
    around = np.linspace(0.0, 2.0 * np.pi, 36, endpoint=False)
    ring = coils.Coil(
        positions=np.column_stack([30.0 * np.cos(around), 30.0 * np.sin(around), np.full(36, -4.0)]),
        moments=np.tile([0.0, 0.0, 1e-3], (36, 1)),
        name="ring",
    )
    pose = efield.place(solver.head, RADIUS * np.array([0.1, -0.2, 0.95]), distance=10.0)
    turned = robustness(result.fields, ring, pose, error=PlacementError(angle=40.0), samples=64)
    assert np.abs(turned.shares - 1.0).max() < 1e-6
    assert np.abs(turned.curves["angle"].mean - 1.0).max() < 1e-6
    assert turned.curves["position"].mean[-1] != pytest.approx(1.0, abs=0.01), "other errors do change it"


def test_a_wanted_direction_loses_with_the_cosine_of_a_turn(result):
    """The field turns with the coil: of its component the mean is exp(-s^2 / 2) for normal errors of s."""
    along = result.vector_at_target / np.linalg.norm(result.vector_at_target)
    target = efield.Target(position=result.target.position, radius=12.0, direction=along)
    spread = 20.0
    turned = robustness(
        result.fields, result.coil, result.pose, error=PlacementError(angle=spread), target=target, samples=256
    )
    assert "along the wanted direction" in turned.counted
    # The patch is not quite under the coil's centre, and the casing finds its stand anew.
    assert turned.total.expected == pytest.approx(np.exp(-0.5 * np.radians(spread) ** 2), abs=0.015)
    assert turned.planned == pytest.approx(np.linalg.norm(result.vector_at_target), rel=3e-3)


def test_of_several_targets_the_least_counts():
    means = np.array([[[3.0, 4.0, 0.0], [0.0, 0.0, 2.0]], [[1.0, 0.0, 0.0], [0.0, 6.0, 0.0]]])
    one = efield.Target(position=(0, 0, 60))
    other = efield.Target(position=(0, 0, 60), direction=(0, 1, 0))
    np.testing.assert_allclose(score_of([one, one])(means), [2.0, 1.0])
    np.testing.assert_allclose(score_of([one, other])(means), [0.0, 1.0])
    np.testing.assert_allclose(score_of(one)(means), [5.0, 1.0])
    np.testing.assert_allclose(score_of(None)(means), [2.0, 1.0])


# -------------------------------------------------------------------------------------------- expected placement


class Landscape:
    """A field that depends on the pose by a formula; its magnitude is the score."""

    def __init__(self, value):
        self.value = value

    def means(self, rotations, origins):
        value = self.value(rotations, origins)
        return np.stack([value, np.zeros_like(value), np.zeros_like(value)], axis=1)[:, None]


@pytest.fixture(scope="module")
def bare():
    """A coil without casing on a finer sphere, so that contacts lie on the sphere within 0.1 mm."""
    ball = meshes.sphere_head([RADIUS], [0.3], subdivisions=4)
    coil = coils.Coil(positions=[[0.0, 0.0, 0.0]], moments=[[0.0, 0.0, 1.0]], name="one dipole")
    return Disturber(ball, coil), efield.place(ball, (0, 0, RADIUS), handle=(0, -1, 0), distance=5.0)


def test_expected_values_in_closed_form(bare):
    disturber, pose = bare
    seat = disturber.seat(pose)
    normals = sample_normals(1024, 2)
    score = score_of(None)

    def arc(origins):
        return RADIUS * np.arctan2(origins[:, 0], origins[:, 2])

    # 1 - x^2 / 400 over x of standard deviation 3: 1 - 9 / 400; the arc of a tangent is shorter by x^2 / 3 R^2.
    parabola = Landscape(lambda _, origins: 1.0 - arc(origins) ** 2 / 400.0)
    got = expected_score(parabola, disturber, seat, PlacementError(position=3.0).moves(normals), score)
    assert 1.0 - got == pytest.approx(9.0 / 400.0, rel=0.01)
    # exp(-h / 10) over a lift-off h = |z|, z of standard deviation 4: exp(s^2 / 2) erfc(s / sqrt 2), s = 0.4.
    start = np.linalg.norm(pose.origin)
    decay = Landscape(lambda _, origins: np.exp(-(np.linalg.norm(origins, axis=1) - start) / 10.0))
    got = expected_score(decay, disturber, seat, PlacementError(distance=4.0).moves(normals), score)
    assert got == pytest.approx(np.exp(0.08) * erfc(0.4 / np.sqrt(2.0)), rel=1e-3)


def test_the_expected_optimum_keeps_away_from_a_cliff(bare):
    """Slope a up to the edge and b > a behind it: by calculus the best place is s ndtri(a / (a + b)) from the edge."""
    disturber, pose = bare
    seat = disturber.seat(pose)
    score = score_of(None)
    gentle, steep, spread = 0.01, 0.05, 4.0

    def field(_, origins):
        x = RADIUS * np.arctan2(origins[:, 0], origins[:, 2])
        y = RADIUS * np.arctan2(origins[:, 1], origins[:, 2])
        return 2.0 + np.where(x < 0.0, gentle * x, -steep * x) - 0.001 * y**2

    cliff = Landscape(field)
    moves = PlacementError(position=spread).moves(sample_normals(256, 4))
    best = climb(cliff, disturber, seat, moves, score, reach=(12.0, 20.0))
    wanted = spread * stats.norm.ppf(gentle / (gentle + steep))
    x = RADIUS * np.arctan2(best.contact[0], best.contact[2])
    assert x == pytest.approx(wanted, abs=0.25)  # the top is flat: 0.25 mm are 2e-4 of the field
    at_edge = expected_score(cliff, disturber, seat, moves, score)
    assert expected_score(cliff, disturber, best, moves, score) > at_edge + 0.01
    # The less error, the nearer to the edge; none leaves it there.
    closer = climb(
        cliff, disturber, seat, PlacementError(position=0.4).moves(sample_normals(256, 4)), score, reach=(12.0, 20.0)
    )
    assert abs(RADIUS * np.arctan2(closer.contact[0], closer.contact[2]) - 0.1 * wanted) < 0.1
    still = climb(cliff, disturber, seat, PlacementError().moves(sample_normals(64, 4)), score, reach=(12.0, 20.0))
    assert np.linalg.norm(still.contact - seat.contact) < 0.1


def test_the_expected_field_is_no_less_than_at_the_search_result(result):
    error = LARGE.scaled(0.5)
    best = optimize_expected(result, error, samples=64, reach=4.0)
    assert best.expected >= best.before
    assert best.nominal <= 1.005 * result.field_at_target
    assert np.linalg.norm(best.pose.origin - result.pose.origin) < 5.0
    # Its own figures again, by the other function and other samples.
    again = robustness(result.fields, result.coil, best.pose, error=error, samples=256, seed=11)
    assert again.expected == pytest.approx(best.expected, rel=0.005)
    assert again.planned == pytest.approx(best.nominal, rel=2e-3)


def test_without_error_the_search_result_stays(result):
    best = optimize_expected(result, PlacementError(), samples=64)
    assert best.expected == pytest.approx(best.nominal, rel=1e-9)
    # The search ends within 0.05 mm on a flat top: 1 mm changes the field by 0.1 %.
    assert best.expected == pytest.approx(result.field_at_target, rel=2e-3)
    assert np.linalg.norm(best.pose.origin - result.pose.origin) < 1.5


# ------------------------------------------------------------------------------------------------- maps, words


def test_the_map_agrees_with_single_placements(result, found):
    places = found.map
    count = len(places.planned)
    assert places.positions.shape == places.handles.shape == (count, 3)
    assert (places.low < places.expected).all()
    assert (places.expected < places.planned).all() or places.planned.min() < 0.8 * places.planned.max()
    assert places.planned.max() == pytest.approx(result.table["value"].max(), rel=5e-3)
    row = int(places.expected.argmax())
    pose = efield.place(
        result.head, places.positions[row], handle=places.handles[row], distance=result.distance, coil=result.coil
    )
    alone = robustness(result.fields, result.coil, pose, error=LARGE, samples=256, seed=21)
    assert places.planned[row] == pytest.approx(alone.planned, rel=3e-3)
    assert places.expected[row] == pytest.approx(alone.expected, rel=0.01)
    # A 5th percentile from 128 samples is less certain than one from 256: four standard errors of both.
    error = np.hypot(1.0, np.sqrt(2.0)) * alone.planned * alone.total.low_error
    assert abs(places.low[row] - alone.low) < 4.0 * error
    coarse = map_of_result(result, LARGE, spacing=12.0, samples=64)
    gaps = np.linalg.norm(coarse.positions[:, None] - coarse.positions[None], axis=2)
    assert gaps[~np.eye(len(gaps), dtype=bool)].min() >= 12.0 - 1e-9


def test_numbers_and_words_for_reports(found):
    again = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert again["all_errors_together"]["expected_share"] == found.total.expected
    assert set(again["each_error_alone"]) == set(KINDS)
    assert again["placement_error"]["position_sd_mm_per_axis"] == 8.0
    assert len(again["map"]["expected_V_per_m"]) == len(found.map.expected)
    lines = dict(found.lines())
    assert f"{100 * found.total.expected:.1f}" in lines["Expected field"]
    assert "8 mm along the scalp" in lines["Errors of placement"]
    assert "lift-off" in lines["Mean loss by each error alone"]
    assert "magnitude" in lines["Field that counts"]
    hand = replace(found, error=PlacementError.named("hand-held"))
    text = " ".join(f"{name} {value}" for name, value in hand.lines())
    assert "position error (seen)" in text
    assert "distance error (assumed)" in text
    assert "lift-off not included" in text


def test_the_figure_is_written(found, result, tmp_path):
    from matplotlib.image import imread

    save_robustness(found, tmp_path / "map.png", focus=result.target.position, heading="target on a sphere")
    picture = imread(tmp_path / "map.png")
    assert picture.shape[:2] == (1240, 2000)
    left = picture[170:640, 60:600, :3].reshape(-1, 3)
    assert len(np.unique(np.round(left, 2), axis=0)) > 14, "a map in colours"
    assert not list(tmp_path.glob(".*")), "nothing half-written stays"


# --------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: PlacementError(position=-1.0), ValueError, "position must"),
        (lambda: PlacementError(angle=float("nan")), ValueError, "angle must"),
        (lambda: PlacementError(tilt=60.0), ValueError, "tilt must be at most 45 degrees"),
        (lambda: PlacementError(distance="far"), (TypeError, ValueError), "distance must"),
        (lambda: PlacementError.named("drunk"), ValueError, "hand-held"),
        (lambda: LARGE.only("speed"), ValueError, "kind must"),
        (lambda: LARGE.scaled(-1.0), ValueError, "factor must"),
        (lambda: sample_normals(1000, 0), ValueError, "power of two"),
        (lambda: sample_normals(8, 0), ValueError, "from 64"),
        (lambda: sample_normals(2**20, 0), ValueError, "to 65536"),
        (lambda: sample_normals(64.0, 0), TypeError, "whole number"),
        (lambda: sample_normals(64, -1), ValueError, "seed must"),
    ],
)
def test_bad_errors_and_samples(call, kind, words):
    with pytest.raises(kind, match=words):
        call()


def test_bad_input_to_robustness(result, found, tmp_path):
    fields, coil, pose = result.fields, result.coil, result.pose
    outside = meshes.Pose.from_axes(2.0 * pose.origin, pose.y_axis, pose.z_axis)
    inside = meshes.Pose.from_axes(pose.origin + 10.0 * pose.z_axis, pose.z_axis, pose.y_axis)
    against = efield.Target(position=result.target.position, direction=-result.vector_at_target)
    table = [
        ((fields, coil, outside), {}, ValueError, "pose must lie over the scalp"),
        ((fields, coil, inside), {}, ValueError, "pose must keep the coil's casing off the scalp"),
        ((fields, coil, pose), {"target": against}, ValueError, "pose must give a positive field"),
        ((fields, coil, pose), {"target": [against, against]}, ValueError, "target must hold"),
        ((fields, coil, pose), {"target": "m1-hand"}, TypeError, "target must be"),
        ((fields, coil, pose), {"error": 3.0}, TypeError, "error must be a PlacementError"),
        ((fields, coil, pose), {"samples": 100}, ValueError, "samples must be a power of two"),
        ((fields, coil, pose.matrix), {}, TypeError, "pose must be"),
        ((fields, "magstim-70mm", pose), {}, TypeError, "coil must be"),
        ((result, coil, pose), {}, TypeError, "fields must be a TargetField"),
    ]
    for positional, options, kind, words in table:
        with pytest.raises(kind, match=words):
            robustness(*positional, **({"error": LARGE, "samples": 64} | options))
    with pytest.raises(ValueError, match="spacing must"):
        map_of_result(result, LARGE, spacing=0.0)
    with pytest.raises(TypeError, match="error must"):
        optimize_expected(result, "robotic")
    with pytest.raises(ValueError, match="reach must"):
        optimize_expected(result, LARGE, reach=-1.0)
    with pytest.raises(ValueError, match="robustness must have a map"):
        save_robustness(replace(found, map=None), tmp_path / "none.png")
    assert isinstance(fields, TargetField)
