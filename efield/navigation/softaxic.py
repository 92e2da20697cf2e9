"""Softaxic Optic (EMS): stored positions (.stmpx), read only.

The matrix m of a position gives the coil's axes in SimNIBS' frame as x = -column 1, y = column 0, z = column 2.
Checked on SimNIBS' own sample, where column 2 has a mean cosine of -0.87 with the outward direction; the axes in the
coil's plane rest on its code.
"""

from __future__ import annotations

import numpy as np

from efield.navigation.localite import parsed
from efield.navigation.recorded import RecordedPose, pose_from

_TO_SIMNIBS = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


def read(text: str, name: str) -> tuple[RecordedPose, ...]:
    """Read all stored positions; `name` is the file's, for messages.

    Raises
    ------
    ValueError
        If it is no file of positions or a number is missing.
    """
    root = parsed(text, name)
    if root.tag != "stmp":
        raise ValueError(f"{name} must be a Softaxic file of positions, <stmp>; got <{root.tag}>.")
    found = []
    for position in root.iter("fmp"):
        where = f"{name}, position {position.get('id', '')!r},"
        inner = position.find("fp")
        if inner is None:
            raise ValueError(f"{where} must hold a pose <fp>; got none.")
        try:
            matrix = np.array([[float(inner.attrib[f"m{i}{j}"]) for j in range(3)] for i in range(3)])
            origin = np.array([float(inner.attrib[axis]) for axis in "xyz"])
        except (KeyError, ValueError) as error:
            raise ValueError(f"{where} must hold numbers m00 to m22, x, y and z; got {error}.") from None
        found.append(
            RecordedPose(
                name=position.get("id", ""), pose=pose_from(matrix @ _TO_SIMNIBS, origin, where), kind="target"
            )
        )
    if not found:
        raise ValueError(f"{name} must hold at least one position <fmp>; got none.")
    return tuple(found)
