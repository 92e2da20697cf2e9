"""Placement by the direction of the induced current: proved on the field itself, in a sphere."""

import dataclasses

import numpy as np
import pytest

import coils
import efield
import meshes
from efield.directions import CURRENTS, current_on_scalp

# On the left; over it, medial is +x. The right one mirrors it.
LEFT = np.array([-50.0, 20.0, 70.0])

# In head space, before the projection on the scalp; diagonals have a test of their own.
AXES = {"PA": (0, 1, 0), "AP": (0, -1, 0), "LM": (1, 0, 0), "ML": (-1, 0, 0)}


@pytest.fixture(scope="module")
def sphere() -> meshes.HeadModel:
    return meshes.sphere_head([90.0], [0.33], subdivisions=4)


def negated(coil: coils.Coil) -> coils.Coil:
    """Return the coil with its current reversed, as makers differ in it."""
    return dataclasses.replace(coil, moments=-coil.moments, name=f"{coil.name} reversed")


def turned(coil: coils.Coil, degrees: float) -> coils.Coil:
    """Return the coil with its windings turned about z in its own frame: a current across the handle."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    return coils.Coil(
        positions=coil.positions @ turn.T, moments=coil.moments @ turn.T, name=f"turned by {degrees:g} degrees"
    )


FIGURE8 = coils.load_coil("magstim-70mm")
ROUND = coils.load_coil("magstim-90mm-circular")
COILS = [FIGURE8, negated(FIGURE8), turned(FIGURE8, 90.0), turned(FIGURE8, -37.0)]


def projected(direction: np.ndarray, normal: np.ndarray) -> np.ndarray:
    part = direction - (direction @ normal) * normal
    return part / np.linalg.norm(part)


def induced(coil: coils.Coil, pose: meshes.Pose, local: np.ndarray) -> np.ndarray:
    """Return the direction of E in a conducting sphere, at a point of the coil's frame, for rising current."""
    field = efield.analytic.sphere_field(
        pose.apply(local[None]), pose.apply(coil.positions), pose.apply_vectors(coil.moments), didt=1e6
    )[0]
    return field / np.linalg.norm(field)


@pytest.mark.parametrize("coil", COILS, ids=lambda coil: coil.name)
@pytest.mark.parametrize("name", AXES)
@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_the_field_under_a_figure_of_eight_runs_as_named(
    sphere: meshes.HeadModel, coil: coils.Coil, name: str, side: float
) -> None:
    centre = LEFT * [-side, 1.0, 1.0]
    wish = np.array(AXES[name], dtype=float)
    if name in ("LM", "ML"):
        wish[0] *= -side  # lateral to medial is +x on the left, -x on the right
    pose = efield.place(sphere, centre, current=name, coil=coil)
    wanted = projected(wish, -pose.z_axis)
    np.testing.assert_allclose(pose.apply_vectors(coil.current_direction), wanted, atol=1e-9)
    # The exact field in the sphere, 15 mm under the scalp: by symmetry along the same line.
    assert induced(coil, pose, np.array([0.0, 0.0, 19.0])) @ wanted > 0.9999


@pytest.mark.parametrize("coil", [ROUND, negated(ROUND)], ids=lambda coil: coil.name)
@pytest.mark.parametrize("name", ["PA", "AP", "LM", "ML"])
def test_under_a_circular_coil_the_side_at_plus_x_counts(sphere: meshes.HeadModel, coil: coils.Coil, name: str) -> None:
    pose = efield.place(sphere, LEFT, current=name, coil=coil)
    wanted = projected(np.array(AXES[name], dtype=float), -pose.z_axis)
    np.testing.assert_allclose(pose.apply_vectors(coil.current_direction), wanted, atol=1e-9)
    # 45 mm aside is under the winding (radii 33 to 61 mm); at a depth of 30 mm in the coil's frame that is in the head.
    assert induced(coil, pose, np.array([45.0, 0.0, 30.0])) @ wanted > 0.999


@pytest.mark.parametrize("coil", [FIGURE8, negated(FIGURE8)], ids=lambda coil: coil.name)
@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_the_diagonal_is_45_degrees_from_pa_towards_the_midline(
    sphere: meshes.HeadModel, coil: coils.Coil, side: float
) -> None:
    centre = LEFT * [-side, 1.0, 1.0]
    pa, pl, am = (
        efield.place(sphere, centre, current=name, coil=coil).apply_vectors(coil.current_direction)
        for name in ("PA", "PL-AM", "AM-PL")
    )
    assert pl @ pa == pytest.approx(np.sqrt(0.5), abs=1e-12)
    np.testing.assert_allclose(am, -pl, atol=1e-12)
    assert pl[0] * side < -0.4  # towards the midline
    assert pl[1] > 0.4


def test_over_the_vertex_names_are_the_heads_axes() -> None:
    root = np.sqrt(0.5)
    up = (0.0, 0.0, 1.0)
    expected = {**AXES, "PL-AM": (root, root, 0.0), "AM-PL": (-root, -root, 0.0)}
    assert set(expected) == set(CURRENTS)
    for name, direction in expected.items():
        np.testing.assert_allclose(current_on_scalp(name, (-10.0, 0.0, 90.0), up), direction, atol=1e-15)
        mirrored = np.array(direction) * [-1.0, 1.0, 1.0]
        np.testing.assert_allclose(current_on_scalp(name.lower(), (10.0, 0.0, 90.0), up), mirrored, atol=1e-15)


def test_a_figure_of_eight_by_current_is_the_one_by_handle(sphere: meshes.HeadModel) -> None:
    """Its current runs away from the handle: handle to the back and PA are the same pose."""
    for name, handle in (("PA", (0, -1, 0)), ("LM", (-1, 0, 0))):
        by_name = efield.place(sphere, LEFT, current=name, coil=FIGURE8)
        by_handle = efield.place(sphere, LEFT, handle=handle, coil=FIGURE8)
        np.testing.assert_allclose(by_name.matrix, by_handle.matrix, atol=1e-9)
    by_reversal = efield.place(sphere, LEFT, current="PA", coil=FIGURE8)
    reversed_coil = efield.place(sphere, LEFT, current="PA", coil=negated(FIGURE8))
    np.testing.assert_allclose(reversed_coil.y_axis, -by_reversal.y_axis, atol=1e-9)


def test_a_vector_will_do_for_a_name(sphere: meshes.HeadModel) -> None:
    by_name = efield.place(sphere, LEFT, current="AP", coil=FIGURE8)
    by_vector = efield.place(sphere, LEFT, current=(0.0, -3.0, 0.0), coil=FIGURE8)
    np.testing.assert_allclose(by_name.matrix, by_vector.matrix, atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"current": "PA"}, r"^coil must be given with current, since coils differ in the sign.*got None"),
        ({"current": "PA", "coil": FIGURE8, "handle": (0, -1, 0)}, r"^handle must not be given together with current"),
        ({"current": "up", "coil": FIGURE8}, r"^current must be one of PA, AP, LM, ML, PL-AM, AM-PL, or a vector; got"),
        ({"current": (0, 0, 0), "coil": FIGURE8}, r"^current must be a direction, not the zero vector"),
        ({"current": "LM", "coil": FIGURE8, "centre": (2, 0, 90)}, r"^centre must lie 5 mm or more .* got x = 2\.0 mm"),
        ({"current": "AM-PL", "coil": FIGURE8, "centre": (-2, 0, 90)}, r"current AM-PL, which needs a side"),
        ({"current": "PA", "coil": FIGURE8, "centre": (0, 90, 0)}, r"^current must not point straight into .* got PA"),
        ({"current": "LM", "coil": FIGURE8, "centre": (90, 0, 0)}, r"^current must not point straight into .* got LM"),
        (
            {"current": "PA", "coil": coils.Coil(positions=[[0, -30, 20]], moments=[[1, 0, 0]], name="upright")},
            r"^coil must induce a current along the scalp .* got upright",
        ),
    ],
)
def test_bad_input_gets_a_sentence(sphere: meshes.HeadModel, arguments: dict, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        efield.place(sphere, **({"centre": LEFT} | arguments))
