"""Judge what was measured of a head's surfaces: ok, worth a look, or a failure, each with its criterion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from meshes.checks import winding_numbers
from meshes.measures import Place, Spot, SurfaceMeasures, say_place
from meshes.neighbours import PairMeasures
from meshes.surface import Surface

if TYPE_CHECKING:
    from meshes.files.parts import Parts
    from meshes.report import Criteria

__all__ = ["Line", "of_cortex", "of_head", "of_pair", "of_surface"]

# Check, verdict, what was found, the criterion, and the number and the place, if there are.
Line = tuple[str, Literal["ok", "warn", "fail"], str, str, float | None, Place | None]

# Error of E (%) a few mm below a layer, per longest edge over gap, as measured: see meshes.report.inspect.
_COST = 0.03
# The largest extent of an adult's or a child's head with or without a neck, generously (mm).
_HEAD_EXTENT = (90.0, 450.0)
# Conductivities of tissues, generously (S/m): dry bone to blood serum and saline.
_SIGMA = (0.001, 3.0)


def of_surface(one: SurfaceMeasures, *, touching: bool, aspect: float) -> list[Line]:
    """Judge one surface.

    Parameters
    ----------
    one : SurfaceMeasures
        What was measured.
    touching : bool
        Whether surfaces may be open, as tissues touch.
    aspect : float
        Longest edge over shortest height that 99.9 % of the triangles should stay below.
    """
    if touching:
        found = f"{one.open_edges.count} edges with one triangle, {one.crowded_edges.count} with more than two"
        want = "each region of one conductivity is closed, as the head was checked for when it was made"
        lines = [_line("closed", "ok", found, want, one.open_edges.count, one.open_edges.place)]
    else:
        lines = [
            _count("closed", one.open_edges, "no edge with one triangle only; fill the holes", "open edges"),
            _count("sheets", one.crowded_edges, "no edge with more than two triangles; part what touches", "crowded"),
            _count("orientation", one.turned_edges, "neighbours turned the same way", "edges between turned triangles"),
        ]
    if one.n_triangles < 4:
        lines.append(
            _line("triangles", "fail", str(one.n_triangles), "at least 4, to enclose a volume", one.n_triangles)
        )
    if one.is_closed:
        fix = "normals outwards, volume positive; in a hollow inwards; exchange two columns of the triangles"
        lines.append(_count("outward", one.inward_pieces, fix, "pieces turned inside out"))
    if one.pieces > 1:
        lines.append(_line("pieces", "warn", f"{one.pieces} pieces", "one, unless more are meant", one.pieces))
    if one.genus is not None:
        verdict: Literal["ok", "warn"] = "warn" if one.genus else "ok"
        lines.append(_line("genus", verdict, f"{one.genus} handles", "none: tissues' outsides are balls", one.genus))
    lines += [
        _count("flat triangles", one.flat_triangles, "each triangle has an area; collapse the short edges", "flat"),
        _count("double triangles", one.double_triangles, "each triangle once", "doubled"),
        _count("double vertices", one.double_vertices, "each place once; merge them", "doubled", bad="warn"),
        _count("spare vertices", one.unused_vertices, "each vertex in a triangle; drop the others", "in no triangle"),
        _count("self crossing", one.crossings, "no triangle cuts another of the surface; meshes.repair", "triangles"),
    ]
    median, most, worst = one.aspect
    found = f"median {median:.2f}, 99.9 % {most:.1f}, worst {worst:.1f}"
    if one.aspect_place is not None and most >= aspect:
        found += f" at {say_place(one.aspect_place)}"
    want = f"longest edge / shortest height below {aspect:g} for 99.9 % of the triangles"
    lines.append(_line("aspect", "ok" if most < aspect else "warn", found, want, most, one.aspect_place))
    return lines


def of_pair(pair: PairMeasures, criteria: Criteria, between: float | None) -> list[Line]:
    """Judge two neighbouring surfaces.

    Parameters
    ----------
    pair : PairMeasures
        What was measured.
    criteria : Criteria
        Limits.
    between : float or None
        Conductivity between the two (S/m), if it is known.
    """
    found = f"{pair.crossings} pairs of triangles" if not pair.crossings.count else _spot_text(pair.crossings, "pairs")
    if pair.overlap:
        found += f", {pair.overlap:.2f} mm deep at most"
    verdict: Literal["ok", "warn", "fail"] = "fail" if pair.crossings.count else "ok"
    want = "the two do not cross or touch; meshes.repair"
    lines = [_line("crossing", verdict, found, want, pair.crossings.count, pair.crossings.place)]
    if pair.touching:
        return [_line("gap", "ok", "they touch", "tissues may touch along lines they share")]
    if pair.crossings.count:
        return lines
    # More conducting than any other tissue: between brain and skull that is CSF.
    is_csf = pair.nested and (
        ("inner_skull" in pair.outer and "white" not in pair.inner) if between is None else between > 1.0
    )
    limit = criteria.csf if is_csf else criteria.gap
    text = f"{pair.gap:.2f} mm" + (f" at {say_place(pair.gap_place)}" if pair.gap_place else "")
    lines.append(
        _line(
            "gap",
            "ok" if pair.gap >= limit * (1.0 - 1e-3) else "warn",
            text,
            f"at least {limit:g} mm",
            pair.gap,
            pair.gap_place,
        )
    )
    coarse = pair.coarse > criteria.coarse
    text = f"{100.0 * pair.coarse:.1f} % of the area too coarse, worst {pair.ratio:.1f} times the gap"
    if coarse and pair.ratio_place:
        text += f" at {say_place(pair.ratio_place)}: on spheres that costs {_COST * pair.ratio:.1f} % of E; "
        text += f"{pair.extra_triangles} more triangles would do"
    want = f"longest edge at most {criteria.resolution:g} gaps for {100.0 - 100.0 * criteria.coarse:g} % of the area"
    lines.append(_line("resolution", "warn" if coarse else "ok", text, want, pair.ratio, pair.ratio_place))
    return lines


def of_cortex(
    one: SurfaceMeasures, cortex: Surface, surfaces: Sequence[Surface], parents: Sequence[int | None]
) -> list[Line]:
    """Judge the cortex, which carries no charges: it may be open, but lies in the head and faces outwards."""
    lines = [_count("self crossing", one.crossings, "no triangle cuts another", "triangles", bad="warn")]
    outermost = [s for s, parent in zip(surfaces, parents, strict=True) if parent is None and len(s.triangles)]
    inside = np.zeros(len(cortex.vertices), dtype=np.bool_)
    for surface in outermost:
        inside |= np.abs(winding_numbers(cortex.vertices, surface)) > 0.5
    out = np.flatnonzero(~inside)
    # A row of an array has three numbers, which the type checker cannot see.
    spot = Spot(len(out), None if not len(out) else tuple(map(float, cortex.vertices[out[0]])))  # type: ignore[arg-type]
    lines.append(_count("inside", spot, "all vertices in the head; same unit and frame", "vertices outside"))
    if one.is_closed:
        turned = Spot(int(one.volume < 0.0))
        lines.append(_count("outward", turned, "normals out of the brain", "turned inside out"))
    return lines


def of_head(parts: Parts, measured: Sequence[SurfaceMeasures], parents: Sequence[int | None]) -> list[Line]:
    """Judge the head as a whole: whether it is one, units, sides, nesting, conductivities."""
    lines = []
    if parts.refused:
        lines.append(_line("a head", "fail", parts.refused.rstrip("."), "meshes.read_head takes it"))
    lines += [_units(parts, measured), *_sides(parts, measured)]
    if not parts.touching:
        lines += _nesting(parts, measured, parents)
    if any(side is not None for sides in parts.sigmas for side in sides):
        lines.append(_conductivities(parts, measured))
    return lines


def _units(parts: Parts, measured: Sequence[SurfaceMeasures]) -> Line:
    size = max(max(one.extent) for one in measured)
    sizes = [max(one.extent) for one in measured if max(one.extent) > 0.0]
    found = f"extent {size:.4g} mm"
    low, high = _HEAD_EXTENT
    want = f"mm: a head's extent is {low:g} to {high:g}"
    if sizes and min(sizes) < size / 200.0:
        small = min((one for one in measured if max(one.extent) > 0.0), key=lambda one: max(one.extent))
        text = f"{small.name} is {size / max(small.extent):.0f} times smaller than the largest: another unit?"
        return _line("unit", "fail", text, "all surfaces in mm", size)
    if low <= size <= high:
        return _line("unit", "ok", found, want, size)
    for unit, scale in (("m", 1e3), ("cm", 10.0), ("um", 1e-3)):
        if low <= scale * size <= high and (parts.is_head or unit == "m"):
            verdict: Literal["warn", "fail"] = "fail" if unit != "cm" else "warn"
            return _line("unit", verdict, f"{found}: these are {unit}", f"{want}; multiply by {scale:g}", size)
    return _line("unit", "warn", found, want, size)


def _sides(parts: Parts, measured: Sequence[SurfaceMeasures]) -> list[Line]:
    """Look for exchanged sides: hemispheres by name, and fiducials; and for surfaces all turned inside out."""
    want = "x to the right, y to the front (RAS); mirrored or LPS positions exchange the sides"
    lines = []
    lefts = [one for one in measured if _side_of(one.name) == "left"]
    rights = [one for one in measured if _side_of(one.name) == "right"]
    if lefts and rights:
        across = float(np.mean([r.centre[0] for r in rights]) - np.mean([one.centre[0] for one in lefts]))
        text = f"right hemisphere {across:.0f} mm to the right of the left one"
        lines.append(_line("sides", "ok" if across > 0.0 else "fail", text, want, across))
    closed = [one for one in measured if one.is_closed and not one.turned_edges.count]
    if closed and all(one.volume < 0.0 for one in closed):
        fix = "volumes positive; all negative ones come from a mirrored (left-handed) affine map"
        lines.append(_line("handedness", "fail", f"all {len(closed)} volumes negative", fix, -float(len(closed))))
    points = parts.fiducials
    if "lpa" in points and "rpa" in points:
        across = float(points["rpa"][0] - points["lpa"][0])
        text = f"rpa {across:.0f} mm to the right of lpa"
        lines.append(_line("fiducials", "ok" if across > 0.0 else "fail", text, want, across))
    if "nasion" in points and "inion" in points:
        along = float(points["nasion"][1] - points["inion"][1])
        text = f"nasion {along:.0f} mm in front of inion"
        lines.append(_line("fiducials", "ok" if along > 0.0 else "fail", text, want, along))
    return lines


def _side_of(name: str) -> str:
    words = name.lower().replace(".", "_").replace("-", "_").split("_")
    return "left" if {"lh", "left"} & set(words) else "right" if {"rh", "right"} & set(words) else ""


def _nesting(parts: Parts, measured: Sequence[SurfaceMeasures], parents: Sequence[int | None]) -> list[Line]:
    """Judge that one surface encloses all others, and the conductivities on the sides of each that lies in another."""
    roots = [one.name for one, parent in zip(measured, parents, strict=True) if parent is None]
    verdict: Literal["ok", "warn", "fail"] = "ok" if len(roots) == 1 else "fail" if parts.is_head else "warn"
    text = f"{len(roots)} outermost: {', '.join(roots)}"
    lines = [_line("nesting", verdict, text, "one surface, the scalp, encloses the others", float(len(roots)))]
    for (_, outside), one, parent in zip(parts.sigmas, measured, parents, strict=True):
        inside = None if parent is None else parts.sigmas[parent][0]
        if parent is None or not isinstance(outside, float) or not isinstance(inside, float):
            continue
        if abs(outside - inside) > 1e-9 * inside:
            text = f"{one.name} has {outside:g} S/m outside, {measured[parent].name} around it {inside:g} S/m inside"
            lines.append(_line("tissues", "fail", text, "the same tissue on both; or another order of surfaces"))
    return lines


def _conductivities(parts: Parts, measured: Sequence[SurfaceMeasures]) -> Line:
    values: list[tuple[str, Any]] = [
        (one.name, side)
        for sides, one in zip(parts.sigmas, measured, strict=True)
        for side in sides
        if side is not None
    ]
    low, high = _SIGMA
    odd = [(name, float(s)) for name, side in values for s in np.unique(side) if s != 0.0 and not low <= s <= high]
    known = sorted({float(s) for _, side in values for s in np.unique(side)})
    text = "S/m: " + ", ".join(f"{sigma:.4g}" for sigma in known)
    if odd:
        text += f"; {odd[0][1]:g} at {odd[0][0]}"
    return _line("conductivities", "warn" if odd else "ok", text, f"{low:g} to {high:g} S/m, 0 for air")


def _count(check: str, spot: Spot, want: str, what: str, *, bad: Literal["ok", "warn", "fail"] = "fail") -> Line:
    """Judge a number that should be zero."""
    return _line(check, bad if spot.count else "ok", _spot_text(spot, what), want, spot.count, spot.place)


def _spot_text(spot: Spot, what: str) -> str:
    return f"{spot.count} {what}" + (f", first at {say_place(spot.place)}" if spot.place else "")


def _line(
    check: str,
    verdict: Literal["ok", "warn", "fail"],
    found: str,
    want: str,
    value: float | None = None,
    place: Place | None = None,
) -> Line:
    return check, verdict, found, want, None if value is None else float(value), place
