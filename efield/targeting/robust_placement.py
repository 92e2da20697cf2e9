"""Place the coil where the field at the target is greatest on average over errors of placement."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from efield.targeting.disturbed import Disturber, Seat
from efield.targeting.placement_errors import Moves, PlacementError, sample_normals
from efield.targeting.robustness import Score, score_of
from meshes import Pose, arrays

if TYPE_CHECKING:
    from efield.targeting.result import SearchResult

F64 = NDArray[np.float64]

__all__ = ["RobustPlacement", "climb", "expected_score", "optimize_expected"]

_DEGREES = 3.0
"""So many degrees count as much as one millimetre in a climb: about as much as either changes the field."""

_REACH = (4.0, 10.0)
"""By default a climb goes so much further (mm, degrees) than one standard deviation: beside a cliff five times as steep
as the slope before it, the best place is just within one."""

_SPARE = 2.0
"""How far a table reaches beyond the placements that it was made for (mm)."""

_CHECKED = 512
"""Samples of the final comparison."""


class Means(Protocol):
    """What gives the mean field over targets for poses of one coil: a `PoseTable`, for example."""

    def means(self, rotations: F64, origins: F64) -> F64:
        """Return the mean fields, shape (n_poses, n_targets, 3), V/m at 1 A/us."""
        ...


class RobustPlacement(NamedTuple):
    """The placement with the greatest expected field.

    Attributes
    ----------
    pose : Pose
        Coil to head.
    expected : float
        Expected field at the target over errors around it (V/m at 1 A/us).
    nominal : float
        Field at the target without error there (V/m at 1 A/us).
    before : float
        Expected field over the same errors around the search's own placement (V/m at 1 A/us).
    """

    pose: Pose
    expected: float
    nominal: float
    before: float


def expected_score(field: Means, disturber: Disturber, seat: Seat, moves: Moves, score: Score) -> float:
    """Return the mean score over errors around one placement.

    Parameters
    ----------
    field : PoseTable or the like
        Mean fields for poses of the coil.
    disturber : Disturber
        Of that coil on the head.
    seat : Seat
        The placement: ``disturber.seat(pose)``.
    moves : Moves
        ``error.moves(sample_normals(128, seed))``: the same ones for every placement, so that differences between
        placements are far more certain than the values.
    score : callable
        See `score_of`.

    Returns
    -------
    float
        V/m at 1 A/us.
    """
    return float(score(field.means(*disturber.poses(seat, moves))).mean())


def climb(
    field: Means,
    disturber: Disturber,
    start: Seat,
    moves: Moves,
    score: Score,
    *,
    reach: tuple[float, float],
    end: float = 0.05,
) -> Seat:
    """Climb from a placement to the greatest expected score, in position and angle (Nelder and Mead's method).

    Parameters
    ----------
    field, disturber, moves, score
        See `expected_score`.
    start : Seat
        Where to begin.
    reach : tuple of float
        How far the contact may move from its start (mm), and how far the coil may turn (degrees).
    end : float, optional
        How closely the place is found (mm, and three times as many degrees).

    Returns
    -------
    Seat
        Not worse than the start for these errors.
    """
    from scipy.optimize import minimize  # here, so that importing the package loads no SciPy

    def at(x: F64) -> Seat:
        return disturber.moved(start, np.asarray(x[:2], dtype=np.float64), float(np.radians(_DEGREES) * x[2]))

    def loss(x: F64) -> float:
        if np.hypot(x[0], x[1]) > reach[0] or abs(_DEGREES * x[2]) > reach[1]:
            return float("inf")
        return -expected_score(field, disturber, at(x), moves, score)

    best = np.zeros(3)
    for step, stop in ((min(3.0, 0.5 * reach[0]), 0.3), (0.3, end)):
        simplex = best + np.vstack([np.zeros(3), step * np.eye(3)])
        found = minimize(
            loss,
            best,
            method="Nelder-Mead",
            options={"initial_simplex": simplex, "xatol": stop, "fatol": np.inf, "maxfev": 120},
        )
        best = np.asarray(found.x, dtype=np.float64)
    return at(best)


def optimize_expected(
    result: SearchResult,
    error: PlacementError,
    *,
    score: Score | None = None,
    reach: float | None = None,
    samples: int = 128,
    seed: int = 0,
) -> RobustPlacement:
    """Find the placement with the greatest expected field, from the one with the greatest field.

    Parameters
    ----------
    result : SearchResult
        From `efield.optimize`.
    error : PlacementError
        How far off the coil will be placed.
    score : callable, optional
        What to average instead of the field at the target; the figures are then of it too. For the search's own
        objective: ``result.objective.prepare(result.head, result.targets).score``.
    reach : float, optional
        How far from the result's the placement may be (mm); by default 4 mm more than the standard deviation of the
        position. It turns by at most 10 degrees more than that of the angle.
    samples : int, optional
        Errors that the climb averages over, the same for every placement; a power of two.
    seed : int, optional
        Of the errors.

    Returns
    -------
    RobustPlacement
        Its figures come from 512 errors that the climb did not see, so that they flatter neither placement. If the
        place found is then no better, it is the result's own.

    Raises
    ------
    TypeError
        If `error` is no PlacementError.
    ValueError
        If `reach` is not positive, or `samples` no power of two in range.
    """
    if not isinstance(error, PlacementError):
        raise TypeError(
            f"error must be a PlacementError; got {type(error).__name__}. Use PlacementError(position=3.0)."
        )
    far = error.position + _REACH[0] if reach is None else arrays.positive(reach, "reach")
    bounds = (far, min(error.angle + _REACH[1], 180.0))
    normals = sample_normals(samples, seed)
    disturber = Disturber(result.head, result.coil)
    start = disturber.seat(result.pose)
    score = score_of(result.targets) if score is None else score
    field = _Covered(result, disturber, start, error.moves(normals), bounds)
    found = climb(field, disturber, start, error.moves(normals), score, reach=bounds)
    unseen = error.moves(sample_normals(_CHECKED, seed + 1))
    none = Moves.of("distance", np.zeros(1), 1)
    poses = [disturber.poses(seat, moves) for seat in (start, found) for moves in (none, unseen)]
    rotations, origins = (np.concatenate([pose[item] for pose in poses]) for item in (0, 1))
    scores = score(result.fields.means(result.coil, rotations, origins)).reshape(2, 1 + _CHECKED)
    nominal, expected = scores[:, 0], scores[:, 1:].mean(axis=1)
    better = int(expected[1] > expected[0])
    return RobustPlacement(
        pose=disturber.pose(found) if better else result.pose,
        expected=float(expected[better]),
        nominal=float(nominal[better]),
        before=float(expected[0]),
    )


class _Covered:
    """A table for all placements that a climb can reach, and single evaluations for the few that it misses."""

    def __init__(
        self, result: SearchResult, disturber: Disturber, start: Seat, moves: Moves, reach: tuple[float, float]
    ) -> None:
        steps = np.linspace(-reach[0], reach[0], 2 * int(np.ceil(reach[0] / (2.0 * _SPARE))) + 1)
        u, v = np.meshgrid(steps, steps, indexing="ij")
        inside = np.hypot(u, v) <= 1.2 * reach[0]
        # The tip of a coil 90 mm long comes by every 6 mm.
        angles = np.radians(np.linspace(-reach[1], reach[1], 2 * int(np.ceil(reach[1] / 4.0)) + 1))
        outer = _outermost(moves)
        poses = []
        for shift in np.column_stack([u[inside], v[inside]]):
            for angle in angles:
                poses.append(disturber.poses(disturber.moved(start, shift, float(angle)), outer))
        rotations, origins = (np.concatenate([pose[item] for pose in poses]) for item in (0, 1))
        self._fields, self._coil = result.fields, result.coil
        self._table = result.fields.table(result.coil, rotations, origins, spare=_SPARE)

    def means(self, rotations: F64, origins: F64) -> F64:
        """Return mean fields, from the table if it covers all poses."""
        try:
            return self._table.means(rotations, origins)
        except RuntimeError:
            return self._fields.means(self._coil, rotations, origins)


def _outermost(moves: Moves, count: int = 16) -> Moves:
    """Return the largest errors, and none at all."""
    columns = [moves.shift, np.degrees(moves.angle)[:, None], np.degrees(moves.tilt), moves.lift[:, None]]
    size = np.linalg.norm(np.concatenate(columns, axis=1), axis=1)
    rows = np.argsort(-size, kind="stable")[:count]
    parts = (moves.shift, moves.angle, moves.tilt, moves.lift)
    return Moves(*(np.concatenate([part[rows], np.zeros_like(part[:1])]) for part in parts))
