"""Build the page from a result, and write it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from efield.dose import Dose, dose_of
from efield.page import facts
from efield.page.pictures import data_uris
from efield.page.scalp_map import scalp_map
from efield.page.sections import Section
from efield.targeting.bearings import clock
from efield.targeting.words import PoseInWords, pose_in_words

if TYPE_CHECKING:
    from efield.targeting import SearchResult

__all__ = ["PAGE", "SUMMARY", "Page", "build"]

PAGE, SUMMARY = "report.html", "summary.json"
"""What the page and its numbers are called in a result folder."""

_FIGURE = (
    "Four views of the coil at its best place. A: the head cut open under it. B: the cortex from the coil, coloured "
    "by the magnitude of the electric field. C: a slice through target and coil. D: the map of the search."
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Page:
    """A page about the result of a search.

    Attributes
    ----------
    title : str
        What was looked for.
    subtitle : str
        Head and coil.
    words : PoseInWords
        The pose as a person can follow it.
    sections : tuple of Section
        The tables, in the order of the page; those of other parts of the program are among them.
    figure : bytes or None
        A PNG file.
    problem : str
        What the figure lacks and why; empty if nothing.
    drawing : str
        The map of the scalp, SVG.
    command : str
        How to get the same result again.
    data : mapping
        Every number of the page but those of the sections, ready for JSON.
    """

    title: str
    subtitle: str
    words: PoseInWords
    sections: tuple[Section, ...]
    figure: bytes | None
    warnings: tuple[str, ...]
    problem: str
    drawing: str
    command: str
    wanted: str
    data: Mapping[str, Any]

    @property
    def cards(self) -> tuple[tuple[str, str], ...]:
        """What one wants to know first: name and text."""
        dose, field = self.data["dose"], self.data["field_at_1_A_per_us"]
        wanted = f"for {self.wanted}"
        if dose["mso_percent"] is not None:
            wanted += f": {dose['mso_percent']:.0f} % of {dose['stimulator']}"
        return (
            ("coil's centre on the scalp", self.words.short),
            (f"handle, {self.words.handle.twelve} at 12 o'clock", f"at {clock(self.words.handle.angle)}"),
            ("at the target, at 1 A/µs", f"{field['at_target_V_per_m']:#.3g} V/m"),
            (wanted, f"{dose['didt_A_per_s'] / 1e6:.1f} A/µs"),
        )

    @cached_property
    def html(self) -> str:
        """The page: HTML 5, with its style and its pictures inside and without scripts."""
        from jinja2 import Environment, StrictUndefined  # here, so that importing the package loads no jinja2
        from markupsafe import Markup

        folder = files("efield.page")
        environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        template = environment.from_string(folder.joinpath("template.html.j2").read_text(encoding="utf-8"))
        pictures = [self.figure, *(section.picture for section in self.sections)]
        uris = iter(data_uris([picture for picture in pictures if picture is not None]))
        places = [next(uris) if picture is not None else None for picture in pictures]
        return template.render(
            page=self,
            style=Markup(folder.joinpath("style.css").read_text(encoding="utf-8")),
            drawing=Markup(self.drawing),
            figure=places[0],
            figure_alt=_FIGURE,
            sections=list(zip(self.sections, places[1:], strict=True)),
            matrix=_matrix(self.data["pose"]["matrix_coil_to_head_mm"]),
            caveats=facts.CAVEATS,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return every number of the page, and its texts, as plain data for JSON."""
        return {
            **self.data,
            "in_words": self.words.as_dict(),
            "page": {
                "title": self.title,
                "subtitle": self.subtitle,
                "sections": [section.as_dict() for section in self.sections],
                "figure": _FIGURE if self.figure is not None else None,
                "warnings": list(self.warnings),
                "problem": self.problem or None,
                "repeat": self.command,
                "caveats": list(facts.CAVEATS),
            },
        }

    def write(self, folder: str | os.PathLike[str]) -> None:
        """Write report.html and summary.json; each is there whole or not at all.

        Parameters
        ----------
        folder : str or path
            A folder that exists; a summary.json that is there, as from ``SearchResult.save``, is replaced.

        Raises
        ------
        OSError
            If the folder does not exist or cannot be written.
        """
        target = Path(folder)
        if not target.is_dir():
            raise FileNotFoundError(f"folder must exist; got {target}. Make it, or save the result there first.")
        texts = {PAGE: self.html, SUMMARY: json.dumps(self.as_dict(), indent=2, allow_nan=False) + "\n"}
        with tempfile.TemporaryDirectory(dir=target, prefix=".writing-") as draft:
            for name, text in texts.items():
                Path(draft, name).write_text(text, encoding="utf-8")
            for name in texts:  # the summary last: where it is, the result is whole
                os.replace(Path(draft, name), target / name)


def build(
    result: SearchResult,
    *,
    field: float = 60.0,
    figure: bytes | str | os.PathLike[str] | None = None,
    problem: str | None = None,
    sections: Sequence[Section] = (),
    dose: Dose | None = None,
    warnings: Sequence[str] = (),
    command: str = "",
    positions: Mapping[str, ArrayLike] | None = None,
) -> Page:
    """Build the page about the result of a search.

    Parameters
    ----------
    result : SearchResult
        From `efield.optimize`.
    field : float, optional
        Wanted field at the target (V/m).
    figure : bytes or path, optional
        A PNG file, as `efield.viewer.save_figure` writes it; without one the page says that there is none.
    problem : str, optional
        Why the figure is missing or incomplete, in a sentence.
    sections : sequence of Section, optional
        What other parts of the program have to say; they follow the page's own tables of the field.
    dose : Dose, optional
        The dose to put first; by default that for `field`.
    warnings : sequence of str, optional
        What to say at the top.
    command : str, optional
        The command line that gave the result; by default the lines of Python that do.
    positions : mapping of str to array_like, shape (3,), optional
        Positions of the 10-10 system on the scalp (mm), if the head's own landmarks are not to be used.

    Returns
    -------
    Page

    Raises
    ------
    ValueError
        If `field` is not positive, the figure is no PNG file, or `sections` holds something else.
    OSError
        If the figure cannot be read.
    """
    for section in sections:
        if not isinstance(section, Section):
            raise ValueError(f"sections must hold page.Section; got {type(section).__name__}.")
    words = pose_in_words(result.head, result.coil, result.pose, positions=positions)
    wanted = dose_of(result, field=field) if dose is None else dose
    data = _data(result, wanted)
    picture = figure if isinstance(figure, bytes) or figure is None else Path(figure).read_bytes()
    own = [facts.target(data), facts.pose(data, words), facts.found(data), facts.dose(wanted)]
    rest = [facts.search(data), facts.accuracy(data)]
    return Page(
        title=f"Coil placement for {result.name or 'the target'}",
        subtitle=f"{result.coil.name} on the head {result.head.name} ({result.head.resolution})",
        words=words,
        sections=(*own, *sections, *rest, facts.provenance(data)),
        figure=None if picture is None else Section("figure", picture=picture, alt=_FIGURE).picture,
        warnings=tuple(warnings),
        problem=problem or ("" if picture is not None else "No figure was asked for."),
        drawing=scalp_map(result, words),
        command=command or _python(result),
        wanted=wanted.what,
        data=data,
    )


def _data(result: SearchResult, wanted: Dose) -> dict[str, Any]:
    """Return the result's own numbers and what the page adds to them."""
    data = result.as_dict(field=wanted.field)
    data["dose"] |= wanted.as_dict()
    data["search"]["positions"] = len(result.table["position"])
    values = result.table["value"]
    reached = values[np.isfinite(values)]  # elsewhere the coil cannot go, or the objective forbids it
    data["search"]["least_value_of_a_position"] = float(reached.min()) if len(reached) else None
    data["search"]["greatest_value_of_a_position"] = float(reached.max()) if len(reached) else None
    data["conductivities"] = facts.conductivities_of(result.head)
    return data


def _matrix(rows: Sequence[Sequence[float]]) -> str:
    """Write a matrix so that Python and MATLAB read it when it is copied."""
    lines = ["[" + ", ".join(f"{value + 0.0: .6f}" for value in row) + "]" for row in rows]
    return "[" + ",\n ".join(lines) + "]"


def _python(result: SearchResult) -> str:
    """Return the lines of Python that find the same placement."""
    settings = {key: result.settings[key] for key in ("radius_mm", "spacing_mm", "angle_step_deg", "tilt_deg")}
    options = ", ".join(f"{key.rsplit('_', 1)[0]}={value:g}" for key, value in settings.items())
    targets = ", ".join(
        f"efield.Target(position={[round(float(value), 3) for value in target.position]}, radius={target.radius:g})"
        for target in result.targets
    )
    return (
        "import coils, efield, meshes\n"
        f"head = meshes.load_head({result.head.name!r}, resolution={result.head.resolution!r})\n"
        f"coil = coils.load_coil({result.coil.name!r})\n"
        f"targets = [{targets}]  # or Target.named(...)\n"
        f"best = efield.optimize(efield.BemSolver(head), coil, targets, distance={result.distance:g}, {options})"
    )
