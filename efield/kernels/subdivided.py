"""What splitting every triangle would change at a few points: curved children with varying charge, less the parent."""

from __future__ import annotations

import math

import numpy as np
from numba import prange
from numpy.typing import NDArray

from efield._jit import inline, kernel
from efield.kernels.panels import triangle_field

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]

CHUNK = 512
"""Triangles whose effects are summed before they are added to the others': the same for any number of threads."""

_NEAR = 5.0
"""Triangles closer than this many of their radii are summed in closed form, others as points: 3e-4 of the sum."""


@inline
def _bent_middle(corners: F64, k: int, v: int, vertices: F64, normals: F64, a: int, b: int) -> None:
    """Store the middle of the curve from vertex a to b in corners[k, v]; see `meshes.refine.bent_middles`."""
    rise_a = 0.0
    rise_b = 0.0
    for d in range(3):
        step = vertices[b, d] - vertices[a, d]
        rise_a += step * normals[a, d]
        rise_b += step * normals[b, d]
    for d in range(3):
        corners[k, v, d] = 0.5 * (vertices[a, d] + vertices[b, d]) - 0.125 * (
            rise_a * normals[a, d] - rise_b * normals[b, d]
        )


@inline
def _panels(corners: F64, vertices: F64, vertex_normals: F64, a: int, b: int, c: int) -> None:
    """Fill `corners`, shape (5, 3, 3), with the four curved children of a triangle and the triangle itself."""
    _bent_middle(corners, 3, 0, vertices, vertex_normals, b, c)
    _bent_middle(corners, 3, 1, vertices, vertex_normals, c, a)
    _bent_middle(corners, 3, 2, vertices, vertex_normals, a, b)
    for d in range(3):
        corners[4, 0, d] = vertices[a, d]
        corners[4, 1, d] = vertices[b, d]
        corners[4, 2, d] = vertices[c, d]
        for v in range(3):
            corners[v, v, d] = corners[4, v, d]
            corners[v, (v + 1) % 3, d] = corners[3, (v + 2) % 3, d]
            corners[v, (v + 2) % 3, d] = corners[3, (v + 1) % 3, d]


@inline
def _sizes(areas: F64, normals: F64, centres: F64, corners: F64) -> float:
    """Fill areas, normals and centres of five panels; return the greatest distance of a corner from the last centre."""
    for k in range(5):
        ux = corners[k, 1, 0] - corners[k, 0, 0]
        uy = corners[k, 1, 1] - corners[k, 0, 1]
        uz = corners[k, 1, 2] - corners[k, 0, 2]
        vx = corners[k, 2, 0] - corners[k, 0, 0]
        vy = corners[k, 2, 1] - corners[k, 0, 1]
        vz = corners[k, 2, 2] - corners[k, 0, 2]
        nx = uy * vz - uz * vy
        ny = uz * vx - ux * vz
        nz = ux * vy - uy * vx
        twice = math.sqrt(nx * nx + ny * ny + nz * nz)
        areas[k] = 0.5 * twice
        normals[k, 0] = nx / twice
        normals[k, 1] = ny / twice
        normals[k, 2] = nz / twice
        for d in range(3):
            centres[k, d] = (corners[k, 0, d] + corners[k, 1, d] + corners[k, 2, d]) / 3.0
    worst = 0.0
    for v in range(3):
        r2 = 0.0
        for d in range(3):
            r2 += (corners[4, v, d] - centres[4, d]) ** 2
        worst = max(worst, r2)
    return math.sqrt(worst)


@inline
def _child_charges(charges: F64, areas: F64, mean: float, qa: float, qb: float, qc: float) -> None:
    """Fill densities of four children, linear between the corners' but with the parent's as their mean; and -mean."""
    middle = (qa + qb + qc) / 3.0
    charges[0] = 0.5 * (qa + middle)
    charges[1] = 0.5 * (qb + middle)
    charges[2] = 0.5 * (qc + middle)
    charges[3] = middle
    total = 0.0
    area = 0.0
    for k in range(4):
        total += areas[k] * charges[k]
        area += areas[k]
    for k in range(4):
        charges[k] += mean - total / area
    charges[4] = -mean


@inline
def _near_change(corners: F64, normals: F64, charges: F64, x: float, y: float, z: float) -> tuple[float, float, float]:
    """Return the field (times 4 pi) of the five panels at a point in closed form."""
    ex = 0.0
    ey = 0.0
    ez = 0.0
    for k in range(5):
        fx, fy, fz = triangle_field(corners, normals, k, x, y, z)
        ex += charges[k] * fx
        ey += charges[k] * fy
        ez += charges[k] * fz
    return ex, ey, ez


@inline
def _far_change(
    corners: F64, centres: F64, areas: F64, charges: F64, x: float, y: float, z: float
) -> tuple[float, float, float]:
    """Return the same from afar: each child a point, and the parent four points so that both have one error."""
    ex = 0.0
    ey = 0.0
    ez = 0.0
    quarter = 0.25 * areas[4] * charges[4]
    for k in range(4):
        dx = x - centres[k, 0]
        dy = y - centres[k, 1]
        dz = z - centres[k, 2]
        r2 = dx * dx + dy * dy + dz * dz
        scale = areas[k] * charges[k] / (r2 * math.sqrt(r2))
        ex += scale * dx
        ey += scale * dy
        ez += scale * dz
        # The centre of flat child k lies half way between the parent's centre and corner; the middle one's is its own.
        px = centres[4, 0]
        py = centres[4, 1]
        pz = centres[4, 2]
        if k < 3:
            px = 0.5 * (px + corners[4, k, 0])
            py = 0.5 * (py + corners[4, k, 1])
            pz = 0.5 * (pz + corners[4, k, 2])
        dx = x - px
        dy = y - py
        dz = z - pz
        r2 = dx * dx + dy * dy + dz * dz
        scale = quarter / (r2 * math.sqrt(r2))
        ex += scale * dx
        ey += scale * dy
        ez += scale * dz
    return ex, ey, ez


@kernel
def splitting_change(
    partial: F64,
    effect: F64,
    points: F64,
    weights: F64,
    vertices: F64,
    triangles: I32,
    vertex_normals: F64,
    vertex_charges: F64,
    charge: F64,
) -> None:
    """Compute how the field at points changes if every triangle is split into four curved ones with their own charges.

    Children have their corners on the surface and on the curves between them (`meshes.refine.bent_middles`), and
    densities linear in between those of the vertices, shifted to the parent's mean.

    Parameters
    ----------
    partial : ndarray, shape (ceil(n_triangles / 512), n_points, 3)
        Output: its sum over the first axis is the field of the children less that of the parents (V/m).
    effect : ndarray, shape (n_triangles,)
        Output: weighted sum over the points of the squared change that each triangle makes alone.
    points : ndarray, shape (n_points, 3)
        Points (mm), on no triangle and no child.
    weights : ndarray, shape (n_points,)
        Weights of `effect`.
    vertices, triangles : ndarray, shape (n_vertices, 3), (n_triangles, 3)
        The surface (mm).
    vertex_normals, vertex_charges : ndarray, shape (n_vertices, 3), (n_vertices,)
        Unit normal and charge density (V/m) at each vertex.
    charge : ndarray, shape (n_triangles,)
        The density that is constant on each triangle (V/m).
    """
    scale = 1.0 / (4.0 * math.pi)
    for chunk in prange(partial.shape[0]):
        corners = np.empty((5, 3, 3))
        normals = np.empty((5, 3))
        centres = np.empty((5, 3))
        areas = np.empty(5)
        charges = np.empty(5)
        partial[chunk] = 0.0
        for t in range(CHUNK * chunk, min(CHUNK * (chunk + 1), triangles.shape[0])):
            a = triangles[t, 0]
            b = triangles[t, 1]
            c = triangles[t, 2]
            _panels(corners, vertices, vertex_normals, a, b, c)
            reach = _NEAR * _sizes(areas, normals, centres, corners)
            _child_charges(charges, areas, charge[t], vertex_charges[a], vertex_charges[b], vertex_charges[c])
            total = 0.0
            for i in range(points.shape[0]):
                x = points[i, 0]
                y = points[i, 1]
                z = points[i, 2]
                r2 = (x - centres[4, 0]) ** 2 + (y - centres[4, 1]) ** 2 + (z - centres[4, 2]) ** 2
                if r2 < reach * reach:
                    ex, ey, ez = _near_change(corners, normals, charges, x, y, z)
                else:
                    ex, ey, ez = _far_change(corners, centres, areas, charges, x, y, z)
                partial[chunk, i, 0] += scale * ex
                partial[chunk, i, 1] += scale * ey
                partial[chunk, i, 2] += scale * ez
                total += weights[i] * (ex * ex + ey * ey + ez * ez)
            effect[t] = scale * scale * total
