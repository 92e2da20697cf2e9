"""efield head import, heads by path and by imported name, conductivities on the command line."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import meshes
from efield.cli import app
from meshes.files.imported import imported_heads
from tests import subject_cases
from tests.broken_cases import LIST, RADII


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words), env={"COLUMNS": "200"})


def said(outcome: Result) -> str:
    return " ".join(outcome.stderr.split())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder to work in, with a list of three spheres, and a cache of its own."""
    monkeypatch.setenv("EFIELD_HEADS", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    for name, radius in RADII.items():
        meshes.write_surface(meshes.icosphere(2, radius=radius), tmp_path / f"{name}.off")
    (tmp_path / "sub-01.toml").write_text(LIST)
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_import_keeps_a_head_for_every_command() -> None:
    outcome = run("head", "import", "sub-01.toml", "--conductivity", "skull=0.008", "--conductivity", "csf=1.7")
    assert outcome.exit_code == 0, outcome.stderr
    assert "skull 0.008 (given), csf 1.7 (given)" in outcome.stdout
    assert "180 x 180 x 180 mm" in outcome.stdout
    assert "nasion, inion, lpa, rpa missing" in outcome.stdout
    assert "Use it with --head sub-01" in outcome.stderr
    assert imported_heads() == ("sub-01",)
    head = meshes.load_head("sub-01")
    assert [i.sigma_inside for i in head.interfaces] == [0.465, 0.008, 1.7]
    listed = run("heads").stdout
    assert "sub-01" in listed
    assert "960" in listed
    assert "skull 0.008 (given)" in listed
    for name in meshes.list_heads():
        assert name in listed
    outcome = run("targets", "--head", "sub-01")
    assert outcome.exit_code == 0, outcome.stderr


@pytest.mark.parametrize("kept", ["name", "file"])
def test_simulate_on_an_imported_head_says_its_conductivities(folder: Path, kept: str) -> None:
    words = ("head", "import", "sub-01.toml", "--conductivities", "mccann2019")
    outcome = run(*words, *(("--name", "mine") if kept == "name" else ("--out", "mine.npz")))
    assert outcome.exit_code == 0, outcome.stderr
    assert imported_heads() == (("mine",) if kept == "name" else ())
    head = "mine" if kept == "name" else "mine.npz"
    words = ("simulate", "--head", head, "--centre", "0,0,95", "--no-figure", "--conductivity", "csf=1.5")
    outcome = run(*words, "--out", "result")
    assert outcome.exit_code == 0, outcome.stderr
    provenance = json.loads((folder / "result" / "summary.json").read_text())["provenance"]
    assert provenance["conductivities"] == "scalp 0.41 (mccann2019), skull 0.02 (mccann2019), csf 1.5 (given) S/m"
    assert provenance["head"] == ("mine" if kept == "name" else "sub-01")


def test_import_of_a_freesurfer_folder_with_repair(folder: Path) -> None:
    subject = subject_cases.write_subject(folder / "bert")
    ball = meshes.icosphere(2, radius=32.0, centre=(-40.0, 0.0, 0.0))
    points = ball.vertices + np.where(ball.vertices[:, 0] > -12.0, 6.0, 0.0)[:, None] * [1.0, 0.0, 0.0]
    subject_cases.write_sheet(subject / "surf" / "lh.white", meshes.Surface(points, ball.triangles))
    subject_cases.write_labels(subject / "label" / "lh.aparc.annot", len(points), {"precentral": [1, 2, 3]})
    outcome = run("head", "import", "bert")
    assert outcome.exit_code == 2
    assert "pial_lh and white_lh must not cross or touch" in said(outcome)
    assert "repair=True" in said(outcome)
    assert imported_heads() == ()
    outcome = run("head", "import", "bert", "--repair")
    assert outcome.exit_code == 0, outcome.stderr
    assert "desikan:precentral-left" in outcome.stdout
    assert "white_lh:" in outcome.stdout
    assert list(meshes.load_head("bert").regions["desikan:precentral-left"]) == [1, 2, 3]


def test_an_import_is_not_overwritten_unless_asked(folder: Path) -> None:
    assert run("head", "import", "sub-01.toml").exit_code == 0
    before = (folder / "cache" / "sub-01.npz").read_bytes()
    outcome = run("head", "import", "sub-01.toml", "--conductivity", "skull=0.008")
    assert outcome.exit_code == 2
    assert "name must not be taken; got 'sub-01'" in said(outcome)
    assert (folder / "cache" / "sub-01.npz").read_bytes() == before
    outcome = run("head", "import", "sub-01.toml", "--conductivity", "skull=0.008", "--overwrite")
    assert outcome.exit_code == 0
    assert meshes.load_head("sub-01").interfaces[1].sigma_inside == 0.008


def test_a_damaged_import_is_listed_as_such(folder: Path) -> None:
    assert run("head", "import", "sub-01.toml").exit_code == 0
    file = folder / "cache" / "sub-01.npz"
    file.write_bytes(file.read_bytes()[:2000])
    outcome = run("heads")
    assert outcome.exit_code == 0
    assert "cannot be read: sub-01.npz must be an .npz file" in " ".join(outcome.stdout.split())
    outcome = run("targets", "--head", "sub-01")
    assert outcome.exit_code == 2
    assert "sub-01.npz must be an .npz file; got a damaged one" in said(outcome)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("head import nobody.msh", "path must be a file or folder that exists; got 'nobody.msh'"),
        ("head import bone.off", "path must be a .msh, .toml, .fif"),
        ("head import sub-01.toml --name pycortex", "name must not be that of a head that ships with the package"),
        ("head import sub-01.toml --name a/b", "name must be of letters, digits, dots, dashes and underscores"),
        ("head import sub-01.toml --conductivity skull", "--conductivity must be TISSUE=VALUE with a positive number"),
        ("head import sub-01.toml --conductivity skull=-1", "--conductivity must be TISSUE=VALUE with a positive"),
        ("head import sub-01.toml --conductivity bone=1", "tissue in conductivities must be one of 'scalp'"),
        ("head import sub-01.toml --conductivities x", "--conductivities must be one of 'simnibs', 'mccann2019'"),
        ("head import sub-01.toml --merge csf", "--merge must be two names with = between; got 'csf'"),
        ("head import sub-01.toml --merge csf=grey", "tissues and merge must be left out but for a mesh"),
        ("head import sub-01.toml --tissue a=scalp", "--tissue must be TAG=TISSUE with a whole number"),
        ("head import sub-01.toml --cortex no.gii", "cortex must name a file that exists; got 'no.gii'"),
        ("head import sub-01.toml --out head.txt", "--out must be a file that ends in .npz; got head.txt"),
        ("head import sub-01.toml --out no/head.npz", "--out must lie in a folder that exists; got no/head.npz"),
        ("targets --head nobody", "--head must be one of 'pycortex', 'fsaverage'; got 'nobody'"),
        ("targets --head nobody.npz", "path must be a file or folder that exists; got 'nobody.npz'"),
        ("targets --head ./nobody", "path must be a file or folder that exists"),
        ("simulate --out x --centre 0,0,90 --conductivity skull=much", "--conductivity must be TISSUE=VALUE"),
        ("target m1-hand --conductivities gabriel", "--conductivities must be one of 'simnibs'"),
        ("target m1-hand --conductivity bone=0.01", "tissue in conductivities must be one of 'scalp', 'skull'"),
    ],
)
def test_bad_input_gets_a_sentence_and_code_2(folder: Path, words: str, sentence: str) -> None:
    before = sorted(path.name for path in folder.iterdir())
    outcome = run(*words.split())
    assert outcome.exit_code == 2, outcome.output
    assert sentence in said(outcome)
    assert "Traceback" not in outcome.output
    assert sorted(path.name for path in folder.iterdir()) == before
    assert imported_heads() == ()


def test_conductivities_reach_a_head_that_ships(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop where the head is loaded, and look at what was asked for."""
    asked: list[object] = []

    def stop(name: str, *, resolution: str, conductivities: object) -> None:
        asked.append((name, resolution, conductivities))
        raise ValueError("stopped here")

    monkeypatch.setattr(meshes, "load_head", stop)
    for words in ("target m1-hand", "simulate --centre 0,0,90 --out x"):
        outcome = run(*words.split(), "--conductivity", "skull=0.008", "--conductivity", "csf=1.7")
        assert "stopped here" in outcome.stderr
        assert asked.pop() == ("pycortex", "standard", {"skull": 0.008, "csf": 1.7})
        run(*words.split(), "--conductivities", "roast", "--conductivity", "skull=0.008")
        table = asked.pop()[2]
        assert (table.name, table.changes) == ("roast", {"skull": 0.008})
    assert not (folder / "x").exists()
