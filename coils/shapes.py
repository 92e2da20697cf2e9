"""Build coils from their drawings: figure-of-eight (flat, bent, double cone) and circular."""

from collections.abc import Sequence

import numpy as np

from coils.casing import casing_surface
from coils.coil import Coil
from coils.dipoles import place_dipoles
from coils.windings import Winding, Wing
from meshes import Pose, Surface, arrays

__all__ = ["circular", "figure_of_eight", "place_wing", "place_wings", "two_wings"]

# The dome of dipoles behind an open wing stands back by this share of the opening's radius. A head as narrow as a
# sphere of 65 mm, touching the rings of the double cone, stays 12 mm away from it.
_DOME = 0.5


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
    interleaved: bool = False,
    open_wings: bool = False,
    bridge: float = 0.0,
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
        furthest from it.
    wing_distance : float, optional
        Distance between the centres of the two wings, along the wings (mm), so that the inner edges touch at
        the outer diameter, which is the default and, unless they are interleaved, the least.
    interleaved : bool, optional
        Whether the wings may overlap in the middle, where a real coil leads the turns of one over those of the other.
        Here they pass through each other, so that both wings keep their plane and the coil its symmetry.
    open_wings : bool, optional
        Whether each wing's casing is a ring that the head can reach into, as that of a double cone, instead of a plate.
        The dipoles in the opening then stand on a dome behind it, see `coils.domes`.
    bridge : float, optional
        Height to which the fold between the wings is filled up on the head side (mm); the origin is on this bridge.
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
    return two_wings(
        [winding],
        wing_angle=wing_angle,
        wing_distance=wing_distance,
        interleaved=interleaved,
        open_wings=open_wings,
        bridge=bridge,
        clearance=clearance,
        casing_margin=casing_margin,
        max_error=max_error,
        max_didt=max_didt,
        name=name,
        source=source,
    )


def two_wings(
    windings: Sequence[Winding],
    *,
    layer_gap: float = 0.0,
    wing_angle: float = 180.0,
    wing_distance: float | None = None,
    interleaved: bool = False,
    open_wings: bool = False,
    bridge: float = 0.0,
    clearance: float = 3.0,
    casing_margin: float = 5.0,
    max_error: float = 1e-3,
    max_didt: float | None = None,
    name: str = "figure-of-eight",
    source: str = "",
) -> Coil:
    """Build a coil of two wings, each a stack of windings of different turns or sizes.

    Parameters
    ----------
    windings : sequence of Winding
        The windings of one wing, the one next to the head first, all in series; those of the other wing are alike.
    layer_gap : float, optional
        Distance between neighbouring windings of the stack (mm).
    wing_angle, wing_distance, interleaved, open_wings, bridge, clearance, casing_margin, max_error, max_didt
        As in `figure_of_eight`; the outer diameter is the greatest, the inner diameter the least of the stack.
    name, source : str, optional
        As in `figure_of_eight`.

    Returns
    -------
    Coil
        As that of `figure_of_eight`.

    Raises
    ------
    ValueError
        As in `figure_of_eight`; also if there is no winding.

    Examples
    --------
    >>> turns = [Winding(inner_diameter=d, outer_diameter=92, turns=4, wire_width=2, wire_height=6) for d in (65, 71)]
    >>> two_wings(turns, layer_gap=1, wing_angle=120).current_direction.round(6) + 0.0
    array([0., 1., 0.])
    """
    wings = place_wings(
        windings,
        layer_gap=layer_gap,
        wing_angle=wing_angle,
        wing_distance=wing_distance,
        interleaved=interleaved,
        open_wings=open_wings,
        bridge=bridge,
        clearance=clearance,
    )
    margin = arrays.positive(casing_margin, "casing_margin")
    outer, opening = _edges(windings)
    distance = _wing_distance(wing_distance, outer, opening, interleaved)
    tilt = np.radians(180.0 - wing_angle) / 2.0
    hole = opening - margin if open_wings else 0.0
    if open_wings and hole < margin:
        raise ValueError(
            f"open_wings must be False unless the inner diameter is four times casing_margin, {margin:g} mm; "
            f"got an inner diameter of {2.0 * opening:g} mm."
        )
    height = sum(winding.height for winding in windings) + (len(windings) - 1) * layer_gap
    casing = casing_surface(
        radius=outer / 2.0 + margin,
        offset=distance / 2.0,
        # Where the wings overlap, the part beyond the fold lies behind the other wing.
        thickness=height + 2.0 * clearance + max(outer - distance, 0.0) * np.sin(tilt),
        tilt=tilt,
        pivot=clearance,
        hole=hole,
        bridge=bridge,
        name=f"casing of {name}",
    )
    return _coil(wings, casing, max_error=max_error, max_didt=max_didt, name=name, source=source)


def place_wings(
    windings: Sequence[Winding],
    *,
    layer_gap: float = 0.0,
    wing_angle: float = 180.0,
    wing_distance: float | None = None,
    interleaved: bool = False,
    open_wings: bool = False,
    bridge: float = 0.0,
    clearance: float = 3.0,
) -> tuple[Wing, ...]:
    """Place the windings of `two_wings`, whose parameters these are.

    Returns
    -------
    tuple of Wing
        Right and left wing of each winding in turn.

    Raises
    ------
    ValueError
        As `two_wings`.

    Examples
    --------
    >>> turns = Winding(inner_diameter=56, outer_diameter=87, turns=9, wire_width=1.75, wire_height=6)
    >>> [wing.sense for wing in place_wings([turns])]
    [1, -1]
    """
    if not windings:
        raise ValueError("windings must hold at least one coils.windings.Winding; got none.")
    gap = arrays.non_negative(layer_gap, "layer_gap")
    clearance = arrays.non_negative(clearance, "clearance")
    bridge = arrays.non_negative(bridge, "bridge")
    angle = arrays.positive(wing_angle, "wing_angle")
    if not 60.0 <= angle <= 180.0:
        raise ValueError(f"wing_angle must be from 60 to 180 degrees, 180 for a flat coil; got {angle:g}.")
    outer, opening = _edges(windings)
    offset = _wing_distance(wing_distance, outer, opening, interleaved) / 2.0
    tilt = np.radians(180.0 - angle) / 2.0
    dome = _DOME * opening if open_wings else 0.0
    wings: list[Wing] = []
    depth = 0.0
    for winding in windings:
        wings += _pair(winding, offset, tilt, clearance, depth, bridge, dome)
        depth += winding.height + gap
    return tuple(wings)


def _edges(windings: Sequence[Winding]) -> tuple[float, float]:
    """Return the greatest outer diameter and the least inner radius of a stack (mm)."""
    return max(w.outer_diameter for w in windings), min(w.inner_diameter for w in windings) / 2.0


def _wing_distance(wanted: float | None, outer: float, opening: float, interleaved: bool) -> float:
    """Check the distance between the wings' centres, by default the outer diameter (mm)."""
    distance = arrays.positive(outer if wanted is None else wanted, "wing_distance")
    if distance < outer and not interleaved:
        raise ValueError(
            f"wing_distance must be at least outer_diameter, {outer:g} mm, or the wings cross; got {distance:g} mm. "
            "If the real wings overlap, set interleaved=True."
        )
    if distance < 0.5 * outer + opening:
        # Beyond this, a wing's turns would reach into the other's opening, and further than its casing.
        raise ValueError(
            f"wing_distance must be at least {0.5 * outer + opening:g} mm, or one wing reaches into the other's "
            f"opening; got {distance:g} mm."
        )
    return distance


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
    wing = place_wing(winding, clearance)
    casing = casing_surface(
        radius=winding.outer_diameter / 2.0 + margin,
        offset=0.0,
        thickness=winding.height + 2.0 * clearance,
        name=f"casing of {name}",
    )
    return _coil([wing], casing, max_error=max_error, max_didt=max_didt, name=name, source=source)


def place_wing(winding: Winding, clearance: float) -> Wing:
    """Place the winding of `circular`, its head-side face `clearance` behind the origin (mm)."""
    return Wing(winding, Pose.from_axes(origin=(0.0, 0.0, -clearance), z=(0.0, 0.0, 1.0), y=(0.0, 1.0, 0.0)), 1)


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


def _pair(
    winding: Winding, offset: float, tilt: float, clearance: float, depth: float, bridge: float, dome: float
) -> tuple[Wing, Wing]:
    """Place the right and the left wing; `offset`, `tilt` and `bridge` as in `casing_surface`.

    Both are turned about the line x = 0 in the head-side face of the first winding, where their inner edges touch when
    the coil is flat: the windings then part at the back and cannot cross. This one is `depth` behind the first.
    """
    along = np.array([np.cos(tilt), 0.0, np.sin(tilt)])
    normal = np.array([-np.sin(tilt), 0.0, np.cos(tilt)])
    centre = offset * along - np.array([0.0, 0.0, clearance / np.cos(tilt) + bridge]) - depth * normal
    half_turn = np.array([-1.0, -1.0, 1.0])  # about z: the left wing is the right one, turned, current reversed
    right = Pose.from_axes(origin=centre, z=normal, y=(0.0, 1.0, 0.0))
    left = Pose.from_axes(origin=half_turn * centre, z=half_turn * normal, y=(0.0, -1.0, 0.0))
    return Wing(winding, right, 1, dome), Wing(winding, left, -1, dome)
