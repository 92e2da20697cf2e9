r"""Closed forms for a triangle of unit charge density, and the field of near triangles at points.

Notes
-----
Solid angle: A. van Oosterom and J. Strackee, IEEE Trans. Biomed. Eng. 30:125-126 (1983). Field of a triangle:
D. R. Wilton et al., IEEE Trans. Antennas Propag. 32:276-281 (1984); with corner vectors seen from the point,

.. math:: \int \frac{x - y}{|x - y|^3}\,dS(y) = -\Omega\, n + \sum_e m_e \ln\frac{R_a + R_b + L}{R_a + R_b - L},
   \qquad
   \int \frac{dS(y)}{|x - y|} = -h\,\Omega + \sum_e d_e \ln\frac{R_a + R_b + L}{R_a + R_b - L},

where n is the triangle's normal, m_e the normal of edge e in the triangle's plane, pointing out of it, h = n . (y - x)
and d_e = m_e . (y - x) for y on the triangle and on the edge.
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange
from numpy.typing import NDArray

from efield._jit import inline, kernel

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
        ra = math.sqrt((corners[t, e, 0] - x) ** 2 + (corners[t, e, 1] - y) ** 2 + (corners[t, e, 2] - z) ** 2)
        rb = math.sqrt((corners[t, f, 0] - x) ** 2 + (corners[t, f, 1] - y) ** 2 + (corners[t, f, 2] - z) ** 2)
        below = max(ra + rb - length, 1e-12 * length)
        scale = math.log((ra + rb + length) / below) / length
        # The edge runs counter-clockwise, so e x n points out of the triangle.
        fx += scale * (ey * nz - ez * ny)
        fy += scale * (ez * nx - ex * nz)
        fz += scale * (ex * ny - ey * nx)
    return fx, fy, fz


@inline
def triangle_potential(corners: F64, normals: F64, t: int, x: float, y: float, z: float) -> float:
    """Return the potential (times 4 pi, mm) at a point of triangle t with unit charge density; finite everywhere."""
    nx = normals[t, 0]
    ny = normals[t, 1]
    nz = normals[t, 2]
    height = nx * (corners[t, 0, 0] - x) + ny * (corners[t, 0, 1] - y) + nz * (corners[t, 0, 2] - z)
    total: float = -height * solid_angle(corners, t, x, y, z)
    for e in range(3):
        f = (e + 1) % 3
        ex = corners[t, f, 0] - corners[t, e, 0]
        ey = corners[t, f, 1] - corners[t, e, 1]
        ez = corners[t, f, 2] - corners[t, e, 2]
        ax = corners[t, e, 0] - x
        ay = corners[t, e, 1] - y
        az = corners[t, e, 2] - z
        length = math.sqrt(ex * ex + ey * ey + ez * ez)
        ra = math.sqrt(ax * ax + ay * ay + az * az)
        rb = math.sqrt((corners[t, f, 0] - x) ** 2 + (corners[t, f, 1] - y) ** 2 + (corners[t, f, 2] - z) ** 2)
        # On the edge itself its distance, zero, multiplies the logarithm; the bound keeps that finite.
        below = max(ra + rb - length, 1e-12 * length)
        across = ax * (ey * nz - ez * ny) + ay * (ez * nx - ex * nz) + az * (ex * ny - ey * nx)
        total += across * math.log((ra + rb + length) / below) / length
    return total


@inline
def distance_to_triangle(corners: F64, t: int, x: float, y: float, z: float) -> float:
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


@kernel
def near_potential_at_points(
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
    """Add the potential at points of the triangles in adjacent leaves; arguments as in `near_field_at_points`.

    Parameters
    ----------
    out : ndarray, shape (n_rhs, n_points)
        Added to.
    points, first, sources, leaves, point_start, point_end, start, end : ndarray
        Points, pairs of leaves and both trees.
    corners, normals, centroids, areas, radii, few, few_w, q : ndarray
        Triangles in tree order, quadrature and charge densities.
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
                        value = triangle_potential(corners, normals, j, x, y, z)
                    else:
                        value = 0.0
                        for k in range(few_w.shape[0]):
                            ux = x
                            uy = y
                            uz = z
                            for v in range(3):
                                ux -= few[k, v] * corners[j, v, 0]
                                uy -= few[k, v] * corners[j, v, 1]
                                uz -= few[k, v] * corners[j, v, 2]
                            value += few_w[k] * areas[j] / math.sqrt(ux * ux + uy * uy + uz * uz)
                    for r in range(q.shape[0]):
                        out[r, i] += quarter * q[r, j] * value
