r"""GMRES for several right-hand sides that share one Krylov space.

Notes
-----
All right-hand sides take their answers from one space, so that each profits from the products made for the others.
After every step the directions in which the residuals of all systems still lie are known; only those that carry the
larger part of what is left are multiplied by the matrix next, the others wait until they matter. So a product is never
spent on a direction that no system needs any more, right-hand sides that nearly depend on each other cost little more
than one, and those that have converged leave by themselves.

Y. Saad and M. H. Schultz, SIAM J. Sci. Stat. Comput. 7:856-869 (1986); the choice of directions follows
H. Calandra, S. Gratton, R. Lago, X. Vasseur and L. M. Carvalho, SIAM J. Sci. Comput. 35:S345-S367 (2013); classical
Gram-Schmidt is repeated where a vector nearly vanishes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from efield.kernels.reductions import add_combinations, products

F64 = NDArray[np.float64]

logger = logging.getLogger(__name__)

_SHARE = 0.2
"""Directions with at least this share of the largest remaining one are multiplied next. Measured on the default head,
16 coil poses around the head: shares of 0, 0.1, 0.2 take 436, 402, 391 products (one pose alone: 39); poses over 3 cm:
415, 355, 344. Larger shares save little more and make the blocks smaller."""

_RANK = 1e-14
"""What is left of a vector counts as rounding below this part of its length."""

_TWICE = 0.1
"""Gram-Schmidt is repeated where it leaves less than this share of a vector, so that the basis stays orthogonal to
rounding: J. W. Daniel, W. B. Gragg, L. Kaufman and G. W. Stewart, Math. Comput. 30:772-795 (1976)."""

_PIVOT = 1e-11
"""An image whose part outside all earlier images is below this share of it is dependent on them: it gives no pivot."""

_SLAB = 64
"""Basis vectors stored together."""


@dataclass(frozen=True, eq=False)
class KrylovResult:
    """Solution of a set of linear systems with one matrix.

    Attributes
    ----------
    solution : ndarray, shape (n, n_rhs)
        Solutions.
    residuals : tuple of tuple of float
        Relative residual of each system after each iteration until it has converged; the first is 1, the last that of
        the solution, as far as products are exact: rounding in single precision is about 1e-7.
    products : int
        Products of the matrix with a vector that were made for all systems together.
    """

    solution: F64
    residuals: tuple[tuple[float, ...], ...]
    products: int

    @property
    def iterations(self) -> int:
        """Greatest number of iterations over the systems."""
        return max((len(history) for history in self.residuals), default=1) - 1


def gmres(
    apply: Callable[[F64, float], F64],
    rhs: F64,
    *,
    tolerance: float,
    max_iterations: int = 200,
    progress: Callable[[int, int], None] | None = None,
) -> KrylovResult:
    """Solve A X = B by block GMRES without restart.

    Parameters
    ----------
    apply : callable
        Takes vectors (n, k), for any k up to n_rhs, and the greatest relative residual that is left, to A times the
        vectors; the smaller the residual, the less the accuracy of the product matters.
    rhs : ndarray, shape (n, n_rhs)
        Right-hand sides; a zero column has the solution zero.
    tolerance : float
        Relative residual (2-norm) to reach.
    max_iterations : int
        Limit.
    progress : callable, optional
        Called with (iteration, max_iterations).

    Returns
    -------
    KrylovResult

    Raises
    ------
    RuntimeError
        If a column has not converged within `max_iterations`, or a NaN appears.
    """
    rows = np.ascontiguousarray(rhs.T)
    norms = np.array([_length(row[None]) for row in rows])
    if not np.isfinite(norms).all():
        raise RuntimeError("rhs must be finite; got NaN or infinity. Is the coil on a surface of the head?")
    histories = [[1.0 if norm > 0.0 else 0.0] for norm in norms]
    space = _Space(rows / np.where(norms > 0.0, norms, 1.0)[:, None])
    count = 0
    for iteration in range(max_iterations):
        left = np.array([history[-1] > tolerance for history in histories])
        if not left.any():
            break
        directions = space.directions(left, tolerance)
        if not directions.shape[1]:
            break  # what is left lies in directions that were multiplied before: the matrix is singular
        image = apply(space.vectors(directions).T, max(history[-1] for history in histories))
        count += directions.shape[1]
        if not np.isfinite(image).all():
            histories[0].append(np.nan)
            break
        space.extend(directions, np.ascontiguousarray(image.T))
        for column in np.flatnonzero(left):
            histories[column].append(float(np.linalg.norm(space.rest[:, column])))
        if progress is not None:
            progress(iteration + 1, max_iterations)
        logger.debug("GMRES %d: residual %.2e", iteration + 1, max(history[-1] for history in histories))
    worst = max((history[-1] for history in histories), default=0.0)
    if not worst <= tolerance:
        raise RuntimeError(
            f"The solver must reach a relative residual of {tolerance:g}; got {worst:.2g} after "
            f"{max(len(history) for history in histories) - 1} iterations (limit {max_iterations}). "
            "Surfaces that nearly touch or very uneven triangles are the usual cause."
        )
    for c, history in enumerate(histories):
        history[-1] = float(np.linalg.norm(space.rest[:, c]))  # others' iterations have improved it since
    solution = np.ascontiguousarray(space.solution().T)
    return KrylovResult(solution * norms, tuple(tuple(history) for history in histories), count)


class _Space:
    """An orthonormal basis, which of its directions were multiplied by the matrix, and the least-squares problem.

    Attributes
    ----------
    rest : ndarray, shape (n_basis - n_multiplied, n_rhs)
        Residuals of all systems, after the reflections that make the images of the directions triangular.
    """

    def __init__(self, rows: F64) -> None:
        self._basis = _Basis(rows.shape[1])
        self.rest = self._basis.add(rows.copy())[1]
        self._waiting = np.eye(self._basis.size)
        self._used = np.zeros((self._basis.size, 0))
        self._top: list[F64] = []
        self._triangle: list[F64] = []
        self._reflections: list[F64] = []

    def directions(self, left: NDArray[np.bool_], tolerance: float) -> F64:
        """Return the coordinates of the directions to multiply next, shape (n_basis, n_directions)."""
        inner = self._waiting.T @ self._residuals()[:, left]
        if not inner.any():
            return np.zeros((self._basis.size, 0))
        turn, sizes, _ = np.linalg.svd(inner)
        if len(turn) == 1:
            turn = np.eye(1)
        sizes = np.append(sizes, np.zeros(len(turn) - len(sizes)))
        # What never gets its turn, in all steps together, stays well below the tolerance.
        chosen = sizes > max(_SHARE * sizes[0], 0.02 * tolerance)
        chosen[0] = True
        directions: F64 = self._waiting @ turn[:, chosen]
        self._waiting = self._waiting @ turn[:, ~chosen]
        return directions

    def vectors(self, directions: F64) -> F64:
        """Return the vectors with given coordinates in the basis, as rows."""
        return self._basis.combinations(directions)

    def extend(self, directions: F64, images: F64) -> None:
        """Take the images of the directions, which are overwritten, into the space and the least-squares problem."""
        before = self._basis.size
        inside, outside = self._basis.add(images)
        new = self._basis.size - before
        self._waiting = np.pad(self._waiting, ((0, new), (0, new)))
        self._waiting[before:, self._waiting.shape[1] - new :] = np.eye(new)
        self.rest = np.pad(self.rest, ((0, new), (0, 0)))
        taken = [self._reflect(column) for column in np.vstack([inside, outside]).T]
        self._used = np.pad(np.hstack([self._used, directions[:, taken]]), ((0, new), (0, 0)))

    def _reflect(self, column: F64) -> bool:
        """Make one more column of the images triangular by a Householder reflection; False if it depends on others."""
        column = column.copy()
        for k, reflection in enumerate(self._reflections):
            end = k + len(reflection)
            column[k:end] -= 2.0 * reflection * (reflection @ column[k:end])
        k = len(self._reflections)
        reflection = column[k:].copy()
        if np.linalg.norm(reflection) <= _PIVOT * np.linalg.norm(column):
            return False
        reflection[0] += np.copysign(np.linalg.norm(reflection), reflection[0])
        reflection /= np.linalg.norm(reflection)
        column[k:] -= 2.0 * reflection * (reflection @ column[k:])
        self._reflections.append(reflection)
        self._triangle.append(column[: k + 1])
        self.rest = self.rest - 2.0 * np.outer(reflection, reflection @ self.rest)
        self._top.append(self.rest[0])
        self.rest = self.rest[1:]
        return True

    def _residuals(self) -> F64:
        """Return the residuals of all systems in coordinates of the basis."""
        out = np.pad(self.rest, ((len(self._reflections), 0), (0, 0)))
        for k in reversed(range(len(self._reflections))):
            reflection = self._reflections[k]
            end = k + len(reflection)
            out[k:end] -= 2.0 * np.outer(reflection, reflection @ out[k:end])
        return out

    def solution(self) -> F64:
        """Return the best solution of each system in the space, as rows."""
        size = len(self._triangle)
        weights = np.array(self._top).reshape(size, self.rest.shape[1])
        for k in reversed(range(size)):
            weights[k] /= self._triangle[k][k]
            weights[:k] -= np.outer(self._triangle[k][:k], weights[k])
        return self.vectors(self._used @ weights)


class _Basis:
    """Orthonormal rows in slabs that grow as needed."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._slabs: list[F64] = []
        self.size = 0

    def _parts(self) -> list[tuple[slice, F64]]:
        """Return the rows in use of each slab, and their numbers."""
        begins = range(0, self.size, _SLAB)
        return [
            (slice(begin, min(begin + _SLAB, self.size)), slab[: self.size - begin])
            for begin, slab in zip(begins, self._slabs, strict=False)
        ]

    def add(self, rows: F64) -> tuple[F64, F64]:
        """Split rows, which are overwritten, into their part in the basis and new basis rows.

        Returns
        -------
        ndarray, shape (n_basis, n_rows)
            Coordinates in the basis as it was.
        ndarray, shape (n_new, n_rows)
            Coordinates in the rows that are new; fewer than there are rows if these depend on each other.
        """
        lengths = np.array([_length(row[None]) for row in rows])
        inside = self._project(rows)
        outside = np.zeros((len(rows), len(rows)))
        before = self.size
        for r in range(len(rows)):
            row = rows[r : r + 1]
            coordinates = self._project(row, before)[:, 0]
            outside[: len(coordinates), r] = coordinates
            length = _length(row)
            if length > _RANK * lengths[r]:
                outside[self.size - before, r] = length
                self._append(row[0] / length)
        return inside, outside[: self.size - before]

    def _project(self, rows: F64, first: int = 0) -> F64:
        """Take from `rows`, in place, what lies in the basis rows from `first` on; return its coordinates."""
        total = np.zeros((self.size - first, len(rows)))
        before = np.array([_length(row[None]) for row in rows])
        for _ in range(2):
            taken = []
            for part, slab in self._parts():
                if part.stop > first:
                    chosen = slab[max(first - part.start, 0) :]
                    coordinates = np.empty((len(chosen), len(rows)))
                    products(coordinates, chosen, rows)
                    taken.append((chosen, coordinates))
            for chosen, coordinates in taken:
                add_combinations(rows, -coordinates, chosen)
            total += np.vstack([coordinates for _, coordinates in taken]) if taken else 0.0
            if all(_length(row[None]) > _TWICE * length for row, length in zip(rows, before, strict=True)):
                break
        return total

    def _append(self, row: F64) -> None:
        if self.size == _SLAB * len(self._slabs):
            # Rows that are not in use yet cost no memory: the system hands out pages when they are written.
            self._slabs.append(np.empty((_SLAB, self._length)))
        self._slabs[-1][self.size % _SLAB] = row
        self.size += 1

    def combinations(self, weights: F64) -> F64:
        """Return weights.T @ basis, shape (n_columns, length)."""
        out = np.zeros((weights.shape[1], self._length))
        for part, slab in self._parts():
            mine = np.ascontiguousarray(weights[part])
            if mine.any():
                add_combinations(out, mine, slab)
        return out


def _length(row: F64) -> float:
    square = np.empty((1, 1))
    products(square, row, row)
    return float(np.sqrt(square[0, 0]))
