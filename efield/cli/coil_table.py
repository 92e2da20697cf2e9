"""Make the README's table of coils: dipoles, moments, limits, inductance, half values beside published ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

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
    ("d1/2, cm (published)", "---:"),
    ("S1/2, cm² (published)", "---:"),
)


def markdown_table(chosen: Iterable[Coil]) -> str:
    """Return the table of coils in Markdown.

    Parameters
    ----------
    chosen : iterable of Coil
        Coils; for those that have a name, half values stand beside the published ones.

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
            *_half_values(coil),
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _half_values(coil: Coil) -> tuple[str, str]:
    """Return d1/2 and S1/2 of a named coil in the set-up of each published row, the published ones in brackets."""
    from coils import named
    from efield.coil_validation import published_set_up

    if coil.name not in named.list_coils() or coil.checksum != named.load_coil(coil.name).checksum:
        return "", ""  # a file's coil may have the name of another
    depths, spreads = [], []
    for row in named.published(coil.name):
        found = published_set_up(coil.name, row)
        depths.append(f"{found.depth / 10.0:.2f} ({row.depth / 10.0:.2f} {row.source})")
        spreads.append(f"{found.spread / 100.0:.1f} ({row.spread / 100.0:.1f} {row.source})")
    return ", ".join(depths), ", ".join(spreads)


def _inductance(coil: Coil) -> str:
    """Return the inductance of the winding; empty without wires."""
    from coils.inductance import inductance

    return f"{1e6 * inductance(coil):.1f}" if coil.wires else ""
