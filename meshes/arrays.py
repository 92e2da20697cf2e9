"""Check and convert what callers pass, once, at the border of the public functions.

Every function takes the value and the name under which the caller knows it, returns a C-contiguous float64 or int32
array (or a float or string), and raises a `ValueError` of the form "NAME must be WHAT; got VALUE." otherwise.
Nothing a caller passes is changed in place.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int32]

__all__ = [
    "FloatArray",
    "IntArray",
    "choice",
    "non_negative",
    "positive",
    "triangles",
    "unit_vector",
    "vector",
    "vectors",
]


def _as_float(value: npt.ArrayLike, name: str) -> FloatArray:
    """Convert to a float64 array, or raise a sentence when `value` is no array of real numbers."""
    try:
        array = np.asarray(value)
        if np.iscomplexobj(array) or array.dtype == np.bool_:
            raise TypeError
        return np.array(array, dtype=np.float64, order="C")
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be an array of real numbers; got {_brief(value)}.") from None


def _brief(value: object) -> str:
    """Return a short text of `value` for an error message."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def vectors(value: npt.ArrayLike, name: str, *, allow_single: bool = False) -> FloatArray:
    """Return `value` as points or vectors, one per row.

    Parameters
    ----------
    value : array_like, shape (n, 3)
        Points (mm) or vectors; also shape (3,) when `allow_single` is true.
    name : str
        Name of the value in error messages.
    allow_single : bool, optional
        Accept one vector of shape (3,) and return it as shape (1, 3).

    Returns
    -------
    ndarray, shape (n, 3)
        A C-contiguous float64 copy.

    Raises
    ------
    ValueError
        If the shape is another one or a number is not finite.

    Examples
    --------
    >>> vectors([[1, 2, 3]], "points")
    array([[1., 2., 3.]])
    """
    array = _as_float(value, name)
    if allow_single and array.shape == (3,):
        array = array.reshape(1, 3)
    if array.ndim != 2 or array.shape[1] != 3:
        wanted = "(n, 3) or (3,)" if allow_single else "(n, 3)"
        raise ValueError(f"{name} must be an array of shape {wanted}; got shape {array.shape}.")
    bad = ~np.isfinite(array).all(axis=1)
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        raise ValueError(
            f"{name} must be finite; got {int(bad.sum())} rows with NaN or infinity, first row {first}: "
            f"{array[first].tolist()}."
        )
    return array


def vector(value: npt.ArrayLike, name: str) -> FloatArray:
    """Return `value` as one vector of shape (3,), finite; raise `ValueError` otherwise.

    Examples
    --------
    >>> vector((1, 2, 3), "centre")
    array([1., 2., 3.])
    """
    array = _as_float(value, name)
    if array.shape != (3,):
        raise ValueError(f"{name} must be a vector of shape (3,); got shape {array.shape}.")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite; got {array.tolist()}.")
    return array


def unit_vector(value: npt.ArrayLike, name: str) -> FloatArray:
    """Return `value` as one vector of length 1; raise `ValueError` if it is zero or not a finite (3,) vector.

    Examples
    --------
    >>> unit_vector((0, 0, 2), "handle")
    array([0., 0., 1.])
    """
    array = vector(value, name)
    # Divided by the largest component first, so that the squares neither overflow nor vanish.
    largest = float(np.abs(array).max())
    if largest == 0.0:
        raise ValueError(f"{name} must be a direction, not the zero vector; got {array.tolist()}.")
    array = array / largest
    return np.ascontiguousarray(array / np.linalg.norm(array))


def triangles(value: npt.ArrayLike, name: str, n_vertices: int) -> IntArray:
    """Return `value` as triangles, three vertex indices per row.

    Parameters
    ----------
    value : array_like, shape (m, 3)
        Indices into an array of `n_vertices` vertices.
    name : str
        Name of the value in error messages.
    n_vertices : int
        Number of vertices; every index must be in 0 ... n_vertices - 1.

    Returns
    -------
    ndarray, shape (m, 3)
        A C-contiguous int32 copy.

    Raises
    ------
    ValueError
        If the shape is another one, a number is no whole number, or an index is out of range.

    Examples
    --------
    >>> triangles([[0, 1, 2]], "triangles", 3)
    array([[0, 1, 2]], dtype=int32)
    """
    array = _as_float(value, name)
    if array.ndim != 2 or array.shape[1] != 3:
        raise ValueError(f"{name} must be an array of shape (m, 3); got shape {array.shape}.")
    if not np.isfinite(array).all() or not np.array_equal(array, np.floor(array)):
        raise ValueError(f"{name} must be whole numbers; got fractions, NaN or infinity.")
    if array.size and (array.min() < 0 or array.max() >= n_vertices):
        raise ValueError(
            f"{name} must be indices from 0 to {n_vertices - 1}, the last vertex; "
            f"got {int(array.min())} to {int(array.max())}."
        )
    return np.ascontiguousarray(array, dtype=np.int32)


def _number(value: float, name: str, wanted: str) -> float:
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be {wanted}; got {_brief(value)}.") from None


def positive(value: float, name: str) -> float:
    """Return `value` as a float greater than zero and finite; raise `ValueError` otherwise.

    Examples
    --------
    >>> positive(2, "radius")
    2.0
    """
    number = _number(value, name, "a positive number")
    if not (np.isfinite(number) and number > 0.0):
        raise ValueError(f"{name} must be a positive number; got {number!r}.")
    return number


def non_negative(value: float, name: str) -> float:
    """Return `value` as a float of at least zero and finite; raise `ValueError` otherwise.

    Examples
    --------
    >>> non_negative(0, "distance")
    0.0
    """
    number = _number(value, name, "zero or a positive number")
    if not (np.isfinite(number) and number >= 0.0):
        raise ValueError(f"{name} must be zero or a positive number; got {number!r}.")
    return number


def choice(value: str, name: str, allowed: Iterable[str]) -> str:
    """Return `value` if it is one of `allowed`; raise `ValueError` that lists them otherwise.

    Examples
    --------
    >>> choice("left", "side", ("left", "right"))
    'left'
    """
    options = tuple(allowed)
    if value not in options:
        listed = ", ".join(repr(option) for option in options)
        raise ValueError(f"{name} must be one of {listed}; got {_brief(value)}.")
    return value
