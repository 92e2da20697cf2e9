"""Check heads whose tissues touch along lines: the regions of equal conductivity must fill the head exactly once.

Notes
-----
Surfaces may be open here, so that "closed" and "nested" say nothing of a single one. What must hold instead: take the
triangles with a conductivity s on one side only, turned so that s is inside. They bound the region of that
conductivity, so they run along each edge as often one way as the other (their boundary as a chain is zero), they wind
once around each of its points, and not around those of other regions.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from meshes.arrays import FloatArray
from meshes.checks import check_areas, check_surface, crossing_pairs, winding_numbers
from meshes.head import Interface
from meshes.surface import Surface

__all__ = ["check_partition", "merged_surface", "regions"]

IndexArray = npt.NDArray[np.int64]

_OFFSET = 1e-4
"""How far from the middle of a triangle its two sides are probed, relative to the root of its area."""


def merged_surface(surfaces: Sequence[Surface]) -> Surface:
    """Return all triangles of several surfaces, with vertices of the very same coordinates made one.

    Parameters
    ----------
    surfaces : sequence of Surface
        Surfaces (mm).

    Returns
    -------
    Surface
        The triangles in the order of the surfaces; edges on lines where several meet have more than two triangles.
    """
    offsets = np.cumsum([0] + [len(surface.vertices) for surface in surfaces])
    points = np.concatenate([surface.vertices for surface in surfaces])
    triangles = np.concatenate(
        [surface.triangles + offset for surface, offset in zip(surfaces, offsets[:-1], strict=True)]
    )
    # + 0.0 makes -0.0 and 0.0 the same.
    unique, which = np.unique(points + 0.0, axis=0, return_inverse=True)
    return Surface(unique, which.reshape(-1)[triangles].astype(np.int32), "all")


def regions(interfaces: Sequence[Interface]) -> tuple[Surface, ...]:
    """Return the boundaries of the regions of equal conductivity, closed and outward, by rising conductivity.

    Parameters
    ----------
    interfaces : sequence of Interface
        All surfaces of a head.

    Returns
    -------
    tuple of Surface
        For each conductivity but air's the triangles that have it on one side only, turned so that it is inside.
    """
    merged = merged_surface([interface.surface for interface in interfaces])
    sigmas = np.concatenate([interface.sigmas for interface in interfaces])
    return tuple(_region(merged, sigmas, sigma) for sigma in _conductivities(sigmas))


def _conductivities(sigmas: FloatArray) -> list[float]:
    return [float(sigma) for sigma in np.unique(sigmas) if sigma > 0.0]


def _region(merged: Surface, sigmas: FloatArray, sigma: float) -> Surface:
    has = sigmas == sigma
    first, second = has[:, 0] & ~has[:, 1], has[:, 1] & ~has[:, 0]
    triangles = np.concatenate([merged.triangles[first], merged.triangles[second][:, ::-1]])
    return Surface(merged.vertices, triangles, f"region of {sigma:g} S/m")


def check_partition(interfaces: Sequence[Interface]) -> None:
    """Raise `ValueError` unless surfaces with the conductivities on their sides cut a head into regions.

    Parameters
    ----------
    interfaces : sequence of Interface
        The first is the scalp: closed, with air outside.

    Raises
    ------
    ValueError
        One sentence: a triangle without area, surfaces that cross, an edge at which conductivities do not fit
        together, or a side of a surface where another region lies than its conductivity says.
    """
    scalp = interfaces[0]
    check_surface(scalp.surface)
    if np.any(scalp.sigmas[:, 1] != 0.0):
        raise ValueError(
            f"{scalp.name}, the first surface, must have sigma_outside = 0, air; got "
            f"{float(scalp.sigmas[:, 1].max()):g} S/m."
        )
    for interface in interfaces[1:]:
        check_areas(interface.surface)
        cavity = interface.surface.is_closed and interface.surface.volume < 0.0 and not interface.sigmas[:, 1].any()
        if np.any(interface.sigmas[:, 1] == 0.0) and not cavity:
            raise ValueError(
                f"{interface.name} must have a positive sigma_outside, as only the first surface and closed cavities, "
                "turned inwards, meet the air; got 0. Join it to the first surface."
            )
    merged = merged_surface([interface.surface for interface in interfaces])
    sigmas = np.concatenate([interface.sigmas for interface in interfaces])
    owner = np.repeat(np.arange(len(interfaces)), [len(interface.surface.triangles) for interface in interfaces])
    found = [_region(merged, sigmas, sigma) for sigma in _conductivities(sigmas)]
    for region in found:
        _check_chain(region, merged, owner, interfaces)
    _check_no_crossing(merged, owner, [interface.name for interface in interfaces])
    _check_sides(merged, sigmas, owner, found, [interface.name for interface in interfaces])


def _unbalanced(triangles: npt.NDArray[np.integer], count: int) -> IndexArray:
    """Return the edges, shape (n, 2), that triangles do not run along as often one way as the other."""
    start = triangles.astype(np.int64).ravel()
    end = np.roll(triangles, -1, axis=1).astype(np.int64).ravel()
    edges, which = np.unique(np.minimum(start, end) * count + np.maximum(start, end), return_inverse=True)
    balance = np.bincount(which, weights=np.where(start < end, 1.0, -1.0))
    return np.stack(np.divmod(edges[balance != 0.0], count), axis=1)


def _check_chain(region: Surface, merged: Surface, owner: IndexArray, interfaces: Sequence[Interface]) -> None:
    """Raise unless the boundary of a region has no boundary of its own."""
    count = len(merged.vertices)
    open_edges = _unbalanced(region.triangles, count)
    if not len(open_edges):
        return
    for number, interface in enumerate(interfaces):
        rim = _unbalanced(merged.triangles[owner == number], count)
        # A hole at which nothing else ends has a plainer sentence; open surfaces that end on others are as they should.
        if len(rim) and not np.isin(merged.triangles[owner != number], rim).any():
            check_surface(interface.surface)
    place = merged.vertices[open_edges[0]].mean(axis=0)
    raise ValueError(
        f"The {region.name} must be closed; got {len(open_edges)} open edges, first at {_place(place)}. Where surfaces "
        "meet along a line their vertices must be the very same, and the conductivities must fit together around it."
    )


def _check_no_crossing(merged: Surface, owner: IndexArray, names: Sequence[str]) -> None:
    first, second = crossing_pairs([merged])
    cross = ~_only_share_edge(merged, first, second)
    folded = _folded_pairs(merged)
    first, second = np.concatenate([first[cross], folded[:, 0]]), np.concatenate([second[cross], folded[:, 1]])
    if len(first):
        one, other = names[owner[first[0]]], names[owner[second[0]]]
        raise ValueError(
            f"Surfaces must not cross; got {len(first)} pairs of triangles that do, first of {one} and {other} at "
            f"{_place(merged.centroids[first[0]])}. Cut both along the line where they meet, or push one away."
        )


def _only_share_edge(merged: Surface, first: IndexArray, second: IndexArray) -> npt.NDArray[np.bool_]:
    """Tell which pairs of triangles have an edge in common; `_folded_pairs` judges those."""
    one, other = merged.triangles[first], merged.triangles[second]
    common: npt.NDArray[np.bool_] = (one[:, :, None] == other[:, None, :]).sum(axis=(1, 2)) == 2
    return common


def _folded_pairs(merged: Surface) -> IndexArray:
    """Return the pairs of triangles that share an edge and lie on each other, or have three corners in common."""
    from igl.predicates import orient3d

    triangles = merged.triangles.astype(np.int64)
    count = len(merged.vertices)
    ends = np.sort(np.stack([triangles, np.roll(triangles, -1, axis=1)], axis=2), axis=2)
    key = (ends[..., 0] * count + ends[..., 1]).ravel()
    apex = np.roll(triangles, 1, axis=1).ravel()
    order = np.argsort(key, kind="stable")
    pairs = []
    for shift in range(1, int(np.bincount(np.unique(key, return_inverse=True)[1]).max(initial=1))):
        same = np.flatnonzero(key[order[shift:]] == key[order[:-shift]])
        pairs.append(np.stack([order[same], order[same + shift]], axis=1))
    if not pairs:
        return np.empty((0, 2), dtype=np.int64)
    both = np.concatenate(pairs)
    a, b = (ends.reshape(-1, 2)[both[:, 0], side] for side in (0, 1))
    one, other = apex[both[:, 0]], apex[both[:, 1]]
    at = merged.vertices
    flat = np.flatnonzero(orient3d(at[a], at[b], at[one], at[other]) == 0)
    edge = at[b[flat]] - at[a[flat]]
    normals = (np.cross(edge, at[corner[flat]] - at[a[flat]]) for corner in (one, other))
    folded = flat[np.einsum("ij,ij->i", *normals) > 0.0]
    rows: IndexArray = both[folded] // 3
    return rows


def _check_sides(
    merged: Surface, sigmas: FloatArray, owner: IndexArray, found: Sequence[Surface], names: Sequence[str]
) -> None:
    """Raise unless the region on each side of the triangles is the one with the conductivity that they say.

    One triangle, the largest, is probed of each patch: as nothing crosses and each region's boundary is closed, the
    others of the patch lie alike.
    """
    kind = _patches(merged, sigmas, owner)
    order = np.lexsort([-merged.areas, kind])
    probes = order[np.unique(kind[order], return_index=True)[1]]
    step = _OFFSET * np.sqrt(merged.areas[probes])[:, None] * merged.normals[probes]
    for side, way in enumerate((-1.0, 1.0)):
        points = merged.centroids[probes] + way * step
        for sigma, region in zip(_conductivities(sigmas), found, strict=True):
            within = winding_numbers(points, region)
            wrong = np.flatnonzero(np.abs(within - (sigmas[probes, side] == sigma)) > 0.1)
            if len(wrong):
                row = probes[wrong[0]]
                raise ValueError(
                    f"{names[owner[row]]} must have the tissues on its sides that its conductivities say; got "
                    f"{sigmas[row, side]:g} S/m {('inside', 'outside')[side]} at {_place(merged.centroids[row])}, "
                    f"where the region of {sigma:g} S/m counts {within[wrong[0]]:.1f} times. Exchange the two sides, "
                    "or turn the triangles round."
                )


def _patches(merged: Surface, sigmas: FloatArray, owner: IndexArray) -> IndexArray:
    """Return the number of the patch of each triangle: of one surface and one pair of conductivities, hanging together.

    By edges at which just two triangles meet: beyond a vertex or a line that is common to more, the tissues may change.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    triangles = merged.triangles.astype(np.int64)
    count = len(merged.vertices)
    ends = np.sort(np.stack([triangles, np.roll(triangles, -1, axis=1)], axis=2), axis=2)
    _, edge, uses = np.unique((ends[..., 0] * count + ends[..., 1]).ravel(), return_inverse=True, return_counts=True)
    order = np.argsort(edge, kind="stable")
    pairs = order[uses[edge[order]] == 2].reshape(-1, 2) // 3
    alike = (owner[pairs[:, 0]] == owner[pairs[:, 1]]) & (sigmas[pairs[:, 0]] == sigmas[pairs[:, 1]]).all(axis=1)
    first, second = pairs[alike].T
    size = len(triangles)
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(size, size))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _place(point: FloatArray) -> str:
    return f"({point[0]:.1f}, {point[1]:.1f}, {point[2]:.1f}) mm"
