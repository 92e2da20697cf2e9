"""Assembly: moving parts, several stimulators, casings that meet."""

import numpy as np
import pytest

import coils
from coils import Coil, Segments, figure_of_eight, load_coil
from coils.assembly import Assembly, Casing, Deformation, Dipoles, Element, Motion
from coils.grid import PotentialGrid
from coils.stimulators import Stimulator
from efield.analytic import sphere_field
from meshes import Surface, icosphere

POINTS = np.array([[0.0, 0.0, 20.0], [30.0, -20.0, 35.0], [-10.0, 50.0, 15.0]])
DIPOLES = Dipoles([[10.0, 0, -5], [0, 20, -6]], [[0, 0, 0.04], [0.01, 0, -0.03]])
WINDING = dict(inner_diameter=56, outer_diameter=87, turns=9)


def ball(centre: tuple[float, float, float], radius: float = 10.0) -> Surface:
    unit = icosphere(2)
    return Surface(radius * unit.vertices + np.asarray(centre), unit.triangles, "ball")


def bendable(clearance: float = 3.0, **options: object) -> Assembly:
    flat = figure_of_eight(**WINDING, clearance=clearance)
    wings = []
    for name, side in (("right", 1), ("left", -1)):
        own = side * flat.positions[:, 0] > 0
        turn = Motion("bend", "rotation", axis=[[0, 0, -clearance], [0, -side, -clearance]])
        wings.append(Element(Dipoles(flat.positions[own], flat.moments[own]), name, motions=(turn,)))
    return Assembly(name="bendable", elements=wings, deformations=[Deformation("bend", (0, 60))], **options)


@pytest.mark.parametrize("bend", [0.0, 15.0, 40.0])
def test_bent_wings_are_the_coil_drawn_bent(bend: float) -> None:
    """Second route: the drawing of `figure_of_eight` turns the winding itself, about the same line, then shifts it."""
    coil = bendable().coil().deform(bend=bend)
    drawn = figure_of_eight(**WINDING, wing_angle=180.0 - 2.0 * bend)
    shift = np.array([0.0, 0.0, 3.0 - 3.0 / np.cos(np.radians(bend))])
    potential = drawn.potential(POINTS + shift)
    # Two discretisations of 0.1 % of the peak each, 10 mm below the winding; here it is more.
    np.testing.assert_allclose(coil.potential(POINTS), potential, atol=2e-3 * np.abs(potential).max())
    for own, other in zip(coil.wing_moments, drawn.wing_moments, strict=True):
        np.testing.assert_allclose(own, other, atol=1e-12)  # rounding


def test_undeformed_coil_keeps_its_bits() -> None:
    flat = figure_of_eight(**WINDING)
    coil = bendable().coil()
    assert {tuple(row) for row in coil.positions} == {tuple(row) for row in flat.positions}
    assert coil.deform(bend=30).deform(bend=0).checksum == coil.checksum


def test_rotation_is_right_handed_about_first_to_second_point() -> None:
    turn = Motion("a", "rotation", axis=[[1, 2, 0], [1, 2, 7]]).matrix(90.0)
    np.testing.assert_allclose(turn @ [2, 2, 5, 1], [1, 3, 5, 1], atol=1e-14)
    np.testing.assert_allclose(turn @ [1, 2, -3, 1], [1, 2, -3, 1], atol=1e-14)  # the axis stays


def test_rotation_against_scipy() -> None:
    from scipy.spatial.transform import Rotation

    rng = np.random.default_rng(3)
    for _ in range(20):
        axis = rng.normal(size=(2, 3))
        angle = rng.uniform(-360.0, 360.0)
        along = axis[1] - axis[0]
        expected = Rotation.from_rotvec(np.radians(angle) * along / np.linalg.norm(along)).as_matrix()
        matrix = Motion("a", "rotation", axis=axis).matrix(angle)
        np.testing.assert_allclose(matrix[:3, :3], expected, atol=1e-14)
        np.testing.assert_allclose(matrix @ [*axis[1], 1.0], [*axis[1], 1.0], atol=1e-13)


def test_motions_apply_in_the_stored_order() -> None:
    """Shift, then turn about the fixed axis: D2 D1; the other order ends elsewhere."""
    shift, turn = Motion("s", "x"), Motion("t", "rotation", axis=[[0, 0, 0], [0, 0, 1]])
    values = [Deformation("s", (0, 10), 10), Deformation("t", (0, 90), 90)]
    for motions, expected in (((shift, turn), [0, 10, 0]), ((turn, shift), [10, 0, 0])):
        element = Element(Dipoles([[0, 0, 0]], [[0.1, 0, 0]]), motions=motions)
        coil = Assembly(name="order", elements=[element], deformations=values).coil()
        np.testing.assert_allclose(coil.positions, [expected], atol=1e-14)
        np.testing.assert_allclose(coil.moments, [[0, 0.1, 0]], atol=1e-15)


@pytest.mark.parametrize("kind", ["dipoles", "segments", "grid"])
def test_moving_the_sources_is_moving_the_point(kind: str) -> None:
    """A of a rigidly moved part at T r is R A at r, for each kind of source."""
    grid_nodes = np.random.default_rng(5).normal(size=(3, 4, 5, 3))
    sources = {
        "dipoles": DIPOLES,
        "segments": Segments(DIPOLES.positions, 100.0 * DIPOLES.moments),
        "grid": PotentialGrid(grid_nodes, [[50, 0, 0, -60], [0, 50, 0, -70], [0, 0, 30, -20], [0, 0, 0, 1]]),
    }[kind]
    motions = (Motion("z", "z"), Motion("a", "rotation", axis=[[1, 0, 2], [2, 3, 5]]), Motion("z", "y"))
    deformations = (Deformation("z", (-5, 5)), Deformation("a", (-180, 180)))
    element = Element(sources, motions=motions)
    assembly = Assembly(name=kind, elements=[element], deformations=deformations, close_circuits=False)
    coil = assembly.coil()
    values = {"z": 3.0, "a": 37.0}
    total = np.eye(4)
    for motion in motions:
        total = motion.matrix(values[motion.deformation]) @ total
    moved = coil.deform(**values).potential(POINTS @ total[:3, :3].T + total[:3, 3])
    expected = coil.potential(POINTS) @ total[:3, :3].T
    np.testing.assert_allclose(moved, expected, atol=1e-12 * np.abs(expected).max())


def test_one_deformation_moves_several_parts() -> None:
    parts = [
        Element(DIPOLES, "a", motions=(Motion("open", "x"),)),
        Element(DIPOLES, "b", motions=(Motion("open", "y"),)),
    ]
    coil = Assembly(name="pair", elements=parts, deformations=[Deformation("open", (0, 5))]).coil().deform(open=5)
    np.testing.assert_array_equal(coil.positions[:2], DIPOLES.positions + np.array([5, 0, 0]))
    np.testing.assert_array_equal(coil.positions[2:], DIPOLES.positions + np.array([0, 5, 0]))
    assert coil.assembly is not None
    assert coil.assembly.settings == {"open": 5.0}


def two_stimulators(limits: tuple[float | None, float | None] = (100e6, 60e6)) -> Coil:
    coil = load_coil("magstim-70mm")
    turned = coil.positions[:, [1, 0, 2]] * [-1, 1, 1]
    return Assembly(
        name="crossed",
        elements=[
            Element(Dipoles(coil.positions, coil.moments), "along"),
            Element(Dipoles(turned - [0, 0, 12], coil.moments[:, [1, 0, 2]] * [-1, 1, 1]), "across", stimulator=1),
        ],
        stimulators=[Stimulator("one", max_didt=limits[0]), Stimulator("two", max_didt=limits[1])],
        casing=coil.casing,
    ).coil()


def test_superposition_in_a_sphere() -> None:
    """Field of driven([a, b]) = a channel 0 + b channel 1, at dI/dt of their own."""
    coil = two_stimulators()
    centre = np.array([0.0, 0.0, 95.0])
    points = centre + 70.0 * icosphere(2).vertices
    first, second = (
        sphere_field(points, channel.positions, channel.moments, didt=1.0, centre=centre) for channel in coil.channels
    )
    rates = (3.7e7, -5.1e7)
    driven = coil.driven(rates)
    field = sphere_field(points, driven.positions, driven.moments, didt=1e6, centre=centre)
    expected = rates[0] * first + rates[1] * second
    np.testing.assert_allclose(field, expected, atol=1e-12 * np.abs(expected).max())
    same = sphere_field(points, coil.positions, coil.moments, didt=1e6, centre=centre)
    np.testing.assert_allclose(same, 1e6 * (first + second), atol=1e-12 * np.abs(same).max())
    assert np.linalg.norm(first - second) > 0.5 * np.linalg.norm(first)  # two different coils


def test_superposition_of_currents_turns_the_field() -> None:
    """Two crossed figures of eight at one height, driven as cosine and sine, turn E under the centre."""
    coil = load_coil("magstim-70mm")
    turned = Dipoles(coil.positions[:, [1, 0, 2]] * [-1, 1, 1], coil.moments)
    parts = [Element(Dipoles(coil.positions, coil.moments)), Element(turned, stimulator=1)]
    pair = Assembly(name="rotating", elements=parts).coil()
    for angle in np.radians([0.0, 30.0, 75.0, 200.0]):
        direction = pair.driven([1e6 * np.cos(angle), 1e6 * np.sin(angle)]).current_direction
        np.testing.assert_allclose(direction, [-np.sin(angle), np.cos(angle), 0.0], atol=1e-12)


def test_limits_follow_the_weakest_stimulator() -> None:
    coil = two_stimulators()
    assert coil.max_didt == 60e6
    assert [channel.max_didt for channel in coil.channels] == [100e6, 60e6]
    # At weights 50 and 10 (1e6 A/s each) the first reaches 100e6 at twice that, the second at six times.
    assert coil.driven([50e6, 10e6]).max_didt == pytest.approx(2e6)
    assert two_stimulators((100e6, None)).max_didt is None
    assert [channel.name for channel in coil.channels] == ["crossed, stimulator 1 (one)", "crossed, stimulator 2 (two)"]


def test_channels_of_unused_stimulators_do_not_count() -> None:
    parts = [Element(DIPOLES, stimulator=2), Element(DIPOLES, stimulator=0)]
    assembly = Assembly(name="gap", elements=parts, stimulators=[Stimulator(text) for text in "abc"])
    assert assembly.driven_by == (0, 2)
    assert [c.stimulator.name for c in assembly.channels() if c.stimulator] == ["a", "c"]


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ([1e6], r"didt must be 2 numbers, one per stimulator; got shape \(1,\)"),
        ([1e6, np.nan], r"didt must be finite; got \[1000000.0, nan\]"),
        ([0, 0], r"didt must not be zero for all stimulators; got no current at all"),
    ],
)
def test_rates_that_make_no_sense(rates: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        two_stimulators().driven(rates)


def test_stimulator_at_rest_leaves_its_part_out() -> None:
    coil = two_stimulators()
    assert coil.driven([1e6, 0]).n_dipoles == coil.channels[0].n_dipoles


def test_casings_move_with_their_elements_and_collide() -> None:
    """Two balls of 10 mm, 30 mm apart, of which one slides: they meet when the centres are within 20 mm."""
    parts = [
        Element(DIPOLES, "fixed", casing=Casing(ball((0, 0, -20)))),
        Element(DIPOLES, "slide", casing=ball((30, 0, -20)), motions=(Motion("shift", "x"),)),
    ]
    slide = Deformation("shift", (-40, 0))
    assembly = Assembly(name="balls", elements=parts, deformations=[slide], groups=[[1, 2]])
    assert assembly.collisions() == ()
    assert assembly.deformed({"shift": -9.5}).collisions() == ()
    assert assembly.deformed({"shift": -12.0}).collisions() == (("fixed", "slide"),)
    casing = assembly.coil().deform(shift=-5).casing
    assert casing is not None
    assert casing.is_closed
    assert casing.volume == pytest.approx(2.0 * ball((0, 0, 0)).volume)
    assert casing.vertices[:, 0].max() == pytest.approx(35.0)


def test_casing_inside_another_collides_without_crossing() -> None:
    parts = [
        Element(DIPOLES, "shell", casing=Casing(ball((0, 0, 0), 20.0))),
        Element(DIPOLES, casing=Casing(ball((1, 0, 0), 5.0))),
    ]
    assert Assembly(name="nested", elements=parts).collisions() == (("shell", "element 1"),)
    alike = [Element(DIPOLES, "ball", casing=part.casing) for part in parts]
    assert Assembly(name="alike", elements=alike).collisions() == (("ball (element 0)", "ball (element 1)"),)
    # Only what stands in a group is asked for; here the coil's casing against the first element.
    grouped = Assembly(name="n", elements=parts, casing=Casing(ball((99, 0, 0))), groups=[[0, 1]])
    assert grouped.collisions() == ()


def test_open_wire_is_closed_at_every_setting() -> None:
    """A lead follows the wing that moves; without closing the elements are as they were given."""
    angle = np.linspace(0.0, 1.8 * np.pi, 181)
    corners = 40.0 * np.column_stack([np.cos(angle), np.sin(angle), 0 * angle]) - [0, 0, 5]
    wire = Segments((corners[1:] + corners[:-1]) / 2, np.diff(corners, axis=0))
    halves = [
        Element(Segments(wire.points[:90], wire.vectors[:90]), "fixed"),
        Element(Segments(wire.points[90:], wire.vectors[90:]), "moves", motions=(Motion("lift", "z"),)),
    ]
    assembly = Assembly(name="arc", elements=halves, deformations=[Deformation("lift", (0, 9))])
    (sentence,) = assembly.open_circuits()
    gap = corners[-1] - corners[0]
    assert sentence.startswith("wires of arc must be closed circuits; got 1 open end, with a sum of vectors of [")
    assert f"{gap.round(1).tolist()} mm: closed by straight leads." in sentence
    for lift in (0.0, 4.0):
        segments = assembly.deformed({"lift": lift}).coil().segments
        assert segments is not None
        np.testing.assert_allclose(segments.vectors.sum(axis=0), 0.0, atol=1e-12)
    as_is = Assembly(name="arc", elements=halves[:1], close_circuits=False)
    segments = as_is.coil().segments
    assert segments is not None
    np.testing.assert_array_equal(segments.vectors, wire.vectors[:90])
    assert "taken as they stand" in as_is.open_circuits()[0]


def test_turns_in_one_element_are_neither_followed_nor_blamed() -> None:
    angle = np.linspace(0.0, 2.0 * np.pi, 101)
    corners = 40.0 * np.column_stack([np.cos(angle), np.sin(angle), 0 * angle])
    wire = Segments((corners[1:] + corners[:-1]) / 2, 9.0 * np.diff(corners, axis=0))
    assembly = Assembly(name="bundle", elements=[Element(wire)])
    assert assembly.open_circuits() == ()
    np.testing.assert_array_equal(assembly.coil().segments.vectors, wire.vectors)
    cut = Assembly(name="cut", elements=[Element(Segments(wire.points[:70], wire.vectors[:70]))])
    assert "cannot be followed: taken as they stand" in cut.open_circuits()[0]


def test_grids_add_on_equal_nodes_only() -> None:
    affine = np.diag([10.0, 10.0, 10.0, 1.0])
    values = np.random.default_rng(2).normal(size=(3, 3, 3, 3))
    parts = [Element(PotentialGrid(values, affine)), Element(PotentialGrid(values[::-1], affine), stimulator=1)]
    coil = Assembly(name="grids", elements=parts).coil().driven([2e6, -3e6])
    assert coil.grid is not None
    np.testing.assert_allclose(coil.grid.values, 2.0 * values - 3.0 * values[::-1], atol=1e-14)
    shifted = Element(PotentialGrid(values, np.diag([10.0, 10.0, 12.0, 1.0])))
    with pytest.raises(ValueError, match="grids of two must have the same nodes to be added; got different ones"):
        Assembly(name="two", elements=[parts[0], shifted]).coil()


def test_of_takes_any_coil_apart() -> None:
    coil = load_coil("magstim-70mm")
    again = Assembly.of(coil).coil()
    assert again.checksum == coil.checksum
    assert again.max_didt == coil.max_didt
    flexible = bendable()
    assert Assembly.of(flexible.coil()) is flexible


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Deformation("wing angle", (0, 1)),
            "name must be a Python identifier, such as wing_angle; got 'wing a",
        ),
        (lambda: Deformation("a", (2, 1), 1.5), "range of a must be ascending; got 2 to 1"),
        (lambda: Deformation("a", (0, 1), 2), "a must be from 0 to 1, its range; got 2"),
        (lambda: Deformation("a", (0, np.inf)), "range of a must be finite; got inf"),
        (lambda: Deformation("a", (0, 1, 2)), "range of a must be two numbers"),
        (lambda: Deformation("a", (0, 1), True), "a must be a number; got True"),
        (lambda: Motion("a", "twist"), "kind must be one of 'x', 'y', 'z', 'rotation'; got 'twist'"),
        (lambda: Motion("a", "rotation"), "axis must be two points for a rotation; got None"),
        (lambda: Motion("a", "rotation", axis=[[1, 1, 1]] * 2), "axis must be two different points"),
        (lambda: Motion("a", "x", axis=[[0, 0, 0], [0, 0, 1]]), "axis must be None for a shift along x"),
        (lambda: Assembly(name="a", elements=[]), "elements must hold at least one part; got none"),
        (lambda: Element([[0, 0, 0]]), "sources must be Dipoles, Segments or a PotentialGrid; got list"),
        (lambda: Element(DIPOLES, stimulator=-1), "stimulator must be an index, 0 or more; got -1"),
        (lambda: Assembly(name="a", elements=[Element(DIPOLES, stimulator=1)]), "stimulators must be given"),
        (
            lambda: Assembly(name="a", elements=[Element(DIPOLES, motions=(Motion("b", "x"),))]),
            r"motions must be driven by one of the deformations \(none\); got 'b'",
        ),
        (
            lambda: Assembly(name="a", elements=[Element(DIPOLES)], groups=[[0, 2]]),
            "groups must hold parts from 0 to 1",
        ),
        (lambda: bendable().coil().deform(bend=61), "bend must be from 0 to 60, its range; got 61"),
        (
            lambda: bendable().coil().deform(twist=1),
            r"settings must name deformations of bendable \(bend\); got 'twist'",
        ),
        (lambda: load_coil("magstim-70mm").deform(bend=1), "settings must name deformations of magstim-70mm"),
        (lambda: Casing(Surface([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])), "casing must be a closed surface"),
    ],
)
def test_bad_input_gets_a_sentence(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_doctest_example_is_about_the_public_names() -> None:
    assert coils.Segments is Segments
