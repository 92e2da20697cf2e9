"""Say which tissue each label of a segmentation stands for: tables of other programs, and the user's own."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from meshes import arrays
from meshes.tissues import TISSUES

__all__ = ["LABEL_TABLES", "LabelTable", "LabelsLike", "label_table"]

LabelsLike = str | os.PathLike[str] | Mapping[int, str]


@dataclass(frozen=True)
class LabelTable:
    """Which tissue each label stands for.

    Parameters
    ----------
    name : str
        How ``labels=...`` asks for it.
    tissues : mapping of int to str
        Tissue of each label; 0 is air where it is not listed.
    source : str
        Where the table comes from.
    cortical : frozenset of int, optional
        Labels of the grey matter of the cerebral cortex, where the table tells it from other grey matter.
    complete : bool, optional
        Whether each of the labels must be in the volume.
    """

    name: str
    tissues: Mapping[int, str]
    source: str
    cortical: frozenset[int] = field(default_factory=frozenset)
    complete: bool = False


def _freesurfer() -> dict[int, str]:
    """Return the tissues of FreeSurfer's and samseg's labels; left and right, cortex also by parcel."""
    both = {
        "white": [(2, 41), (7, 46), (28, 60), (77, 77), (78, 79), (85, 85), (16, 16)],
        "grey": [(3, 42), (8, 47), (9, 48), (10, 49), (11, 50), (12, 51), (13, 52), (17, 53), (18, 54), (19, 55),
                 (26, 58), (27, 59), (80, 80), (81, 82)],
        "csf": [(4, 43), (5, 44), (14, 14), (15, 15), (24, 24), (31, 63), (72, 72), (257, 257)],
        "blood": [(30, 62), (262, 262)],
        "skull": [(165, 165)],
        "scalp": [(258, 258)],
        "eyes": [(259, 259)],
    }  # fmt: skip
    table = {label: tissue for tissue, pairs in both.items() for pair in pairs for label in pair}
    table |= dict.fromkeys(range(251, 256), "white")  # corpus callosum
    for first in (1000, 2000, 11100, 12100):  # parcels of the cortex: aparc, a2009s
        table |= dict.fromkeys(range(first, first + (36 if first < 3000 else 76)), "grey")
    for first in (3000, 4000):  # white matter below them
        table |= dict.fromkeys(range(first, first + 36), "white")
    return table | {5001: "white", 5002: "white"}


LABEL_TABLES: Mapping[str, LabelTable] = {
    table.name: table
    for table in (
        LabelTable(
            "simnibs",
            {tissue.tag: name for name, tissue in TISSUES.items() if 0 < tissue.tag <= 10},
            "SimNIBS final_tissues.nii.gz: tags of its meshes (seen in its source)",
        ),
        LabelTable(
            "freesurfer",
            _freesurfer(),
            "FreeSurferColorLUT.txt and the structures of samseg.stats (seen); 259 is samseg's Eye-Fluid",
            cortical=frozenset({3, 42, *range(1000, 1036), *range(2000, 2036), *range(11100, 11176),
                                *range(12100, 12176)}),
        ),
        LabelTable(
            "roast",
            {1: "white", 2: "grey", 3: "csf", 4: "skull", 5: "scalp", 6: "air"},
            "ROAST's masks (recalled); Huang et al. 2019, J. Neural Eng. 16:056006",
        ),
    )
}  # fmt: skip

# What other programs call tissues, in lower case and without blanks, hyphens and underscores.
_ALIASES = {
    "wm": "white", "whitematter": "white", "gm": "grey", "gray": "grey", "graymatter": "grey", "greymatter": "grey",
    "cerebrospinalfluid": "csf", "bone": "skull", "skin": "scalp", "eyeballs": "eyes", "compactbone": "compact_bone",
    "spongybone": "spongy_bone", "background": "air", "unknown": "air",
}  # fmt: skip


def label_table(labels: LabelsLike | None, values: npt.NDArray[np.int64], file: str) -> LabelTable:
    """Return the table that a caller asks for, or the only one that fits the values of a volume.

    Parameters
    ----------
    labels : str, path-like, mapping of int to str, or None
        A name in `LABEL_TABLES`; the tissue of each label; or a file that lists them: TOML with ``1 = "white"``, or
        text with a number and a name in each line, as colour tables have them.
    values : ndarray of int
        The labels in the volume.
    file : str
        Name of the volume in messages.

    Returns
    -------
    LabelTable

    Raises
    ------
    ValueError
        If no table fits, or several do; if a file is not as said above; or if labels have no tissue.

    Examples
    --------
    >>> label_table(None, np.array([0, 1, 2, 3, 4, 5]), "final_tissues.nii.gz").name
    'simnibs'
    """
    if labels is None:
        table = _recognised(values, file)
    elif isinstance(labels, Mapping):
        table = LabelTable("own", _checked(labels, "labels"), "given by the caller", complete=True)
    elif not isinstance(labels, (str, os.PathLike)):
        raise TypeError(f"labels must be a name, a file, or tissues by label; got {type(labels).__name__}.")
    elif str(labels) in LABEL_TABLES:
        table = LABEL_TABLES[str(labels)]
    else:
        table = _read_table(Path(labels))
    unknown = [int(value) for value in values if value and int(value) not in table.tissues]
    if unknown:
        raise ValueError(
            f"labels in {file} must stand for tissues; got {_listed(unknown)}, which the table {table.name!r} does not "
            f"have. Pass labels={{{unknown[0]}: ...}} with all of them, 'air' for what to leave out."
        )
    if table.complete:
        empty = [label for label in table.tissues if label and label not in values]
        if empty:
            raise ValueError(
                f"labels must be in {file}; got {_listed(empty)}, of which it has no voxel. It holds {_listed(values)}."
            )
    return table


def _recognised(values: npt.NDArray[np.int64], file: str) -> LabelTable:
    """Return the only table that fits."""
    found = {int(value) for value in values if value}
    fitting = [table for table in LABEL_TABLES.values() if found <= set(table.tissues)]
    if found <= {1, 2, 3, 4, 5} or "final_tissues" in file:
        # SimNIBS and ROAST mean the same by these five; FreeSurfer's 1 to 5 alone would be no head.
        fitting = [table for table in fitting if table.name == "simnibs"]
    elif max(found) <= 10:
        fitting = [table for table in fitting if table.name != "freesurfer"]
    if len(fitting) != 1:
        which = " and ".join(table.name for table in fitting) or "no table"
        raise ValueError(
            f"labels must be given for {file}; got none, and its values {_listed(sorted(found))} fit {which}. Pass "
            f"labels= one of {', '.join(map(repr, LABEL_TABLES))}, or tissues by label, {{1: 'white', ...}}."
        )
    return fitting[0]


def _checked(tissues: Mapping[int, str], name: str) -> dict[int, str]:
    """Return tissues by label, or raise a sentence."""
    checked = {}
    for label, tissue in tissues.items():
        if isinstance(label, bool) or not isinstance(label, (int, np.integer)) or label < 0:
            raise ValueError(f"{name} must be numbers from 0 with a tissue each; got {label!r}.")
        if not isinstance(tissue, str) or not tissue:
            raise ValueError(f"tissue of label {label} must be a name, for example 'scalp'; got {tissue!r}.")
        plain = tissue.lower().replace(" ", "").replace("-", "").replace("_", "")
        checked[int(label)] = tissue if tissue in TISSUES else _ALIASES.get(plain, tissue.lower())
    if checked.get(0, "air") != "air":
        raise ValueError(f"label 0 must stand for air, as all beyond the volume does; got {checked[0]!r}. Renumber it.")
    if not checked:
        raise ValueError(f"{name} must name at least one tissue; got none.")
    return checked


def _read_table(path: Path) -> LabelTable:
    """Return the table of a TOML or text file."""
    if not path.is_file():
        arrays.choice(str(path), "labels (or a file that exists)", LABEL_TABLES)
    try:
        text = path.read_text(encoding="utf-8")
        entries = _toml_entries(text) if path.suffix.lower() == ".toml" else _text_entries(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValueError) as error:
        raise ValueError(f"{path.name} must list a number and a tissue for each label; got {error}") from None
    return LabelTable(path.name, _checked(entries, f"labels of {path.name}"), f"file {path.name}")


def _toml_entries(text: str) -> dict[int, str]:
    table = tomllib.loads(text)
    table = table.get("labels", table)
    return {int(key): tissue for key, tissue in table.items()}


def _text_entries(text: str) -> dict[int, str]:
    """Return the entries of a text file: number, name, and what follows, for example colours, is left out."""
    entries = {}
    for number, line in enumerate(text.splitlines(), start=1):
        parts = line.split("#")[0].replace("\t", " ").split()
        if not parts:
            continue
        if len(parts) < 2 or not parts[0].isdigit():
            raise ValueError(f"{line.strip()[:40]!r} in line {number}.")
        entries[int(parts[0])] = parts[1]
    return entries


def _listed(values: object) -> str:
    """Return at most eight numbers as text."""
    numbers = [int(value) for value in np.asarray(values).ravel()]
    return ", ".join(map(str, numbers[:8])) + (f" and {len(numbers) - 8} more" if len(numbers) > 8 else "")
