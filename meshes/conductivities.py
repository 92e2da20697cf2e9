"""Change the conductivities of a head's tissues by name, whatever the head was read from."""

import json
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from meshes.arrays import FloatArray
from meshes.head import HeadModel, Interface
from meshes.tissues import ConductivitiesLike, conductivity_choice, conductivity_provenance, conductivity_table

__all__ = ["head_tissues", "with_conductivities"]


def head_tissues(head: HeadModel) -> dict[str, float]:
    """Return the tissues of a head with their conductivities (S/m), as its provenance names them.

    Parameters
    ----------
    head : HeadModel
        From `meshes.load_head` or `meshes.read_head`; a head that was built from surfaces by hand has no tissues.

    Returns
    -------
    dict of str to float
        Empty if the provenance does not say.

    Examples
    --------
    >>> import meshes
    >>> head_tissues(meshes.sphere_head([90, 80], [0.33, 1.0], subdivisions=1))
    {}
    """
    return {name: value for name, (value, _) in _tissues(head).items()}


def _tissues(head: HeadModel) -> dict[str, tuple[float, str]]:
    """Return conductivity and origin of each tissue; none if the provenance is not as this package writes it."""
    try:
        values = json.loads(head.provenance.get("tissues", "{}"))
        return {str(name): (float(value), str(origin)) for name, (value, origin) in values.items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def with_conductivities(head: HeadModel, conductivities: ConductivitiesLike) -> HeadModel:
    """Return a head with other conductivities.

    Parameters
    ----------
    head : HeadModel
        One that knows its tissues (`head_tissues`).
    conductivities : str, mapping of str to float, or ConductivityTable
        A table by name (`meshes.CONDUCTIVITY_TABLES`: the tissues that it does not have keep their values), or
        conductivities by tissue (S/m).

    Returns
    -------
    HeadModel
        The same surfaces, and a provenance that says what was changed.

    Raises
    ------
    ValueError
        If the head does not know its tissues, has none of a given name, a value is not positive, or two tissues had the
        same conductivity and are to have different ones: a head keeps conductivities, not tissues, on its surfaces'
        sides.

    Examples
    --------
    >>> import meshes
    >>> softer = with_conductivities(meshes.load_head("pycortex"), {"skull": 0.008})
    >>> softer.interface("outer_skull").sigma_inside, softer.interface("inner_skull").sigma_outside
    (0.008, 0.008)
    """
    choice = conductivity_choice(conductivities)
    old = head_tissues(head)
    if not old:
        raise ValueError(
            f"head must know its tissues, to have other conductivities by name; got {head.name!r}, whose provenance "
            "names none. Set sigma_inside and sigma_outside of its interfaces."
        )
    new = conductivity_table(old, choice, old)
    value = _new_values(head.name, old, new)
    interfaces = tuple(
        Interface(i.surface, _changed(i.sigma_inside, value), _changed(i.sigma_outside, value)) for i in head.interfaces
    )
    origins = {name: origin for name, (_, origin) in _tissues(head).items()}
    found = conductivity_provenance(old, choice, old, origins=origins)
    return replace(head, interfaces=interfaces, provenance={**head.provenance, **found})


def _new_values(head: str, old: Mapping[str, float], new: Mapping[str, float]) -> dict[float, float]:
    """Return the new conductivity by the old one."""
    values: dict[float, float] = {}
    first: dict[float, str] = {}
    for name, sigma in old.items():
        if values.setdefault(sigma, new[name]) != new[name]:
            raise ValueError(
                f"tissues of {head!r} must have different conductivities to be told apart; got {first[sigma]} and "
                f"{name}, both of {sigma:g} S/m, to become {values[sigma]:g} and {new[name]:g}. Give both the "
                "same value, or give these conductivities when the head is read, before a lesion is put in."
            )
        first.setdefault(sigma, name)
    return values


def _changed(sigma: float | FloatArray, value: Mapping[float, float]) -> float | FloatArray:
    """Return a side's conductivity, or those of its triangles, with the new values in the place of the old ones."""
    if isinstance(sigma, float):
        return value.get(sigma, sigma)
    known, index = np.unique(sigma, return_inverse=True)
    changed: FloatArray = np.array([value.get(float(one), float(one)) for one in known])[index]
    return changed
