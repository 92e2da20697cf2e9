"""Put a lesion into a head: it takes the place of grey and white matter inside a closed surface."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from meshes import arrays
from meshes.arrays import FloatArray
from meshes.checks import check_crossings, check_surface, winding_numbers
from meshes.conductivities import head_tissues
from meshes.head import HeadModel, Interface
from meshes.lesions.complexes import Complex, Part, soup
from meshes.lesions.cortex import without_cortex
from meshes.lesions.cutting import Pieces, cut_solid
from meshes.lesions.shapes import ellipsoid, mask_surface, read_mask
from meshes.surface import Surface
from meshes.tissues import TISSUES

__all__ = ["LesionLike", "insert_lesion", "lesion_surface", "refined_around"]

IndexArray = npt.NDArray[np.int64]

LesionLike = Surface | str | os.PathLike[str] | tuple[npt.ArrayLike, npt.ArrayLike]
"""A closed surface (mm), the path of a mask volume, or a mask's values and its affine map (voxels to mm)."""

_LEAST = 0.1
"""Share of a surface's area that a lesion must leave."""

_SHORTEST = 0.4
"""Edges below this share of the lesion's may collapse where triangles are thin."""

_LEAST_RADIUS = 0.2
"""Least radius of a lesion (mm): less is taken for metres."""

_EDGE = 2.0
"""Edge of a lesion's surface by default (mm), where its smallest radius is 10 mm or more; else a fifth of that."""


def lesion_surface(
    region: LesionLike | None,
    *,
    centre: npt.ArrayLike | None = None,
    radius: float | None = None,
    radii: npt.ArrayLike | None = None,
    rotation: npt.ArrayLike | None = None,
    threshold: float = 0.5,
    smooth: float | None = None,
    edge: float | None = None,
    name: str = "lesion",
) -> Surface:
    """Return the closed surface of a lesion; see `meshes.HeadModel.with_lesion` for the arguments.

    Raises
    ------
    ValueError
        If not exactly one of `region`, `radius` and `radii` is given, or what is given is no closed surface.
    """
    given = [what for what, value in (("region", region), ("radius", radius), ("radii", radii)) if value is not None]
    if len(given) != 1 or (region is None) != (centre is not None) or (radii is None and rotation is not None):
        raise ValueError(
            "A lesion must be one of: a surface or a mask; centre and radius; centre, radii and perhaps rotation; got "
            f"{', '.join(given + ['centre'] * (centre is not None) + ['rotation'] * (rotation is not None)) or 'none'}."
        )
    if region is None:
        assert centre is not None
        # One of the two is given, as was checked above.
        size: npt.ArrayLike = arrays.positive(radius, "radius") if radius is not None else radii  # type: ignore[assignment]
        if _is_numbers(size) and 0.0 < float(np.min(np.asarray(size, dtype=np.float64))) < _LEAST_RADIUS:
            raise ValueError(f"{given[0]} must be {_LEAST_RADIUS:g} mm or more; got {size!r}. Is it in metres?")
        finest = 0.2 * float(np.min(np.asarray(size, dtype=np.float64))) if _is_numbers(size) else _EDGE
        return ellipsoid(
            centre, size, rotation=rotation, edge=min(_EDGE, max(finest, 1e-3)) if edge is None else edge, name=name
        )
    if isinstance(region, Surface):
        check_surface(region)
        check_crossings([region])
        return Surface(region.vertices, region.triangles, name)
    values, affine = read_mask(region) if isinstance(region, (str, os.PathLike)) else _pair(region)
    return mask_surface(
        values, affine, edge=_EDGE if edge is None else edge, threshold=threshold, smooth=smooth, name=name
    )


def _is_numbers(value: npt.ArrayLike) -> bool:
    array = np.asarray(value)
    return array.dtype.kind in "iuf" and array.size > 0 and bool(np.isfinite(array).all())


def _pair(region: object) -> tuple[npt.ArrayLike, npt.ArrayLike]:
    if isinstance(region, tuple) and len(region) == 2:
        return region
    raise TypeError(
        "region must be a meshes.Surface, the path of a mask, or a mask's values and its affine map; got "
        f"{type(region).__name__}."
    )


def insert_lesion(
    head: HeadModel,
    lesion: Surface,
    *,
    conductivity: float | str = "csf",
    tissues: Sequence[str | float] = ("grey", "white"),
    edge: float | None = None,
    margin: float = 1.0,
) -> HeadModel:
    """Return a head in which a lesion takes the place of some tissues inside a closed surface.

    Parameters
    ----------
    head : HeadModel
        The head; it may have lesions already.
    lesion : Surface
        Closed and outward (mm).
    conductivity : float or str, optional
        Of the lesion (S/m), or a tissue whose conductivity it has.
    tissues : sequence of str or float, optional
        What it takes the place of: tissues of the head, or conductivities (S/m).
    edge : float, optional
        The head's edges around the lesion are halved until they are at most one and a half times as long (mm); by
        default the lesion's mean edge.
    margin : float, optional
        Cortex nearer to the lesion than this is dropped (mm).

    Returns
    -------
    HeadModel
        With one interface more, unless the lesion conducts as what is around it. Surfaces that it cuts are open: they
        end on its wall.

    Raises
    ------
    ValueError
        If the lesion lies in none of the tissues, leaves less than a tenth of a surface or no cortex, or a value is out
        of range.

    Notes
    -----
    The region of each tissue is cut by the lesion's surface (manifold3d). What is left of its boundary outside stays;
    inside, the lesion's conductivity takes the place of the tissue's; and the lesion's surface inside the region is the
    wall between the two. Triangles with the same conductivity on both sides are dropped: a lesion like CSF that reaches
    the pial surface and the CSF outside are one. Thin triangles along the cut are mended (`meshes.lesions.tidy`).
    """
    sigma, replaced = _conductivity(head, conductivity), _replaced(head, tissues)
    margin = arrays.non_negative(margin, "margin")
    if any(interface.name == lesion.name for interface in head.interfaces):
        raise ValueError(
            f"name must be new to the head; got {lesion.name!r}, which is one of its surfaces. Pass another name."
        )
    edge = lesion.mean_edge if edge is None else arrays.positive(edge, "edge")
    number = len(head.interfaces)
    whole = Complex.of(head.interfaces).split_near(lesion, replaced, edge)
    cut = _cut(whole, lesion, replaced, sigma, number)
    if not any(cut.volumes):
        raise ValueError(_where(head, lesion, replaced))
    _check_left(head, whole, cut, replaced)
    cortex = without_cortex(head, lesion, cut.wall, margin)
    result = cut.result.tidied(cut.fresh, _SHORTEST * edge) if cut.fresh.any() else cut.result
    interfaces = result.interfaces(head.interfaces, [*(i.name for i in head.interfaces), lesion.name])
    last = interfaces[-1]
    if (
        last.name == lesion.name
        and not cut.fresh.any()
        and last.is_uniform
        and len(last.surface.triangles) == len(lesion.triangles)
    ):
        interfaces = (*interfaces[:-1], Interface(lesion, last.sigma_inside, last.sigma_outside))  # its own order
    _tell_losses(lesion.name, cortex.losses, margin)
    return replace(
        head,
        interfaces=interfaces,
        cortex=cortex.surface,
        regions=cortex.regions,
        targets=cortex.targets,
        provenance=_provenance(head, lesion, sigma, dict(zip(replaced, cut.volumes, strict=True)), cortex.losses),
    )


def refined_around(
    head: HeadModel, lesion: Surface, *, tissues: Sequence[str | float] = ("grey", "white"), edge: float | None = None
) -> HeadModel:
    """Return the head without the lesion, on triangles as fine as with it: for comparisons.

    Parameters
    ----------
    head, lesion, tissues, edge
        See `insert_lesion`.

    Returns
    -------
    HeadModel
        The same surfaces, where triangles near the lesion are split.
    """
    length = lesion.mean_edge if edge is None else arrays.positive(edge, "edge")
    finer = Complex.of(head.interfaces).split_near(lesion, _replaced(head, tissues), length)
    return replace(
        head, interfaces=finer.interfaces(head.interfaces, [interface.name for interface in head.interfaces])
    )


class _Cut(NamedTuple):
    """A head's complex with a lesion in it.

    Attributes
    ----------
    result : Complex
        The triangles as cut.
    fresh : ndarray of bool, shape (n_points,)
        Points of triangles that were cut and of the wall; none if no surface was cut.
    wall : Surface
        The lesion's surface inside the tissues.
    volumes : list of float
        What it takes of each tissue (mm^3).
    inside : ndarray, shape (n_triangles,)
        Area of each triangle of the head that lies in the lesion (mm^2).
    """

    result: Complex
    fresh: npt.NDArray[np.bool_]
    wall: Surface
    volumes: list[float]
    inside: FloatArray


def _cut(whole: Complex, lesion: Surface, replaced: Sequence[float], sigma: float, number: int) -> _Cut:
    """Put the lesion, with the given conductivity and number of interface, into a head's complex."""
    done = np.zeros(len(whole.triangles), dtype=np.bool_)
    inside = np.zeros(len(done))
    found: list[Part] = [Part.none()]
    walls: list[Part] = [Part.none()]
    volumes = []
    split = False
    for tissue in replaced:
        solid, row = whole.region(tissue)
        cut = cut_solid(solid, lesion)
        volumes.append(cut.volume)
        touched = np.zeros(len(row), dtype=np.bool_)
        touched[cut.inside.parent] = True
        # A triangle between two of the tissues is cut with the first.
        new = touched & ~done[row]
        turned = whole.sigmas[row, 0] != tissue
        outer, inner = (_part(whole, row, turned, pieces, new) for pieces in (cut.outside, cut.inside))
        np.add.at(inside, row[cut.inside.parent[new[cut.inside.parent]]], soup(inner.corners).areas)
        split |= bool(len(outer.corners))
        found += [outer, inner._replace(sigmas=np.where(np.isin(inner.sigmas, replaced), sigma, inner.sigmas))]
        count = len(cut.wall.corners)
        walls.append(Part(cut.wall.corners, np.full(count, number), np.tile([sigma, tissue], (count, 1))))
        done[row[touched]] = True
    result, new = whole.kept(~done).with_parts(found + walls)
    fresh = np.zeros(len(result.points), dtype=np.bool_)
    if split:
        fresh[result.triangles[new]] = True
    wall = soup(np.concatenate([part.corners for part in walls]))
    return _Cut(result.kept(result.sigmas[:, 0] != result.sigmas[:, 1]), fresh, wall, volumes, inside)


def _part(
    whole: Complex, row: IndexArray, turned: npt.NDArray[np.bool_], pieces: Pieces, wanted: npt.NDArray[np.bool_]
) -> Part:
    """Return the pieces of the wanted triangles of a region's boundary, which are triangles `row` of the complex."""
    mine = wanted[pieces.parent]
    parent, corners = pieces.parent[mine], pieces.corners[mine]
    corners = np.where(turned[parent][:, None, None], corners[:, ::-1], corners)
    return Part(corners, whole.owner[row[parent]], whole.sigmas[row[parent]])


def _conductivity(head: HeadModel, value: float | str) -> float:
    if not isinstance(value, str):
        return arrays.positive(value, "conductivity")
    own = head_tissues(head)
    if value in own:
        return arrays.positive(own[value], "conductivity")
    table = {name: tissue.conductivity for name, tissue in TISSUES.items() if tissue.conductivity > 0.0}
    return table[arrays.choice(value, "conductivity", dict.fromkeys([*own, *table]))]


def _replaced(head: HeadModel, tissues: Sequence[str | float]) -> list[float]:
    """Return the conductivities of the tissues that a lesion takes the place of."""
    own = head_tissues(head)
    known = np.unique(np.concatenate([interface.sigmas for interface in head.interfaces]))
    found = {}
    for tissue in [tissues] if isinstance(tissues, str) else list(tissues):
        if isinstance(tissue, str):
            if tissue in own:
                found[tissue] = own[tissue]
            elif tissue not in TISSUES:
                arrays.choice(tissue, "tissue in tissues", own)
        elif arrays.positive(tissue, "tissue in tissues") in known:
            found[f"{tissue:g} S/m"] = float(tissue)
        else:
            values = ", ".join(f"{value:g}" for value in known if value > 0.0)
            raise ValueError(f"tissue in tissues must be a conductivity in the head, {values} S/m; got {tissue:g}.")
    if not found:
        raise ValueError(
            f"tissues must name tissues of {head.name!r}, {', '.join(own) or 'which names none'}; got {tissues!r}. "
            "Give conductivities (S/m) where a head has no names."
        )
    lesions = json.loads(head.provenance.get("lesions", "{}"))
    asked = {value for name, value in found.items() if name in own}
    for name, value in own.items():
        if value in asked and name not in found and name not in lesions:
            raise ValueError(
                f"tissues must conduct unlike those that the lesion leaves; got {name} with {value:g} S/m. Change one "
                "a little with meshes.with_conductivities, or name both."
            )
    return list(dict.fromkeys(found.values()))


def _where(head: HeadModel, lesion: Surface, replaced: Sequence[float]) -> str:
    """Return the sentence for a lesion that takes nothing."""
    import igl

    names = {value: name for name, value in head_tissues(head).items()}
    whole = Complex.of(head.interfaces)
    near = np.inf
    for tissue in replaced:
        solid = whole.region(tissue)[0]
        squared = igl.point_mesh_squared_distance(lesion.vertices, solid.vertices, solid.triangles.astype(np.int64))[0]
        near = min(near, float(np.sqrt(squared.min())))
    middle = lesion.centroids[:1]
    place = "outside the head"
    for value in np.unique(whole.sigmas[whole.sigmas > 0.0]).tolist():
        if winding_numbers(middle, whole.region(value)[0])[0] > 0.5:
            place = f"in {names.get(value, f'the tissue of {value:g} S/m')}"
    centre = ", ".join(f"{value:.1f}" for value in np.average(lesion.centroids, axis=0, weights=lesion.areas))
    wanted = " or ".join(names.get(value, f"{value:g} S/m") for value in replaced)
    return (
        f"{lesion.name} must reach into {wanted}; got one around ({centre}) mm, {place}, {near:.1f} mm away from it. "
        "Positions are in the head's own space, millimetres, RAS; a mask comes with the affine map of its own image."
    )


def _check_left(head: HeadModel, whole: Complex, cut: _Cut, replaced: Sequence[float]) -> None:
    """Raise if a surface around a replaced tissue is all but swallowed."""
    areas = soup(whole.corners).areas
    for number, interface in enumerate(head.interfaces):
        mine = (whole.owner == number) & np.isin(whole.sigmas[:, 0], replaced)
        share = float(cut.inside[mine].sum() / max(areas[mine].sum(), 1e-300))
        if share > 1.0 - _LEAST:
            raise ValueError(
                f"The lesion must leave a tenth of each surface at least; got one that takes {share:.0%} of "
                f"{interface.name}. Check units (mm) and frame, or leave that surface out of the head."
            )


def _tell_losses(name: str, losses: dict[str, float], margin: float) -> None:
    if not losses:
        return
    listed = ", ".join(f"{region} {share:.1%}" for region, share in sorted(losses.items()))
    warnings.warn(
        f"{name} takes cortex of named regions (in it, or within {margin:g} mm of it): {listed}. A target there lies "
        "on what is left; a region that is lost whole is no target any more.",
        stacklevel=4,
    )


def _provenance(
    head: HeadModel, lesion: Surface, sigma: float, volumes: dict[float, float], losses: dict[str, float]
) -> dict[str, str]:
    """Return a head's provenance with what the lesion is."""
    names = {value: name for name, value in head_tissues(head).items()}
    lesions = json.loads(head.provenance.get("lesions", "{}"))
    lesions[lesion.name] = {
        "conductivity (S/m)": sigma,
        "centre (mm)": np.round(np.average(lesion.centroids, axis=0, weights=lesion.areas), 2).tolist(),
        "volume (mm3)": {names.get(value, f"{value:g} S/m"): round(volume, 1) for value, volume in volumes.items()},
        "regions lost": {region: round(share, 3) for region, share in losses.items()},
    }
    added = {"lesions": json.dumps(lesions)}
    if head.provenance.get("tissues"):
        tissues = json.loads(head.provenance["tissues"])
        tissues[lesion.name] = [sigma, "lesion"]
        added["tissues"] = json.dumps(tissues)
        line = head.provenance.get("conductivities", "").removesuffix(" S/m")
        added["conductivities"] = f"{line}, {lesion.name} {sigma!r} (lesion) S/m"
    return {**head.provenance, **added}
