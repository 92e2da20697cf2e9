"""Give the exact field of coils: in a layered sphere, and in free space.

In a conductor made of concentric spherical shells the induced field is tangential and does not depend on the shells'
number, radii or conductivities. So these formulas need no material at all, and they are the yardstick for every
solver of this package (see `efield.spectral` for spheres that are not concentric).

Everything here is plain NumPy, written for trust and not for speed: the solvers use `efield.primary`.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt

from meshes import arrays
from meshes.arrays import FloatArray

__all__ = [
    "free_space_field",
    "free_space_field_of_loop",
    "sphere_field",
    "sphere_field_of_elements",
    "sphere_field_of_loop",
]

# Point-source pairs handled at a time: a dozen temporary arrays of this size stay in the processor's cache.
_PAIRS_PER_BLOCK = 65_536

# A point closer to a dipole than this fraction of the coil's extent counts as lying on it.
_ON_DIPOLE = 1e-9

# Excess of ra + rb over the length of a segment, as a fraction of it, that is no more than rounding: a point closer
# than about 1e-7 lengths counts as lying on the wire.
_ON_WIRE = 1e-14

# Accuracy asked of the Gauss-Legendre rule on each piece of wire; the bound below is for analytic integrands.
_QUADRATURE_ERROR = 1e-13


@cache
def wire_factor() -> float:
    """Return mu0 / 4 pi (V s / (A m)). The fields of wires need no conversion: they are free of length units."""
    from scipy.constants import mu_0  # here, so that importing the package loads no SciPy

    return float(mu_0 / (4.0 * np.pi))


def dipole_factor() -> float:
    """Return mu0 / 4 pi for moments in A m^2 and lengths in mm, which a dipole's field goes with to the power -2.

    Not taken from `efield.primary`: this module is what the solvers are measured with, so a slip there must not be here
    too. That the conversion is right follows from wires, which have none.
    """
    return wire_factor() * 1e6


def sphere_field(
    points: npt.ArrayLike,
    positions: npt.ArrayLike,
    moments: npt.ArrayLike,
    *,
    didt: float = 1e6,
    centre: npt.ArrayLike = (0.0, 0.0, 0.0),
    radius: float | None = None,
) -> FloatArray:
    """Compute the field that magnetic dipoles induce in a layered sphere.

    Parameters
    ----------
    points : array_like, shape (n_points, 3)
        Where to compute the field, inside the sphere (mm). One point of shape (3,) is accepted.
    positions : array_like, shape (n_dipoles, 3)
        Positions of the dipoles, all outside the sphere (mm).
    moments : array_like, shape (n_dipoles, 3)
        Moments per ampere of coil current (A m^2 per A).
    didt : float, optional
        Rate of change of the coil current (A/s).
    centre : array_like, shape (3,), optional
        Centre of the sphere (mm).
    radius : float, optional
        Outer radius of the conductor (mm). Without it the smallest sphere about `centre` that holds all points is
        taken, which is all that the formula needs.

    Returns
    -------
    ndarray, shape (n_points, 3)
        E = -dA/dt - grad(phi) (V/m).

    Raises
    ------
    ValueError
        If a dipole is not outside the sphere, or a point is outside of it: the formula says nothing about the field
        in the air.

    Notes
    -----
    With R the dipole, x the point, a = R - x, both relative to the centre, and m' = didt * moment::

        F = a (R a + R.a)
        G = (a^2/R + a.R/a + 2 a + 2 R) R - (a + 2 R + a.R/a) x
        E = -(mu0 / 4 pi) x cross [m' / F - (m'.G) R / F^2]

    This is reciprocal to the magnetic field of a current dipole in a sphere, Sarvas, Phys Med Biol 1987;32:11-22,
    eq. 25; for stimulation Heller and van Hulsteyn, Biophys J 1992;63:129-138. At the centre E is exactly zero; there
    is no singular point as long as the dipoles are outside.

    Examples
    --------
    A dipole that points at the centre moves no charge:

    >>> import numpy as np
    >>> source = dict(positions=[[0, 0, 100]], moments=[[0, 0, 0.04]])
    >>> field = sphere_field([[10, 0, 80]], **source)
    >>> bool(np.allclose(field, free_space_field([[10, 0, 80]], **source), rtol=1e-12))
    True
    """
    origin = arrays.vector(centre, "centre")
    x = arrays.vectors(points, "points", allow_single=True) - origin
    sources, m = _dipoles(positions, moments)
    r = sources - origin
    distance = np.linalg.norm(r, axis=1)
    _check_outside(x, float(distance.min(initial=np.inf)), radius, "positions")
    scale = -dipole_factor() * _finite(didt, "didt")
    m_dot_r = np.einsum("ij,ij->i", m, r)

    def block(x: FloatArray) -> FloatArray:
        a, a_dot_r = _separation(x, r)
        f = a * (distance * a + a_dot_r)
        along_x = a + 2.0 * distance + a_dot_r / a
        along_r = a * a / distance + a + along_x
        m_dot_g = along_r * m_dot_r - along_x * (x @ m.T)
        return scale * np.cross(x, (1.0 / f) @ m - (m_dot_g / f**2) @ r)

    return _in_blocks(block, x, len(r))


def sphere_field_of_loop(
    points: npt.ArrayLike,
    path: npt.ArrayLike,
    *,
    didt: float = 1e6,
    centre: npt.ArrayLike = (0.0, 0.0, 0.0),
    radius: float | None = None,
) -> FloatArray:
    """Compute the field that a closed thin wire induces in a layered sphere.

    Parameters
    ----------
    points, centre, radius
        As in `sphere_field`.
    path : array_like, shape (n_corners, 3)
        Corners of the wire in the direction of positive current (mm); the last is joined to the first. A last corner
        equal to the first is allowed.
    didt : float, optional
        Rate of change of the current (A/s); several turns are so many times the current.

    Returns
    -------
    ndarray, shape (n_points, 3)
        E = -dA/dt - grad(phi) (V/m).

    Raises
    ------
    ValueError
        If the wire is not wholly outside the sphere (its straight segments too), or a point is outside of it.

    Notes
    -----
    With R on the wire, x the point, a = |R - x| and D = R a + R^2 - x.R::

        E = (mu0 didt / 4 pi) x cross closed-integral [R cross dl / (R D) + R (1 + R/a) x.(R cross dl) / (R D^2)]

    It follows from Sarvas' field (see `sphere_field`), which is curl-free outside, by Stokes' theorem. Only the
    integral over a closed wire has a meaning. Segments are cut into pieces no longer than their distance to the
    points' sphere, with a Gauss-Legendre rule on each good to about 1e-13: the polyline is integrated exactly.
    """
    origin = arrays.vector(centre, "centre")
    x = arrays.vectors(points, "points", allow_single=True) - origin
    start, end = _segments(path)
    start, end = start - origin, end - origin
    nearest = _nearest_to_origin(start, end)
    outer = _check_outside(x, float(nearest.min()), radius, "path")
    r, dl = _wire_nodes(start, end, nearest - outer)
    return _field_of_elements(x, r, dl, wire_factor() * _finite(didt, "didt"))


def sphere_field_of_elements(
    points: npt.ArrayLike,
    positions: npt.ArrayLike,
    vectors: npt.ArrayLike,
    *,
    didt: float = 1e6,
    centre: npt.ArrayLike = (0.0, 0.0, 0.0),
    radius: float | None = None,
) -> FloatArray:
    """Compute the field that point-like current elements induce in a layered sphere.

    Parameters
    ----------
    points, didt, centre, radius
        As in `sphere_field`.
    positions : array_like, shape (n_elements, 3)
        Middles of the elements, all outside the sphere (mm).
    vectors : array_like, shape (n_elements, 3)
        From start to end of each, times its turns (mm); see `coils.Segments`.

    Returns
    -------
    ndarray, shape (n_points, 3)
        E = -dA/dt - grad(phi) (V/m).

    Raises
    ------
    ValueError
        If an element is not outside the sphere, a point is not inside, or there are not as many vectors as positions.

    Notes
    -----
    The integrand of `sphere_field_of_loop` for each element. It is zero for an element that points at the centre, so
    that the sum is the field of the circuit which the elements form with straight leads from their ends away from the
    centre to infinity; a closed circuit needs none.

    Examples
    --------
    >>> import numpy as np
    >>> field = sphere_field_of_elements([[10, 0, 80]], [[0, 0, 100]], [[0, 0, 3]])
    >>> bool((field == 0.0).all())
    True
    """
    origin = arrays.vector(centre, "centre")
    x = arrays.vectors(points, "points", allow_single=True) - origin
    r = arrays.vectors(positions, "positions", allow_single=True) - origin
    v = arrays.vectors(vectors, "vectors", allow_single=True)
    if len(v) != len(r):
        raise ValueError(f"vectors must be one row per position ({len(r)}); got {len(v)} rows.")
    _check_outside(x, float(np.linalg.norm(r, axis=1).min(initial=np.inf)), radius, "positions")
    return _field_of_elements(x, r, v, wire_factor() * _finite(didt, "didt"))


def _field_of_elements(x: FloatArray, r: FloatArray, dl: FloatArray, scale: float) -> FloatArray:
    """Sum the integrand in the notes of `sphere_field_of_loop`, relative to the centre, over elements dl at r."""
    distance = np.linalg.norm(r, axis=1)
    r_cross_dl = np.cross(r, dl)

    def block(x: FloatArray) -> FloatArray:
        a, a_dot_r = _separation(x, r)
        d = distance * a + a_dot_r
        first = 1.0 / (distance * d)
        second = first * (1.0 + distance / a) * (x @ r_cross_dl.T) / d
        return scale * np.cross(x, first @ r_cross_dl + second @ r)

    return _in_blocks(block, x, len(r))


def free_space_field(
    points: npt.ArrayLike, positions: npt.ArrayLike, moments: npt.ArrayLike, *, didt: float = 1e6
) -> FloatArray:
    """Compute the primary field of magnetic dipoles, -dA/dt, without any conductor.

    Parameters
    ----------
    points : array_like, shape (n_points, 3)
        Where to compute the field (mm). One point of shape (3,) is accepted.
    positions, moments, didt
        As in `sphere_field`, at any place.

    Returns
    -------
    ndarray, shape (n_points, 3)
        E_p = -(mu0 / 4 pi) didt m cross (x - s) / abs(x - s)^3 (V/m), in the Coulomb gauge.

    Raises
    ------
    ValueError
        If a point lies on a dipole, where the field is infinite.
    """
    x = arrays.vectors(points, "points", allow_single=True)
    s, m = _dipoles(positions, moments)
    scale = -dipole_factor() * _finite(didt, "didt")
    # The sources are moved near the origin, so that m cross (x - s) may be summed as two terms without cancellation.
    origin = s.mean(axis=0) if len(s) else np.zeros(3)
    s, x = s - origin, x - origin
    m_cross_s = np.cross(m, s)
    reach = _ON_DIPOLE * max(1.0, float(np.abs(s).max(initial=0.0)))

    def block(x: FloatArray) -> FloatArray:
        a, _ = _separation(x, s)
        if a.size and a.min() <= reach:
            raise ValueError("points must be off the dipoles, where the field is infinite; got a point on a dipole.")
        weight = a**-3.0
        return scale * (np.cross(weight @ m, x) - weight @ m_cross_s)

    return _in_blocks(block, x, len(s))


def free_space_field_of_loop(points: npt.ArrayLike, path: npt.ArrayLike, *, didt: float = 1e6) -> FloatArray:
    """Compute the primary field of a closed thin wire, -dA/dt, without any conductor.

    Parameters
    ----------
    points : array_like, shape (n_points, 3)
        Where to compute the field (mm). One point of shape (3,) is accepted.
    path : array_like, shape (n_corners, 3)
        Corners of the wire (mm); see `sphere_field_of_loop`.
    didt : float, optional
        Rate of change of the current (A/s).

    Returns
    -------
    ndarray, shape (n_points, 3)
        E_p = -(mu0 / 4 pi) didt closed-integral dl / abs(x - s) (V/m), in the Coulomb gauge.

    Raises
    ------
    ValueError
        If a point lies on the wire, where the field is infinite.

    Notes
    -----
    A segment of length L between points at distances ra and rb adds, along itself, the closed form
    ln((ra + rb + L) / (ra + rb - L)).
    """
    x = arrays.vectors(points, "points", allow_single=True)
    start, end = _segments(path)
    length = np.linalg.norm(end - start, axis=1)
    along = (end - start) / length[:, np.newaxis]
    scale = -wire_factor() * _finite(didt, "didt")

    def block(x: FloatArray) -> FloatArray:
        excess = _separation(x, start)[0] + _separation(x, end)[0] - length
        if excess.size and (excess <= _ON_WIRE * length).any():
            raise ValueError("points must be off the wire, where the field is infinite; got a point on the wire.")
        field: FloatArray = scale * (np.log1p(2.0 * length / excess) @ along)
        return field

    return _in_blocks(block, x, len(start))


def _in_blocks(block: Callable[[FloatArray], FloatArray], x: FloatArray, n_sources: int) -> FloatArray:
    """Apply `block` to so many rows of `x` at a time that its temporary arrays stay small."""
    out: FloatArray = np.zeros_like(x)
    rows = max(1, _PAIRS_PER_BLOCK // max(1, n_sources))
    for first in range(0, len(x), rows):
        out[first : first + rows] = block(x[first : first + rows])
    return out


def _separation(x: FloatArray, r: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return abs(r - x) and (r - x).r for each point and source, from differences: near pairs keep their digits."""
    dx, dy, dz = (r[:, i] - x[:, i, np.newaxis] for i in range(3))
    return np.sqrt(dx * dx + dy * dy + dz * dz), dx * r[:, 0] + dy * r[:, 1] + dz * r[:, 2]


def _check_outside(x: FloatArray, source_radius: float, radius: float | None, name: str) -> float:
    """Return the outer radius (mm) after checking that it parts the points from the sources."""
    farthest = float(np.linalg.norm(x, axis=1).max(initial=0.0))
    outer = farthest if radius is None else arrays.positive(radius, "radius")
    if farthest > outer * (1.0 + 1e-12):
        raise ValueError(
            f"points must be inside the sphere of radius {outer:g} mm about centre, where the formula holds; "
            f"got a point at {farthest:g} mm. Leave out the points in the air."
        )
    if not source_radius > outer:
        raise ValueError(
            f"{name} must be outside the sphere of radius {outer:g} mm about centre that holds the points; "
            f"got a source at {source_radius:g} mm. Move the coil away from the sphere."
        )
    return outer


def _dipoles(positions: npt.ArrayLike, moments: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Check positions and moments of dipoles, one moment per position."""
    s = arrays.vectors(positions, "positions", allow_single=True)
    m = arrays.vectors(moments, "moments", allow_single=True)
    if len(m) != len(s):
        raise ValueError(f"moments must be one row per position ({len(s)}); got {len(m)} rows.")
    return s, m


def _finite(value: float, name: str) -> float:
    """Check a number of any sign."""
    if not np.isfinite(value):
        raise ValueError(f"{name} must be a finite number; got {value}.")
    return float(value)


def _segments(path: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return start and end of each segment of a closed polyline, without those of length zero."""
    corners = arrays.vectors(path, "path")
    keep = (corners != np.roll(corners, 1, axis=0)).any(axis=1)
    corners = corners[keep]
    if len(corners) < 3:
        raise ValueError(f"path must be a closed polyline of at least 3 different corners; got {len(corners)}.")
    return corners, np.roll(corners, -1, axis=0)


def _nearest_to_origin(start: FloatArray, end: FloatArray) -> FloatArray:
    """Return the distance of each segment from the origin."""
    along = end - start
    t = -np.einsum("ij,ij->i", start, along) / np.einsum("ij,ij->i", along, along)
    nearest: FloatArray = np.linalg.norm(start + np.clip(t, 0.0, 1.0)[:, np.newaxis] * along, axis=1)
    return nearest


def _wire_nodes(start: FloatArray, end: FloatArray, gap: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Place quadrature nodes on segments whose distance to all points is at least `gap`.

    Returns
    -------
    nodes : ndarray, shape (n_nodes, 3)
        Positions (mm).
    dl : ndarray, shape (n_nodes, 3)
        Weighted line elements (mm).
    """
    length = np.linalg.norm(end - start, axis=1)
    pieces = np.ceil(length / gap).astype(np.intp)
    owner = np.repeat(np.arange(len(start)), pieces)
    step = np.arange(len(owner)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    # The nearest singularity is at `gap` beside a piece: the rule converges as rho^(-2 order), rho the sum of the
    # half axes of the ellipse through it with foci at the piece's ends.
    slimness = float((2.0 * gap * pieces / length).min())
    rho = slimness + np.sqrt(slimness**2 + 1.0)
    order = max(2, int(np.ceil(-np.log(_QUADRATURE_ERROR) / (2.0 * np.log(rho)))))
    abscissae, weights = np.polynomial.legendre.leggauss(order)
    along = ((end - start) / pieces[:, np.newaxis])[owner]
    t = (step[:, np.newaxis] + 0.5 * (1.0 + abscissae))[..., np.newaxis]
    nodes = start[owner][:, np.newaxis] + t * along[:, np.newaxis]
    dl = 0.5 * weights[:, np.newaxis] * along[:, np.newaxis]
    return nodes.reshape(-1, 3), np.broadcast_to(dl, nodes.shape).reshape(-1, 3)
