"""Read and write casings as .stl, the file of triangles that lies beside a coil file."""

from __future__ import annotations

import os
import struct
from array import array
from pathlib import Path

import numpy as np

from coils.files import limits
from meshes import Surface
from meshes.arrays import FloatArray

__all__ = ["casing_beside", "read_stl", "write_stl"]

_HEADER = 84  # 80 bytes of text and the count
_RECORD = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])

# Corners this near to one another (mm) are one vertex, if equality alone leaves the surface open.
_SAME = 1e-3

# Lines of the text form that hold no corner.
_OTHER_LINES = ("solid", "facet", "outer", "endloop", "endfacet", "endsolid")


def casing_beside(path: Path) -> Path | None:
    """Find the casing that belongs to a coil file.

    Parameters
    ----------
    path : Path
        The coil file.

    Returns
    -------
    Path or None
        For ``x.ccd`` the file ``x.stl``; for ``x.nii.gz`` first ``x.nii.stl``, where SimNIBS looks, then ``x.stl``.
    """
    names = [path.with_suffix(".stl")]
    if names[0].name.lower().endswith(".nii.stl"):
        names.append(names[0].with_name(names[0].name[: -len(".nii.stl")] + ".stl"))
    return next((name for name in names if name.exists()), None)


def read_stl(path: str | os.PathLike[str]) -> Surface:
    """Read a closed surface from an .stl file, binary or text.

    Parameters
    ----------
    path : str or path
        The file; its numbers are mm, in the coil's frame.

    Returns
    -------
    Surface
        Corners at the same place are one vertex; triangles without area are left out. The file's own normals are not
        used. If the triangles are turned inside out they are turned back: a casing has but one outside.

    Raises
    ------
    ValueError
        If the file is truncated, its count is wrong, a number is not finite or the surface is not closed.
    OSError
        If the file is missing or cannot be read.
    """
    path, size = limits.existing_file(path)
    with path.open("rb") as handle:
        start = handle.read(_HEADER)
        count = struct.unpack("<I", start[80:])[0] if len(start) == _HEADER else -1
        if size == _HEADER + _RECORD.itemsize * count:
            corners = np.frombuffer(handle.read(), dtype=_RECORD)["corners"].astype(np.float64).reshape(-1, 3)
        elif start.lstrip().startswith(b"solid"):
            handle.seek(0)
            corners = _text_corners(limits.Lines(handle, path.name))
        else:
            raise ValueError(
                f"size of {path.name} must be that of the {max(count, 0):,} triangles of its header, "
                f"{_HEADER + _RECORD.itemsize * max(count, 0):,} bytes; got {size:,}. The file is damaged or no .stl."
            )
    if not len(corners):
        raise ValueError(f"triangles of {path.name} must be at least 4; got none.")
    if not np.isfinite(corners).all():
        raise ValueError(f"corners in {path.name} must be finite; got NaN or infinity.")
    return _closed(corners, path)


def _text_corners(lines: limits.Lines) -> FloatArray:
    """Collect the corners of the text form, shape (3 * n_triangles, 3)."""
    numbers = array("d")
    for line in lines:
        words = line.split()
        if not words or words[0].lower() in _OTHER_LINES:
            continue
        try:
            if words[0].lower() != "vertex" or len(words) != 4:
                raise ValueError
            numbers.extend([float(word) for word in words[1:]])
        except ValueError:
            raise ValueError(
                f"line {lines.number} of {lines.name} must be 'vertex x y z'; got {limits.brief(line)}."
            ) from None
    if len(numbers) % 9:
        raise ValueError(
            f"corners in {lines.name} must be three per triangle; got {len(numbers) // 3}. The file is truncated."
        )
    return np.array(numbers).reshape(-1, 3)


def _closed(corners: FloatArray, path: Path) -> Surface:
    """Join the corners of triangles to a closed surface with outward normals, or raise."""
    for place in (corners, np.round(corners / _SAME)):
        _, first, index = np.unique(place, axis=0, return_index=True, return_inverse=True)
        triangles = index.reshape(-1, 3)
        flat = (triangles == np.roll(triangles, 1, axis=1)).any(axis=1)
        surface = Surface(corners[first], triangles[~flat], path.stem)
        if surface.is_closed:
            if surface.volume < 0.0:
                surface = Surface(surface.vertices, surface.triangles[:, ::-1], path.stem)
            return surface
    raise ValueError(
        f"surface in {path.name} must be closed; got one with open or doubly used edges. "
        "Mend the casing, or read the coil without it: sidecars=False."
    )


def write_stl(surface: Surface, path: str | os.PathLike[str]) -> None:
    """Write a surface as binary .stl, in single precision as the format has it.

    Parameters
    ----------
    surface : Surface
        The surface (mm).
    path : str or path
        Where to; not renamed into place, see `coils.files.limits.replacing`.
    """
    records = np.zeros(len(surface.triangles), dtype=_RECORD)
    rounded = Surface(surface.vertices.astype(np.float32), surface.triangles)  # the normals of what is written
    records["normal"] = rounded.normals
    records["corners"] = rounded.corners
    # The header must not begin with "solid": that marks the text form.
    header = b"casing of a coil, mm".ljust(80)
    Path(path).write_bytes(header + struct.pack("<I", len(records)) + records.tobytes())
