"""Brainsight (Rogue Research): targets and samples exported as text.

A line per pose, columns separated by tabs, named in a line that begins with ``# Target Name`` or ``# Sample Name``;
m0n0 m0n1 m0n2 is the first axis of the coil, m1n* the second, m2n* the third. Against SimNIBS' frame the first and the
third axis point the other way: z out of the head. Checked on SimNIBS' own sample, where the third axis has a mean
cosine of +0.96 with the outward direction; that the second axis is y rests on its code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

import numpy as np

from efield.navigation.recorded import RecordedPose, Recording, number_in, pose_from
from meshes import Pose

_FLIP = np.diag([-1.0, 1.0, -1.0])
_POSITION = ("Loc. X", "Loc. Y", "Loc. Z")
_AXES = tuple(f"m{axis}n{component}" for axis in range(3) for component in range(3))
_KINDS = {"Target Name": "target", "Sample Name": "sample"}
_WORLD = re.compile(r"nifti:(aligned|scanner|q:.*|s:.*)", re.IGNORECASE)
_VERSION = 12


def read(text: str, name: str) -> Recording:
    """Read all targets and samples; `name` is the file's, for messages.

    Raises
    ------
    ValueError
        If the coordinate system is not that of a NIfTI image, a column is missing or a line is broken.

    Notes
    -----
    Of samples "Stim. Power" is taken as the stimulator output in per cent, and "Date" and "Time" count from the first
    one. Tables of electrodes and landmarks hold no coil and are passed over.
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
    untracked: list[str] = []
    columns: list[str] | None = None
    kind, began = "", None
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("#"):
            header = [column.strip() for column in line[1:].split("\t")]
            columns = header if set(_POSITION + _AXES) <= set(header) and header[0] in _KINDS else None
            kind = _KINDS.get(header[0], "")
            continue
        if not line.strip() or columns is None:
            continue
        cells = dict(zip(columns, line.split("\t"), strict=False))
        pose, called = _pose(cells, f"{name}, line {number},"), cells[columns[0]].strip()
        if pose is None:
            untracked.append(called)
            continue
        clock = _clock(cells)
        began = began or clock
        time = None if clock is None or began is None else (clock - began).total_seconds()
        mso = number_in(cells.get("Stim. Power"))
        found.append(RecordedPose(name=called, pose=pose, kind=kind, mso=mso, time=time))
    if not found:
        raise ValueError(f"{name} must hold at least one target or sample with position and axes; got none.")
    return Recording("brainsight", tuple(found), tuple(untracked))


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


def _clock(cells: Mapping[str, str]) -> datetime | None:
    """Return when a sample was taken, by the clock of the recording; None where the file does not say it."""
    try:
        return datetime.fromisoformat(f"{cells['Date'].strip()} {cells['Time'].strip()}")
    except (KeyError, ValueError):
        return None


def write(poses: Mapping[str, Pose]) -> str:
    """Return the text of a file of targets.

    Numbers have more decimals than the three that Brainsight prints, so that a pose comes back as it was.
    """
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
        numbers = [f"{value:.7f}" for value in pose.origin] + [f"{value:.10f}" for value in axes]
        lines.append("\t".join([name, *numbers]))
    return "\n".join(lines) + "\n"
