r"""Estimate how far a solution is from that of the continuous equations.

Notes
-----
Two things are lost between a smooth surface and its triangles: the charge varies within a triangle, and the surface
bulges out of it. Both are recovered from the solution alone, as a finer mesh would find them. Every triangle is cut in
four, with the new corners on the curved surface that fits the normals at the old ones (`meshes.refine.bent_middles`);
the charge becomes linear between the means at its corners (O. C. Zienkiewicz and J. Z. Zhu, Int. J. Numer. Methods
Eng. 24:337-357 (1987)), shifted so that the mean over the parent stays. The field of these children less that of the
triangles is summed over the whole head at a sample of cortex points: that change, times 1.6, is the estimate. The
factor stands for what is left out, the response of all other charges to the change; it is empirical.

On spheres the change is not only as large as the true error but points the same way (cosine 0.65 to 0.94 between the
two fields). The errors of flat triangles and of constant charge partly cancel there, so that an estimate for the
charge alone, on the flat surface, is 2 to 6 times too large.

Measured (benchmarks/error_estimate.py, thin_layers.py), estimate over true error: 0.4 to 2.5 in five-layer spheres of
1,600 to 102,400 triangles, against the exact field; 0.4 to 0.9 in spheres of one, three and four layers, 0.6 to 0.8 in
thin ones; 0.97 and 0.92 at two poses on the default head against itself with all triangles split and rounded, 1.4 with
all split where they lie. It is too small where the missing response is large: 0.27 to 0.35 in two spheres of 0.33 and
0.2 S/m, and 0.1 to 0.2 for points within the poorly conducting skull, where no one asks for the field; there
`BemSolver.refine` tells.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from efield.bem.krylov import KrylovResult
from efield.bem.operator import BemOperator
from efield.fields import ErrorEstimate
from efield.kernels import subdivided
from meshes import Surface
from meshes.refine import sphere_normals

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_SAMPLES = 80
"""Points of the cortex at which the error of the field is estimated; different 80 scatter by up to a fifth."""

_CAP = 0.3
"""Largest change of the field at one point that counts, relative to the field there.

About one in a thousand vertices of the default head's cortex lies so close to an interface that the rounded surface
nearly touches it. With one of them among the samples the estimate would be several times too large.
"""

_AROUND = 16
"""Triangles around each of these points over which the mismatch is taken."""

_RESPONSE = 1.6
"""Factor for what the estimate leaves out: empirical, see the notes above."""


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
    relative_error, mismatch = discretisation_error(operator, charge, cortex, primary)
    return ErrorEstimate(
        residual=float(result.residuals[0][-1]),
        iterations=result.iterations,
        charge_imbalance=operator.balance.imbalance(operator.areas * charge),
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

    Returns
    -------
    float, float
        See `ErrorEstimate`: relative_error and interface_mismatch.
    """
    points, weights = cortex_sample(cortex, primary, samples)
    if not len(points):
        return 0.0, 0.0
    change, _ = change_by_splitting(operator, charge, points, weights)
    field = operator.layer.field(points, charge[:, None])[:, :, 0] + primary(points)
    magnitude = np.linalg.norm(field, axis=1)
    lost = np.minimum(_RESPONSE * np.linalg.norm(change, axis=1), _CAP * magnitude)
    relative = float(np.sqrt((weights @ lost**2) / (weights @ magnitude**2)))
    return relative, _mismatch(operator, charge, points, primary)


def change_by_splitting(
    operator: BemOperator, charge: F64, points: F64, weights: F64, *, curved: bool = True
) -> tuple[F64, F64]:
    """Return what splitting every triangle changes at points, before the other charges respond.

    Parameters
    ----------
    operator : BemOperator
        The equations.
    charge : ndarray, shape (n_triangles,)
        Their solution (V/m).
    points : ndarray, shape (n_points, 3)
        Points (mm), on no interface.
    weights : ndarray, shape (n_points,)
        Weights of the points in `effect`.
    curved : bool, optional
        Whether the children lie on the curved surface, or in the triangle.

    Returns
    -------
    change : ndarray, shape (n_points, 3)
        Field of the children less that of the triangles (V/m).
    effect : ndarray, shape (n_triangles,)
        What each triangle does to the field: weighted sum of its squared change over the points.
    """
    surface = operator.surface
    # Without normals the curves between vertices are straight.
    normals = sphere_normals(surface) if curved else np.zeros_like(surface.vertices)
    chunks = -(-len(charge) // subdivided.CHUNK)
    partial = np.empty((chunks, len(points), 3))
    effect = np.empty(len(charge))
    subdivided.splitting_change(
        partial,
        effect,
        np.ascontiguousarray(points),
        weights,
        surface.vertices,
        surface.triangles,
        normals,
        vertex_charges(surface, charge),
        charge,
    )
    return partial.sum(axis=0), effect


def vertex_charges(surface: Surface, charge: F64) -> F64:
    """Return the area-weighted mean charge of the triangles around each vertex (V/m), shape (n_vertices,)."""
    weight = surface.vertex_areas
    total = np.bincount(surface.triangles.ravel(), np.repeat(surface.areas / 3.0 * charge, 3), len(surface.vertices))
    mean: F64 = np.divide(total, weight, out=np.zeros_like(total), where=weight > 0.0)
    return mean


def _mismatch(operator: BemOperator, charge: F64, points: F64, primary: Callable[[F64], F64]) -> float:
    """Return how much charge varies within the triangles around points, see `ErrorEstimate.interface_mismatch`."""
    from scipy.spatial import cKDTree  # here, so that `import efield` stays fast

    surface = operator.surface
    count = min(_AROUND, len(charge))
    rows = np.unique(cKDTree(surface.centroids).query(points, k=count)[1])
    corners = vertex_charges(surface, charge)[surface.triangles[rows]]
    # The mean square of a linear function over a triangle, its mean taken off.
    varying = np.sum((corners - corners.mean(axis=1, keepdims=True)) ** 2, axis=1) / 12.0
    # Not relative to the charge, which may be zero: inner spheres around a common centre carry none.
    whole = np.sum((2.0 * operator.contrast[rows, None] * primary(surface.centroids[rows])) ** 2, axis=1)
    area = operator.areas[rows]
    return float(np.sqrt((area @ varying) / (area @ whole))) if whole.any() else 0.0


def cortex_sample(cortex: Surface, primary: Callable[[F64], F64], count: int) -> tuple[F64, F64]:
    """Return points of the cortex drawn in proportion to the energy of the primary field, and their weights.

    Parameters
    ----------
    cortex : Surface
        Where the field is asked for.
    primary : callable
        See `estimate_error`.
    count : int
        Draws, at even steps of the energy summed over the vertices: the same every time.

    Returns
    -------
    points : ndarray, shape (n, 3)
        Vertices of the cortex (mm), n <= count; none if there is no field.
    weights : ndarray, shape (n,)
        Areas that they stand for (mm^2).
    """
    areas = cortex.vertex_areas
    share = areas * np.sum(primary(cortex.vertices) ** 2, axis=1)
    cumulative = np.cumsum(share)
    if cumulative[-1] == 0.0:
        return np.empty((0, 3)), np.empty(0)
    steps = (np.arange(count) + 0.5) / count * cumulative[-1]
    rows, drawn = np.unique(np.searchsorted(cumulative, steps), return_counts=True)
    # Every draw stands for the vertex' area over its share of the draws.
    return cortex.vertices[rows], drawn * areas[rows] / share[rows] * (cumulative[-1] / count)
