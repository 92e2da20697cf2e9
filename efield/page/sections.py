"""A part of the page: a heading with a table, a paragraph and a picture, each of them optional."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = ["Section", "Told"]


class Told(Protocol):
    """What can be told as a table: `efield.dose.Dose`, a session plan, the robustness of a placement."""

    def lines(self) -> Iterable[tuple[str, str]]:
        """Return name and text of each line of a table."""

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers as plain data for JSON."""


@dataclass(frozen=True, eq=False)
class Section:
    """One part of the page.

    Parameters
    ----------
    title : str
        Heading.
    rows : iterable of (str, str)
        Name and text of each line of the table.
    text : str, optional
        A paragraph above the table.
    picture : bytes, optional
        A PNG file to show below the table.
    alt : str, optional
        What the picture shows, in words, for those who cannot see it; needed with a picture.
    data : mapping, optional
        The numbers behind the texts, plain data for JSON.

    Raises
    ------
    ValueError
        If there is no title, a row is no pair of texts, or a picture is no PNG file or lacks its words.
    """

    title: str
    rows: tuple[tuple[str, str], ...] = ()
    text: str = ""
    picture: bytes | None = None
    alt: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.title, str) or not self.title.strip():
            raise ValueError(f"title must be a heading; got {self.title!r}.")
        object.__setattr__(self, "rows", _pairs(self.rows, self.title))
        if self.picture is not None:
            if not self.picture.startswith(PNG):
                raise ValueError(f"picture of {self.title!r} must be the bytes of a PNG file; got something else.")
            if not self.alt:
                raise ValueError(f"alt of {self.title!r} must say what the picture shows; got no words.")

    @property
    def is_wide(self) -> bool:
        """Whether the picture is so wide (pixels) that a narrow screen has to show it in parts to be legible."""
        return self.picture is not None and int.from_bytes(self.picture[16:20], "big") > _WIDE

    @classmethod
    def of(cls, title: str, told: Told, *, text: str = "", picture: bytes | None = None, alt: str = "") -> Section:
        """Return the section about something that tells itself: its lines, and its numbers for the JSON.

        Parameters
        ----------
        title : str
            Heading.
        told : Told
            For example a dose, a session plan or the robustness of a placement.
        text, picture, alt
            See `Section`.
        """
        return cls(title, tuple(told.lines()), text=text, picture=picture, alt=alt, data=told.as_dict())

    def as_dict(self) -> dict[str, Any]:
        """Return the section as plain data for JSON, the picture by its words."""
        return {
            "title": self.title,
            "text": self.text,
            "rows": [{"name": name, "text": text} for name, text in self.rows],
            "picture": self.alt or None,
            "data": dict(self.data),
        }


_WIDE = 1000

PNG = b"\x89PNG\r\n\x1a\n"
"""How a PNG file begins."""


def _pairs(rows: Iterable[tuple[str, str]], title: str) -> tuple[tuple[str, str], ...]:
    pairs = tuple(rows.items() if isinstance(rows, Mapping) else rows)
    for row in pairs:
        if len(row) != 2 or not all(isinstance(text, str) for text in row):
            raise ValueError(f"rows of {title!r} must be pairs of texts, name and value; got {row!r}.")
    return tuple((name, text) for name, text in pairs)
