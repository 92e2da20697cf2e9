"""Talk to the person at the terminal: progress and errors on stderr, results on stdout."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

__all__ = ["Stages", "complaints", "show_facts", "stages"]

# Exit codes: 2 for input that cannot be used (as the option parser does), 1 for a fault of the program.
BAD_INPUT = 2
FAULT = 1


def out() -> Console:
    """Return a console for results; made anew, so that tests can redirect the stream."""
    return Console(highlight=False, soft_wrap=False)


def err() -> Console:
    """Return a console for progress and errors."""
    return Console(stderr=True, highlight=False)


@contextmanager
def complaints() -> Iterator[None]:
    """Turn errors into one sentence on stderr and an exit code; no traceback.

    ValueError, TypeError and OSError come from what was asked for and end with code 2; all others are faults of the
    program and end with code 1. With the environment variable EFIELD_DEBUG set, the traceback is shown instead.
    """
    try:
        yield
    except typer.Exit:
        raise
    except KeyboardInterrupt:
        err().print("Stopped; no result was written.")
        raise typer.Exit(130) from None
    except Exception as error:
        if os.environ.get("EFIELD_DEBUG"):
            raise
        expected = isinstance(error, ValueError | TypeError | OSError)
        kind = "Error" if expected else f"Internal error ({type(error).__name__}; EFIELD_DEBUG=1 shows where)"
        err().print(f"[bold red]{kind}:[/] ", end="")
        err().print(" ".join(str(error).split()) or type(error).__name__, markup=False)
        raise typer.Exit(BAD_INPUT if expected else FAULT) from None


class Stages:
    """Progress by named stages; a stage ends when the next one begins.

    Parameters
    ----------
    progress : rich.progress.Progress
        Running display.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._name = ""
        self._task = progress.add_task("", total=None, visible=False)
        self._began = time.perf_counter()

    def __call__(self, name: str, done: int = 0, total: int = 0) -> None:
        """Report that `done` of `total` steps of a stage are done; a total of 0 means that it is not known."""
        if name != self._name:
            self.finish()
            self._name, self._began = name, time.perf_counter()
            self._task = self._progress.add_task(name, total=total or None)
        self._progress.update(self._task, completed=done, total=total or None)

    def finish(self) -> None:
        """End the current stage: leave a line with the time it took."""
        if self._name:
            self._progress.remove_task(self._task)
            took = time.perf_counter() - self._began
            self._progress.console.print(f"[green]✓[/] {self._name} [dim]{took:.1f} s[/]")
            self._name = ""


@contextmanager
def stages() -> Iterator[Callable[..., None]]:
    """Show progress on stderr; yields a callable ``(name, done, total)``."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err(), transient=True) as progress:
        report = Stages(progress)
        yield report
        report.finish()


def show_facts(title: str, facts: Mapping[str, str] | Iterable[tuple[str, str]]) -> None:
    """Print a table of names and values on stdout; names may repeat if they come in pairs."""
    table = Table(
        title=title, title_justify="left", title_style="bold", show_header=False, box=None, padding=(0, 2, 0, 0)
    )
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items() if isinstance(facts, Mapping) else facts:
        table.add_row(name, Text(value))  # not markup: marks stand in [brackets]
    out().print(table)
