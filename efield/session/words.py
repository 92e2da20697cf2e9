"""Say a session in words: name and value of each line of a table, and what is doubtful about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from efield.session.result import Session, TargetStatistics

__all__ = ["doubts", "facts"]

_FLAT = 45.0
"""A coil whose axis is farther than this from the scalp's normal (degrees) is not held as coils are."""

_DEEP = 5.0
"""A casing deeper in the scalp than this (mm) is more than hair and registration explain."""

_SHOWN = 5


def facts(session: Session) -> dict[str, str]:
    """Return what a session came to: name and value of each line of a table."""
    counted = session.counted
    lines = {
        "Pulses": _pulses(session),
        "Coordinates": "taken as the head's own; no transform given"
        if np.array_equal(session.transform.matrix, np.eye(4))
        else f"moved to the head's by the given transform, {_motion(session)}",
        "Casing to scalp": f"median {_range(session.gaps[counted], 'mm', named=True)}{_cuts(session)}",
    }
    if session.offsets is not None and session.turns is not None:
        angle, tilt = session.turns
        lines["From the optimum"] = (
            f"medians: centre {_range(session.offsets[counted], 'mm', named=True)}; "
            f"angle {_range(np.abs(angle[counted]), '°')}; tilt {_range(tilt[counted], '°')}; casing {_nearer(session)}"
        )
    for part in session.statistics:
        lines |= _at(part)
    return lines


def _at(part: TargetStatistics) -> dict[str, str]:
    """Say the statistics of one target."""
    lines = {
        part.name: f"{part.quantity} per A/µs: median {part.median:#.3g} V/m, 5th percentile {part.low:#.3g}, "
        f"{part.least:#.3g} to {part.greatest:#.3g}"
    }
    if part.optimum is not None and part.median_share is not None and part.share_near_optimum is not None:
        lines[f"{part.name}: share"] = (
            f"the optimum gives {part.optimum:#.3g} V/m per A/µs; "
            f"median pulse {100.0 * part.median_share:.0f} % of it; "
            f"{100.0 * part.share_near_optimum:.0f} % of pulses above 90 %"
        )
    if part.recorded_median is not None and part.recorded_low is not None:
        lines[f"{part.name}: recorded"] = (
            f"median {part.recorded_median:#.3g} V/m, 5th percentile {part.recorded_low:#.3g}, of "
            f"{part.recorded_count} pulses with a known dI/dt"
        )
    return lines


def doubts(session: Session) -> tuple[str, ...]:
    """Return, in a sentence each, what in the recording is listed but not counted, or looks wrong."""
    found = []
    for state, more in (("off the head", ", more than 30 mm from the scalp"), ("in the head", ", windings inside")):
        rows = [row for row, own in enumerate(session.states) if own == state]
        if rows:
            found.append(
                f"{len(rows)} of {_count(len(session.states), 'pulse', 'pulses')} {state}{more}; listed, not counted: "
                f"{_listed(session, rows)}."
            )
    if session.recording.untracked:
        lost = _count(len(session.recording.untracked), "entry", "entries")
        found.append(f"{lost} of the file without a pose: the coil was not seen.")
    left = len(session.recording.poses) - len(session.pulses)
    if left:
        found.append(f"{_count(left, 'pose', 'poses')} of the file left out: planned, without a pulse.")
    tilt = float(np.median(session.scalp_tilts[session.counted]))
    if tilt > _FLAT:
        found.append(
            f"The coil's axis is {tilt:.0f} degrees from the scalp's normal in the median pulse: axes or coordinates "
            "of the file may not be what they were taken for."
        )
    deep = session.counted & (session.gaps < -_DEEP)
    if deep.any():
        found.append(
            f"In {_count(int(deep.sum()), 'pulse', 'pulses')} the casing is more than {_DEEP:g} mm in the scalp, "
            f"to {-session.gaps[deep].min():.0f} mm: registration, head or coil may be another than recorded with."
        )
    found += _doubts_of_output(session)
    return tuple(found)


def _doubts_of_output(session: Session) -> list[str]:
    """Say what is doubtful about the stimulator's output as recorded."""
    found = []
    unknown = [p for p, didt in zip(session.pulses, session.didt, strict=True) if np.isnan(didt)]
    if session.stimulator is None and any(p.mso is not None and 0.0 < p.mso <= 100.0 for p in unknown):
        found.append("The file gives the output in per cent; name the stimulator to get V/m for it.")
    if any(p.mso == 0.0 or p.didt == 0.0 for p in unknown):
        found.append("An output of 0 is taken as not recorded.")
    wrong = [row for row, p in enumerate(session.pulses) if p.mso is not None and not 0.0 <= p.mso <= 100.0]
    if wrong:
        found.append(
            f"The output is not from 0 to 100 % in {_count(len(wrong), 'pulse', 'pulses')}: {_listed(session, wrong)}."
        )
    return found


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _listed(session: Session, rows: list[int]) -> str:
    named = [f"{row + 1} ({session.pulses[row].name})" for row in rows[:_SHOWN]]
    return ", ".join(named) + (f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else "")


def _pulses(session: Session) -> str:
    """Say how many pulses there are, and what became of them."""
    count = int(session.counted.sum())
    parts = [f"{len(session.states)} recorded", f"{count} counted"]
    for state in ("off the head", "in the head"):
        number = session.states.count(state)
        if number:
            parts.append(f"{number} {state}")
    if session.recording.untracked:
        parts.append(f"{len(session.recording.untracked)} more without a pose")
    return ", ".join(parts)


def _motion(session: Session) -> str:
    """Say how far the transform turns and shifts."""
    rotation = session.transform.rotation
    angle = np.degrees(np.arccos(np.clip(0.5 * (np.trace(rotation) - 1.0), -1.0, 1.0)))
    return f"{angle:.1f}° and {np.linalg.norm(session.transform.origin):.1f} mm"


def _nearer(session: Session) -> str:
    """Say how much nearer to the scalp the casing was than in the optimum: then pulses can have more than 100 %."""
    assert session.optimum_gap is not None  # for the type checker: the caller has an optimum
    off = float(np.median(session.gaps[session.counted])) - session.optimum_gap
    return f"{abs(off):.1f} mm {'nearer to' if off < 0.0 else 'farther from'} the scalp"


def _cuts(session: Session) -> str:
    count = int((session.cutting & session.counted).sum())
    if not count:
        return "; none cuts the scalp"
    return f"; {count} cut{'s' if count == 1 else ''} the scalp (negative), flagged"


def _range(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]], unit: str, *, named: bool = False) -> str:
    """Say median, 5th and 95th percentile."""
    low, median, high = np.percentile(values[np.isfinite(values)], [5.0, 50.0, 95.0])
    space = "" if unit == "°" else " "
    return f"{median:.1f}{space}{unit} ({'5th to 95th percentile ' if named else ''}{low:.1f} to {high:.1f})"
