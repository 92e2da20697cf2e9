"""Undo crossings of a surface with itself: smooth there and nowhere else, and give back what was not needed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from meshes.arrays import FloatArray
from meshes.checks import crossing_pairs
from meshes.midsurface import neighbour_mean
from meshes.repairing.closing import cut_and_filled, turned_outwards
from meshes.repairing.draft import Draft
from meshes.surface import Surface

__all__ = ["untangled"]

IndexArray = npt.NDArray[np.int64]

# Rounds of smoothing before the patch around a crossing grows by a ring of triangles.
_PATIENCE = 15
# Halvings of the way back, and how much of the way is kept beyond the last one that crosses.
_HALVINGS = 5
_MARGIN = 0.3


def untangled(draft: Draft, *, max_move: float, longest: int, steps: int = 60) -> Draft:
    """Return the surface without crossings of its triangles, as far as that can be done.

    Parameters
    ----------
    draft : Draft
        Closed; turned the same way.
    max_move : float
        No vertex goes farther than this from where it was at first (mm).
    longest : int
        Most edges of a hole that is filled where smoothing does not help.
    steps : int, optional
        Most rounds of smoothing.

    Notes
    -----
    Each round moves the vertices of crossing triangles half-way to the mean of their neighbours; every 15 rounds the
    patch grows by a ring. Then each patch goes back towards where it was, by halving, as far as nothing crosses; 30 %
    of what is left of the way is kept, so that the walls do not stay in contact. Where smoothing does not help, the
    crossing triangles and those around are cut out and the hole is filled.
    """
    before = crossing_triangles(draft.surface)
    if not len(before):
        return draft
    smoothed = _smoothed(draft, max_move, steps)
    if not len(crossing_triangles(smoothed.surface)):
        result = _given_back(draft, smoothed)
        note = f"smoothed {len(before)} crossing triangles away, moving {_count(draft, result)} vertices"
        return turned_outwards(result.noted(note))
    current = smoothed
    for _ in range(3):
        bad = crossing_triangles(current.surface)
        if not len(bad):
            break
        current = _smoothed(cut_and_filled(current, bad, longest=longest), max_move, steps)
    left = len(crossing_triangles(current.surface))
    if not left and current.surface.is_closed:
        return turned_outwards(current.noted(f"cut {len(before)} crossing triangles out and filled the holes"))
    # What is still crossing is better closed than cut.
    left = len(crossing_triangles(smoothed.surface))
    return smoothed.noted(f"smoothed {len(before)} crossing triangles; {left} are left")


def crossing_triangles(surface: Surface) -> IndexArray:
    """Return the triangles of a surface that cross others of it."""
    if not len(surface.triangles):
        return np.zeros(0, dtype=np.int64)
    return np.unique(np.concatenate(crossing_pairs([surface])))


def _count(before: Draft, after: Draft) -> int:
    return int((before.surface.vertices != after.surface.vertices).any(axis=1).sum())


def _smoothed(draft: Draft, max_move: float, steps: int) -> Draft:
    """Move the crossing triangles' vertices towards their neighbours' mean until nothing crosses."""
    mean = neighbour_mean(draft.surface)
    for step in range(steps):
        bad = crossing_triangles(draft.surface)
        if not len(bad):
            break
        touched = np.zeros(len(draft.surface.vertices), dtype=np.bool_)
        touched[draft.surface.triangles[bad]] = True
        for _ in range(step // _PATIENCE):
            touched |= mean @ touched.astype(float) > 0.0
        vertices = draft.surface.vertices.copy()
        vertices[touched] = 0.5 * vertices[touched] + 0.5 * (mean[np.flatnonzero(touched)] @ vertices)
        draft = draft.with_vertices(vertices, max_move)
    return draft


def _given_back(before: Draft, after: Draft) -> Draft:
    """Return `after` with each patch of moved vertices as near to `before` as it can be without crossing."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    way = after.surface.vertices - before.surface.vertices
    moved = (way != 0.0).any(axis=1)
    edges = np.concatenate([before.surface.triangles[:, :2], before.surface.triangles[:, 1:]])
    edges = edges[moved[edges].all(axis=1)]
    count = len(moved)
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    patch = np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)
    low, high = np.zeros(patch.max() + 1), np.ones(patch.max() + 1)

    def placed(share: FloatArray) -> Draft:
        vertices = before.surface.vertices + share[patch][:, None] * way
        return Draft(Surface(vertices, before.surface.triangles, before.surface.name), before.start, before.notes)

    def crossing(share: FloatArray) -> npt.NDArray[np.bool_]:
        found = np.zeros(len(share), dtype=np.bool_)
        bad = crossing_triangles(placed(share).surface)
        found[patch[np.unique(before.surface.triangles[bad])]] = True
        return found

    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        bad = crossing(middle)
        low, high = np.where(bad, middle, low), np.where(bad, high, middle)
    share = high + _MARGIN * (1.0 - high)
    while (bad := crossing(share) & (share < 1.0)).any():
        share = np.where(bad, 1.0, share)
    return after if crossing(share).any() else placed(share)
