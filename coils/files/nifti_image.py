"""Read and write NIfTI images of vectors, no more of a file than its header promises and its size allows."""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from coils.files import limits
from meshes.arrays import FloatArray

__all__ = ["MOST_BYTES", "MOST_DESCRIPTION", "Image", "read_image", "write_image"]

# Greatest image, as float64: 22 million vectors, half a metre each way at 2 mm.
MOST_BYTES = 1 << 29

# Bytes of the header's field "descrip" before the zero that ends it.
MOST_DESCRIPTION = 79

# Header extensions stand between header and data; those of coil files are empty.
_MOST_OFFSET = 1 << 20

# Deflate makes a run of zeros 1032 times smaller, and nothing more than that (zlib's technical notes).
_MOST_COMPRESSION = 1032

# Size of the header, the least offset of the data, and the magic of a file of one piece, by version of the format.
_VERSIONS = {348: (352, b"n+1"), 540: (544, b"n+2")}


@dataclass(frozen=True, eq=False)
class Image:
    """Vectors on a grid as a NIfTI file holds them.

    Parameters
    ----------
    values : ndarray, shape (nx, ny, nz, n_sets, 3)
        The vectors.
    affine : ndarray, shape (4, 4)
        Map from voxels to space (mm).
    description : str
        Free text of the header.
    checksum : str
        SHA-256 of the file, hexadecimal.
    """

    values: FloatArray
    affine: FloatArray
    description: str
    checksum: str = ""


def read_image(path: str | os.PathLike[str]) -> Image:
    """Read an image of vectors.

    Parameters
    ----------
    path : str or path
        A .nii.gz or .nii file of one piece, NIfTI-1 or NIfTI-2, of shape (nx, ny, nz, 3) or (nx, ny, nz, n_sets, 3),
        float32 or float64, spatial unit mm or unknown, with a sform or qform.

    Returns
    -------
    Image

    Raises
    ------
    ValueError
        If the header breaks these rules or promises more data than the file can hold, or than 512 MB; before any data
        are unpacked. Also if the data are not as long as it says.
    OSError
        If the file is missing or cannot be read.
    """
    path, size = limits.existing_file(path, MOST_BYTES + _MOST_OFFSET)
    with path.open("rb") as raw:
        packed = path.name.lower().endswith(".gz")
        if (raw.read(2) == b"\x1f\x8b") != packed:
            kind = "a file packed by gzip" if packed else "a plain file, not packed by gzip"
            raise ValueError(f"{path.name} must be {kind}, as its suffix says; got another one. Is the suffix wrong?")
        raw.seek(0)
        stream: Any = gzip.GzipFile(fileobj=raw) if packed else raw
        try:
            values, affine, description = _read(stream, path.name, size * (_MOST_COMPRESSION if packed else 1))
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise ValueError(f"{path.name} must be a complete gzip file; got a damaged or truncated one.") from None
        raw.seek(0)
        checksum = hashlib.file_digest(raw, "sha256").hexdigest()
    return Image(values, affine, description, checksum)


def _read(stream: IO[bytes], name: str, most: int) -> tuple[FloatArray, FloatArray, str]:
    """Read values, affine and description: the header first, then no more than it says."""
    start = stream.read(4)
    length = next((size for size in _VERSIONS if start in (struct.pack("<i", size), struct.pack(">i", size))), 0)
    if not length:
        raise ValueError(f"{name} must begin with a NIfTI header; got {limits.brief(start)}. Is it a NIfTI file?")
    block = start + stream.read(length - 4)
    if len(block) < length:
        raise ValueError(f"{name} must hold a header of {length} bytes; got {len(block)}. The file is truncated.")
    header = _parse(block, name)
    shape = _shape(header, name)
    kind = _data_type(header, name)
    offset = float(header["vox_offset"]) or float(_VERSIONS[length][0])
    if not (_VERSIONS[length][0] <= offset <= _MOST_OFFSET and offset.is_integer()):
        raise ValueError(f"vox_offset of {name} must be from {_VERSIONS[length][0]} to {_MOST_OFFSET}; got {offset:g}.")
    wanted = math.prod(shape) * kind.itemsize
    if wanted + int(offset) > most:
        raise ValueError(
            f"dim of {name} must be a shape that the file has room for, at most {most:,} bytes; got {shape}, "
            f"{wanted:,} bytes. The file is truncated or its header wrong."
        )
    affine = _affine(header, name)
    slope, inter = _scaling(header, name)
    skipped = stream.read(int(offset) - length)
    data = stream.read(wanted) if len(skipped) == offset - length else b""
    if len(data) < wanted or stream.read(1):
        raise ValueError(
            f"data of {name} must be {wanted:,} bytes, as its header says; got "
            f"{'fewer. The file is truncated.' if len(data) < wanted else 'more. Its header is wrong.'}"
        )
    values = np.frombuffer(data, dtype=kind).reshape(shape, order="F").astype(np.float64)
    if (slope, inter) != (1.0, 0.0):
        with np.errstate(over="ignore", invalid="ignore"):  # infinity is refused where the values are checked
            values = slope * values + inter
    description = bytes(header["descrip"].item()).split(b"\0")[0].decode("utf-8", errors="replace")
    return (values[:, :, :, None] if values.ndim == 4 else values), affine, description


def _parse(block: bytes, name: str) -> Any:
    """Return the header of either version, its magic checked."""
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    # Unchecked: nibabel's own check would log, mend and go on; what matters is checked here.
    kind: Any = Nifti1Header if len(block) == 348 else Nifti2Header
    header = kind(block, check=False)
    magic = _VERSIONS[len(block)][1]
    if header["magic"].item() != magic:
        raise ValueError(
            f"{name} must be a NIfTI file of one piece; got the magic {limits.brief(header['magic'].item())}. "
            "Join a .hdr and .img pair first."
        )
    code = int(header["xyzt_units"]) & 7
    if code not in (0, 2):  # unknown is taken as mm, as SimNIBS does
        unit = {1: "metres", 3: "micrometres"}.get(code, f"code {code}")
        raise ValueError(f"spatial unit of {name} must be mm; got {unit}. Convert the affine to mm.")
    return header


def _shape(header: Any, name: str) -> tuple[int, ...]:
    """Return the shape of the image, its size checked, from a header that may hold anything."""
    dim = [int(number) for number in header["dim"]]
    shape = tuple(dim[1 : 1 + dim[0]]) if 0 < dim[0] <= 7 else ()
    if len(shape) not in (4, 5) or shape[-1] != 3 or min(shape) < 1:
        raise ValueError(
            f"dim of {name} must be a grid of vectors, (nx, ny, nz, 3) or (nx, ny, nz, stimulators, 3); got "
            f"{shape or dim}. Is it the image of a head?"
        )
    if 8 * math.prod(shape) > MOST_BYTES:
        raise ValueError(
            f"dim of {name} must be at most {MOST_BYTES // 24:,} vectors; got {shape}. Use a coarser or smaller grid."
        )
    return shape


def _data_type(header: Any, name: str) -> np.dtype[Any]:
    """Return the type of the data, float32 or float64 in the file's byte order."""
    codes = {16: "f4", 64: "f8"}
    code = int(header["datatype"])
    if code not in codes:
        raise ValueError(f"datatype of {name} must be 16 (float32) or 64 (float64); got {code}.")
    kind: np.dtype[Any] = np.dtype(header.endianness + codes[code])
    return kind


def _affine(header: Any, name: str) -> FloatArray:
    """Return the map from voxels to the coil's frame (mm)."""
    if header["sform_code"] > 0:
        affine = header.get_sform()
    elif header["qform_code"] > 0:
        try:
            affine = header.get_qform()
        except ValueError:
            affine = np.full((4, 4), np.nan)
    else:
        raise ValueError(
            f"{name} must say where its grid lies, by sform or qform; got neither. Set the sform to the map from "
            "voxels to the coil's frame."
        )
    if not np.isfinite(affine).all():
        raise ValueError(f"sform or qform of {name} must be finite; got NaN or infinity.")
    return np.array(affine, dtype=np.float64)


def _scaling(header: Any, name: str) -> tuple[float, float]:
    """Return factor and summand of the stored numbers; a factor of 0 or NaN stands for none."""
    slope, inter = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0.0 or math.isnan(slope):
        return 1.0, 0.0
    if not (math.isfinite(slope) and math.isfinite(inter)):
        raise ValueError(f"scl_slope and scl_inter of {name} must be finite; got {slope:g} and {inter:g}.")
    return slope, inter


def write_image(image: Image, path: Path) -> None:
    """Write an image of vectors, float64, with a sform.

    Parameters
    ----------
    image : Image
        What to write; one set of vectors makes a 4-D image, several a 5-D one. The description may have 79 bytes.
    path : Path
        Where to, .nii.gz or .nii; not renamed into place, see `coils.files.limits.replacing`. NIfTI-1, or NIfTI-2 where
        single precision would change the affine or an axis is too long for NIfTI-1.
    """
    from nibabel.nifti1 import Nifti1Image
    from nibabel.nifti2 import Nifti2Image

    single = bool((image.affine.astype(np.float32) == image.affine).all()) and max(image.values.shape) < 1 << 15
    kind: Any = Nifti1Image if single else Nifti2Image
    values = image.values[:, :, :, 0] if image.values.shape[3] == 1 else image.values
    nifti = kind(values, image.affine)
    nifti.header.set_xyzt_units("mm")
    nifti.set_sform(image.affine, code="aligned")
    nifti.set_qform(None, code="unknown")
    nifti.header["descrip"] = image.description.encode("utf-8")
    with path.open("wb") as raw:
        if path.name.lower().endswith(".gz"):
            # Neither name nor time in the file: the same coil gives the same bits.
            with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw, mtime=0) as packed:
                nifti.to_stream(packed)
        else:
            nifti.to_stream(raw)
