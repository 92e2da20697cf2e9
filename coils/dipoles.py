"""Choose the fewest dipoles that stand for a coil's windings to a wanted accuracy, and measure it."""

from collections.abc import Iterator, Sequence

import numpy as np

from coils.domes import Rings, dome_depth, dome_rings
from coils.potential import dipole_potential
from coils.quadrature import ring_rule
from coils.windings import Wing
from meshes import arrays
from meshes.arrays import FloatArray, IntArray

__all__ = ["CHECK_DISTANCE", "dipole_error", "place_dipoles"]

# Distance (mm) from the winding's head-side face at which the error is stated: casing, hair and a little scalp. It dies
# out quickly below: the 70 mm coil's 0.1 % is 0.4 % at 7 mm, 0.015 % at 15 mm and 0.001 % at 25 mm.
CHECK_DISTANCE = 10.0

# Spacing of the points at which the error is measured (mm): well below that of the dipoles, which is about 9 mm, and no
# divisor of common coil sizes, so that points and dipoles do not fall into step.
_SPACING = 3.7

_MAX_RINGS = 14
_MIN_PER_RING = 3

# Step of the search in `digits` (see `_counts`): about 2 % of the dipoles.
_STEP = 0.2


def check_points(wings: Sequence[Wing], distance: float) -> FloatArray:
    """Return points at `distance` under the first wing's head-side face, shape (n, 3) (mm).

    A square grid out to `distance` beyond the winding's edge, without the points on the other wing's side of x = 0. The
    other wing and the points at y < 0 are left out because all coils of this package are symmetric there. In an opening
    that the head can reach into, the points follow the dome of the dipoles as well, at `distance` along the axis.
    """
    wing = wings[0]
    reach = wing.winding.outer_diameter / 2.0 + distance
    axis = np.arange(0.0, reach, _SPACING)
    x, y = (grid.ravel() for grid in np.meshgrid(np.concatenate([-axis[:0:-1], axis]), axis))
    inside = np.hypot(x, y) <= reach
    local = np.column_stack([x, y, np.full_like(x, distance)])[inside]
    if wing.dome > 0.0:
        bowl = local - np.column_stack([0.0 * local[:, :2], dome_depth(wing, np.hypot(local[:, 0], local[:, 1]))])
        local = np.concatenate([local, bowl[bowl[:, 2] < distance]])
    points = wing.pose.apply(local)
    return points if len(wings) == 1 else np.ascontiguousarray(points[points[:, 0] >= 0.0])


def dipole_error(
    wings: Sequence[Wing], positions: FloatArray, moments: FloatArray, *, distance: float = CHECK_DISTANCE
) -> float:
    """Measure how far a set of dipoles is from the exact field of the windings.

    Parameters
    ----------
    wings : sequence of Wing
        The windings, symmetric as `figure_of_eight` and `circular` build them.
    positions : ndarray, shape (n, 3)
        Positions of the dipoles (mm).
    moments : ndarray, shape (n, 3)
        Moments (A m^2 per A).
    distance : float, optional
        Distance of the plane from the winding's head-side face (mm).

    Returns
    -------
    float
        Greatest length of the difference of the primary fields -dA/dt of dipoles and turns over the plane `distance`
        below the wing, divided by the greatest field of the turns on it. The turns are integrated in closed form, with
        2 to 7 Gauss points each way over the wire's cross-section.

    Raises
    ------
    ValueError
        If `distance` is not positive.
    """
    points = check_points(wings, arrays.positive(distance, "distance"))
    return _relative_maximum(points, _exact(wings, points), positions, moments)


def place_dipoles(wings: Sequence[Wing], *, max_error: float) -> tuple[FloatArray, FloatArray, float]:
    """Choose the fewest dipoles whose error, as `dipole_error` defines it, is at most `max_error`.

    Parameters
    ----------
    wings : sequence of Wing
        The windings. Those that share one `Winding` get the same dipoles; layers of different turns get their own.
    max_error : float
        Wanted error at 10 mm, 0.001 for 0.1 %.

    Returns
    -------
    positions : ndarray, shape (n, 3)
        Positions (mm).
    moments : ndarray, shape (n, 3)
        Moments (A m^2 per A).
    error : float
        The error reached.

    Raises
    ------
    ValueError
        If `max_error` is not positive, or smaller than 14 rings per plane can reach.
    """
    wanted = arrays.positive(max_error, "max_error")
    groups: dict[int, list[Wing]] = {}
    for wing in wings:
        groups.setdefault(id(wing.winding), []).append(wing)
    if len(groups) == 1:
        return _place_alike(wings, wanted)
    share = wanted
    while True:
        # Each layer is within `share` of its own peak, 10 mm below itself. The peaks coincide nearly, not quite.
        parts = [_place_alike(group, share) for group in groups.values()]
        positions, moments = (np.concatenate([part[k] for part in parts]) for k in range(2))
        error = dipole_error(wings, positions, moments)
        if error <= wanted:
            return positions, moments, error
        share *= 0.7


def _place_alike(wings: Sequence[Wing], wanted: float) -> tuple[FloatArray, FloatArray, float]:
    """Do the work of `place_dipoles` for wings of one winding."""
    points = check_points(wings, CHECK_DISTANCE)
    exact = _exact(wings, points)
    best: tuple[FloatArray, FloatArray, float] | None = None
    reached = np.inf
    for rings in _rules(wings[0]):
        # Enough dipoles on each ring that only the rule itself can be at fault, but fewer than the best so far.
        low, high = 1.0, 6.0 - np.log(wanted)
        while best is not None and high > low and len(wings) * _counts(rings, high).sum() >= len(best[0]):
            high -= _STEP
        if high <= low:
            continue
        trial = _dipoles(wings, rings, high)
        error = _relative_maximum(points, exact, *trial)
        reached = min(reached, error)
        if error > wanted:
            continue
        best = (*trial, error)
        while high - low > _STEP:
            middle = (low + high) / 2.0
            trial = _dipoles(wings, rings, middle)
            error = _relative_maximum(points, exact, *trial)
            if error <= wanted:
                high, best = middle, (*trial, error)
            else:
                low = middle
    if best is None:
        raise ValueError(
            f"max_error must be at least {reached:.1g} for this winding, the best that {_MAX_RINGS} rings of dipoles "
            f"reach; got {wanted:g}."
        )
    return best


def _exact(wings: Sequence[Wing], points: FloatArray) -> FloatArray:
    total: FloatArray = np.sum([wing.potential(points) for wing in wings], axis=0)
    return total


def _relative_maximum(points: FloatArray, exact: FloatArray, positions: FloatArray, moments: FloatArray) -> float:
    # Moments in mm^2, as `coils.potential` wants them.
    difference = dipole_potential(points, positions, 1e6 * moments) - exact
    return float(np.linalg.norm(difference, axis=1).max() / np.linalg.norm(exact, axis=1).max())


def _rules(wing: Wing) -> Iterator[Rings]:
    layers = wing.winding.layers
    if wing.dome > 0.0:
        for opening in range(4, _MAX_RINGS - 2):
            for annulus in range(2, 5):
                yield dome_rings(wing, opening, annulus)
        return
    for planes in sorted({1, layers, 2 * layers}):
        for rings in range(2, _MAX_RINGS + 1):
            radii, heights, moments = ring_rule(wing.winding, rings, planes)
            yield Rings.flat(radii, heights, moments)


def _counts(rings: Rings, digits: float) -> IntArray:
    """Return the number of dipoles on each ring, shape (n_rings,).

    A ring of k dipoles differs from a smooth one, at a distance d, by its k-th harmonic, about e^(-k d / radius): so
    k = radius / d * `digits`, where the weak outer rings may have fewer by the logarithm of their moment.
    """
    strength = np.abs(rings.axial) / np.abs(rings.axial).max()
    wanted = rings.radii / (CHECK_DISTANCE - rings.behind) * (digits + np.log(strength))
    counts: IntArray = np.maximum(np.ceil(wanted), _MIN_PER_RING).astype(np.int32)
    return counts


def _dipoles(wings: Sequence[Wing], rings: Rings, digits: float) -> tuple[FloatArray, FloatArray]:
    """Spread the rings' moments over equal dipoles, as many as `_counts` says."""
    positions, moments = [], []
    for index, count in enumerate(_counts(rings, digits)):
        radius, height = rings.radii[index], rings.heights[index]
        angle = 2.0 * np.pi * (np.arange(count) + 0.5) / count  # symmetric about y = 0
        ring = np.column_stack([radius * np.cos(angle), radius * np.sin(angle), np.full_like(angle, height)])
        moment = np.tile([0.0, 0.0, rings.axial[index] / count], (len(angle), 1))
        if rings.radial[index] != 0.0:
            moment[:, :2] = rings.radial[index] / count * ring[:, :2] / radius
        positions.append(ring)
        moments.append(moment)
    local, local_moments = np.concatenate(positions), np.concatenate(moments)
    return (
        np.concatenate([wing.pose.apply(local) for wing in wings]),
        np.concatenate([wing.sense * wing.pose.apply_vectors(local_moments) for wing in wings]),
    )
