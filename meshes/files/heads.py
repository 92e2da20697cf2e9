"""Read heads of other programs: SimNIBS meshes and folders, and sets of surfaces described by a TOML file."""

import hashlib
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from meshes import arrays
from meshes.checks import check_surface, crossing_pairs, winding_numbers
from meshes.files.boundaries import AIR, Boundary, tissue_boundaries
from meshes.files.fiff import parse_bem
from meshes.files.gmsh import TetrahedralMesh, read_msh
from meshes.files.surfaces import joined, read_surface
from meshes.head import HeadModel, Interface
from meshes.spheres import CORTEX_DEPTH
from meshes.surface import Surface
from meshes.tissues import TISSUES, conductivity_table, tissue_of_tag

__all__ = ["read_head"]

PathLike = str | os.PathLike[str]
CortexLike = Surface | PathLike | Sequence[PathLike]

# What surfaces are called, by the tissues inside and outside; others are called INSIDE_in_OUTSIDE.
_NAMES = {
    ("scalp", AIR): "scalp",
    ("skull", "scalp"): "outer_skull",
    ("csf", "skull"): "inner_skull",
    ("brain", "skull"): "inner_skull",
    ("grey", "csf"): "pial",
    ("white", "grey"): "white",
}
_KEYS = ("name", "unit", "cortex", "scalp", "conductivities", "fiducials", "interface", "source", "licence")
_INTERFACE_KEYS = ("file", "name", "inside", "outside", "unit")


def read_head(
    path: PathLike,
    *,
    conductivities: Mapping[str, float] | None = None,
    cortex: CortexLike | None = None,
    tissues: Mapping[int, str] | None = None,
    merge: Mapping[str, str] | None = None,
    name: str | None = None,
) -> HeadModel:
    r"""Read a head of another program.

    Parameters
    ----------
    path : path-like
        A Gmsh mesh (.msh 2.2 or 4.1, as SimNIBS writes it; mm), a SimNIBS folder m2m_SUBJECT (its SUBJECT.msh, and
        surfaces/lh.central.gii and rh.central.gii as cortex if they are there), or a .toml file that lists surfaces
        (see Notes), or MNE's surfaces of boundary elements (-bem.fif), with the conductivities that the file holds, in
        its frame (MNE: FreeSurfer's surface RAS, which is not scanner RAS) and as tissues "scalp", "skull", "brain".
    conductivities : mapping of str to float, optional
        Conductivities (S/m) by tissue, instead of the file's and of `meshes.tissues.TISSUES`.
    cortex : Surface, path-like or sequence of path-like, optional
        Where fields are asked for, normals out of the brain (mm). By default what the file or folder names; else the
        middle between grey and white matter's surfaces; else the surface of the grey matter, or if there is none the
        innermost surface, moved inwards by 1.5 mm. ``head.provenance["cortex"]`` says which it was.
    tissues : mapping of int to str, optional
        Tissue of each tag of a mesh; by default by the name that the mesh gives to the tag, if that is a tissue or in
        `conductivities`, else by SimNIBS's tags (1 white, 2 grey, 3 csf, 4 skull, 5 scalp, ...; surfaces 1000 more).
    merge : mapping of str to str, optional
        Tissues of a mesh to take as part of another, for example ``{"eyes": "scalp", "spongy_bone": "skull"}``.
    name : str, optional
        Name of the head; by default the file's, or what the file says.

    Returns
    -------
    HeadModel
        An interface for each pair of tissues that touch: from the faces between tetrahedra of different tissue, else
        from the triangles by tag, each the outside of its tissue.

    Raises
    ------
    ValueError
        If a file is damaged, a key or tag is unknown, a tissue has no conductivity, or the surfaces are open, turned
        inwards, crossing, or not nested. Where three tissues meet along a line, as they do in most SimNIBS heads, the
        surfaces between pairs of them are open: such a head needs `merge`, or surfaces with gaps.
    FileNotFoundError
        If a file is not there.

    Notes
    -----
    A head of closed surfaces is described by a TOML file. Paths are relative to it; tissues are names, with
    conductivities from `meshes.tissues.TISSUES` or the file's own table, or numbers (S/m), 0 being air. The surfaces
    may stand in any order::

        name = "subject 7"            # optional, as are all but [[interface]]
        unit = "mm"                   # or "m"; an interface may have its own
        cortex = ["lh.mid.gii", "rh.mid.gii"]   # one file or several
        scalp = "skin"                # which interface has air outside; asked for as a check
        source = "scanner X"          # source and licence go into the provenance

        [[interface]]
        file = "skin.stl"             # STL, PLY, OFF, VTP, GIFTI, npz or FreeSurfer: see meshes.read_surface
        name = "skin"                 # default: "scalp", "outer_skull", "inner_skull", "pial", "white", else the file's
        inside = "scalp"
        outside = "air"

        [[interface]]
        file = "skull.ply"
        inside = 0.01
        outside = "scalp"

        [conductivities]
        scalp = 0.4

        [fiducials]                   # in the unit above
        nasion = [0.0, 95.0, -10.0]

    Examples
    --------
    >>> import tempfile, pathlib, meshes
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "ball.toml"
    ...     meshes.files.write_surface(meshes.icosphere(2, radius=90), file.with_suffix(".ply"))
    ...     _ = file.write_text('[[interface]]\nfile = "ball.ply"\ninside = 0.33\noutside = "air"\n')
    ...     read_head(file)
    HeadModel('ball', 1 surfaces, 320 triangles)
    """
    file = Path(path)
    changes = dict(conductivities or {})
    given = None if cortex is None else (_cortex(cortex, Path(), "mm"), "given by the caller")
    if file.is_dir():
        file, central = _m2m(file, ask_cortex=given is None)
        given = given or central
    if not file.exists():
        raise FileNotFoundError(f"path must be a file or folder that exists; got {str(file)!r}.")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    provenance = {"source": str(file), "file": file.name, "sha256": digest}
    if file.suffix.lower() == ".msh":
        boundaries = _mesh_boundaries(read_msh(file), file.name, tissues or {}, merge or {}, changes)
        table = conductivity_table([boundary.inside for boundary in boundaries], changes)
        return _head(name or file.stem, boundaries, table, given, provenance, {})
    if tissues or merge:
        raise ValueError(f"tissues and merge must be left out but for a mesh; got them for {file.name}.")
    if file.suffix.lower() == ".toml":
        return _listed_head(file, changes, given, name, provenance)
    if file.suffix.lower() == ".fif":
        return _bem_head(file, changes, given, name, provenance)
    raise ValueError(
        f"path must be a .msh, .toml or .fif file or an m2m folder; got {file.name}. For surfaces, write a .toml."
    )


def _bem_head(
    file: Path,
    changes: Mapping[str, float],
    given: tuple[Surface, str] | None,
    name: str | None,
    provenance: dict[str, str],
) -> HeadModel:
    """Return the head of a FIFF file's surfaces."""
    found = parse_bem(file.read_bytes(), file.name)
    surfaces = [one.surface for one in found]
    boundaries = [Boundary(surface, surface.name, _around(surface, surfaces)) for surface in surfaces]
    own = {one.surface.name: one.sigma for one in found if one.sigma is not None}
    sigmas = conductivity_table([surface.name for surface in surfaces], changes, own)
    return _head(name or file.stem, boundaries, sigmas, given, provenance, {})


def _m2m(folder: Path, *, ask_cortex: bool) -> tuple[Path, tuple[Surface, str] | None]:
    """Return the mesh of a SimNIBS folder, and the cortex of its surfaces if there is one."""
    wanted = folder / f"{folder.resolve().name.removeprefix('m2m_')}.msh"
    if not wanted.exists():
        found = sorted(folder.glob("*.msh"))
        if len(found) != 1:
            raise ValueError(f"{folder.name} must hold {wanted.name}, or one .msh file; got {[f.name for f in found]}.")
        wanted = found[0]
    sides = [folder / "surfaces" / f"{side}.central.gii" for side in ("lh", "rh")]
    if ask_cortex and all(side.exists() for side in sides):
        return wanted, (_cortex(sides, Path(), "mm"), "surfaces/lh.central.gii and rh.central.gii")
    return wanted, None


def _cortex(cortex: CortexLike, folder: Path, unit: Any) -> Surface:
    """Return the cortex from a surface, a file or several files."""
    if isinstance(cortex, Surface):
        return Surface(cortex.vertices, cortex.triangles, "cortex")
    files = [cortex] if isinstance(cortex, (str, os.PathLike)) else list(cortex)
    if not files:
        raise ValueError("cortex must name one or more files; got none.")
    return joined([read_surface(_existing(folder / file, "cortex"), unit=unit) for file in files], "cortex")


def _existing(file: Path, key: str) -> Path:
    if not file.is_file():
        raise FileNotFoundError(f"{key} must name a file that exists; got {str(file)!r}.")
    return file


def _mesh_boundaries(
    mesh: TetrahedralMesh,
    file: str,
    tissues: Mapping[int, str],
    merge: Mapping[str, str],
    known: Mapping[str, float],
) -> tuple[Boundary, ...]:
    """Return the surfaces between the tissues of a mesh."""
    by_tetrahedra = len(mesh.tetrahedra) > 0
    tags, index = np.unique(mesh.tetrahedron_tags if by_tetrahedra else mesh.triangle_tags, return_inverse=True)
    names = []
    for tag in map(int, tags):
        own = mesh.names.get((3 if by_tetrahedra else 2, tag), "")
        found = (
            tissues.get(tag)
            or (own if own in known or own in ("air",) else None)
            or _standard(own)
            or tissue_of_tag(tag)
        )
        if found is None:
            raise ValueError(
                f"tags of {file} must stand for tissues; got tag {tag}{f' ({own})' if own else ''}, which does not. "
                f"Pass tissues={{{tag}: ...}} with a name, for example 'scalp'."
            )
        names.append(found)
    for old in merge:
        arrays.choice(old, "tissue in merge", names)
    names = [merge.get(found, found) for found in names]
    if by_tetrahedra:
        return tissue_boundaries(mesh.vertices, mesh.tetrahedra, np.array(names)[index])
    surfaces = []
    for tissue in dict.fromkeys(names):
        rows = np.isin(index, [k for k, found in enumerate(names) if found == tissue])
        used, triangles = np.unique(mesh.triangles[rows], return_inverse=True)
        surfaces.append(Surface(mesh.vertices[used], triangles.reshape(-1, 3).astype(np.int32), tissue))
    return tuple(Boundary(surface, surface.name, _around(surface, surfaces)) for surface in surfaces)


def _standard(name: str) -> str | None:
    return name if name in TISSUES else None


def _around(surface: Surface, surfaces: list[Surface]) -> str:
    """Return the tissue of the smallest surface around another one, "air" if there is none."""
    check_surface(surface)
    point = surface.vertices[:1]
    around = [o for o in surfaces if o is not surface and winding_numbers(point, o)[0] > 0.5]
    return min(around, key=lambda other: other.volume).name if around else AIR


def _listed_head(
    file: Path,
    changes: Mapping[str, float],
    given: tuple[Surface, str] | None,
    name: str | None,
    provenance: dict[str, str],
) -> HeadModel:
    """Return the head that a TOML file describes."""
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{file.name} must be a TOML file; got one that cannot be read ({error}).") from None
    for key in table:
        arrays.choice(key, f"key of {file.name}", _KEYS)
    for key, kind in (("name", str), ("unit", str), ("conductivities", dict), ("fiducials", dict), ("scalp", str),
                      ("source", str), ("licence", str)):  # fmt: skip
        if key in table and not isinstance(table[key], kind):
            raise ValueError(f"{key} in {file.name} must be a {kind.__name__}; got {table[key]!r}.")
    unit = arrays.choice(table.get("unit", "mm"), f"unit in {file.name}", ("mm", "m"))
    entries = table.get("interface", [])
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError(f"{file.name} must list its surfaces as [[interface]]; got {entries or 'none'!r}.")
    own = dict(table.get("conductivities", {}))
    boundaries = [_listed_boundary(entry, i + 1, file, unit, own) for i, entry in enumerate(entries)]
    sigmas = conductivity_table(
        [side for b in boundaries for side in (b.inside, b.outside)] + list(table.get("conductivities", {})),
        changes,
        own,
    )
    if "cortex" in table and given is None:
        files = table["cortex"] if isinstance(table["cortex"], list) else [table["cortex"]]
        if not all(isinstance(entry, str) for entry in files):
            raise ValueError(f"cortex in {file.name} must be a file name or several; got {table['cortex']!r}.")
        given = _cortex(files, file.parent, unit), f"by {file.name}: {', '.join(files)}"
    outer = [boundary.surface.name for boundary in boundaries if boundary.outside == AIR]
    if "scalp" in table and outer != [table["scalp"]]:
        raise ValueError(
            f"scalp in {file.name} must be the one interface with air outside; got {table['scalp']!r}, not {outer}."
        )
    scale = 1000.0 if unit == "m" else 1.0
    fiducials = {
        key: scale * arrays.vector(point, f"fiducial {key!r}") for key, point in table.get("fiducials", {}).items()
    }
    provenance |= {key: table[key] for key in ("source", "licence") if key in table}
    return _head(name or table.get("name", file.stem), boundaries, sigmas, given, provenance, fiducials)


def _listed_boundary(entry: Mapping[str, Any], number: int, file: Path, unit: str, own: dict[str, float]) -> Boundary:
    """Return one surface of a TOML file; a conductivity given as a number goes into `own` under a made-up tissue."""
    where = f"interface {number} of {file.name}"
    for key in entry:
        arrays.choice(key, f"key of {where}", _INTERFACE_KEYS)
    for key in ("file", "inside", "outside"):
        if key not in entry:
            raise ValueError(f"{where} must have the keys file, inside and outside; got {', '.join(entry) or 'none'}.")
    if not isinstance(entry["file"], str) or not isinstance(entry.get("name", ""), str):
        raise ValueError(f"{where} must have text as file and name; got {entry['file']!r} and {entry.get('name')!r}.")
    sides = []
    for key in ("inside", "outside"):
        side = entry[key]
        if not isinstance(side, str):
            sigma = arrays.non_negative(side, f"{key} of {where}")
            side = f"{sigma:g} S/m" if sigma else AIR
            own |= {side: sigma} if sigma else {}
        sides.append(side)
    path = _existing(file.parent / entry["file"], f"file of {where}")
    # `choice` checks that it is one of the two texts, which the type checker cannot see.
    surface = read_surface(path, unit=arrays.choice(entry.get("unit", unit), f"unit of {where}", ("mm", "m")))  # type: ignore[arg-type]
    standard = _NAMES.get((sides[0], sides[1]), surface.name)
    return Boundary(Surface(surface.vertices, surface.triangles, entry.get("name") or standard), sides[0], sides[1])


def _head(
    name: str,
    boundaries: Sequence[Boundary],
    sigmas: Mapping[str, float],
    cortex: tuple[Surface, str] | None,
    provenance: dict[str, str],
    fiducials: Mapping[str, Any],
) -> HeadModel:
    """Return the head with its surfaces named, checked and ordered from outside inwards."""
    # The scalp first: where several surfaces meet the air, the nesting check of HeadModel finds the others.
    # Volumes to nine digits, so that surfaces of one size keep their order.
    ordered = sorted(boundaries, key=lambda b: (b.outside != AIR, -float(f"{abs(b.surface.volume):.9g}")))
    named: list[Boundary] = []
    for boundary in ordered:
        wanted = boundary.surface.name if boundary.surface.name not in ("", boundary.inside) else ""
        wanted = wanted or _NAMES.get((boundary.inside, boundary.outside), f"{boundary.inside}_in_{boundary.outside}")
        others = sum(other.surface.name == wanted or other.surface.name.startswith(f"{wanted}-") for other in named)
        label = f"{wanted}-{others + 1}" if others else wanted
        surface = Surface(boundary.surface.vertices, boundary.surface.triangles, label)
        check_surface(surface)  # here too, as the default cortex is made from the surfaces
        named.append(Boundary(surface, boundary.inside, boundary.outside))
    mid, how = cortex or _default_cortex(named)
    return HeadModel(
        name=name,
        interfaces=tuple(Interface(b.surface, sigmas[b.inside], sigmas[b.outside]) for b in named),
        cortex=mid,
        fiducials=fiducials,
        provenance=provenance | {"cortex": how},
    )


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
    moved = [Surface(s.vertices - CORTEX_DEPTH * s.vertex_normals, s.triangles, "cortex") for s in brain]
    result = joined(moved, "cortex")
    names = ", ".join(surface.name for surface in brain)
    if len(crossing_pairs([result])[0]) or any(float(s.volume) <= 0.0 for s in moved):
        raise ValueError(
            f"cortex must be given for this head; got none, and {names} moved inwards by {CORTEX_DEPTH} mm crosses "
            "itself. Pass cortex=... ."
        )
    return result, f"{names}, moved inwards by {CORTEX_DEPTH} mm"
