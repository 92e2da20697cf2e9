"""Take the cortex out of a lesion, and tell what it costs the named regions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from meshes.arrays import FloatArray
from meshes.checks import winding_numbers
from meshes.head import HeadModel, IndexArray
from meshes.surface import Surface

__all__ = ["Cortex", "without_cortex"]


class Cortex(NamedTuple):
    """What is left of a head's cortex.

    Attributes
    ----------
    surface : Surface
        The triangles none of whose corners lies in the lesion or too near to it.
    regions : dict of str to ndarray
        Vertices of the named regions on it; a region of which nothing is left is missing.
    targets : dict of str to ndarray
        Points to aim at, without those that lie in the lesion or too near to it.
    losses : dict of str to float
        Share of the area that each region lost, of those that lost any.
    """

    surface: Surface
    regions: dict[str, IndexArray]
    targets: dict[str, FloatArray]
    losses: dict[str, float]


def without_cortex(head: HeadModel, lesion: Surface, wall: Surface, margin: float) -> Cortex:
    """Return a head's cortex without what a lesion takes.

    Parameters
    ----------
    head : HeadModel
        The head before.
    lesion : Surface
        Closed: what is inside is lost.
    wall : Surface
        The part of it that lies in the brain: what is nearer to it than the margin is lost.
    margin : float
        mm.

    Returns
    -------
    Cortex

    Raises
    ------
    ValueError
        If nothing is left.
    """
    cortex = head.cortex
    lost = _within(cortex.vertices, lesion, wall, margin)
    rows = ~lost[cortex.triangles].any(axis=1)
    if not rows.any():
        raise ValueError(
            f"lesion must leave some cortex; got one of {lesion.volume / 1000.0:.0f} cm3 that takes all "
            f"{len(cortex.vertices)} vertices."
        )
    used, triangles = np.unique(cortex.triangles[rows], return_inverse=True)
    number = np.full(len(cortex.vertices), -1)
    number[used] = np.arange(len(used))
    areas = cortex.vertex_areas
    regions, losses = {}, {}
    for name, indices in head.regions.items():
        left = number[indices] >= 0
        if left.any():
            regions[name] = number[indices][left]
        if not left.all():
            losses[name] = float(areas[indices[~left]].sum() / areas[indices].sum())
    points = np.array(list(head.targets.values())).reshape(-1, 3)
    inside = _within(points, lesion, wall, margin)
    targets = {name: head.targets[name] for name, bad in zip(head.targets, inside, strict=True) if not bad}
    return Cortex(
        Surface(cortex.vertices[used], triangles.reshape(-1, 3).astype(np.int32), cortex.name),
        regions,
        {name: point for name, point in targets.items() if name in regions},
        losses,
    )


def _within(points: FloatArray, lesion: Surface, wall: Surface, margin: float) -> npt.NDArray[np.bool_]:
    """Return which points lie in the lesion, or nearer to its wall than the margin."""
    import igl

    if not len(points):
        return np.zeros(0, dtype=np.bool_)
    found: npt.NDArray[np.bool_] = winding_numbers(points, lesion) > 0.5
    if len(wall.triangles):
        squared = igl.point_mesh_squared_distance(points, wall.vertices, wall.triangles.astype(np.int64))[0]
        found |= squared < margin**2
    return found
