"""Put a head together from surfaces with the tissues on their sides: names, order, cortex."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from meshes.arrays import FloatArray
from meshes.checks import check_crossings, check_surface, crossing_pairs, winding_numbers
from meshes.files.boundaries import AIR, Boundary
from meshes.files.surfaces import joined, read_surface
from meshes.head import HeadModel, Interface
from meshes.spheres import CORTEX_DEPTH
from meshes.surface import Surface
from meshes.tissues import ConductivitiesLike, conductivity_provenance, conductivity_table
from meshes.touching import touching_interfaces, union_boundary

__all__ = [
    "NAMES",
    "CortexLike",
    "PathLike",
    "assembled_head",
    "check_size",
    "existing_file",
    "read_cortex",
    "repaired",
]

PathLike = str | os.PathLike[str]
CortexLike = Surface | PathLike | Sequence[PathLike]

# How large a head may be (mm): phantoms and animals too, but no head in metres.
_SMALLEST, _SMALLEST_PIECE, _LARGEST = 5.0, 0.5, 1000.0
# What surfaces are called, by the tissues inside and outside; others are called INSIDE_in_OUTSIDE.
NAMES = {
    ("scalp", AIR): "scalp",
    ("skull", "scalp"): "outer_skull",
    ("csf", "skull"): "inner_skull",
    ("brain", "skull"): "inner_skull",
    ("grey", "csf"): "pial",
    ("white", "grey"): "white",
}


def read_cortex(cortex: CortexLike, folder: Path, unit: Any) -> Surface:
    """Return the cortex from a surface, a file or several files; `folder` is what their paths are relative to."""
    if isinstance(cortex, Surface):
        return Surface(cortex.vertices, cortex.triangles, "cortex")
    files = [cortex] if isinstance(cortex, (str, os.PathLike)) else list(cortex)
    if not files:
        raise ValueError("cortex must name one or more files; got none.")
    return joined([read_surface(existing_file(folder / file, "cortex"), unit=unit) for file in files], "cortex")


def existing_file(file: Path, key: str) -> Path:
    """Return the path of a file; raise `FileNotFoundError` with the key that names it if there is none."""
    if not file.is_file():
        raise FileNotFoundError(f"{key} must name a file that exists; got {str(file)!r}.")
    return file


def assembled_head(
    name: str,
    boundaries: Sequence[Boundary],
    conductivities: ConductivitiesLike | None,
    *,
    own: Mapping[str, float] | None = None,
    cortex: tuple[Surface, str] | None,
    provenance: Mapping[str, str],
    fiducials: Mapping[str, Any] | None = None,
    repair: bool = False,
) -> HeadModel:
    """Return a head with its surfaces named, checked and ordered from outside inwards.

    Parameters
    ----------
    name : str
        Name of the head.
    boundaries : sequence of Boundary
        Its surfaces, in any order.
    conductivities : str, mapping of str to float, ConductivityTable or None
        What the caller wants; see `meshes.tissues.conductivity_table`.
    own : mapping of str to float, optional
        Conductivities (S/m) by tissue that the file says.
    cortex : tuple of Surface and str, or None
        Where fields are asked for and how that was found; None: found here.
    provenance, fiducials
        See `HeadModel`; conductivities and cortex are added to the provenance.
    repair : bool, optional
        Whether to mend the surfaces first (`meshes.repair`); the provenance then says what was done.

    Returns
    -------
    HeadModel
    """
    tissues = list(dict.fromkeys(side for b in boundaries for side in (b.inside, b.outside))) + list(own or {})
    sigmas = conductivity_table(tissues, conductivities, own)
    # The scalp first: where several surfaces meet the air, the nesting check of HeadModel finds the others.
    # Volumes to nine digits, so that surfaces of one size keep their order.
    ordered = sorted(boundaries, key=lambda b: (b.outside != AIR, -float(f"{abs(b.surface.volume):.9g}")))
    named: list[Boundary] = []
    for boundary in ordered:
        wanted = boundary.surface.name if boundary.surface.name not in ("", boundary.inside) else ""
        wanted = wanted or NAMES.get((boundary.inside, boundary.outside), f"{boundary.inside}_in_{boundary.outside}")
        others = sum(other.surface.name == wanted or other.surface.name.startswith(f"{wanted}-") for other in named)
        label = f"{wanted}-{others + 1}" if others else wanted
        surface = Surface(boundary.surface.vertices, boundary.surface.triangles, label)
        named.append(Boundary(surface, boundary.inside, boundary.outside))
    check_size([boundary.surface for boundary in named])
    if repair:
        surfaces, done = repaired([boundary.surface for boundary in named])
        named = [Boundary(s, b.inside, b.outside) for s, b in zip(surfaces, named, strict=True)]
        provenance = {**provenance, "repair": done}
    for boundary in named:
        check_surface(boundary.surface)  # here too, as the default cortex is made from the surfaces
    mid, how = cortex or _default_cortex(named)
    return HeadModel(
        name=name,
        interfaces=tuple(Interface(b.surface, sigmas[b.inside], sigmas[b.outside]) for b in named),
        cortex=mid,
        fiducials=fiducials or {},
        provenance={**provenance, "cortex": how, **conductivity_provenance(tissues, conductivities, own)},
    )


def check_size(surfaces: Sequence[Surface]) -> None:
    """Raise `ValueError` unless surfaces have about the sizes of a head's: metres, and micrometres, are told."""
    sizes = [float(np.ptp(surface.vertices, axis=0).max()) for surface in surfaces]
    head = int(np.argmax(sizes))
    for number, (size, surface) in enumerate(zip(sizes, surfaces, strict=True)):
        least = _SMALLEST if number == head else _SMALLEST_PIECE
        if not least <= size <= _LARGEST:
            raise ValueError(
                f"{surface.name} must be {least:g} to {_LARGEST:g} mm across; got {size:.3g} mm. Check the unit of the "
                'file: positions are mm; a list of surfaces may say unit = "m".'
            )


def repaired(surfaces: Sequence[Surface]) -> tuple[tuple[Surface, ...], str]:
    """Return mended surfaces and what was done to them, in one line; raise `ValueError` if something is left to do."""
    from meshes.repair import repair  # here, because it loads the readers

    result = repair(surfaces, aspect=None)
    if not result.ok:
        raise ValueError(
            f"surfaces must be mendable; got {len(result.remaining)} faults that are left, first "
            f"{result.remaining[0].rstrip('.')}. Mend them by hand: meshes.repair has options."
        )
    return result.surfaces, "; ".join(str(change) for change in result.changes if change.steps) or "nothing to mend"


def assembled_touching_head(
    name: str,
    vertices: FloatArray,
    triangles: npt.NDArray[np.int64],
    sides: npt.NDArray[np.str_],
    conductivities: ConductivitiesLike | None,
    *,
    cortex: tuple[Surface, str] | None,
    provenance: Mapping[str, str],
) -> HeadModel:
    """Return a head whose tissues may meet along lines.

    Parameters
    ----------
    name : str
        Name of the head.
    vertices, triangles, sides
        See `meshes.touching.touching_interfaces`.
    conductivities, cortex, provenance
        See `assembled_head`.

    Returns
    -------
    HeadModel
    """
    check_size([Surface(vertices, triangles.astype(np.int32), name)])
    tissues = [str(tissue) for tissue in np.unique(sides)]
    sigmas = conductivity_table(tissues, conductivities)
    mid, how = cortex or _cortex_between(vertices, triangles, sides, tissues)
    return HeadModel(
        name=name,
        interfaces=touching_interfaces(vertices, triangles, sides, sigmas),
        cortex=mid,
        provenance={**provenance, "cortex": how, **conductivity_provenance(tissues, conductivities)},
    )


def _cortex_between(
    vertices: FloatArray, triangles: npt.NDArray[np.int64], sides: npt.NDArray[np.str_], tissues: Sequence[str]
) -> tuple[Surface, str]:
    """Return the middle between the outsides of grey and white matter together, and of white matter alone."""
    if "grey" not in tissues or "white" not in tissues:
        raise ValueError(f"cortex must be given for a head without grey and white matter; got {', '.join(tissues)}.")
    from meshes.midsurface import mid_surface  # here, because it loads SciPy and libigl

    brain, white = (
        union_boundary(vertices, triangles, sides, kinds, "cortex") for kinds in (("grey", "white"), ("white",))
    )
    try:
        return mid_surface(brain, white), "halfway between grey and white matter's surfaces"
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"cortex must be given, as none could be made; got {error} Pass cortex=... .") from None


def _default_cortex(boundaries: Sequence[Boundary]) -> tuple[Surface, str]:
    """Return the middle of the grey matter, or a surface under the brain's, and what it is."""
    pials = [boundary.surface for boundary in boundaries if boundary.inside == "grey"]
    whites = [b.surface for b in boundaries if b.inside == "white" and b.outside == "grey"]
    pairs: list[tuple[Surface, list[Surface]]] = []
    for pial in pials:
        within = [white for white in whites if winding_numbers(white.vertices[:1], pial)[0] > 0.5]
        if within:
            pairs.append((pial, within))
    try:
        if pairs:
            from meshes.midsurface import mid_surface  # here, because it loads SciPy and libigl

            mids = [mid_surface(pial, joined(within, "white")) for pial, within in pairs]
            return joined(mids, "cortex"), "halfway between grey and white matter's surfaces"
    except RuntimeError as error:
        raise ValueError(f"cortex must be given, as none could be made; got {error} Pass cortex=... .") from None
    brain = pials or [min((boundary.surface for boundary in boundaries), key=lambda surface: surface.volume)]
    check_crossings(brain)  # a surface that crosses already is what is wrong, not the cortex made from it
    names = ", ".join(surface.name for surface in brain)
    for depth in (CORTEX_DEPTH, 0.5 * CORTEX_DEPTH, 0.2 * CORTEX_DEPTH):
        moved = [Surface(s.vertices - depth * s.vertex_normals, s.triangles, "cortex") for s in brain]
        result = joined(moved, "cortex")
        if not len(crossing_pairs([result])[0]) and all(float(s.volume) > 0.0 for s in moved):
            return result, f"{names}, moved inwards by {depth:g} mm"
    raise ValueError(
        f"cortex must be given for this head; got none, and {names} moved inwards by {depth:g} mm crosses itself. "
        "Pass cortex=... ."
    )
