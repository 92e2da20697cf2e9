"""What a search maximises: field at targets, over regions, across a sulcus' wall, beside regions to spare."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from efield.fields import EField
from efield.targeting.parts import cut_into_parts
from efield.targeting.patch import Patch
from efield.targeting.target import Target
from meshes import HeadModel, arrays

F64 = NDArray[np.float64]

__all__ = [
    "Objective",
    "Prepared",
    "across_wall",
    "contrast",
    "focal",
    "limited",
    "mean_magnitude",
    "percentile",
    "strength",
]

Score = Callable[[F64], F64]

_PARTS = 12
"""Parts of a region whose mean fields stand for the field over it, at most: three transposed solves for each."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """An objective on one head.

    Attributes
    ----------
    patches : tuple of Patch
        Where mean fields are needed; the targets' own come first.
    score : callable
        From mean fields over the patches (V/m at 1 A/us), shape (n_poses, n_patches, 3), to what is maximised,
        shape (n_poses,).
    """

    patches: tuple[Patch, ...]
    score: Score


@dataclass(frozen=True, eq=False, kw_only=True)
class Objective:
    """What a search maximises.

    Attributes
    ----------
    name : str
        Short name.
    text : str
        What is maximised, in words.
    prepare : callable
        From head and targets to a `Prepared`.
    final : callable, optional
        From the field on the cortex, solved directly, to what is minimised among the candidates whose score is at least
        `keep` of the best; for what no few functionals can tell.
    keep : float
        See `final`.
    """

    name: str
    text: str
    prepare: Callable[[HeadModel, Sequence[Target]], Prepared]
    final: Callable[[EField], float] | None = None
    keep: float = 1.0

    def __repr__(self) -> str:
        return f"Objective({self.name}: {self.text})"


def strength(*, of: str = "weakest") -> Objective:
    """Maximise the field at the target per ampere per second: the least dI/dt for a wanted field.

    Parameters
    ----------
    of : str, optional
        With several targets, ``"weakest"`` (the least of their fields) or ``"mean"``.

    Returns
    -------
    Objective
        The magnitude of the mean field over each target, or its component if the target has a direction.

    Raises
    ------
    ValueError
        If `of` is something else.
    """
    arrays.choice(of, "of", ("weakest", "mean"))

    def prepare(head: HeadModel, targets: Sequence[Target]) -> Prepared:
        at = _at_targets(targets)

        def score(means: F64) -> F64:
            fields = at(means)
            combined: F64 = fields.min(axis=1) if of == "weakest" else fields.mean(axis=1)
            return combined

        return Prepared(_patches(head, targets), score)

    return Objective(
        name="strength",
        text="field at the target per A/us" + (", mean of several" if of == "mean" else ", of several the weakest"),
        prepare=prepare,
    )


def across_wall() -> Objective:
    """Maximise the field across the wall of the sulcus that the target is on, whichever way it points.

    Returns
    -------
    Objective
        The magnitude of the mean field's component along the normal of `Target.wall`; the least over several targets.
    """

    def prepare(head: HeadModel, targets: Sequence[Target]) -> Prepared:
        normals = []
        for target in targets:
            wall = target.wall(head)
            if wall is None:
                raise ValueError(
                    "target must lie on the wall of a sulcus to ask for the field across it; got "
                    f"{_named(target)}, which is on no single wall. Give it a direction, or use strength()."
                )
            normals.append(wall.normal)
        along = np.array(normals)

        def score(means: F64) -> F64:
            across: F64 = np.abs(np.einsum("pti,ti->pt", means[:, : len(along)], along)).min(axis=1)
            return across

        return Prepared(_patches(head, targets), score)

    return Objective(name="across-wall", text="field across the sulcus' wall at the target per A/us", prepare=prepare)


def mean_magnitude(*, parts: int = _PARTS) -> Objective:
    """Maximise the mean of |E| over the target's region, by area.

    Other than the magnitude of the mean field it counts fields that point different ways within the region.

    Parameters
    ----------
    parts : int, optional
        The region is cut into so many parts of like area; the field is averaged within each, its magnitude over them.

    Returns
    -------
    Objective
    """
    count = _whole(parts, "parts", 1)

    def prepare(head: HeadModel, targets: Sequence[Target]) -> Prepared:
        own, shares, pieces = cut_into_parts(_patches(head, targets), count)

        def score(means: F64) -> F64:
            fields = np.linalg.norm(means[:, len(own) :], axis=2) @ shares
            weakest: F64 = fields.min(axis=1)
            return weakest

        return Prepared(own + pieces, score)

    return Objective(name="mean-magnitude", text="mean |E| over the target's area per A/us", prepare=prepare)


def percentile(share: float = 10.0, *, parts: int = _PARTS) -> Objective:
    """Maximise a percentile of |E| over the target's region: 10 asks that nine tenths of its area get at least so much.

    Parameters
    ----------
    share : float, optional
        Percentile, above 0 and below 100.
    parts : int, optional
        As in `mean_magnitude`.

    Returns
    -------
    Objective
    """
    if not 0.0 < share < 100.0:
        raise ValueError(f"share must be above 0 and below 100 per cent; got {share}.")
    count = _whole(parts, "parts", 2)

    def prepare(head: HeadModel, targets: Sequence[Target]) -> Prepared:
        own, shares, pieces = cut_into_parts(_patches(head, targets), count)

        def score(means: F64) -> F64:
            fields = np.linalg.norm(means[:, len(own) :], axis=2)
            each = [_weighted_percentile(fields[:, column > 0.0], column[column > 0.0], share) for column in shares.T]
            weakest: F64 = np.min(each, axis=0)
            return weakest

        return Prepared(own + pieces, score)

    return Objective(
        name="percentile", text=f"{share:g}th percentile of |E| over the target's area per A/us", prepare=prepare
    )


def contrast(avoid: Target | Sequence[Target], *, weight: float = 1.0) -> Objective:
    """Maximise the field at the target less that over regions to spare.

    Parameters
    ----------
    avoid : Target or sequence of Target
        Regions to spare.
    weight : float, optional
        Weight of the strongest of their fields (magnitude of the mean over each).

    Returns
    -------
    Objective
    """
    spared = _targets(avoid, "avoid")
    factor = arrays.positive(weight, "weight")

    def prepare(head: HeadModel, targets: Sequence[Target]) -> Prepared:
        at = _at_targets(targets)

        def score(means: F64) -> F64:
            other = np.linalg.norm(means[:, len(targets) :], axis=2).max(axis=1)
            difference: F64 = at(means).min(axis=1) - factor * other
            return difference

        return Prepared(_patches(head, [*targets, *spared]), score)

    names = ", ".join(_named(target) for target in spared)
    return Objective(
        name="contrast", text=f"field at the target less {factor:g} times that at {names}", prepare=prepare
    )


def limited(avoid: Target | Sequence[Target], *, share: float) -> Objective:
    """Maximise the field at the target among the placements that keep other regions below a share of it.

    With 60 V/m wanted at the target and at most 40 V/m elsewhere, the share is 40 / 60.

    Parameters
    ----------
    avoid : Target or sequence of Target
        Regions to spare.
    share : float
        Greatest magnitude of the mean field over any of them, over the field at the target.

    Returns
    -------
    Objective
        Placements that break the limit score by how far they break it, below zero.
    """
    spared = _targets(avoid, "avoid")
    most = arrays.positive(share, "share")

    def prepare(head: HeadModel, targets: Sequence[Target]) -> Prepared:
        at = _at_targets(targets)

        def score(means: F64) -> F64:
            field = at(means).min(axis=1)
            other = np.linalg.norm(means[:, len(targets) :], axis=2).max(axis=1)
            kept: F64 = np.where(other <= most * field, field, most * field - other)
            return kept

        return Prepared(_patches(head, [*targets, *spared]), score)

    names = ", ".join(_named(target) for target in spared)
    return Objective(
        name="limited", text=f"field at the target, {names} at most {most:.0%} of it, per A/us", prepare=prepare
    )


def focal(*, keep: float = 0.9) -> Objective:
    """Minimise the area of cortex with at least half the peak field, among placements nearly as strong as the best.

    Parameters
    ----------
    keep : float, optional
        Least field at the target as a share of the greatest.

    Returns
    -------
    Objective
        Some candidates spread over those placements are solved directly; the answer is the best of them, so the
        certificate is of the field at the target, not of the area.
    """
    if not 0.0 < keep < 1.0:
        raise ValueError(f"keep must be above 0 and below 1; got {keep}.")
    return Objective(
        name="focal",
        text=f"least half-maximum area of cortex with at least {keep:.0%} of the best field at the target",
        prepare=strength().prepare,
        final=_half_maximum_area,
        keep=keep,
    )


def _half_maximum_area(field: EField) -> float:
    """Return the area of cortex whose |E| is at least half the 99.9th percentile (mm^2)."""
    from efield.metrics import focality

    if field.surface is None:
        raise ValueError("field must be that on the cortex; got one at free points.")
    return focality(field.vectors, field.surface.vertex_areas)


def _patches(head: HeadModel, targets: Sequence[Target]) -> tuple[Patch, ...]:
    return tuple(target.on(head) for target in targets)


def _at_targets(targets: Sequence[Target]) -> Score:
    """Return what gives the field at each target: magnitude or component, shape (n_poses, n_targets)."""
    count = len(targets)
    free = [index for index, target in enumerate(targets) if target.direction is None]
    along = np.array([np.zeros(3) if target.direction is None else target.direction for target in targets])

    def at(means: F64) -> F64:
        fields: F64 = np.einsum("pti,ti->pt", means[:, :count], along)
        fields[:, free] = np.linalg.norm(means[:, free], axis=2)
        return fields

    return at


def _weighted_percentile(values: F64, weights: F64, share: float) -> F64:
    """Return the value below which a share of the weight lies, row by row."""
    order = np.argsort(values, axis=1)
    total = np.cumsum(weights[order], axis=1)
    index = (total >= share / 100.0 * total[:, -1:] * (1.0 - 1e-12)).argmax(axis=1)
    rows = np.arange(len(values))
    found: F64 = values[rows, order[rows, index]]
    return found


def _targets(given: Target | Sequence[Target], name: str) -> list[Target]:
    found = [given] if isinstance(given, Target) else list(given)
    if not found or not all(isinstance(target, Target) for target in found):
        raise TypeError(f"{name} must be an efield.Target or a sequence of them; got {given!r}.")
    return found


def _named(target: Target) -> str:
    return f"{target.name} {target.side}".strip() or "a region"


def _whole(value: int, name: str, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= 100:
        raise ValueError(f"{name} must be a whole number from {least} to 100; got {value!r}.")
    return value
