"""Read FreeSurfer's triangle surfaces, and find out where they lie in the scanner."""

import re
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from meshes import arrays
from meshes.arrays import FloatArray
from meshes.files import polygons
from meshes.files.npz import first_line

__all__ = ["FREESURFER_MAGIC", "Geometry", "geometry_of_volume", "parse_freesurfer"]

Arrays = tuple[FloatArray, npt.NDArray[np.int64]]
Geometry = tuple[FloatArray, FloatArray]

# FreeSurfer's surfaces have no extension: lh.pial, outer_skull.surf, ...
FREESURFER_MAGIC = b"\xff\xff\xfe"
# Axes of FreeSurfer's surface coordinates in those of a conformed volume: x left, y down, z to the front.
_CONFORMED = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
# What nibabel and NumPy raise on damaged volumes.
_VOLUME_ERRORS = (ValueError, TypeError, KeyError, EOFError, OSError, OverflowError, zlib.error, struct.error)


def parse_freesurfer(data: bytes, name: str, *, geometry: Geometry | None = None) -> Arrays:
    """Return a FreeSurfer triangle surface in scanner RAS.

    Parameters
    ----------
    data : bytes
        The file.
    name : str
        The file's name, for messages.
    geometry : tuple of ndarray, shape (3, 3), and ndarray, shape (3,), optional
        Rotation and shift (mm) from surface RAS to scanner RAS, for a file that does not say them itself.

    Returns
    -------
    vertices : ndarray, shape (n_vertices, 3)
        Positions (mm).
    triangles : ndarray of int, shape (n_triangles, 3)

    Raises
    ------
    ValueError
        If the file is damaged or shorter than its counts say, or nobody says where its volume lies.
    """
    # Magic, a line of comment, an empty line (or the end of a second one), two counts, positions, triangles, footer.
    start = data.find(b"\n", 3)
    start = data.find(b"\n", start + 1) + 1 if start >= 0 else 0
    if start == 0 or len(data) < start + 8:
        raise ValueError(f"{name} must be a FreeSurfer surface with a comment and two counts; got {len(data)} bytes.")
    n_vertices, n_triangles = (int(count) for count in np.frombuffer(data, ">i4", 2, start))
    end = start + 8 + 12 * (n_vertices + n_triangles)
    if n_vertices < 0 or n_triangles < 0 or end > len(data):
        raise ValueError(
            f"{name} must hold {n_vertices} vertices and {n_triangles} triangles, as its counts say; got {len(data)} "
            "bytes. The file is truncated or damaged."
        )
    points = polygons.doubles(np.frombuffer(data, ">f4", 3 * n_vertices, start + 8)).reshape(-1, 3)
    triangles = np.frombuffer(data, ">i4", 3 * n_triangles, end - 12 * n_triangles).reshape(-1, 3).astype(np.int64)
    rotation, centre = _volume_geometry(data[end:].decode("ascii", "replace"), name, geometry)
    return points @ rotation.T + centre, triangles


def _volume_geometry(footer: str, name: str, otherwise: Geometry | None) -> Geometry:
    """Return rotation and shift (mm) from surface RAS to scanner RAS, from the footer of a FreeSurfer surface.

    Vox2ras and its counterpart for surfaces map the volume's middle voxel to c_ras and to 0, and steps along the voxel
    axes to the volume's axes and to those of a conformed volume; the voxel sizes and counts cancel.
    """
    found = {}
    for key in ("xras", "yras", "zras", "cras"):
        line = re.search(rf"^{key}\s*=(.*)$", footer, re.MULTILINE)
        if line:
            found[key] = arrays.vector(polygons.numbers(line[1].encode(), f"{name}, {key},"), f"{key} of {name}")
    if len(found) < 4 or not re.search(r"valid\s*=\s*1\b", footer):
        if otherwise is not None:
            return otherwise
        raise ValueError(
            f"{name} must say where its volume lies (valid = 1, xras, yras, zras, cras), to be moved to scanner RAS; "
            f"got {', '.join(found) or 'nothing'}. Convert it with mris_convert --to-scanner to GIFTI."
        )
    axes = np.stack([found["xras"], found["yras"], found["zras"]], axis=1)
    rotation = axes @ np.linalg.inv(_CONFORMED)
    if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3):
        raise ValueError(
            f"{name} must have orthogonal unit vectors xras, yras and zras; got {axes.T.round(3).tolist()}."
        )
    return rotation, found["cras"]


def geometry_of_volume(path: Path) -> Geometry:
    """Return rotation and shift (mm) from surface RAS to scanner RAS, from a FreeSurfer volume's header.

    Parameters
    ----------
    path : Path
        mri/orig.mgz or another volume in FreeSurfer's own format.

    Returns
    -------
    tuple of ndarray, shape (3, 3), and ndarray, shape (3,)

    Raises
    ------
    ValueError
        If it cannot be read, or its axes are not orthogonal.
    """
    from nibabel.filebasedimages import ImageFileError  # here, so that importing the package is fast
    from nibabel.freesurfer import mghformat
    from nibabel.spatialimages import HeaderDataError

    loaded: Any = mghformat
    try:
        header = loaded.MGHImage.load(path).header  # the voxels are not read
        moved = np.asarray(header.get_affine() @ np.linalg.inv(header.get_vox2ras_tkr()), dtype=np.float64)
    except (*_VOLUME_ERRORS, np.linalg.LinAlgError, ImageFileError, HeaderDataError) as error:
        raise ValueError(f"{path.name} must be a FreeSurfer volume; got a damaged one ({first_line(error)}).") from None
    rotation, shift = np.ascontiguousarray(moved[:3, :3]), np.ascontiguousarray(moved[:3, 3])
    if not np.isfinite(moved).all() or not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3):
        raise ValueError(f"{path.name} must have orthogonal axes of unit length; got {rotation.round(3).tolist()}.")
    return rotation, shift
