"""Integrate along closed wires: exact potentials, the surface they span, current elements.

Two statements of Stokes carry the module. The vector potential of a closed wire is that of a magnetic shell, dipoles of
density n, over any surface that it spans; and a polyline's potential is the sum of its straight pieces' closed forms.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from coils.coil import Wire
from coils.potential import turn_potential
from coils.segments import Segments
from meshes import arrays
from meshes.arrays import FloatArray

__all__ = [
    "Circle",
    "circle_of",
    "cut_wires",
    "flatness",
    "path_potential",
    "smooth_potential",
    "spanned_points",
    "thinned",
    "wire_potential",
]

# Pairs of point and edge whose closed form stands in memory at once: about ten tables of 8 bytes, 160 MB.
_PAIRS = 2_000_000

# Where r1 r2 + r1 . r2 is below this share of r1 r2, the point is near the edge and the sum has lost three digits.
_NEAR = 1e-3

# A polygon of fewer corners is taken as what it is, not as a circle: 48 corners differ from their circle by 1e-5.
_CIRCLE_CORNERS = 48


@dataclass(frozen=True, eq=False)
class Circle:
    """A circular turn: `centre` (mm), `normal` by the right hand from the current (unit length), `radius` (mm)."""

    centre: FloatArray
    normal: FloatArray
    radius: float

    def potential(self, points: FloatArray) -> FloatArray:
        """Compute the vector potential in closed form, shape (n_points, 3); see `coils.potential`."""
        offset = points - self.centre
        height = offset @ self.normal
        around = np.cross(self.normal, offset)  # along the current, as long as the distance from the axis
        distance = np.linalg.norm(around, axis=1)
        value = turn_potential(distance, height, self.radius)
        along = np.divide(value, distance, out=np.zeros_like(value), where=distance > 0.0)
        potential: FloatArray = along[:, None] * around
        return potential


def wire_potential(points: FloatArray, wires: Sequence[Wire]) -> FloatArray:
    """Compute the vector potential of closed polylines for one ampere of coil current, divided by mu0 / 4 pi.

    Parameters
    ----------
    points : array_like, shape (n_points, 3)
        Where to compute the potential (mm), not on a wire.
    wires : sequence of Wire
        The wires; each counts `turns` times.

    Returns
    -------
    ndarray, shape (n_points, 3)
        A pure number: lengths cancel, see `coils.potential`.

    Raises
    ------
    ValueError
        If a point lies on a wire, where the potential of a thin wire is infinite.

    Notes
    -----
    A straight edge of length L, direction u and distances r1, r2 of the point from its ends has
    A = u ln((r1 + r2 + L) / (r1 + r2 - L)), the line integral of u / r. With g = r1 r2 + r1 . r2 (vectors in the second
    term) it is u log1p(L (r1 + r2 + L) / g), which loses no digits far away; near the edge g itself is computed as
    |r1 x r2|^2 / (r1 r2 - r1 . r2).

    Examples
    --------
    >>> square = Wire(path=[[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    >>> wire_potential([[100, 0, 0]], [square]).round(7)
    array([[0.    , 0.0004, 0.    ]])
    """
    points = arrays.vectors(points, "points")
    total = np.zeros(points.shape)
    for wire in wires:
        total += wire.turns * path_potential(points, wire.path)
    bad = ~np.isfinite(total).all(axis=1)
    if bad.any():
        raise ValueError(
            f"points must not lie on a wire; got {int(bad.sum())} that do, first {points[bad][0].tolist()}. "
            "A thin wire's potential is infinite there."
        )
    return total


def path_potential(points: FloatArray, path: FloatArray, apart: FloatArray | None = None) -> FloatArray:
    """Compute the potential of one closed path, points held off edges by `apart` (mm), shape (n_points, n_corners).

    The distance is added as if at right angles to everything, 1 / sqrt(r^2 + apart^2) for 1 / r: on the wire itself
    that is the potential of a parallel filament, which gives self-inductances by geometric mean distances.
    """
    edges = np.roll(path, -1, axis=0) - path
    kept = np.einsum("ek,ek->e", edges, edges) > 0.0  # corners given twice
    path, edges = path[kept], edges[kept]
    held = np.zeros((len(points), 1)) if apart is None else apart[:, kept] ** 2
    length = np.linalg.norm(edges, axis=1)
    direction = edges / length[:, None]
    following = np.roll(np.arange(len(path)), -1)
    total = np.empty((len(points), 3))
    step = max(1, _PAIRS // len(path))
    for first in range(0, len(points), step):
        part = points[first : first + step]
        square = np.zeros((len(part), len(path)))
        extra = held[first : first + step]
        for axis in range(3):
            square += (part[:, axis, None] - path[:, axis]) ** 2
        start = np.sqrt(square + extra)
        end = start[:, following] if apart is None else np.sqrt(square[:, following] + extra)
        product = start * end
        sum_of_two = start + end
        inner = 0.5 * (square + square[:, following] - length**2) + extra
        gap = product + inner
        row, edge = np.nonzero(gap < _NEAR * product)
        if len(row):
            cross = np.cross(part[row] - path[edge], direction[edge]) * length[edge, None]
            area = np.einsum("pk,pk->p", cross, cross)
            if apart is not None:
                area += extra[row, edge] * length[edge] ** 2
            gap[row, edge] = area / (product[row, edge] - inner[row, edge])
        with np.errstate(divide="ignore", invalid="ignore"):  # infinite on a wire; `wire_potential` says so
            total[first : first + step] = np.log1p(length * (sum_of_two + length) / gap) @ direction
    return total


def circle_of(wire: Wire) -> Circle | None:
    """Return the circle that a polygon stands for, of equal area, or None if it is not a regular one of many corners.

    Examples
    --------
    >>> angle = np.arange(60) * np.pi / 30
    >>> circle = circle_of(Wire(path=np.column_stack([9 * np.cos(angle), 9 * np.sin(angle), 0 * angle])))
    >>> round(circle.radius, 2)
    8.99
    """
    path = wire.path
    if len(path) < _CIRCLE_CORNERS:
        return None
    centre = path.mean(axis=0)
    spokes = path - centre
    moment = wire.moment / wire.turns * 1e6
    area = float(np.linalg.norm(moment))
    radius = np.linalg.norm(spokes, axis=1)
    tolerance = 1e-6 * radius.max()
    edges = np.linalg.norm(np.roll(path, -1, axis=0) - path, axis=1)
    if np.ptp(radius) > tolerance or np.ptp(edges) > tolerance:
        return None
    normal = moment / area
    # A regular star polygon has equal spokes and edges too, but another area.
    regular = 0.5 * len(path) * radius.max() ** 2 * np.sin(2.0 * np.pi / len(path))
    if np.abs(spokes @ normal).max() > tolerance or abs(area / regular - 1.0) > 1e-5:
        return None
    return Circle(centre, normal, float(np.sqrt(area / np.pi)))


def smooth_potential(points: FloatArray, wires: Sequence[Wire]) -> FloatArray:
    """Compute what `wire_potential` does, with polygons that stand for circles as circles: faster, and the model."""
    total = np.zeros(points.shape)
    for wire in wires:
        circle = circle_of(wire)
        total += wire.turns * (path_potential(points, wire.path) if circle is None else circle.potential(points))
    return total


def flatness(path: FloatArray) -> float:
    """Return the distance of a path's furthest corner from the plane that fits it best (mm)."""
    spokes = path - path.mean(axis=0)
    normal = np.linalg.svd(spokes, full_matrices=False)[2][2]
    return float(np.abs(spokes @ normal).max())


def thinned(points: FloatArray, cell: float) -> FloatArray:
    """Return the mean of the points in each occupied cube of edge `cell` (mm), in the order of the cubes."""
    index = np.floor(points / cell).astype(np.int64)
    index -= index.min(axis=0)
    # One number per cube: sorting those is ten times as fast as np.unique of rows.
    _, group, count = np.unique(
        np.ravel_multi_index(tuple(index.T), tuple(index.max(axis=0) + 1)), return_inverse=True, return_counts=True
    )
    sums = np.column_stack([np.bincount(group, points[:, axis]) for axis in range(3)])
    means: FloatArray = np.ascontiguousarray(sums / count[:, None])
    return means


def spanned_points(wires: Sequence[Wire], spacing: float) -> FloatArray:
    """Return points about `spacing` apart on the fans from each wire's centre, wires included, shape (n, 3) (mm)."""
    clouds = []
    for wire in wires:
        centre = wire.path.mean(axis=0)
        rim = _along(wire.path, spacing)
        reach = np.linalg.norm(rim - centre, axis=1).max()
        share = np.linspace(0.0, 1.0, max(2, int(np.ceil(reach / spacing)) + 1))
        clouds.append((centre + share[:, None, None] * (rim - centre)).reshape(-1, 3))
    return thinned(np.concatenate(clouds), spacing)


def _along(path: FloatArray, spacing: float) -> FloatArray:
    """Return corners of a closed path and points between them, at most `spacing` apart."""
    edges = np.roll(path, -1, axis=0) - path
    counts = np.maximum(np.ceil(np.linalg.norm(edges, axis=1) / spacing), 1).astype(np.int64)
    edge = np.repeat(np.arange(len(path)), counts)
    place = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts)
    points: FloatArray = path[edge] + (place / counts[edge])[:, None] * edges[edge]
    return points


def cut_wires(wires: Sequence[Wire], spacing: float) -> Segments:
    """Cut wires into current elements at the Gauss points of each edge.

    Parameters
    ----------
    wires : sequence of Wire
        The wires.
    spacing : float
        Mean distance of the elements on an edge, at most (mm).

    Returns
    -------
    Segments
        Their vectors add up to each edge, so that the circuits stay closed.

    Raises
    ------
    ValueError
        If `spacing` is not positive.

    Examples
    --------
    >>> square = Wire(path=[[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    >>> len(cut_wires([square], 1.0))
    8
    """
    spacing = arrays.positive(spacing, "spacing")
    points, vectors = [], []
    for wire in wires:
        edges = np.roll(wire.path, -1, axis=0) - wire.path
        counts = np.ceil(np.linalg.norm(edges, axis=1) / spacing).astype(np.int64)
        for count in np.unique(counts[counts > 0]):
            node, weight = np.polynomial.legendre.leggauss(int(count))
            start, edge = wire.path[counts == count], edges[counts == count]
            points.append((start[:, None] + 0.5 * (1.0 + node)[:, None] * edge[:, None]).reshape(-1, 3))
            vectors.append((0.5 * wire.turns * weight[:, None] * edge[:, None]).reshape(-1, 3))
    return Segments(np.concatenate(points), np.concatenate(vectors))
