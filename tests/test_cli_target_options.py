"""`efield target`: what its options refuse, each with one sentence, before anything is computed; and one whole run."""

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
from typer.testing import CliRunner

import efield
import meshes
from efield.cli import app

BAD = [
    ([], "TARGET must be given, or one of --mni, --at, --region, --mask instead; got none"),
    (["m1-hand", "--mni", "1,2,3"], "got TARGET and --mni"),
    (["--mni", "1,2"], "--mni must be x,y,z, three numbers with commas; got '1,2'"),
    (["--at", "a,b,c"], "--at must be x,y,z, three numbers with commas"),
    (["--at", "1,2,nan"], "--at must"),
    (["--mni", "-37,-21,58", "--side", "both"], "--side must not be given with --mni, which has its place; got both"),
    (["m1-foot"], "m1-foot"),
    (["m1-hand", "--direction", "1"], "--direction must be x,y,z"),
    (["m1-hand", "--objective", "best"], "--objective must be one of"),
    (["m1-hand", "--target-radius", "0"], "--target-radius must be"),
    (["m1-hand", "--avoid", "nose"], "nose"),
    (["m1-hand", "--avoid", "s1-hand:middle"], "--avoid must be one of"),
    (["m1-hand", "--avoid-share", "0.5"], "--avoid must name what shall be spared if --avoid-share is given"),
    (["m1-hand", "--avoid", "s1-hand", "--avoid-share", "-1"], "--avoid-share must be"),
    (["m1-hand", "--avoid", "s1-hand", "--objective", "focal"], "--objective must be strength with --avoid; got focal"),
    (["m1-hand", "--tilt", "60"], "tilt must be at most 45 degrees; got 60"),
    (["m1-hand", "--gap", "2"], "gap must be from 1e-5 to below 1; got 2"),
    (["m1-hand", "--gap", "0"], "--gap must be"),
    (["m1-hand", "--current", "up"], "current must be"),
    (["m1-hand", "--spacing", "0.1", "--angle-step", "0.1"], "at most 4e+06 poses"),
    (["m1-hand", "--error", "careless"], "careless"),
    (["m1-hand", "--expected"], "--error must say how large errors are if --expected is given"),
    (["m1-hand", "--threshold-mso", "0"], "--threshold-mso must be"),
    (["m1-hand", "--threshold-mso", "140"], "--threshold-mso must be at most 100 %; got 140"),
    (["m1-hand", "--threshold-from", "x"], "--threshold-mso must be given with --threshold-from"),
    (["m1-hand", "--protocol", "miracle"], "miracle"),
    (["m1-hand", "--train", "10"], "train must be two to four numbers"),
    (["m1-hand", "--affected", "both"], "--affected must be one of"),
    (["m1-hand", "--intensity", "-5"], "--intensity must be"),
    (["m1-leg", "--second-coil", "magstim-70mm"], "--side must be both with --second-coil"),
    (["m1-leg", "--side", "both", "--second-coil", "magstim-70mm", "--tilt", "5"], "--second-coil must stand without"),
    (["m1-leg", "--side", "both", "--second-coil", "nonsense"], "nonsense"),
    (["m1-leg", "--side", "both", "--second-coil", "magstim-70mm", "--error", "robotic"], "--second-coil must stand"),
    (["m1-hand", "--direction", "0,1,0", "--current", "AP"], "--current must not be given with --direction"),
    (["m1-hand", "--objective", "focal", "--error", "robotic", "--expected"], "--objective must not be focal"),
    (["m1-hand", "--coil", "magstim-25mm", "--threshold-mso", "45"], "--threshold-mso must go with a coil whose"),
    (["m1-hand", "--threshold-mso", "45", "--threshold-from", "nowhere"], "--threshold-from must be the folder"),
    (["--mni", "37,-21,58", "--threshold-mso", "45"], "--threshold-from must name a saved m1-hand result"),
]


@pytest.mark.parametrize(("arguments", "sentence"), BAD, ids=[" ".join(row) or "nothing" for row, _ in BAD])
def test_bad_options_get_a_sentence_and_leave_nothing(tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["target", *arguments])
    text = " ".join(result.output.split())
    assert result.exit_code == 2, text
    assert sentence in text
    assert "Traceback" not in text
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def sphere():
    return meshes.sphere_head([90.0, 80.0], [0.465, 0.3], subdivisions=2)


def write_mask(path: Path, centre, radius: float, shape=(40, 40, 40)) -> Path:
    affine = np.diag([5.0, 5.0, 5.0, 1.0])
    affine[:3, 3] = -100.0
    index = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), axis=-1)
    inside = np.linalg.norm(index * 5.0 - 100.0 - np.asarray(centre), axis=-1) <= radius
    nibabel.save(nibabel.Nifti1Image(inside.astype(np.uint8), affine), path)
    return path


def test_a_mask_becomes_a_target(tmp_path, sphere):
    target = efield.target_of_mask(write_mask(tmp_path / "spot.nii.gz", (0.0, 0.0, 80.0), 30.0), sphere, radius=15.0)
    assert target.name == "spot"
    assert np.linalg.norm(target.position - [0.0, 0.0, 80.0]) < 12.0
    assert target.region is not None
    vertices = sphere.cortex.vertices[target.region]
    # Voxels of 5 mm, and the nearest of them: half a diagonal.
    assert np.linalg.norm(vertices - [0.0, 0.0, 80.0], axis=1).max() <= 30.0 + 4.4
    assert "mask spot.nii.gz" in target.source


@pytest.mark.parametrize("kind", ["missing", "empty", "beside", "flat", "text"])
def test_bad_masks_get_a_sentence(tmp_path, sphere, kind):
    path = tmp_path / "mask.nii.gz"
    sentences = {
        "missing": "does not exist",
        "empty": "mask must hold some of the cortex",
        "beside": "mask must hold some of the cortex",
        "flat": "mask must have three dimensions",
        "text": "mask must be a NIfTI image",
    }
    if kind == "empty":
        write_mask(path, (500.0, 0.0, 0.0), 1.0)
    elif kind == "beside":
        write_mask(path, (0.0, 0.0, 0.0), 10.0)
    elif kind == "flat":
        nibabel.save(nibabel.Nifti1Image(np.zeros((3, 3, 3, 2), dtype=np.uint8), np.eye(4)), path)
    elif kind == "text":
        path.write_text("no image")
    with pytest.raises((ValueError, OSError), match=sentences[kind]):
        efield.target_of_mask(path, sphere)


def test_protocols_are_listed_and_told():
    listed = CliRunner().invoke(app, ["protocols"])
    assert listed.exit_code == 0
    assert "rls-leg" in listed.output
    told = CliRunner().invoke(app, ["protocols", "rls-leg"])
    assert told.exit_code == 0
    assert "15 Hz" in told.output
    assert "(seen" in told.output
    assert "recommendation" in " ".join(told.output.split())
    unknown = CliRunner().invoke(app, ["protocols", "miracle"])
    assert unknown.exit_code == 2


def test_a_whole_run_writes_dose_and_errors_into_report_and_summary(tmp_path, monkeypatch):
    """Both sides with one coil, coarse, on the fast head: the page and the JSON tell the same."""
    monkeypatch.chdir(tmp_path)
    coarse = ("--radius", "8", "--spacing", "8", "--angle-step", "45", "--gap", "0.2")
    options = ("--resolution", "fast", *coarse, "--no-figure", "--error", "robotic")
    coil = "magventure-c-b60"
    result = CliRunner().invoke(app, ["target", "m1-leg", "--side", "both", "--coil", coil, *options, "--out", "legs"])
    assert result.exit_code == 0, result.output
    summary = json.loads((tmp_path / "legs" / "summary.json").read_text())
    assert [(entry["name"], entry["side"]) for entry in summary["targets"]] == [("m1-leg", "left"), ("m1-leg", "right")]
    page = (tmp_path / "legs" / "report.html").read_text()
    assert "Errors of placement" in page
    titles = [section["title"] for section in summary["page"]["sections"]]
    assert "Errors of placement" in titles
    fields = [entry["field_V_per_m_at_1_A_per_us"] for entry in summary["targets"]]
    assert summary["field_at_1_A_per_us"]["at_target_V_per_m"] == min(fields)
    assert summary["search"]["certificate"]["gap"] >= 0.2
    assert not (tmp_path / "legs" / "figure.png").exists()
