"""Brainsight (Rogue Research): targets and samples exported as text.

A line per pose, columns separated by tabs, named in a line that begins with ``# Target Name`` or ``# Sample Name``;
m0n0 m0n1 m0n2 is the first axis of the coil, m1n* the second, m2n* the third. Against SimNIBS' frame the first and the
third axis point the other way: z out of the head. Checked on SimNIBS' own sample, where the third axis has a mean
cosine of +0.96 with the outward direction; that the second axis is y rests on its code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from efield.navigation.recorded import RecordedPose, pose_from
from meshes import Pose

_FLIP = np.diag([-1.0, 1.0, -1.0])
_POSITION = ("Loc. X", "Loc. Y", "Loc. Z")
_AXES = tuple(f"m{axis}n{component}" for axis in range(3) for component in range(3))
_WORLD = re.compile(r"nifti:(aligned|scanner|q:.*|s:.*)", re.IGNORECASE)
_VERSION = 12


def read(text: str, name: str) -> tuple[RecordedPose, ...]:
    """Read all targets and samples; `name` is the file's, for messages.

    Raises
    ------
    ValueError
        If the coordinate system is not that of a NIfTI image, a column is missing or a line is broken.
    """
    system = next((line for line in text.splitlines() if line.lower().startswith("# coordinate system:")), None)
    if system is None:
        raise ValueError(f'{name} must say "# Coordinate system: NIfTI:Aligned"; got no such line.')
    said = system.split(":", 1)[1].strip()
    if not _WORLD.fullmatch(said):
        raise ValueError(
            f"{name} must be in the world coordinates of a NIfTI image; got {said!r}. "
            'Export again from Brainsight with the coordinate system "NIfTI:Aligned".'
        )
    found: list[RecordedPose] = []
    columns: list[str] | None = None
    kind = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("#"):
            header = [column.strip() for column in line[1:].split("\t")]
            columns = header if set(_POSITION + _AXES) <= set(header) else None
            if len(header) > 1:
                kind = "target" if header[0].lower().startswith("target") else "sample"
            continue
        if not line.strip() or columns is None:
            continue
        cells = dict(zip(columns, line.split("\t"), strict=False))
        pose = _pose(cells, f"{name}, line {number},")
        if pose is not None:
            found.append(RecordedPose(name=cells[columns[0]].strip(), pose=pose, kind=kind, mso=_power(cells)))
    if not found:
        raise ValueError(f"{name} must hold at least one target or sample with position and axes; got none.")
    return tuple(found)


def _pose(cells: Mapping[str, str], where: str) -> Pose | None:
    """Return the pose of a line; None where Brainsight had none, as it says by "(null)"."""
    values = [cells.get(column, "").strip() for column in _POSITION + _AXES]
    if all(value == "(null)" for value in values):
        return None
    try:
        numbers = np.array([float(value) for value in values])
    except ValueError:
        raise ValueError(f"{where} must hold twelve numbers of a pose; got {values}.") from None
    return pose_from(numbers[3:].reshape(3, 3).T @ _FLIP, numbers[:3], where)


def _power(cells: Mapping[str, str]) -> float | None:
    try:
        return float(cells.get("Stim. Power", ""))
    except ValueError:
        return None


def write(poses: Mapping[str, Pose]) -> str:
    """Return the text of a file of targets."""
    lines = [
        f"# Version: {_VERSION}",
        "# Coordinate system: NIfTI:Aligned",
        "# Created by: efield (research software, not a medical device)",
        "# units: millimetres, degrees, milliseconds, and microvolts",
        "# Encoding: UTF-8",
        "# Notes: Each column is delimited by a tab. Each value within a column is delimited by a semicolon.",
        "\t".join(("# Target Name", *_POSITION, *_AXES)),
    ]
    for name, pose in poses.items():
        axes = (pose.rotation @ _FLIP).T.ravel()
        numbers = [f"{value:.4f}" for value in pose.origin] + [f"{value:.7f}" for value in axes]
        lines.append("\t".join([name, *numbers]))
    return "\n".join(lines) + "\n"
