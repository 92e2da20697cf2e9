"""A simulated session: one row for each pulse, and statistics over those that count."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coils import Coil
from coils.stimulators import Stimulator
from efield.navigation import RecordedPose, Recording
from efield.targeting import Target
from efield.targeting.patch import Patch
from meshes import HeadModel, Pose, scalp_points

F64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

__all__ = ["COUNTED", "IN_HEAD", "OFF_HEAD", "Session", "TargetStatistics"]

COUNTED, OFF_HEAD, IN_HEAD = "counted", "off the head", "in the head"

_GOOD = 0.9
"""Share of the optimum's field from which a pulse is counted as near it."""


@dataclass(frozen=True, kw_only=True)
class TargetStatistics:
    """What the pulses that count brought to one target.

    Attributes
    ----------
    name : str
        Name and side of the target.
    quantity : str
        "|E|", or "E along the wanted direction".
    count : int
        Pulses.
    median, low, least, greatest : float
        Median, 5th percentile, least and greatest value (V/m at 1 A/us).
    optimum : float or None
        The optimum's value.
    median_share, low_share : float or None
        Median and 5th percentile as a share of the optimum.
    share_near_optimum : float or None
        Share of pulses above 90 % of the optimum.
    recorded_count : int
        Pulses with a known dI/dt.
    recorded_median, recorded_low : float or None
        Median and 5th percentile of those at the recorded dI/dt (V/m).
    """

    name: str
    quantity: str
    count: int
    median: float
    low: float
    least: float
    greatest: float
    optimum: float | None
    median_share: float | None
    low_share: float | None
    share_near_optimum: float | None
    recorded_count: int
    recorded_median: float | None
    recorded_low: float | None


@dataclass(frozen=True, eq=False, kw_only=True)
class Session:
    """All pulses of a session on one head.

    Attributes
    ----------
    recording : Recording
        What was read; rows are its pulses.
    poses : tuple of Pose
        Of each pulse, coil to head.
    transform : Pose
        From the coordinates of the recording to the head's.
    coil, head, targets, patches
        What was asked; a patch is the target of the same number on this head.
    vectors : ndarray, shape (n_pulses, n_targets, 3)
        Mean field over each target (V/m at 1 A/us); NaN for pulses that do not count.
    gaps : ndarray, shape (n_pulses,)
        Least distance from casing to scalp (mm); negative: the casing cuts the scalp.
    states : tuple of str
        "counted", "off the head" or "in the head".
    didt : ndarray, shape (n_pulses,)
        Rate of change of the coil's current as recorded (A/s); NaN where it is not known.
    stimulator : Stimulator or None
        That turned per cent into dI/dt.
    optimum : Pose or None
        The placement to compare with.
    optimum_vectors : ndarray, shape (n_targets, 3), or None
        Its mean field (V/m at 1 A/us).
    optimum_gap : float or None
        Its distance from casing to scalp (mm).
    provenance : mapping of str to str
        Of the solver.
    """

    recording: Recording
    poses: tuple[Pose, ...]
    transform: Pose
    coil: Coil
    head: HeadModel
    targets: tuple[Target, ...]
    patches: tuple[Patch, ...]
    vectors: F64
    gaps: F64
    states: tuple[str, ...]
    didt: F64
    stimulator: Stimulator | None
    optimum: Pose | None
    optimum_vectors: F64 | None
    optimum_gap: float | None
    provenance: Mapping[str, str]

    def __repr__(self) -> str:
        first = self.statistics[0]
        return (
            f"Session({len(self.poses)} pulses, {first.count} counted: median {first.quantity} {first.median:.3f} V/m "
            f"per A/us at {first.name})"
        )

    @property
    def pulses(self) -> tuple[RecordedPose, ...]:
        """The pulses as recorded, in the recording's own coordinates."""
        return self.recording.pulses

    @cached_property
    def counted(self) -> Mask:
        """Which pulses count, ndarray of bool."""
        return np.array([state == COUNTED for state in self.states])

    @cached_property
    def cutting(self) -> Mask:
        """Which pulses have a casing that cuts the scalp, ndarray of bool."""
        return self.gaps < 0.0

    @cached_property
    def magnitudes(self) -> F64:
        """|E| at each target, shape (n_pulses, n_targets), V/m at 1 A/us."""
        length: F64 = np.linalg.norm(self.vectors, axis=2)
        return length

    @cached_property
    def values(self) -> F64:
        """What each target asks for, |E| or its component, shape (n_pulses, n_targets), V/m at 1 A/us."""
        return _wanted(self.targets, self.vectors)

    @cached_property
    def normals(self) -> F64:
        """Component along the cortex' outward normal, (n_pulses, n_targets), V/m at 1 A/us; NaN for free points."""
        ways = [np.full(3, np.nan) if patch.normal is None else patch.normal for patch in self.patches]
        part: F64 = np.einsum("pti,ti->pt", self.vectors, np.array(ways))
        return part

    @cached_property
    def optimum_values(self) -> F64 | None:
        """The optimum's value at each target, shape (n_targets,), V/m at 1 A/us."""
        return None if self.optimum_vectors is None else _wanted(self.targets, self.optimum_vectors[None])[0]

    @cached_property
    def shares(self) -> F64 | None:
        """Value at each target over the optimum's, shape (n_pulses, n_targets)."""
        return None if self.optimum_values is None else self.values / self.optimum_values

    @cached_property
    def recorded(self) -> F64:
        """Value at each target at the recorded dI/dt, (n_pulses, n_targets), V/m; NaN where that is not known."""
        field: F64 = 1e-6 * self.didt[:, None] * self.values
        return field

    @cached_property
    def offsets(self) -> F64 | None:
        """Distance of the coil's centre to the optimum's, shape (n_pulses,), mm."""
        if self.optimum is None:
            return None
        return np.array([float(np.linalg.norm(pose.origin - self.optimum.origin)) for pose in self.poses])

    @cached_property
    def turns(self) -> tuple[F64, F64] | None:
        """Angle about the optimum's axis and tilt against it, each of shape (n_pulses,), degrees.

        The angle is between the handles after the shortest turn of the coil's axis onto the optimum's, positive
        counter-clockwise seen from outside, -180 to 180; the tilt is that shortest turn, 0 to 180.
        """
        if self.optimum is None:
            return None
        angles = np.array([_angle_and_tilt(pose, self.optimum) for pose in self.poses])
        return angles[:, 0], angles[:, 1]

    @cached_property
    def scalp_tilts(self) -> F64:
        """Angle between the coil's axis and the scalp's inward normal nearest to its centre, (n_pulses,), degrees."""
        _, normals = scalp_points(self.head, np.array([pose.origin for pose in self.poses]))
        axes = np.array([pose.z_axis for pose in self.poses])
        angle: F64 = np.degrees(np.arccos(np.clip(-np.einsum("ij,ij->i", axes, normals), -1.0, 1.0)))
        return angle

    @cached_property
    def statistics(self) -> tuple[TargetStatistics, ...]:
        """Statistics for each target, over the pulses that count."""
        return tuple(self._statistics(column) for column in range(len(self.targets)))

    def _statistics(self, column: int) -> TargetStatistics:
        values = self.values[self.counted, column]
        median, low = float(np.median(values)), float(np.percentile(values, 5.0))
        best = None if self.optimum_values is None else float(self.optimum_values[column])
        known = self.recorded[self.counted, column]
        known = known[np.isfinite(known)]
        return TargetStatistics(
            name=title_of(self.targets[column]),
            quantity=quantity_of(self.targets[column]),
            count=len(values),
            median=median,
            low=low,
            least=float(values.min()),
            greatest=float(values.max()),
            optimum=best,
            median_share=None if best is None else median / best,
            low_share=None if best is None else low / best,
            share_near_optimum=None if best is None else float(np.mean(values / best > _GOOD)),
            recorded_count=len(known),
            recorded_median=float(np.median(known)) if len(known) else None,
            recorded_low=float(np.percentile(known, 5.0)) if len(known) else None,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the session as plain data for JSON: what was done, statistics, and every pulse."""
        from efield.session.files import as_dict

        return as_dict(self)

    def save(self, folder: str | os.PathLike[str], *, figure: bool = True) -> None:
        """Write session.csv, session.json and figure.png into a new or empty folder, whole or not at all.

        Parameters
        ----------
        folder : str or path
            Made if missing.
        figure : bool, optional
            Whether to draw the figure.

        Raises
        ------
        ValueError
            If the folder holds anything, or is a file.
        OSError
            If it cannot be written.
        """
        from efield.session.files import save

        save(self, folder, figure=figure)


def title_of(target: Target) -> str:
    """Return name and side of a target."""
    return f"{target.name} {target.side}".strip()


def quantity_of(target: Target) -> str:
    """Return what a target asks for, in words."""
    return "|E|" if target.direction is None else "E along the wanted direction"


def _wanted(targets: tuple[Target, ...], vectors: F64) -> F64:
    """Return the magnitude, or the wanted component, at each target: (n, n_targets, 3) to (n, n_targets)."""
    columns = [
        np.linalg.norm(vectors[:, column], axis=1)
        if target.direction is None
        else vectors[:, column] @ target.direction
        for column, target in enumerate(targets)
    ]
    return np.ascontiguousarray(np.column_stack(columns))


def _angle_and_tilt(pose: Pose, optimum: Pose) -> tuple[float, float]:
    z, wanted = pose.z_axis, optimum.z_axis
    across = np.cross(z, wanted)
    sine, cosine = float(np.linalg.norm(across)), float(z @ wanted)
    tilt = float(np.degrees(np.arctan2(sine, cosine)))
    if sine < 1e-9 and cosine < 0.0:  # upside down: no turn onto the axis is shorter than another
        return float("nan"), tilt
    y = pose.y_axis
    if sine > 1e-9:
        axis = across / sine
        y = cosine * y + sine * np.cross(axis, y) + (1.0 - cosine) * (axis @ y) * axis  # Rodrigues
    outward = -wanted
    first = optimum.y_axis
    return float(np.degrees(np.arctan2(np.cross(first, y) @ outward, first @ y))), tilt
