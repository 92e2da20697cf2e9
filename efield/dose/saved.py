"""Take the field at a motor threshold from the folder of an earlier search."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Literal

from coils import Coil, Stimulator
from efield.dose.sources import THRESHOLD
from efield.dose.threshold import MotorThreshold

__all__ = ["threshold_of_folder"]


def threshold_of_folder(
    path: str | os.PathLike[str],
    *,
    mso: float,
    coil: Coil | str | None = None,
    stimulator: Stimulator | None = None,
    method: Literal["emg", "visual"] = "emg",
    spread: float = THRESHOLD,
) -> MotorThreshold:
    """Read where the coil was at the threshold, and the field it gives there, from a saved result.

    Parameters
    ----------
    path : str or path
        A folder that `SearchResult.save` wrote, or its summary.json: of the muscle's target, with the measurement's
        coil.
    mso, method, spread
        See `MotorThreshold`.
    coil : Coil or str, optional
        By default the one that the summary names.
    stimulator : Stimulator, optional
        See `MotorThreshold`.

    Returns
    -------
    MotorThreshold

    Raises
    ------
    ValueError
        If the file is no summary of a search, or an argument is out of range.
    OSError
        If it cannot be read.
    """
    file = Path(path)
    if file.is_dir():
        file = file / "summary.json"
    try:
        summary = json.loads(file.read_text(encoding="utf-8"))
        field = float(summary["field_at_1_A_per_us"]["at_target_V_per_m"])
        error = float(summary["error_estimate"]["relative_error"])
        target, provenance = summary["target"], summary["provenance"]
        name, head = str(provenance["coil"]), str(provenance["head sha256"])
        site = _site(summary, target)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(
            f"path must be a result of efield target; got {file}, which holds no summary of a search. "
            "Name the folder of a search for the muscle's target."
        ) from None
    return MotorThreshold(
        mso=mso,
        field_per_didt=field,
        coil=name if coil is None else coil,
        stimulator=stimulator,
        target=site,
        method=method,
        spread=spread,
        field_error=error,
        head=head,
    )


def _site(summary: dict[str, Any], target: dict[str, Any]) -> str:
    """Return names and sides as `SearchResult.name` does."""
    targets = summary.get("targets", [target])
    names = dict.fromkeys(str(one["name"]) for one in targets if one["name"])
    sides = dict.fromkeys(str(one["side"]) for one in targets if one["side"])
    return f"{' and '.join(names)} {' and '.join(sides)}".strip() or "a free point"
