"""Read labels on a surface: FreeSurfer's .annot and .label files, and GIFTI label files."""

import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

import numpy as np
import numpy.typing as npt

from meshes.files.npz import first_line
from meshes.files.polygons import numbers

__all__ = ["Annotation", "read_annotation", "region_names"]

IndexArray = npt.NDArray[np.int64]

# How atlases are called here, by FreeSurfer's file name without side and ending; others keep their file's name.
_ATLASES = {
    r"aparc": "desikan",
    r"aparc\.a2009s": "destrieux",
    r"aparc\.DKTatlas(40)?": "dkt",
    r"HCP-?MMP1.*": "mmp",
    r"Juelich.*|JulichBrain.*": "juelich",
}
# Labels of what is no region of the cortex.
_NO_REGION = ("unknown", "???", "medial_wall", "medialwall", "medial wall", "")
# No tag of a colour table ends a file of this format; more entries than this no atlas has.
_MOST_LABELS = 100_000


@dataclass(frozen=True, eq=False)
class Annotation:
    """Labels of a surface's vertices.

    Parameters
    ----------
    n_vertices : int or None
        Vertices of the surface; None if the file does not say.
    labels : dict of str to ndarray of int
        Vertex indices by label; labels without vertices are left out.
    """

    n_vertices: int | None
    labels: dict[str, IndexArray]


def read_annotation(path: str | os.PathLike[str]) -> Annotation:
    r"""Read the labels of a surface's vertices.

    Parameters
    ----------
    path : path-like
        FreeSurfer .annot (with its table of names) or .label (one label, named after the file), or GIFTI (.gii).

    Returns
    -------
    Annotation

    Raises
    ------
    ValueError
        If the file is damaged, shorter than its counts say, holds no labels, or is of another kind.

    Notes
    -----
    Formats as described in FreeSurfer's wiki (LabelsClutsAnnotationFiles) and the GIFTI standard. A vertex of an
    .annot file has the colour of its label, as red + 256 green + 65536 blue.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "lh.hand.label"
    ...     _ = file.write_text("#!ascii label\n2\n7 -40.0 -20.0 60.0 0.0\n9 -41.0 -20.0 60.0 0.0\n")
    ...     read_annotation(file).labels
    {'hand': array([7, 9])}
    """
    file = Path(path)
    data = file.read_bytes()
    suffix = file.suffix.lower()
    if suffix == ".annot":
        found = _parse_annot(data, file.name)
    elif suffix == ".label":
        found = _parse_label(data, file.name)
    elif suffix == ".gii":
        found = _parse_gifti(data, file.name)
    else:
        raise ValueError(f"{file.name} must be an .annot, .label or .gii file of labels; got {data[:8]!r} first.")
    if not found.labels:
        raise ValueError(f"{file.name} must label some vertices; got none.")
    return found


def region_names(file: str, label: str, side: str) -> str | None:
    """Return the name that a label has among a head's regions: "ATLAS:LABEL-SIDE".

    Parameters
    ----------
    file : str
        File name, for example "lh.aparc.annot".
    label : str
        As the file has it.
    side : {"left", "right"}
        Hemisphere.

    Returns
    -------
    str or None
        None for the medial wall and for vertices without a label.

    Examples
    --------
    >>> region_names("lh.aparc.annot", "precentral", "left")
    'desikan:precentral-left'
    >>> region_names("rh.HCPMMP1.annot", "R_4_ROI", "right")
    'mmp:4-right'
    >>> region_names("lh.JulichBrain.annot", "Area 4a (PreCG)", "left")
    'juelich:4a-left'
    >>> region_names("lh.hand_knob.label", "hand_knob", "left")
    'label:hand_knob-left'
    >>> region_names("lh.aparc.annot", "unknown", "left") is None
    True
    """
    stem = re.sub(r"^[lr]h\.", "", file)
    if file.endswith(".label"):
        return f"label:{label}-{side}"
    stem = re.sub(r"(\.annot|(\.label)?\.gii)$", "", stem)
    fits = (atlas for pattern, atlas in _ATLASES.items() if re.fullmatch(pattern, stem, re.IGNORECASE))
    atlas = next(fits, stem)
    short = re.sub(r"^[lr]h[._-]|^ctx[-_][lr]h[-_]", "", label.strip())
    if atlas == "mmp":
        short = re.sub(r"^[LR]_|_ROI$", "", short)
    if atlas == "juelich":
        short = re.sub(r"^Area[ _-]+|[ _]*\(.*\)|[ _-]+(left|right|lh|rh|l|r)$", "", short, flags=re.IGNORECASE)
    return None if short.lower() in _NO_REGION else f"{atlas}:{short}-{side}"


def _parse_annot(data: bytes, name: str) -> Annotation:
    count = _integers(data, 0, 1, name)[0]
    if count < 1 or 4 + 8 * count + 4 > len(data):
        raise ValueError(
            f"{name} must hold {count} labelled vertices, as its count says; got {len(data)} bytes. The file is "
            "truncated or damaged."
        )
    pairs = _integers(data, 4, 2 * count, name).reshape(-1, 2)
    if not np.array_equal(np.sort(pairs[:, 0]), np.arange(count)):
        raise ValueError(
            f"{name} must label each vertex from 0 to {count - 1} once; "
            f"got {int(pairs[:, 0].min())} to {int(pairs[:, 0].max())}."
        )
    table = _colours(data, 4 + 8 * count, name)
    values = np.empty(count, dtype=np.int64)
    values[pairs[:, 0]] = pairs[:, 1]
    found = {label: np.flatnonzero(values == value) for label, value in table.items()}
    return Annotation(count, {label: vertices for label, vertices in found.items() if len(vertices)})


def _colours(data: bytes, at: int, name: str) -> dict[str, int]:
    """Return the value that stands for each label, from the colour table of an .annot file."""
    tag, version = _integers(data, at, 2, name)
    if tag != 1:
        raise ValueError(f"{name} must have a table of label names (tag 1); got tag {tag}. Write it with its table.")
    at += 8
    if version > 0:  # the first version has the number of entries in its place
        entries = int(version)
        _, at = _text(data, at, name)
    elif version == -2:
        _, at = _text(data, at + 4, name)
        entries, at = int(_integers(data, at, 1, name)[0]), at + 4
    else:
        raise ValueError(f"{name} must have a colour table of version 1 or 2; got {-version}.")
    if not 0 <= entries <= _MOST_LABELS:
        raise ValueError(f"{name} must have from 0 to {_MOST_LABELS} labels; got {entries}. The file is damaged.")
    table = {}
    for _ in range(entries):
        label, at = _text(data, at + (4 if version < 0 else 0), name)
        red, green, blue, _alpha = (int(value) for value in _integers(data, at, 4, name))
        table[label] = red + (green << 8) + (blue << 16)
        at += 16
    return table


def _integers(data: bytes, at: int, count: int, name: str) -> IndexArray:
    if at + 4 * count > len(data):
        raise ValueError(
            f"{name} must hold {count} numbers at byte {at}; got {len(data)} bytes. The file is truncated."
        )
    return np.frombuffer(data, ">i4", count, at).astype(np.int64)


def _text(data: bytes, at: int, name: str) -> tuple[str, int]:
    """Return a text with its length before it, and where it ends."""
    length = int(_integers(data, at, 1, name)[0])
    end = at + 4 + length
    if length < 0 or end > len(data):
        raise ValueError(f"{name} must hold a text of {length} bytes at byte {at}; got {len(data)} bytes in all.")
    return data[at + 4 : end].split(b"\0")[0].decode("utf-8", "replace"), end


def _parse_label(data: bytes, name: str) -> Annotation:
    lines = data.split(b"\n", 2)
    if len(lines) < 3 or not lines[1].strip().isdigit():
        raise ValueError(f"{name} must be a FreeSurfer label, a comment and a count first; got {data[:20]!r}.")
    count = int(lines[1])
    values = numbers(lines[2], name)
    if len(values) != 5 * count:
        raise ValueError(
            f"{name} must hold {count} rows of five numbers, as its count says; got {len(values)} numbers. The file is "
            "truncated or damaged."
        )
    vertices = values.reshape(-1, 5)[:, 0]
    if not (np.isfinite(vertices).all() and (vertices >= 0).all() and (vertices == np.floor(vertices)).all()):
        raise ValueError(f"{name} must hold vertex numbers from 0 upwards; got {vertices.min():g} or fractions.")
    label = re.sub(r"^[lr]h\.", "", name).removesuffix(".label")
    return Annotation(None, {label: np.unique(vertices.astype(np.int64))} if count else {})


def _parse_gifti(data: bytes, name: str) -> Annotation:
    from nibabel import gifti  # here, so that importing the package is fast

    loaded: Any = gifti
    try:
        image = loaded.GiftiImage.from_bytes(data)
        tables = [array.data for array in image.get_arrays_from_intent("NIFTI_INTENT_LABEL")]
        names = {int(key): str(label) for key, label in image.labeltable.get_labels_as_dict().items()}
    except (
        ExpatError, ValueError, LookupError, TypeError, AttributeError, OSError, AssertionError, zlib.error,
    ) as error:  # fmt: skip
        raise ValueError(f"{name} must be a GIFTI file; got a damaged one ({first_line(error)}).") from None
    if len(tables) != 1 or tables[0].ndim != 1 or tables[0].dtype.kind not in "iu":
        raise ValueError(f"{name} must hold one row of labels (NIFTI_INTENT_LABEL); got {len(tables)}.")
    found = {label: np.flatnonzero(tables[0] == key).astype(np.int64) for key, label in names.items()}
    return Annotation(len(tables[0]), {label: vertices for label, vertices in found.items() if len(vertices)})
