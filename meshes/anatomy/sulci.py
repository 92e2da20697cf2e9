"""Follow a sulcus: the line along the fundus between two banks, and the central sulcus of a head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from meshes import arrays
from meshes.anatomy.labels import SIDES, label_vertices, list_regions
from meshes.arrays import FloatArray
from meshes.head import HeadModel
from meshes.scalp import closest_points
from meshes.surface import Surface

__all__ = ["Sulcus", "central_sulcus", "fundus_between"]

if TYPE_CHECKING:
    from scipy.sparse import csr_array

IndexArray = npt.NDArray[np.int64]

# The two banks, by the labels that lie along them; the first pair that a head has is taken. Area 3a, on the fundus, is
# left out: the line is sought between the banks. Painted or found regions stand at the end.
_BANKS = (
    (("desikan:precentral",), ("desikan:postcentral",)),
    (("mmp:4",), ("mmp:3b",)),
    (("juelich:4a", "juelich:4p"), ("juelich:3b",)),
    (("label:BA4a_exvivo", "label:BA4p_exvivo"), ("label:BA3b_exvivo",)),
    (("m1-leg", "m1-hand", "m1-mouth"), ("s1-leg", "s1-hand", "s1-mouth")),
)

_SPACING = 2.0
"""Distance of the points of a line (mm)."""

_SMOOTHED = 4.0
"""Standard deviation of the smoothing along a line (mm): a path over edges of 2 to 3 mm zigzags."""

_BAND = 15.0
"""The fundus is sought within this distance (mm, along the cortex) of the line that is equally far from both banks."""

_ACROSS = 20.0
"""From one bank to the other it may be this far along the cortex (mm); farther on, a border runs around the regions."""

_END = 4.0
"""The line ends where it first comes within this distance of either end of the border (mm)."""

_ASIDE = 6.0
"""The line may end this far (mm, along the cortex) from the border."""

_DEPTH = 2.0
"""Cortex that is this much deeper (mm) costs a path 1/e as much."""


@dataclass(frozen=True, eq=False)
class Sulcus:
    """The line along the fundus of a sulcus.

    Attributes
    ----------
    points : ndarray, shape (n, 3)
        On the cortex, from the end that is higher up to the other (mm); 2 mm apart.
    depths : ndarray, shape (n,)
        How deep the nearest vertex of the cortex lies (mm): for `central_sulcus`, from the scalp.
    """

    points: FloatArray
    depths: FloatArray

    @property
    def length(self) -> float:
        """Length of the line (mm)."""
        return float(np.linalg.norm(np.diff(self.points, axis=0), axis=1).sum())

    def at(self, point: npt.ArrayLike, *, span: float = 24.0) -> tuple[FloatArray, FloatArray]:
        """Return the line's point nearest to a given one, and the direction of the line there.

        Parameters
        ----------
        point : array_like, shape (3,)
            mm.
        span : float, optional
            Length of the line over which the direction is taken (mm).

        Returns
        -------
        nearest : ndarray, shape (3,)
            mm.
        direction : ndarray, shape (3,)
            Principal axis of the points within half of `span` along the line, towards the line's end; a unit vector.
        """
        wanted = arrays.vector(point, "point")
        half = 0.5 * arrays.positive(span, "span")
        nearest = int(np.linalg.norm(self.points - wanted, axis=1).argmin())
        along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(self.points, axis=0), axis=1))])
        near = np.flatnonzero(np.abs(along - along[nearest]) <= max(half, 1.5 * _SPACING))
        part = self.points[near]
        axis = np.linalg.svd(part - part.mean(axis=0))[2][0]
        towards = np.sign(axis @ (part[-1] - part[0])) or 1.0
        return self.points[nearest], np.ascontiguousarray(towards * axis)


def central_sulcus(head: HeadModel, *, side: str = "left", regions: Mapping[str, IndexArray] | None = None) -> Sulcus:
    """Return the fundus of a head's central sulcus.

    Parameters
    ----------
    head : HeadModel
        A head whose regions tell the precentral from the postcentral bank: Desikan-Killiany, HCP-MMP or Juelich labels,
        FreeSurfer's Brodmann labels, or M1 and S1 of leg, hand and mouth.
    side : {"left", "right"}, optional
        Side of the brain.
    regions : mapping of str to ndarray of int, optional
        Regions of its cortex; by default its own. See `meshes.anatomy.labels.transfer_regions` for heads without.

    Returns
    -------
    Sulcus
        From the midline down, as far as both banks are labelled.

    Raises
    ------
    ValueError
        If the side is unknown or the head has no such regions.

    Notes
    -----
    See `fundus_between`; depth is the distance from the scalp.
    """
    arrays.choice(side, "side", SIDES)
    known = head.regions if regions is None else regions
    for labels in _BANKS:
        first, second = (label_vertices(known, names, side) for names in labels)
        if len(first) and len(second):
            depth = closest_points(head.scalp, head.cortex.vertices)[2]
            return fundus_between(head.cortex, first, second, depth)
    raise ValueError(
        f"regions must tell both banks of the central sulcus on the {side}, such as desikan:precentral-{side} and "
        f"desikan:postcentral-{side}; got {list_regions(known)}. Carry them over from another head with "
        "meshes.anatomy.labels.transfer_regions."
    )


def fundus_between(cortex: Surface, first: npt.ArrayLike, second: npt.ArrayLike, depth: npt.ArrayLike) -> Sulcus:
    """Return the deepest line between two regions on either bank of a sulcus.

    Parameters
    ----------
    cortex : Surface
        The cortex.
    first, second : array_like of int
        Its vertices on one bank and on the other.
    depth : array_like, shape (n_vertices,)
        How deep each vertex lies (mm), for example under the scalp.

    Returns
    -------
    Sulcus
        From its end that is higher up (in z) to the other.

    Raises
    ------
    ValueError
        If the regions do not lie opposite each other on one piece of cortex.

    Notes
    -----
    The cortex is shared out between the regions by distance along its edges; the border, as far as it runs between them
    and not around them, gives the two ends. From one to the other leads the path along edges of least cost: length
    times exp(-depth / 2 mm), within 15 mm of the border. The path is smoothed and put back on the cortex.
    """
    graph = _edges(cortex)
    deep = np.asarray(depth, dtype=np.float64)
    if deep.shape != (len(cortex.vertices),):
        raise ValueError(f"depth must be one number per vertex, {len(cortex.vertices)}; got shape {deep.shape}.")
    border = _border(cortex, graph, np.unique(np.asarray(first)), np.unique(np.asarray(second)))
    path = _deepest_path(cortex, graph, border, deep)
    line, triangle, _ = closest_points(cortex, _resampled(cortex.vertices[path]))
    corner = np.linalg.norm(cortex.corners[triangle] - line[:, None], axis=2).argmin(axis=1)
    depths = deep[cortex.triangles[triangle, corner]]
    downwards = slice(None, None, 1 if line[0, 2] >= line[-1, 2] else -1)
    return Sulcus(np.ascontiguousarray(line[downwards]), np.ascontiguousarray(depths[downwards]))


def _edges(cortex: Surface) -> csr_array:
    """Return the lengths of the edges between vertices (mm) as a symmetric sparse matrix."""
    from scipy.sparse import coo_array

    start = cortex.triangles.ravel().astype(np.int64)
    end = np.roll(cortex.triangles, -1, axis=1).ravel().astype(np.int64)
    pairs = np.unique(np.sort(np.column_stack([start, end]), axis=1), axis=0)
    length = np.linalg.norm(cortex.vertices[pairs[:, 0]] - cortex.vertices[pairs[:, 1]], axis=1)
    count = len(cortex.vertices)
    rows, columns = np.concatenate([pairs, pairs[:, ::-1]]).T
    return coo_array((np.tile(length, 2), (rows, columns)), shape=(count, count)).tocsr()


def _border(cortex: Surface, graph: csr_array, first: IndexArray, second: IndexArray) -> IndexArray:
    """Return the vertices along the border between what is nearer to either region, where it runs between them."""
    from scipy.sparse.csgraph import dijkstra

    if not (len(first) and len(second)):
        raise ValueError("first and second must be vertices on either bank; got none.")
    to_first, to_second = (dijkstra(graph, indices=rows, min_only=True, limit=_ACROSS) for rows in (first, second))
    across = to_first + to_second
    nearer = to_first < to_second
    corners = nearer[cortex.triangles].sum(axis=1)
    mixed = (corners > 0) & (corners < 3) & (across[cortex.triangles] <= _ACROSS).all(axis=1)
    border = np.unique(cortex.triangles[mixed]).astype(np.int64)
    if len(border) < 2:
        raise ValueError(
            f"first and second must lie opposite each other, within {_ACROSS:g} mm along the cortex; got two regions "
            "without a common border."
        )
    return border


def _deepest_path(cortex: Surface, graph: csr_array, border: IndexArray, depth: FloatArray) -> IndexArray:
    """Return the vertices of the deepest path near a border, from one of its ends to the other."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components, dijkstra

    away = dijkstra(graph, indices=border, min_only=True, limit=_BAND)
    within = np.isfinite(away)
    edges = graph.tocoo()
    kept = within[edges.row] & within[edges.col]
    rows, columns, length = edges.row[kept], edges.col[kept], edges.data[kept]
    # A border may have stray pieces, where the regions touch elsewhere: the greater part of it counts.
    _, piece = connected_components(csr_array((length, (rows, columns)), shape=graph.shape), directed=False)
    border = border[piece[border] == np.bincount(piece[border]).argmax()]
    points = cortex.vertices[border]
    along = (cortex.vertices - points.mean(axis=0)) @ np.linalg.svd(points - points.mean(axis=0), full_matrices=False)[
        2
    ][0]
    low, high = along[border].min(), along[border].max()
    beside = (away <= _ASIDE) & (piece == piece[border[0]])
    upper = np.flatnonzero(beside & (along >= low) & (along <= low + _END))
    lower = np.flatnonzero(beside & (along <= high) & (along >= high - _END))
    shallow = depth[within].max() - 0.5 * (depth[rows] + depth[columns])
    cost = csr_array((length * np.exp(shallow / _DEPTH), (rows, columns)), shape=graph.shape)
    total, before, _ = dijkstra(cost, indices=upper, min_only=True, return_predecessors=True)
    path = [int(lower[total[lower].argmin()])]
    while before[path[-1]] >= 0:
        path.append(int(before[path[-1]]))
    return np.array(path, dtype=np.int64)


def _resampled(line: FloatArray) -> FloatArray:
    """Return a line smoothed along its length, at even steps of about `_SPACING`; its ends stay."""
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    fine = np.linspace(0.0, along[-1], max(int(along[-1] / 0.5), 1) + 1)
    points = np.column_stack([np.interp(fine, along, line[:, axis]) for axis in range(3)])
    # Mirrored through its ends, so that these stay and the line does not shrink.
    extended = np.concatenate([2.0 * points[0] - points[:0:-1], points, 2.0 * points[-1] - points[-2::-1]])
    step = fine[1] - fine[0]
    reach = np.arange(-int(3.0 * _SMOOTHED / step) - 1, int(3.0 * _SMOOTHED / step) + 2)
    reach = reach[np.abs(reach) < len(points)]
    weights = np.exp(-0.5 * (reach * step / _SMOOTHED) ** 2)
    rows = len(points) - 1 + np.arange(len(points))
    smooth = np.einsum("k,nkj->nj", weights / weights.sum(), extended[rows[:, None] + reach])
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(smooth, axis=0), axis=1))])
    even = np.linspace(0.0, along[-1], max(round(along[-1] / _SPACING), 1) + 1)
    return np.column_stack([np.interp(even, along, smooth[:, axis]) for axis in range(3)])
