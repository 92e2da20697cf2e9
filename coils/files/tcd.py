"""Read and write .tcd files: coils of several parts, stimulators, casings and deformations, as JSON.

Of the format's three kinds of elements dipoles (1) and current elements (2) are read in both forms of arrays, sampled
grids (3) as nested lists only: their packed form is a Python pickle, which runs whatever its maker wants.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np

from coils.assembly import Assembly
from coils.coil import Coil
from coils.deformation import Deformation, Motion
from coils.elements import Casing, Dipoles, Element
from coils.files.limits import existing_file, replacing
from coils.files.tcd_arrays import decode, decode_grid, encode, indices, mended
from coils.files.tcd_schema import MOST_BYTES, Node, parse
from coils.grid import PotentialGrid
from coils.segments import Segments
from coils.stimulators import Stimulator
from coils.waveforms import Waveform
from meshes import Surface

__all__ = ["read_tcd", "write_tcd"]

_TOP = (
    *("name", "brand", "version", "limits", "resolution", "coilCasing", "deformList", "deformRangeList", "coilModels"),
    "selfIntersectionTest",
)
_ELEMENT = ("name", "elementCasing", "deformations", "points", "values", "data", "affine")

# Samples of a waveform are in any unit and times in s.
_ANY = 1e12

# Largest grid that is written as nested lists: more makes a file that no reader, this one included, should take.
_MOST_NODES = 1_500_000

_T = TypeVar("_T")


def read_tcd(path: str | os.PathLike[str], *, close: bool = True) -> Coil:
    """Read a coil from a .tcd file.

    Parameters
    ----------
    path : str or path
        The file.
    close : bool, optional
        Whether open wires are closed, and points that are not at the middles of current elements moved there, with a
        warning that says what was done. False takes everything as it stands, as SimNIBS does; the field of an open wire
        is that of no real coil (see `coils.circuits`), which the warning then says.

    Returns
    -------
    Coil
        With an `assembly`, so that `deform`, `channels` and `driven` work. Deformations, which have no names in the
        file, are called after their kind and number: ``rotation_1``, ``shift_x_2``.

    Raises
    ------
    ValueError
        If the file breaks the format's rules: one sentence with the place in the file.
    OSError
        If it is missing or cannot be read.

    Warns
    -----
    UserWarning
        If wires are open; with the gap in mm and what was done.

    Notes
    -----
    The format: https://simnibs.github.io/coil_model.schema.json. Positions in mm, moments in A m^2, current elements in
    mm, greatest dI/dt in A/s, angles in degrees. Casings turned inside out are turned back,
    triangles that have a corner twice are left out, and equal points are joined where that closes a casing.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "slide.tcd"
    >>> _ = file.write_text('''{"coilElementList": [{"type": 1, "stimulator": 0, "points": [[0, 0, -5]],
    ...     "values": [[0, 0, 0.1]], "deformations": [0]}], "stimulatorList": [{"maxdIdt": 1e8}],
    ...     "deformList": [{"type": "x", "deformRange": 0}], "deformRangeList": [{"initial": 0, "range": [-9, 9]}]}''')
    >>> coil = read_tcd(file)
    >>> coil.deform(shift_x_1=4).positions.tolist()
    [[4.0, 0.0, -5.0]]
    """
    path, _ = existing_file(path, MOST_BYTES)
    raw = path.read_bytes()
    source = f"file {path.name}, SHA-256 {hashlib.sha256(raw).hexdigest()[:12]}"
    assembly = _assembly(parse(raw, path.name), path.name.rsplit(".", 1)[0], source, close)
    for sentence in assembly.open_circuits():
        warnings.warn(f"{path.name}: {sentence}", UserWarning, stacklevel=2)
    try:
        return assembly.coil()
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None


def write_tcd(coil: Coil, path: str | os.PathLike[str]) -> None:
    """Write a coil to a .tcd file that SimNIBS reads.

    Parameters
    ----------
    coil : Coil
        Its assembly if it has one, at its present deformations as initial ones; otherwise its dipoles, current elements
        and grid as one rigid element each. Names of deformations, wires, discretisation error and source have no place
        in the format.
    path : str or path
        Where to; what is there is replaced.

    Raises
    ------
    ValueError
        If a grid is too large for the format.
    OSError
        If the folder is missing or cannot be written.

    Warns
    -----
    UserWarning
        If the handle is not along -y, where every reader of the format takes it to be.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from coils import load_coil
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "magstim.tcd"
    >>> write_tcd(load_coil("magstim-70mm"), file)
    >>> read_tcd(file).checksum == load_coil("magstim-70mm").checksum
    True
    """
    assembly = Assembly.of(coil)
    text = json.dumps(_tree(assembly), allow_nan=False)
    if not np.allclose(assembly.handle, [0.0, -1.0, 0.0], atol=1e-6):
        warnings.warn(
            f"handle of {coil.name} must be along -y to be kept in a .tcd, which has no place for another; got "
            f"{assembly.handle.round(3).tolist()}. Turn the coil first.",
            UserWarning,
            stacklevel=2,
        )
    with replacing(path) as (draft,):
        draft.write_text(text + "\n", encoding="utf-8")


def _assembly(top: Node, stem: str, source: str, close: bool) -> Assembly:
    parts = top.fields(("coilElementList", "stimulatorList"), _TOP)
    stimulators = [_stimulator(node) for node in parts["stimulatorList"].items(1)]
    casings = [_casing(node) for node in parts["coilModels"].items(1)] if "coilModels" in parts else []
    deformations, motions = _deformations(parts)
    elements = [_element(node, len(stimulators), casings, motions) for node in parts["coilElementList"].items(1)]
    casing = casings[parts["coilCasing"].index(len(casings), "coilModels")] if "coilCasing" in parts else None
    groups = parts["selfIntersectionTest"].items(1) if "selfIntersectionTest" in parts else []
    used_motions = {id(motion) for element in elements for motion in element.motions}
    used_casings = {id(casing)} | {id(element.casing) for element in elements}
    limits = [row.numbers(2) for row in parts["limits"].items(3, 3)] if "limits" in parts else None
    resolution = (
        [item.number(positive=True) for item in parts["resolution"].items(3, 3)] if "resolution" in parts else None
    )
    return Assembly(
        name=(parts["name"].text().strip() if "name" in parts else "") or stem,
        elements=tuple(elements),
        deformations=tuple(deformations),
        stimulators=tuple(stimulators),
        casing=casing,
        groups=tuple(tuple(item.index(len(elements) + 1, "the parts") for item in group.items(2)) for group in groups),
        close_circuits=close,
        brand=parts["brand"].text() if "brand" in parts else "",
        version=parts["version"].text() if "version" in parts else "",
        limits=limits,  # type: ignore[arg-type]  # converted there
        resolution=resolution,  # type: ignore[arg-type]  # converted there
        source=source,
        spare_motions=tuple(motion for motion in motions if id(motion) not in used_motions),
        spare_casings=tuple(item for item in casings if id(item) not in used_casings),
    )


def _element(node: Node, n_stimulators: int, casings: list[Casing], motions: list[Motion]) -> Element:
    parts = node.fields(("type", "stimulator"), _ELEMENT)
    kind = parts["type"].number()
    if kind not in (1, 2, 3):
        parts["type"].fail("1 for dipoles, 2 for current elements or 3 for a grid")
    wanted, others = (
        (("data", "affine"), ("points", "values")) if kind == 3 else (("points", "values"), ("data", "affine"))
    )
    for key in wanted:
        if key not in parts:
            node.fail(f"an object with the key {key}, as its type is {kind:g}", f"the keys {', '.join(parts)}")
    for key in others:
        if key in parts:
            parts[key].fail(f"left out, as the element's type is {kind:g}", "a value")
    used = (
        [item.index(len(motions), "deformList") for item in parts["deformations"].items(1)]
        if "deformations" in parts
        else []
    )
    if len(set(used)) < len(used):
        parts["deformations"].fail("different indices, each deformation once", str(used))
    casing = casings[parts["elementCasing"].index(len(casings), "coilModels")] if "elementCasing" in parts else None
    return Element(
        _grid(node, parts) if kind == 3 else _points(parts, kind == 1),
        name=parts["name"].text() if "name" in parts else "",
        stimulator=parts["stimulator"].index(n_stimulators, "stimulatorList"),
        casing=casing,
        motions=tuple(motions[index] for index in used),
    )


def _points(parts: dict[str, Node], dipoles: bool) -> Dipoles | Segments:
    points, values = decode(parts["points"], 3), decode(parts["values"], 3)
    if len(points) != len(values):
        parts["values"].fail(f"one per point, {len(points)}", str(len(values)))
    if not values.any():
        parts["values"].fail("not all zero", "an element without a field")
    return Dipoles(points, values) if dipoles else Segments(points, values)


def _grid(node: Node, parts: dict[str, Node]) -> PotentialGrid:
    affine = np.array([row.numbers(4) for row in parts["affine"].items(4, 4)])
    values = decode_grid(parts["data"])
    with _naming(node):
        return PotentialGrid(values, affine)


def _stimulator(node: Node) -> Stimulator:
    parts = node.fields((), ("name", "brand", "maxdIdt", "waveformList"))
    if not parts:
        node.fail("an object with at least one key", "none")
    return Stimulator(
        name=parts["name"].text() if "name" in parts else "",
        max_didt=parts["maxdIdt"].number(positive=True) if "maxdIdt" in parts else None,
        brand=parts["brand"].text() if "brand" in parts else "",
        waveforms=tuple(_waveform(item) for item in parts["waveformList"].items(1)) if "waveformList" in parts else (),
    )


def _waveform(node: Node) -> Waveform:
    parts = node.fields(("time", "signal"), ("name", "fit"))
    time, signal = (decode(parts[key], None, least=2, bound=_ANY) for key in ("time", "signal"))
    fit = decode(parts["fit"], None, least=2, bound=_ANY) if "fit" in parts else None
    with _naming(node):
        return Waveform(name=parts["name"].text() if "name" in parts else "", time=time, signal=signal, fit=fit)


def _deformations(parts: dict[str, Node]) -> tuple[list[Deformation], list[Motion]]:
    """Return the ranges as named deformations, and the motions that they drive."""
    ranges = parts["deformRangeList"].items(1) if "deformRangeList" in parts else []
    nodes = parts["deformList"].items(1) if "deformList" in parts else []
    drafts = []
    for node in nodes:
        own = node.fields(("type", "deformRange"), ("point1", "point2"))
        kind = own["type"].text()
        if kind not in ("x", "y", "z", "rot2p"):
            own["type"].fail("x, y, z or rot2p")
        axis = [own[key].numbers(3) for key in ("point1", "point2") if key in own]
        if len(axis) != (2 if kind == "rot2p" else 0):
            node.fail("an object with point1 and point2 for rot2p and neither for x, y and z", f"{len(axis)} points")
        if axis and axis[0] == axis[1]:
            node.fail("an object with two different points", f"{axis[0]} twice")
        drafts.append((own["deformRange"].index(len(ranges), "deformRangeList"), kind, axis))
    deformations = []
    for number, node in enumerate(ranges):
        kinds = [kind for index, kind, _ in drafts if index == number]
        name = "unused" if not kinds else "rotation" if kinds[0] == "rot2p" else f"shift_{kinds[0]}"
        own = node.fields(("initial", "range"))
        least, greatest = own["range"].numbers(2)
        initial = own["initial"].number()
        if least > greatest:
            own["range"].fail("ascending, least and greatest value")
        if not least <= initial <= greatest:
            own["initial"].fail(f"from {least:g} to {greatest:g}, its range")
        deformations.append(Deformation(f"{name}_{number + 1}", (least, greatest), initial))
    motions = [
        Motion(deformations[index].name, "rotation" if axis else kind, axis=np.array(axis) if axis else None)
        for index, kind, axis in drafts
    ]
    return deformations, motions


def _casing(node: Node) -> Casing:
    parts = node.fields(("points", "faces"), ("minDistancePoints", "intersectPoints"))
    points = decode(parts["points"], 3, least=3)
    surface = mended(points, indices(parts["faces"], len(points)).astype(np.int32))
    if not surface.is_closed:
        node.fail("a closed surface", "one with open or doubly used edges", "Fill its holes (trimesh, MeshLab).")
    if surface.volume < 0.0:
        surface = Surface(surface.vertices, surface.triangles[:, ::-1])
    kept = (decode(parts[key], 3) if key in parts else None for key in ("minDistancePoints", "intersectPoints"))
    with _naming(node):
        return Casing(surface, *kept)


@contextmanager
def _naming(node: Node) -> Iterator[None]:
    """Put the place in the file before the sentence of a class that does not know it."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{node.label}: {error}") from None


def _unique(items: Iterable[_T]) -> list[_T]:
    """Return each object once, in the order of the first use."""
    return list({id(item): item for item in items}.values())


def _tree(assembly: Assembly) -> dict[str, Any]:
    """Return what `json` writes: required keys always, others only where there is something to say."""
    own = [element.casing for element in assembly.elements]
    casings = _unique(item for item in (assembly.casing, *own, *assembly.spare_casings) if item is not None)
    motions = _unique([m for element in assembly.elements for m in element.motions] + list(assembly.spare_motions))
    case = {id(item): index for index, item in enumerate(casings)}
    move = {id(item): index for index, item in enumerate(motions)}
    ranges = {deformation.name: index for index, deformation in enumerate(assembly.deformations)}
    tree: dict[str, Any] = {
        "name": assembly.name,
        "brand": assembly.brand,
        "version": assembly.version,
        "limits": None if assembly.limits is None else assembly.limits.tolist(),
        "resolution": None if assembly.resolution is None else assembly.resolution.tolist(),
        "coilCasing": None if assembly.casing is None else case[id(assembly.casing)],
        "coilElementList": [_element_tree(element, case, move, assembly.name) for element in assembly.elements],
        "stimulatorList": [_stimulator_tree(stimulator) for stimulator in assembly.stimulators],
        "deformList": [_motion_tree(motion, ranges) for motion in motions],
        "deformRangeList": [{"initial": d.value, "range": list(d.range)} for d in assembly.deformations],
        "coilModels": [_casing_tree(casing) for casing in casings],
        "selfIntersectionTest": [list(group) for group in assembly.groups],
    }
    return _said(tree)


def _said(tree: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is None, empty text or empty list; the schema allows none of these as a value of optional keys."""
    return {key: value for key, value in tree.items() if value is not None and value != "" and value != []}


def _element_tree(element: Element, case: dict[int, int], move: dict[int, int], name: str) -> dict[str, Any]:
    sources = element.sources
    tree = {
        "name": element.name,
        "stimulator": element.stimulator,
        "elementCasing": None if element.casing is None else case[id(element.casing)],
        "deformations": [move[id(motion)] for motion in element.motions],
    }
    if isinstance(sources, PotentialGrid):
        nodes = int(np.prod(sources.shape))
        if nodes > _MOST_NODES:
            raise ValueError(
                f"grids of {name} must have at most {_MOST_NODES:,} nodes in a .tcd; got {nodes:,}. Write a .nii.gz."
            )
        return _said(tree | {"type": 3, "data": sources.values.tolist(), "affine": sources.affine.tolist()})
    if isinstance(sources, Dipoles):
        return _said(tree | {"type": 1, "points": encode(sources.positions), "values": encode(sources.moments)})
    return _said(tree | {"type": 2, "points": encode(sources.points), "values": encode(sources.vectors)})


def _stimulator_tree(stimulator: Stimulator) -> dict[str, Any]:
    waveforms = [
        _said(
            {
                "name": waveform.name,
                "time": encode(waveform.time),
                "signal": encode(waveform.signal),
                "fit": None if waveform.fit is None else encode(waveform.fit),
            }
        )
        for waveform in stimulator.waveforms
    ]
    tree = {"brand": stimulator.brand, "maxdIdt": stimulator.max_didt, "waveformList": waveforms}
    # The name always, as an empty object is no stimulator.
    return {"name": stimulator.name} | _said(tree)


def _motion_tree(motion: Motion, ranges: dict[str, int]) -> dict[str, Any]:
    tree: dict[str, Any] = {"deformRange": ranges[motion.deformation]}
    if motion.axis is None:
        return tree | {"type": motion.kind}
    return tree | {"type": "rot2p", "point1": motion.axis[0].tolist(), "point2": motion.axis[1].tolist()}


def _casing_tree(casing: Casing) -> dict[str, Any]:
    tree = {
        "points": encode(casing.surface.vertices),
        "faces": encode(casing.surface.triangles.astype(np.int64)),
        "minDistancePoints": None if casing.distance_points is None else encode(casing.distance_points),
        "intersectPoints": None if casing.intersection_points is None else encode(casing.intersection_points),
    }
    return _said(tree)
