"""The commands about one head: ``efield head check``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from efield.cli.terminal import complaints

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Look at one head, or take one in: check.",
)


@app.callback()
def _head() -> None:
    """Look at one head: its surfaces, sound or not."""


@app.command(
    epilog="""
Examples:

- **efield head check pycortex** : the default head
- **efield head check m2m_ernie** : a SimNIBS folder; also .msh, .toml, -bem.fif, .npz, FreeSurfer folders
- **efield head check lh.pial --json lh.json** : one surface: STL, PLY, OFF, VTP, GIFTI, FreeSurfer

Ends with exit code 1 if a line fails; warnings do not count.
"""
)
def check(
    head: Annotated[
        str,
        typer.Argument(metavar="PATH_OR_NAME", help="Head or surface: a file, a folder, or a name (`efield heads`)."),
    ],
    png: Annotated[
        Path | None, typer.Option("--png", metavar="FILE", help="Cuts through the head; default: ./NAME-cuts.png.")
    ] = None,
    picture: Annotated[bool, typer.Option("--picture/--no-picture", help="Draw the cuts.")] = True,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write all numbers and verdicts into this file.")
    ] = None,
    point: Annotated[
        str | None,
        typer.Option("--point", metavar="X,Y,Z", help="Draw cuts through this point (mm) too; default: first failure."),
    ] = None,
    resolution: Annotated[
        str | None, typer.Option("--resolution", help="Mesh of a head that ships with the package.")
    ] = None,
    verbose: Annotated[bool, typer.Option("--all", help="Show what passes too.")] = False,
) -> None:
    """Say what is right and wrong with a head's surfaces: closed, turned, crossing, nested, thin, coarse, units."""
    from efield.cli.head_check import run

    with complaints():
        run(head, png=png, picture=picture, json_file=json_file, point=point, resolution=resolution, verbose=verbose)
