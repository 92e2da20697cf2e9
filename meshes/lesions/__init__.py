"""Lesions: a stroke takes the place of grey and white matter, and the surfaces of the brain end on its wall."""

from meshes.lesions.lesion import LesionLike, insert_lesion, lesion_surface, refined_around
from meshes.lesions.shapes import ellipsoid, mask_surface, read_mask

__all__ = ["LesionLike", "ellipsoid", "insert_lesion", "lesion_surface", "mask_surface", "read_mask", "refined_around"]
