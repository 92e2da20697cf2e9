"""Turn what says where a lesion is, an ellipsoid or a mask volume, into a closed surface."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from meshes import arrays
from meshes.arrays import FloatArray
from meshes.surface import Surface

__all__ = ["ellipsoid", "mask_surface", "read_mask"]

_MEAN_EDGE = 0.69
"""Mean edge of manifold3d's level sets over the spacing of its grid; measured on spheres."""

_SMALLEST = 64.0
"""Pieces of a mask below this volume are left out (mm^3): specks of a segmentation."""

_LARGEST = 20_000_000
"""Most points of the grid on which a mask is traced."""

_HALVINGS = 10
"""Steps of the search for the level."""

Level = Callable[[float, float, float], float]


def ellipsoid(
    centre: npt.ArrayLike,
    radii: npt.ArrayLike,
    *,
    rotation: npt.ArrayLike | None = None,
    edge: float,
    name: str = "lesion",
) -> Surface:
    """Return a sphere or an ellipsoid whose triangles enclose its exact volume.

    Parameters
    ----------
    centre : array_like, shape (3,)
        Centre (mm).
    radii : float or array_like, shape (3,)
        Radius of a sphere, or half the length of each axis (mm).
    rotation : array_like, shape (3, 3), optional
        Columns are the directions of the axes; x, y, z of the head by default.
    edge : float
        Mean edge of the triangles (mm).
    name : str, optional
        Name of the surface.

    Returns
    -------
    Surface
        Closed, outward.

    Raises
    ------
    ValueError
        If a radius or the edge is not positive, the edge is longer than half of the smallest radius or shorter than a
        hundredth of the largest, or the rotation is none.

    Examples
    --------
    >>> ball = ellipsoid((0, 0, 0), 10.0, edge=2.0)
    >>> round(ball.volume / (4.0 / 3.0 * np.pi * 1000.0), 6)
    1.0
    """
    middle = arrays.vector(centre, "centre")
    if np.ndim(radii) == 0:
        axes = np.full(3, arrays.positive(radii, "radius"))  # type: ignore[arg-type]  # `positive` tells what is no number
    else:
        axes = np.array([arrays.positive(value, "radii") for value in arrays.vector(radii, "radii")])
    turn = np.eye(3) if rotation is None else _rotation(rotation)
    edge = arrays.positive(edge, "edge")
    if not axes.max() / 100.0 <= edge <= axes.min() / 2.0:
        raise ValueError(
            f"edge must be {axes.max() / 100.0:g} to {axes.min() / 2.0:g} mm, a hundredth of the largest radius to "
            f"half of the smallest; got {edge:g}."
        )

    smallest = float(axes.min())
    a, b, c = (float(axis) for axis in axes)

    def level(x: float, y: float, z: float) -> float:
        return smallest * (1.0 - float(np.sqrt((x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2)))

    surface = _level_set(level, -axes, axes, edge, name)
    # On the ellipsoid, then out a little: the corners of flat triangles must lie outside for the volume to be right.
    local = surface.vertices / np.linalg.norm(surface.vertices / axes, axis=1, keepdims=True)
    exact = Surface(local, surface.triangles, name)
    local = local * (4.0 / 3.0 * np.pi * float(axes.prod()) / exact.volume) ** (1.0 / 3.0)
    return Surface(local @ turn.T + middle, surface.triangles, name)


def _rotation(value: npt.ArrayLike) -> FloatArray:
    matrix = np.asarray(value, dtype=np.float64)
    if (
        matrix.shape != (3, 3)
        or not np.allclose(matrix @ matrix.T, np.eye(3), atol=1e-6)
        or np.linalg.det(matrix) < 0.0
    ):
        raise ValueError(
            "rotation must be a right-handed rotation matrix of shape (3, 3), whose columns are the axes; got "
            f"{np.array2string(matrix, precision=3).replace(chr(10), '')}."
        )
    return matrix


def _level_set(level: Level, low: FloatArray, high: FloatArray, edge: float, name: str) -> Surface:
    """Return the surface on which a function that is positive inside is zero.

    Notes
    -----
    Marching tetrahedra on a body-centred cubic grid whose points snap to the surface, so that no triangle is thin
    (manifold3d).
    """
    from manifold3d import Manifold  # here, because few uses of the package need it

    spacing = edge / _MEAN_EDGE
    # Off the symmetry of what is round: else whole rings of points snap at once, and edges vary by a third.
    shift = np.array([0.37, 0.21, 0.13]) * spacing
    low, high = low - 2.0 * spacing + shift, high + 2.0 * spacing + shift
    mesh = Manifold.level_set(level, [*low.tolist(), *high.tolist()], spacing).to_mesh64()
    return Surface(np.asarray(mesh.vert_properties)[:, :3], np.asarray(mesh.tri_verts).astype(np.int32), name)


def read_mask(path: str | os.PathLike[str]) -> tuple[npt.NDArray[np.generic], FloatArray]:
    """Return the values and the affine map (voxels to mm) of a NIfTI or other image that nibabel reads.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no image.
    """
    import nibabel as nib

    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"path must be a mask volume; got {file}, which is no file.")
    try:
        image: Any = nib.load(file)
        return np.asarray(image.dataobj), np.asarray(image.affine, dtype=np.float64)
    except Exception as problem:  # nibabel raises what its parts raise: zlib, OSError, its own
        raise ValueError(
            f"path must be a mask volume that nibabel reads, for example .nii.gz; got {file.name}: {problem}"
        ) from None


def mask_surface(
    values: npt.ArrayLike,
    affine: npt.ArrayLike,
    *,
    edge: float,
    threshold: float = 0.5,
    smooth: float | None = None,
    name: str = "lesion",
) -> Surface:
    """Return the smoothed boundary of a mask, which encloses the mask's volume.

    Parameters
    ----------
    values : array_like, shape (nx, ny, nz)
        Mask, or probability.
    affine : array_like, shape (4, 4)
        From voxels to mm of the head's space.
    edge : float
        Mean edge of the triangles (mm).
    threshold : float, optional
        Voxels above it belong to the mask.
    smooth : float, optional
        Standard deviation of the Gaussian that the mask is smoothed with (mm); by default the mean size of a voxel.
    name : str, optional
        Name of the surface.

    Returns
    -------
    Surface
        Closed, outward; of several pieces if the mask has several. Pieces below 64 mm^3 are left out.

    Raises
    ------
    ValueError
        If the mask is empty or has no piece large enough, has not three axes, holds NaN, or the affine map is singular.

    Notes
    -----
    The surface is a level of the smoothed mask. Half the maximum would shrink whatever is round: the level is taken
    at which as much is inside as voxels are in the mask.

    Examples
    --------
    >>> grid = np.indices((30, 30, 30)).transpose(1, 2, 3, 0) - 14.5
    >>> ball = mask_surface(np.linalg.norm(grid, axis=3) < 9.0, np.eye(4), edge=1.5)
    >>> ball.is_closed, bool(abs(ball.volume / (4.0 / 3.0 * np.pi * 9.0**3) - 1.0) < 0.03)
    (True, True)
    """
    from scipy import ndimage

    matrix = _affine(affine)
    mask = _mask(values, threshold)
    edge = arrays.positive(edge, "edge")
    size = np.linalg.norm(matrix[:3, :3], axis=0)
    voxel = abs(float(np.linalg.det(matrix[:3, :3])))
    width = float(size.mean()) if smooth is None else arrays.non_negative(smooth, "smooth")
    mask = _large_pieces(mask, voxel)
    # Cropped with room for the smoothing and the grid, so that a lesion at the volume's edge is closed there.
    room = [int(np.ceil((4.0 * width + 4.0 * edge) / step)) + 2 for step in size]
    corner = np.array([piece.start for piece in ndimage.find_objects(mask.astype(np.int8))[0]])
    cropped = np.pad(mask[ndimage.find_objects(mask.astype(np.int8))[0]], [(count, count) for count in room])
    origin = matrix[:3, 3] + matrix[:3, :3] @ (corner - np.array(room))
    field = ndimage.gaussian_filter(cropped.astype(np.float64), width / size)
    grid = _sampled(field, matrix[:3, :3], origin, 0.5 * edge)
    return _of_volume(grid, voxel * float(mask.sum()), edge, name)


def _affine(affine: npt.ArrayLike) -> FloatArray:
    matrix = np.asarray(affine, dtype=np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:3, :3])) < 1e-9:
        raise ValueError(f"affine must be an invertible matrix of shape (4, 4), voxels to mm; got {affine!r}.")
    return matrix


def _mask(values: npt.ArrayLike, threshold: float) -> npt.NDArray[np.bool_]:
    array = np.asarray(values)
    if array.ndim == 4 and array.shape[3] == 1:
        array = array[..., 0]
    if array.ndim != 3:
        raise ValueError(f"mask must have three axes; got shape {array.shape}. Take one volume of a series.")
    if array.dtype.kind not in "buif" or not np.isfinite(array).all():
        raise ValueError(f"mask must be finite numbers; got {array.dtype} with NaN, infinity or no numbers.")
    mask: npt.NDArray[np.bool_] = array > threshold
    if not mask.any():
        raise ValueError(
            f"mask must have voxels above the threshold; got none above {threshold:g}, values {float(array.min()):g} "
            f"to {float(array.max()):g}."
        )
    if mask.all():
        raise ValueError(
            f"mask must have voxels outside the lesion; got all {mask.size} above the threshold of {threshold:g}."
        )
    return mask


def _large_pieces(mask: npt.NDArray[np.bool_], voxel: float) -> npt.NDArray[np.bool_]:
    """Return the mask without pieces (joined by faces, edges or corners) that are too small."""
    from scipy import ndimage

    label, _ = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    volumes = voxel * np.bincount(label.ravel())
    kept = np.flatnonzero(volumes >= _SMALLEST)
    kept = kept[kept > 0]
    if not len(kept):
        raise ValueError(
            f"mask must have a piece of at least {_SMALLEST:g} mm3; got {volumes[1:].max():.3g} mm3 at most. Check the "
            "affine map: it leads from voxels to mm."
        )
    return np.isin(label, kept)


class _Grid(NamedTuple):
    """Values on a cubic grid along the head's axes: its first point (mm), its step (mm), and its shape."""

    values: FloatArray
    low: FloatArray
    step: float

    @property
    def high(self) -> FloatArray:
        """The last point (mm)."""
        high: FloatArray = self.low + self.step * (np.array(self.values.shape) - 1)
        return high

    def above(self, height: float) -> Level:
        """Return the function that interpolates between the grid's points, less a height."""
        nx, ny, nz = self.values.shape
        x0, y0, z0 = (float(number) for number in self.low)
        step = self.step
        flat: list[float] = (self.values - height).ravel().tolist()

        def level(x: float, y: float, z: float) -> float:
            """Interpolate between the eight points around; plain numbers are faster here than arrays."""
            x, y, z = (x - x0) / step, (y - y0) / step, (z - z0) / step
            if x < 0.0 or y < 0.0 or z < 0.0 or x >= nx - 1 or y >= ny - 1 or z >= nz - 1:
                return -height
            i, j, k = int(x), int(y), int(z)
            x, y, z = x - i, y - j, z - k
            a = (i * ny + j) * nz + k
            b, c = a + nz, a + ny * nz
            d = c + nz
            near = (flat[a] * (1.0 - z) + flat[a + 1] * z) * (1.0 - y) + (flat[b] * (1.0 - z) + flat[b + 1] * z) * y
            far = (flat[c] * (1.0 - z) + flat[c + 1] * z) * (1.0 - y) + (flat[d] * (1.0 - z) + flat[d + 1] * z) * y
            value: float = near * (1.0 - x) + far * x
            return value

        return level


def _sampled(field: FloatArray, linear: FloatArray, origin: FloatArray, step: float) -> _Grid:
    """Return a field on voxels, which lie at linear @ index + origin (mm), on a grid along the head's axes."""
    from scipy import ndimage

    corners = np.stack(np.meshgrid(*[(0, count - 1) for count in field.shape], indexing="ij"), axis=3).reshape(-1, 3)
    box = corners @ linear.T + origin
    low, high = box.min(axis=0), box.max(axis=0)
    shape = np.ceil((high - low) / step).astype(int) + 1
    if int(shape.prod()) > _LARGEST:
        extent = " x ".join(f"{length:.0f}" for length in high - low)
        raise ValueError(
            f"edge must be larger for a mask of {extent} mm; got {2.0 * step:g} mm, which needs {int(shape.prod()):,} "
            "points."
        )
    inverse = np.linalg.inv(linear)
    values = ndimage.affine_transform(
        field, inverse * step, offset=inverse @ (low - origin), output_shape=tuple(shape), order=1
    )
    return _Grid(np.asarray(values, dtype=np.float64), low, step)


def _of_volume(grid: _Grid, volume: float, edge: float, name: str) -> Surface:
    """Return the level of a grid's values that encloses a volume (mm^3), to half a per cent, by bisection."""
    low, high = 0.02, 0.98  # of the mask, which is 0 outside and 1 inside
    for _ in range(_HALVINGS):
        height = 0.5 * (low + high)
        surface = _level_set(grid.above(height), grid.low, grid.high, edge, name)
        if abs(surface.volume / volume - 1.0) < 0.005:
            break
        low, high = (height, high) if surface.volume > volume else (low, height)
    return surface
