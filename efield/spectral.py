"""Solve for the field in spheres that need not be concentric: the oracle for heads with inner contrasts.

In concentric spheres the inner interfaces carry no charge at all (see `efield.analytic`), so they say nothing about
how a solver treats a skull. Displaced spheres do, and here is their solution to near machine precision. It shares
nothing with the boundary elements but the integral equation: charges are expanded in spherical harmonics about each
sphere's own centre, and the field of one sphere on another follows from the translation of solid harmonics, which is
exact. The only approximation is the highest degree.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse.linalg import LinearOperator, gmres

from efield import _harmonics, analytic
from meshes import arrays
from meshes.arrays import FloatArray

__all__ = ["SphereSolution", "sphere_solution"]

_SOLVE_TOLERANCE = 1e-13
_WORST_RESIDUAL = 1e-9
_POINTS_PER_BLOCK = 2048


@dataclass(frozen=True, eq=False)
class SphereSolution:
    """Field of magnetic dipoles in a set of spheres, as `sphere_solution` returns it.

    Attributes
    ----------
    radii : ndarray, shape (n_spheres,)
        Radii (mm).
    centres : ndarray, shape (n_spheres, 3)
        Centres (mm).
    contrasts : ndarray, shape (n_spheres,)
        (sigma inside - sigma outside) / (sigma inside + sigma outside).
    positions, moments : ndarray, shape (n_dipoles, 3)
        The sources (mm, A m^2 per A).
    didt : float
        Rate of change of the current (A/s).
    charges : ndarray, shape (n_spheres, degree + 1, degree + 1, 2)
        Coefficients [sphere, m, l, cosine or sine] of the surface charge over eps0 (V/m).
    residual : float
        Relative residual of the linear system.
    """

    radii: FloatArray
    centres: FloatArray
    contrasts: FloatArray
    positions: FloatArray
    moments: FloatArray
    didt: float
    charges: FloatArray
    residual: float

    @property
    def degree(self) -> int:
        """Return the highest degree of the expansion."""
        return int(self.charges.shape[1]) - 1

    def field(self, points: npt.ArrayLike) -> FloatArray:
        """Compute the whole field, primary and secondary.

        Parameters
        ----------
        points : array_like, shape (n_points, 3)
            Where to compute the field (mm), anywhere but on a dipole, in the air too.

        Returns
        -------
        ndarray, shape (n_points, 3)
            E (V/m). Exactly on a sphere, where its normal part jumps, the value of the inner side.

        Raises
        ------
        ValueError
            If a point lies on a dipole.
        """
        x = arrays.vectors(points, "points", allow_single=True)
        return analytic.free_space_field(x, self.positions, self.moments, didt=self.didt) + self.secondary(x)

    def secondary(self, points: npt.ArrayLike) -> FloatArray:
        """Compute -grad(phi), the field of the charges alone.

        Parameters
        ----------
        points : array_like, shape (n_points, 3)
            Where to compute the field (mm).

        Returns
        -------
        ndarray, shape (n_points, 3)
            Secondary field (V/m); on a sphere, the value of the inner side.
        """
        x = arrays.vectors(points, "points", allow_single=True)
        out: FloatArray = np.zeros_like(x)
        for centre, radius, charge in zip(self.centres, self.radii, self.charges, strict=True):
            # A layer C_lm on radius a has the potential a / (2l+1) C_lm(x/a) inside, a / (2l+1) S_lm(x/a) outside.
            potential = _harmonics.to_complex(-charge / (2.0 * np.arange(self.degree + 1.0) + 1.0)[:, np.newaxis])
            scaled = (x - centre) / radius
            inside = np.einsum("ij,ij->i", scaled, scaled) <= 1.0
            for inner, chosen in ((True, np.flatnonzero(inside)), (False, np.flatnonzero(~inside))):
                gradient = _harmonics.gradient(potential, inner=inner)
                for first in range(0, len(chosen), _POINTS_PER_BLOCK):
                    rows = chosen[first : first + _POINTS_PER_BLOCK]
                    out[rows] += _harmonics.evaluate(gradient, scaled[rows], inner=inner)
        return out

    def charge(self, sphere: int, points: npt.ArrayLike) -> FloatArray:
        """Compute the surface charge over eps0 on one sphere.

        Parameters
        ----------
        sphere : int
            Which sphere, in the order given.
        points : array_like, shape (n_points, 3)
            Points (mm); each is projected on the sphere along the ray from its centre.

        Returns
        -------
        ndarray, shape (n_points,)
            Jump of the normal field, outside minus inside (V/m).
        """
        x = arrays.vectors(points, "points", allow_single=True) - self.centres[sphere]
        unit = x / np.linalg.norm(x, axis=1)[:, np.newaxis]
        coefficients = _harmonics.to_complex(self.charges[sphere])
        return _harmonics.evaluate(coefficients[..., np.newaxis], unit, inner=True)[:, 0]


def sphere_solution(
    radii: npt.ArrayLike,
    conductivities: npt.ArrayLike,
    centres: npt.ArrayLike,
    positions: npt.ArrayLike,
    moments: npt.ArrayLike,
    *,
    degree: int = 45,
    didt: float = 1e6,
) -> SphereSolution:
    """Solve for the field of magnetic dipoles in spheres inside one another or side by side.

    Parameters
    ----------
    radii : array_like, shape (n_spheres,)
        Radii (mm).
    conductivities : array_like, shape (n_spheres,)
        Conductivity directly inside each sphere (S/m). Outside it is that of the smallest sphere around it, or 0, air.
    centres : array_like, shape (n_spheres, 3)
        Centres (mm). Spheres must not touch.
    positions : array_like, shape (n_dipoles, 3)
        Positions of the dipoles (mm), outside all spheres.
    moments : array_like, shape (n_dipoles, 3)
        Moments per ampere (A m^2 per A).
    degree : int, optional
        Highest degree of the spherical harmonics; compare two degrees to see the error. In five head spheres
        displaced by up to 6 mm under a figure-8 10 mm above the scalp, degree 45 errs by 4e-9 at 1.5 mm under the pia,
        4e-6 in the skull and 2e-4 at 1 mm under the scalp; degree 25 by 1e-5, 4e-4 and 3e-3.
    didt : float, optional
        Rate of change of the current (A/s).

    Returns
    -------
    SphereSolution
        With `field(points)` and `residual`.

    Raises
    ------
    ValueError
        If spheres touch or cross, a dipole is not outside of all, or a value has another shape or range.
    RuntimeError
        If the linear system cannot be solved to a residual of 1e-9.

    Notes
    -----
    The equation is that of the adjoint double layer (Makarov et al. 2018, 10.1109/TBME.2018.2813261),
    q/2 - k n.(mean field of all charges) = k n.E_p, projected on spherical harmonics. A layer Y_l has the mean normal
    field Y_l / (2 (2l + 1)) on its own sphere. Degree 0 is left out: no sphere carries a net charge.
    """
    a, sigma, c = _checked_spheres(radii, conductivities, centres)
    s = arrays.vectors(positions, "positions", allow_single=True)
    m = arrays.vectors(moments, "moments", allow_single=True)
    if len(m) != len(s):
        raise ValueError(f"moments must be one row per position ({len(s)}); got {len(m)} rows.")
    if not isinstance(degree, (int, np.integer)) or degree < 1:
        raise ValueError(f"degree must be a whole number of at least 1; got {degree!r}.")
    if not np.isfinite(didt):
        raise ValueError(f"didt must be a finite number; got {didt}.")
    clearance = np.linalg.norm(s[:, np.newaxis] - c, axis=2) - a
    if clearance.size and clearance.min() <= 0.0:
        raise ValueError(f"positions must be outside all spheres; got a dipole {-clearance.min():g} mm inside one.")
    within = _containment(a, c)
    contrasts = _contrasts(a, sigma, within)
    right = np.stack([k * _normal_primary(s - o, m, r, degree) for k, o, r in zip(contrasts, c, a, strict=True)])
    couplings = _couplings(a, c, within, degree)
    charges, residual = _solve(contrasts, couplings, right * didt)
    return SphereSolution(a, c, contrasts, s, m, float(didt), charges, residual)


def _solve(
    contrasts: FloatArray, couplings: dict[tuple[int, int], "_Coupling"], right: FloatArray
) -> tuple[FloatArray, float]:
    """Solve for the charges; return them and the relative residual."""
    degrees = np.arange(right.shape[2], dtype=np.float64)
    k = contrasts[:, np.newaxis, np.newaxis, np.newaxis]
    own = 0.5 - k * (0.5 / (2.0 * degrees + 1.0))[:, np.newaxis]
    own[:, :, 0] = 1.0
    scaled = right / own

    def apply(flat: FloatArray) -> FloatArray:
        charges = flat.reshape(right.shape)
        fields = np.zeros_like(charges)
        for (target, source), coupling in couplings.items():
            fields[target] += coupling.normal_field(charges[source])
        return (charges - k * fields / own).ravel()

    norm = float(np.linalg.norm(scaled))
    if norm == 0.0 or not couplings:
        return scaled, 0.0
    operator = LinearOperator((right.size, right.size), matvec=apply, dtype=np.float64)
    flat, _ = gmres(operator, scaled.ravel(), rtol=_SOLVE_TOLERANCE, restart=100, maxiter=5)
    residual = float(np.linalg.norm(apply(flat) - scaled.ravel())) / norm
    if not residual <= _WORST_RESIDUAL:
        raise RuntimeError(
            f"The spheres' equations were solved to a residual of {residual:.1e} only, where {_WORST_RESIDUAL:g} is "
            "asked. Spheres that almost touch, or a conductivity of zero inside, can cause it."
        )
    return flat.reshape(right.shape), residual


def _checked_spheres(
    radii: npt.ArrayLike, conductivities: npt.ArrayLike, centres: npt.ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Check the shapes and ranges of the spheres."""
    a = np.array(radii, dtype=np.float64)
    sigma = np.array(conductivities, dtype=np.float64)
    c = arrays.vectors(centres, "centres")
    if a.ndim != 1 or not len(a) or not np.isfinite(a).all() or (a <= 0.0).any():
        raise ValueError(f"radii must be one positive number per sphere (mm); got {radii!r}.")
    if sigma.shape != a.shape or not np.isfinite(sigma).all() or (sigma < 0.0).any():
        raise ValueError(f"conductivities must be one number >= 0 per sphere (S/m), {len(a)}; got {conductivities!r}.")
    if len(c) != len(a):
        raise ValueError(f"centres must be one row per sphere, {len(a)}; got {len(c)} rows.")
    return a, sigma, c


def _containment(radii: FloatArray, centres: FloatArray) -> npt.NDArray[np.bool_]:
    """Return the matrix [i, j]: sphere i is inside sphere j; raise if two cross."""
    distance = np.linalg.norm(centres[:, np.newaxis] - centres, axis=2)
    within: npt.NDArray[np.bool_] = distance + radii[:, np.newaxis] < radii
    apart = distance > radii[:, np.newaxis] + radii
    for i, j in zip(*np.nonzero(~(within | within.T | apart)), strict=True):
        if i < j:
            raise ValueError(f"Spheres {i} and {j} must not touch or cross. Move their centres or change their radii.")
    return within


def _contrasts(radii: FloatArray, sigma: FloatArray, within: npt.NDArray[np.bool_]) -> FloatArray:
    """Return each sphere's contrast with the smallest sphere around it, or with air."""
    around = [int(np.argmin(np.where(row, radii, np.inf))) if row.any() else -1 for row in within]
    outside = np.array([sigma[j] if j >= 0 else 0.0 for j in around])
    if (sigma + outside == 0.0).any():
        raise ValueError("conductivities must not be 0 on both sides of a sphere; leave out that sphere.")
    contrasts: FloatArray = (sigma - outside) / (sigma + outside)
    return contrasts


def _normal_primary(s: FloatArray, m: FloatArray, radius: float, degree: int) -> FloatArray:
    """Expand n.E_p of dipoles at `s`, relative to the centre, on a sphere; coefficients for 1 A/s (V/m).

    From x.(m cross (x - s)) = -x.(m cross s) and (m cross s).s = 0 follows, with u = m cross s,
    x.E_p = (mu0 / 4 pi) u.grad_s (1 / abs(x - s)), and 1 / abs(x - s) = sum C_lm(x) S_lm(s) for abs(x) < abs(s).
    """
    u = np.cross(m, s)
    scale = analytic.dipole_factor() / radius**3
    expansion: FloatArray = scale * _harmonics.expand_derivatives(u, s / radius, degree)
    expansion[:, 0] = 0.0
    return expansion


@dataclass(frozen=True, eq=False)
class _Coupling:
    """Normal field that the charges of one sphere make on another one.

    The expansion is turned so that the line of centres is the z axis, where translation keeps the order m.
    """

    rotation: FloatArray | None
    translation: FloatArray

    def normal_field(self, charge: FloatArray) -> FloatArray:
        """Return the coefficients of n.E on the target sphere (V/m)."""
        if self.rotation is None:
            field: FloatArray = self.translation @ charge
            return field
        shifted = self.translation @ _harmonics.rotate(self.rotation, charge)
        return _harmonics.rotate(self.rotation.swapaxes(1, 2), shifted)


def _couplings(
    radii: FloatArray, centres: FloatArray, within: npt.NDArray[np.bool_], degree: int
) -> dict[tuple[int, int], _Coupling]:
    """Build the coupling of each sphere (second index) to each other one (first index)."""
    couplings = {}
    for i in range(len(radii)):
        for j in range(i):
            shift = centres[i] - centres[j]
            distance = float(np.linalg.norm(shift))
            # Upward directions only, with a signed distance: the turn stays clear of 180 degrees.
            signed = distance if shift[2] >= 0.0 else -distance
            rotation = _harmonics.rotation_to_z(shift / signed, degree) if np.any(shift[:2]) else None
            for target, source, step in ((i, j, signed), (j, i, -signed)):
                translation = _normal_field(
                    radii[target], radii[source], step, within[target, source], within[source, target], degree
                )
                couplings[target, source] = _Coupling(rotation, translation)
    return couplings


def _normal_field(target: float, source: float, step: float, inside: bool, around: bool, degree: int) -> FloatArray:
    """Return the matrix [m, l, l'] from charges on a sphere to n.E on another one `step` further along z.

    `target` and `source` are radii; `inside` says that the target lies inside the source, `around` that it holds it.
    """
    degrees = np.arange(degree + 1.0)
    # Normal field of the unit potential C_lm(x/a) or S_lm(x/a) on radius a.
    normal = (degrees + 1.0 if around else -degrees) / target
    potential = source / (2.0 * degrees + 1.0)
    if inside:
        translation = _harmonics.translate_regular(target, source, step, degree)
    elif around:
        translation = _harmonics.translate_irregular(target, source, step, degree)
    else:
        translation = _harmonics.translate_apart(target, source, step, degree)
    matrix: FloatArray = normal[:, np.newaxis] * translation * potential
    matrix[:, 0, :] = matrix[:, :, 0] = 0.0
    return matrix
