"""The equation's matrix: exact fluxes, exact transposes, no net charge."""

import numpy as np
import pytest

import meshes
from efield.bem.operator import BemOperator
from tests import reference


@pytest.fixture(scope="module")
def head():
    """A scalp with two spheres inside and one more in one of them: not merely nested shells."""
    surfaces = [
        meshes.icosphere(3, radius=90.0, name="scalp"),
        meshes.icosphere(3, radius=60.0, name="brain"),
        meshes.icosphere(1, radius=15.0, centre=(30.0, 0.0, 0.0), name="right"),
        meshes.icosphere(1, radius=12.0, centre=(-30.0, 5.0, 0.0), name="left"),
    ]
    sigmas = [(0.4, 0.0), (0.3, 0.4), (1.6, 0.3), (0.1, 0.3)]
    interfaces = tuple(meshes.Interface(s, *sigma) for s, sigma in zip(surfaces, sigmas, strict=True))
    return meshes.HeadModel(name="islands", interfaces=interfaces, cortex=meshes.icosphere(1, radius=55.0))


@pytest.fixture(scope="module")
def operator(head):
    return BemOperator(head, tolerance=1e-2)  # coarse, so that what is exact is so by construction


@pytest.fixture
def vectors(operator):
    return np.random.default_rng(6).normal(size=(2, len(operator.part), 3))


def flux(operator, field):
    """Flux of a normal field through each surface, shape (n_parts, n_rhs)."""
    return np.stack([np.bincount(operator.part, operator.areas * column) for column in field.T], axis=1)


def test_contrasts_and_parts(head, operator):
    counts = [len(i.surface.triangles) for i in head.interfaces]
    np.testing.assert_array_equal(operator.part, np.repeat(range(4), counts))
    expected = [1.0, (0.3 - 0.4) / 0.7, (1.6 - 0.3) / 1.9, (0.1 - 0.3) / 0.4]
    np.testing.assert_allclose(operator.contrast, np.repeat(expected, counts), rtol=1e-15)
    corners = np.concatenate([i.surface.corners for i in head.interfaces])
    np.testing.assert_array_equal(operator.surface.corners, corners)


def test_every_flux_obeys_gauss(operator, vectors):
    """Through each surface: all charge inside it, half of its own, none of what is outside."""
    charge = vectors[0]
    on = flux(operator, charge)
    inside = np.array([[0.5, 1, 1, 1], [0, 0.5, 1, 1], [0, 0, 0.5, 0], [0, 0, 0, 0.5]])
    # The correction is in double precision, but the two products it joins are in single: 1e-7 of the sum of all
    # magnitudes, times some ten for the length of the sums.
    scale = operator.areas @ np.abs(charge)
    assert (np.abs(flux(operator, operator.normal_field(charge)) - inside @ on) < 1e-6 * scale).all()


def test_the_correction_is_small_and_stated(operator, head):
    assert 0.0 < operator.flux_error < 0.05
    finer = BemOperator(head, tolerance=1e-4)
    assert finer.flux_error < operator.flux_error


def test_transposes_are_exact(operator, vectors):
    left, right = vectors
    for apply, transposed in (
        (operator.apply, operator.apply_transposed),
        (operator.without_net_flux, operator.without_net_flux_transposed),
    ):
        one = (left * apply(right)).sum(axis=0)
        other = (transposed(left) * right).sum(axis=0)
        scale = np.linalg.norm(left, axis=0) * np.linalg.norm(right, axis=0)
        assert (np.abs(one - other) < 1e-6 * scale).all()  # products are in single precision


def test_the_matrix_is_the_equation(head, vectors):
    """q/2 - k K q, for charges without net charge on any surface, against a dense matrix."""
    operator = BemOperator(head, tolerance=1e-4)
    charge = operator.without_net_flux(vectors[0])
    dense = reference.dense_matrix(operator.surface.corners)
    exact = 0.5 * charge - operator.contrast[:, None] * (dense @ charge)
    error = np.linalg.norm(operator.apply(charge) - exact, axis=0) / np.linalg.norm(exact, axis=0)
    assert (error < 2e-3).all()  # the near part's quadrature for random charges, see tests/test_layer.py


def test_without_net_flux_takes_out_the_mean_and_no_more(operator, vectors):
    values = vectors[0]
    clean = operator.without_net_flux(values)
    scale = operator.areas @ np.abs(values)
    assert (np.abs(flux(operator, clean)) < 1e-14 * scale).all()
    np.testing.assert_allclose(operator.without_net_flux(clean), clean, atol=1e-14)
    for part in range(4):
        assert np.ptp((values - clean)[operator.part == part], axis=0).max() < 1e-14


def test_solutions_carry_no_net_charge(operator, vectors):
    rhs = operator.contrast[:, None] * operator.without_net_flux(vectors[0])
    result = operator.solve(rhs, tolerance=1e-8)
    total = operator.areas @ np.abs(result.solution)
    # Exactly zero but for the residual and single precision in the products.
    assert (np.abs(flux(operator, result.solution)) < 1e-5 * total).all()


def test_both_systems_are_solved(operator, vectors):
    root = np.sqrt(operator.areas)[:, None]
    rhs = vectors[0]
    for solve, apply, weight in (
        (operator.solve, operator.apply, root),
        (operator.solve_transposed, operator.apply_transposed, 1.0 / root),
    ):
        result = solve(rhs, tolerance=1e-6)
        residual = weight * (apply(result.solution) - rhs)
        relative = np.linalg.norm(residual, axis=0) / np.linalg.norm(weight * rhs, axis=0)
        # single precision in the products keeps the true residual from the recursion's
        assert (relative < 3e-6).all()
        for history in result.residuals:
            assert history[-1] <= 1e-6


def test_the_two_systems_belong_together(operator, vectors):
    """l . A^-1 r = A^-T l . r: what reciprocity lives off."""
    left, right = vectors
    direct = (left * operator.solve(right, tolerance=1e-7).solution).sum(axis=0)
    adjoint = (operator.solve_transposed(left, tolerance=1e-7).solution * right).sum(axis=0)
    scale = np.linalg.norm(left, axis=0) * np.linalg.norm(right, axis=0)
    assert (np.abs(direct - adjoint) < 2e-5 * scale).all()  # 1e-7 times the condition of the matrix, and areas
