"""Directions along a scalp as someone sees them who looks at the coil from outside: clock, words, landmarks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coils import Coil
from meshes import HeadModel, Pose, scalp_point

F64 = NDArray[np.float64]

__all__ = ["Direction", "clock", "current_at", "direction_of", "head_axes", "say_direction", "tilt_of", "twelve_of"]

# Between which distances from the coil's centre (mm) a position is named as what the handle points to.
_POINTED_AT = (25.0, 120.0)

# Where the scalp faces the front or the back as much as this (cosine, 26 degrees), the vertex is at 12 o'clock.
_STEEP = 0.9

# A coil within this of the scalp's smoothed normal counts as flat (degrees); the normal is as good as 0.3.
_FLAT = 1.0

_DEPTH = 20.0
"""Under the coil's centre (mm): where `coils.Coil.current_direction` is asked for."""


@dataclass(frozen=True)
class Direction:
    """A direction along the scalp, as seen by someone who looks at the coil from outside.

    Attributes
    ----------
    angle : float
        Degrees clockwise from `twelve`, 0 to 360.
    twelve : str
        What lies at 12 o'clock: "the nose", or "the vertex" where the scalp faces the front or the back.
    words : str
        In words, as "backwards and away from the midline".
    off_midline : float
        Angle to the line through `twelve`, 0 to 90 degrees, in the plane of the coil.
    towards : str
        Position of the 10-10 system to which it points best; empty if none is near.
    towards_off : float
        By how many degrees it misses that.
    """

    angle: float
    twelve: str
    words: str
    off_midline: float
    towards: str
    towards_off: float


def clock(angle: float) -> str:
    """Say an angle, clockwise from above (degrees), as the nearest five minutes of a clock's hour hand.

    Examples
    --------
    >>> clock(225.0), clock(359.0)
    ('7:30', '12:00')
    """
    minutes = round(2.0 * (angle % 360.0) / 5.0) * 5 % 720
    return f"{minutes // 60 or 12}:{minutes % 60:02d}"


def say_direction(start: str, direction: Direction) -> str:
    """Say a direction in sentences that begin with `start`."""
    pointed = (
        f", towards {direction.towards} (within {max(direction.towards_off, 1.0):.0f}°)" if direction.towards else ""
    )
    line = "the direction of the midline" if direction.twelve == "the nose" else "the line to the vertex"
    return (
        f"{start} {direction.words}{pointed}: {direction.off_midline:.0f}° from {line}. Seen from outside with "
        f"{direction.twelve} at 12 o'clock, it is at {clock(direction.angle)} ({direction.angle:.0f}° clockwise)."
    )


def head_axes(known: Mapping[str, F64]) -> tuple[F64, F64]:
    """Return the directions to the right and to the front: those of the head's landmarks, else x and y."""
    if not {"T9", "T10", "Cz"} <= set(known):
        return np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])
    right = known["T10"] - known["T9"]
    front = np.cross(known["Cz"] - known["T9"], right)
    return right / np.linalg.norm(right), front / np.linalg.norm(front)


def twelve_of(pose: Pose, axes: tuple[F64, F64]) -> tuple[str, F64]:
    """Return what lies at 12 o'clock for who looks at a coil from outside, and that direction in the coil's plane."""
    outward = -pose.z_axis
    right, front = axes
    twelve, ahead = "the nose", front
    if abs(front @ outward) > _STEEP:
        twelve, ahead = "the vertex", np.cross(right, front)
    up: F64 = ahead - (ahead @ outward) * outward
    return twelve, up / np.linalg.norm(up)


def direction_of(vector: F64, pose: Pose, point: F64, axes: tuple[F64, F64], known: Mapping[str, F64]) -> Direction:
    """Describe a direction in the coil's plane as someone sees it who looks at the coil from outside.

    Parameters
    ----------
    vector : ndarray, shape (3,)
        The direction, in head space; its part in the coil's plane counts.
    pose : Pose
        Coil to head.
    point : ndarray, shape (3,)
        On the scalp under the coil's centre (mm).
    axes : tuple of ndarray, shape (3,)
        From `head_axes`.
    known : mapping of str to ndarray, shape (3,)
        Positions on the scalp by name (mm).

    Returns
    -------
    Direction

    Notes
    -----
    At 12 o'clock is the direction in the coil's plane that comes nearest to the head's front, as it does for the angles
    of a search. Over the forehead and the back of the head it is the direction to the vertex. The head's front is the
    normal of the plane through preauricular points and vertex, so that the line from C3 to FC3 goes there too; the
    front of the head's coordinates may be pitched and turned against it by some degrees.
    """
    outward = -pose.z_axis
    right, front = axes
    twelve, up = twelve_of(pose, axes)
    clockwise = np.cross(up, outward)
    angle = float(np.degrees(np.arctan2(vector @ clockwise, vector @ up)) % 360.0)
    off = angle % 180.0
    towards, miss = _pointed_at(vector, outward, point, known)
    top = np.cross(right, front)
    words = _words(angle, twelve, float(clockwise @ right), float(clockwise @ top), float(outward @ right))
    return Direction(angle, twelve, words, min(off, 180.0 - off), towards, miss)


def _words(angle: float, twelve: str, to_right: float, to_top: float, on_right: float) -> str:
    """Name a direction by its parts ahead and aside, if they are more than 15 degrees from the other.

    `to_right` and `to_top` are the parts of the direction at 3 o'clock, `on_right` that of the scalp's normal.
    """
    ahead, aside = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    said = []
    if abs(ahead) >= 0.26:
        names = ("forwards", "backwards") if twelve == "the nose" else ("up to the vertex", "down")
        said.append(names[int(ahead < 0.0)])
    if abs(aside) >= 0.26:
        if abs(to_right) <= 0.5:  # on the side of the head
            said.append("upwards" if aside * to_top > 0.0 else "downwards")
        elif twelve == "the nose" and abs(on_right) > 0.25:
            said.append("towards the midline" if aside * to_right * on_right < 0.0 else "away from the midline")
        else:
            said.append("to the right" if aside * to_right > 0.0 else "to the left")
    return " and ".join(said)


def _pointed_at(vector: F64, outward: F64, point: F64, known: Mapping[str, F64]) -> tuple[str, float]:
    """Return the position of the cap to which a direction along the scalp points best, and by how much it misses."""
    best, miss = "", 180.0
    for name, spot in known.items():
        away = spot - point
        if not _POINTED_AT[0] <= np.linalg.norm(away) <= _POINTED_AT[1]:
            continue
        flat, along = away - (away @ outward) * outward, vector - (vector @ outward) * outward
        cosine = flat @ along / max(float(np.linalg.norm(flat) * np.linalg.norm(along)), 1e-12)
        off = float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
        if off < miss:
            best, miss = name, off
    return (best, miss) if miss <= 10.0 else ("", miss)


def tilt_of(head: HeadModel, coil: Coil, pose: Pose, point: F64) -> tuple[float, str]:
    """Return the angle between the coil's axis and the scalp's normal, and which side of the coil that lifts."""
    normal = scalp_point(head, point)[1]
    outward = -pose.z_axis
    angle = float(np.degrees(np.arccos(np.clip(normal @ outward, -1.0, 1.0))))
    if angle < _FLAT:
        return angle, ""
    # The axis leans towards the side that is pressed down; the other one is lifted.
    lean = outward - (outward @ normal) * normal
    handle = pose.apply_vectors(coil.handle)
    across = np.cross(handle, pose.z_axis)  # to the right of who looks from outside, the handle down
    ahead, aside = -lean @ handle, -lean @ across
    end = "at the handle" if ahead > 0.0 else "away from the handle"
    wing = "on the right" if aside > 0.0 else "on the left"
    said = [text for text, part in ((end, ahead), (wing, aside)) if abs(part) >= 0.38 * np.linalg.norm(lean)]
    return angle, " and ".join(said)


def current_at(coil: Coil) -> str:
    """Say where `current_direction` is meant: under a circular coil's centre the field vanishes."""
    x = np.arange(0.0, 61.0, 5.0)
    strength = np.linalg.norm(coil.potential(np.column_stack([x, 0.0 * x, np.full_like(x, _DEPTH)])), axis=1)
    if strength[0] > 0.1 * strength.max():
        return "under the coil's centre"
    return "under the winding on the left (seen from outside with the handle pointing down)"
