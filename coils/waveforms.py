"""Waveforms of stimulators: how the rate of change of the coil current goes with time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from meshes.arrays import FloatArray

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Waveform"]

# A recorded pulse has some thousand samples (SimNIBS' files 5,201); more than this is no pulse but a damaged file.
_MOST_SAMPLES = 1_000_000


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
        A smooth version of `signal` that the file brings along.

    Raises
    ------
    ValueError
        If there are fewer than 2 samples or more than a million, lengths differ, a number is not finite, the times
        do not increase or all samples are zero.

    Notes
    -----
    Between the samples everything here is the straight line. The arrays are kept as they were given, so that files can
    be written back unchanged.

    Examples
    --------
    >>> Waveform("square", time=[0, 1e-4], signal=[1, 1]).time.tolist()
    [0.0, 0.0001]
    """

    name: str
    time: FloatArray
    signal: FloatArray
    fit: FloatArray | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise ValueError(f"name must be a text; got {self.name!r}.")
        time = _samples(self.time, "time")
        if not 2 <= len(time) <= _MOST_SAMPLES:
            raise ValueError(f"time must hold from 2 to {_MOST_SAMPLES} samples; got {len(time)}.")
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
            object.__setattr__(self, "fit", _samples(self.fit, "fit", len(time)))

    def __repr__(self) -> str:
        return f"Waveform({self.name!r}, {len(self.time)} samples)"


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
