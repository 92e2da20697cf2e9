"""Waveforms of stimulators: how the rate of change of the coil current goes with time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from meshes import arrays
from meshes.arrays import FloatArray

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Phase", "Waveform", "rectangular"]

# A recorded pulse has some thousand samples (SimNIBS' files 5,201); more than this is no pulse but a damaged file.
MOST_SAMPLES = 1_000_000

# The pulse is what lies between the first and the last time above this share of the greatest sample: recordings have a
# baseline that is not zero (up to 1 % in those of Drakaki et al. 2022), and a monophasic pulse has a tail without end.
_QUIET = 0.02

# A swing that changes the current by less than this share of the greatest such change is noise, ringing of the switch
# or a spike before the pulse, and no phase.
_PHASE = 0.05


@dataclass(frozen=True)
class Phase:
    """A stretch of the pulse in which dI/dt, and so E, has one sign.

    Parameters
    ----------
    start, end : float
        Its ends (s).
    peak : float
        Its greatest dI/dt, signed, as a share of the first phase's: that of the first phase is 1.
    """

    start: float
    end: float
    peak: float

    @property
    def polarity(self) -> Literal["rising", "falling"]:
        """What the coil current does, taken as rising in the first phase; E turns over with it."""
        return "rising" if self.peak > 0.0 else "falling"


@dataclass(frozen=True, eq=False)
class Waveform:
    """A pulse: samples of the rate of change of the coil current, which is also the course of E.

    Parameters
    ----------
    name : str
        Name of the pulse; may be empty, as in files that give none.
    time : array_like, shape (n,)
        Times of the samples (s), increasing.
    signal : array_like, shape (n,)
        Rate of change of the current at these times, in any unit, as recorded: for instance the
        voltage of a search coil.
    fit : array_like, shape (n,), optional
        A smooth version of `signal` that the file brings along. Everything computed here is then computed from it.

    Raises
    ------
    ValueError
        If there are fewer than 2 samples or more than a million, lengths differ, a number is not finite, the times
        do not increase or all samples are zero.

    Notes
    -----
    Between the samples everything here is the straight line, before the first and after the last zero.
    E = -dA/dt - grad phi follows dI/dt at each instant, because displacement currents and the skin effect are
    negligible at some kHz; so one curve stands for both. A spike of the switch at the beginning of a recording counts
    as the first phase's peak: give a `fit` without it. The arrays are kept as they were given, so that files can be
    written back unchanged.

    Examples
    --------
    >>> pulse = Waveform("square there and back", time=[0, 1e-4, 1.001e-4, 2e-4], signal=[-3, -3, 3, 3])
    >>> [(phase.polarity, round(phase.peak, 3)) for phase in pulse.phases]
    [('rising', 1.0), ('falling', -1.0)]
    >>> round(pulse.peak_current(didt=1e6), 6)  # 1 A/us for 100 us, then 0.025 A while it turns over
    100.025
    """

    name: str
    time: FloatArray
    signal: FloatArray
    fit: FloatArray | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise ValueError(f"name must be a text; got {self.name!r}.")
        time = _samples(self.time, "time")
        if not 2 <= len(time) <= MOST_SAMPLES:
            raise ValueError(f"time must hold from 2 to {MOST_SAMPLES} samples; got {len(time)}.")
        back = np.flatnonzero(np.diff(time) <= 0.0)
        if len(back):
            first = int(back[0])
            raise ValueError(
                f"time must increase from sample to sample; got {time[first]:g} s and then {time[first + 1]:g} s at "
                f"sample {first + 1}. Sort the samples and drop repeated ones."
            )
        signal = _samples(self.signal, "signal", len(time))
        if not signal.any():
            raise ValueError("signal must not be zero throughout; got a waveform without a pulse.")
        object.__setattr__(self, "time", time)
        object.__setattr__(self, "signal", signal)
        if self.fit is not None:
            fit = _samples(self.fit, "fit", len(time))
            if not fit.any():
                raise ValueError("fit must not be zero throughout; got no pulse. Leave it out if there is none.")
            object.__setattr__(self, "fit", fit)

    @classmethod
    def from_file(cls, path: str | Path, *, seconds_per_unit: float = 1.0) -> Waveform:
        """Read a waveform from a text file; see `coils.waveform_files.read_waveform`."""
        from coils.waveform_files import read_waveform

        return read_waveform(path, seconds_per_unit=seconds_per_unit)

    def __repr__(self) -> str:
        return f"Waveform({self.name!r}, {len(self.time)} samples)"

    @cached_property
    def _first_peak(self) -> float:
        """Signed greatest value of the first phase, in the unit of the samples."""
        return _swings(self.time, self._curve)[0][2]

    @property
    def _curve(self) -> FloatArray:
        return self.signal if self.fit is None else self.fit

    @cached_property
    def rate(self) -> FloatArray:
        """Rate of change of the current at the samples, ndarray, shape (n,), where the first phase's peak is 1."""
        rate: FloatArray = self._curve / self._first_peak
        return rate

    def at(self, time: npt.ArrayLike) -> FloatArray:
        """Interpolate dI/dt, and so E, in time.

        Parameters
        ----------
        time : array_like, any shape
            Times (s).

        Returns
        -------
        ndarray, same shape
            Share of the first phase's peak: multiply by the dI/dt (A/s) or by the E (V/m) of that peak. Zero outside
            the samples.

        Raises
        ------
        ValueError
            If a time is NaN.
        """
        times = np.asarray(time, dtype=np.float64)
        if np.isnan(times).any():
            raise ValueError("time must be numbers; got NaN.")
        values: FloatArray = np.asarray(np.interp(times, self.time, self.rate, left=0.0, right=0.0))
        return values

    @cached_property
    def current(self) -> FloatArray:
        """Coil current at the samples, ndarray, shape (n,), for 1 A/s at the first peak: in A per A/s, that is seconds.

        The exact integral of the straight lines between the samples of `rate`, zero at the first.
        """
        pieces = 0.5 * (self.rate[1:] + self.rate[:-1]) * np.diff(self.time)
        return np.concatenate([[0.0], np.cumsum(pieces)])

    def peak_current(self, didt: float) -> float:
        """Compute the greatest coil current of the pulse, its magnitude.

        Parameters
        ----------
        didt : float
            Rate of change of the current at the first phase's peak (A/s).

        Returns
        -------
        float
            Current (A).

        Raises
        ------
        ValueError
            If `didt` is negative or not finite.
        """
        return arrays.non_negative(didt, "didt") * self._greatest_current

    @cached_property
    def _greatest_current(self) -> float:
        # Between two samples the current is greatest where dI/dt goes through zero.
        rate, current = self.rate, self.current
        turns = np.flatnonzero(rate[1:] * rate[:-1] < 0.0)
        before, after = rate[turns], rate[turns + 1]
        step = self.time[turns + 1] - self.time[turns]
        between = current[turns] + 0.5 * step * before**2 / (before - after)
        return float(np.abs(np.concatenate([current, between])).max())

    @cached_property
    def phases(self) -> tuple[Phase, ...]:
        """Phases in the order of time, without swings that change the current by less than 5 % of the greatest one."""
        return tuple(Phase(start, end, peak / self._first_peak) for start, end, peak in _swings(self.time, self._curve))

    @property
    def duration(self) -> float:
        """Time from the beginning of the first phase to the end of the last (s); tails below 2 % do not count."""
        return self.phases[-1].end - self.phases[0].start

    @property
    def imbalance(self) -> float:
        """Current that is left after the last sample, as a share of the greatest: 0 where the mean of E is zero.

        A real pulse ends without current, so that the areas of E's phases cancel. A recording that is cut short or has
        an offset does not, and a rectangular pulse of E alone, as in textbooks, has 1.
        """
        return float(self.current[-1]) / self._greatest_current

    def summary(self) -> str:
        """Return a text of several lines: duration, phases, current and what is left of it.

        Examples
        --------
        >>> print(rectangular(1e-4).summary())
        rectangular
          duration      100.0 us
          phase 1       0.0 to 100.0 us, current rising, peak +1.000
          peak current  100.0 A at 1 A/us
          left at end   +1.0000 of the peak current
        """
        lines = [self.name or "unnamed waveform", f"  duration      {1e6 * self.duration:.1f} us"]
        for number, phase in enumerate(self.phases, start=1):
            span = f"{1e6 * phase.start:.1f} to {1e6 * phase.end:.1f} us"
            lines.append(f"  phase {number}       {span}, current {phase.polarity}, peak {phase.peak:+.3f}")
        lines.append(f"  peak current  {self.peak_current(1e6):.1f} A at 1 A/us")
        lines.append(f"  left at end   {self.imbalance:+.4f} of the peak current")
        return "\n".join(lines)


def rectangular(width: float) -> Waveform:
    """Build the rectangular pulse of E of strength-duration theory.

    Parameters
    ----------
    width : float
        Its width (s).

    Returns
    -------
    Waveform
        One phase; the current does not return, so its `imbalance` is 1.

    Raises
    ------
    ValueError
        If `width` is not positive.

    Examples
    --------
    >>> rectangular(1e-4).at([0, 5e-5, 2e-4])
    array([1., 1., 0.])
    """
    return Waveform("rectangular", time=np.array([0.0, arrays.positive(width, "width")]), signal=np.ones(2))


def _swings(time: FloatArray, curve: FloatArray) -> list[tuple[float, float, float]]:
    """Find start, end and signed peak of each phase of a curve of straight lines."""
    begin, stop = _loud(time, curve)
    sign = np.sign(curve)
    # A sample of exactly zero goes with the one before it.
    sign = sign[np.maximum.accumulate(np.where(sign != 0.0, np.arange(len(sign)), 0))]
    turns = np.flatnonzero(sign[1:] != sign[:-1])
    share = curve[turns] / (curve[turns] - curve[turns + 1])
    zeros = time[turns] + share * (time[turns + 1] - time[turns])
    steps = np.concatenate([[0.0], np.cumsum(0.5 * (curve[1:] + curve[:-1]) * np.diff(time))])
    at_zeros = steps[turns] + 0.5 * curve[turns] * (zeros - time[turns])
    areas = np.abs(np.diff(np.concatenate([[0.0], at_zeros, steps[-1:]])))
    edges = np.concatenate([time[:1], zeros, time[-1:]]).tolist()
    swings: list[tuple[float, float, float]] = []
    for run, piece in enumerate(np.split(curve, turns + 1)):
        if areas[run] <= _PHASE * areas.max():
            continue
        peak = float(piece[np.abs(piece).argmax()])
        start, end = edges[run], edges[run + 1]
        # A long faint phase may lie below _QUIET as a whole: then it counts as a whole.
        start, end = max(start, begin) if begin < end else start, min(end, stop) if stop > start else end
        if swings and swings[-1][2] * peak > 0.0:
            # Only noise lay between: one phase.
            before = swings.pop()
            start, peak = before[0], max(before[2], peak, key=abs)
        swings.append((start, end, peak))
    return swings


def _loud(time: FloatArray, curve: FloatArray) -> tuple[float, float]:
    """Return when a curve of straight lines first rises above _QUIET and last falls below it."""
    height = np.abs(curve)
    limit = _QUIET * height.max()
    loud = np.flatnonzero(height > limit)
    ends = []
    for inner, outer in ((int(loud[0]), int(loud[0]) - 1), (int(loud[-1]), int(loud[-1]) + 1)):
        if not 0 <= outer < len(time):
            ends.append(float(time[inner]))
            continue
        share = (limit - height[outer]) / (height[inner] - height[outer])
        ends.append(float(time[outer] + share * (time[inner] - time[outer])))
    return ends[0], ends[1]


def _samples(value: npt.ArrayLike, name: str, length: int | None = None) -> FloatArray:
    """Return `value` as a list of finite numbers, a float64 copy, of a given length."""
    try:
        given = np.asarray(value)
        if np.iscomplexobj(given) or given.dtype == np.bool_:
            raise TypeError
        array = np.array(given, dtype=np.float64, order="C")
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} must be a list of real numbers; got {type(value).__name__} of other things."
        ) from None
    if array.ndim != 1:
        raise ValueError(f"{name} must be a list of numbers, shape (n,); got shape {array.shape}.")
    if length is not None and len(array) != length:
        raise ValueError(f"{name} must be one number per time, {length}; got {len(array)}.")
    bad = np.flatnonzero(~np.isfinite(array))
    if len(bad):
        raise ValueError(f"{name} must be finite; got {array[bad[0]]} at sample {int(bad[0])}, {len(bad)} such in all.")
    return array
