"""Say how certain a fact is, in one word that goes with it wherever it is shown."""

from __future__ import annotations

from typing import Literal, get_args

from meshes import arrays

__all__ = ["MARKS", "Mark", "check_mark"]

Mark = Literal["seen", "computed", "recalled", "assumed"]

MARKS: dict[str, str] = {
    "seen": "read in the named source",
    "computed": "computed with this program, or from figures of the named source",
    "recalled": "given from memory, not confirmed: verify before use",
    "assumed": "chosen by the authors of this program, for want of a figure",
}
"""What each mark means."""


def check_mark(mark: str) -> str:
    """Return a mark, or raise ValueError if there is no such.

    Examples
    --------
    >>> check_mark("seen")
    'seen'
    """
    return arrays.choice(mark, "mark", get_args(Mark))
