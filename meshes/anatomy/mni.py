"""Map points between a head and MNI152 space.

Notes
-----
FreeSurfer's average (fsaverage, `talairach.xfm`) lives in MNI305 space, which differs from MNI152 by up to 4 mm; the
matrix between the two is that of FreeSurfer's page CoordinateSystems, case 8, from its file mni152.register.dat. The
page prints the inverse as well (8b); the two agree to the printed digits.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from meshes import arrays
from meshes.arrays import FloatArray
from meshes.head import HeadModel
from meshes.registry import HEADS

if TYPE_CHECKING:
    from meshes.anatomy.warps import MniWarp

__all__ = ["FIDUCIALS_MNI152", "MNI305_TO_MNI152", "MniAffine", "mni_transform"]

MNI305_TO_MNI152: FloatArray = np.array(
    [
        [0.9975, -0.0073, 0.0176, -0.0429],
        [0.0146, 1.0009, -0.0024, 1.5496],
        [-0.0130, -0.0093, 0.9971, 1.1840],
        [0.0, 0.0, 0.0, 1.0],
    ]
)
"""From MNI305 (fsaverage) to MNI152 (mm)."""

FIDUCIALS_MNI152 = {
    "nasion": (0.0, 82.9, -43.0),
    "inion": (0.0, -116.2, -30.5),
    "lpa": (-79.6, -20.6, -48.6),
    "rpa": (80.6, -20.6, -48.1),
}
"""Nasion, inion and preauricular points of MNI152 (mm): those of the 10-10 positions after Jurcak et al. 2007 and
Cutini et al. 2011 as SimNIBS lists them (ElectrodeCaps_MNI)."""

# Stretches that no map between two adult heads has; a matrix in metres or of voxels has others.
_STRETCH = (0.4, 2.5)

# Found on the standard resolution by meshes.anatomy.fitting.estimate_mni_affine, as tests/test_meshes_mni.py finds it
# again (mm, to MNI152). The commissures of the T1 come to lie 2.5 and 3.4 mm from where MNI152 has them.
_PYCORTEX: FloatArray = np.array(
    [
        [1.05938, -0.01684, 0.02895, -0.02894],
        [0.04604, 1.06132, 0.23444, -38.19875],
        [-0.01759, -0.22599, 1.0684, 9.0913],
        [0.0, 0.0, 0.0, 1.0],
    ]
)
_PYCORTEX_RESIDUAL = 3.2


@dataclass(frozen=True, eq=False)
class MniAffine:
    """An affine map from a head to MNI152 space.

    Parameters
    ----------
    matrix : array_like, shape (4, 4)
        From the head's coordinates to MNI152 (mm).
    source : str
        Where the map comes from, a sentence for reports.
    residual : float or None, optional
        If it was fitted: root mean square of what separates the fitted surfaces (mm). Not the error at a point.

    Raises
    ------
    ValueError
        If the matrix is not of shape (4, 4), not finite, not affine, mirrors, or stretches by less than 0.4 or more
        than 2.5.

    Examples
    --------
    >>> MniAffine(MNI305_TO_MNI152, "fsaverage").to_mni([[10, -20, 35]]).round(2)
    array([[ 10.69, -18.41,  36.14]])
    """

    matrix: FloatArray
    source: str
    residual: float | None = None
    _inverse: FloatArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        matrix = check_affine(self.matrix, "matrix")
        object.__setattr__(self, "matrix", matrix)
        object.__setattr__(self, "_inverse", inverse_affine(matrix))

    def to_mni(self, points: npt.ArrayLike) -> FloatArray:
        """Return points of the head, shape (n, 3), in MNI152 space (mm)."""
        return apply_affine(self.matrix, arrays.vectors(points, "points"))

    def from_mni(self, points: npt.ArrayLike) -> FloatArray:
        """Return points of MNI152 space, shape (n, 3), in the head (mm)."""
        return apply_affine(self._inverse, arrays.vectors(points, "points"))


def mni_transform(head: HeadModel, *, path: str | os.PathLike[str] | None = None) -> MniAffine | MniWarp:
    """Return the map between a head and MNI152 space, the best that is known.

    Parameters
    ----------
    head : HeadModel
        The head.
    path : path-like, optional
        Folder or file with its map: a SimNIBS folder m2m_SUBJECT, a FreeSurfer subject, ...; see
        `meshes.anatomy.mni_files.read_mni_transform`.

    Returns
    -------
    MniAffine or MniWarp
        With `to_mni`, `from_mni` and `source`, which says which it is: read from `path`; else, for heads that ship with
        the package, the registered one; else that of the folder from which `meshes.read_head` read the head (FreeSurfer
        or SimNIBS, if it has one and is still there); else estimated from the shape of the brain
        (`meshes.anatomy.fitting.estimate_mni_affine`).

    Raises
    ------
    ValueError
        If there is no file and the head has neither a brain's shape nor fiducials to estimate the map from.
    TypeError
        If `head` is something else.

    Examples
    --------
    >>> import meshes
    >>> mni_transform(meshes.load_head("fsaverage")).source
    'fsaverage is in MNI305 space; MNI305 to MNI152 by the matrix of FreeSurfer'
    """
    if not isinstance(head, HeadModel):
        raise TypeError(f"head must be a meshes.HeadModel; got {type(head).__name__}.")
    if path is not None:
        from meshes.anatomy.mni_files import read_mni_transform  # here, because it imports this module

        return read_mni_transform(path)
    if _ships(head) and head.name == "fsaverage":
        return MniAffine(MNI305_TO_MNI152, "fsaverage is in MNI305 space; MNI305 to MNI152 by the matrix of FreeSurfer")
    if _ships(head) and head.name == "pycortex":
        source = "registered for pycortex: affine that lays its brain over fsaverage's, then MNI305 to MNI152"
        return MniAffine(_PYCORTEX, source, _PYCORTEX_RESIDUAL)
    from meshes.anatomy.fitting import estimate_mni_affine  # here, because it imports this module

    return _as_read(head) or estimate_mni_affine(head)


def _as_read(head: HeadModel) -> MniAffine | MniWarp | None:
    """Return the map that came with a head's folder: FreeSurfer's in the provenance, SimNIBS' beside the mesh."""
    from meshes.anatomy.mni_files import read_mni_transform  # here, because it imports this module

    if "talairach" in head.provenance:
        matrix = check_affine(json.loads(head.provenance["talairach"]), f"talairach.xfm of {head.name}")
        return MniAffine(MNI305_TO_MNI152 @ matrix, "FreeSurfer: talairach.xfm, then MNI305 to MNI152")
    mesh = Path(head.provenance.get("source", ""))
    if mesh.suffix == ".msh" and mesh.is_file() and (mesh.parent / "toMNI").is_dir():
        return read_mni_transform(mesh.parent)
    return None


def _ships(head: HeadModel) -> bool:
    """Tell whether a head is one that ships with the package, in its own frame."""
    return any((entry.name, entry.sha256) == (head.name, head.provenance.get("sha256")) for entry in HEADS)


def apply_affine(matrix: FloatArray, points: FloatArray) -> FloatArray:
    """Return points, shape (n, 3), moved by an affine matrix, shape (4, 4)."""
    moved: FloatArray = points @ matrix[:3, :3].T + matrix[:3, 3]
    return np.ascontiguousarray(moved)


def inverse_affine(matrix: FloatArray) -> FloatArray:
    """Return the inverse of an affine matrix, shape (4, 4)."""
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


def check_affine(value: npt.ArrayLike, name: str) -> FloatArray:
    """Return an affine matrix between two heads, shape (4, 4); raise `ValueError` if it cannot be one."""
    try:
        matrix = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a matrix of shape (4, 4); got {type(value).__name__}.") from None
    if matrix.shape != (4, 4):
        raise ValueError(f"{name} must be a matrix of shape (4, 4); got shape {matrix.shape}.")
    if not np.isfinite(matrix).all():
        raise ValueError(f"{name} must be finite; got NaN or infinity.")
    if not np.allclose(matrix[3], [0.0, 0.0, 0.0, 1.0], rtol=0.0, atol=1e-9):
        raise ValueError(f"{name} must end with the row 0 0 0 1; got {matrix[3].tolist()}. Is it transposed?")
    stretch = np.linalg.svd(matrix[:3, :3])[1]
    if stretch[-1] < _STRETCH[0] or stretch[0] > _STRETCH[1]:
        raise ValueError(
            f"{name} must stretch a head by {_STRETCH[0]} to {_STRETCH[1]}; got {stretch[-1]:.3g} to {stretch[0]:.3g}. "
            "Does it map mm to mm, and not voxels or metres, or displacements?"
        )
    if np.linalg.det(matrix[:3, :3]) < 0.0:
        raise ValueError(
            f"{name} must keep left and right apart; got a matrix that mirrors, determinant "
            f"{np.linalg.det(matrix[:3, :3]):.3g}. Is one side LAS or LPS instead of RAS?"
        )
    return matrix
