"""Find the wall of a sulcus around a point: its normal, and the direction in which the sulcus runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meshes import arrays
from meshes.arrays import FloatArray
from meshes.head import HeadModel
from meshes.surface import Surface

__all__ = ["WALL_RADIUS", "Wall", "angle_across", "bank_of", "wall_around"]

IndexArray = npt.NDArray[np.int64]

WALL_RADIUS = 12.0
"""Cortex within this distance of a point tells how the sulcus runs there (mm): a patch of 5 mm is too small."""


@dataclass(frozen=True, eq=False)
class Wall:
    """The wall of a sulcus around a point.

    Attributes
    ----------
    position : ndarray, shape (3,)
        The point (mm).
    normal : ndarray, shape (3,)
        Mean normal of the wall by area, out of the brain and so into the sulcus; a unit vector.
    direction : ndarray, shape (3,)
        Direction in which the sulcus runs there, a unit vector; either of the two ways along it, its greatest component
        being positive.
    clearness : float
        From 0 (folded alike in all directions) to 1 (a fold that does not change along `direction`).
    area : float
        Area of the wall (mm^2).
    """

    position: FloatArray
    normal: FloatArray
    direction: FloatArray
    clearness: float
    area: float


def wall_around(
    cortex: Surface,
    point: npt.ArrayLike,
    *,
    radius: float = WALL_RADIUS,
    vertices: npt.ArrayLike | None = None,
    facing: npt.ArrayLike | None = None,
) -> Wall:
    """Return the wall of the sulcus around a point of the cortex.

    Parameters
    ----------
    cortex : Surface
        The cortex, normals out of the brain.
    point : array_like, shape (3,)
        A point on it or near it (mm).
    radius : float, optional
        How far around (mm).
    vertices : array_like of int, optional
        Only these vertices are the wall, for example a region's; by default all around.
    facing : array_like, shape (3,), optional
        Only what faces this way is the wall: with a normal less than a right angle from it.

    Returns
    -------
    Wall

    Raises
    ------
    ValueError
        If there is no such cortex within the radius, or its normals cancel out (name one side with `facing`).

    Notes
    -----
    Along a fold that does not change, all normals are at right angles to its direction: this is the principal axis in
    which the normals of all the cortex within the radius, both walls, crown and fundus, vary least, the eigenvector of
    the least eigenvalue of their second moment. `clearness` is one less the ratio of the least to the next eigenvalue.
    The wall's own normals would not do: on a flat wall they are all alike.

    Examples
    --------
    >>> import meshes
    >>> ball = meshes.icosphere(4, radius=60.0)
    >>> wall = wall_around(ball, (0, 0, 60), radius=15.0)
    >>> wall.normal.round(2) + 0.0
    array([0., 0., 1.])
    """
    centre = arrays.vector(point, "point")
    reach = arrays.positive(radius, "radius")
    near = np.linalg.norm(cortex.vertices - centre, axis=1) <= reach
    normals, areas = cortex.vertex_normals, cortex.vertex_areas
    chosen = near if vertices is None else near & _mask(vertices, len(near))
    if facing is not None:
        chosen = chosen & (normals @ arrays.unit_vector(facing, "facing") > 0.0)
    rows = np.flatnonzero(chosen)
    area = float(areas[rows].sum())
    if not area > 0.0:
        raise ValueError(
            f"point must have cortex of the wall within {reach:g} mm; got {np.round(centre, 1).tolist()} with none. "
            "Widen the radius, or give a point on the cortex."
        )
    total = areas[rows] @ normals[rows]
    length = float(np.linalg.norm(total))
    if length < 1e-6 * area:
        raise ValueError(f"facing must be given where the normals within {reach:g} mm cancel out; got none.")
    around = np.flatnonzero(near)
    moment = (normals[around] * areas[around, None]).T @ normals[around]
    values, axes = np.linalg.eigh(moment)
    direction = axes[:, 0] * np.sign(axes[np.abs(axes[:, 0]).argmax(), 0])
    clearness = 1.0 - max(float(values[0]), 0.0) / float(values[1]) if values[1] > 1e-9 * values[2] else 0.0
    return Wall(centre, total / length, direction, clearness, area)


def bank_of(head: HeadModel, key: str, *, regions: Mapping[str, IndexArray] | None = None) -> IndexArray:
    """Return the vertices of a region that face its counterpart across the central sulcus.

    M1 hand faces S1 hand. The whole region is returned for legs, which lie on the paracentral lobule: the central
    sulcus ends there, M1 and S1 follow each other on the crown and the medial wall, and what faces S1 is a fold of
    another sulcus; and where a head has no counterpart.

    Parameters
    ----------
    head : HeadModel
        The head.
    key : str
        A region, for example ``"m1-hand-left"``.
    regions : mapping of str to ndarray of int, optional
        Regions of the head's cortex; by default its own.

    Returns
    -------
    ndarray of int, shape (n,)
    """
    known = head.regions if regions is None else regions
    region = np.asarray(known[key], dtype=np.int64)
    other = known.get(_counterpart(key))
    if other is None or "-leg-" in key:
        return region
    areas = head.cortex.vertex_areas
    across = np.average(head.cortex.vertices[other], axis=0, weights=areas[other]) - np.average(
        head.cortex.vertices[region], axis=0, weights=areas[region]
    )
    facing = region[head.cortex.vertex_normals[region] @ across > 0.0]
    return facing if len(facing) else region


def angle_across(direction: npt.ArrayLike, normal: npt.ArrayLike, axis: npt.ArrayLike) -> tuple[float, bool]:
    """Return the angle between a direction and a wall's normal, seen along an axis.

    Parameters
    ----------
    direction : array_like, shape (3,)
        For example that of the induced current, at right angles to `axis`.
    normal : array_like, shape (3,)
        Out of the brain, see `Wall`.
    axis : array_like, shape (3,)
        For example the coil's: only the normal's part across it counts.

    Returns
    -------
    angle : float
        0 to 90 degrees, whichever way the direction points.
    into : bool
        Whether the direction points into the cortex, against the normal.

    Raises
    ------
    ValueError
        If one of them is zero, or the normal is along the axis.

    Examples
    --------
    >>> angle_across((1, 0, 0), (-1, 0, 3), (0, 0, 1))
    (0.0, True)
    """
    along, out, seen = (
        arrays.unit_vector(vector, name)
        for vector, name in ((direction, "direction"), (normal, "normal"), (axis, "axis"))
    )
    flat = out - (out @ seen) * seen
    length = float(np.linalg.norm(flat))
    if length < 1e-6:
        raise ValueError(f"normal must not be along the axis; got {out.tolist()}. No angle is defined there.")
    cosine = float(along @ flat) / length
    return float(np.degrees(np.arccos(min(abs(cosine), 1.0)))), cosine < 0.0


def _counterpart(key: str) -> str:
    """Return the region across the central sulcus, or nothing."""
    if key.startswith("m1-"):
        return "s1-" + key.removeprefix("m1-")
    return "m1-" + key.removeprefix("s1-") if key.startswith("s1-") else ""


def _mask(vertices: npt.ArrayLike, count: int) -> npt.NDArray[np.bool_]:
    rows = np.asarray(vertices)
    if rows.ndim != 1 or not np.issubdtype(rows.dtype, np.integer) or (rows.size and not 0 <= rows.min() <= rows.max()):
        raise ValueError(f"vertices must be a list of vertex indices; got {rows.dtype} of shape {rows.shape}.")
    if rows.size and rows.max() >= count:
        raise ValueError(f"vertices must index the cortex, 0 to {count - 1}; got {int(rows.max())}.")
    mask = np.zeros(count, dtype=np.bool_)
    mask[rows] = True
    return mask
