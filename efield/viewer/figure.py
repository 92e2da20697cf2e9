"""Compose the figure of a result: the opened head, the cortex from the coil, a slice, and the map of the search."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from efield.viewer import maps, panels
from efield.viewer.offscreen import RenderError, handle_ends, render
from efield.viewer.scene import Scene
from efield.viewer.view import View, tangent, upright

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["save_figure"]

# Pixels of the figure, and of its views; the layout below is in fractions of it.
_SIZE = (2000, 1240)
_DPI = 100
_HEAD = (840, 1040)
_CORTEX = (540, 520)

# Left, bottom, width and height of the panels, as fractions of the figure.
_BOXES = {
    "head": (0.008, 0.078, 0.420, 0.8387),
    "cortex": (0.440, 0.497, 0.270, 0.4194),
    "slice": (0.440, 0.022, 0.270, 0.4194),
    "search": (0.765, 0.540, 0.170, 0.3700),
    "values": (0.943, 0.571, 0.010, 0.3080),
    "facts": (0.735, 0.022, 0.255, 0.4194),
    "colours": (0.103, 0.066, 0.230, 0.016),
}

_FACTS_WITHOUT_SEARCH = (0.735, 0.497, 0.255, 0.4194)

# The eye looks down on the cut from this far above the coil's plane (degrees).
_ELEVATION = 32.0


def save_figure(scene: Scene, path: str | Path) -> str | None:
    """Draw a scene and write it as a PNG file of 2000 x 1240 pixels.

    Parameters
    ----------
    scene : Scene
        What to show.
    path : str or Path
        Where to write; a file that exists is replaced, in one step.

    Returns
    -------
    str or None
        None if all is drawn; else one sentence that says why the 3D views are missing and what to install. The
        slice, the map and the table are drawn without OpenGL in any case.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    views = (head_view(scene), cortex_view(scene))
    problem = None
    try:
        images = render(scene, views)
    except RenderError as error:
        images, problem = {}, str(error)
    figure = _compose(scene, views, images, problem)
    target = Path(path)
    partial = target.with_name(f".{target.name}.partial")
    try:
        figure.savefig(partial, dpi=_DPI, format="png", metadata={"Title": scene.title})
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return problem


def head_view(scene: Scene) -> View:
    """Look at the cut through the coil's axis from the side of the target, slightly from above the coil's plane."""
    outward = scene.outward
    middle = scene.cortex.vertices.mean(axis=0)
    side = -1.0 if scene.focus[0] < middle[0] else 1.0
    # From the side and front; where that is along the coil's axis, from the front, else from above.
    wishes = np.array([[0.75 * side, 0.66, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    wish = tangent(next(wish for wish in wishes if abs(wish @ outward) < 0.85 * np.linalg.norm(wish)), outward)
    # But mostly along the coil's y axis, over the waist of a figure-of-eight: its wings would hide the target.
    waist = scene.pose.y_axis if scene.pose.y_axis @ wish >= 0.0 else -scene.pose.y_axis
    across = tangent(waist + 0.45 * wish, outward)
    angle = np.radians(_ELEVATION)
    towards = np.cos(angle) * across + np.sin(angle) * outward
    # A head drawn upside down convinces nobody: up is superior, whatever the coil does.
    up = np.array([0.0, 0.0, 1.0]) if abs(towards[2]) < 0.94 else np.array([0.0, 1.0, 0.0])
    frame = View("head", scene.focus, towards, up, 300.0, _HEAD)
    start, end = handle_ends(scene)
    shown = [scene.surfaces[0].vertices, np.stack([start, end, start + 1.35 * (end - start)])]  # with its label
    if scene.casing is not None:
        shown.append(scene.casing.vertices)
    spots = frame.project(np.concatenate(shown))
    low, high = spots.min(axis=0), spots.max(axis=0)
    centre = scene.focus + (low + high)[0] / 2.0 * frame.right + (low + high)[1] / 2.0 * frame.up
    height = 1.06 * max((high - low)[1], (high - low)[0] * _HEAD[1] / _HEAD[0])
    return View("head", centre, towards, up, float(height), _HEAD)


def cortex_view(scene: Scene) -> View:
    """Look at the stimulated hemisphere along the coil's axis."""
    up = upright(scene.outward)
    frame = View("cortex", scene.focus, scene.outward, up, 100.0, _CORTEX)
    spots = frame.project(scene.cortex.vertices[scene.hemisphere()])
    low, high = spots.min(axis=0), spots.max(axis=0)
    centre = scene.focus + (low + high)[0] / 2.0 * frame.right + (low + high)[1] / 2.0 * frame.up
    height = 1.12 * max((high - low)[1], (high - low)[0] * _CORTEX[1] / _CORTEX[0])
    return View("cortex", centre, scene.outward, up, float(height), _CORTEX)


def _compose(
    scene: Scene, views: tuple[View, View], images: dict[str, npt.NDArray[np.uint8]], problem: str | None
) -> Figure:
    # Figure without pyplot: no global state, no window system.
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"font.family": "DejaVu Sans", "font.size": 13.0, "axes.linewidth": 0.8}):
        figure = Figure(figsize=(_SIZE[0] / _DPI, _SIZE[1] / _DPI), dpi=_DPI, facecolor="white")
        figure.text(0.012, 0.972, scene.title, fontsize=22, weight="bold", va="center")
        figure.text(0.988, 0.972, scene.subtitle, fontsize=17, va="center", ha="right")
        boxes = _BOXES if scene.search else _BOXES | {"facts": _FACTS_WITHOUT_SEARCH}
        axes = {name: figure.add_axes(box) for name, box in boxes.items()}
        for view in views:
            panels.show_image(axes[view.name], view, images.get(view.name), problem)
        panels.annotate_head(axes["head"], views[0], scene, drawn="head" in images)
        panels.annotate_cortex(axes["cortex"], views[1], scene, drawn="cortex" in images)
        maps.draw_slice(axes["slice"], scene)
        maps.draw_search(axes["search"], axes["values"], scene)
        panels.draw_facts(axes["facts"], scene)
        panels.draw_colour_bar(axes["colours"], scene)
    return figure
