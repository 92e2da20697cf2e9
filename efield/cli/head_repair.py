"""Run ``efield head repair``: mend a head's surfaces, write them, say what was moved."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from efield.cli.head_check import FAILED, open_parts
from efield.cli.terminal import err, out, stages

if TYPE_CHECKING:
    from meshes import Surface
    from meshes.files.parts import Parts

__all__ = ["run", "write_parts"]

HEAD_FILE = "head.toml"


def run(
    text: str,
    *,
    folder: Path,
    clearance: float,
    max_move: float,
    aspect: float,
    keep: Sequence[str],
    resolution: str | None,
) -> None:
    """Mend the surfaces of a head or file; exit with code 1 if something is left to do.

    Raises
    ------
    ValueError, OSError
        If there is no such head, an option is out of range, or the folder is not empty.
    """
    from meshes.repair import repair

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"--out must be a new or empty folder; got {folder}, which is not.")
    parts = open_parts(text, resolution)
    if parts.touching:
        raise ValueError(f"tissues of {parts.name} touch: mend the volume of labels that it was made from.")
    with stages() as progress:
        progress("mend the surfaces")
        result = repair(parts.surfaces, clearances=clearance, max_move=max_move, aspect=aspect, keep=keep)
    for change in result.changes:
        out().print(str(change), markup=False)
    for sentence in result.remaining:
        err().print("[bold red]Left:[/] ", end="")
        err().print(sentence, markup=False)
    folder.mkdir(parents=True, exist_ok=True)
    whole = write_parts(parts, result.surfaces, folder, source=f"efield head repair {text}")
    said = f"{HEAD_FILE} and its surfaces" if whole else "surfaces (their conductivities are not known: no head.toml)"
    err().print(f"Written to {folder}: {said}", markup=False)
    if not result.ok or (whole and not _loads(folder / HEAD_FILE)):
        raise typer.Exit(FAILED)


def _loads(file: Path) -> bool:
    """Return whether what was written is a head; say why if it is none."""
    from meshes import read_head

    try:
        read_head(file)
    except ValueError as error:
        err().print("[bold red]Left:[/] ", end="")
        err().print(str(error), markup=False)
        return False
    return True


def write_parts(parts: Parts, surfaces: Sequence[Surface], folder: Path, *, source: str) -> bool:
    """Write surfaces as PLY files and, if the conductivities are known, the list that makes them a head.

    Parameters
    ----------
    parts : Parts
        Where conductivities, cortex and fiducials come from.
    surfaces : sequence of Surface
        In place of those of `parts`.
    folder : Path
        Where to write.
    source : str
        What the head comes from.

    Returns
    -------
    bool
        Whether head.toml was written.
    """
    from meshes.files import write_surface

    names = [re.sub(r"[^\w.-]+", "-", surface.name) for surface in surfaces]
    for name, surface in zip(names, surfaces, strict=True):
        write_surface(surface, folder / f"{name}.ply")
    sides = [side for pair in parts.sigmas for side in pair]
    if not all(isinstance(side, float) for side in sides):
        return False
    lines = [f"name = {_quoted(parts.name)}", f"source = {_quoted(source)}"]
    if parts.cortex is not None:
        write_surface(parts.cortex, folder / "cortex-points.ply")
        lines.append('cortex = "cortex-points.ply"')
    for name, surface, (inside, outside) in zip(names, surfaces, parts.sigmas, strict=True):
        lines += ["", "[[interface]]", f'file = "{name}.ply"', f"name = {_quoted(surface.name)}"]
        lines += [f"inside = {_tissue(inside)}", f"outside = {_tissue(outside)}"]
    if parts.fiducials:
        lines += ["", "[fiducials]"]
        lines += [f"{_quoted(key)} = {[float(x) for x in point]}" for key, point in parts.fiducials.items()]
    (folder / HEAD_FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return True


def _tissue(sigma: object) -> str:
    """Return the tissue with a conductivity, or the number (S/m)."""
    from meshes import CONDUCTIVITIES

    # Only the tissues of a plain head: 0.008 S/m may be compact bone, or a skull that is set lower.
    known = {0.0: "air"} | {value: name for name, value in CONDUCTIVITIES.items()}
    return _quoted(known[sigma]) if isinstance(sigma, float) and sigma in known else repr(sigma)


def _quoted(text: str) -> str:
    """Return a TOML string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
