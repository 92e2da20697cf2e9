"""Name the direction of the induced current as neurophysiologists do: posterior to anterior, lateral to medial."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from meshes import arrays
from meshes.arrays import FloatArray

__all__ = ["CURRENTS", "current_on_scalp"]

# What each name stands for.
CURRENTS = {
    "PA": "posterior to anterior",
    "AP": "anterior to posterior",
    "LM": "lateral to medial",
    "ML": "medial to lateral",
    "PL-AM": "posterior-lateral to anterior-medial, 45 degrees from PA towards the midline",
    "AM-PL": "anterior-medial to posterior-lateral, the reverse",
}

# Nearer to the midline than this (mm) a point has no side: it is how well the midline of a head is known.
_MIDLINE = 5.0

# Least part of a direction that must lie in the scalp (sine, 6 degrees): below it the scalp's roughness decides.
_ALONG = 0.1


def current_on_scalp(current: str | npt.ArrayLike, centre: npt.ArrayLike, outward: npt.ArrayLike) -> FloatArray:
    """Return a direction of current along the scalp.

    Parameters
    ----------
    current : str or array_like, shape (3,)
        One of `CURRENTS`, in any case, or a direction in head space of any length.
    centre : array_like, shape (3,)
        Where (mm, RAS); left is x < 0.
    outward : array_like, shape (3,)
        The scalp's normal there.

    Returns
    -------
    ndarray, shape (3,)
        Unit vector, perpendicular to `outward`.

    Raises
    ------
    ValueError
        If the name is unknown, asks for a side where there is none (less than 5 mm from the midline), or the direction
        is within 6 degrees of the scalp's normal.

    Notes
    -----
    PA, AP, LM, ML and vectors are axes of the head (+y anterior; medial is +x on the left and -x on the right)
    projected on the scalp. PL-AM is PA turned by 45 degrees within the scalp's tangent plane towards the midline, as it
    is used over the hand area (Brasil-Neto et al., J Clin Neurophysiol 1992;9:132-136).

    Examples
    --------
    >>> current_on_scalp("PL-AM", centre=(-40, 0, 80), outward=(0, 0, 1)).round(3)
    array([0.707, 0.707, 0.   ])
    """
    normal = arrays.unit_vector(outward, "outward")
    if not isinstance(current, str):
        return _along(arrays.unit_vector(current, "current"), normal, "the given vector")
    name = current.strip().upper()
    if name not in CURRENTS:
        raise ValueError(f"current must be one of {', '.join(CURRENTS)}, or a vector; got {current!r}.")
    if name in ("PA", "AP"):
        return _along(np.array([0.0, 1.0 if name == "PA" else -1.0, 0.0]), normal, name)
    x = float(arrays.vector(centre, "centre")[0])
    if abs(x) < _MIDLINE:
        raise ValueError(
            f"centre must lie {_MIDLINE:g} mm or more from the midline, x = 0, for current {name}, which needs a side; "
            f"got x = {x:.1f} mm. Use PA, AP or a vector."
        )
    medial = np.array([-np.sign(x), 0.0, 0.0])
    if name in ("LM", "ML"):
        return _along(medial if name == "LM" else -medial, normal, name)
    forward = _along(np.array([0.0, 1.0, 0.0]), normal, name)
    across = np.cross(forward, normal)  # to the right of the way forward, seen from outside
    diagonal: FloatArray = (forward - np.sign(x) * across) / np.sqrt(2.0)
    return diagonal if name == "PL-AM" else -diagonal


def _along(direction: FloatArray, normal: FloatArray, name: str) -> FloatArray:
    """Return the part of a unit vector along the scalp, as a unit vector."""
    part = direction - (direction @ normal) * normal
    length = float(np.linalg.norm(part))
    if length < _ALONG:
        raise ValueError(
            f"current must not point straight into or out of the head; got {name} where the scalp's normal is "
            "({:+.2f}, {:+.2f}, {:+.2f}). Use another name or a vector.".format(*normal)
        )
    along: FloatArray = part / length
    return along
