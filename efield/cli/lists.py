"""Print what can be named: heads and targets; coils are in `efield.cli.coil_lists`."""

from __future__ import annotations

from rich.table import Table

from efield.cli.names import check_names
from efield.cli.terminal import err, out

__all__ = ["show_heads", "show_targets"]


def show_heads() -> None:
    """Print a table of the heads."""
    from meshes.registry import HEADS

    table = Table(title="Heads (--head, --resolution)", title_justify="left")
    for column in ("head", "resolution", "origin", "licence"):
        table.add_column(column, overflow="fold", no_wrap=column in ("head", "resolution"))
    for head in HEADS:
        table.add_row(head.name, head.resolution, head.source, head.licence)
    out().print(table)


def show_targets(head_name: str, resolution: str) -> None:
    """Print a table of a head's named regions."""
    import numpy as np

    import efield
    import meshes

    check_names(head=head_name, resolution=resolution)
    head = meshes.load_head(head_name, resolution=resolution)
    # No lines between the columns: so the table fits into 80.
    table = Table(
        title=f"Targets of head {head.name} ({head.resolution})", title_justify="left", box=None, padding=(0, 1, 0, 0)
    )
    for column in ("target", "what it is", "side"):
        table.add_column(column, no_wrap=True)
    for column in ("centre (mm)", "depth"):
        table.add_column(column, justify="right", no_wrap=True)
    named = efield.list_targets()
    for region in sorted(head.regions):
        name, _, side = region.rpartition("-")
        points = head.cortex.vertices[head.regions[region]]
        depth = meshes.closest_points(head.scalp, points)[2].min()
        x, y, z = np.round(points.mean(axis=0)) + 0.0
        table.add_row(name, named.get(name, ""), side, f"{x:.0f}, {y:.0f}, {z:.0f}", f"{depth:.1f}")
    out().print(table)
    err().print("Centre of the region's cortex (RAS) and its least distance from the scalp (mm).")
