"""``efield session``: what it writes, what it says, and what it refuses before anything is computed."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import typer
from scipy.spatial.transform import Rotation
from typer.testing import CliRunner

import coils
import efield
import meshes
from efield.cli import app
from efield.cli.session import run
from efield.cli.terminal import complaints
from efield.navigation import write_poses
from meshes import Pose

Run = Callable[..., int]


@pytest.fixture
def run_session(
    monkeypatch: pytest.MonkeyPatch, small_head: meshes.HeadModel, small_solver: efield.BemSolver, tmp_path: Path
) -> Run:
    """Return a call of the command, by its function, that gives the exit code; the small sphere is every head."""
    monkeypatch.setattr(meshes, "load_head", lambda *_, **__: small_head)
    monkeypatch.setattr(efield, "BemSolver", lambda _: small_solver)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")

    def call(file: str, **more: object) -> int:
        settings: dict[str, object] = {
            "system": None,
            "coil_name": "magstim-25mm",
            "head_name": "pycortex",
            "resolution": "standard",
            "target_names": ["m1-hand"],
            "side": "left",
            "radius": 12.0,
            "optimum": None,
            "transform": None,
            "stimulator_name": None,
            "out": Path("out"),
            "figure": False,
        }
        try:
            with complaints():
                run(Path(file), **(settings | more))
        except typer.Exit as done:
            return done.exit_code
        return 0

    return call


@pytest.fixture
def poses(small_head: meshes.HeadModel) -> dict[str, Pose]:
    coil = coils.load_coil("magstim-25mm")
    spots = {"first": (-45.0, -9.0, 77.0), "second": (-40.0, -15.0, 79.0), "third": (-50.0, 0.0, 75.0)}
    return {name: efield.place(small_head, spot, handle=(-1.0, -1.0, 0.0), coil=coil) for name, spot in spots.items()}


@pytest.fixture
def brainsight(poses: dict[str, Pose], tmp_path: Path) -> Path:
    """Return a file of three samples, one without a pose, the first two with stimulator output and time."""
    write_poses(poses, tmp_path / "b.txt", system="brainsight")
    text = (tmp_path / "b.txt").read_text(encoding="utf-8")
    text = text.replace("# Target Name", "# Sample Name").replace("m2n2", "m2n2\tStim. Power\tDate\tTime")
    lines = text.splitlines()
    for row, more in ((-3, "50\t2026-11-23\t10:00:00.000"), (-2, "60\t2026-11-23\t10:00:05.000"), (-1, "(null)")):
        lines[row] += f"\t{more}"
    lines.append("\t".join(["lost", *["(null)"] * 12]))
    (tmp_path / "b.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path / "b.txt"


def said(capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """Return stdout and stderr with single blanks."""
    caught = capsys.readouterr()
    return " ".join(caught.out.split()), " ".join(caught.err.split())


def test_a_session_is_simulated_and_said(
    run_session: Run, brainsight: Path, poses: dict[str, Pose], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    optimum = tmp_path / "best.json"
    optimum.write_text(json.dumps({"matrix": poses["second"].matrix.tolist()}), encoding="utf-8")
    assert run_session(str(brainsight), optimum=optimum, stimulator_name="100", side="both") == 0
    shown, notes = said(capsys)
    content = json.loads((tmp_path / "out" / "session.json").read_text(encoding="utf-8"))
    assert [pulse["name"] for pulse in content["pulses"]] == ["first", "second", "third"]
    assert [pulse["didt_A_per_s"] for pulse in content["pulses"]] == [50e6, 60e6, None]
    assert [pulse["time_s"] for pulse in content["pulses"]] == [0.0, 5.0, None]
    assert [target["name"] for target in content["targets"]] == ["m1-hand left", "m1-hand right"]
    assert content["pulses"][1]["m1-hand left: share of optimum"] == pytest.approx(1.0, rel=1e-6)
    left, right = (content["pulses"][0][f"m1-hand {side}: |E| V_per_m_per_A_us"] for side in ("left", "right"))
    assert left > 2.0 * right, "the coil is on the left"
    # As understood: said before it is computed, with numbers that a person can check against the system's screen.
    assert "System brainsight; 3 sample poses" in shown
    x, y, z = np.round(poses["first"].origin, 1)
    assert f"Pose 1 first: centre ({x}, {y}, {z}) mm, into the head" in shown
    assert "handle (-0." in shown
    assert "none: the recording is taken to be in the head's own coordinates (--transform)" in shown
    assert f"median {content['statistics'][0]['median']:#.3g} V/m" in shown
    assert "of 2 pulses with a known dI/dt" in shown
    assert "1 entry of the file without a pose" in notes
    assert "Result written to out/" in notes


def test_a_transform_brings_a_recording_to_the_head(
    run_session: Run, poses: dict[str, Pose], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    motion = np.eye(4)
    motion[:3, :3] = Rotation.from_euler("z", 90.0, degrees=True).as_matrix()
    motion[:3, 3] = (0.0, 100.0, -300.0)
    away = {name: Pose(motion).inverse() @ pose for name, pose in poses.items()}
    write_poses(away, tmp_path / "away.xml", system="localite")
    write_poses(poses, tmp_path / "here.mrk", system="visor2")
    np.savetxt(tmp_path / "T.txt", motion)
    assert run_session("here.mrk", out=Path("one")) == 0
    assert run_session("away.xml", out=Path("two"), transform=Path("T.txt"), system="localite") == 0
    one, two = (json.loads((tmp_path / name / "session.json").read_text(encoding="utf-8")) for name in ("one", "two"))
    for first, second in zip(one["pulses"], two["pulses"], strict=True):
        for key in ("x_mm", "casing_to_scalp_mm", "m1-hand left: |E| V_per_m_per_A_us"):
            assert second[key] == pytest.approx(first[key], rel=1e-6)
    assert two["transform"]["matrix_recording_to_head_mm"] == motion.tolist()
    shown, _ = said(capsys)
    assert "moved to the head's by the given transform, 90.0° and 316.2 mm" in shown
    assert run_session("away.xml", out=Path("three")) == 2
    assert "poses must reach the head with at least one pulse; got 3" in said(capsys)[1]
    assert not (tmp_path / "three").exists()


def test_the_optimum_of_another_head_is_told(
    run_session: Run, small_result: efield.SearchResult, brainsight: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A search's own file is taken; it was for another coil."""
    small_result.save("best")
    assert run_session(str(brainsight), optimum=Path("best/summary.json")) == 0
    shown, notes = said(capsys)
    assert "The optimum is of another coil than this session" in notes
    assert "another head" not in notes
    assert "From the optimum medians: centre" in shown
    assert "name the stimulator to get V/m for it" in notes


def test_the_command_passes_on_what_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import efield.cli.session as module

    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr(module, "run", lambda file, **more: asked.append((file, more)))
    assert CliRunner().invoke(app, ["session", "a/pulses.xml"]).exit_code == 0
    words = "session b.txt --target m1-leg --target s1-leg --side both --coil c --head h --resolution fast --system s"
    words += " --transform T.txt --optimum o.json --stimulator 150 --out x --target-radius 7 --no-figure"
    assert CliRunner().invoke(app, words.split()).exit_code == 0
    (file, settings), (other, more) = asked
    assert (file, settings["out"], settings["target_names"]) == (
        Path("a/pulses.xml"),
        Path("session-pulses"),
        ["m1-hand"],
    )
    assert (settings["side"], settings["radius"], settings["figure"], settings["system"]) == ("left", 5.0, True, None)
    assert other == Path("b.txt")
    assert more == {
        "target_names": ["m1-leg", "s1-leg"],
        "side": "both",
        "coil_name": "c",
        "head_name": "h",
        "resolution": "fast",
        "system": "s",
        "transform": Path("T.txt"),
        "optimum": Path("o.json"),
        "stimulator_name": "150",
        "out": Path("x"),
        "radius": 7.0,
        "figure": False,
        "conductivities": None,
    }


FAR = {"far": Pose.from_axes((0, 0, 500), z=(0, 0, -1), y=(0, 1, 0))}
DEEP = {"deep": Pose.from_axes((0, 0, 20), z=(0, 0, -1), y=(0, 1, 0))}
SCALED = np.diag([0.001, 0.001, 0.001, 1.0])


@pytest.mark.parametrize(
    ("file", "options", "sentence"),
    [
        ("nosuch.txt", {}, "FILE must be a file of a navigation system; got nosuch.txt, which is not a file."),
        ("empty.txt", {}, "FILE must hold recorded poses; got empty.txt, which is empty."),
        ("words.txt", {}, "FILE cannot be used: path must be a file of Brainsight, Localite, Softaxic, visor2 or"),
        ("binary.txt", {}, "FILE cannot be used: path must be a text file in UTF-8"),
        ("none.txt", {}, "FILE cannot be used: none.txt must hold at least one target or sample"),
        ("b.txt", {"system": "localite"}, "must be well-formed XML; got"),
        ("b.txt", {"system": "localite"}, "Is it a file of localite, as --system says?"),
        ("b.txt", {"system": "nexstim"}, "--system must be one of 'brainsight', 'localite', 'simnibs', 'softaxic'"),
        ("b.txt", {"coil_name": "nosuch"}, "--coil must be one of"),
        ("b.txt", {"head_name": "nosuch"}, "--head must be one of 'pycortex'"),
        ("b.txt", {"resolution": "coarse"}, "--resolution must be one of"),
        ("b.txt", {"target_names": ["nosuch"]}, "TARGET must be one of 'm1-hand'"),
        ("b.txt", {"target_names": ["m1-leg"]}, "m1-leg"),
        ("b.txt", {"side": "up"}, "--side must be one of 'left', 'right', 'both'; got 'up'"),
        ("b.txt", {"radius": -1.0}, "--target-radius must be a positive number; got -1.0"),
        ("b.txt", {"transform": Path("nosuch.txt")}, "--transform must be a file with a 4 x 4 matrix; got nosuch.txt"),
        ("b.txt", {"transform": Path("empty.txt")}, "--transform must be a file with a 4 x 4 matrix; got empty.txt"),
        ("b.txt", {"transform": Path("words.txt")}, "--transform must be a file with a 4 x 4 matrix; got words.txt"),
        ("b.txt", {"transform": Path("three.txt")}, "--transform must hold a rigid motion, 4 x 4, in millimetres"),
        ("b.txt", {"transform": Path("scaled.txt")}, "matrix must not scale"),
        ("b.txt", {"transform": Path("nan.txt")}, "matrix must be finite"),
        ("b.txt", {"transform": Path("mirror.txt")}, "matrix must be right-handed"),
        ("b.txt", {"optimum": Path("other.json")}, "--optimum must be a file with a 4 x 4 matrix; got other.json"),
        ("b.txt", {"optimum": Path("eye.txt")}, "optimum must be a pose on the head; got one that is in the head"),
        ("b.txt", {"stimulator_name": "MagPro"}, "--stimulator must be one of deymed-120bfv"),
        ("b.txt", {"stimulator_name": "-5"}, "or dI/dt at 100 % in A/us; got '-5'"),
        ("b.txt", {"out": Path("full")}, "folder must be new or empty; got full, which holds files"),
        ("b.txt", {"out": Path("words.txt")}, "folder must be a folder; got the file words.txt"),
        ("b.txt", {"out": Path("words.txt/deeper")}, "under the file"),
        ("far.xml", {}, "got 1, of which 1 are more than 30 mm off the scalp"),
        ("deep.xml", {}, "and 1 have windings in the head. The coordinates of the recording are not the head's"),
    ],
)
@pytest.mark.usefixtures("brainsight")
def test_bad_input_gets_a_sentence_and_code_2(
    run_session: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path, file: str, options: dict, sentence: str
) -> None:
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "words.txt").write_text("hello there")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00\x80")
    (tmp_path / "none.txt").write_text("# Version: 12\n# Coordinate system: NIfTI:Aligned\n")
    (tmp_path / "other.json").write_text('{"who": "knows"}')
    matrices = {"three": np.eye(3), "scaled": SCALED, "nan": np.full((4, 4), np.nan), "eye": np.eye(4)}
    for name, matrix in (matrices | {"mirror": np.diag([-1.0, 1.0, 1.0, 1.0])}).items():
        np.savetxt(tmp_path / f"{name}.txt", matrix)
    write_poses(FAR, tmp_path / "far.xml", system="localite")
    write_poses(DEEP, tmp_path / "deep.xml", system="localite")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes").write_text("precious")
    before = sorted(path.name for path in tmp_path.iterdir())
    assert run_session(file, **options) == 2
    _, message = said(capsys)
    assert sentence in message
    assert message.count("Error:") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["notes"]
