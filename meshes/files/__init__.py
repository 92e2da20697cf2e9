"""Files of heads and surfaces: Gmsh, SimNIBS folders, lists of surfaces; STL, PLY, OFF, VTP, GIFTI, FreeSurfer, npz."""

from meshes.files.annotations import read_annotation
from meshes.files.archive import write_head
from meshes.files.gmsh import TetrahedralMesh, read_msh
from meshes.files.heads import read_head
from meshes.files.surfaces import read_surface, write_surface

__all__ = [
    "TetrahedralMesh",
    "read_annotation",
    "read_head",
    "read_msh",
    "read_surface",
    "write_head",
    "write_surface",
]
