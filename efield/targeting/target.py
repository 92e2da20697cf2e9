"""A place in the brain where the field is wanted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.targeting.patch import Patch, cut, patch_around
from meshes import HeadModel, Surface, arrays, closest_points
from meshes.checks import winding_numbers

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_PIECE = 1.5
"""Greatest edge of the pieces of cortex among which a named position is sought (mm)."""

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
        Cortex within this distance (mm), and joined to the nearest cortex within it, is averaged over, by area. Where
        no cortex is so near (a deep target), the field at `position` alone counts.
    name, side : str, optional
        For messages and files.
    region : array_like of int, optional
        Only these vertices of the head's cortex count, each with the third of its triangles that is nearest to it.

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
            The painted region counts, around the position of `named_position`: the one that the head brings along
            (`HeadModel.targets`), so that every resolution of a head has the same, or else found on this mesh; in
            either case the nearest point of the region's cortex.

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
        region = head.regions[key]
        centre = head.targets[key] if key in head.targets else named_position(head, key)
        sheet = Surface(head.cortex.vertices, head.cortex.triangles[_triangles_of(head.cortex, region)], key)
        centre = closest_points(sheet, centre[None])[0][0]
        return cls(
            position=centre,
            direction=None if direction is None else arrays.unit_vector(direction, "direction"),
            radius=radius,
            name=name,
            side=side,
            region=region,
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
        if self.region is not None and self.region.max(initial=-1) >= len(head.cortex.vertices):
            last = len(head.cortex.vertices) - 1
            raise ValueError(f"region must index the cortex of {head.name}, 0 to {last}; got {self.region.max()}.")
        patch = patch_around(head, self.position, self.radius, self.region)
        if patch is None:
            return Patch(self.position[None], np.ones(1), np.empty(0, dtype=np.int64), None)
        return patch


def _indices(region: ArrayLike) -> I64:
    values = np.asarray(region)
    if values.ndim != 1 or not np.issubdtype(values.dtype, np.integer) or (values < 0).any():
        raise ValueError(f"region must be a list of vertex indices; got {values.dtype} of shape {values.shape}.")
    return values.astype(np.int64)


def vertex_areas(surface: Surface) -> F64:
    """Return a third of the area of the triangles around each vertex (mm^2)."""
    thirds = np.repeat(surface.areas / 3.0, 3)
    return np.bincount(surface.triangles.ravel(), thirds, minlength=len(surface.vertices)).astype(np.float64)


def named_position(head: HeadModel, key: str) -> F64:
    """Return where in a region TMS acts: the middle of its half next to the scalp.

    Parameters
    ----------
    head : HeadModel
        A head with named regions.
    key : str
        A region, for example "m1-hand-left".

    Returns
    -------
    ndarray, shape (3,)
        mm: the piece of cortex whose mean distance to the others of that half, weighted with area, is least.

    Notes
    -----
    Of a hand or mouth region only the bank that faces its counterpart across the central sulcus counts (see
    `bank_of`), as the painted regions also wrap around the gyrus; the half next to the scalp is then the sulcus' lip.
    """
    bank = np.zeros(len(head.cortex.vertices), dtype=np.bool_)
    bank[bank_of(head, key)] = True
    pieces = cut(head.cortex, _triangles_of(head.cortex, np.flatnonzero(bank)), piece=_PIECE)
    own = np.flatnonzero(bank[pieces.vertex])
    depth = closest_points(head.scalp, pieces.points[own])[2]
    order = own[np.argsort(depth, kind="stable")]
    covered = np.cumsum(pieces.areas[order])
    lip = order[: 1 + np.searchsorted(covered, 0.5 * covered[-1])]
    points = pieces.points[lip]
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    middle: F64 = points[int(np.argmin(apart @ pieces.areas[lip]))]
    return middle


def bank_of(head: HeadModel, key: str) -> I64:
    """Return the vertices of a region that face its counterpart across the central sulcus.

    M1 hand faces S1 hand. The whole region is returned for legs, which lie on the paracentral lobule: the central
    sulcus ends there, M1 and S1 follow each other on the crown and the medial wall, and what faces S1 is a fold of
    another sulcus; and where a head has no counterpart.
    """
    region = np.asarray(head.regions[key], dtype=np.int64)
    other = head.regions.get(key.replace("m1-", "s1-") if key.startswith("m1-") else key.replace("s1-", "m1-"))
    if other is None or "-leg-" in key:
        return region
    areas = vertex_areas(head.cortex)
    across = np.average(head.cortex.vertices[other], axis=0, weights=areas[other]) - np.average(
        head.cortex.vertices[region], axis=0, weights=areas[region]
    )
    facing = region[head.cortex.vertex_normals[region] @ across > 0.0]
    return facing if len(facing) else region


def _triangles_of(surface: Surface, vertices: I64) -> I64:
    """Return the triangles that have a corner among some vertices."""
    mine = np.zeros(len(surface.vertices), dtype=np.bool_)
    mine[vertices] = True
    return np.flatnonzero(mine[surface.triangles].any(axis=1))


def _text(point: F64) -> str:
    return "(" + ", ".join(f"{value:.1f}" for value in point) + ")"
