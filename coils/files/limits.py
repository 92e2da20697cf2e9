"""Bounds on what a file may ask of this program, and writing that leaves nothing half-done.

Files come from anywhere. No reader here may take more memory or time than the file's own size justifies: sizes are
checked before anything is read, lines have a greatest length, and counts in headers are compared with the bytes that
are there before anything is allocated.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["MOST_BYTES", "MOST_IN_LINE", "Lines", "brief", "existing_file", "replacing"]

# A .ccd of this size holds some 500 000 dipoles, an .stl 1.3 million triangles; measured coils have some thousand.
MOST_BYTES = 1 << 26

# Rows of six numbers take some 150 bytes, headers some 300.
MOST_IN_LINE = 4096


def brief(value: object) -> str:
    """Return a text of one line and at most 60 characters for a message."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def existing_file(path: str | os.PathLike[str], most: int = MOST_BYTES) -> tuple[Path, int]:
    """Check that a path is a plain file of bearable size.

    Parameters
    ----------
    path : str or path
        The file.
    most : int, optional
        Greatest size (bytes).

    Returns
    -------
    path : Path
    size : int
        Its size (bytes), at least 1.

    Raises
    ------
    TypeError
        If `path` is no path.
    OSError
        If the file is missing (`FileNotFoundError`) or a folder (`IsADirectoryError`).
    ValueError
        If it is a device, empty or too large.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path must be a text or a path; got {type(path).__name__}.")
    path = Path(path)
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"path must be a file that exists; got {path}.") from None
    except ValueError:  # a null character
        raise ValueError(f"path must be the name of a file; got {brief(str(path))}.") from None
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(f"path must be a file; got the folder {path}.")
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"path must be a plain file; got the device or pipe {path}.")
    if status.st_size == 0:
        raise ValueError(f"path must be a file with content; got {path}, which is empty.")
    if status.st_size > most:
        raise ValueError(
            f"path must be a file of at most {most:,} bytes, as coil files are; got {path} of {status.st_size:,}."
        )
    return path, status.st_size


class Lines:
    """The lines of a text file, one at a time, each of bounded length.

    Parameters
    ----------
    handle : binary file
        Opened for reading.
    name : str
        Its name in messages.

    Raises
    ------
    ValueError
        While iterating: if a line is too long or no UTF-8 text.
    """

    def __init__(self, handle: BinaryIO, name: str) -> None:
        self._handle = handle
        self._digest = hashlib.sha256()
        self.name = name
        self.number = 0
        """Number of the line that was read last, counted from 1."""
        self.bytes_read = 0

    def __iter__(self) -> Iterator[str]:
        while line := self._handle.readline(MOST_IN_LINE + 1):
            self.number += 1
            self.bytes_read += len(line)
            self._digest.update(line)
            if len(line) > MOST_IN_LINE:
                raise ValueError(
                    f"line {self.number} of {self.name} must be at most {MOST_IN_LINE} bytes long; got a longer one, "
                    f"which begins with {brief(line[:40])}. Is it a text file?"
                )
            try:
                # Some editors put a byte order mark in front.
                yield line.decode("utf-8-sig" if self.number == 1 else "utf-8").strip()
            except UnicodeDecodeError:
                raise ValueError(
                    f"line {self.number} of {self.name} must be UTF-8 text; got {brief(line[:40])}. "
                    "Save the file as UTF-8."
                ) from None

    @property
    def checksum(self) -> str:
        """SHA-256 of the lines read so far, hexadecimal."""
        return self._digest.hexdigest()


@contextmanager
def replacing(*paths: str | os.PathLike[str]) -> Iterator[list[Path]]:
    """Write files under other names and rename them when all of them are complete.

    Parameters
    ----------
    *paths : str or path
        Files to write, all in one folder; the last is renamed last. A file that is there already is replaced.

    Yields
    ------
    list of Path
        Where to write each; in a folder of its own beside the targets, which goes away again whatever happens.

    Raises
    ------
    OSError
        If the folder does not exist or cannot be written, or a target is a folder.
    """
    targets = [Path(path) for path in paths]
    folder = targets[0].parent
    if not folder.is_dir():
        raise FileNotFoundError(f"path must lie in a folder that exists; got {targets[0]}.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"path must lie in a folder that can be written; got {targets[0]}.")
    for target in targets:
        if target.is_dir():
            raise IsADirectoryError(f"path must be a file; got the folder {target}.")
    with tempfile.TemporaryDirectory(dir=folder, prefix=".writing-") as draft:
        drafts = [Path(draft) / target.name for target in targets]
        yield drafts
        for source, target in zip(drafts, targets, strict=True):
            os.replace(source, target)
