"""Close surfaces: merge seams, drop what is doubled, turn all triangles outwards, fill holes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from meshes.measures import edge_uses, inward_pieces, piece_of_triangle
from meshes.repairing.draft import Draft
from meshes.repairing.holes import filled
from meshes.surface import Surface

__all__ = ["closed", "cut_and_filled", "turned_outwards"]

IndexArray = npt.NDArray[np.int64]

# Open pieces with less than this share of the area are debris.
_DEBRIS = 0.01


def closed(draft: Draft, *, tolerance: float, longest: int) -> Draft:
    """Return the surface closed and turned outwards, as far as that can be done.

    Parameters
    ----------
    draft : Draft
        Any triangles.
    tolerance : float
        Vertices on open edges are one if they are not farther apart than this (mm).
    longest : int
        Holes of at most so many edges are filled.
    """
    draft = _without_doubles(_seamless(draft, tolerance))
    draft = _without_fins(_without_debris(draft))
    draft = _oriented(draft)
    if (edge_uses(draft.surface).uses == 1).any():
        draft, _ = filled(draft, longest=longest)
    return turned_outwards(draft)


def cut_and_filled(draft: Draft, bad: IndexArray, *, longest: int) -> Draft:
    """Return the surface without some triangles and those that share a vertex with them, and the holes filled."""
    touched = np.isin(draft.surface.triangles, draft.surface.triangles[bad]).any(axis=1)
    rest = _without_debris(draft.with_triangles(draft.surface.triangles[~touched]))
    return filled(rest, longest=longest)[0]


def _seamless(draft: Draft, tolerance: float) -> Draft:
    """Make vertices on open edges one that lie in one place."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import KDTree

    edges = edge_uses(draft.surface)
    rim = np.unique(edges.ends[edges.uses == 1])
    pairs = KDTree(draft.surface.vertices[rim]).query_pairs(tolerance, output_type="ndarray") if len(rim) else rim
    if not len(pairs):
        return draft
    ends = rim[pairs]
    count = len(draft.surface.vertices)
    graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(count, count))
    label = connected_components(graph, directed=False)[1]
    first = np.unique(label, return_index=True)[1]  # the first vertex of each place stands for all
    triangles = first[label][draft.surface.triangles]
    merged = count - len(first)
    return draft.with_triangles(triangles).noted(f"merged {merged} double vertices along seams")


def _without_doubles(draft: Draft) -> Draft:
    """Drop triangles with a vertex twice, all but one of those with the same vertices, and unused vertices."""
    triangles = draft.surface.triangles.astype(np.int64)
    kept = triangles[(triangles != np.roll(triangles, 1, axis=1)).all(axis=1)]
    rows = np.sort(np.unique(np.sort(kept, axis=1), axis=0, return_index=True)[1])
    spare = len(draft.surface.vertices) - len(np.unique(triangles))
    notes = []
    if len(rows) < len(triangles):
        notes.append(f"dropped {len(triangles) - len(rows)} double or collapsed triangles")
    if spare:
        notes.append(f"dropped {spare} vertices that no triangle uses")
    return draft.with_triangles(kept[rows]).noted(*notes) if notes else draft


def _without_fins(draft: Draft) -> Draft:
    """Drop triangles that stand on an edge of two others and end in the open; where sheets meet, cut them apart."""
    count = len(draft.surface.triangles)
    while True:
        edges = edge_uses(draft.surface)
        loose = (edges.uses == 1)[edges.of_triangle].any(axis=1) & (edges.uses > 2)[edges.of_triangle].any(axis=1)
        if not loose.any():
            break
        draft = draft.with_triangles(draft.surface.triangles[~loose])
    if len(draft.surface.triangles) < count:
        draft = draft.noted(f"dropped {count - len(draft.surface.triangles)} triangles that stand on the surface")
    crowded = (edges.uses > 2)[edges.of_triangle].any(axis=1)
    if not crowded.any():
        return draft
    rest = _without_debris(draft.with_triangles(draft.surface.triangles[~crowded]))
    return rest.noted(f"cut out {int(crowded.sum())} triangles at edges with more than two")


def _without_debris(draft: Draft) -> Draft:
    """Drop small open pieces."""
    piece = piece_of_triangle(draft.surface)
    n_pieces = int(piece.max(initial=-1)) + 1
    if n_pieces < 2:
        return draft
    edges = edge_uses(draft.surface)
    is_open = np.zeros(n_pieces, dtype=np.bool_)
    is_open[piece[(edges.uses == 1)[edges.of_triangle].any(axis=1)]] = True
    area = np.bincount(piece, weights=draft.surface.areas, minlength=n_pieces)
    count = np.bincount(piece, minlength=n_pieces)
    debris = is_open & ((area < _DEBRIS * area.max()) | (count < 4)) & (area < area.max())
    if not debris.any():
        return draft
    kept = draft.with_triangles(draft.surface.triangles[~debris[piece]])
    return kept.noted(f"dropped {int(debris.sum())} loose pieces of {int(count[debris].sum())} triangles")


def _oriented(draft: Draft) -> Draft:
    """Turn triangles so that neighbours are turned the same way, as most of their piece were."""
    edges = edge_uses(draft.surface)
    if ((edges.forward == 1) | (edges.uses != 2)).all():
        return draft
    import igl  # here, because it takes a tenth of a second to load

    faces = draft.surface.triangles.astype(np.int64)
    turned = np.asarray(igl.bfs_orient(faces)[0], dtype=np.int64)
    # Each of `turned` is the row of `faces` or its reverse; its first two corners tell which.
    same = np.array([(faces == np.roll(turned, k, axis=1)).all(axis=1) for k in range(3)]).any(axis=0)
    piece = piece_of_triangle(draft.surface)
    mostly = np.bincount(piece, weights=np.where(same, 1.0, -1.0)) >= 0.0
    flip = same != mostly[piece]
    count = int(flip.sum())
    return draft.with_triangles(np.where(flip[:, None], faces[:, ::-1], faces)).noted(f"turned {count} triangles round")


def turned_outwards(draft: Draft) -> Draft:
    """Turn pieces that are inside out, if the surface is closed."""
    if not draft.surface.is_closed:
        return draft
    piece = piece_of_triangle(draft.surface)
    inward = inward_pieces(draft.surface, piece)
    if not inward.any():
        return draft
    flip = inward[piece]
    triangles = np.where(flip[:, None], draft.surface.triangles[:, ::-1], draft.surface.triangles)
    surface = Surface(draft.surface.vertices, triangles, draft.surface.name)
    return Draft(surface, draft.start, draft.notes).noted(f"turned {int(inward.sum())} pieces outwards")
