"""Read a label volume, and make it fit for surfaces: one head without holes, islands or voxels that touch at edges."""

import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from meshes import arrays
from meshes.arrays import FloatArray

__all__ = ["LabelVolume", "cleaned", "read_volume", "resampled"]

LabelArray = npt.NDArray[np.int32]
TissueArray = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]

_MOST_VOXELS = 600_000_000
_VOXEL_SIZES = (0.1, 5.0)
_SHEAR = 2e-3
"""Greatest cosine between voxel axes; files keep affines in single precision."""


@dataclass(frozen=True, eq=False)
class LabelVolume:
    """Whole numbers on a grid of voxels.

    Parameters
    ----------
    values : ndarray of int32, shape (nx, ny, nz)
        Labels.
    affine : ndarray, shape (4, 4)
        Voxel indices to mm, without shear; it may mirror.
    """

    values: LabelArray
    affine: FloatArray

    @property
    def spacing(self) -> FloatArray:
        """Size of a voxel along each axis (mm), shape (3,)."""
        size: FloatArray = np.linalg.norm(self.affine[:3, :3], axis=0)
        return size


def read_volume(path: str | os.PathLike[str]) -> LabelVolume:
    """Read a label volume, NIfTI or MGH.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    LabelVolume

    Raises
    ------
    ValueError
        If the file is damaged or too large, has more than three dimensions, values that are no labels, or an affine
        with shear or without volume.
    FileNotFoundError
        If there is no file.
    """
    # Here, so that importing the package loads no nibabel.
    import nibabel

    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"path must be a file that exists; got {str(file)!r}.")
    damaged = f"{file.name} must be a NIfTI or MGH volume; got a file that cannot be read"
    try:
        image: Any = nibabel.load(file)
        shape = tuple(map(int, image.shape))
    except (nibabel.filebasedimages.ImageFileError, OSError, ValueError, EOFError, zlib.error, TypeError) as error:
        raise ValueError(f"{damaged} ({str(error)[:80]}).") from None
    if shape[3:] and any(size != 1 for size in shape[3:]):
        raise ValueError(
            f"{file.name} must have three dimensions, a label per voxel; got shape {shape}. Take one volume of it, for "
            "example the most probable tissue."
        )
    shape = (*shape, 1, 1, 1)[:3]
    if min(shape) < 2 or np.prod([float(size) for size in shape]) > _MOST_VOXELS:
        raise ValueError(
            f"{file.name} must have at least 2 voxels along each axis and at most {_MOST_VOXELS:,} in all; got {shape}."
        )
    affine = _checked_affine(np.asarray(image.affine, dtype=np.float64), file.name)
    try:
        values = np.asanyarray(image.dataobj).reshape(shape)
    except (OSError, ValueError, EOFError, zlib.error, MemoryError) as error:
        raise ValueError(f"{damaged} ({str(error)[:80]}).") from None
    return LabelVolume(_checked_values(values, file.name), affine)


def _checked_affine(affine: FloatArray, name: str) -> FloatArray:
    """Return an affine that turns, scales and mirrors only."""
    axes = affine[:3, :3]
    size = np.linalg.norm(axes, axis=0)
    if not np.isfinite(affine).all() or abs(np.linalg.det(axes)) <= 1e-9 * float(np.prod(size)):
        raise ValueError(f"affine of {name} must be invertible; got {np.round(affine[:3], 4).tolist()}.")
    if size.min() < _VOXEL_SIZES[0] or size.max() > _VOXEL_SIZES[1]:
        raise ValueError(
            f"voxels of {name} must be {_VOXEL_SIZES[0]:g} to {_VOXEL_SIZES[1]:g} mm large; got "
            f"{', '.join(f'{edge:.3g}' for edge in size)}. Is its affine in mm?"
        )
    cosines = np.abs((axes / size).T @ (axes / size) - np.eye(3)).max()
    if cosines > _SHEAR:
        raise ValueError(
            f"affine of {name} must have voxel axes at right angles; got a cosine of {cosines:.3g} between two. "
            "Resample the volume to a grid without shear."
        )
    return affine


def _checked_values(values: npt.NDArray[np.generic], name: str) -> LabelArray:
    """Return labels as whole numbers."""
    if not (np.issubdtype(values.dtype, np.integer) or np.issubdtype(values.dtype, np.floating)):
        raise ValueError(f"values of {name} must be labels, whole numbers; got {values.dtype}.")
    numbers = values.astype(np.float64) if np.issubdtype(values.dtype, np.floating) else values
    if not np.isfinite(numbers).all():
        raise ValueError(f"values of {name} must be labels; got {int((~np.isfinite(numbers)).sum())} voxels of NaN.")
    odd = numbers != np.rint(numbers)
    if odd.any():
        raise ValueError(
            f"values of {name} must be labels, whole numbers; got {float(numbers[odd][0]):.4g} and "
            f"{int(odd.sum()) - 1} more that are not. Is it an image or a probability? Labels are resampled by "
            "nearest neighbours."
        )
    low, high = float(numbers.min()), float(numbers.max())
    if low < 0.0 or high >= 2.0**31:
        raise ValueError(f"values of {name} must be labels from 0 to {2**31 - 1}; got {low:g} to {high:g}.")
    if low == high:
        raise ValueError(f"{name} must hold several labels; got {low:g} in all {numbers.size} voxels.")
    return numbers.astype(np.int32)


def resampled(tissues: TissueArray, affine: FloatArray, spacing: float) -> tuple[TissueArray, FloatArray]:
    """Return the most likely tissue on a grid of another spacing, with the same axes.

    Parameters
    ----------
    tissues : ndarray of uint8, shape (nx, ny, nz)
        Tissue of each voxel.
    affine : ndarray, shape (4, 4)
        Voxel indices to mm.
    spacing : float
        Edge of the new voxels (mm).

    Returns
    -------
    tissues : ndarray of uint8
        On the new grid, which covers the same box.
    affine : ndarray, shape (4, 4)
        Of the new grid.

    Notes
    -----
    Each tissue's share is averaged over the new voxel (by a Gaussian) and interpolated linearly; the largest wins.
    Layers thinner than half a new voxel are lost.
    """
    # Here, so that importing the package loads no SciPy.
    from scipy.ndimage import gaussian_filter, map_coordinates

    old = np.linalg.norm(affine[:3, :3], axis=0)
    ratio = spacing / old
    count = np.maximum(np.ceil(np.array(tissues.shape) / ratio - 1e-6).astype(int), 2)
    at = [ratio[k] * (np.arange(count[k]) + 0.5) - 0.5 for k in range(3)]
    grid = np.meshgrid(*at, indexing="ij")
    best, winner = np.full(tuple(count), -1.0, dtype=np.float32), np.zeros(tuple(count), dtype=np.uint8)
    width = 0.5 * np.sqrt(np.maximum(ratio**2 - 1.0, 0.0))
    for tissue in np.unique(tissues):
        share = gaussian_filter((tissues == tissue).astype(np.float32), width, mode="nearest")
        value = map_coordinates(share, grid, order=1, mode="nearest")
        larger = value > best
        best[larger], winner[larger] = value[larger], tissue
    moved = affine.copy()
    moved[:3, :3] = affine[:3, :3] * ratio
    moved[:3, 3] = affine[:3, 3] + affine[:3, :3] @ (0.5 * ratio - 0.5)
    return winner, moved


def cleaned(
    tissues: TissueArray, names: Mapping[int, str], *, smallest: int = 20
) -> tuple[TissueArray, dict[str, int]]:
    """Return a volume that is one head, and how many voxels of what were changed for that.

    Parameters
    ----------
    tissues : ndarray of uint8, shape (nx, ny, nz)
        Tissue of each voxel; 0 is air.
    names : mapping of int to str
        Names of the tissues.
    smallest : int, optional
        Pieces of a tissue with fewer voxels are joined to what surrounds them.

    Returns
    -------
    tissues : ndarray of uint8
        The largest connected piece of the head, without air inside that has no way out, without small pieces of a
        tissue, and without voxels of head, or of air, that touch at an edge only.
    changed : dict of str to int
        Number of voxels by what was done.
    """
    from scipy.ndimage import label as pieces_of

    result = np.pad(tissues, 2)  # a way for the air around the head
    changed: dict[str, int] = {}
    piece, count = pieces_of(result > 0)
    if count > 1:
        sizes = np.bincount(piece.ravel())
        sizes[0] = 0
        loose = (result > 0) & (piece != int(sizes.argmax()))
        changed["apart from the head, left out"] = int(loose.sum())
        result[loose] = 0
    islands = np.zeros(result.shape, dtype=np.bool_)
    for tissue in names:
        piece, count = pieces_of(result == tissue)
        small = np.bincount(piece.ravel(), minlength=count + 1) < smallest
        small[0] = False
        found = small[piece]
        if tissue and found.any():
            changed[f"small pieces of {names[tissue]}, joined to their surroundings"] = int(found.sum())
            islands |= found
    result = _nearest(result, islands)
    holes = _enclosed_air(result)
    if holes.any():
        changed["air inside, filled with the nearest tissue"] = int(holes.sum())
        result = _nearest(result, holes | (result == 0), only=holes)
    result, filled = _without_edge_contacts(result)
    if filled:
        changed["air between voxels that touch at an edge, filled"] = filled
    return result, changed


def _enclosed_air(tissues: TissueArray) -> BoolArray:
    from scipy.ndimage import label as pieces_of

    piece, _ = pieces_of(tissues == 0)
    enclosed: BoolArray = (piece > 0) & (piece != piece[0, 0, 0])
    return enclosed


def _nearest(tissues: TissueArray, unknown: BoolArray, *, only: BoolArray | None = None) -> TissueArray:
    """Return the volume with unknown voxels, or only some of them, set to the nearest that is known."""
    from scipy.ndimage import distance_transform_edt

    if not unknown.any():
        return tissues
    index = distance_transform_edt(unknown, return_distances=False, return_indices=True)
    where = unknown if only is None else only
    result = tissues.copy()
    result[where] = tissues[tuple(index[:, where])]
    return result


def _without_edge_contacts(tissues: TissueArray) -> tuple[TissueArray, int]:
    """Fill air until no two voxels of the head, or of the air, touch at an edge only: the outside is a manifold."""
    result = tissues.copy()
    filled = 0
    while True:
        contact = np.zeros(result.shape, dtype=np.bool_)
        for first, second in ((0, 1), (0, 2), (1, 2)):
            shift = [[slice(None)] * 3 for _ in range(4)]
            for corner in range(4):
                shift[corner][first] = slice(corner & 1, result.shape[first] - 1 + (corner & 1))
                shift[corner][second] = slice(corner >> 1, result.shape[second] - 1 + (corner >> 1))
            a, b, c, d = (result[tuple(place)] > 0 for place in shift)
            contact[tuple(shift[1])] |= a & d & ~b & ~c
            contact[tuple(shift[0])] |= b & c & ~a & ~d
        contact |= _enclosed_air(result)
        if not contact.any():
            return result, filled
        filled += int(contact.sum())
        result = _nearest(result, result == 0, only=contact)


def named_spacing(spacing: float | None) -> float | None:
    """Return a wanted spacing (mm), checked."""
    if spacing is None:
        return None
    value = arrays.positive(spacing, "spacing")
    if not 0.4 <= value <= 5.0:
        raise ValueError(f"spacing must be 0.4 to 5 mm; got {value:g}.")
    return value
