"""Run ``efield target``: from names to a result folder."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from efield.cli.names import check_names, open_coil, open_head
from efield.cli.terminal import err, show_facts, stages

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from efield.cli.extras import Extras
    from efield.cli.goals import Goal
    from meshes.tissues import ConductivitiesLike

__all__ = ["Search", "run", "say_written"]


@dataclass(frozen=True, kw_only=True)
class Search:
    """How to search; see `efield.optimize`."""

    angle_step: float
    distance: float
    radius: float
    spacing: float
    tilt: float
    current: str | None
    deform: bool
    gap: float

    def check(self) -> None:
        """Raise ValueError if a number is out of range."""
        from efield.directions import current_on_scalp
        from efield.targeting.finding import check_search
        from meshes import arrays

        for value, option in (
            (self.angle_step, "--angle-step"),
            (self.radius, "--radius"),
            (self.spacing, "--spacing"),
            (self.gap, "--gap"),
        ):
            arrays.positive(value, option)
        arrays.non_negative(self.distance, "--distance")
        arrays.non_negative(self.tilt, "--tilt")
        check_search(
            distance=self.distance,
            radius=self.radius,
            spacing=self.spacing,
            angle_step=self.angle_step,
            tilt=self.tilt,
            gap=self.gap,
        )
        if self.current is not None:
            direction = self.direction
            current_on_scalp("" if direction is None else direction, (-50.0, 0.0, 0.0), (0.0, 0.0, 1.0))

    @property
    def direction(self) -> str | NDArray[np.float64] | None:
        """The current's wanted direction: a name, or x,y,z."""
        from efield.cli.goals import point

        if self.current is None or "," not in self.current:
            return self.current
        return point(self.current, "--current")


def run(
    goal: Goal,
    search: Search,
    extras: Extras,
    *,
    coil_name: str,
    head_name: str,
    resolution: str,
    out: Path,
    didt: float,
    wanted: float,
    figure: bool,
    conductivities: ConductivitiesLike | None = None,
) -> None:
    """Find the best pose and write the result.

    All that can be wrong with the input is checked before the long computation begins.

    Raises
    ------
    ValueError, OSError
        If a name is unknown, a number is out of range, or the folder cannot take a result.
    """
    from efield import report
    from meshes import arrays

    report.check_folder(out)
    arrays.positive(didt, "--didt")
    arrays.positive(wanted, "--field")
    goal.check()
    search.check()
    if goal.direction is not None and search.current is not None:
        raise ValueError(
            "--current must not be given with --direction, which chooses between half turns too; got both."
        )
    check_names(head=head_name, resolution=resolution)
    coil = open_coil(coil_name)
    extras.check(goal, coil, given_points=goal.name is None)

    import efield

    with stages() as progress:
        progress(f"load head {head_name}")
        head = open_head(head_name, resolution=resolution, conductivities=conductivities)
        targets = goal.targets(head)
        objective = goal.wanted(head)
        progress("prepare the solver")
        solver = efield.BemSolver(head)
        result = efield.optimize(
            solver,
            coil,
            targets,
            objective=objective,
            distance=search.distance,
            radius=search.radius,
            spacing=search.spacing,
            angle_step=search.angle_step,
            tilt=search.tilt,
            current=search.direction,
            deform=search.deform,
            gap=search.gap,
            progress=progress,
        )
        if extras.expected:
            progress("maximise the expected field")
        result = extras.moved(result, solver)
        if extras.error is not None or extras.wants_plan:
            progress("errors of placement, dose, pulses")
        plain = goal.is_plain and search.tilt == 0.0
        sections, dose, warnings = extras.sections(result, solver, coil, wanted=wanted, plain=plain)
        progress("write the result" + (" and draw the figure" if figure else ""))
        problem = report.write(
            result,
            out,
            didt=didt,
            field=wanted,
            figure=figure,
            sections=sections,
            dose=dose,
            warnings=warnings,
            command=_command(),
        )
    show_facts(f"{result.name}, {coil.name}", report.facts_of_search(result, didt=didt, field=wanted))
    for section in sections:
        show_facts(section.title, section.rows)
    for sentence in warnings:
        err().print("[bold red]Warning:[/] ", end="")
        err().print(sentence, markup=False)
    say_written(out, problem)


def _command() -> str:
    """Return the command line as it was given."""
    return shlex.join(["efield", *sys.argv[1:]])


def say_written(out: Path, problem: str | None) -> None:
    """Say on stderr where the result lies, and what the figure lacks if it lacks anything."""
    if problem:
        err().print("[bold yellow]Figure incomplete:[/] ", end="")
        err().print(problem, markup=False)
    err().print(f"Result written to {out}/", markup=False)
