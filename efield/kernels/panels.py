r"""Closed forms for a triangle of unit charge density, and the exactly integrated near part of the BEM matrix.

Notes
-----
Solid angle: A. van Oosterom and J. Strackee, IEEE Trans. Biomed. Eng. 30:125-126 (1983). Field of a triangle:
D. R. Wilton et al., IEEE Trans. Antennas Propag. 32:276-281 (1984); with corner vectors seen from the point,

.. math:: \int \frac{x - y}{|x - y|^3}\,dS(y) = -\Omega\, n + \sum_e m_e \ln\frac{R_a + R_b + L}{R_a + R_b - L},

where n is the triangle's normal and m_e the normal of edge e in the triangle's plane, pointing out of it.
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange
from numpy.typing import NDArray

from efield._jit import inline, kernel

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]


@inline
def solid_angle(corners: F64, t: int, x: float, y: float, z: float) -> float:
    """Return the signed solid angle of triangle t seen from (x, y, z); positive from behind the triangle.

    In the plane of the triangle, to within rounding, the answer is 0, the mean of both sides.
    """
    ax = corners[t, 0, 0] - x
    ay = corners[t, 0, 1] - y
    az = corners[t, 0, 2] - z
    bx = corners[t, 1, 0] - x
    by = corners[t, 1, 1] - y
    bz = corners[t, 1, 2] - z
    cx = corners[t, 2, 0] - x
    cy = corners[t, 2, 1] - y
    cz = corners[t, 2, 2] - z
    a = math.sqrt(ax * ax + ay * ay + az * az)
    b = math.sqrt(bx * bx + by * by + bz * bz)
    c = math.sqrt(cx * cx + cy * cy + cz * cz)
    det = ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)
    # Rounding lifts a point off the plane by some 1e-14 of its coordinates, and either side differs by 2 pi from 0.
    # This bound is a height of 3e-12 of the triangle's size, or for distant points an angle of 1e-12.
    if abs(det) <= 1e-13 * (a + b + c) ** 3:
        return 0.0
    div = (
        a * b * c
        + (ax * bx + ay * by + az * bz) * c
        + (bx * cx + by * cy + bz * cz) * a
        + (cx * ax + cy * ay + cz * az) * b
    )
    return 2.0 * math.atan2(det, div)


@inline
def triangle_field(corners: F64, normals: F64, t: int, x: float, y: float, z: float) -> tuple[float, float, float]:
    """Return the field (times 4 pi) at a point of triangle t with unit charge density.

    On an edge the tangential field is infinite; there the logarithm is cut off at a relative distance of 1e-12.
    """
    omega = solid_angle(corners, t, x, y, z)
    nx = normals[t, 0]
    ny = normals[t, 1]
    nz = normals[t, 2]
    fx = -omega * nx
    fy = -omega * ny
    fz = -omega * nz
    for e in range(3):
        f = (e + 1) % 3
        ex = corners[t, f, 0] - corners[t, e, 0]
        ey = corners[t, f, 1] - corners[t, e, 1]
        ez = corners[t, f, 2] - corners[t, e, 2]
        length = math.sqrt(ex * ex + ey * ey + ez * ez)
        ra = math.sqrt(
            (corners[t, e, 0] - x) ** 2 + (corners[t, e, 1] - y) ** 2 + (corners[t, e, 2] - z) ** 2
        )
        rb = math.sqrt(
            (corners[t, f, 0] - x) ** 2 + (corners[t, f, 1] - y) ** 2 + (corners[t, f, 2] - z) ** 2
        )
        below = max(ra + rb - length, 1e-12 * length)
        scale = math.log((ra + rb + length) / below) / length
        # The edge runs counter-clockwise, so e x n points out of the triangle.
        fx += scale * (ey * nz - ez * ny)
        fy += scale * (ez * nx - ex * nz)
        fz += scale * (ex * ny - ey * nx)
    return fx, fy, fz


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


@inline
def _distance_to_triangle(corners: F64, t: int, x: float, y: float, z: float) -> float:
    """Return the distance of a point to triangle t (C. Ericson, Real-Time Collision Detection, 5.1.5)."""
    abx = corners[t, 1, 0] - corners[t, 0, 0]
    aby = corners[t, 1, 1] - corners[t, 0, 1]
    abz = corners[t, 1, 2] - corners[t, 0, 2]
    acx = corners[t, 2, 0] - corners[t, 0, 0]
    acy = corners[t, 2, 1] - corners[t, 0, 1]
    acz = corners[t, 2, 2] - corners[t, 0, 2]
    apx = x - corners[t, 0, 0]
    apy = y - corners[t, 0, 1]
    apz = z - corners[t, 0, 2]
    d1 = abx * apx + aby * apy + abz * apz
    d2 = acx * apx + acy * apy + acz * apz
    aa = abx * abx + aby * aby + abz * abz
    bb = abx * acx + aby * acy + abz * acz
    cc = acx * acx + acy * acy + acz * acz
    d3 = d1 - aa
    d4 = d2 - bb
    d5 = d1 - bb
    d6 = d2 - cc
    u = 0.0
    v = 0.0
    va = d3 * d6 - d5 * d4
    vb = d5 * d2 - d1 * d6
    vc = d1 * d4 - d3 * d2
    if d1 <= 0.0 and d2 <= 0.0:
        u = 0.0
    elif d3 >= 0.0 and d4 <= d3:
        u = 1.0
    elif vc <= 0.0 and d1 >= 0.0 and d3 <= 0.0:
        u = d1 / (d1 - d3)
    elif d6 >= 0.0 and d5 <= d6:
        v = 1.0
    elif vb <= 0.0 and d2 >= 0.0 and d6 <= 0.0:
        v = d2 / (d2 - d6)
    elif va <= 0.0 and d4 - d3 >= 0.0 and d5 - d6 >= 0.0:
        v = (d4 - d3) / ((d4 - d3) + (d5 - d6))
        u = 1.0 - v
    else:
        scale = 1.0 / (va + vb + vc)
        u = vb * scale
        v = vc * scale
    dx = apx - u * abx - v * acx
    dy = apy - u * aby - v * acy
    dz = apz - u * abz - v * acz
    return math.sqrt(dx * dx + dy * dy + dz * dz)


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
    gap = _distance_to_triangle(corners, i, centroids[j, 0], centroids[j, 1], centroids[j, 2])
    for v in range(3):
        d = _distance_to_triangle(corners, i, corners[j, v, 0], corners[j, v, 1], corners[j, v, 2])
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


@kernel
def near_product(
    out: F64, blocks: F32, offsets: I64, first: I64, order: I64, sources: I32, leaves: I32, start: I32, end: I32, q: F32
) -> None:
    """Add the near part of K q to `out`; leaf number l owns columns start..end of it.

    Parameters
    ----------
    out : ndarray, shape (n_rhs, n)
        Added to.
    blocks, offsets : ndarray
        The near blocks.
    first, order : ndarray, shape (n_leaves + 1,), (n_pairs,)
        Pairs of leaf number l are order[first[l]:first[l+1]].
    sources : ndarray, shape (n_pairs,)
        Source leaf of each pair.
    leaves, start, end : ndarray
        Cells that are leaves; triangles of each cell.
    q : ndarray, shape (n_rhs, n)
        Charge densities in tree order.
    """
    for number in prange(leaves.shape[0]):
        t = leaves[number]
        rows = end[t] - start[t]
        for at in range(first[number], first[number + 1]):
            pair = order[at]
            s = sources[pair]
            columns = end[s] - start[s]
            block = blocks[offsets[pair] : offsets[pair + 1]].reshape((rows, columns))
            whole = q.shape[0] - q.shape[0] % 4
            for r in range(0, whole, 4):
                # Four right-hand sides share each entry that is loaded.
                q0 = q[r, start[s] : end[s]]
                q1 = q[r + 1, start[s] : end[s]]
                q2 = q[r + 2, start[s] : end[s]]
                q3 = q[r + 3, start[s] : end[s]]
                for i in range(rows):
                    row = block[i]
                    total0 = np.float32(0.0)
                    total1 = np.float32(0.0)
                    total2 = np.float32(0.0)
                    total3 = np.float32(0.0)
                    for j in range(columns):
                        total0 += row[j] * q0[j]
                        total1 += row[j] * q1[j]
                        total2 += row[j] * q2[j]
                        total3 += row[j] * q3[j]
                    out[r, start[t] + i] += total0
                    out[r + 1, start[t] + i] += total1
                    out[r + 2, start[t] + i] += total2
                    out[r + 3, start[t] + i] += total3
            for r in range(whole, q.shape[0]):
                part = q[r, start[s] : end[s]]
                for i in range(rows):
                    total = np.float32(0.0)
                    for j in range(columns):
                        total += block[i, j] * part[j]
                    out[r, start[t] + i] += total


@kernel
def near_product_transposed(
    out: F64, blocks: F32, offsets: I64, first: I64, order: I64, targets: I32, leaves: I32, start: I32, end: I32, g: F32
) -> None:
    """Add the near part of K^T g to `out`; pairs are grouped by their source leaf here.

    Parameters
    ----------
    out, blocks, offsets, leaves, start, end
        As in `near_product`.
    first, order : ndarray
        Pairs whose source is leaf number l are order[first[l]:first[l+1]].
    targets : ndarray, shape (n_pairs,)
        Target leaf of each pair.
    g : ndarray, shape (n_rhs, n)
        Vectors in tree order.
    """
    for number in prange(leaves.shape[0]):
        s = leaves[number]
        columns = end[s] - start[s]
        part = np.empty(columns, dtype=np.float32)
        for r in range(g.shape[0]):
            for j in range(columns):
                part[j] = 0.0
            for at in range(first[number], first[number + 1]):
                pair = order[at]
                t = targets[pair]
                rows = end[t] - start[t]
                block = blocks[offsets[pair] : offsets[pair + 1]].reshape((rows, columns))
                for i in range(rows):
                    value = g[r, start[t] + i]
                    for j in range(columns):
                        part[j] += block[i, j] * value
            for j in range(columns):
                out[r, start[s] + j] += part[j]


@kernel
def near_field_at_points(
    out: F64,
    points: F64,
    first: I64,
    sources: I32,
    leaves: I32,
    point_start: I32,
    point_end: I32,
    start: I32,
    end: I32,
    corners: F64,
    normals: F64,
    centroids: F64,
    areas: F64,
    radii: F64,
    few: F64,
    few_w: F64,
    q: F64,
) -> None:
    """Add the field at points of the triangles in adjacent leaves: closed form near by, a few points beyond.

    Parameters
    ----------
    out : ndarray, shape (n_rhs, n_points, 3)
        Added to.
    points : ndarray, shape (n_points, 3)
        Points in the order of their tree (mm).
    first, sources : ndarray, shape (n_leaves + 1,), (n_pairs,)
        Source leaves of point leaf number l are sources[first[l]:first[l+1]].
    leaves, point_start, point_end : ndarray
        The point tree.
    start, end : ndarray, shape (n_cells,)
        The triangle tree.
    corners, normals, centroids, areas, radii : ndarray
        Triangles in tree order.
    few, few_w : ndarray
        Quadrature on the triangle for pairs that are not close.
    q : ndarray, shape (n_rhs, n)
        Charge densities in tree order.
    """
    quarter = 1.0 / (4.0 * math.pi)
    for number in prange(leaves.shape[0]):
        leaf = leaves[number]
        for i in range(point_start[leaf], point_end[leaf]):
            x = points[i, 0]
            y = points[i, 1]
            z = points[i, 2]
            for at in range(first[number], first[number + 1]):
                s = sources[at]
                for j in range(start[s], end[s]):
                    dx = x - centroids[j, 0]
                    dy = y - centroids[j, 1]
                    dz = z - centroids[j, 2]
                    far = 5.0 * radii[j]
                    if dx * dx + dy * dy + dz * dz < far * far:
                        fx, fy, fz = triangle_field(corners, normals, j, x, y, z)
                    else:
                        fx = 0.0
                        fy = 0.0
                        fz = 0.0
                        for k in range(few_w.shape[0]):
                            ux = x
                            uy = y
                            uz = z
                            for v in range(3):
                                ux -= few[k, v] * corners[j, v, 0]
                                uy -= few[k, v] * corners[j, v, 1]
                                uz -= few[k, v] * corners[j, v, 2]
                            r2 = ux * ux + uy * uy + uz * uz
                            scale = few_w[k] * areas[j] / (r2 * math.sqrt(r2))
                            fx += scale * ux
                            fy += scale * uy
                            fz += scale * uz
                    for r in range(q.shape[0]):
                        charge = quarter * q[r, j]
                        out[r, i, 0] += charge * fx
                        out[r, i, 1] += charge * fy
                        out[r, i, 2] += charge * fz
