"""Read and write triangle surfaces as STL, PLY and OFF: bytes to and from (vertices, triangles)."""

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from meshes import arrays
from meshes.arrays import FloatArray

__all__ = [
    "checked_positions",
    "doubles",
    "numbers",
    "off_bytes",
    "parse_off",
    "parse_ply",
    "parse_stl",
    "ply_bytes",
    "stl_bytes",
]

IndexArray = npt.NDArray[np.int64]
Arrays = tuple[FloatArray, IndexArray]

_STL_RECORD = np.dtype([("normal", "<f4", (3,)), ("corners", "<f4", (3, 3)), ("extra", "<u2")])
# A kilometre and more in any unit: no head is as far away, and its volume can still be computed.
_FARTHEST = 1e9
_PLY_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8",
}  # fmt: skip


def parse_stl(data: bytes, name: str) -> Arrays:
    """Return vertices and triangles of an STL file, binary or text; corners at the same place become one vertex."""
    count = int.from_bytes(data[80:84], "little")
    if len(data) >= 84 and len(data) == 84 + 50 * count:
        corners = doubles(np.frombuffer(data, _STL_RECORD, count, 84)["corners"])
    elif data.lstrip()[:5].lower() == b"solid" and b"facet" in data[:10000]:
        if b"endsolid" not in data[-1000:]:
            raise ValueError(f"{name} must end with endsolid; got no such line. The file is truncated.")
        words = data.split()
        at = np.flatnonzero(np.array(words) == b"vertex")
        values = [word for i in at for word in words[i + 1 : i + 4]]
        points = numbers(b" ".join(values), name)
        if len(points) != 3 * len(at) or len(at) % 3:
            raise ValueError(f"{name} must have three vertices of three numbers per facet; got {len(points)} numbers.")
        corners = points.reshape(-1, 3, 3)
    else:
        raise ValueError(
            f"{name} must be an STL file, text or binary of 84 + 50 bytes per triangle; got {len(data)} bytes"
            + (
                f" for {count} triangles. The file is truncated or damaged."
                if len(data) >= 84
                else ". It is too short."
            )
        )
    if not np.isfinite(corners).all():
        raise ValueError(f"{name} must hold finite positions; got NaN or infinity.")
    vertices, index = np.unique(corners.reshape(-1, 3) + 0.0, axis=0, return_inverse=True)  # + 0.0: no -0.0
    return vertices, index.reshape(-1, 3).astype(np.int64)


def stl_bytes(vertices: FloatArray, triangles: npt.NDArray[np.integer], name: str) -> bytes:
    """Return a binary STL file; raise `ValueError` if two vertices fall together in single precision."""
    single = vertices.astype(np.float32)
    if len(np.unique(single, axis=0)) < len(np.unique(vertices, axis=0)):
        raise ValueError(
            f"{name} must keep its vertices apart in single precision to be written as STL; got some that fall "
            "together. Write it as .ply, .vtp or .npz."
        )
    records = np.zeros(len(triangles), dtype=_STL_RECORD)
    corners = single[triangles]
    records["corners"] = corners
    across = np.cross(corners[:, 1].astype(float) - corners[:, 0], corners[:, 2].astype(float) - corners[:, 0])
    length = np.linalg.norm(across, axis=1, keepdims=True)
    records["normal"] = np.divide(across, length, out=np.zeros_like(across), where=length > 0.0)
    return b"efield, mm".ljust(80) + len(triangles).to_bytes(4, "little") + records.tobytes()


def parse_off(data: bytes, name: str) -> Arrays:
    """Return vertices and triangles of an OFF file."""
    lines = [line.split(b"#", 1)[0] for line in data.split(b"\n")]
    text = b"\n".join(lines).split(None, 1)
    if len(text) != 2 or text[0] != b"OFF":
        raise ValueError(f"{name} must be an OFF file and begin with OFF; got {data[:20]!r}.")
    values = numbers(text[1], name)
    if len(values) < 3 or not _are_counts(values[:3]):
        raise ValueError(f"{name} must begin with the counts of vertices, faces and edges; got {values[:3].tolist()}.")
    n_vertices, n_faces = int(values[0]), int(values[1])
    if len(values) != 3 + 3 * n_vertices + 4 * n_faces:
        raise ValueError(
            f"{name} must hold {3 * n_vertices + 4 * n_faces} numbers for {n_vertices} vertices and {n_faces} "
            f"triangles; got {len(values) - 3}. The file is truncated, or has faces with more corners or colours."
        )
    faces = values[3 + 3 * n_vertices :].reshape(-1, 4)
    _all_triangles(faces[:, 0], name)
    return values[3 : 3 + 3 * n_vertices].reshape(-1, 3), _indices(faces[:, 1:], name)


def off_bytes(vertices: FloatArray, triangles: npt.NDArray[np.integer]) -> bytes:
    """Return an OFF file; positions with as many digits as bring back the same bits."""
    rows = [f"OFF\n{len(vertices)} {len(triangles)} 0"]
    rows += [" ".join(map(repr, row)) for row in vertices.tolist()]
    rows += [f"3 {a} {b} {c}" for a, b, c in triangles.tolist()]
    return ("\n".join(rows) + "\n").encode("ascii")


def parse_ply(data: bytes, name: str) -> Arrays:
    """Return vertices and triangles of a PLY file, text or binary of either byte order."""
    head, mark, body = data.partition(b"end_header")
    lines = [line.split() for line in head.decode("ascii", "replace").splitlines()]
    if not mark or not lines or lines[0] != ["ply"]:
        raise ValueError(f"{name} must be a PLY file with a header from ply to end_header; got {data[:20]!r}.")
    body = body[body.find(b"\n") + 1 :]
    form, elements = _ply_header(lines, name)
    if [element[0] for element in elements[:2]] != ["vertex", "face"]:
        raise ValueError(f"{name} must hold vertex and face first; got {[element[0] for element in elements]}.")
    (_, n_vertices, vertex), (_, n_faces, face) = elements[:2]
    columns = [prop[-1] for prop in vertex]
    if not {"x", "y", "z"} <= set(columns) or any(prop[0] == "list" for prop in vertex):
        raise ValueError(f"{name} must have the vertex properties x, y and z; got {columns}.")
    if len(face) != 1 or face[0][0] != "list":
        raise ValueError(f"{name} must have one face property, the list of vertices; got {[p[-1] for p in face]}.")
    xyz = [columns.index(axis) for axis in "xyz"]
    if form == "ascii":
        values = numbers(body, name)
        wanted = n_vertices * len(columns) + 4 * n_faces
        _enough(wanted, len(values), "numbers", name)
        points = values[: n_vertices * len(columns)].reshape(n_vertices, -1)[:, xyz]
        rows = values[n_vertices * len(columns) : wanted].reshape(-1, 4)
        _all_triangles(rows[:, 0], name)
        return points, _indices(rows[:, 1:], name)
    order = {"binary_little_endian": "<", "binary_big_endian": ">"}[form]
    record = np.dtype([(f"p{i}", order + _PLY_TYPES[prop[0]]) for i, prop in enumerate(vertex)])
    corners = np.dtype([("n", order + _PLY_TYPES[face[0][1]]), ("v", order + _PLY_TYPES[face[0][2]], (3,))])
    _enough(n_vertices * record.itemsize + n_faces * corners.itemsize, len(body), "bytes", name)
    table = np.frombuffer(body, record, n_vertices)
    points = np.stack([doubles(table[f"p{i}"]) for i in xyz], axis=1)
    raw = np.frombuffer(body, corners, n_faces, n_vertices * record.itemsize)
    _all_triangles(raw["n"], name)
    return points, _indices(raw["v"], name)


def _ply_header(lines: list[list[str]], name: str) -> tuple[str, list[tuple[str, int, list[list[str]]]]]:
    """Return the format and, for each element, its name, count and properties (type and name)."""
    form = ""
    elements: list[tuple[str, int, list[list[str]]]] = []
    for words in lines[1:]:
        if words[:1] == ["format"] and len(words) == 3:
            form = words[1]
        elif words[:1] == ["element"] and len(words) == 3 and words[2].isdigit() and len(words[2]) < 18:
            elements.append((words[1], int(words[2]), []))
        elif words[:1] == ["property"] and elements and len(words) == (5 if words[1:2] == ["list"] else 3):
            unknown = [kind for kind in words[1:-1] if kind not in _PLY_TYPES and kind != "list"]
            if unknown:
                raise ValueError(f"{name} must have properties of the types of PLY; got {unknown[0]!r}.")
            elements[-1][2].append(words[1:])
        elif words and words[0] not in ("comment", "obj_info"):
            raise ValueError(
                f"{name} must have a header of format, element and property; got {' '.join(words)[:60]!r}."
            )
    if form not in ("ascii", "binary_little_endian", "binary_big_endian"):
        raise ValueError(f"{name} must have the format ascii, binary_little_endian or binary_big_endian; got {form!r}.")
    return form, elements


def ply_bytes(vertices: FloatArray, triangles: npt.NDArray[np.integer]) -> bytes:
    """Return a binary PLY file in double precision."""
    head = (
        "ply\nformat binary_little_endian 1.0\ncomment efield, mm\n"
        f"element vertex {len(vertices)}\nproperty double x\nproperty double y\nproperty double z\n"
        f"element face {len(triangles)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    rows = np.zeros(len(triangles), dtype=[("n", "u1"), ("v", "<i4", (3,))])
    rows["n"], rows["v"] = 3, triangles
    return head.encode("ascii") + vertices.astype("<f8").tobytes() + rows.tobytes()


def numbers(text: bytes, where: str) -> FloatArray:
    """Return all numbers of a text; raise `ValueError` if it holds anything else."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)  # NumPy's way to say that it met something else
            return np.fromstring(text.decode("ascii"), dtype=np.float64, sep=" ") if text.strip() else np.zeros(0)
    except (DeprecationWarning, ValueError):
        raise ValueError(f"{where} must hold numbers only; got other text. The file is damaged.") from None


def doubles(raw: npt.NDArray[Any]) -> FloatArray:
    """Return numbers as float64; a NaN of any kind becomes NaN without a warning, as it is refused later."""
    with np.errstate(invalid="ignore"):
        return raw.astype(np.float64)


def checked_positions(points: npt.NDArray[np.float64], name: str) -> FloatArray:
    """Return positions; raise `ValueError` unless they are finite, and small enough for their cubes to be."""
    checked = arrays.vectors(points, name)
    if checked.size and np.abs(checked).max() > _FARTHEST:
        raise ValueError(f"{name} must be less than {_FARTHEST:g}; got {np.abs(checked).max():g}. The file is damaged.")
    return checked


def _are_counts(values: FloatArray) -> bool:
    return bool(
        np.isfinite(values).all() and (values >= 0).all() and (values < 2**53).all() and (values % 1 == 0).all()
    )


def _enough(wanted: int, left: int, unit: str, name: str) -> None:
    if wanted > left:
        raise ValueError(
            f"{name} must hold {wanted} {unit}, as its counts say; got {left}. The file is truncated or damaged."
        )


def _all_triangles(corners: npt.NDArray[np.generic], name: str) -> None:
    other = corners != 3
    if other.any():
        raise ValueError(f"{name} must hold triangles only; got {int(other.sum())} faces with other counts of corners.")


def _indices(values: npt.NDArray[np.generic], name: str) -> IndexArray:
    floats = values.astype(np.float64)
    if not np.isfinite(floats).all() or (np.abs(floats) > 2**53).any() or (floats % 1 != 0).any():
        raise ValueError(f"{name} must hold whole numbers as vertex indices; got fractions, NaN or infinity.")
    return floats.astype(np.int64)
