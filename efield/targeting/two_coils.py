"""Place two coils at once, each for its own target, without their casings touching."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coils import Coil
from efield.bem import BemSolver
from efield.targeting.casings import CasingGap
from efield.targeting.pair_search import OBJECTIVES, Pair, PairSearch
from efield.targeting.target import Target
from efield.targeting.target_field import TargetField
from meshes import HeadModel, Pose

F64 = NDArray[np.float64]
Progress = Callable[[str, int, int], None]

__all__ = ["TwoCoils", "optimize_two"]


@dataclass(frozen=True, eq=False, kw_only=True)
class TwoCoils:
    """Two placements that leave a gap between the casings, and their fields.

    Attributes
    ----------
    poses : tuple of Pose
        Of the first and the second coil.
    coils, targets, head
        What was asked.
    vectors : ndarray, shape (2, 2, 3)
        ``vectors[i, j]`` is the mean field of coil i alone over target j (V/m at 1 A/us).
    gap : float
        How far the casings are apart at least (mm); `asked_gap` is what was wanted, `gap_error` by how much the gap may
        be greater. A gap of `reach` or more reads as `reach`.
    free : bool
        Whether each coil has the place that it would have alone; else they had to make room for each other.
    alone : ndarray, shape (2,)
        Greatest field of each coil at its target if it were alone (V/m at 1 A/us).
    grid_value : float or None
        What was maximised, for the best pair of the grid: no pair of the grid that is far enough apart exceeds it. None
        if `free`, as no pair can then be better.
    pairs : int
        How many pairs were compared for that.
    undecided : int
        Pairs that might have been far enough apart by less than the error of the gap, and were left out.
    objective : str
        "weaker" or "sum".
    settings : mapping
        Distance, radius, spacing, angle_step, gap.
    """

    poses: tuple[Pose, Pose]
    coils: tuple[Coil, Coil]
    targets: tuple[Target, Target]
    head: HeadModel
    vectors: F64
    gap: float
    gap_error: float
    reach: float
    free: bool
    alone: F64
    grid_value: float | None
    pairs: int
    undecided: int
    objective: str
    settings: Mapping[str, Any]

    def __repr__(self) -> str:
        own = ", ".join(
            f"{target.name} {target.side}: {field:.3f} V/m per A/us"
            for target, field in zip(self.targets, self.fields, strict=True)
        )
        return f"TwoCoils({own}; {self.gap:.1f} mm apart)"

    @property
    def fields(self) -> F64:
        """Field of each coil alone at its own target (V/m at 1 A/us), shape (2,)."""
        return np.array([_strength(self.vectors[i, i], self.targets[i]) for i in range(2)])

    @property
    def score(self) -> float:
        """What was maximised (V/m at 1 A/us)."""
        return float(self.fields.sum() if self.objective == "sum" else self.fields.min())

    def together(self, *, opposite: bool = False) -> F64:
        """Return the field at each target if both coils are pulsed at once.

        Parameters
        ----------
        opposite : bool, optional
            Whether the second coil's current runs the other way.

        Returns
        -------
        ndarray, shape (2,)
            V/m at 1 A/us in both coils.
        """
        sign = -1.0 if opposite else 1.0
        both = self.vectors[0] + sign * self.vectors[1]
        if opposite:  # a wanted direction at the second target turns with its coil's current
            both[1] *= sign
        return np.array([_strength(both[j], self.targets[j]) for j in range(2)])

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain data for JSON."""
        same, opposite = self.together(), self.together(opposite=True)
        rows = []
        for i in range(2):
            pose, coil, target = self.poses[i], self.coils[i], self.targets[i]
            rows.append(
                {
                    "coil": coil.name,
                    "target": {"name": target.name, "side": target.side, "position_mm": _plain(target.position)},
                    "matrix_coil_to_head_mm": _plain(pose.matrix),
                    "centre_mm": _plain(pose.origin),
                    "handle": _plain(pose.apply_vectors(coil.handle[None])[0]),
                    "current_direction": _plain(pose.apply_vectors(coil.current_direction[None])[0]),
                    "field_alone_V_per_m": float(self.fields[i]),
                    "field_alone_at_the_other_target_V_per_m": _strength(self.vectors[i, 1 - i], self.targets[1 - i]),
                    "field_if_it_were_the_only_coil_V_per_m": float(self.alone[i]),
                    "field_of_both_same_current_V_per_m": float(same[i]),
                    "field_of_both_opposite_current_V_per_m": float(opposite[i]),
                }
            )
        return {
            "what": "Placement of two TMS coils. Research software, not a medical device; no clinical clearance.",
            "fields_are": "mean over the target at 1 A/us; no figure says that two coils may be pulsed on a person",
            "objective": OBJECTIVES[self.objective],
            "coils": rows,
            "gap_between_casings_mm": self.gap,
            "gap_may_be_greater_by_mm": self.gap_error,
            "gaps_are_measured_up_to_mm": self.reach,
            "casings_are": "without handles and cables",
            "each_coil_has_the_place_it_has_alone": self.free,
            "best_of_the_grid_V_per_m": self.grid_value,
            "pairs_compared": self.pairs,
            "pairs_left_undecided": self.undecided,
            "settings": dict(self.settings),
        }


def optimize_two(
    solver: BemSolver,
    coils: Sequence[Coil],
    targets: Sequence[Target],
    *,
    gap: float = 3.0,
    distance: float = 4.0,
    radius: float = 30.0,
    spacing: float = 3.0,
    angle_step: float = 10.0,
    objective: str = "weaker",
    progress: Progress | None = None,
) -> TwoCoils:
    """Find placements of two coils, each for its own target, whose casings keep a gap.

    Both coils stay tangential to the scalp and off it, as in `efield.optimize`. Every coil is tried at every position
    and angle of a grid around its target, and the best refined. If both can stay there, they are the answer; else of
    all pairs of the grid the best one that leaves the gap is found, exactly, and both are refined together, locally.

    Parameters
    ----------
    solver : BemSolver
        The head.
    coils : sequence of Coil
        Two coils with casings; the same one twice will do.
    targets : sequence of Target
        What the first and the second are for.
    gap : float, optional
        Least distance between the casings (mm).
    distance, radius, spacing, angle_step : float, optional
        See `efield.optimize` (mm, mm, mm, degrees); they hold for both coils.
    objective : {"weaker", "sum"}, optional
        What to maximise: the weaker of both fields, each coil alone at its own target, or their sum. Without a
        direction the field at a target is the magnitude of its mean.
    progress : callable, optional
        Called with (stage, done, of).

    Returns
    -------
    TwoCoils

    Raises
    ------
    ValueError
        If there are not two coils and two targets, a coil has no casing, a number or `objective` is out of range, or no
        two placements of the grid leave the gap.
    TypeError
        If `solver`, a coil or a target is something else.
    RuntimeError
        If a linear system does not converge.

    Notes
    -----
    Both objectives fall with either field, so placements are sorted by their field, and for each of the first coil
    those of the second are gone through in descending order until one leaves the gap or none can be better than the
    best pair so far. That visits each pair that would be better than the answer, and few others. Pairs that the table
    of distances leaves open are measured exactly (`CasingGap`).

    Casings are without handles and cables: a coil is turned by half a circle where that brings its handle away from the
    other coil and costs less than a hundredth of what is maximised.

    Examples
    --------
    >>> import coils, meshes
    >>> head = meshes.sphere_head(radii=[90], conductivities=[0.33], subdivisions=2)
    >>> left, right = (Target(position=(x, 0, 60)) for x in (-30, 30))
    >>> coil = coils.load_coil("magstim-25mm")
    >>> options = {"radius": 6, "spacing": 6, "angle_step": 90}
    >>> best = optimize_two(BemSolver(head), (coil, coil), (left, right), gap=2, **options)
    >>> best.gap >= 2
    True
    """
    pair = Pair.checked(solver, coils, targets, gap, distance, radius, spacing, angle_step, objective)
    report = progress if progress is not None else _silent
    fields = TargetField(
        solver, [target.on(solver.head) for target in pair.targets], progress=lambda i, n: report("reciprocity", i, n)
    )
    casings = CasingGap(*pair.coils, reach=gap + 10.0)
    search = PairSearch(pair, fields, casings)
    search.tabulate(report)
    best = search.best_alone(report)
    free = search.score(best) > -np.inf
    if not free:
        best = search.refined(search.best_of_grid(report), report)
    poses = search.poses(search.with_handles_apart(best))
    matrices = [fields.of_poses(coil, [pose])[0] for coil, pose in zip(pair.coils, poses, strict=True)]
    return TwoCoils(
        poses=poses,
        coils=pair.coils,
        targets=pair.targets,
        head=solver.head,
        vectors=np.stack(matrices),
        gap=casings.between(*poses),
        gap_error=casings.error,
        reach=casings.reach,
        free=free,
        alone=search.alone,
        grid_value=None if free else search.grid_value,
        pairs=search.pairs,
        undecided=search.undecided,
        objective=objective,
        settings={
            "gap_mm": gap, "distance_mm": distance, "radius_mm": radius, "spacing_mm": spacing,
            "angle_step_deg": angle_step,
        },
    )  # fmt: skip


def _strength(vector: F64, target: Target) -> float:
    return float(np.linalg.norm(vector) if target.direction is None else vector @ target.direction)


def _plain(values: F64) -> list[Any]:
    rounded: list[Any] = np.round(values, 9).tolist()
    return rounded


def _silent(stage: str, done: int, of: int) -> None:
    """Report nothing."""
