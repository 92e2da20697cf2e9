"""Draw the panels around the three-dimensional views: their labels, the table and the colour scale."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from efield.viewer.marks import INK, TARGET, arrow, edge_letters, halo, mark_target, note, scale_bar, title, triad
from efield.viewer.offscreen import handle_ends
from efield.viewer.scene import Scene
from efield.viewer.view import View
from meshes.arrays import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["annotate_cortex", "annotate_head", "draw_colour_bar", "draw_facts", "outer_turns", "show_image"]


def show_image(axes: Axes, view: View, image: npt.NDArray[np.uint8] | None, problem: str | None) -> None:
    """Show a view in millimetres, or say why there is none."""
    half = (view.width / 2.0, view.height / 2.0)
    extent = (-half[0], half[0], -half[1], half[1])
    if image is not None:
        axes.imshow(image, extent=extent, interpolation="none")
    else:
        message = textwrap.fill(problem or "", 48)
        axes.text(0.5, 0.5, message, transform=axes.transAxes, ha="center", va="center", color="#555555")
    axes.set_xlim(extent[:2])
    axes.set_ylim(extent[2:])
    axes.set_aspect("equal")
    axes.set_axis_off()


def annotate_head(axes: Axes, view: View, scene: Scene, *, drawn: bool) -> None:
    """Label the opened head: handle, coil, target, axes, scale."""
    title(axes, "A", "coil, and the head cut open through the coil's axis")
    if not drawn:
        return
    start, end = view.project(np.stack(handle_ends(scene)))
    arrow(axes, start, start + 1.15 * (end - start), INK)
    label = start + 1.15 * (end - start)
    note(axes, "handle", label, 14.0 * np.sign(label - start) * [1.4, 1.0], size=14.0)
    centre, focus = view.project(np.stack([scene.pose.origin, scene.focus]))
    axes.plot(*np.stack([centre, focus]).T, color=TARGET, lw=1.8, ls=(0, (4, 2)), path_effects=halo(3.5))
    mark_target(axes, focus, scene.focus_name, offset=(-40.0, -95.0))
    triad(axes, view, x=0.10, y=0.09, length=0.055 * view.height)
    scale_bar(axes, 50.0, x=0.97, y=0.03)


def annotate_cortex(axes: Axes, view: View, scene: Scene, *, drawn: bool) -> None:
    """Label the cortex seen from the coil: target, direction of E, outline of the coil."""
    title(axes, "B", "cortex of this side, seen from the coil along its axis")
    if not drawn:
        return
    focus = view.project(scene.focus[None])[0]
    for path in outer_turns(scene.windings):
        axes.plot(*view.project(np.concatenate([path, path[:1]])).T, color=INK, lw=1.1, ls=(0, (5, 4)), alpha=0.8)
    flow = view.project(view.centre + scene.field / np.linalg.norm(scene.field))[0]
    length = 0.17 * view.height
    arrow(axes, focus + 0.25 * length * flow, focus + 1.25 * length * flow, TARGET)
    tip = focus + 1.25 * length * flow
    note(axes, "E", tip, 13.0 * flow / max(float(np.linalg.norm(flow)), 1e-9), colour=TARGET, size=16.0, bold=True)
    mark_target(axes, focus, scene.focus_name, offset=-np.array([95.0, 75.0]) * flow)
    edge_letters(axes, view.right, view.up)
    scale_bar(axes, 20.0, x=0.985, y=0.02)


def outer_turns(windings: Sequence[FloatArray]) -> list[FloatArray]:
    """Return the widest turn of each winding."""
    kept: list[tuple[FloatArray, float, FloatArray]] = []
    sizes = [float(np.linalg.norm(path - path.mean(axis=0), axis=1).mean()) for path in windings]
    for index in np.argsort(sizes)[::-1]:
        centre = windings[index].mean(axis=0)
        if all(np.linalg.norm(centre - other) > 0.5 * size for other, size, _ in kept):
            kept.append((centre, sizes[index], windings[index]))
    return [path for _, _, path in kept]


def draw_facts(axes: Axes, scene: Scene) -> None:
    """Write the table of names and values."""
    axes.set_axis_off()
    axes.text(0.0, 1.0, "Result", transform=axes.transAxes, fontsize=16, weight="bold", va="top")
    # A longer table is set smaller, so that it ends within the picture.
    for size in (12.5, 11.5, 10.5, 9.5, 8.5):
        scale = size / 12.5
        texts = [textwrap.fill(value, int(34 / scale)) for _, value in scene.facts]
        height = scale * sum(0.047 * (1 + text.count("\n")) + 0.018 for text in texts)
        if height <= 0.915:
            break
    y = 0.915
    for (name, _), text in zip(scene.facts, texts, strict=True):
        axes.text(0.0, y, name, transform=axes.transAxes, fontsize=size, color="#5a6472", va="top")
        axes.text(0.37, y, text, transform=axes.transAxes, fontsize=size, color=INK, va="top")
        y -= scale * (0.047 * (1 + text.count("\n")) + 0.018)


def draw_colour_bar(axes: Axes, scene: Scene) -> None:
    """Draw the colour scale of |E| that the views and the slice share."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    mappable = ScalarMappable(norm=Normalize(0.0, scene.peak), cmap="viridis")
    bar = axes.figure.colorbar(mappable, cax=axes, orientation="horizontal", extend="max")
    bar.set_label(f"|E| in A, B and C (V/m) at dI/dt = {scene.didt / 1e6:g} A/µs", fontsize=14)
    bar.ax.tick_params(labelsize=13)
