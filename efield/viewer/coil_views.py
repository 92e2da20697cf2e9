"""Draw a coil in three flat views: casing, winding or sources, sense of the current, handle and induced E."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from coils import Coil
from efield.viewer.marks import INK, TARGET, arrow, halo, note, pair, scale_bar, title
from efield.viewer.panels import outer_turns
from efield.viewer.scene import turns
from meshes.arrays import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "BACK",
    "CASING",
    "CASING_EDGE",
    "HANDLE",
    "SIDE",
    "Flat",
    "bar_length",
    "draw_axes",
    "draw_views",
    "reach",
    "sources",
]

CASING = "#d5dae1"
CASING_EDGE = "#3f4a59"
WIRE = "#b0541f"

# Depth of the plane whose field the sheet shows (mm).
DEPTH = 20.0

# Arrow of handle and E (mm, as a share of the coil's size), and arrowheads of the current along a turn.
_HANDLE = 0.22
_HEADS = 3

_NAMES = "xyz"


@dataclass(frozen=True)
class Flat:
    """A view along an axis of the coil's frame, without perspective.

    Parameters
    ----------
    across, up : tuple of int
        Axis of the coil frame (0, 1, 2) that runs to the right or up, and the sign with which it does.
    """

    across: tuple[int, int]
    up: tuple[int, int]

    def of(self, vectors: FloatArray) -> FloatArray:
        """Return the part in the picture, right and up, of points or vectors, shapes (..., 3) to (..., 2) (mm)."""
        (right, right_sign), (up, up_sign) = self.across, self.up
        return np.stack([right_sign * vectors[..., right], up_sign * vectors[..., up]], axis=-1)

    def away(self, vector: FloatArray) -> float:
        """Return the part of a vector that points away from the eye."""
        right, up = np.zeros(3), np.zeros(3)
        right[self.across[0]], up[self.up[0]] = self.across[1], self.up[1]
        return -float(np.cross(right, up) @ vector)


BACK = Flat(across=(0, -1), up=(1, 1))
"""As the operator sees it: from outside the head, handle at the bottom; then +x is on the left."""

HANDLE = Flat(across=(0, -1), up=(2, -1))
"""From the handle's end, head below; as `BACK` tilted."""

SIDE = Flat(across=(1, 1), up=(2, -1))
"""From the -x side, head below."""


def sources(coil: Coil) -> FloatArray:
    """Return where the coil's dipoles and current elements are, ndarray, shape (n, 3) (mm)."""
    places = [coil.positions] + ([coil.segments.points] if coil.segments is not None else [])
    return np.concatenate(places)


def reach(coil: Coil) -> tuple[FloatArray, FloatArray]:
    """Return the lower and upper corner of all that is drawn of the coil, two ndarray, shape (3,) (mm)."""
    parts = [np.zeros((1, 3)), sources(coil), *(wire.path for wire in coil.wires)]
    if coil.casing is not None:
        parts.append(coil.casing.vertices)
    if coil.grid is not None and not len(parts[1]) and coil.casing is None:
        # Nothing but a grid: the windings are unknown, show the middle half of it.
        last = np.array(coil.grid.values.shape[:3]) - 1.0
        ends = np.array([0.25 * last, 0.75 * last]) @ coil.grid.affine[:3, :3].T + coil.grid.affine[:3, 3]
        parts.append(ends)
    every = np.concatenate(parts)
    return every.min(axis=0), every.max(axis=0)


def bar_length(coil: Coil) -> float:
    """Return the length of the scale bar: 50 mm, or 10 mm for a small coil."""
    low, high = reach(coil)
    return 50.0 if (high - low)[:2].max() > 80.0 else 10.0


def draw_views(
    back: Axes, handle: Axes, side: Axes, coil: Coil, spot: FloatArray, direction: FloatArray | None
) -> None:
    """Draw the coil from the back, from the handle's end and from the side.

    Parameters
    ----------
    back, handle, side : matplotlib.axes.Axes
        The panels.
    coil : Coil
        The coil.
    spot : ndarray, shape (3,)
        Where to show the direction of the induced E (mm).
    direction : ndarray, shape (3,) or None
        That direction, for rising current.
    """
    low, high = reach(coil)
    size = float((high - low)[:2].max())
    low, high = np.minimum(low, -10.0), np.maximum(high, [10.0, 10.0, DEPTH + 12.0])
    room = 0.06 * size
    grip = np.where(coil.handle > 0.0, high, -low) @ np.abs(coil.handle) * coil.handle
    tip = grip + _HANDLE * size * coil.handle
    low, high = np.minimum(low, tip + 0.3 * room * coil.handle) - room, np.maximum(high, tip) + room
    low[2] -= 0.5 * room
    for axes, flat in ((back, BACK), (handle, HANDLE), (side, SIDE)):
        corners = flat.of(np.stack([low, high]))
        draw_axes(axes, flat, np.sort(corners[:, 0]), np.sort(corners[:, 1]))
        _draw_casing(axes, flat, coil)
        _draw_sources(axes, flat, coil)
        if flat is not BACK:
            edges = axes.get_xlim()
            axes.plot(edges, [-DEPTH, -DEPTH], color=TARGET, lw=1.2, ls=(0, (5, 4)), zorder=30)
        _draw_vector(axes, flat, grip, tip, "handle", INK)
        if direction is not None:
            begin = spot if flat is not BACK else spot * [1.0, 1.0, 0.0]
            _draw_vector(axes, flat, begin, begin + 0.2 * size * direction, "E", TARGET)
        axes.plot(0.0, 0.0, marker="+", ms=12, mew=1.6, color=INK, zorder=70)
        scale_bar(axes, bar_length(coil), x=0.975, y=0.035 if flat is BACK else 0.06)
    _draw_sense(back, coil)
    title(back, "A", "from the back, as the operator sees it")
    title(handle, "C", "from the handle's end; dashed: plane of B")
    title(side, "D", "from the side (−x); dashed: plane of B")


def draw_axes(axes: Axes, flat: Flat, across: Any, up: Any) -> None:
    """Set limits that hold both ranges at equal scale, and label the axes with the coil frame's coordinates (mm)."""
    box = axes.get_window_extent()
    wide, tall = float(across[1] - across[0]), float(up[1] - up[0])
    wide, tall = max(wide, tall * box.width / box.height), max(tall, wide * box.height / box.width)
    x, y = (across[0] + across[1]) / 2.0, (up[0] + up[1]) / 2.0
    axes.set_xlim(x - wide / 2.0, x + wide / 2.0)
    axes.set_ylim(y - tall / 2.0, y + tall / 2.0)
    axes.set_aspect("equal")
    step = next((step for step in (10.0, 20.0, 25.0, 50.0, 100.0) if wide / step <= 9.0), 200.0)
    for side, (axis, sign), limits in (("x", flat.across, axes.get_xlim()), ("y", flat.up, axes.get_ylim())):
        ticks = np.arange(np.ceil(limits[0] / step), np.floor(limits[1] / step) + 1.0) * step
        labels = [f"{sign * tick + 0.0:g}" for tick in ticks]
        getattr(axes, f"set_{side}ticks")(ticks, labels, fontsize=11)
        way = {(0, -1): ", +x on the left", (2, -1): ", head ↓"}.get((axis, sign), "")
        getattr(axes, f"set_{side}label")(f"{_NAMES[axis]} (mm){way}", fontsize=12, labelpad=1)
    axes.grid(color="#e3e7ec", lw=0.7, zorder=0)
    axes.set_axisbelow(True)


def _draw_casing(axes: Axes, flat: Flat, coil: Coil) -> None:
    """Draw the casing's silhouette: all triangles with a wide edge, and over them without."""
    from matplotlib.collections import PolyCollection

    if coil.casing is None:
        return
    faces = list(flat.of(coil.casing.corners))
    axes.add_collection(PolyCollection(faces, facecolors=CASING_EDGE, edgecolors=CASING_EDGE, lw=2.6, zorder=3))
    axes.add_collection(PolyCollection(faces, facecolors=CASING, edgecolors=CASING, lw=0.6, zorder=4))


def _draw_sources(axes: Axes, flat: Flat, coil: Coil) -> None:
    """Draw the wires; without them the dipoles, coloured by their moment along z, and the current elements."""
    from matplotlib.collections import LineCollection

    if coil.wires:
        # From the back one line per turn; from the side every filament, so that height and layers show.
        paths = turns(coil) if flat is BACK else [wire.path for wire in coil.wires]
        lines = [flat.of(np.concatenate([path, path[:1]])) for path in paths]
        axes.add_collection(LineCollection(lines, colors=WIRE, linewidths=1.5 if flat is BACK else 0.6, zorder=10))
        return
    if coil.segments is not None:
        ends = np.stack(
            [coil.segments.points - coil.segments.vectors / 2.0, coil.segments.points + coil.segments.vectors / 2.0]
        )
        axes.add_collection(
            LineCollection(list(flat.of(ends).transpose(1, 0, 2)), colors=WIRE, linewidths=1.2, zorder=10)
        )
    if coil.n_dipoles:
        # The strongest last, so that a stack of layers shows its strongest dipole.
        order = np.argsort(np.abs(coil.moments[:, 2]), kind="stable")
        moment = 1e4 * coil.moments[order, 2]
        largest = float(np.abs(moment).max()) or 1.0
        across, up = flat.of(coil.positions[order]).T
        spots = axes.scatter(
            across,
            up,
            c=moment,
            s=14 if coil.n_dipoles < 1500 else 7,
            cmap="coolwarm",
            vmin=-largest,
            vmax=largest,
            edgecolors=INK,
            linewidths=0.2,
            zorder=10,
        )
        if flat is BACK:
            inset = axes.inset_axes((0.03, 0.955, 0.30, 0.018), zorder=60)
            bar = axes.figure.colorbar(spots, cax=inset, orientation="horizontal", ticks=[-largest, 0.0, largest])
            bar.ax.set_xticklabels([f"{-largest:.2g}", "0", f"{largest:.2g}"], fontsize=10)
            bar.set_label("dipoles: moment along z (cm²)", fontsize=11, labelpad=1)


def _draw_sense(axes: Axes, coil: Coil) -> None:
    """Mark the sense of the current in the widest turns, and where the moments point; from the back."""
    for path in outer_turns(turns(coil)):
        flat = BACK.of(path)
        for index in (np.arange(_HEADS) + 0.25) * len(flat) / _HEADS:
            first = int(index) % len(flat)
            _head(axes, flat[first], flat[(first + max(1, len(flat) // 40)) % len(flat)])
    if not coil.wires and coil.segments is not None:
        count = len(coil.segments)
        for index in np.linspace(0, count, min(count, 24), endpoint=False).astype(int):
            spot, flow = BACK.of(coil.segments.points[index]), BACK.of(coil.segments.vectors[index])
            if np.linalg.norm(flow) > 0.0:
                _head(axes, spot, spot + 4.0 * flow / np.linalg.norm(flow))
    words = ["copper arrows: positive current"] if coil.wires or coil.segments is not None else []
    for spot, moment in _moments(coil):
        into = moment[2] > 0.0
        _symbol(axes, BACK.of(spot), away=into, colour=WIRE)
        note(
            axes,
            f"moment\n{'into' if into else 'out of'} the head",
            BACK.of(spot),
            (0.0, -28.0),
            colour=WIRE,
            size=11.5,
        )
    for word in words:
        axes.text(
            0.02, 0.02, word, transform=axes.transAxes, fontsize=11.5, color=WIRE, va="bottom", path_effects=halo()
        )


def _moments(coil: Coil) -> list[tuple[FloatArray, FloatArray]]:
    """Return centre and sum of the moments of each wing, or of the whole coil where both point the same way."""
    z = coil.moments[:, 2]
    if not z.any():
        return []
    x = coil.positions[:, 0]
    sides = [side for side in (x > 0.0, x < 0.0) if side.any() and abs(z[side].sum()) > 0.05 * np.abs(z).sum()]
    if len(sides) == 2 and z[sides[0]].sum() * z[sides[1]].sum() > 0.0:
        sides = [np.ones(len(x), dtype=np.bool_)]
    weight = np.abs(z)
    return [
        ((weight[side, None] * coil.positions[side]).sum(axis=0) / weight[side].sum(), coil.moments[side].sum(axis=0))
        for side in sides
    ]


def _draw_vector(axes: Axes, flat: Flat, start: FloatArray, end: FloatArray, name: str, colour: str) -> None:
    """Draw an arrow, or the sign for one along the line of sight, with its name."""
    begin, tip = flat.of(np.stack([start, end]))
    length = float(np.linalg.norm(end - start))
    bold = name == "E"
    if np.linalg.norm(tip - begin) < 0.35 * length:
        _symbol(axes, begin, away=flat.away(end - start) > 0.0, colour=colour)
        note(
            axes,
            name,
            begin,
            (20.0, -2.0) if bold else (36.0, 14.0),
            colour=colour,
            size=15.0 if bold else 13.0,
            bold=bold,
        )
        return
    arrow(axes, begin, tip, colour)
    way = (tip - begin) / np.linalg.norm(tip - begin)
    label = begin + 0.55 * (tip - begin) if not bold else tip
    offset = np.array([abs(way[1]) * 32.0, abs(way[0]) * 14.0]) if not bold else 14.0 * way
    note(axes, name, label, offset, colour=colour, size=15.0 if bold else 13.0, bold=bold)


def _symbol(axes: Axes, spot: FloatArray, *, away: bool, colour: str) -> None:
    """Draw a circle with a cross (away from the eye) or a dot (towards it)."""
    axes.plot(*spot, marker="o", ms=17, mfc="white", mec=colour, mew=2.0, zorder=76)
    axes.plot(*spot, marker="x" if away else "o", ms=9 if away else 4.5, color=colour, mew=2.0, zorder=77)


def _head(axes: Axes, spot: FloatArray, ahead: FloatArray) -> None:
    """Draw an arrowhead."""
    style: dict[str, Any] = {"arrowstyle": "-|>,head_length=1.0,head_width=0.5", "shrinkA": 0, "shrinkB": 0}
    style |= {"facecolor": WIRE, "edgecolor": "white", "lw": 0.8, "mutation_scale": 17.0}
    axes.annotate("", pair(ahead), xytext=pair(spot), arrowprops=style, zorder=15)
