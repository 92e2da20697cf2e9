"""Mend the thin triangles that cutting leaves along a curve, without moving the curve or what lies far from it.

Notes
-----
Surfaces here may meet along lines. Triangles carry a label, the tissues on their sides; an edge with two triangles of
one label is inner, any other is on a line. Three changes are tried on a thin triangle, and the one is taken that leaves
the least thinness: an edge collapses into one of its ends, the longest edge of an inner pair is exchanged, or the
corner opposite the longest edge is put on that edge (which mends a flat triangle at a line). A corner on a line moves
along it only, and where lines meet not at all; collapses keep the link condition (T. K. Dey, H. Edelsbrunner, S. Guha
and D. V. Nekhayev, Publ. Inst. Math. (Beograd) 66:23-45, 1999), within the surfaces and within the lines.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from meshes.arrays import FloatArray

__all__ = ["qualities", "tidied"]

IndexArray = npt.NDArray[np.int64]
Triangle = tuple[int, int, int]

_WANTED = 0.15
"""Shortest height over longest edge below which a triangle is thin; `qualities` tells what counts as an edge."""

_STEEPEST = 0.7
"""Least cosine between the normals of a triangle before and after: surfaces keep their shape."""

_FLAT = 0.02
"""Height below which a triangle's normal does not count, over how far a point may be moved."""

_GAIN = 0.05
"""Least fall of the summed logarithms of thinness that is worth a change; it also lets changes end."""

_PASSES = 12


def qualities(corners: FloatArray, *, least: float = 0.0) -> FloatArray:
    """Return the shortest height over the longest edge of triangles, shape (n, 3, 3) to (n,): 0.87 if equilateral.

    Edges shorter than `least` (mm) count as that long, so that small triangles are bad whatever their shape.
    """
    edges = np.roll(corners, -1, axis=1) - corners
    longest = np.sqrt(np.einsum("nkd,nkd->nk", edges, edges).max(axis=1))
    doubled = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1)
    scale = longest * np.maximum(longest, least)
    quality: FloatArray = np.divide(doubled, scale, out=np.zeros_like(doubled), where=scale > 0.0)
    return quality


class _Change(NamedTuple):
    """A change of the mesh: triangles that go, and new ones, each with the triangle whose label it takes over."""

    score: float
    gone: set[int]
    new: list[tuple[int, Triangle]]


def tidied(
    points: FloatArray, triangles: IndexArray, labels: IndexArray, reach: FloatArray, *, least: float
) -> tuple[IndexArray, IndexArray]:
    """Return the triangles without thin ones, as far as that can be done.

    Parameters
    ----------
    points : ndarray, shape (n_points, 3)
        Positions (mm). None is moved and none is added.
    triangles : ndarray, shape (n_triangles, 3)
        All triangles at the points within reach and at their neighbours, and as many others as one likes.
    labels : ndarray, shape (n_triangles,)
        What each triangle belongs to.
    reach : ndarray, shape (n_points,)
        How far each point may be moved, into another one or onto an edge (mm); triangles whose points have none stay.
    least : float
        Edges below this are short (mm); see `qualities`.

    Returns
    -------
    triangles : ndarray, shape (m, 3)
    labels : ndarray, shape (m,)
    """
    mesh = _Mesh(points, triangles, labels, reach, least)
    for _ in range(_PASSES):
        if not mesh.improve():
            break
    rows = sorted(mesh.triangles)
    kept = np.array([mesh.triangles[row] for row in rows], dtype=np.int64).reshape(-1, 3)
    return kept, np.array([mesh.labels[row] for row in rows], dtype=np.int64)


class _Mesh:
    """Triangles by number, and the numbers of those around each point."""

    def __init__(
        self,
        points: FloatArray,
        triangles: IndexArray,
        labels: IndexArray,
        reach: FloatArray,
        least: float,
    ) -> None:
        self.points = points
        self.reach: list[float] = reach.tolist()
        self.least = least
        self.labels: dict[int, int] = dict(enumerate(labels.tolist()))
        self.triangles: dict[int, Triangle] = {row: (a, b, c) for row, (a, b, c) in enumerate(triangles.tolist())}
        self.around: dict[int, set[int]] = {}
        for row, corners in self.triangles.items():
            for point in corners:
                self.around.setdefault(point, set()).add(row)
        at = points[triangles]
        vectors = np.cross(at[:, 1] - at[:, 0], at[:, 2] - at[:, 0])
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        # Normals as cut, which are exact: what takes a triangle's place, however often, is compared with these.
        self.normals: dict[int, FloatArray] = dict(enumerate(vectors / np.where(length > 0.0, length, 1.0)))
        self.fresh = len(triangles)

    def improve(self) -> bool:
        """Go once through the thin triangles, the thinnest first; return whether any could be mended."""
        rows = np.array(sorted(self.triangles))
        quality = self._qualities([self.triangles[row] for row in rows.tolist()])
        order = np.argsort(quality, kind="stable")
        changed = False
        for row in rows[order[quality[order] < _WANTED]].tolist():
            if row in self.triangles and any(self.reach[point] > 0.0 for point in self.triangles[row]):
                changed |= self._mend(row)
        return changed

    def _mend(self, row: int) -> bool:
        corners = self.triangles[row]
        changes = []
        for k in range(3):
            first, second = corners[k], corners[(k + 1) % 3]
            changes += [self._collapse(first, second), self._collapse(second, first)]
        at = self.points[list(corners)]
        changes.append(self._onto_edge(row, int(np.argmax(np.linalg.norm(np.roll(at, -1, axis=0) - at, axis=1)))))
        found = [change for change in changes if change is not None]
        if not found:
            return False
        self._apply(max(found, key=lambda change: change.score))
        return True

    def _collapse(self, gone: int, kept: int) -> _Change | None:
        """Return what moving one end of an edge into the other does, or None where it must not be."""
        if np.linalg.norm(self.points[gone] - self.points[kept]) >= self.reach[gone]:
            return None
        lines = self._lines(gone)
        if lines and (len(lines) != 2 or kept not in lines or lines & self._lines(kept)):
            return None
        shared = self.around[gone] & self.around[kept]
        if self._neighbours(gone) & self._neighbours(kept) != self._corners(shared) - {gone, kept}:
            return None
        rest = self.around[gone] - shared
        new = [(row, _replaced(self.triangles[row], gone, kept)) for row in sorted(rest)]
        return self._judged(shared, new, self.reach[gone])

    def _onto_edge(self, row: int, k: int) -> _Change | None:
        """Return what putting the corner opposite edge k on that edge does: its other triangles are cut in two."""
        corners = self.triangles[row]
        a, b, apex = corners[k], corners[(k + 1) % 3], corners[(k + 2) % 3]
        others = sorted((self.around[a] & self.around[b]) - {row})
        inner = len(others) == 1 and self.labels[others[0]] == self.labels[row]
        # At a line the corner becomes a point of it: it must not be on one already.
        if not inner and self._lines(apex):
            return None
        if _height(self.points[[a, b, apex]]) >= self.reach[apex]:
            return None
        new: list[tuple[int, Triangle]] = []
        for other in others:
            opposite = next(point for point in self.triangles[other] if point not in (a, b))
            if opposite in self._neighbours(apex) or opposite == apex:
                return None
            new += [(other, _replaced(self.triangles[other], end, apex)) for end in (a, b)]
        return self._judged({row}, new, self.reach[apex])

    def _judged(self, gone: set[int], new: list[tuple[int, Triangle]], reach: float) -> _Change | None:
        """Return the change if its triangles are less thin than those that they replace, and lie as they did."""
        if not new:
            return None
        at = self.points[np.array([corners for _, corners in new])]
        vectors = np.cross(at[:, 1] - at[:, 0], at[:, 2] - at[:, 0])
        normals = np.stack([self.normals[source] for source, _ in new])
        doubled = np.linalg.norm(vectors, axis=1)
        turned = np.einsum("nd,nd->n", vectors, normals) <= _STEEPEST * doubled
        # A triangle of no height to speak of may turn: it is on the way to being none.
        if (turned & (doubled > _FLAT * reach * _longest(at))).any():
            return None
        gone = gone | {source for source, _ in new}
        before = self._thinness([self.triangles[row] for row in sorted(gone)])
        score = before - self._thinness([corners for _, corners in new])
        return _Change(score, gone, new) if score > _GAIN else None

    def _thinness(self, triangles: list[Triangle]) -> float:
        """Return how thin triangles are in all; 0 if none is."""
        quality = np.maximum(self._qualities(triangles), 1e-9)
        return float(np.log(_WANTED / np.minimum(quality, _WANTED)).sum())

    def _qualities(self, triangles: list[Triangle]) -> FloatArray:
        return qualities(self.points[np.array(triangles)], least=self.least)

    def _apply(self, change: _Change) -> None:
        added = [(corners, self.labels[source], self.normals[source]) for source, corners in change.new]
        for row in change.gone:
            for point in self.triangles.pop(row):
                self.around[point].discard(row)
            del self.labels[row], self.normals[row]
        for corners, label, normal in added:
            self.triangles[self.fresh], self.labels[self.fresh], self.normals[self.fresh] = corners, label, normal
            for point in corners:
                self.around.setdefault(point, set()).add(self.fresh)
            self.fresh += 1

    def _corners(self, rows: set[int]) -> set[int]:
        return {point for row in rows for point in self.triangles[row]}

    def _neighbours(self, point: int) -> set[int]:
        return self._corners(self.around[point]) - {point}

    def _lines(self, point: int) -> set[int]:
        """Return the neighbours to which a line leads."""
        found: dict[int, list[int]] = {}
        for row in self.around[point]:
            for other in self.triangles[row]:
                if other != point:
                    found.setdefault(other, []).append(self.labels[row])
        return {other for other, labels in found.items() if len(labels) != 2 or labels[0] != labels[1]}


def _height(corners: FloatArray) -> float:
    """Return the height of the last corner of a triangle, shape (3, 3), over the edge of the others."""
    edge = corners[1] - corners[0]
    return float(np.linalg.norm(np.cross(edge, corners[2] - corners[0])) / max(float(np.linalg.norm(edge)), 1e-300))


def _longest(corners: FloatArray) -> FloatArray:
    """Return the longest edge of triangles, shape (n, 3, 3)."""
    longest: FloatArray = np.linalg.norm(np.roll(corners, -1, axis=1) - corners, axis=2).max(axis=1)
    return longest


def _replaced(corners: Triangle, old: int, new: int) -> Triangle:
    a, b, c = (new if point == old else point for point in corners)
    return a, b, c
