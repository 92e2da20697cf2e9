"""Strength and duration: how strong a pulse must be, as a membrane with one time constant answers to it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from coils.waveforms import Waveform
from meshes import arrays
from meshes.arrays import FloatArray

__all__ = ["TIME_CONSTANTS", "TimeConstant", "chronaxie", "membrane_response", "threshold_factor", "threshold_ratio"]

Direction = Literal["first", "second", "either"]


@dataclass(frozen=True)
class TimeConstant:
    """A published strength-duration time constant.

    Parameters
    ----------
    value : float
        Time constant (s).
    spread : str
        Its spread, in the words of the source.
    source : str
        Where it comes from.
    """

    value: float
    spread: str
    source: str


# No membrane is slower (s): a greater number is microseconds given for seconds.
_LONGEST = 1.0

_PETERCHEV = "Peterchev et al., Clin Neurophysiol 2013;124:1364-1372, abstract"
_DOSTILIO = "D'Ostilio et al., Clin Neurophysiol 2016;127:675-683, abstract"

# From motor thresholds at near-rectangular pulses of 30, 60 and 120 us; Peterchev et al. fitted the low-pass of
# `membrane_response` to the recorded E. The older figure of about 150 us (Barker et al. 1991) is recalled and not
# confirmed, so it is not in the table.
TIME_CONSTANTS: dict[str, TimeConstant] = {
    "motor-cortex": TimeConstant(196e-6, "95 % confidence interval 181 to 210 us", _PETERCHEV),
    "motor-cortex-pa": TimeConstant(230.9e-6, "+- 97.2 us, current posterior to anterior", _DOSTILIO),
    "motor-cortex-ap": TimeConstant(294.2e-6, "+- 90.9 us, current anterior to posterior", _DOSTILIO),
    "ulnar-nerve": TimeConstant(197e-6, "+- 47 us, at the elbow", _DOSTILIO),
}


def membrane_response(waveform: Waveform, tau: float) -> FloatArray:
    """Compute how a membrane is driven by a pulse, as a low-pass of first order.

    Parameters
    ----------
    waveform : Waveform
        The pulse; E of its first phase's peak is 1.
    tau : float
        Time constant (s).

    Returns
    -------
    ndarray, shape (n,)
        Response at the waveform's times, 1 for a long pulse of E = 1; zero before.

    Raises
    ------
    ValueError
        If `tau` is not positive, or more than 1 s.
    TypeError
        If `waveform` is something else.

    Notes
    -----
    tau dv/dt = E - v, so v is the convolution of E with exp(-t / tau) / tau, solved exactly for the straight lines
    between the samples. The membrane starts at rest. It is a model of the threshold only: no channels, no geometry of
    the axon, one time constant.

    Examples
    --------
    >>> from coils.waveforms import rectangular
    >>> membrane_response(rectangular(2e-4), tau=2e-4).round(4)  # 1 - 1 / e
    array([0.    , 0.6321])
    """
    tau = _seconds(tau)
    if not isinstance(waveform, Waveform):
        raise TypeError(f"waveform must be a coils.Waveform; got {type(waveform).__name__}.")
    rate = waveform.rate
    step = np.diff(waveform.time)
    stay = np.exp(-step / tau)
    # E = e0 + s t over a step adds e0 (1 - d) + s (h - tau (1 - d)) to d v; 1 - d without cancellation for short steps.
    left = -np.expm1(-step / tau)
    gain = rate[:-1] * left + np.diff(rate) * (1.0 - tau * left / step)
    response = np.zeros(len(rate))
    value = 0.0
    for index, (d, g) in enumerate(zip(stay.tolist(), gain.tolist(), strict=True), start=1):
        value = d * value + g
        response[index] = value
    return response


def _extremes(waveform: Waveform, tau: float) -> tuple[float, float]:
    """Return the greatest and the least of the membrane's response, also between the samples."""
    response = membrane_response(waveform, tau)
    rate = waveform.rate
    step = np.diff(waveform.time)
    slope = np.diff(rate) / step
    # Over a step v = c exp(-t / tau) + e0 + s (t - tau): v' = 0 where exp(-t / tau) = s tau / c.
    c = response[:-1] - rate[:-1] + slope * tau
    with np.errstate(divide="ignore", invalid="ignore"):
        share = slope * tau / c
        time = -tau * np.log(share)
    inside = (share > 0.0) & (time > 0.0) & (time < step)
    # Where v' = 0, v = E.
    between = (rate[:-1] + slope * np.where(inside, time, 0.0))[inside]
    every = np.concatenate([response, between])
    return float(every.max()), float(every.min())


def threshold_factor(waveform: Waveform, tau: float, *, direction: Direction = "either") -> float:
    """Compute how many times the rheobase the peak of E must be for a pulse to reach the threshold.

    Parameters
    ----------
    waveform : Waveform
        The pulse.
    tau : float
        Time constant (s), see `TIME_CONSTANTS`.
    direction : {"either", "first", "second"}, optional
        Direction of E that depolarises: that of the first phase, the opposite one, or whichever does so more easily.

    Returns
    -------
    float
        E (or dI/dt) at the first phase's peak over that of a long pulse, at threshold. Infinity if E never drives the
        membrane in this direction.

    Raises
    ------
    ValueError
        If `tau` is not positive or `direction` is another word.

    Notes
    -----
    1 over the peak of `membrane_response`. For a rectangular pulse of width w it is 1 / (1 - exp(-w / tau)): Lapicque's
    strength-duration curve.

    Examples
    --------
    >>> from coils.waveforms import rectangular
    >>> tau = TIME_CONSTANTS["motor-cortex"].value
    >>> round(threshold_factor(rectangular(chronaxie(tau)), tau), 9)
    2.0
    """
    arrays.choice(direction, "direction", ("either", "first", "second"))
    greatest, least = _extremes(waveform, tau)
    peak = {"first": greatest, "second": -least, "either": max(greatest, -least)}[direction]
    return 1.0 / peak if peak > 0.0 else math.inf


def threshold_ratio(waveform: Waveform, reference: Waveform, tau: float, *, direction: Direction = "either") -> float:
    """Compute the threshold of one pulse over that of another, as the E or dI/dt of the first phase's peak.

    Parameters
    ----------
    waveform, reference : Waveform
        The two pulses.
    tau : float
        Time constant (s).
    direction : {"either", "first", "second"}, optional
        See `threshold_factor`.

    Returns
    -------
    float
        Multiply the threshold measured with `reference` by it.

    Raises
    ------
    ValueError
        If `tau` is not positive, `direction` is another word, or a pulse does not drive the membrane in this direction.

    Examples
    --------
    >>> from coils.waveforms import rectangular
    >>> round(threshold_ratio(rectangular(30e-6), rectangular(120e-6), tau=196e-6), 3)
    3.226
    """
    factors = [threshold_factor(pulse, tau, direction=direction) for pulse in (waveform, reference)]
    if math.inf in factors:
        raise ValueError(
            f"direction must be one in which both pulses drive the membrane; got {direction!r} for "
            f"{waveform!r} and {reference!r}."
        )
    return factors[0] / factors[1]


def chronaxie(tau: float) -> float:
    """Compute the width of a rectangular pulse whose threshold is twice the rheobase (s), tau ln 2.

    Raises
    ------
    ValueError
        If `tau` is not positive.

    Examples
    --------
    >>> round(1e6 * chronaxie(196e-6), 1)
    135.9
    """
    return _seconds(tau) * math.log(2.0)


def _seconds(tau: float) -> float:
    """Check a time constant (s): 196 for 196 us would give thresholds a million times too high."""
    number = arrays.positive(tau, "tau")
    if number > _LONGEST:
        raise ValueError(f"tau must be at most {_LONGEST:g} s; got {number:g} s. Give seconds, 196e-6 for 196 us.")
    return number
