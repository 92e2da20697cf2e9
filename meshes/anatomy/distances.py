"""Distances between the surfaces of a head: scalp to cortex, thickness of skull and CSF."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from meshes import arrays
from meshes.arrays import FloatArray
from meshes.head import HeadModel
from meshes.scalp import cast_rays, closest_points
from meshes.surface import Surface

__all__ = ["distance_map", "layer_crossings"]

Way = Literal["closest", "normal"]


def distance_map(
    head: HeadModel,
    source: str | Surface | npt.ArrayLike,
    target: str | Surface,
    *,
    along: Way = "closest",
    region: str | None = None,
) -> FloatArray:
    """Return how far each vertex of one surface of a head is from another surface.

    Parameters
    ----------
    head : HeadModel
        The head.
    source : str, Surface or array_like, shape (n, 3)
        From where: "scalp", "cortex", "pial" (all surfaces whose names begin with it), an interface's name, any
        surface, or points (mm).
    target : str or Surface
        To where, likewise.
    along : {"closest", "normal"}, optional
        To the closest point of the target, or along the line through the vertex that is normal to the source (its
        vertex normals; for points, the smoothed normal of the scalp over them), to where that first crosses the target,
        to either side. Thickness is least in the first way; the second is what an ultrasound probe would measure.
    region : str, optional
        Only the vertices of this region of the cortex; `source` must be "cortex" then.

    Returns
    -------
    ndarray, shape (n,)
        Distance (mm), positive; NaN where the normal does not meet the target.

    Raises
    ------
    ValueError
        If a name is unknown, or points are not finite.

    Examples
    --------
    >>> import meshes
    >>> head = meshes.sphere_head([90, 80], [0.33, 1.0], subdivisions=3)
    >>> bool(abs(distance_map(head, "scalp", "sphere-2") - 10).max() < 0.3)
    True
    """
    arrays.choice(along, "along", ("closest", "normal"))
    goal = _surface(head, target, "target")
    if isinstance(source, (str, Surface)):
        surface = _surface(head, source, "source")
        points, normals = surface.vertices, surface.vertex_normals
    else:
        points, normals = arrays.vectors(source, "source"), None
    if region is not None:
        if source != "cortex":
            raise ValueError(f'source must be "cortex" when a region of it is asked for; got {str(source)!r}.')
        rows = head.regions[arrays.choice(region, "region", tuple(head.regions))]
        points, normals = points[rows], head.cortex.vertex_normals[rows]
    if along == "closest":
        return closest_points(goal, points)[2]
    return _along_normals(points, _scalp_normals(head, points) if normals is None else normals, goal)


def layer_crossings(head: HeadModel, point: npt.ArrayLike) -> dict[str, FloatArray]:
    """Return how deep under the scalp each surface of a head lies on the line into it below a point.

    Parameters
    ----------
    head : HeadModel
        The head.
    point : array_like, shape (3,)
        On or near the scalp (mm); the line starts at the scalp point nearest to it and runs along the smoothed inward
        normal, as a coil's axis does (`meshes.scalp_point`).

    Returns
    -------
    dict of str to ndarray, shape (n_crossings,)
        Depths (mm) at which the line crosses each interface but the scalp, and the "cortex", in ascending order.
    """
    from meshes.scalp import scalp_point

    start, outward = scalp_point(head, point)
    surfaces = {interface.name: interface.surface for interface in head.interfaces[1:]} | {"cortex": head.cortex}
    return {name: cast_rays(surface, start[None], -outward[None])[0] for name, surface in surfaces.items()}


def _surface(head: HeadModel, name: str | Surface, argument: str) -> Surface:
    """Return a surface of a head by its name."""
    if isinstance(name, Surface):
        return name
    if name == "scalp":
        return head.scalp
    if name == "cortex":
        return head.cortex
    names = [interface.name for interface in head.interfaces]
    if name == "pial" and name not in names:
        from meshes.files.surfaces import joined  # here, because files imports much that others do not need

        pials = [interface.surface for interface in head.interfaces if interface.name.startswith("pial")]
        if pials:
            return joined(pials, "pial")
    return head.interface(arrays.choice(name, argument, ("scalp", "cortex", *names))).surface


def _scalp_normals(head: HeadModel, points: FloatArray) -> FloatArray:
    from meshes.scalp import scalp_points

    return scalp_points(head, points)[1]


def _along_normals(points: FloatArray, normals: FloatArray, target: Surface) -> FloatArray:
    """Return the distance to the nearest crossing of the lines through points along normals; NaN without one."""
    distances = np.full(len(points), np.nan)
    for sign in (1.0, -1.0):
        for row, depths in enumerate(cast_rays(target, points, sign * normals)):
            if len(depths):
                distances[row] = np.fmin(distances[row], depths[0])
    return distances
