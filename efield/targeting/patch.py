"""Cut the cortex around a target into points and weights that depend on the cortex' shape, not on its mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meshes import HeadModel, Surface

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]

_POINT = 0.8
"""Greatest edge of a part that one point stands for, over the radius: 4 mm for a radius of 5 mm, some 60 points.

Parts of a fifth of that edge change the mean field at three targets of the default head by less than 0.4 %.
"""

_PIECE = 0.14
"""Greatest edge of the pieces that are in or out as a whole, over the radius: 0.7 mm for a radius of 5 mm."""

_SMALLEST = 0.1
"""Pieces need not be smaller (mm): their number grows as the inverse square."""


@dataclass(frozen=True, eq=False)
class Patch:
    """The points over which a target's field is averaged.

    Attributes
    ----------
    points : ndarray, shape (n, 3)
        Points (mm).
    weights : ndarray, shape (n,)
        Share of the cortical area; they sum to one.
    indices : ndarray, shape (k,)
        Vertices of the head's cortex that lie on the patch, for drawing; none if the mesh is too coarse.
    normal : ndarray, shape (3,), or None
        Mean normal of the cortex, out of the brain; None for a free point.
    area : float
        Area of the cortex that counts (mm^2); 0 for a free point.
    dropped : float
        Share of the area left out because flat triangles leave the grey matter there.
    """

    points: F64
    weights: F64
    indices: I64
    normal: F64 | None
    area: float = 0.0
    dropped: float = 0.0

    @property
    def centre(self) -> F64:
        """Weighted mean of the points (mm)."""
        mean: F64 = self.weights @ self.points
        return mean

    def mean(self, vectors: F64) -> F64:
        """Return the weighted mean of one vector per point."""
        total: F64 = self.weights @ vectors
        return total


@dataclass(frozen=True, eq=False)
class Pieces:
    """Small pieces of some triangles of a surface.

    Attributes
    ----------
    points : ndarray, shape (n, 3)
        Their centroids (mm).
    areas : ndarray, shape (n,)
        mm^2.
    part : ndarray, shape (n,)
        Number of the part of a triangle that each belongs to: the pieces of one part lie side by side.
    triangle : ndarray, shape (n,)
        Triangle of the surface.
    vertex : ndarray, shape (n,)
        Nearest of the triangle's corners by barycentric coordinates, so that each corner gets a third of the area.
    shares : ndarray, shape (n, 3)
        Barycentric coordinates of the centroids.
    """

    points: F64
    areas: F64
    part: I64
    triangle: I64
    vertex: I64
    shares: F64


def cut(surface: Surface, triangles: I64, *, piece: float, part: float | None = None) -> Pieces:
    """Cut triangles into similar ones, in two steps: into parts, and these into pieces.

    Parameters
    ----------
    surface : Surface
        The surface.
    triangles : ndarray, shape (k,)
        Which triangles to cut.
    piece, part : float, optional
        Greatest edge of a piece and of a part (mm); by default the parts are the pieces.

    Returns
    -------
    Pieces
    """
    corners = surface.corners[triangles]
    longest = np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2).max(axis=1)
    coarse = np.maximum(np.ceil(longest / (piece if part is None else part)), 1).astype(np.int64)
    fine = np.maximum(np.ceil(longest / (coarse * piece)), 1).astype(np.int64)
    none = np.empty(0, dtype=np.int64)
    found: list[tuple[F64, F64, I64, I64]] = [(np.empty((0, 3)), np.empty(0), none, none)]
    first = 0
    for k, m in sorted(set(zip(coarse.tolist(), fine.tolist(), strict=True))):
        rows = np.flatnonzero((coarse == k) & (fine == m))
        inner = np.einsum("sc,pci->psi", _similar(m).mean(axis=1), _similar(k))
        n_parts, n_pieces = inner.shape[:2]
        shares = np.tile(inner.reshape(-1, 3), (len(rows), 1))
        part_of = first + np.repeat(np.arange(len(rows) * n_parts), n_pieces)
        first += len(rows) * n_parts
        of = np.repeat(triangles[rows], n_parts * n_pieces)
        found.append((shares, surface.areas[of] / (n_parts * n_pieces), part_of, of))
    shares, areas, part_of, of = (np.concatenate(column) for column in zip(*found, strict=True))
    points = np.einsum("nc,nci->ni", shares, surface.corners[of])
    vertex = surface.triangles[of, shares.argmax(axis=1)].astype(np.int64)
    return Pieces(np.ascontiguousarray(points), areas, part_of, of, vertex, shares)


def patch_around(head: HeadModel, position: F64, radius: float, region: I64 | None) -> Patch | None:
    """Return the cortex within a distance of a point and joined to the nearest piece within it.

    Parameters
    ----------
    head : HeadModel
        The head.
    position : ndarray, shape (3,)
        Centre (mm).
    radius : float
        Distance (mm).
    region : ndarray of int, or None
        Vertices of the cortex that count, each with the third of its triangles that is nearest to it.

    Returns
    -------
    Patch or None
        None if there is no cortex within the distance.

    Notes
    -----
    Triangles are cut into pieces that are in or out as a whole, so that neither the area nor the mean depends on where
    vertices lie. The pieces of one part of a triangle then become one point, their common centroid: exact for fields
    that are linear over a part. On a coarse mesh the flat triangles of the cortex can leave the grey matter between
    their corners; points that lie in another tissue than every corner of their triangle are left out.
    """
    cortex = head.cortex
    wanted = np.zeros(len(cortex.vertices), dtype=np.bool_)
    wanted[slice(None) if region is None else region] = True
    near = np.linalg.norm(cortex.centroids - position, axis=1) <= radius + _extent(cortex)
    rows = np.flatnonzero(near & wanted[cortex.triangles].any(axis=1))
    pieces = cut(cortex, rows, piece=max(_PIECE * radius, _SMALLEST), part=max(_POINT * radius, _SMALLEST))
    distance = np.linalg.norm(pieces.points - position, axis=1)
    inside = wanted[pieces.vertex] & (distance <= radius)
    if not inside.any():
        return None
    start = pieces.triangle[np.where(inside, distance, np.inf).argmin()]
    joined = _joined(cortex, np.unique(pieces.triangle[inside]), int(start), position, radius, wanted)
    kept = np.flatnonzero(inside & joined[pieces.triangle])
    _, first, part = np.unique(pieces.part[kept], return_index=True, return_inverse=True)
    areas = np.bincount(part, pieces.areas[kept])
    moments = [np.bincount(part, pieces.areas[kept] * pieces.points[kept, axis]) for axis in range(3)]
    points = np.column_stack(moments) / areas[:, None]
    triangle = pieces.triangle[kept[first]]
    grey = _in_tissue_of_corners(head, points, triangle)
    if not grey.any():
        return None
    normal = areas[grey] @ cortex.normals[triangle[grey]]
    own = np.unique(cortex.triangles[triangle[grey]])
    own = own[wanted[own] & (np.linalg.norm(cortex.vertices[own] - position, axis=1) <= radius)]
    return Patch(
        points=np.ascontiguousarray(points[grey]),
        weights=areas[grey] / areas[grey].sum(),
        indices=own.astype(np.int64),
        # All around a closed surface there is no mean normal, only rounding.
        normal=normal / length if (length := float(np.linalg.norm(normal))) > 1e-6 * areas.sum() else None,
        area=float(areas[grey].sum()),
        dropped=float(areas[~grey].sum() / areas.sum()),
    )


def _similar(parts: int) -> F64:
    """Return a triangle cut into parts^2 similar ones: barycentric coordinates, shape (parts^2, 3 corners, 3)."""
    i, j = np.meshgrid(np.arange(parts), np.arange(parts), indexing="ij")
    upright, turned = i + j < parts, i + j < parts - 1
    at = np.stack([i, j], axis=2)
    up = at[upright][:, None] + np.array([[0, 0], [1, 0], [0, 1]])
    down = at[turned][:, None] + np.array([[1, 1], [0, 1], [1, 0]])
    first = np.concatenate([up, down])
    coordinates: F64 = np.concatenate([first, parts - first.sum(axis=2, keepdims=True)], axis=2) / parts
    return coordinates


def _extent(surface: Surface) -> float:
    """Return the greatest distance from a triangle's centroid to its corners (mm)."""
    return float(np.linalg.norm(surface.corners - surface.centroids[:, None], axis=2).max())


def _joined(surface: Surface, rows: I64, start: int, position: F64, radius: float, wanted: Mask) -> Mask:
    """Return which triangles hang together with `start`, by edges that come within the radius and count.

    The ball cuts a convex piece out of each triangle, so that two neighbours' pieces touch where it reaches their edge.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = np.stack([surface.triangles[rows], np.roll(surface.triangles[rows], -1, axis=1)], axis=2)
    ends = np.sort(ends.reshape(-1, 2), axis=1).astype(np.int64)
    a, b = surface.vertices[ends[:, 0]], surface.vertices[ends[:, 1]]
    along = np.clip(np.einsum("ij,ij->i", position - a, b - a) / np.einsum("ij,ij->i", b - a, b - a), 0.0, 1.0)
    reached = np.linalg.norm(a + along[:, None] * (b - a) - position, axis=1) <= radius
    used = np.flatnonzero(reached & wanted[ends].any(axis=1))
    # Triangles and edges are the nodes; each triangle is joined to its edges.
    edges, edge = np.unique(ends[used], axis=0, return_inverse=True)
    count = len(rows) + len(edges)
    graph = coo_array((np.ones(len(used)), (used // 3, len(rows) + edge.ravel())), shape=(count, count))
    _, label = connected_components(graph, directed=False)
    joined = np.zeros(len(surface.triangles), dtype=np.bool_)
    joined[rows] = label[: len(rows)] == label[int(np.searchsorted(rows, start))]
    return joined


def _in_tissue_of_corners(head: HeadModel, points: F64, triangle: I64) -> Mask:
    """Return which points lie in the same tissue as at least one corner of their triangle."""
    import igl  # here, because it takes a tenth of a second to load and most uses of the package do not need it

    corners = head.cortex.corners[triangle]
    asked = np.ascontiguousarray(np.concatenate([points[:, None], corners], axis=1).reshape(-1, 3))
    same = np.ones((len(points), 3), dtype=np.bool_)
    for surface in head.enclosures:
        winding = igl.fast_winding_number(surface.vertices, surface.triangles.astype(np.int64), asked)
        inside: Mask = np.asarray(winding, dtype=np.float64).reshape(-1, 4) > 0.5
        same &= np.asarray(inside[:, 1:] == inside[:, :1], dtype=np.bool_)
    return same[:, 0] | same[:, 1] | same[:, 2]
