"""Which triangles to split so that the field at chosen points improves, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from efield.bem.estimate import change_by_splitting
from efield.bem.operator import BemOperator
from efield.fields import EField

if TYPE_CHECKING:
    from efield.bem.solver import BemSolver

F64 = NDArray[np.float64]

CORTEX_SAMPLE = 200
"""Points of the cortex that stand for it when triangles are chosen for all of it."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Refinement:
    """A finer solver, and how the field at chosen points moved.

    Attributes
    ----------
    solver : BemSolver
        Solver of the head with split triangles; its `BemSolver.refine` goes on from here.
    before, field : EField
        The field at the points before and after.
    weights : ndarray, shape (n_points,)
        Weight of each point in the figures below: its area of the cortex, or one.
    triangles_before, triangles_after : int
        Triangles of both solvers.
    """

    solver: BemSolver
    before: EField
    field: EField
    weights: F64
    triangles_before: int
    triangles_after: int

    @property
    def change(self) -> float:
        """Relative L2 change of the field, as a fraction of the finer one."""
        moved = self._new - self.before.vectors
        return float(np.sqrt(self._product(moved, moved) / self._product(self._new, self._new)))

    @property
    def magnitude_change(self) -> float:
        """Relative change of the root mean square magnitude: positive if the finer field is stronger."""
        new, old = (self._product(field, field) for field in (self._new, self.before.vectors))
        return float(np.sqrt(new / old)) - 1.0

    @property
    def angle(self) -> float:
        """Angle between both fields (degrees); for several points, of the two lists of vectors as wholes."""
        # By sine and cosine: the arccosine of nearly one is good to 1e-8 only.
        new, old = (field / np.sqrt(self._product(field, field)) for field in (self._new, self.before.vectors))
        half_sine, half_cosine = (np.sqrt(self._product(side, side)) for side in (new - old, new + old))
        return float(np.degrees(2.0 * np.arctan2(half_sine, half_cosine)))

    @property
    def _new(self) -> F64:
        return self.field.vectors

    def _product(self, first: F64, second: F64) -> float:
        return float(np.einsum("p,pd,pd->", self.weights, first, second))

    def __str__(self) -> str:
        return (
            f"{self.triangles_before:,} -> {self.triangles_after:,} triangles: the field moves by {self.change:.2%} at "
            f"{len(self.weights):,} points (magnitude {self.magnitude_change:+.2%}, angle {self.angle:.2f} degrees)."
        )


def marked_triangles(
    operator: BemOperator, charge: F64, points: F64, weights: F64, *, share: float, curved: bool
) -> list[NDArray[np.bool_]]:
    """Return the triangles to split, interface by interface: those that change the field at points most.

    Parameters
    ----------
    operator : BemOperator
        The equations.
    charge : ndarray, shape (n_triangles,)
        Their solution (V/m).
    points, weights : ndarray, shape (n_points, 3), (n_points,)
        Where the field is to improve (mm), and how much each point counts.
    share : float
        Share of the summed changes that the chosen triangles make, more than 0; with 1 all triangles are split.
    curved : bool
        Whether the split surfaces are rounded off.

    Returns
    -------
    list of ndarray of bool

    Notes
    -----
    What a triangle changes is the root mean square field over the points of its children less its own (see
    `efield.bem.estimate.change_by_splitting`). Changes are added, not their squares: those of the many distant
    triangles are small but alike, and squares would never choose them.
    """
    _, effect = change_by_splitting(operator, charge, points, weights, curved=curved)
    change = np.sqrt(effect)
    order = np.argsort(-change, kind="stable")
    held = np.cumsum(change[order])
    count = len(order) if share == 1.0 else int(np.searchsorted(held, share * held[-1])) + 1
    marked = np.zeros(len(order), dtype=np.bool_)
    marked[order[:count]] = True
    return [marked[operator.part == part] for part in range(int(operator.part[-1]) + 1)]
