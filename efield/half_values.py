"""Measure how deep and how wide a field reaches into a spherical brain; offered as part of `efield.metrics`."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meshes import arrays
from meshes.arrays import FloatArray

__all__ = ["HalfValues", "half_value_depth", "half_value_spread", "half_values"]

# Radial samples of `half_values`: the field is smooth inside a sphere that holds no source, so a polynomial through
# this many Chebyshev nodes from centre to surface is exact to about 1e-7 for sources 20 mm above a 70 mm sphere.
_RADIAL_NODES = 17
_RADIAL_CELLS = 280


@dataclass(frozen=True, eq=False)
class HalfValues:
    """Depth and spread of a field in a spherical brain, after Deng, Lisanby and Peterchev 2013.

    Attributes
    ----------
    peak : float
        Largest magnitude on the brain's surface (V/m).
    depth : float
        d1/2, depth of the deepest point that has at least half of the peak (mm).
    volume : float
        V1/2, volume of the brain that has at least half of the peak (mm^3).
    spread : float
        S1/2 = V1/2 / d1/2 (mm^2).
    """

    peak: float
    depth: float
    volume: float
    spread: float


def half_values(
    field: Callable[[FloatArray], FloatArray],
    *,
    radius: float = 70.0,
    centre: npt.ArrayLike = (0.0, 0.0, 0.0),
    spacing: float = 2.5,
) -> HalfValues:
    """Measure how deep and how wide a field reaches into a spherical brain.

    Parameters
    ----------
    field : callable
        Takes points, shape (n, 3) (mm), and returns the field there, shape (n, 3) (V/m).
    radius : float, optional
        Radius of the brain (mm). Deng's head is a sphere of 85 mm with a brain of 70 mm.
    centre : array_like, shape (3,), optional
        Centre of the brain (mm).
    spacing : float, optional
        Distance between neighbouring rays at the surface (mm). At 2.5 mm depth and spread of a 70 mm figure-8 are
        good to 0.1 %.

    Returns
    -------
    HalfValues
        Peak, d1/2, V1/2 and S1/2.

    Raises
    ------
    ValueError
        If `radius` or `spacing` is not positive, or `field` returns another shape, NaN, or zero everywhere.

    Notes
    -----
    Deng, Lisanby and Peterchev, Brain Stimul 2013;6:1-13, doi 10.1016/j.brs.2012.02.005. The field is sampled along
    rays from the centre through equally spread (Fibonacci) directions and interpolated along each ray by a
    polynomial, component by component, since it is smooth there. The maximum, which lies on the surface as no
    induced field has one in the interior (Heller and van Hulsteyn 1992), is refined by a local search. Points are
    counted wherever they reach half of it: nothing assumes that the field falls monotonically.
    """
    size = arrays.positive(radius, "radius")
    origin = arrays.vector(centre, "centre")
    step = arrays.positive(spacing, "spacing")
    directions = _fibonacci(int(np.ceil(4.0 * np.pi * size**2 / step**2)))

    def vectors_at(points: FloatArray) -> FloatArray:
        values = arrays.vectors(field(origin + points), "field(points)")
        if values.shape != points.shape:
            raise ValueError(f"field(points) must be of shape {points.shape}, one row per point; got {values.shape}.")
        return values

    # Rays that stay well below half of the peak at a few depths are left out of the costly full profiles.
    probes = [np.linalg.norm(vectors_at(size * f * directions), axis=1) for f in (1.0, 0.85, 0.7)]
    top = _surface_maximum(vectors_at, directions, probes[0], size)
    rays = directions[np.max(probes, axis=0) > 0.4 * top]
    depth, volume = _half_value_profiles(vectors_at, rays, size, top / 2.0, 4.0 * np.pi / len(directions))
    return HalfValues(peak=top, depth=depth, volume=volume, spread=volume / depth)


def half_value_depth(field: Callable[[FloatArray], FloatArray], *, radius: float = 70.0, spacing: float = 2.5) -> float:
    """Return d1/2 (mm) in a brain about the origin; `half_values` gives d1/2 and S1/2 at the cost of one."""
    return half_values(field, radius=radius, spacing=spacing).depth


def half_value_spread(
    field: Callable[[FloatArray], FloatArray], *, radius: float = 70.0, spacing: float = 2.5
) -> float:
    """Return S1/2 (mm^2) in a brain about the origin; `half_values` gives d1/2 and S1/2 at the cost of one."""
    return half_values(field, radius=radius, spacing=spacing).spread


def _surface_maximum(
    vectors_at: Callable[[FloatArray], FloatArray], directions: FloatArray, magnitude: FloatArray, radius: float
) -> float:
    """Return the largest magnitude on a sphere: the best of those at `directions`, refined by a local search."""
    from scipy.optimize import minimize  # here, so that importing the package loads no SciPy

    best = directions[int(np.argmax(magnitude))]
    top = float(magnitude.max())
    if top == 0.0:
        raise ValueError("field must not be zero on the whole surface of the brain; got zero everywhere.")
    side = np.cross(best, np.eye(3)[int(np.argmin(np.abs(best)))])
    frame = np.stack([side, np.cross(best, side)])

    def loss(tilt: FloatArray) -> float:
        direction = best + tilt @ frame
        return -float(np.linalg.norm(vectors_at(radius * direction[np.newaxis] / np.linalg.norm(direction)))) / top

    width = 1.0 / np.sqrt(len(directions))
    start = np.array([[0.0, 0.0], [width, 0.0], [0.0, width]])
    found = minimize(
        loss, start[0], method="Nelder-Mead", options={"initial_simplex": start, "xatol": 1e-4, "fatol": 1e-8}
    )
    return top * max(1.0, -float(found.fun))


def _half_value_profiles(
    vectors_at: Callable[[FloatArray], FloatArray], rays: FloatArray, radius: float, level: float, solid_angle: float
) -> tuple[float, float]:
    """Return the depth (mm) of the deepest point of `rays` that reaches `level`, and the volume that does (mm^3)."""
    nodes = 0.5 * (1.0 - np.cos(np.pi * np.arange(_RADIAL_NODES) / (_RADIAL_NODES - 1)))
    at_nodes = vectors_at((radius * nodes[:, np.newaxis, np.newaxis] * rays).reshape(-1, 3))
    fine = np.linspace(0.0, 1.0, _RADIAL_CELLS + 1)
    values = (_interpolation(nodes, fine) @ at_nodes.reshape(_RADIAL_NODES, -1)).reshape(len(fine), -1, 3)
    excess = np.linalg.norm(values, axis=2) - level
    inner, outer = excess[:-1], excess[1:]
    # Share of each cell above the level, by linear interpolation; a cell that is flat is all above or all below.
    span = np.where(inner == outer, 1.0, outer - inner)
    crossing = np.where((inner > 0.0) == (outer > 0.0), 0.0, -inner / span)
    above = np.where(outer > 0.0, 1.0 - crossing, crossing) * ((inner > 0.0) | (outer > 0.0))
    shells = np.diff(fine**3) * radius**3 / 3.0
    volume = solid_angle * float((shells @ above).sum())
    start = np.where(inner > 0.0, 0.0, crossing)
    reached = fine[:-1, np.newaxis] + start / _RADIAL_CELLS
    deepest = float(reached[above > 0.0].min(initial=1.0))
    return radius * (1.0 - deepest), volume


def _interpolation(nodes: FloatArray, at: FloatArray) -> FloatArray:
    """Return the matrix that takes values at Chebyshev nodes to values `at` others (barycentric formula)."""
    weights = np.where(np.arange(len(nodes)) % 2 == 0, 1.0, -1.0)
    weights[[0, -1]] *= 0.5
    gap = at[:, np.newaxis] - nodes
    hit = np.isclose(gap, 0.0, rtol=0.0, atol=1e-14)
    terms = weights / np.where(hit, 1.0, gap)
    matrix: FloatArray = terms / terms.sum(axis=1, keepdims=True)
    on_node = hit.any(axis=1)
    matrix[on_node] = hit[on_node]
    return matrix


def _fibonacci(count: int) -> FloatArray:
    """Return `count` unit vectors spread evenly, each standing for the same solid angle."""
    index = np.arange(count) + 0.5
    z = 1.0 - 2.0 * index / count
    angle = np.pi * (1.0 + np.sqrt(5.0)) * index
    rho = np.sqrt(1.0 - z * z)
    return np.stack([rho * np.cos(angle), rho * np.sin(angle), z], axis=1)
