"""Hold a triangle surface and derive its geometry."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from meshes import arrays
from meshes.arrays import FloatArray, IntArray

__all__ = ["Surface"]


@dataclass(frozen=True, eq=False)
class Surface:
    """A surface of flat triangles, counter-clockwise seen from outside.

    Two surfaces are equal only if they are the same object; compare `checksum` for equal content. The arrays are
    copies of what was passed; derived arrays are computed at the first use and kept.

    Parameters
    ----------
    vertices : array_like, shape (n_vertices, 3)
        Positions (mm).
    triangles : array_like, shape (n_triangles, 3)
        Three vertex indices each.
    name : str, optional
        Name in messages and files.

    Raises
    ------
    ValueError
        If a shape is wrong, a position is not finite or an index is out of range.

    Examples
    --------
    >>> tetrahedron = Surface([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]],
    ...                       [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    >>> tetrahedron.is_closed, round(tetrahedron.volume, 6)
    (True, 0.166667)
    """

    # Not set read-only: numba compiles (and caches) every kernel a second time for read-only arrays.
    vertices: FloatArray
    triangles: IntArray
    name: str = ""

    def __post_init__(self) -> None:
        label = self.name or "surface"
        vertices = arrays.vectors(self.vertices, f"vertices of {label}")
        object.__setattr__(self, "vertices", vertices)
        object.__setattr__(self, "triangles", arrays.triangles(self.triangles, f"triangles of {label}", len(vertices)))

    def __repr__(self) -> str:
        return f"Surface({self.name!r}, {len(self.vertices)} vertices, {len(self.triangles)} triangles)"

    @cached_property
    def corners(self) -> FloatArray:
        """Corner positions, ndarray, shape (n_triangles, 3 corners, 3) (mm)."""
        return np.ascontiguousarray(self.vertices[self.triangles])

    @cached_property
    def centroids(self) -> FloatArray:
        """Centroids of the triangles, ndarray, shape (n_triangles, 3) (mm)."""
        return np.ascontiguousarray(self.corners.mean(axis=1))

    @cached_property
    def _area_vectors(self) -> FloatArray:
        """Normal times area of each triangle, shape (n_triangles, 3) (mm^2)."""
        edges = self.corners[:, 1:] - self.corners[:, :1]
        return np.ascontiguousarray(0.5 * np.cross(edges[:, 0], edges[:, 1]))

    @cached_property
    def areas(self) -> FloatArray:
        """Areas of the triangles, ndarray, shape (n_triangles,) (mm^2)."""
        return np.ascontiguousarray(np.linalg.norm(self._area_vectors, axis=1))

    @cached_property
    def vertex_areas(self) -> FloatArray:
        """A third of the area of the triangles around each vertex, ndarray, shape (n_vertices,) (mm^2)."""
        thirds = np.repeat(self.areas / 3.0, 3)
        return np.ascontiguousarray(np.bincount(self.triangles.ravel(), thirds, minlength=len(self.vertices)))

    @cached_property
    def normals(self) -> FloatArray:
        """Unit normals of the triangles, ndarray, shape (n_triangles, 3); zero for a triangle without area."""
        return _normalised(self._area_vectors)

    @cached_property
    def vertex_normals(self) -> FloatArray:
        """Unit normals at the vertices, ndarray, shape (n_vertices, 3); zero for a vertex no triangle uses.

        Notes
        -----
        Triangle normals weighted by the angle at the vertex, which does not depend on how the surface is cut into
        triangles (Thurmer and Wuthrich, Journal of Graphics Tools 3(1):43-46, 1998).
        """
        total = np.zeros_like(self.vertices)
        for corner in range(3):
            apex = self.corners[:, corner]
            first = _normalised(self.corners[:, (corner + 1) % 3] - apex)
            second = _normalised(self.corners[:, (corner + 2) % 3] - apex)
            angle = np.arccos(np.clip(np.einsum("ij,ij->i", first, second), -1.0, 1.0))
            np.add.at(total, self.triangles[:, corner], angle[:, None] * self.normals)
        return _normalised(total)

    @cached_property
    def volume(self) -> float:
        """Signed volume (mm^3): positive when the triangles are counter-clockwise seen from outside.

        Meaningful for a closed surface only.
        """
        # About the mean vertex, so that a small surface far from the origin loses no digits.
        origin = self.vertices.mean(axis=0) if len(self.vertices) else np.zeros(3)
        return float(np.einsum("ij,ij->", self._area_vectors, self.centroids - origin) / 3.0)

    @cached_property
    def mean_edge(self) -> float:
        """Mean length of the triangles' edges (mm); 0 for a surface without triangles."""
        if not len(self.triangles):
            return 0.0
        return float(np.linalg.norm(self.corners - np.roll(self.corners, -1, axis=1), axis=2).mean())

    @cached_property
    def is_closed(self) -> bool:
        """Whether each edge belongs to exactly two triangles that run along it in opposite directions."""
        if not len(self.triangles):
            return False
        count = len(self.vertices)
        start = self.triangles.astype(np.int64)
        end = np.roll(start, -1, axis=1)
        forward = np.sort((start * count + end).ravel())
        backward = np.sort((end * count + start).ravel())
        return bool(np.all(np.diff(forward) > 0) and np.array_equal(forward, backward))

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of vertices and triangles as hexadecimal digits; the name does not count."""
        digest = hashlib.sha256()
        digest.update(f"surface {len(self.vertices)} {len(self.triangles)} ".encode())
        # Byte order fixed, so that the checksum is the same on every machine.
        digest.update(self.vertices.astype("<f8", copy=False).tobytes())
        digest.update(self.triangles.astype("<i4", copy=False).tobytes())
        return digest.hexdigest()

    def transformed(self, matrix: npt.ArrayLike) -> "Surface":
        """Return the surface moved by an affine map.

        Parameters
        ----------
        matrix : array_like, shape (4, 4)
            Affine map of positions in mm; its last row is (0, 0, 0, 1). A reflection also turns the triangles, so
            that outward normals stay outward.

        Returns
        -------
        Surface
            A new surface of the same name.

        Raises
        ------
        ValueError
            If `matrix` is not (4, 4), not finite, or squashes space flat.
        """
        affine = np.asarray(matrix, dtype=np.float64)
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise ValueError(f"matrix must be a finite array of shape (4, 4); got shape {affine.shape}.")
        if not np.array_equal(affine[3], [0.0, 0.0, 0.0, 1.0]):
            raise ValueError(f"matrix must have the last row (0, 0, 0, 1); got {affine[3].tolist()}.")
        determinant = float(np.linalg.det(affine[:3, :3]))
        if determinant == 0.0:
            raise ValueError("matrix must be invertible; got determinant 0.")
        triangles = self.triangles if determinant > 0.0 else self.triangles[:, ::-1]
        return Surface(self.vertices @ affine[:3, :3].T + affine[:3, 3], triangles, self.name)


def _normalised(rows: FloatArray) -> FloatArray:
    """Divide each row by its length; rows of length zero stay zero."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: FloatArray = np.divide(rows, length, out=np.zeros_like(rows), where=length > 0.0)
    return unit
