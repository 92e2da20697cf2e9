"""Geometry and heads: surfaces, poses, tissues, named heads, anatomy. No coils, no physics; positions in mm."""

from meshes.head import HeadModel, Interface
from meshes.pose import Pose
from meshes.spheres import icosphere, sphere_head
from meshes.surface import Surface

__all__ = ["HeadModel", "Interface", "Pose", "Surface", "icosphere", "sphere_head"]
