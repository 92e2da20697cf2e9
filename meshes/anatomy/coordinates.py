"""Find the cortex at coordinates of MNI152 space."""

from __future__ import annotations

import numpy.typing as npt

from meshes import arrays
from meshes.anatomy.labels import MniMap, sides_of
from meshes.arrays import FloatArray
from meshes.head import HeadModel
from meshes.scalp import closest_points
from meshes.surface import Surface

__all__ = ["cortex_at_mni", "map_of", "text_of"]

_DEEP = 8.0
"""A point that is farther from the cortex (mm) stays where it is."""

_MIDLINE = 2.0
"""A point that is nearer to the midline (mm, in MNI space) may be on either side."""


def cortex_at_mni(head: HeadModel, point: npt.ArrayLike, *, mni: MniMap | None = None) -> tuple[FloatArray, str]:
    """Return the place of the cortex at a point of MNI152 space.

    Parameters
    ----------
    head : HeadModel
        The head.
    point : array_like, shape (3,)
        MNI152 (mm).
    mni : MniMap, optional
        Map between the head and MNI152; by default `meshes.anatomy.mni.mni_transform`.

    Returns
    -------
    position : ndarray, shape (3,)
        On the cortex of the point's side (mm, head); the mapped point itself where that is farther than 8 mm.
    source : str
        What was done, in a sentence.

    Raises
    ------
    ValueError
        If the point is not finite, or there is no such map.
    """
    known = map_of(head) if mni is None else mni
    wanted = arrays.vector(point, "point")
    mapped = known.from_mni(wanted[None])[0]
    sheet = head.cortex
    if abs(wanted[0]) >= _MIDLINE:
        right = sides_of(sheet, known.to_mni(sheet.vertices)[:, 0])
        triangles = sheet.triangles[(right[sheet.triangles] == (wanted[0] > 0.0)).all(axis=1)]
        sheet = Surface(sheet.vertices, triangles, "cortex of one side")
    text = f"MNI {text_of(wanted)} mapped to the head ({known.source})"
    if not len(sheet.triangles):
        return mapped, f"{text}; no cortex on that side, left where it is"
    closest, _, distance = closest_points(sheet, mapped[None])
    if distance[0] > _DEEP:
        return mapped, f"{text}; {distance[0]:.1f} mm from the cortex of its side, left where it is"
    return closest[0], f"{text} and moved by {distance[0]:.1f} mm to the nearest cortex of its side"


def map_of(head: HeadModel) -> MniMap:
    """Return the map between a head and MNI152 space; raise `ValueError` if there is none."""
    from meshes.anatomy.mni import mni_transform  # here, because few heads need it

    return mni_transform(head)


def text_of(point: FloatArray) -> str:
    """Return a point in parentheses, for messages."""
    return "(" + ", ".join(f"{value:g}" for value in point) + ")"
