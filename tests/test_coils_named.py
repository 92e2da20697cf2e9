"""Named coils: dipoles against closed forms, signs, frames, symmetry and casings of each."""

from dataclasses import replace

import numpy as np
import pytest

from coils import Coil, list_coils, load_coil
from coils.catalogue import DRAWINGS
from coils.dipoles import place_dipoles
from coils.potential import dipole_potential
from coils.windings import Wing
from efield import place
from efield.analytic import free_space_field_of_loop, sphere_field, sphere_field_of_loop
from meshes import sphere_head
from meshes.checks import check_surface, crossing_pairs, winding_numbers

SCALP = 85.0
HEAD = np.array([1.0, -1.0, -1.0])
COILS = {name: load_coil(name) for name in list_coils()}
CIRCULAR = {name for name, drawing in DRAWINGS.items() if drawing.circular}
named = pytest.mark.parametrize("name", list_coils())


def exact_potential(wings: tuple[Wing, ...], points: np.ndarray) -> np.ndarray:
    return np.sum([wing.potential(points) for wing in wings], axis=0)


def height_of_plates_over_sphere(wings: tuple[Wing, ...], gap: float) -> float:
    """Return the height of the origin at which the discs within the outer diameters, or open rings, are `gap` off."""
    angle = np.linspace(0.0, 2.0 * np.pi, 361)
    parts = []
    for wing in wings:
        inner = wing.winding.inner_diameter / 2.0 if wing.dome > 0.0 else 0.0
        for radius in np.linspace(inner, wing.winding.outer_diameter / 2.0, 40):
            circle = np.column_stack([radius * np.cos(angle), radius * np.sin(angle), np.zeros_like(angle)])
            parts.append(wing.pose.apply(circle) * HEAD)
    face, reach = np.concatenate(parts), SCALP + gap
    aside = np.hypot(face[:, 0], face[:, 1])
    near = aside < reach
    return float((np.sqrt(reach**2 - aside[near] ** 2) - face[near, 2]).max())


@named
def test_named_coils_have_all_that_a_user_needs(name: str) -> None:
    coil = COILS[name]
    assert coil.name == name
    assert coil.casing is not None
    assert coil.wires
    assert coil.discretisation_error is not None
    assert coil.discretisation_error <= 1e-3
    assert "Deng" in coil.source or "bem-fmm" in coil.source
    assert DRAWINGS[name].published
    wires = sum(w.moment for w in coil.wires)
    np.testing.assert_allclose(coil.moments.sum(axis=0), wires, atol=1e-13)  # rounding
    # A wire's filaments carry the whole current of all turns.
    turns = sum(wing.winding.turns * wing.winding.layers for wing in DRAWINGS[name].wings())
    assert sum(w.turns for w in coil.wires) == pytest.approx(turns, rel=1e-12)


@named
def test_same_bits_each_time(name: str) -> None:
    assert load_coil(name).checksum == COILS[name].checksum


def test_magstim_70mm_is_the_published_coil() -> None:
    coil = COILS["magstim-70mm"]
    right, left = coil.wing_moments
    # Nine turns from 28 to 43.5 mm: 9 pi (mean^2 + variance + width^2 / 12). Between the Stenroos-Koponen model
    # (0.03549) and measured D70 coils (0.0371 to 0.0379 m^2).
    pitch = (15.5 - 1.75) / 8.0
    moment = 9.0 * np.pi * (35.75**2 + pitch**2 * (9**2 - 1) / 12.0 + 1.75**2 / 12.0) * 1e-6
    assert right[2] == pytest.approx(moment, rel=1e-12)
    np.testing.assert_allclose(left, -right, atol=1e-14)  # rounding
    assert coil.n_dipoles == 280  # stored results and the other tests rest on this set
    assert max(w.path[:, 2].max() for w in coil.wires) < -3.0  # Thielscher and Kammer 2002: 3 mm of casing


@named
def test_dipoles_against_closed_forms_10_mm_below(name: str) -> None:
    """Turns in closed form (elliptic integrals) against dipoles, at random points of each wing's plane 10 mm below.

    Other points than those that the error was measured at, so the worst may be a little worse.
    """
    coil, wings = COILS[name], DRAWINGS[name].wings()
    rng = np.random.default_rng(11)
    for wing in wings[:2]:
        reach = wing.winding.outer_diameter / 2.0
        aside = rng.uniform(-reach, reach, (400, 2))
        points = wing.pose.apply(np.column_stack([aside, np.full(400, 10.0)]))
        # Beyond the fold of bent wings lies the other wing.
        points = points[points[:, 0] * wing.pose.origin[0] >= 0.0]
        exact = exact_potential(wings, points)
        found = dipole_potential(points, coil.positions, 1e6 * coil.moments)
        error = np.linalg.norm(found - exact, axis=1).max() / np.linalg.norm(exact, axis=1).max()
        assert error <= 1.1 * coil.discretisation_error
        assert error >= 0.1 * coil.discretisation_error  # the stated error is of this size, not a loose bound


@named
def test_closed_forms_against_straight_segments(name: str) -> None:
    """The polylines `wires`, each segment integrated in closed form, are a second route to the same potential."""
    wings = DRAWINGS[name].wings()
    rng = np.random.default_rng(12)
    reach = wings[0].winding.outer_diameter
    local = np.column_stack([rng.uniform(-0.5, 0.5, (30, 2)) * reach, rng.uniform(10.0, 40.0, 30)])
    points = wings[0].pose.apply(local)
    points = points[points[:, 0] >= 0.0]
    exact = exact_potential(wings, points)
    # -dA/dt at 1e7 A/s is -A in units of mu0 / 4 pi.
    by_wires = sum(w.turns * free_space_field_of_loop(points, w.path, didt=-1e7) for w in COILS[name].wires)
    np.testing.assert_allclose(by_wires, exact, atol=3e-6 * np.abs(exact).max())  # 1e-6 each, as they claim


@named
@pytest.mark.parametrize(("radius", "share"), [(80.0, 1.0), (70.0, 0.2)])
def test_field_in_a_sphere_against_line_integrals(name: str, radius: float, share: float) -> None:
    """Conducting sphere, winding 5 mm above: 10 mm under it within the stated error, in the brain a fifth of it."""
    coil = COILS[name]
    shift = np.array([0.0, 0.0, height_of_plates_over_sphere(DRAWINGS[name].wings(), 5.0)])
    rng = np.random.default_rng(13)
    direction = rng.normal(size=(40, 3)) * [0.7, 0.5, 0.5] + [0.0, 0.0, 1.0]
    points = radius * direction / np.linalg.norm(direction, axis=1, keepdims=True)
    dipoles = sphere_field(points, coil.positions * HEAD + shift, coil.moments * HEAD, radius=SCALP)
    wires = sum(w.turns * sphere_field_of_loop(points, w.path * HEAD + shift, radius=SCALP) for w in coil.wires)
    error = np.linalg.norm(dipoles - wires, axis=1).max() / np.linalg.norm(wires, axis=1).max()
    assert error < share * coil.discretisation_error


@named
def test_signs(name: str) -> None:
    """Handle along -y; E along +y under a figure-8, along -y on the right under a circular coil; moments."""
    coil, wings = COILS[name], DRAWINGS[name].wings()
    np.testing.assert_array_equal(coil.handle, [0.0, -1.0, 0.0])
    wanted = [0.0, -1.0, 0.0] if name in CIRCULAR else [0.0, 1.0, 0.0]
    np.testing.assert_allclose(coil.current_direction, wanted, atol=1e-9)  # by symmetry: rounding
    tilt = np.radians(180.0 - DRAWINGS[name].wing_angle) / 2.0
    for wing in wings:
        right = wing.pose.origin[0] > 0.0
        axis = wing.sense * wing.pose.matrix[:3, 2]
        if name in CIRCULAR:
            np.testing.assert_allclose(axis, [0.0, 0.0, 1.0], atol=1e-12)
        else:
            side = 1.0 if right else -1.0
            np.testing.assert_allclose(axis, [-np.sin(tilt), 0.0, side * np.cos(tilt)], atol=1e-12)
    # The same sign in a head: E in the sphere's brain under the middle (figure-8) or on the +x side (circular).
    height = height_of_plates_over_sphere(wings, 5.0)
    point = np.array([[0.0, 0.0, 70.0]]) if name not in CIRCULAR else np.array([[35.0, 0.0, 60.0]])
    field = sphere_field(point, coil.positions * HEAD + [0.0, 0.0, height], coil.moments * HEAD, radius=SCALP)[0] * HEAD
    np.testing.assert_allclose(field / np.linalg.norm(field), wanted, atol=1e-9)


@named
def test_mirror_symmetry(name: str) -> None:
    """The field of -dA/dt: mirrored in x = 0 and in y = 0, as the windings are.

    A figure-8 maps onto itself in x = 0, with its current; a circular coil's is reversed. In y = 0 both reverse.
    """
    coil = COILS[name]
    points = np.random.default_rng(14).uniform([-60, -60, 30], [60, 60, 60], (50, 3))
    field = coil.potential(points)
    for axis, sign in ((0, -1.0 if name in CIRCULAR else 1.0), (1, -1.0)):
        mirror = np.ones(3)
        mirror[axis] = -1.0
        # A circular coil's rings of odd numbers of dipoles are symmetric in y = 0 only.
        tolerance = coil.discretisation_error if name in CIRCULAR and axis == 0 else 1e-12
        np.testing.assert_allclose(
            coil.potential(points * mirror), sign * field * mirror, atol=tolerance * np.abs(field).max()
        )


@named
def test_casing_encloses_the_winding_and_carries_the_origin(name: str) -> None:
    coil, drawing = COILS[name], DRAWINGS[name]
    casing = coil.casing
    check_surface(casing)
    assert len(crossing_pairs([casing])[0]) == 0
    wires = np.concatenate([w.path for w in coil.wires])
    np.testing.assert_allclose(winding_numbers(wires, casing), 1.0, atol=1e-9)  # exactly 1 inside, but for rounding
    if not drawing.open_wings:
        np.testing.assert_allclose(winding_numbers(coil.positions, casing), 1.0, atol=1e-9)
    # The origin is on the head side: inside just behind it, outside before it, all the way to the head.
    behind, before = [[0.0, 0.0, -0.01]], [[0.0, 0.0, z] for z in (0.01, 1.0, 5.0, 20.0)]
    np.testing.assert_allclose(winding_numbers(behind, casing), 1.0, atol=1e-6)
    np.testing.assert_allclose(winding_numbers(before, casing), 0.0, atol=1e-6)
    # The winding keeps 3 mm from the casing's head side along the wings' axes, edges of the wire 0.1 mm less.
    for wing in drawing.wings():
        corner = wing.pose.apply(np.array([[wing.winding.radii[-1], 0.0, 2.9], [wing.winding.radii[-1], 0.0, 3.1]]))
        if wing.winding is drawing.windings[0]:
            np.testing.assert_allclose(winding_numbers(corner, casing), [1.0, 0.0], atol=1e-6)


def test_double_cone_and_cool_d_b80_are_open_and_the_others_are_plates() -> None:
    for name, coil in COILS.items():
        for wing in DRAWINGS[name].wings():
            middle = -DRAWINGS[name].windings[0].height / 2.0
            inside = winding_numbers(wing.pose.apply(np.array([[0.0, 0.0, middle]])), coil.casing)[0]
            assert inside == pytest.approx(0.0 if DRAWINGS[name].open_wings else 1.0, abs=1e-6)
    casing = COILS["magstim-double-cone"].casing
    assert len(casing.vertices) - len(casing.triangles) / 2 == -2  # Euler characteristic of a surface with two holes


def test_double_cone_lets_the_head_in() -> None:
    """On a sphere open wings come 10 mm nearer than plates (found 11), and the dome stays clear of the scalp."""
    head = sphere_head(radii=[SCALP], conductivities=[0.33], subdivisions=5)
    coil = COILS["magstim-double-cone"]
    plates = replace(DRAWINGS["magstim-double-cone"], open_wings=False).build("plates")
    open_pose, plate_pose = (place(head, (0, 0, SCALP), distance=4.0, coil=c) for c in (coil, plates))
    assert plate_pose.origin[2] - open_pose.origin[2] > 10.0
    assert np.linalg.norm(open_pose.apply(coil.positions), axis=1).min() > SCALP + 7.0
    assert np.linalg.norm(open_pose.apply(coil.casing.vertices), axis=1).min() > SCALP


def test_cool_d_b80_rests_on_its_bridge() -> None:
    """On a sphere its open wings let the bridge come to 4 mm, where the measured model has 1.347 V/m per A/us."""
    head = sphere_head(radii=[SCALP], conductivities=[0.33], subdivisions=5)
    coil = COILS["magventure-cool-d-b80"]
    pose = place(head, (0, 0, SCALP), distance=4.0, coil=coil)
    assert pose.origin[2] == pytest.approx(SCALP + 4.0, abs=0.1)
    point = np.array([[0.0, 0.0, 70.0]])  # the peak: under the junction
    field = sphere_field(point, pose.apply(coil.positions), pose.apply_vectors(coil.moments), radius=SCALP - 0.5)
    assert np.linalg.norm(field) == pytest.approx(1.347, rel=0.04)  # found 1.31


def test_dome_and_disc_are_the_same_coil_but_where_the_dipoles_stand() -> None:
    """Both shells have the turns as their rim, so one field outside; the disc's dipoles are in the head's way."""
    wings = DRAWINGS["magstim-double-cone"].wings()
    shells = [(COILS["magstim-double-cone"].positions, COILS["magstim-double-cone"].moments)]
    shells.append(place_dipoles([replace(wing, dome=0.0) for wing in wings], max_error=1e-3)[:2])
    rng = np.random.default_rng(15)
    below = rng.uniform([-60, -60, 12], [60, 60, 30], (200, 3))
    opening = rng.uniform([-25, -25, -6], [25, 25, 0], (200, 3))
    errors = []
    for local in (below, opening):
        points = wings[0].pose.apply(local)
        points = points[points[:, 0] > 0.0]
        exact = exact_potential(wings, points)
        peak = np.linalg.norm(exact, axis=1).max()
        found = [dipole_potential(points, positions, 1e6 * moments) for positions, moments in shells]
        errors.append([np.linalg.norm(field - exact, axis=1).max() / peak for field in found])
    assert max(errors[0]) < 1e-3
    assert errors[1][0] < 0.01
    assert errors[1][1] > 0.5


def test_limits_are_those_of_the_measured_coils() -> None:
    """Drakaki et al. 2022, headers of their models; none where nothing is published; `source` names the stimulator."""
    limits = {
        "magstim-70mm": (114.73, "Rapid"),
        "magstim-double-cone": (84.37, "Rapid"),
        "magventure-mc-b70": (155.33, "X100"),
        "magventure-c-b60": (155.40, "X100"),
        "magventure-cool-d-b80": (146.44, "X100"),
        "magventure-twin": (200.08, "XP"),
    }
    for name, coil in COILS.items():
        if name in limits:
            assert coil.max_didt == pytest.approx(limits[name][0] * 1e6, rel=1e-12)
            assert limits[name][1] in coil.source
            assert coil.stimulator.max_didt == coil.max_didt
            assert limits[name][1] in coil.stimulator.name
        else:
            assert coil.stimulator is None
            assert coil.max_didt is None


def test_layers_of_the_cool_d_b80_are_the_spirals() -> None:
    """Area of the two spirals' turns, along r = r0 + 0.61 angle: 0.0352 m^2; the measured model has 0.0351."""
    area = sum(
        0.5 * np.trapezoid((start + 0.61 * t) ** 2, t) * 1e-6
        for start, t in ((24.0, np.linspace(4, 12, 20001) * np.pi), (27.0, np.linspace(4, 10, 20001) * np.pi))
    )
    moment = sum(w.moment for w in DRAWINGS["magventure-cool-d-b80"].windings)
    assert moment == pytest.approx(area, rel=2e-3)
    assert moment == pytest.approx(0.0351, rel=5e-3)


def test_unknown_name_lists_the_names() -> None:
    with pytest.raises(ValueError, match=r"name must be one of magstim-25mm, .*; got 'magstim'."):
        load_coil("magstim")


def test_summary_of_a_bent_coil() -> None:
    text = Coil.summary(COILS["magstim-double-cone"])
    assert "max dI/dt          84.37 A/us" in text
    assert "current_direction  (+0.00, +1.00, +0.00)" in text
