"""Solid spherical harmonics for `efield.spectral`: values, derivatives, rotation and translation.

Notation: R_lm(x) = r^l sqrt((l-m)! / (l+m)!) P_l^m(cos theta) exp(i m phi), without the Condon-Shortley sign, and
S_lm(x) = R_lm(x) / r^(2l+1); order -m is (-1)^m times the conjugate of order m. With this scaling every formula below
has factors of order 1, where Hobson's harmonics would need factorials that overflow.

Real functions are sums over m >= 0 of coefficients times C = Re R (m = 0), sqrt 2 Re R and sqrt 2 Im R (m > 0). Then
sum_m C_lm(x) C_lm(y) = P_l(x.y) for unit vectors, and rotations are orthogonal matrices. Coefficients are arrays
[m, l, part], part 0 for Re and 1 for Im, with zeros where m > l and at m = 0 of part 1.

The ladder and translation formulas are the classical ones, e.g. Steinborn and Ruedenberg, Adv Quantum Chem
1973;7:1-81; they follow from d/dz R_lm = R_(l-1)m and d/dz S_lm = -S_(l+1)m in Hobson's scaling and Taylor's series.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from meshes.arrays import FloatArray

ComplexArray = npt.NDArray[np.complex128]


def regular(x: FloatArray, degree: int) -> Iterator[ComplexArray]:
    """Yield R_lm of points, shape (n, l + 1), for l = 0, 1, ... `degree`."""
    squared = np.einsum("ij,ij->i", x, x)[:, np.newaxis]
    z = x[:, 2, np.newaxis]
    sideways = x[:, 0] + 1j * x[:, 1]
    before = np.zeros((len(x), 0), dtype=np.complex128)
    current = np.ones((len(x), 1), dtype=np.complex128)
    yield current
    for l_ in range(1, degree + 1):
        m = np.arange(l_)
        root = np.sqrt(l_ * l_ - m * m)
        following = np.empty((len(x), l_ + 1), dtype=np.complex128)
        following[:, :-1] = z * current * ((2 * l_ - 1) / root)
        shorter = m[: l_ - 1]
        following[:, : l_ - 1] -= squared * before * (np.sqrt((l_ - 1) ** 2 - shorter**2) / root[: l_ - 1])
        following[:, -1] = sideways * current[:, -1] * np.sqrt((2 * l_ - 1) / (2 * l_))
        before, current = current, following
        yield current


def irregular(x: FloatArray, degree: int) -> Iterator[ComplexArray]:
    """Yield S_lm of points, shape (n, l + 1), for l = 0, 1, ... `degree`; by inversion, S(x) = R(x / r^2) / r."""
    squared = np.einsum("ij,ij->i", x, x)[:, np.newaxis]
    distance = np.sqrt(squared)
    for harmonics in regular(x / squared, degree):
        yield harmonics / distance


def to_complex(coefficients: FloatArray) -> ComplexArray:
    """Return g [m, l] such that the function is the sum of Re(g R)."""
    g: ComplexArray = coefficients[..., 0] - 1j * coefficients[..., 1]
    g[1:] *= np.sqrt(2.0)
    return g


def evaluate(g: ComplexArray, x: FloatArray, *, inner: bool) -> FloatArray:
    """Sum Re(g R) or, if not `inner`, Re(g S) at points; g is [m, l, component], the result [point, component]."""
    degree = g.shape[1] - 1
    out: FloatArray = np.zeros((len(x), g.shape[2]))
    for l_, harmonics in enumerate(regular(x, degree) if inner else irregular(x, degree)):
        out += harmonics.real @ g[: l_ + 1, l_].real - harmonics.imag @ g[: l_ + 1, l_].imag
    return out


def _ladder(degree: int, *, inner: bool) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return factors [m, l] of order m + 1, m - 1 and m in (d/dx + i d/dy), (d/dx - i d/dy) and d/dz.

    They lead from degree l to l - 1 for R (`inner`) and to l + 1 for S. Where m > l they are zero.
    """
    m, l_ = np.meshgrid(np.arange(degree + 1.0), np.arange(degree + 1.0), indexing="ij")
    valid = m <= l_
    m = np.where(valid, m, 0.0)
    if inner:
        up = -np.sqrt(np.maximum((l_ - m) * (l_ - m - 1.0), 0.0))
        down = np.sqrt((l_ + m) * np.maximum(l_ + m - 1.0, 0.0))
        level = np.sqrt((l_ + m) * (l_ - m))
    else:
        up = -np.sqrt((l_ + m + 1.0) * (l_ + m + 2.0))
        down = np.sqrt((l_ - m + 1.0) * (l_ - m + 2.0))
        level = -np.sqrt((l_ + m + 1.0) * (l_ - m + 1.0))
    return up * valid, down * valid, level * valid


def gradient(g: ComplexArray, *, inner: bool) -> ComplexArray:
    """Return the coefficients [m, l, component] of the gradient of the sum of Re(g R), or of Re(g S)."""
    degree = g.shape[1] - 1
    up, down, level = (factor * g for factor in _ladder(degree, inner=inner))
    size = degree + (1 if inner else 2)
    out = np.zeros((size + 1, size + 1, 3), dtype=np.complex128)
    # The target degrees are l - 1 or l + 1; degree 0 of R has no gradient.
    first = 1 if inner else 0
    to = slice(0, degree) if inner else slice(1, degree + 2)
    up, down, level = up[:, first:], down[:, first:], level[:, first:]
    rows = degree + 1
    # d/dx = (plus + minus) / 2 and d/dy = i (minus - plus) / 2, plus raising the order and minus lowering it.
    out[1 : rows + 1, to, 0] += 0.5 * up
    out[1 : rows + 1, to, 1] -= 0.5j * up
    out[: rows - 1, to, 0] += 0.5 * down[1:]
    out[: rows - 1, to, 1] += 0.5j * down[1:]
    # Order -1 is minus the conjugate of order 1, and Re(-g conj R) = Re(-conj(g) R).
    out[1, to, 0] -= 0.5 * down[0].conj()
    out[1, to, 1] += 0.5j * down[0].conj()
    out[:rows, to, 2] += level
    return out[:size, :size]


def expand_derivatives(u: FloatArray, x: FloatArray, degree: int) -> FloatArray:
    """Return the sum over points of u.grad of each harmonic S built on C; u and x of shape (n, 3).

    Returns
    -------
    ndarray, shape (degree + 1, degree + 1, 2)
        Indices [m, l, part].
    """
    sums = np.zeros((degree + 3, degree + 2, 3), dtype=np.complex128)
    for l_, harmonics in enumerate(irregular(x, degree + 1)):
        sums[: l_ + 1, l_] = harmonics.T @ u
    up, down, level = _ladder(degree, inner=False)
    size = degree + 1
    above, same = sums[1 : size + 1, 1:], sums[:size, 1:]
    below = np.concatenate([-sums[1:2, 1:].conj(), sums[: size - 1, 1:]])
    total = 0.5 * up * (above[..., 0] - 1j * above[..., 1]) + 0.5 * down * (below[..., 0] + 1j * below[..., 1])
    total += level * same[..., 2]
    total[1:] *= np.sqrt(2.0)
    return np.stack([total.real, total.imag], axis=-1)


def rotation_to_z(direction: FloatArray, degree: int) -> FloatArray:
    """Return the matrices that express a function in axes turned so that a direction becomes the z axis.

    Parameters
    ----------
    direction : ndarray, shape (3,)
        Unit vector, not along z.
    degree : int
        Highest degree.

    Returns
    -------
    ndarray, shape (degree + 1, 2 * (degree + 1), 2 * (degree + 1))
        One orthogonal matrix per degree, over the joint index (m, part); zero outside its own orders.

    Notes
    -----
    The turn is exp(-i angle axis.J) with the standard angular momentum matrices J, here without the Condon-Shortley
    sign. It is computed from the eigenvectors of the Hermitian axis.J: stable at any degree, without a recursion.
    """
    axis = np.array([direction[1], -direction[0], 0.0])  # direction cross z
    sine = float(np.linalg.norm(axis))
    angle = np.arctan2(sine, direction[2])
    axis /= sine
    size = degree + 1
    out: FloatArray = np.zeros((size, 2 * size, 2 * size))
    out[0, 0, 0] = 1.0
    for l_ in range(1, size):
        m = np.arange(-l_, l_)
        # J+ = Jx + i Jy raises m; -1 from the missing Condon-Shortley sign.
        raising = np.diag(-np.sqrt((l_ - m) * (l_ + m + 1.0)), -1)
        half = 0.5 * (axis[0] - 1j * axis[1]) * raising
        values, modes = np.linalg.eigh(half + half.conj().T)
        turn = (modes * np.exp(-1j * angle * values)) @ modes.conj().T
        basis, index = _real_basis(l_)
        out[l_, index[:, np.newaxis], index] = (basis.conj().T @ turn @ basis).real
    return out


def _real_basis(l_: int) -> tuple[ComplexArray, npt.NDArray[np.intp]]:
    """Return the unitary matrix from coefficients of C to those of orders -l ... l, and the joint indices of C."""
    basis = np.zeros((2 * l_ + 1, 2 * l_ + 1), dtype=np.complex128)
    basis[l_, 0] = 1.0
    m = np.arange(1, l_ + 1)
    sign = (-1.0) ** m
    cosine, sine = 2 * m - 1, 2 * m
    basis[l_ + m, cosine], basis[l_ - m, cosine] = np.sqrt(0.5), sign * np.sqrt(0.5)
    basis[l_ + m, sine], basis[l_ - m, sine] = -1j * np.sqrt(0.5), 1j * sign * np.sqrt(0.5)
    return basis, np.concatenate([[0], np.arange(2, 2 * l_ + 2)])


def rotate(rotation: FloatArray, coefficients: FloatArray) -> FloatArray:
    """Apply one matrix per degree to coefficients [m, l, part]."""
    size = len(coefficients)
    by_degree = coefficients.swapaxes(0, 1).reshape(size, 2 * size, 1)
    turned: FloatArray = (rotation @ by_degree).reshape(size, size, 2).swapaxes(0, 1)
    return turned


def translate_regular(target: float, source: float, step: float, degree: int) -> FloatArray:
    """Return [m, l', l] that takes an expansion in R(x / source) to one in R(x / target) `step` further along z."""
    m, to, of = _orders_and_degrees(degree)
    n = np.maximum(of - to, 0.0)
    binomials = np.exp(0.5 * (_log_binomial(of + m, n) + _log_binomial(of - m, n)))
    matrix: FloatArray = binomials * (step / source) ** n * (target / source) ** to * ((to <= of) & (m <= to))
    return matrix


def translate_irregular(target: float, source: float, step: float, degree: int) -> FloatArray:
    """Return [m, l', l] that takes an expansion in S(x / source) to one in S(x / target), valid outside both."""
    m, to, of = _orders_and_degrees(degree)
    n = np.maximum(to - of, 0.0)
    binomials = np.exp(0.5 * (_log_binomial(to - m, n) + _log_binomial(to + m, n)))
    matrix: FloatArray = binomials * (-step / target) ** n * (source / target) ** (of + 1.0) * ((of <= to) & (m <= of))
    return matrix


def translate_apart(target: float, source: float, step: float, degree: int) -> FloatArray:
    """Return [m, l', l] that takes an expansion in S(x / source) to one in R(x / target) about a centre outside."""
    m, to, of = _orders_and_degrees(degree)
    valid = (m <= to) & (m <= of)
    m = np.where(valid, m, 0.0)
    logarithm = gammaln(to + of + 1.0) - 0.5 * (
        gammaln(of + m + 1.0) + gammaln(of - m + 1.0) + gammaln(to + m + 1.0) + gammaln(to - m + 1.0)
    )
    logarithm += of * np.log(source / abs(step)) + to * np.log(target / abs(step))
    sign = (-1.0) ** (to + m) * np.sign(step) ** (to + of)
    matrix: FloatArray = sign * np.exp(logarithm) * (source / abs(step)) * valid
    return matrix


def _orders_and_degrees(degree: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return m, l' and l as arrays that broadcast to [m, l', l]."""
    numbers = np.arange(degree + 1.0)
    return numbers[:, np.newaxis, np.newaxis], numbers[:, np.newaxis], numbers


def _log_binomial(n: FloatArray, k: FloatArray) -> FloatArray:
    """Return ln(n choose k) where 0 <= k <= n, and 0 elsewhere."""
    valid = k <= n
    k = np.where(valid, k, 0.0)
    n = np.where(valid, n, 0.0)
    logarithm: FloatArray = gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0)
    return logarithm
