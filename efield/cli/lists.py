"""Print what can be named: heads and targets; coils are in `efield.cli.coil_lists`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.table import Table

from efield.cli.names import check_names, open_head
from efield.cli.terminal import err, out, show_facts

if TYPE_CHECKING:
    from meshes import HeadModel
    from meshes.arrays import FloatArray

__all__ = ["show_heads", "show_targets"]

# How a target is found that is no region of the head.
_WAYS = {
    "region": "At a position that the head brings along",
    "labels": "From atlas labels on the head's cortex",
    "transfer": "A guess, carried over from fsaverage (efield target says how good)",
    "mni": "A guess, by MNI coordinates (efield target says how good)",
}


def show_heads() -> None:
    """Print tables of the heads and of the conductivities that they can have."""
    from meshes.tissues import CONDUCTIVITY_TABLES

    table = Table(title="Heads (--head, --resolution)", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for column in ("head", "resolution", "triangles", "regions", "tissues (S/m)"):
        numeric = column in ("triangles", "regions")
        table.add_column(column, overflow="fold", no_wrap="S/m" not in column, justify="right" if numeric else "left")
    rows = [*_shipped(), *_imported()]
    for *row, _ in rows:
        table.add_row(*row)
    out().print(table)
    out().print()
    for name, resolution, *_, origin in rows:
        label = f"{name}, {resolution}" if resolution else name
        out().print(f"{label}: {origin}", markup=False)
    out().print()
    tables = Table(title="Conductivities (--conductivities)", title_justify="left", box=None, padding=(0, 2, 0, 0))
    tables.add_column("table", no_wrap=True)
    tables.add_column("S/m", overflow="fold")
    tables.add_column("source", overflow="fold")
    for one in CONDUCTIVITY_TABLES.values():
        values = ", ".join(f"{tissue} {value:g}" for tissue, value in one.values.items())
        tables.add_row(one.name, values, one.source)
    out().print(tables)
    err().print("efield head import PATH adds a head to the list. Tissues that a table lacks keep their values.")


def _shipped() -> Iterator[tuple[str, ...]]:
    """Yield what there is to say of each head that ships with the package."""
    from importlib import resources

    import numpy as np

    from meshes import CONDUCTIVITIES
    from meshes.registry import HEADS

    tissues = ", ".join(f"{tissue} {value:g}" for tissue, value in CONDUCTIVITIES.items())
    for head in HEADS:
        with (resources.files("meshes") / "data" / head.file).open("rb") as stream, np.load(stream) as data:
            triangles = sum(len(data[f"{name}_f"]) for name in data["names"])
            regions = sum(key.startswith("region_") for key in data.files)
        yield (
            head.name,
            head.resolution,
            f"{triangles:,}",
            str(regions),
            tissues,
            f"{head.source} Licence: {head.licence}.",
        )


def _imported() -> Iterator[tuple[str, ...]]:
    """Yield what there is to say of each imported head; of a damaged file, that it is damaged."""
    from meshes.files.imported import describe_imported, imported_heads

    for name in imported_heads():
        try:
            head = describe_imported(name)
        except (ValueError, OSError) as error:
            yield name, "", "", "", "", f"cannot be read: {error}"
            continue
        tissues = head.conductivities.removesuffix(" S/m")
        origin = f"imported from {head.source}" + (f" Licence: {head.licence}." if head.licence else "")
        yield name, head.resolution, f"{head.triangles:,}", str(head.regions), tissues, origin


def show_targets(head_name: str, resolution: str) -> None:
    """Print a table of a head's named regions."""
    import numpy as np

    import efield
    import meshes
    from meshes.anatomy.labels import SIDES

    check_names(head=head_name, resolution=resolution)
    head = open_head(head_name, resolution=resolution)
    # No lines between the columns: so the table fits into 80.
    table = Table(
        title=f"Targets of head {head.name} ({head.resolution})", title_justify="left", box=None, padding=(0, 1, 0, 0)
    )
    for column in ("target", "what it is", "side"):
        table.add_column(column, no_wrap=True)
    for column in ("centre (mm)", "depth"):
        table.add_column(column, justify="right", no_wrap=True)
    named = efield.list_targets()
    found = sorted({key for key in head.regions if ":" not in key} | {f"{n}-{s}" for n in named for s in SIDES})
    guessed: dict[str, list[str]] = {}
    for key in found:
        name, _, side = key.rpartition("-")
        if key in head.regions:
            points = head.cortex.vertices[head.regions[key]]
        else:
            points, how = _found(head, name, side)
            guessed.setdefault(how, []).append(f"{name} {side}")
        if len(points):
            depth = meshes.closest_points(head.scalp, points)[2].min()
            x, y, z = np.round(points.mean(axis=0)) + 0.0
            table.add_row(name, named.get(name, ""), side, f"{x:.0f}, {y:.0f}, {z:.0f}", f"{depth:.1f}")
    out().print(table)
    err().print("Centre of the region's cortex (RAS) and its least distance from the scalp (mm).")
    if labels := len(head.regions) - sum(key in head.regions for key in found):
        err().print(f"{labels} labels on its cortex can be targets in Python: efield.Target.of_region(name, head).")
    for how, names in guessed.items():
        err().print(f"{how}: {', '.join(names)}.", markup=False)


def _found(head: HeadModel, name: str, side: str) -> tuple[FloatArray, str]:
    """Return the cortex of a target that is no region of the head, none if it cannot be found, and how it was found."""
    import numpy as np

    import efield
    from meshes.anatomy.regions import find_region

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # said in what is returned
            way = find_region(head, name, side=side).way
            target = efield.Target.named(name, head, side=side, by=way)
    except ValueError:
        return np.empty((0, 3)), "Not to be found, give a position in Python"
    points = target.position[None] if target.region is None else head.cortex.vertices[target.region]
    return points, _WAYS[way]


def show_protocols(name: str | None) -> None:
    """Print the published protocols, or all facts about one."""
    from efield import protocols

    if name is not None:
        protocol = protocols.load_protocol(name)
        show_facts(f"{name}: {protocol.summary}", protocol.lines())
    else:
        show_facts(
            "Published protocols: what studies did, no advice",
            {each: protocols.load_protocol(each).summary for each in protocols.list_protocols()},
        )
    err().print("Research software, not a medical device; nothing here is a recommendation or a clearance.")
