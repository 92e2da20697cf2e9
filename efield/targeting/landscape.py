"""The scores of all placements of one coil: the global part of a search, its continuous refinement, its certificate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coils import Coil
from efield.targeting.certificate import Certificate, certify
from efield.targeting.objectives import Prepared
from efield.targeting.placements import Placement, Placements
from efield.targeting.sweep import AngleSweep
from efield.targeting.table import PoseTable
from efield.targeting.target_field import TargetField

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Progress = Callable[[str, int, int], None]

__all__ = ["CERTAIN", "Landscape"]

_SITES = 512
"""Sites handled at once: bounds the memory, and paces the progress."""

_POSES = 8192
"""Poses handled at once where each is evaluated by itself."""

_BUMP = 1.0
"""Where the scalp rises so much (mm) more than the casing's stand-off at some angle, rings of nodes might enter it."""

CERTAIN = 40_000
"""Placements evaluated for a certificate at most."""

_APART = 6.0
"""Starting points of the refinement lie at least so far apart (mm)."""


@dataclass(frozen=True, eq=False)
class Landscape:
    """Scores of one coil over all placements around targets.

    Attributes
    ----------
    space : Placements
        The placements.
    table : PoseTable
        The reciprocal field around them.
    score : callable
        From mean fields to what is maximised; see `Prepared`.
    coil : Coil
        The coil.
    values : ndarray, shape (n_sites, n_angles)
        Score of every site (position and tilt) at every angle; filled by `survey`.
    """

    space: Placements
    table: PoseTable
    score: Callable[[F64], F64]
    coil: Coil
    values: F32

    @classmethod
    def survey(
        cls, fields: TargetField, coil: Coil, space: Placements, prepared: Prepared, report: Progress
    ) -> Landscape:
        """Tabulate the reciprocal field around the placements, and score them all."""
        report("table", 0, 1)
        # Without a casing nothing tells where rings of nodes would enter the head.
        flat = AngleSweep.possible(coil) and coil.casing is not None
        table = fields.table(
            coil,
            *space.cover(turns=not flat),
            spare=space.spare,
            distance=space.distance,
            stand_in=_disc_of(coil) if flat else None,
        )
        report("table", 1, 1)
        axes = space.sites[0]
        found = cls(space, table, prepared.score, coil, np.empty((len(axes), len(space.angles)), dtype=np.float32))
        sweep = AngleSweep(table, space.angles) if flat else None
        step = _SITES if flat else max(_POSES // len(space.angles), 1)
        for first in range(0, len(axes), step):
            rows = np.arange(first, min(first + step, len(axes)))
            found.values[rows] = found._values_at(sweep, rows)
            report("search", int(rows[-1]) + 1, len(axes))
        return found

    def _values_at(self, sweep: AngleSweep | None, sites: I64) -> F64:
        """Return the scores of some sites at all angles."""
        n_angles = len(self.space.angles)
        if sweep is None:
            return self.scores(*self.space.poses_at(sites)).reshape(-1, n_angles)
        axes, contacts = (part[sites] for part in self.space.sites)
        distances, bumps = self.space.clearance.of_turns(axes, contacts, self.space.angles)
        means = sweep.means(axes, contacts, distances)
        values = self.score(means.reshape(-1, *means.shape[2:]).astype(np.float64)).reshape(-1, n_angles)
        single = np.isnan(values).any(axis=1) | (bumps > distances.min(axis=1) - self.space.distance + _BUMP)
        for site in np.flatnonzero(single):
            values[site] = self.scores(*self.space.poses_at(sites[site : site + 1]))
        return values

    def scores(self, rotations: F64, origins: F64) -> F64:
        """Return the scores of poses."""
        return self.score(self.table.means(rotations, origins))

    def scores_of(self, points: F64) -> F64:
        """Return the scores of placements given as rows (u, v, angle, tilt_x, tilt_y)."""
        return np.concatenate(
            [
                self.scores(*self.space.frames_of(points[first : first + _POSES]))
                for first in range(0, len(points), _POSES)
            ]
        )

    def best_apart(self, count: int) -> list[Placement]:
        """Return the best placements at positions that are 6 mm apart."""
        best = self.values.max(axis=1)
        found: list[Placement] = []
        for site in np.argsort(-best, kind="stable"):
            position, tilt = divmod(int(site), len(self.space.tilts))
            if not self.space.inside[position]:
                continue
            u, v = self.space.offsets[position]
            if all((u - p.u) ** 2 + (v - p.v) ** 2 > _APART**2 for p in found):
                angle = self.space.angles[int(self.values[site].argmax())]
                found.append(Placement(float(u), float(v), float(angle), *map(float, self.space.tilts[tilt])))
            if len(found) == count:
                break
        return found

    def climb(
        self,
        start: Placement,
        *,
        step: float,
        end: float,
        score: Callable[[F64], float] | None = None,
        evaluations: int | None = None,
    ) -> tuple[Placement, float]:
        """Climb by steps of `step` to `end` mm and five times as many degrees; radius and tilt are hard limits.

        Parameters
        ----------
        start : Placement
            Where to begin.
        step, end : float
            First and last step (mm).
        score : callable, optional
            From one row (u, v, angle, tilt_x, tilt_y) to what is maximised; the landscape's own score by default.
        evaluations : int, optional
            Placements tried at most.
        """
        goal = score if score is not None else lambda row: float(self.scores_of(row[None])[0])
        count = 5 if self.space.tilt > 0.0 else 3
        first = np.array([start.u, start.v, start.angle, start.tilt_x, start.tilt_y])
        scale = np.zeros(5)
        scale[:count] = step * np.array([1.0, 1.0, *[np.radians(5.0)] * 3])[:count]

        def row_of(move: F64) -> F64:
            row = first.copy()
            row[:count] += scale[:count] * move
            # A step over the limit ends on it: the best may lie there.
            for pair, limit in ((slice(0, 2), self.space.radius), (slice(3, 5), self.space.tilt)):
                length = float(np.hypot(*row[pair]))
                if length > limit:
                    row[pair] *= (1.0 - 1e-12) * limit / length
            return row

        def loss(move: F64) -> float:
            return -goal(row_of(move))

        from scipy.optimize import minimize  # here, so that importing the package loads no SciPy

        # The steps point inwards, so that none begins beyond a limit.
        inwards = np.where(row_of(np.zeros(count))[:count] > 0.0, -1.0, 1.0)
        inwards[2] = 1.0
        simplex = np.vstack([np.zeros(count), np.diag(inwards)])
        result = minimize(
            loss,
            np.zeros(count),
            method="Nelder-Mead",
            options={
                "initial_simplex": simplex,
                "xatol": end / step,
                "fatol": np.inf,
                "maxfev": evaluations or 40 * count,
                "adaptive": count > 3,
            },
        )
        return Placement(*map(float, row_of(result.x))), -float(result.fun)

    def within(self, points: F64, halves: F64 | float = 0.0) -> NDArray[np.bool_]:
        """Tell which cells about placements (u, v, angle, tilt_x, tilt_y) have a part within the range searched."""
        least = np.maximum(np.abs(points) - halves, 0.0)
        near: NDArray[np.bool_] = np.hypot(least[:, 0], least[:, 1]) <= self.space.radius
        upright: NDArray[np.bool_] = np.hypot(least[:, 3], least[:, 4]) <= self.space.tilt * (1.0 + 1e-12)
        return near & upright

    def certify(self, score: float, *, wanted: float, most: int = CERTAIN) -> tuple[Certificate, Placement | None]:
        """Bound what placements can score beyond `score`; see `efield.targeting.certificate.certify`."""
        space = self.space
        count, n_tilts = len(space.angles), len(space.tilts)
        used = 5 if space.tilt > 0.0 else 3
        values = self.values.reshape(len(space.offsets), n_tilts, count).astype(np.float64)
        tilted = 2.0 * space.tilt / 3.0
        widths = np.array([space.spacing, space.spacing, 2.0 * np.pi / count, tilted, tilted])
        slopes = np.zeros((*values.shape, 5))
        for tilt in range(n_tilts):
            slopes[:, tilt, :, :3] = _slopes(space, values[:, tilt])
        if used == 5:
            for tilt in range(n_tilts):
                # The greatest change to any of the tilts beside it.
                near = np.abs(space.tilts - space.tilts[tilt]).max(axis=1) < 1.5 * tilted
                change = np.abs(values[:, near] - values[:, [tilt]]).max(axis=1)
                slopes[:, tilt, :, 3:] = (change / tilted)[:, :, None]
        # Cells that cannot matter are dropped before their middles are written out: there can be millions.
        bound = values + slopes[..., :used] @ widths[:used]
        site, leaning, angle = np.nonzero(bound > score * (1.0 + wanted))
        points = np.column_stack([space.offsets[site], space.angles[angle], space.tilts[leaning]])[:, :used]

        def rows(some: F64) -> F64:
            return np.column_stack([some, np.zeros((len(some), 5 - used))])

        certificate, better = certify(
            lambda some: self.scores_of(rows(some)),
            lambda some, halves: self.within(rows(some), rows(halves)),
            points,
            values[site, leaning, angle],
            slopes[site, leaning, angle][:, :used],
            widths[:used],
            found=score,
            wanted=wanted,
            placements=self.values.size,
            most=most,
        )
        if better is None:
            return certificate, None
        return certificate, Placement(*map(float, rows(better[None])[0]))

    def spread(self, keep: float, count: int) -> list[Placement]:
        """Return placements that score at least `keep` of the best and differ most from each other."""
        inside = np.repeat(self.space.inside, len(self.space.tilts))[:, None]
        allowed = np.where(inside, self.values, -np.inf)
        sites, turns = np.nonzero(allowed >= keep * allowed.max())
        position, tilt = np.divmod(sites, len(self.space.tilts))
        points = np.column_stack([self.space.offsets[position], self.space.angles[turns], self.space.tilts[tilt]])
        # 10 degrees count as much as 5 mm.
        places = np.column_stack([points[:, :2], 28.6 * np.cos(points[:, 2]), 28.6 * np.sin(points[:, 2])])
        chosen = [int(self.values[sites, turns].argmax())]
        distance = np.linalg.norm(places - places[chosen[0]], axis=1)
        while len(chosen) < min(count, len(points)) and distance.max() > 0.0:
            chosen.append(int(distance.argmax()))
            distance = np.minimum(distance, np.linalg.norm(places - places[chosen[-1]], axis=1))
        return [Placement(*map(float, points[row])) for row in chosen]


def _slopes(space: Placements, values: F64) -> F64:
    """Return the greatest slopes between a cell, its neighbours and theirs, shape (n_positions, n_angles, 3)."""
    from scipy.ndimage import maximum_filter

    index = np.rint(space.offsets / space.spacing).astype(np.int64)
    index -= index.min(axis=0)
    grid = np.full((*(index.max(axis=0) + 1), values.shape[1]), np.nan)
    grid[index[:, 0], index[:, 1]] = values
    found = np.empty((*values.shape, 3))
    for axis, width in enumerate([space.spacing, space.spacing, 2.0 * np.pi / values.shape[1]]):
        following = np.roll(grid, -1, axis=axis) - grid
        if axis < 2:  # the last has no neighbour; angles go around
            following[(slice(None),) * axis + (-1,)] = np.nan
        step = np.nan_to_num(np.abs(following), nan=0.0) / width
        step = np.maximum(step, np.roll(step, 1, axis=axis))
        step = maximum_filter(step, size=3, mode=["nearest", "nearest", "wrap"])
        found[:, :, axis] = step[index[:, 0], index[:, 1]]
    return found


def _disc_of(coil: Coil) -> F64:
    """Return points 2.5 mm apart that stand for a flat coil's sources at all angles, in its frame."""
    parts: Sequence[F64] = [coil.positions] if coil.n_dipoles else []
    if coil.segments is not None:
        parts = [*parts, coil.segments.points]
    points = np.concatenate(parts)
    radius = float(np.hypot(points[:, 0], points[:, 1]).max())
    steps = np.arange(-radius, radius + 2.5, 2.5)
    depths = np.linspace(points[:, 2].min(), points[:, 2].max(), 1 + int(np.ceil(np.ptp(points[:, 2]) / 2.5)))
    x, y, z = (axis.ravel() for axis in np.meshgrid(steps, steps, depths, indexing="ij"))
    inside = np.hypot(x, y) <= radius
    return np.column_stack([x[inside], y[inside], z[inside]])
