"""The error estimate: its kernel, its truth on displaced spheres, its limits."""

import numpy as np
import pytest

import coils
import meshes
from efield import BemSolver, metrics
from efield.bem.estimate import discretisation_error
from efield.kernels.subdivided import field_of_children
from efield.primary import primary_field
from tests import reference

# Each child is summed in closed form; only re-association differs from the twin.
ROUNDING = 1e-11

# Estimate over the change when every triangle is split; 0.98 here, 0.8 to 1.7 in benchmarks/error_estimate.py.
LOWEST, HIGHEST = 0.8, 1.7


def head(subdivisions):
    """Three spheres, the inner one displaced, so that every interface carries charge."""
    centres = [[0, 0, 0], [0, 0, 0], [3.0, 0, 4.0]]
    return meshes.sphere_head([90, 80, 70], [0.465, 0.05, 1.0], subdivisions=subdivisions, centres=centres)


def split(surface):
    """The same flat surface with every triangle cut in four."""
    triangles = surface.triangles.astype(np.int64)
    edges = np.stack([triangles, np.roll(triangles, -1, axis=1)], axis=2).reshape(-1, 2)
    unique, which = np.unique(np.sort(edges, axis=1), axis=0, return_inverse=True)
    a, b, c = triangles.T
    ab, bc, ca = which.reshape(-1, 3).T + len(surface.vertices)
    quarters = np.stack([a, ab, ca, ab, b, bc, ca, bc, c, ab, bc, ca], axis=1).reshape(-1, 3)
    middles = surface.vertices[unique].mean(axis=1)
    return meshes.Surface(np.vstack([surface.vertices, middles]), quarters, surface.name)


def split_head(whole):
    interfaces = [meshes.Interface(split(i.surface), i.sigma_inside, i.sigma_outside) for i in whole.interfaces]
    return meshes.HeadModel(name="split", interfaces=tuple(interfaces), cortex=whole.cortex)


@pytest.fixture(scope="module")
def coil():
    return coils.load_coil("magstim-70mm")


@pytest.fixture(scope="module")
def pose():
    direction = np.array([0.35, -0.2, 0.9]) / np.linalg.norm([0.35, -0.2, 0.9])
    return meshes.Pose.from_axes(96.0 * direction, -direction, np.cross(direction, [0.0, 0.0, 1.0]))


@pytest.fixture(scope="module")
def solver():
    return BemSolver(head(2))


@pytest.fixture(scope="module")
def coarse(solver, coil, pose):
    return solver.solve(coil, pose)


def test_field_of_children_against_twin():
    rng = np.random.default_rng(5)
    corners = rng.normal(size=(8, 3, 3)) * 2.0
    points = rng.uniform(5.0, 8.0, (2, 3))
    densities = rng.normal(size=(2, 4))
    first, chosen = np.array([0, 2, 3]), np.array([1, 0, 1])
    out = np.full_like(points, np.nan)
    field_of_children(out, points, first, chosen, corners, reference.geometry(corners)[0], densities)
    panels = reference.panel_fields(corners, points).reshape(2, 2, 4, 3) / (4.0 * np.pi)
    both = np.einsum("tc,tcd->d", densities, panels[0])
    last = np.einsum("c,cd->d", densities[1], panels[1, 1])
    np.testing.assert_allclose(out, [both, last], rtol=ROUNDING)


def test_estimate_is_close_to_what_splitting_changes(solver, coarse, coil, pose):
    whole = solver.head
    finer = BemSolver(split_head(whole)).solve(coil, pose)
    areas = np.bincount(whole.cortex.triangles.ravel(), np.repeat(whole.cortex.areas, 3))
    change = metrics.relative_error(coarse.vectors, finer.vectors, weights=areas)
    assert LOWEST < coarse.error_estimate.relative_error / change < HIGHEST


def test_estimate_falls_with_refinement(coarse, coil, pose):
    fine = BemSolver(head(3)).solve(coil, pose)
    order = np.log2(coarse.error_estimate.relative_error / fine.error_estimate.relative_error)
    # Second order in the edge; the curvature of the coil's field at 20 mm edges takes some of it.
    assert order > 1.4


def test_estimate_does_not_depend_on_the_current_and_repeats(solver, coarse, coil, pose):
    again = solver.solve(coil, pose, didt=-3e7)
    assert again.error_estimate.as_dict() == coarse.error_estimate.as_dict()


def test_no_primary_field_no_error(solver):
    charge = np.zeros(len(solver.operator.part))
    assert discretisation_error(solver.operator, charge, solver.head.cortex, np.zeros_like) == (0.0, 0.0)


def test_more_samples_agree(solver, coil, pose):
    operator = solver.operator

    def primary(points):
        return primary_field(np.ascontiguousarray(points), coil, pose)

    normal = np.einsum("nd,nd->n", primary(operator.surface.centroids), operator.surface.normals)
    charge = 2.0 * operator.contrast * normal
    few, many = (discretisation_error(operator, charge, solver.head.cortex, primary, samples=n)[0] for n in (40, 1000))
    # 40 of 1000 systematic draws: the sampling error of a mean square over a cortex of 162 vertices.
    assert few == pytest.approx(many, rel=0.15)
