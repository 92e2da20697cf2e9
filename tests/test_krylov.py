"""GMRES for several right-hand sides."""

import numpy as np
import pytest

from efield.bem.krylov import gmres


@pytest.fixture
def system():
    """A well-conditioned matrix that is not symmetric, and three right-hand sides."""
    rng = np.random.default_rng(8)
    matrix = np.eye(40) + 0.5 * rng.normal(size=(40, 40)) / np.sqrt(40.0)
    return matrix, rng.normal(size=(40, 3))


def residuals(matrix, solution, rhs):
    return np.linalg.norm(matrix @ solution - rhs, axis=0) / np.linalg.norm(rhs, axis=0)


@pytest.mark.parametrize("tolerance", [1e-3, 1e-6, 1e-12])
def test_the_residual_is_what_it_says(system, tolerance):
    matrix, rhs = system
    result = gmres(lambda x, _: matrix @ x, rhs, tolerance=tolerance)
    true = residuals(matrix, result.solution, rhs)
    assert (true <= tolerance * (1.0 + 1e-6) + 1e-15).all()
    # The recursion for the residual keeps to the true one to rounding, eps times the condition number.
    np.testing.assert_allclose([history[-1] for history in result.residuals], true, rtol=1e-3, atol=1e-14)


def test_the_solution_is_the_direct_one(system):
    matrix, rhs = system
    result = gmres(lambda x, _: matrix @ x, rhs, tolerance=1e-13)
    np.testing.assert_allclose(result.solution, np.linalg.solve(matrix, rhs), atol=1e-11)


def test_residuals_fall_from_one_in_every_iteration(system):
    matrix, rhs = system
    result = gmres(lambda x, _: matrix @ x, rhs, tolerance=1e-8)
    assert result.iterations == max(len(history) for history in result.residuals) - 1
    for history in result.residuals:
        assert history[0] == 1.0
        assert (np.diff(history) < 0.0).all()
        assert history[-1] <= 1e-8 < history[-2], "no iteration too many"


def test_each_residual_is_the_smallest_in_its_krylov_space(system):
    """GMRES' defining property, against least squares."""
    matrix, rhs = system
    history = gmres(lambda x, _: matrix @ x, rhs[:, :1], tolerance=1e-10).residuals[0]
    space = [rhs[:, 0]]
    for residual in history[1:6]:
        basis = np.linalg.qr(np.array(space).T)[0]
        image = matrix @ basis
        best = np.linalg.norm(image @ np.linalg.lstsq(image, rhs[:, 0], rcond=None)[0] - rhs[:, 0])
        assert residual == pytest.approx(best / np.linalg.norm(rhs[:, 0]), rel=1e-9)
        space.append(matrix @ space[-1])


def test_the_identity_takes_one_iteration():
    rhs = np.arange(1.0, 7.0)[:, None]
    result = gmres(lambda x, _: x, rhs, tolerance=1e-12)
    assert result.iterations == 1
    np.testing.assert_allclose(result.solution, rhs, rtol=1e-15)


def test_columns_help_each_other(system):
    """A column takes its answer from the space of all: no later than alone, and the same answer."""
    matrix, rhs = system
    together = gmres(lambda x, _: matrix @ x, rhs, tolerance=1e-10)
    alone = [gmres(lambda x, _: matrix @ x, rhs[:, c : c + 1], tolerance=1e-10) for c in range(3)]
    for column, single in enumerate(alone):
        assert len(together.residuals[column]) <= len(single.residuals[0])
        np.testing.assert_allclose(single.solution[:, 0], together.solution[:, column], atol=1e-8)
    assert together.iterations < max(single.iterations for single in alone)
    assert together.products < sum(single.products for single in alone)


def test_columns_that_depend_on_each_other_cost_one(system):
    matrix, rhs = system
    single = gmres(lambda x, _: matrix @ x, rhs[:, :1], tolerance=1e-8)
    multiples = gmres(lambda x, _: matrix @ x, rhs[:, :1] * [[1.0, -3.0, 1e-6, 2.0]], tolerance=1e-8)
    assert multiples.products == single.products == single.iterations
    np.testing.assert_allclose(multiples.solution, single.solution * [[1.0, -3.0, 1e-6, 2.0]], rtol=1e-9, atol=1e-12)


def test_small_differences_between_columns_wait_until_they_matter(system):
    """A second column that differs by 1e-4 needs four orders less of its own direction."""
    matrix, rhs = system
    pair = np.stack([rhs[:, 0], rhs[:, 0] + 1e-4 * rhs[:, 1]], axis=1)
    result = gmres(lambda x, _: matrix @ x, pair, tolerance=1e-8)
    single = gmres(lambda x, _: matrix @ x, rhs[:, :1], tolerance=1e-8)
    assert (residuals(matrix, result.solution, pair) <= 1e-8 * (1.0 + 1e-6)).all()
    assert result.products < 1.7 * single.products


def test_a_zero_column_is_solved_by_zero_without_a_product(system):
    matrix, rhs = system
    widths = []

    def apply(x, _):
        widths.append(x.shape[1])
        return matrix @ x

    result = gmres(apply, np.column_stack([rhs[:, 0], np.zeros(40)]), tolerance=1e-6)
    assert not result.solution[:, 1].any()
    assert set(widths) == {1}


def test_columns_that_have_converged_leave_the_products(system):
    matrix, rhs = system
    eigenvector = np.eye(40)[:, 0]  # of the operator below: converges at once
    widths = []

    def apply(x, _):
        widths.append(x.shape[1])
        return np.concatenate([2.0 * x[:1], matrix[1:, 1:] @ x[1:]])

    result = gmres(apply, np.column_stack([eigenvector, rhs[:, 0]]), tolerance=1e-6)
    assert widths[0] == 2
    assert set(widths[1:]) == {1}
    assert len(result.residuals[0]) == 2


def test_products_are_told_how_much_is_left(system):
    matrix, rhs = system
    told = []

    def apply(x, left):
        told.append(left)
        return matrix @ x

    result = gmres(apply, rhs[:, :1], tolerance=1e-8)
    assert told[0] == 1.0
    assert told == list(result.residuals[0][:-1])


def test_products_may_be_less_accurate_as_the_residual_falls(system):
    """Simoncini and Szyld 2003: errors of 1e-8 / residual in a product leave a residual of that order."""
    matrix, rhs = system
    rng = np.random.default_rng(3)

    def apply(x, left):
        image = matrix @ x
        noise = rng.normal(size=image.shape)
        return image + 1e-8 / left * np.linalg.norm(image) / np.linalg.norm(noise) * noise

    solution = gmres(apply, rhs, tolerance=1e-6).solution
    assert (np.linalg.norm(matrix @ solution - rhs, axis=0) < 1.1e-6 * np.linalg.norm(rhs, axis=0)).all()


def test_progress_is_told(system):
    matrix, rhs = system
    calls = []
    result = gmres(
        lambda x, _: matrix @ x, rhs, tolerance=1e-6, max_iterations=77, progress=lambda *call: calls.append(call)
    )
    assert calls == [(i, 77) for i in range(1, result.iterations + 1)]


def test_too_few_iterations_are_an_error(system):
    matrix, rhs = system
    with pytest.raises(RuntimeError, match=r"relative residual of 1e-12; got .* after 3 iterations"):
        gmres(lambda x, _: matrix @ x, rhs, tolerance=1e-12, max_iterations=3)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_right_hand_side_that_is_not_finite_is_an_error(system, bad):
    matrix, rhs = system
    rhs[3, 1] = bad
    with pytest.raises(RuntimeError, match="rhs must be finite"):
        gmres(lambda x, _: matrix @ x, rhs, tolerance=1e-6)


def test_a_nan_in_a_product_does_not_pass_for_convergence(system):
    _, rhs = system
    with pytest.raises(RuntimeError, match="relative residual"):
        gmres(lambda x, _: x * np.nan, rhs, tolerance=1e-6, max_iterations=4)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_singular_matrix_is_an_error_not_a_solution(count):
    """A ring's Laplacian: what lies along the constant vector cannot be reached."""
    size = 200
    matrix = 2.0 * np.eye(size) - np.roll(np.eye(size), 1, axis=0) - np.roll(np.eye(size), -1, axis=0)
    rhs = np.random.default_rng(5).normal(size=(size, count)) + 0.3
    with pytest.raises(RuntimeError, match="relative residual"):
        gmres(lambda x, _: matrix @ x, rhs, tolerance=1e-6)


def test_a_matrix_of_zeros_is_an_error():
    with pytest.raises(RuntimeError, match="relative residual"):
        gmres(lambda x, _: 0.0 * x, np.ones((5, 1)), tolerance=1e-6)


def test_no_right_hand_sides_have_no_solutions(system):
    matrix, _ = system
    result = gmres(lambda x, _: matrix @ x, np.zeros((40, 0)), tolerance=1e-6)
    assert result.solution.shape == (40, 0)
    assert result.iterations == 0
