"""Arrays in a .tcd: nested lists, or base64 of zlib of raw little-endian numbers. Never pickles."""

from __future__ import annotations

import base64
import binascii
import zlib

import numpy as np
import numpy.typing as npt

from coils.files.tcd_schema import FAR, Node
from meshes import Surface
from meshes.arrays import FloatArray, IntArray

__all__ = ["decode", "decode_grid", "encode", "indices", "mended"]

# One binary array may unpack to this (bytes): 700,000 points. The H1 coil, the largest known, has 15,000.
_LARGEST = 1 << 24


def decode(node: Node, columns: int | None, *, least: int = 1, bound: float = FAR) -> FloatArray:
    """Return an array of finite numbers.

    Parameters
    ----------
    node : Node
        Nested lists or a text.
    columns : int or None
        Numbers per row; None for a flat array.
    least : int, optional
        Least number of rows.
    bound : float, optional
        Greatest magnitude.

    Returns
    -------
    ndarray, shape (n, columns) or (n,)

    Raises
    ------
    ValueError
        If it is something else; the message names the place.
    """
    if isinstance(node.value, str):
        flat = _unpack(node, columns or 1, "<f8").astype(np.float64)
        array = flat if columns is None else flat.reshape(-1, columns)
    else:
        array = _from_lists(node, () if columns is None else (columns,))
    if len(array) < least:
        node.fail(f"an array of at least {least} rows", str(len(array)))
    _check_finite(node, array, bound)
    return array


def indices(node: Node, count: int) -> npt.NDArray[np.int64]:
    """Return triangles, rows of three indices into `count` points, ndarray, shape (n, 3)."""
    if isinstance(node.value, str):
        array = _unpack(node, 3, "<i8").astype(np.int64).reshape(-1, 3)
    else:
        numbers = _from_lists(node, (3,))
        _check_finite(node, numbers, float(1 << 52))
        if not np.array_equal(numbers, np.floor(numbers)):
            node.fail("whole numbers, indices of points", "fractions")
        array = numbers.astype(np.int64)
    if not len(array):
        node.fail("at least one triangle", "none")
    if array.min() < 0 or array.max() >= count:
        node.fail(f"indices from 0 to {count - 1}, the last point", f"{array.min()} to {array.max()}")
    return array


def decode_grid(node: Node) -> FloatArray:
    """Return the potential at the nodes of a grid, ndarray, shape (nx, ny, nz, 3); refuse packed data."""
    if isinstance(node.value, str):
        node.fail(
            "nested lists",
            "a packed text, which in this place holds a Python pickle and could run any program when opened",
            "Have its maker store the grid as .nii.gz, or as nested lists.",
        )
    x = _shape_of(node)
    array = _from_lists(node, (*x, 3))
    _check_finite(node, array, FAR)
    return array


def mended(points: FloatArray, faces: IntArray) -> Surface:
    """Return a casing without triangles that have a corner twice; join equal points if it is not closed else."""
    a, b, c = faces.T
    # The casing of MagVenture's MST-Twin has 54 of them, of 154; without them it is closed.
    surface = Surface(points, faces[(a != b) & (b != c) & (c != a)])
    if surface.is_closed:
        return surface
    joined, which = np.unique(points, axis=0, return_inverse=True)
    a, b, c = faces = which.reshape(-1)[faces].astype(np.int32).T
    return Surface(joined, faces.T[(a != b) & (b != c) & (c != a)])


def encode(array: npt.NDArray[np.float64] | npt.NDArray[np.int64]) -> str:
    """Pack an array: base64 of zlib of its raw little-endian bytes.

    Examples
    --------
    >>> import numpy as np
    >>> np.frombuffer(zlib.decompress(base64.b64decode(encode(np.array([1.0, -2.5])))), "<f8").tolist()
    [1.0, -2.5]
    """
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return base64.b64encode(zlib.compress(np.ascontiguousarray(little).tobytes(), 9)).decode("ascii")


def _unpack(node: Node, columns: int, dtype: str) -> npt.NDArray[np.generic]:
    """Unpack base64 of zlib within bounds to a flat array of whole rows."""
    try:
        packed = base64.b64decode(node.text(), validate=True)
    except (binascii.Error, ValueError):
        node.fail("a list, or base64", "a text that is no base64")
    most = min(_LARGEST, node.budget.left)
    unpacker = zlib.decompressobj()
    try:
        # One byte more than allowed, so that a bomb is known without being set off.
        raw = unpacker.decompress(packed, most + 1)
    except zlib.error:
        node.fail("base64 of data packed by zlib", "other data")
    if len(raw) > most:
        node.fail(f"an array of at most {most:,} bytes", "more", "No coil is that large; the file was made to harm.")
    if not unpacker.eof or unpacker.unused_data:
        node.fail("base64 of complete data packed by zlib", "data cut off or with more behind")
    node.budget.left -= len(raw)
    if raw[:1] == b"\x80" and raw[-1:] == b".":
        node.fail("raw numbers", "a Python pickle, which could run any program when opened and is never opened here")
    if len(raw) % (8 * columns):
        node.fail(f"rows of {columns} numbers of 8 bytes", f"{len(raw)} bytes")
    return np.frombuffer(raw, dtype=dtype)


def _shape_of(node: Node) -> tuple[int, int]:
    """Return ny and nz of nested lists, as their first members have them."""
    plane = node.items(2, 10_000)[0]
    row = plane.items(2, 10_000)[0]
    return len(plane.items(2, 10_000)), len(row.items(2, 10_000))


def _from_lists(node: Node, shape: tuple[int, ...]) -> FloatArray:
    """Convert nested lists, each level of its fixed length but the first."""
    flat: list[float] = []
    _collect(node.value, node, shape, "", flat, top=True)
    try:
        array = np.array(flat, dtype=np.float64)
    except OverflowError:
        node.fail("finite numbers", "one of hundreds of digits")
    return array.reshape(-1, *shape)


def _collect(
    value: object, node: Node, shape: tuple[int, ...], where: str, flat: list[float], *, top: bool = False
) -> None:
    """Append the numbers of nested lists to a flat one, checking length and kind on the way."""
    place = Node(value, node.where + where, node.file, node.budget)
    if not isinstance(value, list):
        place.fail("a list" if not top else "a list, or base64")
    if not top:
        if len(value) != shape[0]:
            place.fail(f"a list of {shape[0]}", str(len(value)))
        shape = shape[1:]
    if shape:
        for index, item in enumerate(value):
            _collect(item, node, shape, f"{where}[{index}]", flat)
        return
    for index, item in enumerate(value):
        # bool is a subclass of int and would pass as 0 or 1.
        if type(item) is not int and type(item) is not float:
            Node(item, f"{place.where}[{index}]", node.file, node.budget).number()
    flat.extend(value)


def _check_finite(node: Node, array: FloatArray, bound: float) -> None:
    if not np.isfinite(array).all():
        first = np.argwhere(~np.isfinite(array))[0].tolist()
        node.fail("finite", f"NaN or infinity, first at index {first}")
    if array.size and np.abs(array).max() > bound:
        node.fail(f"numbers up to {bound:g} in the file's units", f"{np.abs(array).max():g}", "Are the units right?")
