"""List tissues with their conductivities and plausible ranges, alternative tables, and where the values come from."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from meshes import arrays

__all__ = [
    "CONDUCTIVITY_TABLES",
    "TISSUES",
    "ConductivitiesLike",
    "ConductivityTable",
    "Tissue",
    "conductivity_choice",
    "conductivity_provenance",
    "conductivity_table",
    "tissue_of_tag",
]


@dataclass(frozen=True)
class Tissue:
    """A tissue of a head.

    Parameters
    ----------
    name : str
        How it is called in ``conductivities=...`` and in files.
    conductivity : float
        Isotropic, at the frequencies of a TMS pulse (S/m); 0 for air.
    tag : int
        Number in SimNIBS meshes; a surface has 1000 more. 0 for air, which is not meshed.
    source : str
        Where the value comes from.
    low, high : float
        Plausible range, for uncertainties (S/m).
    range_source : str
        Where the range comes from.
    """

    name: str
    conductivity: float
    tag: int
    source: str
    low: float
    high: float
    range_source: str


# All values are SimNIBS 4.5's standard_cond (simnibs/utils/cond_utils.py), so that results can be compared. What its
# manual cites for them is given from memory.
_SIMNIBS = "SimNIBS 4.5 standard value"
_WAGNER = _SIMNIBS + "; after Wagner et al. 2004, IEEE Trans. Biomed. Eng. 51:1586 (recalled)"
_OPITZ = _SIMNIBS + "; after Opitz et al. 2015, NeuroImage 109:140 (recalled)"
_GABRIEL = _SIMNIBS + "; after Gabriel et al. 2009, Phys. Med. Biol. 54:4863 (recalled)"

# Ranges: those of the beta distributions (both shape parameters 3) in Saturnino et al. 2019. For white and grey matter
# and compact bone they were seen in the examples that SimNIBS ships; the others are given from memory.
_SATURNINO = "range of Saturnino et al. 2019, NeuroImage 188:821"
_SEEN = _SATURNINO + " (seen in SimNIBS 4's examples/uncertainty_quantification/uq_setup_advanced.py)"
_RECALLED = _SATURNINO + " (recalled)"
_WHOLE_SKULL = _SATURNINO + ", there of bone (recalled; seen for compact bone)"
_ASSUMED = "assumed: half of the value to one and a half; no published range was found"

TISSUES: Mapping[str, Tissue] = {
    tissue.name: tissue
    for tissue in (
        Tissue("air", 0.0, 0, "does not conduct", 0.0, 0.0, "does not conduct"),
        Tissue("white", 0.126, 1, _WAGNER, 0.1, 0.4, _SEEN),
        Tissue("grey", 0.275, 2, _WAGNER, 0.1, 0.6, _SEEN),
        Tissue("csf", 1.654, 3, _WAGNER, 1.2, 1.8, _RECALLED),
        Tissue("skull", 0.010, 4, _WAGNER, 0.003, 0.012, _WHOLE_SKULL),
        Tissue("scalp", 0.465, 5, _WAGNER, 0.2, 0.5, _RECALLED),
        Tissue("eyes", 0.5, 6, _OPITZ, 0.25, 0.75, _ASSUMED),
        Tissue("compact_bone", 0.008, 7, _OPITZ, 0.003, 0.012, _SEEN),
        Tissue("spongy_bone", 0.025, 8, _OPITZ, 0.0125, 0.0375, _ASSUMED),
        Tissue("blood", 0.6, 9, _GABRIEL, 0.3, 0.9, _ASSUMED),
        Tissue("muscle", 0.16, 10, _GABRIEL, 0.08, 0.24, _ASSUMED),
        Tissue("cartilage", 0.88, 11, _SIMNIBS, 0.44, 1.32, _ASSUMED),
        Tissue("fat", 0.078, 12, _SIMNIBS, 0.039, 0.117, _ASSUMED),
    )
}


@dataclass(frozen=True)
class ConductivityTable:
    """A named set of conductivities.

    Parameters
    ----------
    name : str
        How ``conductivities=...`` asks for it.
    values : mapping of str to float
        By tissue (S/m). Those that a head does not have do not matter; a head's other tissues keep their values.
    source : str
        Where the values come from.
    changes : mapping of str to float, optional
        By tissue (S/m), instead of the table's; here each must be a tissue of the head.
    """

    name: str
    values: Mapping[str, float]
    source: str
    changes: Mapping[str, float] = field(default_factory=dict)

    def with_changes(self, changes: Mapping[str, float]) -> "ConductivityTable":
        """Return the table with some values changed (S/m), by tissue.

        Examples
        --------
        >>> table = CONDUCTIVITY_TABLES["mccann2019"].with_changes({"skull": 0.008})
        >>> conductivity_table(["scalp", "skull"], table)
        {'air': 0.0, 'scalp': 0.41, 'skull': 0.008}
        """
        return replace(self, changes={**self.changes, **changes})


ConductivitiesLike: TypeAlias = str | Mapping[str, float] | ConductivityTable

CONDUCTIVITY_TABLES: Mapping[str, ConductivityTable] = {
    table.name: table
    for table in (
        ConductivityTable(
            "simnibs",
            {tissue.name: tissue.conductivity for tissue in TISSUES.values() if tissue.tag},
            "SimNIBS 4.5 standard values: meshes.tissues.TISSUES",
        ),
        # Compact bone: the mean of the inner (0.007) and the outer (0.005) table of the skull.
        ConductivityTable(
            "mccann2019",
            {
                "scalp": 0.41,
                "skull": 0.02,
                "spongy_bone": 0.048,
                "compact_bone": 0.006,
                "csf": 1.71,
                "grey": 0.47,
                "white": 0.22,
            },
            "weighted means of a meta-analysis, McCann et al. 2019, Brain Topogr. 32:825 (abstract seen)",
        ),
        ConductivityTable(
            "roast",
            {"white": 0.126, "grey": 0.276, "csf": 1.65, "skull": 0.01, "scalp": 0.465},
            "defaults of ROAST (README of its repository seen); Huang et al. 2019, J. Neural Eng. 16:056006 (recalled)",
        ),
        ConductivityTable(
            "fieldtrip",
            {"scalp": 0.33, "skull": 0.0042, "csf": 1.79, "grey": 0.33, "white": 0.33, "brain": 0.33},
            "usual values of EEG's three and four shells, a skull of 1/80: FieldTrip's list of questions (seen)",
        ),
        ConductivityTable(
            "mne",
            {"scalp": 0.3, "skull": 0.006, "brain": 0.3},
            "default of mne.make_bem_model, EEG's three shells (seen in MNE 1.13)",
        ),
    )
}


def tissue_of_tag(tag: int) -> str | None:
    """Return the name of the tissue with a SimNIBS tag, of volumes or (1000 more) surfaces, or None.

    Examples
    --------
    >>> tissue_of_tag(5), tissue_of_tag(1002), tissue_of_tag(77)
    ('scalp', 'grey', None)
    """
    by_tag = {tissue.tag: tissue.name for tissue in TISSUES.values() if tissue.tag}
    return by_tag.get(tag) or by_tag.get(tag - 1000)


def conductivity_choice(conductivities: ConductivitiesLike | None) -> ConductivityTable:
    """Return what ``conductivities=...`` asks for as a table.

    Parameters
    ----------
    conductivities : str, mapping of str to float, ConductivityTable or None
        A name in `CONDUCTIVITY_TABLES`; or conductivities by tissue (S/m), which all must be tissues of the head; or a
        table; or None for no change.

    Returns
    -------
    ConductivityTable
        Without a name for a mapping or None.

    Raises
    ------
    ValueError
        If there is no table of that name.
    TypeError
        If it is something else.

    Examples
    --------
    >>> conductivity_choice({"skull": 0.008}).changes
    {'skull': 0.008}
    """
    if conductivities is None:
        return ConductivityTable("", {}, "")
    if isinstance(conductivities, ConductivityTable):
        return conductivities
    if isinstance(conductivities, str):
        return CONDUCTIVITY_TABLES[arrays.choice(conductivities, "conductivities", CONDUCTIVITY_TABLES)]
    if not isinstance(conductivities, Mapping):
        raise TypeError(
            "conductivities must be a table's name, or values (S/m) by tissue; "
            f"got {type(conductivities).__name__}. For example {{'skull': 0.008}}."
        )
    return ConductivityTable("", {}, "", dict(conductivities))


def conductivity_table(
    names: Iterable[str], changes: ConductivitiesLike | None, own: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Return the conductivity of each tissue of a head.

    Parameters
    ----------
    names : iterable of str
        The head's tissues.
    changes : str, mapping of str to float, ConductivityTable or None
        What the caller wants instead: a table's name, or conductivities by tissue (S/m); see `conductivity_choice`.
    own : mapping of str to float, optional
        What the head's own file says (S/m); goes before `TISSUES`, but not before a table that the caller asks for.

    Returns
    -------
    dict of str to float
        By tissue (S/m), with "air": 0.

    Raises
    ------
    ValueError
        If a change is not positive or names a tissue that the head does not have, or if a tissue has no value.

    Examples
    --------
    >>> conductivity_table(["scalp", "skull"], {"skull": 0.008})
    {'air': 0.0, 'scalp': 0.465, 'skull': 0.008}
    """
    return {"air": 0.0} | {name: value for name, (value, _) in _looked_up(names, changes, own).items()}


def conductivity_provenance(
    names: Iterable[str],
    changes: ConductivitiesLike | None,
    own: Mapping[str, float] | None = None,
    *,
    origins: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return what the conductivities of a head are and where each comes from, for `HeadModel.provenance`.

    Parameters
    ----------
    names, changes, own
        See `conductivity_table`.
    origins : mapping of str to str, optional
        Where the head's own values come from, by tissue; "file" by default.

    Returns
    -------
    dict of str to str
        Under "conductivities", for people: S/m, each with "given" (by the caller), "file" (the head's own), or the name
        of a table. Under "tissues" the same as JSON, for `meshes.with_conductivities`.

    Examples
    --------
    >>> conductivity_provenance(["scalp", "skull"], {"skull": 0.008})["conductivities"]
    'scalp 0.465 (simnibs), skull 0.008 (given) S/m'
    """
    found = {
        name: (value, (origins or {}).get(name, where) if where == "file" else where)
        for name, (value, where) in _looked_up(names, changes, own).items()
    }
    line = ", ".join(f"{name} {value!r} ({where})" for name, (value, where) in found.items())
    return {"conductivities": f"{line} S/m", "tissues": json.dumps(found)}


def _looked_up(
    names: Iterable[str], changes: ConductivitiesLike | None, own: Mapping[str, float] | None
) -> dict[str, tuple[float, str]]:
    """Return the conductivity of each tissue, and where it was found."""
    wanted = [name for name in dict.fromkeys(names) if name != "air"]
    choice = conductivity_choice(changes)
    for name in choice.changes:
        arrays.choice(name, "tissue in conductivities", wanted)
    table: dict[str, tuple[float, str]] = {}
    for name in wanted:
        if name in choice.changes:
            value, where = choice.changes[name], "given"
        elif name in choice.values:
            value, where = choice.values[name], choice.name
        elif own and name in own:
            value, where = own[name], "file"
        elif name in TISSUES:
            value, where = TISSUES[name].conductivity, "simnibs"
        else:
            raise ValueError(
                f"tissue {name!r} must have a conductivity; got none in the file or in meshes.tissues.TISSUES. "
                f"Pass conductivities={{{name!r}: ...}} (S/m)."
            )
        table[name] = arrays.positive(value, f"conductivity of {name}"), where
    return table
