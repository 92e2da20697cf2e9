"""Deform a coil: named parameters with ranges, and the rigid motions that they drive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from meshes import arrays
from meshes.arrays import FloatArray

__all__ = ["Deformation", "Motion"]

_KINDS = ("x", "y", "z", "rotation")


@dataclass(frozen=True, eq=False)
class Deformation:
    """A parameter of a flexible coil: one number that moves one or several of its parts.

    Parameters
    ----------
    name : str
        Name by which ``coil.deform(name=value)`` sets it, a valid Python identifier.
    range : (float, float)
        Least and greatest value (mm or degrees).
    value : float, optional
        Present value; 0 by default.

    Raises
    ------
    ValueError
        If the name is no identifier, the range is not ascending and finite, or the value is outside it.

    Examples
    --------
    >>> Deformation("bend", range=(0, 60)).set_to(30).value
    30.0
    """

    name: str
    range: tuple[float, float]
    value: float = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise ValueError(f"name must be a Python identifier, such as wing_angle; got {self.name!r}.")
        if np.ndim(self.range) != 1 or len(self.range) != 2:
            raise ValueError(f"range of {self.name} must be two numbers, least and greatest; got {self.range!r}.")
        least, greatest = (_finite(value, f"range of {self.name}") for value in self.range)
        if least > greatest:
            raise ValueError(f"range of {self.name} must be ascending; got {least:g} to {greatest:g}. Swap them.")
        object.__setattr__(self, "range", (least, greatest))
        value = _finite(self.value, self.name)
        if not least <= value <= greatest:
            raise ValueError(f"{self.name} must be from {least:g} to {greatest:g}, its range; got {value:g}.")
        object.__setattr__(self, "value", value)

    def set_to(self, value: float) -> Deformation:
        """Return the deformation at another value (mm or degrees); raise `ValueError` outside its range."""
        return Deformation(self.name, self.range, value)


@dataclass(frozen=True, eq=False)
class Motion:
    """A rigid motion driven by a deformation.

    Parameters
    ----------
    deformation : str
        Name of the deformation whose value is the shift or angle. Motions of the same name move together.
    kind : {"x", "y", "z", "rotation"}
        Shift along an axis of the coil's frame by the value in mm, or a turn by the value in degrees.
    axis : array_like, shape (2, 3), optional
        For a rotation two points of its axis (mm); it turns right-handed about the direction from the first to the
        second.

    Raises
    ------
    ValueError
        If the kind is unknown, a rotation has no axis or one without direction, or a shift has one.

    Examples
    --------
    >>> import numpy as np
    >>> quarter = Motion("bend", "rotation", axis=[[0, 0, 0], [0, 0, 1]]).matrix(90)
    >>> np.round(quarter @ [1, 0, 0, 1], 12) + 0.0
    array([0., 1., 0., 1.])
    """

    deformation: str
    kind: str
    axis: FloatArray | None = None

    def __post_init__(self) -> None:
        arrays.choice(self.kind, "kind", _KINDS)
        if self.kind != "rotation":
            if self.axis is not None:
                raise ValueError(f"axis must be None for a shift along {self.kind}; got one. Rotations have axes.")
            return
        if self.axis is None:
            raise ValueError("axis must be two points for a rotation; got None.")
        axis = arrays.vectors(self.axis, "axis")
        if len(axis) != 2:
            raise ValueError(f"axis must be two points; got {len(axis)}.")
        if np.array_equal(axis[0], axis[1]):
            raise ValueError(f"axis must be two different points; got {axis[0].tolist()} twice.")
        object.__setattr__(self, "axis", axis)

    def matrix(self, value: float) -> FloatArray:
        """Return the motion at a value (mm or degrees) as ndarray, shape (4, 4), of positions in mm.

        Notes
        -----
        Rodrigues' formula, R = cos I + sin [u]x + (1 - cos) u u^T.
        """
        matrix = np.eye(4)
        if self.axis is None:
            matrix["xyz".index(self.kind), 3] = value
            return matrix
        u = arrays.unit_vector(self.axis[1] - self.axis[0], "axis")
        sine, cosine = np.sin(np.radians(value)), np.cos(np.radians(value))
        cross = np.array([[0.0, -u[2], u[1]], [u[2], 0.0, -u[0]], [-u[1], u[0], 0.0]])
        matrix[:3, :3] = cosine * np.eye(3) + sine * cross + (1.0 - cosine) * np.outer(u, u)
        matrix[:3, 3] = self.axis[0] - matrix[:3, :3] @ self.axis[0]
        return matrix


def total_motion(motions: Sequence[Motion], values: dict[str, float]) -> FloatArray:
    """Chain motions, the first one first: D_n ... D_1, each axis where it stands in the undeformed coil's frame.

    Parameters
    ----------
    motions : sequence of Motion
        In the order of application.
    values : dict
        Value of each deformation by name (mm or degrees).

    Returns
    -------
    ndarray, shape (4, 4)
    """
    total = np.eye(4)
    for motion in motions:
        # Skipped at zero, so that an undeformed coil keeps the bits of its file.
        if values[motion.deformation] != 0.0:
            total = motion.matrix(values[motion.deformation]) @ total
    return total


def _finite(value: float, name: str) -> float:
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a number; got {value!r}.") from None
    if not np.isfinite(number):
        raise ValueError(f"{name} must be finite; got {number!r}.")
    return number
