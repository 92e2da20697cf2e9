"""Place a coil: a rotation and a shift, checked."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meshes import arrays
from meshes.arrays import FloatArray

__all__ = ["Pose"]

# Navigation systems print three or four decimals, so a rotation read from a file is off by up to about 5e-4.
TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Pose:
    """A rigid motion from the coil's frame to the head's: ``head = matrix @ coil``.

    The coil's frame is that of SimNIBS: origin at the centre of the casing's head side, +z into the head, +y away
    from the handle, right-handed; `matrix` is exchangeable with its ``matsimnibs``.

    Parameters
    ----------
    matrix : array_like, shape (4, 4)
        Columns x, y, z axis and origin (mm); last row (0, 0, 0, 1). A rotation that is off by at most 1e-3, as one
        printed with few digits is, is replaced by the nearest exact rotation.

    Raises
    ------
    ValueError
        If the matrix is not (4, 4) and finite, or scales, shears or reflects; the message says by how much.

    Examples
    --------
    >>> pose = Pose.from_axes(origin=(0, 0, 90), z=(0, 0, -1), y=(0, 1, 0))
    >>> pose.apply([[1, 0, 4]])
    array([[-1.,  0., 86.]])
    """

    matrix: FloatArray

    def __post_init__(self) -> None:
        matrix = np.array(_square(self.matrix), dtype=np.float64, order="C")
        _check_rigid(matrix)
        rotation = matrix[:3, :3]
        if np.abs(rotation.T @ rotation - np.eye(3)).max() > 1e-14:
            left, _, right = np.linalg.svd(rotation)
            matrix[:3, :3] = left @ right
        matrix[3] = (0.0, 0.0, 0.0, 1.0)
        object.__setattr__(self, "matrix", matrix)

    @classmethod
    def from_axes(cls, origin: npt.ArrayLike, z: npt.ArrayLike, y: npt.ArrayLike) -> "Pose":
        """Build the pose whose z axis points along `z` and whose y axis lies as near to `y` as it can.

        Parameters
        ----------
        origin : array_like, shape (3,)
            Where the coil's origin goes (mm).
        z : array_like, shape (3,)
            Direction into the head, of any length.
        y : array_like, shape (3,)
            Direction away from the handle, of any length; its part along `z` is dropped.

        Returns
        -------
        Pose

        Raises
        ------
        ValueError
            If a direction is zero, or the two are parallel to within 1e-6 rad.
        """
        z_axis = arrays.unit_vector(z, "z")
        wanted = arrays.unit_vector(y, "y")
        x_axis = np.cross(wanted, z_axis)
        sine = float(np.linalg.norm(x_axis))
        if sine < 1e-6:
            raise ValueError(
                f"y must not be parallel to z; got y = {wanted.tolist()}, z = {z_axis.tolist()}. "
                "Give a handle direction that is not along the coil's axis."
            )
        x_axis /= sine
        matrix = np.eye(4)
        matrix[:3, 0] = x_axis
        matrix[:3, 1] = np.cross(z_axis, x_axis)
        matrix[:3, 2] = z_axis
        matrix[:3, 3] = arrays.vector(origin, "origin")
        return cls(matrix)

    @property
    def origin(self) -> FloatArray:
        """Position of the coil's origin in the head, ndarray, shape (3,) (mm)."""
        return self.matrix[:3, 3].copy()

    @property
    def rotation(self) -> FloatArray:
        """Rotation from coil to head, ndarray, shape (3, 3); its columns are the axes."""
        return np.ascontiguousarray(self.matrix[:3, :3])

    @property
    def x_axis(self) -> FloatArray:
        """Coil's x axis in the head, ndarray, shape (3,)."""
        return self.matrix[:3, 0].copy()

    @property
    def y_axis(self) -> FloatArray:
        """Coil's y axis in the head, away from the handle, ndarray, shape (3,)."""
        return self.matrix[:3, 1].copy()

    @property
    def z_axis(self) -> FloatArray:
        """Coil's z axis in the head, into the head, ndarray, shape (3,)."""
        return self.matrix[:3, 2].copy()

    def apply(self, points: npt.ArrayLike) -> FloatArray:
        """Return points, shape (n, 3) or (3,) (mm), moved from the coil's frame to the head's, in the same shape."""
        rows = arrays.vectors(points, "points", allow_single=True)
        moved = rows @ self.matrix[:3, :3].T + self.matrix[:3, 3]
        return np.ascontiguousarray(moved.reshape(np.shape(points)))

    def apply_vectors(self, directions: npt.ArrayLike) -> FloatArray:
        """Return vectors, shape (n, 3) or (3,), turned from the coil's frame to the head's, in the same shape."""
        rows = arrays.vectors(directions, "directions", allow_single=True)
        return np.ascontiguousarray((rows @ self.matrix[:3, :3].T).reshape(np.shape(directions)))

    def inverse(self) -> "Pose":
        """Return the motion from head to coil."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.matrix[:3, :3].T
        matrix[:3, 3] = -self.matrix[:3, :3].T @ self.matrix[:3, 3]
        return Pose(matrix)

    def __matmul__(self, other: "Pose") -> "Pose":
        """Return the motion that does `other` first, then this one."""
        return Pose(self.matrix @ other.matrix)


def _square(value: npt.ArrayLike) -> FloatArray:
    try:
        matrix = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"matrix must be an array of numbers, shape (4, 4); got {value!r}.") from None
    if matrix.shape != (4, 4):
        raise ValueError(f"matrix must be an array of shape (4, 4); got shape {matrix.shape}.")
    if not np.isfinite(matrix).all():
        raise ValueError(f"matrix must be finite; got {matrix.tolist()}.")
    return matrix


def _check_rigid(matrix: FloatArray) -> None:
    """Raise `ValueError` unless `matrix` turns and shifts only, to within `TOLERANCE`."""
    if np.abs(matrix[3] - (0.0, 0.0, 0.0, 1.0)).max() > 1e-9:
        raise ValueError(f"matrix must have the last row (0, 0, 0, 1); got {matrix[3].tolist()}. Is it transposed?")
    lengths = np.linalg.norm(matrix[:3, :3], axis=0)
    if np.abs(lengths - 1.0).max() > TOLERANCE:
        listed = ", ".join(f"{length:.6g}" for length in lengths)
        raise ValueError(
            f"matrix must not scale: axes of length 1; got lengths {listed} of the x, y and z axes. "
            "Divide the first three columns by their lengths; the origin stays in mm."
        )
    axes = matrix[:3, :3] / lengths
    cosines = axes.T @ axes
    pairs = {"x-y": cosines[0, 1], "x-z": cosines[0, 2], "y-z": cosines[1, 2]}
    worst = max(pairs, key=lambda pair: abs(pairs[pair]))
    if abs(pairs[worst]) > TOLERANCE:
        angle = float(np.degrees(np.arccos(np.clip(pairs[worst], -1.0, 1.0))))
        raise ValueError(
            f"matrix must not shear: axes at right angles; got {angle:.4g} degrees between the {worst} axes. "
            "Use Pose.from_axes(origin, z, y), which makes them perpendicular."
        )
    determinant = float(np.linalg.det(axes))
    if determinant < 0.0:
        raise ValueError(
            f"matrix must be right-handed, x cross y = z; got determinant {determinant:.6g}. Turn the x axis around."
        )
