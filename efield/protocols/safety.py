"""Hold pulse trains against published safety tables; what these do not cover is said, and nothing is ever cleared.

Notes
-----
The tables are given from memory and could not be confirmed. What was seen is the abstract of Chen et al. 1997: ten
trains of 1.6 s at 20 Hz and 110 % of the motor threshold were tolerated with 5 s between them, while intervals of 1 s
or less were unsafe above 100 %; and the advice to cut the duration of trains by 25 % from the earlier table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from efield.dose.marks import Mark
from efield.protocols.trains import PulseTrain
from meshes import arrays

__all__ = ["TABLES", "Finding", "SafetyTable", "check_safety"]

_CLEARANCE = "no clearance"

_VISUAL = 1.113
"""Threshold by eye over that of the EMG, on average; the tables are based on the EMG's."""


@dataclass(frozen=True)
class SafetyTable:
    """Longest duration of one train by frequency and intensity.

    Parameters
    ----------
    name : str
        In a few words.
    intensities : tuple of float
        Its columns (% of the resting motor threshold), ascending.
    rows : mapping of float to tuple of str
        By frequency (Hz), ascending: durations (s) as printed, ">10" where nothing shorter was found too long.
    mark : {"seen", "recalled"}
        How certain the numbers are.
    source : str
        Where they come from.
    """

    name: str
    intensities: tuple[float, ...]
    rows: Mapping[float, tuple[str, ...]]
    mark: Mark
    source: str

    def limit(self, frequency: float, intensity: float) -> str | None:
        """Return the strictest entry around a frequency and an intensity.

        Parameters
        ----------
        frequency : float
            Hz.
        intensity : float
            % of the resting motor threshold.

        Returns
        -------
        str or None
            As printed. Between two rows or columns the stricter one; below the first the first. None above the last.

        Examples
        --------
        >>> TABLES[0].limit(10, 120), TABLES[0].limit(15, 120), TABLES[0].limit(30, 120)
        ('4.2', '1.0', None)
        """
        rows, columns = _around(tuple(self.rows), frequency), _around(self.intensities, intensity)
        entries = [self.rows[row][self.intensities.index(column)] for row in rows for column in columns]
        return min(entries, key=_seconds, default=None)


TABLES: tuple[SafetyTable, ...] = (
    SafetyTable(
        "longest single train",
        (90.0, 100.0, 110.0, 120.0, 130.0),
        {
            1.0: (">1800", ">1800", ">1800", ">360", ">50"),
            5.0: (">10", ">10", ">10", ">10", ">10"),
            10.0: (">5", ">5", ">5", "4.2", "2.9"),
            20.0: ("2.05", "2.05", "1.6", "1.0", "0.55"),
            25.0: ("1.28", "1.28", "0.84", "0.4", "0.24"),
        },
        "recalled",
        "Wassermann 1998, Electroencephalogr Clin Neurophysiol 108:1-16; "
        "Rossi et al. 2009, Clin Neurophysiol 120:2008-2039, table 4",
    ),
    SafetyTable(
        "longest train of several",
        (100.0, 110.0, 120.0, 130.0),
        {
            1.0: (">270", ">270", ">180", "50"),
            5.0: ("10", "10", "10", "10"),
            10.0: ("5", "5", "3.2", "2.2"),
            20.0: ("1.5", "1.2", "0.8", "0.4"),
            25.0: ("1.0", "0.7", "0.3", "0.2"),
        },
        "recalled",
        "Chen et al. 1997, Electroencephalogr Clin Neurophysiol 105:415-421, after the cut by 25 %",
    ),
)
"""Published durations, from memory."""

_CHEN = "Chen et al. 1997, Electroencephalogr Clin Neurophysiol 105:415-421, abstract"


@dataclass(frozen=True)
class Finding:
    """What one published limit says of a train.

    Parameters
    ----------
    verdict : {"exceeds", "within", "unknown", "note"}
        Against this one limit; "unknown" where it says nothing, "note" for what is no limit.
    text : str
        A sentence with the numbers, the source and its mark of certainty.
    source : str
        The publication; empty if none was found.
    mark : {"seen", "recalled"} or None
        How certain the limit is; None where there is none.
    """

    verdict: Literal["exceeds", "within", "unknown", "note"]
    text: str
    source: str
    mark: Mark | None

    def __str__(self) -> str:
        return self.text

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as plain data."""
        return {"verdict": self.verdict, "text": self.text, "source": self.source, "mark": self.mark}


def check_safety(
    train: PulseTrain, intensity_percent_rmt: float, *, method: Literal["emg", "visual"] = "emg"
) -> tuple[Finding, ...]:
    """Hold a train of pulses against published safety tables.

    Parameters
    ----------
    train : PulseTrain
        The pulses of a session.
    intensity_percent_rmt : float
        Intensity in percent of the resting motor threshold.
    method : {"emg", "visual"}, optional
        How the threshold was measured. The tables are based on the EMG; one judged by eye is on average 11.3 % higher
        (Westin et al. 2014), and the intensity is raised by as much before it is looked up.

    Returns
    -------
    tuple of Finding
        One for each table, for the pause between trains, for what no table here limits; the last says what all of this
        is not. None of them is a clearance.

    Raises
    ------
    ValueError
        If the intensity is not positive, or `method` is another word.
    TypeError
        If `train` is something else.

    Examples
    --------
    >>> print(check_safety(PulseTrain(20, 200, trains=10, inter_train_interval=50), 110)[0])
    Train of 10 s at 20 Hz and 110 % of rMT EXCEEDS the tabulated 1.6 s (longest single train; Wassermann 1998, \
Electroencephalogr Clin Neurophysiol 108:1-16; Rossi et al. 2009, Clin Neurophysiol 120:2008-2039, table 4; recalled, \
unverified).
    """
    if not isinstance(train, PulseTrain):
        raise TypeError(f"train must be an efield.protocols.PulseTrain; got {type(train).__name__}.")
    intensity = arrays.positive(intensity_percent_rmt, "intensity_percent_rmt")
    if arrays.choice(method, "method", ("emg", "visual")) == "visual":
        intensity *= _VISUAL
    found = [_against(table, train, intensity) for table in TABLES]
    if train.trains > 1:
        found.append(_pause(train, intensity))
    found.append(
        Finding(
            "unknown",
            f"Nothing here limits the number of pulses ({train.pulses}), of sessions, or what a lesion, epilepsy or "
            "medication change: the tables come from healthy persons (recalled).",
            "",
            None,
        )
    )
    said = (
        ""
        if method == "emg"
        else (
            f" The threshold by eye was taken as 11.3 % too high (Westin et al. 2014, seen): {intensity:.0f} % of rMT."
        )
    )
    found.append(Finding("note", f"Research software: this is {_CLEARANCE}, and no medical advice.{said}", "", None))
    return tuple(found)


def _against(table: SafetyTable, train: PulseTrain, intensity: float) -> Finding:
    """Hold one train against a table."""
    what = f"Train of {train.train_duration:.3g} s at {train.frequency:g} Hz and {intensity:.4g} % of rMT"
    between = train.frequency not in table.rows or intensity not in table.intensities
    looked_up = "the stricter entry beside it; " if between else ""
    where = f"{looked_up}{table.name}; {table.source}; {table.mark}, unverified"
    entry = table.limit(train.frequency, intensity)
    if entry is None:
        text = (
            f"{what}: NO published limit is known here; the table ends at {max(table.rows):g} Hz and "
            f"{table.intensities[-1]:g} % ({table.name}; {table.source}; {table.mark}, unverified)."
        )
        return Finding("unknown", text, table.source, table.mark)
    open_ended, limit = entry.startswith(">"), _seconds(entry)
    if train.train_duration <= limit * (1.0 + 1e-9):
        text = f"{what} is within the tabulated limit of {limit:g} s ({where}); {_CLEARANCE}."
        return Finding("within", text, table.source, table.mark)
    if open_ended:
        text = f"{what} is longer than any that was tabulated, {limit:g} s: NO published limit is known here ({where})."
        return Finding("unknown", text, table.source, table.mark)
    return Finding("exceeds", f"{what} EXCEEDS the tabulated {limit:g} s ({where}).", table.source, table.mark)


def _pause(train: PulseTrain, intensity: float) -> Finding:
    """Hold the pause between trains against what Chen et al. tried."""
    pause = train.inter_train_interval
    what = f"Pause of {pause:g} s between trains"
    milder = train.frequency <= 20.0 and intensity <= 110.0 and train.train_duration <= 1.6 * (1.0 + 1e-9)
    if pause <= 1.0 and intensity > 100.0:
        text = (
            f"{what} EXCEEDS what is advised: 1 s and less was unsafe for trains of 1.6 s at 20 Hz above 100 % of the "
            f"motor threshold ({_CHEN}; seen)."
        )
        return Finding("exceeds", text, _CHEN, "seen")
    if pause >= 5.0 and milder and train.trains <= 10:
        text = (
            f"{what} is within what was tolerated by ten persons, 5 s for ten trains of 1.6 s at 20 Hz and 110 % "
            f"({_CHEN}; seen); {_CLEARANCE}."
        )
        return Finding("within", text, _CHEN, "seen")
    text = (
        f"{what}: NO published limit is known here for {train.trains} trains of {train.train_duration:.3g} s at "
        f"{train.frequency:g} Hz and {intensity:.4g} %; tried were ten of 1.6 s at 20 Hz and 110 % with 5 s "
        f"({_CHEN}; seen)."
    )
    return Finding("unknown", text, _CHEN, "seen")


def _around(values: tuple[float, ...], wanted: float) -> tuple[float, ...]:
    """Return the value itself, both neighbours of what lies between two, or the first; none above the last."""
    if wanted > values[-1]:
        return ()
    if wanted in values or wanted < values[0]:
        return (max(wanted, values[0]),)
    after = next(index for index, value in enumerate(values) if value > wanted)
    return values[after - 1], values[after]


def _seconds(entry: str) -> float:
    """Return the number of an entry."""
    return float(entry.removeprefix(">"))
