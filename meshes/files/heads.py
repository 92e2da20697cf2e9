"""Read heads of other programs, by path: SimNIBS, FreeSurfer, MNE, lists of surfaces; and heads of this program."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from meshes import arrays
from meshes.checks import check_surface, winding_numbers
from meshes.conductivities import with_conductivities
from meshes.files.archive import parse_head
from meshes.files.assembled import CortexLike, PathLike, assembled_head, assembled_touching_head, read_cortex
from meshes.files.boundaries import AIR, Boundary, meet_along_lines, tissue_boundaries, tissue_faces
from meshes.files.fiff import parse_bem
from meshes.files.freesurfer import is_subject_folder, read_subject_folder
from meshes.files.gmsh import TetrahedralMesh, read_msh
from meshes.files.listed import read_listed_head
from meshes.head import HeadModel
from meshes.labels.reader import VOLUMES, read_labels
from meshes.labels.tables import LabelsLike
from meshes.surface import Surface
from meshes.tissues import TISSUES, ConductivitiesLike, conductivity_choice, tissue_of_tag
from meshes.touching import hollows

__all__ = ["read_head"]


def read_head(
    path: PathLike,
    *,
    conductivities: ConductivitiesLike | None = None,
    cortex: CortexLike | None = None,
    tissues: Mapping[int, str] | None = None,
    merge: Mapping[str, str] | None = None,
    name: str | None = None,
    repair: bool = False,
    labels: LabelsLike | None = None,
    spacing: float | None = None,
) -> HeadModel:
    r"""Read a head of another program.

    Parameters
    ----------
    path : path-like
        A Gmsh mesh (.msh 2.2 or 4.1, as SimNIBS writes it; mm), a SimNIBS folder m2m_SUBJECT (its SUBJECT.msh, and
        surfaces/lh.central.gii and rh.central.gii as cortex if they are there), a FreeSurfer folder
        SUBJECTS_DIR/SUBJECT (see `meshes.files.freesurfer`), a .toml file that lists surfaces (see Notes), MNE's
        surfaces of boundary elements (-bem.fif), with the conductivities that the file holds, in its frame (MNE:
        FreeSurfer's surface RAS, which is not scanner RAS) and as tissues "scalp", "skull", "brain"; a label
        volume (.nii, .nii.gz, .mgz; see `meshes.labels.read_labels`, which takes more); or an .npz file of
        `meshes.write_head`.
    conductivities : str, mapping of str to float, or ConductivityTable, optional
        Instead of the file's conductivities and of `meshes.tissues.TISSUES`: a table by name
        (`meshes.CONDUCTIVITY_TABLES`; tissues that it lacks keep theirs), or conductivities (S/m) by tissue.
        ``head.provenance["conductivities"]`` says what was used and where it comes from.
    cortex : Surface, path-like or sequence of path-like, optional
        Where fields are asked for, normals out of the brain (mm). By default what the file or folder names; else the
        middle between grey and white matter's surfaces; else the surface of the grey matter, or if there is none the
        innermost surface, moved inwards by 1.5 mm. ``head.provenance["cortex"]`` says which it was.
    tissues : mapping of int to str, optional
        Tissue of each tag of a mesh; by default by the name that the mesh gives to the tag, if that is a tissue or in
        `conductivities`, else by SimNIBS's tags (1 white, 2 grey, 3 csf, 4 skull, 5 scalp, ...; surfaces 1000 more).
    merge : mapping of str to str, optional
        Tissues of a mesh or label volume to take as part of another, for example
        ``{"eyes": "scalp", "spongy_bone": "skull"}``.
    name : str, optional
        Name of the head; by default the file's, or what the file says.
    repair : bool, optional
        Whether to mend surfaces that are open, crossing or too close before they are checked (`meshes.repair`, no
        vertex by more than 5 mm); ``head.provenance["repair"]`` then says what was moved and how far. An .npz file of
        `meshes.write_head` holds a sound head already, and surfaces of label volumes are sound.
    labels : str, path-like or mapping of int to str, optional
        Which tissue each label of a volume stands for: "simnibs", "freesurfer", "roast", tissues by label, or a file
        that lists them. By default recognised from the values, if only one table fits.
    spacing : float, optional
        Resample a label volume to voxels of this edge first (mm).

    Returns
    -------
    HeadModel
        An interface for each pair of tissues that touch: from the faces between tetrahedra of different tissue, else
        from the triangles by tag, each the outside of its tissue.

    Raises
    ------
    ValueError
        If a file is damaged, a key or tag is unknown, a tissue has no conductivity, or the surfaces are open, turned
        inwards, crossing, or not nested. A mesh whose tissues meet along lines, as they do in most SimNIBS heads,
        gives a head with open surfaces (`HeadModel.touching`).
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
    conductivity_choice(conductivities)  # a table that does not exist is told before a large file is read
    given = None if cortex is None else (read_cortex(cortex, Path(), "mm"), "given by the caller")
    if not file.exists():
        raise FileNotFoundError(f"path must be a file or folder that exists; got {str(file)!r}.")
    if file.name.lower().endswith(VOLUMES):
        if tissues:
            raise ValueError(f"tissues must be left out but for a mesh; got them for {file.name}. Pass labels=... .")
        return read_labels(
            file, labels=labels, conductivities=conductivities, merge=merge, cortex=cortex, spacing=spacing, name=name
        )
    if labels is not None or spacing is not None:
        raise ValueError(f"labels and spacing must be left out but for a label volume; got them for {file.name}.")
    suffix = file.suffix.lower()
    if (tissues or merge) and suffix != ".msh" and (not file.is_dir() or is_subject_folder(file)):
        raise ValueError(f"tissues and merge must be left out but for a mesh; got them for {file.name}.")
    if file.is_dir() and is_subject_folder(file):
        return read_subject_folder(file, conductivities=conductivities, cortex=given, name=name, repair=repair)
    if file.is_dir():
        file, central = _m2m(file, ask_cortex=given is None)
        given, suffix = given or central, ".msh"
    data = file.read_bytes()
    if suffix == ".npz":
        return _changed(parse_head(data, file.name), conductivities, given, name)
    provenance = {"source": str(file), "file": file.name, "sha256": hashlib.sha256(data).hexdigest()}
    if suffix == ".msh":
        return _mesh_head(
            read_msh(file), file, tissues or {}, merge or {}, conductivities, given, name, provenance, repair=repair
        )
    if suffix == ".toml":
        return read_listed_head(file, conductivities, given, name, provenance, repair=repair)
    if suffix == ".fif":
        found = parse_bem(data, file.name)
        surfaces = [one.surface for one in found]
        return assembled_head(
            name or file.stem,
            [Boundary(surface, surface.name, _around(surface, surfaces)) for surface in surfaces],
            conductivities,
            own={one.surface.name: one.sigma for one in found if one.sigma is not None},
            cortex=given,
            provenance=provenance,
            repair=repair,
        )
    raise ValueError(
        "path must be a .msh, .toml, .fif, .nii, .mgz or .npz file, or an m2m or FreeSurfer folder; "
        f"got {file.name}. For surfaces, write a .toml."
    )


def _changed(
    head: HeadModel,
    conductivities: ConductivitiesLike | None,
    cortex: tuple[Surface, str] | None,
    name: str | None,
) -> HeadModel:
    """Return a head from an .npz file with what the caller wants otherwise."""
    if cortex is not None:
        # Regions are lists of the old cortex's vertices.
        provenance = {**head.provenance, "cortex": cortex[1]}
        head = replace(head, cortex=cortex[0], regions={}, targets={}, provenance=provenance)
    if name is not None:
        head = replace(head, name=name)
    return head if conductivities is None else with_conductivities(head, conductivities)


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
        return wanted, (read_cortex(sides, Path(), "mm"), "surfaces/lh.central.gii and rh.central.gii")
    return wanted, None


def _mesh_head(
    mesh: TetrahedralMesh,
    file: Path,
    tissues: Mapping[int, str],
    merge: Mapping[str, str],
    conductivities: ConductivitiesLike | None,
    given: tuple[Surface, str] | None,
    name: str | None,
    provenance: dict[str, str],
    *,
    repair: bool,
) -> HeadModel:
    """Return the head of a mesh: of nested surfaces, or with open ones where tissues meet along lines."""
    of_element = _mesh_tissues(mesh, file.name, tissues, merge, conductivities)
    if len(mesh.tetrahedra):
        faces, sides = tissue_faces(mesh.vertices, mesh.tetrahedra, of_element)
        if meet_along_lines(faces, sides) or hollows(mesh.vertices, faces, sides[:, 1]).any():
            return assembled_touching_head(
                name or file.stem, mesh.vertices, faces, sides, conductivities, cortex=given, provenance=provenance
            )
        boundaries = tissue_boundaries(mesh.vertices, mesh.tetrahedra, of_element)
    else:
        boundaries = _tagged_boundaries(mesh, of_element)
    return assembled_head(
        name or file.stem, boundaries, conductivities, cortex=given, provenance=provenance, repair=repair
    )


def _mesh_tissues(
    mesh: TetrahedralMesh,
    file: str,
    tissues: Mapping[int, str],
    merge: Mapping[str, str],
    conductivities: ConductivitiesLike | None,
) -> npt.NDArray[np.str_]:
    """Return the tissue of each tetrahedron of a mesh, or of each triangle where there are none."""
    choice = conductivity_choice(conductivities)
    known = {**choice.values, **choice.changes}
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
    for tag in tissues:
        if tag not in tags:
            raise ValueError(f"tissues must name tags of {file}, {', '.join(map(str, tags))}; got {tag}.")
    return np.array([merge.get(found, found) for found in names])[index]


def _tagged_boundaries(mesh: TetrahedralMesh, tissues: npt.NDArray[np.str_]) -> tuple[Boundary, ...]:
    """Return the outsides of tissues that the triangles of a mesh without tetrahedra make up."""
    surfaces = []
    for tissue in map(str, np.unique(tissues)):
        used, triangles = np.unique(mesh.triangles[tissues == tissue], return_inverse=True)
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
