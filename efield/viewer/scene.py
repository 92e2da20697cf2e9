"""Collect what a picture shows from a result, as plain arrays: nothing is computed here, nothing is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_fill_holes, distance_transform_edt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from coils import Coil
from efield.viewer.slices import inside_cut
from meshes import HeadModel, Pose, Surface
from meshes.arrays import FloatArray
from meshes.checks import winding_numbers

if TYPE_CHECKING:
    from efield.fields import EField
    from efield.targeting import SearchResult

__all__ = ["Scene", "Search", "Slice", "scene_of_field", "scene_of_search", "turns"]

# Windings drawn: one line per turn is legible, one per filament of its cross-section is not.
_TURNS_APART = 1.5

# Left, right, bottom and top of the slice's picture, from the focus (mm), and the size of its cells.
_SLICE = (-48.0, 48.0, -35.0, 57.0)
_CELL = 0.5


@dataclass(frozen=True, eq=False)
class Search:
    """What a search found on the scalp.

    Attributes
    ----------
    positions : ndarray, shape (n, 3)
        Scalp points under the coil's centre (mm).
    values : ndarray, shape (n,)
        Best field at the target over all directions of the handle (V/m); NaN where the coil cannot go.
    handles : ndarray, shape (n, 3)
        Direction of the handle that gives it.
    best : ndarray, shape (3,)
        Scalp point of the best pose (mm).
    """

    positions: FloatArray
    values: FloatArray
    handles: FloatArray
    best: FloatArray


@dataclass(frozen=True, eq=False)
class Slice:
    """|E| in the brain where the plane of the coil's axis and the handle cuts it.

    Attributes
    ----------
    right, up, normal : ndarray, shape (3,)
        The plane's directions: along the coil's y axis, out of the head, and across.
    extent : tuple of float
        Left, right, bottom and top of the picture, from the focus (mm).
    magnitude : ndarray, shape (n_rows, n_columns)
        |E| at the middles of the picture's cells, the lowest row first (V/m); NaN well outside the brain.
    """

    right: FloatArray
    up: FloatArray
    normal: FloatArray
    extent: tuple[float, float, float, float]
    magnitude: FloatArray


@dataclass(frozen=True, eq=False)
class Scene:
    """All that a figure shows; positions in mm, in the head's frame.

    Attributes
    ----------
    title, subtitle : str
        Head, coil and target; the main value.
    didt : float
        Rate of change of the coil's current that the values belong to (A/s).
    surfaces : tuple of Surface
        The head's interfaces, outermost first.
    cortex : Surface
        Where the field is known.
    magnitude : ndarray, shape (n_vertices,)
        |E| on the cortex (V/m).
    peak : float
        Robust maximum of it, the end of the colour scale (V/m).
    pose : Pose
        Coil to head.
    casing : Surface or None
        The coil's housing, in the head's frame.
    windings : tuple of ndarray, shape (k, 3)
        Closed lines, in the head's frame.
    handle : ndarray, shape (3,)
        Direction in which the handle leaves.
    focus : ndarray, shape (3,)
        The target, or the place of the greatest field where there is no target.
    focus_name : str
        What the focus is.
    field : ndarray, shape (3,)
        E there (V/m).
    wanted : ndarray, shape (3,), or None
        The direction of E that the target asks for.
    inside_target : ndarray of bool, shape (n_vertices,)
        Cortex vertices that the target averages over.
    search : Search or None
        Map of the search.
    slice : Slice
        |E| in the plane through the focus that holds the coil's axis and the handle.
    facts : tuple of (str, str)
        Names and values of the table beside the pictures.
    """

    title: str
    subtitle: str
    didt: float
    surfaces: tuple[Surface, ...]
    cortex: Surface
    magnitude: FloatArray
    peak: float
    pose: Pose
    casing: Surface | None
    windings: tuple[FloatArray, ...]
    handle: FloatArray
    focus: FloatArray
    focus_name: str
    field: FloatArray
    wanted: FloatArray | None
    inside_target: npt.NDArray[np.bool_]
    search: Search | None
    slice: Slice
    facts: tuple[tuple[str, str], ...]

    @property
    def outward(self) -> FloatArray:
        """Direction from the head to the coil, along the coil's axis, ndarray, shape (3,)."""
        return -self.pose.z_axis

    @property
    def enclosing(self) -> tuple[Surface, ...]:
        """The surfaces whose bounding box holds the whole cortex: scalp, skull, inner skull."""
        return tuple(surface for surface in self.surfaces if _holds(surface, self.cortex))

    def hemisphere(self) -> npt.NDArray[np.bool_]:
        """Tell which cortex vertices hang together with the one nearest to the focus, ndarray of bool."""
        triangles = self.cortex.triangles
        count = len(self.cortex.vertices)
        ends = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]]])
        links = coo_array((np.ones(len(ends), dtype=np.int8), (ends[:, 0], ends[:, 1])), shape=(count, count))
        _, label = connected_components(links, directed=False)
        nearest = int(np.linalg.norm(self.cortex.vertices - self.focus, axis=1).argmin())
        same: npt.NDArray[np.bool_] = label == label[nearest]
        return same


def scene_of_search(result: SearchResult, *, facts: Mapping[str, str], didt: float = 1e6) -> Scene:
    """Collect what the figure of a search shows.

    Parameters
    ----------
    result : SearchResult
        From `efield.optimize`.
    facts : mapping of str to str
        Names and values of the table beside the pictures.
    didt : float, optional
        Rate of change of the current that values are shown for (A/s).

    Returns
    -------
    Scene
    """
    scale = didt / result.field.didt
    target = result.target
    inside = np.zeros(len(result.head.cortex.vertices), dtype=np.bool_)
    inside[result.patch.indices] = True
    search = Search(
        positions=np.asarray(result.table["position"], dtype=np.float64),
        values=np.asarray(result.table["value"], dtype=np.float64) * scale,
        handles=np.asarray(result.table["handle"], dtype=np.float64),
        best=np.asarray(result.scalp_position, dtype=np.float64),
    )
    name = _with_side(target.name, target.side)
    return _scene(
        result.head,
        result.coil,
        result.pose,
        result.field,
        didt=didt,
        title=f"{result.name or name} on head “{_head_name(result.head)}”, coil {result.coil.name}",
        focus=np.asarray(target.position, dtype=np.float64),
        focus_name=name,
        vector=np.asarray(result.vector_at_target, dtype=np.float64) * scale,
        wanted=None if target.direction is None else np.asarray(target.direction, dtype=np.float64),
        inside=inside,
        search=search,
        facts=facts,
    )


def scene_of_field(
    head: HeadModel, coil: Coil, pose: Pose, field: EField, *, facts: Mapping[str, str], didt: float | None = None
) -> Scene:
    """Collect what the figure of one simulation shows; its focus is the place of the greatest field.

    Parameters
    ----------
    head, coil, pose
        What was simulated.
    field : EField
        On ``head.cortex``.
    facts : mapping of str to str
        Names and values of the table beside the pictures.
    didt : float, optional
        Rate of change of the current that values are shown for (A/s); by default that of the field.

    Returns
    -------
    Scene
    """
    shown = field.didt if didt is None else didt
    peak = field.peak()
    return _scene(
        head,
        coil,
        pose,
        field,
        didt=shown,
        title=f"{coil.name} on head “{_head_name(head)}”",
        focus=np.asarray(peak.position, dtype=np.float64),
        focus_name="peak of |E|",
        vector=field.vectors[peak.index] * (shown / field.didt),
        wanted=None,
        inside=np.zeros(len(head.cortex.vertices), dtype=np.bool_),
        search=None,
        facts=facts,
    )


def _scene(
    head: HeadModel,
    coil: Coil,
    pose: Pose,
    field: EField,
    *,
    didt: float,
    title: str,
    focus: FloatArray,
    focus_name: str,
    vector: FloatArray,
    wanted: FloatArray | None,
    inside: npt.NDArray[np.bool_],
    search: Search | None,
    facts: Mapping[str, str],
) -> Scene:
    if len(field.points) != len(head.cortex.vertices):
        raise ValueError(
            f"field must be known on the head's cortex, {len(head.cortex.vertices)} points; got {len(field.points)}. "
            "Solve without points=... to draw the result."
        )
    scale = didt / field.didt
    value = float(np.linalg.norm(vector))
    return Scene(
        title=title,
        subtitle=f"|E| = {value:#.3g} V/m at the {'target' if search else 'peak'} for dI/dt = {didt / 1e6:g} A/µs",
        didt=didt,
        surfaces=tuple(interface.surface for interface in head.interfaces),
        cortex=head.cortex,
        magnitude=field.magnitude * scale,
        peak=field.peak().value * scale,
        pose=pose,
        casing=None if coil.casing is None else coil.casing.transformed(pose.matrix),
        windings=tuple(pose.apply(path) for path in turns(coil)),
        handle=pose.apply_vectors(coil.handle),
        focus=focus,
        focus_name=focus_name,
        field=vector,
        wanted=wanted,
        inside_target=inside,
        search=search,
        slice=_slice(head, pose, field, focus, scale),
        facts=tuple(facts.items()),
    )


def _slice(head: HeadModel, pose: Pose, field: EField, focus: FloatArray, scale: float) -> Slice:
    """Evaluate the field in the brain on the plane through the focus along the coil's y and z axes."""
    # The right of the picture is the patient's right, anterior or superior end of the coil's y axis.
    along = pose.y_axis * np.sign(pose.y_axis[int(np.abs(pose.y_axis).argmax())])
    up = -pose.z_axis
    normal = np.cross(along, up)
    left, right, bottom, top = _SLICE
    columns, rows = round((right - left) / _CELL), round((top - bottom) / _CELL)
    x = left + _CELL * (np.arange(columns) + 0.5)
    y = bottom + _CELL * (np.arange(rows) + 0.5)
    flat = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    inside = np.zeros(len(flat), dtype=np.bool_)
    for surface in _brain(head):
        inside |= inside_cut(surface, focus, np.stack([along, up]), flat)
    if head.touching:  # the white matter is no part of the region around it
        inside = binary_fill_holes(inside.reshape(rows, columns)).ravel()
    magnitude = np.full(len(flat), np.nan)
    if inside.any():
        magnitude[inside] = scale * np.linalg.norm(field.at(focus + flat[inside] @ np.stack([along, up])), axis=1)
        # Cells across the brain's surface take the value of the nearest cell inside; the drawing clips them.
        grid = magnitude.reshape(rows, columns)
        distance, nearest = distance_transform_edt(np.isnan(grid), return_indices=True)
        magnitude = np.where(distance <= 3.0, grid[tuple(nearest)], np.nan)
    return Slice(along, up, normal, _SLICE, magnitude.reshape(rows, columns))


def _brain(head: HeadModel) -> list[Surface]:
    """Return the surfaces of the brain: those that do not hold all of the cortex, as the scalp and the skull do.

    Where there is none, or tissues touch, it is the smallest one that most of the cortex lies in.
    """
    parts = [surface for surface in head.enclosures if not _holds(surface, head.cortex)]
    if parts and not head.touching:
        return parts
    points = head.cortex.vertices[:: max(1, len(head.cortex.vertices) // 500)]
    around = [surface for surface in head.enclosures if winding_numbers(points, surface).mean() > 0.5]
    return [min(around, key=lambda surface: surface.volume)] if around else []


def _holds(outer: Surface, inner: Surface) -> bool:
    """Tell whether the bounding box of one surface holds that of another."""
    below = outer.vertices.min(axis=0) <= inner.vertices.min(axis=0)
    above = outer.vertices.max(axis=0) >= inner.vertices.max(axis=0)
    return bool(below.all() and above.all())


def turns(coil: Coil) -> list[FloatArray]:
    """Return the wires to draw: of those whose sizes and centres are closer than a wire's width, one only (mm)."""
    kept: list[FloatArray] = []
    seen: list[FloatArray] = []
    for wire in coil.wires:
        centre = wire.path.mean(axis=0)
        radius = np.linalg.norm(wire.path - centre, axis=1).mean()
        # Depth along the wire's axis is left out: the filaments of one turn lie above each other.
        axis = wire.moment / max(float(np.linalg.norm(wire.moment)), 1e-30)
        place = np.append(centre - (centre @ axis) * axis, radius)
        if all(np.linalg.norm(place - other) >= _TURNS_APART for other in seen):
            kept.append(wire.path)
            seen.append(place)
    return kept


def _with_side(name: str, side: str | None) -> str:
    return name if not side or name.endswith(side) else f"{name} {side}"


def _head_name(head: HeadModel) -> str:
    return f"{head.name} ({head.resolution})" if head.resolution else head.name
