"""Try coil placements: how far the casing must stand off, and what a tabulated reciprocal field gives."""

from __future__ import annotations

import math

import numpy as np
from numba import prange
from numpy.typing import NDArray

from efield._jit import inline, kernel

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


@kernel
def stand_off(out: F64, rotations: F64, origins: F64, scalp: F64, height: F64, corner: F64, step: float) -> None:
    """Find how far a coil must move back along its own axis so that its casing only just touches the scalp.

    Parameters
    ----------
    out : ndarray, shape (n_poses,)
        Distance (mm) from `origins` back along -z.
    rotations, origins : ndarray, shape (n_poses, 3, 3), (n_poses, 3)
        Poses; columns of a rotation are the coil's axes in the head's space.
    scalp : ndarray, shape (n_points, 3)
        Points of the scalp (mm).
    height : ndarray, shape (n_x, n_y)
        Greatest z of the casing over a cell of the coil's x-y plane (mm); -inf beside it.
    corner, step : ndarray, shape (2,), float
        Lower corner of the first cell and edge of a cell (mm).
    """
    for i in prange(rotations.shape[0]):
        best = -1e300
        for p in range(scalp.shape[0]):
            dx = scalp[p, 0] - origins[i, 0]
            dy = scalp[p, 1] - origins[i, 1]
            dz = scalp[p, 2] - origins[i, 2]
            x = rotations[i, 0, 0] * dx + rotations[i, 1, 0] * dy + rotations[i, 2, 0] * dz
            u = math.floor((x - corner[0]) / step)
            if u < 0 or u >= height.shape[0]:
                continue
            y = rotations[i, 0, 1] * dx + rotations[i, 1, 1] * dy + rotations[i, 2, 1] * dz
            v = math.floor((y - corner[1]) / step)
            if v < 0 or v >= height.shape[1]:
                continue
            z = rotations[i, 0, 2] * dx + rotations[i, 1, 2] * dy + rotations[i, 2, 2] * dz
            # The other side of the head lies under the casing too, but deep below it (z > 0).
            best = max(best, height[u, v] - z)
        out[i] = best


@inline
def cubic_weights(t: float, w: F64) -> None:
    """Fill the four Lagrange weights for nodes -1..2 at 0 <= t < 1."""
    a = t + 1.0
    b = t - 1.0
    c = t - 2.0
    w[0] = -t * b * c / 6.0
    w[1] = a * b * c / 2.0
    w[2] = -a * t * c / 2.0
    w[3] = a * t * b / 6.0


@inline
def add_columns(column: F32, flat: F32, wx: F64, wy: F64, a: int, b: int, c: int, ny: int, nz: int) -> None:
    """Fill `column` with the values at c-1..c+2, one after the other, interpolated along the first two axes."""
    length = column.shape[0]
    width = length // 4
    for t in range(length):
        column[t] = np.float32(0.0)
    # Four nodes along z lie side by side in memory: 16 runs over them instead of 64 short ones.
    for j in range(4):
        for k in range(4):
            weight = np.float32(wx[j] * wy[k])
            start = (((a + j - 1) * ny + (b + k - 1)) * nz + (c - 1)) * width
            for t in range(length):
                column[t] += weight * flat[start + t]


@kernel
def functional_of_poses(
    out: F64,
    rotations: F64,
    origins: F64,
    positions: F64,
    moments: F64,
    table: F32,
    corner: F64,
    step: float,
) -> None:
    """Sum moment . H(position) over the coil's dipoles for every pose, H interpolated from a table.

    Parameters
    ----------
    out : ndarray, shape (n_poses, n_functionals)
        Sums.
    rotations, origins : ndarray, shape (n_poses, 3, 3), (n_poses, 3)
        Poses.
    positions, moments : ndarray, shape (n_dipoles, 3)
        Dipoles in the coil's frame.
    table : ndarray, shape (n_x, n_y, n_z, n_functionals, 3)
        H at the nodes corner + step * index; cubic Lagrange interpolation along each axis.
    corner, step : ndarray, shape (3,), float
        First node and spacing (mm). Every dipole must lie at least one node inside the table.
    """
    n_functionals = out.shape[1]
    width = 3 * n_functionals
    flat = table.reshape(-1)
    for i in prange(rotations.shape[0]):
        wx = np.empty(4)
        wy = np.empty(4)
        wz = np.empty(4)
        column = np.empty(4 * width, dtype=np.float32)
        for f in range(n_functionals):
            out[i, f] = 0.0
        for s in range(positions.shape[0]):
            x = origins[i, 0]
            y = origins[i, 1]
            z = origins[i, 2]
            mx = 0.0
            my = 0.0
            mz = 0.0
            for d in range(3):
                x += rotations[i, 0, d] * positions[s, d]
                y += rotations[i, 1, d] * positions[s, d]
                z += rotations[i, 2, d] * positions[s, d]
                mx += rotations[i, 0, d] * moments[s, d]
                my += rotations[i, 1, d] * moments[s, d]
                mz += rotations[i, 2, d] * moments[s, d]
            x = (x - corner[0]) / step
            y = (y - corner[1]) / step
            z = (z - corner[2]) / step
            a = math.floor(x)
            b = math.floor(y)
            c = math.floor(z)
            cubic_weights(x - a, wx)
            cubic_weights(y - b, wy)
            cubic_weights(z - c, wz)
            add_columns(column, flat, wx, wy, a, b, c, table.shape[1], table.shape[2])
            for f in range(n_functionals):
                for m in range(4):
                    node = m * width + 3 * f
                    out[i, f] += wz[m] * (mx * column[node] + my * column[node + 1] + mz * column[node + 2])
