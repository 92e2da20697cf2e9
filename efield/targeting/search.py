"""Search all placements of a coil around a target by reciprocity, then refine the best one continuously."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coils import Coil
from efield.bem import BemSolver
from efield.bem.reciprocity import check_sources
from efield.targeting.patch import Patch
from efield.targeting.placements import Placement, Placements
from efield.targeting.result import SearchResult
from efield.targeting.table import PoseTable
from efield.targeting.target import Target
from efield.targeting.target_field import TargetField
from meshes import arrays, scalp_point

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Progress = Callable[[str, int, int], None]

logger = logging.getLogger(__name__)

_CHUNK = 2048
"""Poses handled at once: bounds the memory, and paces the progress."""

_SUSPECT = 0.01
"""Search and direct solution may differ by this share of the field at the target before a warning is given."""

_MOST = 2e6
"""Poses of one search; bounds memory and time."""

_NEARLY = 0.99
"""A turn by half a circle is taken for the sake of the current's direction if it keeps this share of the field."""


def optimize(
    solver: BemSolver,
    coil: Coil,
    target: Target,
    *,
    distance: float = 4.0,
    radius: float = 30.0,
    spacing: float = 2.0,
    angle_step: float = 5.0,
    progress: Progress | None = None,
) -> SearchResult:
    """Find the placement of a coil that gives the greatest field at a target.

    Every pose keeps the coil tangential to the scalp (its normal averaged over 15 mm) and its casing off it. All
    positions on a grid around the scalp point nearest to the target are tried at all angles, by reciprocity; the best
    three that are apart are refined continuously in position and angle; the field of the best is solved directly.

    Parameters
    ----------
    solver : BemSolver
        The head.
    coil : Coil
        The coil, of dipoles or current elements. Every pose costs a look-up for each of them: reduce a coil of more
        than some 2000 first, with ``coils.reduce_dipoles``.
    target : Target
        The target. Without a direction, the magnitude of the mean field over its patch is maximised; of the two
        placements half a turn apart that then serve equally well, the one whose induced current flows into the
        cortex at the target is taken (for a figure-8 coil over M1 hand: back to front).
    distance : float, optional
        From the casing to the scalp along the coil's axis (mm): hair, cap, cover.
    radius : float, optional
        Positions within this distance of the scalp point nearest to the target are tried (mm).
    spacing : float, optional
        Spacing of the grid of positions (mm).
    angle_step : float, optional
        Step of the angles (degrees).
    progress : callable, optional
        Called with (stage, done, of).

    Returns
    -------
    SearchResult

    Raises
    ------
    ValueError
        If an argument is out of range, the target lies outside the head, or the coil has a grid.
    TypeError
        If `solver`, `coil` or `target` is something else.
    RuntimeError
        If a linear system does not converge.
    """
    _check_types(solver, coil, target)
    check_search(distance=distance, radius=radius, spacing=spacing, angle_step=angle_step)
    check_sources(coil)
    report = progress if progress is not None else _silent
    patch = target.on(solver.head)
    fields = TargetField(solver, [patch], progress=lambda i, n: report("reciprocity", i, n))
    space = Placements(solver.head, coil, target, distance, radius, spacing, angle_step)
    report("table", 0, 1)
    tables = fields.table(coil, *space.cover(), spare=space.spacing, distance=distance)
    report("table", 1, 1)
    goal = _Goal(tables, target.direction)
    values = _try_all(space, goal, report)
    best = _refine(space, goal, patch, values, report)
    pose = space.pose(best)
    field = solver.solve(coil, pose, progress=lambda i, n: report("field", i, n))
    vector = patch.mean(field.at(patch.points))
    best_result = SearchResult(
        pose=pose,
        coil=coil,
        head=solver.head,
        target=target,
        patch=patch,
        field=field,
        vector_at_target=vector,
        reciprocal_vector=tables.means(*space.frame(best))[0, 0],
        scalp_position=scalp_point(solver.head, pose.origin)[0],
        distance=distance,
        table=space.summary(values),
    )
    if best_result.search_error > _SUSPECT:
        warnings.warn(
            f"The search's field at the target must agree with the direct solution to {_SUSPECT:.0%}; got "
            f"{best_result.search_error:.1%}. Another pose may be better: the coil's sources come too near the scalp "
            "for the tabulated field (raise distance), or the field there nearly vanishes.",
            stacklevel=2,
        )
    return best_result


def check_search(*, distance: float, radius: float, spacing: float, angle_step: float) -> None:
    """Raise ValueError unless the options of `optimize` are in range; see there for what they are."""
    arrays.non_negative(distance, "distance")
    arrays.positive(radius, "radius")
    arrays.positive(spacing, "spacing")
    arrays.positive(angle_step, "angle_step")
    if distance > 100.0:
        raise ValueError(f"distance must be at most 100 mm; got {distance:g}.")
    if radius > 150.0:
        raise ValueError(f"radius must be at most 150 mm, half a head; got {radius:g}.")
    if angle_step > 90.0:
        raise ValueError(f"angle_step must be at most 90 degrees; got {angle_step:g}.")
    poses = np.pi * (radius / spacing) ** 2 * 360.0 / angle_step
    if poses > _MOST:
        raise ValueError(
            f"radius, spacing and angle_step must give at most {_MOST:.0e} poses; got {poses:.1e}. The best pose is "
            "refined continuously, so that steps of 2 mm and 5 degrees are fine enough."
        )


def _check_types(solver: BemSolver, coil: Coil, target: Target) -> None:
    if not isinstance(solver, BemSolver):
        raise TypeError(f"solver must be an efield.BemSolver; got {type(solver).__name__}. Use BemSolver(head).")
    if not isinstance(coil, Coil):
        raise TypeError(f"coil must be a coils.Coil; got {type(coil).__name__}. Use coils.load_coil(name).")
    if not isinstance(target, Target):
        raise TypeError(f"target must be an efield.Target; got {type(target).__name__}. Use Target.named(name, head).")


def _silent(stage: str, done: int, of: int) -> None:
    """Report nothing."""


@dataclass(frozen=True, eq=False)
class _Goal:
    """What is maximised: one component of the mean field, or its magnitude."""

    table: PoseTable
    direction: F64 | None

    def scores(self, rotations: F64, origins: F64) -> F64:
        """Return the score of poses, V/m at 1 A/us."""
        means = self.table.means(rotations, origins)[:, 0]
        score: F64 = np.linalg.norm(means, axis=-1) if self.direction is None else means @ self.direction
        return score


def _try_all(space: Placements, goal: _Goal, report: Progress) -> F64:
    """Return the score of every position and angle, shape (n_positions, n_angles)."""
    values = np.empty(len(space.origins))
    for first in range(0, len(values), _CHUNK):
        rows = slice(first, first + _CHUNK)
        values[rows] = goal.scores(space.rotations[rows], space.origins[rows])
        report("search", min(rows.stop, len(values)), len(values))
    return values.reshape(len(space.contacts), len(space.angles))


def _refine(space: Placements, goal: _Goal, patch: Patch, values: F64, report: Progress) -> Placement:
    """Return the best placement, refined continuously from the best three starting points that are apart."""
    starts = _starts(space, values)
    found = []
    for number, start in enumerate(starts):
        found.append(_climb(space, goal, start, step=1.0, end=0.3))
        report("refine", number + 1, len(starts) + 1)
    # The optimum is flat: the last tenths of a millimetre are for reproducible poses, and for the best one alone.
    best, score = _climb(space, goal, max(found, key=lambda pair: pair[1])[0], step=0.3, end=0.05)
    report("refine", len(starts) + 1, len(starts) + 1)
    if not score > 0.0:
        raise ValueError(
            f"direction must be reachable by some placement; got at best {score:.3g} V/m at 1 A/us along it. Reverse "
            "the direction, or widen the search radius."
        )
    vector = goal.table.means(*space.frame(best))[0, 0]
    if goal.direction is None and patch.normal is not None and vector @ patch.normal > 0.0:
        half_turn = Placement(best.u, best.v, best.angle + np.pi)
        turned, other = _climb(space, goal, half_turn, step=1.0, end=0.05)
        if other >= _NEARLY * score:
            return turned
    return best


def _starts(space: Placements, values: F64) -> list[Placement]:
    order = np.argsort(values, axis=None)[::-1]
    starts: list[Placement] = []
    for flat in order:
        row, column = divmod(int(flat), values.shape[1])
        u, v = space.offsets[row]
        if all((u - s.u) ** 2 + (v - s.v) ** 2 > 36.0 for s in starts):
            starts.append(Placement(float(u), float(v), float(space.angles[column])))
        if len(starts) == 3:
            break
    return starts


def _climb(space: Placements, goal: _Goal, start: Placement, *, step: float, end: float) -> tuple[Placement, float]:
    """Climb by steps of `step` to `end` mm and five times as many degrees; the radius is a hard limit."""
    scale = step * np.array([1.0, 1.0, np.radians(5.0)])
    first = np.array([start.u, start.v, start.angle])

    def loss(move: F64) -> float:
        u, v, angle = first + scale * move
        if np.hypot(u, v) > space.radius:
            return float("inf")
        return -float(goal.scores(*space.frame(Placement(u, v, angle)))[0])

    from scipy.optimize import minimize  # here, so that importing the package loads no SciPy

    simplex = np.vstack([np.zeros(3), np.eye(3)])
    result = minimize(
        loss,
        np.zeros(3),
        method="Nelder-Mead",
        options={"initial_simplex": simplex, "xatol": end / step, "fatol": np.inf, "maxfev": 120},
    )
    u, v, angle = first + scale * result.x
    return Placement(float(u), float(v), float(angle)), -float(result.fun)
