"""GMRES for several right-hand sides whose products with the operator are shared."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class KrylovResult:
    """Solution of a set of linear systems with one matrix.

    Attributes
    ----------
    solution : ndarray, shape (n, n_rhs)
        Solutions.
    residuals : tuple of tuple of float
        Relative residual of each system after each iteration; the first is 1.
    """

    solution: F64
    residuals: tuple[tuple[float, ...], ...]

    @property
    def iterations(self) -> int:
        """Greatest number of iterations over the systems."""
        return max(len(history) for history in self.residuals) - 1


def gmres(
    apply: Callable[[F64], F64],
    rhs: F64,
    *,
    tolerance: float,
    max_iterations: int = 200,
    progress: Callable[[int, int], None] | None = None,
) -> KrylovResult:
    """Solve A X = B by GMRES without restart; a column that has converged leaves the products.

    Parameters
    ----------
    apply : callable
        Takes (n, k) to A times it, for any k up to n_rhs.
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

    Notes
    -----
    Y. Saad and M. H. Schultz, SIAM J. Sci. Stat. Comput. 7:856-869 (1986), with Givens rotations and classical
    Gram-Schmidt applied twice.
    """
    columns = [_Column(rhs[:, c], tolerance, max_iterations) for c in range(rhs.shape[1])]
    for iteration in range(max_iterations):
        active = [column for column in columns if not column.converged]
        if not active:
            break
        product = apply(np.stack([column.last for column in active], axis=1))
        for position, column in enumerate(active):
            column.extend(product[:, position])
        if progress is not None:
            progress(iteration + 1, max_iterations)
        logger.debug("GMRES %d: residual %.2e", iteration + 1, max(c.residuals[-1] for c in columns))
    worst = max(column.residuals[-1] for column in columns)
    if not worst <= tolerance:
        raise RuntimeError(
            f"The solver must reach a relative residual of {tolerance:g}; got {worst:.2g} after {max_iterations} "
            "iterations. Surfaces that nearly touch or very uneven triangles are the usual cause."
        )
    return KrylovResult(
        np.stack([column.solution() for column in columns], axis=1),
        tuple(tuple(column.residuals) for column in columns),
    )


class _Column:
    """The Krylov space of one right-hand side."""

    def __init__(self, rhs: F64, tolerance: float, max_iterations: int) -> None:
        self.tolerance = tolerance
        self.norm = float(np.linalg.norm(rhs))
        if not np.isfinite(self.norm):
            raise RuntimeError("rhs must be finite; got NaN or infinity. Is the coil on a surface of the head?")
        self.residuals = [1.0 if self.norm > 0.0 else 0.0]
        # Rows beyond those in use cost no memory: the system hands out pages when they are written.
        self.basis = np.empty((max_iterations + 1, len(rhs)))
        self.basis[0] = rhs / self.norm if self.norm > 0.0 else 0.0
        self.columns: list[F64] = []
        self.rotations: list[tuple[float, float]] = []
        self.projected = [self.norm]

    @property
    def converged(self) -> bool:
        return self.residuals[-1] <= self.tolerance

    @property
    def last(self) -> F64:
        vector: F64 = self.basis[len(self.columns)]
        return vector

    def extend(self, product: F64) -> None:
        basis = self.basis[: len(self.columns) + 1]
        first = basis @ product
        product = product - first @ basis
        second = basis @ product
        product = product - second @ basis
        length = float(np.linalg.norm(product))
        column = np.append(first + second, length)
        for k, (c, s) in enumerate(self.rotations):
            column[k], column[k + 1] = c * column[k] + s * column[k + 1], c * column[k + 1] - s * column[k]
        radius = float(np.hypot(column[-2], column[-1]))
        c, s = column[-2] / radius, column[-1] / radius
        self.rotations.append((c, s))
        self.basis[len(self.columns) + 1] = product / length if length > 0.0 else product
        self.columns.append(np.append(column[:-2], radius))
        last = self.projected[-1]
        self.projected[-1:] = [c * last, -s * last]
        self.residuals.append(abs(self.projected[-1]) / self.norm)

    def solution(self) -> F64:
        size = len(self.columns)
        if size == 0:
            return np.zeros(self.basis.shape[1])
        triangular = np.zeros((size, size))
        for k, column in enumerate(self.columns):
            triangular[: k + 1, k] = column
        weights = np.linalg.solve(triangular, np.array(self.projected[:size]))
        return weights @ self.basis[:size]
