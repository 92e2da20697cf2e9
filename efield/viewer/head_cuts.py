"""Draw cuts through a head: axial, coronal and sagittal, tissues filled, what is wrong with the surfaces marked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from efield.viewer.slices import cut, loops
from meshes import Surface, arrays
from meshes.arrays import FloatArray
from meshes.tissues import TISSUES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from meshes.files.parts import Parts
    from meshes.report import HeadReport

__all__ = ["save_cuts", "tissue_colour"]

_SIZE = (1800, 1260)
_DPI = 100

_TISSUE_COLOURS = {
    "scalp": "#e3b796",
    "skull": "#f4ecd8",
    "compact_bone": "#f4ecd8",
    "spongy_bone": "#dfd2b0",
    "csf": "#9fcbe3",
    "grey": "#9b928e",
    "white": "#ffffff",
    "brain": "#b9aea8",
    "eyes": "#c7d9b7",
    "blood": "#c9545c",
    "muscle": "#cf8d80",
    "fat": "#f3dc92",
    "air": "#ffffff",
}
_OTHER_COLOURS = ("#c6b5d6", "#b7d3b0", "#e8c77a", "#d59aa9", "#8fb8b0")
# Tissue inside a surface, by the beginning of its name, where no conductivity tells.
_BY_NAME = {
    "scalp": "scalp",
    "outer_skin": "scalp",
    "outer_skull": "skull",
    "skull": "skull",
    "inner_skull": "csf",
    "csf": "csf",
    "ventricle": "csf",
    "pial": "grey",
    "lh.pial": "grey",
    "rh.pial": "grey",
    "cerebellum": "grey",
    "grey": "grey",
    "cortex": "grey",
    "brain": "brain",
    "white": "white",
    "lh.white": "white",
    "rh.white": "white",
}
_CORTEX = "#1d7a46"
_FAULT = "#d1001c"
# The view along each axis: which axes point right and up, and the letters at the left, right, bottom and top edge.
_PLANES = {
    "axial": (2, 0, 1, "LRPA"),
    "coronal": (1, 0, 2, "LRIS"),
    "sagittal": (0, 1, 2, "PAIS"),
}


def tissue_colour(name: str, sigma: float | None, index: int) -> tuple[str, str]:
    """Return the tissue inside a surface and its colour.

    Parameters
    ----------
    name : str
        Name of the surface.
    sigma : float or None
        Conductivity inside (S/m).
    index : int
        Number of the surface, for a colour where nothing is known.

    Returns
    -------
    label, colour : str

    Examples
    --------
    >>> tissue_colour("pial_lh", 0.275, 0), tissue_colour("sphere-1", 0.33, 0)
    (('grey', '#9b928e'), ('sphere-1', '#c6b5d6'))
    """
    by_name = next((tissue for key, tissue in _BY_NAME.items() if name.lower().startswith(key)), None)
    by_sigma = [one.name for one in TISSUES.values() if sigma is not None and np.isclose(one.conductivity, sigma)]
    tissue = by_name or (by_sigma[0] if by_sigma else None)
    if tissue is None or tissue not in _TISSUE_COLOURS:
        return name, _OTHER_COLOURS[index % len(_OTHER_COLOURS)]
    return tissue, _TISSUE_COLOURS[tissue]


def save_cuts(
    parts: Parts, report: HeadReport, path: str | Path, *, point: npt.ArrayLike | None = None
) -> FloatArray | None:
    """Draw three cuts through the middle of a head and three through a point, and write them as a PNG file.

    Parameters
    ----------
    parts : Parts
        The surfaces, sound or not.
    report : HeadReport
        What is wrong with them: failures near a cut are marked.
    path : str or Path
        Where to write; a file that exists is replaced, in one step.
    point : array_like, shape (3,), optional
        Point of the second row (mm); by default where the first failure is, else where two surfaces come nearest.

    Returns
    -------
    ndarray, shape (3,), or None
        The point of the second row; None if there is none.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    low = np.min([surface.vertices.min(axis=0) for surface in parts.surfaces], axis=0)
    high = np.max([surface.vertices.max(axis=0) for surface in parts.surfaces], axis=0)
    second = _telling_point(report) if point is None else arrays.vector(point, "point")
    origins = [(0.5 * (low + high), "through the middle")]
    if second is not None:
        origins.append((second, "through"))
    with rc_context({"font.family": "DejaVu Sans", "font.size": 12.0, "axes.linewidth": 0.8}):
        height = _SIZE[1] if len(origins) == 2 else 0.56 * _SIZE[1]
        figure = Figure(figsize=(_SIZE[0] / _DPI, height / _DPI), dpi=_DPI, facecolor="white", layout="constrained")
        figure.suptitle(_title(parts, report), fontsize=17, weight="bold", x=0.01, ha="left")
        axes = figure.subplots(len(origins), len(_PLANES), squeeze=False)
        filled = _filled(parts, report)
        for row, (origin, words) in zip(axes, origins, strict=True):
            for plane, panel in zip(_PLANES, row, strict=True):
                _draw(panel, parts, report, filled, plane, origin, words, (low, high))
        _legend(figure, parts, filled)
        target = Path(path)
        partial = target.with_name(f".{target.name}.partial")
        try:
            figure.savefig(partial, dpi=_DPI, format="png", metadata={"Title": f"Cuts through {parts.name}"})
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    return second


def _title(parts: Parts, report: HeadReport) -> str:
    fails, warns = len(report.failures()), len(report.warnings())
    return f"{parts.name}: surfaces {len(parts.surfaces)}, failures {fails}, warnings {warns}"


def _telling_point(report: HeadReport) -> FloatArray | None:
    places = [finding.place for finding in report.failures() if finding.place is not None]
    if not places:
        gaps = [(pair.gap, pair.gap_place) for pair in report.pairs if pair.gap_place is not None]
        places = [min(gaps)[1]] if gaps else []
    return np.array(places[0]) if places and places[0] is not None else None


def _filled(parts: Parts, report: HeadReport) -> list[tuple[Surface, str, str]]:
    """Return what is filled, from outside inwards, with tissue and colour."""
    if parts.touching:
        from meshes.head import Interface
        from meshes.partitions import regions

        interfaces = [
            Interface(surface, *sides)  # type: ignore[arg-type]  # of a head, so none is None
            for surface, sides in zip(parts.surfaces, parts.sigmas, strict=True)
        ]
        found = regions(interfaces)
        sigmas = [float(region.name.split()[2]) for region in found]
        return [
            (region, *tissue_colour(region.name, sigma, k))
            for k, (region, sigma) in enumerate(zip(found, sigmas, strict=True))
        ]
    names = [one.name for one in report.surfaces]
    depth = []
    for name in names[: len(parts.surfaces)]:
        steps, at = 0, report.parents.get(name)
        while at is not None:
            steps, at = steps + 1, report.parents.get(at)
        depth.append(steps)
    rows = []
    for k in np.argsort(depth, kind="stable"):
        inside = parts.sigmas[k][0]
        sigma = inside if isinstance(inside, float) else None
        rows.append((parts.surfaces[k], *tissue_colour(names[k], sigma, int(k))))
    return rows


def _draw(
    axes: Axes,
    parts: Parts,
    report: HeadReport,
    filled: Sequence[tuple[Surface, str, str]],
    plane: str,
    origin: FloatArray,
    words: str,
    box: tuple[FloatArray, FloatArray],
) -> None:
    """Draw one cut."""
    from matplotlib.collections import LineCollection
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Outline

    axis, right, up, letters = _PLANES[plane]
    flat = [right, up]
    for surface, _, colour in filled:
        points, _, _, segments = cut(surface, origin, np.eye(3)[axis])
        rims = [rim for rim in loops(points[:, flat], segments) if len(rim) > 2]
        if rims:
            closed = [np.concatenate([rim, rim[:1]]) for rim in rims]
            codes = np.concatenate(
                [[Outline.MOVETO, *[Outline.LINETO] * (len(rim) - 2), Outline.CLOSEPOLY] for rim in closed]
            )
            axes.add_patch(PathPatch(Outline(np.concatenate(closed), codes), facecolor=colour, edgecolor="none"))
    for surface in parts.surfaces:  # the lines of open and turned surfaces too
        points, _, _, segments = cut(surface, origin, np.eye(3)[axis])
        axes.add_collection(LineCollection(list(points[:, flat][segments]), colors="#3c3c3c", linewidths=0.7))
    if parts.cortex is not None:
        points, _, _, segments = cut(parts.cortex, origin, np.eye(3)[axis])
        axes.add_collection(LineCollection(list(points[:, flat][segments]), colors=_CORTEX, linewidths=0.7))
    for finding in report.failures():
        if finding.place is not None and abs(finding.place[axis] - origin[axis]) < 3.0:
            axes.plot(finding.place[right], finding.place[up], "o", ms=16, mfc="none", mec=_FAULT, mew=2.0)
    margin = 0.07 * float((box[1] - box[0]).max())
    axes.set_xlim(box[0][right] - margin, box[1][right] + margin)
    axes.set_ylim(box[0][up] - margin, box[1][up] + margin)
    axes.set_aspect("equal")
    axes.set_title(
        f"{plane}, {'xyz'[axis]} = {origin[axis]:.1f} mm, {words}" + _point_words(words, origin), fontsize=12
    )
    places = ((0.015, 0.5), (0.985, 0.5), (0.5, 0.015), (0.5, 0.985))
    sides = (("left", "center"), ("right", "center"), ("center", "bottom"), ("center", "top"))
    for letter, (x, y), (ha, va) in zip(letters, places, sides, strict=True):
        axes.text(x, y, letter, transform=axes.transAxes, ha=ha, va=va, fontsize=15, weight="bold")
    axes.tick_params(labelsize=9)


def _point_words(words: str, origin: FloatArray) -> str:
    if words != "through":
        return ""
    x, y, z = origin
    return f" ({x:.0f}, {y:.0f}, {z:.0f})"


def _legend(figure: Figure, parts: Parts, filled: Sequence[tuple[Surface, str, str]]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    colours = {label: colour for _, label, colour in filled}
    handles: list[Patch | Line2D] = [
        Patch(facecolor=colour, edgecolor="#3c3c3c", label=label) for label, colour in colours.items()
    ]
    if parts.cortex is not None:
        handles.append(Line2D([], [], color=_CORTEX, label="cortex (fields)"))
    handles.append(
        Line2D([], [], ls="none", marker="o", ms=12, mfc="none", mec=_FAULT, mew=2.0, label="fails, within 3 mm")
    )
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=12)
