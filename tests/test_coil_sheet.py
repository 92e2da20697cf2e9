"""The sheet of a coil: what the pixels show, what the table says, and that the field shown is the coil's."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import coils
from coils.potential import turn_potential
from efield import viewer
from efield.viewer import sheet
from efield.viewer.coil_field import plane_field
from efield.viewer.coil_views import BACK, HANDLE, SIDE

FIGURE8 = coils.load_coil("magstim-70mm")
ROUND = coils.load_coil("magstim-90mm-circular")

# Parts of the sheet, as fractions from the left and the top.
BACK_PANEL = (0.04, 0.085, 0.37, 0.625)
FIELD_PANEL = (0.425, 0.085, 0.725, 0.625)
HANDLE_PANEL = (0.04, 0.725, 0.37, 0.94)
SIDE_PANEL = (0.425, 0.725, 0.725, 0.94)
TABLE = (0.795, 0.085, 0.99, 0.94)


def bare(coil: coils.Coil) -> coils.Coil:
    """Return the coil as a file of dipoles has it: no winding, no casing."""
    return coils.Coil(positions=coil.positions, moments=coil.moments, name="bare")


def polygon(corners: int = 200, radius: float = 40.0, z: float = -6.0) -> coils.Segments:
    """Return a circle of short current elements around the z axis, current counter-clockwise seen from +z."""
    angle = 2.0 * np.pi * np.arange(corners) / corners
    points = np.column_stack([radius * np.cos(angle), radius * np.sin(angle), np.full(corners, z)])
    tangent = np.column_stack([-np.sin(angle), np.cos(angle), np.zeros(corners)])
    return coils.Segments(points=points, vectors=2.0 * np.pi * radius / corners * tangent)


def drawn(coil: coils.Coil, folder: Path) -> np.ndarray:
    """Draw a sheet and return its pixels, shape (1240, 2000, 3), 0 to 255."""
    from matplotlib.image import imread

    viewer.coil_sheet(coil, folder / "sheet.png")
    return np.rint(255.0 * imread(folder / "sheet.png")[..., :3]).astype(int)


def part(image: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    left, top, right, bottom = box
    rows, columns = image.shape[:2]
    return image[int(top * rows) : int(bottom * rows), int(left * columns) : int(right * columns)]


def share(image: np.ndarray, colour: tuple[int, int, int], within: int = 25) -> float:
    """Return the share of pixels of about a colour."""
    return float((np.abs(image - np.array(colour)).max(axis=2) <= within).mean())


COPPER, CASING, TARGET, YELLOW = (176, 84, 31), (213, 218, 225), (228, 0, 58), (253, 231, 37)


def test_the_sheet_shows_coil_field_and_table(tmp_path: Path) -> None:
    image = drawn(FIGURE8, tmp_path)
    assert image.shape == (1240, 2000, 3)
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]
    for panel in (BACK_PANEL, HANDLE_PANEL, SIDE_PANEL):
        assert share(part(image, panel), COPPER) > 0.002
        assert share(part(image, panel), CASING) > 0.05
        assert share(part(image, panel), TARGET) > 0.0005
    field = part(image, FIELD_PANEL)
    assert share(field, TARGET) > 0.0005  # the arrow of E
    assert share(field, (68, 1, 84), 40) > 0.05  # the dark end of viridis, far from the coil
    rows, columns = field.shape[:2]
    middle = field[int(0.45 * rows) : int(0.55 * rows), int(0.47 * columns) : int(0.53 * columns)]
    assert share(middle, YELLOW, 45) > 0.3  # and its bright end under the junction
    table = part(image, TABLE)
    assert 0.02 < (table.max(axis=2) < 200).mean() < 0.3


def test_seen_from_the_back_the_right_wing_is_on_the_left(tmp_path: Path) -> None:
    """With +z away from the eye and +y up, +x of a right-handed frame runs to the left: in the view and in the map."""
    right = coils.Coil(positions=[[50.0, 0.0, -6.0]], moments=[[0.0, 0.0, 0.04]], name="right", wires=FIGURE8.wires)
    image = part(drawn(right, tmp_path), FIELD_PANEL).astype(float)
    bright = image[..., 1] - image[..., 2]  # green over blue: viridis rises
    columns = image.shape[1]
    assert bright[:, : columns // 2].mean() > bright[:, columns // 2 :].mean() + 10.0
    x, y, z = np.eye(3)
    for flat, right_hand, up, towards in ((BACK, -x, y, -z), (HANDLE, -x, -z, -y), (SIDE, y, -z, -x)):
        np.testing.assert_array_equal(flat.of(right_hand), [1.0, 0.0])
        np.testing.assert_array_equal(flat.of(up), [0.0, 1.0])
        assert flat.away(towards) == -1.0
        # What is right, up and towards the eye is right-handed, or the picture would be a mirror image.
        np.testing.assert_array_equal(np.cross(right_hand, up), towards)


def test_dipoles_without_winding_are_coloured_by_their_moments(tmp_path: Path) -> None:
    image = part(drawn(bare(FIGURE8), tmp_path), BACK_PANEL)
    red, green, blue = np.moveaxis(image, 2, 0)
    rows, columns = red.shape
    below_bar = slice(int(0.12 * rows), rows)  # the colour bar has both colours
    reds = ((red > blue + 60) & (red > 140) & (green < red - 60))[below_bar]
    blues = ((blue > red + 60) & (blue > 140))[below_bar]
    # Right wing, on the left of the picture: moments into the head, +z, red; the other blue.
    assert reds[:, : columns // 2].sum() > 300
    assert blues[:, columns // 2 :].sum() > 300
    assert blues[:, : int(0.45 * columns)].sum() < 0.1 * blues.sum()
    assert share(image, CASING, 3) < 0.001


def test_current_elements_are_drawn(tmp_path: Path) -> None:
    coil = coils.Coil(segments=polygon(), name="ring")
    assert share(part(drawn(coil, tmp_path), BACK_PANEL), COPPER) > 0.005
    facts = viewer.coil_facts(coil)
    assert facts["Sources"] == "200 current elements"
    # Area of the circle, 50.3 cm^2, current counter-clockwise about +z.
    assert facts["Moment of elements"] == "50.3 cm² along (+0.00, +0.00, +1.00)"
    assert "Moment, x > 0" not in facts


def test_the_table_has_every_line() -> None:
    facts = viewer.coil_facts(FIGURE8)
    assert facts["Handle"] == "(+0.00, -1.00, +0.00)"
    assert facts["Induced E"].startswith("(+0.00, +1.00, +0.00)")
    right, left = FIGURE8.wing_moments
    assert facts["Moment, x > 0"] == f"{1e4 * right[2]:.1f} cm² along (+0.00, +0.00, +1.00)"
    assert facts["Moment, x < 0"] == f"{-1e4 * left[2]:.1f} cm² along (+0.00, +0.00, -1.00)"
    assert facts["Winding"] == "18 turns in all"
    assert facts["Sources"] == f"{FIGURE8.n_dipoles} dipoles"
    assert FIGURE8.discretisation_error is not None
    assert f"{100.0 * FIGURE8.discretisation_error:.2g} %" in facts["Error of sources"]
    assert "114.73 A/µs" in facts["Max dI/dt"]
    assert facts["Casing"].startswith("184 × 97 × 12 mm")
    assert facts["Source"] == FIGURE8.source
    plain = viewer.coil_facts(bare(FIGURE8))
    assert (plain["Casing"], plain["Max dI/dt"], plain["Source"]) == ("none", "unknown", "not stated")
    assert plain["Error of sources"] == "unknown"


def test_all_of_the_table_is_on_the_sheet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each name and value is put on the sheet, and the last line ends above its lower edge."""
    coil = dataclasses.replace(FIGURE8, source="long " * 200)
    texts: list[str] = []
    bottoms: list[float] = []
    compose = sheet._compose

    def spy(*arguments: object) -> object:
        figure = compose(*arguments)  # type: ignore[arg-type]  # passed on
        for text in figure.axes[-1].texts:
            texts.append(" ".join(text.get_text().split()))
            bottoms.append(text.get_window_extent().y0)
        return figure

    monkeypatch.setattr(sheet, "_compose", spy)
    viewer.coil_sheet(coil, tmp_path / "sheet.png")
    facts = viewer.coil_facts(coil)
    assert len(texts) == 2 * len(facts)
    for name, value in facts.items():
        assert name in texts
        assert any(text.startswith(" ".join(value.split())[:60]) for text in texts)
    assert min(bottoms) > 0.0


def test_the_field_is_that_of_the_turns() -> None:
    """Against the exact potential of circular filaments: to the dipoles' stated error and better."""
    field = plane_field(ROUND)
    x, y = np.meshgrid(field.x, field.y)
    distance = np.hypot(x, y)
    total = np.zeros_like(distance)
    radii = np.linspace(66.0 / 2.0 + 0.875, 123.0 / 2.0 - 0.875, 14)  # Deng's no. 5: turns of 1.75 x 6 mm, 3 mm deep
    node, weight = np.polynomial.legendre.leggauss(3)
    for radius in radii:
        for height, part_ in zip(3.0 * node - 6.0, weight / 2.0, strict=True):
            total += part_ * turn_potential(distance, np.full_like(distance, 20.0 - height), radius)
    # mu0 / 4 pi = 1e-7 T m/A, at 1e6 A/s; the radial width of the wire is left out, which is worth 1e-4.
    np.testing.assert_allclose(field.magnitude, 0.1 * total, atol=2e-3 * field.peak)
    assert not field.near.any()
    assert field.magnitude[len(field.y) // 2, len(field.x) // 2] < 1e-3 * field.peak


def test_the_map_of_current_elements_is_that_of_the_circle() -> None:
    field = plane_field(coils.Coil(segments=polygon(), name="ring"))
    x, y = np.meshgrid(field.x, field.y)
    exact = 0.1 * turn_potential(np.hypot(x, y), np.full_like(x, 26.0), 40.0)
    np.testing.assert_allclose(field.magnitude, exact, atol=1e-4 * exact.max())


@pytest.mark.parametrize("coil", [FIGURE8, ROUND, bare(FIGURE8)], ids=["figure-8", "circular", "bare"])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_arrow_of_e_stands_where_it_is_true(coil: coils.Coil, sign: float) -> None:
    coil = dataclasses.replace(coil, moments=sign * coil.moments)
    field = plane_field(coil)
    row, column = np.abs(field.y - field.spot[1]).argmin(), np.abs(field.x - field.spot[0]).argmin()
    there = field.vectors[row, column]
    assert field.direction is not None
    assert there @ field.direction > 0.999 * np.linalg.norm(there)
    assert np.linalg.norm(there) > 0.95 * field.peak
    # Faraday: the rate of change of the current under the arrow is opposite to E, here by the sign of the moment.
    assert field.direction[1] * sign * (1.0 if coil is not ROUND and field.spot[0] == 0.0 else -1.0) > 0.99


def test_where_wings_reach_through_the_plane_they_do_not_set_the_scale() -> None:
    cone = coils.figure_of_eight(inner_diameter=96, outer_diameter=125, turns=7, wing_angle=100, name="cone")
    field = plane_field(cone)
    assert 0.02 < field.near.mean() < 0.3
    assert field.magnitude.max() > field.peak
    assert field.peak == field.magnitude[~field.near].max()
    assert "10 mm or more from the winding" in field.words()
    on_axis = field.profile
    assert (np.diff(on_axis) < 0.0).all()


def test_dipoles_over_an_opening_leave_no_trace() -> None:
    """The double cone's dipoles lie on domes over its open wings: the map shows the wires' field there, by Stokes."""
    cone = coils.load_coil("magstim-double-cone")
    field = plane_field(cone)
    x, y = np.meshgrid(field.x, field.y)
    points = np.column_stack([x.ravel(), y.ravel(), np.full(x.size, 20.0)])
    gap = np.linalg.norm(points[:, None] - cone.positions[None, ::3], axis=2).min(axis=1)
    chosen = np.flatnonzero((gap < 6.0) & ~field.near.ravel())
    assert len(chosen) > 20
    exact = np.zeros((len(chosen), 3))
    for wire in cone.wires:  # straight pieces in closed form: ln((r1 + r2 + L) / (r1 + r2 - L)) along each
        ends = np.roll(wire.path, -1, axis=0)
        r1, r2 = (np.linalg.norm(points[chosen, None] - corner, axis=2) for corner in (wire.path, ends))
        length = np.linalg.norm(ends - wire.path, axis=1)
        weight = np.log((r1 + r2 + length) / (r1 + r2 - length))
        exact -= 0.1 * wire.turns * weight @ ((ends - wire.path) / length[:, None])
    np.testing.assert_allclose(field.vectors.reshape(-1, 3)[chosen], exact, atol=2e-3 * field.peak)
    # Smooth: no step where the map passes from dipoles to wires, 15 mm from the nearest dipole.
    steps = np.abs(np.diff(field.magnitude, axis=0))[~field.near[1:]]
    assert steps.max() < 0.12 * field.peak


def test_a_coil_on_a_grid_is_shown_where_it_is_known(tmp_path: Path) -> None:
    axis = np.arange(-60.0, 61.0, 4.0)
    depth = np.arange(12.0, 33.0, 2.0)
    nodes = np.stack(np.meshgrid(axis, axis, depth, indexing="ij"), axis=-1)
    values = 1e-7 * FIGURE8.potential(nodes.reshape(-1, 3)).reshape(nodes.shape)
    affine = np.diag([4.0, 4.0, 2.0, 1.0])
    affine[:3, 3] = [-60.0, -60.0, 12.0]
    grid = pytest.importorskip("coils.grid").PotentialGrid(values, affine)
    coil = coils.Coil(grid=grid, name="grid")
    field, reference = plane_field(coil), plane_field(FIGURE8)
    assert field.peak == pytest.approx(reference.peak, rel=5e-3)  # linear between nodes 4 mm apart
    assert np.isnan(field.profile[[0, 3, 4]]).all()
    assert np.isfinite(field.profile[[1, 2]]).all()
    facts = viewer.coil_facts(coil, field)
    assert facts["Sources"] == "vector potential on a grid"
    assert facts["Moment"] == "not known from a grid"
    assert share(part(drawn(coil, tmp_path), FIELD_PANEL), YELLOW, 45) > 0.005


def test_bad_input_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"^coil must be a coils\.Coil; got str"):
        viewer.coil_sheet("magstim-70mm", tmp_path / "x.png")  # type: ignore[arg-type]  # on purpose
    with pytest.raises(FileNotFoundError, match=r"^path must lie in a folder that exists; got"):
        viewer.coil_sheet(FIGURE8, tmp_path / "missing" / "x.png")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_old_sheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.figure import Figure

    path = tmp_path / "sheet.png"
    path.write_text("old")

    def full(_: object, target: Path, **__: object) -> None:
        Path(target).write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", full)
    with pytest.raises(OSError, match="No space left"):
        viewer.coil_sheet(FIGURE8, path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["sheet.png"]
    assert path.read_text() == "old"
