"""Turn a label volume into smooth triangles between its labels: surface nets.

Notes
-----
A vertex stands in each cell of eight voxels that are not all alike, and a quadrilateral joins the four cells around
each face between two voxels of different labels (S. F. F. Gibson, MICCAI 1998; for several labels S. Frisken, Journal
of Computer Graphics Techniques 11(1):34, 2022). Vertices are smoothed but never leave their cells, so that sheets of
one voxel's thickness stay and surfaces follow the voxels to half their size.

Smoothing here is Taubin's (SIGGRAPH 1995), which takes terraces away and leaves curvature, where the mean of the
neighbours alone would pull convex surfaces inwards.
"""

import logging

import numpy as np
import numpy.typing as npt

from meshes.arrays import FloatArray
from meshes.labels.mesh import IndexArray, LabelMesh
from meshes.labels.simplify import colliding

__all__ = ["surface_net"]

logger = logging.getLogger(__name__)

ROUNDS = 40
"""Rounds of smoothing; each a step forwards and one back."""

_FORWARDS, _BACK = 0.6, -0.62
_MENDINGS = 20
_REACH = 0.49
"""How far a vertex may move from the middle of its cell along each axis, in voxels."""


def surface_net(labels: npt.NDArray[np.uint8], affine: FloatArray, *, rounds: int = ROUNDS) -> LabelMesh:
    """Return the triangles between the labels of a volume.

    Parameters
    ----------
    labels : ndarray of uint8, shape (nx, ny, nz)
        Labels; 0 is outside, as is all that lies beyond the volume.
    affine : ndarray, shape (4, 4)
        Voxel indices to mm; may mirror, must not be singular.
    rounds : int, optional
        Rounds of smoothing; 0 leaves the steps of the voxels.

    Returns
    -------
    LabelMesh
        All regions closed, no triangles crossing. Where voxels touch along an edge, four sheets meet in a line.
    """
    padded = np.pad(labels, 1)
    cells, quads, sides = _quadrilaterals(padded)
    edges, sheets = _net_edges(quads, len(cells))
    offsets = _smoothed(cells, _start(padded, cells), edges, sheets, rounds)
    if np.linalg.det(affine[:3, :3]) < 0.0:
        quads = quads[:, ::-1]
    for _ in range(_MENDINGS):
        # Cell (i, j, k) has its middle half-way between voxels i and i + 1 of the padded volume.
        vertices = np.ascontiguousarray((cells + offsets - 0.5) @ affine[:3, :3].T + affine[:3, 3])
        mesh = LabelMesh(vertices, *_cut(vertices, quads, sides))
        bad = np.unique(mesh.triangles[colliding(vertices, mesh.triangles)])
        if not len(bad):
            return mesh
        # With all vertices in the middles of their cells nothing crosses.
        logger.debug("%d vertices of crossing triangles go back towards the middles of their cells", len(bad))
        offsets[bad] = np.where(np.abs(offsets[bad]) < 0.05, 0.0, 0.5 * offsets[bad])
    raise RuntimeError(f"surface_net: {len(bad)} vertices of crossing triangles could not be brought apart.")


def _quadrilaterals(padded: npt.NDArray[np.uint8]) -> tuple[IndexArray, IndexArray, IndexArray]:
    """Return the cells with vertices (as their lowest voxel), the quadrilaterals and the labels on each side."""
    shape = padded.shape
    keys, sides = [], []
    for axis in range(3):
        lower = np.take(padded, range(shape[axis] - 1), axis=axis)
        upper = np.take(padded, range(1, shape[axis]), axis=axis)
        at = np.stack(np.nonzero(lower != upper), axis=1)
        behind, before = lower[tuple(at.T)].astype(np.int64), upper[tuple(at.T)].astype(np.int64)
        second, third = np.eye(3, dtype=np.int64)[[(axis + 1) % 3, (axis + 2) % 3]]
        around = np.stack([at - second - third, at - third, at, at - second], axis=1)
        key = np.ravel_multi_index(tuple(around.reshape(-1, 3).T), shape).reshape(-1, 4)
        # The greater label goes behind, so that normals of the deeper tissue point outwards.
        turned = behind < before
        keys.append(np.where(turned[:, None], key[:, ::-1], key))
        sides.append(np.stack([np.maximum(behind, before), np.minimum(behind, before)], axis=1))
    used, quads = np.unique(np.concatenate(keys), return_inverse=True)
    cells = np.stack(np.unravel_index(used, shape), axis=1).astype(np.int64)
    return cells, quads.reshape(-1, 4).astype(np.int64), np.concatenate(sides)


def _start(padded: npt.NDArray[np.uint8], cells: IndexArray) -> FloatArray:
    """Return where vertices begin, from the middles of their cells: the mean of the edges that join unlike voxels."""
    corners = [(i, j, k) for i in (0, 1) for j in (0, 1) for k in (0, 1)]
    value = {corner: padded[tuple((cells + corner).T)] for corner in corners}
    total, count = np.zeros((len(cells), 3)), np.zeros(len(cells))
    for corner in corners:
        for axis in range(3):
            if corner[axis]:
                continue
            i, j, k = (1 if along == axis else corner[along] for along in range(3))
            unlike = value[corner] != value[i, j, k]
            total += unlike[:, None] * (0.5 * np.add(corner, (i, j, k)) - 0.5)
            count += unlike
    mean: FloatArray = total / count[:, None]
    return mean


def _net_edges(quads: IndexArray, n_vertices: int) -> tuple[IndexArray, IndexArray]:
    """Return the edges of the net and how many sheets meet at each."""
    ends = np.stack([quads, np.roll(quads, -1, axis=1)], axis=2).reshape(-1, 2)
    key, sheets = np.unique(ends.min(axis=1) * n_vertices + ends.max(axis=1), return_counts=True)
    return np.stack([key // n_vertices, key % n_vertices], axis=1), sheets.astype(np.int64)


def _smoothed(cells: IndexArray, offsets: FloatArray, edges: IndexArray, sheets: IndexArray, rounds: int) -> FloatArray:
    """Return the offsets of the vertices from the middles of their cells after smoothing.

    A vertex on a line where several sheets meet follows its neighbours along that line; where lines meet, all of them.
    """
    # Here, so that importing the package loads no SciPy.
    from scipy.sparse import csr_array

    count = len(cells)
    line = sheets != 2
    on_line = np.bincount(edges[line].ravel(), minlength=count) > 1
    ends = np.concatenate([edges, edges[:, ::-1]])
    kept = ~on_line[ends[:, 0]] | np.tile(line, 2)
    ends = ends[kept]
    graph = csr_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(count, count))
    degree = np.maximum(np.asarray(graph.sum(axis=1)), 1.0)
    places = cells.astype(np.float64)
    for _ in range(rounds):
        for step in (_FORWARDS, _BACK):
            points = places + offsets
            mean = (graph @ points) / degree[:, None]
            offsets = np.clip(offsets + step * (mean - points), -_REACH, _REACH)
    return offsets


def _cut(vertices: FloatArray, quads: IndexArray, sides: IndexArray) -> tuple[IndexArray, IndexArray]:
    """Cut each quadrilateral along the diagonal that bends it less into two triangles."""
    a, b, c, d = vertices[quads].transpose(1, 0, 2)

    def bend(first: FloatArray, second: FloatArray, third: FloatArray, fourth: FloatArray) -> FloatArray:
        """Cosine between the triangles on either side of the diagonal from the first to the third."""
        one, other = np.cross(second - first, third - first), np.cross(third - first, fourth - first)
        length = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
        cosine: FloatArray = np.einsum("ij,ij->i", one, other) / np.maximum(length, 1e-12)
        return cosine

    other_way = bend(b, c, d, a) > bend(a, b, c, d) + 1e-9
    turned = np.where(other_way[:, None], np.roll(quads, -1, axis=1), quads)
    triangles = np.concatenate([turned[:, [0, 1, 2]], turned[:, [0, 2, 3]]])
    return triangles, np.concatenate([sides, sides])
