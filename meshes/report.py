"""Report what is right and wrong with a head's surfaces, in words and numbers, whether they are sound or not."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from meshes import verdicts
from meshes.head import HeadModel
from meshes.measures import Place, Spot, SurfaceMeasures, measure_surface
from meshes.neighbours import PairMeasures, crossing_counts, measure_pair, neighbours, nesting
from meshes.surface import Surface

if TYPE_CHECKING:
    from meshes.files.parts import Parts

__all__ = ["Criteria", "Finding", "HeadReport", "inspect", "report_of"]

Verdict = Literal["ok", "warn", "fail"]
HeadLike = HeadModel | Surface | Sequence[Surface] | str | os.PathLike[str]


@dataclass(frozen=True)
class Criteria:
    """What is good enough; below it a report warns.

    Parameters
    ----------
    aspect : float
        Longest edge over shortest height of a triangle, for all but one triangle in a thousand.
    gap : float
        Least distance between two surfaces (mm).
    csf : float
        Least distance between the brain and the skull around it (mm).
    resolution : float
        Longest edge of a triangle over the gap to the next surface there.
    coarse : float
        Share of the area that may be coarser than that.
    """

    aspect: float = 10.0
    gap: float = 0.3
    csf: float = 1.0
    resolution: float = 2.0
    coarse: float = 0.05


@dataclass(frozen=True)
class Finding:
    """One line of a report.

    Parameters
    ----------
    subject : str
        A surface, two ("inner / outer"), or "head".
    check : str
        What was looked at.
    verdict : {"ok", "warn", "fail"}
        "fail": a head is refused with it, or its fields are wrong; "warn": worth a look, fields are less exact.
    found : str
        What was found, with places (mm).
    criterion : str
        What it was held against, and how to mend it.
    value : float, optional
        The number behind `found`.
    place : tuple of float, optional
        Where (mm).
    """

    subject: str
    check: str
    verdict: Verdict
    found: str
    criterion: str
    value: float | None = None
    place: Place | None = None

    def __str__(self) -> str:
        return f"{self.verdict:4s}  {self.subject}: {self.check}: {self.found} ({self.criterion})"


@dataclass(frozen=True, eq=False)
class HeadReport:
    """What is right and wrong with the surfaces of a head.

    Parameters
    ----------
    name : str
        The head's or file's.
    surfaces : tuple of SurfaceMeasures
        In the head's order; the cortex last, if there is one.
    pairs : tuple of PairMeasures
        Surfaces next to each other.
    parents : mapping of str to str or None
        Which surface directly encloses each one.
    findings : tuple of Finding
        The verdicts.
    cortex : str or None
        Name of the cortex among the surfaces, where fields are asked for.
    """

    name: str
    surfaces: tuple[SurfaceMeasures, ...]
    pairs: tuple[PairMeasures, ...]
    parents: Mapping[str, str | None]
    findings: tuple[Finding, ...]
    cortex: str | None = None

    @property
    def verdict(self) -> Verdict:
        """The worst of all findings."""
        found = {finding.verdict for finding in self.findings}
        return "fail" if "fail" in found else "warn" if "warn" in found else "ok"

    @property
    def ok(self) -> bool:
        """Whether nothing fails; there may be warnings."""
        return self.verdict != "fail"

    def failures(self) -> tuple[Finding, ...]:
        """Return the findings that fail."""
        return tuple(finding for finding in self.findings if finding.verdict == "fail")

    def warnings(self) -> tuple[Finding, ...]:
        """Return the findings that warn."""
        return tuple(finding for finding in self.findings if finding.verdict == "warn")

    def to_dict(self) -> dict[str, Any]:
        """Return the report as numbers, texts, lists and dicts, as JSON has them; what is not measured is None."""
        content: dict[str, Any] = _plain(
            {
                "name": self.name,
                "verdict": self.verdict,
                "unit": "mm",
                "cortex": self.cortex,
                "parents": dict(self.parents),
                "surfaces": [asdict(one) for one in self.surfaces],
                "pairs": [asdict(one) for one in self.pairs],
                "findings": [asdict(one) for one in self.findings],
            }
        )
        return content

    def __str__(self) -> str:
        """Return the report as text: one line per surface and pair, and what does not pass."""
        lines = [f"{self.name}: {self.verdict}"]
        for one in self.surfaces:
            genus = "-" if one.genus is None else str(one.genus)
            lines.append(
                f"  {one.name}: {one.n_triangles} triangles, {one.pieces} pieces, genus {genus}, "
                f"{one.area / 100.0:.1f} cm2, {one.volume / 1000.0:.1f} cm3, edges {one.edges[2]:.2f} mm, "
                f"aspect {one.aspect[1]:.1f} (99.9 %), {one.aspect[2]:.1f} (worst)"
            )
        for pair in self.pairs:
            gap = "touch" if pair.touching else f"gap {pair.gap:.2f} mm"
            lines.append(f"  {pair.inner} {'in' if pair.nested else 'beside'} {pair.outer}: {gap}")
        lines += [f"  {finding}" for finding in self.findings if finding.verdict != "ok"]
        return "\n".join(lines)


def inspect(head: HeadLike, *, criteria: Criteria | None = None) -> HeadReport:
    """Look at a head or at surfaces and say what is right and wrong with them.

    Parameters
    ----------
    head : HeadModel, Surface, sequence of Surface, or path-like
        Also surfaces that `HeadModel` refuses; a file or folder is read without its checks
        (`meshes.files.parts.read_parts`).
    criteria : Criteria, optional
        What is good enough.

    Returns
    -------
    HeadReport
        Nothing is raised for what is wrong with the surfaces: ``report.ok`` says whether anything fails, ``print``
        shows it all, ``report.to_dict()`` is for JSON.

    Raises
    ------
    ValueError
        If a file cannot be read or holds no surfaces.
    TypeError
        If `head` is something else.

    Notes
    -----
    Crossings are exact (`meshes.checks.crossing_pairs`). Gaps are distances of vertices and centroids from the other
    surface's triangles. Two walls of one surface, as in a sulcus, are tested for crossing but not for their gap.

    How much it costs that triangles are longer than the local gap was measured on four spheres (90, 84, 78, 68 mm) with
    the innermost moved towards the coil, a figure-of-eight, so that 0.5 to 4 mm of CSF are left: E, 4 mm below the
    brain's surface, against `efield.spectral`, errs by 0.01 % where the mean edge is 0.7 gaps, 0.03 to 0.3 % at 1.5 to
    3, 0.2 % at 6, 0.3 to 0.4 % at 12 and 0.6 % at 24.

    Examples
    --------
    >>> import meshes
    >>> report = inspect(meshes.sphere_head([90, 80], [0.33, 1.0], subdivisions=2))
    >>> report.verdict, report.parents, round(report.pairs[0].gap, 1)
    ('warn', {'sphere-1': None, 'sphere-2': 'sphere-1'}, 9.8)
    """
    from meshes.files.parts import Parts, parts_of, read_parts  # here, as it loads the readers

    if isinstance(head, HeadModel):
        parts = parts_of(head)
    elif isinstance(head, str | os.PathLike):
        parts = read_parts(head)
    else:
        surfaces = (head,) if isinstance(head, Surface) else tuple(head)
        if not surfaces or not all(isinstance(one, Surface) for one in surfaces):
            kinds = ", ".join(sorted({type(one).__name__ for one in surfaces})) or "none"
            raise TypeError(f"head must be a head, surfaces or a path; got {kinds}.")
        parts = Parts("surfaces", surfaces, ((None, None),) * len(surfaces), is_head=False)
    return report_of(parts, criteria=criteria)


def report_of(parts: Parts, *, criteria: Criteria | None = None) -> HeadReport:
    """Return the report of surfaces as `meshes.files.parts.read_parts` reads them; see `inspect`."""
    limits = criteria or Criteria()
    surfaces = tuple(_named(parts.surfaces))
    # Where tissues touch, triangles meet along lines that would count as crossing; HeadModel has looked for true ones.
    own, mutual = ([Spot(0)] * len(surfaces), {}) if parts.touching else crossing_counts(surfaces)
    measured = [measure_surface(one, spot) for one, spot in zip(surfaces, own, strict=True)]
    parents = nesting(surfaces)
    pairs = [
        measure_pair(surfaces[i], surfaces[j], nested=nested, crossings=spot, resolution=limits.resolution)
        for i, j, nested, spot in neighbours(surfaces, parents, mutual)
    ]
    names = [one.name for one in surfaces]
    around = {name: None if p is None else names[p] for name, p in zip(names, parents, strict=True)}
    findings: list[Finding] = []

    def say(subject: str, found: Sequence[verdicts.Line]) -> None:
        findings.extend(Finding(subject, *line) for line in found)

    say("head", verdicts.of_head(parts, measured, parents))
    for one in measured:
        say(one.name, verdicts.of_surface(one, touching=parts.touching, aspect=limits.aspect))
    for pair in pairs:
        say(f"{pair.inner} / {pair.outer}", verdicts.of_pair(pair, limits, _between(parts, names, pair)))
    if parts.cortex is not None:
        spots, _ = crossing_counts([parts.cortex])
        cortex = Surface(parts.cortex.vertices, parts.cortex.triangles, parts.cortex.name or "cortex")
        measured.append(measure_surface(cortex, spots[0]))
        say(cortex.name, verdicts.of_cortex(measured[-1], cortex, surfaces, parents))
    return HeadReport(
        name=parts.name,
        surfaces=tuple(measured),
        pairs=tuple(pairs),
        parents=around,
        findings=tuple(findings),
        cortex=None if parts.cortex is None else measured[-1].name,
    )


def _between(parts: Parts, names: Sequence[str], pair: PairMeasures) -> float | None:
    """Return the conductivity between the two surfaces (S/m), None if it is not known or varies."""
    sigma = parts.sigmas[names.index(pair.inner)][1]
    return sigma if isinstance(sigma, float) else None


def _named(surfaces: Sequence[Surface]) -> list[Surface]:
    """Return the surfaces, each with a name of its own."""
    named: list[Surface] = []
    for number, surface in enumerate(surfaces, start=1):
        label = surface.name or f"surface {number}"
        taken = {one.name for one in named}
        label = label if label not in taken else f"{label} ({number})"
        named.append(surface if label == surface.name else Surface(surface.vertices, surface.triangles, label))
    return named


def _plain(value: Any) -> Any:
    """Return nested content without tuples and without NaN or infinity, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not (abs(value) < float("inf")):
        return None
    return value
