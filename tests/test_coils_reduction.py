"""Reduction to few dipoles: stated errors hold where nothing was fitted, counts fall, what cannot be done says so."""

from pathlib import Path

import numpy as np
import pytest

from coils import Coil, Segments, Wire, circular, figure_of_eight, load_coil
from coils.fitting import _jacobian, fit_dipoles, offset_points
from coils.grid import PotentialGrid
from coils.paths import coil_from_wires
from coils.potential import dipole_potential
from coils.reduction import reduce_dipoles
from coils.wires import cut_wires, spanned_points, wire_potential
from efield.analytic import sphere_field, sphere_field_of_loop

D70 = Path(__file__).parents[2] / "shared/data/formats/MagStim_D70.ccd"


def ring(radius: float, height: float, corners: int = 40) -> np.ndarray:
    angle = 2.0 * np.pi * np.arange(corners) / corners
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle), np.full(corners, height)])


def outside(sources: np.ndarray, distance: float, reach: float, count: int = 4000) -> np.ndarray:
    """Give random points further than `distance` from all sources, those of a shell of 5 mm mostly."""
    rng = np.random.default_rng(11)
    low, high = sources.min(axis=0) - reach, sources.max(axis=0) + reach
    points = rng.uniform(low, high, (count, 3))
    gap = np.concatenate(
        [np.linalg.norm(part[:, None] - sources, axis=2).min(axis=1) for part in np.array_split(points, 20)]
    )
    return np.asarray(points[gap >= distance])


def test_offset_points_lie_at_the_distance_from_the_nearest_source() -> None:
    sources = np.random.default_rng(0).uniform(-20, 20, (60, 3))
    points = offset_points(sources, 10.0, 4.0, shift=0.3)
    gap = np.linalg.norm(points[:, None] - sources, axis=2).min(axis=1)
    np.testing.assert_allclose(gap, 10.0, rtol=1e-12)


def test_offset_points_cover_the_surface() -> None:
    """Around one source: a sphere, no hole wider than about a spacing and a half."""
    points = offset_points(np.zeros((1, 3)), 10.0, 4.0)
    direction = np.random.default_rng(0).normal(size=(500, 3))
    direction *= 10.0 / np.linalg.norm(direction, axis=1)[:, None]
    assert np.linalg.norm(direction[:, None] - points, axis=2).min(axis=1).max() < 6.0


def test_derivatives_are_those_of_finite_differences() -> None:
    rng = np.random.default_rng(1)
    points, positions, moments = rng.normal(size=(4, 3)) + 6.0, rng.normal(size=(2, 3)), rng.normal(size=(2, 3))
    found = _jacobian(points, positions, moments).reshape(4, 3, 6, 2)
    step = 1e-5
    for dipole in range(2):
        for axis in range(3):
            change = np.zeros((2, 3))
            change[dipole, axis] = step
            by_moment = dipole_potential(points, positions, moments + change) - dipole_potential(
                points, positions, moments - change
            )
            by_place = dipole_potential(points, positions + change, moments) - dipole_potential(
                points, positions - change, moments
            )
            np.testing.assert_allclose(found[:, :, axis, dipole], by_moment / (2 * step), atol=1e-9)
            np.testing.assert_allclose(found[:, :, 3 + axis, dipole], by_place / (2 * step), atol=1e-9)


SMALL = dict(inner_diameter=18.0, outer_diameter=42.0, turns=5, wire_width=0.75)
MAGSTIM_70 = dict(inner_diameter=56.0, outer_diameter=87.0, turns=9)


@pytest.mark.parametrize(
    ("size", "max_error", "most"),
    [
        (SMALL, 5e-2, 20),
        (SMALL, 1e-2, 32),
        pytest.param(MAGSTIM_70, 5e-2, 45, marks=pytest.mark.slow),
        pytest.param(MAGSTIM_70, 1e-2, 90, marks=pytest.mark.slow),
    ],
)
def test_figure_of_eight_at_random_points_around_it(size: dict, max_error: float, most: int) -> None:
    """Exact turns against the reduced coil at points that the fit never saw; counts as the benchmark has them."""
    coil = figure_of_eight(**size)
    reduced = reduce_dipoles(coil, max_error=max_error)
    assert 0.0 < reduced.discretisation_error <= max_error
    assert reduced.n_dipoles <= most
    assert reduced.wires == coil.wires
    assert reduced.casing is coil.casing
    points = outside(spanned_points(coil.wires, 3.0), 10.5, 16.0, 800)
    exact = wire_potential(points, coil.wires)
    # Greatest A of all: 10 mm from the windings, where it is on the axis under and above the junction.
    peak = np.linalg.norm(wire_potential([[0, 0, 6.3], [0, 5, 6.3]], coil.wires), axis=1).max()
    error = np.linalg.norm(reduced.potential(points) - exact, axis=1).max() / peak
    assert error <= 1.1 * reduced.discretisation_error  # the surface is sampled 2.5 mm apart
    np.testing.assert_allclose(reduced.current_direction, coil.current_direction, atol=2.0 * max_error)


@pytest.mark.slow
def test_field_in_a_sphere_is_that_of_the_wires() -> None:
    """E in the brain of a conducting sphere, charges included: dipoles against line integrals along the exact turns.

    The stated error is that 10 mm from the winding; 22 mm from it less than a third is left, as in `coils.dipoles`.
    """
    coil = figure_of_eight(inner_diameter=70, outer_diameter=80, turns=2, wire_width=2.5)
    reduced = reduce_dipoles(coil, max_error=5e-2)
    head, shift = np.array([1.0, -1.0, -1.0]), np.array([0.0, 0.0, 89.0])
    direction = np.random.default_rng(3).normal(size=(15, 3)) * 0.5 + [0.0, 0.0, 1.0]
    points = 70.0 * direction / np.linalg.norm(direction, axis=1, keepdims=True)
    dipoles = sphere_field(points, reduced.positions * head + shift, reduced.moments * head)
    wires = sum(w.turns * sphere_field_of_loop(points, w.path * head + shift) for w in coil.wires)
    error = np.linalg.norm(dipoles - wires, axis=1).max() / np.linalg.norm(wires, axis=1).max()
    assert error < 0.33 * reduced.discretisation_error


def test_error_falls_with_the_distance() -> None:
    """The maximum principle: the greatest error on surfaces further out is never greater, and here falls by a lot."""
    coil = circular(inner_diameter=40, outer_diameter=60, turns=5)
    reduced = reduce_dipoles(coil, max_error=2e-2)
    near = spanned_points(coil.wires, 2.0)
    errors = []
    for distance in (10.0, 15.0, 25.0):
        points = offset_points(near, distance, 4.0, shift=0.7)
        errors.append(np.linalg.norm(reduced.potential(points) - wire_potential(points, coil.wires), axis=1).max())
    assert errors[0] > 2.0 * errors[1] > 4.0 * errors[2]


def test_the_same_coil_gives_the_same_dipoles() -> None:
    coil = circular(inner_diameter=40, outer_diameter=60, turns=5)
    assert reduce_dipoles(coil, max_error=0.02).checksum == reduce_dipoles(coil, max_error=0.02).checksum


def test_head_side_needs_fewer_and_holds_below() -> None:
    coil = circular(inner_diameter=30, outer_diameter=50, turns=5)
    around, below = (reduce_dipoles(coil, max_error=5e-3, head_side=side) for side in (False, True))
    assert below.n_dipoles <= around.n_dipoles
    x, y = (grid.ravel() for grid in np.meshgrid(np.linspace(-25, 25, 15), np.linspace(-25, 25, 15)))
    points = np.column_stack([x, y, np.full_like(x, 7.0)])
    exact = wire_potential(points, coil.wires)
    peak = np.linalg.norm(exact, axis=1).max()
    for deeper in (0.0, 5.0, 13.0, 30.0):  # further out it may not grow
        exact = wire_potential(points + np.array([0.0, 0.0, deeper]), coil.wires)
        found = below.potential(points + np.array([0.0, 0.0, deeper]))
        assert np.linalg.norm(found - exact, axis=1).max() <= 1.2 * below.discretisation_error * peak


def test_dipoles_alone_are_merged_and_errors_add_up() -> None:
    """400 random dipoles in a plate, no wires: the difference is from the dipoles, and stated errors are added."""
    rng = np.random.default_rng(5)
    positions = rng.uniform([-30, -20, -9], [30, 20, -4], (400, 3))
    moments = np.column_stack([np.zeros((400, 2)), rng.uniform(0.5, 1.0, 400) * 1e-4])
    measured = Coil(positions=positions, moments=moments, name="measured")
    reduced = reduce_dipoles(measured, max_error=1e-2)
    assert reduced.n_dipoles < 100
    points = outside(positions, 10.5, 14.0, 1500)
    exact = measured.potential(points)
    on_surface = measured.potential(offset_points(positions, 10.0, 3.0))
    peak = np.linalg.norm(on_surface, axis=1).max()
    assert np.linalg.norm(reduced.potential(points) - exact, axis=1).max() <= 1.1e-2 * peak
    stated = Coil(positions=positions, moments=moments, name="measured", discretisation_error=4e-3)
    assert 4e-3 < reduce_dipoles(stated, max_error=1e-2).discretisation_error <= 1e-2
    with pytest.raises(ValueError, match=r"max_error must be greater than the 0\.004 by which measured itself is off"):
        reduce_dipoles(stated, max_error=3e-3)


def test_one_dipole_stays_one_dipole() -> None:
    coil = Coil(positions=[[3, -2, -9]], moments=[[0, 0.02, 0.04]], name="one")
    reduced = reduce_dipoles(coil, max_error=1e-6)
    np.testing.assert_allclose(reduced.positions, coil.positions, atol=1e-9)
    np.testing.assert_allclose(reduced.moments, coil.moments, atol=1e-9)


def test_current_elements_of_a_flat_loop_become_dipoles() -> None:
    wire = Wire(path=ring(25.0, -6.0))
    elements = Coil(segments=cut_wires([wire], 1.0), name="loop")
    reduced = reduce_dipoles(elements, max_error=2e-2)
    assert reduced.segments is None
    points = outside(spanned_points([wire], 2.0), 10.5, 14.0, 1500)
    exact = wire_potential(points, [wire])
    peak = np.linalg.norm(wire_potential(offset_points(wire.path, 10.0, 3.0), [wire]), axis=1).max()
    assert np.linalg.norm(reduced.potential(points) - exact, axis=1).max() <= 2.2e-2 * peak


def test_an_open_wire_is_no_set_of_dipoles() -> None:
    """A loop that does not close: its elements alone are no circuit, A has a part that no dipoles have."""
    points = np.column_stack([np.linspace(-20, 20, 41), np.zeros(41), np.full(41, -6.0)])
    rod = Coil(segments=Segments(points, np.tile([1.0, 0.0, 0.0], (41, 1))), name="rod")
    with pytest.raises(
        ValueError, match=r"max_error must be at least [01]\.\d+, the best that up to \d+ dipoles reach"
    ):
        reduce_dipoles(rod, max_error=1e-2)


def test_grid_becomes_dipoles_of_the_coil_that_made_it() -> None:
    """A grid of 5 mm around two rings of dipoles, singular nodes and all; compared with the dipoles off the nodes."""
    coil = figure_of_eight(inner_diameter=30, outer_diameter=50, turns=5, max_error=1e-2)
    affine = np.diag([5.0, 5.0, 5.0, 1.0])
    affine[:3, 3] = [-90.0, -65.0, -50.0]
    nodes = np.stack(np.meshgrid(*[np.arange(n) for n in (37, 27, 21)], indexing="ij"), axis=-1).reshape(-1, 3)
    values = 1e-7 * coil.potential(nodes * 5.0 + affine[:3, 3])
    sampled = Coil(grid=PotentialGrid(values.reshape(37, 27, 21, 3), affine), name="sampled")
    reduced = reduce_dipoles(sampled, max_error=2e-2)
    assert reduced.grid is None
    assert reduced.n_dipoles < 150
    assert reduced.positions[:, 2].max() < 0.0
    x, y = (grid.ravel() for grid in np.meshgrid(np.linspace(-70, 70, 23), np.linspace(-40, 40, 17)))
    points = np.column_stack([x, y, np.full_like(x, 12.3)])
    exact = coil.potential(points)
    error = np.linalg.norm(reduced.potential(points) - exact, axis=1).max() / np.linalg.norm(exact, axis=1).max()
    assert error <= 2e-2


def test_grid_in_front_of_the_coil_only() -> None:
    """Nothing but nodes at z > 0: the dipoles lie under the strongest field, behind z = 0."""
    coil = circular(inner_diameter=30, outer_diameter=50, turns=5, max_error=1e-2)
    affine = np.diag([5.0, 5.0, 5.0, 1.0])
    affine[:3, 3] = [-60.0, -60.0, 5.0]
    nodes = np.stack(np.meshgrid(*[np.arange(n) for n in (25, 25, 13)], indexing="ij"), axis=-1).reshape(-1, 3)
    values = 1e-7 * coil.potential(nodes * 5.0 + affine[:3, 3])
    sampled = Coil(grid=PotentialGrid(values.reshape(25, 25, 13, 3), affine), name="front")
    reduced = reduce_dipoles(sampled, max_error=2e-2)
    assert reduced.positions[:, 2].max() < 0.0
    x, y = (grid.ravel() for grid in np.meshgrid(np.linspace(-40, 40, 17), np.linspace(-40, 40, 17)))
    points = np.column_stack([x, y, np.full_like(x, 17.3)])
    exact = coil.potential(points)
    error = np.linalg.norm(reduced.potential(points) - exact, axis=1).max() / np.linalg.norm(exact, axis=1).max()
    assert error <= 4e-2  # 2 % of the greatest A on nodes 10 mm away, which is up to twice that here


def test_wires_that_are_not_the_sources_are_not_taken_for_them() -> None:
    """A coil of one dipole that carries a wire of something else: the dipole is what counts."""
    coil = Coil(positions=[[0, 0, -9]], moments=[[0, 0, 0.04]], name="odd", wires=(Wire(path=ring(25.0, -6.0)),))
    reduced = reduce_dipoles(coil, max_error=1e-6)
    assert reduced.n_dipoles == 1


def test_impossible_errors_say_what_can_be_had() -> None:
    coil = coil_from_wires([Wire(path=ring(12.0, -6.0))], name="small", max_error=1e-2)
    with pytest.raises(ValueError, match=r"max_error must be at least .* dipoles reach at 10 mm; got 1e-18\."):
        reduce_dipoles(coil, max_error=1e-18)
    for bad in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match="max_error must be a positive number"):
            reduce_dipoles(coil, max_error=bad)
    with pytest.raises(ValueError, match="distance must be a positive number; got 0"):
        reduce_dipoles(coil, max_error=0.01, distance=0)
    with pytest.raises(ValueError, match="distance must be great enough for points over the whole surface"):
        reduce_dipoles(
            Coil(positions=[[0, 0, 0], [200, 200, 200]], moments=[[0, 0, 1]] * 2, name="n"), max_error=0.01, distance=1
        )


def test_fit_states_the_error_that_it_has() -> None:
    wire = Wire(path=ring(20.0, 0.0))
    near = spanned_points([wire], 1.0)
    positions, moments, error = fit_dipoles(
        spanned_points([wire], 3.0), near, lambda points: wire_potential(points, [wire]), max_error=0.03, distance=10.0
    )
    points = offset_points(near, 10.0, 2.2, shift=0.1)
    exact = wire_potential(points, [wire])
    found = np.linalg.norm(dipole_potential(points, positions, moments) - exact, axis=1).max()
    assert 0.8 * error < found / np.linalg.norm(exact, axis=1).max() < 1.1 * error


@pytest.mark.slow
@pytest.mark.skipif(not D70.exists(), reason="the measured D70 coil is not part of the project")
def test_measured_d70() -> None:
    """964 measured dipoles: at 5 % less than a tenth of them, checked on the plane 10 mm in front of the casing."""
    rows = np.loadtxt(D70, skiprows=3)
    coil = Coil(positions=1e3 * rows[:, :3], moments=rows[:, 3:], name="D70")
    reduced = reduce_dipoles(coil, max_error=5e-2)
    assert reduced.n_dipoles < 97
    x, y = (grid.ravel() for grid in np.meshgrid(np.linspace(-100, 100, 41), np.linspace(-50, 50, 21)))
    points = np.column_stack([x, y, np.full_like(x, 10.0)])
    exact = coil.potential(points)
    error = np.linalg.norm(reduced.potential(points) - exact, axis=1).max() / np.linalg.norm(exact, axis=1).max()
    assert error <= 7.5e-2  # z = 10 mm is 13 mm from the front dipoles: the greatest A here is less than at 10


@pytest.mark.slow
def test_dipoles_stay_out_of_openings_that_the_head_reaches_into() -> None:
    """The double cone's dipoles stand on domes behind its rings; so do fewer, and the field in openings is right."""
    coil = load_coil("magstim-double-cone")
    reduced = reduce_dipoles(coil, max_error=0.25)
    assert reduced.n_dipoles < coil.n_dipoles / 5
    sources = np.concatenate([coil.positions, *[wire.path for wire in coil.wires]])
    gap = np.linalg.norm(reduced.positions[:, None] - sources, axis=2).min(axis=1)
    assert gap.max() < 3.01
    # In the planes of the right wing's turns, about its centre: 20 mm before the dome, where no fan may be.
    rim = max((wire for wire in coil.wires if wire.moment[0] < 0.0), key=lambda wire: np.linalg.norm(wire.moment))
    centre = rim.path.mean(axis=0)
    points = centre + np.array([0.0, 0.4, -0.4])[:, None] * (rim.path[0] - centre)
    exact = wire_potential(points, coil.wires)
    peak = np.linalg.norm(wire_potential(offset_points(rim.path, 10.0, 5.0), coil.wires), axis=1).max()
    assert np.linalg.norm(reduced.potential(points) - exact, axis=1).max() <= 0.25 * peak
