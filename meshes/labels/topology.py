"""Find edges, the lines where several sheets meet, and vertices that must stay, in the triangles between labels."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meshes.labels.mesh import IndexArray, LabelMesh
from meshes.partitions import _folded_pairs as folded_pairs
from meshes.partitions import _only_share_edge as share_edge

__all__ = ["Edges", "Kinds", "folded_pairs", "mesh_edges", "share_edge", "vertex_kinds"]

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Edges:
    """The edges of a mesh.

    Parameters
    ----------
    ends : ndarray, shape (n_edges, 2)
        Vertex indices, the smaller first.
    count : ndarray, shape (n_edges,)
        Triangles at each edge.
    line : ndarray of bool, shape (n_edges,)
        Whether other than two triangles, or triangles between different pairs of labels, meet there.
    finest : ndarray, shape (n_edges,)
        The greatest of the labels at each edge.
    of_triangle : ndarray, shape (n_triangles, 3)
        Edge from each corner of each triangle to the next one.
    """

    ends: IndexArray
    count: IndexArray
    line: BoolArray
    finest: IndexArray
    of_triangle: IndexArray


@dataclass(frozen=True, eq=False)
class Kinds:
    """What may be done with the vertices of a mesh.

    Parameters
    ----------
    rank : ndarray, shape (n_vertices,)
        0 within a sheet, 1 on a line where sheets meet, 2 where the vertex must stay: lines meet or end there, or
        sheets touch in this point alone.
    pinned : ndarray of bool, shape (n_vertices,)
        Whether the rank is 2.
    """

    rank: IndexArray
    pinned: BoolArray


def mesh_edges(mesh: LabelMesh) -> Edges:
    """Return the edges of a mesh."""
    count = len(mesh.vertices)
    start, end = mesh.triangles.ravel(), np.roll(mesh.triangles, -1, axis=1).ravel()
    key = np.minimum(start, end) * count + np.maximum(start, end)
    order = np.argsort(key, kind="stable")
    new = np.concatenate([[True], key[order][1:] != key[order][:-1]])
    first = np.flatnonzero(new)
    which = np.empty(len(key), dtype=np.int64)
    which[order] = np.cumsum(new) - 1
    uses = np.diff(np.append(first, len(key)))
    key = key[order][first]
    pair = np.repeat(mesh.pairs, 3)[order]
    low, high = np.minimum.reduceat(pair, first), np.maximum.reduceat(pair, first)
    finest = np.maximum.reduceat(np.repeat(mesh.sides[:, 0], 3)[order], first)
    return Edges(
        ends=np.stack([key // count, key % count], axis=1),
        count=uses,
        line=(uses != 2) | (low != high),
        finest=finest,
        of_triangle=which.reshape(-1, 3),
    )


def vertex_kinds(mesh: LabelMesh, edges: Edges, *, pinned: BoolArray | None = None) -> Kinds:
    """Return what may be done with the vertices; `pinned` is known from before, if sheets have not moved since."""
    count = len(mesh.vertices)
    lines = np.bincount(edges.ends[edges.line].ravel(), minlength=count)
    if pinned is None:
        pinned = _fans(mesh, edges) > 1
    fixed = pinned | ((lines != 0) & (lines != 2))
    rank = np.where(fixed, 2, np.where(lines == 2, 1, 0))
    return Kinds(rank=rank, pinned=fixed)


def _fans(mesh: LabelMesh, edges: Edges) -> IndexArray:
    """Return in how many fans, connected by edges, the triangles around each vertex fall."""
    # Here, so that importing the package loads no SciPy.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    triangles, n_edges = mesh.triangles, len(edges.ends)
    size = 3 * len(triangles)
    corner = np.arange(size).reshape(-1, 3)
    # Nodes: corners of triangles, and for each edge its two ends. Each corner touches two of its triangle's edges.
    links = []
    for shift in (0, 2):
        edge = np.roll(edges.of_triangle, -shift, axis=1)
        upper = edges.ends[edge, 1] == triangles
        links.append(np.stack([corner.ravel(), (size + 2 * edge + upper).ravel()]))
    rows, columns = np.concatenate(links, axis=1)
    total = size + 2 * n_edges
    graph = coo_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(total, total))
    label = connected_components(graph, directed=False)[1][:size]
    pair = np.unique(np.stack([triangles.ravel(), label], axis=1), axis=0)
    fans: IndexArray = np.bincount(pair[:, 0], minlength=len(mesh.vertices))
    return fans
