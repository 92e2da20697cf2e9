r"""The matrix of the surface-charge equation, with exact flux through every closed surface.

Notes
-----
For every triangle t with contrast :math:`k = (\sigma_{in} - \sigma_{out})/(\sigma_{in} + \sigma_{out})`,

.. math:: \frac{q_t}{2} - k_t (K q)_t = k_t\, \overline{n \cdot E_p}

(Makarov et al., IEEE Trans. Biomed. Eng. 65:2675-2683 (2018)). Two things are made exact. By Gauss' law the flux
of the field of charge on triangle j through a closed surface S is :math:`\chi A_j` with :math:`\chi = 0, 1/2, 1`
for j outside, on, inside S; the column of K is corrected by a constant on S. And no net charge sits on a closed
surface, so any multiple of it may be added to the equation; the multiple taken here moves the eigenvalue of the
equilibrium charge, which is zero on the scalp and small on the inner skull, to 1/2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from efield.bem.chains import ClosedChains
from efield.bem.krylov import KrylovResult, gmres
from efield.bem.layer import ChargeLayer
from efield.kernels.reductions import products
from meshes import HeadModel, Surface

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_RELAXATION = 0.03
"""Measured on the default head, one pose and 16: 0.03 takes 22 % off the time of a solution; against products that are
all at the layer's accuracy the charges change by 4e-5 and the residual is 1.8e-5 where 1e-5 was asked. 0.1 takes off 27
and 29 %, with 1.6e-4 and 5e-5; the error on spheres of 102k triangles then grows from 0.0113 to 0.0121 %."""


class BemOperator:
    """The matrix of the surface-charge equation of a head.

    Parameters
    ----------
    head : HeadModel
        The head.
    tolerance : float
        Relative accuracy of products.
    memory_limit : float, optional
        See `ChargeLayer`.

    Attributes
    ----------
    surface : Surface
        All triangles of all interfaces.
    layer : ChargeLayer
        Products with K.
    contrast, areas : ndarray, shape (n,)
        k and area (mm^2) of each triangle.
    part : ndarray, shape (n,)
        The interface of each triangle.
    balance : ClosedChains
        The closed surfaces through which fluxes are made exact.
    """

    def __init__(self, head: HeadModel, *, tolerance: float = 1e-4, memory_limit: float | None = None) -> None:
        surfaces = [interface.surface for interface in head.interfaces]
        counts = [len(surface.triangles) for surface in surfaces]
        self.surface = _merged(surfaces)
        self.part: I64 = np.repeat(np.arange(len(surfaces)), counts)
        self.contrast: F64 = np.concatenate([interface.contrast for interface in head.interfaces])
        self.areas = self.surface.areas
        self.layer = ChargeLayer(self.surface, tolerance=tolerance, memory_limit=memory_limit)
        self.balance = ClosedChains(head, self.areas)
        self._flux = self._flux_defect()
        self._flux_rows = np.ascontiguousarray(self._flux.T)

    def _flux_defect(self) -> F64:
        """Return exact minus computed flux through each closed chain of a unit density on each triangle."""
        member = self.balance.membership
        computed = self.layer.normal_field_transposed(self.areas[:, None] * member)
        share = computed / self.areas[:, None]
        exact = np.where(member != 0.0, 0.5, np.rint(share))
        worst = float(np.abs(share - exact).max())
        if worst > 0.25:
            raise ValueError(
                f"The surfaces must be closed and clear of each other; got a flux that is {worst:.2f} of a charge off. "
                "Refine the triangles where surfaces nearly touch."
            )
        self.flux_error = worst
        defect: F64 = exact * self.areas[:, None] - computed
        return defect

    def normal_field(self, charge: F64, *, tolerance: float = 0.0) -> F64:
        """Return the mean normal field of a charge on each triangle, with exact fluxes; (n, n_rhs)."""
        field = self.layer.normal_field(charge, tolerance=tolerance)
        flux = np.empty((len(self._flux_rows), charge.shape[1]))
        products(flux, self._flux_rows, np.ascontiguousarray(charge.T))
        field += self.balance.with_flux(flux)
        return field

    def apply(self, charge: F64, *, tolerance: float = 0.0) -> F64:
        """Return the matrix times `charge`, shape (n, n_rhs); `tolerance` as in `ChargeLayer.normal_field`."""
        spread = self.balance.spread(self.balance.sums(self.areas[:, None] * charge))
        field = self.normal_field(charge, tolerance=tolerance)
        return 0.5 * charge - self.contrast[:, None] * field + spread

    def apply_transposed(self, vector: F64, *, tolerance: float = 0.0) -> F64:
        """Return the transposed matrix times `vector`, shape (n, n_rhs)."""
        weighted = self.contrast[:, None] * vector
        field = self.layer.normal_field_transposed(weighted, tolerance=tolerance)
        field += self._flux @ self.balance.flux_weights(self.balance.sums(weighted))
        spread = self.balance.spread(self.balance.sums(vector))
        return 0.5 * vector - field + self.areas[:, None] * spread

    def without_net_flux(self, normal: F64) -> F64:
        """Return values on triangles less the least that takes their flux through each closed chain away."""
        return normal - self.balance.with_flux(self.balance.sums(self.areas[:, None] * normal))

    def without_net_flux_transposed(self, vector: F64) -> F64:
        """Apply the transpose of `without_net_flux`."""
        return vector - self.areas[:, None] * self.balance.with_flux(self.balance.sums(vector))

    def solve(self, rhs: F64, *, tolerance: float, progress: Callable[[int, int], None] | None = None) -> KrylovResult:
        """Solve for the charges, right-hand sides (n, n_rhs); residuals are area-weighted."""
        root = np.sqrt(self.areas)[:, None]
        result = gmres(
            lambda x, left: root * self.apply(x / root, tolerance=self._relaxed(left)),
            root * rhs,
            tolerance=tolerance,
            progress=progress,
        )
        return replace(result, solution=result.solution / root)

    def solve_transposed(
        self, rhs: F64, *, tolerance: float, progress: Callable[[int, int], None] | None = None
    ) -> KrylovResult:
        """Solve the transposed system, for reciprocity."""
        root = np.sqrt(self.areas)[:, None]
        result = gmres(
            lambda x, left: self.apply_transposed(x * root, tolerance=self._relaxed(left)) / root,
            rhs / root,
            tolerance=tolerance,
            progress=progress,
        )
        return replace(result, solution=result.solution * root)

    def _relaxed(self, left: float) -> float:
        """Return how accurate a product must be when the relative residual is `left`.

        The error of a product enters the solution multiplied by about what is left of the residual, so it may grow as
        the residual falls: V. Simoncini and D. B. Szyld, SIAM J. Sci. Comput. 25:454-477 (2003).
        """
        return _RELAXATION * self.layer.tolerance / left


def _merged(surfaces: list[Surface]) -> Surface:
    first = np.cumsum([0] + [len(surface.vertices) for surface in surfaces[:-1]])
    return Surface(
        np.concatenate([surface.vertices for surface in surfaces]),
        np.concatenate([surface.triangles + shift for surface, shift in zip(surfaces, first, strict=True)]),
        "all",
    )
