"""A place in the brain where the field is wanted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meshes import HeadModel, Surface, arrays, closest_points
from meshes.checks import winding_numbers

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_NAMES = {
    "m1-hand": "primary motor cortex, hand",
    "m1-leg": "primary motor cortex, leg and foot",
    "m1-mouth": "primary motor cortex, mouth",
    "s1-hand": "primary somatosensory cortex, hand",
    "s1-leg": "primary somatosensory cortex, leg and foot",
    "s1-mouth": "primary somatosensory cortex, mouth",
}


def list_targets() -> dict[str, str]:
    """Return the names of targets and what they are; each exists on the left and on the right side."""
    return dict(_NAMES)


@dataclass(frozen=True, eq=False, kw_only=True)
class Target:
    """A patch of cortex over which the field is averaged.

    Parameters
    ----------
    position : array_like, shape (3,)
        Centre (mm, head space), inside the head.
    direction : array_like, shape (3,), optional
        Component of the field that is wanted, any length; by default its magnitude.
    radius : float, optional
        Cortex within this distance (mm), and joined to the nearest vertex within it, is averaged over. Where no
        cortex is so near (a deep target), the field at `position` alone counts.
    name, side : str, optional
        For messages and files.
    region : array_like of int, optional
        Only these vertices of the head's cortex count.

    Raises
    ------
    ValueError
        If a number is not finite, `direction` is zero, `radius` is not positive or `region` is no list of indices.
    """

    position: F64
    direction: F64 | None = None
    radius: float = 5.0
    name: str = "target"
    side: str = ""
    region: I64 | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "position", arrays.vector(self.position, "position"))
        if self.direction is not None:
            object.__setattr__(self, "direction", arrays.unit_vector(self.direction, "direction"))
        object.__setattr__(self, "radius", arrays.positive(self.radius, "radius"))
        if self.region is not None:
            object.__setattr__(self, "region", _indices(self.region))

    @classmethod
    def named(
        cls,
        name: str,
        head: HeadModel,
        *,
        side: str = "left",
        radius: float = 5.0,
        direction: ArrayLike | None = None,
    ) -> Target:
        """Return a named target of a head.

        Parameters
        ----------
        name : str
            For example "m1-hand"; see `list_targets`.
        head : HeadModel
            A head that comes with named regions.
        side : {"left", "right"}, optional
            Side of the brain.
        radius : float, optional
            See `Target` (mm).
        direction : array_like, shape (3,), optional
            See `Target`.

        Returns
        -------
        Target
            On the lip of the central sulcus, where TMS acts: of the region, only the bank that faces its counterpart
            across the sulcus (M1 hand faces S1 hand) counts, as the painted regions also wrap around the gyrus; the
            position is the vertex in the middle of that bank's half next to the scalp.

        Raises
        ------
        ValueError
            If the name or the side is unknown, or the head has no such region.
        """
        if not isinstance(head, HeadModel):
            raise TypeError(f"head must be a meshes.HeadModel; got {type(head).__name__}. Use meshes.load_head(name).")
        arrays.choice(name, "name", sorted(_NAMES))
        arrays.choice(side, "side", ["left", "right"])
        key = f"{name}-{side}"
        if key not in head.regions:
            known = ", ".join(sorted(head.regions)) or "none"
            raise ValueError(
                f"head must have the region {key!r}; got {head.name!r} with regions: {known}. "
                "Give a position instead: Target(position=...)."
            )
        bank = _bank(head, key)
        points = head.cortex.vertices[bank]
        areas = vertex_areas(head.cortex)[bank]
        depth = closest_points(head.scalp, points)[2]
        order = np.argsort(depth)
        covered = np.cumsum(areas[order])
        lip = order[covered <= 0.5 * covered[-1] + areas[order[0]]]
        distances = np.linalg.norm(points[lip, None] - points[None, lip], axis=2)
        centre = points[lip[int(np.argmin(distances @ areas[lip]))]]
        return cls(
            position=centre,
            direction=None if direction is None else arrays.unit_vector(direction, "direction"),
            radius=radius,
            name=name,
            side=side,
            region=bank,
        )

    def on(self, head: HeadModel) -> Patch:
        """Return the points and weights that stand for the target on a head.

        Raises
        ------
        ValueError
            If the position is not inside the scalp.
        """
        if winding_numbers(self.position[None], head.scalp)[0] < 0.5:
            raise ValueError(
                f"position must be inside the head; got {_text(self.position)} mm, which is outside the scalp. "
                "Positions are in the head's own space, millimetres, RAS."
            )
        cortex = head.cortex
        if self.region is not None and self.region.max(initial=-1) >= len(cortex.vertices):
            last = len(cortex.vertices) - 1
            raise ValueError(f"region must index the cortex of {head.name}, 0 to {last}; got {self.region.max()}.")
        distance = np.linalg.norm(cortex.vertices - self.position, axis=1)
        allowed = np.zeros(len(distance), dtype=bool)
        allowed[self.region if self.region is not None else slice(None)] = True
        inside = allowed & (distance <= self.radius)
        if not inside.any():
            none = np.empty(0, dtype=np.int64)
            return Patch(self.position[None], np.ones(1), none, None)
        nearest = int(np.where(inside, distance, np.inf).argmin())
        indices = _joined(cortex, inside, nearest)
        weights = vertex_areas(cortex)[indices]
        weights = weights / weights.sum()
        normal = weights @ cortex.vertex_normals[indices]
        return Patch(
            np.ascontiguousarray(cortex.vertices[indices]), weights, indices, normal / np.linalg.norm(normal)
        )


@dataclass(frozen=True, eq=False)
class Patch:
    """The points over which a target's field is averaged.

    Attributes
    ----------
    points : ndarray, shape (n, 3)
        Points (mm).
    weights : ndarray, shape (n,)
        Share of the cortical area; they sum to one.
    indices : ndarray, shape (n,)
        Vertices of the head's cortex; empty for a single free point.
    normal : ndarray, shape (3,), or None
        Mean normal of the cortex, out of the brain; None for a free point.
    """

    points: F64
    weights: F64
    indices: I64
    normal: F64 | None

    @property
    def centre(self) -> F64:
        """Weighted mean of the points (mm)."""
        mean: F64 = self.weights @ self.points
        return mean

    def mean(self, vectors: F64) -> F64:
        """Return the weighted mean of one vector per point."""
        total: F64 = self.weights @ vectors
        return total


def _indices(region: ArrayLike) -> I64:
    values = np.asarray(region)
    if values.ndim != 1 or not np.issubdtype(values.dtype, np.integer) or (values < 0).any():
        raise ValueError(f"region must be a list of vertex indices; got {values.dtype} of shape {values.shape}.")
    return values.astype(np.int64)


def vertex_areas(surface: Surface) -> F64:
    """Return a third of the area of the triangles around each vertex (mm^2)."""
    thirds = np.repeat(surface.areas / 3.0, 3)
    return np.bincount(surface.triangles.ravel(), thirds, minlength=len(surface.vertices)).astype(np.float64)


def _bank(head: HeadModel, key: str) -> I64:
    """Return the vertices of a region that face the other region across the central sulcus, if there is one."""
    region = np.asarray(head.regions[key], dtype=np.int64)
    other = head.regions.get(key.replace("m1-", "s1-") if key.startswith("m1-") else key.replace("s1-", "m1-"))
    if other is None:
        return region
    areas = vertex_areas(head.cortex)
    across = np.average(head.cortex.vertices[other], axis=0, weights=areas[other]) - np.average(
        head.cortex.vertices[region], axis=0, weights=areas[region]
    )
    facing = region[head.cortex.vertex_normals[region] @ across > 0.0]
    return facing if len(facing) else region


def _joined(surface: Surface, inside: NDArray[np.bool_], start: int) -> I64:
    """Return the vertices inside that are joined to `start` by edges inside."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = np.concatenate([surface.triangles[:, [0, 1]], surface.triangles[:, [1, 2]], surface.triangles[:, [2, 0]]])
    edges = edges[inside[edges].all(axis=1)]
    n = len(inside)
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(n, n))
    _, label = connected_components(graph, directed=False)
    return np.flatnonzero(inside & (label == label[start]))


def _text(point: F64) -> str:
    return "(" + ", ".join(f"{value:.1f}" for value in point) + ")"
