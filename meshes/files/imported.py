"""Keep heads of other programs in the user's cache, checked once, to load them by name."""

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from meshes import arrays
from meshes.conductivities import with_conductivities
from meshes.files.archive import parse_about, parse_head, write_head
from meshes.head import HeadModel
from meshes.tissues import ConductivitiesLike, conductivity_choice

__all__ = [
    "ImportedHead",
    "check_import",
    "describe_imported",
    "import_head",
    "imported_file",
    "imported_heads",
    "load_imported",
    "made_folder",
]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_VARIABLE = "EFIELD_HEADS"


@dataclass(frozen=True)
class ImportedHead:
    """What is known of an imported head without loading it.

    Parameters
    ----------
    name, resolution : str
        How `meshes.load_head` is asked for it.
    triangles : int
        Of all surfaces together.
    regions : int
        Number of its regions.
    conductivities : str
        Tissues with conductivities (S/m) and where these come from.
    source : str
        What it was read from.
    licence : str
        Licence of the data, if it was said.
    """

    name: str
    resolution: str
    triangles: int
    regions: int
    conductivities: str
    source: str
    licence: str


def _folder() -> Path:
    """Return where imported heads are kept: $EFIELD_HEADS, or a folder of the user's cache."""
    if os.environ.get(_VARIABLE):
        return Path(os.environ[_VARIABLE])
    import platformdirs  # here, so that importing the package is fast

    return Path(platformdirs.user_cache_dir("efield")) / "heads"


def made_folder() -> Path:
    """Return where a resolution of a shipped head is kept that was made on request."""
    return _folder() / "made"


def imported_heads() -> tuple[str, ...]:
    """Return the names of the heads that were imported, in alphabetical order.

    They lie in the folder that the environment variable EFIELD_HEADS names, by default in the user's cache.

    Returns
    -------
    tuple of str
    """
    return tuple(sorted(file.stem for file in _folder().glob("*.npz") if _NAME.fullmatch(file.stem)))


def imported_file(name: str) -> Path:
    """Return the file of an imported head; it need not exist."""
    return _folder() / f"{name}.npz"


def import_head(head: HeadModel, *, name: str | None = None, overwrite: bool = False) -> Path:
    """Keep a head for `meshes.load_head`.

    Parameters
    ----------
    head : HeadModel
        From `meshes.read_head`, for example.
    name : str, optional
        Name to load it by: letters, digits, dots, dashes and underscores; the head's own by default.
    overwrite : bool, optional
        Whether a head of that name may be replaced.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    ValueError
        If the name cannot be a file's, is that of a head that ships with the package, or is taken.
    OSError
        If the folder cannot be written to.
    """
    label = head.name if name is None else name
    file = check_import(label, overwrite=overwrite)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_head(replace(head, name=label), file)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise OSError(
            f"{file.parent} must be writable; got {reason}. Name another folder in the variable {_VARIABLE}."
        ) from None
    return file


def check_import(name: str, *, overwrite: bool = False) -> Path:
    """Return the file that a head would be kept in; raise `ValueError` as `import_head` if it cannot be."""
    from meshes.heads import list_heads  # here, because that module loads imported heads

    if not _NAME.fullmatch(name):
        raise ValueError(
            f"name must be of letters, digits, dots, dashes and underscores; got {name!r}. Pass another name."
        )
    if name in list_heads():
        raise ValueError(f"name must not be that of a head that ships with the package; got {name!r}. Name another.")
    file = imported_file(name)
    if file.exists() and not overwrite:
        raise ValueError(f"name must not be taken; got {name!r}, which is {file}. Name another, or overwrite it.")
    return file


def load_imported(
    name: str, *, resolution: str | None = None, conductivities: ConductivitiesLike | None = None
) -> HeadModel:
    """Return an imported head; see `meshes.load_head`, which finds imported heads too.

    Parameters
    ----------
    name : str
        One of `imported_heads`.
    resolution : str, optional
        The one that the head has, if it is given.
    conductivities : str, mapping of str to float, or ConductivityTable, optional
        See `meshes.with_conductivities`.

    Raises
    ------
    ValueError
        If there is no such head, or its file is damaged.
    """
    from meshes.heads import list_heads  # here, because that module loads imported heads

    conductivity_choice(conductivities)
    arrays.choice(name, "name", (*list_heads(), *imported_heads()))
    file = imported_file(name)
    head = parse_head(file.read_bytes(), file.name)
    if resolution is not None:
        arrays.choice(resolution, "resolution", (head.resolution,))
    return head if conductivities is None else with_conductivities(head, conductivities)


def describe_imported(name: str) -> ImportedHead:
    """Return what is known of an imported head without loading it.

    Parameters
    ----------
    name : str
        One of `imported_heads`.

    Raises
    ------
    ValueError
        If its file is damaged.
    """
    file = imported_file(name)
    about = parse_about(file.read_bytes(), file.name)
    provenance = about["provenance"]
    return ImportedHead(
        name=name,
        resolution=str(about["resolution"]),
        triangles=int(about.get("triangles", 0)),
        regions=len(about["regions"]),
        conductivities=str(provenance.get("conductivities", "")),
        source=str(provenance.get("source", "")),
        licence=str(provenance.get("licence", "")),
    )
