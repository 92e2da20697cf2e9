"""The commands about one head: ``efield head check``, ``efield head repair``, ``efield head import``."""

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
    help="Look at one head, mend it, or take one in: check, repair, import.",
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
    labels: Annotated[
        str | None, typer.Option("--labels", help="For a label volume: simnibs, freesurfer, roast, or a file.")
    ] = None,
    verbose: Annotated[bool, typer.Option("--all", help="Show what passes too.")] = False,
) -> None:
    """Say what is right and wrong with a head's surfaces: closed, turned, crossing, nested, thin, coarse, units."""
    from efield.cli.head_check import run

    with complaints():
        run(
            head,
            png=png,
            picture=picture,
            json_file=json_file,
            point=point,
            resolution=resolution,
            labels=labels,
            verbose=verbose,
        )


@app.command(
    "import",
    epilog="""
Examples:

- **efield head import m2m_ernie --merge eyes=scalp** : a SimNIBS folder; then `--head ernie` works everywhere
- **efield head import subjects/bert --repair** : a FreeSurfer folder with the surfaces of mne watershed_bem
- **efield head import final_tissues.nii.gz --labels simnibs --name ernie** : a segmentation of the whole head
- **efield head import head.toml --name sub-01 --conductivity skull=0.008** : a list of surfaces
- **efield head import sub-01-bem.fif --conductivities mne --out sub-01.npz** : into a file, for `--head sub-01.npz`

Heads are kept in the user's cache, or in the folder that the variable EFIELD_HEADS names.
""",
)
def import_(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="File or folder of a head; see `meshes.read_head`.")],
    name: Annotated[
        str | None, typer.Option("--name", help="What --head shall call it; default: the name of the file or folder.")
    ] = None,
    conductivity: Annotated[
        list[str] | None,
        typer.Option("--conductivity", metavar="TISSUE=VALUE", help="Conductivity of a tissue (S/m); may be repeated."),
    ] = None,
    conductivities: Annotated[
        str | None,
        typer.Option("--conductivities", metavar="TABLE", help="Table of conductivities; `efield heads` lists them."),
    ] = None,
    merge: Annotated[
        list[str] | None,
        typer.Option("--merge", metavar="OLD=NEW", help="Take a tissue as part of another; may be repeated."),
    ] = None,
    tissue: Annotated[
        list[str] | None,
        typer.Option("--tissue", metavar="TAG=TISSUE", help="Tissue of a mesh's tag, for example 5=scalp."),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels",
            metavar="TABLE",
            help="What a label volume's numbers mean: simnibs, freesurfer, roast, or a file that lists them.",
        ),
    ] = None,
    spacing: Annotated[
        float | None, typer.Option("--spacing", help="Resample a label volume to voxels of this edge first (mm).")
    ] = None,
    cortex: Annotated[
        list[Path] | None, typer.Option("--cortex", metavar="FILE", help="Surface where fields are asked for.")
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend open, crossing and touching surfaces first, and say what moved.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.npz", help="Write here instead of into the cache.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an imported head of this name.")] = False,
) -> None:
    """Read a head of another program once, check it, and keep it for --head."""
    from efield.cli.head_import import run

    with complaints():
        run(
            path,
            name=name,
            table=conductivities,
            conductivity=conductivity or [],
            merge=merge or [],
            tissue=tissue or [],
            labels=labels,
            spacing=spacing,
            cortex=cortex or [],
            repair=repair,
            out=out,
            overwrite=overwrite,
        )


@app.command(
    epilog="""
Examples:

- **efield head repair head.toml --out mended** : then `efield head check mended/head.toml`
- **efield head repair lh.pial --out mended --max-move 1** : no vertex farther than 1 mm
- **efield head repair bem.fif --out mended --clearance 1 --keep brain** : 1 mm between surfaces, the brain's stays

Ends with exit code 1 if something is left to do; what could be mended is written all the same.
"""
)
def repair(
    head: Annotated[
        str,
        typer.Argument(metavar="PATH_OR_NAME", help="Head or surface: a file, a folder, or a name (`efield heads`)."),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="New folder for head.toml and the surfaces (PLY).")],
    clearance: Annotated[
        float, typer.Option("--clearance", help="Least distance between surfaces next to each other (mm).")
    ] = 0.2,
    max_move: Annotated[float, typer.Option("--max-move", help="No vertex goes farther than this (mm).")] = 5.0,
    aspect: Annotated[
        float, typer.Option("--aspect", help="Mend triangles with a longest edge over shortest height above this.")
    ] = 10.0,
    keep: Annotated[
        list[str] | None, typer.Option("--keep", metavar="NAME", help="Surface that must not give way; repeatable.")
    ] = None,
    resolution: Annotated[
        str | None, typer.Option("--resolution", help="Mesh of a head that ships with the package.")
    ] = None,
) -> None:
    """Mend a head's surfaces: close, turn, untangle, push apart, round off; says what moved and how far."""
    from efield.cli.head_repair import run

    with complaints():
        run(
            head,
            folder=out,
            clearance=clearance,
            max_move=max_move,
            aspect=aspect,
            keep=keep or (),
            resolution=resolution,
        )
