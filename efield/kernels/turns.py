"""Try a coil at all angles over a place on the scalp: its stand-off, and the field it needs to be asked for."""

from __future__ import annotations

import math

import numpy as np
from numba import prange
from numpy.typing import NDArray

from efield._jit import kernel
from efield.kernels.placement import add_columns, cubic_weights

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


@kernel
def stand_off_of_turns(
    out: F64,
    bump: F64,
    frames: F64,
    contacts: F64,
    cosines: F64,
    sines: F64,
    scalp: F64,
    height: F64,
    corner: F64,
    step: float,
    ring_most: F64,
    ring_least: F64,
) -> None:
    """Find, for all angles at each contact, how far a coil must move back so that its casing only just touches.

    Gives the same as `efield.kernels.placement.stand_off` for each turned frame; points of the scalp that cannot decide
    at any angle are left out first.

    Parameters
    ----------
    out : ndarray, shape (n_contacts, n_angles)
        Distance (mm) from the contact back along -z.
    bump : ndarray, shape (n_contacts,)
        Greatest height (-z, mm) of the scalp over the contact's plane, as far as rings reach.
    frames, contacts : ndarray, shape (n_contacts, 3, 3), (n_contacts, 3)
        Coil axes at the angle 0 as columns, and points of the scalp (mm).
    cosines, sines : ndarray, shape (n_angles,)
        Of the angles; the coil's axes are x' = cos x - sin y, y' = cos y + sin x.
    scalp : ndarray, shape (n_points, 3)
        Points of the scalp (mm).
    height, corner, step
        Height map of the casing, as in `stand_off`.
    ring_most, ring_least : ndarray, shape (n_rings,)
        Greatest and least height of the casing at distances from the axis of k * step to (k + 1) * step; at least,
        -inf where the casing does not go all around.
    """
    n_rings = ring_most.shape[0]
    for i in prange(contacts.shape[0]):
        x = np.empty(scalp.shape[0])
        y = np.empty(scalp.shape[0])
        z = np.empty(scalp.shape[0])
        most = np.empty(scalp.shape[0])
        count = 0
        least = -1e300
        highest = -1e300
        for p in range(scalp.shape[0]):
            dx = scalp[p, 0] - contacts[i, 0]
            dy = scalp[p, 1] - contacts[i, 1]
            dz = scalp[p, 2] - contacts[i, 2]
            a = frames[i, 0, 0] * dx + frames[i, 1, 0] * dy + frames[i, 2, 0] * dz
            b = frames[i, 0, 1] * dx + frames[i, 1, 1] * dy + frames[i, 2, 1] * dz
            ring = math.floor(math.sqrt(a * a + b * b) / step)
            if ring >= n_rings:
                continue
            c = frames[i, 0, 2] * dx + frames[i, 1, 2] * dy + frames[i, 2, 2] * dz
            highest = max(highest, -c)
            if ring_most[ring] - c <= least:
                continue
            least = max(least, ring_least[ring] - c)
            x[count] = a
            y[count] = b
            z[count] = c
            most[count] = ring_most[ring] - c
            count += 1
        bump[i] = highest
        for j in range(cosines.shape[0]):
            best = -1e300
            for p in range(count):
                if most[p] <= best or most[p] <= least:
                    continue
                u = math.floor((cosines[j] * x[p] - sines[j] * y[p] - corner[0]) / step)
                v = math.floor((cosines[j] * y[p] + sines[j] * x[p] - corner[1]) / step)
                if u < 0 or v < 0 or u >= height.shape[0] or v >= height.shape[1]:
                    continue
                best = max(best, height[u, v] - z[p])
            out[i, j] = max(best, least)


@kernel
def field_at_nodes(out: F32, rotations: F64, origins: F64, nodes: F64, table: F32, corner: F64, step: float) -> None:
    """Interpolate a tabulated field at the nodes of every pose, in the pose's own axes.

    Parameters
    ----------
    out : ndarray, shape (n_poses, n_functionals, 3 * n_nodes)
        Components x, y, z of each node side by side.
    rotations, origins : ndarray, shape (n_poses, 3, 3), (n_poses, 3)
        Poses (mm).
    nodes : ndarray, shape (n_nodes, 3)
        In the coil's frame (mm).
    table, corner, step
        As in `efield.kernels.placement.functional_of_poses`. NaN results for nodes that lie outside.
    """
    n_functionals = table.shape[3]
    width = 3 * n_functionals
    flat = table.reshape(-1)
    for i in prange(rotations.shape[0]):
        wx = np.empty(4)
        wy = np.empty(4)
        wz = np.empty(4)
        field = np.empty((n_functionals, 3))
        column = np.empty(4 * width, dtype=np.float32)
        for q in range(nodes.shape[0]):
            x = origins[i, 0]
            y = origins[i, 1]
            z = origins[i, 2]
            for d in range(3):
                x += rotations[i, 0, d] * nodes[q, d]
                y += rotations[i, 1, d] * nodes[q, d]
                z += rotations[i, 2, d] * nodes[q, d]
            x = (x - corner[0]) / step
            y = (y - corner[1]) / step
            z = (z - corner[2]) / step
            a = math.floor(x)
            b = math.floor(y)
            c = math.floor(z)
            inside = 1 <= a < table.shape[0] - 2 and 1 <= b < table.shape[1] - 2 and 1 <= c < table.shape[2] - 2
            if not inside:
                for f in range(n_functionals):
                    for d in range(3):
                        out[i, f, 3 * q + d] = math.nan
                continue
            cubic_weights(x - a, wx)
            cubic_weights(y - b, wy)
            cubic_weights(z - c, wz)
            add_columns(column, flat, wx, wy, a, b, c, table.shape[1], table.shape[2])
            for f in range(n_functionals):
                for d in range(3):
                    node = 3 * f + d
                    field[f, d] = (
                        wz[0] * column[node]
                        + wz[1] * column[width + node]
                        + wz[2] * column[2 * width + node]
                        + wz[3] * column[3 * width + node]
                    )
            for f in range(n_functionals):
                for d in range(3):
                    out[i, f, 3 * q + d] = (
                        rotations[i, 0, d] * field[f, 0]
                        + rotations[i, 1, d] * field[f, 1]
                        + rotations[i, 2, d] * field[f, 2]
                    )
