"""How far the casings of two coils are apart."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from coils import Coil
from efield.kernels.casings import least_distance
from meshes import Pose, Surface, arrays

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

__all__ = ["CasingGap"]

_STEP = 1.0
"""Spacing of the table of distances (mm)."""

_COARSE = 4
"""Spacings of the table between the points at which the distance is found first."""

_EDGE = 1.0
"""Longest edge of the parts of triangles whose corners stand for a casing (mm)."""

_GROUP = 12.0
"""Points on a casing are grouped by cells of this edge (mm)."""


class CasingGap:
    """The least distance between the casings of two coils in given poses.

    Parameters
    ----------
    first, second : Coil
        Coils with casings.
    reach : float, optional
        Greatest distance that matters (mm); casings farther apart count as this far.

    Attributes
    ----------
    reach : float
        As given.
    error : float
        By how much `between` may be too small (mm); it is never too large.

    Raises
    ------
    TypeError
        If `first` or `second` is no coil.
    ValueError
        If a coil has no casing, or `reach` is not positive.

    Notes
    -----
    Points on the second casing, every one of its surface within `error` of one of them, are looked up in a table of the
    signed distance to the first, by libigl at nodes 1 mm apart. Linear interpolation of a distance, which changes by no
    more than its point moves, is off by at most half the diagonal of a cell, 0.9 mm. Points for which that leaves open
    whether they are the nearest get their exact distance.

    Where one casing is inside the other the distance is negative: minus the depth of the deepest point of the second in
    the first. Handles and cables are no part of a casing.

    Examples
    --------
    >>> import coils
    >>> coil = coils.load_coil("magstim-25mm")
    >>> gap = CasingGap(coil, coil)
    >>> here = Pose.from_axes([0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0])
    >>> beside = Pose.from_axes([100.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0])
    >>> print(f"{gap.between(here, beside):.1f} mm")  # casings of 94 mm, less the error
    5.4 mm
    """

    def __init__(self, first: Coil, second: Coil, *, reach: float = 10.0) -> None:
        self._casing = _casing_of(first, "first")
        self._points = _grouped(_casing_of(second, "second"))
        self.reach = arrays.positive(reach, "reach")
        self.error = float(_EDGE / np.sqrt(3.0))
        self._table = _table(self._casing, self.reach)
        self._half = 0.5 * np.sqrt(3.0) * _STEP
        radii = [float(np.linalg.norm(coil.casing.vertices, axis=1).max()) for coil in (first, second) if coil.casing]
        self._apart = sum(radii)

    def between(self, first: Pose, second: Pose) -> float:
        """Return how far apart the casings are at least (mm).

        Parameters
        ----------
        first, second : Pose
            Poses of the two coils in one space.

        Returns
        -------
        float
            mm, at most `reach`; zero or negative if they may touch.
        """
        for name, pose in (("first", first), ("second", second)):
            if not isinstance(pose, Pose):
                raise TypeError(f"{name} must be a meshes.Pose; got {type(pose).__name__}. Use Pose(matrix).")
        return self.of_frames(first.rotation, first.origin, second.rotation, second.origin)

    def of_frames(self, first_rotation: F64, first_origin: F64, second_rotation: F64, second_origin: F64) -> float:
        """Return `between` for poses given as rotations, shape (3, 3), and origins, shape (3,) (mm)."""
        import igl  # here, because it takes a tenth of a second to load

        if np.linalg.norm(second_origin - first_origin) >= self._apart + self.reach + self.error:
            return self.reach
        rotation = np.ascontiguousarray(first_rotation.T @ second_rotation)
        shift = np.ascontiguousarray(first_rotation.T @ (second_origin - first_origin))
        most = self.reach + self.error + 2.0 * self._half
        least = float(least_distance(rotation, shift, *self.search_data, -np.inf, most))
        if least >= most:
            return self.reach
        points = self._near(rotation, shift, least + 2.0 * self._half)
        kind = igl.SIGNED_DISTANCE_TYPE_PSEUDONORMAL
        triangles = self._casing.triangles.astype(np.int64)
        exact = igl.signed_distance(points, self._casing.vertices, triangles, kind)[0]
        return float(min(np.min(exact) - self.error, self.reach))

    def leaves(self, gap: float, here: tuple[F64, F64], there: tuple[F64, F64]) -> bool:
        """Return whether two frames (rotation, origin) leave a gap (mm); what the table leaves open is measured."""
        clear, near, apart = self.limits(gap)
        (first, first_origin), (second, second_origin) = here, there
        if np.linalg.norm(second_origin - first_origin) >= apart:
            return True
        rotation = np.ascontiguousarray(first.T @ second)
        shift = np.ascontiguousarray(first.T @ (second_origin - first_origin))
        least = least_distance(rotation, shift, *self.search_data, near, clear)
        if not near <= least < clear:
            return bool(least >= clear)
        return self.of_frames(first, first_origin, second, second_origin) >= gap

    @property
    def search_data(self) -> tuple[F64, F64, I64, F64, F32, F64, float, F64]:
        """What the kernels of `efield.kernels.casings` ask for."""
        return (*self._points, *self._table)

    @property
    def probes(self) -> F64:
        """A point of each group of points on the second casing, shape (n_groups, 3) (mm)."""
        _, _, starts, points = self._points
        middle: F64 = np.ascontiguousarray(points[(starts[:-1] + starts[1:]) // 2])
        return middle

    def limits(self, gap: float) -> tuple[float, float, float]:
        """Return from which tabulated distance, below which one, and for which distance of origins a gap is decided.

        Parameters
        ----------
        gap : float
            Wanted distance (mm).

        Returns
        -------
        clear, near, apart : float
            mm; see `efield.kernels.casings.next_pair`.
        """
        wanted = gap + self.error
        return wanted + self._half, wanted - self._half, self._apart + wanted

    def _near(self, rotation: F64, shift: F64, limit: float) -> F64:
        """Return the points, in the first coil's frame, whose distance may be below a limit."""
        from scipy.ndimage import map_coordinates

        _, _, _, points, table, corner, step, _ = self.search_data
        placed = points @ rotation.T + shift
        nodes = (placed - corner) / step
        # Beside the table the distance is more than its margin, which is more than any limit.
        inside = ((nodes >= 0.0) & (nodes <= np.array(table.shape) - 1.0)).all(axis=1)
        distance = map_coordinates(table, nodes[inside].T, order=1)
        return np.ascontiguousarray(placed[inside][distance <= limit + 1e-3])


def _casing_of(coil: Coil, name: str) -> Surface:
    if not isinstance(coil, Coil):
        raise TypeError(f"{name} must be a coils.Coil; got {type(coil).__name__}. Use coils.load_coil(name).")
    if coil.casing is None:
        raise ValueError(
            f"{name} must be a coil with a casing; got {coil.name} without. Give it one: Coil(casing=...)."
        )
    return coil.casing


@lru_cache(maxsize=8)
def _grouped(casing: Surface) -> tuple[F64, F64, I64, F64]:
    """Return balls around groups of points on a casing, where each group begins, and the points group by group."""
    corners = casing.corners
    parts = np.ceil(np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1) / _EDGE).astype(np.int64)
    found = []
    for k in np.unique(parts).tolist():
        a, b = np.meshgrid(np.arange(k + 1), np.arange(k + 1), indexing="ij")
        u, v = a[a + b <= k] / k, b[a + b <= k] / k
        shares = np.column_stack([1.0 - u - v, u, v])
        found.append(np.einsum("qc,ncd->nqd", shares, corners[parts == k]).reshape(-1, 3))
    points = np.unique(np.round(np.concatenate(found), 6), axis=0)
    _, group = np.unique(np.floor(points / _GROUP).astype(np.int64), axis=0, return_inverse=True)
    # In a random order a group where the casings overlap is met soon.
    group = np.random.default_rng(0).permutation(group.max() + 1)[group.ravel()]
    points = np.ascontiguousarray(points[np.argsort(group, kind="stable")])
    starts = np.concatenate([[0], np.cumsum(np.bincount(group))]).astype(np.int64)
    centres = np.add.reduceat(points, starts[:-1], axis=0) / np.diff(starts)[:, None]
    beside = np.linalg.norm(points - np.repeat(centres, np.diff(starts), axis=0), axis=1)
    return np.ascontiguousarray(centres), np.maximum.reduceat(beside, starts[:-1]), starts, points


@lru_cache(maxsize=4)
def _table(casing: Surface, reach: float) -> tuple[F32, F64, float, F64]:
    """Return signed distances on a grid around a casing: values, first node, spacing, and the casing's box.

    Nodes farther from the casing than matters get a lower bound from a coarser grid.
    """
    import igl
    from scipy.ndimage import zoom

    def distances(points: F64) -> F64:
        kind = igl.SIGNED_DISTANCE_TYPE_PSEUDONORMAL
        found = igl.signed_distance(points, casing.vertices, casing.triangles.astype(np.int64), kind)[0]
        return np.asarray(found, dtype=np.float64)

    box = np.stack([casing.vertices.min(axis=0), casing.vertices.max(axis=0)])
    margin = reach + 5.0 * _STEP
    coarse = _COARSE * _STEP
    corner = box[0] - margin
    count = np.ceil((box[1] + margin - corner) / coarse).astype(np.int64) + 1
    nodes = corner + coarse * np.stack(np.meshgrid(*map(np.arange, count), indexing="ij"), axis=3).reshape(-1, 3)
    rough = distances(np.ascontiguousarray(nodes)).reshape(count)
    fine = zoom(rough, (_COARSE * (count - 1) + 1) / count, order=1, grid_mode=False)
    off = 0.5 * np.sqrt(3.0) * coarse
    used = np.abs(fine) <= off + reach + 3.0 * _STEP
    values = fine - off
    values[used] = distances(np.ascontiguousarray(corner + _STEP * np.argwhere(used)))
    return values.astype(np.float32), corner, _STEP, box
