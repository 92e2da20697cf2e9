"""Read and write .ccd files: a coil as magnetic dipoles, with casing and pulse in files beside it."""

from __future__ import annotations

import math
import os
import re
import warnings
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np

from coils.coil import Coil
from coils.files import limits
from coils.files.ccd_header import NUMBER, Header, move_point
from coils.files.stl import casing_beside, read_stl, write_stl
from coils.stimulators import Stimulator
from coils.waveform_files import read_waveform, write_waveform
from coils.waveforms import Waveform
from meshes.arrays import FloatArray

__all__ = ["check_handle", "read_ccd", "write_ccd"]

# The shortest row: six digits, five blanks and the end of the line.
_SHORTEST_ROW = 12

_ROW = re.compile(rf"(?:{NUMBER}\s+){{5}}{NUMBER}")

# No coil reaches further from its centre (mm); a file in millimetres, read as metres, does.
_FARTHEST = 2000.0

# The handle of every .ccd lies along -y. A component off it by more than this is another handle.
_HANDLE = 1e-6


def read_ccd(path: str | os.PathLike[str], *, sidecars: bool = True) -> Coil:
    """Read a coil from a .ccd file.

    Parameters
    ----------
    path : str or path
        The file. Its first line may hold ``key=value`` pairs (dIdtmax, dIdtstim, stimulator, brand, coilname, x, y, z,
        resolution), its second the number of dipoles, each further one a dipole: position (m) and moment (A m^2 per A).
    sidecars : bool, optional
        Whether to read the casing (.stl) and the pulse (.tsv) that lie beside it under the same name.

    Returns
    -------
    Coil
        Handle along -y, as SimNIBS has it. The sign of the current is as in the file, and differs between makers.

    Raises
    ------
    ValueError
        If the content breaks these rules; the message names file and line.
    OSError
        If the file is missing or cannot be read.

    Warns
    -----
    UserWarning
        If the header gives several greatest rates, of several stimulators: the first is taken.

    Notes
    -----
    Lengths in metres become mm by moving the decimal point in the text, so that writing and reading again gives the
    same bits; they differ from ``1e3 * float(text)`` by one unit in the last place at most.
    """
    path, size = limits.existing_file(path)
    with path.open("rb") as handle:
        lines = limits.Lines(handle, path.name)
        header, count = _preamble(lines, size)
        dipoles = _dipoles(lines, count)
    source = f"{path.name} (sha256 {lines.checksum[:12]})"
    casing = pulse = None
    if sidecars:
        casing, pulse = casing_beside(path), path.with_suffix(".tsv")
        pulse = pulse if pulse.exists() else None
        source += "".join(f", {part.name}" for part in (casing, pulse) if part)
    return Coil(
        positions=dipoles[:, :3],
        moments=dipoles[:, 3:],
        name=header.name or path.stem,
        casing=read_stl(casing) if casing else None,
        stimulator=_stimulator(header, pulse, path.name),
        source=source,
    )


def _preamble(lines: limits.Lines, size: int) -> tuple[Header, int]:
    """Read what stands before the first dipole: the header, if there is one, and the number of dipoles."""
    header = ""
    for line in lines:
        if line.startswith("#"):
            header = header or line
        elif line:
            break
    else:
        raise ValueError(f"number of dipoles must stand in the second line of {lines.name}; got none in the file.")
    if not re.fullmatch(r"[+-]?\d{1,18}", line, re.ASCII):
        raise ValueError(
            f"number of dipoles in line {lines.number} of {lines.name} must be a whole number; "
            f"got {limits.brief(line)}."
        )
    count = int(line)
    most = (size - lines.bytes_read + 1) // _SHORTEST_ROW  # the last line may lack its end
    if not 1 <= count <= most:
        raise ValueError(
            f"number of dipoles in line {lines.number} of {lines.name} must be from 1 to {most}, all that the rest of "
            f"the file has room for; got {count}."
        )
    return Header.parse(header, lines.name), count


def _dipoles(lines: limits.Lines, count: int) -> FloatArray:
    """Read the rows: positions (mm) and moments (A m^2 per A), shape (count, 6)."""
    dipoles = np.empty((count, 6))
    row = 0
    for line in lines:
        if not line or line.startswith("#"):
            continue
        if row == count:
            raise ValueError(
                f"rows of {lines.name} must be as many as its number of dipoles, {count}; got more, in line "
                f"{lines.number}."
            )
        if not _ROW.fullmatch(line):
            raise ValueError(
                f"line {lines.number} of {lines.name} must be six numbers, a position (m) and a moment (A m^2); got "
                f"{limits.brief(line)}."
            )
        words = line.split()
        position = [move_point(word, 3) for word in words[:3]]
        moment = [float(word) for word in words[3:]]
        # Plain Python, as NumPy takes longer for a row than all the rest.
        if not all(-_FARTHEST <= x <= _FARTHEST for x in position) or not all(map(math.isfinite, moment)):
            raise ValueError(
                f"line {lines.number} of {lines.name} must be a dipole in metres, within {_FARTHEST / 1e3:g} m of the "
                f"coil's centre, of finite moment; got {limits.brief(line)}. Divide positions in millimetres by 1000."
            )
        dipoles[row] = position + moment
        row += 1
    if row < count:
        raise ValueError(
            f"rows of {lines.name} must be as many as its number of dipoles, {count}; got {row}. Is it cut short?"
        )
    if not dipoles[:, 3:].any():
        raise ValueError(f"moments in {lines.name} must not all be zero; got a coil without a field.")
    return dipoles


def _stimulator(header: Header, pulse: Path | None, file: str) -> Stimulator | None:
    """Return what the header and the pulse say of the stimulator; None if that is nothing."""
    if len(header.max_didt) > 1:
        rates = ", ".join(f"{rate / 1e6:g}" for rate in header.max_didt)
        warnings.warn(
            f"{file} gives the greatest dI/dt of {len(header.max_didt)} stimulators, {rates} A/us; the first is taken.",
            stacklevel=4,
        )
    if not (header.max_didt or header.displayed_didt or header.stimulator or header.brand or pulse):
        return None
    return Stimulator(
        name=header.stimulator or "",
        max_didt=header.max_didt[0] if header.max_didt else None,
        brand=header.brand or "",
        waveforms=(_pulse(pulse),) if pulse else (),
        displayed_didt=header.displayed_didt,
    )


def _pulse(path: Path) -> Waveform:
    """Read the pulse; a fit that is the signal itself, as `write_ccd` has to write it, is none."""
    waveform = read_waveform(path)
    if waveform.fit is not None and np.array_equal(waveform.fit, waveform.signal):
        return replace(waveform, fit=None)
    return waveform


def write_ccd(coil: Coil, path: str | os.PathLike[str]) -> None:
    """Write a coil as a .ccd file, its casing and pulse beside it.

    Parameters
    ----------
    coil : Coil
        A coil of dipoles alone, its handle along -y, with one stimulator and at most one waveform. Its closed wires,
        discretisation error and deformations are not written; its dipoles are as they stand now.
    path : str or path
        Where to; ``x.ccd`` gets the casing in ``x.stl`` (single precision, as the format has it) and the pulse in
        ``x.tsv``. What is there is replaced, once all is written.

    Raises
    ------
    ValueError
        If the format cannot hold the coil, or the casing or pulse of another coil lies there under this name, which
        readers would take for this one's; nothing is written then.
    OSError
        If the folder is missing or cannot be written.

    Notes
    -----
    Reading it again gives the same positions, moments, name and limits bit by bit. Each number is the shortest decimal
    that stands for the float; its point is moved for metres.
    """
    path = Path(path)
    check_handle(coil, ".ccd")
    _check_for_ccd(coil)
    stimulator = coil.stimulator or Stimulator(name="", max_didt=coil.max_didt)
    header = Header(
        name=coil.name,
        stimulator=stimulator.name,
        brand=stimulator.brand,
        max_didt=() if coil.max_didt is None else (coil.max_didt,),
        displayed_didt=stimulator.displayed_didt,
    ).line()
    beside = [path.with_suffix(suffix) for suffix in (".stl", ".tsv")]
    wanted = [coil.casing is not None, bool(stimulator.waveforms)]
    for file, written in zip(beside, wanted, strict=True):
        if file.exists() and not written:
            raise ValueError(
                f"path must have no {file.suffix} of another coil beside it; got {file}, which readers would take for "
                "this coil's. Remove it, or choose another name."
            )
    # The .ccd is renamed last: where it is, its sidecars are complete.
    with limits.replacing(*(file for file, written in zip(beside, wanted, strict=True) if written), path) as drafts:
        for draft in drafts:
            if draft.suffix == ".stl" and coil.casing is not None:
                write_stl(coil.casing, draft)
            elif draft.suffix == ".tsv":
                pulse = stimulator.waveforms[0]
                # SimNIBS fails on a file without the third column, the fit.
                write_waveform(pulse if pulse.fit is not None else replace(pulse, fit=pulse.signal), draft)
        with drafts[-1].open("w", encoding="utf-8", newline="\n") as handle:
            handle.write(f"{header}\n{coil.n_dipoles}\n")
            handle.write("# centers and weighted directions of the elements (magnetic dipoles)\n")
            for position, moment in zip(coil.positions.tolist(), coil.moments.tolist(), strict=True):
                handle.write(" ".join([_metres(x) for x in position] + [repr(m) for m in moment]) + "\n")


def _metres(millimetres: float) -> str:
    """Return a length in metres as decimals that stand for the same float of millimetres."""
    return str(Decimal(repr(millimetres)).scaleb(-3))


def _check_for_ccd(coil: Coil) -> None:
    """Raise if a .ccd file cannot hold the coil."""
    if coil.segments is not None or coil.grid is not None:
        kind = "current elements" if coil.segments is not None else "a grid"
        raise ValueError(f"coil must consist of dipoles alone for .ccd; got {coil.name}, which has {kind}. Use .tcd.")
    if len(coil.channels) > 1:
        raise ValueError(
            f"coil must have one stimulator for .ccd; got {coil.name}, which has {len(coil.channels)}. Use .tcd, or "
            "write each of coil.channels."
        )
    if coil.stimulator is not None and len(coil.stimulator.waveforms) > 1:
        raise ValueError(
            f"stimulator must have at most one waveform for .ccd; got {len(coil.stimulator.waveforms)}. Use .tcd."
        )


def check_handle(coil: Coil, suffix: str) -> None:
    """Raise if the coil's handle is not where a file that cannot say so has it.

    Parameters
    ----------
    coil : Coil
        The coil.
    suffix : str
        Format in the message.

    Raises
    ------
    ValueError
        If the handle is off -y: readers would place the coil turned.
    """
    if np.abs(coil.handle - (0.0, -1.0, 0.0)).max() > _HANDLE:
        raise ValueError(
            f"handle must be along -y for {suffix}, which cannot say otherwise; got {coil.handle.tolist()}. "
            "Turn the coil's sources so that it is."
        )
