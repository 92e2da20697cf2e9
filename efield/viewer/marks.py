"""Put marks on a picture: titles, arrows, letters, scale bars; all in one style."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from efield.viewer.view import View, letters
from meshes.arrays import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patheffects import AbstractPathEffect

__all__ = [
    "INK",
    "TARGET",
    "arrow",
    "edge_letters",
    "halo",
    "mark_target",
    "note",
    "pair",
    "scale_bar",
    "title",
    "triad",
]

INK = "#1c2430"
TARGET = "#e4003a"


def pair(spot: npt.ArrayLike) -> tuple[float, float]:
    """Return a point of the picture as matplotlib wants it."""
    x, y = np.asarray(spot, dtype=np.float64)
    return float(x), float(y)


def title(axes: Axes, letter: str, text: str) -> None:
    """Write a panel's letter and title above it."""
    axes.text(0.0, 1.015, letter, transform=axes.transAxes, fontsize=18, weight="bold", va="bottom", color=INK)
    axes.text(
        27.0 / axes.get_window_extent().width,
        1.018,
        text,
        transform=axes.transAxes,
        fontsize=14,
        va="bottom",
        color=INK,
    )


def halo(width: float = 3.0) -> Sequence[AbstractPathEffect]:
    """Return a white outline that keeps text and lines legible on any colour."""
    from matplotlib import patheffects

    return [patheffects.withStroke(linewidth=width, foreground="white")]


def scale_bar(axes: Axes, length: float, *, x: float, y: float, colour: str = INK) -> None:
    """Draw a bar of `length` mm that ends at (x, y) in axes fractions."""
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    end, level = left + x * (right - left), bottom + y * (top - bottom)
    axes.plot([end - length, end], [level, level], color=colour, lw=3, solid_capstyle="butt", zorder=90)
    axes.annotate(
        f"{length:g} mm",
        (end - length / 2.0, level),
        xytext=(0, 5),
        textcoords="offset points",
        ha="center",
        fontsize=12,
        color=colour,
        zorder=90,
    )


def triad(axes: Axes, view: View, *, x: float, y: float, length: float) -> None:
    """Draw the head's axes (right, anterior, superior) as seen in a view, from (x, y) in axes fractions."""
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    start = np.array([left + x * (right - left), bottom + y * (top - bottom)])
    for number, direction in enumerate(np.eye(3)):
        # Superior always; of the others the end that points towards the eye.
        axis = direction if number == 2 or direction @ view.towards >= 0.0 else -direction
        tip = length * view.project(view.centre + axis)[0]
        if np.linalg.norm(tip) < 0.12 * length:
            continue
        axes.annotate(
            "",
            pair(start + tip),
            xytext=pair(start),
            arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 1.6, "shrinkA": 0},
        )
        axes.text(
            *pair(start + tip + 0.25 * length * tip / np.linalg.norm(tip)),
            letters(axis),
            ha="center",
            va="center",
            fontsize=14,
            weight="bold",
        )


def edge_letters(axes: Axes, right: FloatArray, up: FloatArray) -> None:
    """Name the four sides of a flat picture by anatomical letters."""
    places = (
        (right, 0.985, 0.5, "right"),
        (-right, 0.015, 0.5, "left"),
        (up, 0.5, 0.97, "center"),
        (-up, 0.5, 0.03, "center"),
    )
    for direction, x, y, side in places:
        axes.text(
            x,
            y,
            letters(direction),
            transform=axes.transAxes,
            ha=side,
            va="center",
            fontsize=15,
            weight="bold",
            color=INK,
            zorder=95,
            path_effects=halo(),
        )


def mark_target(axes: Axes, spot: FloatArray, label: str, *, offset: npt.ArrayLike) -> None:
    """Mark the focus with a ring, and name it."""
    axes.plot(*spot, marker="o", ms=15, mfc="none", mec="white", mew=4.5)
    axes.plot(*spot, marker="o", ms=15, mfc="none", mec=TARGET, mew=2.4)
    axes.annotate(
        label,
        pair(spot),
        xytext=pair(offset),
        textcoords="offset points",
        color=TARGET,
        fontsize=14,
        weight="bold",
        ha="center",
        va="center",
        path_effects=halo(),
        arrowprops={"arrowstyle": "-", "color": TARGET, "lw": 1.4, "shrinkA": 1, "shrinkB": 9},
    )


def arrow(axes: Axes, start: FloatArray, end: FloatArray, colour: str, *, width: float = 2.6) -> None:
    """Draw an arrow with a white rim."""
    style: dict[str, Any] = {"arrowstyle": "-|>,head_length=0.7,head_width=0.35", "shrinkA": 0, "shrinkB": 0}
    for ink, thickness in (("white", width + 2.6), (colour, width)):
        axes.annotate("", pair(end), xytext=pair(start), arrowprops=style | {"color": ink, "lw": thickness}, zorder=75)


def note(
    axes: Axes,
    text: str,
    spot: npt.ArrayLike,
    offset: npt.ArrayLike,
    *,
    colour: str = INK,
    size: float = 13.0,
    bold: bool = False,
) -> None:
    """Write a text whose middle lies `offset` points from a spot of the picture."""
    axes.annotate(
        text,
        pair(spot),
        xytext=pair(offset),
        textcoords="offset points",
        ha="center",
        va="center",
        fontsize=size,
        color=colour,
        weight="bold" if bold else "normal",
        zorder=85,
        path_effects=halo(),
    )
