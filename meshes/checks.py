"""Check that surfaces are what the solvers assume: closed, outward, free of crossings, nested as declared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from meshes import arrays
from meshes.arrays import FloatArray
from meshes.surface import Surface

if TYPE_CHECKING:
    from meshes.head import HeadModel, Interface

__all__ = ["check_areas", "check_crossings", "check_head", "check_surface", "crossing_pairs", "winding_numbers"]


def check_surface(surface: Surface) -> None:
    """Raise `ValueError` unless the surface is closed, outward, and every triangle has an area.

    Parameters
    ----------
    surface : Surface
        May have several pieces; a piece inside another must be turned inward, as the wall of a hollow.

    Raises
    ------
    ValueError
        One sentence with the surface's name, what is wrong, how often, where (mm), and how to mend it.
    """
    name = surface.name or "surface"
    if len(surface.triangles) < 4:
        raise ValueError(f"{name} must have at least 4 triangles to enclose a volume; got {len(surface.triangles)}.")
    check_areas(surface)
    _check_edges(surface, name)
    _check_outward(surface, name)


def check_areas(surface: Surface) -> None:
    """Raise `ValueError` if a triangle has no area."""
    name = surface.name or "surface"
    longest = np.linalg.norm(surface.corners - np.roll(surface.corners, -1, axis=1), axis=2).max(axis=1)
    # Height below 1e-7 of the longest edge: float32 files cannot hold a thinner triangle's normal.
    flat = 2.0 * surface.areas <= 1e-7 * longest**2
    if flat.any():
        raise ValueError(
            f"{name} must have no triangle without area; got {int(flat.sum())}, first at "
            f"{_place(surface.centroids[flat][0])}. Merge the double vertices or collapse the short edges."
        )


def _check_edges(surface: Surface, name: str) -> None:
    """Raise unless each edge is run along once in each direction."""
    start = surface.triangles.astype(np.int64).ravel()
    end = np.roll(surface.triangles, -1, axis=1).astype(np.int64).ravel()
    count = len(surface.vertices)
    undirected, which = np.unique(np.minimum(start, end) * count + np.maximum(start, end), return_inverse=True)
    uses = np.bincount(which)
    forward = np.bincount(which, weights=start < end)

    def where(edges: npt.NDArray[np.bool_]) -> str:
        first = undirected[edges][0]
        return _place(surface.vertices[[first // count, first % count]].mean(axis=0))

    if (uses == 1).any():
        raise ValueError(
            f"{name} must be closed; got {int((uses == 1).sum())} open edges, first at {where(uses == 1)}. "
            "Fill the holes, for example with trimesh.repair.fill_holes or manifold3d."
        )
    if (uses > 2).any():
        raise ValueError(
            f"{name} must have two triangles at each edge; got {int((uses > 2).sum())} edges with more, first at "
            f"{where(uses > 2)}. Separate the parts that touch, or drop the doubled triangles."
        )
    turned = forward != 1
    if turned.any():
        raise ValueError(
            f"{name} must have all triangles turned the same way; got {int(turned.sum())} edges between triangles "
            f"turned differently, first at {where(turned)}. Turn the odd ones round (trimesh.repair.fix_winding)."
        )


def _check_outward(surface: Surface, name: str) -> None:
    """Raise unless each outer piece encloses a positive volume, and each hollow in one a negative volume."""
    label = _labels(surface)
    used = np.unique(label[surface.triangles[:, 0]])
    spare = ~np.isin(label, used)
    if spare.any():
        raise ValueError(
            f"{name} must use each of its vertices; got {int(spare.sum())} in no triangle, first at "
            f"{_place(surface.vertices[spare][0])}. Drop them."
        )
    of_triangle = label[surface.triangles[:, 0]]
    pieces = [Surface(surface.vertices, surface.triangles[of_triangle == piece]) for piece in used]
    for piece in pieces:
        point = piece.corners[:1, 0]
        around = sum(float(winding_numbers(point, other)[0]) for other in pieces if other is not piece)
        hollow = round(abs(around)) % 2 == 1
        if (piece.volume > 0.0) == hollow:
            raise ValueError(
                f"{name} must be counter-clockwise seen from outside, and clockwise around a hollow; got a piece of "
                f"{len(piece.triangles)} triangles turned the wrong way at {_place(point[0])} (volume "
                f"{piece.volume:.6g} mm3). Swap two columns of its triangles."
            )


def _labels(surface: Surface) -> npt.NDArray[np.int32]:
    """Return the number of the connected piece that each vertex belongs to."""
    # Here, so that importing the package loads no SciPy.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = np.concatenate([surface.triangles[:, :2], surface.triangles[:, 1:]])
    size = len(surface.vertices)
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(size, size))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int32)


def winding_numbers(points: npt.ArrayLike, surface: Surface) -> FloatArray:
    """Return how often a surface winds around points: 1 inside and 0 outside a closed outward surface.

    Parameters
    ----------
    points : array_like, shape (n, 3)
        Positions (mm), not on the surface.
    surface : Surface
        Triangles; for a surface that is not closed the values are fractions.

    Returns
    -------
    ndarray, shape (n,)

    Notes
    -----
    By libigl's hierarchy: A. Jacobson, L. Kavan and O. Sorkine-Hornung, ACM Trans. Graph. 32(4):33, 2013.
    """
    # Here, because libigl takes a tenth of a second to load and most uses of the package do not need it.
    import igl

    rows = arrays.vectors(points, "points")
    total = np.zeros(len(rows))
    low, high = surface.corners.min(axis=(0, 1)), surface.corners.max(axis=(0, 1))
    # A point outside the bounding box of a closed surface has winding number 0.
    wanted = np.flatnonzero(((rows >= low) & (rows <= high)).all(axis=1) | (not surface.is_closed))
    if len(wanted):
        triangles = surface.triangles.astype(np.int64)
        total[wanted] = igl.winding_number(surface.vertices, triangles, np.ascontiguousarray(rows[wanted]))
    return total


def check_crossings(surfaces: Sequence[Surface]) -> None:
    """Raise `ValueError` if any triangle cuts or touches another beyond what they share, in one surface or in two.

    Parameters
    ----------
    surfaces : sequence of Surface
        All are tested together, each against itself and against the others.

    Raises
    ------
    ValueError
        One sentence with the surfaces' names, the number of crossing triangles and the place of the first (mm).

    Notes
    -----
    See `crossing_pairs`; a second for 174,000 triangles.
    """
    first, second = crossing_pairs(surfaces)
    if not len(first):
        return
    bounds = np.cumsum([len(surface.triangles) for surface in surfaces])
    owners = np.stack([np.searchsorted(bounds, side, side="right") for side in (first, second)], axis=1)
    i, j = (int(owner) for owner in owners[0])
    among = (owners == (i, j)).all(axis=1)
    centroids = np.concatenate([surface.centroids for surface in surfaces])
    where = _place(centroids[first[among][0]])
    names = [surface.name or f"surface {k}" for k, surface in enumerate(surfaces)]
    if i == j:
        count = len(np.unique(np.concatenate([first[among], second[among]])))
        raise ValueError(
            f"{names[i]} must not cross itself; got {count} triangles that do, first at {where}. "
            "Smooth the surface there, or remesh it with manifold3d."
        )
    raise ValueError(
        f"{names[i]} and {names[j]} must not cross or touch; got {int(among.sum())} pairs of triangles that do, first "
        f"at {where}. Push the inner one inwards there, by at least half a millimetre."
    )


def crossing_pairs(surfaces: Sequence[Surface]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the pairs of crossing triangles of several surfaces, counted through all surfaces in order.

    Parameters
    ----------
    surfaces : sequence of Surface
        Tested each against itself and against the others.

    Returns
    -------
    first, second : ndarray, shape (n_pairs,)
        Triangle indices into the surfaces' triangles one after the other, first < second, in ascending order.

    Notes
    -----
    By libigl's tree of boxes with exact predicates (`igl.predicates.find_self_intersections`). Of pairs with one common
    corner it also reports some that lie in one plane to within rounding and meet in that corner only; those are tested
    once more here, exactly, and left out. Contacts of measure zero that it misses are not found: an edge that ends in
    the common corner and lies exactly in the other triangle. Pairs with a common edge are judged as if both were turned
    the same way, which `check_surface` makes sure of.
    """
    # Here, because libigl takes a tenth of a second to load and most uses of the package do not need it.
    from igl.predicates import find_self_intersections

    offsets = np.cumsum([0] + [len(surface.vertices) for surface in surfaces])
    vertices = np.concatenate([surface.vertices for surface in surfaces])
    triangles = np.concatenate(
        [surface.triangles + offset for surface, offset in zip(surfaces, offsets[:-1], strict=True)]
    )
    _, pairs, _ = find_self_intersections(vertices, np.ascontiguousarray(triangles, dtype=np.int64))
    pairs = np.unique(np.sort(np.asarray(pairs, dtype=np.int64).reshape(-1, 2), axis=1), axis=0)
    pairs = pairs[_meet_beyond_corners(vertices, triangles[pairs])]
    return np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])


def _meet_beyond_corners(vertices: FloatArray, pairs: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Return False for pairs of triangles, shape (n_pairs, 2, 3), that meet in one common corner only."""
    same = pairs[:, 0, :, np.newaxis] == pairs[:, 1, np.newaxis, :]
    rows = np.flatnonzero(same.sum(axis=(1, 2)) == 1)
    meet = np.ones(len(pairs), dtype=np.bool_)
    if len(rows):
        _, i, j = np.nonzero(same[rows])
        turn = np.arange(3)
        first = np.take_along_axis(pairs[rows, 0], (i[:, np.newaxis] + turn) % 3, axis=1)
        second = np.take_along_axis(pairs[rows, 1], (j[:, np.newaxis] + turn[1:]) % 3, axis=1)
        corners = vertices[np.concatenate([first, second], axis=1)]
        meet[rows] = _meet_beyond_corner(*np.ascontiguousarray(corners.transpose(1, 0, 2)))
    return meet


def _meet_beyond_corner(
    v: FloatArray, a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray
) -> npt.NDArray[np.bool_]:
    """Tell which triangles v, a, b and v, c, d meet in more than v; each argument of shape (n_pairs, 3).

    They do if the arcs ab and cd on a sphere about v meet. With n = a x b and m = c x d, seen from v, the planes meet
    along n x m = (m.a) b - (m.b) a = (n.d) c - (n.c) d: that direction, or the opposite one, must lie in both arcs.
    """
    from igl.predicates import orient3d

    at_a, at_b, at_c, at_d = orient3d(v, c, d, a), orient3d(v, c, d, b), orient3d(v, a, b, c), orient3d(v, a, b, d)
    along = (at_a >= 0) & (at_b <= 0) & (at_d >= 0) & (at_c <= 0)
    against = (at_a <= 0) & (at_b >= 0) & (at_d <= 0) & (at_c >= 0)
    meet: npt.NDArray[np.bool_] = along | against
    flat = np.flatnonzero((at_a == 0) & (at_b == 0) & (at_c == 0) & (at_d == 0))
    if len(flat):
        meet[flat] = _overlap_in_plane(*(point[flat] for point in (v, a, b, c, d)))
    return meet


def _overlap_in_plane(
    v: FloatArray, a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray
) -> npt.NDArray[np.bool_]:
    """Tell which triangles v, a, b and v, c, d of a plane meet in more than v: one has a side in the other's angle."""
    from igl.predicates import orient3d

    # Seen from a point well off the plane, the predicate in space tells left from right in the plane.
    normal = np.cross(a - v, b - v)
    aside = v + np.linalg.norm(a - v, axis=1, keepdims=True) * np.eye(3)[np.abs(normal).argmax(axis=1)]

    def holds(one: FloatArray, other: FloatArray, point: FloatArray) -> npt.NDArray[np.bool_]:
        turn = orient3d(v, one, other, aside)
        left, right = turn * orient3d(v, one, point, aside), turn * orient3d(v, point, other, aside)
        within: npt.NDArray[np.bool_] = (left >= 0) & (right >= 0)
        return within

    return holds(a, b, c) | holds(a, b, d) | holds(c, d, a) | holds(c, d, b)


def check_head(head: HeadModel) -> None:
    """Raise `ValueError` unless a head's surfaces are closed, outward, free of crossings and nested as declared.

    Parameters
    ----------
    head : HeadModel
        The first interface is the scalp.

    Raises
    ------
    ValueError
        One sentence that says what is wrong, how often, where (mm), and how to mend it.
    """
    names = [interface.name for interface in head.interfaces]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"interfaces must have different names; got {name!r} {names.count(name)} times.")
    surfaces = [interface.surface for interface in head.interfaces]
    # `touching` means that surfaces are meant to be open only if something else than a hole says so.
    if head.touching:
        from meshes.partitions import check_partition  # here, because it imports this module

        check_partition(head.interfaces)
    else:
        for surface in surfaces:
            check_surface(surface)
        check_crossings(surfaces)
        _check_nesting(head.interfaces)
    _check_cortex(head)


def _check_nesting(interfaces: tuple[Interface, ...]) -> None:
    """Raise unless all lie inside the first, and each conductivity outside one is that inside its parent.

    One vertex of each connected piece decides where it lies, because pieces that do not cross lie wholly inside or
    outside.
    """
    scalp = interfaces[0]
    if scalp.sigma_outside != 0.0:
        raise ValueError(
            f"{scalp.name}, the first surface, must have sigma_outside = 0, air; got {scalp.sigma_outside:g} S/m."
        )
    for i, interface in enumerate(interfaces):
        # The first vertex of each piece of the surface.
        points = interface.surface.vertices[np.unique(_labels(interface.surface), return_index=True)[1]]
        others = [other for other in interfaces if other is not interface]
        inside = [winding_numbers(points, other.surface) > 0.5 for other in others]
        for k, point in enumerate(points):
            around = [other for other, within in zip(others, inside, strict=True) if within[k]]
            if i == 0 and around:
                raise ValueError(
                    f"interfaces must begin with the scalp; got {interface.name} first, which lies inside "
                    f"{around[0].name}."
                )
            if i > 0 and not around:
                raise ValueError(
                    f"{interface.name} must lie inside {scalp.name}, the first surface; got its vertex at "
                    f"{_place(point)} outside. Check units (mm) and the order of the surfaces."
                )
            if i > 0:
                _check_parent(interface, min(around, key=lambda other: other.surface.volume))


def _check_parent(interface: Interface, parent: Interface) -> None:
    """Raise unless the tissue just outside a surface is the one just inside the surface around it."""
    if not np.isclose(interface.sigma_outside, parent.sigma_inside, rtol=1e-9, atol=0.0):
        raise ValueError(
            f"{interface.name} must be nested as its conductivities say; got sigma_outside = "
            f"{interface.sigma_outside:g} S/m, but it lies directly inside {parent.name}, whose sigma_inside is "
            f"{parent.sigma_inside:g} S/m. Exchange the surfaces, or set the two to the same value."
        )


def _check_cortex(head: HeadModel) -> None:
    """Raise unless the cortex lies in the scalp's bounding box; catches metres, and another frame."""
    low, high = head.scalp.vertices.min(axis=0), head.scalp.vertices.max(axis=0)
    outside = ((head.cortex.vertices < low) | (head.cortex.vertices > high)).any(axis=1)
    size = float(np.linalg.norm(np.ptp(head.cortex.vertices, axis=0)))
    if outside.any() or size < 0.05 * float(np.linalg.norm(high - low)):
        raise ValueError(
            f"cortex must lie inside the scalp and fill a good part of it; got {int(outside.sum())} vertices outside "
            f"and an extent of {size:.3g} mm. Check units (mm) and frame."
        )
    if head.cortex.is_closed and head.cortex.volume < 0.0:
        raise ValueError(
            f"cortex must have normals out of the brain, positive volume; got {head.cortex.volume:g} mm^3. "
            "Reverse the order of each triangle's vertices."
        )


def _place(point: FloatArray) -> str:
    return f"({point[0]:.1f}, {point[1]:.1f}, {point[2]:.1f}) mm"
