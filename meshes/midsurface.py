"""Find the middle of the grey matter, halfway between pia and white matter."""

import igl
import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csr_array

from meshes.arrays import FloatArray
from meshes.checks import crossing_pairs
from meshes.surface import Surface

__all__ = ["mid_surface", "neighbour_mean"]

# A cortex is at most about 5 mm thick; a longer way to the white surface crosses a sulcus (mm).
LONGEST_WAY = 8.0
AVERAGING_ROUNDS = 10
SHORTENING_ROUNDS = 60


def mid_surface(pial: Surface, white: Surface, *, name: str = "cortex") -> Surface:
    """Return the surface halfway between the pial and the white surface of a hemisphere.

    Parameters
    ----------
    pial, white : Surface
        Closed, outward, the white one inside the pial one (mm). If both have the same triangles, their vertices
        belong together and the middle is taken vertex by vertex, as FreeSurfer's are.
    name : str, optional
        Name of the result.

    Returns
    -------
    Surface
        The pial surface's triangles on new vertices: inside the pial surface, outside the white one, turned as the
        pial one is (out of the brain), not crossing itself.

    Raises
    ------
    RuntimeError
        If some vertices could not be brought between the two surfaces.

    Notes
    -----
    Without correspondence, each pial vertex goes half the way to the nearest white point that faces the same way and
    lies below it; where none does, it takes the way of its neighbours. The ways are averaged once with their
    neighbours' and stretched until both surfaces are equally far. Then, wherever a vertex lies outside the
    grey matter, a triangle has turned over, or triangles cross, the ways (not the positions, so that the pial
    surface's folds stay) are averaged over the neighbours, and shortened where that does not help.
    """
    if np.array_equal(pial.triangles, white.triangles):
        ways = 0.5 * (white.vertices - pial.vertices)
    else:
        ways = _half_ways(pial, white)
    mean = neighbour_mean(pial)
    known = np.isfinite(ways[:, 0])
    ways = np.where(known[:, None], ways, 0.0)
    for _ in range(50):  # fill the gaps from their rims inwards
        if known.all():
            break
        weight = mean @ known.astype(float)
        rim = ~known & (weight > 0.0)
        ways[rim] = (mean @ ways)[rim] / weight[rim, None]
        known |= rim
    if not np.array_equal(pial.triangles, white.triangles):
        ways = _centred(pial, white, 0.5 * ways + 0.5 * (mean @ ways))
    return _mended(pial, white, ways, mean, name)


def _half_ways(pial: Surface, white: Surface) -> FloatArray:
    """Return half the way from each pial vertex to the white surface, NaN where there is none, shape (n, 3) (mm).

    The nearest point of the white surface is taken if the way leads down and the surfaces face the same way there;
    else the best of the nearest white vertices for which that holds.
    """
    from scipy.spatial import KDTree

    faces = white.triangles.astype(np.int64)
    _, triangle, point = igl.point_mesh_squared_distance(pial.vertices, white.vertices, faces)
    _, index = KDTree(white.vertices).query(pial.vertices, k=24)
    ways = np.concatenate([point[:, None], white.vertices[index]], axis=1) - pial.vertices[:, None]
    normals = np.concatenate([white.normals[triangle][:, None], white.vertex_normals[index]], axis=1)
    distance = np.linalg.norm(ways, axis=2)
    facing = np.einsum("ikj,ij->ik", normals, pial.vertex_normals)
    cosine = -np.einsum("ikj,ij->ik", ways, pial.vertex_normals) / np.maximum(distance, 1e-9)
    good = (distance < LONGEST_WAY) & (facing > 0.3) & (cosine > 0.5)
    # A way that leans counts as longer: among vertices, the nearest is often beside the point below.
    cost = np.where(good, distance * (2.0 - cosine), np.inf)
    cost[good[:, 0], 0] = 0.0
    best = np.argmin(cost, axis=1)
    rows = np.arange(len(best))
    half: FloatArray = np.where(good[rows, best][:, None], 0.5 * ways[rows, best], np.nan)
    return half


def _centred(pial: Surface, white: Surface, ways: FloatArray) -> FloatArray:
    """Stretch the ways until the middle is as far from the pial surface as from the white one, to a few per cent."""
    for _ in range(4):
        middle = pial.vertices + ways
        to_pial, to_white = (
            np.sqrt(igl.point_mesh_squared_distance(middle, side.vertices, side.triangles.astype(np.int64))[0])
            for side in (pial, white)
        )
        ways = ways * (1.0 + 0.5 * (to_white - to_pial) / np.maximum(to_white + to_pial, 1e-9))[:, None]
    return ways


def neighbour_mean(surface: Surface) -> csr_array:
    """Return the matrix that takes values at vertices to the mean over each vertex's neighbours."""
    triangles = surface.triangles.astype(np.int64)
    start, end = triangles.ravel(), np.roll(triangles, -1, axis=1).ravel()
    count = len(surface.vertices)
    graph = csr_array(coo_array((np.ones(len(start)), (start, end)), shape=(count, count)))
    degree = np.maximum(graph.sum(axis=1), 1.0)
    return csr_array(graph.multiply(1.0 / degree[:, None]))


def _mended(pial: Surface, white: Surface, ways: FloatArray, mean: csr_array, name: str) -> Surface:
    """Average the ways where the middle is at fault; where that does not help in a few rounds, shorten them.

    Shortening must end well: with ways of length zero the middle is the pial surface, which has no fault.
    """
    share = np.ones(len(ways))
    for step in range(AVERAGING_ROUNDS + SHORTENING_ROUNDS):
        middle = Surface(pial.vertices + share[:, None] * ways, pial.triangles, name)
        bad = _faults(middle, pial, white)
        if not bad.any():
            return middle
        if step < AVERAGING_ROUNDS:
            spread = bad | (mean @ bad.astype(float) > 0.0)
            ways = np.where(spread[:, None], 0.5 * ways + 0.5 * (mean @ ways), ways)
        else:
            share[bad] *= 0.85
            # A way that leans out of a sharp fold is turned towards the inner normal.
            length = np.linalg.norm(ways[bad], axis=1, keepdims=True)
            ways[bad] = 0.7 * ways[bad] - 0.3 * length * pial.vertex_normals[bad]
            # Neighbours follow in part, so that no step arises that turns a triangle over.
            share = np.minimum(share, 1.15 * (mean @ share))
    raise RuntimeError(f"{name}: {int(bad.sum())} vertices could not be brought between the pial and white surface.")


def _faults(middle: Surface, pial: Surface, white: Surface) -> npt.NDArray[np.bool_]:
    """Return which vertices lie outside the grey matter or belong to a turned or crossing triangle."""
    winding = [
        igl.fast_winding_number(surface.vertices, surface.triangles.astype(np.int64), middle.vertices)
        for surface in (pial, white)
    ]
    bad: npt.NDArray[np.bool_] = (winding[0] < 0.5) | (winding[1] > 0.5)
    turned = np.einsum("ij,ij->i", middle.normals, pial.normals) <= 0.0
    bad[middle.triangles[turned].ravel()] = True
    crossing = np.concatenate(crossing_pairs([middle]))
    bad[middle.triangles[crossing].ravel()] = True
    return bad
