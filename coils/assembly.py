"""Put a coil together from parts: elements, deformations, stimulators and casings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import numpy as np

from coils.circuits import close_parts, fault
from coils.coil import Coil
from coils.deformation import Deformation, Motion, total_motion
from coils.elements import Casing, Dipoles, Element, as_casing, joined, merged, moved, sum_of_grids
from coils.grid import PotentialGrid
from coils.segments import Segments
from coils.stimulators import Stimulator
from meshes import Surface, arrays
from meshes.arrays import FloatArray

__all__ = ["Assembly", "Casing", "Deformation", "Dipoles", "Element", "Motion"]

# Rate of change (A/s) at which a coil of weighted stimulators has the field of `Assembly.driven`; the solvers' default.
_UNIT_DIDT = 1e6


@dataclass(frozen=True, eq=False, kw_only=True)
class Assembly:
    """A coil in parts, some of which may move or have stimulators of their own.

    Parameters
    ----------
    name : str
        Name of the coil.
    elements : sequence of Element
        Its parts, in the coil's frame at zero deformation.
    deformations : sequence of Deformation, optional
        Their parameters, at their present values.
    stimulators : sequence of Stimulator, optional
        What drives them; by default nameless ones, as many as the elements ask for.
    casing : Casing or Surface, optional
        The part of the housing that does not move.
    groups : sequence of sequences of int, optional
        Parts whose casings must not meet: 0 for the coil's casing, i + 1 for that of element i.
    close_circuits : bool, optional
        Whether open wires are closed by straight leads, and points at the ends of current elements moved to their
        middles; see `coils.circuits`. False takes them as they stand: the result then is no field of a real coil, and
        the solver's is wrong by an unknown amount.
    brand, version : str, optional
        Kept for files.
    limits : array_like, shape (3, 2), optional
        Box of a grid that stands for the coil (mm); kept for files.
    resolution : array_like, shape (3,), optional
        Spacing of that grid (mm); kept for files.
    handle : array_like, shape (3,), optional
        Direction in which the handle leaves.
    source : str, optional
        Where the geometry comes from.
    spare_motions, spare_casings : tuple, optional
        What no element uses; kept for files.

    Raises
    ------
    ValueError
        If there is no element, names of deformations repeat, or something refers to what is not there.

    Examples
    --------
    A figure-of-eight whose wings bend towards the head:

    >>> import coils
    >>> flat = coils.figure_of_eight(inner_diameter=56, outer_diameter=87, turns=9)
    >>> wings = []
    >>> for side, far in ((1, -1), (-1, 1)):  # the axis runs along -y for the right wing
    ...     own = side * flat.positions[:, 0] > 0
    ...     turn = Motion("bend", "rotation", axis=[[0, 0, -3], [0, far, -3]])
    ...     wings.append(Element(Dipoles(flat.positions[own], flat.moments[own]), motions=(turn,)))
    >>> coil = Assembly(name="bendable", elements=wings, deformations=[Deformation("bend", range=(0, 60))]).coil()
    >>> right, bent = coil.wing_moments[0], coil.deform(bend=60).wing_moments[0]
    >>> float((bent[2] / right[2]).round(6))
    0.5
    """

    name: str
    elements: tuple[Element, ...]
    deformations: tuple[Deformation, ...] = ()
    stimulators: tuple[Stimulator, ...] = ()
    casing: Casing | None = None
    groups: tuple[tuple[int, ...], ...] = ()
    close_circuits: bool = True
    brand: str = ""
    version: str = ""
    limits: FloatArray | None = None
    resolution: FloatArray | None = None
    handle: FloatArray = (0.0, -1.0, 0.0)  # type: ignore[assignment]  # converted in __post_init__
    source: str = ""
    spare_motions: tuple[Motion, ...] = ()
    spare_casings: tuple[Casing, ...] = ()

    def __post_init__(self) -> None:
        for field in ("elements", "deformations", "stimulators", "spare_motions", "spare_casings"):
            object.__setattr__(self, field, tuple(getattr(self, field)))
        if not self.elements:
            raise ValueError("elements must hold at least one part; got none.")
        count = 1 + max(element.stimulator for element in self.elements)
        if not self.stimulators:
            if count > len(self.elements):
                raise ValueError(f"stimulators must be given when an index skips some; got {count - 1} as an index.")
            object.__setattr__(self, "stimulators", tuple(Stimulator("") for _ in range(count)))
        if count > len(self.stimulators):
            raise ValueError(f"stimulators must be at least {count}, as the elements ask; got {len(self.stimulators)}.")
        for deformation in self.deformations:
            if not isinstance(deformation, Deformation):
                raise ValueError(f"deformations must be coils.Deformation; got {type(deformation).__name__}.")
        names = [deformation.name for deformation in self.deformations]
        if len(set(names)) < len(names):
            raise ValueError(f"deformations must have names of their own; got {', '.join(names)}.")
        for motion in (*self.spare_motions, *(motion for element in self.elements for motion in element.motions)):
            if motion.deformation not in names:
                raise ValueError(
                    f"motions must be driven by one of the deformations ({', '.join(names) or 'none'}); "
                    f"got {motion.deformation!r}."
                )
        groups = tuple(tuple(int(part) for part in group) for group in self.groups)
        for part in (part for group in groups for part in group):
            if not 0 <= part <= len(self.elements):
                raise ValueError(
                    f"groups must hold parts from 0 to {len(self.elements)}, the last element; got {part}."
                )
        object.__setattr__(self, "groups", groups)
        object.__setattr__(self, "casing", as_casing(self.casing))
        object.__setattr__(self, "handle", arrays.unit_vector(self.handle, "handle"))
        for field, shape in (("limits", (3, 2)), ("resolution", (3,))):
            if getattr(self, field) is not None:
                value = np.array(getattr(self, field), dtype=np.float64)
                if value.shape != shape or not np.isfinite(value).all():
                    raise ValueError(f"{field} must be finite numbers of shape {shape}; got shape {value.shape}.")
                object.__setattr__(self, field, value)

    @classmethod
    def of(cls, coil: Coil) -> Assembly:
        """Return a coil's assembly, or one of rigid elements for a coil that has none (wires are left out)."""
        if coil.assembly is not None:
            return coil.assembly
        elements = [Element(Dipoles(coil.positions, coil.moments), "dipoles")] if coil.n_dipoles else []
        if coil.segments is not None:
            elements.append(Element(coil.segments, "current elements"))
        if coil.grid is not None:
            elements.append(Element(coil.grid, "grid"))
        return cls(
            name=coil.name,
            elements=tuple(elements),
            stimulators=(coil.stimulator or Stimulator("", max_didt=coil.max_didt),),
            casing=as_casing(coil.casing),
            close_circuits=False,  # a coil's elements are final
            handle=coil.handle,
            source=coil.source,
        )

    @property
    def settings(self) -> dict[str, float]:
        """Present value of each deformation by name (mm or degrees)."""
        return {deformation.name: deformation.value for deformation in self.deformations}

    @property
    def driven_by(self) -> tuple[int, ...]:
        """Indices of the stimulators that drive an element, ascending: the order of `channels` and `driven`."""
        return tuple(sorted({element.stimulator for element in self.elements}))

    def deformed(self, settings: Mapping[str, float]) -> Assembly:
        """Return the assembly with deformations set anew.

        Parameters
        ----------
        settings : mapping of str to float
            Value by name (mm or degrees); those that are not named keep theirs.

        Returns
        -------
        Assembly

        Raises
        ------
        ValueError
            If a name is unknown or a value outside its range.
        """
        known = self.settings
        for name in settings:
            if name not in known:
                raise ValueError(
                    f"settings must name deformations of {self.name} ({', '.join(known) or 'it has none'}); "
                    f"got {name!r}."
                )
        changed = tuple(d.set_to(settings[d.name]) if d.name in settings else d for d in self.deformations)
        return replace(self, deformations=changed)

    def coil(self) -> Coil:
        """Return the whole as one coil, parts at their present deformations, all stimulators at the same dI/dt.

        Returns
        -------
        Coil
            With this assembly, so that it can be deformed and driven. Its `max_didt` is the least of the stimulators'.

        Raises
        ------
        ValueError
            If parts with grids move against each other; see `channels`.
        """
        indices = self.driven_by
        limits = [self.stimulators[index].max_didt for index in indices]
        known = [limit for limit in limits if limit is not None]
        return self._coil(
            {index: 1.0 for index in indices},
            name=self.name,
            stimulator=self.stimulators[indices[0]] if len(indices) == 1 else None,
            max_didt=min(known) if len(known) == len(limits) else None,
            assembly=self,
        )

    def channels(self) -> tuple[Coil, ...]:
        """Return one rigid coil for each stimulator that drives something, with the whole casing.

        Returns
        -------
        tuple of Coil
            At the present deformations: deform first, then ask for the channels.
        """
        coils = []
        for index in self.driven_by:
            stimulator = self.stimulators[index]
            name = f"{self.name}, stimulator {index + 1}" + (f" ({stimulator.label})" if stimulator.name else "")
            coils.append(self._coil({index: 1.0}, name=name, stimulator=stimulator, max_didt=stimulator.max_didt))
        return tuple(coils)

    def driven(self, didt: Sequence[float]) -> Coil:
        """Return one coil that stands for all stimulators, each at its own rate of change.

        Parameters
        ----------
        didt : sequence of float
            Rate of change of each stimulator's current (A/s), in the order of `channels`; negative reverses it.

        Returns
        -------
        Coil
            Its field at ``didt=1e6`` is the superposition; its `max_didt` is where the first stimulator reaches its
            limit.

        Raises
        ------
        ValueError
            If there are not as many numbers as channels, one is not finite, or all are zero.
        """
        rates = np.array(didt, dtype=np.float64)
        indices = self.driven_by
        if rates.shape != (len(indices),):
            raise ValueError(
                f"didt must be {len(indices)} numbers, one per stimulator; got shape {rates.shape} for {self.name}."
            )
        if not np.isfinite(rates).all():
            raise ValueError(f"didt must be finite; got {rates.tolist()}.")
        weights = {index: float(rate) / _UNIT_DIDT for index, rate in zip(indices, rates, strict=True) if rate != 0.0}
        if not weights:
            raise ValueError("didt must not be zero for all stimulators; got no current at all.")
        limits = [(self.stimulators[index].max_didt, abs(weight)) for index, weight in weights.items()]
        known = [limit / weight for limit, weight in limits if limit is not None]
        text = ", ".join(f"{rate / 1e6:g}" for rate in rates)
        max_didt = min(known) if len(known) == len(limits) else None
        return self._coil(weights, name=f"{self.name} at {text} A/us", stimulator=None, max_didt=max_didt)

    def open_circuits(self) -> tuple[str, ...]:
        """Describe what is wrong with the wires and what was done, one sentence per stimulator; empty if nothing is.

        Judged at zero deformation, where the parts of a file join.
        """
        found = []
        for index in self.driven_by:
            wires = self._wires(index)
            who = f"wires of {self.name}" + (f" at stimulator {index + 1}" if len(self.driven_by) > 1 else "")
            if wires:
                found.append(fault(joined([part for part, _ in wires]), who, closing=self.close_circuits))
        return tuple(text for text in found if text)

    def collisions(self) -> tuple[tuple[str, str], ...]:
        """Find parts whose casings meet at the present deformations.

        Returns
        -------
        tuple of (str, str)
            Names of two parts that cross or of which one contains the other. Parts are tested within each of `groups`,
            all against all if there are none; parts without a casing of their own cannot meet any.
        """
        from meshes.checks import crossing_pairs, winding_numbers  # as they take a while to load

        housings = self._housings()
        groups = self.groups or (tuple(housings),)
        pairs = sorted({pair for group in groups for pair in combinations(sorted(set(group)), 2)})
        found = []
        for first, second in pairs:
            if first not in housings or second not in housings:
                continue
            a, b = housings[first], housings[second]
            low, high = crossing_pairs([a, b])
            between = bool(((low < len(a.triangles)) & (high >= len(a.triangles))).any())
            inside = bool((winding_numbers(a.vertices, b) > 0.5).any() or (winding_numbers(b.vertices, a) > 0.5).any())
            if between or inside:
                found.append((self._part_name(first), self._part_name(second)))
        return tuple(found)

    def _part_name(self, part: int) -> str:
        if part == 0:
            return "coil casing"
        name = self.elements[part - 1].name
        if not name:
            return f"element {part - 1}"
        same = sum(element.name == name for element in self.elements)
        return name if same == 1 else f"{name} (element {part - 1})"

    @cached_property
    def _placed(self) -> tuple[Dipoles | Segments | PotentialGrid, ...]:
        """Sources of all elements at the present deformations."""
        values = self.settings
        return tuple(moved(element.sources, total_motion(element.motions, values)) for element in self.elements)

    def _housings(self) -> dict[int, Surface]:
        """Casings at the present deformations, by the number of the part as in `groups`."""
        values = self.settings
        found = {} if self.casing is None else {0: self.casing.surface}
        for part, element in enumerate(self.elements, start=1):
            if element.casing is not None:
                found[part] = element.casing.surface.transformed(total_motion(element.motions, values))
        return found

    def _wires(self, index: int) -> list[tuple[Segments, FloatArray]]:
        """Current elements of a stimulator, which may be connected in series: each part at rest, with its motion."""
        values = self.settings
        return [
            (element.sources, total_motion(element.motions, values))
            for element in self.elements
            if element.stimulator == index and isinstance(element.sources, Segments) and element.sources.vectors.any()
        ]

    @cached_property
    def _circuits(self) -> dict[int, Segments]:
        """Current elements of each stimulator where they are now, closed where that was asked for and can be done."""
        found = {}
        for index in self.driven_by:
            wires = self._wires(index)
            if not wires:
                continue
            if self.close_circuits:
                try:
                    found[index] = close_parts(*zip(*wires, strict=True))[0]
                    continue
                except ValueError:
                    pass  # cannot be followed: as it stands; `open_circuits` says so
            placed = [moved(part, motion) for part, motion in wires]
            found[index] = joined([part for part in placed if isinstance(part, Segments)])
        return found

    def _coil(
        self,
        weights: dict[int, float],
        *,
        name: str,
        stimulator: Stimulator | None,
        max_didt: float | None,
        assembly: Assembly | None = None,
    ) -> Coil:
        """Flatten the elements of some stimulators, each times its weight."""
        placed = [
            (weights[element.stimulator], sources)
            for element, sources in zip(self.elements, self._placed, strict=True)
            if element.stimulator in weights
        ]
        dipoles = [(weight, sources) for weight, sources in placed if isinstance(sources, Dipoles)]
        wires = [(weights[index], wire) for index, wire in self._circuits.items() if index in weights]
        grids = [(weight, sources) for weight, sources in placed if isinstance(sources, PotentialGrid)]
        named = stimulator is not None and (stimulator.name or stimulator.max_didt is not None or stimulator.waveforms)
        return Coil(
            # Coil turns the empty tuples into arrays.
            positions=np.concatenate([d.positions for _, d in dipoles]) if dipoles else (),  # type: ignore[arg-type]
            moments=np.concatenate([w * d.moments for w, d in dipoles]) if dipoles else (),  # type: ignore[arg-type]
            segments=joined([Segments(s.points, w * s.vectors) for w, s in wires]) if wires else None,
            grid=sum_of_grids(grids, self.name) if grids else None,
            casing=merged(self._housings().values(), self.name),
            name=name,
            stimulator=stimulator if named else None,
            max_didt=max_didt,
            handle=self.handle,
            source=self.source,
            assembly=assembly,
        )
