"""Inductance against closed forms: rings, coaxial rings, squares, spirals; energy; the figures of coils.md."""

import numpy as np
import pytest
from scipy.constants import mu_0
from scipy.special import ellipe, ellipk

from coils import Coil, Wire, circular, figure_of_eight, load_coil
from coils.inductance import inductance, magnetic_energy, mean_distance
from coils.paths import rectangular_wire, spiral
from coils.windings import Winding

DIPOLE = dict(positions=[[0, 0, -5]], moments=[[0, 0, 1e-3]])


def of_wires(*wires: Wire) -> Coil:
    return Coil(**DIPOLE, name="wires", wires=wires)


def circle(radius: float, height: float = 0.0, corners: int = 144) -> np.ndarray:
    """Give corners of the polygon with the circle's area."""
    angle = 2.0 * np.pi * np.arange(corners) / corners
    step = 2.0 * np.pi / corners
    radius = radius * np.sqrt(step / np.sin(step))
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle), np.full(corners, height)])


def maxwell(a: float, b: float, apart: float) -> float:
    """Mutual inductance of two coaxial rings, mu0 sqrt(ab) ((2/k - k) K - 2 E / k) (Maxwell, art. 701), sizes in mm."""
    k = np.sqrt(4.0 * a * b / ((a + b) ** 2 + apart**2))
    return float(mu_0 * 1e-3 * np.sqrt(a * b) * ((2.0 / k - k) * ellipk(k * k) - 2.0 / k * ellipe(k * k)))


@pytest.mark.parametrize(("width", "height"), [(1.0, 1.0), (1.75, 6.0), (6.0, 1.75), (15.5, 0.2)])
def test_mean_distance_of_a_rectangle(width: float, height: float) -> None:
    """By the triangular density of differences: mean of ln r, 4 / (a b)^2 iint (a - x)(b - y) ln r."""
    node, weight = np.polynomial.legendre.leggauss(200)
    # Powers of u crowd the points at the singular corner r = 0.
    u, w = 0.5 * (1.0 + node), 0.5 * weight
    x, wx = width * u**5, 5.0 * width * u**4 * w
    y, wy = height * u**5, 5.0 * height * u**4 * w
    log = np.log(np.hypot(x[:, None], y))
    mean = 4.0 / (width * height) ** 2 * (wx * (width - x)) @ log @ (wy * (height - y))
    assert mean_distance(width, height) == pytest.approx(np.exp(mean), rel=1e-8)


def test_mean_distance_of_strips() -> None:
    """A strip's is a e^(-3/2); the closed form goes over into its limit without a step."""
    assert mean_distance(2.0, 0.0) == pytest.approx(2.0 * np.exp(-1.5), rel=1e-12)
    assert mean_distance(1.0, 0.99999e-4) == pytest.approx(mean_distance(1.0, 1.00001e-4), rel=1e-7)


def test_thin_ring_is_the_closed_form() -> None:
    """One filament with the wire's mean distance g: mu0 R (ln(8 R / g) - 2), to (g / R)^2 ln."""
    found = inductance(of_wires(Wire(path=circle(50.0))), section=(1.0, 2.0))
    closed = mu_0 * 0.05 * (np.log(8.0 * 50.0 / mean_distance(1.0, 2.0)) - 2.0)
    assert found == pytest.approx(closed, rel=2e-4)


@pytest.mark.parametrize(("width", "height", "points"), [(1.75, 6.0, (2, 3)), (6.0, 1.75, (3, 2)), (3.0, 3.0, (2, 2))])
def test_filaments_make_the_ring_of_rectangular_wire(width: float, height: float, points: tuple[int, int]) -> None:
    """Several filaments, each with a cross-section judged from its neighbours, against one with the whole one's g.

    The closed form mu0 R (ln(8 R / g) - 2) is itself good to (g / R)^2 ln(8 R / g), 2e-3 here.
    """
    wires = rectangular_wire(circle(50.0), width=width, height=height, points=points)
    closed = mu_0 * 0.05 * (np.log(8.0 * 50.0 / mean_distance(width, height)) - 2.0)
    assert inductance(of_wires(*wires)) == pytest.approx(closed, rel=0.02)
    assert inductance(of_wires(*wires), section=(width, height)) == pytest.approx(closed, rel=0.02)


def test_coaxial_rings_add_maxwells_mutual_inductance() -> None:
    first, second = Wire(path=circle(40.0)), Wire(path=circle(55.0, 12.0))
    against = Wire(path=second.path[::-1])
    mutual = maxwell(40.0, 55.0, 12.0)
    alone = sum(inductance(of_wires(wire), section=(1, 1)) for wire in (first, second))
    assert inductance(of_wires(first, second), section=(1, 1)) == pytest.approx(alone + 2.0 * mutual, rel=1e-9)
    assert inductance(of_wires(first, against), section=(1, 1)) == pytest.approx(alone - 2.0 * mutual, rel=1e-9)


@pytest.mark.parametrize("turn", [0.0, 0.4])
def test_circles_and_their_polygons_agree(turn: float) -> None:
    """Two rings side by side and tilted: closed forms against straight edges, which 40 corners or fewer are taken for.

    The polygon of 44 corners is 2e-3 off its circle.
    """
    tilt = np.array([[np.cos(turn), 0, -np.sin(turn)], [0, 1, 0], [np.sin(turn), 0, np.cos(turn)]])
    rings = []
    for corners in (144, 44):
        paths = [circle(r, corners=corners) + np.array([50.0, 0.0, z]) for r, z in ((40.0, 0.0), (30.0, 5.0))]
        wires = [Wire(path=side * (path @ tilt.T), turns=2.0) for path in paths for side in (1.0, np.array([-1, 1, 1]))]
        rings.append(inductance(of_wires(*wires), section=(2, 2)))
    assert rings[0] == pytest.approx(rings[1], rel=2e-3)


def test_square_loop_is_the_closed_form() -> None:
    """Grover: (2 mu0 s / pi) (ln(s/g) - 0.774): Neumann's integrals of parallel sides, which the code does not use."""
    side, width = 50.0, 0.5
    g = mean_distance(width, width)
    square = Wire(path=side * np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], dtype=float))

    def parallel(apart: float) -> float:
        return side * np.arcsinh(side / apart) - np.hypot(side, apart) + apart

    closed = 4.0 * mu_0 / (2.0 * np.pi) * 1e-3 * (parallel(g) - parallel(side))
    assert closed == pytest.approx(2 * mu_0 * 0.05 / np.pi * (np.log(side / g) - 0.774), rel=2e-3)
    found = inductance(of_wires(square), section=(width, width))
    assert found == pytest.approx(closed, rel=2e-4)  # the convergence asked for


def test_inductance_scales_with_size_and_turns() -> None:
    """L is homogeneous of degree one in all lengths, and of degree two in the turns."""
    path = spiral(inner_diameter=20, outer_diameter=30, turns=2.0, return_height=-4, corners=24)
    one = inductance(of_wires(Wire(path=path)), section=(1.0, 2.0))
    assert inductance(of_wires(Wire(path=2.0 * path)), section=(2.0, 4.0)) == pytest.approx(2.0 * one, rel=1e-9)
    assert inductance(of_wires(Wire(path=path, turns=3.0)), section=(1.0, 2.0)) == pytest.approx(9.0 * one, rel=1e-9)


def test_spiral_is_near_its_concentric_turns() -> None:
    """A spiral of the same pitch and mean radius as concentric turns, with the lead across it."""
    pitch = (85.25 - 57.75) / 2.0 / 8.0
    path = spiral(inner_diameter=57.75 - pitch, outer_diameter=85.25 + pitch, turns=9, corners=36)
    found = inductance(of_wires(Wire(path=path)), section=(1.75, 6.0))
    rings = [Wire(path=circle(radius)) for radius in np.linspace(57.75, 85.25, 9) / 2.0]
    assert found == pytest.approx(inductance(of_wires(*rings), section=(1.75, 6.0)), rel=0.02)


@pytest.mark.parametrize(
    ("coil", "expected"),
    [
        (figure_of_eight(inner_diameter=56, outer_diameter=87, turns=9), 16.0),
        (circular(inner_diameter=66, outer_diameter=123, turns=14), 22.2),
        (circular(inner_diameter=40, outer_diameter=94, turns=15), 15.4),
        (figure_of_eight(inner_diameter=18, outer_diameter=42, turns=14, wire_width=0.75), 11.1),
    ],
    ids=["70 mm figure-8", "90 mm circular", "70 mm circular", "25 mm figure-8"],
)
def test_deng_windings_as_another_program_computed_them(coil: Coil, expected: float) -> None:
    """The figures of reference/coils.md 7c, by `induct.py` there, printed with three digits."""
    assert 1e6 * inductance(coil) == pytest.approx(expected, rel=0.015)


@pytest.mark.parametrize(
    ("size", "limit"),
    [
        (dict(inner_diameter=56.0, outer_diameter=87.0, turns=9, wire_width=1.75, wire_height=6.0), 4e-3),
        (dict(inner_diameter=66.0, outer_diameter=123.0, turns=14, wire_width=1.75, wire_height=6.0), 2e-3),
        (dict(inner_diameter=18.0, outer_diameter=42.0, turns=14, wire_width=0.75, wire_height=6.0), 12e-3),
    ],
    ids=["70 mm", "90 mm", "25 mm"],
)
def test_six_filaments_per_turn_against_twenty(size: dict, limit: float) -> None:
    """One wing of equal cells, 2 x 10 a turn, converged to 2e-4: the two rules have only Maxwell's formula in common.

    The thin tall wires of the 25 mm coil, 0.9 mm apart and 6 mm high, are the hardest for three filaments.
    """
    winding = Winding(**size)
    columns, rows = 2, 10
    radius = (winding.radii[:, None] + winding.wire_width * ((np.arange(columns) + 0.5) / columns - 0.5)).ravel()
    height = winding.wire_height * (np.arange(rows) + 0.5) / rows
    r, z = (grid.ravel() for grid in np.meshgrid(radius, height))
    own = mean_distance(winding.wire_width / columns, winding.wire_height / rows)
    apart = np.abs(z[:, None] - z) + np.diag(np.full(len(z), own))
    k = np.sqrt(4.0 * r[:, None] * r / ((r[:, None] + r) ** 2 + apart**2))
    mutual = mu_0 * 1e-3 * np.sqrt(r[:, None] * r) * ((2.0 / k - k) * ellipk(k * k) - 2.0 / k * ellipe(k * k))
    assert inductance(circular(**size)) == pytest.approx(mutual.sum() / (columns * rows) ** 2, rel=limit)


def test_section_hardly_matters_for_many_filaments() -> None:
    coil = load_coil("magstim-70mm")
    judged = inductance(coil)
    assert inductance(coil, section=(1.75, 6.0)) == pytest.approx(judged, rel=2e-3)
    assert inductance(coil, section=(1.75 / 2.0, 3.0)) == pytest.approx(judged, rel=1e-2)


def test_energy_of_the_field_is_that_of_the_inductance() -> None:
    """Second route for the energy of one thick ring, int B^2 / 2 mu0 over all space.

    For uniform current density W = 1/2 int J . A; here over 24 x 24 points of the section with Maxwell's closed form,
    each point's cell by its mean distance: converged to 1e-3, and no rule of few filaments.
    """
    coil = circular(inner_diameter=90, outer_diameter=102, turns=1, wire_width=6.0, wire_height=6.0)
    count = 24
    offsets = 6.0 * ((np.arange(count) + 0.5) / count - 0.5)
    radius, height = (grid.ravel() for grid in np.meshgrid(48.0 + offsets, offsets))
    apart = height[:, None] - height + np.diag(np.full(count**2, mean_distance(6.0 / count, 6.0 / count)))
    mutual = np.vectorize(maxwell)(radius[:, None], radius, apart)
    energy = 0.5 * float(mutual.mean()) * 5000.0**2
    assert magnetic_energy(coil, 5000.0) == pytest.approx(energy, rel=0.01)
    assert magnetic_energy(coil, -5000.0) == magnetic_energy(coil, 5000.0)
    assert magnetic_energy(coil, 5000.0) == pytest.approx(0.5 * inductance(coil) * 25e6, rel=1e-12)


def test_what_cannot_be_computed_says_so() -> None:
    with pytest.raises(ValueError, match="coil must have wires for its inductance; got bare without"):
        inductance(Coil(**DIPOLE, name="bare"))
    thin = of_wires(Wire(path=circle(50.0)))
    with pytest.raises(ValueError, match=r"section must be given, width and height of one turn \(mm\)"):
        inductance(thin)
    with pytest.raises(ValueError, match="section must be a positive number; got 0"):
        inductance(thin, section=(1.0, 0.0))
    with pytest.raises(ValueError, match="current must be finite"):
        magnetic_energy(thin, float("nan"), section=(1.0, 1.0))
    with pytest.raises(ValueError, match="width and height must not both be zero"):
        mean_distance(0.0, 0.0)
