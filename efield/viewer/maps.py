"""Draw the flat pictures: the slice through target and coil, and the map of the search."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from efield.viewer.marks import INK, TARGET, arrow, edge_letters, halo, note, scale_bar, title
from efield.viewer.offscreen import COLOURS, colour_of
from efield.viewer.scene import Scene
from efield.viewer.slices import cut, loops
from efield.viewer.view import letters, upright
from meshes import Surface
from meshes.arrays import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.path import Path

__all__ = ["draw_search", "draw_slice"]

_WORDS = {"R": "right", "L": "left", "A": "anterior", "P": "posterior", "S": "superior", "I": "inferior"}


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
        axes.add_collection(LineCollection(list(flat[segments]), linewidths=0.9, colors=INK, zorder=35))
        if surface.name not in enclosing:
            brain += loops(flat, segments)
    if brain:
        image = axes.imshow(
            part.magnitude, extent=part.extent, origin="lower", cmap="viridis", vmin=0.0, vmax=scene.peak, zorder=30
        )
        image.set_clip_path(_path(brain), transform=axes.transData)
    _draw_coil_section(axes, scene, plane)
    centre = plane @ (scene.pose.origin - scene.focus)
    axes.plot([centre[0], 0.0], [centre[1], 0.0], color=TARGET, lw=1.8, ls=(0, (4, 2)), zorder=60, path_effects=halo())
    gap = float(np.linalg.norm(scene.pose.origin - scene.focus))
    note(axes, f"{gap:.1f} mm", centre, (40, -16), colour=TARGET)
    flow = plane @ scene.field / np.linalg.norm(scene.field)
    arrow(axes, np.zeros(2), 18.0 * flow, TARGET)
    axes.plot(0.0, 0.0, marker="o", ms=13, mfc="none", mec=TARGET, mew=2.4, zorder=80)
    axes.set_xlim(part.extent[:2])
    axes.set_ylim(part.extent[2:])
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    title(axes, "C", f"slice through {'target' if scene.search else 'peak'}, coil's axis and handle")
    edge_letters(axes, part.right, part.up)
    scale_bar(axes, 10.0, x=0.97, y=0.03)
    _tissue_legend(axes, scene)


def _tissue_legend(axes: Axes, scene: Scene) -> None:
    """Name the tissues outside the brain by their colours."""
    from matplotlib.patches import Patch

    names = {"scalp": "scalp", "outer_skull": "skull", "inner_skull": "CSF"}
    patches = [
        Patch(facecolor=COLOURS[surface.name], edgecolor=INK, lw=0.6, label=names[surface.name])
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
    axes.plot(0.0, 0.0, marker="*", ms=20, mfc=TARGET, mec="white", mew=1.2, zorder=80)
    handle = plane @ scene.handle
    arrow(axes, 2.0 * handle, 15.0 * handle, TARGET)
    note(axes, "handle", 15.0 * handle, 11.0 * handle, colour=TARGET, size=12.0)
    axes.plot(*(plane @ (scene.focus - search.best)), marker="o", ms=11, mfc="none", mec=TARGET, mew=2.2, zorder=80)
    reach = np.abs(np.concatenate([spots, [20.0 * handle]])).max()
    axes.set_xlim(-reach - 2.0, reach + 2.0)
    axes.set_ylim(-reach - 2.0, reach + 2.0)
    axes.set_aspect("equal")
    axes.set_xlabel(f"mm towards {_words(right)}", fontsize=12)
    axes.set_ylabel(f"mm towards {_words(up)}", fontsize=12, labelpad=0)
    axes.tick_params(labelsize=11)
    edge_letters(axes, right, up)
    title(axes, "D", "search: coil centre on the scalp")


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
