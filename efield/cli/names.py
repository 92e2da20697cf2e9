"""Check what is asked for by name, and say which option was at fault; open coils by name or from files."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from efield.cli.terminal import err

if TYPE_CHECKING:
    from coils import Coil

__all__ = ["check_names", "open_coil"]

# What a file of a coil ends in.
_COIL_FILES = (".ccd", ".tcd", ".nii.gz", ".nii")


def check_names(*, head: str | None = None, resolution: str | None = None, target: str | None = None) -> None:
    """Raise ValueError, with the option's name and all that can be named, for a name that is unknown.

    Parameters
    ----------
    head, target : str, optional
        Names; those left out are not checked.
    resolution : str, optional
        One of the head's resolutions; needs `head`.
    """
    import meshes
    from meshes import arrays

    if target is not None:
        from efield.targeting import list_targets

        arrays.choice(target, "TARGET", sorted(list_targets()))
    if head is not None:
        arrays.choice(head, "--head", meshes.list_heads())
        if resolution is not None:
            arrays.choice(resolution, "--resolution", meshes.head_resolutions(head))


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
    for message in dict.fromkeys(" ".join(str(warning.message).split()) for warning in caught):
        err().print("[bold yellow]Note:[/] ", end="")
        err().print(message, markup=False)
    return coil
