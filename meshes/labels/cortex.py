"""Find the middle of the grey matter in a label volume, where it may touch other tissues than white matter and CSF."""

import numpy as np
import numpy.typing as npt

from meshes.arrays import FloatArray
from meshes.checks import winding_numbers
from meshes.labels.mesh import IndexArray, LabelMesh
from meshes.labels.simplify import simplify
from meshes.spheres import CORTEX_DEPTH
from meshes.surface import Surface

__all__ = ["below_surface", "middle_of_grey"]

TissueArray = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]

_SMALLEST = 400
"""Pieces with fewer triangles before simplification are left out."""


def middle_of_grey(
    tissues: TissueArray,
    affine: FloatArray,
    mesh: LabelMesh,
    *,
    grey: int,
    white: int,
    within: BoolArray | None = None,
    triangles: int = 60_000,
) -> Surface:
    """Return the surface half-way between the white matter and what lies around the grey matter.

    Parameters
    ----------
    tissues : ndarray of uint8, shape (nx, ny, nz)
        Tissue of each voxel.
    affine : ndarray, shape (4, 4)
        Voxel indices to mm.
    mesh : LabelMesh
        The surfaces between these tissues.
    grey, white : int
        Numbers of the two tissues.
    within : ndarray of bool, shape (nx, ny, nz), optional
        Voxels of the cortex, where grey matter holds more than that; all grey matter by default.
    triangles : int, optional
        How many are wanted.

    Returns
    -------
    Surface
        Normals out of the brain; inside the grey matter, and open where that ends.

    Raises
    ------
    ValueError
        If nothing of it is inside the grey matter.

    Notes
    -----
    The zero level of (b - a) / (a + b), a being the distance from the white matter and b that from all else that is not
    grey, as Jones, Buchbinder and Aharon (Human Brain Mapping 11:12, 2000) do it with Laplace's equation. Where the two
    banks of a sulcus touch without a voxel of CSF, the surface bridges the sulcus.
    """
    import igl  # here, so that importing the package does not load it

    from meshes.midsurface import LONGEST_WAY  # loads SciPy

    is_grey = tissues == grey
    places = np.stack(np.nonzero(is_grey), axis=1)
    points = np.ascontiguousarray(places @ affine[:3, :3].T + affine[:3, 3])
    outer = [label for label in range(int(mesh.sides.max()) + 1) if label not in (grey, white)]
    distances = []
    for labels in ([white], outer):
        rows = np.isin(mesh.sides, labels).any(axis=1) & (mesh.sides == grey).any(axis=1)
        if not rows.any():
            raise ValueError("cortex must be given, as the grey matter does not lie between white matter and another.")
        side = mesh.surface(rows, "side")
        squared = igl.point_mesh_squared_distance(points, side.vertices, side.triangles.astype(np.int64))[0]
        distances.append(np.sqrt(squared))
    thickness = distances[0] + distances[1]
    field = np.where(tissues == white, 1.0, -1.0)
    field[is_grey] = (distances[1] - distances[0]) / np.maximum(thickness, 1e-9)
    thin = np.zeros(tissues.shape, dtype=np.bool_)
    thin[is_grey] = thickness < LONGEST_WAY
    found = _level(field, 0.0, affine)
    kept = _near(thin if within is None else thin & within, found.vertices, affine)
    kept &= winding_numbers(found.vertices, mesh.region([grey])) > 0.5
    found = _large_pieces(found, found.triangles[kept[found.triangles].all(axis=1)])
    if not len(found.triangles):
        raise ValueError("cortex must be given, as no middle of the grey matter was found. Pass cortex=... .")
    return _simplified(found, triangles)


def below_surface(inside: BoolArray, affine: FloatArray, *, triangles: int = 60_000) -> Surface:
    """Return the surface at the usual depth below that of a region, for heads without grey or white matter.

    Parameters
    ----------
    inside : ndarray of bool, shape (nx, ny, nz)
        Voxels of the region.
    affine : ndarray, shape (4, 4)
        Voxel indices to mm.
    triangles : int, optional
        How many are wanted.
    """
    from scipy.ndimage import distance_transform_edt, gaussian_filter

    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    depth = distance_transform_edt(inside, sampling=spacing) - distance_transform_edt(~inside, sampling=spacing)
    found = _level(gaussian_filter(depth, 1.0), CORTEX_DEPTH, affine)
    return _simplified(_large_pieces(found, found.triangles), triangles)


def _level(field: FloatArray, level: float, affine: FloatArray) -> Surface:
    """Return where a field on the voxels has some value, normals towards lower values."""
    # Here, because VTK takes half a second to load.
    import pyvista

    grid = pyvista.ImageData(dimensions=field.shape)
    grid.point_data["field"] = field.ravel(order="F")
    contour = grid.contour([level], scalars="field", method="flying_edges", compute_normals=False)
    points = np.asarray(contour.points, dtype=np.float64)
    triangles = np.asarray(contour.faces).reshape(-1, 4)[:, 1:].astype(np.int32)
    surface = Surface(points @ affine[:3, :3].T + affine[:3, 3], triangles, "cortex")
    if surface.volume < 0.0:
        surface = Surface(surface.vertices, triangles[:, ::-1], "cortex")
    return surface


def _near(mask: BoolArray, points: FloatArray, affine: FloatArray) -> BoolArray:
    """Tell which points lie in or beside a voxel of the mask."""
    from scipy.ndimage import binary_dilation

    index = np.rint((points - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T).astype(int)
    index = np.clip(index, 0, np.array(mask.shape) - 1)
    near: BoolArray = binary_dilation(mask)[tuple(index.T)]
    return near


def _large_pieces(surface: Surface, triangles: npt.NDArray[np.int32]) -> Surface:
    """Return some triangles of a surface without small pieces."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = np.concatenate([triangles[:, :2], triangles[:, 1:]])
    size = len(surface.vertices)
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(size, size))
    piece = connected_components(graph, directed=False)[1][triangles[:, 0]]
    large = np.bincount(piece)[piece] >= min(_SMALLEST, np.bincount(piece).max(initial=0))
    used, index = np.unique(triangles[large], return_inverse=True)
    return Surface(surface.vertices[used], index.reshape(-1, 3).astype(np.int32), "cortex")


def _simplified(surface: Surface, triangles: int) -> Surface:
    sides: IndexArray = np.tile(np.array([1, 0]), (len(surface.triangles), 1))
    mesh = simplify(LabelMesh(surface.vertices, surface.triangles.astype(np.int64), sides), triangles)
    return Surface(mesh.vertices, mesh.triangles.astype(np.int32), "cortex")
