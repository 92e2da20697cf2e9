"""Coil: checks, named directions, checksum, summary."""

import numpy as np
import pytest

import coils
from coils import Coil, Wire, circular, figure_of_eight, load_coil
from efield.analytic import free_space_field
from meshes import Surface

TETRAHEDRON = Surface(
    [[0, 0, 0], [9, 0, 0], [0, 9, 0], [0, 0, -9]], [[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]], "box"
)
PAIR = dict(positions=[[30, 0, -6], [-30, 0, -6]], moments=[[0, 0, 0.04], [0, 0, -0.04]], name="pair")


def test_casing_of_this_test_is_outward() -> None:
    assert TETRAHEDRON.is_closed
    assert TETRAHEDRON.volume > 0.0


@pytest.mark.parametrize("wing_angle", [180.0, 150.0, 100.0])
def test_figure_of_eight_induces_away_from_the_handle(wing_angle: float) -> None:
    """The sign rule: rising current, right wing's moment to the head, E along +y, the handle along -y."""
    coil = figure_of_eight(inner_diameter=56, outer_diameter=87, turns=9, wing_angle=wing_angle)
    assert coil.wing_moments[0][2] > 0.0
    np.testing.assert_allclose(coil.current_direction, [0.0, 1.0, 0.0], atol=1e-12)  # by symmetry: rounding
    np.testing.assert_array_equal(coil.handle, [0.0, -1.0, 0.0])
    # The same from the solver's side of the border, with its own sign of dI/dt.
    field = free_space_field([[0, 0, 20]], coil.positions, coil.moments, didt=1e6)[0]
    np.testing.assert_allclose(field / np.linalg.norm(field), coil.current_direction, atol=1e-12)


def test_circular_coil_is_read_under_its_winding_at_the_right() -> None:
    coil = circular(inner_diameter=66, outer_diameter=123, turns=14)
    # Counter-clockwise seen from the head: at +x the current runs along +y, the induced E against it.
    np.testing.assert_allclose(coil.current_direction, [0.0, -1.0, 0.0], atol=1e-12)
    reversed_coil = Coil(positions=coil.positions, moments=-coil.moments, name="reversed")
    np.testing.assert_allclose(reversed_coil.current_direction, [0.0, 1.0, 0.0], atol=1e-12)


def test_current_direction_turns_with_the_coil() -> None:
    angle = np.radians(35.0)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    pair = Coil(**PAIR)
    turned = Coil(positions=pair.positions @ turn.T, moments=pair.moments @ turn.T, name="turned")
    np.testing.assert_allclose(turned.current_direction, turn @ pair.current_direction, atol=1e-14)


def test_coil_without_a_field_below_says_so() -> None:
    """Two opposite dipoles at one place cancel everywhere."""
    coil = Coil(positions=[[0, 0, -5]] * 2, moments=[[0, 0, 1], [0, 0, -1]], name="nothing")
    with pytest.raises(ValueError, match="current_direction must exist; got no field below nothing"):
        _ = coil.current_direction


def test_arrays_are_copies_in_the_contract_of_kernels() -> None:
    positions = np.array([[0.0, 0.0, -5.0]])
    coil = Coil(positions=positions, moments=[[0, 0, 1]], name="copy", handle=(0, -2, 0))
    positions[:] = 7.0
    assert coil.positions.tolist() == [[0.0, 0.0, -5.0]]
    for array in (coil.positions, coil.moments):
        assert array.flags.c_contiguous
        assert array.dtype == np.float64
    assert coil.handle.tolist() == [0.0, -1.0, 0.0]


def test_checksum_covers_what_enters_a_result() -> None:
    plain = Coil(**PAIR)
    assert plain.checksum == Coil(**(PAIR | dict(name="other"))).checksum
    changes = [
        dict(positions=[[30, 0, -6], [-30, 0, -6.0001]]),
        dict(moments=[[0, 0, 0.04], [0, 0, -0.0400001]]),
        dict(casing=TETRAHEDRON),
        dict(handle=(1, 0, 0)),
    ]
    sums = {Coil(**(PAIR | change)).checksum for change in changes}
    assert len(sums | {plain.checksum}) == 5


def test_same_drawing_same_bits() -> None:
    first, second = load_coil("magstim-70mm"), load_coil("magstim-70mm")
    assert first is not second
    assert first.checksum == second.checksum


def test_summary_says_the_directions_moments_and_error() -> None:
    text = load_coil("magstim-70mm").summary()
    for line in (
        "handle             (+0.00, -1.00, +0.00)",
        "current_direction  (+0.00, +1.00, +0.00)",
        "moment at x > 0    0.03670 A m^2 per A along (+0.00, +0.00, +1.00)",
        "moment at x < 0    0.03670 A m^2 per A along (+0.00, +0.00, -1.00)",
        "max dI/dt          114.73 A/us",
        "casing             184 x 97 x 12 mm",
    ):
        assert line in text
    bare = Coil(**PAIR).summary()
    assert "error unknown" in bare
    assert "max dI/dt          unknown" in bare
    assert "casing             none" in bare


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(positions=[[0, 0]]), r"positions must be an array of shape \(n, 3\); got shape \(1, 2\)."),
        (dict(positions=np.zeros((0, 3))), "positions must hold at least one dipole; got none."),
        (dict(positions=[[0, 0, np.nan]]), "positions must be finite"),
        (dict(positions=[[0, 0, 1]]), "moments must be one per position, 1; got 2."),
        (dict(moments=[[0, 0, 0], [0, 0, 0]]), "moments must not all be zero; got a coil without a field."),
        (dict(moments="strong"), "moments must be an array of real numbers; got 'strong'."),
        (dict(name="  "), "name must be a text that is not empty"),
        (dict(name=None), "name must be a text that is not empty; got None."),
        (dict(handle=(0, 0, 0)), "handle must be a direction, not the zero vector"),
        (dict(max_didt=0), "max_didt must be a positive number; got 0.0."),
        (dict(max_didt=np.inf), "max_didt must be a positive number; got inf."),
        (dict(discretisation_error=-1), "discretisation_error must be zero or a positive number"),
        (dict(casing="box.stl"), "casing must be a meshes.Surface or None; got str."),
        (dict(casing=Surface(TETRAHEDRON.vertices, TETRAHEDRON.triangles[1:])), "casing must be a closed surface"),
        (
            dict(casing=Surface(TETRAHEDRON.vertices, TETRAHEDRON.triangles[:, ::-1])),
            "casing must have outward normals, positive volume; got -121.5 mm.3. Reverse the order",
        ),
        (dict(wires=([[0, 0, 0]],)), "wires must be a tuple of coils.Wire; got list."),
    ],
)
def test_bad_input_gets_one_sentence(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Coil(**(PAIR | change))


def test_wire_moment_of_a_square() -> None:
    wire = Wire(path=[[10, 10, 3], [30, 10, 3], [30, 30, 3], [10, 30, 3]], turns=2.0)
    np.testing.assert_allclose(wire.moment, [0.0, 0.0, 2 * 400e-6], rtol=1e-14)  # area times turns


def test_summary_of_a_circular_coil_says_where_the_direction_is_taken() -> None:
    """Half of its circumference has the opposite sign, and the centre none."""
    assert (
        "rising current, under the +x side; none under the centre)"
        in coils.load_coil("magstim-90mm-circular").summary()
    )
    assert "(of the induced E, rising current)" in coils.load_coil("magstim-70mm").summary()


def test_summary_names_the_stimulator_of_the_limit() -> None:
    assert "114.73 A/us (Magstim Rapid with D70)" in coils.load_coil("magstim-70mm").summary()


def test_summary_keeps_the_digits_of_small_moments() -> None:
    coil = Coil(positions=[[30, 0, -5], [-30, 0, -5]], moments=[[0, 0, 2e-6], [0, 0, -2e-6]], name="small")
    assert "moment at x > 0    2e-06 A m^2 per A along (+0.00, +0.00, +1.00)" in coil.summary()


def test_summary_has_the_sign_of_each_stimulator() -> None:
    flat = coils.load_coil("magstim-70mm")
    parts = [coils.Element(coils.Dipoles(flat.positions, sign * flat.moments), stimulator=k)
             for k, sign in enumerate((1.0, -2.0))]  # fmt: skip
    text = coils.Assembly(name="opposed", elements=parts).coil().summary()
    assert "    1                (+0.00, +1.00, +0.00)  (of the induced E" in text
    assert "    2                (+0.00, -1.00, +0.00)  (of the induced E" in text


def test_summary_gives_no_direction_to_the_rest_of_opposed_elements() -> None:
    angle = np.arange(40) * np.pi / 20.0
    ring = 30.0 * np.column_stack([np.cos(angle), np.sin(angle), 0.0 * angle])
    right, left = (coils.Wire(path=path + np.array([x, 0.0, -5.0])) for path, x in ((ring, 40.0), (ring[::-1], -40.0)))
    coil = coils.coil_from_wires([right, left], name="wings", elements=True)
    assert "moment of elements none: the wings cancel" in coil.summary()


def test_potential_takes_lists_and_refuses_what_is_no_point() -> None:
    coil = coils.load_coil("magstim-25mm")
    np.testing.assert_array_equal(coil.potential([[0, 0, 20]]), coil.potential(np.array([[0.0, 0.0, 20.0]])))
    with pytest.raises(ValueError, match=r"points must be an array of shape \(n, 3\)"):
        coil.potential([0, 0, 20])
    with pytest.raises(ValueError, match="points must be finite"):
        coil.potential([[0, 0, np.nan]])


@pytest.mark.parametrize("name", ["grid", "stimulator", "assembly", "wires"])
def test_parts_of_another_kind_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be a "):
        Coil(positions=[[0, 0, -5]], moments=[[0, 0, 1]], name="x", **{name: 5})
