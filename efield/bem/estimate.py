r"""Estimate how far a solution is from that of the continuous equations.

Notes
-----
A charge that is constant on each triangle meets the interface condition on average over each triangle, and not
between. What is missing there follows from the equation itself: put the computed field into

.. math:: q(x) = 2 k\, n \cdot (E_p + E_s)(x)

at points within the triangle (I. H. Sloan's iterated solution, Math. Comput. 30:758-764 (1976), which is closer to
the truth than the solution it comes from). The difference d of its value on a quarter of the triangle from its mean
over the whole carries no net charge, so its field dies off within a few edge lengths and can be summed in closed form
around a sample of cortex points. That field, times 1.5, is the estimate; the factor stands for what is left out, the
response of all other charges to d and what varies within a quarter.

Measured (benchmarks/error_estimate.py), estimate over the change when every triangle is split in four where it lies:
1.4 to 1.7 in five-layer spheres, 1.0 in three-layer ones, 0.8 and 1.2 at two poses on the default head; and 0.7 of
the difference between its "fast" and "standard" resolutions at the same points, which includes the change of the
anatomy. Against the exact field of round spheres it is 2 to 6 times too large: the errors of constant charge and of
flat triangles partly cancel on smooth surfaces.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from efield.bem.krylov import KrylovResult
from efield.bem.operator import BemOperator
from efield.fields import ErrorEstimate
from efield.kernels.subdivided import field_of_children
from meshes import Surface

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_SAMPLES = 40
"""Points of the cortex at which the error of the field is estimated."""

_REACH = 1.5
"""Triangles within this many edge lengths of a point count; twice the reach changes the estimate by 1 %."""

_RESPONSE = 1.5
"""Factor for what the estimate leaves out: empirical, see the notes above."""

# Children in the order of their rows: one at each corner, then the middle one; in barycentric coordinates.
_CHILDREN: F64 = np.array(
    [
        [[1, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5]],
        [[0.5, 0.5, 0], [0, 1, 0], [0, 0.5, 0.5]],
        [[0.5, 0, 0.5], [0, 0.5, 0.5], [0, 0, 1]],
        [[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]],
    ]
)


def estimate_error(
    operator: BemOperator, result: KrylovResult, cortex: Surface, primary: Callable[[F64], F64]
) -> ErrorEstimate:
    """Return how well a solution stands for the continuous one.

    Parameters
    ----------
    operator : BemOperator
        The equations.
    result : KrylovResult
        Their solution, one right-hand side.
    cortex : Surface
        Where the field is asked for.
    primary : callable
        Takes points (n, 3) (mm) to the primary field (V/m) that was solved for.

    Returns
    -------
    ErrorEstimate
    """
    charge = result.solution[:, 0]
    net = np.abs(np.bincount(operator.part, operator.areas * charge))
    total = np.bincount(operator.part, operator.areas * np.abs(charge))
    relative_error, mismatch = discretisation_error(operator, charge, cortex, primary)
    return ErrorEstimate(
        residual=float(result.residuals[0][-1]),
        iterations=result.iterations,
        charge_imbalance=float((net / np.maximum(total, np.finfo(float).tiny)).max()),
        interface_mismatch=mismatch,
        flux_error=operator.flux_error,
        relative_error=relative_error,
    )


def discretisation_error(
    operator: BemOperator,
    charge: F64,
    cortex: Surface,
    primary: Callable[[F64], F64],
    *,
    samples: int = _SAMPLES,
    reach: float = _REACH,
) -> tuple[float, float]:
    """Return the estimated relative L2 error of E over the cortex, and the mismatch at the interfaces near it.

    Parameters
    ----------
    operator, cortex, primary
        See `estimate_error`.
    charge : ndarray, shape (n_triangles,)
        The solution (V/m).
    samples : int, optional
        Points of the cortex, drawn in proportion to the energy of the primary field.
    reach : float, optional
        Triangles within this many of their own edge lengths from a point count.

    Returns
    -------
    float, float
        See `ErrorEstimate`: relative_error and interface_mismatch.
    """
    share = _energy_share(cortex, primary)
    if share.sum() == 0.0:
        return 0.0, 0.0
    rows, drawn = _systematic_sample(share, samples)
    points = np.ascontiguousarray(cortex.vertices[rows])
    first, listed = _nearby(operator.surface, points, reach)
    used, listed = np.unique(listed, return_inverse=True)
    corners = operator.surface.corners[used]
    normals = operator.surface.normals[used]

    within = np.einsum("cv,nvd->ncd", _CHILDREN.mean(axis=1), corners).reshape(-1, 3)
    where = np.concatenate([within, points])
    field = operator.layer.field(where, charge[:, None])[:, :, 0] + primary(where)
    inside = field[: len(within)].reshape(-1, 4, 3)
    normal = np.einsum("ncd,nd->nc", inside, normals)
    factor = 2.0 * operator.contrast[used, None]
    missing = factor * (normal - normal.mean(axis=1, keepdims=True))

    error = np.empty_like(points)
    children = np.einsum("cuv,nvd->ncud", _CHILDREN, corners).reshape(-1, 3, 3)
    field_of_children(
        error,
        points,
        first,
        listed.astype(np.int64),
        np.ascontiguousarray(children),
        np.repeat(normals, 4, axis=0),
        np.ascontiguousarray(missing),
    )
    # Every draw stands for the vertex' area over its share of the draws.
    weight = drawn * _vertex_areas(cortex)[rows] / share[rows]
    lost = weight @ np.sum(error**2, axis=1)
    relative = _RESPONSE * np.sqrt(lost / (weight @ np.sum(field[len(within) :] ** 2, axis=1)))
    # Not relative to the charge, which may be zero: inner spheres around a common centre carry none.
    weighted = operator.areas[used, None] * factor**2
    whole = float(np.sum(weighted * np.sum(inside**2, axis=2)))
    mismatch = np.sqrt(np.sum(operator.areas[used, None] * missing**2) / whole) if whole > 0.0 else 0.0
    return float(relative), float(mismatch)


def _vertex_areas(surface: Surface) -> F64:
    """Return a third of the area of the triangles around each vertex (mm^2)."""
    corners = surface.triangles.ravel()
    thirds = np.repeat(surface.areas / 3.0, 3)
    return np.bincount(corners, thirds, minlength=len(surface.vertices)).astype(np.float64)


def _energy_share(cortex: Surface, primary: Callable[[F64], F64]) -> F64:
    """Return area times squared primary field per vertex: where the error counts, known before any solution."""
    energy: F64 = _vertex_areas(cortex) * np.sum(primary(cortex.vertices) ** 2, axis=1)
    return energy


def _systematic_sample(share: F64, count: int) -> tuple[I64, I64]:
    """Return rows drawn in proportion to `share` at even steps of its sum, and how often each: the same every time."""
    cumulative = np.cumsum(share)
    steps = (np.arange(count) + 0.5) / count * cumulative[-1]
    rows, drawn = np.unique(np.searchsorted(cumulative, steps), return_counts=True)
    return rows, drawn


def _nearby(surface: Surface, points: F64, reach: float) -> tuple[I64, I64]:
    """Return first and listed: the triangles whose distance is less than `reach` of their own edges, point by point."""
    from scipy.spatial import cKDTree  # here, so that importing the package loads no SciPy

    edge = np.linalg.norm(surface.corners - np.roll(surface.corners, 1, axis=1), axis=2).mean(axis=1)
    found = cKDTree(surface.centroids).query_ball_point(points, reach * edge.max())
    lists = []
    for point, candidates in zip(points, found, strict=True):
        rows = np.asarray(candidates, dtype=np.int64)
        distance = np.linalg.norm(surface.centroids[rows] - point, axis=1)
        lists.append(rows[distance < reach * edge[rows]])
    first = np.concatenate([[0], np.cumsum([len(rows) for rows in lists])]).astype(np.int64)
    return first, np.concatenate(lists)
