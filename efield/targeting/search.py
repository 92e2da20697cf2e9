"""Search all placements of a coil around a target by reciprocity, then refine the best one continuously."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from coils import Coil
from efield.bem import BemSolver
from efield.bem.reciprocity import ReciprocalField, check_sources
from efield.kernels.placement import functional_of_poses
from efield.targeting.patch import Patch
from efield.targeting.placements import Placement, Placements
from efield.targeting.result import SearchResult
from efield.targeting.target import Target
from meshes import arrays, scalp_point

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Progress = Callable[[str, int, int], None]

logger = logging.getLogger(__name__)

_NODE = 3.0
"""Greatest spacing of the tabulated reciprocal field (mm)."""

_CHUNK = 2048
"""Poses handled at once: bounds the memory, and paces the progress."""

_SEARCH_TOLERANCE = 1e-4
"""Residual of the transposed solves. On the default head the search then differs from the direct solution by 6e-5, and
its pose moves by 0.04 mm; the figures reported come from the direct solution."""

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
    directions = np.eye(3) if target.direction is None else target.direction[None]
    reciprocal = ReciprocalField(
        solver,
        patch.points,
        patch.weights,
        directions,
        tolerance=max(_SEARCH_TOLERANCE, solver.tolerance),
        progress=lambda i, n: report("reciprocity", i, n),
    )
    space = Placements(solver.head, coil, target, distance, radius, spacing, angle_step)
    report("table", 0, 1)
    tables = _Tables.build(reciprocal, space, coil)
    report("table", 1, 1)
    values = _try_all(space, tables, report)
    best = _refine(space, tables, patch, values, report)
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
        reciprocal_vector=-1e6 * directions.T @ tables.functionals(*space.frame(best))[0],
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


def _score(functionals: F64) -> F64:
    """Return what is maximised: one component, or the magnitude of the vector; V/m at 1 A/us."""
    if functionals.shape[-1] == 1:
        score: F64 = -1e6 * functionals[..., 0]
    else:
        score = 1e6 * np.linalg.norm(functionals, axis=-1)
    return score


class _Table:
    """A reciprocal field at the nodes of a regular grid around all placements, and the sources that it acts on."""

    def __init__(self, values: F32, corner: F64, node: float, positions: F64, vectors: F64) -> None:
        self._values = values
        self._corner = corner
        self._node = node
        self._positions = positions
        self._vectors = vectors

    @classmethod
    def build(cls, evaluate: Callable[[F64], F64], space: Placements, positions: F64, vectors: F64) -> _Table:
        """Tabulate H or its vector potential where the sources, dipoles or current elements, can come to lie."""
        # The stencil reaches two nodes towards the scalp, where the field jumps: keep it outside.
        gap = space.distance - positions[:, 2].max()
        if 0.45 * gap < _NODE:  # a bent coil reaches to z > 0 beside the head, and is further from it than that
            gap = max(gap, _gap(space, positions))
        node = float(np.clip(0.45 * gap, 1.0, _NODE))
        # Between the positions tried, and where the casing's clearance jumps.
        spare = 2 + int(np.ceil(space.spacing / node))
        reach = np.linalg.norm(positions, axis=1).max() + (5.0 + spare) * node
        all_rotations, all_origins = space.cover()
        corner = all_origins.min(axis=0) - reach
        shape = np.ceil((all_origins.max(axis=0) + reach - corner) / node).astype(np.int64)
        used = np.zeros(shape, dtype=bool)
        for first in range(0, len(all_origins), _CHUNK):
            rows = slice(first, first + _CHUNK)
            points = all_origins[rows, None] + np.einsum("pij,sj->psi", all_rotations[rows], positions)
            cell = ((points.reshape(-1, 3) - corner) / node).astype(np.int64)
            used[cell[:, 0], cell[:, 1], cell[:, 2]] = True
        used = _grown(used, spare)
        nodes = np.argwhere(used)
        field = evaluate(np.ascontiguousarray(corner + node * nodes))
        values = np.full((*shape, *field.shape[1:]), np.nan, dtype=np.float32)
        values[used] = field
        logger.debug("reciprocal field tabulated at %d nodes of %s", len(nodes), shape)
        return cls(values, corner, node, positions, vectors)

    def functionals(self, rotations: F64, origins: F64) -> F64:
        """Return sum m . H or sum v . F for poses, shape (n_poses, n_functionals)."""
        out = np.empty((len(rotations), self._values.shape[3]))
        grid = (self._values, self._corner, self._node)
        functional_of_poses(out, rotations, origins, self._positions, self._vectors, *grid)
        if np.isnan(out).any():
            raise RuntimeError("The table of the reciprocal field must cover every placement; got one outside it.")
        return out


class _Tables:
    """One table for a coil's dipoles, one for its current elements."""

    def __init__(self, parts: list[_Table]) -> None:
        self._parts = parts

    @classmethod
    def build(cls, reciprocal: ReciprocalField, space: Placements, coil: Coil) -> _Tables:
        """Tabulate H for dipoles and F for current elements, as far as the coil has them."""
        parts = []
        if coil.n_dipoles:
            parts.append(_Table.build(reciprocal.at, space, coil.positions, coil.moments))
        if coil.segments is not None:
            evaluate = reciprocal.potential_at
            parts.append(_Table.build(evaluate, space, coil.segments.points, coil.segments.vectors))
        return cls(parts)

    def functionals(self, rotations: F64, origins: F64) -> F64:
        """Return the functionals of poses over -dI/dt, shape (n_poses, n_functionals)."""
        total = self._parts[0].functionals(rotations, origins)
        for part in self._parts[1:]:
            total += part.functionals(rotations, origins)
        return total


def _gap(space: Placements, positions: F64) -> float:
    """Return how near any source comes to the scalp (mm), over one in 97 of the poses that cover the search."""
    from scipy.spatial import cKDTree

    scalp = space.head.scalp
    rotations, origins = (part[::97] for part in space.cover())
    points = origins[:, None] + np.einsum("pij,sj->psi", rotations, positions)
    to_vertex = float(np.min(cKDTree(scalp.vertices).query(points.reshape(-1, 3))[0]))
    # The foot of the perpendicular is within a triangle, at most its longest edge / sqrt(3) from a corner.
    edge = float(np.linalg.norm(scalp.corners - np.roll(scalp.corners, 1, axis=1), axis=2).mean())
    return float(np.sqrt(max(to_vertex**2 - edge**2 / 3.0, 0.0)))


def _grown(used: NDArray[np.bool_], spare: int) -> NDArray[np.bool_]:
    """Add the nodes that cubic interpolation needs around each cell, and some to spare."""
    for axis in range(3):
        grown = used.copy()
        for shift in range(-1 - spare, 3 + spare):
            grown |= np.roll(used, shift, axis=axis)
        used = grown
    return used


def _try_all(space: Placements, tables: _Tables, report: Progress) -> F64:
    """Return the score of every position and angle, shape (n_positions, n_angles)."""
    values = np.empty(len(space.origins))
    for first in range(0, len(values), _CHUNK):
        rows = slice(first, first + _CHUNK)
        values[rows] = _score(tables.functionals(space.rotations[rows], space.origins[rows]))
        report("search", min(rows.stop, len(values)), len(values))
    return values.reshape(len(space.contacts), len(space.angles))


def _refine(space: Placements, tables: _Tables, patch: Patch, values: F64, report: Progress) -> Placement:
    """Return the best placement, refined continuously from the best three starting points that are apart."""
    starts = _starts(space, values)
    found = []
    for number, start in enumerate(starts):
        found.append(_climb(space, tables, start, step=1.0, end=0.3))
        report("refine", number + 1, len(starts) + 1)
    # The optimum is flat: the last tenths of a millimetre are for reproducible poses, and for the best one alone.
    best, score = _climb(space, tables, max(found, key=lambda pair: pair[1])[0], step=0.3, end=0.05)
    report("refine", len(starts) + 1, len(starts) + 1)
    if not score > 0.0:
        raise ValueError(
            f"direction must be reachable by some placement; got at best {score:.3g} V/m at 1 A/us along it. Reverse "
            "the direction, or widen the search radius."
        )
    functionals = tables.functionals(*space.frame(best))[0]
    if len(functionals) == 3 and patch.normal is not None and -(functionals @ patch.normal) > 0.0:
        half_turn = Placement(best.u, best.v, best.angle + np.pi)
        turned, other = _climb(space, tables, half_turn, step=1.0, end=0.05)
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


def _climb(space: Placements, tables: _Tables, start: Placement, *, step: float, end: float) -> tuple[Placement, float]:
    """Climb by steps of `step` to `end` mm and five times as many degrees; the radius is a hard limit."""
    scale = step * np.array([1.0, 1.0, np.radians(5.0)])
    first = np.array([start.u, start.v, start.angle])

    def loss(move: F64) -> float:
        u, v, angle = first + scale * move
        if np.hypot(u, v) > space.radius:
            return float("inf")
        return -float(_score(tables.functionals(*space.frame(Placement(u, v, angle))))[0])

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
