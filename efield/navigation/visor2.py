"""visor2 (ANT Neuro): target markers (.mrk, JSON) whose axes are declared to be those of SimNIBS.

Other conventions are refused: the descriptions of ANT's own axes that can be had contradict each other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from efield.navigation.recorded import RecordedPose, Recording, pose_from
from meshes import Pose


def read(text: str, name: str) -> Recording:
    """Read all target markers; `name` is the file's, for messages.

    Raises
    ------
    ValueError
        If it is no such JSON, or units, coordinate system or axes are others than mm, the image's and SimNIBS'.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} must be JSON; got {error}.") from None
    markers = content.get("TargetMarkers") if isinstance(content, dict) else None
    if not isinstance(markers, list) or not markers:
        raise ValueError(f"{name} must hold a list TargetMarkers with at least one marker; got {markers!r:.60}.")
    poses = tuple(_marker(marker, f"{name}, marker {number},") for number, marker in enumerate(markers))
    return Recording("visor2", poses)


def _marker(marker: Any, where: str) -> RecordedPose:
    target = marker.get("CoilTarget") if isinstance(marker, dict) else None
    if not isinstance(target, dict):
        raise ValueError(f"{where} must hold a CoilTarget; got {marker!r:.60}.")
    wanted = {"CoordinateSystem": "ASSOCIATED_IMAGE", "PositionalUnit": "mm", "CoilAxesConvention": "simnibs"}
    for key, value in wanted.items():
        if target.get(key) != value:
            raise ValueError(f"{where} must have {key} {value!r}; got {target.get(key)!r}.")
    inner = target.get("CoilPose")
    rows = inner.get("RigidTransformMatrix4x4") if isinstance(inner, dict) else None
    try:
        matrix = np.array(rows, dtype=np.float64)
    except (TypeError, ValueError):
        matrix = np.zeros(0)
    if matrix.shape != (4, 4):
        raise ValueError(f"{where} must hold a RigidTransformMatrix4x4 of 4 x 4 numbers; got {rows!r:.60}.")
    pose = pose_from(matrix[:3, :3], matrix[:3, 3], where)
    return RecordedPose(name=str(target.get("Name", "")), pose=pose, kind="target")


def write(poses: Mapping[str, Pose]) -> str:
    """Return the text of a file of target markers; which image they belong to is for visor2 to say."""
    markers = [
        {
            "CoilTarget": {
                "Name": name,
                "CoordinateSystem": "ASSOCIATED_IMAGE",
                "PositionalUnit": "mm",
                "CoilAxesConvention": "simnibs",
                "CoilPose": {"RigidTransformMatrix4x4": pose.matrix.tolist()},
            }
        }
        for name, pose in poses.items()
    ]
    source = {"SourceInfo": {"AppName": "efield"}}
    return json.dumps({"Configuration": source, "TargetMarkers": markers}, indent=2) + "\n"
