"""Fit dipoles to the potential of any sources on a surface around them, to a measured error.

Outside the sources each Cartesian component of A, and of the difference of two A, is harmonic and vanishes far away, so
that the length of the difference has its maximum on the boundary: an error found on the surface at some distance around
all sources, old and new, bounds that of the primary field everywhere further out. So dipoles are fitted there and the
error is measured there, on other points. The new dipoles' places are centres of clusters of the old sources, evenly
spread; all three components of their moments are free.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from coils.potential import dipole_potential
from coils.wires import thinned
from meshes.arrays import FloatArray

__all__ = ["Sample", "fewest_dipoles", "fit_dipoles", "middle", "offset_points", "relative_maximum"]

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

# Points and the exact potential there, both shape (n, 3).
Sample = tuple[FloatArray, FloatArray]

_log = logging.getLogger(__name__)

# Spacing of the points of fit and check on the surface, as a share of its distance. Errors of a set of dipoles die out
# at that distance unless their wavelength is at least about as long.
_FIT, _CHECK = 0.5, 0.25

# Weight of the moments' squares beside those of the error, as a share of the normal matrix' mean diagonal: keeps the
# moments small where the surface hardly sees them; below the error by far.
_RIDGE = 1e-13

# More dipoles than this are no reduction that is worth its time: the normal matrix has three rows for each.
_MOST = 1200

# Moving the dipoles gains at most a factor of about ten; above so many the steps take longer than they save.
_GAIN, _MOVED, _STEPS = 15.0, 320, 12

# After a third of the steps an error of so many times the wanted one is given up: each later step gains about 10 %.
_HOPELESS = 3.0

# Nodes of the lattice from which the points on the surface come: 0.3 GB with their distances.
_NODES = 1e7

# How far from the nearest source a dipole may be, as a share of the distance: clusters' centres on a curved region and
# between the dipoles of a measured coil are off it.
_STRAY = 0.3

_ROUNDS = 25  # of Lloyd's iteration: the centres then move by less than a few per cent of their distance

# Cosine to +z of the surface's normal that counts as the head's side.
_HEADWARD = 0.35


def middle(cloud: FloatArray, distance: float) -> FloatArray:
    """Draw a cloud of points towards the middle of what is thin beside `distance`, and thin it (mm).

    Each point moves to the mean of its neighbours, across the sheet that they make and not along it: a plate's points
    end in its mid plane, since one layer of dipoles stands for a thickness that the field at `distance` does not
    resolve, see `coils.quadrature`; but its rim stays where it is. A turn's field is that of its rim, and dipoles that
    all lie inside it would take moments without bound to make up for those that are missing.
    """
    from scipy.spatial import cKDTree  # here, so that importing the package loads no SciPy

    cloud = thinned(cloud, 0.2 * distance)
    tree = cKDTree(cloud)
    flattened = np.empty_like(cloud)
    for index, point in enumerate(cloud):
        near = cloud[tree.query_ball_point(point, distance)]
        spread = near - near.mean(axis=0)
        across = np.linalg.eigh(spread.T @ spread)[1][:, 0]
        close = near[np.linalg.norm(near - point, axis=1) <= 0.5 * distance]
        flattened[index] = point + ((close.mean(axis=0) - point) @ across) * across
    return thinned(flattened, 0.25 * distance)


def relative_maximum(found: FloatArray, exact: FloatArray) -> float:
    """Return the greatest length of a difference over the greatest length of the exact vectors, both shape (n, 3)."""
    return float(np.linalg.norm(found - exact, axis=1).max() / np.linalg.norm(exact, axis=1).max())


def offset_points(sources: FloatArray, distance: float, spacing: float, *, shift: float = 0.0) -> FloatArray:
    """Return points on the surface at a distance around sources, about `spacing` apart.

    Parameters
    ----------
    sources : ndarray, shape (n_sources, 3)
        The sources (mm).
    distance, spacing : float
        Distance of the surface and spacing of the points (mm).
    shift : float, optional
        Moves the lattice from which the points come, in spacings, to get other points.

    Returns
    -------
    ndarray, shape (n, 3)
        Points whose nearest source is `distance` away (mm).

    Raises
    ------
    ValueError
        If so many points would be needed that a lattice of 10 million nodes does not hold them.

    Notes
    -----
    Nodes of a cubic lattice between `distance` and `distance` + `spacing` from their nearest source are moved straight
    towards it onto the surface. No other source is nearer then, by the triangle inequality.

    Examples
    --------
    >>> points = offset_points(np.zeros((1, 3)), 10.0, 5.0)
    >>> np.linalg.norm(points, axis=1).round(9).tolist() == [10.0] * len(points)
    True
    """
    from scipy.spatial import cKDTree  # here, so that importing the package loads no SciPy

    tree = cKDTree(sources)
    reach = distance + spacing
    low = np.floor((sources.min(axis=0) - reach) / spacing)
    counts = np.ceil((sources.max(axis=0) + reach) / spacing) - low + 2
    if counts.prod() > _NODES:
        raise ValueError(
            f"distance must be great enough for points over the whole surface, {np.ptp(sources, axis=0).max():.0f} mm "
            f"across; got {distance:g} mm. Ask for {distance * np.cbrt(counts.prod() / _NODES):.1g} mm or more."
        )
    nodes = np.stack(np.meshgrid(*[np.arange(n) for n in counts], indexing="ij"), axis=-1).reshape(-1, 3)
    nodes = (nodes + low + shift) * spacing
    gap, nearest = (np.asarray(found) for found in tree.query(nodes, distance_upper_bound=reach))
    kept = (gap >= distance) & np.isfinite(gap)
    origin = sources[nearest[kept]]
    points: FloatArray = origin + (distance / gap[kept])[:, None] * (nodes[kept] - origin)
    return points


def fit_dipoles(
    cloud: FloatArray,
    near: FloatArray,
    exact: Callable[[FloatArray], FloatArray],
    *,
    max_error: float,
    distance: float,
    head_side: bool = False,
) -> tuple[FloatArray, FloatArray, float]:
    """Find the fewest dipoles whose potential is that of some sources at a distance around them.

    Parameters
    ----------
    cloud : ndarray, shape (n, 3)
        Points, a third of `distance` apart or closer, that fill the region in which the dipoles may lie (mm).
    near : ndarray, shape (m, 3)
        The sources and the cloud: what the surface keeps its distance from (mm).
    exact : callable
        Gives the potential at points of shape (k, 3), without mu0/4pi.
    max_error : float
        Wanted error.
    distance : float
        Distance at which it is wanted (mm).
    head_side : bool, optional
        Fit and measure only where the surface's normal is within 70 degrees of +z.

    Returns
    -------
    positions, moments : ndarray, shape (n_dipoles, 3)
        Positions (mm) and moments (mm^2).
    error : float
        Greatest length of the difference over the greatest length of A, on points of fit and of check.

    Raises
    ------
    ValueError
        If 1200 dipoles, or as many as the cloud has points, do not reach `max_error`.
    """
    samples = []
    # The part that is fitted reaches over the edge of the one that is checked, and is sampled more closely, since there
    # the moments are not held by the other side.
    fit = (0.8 * _FIT, 0.5 * _HEADWARD) if head_side else (_FIT, -1.0)
    for spacing, shift, headward in ((fit[0], 0.0, fit[1]), (_CHECK, 0.5, _HEADWARD if head_side else -1.0)):
        # In front alone nothing bounds the error further out, so that it is fitted and measured there as well.
        layers = (1.0, 2.0, 4.0) if head_side else (1.0,)
        points = np.concatenate([_surface(near, k * distance, spacing, shift, headward) for k in layers])
        samples.append((points, exact(points)))
    return fewest_dipoles(cloud, near, samples, max_error, distance)


def fewest_dipoles(
    cloud: FloatArray, near: FloatArray, samples: Sequence[Sample], max_error: float, distance: float
) -> tuple[FloatArray, FloatArray, float]:
    """Search the number of dipoles: doubled until it is enough, then halved in between, to 4 %."""
    from scipy.spatial import cKDTree  # here, so that importing the package loads no SciPy

    tree = cKDTree(near)
    # No more unknowns than half of the equations, so that the fit cannot follow the points alone.
    most = int(min(_MOST, len(cloud), len(samples[0][0]) // 2))

    def trial(count: int) -> tuple[FloatArray, FloatArray, float]:
        positions = _held(_clusters(cloud, count), tree, distance)
        moments = _moments(*samples[0], positions)
        error = _worst(samples, positions, moments)
        if max_error < error < _GAIN * max_error and count <= _MOVED:
            positions, moments, error = _moved(tree, samples, positions, moments, max_error, distance)
        _log.debug("%d dipoles: error %.3g", count, error)
        return positions, moments, error

    failed, reached = 0, np.inf
    count = min(8, most)
    best = trial(count)
    while best[2] > max_error:
        reached = min(reached, best[2])
        if count == most:
            raise ValueError(
                f"max_error must be at least {reached:.2g}, the best that up to {most} dipoles reach at {distance:g} "
                f"mm; got {max_error:g}. Ask for less, or keep the coil as it is."
            )
        failed, count = count, min(2 * count, most)
        best = trial(count)
    while len(best[0]) - failed > 1 + len(best[0]) // 25:
        count = (len(best[0]) + failed) // 2
        result = trial(count)
        if result[2] <= max_error:
            best = result
        else:
            failed = count
    return best


def _worst(samples: Sequence[Sample], positions: FloatArray, moments: FloatArray) -> float:
    """Return the greatest error over all samples, relative to the greatest potential."""
    errors = [np.linalg.norm(dipole_potential(p, positions, moments) - a, axis=1).max() for p, a in samples]
    return float(max(errors) / max(np.linalg.norm(a, axis=1).max() for _, a in samples))


def _moved(
    tree: cKDTree,
    samples: Sequence[Sample],
    positions: FloatArray,
    moments: FloatArray,
    max_error: float,
    distance: float,
) -> tuple[FloatArray, FloatArray, float]:
    """Move the dipoles by Levenberg and Marquardt's steps, near the sources, until their error is small enough."""
    points, target = samples[0]
    error = _worst(samples, positions, moments)
    trial: FloatArray
    trial_moments: FloatArray
    misfit = float(np.linalg.norm(dipole_potential(points, positions, moments) - target))
    damping = 1e-4
    for taken in range(_STEPS):
        if taken >= _STEPS // 3 and error > _HOPELESS * max_error:
            break
        jacobian = _jacobian(points, positions, moments)
        normal = jacobian.T @ jacobian
        # The second term keeps the matrix regular where a dipole's moment vanishes, and with it what moving it does.
        diagonal = normal.diagonal()
        normal[np.diag_indices(len(normal))] = (1.0 + damping) * diagonal + _RIDGE * diagonal.mean()
        gradient = jacobian.T @ (target - dipole_potential(points, positions, moments)).ravel()
        step = np.linalg.solve(normal, gradient).reshape(6, -1)[3:].T
        trial = positions + np.clip(step, -0.1 * distance, 0.1 * distance)
        trial = _held(trial, tree, distance)
        trial_moments = _moments(points, target, trial)
        trial_misfit = float(np.linalg.norm(dipole_potential(points, trial, trial_moments) - target))
        if trial_misfit >= misfit:
            damping *= 10.0
            continue
        positions, moments, misfit, damping = trial, trial_moments, trial_misfit, damping / 3.0
        error = _worst(samples, positions, moments)
        if error <= max_error:
            break
    return positions, moments, error


def _held(positions: FloatArray, tree: cKDTree, distance: float) -> FloatArray:
    """Draw positions back to what is near enough to the next source."""
    gap, nearest = (np.asarray(found) for found in tree.query(positions))
    near = np.asarray(tree.data)
    away = np.maximum(gap, _STRAY * distance)[:, None]
    held: FloatArray = near[nearest] + (_STRAY * distance / away) * (positions - near[nearest])
    return held


def _jacobian(points: FloatArray, positions: FloatArray, moments: FloatArray) -> FloatArray:
    """Differentiate the potential by moments and positions, shape (3 * n_points, 6 * n_dipoles)."""
    offset = points[:, None, :] - positions
    square = np.einsum("pdk,pdk->pd", offset, offset)
    weight = square**-1.5
    potential = np.cross(moments, offset) * (weight * 3.0 / square)[:, :, None]
    result = np.empty((len(points), 3, 6, len(positions)))
    for axis in range(3):
        unit = np.eye(3)[axis]
        result[:, :, axis] = (np.cross(unit, offset) * weight[:, :, None]).transpose(0, 2, 1)
        moved = potential * offset[:, :, axis, None] - np.cross(moments, unit) * weight[:, :, None]
        result[:, :, 3 + axis] = moved.transpose(0, 2, 1)
    return result.reshape(3 * len(points), -1)


def _surface(near: FloatArray, distance: float, spacing: float, shift: float, headward: float) -> FloatArray:
    points = offset_points(near, distance, spacing * distance, shift=shift)
    if headward <= -1.0:
        return points
    from scipy.spatial import cKDTree

    _, nearest = cKDTree(near).query(points)
    return np.ascontiguousarray(points[(points - near[nearest])[:, 2] >= headward * distance])


def _moments(points: FloatArray, target: FloatArray, positions: FloatArray) -> FloatArray:
    """Fit moments (mm^2) to potentials by least squares, from the normal equations, blocks of components at a time."""
    offset = points[:, None, :] - positions
    scaled = offset * (np.einsum("pdk,pdk->pd", offset, offset) ** -1.5)[:, :, None]
    x, y, z = (np.ascontiguousarray(scaled[:, :, axis]) for axis in range(3))
    # m x d = (m_y z - m_z y, m_z x - m_x z, m_x y - m_y x), so the matrix' blocks hold x, y and z only.
    xx, yy, zz, xy, yz, zx = x.T @ x, y.T @ y, z.T @ z, x.T @ y, y.T @ z, z.T @ x
    normal = np.block([[yy + zz, -xy.T, -zx], [-xy, zz + xx, -yz.T], [-zx.T, -yz, xx + yy]])
    a, b, c = target.T
    right = np.concatenate([y.T @ c - z.T @ b, z.T @ a - x.T @ c, x.T @ b - y.T @ a])
    normal[np.diag_indices(len(normal))] += _RIDGE * np.trace(normal) / len(normal)
    moments: FloatArray = np.ascontiguousarray(np.linalg.solve(normal, right).reshape(3, -1).T)
    return moments


def _clusters(cloud: FloatArray, count: int) -> FloatArray:
    """Return the centres of `count` clusters of points by Lloyd's iteration from evenly picked points."""
    from scipy.spatial import cKDTree

    if count == len(cloud):
        return cloud
    centres = cloud[_far_apart(cloud, count)]
    for _ in range(_ROUNDS):
        _, owner = cKDTree(centres).query(cloud)
        size = np.bincount(owner, minlength=count)
        sums = np.column_stack([np.bincount(owner, cloud[:, axis], minlength=count) for axis in range(3)])
        centres = np.where(size[:, None] > 0, sums / np.maximum(size, 1)[:, None], centres)
    return np.ascontiguousarray(centres)


def _far_apart(cloud: FloatArray, count: int) -> npt.NDArray[np.int64]:
    """Pick points, each the furthest from those before: the same for the same cloud, and evenly spread."""
    picked = np.empty(count, dtype=np.int64)
    gap = np.full(len(cloud), np.inf)
    following = int(np.linalg.norm(cloud - cloud.mean(axis=0), axis=1).argmin())
    for place in range(count):
        picked[place] = following
        gap = np.minimum(gap, np.linalg.norm(cloud - cloud[following], axis=1))
        following = int(gap.argmax())
    return picked
