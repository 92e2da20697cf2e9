"""Map points by coordinate fields: images that hold at each voxel where it lies in the other space."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from meshes import arrays
from meshes.anatomy.mni import MniAffine, apply_affine, check_affine, inverse_affine
from meshes.arrays import FloatArray

__all__ = ["CoordinateField", "MniWarp"]

# Voxels along each axis by which the affine part of a field is fitted.
_SAMPLES = 24
# Newton's steps to invert a field, and what is near enough (mm).
_STEPS = 40
_NEAR = 1e-4


@dataclass(frozen=True, eq=False)
class CoordinateField:
    """A map of points given on a grid, linear between the voxels.

    Parameters
    ----------
    values : array_like, shape (nx, ny, nz, 3)
        Where each voxel's centre goes (mm); NaN where that is not known. float32 is kept as it is.
    affine : array_like, shape (4, 4)
        From voxel indices to the space in which points are given (mm); it may mirror, as images do.
    name : str, optional
        Name in messages.

    Raises
    ------
    ValueError
        If a shape is another, the affine is singular, or the map is none between two heads: the best affine map to it
        mirrors, or stretches by less than 0.4 or more than 2.5, as displacements and metres do.
    """

    values: npt.NDArray[np.float32] | FloatArray
    affine: FloatArray
    name: str = "field"
    _to_voxel: FloatArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        values = np.asarray(self.values)
        if values.ndim != 4 or values.shape[3] != 3 or min(values.shape[:3]) < 2:
            raise ValueError(
                f"values of {self.name} must have the shape (nx, ny, nz, 3), two voxels or more along each axis; got "
                f"shape {values.shape}."
            )
        if values.dtype not in (np.float32, np.float64):
            values = values.astype(np.float64)
        affine = np.array(self.affine, dtype=np.float64)
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise ValueError(f"affine of {self.name} must be a finite matrix of shape (4, 4); got {affine.tolist()}.")
        size = np.linalg.svd(affine[:3, :3])[1]
        if size[-1] < 1e-6 * max(float(size[0]), 1e-6):
            raise ValueError(f"affine of {self.name} must be invertible; got voxels of {size.tolist()} mm.")
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "affine", affine)
        object.__setattr__(self, "_to_voxel", inverse_affine(affine))
        check_affine(self.affine_part, f"affine part of {self.name}")

    @cached_property
    def affine_part(self) -> FloatArray:
        """Return the affine map nearest to the field, by least squares, ndarray, shape (4, 4)."""
        steps = tuple(slice(None, None, max(1, count // _SAMPLES)) for count in self.values.shape[:3])
        index = np.stack(np.meshgrid(*(np.arange(n)[s] for n, s in zip(self.values.shape, steps, strict=False)),
                                     indexing="ij"), axis=-1).reshape(-1, 3)  # fmt: skip
        there = self.values[steps].reshape(-1, 3).astype(np.float64)
        known = np.isfinite(there).all(axis=1)
        if known.sum() < 12:
            raise ValueError(f"values of {self.name} must be finite where the head is; got hardly any that are.")
        here = apply_affine(self.affine, index[known].astype(np.float64))
        twelve = np.linalg.lstsq(np.column_stack([here, np.ones(len(here))]), there[known], rcond=None)[0]
        return np.vstack([twelve.T, [0.0, 0.0, 0.0, 1.0]])

    def at(self, points: FloatArray) -> FloatArray:
        """Return where points, shape (n, 3), go (mm); NaN for those outside the grid."""
        from scipy.ndimage import map_coordinates  # here, so that importing the package loads no SciPy

        voxels = apply_affine(self._to_voxel, points)
        # Rounding must not put the grid's own border outside.
        edge = np.array(self.values.shape[:3]) - 1.0
        within = np.where((voxels >= -1e-6) & (voxels <= edge + 1e-6), np.clip(voxels, 0.0, edge), -1.0)
        moved = np.empty_like(points)
        for axis in range(3):
            map_coordinates(
                self.values[..., axis], within.T, output=moved[:, axis], order=1, mode="constant", cval=np.nan
            )
        moved[(within < 0.0).any(axis=1)] = np.nan
        return moved

    def back(self, points: FloatArray) -> FloatArray:
        """Return what goes to points, shape (n, 3) (mm), by Newton's method; NaN where nothing in the grid does."""
        start = inverse_affine(self.affine_part)
        found = apply_affine(start, points)
        slope = np.broadcast_to(start[:3, :3], (len(points), 3, 3))
        half = 0.5 * float(np.linalg.norm(self.affine[:3, :3], axis=0).min())
        miss = self.at(found) - points
        for _ in range(_STEPS):
            far = np.linalg.norm(miss, axis=1)
            rows = np.flatnonzero(far > _NEAR)  # NaN is not: who leaves the grid stays out
            if not len(rows):
                break
            sides = [self.at(found[rows] + half * way) - self.at(found[rows] - half * way) for way in np.eye(3)]
            jacobian = np.stack(sides, axis=2) / (2.0 * half)
            good = np.asarray(np.isfinite(jacobian).all(axis=(1, 2)))
            good &= np.abs(np.linalg.det(np.where(good[:, None, None], jacobian, np.eye(3)))) > 1e-3
            inverse = np.linalg.inv(np.where(good[:, None, None], jacobian, np.eye(3)))
            step = np.einsum("nij,nj->ni", np.where(good[:, None, None], inverse, slope[rows]), miss[rows])
            self._descend(points, found, miss, rows, step)
        found[~(np.linalg.norm(miss, axis=1) <= 10.0 * _NEAR)] = np.nan
        return found

    def _descend(
        self, points: FloatArray, found: FloatArray, miss: FloatArray, rows: npt.NDArray[np.intp], step: FloatArray
    ) -> None:
        """Move `found` by a step, halved while it would lead further away or out of the grid; update `miss`."""
        share = np.ones(len(rows))
        before = np.linalg.norm(miss[rows], axis=1)
        for _ in range(6):
            tried = found[rows] - share[:, None] * step
            left = self.at(tried) - points[rows]
            worse = ~(np.linalg.norm(left, axis=1) < before)
            if not worse.any():
                break
            share[worse] *= 0.5
        keep = np.isfinite(left).all(axis=1)
        found[rows[keep]], miss[rows[keep]] = tried[keep], left[keep]

    def describe_outside(self, points: FloatArray, outside: npt.NDArray[np.bool_]) -> str:
        """Return how many of some points the field does not know, and the first of them, for a message."""
        first = points[outside][0].round(1).tolist()
        return f"{int(outside.sum())} of {len(points)} points outside {self.name}, first at {first} mm"


@dataclass(frozen=True, eq=False)
class MniWarp:
    """A map between a head and MNI152 space by coordinate fields, such as SimNIBS'.

    Parameters
    ----------
    forward : CoordinateField or None
        On a grid in the head, with MNI152 coordinates (SimNIBS: Conform2MNI_nonl.nii.gz).
    backward : CoordinateField or None
        On a grid in MNI152, with coordinates in the head (SimNIBS: MNI2Conform_nonl.nii.gz). Where one of the two is
        missing, the other is inverted by Newton's method, to 0.001 mm.
    source : str
        Where the map comes from, a sentence for reports.
    outside : {"error", "affine"}, optional
        What to do with points that the fields do not cover: raise `ValueError`, or map them by the affine map nearest
        to the field, with a warning.

    Raises
    ------
    ValueError
        If both fields are missing, or `outside` is something else.
    """

    forward: CoordinateField | None
    backward: CoordinateField | None
    source: str
    outside: Literal["error", "affine"] = "error"

    def __post_init__(self) -> None:
        if self.forward is None and self.backward is None:
            raise ValueError("forward or backward must be a CoordinateField; got None for both.")
        arrays.choice(self.outside, "outside", ("error", "affine"))

    def to_mni(self, points: npt.ArrayLike) -> FloatArray:
        """Return points of the head, shape (n, 3), in MNI152 space (mm)."""
        return self._map(arrays.vectors(points, "points"), self.forward, self.backward)

    def from_mni(self, points: npt.ArrayLike) -> FloatArray:
        """Return points of MNI152 space, shape (n, 3), in the head (mm)."""
        return self._map(arrays.vectors(points, "points"), self.backward, self.forward)

    def round_trip(self, points: npt.ArrayLike) -> FloatArray:
        """Return how far points of the head come back from themselves by MNI152 space, ndarray, shape (n,) (mm)."""
        rows = arrays.vectors(points, "points")
        return np.asarray(np.linalg.norm(self.from_mni(self.to_mni(rows)) - rows, axis=1))

    @property
    def affine(self) -> MniAffine:
        """The affine map nearest to the fields."""
        if self.forward is not None:
            return MniAffine(self.forward.affine_part, f"affine part of: {self.source}")
        assert self.backward is not None  # one of the two is there, as __post_init__ makes sure of
        return MniAffine(inverse_affine(self.backward.affine_part), f"affine part of: {self.source}")

    def _map(self, points: FloatArray, there: CoordinateField | None, back: CoordinateField | None) -> FloatArray:
        used = there or back
        assert used is not None  # as above
        moved = there.at(points) if there is not None else used.back(points)
        lost = np.asarray(~np.isfinite(moved).all(axis=1))
        if not lost.any():
            return moved
        what = used.describe_outside(points, lost)
        if self.outside == "error":
            raise ValueError(
                f"points must lie where the field is known; got {what}. Check that they are in mm and in the right "
                'space, or read the map with outside="affine".'
            )
        matrix = there.affine_part if there is not None else inverse_affine(used.affine_part)
        gap = np.linalg.norm(moved[~lost] - apply_affine(matrix, points[~lost]), axis=1)
        warnings.warn(
            f"{what}: mapped by the affine map nearest to it"
            + (f", which the others leave by up to {gap.max():.1f} mm." if len(gap) else "."),
            stacklevel=3,
        )
        moved[lost] = apply_affine(matrix, points[lost])
        return moved
