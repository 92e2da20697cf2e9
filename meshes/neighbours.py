"""Measure how surfaces lie to each other: which encloses which, where they cross, how near they come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meshes.arrays import FloatArray
from meshes.checks import crossing_pairs, winding_numbers
from meshes.measures import Place, Spot, place_of
from meshes.surface import Surface

__all__ = ["PairMeasures", "crossing_counts", "distances", "measure_pair", "neighbours", "nesting"]

# Boxes farther apart than this (mm): surfaces side by side are not neighbours.
_REACH = 10.0


def crossing_counts(surfaces: Sequence[Surface]) -> tuple[list[Spot], dict[tuple[int, int], Spot]]:
    """Return the crossing triangles of each surface with itself, and of each two: pairs of triangles.

    Parameters
    ----------
    surfaces : sequence of Surface
        All are tested together.

    Returns
    -------
    own : list of Spot
        Triangles of each surface that cross others of it.
    mutual : dict of (int, int) to Spot
        Pairs of triangles that cross, by the two surfaces' numbers, the lower first; none for those that do not.
    """
    if not any(len(surface.triangles) for surface in surfaces):
        return [Spot(0) for _ in surfaces], {}
    first, second = crossing_pairs(surfaces)
    centroids = np.concatenate([surface.centroids for surface in surfaces])
    bounds = np.cumsum([len(surface.triangles) for surface in surfaces])
    owners = np.stack([np.searchsorted(bounds, side, side="right") for side in (first, second)], axis=1)
    own = []
    for k in range(len(surfaces)):
        mine = (owners == k).all(axis=1)
        count = len(np.unique(np.concatenate([first[mine], second[mine]])))
        own.append(Spot(count, place_of(centroids[first[mine][0]]) if count else None))
    mutual = {}
    for i, j in np.unique(owners[owners[:, 0] != owners[:, 1]], axis=0).tolist():
        among = (owners == (i, j)).all(axis=1)
        mutual[(i, j)] = Spot(int(among.sum()), place_of(centroids[first[among][0]]))
    return own, mutual


@dataclass(frozen=True)
class PairMeasures:
    """What is true of two surfaces that are neighbours.

    Parameters
    ----------
    inner, outer : str
        Names; of two that lie side by side, in the order of the head.
    nested : bool
        Whether the first lies in the second.
    crossings : Spot
        Pairs of triangles that cross.
    touching : bool
        Whether they have vertices in the same place; then nothing else is measured.
    gap : float
        Least distance (mm) of the vertices and centroids of each from the other's triangles.
    gap_place : tuple of float or None
        Where (mm).
    overlap : float
        How far, at most, vertices of one lie on the wrong side of the other (mm).
    coarse : float
        Share of the area, of both, where a triangle's longest edge is longer than `resolution` times the gap there.
    ratio : float
        The largest longest edge over gap.
    ratio_place : tuple of float or None
        Where (mm).
    extra_triangles : int
        How many more triangles would bring all to that resolution.
    """

    inner: str
    outer: str
    nested: bool
    crossings: Spot
    touching: bool = False
    gap: float = float("nan")
    gap_place: Place | None = None
    overlap: float = 0.0
    coarse: float = 0.0
    ratio: float = float("nan")
    ratio_place: Place | None = None
    extra_triangles: int = 0


def measure_pair(
    inner: Surface, outer: Surface, *, nested: bool, crossings: Spot, resolution: float = 2.0
) -> PairMeasures:
    """Return what is true of two neighbouring surfaces.

    Parameters
    ----------
    inner, outer : Surface
        Closed.
    nested : bool
        Whether the first should lie in the second; otherwise they lie side by side.
    crossings : Spot
        Pairs of triangles that cross, of `crossing_counts`.
    resolution : float, optional
        Longest edge over local gap that is fine enough.

    Notes
    -----
    Distances by libigl's tree of triangles. Where two edges are nearest to each other the least distance is smaller
    than the one found, by less than the triangles' size makes up.
    """
    shared = np.isin(_rows(inner.vertices), _rows(outer.vertices)).any()
    if shared:
        return PairMeasures(inner.name, outer.name, nested, crossings, touching=True)
    sides = [(inner, outer), (outer, inner)]
    at_vertices = [distances(one.vertices, other) for one, other in sides]
    at_centroids = [distances(one.centroids, other) for one, other in sides]
    points = np.concatenate([inner.vertices, outer.vertices, inner.centroids, outer.centroids])
    everywhere = np.concatenate(at_vertices + at_centroids)
    nearest = int(everywhere.argmin())
    overlap = 0.0
    if crossings.count:
        wrong = [
            distance[(winding_numbers(one.vertices, other) > 0.5) != (nested and one is inner)]
            for (one, other), distance in zip(sides, at_vertices, strict=True)
        ]
        overlap = max((float(distance.max()) for distance in wrong if len(distance)), default=0.0)
    longest = np.concatenate(
        [np.linalg.norm(s.corners - np.roll(s.corners, -1, axis=1), axis=2).max(axis=1) for s, _ in sides]
    )
    ratio = longest / np.maximum(np.concatenate(at_centroids), 1e-3)
    areas = np.concatenate([inner.areas, outer.areas])
    worst = int(ratio.argmax())
    coarse = ratio > resolution
    return PairMeasures(
        inner.name,
        outer.name,
        nested,
        crossings,
        gap=0.0 if crossings.count else float(everywhere[nearest]),
        gap_place=crossings.place or place_of(points[nearest]),
        overlap=overlap,
        coarse=float(areas[coarse].sum() / areas.sum()),
        ratio=float(ratio[worst]),
        ratio_place=place_of(np.concatenate([inner.centroids, outer.centroids])[worst]),
        extra_triangles=int(((ratio[coarse] / resolution) ** 2 - 1.0).sum()),
    )


def distances(points: FloatArray, surface: Surface) -> FloatArray:
    """Return the distance of points from a surface's triangles (mm), shape (n,); infinite if it has none."""
    if not len(points) or not len(surface.triangles):  # libigl crashes
        return np.full(len(points), np.inf)
    import igl  # here, because it takes a tenth of a second to load

    rows = np.ascontiguousarray(points)
    squared = igl.point_mesh_squared_distance(rows, surface.vertices, surface.triangles.astype(np.int64))[0]
    return np.sqrt(np.asarray(squared, dtype=np.float64).reshape(-1))


def nesting(surfaces: Sequence[Surface], *, samples: int = 48) -> tuple[int | None, ...]:
    """Return the number of the surface that directly encloses each one, None for the outermost.

    Parameters
    ----------
    surfaces : sequence of Surface
        They may cross, or be turned inwards: most of the vertices decide.
    samples : int, optional
        So many vertices of each are looked at.

    Returns
    -------
    tuple of int or None
        The smallest surface that encloses more than half of the vertices looked at, and is larger.
    """
    size = [abs(surface.volume) for surface in surfaces]
    parents: list[int | None] = []
    for i, surface in enumerate(surfaces):
        used = np.unique(surface.triangles)
        if not len(used):
            parents.append(None)
            continue
        points = surface.vertices[used[np.unique(np.linspace(0, len(used) - 1, samples).astype(int))]]
        around = [
            j
            for j, other in enumerate(surfaces)
            if j != i and size[j] > size[i] and (np.abs(winding_numbers(points, other)) > 0.5).mean() > 0.5
        ]
        parents.append(min(around, key=lambda j: size[j]) if around else None)
    return tuple(parents)


def neighbours(
    surfaces: Sequence[Surface], parents: Sequence[int | None], mutual: Mapping[tuple[int, int], Spot]
) -> list[tuple[int, int, bool, Spot]]:
    """Return which surfaces lie next to each other.

    Parameters
    ----------
    surfaces : sequence of Surface
        All of them.
    parents : sequence of int or None
        Of `nesting`.
    mutual : mapping of (int, int) to Spot
        Crossings, of `crossing_counts`.

    Returns
    -------
    list of (int, int, bool, Spot)
        Two surfaces' numbers, whether the first should lie in the second, and their crossings: each surface with the
        one around it, those side by side in one, and all that cross.
    """
    found: dict[tuple[int, int], bool] = {}
    for i, parent in enumerate(parents):
        if parent is not None:
            found[(i, parent)] = True
    shown = [k for k, surface in enumerate(surfaces) if len(surface.triangles)]
    for i in shown:
        for j in shown[shown.index(i) + 1 :]:
            low = np.maximum(surfaces[i].vertices.min(axis=0), surfaces[j].vertices.min(axis=0))
            high = np.minimum(surfaces[i].vertices.max(axis=0), surfaces[j].vertices.max(axis=0))
            near = bool((low - high <= _REACH).all())
            known = (i, j) in found or (j, i) in found
            if not known and ((parents[i] == parents[j] and near) or (i, j) in mutual):
                inner, outer = (j, i) if _is_within(j, i, parents) else (i, j)
                found[(inner, outer)] = _is_within(inner, outer, parents)
    return [(i, j, nested, mutual.get((min(i, j), max(i, j)), Spot(0))) for (i, j), nested in found.items()]


def _is_within(inner: int, outer: int, parents: Sequence[int | None]) -> bool:
    at = parents[inner]
    while at is not None and at != outer:
        at = parents[at]
    return at == outer


def _rows(points: FloatArray) -> npt.NDArray[np.void]:
    """Return each row as one value that can be compared, bit by bit (0.0 for -0.0)."""
    rows = np.ascontiguousarray(points) + 0.0
    return rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1]))).ravel()
