"""A coil pose as a navigation system recorded it, and what all readers and writers of such poses share."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from meshes import Pose
from meshes.arrays import FloatArray

__all__ = ["RecordedPose", "Recording"]

LARGEST_FILE = 64 * 2**20
"""Bytes of the largest file that is read: a session of a hundred thousand pulses has about 60 MB."""

_ROUNDED = 5e-3
"""How far a printed rotation may be from an exact one: three decimals, as Brainsight prints, leave up to 2e-3."""


@dataclass(frozen=True, eq=False)
class RecordedPose:
    """One pose of a coil from a navigation system's file.

    Parameters
    ----------
    name : str
        As in the file.
    pose : Pose
        Coil to head, in the frame of this package and of SimNIBS: +z into the head, +y away from the handle (mm).
    kind : str
        What the file calls it: ``"target"``, ``"sample"``, ``"instrument"`` or ``"trigger"``.
    didt : float, optional
        Rate of change of the current that was recorded with it (A/s).
    mso : float, optional
        Stimulator output (%).
    time : float, optional
        Seconds since the recording began; in files that give the clock's time, since the first pose that has one.
    """

    name: str
    pose: Pose
    kind: str
    didt: float | None = None
    mso: float | None = None
    time: float | None = None

    def __repr__(self) -> str:
        return f"RecordedPose({self.name!r}, {self.kind}, at {np.round(self.pose.origin, 1).tolist()} mm)"

    @property
    def axes(self) -> str:
        """The axes as they were understood, in words: where the coil is, where it looks, where the handle points."""
        into, handle = self.pose.z_axis, -self.pose.y_axis
        return (
            f"{self.name or '(no name)'}: centre {_text(self.pose.origin, 1)} mm, "
            f"into the head {_text(into, 2)}, handle {_text(handle, 2)}"
        )


@dataclass(frozen=True, eq=False)
class Recording:
    """All that a navigation system's file holds on coil poses.

    Parameters
    ----------
    system : str
        Which system wrote it, as in `read_poses`.
    poses : tuple of RecordedPose
        In the order of the file.
    untracked : tuple of str
        Names of entries without a pose, as the coil was not seen when they were recorded.
    """

    system: str
    poses: tuple[RecordedPose, ...]
    untracked: tuple[str, ...] = ()

    @cached_property
    def pulses(self) -> tuple[RecordedPose, ...]:
        """The poses recorded with a pulse, "sample" and "trigger"; all of them if the file holds only planned ones."""
        return tuple(pose for pose in self.poses if pose.kind in ("sample", "trigger")) or self.poses


def number_in(text: str | None, factor: float = 1.0) -> float | None:
    """Return a finite number times a factor, None for anything else."""
    try:
        number = float(text or "nan")
    except ValueError:
        return None
    return factor * number if np.isfinite(number) else None


def rotation_from(matrix: FloatArray, where: str) -> FloatArray:
    """Return the exact rotation nearest to one that was printed with few digits.

    Parameters
    ----------
    matrix : ndarray, shape (3, 3)
        Columns are the axes.
    where : str
        Place in the file, for the message.

    Raises
    ------
    ValueError
        If it is no rotation to within 5e-3.
    """
    if not np.isfinite(matrix).all():
        raise ValueError(f"{where} must hold finite numbers; got {matrix.tolist()}.")
    left, _, right = np.linalg.svd(matrix)
    rotation: FloatArray = left @ right
    off = float(np.abs(rotation - matrix).max())
    if off > _ROUNDED or np.linalg.det(rotation) < 0.0:
        raise ValueError(
            f"{where} must hold a rotation, three right-handed unit axes; got one that is {off:.2g} off "
            f"(determinant {np.linalg.det(matrix):.3g})."
        )
    return rotation


def pose_from(rotation: FloatArray, origin: FloatArray, where: str) -> Pose:
    """Return the pose with coil axes `rotation` (columns, as in SimNIBS) at `origin` (mm)."""
    if not np.isfinite(origin).all():
        raise ValueError(f"{where} must hold a finite position; got {origin.tolist()}.")
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_from(rotation, where)
    matrix[:3, 3] = origin
    return Pose(matrix)


def read_text(path: str | os.PathLike[str]) -> str:
    """Return a file's text.

    Raises
    ------
    ValueError
        If it is larger than 64 MB or no text.
    OSError
        If it cannot be read.
    """
    file = Path(path)
    size = file.stat().st_size
    if size > LARGEST_FILE:
        raise ValueError(f"path must be a file of at most {LARGEST_FILE // 2**20} MB; got {file}, {size // 2**20} MB.")
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"path must be a text file in UTF-8; got {file}.") from None


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".efield-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(draft).chmod(0o644)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def checked_names(poses: Mapping[str, Pose]) -> None:
    """Raise ValueError if a name would break a file, TypeError if a value is no pose."""
    if not isinstance(poses, Mapping):
        raise TypeError(f"poses must be a mapping of names to meshes.Pose; got {type(poses).__name__}.")
    if not poses:
        raise ValueError("poses must hold at least one pose; got none.")
    for name, pose in poses.items():
        if not isinstance(name, str) or not name.strip() or not name.isprintable() or name.startswith("#"):
            raise ValueError(
                f"names of poses must be text in one line without tabs, not beginning with #; got {name!r}."
            )
        if not isinstance(pose, Pose):
            raise TypeError(f"poses must be meshes.Pose; got {type(pose).__name__} for {name!r}.")


def _text(vector: FloatArray, digits: int) -> str:
    # Adding 0.0 turns a rounded -0.0 into 0.0.
    return "(" + ", ".join(f"{value:.{digits}f}" for value in np.round(vector, digits) + 0.0) + ")"
