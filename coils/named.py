"""Build coils by name, from published windings; the drawings are in `coils.catalogue`."""

from dataclasses import replace

from coils.catalogue import DRAWINGS, Drawing, Published
from coils.coil import Coil
from coils.stimulator_pairs import stimulator_for

__all__ = ["Published", "list_coils", "load_coil", "published"]


def list_coils() -> tuple[str, ...]:
    """Return the names that `load_coil` knows, in alphabetical order.

    Examples
    --------
    >>> "magstim-70mm" in list_coils()
    True
    """
    return tuple(sorted(DRAWINGS))


def load_coil(name: str) -> Coil:
    """Build a named coil.

    Parameters
    ----------
    name : str
        One of `list_coils()`.

    Returns
    -------
    Coil
        A new object; its `source` names the publications, its `stimulator` the one that `max_didt` holds for.

    Raises
    ------
    ValueError
        If there is no coil of this name; the message lists all names.

    Examples
    --------
    >>> load_coil("magstim-70mm").max_didt
    114730000.0
    """
    coil = _drawing(name).build(name)
    return replace(coil, stimulator=stimulator_for(name)) if coil.max_didt is not None else coil


def published(name: str) -> tuple[Published, ...]:
    """Return the published half-value depths and spreads of a named coil.

    Parameters
    ----------
    name : str
        One of `list_coils()`.

    Returns
    -------
    tuple of Published

    Raises
    ------
    ValueError
        If there is no coil of this name; the message lists all names.

    Examples
    --------
    >>> published("magstim-70mm")[0].depth
    14.1
    """
    return _drawing(name).published


def _drawing(name: str) -> Drawing:
    if name not in DRAWINGS:
        raise ValueError(f"name must be one of {', '.join(list_coils())}; got {name!r}.")
    return DRAWINGS[name]
