"""Hold a surface under repair with where its vertices were at first and what was done to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meshes.arrays import FloatArray
from meshes.surface import Surface

__all__ = ["Draft"]


@dataclass(frozen=True, eq=False)
class Draft:
    """A surface under repair.

    Parameters
    ----------
    surface : Surface
        As it is now.
    start : ndarray, shape (n_vertices, 3)
        Where each vertex was in the surface that was given; for a new vertex, where it was made (mm).
    notes : tuple of str
        What was done so far.
    """

    surface: Surface
    start: FloatArray
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, surface: Surface) -> Draft:
        """Return the draft of a surface as it was given."""
        return cls(surface, surface.vertices.copy())

    @property
    def moved(self) -> FloatArray:
        """How far each vertex is from its start (mm), shape (n_vertices,)."""
        length: FloatArray = np.linalg.norm(self.surface.vertices - self.start, axis=1)
        return length

    def noted(self, *notes: str) -> Draft:
        """Return the draft with more notes."""
        return Draft(self.surface, self.start, (*self.notes, *notes))

    def with_vertices(self, vertices: FloatArray, max_move: float) -> Draft:
        """Return the draft with vertices moved, none farther than `max_move` from its start (mm)."""
        step = vertices - self.start
        length = np.linalg.norm(step, axis=1)
        far = length > max_move
        # A hair less, so that rounding does not exceed what was allowed.
        step[far] *= (max_move * (1.0 - 1e-9) / length[far])[:, None]
        placed = np.where(far[:, None], self.start + step, vertices)
        return Draft(Surface(placed, self.surface.triangles, self.surface.name), self.start, self.notes)

    def with_triangles(self, triangles: npt.ArrayLike) -> Draft:
        """Return the draft with other triangles on the same vertices; vertices that none uses are dropped."""
        rows = np.asarray(triangles, dtype=np.int64).reshape(-1, 3)
        used, index = np.unique(rows, return_inverse=True)
        surface = Surface(self.surface.vertices[used], index.reshape(-1, 3).astype(np.int32), self.surface.name)
        return Draft(surface, self.start[used], self.notes)
