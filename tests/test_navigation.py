"""Poses to and from navigation systems."""

import json
from pathlib import Path

import numpy as np
import pytest

from efield.navigation import FILES, RecordedPose, read_poses, write_poses
from meshes import Pose

SHARED = Path(__file__).parents[2] / "shared" / "data" / "formats"
needs_samples = pytest.mark.skipif(not SHARED.exists(), reason="needs the sample files in ../shared/data/formats")

# A coil over the left of the head, handle to the back and to the left.
POSE = Pose.from_axes(origin=(-41.25, -20.5, 88.125), z=(0.5, 0.2, -0.9), y=(0.7, 0.7, 0.1))
OTHER = Pose.from_axes(origin=(3.0, -30.0, 101.0), z=(0.0, 0.1, -1.0), y=(0.0, 1.0, 0.0))


@pytest.mark.parametrize("system", sorted(FILES))
def test_round_trip(system: str, tmp_path: Path) -> None:
    path = tmp_path / FILES[system]
    write_poses({"M1 hand": POSE, "foot & <leg>": OTHER}, path, system=system)
    found = read_poses(path)
    assert [recorded.name for recorded in found] == ["M1 hand", "foot & <leg>"]
    for recorded, pose in zip(found, (POSE, OTHER), strict=True):
        # Brainsight's text has four decimals of a millimetre.
        np.testing.assert_allclose(recorded.pose.matrix, pose.matrix, atol=1e-4 if system == "brainsight" else 1e-12)


def test_brainsight_has_z_out_of_the_head_and_x_turned(tmp_path: Path) -> None:
    write_poses({"a": POSE}, tmp_path / "b.txt", system="brainsight")
    cells = (tmp_path / "b.txt").read_text(encoding="utf-8").splitlines()[-1].split("\t")
    axes = np.array([float(cell) for cell in cells[4:]]).reshape(3, 3)
    np.testing.assert_allclose(axes, [-POSE.x_axis, POSE.y_axis, -POSE.z_axis], atol=1e-7)


def test_localite_has_x_into_the_head_and_y_to_the_handle(tmp_path: Path) -> None:
    write_poses({"a": POSE}, tmp_path / "l.xml", system="localite")
    text = (tmp_path / "l.xml").read_text(encoding="utf-8")
    values = {f"{i}{j}": float(text.split(f'data{i}{j}="')[1].split('"')[0]) for i in range(3) for j in range(4)}
    columns = np.array([[values[f"{i}{j}"] for i in range(3)] for j in range(4)])
    np.testing.assert_allclose(columns, [POSE.z_axis, -POSE.y_axis, POSE.x_axis, POSE.origin], atol=1e-12)


def test_localite_in_lps_is_turned_about_z(tmp_path: Path) -> None:
    path = tmp_path / "l.xml"
    write_poses({"a": POSE}, path, system="localite")
    path.write_text(path.read_text(encoding="utf-8").replace('"RAS"', '"LPS"'), encoding="utf-8")
    turned = np.diag([-1.0, -1.0, 1.0, 1.0]) @ POSE.matrix
    np.testing.assert_allclose(read_poses(path)[0].pose.matrix, turned, atol=1e-12)


TRIGGER = """<?xml version="1.0"?>
<TriggerMarkerList coordinateSpace="RAS">
  <TriggerMarker description="first" recordingTime="1500" set="true">
    <ResponseValues><Value key="valueA" response="70.5"/><Value key="amplitudeA" response="48"/></ResponseValues>
    <Matrix4D data00="0" data01="0" data02="1" data03="1" data10="0" data11="-1" data12="0" data13="2"
              data20="1" data21="0" data22="0" data23="3" data30="0" data31="0" data32="0" data33="1"/>
  </TriggerMarker>
  <TriggerMarker description="not tracked" recordingTime="1600" set="true">
    <Matrix4D data00="0" data01="0" data02="0" data03="0" data10="0" data11="0" data12="0" data13="0"
              data20="0" data21="0" data22="0" data23="0" data30="0" data31="0" data32="0" data33="1"/>
  </TriggerMarker>
</TriggerMarkerList>"""


def test_localite_triggers_carry_their_strength(tmp_path: Path) -> None:
    path = tmp_path / "t.xml"
    path.write_text(TRIGGER, encoding="utf-8")
    (found,) = read_poses(path)
    assert (found.kind, found.didt, found.mso, found.time) == ("trigger", 70.5e6, 48.0, 1.5)
    np.testing.assert_allclose(found.pose.rotation, np.eye(3), atol=1e-15)
    np.testing.assert_allclose(found.pose.origin, [1.0, 2.0, 3.0])


def test_the_axes_are_said() -> None:
    pose = Pose.from_axes(origin=(0, 0, 90), z=(0, 0, -1), y=(0, 1, 0))
    said = RecordedPose(name="vertex", pose=pose, kind="target").axes
    assert said == ("vertex: centre (0.0, 0.0, 90.0) mm, into the head (0.00, 0.00, -1.00), handle (0.00, -1.00, 0.00)")


@needs_samples
@pytest.mark.parametrize(
    ("file", "count", "outward"),
    [
        ("brainsight_nifti_aligned.txt", 108, -0.96),
        ("localite_instrument_lps.xml", 4, -0.96),
        ("localite_instrument_ras.xml", 6, -0.86),
        ("softaxic.stmpx", 4, -0.86),
        ("visor2.mrk", 7, -0.93),
    ],
)
def test_real_files_look_into_the_head(file: str, count: int, outward: float) -> None:
    """In every system's own sample the coil's z axis, as understood, points inwards."""
    found = read_poses(SHARED / file)
    assert len(found) == count
    cosines = [recorded.pose.z_axis @ recorded.pose.origin / np.linalg.norm(recorded.pose.origin) for recorded in found]
    assert np.mean(cosines) == pytest.approx(outward, abs=0.02)
    assert max(cosines) < 0.0


@needs_samples
def test_a_list_without_tracked_markers_is_an_error() -> None:
    with pytest.raises(ValueError, match="must hold at least one tracked marker; got none"):
        read_poses(SHARED / "localite_triggers_coil0.xml")


BRAINSIGHT = "# Version: 12\n# Coordinate system: NIfTI:Aligned\n"
COLUMNS = "# Target Name\tLoc. X\tLoc. Y\tLoc. Z\t" + "\t".join(f"m{i}n{j}" for i in range(3) for j in range(3)) + "\n"
VISOR = {
    "Name": "a",
    "CoordinateSystem": "ASSOCIATED_IMAGE",
    "PositionalUnit": "mm",
    "CoilAxesConvention": "simnibs",
    "CoilPose": {"RigidTransformMatrix4x4": np.eye(4).tolist()},
}


def visor(**change: object) -> str:
    return json.dumps({"TargetMarkers": [{"CoilTarget": {**VISOR, **change}}]})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "must be a file of Brainsight, Localite"),
        ("hello", "must be a file of Brainsight, Localite"),
        ("# Version: 12\n", 'must say "# Coordinate system'),
        ("# Coordinate system: Brainsight\n" + COLUMNS, "world coordinates of a NIfTI image; got 'Brainsight'"),
        (BRAINSIGHT + COLUMNS, "at least one target or sample"),
        (BRAINSIGHT + COLUMNS + "a\t1\t2\n", "line 4, must hold twelve numbers"),
        (BRAINSIGHT + COLUMNS + "a" + "\tnan" * 12 + "\n", "line 4, must hold a finite position"),
        (BRAINSIGHT + COLUMNS + "a" + "\t1" * 12 + "\n", "line 4, must hold a rotation"),
        (BRAINSIGHT + COLUMNS + "a\t0\t0\t0\t-1\t0\t0\t0\t1\t0\t0\t0\t1\n", "right-handed"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><InstrumentMarkerList/>', "declares entities"),
        ("<InstrumentMarkerList", "well-formed XML"),
        ("<InstrumentMarkerList/>", 'coordinateSpace "RAS" or "LPS"'),
        ('<InstrumentMarkerList coordinateSpace="RAS"/>', "at least one tracked marker"),
        (
            '<InstrumentMarkerList coordinateSpace="RAS"><InstrumentMarker/></InstrumentMarkerList>',
            "marker 0, must hold a Matrix4D",
        ),
        (TRIGGER.replace('data00="0" data01="0" data02="1"', 'data01="0" data02="1"'), "sixteen numbers"),
        ("<stmp></stmp>", "at least one position"),
        ('<stmp><fmp id="P1"><fp m00="1"/></fmp></stmp>', "m00 to m22"),
        ("{", "must be JSON"),
        ("{" * 100_000, "must be JSON"),
        ("{}", "a list TargetMarkers"),
        (visor(PositionalUnit="m"), "PositionalUnit 'mm'; got 'm'"),
        (visor(CoilAxesConvention="ant"), "CoilAxesConvention 'simnibs'; got 'ant'"),
        (visor(CoilPose={"RigidTransformMatrix4x4": [[1]]}), "4 x 4 numbers"),
        ("CoilPos,1,2,3,0,0,1\n", "nine numbers after CoilPos"),
        ("CoilPos,a,2,3,0,0,1,0,1,0\n", "nine numbers after CoilPos"),
    ],
)
def test_broken_files_get_one_sentence(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=message) as caught:
        read_poses(path)
    assert "\n" not in str(caught.value)
    assert "file" in str(caught.value)


def test_files_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(ValueError, match="text file in UTF-8"):
        read_poses(tmp_path / "binary")


@pytest.mark.parametrize(
    ("poses", "system", "error", "message"),
    [
        ({}, "localite", ValueError, "at least one pose"),
        ({"a\tb": POSE}, "brainsight", ValueError, "one line without tabs"),
        ({"a\u2028b": POSE}, "brainsight", ValueError, "one line without tabs"),  # a line's end to str.splitlines
        ({"# 1": POSE}, "brainsight", ValueError, "not beginning with #"),  # would be read as a comment
        ({"a": np.eye(4)}, "localite", TypeError, "must be meshes.Pose; got ndarray"),
        ({"a": POSE}, "softaxic", ValueError, "system must be"),
    ],
)
def test_what_cannot_be_written_leaves_no_file(poses, system, error, message, tmp_path: Path) -> None:
    with pytest.raises(error, match=message):
        write_poses(poses, tmp_path / "out", system=system)
    assert not list(tmp_path.iterdir())
