"""Run ``efield coils``: list the coils, describe one, draw sheets, make the README's table."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from efield.cli.names import open_coil
from efield.cli.terminal import err, out, stages

if TYPE_CHECKING:
    from coils import Coil

__all__ = ["run"]


def run(name: str | None, *, pictures: Path | None, markdown: bool) -> None:
    """List all coils or describe one; with `pictures`, draw a sheet of each.

    Parameters
    ----------
    name : str or None
        Name or file of a coil; None for all that have names.
    pictures : Path or None
        Folder for the sheets; made if missing.
    markdown : bool
        Print the README's table instead.

    Raises
    ------
    ValueError, OSError
        If the coil is unknown, or the folder cannot be written to.
    """
    import coils

    chosen = [open_coil(name, "NAME_OR_FILE")] if name is not None else [coils.load_coil(n) for n in coils.list_coils()]
    if pictures is not None:
        _check_folder(pictures)
    if markdown:
        from efield.cli.coil_table import markdown_table

        # Not through rich, which would fold the lines.
        print(markdown_table(chosen))
    elif name is not None:
        out().print(chosen[0].summary(), markup=False, soft_wrap=True)
    else:
        _show_table(chosen)
    if pictures is not None:
        _draw(chosen, pictures)


def _show_table(chosen: Iterable[Coil]) -> None:
    """Print one line per coil."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title="Coils (--coil)", title_justify="left", box=None, padding=(0, 1, 0, 0))
    table.add_column("coil", no_wrap=True)
    for column in ("dipoles", "error", "moment"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("max dI/dt", min_width=12)
    table.add_column("source", min_width=20)
    for coil in chosen:
        limit = "unknown" if coil.max_didt is None else f"{coil.max_didt / 1e6:.1f} {stimulator_words(coil)}"
        cells = (coil.name, str(coil.n_dipoles), error_words(coil), moment_words(coil), limit, short_source(coil))
        table.add_row(*(Text(cell) for cell in cells))
    out().print(table)
    err().print(
        "error: of the dipoles, share of the peak 10 mm below the winding. max dI/dt: A/µs, with the stimulator named. "
        "moment: cm² per wing (±: the wings oppose each other) or of the whole coil. `efield coils NAME` tells more.",
        markup=False,
    )


def error_words(coil: Coil) -> str:
    """Return the discretisation error as a text."""
    return "unknown" if coil.discretisation_error is None else f"{100.0 * coil.discretisation_error:.2g} %"


def moment_words(coil: Coil) -> str:
    """Return the moment (cm^2): of one wing where two oppose each other, else of the whole."""
    right, left = coil.wing_moments
    if not coil.n_dipoles:
        return "-"
    if right[2] * left[2] < 0.0:
        return f"±{1e4 * (np.linalg.norm(right) + np.linalg.norm(left)) / 2.0:.0f}"
    return f"{1e4 * np.linalg.norm(coil.moments.sum(axis=0)):.0f}"


def kind_words(coil: Coil) -> str:
    """Return figure-8, with the angle between the wings if it is bent, or circular, by the wings' moments."""
    right, left = coil.wing_moments
    if not coil.n_dipoles or right[2] * left[2] >= 0.0:
        return "circular" if coil.n_dipoles else "other"
    cosine = -(right @ left) / (np.linalg.norm(right) * np.linalg.norm(left))
    angle = 180.0 - np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
    return "figure-8" if angle > 179.0 else f"figure-8, {angle:.0f}°"


def stimulator_words(coil: Coil) -> str:
    """Return the stimulator that `max_didt` holds for, as far as it is known."""
    from coils.stimulator_pairs import list_stimulator_coils, stimulator_for

    stimulator = coil.stimulator
    if stimulator is None and coil.max_didt is not None and coil.name in list_stimulator_coils():
        stimulator = stimulator_for(coil.name)
    return "" if stimulator is None else " ".join(part for part in (stimulator.brand, stimulator.name) if part)


def short_source(coil: Coil) -> str:
    """Return the beginning of the source, up to the first semicolon between parts."""
    return textwrap.shorten(coil.source.split("; ")[0].removeprefix("winding: "), 60, placeholder=" …")


def _check_folder(folder: Path) -> None:
    """Make the folder before anything long is computed."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"--pictures must be a folder; got {folder}, which is a file.")
    folder.mkdir(parents=True, exist_ok=True)


def _draw(chosen: list[Coil], folder: Path) -> None:
    """Draw the sheets, one file per coil."""
    from efield import viewer

    with stages() as progress:
        for done, coil in enumerate(chosen):
            progress("draw the coils", done, len(chosen))
            viewer.coil_sheet(coil, folder / f"{_file_name(coil.name)}.png")
    err().print(f"{len(chosen)} sheet{'s' if len(chosen) > 1 else ''} written to {folder}/", markup=False)


def _file_name(name: str) -> str:
    """Return a coil's name without what no file name may have."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "coil"
