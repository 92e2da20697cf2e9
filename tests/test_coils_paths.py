"""Wires: exact potentials against other routes, paths, cross-sections, coils made of them."""

import numpy as np
import pytest

from coils import Coil, Segments, Wire, figure_of_eight
from coils.paths import (
    bent,
    coil_from_wires,
    mirrored,
    rectangular_wire,
    spiral,
    stacked,
    tilted,
    wire_potential,
)
from coils.potential import dipole_potential, element_potential, turn_potential
from coils.windings import Winding, Wing
from coils.wires import circle_of, cut_wires, flatness, spanned_points
from meshes import Pose

SQUARE = np.array([[-20.0, -20, 0], [20, -20, 0], [20, 20, 0], [-20, 20, 0]])


def circle(radius: float, corners: int, height: float = 0.0) -> np.ndarray:
    angle = 2.0 * np.pi * np.arange(corners) / corners
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle), np.full(corners, height)])


def helix(radius: float = 30.0, rise: float = 40.0) -> np.ndarray:
    """Give a closed path around a head-sized space: a ring whose sides go up and down."""
    path = circle(radius, 60)
    path[:, 2] = rise * np.cos(2.0 * np.arctan2(path[:, 1], path[:, 0]))
    return path


def random_points(count: int, near: float, far: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    direction = rng.normal(size=(count, 3))
    return rng.uniform(near, far, (count, 1)) * direction / np.linalg.norm(direction, axis=1, keepdims=True)


def test_polygons_converge_to_the_circle_with_order_two() -> None:
    """Against elliptic integrals: corners doubled, error quartered."""
    points = random_points(60, 50.0, 120.0)
    distance = np.hypot(points[:, 0], points[:, 1])
    along = turn_potential(distance, points[:, 2], 40.0) / distance
    exact = np.column_stack([-points[:, 1] * along, points[:, 0] * along, np.zeros(60)])
    errors = [np.abs(wire_potential(points, [Wire(path=circle(40.0, n))]) - exact).max() for n in (32, 64, 128, 256)]
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert ((orders > 1.97) & (orders < 2.03)).all()


def test_edges_against_gauss_points_along_them() -> None:
    points = random_points(40, 35.0, 90.0)
    node, weight = np.polynomial.legendre.leggauss(60)
    edges = np.roll(SQUARE, -1, axis=0) - SQUARE
    places = (SQUARE[:, None] + 0.5 * (1.0 + node)[:, None] * edges[:, None]).reshape(-1, 3)
    exact = element_potential(points, places, (0.5 * weight[:, None] * edges[:, None]).reshape(-1, 3))
    np.testing.assert_allclose(wire_potential(points, [Wire(path=SQUARE)]), exact, atol=1e-13)  # rounding


def test_potential_keeps_its_digits_far_away_and_close_by() -> None:
    wire = Wire(path=SQUARE)
    far = random_points(20, 1e6, 2e6)
    dipole = dipole_potential(far, np.zeros((1, 3)), np.array([[0.0, 0.0, 1600.0]]))
    # 1e6 mm away the potential is 1e-9 of what an edge gives: the digits left of 16. The square has no quadrupole.
    np.testing.assert_allclose(wire_potential(far, [wire]), dipole, atol=1e-5 * np.abs(dipole).max())
    for gap in (
        1e-3,
        1e-6,
        1e-9,
    ):  # beside the middle of an edge: 2 ln(L / gap) of that edge, other edges cancel to 2e-8
        step = wire_potential([[20.0 + gap, 0, 0]], [wire]) - wire_potential([[20.0 + 2.0 * gap, 0, 0]], [wire])
        np.testing.assert_allclose(step, [[0.0, 2.0 * np.log(2.0), 0.0]], atol=1e-3 if gap == 1e-3 else 1e-6)


def test_wire_potential_against_wings() -> None:
    """Polygons of the circle's area against elliptic integrals: 1e-6 ten mm away, as `Wing.wires` says."""
    winding = Winding(inner_diameter=56, outer_diameter=87, turns=3, wire_width=1.75, wire_height=6)
    wing = Wing(winding, Pose.from_axes(origin=(44, 0, -3), z=(0.2, 0, 1), y=(0, 1, 0)), -1)
    points = random_points(30, 100.0, 140.0)
    exact = wing.potential(points)
    np.testing.assert_allclose(wire_potential(points, wing.wires()), exact, atol=2e-6 * np.abs(exact).max())


def test_points_on_a_wire_are_refused() -> None:
    for point in ([20.0, 0, 0], [20.0, 20.0, 0]):
        with pytest.raises(ValueError, match="points must not lie on a wire; got 1 that do, first"):
            wire_potential([[0, 0, 5], point], [Wire(path=SQUARE)])


def test_corners_given_twice_do_not_matter() -> None:
    points = random_points(5, 50.0, 90.0)
    doubled = Wire(path=np.repeat(SQUARE, 2, axis=0))
    np.testing.assert_array_equal(wire_potential(points, [doubled]), wire_potential(points, [Wire(path=SQUARE)]))


def test_shell_over_any_surface_is_the_wire() -> None:
    """Stokes: dipoles on a dense fan of a bent path give the wire's A away from the fan, none of it planar."""
    path = helix(rise=15.0)
    centre = path.mean(axis=0)
    cuts = (np.arange(40) + 0.5) / 40  # midpoint rule along the radius
    following = np.roll(path, -1, axis=0)
    middle = 0.5 * (path + following) - centre
    area = 0.5 * np.cross(path - centre, following - centre)
    positions = (centre + cuts[:, None, None] * middle).reshape(-1, 3)
    moments = (2.0 * cuts[:, None, None] / 40 * area).reshape(-1, 3)
    points = random_points(30, 90.0, 150.0)
    exact = wire_potential(points, [Wire(path=path)])
    np.testing.assert_allclose(dipole_potential(points, positions, moments), exact, atol=2e-3 * np.abs(exact).max())


def test_circles_are_recognised_and_nothing_else() -> None:
    step = 2.0 * np.pi / 144
    turned = (
        circle(30.0 * np.sqrt(step / np.sin(step)), 144) @ np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    )
    found = circle_of(Wire(path=turned + 7.0, turns=0.5))
    assert found is not None
    assert found.radius == pytest.approx(30.0, rel=1e-12)
    np.testing.assert_allclose(found.centre, [7.0, 7.0, 7.0], atol=1e-12)
    star = circle(30.0, 61)[np.arange(61) * 2 % 61]
    for path in (circle(30.0, 40), circle(30.0, 60) * [1, 1.01, 1], helix(rise=1.0), star):
        assert circle_of(Wire(path=path)) is None


def test_elements_stay_closed_and_converge() -> None:
    wire = Wire(path=SQUARE, turns=3.0)
    points = random_points(20, 45.0, 80.0)
    exact = wire_potential(points, [wire])
    errors = []
    for spacing in (20.0, 10.0, 5.0):
        elements = cut_wires([wire], spacing)
        assert np.abs(elements.vectors.sum(axis=0)).max() < 1e-12
        errors.append(np.abs(element_potential(points, elements.points, elements.vectors) - exact).max())
    assert errors[1] < 0.1 * errors[0]
    assert errors[2] < 0.01 * errors[1]


def test_spiral_has_the_area_of_its_turns() -> None:
    """Integral of r^2 dphi / 2; the return lead adds none as it points to the axis, in whole turns."""
    path = spiral(inner_diameter=20, outer_diameter=40, turns=5)
    expected = 1e-6 * np.pi * 5 * (10.0**2 + 10.0 * 20.0 + 20.0**2) / 3.0
    np.testing.assert_allclose(Wire(path=path).moment, [0, 0, expected], rtol=1e-3, atol=1e-18)
    radius = np.hypot(path[:, 0], path[:, 1])
    assert (np.diff(radius) > 0.0).all()
    assert radius[0] == pytest.approx(10.0, rel=2e-3)
    assert radius[-1] == pytest.approx(20.0, rel=2e-3)
    above = spiral(inner_diameter=20, outer_diameter=40, turns=5, return_height=-6)
    assert above[-2:, 2].tolist() == [-6.0, -6.0]
    np.testing.assert_allclose(Wire(path=above).moment[2], expected, rtol=1e-3)


def test_tilting_and_bending_keep_lengths() -> None:
    path = spiral(inner_diameter=20, outer_diameter=40, turns=2) + np.array([30.0, 0.0, 0.0])
    before = np.linalg.norm(np.diff(path, axis=0), axis=1)
    turned = tilted(path, 40.0)
    np.testing.assert_allclose(np.linalg.norm(np.diff(turned, axis=0), axis=1), before, rtol=1e-12)
    # Right by 40 degrees towards the head: the moment leans to the other wing.
    moment, flat = Wire(path=turned).moment, Wire(path=path).moment[2]
    np.testing.assert_allclose(
        moment, flat * np.array([-np.sin(np.radians(40)), 0, np.cos(np.radians(40))]), atol=1e-12
    )
    np.testing.assert_allclose(mirrored(turned), tilted(mirrored(path), 40.0), atol=1e-12)
    wrapped = bent(path, 80.0)
    np.testing.assert_allclose(np.hypot(wrapped[:, 0], 80.0 - wrapped[:, 2]), 80.0, rtol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(np.diff(wrapped, axis=0), axis=1), before, rtol=1e-3)  # chords
    np.testing.assert_allclose(bent(path, 1e7), path, atol=1e-3)


def test_stacked_layers_go_away_from_the_head() -> None:
    layers = stacked(SQUARE, layers=3, spacing=7.0)
    assert [layer[0, 2] for layer in layers] == [0.0, -7.0, -14.0]


def test_two_mirrored_spirals_make_a_figure_of_eight() -> None:
    """Along +y under the junction, as figure_of_eight, and nearly its field."""
    right = spiral(inner_diameter=56, outer_diameter=87, turns=9, return_height=-8) + np.array([44.0, 0.0, -6.0])
    coil = coil_from_wires([Wire(path=right), Wire(path=mirrored(right))], name="spirals", max_error=1e-2)
    np.testing.assert_allclose(coil.current_direction, [0, 1, 0], atol=0.02)
    drawn = figure_of_eight(inner_diameter=56, outer_diameter=87, turns=9, max_error=1e-2)
    point = np.array([[0.0, 0.0, 20.0]])
    np.testing.assert_allclose(coil.potential(point)[0, 1], drawn.potential(point)[0, 1], rtol=0.06)


def test_rectangular_wire_is_a_bundle_with_the_path_as_its_mean() -> None:
    wires = rectangular_wire(SQUARE, width=4.0, height=6.0, turns=2.0, points=(2, 3))
    assert sum(wire.turns for wire in wires) == pytest.approx(2.0, rel=1e-15)
    np.testing.assert_allclose(sum(w.turns * w.path for w in wires) / 2.0, SQUARE, atol=1e-12)
    # The mitre keeps the distance of the sides: filaments are squares of 40 -+ 4 / sqrt(3) mm, 6 sqrt(3/5) mm apart.
    sides = sorted({round(float(np.ptp(w.path[:, 0])), 9) for w in wires})
    assert sides == pytest.approx([40.0 - 4.0 / np.sqrt(3.0), 40.0 + 4.0 / np.sqrt(3.0)])
    heights = sorted({round(float(w.path[0, 2]), 9) for w in wires})
    assert heights == pytest.approx([-3.0 * np.sqrt(0.6), 0.0, 3.0 * np.sqrt(0.6)], abs=1e-9)
    # Second moments of the section: the mean area of the squares is side^2 + width^2 / 3.
    moment = sum(w.moment for w in wires)[2]
    assert abs(moment) == pytest.approx(2e-6 * (40.0**2 + 4.0**2 / 3.0), rel=1e-12)


def test_rectangular_wire_follows_a_bent_path_without_a_twist() -> None:
    """All filaments stay at their distance from a path in space, in each edge's own frame, and close."""
    path = spiral(inner_diameter=30, outer_diameter=50, turns=2, return_height=-8, corners=36)
    wires = rectangular_wire(path, width=2.0, height=2.0, points=(2, 2))
    edges = np.roll(path, -1, axis=0) - path
    edges /= np.linalg.norm(edges, axis=1)[:, None]
    for wire in wires:
        offset = wire.path - path
        beside = offset - np.einsum("ck,ck->c", offset, edges)[:, None] * edges
        np.testing.assert_allclose(np.linalg.norm(beside, axis=1), np.sqrt(2.0 / 3.0), rtol=1e-9)
        # Each filament's edges are parallel to the path's but for the shared twist, here that of four right angles.
        own = np.roll(wire.path, -1, axis=0) - wire.path
        cosine = np.einsum("ck,ck->c", own / np.linalg.norm(own, axis=1)[:, None], edges)
        assert cosine.min() > 0.999


def test_flatness() -> None:
    assert flatness(SQUARE) < 1e-12
    assert flatness(helix(rise=15.0)) == pytest.approx(15.0, rel=0.02)


def test_flat_wires_become_dipoles_within_the_stated_error() -> None:
    """Measured anew with the exact edges on points that the package does not use, 10 mm and further from the fan."""
    wires = [Wire(path=circle(25.0, 64, -5.0) * [1.0, 1.3, 1.0]), Wire(path=circle(15.0, 64, -8.0), turns=2.0)]
    coil = coil_from_wires(wires, name="two ellipses", max_error=5e-3, elements=False)
    assert coil.segments is None
    assert len(coil.wires) == 2
    cloud = spanned_points(wires, 1.0)
    points = np.random.default_rng(4).uniform(-60, 60, (4000, 3))
    gap = np.linalg.norm(points[:, None] - cloud[::7], axis=2).min(axis=1)
    points = points[gap > 10.5]
    exact = wire_potential(points, wires)
    error = np.linalg.norm(coil.potential(points) - exact, axis=1).max()
    # The greatest A of all stands 10 mm from the fan, where the stated error is measured.
    peak = np.linalg.norm(exact, axis=1).max()
    assert error <= 1.1 * coil.discretisation_error * peak
    assert coil.discretisation_error <= 5e-3


def test_wires_in_space_become_current_elements() -> None:
    wire = Wire(path=helix())
    coil = coil_from_wires([wire], name="around the head", max_error=1e-3)
    assert isinstance(coil.segments, Segments)
    assert coil.n_dipoles == 0
    inside = random_points(40, 0.0, 15.0)  # inside the ring, where a shell would cut
    exact = wire_potential(inside, [wire])
    peak = np.linalg.norm(exact, axis=1).max()
    assert np.linalg.norm(coil.potential(inside) - exact, axis=1).max() <= 1e-3 * peak
    assert 0.0 < coil.discretisation_error <= 1e-3


@pytest.mark.parametrize("radius", [5.0, 20.0, 40.0])
def test_a_single_turn_needs_no_settings(radius: float) -> None:
    """Its current is all at the rim, where dipoles on the disc do not reach 0.1 %: Maxwell's loop on the axis."""
    path = circle(radius, 256, -5.0)
    coil = coil_from_wires([Wire(path=path)], name="one turn")
    assert 0.0 < coil.discretisation_error <= 1e-3
    # B = rot A on the axis, by differences over 0.1 mm: 2 pi r^2 / (r^2 + z^2)^(3/2) without mu0/4pi.
    step, z = 0.05, 15.0
    around = np.array([[step, 0, z - 5], [0, step, z - 5], [-step, 0, z - 5], [0, -step, z - 5]])
    a = coil.potential(around)
    curl = (a[0, 1] - a[2, 1] - a[1, 0] + a[3, 0]) / (2.0 * step)
    exact = 2.0 * np.pi * radius**2 / (radius**2 + z**2) ** 1.5
    assert curl == pytest.approx(exact, rel=2e-3)


def test_what_dipoles_cannot_reach_becomes_elements() -> None:
    """More than 200 elements, so that dipoles are tried, and asked for more than they reach."""
    square = SQUARE * 1.25 - [0.0, 0.0, 5.0]
    corners = np.concatenate([a + np.linspace(0, 1, 60, endpoint=False)[:, None] * (b - a)
                              for a, b in zip(square, np.roll(square, -1, axis=0), strict=True)])  # fmt: skip
    with pytest.raises(ValueError, match="max_error must be at least"):
        coil_from_wires([Wire(path=corners)], name="square", elements=False, max_error=1e-4)
    coil = coil_from_wires([Wire(path=corners)], name="square", max_error=1e-4)
    assert coil.segments is not None
    assert coil.discretisation_error is not None
    assert coil.discretisation_error <= 1e-4


def test_choice_of_sources_can_be_forced() -> None:
    flat = coil_from_wires([Wire(path=SQUARE)], name="square", max_error=1e-2, elements=True)
    assert flat.segments is not None
    assert flat.n_dipoles == 0


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: spiral(inner_diameter=40, outer_diameter=20, turns=3), "outer_diameter must be greater than"),
        (lambda: spiral(inner_diameter=20, outer_diameter=40, turns=0), "turns must be a positive number; got 0.0."),
        (lambda: spiral(inner_diameter=20, outer_diameter=40, turns=3, corners=5), "corners must be a whole number"),
        (lambda: stacked(SQUARE, layers=0, spacing=1), "layers must be a whole number of at least 1; got 0."),
        (lambda: tilted(SQUARE, 90), "angle must be from 0 to below 90 degrees; got 90."),
        (lambda: bent(SQUARE + np.array([0, 0, 9]), 9), "path must lie below the axis of bending, z < 9 mm"),
        (lambda: rectangular_wire(SQUARE[:2], width=1, height=1), "path must be a closed wire of at least 3 corners"),
        (lambda: rectangular_wire(SQUARE, width=1, height=1, points=(0, 1)), "points must be two numbers of at least"),
        (lambda: rectangular_wire(SQUARE, width=1, height=1, normal=[1, 0, 0]), "normal must not be along the path"),
        (
            lambda: rectangular_wire([[0, 0, 0], [9, 0, 0], [9, 1, 0], [0, 0.1, 0]], width=1, height=1),
            None,
        ),
        (
            lambda: rectangular_wire([[0, 0, 0], [9, 0, 0], [0, 0.1, 0]], width=1, height=1),
            "path must not fold back sharper than 140 degrees",
        ),
        (
            lambda: coil_from_wires([Wire(path=SQUARE * 1e-3)], name="m"),
            "wires must be 1 to 2000 mm across; got 0.04 mm",
        ),
        (
            lambda: coil_from_wires([Wire(path=SQUARE * 1e3)], name="um"),
            "wires must be 1 to 2000 mm across; got 40000 mm",
        ),
        (lambda: spiral(inner_diameter=20, outer_diameter=40, turns=1e9), "turns must make at most 200,000 corners"),
        (lambda: coil_from_wires([], name="none"), "wires must be one or more coils.Wire; got 0"),
        (lambda: coil_from_wires([Wire(path=SQUARE)], name="n", max_error=0), "max_error must be a positive number"),
        (
            lambda: coil_from_wires([Wire(path=SQUARE)], name="n", max_error=1e-17, elements=True),
            "max_error must be at least .* with current elements; got 1e-17",
        ),
    ],
)
def test_bad_paths_get_a_sentence(call: object, sentence: str | None) -> None:
    assert callable(call)
    if sentence is None:
        call()
        return
    with pytest.raises(ValueError, match=sentence):
        call()


def test_coil_holds_what_was_given() -> None:
    coil = coil_from_wires(
        [Wire(path=SQUARE - [0, 0, 5.0])], name="square", max_error=0.02, max_didt=1e8, source="drawn", handle=[1, 0, 0]
    )
    assert isinstance(coil, Coil)
    assert (coil.name, coil.max_didt, coil.source, coil.handle.tolist()) == ("square", 1e8, "drawn", [1.0, 0.0, 0.0])
