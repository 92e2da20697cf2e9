"""Windings: sizes, moments and closed forms against independent routes."""

import numpy as np
import pytest

from coils import Wire, circular, figure_of_eight
from coils.potential import turn_potential
from coils.shapes import place_wings, two_wings
from coils.windings import Winding, Wing
from efield.analytic import free_space_field_of_loop
from meshes import Pose

MAGSTIM_70 = dict(inner_diameter=56.0, outer_diameter=87.0, turns=9, wire_width=1.75, wire_height=6.0)
IN_PLACE = Pose(np.eye(4))
# -dA/dt at dI/dt = 1e7 A/s is -A in units of mu0/4pi (1e-7 H/m): `free_space_field_of_loop` as a second opinion on A.
UNIT_DIDT = -1e7


def polygon(radius: float, z: float, corners: int) -> np.ndarray:
    angle = 2.0 * np.pi * np.arange(corners) / corners
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle), np.full(corners, z)])


def test_moment_of_the_thielscher_kammer_coil() -> None:
    """Inner and outer radius 26 and 44 mm, 9 turns, wire 1 mm wide: 9 pi (35^2 + 30.104 + 1/12) mm^2 = 0.03549 m^2.

    Source: Stenroos and Koponen's reference coil; 30.104 is the variance of nine radii 2.125 mm apart.
    """
    winding = Winding(inner_diameter=52, outer_diameter=88, turns=9, wire_width=1, wire_height=7)
    expected = 9.0 * np.pi * (35.0**2 + 2.125**2 * (9**2 - 1) / 12.0 + 1.0 / 12.0) * 1e-6
    assert winding.moment == pytest.approx(expected, rel=1e-13)  # rounding
    assert winding.moment == pytest.approx(0.03549, abs=5e-6)  # the published digits


def test_edges_of_the_winding_are_the_given_diameters() -> None:
    winding = Winding(**MAGSTIM_70)
    half = winding.wire_width / 2.0
    assert winding.radii[0] - half == 28.0
    assert winding.radii[-1] + half == 43.5
    np.testing.assert_allclose(np.diff(winding.radii), (15.5 - 1.75) / 8.0, rtol=1e-12)  # rounding


def test_single_turn_fills_the_room() -> None:
    winding = Winding(inner_diameter=40, outer_diameter=44, turns=1, wire_width=2, wire_height=2)
    assert winding.radii.tolist() == [21.0]


def test_layers_add_moment_and_height() -> None:
    one = Winding(inner_diameter=35, outer_diameter=75, turns=5, wire_width=1.75, wire_height=11)
    two = Winding(
        inner_diameter=35, outer_diameter=75, turns=5, wire_width=1.75, wire_height=11, layers=2, layer_gap=1.5
    )
    assert two.moment == 2.0 * one.moment
    assert two.height == 23.5
    assert two.layer_centres.tolist() == [-5.5, -18.0]


@pytest.mark.parametrize("layers", [1, 3])
def test_filaments_carry_the_whole_current_and_moment(layers: int) -> None:
    winding = Winding(**MAGSTIM_70, layers=layers, layer_gap=0.5)
    radius, z, share = winding.filaments(2, 3)
    assert share.sum() == pytest.approx(9 * layers, rel=1e-13)  # rounding
    # Two Gauss points integrate radius^2 exactly, so this holds to rounding.
    assert np.sum(share * np.pi * radius**2) * 1e-6 == pytest.approx(winding.moment, rel=1e-13)
    assert z.max() < 0.0
    assert z.min() > -winding.height


def test_turn_potential_is_that_of_a_fine_polygon() -> None:
    rng = np.random.default_rng(1)
    points = np.column_stack([rng.uniform(-60, 60, (50, 2)), rng.uniform(5, 40, 50)])
    corners = 4000
    expected = free_space_field_of_loop(points, polygon(35.0, 0.0, corners), didt=UNIT_DIDT)
    distance = np.hypot(points[:, 0], points[:, 1])
    along = turn_potential(distance, points[:, 2], 35.0) / distance
    found = np.column_stack([-points[:, 1] * along, points[:, 0] * along, 0.0 * along])
    # The polygon's area is short by (2 pi / N)^2 / 6 = 4e-7; its field by as much times a factor of order one.
    np.testing.assert_allclose(found, expected, atol=2e-6 * np.abs(expected).max())


def test_turn_potential_is_smooth_where_the_series_takes_over_and_zero_on_the_axis() -> None:
    # Near the axis A = pi a^2 rho / (a^2 + z^2)^(3/2) (1 + O(rho^2 / a^2)); the series ends at rho = 8.3e-3 mm.
    rho = np.array([0.0, 1e-9, 1e-4, 8.2e-3, 8.5e-3])
    found = turn_potential(rho, np.full(5, 10.0), 30.0)
    assert found[0] == 0.0
    # rho^2 / a^2 = 8e-8 at most.
    np.testing.assert_allclose(found[1:], np.pi * 900.0 * rho[1:] / 1000.0**1.5, rtol=1e-7)


@pytest.mark.parametrize(
    "size",
    [MAGSTIM_70, MAGSTIM_70 | dict(turns=4, wire_height=11.0), MAGSTIM_70 | dict(turns=1, wire_width=15.5)],
    ids=["1.75 x 6", "1.75 x 11", "15.5 x 6"],
)
def test_wing_potential_with_more_filaments_and_corners_is_the_same(size: dict) -> None:
    """The Gauss points of the cross-section and the polygons of `wires` are good to 1e-6 at 10 mm, as they claim."""
    winding = Winding(**size)
    wing = Wing(winding, IN_PLACE, 1)
    angle = np.linspace(0.0, 2.0 * np.pi, 40)
    rho = np.linspace(5.0, 60.0, 40)
    points = np.column_stack([rho * np.cos(angle), rho * np.sin(angle), np.full(40, 10.0)])
    exact = np.zeros(40)
    for radius, z, share in zip(*winding.filaments(10, 10), strict=True):
        exact += share * turn_potential(rho, points[:, 2] - z, radius)
    by_gauss = wing.potential(points)
    by_wires = sum(w.turns * free_space_field_of_loop(points, w.path, didt=UNIT_DIDT) for w in wing.wires())
    tolerance = 1e-6 * exact.max()
    np.testing.assert_allclose(np.linalg.norm(by_gauss, axis=1), exact, atol=tolerance)
    np.testing.assert_allclose(by_wires, by_gauss, atol=2.0 * tolerance)


def test_wires_of_a_figure_of_eight_run_in_opposite_senses() -> None:
    coil = figure_of_eight(**MAGSTIM_70)
    right = sum(w.moment for w in coil.wires if w.path[:, 0].mean() > 0)
    left = sum(w.moment for w in coil.wires if w.path[:, 0].mean() < 0)
    moment = Winding(**MAGSTIM_70).moment
    # Polygons of equal area: the moment holds to rounding.
    np.testing.assert_allclose(right, [0.0, 0.0, moment], atol=1e-14)
    np.testing.assert_allclose(left, [0.0, 0.0, -moment], atol=1e-14)
    assert sum(w.turns for w in coil.wires) == pytest.approx(18.0, rel=1e-12)


def test_winding_lies_at_the_clearance_below_the_head_side() -> None:
    coil = circular(inner_diameter=66, outer_diameter=123, turns=14, clearance=4.0)
    z = np.concatenate([w.path[:, 2] for w in coil.wires])
    assert z.max() < -4.0
    assert z.min() > -10.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(inner_diameter=-1), "inner_diameter must be a positive number; got -1.0."),
        (dict(inner_diameter=90), "outer_diameter must be greater than inner_diameter, 90 mm; got 87 mm."),
        (dict(turns=2.5), "turns must be a whole number; got 2.5."),
        (dict(turns=0), "turns must be a positive number; got 0.0."),
        (dict(layers=1.5), "layers must be a whole number"),
        (dict(layer_gap=-0.1), "layer_gap must be zero or a positive number"),
        (dict(turns=10), "turns times wire_width must be at most 15.5 mm, .*; got 17.5 mm. Use fewer turns"),
        (dict(turns=1), "wire_width must be 15.5 mm for a single turn, .*; got 1.75 mm."),
        (dict(wire_height=float("nan")), "wire_height must be a positive number; got nan."),
        (dict(wire_width="thin"), "wire_width must be a positive number; got 'thin'."),
        (dict(clearance=-1), "clearance must be zero or a positive number"),
        (dict(casing_margin=0), "casing_margin must be a positive number"),
        (dict(wing_angle=40), "wing_angle must be from 60 to 180 degrees, 180 for a flat coil; got 40."),
        (
            dict(wing_distance=60),
            "wing_distance must be at least outer_diameter, 87 mm, or the wings cross; got 60 mm.",
        ),
        (
            dict(wing_distance=60, interleaved=True),
            "wing_distance must be at least 71.5 mm, or one wing reaches into the other's opening; got 60 mm.",
        ),
        (
            dict(open_wings=True, casing_margin=20),
            "open_wings must be False unless the inner diameter is four times casing_margin, 20 mm; .* 56 mm.",
        ),
        (dict(bridge=-1), "bridge must be zero or a positive number"),
        (dict(max_error=0), "max_error must be a positive number; got 0.0."),
        (dict(max_error=1e-12), "max_error must be at least .* for this winding, .*; got 1e-12."),
        (dict(max_didt=-5), "max_didt must be a positive number; got -5.0."),
        (dict(name=""), "name must be a text that is not empty; got ''."),
    ],
)
def test_bad_input_gets_one_sentence(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        figure_of_eight(**(MAGSTIM_70 | change))


def test_bad_wires_get_one_sentence() -> None:
    with pytest.raises(ValueError, match=r"path must be a closed wire of at least 3 corners; got 2."):
        Wire(path=[[0, 0, 0], [1, 0, 0]])
    with pytest.raises(ValueError, match=r"turns must be a positive number; got -1.0."):
        Wire(path=[[0, 0, 0], [1, 0, 0], [0, 1, 0]], turns=-1)


def test_two_wings_of_no_winding_and_of_one() -> None:
    with pytest.raises(ValueError, match=r"windings must hold at least one coils.windings.Winding; got none."):
        two_wings([])
    one = two_wings([Winding(**MAGSTIM_70)])
    assert one.checksum == figure_of_eight(**MAGSTIM_70).checksum


def test_stack_of_two_windings_is_the_winding_of_two_layers() -> None:
    """Two equal windings on top of each other are one of two layers: same field, each by its own dipoles."""
    size = dict(inner_diameter=35.0, outer_diameter=75.0, turns=5, wire_width=1.75, wire_height=5.0)
    stack = two_wings([Winding(**size), Winding(**size)], layer_gap=1.0, wing_angle=150.0)
    layers = figure_of_eight(**size, layers=2, layer_gap=1.0, wing_angle=150.0)
    assert stack.casing.checksum == layers.casing.checksum
    np.testing.assert_allclose(stack.wing_moments[0], layers.wing_moments[0], rtol=1e-12)
    points = np.random.default_rng(4).uniform([-60, -30, 30], [60, 30, 60], (40, 3))
    field = layers.potential(points)
    np.testing.assert_allclose(stack.potential(points), field, atol=1e-3 * np.abs(field).max())


def test_interleaved_wings_are_where_the_distance_says() -> None:
    """The field of overlapping wings is the sum of its two wings', each where the flat coil has it."""
    wings = place_wings([Winding(**MAGSTIM_70)], wing_distance=75.0, interleaved=True)
    assert [wing.pose.origin[0] for wing in wings] == [37.5, -37.5]
    coil = figure_of_eight(**MAGSTIM_70, wing_distance=75.0, interleaved=True)
    points = np.random.default_rng(5).uniform([-60, -30, 10], [60, 30, 40], (40, 3))
    exact = sum(wing.potential(points) for wing in wings)
    np.testing.assert_allclose(coil.potential(points), exact, atol=coil.discretisation_error * np.abs(exact).max())
