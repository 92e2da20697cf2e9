"""Malformed .tcd files: one clear sentence each, memory bounded, nothing executed."""

import base64
import copy
import json
import os
import pickle
import re
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coils.files.tcd import read_tcd
from coils.files.tcd_arrays import decode
from coils.files.tcd_schema import MOST_BYTES, Budget, Node
from meshes import icosphere

# Greatest memory that a bad file may take (bytes): an array's bound of 16 MiB and what unpacking needs beside it.
MEMORY = 64 << 20

BALL = icosphere(1)
GOOD: dict[str, Any] = {
    "name": "good",
    "limits": [[-1, 1], [-1, 1], [-1, 1]],
    "resolution": [1, 1, 1],
    "coilCasing": 0,
    "coilElementList": [
        {
            "stimulator": 0,
            "type": 1,
            "points": [[0, 0, -5], [1, 0, -5]],
            "values": [[0, 0, 0.1], [0, 0.1, 0]],
            "deformations": [0, 1],
        },
        {
            "stimulator": 0,
            "type": 3,
            "data": np.full((2, 2, 2, 3), 1e-7).tolist(),
            "affine": np.diag([100.0, 100, 100, 1]).tolist(),
        },
    ],
    "stimulatorList": [{"name": "s", "maxdIdt": 1e8, "waveformList": [{"time": [0, 1e-4], "signal": [1, 0]}]}],
    "deformList": [
        {"deformRange": 0, "type": "x"},
        {"deformRange": 1, "type": "rot2p", "point1": [0, 0, 0], "point2": [0, 0, 1]},
    ],
    "deformRangeList": [{"initial": 0, "range": [-1, 1]}, {"initial": 5, "range": [0, 10]}],
    "coilModels": [{"points": (10 * BALL.vertices).tolist(), "faces": BALL.triangles.tolist()}],
    "selfIntersectionTest": [[0, 1]],
}
DELETE = object()


def changed(*path: str | int, to: object) -> bytes:
    """Return the good file with one value replaced, added or deleted."""
    tree = copy.deepcopy(GOOD)
    node: Any = tree
    for key in path[:-1]:
        node = node[key]
    if to is DELETE:
        del node[path[-1]]
    else:
        node[path[-1]] = to
    return json.dumps(tree).encode()


def element(key: str, to: object, number: int = 0) -> bytes:
    return changed("coilElementList", number, key, to=to)


def packed(raw: bytes) -> str:
    return base64.b64encode(zlib.compress(raw)).decode()


def bomb() -> str:
    """300 MB of zeros in 400 kB."""
    packer = zlib.compressobj(9)
    parts = [packer.compress(bytes(1 << 20)) for _ in range(300)]
    return base64.b64encode(b"".join(parts) + packer.flush()).decode()


class Attack:
    """What would run if anything unpickled it."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch executed-by-a-pickle",)


TEXT = json.dumps(GOOD)
FLOATS = np.arange(6.0).tobytes()

CASES: dict[str, tuple[bytes | Callable[[], bytes], str]] = {
    # the text
    "empty": (b"", "path must be a file with content"),
    "spaces": (b"  \n", "must be JSON; got a fault at line 2, column 1"),
    "truncated": (TEXT[:500].encode(), "must be JSON; got a fault at line 1, column 50.*Was the file cut off"),
    "not UTF-8": (b'{"name": "\xff"}', "must be JSON in UTF-8; got another byte at position 10"),
    "binary junk": (bytes(range(256)), "must be JSON"),
    "not an object": (b"[1, 2]", "bad.tcd must be an object; got a list of 2"),
    "a number": (b"7", "bad.tcd must be an object; got a number, 7"),
    "two documents": (b"{} {}", r"must be JSON; got a fault at line 1, column 4 \(Extra data\)"),
    "key twice": (b'{"name": "a", "name": "b"}', "must have each key once in an object; got 'name' twice"),
    "NaN literal": (element("points", [[float("nan"), 0, 0]]), "must hold finite numbers; got NaN"),
    "Infinity literal": (element("points", [[float("-inf"), 0, 0]]), "must hold finite numbers; got -Infinity"),
    "overflow": (
        TEXT.replace("[0, 0, -5]", "[0, 0, 1e999]").encode(),
        "points of bad.tcd must be finite; got NaN or inf",
    ),
    "digits": (b'{"name": ' + b"9" * 100_000 + b"}", "must hold numbers of bearable length; got one of thousands"),
    "long integer": (element("points", [[10**400, 0, 0]] * 2), "must be finite numbers; got one of hundreds of digits"),
    "deep nesting": (b"[" * 500_000 + b"]" * 500_000, "must nest a few levels deep at most"),
    "deep objects": (b'{"name":' * 200_000, "must nest a few levels deep at most"),
    "lists galore": (lambda: b"[" + b"[]," * 2_100_000 + b"[]]", "at most 2,000,000 lists and objects; got 2,100,002"),
    "numbers galore": (lambda: b"[" + b"0," * 8_100_000 + b"0]", "at most 8,000,000 commas; got 8,100,000"),
    # keys and kinds
    "no elements": (changed("coilElementList", to=DELETE), "must be an object with the key coilElementList"),
    "empty elements": (
        changed("coilElementList", to=[]),
        "coilElementList of bad.tcd must be a list of 1 to 1000; got 0",
    ),
    "no stimulators": (changed("stimulatorList", to=DELETE), "must be an object with the key stimulatorList"),
    "empty stimulator": (changed("stimulatorList", 0, to={}), r"stimulatorList\[0\] .* at least one key; got none"),
    "unknown key": (
        changed("colour", to="red"),
        "bad.tcd must be an object of the keys .*; got the unknown key 'colour'",
    ),
    "unknown key below": (element("Points", []), r"coilElementList\[0\] of bad.tcd .* got the unknown key 'Points'"),
    "huge counts": (changed("coilElementList", to=[0] * 5000), "must be a list of 1 to 1000; got 5000"),
    "no type": (element("type", DELETE), r"coilElementList\[0\] of bad.tcd must be an object with the key type"),
    "type 4": (element("type", 4), "type of bad.tcd must be 1 for dipoles, 2 for current elements or 3 .*; got 4"),
    "type as text": (element("type", "1"), r"coilElementList\[0\].type of bad.tcd must be a number; got a text, '1'"),
    "type true": (element("type", True), "type of bad.tcd must be a number; got a truth value, True"),
    "bool in array": (
        element("points", [[0, 0, True]] * 2),
        r"points\[0\]\[2\] of bad.tcd must be a number; got a truth",
    ),
    "text in array": (
        element("points", [[0, 0, "1"]] * 2),
        r"points\[0\]\[2\] of bad.tcd must be a number; got a text",
    ),
    "null name": (changed("name", to=None), "name of bad.tcd must be a text; got null, None"),
    "name as number": (changed("name", to=3), "name of bad.tcd must be a text; got a number, 3"),
    "limits": (changed("limits", to=[[0, 1], [0, 1]]), "limits of bad.tcd must be a list of 3; got 2"),
    "resolution": (changed("resolution", to=[1, 0, 1]), r"resolution\[1\] of bad.tcd must be a positive number; got 0"),
    # arrays
    "no values": (element("values", DELETE), "must be an object with the key values, as its type is 1"),
    "data in dipoles": (element("data", []), r"data of bad.tcd must be left out, as the element's type is 1"),
    "wrong count": (element("values", [[0, 0, 1]]), r"values of bad.tcd must be one per point, 2; got 1"),
    "two numbers": (element("points", [[0, 0]] * 2), r"points\[0\] of bad.tcd must be a list of 3; got 2"),
    "no rows": (element("points", []), "points of bad.tcd must be an array of at least 1 rows; got 0"),
    "flat list": (element("points", [0, 0, 1]), r"points\[0\] of bad.tcd must be a list; got 0"),
    "object for array": (element("points", {}), r"points of bad.tcd must be a list, or base64; got \{\}"),
    "all zero": (element("values", [[0, 0, 0]] * 2), "values of bad.tcd must be not all zero"),
    "bad base64": (
        element("points", "AA*A"),
        "points of bad.tcd must be a list, or base64; got a text that is no base64",
    ),
    "not ASCII": (element("points", "é"), "points of bad.tcd must be a list, or base64; got a text that is no base64"),
    "not zlib": (
        element("points", base64.b64encode(FLOATS).decode()),
        "must be base64 of data packed by zlib; got other",
    ),
    "zlib cut off": (
        element("points", base64.b64encode(zlib.compress(FLOATS)[:-6]).decode()),
        "must be base64 of complete data packed by zlib; got data cut off",
    ),
    "zlib and more": (
        element("points", base64.b64encode(zlib.compress(FLOATS) + b"more").decode()),
        "must be base64 of complete data packed by zlib; got data cut off or with more behind",
    ),
    "odd bytes": (element("points", packed(FLOATS[:-1])), "must be rows of 3 numbers of 8 bytes; got 47 bytes"),
    "odd count": (element("points", packed(FLOATS[:32])), "must be rows of 3 numbers of 8 bytes; got 32 bytes"),
    "nothing packed": (element("points", packed(b"")), "must be an array of at least 1 rows; got 0"),
    "NaN packed": (
        element("points", packed(np.full((2, 3), np.nan).tobytes())),
        r"points of bad.tcd must be finite; got NaN or infinity, first at index \[0, 0\]",
    ),
    "bomb": (lambda: element("points", bomb()), "must be an array of at most 16,777,216 bytes; got more"),
    "pickled points": (
        element("points", packed(pickle.dumps(Attack()))),
        "points of bad.tcd must be raw numbers; got a Python pickle, which could run any program",
    ),
    "pickled grid": (
        element("data", packed(pickle.dumps(Attack())), 1),
        r"coilElementList\[1\].data of bad.tcd must be nested lists; .* a Python pickle and could run .* as .nii.gz",
    ),
    "metres for mm": (
        element("points", [[0, 0, 2e6]] * 2),
        "must be numbers up to 10000 .*; got 2e\\+06. Are the units",
    ),
    "ragged grid": (element("data", [[[[0, 0, 1]] * 2, [[0, 0, 1]]]] * 2, 1), r"data\[0\]\[1\] .* a list of 2; got 1"),
    "thin grid": (element("data", [[[[0, 0, 1]] * 2] * 2], 1), "data of bad.tcd must be a list of 2 to 10000; got 1"),
    "grid of scalars": (
        element("data", [[[1, 1], [1, 1]]] * 2, 1),
        r"data\[0\]\[0\]\[0\] of bad.tcd must be a list; got 1",
    ),
    "singular affine": (
        element("affine", [[0] * 4] * 3 + [[0, 0, 0, 1]], 1),
        r"\[1\] of bad.tcd: affine must span space",
    ),
    "affine of 3": (element("affine", [[1, 0, 0, 0]] * 3, 1), "affine of bad.tcd must be a list of 4; got 3"),
    # references
    "no such stimulator": (
        element("stimulator", 1),
        "stimulator of bad.tcd must be an index from 0 to 0, the last of stimulatorL",
    ),
    "negative index": (element("stimulator", -1), "stimulator of bad.tcd must be an index from 0 to 0, .*; got -1"),
    "fractional index": (element("stimulator", 0.5), "stimulator of bad.tcd must be a whole number; got 0.5"),
    "no such casing": (
        element("elementCasing", 7),
        "elementCasing of bad.tcd must be an index from 0 to 0, .* coilModels; got 7",
    ),
    "casing of none": (
        changed("coilModels", to=DELETE),
        "coilCasing of bad.tcd must be left out, as coilModels is empty",
    ),
    "no such deformation": (
        element("deformations", [2]),
        r"deformations\[0\] of bad.tcd must be an index from 0 to 1, the last",
    ),
    "repeated deformation": (
        element("deformations", [0, 1, 0]),
        r"must be different indices, .* once; got \[0, 1, 0\]",
    ),
    "no such range": (
        changed("deformList", 0, "deformRange", to=2),
        "deformRange of bad.tcd must be an index from 0 to 1, the last",
    ),
    "no such part": (
        changed("selfIntersectionTest", to=[[0, 3]]),
        r"Test\[0\]\[1\] of bad.tcd must be an index from 0 to 2",
    ),
    "group of one": (
        changed("selfIntersectionTest", to=[[0]]),
        r"Test\[0\] of bad.tcd must be a list of 2 to 1000; got 1",
    ),
    # deformations
    "range descending": (changed("deformRangeList", 0, "range", to=[1, -1]), r"range of bad.tcd must be ascending"),
    "outside range": (
        changed("deformRangeList", 0, "initial", to=2),
        "initial of bad.tcd must be from -1 to 1, .*; got 2",
    ),
    "range of three": (
        changed("deformRangeList", 0, "range", to=[0, 0, 1]),
        "range of bad.tcd must be a list of 2; got 3",
    ),
    "far axis": (
        changed("deformList", 1, "point2", to=[0, 0, 1e200]),
        "point2 of bad.tcd must be numbers up to 10000 mm",
    ),
    "far range": (
        changed("deformRangeList", 0, "range", to=[0, 1e300]),
        "range of bad.tcd must be numbers up to 10000",
    ),
    "unknown motion": (
        changed("deformList", 0, "type", to="twist"),
        "type of bad.tcd must be x, y, z or rot2p; got 'twist'",
    ),
    "no axis": (
        changed("deformList", 0, "type", to="rot2p"),
        "point1 and point2 for rot2p and neither .*; got 0 points",
    ),
    "half an axis": (changed("deformList", 1, "point2", to=DELETE), "point1 and point2 for rot2p .*; got 1 points"),
    "axis of a shift": (changed("deformList", 1, "type", to="y"), "neither for x, y and z; got 2 points"),
    "axis of one point": (
        changed("deformList", 1, "point2", to=[0, 0, 0]),
        "must be an object with two different points",
    ),
    # casings and pulses
    "faces out of range": (
        changed("coilModels", 0, "faces", 0, to=[0, 1, 42]),
        "faces of bad.tcd must be indices from 0 to 41, the last point; got 0 to 42",
    ),
    "negative face": (changed("coilModels", 0, "faces", 0, to=[0, 1, -1]), "indices from 0 to 41, .*; got -1 to 41"),
    "fractional face": (
        changed("coilModels", 0, "faces", 0, to=[0, 1, 1.5]),
        "must be whole numbers, indices of points",
    ),
    "open casing": (
        changed("coilModels", 0, "faces", 0, to=DELETE),
        r"coilModels\[0\] of bad.tcd must be a closed surface",
    ),
    "huge face packed": (
        changed("coilModels", 0, "faces", to=packed(np.full(3, 2**62).tobytes())),
        "faces of bad.tcd must be indices from 0 to 41, the last point; got 4611686018427387904",
    ),
    "time backwards": (
        changed("stimulatorList", 0, "waveformList", 0, "time", to=[1, 0]),
        r"waveformList\[0\] of bad.tcd: time must increase",
    ),
    "signal too short": (
        changed("stimulatorList", 0, "waveformList", 0, "signal", to=[1]),
        "signal of bad.tcd must be an array of at least 2 rows; got 1",
    ),
    "no current": (
        changed("stimulatorList", 0, "maxdIdt", to=0),
        "maxdIdt of bad.tcd must be a positive number; got 0",
    ),
}


def test_the_unchanged_file_is_good(tmp_path: Path) -> None:
    (tmp_path / "good.tcd").write_text(TEXT)
    coil = read_tcd(tmp_path / "good.tcd")
    assert coil.assembly is not None
    assert coil.assembly.settings == {"shift_x_1": 0.0, "rotation_2": 5.0}
    assert coil.grid is not None
    assert coil.casing is not None


@pytest.mark.parametrize("case", CASES)
def test_malformed_file_gets_one_sentence(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content, message = CASES[case]
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "bad.tcd"
    path.write_bytes(content() if callable(content) else content)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=message) as caught:
            read_tcd(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    text = str(caught.value)
    assert "bad.tcd" in text
    assert re.search(r" must .+; got |: .+ must .+; got ", text)
    assert "\n" not in text
    assert len(text) < 400
    assert peak < MEMORY
    assert caught.value.__cause__ is None
    assert os.listdir(tmp_path) == ["bad.tcd"]  # no pickle ran


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"path must be a file that exists; got .*none\.tcd"):
        read_tcd(tmp_path / "none.tcd")
    with pytest.raises(IsADirectoryError, match="path must be a file; got the folder"):
        read_tcd(tmp_path)


def test_file_that_is_too_large_is_not_even_read(tmp_path: Path) -> None:
    path = tmp_path / "large.tcd"
    with path.open("wb") as handle:
        handle.truncate(MOST_BYTES + 1)  # a hole: takes no space on the disk
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="path must be a file of at most 67,108,864 bytes, as coil files are"):
            read_tcd(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_many_arrays_share_one_budget() -> None:
    """Bombs below the bound of one array do not add up."""
    budget = Budget(100)
    text = packed(np.zeros((2, 3)).tobytes())
    assert len(decode(Node(text, "points", "x.tcd", budget), 3)) == 2
    assert budget.left == 52
    decode(Node(text, "points", "x.tcd", budget), 3)
    with pytest.raises(ValueError, match=r"points of x.tcd must be an array of at most 4 bytes; got more"):
        decode(Node(text, "points", "x.tcd", budget), 3)


def test_open_wire_is_a_warning_with_the_gap(tmp_path: Path) -> None:
    angle = np.linspace(0.0, np.pi, 101)
    corners = 40.0 * np.column_stack([np.cos(angle), np.sin(angle), 0 * angle]) - [0, 0, 5]
    wire = {
        "type": 2,
        "stimulator": 0,
        "points": ((corners[1:] + corners[:-1]) / 2).tolist(),
        "values": np.diff(corners, axis=0).tolist(),
    }
    (tmp_path / "bad.tcd").write_text(json.dumps({"coilElementList": [wire], "stimulatorList": [{"name": "s"}]}))
    message = r"bad\.tcd: wires of bad must be closed circuits; got 1 open end, .* of \[-80\.0, 0\.0, 0\.0\] mm: closed"
    with pytest.warns(UserWarning, match=message):
        read_tcd(tmp_path / "bad.tcd")
