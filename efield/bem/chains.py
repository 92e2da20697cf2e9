r"""The closed sets of triangles of a head: whole surfaces, and the boundaries of regions where tissues touch.

Notes
-----
The flux of a field through a closed chain of triangles is known from the charge within (Gauss). With :math:`c_{si}` = 1
or -1 if triangle i belongs to chain s, turned as it is or the other way, and 0 if it does not, the least change of a
normal field, weighted by area, that gives it the fluxes :math:`f_s` besides its own is

.. math:: \delta_i = \sum_{s,r} c_{si} (G^{-1})_{sr} f_r, \qquad G_{sr} = \sum_i c_{si} A_i c_{ri}.

For closed surfaces that share no triangle G is diagonal, and each surface's flux is spread evenly over it. Triangles
that belong to the same chains are treated alike, so that only sums over such groups are needed.
"""

import numpy as np
from numpy.typing import NDArray

from meshes import HeadModel

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


class ClosedChains:
    """The closed chains of a head's triangles, and what is done per chain.

    Parameters
    ----------
    head : HeadModel
        The head: each of its closed surfaces is a chain, and where tissues touch also the boundary of each region of
        equal conductivity.
    areas : ndarray, shape (n,)
        Areas of all triangles (mm^2).

    Attributes
    ----------
    membership : ndarray, shape (n, n_chains)
        1, -1 or 0, see the notes of the module.
    charge_weight : ndarray, shape (n_chains,)
        Half the contrast of a chain that can hold no net charge, over its area (1/mm^2); else 0.
    """

    def __init__(self, head: HeadModel, areas: F64) -> None:
        columns = []
        weights = []
        start = 0
        for interface in head.interfaces:
            end = start + len(interface.surface.triangles)
            if interface.surface.is_closed:
                column = np.zeros(len(areas))
                # The wall of an air cavity is turned inwards, into the cavity.
                cavity = start > 0 and interface.surface.volume < 0.0
                column[start:end] = -1.0 if cavity else 1.0
                columns.append(column)
                # Such a surface holds no net charge if each of its sides is one tissue, or the outer one is air.
                contrast = interface.contrast
                whole = not cavity and (interface.is_uniform or not interface.sigmas[:, 1].any())
                weights.append(0.5 * float(contrast[0]) if whole else 0.0)
            start = end
        if head.touching:
            sigmas = np.concatenate([interface.sigmas for interface in head.interfaces])
            for sigma in np.unique(sigmas[sigmas > 0.0]):
                columns.append((sigmas[:, 0] == sigma) * 1.0 - (sigmas[:, 1] == sigma) * 1.0)
                weights.append(0.0)
        self.membership: F64 = np.stack(columns, axis=1)
        patterns, group = np.unique(self.membership, axis=0, return_inverse=True)
        self._patterns: F64 = patterns
        self._group: I64 = group.reshape(-1)
        group_areas = np.bincount(self._group, areas)
        gram = patterns.T @ (group_areas[:, None] * patterns)
        # Chains may depend on each other: the boundaries of all regions make up the scalp.
        self._inverse: F64 = np.linalg.pinv(gram, rcond=1e-10, hermitian=True).astype(np.float64)
        self.charge_weight: F64 = np.asarray(weights) / np.diag(gram)

    def sums(self, values: F64) -> F64:
        """Return the signed sums over each chain, shape (n_chains, n_rhs), of values (n, n_rhs)."""
        groups = [np.bincount(self._group, column, len(self._patterns)) for column in values.T]
        return np.asarray(self._patterns.T @ np.stack(groups, axis=1))

    def flux_weights(self, flux: F64) -> F64:
        """Return G^-1 times fluxes, both of shape (n_chains, n_rhs)."""
        return np.asarray(self._inverse @ flux)

    def with_flux(self, flux: F64) -> F64:
        """Return the least normal field with these fluxes, shape (n, n_rhs), from (n_chains, n_rhs)."""
        return np.asarray((self._patterns @ self.flux_weights(flux))[self._group])

    def spread(self, net: F64) -> F64:
        """Return net charges spread over the surfaces that can hold none, times half their contrast; (n, n_rhs)."""
        return np.asarray((self._patterns @ (self.charge_weight[:, None] * net))[self._group])

    def imbalance(self, charges: F64) -> float:
        """Return the greatest net charge of a surface that can hold none, over the sum of its absolute charges.

        Parameters
        ----------
        charges : ndarray, shape (n,)
            Charge of each triangle, in any unit.
        """
        net = np.abs(self.sums(charges[:, None])[:, 0])
        absolute = np.bincount(self._group, np.abs(charges), len(self._patterns))
        total = np.abs(self._patterns).T @ absolute
        # Where tissues touch, the boundaries of regions can hold charge, and so can surfaces of several tissues.
        neutral = self.charge_weight != 0.0
        return float((net / np.maximum(total, np.finfo(float).tiny))[neutral].max(initial=0.0))
