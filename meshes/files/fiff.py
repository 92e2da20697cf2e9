"""Read what MNE writes in FIFF: boundary-element surfaces (bem.fif) and fiducials (fiducials.fif)."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from meshes import arrays
from meshes.arrays import FloatArray
from meshes.files.polygons import doubles
from meshes.surface import Surface

__all__ = ["BemSurface", "parse_bem", "parse_fiducials"]

# Kinds of tags and blocks, as in the FIFF standard (Neuromag) and mne.io.constants.
_FILE_ID, _BLOCK_START, _BLOCK_END = 100, 104, 105
_BEM_SURFACE = 311
_ID, _NODES, _TRIANGLES, _SIGMA = 3101, 3105, 3106, 3113
_WANTED = (_ID, _NODES, _TRIANGLES, _SIGMA)
_MATRIX = 0x40000000
_TYPES = {3: ">i4", 4: ">f4", 5: ">f8"}
_POINTS, _POINT, _POINT_TYPE, _CARDINAL = 107, 213, 33, 1
_FRAME, _MRI = 3506, 5
_FIDUCIALS = {1: "lpa", 2: "nasion", 3: "rpa"}
_TISSUES = {4: "scalp", 3: "skull", 1: "brain"}


@dataclass(frozen=True, eq=False)
class BemSurface:
    """The outside of a compartment.

    Parameters
    ----------
    surface : Surface
        In mm, named by its tissue: "scalp", "skull" or "brain".
    sigma : float or None
        Conductivity inside (S/m), if the file says it.
    """

    surface: Surface
    sigma: float | None


def parse_bem(data: bytes, name: str) -> tuple[BemSurface, ...]:
    """Return the surfaces of a FIFF file of boundary elements.

    Parameters
    ----------
    data : bytes
        The file: tags of four big-endian integers (kind, type, size, next) and their data.
    name : str
        The file's name, for messages.

    Returns
    -------
    tuple of BemSurface
        Positions in mm, in the file's frame.

    Raises
    ------
    ValueError
        If the file is none, ends early, or a surface lacks its number, vertices or triangles.
    """
    found: list[dict[int, npt.NDArray[Any]]] = []
    for kind, form, raw, block in _tags(data, name):
        if block == _BEM_SURFACE and kind == _BLOCK_START:
            found.append({})
        elif block == _BEM_SURFACE and kind in _WANTED:
            found[-1][kind] = _values(raw, form, f"tag {kind} of {name}")
    if not found:
        raise ValueError(
            f"{name} must hold surfaces of boundary elements; got none. Write one by mne.write_bem_surfaces."
        )
    surfaces = tuple(_surface(one, name) for one in found)
    names = [one.surface.name for one in surfaces]
    if len(set(names)) < len(names):
        raise ValueError(f"{name} must hold each surface once; got {', '.join(names)}.")
    return surfaces


def parse_fiducials(data: bytes, name: str) -> dict[str, FloatArray]:
    """Return nasion and preauricular points of a FIFF file of digitised points.

    Parameters
    ----------
    data : bytes
        The file.
    name : str
        The file's name, for messages.

    Returns
    -------
    dict of str to ndarray, shape (3,)
        "lpa", "nasion" and "rpa", those that there are (mm), in FreeSurfer's surface RAS.

    Raises
    ------
    ValueError
        If the file is damaged, or in another frame than that of the MR image.
    """
    found: dict[str, FloatArray] = {}
    for kind, form, raw, block in _tags(data, name):
        if block != _POINTS:
            continue
        if kind == _FRAME and (len(raw) != 4 or struct.unpack(">i", raw)[0] != _MRI):
            raise ValueError(f"{name} must be in the MR image's frame ({_MRI}); got {raw.hex() or 'none'}.")
        if kind == _POINT and form == _POINT_TYPE and len(raw) == 20:
            what, which = struct.unpack_from(">2i", raw)
            if what == _CARDINAL and which in _FIDUCIALS:
                point = 1000.0 * doubles(np.frombuffer(raw, ">f4", 3, 8))
                found[_FIDUCIALS[which]] = arrays.vector(point, f"{_FIDUCIALS[which]} of {name}")
    return found


def _tags(data: bytes, name: str) -> Iterator[tuple[int, int, bytes, int | None]]:
    """Yield kind, type and data of each tag, and the kind of the block that it stands in, or begins."""
    if len(data) < 16 or struct.unpack_from(">i", data)[0] != _FILE_ID:
        raise ValueError(f"{name} must be a FIFF file and begin with its identity; got {data[:4].hex() or 'nothing'}.")
    blocks: list[int] = []
    at = 0
    while 0 <= at < len(data):
        if len(data) - at < 16:
            raise ValueError(
                f"{name} must hold whole tags of 16 bytes; got {len(data) - at} at the end. It is truncated."
            )
        kind, form, size, following = struct.unpack_from(">iIii", data, at)
        start = at + 16
        if size < 0 or size > len(data) - start:
            raise ValueError(
                f"{name} must hold {size} bytes for its tag {kind}; got {len(data) - start}. It is truncated."
            )
        if kind == _BLOCK_START and size >= 4:
            blocks.append(struct.unpack_from(">i", data, start)[0])
        yield kind, form, data[start : start + size], blocks[-1] if blocks else None
        if kind == _BLOCK_END and blocks:
            blocks.pop()
        # 0: the next tag follows; negative: the last one. Only forwards, so that no file is read for ever.
        if following > 0 and following < start + size:
            raise ValueError(f"{name} must have its tags in order; got one at {at} that leads back to {following}.")
        at = start + size if following == 0 else following


def _values(raw: bytes, form: int, where: str) -> npt.NDArray[Any]:
    """Return the numbers of a tag; of a matrix the sizes stand at its end, the last axis first, then their count."""
    kind = _TYPES.get(form & 0xFFFF)
    if kind is None or len(raw) % 4:
        raise ValueError(f"{where} must be of integers or floats; got type {form & 0xFFFF} in {len(raw)} bytes.")
    dtype = np.dtype(kind)
    if not form & _MATRIX:
        return np.frombuffer(raw[: len(raw) // dtype.itemsize * dtype.itemsize], dtype)
    axes = int.from_bytes(raw[-4:], "big", signed=True) if raw else 0
    if axes != 2 or len(raw) < 12:
        raise ValueError(f"{where} must be a matrix of two axes; got {axes}.")
    columns, rows = struct.unpack(">2i", raw[-12:-4])
    if columns != 3 or rows < 0 or rows * columns * dtype.itemsize != len(raw) - 12:
        raise ValueError(f"{where} must be a matrix of three columns; got {rows} x {columns} in {len(raw) - 12} bytes.")
    return np.frombuffer(raw[:-12], dtype).reshape(rows, columns)


def _surface(values: dict[int, npt.NDArray[Any]], name: str) -> BemSurface:
    number = int(values[_ID][0]) if _ID in values and values[_ID].size else None
    if number not in _TISSUES:
        raise ValueError(f"surfaces of {name} must be 4, 3 or 1 (scalp, outer and inner skull); got {number}.")
    tissue = _TISSUES[number]
    tables = [values.get(kind) for kind in (_NODES, _TRIANGLES)]
    if any(table is None or table.ndim != 2 for table in tables):
        raise ValueError(f"{tissue} of {name} must have vertices and triangles as matrices; got none.")
    points, triangles = np.asarray(tables[0]), np.asarray(tables[1])
    if triangles.dtype.kind != "i":
        raise ValueError(f"triangles of {tissue} of {name} must be integers; got {triangles.dtype}.")
    # By way of its shortest text, so that 0.33 in single precision is 0.33 and not 0.33000001.
    sigma = float(str(values[_SIGMA][0])) if _SIGMA in values and values[_SIGMA].size else None
    return BemSurface(Surface(1000.0 * doubles(points), triangles.astype(np.int32) - 1, tissue), sigma)
