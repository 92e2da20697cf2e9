"""Say a result in words and write it to a folder: numbers, field and figure."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from efield.targeting.result import check_folder as check_result_folder
from meshes import HeadModel, Pose, arrays, closest_points
from meshes.arrays import FloatArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coils import Coil
    from efield.dose import Dose
    from efield.fields import EField
    from efield.page import Section
    from efield.targeting import SearchResult

__all__ = ["check_folder", "facts_of_field", "facts_of_search", "write", "write_field"]

# What a result folder holds; one that holds any of these is never written to again.
FILES = ("summary.json", "field.vtp", "figure.png", "report.html", "navigation")

# Below this component (of a unit vector) a direction of the head is not worth a word.
_SPOKEN = 0.26

_WORDS = (("right", "left"), ("anterior", "posterior"), ("superior", "inferior"))


def check_folder(folder: str | os.PathLike[str]) -> Path:
    """Make sure, before anything is computed, that a result can be written.

    Parameters
    ----------
    folder : str or path
        Where a result shall go; it need not exist yet.

    Returns
    -------
    Path

    Raises
    ------
    ValueError
        If the folder holds a result already, or is a file.
    OSError
        If it cannot be written to.
    """
    path = Path(folder)
    check_result_folder(path)
    held = [name for name in FILES if (path / name).exists()]
    if held:
        raise ValueError(
            f"folder must not hold a result yet; got {path}, which holds {', '.join(held)}. "
            "Name another or move the old result away."
        )
    above = path
    while not above.exists():
        above = above.parent
    try:
        # Asking os.access is not enough: it says yes to the superuser on a read-only file system.
        with tempfile.TemporaryDirectory(dir=above, prefix=".efield-"):
            pass
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise OSError(f"folder must be writable; got {path} ({reason}). Name another with --out.") from None
    return path


def write(
    result: SearchResult,
    folder: str | os.PathLike[str],
    *,
    didt: float = 1e6,
    field: float = 60.0,
    figure: bool = True,
    sections: Sequence[Section] = (),
    dose: Dose | None = None,
    warnings: Sequence[str] = (),
    command: str = "",
) -> str | None:
    """Write the result of a search: summary.json, field.vtp, figure.png, report.html and the navigation files.

    Parameters
    ----------
    result : SearchResult
        From `efield.optimize`.
    folder : str or path
        Where to write; made if missing.
    didt : float, optional
        Rate of change of the coil's current that the figure shows (A/s).
    field : float, optional
        Wanted field at the target, for the dI/dt in the summary and in the figure's table (V/m).
    figure : bool, optional
        Whether to draw the figure.
    sections : sequence of Section, optional
        What else the report shall tell, and summary.json hold; see `efield.page`.
    dose : Dose, optional
        The dose that the report shall put first; by default that for `field`.
    warnings : sequence of str, optional
        What the report shall say at its top.
    command : str, optional
        The command line that gave the result.

    Returns
    -------
    str or None
        None if all is written; else one sentence on what the figure lacks and why. Everything is finished in a folder
        beside it first: where it is interrupted, no result is left.

    Raises
    ------
    ValueError, OSError
        As `check_folder`.
    """
    target = check_folder(folder)
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target, prefix=".writing-") as name_of_draft:
        path = Path(name_of_draft)
        problem = _write_into(path, result, didt, field, figure, sections, dose, warnings, command)
        for part in ("navigation", "field.vtp", "figure.png", "report.html", "summary.json"):  # the summary last
            if (path / part).exists():
                (path / part).replace(target / part)
    return problem


def _write_into(
    path: Path,
    result: SearchResult,
    didt: float,
    field: float,
    figure: bool,
    sections: Sequence[Section],
    dose: Dose | None,
    warnings: Sequence[str],
    command: str,
) -> str | None:
    """Write all files into an empty folder."""
    from efield import navigation, page, viewer

    result.save(path, field=field)
    (path / "navigation").mkdir()
    for system, name in navigation.FILES.items():
        navigation.write_poses(
            {result.name or "target": result.pose},
            path / "navigation" / name,
            system=system,
        )
    problem = None
    if figure:
        scene = viewer.scene_of_search(result, facts=facts_of_search(result, didt=didt, field=field), didt=didt)
        problem = viewer.save_figure(scene, path / "figure.png")
    drawn = path / "figure.png"
    page.build(
        result,
        field=field,
        figure=drawn if drawn.exists() else None,
        problem=problem,
        sections=sections,
        dose=dose,
        warnings=warnings,
        command=command,
    ).write(path)
    return problem


def write_field(
    head: HeadModel,
    coil: Coil,
    pose: Pose,
    field: EField,
    folder: str | os.PathLike[str],
    *,
    figure: bool = True,
) -> str | None:
    """Write one simulation: summary.json, field.vtp and figure.png.

    Parameters
    ----------
    head, coil, pose
        What was simulated.
    field : EField
        On ``head.cortex``.
    folder : str or path
        Where to write; made if missing.
    figure : bool, optional
        Whether to draw the figure.

    Returns
    -------
    str or None
        As `write`.

    Raises
    ------
    ValueError, OSError
        As `check_folder`.
    """
    from efield import viewer

    path = check_folder(folder)
    path.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path, prefix=".efield-") as draft:
        Path(draft, "summary.json").write_text(
            json.dumps(_summary(coil, pose, field), indent=2, allow_nan=False) + "\n", encoding="utf-8"
        )
        field.save(Path(draft, "field.vtp"))
        for name in ("field.vtp", "summary.json"):  # the summary last: where it is, the result is whole
            Path(draft, name).replace(path / name)
    if not figure:
        return None
    scene = viewer.scene_of_field(head, coil, pose, field, facts=facts_of_field(head, coil, pose, field))
    return viewer.save_figure(scene, path / "figure.png")


def _summary(coil: Coil, pose: Pose, field: EField) -> dict[str, Any]:
    """Return a simulation's numbers, ready for JSON; units stand in the names."""
    peak = field.peak()
    return {
        "what": "Field of a TMS coil in one pose. Research software, not a medical device; no clinical clearance.",
        "pose": {
            "matrix_coil_to_head_mm": pose.matrix.tolist(),
            "convention": "columns x, y (away from the handle), z (into the head), origin; RAS mm; as matsimnibs",
            "handle": pose.apply_vectors(coil.handle).tolist(),
            "current_direction": pose.apply_vectors(coil.current_direction).tolist(),
        },
        "didt_A_per_s": field.didt,
        "field": {
            "cortex_peak_V_per_m": peak.value,
            "cortex_peak_is": "99.9th percentile over cortex vertices",
            "cortex_peak_mm": peak.position.tolist(),
            "cortex_maximum_V_per_m": field.maximum,
        },
        "error_estimate": field.error_estimate.as_dict(),
        "provenance": dict(field.provenance),
    }


def facts_of_search(result: SearchResult, *, didt: float = 1e6, field: float = 60.0) -> dict[str, str]:
    """Say the result of a search in words.

    Parameters
    ----------
    result : SearchResult
        From `efield.optimize`.
    didt : float, optional
        Rate of change of the current that fields are given for (A/s).
    field : float, optional
        Wanted field at the target (V/m).

    Returns
    -------
    dict of str to str
        Name and value of each line of a table.
    """
    arrays.positive(didt, "didt")
    scale = didt / result.field.didt
    needed = result.didt_for(field)
    target = result.target
    what = "|E|" if target.direction is None else "E along the wanted direction"
    lines = {
        **({} if result.objective.name == "strength" else {"Maximised": result.objective.text}),
        "Coil centre": f"{_point(result.pose.origin)} mm, casing {result.distance:.1f} mm off the scalp",
        "Handle": f"points {say_direction(result.handle)}, {result.angle_to_midline:.0f}° to the midline; "
        f"induced E {say_direction(result.current_direction)}",
        f"At {didt / 1e6:g} A/µs": f"{what} = {scale * result.field_at_target:#.3g} V/m at the target, "
        f"{scale * result.normal_at_target:+.2g} V/m along the cortex's normal",
        "Peak": _peak(result.field, scale, near=target.position),
        f"For {field:g} V/m": f"dI/dt = {needed / 1e6:.1f} A/µs{_share(result.coil, needed)}",
        "Target": f"{_point(target.position)} mm, {result.target_depth:.1f} mm under the scalp",
        **_others(result, scale),
        "Certificate": result.certificate.short,
        "Error estimate": f"{_errors(result.field)}, search against direct solution {result.search_error:.2g}",
    }
    return lines


def _others(result: SearchResult, scale: float) -> dict[str, str]:
    """Say where further targets are and what they get."""
    if len(result.targets) == 1:
        return {}
    return {
        f"{target.name} {target.side}".strip() or f"target {number}": f"{_point(target.position)} mm, "
        f"{scale * field:#.3g} V/m"
        for number, (target, field) in enumerate(zip(result.targets, result.fields_at_targets, strict=True), start=1)
    }


def facts_of_field(head: HeadModel, coil: Coil, pose: Pose, field: EField) -> dict[str, str]:
    """Say one simulation in words: name and value of each line of a table."""
    casing = coil.casing.transformed(pose.matrix).vertices if coil.casing is not None else pose.origin[None]
    gap = float(closest_points(head.scalp, casing)[2].min())
    peak = field.peak()
    return {
        "Coil centre": f"{_point(pose.origin)} mm, {'casing' if coil.casing else 'origin'} {gap:.1f} mm off the scalp",
        "Handle": f"points {say_direction(pose.apply_vectors(coil.handle))}",
        "Induced E": f"points {say_direction(pose.apply_vectors(coil.current_direction))} for rising current",
        f"At {field.didt / 1e6:g} A/µs": f"peak |E| = {peak.value:#.3g} V/m on the cortex, maximum {field.maximum:#.3g}"
        f"{_share(coil, field.didt)}",
        "Peak": f"at {_point(peak.position)} mm, {_depth(head, peak.position):.1f} mm under the scalp",
        "Error estimate": _errors(field),
    }


def say_direction(direction: FloatArray) -> str:
    """Name a direction in the head by its one or two strongest parts.

    Examples
    --------
    >>> say_direction(np.array([-0.7, -0.7, 0.1]))
    'left-posterior'
    """
    unit = arrays.unit_vector(direction, "direction")
    order = np.argsort(-np.abs(unit), kind="stable")[:2]
    return "-".join(_WORDS[axis][int(unit[axis] < 0.0)] for axis in order if abs(unit[axis]) >= _SPOKEN)


def _point(position: FloatArray) -> str:
    return "({:.1f}, {:.1f}, {:.1f})".format(*(np.round(position, 1) + 0.0))


def _depth(head: HeadModel, position: FloatArray) -> float:
    return float(closest_points(head.scalp, position[None])[2][0])


def _peak(field: EField, scale: float, *, near: FloatArray) -> str:
    peak = field.peak()
    away = float(np.linalg.norm(peak.position - near))
    value = f"{scale * peak.value:#.3g} V/m (99.9th percentile; maximum {scale * field.maximum:#.3g})"
    return f"{value} at {_point(peak.position)} mm, {away:.0f} mm from the target"


def _share(coil: Coil, didt: float) -> str:
    """Say what share of the coil's limit a dI/dt is, if the limit is known."""
    if coil.max_didt is None:
        return ""
    share = 100.0 * didt / coil.max_didt
    limit = f"{coil.max_didt / 1e6:.0f} A/µs"
    return f", {share:.0f} % of the coil's {limit}" if share <= 100.0 else f", MORE than the coil's {limit}"


def _errors(field: EField) -> str:
    """Say in one line what the discretisation and the linear solver leave; summary.json has all numbers."""
    estimate = field.error_estimate
    return f"{100.0 * estimate.relative_error:.2g} % of E on the cortex, residual {estimate.residual:.1g}"
