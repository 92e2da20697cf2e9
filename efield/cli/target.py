"""Run ``efield target``: from names to a result folder."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from efield.cli.names import check_names, open_coil, open_head, say_notes
from efield.cli.terminal import err, show_facts, stages

if TYPE_CHECKING:
    from meshes.tissues import ConductivitiesLike

__all__ = ["run"]


def run(
    name: str,
    *,
    side: str,
    coil_name: str,
    head_name: str,
    resolution: str,
    out: Path,
    angle_step: float,
    distance: float,
    radius: float,
    spacing: float,
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
    for value, option in (
        (angle_step, "--angle-step"),
        (radius, "--radius"),
        (spacing, "--spacing"),
        (didt, "--didt"),
        (wanted, "--field"),
    ):
        arrays.positive(value, option)
    arrays.non_negative(distance, "--distance")

    import efield
    from efield.targeting.search import check_search

    check_names(target=name, head=head_name, resolution=resolution)
    check_search(distance=distance, radius=radius, spacing=spacing, angle_step=angle_step)
    coil = open_coil(coil_name)
    with stages() as progress:
        progress(f"load head {head_name}")
        head = open_head(head_name, resolution=resolution, conductivities=conductivities)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            target = efield.Target.named(name, head, side=side)
        say_notes(caught)
        progress("prepare the solver")
        solver = efield.BemSolver(head)
        result = efield.optimize(
            solver,
            coil,
            target,
            distance=distance,
            radius=radius,
            spacing=spacing,
            angle_step=angle_step,
            progress=progress,
        )
        progress("write the result" + (" and draw the figure" if figure else ""))
        problem = report.write(result, out, didt=didt, field=wanted, figure=figure)
    show_facts(f"{name} {side}, {coil.name}", report.facts_of_search(result, didt=didt, field=wanted))
    say_written(out, problem)


def say_written(out: Path, problem: str | None) -> None:
    """Say on stderr where the result lies, and what the figure lacks if it lacks anything."""
    if problem:
        err().print("[bold yellow]Figure incomplete:[/] ", end="")
        err().print(problem, markup=False)
    err().print(f"Result written to {out}/", markup=False)
