"""``efield head check``: what it prints, writes and refuses, and its exit codes."""

import json
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from typer.testing import CliRunner, Result

import meshes
from efield.cli import app
from efield.viewer.head_cuts import save_cuts, tissue_colour
from efield.viewer.slices import loops
from meshes.files import write_surface
from meshes.files.parts import parts_of
from meshes.report import inspect
from tests.touching_cases import two_halves


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["head", "check", *words], env={"COLUMNS": "160"})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_head(folder: Path, *, centre: float = 0.0) -> None:
    """Write a head of two balls; the inner one `centre` mm to the right."""
    write_surface(meshes.icosphere(3, radius=90.0), folder / "skin.ply")
    write_surface(meshes.icosphere(3, radius=80.0, centre=(centre, 0, 0)), folder / "bone.ply")
    (folder / "two.toml").write_text(
        '[[interface]]\nfile = "skin.ply"\ninside = "scalp"\noutside = "air"\n'
        '[[interface]]\nfile = "bone.ply"\ninside = "skull"\noutside = "scalp"\n'
    )


def share(image: np.ndarray, colour: str) -> float:
    """Return the share of an image's pixels that have a colour."""
    return float((np.abs(image[:, :, :3] - to_rgb(colour)).max(axis=2) < 0.01).mean())


def test_a_good_head_gets_its_report_and_cuts(folder: Path) -> None:
    write_head(folder)
    outcome = run("two.toml", "--json", "numbers.json", "--all", "--point", "0,0,0")
    assert outcome.exit_code == 0, outcome.stderr
    for text in ("scalp", "outer_skull in scalp", "Nesting", "1280", "cortex", "two: ok (0 fail"):
        assert text in outcome.stdout
    assert "no edge with one triangle only" in outcome.stdout
    assert "Cuts drawn in two-cuts.png" in outcome.stderr
    content = json.loads((folder / "numbers.json").read_text())
    assert content["parents"] == {"scalp": None, "outer_skull": "scalp"}
    assert content["pairs"][0]["gap"] == pytest.approx(10.0, abs=0.7)  # the triangles' sagitta
    image = matplotlib.image.imread(folder / "two-cuts.png")
    assert image.shape[:2] == (1260, 1800)
    # Six cuts through the centre: areas of scalp and skull as 90^2 - 80^2 to 80^2, but for the lines.
    scalp, skull = (share(image, tissue_colour(name, None, 0)[1]) for name in ("scalp", "outer_skull"))
    assert scalp / skull == pytest.approx((90**2 - 80**2) / 80**2, rel=0.1)
    assert skull > 0.15


def test_a_bad_head_ends_with_1_and_says_why(folder: Path) -> None:
    write_head(folder, centre=14.0)
    outcome = run("two.toml", "--png", "here.png")
    assert outcome.exit_code == 1, outcome.stderr
    assert "crossing" in outcome.stdout
    assert "mm deep at most" in outcome.stdout
    assert "scalp and outer_skull must not cross or touch" in " ".join(outcome.stdout.split())
    assert "two: fail" in outcome.stdout
    image = matplotlib.image.imread(folder / "here.png")
    assert share(image, "#d1001c") > 2e-5  # the ring around the failure
    assert not (folder / "two-cuts.png").exists()


def test_one_surface_and_no_picture(folder: Path) -> None:
    surface = meshes.icosphere(2, radius=90.0)
    write_surface(meshes.Surface(surface.vertices, surface.triangles[1:]), folder / "open.stl")
    outcome = run("open.stl", "--no-picture")
    assert outcome.exit_code == 1
    assert "3 open edges" in outcome.stdout
    assert [path.name for path in folder.iterdir()] == ["open.stl"]


def test_a_head_by_name(folder: Path, monkeypatch: pytest.MonkeyPatch, small_head: meshes.HeadModel) -> None:
    monkeypatch.setattr(meshes, "load_head", lambda *_, **__: small_head)
    outcome = run("pycortex", "--point", "0,0,60")
    assert outcome.exit_code == 0, outcome.stderr
    assert (folder / "small-coarse-cuts.png").stat().st_size > 20_000
    assert "sphere-3 in sphere-2" in outcome.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("nothere.msh",), "nothere.msh"),
        (("nohead",), "must be one of 'pycortex'"),
        (("junk.ply",), "junk.ply must be"),
        (("pycortex", "--point", "1,2"), "--point must be three numbers x,y,z; got '1,2'"),
        (("junk.ply", "--resolution", "fast"), "--resolution must be left out for a file"),
        (("junk.ply", "--labels", "simnibs"), "labels must be left out but for a label volume; got them for junk.ply"),
        (("pycortex", "--labels", "simnibs"), "--labels must be left out but for a label volume"),
    ],
)
def test_bad_input_ends_with_2_and_a_sentence(folder: Path, words: tuple[str, ...], sentence: str) -> None:
    (folder / "junk.ply").write_bytes(b"ply\nnothing\n")
    outcome = run(*words)
    assert outcome.exit_code == 2, outcome.stdout
    assert sentence in " ".join(outcome.stderr.split())
    assert outcome.stdout == ""
    assert len(list(folder.iterdir())) == 1


def test_touching_tissues_are_filled_by_region(folder: Path) -> None:
    """A ball of two halves: the coronal and sagittal cuts show both, the axial one through z = 20 mm the upper one."""
    head = two_halves(6, (0.465, 1.654))
    parts = parts_of(head)
    save_cuts(parts, inspect(head), folder / "halves.png", point=(0, 0, 20.0))
    image = matplotlib.image.imread(folder / "halves.png")
    upper, lower = (share(image, tissue_colour("", sigma, 0)[1]) for sigma in (0.465, 1.654))
    assert upper > 0.1
    assert lower > 0.05


def test_outlines_that_meet_in_a_point_are_all_kept() -> None:
    """Two squares with a common corner, as the cut of a region that touches itself: by the areas that they enclose."""
    points = np.array([[0, 0], [2, 0], [2, 2], [0, 2], [3, 2], [3, 3], [2, 3]], dtype=float)
    segments = np.array([[0, 1], [1, 2], [2, 3], [3, 0], [2, 4], [4, 5], [5, 6], [6, 2]])
    for order in (slice(None), slice(None, None, -1), [4, 0, 5, 1, 6, 2, 7, 3]):
        areas = [
            0.5 * float(np.sum(rim[:, 0] * np.roll(rim[:, 1], -1) - rim[:, 1] * np.roll(rim[:, 0], -1)))
            for rim in loops(points, segments[order])
        ]
        assert sum(areas) == pytest.approx(5.0, abs=1e-12)


def test_help_teaches() -> None:
    outcome = CliRunner().invoke(app, ["head", "check", "--help"], env={"COLUMNS": "160"})
    assert outcome.exit_code == 0
    for text in ("efield head check pycortex", "exit code 1", "--json", "--point"):
        assert text in outcome.stdout


def mend(*words: str) -> Result:
    return CliRunner().invoke(app, ["head", "repair", *words], env={"COLUMNS": "160"})


def test_a_mended_head_is_a_head(folder: Path) -> None:
    write_head(folder, centre=12.0)
    with pytest.raises(ValueError, match="must not cross"):
        meshes.read_head("two.toml")
    outcome = mend("two.toml", "--out", "mended", "--clearance", "1", "--keep", "scalp")
    assert outcome.exit_code == 0, outcome.stderr
    assert "scalp: nothing done" in outcome.stdout
    assert "outer_skull: pushed away from scalp" in outcome.stdout
    head = meshes.read_head("mended/head.toml")
    assert [(one.name, one.sigma_inside, one.sigma_outside) for one in head.interfaces] == [
        ("scalp", 0.465, 0.0),
        ("outer_skull", 0.01, 0.465),
    ]
    assert head.scalp.checksum == meshes.read_surface("skin.ply").checksum
    assert "efield head repair two.toml" in head.provenance["source"]
    # Tissues keep their names where the conductivity is theirs, so that they can be changed.
    assert meshes.read_head("mended/head.toml", conductivities={"skull": 0.02}).interfaces[1].sigma_inside == 0.02
    assert run("mended/head.toml", "--no-picture").exit_code == 0


@pytest.mark.usefixtures("folder")
def test_cortex_and_fiducials_go_along(monkeypatch: pytest.MonkeyPatch) -> None:
    ball = meshes.sphere_head([90.0, 80.0], [0.33, 1.1], subdivisions=2)
    marked = meshes.HeadModel('a "b"', ball.interfaces, ball.cortex, fiducials={"nasion": (0.0, 90.0, 1.0 / 3.0)})
    monkeypatch.setattr(meshes, "load_head", lambda *_, **__: marked)
    outcome = mend("pycortex", "--out", "same")
    assert outcome.exit_code == 0, outcome.stderr
    head = meshes.read_head("same/head.toml")
    assert head.name == 'a "b"'
    assert [one.surface.checksum for one in head.interfaces] == [one.surface.checksum for one in ball.interfaces]
    assert [one.sigma_inside for one in head.interfaces] == [0.33, 1.1]
    assert head.cortex.checksum == ball.cortex.checksum
    assert head.fiducials["nasion"].tolist() == [0.0, 90.0, 1.0 / 3.0]


def test_what_is_left_ends_with_1_and_what_is_wrong_with_2(folder: Path) -> None:
    write_head(folder, centre=14.0)
    outcome = mend("two.toml", "--out", "mended", "--max-move", "0.5")
    assert outcome.exit_code == 1
    assert "Left: outer_skull / scalp" in " ".join(outcome.stderr.split())
    assert (folder / "mended" / "head.toml").is_file()
    again = mend("two.toml", "--out", "mended")
    assert again.exit_code == 2
    assert "--out must be a new or empty folder; got mended" in " ".join(again.stderr.split())
    assert mend("none.toml", "--out", "other").exit_code == 2
    assert mend("two.toml", "--out", "other", "--keep", "brain").exit_code == 2
    assert not (folder / "other").exists()
    surface = meshes.icosphere(2, radius=90.0)
    write_surface(meshes.Surface(surface.vertices, surface.triangles[1:]), folder / "open.stl")
    single = mend("open.stl", "--out", "one")
    assert single.exit_code == 0, single.stderr
    assert "no head.toml" in " ".join(single.stderr.split())
    assert meshes.read_surface(folder / "one" / "open.ply").is_closed
