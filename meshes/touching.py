"""Put the interfaces of a head together from triangles between tissues that may meet along lines."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from meshes.arrays import FloatArray
from meshes.head import Interface
from meshes.surface import Surface

__all__ = ["AIR", "depths", "hollows", "touching_interfaces", "union_boundary"]

AIR = "air"

# From outside inwards; of the two tissues at a triangle the later one is inside.
_ORDER = (
    AIR, "scalp", "fat", "muscle", "cartilage", "eyes", "skull", "compact_bone", "spongy_bone", "blood", "csf", "grey",
    "white",
)  # fmt: skip

IndexArray = npt.NDArray[np.int64]
NameArray = npt.NDArray[np.str_]


def depths(names: NameArray) -> IndexArray:
    """Return how deep tissues are taken to lie, 0 for air; others than the common ones are deepest, by name.

    Examples
    --------
    >>> depths(np.array(["air", "scalp", "white", "lesion"])).tolist()
    [0, 1, 12, 13]
    """
    unique, which = np.unique(names, return_inverse=True)
    others = [name for name in map(str, unique) if name not in _ORDER]
    rank = {name: number for number, name in enumerate((*_ORDER, *others))}
    found: IndexArray = np.array([rank[str(name)] for name in unique], dtype=np.int64)[which.reshape(-1)]
    return found


def touching_interfaces(
    vertices: FloatArray, triangles: IndexArray, sides: NameArray, sigmas: Mapping[str, float]
) -> tuple[Interface, ...]:
    """Return the interfaces of a head whose tissues may meet along lines.

    Parameters
    ----------
    vertices : ndarray, shape (n_vertices, 3)
        Positions (mm).
    triangles : ndarray of int, shape (n_triangles, 3)
        Vertex indices, each triangle once.
    sides : ndarray of str, shape (n_triangles, 2)
        The tissue behind each triangle, from which its normal points away, and the one in front; "air" is none.
    sigmas : mapping of str to float
        Conductivity of each tissue (S/m).

    Returns
    -------
    tuple of Interface
        "scalp": all triangles with air in front, but for "cavities" in the head; then for each tissue, from outside
        inwards, the triangles that bound it against tissues further out. Each triangle is in one of them.

    Raises
    ------
    ValueError
        If no tissue meets the air.
    """
    behind, before = depths(sides.ravel()).reshape(-1, 2).T
    turned = before > behind
    triangles = np.where(turned[:, None], triangles[:, ::-1], triangles)
    inside, outside = np.where(turned[:, None], sides[:, ::-1], sides).T
    sigma_inside, sigma_outside = (_values(names, sigmas) for names in (inside, outside))
    outer = outside == AIR
    if not outer.any():
        raise ValueError("tissues must meet the air somewhere; got no triangle with air on a side.")
    hollow = outer & hollows(vertices, triangles, outside)
    groups = [("scalp", outer & ~hollow), ("cavities", hollow)]
    order = np.argsort(depths(np.unique(inside)), kind="stable")
    # The outer surface is called scalp whatever it holds; against other tissues nothing is called so.
    groups += [(str(name), ~outer & (inside == name)) for name in np.unique(inside)[order]]
    return tuple(
        Interface(_compact(vertices, triangles[rows], name), sigma_inside[rows], sigma_outside[rows])
        for name, rows in groups
        if rows.any()
    )


def union_boundary(
    vertices: FloatArray, triangles: IndexArray, sides: NameArray, tissues: tuple[str, ...], name: str
) -> Surface:
    """Return the boundary of several tissues taken as one, outward.

    Parameters
    ----------
    vertices, triangles, sides
        See `touching_interfaces`.
    tissues : tuple of str
        The tissues.
    name : str
        Name of the surface.
    """
    within = np.isin(sides, tissues)
    behind, before = within[:, 0] & ~within[:, 1], within[:, 1] & ~within[:, 0]
    return _compact(vertices, np.concatenate([triangles[behind], triangles[before][:, ::-1]]), name)


def _values(names: NameArray, sigmas: Mapping[str, float]) -> FloatArray:
    unique, which = np.unique(names, return_inverse=True)
    table = np.array([0.0 if name == AIR else sigmas[str(name)] for name in unique])
    return np.asarray(table[which.reshape(-1)])


def hollows(vertices: FloatArray, triangles: IndexArray, outside: NameArray) -> npt.NDArray[np.bool_]:
    """Tell which triangles are walls of air within the head: they belong to pieces that are turned inwards.

    Parameters
    ----------
    vertices, triangles
        See `touching_interfaces`, but with air only in front of triangles.
    outside : ndarray of str, shape (n_triangles,)
        The tissue in front of each.
    """
    # Here, so that importing the package loads no SciPy.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows = np.flatnonzero(outside == AIR)
    edges = np.concatenate([triangles[rows, :2], triangles[rows, 1:]])
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(len(vertices), len(vertices)))
    label = connected_components(graph, directed=False)[1][triangles[rows, 0]]
    a, b, c = (vertices[triangles[rows, corner]] - vertices.mean(axis=0) for corner in range(3))
    volume = np.bincount(label, np.einsum("ij,ij->i", a, np.cross(b, c)))
    walls = np.zeros(len(triangles), dtype=np.bool_)
    walls[rows] = volume[label] < 0.0
    return walls


def _compact(vertices: FloatArray, triangles: IndexArray, name: str) -> Surface:
    used, index = np.unique(triangles, return_inverse=True)
    return Surface(vertices[used], index.reshape(-1, 3).astype(np.int32), name)
