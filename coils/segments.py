"""Current elements: wires as they stand in files, each straight piece a point with a vector."""

from dataclasses import dataclass

from meshes import arrays
from meshes.arrays import FloatArray

__all__ = ["Segments"]


@dataclass(frozen=True, eq=False)
class Segments:
    """Current elements, each taken as a point.

    Parameters
    ----------
    points : array_like, shape (n, 3)
        Middles of the elements (mm, coil frame).
    vectors : array_like, shape (n, 3)
        Length and direction of the positive current per ampere of coil current (mm): the vector from an element's start
        to its end, times the turns that it stands for.

    Raises
    ------
    ValueError
        If there is no element, shapes differ or a number is not finite.

    Notes
    -----
    A(r) = mu0/4pi sum v / |r - p|, as SimNIBS evaluates elements of type 2. Only closed circuits have a field that a
    real coil can have; see `coils.circuits`.

    Examples
    --------
    >>> len(Segments(points=[[0, 0, -5]], vectors=[[1, 0, 0]]))
    1
    """

    points: FloatArray
    vectors: FloatArray

    def __post_init__(self) -> None:
        points = arrays.vectors(self.points, "points")
        vectors = arrays.vectors(self.vectors, "vectors")
        if not len(points):
            raise ValueError("points must hold at least one current element; got none.")
        if len(points) != len(vectors):
            raise ValueError(f"vectors must be one per point, {len(points)}; got {len(vectors)}.")
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "vectors", vectors)

    def __len__(self) -> int:
        return len(self.points)
