"""Run ``efield head import``: read a head of another program once, check it, keep it for --head."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from efield.cli.names import read_conductivities, say_implausible, say_notes
from efield.cli.terminal import err, show_facts, stages

if TYPE_CHECKING:
    from meshes import HeadModel

__all__ = ["run"]


def run(
    path: Path,
    *,
    name: str | None,
    table: str | None,
    conductivity: Sequence[str],
    merge: Sequence[str],
    tissue: Sequence[str],
    labels: str | None,
    spacing: float | None,
    cortex: Sequence[Path],
    repair: bool,
    out: Path | None,
    overwrite: bool,
) -> None:
    """Read a head, check it and keep it.

    Raises
    ------
    ValueError, OSError
        If the head cannot be read or is not sound, or cannot be written; then nothing is.
    """
    import meshes
    from meshes.files.archive import write_head
    from meshes.files.imported import check_import, import_head

    choice = read_conductivities(table, conductivity)
    merged = dict(_pair(text, "--merge") for text in merge)
    tissues = {_tag(tag, text): found for text in tissue for tag, found in [_pair(text, "--tissue")]}
    if out is None and name is not None:
        check_import(name, overwrite=overwrite)  # before the head is read, which may take a minute
    if out is not None:
        _check_out(out, overwrite=overwrite)
    with stages() as progress, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        progress(f"read {path.name}" + (", mend and check" if repair else " and check"))
        head = meshes.read_head(
            path,
            conductivities=choice,
            cortex=list(cortex) or None,
            tissues=tissues or None,
            merge=merged or None,
            labels=labels,
            spacing=spacing,
            name=name,
            repair=repair,
        )
        progress("write")
        if out is None:
            file = import_head(head, overwrite=overwrite)
        else:
            write_head(head, out)
            file = out
    say_notes(caught)
    say_implausible(head)
    show_facts(f"Head {head.name}", _facts(head, file))
    use = head.name if out is None else str(out)
    err().print(f"Use it with --head {use}, or in Python: {_python(use, from_file=out is not None)}", markup=False)


def _facts(head: HeadModel, file: Path) -> dict[str, str]:
    """Say what was read, in words."""
    from meshes.landmarks import FIDUCIALS

    count = sum(len(interface.surface.triangles) for interface in head.interfaces)
    low, high = head.scalp.vertices.min(axis=0), head.scalp.vertices.max(axis=0)
    size = " x ".join(f"{length:.0f}" for length in high - low)
    regions = sorted(head.regions)
    listed = ", ".join(regions[:6]) + (f" and {len(regions) - 6} more" if len(regions) > 6 else "")
    missing = [point for point in FIDUCIALS if point not in head.fiducials]
    facts = {
        "Surfaces": f"{', '.join(interface.name for interface in head.interfaces)}; {count:,} triangles",
        "Scalp": f"{size} mm (right, anterior, superior)",
        "Conductivities": head.provenance.get("conductivities", "as the file has them"),
        "Cortex": f"{len(head.cortex.vertices):,} vertices, {head.provenance.get('cortex', 'of the file')}",
        "Regions": listed or "none",
        "Fiducials": "all" if not missing else f"{', '.join(missing)} missing: 10-10 positions are estimated",
        "Source": head.provenance.get("source", str(file)),
        "Kept in": str(file),
    }
    if "repair" in head.provenance:
        facts["Mended"] = head.provenance["repair"]
    return facts


def _python(use: str, *, from_file: bool) -> str:
    return f"meshes.read_head({use!r})" if from_file else f"meshes.load_head({use!r})"


def _check_out(out: Path, *, overwrite: bool) -> None:
    """Raise before the head is read if it could not be written there."""
    if out.suffix.lower() != ".npz":
        raise ValueError(f"--out must be a file that ends in .npz; got {out}.")
    if out.exists() and not overwrite:
        raise ValueError(f"--out must not exist yet; got {out}. Name another, or add --overwrite.")
    if not out.parent.is_dir():
        raise ValueError(f"--out must lie in a folder that exists; got {out}.")


def _pair(text: str, option: str) -> tuple[str, str]:
    """Return what stands left and right of an equals sign."""
    left, sign, right = (part.strip() for part in text.partition("="))
    if not (left and sign and right):
        example = "eyes=scalp" if option == "--merge" else "5=scalp"
        raise ValueError(f"{option} must be two names with = between; got {text!r}. For example {example}.")
    return left, right


def _tag(tag: str, text: str) -> int:
    if not tag.isdigit():
        raise ValueError(f"--tissue must be TAG=TISSUE with a whole number; got {text!r}. For example 5=scalp.")
    return int(tag)
