"""Read the folder of a FreeSurfer subject: cortex, skull and scalp, labels.

What is read (S: the subject's name, the folder's)::

    surf/lh.pial, lh.white, rh.pial, rh.white       or lh.pial.T1, as FreeSurfer 7 has it
    bem/outer_skin.surf, outer_skull.surf, inner_skull.surf       from mne watershed_bem or mri_watershed; else
    bem/flash/*.surf, else bem/watershed/S_outer_skin_surface, ...; else S-*-bem.fif; the scalp also from
    S-head-dense.fif, S-head.fif or surf/lh.seghead
    label/*.annot, *.label, *.label.gii             become regions "ATLAS:LABEL-SIDE" of the cortex
    mri/orig.mgz                                    where surfaces lie, if they do not say so themselves
    bem/S-fiducials.fif                             nasion and preauricular points, from mne coreg
    mri/transforms/talairach.xfm                    goes into the provenance
"""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from meshes import arrays
from meshes.arrays import FloatArray
from meshes.checks import check_crossings, check_surface
from meshes.files.annotations import IndexArray, read_annotation, region_names
from meshes.files.assembled import check_size, repaired
from meshes.files.fiff import parse_bem, parse_fiducials
from meshes.files.freesurfer_surface import FREESURFER_MAGIC, Geometry, geometry_of_volume, parse_freesurfer
from meshes.files.polygons import checked_positions, numbers
from meshes.files.surfaces import joined
from meshes.head import HeadModel, Interface
from meshes.surface import Surface
from meshes.tissues import ConductivitiesLike, conductivity_provenance, conductivity_table

__all__ = ["is_subject_folder", "read_subject_folder"]

# Grey matter that is thinner, as at the medial wall, is made as thick by `repair` (mm), in steps, and the neighbours of
# such vertices, as many rows of them, go along in part.
_THINNEST, _STEPS, _SPREAD = 0.8, 4, 3
_SIDES = {"lh": "left", "rh": "right"}
# Interface: tissues inside and outside.
_LAYERS = {
    "scalp": ("scalp", "air"), "outer_skull": ("skull", "scalp"), "inner_skull": ("csf", "skull"),
    "pial": ("grey", "csf"), "white": ("white", "grey"),
}  # fmt: skip
# Where a layer may be, the first that is there counts; S is the subject's name, * stands for any. A name with a tissue
# is a FIFF file that holds several surfaces.
_PLACES: dict[str, tuple[tuple[str, str], ...]] = {
    "scalp": (
        ("bem/outer_skin.surf", ""), ("bem/flash/outer_skin.surf", ""), ("bem/watershed/*_outer_skin_surface", ""),
        ("bem/*-bem.fif", "scalp"), ("bem/*-head-dense.fif", "scalp"), ("bem/*-head.fif", "scalp"),
        ("surf/lh.seghead", ""),
    ),
    "outer_skull": (
        ("bem/outer_skull.surf", ""), ("bem/flash/outer_skull.surf", ""), ("bem/watershed/*_outer_skull_surface", ""),
        ("bem/*-bem.fif", "skull"),
    ),
    "inner_skull": (
        ("bem/inner_skull.surf", ""), ("bem/flash/inner_skull.surf", ""), ("bem/watershed/*_inner_skull_surface", ""),
        ("bem/*-bem.fif", "brain"),
    ),
}  # fmt: skip


def is_subject_folder(folder: Path) -> bool:
    """Return whether a folder looks like a FreeSurfer subject's: it has surf/ with a hemisphere, or surf/ and mri/."""
    surf = folder / "surf"
    return surf.is_dir() and ((folder / "mri").is_dir() or any(surf.glob("[lr]h.*")))


def read_subject_folder(
    folder: Path,
    *,
    conductivities: ConductivitiesLike | None = None,
    cortex: tuple[Surface, str] | None = None,
    name: str | None = None,
    repair: bool = False,
) -> HeadModel:
    """Return the head of a FreeSurfer subject, in scanner RAS; see `meshes.read_head`.

    Parameters
    ----------
    folder : Path
        SUBJECTS_DIR/SUBJECT; see the module's text for what is read.
    conductivities : str, mapping of str to float, or ConductivityTable, optional
        See `meshes.read_head`; the tissues are scalp, skull, csf, grey and white.
    cortex : tuple of Surface and str, optional
        Where fields are asked for, instead of the middle of the grey matter, and where it comes from; the folder's
        labels are then left out.
    name : str, optional
        Name of the head; the folder's by default.
    repair : bool, optional
        Whether to mend the surfaces, which FreeSurfer lets touch: the white surface is moved inwards where the grey
        matter is thinner than 0.8 mm, as at the medial wall, and `meshes.repair` does what is left. Where that drops or
        adds vertices, a region has those that are nearest to its own.

    Returns
    -------
    HeadModel
        Surfaces scalp, outer_skull, inner_skull, pial_lh, white_lh, pial_rh, white_rh. Space inside the skull that is
        not cerebrum counts as CSF, the cerebellum too: FreeSurfer makes no surface of it.

    Raises
    ------
    ValueError
        If a surface is missing, damaged, open or crosses another, or a label does not fit its hemisphere.
    """
    label = folder.resolve().name
    files = {layer: _place_of(folder, layer) for layer in ("scalp", "outer_skull", "inner_skull")}
    sheets = {f"{kind}_{side}": _hemisphere(folder, side, kind) for side in _SIDES for kind in ("pial", "white")}
    geometry = geometry_of_volume(folder / "mri" / "orig.mgz") if (folder / "mri" / "orig.mgz").is_file() else None
    surfaces = {layer: _layer(file, tissue, layer, geometry) for layer, (file, tissue) in files.items()}
    surfaces |= {layer: _layer(file, "", layer, geometry) for layer, file in sheets.items()}
    check_size(list(surfaces.values()))
    given = surfaces
    done: dict[str, str] = {}
    if repair:
        surfaces, done = _mended(given)
    _check(surfaces)
    middle, how = cortex or _middle(surfaces)
    tissues = ("scalp", "skull", "csf", "grey", "white")
    sigmas = conductivity_table(tissues, conductivities)
    sides = {layer: _LAYERS[re.sub("_[lr]h$", "", layer)] for layer in surfaces}
    return HeadModel(
        name=name or label,
        interfaces=tuple(Interface(s, *(sigmas[side] for side in sides[layer])) for layer, s in surfaces.items()),
        cortex=middle,
        regions={} if cortex else _regions(folder, given, surfaces),
        fiducials=_fiducials(folder, geometry),
        provenance={
            "source": f"FreeSurfer subject {label}",
            "file": ", ".join(file.relative_to(folder).as_posix() for file, _ in files.values()),
            "sha256": _digest([file for file, _ in files.values()] + list(sheets.values())),
            "frame": "scanner RAS",
            "cortex": how,
            **done,
            **_talairach(folder),
            **conductivity_provenance(tissues, conductivities),
        },
    )


def _place_of(folder: Path, layer: str) -> tuple[Path, str]:
    """Return the file of a layer, and the tissue by which it is found in the file."""
    for pattern, tissue in _PLACES[layer]:
        for file in sorted(folder.glob(pattern)):
            if not tissue or any(one.surface.name == tissue for one in parse_bem(file.read_bytes(), file.name)):
                return file, tissue
    wanted = ", ".join(pattern.replace("*", folder.resolve().name) for pattern, _ in _PLACES[layer])
    raise ValueError(
        f"{folder.name} must hold a surface of the {layer.replace('_', ' ')}, one of {wanted}; got none. Make them "
        "with mne watershed_bem (or mri_watershed -surf), or read a label volume of the whole head instead."
    )


def _hemisphere(folder: Path, side: str, kind: str) -> Path:
    """Return the file of a pial or white surface."""
    wanted = [folder / "surf" / name for name in (f"{side}.{kind}", f"{side}.{kind}.T1")]
    found = [file for file in wanted if file.is_file()]
    if not found:
        raise ValueError(f"{folder.name} must hold surf/{side}.{kind}; got none. Let recon-all -all run to its end.")
    return found[0]


def _layer(file: Path, tissue: str, layer: str, geometry: Geometry | None) -> Surface:
    """Return a surface in scanner RAS (mm)."""
    data = file.read_bytes()
    if tissue:
        found = next(one.surface for one in parse_bem(data, file.name) if one.surface.name == tissue)
        if geometry is None:
            raise ValueError(
                f"{file.name} must be moved to scanner RAS by mri/orig.mgz; got none. Copy it into the folder."
            )
        rotation, centre = geometry
        return Surface(found.vertices @ rotation.T + centre, found.triangles, layer)
    if data[:3] != FREESURFER_MAGIC:
        raise ValueError(f"{file.name} must be a FreeSurfer surface; got {data[:8]!r} first.")
    points, triangles = parse_freesurfer(data, file.name, geometry=geometry)
    checked = arrays.triangles(triangles, f"triangles of {file.name}", len(points))
    return Surface(checked_positions(points, f"positions of {file.name}"), checked, layer)


def _middle(surfaces: Mapping[str, Surface]) -> tuple[Surface, str]:
    """Return the middle of the grey matter of both hemispheres, the left one first, and how it was found."""
    from meshes.midsurface import mid_surface  # here, because it loads SciPy and libigl

    pairs = [(surfaces[f"pial_{side}"], surfaces[f"white_{side}"]) for side in _SIDES]
    try:
        mids = [mid_surface(pial, white) for pial, white in pairs]
    except RuntimeError as error:
        raise ValueError(f"cortex must be given, as none could be made; got {error} Pass cortex=... .") from None
    paired = all(np.array_equal(pial.triangles, white.triangles) for pial, white in pairs)
    how = "mean of pial and white surface, vertex by vertex" if paired else "halfway between pial and white surface"
    return joined(mids, "cortex"), how


def _mended(given: Mapping[str, Surface]) -> tuple[dict[str, Surface], dict[str, str]]:
    """Return surfaces that do not touch, and what was done to them, for the provenance.

    FreeSurfer's white surface runs on the pial one at the medial wall, vertex on vertex: there it is moved inwards. If
    that is not all, `meshes.repair` does the rest.
    """
    surfaces, text = dict(given), []
    for side in _SIDES:
        pial, white = surfaces[f"pial_{side}"], surfaces[f"white_{side}"]
        if np.array_equal(pial.triangles, white.triangles):
            surfaces[f"white_{side}"], moved = _pushed_in(white, pial)
            text += [moved] if moved else []
    for surface in surfaces.values():
        check_surface(surface)
    try:
        check_crossings(list(surfaces.values()))
    except ValueError:
        mended, moved = repaired(list(surfaces.values()))
        surfaces = dict(zip(given, mended, strict=True))
        text.append(moved)
    return surfaces, {"repair": "; ".join(text) or "nothing to mend"}


def _pushed_in(white: Surface, pial: Surface) -> tuple[Surface, str]:
    """Return the white surface with vertices moved inwards where it is too near to their pial ones, and what was moved.

    Neighbours go along in part, so that no step arises.
    """
    from meshes.midsurface import neighbour_mean  # here, because it loads SciPy and libigl

    thickness = np.linalg.norm(white.vertices - pial.vertices, axis=1)
    way = np.maximum(_THINNEST - thickness, 0.0)
    if not way.any():
        return white, ""
    mean = neighbour_mean(white)
    for _ in range(_SPREAD):
        way = np.maximum(way, mean @ way)
    moved = white
    for _ in range(_STEPS):  # the normals turn on the way
        moved = Surface(moved.vertices - way[:, None] / _STEPS * moved.vertex_normals, white.triangles, white.name)
    far = np.linalg.norm(moved.vertices - white.vertices, axis=1)
    return moved, (
        f"{white.name}: {int((thickness < _THINNEST).sum())} vertices closer to the pial surface than {_THINNEST:g} mm "
        f"moved inwards, farthest {far.max():.2g} mm"
    )


def _check(surfaces: Mapping[str, Surface]) -> None:
    """Raise if a surface is open or flipped, or crosses another; the cortex is made of them before the head is."""
    for surface in surfaces.values():
        check_surface(surface)
    try:
        check_crossings(list(surfaces.values()))
    except ValueError as error:
        raise ValueError(
            f"{error} Surfaces of FreeSurfer and of the watershed often touch, pial and white surface at the medial "
            "wall above all: repair=True moves them apart (meshes.repair)."
        ) from None


def _regions(folder: Path, given: Mapping[str, Surface], mended: Mapping[str, Surface]) -> dict[str, IndexArray]:
    """Return the labels of both hemispheres as regions of the cortex, the left one's vertices first."""
    regions: dict[str, IndexArray] = {}
    first = 0
    for side in _SIDES:
        pial, now = given[f"pial_{side}"], mended[f"pial_{side}"]
        old = _old_vertices(pial, now)
        for region, vertices in _labels(folder / "label", side, len(pial.vertices)).items():
            kept = vertices if old is None else np.flatnonzero(np.isin(old, vertices))
            if len(kept):
                regions[region] = kept + first
        first += len(now.vertices)
    return regions


def _old_vertices(pial: Surface, now: Surface) -> IndexArray | None:
    """Return the nearest old vertex of each vertex of a mended surface; None if they are the same ones."""
    if np.array_equal(pial.triangles, now.triangles):
        return None
    from scipy.spatial import KDTree  # here, so that importing the package loads no SciPy

    return np.asarray(KDTree(pial.vertices).query(now.vertices)[1], dtype=np.int64)


def _labels(folder: Path, side: str, count: int) -> dict[str, IndexArray]:
    """Return the vertices of each region of a hemisphere."""
    regions = {}
    for file in sorted(folder.glob(f"{side}.*")):
        # Labels of the surface before its topology was fixed count other vertices.
        if ".nofix." in file.name or file.suffix not in (".annot", ".label", ".gii"):
            continue
        found = read_annotation(file)
        if found.n_vertices not in (None, count):
            raise ValueError(
                f"{file.name} must label the {count} vertices of {side}.pial; got {found.n_vertices}. It belongs to "
                "another surface: take it away, or map it with mri_surf2surf."
            )
        for label, vertices in found.labels.items():
            if vertices[-1] >= count:
                raise ValueError(
                    f"{file.name} must label vertices from 0 to {count - 1} of {side}.pial; got {vertices[-1]}."
                )
            region = region_names(file.name, label, _SIDES[side])
            if region is not None:
                regions[region] = vertices
    return regions


def _talairach(folder: Path) -> dict[str, str]:
    """Return the affine map from scanner RAS to MNI305 as JSON, if the folder has one."""
    file = folder / "mri" / "transforms" / "talairach.xfm"
    if not file.is_file():
        return {}
    found = re.search(rb"Linear_Transform\s*=([^;]*);", file.read_bytes())
    values: FloatArray = numbers(found[1], file.name) if found else np.zeros(0)
    if len(values) != 12 or not np.isfinite(values).all():
        raise ValueError(
            f"{file.name} must hold a Linear_Transform of three rows of four numbers; got {len(values)} numbers."
        )
    return {"talairach": json.dumps([*values.reshape(3, 4).tolist(), [0.0, 0.0, 0.0, 1.0]])}


def _fiducials(folder: Path, geometry: Geometry | None) -> dict[str, FloatArray]:
    """Return nasion and preauricular points (mm, scanner RAS), if MNE has written them."""
    for file in sorted((folder / "bem").glob("*-fiducials.fif")):
        if geometry is None:
            raise ValueError(
                f"{file.name} must be moved to scanner RAS by mri/orig.mgz; got none. Copy it into the folder."
            )
        rotation, centre = geometry
        found = parse_fiducials(file.read_bytes(), file.name)
        return {key: rotation @ point + centre for key, point in found.items()}
    return {}


def _digest(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
