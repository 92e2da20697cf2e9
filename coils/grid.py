"""Hold a coil's vector potential on a regular grid and interpolate it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from meshes import Pose, arrays
from meshes.arrays import FloatArray

__all__ = ["PotentialGrid"]

# Share of a voxel by which rounding may put a point of the border outside.
_ROUNDING = 1e-9

# An affine whose voxel is this flat against the product of its edges is no grid in space.
_FLAT = 1e-6

# Points interpolated at once: bounds the temporary arrays to about 10 MB.
_BLOCK = 1 << 15


@dataclass(frozen=True, eq=False)
class PotentialGrid:
    """Vector potential of a coil at the nodes of a regular grid.

    Parameters
    ----------
    values : array_like, shape (nx, ny, nz, 3)
        Vector potential at the nodes for one ampere of coil current, components along the coil's axes (T m per A).
    affine : array_like, shape (4, 4)
        Map from voxel indices to the coil's frame (mm); it may turn, mirror and shear.

    Raises
    ------
    ValueError
        If a shape is wrong, an axis has fewer than 2 nodes, a number is not finite, all values are zero, or the affine
        is singular or nearly so.

    Notes
    -----
    Between the nodes the potential is trilinear, as SimNIBS takes it; its error falls with the square of the spacing
    and is greatest close to the winding. Outside the grid nothing is known: asking there is an error, never zero.

    Examples
    --------
    >>> import numpy as np
    >>> values = np.zeros((2, 2, 2, 3))
    >>> values[1, :, :, 1] = 1e-7
    >>> grid = PotentialGrid(values, np.diag([10.0, 10.0, 10.0, 1.0]))
    >>> grid.potential(np.array([[5.0, 5.0, 5.0]]))
    array([[0.e+00, 5.e-08, 0.e+00]])
    """

    # Not set read-only: numba compiles every kernel a second time for read-only arrays.
    values: FloatArray
    affine: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", _checked_values(self.values))
        object.__setattr__(self, "affine", _checked_affine(self.affine))

    def __repr__(self) -> str:
        return f"PotentialGrid({' x '.join(map(str, self.shape))} nodes, {_box(self.extent)})"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of nodes along each axis."""
        return self.values.shape[0], self.values.shape[1], self.values.shape[2]

    def nodes(self) -> FloatArray:
        """Return the positions of all nodes, ndarray, shape (nx * ny * nz, 3) (mm), the last index running fastest."""
        indices = np.indices(self.shape, dtype=np.float64).reshape(3, -1).T
        return np.ascontiguousarray(indices @ self.affine[:3, :3].T + self.affine[:3, 3])

    @cached_property
    def extent(self) -> FloatArray:
        """Lower and upper corner of the box around all nodes, ndarray, shape (2, 3) (mm, coil frame)."""
        corners = np.indices((2, 2, 2)).reshape(3, -1).T * (np.array(self.shape) - 1.0)
        corners = corners @ self.affine[:3, :3].T + self.affine[:3, 3]
        return np.stack([corners.min(axis=0), corners.max(axis=0)])

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of values and affine as hexadecimal digits."""
        digest = hashlib.sha256(f"potential grid {self.shape} ".encode())
        # Byte order fixed, so that the checksum is the same on every machine.
        digest.update(self.values.astype("<f8", copy=False).tobytes())
        digest.update(self.affine.astype("<f8", copy=False).tobytes())
        return digest.hexdigest()

    def potential(self, points: npt.ArrayLike) -> FloatArray:
        """Interpolate the vector potential.

        Parameters
        ----------
        points : array_like, shape (n, 3)
            Points in the coil's frame (mm).

        Returns
        -------
        ndarray, shape (n, 3)
            Vector potential for one ampere of coil current, components along the coil's axes (T m per A).

        Raises
        ------
        ValueError
            If a point lies outside the grid, or the points are no finite (n, 3) array.
        """
        points = arrays.vectors(points, "points")
        voxels = self._voxels(points)
        outside = ~self._inside(voxels)
        if outside.any():
            first = points[int(np.flatnonzero(outside)[0])]
            raise ValueError(
                f"points must lie inside the coil's grid, {_box(self.extent)} in the coil's frame; "
                f"got {int(outside.sum())} of {len(points)} outside, first {first.round(1).tolist()}. "
                "Use a coil file with a greater grid, or one of dipoles (.ccd)."
            )
        voxels = np.clip(voxels, 0.0, np.array(self.shape) - 1.0)
        result = np.empty_like(points)
        for start in range(0, len(points), _BLOCK):
            result[start : start + _BLOCK] = self._trilinear(voxels[start : start + _BLOCK])
        return result

    def contains(self, points: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Tell which points lie within the grid, its border included.

        Parameters
        ----------
        points : array_like, shape (n, 3)
            Points in the coil's frame (mm).

        Returns
        -------
        ndarray of bool, shape (n,)
            True where `potential` is known.
        """
        return self._inside(self._voxels(arrays.vectors(points, "points")))

    def _voxels(self, points: FloatArray) -> FloatArray:
        """Return voxel coordinates of points."""
        # Solved, not multiplied by an inverse: nodes then come back as whole numbers but for rounding.
        voxels = np.linalg.solve(self.affine[:3, :3], (points - self.affine[:3, 3]).T)
        return np.ascontiguousarray(voxels.T, dtype=np.float64)

    def _inside(self, voxels: FloatArray) -> npt.NDArray[np.bool_]:
        """Tell which voxel coordinates lie within the grid, but for rounding."""
        last = np.array(self.shape) - 1.0
        off_middle = np.abs(voxels - last / 2.0)
        inside: npt.NDArray[np.bool_] = np.logical_and.reduce(
            off_middle <= last / 2.0 + _ROUNDING * (1.0 + last), axis=1
        )
        return inside

    def _trilinear(self, voxels: FloatArray) -> FloatArray:
        """Interpolate at voxel coordinates within the grid, shape (n, 3)."""
        low = np.minimum(voxels.astype(np.int64), np.array(self.shape) - 2)
        share = voxels - low
        total = np.zeros((len(voxels), 3))
        for corner in np.ndindex(2, 2, 2):
            weight = np.where(corner, share, 1.0 - share).prod(axis=1)
            at = low + corner
            total += weight[:, None] * self.values[at[:, 0], at[:, 1], at[:, 2]]
        return total

    def transformed(self, matrix: npt.ArrayLike) -> PotentialGrid:
        """Return the grid moved with its coil: nodes and vectors turn together.

        Parameters
        ----------
        matrix : array_like, shape (4, 4)
            Rigid motion in the coil's frame (mm).

        Returns
        -------
        PotentialGrid

        Raises
        ------
        ValueError
            If the matrix is no rigid motion, see `meshes.Pose`.
        """
        motion = Pose(np.asarray(matrix, dtype=np.float64)).matrix
        return PotentialGrid(self.values @ motion[:3, :3].T, motion @ self.affine)

    def scaled(self, factor: float) -> PotentialGrid:
        """Return the grid with its potential multiplied by a number that is not zero."""
        return PotentialGrid(float(factor) * self.values, self.affine)


def _checked_values(values: npt.ArrayLike) -> FloatArray:
    """Return a C-contiguous float64 copy of a grid's values, or raise."""
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "fiu":
            raise TypeError
        array = np.array(array, dtype=np.float64, order="C")
    except (TypeError, ValueError):
        raise ValueError(f"values must be an array of real numbers; got {type(values).__name__}.") from None
    if array.ndim != 4 or array.shape[3] != 3:
        raise ValueError(f"values must be an array of shape (nx, ny, nz, 3); got shape {array.shape}.")
    if min(array.shape[:3]) < 2:
        raise ValueError(f"values must have at least 2 nodes along each axis; got shape {array.shape}.")
    bad = int(np.count_nonzero(~np.isfinite(array).all(axis=3)))
    if bad:
        raise ValueError(f"values must be finite; got {bad} nodes with NaN or infinity.")
    if not array.any():
        raise ValueError("values must not all be zero; got a grid without a field.")
    return array


def _checked_affine(affine: npt.ArrayLike) -> FloatArray:
    """Return a float64 copy of an affine that maps a grid to space, or raise."""
    try:
        array = np.array(affine, dtype=np.float64, order="C")
    except (TypeError, ValueError):
        raise ValueError(f"affine must be an array of real numbers; got {type(affine).__name__}.") from None
    if array.shape != (4, 4):
        raise ValueError(f"affine must be an array of shape (4, 4); got shape {array.shape}.")
    if not np.isfinite(array).all():
        raise ValueError("affine must be finite; got NaN or infinity.")
    if array[3].tolist() != [0.0, 0.0, 0.0, 1.0]:
        raise ValueError(f"affine must have the last row 0, 0, 0, 1; got {array[3].tolist()}.")
    # Each edge divided by its largest component first, so that the squares neither overflow nor vanish.
    largest = np.abs(array[:3, :3]).max(axis=0)
    edges = array[:3, :3] / np.where(largest > 0.0, largest, 1.0)
    volume = abs(float(np.linalg.det(edges / np.linalg.norm(edges, axis=0)))) if largest.all() else 0.0
    if not volume > _FLAT:
        raise ValueError(
            "affine must span space, three edges of a voxel that lie in no plane; got edges (columns) "
            f"{array[:3, :3].tolist()} mm."
        )
    return array


def _box(extent: FloatArray) -> str:
    return ", ".join(f"{axis} {low:g} to {high:g}" for axis, low, high in zip("xyz", *extent, strict=True)) + " mm"
