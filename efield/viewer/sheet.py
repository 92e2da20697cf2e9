"""Draw the sheet of a coil: three views with winding and signs, its field 20 mm below, and what is known of it."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from coils import Coil
from efield.viewer import coil_views
from efield.viewer.coil_field import PlaneField, draw_plane, plane_field
from efield.viewer.marks import INK
from meshes.arrays import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["coil_facts", "coil_sheet"]

# Pixels of the sheet; as the figure of a result.
_SIZE = (2000, 1240)
_DPI = 100

# Left, bottom, width and height of the panels, as fractions of the sheet.
_BOXES = {
    "back": (0.040, 0.375, 0.330, 0.540),
    "handle": (0.040, 0.060, 0.330, 0.215),
    "field": (0.425, 0.375, 0.300, 0.540),
    "values": (0.733, 0.405, 0.009, 0.480),
    "side": (0.425, 0.060, 0.300, 0.215),
    "facts": (0.795, 0.060, 0.195, 0.855),
}

_FACTS_WIDTH = 40


def coil_sheet(coil: Coil, path: str | Path) -> None:
    """Draw a coil and write the sheet as a PNG file of 2000 x 1240 pixels.

    Seen from the back (as the operator does), from the handle's end and from the side: casing, windings or sources, the
    sense of the current and the moments, handle and direction of the induced E. Beside it the primary field in free
    space 20 mm below the coil's origin, for 1 A/us; and a table.

    Parameters
    ----------
    coil : Coil
        The coil, of dipoles, current elements or a grid; with or without casing and wires.
    path : str or Path
        Where to write; a file that exists is replaced, in one step.

    Raises
    ------
    TypeError
        If `coil` is something else.
    ValueError
        If the coil has no field 20 mm below its origin.
    OSError
        If the file cannot be written.
    """
    if not isinstance(coil, Coil):
        raise TypeError(f"coil must be a coils.Coil; got {type(coil).__name__}.")
    target = Path(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(f"path must lie in a folder that exists; got {target}.")
    field = plane_field(coil)
    figure = _compose(coil, field)
    partial = target.with_name(f".{target.name}.partial")
    try:
        figure.savefig(partial, dpi=_DPI, format="png", metadata={"Title": coil.name})
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def coil_facts(coil: Coil, field: PlaneField | None = None) -> dict[str, str]:
    """Return the lines of the sheet's table.

    Parameters
    ----------
    coil : Coil
        The coil.
    field : PlaneField, optional
        From `plane_field`, if it is at hand.

    Returns
    -------
    dict of str to str
        Name and value of each line.

    Examples
    --------
    >>> import coils
    >>> coil_facts(coils.load_coil("magstim-70mm"))["Max dI/dt"]
    '114.73 A/µs with Magstim Rapid'
    """
    known = plane_field(coil) if field is None else field
    sources = [f"{coil.n_dipoles} dipoles"] if coil.n_dipoles else []
    sources += [f"{len(coil.segments)} current elements"] if coil.segments is not None else []
    sources += ["vector potential on a grid"] if coil.grid is not None else []
    error = coil.discretisation_error
    wound = sum(wire.turns for wire in coil.wires)
    limit = "unknown" if coil.max_didt is None else f"{coil.max_didt / 1e6:.2f} A/µs"
    if coil.stimulator is not None and coil.max_didt is not None:
        words = " ".join(part for part in (coil.stimulator.brand, coil.stimulator.name) if part)
        limit += f" with {words}" if words else ""
    lines = {
        "Handle": _vector(coil.handle),
        "Induced E": f"{_vector(known.direction)} current_direction, rising current"
        if known.direction is not None
        else "no direction: it vanishes below the coil",
        **_moments(coil),
        "Winding": f"{wound:.4g} turns in all" if coil.wires else "not known",
        "Sources": ", ".join(sources),
        "Error of sources": "unknown" if error is None else f"{100.0 * error:.2g} % of the peak, 10 mm below",
        "Max dI/dt": limit,
        "Casing": "none"
        if coil.casing is None
        else "{:.0f} × {:.0f} × {:.0f} mm (x, y, z)".format(*np.ptp(coil.casing.vertices, axis=0)),
        "E at 1 A/µs": known.words(),
        "Fall with depth": known.profile_words(),
        "Source": coil.source or "not stated",
    }
    if len(coil.channels) > 1:
        lines["Stimulators"] = f"{len(coil.channels)}, drawn with the same dI/dt in each"
    return lines


def _compose(coil: Coil, field: PlaneField) -> Figure:
    # Figure without pyplot: no global state, no window system.
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"font.family": "DejaVu Sans", "font.size": 13.0, "axes.linewidth": 0.8}):
        figure = Figure(figsize=(_SIZE[0] / _DPI, _SIZE[1] / _DPI), dpi=_DPI, facecolor="white")
        figure.text(0.012, 0.972, f"Coil {coil.name}", fontsize=22, weight="bold", va="center")
        figure.text(
            0.988,
            0.972,
            "coil frame: +z into the head, +y away from the handle, origin at the casing's head side",
            fontsize=15,
            va="center",
            ha="right",
            color=INK,
        )
        axes = {name: figure.add_axes(box) for name, box in _BOXES.items()}
        coil_views.draw_views(axes["back"], axes["handle"], axes["side"], coil, field.spot, field.direction)
        draw_plane(axes["field"], axes["values"], coil, field)
        _draw_facts(axes["facts"], coil_facts(coil, field))
    return figure


def _draw_facts(axes: Axes, facts: dict[str, str]) -> None:
    """Write the table: each name over its value, so that long sources have room."""
    axes.set_axis_off()
    y = 1.0
    for name, value in facts.items():
        # A source can be any length: what does not fit is cut, the full text is in Coil.source.
        text = textwrap.fill(textwrap.shorten(value, 520, placeholder=" …"), _FACTS_WIDTH)
        axes.text(0.0, y, name, transform=axes.transAxes, fontsize=12, color="#5a6472", va="top")
        axes.text(0.0, y - 0.0215, text, transform=axes.transAxes, fontsize=12.5, color=INK, va="top")
        y -= 0.0215 + 0.0205 * (1 + text.count("\n")) + 0.014


def _moments(coil: Coil) -> dict[str, str]:
    """Say the moments of the wings; of current elements the whole moment, since wings may share a circuit."""
    lines: dict[str, str] = {}
    if coil.n_dipoles:
        right, left = coil.wing_moments
        lines |= {"Moment, x > 0": _moment(right), "Moment, x < 0": _moment(left)}
    if coil.segments is not None:
        # 1/2 sum r x v, in mm^2; about any origin the same if the circuit is closed.
        middle = coil.segments.points - coil.segments.points.mean(axis=0)
        lines["Moment of elements"] = _moment(0.5e-6 * np.cross(middle, coil.segments.vectors).sum(axis=0))
    return lines or {"Moment": "not known from a grid"}


def _vector(vector: FloatArray) -> str:
    return "({:+.2f}, {:+.2f}, {:+.2f})".format(*(np.round(vector, 2) + 0.0))


def _moment(moment: FloatArray) -> str:
    length = float(np.linalg.norm(moment))
    return f"{1e4 * length:.1f} cm² along {_vector(moment / length)}" if length > 0.0 else "none"
