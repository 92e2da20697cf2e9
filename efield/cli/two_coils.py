"""Run ``efield target --second-coil``: two coils at once, one for each side."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from efield.cli.names import check_names, open_coil, open_head
from efield.cli.target import say_written
from efield.cli.terminal import show_facts, stages

if TYPE_CHECKING:
    from efield import TwoCoils
    from efield.cli.goals import Goal
    from efield.cli.target import Search
    from meshes.tissues import ConductivitiesLike

__all__ = ["run"]


def run(
    goal: Goal,
    search: Search,
    *,
    coil_names: tuple[str, str],
    head_name: str,
    resolution: str,
    out: Path,
    wanted: float,
    conductivities: ConductivitiesLike | None = None,
) -> None:
    """Find the best pair of poses and write summary.json and the navigation files.

    Raises
    ------
    ValueError, OSError
        If an option does not go with two coils, a name is unknown, or the folder cannot take a result.
    """
    from efield import report
    from meshes import arrays

    report.check_folder(out)
    arrays.positive(wanted, "--field")
    goal.check()
    search.check()
    if goal.side != "both":
        raise ValueError(f"--side must be both with --second-coil, one coil for each side; got {goal.side}.")
    if search.tilt or search.deform or search.current or goal.objective != "strength" or goal.avoid:
        raise ValueError(
            "--second-coil must stand without --tilt, --deform, --current, --avoid and another --objective; got one of "
            "these. Two coils are placed tangentially for the greatest field at the weaker target."
        )

    import efield

    check_names(head=head_name, resolution=resolution)
    coils = tuple(open_coil(name, option) for name, option in zip(coil_names, ("--coil", "--second-coil"), strict=True))
    with stages() as progress:
        progress(f"load head {head_name}")
        head = open_head(head_name, resolution=resolution, conductivities=conductivities)
        targets = goal.targets(head)
        progress("prepare the solver")
        solver = efield.BemSolver(head)
        result = efield.optimize_two(
            solver,
            coils,
            targets,
            distance=search.distance,
            radius=search.radius,
            spacing=search.spacing,
            angle_step=search.angle_step,
            progress=progress,
        )
        progress("write the result")
        content = result.as_dict() | {
            "provenance": [solver.provenance(coil) for coil in coils],
            "wanted_V_per_m": wanted,
        }
        _write(result, content, out)
    show_facts(f"{goal.name}, two coils", _facts(result, wanted))
    say_written(out, None)


def _write(result: TwoCoils, content: dict[str, Any], out: Path) -> None:
    """Write the folder; the summary comes last, so that where it is, the result is whole."""
    from efield import navigation

    out.mkdir(parents=True, exist_ok=True)
    (out / "navigation").mkdir()
    poses = {f"{target.name} {target.side}": pose for target, pose in zip(result.targets, result.poses, strict=True)}
    for system, name in navigation.FILES.items():
        navigation.write_poses(poses, out / "navigation" / name, system=system)
    with tempfile.TemporaryDirectory(dir=out, prefix=".writing-") as draft:
        file = Path(draft) / "summary.json"
        file.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        file.replace(out / "summary.json")


def _facts(result: TwoCoils, wanted: float) -> dict[str, str]:
    """Say the pair in words."""
    from efield.report import say_direction

    facts = {}
    for number in range(2):
        coil, pose, target = result.coils[number], result.poses[number], result.targets[number]
        x, y, z = pose.origin
        facts[f"{target.name} {target.side}"] = (
            f"{coil.name} at ({x:.1f}, {y:.1f}, {z:.1f}) mm, handle "
            f"{say_direction(pose.apply_vectors(coil.handle[None])[0])}; alone {result.fields[number]:#.3g} V/m at "
            f"1 A/µs, {wanted / result.fields[number]:.0f} A/µs for {wanted:g} V/m"
        )
    same, opposite = result.together(), result.together(opposite=True)
    facts["Both pulsed at once"] = (
        f"same sign of the currents {same[0]:#.3g} and {same[1]:#.3g} V/m, opposite {opposite[0]:#.3g} and "
        f"{opposite[1]:#.3g} V/m at 1 A/µs each"
    )
    facts["Gap between the casings"] = f"{result.gap:.1f} mm or more, handles and cables not counted"
    facts["Alone each could have"] = f"{result.alone[0]:#.3g} and {result.alone[1]:#.3g} V/m at 1 A/µs"
    return facts
