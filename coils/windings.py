"""Describe one wing's winding: concentric circular turns of rectangular wire in one or more layers."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from coils.coil import Wire
from coils.potential import turn_potential
from meshes import Pose, arrays
from meshes.arrays import FloatArray

__all__ = ["Winding", "Wing"]

# Corners of the polygon that stands for a circular turn in `Wing.wires`. With the polygon's area made equal to the
# circle's, its field 10 mm away is the circle's to better than 1e-6.
_CORNERS = 144

# Lack of room between the two edges (mm) that counts as rounding of the published sizes: the nine turns of 1.75 mm of
# the Magstim 70 mm coil need 15.75 mm, its diameters of 56 and 87 mm leave 15.5. The turns then overlap evenly.
_ROOM = 0.5

# Greater diameters (mm) are in another unit; casings and dipoles of such would fill the memory.
_GREATEST = 2000.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Winding:
    """Concentric circular turns of rectangular wire, evenly spaced from the inner to the outer edge.

    The winding's own frame has the turns around the z axis, the head-side face at z = 0 and the wire at z < 0; positive
    current runs counter-clockwise about +z, so that the moment points to +z.

    Parameters
    ----------
    inner_diameter, outer_diameter : float
        Diameters of the innermost turn's inner edge and of the outermost turn's outer edge (mm).
    turns : int
        Turns per layer.
    wire_width, wire_height : float
        Cross-section of the wire, radial and axial (mm); current density is uniform over it.
    layers : int, optional
        Layers stacked along the axis, connected in series.
    layer_gap : float, optional
        Distance between the wires of neighbouring layers (mm).

    Raises
    ------
    ValueError
        If a size is not positive or the turns do not fit between the two diameters, by more than 0.5 mm.

    Notes
    -----
    The model of Deng, Lisanby and Peterchev, Brain Stimul 2013;6:1-13: a spiral's pitch and the leads are left out.

    Examples
    --------
    >>> Winding(inner_diameter=52, outer_diameter=88, turns=9, wire_width=1, wire_height=7).moment.round(5)
    np.float64(0.03549)
    """

    inner_diameter: float
    outer_diameter: float
    turns: int
    wire_width: float
    wire_height: float
    layers: int = 1
    layer_gap: float = 0.0

    def __post_init__(self) -> None:
        for name in ("inner_diameter", "outer_diameter", "wire_width", "wire_height"):
            object.__setattr__(self, name, arrays.positive(getattr(self, name), name))
        object.__setattr__(self, "layer_gap", arrays.non_negative(self.layer_gap, "layer_gap"))
        for name in ("turns", "layers"):
            object.__setattr__(self, name, _count(getattr(self, name), name))
        room = (self.outer_diameter - self.inner_diameter) / 2.0
        needed = self.turns * self.wire_width
        if self.outer_diameter > _GREATEST:
            raise ValueError(
                f"outer_diameter must be at most {_GREATEST:g} mm; got {self.outer_diameter:g} mm. Give millimetres."
            )
        if room <= 0.0:
            raise ValueError(
                f"outer_diameter must be greater than inner_diameter, {self.inner_diameter:g} mm; "
                f"got {self.outer_diameter:g} mm."
            )
        if needed > room + _ROOM:
            raise ValueError(
                f"turns times wire_width must be at most {room:g} mm, the room between the diameters; "
                f"got {needed:g} mm. Use fewer turns, thinner wire or more layers."
            )
        if self.turns == 1 and abs(needed - room) > _ROOM:
            raise ValueError(
                f"wire_width must be {room:g} mm for a single turn, which fills the room between the diameters; "
                f"got {self.wire_width:g} mm."
            )

    @cached_property
    def radii(self) -> FloatArray:
        """Radii of the turns' centre lines, ndarray, shape (turns,) (mm)."""
        half = self.wire_width / 2.0
        edges = self.inner_diameter / 2.0 + half, self.outer_diameter / 2.0 - half
        if self.turns == 1:
            return np.array([sum(edges) / 2.0])
        return np.asarray(np.linspace(*edges, self.turns), dtype=np.float64)

    @property
    def height(self) -> float:
        """Axial extent of all layers (mm)."""
        return self.layers * self.wire_height + (self.layers - 1) * self.layer_gap

    @cached_property
    def layer_centres(self) -> FloatArray:
        """Axial positions of the layers' mid planes, head side first, ndarray, shape (layers,) (mm)."""
        index = np.arange(self.layers, dtype=np.float64)
        return -self.wire_height / 2.0 - index * (self.wire_height + self.layer_gap)

    @cached_property
    def moment(self) -> float:
        """Magnetic moment per ampere (A m^2 per A): the area that all turns enclose."""
        area = np.pi * np.sum(self.radii**2 + self.wire_width**2 / 12.0)
        return self.layers * area * 1e-6

    def filaments(self, radial: int, axial: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Cut each turn into thin filaments at the Gauss points of the wire's cross-section.

        Parameters
        ----------
        radial, axial : int
            Number of Gauss points in the two directions.

        Returns
        -------
        radius, z, share : ndarray, shape (layers * turns * radial * axial,)
            Radius and axial position (mm) of each filament, and the part of the coil's current that it carries.
        """
        node, weight = np.polynomial.legendre.leggauss(radial)
        radius = (self.radii[:, None] + self.wire_width / 2.0 * node).ravel()
        radius_share = np.tile(weight / 2.0, self.turns)
        node, weight = np.polynomial.legendre.leggauss(axial)
        z = (self.layer_centres[:, None] + self.wire_height / 2.0 * node).ravel()
        z_share = np.tile(weight / 2.0, self.layers)
        return np.tile(radius, len(z)), np.repeat(z, len(radius)), np.outer(z_share, radius_share).ravel()

    def gauss_points(self) -> tuple[int, int]:
        """Return how many filaments (radial, axial) give the wire's field to 1e-6 at 10 mm: 2 to 7 each way."""
        limits = (3.0, 8.0, 12.0, 14.0, 16.0)
        radial, axial = (2 + sum(size > limit for limit in limits) for size in (self.wire_width, self.wire_height))
        return radial, axial


@dataclass(frozen=True, eq=False)
class Wing:
    """A winding at its place in the coil.

    Parameters
    ----------
    winding : Winding
        The turns.
    pose : Pose
        Winding frame -> coil frame.
    sense : int
        +1 when positive coil current runs counter-clockwise about the wing's z axis, -1 when clockwise.
    dome : float, optional
        How far the dipoles in the winding's opening stand back from it (mm), see `coils.domes`; 0 for a flat disc of
        dipoles. The winding itself, `potential` and `wires` are the same for any dome.
    """

    winding: Winding
    pose: Pose
    sense: int
    dome: float = 0.0

    def potential(self, points: FloatArray) -> FloatArray:
        """Compute the exact vector potential of the wing's filaments, shape (n_points, 3); see `coils.potential`."""
        local = self.pose.inverse().apply(points)
        distance = np.hypot(local[:, 0], local[:, 1])
        total = np.zeros(len(local))
        for radius, z, share in zip(*self.winding.filaments(*self.winding.gauss_points()), strict=True):
            total += share * turn_potential(distance, local[:, 2] - z, radius)
        along = np.divide(self.sense * total, distance, out=np.zeros_like(total), where=distance > 0.0)
        circling = np.column_stack([-local[:, 1] * along, local[:, 0] * along, np.zeros_like(along)])
        return self.pose.apply_vectors(circling)

    def wires(self) -> tuple[Wire, ...]:
        """Return the filaments as closed polylines in the coil frame, each with the part of a turn it stands for."""
        angle = self.sense * 2.0 * np.pi * np.arange(_CORNERS) / _CORNERS
        circle = np.column_stack([np.cos(angle), np.sin(angle), np.zeros(_CORNERS)])
        step = 2.0 * np.pi / _CORNERS
        circle *= np.sqrt(step / np.sin(step))  # a polygon of the circle's area, hence of its moment
        wires = []
        for radius, z, share in zip(*self.winding.filaments(*self.winding.gauss_points()), strict=True):
            path = self.pose.apply(radius * circle + np.array([0.0, 0.0, z]))
            wires.append(Wire(path=path, turns=float(share)))
        return tuple(wires)


def _count(value: int, name: str) -> int:
    number = arrays.positive(value, name)
    if number != int(number):
        raise ValueError(f"{name} must be a whole number; got {value!r}.")
    return int(number)
