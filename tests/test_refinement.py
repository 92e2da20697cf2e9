"""Adaptive refinement: it beats splitting everything, converges, tells the truth, refuses nonsense."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import coils
import meshes
from efield import BemSolver, metrics, spectral
from efield.bem.refinement import Refinement, marked_triangles
from meshes.refine import split_head

RADII, CONDUCTIVITIES = [90.0, 84.0, 78.0, 70.0], [0.465, 0.01, 1.654, 0.275]
CENTRES = np.array([[0, 0, 0], [0, 0, 0], [0, 0, 0], [2.0, 0, 3.0]])
FACTOR = 3.0


@pytest.fixture(scope="module")
def coil():
    return coils.load_coil("magstim-70mm")


@pytest.fixture(scope="module")
def direction():
    return np.array([0.35, -0.2, 0.9]) / np.linalg.norm([0.35, -0.2, 0.9])


@pytest.fixture(scope="module")
def pose(direction):
    return meshes.Pose.from_axes(96.0 * direction, -direction, np.cross(direction, [0.0, 0.0, 1.0]))


@pytest.fixture(scope="module")
def solver():
    head = meshes.sphere_head(RADII, CONDUCTIVITIES, subdivisions=2, centres=CENTRES)
    return BemSolver(replace(head, cortex=meshes.icosphere(2, radius=64.0, centre=CENTRES[3])))


@pytest.fixture(scope="module")
def target(direction):
    """Some points 8 mm deep in the innermost sphere, under the coil."""
    rng = np.random.default_rng(4)
    return CENTRES[3] + 62.0 * direction + rng.uniform(-4.0, 4.0, (8, 3))


@pytest.fixture(scope="module")
def truth(solver, coil, pose, target):
    """The field on the same flat surfaces with all triangles split twice."""
    twice = split_head(split_head(solver.head)[0])[0]
    return BemSolver(twice).solve(coil, pose, points=target).vectors


@pytest.fixture(scope="module")
def steps(solver, coil, pose, target):
    """Three rounds of refinement for the target."""
    rounds = []
    for _ in range(3):
        rounds.append((rounds[-1].solver if rounds else solver).refine(coil, pose, points=target))
    return rounds


def test_refinement_for_a_target_beats_splitting_everything(solver, coil, pose, target, truth, steps):
    whole = solver.refine(coil, pose, points=target, share=1.0)
    assert whole.triangles_after == 4 * whole.triangles_before
    start, uniform, adaptive = (
        metrics.relative_error(field.vectors, truth) for field in (whole.before, whole.field, steps[-1].field)
    )
    fewer = np.log(steps[-1].triangles_after / steps[0].triangles_before)
    per_triangle, per_triangle_uniform = np.log(start / adaptive) / fewer, np.log(start / uniform) / np.log(4.0)
    assert adaptive < 0.4 * start
    assert per_triangle > per_triangle_uniform


def test_each_round_goes_on_from_the_one_before(steps):
    for earlier, later in pairwise(steps):
        assert later.triangles_before == earlier.triangles_after < later.triangles_after
        # The same equations solved twice.
        np.testing.assert_array_equal(later.before.vectors, earlier.field.vectors)


def test_change_of_a_whole_rounded_split_foretells_the_exact_error(solver, coil, pose):
    finer = solver.refine(coil, pose, share=1.0, curved=True)
    exact = spectral.sphere_solution(
        RADII, CONDUCTIVITIES, CENTRES, pose.apply(coil.positions), pose.apply_vectors(coil.moments), degree=40
    ).field(solver.head.cortex.vertices)
    before, after = (
        metrics.relative_error(field.vectors, exact, weights=finer.weights) for field in (finer.before, finer.field)
    )
    assert 1.0 / FACTOR < finer.change / before < FACTOR
    assert after < 0.4 * before
    assert finer.solver.head.cortex is solver.head.cortex
    assert finer.field.surface is solver.head.cortex


def test_changes_foretell_errors_at_the_target(steps, truth):
    for step in steps[1:]:
        assert 1.0 / FACTOR < step.change / metrics.relative_error(step.before.vectors, truth) < FACTOR


def test_smaller_shares_split_fewer(solver, coil, pose, target):
    counts = [solver.refine(coil, pose, points=target, share=share).triangles_after for share in (1e-9, 0.3, 0.9)]
    # One triangle in four, and no more than its neighbours and theirs.
    assert 1280 + 6 <= counts[0] < 1280 + 30 < counts[1] < counts[2] < 4 * 1280


def test_triangles_near_the_point_come_first(solver, target):
    charge = np.ones(len(solver.operator.part))
    marked = marked_triangles(solver.operator, charge, target[:1], np.ones(1), share=0.1, curved=False)
    assert [len(rows) for rows in marked] == [320] * 4
    near = np.linalg.norm(solver.operator.surface.centroids - target[0], axis=1)
    assert near[np.concatenate(marked)].max() < np.median(near)


def turned(field, angle, factor):
    """The field turned about its mean direction's normal, and scaled."""
    c, s = np.cos(angle), np.sin(angle)
    rotation = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    flat = field.vectors * [1.0, 1.0, 0.0]
    return replace(field, vectors=flat), replace(field, vectors=factor * flat @ rotation.T)


@pytest.mark.parametrize(("angle", "factor"), [(0.0, 1.25), (1e-6, 1.0), (0.3, 0.8), (3.0, 1.0)])
def test_figures_of_a_turned_and_scaled_field(steps, angle, factor):
    before, after = turned(steps[0].before, angle, factor)
    weights = np.linspace(1.0, 2.0, len(before.points))
    result = Refinement(
        solver=steps[0].solver, before=before, field=after, weights=weights, triangles_before=1280, triangles_after=2000
    )
    assert result.magnitude_change == pytest.approx(factor - 1.0, abs=1e-12)
    assert result.angle == pytest.approx(np.degrees(angle), rel=1e-6, abs=1e-12)
    expected = abs(factor * np.exp(1j * angle) - 1.0) / factor
    assert result.change == pytest.approx(expected, rel=1e-6)
    assert str(result).startswith(f"1,280 -> 2,000 triangles: the field moves by {expected:.2%} at 8 points (magn")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(share=0.0), "share must be a positive number; got 0"),
        (dict(share=1.5), "share must be at most 1, which splits all triangles; got 1.5"),
        (dict(share=np.nan), "share must be a positive number; got nan"),
        (dict(points=np.zeros((0, 3))), "points must be at least one; got none"),
        (dict(points=[[0.0, np.nan, 0.0]]), "points must be finite"),
        (dict(didt="much"), "didt must be a finite number; got 'much'"),
        (dict(didt=0.0), "didt must not be 0"),
    ],
)
def test_bad_input(solver, coil, pose, options, message):
    with pytest.raises(ValueError, match=message):
        solver.refine(coil, pose, **options)


def test_a_problem_that_would_not_fit_is_refused(solver, coil, pose, target):
    whole = solver.refine(coil, pose, points=target, share=1.0)
    small = BemSolver(solver.head, memory_limit=0.9 * whole.solver.cost["bytes"])
    with pytest.raises(MemoryError, match="got 5120 triangles that need"):
        small.refine(coil, pose, points=target, share=1.0)
