"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

__all__ = [
    "Coil",
    "Conductivities",
    "Conductivity",
    "Didt",
    "Distance",
    "Figure",
    "Head",
    "Resolution",
    "Side",
    "ThresholdBy",
]


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
