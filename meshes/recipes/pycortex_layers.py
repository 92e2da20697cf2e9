"""Make scalp, skull, cerebellum and ventricles of the pycortex head from its T1 and samseg's labels.

Each body is a field on the voxel grid, negative inside: smoothed distances to the rims of masks, and exact distances to
the pial surfaces, combined by rounded minima and maxima so that no step arises where one takes over from the other.
"""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from meshes.arrays import FloatArray
from meshes.recipes.clearances import signed_depth
from meshes.recipes.layers import (
    BoolArray,
    Field,
    Grid,
    closed,
    largest_piece,
    opened,
    outside_distance,
    rounded_maximum,
    signed_distance,
    smoothed,
)
from meshes.surface import Surface

__all__ = ["Volumes", "head_fields", "head_mask", "ventricle_field", "volumes"]

Labels = npt.NDArray[np.int32]

# FreeSurfer's numbers (FreeSurferColorLUT): unknown, skull, other head tissue, fluid inside the eyes, vessels.
OUTSIDE_BRAINCASE = (0, 165, 258, 259, 30, 62)
SKULL = 165
WHITE = (2, 41)
# Cerebellar cortex and white matter, brain stem and the fourth ventricle between them.
CEREBELLUM = (7, 8, 46, 47, 16, 15)
# Lateral ventricle with its choroid plexus.
VENTRICLE = {"lh": (4, 31), "rh": (43, 63)}

# Least thickness of fluid, bone and scalp (mm); largest of bone, which in the face ends in holes and thin plates (mm).
FLUID, BONE, SCALP, LARGEST_BONE, LARGEST_AT_BASE = 1.2, 2.5, 2.5, 12.0, 7.0
# Above this height bone is calvaria, below that one skull base (mm, scanner RAS of this subject).
CALVARIA, BASE = 20.0, -10.0
# Compact bone is darker than so much of white matter.
DARK = 0.58
# The white matter around a ventricle is at least so thick, and the fluid between cerebellum and pia (mm).
WALL, TENTORIUM = 0.8, 0.8
# The scalp is closed so far above the lowest slice, with an edge rounded over so many mm.
ABOVE_FLOOR, ROUNDING = 6.0, 30.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Volumes:
    """T1 and labels on one grid along the axes of the head.

    Parameters
    ----------
    t1 : ndarray of float32
        Intensities.
    labels : ndarray of int32
        FreeSurfer's numbers.
    grid : Grid
        Where the voxels' centres are.
    """

    t1: Field
    labels: Labels
    grid: Grid


def volumes(t1: FloatArray, affine: FloatArray, labels: Labels) -> Volumes:
    """Return T1 and labels turned along the axes (RAS) and cut to what is around the head.

    Parameters
    ----------
    t1, labels : ndarray, shape (nx, ny, nz)
        Voxel for voxel.
    affine : ndarray, shape (4, 4)
        From voxels to mm; cubic voxels, along the axes of the head in any order.

    Raises
    ------
    ValueError
        If the shapes differ or the voxels are not cubic and along the axes.
    """
    import nibabel

    if t1.shape != labels.shape:
        raise ValueError(f"labels must have the shape of the T1, {t1.shape}; got {labels.shape}.")
    nib: Any = nibabel  # parts of it have no type information
    image, other = (nib.as_closest_canonical(nib.Nifti1Image(a, affine)) for a in (t1.astype(np.float32), labels))
    spacing = float(image.affine[0, 0])
    if not np.allclose(image.affine[:3, :3], spacing * np.eye(3), rtol=0, atol=1e-3 * spacing):
        raise ValueError(f"affine must have cubic voxels along the axes; got {affine[:3, :3].tolist()}.")
    intensity = np.asarray(image.dataobj)
    head = head_mask(intensity, spacing)
    margin = int(np.ceil(12.0 / spacing))
    cut, origin = [], image.affine[:3, 3].copy()
    for axis in range(3):
        used = np.flatnonzero(head.any(axis=tuple(k for k in range(3) if k != axis)))
        first, last = max(int(used[0]) - margin, 0), min(int(used[-1]) + margin + 1, head.shape[axis])
        cut.append(slice(first, last))
        origin[axis] += spacing * first
    part = tuple(cut)
    shape = head[part].shape
    grid = Grid(origin, (shape[0], shape[1], shape[2]), spacing)
    return Volumes(np.ascontiguousarray(intensity[part]), np.ascontiguousarray(other.dataobj, np.int32)[part], grid)


def head_mask(t1: Field, spacing: float) -> BoolArray:
    """Return the mask of the head: brighter than a fifth of the brain's intensity, clefts and hollows filled.

    Nostrils, mouth and ear canals are filled: a ball of 6 mm does not get in.
    """
    grid = Grid(np.zeros(3), (t1.shape[0], t1.shape[1], t1.shape[2]), spacing)
    bright = t1 > 0.2 * np.percentile(t1[t1 > t1.mean()], 75)
    body = largest_piece(opened(largest_piece(bright), 1.5, grid))
    # Mirrored below the lowest slice, where the neck goes on, so that it is neither open nor rounded off there.
    depth = int(np.ceil(12.0 / spacing))
    longer = np.pad(body, ((depth, depth), (depth, depth), (depth, depth)))
    longer[:, :, :depth] = longer[:, :, depth : 2 * depth][:, :, ::-1]
    longer[:, :, 0] = ndimage.binary_fill_holes(longer[:, :, 0])
    filled = closed(longer, 6.0, grid)
    # Near the lowest slice the signal fades towards the chin: rounder there, and the mouth is closed.
    low = min(depth + int(50.0 / spacing), longer.shape[2])
    part = closed(filled, 18.0, grid)[:, :, :low] | filled[:, :, :low]
    for axis in (2, 0):
        for plane in np.moveaxis(part, axis, 0):
            plane |= ndimage.binary_fill_holes(plane)
    filled[:, :, :low] = part
    return filled[depth:-depth, depth:-depth, depth:-depth]


def head_fields(data: Volumes, pial: dict[str, Surface]) -> dict[str, Field]:
    """Return the fields of scalp, outer skull, inner skull and cerebellum, negative inside (mm)."""
    grid = data.grid
    log.info("distances to the pial surfaces")
    to_pial = np.minimum(*(outside_distance(pial[side], grid, reach=6.0) for side in ("lh", "rh")))
    cerebellum = _cerebellum(data, to_pial)
    to_brain = np.minimum(to_pial, cerebellum)
    log.info("inner skull, outer skull, scalp")
    inner = _inner_skull(data, to_brain)
    skin = _skin(data)
    outer = _outer_skull(data, inner, skin)
    scalp = -rounded_maximum(-skin, np.float32(SCALP) - outer, 3.0)
    return {"scalp": scalp, "outer_skull": outer, "inner_skull": inner, "cerebellum": cerebellum}


def _cerebellum(data: Volumes, to_pial: Field) -> Field:
    """Return the field of cerebellum and brain stem, kept clear of the pial surfaces."""
    body = largest_piece(opened(np.isin(data.labels, CEREBELLUM), 2.0, data.grid))
    field = signed_distance(closed(body, 2.0, data.grid), data.grid, smoothing=1.0)
    return rounded_maximum(field, np.float32(TENTORIUM) - to_pial, 1.0)


def _inner_skull(data: Volumes, to_brain: Field) -> Field:
    """Return the field of what the skull encloses: samseg's, and all that is within `FLUID` of the brain."""
    grid = data.grid
    body = ~np.isin(data.labels, OUTSIDE_BRAINCASE)
    # Opened: what leaves the braincase along nerves and vessels. Closed: what vessels cut out of it.
    body = closed(largest_piece(opened(body, 4.0, grid)), 8.0, grid)
    field = signed_distance(body, grid, smoothing=2.0)
    # The hull of the brain: a ball of 10 mm rolled over it does not get into the sulci.
    hull = signed_distance(closed(to_brain < FLUID, 10.0, grid), grid, smoothing=1.0)
    field = smoothed(-rounded_maximum(-field, -hull, 3.0), grid, 1.0)
    return -rounded_maximum(-field, np.float32(FLUID) - to_brain, 1.0)


def _skin(data: Volumes) -> Field:
    """Return the field of the head in the T1, closed with a rounded edge above the lowest slice."""
    grid = data.grid
    field = signed_distance(head_mask(data.t1, grid.spacing), grid, smoothing=1.5)
    height = grid.spacing * np.arange(grid.shape[2], dtype=np.float32)
    floor = np.broadcast_to(np.float32(ABOVE_FLOOR) - height, grid.shape)
    return rounded_maximum(field, floor, ROUNDING)


def _outer_skull(data: Volumes, inner: Field, skin: Field) -> Field:
    """Return the field of the bone and what it encloses, between its least and largest thickness, inside the skin."""
    grid = data.grid
    # Closed: the marrow between the two tables of the calvaria, and the gaps that sutures leave in them.
    body = closed(_bone(data, inner, skin) | (inner < 1.0), 9.0, grid)
    field = signed_distance(largest_piece(opened(body, 5.0, grid)), grid, smoothing=2.0)
    height = grid.origin[2] + grid.spacing * np.arange(grid.shape[2])
    largest = np.interp(height, (BASE, CALVARIA), (LARGEST_AT_BASE, LARGEST_BONE)).astype(np.float32)
    field = rounded_maximum(field, inner - largest, 6.0)
    field = rounded_maximum(field, skin + np.float32(SCALP), 3.0)
    field = smoothed(field, grid, 1.5)
    return -rounded_maximum(-field, np.float32(BONE) - inner, 2.0)


def _bone(data: Volumes, inner: Field, skin: Field) -> BoolArray:
    """Return the mask of compact bone: samseg's, and in the calvaria all that is as dark.

    Marrow is as bright in a T1 as the scalp, and samseg takes it for such, and often with it the outer table: in
    places its skull ends at the inner table, with a step. The outer table is dark (less than 0.58 of white matter where
    it is thin and shares its voxels with marrow), and in large pieces, unlike vessels and fasciae of the scalp.
    """
    white = float(np.median(data.t1[np.isin(data.labels, WHITE)]))
    height = data.grid.origin[2] + data.grid.spacing * np.arange(data.grid.shape[2])
    dark = (smoothed(data.t1, data.grid, 0.5) < DARK * white) & (height > CALVARIA)
    dark &= (inner > 0.0) & (inner < LARGEST_BONE + 2.0) & (skin < -2.0 * SCALP)
    bone = dark | ((data.labels == SKULL) & (inner < LARGEST_BONE + 3.0))
    pieces, _ = ndimage.label(bone, np.ones((3, 3, 3)))
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    large: BoolArray = (sizes * data.grid.spacing**3 >= 300.0)[pieces]
    return large


def ventricle_field(data: Volumes, white: Surface, side: str) -> Field:
    """Return the field of a lateral ventricle, at least `WALL` inside the white surface."""
    grid = data.grid
    body = largest_piece(opened(np.isin(data.labels, VENTRICLE[side]), 0.9, grid))
    field = signed_distance(closed(body, 2.0, grid), grid, smoothing=0.7)
    near = field < 3.0
    depth, _, _ = signed_depth(grid.points(near), white, np.inf)
    field[near] = rounded_maximum(field[near], np.float32(WALL) - depth.astype(np.float32), 0.5)
    return field
