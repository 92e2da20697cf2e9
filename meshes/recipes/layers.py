"""Turn voxel masks into smooth closed surfaces: signed distances on a grid, contours, even triangles."""

from dataclasses import dataclass
from typing import Any

import igl
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from meshes.arrays import FloatArray
from meshes.recipes.untangle import mend_shapes
from meshes.surface import Surface

__all__ = [
    "Grid",
    "closed",
    "contour",
    "inside",
    "largest_piece",
    "opened",
    "outside_distance",
    "remeshed",
    "rounded_maximum",
    "signed_distance",
]

BoolArray = npt.NDArray[np.bool_]
Field = npt.NDArray[np.float32]

# So many mm more of smoothing in each attempt at a contour without handles.
SMOOTHING_STEP = 0.5
# Attempts at meshing with one per cent more triangles each time, until the topology is kept; after that, quadrics.
REMESHING_ATTEMPTS = 8


@dataclass(frozen=True, eq=False)
class Grid:
    """Points in rows along the axes of the head.

    Parameters
    ----------
    origin : ndarray, shape (3,)
        The first point (mm).
    shape : tuple of int
        Number of points along x, y and z.
    spacing : float
        Distance between neighbours (mm), the same along all axes.
    """

    origin: FloatArray
    shape: tuple[int, int, int]
    spacing: float

    def points(self, where: BoolArray) -> FloatArray:
        """Return the positions of the points where a mask is true, shape (n, 3) (mm)."""
        return np.ascontiguousarray(self.origin + self.spacing * np.argwhere(where))

    def indices(self, points: FloatArray) -> FloatArray:
        """Return positions (mm) as fractional indices, shape (3, n), as `scipy.ndimage.map_coordinates` takes them."""
        return np.ascontiguousarray(((points - self.origin) / self.spacing).T)

    def box(self, surface: Surface, margin: float) -> BoolArray:
        """Return the mask of the points in a surface's bounding box, widened by a margin (mm)."""
        mask = np.zeros(self.shape, dtype=np.bool_)
        low, high = self.indices(
            np.stack([surface.vertices.min(axis=0) - margin, surface.vertices.max(axis=0) + margin])
        ).T
        first, last = np.maximum(np.floor(low), 0).astype(int), np.ceil(high).astype(int) + 1
        mask[tuple(slice(a, b) for a, b in zip(first, last, strict=True))] = True
        return mask


def signed_distance(mask: BoolArray, grid: Grid, *, smoothing: float = 0.0) -> Field:
    """Return the distance of each grid point to the rim of a mask (mm), negative inside, smoothed.

    Parameters
    ----------
    mask : ndarray of bool
        On the grid; true somewhere and false somewhere.
    grid : Grid
        Its spacing is used.
    smoothing : float, optional
        Standard deviation of the Gaussian the distance is smoothed with (mm). A sphere of radius r shrinks by
        about smoothing^2 / r.

    Returns
    -------
    ndarray of float32
        The rim lies halfway between points inside and outside.
    """
    out = ndimage.distance_transform_edt(~mask).astype(np.float32)
    within = ndimage.distance_transform_edt(mask).astype(np.float32)
    field: Field = np.float32(grid.spacing) * (np.maximum(out - 0.5, 0.0) - np.maximum(within - 0.5, 0.0))
    return smoothed(field, grid, smoothing) if smoothing > 0.0 else field


def smoothed(field: Field, grid: Grid, width: float) -> Field:
    """Return a field smoothed by a Gaussian of standard deviation `width` (mm)."""
    result: Field = ndimage.gaussian_filter(field, width / grid.spacing, mode="nearest")
    return result


def opened(mask: BoolArray, radius: float, grid: Grid) -> BoolArray:
    """Return a mask without what a ball of that radius (mm) does not fit into."""
    core = ndimage.distance_transform_edt(mask) * grid.spacing > radius
    result: BoolArray = ndimage.distance_transform_edt(~core) * grid.spacing <= radius
    return result & mask


def closed(mask: BoolArray, radius: float, grid: Grid) -> BoolArray:
    """Return a mask with the clefts filled that a ball of that radius (mm) does not fit into, and all hollows."""
    wide = ndimage.distance_transform_edt(~mask) * grid.spacing <= radius
    filled: BoolArray = ndimage.distance_transform_edt(wide) * grid.spacing > radius
    result: BoolArray = ndimage.binary_fill_holes(filled | mask)
    return result


def largest_piece(mask: BoolArray) -> BoolArray:
    """Return the largest piece of a mask, pieces joined by faces."""
    pieces, count = ndimage.label(mask)
    if count < 2:
        return mask
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    result: BoolArray = pieces == int(np.argmax(sizes))
    return result


def inside(surface: Surface, grid: Grid) -> BoolArray:
    """Return which grid points lie inside a closed surface, by winding number."""
    box = grid.box(surface, 0.0)
    points = grid.points(box)
    winding = igl.fast_winding_number(surface.vertices, surface.triangles.astype(np.int64), points)
    mask = np.zeros(grid.shape, dtype=np.bool_)
    mask[box] = winding > 0.5
    return mask


def outside_distance(surface: Surface, grid: Grid, *, reach: float) -> Field:
    """Return the distance to a closed surface (mm), negative inside: exact within `reach`, of the voxels elsewhere.

    Parameters
    ----------
    surface : Surface
        Closed and outward.
    grid : Grid
        Where the distance is wanted.
    reach : float
        How near to the surface it is exact (mm), on both sides.
    """
    field = signed_distance(inside(surface, grid), grid)
    near = np.abs(field) < reach
    squared, _, _ = igl.point_mesh_squared_distance(
        grid.points(near), surface.vertices, surface.triangles.astype(np.int64)
    )
    # The sign of the voxel's own centre: exact, as it comes from the winding number there.
    field[near] = (np.sqrt(squared) * np.sign(field[near])).astype(np.float32)
    return field


def rounded_maximum(first: Field, second: Field, width: float) -> Field:
    """Return the larger of two fields, rounded where they differ by less than `width` (mm).

    The intersection of two bodies (negative inside) with a rounded edge: a maximum plus h^2 width / 4, where
    h = 1 - abs(first - second) / width.
    """
    blend = np.maximum(np.float32(1.0) - np.abs(first - second) / np.float32(width), np.float32(0.0))
    result: Field = np.maximum(first, second) + blend**2 * np.float32(width / 4.0)
    return result


def contour(field: Field, grid: Grid, name: str, *, attempts: int = 6) -> Surface:
    """Return the largest closed surface at which a field is zero, without handles.

    Parameters
    ----------
    field : ndarray of float32
        Negative inside, positive at the rim of the grid.
    grid : Grid
        Where its values are.
    name : str
        Name of the surface.
    attempts : int, optional
        How often the field is smoothed (by 0.5 mm more each time) until the surface has no handle.

    Returns
    -------
    Surface
        Outward, one piece, of the topology of a sphere.

    Raises
    ------
    RuntimeError
        If handles remain.

    Notes
    -----
    Flying edges: W. Schroeder, R. Maynard and B. Geveci, IEEE Symposium on Large Data Analysis and Visualization, 2015.
    """
    for attempt in range(attempts):
        eased = smoothed(field, grid, SMOOTHING_STEP * attempt) if attempt else field
        # Only what hangs together is kept, and hollows are filled, before the contour is drawn.
        body = ndimage.binary_fill_holes(largest_piece(eased < 0.0))
        eased = np.where(body, np.minimum(eased, np.float32(-1e-3)), np.maximum(eased, np.float32(1e-3)))
        surface = _contour(eased, grid, name)
        if 2 * len(surface.vertices) - len(surface.triangles) == 4:
            return surface
    raise RuntimeError(f"{name} must have no handle; got some after {attempts} attempts at smoothing them away.")


def _contour(field: Field, grid: Grid, name: str) -> Surface:
    """Return the zero contour of a field, outward, without double vertices."""
    import pyvista

    image = pyvista.ImageData(dimensions=grid.shape, spacing=(grid.spacing,) * 3, origin=tuple(grid.origin))
    image.point_data["field"] = field.ravel(order="F")
    mesh = image.contour([0.0], scalars="field", method="flying_edges").clean(tolerance=1e-9)
    return _outward(mesh, name)


def _outward(mesh: Any, name: str) -> Surface:
    """Return a pyvista mesh of triangles as an outward surface."""
    triangles = np.asarray(mesh.faces).reshape(-1, 4)[:, 1:]
    triangles = triangles[(np.diff(np.sort(triangles, axis=1), axis=1) > 0).all(axis=1)]
    used, renumbered = np.unique(triangles, return_inverse=True)
    surface = Surface(np.asarray(mesh.points, dtype=np.float64)[used], renumbered.reshape(-1, 3).astype(np.int32), name)
    return surface if surface.volume > 0.0 else Surface(surface.vertices, surface.triangles[:, ::-1], name)


def remeshed(surface: Surface, n_triangles: int) -> Surface:
    """Return a surface of even triangles, their vertices on the given one.

    Parameters
    ----------
    surface : Surface
        Closed and smooth, with several times as many triangles.
    n_triangles : int
        How many triangles are wanted; a few more or less come out.

    Returns
    -------
    Surface
        Closed and of the same topology.

    Notes
    -----
    Approximated centroidal Voronoi diagrams: S. Valette, J.-M. Chassery and R. Prost, IEEE Trans. Vis. Comput. Graph.
    14(2):369-381, 2008, by pyacvd. Its vertices are means over their cells and lie inside of a curved surface: they
    are put back on it. Where the cells make no closed surface (narrow parts and few triangles), quadric decimation by
    libigl, which keeps the topology, and `mend_shapes` instead.
    """
    import pyacvd
    import pyvista

    faces = np.column_stack([np.full(len(surface.triangles), 3), surface.triangles]).ravel()
    clustering = pyacvd.Clustering(pyvista.PolyData(surface.vertices, faces))
    # Cells that happen to surround a narrow part make a surface that is not one: other cells, with a few more of them.
    for attempt in range(REMESHING_ATTEMPTS):
        clustering.cluster(int(n_triangles * (1.0 + 0.01 * attempt)) // 2 + 2)
        even = _outward(clustering.create_mesh(), surface.name)
        same = 2 * len(even.vertices) - len(even.triangles) == 2 * len(surface.vertices) - len(surface.triangles)
        if even.is_closed and same:
            _, _, nearest = igl.point_mesh_squared_distance(
                even.vertices, surface.vertices, surface.triangles.astype(np.int64)
            )
            return Surface(np.asarray(nearest), even.triangles, surface.name)
    vertices, triangles, _, _ = igl.qslim(
        np.asfortranarray(surface.vertices), np.asfortranarray(surface.triangles), n_triangles, True
    )
    return mend_shapes(Surface(vertices, triangles, surface.name))
