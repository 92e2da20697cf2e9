"""Draw the map of the search as SVG: the scalp from outside, with the landmarks that a person finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from efield.targeting import SearchResult
    from efield.targeting.words import PoseInWords

F64 = NDArray[np.float64]

__all__ = ["LIMITS", "scalp_map"]

# Edge of the square drawing in its own units, and of its part above the legend.
_SIZE = 400.0
_LEGEND = 84.0

# Least and greatest half width of what is shown (mm).
LIMITS = (62.0, 75.0)

# Colours of the values from least to greatest, dark to bright as in cividis; they differ for colour-blind eyes too.
_RAMP = np.array([[0, 34, 78], [65, 77, 107], [124, 123, 120], [188, 175, 111], [254, 232, 56]], dtype=np.float64)

# Positions lower than this under the coil's plane are round the corner of the head (mm).
_BEHIND = 45.0

# Names of positions keep so far from the edge, in the drawing's units.
_EDGE = 18.0

_INK, _MARK, _COIL = "#1d2733", "#c2185b", "#33475f"


def scalp_map(result: SearchResult, words: PoseInWords) -> str:
    """Return a drawing of the scalp under the coil, seen from outside.

    Parameters
    ----------
    result : SearchResult
        Its table is drawn.
    words : PoseInWords
        Of its pose: the marked point, the positions of a cap, what lies at 12 o'clock.

    Returns
    -------
    str
        An ``<svg>`` element without scripts; all that is text in it is escaped.
    """
    outward = -result.pose.z_axis
    axes = np.stack([np.cross(words.up, outward), words.up])
    spots = (result.table["position"] - words.point) @ axes.T
    reach = float(np.clip(np.abs(spots).max() + 10.0, *LIMITS))
    scale = 0.5 * _SIZE / reach

    def place(points: F64) -> F64:
        flat = np.atleast_2d((points - words.point) @ axes.T)
        return np.column_stack([0.5 * _SIZE + scale * flat[:, 0], 0.5 * _SIZE - scale * flat[:, 1]])

    parts = [*_values(place(result.table["position"]), result.table["value"], scale)]
    parts += _casing(result, place)
    parts += _names(place, words.positions, words.point, outward)
    parts += _arrow(axes @ result.handle, 0.36 * _SIZE, "handle", dashed=True)
    parts += _arrow(axes @ result.current_direction, 0.22 * _SIZE, "E", dashed=False)
    parts += [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="7" fill="none" stroke="{_MARK}" stroke-width="2.5"/>'
        for x, y in place(np.array([target.position for target in result.targets]))
    ]
    middle = 0.5 * _SIZE
    parts.append(f'<path d="M{middle - 8} {middle}h16M{middle} {middle - 8}v16" stroke="{_MARK}" stroke-width="3"/>')
    parts += _edges(words, scale)
    label = (
        f"Map of the scalp seen from outside, {words.handle.twelve} up: the field at the target for every coil "
        f"position that was tried, with the coil's centre {words.short}."
    )
    return (
        f'<svg class="map" role="img" aria-label="{escape(label)}" xmlns="http://www.w3.org/2000/svg" '
        f'viewBox="0 0 {_SIZE:.0f} {_SIZE + _LEGEND:.0f}" font-family="inherit">'
        f'<defs><clipPath id="frame"><rect width="{_SIZE:.0f}" height="{_SIZE:.0f}"/></clipPath></defs>'
        f'<g clip-path="url(#frame)">{"".join(parts)}</g>{_legend(result)}</svg>'
    )


def _names(place: Callable[[F64], F64], positions: Mapping[str, F64], point: F64, outward: F64) -> list[str]:
    """Return dots and names of the positions of a cap on this side of the head."""
    parts = []
    for name, spot in positions.items():
        x, y = place(spot)[0]
        if (spot - point) @ outward < -_BEHIND or not (_EDGE < x < _SIZE - _EDGE and _EDGE < y < _SIZE - 4.0):
            continue
        if (x < 95.0 and y > _SIZE - 40.0) or (
            abs(x - 0.5 * _SIZE) < 60.0 and y < 34.0
        ):  # over the scale bar, the nose
            continue
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2" fill="white" stroke="{_INK}" stroke-width="1.6"/>'
            f'<text x="{x:.1f}" y="{y - 7:.1f}" class="name">{escape(name)}</text>'
        )
    return parts


def _arrow(direction: F64, length: float, name: str, *, dashed: bool) -> list[str]:
    """Return an arrow from the coil's centre along a direction of the drawing, with its name at the end."""
    x, y = direction[0], -direction[1]
    if np.hypot(x, y) < 0.05:
        return []
    x, y = x / np.hypot(x, y), y / np.hypot(x, y)
    middle = 0.5 * _SIZE
    end = middle + length * np.array([x, y])
    barbs = [end - 11.0 * (np.array([x, y]) + sign * 0.5 * np.array([-y, x])) for sign in (1.0, -1.0)]
    colour = _COIL if dashed else _MARK
    line = f'<path d="M{middle} {middle}L{end[0]:.1f} {end[1]:.1f}" stroke="{colour}" stroke-width="3.5"'
    dash = ' stroke-dasharray="9 5"' if dashed else ""
    head = " ".join(f"{a:.1f},{b:.1f}" for a, b in (end, *barbs))
    at = end + (13.0 + 14.0 * abs(x)) * np.array([x, y])  # names are wide
    return [
        f'{line} fill="none"{dash}/><polygon points="{head}" fill="{colour}"/>',
        f'<text x="{at[0]:.1f}" y="{at[1] + 4:.1f}" class="arrow" fill="{colour}">{escape(name)}</text>',
    ]


def _edges(words: PoseInWords, scale: float) -> list[str]:
    """Return what lies at the upper edge, and a scale bar of 20 mm."""
    left, low = 12.0, _SIZE - 12.0
    return [
        f'<text x="{0.5 * _SIZE}" y="16" class="edge">▲ {escape(words.handle.twelve)}</text>',
        f'<path d="M{left} {low}h{20.0 * scale:.1f}" stroke="{_INK}" stroke-width="3"/>',
        f'<text x="{left}" y="{low - 6}" class="edge" style="text-anchor:start">20 mm</text>',
    ]


def _legend(result: SearchResult) -> str:
    """Return the colours from the least to the greatest value, and the other signs."""
    values = result.table["value"]
    known = values[np.isfinite(values)]
    strength = result.objective.name == "strength"
    what = ("best field at the target,", "V/m at 1 A/µs") if strength else (f"best {result.objective.name}", "")
    if not len(known):
        return ""
    top, width, steps = _SIZE + 12.0, 170.0, 34
    boxes = "".join(
        f'<rect x="{8.0 + k * width / steps:.1f}" y="{top}" width="{width / steps + 0.3:.1f}" height="12" '
        f'fill="{_colour(k / (steps - 1))}"/>'
        for k in range(steps)
    )
    signs = (
        f'<path d="M235 {top + 7}h14M242 {top}v14" stroke="{_MARK}" stroke-width="3"/>',
        f'<circle cx="242" cy="{top + 25}" r="6" fill="none" stroke="{_MARK}" stroke-width="2.5"/>',
        f'<path d="M232 {top + 43}h20" stroke="{_MARK}" stroke-width="3.5"/>',
        f'<path d="M232 {top + 61}h20" stroke="{_COIL}" stroke-width="1.5" stroke-dasharray="2 4"/>',
    )
    names = ("coil's centre", "target, deep under it", "E, the induced field", "coil's housing")
    keys = [f'<text x="260" y="{top + 11 + 18 * k}" class="key">{name}</text>' for k, name in enumerate(names)]
    return (
        f'{boxes}<text x="8" y="{top + 27}" class="key">{known.min():#.3g}</text>'
        f'<text x="{8.0 + width}" y="{top + 27}" class="key" style="text-anchor:end">{known.max():#.3g}</text>'
        f'<text x="8" y="{top + 47}" class="key">{escape(what[0])}</text>'
        f'<text x="8" y="{top + 63}" class="key">{escape(what[1])}</text>{"".join(signs)}{"".join(keys)}'
    )


def _values(spots: F64, values: F64, scale: float) -> list[str]:
    """Return one dot per position tried, coloured by its best value."""
    known = np.isfinite(values)
    spots, values = spots[known], values[known]
    if not len(values):
        return []
    low, high = float(values.min()), float(values.max())
    shares = (values - low) / max(high - low, 1e-300)
    if len(spots) > 1:
        apart = np.linalg.norm(spots[:, None] - spots[None, :50], axis=2)
        radius = 0.55 * float(np.median(np.where(apart > 1e-6, apart, np.inf).min(axis=0)))
    else:
        radius = 3.0 * scale
    dots = [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{_colour(share)}"/>'
        for (x, y), share in zip(spots, shares, strict=True)
    ]
    return [f'<g opacity="0.85">{"".join(dots)}</g>']


def _colour(share: float) -> str:
    where = share * (len(_RAMP) - 1)
    red, green, blue = (round(float(np.interp(where, np.arange(len(_RAMP)), _RAMP[:, k]))) for k in range(3))
    return f"#{red:02x}{green:02x}{blue:02x}"


def _casing(result: SearchResult, place: Callable[[F64], F64]) -> list[str]:
    """Return the outline of the coil's housing."""
    if result.coil.casing is None:
        return []
    from scipy.spatial import ConvexHull

    corners = place(result.coil.casing.transformed(result.pose.matrix).vertices)
    outline = corners[ConvexHull(corners).vertices]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in outline)
    return [f'<polygon points="{points}" fill="none" stroke="{_COIL}" stroke-width="1.5" stroke-dasharray="2 4"/>']
