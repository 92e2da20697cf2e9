"""Carry one measured motor threshold over to another place, coil or stimulator by equal field."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from coils import Coil, Stimulator
from efield.dose.dose import Dose, check_result, pair_of, site_of
from efield.dose.sources import (
    DISCRETISATION,
    THRESHOLD,
    carried_components,
    field_ratio_components,
    is_same_pair,
    pulse_ratio,
    threshold_field_component,
)
from efield.dose.uncertainty import Component, Interval, interval
from meshes import arrays

if TYPE_CHECKING:
    from efield.targeting import SearchResult

__all__ = ["MotorThreshold"]

_SAME = 1e-9
"""Fields that agree to this share are those of the same coil in the same place."""

_VISUAL = (
    "The threshold was judged by eye, which is on average 11.3 % (0 to 27.8 %) above that of the EMG "
    "(Westin et al., Clin Neurophysiol 2014;125:142, abstract); it was taken as it is."
)

_SILENT = "No response can be measured at {site}: that the motor cortex' threshold field acts there is a convention."


@dataclass(frozen=True, eq=False, kw_only=True)
class MotorThreshold:
    """A resting motor threshold as it was measured, and the field that the model gives for it.

    Parameters
    ----------
    mso : float
        Setting at the threshold, in percent of the maximum stimulator output.
    field_per_didt : float
        E at the target at 1 A/us (V/m), with the coil where the threshold was measured.
    coil : Coil or str
        The coil, or its name.
    stimulator : Stimulator, optional
        With this coil; by default the one measured with it (`coils.stimulator_for`).
    target : str, optional
        Target and side, as "m1-hand left".
    method : {"emg", "visual"}, optional
        How a response was told.
    spread : float, optional
        Standard error of the measurement, relative.
    field_error : float, optional
        Relative error of `field_per_didt` by discretisation.
    head : str, optional
        Checksum of the head (``head.checksum``), so that fields of two heads are not mixed up.

    Raises
    ------
    ValueError
        If a number is out of range, or no stimulator is known with the coil.
    TypeError
        If `coil` or `stimulator` is something else.

    Notes
    -----
    Field equivalence: a pulse is as strong as another if it gives the same E at its target. For two figure-8 coils over
    the same M1 that predicts the threshold to 1.26 % of the stimulator's output (10 persons with heads of their own;
    Hum Brain Mapp 2026;47:e70550, abstract). For another site it is a convention (Caulfield et al., Clin Neurophysiol
    2021;132:2199).

    Examples
    --------
    >>> threshold = MotorThreshold(mso=45, field_per_didt=1.15, coil="magstim-70mm")
    >>> round(threshold.field, 1)
    59.4
    >>> leg = threshold.carried_to(field_per_didt=0.87, target="m1-leg", intensity=90)
    >>> round(leg.mso, 1), leg.reachable
    (53.5, True)
    """

    mso: float
    field_per_didt: float
    coil: Coil | str
    stimulator: Stimulator | None = None
    target: str = "m1-hand"
    method: Literal["emg", "visual"] = "emg"
    spread: float = THRESHOLD
    field_error: float = DISCRETISATION
    head: str = ""

    def __post_init__(self) -> None:
        for name in ("mso", "field_per_didt"):
            object.__setattr__(self, name, arrays.positive(getattr(self, name), name))
        if self.mso > 100.0:
            raise ValueError(f"mso must be from 0 to 100 percent; got {self.mso:g}. Give the setting at the threshold.")
        for name in ("spread", "field_error"):
            object.__setattr__(self, name, arrays.non_negative(getattr(self, name), name))
            if getattr(self, name) >= 1.0:
                raise ValueError(f"{name} must be less than 1, as it is relative; got {getattr(self, name):g}.")
        arrays.choice(self.method, "method", ("emg", "visual"))
        if not isinstance(self.target, str) or not self.target.strip():
            raise ValueError(f"target must be a name as 'm1-hand left'; got {self.target!r}.")
        pair = pair_of(self.coil, self.stimulator)
        if pair is None:
            raise ValueError(
                f"coil must have a known stimulator, to make dI/dt of percent; got {self.coil_name!r}. "
                "Give stimulator=coils.Stimulator(name, max_didt=...)."
            )
        object.__setattr__(self, "stimulator", pair)

    @classmethod
    def of_result(
        cls,
        result: SearchResult,
        *,
        mso: float,
        stimulator: Stimulator | None = None,
        method: Literal["emg", "visual"] = "emg",
        spread: float = THRESHOLD,
    ) -> MotorThreshold:
        """Take the best placement of a search for the place where the threshold was measured.

        Parameters
        ----------
        result : SearchResult
            For the muscle's target, with the coil of the measurement.
        mso, stimulator, method, spread
            See `MotorThreshold`.

        Returns
        -------
        MotorThreshold

        Raises
        ------
        ValueError, TypeError
            As `MotorThreshold`.
        """
        check_result(result)
        return cls(
            mso=mso,
            field_per_didt=result.field_at_target,
            coil=result.coil,
            stimulator=stimulator,
            target=site_of(result),
            method=method,
            spread=spread,
            field_error=result.field.error_estimate.relative_error,
            head=result.head.checksum,
        )

    def __repr__(self) -> str:
        return f"MotorThreshold({self.text})"

    @property
    def coil_name(self) -> str:
        """Name of the coil."""
        return self.coil if isinstance(self.coil, str) else self.coil.name

    @property
    def pair(self) -> Stimulator:
        """The stimulator with the coil."""
        assert self.stimulator is not None  # set in __post_init__
        return self.stimulator

    @property
    def didt(self) -> float:
        """Rate of change of the coil's current at the threshold (A/s)."""
        return self.pair.didt(self.mso)

    @property
    def field(self) -> float:
        """E at the target at the threshold (V/m)."""
        return 1e-6 * self.didt * self.field_per_didt

    def field_interval(self, *, own_head: bool = False, level: float = 0.9) -> Interval:
        """Return the interval of `field`: errors of the measurement, the stimulator and the modelled field.

        Parameters
        ----------
        own_head : bool, optional
            Whether the head was built from the person's own image.
        level : float, optional
            Probability.

        Returns
        -------
        Interval
            V/m.

        Raises
        ------
        ValueError
            If `level` is not between 0 and 1.
        """
        modelled = threshold_field_component(discretisation=self.field_error, own_head=own_head)
        measured = carried_components(measured=self.spread, same_pair=True, pulse=None, placement=None)
        return interval(self.field, [modelled, *measured], "field", level)

    @property
    def text(self) -> str:
        """The threshold in a line."""
        how = "EMG" if self.method == "emg" else "by eye"
        return (
            f"motor threshold at {self.target} ({how}): {self.mso:.1f} % of {self.pair.label}, "
            f"dI/dt {self.didt / 1e6:.1f} A/µs, {self.field:.1f} V/m"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the threshold as plain data; units stand in the names."""
        return {
            "target": self.target,
            "method": self.method,
            "coil": self.coil_name,
            "stimulator": self.pair.label,
            "mso_percent": self.mso,
            "didt_A_per_s": self.didt,
            "field_at_1_A_per_us_V_per_m": self.field_per_didt,
            "field_V_per_m": self.field,
            "standard_error_relative": self.spread,
        }

    def carried_to(
        self,
        *,
        field_per_didt: float,
        coil: Coil | str | None = None,
        stimulator: Stimulator | None = None,
        target: str | None = None,
        intensity: float = 100.0,
        own_head: bool = False,
        placement: float | None = None,
        field_error: float = DISCRETISATION,
        level: float = 0.9,
    ) -> Dose:
        """Compute what gives the threshold's field, or a share of it, in another place.

        Parameters
        ----------
        field_per_didt : float
            E at the new target at 1 A/us (V/m), with the coil in its new place.
        coil : Coil or str, optional
            By default that of the measurement.
        stimulator : Stimulator, optional
            With `coil`; by default that of the measurement, or the pair measured with the other coil.
        target : str, optional
            Target and side; by default that of the measurement.
        intensity : float, optional
            Wanted field in percent of the threshold's: 90 for "90 % of the motor threshold".
        own_head : bool, optional
            Whether the head was built from the person's own image.
        placement : float, optional
            Standard deviation of the logarithm of the field over errors of placement; see `dose_of`.
        field_error : float, optional
            Relative error of `field_per_didt` by discretisation.
        level : float, optional
            Probability of the intervals.

        Returns
        -------
        Dose
            For a coil without a known stimulator it tells dI/dt alone.

        Raises
        ------
        ValueError
            If a number is out of range.
        TypeError
            If `coil` or `stimulator` is something else.

        Notes
        -----
        dI/dt = intensity / 100 E_threshold r / (E per dI/dt), with r the ratio of the two pulses' thresholds
        (`pulse_ratio`), 1 for the same stimulator and coil.
        """
        percent = arrays.positive(intensity, "intensity")
        per_didt = arrays.positive(field_per_didt, "field_per_didt")
        error = arrays.non_negative(field_error, "field_error")
        name = self.coil_name if coil is None else coil if isinstance(coil, str) else getattr(coil, "name", "")
        pair = (
            self.pair
            if coil is None and stimulator is None
            else pair_of(self.coil if coil is None else coil, stimulator)
        )
        site = self.target if target is None else target
        same_site = is_same_site(site, self.target)
        same_place = same_site and name == self.coil_name and math.isclose(per_didt, self.field_per_didt, rel_tol=_SAME)
        ratio, pulse = pulse_ratio(pair, self.pair)
        wanted = percent / 100.0 * self.field * ratio
        return Dose(
            what=f"{percent:g} % of the threshold's field at {site}",
            field=wanted,
            field_per_didt=per_didt,
            coil=name,
            stimulator=pair,
            components=(
                *carried_components(
                    measured=self.spread, same_pair=is_same_pair(pair, self.pair), pulse=pulse, placement=placement
                ),
                *field_ratio_components(
                    discretisation=(self.field_error, error),
                    own_head=own_head,
                    same_site=same_site,
                    same_place=same_place,
                ),
                threshold_field_component(discretisation=self.field_error, own_head=own_head),
            ),
            intensity=percent,
            percent_of_threshold=100.0 * (wanted / per_didt * 1e6) / self.didt,
            notes=self._notes(site, ratio, pulse, None if same_place or pulse is not None else percent),
            level=level,
        )

    def carried_to_result(
        self,
        result: SearchResult,
        *,
        stimulator: Stimulator | None = None,
        intensity: float = 100.0,
        own_head: bool = False,
        placement: float | None = None,
        level: float = 0.9,
    ) -> Dose:
        """Compute what gives the threshold's field, or a share of it, in the best placement of a search.

        Parameters
        ----------
        result : SearchResult
            From `efield.optimize`.
        stimulator, intensity, own_head, placement, level
            See `carried_to`.

        Returns
        -------
        Dose

        Raises
        ------
        ValueError, TypeError
            As `carried_to`; ValueError if the threshold's field is that of another head or of other conductivities,
            TypeError if `result` is something else.
        """
        check_result(result)
        if self.head and self.head != result.head.checksum:
            raise ValueError(
                f"result must be of the head that the threshold's field was computed on; got {result.head.name} with "
                "another checksum. Compute both on one head, with the same conductivities."
            )
        known = stimulator is None and result.coil.name == self.coil_name
        return self.carried_to(
            field_per_didt=result.field_at_target,
            coil=result.coil,
            stimulator=self.pair if known else stimulator,
            target=site_of(result),
            intensity=intensity,
            own_head=own_head,
            placement=placement,
            field_error=result.field.error_estimate.relative_error,
            level=level,
        )

    def _notes(self, site: str, ratio: float, pulse: Component | None, percent: float | None) -> tuple[str, ...]:
        """Return the sentences that belong to a carried threshold."""
        notes = [f"Carried over by equal field from a {self.text}."]
        if percent is not None:
            share = 0.01 * percent * self.mso
            notes.append(f"{percent:g} % of the measured setting itself, whatever the field, would be {share:.1f} %.")
        if pulse is not None and pulse.mark == "computed":
            notes.append(f"Another pulse: the threshold was multiplied by {ratio:.3f} (strength and duration).")
        elif pulse is not None:
            notes.append(f"Another pulse: {pulse.source}.")
        if not site.startswith("m1"):
            notes.append(_SILENT.format(site=site))
        if self.method == "visual":
            notes.append(_VISUAL)
        return tuple(notes)


def is_same_site(one: str, other: str) -> bool:
    """Whether two targets are the same; one without its side is that of either side.

    Examples
    --------
    >>> is_same_site("m1-hand left", "m1-hand"), is_same_site("m1-leg left", "m1-leg left and right")
    (True, False)
    """
    first, second = one.partition(" "), other.partition(" ")
    return first[0] == second[0] and (first[2] == second[2] or not first[2] or not second[2])
