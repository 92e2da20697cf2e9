"""Refine surfaces: split marked triangles so that the surface stays closed and its triangles well shaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from meshes.arrays import FloatArray
from meshes.checks import crossing_pairs
from meshes.head import HeadModel, Interface
from meshes.partitions import merged_surface
from meshes.surface import Surface

__all__ = ["bent_middles", "sphere_normals", "split_head", "split_surface"]

BoolArray = npt.NDArray[np.bool_]
IndexArray = npt.NDArray[np.int64]

_ATTEMPTS = 8
"""Rounds of flattening around crossings before a curved split of a head falls back to a flat one everywhere."""


def split_surface(
    surface: Surface, marked: npt.ArrayLike | None = None, *, curved: bool = False
) -> tuple[Surface, IndexArray]:
    """Return the surface with marked triangles split in four, and neighbours as far as they must be.

    Parameters
    ----------
    surface : Surface
        The surface; its vertices stay where they are.
    marked : array_like of bool, shape (n_triangles,), optional
        The triangles to split in four; all by default.
    curved : bool, optional
        Whether the new vertices leave the flat triangles for the curved surface that fits the vertex normals (see
        `bent_middles`). By default they lie in the middles of edges, and the surface stays as it was.

    Returns
    -------
    surface : Surface
        Closed if the first one is, with the same orientation.
    parent : ndarray, shape (n_new_triangles,)
        The triangle that each new one is a part of, in ascending order.

    Raises
    ------
    ValueError
        If `marked` has the wrong shape or type.

    Notes
    -----
    All edges of a marked triangle are halved, and with any edge of a triangle its longest one. So no triangle is ever
    halved but through its longest edge, which keeps angles from getting smaller and smaller when refinement is
    repeated (M.-C. Rivara, Int. J. Numer. Methods Eng. 20:745-756, 1984). A triangle with one, two or three halved
    edges becomes two, three or four triangles.

    Examples
    --------
    >>> from meshes import icosphere
    >>> marked = [True] + 319 * [False]
    >>> finer, parent = split_surface(icosphere(2), marked)
    >>> finer.is_closed, int((parent == 0).sum())
    (True, 4)
    """
    edges = _Edges(surface)
    halved = edges.halved(_checked_marks(surface, marked))
    flat = np.zeros_like(halved) if curved else halved
    return edges.split(halved, flat)


def split_head(
    head: HeadModel, marked: Sequence[npt.ArrayLike] | None = None, *, curved: bool = False
) -> tuple[HeadModel, IndexArray]:
    """Return a head on finer surfaces, with the same cortex, regions and conductivities.

    Parameters
    ----------
    head : HeadModel
        The head.
    marked : sequence of array_like of bool, optional
        The triangles to split of each interface, see `split_surface`; all by default.
    curved : bool, optional
        Whether the surfaces are rounded off. Where rounded surfaces would cross (thin layers, narrow sulci), the new
        vertices stay on the flat ones. Not for heads whose tissues touch.

    Returns
    -------
    head : HeadModel
        Checked as every head.
    parent : ndarray, shape (n_new_triangles,)
        The triangle that each new one is a part of, counted through all interfaces in order.

    Raises
    ------
    ValueError
        If `marked` does not fit the interfaces, or a head whose tissues touch is to be rounded off.
    """
    surfaces = [interface.surface for interface in head.interfaces]
    marks = [None] * len(surfaces) if marked is None else list(marked)
    if len(marks) != len(surfaces):
        raise ValueError(f"marked must hold one array per interface, {len(surfaces)}; got {len(marks)}.")
    rows = [_checked_marks(surface, own) for surface, own in zip(surfaces, marks, strict=True)]
    if head.touching:
        if curved:
            raise ValueError(
                f"curved must be False for {head.name}, as its tissues touch along lines, which would come apart."
            )
        return _split_touching(head, np.concatenate(rows))
    edges = [_Edges(surface) for surface in surfaces]
    halved = [own.halved(mine) for own, mine in zip(edges, rows, strict=True)]
    flat = [np.zeros_like(rows) for rows in halved] if curved else halved
    finer = [own.split(rows, still) for own, rows, still in zip(edges, halved, flat, strict=True)]
    if curved:
        finer = _uncrossed(edges, halved, flat, finer)
    shifts = np.cumsum([0, *(len(surface.triangles) for surface in surfaces[:-1])])
    interfaces = tuple(
        Interface(surface, old.sigma_inside, old.sigma_outside)
        for old, (surface, _) in zip(head.interfaces, finer, strict=True)
    )
    parents = np.concatenate([parent + shift for (_, parent), shift in zip(finer, shifts, strict=True)])
    return _with_interfaces(head, interfaces), parents


def _with_interfaces(head: HeadModel, interfaces: tuple[Interface, ...]) -> HeadModel:
    return replace(
        head, interfaces=interfaces, resolution=f"{head.resolution} refined".strip(), provenance=dict(head.provenance)
    )


def _split_touching(head: HeadModel, marked: BoolArray) -> tuple[HeadModel, IndexArray]:
    """Split all surfaces as one, so that the lines where they meet are halved in all of them alike."""
    edges = _Edges(merged_surface([interface.surface for interface in head.interfaces]))
    halved = edges.halved(marked)
    finer, parent = edges.split(halved, halved)
    bounds = np.cumsum([0, *(len(interface.surface.triangles) for interface in head.interfaces)])
    interfaces = []
    for old, first, end in zip(head.interfaces, bounds[:-1], bounds[1:], strict=True):
        mine = (parent >= first) & (parent < end)
        used, triangles = np.unique(finer.triangles[mine], return_inverse=True)
        surface = Surface(finer.vertices[used], triangles.reshape(-1, 3).astype(np.int32), old.name)
        sigmas = old.sigmas[parent[mine] - first]
        interfaces.append(Interface(surface, sigmas[:, 0], sigmas[:, 1]))
    return _with_interfaces(head, tuple(interfaces)), parent


def bent_middles(ends: FloatArray, normals: FloatArray) -> FloatArray:
    """Return the middle of the curve through two points that is normal to a direction at each.

    Parameters
    ----------
    ends, normals : ndarray, shape (n, 2, 3)
        End points (mm) and unit normals of the surface there.

    Returns
    -------
    ndarray, shape (n, 3)
        Positions (mm): at a quarter of the edge from its middle at most.

    Notes
    -----
    The boundary curve of a PN triangle (A. Vlachos et al., Curved PN triangles, Symposium on Interactive 3D Graphics
    2001, section 3.1) at its middle. On a sphere with exact normals it is 3/8 (h/2R)^4 R inside, for an edge h.
    """
    step = ends[:, 1] - ends[:, 0]
    rise = np.einsum("nd,nvd->nv", step, normals)
    middle: FloatArray = 0.5 * (ends[:, 0] + ends[:, 1])
    middle -= 0.125 * (rise[:, :1] * normals[:, 0] - rise[:, 1:] * normals[:, 1])
    return middle


def sphere_normals(surface: Surface) -> FloatArray:
    """Return unit normals at the vertices, shape (n_vertices, 3), that are exact where the vertices lie on a sphere.

    Zero for a vertex no triangle uses.

    Notes
    -----
    N. Max, Weights for computing vertex normals from facet normals, Journal of Graphics Tools 4(2):1-6, 1999. With the
    usual weights (angles, areas), normals of a sphere are wrong by O(h) where triangles are uneven, and bent middles
    by O(h^2), no less than those of flat edges.
    """
    total = np.zeros_like(surface.vertices)
    for corner in range(3):
        apex = surface.corners[:, corner]
        first = surface.corners[:, (corner + 1) % 3] - apex
        second = surface.corners[:, (corner + 2) % 3] - apex
        lengths = np.einsum("nd,nd->n", first, first) * np.einsum("nd,nd->n", second, second)
        vectors = np.cross(first, second) / np.maximum(lengths, np.finfo(float).tiny)[:, None]
        for axis in range(3):
            total[:, axis] += np.bincount(surface.triangles[:, corner], vectors[:, axis], len(total))
    length = np.linalg.norm(total, axis=1, keepdims=True)
    normals: FloatArray = np.divide(total, length, out=np.zeros_like(total), where=length > 0.0)
    return normals


class _Edges:
    """The edges of a surface and what follows from halving some of them.

    Attributes
    ----------
    ends : ndarray, shape (n_edges, 2)
        Vertices of each edge.
    of_triangle : ndarray, shape (n_triangles, 3)
        Edge k of a triangle runs from its corner k to the next one.
    longest : ndarray, shape (n_triangles,)
        The longest edge of each triangle, as a number from 0 to 2.
    """

    def __init__(self, surface: Surface) -> None:
        self.surface = surface
        triangles = surface.triangles.astype(np.int64)
        pairs = np.stack([triangles, np.roll(triangles, -1, axis=1)], axis=2).reshape(-1, 2)
        keys = pairs.min(axis=1) * len(surface.vertices) + pairs.max(axis=1)
        unique, which = np.unique(keys, return_inverse=True)
        self.ends: IndexArray = np.stack(np.divmod(unique, len(surface.vertices)), axis=1)
        self.of_triangle: IndexArray = which.reshape(-1, 3)
        length = np.linalg.norm(np.subtract(*surface.vertices[self.ends.T]), axis=1)
        self.longest: IndexArray = length[self.of_triangle].argmax(axis=1)

    def halved(self, marked: BoolArray) -> BoolArray:
        """Return which edges are halved if the marked triangles are: also the longest edge next to any halved one."""
        halved = np.zeros(len(self.ends), dtype=np.bool_)
        halved[self.of_triangle[marked]] = True
        longest = np.take_along_axis(self.of_triangle, self.longest[:, None], axis=1)[:, 0]
        while True:
            needed = longest[halved[self.of_triangle].any(axis=1)]
            if halved[needed].all():
                return halved
            halved[needed] = True

    def split(self, halved: BoolArray, flat: BoolArray) -> tuple[Surface, IndexArray]:
        """Return the surface with edges halved, in their middles where `flat`, else bent; and parents."""
        vertices = self.surface.vertices
        rows = np.flatnonzero(halved)
        ends = self.ends[rows]
        middles = vertices[ends].mean(axis=1)
        bent = ~flat[rows]
        if bent.any():
            middles[bent] = bent_middles(vertices[ends[bent]], sphere_normals(self.surface)[ends[bent]])
        number = np.full(len(self.ends), -1, dtype=np.int64)
        number[rows] = len(vertices) + np.arange(len(rows))
        triangles, parent = self._children(number)
        return Surface(np.concatenate([vertices, middles]), triangles.astype(np.int32), self.surface.name), parent

    def _children(self, number: IndexArray) -> tuple[IndexArray, IndexArray]:
        """Return the children of all triangles, and their parents, for the vertex `number` in each edge (-1: none)."""
        # The longest edge first; whole triangles keep their order.
        whole = (number[self.of_triangle] < 0).all(axis=1)
        turn = (np.where(whole, 0, self.longest)[:, None] + np.arange(3)) % 3
        a, b, c = np.take_along_axis(self.surface.triangles.astype(np.int64), turn, axis=1).T
        ab, bc, ca = number[np.take_along_axis(self.of_triangle, turn, axis=1)].T
        second, third = bc >= 0, ca >= 0
        cases = [
            (ab < 0, [(a, b, c)]),
            ((ab >= 0) & ~second & ~third, [(a, ab, c), (ab, b, c)]),
            ((ab >= 0) & second & ~third, [(a, ab, c), (ab, b, bc), (ab, bc, c)]),
            ((ab >= 0) & ~second & third, [(a, ab, ca), (ab, c, ca), (ab, b, c)]),
            ((ab >= 0) & second & third, [(a, ab, ca), (ab, b, bc), (ca, bc, c), (bc, ca, ab)]),
        ]
        children, parents = [], []
        for case, corners in cases:
            rows = np.flatnonzero(case)
            for corner in corners:
                children.append(np.stack([column[rows] for column in corner], axis=1))
                parents.append(rows)
        parent = np.concatenate(parents)
        order = np.argsort(parent, kind="stable")
        return np.concatenate(children)[order], parent[order]


def _uncrossed(
    edges: list[_Edges], halved: list[BoolArray], flat: list[BoolArray], finer: list[tuple[Surface, IndexArray]]
) -> list[tuple[Surface, IndexArray]]:
    """Return curved splits whose surfaces do not cross: around crossings, edges go back to being flat.

    Each round flattens the edges of the parents of crossing triangles. A triangle whose neighbours are all flat is as
    it was before, so the rounds end; after `_ATTEMPTS` of them all is flat.
    """
    for attempt in range(_ATTEMPTS):
        crossing = np.unique(np.concatenate(crossing_pairs([surface for surface, _ in finer])))
        if not len(crossing):
            break
        bounds = np.cumsum([0, *(len(surface.triangles) for surface, _ in finer)])
        for k, (own, (_, parent)) in enumerate(zip(edges, finer, strict=True)):
            mine = crossing[(crossing >= bounds[k]) & (crossing < bounds[k + 1])] - bounds[k]
            flat[k][own.of_triangle[parent[mine]]] = True
            if attempt == _ATTEMPTS - 1:
                flat[k][:] = True
            finer[k] = own.split(halved[k], flat[k])
    return finer


def _checked_marks(surface: Surface, marked: npt.ArrayLike | None) -> BoolArray:
    """Return one truth value per triangle."""
    count = len(surface.triangles)
    if marked is None:
        return np.ones(count, dtype=np.bool_)
    rows = np.asarray(marked)
    if rows.shape != (count,) or rows.dtype != np.bool_:
        raise ValueError(
            f"marked must be one truth value per triangle of {surface.name or 'surface'}, shape ({count},); got "
            f"{rows.dtype} of shape {rows.shape}."
        )
    return rows
