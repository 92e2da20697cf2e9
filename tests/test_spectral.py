"""The spectral solution of displaced spheres, against boundary conditions and exactly soluble cases."""

import re

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from efield import _harmonics, analytic, half_values, metrics, spectral

RADII = np.array([90.0, 84.0, 78.0, 68.0, 58.0])
SIGMA = np.array([0.465, 0.010, 1.654, 0.275, 0.126])
CONCENTRIC = np.zeros((5, 3))
DISPLACED = np.array([[0, 0, 0], [0, 0, 0], [0.5, 0.3, -0.4], [3.0, -2.0, 1.5], [4.0, -4.0, 2.0]])
DIRECTIONS = half_values._fibonacci(300)


@pytest.fixture(scope="module")
def coil():
    """Two wings of dipoles, 35 mm above the scalp: a smooth source, so that a low degree will do."""
    angle = np.arange(8) * np.pi / 4.0
    wing = np.stack([20.0 * np.cos(angle), 20.0 * np.sin(angle), np.full(8, 125.0)], axis=1)
    positions = np.concatenate([wing + np.array([40.0, 0.0, 0.0]), wing - np.array([40.0, 0.0, 0.0])])
    return positions, np.repeat([[0.0, 0.0, 0.005], [0.0, 0.0, -0.005]], 8, axis=0)


@pytest.fixture(scope="module")
def displaced(coil):
    return spectral.sphere_solution(RADII, SIGMA, DISPLACED, *coil, degree=40)


def random_coefficients(degree, rng):
    coefficients = rng.normal(size=(degree + 1, degree + 1, 2))
    coefficients[~np.tri(degree + 1, dtype=bool).T] = 0.0
    coefficients[0, :, 1] = 0.0
    return coefficients


def value(coefficients, x, *, inner):
    return _harmonics.evaluate(_harmonics.to_complex(coefficients)[..., None], x, inner=inner)[:, 0]


# ------------------------------------------------------------------------------------------------ harmonics


def test_addition_theorem():
    """1 / abs(x - y) is the sum of C(x) C_S(y): scaling of R and S at all degrees at once."""
    x, y = np.array([[0.3, -0.2, 0.1]]), np.array([[0.8, 0.4, -0.5]])
    total = 0.0
    for r, s in zip(_harmonics.regular(x, 60), _harmonics.irregular(y, 60), strict=True):
        product = (r * s.conj()).real[0]
        total += product[0] + 2.0 * product[1:].sum()
    assert total == pytest.approx(1.0 / np.linalg.norm(x - y), rel=1e-13)  # 0.37^60 is far below rounding


@pytest.mark.parametrize("inner", [True, False])
def test_gradient_is_the_limit_of_differences(inner):
    rng = np.random.default_rng(2)
    coefficients, x, step = random_coefficients(7, rng), rng.normal(size=(6, 3)), 1e-5
    exact = _harmonics.evaluate(_harmonics.gradient(_harmonics.to_complex(coefficients), inner=inner), x, inner=inner)
    differences = np.stack(
        [(value(coefficients, x + s, inner=inner) - value(coefficients, x - s, inner=inner)) for s in step * np.eye(3)],
        axis=1,
    ) / (2.0 * step)
    # error of central differences: (step / 0.1)^2
    assert metrics.relative_error(exact, differences) < 1e-7


def test_rotation_is_orthogonal_and_turns_the_function():
    rng = np.random.default_rng(3)
    degree, direction = 20, np.array([0.6, -0.64, 0.48])
    rotation = _harmonics.rotation_to_z(direction, degree)
    axis = np.cross(direction, [0.0, 0.0, 1.0])
    turn = Rotation.from_rotvec(axis / np.linalg.norm(axis) * np.arccos(direction[2])).as_matrix()
    np.testing.assert_allclose(turn @ direction, [0.0, 0.0, 1.0], atol=1e-15)
    coefficients = random_coefficients(degree, rng)
    x = rng.normal(size=(9, 3))
    x /= np.linalg.norm(x, axis=1)[:, None]
    turned = _harmonics.rotate(rotation, coefficients)
    np.testing.assert_allclose(value(turned, x @ turn.T, inner=True), value(coefficients, x, inner=True), atol=1e-11)
    back = _harmonics.rotate(rotation.swapaxes(1, 2), turned)
    np.testing.assert_allclose(back, coefficients, atol=1e-12)


@pytest.mark.parametrize("step", [0.4, -0.4, 0.0])
def test_translations_of_concentric_kind_keep_the_function(step):
    rng = np.random.default_rng(4)
    target, source, low, high = 1.3, 2.1, 5, 50
    x = rng.normal(size=(6, 3))
    x /= np.linalg.norm(x, axis=1)[:, None]
    shift = np.array([0.0, 0.0, step])
    coefficients = random_coefficients(low, rng)
    regular = _harmonics.translate_regular(target, source, step, low) @ coefficients
    np.testing.assert_allclose(
        value(regular, x / target, inner=True), value(coefficients, (x + shift) / source, inner=True), atol=1e-13
    )
    padded = np.zeros((high + 1, high + 1, 2))
    padded[: low + 1, : low + 1] = coefficients
    irregular = _harmonics.translate_irregular(target, source, step, high) @ padded
    # at 4 units the tail of the expansion is (0.4 / 4)^45
    np.testing.assert_allclose(
        value(irregular, 4 * x / target, inner=False),
        value(coefficients, (4 * x + shift) / source, inner=False),
        atol=1e-13,
    )


@pytest.mark.parametrize("step", [5.0, -5.0])
def test_translation_to_a_centre_outside_keeps_the_function(step):
    rng = np.random.default_rng(5)
    low, high = 5, 50
    x = 0.5 * rng.normal(size=(6, 3))
    coefficients = random_coefficients(low, rng)
    padded = np.zeros((high + 1, high + 1, 2))
    padded[: low + 1, : low + 1] = coefficients
    shifted = _harmonics.translate_apart(1.3, 2.1, step, high) @ padded
    expected = value(coefficients, (x + np.array([0.0, 0.0, step])) / 2.1, inner=False)
    np.testing.assert_allclose(value(shifted, x / 1.3, inner=True), expected, atol=1e-13)


# ------------------------------------------------------------------------------------------------ solution


def test_concentric_spheres_give_the_closed_form(coil):
    errors = []
    points = 66.5 * DIRECTIONS
    for degree in (15, 25):
        solution = spectral.sphere_solution(RADII, SIGMA, CONCENTRIC, *coil, degree=degree)
        errors.append(metrics.relative_error(solution.field(points), analytic.sphere_field(points, *coil)))
        # exactly no charge on the inner spheres; 1e-13 is the tolerance of the solver
        assert np.abs(solution.charges[1:]).max() < 1e-12 * np.abs(solution.charges[0]).max()
    # the nearest dipole is at 126.6 mm: (66.5 / 126.6)^26 = 5.4e-8, twice that summed over all higher degrees
    assert errors[1] < 1.1e-7
    # ten degrees more gain (66.5 / 126.6)^10 = 1.6e-3; a factor 3 is left for the sum over the dipoles
    assert errors[1] < 3 * 1.6e-3 * errors[0]


def test_boundary_conditions_on_every_displaced_sphere(displaced):
    """Normal current continuous, tangential field continuous, no net flux: with curl and divergence, uniqueness."""
    outside = np.concatenate([[0.0], SIGMA[:-1]])
    z, weights = np.polynomial.legendre.leggauss(40)
    phi = np.arange(80) * 2.0 * np.pi / 80
    rho = np.sqrt(1.0 - z**2)
    n = np.stack([np.outer(rho, np.cos(phi)), np.outer(rho, np.sin(phi)), np.outer(z, np.ones(80))], -1).reshape(-1, 3)
    weights = np.repeat(weights, 80)
    for radius, centre, s_in, s_out in zip(RADII, DISPLACED, SIGMA, outside, strict=True):
        within = displaced.field(centre + radius * (1.0 - 1e-13) * n)
        without = displaced.field(centre + radius * (1.0 + 1e-13) * n)
        size = np.linalg.norm(within, axis=1).max()
        current = s_in * np.einsum("ij,ij->i", n, within) - s_out * np.einsum("ij,ij->i", n, without)
        # truncation: the source's share of degrees above 40 is (90 / 126)^41 = 1e-6 on the scalp, less further in
        assert np.abs(current).max() < 3e-6 * s_in * size
        assert np.linalg.norm(np.cross(n, within - without), axis=1).max() < 1e-11 * size
        assert abs(weights @ np.einsum("ij,ij->i", n, within)) < 1e-11 * weights.sum() * size


def test_displacement_matters_and_converges(coil, displaced):
    pia = DISPLACED[3] + 66.5 * DIRECTIONS
    fields = [spectral.sphere_solution(RADII, SIGMA, DISPLACED, *coil, degree=d).field(pia) for d in (15, 25)]
    best = displaced.field(pia)
    errors = [metrics.relative_error(field, best) for field in fields]
    assert metrics.relative_error(best, analytic.sphere_field(pia, *coil)) > 0.03  # measured 4.6 %
    assert errors[1] < 1e-6
    assert errors[1] < 0.01 * errors[0]


def test_order_of_the_spheres_does_not_matter(coil, displaced):
    order = np.array([3, 0, 4, 2, 1])
    shuffled = spectral.sphere_solution(RADII[order], SIGMA[order], DISPLACED[order], *coil, degree=40)
    np.testing.assert_allclose(shuffled.charges, displaced.charges[order], atol=1e-11 * np.abs(displaced.charges).max())


def test_equal_conductivities_carry_no_charge(coil):
    """Inner spheres of the same material are not there: closed form about the centre of the outer one."""
    solution = spectral.sphere_solution(RADII, np.full(5, 0.3), DISPLACED + 2.0, *coil, degree=25)
    assert not solution.charges[1:].any()
    points = 2.0 + 60.0 * DIRECTIONS
    exact = analytic.sphere_field(points, *coil, centre=[2.0, 2.0, 2.0])
    assert metrics.relative_error(solution.field(points), exact) < 1e-7


def test_dipole_on_the_common_axis_moves_no_charge():
    """A dipole radial to every sphere has no normal primary field on any of them."""
    centres = np.array([[0, 0, 0], [0, 0, 1], [0, 0, -1], [0, 0, -4], [0, 0, 2]], dtype=float)
    source = [[0.0, 0.0, 110.0]], [[0.0, 0.0, 0.04]]
    solution = spectral.sphere_solution(RADII, SIGMA, centres, *source, degree=20)
    primary = analytic.free_space_field(60.0 * DIRECTIONS, *source)
    assert np.abs(solution.charges).max() < 1e-13 * np.linalg.norm(primary, axis=1).max()


def test_ball_in_a_displaced_insulating_cavity_has_its_own_closed_form(coil):
    """No current crosses air, so a ball in a cavity of a head knows nothing of the head. All couplings take part."""
    radii, sigma = [90.0, 50.0, 30.0], [0.3, 0.0, 0.7]
    centres = np.array([[0, 0, 0], [10, -8, 20], [14, -2, 28]], dtype=float)
    solution = spectral.sphere_solution(radii, sigma, centres, *coil, degree=40)
    points = centres[2] + 25.0 * DIRECTIONS
    exact = analytic.sphere_field(points, *coil, centre=centres[2])
    alone = analytic.sphere_field(points, *coil)
    assert metrics.relative_error(alone, exact) > 0.5  # far from the answer without the cavity
    assert metrics.relative_error(solution.field(points), exact) < 1e-7
    assert solution.residual < 1e-11


def test_balls_side_by_side_in_air_have_their_own_closed_forms(coil):
    radii, sigma = [40.0, 30.0, 20.0], [0.3, 1.0, 0.5]
    centres = np.array([[-30, 5, 60], [45, 0, 62], [10, 50, 40]], dtype=float)
    solution = spectral.sphere_solution(radii, sigma, centres, *coil, degree=50)
    for radius, centre in zip(radii, centres, strict=True):
        points = centre + 0.8 * radius * DIRECTIONS
        exact = analytic.sphere_field(points, *coil, centre=centre)
        assert metrics.relative_error(solution.field(points), exact) < 1e-5


def test_rotation_of_everything(coil, displaced):
    turn = Rotation.from_rotvec([1.9, 0.8, -0.6]).as_matrix()
    positions, moments = coil
    turned = spectral.sphere_solution(RADII, SIGMA, DISPLACED @ turn.T, positions @ turn.T, moments @ turn.T, degree=40)
    points = 70.0 * DIRECTIONS
    assert metrics.relative_error(turned.field(points @ turn.T), displaced.field(points) @ turn.T) < 1e-11


def test_charge_is_the_jump_of_the_normal_field(displaced):
    n = DIRECTIONS
    for sphere in (0, 3):
        on = DISPLACED[sphere] + RADII[sphere] * n
        jump = displaced.field(on + 1e-11 * n) - displaced.field(on - 1e-11 * n)
        charge = displaced.charge(sphere, on)
        np.testing.assert_allclose(np.einsum("ij,ij->i", jump, n), charge, atol=1e-10 * np.abs(charge).max())


def test_current_scales_the_field(coil, displaced):
    solution = spectral.sphere_solution(RADII, SIGMA, DISPLACED, *coil, degree=40, didt=-2e6)
    points = 60.0 * DIRECTIONS
    assert metrics.relative_error(solution.field(points), -2.0 * displaced.field(points)) < 1e-11


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"radii": [90.0, -1.0]}, "radii must be one positive number per sphere"),
        ({"conductivities": [0.3]}, "conductivities must be one number >= 0 per sphere"),
        ({"conductivities": [0.0, 0.3]}, "conductivities must not be 0 on both sides"),
        ({"centres": [[0, 0, 0]]}, "centres must be one row per sphere"),
        ({"centres": [[0, 0, 0], [0, 0, 40]]}, "Spheres 0 and 1 must not touch or cross"),
        ({"positions": [[0, 0, 89]]}, "positions must be outside all spheres"),
        ({"moments": [[0, 0, 1]] * 2}, "moments must be one row per position"),
        ({"degree": 0}, "degree must be a whole number of at least 1"),
        ({"degree": 7.5}, "degree must be a whole number of at least 1"),
        ({"didt": np.nan}, "didt must be a finite number"),
    ],
)
def test_bad_input(change, sentence):
    good = {
        "radii": [90.0, 60.0],
        "conductivities": [0.3, 0.1],
        "centres": [[0, 0, 0], [0, 0, 5]],
        "positions": [[0, 0, 110]],
        "moments": [[0, 0, 1]],
    }
    with pytest.raises(ValueError, match=re.escape(sentence)):
        spectral.sphere_solution(**(good | change))
