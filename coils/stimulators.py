"""Stimulators: from the percentage on the dial to the rate of change of the coil current, and back."""

from __future__ import annotations

from dataclasses import dataclass

from coils.waveforms import Waveform
from meshes import arrays

__all__ = ["Stimulator", "Waveform"]


@dataclass(frozen=True, eq=False)
class Stimulator:
    """A stimulator as it drives one coil.

    Parameters
    ----------
    name : str
        Model; may be empty, as in files that give none.
    max_didt : float or None, optional
        Greatest rate of change of the coil current (A/s), at 100 % of the maximum stimulator output (MSO). It belongs
        to the pair of stimulator and coil, as dI/dt = V / L: another coil has another inductance. None if unknown.
    brand : str, optional
        Maker.
    waveforms : tuple of Waveform, optional
        Pulses that it can give.
    coil : str, optional
        The coil that `max_didt` holds for.
    displayed_didt : float or None, optional
        What the stimulator itself shows at 100 % (A/s), where that differs from the measured `max_didt`.
    source : str, optional
        Where `max_didt` comes from.

    Raises
    ------
    ValueError
        If a text is none, `max_didt` or `displayed_didt` is not positive, or `waveforms` holds something else.

    Notes
    -----
    dI/dt is taken as proportional to the setting: dI/dt = MSO / 100 max_didt. This is an assumption. It holds where
    the setting is the capacitor's voltage and neither inductance nor losses depend on the current; a coil with an iron
    core, or a stimulator that gives less in some mode of operation, deviates from it.

    Examples
    --------
    >>> rapid = Stimulator("Rapid", max_didt=114.73e6, brand="Magstim", coil="D70")
    >>> round(rapid.didt(50) / 1e6, 3), rapid.mso(114.73e6)
    (57.365, 100.0)
    """

    name: str
    max_didt: float | None = None
    brand: str = ""
    waveforms: tuple[Waveform, ...] = ()
    coil: str = ""
    displayed_didt: float | None = None
    source: str = ""

    def __post_init__(self) -> None:
        for field in ("name", "brand", "coil", "source"):
            if not isinstance(getattr(self, field), str):
                raise ValueError(f"{field} must be a text; got {getattr(self, field)!r}.")
        for field in ("max_didt", "displayed_didt"):
            if getattr(self, field) is not None:
                object.__setattr__(self, field, arrays.positive(getattr(self, field), field))
        object.__setattr__(self, "waveforms", tuple(self.waveforms))
        for waveform in self.waveforms:
            if not isinstance(waveform, Waveform):
                raise ValueError(f"waveforms must be a tuple of coils.Waveform; got {type(waveform).__name__}.")

    @property
    def label(self) -> str:
        """Brand, name and coil in a few words, for messages and summaries."""
        words = " ".join(part for part in (self.brand, self.name) if part) or "unnamed stimulator"
        return f"{words} with {self.coil}" if self.coil else words

    def didt(self, mso: float) -> float:
        """Convert a percentage of the maximum stimulator output to the rate of change of the current.

        Parameters
        ----------
        mso : float
            Percentage of the maximum stimulator output, 0 to 100.

        Returns
        -------
        float
            Rate of change of the coil current (A/s), at the peak of the pulse's first phase.

        Raises
        ------
        ValueError
            If `mso` is not from 0 to 100, or `max_didt` is unknown.
        """
        percent = arrays.non_negative(mso, "mso")
        if percent > 100.0:
            raise ValueError(f"mso must be from 0 to 100 percent; got {percent:g}, more than {self.label} can give.")
        return percent / 100.0 * self._limit("didt")

    def mso(self, didt: float) -> float:
        """Convert a rate of change of the current to the percentage of the maximum stimulator output.

        Parameters
        ----------
        didt : float
            Rate of change of the coil current (A/s), its magnitude.

        Returns
        -------
        float
            Percentage, 0 to 100.

        Raises
        ------
        ValueError
            If `didt` is negative or above `max_didt`, or `max_didt` is unknown.
        """
        rate = arrays.non_negative(didt, "didt")
        limit = self._limit("mso")
        if rate > limit:
            raise ValueError(
                f"didt must be at most {limit / 1e6:g} A/us, 100 percent of {self.label}; got {rate / 1e6:g} A/us. "
                "Move the coil to a stronger placement, or take another pair of stimulator and coil."
            )
        return 100.0 * (rate / limit)

    def measured_didt(self, displayed: float) -> float:
        """Convert what the stimulator shows after a pulse to the rate of change of the current.

        Parameters
        ----------
        displayed : float
            Reading of the stimulator (A/s).

        Returns
        -------
        float
            Rate of change (A/s): the reading times ``max_didt / displayed_didt``, both at 100 %, taken as proportional.

        Raises
        ------
        ValueError
            If the reading is negative, or `max_didt` or `displayed_didt` is unknown.

        Examples
        --------
        >>> magpro = Stimulator("MagPro X100", max_didt=155.33e6, displayed_didt=151e6, coil="MC-B70")
        >>> round(magpro.measured_didt(75.5e6) / 1e6, 3)
        77.665
        """
        reading = arrays.non_negative(displayed, "displayed")
        limit = self._limit("measured_didt")
        if self.displayed_didt is None:
            raise ValueError(f"displayed_didt must be known to compute measured_didt; got None for {self.label}.")
        return reading * (limit / self.displayed_didt)

    def _limit(self, wanted: str) -> float:
        if self.max_didt is None:
            raise ValueError(f"max_didt must be known to compute {wanted}; got None for {self.label}. Give max_didt=.")
        return self.max_didt
