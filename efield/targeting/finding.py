"""Find the best placement of one coil from reciprocal fields that are already there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coils import Coil
from efield.targeting.certificate import Certificate
from efield.targeting.landscape import CERTAIN, Landscape
from efield.targeting.objectives import Prepared
from efield.targeting.placements import Placement, Placements
from efield.targeting.target import Target
from efield.targeting.target_field import TargetField
from meshes import arrays

F64 = NDArray[np.float64]
Progress = Callable[[str, int, int], None]

__all__ = ["Found", "Progress", "Reach", "check_search", "find", "middle_of", "silent"]

_MOST = 4e6
"""Poses of one search; bounds memory and time."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Reach:
    """The placements that a search tries; see `optimize` for what they are.

    Attributes
    ----------
    distance, radius, spacing : float
        mm.
    angle_step, tilt : float
        Degrees.
    """

    distance: float = 4.0
    radius: float = 30.0
    spacing: float = 2.0
    angle_step: float = 5.0
    tilt: float = 0.0


@dataclass(frozen=True, eq=False)
class Found:
    """The best placement of one coil, before it is solved directly.

    Attributes
    ----------
    placement : Placement
        Where.
    score : float
        What was maximised.
    landscape : Landscape
        All placements.
    certificate : Certificate
        How far below another it could be.
    """

    placement: Placement
    score: float
    landscape: Landscape
    certificate: Certificate


def find(
    fields: TargetField,
    coil: Coil,
    targets: Sequence[Target],
    prepared: Prepared,
    reach: Reach,
    *,
    gap: float = 1e-3,
    most: int = CERTAIN,
    report: Progress | None = None,
) -> Found:
    """Find the best placement of one coil from reciprocal fields that are already there.

    Parameters
    ----------
    fields : TargetField
        Of the objective's patches, ``prepared.patches``.
    coil : Coil
        The coil.
    targets : sequence of Target
        The search lies around their middle.
    prepared : Prepared
        The objective on this head.
    reach : Reach
        What to try.
    gap, report
        As `gap` and `progress` of `optimize`.
    most : int, optional
        Placements evaluated for the certificate at most.

    Returns
    -------
    Found

    Raises
    ------
    ValueError
        If no placement has a score above zero.
    """
    tell = report if report is not None else silent
    r = reach
    middle = middle_of(targets)
    # A position alone has no neighbours to tell slopes from.
    spacing = min(r.spacing, 1.5 * r.radius)
    space = Placements(fields.head, coil, middle, r.distance, r.radius, spacing, r.angle_step, tilt=r.tilt, rim=True)
    landscape = Landscape.survey(fields, coil, space, prepared, tell)
    starts = landscape.best_apart(3)
    climbed = []
    for number, start in enumerate(starts):
        climbed.append(landscape.climb(start, step=1.0, end=0.3))
        tell("refine", number + 1, len(starts) + 1)
    # The optimum is flat: the last tenths of a millimetre are for reproducible poses, and for the best one alone.
    best, score = landscape.climb(max(climbed, key=lambda pair: pair[1])[0], step=0.3, end=0.05)
    tell("refine", len(starts) + 1, len(starts) + 1)
    if not score > 0.0:
        raise ValueError(
            f"target must be reachable by some placement; got at best a score of {score:.3g}. Reverse its direction, "
            "loosen the objective, or widen the search radius."
        )
    tell("certify", 0, 1)
    certificate, better = landscape.certify(score, wanted=gap, most=most)
    if better is not None:
        better, higher = landscape.climb(better, step=0.3, end=0.05)
        if higher > score:
            best, score = better, higher
    tell("certify", 1, 1)
    return Found(best, score, landscape, certificate)


def check_search(
    *,
    distance: float,
    radius: float,
    spacing: float,
    angle_step: float,
    tilt: float = 0.0,
    gap: float = 1e-3,
) -> None:
    """Raise ValueError unless the options of `optimize` are in range; see there for what they are."""
    arrays.non_negative(distance, "distance")
    arrays.positive(radius, "radius")
    arrays.positive(spacing, "spacing")
    arrays.positive(angle_step, "angle_step")
    arrays.non_negative(tilt, "tilt")
    arrays.positive(gap, "gap")
    if distance > 100.0:
        raise ValueError(f"distance must be at most 100 mm; got {distance:g}.")
    if radius > 150.0:
        raise ValueError(f"radius must be at most 150 mm, half a head; got {radius:g}.")
    if angle_step > 90.0:
        raise ValueError(f"angle_step must be at most 90 degrees; got {angle_step:g}.")
    if tilt > 45.0:
        raise ValueError(f"tilt must be at most 45 degrees; got {tilt:g}.")
    if not 1e-5 <= gap < 1.0:
        raise ValueError(f"gap must be from 1e-5 to below 1; got {gap:g}.")
    poses = np.pi * (radius / spacing) ** 2 * 360.0 / angle_step * (9 if tilt > 0.0 else 1)
    if poses > _MOST:
        raise ValueError(
            f"radius, spacing and angle_step must give at most {_MOST:.0e} poses; got {poses:.1e}. The best pose is "
            "refined continuously, so that steps of 2 mm and 5 degrees are fine enough."
        )


def silent(stage: str, done: int, of: int) -> None:
    """Report nothing."""


def middle_of(targets: Sequence[Target]) -> F64:
    """Return the mean position of some targets (mm)."""
    middle: F64 = np.mean([target.position for target in targets], axis=0)
    return middle
