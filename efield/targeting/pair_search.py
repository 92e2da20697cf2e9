"""Search all pairs of placements of two coils for the best that leaves a gap between the casings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coils import Coil
from efield.bem import BemSolver
from efield.bem.reciprocity import check_sources
from efield.kernels.casings import next_pair
from efield.targeting.casings import CasingGap
from efield.targeting.finding import check_search
from efield.targeting.placements import Placement, Placements
from efield.targeting.target import Target
from efield.targeting.target_field import TargetField
from meshes import HeadModel, Pose, arrays

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Progress = Callable[[str, int, int], None]

__all__ = ["OBJECTIVES", "Pair", "PairSearch"]

OBJECTIVES = {
    "weaker": "the weaker of both fields, each coil alone at its own target",
    "sum": "the sum of both fields, each coil alone at its own target",
}

_WIDEST = 30.0
"""Greatest gap that can be asked for (mm): the table of distances reaches so far around the casing."""

_MOST = 40_000
"""Placements of one coil: the pairs are their square."""

_ROWS = 64
"""Placements of the first coil between two reports of progress."""

_UNDECIDED = 3_000
"""So many pairs that the table of distances leaves open are measured exactly; the rest count as too near."""

_NEARLY = 0.99
"""A half turn that brings a handle away from the other coil is taken if it keeps this share of what is maximised."""

_SECOND = 1e-3
"""Weight of the stronger field beside the weaker one: among equal pairs the one with more is taken."""


@dataclass(frozen=True, eq=False)
class Pair:
    """What was asked, checked."""

    head: HeadModel
    coils: tuple[Coil, Coil]
    targets: tuple[Target, Target]
    gap: float
    total: bool
    spaces: tuple[Placements, Placements]

    @classmethod
    def checked(
        cls,
        solver: BemSolver,
        coils: Sequence[Coil],
        targets: Sequence[Target],
        gap: float,
        distance: float,
        radius: float,
        spacing: float,
        angle_step: float,
        objective: str,
    ) -> Pair:
        """Refuse what cannot be searched."""
        if not isinstance(solver, BemSolver):
            raise TypeError(f"solver must be an efield.BemSolver; got {type(solver).__name__}. Use BemSolver(head).")
        both = _two(coils, "coils", Coil, "coils.load_coil(name)")
        for coil in both:
            check_sources(coil)
        aims = _two(targets, "targets", Target, "Target.named(name, head)")
        arrays.choice(objective, "objective", OBJECTIVES)
        wanted = arrays.non_negative(gap, "gap")
        if wanted > _WIDEST:
            raise ValueError(f"gap must be at most {_WIDEST:g} mm; got {wanted:g}.")
        _check_grid(distance, radius, spacing, angle_step)
        first, second = (
            Placements(solver.head, coil, target, distance, radius, spacing, angle_step)
            for coil, target in zip(both, aims, strict=True)
        )
        return cls(solver.head, (both[0], both[1]), (aims[0], aims[1]), wanted, objective == "sum", (first, second))


class PairSearch:
    """The grids of both coils, their fields, and the pairs."""

    def __init__(self, pair: Pair, fields: TargetField, casings: CasingGap) -> None:
        self._pair = pair
        self._fields = fields
        self._casings = casings
        self.limits = casings.limits(pair.gap)
        self.grid_value = -np.inf
        self.pairs = self.undecided = 0

    def tabulate(self, report: Progress) -> None:
        """Find the field of every placement of the grids at its own target, and sort them."""
        self._tables, self.values = [], []
        self._order: list[I64] = []
        self._frames = []
        for index, (space, coil) in enumerate(zip(self._pair.spaces, self._pair.coils, strict=True)):
            report("table", index, 2)
            table = self._fields.table(coil, *space.cover(), spare=space.spare, distance=space.distance)
            self._tables.append(table)
            rotations, origins = space.rotations, space.origins
            values = self._strengths(index, rotations, origins)
            order = np.argsort(-values, kind="stable")
            self._order.append(order)
            self.values.append(np.ascontiguousarray(values[order]))
            if not values[order[0]] > 0.0:
                raise ValueError(
                    f"direction of target {index + 1} must be reachable by some placement; got at best "
                    f"{values[order[0]]:.3g} V/m at 1 A/us along it. Reverse the direction, or widen the search radius."
                )
            self._frames.append((np.ascontiguousarray(rotations[order]), np.ascontiguousarray(origins[order])))
        report("table", 2, 2)

    def _strengths(self, index: int, rotations: F64, origins: F64) -> F64:
        means = self._tables[index].means(rotations, origins)[:, index]
        direction = self._pair.targets[index].direction
        strengths: F64 = np.linalg.norm(means, axis=1) if direction is None else means @ direction
        return strengths

    def best_of_grid(self, report: Progress) -> F64:
        """Return the best pair of the grid that leaves the gap, as rows (u, v, angle)."""
        state = np.array([-np.inf, 0.0, 0.0, 0.0, 0.0])
        best: tuple[int, int] | None = None
        rows, measured = len(self.values[0]), 0
        last = 0
        order = np.arange(len(self._casings.probes))
        asked: tuple[Any, ...] = (self._pair.total, *self.values, *self._frames[0], *self._frames[1])
        asked += (self._casings.probes, *self._casings.search_data, *self.limits)
        while True:
            last = max(last, min(int(state[1]) + _ROWS, rows))
            found = next_pair(state, order, last, *asked)
            if found in (0, 3):
                report("pairs", rows if found == 3 else last, rows)
                if found == 3 or last == rows:
                    break
                continue
            row, column = int(state[1]), int(state[2])
            far_enough = found == 1
            if not far_enough and measured < _UNDECIDED:
                measured += 1
                frames = [part[index] for side, index in ((0, row), (1, column)) for part in self._frames[side]]
                far_enough = self._casings.of_frames(*frames) >= self._pair.gap
            elif not far_enough:
                self.undecided += 1
            if far_enough:
                best, state[0] = (row, column), state[4]
                state[1], state[2] = row + 1, 0.0  # the rest of the row is no better
            else:
                state[2] = column + 1
        self.pairs = int(state[3])
        if best is None:
            raise ValueError(
                f"gap must be one that two placements leave; got {self._pair.gap:g} mm, which none of "
                f"{rows * len(self.values[1]):,} pairs does. Ask for less, widen radius, or take smaller coils."
            )
        self.grid_value = float(state[0])
        return np.stack([self._placement(side, index) for side, index in enumerate(best)])

    def _placement(self, side: int, index: int) -> F64:
        space = self._pair.spaces[side]
        position, angle = np.divmod(self._order[side][index], len(space.angles))
        return np.array([*space.offsets[position], space.angles[angle]])

    def score(self, placements: F64) -> float:
        """Return what is maximised, for placements as rows (u, v, angle); -inf if the casings are too near."""
        frames = [self._frame(side, row) for side, row in enumerate(placements)]
        if any(np.hypot(*row[:2]) > self._pair.spaces[side].radius for side, row in enumerate(placements)):
            return -np.inf
        here, there = [(rotation[0], origin[0]) for rotation, origin in frames]
        if not self._casings.leaves(self._pair.gap, here, there):
            return -np.inf
        fields = [float(self._strengths(side, *frame)[0]) for side, frame in enumerate(frames)]
        return sum(fields) if self._pair.total else min(fields) + _SECOND * max(fields)

    def _frame(self, side: int, row: F64) -> tuple[F64, F64]:
        u, v, angle = row
        return self._pair.spaces[side].frame(Placement(float(u), float(v), float(angle)))

    def best_alone(self, report: Progress) -> F64:
        """Return the best placement of each coil without the other, refined, as rows (u, v, angle)."""
        found = []
        for side in range(2):
            report("alone", side, 2)
            found.append(_climbed(partial(self._own, side), self._placement(side, 0)[None])[0])
        report("alone", 2, 2)
        rows = np.stack(found)
        self.alone = np.array([self._own(side, row[None]) for side, row in enumerate(rows)])
        return rows

    def _own(self, side: int, row: F64) -> float:
        """Return the field of one coil at its target, at a row (u, v, angle), shape (1, 3)."""
        if np.hypot(*row[0, :2]) > self._pair.spaces[side].radius:
            return -np.inf
        return float(self._strengths(side, *self._frame(side, row[0]))[0])

    def refined(self, start: F64, report: Progress) -> F64:
        """Climb from a pair in all six coordinates at once, then with the stronger coil alone; the gap is a limit."""
        report("refine", 0, 2)
        best = _climbed(self.score, start)
        report("refine", 1, 2)
        fields = [self._own(side, row[None]) for side, row in enumerate(best)]
        side = int(np.argmax(fields))

        def stronger(row: F64) -> float:
            """Return the field of the stronger coil, if the other can stay."""
            pair = best.copy()
            pair[side] = row[0]
            return self._own(side, row) if self.score(pair) > -np.inf else -np.inf

        best = best.copy()
        best[side] = _climbed(stronger, best[side : side + 1].copy())[0]
        report("refine", 2, 2)
        return best

    def with_handles_apart(self, placements: F64) -> F64:
        """Turn coils by half a circle where that costs little and brings the handles farther from the other coil."""
        score = self.score(placements)
        best, most = placements, -np.inf
        for halves in ((0, 0), (1, 0), (0, 1), (1, 1)):
            turned = placements + np.pi * np.column_stack([np.zeros((2, 2)), halves])
            first, second = self.poses(turned)
            between = second.origin - first.origin
            handles = [
                pose.apply_vectors(c.handle[None])[0] for pose, c in zip((first, second), self._pair.coils, strict=True)
            ]
            away = float((handles[1] - handles[0]) @ between)
            if away > most + 1e-6 and self.score(turned) >= _NEARLY * score:
                best, most = turned, away
        return best

    def poses(self, placements: F64) -> tuple[Pose, Pose]:
        """Return placements as poses."""
        first, second = (self._frame(side, row) for side, row in enumerate(placements))
        return _pose(*first), _pose(*second)


def _climbed(score: Callable[[F64], float], start: F64) -> F64:
    """Climb from placements, shape (n, 3), to a local maximum.

    A simplex that ran along a limit grows flat, so it is set up anew, twice.
    """
    from scipy.optimize import minimize  # here, so that importing the package loads no SciPy

    best, most = start, score(start)
    for step in (1.5, -0.7, 0.3):
        first, size = best, step * np.array([1.0, 1.0, np.radians(5.0)])

        def loss(move: F64, first: F64 = first, size: F64 = size) -> float:
            return -score(first + size * move.reshape(-1, 3))

        simplex = np.vstack([np.zeros(start.size), np.eye(start.size)])
        result = minimize(
            loss,
            np.zeros(start.size),
            method="Nelder-Mead",
            options={"initial_simplex": simplex, "xatol": 0.05, "fatol": np.inf, "maxfev": 25 * start.size},
        )
        if -float(result.fun) > most:
            best, most = first + size * result.x.reshape(-1, 3), -float(result.fun)
    return best


def _pose(rotation: F64, origin: F64) -> Pose:
    return Pose.from_axes(origin[0], rotation[0, :, 2], rotation[0, :, 1])


def _two(values: object, name: str, kind: type, fix: str) -> list[Any]:
    if isinstance(values, kind) or not isinstance(values, Sequence):
        raise TypeError(f"{name} must be a pair of {kind.__name__}; got {type(values).__name__}. Give (first, second).")
    if len(values) != 2:
        raise ValueError(f"{name} must be two, one for each side; got {len(values)}.")
    for value in values:
        if not isinstance(value, kind):
            raise TypeError(f"{name} must be a pair of {kind.__name__}; got {type(value).__name__} in it. Use {fix}.")
    return list(values)


def _check_grid(distance: float, radius: float, spacing: float, angle_step: float) -> None:
    check_search(distance=distance, radius=radius, spacing=spacing, angle_step=angle_step)
    count = np.pi * (radius / spacing) ** 2 * 360.0 / angle_step
    if count > _MOST:
        raise ValueError(
            f"radius, spacing and angle_step must give at most {_MOST:,} placements of each coil; got {count:,.0f}. "
            "The best pair is refined continuously, so that steps of 3 mm and 10 degrees are fine enough."
        )
