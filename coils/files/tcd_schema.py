"""Walk through the JSON of a .tcd and check it: each fault is one sentence that names its place.

The rules are those of the published schema (draft 2020-12, `simnibs.github.io/coil_model.schema.json`), checked by
hand, so that no validator is needed and every message is for people.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np

from coils.files.limits import brief

__all__ = ["FAR", "MOST_BYTES", "Budget", "Node", "parse"]

# Real files have 1 to 3 MB. A Python list takes some 60 bytes and a number some 30 where the text has two or three, so
# lists and commas are counted before the text is parsed.
MOST_BYTES = 1 << 26
_MOST_BRACKETS = 2_000_000
_MOST_COMMAS = 8_000_000

# Beyond this (mm or degrees, A m^2, T m) a number is no part of a coil, and sums of squares would not stay finite.
FAR = 1e4


@dataclass
class Budget:
    """What the binary arrays of one file may still unpack to (bytes)."""

    left: int = 1 << 27


def parse(raw: bytes, file: str) -> Node:
    """Parse JSON with bounded memory.

    Parameters
    ----------
    raw : bytes
        Content of the file.
    file : str
        Its name in messages.

    Returns
    -------
    Node
        The top of the tree.

    Raises
    ------
    ValueError
        If the text is not JSON in UTF-8, has keys twice, NaN or infinity, nests too deep or holds too many values.
    """
    for signs, most, what in ((b"[{", _MOST_BRACKETS, "lists and objects"), (b",", _MOST_COMMAS, "commas")):
        count = sum(raw.count(bytes([sign])) for sign in signs)
        if count > most:
            raise ValueError(f"{file} must have at most {most:,} {what}; got {count:,}. Store arrays as base64.")

    def constant(text: str) -> NoReturn:
        raise ValueError(f"{file} must hold finite numbers; got {text}.")

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for index, key in enumerate(keys) if key in keys[:index])
            raise ValueError(f"{file} must have each key once in an object; got {brief(twice)} twice.")
        return found

    try:
        value = json.loads(raw.decode("utf-8-sig"), parse_constant=constant, object_pairs_hook=unique)
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} must be JSON in UTF-8; got another byte at position {error.start}.") from None
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{file} must be JSON; got a fault at line {error.lineno}, column {error.colno} ({error.msg}). "
            "Was the file cut off?"
        ) from None
    except RecursionError:
        raise ValueError(f"{file} must nest a few levels deep at most; got more than the parser can follow.") from None
    except ValueError as error:
        if str(error).startswith(file):
            raise
        raise ValueError(f"{file} must hold numbers of bearable length; got one of thousands of digits.") from None
    return Node(value, "", file, Budget())


@dataclass(frozen=True)
class Node:
    """A value in the file with its place, so that each check can say where it failed.

    Parameters
    ----------
    value : object
        As JSON has it.
    where : str
        Its path, such as ``coilElementList[2].values``; empty at the top.
    file : str
        Name of the file.
    budget : Budget
        Shared by all nodes of a file.
    """

    value: object
    where: str
    file: str
    budget: Budget = field(repr=False)

    @property
    def label(self) -> str:
        """Place and file, for messages."""
        return f"{self.where} of {self.file}" if self.where else self.file

    def fail(self, wanted: str, got: str | None = None, hint: str = "") -> NoReturn:
        """Raise `ValueError`: the place must be what is wanted; got what it is."""
        text = got if got is not None else brief(self.value)
        raise ValueError(f"{self.label} must be {wanted}; got {text}.{' ' + hint if hint else ''}")

    def fields(self, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, Node]:
        """Return the members of an object by key; unknown and missing keys are faults."""
        if not isinstance(self.value, dict):
            self.fail("an object", _kind(self.value))
        known = (*required, *optional)
        for key in self.value:
            if key not in known:
                self.fail(f"an object of the keys {', '.join(known)}", f"the unknown key {brief(key)}")
        for key in required:
            if key not in self.value:
                self.fail(f"an object with the key {key}", f"the keys {', '.join(self.value) or 'none'}")
        prefix = f"{self.where}." if self.where else ""
        return {key: Node(value, prefix + key, self.file, self.budget) for key, value in self.value.items()}

    def items(self, least: int, most: int = 1000) -> list[Node]:
        """Return the members of a list of `least` to `most`."""
        if not isinstance(self.value, list):
            self.fail("a list", _kind(self.value))
        if not least <= len(self.value) <= most:
            wanted = f"a list of {least}" if least == most else f"a list of {least} to {most}"
            self.fail(wanted, str(len(self.value)))
        return [Node(item, f"{self.where}[{i}]", self.file, self.budget) for i, item in enumerate(self.value)]

    def text(self) -> str:
        """Return a text."""
        if not isinstance(self.value, str):
            self.fail("a text", _kind(self.value))
        return self.value

    def number(self, *, positive: bool = False) -> float:
        """Return a finite number."""
        if isinstance(self.value, bool) or not isinstance(self.value, (int, float)):
            self.fail("a number", _kind(self.value))
        try:
            number = float(self.value)
        except OverflowError:
            self.fail("a finite number")
        if not np.isfinite(number):
            self.fail("a finite number")
        if positive and number <= 0.0:
            self.fail("a positive number")
        return number

    def numbers(self, count: int) -> list[float]:
        """Return a list of `count` numbers of bearable size (mm or degrees)."""
        found = [item.number() for item in self.items(count, count)]
        if max(map(abs, found)) > FAR:
            self.fail(f"numbers up to {FAR:g} mm or degrees", hint="Are the units right?")
        return found

    def index(self, count: int, of: str) -> int:
        """Return an index into a list of `count`."""
        number = self.number()
        if number != int(number):
            self.fail("a whole number")
        if not 0 <= number < count:
            known = f"an index from 0 to {count - 1}, the last of {of}" if count else f"left out, as {of} is empty"
            self.fail(known)
        return int(number)


def _kind(value: object) -> str:
    """Name a JSON value's kind with a short text of it."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "a truth value", type(None): "null"}
    name = names.get(type(value), "a number")
    return f"{name}, {brief(value)}" if not isinstance(value, (dict, list)) else f"{name} of {len(value)}"
