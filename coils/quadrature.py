"""Replace a winding by rings of dipoles that keep its magnetic moments.

A turn is a disc of uniform dipole density (its magnetic shell). All turns of a winding together are a density that is
constant out to the innermost turn and falls to zero at the outermost. Its field outside is determined by the
integrals L[f] of that density against axially symmetric harmonic functions f, and each such f is fixed by its values
q(t), t = rho^2, on one plane across the axis:

    f(rho, z) = sum_i (-1)^i z^(2i) / (2i)! Laplace^i q(t),    Laplace q = 4 (t q'' + q').

So a rule of a few rings on the mid plane stands for the whole thickness of the wire, and no second layer of dipoles is
spent on it: its radii are those of the Gauss rule for the flat density, its weights are set so that L is exact for all
polynomials below the number of rings, thickness included.
"""

import numpy as np
from numpy.polynomial import Legendre

from coils.windings import Winding
from meshes.arrays import FloatArray

__all__ = ["ring_rule"]


def ring_rule(winding: Winding, rings: int, planes: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Compute radii, axial positions and moments of the rings that stand for a winding.

    Parameters
    ----------
    winding : Winding
        The winding.
    rings : int
        Rings on each plane.
    planes : int
        1 for one plane at mid height of all layers, or a multiple of the number of layers: then each layer is cut
        into `planes` / `layers` slabs with one plane each.

    Returns
    -------
    radii : ndarray, shape (rings,)
        Radii (mm), ascending.
    heights : ndarray, shape (planes,)
        Axial positions of the planes (mm), head side first; each carries the same rings.
    moments : ndarray, shape (rings,)
        Moment of each ring on each plane (A m^2 per A); the sum over rings and planes is the winding's moment.

    Raises
    ------
    ValueError
        If `planes` is neither 1 nor a multiple of the layers.

    Notes
    -----
    Gauss rule by the eigenvalues of the pencil (<t p_i p_j>, <p_i p_j>) in Legendre polynomials p_i, which keeps its
    digits where the moments of plain powers would not (Golub and Welsch, Math Comp 1969;23:221-230).
    """
    from scipy.linalg import eigh  # here, so that importing the package loads no SciPy

    heights, spread = _planes(winding, planes)
    outer = winding.outer_diameter / 2.0
    basis = [Legendre.basis(degree, domain=[0.0, outer**2]) for degree in range(rings)]
    t, share = _flat_density(winding, rings)
    share *= 1e-6 * winding.layers / planes
    values = np.array([p(t) for p in basis])
    gram = (values * share) @ values.T
    shifted = (values * share * t) @ values.T
    nodes = eigh(shifted, gram, eigvals_only=True)
    wanted = np.zeros(rings)
    term = values @ share
    laplace = _laplace(basis)
    for coefficient in spread:
        wanted += coefficient * term
        term = term @ -laplace
    moments = np.linalg.solve(np.array([p(nodes) for p in basis]), wanted)
    return np.sqrt(nodes), heights, moments


def _flat_density(winding: Winding, rings: int) -> tuple[FloatArray, FloatArray]:
    """Return nodes t (mm^2) and weights (mm^2) that integrate one layer's density exactly to degree 2 rings in t.

    Over the wire's width by one Gauss rule, for each radius there over its disc by another.
    """
    node, weight = np.polynomial.legendre.leggauss(2 * rings + 2)
    radius = (winding.radii[:, None] + winding.wire_width / 2.0 * node).ravel()
    radius_share = np.tile(weight / 2.0, winding.turns)
    node, weight = np.polynomial.legendre.leggauss(rings + 1)
    t = np.outer(radius**2, (1.0 + node) / 2.0).ravel()
    return t, np.outer(np.pi * radius_share * radius**2, weight / 2.0).ravel()


def _laplace(basis: list[Legendre]) -> FloatArray:
    """Return the matrix of the plane Laplace operator, 4 (t q'' + q'): column j holds that of polynomial j (1/mm^2)."""
    domain = basis[0].domain
    t = Legendre([domain[1] / 2.0, domain[1] / 2.0], domain=domain)
    matrix = np.zeros((len(basis), len(basis)))
    for column, q in enumerate(basis):
        image = 4.0 * (t * q.deriv(2) + q.deriv(1))
        matrix[:, column] = np.pad(image.coef, (0, len(basis)))[: len(basis)]
    return matrix


def _planes(winding: Winding, planes: int) -> tuple[FloatArray, FloatArray]:
    """Return the planes' heights, and mean of z^(2i) / (2i)! about a plane for i = 0, 1, ... 11."""
    if planes == 1:
        centres = winding.layer_centres
        heights = np.array([centres.mean()])
        slab = winding.wire_height
    elif planes > 0 and planes % winding.layers == 0:
        cuts = planes // winding.layers
        slab = winding.wire_height / cuts
        within = slab * (np.arange(cuts) + 0.5) - winding.wire_height / 2.0
        heights = (winding.layer_centres[:, None] - within).ravel()
        centres = heights[:1]
    else:
        raise ValueError(f"planes must be 1 or a multiple of the {winding.layers} layers; got {planes}.")
    order = np.arange(12)
    node, weight = np.polynomial.legendre.leggauss(order[-1] + 1)
    z = (centres - centres.mean())[:, None] + slab / 2.0 * node
    means = np.array([(z ** (2 * i) @ weight).mean() / 2.0 for i in order])
    factorial = np.cumprod(np.concatenate([[1.0], (2.0 * order[1:] - 1.0) * (2.0 * order[1:])]))
    return heights, means / factorial
