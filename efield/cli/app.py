"""Define the commands; the heavy packages are imported inside them, so that ``efield --help`` is quick."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from efield.cli import heads as one_head
from efield.cli.options import Coil, Conductivities, Conductivity, Didt, Distance, Figure, Head, Resolution
from efield.cli.target_command import EXAMPLES, target
from efield.cli.terminal import complaints

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Electric field of transcranial magnetic stimulation in a realistic head, and where to put the coil.",
    epilog="Start with **efield target m1-hand**. Lengths are mm (RAS, the head's own space), fields V/m, dI/dt A/s "
    "(1e6 A/s = 1 A/µs). Research software; not a medical device.",
)


app.add_typer(one_head.app, name="head")


app.command(epilog=EXAMPLES)(target)


@app.command()
def protocols(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One protocol, with all its facts.")] = None,
) -> None:
    """List published protocols for central post-stroke pain and restless legs: facts, sources, how sure. No advice."""
    from efield.cli.lists import show_protocols

    with complaints():
        show_protocols(name)


@app.command(
    epilog="""
Examples:

- **efield simulate --pose m1-hand-left/summary.json --out again** : the pose that a search found
- **efield simulate --pose matsimnibs.txt --coil magstim-90mm-circular --out circular** : 4 x 4 matrix, mm
- **efield simulate --centre -55,-10,75 --handle -0.5,-0.7,0 --out by-hand** : snaps to the scalp
- **efield simulate --centre C3 --current PL-AM --out by-current** : turned so that the induced current runs so
"""
)
def simulate(
    out: Annotated[Path, typer.Option("--out", help="Folder for the result. Never overwritten.")],
    pose: Annotated[
        Path | None,
        typer.Option(
            "--pose", help="Pose of the coil: a 4 x 4 matrix (mm) in .json, .txt, .csv or .npy, or a summary.json."
        ),
    ] = None,
    centre: Annotated[
        str | None,
        typer.Option("--centre", help="Instead of a pose: point near the scalp, x,y,z (mm), or C3, Cz, ... (10-10)."),
    ] = None,
    handle: Annotated[
        str | None,
        typer.Option("--handle", help="With --centre: direction of the handle, x,y,z; default: to the back."),
    ] = None,
    current: Annotated[
        str | None,
        typer.Option(
            "--current",
            help="With --centre, instead of --handle: direction of the current induced by rising coil current: PA, AP, "
            "LM, ML, PL-AM, AM-PL (P posterior, A anterior, L lateral, M medial), or x,y,z.",
        ),
    ] = None,
    coil: Coil = "magstim-70mm",
    head: Head = "pycortex",
    resolution: Resolution = "standard",
    conductivity: Conductivity = None,
    conductivities: Conductivities = None,
    distance: Distance = 4.0,
    didt: Didt = 1e6,
    figure: Figure = True,
) -> None:
    """Compute the field of a coil in a given pose."""
    from efield.cli.names import read_conductivities
    from efield.cli.simulate import run

    with complaints():
        run(
            pose_file=pose,
            centre=centre,
            handle=handle,
            current=current,
            coil_name=coil,
            head_name=head,
            resolution=resolution,
            out=out,
            distance=distance,
            didt=didt,
            figure=figure,
            conductivities=read_conductivities(conductivities, conductivity or []),
        )


@app.command(
    epilog="""
Examples:

- **efield session pulses.xml --optimum m1-hand-left/summary.json** : what every pulse brought to the left M1 hand
- **efield session samples.txt --transform to-head.txt --coil magventure-mc-b70 --stimulator magventure-mc-b70** :
  recorded in the coordinates of another image; per cent of the stimulator's output become V/m
- **efield session pulses.xml --target m1-hand --target s1-hand --side both** : four targets

The folder then holds `session.csv` (a row for each pulse), `session.json` (the same and all behind it) and
`figure.png`. Pulses off the head are listed and not counted. How the file's axes were understood is printed first.
"""
)
def session(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="Recorded poses: Brainsight, Localite, Softaxic, visor2 or SimNIBS."),
    ],
    target: Annotated[
        list[str] | None,
        typer.Option("--target", help="Region, default m1-hand; may be repeated; `efield targets` lists them."),
    ] = None,
    side: Annotated[str, typer.Option("--side", help="Hemisphere: left, right or both.")] = "left",
    coil: Coil = "magstim-70mm",
    head: Head = "pycortex",
    resolution: Resolution = "standard",
    conductivity: Conductivity = None,
    conductivities: Conductivities = None,
    system: Annotated[
        str | None,
        typer.Option(
            "--system", help="brainsight, localite, softaxic, visor2 or simnibs; default: told from the text."
        ),
    ] = None,
    transform: Annotated[
        Path | None,
        typer.Option(
            "--transform",
            help="Rigid motion, 4 x 4 (mm), from the recording's coordinates to the head's, in .txt, .csv, .json or "
            ".npy; default: they are the same.",
        ),
    ] = None,
    optimum: Annotated[
        Path | None, typer.Option("--optimum", help="Pose to compare with: summary.json of a search, or a matrix.")
    ] = None,
    stimulator: Annotated[
        str | None,
        typer.Option(
            "--stimulator",
            help="Turns recorded per cent into dI/dt: a coil whose stimulator was measured, such as magventure-mc-b70, "
            "or dI/dt at 100 % (A/µs).",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the result; default: ./session-FILE. Never overwritten.")
    ] = None,
    radius: Annotated[float, typer.Option("--target-radius", help="Cortex within it counts as the target (mm).")] = 5.0,
    figure: Figure = True,
) -> None:
    """Simulate a recorded session: what every pulse brought to the targets."""
    from efield.cli.names import read_conductivities
    from efield.cli.session import run

    with complaints():
        run(
            file,
            system=system,
            coil_name=coil,
            head_name=head,
            resolution=resolution,
            target_names=target or ["m1-hand"],
            side=side,
            radius=radius,
            optimum=optimum,
            transform=transform,
            stimulator_name=stimulator,
            out=out or Path(f"session-{file.stem}"),
            figure=figure,
            conductivities=read_conductivities(conductivities, conductivity or []),
        )


@app.command()
def heads() -> None:
    """List the heads that ship with the package or were imported, and the tables of conductivities."""
    from efield.cli.lists import show_heads

    with complaints():
        show_heads()


@app.command(
    epilog="""
Examples:

- **efield coils** : all coils that have names
- **efield coils magstim-70mm** : handle, direction of the induced current, moments, limits, sources
- **efield coils mine.ccd --pictures sheets** : the same of a file, and its sheet as a PNG file
"""
)
def coils(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME_OR_FILE]", help="One coil, by name or .ccd, .tcd or .nii.gz file.")
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option("--pictures", "-o", metavar="DIR", help="Draw a sheet of each coil into this folder."),
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the README's table.")] = False,
) -> None:
    """List the coils, or describe one: winding, signs, limits, sources."""
    from efield.cli.coil_lists import run

    with complaints():
        run(name, pictures=pictures, markdown=markdown)


@app.command()
def targets(head: Head = "pycortex", resolution: Resolution = "standard") -> None:
    """List the named targets of a head: centre, size, depth."""
    from efield.cli.lists import show_targets

    with complaints():
        show_targets(head, resolution)


def main() -> None:
    """Run the command line."""
    app()
