"""What to set at the stimulator for a wanted field: dI/dt, the setting in percent, and how sure both are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from coils import Coil, Stimulator, stimulator_for
from efield.dose.sources import field_components
from efield.dose.uncertainty import Component, Interval, Quantity, check_level, interval
from meshes import arrays

if TYPE_CHECKING:
    from efield.targeting import SearchResult

__all__ = ["Dose", "dose_of", "pair_of"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Dose:
    """The strength of a pulse, as field at the target, as dI/dt and as setting of the stimulator.

    Parameters
    ----------
    what : str
        What it is for, in a few words.
    field : float
        E at the target at the peak of the pulse's first phase (V/m).
    field_per_didt : float
        E at the target at 1 A/us (V/m), in the coil's place.
    coil : str
        Name of the coil.
    stimulator : Stimulator or None
        With the coil; None if no pair is known.
    components : sequence of Component, optional
        Sources of error.
    intensity : float or None, optional
        E at the target in percent of that at the measured motor threshold.
    percent_of_threshold : float or None, optional
        dI/dt in percent of that at the measured motor threshold, in the place where it was measured.
    notes : sequence of str, optional
        Sentences that belong to it.
    level : float, optional
        Probability of the intervals.

    Raises
    ------
    ValueError
        If a number is not positive, or `level` is not between 0 and 1.

    Examples
    --------
    >>> dose = Dose(what="test", field=60, field_per_didt=1.2, coil="magstim-70mm", stimulator=None)
    >>> dose.didt, dose.mso
    (50000000.0, None)
    """

    what: str
    field: float
    field_per_didt: float
    coil: str
    stimulator: Stimulator | None
    components: Sequence[Component] = ()
    intensity: float | None = None
    percent_of_threshold: float | None = None
    notes: Sequence[str] = ()
    level: float = 0.9

    def __post_init__(self) -> None:
        for name in ("field", "field_per_didt", "intensity", "percent_of_threshold"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, arrays.positive(getattr(self, name), name))
        object.__setattr__(self, "components", tuple(self.components))
        object.__setattr__(self, "notes", tuple(self.notes))
        check_level(self.level)

    def __repr__(self) -> str:
        return f"Dose({self.text})"

    @property
    def didt(self) -> float:
        """Rate of change of the coil's current at the peak of the pulse's first phase (A/s)."""
        return self.field / self.field_per_didt * 1e6

    @property
    def mso(self) -> float | None:
        """Setting in percent of the maximum stimulator output; more than 100 if the pair cannot reach it.

        None if no pair of stimulator and coil is known.
        """
        if self.stimulator is None or self.stimulator.max_didt is None:
            return None
        return 100.0 * self.didt / self.stimulator.max_didt

    @property
    def reachable(self) -> bool | None:
        """Whether the pair can give it; None if no pair is known."""
        return None if self.mso is None else self.mso <= 100.0

    def interval(self, quantity: Quantity, *, level: float | None = None) -> Interval | None:
        """Return the interval of a quantity.

        Parameters
        ----------
        quantity : {"field", "didt", "mso", "percent"}
            V/m at the target, A/s, % of the stimulator's maximum, or % of the threshold's dI/dt.
        level : float, optional
            Probability; by default that of the dose.

        Returns
        -------
        Interval or None
            None if the quantity itself is unknown.

        Raises
        ------
        ValueError
            If there is no such quantity, or `level` is not between 0 and 1.
        """
        values = {"field": self.field, "didt": self.didt, "mso": self.mso, "percent": self.percent_of_threshold}
        value = values[arrays.choice(quantity, "quantity", values)]
        if value is None:
            return None
        return interval(value, self.components, quantity, self.level if level is None else level)

    @property
    def text(self) -> str:
        """The dose in a line."""
        parts = [f"dI/dt {self._said('didt', 1e-6, 'A/µs')}"]
        if self.stimulator is None or self.mso is None:
            parts.append(f"no stimulator known with {self.coil}, so no % of its output")
        elif self.reachable:
            parts.append(f"{self._said('mso', 1.0, '%')} of {self.stimulator.label}")
        else:
            parts.append(f"{self._said('mso', 1.0, '%')} of {self.stimulator.label}, which CANNOT reach it")
        if self.percent_of_threshold is not None:
            parts.append(f"{self._said('percent', 1.0, '%')} of the dI/dt at the measured threshold")
        return f"{self.what}: {'; '.join(parts)}"

    def lines(self) -> tuple[tuple[str, str], ...]:
        """Return name and value of each line of a table."""
        rows = [("Dose for", self.what), ("Field at the target", self._said("field", 1.0, "V/m"))]
        rows.append(("dI/dt", self._said("didt", 1e-6, "A/µs")))
        if self.mso is None:
            rows.append(("Stimulator output", f"unknown: no stimulator known with {self.coil}"))
        else:
            out = "" if self.reachable else "; the pair CANNOT reach it"
            assert self.stimulator is not None
            rows.append(("Stimulator output", f"{self._said('mso', 1.0, '%')} of {self.stimulator.label}{out}"))
        if self.percent_of_threshold is not None:
            rows.append(("Against the measured threshold", f"{self._said('percent', 1.0, '%')} of its dI/dt"))
        rows.extend(("Source of error", component.text) for component in self.components if component.sd > 0.0)
        rows.extend(("Note", note) for note in self.notes)
        return tuple(rows)

    def as_dict(self) -> dict[str, Any]:
        """Return the dose as plain data; units stand in the names."""
        ends = {name: self.interval(name) for name in ("field", "didt", "mso", "percent")}
        plain = {name: None if end is None else end.as_list() for name, end in ends.items()}
        return {
            "what": self.what,
            "coil": self.coil,
            "stimulator": None if self.stimulator is None else self.stimulator.label,
            "field_V_per_m": self.field,
            "field_interval_V_per_m": plain["field"],
            "field_at_1_A_per_us_V_per_m": self.field_per_didt,
            "didt_A_per_s": self.didt,
            "didt_interval_A_per_s": plain["didt"],
            "mso_percent": self.mso,
            "mso_interval_percent": plain["mso"],
            "reachable": self.reachable,
            "intensity_percent_of_threshold_field": self.intensity,
            "percent_of_threshold_didt": self.percent_of_threshold,
            "percent_of_threshold_didt_interval": plain["percent"],
            "interval_level": self.level,
            "sources_of_error": [component.as_dict() for component in self.components],
            "notes": list(self.notes),
        }

    def _said(self, quantity: Quantity, scale: float, unit: str) -> str:
        """Say a quantity with its interval."""
        ends = self.interval(quantity)
        assert ends is not None
        values = {"field": self.field, "didt": self.didt, "mso": self.mso, "percent": self.percent_of_threshold}
        value = f"{scale * (values[quantity] or 0.0):.1f} {unit}"
        if ends.low == ends.high:
            return value
        scaled = Interval(scale * ends.low, scale * ends.high, ends.level)
        return f"{value} ({100.0 * self.level:g} % interval {scaled.text})"


def pair_of(coil: Coil | str, stimulator: Stimulator | None = None) -> Stimulator | None:
    """Return the stimulator of a coil, with its greatest dI/dt.

    Parameters
    ----------
    coil : Coil or str
        A coil or the name of one.
    stimulator : Stimulator, optional
        Another than the known one, for this coil.

    Returns
    -------
    Stimulator or None
        The given one, that of the coil, or the measured pair of this name; None if none of them has a greatest dI/dt.

    Raises
    ------
    ValueError
        If the given stimulator does not know its greatest dI/dt.
    TypeError
        If an argument is something else.
    """
    if not isinstance(coil, (Coil, str)):
        raise TypeError(f"coil must be a coils.Coil or a name; got {type(coil).__name__}. Use coils.load_coil(name).")
    if stimulator is not None:
        if not isinstance(stimulator, Stimulator):
            raise TypeError(
                f"stimulator must be a coils.Stimulator; got {type(stimulator).__name__}. "
                "Use coils.stimulator_for(name)."
            )
        if stimulator.max_didt is None:
            raise ValueError(f"stimulator must know its max_didt; got None for {stimulator.label}. Give max_didt=.")
        return stimulator
    if isinstance(coil, Coil):
        if coil.stimulator is not None and coil.stimulator.max_didt is not None:
            return coil.stimulator
        if coil.max_didt is not None:
            return Stimulator("stimulator of the coil's file", max_didt=coil.max_didt, coil=coil.name)
    try:
        return stimulator_for(coil if isinstance(coil, str) else coil.name)
    except ValueError:
        return None


def dose_of(
    result: SearchResult,
    *,
    field: float = 60.0,
    stimulator: Stimulator | None = None,
    own_head: bool = False,
    placement: float | None = None,
    level: float = 0.9,
) -> Dose:
    """Compute the dose that gives a wanted field at the target of a search.

    Parameters
    ----------
    result : SearchResult
        From `efield.optimize`.
    field : float, optional
        Wanted field at the target (V/m): magnitude of the mean over it, or its wanted component; of several targets
        the one with the least field gets it.
    stimulator : Stimulator, optional
        Another than the one measured with this coil.
    own_head : bool, optional
        Whether the head was built from the person's own image. Otherwise it stands in for the person's, and the
        interval has to cover how much heads differ.
    placement : float, optional
        Standard deviation of the logarithm of the field at the target over the errors of placement; see
        `placement_spread`.
    level : float, optional
        Probability of the intervals.

    Returns
    -------
    Dose

    Raises
    ------
    ValueError
        If a number is out of range.
    TypeError
        If `result` or `stimulator` is something else.
    """
    check_result(result)
    target = site_of(result)
    wanted = arrays.positive(field, "field")
    return Dose(
        what=f"{wanted:g} V/m at {target}",
        field=wanted,
        field_per_didt=result.field_at_target,
        coil=result.coil.name,
        stimulator=pair_of(result.coil, stimulator),
        components=field_components(
            discretisation=result.field.error_estimate.relative_error, own_head=own_head, placement=placement
        ),
        level=level,
    )


def check_result(result: SearchResult) -> None:
    """Raise TypeError if something is no result of a search."""
    from efield.targeting import SearchResult

    if not isinstance(result, SearchResult):
        raise TypeError(f"result must be an efield.SearchResult; got {type(result).__name__}. Use efield.optimize.")


def site_of(result: SearchResult) -> str:
    """Return names and sides of a result's targets."""
    return result.name or "a free point"
