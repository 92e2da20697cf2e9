"""Read maps to MNI space: SimNIBS' fields and matrices, FreeSurfer's talairach.xfm.

Notes
-----
SimNIBS writes into m2m_SUBJECT/toMNI: Conform2MNI_nonl.nii.gz, on the grid of the T1, whose voxels hold MNI152
coordinates, and MNI2Conform_nonl.nii.gz, on a grid in MNI152, whose voxels hold coordinates in the head; older versions
also MNI2conform_12DOF.txt and MNI2conform_6DOF.txt, matrices from MNI152 to the head. All mm.

FreeSurfer's mri/transforms/talairach.xfm is a text: after "Linear_Transform =" three rows of four numbers and a
semicolon, from scanner RAS to MNI305. Surface RAS, in which MNE's and FreeSurfer's own tools work, differs by the place
of the volume's middle, which mri/orig.mgz holds (CoordinateSystems, case 2, of FreeSurfer's pages).
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Any, Literal

import numpy as np

from meshes import arrays
from meshes.anatomy.mni import MNI305_TO_MNI152, MniAffine, inverse_affine
from meshes.anatomy.warps import CoordinateField, MniWarp
from meshes.arrays import FloatArray

__all__ = ["read_mni_transform"]

Kind = Literal["nonlinear", "12dof", "6dof"]

_FORWARD = ("Conform2MNI_nonl.nii.gz", "Conform2MNI_nonl.nii")
_BACKWARD = ("MNI2Conform_nonl.nii.gz", "MNI2Conform_nonl.nii")
_MATRICES = {"12dof": "MNI2conform_12DOF.txt", "6dof": "MNI2conform_6DOF.txt"}
_XFM = Path("mri") / "transforms" / "talairach.xfm"

# A field of 384 voxels each way takes this much; a header that promises more is wrong. Deflate packs 1032 to 1 at most.
_MOST_BYTES = 384**3 * 3 * 4
_PACKED = 1032
_MOST_TEXT = 1 << 16


def read_mni_transform(
    path: str | os.PathLike[str],
    *,
    kind: Kind | None = None,
    frame: Literal["scanner", "surface"] = "scanner",
    outside: Literal["error", "affine"] = "error",
) -> MniAffine | MniWarp:
    """Read the map between a head and MNI152 space that another program found.

    Parameters
    ----------
    path : path-like
        A SimNIBS folder m2m_SUBJECT or its toMNI, or one of the files Conform2MNI_nonl.nii.gz, MNI2Conform_nonl.nii.gz,
        MNI2conform_12DOF.txt, MNI2conform_6DOF.txt in it; a FreeSurfer subject's folder, or its talairach.xfm.
    kind : {"nonlinear", "12dof", "6dof"}, optional
        Which of SimNIBS' maps; by default the first of these that is there.
    frame : {"scanner", "surface"}, optional
        The head's coordinates, for FreeSurfer: scanner RAS, which `meshes.read_surface` returns, or surface RAS, as in
        MNE's -bem.fif; the latter needs mri/orig.mgz.
    outside : {"error", "affine"}, optional
        What the non-linear map does with points outside its fields: see `meshes.anatomy.warps.MniWarp`.

    Returns
    -------
    MniAffine or MniWarp
        With `to_mni`, `from_mni` and `source`.

    Raises
    ------
    ValueError
        If the folder holds no map, a file is damaged, truncated or larger than its size allows, or holds what cannot
        be a map between two heads (mirrored, singular, displacements, metres).
    FileNotFoundError
        If `path` does not exist.
    """
    place = Path(path)
    if not place.exists():
        raise FileNotFoundError(f"path must name a file or folder that exists; got {str(place)!r}.")
    arrays.choice(frame, "frame", ("scanner", "surface"))
    if kind is not None:
        arrays.choice(kind, "kind", ("nonlinear", *_MATRICES))
    if place.is_file():
        return _read_file(place, frame, outside)
    folder = place / "toMNI" if (place / "toMNI").is_dir() else place
    forward, backward = (_first(folder, names) for names in (_FORWARD, _BACKWARD))
    if kind in (None, "nonlinear") and (forward or backward):
        to_mni, from_mni = (read_field(file) if file else None for file in (forward, backward))
        names = " and ".join(file.name for file in (forward, backward) if file)
        return MniWarp(to_mni, from_mni, f"SimNIBS: {names}", outside)
    for wanted, name in _MATRICES.items():
        if kind in (None, wanted) and (folder / name).is_file():
            return _read_file(folder / name, frame, outside)
    if kind is None and (place / _XFM).is_file():
        return _read_file(place / _XFM, frame, outside)
    raise ValueError(
        f"path must be a folder with {_FORWARD[0]}, {_BACKWARD[0]}, {' or '.join(_MATRICES.values())} in toMNI "
        f"(SimNIBS), or with {_XFM.as_posix()} (FreeSurfer); got {place.name} without"
        f"{'' if kind is None else f' those of kind {kind!r}'}."
    )


def _first(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _read_file(file: Path, frame: str, outside: Literal["error", "affine"]) -> MniAffine | MniWarp:
    """Return the map of one file, known by its name."""
    name = file.name.lower()
    if name.endswith(".xfm"):
        matrix = MNI305_TO_MNI152 @ _xfm(file)
        if frame == "surface":
            matrix = matrix @ _surface_to_scanner(file.parent.parent / "orig.mgz")
        return _affine(matrix, f"FreeSurfer: {file.name}, then MNI305 to MNI152", file)
    if name.startswith("mni2conform") and name.endswith(".txt"):
        back = _numbers(_text(file), file.name, (4, 4))
        checked = _affine(back, "", file).matrix
        return MniAffine(inverse_affine(checked), f"SimNIBS: {file.name}")
    if name.endswith((".nii", ".nii.gz")):
        if "conform2mni" in name:
            return MniWarp(read_field(file), None, f"SimNIBS: {file.name}", outside)
        if "mni2conform" in name:
            return MniWarp(None, read_field(file), f"SimNIBS: {file.name}", outside)
    raise ValueError(
        "path must be called Conform2MNI... or MNI2Conform... (.nii.gz), MNI2conform... (.txt) or ... .xfm, which "
        f"tells which way the map goes; got {file.name}."
    )


def _affine(matrix: FloatArray, source: str, file: Path) -> MniAffine:
    try:
        return MniAffine(matrix, source)
    except ValueError as error:
        raise ValueError(f"{file.name}: {error}") from None


def _text(file: Path) -> str:
    content = file.read_bytes()
    if len(content) > _MOST_TEXT or b"\0" in content:
        raise ValueError(f"{file.name} must be a short text with a matrix; got {len(content)} bytes, or binary ones.")
    return content.decode("utf-8", errors="replace")


def _numbers(text: str, name: str, shape: tuple[int, int]) -> FloatArray:
    """Return the numbers of a text as a matrix."""
    try:
        values = np.array([float(word) for word in text.split()])
    except ValueError:
        raise ValueError(f"{name} must hold {shape[0]} rows of {shape[1]} numbers; got {text[:40]!r}.") from None
    if values.size != shape[0] * shape[1]:
        raise ValueError(f"{name} must hold {shape[0]} rows of {shape[1]} numbers; got {values.size} numbers.")
    return values.reshape(shape)


def _xfm(file: Path) -> FloatArray:
    """Return the matrix, shape (4, 4), of a linear MNI transform file."""
    text = _text(file)
    _, mark, rest = text.partition("Linear_Transform")
    if not text.lstrip().startswith("MNI Transform File") or not mark:
        raise ValueError(
            f"{file.name} must begin with 'MNI Transform File' and hold a Linear_Transform; got {text[:40]!r}."
        )
    numbers = rest.partition("=")[2].partition(";")[0]
    return np.vstack([_numbers(numbers, file.name, (3, 4)), [0.0, 0.0, 0.0, 1.0]])


def _surface_to_scanner(file: Path) -> FloatArray:
    """Return the map, shape (4, 4), from surface RAS to scanner RAS of a FreeSurfer subject."""
    from nibabel.freesurfer.mghformat import MGHImage  # here, so that importing the package is fast

    if not file.is_file():
        raise ValueError(f'frame "surface" needs the volume mri/orig.mgz of the subject; got no {file.name} there.')
    try:
        header: Any = MGHImage.from_filename(file).header
        scanner, surface = header.get_vox2ras(), header.get_vox2ras_tkr()
        return np.asarray(scanner @ np.linalg.inv(surface), dtype=np.float64)
    except (OSError, EOFError, ValueError, zlib.error, np.linalg.LinAlgError) as error:
        raise ValueError(f"{file.name} must be a FreeSurfer volume; got one that cannot be read ({error}).") from None


def read_field(file: Path) -> CoordinateField:
    """Read a NIfTI image of coordinates, shape (nx, ny, nz, 3) or (nx, ny, nz, 1, 3), as a `CoordinateField`.

    Raises
    ------
    ValueError
        If the file is no such image, is truncated, or its header promises more than the file can hold or than 0.7 GB;
        the latter before anything is read.
    """
    from nibabel.filebasedimages import ImageFileError
    from nibabel.nifti1 import Nifti1Image
    from nibabel.spatialimages import HeaderDataError
    from nibabel.wrapstruct import WrapStructError

    damaged = (ImageFileError, HeaderDataError, WrapStructError, OSError, EOFError, zlib.error, ValueError, TypeError)
    kind: Any = Nifti1Image
    try:
        image: Any = kind.from_filename(file)
        shape, item = tuple(map(int, image.shape)), image.header.get_data_dtype()
    except damaged as error:
        raise ValueError(f"{file.name} must be a NIfTI image; got one that cannot be read ({error}).") from None
    if len(shape) not in (4, 5) or shape[-1] != 3 or (len(shape) == 5 and shape[3] != 1) or min(shape) < 1:
        raise ValueError(f"{file.name} must hold coordinates, shape (nx, ny, nz, 3); got shape {shape}.")
    if item.kind not in "fiu":
        raise ValueError(f"{file.name} must hold real numbers; got {item}.")
    voxels = int(np.prod([float(count) for count in shape]))
    room = file.stat().st_size * (_PACKED if file.name.lower().endswith(".gz") else 1)
    if 4 * voxels > _MOST_BYTES or voxels * item.itemsize > room:
        raise ValueError(
            f"{file.name} must have a shape that the file has room for, at most {_MOST_BYTES // 12:,} voxels; got "
            f"{shape} in {file.stat().st_size:,} bytes. The file is truncated or its header wrong."
        )
    try:
        values = np.asarray(image.dataobj, dtype=np.float32).reshape(*shape[:3], 3)
    except damaged as error:
        raise ValueError(f"{file.name} must hold {shape} numbers; got fewer ({error}). It is truncated.") from None
    return CoordinateField(values, np.asarray(image.affine, dtype=np.float64), file.name)
