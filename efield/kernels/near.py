"""The exactly integrated entries of the BEM matrix for pairs of triangles in adjacent leaves."""

from __future__ import annotations

import math

import numpy as np
from numba import prange
from numpy.typing import NDArray

from efield._jit import inline, kernel
from efield.kernels.panels import distance_to_triangle

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]


@inline
def _split_points(out: F32, corners: F64, j: int, pieces: int, barycentric: F64) -> int:
    """Put the quadrature points of triangle j, cut into pieces**2 equal ones, into the first columns of `out`.

    Positions count from the triangle's first corner. Returns the number of points.
    """
    n_q = barycentric.shape[0]
    step = 1.0 / pieces
    count = 0
    for row in range(pieces):
        for column in range(pieces - row):
            for flip in range(2):
                if flip == 1 and column == pieces - row - 1:
                    continue
                # The first corner of a piece, then two edges; every second piece is turned by half a circle.
                sign = -step if flip == 1 else step
                a = step * (column + flip)
                b = step * (row + flip)
                for q in range(n_q):
                    u = a + sign * barycentric[q, 1]
                    v = b + sign * barycentric[q, 2]
                    for d in range(3):
                        first = corners[j, 0, d]
                        out[d, count] = u * (corners[j, 1, d] - first) + v * (corners[j, 2, d] - first)
                    count += 1
    return count


# Constants in single precision: one double among them would double the width of every vector register used.
_ATAN = tuple(
    np.float32(value)
    for value in (
        -0.3333314528,
        0.1999355085,
        -0.1420889944,
        0.1065626393,
        -0.0752896400,
        0.0429096138,
        -0.0161657367,
        0.0028662257,
    )
)
_PI = np.float32(np.pi)
_HALF_PI = np.float32(0.5 * np.pi)
_TWO = np.float32(2.0)
_ZERO = np.float32(0.0)
_TINY = np.float32(1e-30)


_MOST_PIECES = 8
"""A triangle is cut into no more parts than this along each edge."""

_CLOSE = 4.0
"""Triangles whose centre is nearer than the other's radius plus this many of their own radii take many points."""


@inline
def _arctan2(y: np.float32, x: np.float32) -> np.float32:
    """Return atan2 in single precision without branches, so that loops over it run in vector registers.

    The polynomial is 4.4.49 of M. Abramowitz and I. A. Stegun, Handbook of Mathematical Functions (1964), with an error
    below 2e-8, less than the rounding of single precision.
    """
    ax = abs(x)
    ay = abs(y)
    small = ay if ay < ax else ax
    large = ax if ay < ax else ay
    t = small / (large + _TINY)
    s = t * t
    p = _ATAN[7]
    p = p * s + _ATAN[6]
    p = p * s + _ATAN[5]
    p = p * s + _ATAN[4]
    p = p * s + _ATAN[3]
    p = p * s + _ATAN[2]
    p = p * s + _ATAN[1]
    p = p * s + _ATAN[0]
    angle = t + t * s * p
    angle = _HALF_PI - angle if ay > ax else angle
    angle = _PI - angle if x < _ZERO else angle
    return -angle if y < _ZERO else angle


@inline
def _solid_angles(out: F32, corner: F32, x: F32, y: F32, z: F32) -> None:
    """Fill `out` with the solid angle of a triangle seen from each of the points x, y, z (as `solid_angle`)."""
    ax0 = corner[0, 0]
    ay0 = corner[0, 1]
    az0 = corner[0, 2]
    bx0 = corner[1, 0]
    by0 = corner[1, 1]
    bz0 = corner[1, 2]
    cx0 = corner[2, 0]
    cy0 = corner[2, 1]
    cz0 = corner[2, 2]
    for k in range(out.shape[0]):
        ax = ax0 - x[k]
        ay = ay0 - y[k]
        az = az0 - z[k]
        bx = bx0 - x[k]
        by = by0 - y[k]
        bz = bz0 - z[k]
        cx = cx0 - x[k]
        cy = cy0 - y[k]
        cz = cz0 - z[k]
        a = np.sqrt(ax * ax + ay * ay + az * az)
        b = np.sqrt(bx * bx + by * by + bz * bz)
        c = np.sqrt(cx * cx + cy * cy + cz * cz)
        det = ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)
        div = (
            a * b * c
            + (ax * bx + ay * by + az * bz) * c
            + (bx * cx + by * cy + bz * cz) * a
            + (cx * ax + cy * ay + cz * az) * b
        )
        out[k] = _TWO * _arctan2(det, div)


@inline
def _pieces(corners: F64, centroids: F64, radii: F64, i: int, j: int) -> int:
    """Return into how many parts along each edge triangle j is cut: more than 1 where it nearly touches i.

    Seven points are enough down to a gap of about half an edge (one radius).
    """
    # The nearest of j's corners and its centre to triangle i stands for the gap between both triangles.
    gap = distance_to_triangle(corners, i, centroids[j, 0], centroids[j, 1], centroids[j, 2])
    for v in range(3):
        d = distance_to_triangle(corners, i, corners[j, v, 0], corners[j, v, 1], corners[j, v, 2])
        if d < 1e-6 * radii[j]:
            # Neighbours on one surface: the solid angle is smooth inside j and bounded at the common corner.
            return 1
        gap = min(gap, d)
    pieces = 1
    while pieces < _MOST_PIECES and pieces * gap < radii[j]:
        pieces *= 2
    return pieces


@inline
def _nearest(radius: float, source: float) -> float:
    """Return the excess, see `_square_distances`, below which a gap may be less than the source's radius."""
    return (radius + 2.0 * source) ** 2 - (radius + _CLOSE * source) ** 2


@inline
def _weighted_means(row: F32, weight: F32, scale: np.float32, omega: F32, few_w: F64) -> None:
    """Set `row` to scale * weight times the quadrature of omega, which holds all first points, then all second ones."""
    count = row.shape[0]
    for c in range(count):
        row[c] = _ZERO
    for q in range(few_w.shape[0]):
        w = np.float32(few_w[q]) * scale
        part = omega[q * count : (q + 1) * count]
        for c in range(count):
            row[c] += w * part[c]
    for c in range(count):
        row[c] *= weight[c]


@inline
def _square_distances(excess: F32, here: F32, centre: F32, size: F32, radius: np.float32) -> None:
    """Set `excess` to the squared distance of each centre minus the squared reach, negative for close triangles."""
    x = centre[0]
    y = centre[1]
    z = centre[2]
    for c in range(excess.shape[0]):
        dx = here[0] - x[c]
        dy = here[1] - y[c]
        dz = here[2] - z[c]
        reach = radius + size[c]
        excess[c] = dx * dx + dy * dy + dz * dz - reach * reach


@kernel
def near_strips(
    strips: F32,
    first_entry: I64,
    row_length: I64,
    targets: I32,
    sources: I32,
    start: I32,
    end: I32,
    corners: F64,
    centroids: F64,
    areas: F64,
    radii: F64,
    few: F64,
    many: F64,
    few_w: F64,
    many_w: F64,
    barycentric: F64,
) -> None:
    """Fill the dense block of each pair of adjacent leaves with the exact entries K_ij.

    K_ij is the mean normal field on triangle i of a unit charge density on triangle j. The integral over i is exact (a
    solid angle), the one over j a quadrature: a few points for distant pairs, many for close ones, and many in each of
    the pieces into which j is cut, about as small as the gap, where it nearly touches i.

    Parameters
    ----------
    strips : ndarray, shape (n_entries,)
        Output.
    first_entry, row_length : ndarray, shape (n_pairs,)
        Place in `strips` of each block's first entry, and distance between its rows.
    targets, sources : ndarray, shape (n_pairs,)
        Leaves of each pair.
    start, end : ndarray, shape (n_cells,)
        Triangles of each cell, in tree order.
    corners, centroids, areas, radii : ndarray
        Triangles in tree order; `radii` is the greatest distance of a corner from the centroid (mm).
    few, many : ndarray, shape (3, n * n_few), (3, n * n_many)
        Quadrature points of all triangles, axis by axis (mm).
    few_w, many_w : ndarray
        Their weights, which sum to one.
    barycentric : ndarray, shape (n_many, 3)
        Coordinates of the many points.
    """
    n_few = few_w.shape[0]
    n_many = many_w.shape[0]
    for pair in prange(targets.shape[0]):
        t = targets[pair]
        s = sources[pair]
        first = start[s]
        count = end[s] - first
        # Single precision is enough for the entries if positions count from a point near by.
        middle = centroids[first]
        nodes = np.empty((3, n_few * count), dtype=np.float32)
        centre = np.empty((3, count), dtype=np.float32)
        for d in range(3):
            for c in range(count):
                centre[d, c] = centroids[first + c, d] - middle[d]
                for q in range(n_few):
                    nodes[d, q * count + c] = few[d, (first + c) * n_few + q] - middle[d]
        size = np.empty(count, dtype=np.float32)
        weight = np.empty(count, dtype=np.float32)
        for c in range(count):
            size[c] = _CLOSE * radii[first + c]
            weight[c] = areas[first + c] / (4.0 * math.pi)
        omega = np.empty(n_few * count, dtype=np.float32)
        excess = np.empty(count, dtype=np.float32)
        close = np.empty(count, dtype=np.int64)
        close_nodes = np.empty((3, count * n_many), dtype=np.float32)
        close_omega = np.empty(count * n_many, dtype=np.float32)
        split = np.empty((3, _MOST_PIECES**2 * n_many), dtype=np.float32)
        split_omega = np.empty(_MOST_PIECES**2 * n_many, dtype=np.float32)
        corner = np.empty((3, 3), dtype=np.float32)
        here = np.empty(3, dtype=np.float32)
        for i in range(start[t], end[t]):
            for d in range(3):
                here[d] = centroids[i, d] - middle[d]
                for v in range(3):
                    corner[v, d] = corners[i, v, d] - middle[d]
            begin = first_entry[pair] + (i - start[t]) * row_length[pair]
            row = strips[begin : begin + count]
            _solid_angles(omega, corner, nodes[0], nodes[1], nodes[2])
            _weighted_means(row, weight, np.float32(1.0 / areas[i]), omega, few_w)
            _square_distances(excess, here, centre, size, np.float32(radii[i]))
            n_close = 0
            for c in range(count):
                if excess[c] < _ZERO:
                    close[n_close] = c
                    for d in range(3):
                        for q in range(n_many):
                            close_nodes[d, n_close * n_many + q] = many[d, (first + c) * n_many + q] - middle[d]
                    n_close += 1
            whole = n_close * n_many
            x = close_nodes[0, :whole]
            _solid_angles(close_omega[:whole], corner, x, close_nodes[1, :whole], close_nodes[2, :whole])
            for k in range(n_close):
                j = first + close[k]
                total = 0.0
                if i != j:
                    pieces = 1
                    if excess[close[k]] < _nearest(radii[i], radii[j]):
                        pieces = _pieces(corners, centroids, radii, i, j)
                    if pieces > 1:
                        n = _split_points(split, corners, j, pieces, barycentric)
                        for d in range(3):
                            for v in range(3):
                                corner[v, d] = corners[i, v, d] - corners[j, 0, d]
                        _solid_angles(split_omega[:n], corner, split[0, :n], split[1, :n], split[2, :n])
                        for p in range(n):
                            total += many_w[p % n_many] * split_omega[p]
                        total /= pieces * pieces
                    else:
                        for q in range(n_many):
                            total += many_w[q] * close_omega[k * n_many + q]
                row[close[k]] = areas[j] * total / (4.0 * math.pi * areas[i])
