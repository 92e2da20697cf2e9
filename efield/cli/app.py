"""Define the commands; the heavy packages are imported inside them, so that ``efield --help`` is quick."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from efield.cli import heads as one_head
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


class Side(StrEnum):
    """Hemisphere."""

    left = "left"
    right = "right"
    both = "both"


class ThresholdBy(StrEnum):
    """How a motor threshold was measured."""

    emg = "emg"
    visual = "visual"


Coil = Annotated[
    str, typer.Option("--coil", help="Coil by name (`efield coils` lists them), or a .ccd, .tcd or .nii.gz file.")
]
Head = Annotated[
    str,
    typer.Option("--head", help="Head by name (`efield heads` lists them), or path of a file or folder of a head."),
]
Resolution = Annotated[
    str, typer.Option("--resolution", help="Mesh of the head: standard, or fast for a first look (pycortex).")
]
Conductivity = Annotated[
    list[str] | None,
    typer.Option(
        "--conductivity",
        metavar="TISSUE=VALUE",
        help="Conductivity of a tissue (S/m), for example skull=0.008; may be repeated.",
    ),
]
Conductivities = Annotated[
    str | None,
    typer.Option("--conductivities", metavar="TABLE", help="Table of conductivities; `efield heads` lists them."),
]
Distance = Annotated[float, typer.Option("--distance", help="Gap between scalp and the coil's casing, for hair (mm).")]
Didt = Annotated[float, typer.Option("--didt", help="Rate of change of the coil's current (A/s).", show_default="1e6")]
Figure = Annotated[bool, typer.Option("--figure/--no-figure", help="Draw figure.png.")]


@app.command(
    epilog="""
Examples:

- **efield target m1-hand** : hand area of the left motor cortex, 70 mm figure-of-eight, default head
- **efield target m1-leg --side both --coil magstim-double-cone** : one coil for both legs
- **efield target s1-hand --field 80 --distance 6** : for 80 V/m, with 6 mm of hair
- **efield target --mni -37,-21,58 --error navigated** : a point of MNI space, and what errors of placement cost
- **efield target m1-leg --threshold-mso 45 --protocol rls-leg** : dose from a threshold measured over M1 hand

The folder then holds `report.html` (all of it in words and pictures, for a browser), `summary.json` (the same numbers),
`field.vtp` (ParaView, PyVista), `figure.png` and `navigation/` (the pose for navigation systems).
"""
)
def target(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[TARGET]", help="Region to stimulate, for example m1-hand; `efield targets` lists them."
        ),
    ] = None,
    side: Annotated[
        Side | None, typer.Option("--side", help="Hemisphere of TARGET, or both at once; default: left.")
    ] = None,
    coil: Coil = "magstim-70mm",
    second_coil: Annotated[
        str | None,
        typer.Option("--second-coil", help="With --side both: a coil for each side, this one for the right."),
    ] = None,
    head: Head = "pycortex",
    resolution: Resolution = "standard",
    conductivity: Conductivity = None,
    conductivities: Conductivities = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the result; default: ./TARGET-SIDE. Never overwritten.")
    ] = None,
    mni: Annotated[str | None, typer.Option("--mni", help="Instead of TARGET: a point in MNI space, x,y,z.")] = None,
    at: Annotated[
        str | None, typer.Option("--at", help="Instead of TARGET: a point in the head's own space, x,y,z (mm, RAS).")
    ] = None,
    region: Annotated[
        str | None, typer.Option("--region", help="Instead of TARGET: a region of the head, with its side.")
    ] = None,
    mask: Annotated[
        Path | None, typer.Option("--mask", help="Instead of TARGET: a NIfTI mask in the head's own space.")
    ] = None,
    target_radius: Annotated[
        float, typer.Option("--target-radius", help="Cortex so near the target's centre is averaged (mm).")
    ] = 5.0,
    direction: Annotated[
        str | None, typer.Option("--direction", help="Wanted component of the field, x,y,z; default: its magnitude.")
    ] = None,
    objective: Annotated[
        str,
        typer.Option("--objective", help="What to maximise: strength, across-wall, mean, percentile, or focal."),
    ] = "strength",
    avoid: Annotated[
        list[str] | None,
        typer.Option(
            "--avoid",
            metavar="TARGET[:SIDE]",
            help="Spare this target, by default of the target's side; may be repeated.",
        ),
    ] = None,
    avoid_share: Annotated[
        float | None,
        typer.Option("--avoid-share", help="Greatest field there over that at the target; default: the difference."),
    ] = None,
    distance: Distance = 4.0,
    radius: Annotated[float, typer.Option("--radius", help="How far around the target to search (mm).")] = 30.0,
    spacing: Annotated[float, typer.Option("--spacing", help="Grid of coil positions on the scalp (mm).")] = 2.0,
    angle_step: Annotated[float, typer.Option("--angle-step", help="Step of the handle's direction (degrees).")] = 5.0,
    tilt: Annotated[float, typer.Option("--tilt", help="Greatest tilt against the scalp (degrees).")] = 0.0,
    current: Annotated[
        str | None,
        typer.Option(
            "--current",
            help="Of two placements half a turn apart, the one whose induced current runs so: PA, AP, LM, ML, PL-AM, "
            "AM-PL or x,y,z.",
        ),
    ] = None,
    deform: Annotated[
        bool, typer.Option("--deform", help="Choose the deformations of a flexible coil (.tcd) too.")
    ] = False,
    gap: Annotated[
        float, typer.Option("--gap", help="How far below any other placement the answer may be (relative).")
    ] = 1e-3,
    error: Annotated[
        str | None,
        typer.Option("--error", help="What errors of placement cost: hand-held, navigated, navigated-repeat, robotic."),
    ] = None,
    expected: Annotated[
        bool, typer.Option("--expected", help="With --error: maximise the expected field under these errors.")
    ] = False,
    didt: Didt = 1e6,
    field: Annotated[float, typer.Option("--field", help="Wanted field at the target (V/m), for the dI/dt.")] = 60.0,
    threshold_mso: Annotated[
        float | None,
        typer.Option("--threshold-mso", help="Motor threshold measured over M1 hand with this coil (% of output)."),
    ] = None,
    threshold_from: Annotated[
        Path | None,
        typer.Option("--threshold-from", help="Folder of a saved m1-hand result: where it was measured."),
    ] = None,
    threshold_by: Annotated[ThresholdBy, typer.Option("--threshold-by", help="How it was measured.")] = ThresholdBy.emg,
    protocol: Annotated[
        str | None, typer.Option("--protocol", help="A published protocol; `efield protocols` lists them.")
    ] = None,
    affected: Annotated[
        str | None, typer.Option("--affected", help="Affected side of the body, left or right, for its side rule.")
    ] = None,
    intensity: Annotated[
        float | None, typer.Option("--intensity", help="Percent of the threshold's field; default: the protocol's.")
    ] = None,
    train: Annotated[
        str | None, typer.Option("--train", metavar="HZ,PULSES,TRAINS,PAUSE", help="Pulses; default: the protocol's.")
    ] = None,
    own_head: Annotated[
        bool, typer.Option("--own-head", help="The head was made from the person's own image: closer intervals.")
    ] = False,
    figure: Figure = True,
) -> None:
    """Find where to put the coil and how to turn it for the strongest field at a target."""
    from efield.cli.extras import Extras
    from efield.cli.goals import Goal
    from efield.cli.names import read_conductivities
    from efield.cli.target import Search, run

    with complaints():
        goal = Goal(
            name=name,
            mni=mni,
            at=at,
            region=region,
            mask=mask,
            side=None if side is None else side.value,
            radius=target_radius,
            direction=direction,
            objective=objective,
            avoid=tuple(avoid or ()),
            avoid_share=avoid_share,
        )
        search = Search(
            angle_step=angle_step,
            distance=distance,
            radius=radius,
            spacing=spacing,
            tilt=tilt,
            current=current,
            deform=deform,
            gap=gap,
        )
        extras = Extras(
            error=error,
            expected=expected,
            threshold_mso=threshold_mso,
            threshold_from=threshold_from,
            threshold_by=threshold_by.value,
            protocol=protocol,
            affected=affected,
            intensity=intensity,
            train=train,
            own_head=own_head,
        )
        if second_coil is not None:
            from efield.cli.two_coils import run as run_two

            if extras != Extras():
                raise ValueError(
                    "--second-coil must stand without --error, --expected, --threshold-mso, --protocol and what "
                    "belongs to them; got some of these. Dose and errors of placement are known for one coil only."
                )

            run_two(
                goal,
                search,
                coil_names=(coil, second_coil),
                head_name=head,
                resolution=resolution,
                out=out or Path(goal.folder),
                wanted=field,
                conductivities=read_conductivities(conductivities, conductivity or []),
            )
            return
        run(
            goal,
            search,
            extras,
            coil_name=coil,
            head_name=head,
            resolution=resolution,
            out=out or Path(goal.folder),
            didt=didt,
            wanted=field,
            figure=figure,
            conductivities=read_conductivities(conductivities, conductivity or []),
        )


@app.command()
def protocols(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One protocol, with all its facts.")] = None,
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
