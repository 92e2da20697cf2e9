"""Exchange coil poses with navigation systems: Brainsight, Localite, Softaxic, visor2, SimNIBS.

The axes of a coil are named differently in each; all poses here are in the frame of SimNIBS, +z into the head and +y
away from the handle. `RecordedPose.axes` says in words how a file was understood: look at it before you
trust an import.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from efield.navigation import brainsight, localite, simnibs, softaxic, visor2
from efield.navigation.recorded import RecordedPose, Recording, checked_names, read_text, write_text
from meshes import Pose, arrays

__all__ = ["FILES", "RecordedPose", "Recording", "read_poses", "read_recording", "write_poses"]

_READERS: dict[str, Callable[[str, str], Recording]] = {
    "brainsight": brainsight.read,
    "localite": localite.read,
    "softaxic": softaxic.read,
    "visor2": visor2.read,
    "simnibs": simnibs.read,
}

_WRITERS: dict[str, Callable[[Mapping[str, Pose]], str]] = {
    "brainsight": brainsight.write,
    "localite": localite.write,
    "softaxic": softaxic.write,
    "visor2": visor2.write,
    "simnibs": simnibs.write,
}

FILES = {
    "brainsight": "brainsight.txt",
    "localite": "localite.xml",
    "softaxic": "softaxic.stmpx",
    "visor2": "visor2.mrk",
    "simnibs": "simnibs.csv",
}
"""What the file of each system is called in a result folder."""


def read_poses(path: str | os.PathLike[str], *, system: str | None = None) -> tuple[RecordedPose, ...]:
    """Read the coil poses of a navigation system; `read_recording` also says what was recorded without a pose.

    Parameters
    ----------
    path, system
        See `read_recording`.

    Returns
    -------
    tuple of RecordedPose
        In the order of the file; entries whose coil was not tracked are left out.

    Raises
    ------
    ValueError, OSError
        See `read_recording`.
    """
    return read_recording(path, system=system).poses


def read_recording(path: str | os.PathLike[str], *, system: str | None = None) -> Recording:
    """Read a file of a navigation system: its coil poses, and the names of entries that have none.

    Parameters
    ----------
    path : str or path
        A file of Brainsight (.txt), Localite (.xml), Softaxic (.stmpx), visor2 (.mrk) or SimNIBS (.csv).
    system : str, optional
        ``"brainsight"``, ``"localite"``, ``"softaxic"``, ``"visor2"`` or ``"simnibs"``; by default told from the text.

    Returns
    -------
    Recording

    Raises
    ------
    ValueError
        If the system cannot be told, the file is broken, too large, or its coordinates cannot be understood.
    OSError
        If the file cannot be read.
    """
    text = read_text(path)
    name = Path(path).name
    if system is None:
        system = _system(text, name)
    return _READERS[arrays.choice(system, "system", _READERS)](text, name)


def _system(text: str, name: str) -> str:
    start = text.lstrip()[:20_000]
    if start.startswith("{"):
        return "visor2"
    if "<InstrumentMarkerList" in start or "<TriggerMarkerList" in start:
        return "localite"
    if "<stmp" in start:
        return "softaxic"
    if start.startswith("#"):
        return "brainsight"
    if any(line.startswith("CoilPos,") for line in text.splitlines()):
        return "simnibs"
    raise ValueError(
        f"path must be a file of Brainsight, Localite, Softaxic, visor2 or SimNIBS; got {name}, which looks like none. "
        "Name the system with system=."
    )


def write_poses(poses: Mapping[str, Pose], path: str | os.PathLike[str], *, system: str) -> None:
    """Write coil poses for a navigation system.

    Parameters
    ----------
    poses : mapping of str to Pose
        Poses by name, coil to head, in the world coordinates (mm, RAS) of the image that the system shows.
    path : str or path
        File to write; it appears whole or not at all.
    system : str
        ``"brainsight"``, ``"localite"``, ``"softaxic"``, ``"visor2"`` or ``"simnibs"``. What a Softaxic file must hold
        is known from a sample only: see `efield.navigation.softaxic`, and try it before you rely on it.

    Raises
    ------
    ValueError
        If there is no pose, a name is empty or broken, or the system is not one of these.
    TypeError
        If a value is no `meshes.Pose`.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> pose = Pose.from_axes(origin=(-40, -20, 90), z=(0.3, 0.2, -0.9), y=(0, 1, 0))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_poses({"M1 hand": pose}, f"{folder}/localite.xml", system="localite")
    ...     read_poses(f"{folder}/localite.xml")
    (RecordedPose('M1 hand', instrument, at [-40.0, -20.0, 90.0] mm),)
    """
    checked_names(poses)
    text = _WRITERS[arrays.choice(system, "system", _WRITERS)](poses)
    write_text(Path(path), text)
