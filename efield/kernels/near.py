"""The exactly integrated entries of the BEM matrix for pairs of triangles in adjacent leaves."""

from __future__ import annotations

import math

import numpy as np
from numba import prange
from numpy.typing import NDArray

from efield._jit import inline, kernel
from efield.kernels.panels import distance_to_triangle, solid_angle

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]


@inline
def _mean_solid_angle(
    corners: F64, i: int, a: F64, b: F64, c: F64, barycentric: F64, weights: F64
) -> float:
    """Return the mean over triangle (a, b, c) of the solid angle of triangle i."""
    total = 0.0
    for q in range(weights.shape[0]):
        u = barycentric[q, 0]
        v = barycentric[q, 1]
        w = barycentric[q, 2]
        total += weights[q] * solid_angle(
            corners,
            i,
            u * a[0] + v * b[0] + w * c[0],
            u * a[1] + v * b[1] + w * c[1],
            u * a[2] + v * b[2] + w * c[2],
        )
    return total


@inline
def _split_mean(corners: F64, i: int, j: int, pieces: int, barycentric: F64, weights: F64) -> float:
    """Return the mean over triangle j, cut into pieces**2 equal ones, of the solid angle of triangle i."""
    a = np.empty(3)
    b = np.empty(3)
    c = np.empty(3)
    step = 1.0 / pieces
    total = 0.0
    for row in range(pieces):
        for column in range(pieces - row):
            for flip in range(2):
                if flip == 1 and column == pieces - row - 1:
                    continue
                for d in range(3):
                    p0 = corners[j, 0, d]
                    u = corners[j, 1, d] - p0
                    v = corners[j, 2, d] - p0
                    if flip == 0:
                        a[d] = p0 + step * (row * u + column * v)
                        b[d] = p0 + step * ((row + 1) * u + column * v)
                        c[d] = p0 + step * (row * u + (column + 1) * v)
                    else:
                        a[d] = p0 + step * ((row + 1) * u + column * v)
                        b[d] = p0 + step * ((row + 1) * u + (column + 1) * v)
                        c[d] = p0 + step * (row * u + (column + 1) * v)
                total += _mean_solid_angle(corners, i, a, b, c, barycentric, weights)
    return total * step * step


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
    while pieces < 8 and pieces * gap < radii[j]:
        pieces *= 2
    return pieces


@kernel
def near_blocks(
    blocks: F32,
    offsets: I64,
    targets: I32,
    sources: I32,
    start: I32,
    end: I32,
    corners: F64,
    centroids: F64,
    areas: F64,
    radii: F64,
    nodes: F64,
    barycentric: F64,
    weights: F64,
) -> None:
    """Fill one dense row-major block per pair of adjacent leaves with the exact entries K_ij.

    K_ij is the mean normal field on triangle i of a unit charge density on triangle j. The integral over i is exact (a
    solid angle), the one over j a quadrature, cut into pieces about as small as the gap where j nearly touches i.

    Parameters
    ----------
    blocks : ndarray, shape (n_entries,)
        Output.
    offsets : ndarray, shape (n_pairs + 1,)
        First entry of each block.
    targets, sources : ndarray, shape (n_pairs,)
        Leaves of each pair.
    start, end : ndarray, shape (n_cells,)
        Triangles of each cell, in tree order.
    corners, centroids, areas, radii : ndarray
        Triangles in tree order; `radii` is the greatest distance of a corner from the centroid (mm).
    nodes : ndarray, shape (3, n * n_q)
        Quadrature points of all triangles, axis by axis (mm).
    barycentric, weights : ndarray, shape (n_q, 3), (n_q,)
        The quadrature (weights sum to one).
    """
    n_q = weights.shape[0]
    for pair in prange(targets.shape[0]):
        t = targets[pair]
        s = sources[pair]
        first = start[s] * n_q
        last = end[s] * n_q
        # Single precision is enough for the entries if positions count from a point near by.
        middle = centroids[start[s]]
        x = (nodes[0, first:last] - middle[0]).astype(np.float32)
        y = (nodes[1, first:last] - middle[1]).astype(np.float32)
        z = (nodes[2, first:last] - middle[2]).astype(np.float32)
        omega = np.empty(last - first, dtype=np.float32)
        corner = np.empty((3, 3), dtype=np.float32)
        k = offsets[pair]
        for i in range(start[t], end[t]):
            for v in range(3):
                for d in range(3):
                    corner[v, d] = corners[i, v, d] - middle[d]
            _solid_angles(omega, corner, x, y, z)
            scale = 1.0 / (4.0 * math.pi * areas[i])
            xi = centroids[i, 0]
            yi = centroids[i, 1]
            zi = centroids[i, 2]
            ri = radii[i]
            for j in range(start[s], end[s]):
                total = 0.0
                if i != j:
                    at = (j - start[s]) * n_q
                    for q in range(n_q):
                        total += weights[q] * omega[at + q]
                    dx = xi - centroids[j, 0]
                    dy = yi - centroids[j, 1]
                    dz = zi - centroids[j, 2]
                    reach = ri + 2.0 * radii[j]
                    if dx * dx + dy * dy + dz * dz < reach * reach:
                        pieces = _pieces(corners, centroids, radii, i, j)
                        if pieces > 1:
                            total = _split_mean(corners, i, j, pieces, barycentric, weights)
                blocks[k] = scale * areas[j] * total
                k += 1
