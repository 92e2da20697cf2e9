"""Search all placements of a coil around a target by reciprocity, then refine the best one continuously."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coils import Coil
from efield.bem import BemSolver
from efield.bem.reciprocity import check_sources
from efield.directions import current_on_scalp
from efield.targeting.finding import Found, Progress, Reach, check_search, find, middle_of, silent
from efield.targeting.objectives import Objective, Prepared, strength
from efield.targeting.placements import Placement
from efield.targeting.result import SearchResult
from efield.targeting.shapes import best_shape
from efield.targeting.target import Target
from efield.targeting.target_field import TargetField
from meshes import scalp_point

F64 = NDArray[np.float64]

__all__ = ["optimize"]

logger = logging.getLogger(__name__)

_SUSPECT = 0.01
"""Search and direct solution may differ by this share of the field at the target before a warning is given."""

_NEARLY = 0.99
"""A turn by half a circle is taken for the sake of the current's direction if it keeps this share of the field."""

_ALONG = 0.2
"""Below this share of the field along the cortex' normal, the normal does not tell the better of two half turns."""

_ROUGH = (6.0, 15.0)
"""Spacing (mm) and angle step (degrees) of the searches that compare shapes of a coil: all are refined."""

_CANDIDATES = 12
"""Placements solved directly for an objective that the search cannot tell."""


def optimize(
    solver: BemSolver,
    coil: Coil,
    target: Target | Sequence[Target],
    *,
    objective: Objective | None = None,
    distance: float = 4.0,
    radius: float = 30.0,
    spacing: float = 2.0,
    angle_step: float = 5.0,
    tilt: float = 0.0,
    current: str | ArrayLike | None = None,
    deform: bool = False,
    gap: float = 1e-3,
    progress: Progress | None = None,
) -> SearchResult:
    """Find the placement of a coil that gives the greatest field at a target.

    All positions on a grid around the scalp point nearest to the target are tried at all angles (and tilts), by
    reciprocity; the casing always keeps its distance from the scalp. The best three that are apart are refined
    continuously, cells that could hold a better placement are split until none can by more than `gap`, and the field of
    the best is solved directly.

    Parameters
    ----------
    solver : BemSolver
        The head.
    coil : Coil
        The coil, of dipoles or current elements. For a bent coil every pose costs a look-up for each of them: reduce
        one of more than some 2000 first, with ``coils.reduce_dipoles``. For a flat one their number hardly matters.
    target : Target or sequence of Target
        The target, or several that one coil shall serve at once: the search then lies around their middle, and the
        weakest of their fields counts. Without a direction, the magnitude of the mean field over the patch is
        maximised.
    objective : Objective, optional
        What to maximise, from `efield.objectives`; ``strength()`` by default.
    distance : float, optional
        From the casing to the scalp along the coil's axis (mm): hair, cap, cover.
    radius : float, optional
        Positions within this distance of the scalp point nearest to the target are tried (mm).
    spacing : float, optional
        Spacing of the grid of positions (mm).
    angle_step : float, optional
        Step of the angles (degrees).
    tilt : float, optional
        Greatest angle between the coil's axis and the scalp's normal, averaged over 15 mm (degrees).
    current : str or array_like, shape (3,), optional
        Of two placements half a turn apart that serve equally well, take the one whose induced current runs along this:
        "PA", "AP", "LM", "ML", "PL-AM", "AM-PL" or a direction in head space. By default the one whose current flows
        into the cortex at the target (for a figure-8 coil over M1 hand: back to front), or, where less than a fifth of
        the field lies along the cortex' normal, the one whose handle points back.
    deform : bool, optional
        Whether to choose the deformations of a flexible coil too, each within its range, its parts clear of each other;
        see `efield.targeting.shapes.best_shape`. The certificate is that of the placements of the shape found.
    gap : float, optional
        How far below any other placement the answer may be, relative; the search goes on until its certificate says so,
        as far as 40,000 more placements allow.
    progress : callable, optional
        Called with (stage, done, of).

    Returns
    -------
    SearchResult

    Raises
    ------
    ValueError
        If an argument is out of range, a target lies outside the head, or the coil has a grid.
    TypeError
        If `solver`, `coil`, `target` or `objective` is something else.
    RuntimeError
        If a linear system does not converge.
    """
    targets = _checked(solver, coil, target, objective)
    reach = Reach(distance=distance, radius=radius, spacing=spacing, angle_step=angle_step, tilt=tilt)
    check_search(distance=distance, radius=radius, spacing=spacing, angle_step=angle_step, tilt=tilt, gap=gap)
    check_sources(coil)
    if deform and (coil.assembly is None or not coil.assembly.deformations):
        raise ValueError(f"coil must have deformations for deform=True; got {coil.name}, which has none.")
    report = progress if progress is not None else silent
    goal = objective if objective is not None else strength()
    if current is not None:
        # A wrong name must not be told of after minutes.
        current_on_scalp(current, *scalp_point(solver.head, middle_of(targets)))
    prepared = goal.prepare(solver.head, targets)
    fields = TargetField(solver, prepared.patches, progress=lambda i, n: report("reciprocity", i, n))
    if deform:
        rough = replace(reach, spacing=max(spacing, _ROUGH[0]), angle_step=max(angle_step, _ROUGH[1]))

        def best_of(shaped: Coil) -> float:
            return find(fields, shaped, targets, prepared, rough, most=0).score

        coil = best_shape(coil, best_of, report)
    found = find(fields, coil, targets, prepared, reach, gap=gap, report=report)
    if goal.final is not None:
        found = _most_wanted(found, goal, solver, report)
    best = _half_turn(found, targets, prepared, current)
    return _solved(solver, coil, targets, goal, prepared, fields, found, best, reach, report)


def _checked(
    solver: BemSolver, coil: Coil, target: Target | Sequence[Target], objective: Objective | None
) -> tuple[Target, ...]:
    """Return the targets, after all types have been looked at."""
    if not isinstance(solver, BemSolver):
        raise TypeError(f"solver must be an efield.BemSolver; got {type(solver).__name__}. Use BemSolver(head).")
    if not isinstance(coil, Coil):
        raise TypeError(f"coil must be a coils.Coil; got {type(coil).__name__}. Use coils.load_coil(name).")
    if objective is not None and not isinstance(objective, Objective):
        raise TypeError(
            f"objective must be an Objective; got {type(objective).__name__}. Use efield.objectives.strength()."
        )
    targets = tuple(target) if isinstance(target, list | tuple) else (target,)
    if not targets:
        raise ValueError("target must be at least one efield.Target; got none.")
    for each in targets:
        if not isinstance(each, Target):
            raise TypeError(
                f"target must be an efield.Target; got {type(each).__name__}. Use Target.named(name, head)."
            )
    return targets


def _shape_of(coil: Coil) -> dict[str, float]:
    """Return the deformations of a coil by name, for the record."""
    if coil.assembly is None:
        return {}
    return {f"deformation_{name}": value for name, value in coil.assembly.settings.items()}


def _most_wanted(found: Found, objective: Objective, solver: BemSolver, report: Progress) -> Found:
    """Return the best of some candidates by what only their whole field tells."""
    assert objective.final is not None  # for the type checker: asked before
    landscape = found.landscape
    candidates = [found.placement, *landscape.spread(objective.keep, _CANDIDATES - 1)]
    report("candidates", 0, len(candidates))
    poses = [landscape.space.pose(candidate) for candidate in candidates]
    fields = solver.solve_many(landscape.coil, poses)
    report("candidates", len(candidates), len(candidates))
    least = int(np.argmin([objective.final(field) for field in fields]))
    score = float(landscape.scores(*landscape.space.frame(candidates[least]))[0])
    return Found(candidates[least], score, landscape, found.certificate)


def _half_turn(
    found: Found, targets: Sequence[Target], prepared: Prepared, current: str | ArrayLike | None
) -> Placement:
    """Return the placement, or half a turn from it if that serves as well and its current runs the better way."""
    best, landscape = found.placement, found.landscape
    if any(target.direction is not None for target in targets) or not _turn_is_wanted(
        found, prepared, len(targets), current
    ):
        return best
    half_turn = Placement(best.u, best.v, best.angle + np.pi, best.tilt_x, best.tilt_y)
    turned, score = landscape.climb(half_turn, step=1.0, end=0.05)
    return turned if score >= _NEARLY * found.score else best


def _turn_is_wanted(found: Found, prepared: Prepared, count: int, current: str | ArrayLike | None) -> bool:
    landscape = found.landscape
    rotation, origin = landscape.space.frame(found.placement)
    if current is not None:
        wanted = current_on_scalp(current, *scalp_point(landscape.space.head, origin[0]))
        return bool((rotation[0] @ landscape.coil.current_direction) @ wanted < 0.0)
    means = landscape.table.means(rotation, origin)[0, :count]
    normals = [patch.normal for patch in prepared.patches[:count]]
    along = [
        float(mean @ normal) / float(np.linalg.norm(mean))
        for mean, normal in zip(means, normals, strict=True)
        if normal is not None
    ]
    inwards = float(np.mean(along)) if along else 0.0
    if abs(inwards) >= _ALONG:
        return inwards > 0.0  # normals point out of the brain
    handle = rotation[0] @ landscape.coil.handle
    return bool(handle[1] > 0.0)


def _solved(
    solver: BemSolver,
    coil: Coil,
    targets: tuple[Target, ...],
    objective: Objective,
    prepared: Prepared,
    fields: TargetField,
    found: Found,
    best: Placement,
    reach: Reach,
    report: Progress,
) -> SearchResult:
    """Solve the best placement directly, and put the result together."""
    space = found.landscape.space
    pose = space.pose(best)
    field = solver.solve(coil, pose, progress=lambda i, n: report("field", i, n))
    own = prepared.patches[: len(targets)]
    score = float(found.landscape.scores(*space.frame(best))[0])
    result = SearchResult(
        pose=pose,
        coil=coil,
        head=solver.head,
        targets=targets,
        patches=own,
        field=field,
        vectors_at_targets=np.array([patch.mean(field.at(patch.points)) for patch in own]),
        reciprocal_vectors=found.landscape.table.means(*space.frame(best))[0, : len(own)],
        scalp_position=scalp_point(solver.head, pose.origin)[0],
        distance=reach.distance,
        table=space.summary(found.landscape.values),
        objective=objective,
        score=score,
        certificate=found.certificate.widened(found.score, score),
        settings={
            **_shape_of(coil),
            "distance_mm": reach.distance,
            "radius_mm": reach.radius,
            "spacing_mm": reach.spacing,
            "angle_step_deg": reach.angle_step,
            "tilt_deg": reach.tilt,
        },
        fields=fields,
    )
    if result.search_error > _SUSPECT:
        warnings.warn(
            f"The search's field at the target must agree with the direct solution to {_SUSPECT:.0%}; got "
            f"{result.search_error:.1%}. Another pose may be better: the coil's sources come too near the scalp "
            "for the tabulated field (raise distance), or the field there nearly vanishes.",
            stacklevel=3,
        )
    return result
