"""List tissues with their conductivities, and where the values come from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from meshes import arrays

__all__ = ["TISSUES", "Tissue", "conductivity_table", "tissue_of_tag"]


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
    """

    name: str
    conductivity: float
    tag: int
    source: str


# All values are SimNIBS 4.5's standard_cond (simnibs/utils/cond_utils.py), so that results can be compared. What its
# manual cites for them is given from memory.
_SIMNIBS = "SimNIBS 4.5 standard value"
_WAGNER = _SIMNIBS + "; after Wagner et al. 2004, IEEE Trans. Biomed. Eng. 51:1586 (recalled)"
_OPITZ = _SIMNIBS + "; after Opitz et al. 2015, NeuroImage 109:140 (recalled)"
_GABRIEL = _SIMNIBS + "; after Gabriel et al. 2009, Phys. Med. Biol. 54:4863 (recalled)"

TISSUES: Mapping[str, Tissue] = {
    tissue.name: tissue
    for tissue in (
        Tissue("air", 0.0, 0, "does not conduct"),
        Tissue("white", 0.126, 1, _WAGNER),
        Tissue("grey", 0.275, 2, _WAGNER),
        Tissue("csf", 1.654, 3, _WAGNER),
        Tissue("skull", 0.010, 4, _WAGNER),
        Tissue("scalp", 0.465, 5, _WAGNER),
        Tissue("eyes", 0.5, 6, _OPITZ),
        Tissue("compact_bone", 0.008, 7, _OPITZ),
        Tissue("spongy_bone", 0.025, 8, _OPITZ),
        Tissue("blood", 0.6, 9, _GABRIEL),
        Tissue("muscle", 0.16, 10, _GABRIEL),
        Tissue("cartilage", 0.88, 11, _SIMNIBS),
        Tissue("fat", 0.078, 12, _SIMNIBS),
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


def conductivity_table(
    names: Iterable[str], changes: Mapping[str, float], own: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Return the conductivity of each tissue of a head.

    Parameters
    ----------
    names : iterable of str
        The head's tissues.
    changes : mapping of str to float
        What the caller wants instead, by tissue (S/m).
    own : mapping of str to float, optional
        What the head's own file says (S/m); goes before `TISSUES`.

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
    wanted = [name for name in dict.fromkeys(names) if name != "air"]
    for name in changes:
        arrays.choice(name, "tissue in conductivities", wanted)
    table = {"air": 0.0}
    for name in wanted:
        if name in changes:
            value = changes[name]
        elif own and name in own:
            value = own[name]
        elif name in TISSUES:
            value = TISSUES[name].conductivity
        else:
            raise ValueError(
                f"tissue {name!r} must have a conductivity; got none in the file or in meshes.tissues.TISSUES. "
                f"Pass conductivities={{{name!r}: ...}} (S/m)."
            )
        table[name] = arrays.positive(value, f"conductivity of {name}")
    return table
