r"""Reciprocity: one transposed solve gives a functional of the field for every coil and every pose.

Notes
-----
For :math:`L(E) = \sum_p w_p\, d \cdot E(p)` the charges can be eliminated by the transposed system, and L becomes a
functional of the primary field alone, :math:`L = \sum_s J_s \cdot E_p(x_s)`, with current elements J at the points
p and, along the normals, on the triangles. For a coil of magnetic dipoles m at x,

.. math:: L = -\frac{dI}{dt} \sum m \cdot H(x), \qquad
   H(x) = \frac{\mu_0}{4\pi} \sum_s \frac{J_s \times (x - x_s)}{|x - x_s|^3},

and for one of current elements v at x, with the vector potential F of H,

.. math:: L = -\frac{dI}{dt} \sum v \cdot F(x), \qquad F(x) = \frac{\mu_0}{4\pi} \sum_s \frac{J_s}{|x - x_s|}.

See L. Heller and D. B. van Hulsteyn, Biophys. J. 63:129-138 (1992); L. J. Gomez, M. Dannhauer and A. V. Peterchev,
NeuroImage 228:117696 (2021).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from coils import Coil
from efield.bem.krylov import KrylovResult
from efield.bem.solver import BemSolver
from efield.kernels.elements import element_potential
from efield.kernels.functionals import add_current_elements, mean_field_of_triangles
from efield.primary import element_factor, potential_factor
from meshes import Pose

F64 = NDArray[np.float64]

_BLOCK = 12
"""Transposed systems solved at once: bounds the memory of their common Krylov space."""


class ReciprocalField:
    """The reciprocal field H of one or several functionals of the field in a head.

    Parameters
    ----------
    solver : BemSolver
        The head's solver.
    points : ndarray, shape (n_points, 3)
        Where the field is averaged (mm), inside the head.
    weights : ndarray, shape (n_points,) or (n_points, n_means)
        Weights of the average, or of several: those of one stand in one column.
    directions : ndarray, shape (n_directions, 3)
        The functionals are the components of each average along these directions, average by average.
    tolerance : float, optional
        Relative residual of the transposed solves; the solver's own by default.
    progress : callable, optional
        Called with (iteration, limit) of the transposed solves.

    Attributes
    ----------
    result : KrylovResult
        The transposed solves.
    """

    def __init__(
        self,
        solver: BemSolver,
        points: F64,
        weights: F64,
        directions: F64,
        *,
        tolerance: float | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        operator = solver.operator
        surface = operator.surface
        self._layer = operator.layer
        self._points = np.ascontiguousarray(points)
        weights = weights.reshape(len(points), -1)
        self._currents = np.einsum("pm,di->pmdi", weights, directions).reshape(len(points), -1, 3)
        per_axis = np.empty((weights.shape[1], len(operator.part), 3))
        for out, column in zip(per_axis, weights.T, strict=True):
            own = np.flatnonzero(column)
            mean_field_of_triangles(out, self._points[own], column[own], surface.corners, surface.normals)
        rhs = np.einsum("mti,di->tmd", per_axis, directions).reshape(len(operator.part), -1)
        solved = [
            operator.solve_transposed(
                np.ascontiguousarray(rhs[:, first : first + _BLOCK]),
                tolerance=solver.tolerance if tolerance is None else tolerance,
                progress=progress,
            )
            for first in range(0, rhs.shape[1], _BLOCK)
        ]
        self.result = KrylovResult(
            solution=np.concatenate([part.solution for part in solved], axis=1),
            residuals=tuple(history for part in solved for history in part.residuals),
            products=sum(part.products for part in solved),
        )
        weight = operator.without_net_flux_transposed(operator.contrast[:, None] * self.result.solution)
        # Current density along the normal of each triangle, shape (n_triangles, n_functionals, 3).
        self._density = (weight / operator.areas[:, None])[:, :, None] * surface.normals[:, None, :]

    @property
    def count(self) -> int:
        """Number of functionals."""
        return int(self._currents.shape[1])

    def at(self, points: F64) -> F64:
        """Return H at points outside the head.

        Parameters
        ----------
        points : ndarray, shape (n, 3)
            Points (mm).

        Returns
        -------
        ndarray, shape (n, n_functionals, 3)
            Such that a dipole m (A m^2 per ampere) contributes -dI/dt m . H to the functional, in V/m.
        """
        n, count, _ = self._density.shape
        field = self._layer.field(points, self._density.reshape(n, 3 * count)).reshape(len(points), 3, count, 3)
        field *= 4.0 * np.pi
        out = np.empty((len(points), count, 3))
        for axis in range(3):
            b, c = (axis + 1) % 3, (axis + 2) % 3
            out[:, :, axis] = field[:, c, :, b] - field[:, b, :, c]
        add_current_elements(out, np.ascontiguousarray(points), self._points, self._currents)
        return out * potential_factor()

    def potential_at(self, points: F64) -> F64:
        """Return the vector potential F of H at points outside the head.

        Parameters
        ----------
        points : ndarray, shape (n, 3)
            Points (mm).

        Returns
        -------
        ndarray, shape (n, n_functionals, 3)
            Such that a current element v (mm) contributes -dI/dt v . F to the functional, in V/m.
        """
        n, count, _ = self._density.shape
        out = self._layer.potential(points, self._density.reshape(n, 3 * count)).reshape(len(points), count, 3)
        out *= 4.0 * np.pi
        part, positions = np.empty((len(points), 3)), np.ascontiguousarray(self._points.T)
        for functional in range(count):
            currents = np.ascontiguousarray(self._currents[:, functional].T)
            element_potential(part, np.ascontiguousarray(points), positions, currents)
            out[:, functional] += part
        return out * element_factor()

    def functional(self, coil: Coil, pose: Pose, *, didt: float = 1e6) -> F64:
        """Return the functionals for one pose without any table (V/m), shape (n_functionals,).

        Raises
        ------
        ValueError
            If the coil has a grid, whose sources are not known.
        """
        check_sources(coil)
        total = np.zeros(self._currents.shape[1])
        if coil.n_dipoles:
            moments = pose.apply_vectors(coil.moments)
            total -= didt * np.einsum("sd,sfd->f", moments, self.at(pose.apply(coil.positions)))
        if coil.segments is not None:
            vectors = pose.apply_vectors(coil.segments.vectors)
            total -= didt * np.einsum("sd,sfd->f", vectors, self.potential_at(pose.apply(coil.segments.points)))
        return total


def check_sources(coil: Coil) -> None:
    """Raise ValueError if a coil's field is not that of dipoles and current elements alone."""
    if coil.grid is not None:
        raise ValueError(
            f"coil must be made of dipoles or current elements, for reciprocity; got {coil.name} with a grid, whose "
            "sources are not known. Use coils.reduce_dipoles(coil, max_error=...)."
        )
