"""Combine named sources of error into an interval around a dose, in closed form."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

from efield.dose.marks import Mark, check_mark
from meshes import arrays

__all__ = ["Component", "Interval", "Quantity", "interval", "placement_spread", "spread"]

Quantity = Literal["field", "didt", "mso", "percent"]
"""What a dose tells: V/m at the target, A/s, % of the maximum stimulator output, % of the measured threshold."""

QUANTITIES: tuple[Quantity, ...] = ("field", "didt", "mso", "percent")


@dataclass(frozen=True)
class Component:
    """One source of error.

    Parameters
    ----------
    name : str
        In a few words.
    sd : float
        Standard deviation of the natural logarithm; for small errors the relative standard deviation (0.05 is 5 %).
    of : tuple of {"field", "didt", "mso", "percent"}
        The quantities that it enters; in the others it cancels.
    mark : {"seen", "computed", "recalled", "assumed"}
        How certain `sd` is; see `MARKS`.
    source : str
        Where `sd` comes from.

    Raises
    ------
    ValueError
        If `sd` is negative, or another argument is none of those named.

    Examples
    --------
    >>> Component("stimulator", 0.04, ("mso",), "computed", "25 measured pairs").sd
    0.04
    """

    name: str
    sd: float
    of: tuple[Quantity, ...]
    mark: Mark
    source: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "sd", arrays.non_negative(self.sd, "sd"))
        object.__setattr__(self, "of", tuple(arrays.choice(one, "of", QUANTITIES) for one in self.of))
        check_mark(self.mark)

    @property
    def text(self) -> str:
        """Name, size, mark and source in a line."""
        return f"{self.name}: {100.0 * self.sd:.2g} % ({self.mark}: {self.source})"

    def as_dict(self) -> dict[str, Any]:
        """Return the component as plain data."""
        return {
            "name": self.name,
            "sd_of_logarithm": self.sd,
            "enters": list(self.of),
            "mark": self.mark,
            "source": self.source,
        }


@dataclass(frozen=True)
class Interval:
    """Where a quantity lies with some probability.

    Parameters
    ----------
    low, high : float
        Its ends, in the quantity's unit.
    level : float
        The probability, 0.9 for a 90 % interval: half of what is missing lies below, half above.
    """

    low: float
    high: float
    level: float

    @property
    def text(self) -> str:
        """As "39.5 to 51.3", three digits."""
        return f"{_digits(self.low)} to {_digits(self.high)}"

    def as_list(self) -> list[float]:
        """Return both ends."""
        return [self.low, self.high]


def spread(components: Iterable[Component], quantity: Quantity) -> float:
    """Combine the components that enter a quantity, as independent of each other.

    Parameters
    ----------
    components : iterable of Component
        All of them.
    quantity : {"field", "didt", "mso", "percent"}
        Which quantity.

    Returns
    -------
    float
        Standard deviation of its natural logarithm.

    Raises
    ------
    ValueError
        If there is no such quantity.

    Notes
    -----
    A dose is a product of factors, each with a log-normal error of median 1, so the logarithms add and their variances
    with them; no linearisation.

    Examples
    --------
    >>> parts = [Component("a", 0.03, ("mso",), "assumed", ""), Component("b", 0.04, ("mso", "didt"), "assumed", "")]
    >>> round(spread(parts, "mso"), 12), spread(parts, "didt"), spread(parts, "percent")
    (0.05, 0.04, 0.0)
    """
    arrays.choice(quantity, "quantity", QUANTITIES)
    return math.sqrt(sum(one.sd**2 for one in components if quantity in one.of))


def interval(value: float, components: Sequence[Component], quantity: Quantity, level: float) -> Interval:
    """Return the interval around the median of a quantity.

    Parameters
    ----------
    value : float
        The median.
    components : sequence of Component
        Sources of error.
    quantity : {"field", "didt", "mso", "percent"}
        Which quantity it is.
    level : float
        Probability, between 0 and 1.

    Returns
    -------
    Interval
        value exp(-+ z s), z the normal quantile of (1 + level) / 2 and s from `spread`.

    Raises
    ------
    ValueError
        If `level` is not between 0 and 1, or there is no such quantity.

    Examples
    --------
    >>> interval(50.0, [Component("a", 0.1, ("mso",), "assumed", "")], "mso", 0.9).text
    '42.4 to 58.9'
    """
    factor = math.exp(NormalDist().inv_cdf(0.5 + 0.5 * check_level(level)) * spread(components, quantity))
    return Interval(value / factor, value * factor, level)


def placement_spread(low: float, *, level: float = 0.05) -> float:
    """Return the standard deviation that stands for errors of placement, from a low percentile of the field.

    Parameters
    ----------
    low : float
        Share of the planned field that all but `level` of the placements give: 0.92 for a 5th percentile of 92 %.
    level : float, optional
        Which percentile it is, below a half.

    Returns
    -------
    float
        Standard deviation of the logarithm for ``placement=`` of `dose_of` and `MotorThreshold.carried_to`: that of the
        log-normal distribution of median 1 with this percentile. Misplacement mostly loses field, so the interval is
        too wide on the side of too much.

    Raises
    ------
    ValueError
        If `low` is not between 0 and 1, or `level` not between 0 and 0.5.

    Examples
    --------
    >>> round(placement_spread(0.92), 4)
    0.0507
    """
    share, tail = arrays.positive(low, "low"), check_level(level)
    if share > 1.0:
        raise ValueError(f"low must be a share of at most 1; got {share:g}. Use 0.92 for 92 % of the planned field.")
    if tail >= 0.5:
        raise ValueError(f"level must be below 0.5; got {tail:g}. Use 0.05 for the 5th percentile.")
    return -math.log(share) / NormalDist().inv_cdf(1.0 - tail)


def check_level(level: float) -> float:
    """Return a probability between 0 and 1, both excluded."""
    number = arrays.positive(level, "level")
    if number >= 1.0:
        raise ValueError(f"level must be a probability between 0 and 1; got {number:g}. Use 0.9 for 90 %.")
    return number


def _digits(value: float) -> str:
    """Three digits without an exponent."""
    return f"{value:.0f}" if value >= 99.95 else f"{value:#.3g}"
