"""Pictures: what the scene holds, what the pixels show, and what happens where nothing can be drawn."""

import sys
from pathlib import Path

import numpy as np
import pytest

import efield
from efield import report, viewer
from efield.viewer import figure, offscreen
from efield.viewer.offscreen import render
from efield.viewer.view import View


@pytest.fixture(scope="module")
def result(small_result: efield.SearchResult) -> efield.SearchResult:
    return small_result


@pytest.fixture(scope="module")
def scene(result: efield.SearchResult) -> viewer.Scene:
    return viewer.scene_of_search(result, facts={"name": "value"}, didt=50e6)


def drawn(scene: viewer.Scene, view: View) -> np.ndarray:
    """Draw one view, or skip where there is no OpenGL."""
    try:
        return render(scene, [view])[view.name]
    except viewer.RenderError as error:
        pytest.skip(str(error))


def test_a_scene_is_linear_in_didt(scene: viewer.Scene, result: efield.SearchResult) -> None:
    assert np.allclose(scene.magnitude, 50.0 * result.field.magnitude, rtol=1e-14)
    assert np.linalg.norm(scene.field) == pytest.approx(50.0 * result.field_at_target, rel=1e-14)
    assert scene.search is not None
    assert np.allclose(scene.search.values, 50.0 * result.table["value"], rtol=1e-14)
    assert f"{50.0 * result.field_at_target:#.3g} V/m at the target for dI/dt = 50 A/µs" in scene.subtitle


def test_a_scene_puts_the_coil_where_the_pose_says(scene: viewer.Scene, result: efield.SearchResult) -> None:
    assert scene.casing is not None
    # The coil's frame has its origin in the casing's head side, all of the casing behind it.
    depth = (scene.casing.vertices - result.pose.origin) @ scene.outward
    assert depth.min() == pytest.approx(0.0, abs=1e-9)
    assert scene.handle @ result.pose.y_axis == pytest.approx(-1.0, abs=1e-12)
    # Nine turns in each of two wings: one line for each, not one for each filament of its cross-section.
    assert len(scene.windings) == 18


def test_a_slice_shows_the_field_at_its_place(scene: viewer.Scene, result: efield.SearchResult) -> None:
    part = scene.slice
    rows, columns = part.magnitude.shape
    left, right, bottom, top = part.extent
    row, column = np.argwhere(np.isfinite(part.magnitude))[0] + (5, 5)
    x = left + (column + 0.5) * (right - left) / columns
    y = bottom + (row + 0.5) * (top - bottom) / rows
    there = scene.focus + x * part.right + y * part.up
    exact = 50.0 * np.linalg.norm(result.field.at(there[None]))
    # The far part of the charges' field is approximated to 1e-4, differently for each set of points.
    assert part.magnitude[row, column] == pytest.approx(exact, rel=2e-4)
    # The slice goes through the focus, and holds the coil's axis and the handle.
    assert abs((scene.pose.origin - scene.focus) @ part.up) > 10.0
    assert abs(part.normal @ scene.outward) < 1e-12
    assert abs(part.normal @ scene.handle) < 1e-12


def test_the_cortex_has_its_size_and_colour(scene: viewer.Scene) -> None:
    """The picture of a sphere of 76.5 or 81 mm is a disc of that size; where the field is greatest it is yellow."""
    view = View("cortex", (0.0, 0.0, 0.0), scene.outward, (0.0, 1.0, 0.0), 200.0, (400, 400))
    image = drawn(scene, view)
    painted = (image < 250).any(axis=2)
    flat = view.project(scene.cortex.vertices)
    seen = painted.sum() * (200.0 / 400) ** 2
    # Silhouette of a sphere of flat triangles: between the disc of its vertices' greatest distance and that of its
    # faces' nearest point, 3 % less for 320 triangles; and the edge of the picture is half a pixel wide.
    radius = np.linalg.norm(flat, axis=1).max()
    assert 0.94 * np.pi * radius**2 < seen < 1.01 * np.pi * radius**2
    bright = scene.cortex.vertices[scene.magnitude.argmax()]
    dark = scene.cortex.vertices[
        np.where(scene.cortex.vertices @ scene.outward > 60.0, scene.magnitude, np.inf).argmin()
    ]
    colours = []
    for place in (bright, dark):
        x, y = view.project(place[None])[0]
        colours.append(image[int(200 - 2 * y), int(200 + 2 * x)].astype(float))
    # viridis runs from blue-purple to yellow: red and green rise, blue falls.
    assert colours[0][1] - colours[0][2] > colours[1][1] - colours[1][2] + 20.0


def test_the_head_is_opened_towards_the_eye(scene: viewer.Scene) -> None:
    """Scalp, skull and the coil's winding are all to be seen, each in its colour."""
    image = drawn(scene, figure.head_view(scene)).astype(float)
    red, green, blue = np.moveaxis(image, 2, 0)
    copper = (red > 1.5 * green) & (green > blue)
    assert copper.mean() > 0.002
    assert (image.min(axis=2) > 250).mean() > 0.2  # white background
    assert (image.min(axis=2) > 250).mean() < 0.9


def test_the_figure_is_written_whole(scene: viewer.Scene, tmp_path: Path) -> None:
    problem = viewer.save_figure(scene, tmp_path / "figure.png")
    if problem is not None:
        pytest.skip(problem)
    content = (tmp_path / "figure.png").read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert (int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")) == (2000, 1240)
    assert [path.name for path in tmp_path.iterdir()] == ["figure.png"]


def test_without_opengl_the_numbers_and_the_flat_panels_stay(
    result: efield.SearchResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """VTK crashes the process where it finds no OpenGL; here a child process that kills itself stands for it."""
    crash = tmp_path / "crash"
    crash.write_text(f"#!{sys.executable}\nimport os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    crash.chmod(0o700)
    monkeypatch.setattr(offscreen.sys, "executable", str(crash))
    problem = report.write(result, tmp_path / "out")
    assert problem is not None
    assert "crashed with signal 11" in problem
    assert "apt-get install libegl1" in problem
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "field.vtp",
        "figure.png",
        "navigation",
        "report.html",
        "summary.json",
    ]


def test_drawing_that_fails_says_why(scene: viewer.Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    view = View("cortex", (0, 0, 0), (0, 0, 1), (0, 1, 0), 200.0, (40, 40))
    monkeypatch.setattr(offscreen.sys, "executable", "/bin/false")
    with pytest.raises(viewer.RenderError, match="exit code 1"):
        render(scene, [view])


def test_a_simulation_is_drawn_without_a_search(result: efield.SearchResult) -> None:
    scene = viewer.scene_of_field(result.head, result.coil, result.pose, result.field, facts={})
    assert scene.search is None
    assert scene.focus_name == "peak of |E|"
    peak = result.field.peak()
    assert np.array_equal(scene.focus, peak.position)


def test_a_field_elsewhere_cannot_be_drawn(result: efield.SearchResult, small_solver: efield.BemSolver) -> None:
    field = small_solver.solve(result.coil, result.pose, points=[[0.0, 0.0, 50.0]])
    with pytest.raises(ValueError, match="field must be known on the head's cortex, 162 points; got 1"):
        viewer.scene_of_field(result.head, result.coil, result.pose, field, facts={})
