"""Poses to and from navigation systems."""

import csv
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from efield.navigation import FILES, RecordedPose, read_poses, read_recording, write_poses
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
        # Brainsight's text has seven decimals of a millimetre, Softaxic's twelve digits.
        np.testing.assert_allclose(recorded.pose.matrix, pose.matrix, atol=1e-7)


# Readers of each format written for the tests alone, after the rules in the formats' descriptions: no line of the
# package's own readers is used. Each returns 4 x 4 matrices in the frame of SimNIBS by name.


def plain_brainsight(text: str) -> dict[str, np.ndarray]:
    """Tab-separated, RAS; m0, m1, m2 are the coil's axes, z out of the head: M diag(-1, 1, -1)."""
    lines = text.splitlines()
    assert lines[0].startswith("# Version: ")
    assert lines[1] == "# Coordinate system: NIfTI:Aligned"  # for versions up to 13
    assert int(lines[0].split(":")[1]) <= 13
    header = next(line for line in lines if line.startswith("# Target Name"))[2:].split("\t")
    found = {}
    for line in lines:
        if line.startswith("#"):
            continue
        row = dict(zip(header, line.split("\t"), strict=True))
        matrix = np.eye(4)
        for axis, sign in enumerate((-1.0, 1.0, -1.0)):
            matrix[:3, axis] = [sign * float(row[f"m{axis}n{k}"]) for k in range(3)]
        matrix[:3, 3] = [float(row[f"Loc. {k}"]) for k in "XYZ"]
        found[row["Target Name"]] = matrix
    return found


def plain_localite(text: str) -> dict[str, np.ndarray]:
    """x into the head, y to the handle, z along SimNIBS' x."""
    root = ET.fromstring(text)
    assert root.tag == "InstrumentMarkerList"
    assert root.get("coordinateSpace") == "RAS"
    found = {}
    for number, marker in enumerate(root.findall("InstrumentMarker")):
        assert marker.get("index") == str(number)
        inner = marker.find("Marker")
        data = inner.find("Matrix4D").attrib
        native = np.array([[float(data[f"data{i}{j}"]) for j in range(4)] for i in range(4)])
        matrix = native.copy()
        matrix[:, 0], matrix[:, 1], matrix[:, 2] = native[:, 2], -native[:, 1], native[:, 0]
        found[inner.get("description")] = matrix
    return found


def plain_softaxic(text: str) -> dict[str, np.ndarray]:
    """x = -column 1, y = column 0, z = column 2."""
    assert text.startswith("<!DOCTYPE stmp>\n<stmp>")
    found = {}
    for position in ET.fromstring(text).findall("fmpm/fmp"):
        assert set(position.attrib) == {"id", "global"}
        data = {key: float(value) for key, value in position.find("fp").attrib.items()}
        assert {"id", "ts"} < set(data)
        m = np.array([[data[f"m{i}{j}"] for j in range(3)] for i in range(3)])
        matrix = np.eye(4)
        matrix[:3] = np.column_stack([-m[:, 1], m[:, 0], m[:, 2], [data["x"], data["y"], data["z"]]])
        found[position.get("id")] = matrix
    return found


def plain_visor2(text: str) -> dict[str, np.ndarray]:
    found = {}
    for marker in json.loads(text)["TargetMarkers"]:
        target = marker["CoilTarget"]
        assert (target["CoilAxesConvention"], target["PositionalUnit"]) == ("simnibs", "mm")
        found[target["Name"]] = np.array(target["CoilPose"]["RigidTransformMatrix4x4"])
    return found


def plain_simnibs(text: str) -> dict[str, np.ndarray]:
    """CoilPos, centre, z axis, y axis, distance, name."""
    found = {}
    for row in csv.reader(text.splitlines()):
        assert row[0] == "CoilPos"
        centre, z, y = np.array(row[1:10], dtype=float).reshape(3, 3)
        matrix = np.eye(4)
        matrix[:3] = np.column_stack([np.cross(y, z), y, z, centre])
        found[row[11]] = matrix
    return found


PLAIN: dict[str, Callable[[str], dict[str, np.ndarray]]] = {
    "brainsight": plain_brainsight,
    "localite": plain_localite,
    "softaxic": plain_softaxic,
    "visor2": plain_visor2,
    "simnibs": plain_simnibs,
}


@pytest.mark.parametrize("system", sorted(FILES))
def test_files_follow_the_rules_of_their_format(system: str, tmp_path: Path) -> None:
    poses = {"M1 hand": POSE, "foot & <leg>": OTHER}
    write_poses(poses, tmp_path / "file", system=system)
    found = PLAIN[system]((tmp_path / "file").read_text(encoding="utf-8"))
    assert list(found) == list(poses)
    for name, pose in poses.items():
        np.testing.assert_allclose(found[name], pose.matrix, atol=1e-7)


SAMPLES = {
    "brainsight_nifti_aligned.txt": "brainsight",
    "localite_instrument_lps.xml": "localite",
    "localite_instrument_ras.xml": "localite",
    "softaxic.stmpx": "softaxic",
    "visor2.mrk": "visor2",
}


@needs_samples
@pytest.mark.parametrize("file", sorted(SAMPLES))
@pytest.mark.parametrize("system", sorted(FILES))
def test_real_files_survive_every_format(file: str, system: str, tmp_path: Path) -> None:
    """Read, write in any system's format, read by our reader and by the plain one: the same to 1e-6."""
    found = read_recording(SHARED / file)
    assert found.system == SAMPLES[file]
    # Names repeat in the samples, or are empty.
    poses = {f"{number}: {recorded.name}": recorded.pose for number, recorded in enumerate(found.poses)}
    write_poses(poses, tmp_path / "file", system=system)
    again = read_poses(tmp_path / "file", system=system)
    plain = PLAIN[system]((tmp_path / "file").read_text(encoding="utf-8"))
    assert [recorded.name.strip() for recorded in again] == [name.strip() for name in poses]
    for (name, pose), recorded in zip(poses.items(), again, strict=True):
        np.testing.assert_allclose(recorded.pose.matrix, pose.matrix, atol=1e-6)
        np.testing.assert_allclose(plain[name], pose.matrix, atol=1e-6)


@needs_samples
def test_what_the_samples_say_beside_poses() -> None:
    """Clock times: of Brainsight's samples, 11:48:47.502 and 11:49:19.162, of Softaxic's in milliseconds."""
    brainsight = read_recording(SHARED / "brainsight_nifti_aligned.txt")
    assert len(brainsight.pulses) == 101
    assert {pulse.kind for pulse in brainsight.pulses} == {"sample"}
    assert [pulse.time for pulse in brainsight.pulses[:2]] == pytest.approx([0.0, 31.66])
    softaxic = read_poses(SHARED / "softaxic.stmpx")
    assert [pose.time for pose in softaxic] == pytest.approx([0.0, 23.015, 53.964, 114.643])


def test_softaxic_says_what_is_unknown(tmp_path: Path) -> None:
    write_poses({"a": POSE}, tmp_path / "s.stmpx", system="softaxic")
    assert "placeholders, since their meaning is not published" in (tmp_path / "s.stmpx").read_text(encoding="utf-8")
    (found,) = read_poses(tmp_path / "s.stmpx")
    assert found.time is None


def test_entries_that_were_not_tracked_are_named(tmp_path: Path) -> None:
    (tmp_path / "t.xml").write_text(TRIGGER, encoding="utf-8")
    assert read_recording(tmp_path / "t.xml").untracked == ("not tracked",)
    lost = "\t".join(["lost", *["(null)"] * 12]) + "\n"
    kept = "\t".join(["kept", "1", "2", "3", "-1", "0", "0", "0", "1", "0", "0", "0", "-1"]) + "\n"
    (tmp_path / "b.txt").write_text(BRAINSIGHT + COLUMNS + lost + kept, encoding="utf-8")
    found = read_recording(tmp_path / "b.txt")
    assert found.untracked == ("lost",)
    assert [pose.name for pose in found.poses] == ["kept"]


def test_brainsight_samples_carry_power_and_time_and_electrodes_are_no_coils(tmp_path: Path) -> None:
    axes = "1\t2\t3\t-1\t0\t0\t0\t1\t0\t0\t0\t-1"
    samples = COLUMNS.replace("Target Name", "Sample Name").replace("\n", "\tStim. Power\tDate\tTime\n")
    text = (
        BRAINSIGHT
        + COLUMNS
        + f"planned\t{axes}\n"
        + samples
        + f"one\t{axes}\t61\t2026-01-31\t23:59:59.500\n"
        + f"two\t{axes}\tnan\t2026-02-01\t00:00:01.000\n"
        + f"three\t{axes}\t(null)\t(null)\t(null)\n"
        + COLUMNS.replace("Target Name", "Electrode Name")
        + f"no coil\t{axes}\n"
    )
    (tmp_path / "b.txt").write_text(text, encoding="utf-8")
    found = read_recording(tmp_path / "b.txt")
    assert [pose.name for pose in found.poses] == ["planned", "one", "two", "three"]
    assert [(pulse.name, pulse.mso, pulse.time) for pulse in found.pulses] == [
        ("one", 61.0, 0.0),
        ("two", None, 1.5),
        ("three", None, None),
    ]


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
        ({"a": POSE}, "nexstim", ValueError, "system must be"),
    ],
)
def test_what_cannot_be_written_leaves_no_file(poses, system, error, message, tmp_path: Path) -> None:
    with pytest.raises(error, match=message):
        write_poses(poses, tmp_path / "out", system=system)
    assert not list(tmp_path.iterdir())
