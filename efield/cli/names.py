"""Check what is asked for by name, and say which option was at fault; open coils and heads by name or from files."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from efield.cli.terminal import err

if TYPE_CHECKING:
    from coils import Coil
    from meshes import HeadModel
    from meshes.tissues import ConductivitiesLike

__all__ = ["check_names", "open_coil", "open_head", "read_conductivities", "say_implausible", "say_notes"]

# What a file of a coil ends in.
_COIL_FILES = (".ccd", ".tcd", ".nii.gz", ".nii")
# What a file of a head ends in; folders are heads too.
_HEAD_FILES = (".msh", ".toml", ".fif", ".npz", ".nii", ".gz", ".mgz")
# Default of --resolution: what is said of heads that have one mesh only does not matter then.
_USUAL_RESOLUTION = "standard"


def check_names(*, head: str | None = None, resolution: str | None = None, target: str | None = None) -> None:
    """Raise ValueError, with the option's name and all that can be named, for a name that is unknown.

    Parameters
    ----------
    head, target : str, optional
        Names; those left out are not checked. A head may also be a path, which is not checked here.
    resolution : str, optional
        One of the head's resolutions; needs `head`.
    """
    import meshes
    from meshes import arrays
    from meshes.files.imported import describe_imported, imported_heads
    from meshes.heads import FINE

    if target is not None:
        from efield.targeting import list_targets

        arrays.choice(target, "TARGET", sorted(list_targets()))
    if head is None or _is_path(head):
        return
    names = (*meshes.list_heads(), *imported_heads())
    if head not in names:
        listed = ", ".join(repr(name) for name in names)
        raise ValueError(
            f"--head must be one of {listed}; got {head!r}. It may also be the path of a file or folder of a head."
        )
    if head == "pycortex" and resolution == FINE:
        return  # made on request
    if head in meshes.list_heads() and resolution is not None:
        arrays.choice(resolution, "--resolution", meshes.head_resolutions(head))
    elif resolution not in (None, _USUAL_RESOLUTION):
        # An imported head has the one mesh that it was made from.
        arrays.choice(resolution, "--resolution", (describe_imported(head).resolution or _USUAL_RESOLUTION,))


def _is_path(text: str) -> bool:
    """Return whether a head's name is meant as a path; names have neither slashes nor endings of files."""
    return "/" in text or "\\" in text or Path(text).suffix.lower() in _HEAD_FILES or Path(text).is_dir()


def read_conductivities(table: str | None, values: Sequence[str]) -> ConductivitiesLike | None:
    """Return what --conductivities and --conductivity ask for, None if nothing.

    Parameters
    ----------
    table : str or None
        Name of a table.
    values : sequence of str
        TISSUE=VALUE each (S/m).

    Raises
    ------
    ValueError
        If the table is unknown, or a text is no name with a positive number.
    """
    from meshes import arrays
    from meshes.tissues import CONDUCTIVITY_TABLES

    changes = {}
    for text in values:
        tissue, _, value = text.partition("=")
        try:
            changes[tissue.strip()] = arrays.positive(float(value), f"--conductivity {tissue}")
        except ValueError:
            raise ValueError(
                f"--conductivity must be TISSUE=VALUE with a positive number (S/m); got {text!r}. "
                "For example skull=0.008."
            ) from None
    if table is not None:
        chosen = CONDUCTIVITY_TABLES[arrays.choice(table, "--conductivities", CONDUCTIVITY_TABLES)]
        return chosen.with_changes(changes) if changes else chosen
    return changes or None


def open_head(text: str, *, resolution: str | None, conductivities: ConductivitiesLike | None = None) -> HeadModel:
    """Return a head by name, or from a file or folder; what is doubtful about it is said in a line on stderr.

    Parameters
    ----------
    text : str
        A name, as `check_names` allows it, or the path of a head that `meshes.read_head` reads.
    resolution : str or None
        Of a head that ships with the package.
    conductivities : str, mapping of str to float, or ConductivityTable, optional
        See `meshes.load_head`.

    Returns
    -------
    HeadModel

    Raises
    ------
    ValueError
        If there is no such name or file, or the file is no head.
    """
    import meshes

    check_names(head=text, resolution=resolution)
    changes: dict[str, Any] = {} if conductivities is None else {"conductivities": conductivities}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        if _is_path(text):
            head = meshes.read_head(text, **changes)
        else:
            # An imported head has one mesh only.
            wanted = resolution if text in meshes.list_heads() else None
            head = meshes.load_head(text, resolution=wanted, **changes)
    say_notes(caught)
    say_implausible(head)
    return head


def say_implausible(head: HeadModel) -> None:
    """Say which conductivities lie outside the range that is plausible for their tissue."""
    from meshes import TISSUES, head_tissues

    for name, sigma in head_tissues(head).items():
        tissue = TISSUES.get(name)
        if tissue is not None and sigma > 0.0 and not tissue.low <= sigma <= tissue.high:
            err().print(
                f"Note: {name} conducts {sigma:g} S/m here; plausible are {tissue.low:g} to {tissue.high:g}.",
                markup=False,
            )


def open_coil(text: str, option: str = "--coil") -> Coil:
    """Return a coil by name, or from a file; what is doubtful about the file is said in a line on stderr.

    Parameters
    ----------
    text : str
        One of `coils.list_coils()`, or the path of a .ccd, .tcd, .nii.gz or .nii file.
    option : str, optional
        Where the text comes from, for messages.

    Returns
    -------
    Coil

    Raises
    ------
    ValueError
        If there is no such name or file, or the file is no coil.
    OSError
        If the file cannot be read.
    """
    import coils

    if text in coils.list_coils():
        return coils.load_coil(text)
    path = Path(text)
    if not text.lower().endswith(_COIL_FILES):
        names = ", ".join(repr(name) for name in coils.list_coils())
        raise ValueError(f"{option} must be one of {names}, or a file of type .ccd, .tcd or .nii.gz; got {text!r}.")
    if not path.is_file():
        raise ValueError(f"{option} must be a coil's name or a file; got {text}, which is not a file.")
    from coils.files import read_coil

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        coil = read_coil(path)
    say_notes(caught)
    return coil


def say_notes(caught: Sequence[warnings.WarningMessage]) -> None:
    """Print each warning once, as a line on stderr."""
    for message in dict.fromkeys(" ".join(str(warning.message).split()) for warning in caught):
        err().print("[bold yellow]Note:[/] ", end="")
        err().print(message, markup=False)
