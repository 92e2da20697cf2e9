r"""Translation matrices of solid-harmonic expansions, from their addition theorems.

Notes
-----
Expansions are scaled by the half edge s of their cell: a multipole expansion is
:math:`\phi(x) = s^{-1} \sum_k M_k S_k((x - c)/s)`, a local one :math:`\phi(x) = \sum_k L_k R_k((x - c)/s)`. All
matrices then depend on the relative geometry alone. Addition theorems: W. Dehnen, Comput. Astrophys. Cosmol.
1:1 (2014), section 3.2.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
C128 = NDArray[np.complex128]
I64 = NDArray[np.int64]


def padded_width(degree: int) -> int:
    """Return the number of coefficients, rounded up to a multiple of 16: whole vector registers, no rest."""
    return -(-((degree + 1) ** 2) // 16) * 16


def normalisation(degree: int) -> F64:
    """Return the factor from unnormalised complex to real Schmidt harmonics, index n(n+1)/2 + m, m >= 0."""
    return np.array(
        [
            math.sqrt(math.factorial(n - m) * math.factorial(n + m)) * (math.sqrt(2.0) if m else 1.0)
            for n in range(degree + 1)
            for m in range(n + 1)
        ]
    )


def _orders(degree: int) -> tuple[I64, I64]:
    n = np.concatenate([np.full(2 * k + 1, k) for k in range(degree + 1)])
    m = np.concatenate([np.arange(-k, k + 1) for k in range(degree + 1)])
    return n, m


@lru_cache(maxsize=16)
def _schmidt(degree: int) -> F64:
    n, m = _orders(degree)
    return np.array(
        [math.sqrt(math.factorial(a - b) * math.factorial(a + b)) for a, b in zip(n, np.abs(m), strict=True)]
    )


@lru_cache(maxsize=16)
def _real_from_complex(degree: int) -> C128:
    """Return the unitary U with R_real = U R_complex."""
    width = (degree + 1) ** 2
    matrix = np.zeros((width, width), dtype=complex)
    root = math.sqrt(0.5)
    for n in range(degree + 1):
        base = n * n + n
        matrix[base, base] = 1.0
        for m in range(1, n + 1):
            sign = (-1.0) ** m
            matrix[base + m, base + m] = root
            matrix[base + m, base - m] = root * sign
            matrix[base - m, base + m] = -1j * root
            matrix[base - m, base - m] = 1j * root * sign
    return matrix


def _with_negative_orders(positive: C128, degree: int) -> C128:
    """Return all orders from those with m >= 0; input (..., n(n+1)/2 + m), output (..., n*n + n + m)."""
    out = np.empty((*positive.shape[:-1], (degree + 1) ** 2), dtype=complex)
    for n in range(degree + 1):
        for m in range(n + 1):
            value = positive[..., n * (n + 1) // 2 + m]
            out[..., n * n + n + m] = value
            if m:
                out[..., n * n + n - m] = (-1.0) ** m * value.conj()
    return out


def regular(points: F64, degree: int) -> C128:
    """Return the unnormalised complex regular solid harmonics, shape (n_points, (degree+1)**2)."""
    x, y, z = points.T
    r2 = x * x + y * y + z * z
    out = np.zeros((len(points), (degree + 1) * (degree + 2) // 2), dtype=complex)
    out[:, 0] = 1.0
    for n in range(1, degree + 1):
        row, before, before2 = n * (n + 1) // 2, n * (n - 1) // 2, (n - 1) * (n - 2) // 2
        for m in range(n):
            value = (2 * n - 1) * z * out[:, before + m]
            if m <= n - 2:
                value = value - r2 * out[:, before2 + m]
            out[:, row + m] = value / (n * n - m * m)
        out[:, row + n] = (x + 1j * y) / (2 * n) * out[:, before + n - 1]
    return _with_negative_orders(out, degree)


def irregular(points: F64, degree: int) -> C128:
    """Return the unnormalised complex irregular solid harmonics, shape (n_points, (degree+1)**2)."""
    x, y, z = points.T
    inverse = 1.0 / (x * x + y * y + z * z)
    out = np.zeros((len(points), (degree + 1) * (degree + 2) // 2), dtype=complex)
    out[:, 0] = np.sqrt(inverse)
    for n in range(1, degree + 1):
        row, before, before2 = n * (n + 1) // 2, n * (n - 1) // 2, (n - 1) * (n - 2) // 2
        for m in range(n):
            value = (2 * n - 1) * z * out[:, before + m]
            if m <= n - 2:
                value = value - ((n - 1) ** 2 - m * m) * out[:, before2 + m]
            out[:, row + m] = value * inverse
        out[:, row + n] = (2 * n - 1) * (x + 1j * y) * inverse * out[:, before + n - 1]
    return _with_negative_orders(out, degree)


def child_to_parent(degree: int) -> F32:
    """Return the matrices that move a child's multipole coefficients to its parent.

    Returns
    -------
    ndarray, shape (9, width, width)
        The last is the identity, for a child with the box of its parent. Octant bit d is set where the child lies on
        the upper side along axis d. A row of coefficients is multiplied from the left, ``child @ matrix.T``;
        ``parent @ matrix`` moves local coefficients down.
    """
    n, m = _orders(degree)
    width = len(n)
    schmidt, unitary = _schmidt(degree), _real_from_complex(degree)
    out = np.zeros((9, padded_width(degree), padded_width(degree)), dtype=np.float32)
    out[8] = np.eye(padded_width(degree))
    for octant in range(8):
        shift = np.array([0.5 if octant >> axis & 1 else -0.5 for axis in range(3)])
        harmonics = regular(shift[None], degree)[0]
        # R_n^m(x + d) = sum_kl R_{n-k}^{m-l}(d) R_k^l(x), here for x = u / 2.
        dn, dm = n[:, None] - n[None, :], m[:, None] - m[None, :]
        valid = (dn >= 0) & (np.abs(dm) <= dn)
        index = np.where(valid, dn * dn + dn + dm, 0)
        matrix = np.where(valid, harmonics[index], 0.0) * schmidt[:, None] / schmidt[None, :] * 0.5 ** n[None, :]
        out[octant, :width, :width] = (unitary @ matrix @ unitary.conj().T).real
    return out


def multipole_to_local(offsets: F64, source_scale: F64, target_scale: F64, degree: int) -> F32:
    """Return the matrices that turn a cell's multipole coefficients into another cell's local ones.

    Parameters
    ----------
    offsets : ndarray, shape (n, 3)
        Target centre minus source centre, in any unit u.
    source_scale, target_scale : ndarray, shape (n,)
        Half edges in the same unit u. The answer is for a potential in 1/u.
    degree : int
        Degree of both expansions.

    Returns
    -------
    ndarray, shape (n, width, width)
        For products from the left: ``local = multipole @ matrix``.
    """
    n, _ = _orders(degree)
    width = len(n)
    first_index, first_factor, second_index, second_factor = _two_terms(degree)
    order_n, order_m = _orders(2 * degree)
    positive = order_n * order_n + order_n + np.abs(order_m)
    out = np.zeros((len(offsets), padded_width(degree), padded_width(degree)), dtype=np.float32)
    for first in range(0, len(offsets), 256):  # bounds the size of the intermediate
        part = slice(first, first + 256)
        harmonics = irregular(offsets[part], 2 * degree)[:, positive]
        values = np.where(order_m >= 0, harmonics.real, harmonics.imag)
        matrix = first_factor * values[:, first_index] + second_factor * values[:, second_index]
        scale_t = target_scale[part, None] ** n[None, :]
        scale_s = source_scale[part, None] ** n[None, :]
        out[part, :width, :width] = matrix * scale_s[:, :, None] * scale_t[:, None, :]
    return out


@lru_cache(maxsize=16)
def _two_terms(degree: int) -> tuple[I64, F64, I64, F64]:
    r"""Return how each entry (source, target) of a real translation matrix comes from two irregular harmonics.

    Notes
    -----
    :math:`|D + x - y|^{-1} = \sum_{jk} \overline{R_j(x)} (-1)^{n_j} \Theta_{j+k}(D) \overline{R_k(y)}`. In real
    harmonics an entry joins only the orders that are the sum and the difference of the two orders' magnitudes, of each
    the real or the imaginary part: two numbers to gather instead of two products with dense unitary matrices.

    Returns
    -------
    tuple of ndarray, shape (width, width)
        Index into real (m >= 0) and imaginary (m < 0) parts of the harmonics of degree up to 2 * degree, and
        factor; twice.
    """
    n, m = _orders(degree)
    unitary, size = _real_from_complex(degree), np.abs(m)
    here = np.arange(len(n))
    total_n = n[:, None] + n[None, :]
    sign = (-1.0) ** n[None, :] / (_schmidt(degree)[:, None] * _schmidt(degree)[None, :])
    # [sum or difference of orders] [real or imaginary part]
    factors = np.zeros((2, 2, len(n), len(n)))
    for s in (1, -1):
        for t in (1, -1):
            row = np.where((s > 0) | (m != 0), unitary[here, n * n + n + s * size], 0.0)
            column = np.where((t > 0) | (m != 0), unitary[here, n * n + n + t * size], 0.0)
            weight = row[:, None] * column[None, :] * sign
            order = s * size[:, None] + t * size[None, :]
            weight = np.where(order < 0, (-1.0) ** order * weight, weight)
            kind = 0 if s == t else 1
            factors[kind, 0] += weight.real
            # a negative order is the conjugate of the positive one
            factors[kind, 1] -= np.where(order < 0, -1.0, 1.0) * weight.imag
    orders = np.stack([size[:, None] + size[None, :], np.abs(size[:, None] - size[None, :])])
    imaginary = np.abs(factors[:, 1]) > np.abs(factors[:, 0])
    index = total_n * total_n + total_n + np.where(imaginary, -orders, orders)
    factor = np.where(imaginary, factors[:, 1], factors[:, 0])
    return index[0], factor[0], index[1], factor[1]
