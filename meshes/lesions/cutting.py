"""Cut the closed boundary of a tissue with a closed surface, and tell where each new triangle comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from meshes.arrays import FloatArray
from meshes.surface import Surface

if TYPE_CHECKING:
    from manifold3d import Manifold

__all__ = ["Cut", "Pieces", "cut_solid"]

IndexArray = npt.NDArray[np.int64]


class Pieces(NamedTuple):
    """Triangles that are parts of others.

    Attributes
    ----------
    corners : ndarray, shape (n, 3, 3)
        Their corners (mm).
    parent : ndarray, shape (n,)
        The triangle that each is a part of.
    """

    corners: FloatArray
    parent: IndexArray


class Cut(NamedTuple):
    """What is left of a solid's boundary, and of the surface that cuts it.

    Attributes
    ----------
    outside, inside : Pieces
        The solid's boundary outside and inside the cutter. Triangles that the cutter does not touch are whole.
    wall : Pieces
        The cutter's triangles inside the solid, turned as they were.
    volume : float
        What the two have in common (mm^3).
    """

    outside: Pieces
    inside: Pieces
    wall: Pieces
    volume: float


def cut_solid(solid: Surface, cutter: Surface) -> Cut:
    """Cut a solid with another one.

    Parameters
    ----------
    solid, cutter : Surface
        Closed and outward, not crossing themselves; of one piece or several.

    Returns
    -------
    Cut
        Where the surfaces meet, the pieces have the very same corners.

    Raises
    ------
    ValueError
        If an edge of the solid has more than two triangles.

    Notes
    -----
    By the library manifold3d, whose results are manifold whatever the position of the surfaces is (J. Smith, Towards
    robust inexact geometric computation, University of Cambridge technical report UCAM-CL-TR-766, 2009).
    """
    within, without = _manifold(solid, 1).split(_manifold(cutter, 2))
    parts = {side: _parts(mesh) for side, mesh in (("inside", within), ("outside", without))}
    return Cut(parts["outside"][0], parts["inside"][0], parts["inside"][1], float(within.volume()))


def _manifold(surface: Surface, number: int) -> Manifold:
    """Return a surface as manifold3d has it, each triangle a face of its own, so that none are joined."""
    from manifold3d import Manifold, Mesh64  # here, because few uses of the package need it

    used, triangles = np.unique(surface.triangles, return_inverse=True)
    count = len(surface.triangles)
    mesh = Mesh64(
        np.ascontiguousarray(surface.vertices[used]),
        np.ascontiguousarray(triangles.reshape(-1, 3).astype(np.uint64)),
        face_id=np.arange(count, dtype=np.uint64),
        run_index=np.array([0, 3 * count], dtype=np.uint64),
        run_original_id=np.array([number], dtype=np.uint32),
    )
    solid = Manifold(mesh)
    if solid.status().name != "NoError":
        raise ValueError(
            f"{surface.name or 'surface'} must have two triangles at each edge and no crossings, to be cut; got "
            f"{solid.status().name} from manifold3d."
        )
    return solid


def _parts(solid: Manifold) -> tuple[Pieces, Pieces]:
    """Return a result's triangles by where they come from: the first solid or the second."""
    mesh = solid.to_mesh64()
    points = np.asarray(mesh.vert_properties, dtype=np.float64).reshape(-1, 3)
    corners = points[np.asarray(mesh.tri_verts, dtype=np.int64).reshape(-1, 3)]
    parent = np.asarray(mesh.face_id, dtype=np.int64)
    bounds = np.asarray(mesh.run_index, dtype=np.int64) // 3
    source = np.repeat(np.asarray(mesh.run_original_id, dtype=np.int64), np.diff(bounds))
    first, second = (Pieces(corners[source == number], parent[source == number]) for number in (1, 2))
    return first, second
