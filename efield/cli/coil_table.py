"""Make the README's table of coils: dipoles, moments, limits, inductance, published half values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from efield.cli.coil_lists import error_words, kind_words, moment_words, stimulator_words

if TYPE_CHECKING:
    from coils import Coil

__all__ = ["markdown_table"]

_HEAD = (
    ("coil", "---"),
    ("type", "---"),
    ("dipoles (error)", "---:"),
    ("moment, cm²", "---:"),
    ("max dI/dt, A/µs", "---"),
    ("inductance, µH", "---:"),
    ("published d1/2, cm; S1/2, cm²", "---"),
)


def markdown_table(chosen: Iterable[Coil]) -> str:
    """Return the table of coils in Markdown.

    Parameters
    ----------
    chosen : iterable of Coil
        Coils; for those that have a name, published half values stand in the last column.

    Returns
    -------
    str
        Two lines of head and one per coil.
    """
    lines = ["| " + " | ".join(name for name, _ in _HEAD) + " |", "|" + "|".join(rule for _, rule in _HEAD) + "|"]
    for coil in chosen:
        limit = "" if coil.max_didt is None else f"{coil.max_didt / 1e6:.1f} {stimulator_words(coil)}".strip()
        cells = (
            f"`{coil.name}`",
            kind_words(coil),
            f"{coil.n_dipoles} ({error_words(coil)})" if coil.n_dipoles else "",
            moment_words(coil),
            limit,
            _inductance(coil),
            "; ".join(f"{row.depth / 10.0:.2f}, {row.spread / 100.0:.1f} ({row.source})" for row in _published(coil)),
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _published(coil: Coil) -> list[Any]:
    """Return the published half values of a named coil."""
    from coils import named

    return list(named.published(coil.name)) if coil.name in named.list_coils() else []


def _inductance(coil: Coil) -> str:
    """Return the inductance of the winding; empty without wires."""
    from coils.inductance import inductance

    return f"{1e6 * inductance(coil):.1f}" if coil.wires else ""
