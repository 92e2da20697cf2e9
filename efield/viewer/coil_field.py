"""Map the primary field of a coil on a plane 20 mm below it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from coils import Coil, Segments
from efield.primary import primary_field
from efield.viewer.coil_views import BACK, CASING, CASING_EDGE, DEPTH, bar_length, draw_axes, reach, sources
from efield.viewer.marks import INK, TARGET, arrow, halo, note, scale_bar, title
from efield.viewer.panels import outer_turns
from efield.viewer.scene import turns
from efield.viewer.slices import cut, inside_cut, loops
from meshes import Pose
from meshes.arrays import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["PlaneField", "draw_plane", "plane_field"]

# Distance between the points of the map (mm).
_SPACING = 1.5

# Nearer to a source than this (mm) the winding's detail shows: such points neither set the scale nor get arrows.
_NEAR = 10.0

# Nearer to a dipole than this (mm) the wires themselves are asked, if they are known: dipoles may lie where no wire is,
# over the opening of a winding, and are only good from 10 mm on.
_DIPOLES = 15.0

# Height over width of the map; that of its panel.
_ASPECT = 1.12

# Depths of the profile (mm).
_PROFILE = (10.0, 20.0, 30.0, 40.0, 50.0)

# Under a circular coil the field vanishes on the axis; below this share of the greatest, E is shown aside.
_WEAK = 0.1


@dataclass(frozen=True, eq=False)
class PlaneField:
    """Primary field at z = 20 mm for dI/dt = 1 A/us.

    Parameters
    ----------
    x, y : ndarray, shape (n_x,), (n_y,)
        Coordinates of the grid (mm).
    vectors : ndarray, shape (n_y, n_x, 3)
        E (V/m); NaN outside the grid of a coil that has one.
    near : ndarray of bool, shape (n_y, n_x)
        In the casing, or less than 10 mm from a wire (from a source if the wires are not known).
    peak : float
        Greatest |E| on the grid elsewhere (V/m).
    peak_at : tuple of float
        Where, x and y (mm).
    centre : ndarray, shape (3,)
        E on the axis (V/m).
    spot : ndarray, shape (3,)
        Where `direction` holds: on the axis, or on the +x side where the field vanishes on the axis (mm).
    direction : ndarray, shape (3,) or None
        ``coil.current_direction``; None if the coil has none.
    profile : ndarray, shape (5,)
        |E| 10, 20, 30, 40 and 50 mm below the origin, at the x and y of `spot` (V/m).
    """

    x: FloatArray
    y: FloatArray
    vectors: FloatArray
    near: npt.NDArray[np.bool_]
    peak: float
    peak_at: tuple[float, float]
    centre: FloatArray
    spot: FloatArray
    direction: FloatArray | None
    profile: FloatArray

    @property
    def magnitude(self) -> FloatArray:
        """|E| (V/m), ndarray, shape (n_y, n_x)."""
        return np.asarray(np.linalg.norm(self.vectors, axis=2))

    def words(self) -> str:
        """Return the figures in a line: 20 mm below the origin."""
        x, y = (round(value) + 0 for value in self.peak_at)
        apart = f", {_NEAR:g} mm or more from the winding" if self.near.any() else ""
        centre = float(np.linalg.norm(self.centre))
        axis = f"{centre:#.3g}" if centre > 1e-3 * self.peak else "0"
        return (
            f"{axis} V/m on the axis, {DEPTH:g} mm below the origin in free space; "
            f"greatest in that plane{apart}: {self.peak:#.3g} V/m at x = {x}, y = {y} mm"
        )

    def profile_words(self) -> str:
        """Return |E| at some depths in a line."""
        known = [(depth, value) for depth, value in zip(_PROFILE, self.profile, strict=True) if np.isfinite(value)]
        values = ", ".join(f"{value:#.3g} at {depth:g}" for depth, value in known)
        return f"{values} mm (V/m, below x = {self.spot[0]:.0f}, y = 0 mm)"


def plane_field(coil: Coil) -> PlaneField:
    """Compute the primary field on the plane.

    Parameters
    ----------
    coil : Coil
        The coil.

    Returns
    -------
    PlaneField

    Raises
    ------
    ValueError
        If the plane lies wholly next to the windings, or outside the coil's grid.
    """
    half = np.abs(np.stack(reach(coil))).max(axis=0)[:2].max() + 15.0
    x, y = (np.arange(-np.ceil(r / _SPACING), np.ceil(r / _SPACING) + 1.0) * _SPACING for r in (half, _ASPECT * half))
    flat = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    points = np.column_stack([flat, np.full(len(flat), DEPTH)])
    vectors = _field(coil, points)
    near = _near(coil, points)
    size = np.where(near, np.nan, np.linalg.norm(vectors, axis=1))
    if np.isnan(size).all():
        raise ValueError(
            f"coil must have a field {DEPTH:g} mm below its origin; got {coil.name}, which has none there."
        )
    at = int(np.nanargmax(size))
    centre = _field(coil, np.array([[0.0, 0.0, DEPTH]]))[0]
    try:
        direction = coil.current_direction
    except ValueError:
        direction = None
    spot = np.array([0.0, 0.0, DEPTH])
    line = (points[:, 1] == 0.0) & (points[:, 0] > 0.0) & np.isfinite(size)
    if np.linalg.norm(centre) < _WEAK * size[at] and line.any():
        spot = points[line][int(size[line].argmax())]
        if size[line].max() > 0.99 * size[at]:
            # Of the ring under a circular coil, the place where the arrow is drawn.
            at = int(np.flatnonzero(line)[size[line].argmax()])
    shape = (len(y), len(x))
    return PlaneField(
        x=x,
        y=y,
        vectors=vectors.reshape(*shape, 3),
        near=near.reshape(shape),
        peak=float(size[at]),
        peak_at=(float(flat[at, 0]), float(flat[at, 1])),
        centre=centre,
        spot=spot,
        direction=direction,
        profile=np.linalg.norm(_field(coil, np.array([[spot[0], spot[1], depth] for depth in _PROFILE])), axis=1),
    )


def _field(coil: Coil, points: FloatArray) -> FloatArray:
    """Return the primary field at 1 A/us (V/m); NaN outside the coil's grid, if it has one."""
    inside = np.ones(len(points), dtype=np.bool_)
    if coil.grid is not None:
        to_index = np.linalg.inv(coil.grid.affine)
        index = points @ to_index[:3, :3].T + to_index[:3, 3]
        inside = ((index >= 0.0) & (index <= np.array(coil.grid.values.shape[:3]) - 1.0)).all(axis=1)
    field = np.full(points.shape, np.nan)
    still = Pose(np.eye(4))
    if inside.any():
        field[inside] = primary_field(np.ascontiguousarray(points[inside]), coil, still, didt=1e6)
    wires = _wire_elements(coil)
    if wires is not None:
        close = _within(points, coil.positions, _DIPOLES)
        if close.any():
            winding = Coil(segments=wires, name=f"wires of {coil.name}")
            field[close] = primary_field(np.ascontiguousarray(points[close]), winding, still, didt=1e6)
    return field


def _wire_elements(coil: Coil) -> Segments | None:
    """Return the wires of a coil of dipoles as current elements: the same field by Stokes' theorem."""
    if not coil.wires or coil.segments is not None or coil.grid is not None:
        return None
    ends = [np.roll(wire.path, -1, axis=0) for wire in coil.wires]
    return Segments(
        points=np.concatenate([(wire.path + end) / 2.0 for wire, end in zip(coil.wires, ends, strict=True)]),
        vectors=np.concatenate([wire.turns * (end - wire.path) for wire, end in zip(coil.wires, ends, strict=True)]),
    )


def _near(coil: Coil, points: FloatArray) -> npt.NDArray[np.bool_]:
    """Tell which points of the plane lie in the casing or next to a wire or source."""
    near = np.zeros(len(points), dtype=np.bool_)
    if coil.casing is not None and coil.casing.vertices[:, 2].max() > DEPTH:
        near |= inside_cut(coil.casing, (0.0, 0.0, DEPTH), np.eye(3)[:2], points[:, :2])
    wires = _wire_elements(coil)
    return near | _within(points, sources(coil) if wires is None else wires.points, _NEAR)


def _within(points: FloatArray, places: FloatArray, distance: float) -> npt.NDArray[np.bool_]:
    """Tell which points are nearer than a distance (mm) to any of the places."""
    from scipy.spatial import cKDTree

    if not len(places):
        return np.zeros(len(points), dtype=np.bool_)
    nearest: FloatArray = np.asarray(cKDTree(places).query(points, distance_upper_bound=distance)[0])
    return nearest < distance


def draw_plane(axes: Axes, colours: Axes, coil: Coil, field: PlaneField) -> None:
    """Draw |E| with contours at shares of the greatest, arrows of E, and the coil's outline over it.

    Parameters
    ----------
    axes, colours : matplotlib.axes.Axes
        The panel, and the place of its colour bar.
    coil : Coil
        The coil.
    field : PlaneField
        Its field.
    """
    from matplotlib.ticker import MaxNLocator

    # Next to the winding |E| grows without bound: it takes the colour of the greatest.
    size = np.where(field.near, np.fmin(field.magnitude, 1.05 * field.peak), field.magnitude)
    magnitude = np.ma.masked_invalid(size)
    levels = np.linspace(0.0, field.peak, 41)
    extend = "max" if field.near.any() else "neither"
    filled = axes.contourf(-field.x, field.y, magnitude, levels=levels, cmap="viridis", extend=extend, zorder=2)
    shares = [0.3, 0.5, 0.7, 0.9]
    lines = axes.contour(
        -field.x,
        field.y,
        magnitude,
        levels=[share * field.peak for share in shares],
        colors="white",
        linewidths=[0.9, 1.8, 0.9, 0.9],
    )
    for label in axes.clabel(lines, fmt=lambda level: f"{100.0 * level / field.peak:.0f} %", fontsize=11):
        label.set_path_effects(list(halo(2.0)))
        label.set(color=INK, zorder=24)
    _draw_arrows(axes, field)
    _draw_coil(axes, coil)
    draw_axes(axes, BACK, (field.x[0], field.x[-1]), (field.y[0], field.y[-1]))
    axes.set_xlim(-field.x[-1], field.x[-1])
    axes.set_ylim(-field.y[-1], field.y[-1])
    axes.grid(visible=False)
    axes.set_facecolor("#e9ecf0")
    if field.direction is not None:
        start = BACK.of(field.spot)
        flow = BACK.of(field.direction)
        end = start + 0.13 * (field.x[-1] - field.x[0]) * flow
        arrow(axes, start, end, TARGET)
        note(axes, "E", end, 14.0 * flow, colour=TARGET, size=16.0, bold=True)
    title(axes, "B", f"E in free space, {DEPTH:g} mm below the origin, from the back")
    scale_bar(axes, bar_length(coil), x=0.97, y=0.03, colour="white")
    bar = axes.figure.colorbar(filled, cax=colours, ticks=MaxNLocator(6).tick_values(0.0, field.peak))
    bar.ax.set_ylim(0.0, field.peak)
    bar.ax.ticklabel_format(axis="y", scilimits=(-2, 3))
    bar.set_label("|E| (V/m) at dI/dt = 1 A/µs", fontsize=12)
    bar.ax.tick_params(labelsize=11)


def _draw_arrows(axes: Axes, field: PlaneField) -> None:
    """Draw E's part in the plane by arrows on a coarse grid, as long as it is strong."""
    step = max(1, round((field.x[-1] - field.x[0]) / _SPACING / 15.0))
    rows = slice(len(field.y) // 2 % step, None, step)
    columns = slice(len(field.x) // 2 % step, None, step)
    flow = BACK.of(field.vectors[rows, columns])
    x, y = np.meshgrid(field.x[columns], field.y[rows])
    strong = np.linalg.norm(flow, axis=2) > 0.08 * field.peak  # false where E is NaN
    strong &= ~field.near[rows, columns]
    axes.quiver(
        -x[strong],
        y[strong],
        flow[strong][:, 0],
        flow[strong][:, 1],
        color="white",
        angles="xy",
        scale_units="xy",
        scale=field.peak / (1.4 * step * _SPACING),
        pivot="mid",
        width=0.0032,
        headwidth=4.0,
        zorder=20,
    )


def _draw_coil(axes: Axes, coil: Coil) -> None:
    """Draw the widest turns dashed, and the casing where it reaches through the plane."""
    from matplotlib.patches import Polygon

    for path in outer_turns(turns(coil)):
        axes.plot(
            *BACK.of(np.concatenate([path, path[:1]])).T,
            color=INK,
            lw=1.3,
            ls=(0, (5, 4)),
            zorder=25,
            path_effects=halo(2.6),
        )
    if coil.casing is None:
        return
    points, _, _, segments = cut(coil.casing, (0.0, 0.0, DEPTH), (0.0, 0.0, 1.0))
    outlines = loops(BACK.of(points), segments) if len(points) else []
    for outline in outlines:
        axes.add_patch(Polygon(outline, closed=True, facecolor=CASING, edgecolor=CASING_EDGE, lw=1.0, zorder=26))
    if outlines:
        note(axes, "casing", max(outlines, key=len).mean(axis=0), (0.0, 0.0), size=12.0)
