"""Hold the parts of a coil: dipoles, casings, and elements that make a field and may move."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from coils.deformation import Motion
from coils.grid import PotentialGrid
from coils.segments import Segments
from meshes import Pose, Surface, arrays
from meshes.arrays import FloatArray

__all__ = ["Casing", "Dipoles", "Element"]


@dataclass(frozen=True, eq=False)
class Dipoles:
    """Magnetic dipoles of an element.

    Parameters
    ----------
    positions : array_like, shape (n, 3)
        Positions (mm).
    moments : array_like, shape (n, 3)
        Moments per ampere (A m^2 per A).

    Raises
    ------
    ValueError
        If there is none, shapes differ or a number is not finite.
    """

    positions: FloatArray
    moments: FloatArray

    def __post_init__(self) -> None:
        positions, moments = arrays.vectors(self.positions, "positions"), arrays.vectors(self.moments, "moments")
        if not len(positions):
            raise ValueError("positions must hold at least one dipole; got none.")
        if len(positions) != len(moments):
            raise ValueError(f"moments must be one per position, {len(positions)}; got {len(moments)}.")
        object.__setattr__(self, "positions", positions)
        object.__setattr__(self, "moments", moments)


@dataclass(frozen=True, eq=False)
class Casing:
    """Housing of a coil or of one of its elements.

    Parameters
    ----------
    surface : Surface
        Closed, normals outward.
    distance_points : array_like, shape (n, 3), optional
        Points that SimNIBS holds off the head when it optimises (mm); kept for files.
    intersection_points : array_like, shape (n, 3), optional
        Points of an older version of the file format (mm); kept for files.

    Raises
    ------
    ValueError
        If the surface is open or turned inside out, or points are not finite.
    """

    surface: Surface
    distance_points: FloatArray | None = None
    intersection_points: FloatArray | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.surface, Surface):
            raise ValueError(f"surface must be a meshes.Surface; got {type(self.surface).__name__}.")
        if not self.surface.is_closed:
            raise ValueError("casing must be a closed surface; got one with open or doubly used edges.")
        if self.surface.volume <= 0.0:
            raise ValueError(
                f"casing must have outward normals, positive volume; got {self.surface.volume:g} mm^3. "
                "Reverse the order of each triangle's vertices."
            )
        for field in ("distance_points", "intersection_points"):
            if getattr(self, field) is not None:
                object.__setattr__(self, field, arrays.vectors(getattr(self, field), field))


@dataclass(frozen=True, eq=False)
class Element:
    """A rigid part of a coil, driven by one stimulator.

    Parameters
    ----------
    sources : Dipoles, Segments or PotentialGrid
        What makes its field, where it is at zero deformation.
    name : str, optional
        Name in messages and files.
    stimulator : int, optional
        Index of its stimulator.
    casing : Casing or Surface, optional
        Its own housing, which moves with it.
    motions : tuple of Motion, optional
        How it moves, the first one first.

    Raises
    ------
    ValueError
        If something is of the wrong kind, or `stimulator` is negative.
    """

    sources: Dipoles | Segments | PotentialGrid
    name: str = ""
    stimulator: int = 0
    casing: Casing | None = None
    motions: tuple[Motion, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.sources, (Dipoles, Segments, PotentialGrid)):
            raise ValueError(
                f"sources must be Dipoles, Segments or a PotentialGrid; got {type(self.sources).__name__}."
            )
        index = self.stimulator
        if isinstance(index, bool) or not isinstance(index, (int, np.integer)) or index < 0:
            raise ValueError(f"stimulator must be an index, 0 or more; got {index!r}.")
        object.__setattr__(self, "stimulator", int(index))
        object.__setattr__(self, "casing", as_casing(self.casing))
        object.__setattr__(self, "motions", tuple(self.motions))
        for motion in self.motions:
            if not isinstance(motion, Motion):
                raise ValueError(f"motions must be a tuple of coils.Motion; got {type(motion).__name__}.")


def as_casing(casing: Casing | Surface | None) -> Casing | None:
    """Return a bare surface as a casing, anything else as it is."""
    return Casing(casing) if isinstance(casing, Surface) else casing


def moved(sources: Dipoles | Segments | PotentialGrid, motion: FloatArray) -> Dipoles | Segments | PotentialGrid:
    """Move sources rigidly; the same object if there is no motion."""
    if np.array_equal(motion, np.eye(4)):
        return sources
    if isinstance(sources, PotentialGrid):
        return sources.transformed(motion)
    pose = Pose(motion)
    if isinstance(sources, Segments):
        return Segments(pose.apply(sources.points), sources.vectors @ pose.rotation.T)
    return Dipoles(pose.apply(sources.positions), sources.moments @ pose.rotation.T)


def joined(wires: Sequence[Segments]) -> Segments:
    """Put current elements into one set."""
    return Segments(np.concatenate([wire.points for wire in wires]), np.concatenate([wire.vectors for wire in wires]))


def sum_of_grids(grids: Sequence[tuple[float, PotentialGrid]], name: str) -> PotentialGrid:
    """Add grids that have the same nodes."""
    first = grids[0][1]
    for _, grid in grids[1:]:
        if grid.values.shape != first.values.shape or not np.array_equal(grid.affine, first.affine):
            raise ValueError(
                f"grids of {name} must have the same nodes to be added; got different ones. "
                "Give its parts as dipoles or current elements, or use `channels` one by one."
            )
    return PotentialGrid(np.sum([weight * grid.values for weight, grid in grids], axis=0), first.affine)


def merged(surfaces: Iterable[Surface], name: str) -> Surface | None:
    """Put casings into one surface, which is closed as they are; where parts overlap so does it."""
    parts = list(surfaces)
    if len(parts) < 2:
        return parts[0] if parts else None
    offsets = np.cumsum([0] + [len(part.vertices) for part in parts[:-1]])
    triangles = [part.triangles + offset for part, offset in zip(parts, offsets, strict=True)]
    return Surface(np.concatenate([part.vertices for part in parts]), np.concatenate(triangles), f"casing of {name}")
