"""SimNIBS: coil positions in a table (.csv) of rows ``CoilPos,x,y,z,ez,ey,dist,name``.

ez and ey are the coil's z and y axes, three columns each.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

import numpy as np

from efield.navigation.recorded import RecordedPose, Recording, pose_from
from meshes import Pose

_COLUMNS = 11


def read(text: str, name: str) -> Recording:
    """Read all rows of coil positions, leaving out those of electrodes; `name` is the file's, for messages.

    Raises
    ------
    ValueError
        If there is no such row or one is broken.
    """
    found = []
    for number, row in enumerate(csv.reader(io.StringIO(text)), start=1):
        if not row or row[0].strip() != "CoilPos":
            continue
        where = f"{name}, line {number},"
        try:
            values = np.array([float(cell) for cell in row[1:10]])
        except ValueError:
            raise ValueError(f"{where} must hold nine numbers after CoilPos; got {row[1:10]}.") from None
        if len(values) != 9:
            raise ValueError(f"{where} must hold nine numbers after CoilPos; got {len(values)}.")
        z, y = values[3:6], values[6:9]
        pose = pose_from(np.column_stack([np.cross(y, z), y, z]), values[:3], where)
        found.append(RecordedPose(name=row[11].strip() if len(row) > _COLUMNS else "", pose=pose, kind="target"))
    if not found:
        raise ValueError(f"{name} must hold at least one row that begins with CoilPos; got none.")
    return Recording("simnibs", tuple(found))


def write(poses: Mapping[str, Pose]) -> str:
    """Return the text of a table; distances are left empty, as the origin is where the coil stands."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for name, pose in poses.items():
        numbers = [*pose.origin, *pose.z_axis, *pose.y_axis]
        writer.writerow(["CoilPos", *(repr(float(value)) for value in numbers), "", name])
    return out.getvalue()
