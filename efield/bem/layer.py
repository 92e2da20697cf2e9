r"""The field of a layer of charge on triangles: exact near by, expansions in an octree beyond.

Notes
-----
With a charge density q (V/m) that is constant on each triangle,

.. math:: E(x) = \sum_j q_j \int_{T_j} \frac{x - y}{4\pi |x - y|^3}\,dS(y), \qquad
   (K q)_i = \frac{1}{A_i} \int_{T_i} n_i \cdot E(x)\,dS(x).

Triangles in adjacent leaves of the octree are integrated exactly; the others through solid-harmonic expansions
whose moments are seven-point integrals over each triangle on the source and on the target side. Cost and memory
grow as O(N).
"""

from __future__ import annotations

import os
import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from efield.bem import quadrature
from efield.bem.expansions import child_to_parent, normalisation, padded_width
from efield.bem.octree import Lattice, Octree
from efield.bem.pairs import FarPairs, pair_up
from efield.kernels import near, near_products, panels, solid_harmonics, translations
from meshes import Surface

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]

LEAF_SIZE = 128
"""Triangles a leaf may hold. Larger leaves move work from translations to the stored near part, which costs memory and
set-up but is read once for all right-hand sides."""

_POINTS = 32
"""Points a leaf may hold; where points are many per triangle smaller leaves mean fewer closed forms."""

_COLUMNS_AT_ONCE = 4
"""Vectors of a transposed product whose near part is summed at a time, to bound the memory."""


def degree_for(tolerance: float) -> int:
    """Return the degree of expansion whose relative error in a product is below `tolerance`.

    Measured on spheres and on the default head against the direct sum (tests/test_layer.py).
    """
    return int(np.clip(np.ceil(-3.0 * np.log10(tolerance) - 3.0), 3, 18))


def _physical_memory() -> float:
    """Return the bytes of memory of this machine; infinity where the system does not tell (Windows)."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return float("inf")


class _At(NamedTuple):
    """What the kernels of field and potential take, after `out`, for points in the order of their octree."""

    order: I64
    local: tuple[F64, I32, F32, F64, F64, int, F64]
    near: tuple[F64, I64, I32, I32, I32, I32, I32, I32, F64, F64, F64, F64, F64, F64, F64, F64]


class ChargeLayer:
    """Products with the matrix K of a set of triangles, its transpose, and the field at points.

    Parameters
    ----------
    surface : Surface
        All triangles of all interfaces (mm).
    tolerance : float
        Relative accuracy of the far part of a product.
    leaf_size : int
        Triangles a leaf of the octree may hold.
    memory_limit : float, optional
        Bytes that may be used; by default 0.8 of the machine's physical memory.

    Attributes
    ----------
    seconds : dict of str to float
        Wall time of each part of the set-up.

    Raises
    ------
    MemoryError
        If the stored parts would not fit, before they are allocated; it says how many bytes are needed.
    """

    def __init__(
        self,
        surface: Surface,
        *,
        tolerance: float = 1e-4,
        leaf_size: int = LEAF_SIZE,
        memory_limit: float | None = None,
    ) -> None:
        began = time.perf_counter()
        self.degree = degree_for(tolerance)
        self.tolerance = tolerance
        self.n_triangles = len(surface.triangles)
        radii = np.linalg.norm(surface.corners - surface.centroids[:, None], axis=2).max(axis=1)
        self.lattice = Lattice.around(surface.centroids)
        self.tree = Octree.build(surface.centroids, self.lattice, leaf_size, radii)
        order = self.tree.order
        self._corners = np.ascontiguousarray(surface.corners[order])
        self._normals = np.ascontiguousarray(surface.normals[order])
        self._centroids = np.ascontiguousarray(surface.centroids[order])
        self._areas = np.ascontiguousarray(surface.areas[order])
        self._radii = np.ascontiguousarray(radii[order])
        self._norm = normalisation(self.degree)
        self._width = padded_width(self.degree)
        self._down = child_to_parent(self.degree)
        self._up = np.ascontiguousarray(self._down.transpose(0, 2, 1))
        self._far, self._near = pair_up(self.tree, self.tree, self.degree)
        self._far_transposed: FarPairs | None = None
        rows = (self.tree.end - self.tree.start)[self.tree.leaves]
        self._strips = np.concatenate([[0], np.cumsum(rows * np.diff(self._near.first_column))])
        self._check_memory(memory_limit)
        listed = time.perf_counter()
        self._charge_rows, self._normal_rows = self._expansion_rows()
        expanded = time.perf_counter()
        self._near_entries = self._near_part()
        self.seconds = {
            "octree, pairs and translations": listed - began,
            "expansions": expanded - listed,
            "near part": time.perf_counter() - expanded,
        }

    def _check_memory(self, limit: float | None) -> None:
        """Refuse what does not fit: the near part, the expansion rows, and a Krylov basis of 50 vectors."""
        near = 4 * int(self._strips[-1])
        rows = 2 * 4 * self.n_triangles * self._width
        needed = near + rows + 2 * self._far.nbytes + 50 * 8 * self.n_triangles
        allowed = 0.8 * _physical_memory() if limit is None else limit
        if needed > allowed:
            raise MemoryError(
                f"The solver must fit into {allowed / 2**30:.3g} GiB; got {self.n_triangles} triangles that need "
                f"{needed / 2**30:.3g} GiB. Use a coarser resolution, or raise memory_limit."
            )

    def _expansion_rows(self) -> tuple[F32, F32]:
        leaf = self.tree.leaf_of_point
        charge = np.zeros((self.n_triangles, self._width), dtype=np.float32)
        normal = np.zeros_like(charge)
        solid_harmonics.triangle_rows(
            charge,
            normal,
            self._corners,
            self._normals,
            self._areas,
            self.tree.centres[leaf],
            self.tree.half_sizes[leaf],
            quadrature.SEVEN_POINTS,
            quadrature.SEVEN_WEIGHTS,
            self.degree,
            self._norm,
        )
        return charge, normal

    def _near_part(self) -> F32:
        pairs, tree = self._near, self.tree
        strips = np.empty(self._strips[-1], dtype=np.float32)
        few, many = (
            np.ascontiguousarray(quadrature.points_on(self._corners, points).reshape(-1, 3).T)
            for points in (quadrature.THREE_POINTS, quadrature.SEVEN_POINTS)
        )
        leaf = np.searchsorted(tree.leaves, pairs.targets)
        near.near_strips(
            strips,
            self._strips[leaf] + pairs.column - pairs.first_column[leaf],
            np.diff(pairs.first_column)[leaf],
            pairs.targets,
            pairs.sources,
            tree.start,
            tree.end,
            self._corners,
            self._centroids,
            self._areas,
            self._radii,
            few,
            many,
            quadrature.THREE_WEIGHTS,
            quadrature.SEVEN_WEIGHTS,
            quadrature.SEVEN_POINTS,
        )
        return strips

    @property
    def nbytes(self) -> int:
        """Memory of the stored parts (bytes)."""
        rows = self._charge_rows.nbytes + self._normal_rows.nbytes
        far = self._far.nbytes + (self._far_transposed.nbytes if self._far_transposed else 0)
        return self._near_entries.nbytes + rows + far

    def normal_field(self, charge: F64, *, tolerance: float = 0.0) -> F64:
        """Return K q, the mean normal field on each triangle (V/m).

        Parameters
        ----------
        charge : ndarray, shape (n_triangles, n_rhs)
            Charge densities (V/m).
        tolerance : float, optional
            Relative accuracy that suffices for the far part of this product, where it is less than the layer's own.

        Returns
        -------
        ndarray, shape (n_triangles, n_rhs)
        """
        tree = self.tree
        q = np.ascontiguousarray(charge[tree.order].T, dtype=np.float32)
        local = self._local(tree, self._far, self._multipoles(self._charge_rows, q, self._width_for(tolerance)))
        out = np.zeros(q.shape)
        translations.cells_to_leaves(out, self._normal_rows, tree.leaves, tree.start, tree.end, local)
        pairs = self._near
        near_products.near_product(
            out,
            self._near_entries,
            self._strips,
            pairs.first_by_target,
            pairs.sources,
            tree.leaves,
            tree.start,
            tree.end,
            q,
        )
        return self._unsorted(out)

    def normal_field_transposed(self, vector: F64, *, tolerance: float = 0.0) -> F64:
        """Return K^T g, the exact transpose of `normal_field` up to rounding in single precision.

        Parameters
        ----------
        vector : ndarray, shape (n_triangles, n_rhs)
            One number per triangle.
        tolerance : float, optional
            As in `normal_field`; products that are both less accurate than the layer are no exact transposes.

        Returns
        -------
        ndarray, shape (n_triangles, n_rhs)
        """
        tree = self.tree
        if self._far_transposed is None:
            self._far_transposed = self._far.transposed(len(tree.level))
        g = np.ascontiguousarray(vector[tree.order].T, dtype=np.float32)
        upward = self._multipoles(self._normal_rows, g, self._width_for(tolerance))
        local = np.zeros_like(upward)
        self._far_transposed.apply(local, upward)
        local /= tree.half_sizes.astype(np.float32)[:, None, None]
        out = np.zeros(g.shape)
        translations.cells_to_leaves(
            out, self._charge_rows, tree.leaves, tree.start, tree.end, self._descend(tree, local)
        )
        pairs = self._near
        # Few vectors at a time, as the sums of every strip's columns are kept until they are gathered by source.
        for first in range(0, len(g), _COLUMNS_AT_ONCE):
            part = g[first : first + _COLUMNS_AT_ONCE]
            columns = np.empty((len(part), pairs.first_column[-1]), dtype=np.float32)
            near_products.near_columns(
                columns,
                self._near_entries,
                self._strips,
                pairs.first_column,
                tree.leaves,
                tree.start,
                tree.end,
                part,
            )
            near_products.sum_columns(
                out[first : first + _COLUMNS_AT_ONCE],
                columns,
                pairs.first_by_source,
                pairs.order_by_source,
                pairs.column,
                tree.leaves,
                tree.start,
                tree.end,
            )
        return self._unsorted(out)

    def _width_for(self, tolerance: float) -> int:
        """Return how many coefficients to use; expansions hold them by degree, so fewer are just the first ones."""
        return self._width if tolerance <= self.tolerance else padded_width(degree_for(tolerance))

    def _multipoles(self, rows: F32, q: F32, width: int) -> F32:
        """Return the first coefficients of every cell from its triangles', shape (n_cells, n_rhs, width)."""
        tree = self.tree
        out = np.empty((len(tree.level), len(q), width), dtype=np.float32)
        translations.leaves_to_cells(out, rows, tree.leaves, tree.start, tree.end, q)
        for cells in reversed(tree.generations):
            parents = cells[tree.children[cells] > 0]
            if len(parents):
                translations.children_to_parents(out, parents, tree.child, tree.children, tree.octant, self._up)
        return out

    def _local(self, target: Octree, far: FarPairs, multipoles: F32) -> F32:
        """Return the local coefficients of every target cell."""
        scaled = multipoles / self.tree.half_sizes.astype(np.float32)[:, None, None]
        local = np.zeros((len(target.level), *multipoles.shape[1:]), dtype=np.float32)
        far.apply(local, scaled)
        return self._descend(target, local)

    def _descend(self, target: Octree, local: F32) -> F32:
        for cells in target.generations[1:]:
            translations.parents_to_children(local, cells, target.parent, target.octant, self._down)
        return local

    def _unsorted(self, values: F64) -> F64:
        out = np.empty(values.shape[::-1])
        out[self.tree.order] = values.T
        return out

    def field(self, points: F64, charge: F64) -> F64:
        """Return the layer's field at any points (V/m), in closed form near a surface.

        Parameters
        ----------
        points : ndarray, shape (n_points, 3)
            Points (mm). On a surface itself the normal field is the mean of both sides.
        charge : ndarray, shape (n_triangles, n_rhs)
            Charge densities (V/m).

        Returns
        -------
        ndarray, shape (n_points, 3, n_rhs)
        """
        if not len(points):
            return np.zeros((0, 3, charge.shape[1]))
        at = self._at_points(points, charge)
        part = np.zeros((charge.shape[1], len(points), 3))
        solid_harmonics.local_field_at_points(part, *at.local)
        panels.near_field_at_points(part, *at.near)
        out = np.empty((len(points), 3, charge.shape[1]))
        out[at.order] = part.transpose(1, 2, 0)
        return out

    def potential(self, points: F64, charge: F64) -> F64:
        """Return the layer's potential sum_t q_t Int_t dS / (4 pi |x - y|) at any points, in closed form near by.

        Parameters
        ----------
        points : ndarray, shape (n_points, 3)
            Points (mm). It is continuous everywhere, on a surface too.
        charge : ndarray, shape (n_triangles, n_rhs)
            Charge densities (V/m).

        Returns
        -------
        ndarray, shape (n_points, n_rhs)
            Lengths in mm: mV for densities in V/m.
        """
        if not len(points):
            return np.zeros((0, charge.shape[1]))
        at = self._at_points(points, charge)
        part = np.zeros((charge.shape[1], len(points)))
        solid_harmonics.local_potential_at_points(part, *at.local)
        panels.near_potential_at_points(part, *at.near)
        out = np.empty((len(points), charge.shape[1]))
        out[at.order] = part.T
        return out

    def _at_points(self, points: F64, charge: F64) -> _At:
        """Sort points into an octree of their own, and pass the charges' expansions down to its leaves."""
        target = Octree.build(points, self.lattice, _POINTS)
        far, pairs = pair_up(target, self.tree, self.degree)
        q = np.ascontiguousarray(charge[self.tree.order].T)
        sorted_points = np.ascontiguousarray(points[target.order])
        local = self._local(target, far, self._multipoles(self._charge_rows, q.astype(np.float32), self._width))
        return _At(
            order=target.order,
            local=(
                sorted_points,
                target.leaf_of_point,
                local,
                target.centres,
                target.half_sizes,
                self.degree,
                self._norm,
            ),
            near=(
                sorted_points,
                pairs.first_by_target,
                pairs.sources,
                target.leaves,
                target.start,
                target.end,
                self.tree.start,
                self.tree.end,
                self._corners,
                self._normals,
                self._centroids,
                self._areas,
                self._radii,
                quadrature.THREE_POINTS,
                quadrature.THREE_WEIGHTS,
                q,
            ),
        )
