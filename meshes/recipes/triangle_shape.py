"""Make thin triangles rounder by moving their corners, while every vertex keeps its number."""

import numpy as np

from meshes.checks import crossing_pairs
from meshes.measures import aspects
from meshes.midsurface import neighbour_mean
from meshes.surface import Surface

__all__ = ["round_thin"]


def round_thin(surface: Surface, *, limit: float = 9.0, steps: int = 200, along: bool = True) -> Surface:
    """Move the corners of thin triangles towards their neighbours' mean.

    Parameters
    ----------
    surface : Surface
        Closed.
    limit : float, optional
        Largest aspect aimed at: longest edge over shortest height.
    steps : int, optional
        At most so many rounds, each by a fifth of the way.
    along : bool, optional
        Whether vertices move along the surface only.

    Returns
    -------
    Surface
        The same triangles on new vertices, crossing itself nowhere that `surface` does not; a triangle that cannot be
        mended without a crossing stays as it is.

    Notes
    -----
    A vertex whose move makes a triangle cross another one goes back to where it was, and stays there.
    """
    mean = neighbour_mean(surface)
    frozen = np.zeros(len(surface.vertices), dtype=np.bool_)
    before = _crossing(surface)
    for _ in range(steps):
        thin = np.unique(surface.triangles[aspects(surface) > limit])
        touched = thin[~frozen[thin]]
        if not len(touched):
            break
        shift = 0.2 * (mean[touched] @ surface.vertices - surface.vertices[touched])
        if along:
            normal = surface.vertex_normals[touched]
            shift -= np.einsum("ij,ij->i", shift, normal)[:, None] * normal
        vertices = surface.vertices.copy()
        vertices[touched] += shift
        moved = Surface(vertices, surface.triangles, surface.name)
        new = np.setdiff1d(_crossing(moved), before)
        if len(new):
            bad = np.intersect1d(touched, surface.triangles[new])
            frozen[bad] = True
            vertices[touched] = surface.vertices[touched]
            kept = touched[~frozen[touched]]
            vertices[kept] += shift[np.isin(touched, kept)]
            moved = Surface(vertices, surface.triangles, surface.name)
            if len(np.setdiff1d(_crossing(moved), before)):
                frozen[touched] = True
                continue
        surface = moved
    return surface


def _crossing(surface: Surface) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return which triangles cross another one of the surface."""
    return np.unique(np.concatenate(crossing_pairs([surface])))
