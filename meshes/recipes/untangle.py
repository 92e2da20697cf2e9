"""Mend thin triangles of a folded surface by edge flips and collapses that make nothing cross."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meshes.arrays import FloatArray, IntArray
from meshes.checks import crossing_pairs
from meshes.surface import Surface

__all__ = ["mend_shapes", "slenderness"]

# A flip or collapse must leave the worst triangle around at most so many times as slender as it was.
GAIN = 0.85
# Cosine of the largest turn of a triangle that an edit may cause.
LEAST_COSINE = 0.5
# Farthest that a flip may move the surface (mm): the gap between the two diagonals.
LARGEST_STEP = 0.25

BoolArray = npt.NDArray[np.bool_]
IndexArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Edit:
    """A flip or collapse: the triangles it changes, their new corners, and those it removes.

    Parameters
    ----------
    key : tuple of int
        What it does: kind, and the two vertices of the edge.
    changed : ndarray, shape (n,)
        Triangle indices.
    corners : ndarray, shape (n, 3)
        New vertex indices.
    removed : ndarray, shape (m,)
        Triangles that vanish.
    vertex : int
        The vertex that moves, or -1.
    position : ndarray, shape (3,)
        Where it moves to (mm).
    worst : float
        Slenderness of the worst triangle it leaves.
    """

    key: tuple[int, int, int]
    changed: IndexArray
    corners: IndexArray
    removed: IndexArray
    vertex: int
    position: FloatArray
    worst: float


def slenderness(corners: FloatArray) -> FloatArray:
    """Return longest edge over shortest height of triangles with corners of shape (n, 3, 3); 1.155 if equilateral.

    Infinite for a triangle without area.
    """
    edges = np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2).max(axis=1)
    doubled = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    ratio: FloatArray = np.divide(edges**2, doubled, out=np.full(len(edges), np.inf), where=doubled > 0.0)
    return ratio


def mend_shapes(surface: Surface, *, limit: float = 7.0, rounds: int = 30) -> Surface:
    """Flip the long edges and collapse the short edges of triangles that are too slender.

    Parameters
    ----------
    surface : Surface
        Closed.
    limit : float, optional
        Triangles with more than this `slenderness` are mended.
    rounds : int, optional
        At most so many rounds of edits that do not touch each other.

    Returns
    -------
    Surface
        With a little fewer triangles, the same topology, and no triangle that crosses another if none did before. Some
        slender triangles may stay, where every edit would turn a triangle over or make the surface cross itself.

    Notes
    -----
    Edge collapse with link condition: H. Hoppe et al., "Mesh optimization", SIGGRAPH 1993; edits are taken back if
    a triangle that they changed crosses another one.
    """
    vertices, triangles = surface.vertices.copy(), surface.triangles.astype(np.int64)
    alive = np.ones(len(triangles), dtype=np.bool_)
    forbidden: set[tuple[int, int, int]] = set()
    for _ in range(rounds):
        edits = _edits(vertices, triangles, alive, limit, forbidden)
        while edits:
            after = _applied(vertices, triangles, alive, edits)
            harmful = _harmful(*after, edits)
            if not harmful.any():
                break
            forbidden.update(edit.key for edit, bad in zip(edits, harmful, strict=True) if bad)
            edits = [edit for edit, bad in zip(edits, harmful, strict=True) if not bad]
        if not edits:
            break
        vertices, triangles, alive = after
    used, renumbered = np.unique(triangles[alive], return_inverse=True)
    return Surface(vertices[used], renumbered.reshape(-1, 3).astype(np.int32), surface.name)


def _edits(
    vertices: FloatArray, triangles: IndexArray, alive: BoolArray, limit: float, forbidden: set[tuple[int, int, int]]
) -> list[Edit]:
    """Return edits of the slender triangles, the worst first, no two of which touch a common vertex."""
    ratio = np.where(alive, slenderness(vertices[triangles]), 0.0)
    order = np.argsort(-ratio, kind="stable")[: int((ratio > limit).sum())]
    rows = np.flatnonzero(alive)
    flat = triangles[rows].ravel()
    by_vertex = np.argsort(flat, kind="stable")
    owner = np.repeat(rows, 3)[by_vertex]
    bounds = np.searchsorted(flat[by_vertex], np.arange(len(vertices) + 1))
    locked = np.zeros(len(vertices), dtype=np.bool_)
    edits: list[Edit] = []
    for triangle in order:
        corners = triangles[triangle]
        around = np.unique(np.concatenate([owner[bounds[v] : bounds[v + 1]] for v in corners]))
        if locked[triangles[around]].any():
            continue
        length = np.linalg.norm(vertices[corners] - vertices[np.roll(corners, -1)], axis=1)
        ends = [(int(corners[k]), int(corners[(k + 1) % 3])) for k in (int(np.argmin(length)), int(np.argmax(length)))]
        found = [
            edit
            for edit in (_collapse(vertices, triangles, around, *ends[0]), _flip(vertices, triangles, around, *ends[1]))
            if edit is not None and edit.key not in forbidden and edit.worst <= GAIN * ratio[triangle]
        ]
        if found:
            edits.append(min(found, key=lambda edit: edit.worst))
            locked[triangles[around]] = True
    return edits


def _collapse(vertices: FloatArray, triangles: IndexArray, around: IndexArray, a: int, b: int) -> Edit | None:
    """Return the edit that draws an edge's ends together in its middle, or None if it may not be done."""
    has_a, has_b = (triangles[around] == a).any(axis=1), (triangles[around] == b).any(axis=1)
    common = np.intersect1d(triangles[around[has_a]], triangles[around[has_b]])
    if len(common) != 4 or (has_a & has_b).sum() != 2:  # a, b and the two opposite corners
        return None
    changed = around[(has_a | has_b) & ~(has_a & has_b)]
    corners = np.where(triangles[changed] == b, a, triangles[changed])
    middle = 0.5 * (vertices[a] + vertices[b])
    moved = np.where((corners == a)[:, :, None], middle, vertices[corners])
    if _turned(vertices[triangles[changed]], moved):
        return None
    worst = float(slenderness(moved).max())
    return Edit((0, min(a, b), max(a, b)), changed, corners, around[has_a & has_b], a, middle, worst)


def _flip(vertices: FloatArray, triangles: IndexArray, around: IndexArray, a: int, b: int) -> Edit | None:
    """Return the edit that turns an edge inside the quadrilateral of its two triangles, or None."""
    pair = around[(triangles[around] == a).any(axis=1) & (triangles[around] == b).any(axis=1)]
    if len(pair) != 2:
        return None
    first, second = triangles[pair]
    k = int(np.flatnonzero((first != a) & (first != b))[0])
    c, start, end = (int(first[(k + turn) % 3]) for turn in range(3))
    d = int(second[(second != a) & (second != b)][0])
    if ((triangles[around] == c).any(axis=1) & (triangles[around] == d).any(axis=1)).any():
        return None  # that edge is there already
    corners = np.array([[c, start, d], [c, d, end]])
    normals = np.cross(
        vertices[corners[:, 1]] - vertices[corners[:, 0]], vertices[corners[:, 2]] - vertices[corners[:, 0]]
    )
    old = np.cross(
        vertices[triangles[pair, 1]] - vertices[triangles[pair, 0]],
        vertices[triangles[pair, 2]] - vertices[triangles[pair, 0]],
    ).sum(axis=0)
    lengths = np.linalg.norm(normals, axis=1) * np.linalg.norm(old)
    if (normals @ old < LEAST_COSINE * lengths).any() or (lengths == 0.0).any():
        return None
    across = np.cross(vertices[b] - vertices[a], vertices[d] - vertices[c])
    gap = abs(float((vertices[c] - vertices[a]) @ across)) / max(float(np.linalg.norm(across)), 1e-12)
    if gap > LARGEST_STEP:
        return None
    worst = float(slenderness(vertices[corners]).max())
    none = np.zeros(0, dtype=np.int64)
    return Edit((1, min(a, b), max(a, b)), pair, corners, none, -1, np.zeros(3), worst)


def _turned(before: FloatArray, after: FloatArray) -> bool:
    """Tell whether a triangle turns too far, both of shape (n, 3, 3)."""
    old, new = (np.cross(c[:, 1] - c[:, 0], c[:, 2] - c[:, 0]) for c in (before, after))
    lengths = np.linalg.norm(old, axis=1) * np.linalg.norm(new, axis=1)
    return bool((np.einsum("ij,ij->i", old, new) < LEAST_COSINE * lengths).any() or (lengths == 0.0).any())


def _applied(
    vertices: FloatArray, triangles: IndexArray, alive: BoolArray, edits: list[Edit]
) -> tuple[FloatArray, IndexArray, BoolArray]:
    """Return vertices, triangles and which of these are left after some edits."""
    vertices, triangles, alive = vertices.copy(), triangles.copy(), alive.copy()
    for edit in edits:
        triangles[edit.changed] = edit.corners
        alive[edit.removed] = False
        if edit.vertex >= 0:
            vertices[edit.vertex] = edit.position
    return vertices, triangles, alive


def _harmful(vertices: FloatArray, triangles: IndexArray, alive: BoolArray, edits: list[Edit]) -> BoolArray:
    """Return which edits changed a triangle that now crosses another one."""
    rows = np.flatnonzero(alive)
    kept: IntArray = triangles[rows].astype(np.int32)
    crossing = np.zeros(len(triangles), dtype=np.bool_)
    crossing[rows[np.concatenate(crossing_pairs([Surface(vertices, kept)]))]] = True
    return np.array([bool(crossing[edit.changed].any()) for edit in edits], dtype=np.bool_)
