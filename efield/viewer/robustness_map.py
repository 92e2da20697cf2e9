"""Draw what errors of placement cost: maps of expected field and 5th percentile, and the loss by each kind of error."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from efield.viewer.marks import INK, TARGET, arrow, edge_letters, halo, note, scale_bar, title
from efield.viewer.view import upright
from meshes.arrays import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.tri import Triangulation

    from efield.targeting.losses import Curve, Robustness, RobustnessMap

__all__ = ["save_robustness"]

_SIZE = (2000, 1240)
_DPI = 100

# A map, and its scale of colours beside it.
_MAPS = {
    "expected": ((0.030, 0.475, 0.270, 0.4194), (0.302, 0.515, 0.009, 0.340)),
    "low": ((0.395, 0.475, 0.270, 0.4194), (0.667, 0.515, 0.009, 0.340)),
}
_FACTS = (0.765, 0.475, 0.225, 0.4195)
_CURVES = (("position", 0.045), ("angle", 0.241), ("tilt", 0.437), ("distance", 0.633))
_CURVE = (0.160, 0.245)
_SPREAD = (0.845, 0.085, 0.140, 0.245)

_TITLES = {
    "expected": "expected field, coil planned at each place",
    "low": "5th percentile, coil planned at each place",
    "position": "shift along the scalp",
    "angle": "turn about the coil's axis",
    "tilt": "tilt about the contact",
    "distance": "lift-off",
}
_WORST = "#b0541f"
_MEAN = "#2a5d9f"


def save_robustness(
    robustness: Robustness, path: str | Path, *, focus: FloatArray | None = None, heading: str = ""
) -> None:
    """Draw the maps and curves of a robustness and write them as a PNG file of 2000 x 1240 pixels.

    Parameters
    ----------
    robustness : Robustness
        With its map.
    path : str or Path
        Where to write; a file that exists is replaced, in one step.
    focus : ndarray, shape (3,), optional
        The target's position (mm), marked on the maps.
    heading : str, optional
        What it is of: target, head and coil.

    Raises
    ------
    ValueError
        If it has no map, or the map has fewer than four positions.
    OSError
        If the file cannot be written.
    """
    places = robustness.map
    if places is None:
        raise ValueError("robustness must have a map; got one without. Use of_result(result, error, maps=True).")
    if len(places.planned) < 4:
        raise ValueError(
            f"robustness must be mapped at four positions or more; got {len(places.planned)}. Search with a greater "
            "radius."
        )
    figure = _compose(robustness, places, focus, heading)
    target = Path(path)
    partial = target.with_name(f".{target.name}.partial")
    try:
        figure.savefig(partial, dpi=_DPI, format="png", metadata={"Title": heading or "errors of placement"})
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _compose(robustness: Robustness, places: RobustnessMap, focus: FloatArray | None, heading: str) -> Figure:
    # Figure without pyplot: no global state, no window system.
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"font.family": "DejaVu Sans", "font.size": 13.0, "axes.linewidth": 0.8}):
        figure = Figure(figsize=(_SIZE[0] / _DPI, _SIZE[1] / _DPI), dpi=_DPI, facecolor="white")
        figure.text(0.012, 0.972, heading or "Errors of placement", fontsize=22, weight="bold", va="center")
        figure.text(0.988, 0.972, f"placed {robustness.error.name}", fontsize=17, va="center", ha="right")
        for letter, (name, (box, colours)) in zip("AB", _MAPS.items(), strict=True):
            axes = figure.add_axes(box)
            _draw_map(axes, figure.add_axes(colours), robustness, places.positions, getattr(places, name), focus)
            title(axes, letter, _TITLES[name])
        _draw_facts(figure.add_axes(_FACTS), robustness, places)
        # One scale for all four, so that the kinds of error can be compared at a glance.
        lowest = min(curve.least.min() for curve in robustness.curves.values())
        for letter, (kind, left) in zip("CDEF", _CURVES, strict=True):
            axes = figure.add_axes((left, 0.085, *_CURVE))
            _draw_curve(axes, robustness.curves[kind], getattr(robustness.error, kind), bottom=lowest)
            title(axes, letter, _TITLES[kind])
            if kind == "position":
                axes.set_ylabel("field at the target,\n% of that planned", fontsize=12)
                axes.legend(loc="lower left", fontsize=11, framealpha=0.85)
        _draw_spread(figure.add_axes(_SPREAD), robustness)
    return figure


def _draw_map(
    axes: Axes,
    colours: Axes,
    robustness: Robustness,
    positions: FloatArray,
    values: FloatArray,
    focus: FloatArray | None,
) -> None:
    """Draw values on the scalp seen from outside, with contours at shares of the greatest."""
    outward = -robustness.pose.z_axis
    up = upright(outward)
    plane = np.stack([np.cross(up, outward), up])
    spots = (positions - robustness.pose.origin) @ plane.T
    mesh = _mesh(spots)
    best = float(values.max())
    filled = axes.tricontourf(mesh, values, levels=14, cmap="cividis")
    shares = [share * best for share in (0.6, 0.7, 0.8, 0.9, 0.95) if values.min() < share * best]
    if shares:
        lines = axes.tricontour(mesh, values, levels=shares, colors="white", linewidths=1.2)
        axes.clabel(lines, fmt=lambda level: f"{100.0 * level / best:.0f} %", fontsize=11)
    axes.plot(*spots[int(values.argmax())], marker="D", ms=11, mfc="none", mec="white", mew=2.2, zorder=78)
    _mark_plan(axes, plane, robustness, focus)
    reach = float(np.abs(spots).max()) + 2.0
    axes.set_xlim(-reach, reach)
    axes.set_ylim(-reach, reach)
    axes.set_aspect("equal")
    axes.tick_params(labelsize=11)
    axes.set_xlabel("mm from the planned coil centre", fontsize=12)
    edge_letters(axes, plane[0], plane[1])
    scale_bar(axes, 10.0, x=0.97, y=0.03)
    bar = axes.figure.colorbar(filled, cax=colours, format="%.3g")
    bar.set_label("field at the target (V/m at 1 A/µs)", fontsize=12)
    bar.ax.tick_params(labelsize=11)


def _mark_plan(axes: Axes, plane: FloatArray, robustness: Robustness, focus: FloatArray | None) -> None:
    """Mark the planned coil centre, the coil's y axis reversed (the handle of most coils), and the target."""
    axes.plot(0.0, 0.0, marker="*", ms=20, mfc=TARGET, mec="white", mew=1.2, zorder=80)
    back = plane @ -robustness.pose.y_axis
    arrow(axes, 2.0 * back, 12.0 * back, TARGET)
    note(axes, "handle", 12.0 * back, 11.0 * back, colour=TARGET, size=12.0)
    if focus is not None:
        below = plane @ (focus - robustness.pose.origin)
        axes.plot(*below, marker="o", ms=11, mfc="none", mec=TARGET, mew=2.2, zorder=80)


def _mesh(spots: FloatArray) -> Triangulation:
    """Join the positions to triangles, but not across places that were never tried."""
    from matplotlib.tri import Triangulation

    mesh = Triangulation(*spots.T)
    edge = np.linalg.norm(spots[mesh.triangles] - spots[np.roll(mesh.triangles, -1, axis=1)], axis=2).max(axis=1)
    mesh.set_mask(edge > 3.0 * np.median(edge))
    return mesh


def _draw_curve(axes: Axes, curve: Curve, deviation: float, *, bottom: float) -> None:
    """Draw the share of the planned field against the size of one error."""
    axes.fill_between(curve.sizes, 100.0 * curve.least, 100.0 * curve.mean, color=_MEAN, alpha=0.12, lw=0.0)
    axes.plot(curve.sizes, 100.0 * curve.mean, color=_MEAN, lw=2.2, label="mean over directions")
    axes.plot(curve.sizes, 100.0 * curve.least, color=_WORST, lw=1.8, ls=(0, (5, 2)), label="worst direction")
    if deviation > 0.0:
        axes.axvline(deviation, color=INK, lw=1.2, ls=":")
        axes.annotate(
            f"SD {deviation:.2g}",
            (deviation, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(4, -14),
            textcoords="offset points",
            fontsize=11,
            color=INK,
            path_effects=halo(),
        )
    axes.set_xlim(0.0, float(curve.sizes[-1]))
    axes.set_ylim(100.0 * bottom - 3.0, 103.0)
    axes.set_xlabel(curve.unit, fontsize=12)
    axes.tick_params(labelsize=11)
    axes.grid(alpha=0.25)


def _draw_spread(axes: Axes, robustness: Robustness) -> None:
    """Draw how the samples spread, with all errors together."""
    shares = 100.0 * robustness.shares
    axes.hist(shares, bins=30, color=_MEAN, alpha=0.55)
    for value, name, colour in ((robustness.total.expected, "mean", INK), (robustness.total.low, "5 %", _WORST)):
        axes.axvline(100.0 * value, color=colour, lw=2.0, label=f"{name}: {100.0 * value:.1f}")
    axes.set_ylim(0.0, 1.3 * axes.get_ylim()[1])
    axes.legend(loc="upper left", fontsize=11, framealpha=0.85, ncols=2, handlelength=1.0, columnspacing=1.0)
    axes.set_yticks([])
    axes.set_xlabel("field at the target, % of that planned", fontsize=12)
    axes.tick_params(labelsize=11)
    title(axes, "G", "all errors together")


def _draw_facts(axes: Axes, robustness: Robustness, places: RobustnessMap) -> None:
    """Write the numbers and the legend beside the maps."""
    axes.set_axis_off()
    y = 1.0
    marks = (
        ("★", "planned placement"),
        ("◇", "greatest value of the map (contours: shares of it)"),
        ("○", "target, seen along the coil's axis"),
        ("", f"maps: {places.samples} errors at each of {len(places.planned)} places"),
    )
    lines = [line for line in robustness.lines() if not line[0].startswith("Origin")]
    for name, value in lines:
        text = textwrap.fill(value, 54)
        axes.text(0.0, y, name, transform=axes.transAxes, fontsize=12, weight="bold", color=INK, va="top")
        axes.text(0.0, y - 0.045, text, transform=axes.transAxes, fontsize=11, color=INK, va="top")
        y -= 0.045 + 0.041 * (1 + text.count("\n")) + 0.022
    for mark, words in marks:
        axes.text(0.0, y, f"{mark}  {words}".strip(), transform=axes.transAxes, fontsize=11, color="#5a6472", va="top")
        y -= 0.043
