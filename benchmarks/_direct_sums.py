"""Direct sums over all triangles: what products are compared with, in accuracy and in time; a part of speed.py."""

import numba
import numpy as np
from numpy.typing import NDArray

import meshes
from efield.bem import quadrature

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@numba.njit(parallel=True, cache=True, error_model="numpy", fastmath={"contract", "reassoc"})
def _exact_rows(out, corners, rows, points, strength):  # type: ignore[no-untyped-def]
    """Fill out[k] with the sum over points of strength times the solid angle of triangle rows[k]."""
    for k in numba.prange(rows.shape[0]):
        p, q, r = corners[rows[k], 0], corners[rows[k], 1], corners[rows[k], 2]
        total = 0.0
        for s in range(points.shape[0]):
            x, y, z = points[s]
            ax, ay, az = p[0] - x, p[1] - y, p[2] - z
            bx, by, bz = q[0] - x, q[1] - y, q[2] - z
            cx, cy, cz = r[0] - x, r[1] - y, r[2] - z
            la = np.sqrt(ax * ax + ay * ay + az * az)
            lb = np.sqrt(bx * bx + by * by + bz * bz)
            lc = np.sqrt(cx * cx + cy * cy + cz * cz)
            over = ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)
            ab, bc, ca = ax * bx + ay * by + az * bz, bx * cx + by * cy + bz * cz, cx * ax + cy * ay + cz * az
            total += strength[s] * 2.0 * np.arctan2(over, la * lb * lc + ab * lc + bc * la + ca * lb)
        out[k] = total


def exact_rows(surface: meshes.Surface, rows: I64, charge: F64) -> F64:
    """Return K q for some rows: the exact solid angle of the row's triangle from 7 points of every other one."""
    points = quadrature.points_on(surface.corners, quadrature.SEVEN_POINTS).reshape(-1, 3)
    strength = np.tile(quadrature.SEVEN_WEIGHTS, len(surface.triangles)) * np.repeat(surface.areas * charge, 7)
    own = points.reshape(-1, 7, 3)[rows], strength.reshape(-1, 7)[rows]
    total, itself = np.empty(len(rows)), np.empty(1)
    _exact_rows(total, surface.corners, rows, points, strength)
    for k in range(len(rows)):  # a flat triangle has no normal field on itself
        _exact_rows(itself, surface.corners, rows[k : k + 1], own[0][k], own[1][k])
        total[k] -= itself[0]
    return total / (4.0 * np.pi * surface.areas[rows])


# Untyped, like the kernel above: numba infers the types.
@numba.njit(parallel=True, cache=True, error_model="numpy", fastmath={"contract", "reassoc"})
def point_sum(out, points, strength, chosen):  # type: ignore[no-untyped-def]
    """Fill out[k] with sum_j strength_j (x_i - x_j) / |x_i - x_j|^3 at i = chosen[k]; points (3, n), any precision."""
    zero = points.dtype.type(0)
    one = points.dtype.type(1)
    for k in numba.prange(chosen.shape[0]):
        i = chosen[k]
        x, y, z = points[0, i], points[1, i], points[2, i]
        ex, ey, ez = zero, zero, zero
        for part in range(2):  # all but the point itself, without a branch in the loop
            first = 0 if part == 0 else i + 1
            xs, ys, zs = points[0, first:], points[1, first:], points[2, first:]
            qs = strength[first:]
            for j in range(i if part == 0 else points.shape[1] - i - 1):
                dx, dy, dz = x - xs[j], y - ys[j], z - zs[j]
                inverse = one / np.sqrt(dx * dx + dy * dy + dz * dz)
                scale = qs[j] * inverse * inverse * inverse
                ex += scale * dx
                ey += scale * dy
                ez += scale * dz
        out[k, 0] = ex
        out[k, 1] = ey
        out[k, 2] = ez
