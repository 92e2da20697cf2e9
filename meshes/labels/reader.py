"""Read a head from a label volume: a segmentation of SimNIBS, FreeSurfer, samseg, ROAST or another program."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from meshes import arrays
from meshes.arrays import FloatArray
from meshes.files.assembled import CortexLike, PathLike, read_cortex
from meshes.head import HeadModel
from meshes.labels.cortex import below_surface, middle_of_grey
from meshes.labels.mesh import LabelMesh
from meshes.labels.nets import surface_net
from meshes.labels.simplify import simplify
from meshes.labels.tables import LabelsLike, LabelTable, label_table
from meshes.labels.volumes import LabelVolume, cleaned, named_spacing, read_volume, resampled
from meshes.surface import Surface
from meshes.tissues import ConductivitiesLike, conductivity_choice, conductivity_provenance, conductivity_table
from meshes.touching import depths, touching_interfaces

__all__ = ["TRIANGLES", "VOLUMES", "head_from_labels", "read_labels"]

VOLUMES = (".nii", ".nii.gz", ".mgz", ".mgh")
"""How the names of label volumes end."""

TRIANGLES = 200_000

# Edge lengths around tissues relative to each other: what lies far from the brain may be coarser.
_SIZES = {"scalp": 1.6, "fat": 1.6, "muscle": 1.6, "cartilage": 1.6, "eyes": 1.6, "skull": 1.4, "compact_bone": 1.4}


@dataclass(frozen=True, eq=False)
class _Tissues:
    """Tissues on a grid: 0 is air, then from outside inwards."""

    names: tuple[str, ...]
    values: npt.NDArray[np.uint8]
    affine: FloatArray
    cortical: npt.NDArray[np.bool_] | None


def read_labels(
    path: PathLike,
    *,
    labels: LabelsLike | None = None,
    conductivities: ConductivitiesLike | None = None,
    merge: Mapping[str, str] | None = None,
    cortex: CortexLike | None = None,
    spacing: float | None = None,
    triangles: int = TRIANGLES,
    smallest: int = 20,
    name: str | None = None,
) -> HeadModel:
    """Read a head from a label volume, tissues that touch along lines included.

    Parameters
    ----------
    path : path-like
        NIfTI or MGH file with a label per voxel (.nii, .nii.gz, .mgz); its affine in mm. Voxels may be oblong, and
        mirrored, but not sheared.
    labels : str, path-like or mapping of int to str, optional
        Which tissue each label stands for: "simnibs", "freesurfer" (samseg too) or "roast"; tissues by label; or a file
        that lists them, TOML or text. By default recognised from the values, if only one table fits.
    conductivities : str, mapping of str to float, or ConductivityTable, optional
        See `meshes.read_head`.
    merge : mapping of str to str, optional
        Tissues to take as part of another, for example ``{"eyes": "scalp"}``; "air" to leave one out.
    cortex : Surface, path-like or sequence of path-like, optional
        Where fields are asked for, normals out of the brain (mm). By default the middle of the grey matter.
    spacing : float, optional
        Resample to voxels of this edge first (mm). By default the volume's own.
    triangles : int, optional
        How many triangles the surfaces shall have together.
    smallest : int, optional
        Pieces of a tissue with fewer voxels are joined to what surrounds them.
    name : str, optional
        Name of the head; by default the file's.

    Returns
    -------
    HeadModel
        The first interface is the whole boundary to the air, called "scalp", with the conductivity inside by triangle;
        then one for each tissue from outside inwards: all its triangles with shallower tissues, open where others meet.
        A volume that touches its edge, as at the neck, is closed there. ``head.provenance`` tells the table, the
        volumes and what was changed.

    Raises
    ------
    ValueError
        If the file is damaged, labels are not recognised or not known, a tissue has no conductivity, or fewer than two
        tissues are left.
    FileNotFoundError
        If there is no file.

    Notes
    -----
    Air inside the head that has no way out (sinuses) is filled with the nearest tissue: here air lies outside only. See
    `meshes.labels.nets` for the surfaces, and `meshes.labels.simplify` for how they are made fewer.
    """
    file = Path(path)
    conductivity_choice(conductivities)  # a table that does not exist is told before a large file is read
    given = None if cortex is None else (read_cortex(cortex, Path(), "mm"), "given by the caller")
    volume = read_volume(file)
    plain = file.name.removesuffix(".gz").rsplit(".", 1)[0]
    return head_from_labels(
        volume,
        label_table(labels, np.unique(volume.values).astype(np.int64), file.name),
        conductivities=conductivities,
        merge=merge,
        cortex=given,
        spacing=spacing,
        triangles=triangles,
        smallest=smallest,
        name=name or plain,
        provenance={"source": str(file), "file": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()},
    )


def head_from_labels(
    volume: LabelVolume,
    table: LabelTable,
    *,
    conductivities: ConductivitiesLike | None = None,
    merge: Mapping[str, str] | None = None,
    cortex: tuple[Surface, str] | None = None,
    spacing: float | None = None,
    triangles: int = TRIANGLES,
    smallest: int = 20,
    name: str = "labels",
    provenance: Mapping[str, str] | None = None,
) -> HeadModel:
    """Return the head of a label volume; see `read_labels`.

    Parameters
    ----------
    volume : LabelVolume
        Labels.
    table : LabelTable
        Their tissues.
    cortex : tuple of Surface and str, optional
        Where fields are asked for, and what that is.
    provenance : mapping of str to str, optional
        Where the volume comes from.
    conductivities, merge, spacing, triangles, smallest, name
        See `read_labels`.
    """
    wanted = int(arrays.positive(triangles, "triangles"))
    size = int(arrays.non_negative(smallest, "smallest"))
    tissues = _as_tissues(volume, table, merge or {}, named_spacing(spacing))
    sigmas = conductivity_table(tissues.names[1:], conductivities)
    tissues, notes = _as_one_head(tissues, size)
    if len(tissues.names) < 3:
        raise ValueError(
            f"labels must be of two tissues at least; got {tissues.names[-1]} only, after cleaning: {notes}."
        )
    mesh = surface_net(tissues.values, tissues.affine)
    sizes = np.array([_SIZES.get(tissue, 1.0) for tissue in tissues.names])
    fine = len(mesh.triangles)
    mesh = simplify(mesh, wanted, size=sizes)
    mid, how = cortex or _default_cortex(tissues, mesh)
    return HeadModel(
        name=name,
        interfaces=touching_interfaces(mesh.vertices, mesh.triangles, np.array(tissues.names)[mesh.sides], sigmas),
        cortex=mid,
        provenance=dict(provenance or {})
        | {
            "labels": f"{table.name}: {table.source}",
            "volumes": _volumes(tissues),
            "cleaned": notes,
            "surfaces": f"surface nets, {fine} triangles made {len(mesh.triangles)}",
            "cortex": how,
        }
        | conductivity_provenance(tissues.names[1:], conductivities),
    )


def _as_tissues(volume: LabelVolume, table: LabelTable, merge: Mapping[str, str], spacing: float | None) -> _Tissues:
    """Return the tissues of a volume, from outside inwards."""
    present = [int(value) for value in np.unique(volume.values)]
    tissue_of = {label: table.tissues.get(label, "air") for label in present}
    for old in merge:
        arrays.choice(old, "tissue in merge", sorted(set(tissue_of.values())))
    tissue_of = {label: merge.get(tissue, tissue) for label, tissue in tissue_of.items()}
    found = np.array(sorted(set(tissue_of.values()) - {"air"}), dtype=np.str_)
    names = ("air", *map(str, found[np.argsort(depths(found), kind="stable")]))
    if len(names) < 3:
        raise ValueError(
            f"labels must be of two tissues at least; got {', '.join(names[1:]) or 'air'} only. Surfaces of a head are "
            "those between its tissues."
        )
    of_label = np.array([names.index(tissue_of[label]) for label in present], dtype=np.uint8)
    values = of_label[np.searchsorted(present, volume.values)]
    cortical = np.isin(volume.values, list(table.cortical)) if table.cortical else None
    values, cortical, affine = _cropped(values, cortical, volume.affine)
    if spacing is not None:
        if cortical is not None:
            cortical = resampled(cortical.astype(np.uint8), affine, spacing)[0] > 0
        values, affine = resampled(values, affine, spacing)
    return _Tissues(names, values, affine, cortical)


def _cropped(
    values: npt.NDArray[np.uint8], cortical: npt.NDArray[np.bool_] | None, affine: FloatArray
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_] | None, FloatArray]:
    """Return the box of a volume that is not all air."""
    solid = values > 0
    bounds = [np.flatnonzero(solid.any(axis=others))[[0, -1]] for others in ((1, 2), (0, 2), (0, 1))]
    part = tuple(slice(int(low), int(high) + 1) for low, high in bounds)
    moved = affine.copy()
    moved[:3, 3] += affine[:3, :3] @ np.array([low for low, _ in bounds], dtype=np.float64)
    return values[part], None if cortical is None else cortical[part], moved


def _as_one_head(tissues: _Tissues, smallest: int) -> tuple[_Tissues, str]:
    """Return the tissues cleaned, with room for air around them, and what was changed."""
    values, changed = cleaned(tissues.values, dict(enumerate(tissues.names)), smallest=smallest)
    margin = (values.shape[0] - tissues.values.shape[0]) // 2
    affine = tissues.affine.copy()
    affine[:3, 3] -= margin * affine[:3, :3].sum(axis=1)
    cortical = None if tissues.cortical is None else np.pad(tissues.cortical, margin)
    voxel = abs(float(np.linalg.det(affine[:3, :3]))) / 1000.0
    present = np.unique(values)
    names = tuple(tissues.names[k] for k in present)
    values = np.searchsorted(present, values).astype(np.uint8)
    notes = "; ".join(f"{voxel * count:.3g} cm3 {what}" for what, count in changed.items())
    return _Tissues(names, values, affine, cortical), notes or "nothing to change"


def _volumes(tissues: _Tissues) -> str:
    voxel = abs(float(np.linalg.det(tissues.affine[:3, :3]))) / 1000.0
    counts = np.bincount(tissues.values.ravel(), minlength=len(tissues.names))
    return ", ".join(f"{name} {voxel * counts[k]:.4g}" for k, name in enumerate(tissues.names) if k) + " cm3"


def _default_cortex(tissues: _Tissues, mesh: LabelMesh) -> tuple[Surface, str]:
    """Return where fields are asked for, and what that is."""
    names = tissues.names
    if "grey" in names and "white" in names:
        grey, white = names.index("grey"), names.index("white")
        middle = middle_of_grey(tissues.values, tissues.affine, mesh, grey=grey, white=white, within=tissues.cortical)
        which = "cerebral cortex" if tissues.cortical is not None else "all grey matter"
        return middle, f"half-way between white matter and what lies around the grey matter; {which}"
    inner = [k for k, name in enumerate(names) if name in ("grey", "white", "brain")] or [len(names) - 1]
    depths = below_surface(np.isin(tissues.values, inner), tissues.affine)
    return depths, f"1.5 mm below the surface of {', '.join(names[k] for k in inner)}"
