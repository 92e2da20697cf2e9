"""All triangles of a head in one list, each with its interface and the conductivities on its sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from meshes.arrays import FloatArray
from meshes.checks import crossing_pairs
from meshes.head import Interface
from meshes.lesions.junctions import split_at_points
from meshes.lesions.tidy import tidied
from meshes.partitions import merged_surface
from meshes.refine import split_surface
from meshes.surface import Surface

__all__ = ["Complex", "Part", "soup"]

BoolArray = npt.NDArray[np.bool_]
IndexArray = npt.NDArray[np.int64]

_SAME = 1e-8
"""Points nearer than this are one (mm): where two cuts of the same surfaces meet, they differ by rounding only."""

_SPLITS = 6
"""Rounds of halving edges at most."""

_ATTEMPTS = 8
"""Rounds of mending less around places where mended triangles cross."""

_SHRINK = 0.25
"""How much less far points move there in the next round."""


class Part(NamedTuple):
    """Triangles by their corners.

    Attributes
    ----------
    corners : ndarray, shape (n, 3, 3)
        mm.
    owner : ndarray, shape (n,)
        Number of the interface of each.
    sigmas : ndarray, shape (n, 2)
        Conductivity inside and outside (S/m).
    """

    corners: FloatArray
    owner: IndexArray
    sigmas: FloatArray

    @classmethod
    def none(cls) -> Part:
        """Return no triangles."""
        return cls(np.empty((0, 3, 3)), np.empty(0, dtype=np.int64), np.empty((0, 2)))


def soup(corners: FloatArray) -> Surface:
    """Return triangles, shape (n, 3, 3), as a surface on vertices of their own."""
    return _surface(corners.reshape(-1, 3), np.arange(3 * len(corners)).reshape(-1, 3))


def _surface(points: FloatArray, triangles: npt.NDArray[np.integer], name: str = "all") -> Surface:
    return Surface(points, triangles.astype(np.int32), name)


@dataclass(frozen=True, eq=False)
class Complex:
    """Triangles of several surfaces on common vertices.

    Attributes
    ----------
    points : ndarray, shape (n_points, 3)
        mm.
    triangles : ndarray, shape (n, 3)
    owner : ndarray, shape (n,)
        Number of the interface of each triangle.
    sigmas : ndarray, shape (n, 2)
        Conductivity inside and outside (S/m).
    """

    points: FloatArray
    triangles: IndexArray
    owner: IndexArray
    sigmas: FloatArray

    @classmethod
    def of(cls, interfaces: Sequence[Interface]) -> Complex:
        """Return the complex of a head's interfaces."""
        merged = merged_surface([interface.surface for interface in interfaces])
        return cls(
            merged.vertices,
            merged.triangles.astype(np.int64),
            np.repeat(np.arange(len(interfaces)), [len(interface.surface.triangles) for interface in interfaces]),
            np.concatenate([interface.sigmas for interface in interfaces]),
        )

    @property
    def corners(self) -> FloatArray:
        """Corners of the triangles (mm), shape (n, 3, 3)."""
        return self.points[self.triangles]

    def region(self, sigma: float) -> tuple[Surface, IndexArray]:
        """Return the closed boundary of what has a conductivity, and the triangle that each of its triangles is."""
        has = self.sigmas == sigma
        first, second = np.flatnonzero(has[:, 0] & ~has[:, 1]), np.flatnonzero(has[:, 1] & ~has[:, 0])
        turned = np.concatenate([self.triangles[first], self.triangles[second][:, ::-1]])
        return _surface(self.points, turned, f"region of {sigma:g} S/m"), np.concatenate([first, second])

    def split_near(self, cutter: Surface, tissues: Sequence[float], edge: float) -> Complex:
        """Return the complex with edges near a surface halved where they are longer than one and a half times `edge`.

        Only triangles at the given conductivities are split, and neighbours as far as they must be.
        """
        import igl

        current = self
        low, high = cutter.vertices.min(axis=0), cutter.vertices.max(axis=0)
        for _ in range(_SPLITS):
            corners = current.corners
            longest = np.linalg.norm(np.roll(corners, -1, axis=1) - corners, axis=2).max(axis=1)
            wanted = np.isin(current.sigmas, tissues).any(axis=1) & (longest > 1.5 * edge)
            wanted &= ((corners.max(axis=1) >= low - edge) & (corners.min(axis=1) <= high + edge)).all(axis=1)
            rows = np.flatnonzero(wanted)
            if not len(rows):
                break
            samples = np.concatenate([corners[rows], corners[rows].mean(axis=1, keepdims=True)], axis=1).reshape(-1, 3)
            squared = igl.point_mesh_squared_distance(samples, cutter.vertices, cutter.triangles.astype(np.int64))[0]
            near = np.sqrt(squared).reshape(-1, 4).min(axis=1) < 0.5 * longest[rows] + edge
            marked = np.zeros(len(corners), dtype=np.bool_)
            marked[rows[near]] = True
            if not near.any():
                break
            surface, parent = split_surface(_surface(current.points, current.triangles), marked)
            current = Complex(
                surface.vertices, surface.triangles.astype(np.int64), current.owner[parent], current.sigmas[parent]
            )
        return current

    def with_parts(self, parts: Sequence[Part]) -> tuple[Complex, BoolArray]:
        """Return the complex with more triangles, and which of all are new; a corner on a known point is that point.

        Triangles two corners of which are one point are left out. Known triangles are split at corners that lie on
        their edges (`meshes.lesions.junctions` tells why), and their pieces are new.
        """
        from scipy.spatial import cKDTree

        corners = np.concatenate([part.corners for part in parts])
        found = corners.reshape(-1, 3)
        distance, known = cKDTree(self.points).query(found, distance_upper_bound=_SAME)
        number = np.where(np.isfinite(distance), known, -1)
        fresh = np.flatnonzero(number < 0)
        # Each point stands for those within reach of it; the first in the list gives the coordinates.
        first = np.arange(len(fresh))
        if len(fresh):
            pairs = cKDTree(found[fresh]).query_pairs(_SAME, output_type="ndarray")
            np.minimum.at(first, pairs.max(axis=1), pairs.min(axis=1))
        kept, which = np.unique(first, return_inverse=True)
        number[fresh] = len(self.points) + which
        triangles = number.reshape(-1, 3)
        whole = (triangles != np.roll(triangles, -1, axis=1)).all(axis=1)
        points = np.concatenate([self.points, found[fresh[kept]]])
        pieces, parent = split_at_points(points, self.triangles, np.arange(len(self.points), len(points)))
        old = np.setdiff1d(np.arange(len(self.triangles)), parent)
        rows = np.concatenate([old, parent])
        result = Complex(
            points,
            np.concatenate([self.triangles[old], pieces, triangles[whole]]),
            np.concatenate([self.owner[rows], np.concatenate([part.owner for part in parts])[whole]]),
            np.concatenate([self.sigmas[rows], np.concatenate([part.sigmas for part in parts])[whole]]),
        )
        return result, np.arange(len(result.triangles)) >= len(old)

    def kept(self, rows: BoolArray) -> Complex:
        """Return the complex of some triangles, on the same points."""
        return replace(self, triangles=self.triangles[rows], owner=self.owner[rows], sigmas=self.sigmas[rows])

    def tidied(self, movable: BoolArray, longest: float) -> Complex:
        """Return the complex with thin triangles at movable points mended, as far as none cross for it.

        Parameters
        ----------
        movable : ndarray of bool, shape (n_points,)
            Points that may be given up.
        longest : float
            Longest edge that may collapse (mm).
        """
        from scipy.spatial import cKDTree

        reach = np.where(movable, longest, 0.0)
        labels = np.unique(np.column_stack([self.owner, self.sigmas]), axis=0, return_inverse=True)[1].reshape(-1)
        sample = np.unique(labels, return_index=True)[1]  # one triangle of each label
        near = movable.copy()
        near[self.triangles[movable[self.triangles].any(axis=1)]] = True
        active = near[self.triangles].any(axis=1)
        for attempt in range(_ATTEMPTS):
            mended, own = tidied(self.points, self.triangles[active], labels[active], reach, least=longest)
            result = Complex(
                self.points,
                np.concatenate([self.triangles[~active], mended]),
                np.concatenate([self.owner[~active], self.owner[sample[own]]]),
                np.concatenate([self.sigmas[~active], self.sigmas[sample[own]]]),
            )
            bad = _crossing_points(result, movable)
            if not len(bad):
                return result
            # As cut nothing crosses: around what does, points move less far, and in the end not at all.
            distance = cKDTree(self.points[bad]).query(self.points)[0]
            reach[distance < longest] *= _SHRINK if attempt < _ATTEMPTS - 4 else 0.0
        return self

    def interfaces(self, old: Sequence[Interface], names: Sequence[str]) -> tuple[Interface, ...]:
        """Return the interfaces by number, without those that have no triangle; untouched ones are the old ones.

        Parameters
        ----------
        old : sequence of Interface
            The first interfaces, as they were.
        names : sequence of str
            Names of all.

        Returns
        -------
        tuple of Interface
        """
        found = []
        for number, name in enumerate(names):
            mine = np.flatnonzero(self.owner == number)
            if not len(mine):
                continue
            if number < len(old) and np.array_equal(self.corners[mine], old[number].surface.corners):
                found.append(old[number])  # nothing of it was touched, so its conductivities are as they were
                continue
            used, triangles = np.unique(self.triangles[mine], return_inverse=True)
            surface = _surface(self.points[used], triangles.reshape(-1, 3), name)
            found.append(Interface(surface, self.sigmas[mine, 0], self.sigmas[mine, 1]))
        return tuple(found)


def _crossing_points(result: Complex, movable: BoolArray) -> IndexArray:
    """Return the points of triangles that cross others, of those that may have been changed."""
    touched = movable[result.triangles].any(axis=1)
    corners = result.corners
    low, high = corners[touched].min(axis=(0, 1)), corners[touched].max(axis=(0, 1))
    near = np.flatnonzero(((corners.max(axis=1) >= low) & (corners.min(axis=1) <= high)).all(axis=1))
    used, triangles = np.unique(result.triangles[near], return_inverse=True)
    patch = _surface(result.points[used], triangles.reshape(-1, 3))
    first, second = crossing_pairs([patch])
    one, other = patch.triangles[first], patch.triangles[second]
    # Those with a common edge lie on each other at most, which normals forbid.
    cross = (one[:, :, None] == other[:, None, :]).sum(axis=(1, 2)) < 2
    points: IndexArray = used[np.unique(np.concatenate([one[cross], other[cross]]))]
    return points
