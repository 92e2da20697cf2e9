"""Read the arrays of an .npz file without believing what it says of its sizes."""

import io
import math
import struct
import zipfile
import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["first_line", "read_arrays"]

# What zipfile and NumPy raise on damaged archives.
_ZIP_ERRORS = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError, KeyError,
    TypeError, SyntaxError, OverflowError, struct.error,
)  # fmt: skip


def read_arrays(data: bytes, name: str, keys: Iterable[str] | None = None) -> dict[str, npt.NDArray[Any]]:
    """Return arrays of an .npz file.

    Parameters
    ----------
    data : bytes
        The file.
    name : str
        The file's name, for messages.
    keys : iterable of str, optional
        Arrays that it must hold; others are not read. By default all are read, and none is asked for.

    Returns
    -------
    dict of str to ndarray
        By name.

    Raises
    ------
    ValueError
        If the file is damaged, an array is missing, holds objects, or has another size than its header says: memory is
        taken for what is there, not for what a header promises.
    """
    wanted = None if keys is None else list(keys)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.namelist()
            present = [key.removesuffix(".npy") for key in members if key.endswith(".npy")]
            tables = {key: _array(archive, f"{key}.npy") for key in wanted or present if key in present}
    except _ZIP_ERRORS as error:
        raise ValueError(f"{name} must be an .npz file; got a damaged one ({first_line(error)}).") from None
    if wanted is not None and len(tables) < len(wanted):
        raise ValueError(f"{name} must hold the arrays {' and '.join(wanted)}; got {sorted(members)}.")
    arrays = {}
    for key, (table, shape, room) in tables.items():
        if table is None:
            raise ValueError(
                f"{key} of {name} must be an array of shape {shape}, as its header says; got {room} bytes."
            )
        arrays[key] = table
    return arrays


def _array(archive: zipfile.ZipFile, key: str) -> tuple[npt.NDArray[Any] | None, tuple[int, ...], int]:
    """Return an array of an .npz file, its shape and its bytes; None where the shape asks for other bytes."""
    with archive.open(key) as member:
        version = np.lib.format.read_magic(member)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(member)
        room = archive.getinfo(key).file_size - member.tell()
        if dtype.hasobject or math.prod(shape) * dtype.itemsize != room:
            return None, shape, room
        return np.frombuffer(member.read(), dtype).reshape(shape, order="F" if fortran else "C"), shape, room


def first_line(error: BaseException) -> str:
    """Return an error's first line, or its kind if it has no text."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120].rstrip(".")
