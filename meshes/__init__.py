"""Geometry and heads: surfaces, poses, tissues, named heads, anatomy. No coils, no physics; positions in mm."""

from meshes.anatomy.distances import distance_map, layer_crossings
from meshes.anatomy.fitting import estimate_mni_affine
from meshes.anatomy.labels import transfer_regions
from meshes.anatomy.mni import MniAffine, mni_transform
from meshes.anatomy.mni_files import read_mni_transform
from meshes.anatomy.sulci import central_sulcus
from meshes.anatomy.walls import wall_around
from meshes.anatomy.warps import MniWarp
from meshes.conductivities import head_tissues, with_conductivities
from meshes.files import read_annotation, read_head, read_msh, read_surface, write_head, write_surface
from meshes.files.imported import import_head, imported_heads
from meshes.head import HeadModel, Interface
from meshes.heads import CONDUCTIVITIES, head_resolutions, list_heads, load_head
from meshes.labels import LABEL_TABLES, read_labels
from meshes.landmarks import positions_10_10
from meshes.pose import Pose
from meshes.repair import RepairResult, repair
from meshes.report import HeadReport, inspect
from meshes.scalp import closest_points, scalp_point, scalp_points
from meshes.spheres import icosphere, sphere_head
from meshes.surface import Surface
from meshes.tissues import CONDUCTIVITY_TABLES, TISSUES, ConductivityTable, Tissue

__all__ = [
    "CONDUCTIVITIES",
    "CONDUCTIVITY_TABLES",
    "LABEL_TABLES",
    "TISSUES",
    "ConductivityTable",
    "HeadModel",
    "HeadReport",
    "Interface",
    "MniAffine",
    "MniWarp",
    "Pose",
    "RepairResult",
    "Surface",
    "Tissue",
    "central_sulcus",
    "closest_points",
    "distance_map",
    "estimate_mni_affine",
    "head_resolutions",
    "head_tissues",
    "icosphere",
    "import_head",
    "imported_heads",
    "inspect",
    "layer_crossings",
    "list_heads",
    "load_head",
    "mni_transform",
    "positions_10_10",
    "read_annotation",
    "read_head",
    "read_labels",
    "read_mni_transform",
    "read_msh",
    "read_surface",
    "repair",
    "scalp_point",
    "scalp_points",
    "sphere_head",
    "transfer_regions",
    "wall_around",
    "with_conductivities",
    "write_head",
    "write_surface",
]
