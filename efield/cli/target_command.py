"""Define ``efield target``: its options, and what they ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from efield.cli.options import (
    Coil,
    Conductivities,
    Conductivity,
    Didt,
    Distance,
    Figure,
    Head,
    Resolution,
    Side,
    ThresholdBy,
)
from efield.cli.terminal import complaints

__all__ = ["EXAMPLES", "target"]

EXAMPLES = """
Examples:

- **efield target m1-hand** : hand area of the left motor cortex, 70 mm figure-of-eight, default head
- **efield target m1-leg --side both --coil magstim-double-cone** : one coil for both legs
- **efield target s1-hand --field 80 --distance 6** : for 80 V/m, with 6 mm of hair
- **efield target --mni -37,-21,58 --error navigated** : a point of MNI space, and what errors of placement cost
- **efield target m1-leg --threshold-mso 45 --protocol rls-leg** : dose from a threshold measured over M1 hand

The folder then holds `report.html` (all of it in words and pictures, for a browser), `summary.json` (the same numbers),
`field.vtp` (ParaView, PyVista), `figure.png` and `navigation/` (the pose for navigation systems).
"""


def target(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="TARGET", help="Region to stimulate, for example m1-hand; `efield targets` lists them."
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
