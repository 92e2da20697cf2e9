"""Geometry and heads: surfaces, poses, tissues, named heads, anatomy. No coils, no physics; positions in mm."""

from meshes.files import read_head, read_msh, read_surface, write_surface
from meshes.head import HeadModel, Interface
from meshes.heads import CONDUCTIVITIES, head_resolutions, list_heads, load_head
from meshes.landmarks import positions_10_10
from meshes.pose import Pose
from meshes.scalp import closest_points, scalp_point, scalp_points
from meshes.spheres import icosphere, sphere_head
from meshes.surface import Surface
from meshes.tissues import TISSUES, Tissue

__all__ = [
    "CONDUCTIVITIES",
    "TISSUES",
    "HeadModel",
    "Interface",
    "Pose",
    "Surface",
    "Tissue",
    "closest_points",
    "head_resolutions",
    "icosphere",
    "list_heads",
    "load_head",
    "positions_10_10",
    "read_head",
    "read_msh",
    "read_surface",
    "scalp_point",
    "scalp_points",
    "sphere_head",
    "write_surface",
]
