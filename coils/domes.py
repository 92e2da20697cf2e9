"""Replace a winding whose opening the head can reach into by rings of dipoles on a dome behind it.

A turn is the rim of a magnetic shell: of any surface that it bounds, with a uniform dipole density normal to the
surface (Jackson, Classical Electrodynamics, 3rd ed., section 5.6). The disc in the turn's own plane will do for a coil
that is a plate, but not for the open rings of a double cone, where the disc would lie inside the head. Here the part
of all discs within the winding's opening of radius a is pushed back to a paraboloid,

    z(r) = z_layer - dome (1 - r^2 / a^2),

whose dipoles are the normal's, (-z'(r), 0, 1) in (radial, azimuthal, axial) components per projected area. The ring
that the turns themselves fill stays flat. A closed uniform shell has no field on either side, so disc and dome have the
same field on both; what differs is where the single dipoles, which are singular, stand.
"""

from dataclasses import dataclass

import numpy as np

from coils.windings import Wing
from meshes.arrays import FloatArray

__all__ = ["Rings", "dome_depth", "dome_rings"]

# Gauss planes through the height of a layer: two leave 3e-5 of the field of a wire 6 mm high at 10 mm.
_PLANES = 2


@dataclass(frozen=True, eq=False)
class Rings:
    """Rings of dipoles about one axis, in the winding's frame.

    Attributes
    ----------
    radii, heights : ndarray, shape (n,)
        Radius and axial position of each ring (mm).
    axial, radial : ndarray, shape (n,)
        Sum of the ring's axial and outward moments (A m^2 per A).
    behind : ndarray, shape (n,)
        Axial position of the layer that the ring belongs to (mm, negative): what counts for the distance to the head.
    """

    radii: FloatArray
    heights: FloatArray
    axial: FloatArray
    radial: FloatArray
    behind: FloatArray

    @classmethod
    def flat(cls, radii: FloatArray, heights: FloatArray, moments: FloatArray) -> "Rings":
        """Put the same rings with axial `moments`, shape (rings,), on planes at `heights`, shape (planes,)."""
        z = np.repeat(heights, len(radii))
        return cls(np.tile(radii, len(heights)), z, np.tile(moments, len(heights)), np.zeros_like(z), z)


def dome_depth(wing: Wing, radius: FloatArray) -> FloatArray:
    """Return how far the dome stands behind the winding's planes at distances `radius` from the axis (mm)."""
    opening = wing.winding.inner_diameter / 2.0
    depth: FloatArray = wing.dome * np.maximum(1.0 - (radius / opening) ** 2, 0.0)
    return depth


def dome_rings(wing: Wing, opening: int, annulus: int) -> Rings:
    """Compute the rings that stand for a winding with a dome.

    Parameters
    ----------
    wing : Wing
        The winding and its dome.
    opening, annulus : int
        Rings on each plane within the opening, and between inner and outer edge of the winding.

    Returns
    -------
    Rings
        Exact, over the cross-section of the shell, for polynomials in r^2 of degree below twice the number of rings.

    Notes
    -----
    In t = r^2 the dome's density is a constant, so its rule is Gauss's; for the winding's own ring, where the density
    falls from turn to turn, the rule is found from the eigenvalues of its moments as in `coils.quadrature`.
    """
    winding = wing.winding
    edge = winding.inner_diameter / 2.0
    node, weight = np.polynomial.legendre.leggauss(opening)
    inner = edge * np.sqrt((1.0 + node) / 2.0)
    inner_area = winding.turns * np.pi * edge**2 * weight / 2.0
    outer, outer_area = _annulus(wing, annulus)
    slope = 2.0 * wing.dome * inner / edge**2  # z'(r)
    radii = np.concatenate([inner, outer])
    area = np.concatenate([inner_area, outer_area])
    tilt = np.concatenate([-slope, np.zeros(annulus)])
    node, weight = np.polynomial.legendre.leggauss(_PLANES)
    planes = (winding.layer_centres[:, None] + winding.wire_height / 2.0 * node).ravel()
    share = np.repeat(1e-6 * weight[None] / 2.0, winding.layers, axis=0).ravel()
    z = np.repeat(planes, len(radii))
    return Rings(
        radii=np.tile(radii, len(planes)),
        heights=z - np.tile(dome_depth(wing, radii), len(planes)),
        axial=np.outer(share, area).ravel(),
        radial=np.outer(share, area * tilt).ravel(),
        behind=z,
    )


def _annulus(wing: Wing, rings: int) -> tuple[FloatArray, FloatArray]:
    """Return radii (mm) and areas times turns (mm^2) of the Gauss rule for one layer's density beyond the opening."""
    from scipy.linalg import eigh  # here, so that importing the package loads no SciPy

    winding = wing.winding
    low, high = winding.inner_diameter**2 / 4.0, winding.outer_diameter**2 / 4.0
    node, weight = np.polynomial.legendre.leggauss(2 * rings + 2)
    edge = (winding.radii[:, None] + winding.wire_width / 2.0 * node).ravel() ** 2
    edge_share = np.tile(weight / 2.0, winding.turns)
    node, weight = np.polynomial.legendre.leggauss(rings + 1)
    t = (low + np.outer(edge - low, (1.0 + node) / 2.0)).ravel()
    area = np.outer(np.pi * edge_share * (edge - low), weight / 2.0).ravel()
    values = np.array([np.polynomial.Legendre.basis(k, domain=[low, high])(t) for k in range(rings)])
    nodes, vectors = eigh((values * area * t) @ values.T, (values * area) @ values.T)
    # The eigenvectors v are normalised in the density's own product, so that a node's weight is (v . <p_i>)^2.
    return np.sqrt(nodes), (vectors.T @ (values @ area)) ** 2
