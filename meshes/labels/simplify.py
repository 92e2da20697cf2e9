"""Make the triangles between labels fewer and better shaped, without tearing where several regions meet.

Notes
-----
Edges are collapsed, many at a time: those whose cost is the least among all edges near them, so that no two touch a
common triangle. The cost adds the squared distance from the planes of the triangles around (M. Garland and P. Heckbert,
SIGGRAPH 1997), which keeps the shape, and the squared length, which keeps triangles of one size. A vertex on a line
where several sheets meet stays on that line, and where lines meet it stays; the link condition keeps the topology
(T. K. Dey et al., Publ. Inst. Math. 66(80):23, 1999). A collapse that turns a triangle over, flattens it, or makes it
cross another is not done.
"""

import logging
from copy import copy

import numpy as np
import numpy.typing as npt

from meshes.arrays import FloatArray
from meshes.checks import crossing_pairs
from meshes.labels.mesh import IndexArray, LabelMesh
from meshes.labels.quadrics import distances, matrices, plane_quadrics, solved
from meshes.labels.topology import Edges, Kinds, mesh_edges, vertex_kinds
from meshes.surface import Surface

__all__ = ["colliding", "simplify"]

BoolArray = npt.NDArray[np.bool_]

logger = logging.getLogger(__name__)

_LENGTH_SHARE = 0.02
"""Weight of the squared length against the squared distance from planes; of the areas that both stand for."""

_TURN = 0.5
"""Least cosine between the normals of a triangle before and after."""

_FLATNESS = 0.12
"""Least height of a new triangle over its longest edge, unless one around had less before."""

_SHARE = 0.3
"""Part of the edges, the cheapest, that are looked at in a round."""

_PULL = 1e-2
"""How strongly a vertex is pulled to the middle of its edge, against the planes around."""

_PASSES = 4
_ROUNDS = 4
"""Rounds between two tests for crossing triangles."""

_BATCHES = 60
_STALLED = 0.04
"""Share of the triangles that a batch must take away for another one to be worth its time. Noisy labels, as of a whole
head at 1 mm, have so many lines where sheets meet that the last tens of per cent would take an hour."""

_UNDOINGS = 8


def simplify(mesh: LabelMesh, triangles: int, *, size: FloatArray | None = None) -> LabelMesh:
    """Return a mesh with fewer triangles.

    Parameters
    ----------
    mesh : LabelMesh
        Free of crossings.
    triangles : int
        How many are wanted; more are left if no further edge can go.
    size : ndarray, shape (n_labels,), optional
        Edge length wanted around the region of each label, relative to others; the deeper side of a triangle counts.

    Returns
    -------
    LabelMesh
        Free of crossings, with the same regions meeting along the same lines.

    Raises
    ------
    ValueError
        If triangles of `mesh` cross.
    """
    state = _State(mesh, size)
    for _ in range(_BATCHES):
        before = len(state.triangles)
        if before <= triangles:
            break
        state = _batch(state, triangles)
        logger.debug("%d triangles left", len(state.triangles))
        if before - len(state.triangles) < _STALLED * before:
            break
    return LabelMesh(state.vertices, state.triangles, state.sides).without_spare_vertices()


def _batch(start: "_State", triangles: int) -> "_State":
    """Return the state after some rounds; what makes triangles cross is taken back.

    Taking back only where it crosses is quick, but may change the topology, as later collapses were allowed for what
    earlier ones had left; then all is done again, with nothing collapsed there.
    """
    locked = np.zeros(len(start.vertices), dtype=np.bool_)
    while True:
        state = start.copy(locked)
        for _ in range(_ROUNDS):
            if len(state.triangles) > triangles:
                state.collapse_round(len(state.triangles) - triangles)
        bad = colliding(state.vertices, state.triangles)
        touched = np.zeros(len(start.vertices), dtype=np.bool_)
        for _ in range(_UNDOINGS):
            if not len(bad):
                break
            hit = np.zeros(len(start.vertices), dtype=np.bool_)
            hit[state.triangles[bad]] = True
            hit = hit[state.became] & ((state.became != np.arange(len(hit))) | state.moved(start))
            touched |= hit
            if not hit.any():
                raise ValueError(
                    f"mesh must be free of crossings to be simplified; got {len(bad)} crossing triangles, first at "
                    f"{np.round(state.vertices[state.triangles[bad[0]]].mean(axis=0), 1).tolist()} mm."
                )
            state = state.without(start, hit)
            bad = _colliding_near(state.vertices, state.triangles, hit)
        if not len(bad) and state.euler() == start.euler():
            state.refused += locked | touched
            return state
        ring = touched[start.triangles].any(axis=1)
        locked[start.triangles[ring]] = True


class _State:
    """A mesh that shrinks round by round; vertices keep their numbers."""

    def __init__(self, mesh: LabelMesh, size: FloatArray | None) -> None:
        count = len(mesh.vertices)
        self.vertices = mesh.vertices
        self.triangles = mesh.triangles
        self.sides = mesh.sides
        self.size = np.ones(int(mesh.sides.max()) + 1) if size is None else np.asarray(size, dtype=np.float64)
        self.pinned: BoolArray = vertex_kinds(mesh, mesh_edges(mesh)).pinned
        self.quadrics, self.weights = plane_quadrics(mesh)
        self.refused = np.zeros(count, dtype=np.int64)
        self.locked: BoolArray = np.zeros(count, dtype=np.bool_)
        self.became: IndexArray = np.arange(count)

    def copy(self, locked: BoolArray) -> "_State":
        """Return a state to go on from here, with some vertices that must stay."""
        other = copy(self)
        other.quadrics, other.weights = self.quadrics.copy(), self.weights.copy()
        other.refused = self.refused.copy()
        other.locked = locked
        other.became = np.arange(len(self.vertices))
        return other

    def moved(self, start: "_State") -> BoolArray:
        """Tell which vertices do not stand where they did at the start."""
        moved: BoolArray = (self.vertices != start.vertices).any(axis=1)
        return moved

    def without(self, start: "_State", vertices: BoolArray) -> "_State":
        """Return the state with some vertices of the start, and all that became one with them, as they were."""
        other = copy(self)
        back = np.zeros(len(vertices), dtype=np.bool_)
        back[self.became[vertices]] = True
        back = back[self.became]
        other.became = np.where(back, np.arange(len(back)), self.became)
        other.vertices = np.where(back[:, None], start.vertices, self.vertices)
        other.quadrics = np.where(back[:, None], start.quadrics, self.quadrics)
        other.weights = np.where(back, start.weights, self.weights)
        triangles = other.became[start.triangles]
        left = (triangles != np.roll(triangles, 1, axis=1)).all(axis=1)
        other.triangles, other.sides = triangles[left], start.sides[left]
        return other

    def euler(self) -> int:
        """Return the number of vertices less edges plus triangles."""
        start, end = self.triangles.ravel(), np.roll(self.triangles, -1, axis=1).ravel()
        key = np.minimum(start, end) * len(self.vertices) + np.maximum(start, end)
        used = np.zeros(len(self.vertices), dtype=np.bool_)
        used[start] = True
        return int(used.sum()) - len(np.unique(key)) + len(self.triangles)

    def collapse_round(self, excess: int) -> None:
        """Collapse a set of edges that do not touch each other's triangles."""
        mesh = LabelMesh(self.vertices, self.triangles, self.sides)
        edges = mesh_edges(mesh)
        kinds = vertex_kinds(mesh, edges, pinned=self.pinned)
        rows, places, cost = self._candidates(edges, kinds)
        chosen = self._independent(edges.ends[rows], cost)
        chosen = chosen[np.argsort(cost[chosen], kind="stable")][: max(excess // 2, 1)]
        rows, places = rows[chosen], places[chosen]
        keep, drop = edges.ends[rows].T
        # The vertex that must stay where it is keeps its number.
        swap = kinds.rank[drop] > kinds.rank[keep]
        keep, drop = np.where(swap, drop, keep), np.where(swap, keep, drop)
        good = self._topology_kept(edges, kinds, rows, keep, drop) & self._shape_kept(keep, drop, places)
        self.refused[keep[~good]] += 1
        self.refused[drop[~good]] += 1
        self._apply(keep[good], drop[good], places[good])

    def _candidates(self, edges: Edges, kinds: Kinds) -> tuple[IndexArray, FloatArray, FloatArray]:
        """Return the edges that may go, where their vertex would stand, and what that costs; the cheapest ones."""
        lower = kinds.rank[edges.ends].min(axis=1)
        free = (lower == 0) | (edges.line & (lower == 1))
        rows = np.flatnonzero(free & ~self.locked[edges.ends].any(axis=1))
        ends = edges.ends[rows]
        squared = ((self.vertices[ends[:, 0]] - self.vertices[ends[:, 1]]) ** 2).sum(axis=1)
        scale = 4.0 ** np.minimum(self.refused[ends].sum(axis=1), 40) / self.size[edges.finest[rows]] ** 2
        # The length alone is a lower bound of the cost.
        short = _cheapest(squared * scale, 2.0 * _SHARE)
        rows, ends, scale, squared = rows[short], ends[short], scale[short], squared[short]
        quadric = self.quadrics[ends].sum(axis=1)
        weight = np.maximum(self.weights[ends].sum(axis=1), 1e-12)
        places = self._places(ends, kinds, quadric, weight, np.sqrt(squared))
        cost = scale * (distances(quadric, places) / weight + _LENGTH_SHARE * squared)
        cheap = _cheapest(cost, 0.5)
        return rows[cheap], places[cheap], cost[cheap]

    def _places(
        self, ends: IndexArray, kinds: Kinds, quadric: FloatArray, weight: FloatArray, length: FloatArray
    ) -> FloatArray:
        """Return where the vertices of collapsed edges stand: least distance from the planes, or the higher ranked."""
        first, second = self.vertices[ends].transpose(1, 0, 2)
        middle = 0.5 * (first + second)
        matrix, vector = matrices(quadric)
        downhill = -vector - np.einsum("nij,nj->ni", matrix, middle)
        # Pulled to the middle a little, where planes alone do not fix the place.
        shift = solved(quadric, _PULL * weight, downhill)
        far = np.linalg.norm(shift, axis=1) / np.maximum(length, 1e-12)
        places = middle + shift / np.maximum(far, 1.0)[:, None]
        rank = kinds.rank[ends]
        places = np.where((rank[:, 0] > rank[:, 1])[:, None], first, places)
        places = np.where((rank[:, 1] > rank[:, 0])[:, None], second, places)
        return np.ascontiguousarray(places)

    def _independent(self, ends: IndexArray, cost: FloatArray) -> IndexArray:
        """Return edges that are the cheapest of all candidates that touch one of their triangles."""
        order = np.empty(len(cost), dtype=np.int64)
        # Costs in steps of a factor of 1.4, without pattern within a step: else few edges would be the cheapest around.
        order[np.lexsort((_scatter(ends), np.floor(np.log2(cost + 1e-300) * 2.0)))] = np.arange(len(cost))
        chosen = []
        alive = np.ones(len(cost), dtype=np.bool_)
        taken = np.zeros(len(self.triangles), dtype=np.bool_)
        for _ in range(_PASSES):
            lowest = np.full(len(self.vertices), len(cost))
            np.minimum.at(lowest, ends[alive].ravel(), np.repeat(order[alive], 2))
            at_triangle = lowest[self.triangles].min(axis=1)
            at_triangle[taken] = -1
            around = np.full(len(self.vertices), len(cost))
            np.minimum.at(around, self.triangles.ravel(), np.repeat(at_triangle, 3))
            new = np.flatnonzero(alive & (around[ends] == order[:, None]).all(axis=1))
            if not len(new):
                break
            chosen.append(new)
            used = np.zeros(len(self.vertices), dtype=np.bool_)
            used[ends[new].ravel()] = True
            taken |= used[self.triangles].any(axis=1)
            alive &= (around[ends] >= 0).all(axis=1)
            alive[new] = False
        return np.concatenate(chosen) if chosen else np.empty(0, dtype=np.int64)

    def _topology_kept(
        self, edges: Edges, kinds: Kinds, rows: IndexArray, keep: IndexArray, drop: IndexArray
    ) -> BoolArray:
        """Tell which collapses leave the topology: the link condition, also within the lines where sheets meet."""
        common = _common_neighbours(edges.ends, len(self.vertices), keep, drop)
        good = common == edges.count[rows]
        lines = edges.ends[edges.line]
        on_line = edges.line[rows] & (kinds.rank[drop] == 1)
        along = _common_neighbours(lines, len(self.vertices), keep, drop)
        kept: BoolArray = good & ~(on_line & (along > 0))
        return kept

    def _shape_kept(self, keep: IndexArray, drop: IndexArray, places: FloatArray) -> BoolArray:
        """Tell which collapses turn no triangle over, and leave none flatter than the flattest around was."""
        which = np.full(len(self.vertices), -1)
        which[keep] = which[drop] = np.arange(len(keep))
        of = which[self.triangles]
        # A triangle belongs to one collapse at most; those with both vertices go.
        owner = of.max(axis=1)
        rows = np.flatnonzero(owner >= 0)
        owner, stays = owner[rows], (of[rows] >= 0).sum(axis=1) == 1
        before = self.vertices[self.triangles[rows]]
        old = _normal(before)
        least = np.full(len(keep), _FLATNESS)
        np.minimum.at(least, owner, _flatness(before, old))
        rows, owner, before, old = rows[stays], owner[stays], before[stays], old[stays]
        after = np.where((of[rows] >= 0)[:, :, None], places[owner][:, None], before)
        new = _normal(after)
        length = np.linalg.norm(old, axis=1) * np.linalg.norm(new, axis=1)
        cosine = np.einsum("ij,ij->i", old, new) / np.maximum(length, 1e-30)
        # Beside a needle that goes, others may become a little flatter, or none of them could go.
        allowed = np.where(least < _FLATNESS, 0.5 * least, _FLATNESS)[owner]
        bad = (cosine < _TURN) | (_flatness(after, new) < allowed)
        good = np.ones(len(keep), dtype=np.bool_)
        good[owner[bad]] = False
        return good

    def _apply(self, keep: IndexArray, drop: IndexArray, places: FloatArray) -> None:
        target = np.arange(len(self.vertices))
        target[drop] = keep
        self.vertices = self.vertices.copy()
        self.vertices[keep] = places
        triangles = target[self.triangles]
        left = (triangles != np.roll(triangles, 1, axis=1)).all(axis=1)
        self.triangles, self.sides = triangles[left], self.sides[left]
        self.quadrics[keep] += self.quadrics[drop]
        self.weights[keep] += self.weights[drop]
        self.became = target[self.became]


def _cheapest(cost: FloatArray, share: float) -> IndexArray:
    """Return which are among the given share of the costs, or among the thousand least."""
    count = min(max(int(share * len(cost)), 1000), len(cost))
    return np.sort(np.argpartition(cost, count - 1)[:count]) if count else np.empty(0, dtype=np.int64)


def _scatter(ends: IndexArray) -> IndexArray:
    """Return numbers without pattern, the same every time, that order edges of nearly one cost."""
    mixed: IndexArray = ((ends[:, 0] * 2654435761 + ends[:, 1] * 40503) * 2246822519) % 4294967291
    return mixed


def _normal(corners: FloatArray) -> FloatArray:
    return np.asarray(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))


def _flatness(corners: FloatArray, normal: FloatArray) -> FloatArray:
    """Return least height over longest edge."""
    longest = ((corners - np.roll(corners, -1, axis=1)) ** 2).sum(axis=2).max(axis=1)
    flatness: FloatArray = np.linalg.norm(normal, axis=1) / np.maximum(longest, 1e-30)
    return flatness


def _common_neighbours(ends: IndexArray, count: int, first: IndexArray, second: IndexArray) -> IndexArray:
    """Return how many vertices are neighbours of both, for pairs of vertices."""
    from scipy.sparse import csr_array

    both = np.concatenate([ends, ends[:, ::-1]])
    graph = csr_array((np.ones(len(both), dtype=np.int32), (both[:, 0], both[:, 1])), shape=(count, count))
    common: IndexArray = np.asarray(graph[first].multiply(graph[second]).sum(axis=1), dtype=np.int64).reshape(-1)
    return common


def colliding(vertices: FloatArray, triangles: IndexArray) -> IndexArray:
    """Return the triangles that cross others, or lie on one with which they share an edge."""
    from meshes.labels.topology import folded_pairs, share_edge

    used, index = np.unique(triangles, return_inverse=True)
    surface = Surface(vertices[used], index.reshape(-1, 3).astype(np.int32))
    first, second = crossing_pairs([surface])
    cross = ~share_edge(surface, first, second)
    folded = folded_pairs(surface)
    return np.unique(np.concatenate([first[cross], second[cross], folded.ravel()]))


def _colliding_near(vertices: FloatArray, triangles: IndexArray, changed: BoolArray) -> IndexArray:
    """Return the triangles that cross others, among those near some vertices; farther away nothing has changed."""
    from scipy.spatial import cKDTree

    corners = vertices[triangles]
    centre = corners.mean(axis=1)
    radius = np.linalg.norm(corners - centre[:, None], axis=2).max(axis=1)
    mine = changed[triangles].any(axis=1)
    distance, _ = cKDTree(centre[mine]).query(centre, distance_upper_bound=2.0 * radius.max())
    rows = np.flatnonzero(mine | (distance <= radius + radius[mine].max()))
    return rows[colliding(vertices, triangles[rows])]
