"""How far two casings are apart, from a table of distances to one and points on the other."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from efield._jit import inline, serial

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@inline
def _distance(point: F64, table: F32, corner: F64, step: float, box: F64) -> float:
    """Return the distance to the first casing at a point in its frame; beside the table, that to its box."""
    a = (point[0] - corner[0]) / step
    b = (point[1] - corner[1]) / step
    c = (point[2] - corner[2]) / step
    i = math.floor(a)
    j = math.floor(b)
    k = math.floor(c)
    if i < 0 or j < 0 or k < 0 or i + 1 >= table.shape[0] or j + 1 >= table.shape[1] or k + 1 >= table.shape[2]:
        square = 0.0
        for axis in range(3):
            beside = max(box[0, axis] - point[axis], point[axis] - box[1, axis], 0.0)
            square += beside * beside
        return math.sqrt(square)
    a -= i
    b -= j
    c -= k
    low = (1.0 - a) * ((1.0 - b) * table[i, j, k] + b * table[i, j + 1, k])
    low += a * ((1.0 - b) * table[i + 1, j, k] + b * table[i + 1, j + 1, k])
    high = (1.0 - a) * ((1.0 - b) * table[i, j, k + 1] + b * table[i, j + 1, k + 1])
    high += a * ((1.0 - b) * table[i + 1, j, k + 1] + b * table[i + 1, j + 1, k + 1])
    return float((1.0 - c) * low + c * high)


@serial
def least_distance(
    rotation: F64,
    shift: F64,
    centres: F64,
    radii: F64,
    starts: I64,
    points: F64,
    table: F32,
    corner: F64,
    step: float,
    box: F64,
    stop: float,
    most: float,
) -> float:
    """Return the least tabulated distance of some points to a casing.

    Parameters
    ----------
    rotation, shift : ndarray, shape (3, 3), (3,)
        From the points' frame to the table's (mm).
    centres, radii, starts : ndarray, shape (n_groups, 3), (n_groups,), (n_groups + 1,)
        Balls around groups of points, and where each group begins.
    points : ndarray, shape (n_points, 3)
        Group by group (mm).
    table, corner, step
        Distances at corner + step * index, interpolated linearly along each axis.
    box : ndarray, shape (2, 3)
        Least and greatest coordinates of the casing.
    stop : float
        As soon as a distance below this is found it is returned: the casings are too near anyhow.
    most : float
        Distances beyond this are returned as this.
    """
    least = most
    # Distances differ by no more than their points do; interpolation adds up to half the diagonal of a cell, twice.
    slack = 1.7320508075688772 * step
    at = np.empty(3)
    for g in range(radii.shape[0]):
        for axis in range(3):
            at[axis] = shift[axis]
            for d in range(3):
                at[axis] += rotation[axis, d] * centres[g, d]
        if _distance(at, table, corner, step, box) - radii[g] - slack >= least:
            continue
        for p in range(starts[g], starts[g + 1]):
            for axis in range(3):
                at[axis] = shift[axis]
                for d in range(3):
                    at[axis] += rotation[axis, d] * points[p, d]
            least = min(least, _distance(at, table, corner, step, box))
            if least < stop:
                return least
    return least


@inline
def _touches(
    rotation: F64, shift: F64, probes: F64, order: I64, table: F32, corner: F64, step: float, box: F64, near: float
) -> bool:
    """Return whether one of a few points is too near; the point that was is asked first the next time."""
    at = np.empty(3)
    for n in range(order.shape[0]):
        g = order[n]
        for axis in range(3):
            at[axis] = shift[axis]
            for d in range(3):
                at[axis] += rotation[axis, d] * probes[g, d]
        if _distance(at, table, corner, step, box) < near:
            before = n // 2
            order[n], order[before] = order[before], g
            return True
    return False


@serial
def next_pair(
    state: F64,
    order: I64,
    last: int,
    total: bool,
    first_values: F64,
    second_values: F64,
    first_rotations: F64,
    first_origins: F64,
    second_rotations: F64,
    second_origins: F64,
    probes: F64,
    centres: F64,
    radii: F64,
    starts: I64,
    points: F64,
    table: F32,
    corner: F64,
    step: float,
    box: F64,
    clear: float,
    near: float,
    apart: float,
) -> int:
    """Go on through the pairs of placements of two coils to the next that may be better than the best so far.

    Parameters
    ----------
    state : ndarray, shape (5,)
        Best value so far; first and second placement to look at next; how many pairs were looked at; and, on return 1
        or 2, the value of the pair found. Changed in place.
    order : ndarray, shape (n_groups,)
        In which order the points that stand for the groups are asked whether they are too near. Changed in place.
    last : int
        Row of the first coil to stop before.
    total : bool
        Whether the sum counts, or the lesser of both values.
    first_values, second_values : ndarray, shape (n,), (m,)
        In descending order.
    first_rotations, first_origins, second_rotations, second_origins : ndarray
        Placements, shapes (n, 3, 3), (n, 3), (m, 3, 3), (m, 3) (mm).
    probes : ndarray, shape (n_groups, 3)
        A point of each group (mm).
    centres, radii, starts, points, table, corner, step, box
        Points on the second casing and distances to the first; see `least_distance`.
    clear, near : float
        A tabulated distance of at least `clear` is far enough for certain, one below `near` certainly is not (mm).
    apart : float
        Coils whose origins are so far apart are far enough for certain (mm).

    Returns
    -------
    int
        1 if the pair in `state` is better and far enough apart; 2 if it is better and undecided; 0 if there is none up
        to `last`; 3 if no pair from here on can be better.
    """
    rotation = np.empty((3, 3))
    shift = np.empty(3)
    delta = np.empty(3)
    i = int(state[1])
    j = int(state[2])
    while i < last:
        value = first_values[i] + second_values[0] if total else min(first_values[i], second_values[0])
        if value <= state[0]:
            return 3
        while j < second_values.shape[0]:
            value = first_values[i] + second_values[j] if total else min(first_values[i], second_values[j])
            if value <= state[0]:
                break
            state[3] += 1
            square = 0.0
            for axis in range(3):
                delta[axis] = second_origins[j, axis] - first_origins[i, axis]
                square += delta[axis] ** 2
            least = clear
            if square < apart**2:
                for a in range(3):
                    shift[a] = 0.0
                    for d in range(3):
                        shift[a] += first_rotations[i, d, a] * delta[d]
                    for b in range(3):
                        rotation[a, b] = 0.0
                        for d in range(3):
                            rotation[a, b] += first_rotations[i, d, a] * second_rotations[j, d, b]
                least = -math.inf
                if not _touches(rotation, shift, probes, order, table, corner, step, box, near):
                    least = least_distance(
                        rotation, shift, centres, radii, starts, points, table, corner, step, box, near, clear
                    )
            if least >= near:
                state[1], state[2], state[4] = i, j, value
                return 1 if least >= clear else 2
            j += 1
        i += 1
        j = 0
        state[1], state[2] = i, 0
    return 0
