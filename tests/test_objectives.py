"""What a search can maximise: each objective against its definition, and against a search that ignores it."""

import numpy as np
import pytest

import coils
import efield
import meshes
from efield import objectives
from efield.targeting.finding import Reach, find
from efield.targeting.target_field import TargetField


@pytest.fixture(scope="module")
def head():
    return meshes.sphere_head([90.0, 80.0], [0.465, 0.3], subdivisions=3)


@pytest.fixture(scope="module")
def solver(head):
    return efield.BemSolver(head)


@pytest.fixture(scope="module")
def coil():
    return coils.reduce_dipoles(coils.load_coil("magstim-25mm"), max_error=0.02)


@pytest.fixture(scope="module")
def target():
    return efield.Target(position=(0.0, 0.0, 75.0), radius=20.0, name="top")


@pytest.fixture(scope="module")
def beside():
    return efield.Target(position=(30.0, 0.0, 68.0), radius=12.0, name="beside")


REACH = Reach(radius=24.0, spacing=8.0, angle_step=45.0)


def search(solver, coil, targets, objective):
    prepared = objective.prepare(solver.head, targets)
    return find(TargetField(solver, prepared.patches), coil, targets, prepared, REACH, gap=0.05), prepared


def means_at(found, prepared, solver, coil):
    """Return the field over each patch of an objective by a direct solution: the second route."""
    pose = found.landscape.space.pose(found.placement)
    field = solver.solve(coil, pose)
    return np.array([patch.mean(field.at(patch.points)) for patch in prepared.patches])


def test_strength_of_several_targets_is_that_of_the_weakest_or_their_mean(head, target, beside):
    along = efield.Target(position=beside.position, direction=(0, 1, 0), radius=12.0)
    means = np.array([[[3.0, 0.0, 4.0], [0.0, -2.0, 7.0]], [[0.0, 1.0, 0.0], [0.0, 6.0, 0.0]]])
    targets = [target, along]
    np.testing.assert_allclose(objectives.strength().prepare(head, targets).score(means), [-2.0, 1.0])
    np.testing.assert_allclose(objectives.strength(of="mean").prepare(head, targets).score(means), [1.5, 3.5])


def test_mean_magnitude_counts_fields_that_cancel_in_the_mean(head, target):
    prepared = objectives.mean_magnitude(parts=4).prepare(head, [target])
    assert len(prepared.patches) == 5
    opposite = np.zeros((1, 5, 3))
    opposite[0, 1:, 0] = [1.0, 1.0, -1.0, -1.0]
    assert prepared.score(opposite)[0] == pytest.approx(1.0, rel=1e-12)
    own, parts = prepared.patches[0], prepared.patches[1:]
    points = np.concatenate([part.points for part in parts])
    assert {tuple(point) for point in points} == {tuple(point) for point in own.points}, "the parts are the whole"


def test_mean_magnitude_of_a_search_is_that_of_the_direct_field(solver, coil, target):
    found, prepared = search(solver, coil, [target], objectives.mean_magnitude(parts=12))
    patch = prepared.patches[0]
    field = solver.solve(coil, found.landscape.space.pose(found.placement)).at(patch.points)
    exact = patch.weights @ np.linalg.norm(field, axis=1)
    # Twelve parts stand for the points: less than 1 % of the mean magnitude.
    assert found.score == pytest.approx(exact, rel=0.01)
    assert found.score >= np.linalg.norm(patch.mean(field)) * (1.0 - 1e-3), "the triangle inequality"


def test_a_percentile_is_the_field_that_the_rest_of_the_area_reaches(head, target):
    prepared = objectives.percentile(25.0, parts=4).prepare(head, [target])
    means = np.zeros((1, 5, 3))
    means[0, 1:, 2] = [4.0, 1.0, 3.0, 2.0]
    shares = np.array(
        [
            target.on(head).weights[[tuple(p) in {tuple(q) for q in part.points} for p in target.on(head).points]].sum()
            for part in prepared.patches[1:]
        ]
    )
    order = np.argsort(means[0, 1:, 2])
    expected = means[0, 1:, 2][order][np.searchsorted(np.cumsum(shares[order]), 0.25 * (1 - 1e-9))]
    assert prepared.score(means)[0] == expected


def test_contrast_moves_the_coil_away_from_what_shall_be_spared(solver, coil, target, beside):
    plain, _ = search(solver, coil, [target], objectives.strength())
    spared, prepared = search(solver, coil, [target], objectives.contrast(beside, weight=1.0))
    means = means_at(spared, prepared, solver, coil)
    assert spared.score == pytest.approx(np.linalg.norm(means[0]) - np.linalg.norm(means[1]), abs=0.01)
    both = objectives.contrast(beside).prepare(solver.head, [target])
    before = means_at(plain, both, solver, coil)
    assert np.linalg.norm(means[1]) < np.linalg.norm(before[1])
    assert spared.score > np.linalg.norm(before[0]) - np.linalg.norm(before[1])


def test_a_limit_is_kept_and_costs_field(solver, coil, target, beside):
    plain, _ = search(solver, coil, [target], objectives.strength())
    prepared = objectives.limited(beside, share=0.5).prepare(solver.head, [target])
    free = means_at(plain, prepared, solver, coil)
    share = 0.9 * np.linalg.norm(free[1]) / np.linalg.norm(free[0])
    found, prepared = search(solver, coil, [target], objectives.limited(beside, share=share))
    means = means_at(found, prepared, solver, coil)
    assert np.linalg.norm(means[1]) <= share * np.linalg.norm(means[0]) * (1.0 + 5e-3)
    assert found.score < plain.score
    assert found.score == pytest.approx(np.linalg.norm(means[0]), rel=5e-3)


def test_a_focal_placement_keeps_its_field_and_is_no_wider(solver, coil, target):
    common = dict(radius=16.0, spacing=8.0, angle_step=45.0, gap=0.05)
    strong = efield.optimize(solver, coil, target, **common)
    focal = efield.optimize(solver, coil, target, objective=objectives.focal(keep=0.8), **common)

    def area(result):
        return efield.metrics.focality(result.field.vectors, result.head.cortex.vertex_areas)

    assert focal.field_at_target >= 0.79 * strong.field_at_target
    assert area(focal) <= area(strong) * (1.0 + 1e-9)


def test_the_weaker_of_two_targets_is_served(solver, coil, beside):
    other = efield.Target(position=(-30.0, 0.0, 68.0), radius=12.0, name="other")
    result = efield.optimize(solver, coil, [beside, other], radius=20.0, spacing=10.0, angle_step=30.0, gap=0.05)
    assert result.targets == (beside, other)
    # By symmetry the coil sits midway, over the top, and both get the same.
    first, second = result.fields_at_targets
    assert first == pytest.approx(second, rel=0.05)
    assert np.hypot(*result.pose.origin[:2]) < 6.0
    assert result.field_at_target == min(first, second)
    summary = result.as_dict()
    assert [entry["name"] for entry in summary["targets"]] == ["beside", "other"]
    assert summary["search"]["objective"] == "strength"
    assert summary["search"]["certificate"]["gap"] == result.certificate.gap


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda _t: objectives.strength(of="best"), "of must be one of"),
        (lambda _t: objectives.percentile(0.0), "share must be above 0 and below 100 per cent; got 0"),
        (lambda _t: objectives.percentile(100.0), "share must be above 0 and below 100 per cent"),
        (lambda _t: objectives.mean_magnitude(parts=0), "parts must be a whole number from 1 to 100; got 0"),
        (lambda _t: objectives.mean_magnitude(parts=2.5), "parts must be a whole number"),
        (lambda _t: objectives.percentile(parts=1), "parts must be a whole number from 2"),
        (lambda _t: objectives.contrast("m1-hand"), "avoid must be an efield.Target or a sequence of them"),
        (lambda _t: objectives.contrast([]), "avoid must be an efield.Target or a sequence of them"),
        (lambda _t: objectives.contrast(_t, weight=0.0), "weight must be"),
        (lambda _t: objectives.limited(_t, share=-1.0), "share must be"),
        (lambda _t: objectives.focal(keep=1.0), "keep must be above 0 and below 1; got 1"),
        (
            lambda _t: objectives.across_wall().prepare(meshes.sphere_head([90.0], [0.3], subdivisions=2), [_t]),
            "target must",
        ),
    ],
)
def test_bad_objectives_get_a_sentence(beside, make, sentence):
    deep = efield.Target(position=(0.0, 0.0, 0.0), radius=2.0)
    with pytest.raises((ValueError, TypeError), match=sentence):
        make(deep if "target must" in sentence else beside)


def test_something_else_than_an_objective_is_refused(solver, coil, target):
    with pytest.raises(TypeError, match="objective must be an Objective; got str"):
        efield.optimize(solver, coil, target, objective="strength")


def test_the_certificate_covers_the_rim_of_the_range(solver, coil, target, beside):
    """The best contrast lies on the rim: nothing in the range may beat the score by more than the gap, rim included."""
    prepared = objectives.contrast(beside).prepare(solver.head, [target])
    reach = Reach(radius=20.0, spacing=6.0, angle_step=30.0)
    found = find(TargetField(solver, prepared.patches), coil, [target], prepared, reach, gap=1e-2)
    space = found.landscape.space
    place = found.placement
    assert np.hypot(place.u, place.v) <= 20.0
    rng = np.random.default_rng(3)
    rows = np.zeros((3000, 5))
    around = rng.uniform(0.0, 2.0 * np.pi, 3000)
    far = 20.0 * np.sqrt(rng.random(3000))
    far[::2] = 20.0 * (1.0 - 1e-12)  # every other one on the rim itself
    rows[:, 0], rows[:, 1] = far * np.cos(around), far * np.sin(around)
    rows[:, 2] = rng.uniform(0.0, 2.0 * np.pi, 3000)
    assert found.landscape.within(rows).all()
    assert found.landscape.scores_of(rows).max() <= found.score * (1.0 + found.certificate.gap)
    assert len(space.offsets) > space.inside.sum(), "cells over the rim are there"


def test_one_position_alone_still_has_neighbours(solver, coil, target):
    prepared = objectives.strength().prepare(solver.head, [target])
    reach = Reach(radius=3.0, spacing=40.0, angle_step=45.0)
    found = find(TargetField(solver, prepared.patches), coil, [target], prepared, reach, gap=0.05)
    assert found.landscape.values.shape[0] >= 5
    assert len(found.landscape.space.summary(found.landscape.values)["value"]) == 1


def test_a_target_field_wants_patches(solver, target):
    with pytest.raises(TypeError, match="patches must be those of targets"):
        TargetField(solver, [target])
