r"""Regular solid harmonics and the expansion rows of triangles and points.

Notes
-----
Schmidt semi-normalised real solid harmonics, index ``n*n + n + m`` for degree n and order m, such that

.. math:: \frac{1}{|x - y|} = \sum_k R_k(y) S_k(x), \qquad |y| < |x|.

They are built from the unnormalised complex ones
:math:`\Upsilon_n^m = r^n P_n^m(\cos\theta) e^{im\phi} / (n+m)!` by the recurrences of [1]_ (there with another
sign of the azimuth), whose derivatives are again solid harmonics of one degree less.

.. [1] W. Dehnen, "A fast multipole method for stellar dynamics", Comput. Astrophys. Cosmol. 1:1 (2014), section 3.
"""

from __future__ import annotations

import numpy as np
from numba import prange
from numpy.typing import NDArray

from efield._jit import inline, kernel

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]


@inline
def fill_regular(x: float, y: float, z: float, p: int, re: F64, im: F64) -> None:
    """Fill re, im (index n(n+1)/2 + m, m >= 0) with the unnormalised regular solid harmonics at (x, y, z)."""
    r2 = x * x + y * y + z * z
    re[0] = 1.0
    im[0] = 0.0
    for n in range(1, p + 1):
        row = n * (n + 1) // 2
        before = (n - 1) * n // 2
        before2 = (n - 2) * (n - 1) // 2
        for m in range(n):
            scale = 1.0 / (n * n - m * m)
            a = (2 * n - 1) * z
            if m <= n - 2:
                re[row + m] = scale * (a * re[before + m] - r2 * re[before2 + m])
                im[row + m] = scale * (a * im[before + m] - r2 * im[before2 + m])
            else:
                re[row + m] = scale * a * re[before + m]
                im[row + m] = scale * a * im[before + m]
        half = 0.5 / n
        re[row + n] = half * (x * re[before + n - 1] - y * im[before + n - 1])
        im[row + n] = half * (x * im[before + n - 1] + y * re[before + n - 1])


@inline
def _signed(n: int, m: int, re: F64, im: F64) -> tuple[float, float]:
    """Return the unnormalised harmonic (n, m) for any sign of m; zero outside |m| <= n."""
    if n < 0 or m > n or m < -n:
        return 0.0, 0.0
    row = n * (n + 1) // 2
    if m >= 0:
        return re[row + m], im[row + m]
    sign = -1.0 if (m % 2) != 0 else 1.0
    return sign * re[row - m], -sign * im[row - m]


@inline
def add_value_row(weight: float, p: int, re: F64, im: F64, norm: F64, row: F64) -> None:
    """Add weight * R_k to `row`, k = n*n + n + m. `norm` holds the normalisation by n(n+1)/2 + m."""
    for n in range(p + 1):
        base = n * n + n
        tri = n * (n + 1) // 2
        row[base] += weight * norm[tri] * re[tri]
        for m in range(1, n + 1):
            row[base + m] += weight * norm[tri + m] * re[tri + m]
            row[base - m] += weight * norm[tri + m] * im[tri + m]


@inline
def add_gradient_row(dx: float, dy: float, dz: float, p: int, re: F64, im: F64, norm: F64, row: F64) -> None:
    """Add (d . grad) R_k to `row`, by the derivatives of the unnormalised harmonics."""
    for n in range(1, p + 1):
        base = n * n + n
        tri = n * (n + 1) // 2
        for m in range(n + 1):
            lower_re, lower_im = _signed(n - 1, m - 1, re, im)
            upper_re, upper_im = _signed(n - 1, m + 1, re, im)
            same_re, same_im = _signed(n - 1, m, re, im)
            # d/dx = (lower - upper) / 2, d/dy = i (lower + upper) / 2, d/dz = same
            value_re = 0.5 * dx * (lower_re - upper_re) - 0.5 * dy * (lower_im + upper_im) + dz * same_re
            value_im = 0.5 * dx * (lower_im - upper_im) + 0.5 * dy * (lower_re + upper_re) + dz * same_im
            row[base + m] += norm[tri + m] * value_re
            if m > 0:
                row[base - m] += norm[tri + m] * value_im


@kernel
def triangle_rows(
    out_charge: F32,
    out_normal: F32,
    corners: F64,
    normals: F64,
    areas: F64,
    centres: F64,
    half_sizes: F64,
    barycentric: F64,
    weights: F64,
    p: int,
    norm: F64,
) -> None:
    """Fill the expansion rows of triangles about their leaves' centres.

    Parameters
    ----------
    out_charge : ndarray, shape (n, >= (p+1)**2)
        Integral over the triangle of R_k((y - c) / s): the multipole coefficients of a unit charge density.
    out_normal : ndarray, shape (n, >= (p+1)**2)
        Mean over the triangle of -n . grad R_k((x - c) / s) / (4 pi): the normal field of a local expansion.
    corners : ndarray, shape (n, 3, 3)
        Triangles (mm).
    normals, areas : ndarray, shape (n, 3), (n,)
        Unit normals and areas (mm^2).
    centres, half_sizes : ndarray, shape (n, 3), (n,)
        Centre c and half edge s of the leaf that holds the triangle (mm).
    barycentric, weights : ndarray, shape (n_q, 3), (n_q,)
        Quadrature on the triangle; the weights sum to one.
    p : int
        Degree of the expansion.
    norm : ndarray
        Normalisation by n(n+1)/2 + m.
    """
    n_rows = corners.shape[0]
    terms = (p + 1) * (p + 2) // 2
    width = (p + 1) * (p + 1)
    for t in prange(n_rows):
        re = np.empty(terms)
        im = np.empty(terms)
        charge = np.zeros(width)
        normal = np.zeros(width)
        inverse = 1.0 / half_sizes[t]
        for q in range(weights.shape[0]):
            x = 0.0
            y = 0.0
            z = 0.0
            for v in range(3):
                x += barycentric[q, v] * corners[t, v, 0]
                y += barycentric[q, v] * corners[t, v, 1]
                z += barycentric[q, v] * corners[t, v, 2]
            x = (x - centres[t, 0]) * inverse
            y = (y - centres[t, 1]) * inverse
            z = (z - centres[t, 2]) * inverse
            fill_regular(x, y, z, p, re, im)
            add_value_row(weights[q] * areas[t], p, re, im, norm, charge)
            scale = -weights[q] * inverse / (4.0 * np.pi)
            add_gradient_row(
                scale * normals[t, 0], scale * normals[t, 1], scale * normals[t, 2], p, re, im, norm, normal
            )
        for k in range(width):
            out_charge[t, k] = charge[k]
            out_normal[t, k] = normal[k]


@kernel
def local_field_at_points(
    out: F64,
    points: F64,
    cell: I32,
    local: F32,
    centres: F64,
    half_sizes: F64,
    p: int,
    norm: F64,
) -> None:
    """Add the field -grad(sum_k L_k R_k) / (4 pi) of each point's local expansion.

    Parameters
    ----------
    out : ndarray, shape (n_rhs, n_points, 3)
        Field, added to.
    points : ndarray, shape (n_points, 3)
        Points (mm).
    cell : ndarray, shape (n_points,)
        The leaf that holds each point.
    local : ndarray, shape (n_cells, n_rhs, width)
        Local coefficients.
    centres, half_sizes : ndarray, shape (n_cells, 3), (n_cells,)
        The cells (mm).
    p : int
        Degree of the expansion.
    norm : ndarray
        Normalisation by n(n+1)/2 + m.
    """
    terms = (p + 1) * (p + 2) // 2
    width = (p + 1) * (p + 1)
    for i in prange(points.shape[0]):
        re = np.empty(terms)
        im = np.empty(terms)
        row = np.empty(width)
        c = cell[i]
        inverse = 1.0 / half_sizes[c]
        fill_regular(
            (points[i, 0] - centres[c, 0]) * inverse,
            (points[i, 1] - centres[c, 1]) * inverse,
            (points[i, 2] - centres[c, 2]) * inverse,
            p,
            re,
            im,
        )
        scale = -inverse / (4.0 * np.pi)
        for axis in range(3):
            for k in range(width):
                row[k] = 0.0
            add_gradient_row(
                scale if axis == 0 else 0.0,
                scale if axis == 1 else 0.0,
                scale if axis == 2 else 0.0,
                p,
                re,
                im,
                norm,
                row,
            )
            for r in range(local.shape[1]):
                total = 0.0
                for k in range(width):
                    total += row[k] * local[c, r, k]
                out[r, i, axis] += total


@kernel
def local_potential_at_points(
    out: F64,
    points: F64,
    cell: I32,
    local: F32,
    centres: F64,
    half_sizes: F64,
    p: int,
    norm: F64,
) -> None:
    """Add the potential sum_k L_k R_k / (4 pi) of each point's local expansion.

    Parameters
    ----------
    out : ndarray, shape (n_rhs, n_points)
        Potential, added to.
    points, cell, local, centres, half_sizes, p, norm
        As in `local_field_at_points`.
    """
    terms = (p + 1) * (p + 2) // 2
    width = (p + 1) * (p + 1)
    for i in prange(points.shape[0]):
        re = np.empty(terms)
        im = np.empty(terms)
        row = np.zeros(width)
        c = cell[i]
        inverse = 1.0 / half_sizes[c]
        fill_regular(
            (points[i, 0] - centres[c, 0]) * inverse,
            (points[i, 1] - centres[c, 1]) * inverse,
            (points[i, 2] - centres[c, 2]) * inverse,
            p,
            re,
            im,
        )
        add_value_row(1.0 / (4.0 * np.pi), p, re, im, norm, row)
        for r in range(local.shape[1]):
            total = 0.0
            for k in range(width):
                total += row[k] * local[c, r, k]
            out[r, i] += total
