"""Hold a coil: its dipoles, wires, casing and limits, in its own frame."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from coils.potential import dipole_potential, element_potential
from coils.segments import Segments
from meshes import Surface, arrays
from meshes.arrays import FloatArray

if TYPE_CHECKING:
    from coils.assembly import Assembly
    from coils.grid import PotentialGrid
    from coils.stimulators import Stimulator

__all__ = ["Coil", "Wire"]

# `current_direction` is asked for this far under the origin (mm), about the depth of the cortex.
_DEPTH = 20.0

# Under the centre of a circular coil the contributions of its dipoles cancel; less than this share of their sum of
# lengths is the noise of a measured or slightly tilted winding, and no direction.
_CANCELLED = 0.1


@dataclass(frozen=True, eq=False)
class Wire:
    """A closed thin wire.

    Parameters
    ----------
    path : array_like, shape (n_corners, 3)
        Corners in the direction of positive current (mm, coil frame); the last is joined to the first.
    turns : float, optional
        Current in the wire per current in the coil: more than 1 for a bundle of turns, less than 1 for one of several
        filaments that stand for the cross-section of one turn.

    Raises
    ------
    ValueError
        If the path has fewer than 3 corners or is not finite, or `turns` is not positive.
    """

    path: FloatArray
    turns: float = 1.0

    def __post_init__(self) -> None:
        path = arrays.vectors(self.path, "path")
        if len(path) < 3:
            raise ValueError(f"path must be a closed wire of at least 3 corners; got {len(path)}.")
        object.__setattr__(self, "path", path)
        object.__setattr__(self, "turns", arrays.positive(self.turns, "turns"))

    @cached_property
    def moment(self) -> FloatArray:
        """Magnetic moment per ampere of coil current, ndarray, shape (3,) (A m^2 per A)."""
        corners = self.path - self.path.mean(axis=0)
        moment: FloatArray = 0.5e-6 * self.turns * np.cross(corners, np.roll(corners, -1, axis=0)).sum(axis=0)
        return moment


@dataclass(frozen=True, eq=False, kw_only=True)
class Coil:
    """A coil as the solvers see it, in its own frame.

    The frame is that of SimNIBS: origin at the centre of the casing's head side, +z into the head, +y away from the
    handle, right-handed; so the windings are at z < 0 (a bent coil's wings reach to z > 0 at the sides).

    Parameters
    ----------
    positions : array_like, shape (n_dipoles, 3), optional
        Positions of the dipoles (mm).
    moments : array_like, shape (n_dipoles, 3), optional
        Their moments for one ampere of coil current (A m^2 per A).
    name : str
        Name in messages, summaries and files.
    segments : Segments, optional
        Current elements. The coil's field is the sum of that of its dipoles, its current elements and its grid; at
        least one of the three must be given.
    grid : PotentialGrid, optional
        Vector potential on a grid.
    casing : Surface, optional
        Closed surface of the housing, normals outward; without it placements cannot check for collision.
    max_didt : float, optional
        Greatest rate of change of the current that the named stimulator reaches (A/s); by default that of `stimulator`.
    stimulator : Stimulator, optional
        What drives the coil.
    handle : array_like, shape (3,), optional
        Direction in which the handle leaves; any length.
    wires : tuple of Wire, optional
        The windings as closed polylines, for line integrals without dipoles.
    discretisation_error : float, optional
        How far the dipoles are from the windings; see `coils.dipoles.dipole_error`.
    source : str, optional
        Where the geometry and the limits come from.
    assembly : Assembly, optional
        The parts, deformations and stimulators that this coil is made of; see `deform`, `channels` and `driven`.

    Raises
    ------
    ValueError
        If there is no source of a field, shapes differ, a number is not finite, all sources are zero, the casing is
        open or turned inside out, `max_didt` is not positive or `handle` is zero.

    Examples
    --------
    >>> coil = Coil(positions=[[0, 0, -10]], moments=[[0, 0, 0.04]], name="one dipole")
    >>> coil.n_dipoles
    1
    """

    # Not set read-only: numba compiles every kernel a second time for read-only arrays.
    positions: FloatArray = ()  # type: ignore[assignment]  # converted in __post_init__
    moments: FloatArray = ()  # type: ignore[assignment]  # converted in __post_init__
    name: str
    segments: Segments | None = None
    grid: PotentialGrid | None = None
    casing: Surface | None = None
    max_didt: float | None = None
    stimulator: Stimulator | None = None
    handle: FloatArray = (0.0, -1.0, 0.0)  # type: ignore[assignment]  # converted in __post_init__
    wires: tuple[Wire, ...] = ()
    discretisation_error: float | None = None
    source: str = ""
    assembly: Assembly | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise ValueError(f"name must be a text that is not empty; got {self.name!r}.")
        positions, moments = (
            np.zeros((0, 3)) if np.size(value) == 0 else arrays.vectors(value, name)
            for value, name in ((self.positions, "positions"), (self.moments, "moments"))
        )
        if not len(positions) and self.segments is None and self.grid is None:
            raise ValueError("positions must hold at least one dipole; got none.")
        if len(positions) != len(moments):
            raise ValueError(f"moments must be one per position, {len(positions)}; got {len(moments)}.")
        if self.segments is not None and not isinstance(self.segments, Segments):
            raise ValueError(f"segments must be a coils.Segments or None; got {type(self.segments).__name__}.")
        self._check_parts()
        if self.segments is None and self.grid is None and not moments.any():
            raise ValueError("moments must not all be zero; got a coil without a field.")
        object.__setattr__(self, "positions", positions)
        object.__setattr__(self, "moments", moments)
        object.__setattr__(self, "handle", arrays.unit_vector(self.handle, "handle"))
        self._check_casing()
        if self.max_didt is None and self.stimulator is not None:
            object.__setattr__(self, "max_didt", self.stimulator.max_didt)
        if self.max_didt is not None:
            object.__setattr__(self, "max_didt", arrays.positive(self.max_didt, "max_didt"))
        if self.discretisation_error is not None:
            error = arrays.non_negative(self.discretisation_error, "discretisation_error")
            object.__setattr__(self, "discretisation_error", error)
        wires = self.wires if isinstance(self.wires, (tuple, list)) else (self.wires,)
        for wire in wires:
            if not isinstance(wire, Wire):
                raise ValueError(f"wires must be a tuple of coils.Wire; got {type(wire).__name__}.")
        object.__setattr__(self, "wires", tuple(wires))

    def _check_parts(self) -> None:
        """Refuse parts of another kind; the classes are imported here, since some of them import this one."""
        from coils.assembly import Assembly
        from coils.grid import PotentialGrid
        from coils.stimulators import Stimulator

        for name, kind in (("grid", PotentialGrid), ("stimulator", Stimulator), ("assembly", Assembly)):
            value = getattr(self, name)
            if value is not None and not isinstance(value, kind):
                raise ValueError(f"{name} must be a coils.{kind.__name__} or None; got {type(value).__name__}.")

    def _check_casing(self) -> None:
        if self.casing is None:
            return
        if not isinstance(self.casing, Surface):
            raise ValueError(f"casing must be a meshes.Surface or None; got {type(self.casing).__name__}.")
        if not self.casing.is_closed:
            raise ValueError("casing must be a closed surface; got one with open or doubly used edges.")
        if self.casing.volume <= 0.0:
            raise ValueError(
                f"casing must have outward normals, positive volume; got {self.casing.volume:g} mm^3. "
                "Reverse the order of each triangle's vertices."
            )

    def __repr__(self) -> str:
        return f"Coil({self.name!r}, {self._contents()})"

    def _contents(self) -> str:
        parts = [f"{self.n_dipoles} dipoles"] if self.n_dipoles else []
        if self.segments is not None:
            parts.append(f"{len(self.segments)} current elements")
        if self.grid is not None:
            parts.append("a grid")
        return ", ".join(parts)

    def potential(self, points: FloatArray) -> FloatArray:
        """Compute the vector potential for one ampere of coil current, divided by mu0 / 4 pi.

        Parameters
        ----------
        points : array_like, shape (n, 3)
            Points in the coil's frame (mm).

        Returns
        -------
        ndarray, shape (n, 3)
            A pure number: lengths cancel, see `coils.potential`. Not finite where a dipole or an element lies.

        Raises
        ------
        ValueError
            If `points` is no such array or not finite, or the coil has a grid and a point lies outside it.
        """
        points = arrays.vectors(points, "points")
        total = np.zeros(points.shape)
        if len(self.positions):
            total += dipole_potential(points, self.positions, 1e6 * self.moments)
        if self.segments is not None:
            total += element_potential(points, self.segments.points, self.segments.vectors)
        if self.grid is not None:
            total += 1e7 * self.grid.potential(points)
        return total

    @property
    def channels(self) -> tuple[Coil, ...]:
        """One coil per stimulator, each with the sources that it alone drives; just this coil if there is only one."""
        return (self,) if self.assembly is None else self.assembly.channels()

    def deform(self, **settings: float) -> Coil:
        """Return the coil with deformations set anew.

        Parameters
        ----------
        **settings : float
            Value of each deformation by name (mm or degrees), see ``coil.assembly.deformations``; those that are not
            named keep theirs.

        Returns
        -------
        Coil

        Raises
        ------
        ValueError
            If the coil has no deformation of that name, or a value is outside its range.
        """
        if self.assembly is None:
            raise ValueError(f"settings must name deformations of {self.name}; got a rigid coil, which has none.")
        return self.assembly.deformed(settings).coil()

    def driven(self, didt: Sequence[float]) -> Coil:
        """Return one coil that stands for all stimulators at their own rates of change.

        Parameters
        ----------
        didt : sequence of float
            Rate of change of each stimulator's current (A/s), in the order of `channels`.

        Returns
        -------
        Coil
            Its field at ``didt=1e6`` is the superposition.

        Raises
        ------
        ValueError
            If there are not as many numbers as channels, one is not finite, or all are zero.
        """
        if self.assembly is None:
            raise ValueError(
                f"didt is for coils of several stimulators; got {self.name}, which has one. Use didt= of solve."
            )
        return self.assembly.driven(didt)

    @property
    def n_dipoles(self) -> int:
        """Number of dipoles."""
        return len(self.positions)

    @cached_property
    def current_direction(self) -> FloatArray:
        """Direction of the induced field for rising positive current, ndarray, shape (3,), unit length.

        Of -dA/dt in free space, 20 mm below the origin on the z axis. Where the dipoles' contributions cancel there, as
        under a circular coil, it is taken at the same depth on the +x side, where the field is greatest.

        Raises
        ------
        ValueError
            If the field vanishes there too, so that the coil has no such direction, or its grid does not reach there.
        """
        centre = np.array([[0.0, 0.0, _DEPTH]])
        field = -self.potential(centre)[0]
        if self._cancels(field, centre[0]):
            fields = self._fields_beside()
            field = fields[np.linalg.norm(fields, axis=1).argmax()] if len(fields) else field
        if not field.any():
            raise ValueError(f"current_direction must exist; got no field below {self.name}, neither centre nor side.")
        return arrays.unit_vector(field, "current_direction")

    def _cancels(self, field: FloatArray, centre: FloatArray) -> bool:
        """Tell whether the contributions to the field at the centre cancel there, so that its direction is noise."""
        strength = float(np.linalg.norm(field))
        if self.grid is None:
            return strength < _CANCELLED * self._sum_of_lengths(centre)
        # The contributions to a grid are not known: what is beside stands for them.
        beside = np.linalg.norm(self._fields_beside(), axis=1)
        return strength < _CANCELLED * float(beside.max(initial=0.0))

    def _fields_beside(self) -> FloatArray:
        """Compute the field 1 to 200 mm beside the centre on the +x side, where it is known and no source is near."""
        x = np.arange(1.0, 201.0)
        side = np.column_stack([x, np.zeros_like(x), np.full_like(x, _DEPTH)])
        sources = self.positions if self.segments is None else np.vstack([self.positions, self.segments.points])
        if len(sources):
            side = side[np.linalg.norm(side[:, None] - sources, axis=2).min(axis=1) >= _DEPTH / 2.0]
        if self.grid is not None:
            side = side[self.grid.contains(side)]
        return -self.potential(side)

    def _sum_of_lengths(self, point: FloatArray) -> float:
        """Sum the lengths of what dipoles and current elements contribute to the potential at a point."""
        offset = point - self.positions
        lengths = 1e6 * np.linalg.norm(np.cross(self.moments, offset), axis=1) / np.linalg.norm(offset, axis=1) ** 3
        total = float(lengths.sum())
        if self.segments is not None:
            distance = np.linalg.norm(point - self.segments.points, axis=1)
            total += float((np.linalg.norm(self.segments.vectors, axis=1) / distance).sum())
        return total

    @cached_property
    def wing_moments(self) -> tuple[FloatArray, FloatArray]:
        """Sums of the moments at x > 0 (right wing) and at x < 0 (left), two ndarray, shape (3,) (A m^2 per A)."""
        x = self.positions[:, 0]
        return self.moments[x > 0.0].sum(axis=0), self.moments[x < 0.0].sum(axis=0)

    @cached_property
    def checksum(self) -> str:
        """SHA-256, hexadecimal, of all that enters a result: dipoles, handle and casing; not the name."""
        digest = hashlib.sha256(f"coil {self.n_dipoles} ".encode())
        for array in (self.positions, self.moments, self.handle):
            digest.update(array.astype("<f8", copy=False).tobytes())
        digest.update(self.casing.checksum.encode() if self.casing is not None else b"no casing")
        if self.segments is not None:
            digest.update(f"segments {len(self.segments)} ".encode())
            for array in (self.segments.points, self.segments.vectors):
                digest.update(array.astype("<f8", copy=False).tobytes())
        if self.grid is not None:
            digest.update(self.grid.checksum.encode())
        return digest.hexdigest()

    def _direction_text(self) -> str:
        try:
            # Where it is taken belongs to the sign: on the other side of a circular coil it is the opposite.
            centre = np.array([0.0, 0.0, _DEPTH])
            beside = self._cancels(-self.potential(centre[None])[0], centre)
            place = ", under the +x side; none under the centre" if beside else ""
            return f"{_text(self.current_direction)}  (of the induced E, rising current{place})"
        except ValueError:
            return f"unknown, as no field is known {_DEPTH:g} mm below the origin"

    def summary(self) -> str:
        """Return a text of several lines: handle, direction of the induced field, moments, dipoles and limits."""
        lines = [
            self.name,
            f"  handle             {_text(self.handle)}",
            f"  current_direction  {self._direction_text()}",
            *self._moments(),
            f"  sources            {self._contents()}",
            f"  discretisation     {_error(self.discretisation_error)}",
            f"  max dI/dt          {self._limit_text()}",
            f"  casing             {_size(self.casing)}",
        ]
        lines += self._settings()
        if self.source:
            lines.append(f"  source             {self.source}")
        return "\n".join(lines)

    def _limit_text(self) -> str:
        if self.max_didt is None:
            return "unknown"
        named = self.stimulator is not None and (self.stimulator.name or self.stimulator.brand)
        label = f" ({self.stimulator.label})" if self.stimulator is not None and named else ""
        return f"{self.max_didt / 1e6:.2f} A/us{label}"

    def _moments(self) -> list[str]:
        """Return the lines on the moments of wings of dipoles and of all current elements."""
        lines = []
        if self.n_dipoles:
            right, left = self.wing_moments
            lines += [f"  moment at x > 0    {_moment(right)}", f"  moment at x < 0    {_moment(left)}"]
        if self.segments is not None:
            parts = 0.5e-6 * np.cross(self.segments.points - self.segments.points.mean(axis=0), self.segments.vectors)
            moment = parts.sum(axis=0)
            # The rest that two opposed wings leave has a direction of no meaning.
            left = np.linalg.norm(moment) > 1e-3 * np.linalg.norm(parts, axis=1).sum()
            lines.append(f"  moment of elements {_moment(moment) if left else 'none: the wings cancel'}")
        return lines

    def _settings(self) -> list[str]:
        """Return the lines on stimulators and deformations of a coil of several parts."""
        if self.assembly is None:
            return []
        lines = []
        if len(self.channels) > 1:
            lines.append(f"  stimulators        {len(self.channels)}, all at the same dI/dt unless driven; of each:")
            lines += [f"    {k}                {c._direction_text()}" for k, c in enumerate(self.channels, 1)]
        for d in self.assembly.deformations:
            lines.append(f"  {d.name:<18} {d.value:g} ({d.range[0]:g} to {d.range[1]:g})")
        return lines


def _text(vector: FloatArray) -> str:
    # Adding 0.0 turns a rounded -0.0 into 0.0.
    return "({:+.2f}, {:+.2f}, {:+.2f})".format(*(np.round(vector, 2) + 0.0))


def _moment(moment: FloatArray) -> str:
    length = float(np.linalg.norm(moment))
    digits = f"{length:.5f}" if length >= 1e-4 else f"{length:.3g}"
    return f"{digits} A m^2 per A along {_text(moment / length)}" if length > 0.0 else "none"


def _error(error: float | None) -> str:
    return "error unknown" if error is None else f"error {100.0 * error:.2g} % of the peak, 10 mm below the winding"


def _size(casing: Surface | None) -> str:
    if casing is None:
        return "none"
    return "{:.0f} x {:.0f} x {:.0f} mm".format(*np.ptp(casing.vertices, axis=0))
