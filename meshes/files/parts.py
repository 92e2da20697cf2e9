"""Read the surfaces of a head without checking them, so that a report can say what is wrong with all of them."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from meshes import arrays
from meshes.arrays import FloatArray
from meshes.files.assembled import NAMES
from meshes.files.fiff import parse_bem
from meshes.files.gmsh import read_msh
from meshes.files.heads import read_head
from meshes.files.surfaces import read_surface
from meshes.head import HeadModel
from meshes.surface import Surface
from meshes.tissues import TISSUES, tissue_of_tag

__all__ = ["Parts", "parts_of", "read_parts"]

Sigma = float | FloatArray | None

# What a file of one surface ends in; all else may be a head.
_SURFACE_FILES = (".stl", ".ply", ".off", ".vtp", ".gii")
_FREESURFER_MAGIC = b"\xff\xff\xfe"
# What FreeSurfer and its companions call the surfaces of a subject.
_FREESURFER = (
    "bem/outer_skin.surf", "bem/outer_skull.surf", "bem/inner_skull.surf", "bem/watershed/*_outer_skin_surface",
    "bem/watershed/*_outer_skull_surface", "bem/watershed/*_inner_skull_surface",
    "surf/lh.pial", "surf/lh.white", "surf/rh.pial", "surf/rh.white",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Parts:
    """The surfaces of a head, sound or not.

    Parameters
    ----------
    name : str
        Name of the head or file.
    surfaces : tuple of Surface
        In the order of the file.
    sigmas : tuple of (float or ndarray or None, float or ndarray or None)
        Conductivity inside and outside of each surface (S/m); None where it is not known.
    cortex : Surface, optional
        Where fields are asked for, if the head says so.
    fiducials : mapping of str to ndarray, shape (3,)
        Named points (mm).
    touching : bool
        Whether the surfaces are meant to be open, as tissues touch.
    refused : str
        Why the file is no head as it stands; empty if it is one, or was not asked to be.
    is_head : bool
        Whether the surfaces are meant to be a whole head, not a surface or two.
    """

    name: str
    surfaces: tuple[Surface, ...]
    sigmas: tuple[tuple[Sigma, Sigma], ...]
    cortex: Surface | None = None
    fiducials: Mapping[str, FloatArray] = field(default_factory=dict)
    touching: bool = False
    refused: str = ""
    is_head: bool = True


def parts_of(head: HeadModel) -> Parts:
    """Return the parts of a head."""
    return Parts(
        name=" ".join(filter(None, (head.name, head.resolution))),
        surfaces=tuple(interface.surface for interface in head.interfaces),
        sigmas=tuple((interface.sigma_inside, interface.sigma_outside) for interface in head.interfaces),
        cortex=head.cortex,
        fiducials=head.fiducials,
        touching=head.touching,
    )


def read_parts(path: str | os.PathLike[str], *, labels: str | None = None) -> Parts:
    """Read the surfaces of a head, or one surface, whatever is wrong with them.

    Parameters
    ----------
    path : path-like
        All that `meshes.read_head` or `meshes.read_surface` reads; an .npz file may also hold ``names`` and for each
        name ``NAME_v`` (mm) and ``NAME_f``.
    labels : str, optional
        What the labels of a volume mean: see `meshes.read_head`.

    Returns
    -------
    Parts
        Of the head, if the file is one; else of the surfaces that it holds or names, and why it is none.

    Raises
    ------
    ValueError
        If the file is damaged or holds no surfaces.
    FileNotFoundError
        If a file is not there.
    """
    file = Path(path)
    if not file.exists():
        raise FileNotFoundError(f"path must be a file or folder that exists; got {str(file)!r}.")
    if labels is not None and _is_surface(file):
        raise ValueError(f"labels must be left out but for a label volume; got them for {file.name}.")
    refused = ""
    if not _is_surface(file):
        try:
            return parts_of(read_head(file, labels=labels))
        except FileNotFoundError:
            raise
        except ValueError as error:
            refused = str(error)
    try:
        named = _loose(file)
    except ValueError:
        if refused:
            raise ValueError(refused) from None  # it knows better what the file should hold
        raise
    if not named:
        raise ValueError(refused or f"{file.name} must hold surfaces; got none.")
    surfaces, sigmas = zip(*named, strict=True)
    whole = len(surfaces) > 1 or file.suffix.lower() == ".toml"
    # An .npz file of surfaces is no head of this program, and not meant to be one.
    told = whole and file.suffix.lower() != ".npz"
    return Parts(file.stem, surfaces, sigmas, refused=refused if told else "", is_head=whole)


def _is_surface(file: Path) -> bool:
    """Return whether a file holds one surface, by its ending or first bytes."""
    if file.is_dir():
        return False
    with file.open("rb") as stream:
        return file.suffix.lower() in _SURFACE_FILES or stream.read(3) == _FREESURFER_MAGIC


def _loose(file: Path) -> list[tuple[Surface, tuple[Sigma, Sigma]]]:
    """Return the surfaces of a file or folder, with their conductivities as far as the file says them."""
    unknown: tuple[Sigma, Sigma] = (None, None)
    if file.is_dir():
        meshes_of = sorted(file.glob("*.msh"))
        if len(meshes_of) == 1:
            return _loose(meshes_of[0])
        found = [one for name in _FREESURFER for one in sorted(file.glob(name)) if one.is_file()]
        return [(read_surface(one, name=one.name.removesuffix(".surf")), unknown) for one in found]
    suffix = file.suffix.lower()
    if suffix == ".toml":
        return _listed(file)
    if suffix == ".msh":
        return [(surface, unknown) for surface in _meshed(file)]
    if suffix == ".fif":
        return [(one.surface, (one.sigma, None)) for one in parse_bem(file.read_bytes(), file.name)]
    if suffix == ".npz":
        with np.load(file, allow_pickle=False) as archive:
            if "names" in archive.files:
                names = [str(name) for name in np.atleast_1d(archive["names"])]
                missing = [key for name in names for key in (f"{name}_v", f"{name}_f") if key not in archive.files]
                if missing:
                    raise ValueError(f"{file.name} must hold {', '.join(missing)}; got {', '.join(archive.files)}.")
                return [(Surface(archive[f"{name}_v"], archive[f"{name}_f"], name), unknown) for name in names]
    return [(read_surface(file), unknown)]


def _listed(file: Path) -> list[tuple[Surface, tuple[Sigma, Sigma]]]:
    """Return the surfaces that a TOML file names; see `meshes.read_head` for its keys."""
    table: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    unit = table.get("unit", "mm")
    own = {name: float(value) for name, value in table.get("conductivities", {}).items()}
    known = {name: tissue.conductivity for name, tissue in TISSUES.items()} | own

    def sigma(side: str | float | None) -> Sigma:
        return known.get(side) if isinstance(side, str) else None if side is None else float(side)

    found = []
    for number, entry in enumerate(table.get("interface", []), start=1):
        if "file" not in entry:
            raise ValueError(
                f"interface {number} of {file.name} must name a file; got {', '.join(entry) or 'nothing'}."
            )
        scale = arrays.choice(entry.get("unit", unit), f"unit of interface {number} of {file.name}", ("mm", "m"))
        sides = entry.get("inside"), entry.get("outside")
        name = entry.get("name") or NAMES.get(sides)
        # `read_surface` checks the unit.
        surface = read_surface(file.parent / entry["file"], unit=scale, name=name)  # type: ignore[arg-type]
        found.append((surface, (sigma(sides[0]), sigma(sides[1]))))
    return found


def _meshed(file: Path) -> list[Surface]:
    """Return the outside of each tissue of a mesh, the outermost first."""
    mesh = read_msh(file)
    surfaces = []
    if len(mesh.tetrahedra):
        for tag in np.unique(mesh.tetrahedron_tags):
            faces = _skin(mesh.vertices, mesh.tetrahedra[mesh.tetrahedron_tags == tag])
            surfaces.append(_compact(mesh.vertices, faces, _name(int(tag), mesh.names.get((3, int(tag))))))
    else:
        for tag in np.unique(mesh.triangle_tags):
            faces = mesh.triangles[mesh.triangle_tags == tag]
            surfaces.append(_compact(mesh.vertices, faces, _name(int(tag), mesh.names.get((2, int(tag))))))
    return sorted(surfaces, key=lambda surface: -float(np.prod(np.ptp(surface.vertices, axis=0))))


def _skin(vertices: FloatArray, tetrahedra: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the faces of one tetrahedron only, turned outwards."""
    corners = vertices[tetrahedra]
    edges = corners[:, 1:] - corners[:, :1]
    turned = np.einsum("ij,ij->i", edges[:, 0], np.cross(edges[:, 1], edges[:, 2])) < 0.0
    right = np.where(turned[:, None], tetrahedra[:, [0, 2, 1, 3]], tetrahedra)
    faces = np.concatenate([right[:, face] for face in ([0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3])])
    _, first, count = np.unique(np.sort(faces, axis=1), axis=0, return_index=True, return_counts=True)
    return np.asarray(faces[np.sort(first[count == 1])], dtype=np.int64)


def _compact(vertices: FloatArray, faces: npt.NDArray[np.int64], name: str) -> Surface:
    used, triangles = np.unique(faces, return_inverse=True)
    return Surface(vertices[used], triangles.reshape(-1, 3).astype(np.int32), name)


def _name(tag: int, own: str | None) -> str:
    return own or tissue_of_tag(tag) or f"tag-{tag}"
