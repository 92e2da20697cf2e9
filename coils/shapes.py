"""Build coils from their drawings: figure-of-eight (flat, bent, double cone) and circular."""

from collections.abc import Sequence

import numpy as np

from coils.casing import casing_surface
from coils.coil import Coil
from coils.dipoles import place_dipoles
from coils.windings import Winding, Wing
from meshes import Pose, Surface, arrays

__all__ = ["circular", "figure_of_eight"]


def figure_of_eight(
    *,
    inner_diameter: float,
    outer_diameter: float,
    turns: int,
    wire_width: float = 1.75,
    wire_height: float = 6.0,
    layers: int = 1,
    layer_gap: float = 0.0,
    wing_angle: float = 180.0,
    wing_distance: float | None = None,
    clearance: float = 3.0,
    casing_margin: float = 5.0,
    max_error: float = 1e-3,
    max_didt: float | None = None,
    name: str = "figure-of-eight",
    source: str = "",
) -> Coil:
    """Build a coil of two equal windings side by side, flat or bent towards the head.

    Parameters
    ----------
    inner_diameter, outer_diameter : float
        Diameters of each winding's inner and outer edge (mm).
    turns : int
        Concentric turns per wing and layer.
    wire_width, wire_height : float, optional
        Cross-section of the wire, radial and axial (mm); by default the flat wire of the Magstim coils.
    layers : int, optional
        Layers of turns per wing, in series.
    layer_gap : float, optional
        Distance between neighbouring layers (mm).
    wing_angle : float, optional
        Angle between the two wings on the head's side (degrees): 180 for a flat coil, 100 for a double cone. The wings
        are turned about the y axis so that their outer edges come towards the head and the junction is the point
        furthest from it. The wings' casings are solid plates: where a real double cone lets the head reach into the
        openings of its windings, this one stays 20 mm further out.
    wing_distance : float, optional
        Distance between the centres of the two wings, along the wings (mm), so that the inner edges touch at
        the outer diameter, which is the default and the least.
    clearance : float, optional
        Distance between the winding and the casing's faces, on the head side and at the back (mm).
    casing_margin : float, optional
        Distance between the winding's edge and the casing's (mm).
    max_error : float, optional
        Wanted discretisation error of the dipoles, 0.001 for 0.1 %; see `coils.dipoles.dipole_error`.
    max_didt : float, optional
        Greatest rate of change of the current (A/s).
    name, source : str, optional
        Name of the coil and origin of its figures.

    Returns
    -------
    Coil
        In its own frame; rising current induces E along +y under the junction. The right wing (x > 0) has moments
        towards the head, the left wing away from it.

    Raises
    ------
    ValueError
        If a size is not positive, the turns do not fit, the wings would cross, or `max_error` cannot be reached.

    Examples
    --------
    >>> coil = figure_of_eight(inner_diameter=56, outer_diameter=87, turns=9)
    >>> coil.current_direction.round(6) + 0.0
    array([0., 1., 0.])
    """
    winding = Winding(
        inner_diameter=inner_diameter,
        outer_diameter=outer_diameter,
        turns=turns,
        wire_width=wire_width,
        wire_height=wire_height,
        layers=layers,
        layer_gap=layer_gap,
    )
    clearance = arrays.non_negative(clearance, "clearance")
    margin = arrays.positive(casing_margin, "casing_margin")
    angle = arrays.positive(wing_angle, "wing_angle")
    if not 60.0 <= angle <= 180.0:
        raise ValueError(f"wing_angle must be from 60 to 180 degrees, 180 for a flat coil; got {angle:g}.")
    distance = arrays.positive(winding.outer_diameter if wing_distance is None else wing_distance, "wing_distance")
    if distance < winding.outer_diameter:
        raise ValueError(
            f"wing_distance must be at least outer_diameter, {winding.outer_diameter:g} mm, or the wings cross; "
            f"got {distance:g} mm."
        )
    tilt = np.radians(180.0 - angle) / 2.0
    wings = _two_wings(winding, distance / 2.0, tilt, clearance)
    casing = casing_surface(
        radius=winding.outer_diameter / 2.0 + margin,
        offset=distance / 2.0,
        thickness=winding.height + 2.0 * clearance,
        tilt=tilt,
        pivot=clearance,
        name=f"casing of {name}",
    )
    return _coil(wings, casing, max_error=max_error, max_didt=max_didt, name=name, source=source)


def circular(
    *,
    inner_diameter: float,
    outer_diameter: float,
    turns: int,
    wire_width: float = 1.75,
    wire_height: float = 6.0,
    layers: int = 1,
    layer_gap: float = 0.0,
    clearance: float = 3.0,
    casing_margin: float = 5.0,
    max_error: float = 1e-3,
    max_didt: float | None = None,
    name: str = "circular",
    source: str = "",
) -> Coil:
    """Build a flat coil of one winding.

    Parameters
    ----------
    inner_diameter, outer_diameter, turns, wire_width, wire_height, layers, layer_gap
        The winding, as in `figure_of_eight`.
    clearance, casing_margin, max_error, max_didt, name, source
        As in `figure_of_eight`.

    Returns
    -------
    Coil
        In its own frame, handle along -y. Positive current runs counter-clockwise seen from the head, the moment
        points to the head as in the right wing of a figure-of-eight; so rising current induces E along -y under the
        winding on the +x side.

    Raises
    ------
    ValueError
        If a size is not positive, the turns do not fit, or `max_error` cannot be reached.

    Examples
    --------
    >>> coil = circular(inner_diameter=66, outer_diameter=123, turns=14)
    >>> coil.current_direction.round(6) + 0.0
    array([ 0., -1.,  0.])
    """
    winding = Winding(
        inner_diameter=inner_diameter,
        outer_diameter=outer_diameter,
        turns=turns,
        wire_width=wire_width,
        wire_height=wire_height,
        layers=layers,
        layer_gap=layer_gap,
    )
    clearance = arrays.non_negative(clearance, "clearance")
    margin = arrays.positive(casing_margin, "casing_margin")
    wing = Wing(winding, Pose.from_axes(origin=(0.0, 0.0, -clearance), z=(0.0, 0.0, 1.0), y=(0.0, 1.0, 0.0)), 1)
    casing = casing_surface(
        radius=winding.outer_diameter / 2.0 + margin,
        offset=0.0,
        thickness=winding.height + 2.0 * clearance,
        name=f"casing of {name}",
    )
    return _coil([wing], casing, max_error=max_error, max_didt=max_didt, name=name, source=source)


def _coil(
    wings: Sequence[Wing], casing: Surface, *, max_error: float, max_didt: float | None, name: str, source: str
) -> Coil:
    """Place the wings' dipoles and put the coil together."""
    positions, moments, error = place_dipoles(wings, max_error=max_error)
    return Coil(
        positions=positions,
        moments=moments,
        name=name,
        casing=casing,
        max_didt=max_didt,
        wires=tuple(wire for wing in wings for wire in wing.wires()),
        discretisation_error=error,
        source=source,
    )


def _two_wings(winding: Winding, offset: float, tilt: float, clearance: float) -> tuple[Wing, Wing]:
    """Place the right and the left wing; `offset` and `tilt` as in `casing_surface`.

    Both are turned about the line x = 0 in the winding's head-side face, where their inner edges touch when the coil is
    flat: the windings then part at the back and cannot cross.
    """
    along = np.array([np.cos(tilt), 0.0, np.sin(tilt)])
    normal = np.array([-np.sin(tilt), 0.0, np.cos(tilt)])
    centre = offset * along - np.array([0.0, 0.0, clearance / np.cos(tilt)])
    half_turn = np.array([-1.0, -1.0, 1.0])  # about z: the left wing is the right one, turned, current reversed
    right = Pose.from_axes(origin=centre, z=normal, y=(0.0, 1.0, 0.0))
    left = Pose.from_axes(origin=half_turn * centre, z=half_turn * normal, y=(0.0, -1.0, 0.0))
    return Wing(winding, right, 1), Wing(winding, left, -1)
