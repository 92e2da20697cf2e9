"""Draw a session: where the pulses were on the scalp, and what they brought to the targets."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from efield.session.result import title_of
from efield.session.words import facts
from efield.viewer.marks import INK, TARGET, edge_letters, halo, note, scale_bar, title
from efield.viewer.view import View, upright
from meshes import positions_10_10, scalp_point

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from efield.session.result import Session

F64 = NDArray[np.float64]

__all__ = ["save_figure"]

_SIZE = (2000, 1240)
_DPI = 100

_BOXES = {
    "map": (0.012, 0.145, 0.43, 0.76),
    "colours": (0.452, 0.22, 0.009, 0.38),
    "fields": (0.563, 0.605, 0.397, 0.30),
    "placing": (0.563, 0.335, 0.397, 0.205),
    "facts": (0.50, 0.02, 0.485, 0.235),
    "whole": (0.446, 0.750, 0.072, 0.155),
}

_MARGIN = 10.0
"""Around the pulses on the map (mm)."""

_SMALLEST = 54.0
"""Least height of the map (mm), so that the head can be recognised around a session that never moved."""

_HANDLES = 60
"""So many handles are drawn at most."""

_CUT = "#d21f26"

_COLOURS = ("#22577a", "#c1502e", "#3c8d5a", "#7a4fa3")


def save_figure(session: Session, path: Path) -> None:
    """Write the figure of a session as a PNG file of 2000 x 1240 pixels."""
    from matplotlib import rc_context

    with rc_context({"font.family": "DejaVu Sans", "font.size": 13.0, "axes.linewidth": 0.8}):
        figure = _compose(session)
        figure.savefig(path, dpi=_DPI, format="png", metadata={"Title": _heading(session)})


def _heading(session: Session) -> str:
    names = " and ".join(title_of(target) for target in session.targets)
    return f"{len(session.states)} recorded pulses: {names}, {session.coil.name}"


def _compose(session: Session) -> Figure:
    # Figure without pyplot: no global state, no window system.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_SIZE[0] / _DPI, _SIZE[1] / _DPI), dpi=_DPI, facecolor="white")
    figure.text(0.012, 0.968, _heading(session), fontsize=22, weight="bold", va="center")
    figure.text(0.988, 0.968, f"head “{session.head.name}”", fontsize=16, va="center", ha="right")
    figure.text(
        0.012, 0.012, "Research software, not a medical device.", fontsize=11, color=INK, va="bottom", ha="left"
    )
    axes = {name: figure.add_axes(box) for name, box in _BOXES.items()}
    view = _draw_map(axes["map"], axes["colours"], session)
    _draw_whole(axes["whole"], session, view)
    _draw_fields(axes["fields"], session)
    _draw_placing(axes["placing"], session)
    _draw_facts(axes["facts"], session)
    return figure


def _colour_values(session: Session) -> tuple[F64, str]:
    """Return what the pulses are coloured by, for the first target, and its name."""
    name = title_of(session.targets[0])
    if session.shares is not None:
        return 100.0 * session.shares[:, 0], f"field at {name} (% of the optimum's)"
    return session.values[:, 0], f"{session.statistics[0].quantity} at {name} (V/m per A/µs)"


def _draw_map(axes: Axes, colours: Axes, session: Session) -> View:
    """Draw the pulses on the scalp, seen along the scalp's normal over the first target, and return the view."""
    from matplotlib.colors import to_rgb

    _, outward = scalp_point(session.head, session.targets[0].position)
    origins = np.array([pose.origin for pose in session.poses])
    view = _view(session, outward, origins)
    _draw_scalp(axes, session, view)
    values, name = _colour_values(session)
    counted = session.counted
    spots = view.project(origins)
    cut = counted & session.cutting
    low, high = _limits(values[counted])
    dots: Any = {"s": 46, "cmap": "viridis", "zorder": 40, "vmin": low, "vmax": high}
    far = _beyond(session, view)
    if far.any():
        dots["alpha"] = np.where(far, 0.3, 1.0)[counted]
    handles = np.array([pose.apply_vectors(session.coil.handle) for pose in session.poses])
    few = np.flatnonzero(counted)
    few = few[:: max(1, -(-len(few) // _HANDLES))]
    along = np.column_stack([handles[few] @ view.right, handles[few] @ view.up])
    axes.quiver(
        *spots[few].T, *(7.0 * along).T, angles="xy", scale_units="xy", scale=1.0, width=0.0018, headwidth=1.0,
        headlength=0.0, headaxislength=0.0, color="#55606d", zorder=38,
    )  # fmt: skip
    rims = np.where(cut[:, None], *(np.array(to_rgb(colour)) for colour in (_CUT, "white")))
    image = axes.scatter(
        spots[counted, 0],
        spots[counted, 1],
        c=values[counted],
        edgecolors=rims[counted].tolist(),
        linewidths=np.where(cut, 1.2, 0.5)[counted].tolist(),
        **dots,
    )
    bar = axes.figure.colorbar(image, cax=colours)
    bar.set_label(name, fontsize=12)
    _draw_marks(axes, session, view)
    _legend(axes, session, spots, view)
    edge_letters(axes, view.right, view.up)
    scale_bar(axes, 10.0, x=0.97, y=0.03)
    title(axes, "A", "coil centres, seen from outside over the target; lines: handles")
    return view


def _draw_whole(axes: Axes, session: Session, view: View) -> None:
    """Draw the whole head as the map sees it, with the map's frame."""
    from matplotlib.patches import Rectangle

    spots = view.project(session.head.scalp.vertices)
    low, high = spots.min(axis=0), spots.max(axis=0)
    middle, size = 0.5 * (low + high), 1.06 * (high - low)
    pixels = (round(_BOXES["whole"][2] * _SIZE[0]), round(_BOXES["whole"][3] * _SIZE[1]))
    height = max(float(size[1]), float(size[0]) * pixels[1] / pixels[0])
    centre = view.centre + middle[0] * view.right + middle[1] * view.up
    whole = View("whole", centre, view.towards, view.up, height, pixels)
    _draw_scalp(axes, session, whole)
    corner = whole.project(view.centre[None])[0] - 0.5 * np.array([view.width, view.height])
    axes.add_patch(Rectangle((corner[0], corner[1]), view.width, view.height, fill=False, ec=TARGET, lw=1.6, zorder=20))


def _beyond(session: Session, view: View) -> NDArray[np.bool_]:
    """Tell which pulses that count are on the side of the head that the map does not see."""
    return session.counted & (np.array([-pose.z_axis @ view.towards for pose in session.poses]) < 0.0)


def _limits(values: F64) -> tuple[float, float]:
    """Return the ends of the colours, a little apart where all pulses are alike."""
    low, high = float(values.min()), float(values.max())
    spread = max(high - low, 0.02 * abs(high))
    return high - spread, high


def _view(session: Session, outward: F64, origins: F64) -> View:
    """Return a view that holds the pulses that count, the optimum and the target."""
    shown = [origins[session.counted], session.targets[0].position[None]]
    if session.optimum is not None:
        shown.append(session.optimum.origin[None])
    up = upright(outward)
    pixels = (round(_BOXES["map"][2] * _SIZE[0]), round(_BOXES["map"][3] * _SIZE[1]))
    frame = View("map", session.targets[0].position, outward, up, 100.0, pixels)
    spots = frame.project(np.concatenate(shown))
    low, high = spots.min(axis=0), spots.max(axis=0)
    middle = 0.5 * (low + high)
    size = high - low + 2.0 * _MARGIN
    height = max(float(size[1]), float(size[0]) * pixels[1] / pixels[0], _SMALLEST)
    centre = frame.centre + middle[0] * frame.right + middle[1] * frame.up
    return View("map", centre, outward, up, height, pixels)


def _draw_scalp(axes: Axes, session: Session, view: View) -> None:
    """Shade the scalp's triangles that face the eye."""
    from matplotlib.collections import PolyCollection

    scalp = session.head.scalp
    facing = np.flatnonzero(scalp.normals @ view.towards > 0.0)
    facing = facing[np.argsort(scalp.centroids[facing] @ view.towards, kind="stable")]
    flat = view.project(scalp.corners[facing].reshape(-1, 3)).reshape(-1, 3, 2)
    light = view.towards + 0.6 * view.up - 0.4 * view.right
    lit = np.clip(scalp.vertex_normals[scalp.triangles[facing]].mean(axis=1) @ light / np.linalg.norm(light), 0.0, 1.0)
    shade = np.column_stack([base + (1.0 - base) * 0.75 * lit for base in (0.72, 0.68, 0.64)])
    axes.add_collection(PolyCollection(list(flat), facecolors=shade, edgecolors=shade, linewidths=0.3, zorder=1))
    axes.set_xlim(-0.5 * view.width, 0.5 * view.width)
    axes.set_ylim(-0.5 * view.height, 0.5 * view.height)
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])


def _draw_marks(axes: Axes, session: Session, view: View) -> None:
    """Draw the targets as rings and the optimum as a star with its handle."""
    landmarks, _ = _landmarks(session, view)
    for name, spot in landmarks.items():
        axes.plot(*spot, marker="+", ms=9, mew=1.3, color=INK, zorder=36)
        note(axes, name, spot, (0, 11), size=11.0)
    for target in session.targets:
        spot = view.project(target.position[None])[0]
        note(axes, title_of(target), spot, (0, -19), colour=TARGET, size=12.0)
        axes.plot(*spot, marker="o", ms=17, mfc="none", mec="white", mew=4.6, zorder=60)
        axes.plot(*spot, marker="o", ms=17, mfc="none", mec=TARGET, mew=2.4, zorder=61)
    if session.optimum is not None:
        spot = view.project(session.optimum.origin[None])[0]
        handle = session.optimum.apply_vectors(session.coil.handle)
        end = spot + 14.0 * np.array([handle @ view.right, handle @ view.up])
        axes.plot(*np.array([spot, end]).T, color=TARGET, lw=2.6, zorder=58, path_effects=halo())
        axes.plot(*spot, marker="*", ms=22, mfc=TARGET, mec="white", mew=1.2, zorder=62)


def _landmarks(session: Session, view: View) -> tuple[dict[str, F64], bool]:
    """Return where positions of the 10-10 system on the near side appear in a view, and whether they are estimated.

    None on a head without landmarks and without a brain to estimate them from.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            positions = positions_10_10(session.head)
        except ValueError:
            return {}, False
    half = 0.47 * np.array([view.width, view.height])
    found = {}
    for name, point in positions.items():
        spot = view.project(point[None])[0]
        _, outward = scalp_point(session.head, point)
        if (np.abs(spot) < half).all() and outward @ view.towards > 0.3:
            found[name] = spot
    return found, bool(caught)


def _legend(axes: Axes, session: Session, spots: F64, view: View) -> None:
    """Name the marks that are there, and say what lies beyond the frame."""
    from matplotlib.lines import Line2D

    dot: Any = {"ls": "none", "marker": "o", "ms": 8, "mfc": "#55968c"}
    marks = [Line2D([], [], mec="white", **dot, label="pulse")]
    if (session.cutting & session.counted).any():
        marks.append(Line2D([], [], mec=_CUT, mew=1.3, **dot, label="its casing cuts the scalp"))
    if _beyond(session, view).any():
        marks.append(Line2D([], [], mec="white", alpha=0.3, **dot, label="on the far side"))
    marks.append(
        Line2D([], [], ls="none", marker="o", ms=12, mfc="none", mec=TARGET, mew=2.2, label="target, under the scalp")
    )
    if session.optimum is not None:
        marks.append(Line2D([], [], ls="none", marker="*", ms=15, mfc=TARGET, mec="white", label="optimum and handle"))
    landmarks, guessed = _landmarks(session, view)
    if landmarks:
        what = "10-10 position" + (", estimated" if guessed else "")
        marks.append(Line2D([], [], ls="none", marker="+", ms=9, mew=1.3, color=INK, label=what))
    lost = spots[~session.counted]
    inside = (np.abs(lost) <= 0.5 * np.array([view.width, view.height])).all(axis=1)
    if len(lost):
        axes.plot(*lost[inside].T, ls="none", marker="x", ms=9, color=INK, zorder=39)
        beyond = int((~inside).sum())
        where = f", {beyond} of them beyond this map" if beyond else ""
        marks.append(Line2D([], [], ls="none", marker="x", ms=9, color=INK, label=f"not counted: {len(lost)}{where}"))
    # Under the map, where it hides no pulse.
    axes.legend(handles=marks, loc="upper left", bbox_to_anchor=(-0.01, -0.01), fontsize=11.5, ncols=3, frameon=False)


def _when(session: Session) -> tuple[F64, str]:
    """Return where each pulse stands on the axis of time: minutes if all are known, else its number."""
    times = [pulse.time for pulse in session.pulses]
    if all(time is not None for time in times) and len(set(times)) > 1:
        return np.array(times, dtype=np.float64) / 60.0, "time (min)"
    return np.arange(1.0, len(times) + 1.0), "pulse"


def _draw_fields(axes: Axes, session: Session) -> None:
    """Draw each target's field over the session, with its median, 5th percentile and the optimum."""
    when, _ = _when(session)
    relative = session.shares is not None
    values = 100.0 * session.shares if session.shares is not None else session.values
    for column, (target, part) in enumerate(zip(session.targets, session.statistics, strict=True)):
        colour = _COLOURS[column % len(_COLOURS)]
        axes.plot(when, values[:, column], ls="none", marker="o", ms=4.2, color=colour, alpha=0.75, zorder=5)
        scale = 100.0 / part.optimum if relative and part.optimum else 1.0
        ends = [f"{scale * value:.0f} %" if relative else f"{value:#.3g}" for value in (part.median, part.low)]
        shown = f"{title_of(target)}: median {ends[0]}, 5th percentile {ends[1]} (dashed)"
        axes.axhline(scale * part.median, color=colour, lw=1.8, zorder=6, label=shown)
        axes.axhline(scale * part.low, color=colour, lw=1.3, ls=(0, (5, 3)), zorder=6)
    if relative:
        axes.axhline(100.0, color=TARGET, lw=1.8, zorder=4, label="optimum")
        axes.axhline(90.0, color=TARGET, lw=1.1, ls=":", zorder=4, label="90 % of it")
    axes.set_ylabel("% of the optimum" if relative else "V/m per A/µs")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.42 * (high - low))  # room for the legend
    axes.legend(loc="upper left", fontsize=11, ncols=2, framealpha=0.9)
    _finish(axes, session, when, "")
    title(axes, "B", "field at the target, at the same dI/dt for all pulses")


def _draw_placing(axes: Axes, session: Session) -> None:
    """Draw how far the coil was from the optimum, or without one from the scalp."""
    when, label = _when(session)
    counted = session.counted
    if session.offsets is None or session.turns is None:
        axes.plot(when[counted], session.gaps[counted], ls="none", marker="o", ms=4.0, color=_COLOURS[0])
        axes.axhline(0.0, color=_CUT, lw=1.2)
        axes.set_ylabel("casing to scalp (mm)")
        title(axes, "C", "distance from casing to scalp; below the line it cuts")
    else:
        axes.plot(when[counted], session.offsets[counted], ls="none", marker="o", ms=4.0, color=_COLOURS[0])
        axes.set_ylabel("distance (mm)", color=_COLOURS[0])
        axes.set_ylim(bottom=0.0)
        other = axes.twinx()
        other.plot(when[counted], session.turns[0][counted], ls="none", marker="^", ms=4.0, color=_COLOURS[1])
        other.set_ylabel("angle (°)", color=_COLOURS[1])
        title(axes, "C", "coil's centre (●) and handle's angle (▲) from the optimum's")
    _finish(axes, session, when, label)


def _finish(axes: Axes, session: Session, when: F64, label: str) -> None:
    """Mark pulses that do not count at the foot of a panel, and set its axis of time."""
    axes.plot(
        when[~session.counted],
        np.full(int((~session.counted).sum()), 0.03),
        transform=axes.get_xaxis_transform(),
        ls="none",
        marker="x",
        ms=7,
        color=INK,
        zorder=7,
        clip_on=False,
    )
    pad = 0.02 * max(float(np.ptp(when)), 1.0)
    axes.set_xlim(when.min() - pad, when.max() + pad)
    if label:
        axes.set_xlabel(label, labelpad=2)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.grid(axis="y", color="#e3e6ea", lw=0.8)
    axes.set_axisbelow(True)


def _draw_facts(axes: Axes, session: Session) -> None:
    """Write the session's figures as a table."""
    import textwrap

    axes.set_axis_off()
    lines = []
    for name, value in facts(session).items():
        lines += [(name if first == 0 else "", part) for first, part in enumerate(textwrap.wrap(value, 90))]
    step = min(0.11, 1.0 / max(len(lines), 1))
    for number, (name, value) in enumerate(lines):
        height = 0.98 - number * step
        axes.text(0.0, height, name, fontsize=11.0, weight="bold", color=INK, va="top", transform=axes.transAxes)
        axes.text(0.23, height, value, fontsize=11.0, color=INK, va="top", transform=axes.transAxes)
