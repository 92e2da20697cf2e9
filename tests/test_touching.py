"""The solver where tissues touch along lines: an exact field, the same head cut up, reciprocity, refinement."""

import numpy as np
import pytest

import coils
import efield
import meshes
from efield.metrics import relative_error
from meshes import HeadModel, Interface, Surface
from meshes.refine import split_head
from tests.touching_cases import RADIUS, octahedral_sphere, two_halves, two_halves_field, uniform_primary


def _uniform_field(head: HeadModel, points: np.ndarray) -> tuple[np.ndarray, efield.BemSolver]:
    solver = efield.BemSolver(head)
    operator = solver.operator
    # The mean of a linear field over a triangle is its value in the middle.
    normal = np.einsum("ij,ij->i", uniform_primary(operator.surface.centroids), operator.surface.normals)
    result = operator.solve(operator.contrast[:, None] * operator.without_net_flux(normal[:, None]), tolerance=1e-7)
    return uniform_primary(points) + operator.layer.field(points, result.solution)[:, :, 0], solver


@pytest.fixture(scope="module")
def points() -> np.ndarray:
    rng = np.random.default_rng(4)
    found = rng.normal(size=(300, 3))
    found *= (0.85 * RADIUS * rng.random(300) ** (1 / 3) / np.linalg.norm(found, axis=1))[:, None]
    return found[np.abs(found[:, 2]) > 5.0]


@pytest.fixture(scope="module")
def pose() -> meshes.Pose:
    return meshes.Pose([[1.0, 0.0, 0.0, 10.0], [0.0, -1.0, 0.0, 5.0], [0.0, 0.0, -1.0, 95.0], [0.0, 0.0, 0.0, 1.0]])


def test_two_halves_converge_to_the_series(points: np.ndarray) -> None:
    exact = two_halves_field(points)
    assert relative_error(uniform_primary(points), exact) > 0.4  # the charges matter
    coarse, fine = (relative_error(_uniform_field(two_halves(parts), points)[0], exact) for parts in (8, 16))
    assert fine < 0.003
    assert np.log2(coarse / fine) > 1.8  # twice as fine: the second order, measured 2.0


def test_fluxes_through_each_half_are_exact() -> None:
    operator = efield.BemSolver(two_halves(8)).operator
    charge = np.random.default_rng(2).normal(size=(len(operator.areas), 1))
    chains = operator.balance.membership
    flux = chains.T @ (operator.areas[:, None] * operator.normal_field(charge))
    # Gauss: half of what lies on a chain, and all that lies within: the disc in the ball, the first chain.
    share = 0.5 * np.abs(chains)
    share[operator.part == 1, 0] = 1.0
    held = share.T @ (operator.areas[:, None] * charge)
    np.testing.assert_allclose(flux, held, atol=1e-6 * np.abs(held).max())


def test_transpose_is_exact() -> None:
    operator = efield.BemSolver(two_halves(8)).operator
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, len(operator.areas), 1))
    left, right = float((b.T @ operator.apply(a)).item()), float((a.T @ operator.apply_transposed(b)).item())
    assert left == pytest.approx(right, abs=1e-6 * np.linalg.norm(a) * np.linalg.norm(b))


def _cut_up(head: HeadModel) -> HeadModel:
    """Return a head with each inner surface cut in two open ones."""
    interfaces = [head.interfaces[0]]
    for old in head.interfaces[1:]:
        upper = old.surface.centroids @ [0.2, 0.1, 1.0] > 0.0
        for name, rows in ((f"{old.name}-upper", upper), (f"{old.name}-lower", ~upper)):
            surface = Surface(old.surface.vertices, old.surface.triangles[rows], name)
            interfaces.append(Interface(surface, old.sigma_inside, old.sigma_outside))
    return HeadModel(name="cut up", interfaces=tuple(interfaces), cortex=head.cortex)


def test_a_nested_head_cut_up_gives_the_same_field(small_head: HeadModel, pose: meshes.Pose) -> None:
    coil = coils.load_coil("magstim-70mm")
    cut = _cut_up(small_head)
    assert cut.touching
    assert not small_head.touching
    whole, parts = (efield.simulate(head, coil, pose) for head in (small_head, cut))
    # The boundaries of the regions span the same fluxes as the closed surfaces; products are accurate to 1e-4.
    assert relative_error(parts.vectors, whole.vectors) < 5e-4


def test_search_agrees_with_the_direct_field() -> None:
    head = two_halves(10)
    target = efield.Target(position=(0.0, 15.0, 0.7 * RADIUS), radius=8.0)
    best = efield.optimize(
        efield.BemSolver(head),
        coils.load_coil("magstim-70mm"),
        target,
        spacing=8.0,
        angle_step=30.0,
        radius=8.0,
        gap=0.05,
    )
    # The search's own value comes through the transposed equations.
    assert best.search_error < 0.005


def test_error_estimate_tells(pose: meshes.Pose) -> None:
    coil = coils.load_coil("magstim-70mm")
    finest = efield.simulate(two_halves(24), coil, pose)
    for parts in (8, 12):
        field = efield.simulate(two_halves(parts), coil, pose)
        ratio = field.error_estimate.relative_error / relative_error(field.vectors, finest.vectors)
        assert 0.33 < ratio < 3.0  # 0.43 and 0.60 measured


def test_refinement_keeps_the_lines(pose: meshes.Pose) -> None:
    head = two_halves(6)
    marked = [interface.surface.centroids[:, 0] > 20.0 for interface in head.interfaces]
    finer, parent = split_head(head, marked)  # HeadModel checks that regions are closed
    assert finer.touching
    sigmas = np.concatenate([interface.sigmas for interface in head.interfaces])
    np.testing.assert_array_equal(np.concatenate([interface.sigmas for interface in finer.interfaces]), sigmas[parent])
    areas = np.concatenate([interface.surface.areas for interface in head.interfaces])
    new = np.concatenate([interface.surface.areas for interface in finer.interfaces])
    np.testing.assert_allclose(np.bincount(parent, new), areas)
    with pytest.raises(ValueError, match="curved must be False"):
        split_head(head, curved=True)
    solver = efield.BemSolver(head)
    refinement = solver.refine(coils.load_coil("magstim-70mm"), pose)
    assert refinement.triangles_after > refinement.triangles_before


def test_equal_halves_are_no_halves(points: np.ndarray) -> None:
    whole = HeadModel("ball", (Interface(octahedral_sphere(8), 0.5, 0.0),), cortex=two_halves(4).cortex)
    np.testing.assert_allclose(
        _uniform_field(two_halves(8, (0.5, 0.5)), points)[0], _uniform_field(whole, points)[0], atol=1e-3
    )
