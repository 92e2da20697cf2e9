"""Time the pulses of repetitive stimulation: trains of a frequency with pauses between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from meshes import arrays

__all__ = ["PulseTrain"]

F64 = NDArray[np.float64]

_FASTEST = 1000.0
"""No stimulator gives more pulses a second; a greater number is no frequency in Hz."""

_MOST = 1_000_000
"""Pulses of one session: bounds the memory."""


@dataclass(frozen=True)
class PulseTrain:
    """Equal trains of pulses with equal pauses.

    Parameters
    ----------
    frequency : float
        Pulses a second within a train (Hz).
    pulses_per_train : int
        Pulses of one train.
    trains : int, optional
        How many trains.
    inter_train_interval : float, optional
        Pause between trains (s): from the end of a train, one period after its last pulse, to the first pulse of the
        next. With no pause the pulses of all trains are regular. Counted from the last pulse itself, as some do, it is
        a period longer.

    Raises
    ------
    ValueError
        If a number is out of range, or no whole number where one is asked for.

    Notes
    -----
    Patterned stimulation (theta burst) is not of this kind, and the tables of `check_safety` do not hold for it.

    Examples
    --------
    >>> train = PulseTrain(10, 40, trains=75, inter_train_interval=26)
    >>> train.pulses, train.train_duration, train.duration / 60
    (3000, 4.0, 37.06666666666667)
    """

    frequency: float
    pulses_per_train: int
    trains: int = 1
    inter_train_interval: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "frequency", arrays.positive(self.frequency, "frequency"))
        if self.frequency > _FASTEST:
            raise ValueError(
                f"frequency must be at most {_FASTEST:g} Hz; got {self.frequency:g}. Give pulses a second."
            )
        for name in ("pulses_per_train", "trains"):
            number = arrays.positive(getattr(self, name), name)
            if number != int(number):
                raise ValueError(f"{name} must be a whole number; got {number:g}.")
            object.__setattr__(self, name, int(number))
        if self.pulses > _MOST:
            raise ValueError(f"pulses_per_train times trains must be at most {_MOST}; got {self.pulses}.")
        pause = arrays.non_negative(self.inter_train_interval, "inter_train_interval")
        object.__setattr__(self, "inter_train_interval", pause)

    @classmethod
    def from_text(cls, text: str) -> PulseTrain:
        """Read a train from four numbers: frequency (Hz), pulses of a train, trains, pause (s).

        Parameters
        ----------
        text : str
            As ``"10,40,75,26"``; the last two may be left out.

        Returns
        -------
        PulseTrain

        Raises
        ------
        ValueError
            If there are other than two to four numbers, or one is out of range.

        Examples
        --------
        >>> PulseTrain.from_text("1, 50, 20, 30").pulses
        1000
        """
        words = [word.strip() for word in text.split(",")]
        try:
            numbers = [float(word) for word in words]
        except ValueError:
            numbers = []
        if not 2 <= len(numbers) <= 4:
            raise ValueError(
                f"train must be two to four numbers, HZ,PULSES,TRAINS,PAUSE; got {text!r}. "
                'Write "10,40,75,26" for 75 trains of 40 pulses at 10 Hz with pauses of 26 s.'
            )
        return cls(*numbers)  # type: ignore[arg-type]  # whole numbers are checked and made in __post_init__

    @property
    def pulses(self) -> int:
        """Pulses of all trains."""
        return self.pulses_per_train * self.trains

    @property
    def train_duration(self) -> float:
        """Duration of one train (s): its pulses times the period, as safety tables count it."""
        return self.pulses_per_train / self.frequency

    @property
    def cycle(self) -> float:
        """From the first pulse of a train to that of the next (s)."""
        return self.train_duration + self.inter_train_interval

    @property
    def duration(self) -> float:
        """Of all trains with the pauses between them (s)."""
        return self.trains * self.train_duration + (self.trains - 1) * self.inter_train_interval

    @property
    def mean_rate(self) -> float:
        """Pulses a second over the whole duration (Hz)."""
        return self.pulses / self.duration

    @property
    def duty(self) -> float:
        """Share of the duration that lies in trains."""
        return self.trains * self.train_duration / self.duration

    @property
    def times(self) -> F64:
        """Time of every pulse after the first one (s), shape (pulses,)."""
        within = np.arange(self.pulses_per_train) / self.frequency
        times: F64 = (np.arange(self.trains)[:, None] * self.cycle + within).reshape(-1)
        return times

    @property
    def text(self) -> str:
        """The trains in a line."""
        minutes = f"{self.duration / 60.0:.1f} min" if self.duration >= 90.0 else f"{self.duration:.3g} s"
        one = f"{self.pulses_per_train} pulses at {self.frequency:g} Hz ({self.train_duration:.3g} s)"
        if self.trains == 1:
            return one
        return (
            f"{self.trains} trains of {one}, pauses of {self.inter_train_interval:g} s: {self.pulses} pulses in "
            f"{minutes}, {self.mean_rate:.3g} Hz on average"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the trains as plain data; units stand in the names."""
        return {
            "frequency_Hz": self.frequency,
            "pulses_per_train": self.pulses_per_train,
            "trains": self.trains,
            "inter_train_interval_s": self.inter_train_interval,
            "train_duration_s": self.train_duration,
            "pulses": self.pulses,
            "duration_s": self.duration,
            "mean_rate_Hz": self.mean_rate,
            "duty": self.duty,
        }
