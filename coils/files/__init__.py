"""Read and write coil files: .ccd (dipoles), .tcd (parts that move), .nii.gz (potential on a grid)."""

from __future__ import annotations

import os
from pathlib import Path

import numpy.typing as npt

from coils.coil import Coil

__all__ = ["SUFFIXES", "read_coil", "write_coil"]

SUFFIXES = (".ccd", ".tcd", ".nii.gz", ".nii")


def read_coil(path: str | os.PathLike[str], *, sidecars: bool = True, close: bool = True) -> Coil:
    r"""Read a coil from a file.

    Parameters
    ----------
    path : str or path
        File of dipoles (.ccd), of parts, wires and deformations (.tcd) or of the vector potential on a grid (.nii.gz or
        .nii).
    sidecars : bool, optional
        Whether to read the casing (.stl) that lies beside a .ccd or .nii.gz under the same name, and the pulse (.tsv)
        beside a .ccd.
    close : bool, optional
        Whether open wires of a .tcd are closed; see `coils.files.tcd.read_tcd`.

    Returns
    -------
    Coil
        In the frame of SimNIBS, which is that of this program; its handle is taken to lie along -y, which no file says.
        The sign of the current differs between makers: see ``coil.current_direction``.

    Raises
    ------
    ValueError
        If the suffix is another one, or the content breaks the rules of its format; the message names the file and, in
        text files, the line.
    OSError
        If the file is missing or cannot be read.

    Notes
    -----
    Nothing in a file is executed, and memory and time are bounded by the file's size: see `coils.files.limits`.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "two.ccd"
    >>> _ = file.write_text("# two version 1.0;dIdtmax=100.0\n2\n# centers and directions\n"
    ...                     "0.03 0 -0.006 0 0 0.04\n-0.03 0 -0.006 0 0 -0.04\n")
    >>> coil = read_coil(file)
    >>> coil.name, coil.n_dipoles, coil.max_didt
    ('two', 2, 100000000.0)
    """
    suffix = _suffix(path)
    if suffix == ".ccd":
        from coils.files.ccd import read_ccd

        return read_ccd(path, sidecars=sidecars)
    if suffix == ".tcd":
        from coils.files.tcd import read_tcd

        return read_tcd(path, close=close)
    from coils.files.nifti import read_nifti

    return read_nifti(path, sidecars=sidecars)


def write_coil(
    coil: Coil,
    path: str | os.PathLike[str],
    *,
    spacing: float | npt.ArrayLike | None = None,
    extent: npt.ArrayLike | None = None,
) -> None:
    """Write a coil to a file that SimNIBS reads too.

    Parameters
    ----------
    coil : Coil
        The coil.
    path : str or path
        Where to; the suffix, .ccd, .tcd, .nii.gz or .nii, says the format. What is there is replaced.
    spacing : float or array_like, shape (3,), optional
        Distance of the nodes of a .nii.gz (mm), 5 by default. For the other formats it must be left out.
    extent : array_like, shape (2, 3), optional
        Lowest and highest corner of the grid of a .nii.gz (mm, coil frame); see `coils.files.nifti.write_nifti`.

    Raises
    ------
    ValueError
        If the suffix is another one, or the format cannot hold this coil; nothing is written then.
    OSError
        If the folder is missing or cannot be written.

    Notes
    -----
    A .ccd holds dipoles, limits, and the casing and the pulse in files beside it; a .nii.gz the vector potential alone;
    a .tcd everything but the closed wires, the discretisation error and the source of the numbers.
    """
    suffix = _suffix(path)
    if not isinstance(coil, Coil):
        raise TypeError(f"coil must be a coils.Coil; got {type(coil).__name__}.")
    if suffix in (".ccd", ".tcd") and (spacing is not None or extent is not None):
        raise ValueError(f"spacing and extent must be left out for {suffix}; got them. They are for grids, .nii.gz.")
    if suffix == ".ccd":
        from coils.files.ccd import write_ccd

        write_ccd(coil, path)
    elif suffix == ".tcd":
        from coils.files.tcd import write_tcd

        write_tcd(coil, path)
    else:
        from coils.files.nifti import write_nifti

        write_nifti(coil, path, spacing=spacing, extent=extent)


def _suffix(path: str | os.PathLike[str]) -> str:
    """Return which of `SUFFIXES` a path has, or raise."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path must be a text or a path; got {type(path).__name__}.")
    name = Path(path).name
    for suffix in SUFFIXES:
        if name.lower().endswith(suffix):
            return suffix
    raise ValueError(f"path must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}; got {name!r}.")
