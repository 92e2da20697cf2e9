"""Push surfaces apart until none cross and all keep their clearances."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from meshes.measures import Spot
from meshes.neighbours import crossing_counts, measure_pair, neighbours, nesting
from meshes.recipes.clearances import Clearance, keep_clear
from meshes.repairing.draft import Draft
from meshes.repairing.untangling import untangled

__all__ = ["Gap", "demanded", "separated"]

# Surfaces that crossed are pushed apart by so much (mm), so that they do not stay in contact.
_CLEAR = 0.1
# After so many rounds without fewer crossings or less lack it stops.
_PATIENCE = 6

Gap = tuple[int, int, bool, float]
"""Two surfaces' numbers, whether the first lies in the second, and their least distance (mm)."""


def demanded(drafts: Sequence[Draft], clearances: float | Mapping[tuple[str, str], float]) -> list[Gap]:
    """Return the gaps that neighbouring surfaces should keep.

    Parameters
    ----------
    drafts : sequence of Draft
        The surfaces.
    clearances : float or mapping of (str, str) to float
        Least distance (mm): of all neighbours, or of those named, in either order; 0 for the others.
    """
    surfaces = [draft.surface for draft in drafts]
    _, mutual = crossing_counts(surfaces)
    wanted: dict[frozenset[str], float] = {}
    if isinstance(clearances, Mapping):
        wanted = {frozenset(pair): distance for pair, distance in clearances.items()}
    gaps = []
    for i, j, nested, _ in neighbours(surfaces, nesting(surfaces), mutual):
        names = frozenset((surfaces[i].name, surfaces[j].name))
        distance = wanted.get(names, 0.0) if isinstance(clearances, Mapping) else float(clearances)
        gaps.append((i, j, nested, distance))
    return gaps


def separated(
    drafts: Sequence[Draft],
    gaps: Sequence[Gap],
    *,
    max_move: float,
    keep: Collection[str],
    longest: int,
    rounds: int = 25,
) -> list[Draft]:
    """Return the surfaces pushed apart along the gradient of their signed distance, as far as that can be done.

    Parameters
    ----------
    drafts : sequence of Draft
        Closed and outward.
    gaps : sequence of Gap
        Of `demanded`.
    max_move : float
        No vertex goes farther than this from where it was at first (mm).
    keep : collection of str
        Surfaces that must not move; of two others each moves half of the way.
    longest : int
        Most edges of a hole that is filled.
    rounds : int, optional
        At most so often all pairs are gone through.
    """
    current = list(drafts)
    pushed: list[set[str]] = [set() for _ in drafts]
    touched = set(range(len(drafts)))
    best, since = np.inf, 0
    for _ in range(rounds):
        _, mutual = crossing_counts([draft.surface for draft in current])
        changed: set[int] = set()
        score = float(sum(spot.count for spot in mutual.values()))
        for i, j, nested, distance in gaps:
            crossing = mutual.get((min(i, j), max(i, j)), Spot(0))
            if not crossing.count and not (distance and touched & {i, j}):
                continue
            moved, lacking = _pushed(current, (i, j, nested, distance), crossing, max_move, keep)
            score += lacking
            for k, draft in moved.items():
                current[k] = untangled(draft, max_move=max_move, longest=longest)
                changed.add(k)
                pushed[k].add(drafts[j if k == i else i].surface.name)
        touched = changed
        since = 0 if score < 0.99 * best else since + 1
        best = min(score, best)
        if not changed or since == _PATIENCE:
            break  # all holds, or what is left needs more than max_move
    for k, others in enumerate(pushed):
        if others:
            current[k] = current[k].noted(f"pushed away from {', '.join(sorted(others))}")
    return current


def _pushed(
    drafts: Sequence[Draft], gap: Gap, crossing: Spot, max_move: float, keep: Collection[str]
) -> tuple[dict[int, Draft], float]:
    """Return those of two surfaces that had to move, after a push, and what still lacks of the distance (mm)."""
    i, j, nested, distance = gap
    clear = max(distance, _CLEAR)
    overlap = 0.0
    if crossing.count:
        overlap = measure_pair(drafts[i].surface, drafts[j].surface, nested=nested, crossings=crossing).overlap
    free = [k for k in (i, j) if drafts[k].surface.name not in keep]
    results: dict[int, Draft] = {}
    worst = 0.0
    for k in free:
        # Both look at where the other one was, so that each makes its half of the way.
        fixed, moved = drafts[j if k == i else i].surface, drafts[k].surface
        demand = Clearance(moved.name, fixed.name, nested and k == i, clear, around=nested and k == j)
        share = 1.0 if len(free) == 1 else 0.4
        result, left = keep_clear(moved, fixed, demand, steps=1, share=share, reach=overlap + 2.0 * clear + 2.0)
        worst = max(worst, left)
        placed = drafts[k].with_vertices(result.vertices, max_move)
        if np.abs(placed.surface.vertices - moved.vertices).max() > 1e-6:
            results[k] = placed
    return results, worst
