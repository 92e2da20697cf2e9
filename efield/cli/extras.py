"""What ``efield target`` adds to a placement: errors of placement, dose, protocol, safety tables."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from coils import Coil
    from efield.bem import BemSolver
    from efield.cli.goals import Goal
    from efield.dose import Dose, MotorThreshold
    from efield.page import Section
    from efield.targeting import Robustness, SearchResult

__all__ = ["Extras"]


@dataclass(frozen=True, kw_only=True)
class Extras:
    """Options beyond the placement itself.

    Attributes
    ----------
    error : str, optional
        Preset of placement errors.
    expected : bool
        Whether to maximise the expected field under these errors.
    threshold_mso : float, optional
        Motor threshold of M1 hand on the head's `threshold_side` (% of the stimulator's output).
    threshold_from : Path, optional
        Folder of a saved result: where the coil was.
    threshold_by : str
        "emg" or "visual".
    protocol, affected, train : str, optional
        Published protocol, affected side of the body, pulses as HZ,PULSES,TRAINS,PAUSE.
    intensity : float, optional
        Percent of the threshold's field.
    own_head : bool
        Whether the head is the person's own.
    """

    error: str | None = None
    expected: bool = False
    threshold_mso: float | None = None
    threshold_from: Path | None = None
    threshold_by: Literal["emg", "visual"] = "emg"
    protocol: str | None = None
    affected: str | None = None
    intensity: float | None = None
    train: str | None = None
    own_head: bool = False

    def check(self, goal: Goal, coil: Coil, *, given_points: bool) -> None:
        """Raise ValueError for what is wrong before anything is computed."""
        from efield import PlacementError, protocols
        from meshes import arrays

        if self.error is not None:
            PlacementError.named(self.error)
        if self.expected and self.error is None:
            raise ValueError("--error must say how large errors are if --expected is given; got none.")
        if self.expected and goal.objective == "focal":
            raise ValueError(
                "--objective must not be focal with --expected; got both, and an area has no expected field."
            )
        if self.threshold_mso is not None:
            self._check_pair(coil)
            arrays.positive(self.threshold_mso, "--threshold-mso")
            if self.threshold_mso > 100.0:
                raise ValueError(f"--threshold-mso must be at most 100 %; got {self.threshold_mso:g}.")
        elif self.threshold_from is not None:
            raise ValueError(f"--threshold-mso must be given with --threshold-from; got {self.threshold_from} alone.")
        if self.threshold_from is not None and not self.threshold_from.exists():
            raise FileNotFoundError(
                f"--threshold-from must be the folder of a saved result; got {self.threshold_from}."
            )
        if self.threshold_mso is not None and self.threshold_from is None and given_points:
            raise ValueError(
                "--threshold-from must name a saved m1-hand result where the target is a point, region or mask: its "
                "side is not known. Run efield target m1-hand first."
            )
        if self.intensity is not None:
            arrays.positive(self.intensity, "--intensity")
        if self.protocol is not None:
            protocols.load_protocol(self.protocol)
        if self.train is not None:
            protocols.PulseTrain.from_text(self.train)
        if self.affected is not None:
            arrays.choice(self.affected, "--affected", ("left", "right"))

    @staticmethod
    def _check_pair(coil: Coil) -> None:
        import coils

        try:
            coils.stimulator_for(coil.name)
        except ValueError:
            raise ValueError(
                f"--threshold-mso must go with a coil whose stimulator is known; got {coil.name}. In Python: "
                "efield.dose.MotorThreshold(..., stimulator=coils.Stimulator(...))."
            ) from None

    @property
    def wants_plan(self) -> bool:
        """Whether dose, protocol or pulses were asked for."""
        asked = (self.threshold_mso, self.protocol, self.intensity, self.train, self.affected)
        return any(value is not None for value in asked) or self.own_head

    def moved(self, result: SearchResult, solver: BemSolver) -> SearchResult:
        """Return the placement with the greatest expected field, if that is wanted; else the result."""
        if not self.expected or self.error is None:
            return result
        from efield import PlacementError
        from efield.targeting.robust_placement import optimize_expected

        score = result.objective.prepare(result.head, result.targets).score
        best = optimize_expected(result, PlacementError.named(self.error), score=score)
        return result.at(best.pose, solver)

    def sections(
        self, result: SearchResult, solver: BemSolver, coil: Coil, *, wanted: float, plain: bool
    ) -> tuple[list[Section], Dose | None, tuple[str, ...]]:
        """Return what goes into report.html and summary.json, the dose asked for, and warnings.

        Parameters
        ----------
        result, solver, coil
            Of the search.
        wanted : float
            Field for which the dose is without a threshold (V/m).
        plain : bool
            Whether the search was for strength alone, so that over M1 hand it also stands for the threshold's place.
        """
        from efield import page

        found: list[Section] = []
        warnings: tuple[str, ...] = ()
        dose = None
        robust = self._robustness(result)
        if robust is not None:
            found.append(page.Section.of("Errors of placement", robust, picture=_map(robust, result), alt=_ALT))
        if self.wants_plan:
            from efield import protocols
            from efield.dose import placement_spread

            plan = protocols.plan_session(
                result,
                threshold=self._threshold(result, solver, coil, plain=plain and not self.expected),
                field=wanted,
                protocol=self.protocol,
                intensity=self.intensity,
                train=None if self.train is None else protocols.PulseTrain.from_text(self.train),
                affected=self.affected,
                own_head=self.own_head,
                placement=None if robust is None else placement_spread(robust.total.low),
            )
            found.append(page.Section.of("Dose and pulses", plan))
            dose, warnings = plan.dose, plan.warnings
        return found, dose, warnings

    def _robustness(self, result: SearchResult) -> Robustness | None:
        if self.error is None:
            return None
        from efield import PlacementError, robustness_of

        return robustness_of(result, PlacementError.named(self.error))

    def _threshold(self, result: SearchResult, solver: BemSolver, coil: Coil, *, plain: bool) -> MotorThreshold | None:
        """Return the measured threshold: where a saved result says, or at the best placement over M1 hand."""
        if self.threshold_mso is None:
            return None
        import efield
        from efield.dose import MotorThreshold, threshold_of_folder

        if self.threshold_from is not None:
            return threshold_of_folder(self.threshold_from, mso=self.threshold_mso, method=self.threshold_by)
        side = result.target.side or "left"
        if plain and result.target.name == "m1-hand" and len(result.targets) == 1:
            hand = result
        else:
            distance = result.settings["distance_mm"]
            target = efield.Target.named("m1-hand", result.head, side=side)
            hand = efield.optimize(solver, coil, target, distance=distance)
        return MotorThreshold.of_result(hand, mso=self.threshold_mso, method=self.threshold_by)


_ALT = (
    "Maps of the expected field and its 5th percentile for coils planned around the best place; loss against each error"
)


def _map(robust: Robustness, result: SearchResult) -> bytes | None:
    """Return the maps as a PNG file's bytes; None if there are too few positions for one."""
    from efield.viewer.robustness_map import save_robustness

    if robust.map is None or len(robust.map.planned) < 4:
        return None
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "robustness.png"
        heading = f"{result.name}, {result.head.name}, {result.coil.name}"
        save_robustness(robust, file, focus=result.target.position, heading=heading)
        return file.read_bytes()
