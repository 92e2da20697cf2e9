"""The command line's coils: lists, descriptions, sheets, files as coils, and poses by the current's direction."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import coils
import efield
import meshes
from efield.cli import app
from efield.cli.names import open_coil

FIGURE8 = coils.load_coil("magstim-70mm")


def run(*words: str, columns: int = 160) -> Result:
    return CliRunner().invoke(app, list(words), env={"COLUMNS": str(columns)})


def write_ccd(path: Path, sign: float = 1.0) -> Path:
    """Write the dipoles of the 70 mm coil as SimNIBS does (m and A m^2)."""
    rows = np.column_stack([1e-3 * FIGURE8.positions, sign * FIGURE8.moments])
    lines = [
        "# mine version 1.0;dIdtmax=100.0;stimulator=Model T;brand=Acme;coilname=mine",
        str(len(rows)),
        "# centers and weighted directions of the elements (magnetic dipoles)",
        *(" ".join(repr(float(value)) for value in row) for row in rows),
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def small(
    monkeypatch: pytest.MonkeyPatch, small_head: meshes.HeadModel, small_solver: efield.BemSolver, tmp_path: Path
) -> Path:
    """Let the small sphere and its solver stand for every head, and work in a folder of its own."""
    monkeypatch.setattr(meshes, "load_head", lambda *_, **__: small_head)
    monkeypatch.setattr(efield, "BemSolver", lambda _: small_solver)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_list_names_every_coil_with_its_figures() -> None:
    outcome = run("coils", columns=80)
    assert outcome.exit_code == 0, outcome.stderr
    lines = outcome.stdout.splitlines()
    assert max(len(line) for line in lines) <= 80
    for name in coils.list_coils():
        coil = coils.load_coil(name)
        (line,) = [line for line in lines if line.startswith(f"{name} ")]
        cells = line.split()
        assert cells[1] == str(coil.n_dipoles)
        assert float(cells[2]) == pytest.approx(100.0 * coil.discretisation_error, rel=0.05)  # two digits
        limit = "unknown" if coil.max_didt is None else f"{coil.max_didt / 1e6:.1f}"
        assert limit in cells
    # Two wings that oppose each other count one by one: 367 cm^2, nine turns of 56 to 87 mm.
    assert "±367" in outcome.stdout
    assert "Magstim" in outcome.stdout
    assert "per wing" in outcome.stderr


@pytest.mark.parametrize("what", ["name", "file"])
def test_one_coil_is_described_in_full(tmp_path: Path, what: str) -> None:
    source = "magstim-70mm" if what == "name" else str(write_ccd(tmp_path / "mine.ccd", sign=-1.0))
    outcome = run("coils", source)
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.stdout.rstrip("\n") == open_coil(source).summary()
    # The file's current runs the other way, and the description says so.
    assert f"current_direction  (+0.00, {'+' if what == 'name' else '-'}1.00, +0.00)" in outcome.stdout


def test_sheets_are_drawn_into_a_folder(tmp_path: Path) -> None:
    outcome = run("coils", "magstim-90mm-circular", "-o", str(tmp_path / "deep" / "sheets"))
    assert outcome.exit_code == 0, outcome.stderr
    assert [path.name for path in (tmp_path / "deep" / "sheets").iterdir()] == ["magstim-90mm-circular.png"]
    assert "1 sheet written to" in outcome.stderr
    assert "current_direction" in outcome.stdout


def test_names_of_coils_make_safe_file_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from efield.cli import coil_lists

    odd = coils.Coil(positions=FIGURE8.positions, moments=FIGURE8.moments, name="../a b/c: 1")
    monkeypatch.setattr(coil_lists, "open_coil", lambda *_: odd)
    assert run("coils", "odd.ccd", "--pictures", str(tmp_path / "x")).exit_code == 0
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["a-b-c-1.png"]


@pytest.mark.slow
def test_all_sheets_at_once(tmp_path: Path) -> None:
    outcome = run("coils", "--pictures", str(tmp_path))
    assert outcome.exit_code == 0, outcome.stderr
    assert sorted(path.stem for path in tmp_path.iterdir()) == sorted(coils.list_coils())


def test_the_table_for_the_readme_is_markdown() -> None:
    outcome = run("coils", "magstim-70mm", "--markdown", columns=40)
    head, rule, row = outcome.stdout.splitlines()
    assert head.count("|") == rule.count("|") == row.count("|")
    assert row.startswith("| `magstim-70mm` | figure-8 | 280 (0.096 %) | ±367 | 114.7 Magstim Rapid | ")
    # Computed, beside the published: Deng's table, no. 31.
    assert "| 1.39 (1.41 Deng 31), " in row
    assert "| 14.5 (14.8 Deng 31), " in row


def test_a_file_is_a_coil_for_simulate(small: Path) -> None:
    """The same dipoles by name and from a file give the same field; names have a casing, files here have none."""
    write_ccd(small / "mine.ccd")
    np.savetxt(small / "pose.txt", np.array([[1, 0, 0, 0], [0, -1, 0, 0], [0, 0, -1, 100], [0, 0, 0, 1.0]]))
    maxima = []
    for number, coil in enumerate(("magstim-70mm", "mine.ccd")):
        words = ("simulate", "--pose", "pose.txt", "--coil", coil, "--out", f"out{number}", "--no-figure")
        outcome = run(*words)
        assert outcome.exit_code == 0, outcome.stderr
        summary = json.loads((small / f"out{number}" / "summary.json").read_text())
        maxima.append(summary["field"]["cortex_maximum_V_per_m"])
    # Positions in m and back in mm: rounding only.
    assert maxima[1] == pytest.approx(maxima[0], rel=1e-9)


def test_what_is_doubtful_about_a_file_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from coils import files

    def doubtful(_: object) -> coils.Coil:
        for _ in range(2):
            warnings.warn("the wire is open by\n 18.1 mm: closed by a straight lead.", UserWarning, stacklevel=2)
        return FIGURE8

    monkeypatch.setattr(files, "read_coil", doubtful)
    path = write_ccd(tmp_path / "open.ccd")
    outcome = run("coils", str(path))
    assert outcome.exit_code == 0
    assert outcome.stderr.strip() == "Note: the wire is open by 18.1 mm: closed by a straight lead."


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("coils nosuch", "NAME_OR_FILE must be one of 'mag"),
        ("coils nosuch", "or a file of type .ccd, .tcd or .nii.gz; got 'nosuch'"),
        ("coils nosuch.ccd", "NAME_OR_FILE must be a coil's name or a file; got nosuch.ccd, which is not a file"),
        ("coils folder.tcd", "got folder.tcd, which is not a file"),
        ("coils empty.ccd", "empty.ccd"),
        ("coils magstim-70mm --pictures taken", "--pictures must be a folder; got taken, which is a file"),
        ("simulate --out x --centre 0,0,90 --coil nosuch.nii.gz", "--coil must be a coil's name or a file"),
        ("target m1-hand --coil empty.ccd", "empty.ccd"),
        ("simulate --out x --pose pose.txt --current PA", "must be given with --centre alone; got it with --pose"),
        ("simulate --out x --centre 0,0,90 --handle 0,-1,0 --current PA", "got it with --handle, which says it"),
        ("simulate --out x --centre 0,0,90 --current up", "current must be one of PA, AP, LM, ML, PL-AM, AM-PL"),
        ("simulate --out x --centre 0,0,90 --current LM", "centre must lie 5 mm or more from the midline"),
        ("simulate --out x --centre 0,0,90 --current 0,1", "--current must be three numbers x,y,z; got '0,1'"),
    ],
)
def test_bad_input_gets_a_sentence_and_code_2(small: Path, words: str, sentence: str) -> None:
    (small / "folder.tcd").mkdir()
    (small / "empty.ccd").write_text("")
    (small / "taken").write_text("a file")
    before = sorted(path.name for path in small.iterdir())
    outcome = run(*words.split())
    assert outcome.exit_code == 2, outcome.output
    assert sentence in " ".join(outcome.stderr.split())
    assert outcome.stderr.count("Error:") == 1
    assert "Traceback" not in outcome.output
    assert sorted(path.name for path in small.iterdir()) == before


@pytest.mark.parametrize(("current", "direction"), [("PA", [0, 1, 0]), ("lm", [1, 0, 0]), ("0,-2,0", [0, -1, 0])])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_simulate_turns_the_coil_by_its_current(small: Path, current: str, direction: list[float], sign: float) -> None:
    write_ccd(small / "mine.ccd", sign)
    outcome = run(
        "simulate", "--centre", "-20,0,88", "--current", current, "--coil", "mine.ccd", "--out", "x", "--no-figure"
    )
    assert outcome.exit_code == 0, outcome.stderr
    pose = json.loads((small / "x" / "summary.json").read_text())["pose"]
    # The scalp there is tilted by 13 degrees, and the small sphere's facets add to that.
    assert np.dot(pose["current_direction"], direction) > 0.95
    assert np.dot(pose["handle"], direction) * sign < -0.95
    word = {"PA": "anterior", "lm": "right", "0,-2,0": "posterior"}[current]
    (line,) = [line for line in outcome.stdout.splitlines() if "Induced E" in line]
    assert word in line
