"""Localite TMS Navigator: lists of instrument markers and trigger markers (XML).

A marker's matrix has the coil's axes as columns: x into the head, y towards the handle, z along SimNIBS' x axis.
Checked on SimNIBS' own samples, where the first axis has a mean cosine of -0.90 to -0.98 with the outward direction;
that the second points to the handle rests on its code.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from xml.sax.saxutils import quoteattr

import numpy as np

from efield.navigation.recorded import RecordedPose, Recording, number_in, pose_from
from meshes import Pose
from meshes.arrays import FloatArray

_TO_SIMNIBS = np.array([[0.0, 0.0, 1.0], [0.0, -1.0, 0.0], [1.0, 0.0, 0.0]])  # its own inverse
_LPS = np.diag([-1.0, -1.0, 1.0])
_KINDS = {"InstrumentMarkerList": "instrument", "TriggerMarkerList": "trigger"}


def read(text: str, name: str) -> Recording:
    """Read all markers that were tracked; `name` is the file's, for messages.

    Raises
    ------
    ValueError
        If it is no list of markers, the coordinate space is neither RAS nor LPS, or a matrix is broken.

    Notes
    -----
    A marker that was not tracked has a matrix of zeros. Of trigger markers `valueA` is dI/dt in A/us
    and `amplitudeA` the stimulator output in per cent.
    """
    root = parsed(text, name)
    if root.tag not in _KINDS:
        raise ValueError(f"{name} must be a list of Localite markers ({', '.join(_KINDS)}); got <{root.tag}>.")
    space = root.get("coordinateSpace", "")
    if space not in ("RAS", "LPS"):
        raise ValueError(f'{name} must have coordinateSpace "RAS" or "LPS"; got {space!r}.')
    kind = _KINDS[root.tag]
    found, untracked = [], []
    for number, marker in enumerate(list(root.iter("InstrumentMarker")) + list(root.iter("TriggerMarker"))):
        where = f"{name}, marker {number},"
        element = marker.find(".//Matrix4D")
        if element is None:
            raise ValueError(f"{where} must hold a Matrix4D; got none.")
        matrix = _matrix(element, where)
        inner = marker.find("Marker")
        called = (marker if inner is None else inner).get("description", "")
        if not matrix[:3, :3].any():
            untracked.append(called)
            continue
        if space == "LPS":
            matrix[:3] = _LPS @ matrix[:3]
        found.append(
            RecordedPose(
                name=called,
                pose=pose_from(matrix[:3, :3] @ _TO_SIMNIBS, matrix[:3, 3], where),
                kind=kind,
                didt=_value(marker, "valueA", 1e6),
                mso=_value(marker, "amplitudeA", 1.0),
                time=number_in(marker.get("recordingTime"), 1e-3),
            )
        )
    if not found:
        raise ValueError(f"{name} must hold at least one tracked marker; got none.")
    return Recording("localite", tuple(found), tuple(untracked))


def parsed(text: str, name: str) -> ET.Element:
    """Return the root of an XML text without entities of its own, which could blow it up a millionfold."""
    if "<!ENTITY" in text:
        raise ValueError(f"{name} must be plain XML; got one that declares entities.")
    try:
        return ET.fromstring(text)
    except ET.ParseError as error:
        raise ValueError(f"{name} must be well-formed XML; got {error}.") from None


def _matrix(element: ET.Element, where: str) -> FloatArray:
    values = [element.get(f"data{row}{column}") for row in range(4) for column in range(4)]
    try:
        return np.array([float(value) for value in values]).reshape(4, 4)  # type: ignore[arg-type]  # None is caught
    except (TypeError, ValueError):
        raise ValueError(f"{where} must hold sixteen numbers data00 to data33; got {values}.") from None


def _value(marker: ET.Element, key: str, factor: float) -> float | None:
    for value in marker.iter("Value"):
        if value.get("key") == key:
            return number_in(value.get("response"), factor)
    return None


def write(poses: Mapping[str, Pose]) -> str:
    """Return the text of a list of instrument markers in RAS."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<InstrumentMarkerList coordinateSpace="RAS">']
    for index, (name, pose) in enumerate(poses.items()):
        matrix = pose.matrix.copy()
        matrix[:3, :3] = pose.rotation @ _TO_SIMNIBS
        data = " ".join(f'data{row}{column}="{matrix[row, column]:.17g}"' for row in range(4) for column in range(4))
        lines += [
            f'    <InstrumentMarker alwaysVisible="false" index="{index}" selected="false">',
            f'        <Marker additionalInformation="" color="#ff0000" description={quoteattr(name)} set="true">',
            f"            <Matrix4D {data}/>",
            "        </Marker>",
            "    </InstrumentMarker>",
        ]
    return "\n".join([*lines, "</InstrumentMarkerList>"]) + "\n"
