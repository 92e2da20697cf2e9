"""Targets from masks: the cortex inside an image's non-zero voxels."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.targeting.target import Target, named_position
from meshes import HeadModel, Surface, arrays, closest_points

if TYPE_CHECKING:
    from nibabel.spatialimages import SpatialImage

F64 = NDArray[np.float64]

__all__ = ["target_of_mask"]

_LARGEST = 512**3
"""Voxels of the largest mask that is read."""

_NAME = "mask"


def target_of_mask(
    path: str | os.PathLike[str],
    head: HeadModel,
    *,
    radius: float = 5.0,
    direction: ArrayLike | None = None,
    name: str | None = None,
) -> Target:
    """Return the target of a mask in the head's own space.

    Parameters
    ----------
    path : str or path
        A NIfTI image (.nii, .nii.gz) whose voxels other than zero are the mask, in the head's world coordinates (mm,
        RAS): for example an activation, thresholded and registered to the image that the head was made from.
    head : HeadModel
        The head.
    radius, direction
        See `Target`.
    name : str, optional
        Name of the target; the file's by default.

    Returns
    -------
    Target
        In the middle of the half of the masked cortex that is next to the scalp; the masked cortex alone counts.

    Raises
    ------
    ValueError
        If the file is no such image, or no vertex of the cortex lies in its mask.
    OSError
        If it cannot be read.
    """
    import nibabel

    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"mask must be a NIfTI file; got {file}, which does not exist.")
    try:
        image = cast("SpatialImage", nibabel.load(file))
        shape = image.shape
        if len(shape) != 3 or int(np.prod(shape)) > _LARGEST:
            raise ValueError(f"mask must have three dimensions of at most 512 voxels; got {shape} in {file.name}.")
        values = np.asarray(image.dataobj)
        to_voxel = np.linalg.inv(np.array(image.affine, dtype=np.float64))
    except (nibabel.filebasedimages.ImageFileError, EOFError, np.linalg.LinAlgError, OSError) as error:
        raise ValueError(f"mask must be a NIfTI image; got {file.name} ({error}).") from None
    vertices = head.cortex.vertices
    voxel = np.rint(vertices @ to_voxel[:3, :3].T + to_voxel[:3, 3]).astype(np.int64)
    inside = ((voxel >= 0) & (voxel < shape)).all(axis=1)
    masked = np.zeros(len(vertices), dtype=np.bool_)
    masked[inside] = np.nan_to_num(values[tuple(voxel[inside].T)]) != 0
    indices = np.flatnonzero(masked)
    if not len(indices):
        low, high = np.round(vertices.min(axis=0)).tolist(), np.round(vertices.max(axis=0)).tolist()
        raise ValueError(
            f"mask must hold some of the cortex of {head.name}, which reaches from {low} to {high} mm; got "
            f"{file.name}, whose {int(np.count_nonzero(values))} voxels miss it. Is it in the head's own space?"
        )
    centre = named_position(head, _NAME, regions={_NAME: indices})
    own = head.cortex.triangles[masked[head.cortex.triangles].any(axis=1)]
    sheet = Surface(vertices, own, _NAME)
    return Target(
        position=closest_points(sheet, centre[None])[0][0],
        direction=None if direction is None else arrays.unit_vector(direction, "direction"),
        radius=arrays.positive(radius, "radius"),
        name=name or file.name.split(".")[0],
        region=indices,
        source=f"mask {file.name}, {len(indices)} vertices of the cortex",
    )
