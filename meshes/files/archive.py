"""Keep a whole head in one .npz file, to the bit, with a digest that tells damage."""

import hashlib
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from meshes.files.npz import read_arrays
from meshes.head import HeadModel, Interface
from meshes.surface import Surface

__all__ = ["parse_about", "parse_head", "write_head"]

_FORMAT = "efield head"
_VERSION = 1
_ABOUT: Mapping[str, type] = {
    "name": str, "resolution": str, "interfaces": list, "cortex": str, "regions": list, "fiducials": list,
    "targets": list, "provenance": dict,
}  # fmt: skip


def write_head(head: HeadModel, path: str | os.PathLike[str]) -> None:
    """Write a head into one file, for `meshes.read_head`.

    Parameters
    ----------
    head : HeadModel
        What to write.
    path : path-like
        Ends in .npz.

    Raises
    ------
    TypeError
        If `head` is no `HeadModel`.
    ValueError
        If the extension is another one.

    Notes
    -----
    NumPy's .npz format, without pickles. ``about`` is JSON: format, version, names and provenance. Interface i has the
    arrays ``vertices_i`` (mm), ``triangles_i``, ``inside_i`` and ``outside_i`` (S/m; one number, or one per triangle);
    the cortex has ``cortex_vertices`` and ``cortex_triangles``, region i ``region_i``; ``fiducials`` and ``targets``
    are rows of positions (mm). ``digest`` is the SHA-256 of all other arrays. Read back, all numbers have the same
    bits. The file appears under its name only when it is complete.

    Examples
    --------
    >>> import tempfile, pathlib, meshes
    >>> head = meshes.sphere_head([90, 80], [0.33, 1.0], subdivisions=2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_head(head, pathlib.Path(folder) / "ball.npz")
    ...     meshes.read_head(pathlib.Path(folder) / "ball.npz").checksum == head.checksum
    True
    """
    if not isinstance(head, HeadModel):
        raise TypeError(f"head must be a meshes.HeadModel; got {type(head).__name__}.")
    file = Path(path)
    if file.suffix.lower() != ".npz":
        raise ValueError(f"path must end in .npz; got {file.name}.")
    tables = _tables(head)
    tables["digest"] = np.array(_digest(tables))
    content = io.BytesIO()
    save: Any = np.savez_compressed  # its keywords are arrays, which type checkers cannot see
    save(content, **tables)
    temporary = file.with_name(f".{file.stem}.{os.getpid()}.npz")
    try:
        temporary.write_bytes(content.getvalue())
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)


def parse_head(data: bytes, name: str) -> HeadModel:
    """Return the head of a file that `write_head` wrote.

    Parameters
    ----------
    data : bytes
        The file.
    name : str
        The file's name, for messages.

    Raises
    ------
    ValueError
        If the file is damaged, of another kind or version, or what it holds is no head.
    """
    about = parse_about(data, name)
    tables = read_arrays(data, name)
    expected = str(tables.pop("digest", ""))
    if expected != _digest(tables):
        raise ValueError(
            f"{name} must hold what its digest says; got other content. It is damaged or was changed: import the head "
            "again."
        )
    try:
        interfaces = tuple(
            Interface(
                Surface(tables[f"vertices_{i}"], tables[f"triangles_{i}"], label),
                *(_sigma(tables[f"{side}_{i}"]) for side in ("inside", "outside")),
            )
            for i, label in enumerate(about["interfaces"])
        )
        return HeadModel(
            name=about["name"],
            interfaces=interfaces,
            cortex=Surface(tables["cortex_vertices"], tables["cortex_triangles"], about["cortex"]),
            regions={label: tables[f"region_{i}"] for i, label in enumerate(about["regions"])},
            fiducials=dict(zip(about["fiducials"], tables["fiducials"], strict=True)),
            targets=dict(zip(about["targets"], tables["targets"], strict=True)),
            resolution=about["resolution"],
            provenance=about["provenance"],
        )
    except KeyError as error:
        raise ValueError(f"{name} must hold the array {error}; got {', '.join(tables)}.") from None


def parse_about(data: bytes, name: str) -> dict[str, Any]:
    """Return what a file of `write_head` says of its head, without reading the head.

    Parameters
    ----------
    data : bytes
        The file.
    name : str
        The file's name, for messages.

    Returns
    -------
    dict
        Name, resolution, number of triangles, names of interfaces, regions, fiducials and targets, provenance.

    Raises
    ------
    ValueError
        If the file is damaged, or of another kind or version.
    """
    tables = read_arrays(data, name, ("about",))
    try:
        about = json.loads(str(tables["about"]))
    except ValueError:
        about = None
    if not isinstance(about, dict) or about.get("format") != _FORMAT:
        raise ValueError(f"{name} must be a head of meshes.write_head; got another kind of file.")
    if about.get("version") != _VERSION:
        raise ValueError(
            f"{name} must be of version {_VERSION}; got {about.get('version')!r}. Import the head again with this "
            "version of the program, or update it."
        )
    wrong = [key for key, kind in _ABOUT.items() if not isinstance(about.get(key), kind)]
    if wrong:
        raise ValueError(f"about in {name} must say {', '.join(_ABOUT)}; got none or another kind of {wrong[0]}.")
    return about


def _tables(head: HeadModel) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of a head's file but for its digest."""
    about = {
        "format": _FORMAT,
        "version": _VERSION,
        "name": head.name,
        "resolution": head.resolution,
        "interfaces": [interface.name for interface in head.interfaces],
        "cortex": head.cortex.name,
        "regions": list(head.regions),
        "fiducials": list(head.fiducials),
        "targets": list(head.targets),
        "provenance": dict(head.provenance),
        "triangles": sum(len(interface.surface.triangles) for interface in head.interfaces),
    }
    tables: dict[str, npt.NDArray[Any]] = {"about": np.array(json.dumps(about, ensure_ascii=True))}
    for i, interface in enumerate(head.interfaces):
        tables[f"vertices_{i}"] = interface.surface.vertices
        tables[f"triangles_{i}"] = interface.surface.triangles
        tables[f"inside_{i}"] = np.asarray(interface.sigma_inside)
        tables[f"outside_{i}"] = np.asarray(interface.sigma_outside)
    tables["cortex_vertices"], tables["cortex_triangles"] = head.cortex.vertices, head.cortex.triangles
    tables |= {f"region_{i}": region for i, region in enumerate(head.regions.values())}
    for key, points in (("fiducials", head.fiducials), ("targets", head.targets)):
        tables[key] = np.array(list(points.values()), dtype=np.float64).reshape(-1, 3)
    return tables


def _digest(tables: Mapping[str, npt.NDArray[Any]]) -> str:
    """Return the SHA-256 of arrays with their names, kinds and shapes, whatever their order."""
    digest = hashlib.sha256()
    for key in sorted(tables):
        table = np.ascontiguousarray(tables[key])
        digest.update(f"{key} {table.dtype.str} {tables[key].shape}".encode() + b"\0")
        digest.update(table.tobytes())
    return digest.hexdigest()


def _sigma(table: npt.NDArray[Any]) -> Any:
    """Return a conductivity as a number, or one for each triangle."""
    return table.item() if table.ndim == 0 else table
