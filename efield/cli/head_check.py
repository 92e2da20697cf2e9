"""Run ``efield head check``: print the report of a head, draw its cuts."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.table import Table
from rich.tree import Tree

from efield.cli.simulate import _triple as triple
from efield.cli.terminal import err, out

if TYPE_CHECKING:
    from meshes.files.parts import Parts
    from meshes.report import HeadReport

__all__ = ["run"]

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "bold red"}
FAILED = 1


def run(
    text: str,
    *,
    png: Path | None,
    picture: bool,
    json_file: Path | None,
    point: str | None,
    resolution: str | None,
    labels: str | None,
    verbose: bool,
) -> None:
    """Print the report; exit with code 1 if a line fails.

    Raises
    ------
    ValueError, OSError
        If there is no such head or file, or it holds no surfaces.
    """
    from meshes.report import report_of

    where = None if point is None else triple(point, "--point")
    parts = open_parts(text, resolution, labels)
    report = report_of(parts)
    show(report, verbose=verbose)
    if json_file is not None:
        json_file.write_text(json.dumps(report.to_dict(), indent=1, allow_nan=False) + "\n")
        err().print(f"Numbers written to {json_file}", markup=False)
    if picture or png is not None:
        from efield.viewer.head_cuts import save_cuts

        target = png or Path(f"{'-'.join(parts.name.split())}-cuts.png")
        save_cuts(parts, report, target, point=where)
        err().print(f"Cuts drawn in {target}", markup=False)
    if not report.ok:
        raise typer.Exit(FAILED)


def open_parts(text: str, resolution: str | None, labels: str | None = None) -> Parts:
    """Return the surfaces of a head by name, or of a file or folder, unchecked."""
    from efield.cli.names import open_head, say_notes
    from meshes.files.parts import parts_of, read_parts

    if not Path(text).exists():
        if labels is not None:
            raise ValueError(f"--labels must be left out but for a label volume; got {labels!r} with {text}.")
        return parts_of(open_head(text, resolution=resolution))
    if resolution is not None:
        raise ValueError(f"--resolution must be left out for a file; got {resolution!r} with {text}.")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        parts = read_parts(text, labels=labels)
    say_notes(caught)
    return parts


def show(report: HeadReport, *, verbose: bool) -> None:
    """Print a report on stdout."""
    console = out()
    console.print(_surfaces(report))
    console.print(_tree(report))
    if report.pairs:
        console.print(_pairs(report))
    shown = [finding for finding in report.findings if verbose or finding.verdict != "ok"]
    if shown:
        table = Table(title="Findings", title_justify="left", box=None, padding=(0, 1, 0, 0), show_header=False)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for one in sorted(shown, key=lambda finding: ("fail", "warn", "ok").index(finding.verdict)):
            colour = _COLOURS[one.verdict]
            subject, check, found, criterion = map(_plain, (one.subject, one.check, one.found, one.criterion))
            table.add_row(f"[{colour}]{one.verdict}[/]", f"[bold]{subject}[/], {check}: {found}\n[dim]{criterion}[/]")
        console.print(table)
    count = {verdict: sum(one.verdict == verdict for one in report.findings) for verdict in _COLOURS}
    colour = _COLOURS[report.verdict]
    console.print(
        f"[{colour}]{_plain(report.name)}: {report.verdict}[/] ({count['fail']} fail, {count['warn']} warn, "
        f"{count['ok']} ok)"
    )


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _table(title: str, first: str, columns: tuple[str, ...]) -> Table:
    """Return a table with room for a head's surfaces in 80 columns."""
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    table.add_column(first, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _surfaces(report: HeadReport) -> Table:
    title = f"Surfaces of {_plain(report.name)} (median edge in mm; aspect of 99.9 % of the triangles)"
    columns = ("triangles", "closed", "pieces", "handles", "cm²", "cm³", "edge", "aspect", "crossing")
    table = _table(title, "surface", columns)
    for one in report.surfaces:
        table.add_row(
            _plain(one.name),
            str(one.n_triangles),
            "yes" if one.is_closed else "no",
            str(one.pieces),
            "-" if one.genus is None else str(one.genus),
            f"{one.area / 100.0:.4g}",
            f"{one.volume / 1000.0:.4g}",
            f"{one.edges[2]:.2f}",
            f"{one.aspect[1]:.1f}",
            str(one.crossings.count),
        )
    return table


def _pairs(report: HeadReport) -> Table:
    columns = ("gap mm", "at (mm)", "crossing", "coarse %", "edge/gap")
    table = _table("Gaps between neighbours (coarse: % of the area; edge/gap: worst)", "surfaces", columns)
    for pair in report.pairs:
        if pair.touching:
            table.add_row(f"{_plain(pair.inner)} and {_plain(pair.outer)}", "touch")
            continue
        place = "" if pair.gap_place is None else ", ".join(f"{x:.0f}" for x in pair.gap_place)
        table.add_row(
            f"{_plain(pair.inner)} {'in' if pair.nested else 'beside'} {_plain(pair.outer)}",
            f"{pair.gap:.2f}",
            place,
            str(pair.crossings.count),
            f"{100.0 * pair.coarse:.1f}",
            f"{pair.ratio:.1f}",
        )
    return table


def _tree(report: HeadReport) -> Tree:
    """Return which surface lies in which."""
    tree = Tree("Nesting")
    branches: dict[str | None, Tree] = {None: tree}
    waiting = dict(report.parents)
    while waiting:
        for name, parent in list(waiting.items()):
            if parent in branches:
                branches[name] = branches[parent].add(_plain(name))
                del waiting[name]
    return tree
