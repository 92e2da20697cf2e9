"""How far below any other legal placement the answer of a search could be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

__all__ = ["Certificate", "certify"]

_SAFETY = 2.0
"""A cell's slopes are taken as so many times the greatest that its samples show."""

_USEFUL = 0.05
"""A greater gap is said to be of no use."""

_SMALLEST = 3.0**-7
"""Cells with all edges below this share of the first ones' count as their sample: a thousandth of a millimetre."""

_AT_ONCE = 4096
"""Cells split at once, those with the highest bounds first."""


@dataclass(frozen=True, eq=False)
class Certificate:
    """What the samples of a search say about the placements between them.

    Attributes
    ----------
    gap : float
        Share by which any other legal placement could at most be better, as far as samples can tell.
    placements : int
        Placements evaluated, by the search and to certify it.
    spacing : float
        Edge of the smallest cells (mm); their angle shrinks alike.
    """

    gap: float
    placements: int
    spacing: float

    def widened(self, score: float, lower: float) -> Certificate:
        """Return the certificate for an answer with a lower score than the one it was found for."""
        gap = (1.0 + self.gap) * score / lower - 1.0 if lower > 0.0 else float("inf")
        return replace(self, gap=max(gap, self.gap))

    @property
    def short(self) -> str:
        """A few words for tables."""
        if self.gap > _USEFUL:
            return f"no useful bound from {self.placements:,} samples ({100.0 * self.gap:.0f} %)"
        return f"no placement better by more than {100.0 * self.gap:.2g} %, by {self.placements:,} samples"

    @property
    def text(self) -> str:
        """One sentence for people."""
        source = f"{self.placements:,} sampled placements tell (their slopes, doubled; no mathematical proof)"
        if self.gap <= _USEFUL:
            return (
                f"No legal placement in the range searched is better by more than {100.0 * self.gap:.2g} %, as far as "
                f"{source}"
            )
        return (
            f"No useful bound: other placements could be better by {100.0 * self.gap:.0f} %, as far as {source}; "
            "without tilt or limits, or in a smaller radius, it is closer"
        )

    def as_dict(self) -> dict[str, float | int | str]:
        """Return plain data for JSON."""
        return {"gap": self.gap, "placements": self.placements, "smallest_cell_mm": self.spacing, "means": self.text}


def certify(
    scores: Callable[[F64], F64],
    legal: Callable[[F64, F64], NDArray[np.bool_]],
    points: F64,
    values: F64,
    slopes: F64,
    widths: F64,
    *,
    found: float,
    wanted: float = 1e-3,
    placements: int = 0,
    most: int = 40_000,
) -> tuple[Certificate, F64 | None]:
    """Bound the greatest score over cells, splitting those that could hold a better one.

    Parameters
    ----------
    scores : callable
        From points of the search, shape (n, n_dimensions), to scores.
    legal : callable
        From the middles and half the edges of cells, both of shape (n, n_dimensions), to whether some part of each is
        within the range searched; cells at its border reach a little beyond it.
    points, values : ndarray, shape (n, n_dimensions), (n,)
        Middles of the cells that cover the range, and their scores.
    slopes : ndarray, shape (n, n_dimensions)
        Greatest slope around each cell along each dimension.
    widths : ndarray, shape (n_dimensions,)
        Edges of the cells; the first is in mm.
    found : float
        Score of the answer, positive.
    wanted : float, optional
        Gap at which to stop.
    placements : int, optional
        How many were evaluated before.
    most : int, optional
        How many to evaluate at most.

    Returns
    -------
    certificate : Certificate
        Its gap is relative to the better of `found` and the best legal point met.
    better : ndarray, shape (n_dimensions,), or None
        A legal point that is better than `found`, the best that was met.

    Notes
    -----
    Branch and bound with a Lipschitz bound in each cell: what lies in it exceeds its middle by at most the sum of half
    its edges times the slopes (S. A. Piyavskii, USSR Comput. Math. Math. Phys. 12(4):57-67, 1972); cells are cut in
    three, as in D. R. Jones, C. D. Perttunen and B. E. Stuckman, J. Optim. Theory Appl. 79:157-181 (1993). The slopes
    are estimates: the greatest differences between samples around the cell, doubled. The field is smooth in the pose of
    the coil, which makes them good ones; where another part of the casing begins to touch it is continuous.
    """
    value, better, done, finest = found, None, 0, float(widths[0])
    edges = np.broadcast_to(widths, points.shape).copy()
    slopes = _SAFETY * slopes
    bound = values + 0.5 * np.einsum("nd,nd->n", slopes, edges)
    while True:
        alive = bound > value * (1.0 + wanted)
        points, values, slopes, edges, bound = (part[alive] for part in (points, values, slopes, edges, bound))
        first = np.argsort(-bound, kind="stable")[: min(_AT_ONCE, (most - done) // 2)]
        if not len(first):
            break
        # Each is cut in three across the edge that matters most; the middle third keeps the sample.
        rows = np.arange(len(first))
        size = np.where(edges[first] < _SMALLEST * widths, -1.0, slopes[first] * edges[first])
        axis = size.argmax(axis=1)
        thirds = edges[first].copy()
        thirds[rows, axis] /= 3.0
        shift = np.zeros_like(thirds)
        shift[rows, axis] = thirds[rows, axis]
        sides = np.concatenate([points[first] - shift, points[first] + shift])
        fresh = scores(sides)
        done += len(fresh)
        finest = min(finest, float(thirds[:, 0].min()))
        inside = np.where(legal(sides, np.zeros_like(sides)), fresh, -np.inf)
        if inside.max() > value:
            value, better = float(inside.max()), sides[int(inside.argmax())]
        steep = slopes[first].copy()
        change = np.abs(fresh.reshape(2, -1) - values[first]).max(axis=0)
        steep[rows, axis] = _SAFETY * change / thirds[rows, axis]
        kept = np.ones(len(points), dtype=np.bool_)
        kept[first] = False
        three = np.concatenate([points[first], sides]), np.concatenate([values[first], fresh])
        steep, thirds = np.tile(steep, (3, 1)), np.tile(thirds, (3, 1))
        upper = three[1] + 0.5 * np.einsum("nd,nd->n", steep, thirds)
        # A part can hold no more than the whole may.
        upper = np.minimum(upper, np.tile(bound[first], 3))
        upper[~legal(three[0], 0.5 * thirds)] = -np.inf
        # Where the score jumps by a hair, as from one cell of the casing's map to the next, no bound ever closes.
        small = (thirds < _SMALLEST * widths).all(axis=1)
        upper[small] = three[1][small]
        points, values = np.concatenate([points[kept], three[0]]), np.concatenate([values[kept], three[1]])
        slopes, edges = np.concatenate([slopes[kept], steep]), np.concatenate([edges[kept], thirds])
        bound = np.concatenate([bound[kept], upper])
    gap = max(float(bound.max(initial=value)) / value - 1.0, wanted)
    return Certificate(gap=gap, placements=placements + done, spacing=finest), better
