"""All placements around a target that a search tries: positions on the scalp, angles, and what the casing allows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coils import Coil
from efield.placement import Clearance, frames
from efield.targeting.target import Target
from meshes import HeadModel, Pose, scalp_point, scalp_points

F64 = NDArray[np.float64]

_COVER = 72
"""Angles at which the extent of the table is found: 5 degrees move the tip of a coil by less than a few nodes."""


@dataclass(frozen=True, eq=False)
class Placement:
    """A point of the search: offsets in the plane that touches the scalp over the target (mm), and an angle (rad)."""

    u: float
    v: float
    angle: float


class Placements:
    """All placements around a target: a plane over it is mapped to the scalp, angles count from the front.

    The angle is that of the coil's +y axis (away from the handle), counter-clockwise seen from outside, from the
    direction along the scalp that points most to the front (+y of the head).
    """

    def __init__(
        self,
        head: HeadModel,
        coil: Coil,
        target: Target,
        distance: float,
        radius: float,
        spacing: float,
        angle_step: float,
    ) -> None:
        self.head = head
        self.radius = radius
        self.spacing = spacing
        self.distance = distance
        self._clearance = Clearance(head, coil, distance)
        self.centre, outward = scalp_point(head, target.position)
        self._plane = frames(outward[None], _front(outward[None]))[0][:, :2]
        count = int(np.ceil(radius / spacing))
        steps = spacing * np.arange(-count, count + 1)
        u, v = np.meshgrid(steps, steps, indexing="ij")
        inside = u**2 + v**2 <= radius**2
        self.offsets = np.column_stack([u[inside], v[inside]])
        self.contacts, self.normals = self._contacts(self.offsets)
        n_angles = int(np.ceil(360.0 / angle_step))
        self.angles = 2.0 * np.pi * np.arange(n_angles) / n_angles
        self.rotations, self.origins = self._at(self.angles)

    def _at(self, angles: F64) -> tuple[F64, F64]:
        """Return rotations and origins at these angles, position by position."""
        normals = np.repeat(self.normals, len(angles), axis=0)
        rotations = _turned(frames(normals, _front(normals)), np.tile(angles, len(self.contacts)))
        return rotations, self._clearance.origins(rotations, np.repeat(self.contacts, len(angles), axis=0))

    def cover(self) -> tuple[F64, F64]:
        """Return rotations and origins that leave no gap between angles for the refinement to fall into."""
        if len(self.angles) >= _COVER:
            return self.rotations, self.origins
        return self._at(2.0 * np.pi * np.arange(_COVER) / _COVER)

    def _contacts(self, offsets: F64) -> tuple[F64, F64]:
        return scalp_points(self.head, self.centre + offsets @ self._plane.T)

    def frame(self, placement: Placement) -> tuple[F64, F64]:
        """Return rotation and origin of one placement, shapes (1, 3, 3) and (1, 3)."""
        contact, normal = self._contacts(np.array([[placement.u, placement.v]]))
        rotation = _turned(frames(normal, _front(normal)), np.array([placement.angle]))
        return rotation, self._clearance.origins(rotation, contact)

    def pose(self, placement: Placement) -> Pose:
        """Return one placement as a Pose."""
        rotation, origin = self.frame(placement)
        return Pose.from_axes(origin[0], rotation[0, :, 2], rotation[0, :, 1])

    def summary(self, values: F64) -> dict[str, F64]:
        """Return the best angle and value at every position tried."""
        best = values.argmax(axis=1)
        rows = np.arange(len(values))
        angle = self.angles[best]
        rotations = _turned(frames(self.normals, _front(self.normals)), angle)
        return {
            "position": self.contacts,
            "centre": self._clearance.origins(rotations, self.contacts),
            "angle": np.degrees(angle),
            "value": values[rows, best],
            "handle": -rotations[:, :, 1],
        }


def _front(normals: F64) -> F64:
    """Return the head's front where the scalp lets it, else its left (straight over nose and nape)."""
    front = np.broadcast_to([0.0, 1.0, 0.0], normals.shape)
    steep = np.abs(normals[:, 1]) > 0.98
    return np.where(steep[:, None], [0.0, 0.0, 1.0], front)


def _turned(rotations: F64, angles: F64) -> F64:
    """Turn each frame about its outward normal (-z), counter-clockwise seen from outside."""
    x, y, z = rotations[:, :, 0], rotations[:, :, 1], rotations[:, :, 2]
    c, s = np.cos(angles)[:, None], np.sin(angles)[:, None]
    # Seen from outside (along +z) with y up, x points to the left: a counter-clockwise turn takes y to x.
    return np.ascontiguousarray(np.stack([c * x - s * y, c * y + s * x, z], axis=2))
