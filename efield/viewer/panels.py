"""Draw the flat parts of the figure with matplotlib: labels over the views, the slice, the map, the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from efield.viewer.offscreen import COLOURS, colour_of, handle_ends
from efield.viewer.scene import Scene
from efield.viewer.slices import cut, loops
from efield.viewer.view import View, letters, upright
from meshes import Surface
from meshes.arrays import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.path import Path

_INK = "#1c2430"
_TARGET = "#e4003a"

_WORDS = {"R": "right", "L": "left", "A": "anterior", "P": "posterior", "S": "superior", "I": "inferior"}


def show_image(axes: Axes, view: View, image: npt.NDArray[np.uint8] | None, problem: str | None) -> None:
    """Show a view in millimetres, or say why there is none."""
    import textwrap

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


def _title(axes: Axes, letter: str, text: str) -> None:
    axes.text(0.0, 1.015, letter, transform=axes.transAxes, fontsize=18, weight="bold", va="bottom", color=_INK)
    axes.text(
        27.0 / axes.get_window_extent().width,
        1.018,
        text,
        transform=axes.transAxes,
        fontsize=14,
        va="bottom",
        color=_INK,
    )


def _halo(width: float = 3.0) -> list[object]:
    """Return a white outline that keeps text and lines legible on any colour."""
    from matplotlib import patheffects

    return [patheffects.withStroke(linewidth=width, foreground="white")]


def _scale_bar(axes: Axes, length: float, *, x: float, y: float) -> None:
    """Draw a bar of `length` mm that ends at (x, y) in axes fractions."""
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    end, level = left + x * (right - left), bottom + y * (top - bottom)
    axes.plot([end - length, end], [level, level], color=_INK, lw=3, solid_capstyle="butt")
    axes.annotate(
        f"{length:g} mm",
        (end - length / 2.0, level),
        xytext=(0, 5),
        textcoords="offset points",
        ha="center",
        fontsize=12,
    )


def _triad(axes: Axes, view: View, *, x: float, y: float, length: float) -> None:
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
            "", start + tip, xytext=start, arrowprops={"arrowstyle": "-|>", "color": _INK, "lw": 1.6, "shrinkA": 0}
        )
        axes.text(
            *(start + tip + 0.25 * length * tip / np.linalg.norm(tip)),
            letters(axis),
            ha="center",
            va="center",
            fontsize=14,
            weight="bold",
        )


def _edge_letters(axes: Axes, right: FloatArray, up: FloatArray) -> None:
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
            color=_INK,
            zorder=95,
            path_effects=_halo(),
        )


def _mark_target(axes: Axes, spot: FloatArray, label: str, *, offset: tuple[float, float]) -> None:
    """Mark the focus with a ring, and name it."""
    axes.plot(*spot, marker="o", ms=15, mfc="none", mec="white", mew=4.5)
    axes.plot(*spot, marker="o", ms=15, mfc="none", mec=_TARGET, mew=2.4)
    axes.annotate(
        label,
        spot,
        xytext=offset,
        textcoords="offset points",
        color=_TARGET,
        fontsize=14,
        weight="bold",
        ha="center",
        va="center",
        path_effects=_halo(),
        arrowprops={"arrowstyle": "-", "color": _TARGET, "lw": 1.4, "shrinkA": 1, "shrinkB": 9},
    )


def _arrow(axes: Axes, start: FloatArray, end: FloatArray, colour: str, *, width: float = 2.6) -> None:
    style = {"arrowstyle": "-|>,head_length=0.7,head_width=0.35", "shrinkA": 0, "shrinkB": 0}
    for ink, thickness in (("white", width + 2.6), (colour, width)):
        axes.annotate("", end, xytext=start, arrowprops=style | {"color": ink, "lw": thickness}, zorder=75)


def annotate_head(axes: Axes, view: View, scene: Scene, *, drawn: bool) -> None:
    """Label the opened head: handle, coil, target, axes, scale."""
    _title(axes, "A", "coil, and the head cut open through the coil's axis")
    if not drawn:
        return
    start, end = view.project(np.stack(handle_ends(scene)))
    _arrow(axes, start, start + 1.15 * (end - start), _INK)
    label = start + 1.15 * (end - start)
    axes.annotate(
        "handle",
        label,
        xytext=tuple(14.0 * np.sign(label - start) * [1.4, 1.0]),
        textcoords="offset points",
        ha="center",
        va="center",
        fontsize=14,
        path_effects=_halo(),
    )
    centre, focus = view.project(np.stack([scene.pose.origin, scene.focus]))
    axes.plot(*np.stack([centre, focus]).T, color=_TARGET, lw=1.8, ls=(0, (4, 2)), path_effects=_halo(3.5))
    _mark_target(axes, focus, scene.focus_name, offset=(-40.0, -95.0))
    _triad(axes, view, x=0.10, y=0.09, length=0.055 * view.height)
    _scale_bar(axes, 50.0, x=0.97, y=0.03)


def annotate_cortex(axes: Axes, view: View, scene: Scene, *, drawn: bool) -> None:
    """Label the cortex seen from the coil: target, direction of E, outline of the coil."""
    _title(axes, "B", "cortex of this side, seen from the coil along its axis")
    if not drawn:
        return
    focus = view.project(scene.focus[None])[0]
    for path in _outer_turns(scene):
        axes.plot(*view.project(np.concatenate([path, path[:1]])).T, color=_INK, lw=1.1, ls=(0, (5, 4)), alpha=0.8)
    flow = view.project(view.centre + scene.field / np.linalg.norm(scene.field))[0]
    length = 0.17 * view.height
    _arrow(axes, focus + 0.25 * length * flow, focus + 1.25 * length * flow, _TARGET)
    axes.annotate(
        "E",
        focus + 1.25 * length * flow,
        xytext=tuple(13.0 * flow / max(float(np.linalg.norm(flow)), 1e-9)),
        textcoords="offset points",
        fontsize=16,
        weight="bold",
        style="italic",
        color=_TARGET,
        ha="center",
        va="center",
        path_effects=_halo(),
    )
    _mark_target(axes, focus, scene.focus_name, offset=tuple(-np.array([95.0, 75.0]) * flow))
    _edge_letters(axes, view.right, view.up)
    _scale_bar(axes, 20.0, x=0.985, y=0.02)


def _outer_turns(scene: Scene) -> list[FloatArray]:
    """Return the widest turn of each winding."""
    kept: list[tuple[FloatArray, float, FloatArray]] = []
    sizes = [float(np.linalg.norm(path - path.mean(axis=0), axis=1).mean()) for path in scene.windings]
    for index in np.argsort(sizes)[::-1]:
        centre = scene.windings[index].mean(axis=0)
        if all(np.linalg.norm(centre - other) > 0.5 * size for other, size, _ in kept):
            kept.append((centre, sizes[index], scene.windings[index]))
    return [path for _, _, path in kept]


def draw_slice(axes: Axes, scene: Scene) -> None:
    """Draw tissues and |E| in the plane through the target that holds the coil's axis and the handle."""
    from matplotlib.collections import LineCollection

    part = scene.slice
    plane = np.stack([part.right, part.up])
    for index, surface in enumerate(scene.surfaces):
        _fill(axes, surface, scene, index, plane)
    enclosing = {surface.name for surface in scene.enclosing}
    brain: list[FloatArray] = []
    for surface in scene.surfaces:
        points, _, _, segments = cut(surface, scene.focus, part.normal)
        flat = (points - scene.focus) @ plane.T
        axes.add_collection(LineCollection(list(flat[segments]), linewidths=0.9, colors=_INK, zorder=35))
        if surface.name not in enclosing:
            brain += loops(flat, segments)
    if brain:
        image = axes.imshow(
            part.magnitude, extent=part.extent, origin="lower", cmap="viridis", vmin=0.0, vmax=scene.peak, zorder=30
        )
        image.set_clip_path(_path(brain), transform=axes.transData)
    _draw_coil_section(axes, scene, plane)
    centre = plane @ (scene.pose.origin - scene.focus)
    axes.plot(
        [centre[0], 0.0], [centre[1], 0.0], color=_TARGET, lw=1.8, ls=(0, (4, 2)), zorder=60, path_effects=_halo()
    )
    axes.annotate(
        f"{np.linalg.norm(scene.pose.origin - scene.focus):.1f} mm",
        centre,
        xytext=(10, -22),
        textcoords="offset points",
        fontsize=13,
        color=_TARGET,
        zorder=70,
        path_effects=_halo(),
    )
    flow = plane @ scene.field / np.linalg.norm(scene.field)
    _arrow(axes, np.zeros(2), 18.0 * flow, _TARGET)
    axes.plot(0.0, 0.0, marker="o", ms=13, mfc="none", mec=_TARGET, mew=2.4, zorder=80)
    axes.set_xlim(part.extent[:2])
    axes.set_ylim(part.extent[2:])
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    _title(axes, "C", "slice through target, coil's axis and handle")
    _edge_letters(axes, part.right, part.up)
    _scale_bar(axes, 10.0, x=0.97, y=0.03)
    _tissue_legend(axes, scene)


def _tissue_legend(axes: Axes, scene: Scene) -> None:
    """Name the tissues outside the brain by their colours."""
    from matplotlib.patches import Patch

    names = {"scalp": "scalp", "outer_skull": "skull", "inner_skull": "CSF"}
    patches = [
        Patch(facecolor=COLOURS[surface.name], edgecolor=_INK, lw=0.6, label=names[surface.name])
        for surface in scene.surfaces
        if surface.name in names
    ]
    if patches:
        legend = axes.legend(
            handles=patches, loc="lower left", fontsize=11, framealpha=0.85, handlelength=1.2, borderaxespad=0.4
        )
        legend.set_zorder(90)


def _fill(axes: Axes, surface: Surface, scene: Scene, index: int, plane: FloatArray) -> None:
    """Fill the inside of a surface where the slice cuts it."""
    from matplotlib.patches import PathPatch

    points, _, _, segments = cut(surface, scene.focus, scene.slice.normal)
    outlines = loops((points - scene.focus) @ plane.T, segments)
    if not outlines:
        return
    axes.add_patch(PathPatch(_path(outlines), facecolor=colour_of(surface, index), lw=0.0, zorder=2 + index))


def _path(outlines: list[FloatArray]) -> Path:
    """Join closed outlines to one path; their directions tell holes from islands."""
    from matplotlib.path import Path

    corners = np.concatenate([np.concatenate([outline, outline[:1]]) for outline in outlines])
    codes = np.concatenate([[Path.MOVETO, *[Path.LINETO] * (len(outline) - 1), Path.CLOSEPOLY] for outline in outlines])
    return Path(corners, codes)


def _draw_coil_section(axes: Axes, scene: Scene, plane: FloatArray) -> None:
    """Draw the coil's housing and turns where the slice cuts them."""
    if scene.casing is not None:
        from matplotlib.patches import Polygon

        points, _, _, segments = cut(scene.casing, scene.focus, scene.slice.normal)
        for outline in loops((points - scene.focus) @ plane.T, segments):
            axes.add_patch(Polygon(outline, closed=True, facecolor="#d5dae1", edgecolor="#3f4a59", lw=1.0, zorder=40))
    for path in scene.windings:
        after = np.roll(path, -1, axis=0)
        height, next_height = ((line - scene.focus) @ scene.slice.normal for line in (path, after))
        crosses = (height < 0.0) != (next_height < 0.0)
        share = (height[crosses] / (height[crosses] - next_height[crosses]))[:, None]
        spots = (path[crosses] * (1.0 - share) + after[crosses] * share - scene.focus) @ plane.T
        axes.plot(*spots.T, ls="none", marker="o", ms=4, color="#b0541f", zorder=45)


def draw_search(axes: Axes, colours: Axes, scene: Scene) -> None:
    """Draw the best field at the target that each coil position gives, on the scalp seen from outside."""
    if scene.search is None:
        axes.set_axis_off()
        colours.set_axis_off()
        return
    search = scene.search
    outward = scene.outward
    up = upright(outward)
    right = np.cross(up, outward)
    plane = np.stack([right, up])
    known = np.isfinite(search.values)
    spots = (search.positions[known] - search.best) @ plane.T
    _draw_values(axes, colours, spots, search.values[known])
    _draw_handles(axes, spots, search.handles[known] @ plane.T)
    axes.plot(0.0, 0.0, marker="*", ms=20, mfc=_TARGET, mec="white", mew=1.2, zorder=80)
    handle = plane @ scene.handle
    _arrow(axes, 2.0 * handle, 15.0 * handle, _TARGET)
    axes.annotate(
        "handle",
        15.0 * handle,
        xytext=tuple(11.0 * handle),
        textcoords="offset points",
        fontsize=12,
        color=_TARGET,
        ha="center",
        va="center",
        zorder=85,
        path_effects=_halo(),
    )
    axes.plot(*(plane @ (scene.focus - search.best)), marker="o", ms=11, mfc="none", mec=_TARGET, mew=2.2, zorder=80)
    reach = np.abs(np.concatenate([spots, [20.0 * handle]])).max()
    axes.set_xlim(-reach - 2.0, reach + 2.0)
    axes.set_ylim(-reach - 2.0, reach + 2.0)
    axes.set_aspect("equal")
    axes.set_xlabel(f"mm towards {_words(right)}", fontsize=12)
    axes.set_ylabel(f"mm towards {_words(up)}", fontsize=12, labelpad=0)
    axes.tick_params(labelsize=11)
    _edge_letters(axes, right, up)
    _title(axes, "D", "search: coil centre on the scalp")


def _draw_values(axes: Axes, colours: Axes, spots: FloatArray, values: FloatArray) -> None:
    """Colour the scalp by the best field at the target, with contours at fractions of the greatest."""
    from matplotlib.tri import Triangulation

    if len(spots) < 3:
        colours.set_axis_off()
        return
    mesh = Triangulation(*spots.T)
    edge = np.linalg.norm(spots[mesh.triangles] - spots[np.roll(mesh.triangles, -1, axis=1)], axis=2).max(axis=1)
    # The hull's long thin triangles would bridge places that were never tried.
    mesh.set_mask(edge > 3.0 * np.median(edge))
    filled = axes.tricontourf(mesh, values, levels=14, cmap="cividis")
    best = values.max()
    lines = axes.tricontour(mesh, values, levels=[f * best for f in (0.8, 0.9, 0.95)], colors="white", linewidths=1.2)
    axes.clabel(lines, fmt=lambda level: f"{100.0 * level / best:.0f} %", fontsize=11)
    bar = axes.figure.colorbar(filled, cax=colours)
    bar.set_label("best |E| at the target (V/m)", fontsize=12)
    bar.ax.tick_params(labelsize=11)


def _words(direction: FloatArray) -> str:
    return "-".join(_WORDS[letter] for letter in letters(direction))


def _draw_handles(axes: Axes, spots: FloatArray, handles: FloatArray, spacing: float = 7.0) -> None:
    """Draw the best handle direction at a thinned-out selection of positions."""
    chosen: list[int] = []
    for index, spot in enumerate(spots):
        if all(np.linalg.norm(spot - spots[other]) >= spacing for other in chosen):
            chosen.append(index)
    axes.quiver(
        *spots[chosen].T,
        *handles[chosen].T,
        color="white",
        pivot="tail",
        scale=20.0,
        width=0.005,
        headwidth=3.5,
        alpha=0.9,
    )


def draw_facts(axes: Axes, scene: Scene) -> None:
    """Write the table of names and values."""
    import textwrap

    axes.set_axis_off()
    axes.text(0.0, 1.0, "Result", transform=axes.transAxes, fontsize=16, weight="bold", va="top")
    y = 0.915
    for name, value in scene.facts:
        text = textwrap.fill(value, 34)
        axes.text(0.0, y, name, transform=axes.transAxes, fontsize=12.5, color="#5a6472", va="top")
        axes.text(0.37, y, text, transform=axes.transAxes, fontsize=12.5, color=_INK, va="top")
        y -= 0.047 * (1 + text.count("\n")) + 0.018


def draw_colour_bar(axes: Axes, scene: Scene) -> None:
    """Draw the colour scale of |E| that the views and the slice share."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    mappable = ScalarMappable(norm=Normalize(0.0, scene.peak), cmap="viridis")
    bar = axes.figure.colorbar(mappable, cax=axes, orientation="horizontal", extend="max")
    bar.set_label(f"|E| in A, B and C (V/m) at dI/dt = {scene.didt / 1e6:g} A/µs", fontsize=14)
    bar.ax.tick_params(labelsize=13)
