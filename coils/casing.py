"""Build the casing of flat and bent coils as one closed surface.

A casing is a plate with an outline of arcs: a disc for one winding, two discs joined by a waist for two, each with a
hole in it if the head reaches into the winding. Half of the outline (x >= 0) is meshed and mirrored, so a bent coil's
casing is the same plate folded along x = 0.
"""

import itertools

import numpy as np
import numpy.typing as npt

from meshes import Surface
from meshes.arrays import FloatArray, IntArray

__all__ = ["casing_surface"]

# Wanted edge length of the casing's triangles (mm).
_EDGE = 5.0

# Half width of the waist of a figure-8 casing, as a fraction of the discs' radius.
_WAIST = 0.7


def casing_surface(
    *,
    radius: float,
    offset: float,
    thickness: float,
    tilt: float = 0.0,
    pivot: float = 0.0,
    hole: float = 0.0,
    bridge: float = 0.0,
    name: str = "casing",
) -> Surface:
    """Build a casing: a plate of one or two discs, folded along x = 0.

    Parameters
    ----------
    radius : float
        Radius of the disc or discs (mm).
    offset : float
        Distance of the discs' centres from the fold (mm); 0 for a single disc.
    thickness : float
        Thickness of the plate (mm).
    tilt : float, optional
        Angle by which each wing is turned towards +z (radians), 0 <= tilt < pi/2; 0 for a flat casing.
    pivot : float, optional
        Depth below the head-side face at which the two wings' planes are turned about x = 0 (mm).
    hole : float, optional
        Radius of a round hole about each disc's centre (mm), less than `offset`; 0 for none.
    bridge : float, optional
        Height to which the fold of a bent casing is filled up on the head side, by a flat piece across it (mm).
    name : str, optional
        Name of the surface.

    Returns
    -------
    Surface
        Closed, normals outward; head side through the origin, the rest at z < 0 for a flat casing. With a bridge the
        origin is on the bridge.

    Notes
    -----
    Both faces of a wing are plane and `thickness` apart. Towards the fold each cross-section leans, from upright at the
    disc's centre or hole to the plane x = 0, where the wings meet in a mitre; so the folded plate stays one closed
    surface.
    """
    outline = _disc(radius) if offset == 0.0 else _disc_with_waist(radius, offset)
    rims = [outline]
    if hole > 0.0:
        rims.append(_arc((offset, 0.0), hole, 2.0 * np.pi, 0.0))  # clockwise: the plate is on the left of each rim
    flat, triangles = _mesh_half(rims)
    n = len(flat)
    levels = max(1, round(thickness / _EDGE))
    depths = thickness * np.arange(levels + 1) / levels
    # Vertices: head face, walls between the faces (rims only), back face.
    edges = np.concatenate(rims)
    plane = np.concatenate([flat, *[edges] * (levels - 1), flat])
    depth = np.concatenate([np.zeros(n), np.repeat(depths[1:-1], len(edges)), np.full(n, thickness)])
    starts = [0] + [n + len(edges) * i for i in range(levels)]
    # Seen from +z the outline runs counter-clockwise; its last edge, the fold, gets no wall. A hole's does.
    first = np.arange(len(outline))
    loops = [first] + [len(outline) + np.append(np.arange(len(rim)), 0) for rim in rims[1:]]
    faces = [triangles, triangles[:, ::-1] + starts[-1]]
    for upper, lower in itertools.pairwise(starts):
        for loop in loops:
            a, b, c, d = loop[:-1] + upper, loop[1:] + upper, loop[:-1] + lower, loop[1:] + lower
            faces += [np.column_stack([a, c, d]), np.column_stack([a, d, b])]
    # In a disc with a hole the mitre ends where the hole begins, so that the hole's wall stays upright.
    right = _fold(plane, depth, offset - hole, tilt, pivot)
    if bridge > 0.0:
        right[:, 2] -= bridge
        right[:n, 2] = np.maximum(right[:n, 2], 0.0)
    return _mirrored(right, np.concatenate(faces).astype(np.int32), plane[:, 0] == 0.0, name)


def _arc(centre: tuple[float, float], radius: float, start: float, end: float) -> FloatArray:
    """Return points on an arc from angle `start` to `end`, without the last, at most an edge length apart."""
    count = max(2, int(np.ceil(abs(end - start) * radius / _EDGE)))
    angle = start + (end - start) * np.arange(count) / count
    return np.column_stack([centre[0] + radius * np.cos(angle), centre[1] + radius * np.sin(angle)])


def _disc(radius: float) -> FloatArray:
    """Return the right half of a circle's outline, from (0, -radius) counter-clockwise to (0, radius)."""
    half = _arc((0.0, 0.0), radius, -np.pi / 2.0, np.pi / 2.0)
    half[0, 0] = 0.0
    return np.concatenate([half, [[0.0, radius]]])


def _disc_with_waist(radius: float, offset: float) -> FloatArray:
    """Return the right half of a figure-8 outline, from the waist at y < 0 counter-clockwise to that at y > 0.

    A fillet of radius f about (0, waist + f) touches the disc about (offset, 0) from outside:
    (waist + f)^2 + offset^2 = (radius + f)^2.
    """
    waist = _WAIST * radius
    crossing = np.sqrt(max(radius**2 - offset**2, 0.0))  # where the two discs meet on x = 0
    if waist <= crossing:
        waist = (crossing + radius) / 2.0
    fillet = (offset**2 + waist**2 - radius**2) / (2.0 * (radius - waist))
    touch = np.arctan2(waist + fillet, offset)  # direction from the disc's centre to the fillet's, from -x
    lower = _arc((0.0, -waist - fillet), fillet, np.pi / 2.0, touch)
    lower[0, 0] = 0.0
    disc = _arc((offset, 0.0), radius, touch - np.pi, np.pi - touch)
    upper = _arc((0.0, waist + fillet), fillet, -touch, -np.pi / 2.0)
    return np.concatenate([lower, disc, upper, [[0.0, waist]]])


def _mesh_half(rims: list[FloatArray]) -> tuple[FloatArray, IntArray]:
    """Mesh the half plate: a triangular lattice inside, the rims' points first (outline, hole), then the fold's.

    The triangles are counter-clockwise.
    """
    from scipy.spatial import Delaunay  # here, so that importing the package loads no SciPy

    outline = rims[0]
    top = outline[-1, 1]
    cuts = max(2, round(2.0 * top / _EDGE))
    fold_y = np.linspace(top, outline[0, 1], cuts + 1)[1:-1]
    fold = np.column_stack([np.zeros_like(fold_y), fold_y])
    loops = [np.concatenate([outline, fold]), *rims[1:]]
    boundary = np.concatenate([*rims, fold])
    step = _EDGE * np.sqrt(0.75)
    rows = np.ceil(outline[:, 1].max() / _EDGE)
    x, row = np.meshgrid(np.arange(step, outline[:, 0].max(), step), np.arange(-rows, rows + 1.0))
    y = (row + 0.5 * (np.rint(x / step) % 2)) * _EDGE
    lattice = np.column_stack([x.ravel(), y.ravel()])
    lattice = lattice[_inside(lattice, loops)]
    gap = np.linalg.norm(lattice[:, None] - boundary, axis=2).min(axis=1)
    points = np.concatenate([boundary, lattice[gap > 0.6 * _EDGE]])
    triangles = Delaunay(points).simplices
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    first, second = b - a, c - a
    area = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]  # twice the area, signed
    kept = _inside((a + b + c) / 3.0, loops) & (np.abs(area) > 1e-9 * _EDGE**2)
    triangles[area < 0.0] = triangles[area < 0.0][:, ::-1]
    return points, triangles[kept].astype(np.int32)


def _inside(points: FloatArray, loops: list[FloatArray]) -> npt.NDArray[np.bool_]:
    """Tell which points lie inside a polygon but in no hole, by the parity of edges crossed by a ray along +x."""
    start, end = np.concatenate(loops), np.concatenate([np.roll(loop, -1, axis=0) for loop in loops])
    px, py = points[:, :1], points[:, 1:]
    spans = (start[:, 1] > py) != (end[:, 1] > py)
    rise = np.where(end[:, 1] == start[:, 1], 1.0, end[:, 1] - start[:, 1])
    crossing = start[:, 0] + (py - start[:, 1]) / rise * (end[:, 0] - start[:, 0])
    inside: npt.NDArray[np.bool_] = (spans & (px < crossing)).sum(axis=1) % 2 == 1
    return inside


def _fold(plane: FloatArray, depth: FloatArray, reach: float, tilt: float, pivot: float) -> FloatArray:
    """Move plate points (x, y, depth below the head-side face) to the coil frame, right wing (mm).

    The cross-section leans towards the fold up to the distance `reach` from it.
    """
    along = np.array([np.cos(tilt), 0.0, np.sin(tilt)])
    normal = np.array([-np.sin(tilt), 0.0, np.cos(tilt)])
    lean = np.tan(tilt) * np.clip(1.0 - plane[:, 0] / reach, 0.0, 1.0) if reach > 0.0 else np.zeros(len(plane))
    above = pivot - depth
    points = (plane[:, 0] + above * lean)[:, None] * along + above[:, None] * normal
    points[:, 1] = plane[:, 1]
    points[:, 2] -= pivot / np.cos(tilt)
    return np.ascontiguousarray(points)


def _mirrored(right: FloatArray, triangles: IntArray, on_fold: npt.NDArray[np.bool_], name: str) -> Surface:
    """Join the right half to its mirror image; both share the vertices on the fold."""
    right[on_fold, 0] = 0.0  # exactly, so that the halves fit without a gap
    partner = np.where(on_fold, np.arange(len(right)), len(right) + np.cumsum(~on_fold) - 1)
    left = right[~on_fold] * [-1.0, 1.0, 1.0]
    return Surface(np.concatenate([right, left]), np.concatenate([triangles, partner[triangles][:, ::-1]]), name)
