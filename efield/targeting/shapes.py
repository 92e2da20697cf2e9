"""The best shape of a flexible coil: its deformations chosen together with its placement."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from coils import Coil

__all__ = ["best_shape"]

_VALUES = 5
"""Values of each deformation tried first, over its range."""

_ROUNDS = 2
"""Times that the deformations are gone through, one after the other."""


def best_shape(
    coil: Coil,
    search: Callable[[Coil], float],
    report: Callable[[str, int, int], None],
) -> Coil:
    """Return a coil in the shape that scores best.

    Parameters
    ----------
    coil : Coil
        A coil with deformations.
    search : callable
        From a coil to the score of its best placement.
    report : callable
        Called with (stage, done, of).

    Returns
    -------
    Coil
        Every deformation within its range, its parts clear of each other.

    Raises
    ------
    ValueError
        If the coil has no deformations.

    Notes
    -----
    The deformations are gone through one after the other, twice: first at five values over the range, then by golden
    sections between the neighbours of the best. This finds the best shape where the score has one peak along each
    deformation; it is no global search over shapes.
    """
    from scipy.optimize import minimize_scalar

    if coil.assembly is None or not coil.assembly.deformations:
        raise ValueError(f"coil must have deformations to be shaped; got {coil.name}, which has none.")
    deformations = coil.assembly.deformations
    known: dict[tuple[float, ...], float] = {}
    now = [deformation.value for deformation in deformations]
    total = _ROUNDS * len(deformations)

    def score(values: Sequence[float]) -> float:
        key = tuple(float(np.round(value, 6)) for value in values)
        if key not in known:
            shaped = coil.deform(**{d.name: value for d, value in zip(deformations, key, strict=True)})
            known[key] = -np.inf if _parts_meet(shaped) else search(shaped)
        return known[key]

    for step in range(total):
        report("shape", step, total)
        index = step % len(deformations)
        low, high = deformations[index].range

        def along(value: float, index: int = index) -> float:
            return score([*now[:index], value, *now[index + 1 :]])

        tried = sorted({now[index], *np.linspace(low, high, _VALUES).tolist()})
        best = int(np.argmax([along(value) for value in tried]))
        left, right = tried[max(best - 1, 0)], tried[min(best + 1, len(tried) - 1)]
        found = minimize_scalar(
            lambda value, along=along: -along(value),
            bounds=(left, right),
            method="bounded",
            options={"xatol": 0.01 * (high - low), "maxiter": 10},
        )
        now[index] = max((float(found.x), tried[best]), key=along)
    report("shape", total, total)
    return coil.deform(**{d.name: value for d, value in zip(deformations, now, strict=True)})


def _parts_meet(coil: Coil) -> bool:
    return bool(coil.assembly is not None and coil.assembly.groups and coil.assembly.collisions())
