"""Read a head that a TOML file describes as a list of surfaces."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from meshes import arrays
from meshes.files.assembled import NAMES, assembled_head, existing_file, read_cortex
from meshes.files.boundaries import AIR, Boundary
from meshes.files.surfaces import read_surface
from meshes.head import HeadModel
from meshes.surface import Surface
from meshes.tissues import ConductivitiesLike

__all__ = ["read_listed_head"]

_KEYS = ("name", "unit", "cortex", "scalp", "conductivities", "fiducials", "interface", "source", "licence")
_INTERFACE_KEYS = ("file", "name", "inside", "outside", "unit")


def read_listed_head(
    file: Path,
    conductivities: ConductivitiesLike | None,
    given: tuple[Surface, str] | None,
    name: str | None,
    provenance: Mapping[str, str],
    *,
    repair: bool = False,
) -> HeadModel:
    """Return the head that a TOML file describes; see `meshes.read_head`.

    Parameters
    ----------
    file : Path
        The TOML file.
    conductivities : str, mapping of str to float, ConductivityTable or None
        What the caller wants instead of the file's.
    given : tuple of Surface and str, or None
        The cortex and where it comes from, if it is not the file's.
    name : str or None
        Name of the head, if it is not the file's.
    provenance : mapping of str to str
        What is known of the file.
    repair : bool, optional
        Whether to mend the surfaces.
    """
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{file.name} must be a TOML file; got one that cannot be read ({error}).") from None
    for key in table:
        arrays.choice(key, f"key of {file.name}", _KEYS)
    for key, kind in (("name", str), ("unit", str), ("conductivities", dict), ("fiducials", dict), ("scalp", str),
                      ("source", str), ("licence", str)):  # fmt: skip
        if key in table and not isinstance(table[key], kind):
            raise ValueError(f"{key} in {file.name} must be a {kind.__name__}; got {table[key]!r}.")
    unit = arrays.choice(table.get("unit", "mm"), f"unit in {file.name}", ("mm", "m"))
    entries = table.get("interface", [])
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError(f"{file.name} must list its surfaces as [[interface]]; got {entries or 'none'!r}.")
    own = dict(table.get("conductivities", {}))
    boundaries = [_listed_boundary(entry, i + 1, file, unit, own) for i, entry in enumerate(entries)]
    if "cortex" in table and given is None:
        files = table["cortex"] if isinstance(table["cortex"], list) else [table["cortex"]]
        if not all(isinstance(entry, str) for entry in files):
            raise ValueError(f"cortex in {file.name} must be a file name or several; got {table['cortex']!r}.")
        given = read_cortex(files, file.parent, unit), f"by {file.name}: {', '.join(files)}"
    outer = [boundary.surface.name for boundary in boundaries if boundary.outside == AIR]
    if "scalp" in table and outer != [table["scalp"]]:
        raise ValueError(
            f"scalp in {file.name} must be the one interface with air outside; got {table['scalp']!r}, not {outer}."
        )
    scale = 1000.0 if unit == "m" else 1.0
    fiducials = {
        key: scale * arrays.vector(point, f"fiducial {key!r}") for key, point in table.get("fiducials", {}).items()
    }
    return assembled_head(
        name or table.get("name", file.stem),
        boundaries,
        conductivities,
        own=own,
        cortex=given,
        provenance={**provenance, **{key: table[key] for key in ("source", "licence") if key in table}},
        fiducials=fiducials,
        repair=repair,
    )


def _listed_boundary(entry: Mapping[str, Any], number: int, file: Path, unit: str, own: dict[str, float]) -> Boundary:
    """Return one surface of a TOML file; a conductivity given as a number goes into `own` under a made-up tissue."""
    where = f"interface {number} of {file.name}"
    for key in entry:
        arrays.choice(key, f"key of {where}", _INTERFACE_KEYS)
    for key in ("file", "inside", "outside"):
        if key not in entry:
            raise ValueError(f"{where} must have the keys file, inside and outside; got {', '.join(entry) or 'none'}.")
    if not isinstance(entry["file"], str) or not isinstance(entry.get("name", ""), str):
        raise ValueError(f"{where} must have text as file and name; got {entry['file']!r} and {entry.get('name')!r}.")
    sides = []
    for key in ("inside", "outside"):
        side = entry[key]
        if not isinstance(side, str):
            sigma = arrays.non_negative(side, f"{key} of {where}")
            side = f"{sigma:g} S/m" if sigma else AIR
            own |= {side: sigma} if sigma else {}
        sides.append(side)
    path = existing_file(file.parent / entry["file"], f"file of {where}")
    # `choice` checks that it is one of the two texts, which the type checker cannot see.
    surface = read_surface(path, unit=arrays.choice(entry.get("unit", unit), f"unit of {where}", ("mm", "m")))  # type: ignore[arg-type]
    standard = NAMES.get((sides[0], sides[1]), surface.name)
    return Boundary(Surface(surface.vertices, surface.triangles, entry.get("name") or standard), sides[0], sides[1])
