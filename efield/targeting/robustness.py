"""What errors of placement cost: the field at the target when the coil is not quite where it was meant to be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from coils import Coil
from efield.targeting.disturbed import Disturber
from efield.targeting.losses import LOW, Curve, Loss, Robustness, RobustnessMap
from efield.targeting.placement_errors import KINDS, UNITS, Moves, PlacementError, sample_normals
from efield.targeting.target import Target
from efield.targeting.target_field import TargetField
from meshes import Pose, arrays

if TYPE_CHECKING:
    from efield.targeting.result import SearchResult

F64 = NDArray[np.float64]
Score = Callable[[F64], F64]
"""From mean fields over the targets, shape (n_poses, n_targets, 3), to one number for each pose (V/m)."""

__all__ = ["Score", "map_of_result", "of_result", "robustness", "score_of"]

_AXES = {  # sizes of error that curves are drawn for, in mm or degrees, and the number of directions of each
    "position": (np.linspace(0.0, 15.0, 11), 16),
    "angle": (np.linspace(0.0, 45.0, 16), 2),
    "tilt": (np.linspace(0.0, 15.0, 11), 16),
    "distance": (np.linspace(0.0, 10.0, 11), 1),
}


def score_of(targets: Target | Sequence[Target] | None) -> Score:
    """Return what counts as the field: of each target its wanted component, or the magnitude; of several the least.

    Further patches behind those of the targets do not count; without targets, all do, by their magnitudes.
    """
    group = (targets,) if isinstance(targets, Target) else tuple(targets or ())

    def score(means: F64) -> F64:
        values: F64 = np.linalg.norm(means[:, : len(group) or None], axis=2)
        for column, target in enumerate(group):
            if target.direction is not None:
                values[:, column] = means[:, column] @ target.direction
        least: F64 = values.min(axis=1)
        return least

    return score


def robustness(
    fields: TargetField,
    coil: Coil,
    pose: Pose,
    *,
    error: PlacementError,
    target: Target | Sequence[Target] | None = None,
    samples: int = 1024,
    seed: int = 0,
) -> Robustness:
    """Find what errors of placement do to the field at the target.

    Parameters
    ----------
    fields : TargetField
        Gives the mean field over the target for any pose.
    coil : Coil
        The coil; its casing keeps off the scalp in every sample.
    pose : Pose
        The planned placement. Its gap from casing to scalp is kept in every sample, lift-off comes on top.
    error : PlacementError
        Standard deviations.
    target : Target or sequence of Target, optional
        Those of `fields`, in its order, for the directions that are wanted; by default the magnitude counts. Of several
        targets the one with the least field counts.
    samples : int, optional
        Quasi-random placements, a power of two. The losses by each error alone take as many each.
    seed : int, optional
        Of the samples: the same seed gives the same result.

    Returns
    -------
    Robustness

    Raises
    ------
    ValueError
        If the pose's axis misses the scalp or its casing reaches into it, the planned field is not positive, there are
        more targets than patches in `fields`, or `samples` is no power of two in range.
    TypeError
        If an argument is of another kind.

    Notes
    -----
    The samples are those of `sample_normals`, moved as `Disturber` says; the errors are independent of each other. The
    standard errors come from eight independent randomisations. The fields come from one table by reciprocity, within
    0.1 % of direct solutions. An uncertainty of the same kind is in Gomez et al., NeuroImage 2021;228:117696
    (PMC7956218), from placements on a grid.
    """
    _check(fields, coil, pose, error, target)
    normals = sample_normals(samples, seed)
    disturber = Disturber(fields.head, coil)
    seat = disturber.seat(pose)
    batches = [error.moves(normals), *(error.only(kind).moves(normals) for kind in KINDS)]
    batches += [Moves.of(kind, _in_radians(kind, sizes), count) for kind, (sizes, count) in _AXES.items()]
    rotations, origins = [pose.rotation[None]], [pose.origin[None]]
    for moves in batches:
        turned, moved = disturber.poses(seat, moves)
        rotations.append(turned)
        origins.append(moved)
    means = fields.means(coil, np.ascontiguousarray(np.concatenate(rotations)), np.concatenate(origins))
    scores = score_of(target)(means)
    planned = float(scores[0])
    if not planned > 0.0:
        raise ValueError(
            f"pose must give a positive field along the target's direction; got {planned:.3g} V/m at 1 A/us. Turn the "
            "coil around, or reverse the direction."
        )
    parts = np.split(scores[1:] / planned, np.cumsum([len(moves) for moves in batches])[:-1])
    return Robustness(
        error=error,
        pose=pose,
        planned=planned,
        total=Loss.of(parts[0]),
        alone={kind: Loss.of(part) for kind, part in zip(KINDS, parts[1:5], strict=True)},
        shares=parts[0],
        counted=_counted(target),
        curves={kind: _curve(kind, part) for kind, part in zip(_AXES, parts[5:], strict=True)},
        gap=seat.gap,
        seed=seed,
    )


def of_result(
    result: SearchResult, error: PlacementError, *, samples: int = 1024, seed: int = 0, maps: bool = True
) -> Robustness:
    """Find what errors of placement do to the result of a search.

    Parameters
    ----------
    result : SearchResult
        From `efield.optimize`.
    error : PlacementError
        Standard deviations.
    samples, seed : int, optional
        See `robustness`.
    maps : bool, optional
        Whether to map expected field and 5th percentile around the result too.

    Returns
    -------
    Robustness
        Of the field at the target, whatever the search's objective.
    """
    _check_error(error)
    found = robustness(
        result.fields, result.coil, result.pose, error=error, target=result.targets, samples=samples, seed=seed
    )
    return replace(found, map=map_of_result(result, error, seed=seed)) if maps else found


def map_of_result(
    result: SearchResult, error: PlacementError, *, spacing: float = 4.0, samples: int = 128, seed: int = 0
) -> RobustnessMap:
    """Map expected field and 5th percentile over the positions that a search tried.

    Parameters
    ----------
    result : SearchResult
        From `efield.optimize`: its table has the best angle at every position.
    error : PlacementError
        Standard deviations.
    spacing : float, optional
        Least distance between positions of the map (mm); the search's own positions are thinned out to it.
    samples : int, optional
        Placements with error at each position, the same ones everywhere; a power of two.
    seed : int, optional
        Of the samples.

    Returns
    -------
    RobustnessMap
        Of placements along the scalp, at the search's distance.
    """
    from meshes import scalp_points

    _check_error(error)
    apart = arrays.positive(spacing, "spacing")
    moves = error.moves(sample_normals(samples, seed))
    disturber = Disturber(result.head, result.coil)
    table = result.table
    rows = _thinned(table["position"], apart)
    contacts, normals = scalp_points(result.head, table["position"][rows])
    seats = [
        disturber.tangential(contact, normal, -handle, result.distance)
        for contact, normal, handle in zip(contacts, normals, table["handle"][rows], strict=True)
    ]
    none = Moves.of("distance", np.zeros(1), 1)
    poses = [part for seat in seats for part in (disturber.poses(seat, none), disturber.poses(seat, moves))]
    rotations, origins = (np.concatenate([pose[item] for pose in poses]) for item in (0, 1))
    scores = score_of(result.targets)(result.fields.means(result.coil, rotations, origins))
    scores = scores.reshape(len(seats), 1 + samples)
    return RobustnessMap(
        positions=contacts,
        handles=table["handle"][rows],
        planned=scores[:, 0],
        expected=scores[:, 1:].mean(axis=1),
        low=np.quantile(scores[:, 1:], LOW, axis=1),
        samples=samples,
    )


def _counted(targets: Target | Sequence[Target] | None) -> str:
    """Say what `score_of` counts."""
    group = (targets,) if isinstance(targets, Target) else tuple(targets or ())
    along = [target.direction is not None for target in group]
    several = f", the least of {len(group)} targets" if len(group) > 1 else ""
    if along and all(along):
        return f"mean E over the target along the wanted direction{several}"
    if any(along):
        return f"mean E over the target along the wanted direction, or its magnitude where none is wanted{several}"
    return f"magnitude of the mean E over the target: that a turned coil turns the field does not count{several}"


def _thinned(points: F64, apart: float) -> NDArray[np.int64]:
    """Return which points to keep so that those left are at least so far apart."""
    kept: list[int] = []
    for row, point in enumerate(points):
        if not kept or np.linalg.norm(points[kept] - point, axis=1).min() >= apart:
            kept.append(row)
    return np.array(kept, dtype=np.int64)


def _in_radians(kind: str, sizes: F64) -> F64:
    return np.radians(sizes) if UNITS[kind] == "degrees" else sizes


def _curve(kind: str, shares: F64) -> Curve:
    sizes, count = _AXES[kind]
    by_size = shares.reshape(len(sizes), count)
    return Curve(sizes=sizes, mean=by_size.mean(axis=1), least=by_size.min(axis=1), unit=UNITS[kind])


def _check_error(error: PlacementError) -> None:
    if not isinstance(error, PlacementError):
        raise TypeError(
            f"error must be a PlacementError; got {type(error).__name__}. Use PlacementError(position=3.0, ...) or "
            'PlacementError.named("hand-held").'
        )


def _check(fields: object, coil: object, pose: object, error: PlacementError, target: object) -> None:
    if not isinstance(fields, TargetField):
        raise TypeError(f"fields must be a TargetField; got {type(fields).__name__}. Use TargetField(solver, [patch]).")
    if not isinstance(coil, Coil):
        raise TypeError(f"coil must be a coils.Coil; got {type(coil).__name__}. Use coils.load_coil(name).")
    if not isinstance(pose, Pose):
        raise TypeError(f"pose must be a meshes.Pose; got {type(pose).__name__}. Use efield.place(head, centre).")
    _check_error(error)
    if target is None:
        return
    group = (target,) if isinstance(target, Target) else target
    if not isinstance(group, Sequence) or not all(isinstance(one, Target) for one in group):
        raise TypeError(f"target must be a Target or a sequence of them; got {type(target).__name__}.")
    if not 0 < len(group) <= len(fields.patches):
        raise ValueError(
            f"target must hold those of fields, one to {len(fields.patches)} in its order; got {len(group)}. Use "
            "TargetField(solver, [one.on(head) for one in targets])."
        )
