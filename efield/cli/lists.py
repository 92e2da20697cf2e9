"""Print what can be named: heads, coils, targets."""

from __future__ import annotations

from rich.table import Table

from efield.cli.terminal import err, out

__all__ = ["show_coils", "show_heads", "show_targets"]


def show_heads() -> None:
    """Print a table of the heads."""
    from meshes.registry import HEADS

    table = Table(title="Heads (--head, --resolution)", title_justify="left")
    for column in ("head", "resolution", "origin", "licence"):
        table.add_column(column, overflow="fold", no_wrap=column in ("head", "resolution"))
    for head in HEADS:
        table.add_row(head.name, head.resolution, head.source, head.licence)
    out().print(table)


def show_coils() -> None:
    """Print a table of the coils."""
    import coils

    table = Table(title="Coils (--coil)", title_justify="left")
    table.add_column("coil", no_wrap=True)
    for column in ("dipoles", "error of the dipoles", "max dI/dt (A/µs)"):
        table.add_column(column, justify="right")
    table.add_column("source", overflow="fold")
    for name in coils.list_coils():
        coil = coils.load_coil(name)
        error = "unknown" if coil.discretisation_error is None else f"{100.0 * coil.discretisation_error:.2g} %"
        limit = "unknown" if coil.max_didt is None else f"{coil.max_didt / 1e6:.1f}"
        table.add_row(name, str(coil.n_dipoles), error, limit, coil.source)
    out().print(table)


def show_targets(head_name: str, resolution: str | None) -> None:
    """Print a table of a head's named regions."""
    import numpy as np

    import efield
    import meshes

    head = meshes.load_head(head_name, resolution=resolution)
    table = Table(title=f"Targets of head {head.name} ({head.resolution})", title_justify="left")
    table.add_column("target", no_wrap=True)
    table.add_column("side", no_wrap=True)
    table.add_column("what it is")
    for column in ("centre (mm, RAS)", "extent (mm)", "least depth under the scalp (mm)"):
        table.add_column(column, justify="right")
    for region in sorted(head.regions):
        name, _, side = region.rpartition("-")
        points = head.cortex.vertices[head.regions[region]]
        depth = meshes.closest_points(head.scalp, points)[2].min()
        table.add_row(
            name,
            side,
            efield.list_targets().get(name, ""),
            "({:.0f}, {:.0f}, {:.0f})".format(*(np.round(points.mean(axis=0)) + 0.0)),
            f"{np.ptp(points, axis=0).max():.0f}",
            f"{depth:.1f}",
        )
    out().print(table)
    err().print("The extent is that of the whole region; see `efield target --help` for what is averaged over.")
