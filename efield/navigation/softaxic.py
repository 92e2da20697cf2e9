"""Softaxic Optic (EMS): stored positions (.stmpx).

The matrix m of a position gives the coil's axes in SimNIBS' frame as x = -column 1, y = column 0, z = column 2.
Checked on SimNIBS' own sample, where column 2 has a mean cosine of -0.87 with the outward direction; the axes in the
coil's plane rest on its code.

No description of the format is public. What follows is computed from that sample of four positions, not confirmed by
the maker:

* ``fp`` holds x, y, z (mm, rounded to six digits) and m00 to m22; ts is the time in milliseconds since 1970.
* Points stand inside ``fp``: f lies 11.5 to 15.3 mm from (x, y, z) along -z, out of the head, and b 14 to 18 mm along
  +z; the property "EMS_FT dist" is minus the distance from f to b. So (x, y, z) may be where the coil's axis meets the
  scalp and f a point of the coil; SimNIBS takes (x, y, z) for the coil's centre, and so do we. bm and bt are unknown.
* The id of ``fp`` (one number for the whole sample), ``global`` and ``dataset`` (looks like date and time) are unknown.

The writer repeats these elements and attributes, with zeros for what is not known, and leaves out the points, which
Softaxic itself measured on its own model of the head.
"""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import quoteattr

import numpy as np

from efield.navigation.localite import parsed
from efield.navigation.recorded import RecordedPose, Recording, number_in, pose_from
from meshes import Pose

_TO_SIMNIBS = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])

_NOTE = (
    "Written by efield (research software, not a medical device) after a sample: id and ts of fp, global and dataset "
    "are placeholders, since their meaning is not published. Check the position in Softaxic before use."
)


def read(text: str, name: str) -> Recording:
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
    began: float | None = None
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
        clock = number_in(inner.get("ts"), 1e-3) or None  # 0 in files that were not recorded
        began = clock if began is None else began
        found.append(
            RecordedPose(
                name=position.get("id", ""),
                pose=pose_from(matrix @ _TO_SIMNIBS, origin, where),
                kind="target",
                time=None if clock is None or began is None else clock - began,
            )
        )
    if not found:
        raise ValueError(f"{name} must hold at least one position <fmp>; got none.")
    return Recording("softaxic", tuple(found))


def write(poses: Mapping[str, Pose]) -> str:
    """Return the text of a file of positions; see the module on what is unknown about the format."""
    lines = ["<!DOCTYPE stmp>", "<stmp>", f" <!-- {_NOTE} -->", ' <fmpm dataset="19700101-000000">']
    for name, pose in poses.items():
        axes = pose.rotation @ _TO_SIMNIBS.T
        values = {f"m{i}{j}": axes[i, j] for i in range(3) for j in range(3)} | dict(
            zip("xyz", pose.origin, strict=True)
        )
        numbers = " ".join(f'{key}="{value:.12g}"' for key, value in values.items())
        lines += [
            f'  <fmp global="0" id={quoteattr(name)}>',
            f'   <fp id="0" ts="0" {numbers}/>',
            "  </fmp>",
        ]
    return "\n".join([*lines, " </fmpm>", "</stmp>"]) + "\n"
