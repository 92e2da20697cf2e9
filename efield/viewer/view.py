"""Look at a scene in parallel projection, so that millimetres keep their length and labels can be placed exactly."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meshes import arrays
from meshes.arrays import FloatArray

__all__ = ["View", "letters", "tangent"]

# The names of the head's axes (RAS), positive and negative.
_NAMES = (("R", "L"), ("A", "P"), ("S", "I"))

# A direction is called after an axis only if it runs along it at least this much (cosine).
_NAMED = 0.45

# A direction is used as "up" only if at least this much of it lies in the picture (sine).
_IN_PICTURE = 0.35


@dataclass(frozen=True, eq=False)
class View:
    """A camera without perspective.

    Parameters
    ----------
    name : str
        Which of the figure's views this is.
    centre : array_like, shape (3,)
        What lies in the middle of the picture (mm).
    towards : array_like, shape (3,)
        Direction from the centre to the eye; any length.
    up : array_like, shape (3,)
        Direction that points up in the picture; its part along `towards` is dropped.
    height : float
        Height of the picture (mm).
    pixels : tuple of int
        Width and height of the picture (pixels).

    Raises
    ------
    ValueError
        If a direction is zero or the two are parallel, or the height is not positive.
    """

    name: str
    centre: FloatArray
    towards: FloatArray
    up: FloatArray
    height: float
    pixels: tuple[int, int]

    def __post_init__(self) -> None:
        towards = arrays.unit_vector(self.towards, "towards")
        object.__setattr__(self, "centre", arrays.vector(self.centre, "centre"))
        object.__setattr__(self, "towards", towards)
        object.__setattr__(self, "up", tangent(self.up, towards))
        object.__setattr__(self, "height", arrays.positive(self.height, "height"))

    @property
    def width(self) -> float:
        """Width of the picture (mm)."""
        return self.height * self.pixels[0] / self.pixels[1]

    @property
    def right(self) -> FloatArray:
        """Direction that points right in the picture, ndarray, shape (3,)."""
        return np.cross(self.up, self.towards)

    def project(self, points: npt.ArrayLike) -> FloatArray:
        """Return where points, shape (n, 3) (mm), appear: (n, 2), right and up of the picture's middle (mm)."""
        offset = arrays.vectors(points, "points", allow_single=True) - self.centre
        return np.column_stack([offset @ self.right, offset @ self.up])


def tangent(direction: npt.ArrayLike, normal: npt.ArrayLike) -> FloatArray:
    """Return the part of a direction that is perpendicular to a unit normal, as a unit vector."""
    vector = arrays.unit_vector(direction, "direction")
    axis = arrays.unit_vector(normal, "normal")
    return arrays.unit_vector(vector - (vector @ axis) * axis, "direction across the normal")


def upright(towards: npt.ArrayLike) -> FloatArray:
    """Choose "up" for a look at the scalp: anterior, or superior where anterior points out of the picture.

    Parameters
    ----------
    towards : array_like, shape (3,)
        Direction to the eye.

    Returns
    -------
    ndarray, shape (3,)
        Unit vector in the picture.
    """
    axis = arrays.unit_vector(towards, "towards")
    anterior, superior = np.eye(3)[1], np.eye(3)[2]
    return tangent(anterior if np.sqrt(1.0 - axis[1] ** 2) > _IN_PICTURE else superior, axis)


def letters(direction: npt.ArrayLike) -> str:
    """Name a direction in the head by letters, the strongest first.

    Examples
    --------
    >>> letters([0, 1, 0]), letters([-0.7, 0, 0.6])
    ('A', 'LS')
    """
    vector = arrays.unit_vector(direction, "direction")
    order = np.argsort(-np.abs(vector), kind="stable")
    return "".join(_NAMES[axis][int(vector[axis] < 0.0)] for axis in order if abs(vector[axis]) >= _NAMED)
