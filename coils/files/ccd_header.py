"""The first line of a .ccd file: what it says, and how to say it so that SimNIBS understands it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal

from coils.files.limits import brief

__all__ = ["NUMBER", "Header", "move_point", "shifted"]

# SimNIBS takes a value with a point for a number, one of digits for a whole number and one with a comma for a list, and
# splits the line at semicolons and equal signs: a text with one of these it cannot read.
_UNSAFE = re.compile(r"[.,;=]|^\d*$|^none$", re.IGNORECASE)

# "D70.ccd version 1.0 number of elements"
_DESCRIPTION = re.compile(r"(?P<name>.*)\bversion\s+(?P<version>\d+\.\d+)")

# A finite decimal number. Each text fits in one way only, so that no text takes long to be refused.
NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,9})?"
_NUMBER = re.compile(NUMBER)


def shifted(number: str, places: int) -> float:
    """Convert a decimal number to a float with its point moved, without a rounding of its own.

    0.0995 m is 99.5 mm, while ``0.0995 * 1e3`` need not be: so lengths survive the way through a file in metres.

    Parameters
    ----------
    number : str
        A plain number.
    places : int
        By how many places to the right.

    Returns
    -------
    float
        Infinite or zero if it is out of range.

    Raises
    ------
    ValueError
        If `number` is none: not "nan", "inf" or with underscores either.

    Examples
    --------
    >>> shifted("-9.95e-2", 3), shifted("114.73", 6)
    (-99.5, 114730000.0)
    """
    if not _NUMBER.fullmatch(number):
        raise ValueError(f"number must be a finite decimal number; got {brief(number)}.")
    return move_point(number, places)


def move_point(number: str, places: int) -> float:
    """Do the work of `shifted` for a text that is known to fit `NUMBER`."""
    mantissa, _, exponent = number.lower().partition("e")
    return float(f"{mantissa}e{int(exponent or 0) + places}")


@dataclass(frozen=True, kw_only=True)
class Header:
    """What the header of a .ccd file says; None or () where it says nothing.

    Parameters
    ----------
    name : str or None
        Name of the coil.
    stimulator, brand : str or None
        What drives it, and who made it.
    max_didt : tuple of float
        Greatest rate of change of the current (A/s), one per stimulator.
    displayed_didt : float or None
        What the stimulator shows at its greatest output (A/s).
    limits : tuple of (float, float)
        Box in which SimNIBS samples the potential, lowest and highest x, y and z (mm, coil frame).
    resolution : tuple of float
        Spacing of those samples along x, y and z (mm).
    version : str or None
        Version of the format.
    """

    name: str | None = None
    stimulator: str | None = None
    brand: str | None = None
    max_didt: tuple[float, ...] = ()
    displayed_didt: float | None = None
    limits: tuple[tuple[float, float], ...] = ()
    resolution: tuple[float, ...] = ()
    version: str | None = None

    @classmethod
    def parse(cls, line: str, file: str) -> Header:
        """Read a header.

        Parameters
        ----------
        line : str
            First line of the file, with or without its "#"; may be empty or free text, as in old files.
        file : str
            Name of the file in messages.

        Returns
        -------
        Header

        Raises
        ------
        ValueError
            If a key stands twice, or the value of a known key is no number where it should be one.

        Examples
        --------
        >>> header = Header.parse("# D70.ccd version 1.0;dIdtmax=114.73;x=-300,300;y=200;z=-9,9;brand=none", "D70.ccd")
        >>> header.name, header.max_didt, header.brand, header.limits
        ('D70', (114730000.0,), None, ((-300.0, 300.0), (-200.0, 200.0), (-9.0, 9.0)))
        """
        description, *pairs = line.removeprefix("#").strip().split(";")
        given = _pairs(pairs, file)
        match = _DESCRIPTION.match(description)
        # A description without a version is the free text of old files, no name.
        name = match["name"].strip().removesuffix(".ccd") if match else None
        rates = _numbers(given, "dIdtmax", file, places=6, positive=True)
        displayed = _numbers(given, "dIdtstim", file, places=6, positive=True)
        spacing = _numbers(given, "resolution", file, positive=True)
        sides = [_side(_numbers(given, axis, file), axis, file) for axis in "xyz"]
        return cls(
            name=given.get("coilname") or name or None,
            stimulator=given.get("stimulator"),
            brand=given.get("brand"),
            max_didt=rates,
            displayed_didt=displayed[0] if displayed else None,
            limits=tuple(side for side in sides if side) if all(sides) else (),
            resolution=(spacing + 2 * spacing[-1:])[:3],
            version=match["version"] if match else None,
        )

    def line(self) -> str:
        """Return the header as SimNIBS reads it.

        Returns
        -------
        str
            A line that begins with "#", without its end.

        Raises
        ------
        ValueError
            If the name has a semicolon or a line break, or the stimulator or brand a character that would make SimNIBS
            take it for something else.
        """
        name = self.name or ""
        if not name.isprintable() or ";" in name or name != name.strip():
            raise ValueError(
                f"name must be printable and without ';' in a .ccd file; got {brief(name)}. "
                "Rename the coil with dataclasses.replace(coil, name=...)."
            )
        parts = [f"# {name}.ccd version 1.1"]
        if self.max_didt:
            parts.append("dIdtmax=" + ",".join(_plain(rate, -6) for rate in self.max_didt))
        if self.displayed_didt is not None:
            parts.append(f"dIdtstim={_plain(self.displayed_didt, -6)}")
        for key, text in (("stimulator", self.stimulator), ("brand", self.brand)):
            if text and (_UNSAFE.search(text) or not text.isprintable() or text != text.strip()):
                raise ValueError(
                    f"{key} must be printable and without any of . , ; = in a .ccd file, where SimNIBS would misread "
                    f"it; got {brief(text)}. Write a .tcd file, which holds any text."
                )
            if text:
                parts.append(f"{key}={text}")
        if not _UNSAFE.search(name):  # otherwise the first part alone names the coil
            parts.append(f"coilname={name}")
        return ";".join(parts) + ";"


def _pairs(pairs: list[str], file: str) -> dict[str, str]:
    """Return the keys, in lower case, with values that say something."""
    found: dict[str, str] = {}
    for pair in pairs:
        key, separator, value = (part.strip() for part in pair.partition("="))
        if not separator:
            continue  # free text
        if key.lower() in found:
            raise ValueError(f"header of {file} must give {brief(key)} once; got it twice.")
        found[key.lower()] = value
    return {key: value for key, value in found.items() if value and value.lower() != "none"}


def _numbers(
    given: dict[str, str], key: str, file: str, *, places: int = 0, positive: bool = False
) -> tuple[float, ...]:
    """Return the numbers of a key, separated by commas, with their points moved; none if it is not there."""
    text = given.get(key.lower())
    if text is None:
        return ()
    try:
        numbers = tuple(shifted(part.strip(), places) for part in text.split(","))
        if not all(math.isfinite(number) and (number > 0.0 or not positive) for number in numbers):
            raise ValueError
    except ValueError:
        kind = "positive numbers" if positive else "numbers"
        raise ValueError(f"{key} in the header of {file} must be {kind}; got {brief(text)}.") from None
    return numbers


def _side(numbers: tuple[float, ...], axis: str, file: str) -> tuple[float, float] | None:
    """Return lowest and highest value along an axis; one number alone means plus and minus."""
    if not numbers:
        return None
    low, high = (-abs(numbers[0]), abs(numbers[0])) if len(numbers) == 1 else (numbers[0], numbers[1])
    if len(numbers) > 2 or not low < high:
        raise ValueError(f"{axis} in the header of {file} must be its lowest and highest value; got {list(numbers)}.")
    return low, high


def _plain(number: float, places: int) -> str:
    """Return a float as plain decimals with its point moved and at least one digit after it."""
    text = format(Decimal(repr(float(number))).scaleb(places), "f")
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals.rstrip('0') or '0'}"
