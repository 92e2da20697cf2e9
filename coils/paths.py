"""Make coils of any closed wire paths: spirals, layers, bent and tilted wings, wire of rectangular cross-section."""

from collections.abc import Sequence

import numpy as np

from coils.coil import Coil, Wire
from coils.fitting import fit_dipoles, middle, offset_points, relative_maximum
from coils.segments import Segments
from coils.wires import cut_wires, flatness, smooth_potential, spanned_points, wire_potential
from meshes import Surface, arrays
from meshes.arrays import FloatArray

__all__ = ["bent", "coil_from_wires", "mirrored", "rectangular_wire", "spiral", "stacked", "tilted", "wire_potential"]

# Sharper corners than this have mitres longer than three widths of the wire (cosine of half the turn).
_LEAST_COSINE = 1.0 / 3.0

# A wire is flat enough for dipoles if no corner is further from its plane than this share of the distance at which the
# error is stated: then neither is the shell that it spans.
_FLAT = 0.5

# Smallest spacing of current elements that is tried, as a share of the distance.
_FINEST = 1.0 / 32.0

# Coils of at most so many current elements are left at that: a search for dipoles takes seconds and would save little.
_FEW = 200

# Most corners of a spiral: what follows takes time and memory for each.
_CORNERS = 200_000

# Sizes of coils (mm): what is outside is in another unit.
_LEAST, _GREATEST = 1.0, 2000.0


def spiral(
    *, inner_diameter: float, outer_diameter: float, turns: float, return_height: float = 0.0, corners: int = 72
) -> FloatArray:
    """Make an Archimedean spiral, closed by a return lead from its outer to its inner end.

    Parameters
    ----------
    inner_diameter, outer_diameter : float
        Diameters at which the wire's centre line starts and ends (mm).
    turns : float
        Number of turns; fractions are allowed.
    return_height : float, optional
        Height of the return lead (mm): 0 for a lead straight across the turns, negative for one behind the winding,
        joined by two upright pieces.
    corners : int, optional
        Corners per turn, at least 8.

    Returns
    -------
    ndarray, shape (n_corners, 3)
        The path around the z axis in the plane z = 0, counter-clockwise about +z from the inner end (mm), so that
        positive current has its moment along +z; the last corner is joined to the first.

    Raises
    ------
    ValueError
        If a size is not positive, the spiral does not grow, or there are too few corners.

    Notes
    -----
    The corners lie further out than the spiral by sqrt(step / sin(step)), so that the polygon has the spiral's area.

    Examples
    --------
    >>> spiral(inner_diameter=56, outer_diameter=87, turns=9).shape
    (649, 3)
    """
    inner = arrays.positive(inner_diameter, "inner_diameter") / 2.0
    outer = arrays.positive(outer_diameter, "outer_diameter") / 2.0
    turns = arrays.positive(turns, "turns")
    if outer <= inner:
        raise ValueError(
            f"outer_diameter must be greater than inner_diameter, {2.0 * inner:g} mm; got {2.0 * outer:g}."
        )
    if corners < 8 or corners != int(corners):
        raise ValueError(f"corners must be a whole number of at least 8 per turn; got {corners!r}.")
    if turns * corners > _CORNERS:
        raise ValueError(f"turns must make at most {_CORNERS:,} corners; got {turns:g} with {corners} each.")
    count = max(3, int(np.ceil(turns * corners)))
    angle = 2.0 * np.pi * turns * np.arange(count + 1) / count
    step = angle[1]
    radius = (inner + (outer - inner) * np.arange(count + 1) / count) * np.sqrt(step / np.sin(step))
    path = np.column_stack([radius * np.cos(angle), radius * np.sin(angle), np.zeros_like(angle)])
    height = float(arrays.vector((0.0, 0.0, return_height), "return_height")[2])
    if height != 0.0:
        path = np.concatenate([path, path[[-1, 0]] + [0.0, 0.0, height]])
    return path


def mirrored(path: FloatArray) -> FloatArray:
    """Return a path mirrored in x = 0: the other wing of a figure-of-eight, its current the other way round.

    Examples
    --------
    >>> mirrored([[1, 2, 3]])
    array([[-1.,  2.,  3.]])
    """
    return arrays.vectors(path, "path") * [-1.0, 1.0, 1.0]


def stacked(path: FloatArray, *, layers: int, spacing: float) -> tuple[FloatArray, ...]:
    """Repeat a path in layers, the first where it is and each next one `spacing` (mm) further behind, along -z.

    Raises
    ------
    ValueError
        If `layers` is not a whole number of at least 1, or `spacing` is not positive.

    Examples
    --------
    >>> [layer[0, 2] for layer in stacked([[1.0, 0.0, -3.0]], layers=2, spacing=7)]
    [np.float64(-3.0), np.float64(-10.0)]
    """
    path = arrays.vectors(path, "path")
    if layers < 1 or layers != int(layers):
        raise ValueError(f"layers must be a whole number of at least 1; got {layers!r}.")
    step = arrays.positive(spacing, "spacing") * np.array([0.0, 0.0, -1.0])
    return tuple(path + layer * step for layer in range(int(layers)))


def tilted(path: FloatArray, angle: float) -> FloatArray:
    """Turn what lies at x > 0 and at x < 0 towards the head, each about the y axis, as the wings of an angled coil.

    Parameters
    ----------
    path : array_like, shape (n, 3)
        A flat path (mm); one that crosses x = 0 is folded there and should have corners on the fold.
    angle : float
        Angle by which each side is turned towards +z (degrees), from 0 to below 90: 40 leaves 100 between them.

    Returns
    -------
    ndarray, shape (n, 3)
        The turned path (mm).

    Raises
    ------
    ValueError
        If the angle is out of range.

    Examples
    --------
    >>> tilted([[10, 0, 0], [-10, 0, 0]], 30).round(2)
    array([[ 8.66,  0.  ,  5.  ],
           [-8.66,  0.  ,  5.  ]])
    """
    path = arrays.vectors(path, "path")
    angle = arrays.non_negative(angle, "angle")
    if angle >= 90.0:
        raise ValueError(f"angle must be from 0 to below 90 degrees; got {angle:g}.")
    cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    side = np.sign(path[:, 0])
    x, z = path[:, 0], path[:, 2]
    return np.column_stack([cosine * x - side * sine * z, path[:, 1], side * sine * x + cosine * z])


def bent(path: FloatArray, radius: float) -> FloatArray:
    """Wrap a path about a cylinder along y whose axis lies `radius` (mm) above z = 0, lengths in that plane kept.

    Parameters
    ----------
    path : array_like, shape (n, 3)
        The path (mm); corners must lie below the axis, z < radius.
    radius : float
        Radius of the cylinder (mm).

    Returns
    -------
    ndarray, shape (n, 3)
        The bent path (mm): points at +-x rise towards the head.

    Raises
    ------
    ValueError
        If `radius` is not positive or a corner is on or above the axis.

    Examples
    --------
    >>> bent([[50 * np.pi, 0, 0]], 100).round(6)
    array([[100.,   0., 100.]])
    """
    path = arrays.vectors(path, "path")
    radius = arrays.positive(radius, "radius")
    if path[:, 2].max() >= radius:
        raise ValueError(
            f"path must lie below the axis of bending, z < {radius:g} mm; got a corner at {path[:, 2].max():g}."
        )
    angle, distance = path[:, 0] / radius, radius - path[:, 2]
    return np.column_stack([distance * np.sin(angle), path[:, 1], radius - distance * np.cos(angle)])


def rectangular_wire(
    path: FloatArray,
    *,
    width: float,
    height: float,
    turns: float = 1.0,
    points: tuple[int, int] = (2, 3),
    normal: FloatArray | None = None,
) -> tuple[Wire, ...]:
    """Cut a wire of rectangular cross-section into thin filaments at Gauss points.

    Parameters
    ----------
    path : array_like, shape (n_corners, 3)
        Centre line, closed (mm).
    width, height : float
        Sizes of the cross-section (mm): `height` along `normal`, `width` across; current density is uniform over it.
    turns : float, optional
        Current in the wire per current in the coil.
    points : tuple of int, optional
        Gauss points along width and height.
    normal : array_like, shape (3,), optional
        Direction of the height at the first corner, made upright to the path; by default that of the path's plane. It
        is carried along the path without turning about it; what is missing after one round is shared out.

    Returns
    -------
    tuple of Wire
        points[0] * points[1] filaments, mitred at the corners, whose turns add up to `turns`.

    Raises
    ------
    ValueError
        If the path has fewer than 3 corners, has a corner of more than 140 degrees, or a size is not positive.

    Examples
    --------
    >>> square = [[0, 0, 0], [9, 0, 0], [9, 9, 0], [0, 9, 0]]
    >>> wires = rectangular_wire(square, width=2, height=6)
    >>> len(wires), round(sum(wire.turns for wire in wires), 12)
    (6, 1.0)
    """
    path = Wire(path=path).path
    path = path[np.linalg.norm(np.roll(path, -1, axis=0) - path, axis=1) > 0.0]
    width, height = arrays.positive(width, "width"), arrays.positive(height, "height")
    turns = arrays.positive(turns, "turns")
    if len(points) != 2 or min(points) < 1:
        raise ValueError(f"points must be two numbers of at least 1; got {points!r}.")
    across, upright = _frames(path, normal)
    across_node, across_weight = np.polynomial.legendre.leggauss(points[0])
    upright_node, upright_weight = np.polynomial.legendre.leggauss(points[1])
    return tuple(
        Wire(path=path + 0.5 * (width * x * across + height * y * upright), turns=turns * wx * wy / 4.0)
        for x, wx in zip(across_node, across_weight, strict=True)
        for y, wy in zip(upright_node, upright_weight, strict=True)
    )


def _frames(path: FloatArray, normal: FloatArray | None) -> tuple[FloatArray, FloatArray]:
    """Return the directions of width and height at each corner, mitred, two of shape (n, 3)."""
    edges = np.roll(path, -1, axis=0) - path
    edges /= np.linalg.norm(edges, axis=1)[:, None]
    before = np.roll(edges, 1, axis=0)
    cosine = np.sqrt(np.maximum(0.5 * (1.0 + np.einsum("ck,ck->c", before, edges)), 0.0))
    if cosine.min() < _LEAST_COSINE:
        corner = int(cosine.argmin())
        raise ValueError(
            f"path must not fold back sharper than 140 degrees; got {2.0 * np.degrees(np.arccos(cosine[corner])):.0f} "
            f"at corner {corner}. Round it."
        )
    if normal is None:
        # The area's direction, or where that cancels, as in one path around two wings, the least extent's.
        normal = 1e6 * Wire(path=path).moment
        if np.linalg.norm(normal) < 1e-3 * np.ptp(path, axis=0).max() ** 2:
            normal = np.linalg.svd(path - path.mean(axis=0), full_matrices=False)[2][2]
    start = arrays.unit_vector(normal, "normal")
    start = start - (start @ edges[0]) * edges[0]
    if np.linalg.norm(start) < 1e-6:
        raise ValueError(f"normal must not be along the path's first edge; got {np.asarray(normal).tolist()}.")
    heights = np.empty_like(path)  # on each edge, carried by the least rotation that turns one edge into the next
    heights[0] = start / np.linalg.norm(start)
    for edge in range(1, len(path)):
        heights[edge] = _carried(heights[edge - 1], edges[edge - 1], edges[edge])
    last = _carried(heights[-1], edges[-1], edges[0])
    missing = np.arctan2(np.cross(last, heights[0]) @ edges[0], last @ heights[0])
    length = np.linalg.norm(np.roll(path, -1, axis=0) - path, axis=1)
    turn = (missing * (np.cumsum(length) - length) / length.sum())[:, None]
    heights = np.cos(turn) * heights + np.sin(turn) * np.cross(edges, heights)
    # At a corner the frame is that of the edge that follows, projected along it onto the mitre plane; the edge before
    # gives the same but for the twist.
    bisector = (before + edges) / (2.0 * cosine[:, None])
    mitre = np.einsum("ck,ck->c", edges, bisector)[:, None]
    frames = []
    for side in (np.cross(heights, edges), heights):
        frames.append(side - np.einsum("ck,ck->c", side, bisector)[:, None] / mitre * edges)
    return frames[0], frames[1]


def _carried(vector: FloatArray, start: FloatArray, end: FloatArray) -> FloatArray:
    """Rotate a vector by the least rotation that takes the unit vector `start` to `end`."""
    axis = np.cross(start, end)
    rotated: FloatArray = vector * (start @ end) + np.cross(axis, vector) + axis * (axis @ vector) / (1.0 + start @ end)
    return rotated


def coil_from_wires(
    wires: Sequence[Wire],
    *,
    name: str,
    casing: Surface | None = None,
    max_error: float = 1e-3,
    distance: float = 10.0,
    max_didt: float | None = None,
    handle: FloatArray = (0.0, -1.0, 0.0),  # type: ignore[assignment]  # converted by Coil
    source: str = "",
    elements: bool | None = None,
) -> Coil:
    """Build a coil of closed wires, with the fewest dipoles or current elements of a wanted accuracy.

    Parameters
    ----------
    wires : sequence of Wire
        The windings in the coil's frame.
    name : str
        Name of the coil.
    casing : Surface, optional
        Its housing.
    max_error : float, optional
        Wanted error, 0.001 for 0.1 %.
    distance : float, optional
        Distance from the windings at which the error is stated (mm).
    max_didt, handle, source
        As in `Coil`.
    elements : bool, optional
        True for current elements, False for dipoles. By default dipoles if every wire is flat, no corner further than
        half of `distance` from the plane that fits it best, unless 200 current elements will do or dipoles do not
        reach `max_error`.

    Returns
    -------
    Coil
        With `wires`, and `discretisation_error` as measured: the greatest length of the difference of A from the wires'
        exact one at `distance`, over the greatest A there. By the maximum principle for harmonic functions the
        difference is nowhere greater further out; see `coils.reduction`.

    Raises
    ------
    ValueError
        If there is no wire, they are not 1 to 2000 mm across, or `max_error` cannot be reached; the message says what
        can.

    Notes
    -----
    A wire's dipoles lie on the fan from its centre to its corners. A flat wire's fan is no nearer to a head than the
    wire. That of a wire bent around the head would lie inside it, where the dipoles' field is not the wire's; such
    wires are current elements, which are true everywhere outside the wires. With `elements=False` the field is right at
    `distance` from wires and fans, whose place is then the caller's care.

    Examples
    --------
    >>> path = spiral(inner_diameter=30, outer_diameter=50, turns=4) - [0, 0, 5]
    >>> coil = coil_from_wires([Wire(path=path)], name="spiral", max_error=0.01)
    >>> coil.discretisation_error <= 0.01, coil.n_dipoles < 60
    (True, True)
    """
    wires = (wires,) if isinstance(wires, Wire) else tuple(wires)
    if not wires or not all(isinstance(wire, Wire) for wire in wires):
        raise ValueError(f"wires must be one or more coils.Wire; got {len(wires)} of other or no kind.")
    wanted = arrays.positive(max_error, "max_error")
    distance = arrays.positive(distance, "distance")
    size = float(np.ptp(np.concatenate([wire.path for wire in wires]), axis=0).max())
    if not _LEAST <= size <= _GREATEST:
        raise ValueError(f"wires must be {_LEAST:g} to {_GREATEST:g} mm across; got {size:g} mm. Give millimetres.")
    positions, moments, segments = np.zeros((0, 3)), np.zeros((0, 3)), None
    if elements is None:
        if max(flatness(wire.path) for wire in wires) > _FLAT * distance or _few(wires, distance):
            segments, error = _elements(wires, wanted, distance)
        else:
            try:
                positions, moments, error = _dipoles(wires, wanted, distance)
            except ValueError:
                # Too sharp a rim for dipoles; if elements do not reach it either, their message says what can.
                segments, error = _elements(wires, wanted, distance)
    elif elements:
        segments, error = _elements(wires, wanted, distance)
    else:
        positions, moments, error = _dipoles(wires, wanted, distance)
    return Coil(
        positions=positions,
        moments=1e-6 * moments,
        segments=segments,
        name=name,
        casing=casing,
        max_didt=max_didt,
        handle=handle,
        wires=wires,
        discretisation_error=error,
        source=source,
    )


def _few(wires: Sequence[Wire], distance: float) -> bool:
    """Tell whether wires, cut at half of the distance, become so few elements that dipoles are not worth a search."""
    return len(cut_wires(wires, 0.5 * distance)) <= _FEW


def _dipoles(wires: Sequence[Wire], wanted: float, distance: float) -> tuple[FloatArray, FloatArray, float]:
    """Fit dipoles (mm, mm^2) on the fans of flat wires, to an error at `distance`."""
    near = spanned_points(wires, 0.1 * distance)
    return fit_dipoles(
        middle(near, distance),
        near,
        lambda points: smooth_potential(points, wires),
        max_error=wanted,
        distance=distance,
    )


def _elements(wires: Sequence[Wire], wanted: float, distance: float) -> tuple[Segments, float]:
    """Cut the wires, finer and finer, until the error at `distance` is small enough."""
    near = cut_wires(wires, 0.1 * distance).points
    points = offset_points(near, distance, 0.5 * distance, shift=0.25)
    exact = wire_potential(points, wires)
    spacing = distance
    while True:
        segments = cut_wires(wires, spacing)
        coil = Coil(segments=segments, name="elements")
        error = relative_maximum(coil.potential(points), exact)
        if error <= wanted:
            return segments, error
        spacing /= np.sqrt(2.0)
        if spacing < _FINEST * distance:
            raise ValueError(f"max_error must be at least {error:.1g} with current elements; got {wanted:g}.")
