"""Read and write waveforms as text: the .tsv beside SimNIBS' coil files, or two columns of time and signal."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from coils.waveforms import MOST_SAMPLES, Waveform
from meshes import arrays

__all__ = ["read_waveform", "write_waveform"]

_FEWEST_SAMPLES = 10

# A million samples in three columns of 25 characters.
_MOST_BYTES = 100_000_000

_LONGEST_LINE = 1000

# Pulses of stimulators last from about 10 us to a few ms; a recording outside these bounds (s) has another unit.
_SHORTEST, _LONGEST = 1e-6, 0.1


def read_waveform(path: str | Path, *, seconds_per_unit: float = 1.0) -> Waveform:
    """Read a waveform from a text file.

    Parameters
    ----------
    path : str or Path
        A file of two columns, time and dI/dt in any unit, or of three, where the last is a smooth fit of the second;
        separated by tabs, blanks or commas. A first line ``# Time<tab>NAME<tab>NAME_fit``, as SimNIBS' .tsv files have
        it, gives the name; without one it is that of the file. Other lines that begin with # are skipped.
    seconds_per_unit : float, optional
        Unit of the file's times (s): 1e-6 for microseconds.

    Returns
    -------
    Waveform

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is too long, no text, has fewer than 10 samples or a line without the right number of numbers, or the
        times do not increase or last less than 1 us or more than 0.1 s.
    """
    path = Path(path)
    unit = arrays.positive(seconds_per_unit, "seconds_per_unit")
    if not path.is_file():
        raise FileNotFoundError(f"path must be a file; got {str(path)!r}, which is none.")
    size = path.stat().st_size
    if size > _MOST_BYTES:
        raise ValueError(f"path must be a file of at most {_MOST_BYTES // 10**6} MB; got {path.name} of {size} bytes.")
    name, columns = _parse(path)
    time, values = columns[0], columns[1:]
    if len(time) < _FEWEST_SAMPLES:
        raise ValueError(f"{path.name} must hold at least {_FEWEST_SAMPLES} samples; got {len(time)}. Is it cut short?")
    try:
        waveform = Waveform(name, [unit * t for t in time], *values)  # type: ignore[arg-type]  # lists are converted
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None
    span = float(waveform.time[-1] - waveform.time[0])
    if not _SHORTEST <= span <= _LONGEST:
        raise ValueError(
            f"{path.name} must hold times in seconds, over 1e-6 to 0.1 s; got {span:g} s. "
            "Give seconds_per_unit=1e-6 for times in microseconds, 1e-3 for milliseconds."
        )
    return waveform


def _parse(path: Path) -> tuple[str, list[list[float]]]:
    """Return the name and the columns of a file."""
    titles: list[str] = []
    columns: list[list[float]] = []
    try:
        with path.open(encoding="utf-8-sig") as file:
            # Line by line with a limit: a file of one endless line would fill the memory many times over.
            for number, line in enumerate(iter(lambda: file.readline(_LONGEST_LINE), ""), start=1):
                if len(line) == _LONGEST_LINE:
                    raise ValueError(
                        f"{path.name}, line {number}, must be shorter than {_LONGEST_LINE} characters; got more."
                    )
                if line.startswith("#"):
                    if not columns and not titles:
                        # Tabs if there are any, so that a name may hold blanks.
                        text = line[1:].strip("\r\n")
                        titles = [word.strip() for word in (text.split("\t") if "\t" in text else text.split())]
                elif line.strip():
                    _append(columns, line, f"{path.name}, line {number},")
    except UnicodeDecodeError:
        raise ValueError(f"path must be a text file; got {path.name}, which holds other bytes.") from None
    if not columns:
        raise ValueError(f"{path.name} must hold at least {_FEWEST_SAMPLES} samples; got none.")
    if len(titles) != len(columns) or titles[0].lower() != "time":
        return path.stem, columns
    if len(titles) == 3 and titles[2] != f"{titles[1]}_fit":
        raise ValueError(
            f"{path.name} must hold one signal, and in the third column its fit, {titles[1] + '_fit'!r}; "
            f"got {titles[2]!r}. Write each signal to a file of its own."
        )
    return titles[1], columns


def _append(columns: list[list[float]], line: str, where: str) -> None:
    """Append the numbers of a line to the columns."""
    words = line.replace(",", " ").split()
    if not columns:
        if len(words) not in (2, 3):
            raise ValueError(f"{where} must hold 2 or 3 numbers: time, signal and perhaps its fit; got {len(words)}.")
        columns.extend([] for _ in words)
    if len(words) != len(columns):
        raise ValueError(f"{where} must hold {len(columns)} numbers as the lines above; got {len(words)}. Is it cut?")
    if len(columns[0]) >= MOST_SAMPLES:
        raise ValueError(f"{where} must not follow: a pulse has at most {MOST_SAMPLES} samples.")
    for column, word in zip(columns, words, strict=True):
        try:
            column.append(float(word))
        except ValueError:
            raise ValueError(f"{where} must hold numbers; got {word[:40]!r}.") from None


def write_waveform(waveform: Waveform, path: str | Path) -> Path:
    """Write a waveform as the .tsv that SimNIBS has beside its .ccd files.

    Parameters
    ----------
    waveform : Waveform
        The pulse.
    path : str or Path
        File to write; replaced if it exists, and left alone if anything goes wrong.

    Returns
    -------
    Path
        The file. Reading it gives the same numbers bit by bit.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    ValueError
        If the name holds a tab or a line break.
    """
    path = Path(path)
    if not isinstance(waveform, Waveform):
        raise TypeError(f"waveform must be a coils.Waveform; got {type(waveform).__name__}.")
    if any(mark in waveform.name for mark in "\t\r\n"):
        raise ValueError(f"name must hold no tab and no line break to be written; got {waveform.name!r}.")
    columns = [waveform.time, waveform.signal]
    titles = ["# Time", waveform.name]
    if waveform.fit is not None:
        columns.append(waveform.fit)
        titles.append(f"{waveform.name}_fit")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"path must lie in a folder that exists; got {str(path)!r}.")
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-") as folder:
        draft = Path(folder) / path.name
        with draft.open("w", encoding="utf-8", newline="\n") as file:
            file.write("\t".join(titles) + "\n")
            # 17 digits after the first are enough for every float64.
            for row in zip(*(column.tolist() for column in columns), strict=True):
                file.write("\t".join(f"{value:.17e}" for value in row) + "\n")
        os.replace(draft, path)
    return path
