"""Measure a surface as it is, sound or not: closedness, pieces, handles, sizes and shapes of its triangles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meshes.arrays import FloatArray
from meshes.checks import winding_numbers
from meshes.surface import Surface

__all__ = [
    "EdgeUses",
    "Spot",
    "SurfaceMeasures",
    "aspects",
    "edge_uses",
    "flat_triangles",
    "inward_pieces",
    "measure_surface",
    "piece_of_triangle",
    "place_of",
    "say_place",
]

IndexArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

Place = tuple[float, float, float]

# Height below 1e-7 of the longest edge: as in meshes.checks.
_FLAT = 1e-7


@dataclass(frozen=True)
class Spot:
    """How often something was found, and where first (or worst).

    Parameters
    ----------
    count : int
        How often.
    place : tuple of float, optional
        Where (mm); None if nowhere.
    """

    count: int
    place: Place | None = None

    def __str__(self) -> str:
        return str(self.count) if self.place is None else f"{self.count}, first at {say_place(self.place)}"


def say_place(place: Sequence[float] | FloatArray) -> str:
    """Return a position as text.

    Examples
    --------
    >>> say_place((1.0, -2.25, 3.0))
    '(1.0, -2.2, 3.0) mm'
    """
    return f"({place[0]:.1f}, {place[1]:.1f}, {place[2]:.1f}) mm"


@dataclass(frozen=True)
class SurfaceMeasures:
    """What is true of one surface.

    Parameters
    ----------
    name : str
        The surface's name.
    n_vertices, n_triangles : int
        Counts.
    open_edges, crowded_edges, turned_edges : Spot
        Edges of one triangle; of more than two; of two that run along it the same way.
    pieces : int
        Parts connected through edges.
    inward_pieces : Spot
        Pieces that enclose a volume with the wrong sign: see `inward_pieces`.
    genus : int or None
        Handles of all pieces together, by Euler's formula; None unless each edge has two triangles.
    area, volume : float
        mm^2 and mm^3; the volume is signed.
    extent : tuple of float
        Size of the bounding box (mm).
    centre : tuple of float
        Middle of the bounding box (mm).
    edges : tuple of float
        Shortest, 1 %, median, 99 % and longest edge (mm).
    aspect : tuple of float
        Longest edge over shortest height (1.15 for an equilateral triangle): median, 99.9 % and worst, flat triangles
        left out.
    aspect_place : tuple of float or None
        Where the worst is (mm).
    flat_triangles, double_triangles, double_vertices, unused_vertices : Spot
        Without area; with the same three vertices as another; in the same place as another; in no triangle.
    crossings : Spot
        Triangles that cross others of the surface.
    """

    name: str
    n_vertices: int
    n_triangles: int
    open_edges: Spot
    crowded_edges: Spot
    turned_edges: Spot
    pieces: int
    inward_pieces: Spot
    genus: int | None
    area: float
    volume: float
    extent: Place
    centre: Place
    edges: tuple[float, ...]
    aspect: tuple[float, float, float]
    aspect_place: Place | None
    flat_triangles: Spot
    double_triangles: Spot
    double_vertices: Spot
    unused_vertices: Spot
    crossings: Spot

    @property
    def is_closed(self) -> bool:
        """Whether each edge has two triangles."""
        return self.n_triangles > 0 and not self.open_edges.count and not self.crowded_edges.count


def measure_surface(surface: Surface, crossings: Spot) -> SurfaceMeasures:
    """Return what is true of a surface.

    Parameters
    ----------
    surface : Surface
        Any triangles.
    crossings : Spot
        Triangles of it that cross others of it: see `meshes.neighbours.crossing_counts`.
    """
    vertices, triangles = surface.vertices, surface.triangles.astype(np.int64)
    edges = edge_uses(surface)
    middles = vertices[edges.ends].mean(axis=1)
    piece = piece_of_triangle(surface)
    closed = len(triangles) > 0 and bool((edges.uses == 2).all())
    n_pieces = int(piece.max(initial=-1)) + 1
    used = np.unique(triangles)
    # Vertices of one piece that only touch there count for each fan of triangles around them, as in Euler's formula.
    genus = n_pieces - (_fans(surface) - len(edges.uses) + len(triangles)) // 2 if closed else None
    inward = inward_pieces(surface, piece)
    flat = flat_triangles(surface)
    aspect = aspects(surface)[~flat]
    worst = None if not len(aspect) else surface.centroids[~flat][int(aspect.argmax())]
    length = np.linalg.norm(vertices[edges.ends[:, 0]] - vertices[edges.ends[:, 1]], axis=1)
    spare = np.setdiff1d(np.arange(len(vertices)), used)
    low, high = (vertices[used].min(axis=0), vertices[used].max(axis=0)) if len(used) else (np.zeros(3), np.zeros(3))
    return SurfaceMeasures(
        name=surface.name,
        n_vertices=len(vertices),
        n_triangles=len(triangles),
        open_edges=_spot(edges.uses == 1, middles),
        crowded_edges=_spot(edges.uses > 2, middles),
        turned_edges=_spot((edges.uses == 2) & (edges.forward != 1), middles),
        pieces=n_pieces,
        inward_pieces=_spot(inward, surface.centroids[np.unique(piece, return_index=True)[1]]),
        genus=genus,
        area=float(surface.areas.sum()),
        volume=surface.volume,
        extent=place_of(high - low),
        centre=place_of(0.5 * (low + high)),
        edges=tuple(np.quantile(length, [0.0, 0.01, 0.5, 0.99, 1.0]).tolist()) if len(length) else (0.0,) * 5,
        aspect=(float(np.median(aspect)), float(np.quantile(aspect, 0.999)), float(aspect.max()))
        if len(aspect)
        else (0.0, 0.0, 0.0),
        aspect_place=None if worst is None else place_of(worst),
        flat_triangles=_spot(flat, surface.centroids),
        double_triangles=_spot(_repeated(np.sort(triangles, axis=1)), surface.centroids),
        double_vertices=_spot(_repeated(vertices), vertices),
        unused_vertices=Spot(len(spare), place_of(vertices[spare[0]]) if len(spare) else None),
        crossings=crossings,
    )


@dataclass(frozen=True, eq=False)
class EdgeUses:
    """The edges of a surface.

    Parameters
    ----------
    ends : ndarray, shape (n_edges, 2)
        Vertices, the lower index first.
    uses : ndarray, shape (n_edges,)
        How many triangles have the edge.
    forward : ndarray, shape (n_edges,)
        How many of them run along it from the first vertex to the second.
    of_triangle : ndarray, shape (n_triangles, 3)
        Edge k of a triangle runs from its corner k to the next one.
    """

    ends: IndexArray
    uses: IndexArray
    forward: IndexArray
    of_triangle: IndexArray


def edge_uses(surface: Surface) -> EdgeUses:
    """Return the edges of a surface and how many triangles use them, in which direction."""
    start = surface.triangles.astype(np.int64).ravel()
    end = np.roll(surface.triangles, -1, axis=1).astype(np.int64).ravel()
    count = max(len(surface.vertices), 1)
    keys, which = np.unique(np.minimum(start, end) * count + np.maximum(start, end), return_inverse=True)
    forward = np.bincount(which, weights=start < end, minlength=len(keys)).astype(np.int64)
    ends = np.stack(np.divmod(keys, count), axis=1)
    return EdgeUses(ends, np.bincount(which, minlength=len(keys)), forward, which.reshape(-1, 3))


def piece_of_triangle(surface: Surface) -> IndexArray:
    """Return the number of the piece, connected through edges, that each triangle belongs to: shape (n_triangles,)."""
    # Here, so that importing the package loads no SciPy.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    of_triangle = edge_uses(surface).of_triangle
    rows = np.repeat(np.arange(len(of_triangle)), 3)
    size = len(of_triangle) + int(of_triangle.max(initial=-1)) + 1
    graph = coo_array((np.ones(len(rows)), (rows, len(of_triangle) + of_triangle.ravel())), shape=(size, size))
    return np.asarray(connected_components(graph, directed=False)[1][: len(of_triangle)], dtype=np.int64)


def _fans(surface: Surface) -> int:
    """Return the number of fans of triangles around vertices: more than the vertices if pieces touch in a vertex."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    # Corners of the triangles on both sides of an edge, at the same vertex, belong to one fan.
    triangles = surface.triangles.astype(np.int64)
    edge = edge_uses(surface).of_triangle
    corner = np.arange(triangles.size).reshape(-1, 3)
    following = np.roll(corner, -1, axis=1)
    count = len(surface.vertices)
    pairs = [(edge * count + triangles, corner), (edge * count + np.roll(triangles, -1, axis=1), following)]
    keys = np.concatenate([key.ravel() for key, _ in pairs])
    nodes = np.concatenate([node.ravel() for _, node in pairs])
    order = np.argsort(keys, kind="stable")
    same = np.flatnonzero(keys[order][1:] == keys[order][:-1])
    graph = coo_array(
        (np.ones(len(same)), (nodes[order][same], nodes[order][same + 1])), shape=(triangles.size, triangles.size)
    )
    return int(connected_components(graph, directed=False)[0])


def inward_pieces(surface: Surface, piece: IndexArray | None = None) -> BoolArray:
    """Return which pieces are turned the wrong way.

    Parameters
    ----------
    surface : Surface
        Any triangles; the answer means something for closed pieces.
    piece : ndarray, shape (n_triangles,), optional
        Of `piece_of_triangle`.

    Returns
    -------
    ndarray of bool, shape (n_pieces,)
        True for a piece of negative volume that lies in no other piece or in two, and for one of positive volume that
        lies in one other piece, whose hollow it is.
    """
    label = piece_of_triangle(surface) if piece is None else piece
    parts = [Surface(surface.vertices, surface.triangles[label == k]) for k in range(int(label.max(initial=-1)) + 1)]
    boxes = [(part.corners.min(axis=(0, 1)), part.corners.max(axis=(0, 1))) for part in parts]
    inward = np.zeros(len(parts), dtype=np.bool_)
    for k, part in enumerate(parts):
        point = part.corners[:1, 0]
        around = 0
        for other, (low, high) in zip(parts, boxes, strict=True):
            if other is not part and (point > low).all() and (point < high).all():
                around += round(abs(float(winding_numbers(point, other)[0])))
        inward[k] = (part.volume > 0.0) == (around % 2 == 1)
    return inward


def flat_triangles(surface: Surface) -> BoolArray:
    """Return which triangles have no area: a height below 1e-7 of the longest edge."""
    longest = np.linalg.norm(surface.corners - np.roll(surface.corners, -1, axis=1), axis=2).max(axis=1, initial=0.0)
    flat: BoolArray = 2.0 * surface.areas <= _FLAT * longest**2
    return flat


def aspects(surface: Surface) -> FloatArray:
    """Return longest edge over shortest height of each triangle: 2/sqrt(3) if equilateral, infinite without area.

    Examples
    --------
    >>> aspects(Surface([[0, 0, 0], [2, 0, 0], [0, 1, 0]], [[0, 1, 2]])).round(3)
    array([2.5])
    """
    longest = np.linalg.norm(surface.corners - np.roll(surface.corners, -1, axis=1), axis=2).max(axis=1, initial=0.0)
    # The shortest height stands on the longest edge.
    ratio: FloatArray = np.divide(
        longest**2, 2.0 * surface.areas, out=np.full(len(longest), np.inf), where=surface.areas > 0.0
    )
    return ratio


def _repeated(rows: npt.NDArray[np.generic]) -> BoolArray:
    """Return which rows are equal to an earlier one."""
    again = np.ones(len(rows), dtype=np.bool_)
    if len(rows):
        again[np.unique(rows, axis=0, return_index=True)[1]] = False
    return again


def _spot(found: npt.NDArray[np.bool_], places: FloatArray) -> Spot:
    return Spot(int(found.sum()), place_of(places[found][0]) if found.any() else None)


def place_of(point: FloatArray) -> Place:
    """Return a position as a tuple of floats."""
    return (float(point[0]), float(point[1]), float(point[2]))
