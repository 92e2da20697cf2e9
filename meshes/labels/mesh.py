"""Hold the triangles between the labels of a volume: one set of vertices, a label on either side of each triangle."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from meshes.arrays import FloatArray
from meshes.surface import Surface

__all__ = ["LabelMesh"]

IndexArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LabelMesh:
    """Triangles between labelled regions, which may meet along lines.

    Parameters
    ----------
    vertices : ndarray, shape (n_vertices, 3)
        Positions (mm).
    triangles : ndarray of int64, shape (n_triangles, 3)
        Vertex indices; normals point from the first of the two sides to the second.
    sides : ndarray of int64, shape (n_triangles, 2)
        Label behind and in front of each triangle, the greater one behind; 0 is the outside of everything.
    """

    vertices: FloatArray
    triangles: IndexArray
    sides: IndexArray

    @cached_property
    def pairs(self) -> IndexArray:
        """One number per pair of sides, shape (n_triangles,)."""
        pairs: IndexArray = self.sides[:, 0] * (int(self.sides.max(initial=0)) + 1) + self.sides[:, 1]
        return pairs

    @property
    def corners(self) -> FloatArray:
        """Corner positions, shape (n_triangles, 3 corners, 3) (mm)."""
        return self.vertices[self.triangles]

    def surface(self, rows: npt.NDArray[np.bool_], name: str) -> Surface:
        """Return some of the triangles as a surface with no other vertices than theirs."""
        used, triangles = np.unique(self.triangles[rows], return_inverse=True)
        return Surface(self.vertices[used], triangles.reshape(-1, 3).astype(np.int32), name)

    def region(self, labels: Iterable[int], name: str = "") -> Surface:
        """Return the boundary of the union of some labels' regions, outward."""
        within = np.isin(self.sides, list(labels))
        behind, before = within[:, 0] & ~within[:, 1], within[:, 1] & ~within[:, 0]
        triangles = np.concatenate([self.triangles[behind], self.triangles[before][:, ::-1]])
        used, index = np.unique(triangles, return_inverse=True)
        return Surface(self.vertices[used], index.reshape(-1, 3).astype(np.int32), name)

    def without_spare_vertices(self) -> "LabelMesh":
        """Return the mesh without vertices that no triangle uses."""
        used, triangles = np.unique(self.triangles, return_inverse=True)
        return LabelMesh(self.vertices[used], triangles.reshape(-1, 3), self.sides)
