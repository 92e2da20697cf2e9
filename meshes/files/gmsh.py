"""Read Gmsh meshes (.msh 2.2 and 4.1, text and binary): nodes, triangles and tetrahedra with their tags."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from meshes.arrays import FloatArray
from meshes.files.polygons import checked_positions, numbers

__all__ = ["TetrahedralMesh", "read_msh"]

IndexArray = npt.NDArray[np.int64]
Kind = Literal["int", "size"]

# Gmsh's element types that are read: how many nodes each has. Points and lines are read and left out.
_NODES = {15: 1, 1: 2, 2: 3, 4: 4}
# The first window of the search for elements of one type in text files; doubled as long as all are of that type.
_WINDOW = 256


@dataclass(frozen=True, eq=False)
class TetrahedralMesh:
    """Triangles and tetrahedra on common nodes, each with the tag of its tissue or surface.

    Parameters
    ----------
    vertices : ndarray, shape (n_vertices, 3)
        Positions, in the file's unit (SimNIBS: mm).
    triangles : ndarray of int, shape (n_triangles, 3)
        Vertex indices.
    triangle_tags : ndarray of int, shape (n_triangles,)
        SimNIBS: 1000 + the tissue's tag.
    tetrahedra : ndarray of int, shape (n_tetrahedra, 4)
        Vertex indices.
    tetrahedron_tags : ndarray of int, shape (n_tetrahedra,)
        The tissue.
    names : dict of (int, int) to str
        Names that the file gives to tags (``$PhysicalNames``), by (dimension, tag).
    """

    vertices: FloatArray
    triangles: IndexArray
    triangle_tags: IndexArray
    tetrahedra: IndexArray
    tetrahedron_tags: IndexArray
    names: dict[tuple[int, int], str]


def read_msh(path: str | os.PathLike[str]) -> TetrahedralMesh:
    """Read a Gmsh mesh.

    Parameters
    ----------
    path : path-like
        A .msh file of version 2.2 or 4.1, text or binary of either byte order, with points, lines, triangles and
        tetrahedra of first order. Data on nodes and elements are passed over.

    Returns
    -------
    TetrahedralMesh
        The tag of an element is its physical tag (2.2: its first tag); in 4.1 the first physical tag of its entity, or
        the entity's own tag if it has none.

    Raises
    ------
    ValueError
        If the file is no such mesh, ends early, holds another count than it says, a position that is not finite, a
        node twice or an element of a node that is not there.
    FileNotFoundError
        If there is no such file.

    Notes
    -----
    Counts are compared with what is left of the file before memory is taken for them. The formats are described in
    the Gmsh reference manual, "MSH file format" and "MSH file format version 2".
    """
    file = Path(path)
    data = file.read_bytes()
    reader = _Reader(data, file.name)
    reader.read()
    return reader.mesh()


class _Words:
    """Numbers of one section one after the other, from text or bytes; never takes more than there are."""

    def __init__(self, data: bytes, at: int, end: int, order: str | None, where: str) -> None:
        self.where = where
        self.order = order
        self.data = data
        self.at, self.end = at, end
        self.numbers = np.zeros(0)
        if order is None:
            self.numbers = numbers(data[at:end], where)
            self.at, self.end = 0, len(self.numbers)

    def doubles(self, count: int) -> FloatArray:
        """Return the next `count` doubles."""
        if self.order is None:
            return self._text(count)
        return self._raw(np.dtype(f"{self.order}f8"), count).astype(np.float64)

    def whole(self, kind: Kind, count: int) -> IndexArray:
        """Return the next `count` whole numbers: 4 bytes each ("int") or 8 ("size") in a binary file."""
        if self.order is None:
            return _whole(self._text(count), self.where)
        raw = self._raw(np.dtype(self.order + {"int": "i4", "size": "u8"}[kind]), count)
        if raw.size and raw.max() > np.iinfo(np.int64).max:
            raise ValueError(f"{self.where} must hold counts and indices that fit the file; got {int(raw.max())}.")
        return raw.astype(np.int64)

    def _text(self, count: int) -> FloatArray:
        self._need(count, 1, "numbers")
        self.at += count
        return self.numbers[self.at - count : self.at]

    def _raw(self, dtype: np.dtype[Any], count: int) -> npt.NDArray[Any]:
        self._need(count, dtype.itemsize, "bytes")
        raw = np.frombuffer(self.data, dtype, count, self.at)
        self.at += count * dtype.itemsize
        return raw

    def nodes(self, count: int) -> tuple[IndexArray, FloatArray]:
        """Return the next `count` records of a node's number (4 bytes) and position."""
        if self.order is None:
            rows = self._text(4 * count).reshape(-1, 4)
            return _whole(rows[:, 0], self.where), rows[:, 1:]
        dtype = np.dtype([("tag", f"{self.order}i4"), ("x", f"{self.order}f8", (3,))])
        raw = self._raw(dtype, count)
        return raw["tag"].astype(np.int64), raw["x"].astype(np.float64)

    def count(self, kind: Kind = "size") -> int:
        """Return the next number as a count."""
        number = int(self.whole(kind, 1)[0])
        if number < 0:
            raise ValueError(f"{self.where} must hold counts of zero or more; got {number}. The file is damaged.")
        return number

    def _need(self, count: int, size: int, what: str) -> None:
        left = self.end - self.at
        if count * size > left:
            raise ValueError(
                f"{self.where} must hold {count * size} more {what}, as its counts say; got {left}. "
                "The file is truncated or damaged."
            )


class _Reader:
    """Walk through the sections of one file."""

    def __init__(self, data: bytes, name: str) -> None:
        self.data, self.name = data, name
        self.version = ""
        self.order: str | None = None  # byte order of a binary file
        self.names: dict[tuple[int, int], str] = {}
        self.physical: dict[tuple[int, int], int] = {}
        self.node_tags: IndexArray | None = None
        self.vertices = np.zeros((0, 3))
        self.cells: dict[int, list[tuple[IndexArray, IndexArray]]] = {2: [], 4: []}
        self.found: set[str] = set()

    def read(self) -> None:
        at = 0
        if not self.data.startswith(b"$MeshFormat"):
            raise ValueError(
                f"{self.name} must begin with $MeshFormat; got {_brief(self.data[:20])}. It is no Gmsh mesh."
            )
        steps = {
            "MeshFormat": self._format, "PhysicalNames": self._physical_names, "Entities": self._entities,
            "Nodes": self._nodes, "Elements": self._elements,
        }  # fmt: skip
        while (at := self.data.find(b"$", at)) >= 0:
            stop = self.data.find(b"\n", at)
            section = self.data[at + 1 : stop if stop >= 0 else len(self.data)].strip().decode("ascii", "replace")
            if section in self.found and section in steps:
                raise ValueError(f"{self.name} must hold ${section} once; got it twice.")
            end = self._section_end(section, stop)
            if section in steps:
                self.found.add(section)
                steps[section](stop + 1, end)
            at = end + len(section) + 4

    def _section_end(self, section: str, stop: int) -> int:
        end = -1
        if stop >= 0:
            end = self.data.find(b"$End" + section.encode("ascii", "replace"), stop)
        if end < 0:
            raise ValueError(
                f"{self.name} must close ${section[:30]} by $End{section[:30]}; got none. The file is truncated."
            )
        return end

    def _words(self, at: int, end: int, section: str) -> _Words:
        return _Words(self.data, at, end, self.order, f"{self.name}, ${section},")

    def _format(self, at: int, end: int) -> None:
        words = self.data[at : self.data.find(b"\n", at)].split()
        if len(words) != 3 or words[0] not in (b"2.2", b"4.1") or words[1] not in (b"0", b"1") or words[2] != b"8":
            raise ValueError(
                f"{self.name} must be a Gmsh mesh of version 2.2 or 4.1 with a data size of 8; got "
                f"{_brief(b' '.join(words))}. Save it again with Mesh.MshFileVersion 4.1."
            )
        self.version = words[0].decode()
        if words[1] == b"1":
            mark = self.data[self.data.find(b"\n", at) + 1 : end][:4]
            orders = {b"\x01\0\0\0": "<", b"\0\0\0\x01": ">"}
            if mark not in orders:
                raise ValueError(
                    f"{self.name} must hold the number 1 after its format; got {mark.hex()}. It is damaged."
                )
            self.order = orders[mark]

    def _physical_names(self, at: int, end: int) -> None:
        for line in self.data[at:end].splitlines()[1:]:
            words = line.split(maxsplit=2)
            if len(words) == 3 and words[0].isdigit() and words[1].isdigit():
                name = words[2].decode("utf-8", "replace").strip().strip('"')
                self.names[int(words[0]), int(words[1])] = name

    def _entities(self, at: int, end: int) -> None:
        if self.version != "4.1":
            return
        words = self._words(at, end, "Entities")
        counts = [words.count() for _ in range(4)]
        for dimension, count in enumerate(counts):
            for _ in range(count):  # each takes bytes of the file: a lying count ends in a sentence, not in a long loop
                tag = int(words.whole("int", 1)[0])
                words.doubles(3 if dimension == 0 else 6)
                physical = words.whole("int", words.count())
                if len(physical):
                    self.physical[dimension, tag] = abs(int(physical[0]))
                if dimension:
                    words.whole("int", words.count())

    def _head(self, at: int, end: int, section: str) -> tuple[int, _Words]:
        """Return the count that stands as text on the first line of a section of 2.2, and what follows."""
        stop = self.data.find(b"\n", at, end)
        line = self.data[at:stop].strip() if stop >= 0 else b""
        if not line.isdigit() or len(line) > 18:
            raise ValueError(f"{self.name}, ${section}, must begin with its count; got {_brief(line)}.")
        return int(line), self._words(stop + 1, end, section)

    def _nodes(self, at: int, end: int) -> None:
        if not self.version.startswith("4"):
            count, words = self._head(at, end, "Nodes")
            tags, points = words.nodes(count)
        else:
            words = self._words(at, end, "Nodes")
            blocks, count = words.count(), words.count()
            words.whole("size", 2)
            tags, points = self._node_blocks(words, blocks)
            if len(tags) != count:
                raise ValueError(f"{words.where} must hold {count} nodes, as it says; got {len(tags)}.")
        self._left(words)
        bad = ~np.isfinite(points).all(axis=1)
        if bad.any():
            raise ValueError(
                f"{words.where} must hold finite positions; got {int(bad.sum())} others, first node {tags[bad][0]}."
            )
        order = np.argsort(tags, kind="stable")
        if (np.diff(tags[order]) == 0).any():
            raise ValueError(f"{words.where} must number each node once; got node {_repeated(tags[order])} twice.")
        self.node_tags = tags[order]
        self.vertices = checked_positions(points[order], f"positions in {self.name}")

    def _node_blocks(self, words: _Words, blocks: int) -> tuple[IndexArray, FloatArray]:
        tags, points = [np.zeros(0, dtype=np.int64)], [np.zeros((0, 3))]
        for _ in range(blocks):
            dimension, _, parametric = (int(number) for number in words.whole("int", 3))
            count = words.count()
            tags.append(words.whole("size", count))
            width = 3 + (dimension if parametric else 0)
            points.append(words.doubles(width * count).reshape(-1, width)[:, :3])
        return np.concatenate(tags), np.concatenate(points)

    def _left(self, words: _Words) -> None:
        """Raise unless a section is used up but for white space."""
        left = words.end - words.at if words.order is None else len(words.data[words.at : words.end].strip())
        if left:
            unit = "numbers" if words.order is None else "bytes"
            raise ValueError(f"{words.where} must hold as much as its counts say; got {left} {unit} more.")

    def _elements(self, at: int, end: int) -> None:
        if self.version.startswith("4"):
            words = self._words(at, end, "Elements")
            blocks, count = words.count(), words.count()
            words.whole("size", 2)
            done = 0
            for _ in range(blocks):
                dimension, entity, kind = (int(number) for number in words.whole("int", 3))
                size, number = self._size(kind, words), words.count()
                rows = words.whole("size", (1 + size) * number).reshape(-1, 1 + size)
                tag = self.physical.get((dimension, entity), entity)
                self._keep(kind, np.full(number, tag), rows[:, 1:])
                done += number
        else:
            count, words = self._head(at, end, "Elements")
            done = self._text_elements(words) if self.order is None else self._binary_elements(words, count)
        if done != count:
            raise ValueError(f"{words.where} must hold {count} elements, as it says; got {done}.")
        self._left(words)

    def _binary_elements(self, words: _Words, count: int) -> int:
        done = 0
        while done < count:
            kind, number, n_tags = (int(value) for value in words.whole("int", 3))
            size = self._size(kind, words)
            if number < 1 or n_tags < 1 or n_tags > 100:
                raise ValueError(f"{words.where} must hold blocks of tagged elements; got {number} with {n_tags} tags.")
            width = 1 + n_tags + size
            rows = words.whole("int", width * number).reshape(-1, width)
            self._keep(kind, rows[:, 1], rows[:, 1 + n_tags :])
            done += number
        return done

    def _text_elements(self, words: _Words) -> int:
        """Read rows of number, type, number of tags, tags and nodes; rows of one shape are taken together."""
        numbers = _whole(words.numbers, words.where)
        at = done = 0
        window = _WINDOW
        while at < len(numbers):
            if at + 3 > len(numbers):
                raise ValueError(f"{words.where} must hold whole elements; got {len(numbers) - at} numbers at the end.")
            kind, n_tags = int(numbers[at + 1]), int(numbers[at + 2])
            size = self._size(kind, words)
            if not 1 <= n_tags <= 100:
                raise ValueError(f"{words.where} must hold elements with tags; got one with {n_tags} tags.")
            width = 3 + n_tags + size
            n_rows = min(window, (len(numbers) - at) // width)
            if n_rows == 0:
                raise ValueError(f"{words.where} must hold whole elements; got {len(numbers) - at} numbers at the end.")
            rows = numbers[at : at + n_rows * width].reshape(-1, width)
            other = np.flatnonzero((rows[:, 1] != kind) | (rows[:, 2] != n_tags))
            rows = rows[: other[0]] if len(other) else rows
            window = _WINDOW if len(other) else 2 * window
            self._keep(kind, rows[:, 3], rows[:, 3 + n_tags :])
            at += rows.size
            done += len(rows)
        words.at = words.end
        return done

    def _size(self, kind: int, words: _Words) -> int:
        if kind not in _NODES:
            raise ValueError(
                f"{words.where} must hold points, lines, triangles and tetrahedra of first order (types 15, 1, 2, 4); "
                f"got type {kind}. Save the mesh with order 1 and without other elements."
            )
        return _NODES[kind]

    def _keep(self, kind: int, tags: IndexArray, nodes: IndexArray) -> None:
        if kind in self.cells:
            self.cells[kind].append((tags, nodes))

    def mesh(self) -> TetrahedralMesh:
        for section in ("Nodes", "Elements"):
            if section not in self.found:
                raise ValueError(f"{self.name} must hold ${section}; got {', '.join(sorted(self.found))} only.")
        triangle_tags, triangles = self._cells(2)
        tetrahedron_tags, tetrahedra = self._cells(4)
        if not len(triangles) and not len(tetrahedra):
            raise ValueError(f"{self.name} must hold triangles or tetrahedra; got neither.")
        return TetrahedralMesh(self.vertices, triangles, triangle_tags, tetrahedra, tetrahedron_tags, self.names)

    def _cells(self, kind: int) -> tuple[IndexArray, IndexArray]:
        """Return tags and vertex indices of all elements of a type."""
        parts = self.cells[kind]
        tags = np.concatenate([np.zeros(0, dtype=np.int64)] + [tag for tag, _ in parts])
        nodes = np.concatenate([np.zeros((0, _NODES[kind]), dtype=np.int64)] + [node for _, node in parts])
        known = self.node_tags if self.node_tags is not None else np.zeros(0, dtype=np.int64)
        index = np.searchsorted(known, nodes)
        missing = known[np.minimum(index, len(known) - 1)] != nodes if len(known) else np.ones(nodes.shape, dtype=bool)
        if missing.any():
            raise ValueError(
                f"{self.name}, $Elements, must use nodes of $Nodes; got {int(missing.sum())} that are not there, first "
                f"node {int(nodes[missing][0])}."
            )
        return tags, index.astype(np.int64)


def _whole(values: npt.NDArray[np.float64], where: str) -> IndexArray:
    """Return numbers as int64; raise if one is no whole number."""
    if values.size and not (np.abs(values) < 2.0**53).all():
        raise ValueError(
            f"{where} must hold whole numbers as counts, tags and indices; got one that is too large or NaN."
        )
    whole = values.astype(np.int64)
    if not np.array_equal(whole, values):
        raise ValueError(
            f"{where} must hold whole numbers as counts, tags and indices; got {values[whole != values][0]:g}."
        )
    return whole


def _repeated(ascending: IndexArray) -> int:
    return int(ascending[:-1][np.diff(ascending) == 0][0])


def _brief(data: bytes) -> str:
    return repr(data[:40].decode("ascii", "replace"))
