"""Compare fields and describe their strength, extent and depth in single numbers."""

import numpy as np
import numpy.typing as npt

from efield.half_values import HalfValues, half_value_depth, half_value_spread, half_values
from meshes import arrays
from meshes.arrays import FloatArray

__all__ = [
    "HalfValues",
    "focality",
    "half_value_depth",
    "half_value_spread",
    "half_values",
    "mag",
    "peak",
    "rdm",
    "relative_error",
]


def relative_error(field: npt.ArrayLike, reference: npt.ArrayLike, *, weights: npt.ArrayLike | None = None) -> float:
    """Compute the relative L2 difference, ||field - reference|| / ||reference||.

    Parameters
    ----------
    field, reference : array_like, shape (n, 3) or (n,)
        Two fields, or two magnitudes, in the same unit.
    weights : array_like, shape (n,), optional
        Area or volume of each point; equal by default.

    Returns
    -------
    float
        The error, 0.01 for 1 %.

    Raises
    ------
    ValueError
        If the shapes differ, a number is not finite, or the reference is zero.

    Examples
    --------
    >>> relative_error([[1.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]])
    1.0
    """
    a, b = _weighted_pair(field, reference, weights)
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def rdm(field: npt.ArrayLike, reference: npt.ArrayLike, *, weights: npt.ArrayLike | None = None) -> float:
    """Compute the relative difference measure, ||field / ||field|| - reference / ||reference|| ||.

    It is blind to a common factor: 0 for the same pattern, 2 for the opposite one.

    Parameters
    ----------
    field, reference, weights
        As in `relative_error`; the unit of each is free.

    Returns
    -------
    float
        RDM as in Meijs et al., IEEE Trans Biomed Eng 1989;36:1038-1049.

    Raises
    ------
    ValueError
        As `relative_error`; also if the field is zero.
    """
    a, b = _weighted_pair(field, reference, weights)
    return float(np.linalg.norm(a / _norm(a, "field") - b / np.linalg.norm(b)))


def mag(field: npt.ArrayLike, reference: npt.ArrayLike, *, weights: npt.ArrayLike | None = None) -> float:
    """Compute the magnitude difference, abs(ln(||field|| / ||reference||)).

    Parameters
    ----------
    field, reference, weights
        As in `relative_error`.

    Returns
    -------
    float
        0 for equal norms, 0.01 for about 1 % of difference.

    Raises
    ------
    ValueError
        As `relative_error`; also if the field is zero.
    """
    a, b = _weighted_pair(field, reference, weights)
    return float(abs(np.log(_norm(a, "field") / np.linalg.norm(b))))


def peak(field: npt.ArrayLike, *, areas: npt.ArrayLike | None = None, percentile: float = 99.9) -> float:
    """Find the robust maximum of a field: the value that only the last per mille of the area exceeds.

    The plain maximum is often the work of one bad triangle. `percentile=100` gives it.

    Parameters
    ----------
    field : array_like, shape (n, 3) or (n,)
        Vectors, or magnitudes (V/m).
    areas : array_like, shape (n,), optional
        Area (or volume) of each point; equal by default.
    percentile : float, optional
        Share of the area (%) in which the magnitude is not above the peak.

    Returns
    -------
    float
        The smallest magnitude of the field that at most 100 - `percentile` per cent of the area exceeds (V/m).

    Raises
    ------
    ValueError
        If the shapes do not fit, a number is not finite, the areas are negative or all zero, or the percentile is
        not above 0 and at most 100.

    Examples
    --------
    >>> peak([1.0, 2.0, 3.0, 10.0], areas=[10, 10, 10, 0.01])
    3.0
    """
    magnitude = _magnitude(field)
    weight = _weights(areas, len(magnitude), "areas")
    if not 0.0 < percentile <= 100.0:
        raise ValueError(f"percentile must be above 0 and at most 100; got {percentile}.")
    order = np.argsort(magnitude, kind="stable")
    share = np.cumsum(weight[order])
    # The rounding of the sum must not push the last share above the total.
    index = np.searchsorted(share, share[-1] * (percentile / 100.0) * (1.0 - 1e-12))
    return float(magnitude[order][index])


def focality(
    field: npt.ArrayLike,
    areas: npt.ArrayLike,
    *,
    fraction: float = 0.5,
    percentile: float = 99.9,
) -> float:
    """Compute the area in which a field reaches a fraction of its peak.

    Parameters
    ----------
    field : array_like, shape (n, 3) or (n,)
        Vectors, or magnitudes (V/m).
    areas : array_like, shape (n,)
        Area of each point (mm^2); with volumes (mm^3) the result is a volume.
    fraction : float, optional
        Share of the peak, usually 0.5 or 0.7.
    percentile : float, optional
        See `peak`.

    Returns
    -------
    float
        Area with magnitude >= fraction * peak (mm^2); a smaller one is more focal.

    Raises
    ------
    ValueError
        As `peak`; also if the fraction is not above 0 and at most 1.

    Examples
    --------
    >>> focality([1.0, 2.0, 4.0], [10.0, 20.0, 5.0], fraction=0.5)
    25.0
    """
    if not 0.0 < fraction <= 1.0:
        raise ValueError(f"fraction must be above 0 and at most 1; got {fraction}.")
    magnitude = _magnitude(field)
    weight = _weights(areas, len(magnitude), "areas")
    level = fraction * peak(magnitude, areas=weight, percentile=percentile)
    return float(weight[magnitude >= level].sum())


def _magnitude(field: npt.ArrayLike) -> FloatArray:
    """Return the magnitudes of vectors, or magnitudes as they are."""
    values = np.asarray(field, dtype=np.float64)
    if values.ndim == 1 and len(values):
        if not np.isfinite(values).all() or (values < 0.0).any():
            raise ValueError("field must be finite, and not negative when it is given as magnitudes.")
        return values
    magnitude: FloatArray = np.linalg.norm(arrays.vectors(values, "field"), axis=1)
    if not len(magnitude):
        raise ValueError("field must be a field at one point at least; got none.")
    return magnitude


def _weights(weights: npt.ArrayLike | None, count: int, name: str) -> FloatArray:
    """Return weights, one per point, of positive sum."""
    if weights is None:
        return np.ones(count)
    values = np.asarray(weights, dtype=np.float64)
    if values.shape != (count,):
        raise ValueError(f"{name} must be one number per point, shape ({count},); got shape {values.shape}.")
    if not np.isfinite(values).all() or (values < 0.0).any() or values.sum() == 0.0:
        raise ValueError(f"{name} must be finite, not negative and not all zero; got {values.min()} to {values.max()}.")
    return values


def _norm(values: FloatArray, name: str) -> float:
    """Return the norm, refusing zero."""
    norm = float(np.linalg.norm(values))
    if norm == 0.0:
        raise ValueError(f"{name} must not be zero everywhere; got zero.")
    return norm


def _weighted_pair(
    field: npt.ArrayLike, reference: npt.ArrayLike, weights: npt.ArrayLike | None
) -> tuple[FloatArray, FloatArray]:
    """Return both fields times the root of the weights, after checking that they can be compared."""
    a = np.asarray(field, dtype=np.float64)
    b = np.asarray(reference, dtype=np.float64)
    if a.shape != b.shape:
        raise ValueError(f"field must be of the shape of reference, {b.shape}; got {a.shape}.")
    if a.ndim not in (1, 2) or a.size == 0:
        raise ValueError(f"field must be of shape (n, 3) or (n,) with n > 0; got {a.shape}.")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("field and reference must be finite; got NaN or infinity.")
    root = np.sqrt(_weights(weights, len(a), "weights"))
    if a.ndim == 2:
        root = root[:, np.newaxis]
    _norm(root * b, "reference")
    return root * a, root * b
