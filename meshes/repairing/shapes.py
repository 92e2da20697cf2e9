"""Mend thin triangles: flips and collapses first, then sliding of corners."""

from __future__ import annotations

import numpy as np

from meshes.measures import aspects
from meshes.repairing.draft import Draft
from meshes.repairing.untangling import crossing_triangles
from meshes.surface import Surface

__all__ = ["rounded"]


def rounded(draft: Draft, *, aspect: float, max_move: float) -> Draft:
    """Return the surface with triangles of longest edge over shortest height below a limit, as far as can be done.

    Parameters
    ----------
    draft : Draft
        Closed.
    aspect : float
        The limit.
    max_move : float
        No vertex goes farther than this from where it was at first (mm).
    """
    from meshes.recipes.triangle_shape import round_thin
    from meshes.recipes.untangle import mend_shapes

    before = int((aspects(draft.surface) > aspect).sum())
    if not before or not draft.surface.is_closed:
        return draft
    crossing = len(crossing_triangles(draft.surface))
    result = _followed(draft, mend_shapes(draft.surface, limit=aspect))
    if (aspects(result.surface) > aspect).any():
        slid = round_thin(result.surface, limit=aspect)
        result = result.with_vertices(slid.vertices, max_move)
    allowed = not (result.moved > max_move).any() and len(crossing_triangles(result.surface)) <= crossing
    left = int((aspects(result.surface) > aspect).sum())
    if not allowed or left >= before or not result.surface.is_closed:
        return draft
    dropped = len(draft.surface.triangles) - len(result.surface.triangles)
    note = f"mended {before - left} of {before} triangles with an aspect above {aspect:g}"
    return result.noted(note + (f", {dropped} triangles fewer" if dropped else ""))


def _followed(draft: Draft, surface: Surface) -> Draft:
    """Return the draft of a surface made from another one's vertices, some moved and some dropped."""
    from scipy.spatial import KDTree

    # A vertex that was moved came from the nearest one.
    _, index = KDTree(draft.surface.vertices).query(surface.vertices)
    return Draft(surface, draft.start[np.asarray(index)], draft.notes)
