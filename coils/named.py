"""Build coils by name, from published windings."""

from collections.abc import Callable

from coils.coil import Coil
from coils.shapes import circular, figure_of_eight

__all__ = ["list_coils", "load_coil"]

_DENG = "winding: Deng et al., Brain Stimul 2013;6:1-13, supplement"
_DRAKAKI = "Drakaki et al., Brain Stimul 2022;15:697-706"


def _magstim_70mm() -> Coil:
    """Build the Magstim 70 mm figure-of-eight (9925, 3190): row 31 of Deng's table."""
    return figure_of_eight(
        name="magstim-70mm",
        inner_diameter=56.0,
        outer_diameter=87.0,
        turns=9,
        wire_width=1.75,
        wire_height=6.0,
        # Thielscher and Kammer, NeuroImage 2002;17:1117-1130: casing 3 mm below the winding.
        clearance=3.0,
        max_didt=114.73e6,
        source=f"{_DENG}, no. 31; casing 3 mm below the winding: Thielscher and Kammer 2002; max dI/dt with Magstim "
        f"Rapid: {_DRAKAKI}",
    )


def _magstim_90mm_circular() -> Coil:
    """Build the Magstim 90 mm circular coil: row 5 of Deng's table. The limit of its stimulator is not published."""
    return circular(
        name="magstim-90mm-circular",
        inner_diameter=66.0,
        outer_diameter=123.0,
        turns=14,
        wire_width=1.75,
        wire_height=6.0,
        clearance=3.0,
        source=f"{_DENG}, no. 5; casing 3 mm below the winding taken over from the 70 mm coil",
    )


_COILS: dict[str, Callable[[], Coil]] = {
    "magstim-70mm": _magstim_70mm,
    "magstim-90mm-circular": _magstim_90mm_circular,
}


def list_coils() -> tuple[str, ...]:
    """Return the names that `load_coil` knows, in alphabetical order.

    Examples
    --------
    >>> "magstim-70mm" in list_coils()
    True
    """
    return tuple(sorted(_COILS))


def load_coil(name: str) -> Coil:
    """Build a named coil.

    Parameters
    ----------
    name : str
        One of `list_coils()`.

    Returns
    -------
    Coil
        A new object; its `source` names the publications.

    Raises
    ------
    ValueError
        If there is no coil of this name; the message lists all names.

    Examples
    --------
    >>> load_coil("magstim-70mm").max_didt
    114730000.0
    """
    if name not in _COILS:
        raise ValueError(f"name must be one of {', '.join(list_coils())}; got {name!r}.")
    return _COILS[name]()
