"""The primary field of dipoles, current elements and grids: one coil told in three ways, and closed forms."""

import re

import numpy as np
import pytest

import coils
import efield
import meshes
from coils.grid import PotentialGrid
from coils.potential import turn_potential
from efield.primary import element_factor, potential_factor, primary_field
from tests.wire_cases import circle, elements_of, shell_of

TURNED = meshes.Pose([[0.0, -0.8, 0.6, 12.0], [1.0, 0.0, 0.0, -7.0], [0.0, 0.6, 0.8, 90.0], [0.0, 0.0, 0.0, 1.0]])


@pytest.fixture
def points(rng):
    """Points 20 to 70 mm from the origin, off the windings by 25 mm or more."""
    points = rng.normal(size=(50, 3))
    return np.ascontiguousarray(points * rng.uniform(20.0, 60.0, (50, 1)) / np.linalg.norm(points, axis=1)[:, None])


def relative(values, expected):
    return np.linalg.norm(values - expected) / np.linalg.norm(expected)


def test_elements_are_the_line_integral_of_the_wire(points):
    """Eight Gauss points on each side of a bent polygon; the analytic module has its own constants."""
    path = np.array([[-30.0, -20.0, -8.0], [35.0, -25.0, -4.0], [28.0, 30.0, -9.0], [-15.0, 40.0, -30.0]])
    coil = coils.Coil(segments=elements_of(path, 16), name="polygon")
    found = primary_field(points, coil, TURNED, didt=2.5e6)
    expected = efield.analytic.free_space_field_of_loop(points, TURNED.apply(path), didt=2.5e6)
    assert relative(found, expected) < 1e-8


def test_elements_and_dipoles_of_one_loop_agree(points):
    """Stokes: a loop is a shell of dipoles. The shell's rule, 64 points a triangle, sets the difference."""
    path = circle(30.0, -8.0, 12)
    loop = coils.Coil(segments=elements_of(path, 6), name="loop")
    shell = coils.Coil(**shell_of(path), name="shell")
    assert relative(primary_field(points, loop, TURNED), primary_field(points, shell, TURNED)) < 1e-6


def test_elements_of_a_circular_turn_against_its_closed_form():
    """Straight pieces of a fine polygon, each one point: wrong by 1/n^2 or less, in absolute units by mu0 / 4 pi."""
    r, z = np.array([0.0, 12.0, 25.0, 47.0, 80.0]), np.array([30.0, -20.0, 45.0, 18.0, 9.0])
    points = np.column_stack([r, np.zeros_like(r), z])
    exact = -1e6 * 1e-7 * turn_potential(r, z + 6.0, 35.0)
    error = []
    for n in (50, 100):
        angle = 2.0 * np.pi * (np.arange(n) + 0.5) / n
        where = np.column_stack([35.0 * np.cos(angle), 35.0 * np.sin(angle), np.full(n, -6.0)])
        along = 2.0 * np.pi / n * np.column_stack([-where[:, 1], where[:, 0], np.zeros(n)])
        coil = coils.Coil(segments=coils.Segments(where, along), name="turn")
        field = primary_field(points, coil, meshes.Pose(np.eye(4)))
        np.testing.assert_allclose(field[:, [0, 2]], 0.0, atol=1e-9 * np.abs(exact).max())
        error.append(np.abs(field[:, 1] - exact).max() / np.abs(exact).max())
    # The trapezoidal rule on a circle, points on it: exponential. mu_0 is 4e-7 pi to 1.3e-10.
    assert error[0] < 1e-4
    assert error[1] < 1e-9


def test_the_parts_of_a_coil_add_up(points):
    magstim = coils.load_coil("magstim-70mm")
    segments = elements_of(circle(25.0, -12.0, 5), 3)
    both = coils.Coil(positions=magstim.positions, moments=magstim.moments, segments=segments, name="both")
    alone = coils.Coil(segments=segments, name="wire")
    expected = primary_field(points, magstim, TURNED) + primary_field(points, alone, TURNED)
    np.testing.assert_allclose(primary_field(points, both, TURNED), expected, rtol=1e-12)


def test_it_is_the_coils_own_potential(points):
    """coils.potential works in the coil's frame, without constants."""
    coil = coils.Coil(
        positions=[[0.0, 5.0, -20.0]],
        moments=[[0.01, 0.0, 0.04]],
        segments=elements_of(circle(25.0, -12.0, 5), 3),
        name="both",
    )
    own = TURNED.apply_vectors(coil.potential(TURNED.inverse().apply(points)))
    assert relative(primary_field(points, coil, TURNED, didt=3e6), -3e6 * element_factor() * own) < 1e-12


def test_factors():
    """Moments are in A m^2, lengths in mm; elements have no length left over."""
    assert element_factor() == pytest.approx(1e-7, rel=1e-9)
    assert potential_factor() == pytest.approx(0.1, rel=1e-9)


def grid_of(coil, step, *, reach=60.0, depth=90.0):
    """A coil's potential on a grid below it, in the coil's frame."""
    axes = [np.arange(-reach, reach + step / 2.0, step)] * 2 + [np.arange(10.0, depth + step / 2.0, step)]
    nodes = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    values = element_factor() * coil.potential(nodes.reshape(-1, 3)).reshape(nodes.shape)
    affine = np.diag([step, step, step, 1.0])
    affine[:3, 3] = -reach, -reach, 10.0
    return PotentialGrid(values, affine)


def test_a_grid_is_turned_with_the_coil(rng):
    """Trilinear: the error falls with the square of the spacing."""
    loop = coils.Coil(segments=elements_of(circle(30.0, -8.0, 12), 6), name="loop")
    points = TURNED.apply(rng.uniform([-40.0, -40.0, 15.0], [40.0, 40.0, 80.0], (200, 3)))
    exact = primary_field(points, loop, TURNED, didt=2e6)
    error = []
    for step in (10.0, 5.0):
        gridded = coils.Coil(grid=grid_of(loop, step), name="sampled")
        error.append(relative(primary_field(points, gridded, TURNED, didt=2e6), exact))
    assert error[1] < 0.01
    assert np.log2(error[0] / error[1]) == pytest.approx(2.0, abs=0.2)


def test_outside_a_grid_is_an_error():
    loop = coils.Coil(segments=elements_of(circle(30.0, -8.0, 12), 6), name="loop")
    gridded = coils.Coil(grid=grid_of(loop, 20.0), name="sampled")
    points = TURNED.apply(np.array([[0.0, 0.0, 50.0], [0.0, 100.0, 50.0]]))
    with pytest.raises(ValueError, match=r"^pose must bring the head .* into the grid of sampled; .* 1 of 2 outside"):
        primary_field(points, gridded, TURNED)
    with pytest.raises(ValueError, match=re.escape("into the grid of sampled")):
        efield.simulate(
            meshes.sphere_head([90.0], [0.33], subdivisions=1),
            gridded,
            meshes.Pose([[-1, 0, 0, 0], [0, 1, 0, 0], [0, 0, -1, 100], [0, 0, 0, 1]]),
        )
