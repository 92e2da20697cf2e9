"""Say a pose in words that a person with a tape, or with the positions of an EEG cap, can follow."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coils import Coil
from efield.targeting.bearings import Direction, current_at, direction_of, head_axes, say_direction, tilt_of, twelve_of
from meshes import HeadModel, Pose, Surface, arrays, closest_points, positions_10_10
from meshes.scalp import cast_rays
from meshes.tape import LINES, Route, TapeLine, scalp_distance

F64 = NDArray[np.float64]

__all__ = ["CapSteps", "PoseInWords", "pose_in_words"]

# Positions of a cap further away than this (mm) are not reached for.
_CAP = 65.0

_LANDMARKS = {
    "Cz": "the vertex (Cz)",
    "Nz": "the nasion",
    "Iz": "the inion",
    "T9": "the left preauricular point",
    "T10": "the right preauricular point",
}
"""What is found on a head without a cap."""


@dataclass(frozen=True)
class CapSteps:
    """Two straight steps between positions of the 10-10 system that lead to a point, which then snaps to the scalp.

    Attributes
    ----------
    start : str
        Position nearest to the point.
    first, second : str
        Positions towards which the steps go; the second step is parallel to the line from `start` to `second`.
    first_step, second_step : float
        Their lengths (mm).
    first_share, second_share : float
        Their lengths as shares of the distances from `start` to `first` and to `second`.
    """

    start: str
    first: str
    second: str
    first_step: float
    second_step: float
    first_share: float
    second_share: float


@dataclass(frozen=True, eq=False, kw_only=True)
class PoseInWords:
    """A pose as a person can follow it.

    Attributes
    ----------
    point : ndarray, shape (3,)
        Where the coil's axis meets the scalp (mm): what to mark.
    gap : float
        From there to the coil's origin (mm).
    tape : Route or None
        Two legs of a tape from the vertex; None if the head's landmarks are not known.
    cap : CapSteps or None
        Two steps between positions of a cap.
    nearest : tuple of (str, float, float)
        The three positions nearest to the point: name, straight distance and distance along the scalp (mm).
    checks : tuple of (str, float)
        Landmarks of the head and their distances along the scalp (mm), to check the mark with.
    handle, current : Direction
        Where the handle leaves, and where the field flows that the rising current induces.
    current_at : str
        Where that field is meant: under the coil's centre, or under the winding of a circular coil.
    tilt : float
        Angle between the coil's axis and the scalp's normal, smoothed over 15 mm (degrees).
    lifted : str
        Which side of the coil the tilt lifts, in words; empty if it lies flat.
    up : ndarray, shape (3,)
        Direction in the coil's plane that lies at 12 o'clock.
    positions : mapping of str to ndarray, shape (3,)
        The positions of the 10-10 system that were used (mm).
    notes : tuple of str
        What is uncertain about the landmarks, or why there are none.
    """

    point: F64
    gap: float
    tape: Route | None
    cap: CapSteps | None
    nearest: tuple[tuple[str, float, float], ...]
    checks: tuple[tuple[str, float], ...]
    handle: Direction
    current: Direction
    current_at: str
    tilt: float
    lifted: str
    up: F64
    positions: Mapping[str, F64]
    notes: tuple[str, ...]

    @property
    def sentences(self) -> dict[str, str]:
        """What to do, step by step: a heading and its sentence each."""
        lines = {}
        if self.tape is not None:
            lines["Mark the scalp"] = _say_tape(self.tape)
        if self.cap is not None:
            lines["Or with a cap"] = _say_cap(self.cap)
        if self.nearest:
            near = ", ".join(f"{along:.0f} mm from {name}" for name, _, along in self.nearest)
            far = ", ".join(f"{along / 10.0:.1f} cm from {_LANDMARKS[name]}" for name, along in self.checks)
            lines["Check the mark"] = f"Along the scalp it is {near}{'; ' * bool(far)}{far}."
        if self.tape is None:
            lines["Mark the scalp"] = "Coil centre over {:.1f}, {:.1f}, {:.1f} mm (x right, y front, z up).".format(
                *(np.round(self.point, 1) + 0.0)
            )
        lines["Height"] = (
            f"The middle of the housing's head side is {self.gap:.1f} mm over the point, along the coil's axis."
        )
        lines["Turn the coil"] = say_direction("The handle points", self.handle)
        lines["Tilt"] = self._say_tilt()
        lines["Current"] = say_direction(
            f"While the coil's current rises, the induced field {self.current_at} points", self.current
        )
        return lines

    @property
    def short(self) -> str:
        """The place in one phrase."""
        if self.cap is not None:
            return _short_cap(self.cap)
        return "({:.1f}, {:.1f}, {:.1f}) mm".format(*(np.round(self.point, 1) + 0.0))

    def _say_tilt(self) -> str:
        if not self.lifted:
            return f"The coil lies flat on the scalp (within {max(self.tilt, 0.05):.1f}°)."
        return (
            f"The coil is tilted by {self.tilt:.1f}° from flat: its side {self.lifted} is lifted, "
            "seen from outside with the handle pointing down."
        )

    def as_dict(self) -> dict[str, Any]:
        """Return numbers and sentences as plain data for JSON."""
        return {
            "scalp_point_mm": [float(value) for value in self.point],
            "centre_to_scalp_along_axis_mm": self.gap,
            "tape": None
            if self.tape is None
            else {"line": self.tape.line, "along_mm": self.tape.along, "across_mm": self.tape.across}
            | {"signs": "along: left or front positive; across: front or left positive"},
            "cap": None if self.cap is None else dict(vars(self.cap)),
            "nearest": [
                {"name": name, "straight_mm": straight, "along_scalp_mm": along}
                for name, straight, along in self.nearest
            ],
            "along_scalp_from_mm": dict(self.checks),
            "handle": dict(vars(self.handle)),
            "current": dict(vars(self.current)) | {"at": self.current_at},
            "tilt_deg": self.tilt,
            "lifted": self.lifted,
            "sentences": self.sentences,
            "notes": list(self.notes),
        }


def pose_in_words(
    head: HeadModel, coil: Coil, pose: Pose, *, positions: Mapping[str, ArrayLike] | None = None
) -> PoseInWords:
    """Say where a coil is and how it is turned, by the landmarks of the head.

    Parameters
    ----------
    head : HeadModel
        The head.
    coil : Coil
        The coil; its handle and current are named.
    pose : Pose
        Coil to head, outside the head.
    positions : mapping of str to array_like, shape (3,), optional
        Positions of the 10-10 system on the scalp (mm); by default those of `meshes.positions_10_10`.

    Returns
    -------
    PoseInWords
        Without tape and cap, and with a note that says why, if the head's landmarks are not known.

    Raises
    ------
    ValueError
        If a position is not finite.
    """
    known, notes = _positions(head, positions)
    point = _under(head.scalp, pose)
    axes = head_axes(known)
    places = {name: spot for name, spot in known.items() if name not in ("Nz", "Iz", "T9", "T10")}
    tilt, lifted = tilt_of(head, coil, pose, point)
    return PoseInWords(
        point=point,
        gap=float(np.linalg.norm(pose.origin - point)),
        tape=_tape(head.scalp, known, point),
        cap=_cap(places, point),
        nearest=_nearest(head.scalp, places, point),
        checks=_checks(head.scalp, known, point),
        handle=direction_of(pose.apply_vectors(coil.handle), pose, point, axes, known),
        current=direction_of(pose.apply_vectors(coil.current_direction), pose, point, axes, known),
        current_at=current_at(coil),
        tilt=tilt,
        lifted=lifted,
        up=twelve_of(pose, axes)[1],
        positions=known,
        notes=notes,
    )


def _positions(head: HeadModel, given: Mapping[str, ArrayLike] | None) -> tuple[dict[str, F64], tuple[str, ...]]:
    """Return the positions of the 10-10 system, empty if they cannot be known, and what is uncertain about them."""
    if given is not None:
        return {name: arrays.vector(spot, name) for name, spot in given.items()}, ()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            found = positions_10_10(head)
        except ValueError as error:
            return {}, (f"No 10-20 landmarks on this head: {error}",)
    return found, tuple(str(warning.message) for warning in caught)


def _under(scalp: Surface, pose: Pose) -> F64:
    """Return where the coil's axis meets the scalp, or the scalp's point nearest to the origin if it does not."""
    hits = cast_rays(scalp, pose.origin[None], pose.z_axis[None])[0]
    if len(hits):
        met: F64 = pose.origin + hits[0] * pose.z_axis
        return met
    nearest: F64 = closest_points(scalp, pose.origin[None])[0][0]
    return nearest


def _tape(scalp: Surface, known: Mapping[str, F64], point: F64) -> Route | None:
    """Return the way from the vertex whose second leg is shorter."""
    if not {"Cz", "T9", "T10", "Nz", "Iz"} <= set(known):
        return None
    routes = [route for name in LINES if (route := TapeLine(scalp, known, name).route(point)) is not None]
    return min(routes, key=lambda route: abs(route.across), default=None)


def _nearest(scalp: Surface, places: Mapping[str, F64], point: F64) -> tuple[tuple[str, float, float], ...]:
    away = {name: float(np.linalg.norm(spot - point)) for name, spot in places.items()}
    names = sorted(away, key=lambda name: away[name])[:3]
    return tuple((name, away[name], scalp_distance(scalp, places[name], point)) for name in names)


def _checks(scalp: Surface, known: Mapping[str, F64], point: F64) -> tuple[tuple[str, float], ...]:
    """Return distances from the landmarks that are found without a cap; the vertex only if it is not close by."""
    return tuple(
        (name, scalp_distance(scalp, known[name], point))
        for name in _LANDMARKS
        if name in known and (name != "Cz" or np.linalg.norm(known[name] - point) > 40.0)
    )


def _cap(places: Mapping[str, F64], point: F64) -> CapSteps | None:
    """Return the steps from the nearest position towards two others between which the point lies."""
    if len(places) < 3:
        return None
    away = {name: float(np.linalg.norm(spot - point)) for name, spot in places.items()}
    start = min(away, key=lambda name: away[name])
    origin = places[start]
    around = sorted((name for name in places if name != start), key=lambda name: np.linalg.norm(places[name] - origin))
    near = [name for name in around[:8] if np.linalg.norm(places[name] - origin) < _CAP]
    fits = []
    for pair in combinations(near, 2):
        sides = np.stack([places[name] - origin for name in pair], axis=1)
        lengths = np.linalg.norm(sides, axis=0)
        cosine = float(sides[:, 0] @ sides[:, 1] / lengths.prod())
        if abs(cosine) > 0.8:  # nearly one line: the steps would be long
            continue
        # Along the plane of the three positions; what is left is across it, and the scalp takes it up.
        shares = np.linalg.lstsq(sides, point - origin, rcond=None)[0]
        # Neighbours at a right angle, as the rows and columns of the system, are easiest to follow.
        if shares.min() >= 0.0:
            fits.append((float(lengths.sum() * (1.0 + abs(cosine))), pair, lengths, shares))
    if not fits:
        return None
    _, pair, lengths, shares = min(fits, key=lambda fit: fit[0])
    one, two = sorted(range(2), key=lambda index: -shares[index] * lengths[index])
    return CapSteps(
        start,
        pair[one],
        pair[two],
        float(shares[one] * lengths[one]),
        float(shares[two] * lengths[two]),
        float(shares[one]),
        float(shares[two]),
    )


def _say_tape(route: Route) -> str:
    coronal = route.line == "T7-Cz-T8"
    ends = ("T9", "T10") if coronal else ("Nz", "Iz")
    sides = ("to the front", "to the back") if coronal else ("to the left", "to the right")
    first = (
        f"From the vertex (Cz) lay a tape over the scalp towards {_LANDMARKS[ends[int(route.along < 0.0)]]}: "
        f"{abs(route.along) / 10.0:.1f} cm."
    )
    second = (
        f"From there, at a right angle to that line, {abs(route.across) / 10.0:.1f} cm "
        f"{sides[int(route.across < 0.0)]}."
    )
    return f"{first} {second} This point is under the middle of the coil."


def _say_cap(cap: CapSteps) -> str:
    first = (
        f"From {cap.start} go {cap.first_step:.0f} mm towards {cap.first} ({100.0 * cap.first_share:.0f} % of the way)"
    )
    second = (
        f"then {cap.second_step:.0f} mm in the direction from {cap.start} to {cap.second} "
        f"({100.0 * cap.second_share:.0f} % of that distance)"
    )
    return f"{first}, {second}."


def _short_cap(cap: CapSteps) -> str:
    steps = [
        f"{step:.0f} mm towards {name}"
        for step, name in ((cap.first_step, cap.first), (cap.second_step, cap.second))
        if step >= 1.5
    ]
    return f"{cap.start}, {' and '.join(steps)}" if steps else f"at {cap.start}"
