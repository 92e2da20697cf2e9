"""The error estimate: its kernel, its truth on spheres and against finer solutions, its limits."""

from dataclasses import replace

import numpy as np
import pytest

import coils
import meshes
from efield import BemSolver, analytic, metrics, spectral
from efield.bem.estimate import change_by_splitting, cortex_sample, discretisation_error, vertex_charges
from efield.kernels import subdivided
from efield.primary import primary_field
from meshes.refine import bent_middles, split_head, split_surface
from tests import reference

# Each panel near by is summed in closed form; only re-association differs from the twin.
ROUNDING = 1e-9

# The bar of the estimate: within a factor of 3 of the true error.
FACTOR = 3.0

RADII, CONDUCTIVITIES = [90.0, 80.0, 70.0], [0.465, 0.05, 1.0]
CENTRES = {"concentric": np.zeros((3, 3)), "displaced": np.array([[0, 0, 0], [0, 0, 0], [3.0, 0, 4.0]])}


def head(subdivisions, centres="displaced"):
    """Three spheres, the field asked for 4 mm inside the innermost; displaced, every interface carries charge."""
    whole = meshes.sphere_head(RADII, CONDUCTIVITIES, subdivisions=subdivisions, centres=CENTRES[centres])
    return replace(whole, cortex=meshes.icosphere(subdivisions, radius=66.0, centre=CENTRES[centres][2]))


def weights(surface):
    """A third of the area of the triangles around each vertex."""
    return np.bincount(surface.triangles.ravel(), np.repeat(surface.areas / 3.0, 3))


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


def splitting_change(surface, normals, charges, charge, points, weights):
    """The kernel's twin: children from the mesh refinement, everything in closed form."""
    ends = np.stack([normals[surface.triangles], np.roll(normals[surface.triangles], -1, axis=1)], axis=2)
    corners = np.stack([surface.corners, np.roll(surface.corners, -1, axis=1)], axis=2)
    middles = bent_middles(corners.reshape(-1, 2, 3), ends.reshape(-1, 2, 3)).reshape(-1, 3, 3)
    a, b, c = surface.corners.transpose(1, 0, 2)
    ab, bc, ca = middles.transpose(1, 0, 2)
    qa, qb, qc = charges[surface.triangles].T
    whole = reference.panel_fields(surface.corners, points) * charge[:, None]
    fields, areas, densities = [], [], []
    for panel, density in (
        ((a, ab, ca), (4 * qa + qb + qc) / 6),
        ((b, bc, ab), (qa + 4 * qb + qc) / 6),
        ((c, ca, bc), (qa + qb + 4 * qc) / 6),
        ((ab, bc, ca), (qa + qb + qc) / 3),
    ):
        children = np.stack(panel, axis=1)
        fields.append(reference.panel_fields(children, points))
        areas.append(reference.geometry(children)[1])
        densities.append(density)
    mean = np.einsum("ct,ct->t", areas, densities) / np.sum(areas, axis=0)
    shifted = np.array(densities) - mean + charge
    change = (np.einsum("ct,cptd->ptd", shifted, fields) - whole) / (4.0 * np.pi)
    return change.sum(axis=1), np.einsum("p,ptd,ptd->t", weights, change, change)


@pytest.mark.parametrize(("radius", "tolerance"), [(9.0, ROUNDING), (30.0, 2e-3)])
def test_change_by_splitting_against_twin(radius, tolerance):
    # Within 5 radii of a triangle of 10.5 mm edges all is closed form; from 20 mm beyond the surface, points.
    rng = np.random.default_rng(5)
    surface = meshes.icosphere(0, radius=10.0)
    normals = rng.normal(scale=0.3, size=(12, 3)) + surface.vertices / 10.0
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    charges, charge = rng.normal(size=12), rng.normal(size=20)
    points = rng.normal(size=(3, 3))
    points *= radius / np.linalg.norm(points, axis=1, keepdims=True)
    if radius < 10.0:
        points *= 0.3  # clear of the children, whose corners move
    factors = np.array([0.5, 1.0, 2.0])
    partial, effect = np.full((1, 3, 3), np.nan), np.full(20, np.nan)
    subdivided.splitting_change(
        partial, effect, points, factors, surface.vertices, surface.triangles, normals, charges, charge
    )
    change, expected = splitting_change(surface, normals, charges, charge, points, factors)
    np.testing.assert_allclose(partial[0], change, rtol=tolerance, atol=tolerance * np.abs(change).max())
    np.testing.assert_allclose(effect, expected, rtol=tolerance, atol=tolerance * expected.max())


def test_chunks_add_up():
    surface = meshes.icosphere(3, radius=10.0)
    rng = np.random.default_rng(2)
    charge = rng.normal(size=1280)
    points, ones = rng.normal(size=(2, 3)), np.ones(2)
    rest = (surface.vertices / 10.0, vertex_charges(surface, charge))
    partial, effect = np.full((3, 2, 3), np.nan), np.full(1280, np.nan)
    subdivided.splitting_change(partial, effect, points, ones, surface.vertices, surface.triangles, *rest, charge)
    one, alone = np.full((1, 2, 3), np.nan), np.full(256, np.nan)
    last = slice(2 * subdivided.CHUNK, None)
    triangles = surface.triangles[last]
    subdivided.splitting_change(one, alone, points, ones, surface.vertices, triangles, *rest, charge[last])
    np.testing.assert_array_equal(partial[2], one[0])
    np.testing.assert_array_equal(effect[last], alone)


def test_vertex_charges_of_a_linear_density_are_exact():
    x, y = np.meshgrid(np.arange(5.0), np.arange(5.0))
    corner = (np.arange(4)[:, None] * 5 + np.arange(4)).ravel()
    triangles = np.concatenate([corner[:, None] + [0, 1, 6], corner[:, None] + [0, 6, 5]])
    surface = meshes.Surface(np.column_stack([x.ravel(), y.ravel(), np.zeros(25)]), triangles)
    density = 3.0 * surface.vertices[:, 0] - surface.vertices[:, 1] + 2.0
    inner = (x > 0) & (x < 4) & (y > 0) & (y < 4)
    recovered = vertex_charges(surface, density[triangles].mean(axis=1))
    np.testing.assert_allclose(recovered[inner.ravel()], density[inner.ravel()], atol=1e-12)


@pytest.mark.parametrize("centres", CENTRES)
@pytest.mark.parametrize("subdivisions", [2, 3])
def test_estimate_is_close_to_the_exact_error(centres, subdivisions, coil, pose):
    whole = head(subdivisions, centres)
    field = BemSolver(whole).solve(coil, pose)
    positions, moments = pose.apply(coil.positions), pose.apply_vectors(coil.moments)
    if centres == "concentric":
        exact = analytic.sphere_field(field.points, positions, moments)
    else:
        solution = spectral.sphere_solution(RADII, CONDUCTIVITIES, CENTRES[centres], positions, moments, degree=40)
        exact = solution.field(field.points)
    error = metrics.relative_error(field.vectors, exact, weights=weights(whole.cortex))
    assert 1.0 / FACTOR < field.error_estimate.relative_error / error < FACTOR


def test_estimate_is_close_to_what_splitting_changes(solver, coarse, coil, pose):
    finer, _ = split_head(solver.head, curved=True)
    field = BemSolver(finer).solve(coil, pose)
    change = metrics.relative_error(coarse.vectors, field.vectors, weights=weights(solver.head.cortex))
    assert 1.0 / FACTOR < coarse.error_estimate.relative_error / change < FACTOR


def test_thin_layers(coil, pose):
    """CSF of 1 mm and a cortex of 2.5 mm under triangles of 12 mm (6 mm: 0.18 %, benchmarks/thin_layers.py)."""
    whole = meshes.sphere_head([90, 84, 78, 77, 74.5], [0.465, 0.01, 1.654, 0.275, 0.126], subdivisions=3)
    field = BemSolver(whole).solve(coil, pose)
    np.testing.assert_allclose(np.linalg.norm(field.points, axis=1), 75.75)  # mid cortex
    exact = analytic.sphere_field(field.points, pose.apply(coil.positions), pose.apply_vectors(coil.moments))
    error = metrics.relative_error(field.vectors, exact, weights=weights(whole.cortex))
    assert error < 0.012
    assert 1.0 / FACTOR < field.error_estimate.relative_error / error < FACTOR


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


def test_sample_stands_for_the_whole_energy(solver, coil, pose):
    cortex = solver.head.cortex

    def primary(points):
        return primary_field(np.ascontiguousarray(points), coil, pose)

    points, stands = cortex_sample(cortex, primary, 40)
    energy = stands @ np.sum(primary(points) ** 2, axis=1)
    # Drawn in proportion to the energy: every draw stands for the same share of it.
    assert energy == pytest.approx(weights(cortex) @ np.sum(primary(cortex.vertices) ** 2, axis=1), rel=1e-12)


def test_more_samples_agree(solver, coil, pose):
    operator = solver.operator

    def primary(points):
        return primary_field(np.ascontiguousarray(points), coil, pose)

    normal = np.einsum("nd,nd->n", primary(operator.surface.centroids), operator.surface.normals)
    charge = 2.0 * operator.contrast * normal
    few, many = (discretisation_error(operator, charge, solver.head.cortex, primary, samples=n)[0] for n in (80, 1000))
    # 80 of 1000 systematic draws: the sampling error of a mean square over a cortex of 162 vertices.
    assert few == pytest.approx(many, rel=0.15)


def test_no_point_counts_with_more_than_its_cap(solver, coil, pose):
    """Noise for charges: splitting would change the field by more than itself."""
    noise = np.random.default_rng(6).normal(scale=1e3, size=len(solver.operator.part))

    def primary(points):
        return primary_field(np.ascontiguousarray(points), coil, pose)

    points, stands = cortex_sample(solver.head.cortex, primary, 80)
    change = 1.6 * np.linalg.norm(change_by_splitting(solver.operator, noise, points, stands)[0], axis=1)
    field = np.linalg.norm(primary(points) + solver.operator.layer.field(points, noise[:, None])[:, :, 0], axis=1)
    assert (change > 0.3 * field).any()
    expected = np.sqrt(stands @ np.minimum(change, 0.3 * field) ** 2 / (stands @ field**2))
    estimate = discretisation_error(solver.operator, noise, solver.head.cortex, primary)[0]
    assert estimate == pytest.approx(expected, rel=1e-9)


def test_constant_charge_on_a_flat_surface_has_no_error():
    """Where the normals at the vertices are the triangle's, its children lie in it."""
    surface = meshes.Surface([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])
    finer, _ = split_surface(surface, curved=True)
    np.testing.assert_array_equal(finer.vertices[:, 2], 0.0)
    partial, effect = np.empty((1, 1, 3)), np.empty(1)
    up = np.tile([0.0, 0.0, 1.0], (3, 1))
    subdivided.splitting_change(
        partial, effect, np.array([[0.2, 0.3, 0.4]]), np.ones(1), surface.vertices, surface.triangles, up,
        np.full(3, 2.0), np.full(1, 2.0),
    )  # fmt: skip
    np.testing.assert_allclose(partial, 0.0, atol=1e-14)
