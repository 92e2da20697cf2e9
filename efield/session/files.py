"""Write a session: a table for spreadsheets, the same numbers with all that is behind them for machines, a picture."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from efield.session.result import quantity_of, title_of

if TYPE_CHECKING:
    from efield.session.result import Session

__all__ = ["FILES", "as_dict", "check_folder", "rows", "save"]

FILES = ("session.csv", "session.json", "figure.png")


def rows(session: Session) -> list[dict[str, Any]]:
    """Return one row for each pulse; the unit stands in a column's name, and None for what is not known."""
    names = _names(session)
    return [
        {key: _plain(value) for key, value in (_about(session, row) | _at_targets(session, row, names)).items()}
        for row in range(len(session.poses))
    ]


def _about(session: Session, row: int) -> dict[str, Any]:
    """Return what a row says of the pulse itself."""
    pulse, pose = session.pulses[row], session.poses[row]
    turns = session.turns
    return {
        "pulse": row + 1,
        "name": pulse.name,
        "kind": pulse.kind,
        "time_s": pulse.time,
        "state": session.states[row],
        **dict(zip(("x_mm", "y_mm", "z_mm"), pose.origin, strict=True)),
        "casing_to_scalp_mm": session.gaps[row],
        "cuts_scalp": bool(session.cutting[row]),
        "tilt_to_scalp_deg": session.scalp_tilts[row],
        "offset_from_optimum_mm": None if session.offsets is None else session.offsets[row],
        "angle_to_optimum_deg": None if turns is None else turns[0][row],
        "tilt_to_optimum_deg": None if turns is None else turns[1][row],
        "mso_percent": pulse.mso,
        "didt_A_per_s": session.didt[row],
    }


def _at_targets(session: Session, row: int, names: tuple[str, ...]) -> dict[str, Any]:
    """Return what a row says of the field at each target."""
    found: dict[str, Any] = {}
    for column, (name, target) in enumerate(zip(names, session.targets, strict=True)):
        found[f"{name}: |E| V_per_m_per_A_us"] = session.magnitudes[row, column]
        if target.direction is not None:
            found[f"{name}: wanted component V_per_m_per_A_us"] = session.values[row, column]
        found[f"{name}: cortex normal V_per_m_per_A_us"] = session.normals[row, column]
        found[f"{name}: share of optimum"] = None if session.shares is None else session.shares[row, column]
        found[f"{name}: recorded V_per_m"] = session.recorded[row, column]
    return found


def _names(session: Session) -> tuple[str, ...]:
    """Return a name for each target, different from all others."""
    titles = [title_of(target) for target in session.targets]
    return tuple(
        title if titles.count(title) == 1 else f"{title} ({titles[: number + 1].count(title)})"
        for number, title in enumerate(titles)
    )


def as_dict(session: Session) -> dict[str, Any]:
    """Return a session as plain data; see `Session.as_dict`."""
    labels = [f"{row + 1}: {pulse.name}" for row, pulse in enumerate(session.pulses)]
    matrix = session.transform.matrix
    return {
        "what": "Field of recorded TMS pulses at targets. Research software, not a medical device; no clinical "
        "clearance.",
        "recording": {
            "system": session.recording.system,
            "pulses": len(labels),
            "counted": int(session.counted.sum()),
            "off_the_head": _picked(labels, session, "off the head"),
            "in_the_head": _picked(labels, session, "in the head"),
            "cutting_the_scalp": [label for label, cut in zip(labels, session.cutting, strict=True) if cut],
            "without_tracking": list(session.recording.untracked),
            "planned_poses_left_out": len(session.recording.poses) - len(labels),
            "axes_as_understood": [pulse.axes for pulse in session.pulses[:3]],
        },
        "transform": {
            "matrix_recording_to_head_mm": matrix.tolist(),
            "identity": bool(np.array_equal(matrix, np.eye(4))),
        },
        "targets": [
            {
                "name": name,
                "position_mm": target.position.tolist(),
                "direction": None if target.direction is None else target.direction.tolist(),
                "radius_mm": target.radius,
                "quantity": quantity_of(target),
                "source": target.source,
            }
            for name, target in zip(_names(session), session.targets, strict=True)
        ],
        "optimum": _optimum(session),
        "stimulator": None
        if session.stimulator is None
        else {
            "name": session.stimulator.label,
            "max_didt_A_per_s": session.stimulator.max_didt,
            "source": session.stimulator.source,
        },
        "statistics": [dataclasses.asdict(part) | {"unit": "V/m at 1 A/us"} for part in session.statistics],
        "statistics_are": "over counted pulses, a casing that cuts the scalp included; low: the 5th percentile; near: "
        "above 90 % of the optimum; recorded: V/m at the recorded dI/dt",
        "provenance": dict(session.provenance),
        "pulses": [
            row | {"matrix_coil_to_head_mm": pose.matrix.tolist()}
            for row, pose in zip(rows(session), session.poses, strict=True)
        ],
    }


def _picked(labels: list[str], session: Session, state: str) -> list[str]:
    return [label for label, own in zip(labels, session.states, strict=True) if own == state]


def _optimum(session: Session) -> dict[str, Any] | None:
    if session.optimum is None or session.optimum_values is None:
        return None
    return {
        "matrix_coil_to_head_mm": session.optimum.matrix.tolist(),
        "casing_to_scalp_mm": session.optimum_gap,
        "values_V_per_m_per_A_us": session.optimum_values.tolist(),
    }


def _plain(value: Any) -> Any:
    """Return a value as JSON knows it; NaN becomes None."""
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value


def check_folder(folder: str | os.PathLike[str]) -> Path:
    """Make sure, before anything is computed, that a session can be written.

    Raises
    ------
    ValueError
        If the folder holds anything, or is a file.
    OSError
        If it cannot be written to.
    """
    path = Path(folder)
    if path.exists() and not path.is_dir():
        raise ValueError(f"folder must be a folder; got the file {path}.")
    if path.exists() and any(path.iterdir()):
        raise ValueError(f"folder must be new or empty; got {path}, which holds files. Name another with --out.")
    above = path.absolute().parent
    while not above.exists():
        above = above.parent
    if not above.is_dir():
        raise ValueError(f"folder must be in a folder; got {path} under the file {above}.")
    try:
        with tempfile.TemporaryDirectory(dir=above, prefix=".efield-"):
            pass
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise OSError(f"folder must be writable; got {path} ({reason}). Name another with --out.") from None
    return path


def save(session: Session, folder: str | os.PathLike[str], *, figure: bool = True) -> None:
    """Write a session into a new or empty folder; see `Session.save`.

    Everything is written into a temporary folder beside it, which then takes its name.
    """
    path = check_folder(folder).absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=path.parent, prefix=".efield-"))
    try:
        (draft / "session.csv").write_text(_csv(rows(session)), encoding="utf-8", newline="")
        text = json.dumps(as_dict(session), indent=1, allow_nan=False, ensure_ascii=False)
        (draft / "session.json").write_text(text + "\n", encoding="utf-8")
        if figure:
            from efield.session.figure import save_figure

            save_figure(session, draft / "figure.png")
        draft.chmod(0o755)
        if path.exists():
            path.rmdir()  # empty: checked above; fails if something has come to lie in it
        draft.replace(path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _csv(table: list[dict[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(table[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)  # floats by repr, so that they are those of session.json; None as nothing
    return out.getvalue()
