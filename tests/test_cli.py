"""The command line: what it writes, what it says, and what it refuses before anything is computed."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import efield
import meshes
from efield import report
from efield.cli import app
from efield.cli.simulate import read_pose

COARSE = ("--spacing", "8", "--radius", "8", "--angle-step", "15", "--gap", "0.05", "--no-figure")


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words), env={"COLUMNS": "160"})


@pytest.fixture
def small(
    monkeypatch: pytest.MonkeyPatch, small_head: meshes.HeadModel, small_solver: efield.BemSolver, tmp_path: Path
) -> Path:
    """Let the small sphere and its solver stand for every head, and work in a folder of its own."""
    monkeypatch.setattr(meshes, "load_head", lambda *_, **__: small_head)
    monkeypatch.setattr(efield, "BemSolver", lambda _: small_solver)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def no_solver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail if anything is computed."""
    if "small" in request.fixturenames:
        request.getfixturevalue("small")  # first, since it puts another solver in the same place

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("the solver must not be reached")

    monkeypatch.setattr(efield, "BemSolver", forbidden)


def test_target_writes_a_result_and_says_it(small: Path) -> None:
    outcome = run("target", "m1-hand", "--side", "right", "--didt", "2e6", "--field", "80", *COARSE)
    assert outcome.exit_code == 0, outcome.stderr
    folder = small / "m1-hand-right"
    assert sorted(path.name for path in folder.iterdir()) == ["field.vtp", "navigation", "report.html", "summary.json"]
    summary = json.loads((folder / "summary.json").read_text())
    value = summary["field_at_1_A_per_us"]["at_target_V_per_m"]
    assert f"|E| = {2.0 * value:#.3g} V/m at the target" in outcome.stdout
    assert f"{80.0 / value:.1f} A/µs" in outcome.stdout
    assert summary["dose"]["didt_A_per_s"] * value == pytest.approx(80e6, rel=1e-12)
    assert "Result written to m1-hand-right" in outcome.stderr
    greatest = summary["field_at_1_A_per_us"]["cortex_maximum_V_per_m"]
    assert f"maximum {2.0 * greatest:#.3g}" in outcome.stdout
    assert meshes.Pose(summary["pose"]["matrix_coil_to_head_mm"]).origin[0] > 0.0  # the right side is the right side


def test_simulate_repeats_the_pose_of_a_search(small: Path, small_result: efield.SearchResult) -> None:
    small_result.save(small / "first")
    outcome = run("simulate", "--pose", "first/summary.json", "--out", "second", "--didt", "3e6", "--no-figure")
    assert outcome.exit_code == 0, outcome.stderr
    first, second = (json.loads((small / name / "summary.json").read_text()) for name in ("first", "second"))
    # Poses are written with nine decimals; fields are linear in dI/dt.
    peaks = first["field_at_1_A_per_us"]["cortex_peak_V_per_m"], second["field"]["cortex_peak_V_per_m"]
    assert peaks[1] == pytest.approx(3.0 * peaks[0], rel=1e-6)
    assert np.allclose(second["pose"]["matrix_coil_to_head_mm"], first["pose"]["matrix_coil_to_head_mm"], atol=1e-8)


def test_simulate_places_by_hand(small: Path) -> None:
    outcome = run(
        "simulate", "--centre", "0,0,100", "--handle", "-1,0,0", "--distance", "5", "--out", "x", "--no-figure"
    )
    assert outcome.exit_code == 0, outcome.stderr
    summary = json.loads((small / "x" / "summary.json").read_text())
    assert np.allclose(summary["pose"]["handle"], [-1.0, 0.0, 0.0], atol=0.05)  # facets of 320 triangles tilt it
    assert "points left" in outcome.stdout
    assert f"maximum {summary['field']['cortex_maximum_V_per_m']:#.3g}" in outcome.stdout


@pytest.mark.parametrize("words", ["target m1-hand", "simulate --centre 0,0,90 --out x", "targets"])
def test_the_standard_resolution_is_the_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: str) -> None:
    """Stop where the head is loaded, and look at what was asked for."""
    asked: list[object] = []

    def stop(name: str, *, resolution: str) -> None:
        asked.append((name, resolution))
        raise ValueError("stopped here")

    monkeypatch.setattr(meshes, "load_head", stop)
    monkeypatch.chdir(tmp_path)
    for extra, resolution in (((), "standard"), (("--resolution", "fast"), "fast")):
        assert "stopped here" in run(*words.split(), *extra).stderr
        assert asked.pop() == ("pycortex", resolution)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("target m1-hand --coil nosuch", "--coil must be one of 'mag"),
        ("simulate --out x --centre 0,0,90 --coil nosuch", "--coil must be one of 'mag"),
        ("target m1-hand --distance -1", "--distance must be"),
        ("target m1-hand --angle-step 0", "--angle-step must be"),
        ("target m1-hand --spacing nan", "--spacing must be"),
        ("target m1-hand --didt 0", "--didt must be"),
        ("target m1-hand --field inf", "--field must be"),
        ("target nosuch", "TARGET must be one of 'm1-hand'"),
        ("target m1-leg", "head must have the region 'm1-leg-left'"),
        ("target m1-hand --side up", "'up' is not one of 'left', 'right'"),
        ("target", "TARGET must be given"),
        ("simulate --out x", "pose must be given by either --pose FILE or --centre x,y,z"),
        ("simulate --out x --pose nosuch.json", "--pose must be a file with a 4 x 4 matrix; got nosuch.json"),
        ("simulate --out x --centre 1,2", "--centre must be three numbers x,y,z; got '1,2'"),
        ("simulate --out x --centre 1,2,nan", "--centre must be three numbers x,y,z"),
        ("simulate --out x --centre 0,0,90 --handle 0,0,0", "handle must"),
        ("simulate --pose p.json", "Missing option '--out'"),
    ],
)
@pytest.mark.usefixtures("no_solver")
def test_bad_input_gets_a_sentence_and_code_2(small: Path, words: str, sentence: str) -> None:
    outcome = run(*words.split())
    assert outcome.exit_code == 2, outcome.output
    said = " ".join(outcome.stderr.replace("│", " ").split())
    assert sentence in said
    assert "Traceback" not in outcome.output
    assert list(small.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("target m1-hand --head nosuch", "--head must be one of 'pycortex', 'fsaverage'; got 'nosuch'"),
        ("target m1-hand --resolution coarse", "--resolution must be one of 'fast', 'standard'; got 'coarse'"),
        ("targets --head nosuch", "--head must be one of"),
        ("target m1-hand --head fsaverage --resolution coarse", "--resolution must be one of 'standard', 'fast'"),
    ],
)
@pytest.mark.usefixtures("no_solver")
def test_unknown_heads_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, sentence: str) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = run(*words.split())
    assert outcome.exit_code == 2
    assert sentence in " ".join(outcome.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_a_coil_in_the_head_is_refused(small: Path) -> None:
    matrix = np.diag([1.0, -1.0, -1.0, 1.0])
    (small / "pose.json").write_text(json.dumps({"matrix": matrix.tolist()}))
    outcome = run("simulate", "--pose", "pose.json", "--out", "x", "--no-figure")
    assert outcome.exit_code == 2
    assert outcome.stderr.count("Error:") == 1
    assert not (small / "x").exists()


@pytest.mark.parametrize("name", report.FILES)
@pytest.mark.usefixtures("no_solver")
def test_an_old_result_is_never_overwritten(small: Path, name: str) -> None:
    folder = small / "m1-hand-left"
    folder.mkdir()
    (folder / name).write_text("old")
    outcome = run("target", "m1-hand")
    assert outcome.exit_code == 2
    assert "must not hold a result yet" in " ".join(outcome.stderr.split())
    assert [path.name for path in folder.iterdir()] == [name]
    assert (folder / name).read_text() == "old"


@pytest.mark.usefixtures("no_solver")
def test_a_file_in_the_way_is_refused(small: Path) -> None:
    (small / "taken").write_text("a file")
    for place in ("taken", "taken/deeper"):
        outcome = run("target", "m1-hand", "--out", place)
        assert outcome.exit_code == 2, outcome.output
        assert "Traceback" not in outcome.output
    assert (small / "taken").read_text() == "a file"


@pytest.mark.usefixtures("small", "no_solver")
def test_an_unwritable_folder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Permissions do not bind the superuser, so the file system's refusal is played."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(report.tempfile, "TemporaryDirectory", refuse)
    outcome = run("target", "m1-hand")
    assert outcome.exit_code == 2
    assert "folder must be writable; got m1-hand-left (Permission denied)" in " ".join(outcome.stderr.split())


def test_a_fault_of_the_program_is_told_apart(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no convergence after 200 iterations")

    monkeypatch.setattr(efield, "optimize", broken)
    outcome = run("target", "m1-hand", *COARSE)
    assert outcome.exit_code == 1
    said = " ".join(outcome.stderr.split())
    assert "Internal error (RuntimeError" in said
    assert "no convergence after 200 iterations" in said
    assert list(small.iterdir()) == []
    monkeypatch.setenv("EFIELD_DEBUG", "1")
    assert isinstance(run("target", "m1-hand", *COARSE).exception, RuntimeError)


def test_a_failure_while_writing_leaves_nothing(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(efield.EField, "save", full)
    outcome = run("simulate", "--centre", "0,0,90", "--out", "x", "--no-figure")
    assert outcome.exit_code == 2
    assert "No space left on device" in outcome.stderr
    assert not any((small / "x").glob("*"))


@pytest.mark.parametrize("suffix", [".json", ".txt", ".csv", ".npy"])
def test_poses_are_read_from_each_kind_of_file(tmp_path: Path, suffix: str) -> None:
    pose = meshes.Pose.from_axes((-40, 10, 80), (0.4, 0.1, -0.9), (0.7, 0.7, 0.0))
    path = tmp_path / f"pose{suffix}"
    save = {
        ".json": lambda: path.write_text(json.dumps({"matsimnibs": pose.matrix.tolist()})),
        ".txt": lambda: np.savetxt(path, pose.matrix),
        ".csv": lambda: np.savetxt(path, pose.matrix, delimiter=","),
        ".npy": lambda: np.save(path, pose.matrix),
    }
    save[suffix]()
    assert np.allclose(read_pose(path).matrix, pose.matrix, rtol=0.0, atol=1e-13)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{}", "no matrix under any of"),
        ("{", "--pose must be a file with a 4 x 4 matrix"),
        ("[[1, 2], [3, 4]]", r"matrix must be an array of shape \(4, 4\)"),
        (json.dumps(np.diag([2.0, 2.0, 2.0, 1.0]).tolist()), "matrix must not scale"),
        (json.dumps(np.diag([-1.0, 1.0, 1.0, 1.0]).tolist()), "matrix must be right-handed"),
    ],
)
def test_poses_that_are_none_are_refused(tmp_path: Path, content: str, sentence: str) -> None:
    path = tmp_path / "pose.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=sentence):
        read_pose(path)


def test_lists_name_everything() -> None:
    heads, coil_table, targets = run("heads").stdout, run("coils").stdout, run("targets").stdout
    assert all(name in heads for name in meshes.list_heads())
    assert "magstim-70mm" in coil_table
    assert all(name in targets for name in efield.list_targets())


def test_help_teaches() -> None:
    assert run().exit_code == 2  # no command: the help, and the code of a usage error
    text = run("--help").stdout
    assert all(command in text for command in ("target", "simulate", "heads", "coils", "targets"))
    for command in ("target", "simulate"):
        assert "Examples:" in run(command, "--help").stdout


def test_the_program_starts_without_numba_or_vtk() -> None:
    """The command line's own modules must not import what takes seconds to load; the package beside them may."""
    code = """
import sys, types
package = types.ModuleType("efield")
package.__path__ = [sys.argv[1]]
sys.modules["efield"] = package
import efield.cli
heavy = {"numba", "vtk", "vtkmodules", "pyvista", "matplotlib", "scipy"} & set(sys.modules)
sys.exit(f"imports {heavy}" if heavy else 0)
"""
    subprocess.run([sys.executable, "-c", code, str(Path(efield.__file__).parent)], check=True)
