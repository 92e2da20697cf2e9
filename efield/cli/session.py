"""Run ``efield session``: from a navigation system's file to what every pulse brought to the targets."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from efield.cli.names import check_names, open_coil, open_head, say_notes
from efield.cli.simulate import read_pose
from efield.cli.terminal import err, show_facts, stages

if TYPE_CHECKING:
    from coils import Coil
    from coils.stimulators import Stimulator
    from efield import Target
    from efield.navigation import Recording
    from efield.session import Session
    from meshes import HeadModel, Pose
    from meshes.tissues import ConductivitiesLike

__all__ = ["run"]

# Poses whose axes are printed: enough to see whether they were understood.
_SHOWN = 3


def run(
    file: Path,
    *,
    system: str | None,
    coil_name: str,
    head_name: str,
    resolution: str,
    target_names: Sequence[str],
    side: str,
    radius: float,
    optimum: Path | None,
    transform: Path | None,
    stimulator_name: str | None,
    out: Path,
    figure: bool,
    conductivities: ConductivitiesLike | None = None,
) -> None:
    """Simulate a recorded session and write the result.

    All that can be wrong with the input is checked before the long computation begins.

    Parameters
    ----------
    file : Path
        Of a navigation system.
    system : str or None
        Which; by default told from the text.
    coil_name, head_name, resolution
        As in `efield.cli.target.run`.
    target_names : sequence of str
        Targets by name.
    side : {"left", "right", "both"}
        Side of each target.
    radius : float
        Cortex within this distance counts as the target (mm).
    optimum : Path or None
        File with the pose to compare with, such as a search's summary.json.
    transform : Path or None
        File with the rigid motion from the recording's coordinates to the head's (mm).
    stimulator_name : str or None
        What turns per cent into dI/dt: a coil whose stimulator was measured, or dI/dt at 100 % in A/us.
    out : Path
        Folder for the result.
    figure : bool
        Whether to draw the figure.
    conductivities : optional
        As in `efield.cli.names.open_head`.

    Raises
    ------
    ValueError, OSError
        If a name is unknown, a file is broken, or the folder cannot take a result.
    """
    from efield.session.files import check_folder
    from meshes import arrays

    check_folder(out)
    arrays.positive(radius, "--target-radius")
    sides = ("left", "right") if side == "both" else (arrays.choice(side, "--side", ("left", "right", "both")),)
    for name in target_names:
        check_names(target=name)
    check_names(head=head_name, resolution=resolution)
    motion, best = _motion(transform, "--transform"), _motion(optimum, "--optimum")
    coil, stimulator = open_coil(coil_name), _stimulator(stimulator_name)
    recording = _read(file, system)
    _say_axes(recording, file, moved=motion is not None)

    import efield
    from efield.session import simulate_session
    from efield.session.words import doubts, facts

    with stages() as progress:
        progress(f"load head {head_name}")
        head = open_head(head_name, resolution=resolution, conductivities=conductivities)
        targets = _targets(target_names, sides, head, radius)
        if optimum is not None:
            _say_other_origin(optimum, head, coil)
        progress("prepare the solver")
        session = simulate_session(
            efield.BemSolver(head),
            coil,
            recording,
            targets,
            optimum=best,
            transform=motion,
            stimulator=stimulator,
            progress=progress,
        )
        progress("write the result" + (" and draw the figure" if figure else ""))
        session.save(out, figure=figure)
    show_facts(_title(session, file), facts(session))
    for sentence in doubts(session):
        _note(sentence)
    err().print(f"Result written to {out}/", markup=False)


def _title(session: Session, file: Path) -> str:
    return f"{file.name}, {session.coil.name} on {session.head.name}"


def _motion(path: Path | None, option: str) -> Pose | None:
    """Read a rigid motion; say which option was at fault if it is none."""
    if path is None:
        return None
    try:
        return read_pose(path, option=option)
    except ValueError as error:
        said = str(error)
        if said.startswith(option):
            raise
        raise ValueError(f"{option} must hold a rigid motion, 4 x 4, in millimetres; got {path}: {said}") from None


def _stimulator(name: str | None) -> Stimulator | None:
    from coils.stimulator_pairs import list_stimulator_coils, stimulator_for
    from coils.stimulators import Stimulator
    from meshes import arrays

    if name is None:
        return None
    names = list_stimulator_coils()
    if name in names:
        return stimulator_for(name)
    try:
        didt = arrays.positive(float(name), "--stimulator")
    except ValueError:
        raise ValueError(
            f"--stimulator must be one of {', '.join(names)}, or dI/dt at 100 % in A/us; got {name!r}."
        ) from None
    return Stimulator(f"{didt:g} A/us at 100 %", max_didt=1e6 * didt, source="given on the command line")


def _read(file: Path, system: str | None) -> Recording:
    """Read the recording; say which file was at fault if there is none."""
    from efield import navigation
    from meshes import arrays

    if system is not None:
        arrays.choice(system, "--system", sorted(navigation.FILES))
    if not file.is_file():
        raise ValueError(f"FILE must be a file of a navigation system; got {file}, which is not a file.")
    if file.stat().st_size == 0:
        raise ValueError(f"FILE must hold recorded poses; got {file}, which is empty.")
    try:
        return navigation.read_recording(file, system=system)
    except ValueError as error:
        said = str(error).removesuffix(" Name the system with system=.")
        hint = "" if system is None else f" Is it a file of {system}, as --system says?"
        raise ValueError(f"FILE cannot be used: {said}{hint}") from None


def _say_axes(recording: Recording, file: Path, *, moved: bool) -> None:
    """Say how the file was understood, before anything is computed."""
    pulses = recording.pulses
    kinds = sorted({pulse.kind for pulse in pulses})
    lines = {
        "System": f"{recording.system}; {len(pulses)} {' and '.join(kinds)} poses",
        "Frame": "RAS, mm; z into the head, the handle along -y; as read, before any transform",
    }
    lines |= {f"Pose {row + 1}": pulse.axes for row, pulse in enumerate(pulses[:_SHOWN])}
    if not moved:
        lines["Transform"] = "none: the recording is taken to be in the head's own coordinates (--transform)"
    show_facts(f"{file.name}, axes as understood", lines)


def _targets(names: Sequence[str], sides: Sequence[str], head: HeadModel, radius: float) -> list[Target]:
    import efield

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        targets = [efield.Target.named(name, head, side=side, radius=radius) for name in names for side in sides]
    say_notes(caught)
    return targets


def _say_other_origin(optimum: Path, head: HeadModel, coil: Coil) -> None:
    """Say if the optimum's file names another head or coil than this session's."""
    try:
        content: Any = json.loads(optimum.read_text(encoding="utf-8"))
    except ValueError:
        return
    known = content.get("provenance") if isinstance(content, dict) else None
    if not isinstance(known, dict):
        return
    for key, own in (("head sha256", head.checksum), ("coil sha256", coil.checksum)):
        if known.get(key, own) != own:
            _note(f"The optimum is of another {key.split()[0]} than this session; shares of it mean little.")


def _note(sentence: str) -> None:
    err().print("[bold yellow]Note:[/] ", end="")
    err().print(sentence, markup=False)
