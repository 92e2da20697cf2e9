"""Compute the inductance of a coil's windings, and with it voltage and energy.

Neumann's double integral between all filaments, mu0/4pi sum n_i n_j oint oint dl_i . dl_j / r, where the inner integral
is a closed form: that of straight edges, or for circular turns that of elliptic integrals. What a filament does to
itself is the mutual inductance with its own copy at the geometric mean distance of its cross-section (Maxwell,
Treatise, 1873, art. 691; Grover, Inductance Calculations, 1946, ch. 3). The leads and the cable are left out, and so is
the skin effect: current density is uniform, as it is in the coils' windings here.
"""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import numpy.typing as npt

from coils.coil import Coil, Wire
from coils.potential import turn_potential
from coils.wires import Circle, circle_of, path_potential
from meshes import arrays
from meshes.arrays import FloatArray

__all__ = ["inductance", "magnetic_energy", "mean_distance"]

# mu0 / 4 pi in H per mm: the potentials of `coils.potential` are pure numbers, integrated over mm.
_FACTOR = 1e-7 * 1e-3

# Wanted relative change of the line integrals when their points are doubled, and most points per edge.
_CONVERGED, _MOST_PER_EDGE = 2e-4, 32

# Filaments at Gauss points are further apart than the parts of the cross-section that they stand for. The mean distance
# that makes up for it, so that all filaments of a turn have that of its whole rectangle, is 0.53 to 0.89 times that of
# a filament's own part for rules of 2 x 2 to 7 x 7, here 0.65; times that of the rectangle between neighbours, 0.37 to
# 1.05, one-row rules included, here 0.62. Both are fitted, not derived. Against equal cells a wing of the 70 mm coil
# comes out 0.3 % high, of the 90 mm coil 0.1 %, of the 25 mm coil, whose wire is tall and thin, 1 %.
_OF_PART, _OF_GAPS = 0.65, 0.62

# How far along a wire its own cross-section matters, in mean distances: beyond, 1/r is right to 1e-3.
_NEARBY = 20.0

# Points on a circle for integrals with circles of other axes: those of neighbouring wings' windings may come within
# 2 mm of it, where more than one point per millimetre resolves them.
_ROUND = 360


def inductance(coil: Coil, *, section: tuple[float, float] | None = None) -> float:
    """Compute the inductance of a coil's winding, without leads and cable.

    Parameters
    ----------
    coil : Coil
        A coil with `wires`.
    section : tuple of float, optional
        Width and height of the cross-section (mm) of one turn; of the whole bundle for a wire of more than one turn. By
        default that of each filament is judged from its distances to the next filaments, which is enough where
        several filaments stand for one turn, as in named coils. Turns wound closer than the height of their wire need
        such filaments too: see `coils.paths.rectangular_wire`.

    Returns
    -------
    float
        Self-inductance (H), 1e-6 for 1 uH: the voltage across the winding is this times dI/dt.

    Raises
    ------
    ValueError
        If the coil has no wires, or thin ones that need `section`.
    TypeError
        If `coil` is something else.

    Notes
    -----
    Neumann's formula by Gauss points along each edge, doubled until the sum changes by less than 2e-4; regular polygons
    of 48 corners or more are taken as the circles that they stand for, with Maxwell's closed form for coaxial ones.

    Examples
    --------
    >>> from coils.named import load_coil
    >>> round(1e6 * inductance(load_coil("magstim-70mm")))
    16
    """
    if not isinstance(coil, Coil):
        raise TypeError(f"coil must be a coils.Coil; got {type(coil).__name__}.")
    if not coil.wires:
        raise ValueError(
            f"coil must have wires for its inductance; got {coil.name} without. Build it with coil_from_wires."
        )
    distances = _mean_distances(coil.wires, section)
    circles: list[tuple[Circle, float, float]] = []
    paths: list[tuple[Wire, float]] = []
    for wire, distance in zip(coil.wires, distances, strict=True):
        circle = circle_of(wire)
        if circle is None:
            paths.append((wire, float(distance)))
        else:
            circles.append((circle, wire.turns, float(distance)))
    return _FACTOR * (_among_circles(circles) + _with_paths(paths, circles))


def magnetic_energy(coil: Coil, current: float, *, section: tuple[float, float] | None = None) -> float:
    """Compute the energy in a coil's magnetic field, half its inductance times the current squared.

    Parameters
    ----------
    coil : Coil
        A coil with `wires`.
    current : float
        Current (A), of either sign.
    section : tuple of float, optional
        As in `inductance`.

    Returns
    -------
    float
        Energy (J), without that of leads and cable.

    Raises
    ------
    ValueError
        If `current` is not a finite number; otherwise as `inductance`.

    Examples
    --------
    >>> from coils.named import load_coil
    >>> bool(180 < magnetic_energy(load_coil("magstim-70mm"), 5000) < 220)
    True
    """
    current = float(arrays.vector((current, 0.0, 0.0), "current")[0])
    return 0.5 * inductance(coil, section=section) * current**2


def mean_distance(width: float, height: float) -> float:
    """Compute the geometric mean distance of the points of a rectangle from each other (mm).

    Parameters
    ----------
    width, height : float
        Sides (mm); one may be zero, for a thin strip.

    Returns
    -------
    float
        The distance g with ln g the mean of ln r over all pairs of points.

    Raises
    ------
    ValueError
        If a side is negative or both are zero.

    Notes
    -----
    ln g = ln(a^2 + b^2) / 2 - (a^2 / 12 b^2) ln(1 + b^2/a^2) - (b^2 / 12 a^2) ln(1 + a^2/b^2) + (2a / 3b) atan(b/a)
    + (2b / 3a) atan(a/b) - 25/12: Maxwell, Treatise, art. 692; about 0.2235 (a + b).

    Examples
    --------
    >>> round(mean_distance(1.0, 1.0), 5)
    0.44705
    """
    a, b = arrays.non_negative(width, "width"), arrays.non_negative(height, "height")
    a, b = max(a, b), min(a, b)
    if a == 0.0:
        raise ValueError("width and height must not both be zero; got a cross-section without extent.")
    t = b / a
    if t < 1e-4:  # the closed form's terms cancel; a strip's is a e^(-3/2), and b adds pi b / 3 a to its logarithm
        return float(a * np.exp(-1.5 + np.pi * t / 3.0))
    log = 0.5 * np.log1p(t**2) - np.log1p(t**2) / (12.0 * t**2) - t**2 / 12.0 * np.log1p(1.0 / t**2)
    log += 2.0 / 3.0 * (np.arctan(t) / t + t * np.arctan(1.0 / t)) - 25.0 / 12.0
    return float(a * np.exp(log))


def _mean_distances(wires: Sequence[Wire], section: tuple[float, float] | None) -> FloatArray:
    """Return the geometric mean distance of each filament's own cross-section (mm), shape (n_wires,)."""
    turns = np.array([wire.turns for wire in wires])
    if section is not None:
        if len(section) != 2:
            raise ValueError(f"section must be width and height (mm); got {len(section)} numbers.")
        sides = [arrays.positive(side, "section") for side in section]
        # A filament's cell has its share of the area; of the same shape, for want of a better one.
        part = np.where(turns < 1.0 - 1e-9, _OF_PART * np.sqrt(np.minimum(turns, 1.0)), 1.0)
        own: FloatArray = mean_distance(*sides) * part
        return own
    gaps = _gaps(wires)
    if (turns > 1.0 - 1e-9).any() or not np.isfinite(gaps).all():
        raise ValueError(
            "section must be given, width and height of one turn (mm), for thin wires that stand for whole turns; got "
            "None."
        )
    return np.array([_OF_GAPS * mean_distance(*pair) for pair in gaps])


def _gaps(wires: Sequence[Wire]) -> FloatArray:
    """Measure each filament's distances to the next one and to the next at right angles to that (mm), shape (n, 2).

    At the first corner, against all corners of the other filaments. Infinite where there is no other filament; where
    all lie in one line, both distances are the same.
    """
    from scipy.spatial import cKDTree  # here, so that importing the package loads no SciPy

    corners = np.concatenate([wire.path for wire in wires])
    owner = np.repeat(np.arange(len(wires)), [len(wire.path) for wire in wires])
    gaps = np.full((len(wires), 2), np.inf)
    tree = cKDTree(corners)
    for index, wire in enumerate(wires):
        along = wire.path[1] - wire.path[-1]
        along = along / max(float(np.linalg.norm(along)), 1e-300)
        reach = np.array(tree.query_ball_point(wire.path[0], 30.0), dtype=np.int64)
        offset = corners[reach[owner[reach] != index]] - wire.path[0]
        offset = offset - (offset @ along)[:, None] * along * (np.abs(offset @ along) < 5.0)[:, None]
        length = np.linalg.norm(offset, axis=1)
        offset, length = offset[length > 0.0], length[length > 0.0]
        if not len(length):
            continue
        nearest = int(length.argmin())
        cosine = np.abs(offset @ offset[nearest]) / (length * length[nearest])
        across = length[cosine < 0.5]
        gaps[index] = length[nearest], across.min() if len(across) else length[nearest]
    return gaps


def _among_circles(circles: Sequence[tuple[Circle, float, float]]) -> float:
    """Sum turns * turns * oint A . dl over all pairs of circles (mm), each with itself included."""
    total = 0.0
    groups = [list(group) for _, group in groupby(sorted(circles, key=_axis), key=_axis)]
    for index, group in enumerate(groups):
        radius = np.array([circle.radius for circle, _, _ in group])
        turns = np.array([turns for _, turns, _ in group])
        normal = group[0][0].normal
        height = np.array([circle.centre @ normal for circle, _, _ in group])
        sense = np.array([np.sign(circle.normal @ normal) for circle, _, _ in group])
        own = np.array([distance for _, _, distance in group])
        apart = np.abs(height[:, None] - height) + np.diag(own)
        mutual = 2.0 * np.pi * radius * turn_potential(np.tile(radius, (len(radius), 1)), apart, radius[:, None])
        total += float((sense * turns) @ mutual @ (sense * turns))
        for other in groups[index + 1 :]:
            total += 2.0 * _between(group, other)
    return total


def _axis(entry: tuple[Circle, float, float]) -> tuple[float, ...]:
    """Return what circles of one axis share, rounded: the axis' direction, up to its sign, and its place."""
    circle = entry[0]
    normal = circle.normal * np.sign(circle.normal[np.abs(circle.normal).argmax()])
    place = circle.centre - (circle.centre @ normal) * normal
    return tuple(float(number) + 0.0 for number in np.concatenate([normal.round(6), place.round(4)]))


def _between(group: Sequence[tuple[Circle, float, float]], other: Sequence[tuple[Circle, float, float]]) -> float:
    """Sum turns * turns * oint A . dl between two groups of circles (mm), by the trapezoidal rule along the second."""
    angle = 2.0 * np.pi * np.arange(_ROUND) / _ROUND
    total = 0.0
    points, steps = [], []
    for circle, turns, _ in other:
        first = np.linalg.svd(circle.normal[None])[2][1]
        second = np.cross(circle.normal, first)
        spokes = np.outer(np.cos(angle), first) + np.outer(np.sin(angle), second)
        points.append(circle.centre + circle.radius * spokes)
        steps.append(turns * circle.radius * 2.0 * np.pi / _ROUND * np.cross(circle.normal, spokes))
    places, weights = np.concatenate(points), np.concatenate(steps)
    for circle, turns, _ in group:
        total += turns * float(np.einsum("pk,pk->", circle.potential(places), weights))
    return total


def _with_paths(paths: Sequence[tuple[Wire, float]], circles: Sequence[tuple[Circle, float, float]]) -> float:
    """Sum turns * turns * oint A . dl over all pairs with a polyline (mm), Gauss points doubled until it stands."""
    if not paths:
        return 0.0
    per_edge, last = 1, np.inf
    while True:
        total = 0.0
        for wire, distance in paths:
            points, steps = _gauss_along(wire.path, per_edge)
            potential = np.zeros_like(points)
            for circle, turns, _ in circles:  # both orders of the pair are alike
                potential += 2.0 * turns * circle.potential(points)
            for other, _ in paths:
                if other is not wire:
                    potential += other.turns * path_potential(points, other.path)
            potential += wire.turns * _own_potential(wire.path, points, per_edge, distance)
            total += wire.turns * float(np.einsum("pk,pk->", potential, steps))
        if abs(total - last) <= _CONVERGED * abs(total) or per_edge >= _MOST_PER_EDGE:
            return total
        per_edge, last = 2 * per_edge, total


def _gauss_along(path: FloatArray, per_edge: int) -> tuple[FloatArray, FloatArray]:
    """Return Gauss points on each edge of a closed path and the line elements there, two of shape (n, 3) (mm)."""
    edges = np.roll(path, -1, axis=0) - path
    node: npt.NDArray[np.float64]
    node, weight = np.polynomial.legendre.leggauss(per_edge)
    points = path[:, None] + 0.5 * (1.0 + node)[:, None] * edges[:, None]
    steps = 0.5 * weight[:, None] * edges[:, None]
    return points.reshape(-1, 3), steps.reshape(-1, 3)


def _own_potential(path: FloatArray, points: FloatArray, per_edge: int, distance: float) -> FloatArray:
    """Compute a path's potential at the Gauss points on itself, held off the part of it that is nearby along the wire.

    Only there: neighbouring turns of the same wire are at their own distance.
    """
    length = np.linalg.norm(np.roll(path, -1, axis=0) - path, axis=1)
    middle = np.cumsum(length) - 0.5 * length
    apart = np.abs(middle[:, None] - middle)
    apart = np.minimum(apart, length.sum() - apart) - 0.5 * (length[:, None] + length)
    return path_potential(
        points, path, np.repeat(np.where(apart < _NEARBY * distance, distance, 0.0), per_edge, axis=0)
    )
