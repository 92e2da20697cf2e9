"""All placements around a target that a search tries: positions on the scalp, angles, tilts, casing off the scalp."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coils import Coil
from efield.placement import Clearance, frames
from efield.targeting.target import Target
from meshes import HeadModel, Pose, arrays, scalp_point, scalp_points

F64 = NDArray[np.float64]

_COVER = 72
"""Angles at which the extent of the table is found: 5 degrees move the tip of a coil by less than a few nodes."""

_COARSE = 4.0
"""Positions at which the extent of the table is found lie at least so far apart (mm); see `Placements.spare`."""


@dataclass(frozen=True, eq=False)
class Placement:
    """A point of the search.

    Attributes
    ----------
    u, v : float
        Offsets in the plane that touches the scalp over the target (mm).
    angle : float
        About the coil's axis (rad).
    tilt_x, tilt_y : float
        Turn of the axis away from the scalp's normal, about x and y of the frame at the angle 0 (rad).
    """

    u: float
    v: float
    angle: float
    tilt_x: float = 0.0
    tilt_y: float = 0.0


class Placements:
    """All placements around a target: a plane over it is mapped to the scalp, angles count from the front.

    The angle is that of the coil's +y axis (away from the handle), counter-clockwise seen from outside, from the
    direction along the scalp that points most to the front (+y of the head).

    Parameters
    ----------
    head, coil : HeadModel, Coil
        Head and coil.
    target : Target or array_like, shape (3,)
        What the plane lies over.
    distance, radius, spacing, angle_step : float
        See `efield.optimize` (mm, mm, mm, degrees).
    tilt : float, optional
        Greatest angle between the coil's axis and the scalp's normal (degrees); 0 keeps the coil tangential.
    rim : bool, optional
        Whether to keep points of the grid outside the radius whose cell reaches within it, so that the cells cover all.

    Attributes
    ----------
    offsets : ndarray, shape (n_positions, 2)
        In the plane (mm).
    inside : ndarray of bool, shape (n_positions,)
        Which are within the radius.
    contacts, normals : ndarray, shape (n_positions, 3)
        On the scalp.
    angles : ndarray, shape (n_angles,)
        Angles (rad).
    tilts : ndarray, shape (n_tilts, 2)
        Tilts tried (rad); the first is none.
    """

    def __init__(
        self,
        head: HeadModel,
        coil: Coil,
        target: Target | ArrayLike,
        distance: float,
        radius: float,
        spacing: float,
        angle_step: float,
        *,
        tilt: float = 0.0,
        rim: bool = False,
    ) -> None:
        self.head = head
        self.radius = radius
        self.spacing = spacing
        self.distance = distance
        self.tilt = float(np.radians(tilt))
        self.clearance = Clearance(head, coil, distance)
        over = target.position if isinstance(target, Target) else arrays.vector(target, "target")
        self.centre, outward = scalp_point(head, over)
        self._plane = frames(outward[None], _front(outward[None]))[0][:, :2]
        self.offsets = _disc(radius, spacing, rim=rim)
        self.inside = np.hypot(self.offsets[:, 0], self.offsets[:, 1]) <= radius
        self.contacts, self.normals = self.on_scalp(self.offsets)
        n_angles = int(np.ceil(360.0 / angle_step))
        self.angles = 2.0 * np.pi * np.arange(n_angles) / n_angles
        self.tilts = _tilts(self.tilt)

    @cached_property
    def sites(self) -> tuple[F64, F64]:
        """Frames at the angle 0 and contacts of every position with every tilt, position by position."""
        return self._sites(self.contacts, self.normals)

    def _sites(self, contacts: F64, normals: F64) -> tuple[F64, F64]:
        upright = frames(normals, _front(normals))
        tilted = np.einsum("pij,tjk->ptik", upright, _tilting(self.tilts)).reshape(-1, 3, 3)
        return np.ascontiguousarray(tilted), np.repeat(contacts, len(self.tilts), axis=0)

    @cached_property
    def rotations(self) -> F64:
        """Rotations of all poses, position by position, tilt by tilt, angle by angle, shape (n_poses, 3, 3)."""
        return self.poses_at(np.arange(len(self.sites[0])))[0]

    @cached_property
    def origins(self) -> F64:
        """Origins of all poses (mm), shape (n_poses, 3)."""
        return self.poses_at(np.arange(len(self.sites[0])))[1]

    def poses_at(self, sites: NDArray[np.int64]) -> tuple[F64, F64]:
        """Return rotations and origins of some sites at all angles, site by site."""
        axes, contacts = (part[sites] for part in self.sites)
        distances, _ = self.clearance.of_turns(axes, contacts, self.angles)
        return _all_turns(axes, contacts, self.angles, distances)

    def cover(self, *, turns: bool = True) -> tuple[F64, F64]:
        """Return poses between which no pose of the search lies farther than `spare`.

        Parameters
        ----------
        turns : bool, optional
            Whether at all angles; else each position at the angle 0, at its least and its greatest distance.
        """
        step = max(self.spacing, _COARSE)
        axes, contacts = self._sites(*self.on_scalp(_disc(self.radius + 0.5 * step, step, rim=True)))
        angles = 2.0 * np.pi * np.arange(_COVER) / _COVER
        distances, _ = self.clearance.of_turns(axes, contacts, angles)
        if turns:
            return _all_turns(axes, contacts, angles, distances)
        ends = np.column_stack([distances.min(axis=1), distances.max(axis=1)])
        rotations = np.ascontiguousarray(np.repeat(axes, 2, axis=0))
        origins = np.repeat(contacts, 2, axis=0) - ends.reshape(-1, 1) * rotations[:, :, 2]
        return rotations, origins

    @property
    def spare(self) -> float:
        """How far a pose may lie from the nearest of `cover` (mm)."""
        return max(self.spacing, _COARSE)

    def on_scalp(self, offsets: F64) -> tuple[F64, F64]:
        """Return the scalp points and normals at offsets in the plane, shape (n, 2) to (n, 3) twice."""
        return scalp_points(self.head, self.centre + offsets @ self._plane.T)

    def frames_of(self, points: F64) -> tuple[F64, F64]:
        """Return rotations and origins of placements given as rows (u, v, angle, tilt_x, tilt_y), mm and rad."""
        contacts, normals = self.on_scalp(points[:, :2])
        upright = frames(normals, _front(normals))
        tilted = np.einsum("pij,pjk->pik", upright, _tilting(points[:, 3:]))
        rotations = _turned(tilted, points[:, 2])
        return rotations, self.clearance.origins(rotations, contacts)

    def frame(self, placement: Placement) -> tuple[F64, F64]:
        """Return rotation and origin of one placement, shapes (1, 3, 3) and (1, 3)."""
        p = placement
        return self.frames_of(np.array([[p.u, p.v, p.angle, p.tilt_x, p.tilt_y]]))

    def pose(self, placement: Placement) -> Pose:
        """Return one placement as a Pose."""
        rotation, origin = self.frame(placement)
        return Pose.from_axes(origin[0], rotation[0, :, 2], rotation[0, :, 1])

    def summary(self, values: NDArray[np.floating]) -> dict[str, F64]:
        """Return the best angle and value at every position within the radius; values of shape (n_sites, n_angles)."""
        by_position = values.reshape(len(self.contacts), -1)[self.inside]
        best = by_position.argmax(axis=1)
        tilt, turn = np.divmod(best, len(self.angles))
        angle = self.angles[turn]
        points = np.column_stack([self.offsets[self.inside], angle, self.tilts[tilt]])
        rotations, centres = self.frames_of(points)
        return {
            "position": self.contacts[self.inside],
            "centre": centres,
            "angle": np.degrees(angle),
            "value": by_position[np.arange(len(best)), best].astype(np.float64),
            "handle": -rotations[:, :, 1],
        }


def _disc(radius: float, spacing: float, *, rim: bool) -> F64:
    """Return a square grid within a radius; with `rim` also the points whose cell reaches within it."""
    count = int(np.ceil(radius / spacing)) + 1
    steps = spacing * np.arange(-count, count + 1)
    u, v = np.meshgrid(steps, steps, indexing="ij")
    half = 0.5 * spacing if rim else 0.0
    near = np.hypot(np.maximum(np.abs(u) - half, 0.0), np.maximum(np.abs(v) - half, 0.0)) <= radius
    return np.column_stack([u[near], v[near]])


def _tilts(limit: float) -> F64:
    """Return the tilts to try: none first, then the eight around it; squares about them cover all up to the limit."""
    if limit == 0.0:
        return np.zeros((1, 2))
    steps = limit * 2.0 / 3.0 * np.array([0.0, -1.0, 1.0])
    x, y = np.meshgrid(steps, steps, indexing="ij")
    return np.column_stack([x.ravel(), y.ravel()])


def _tilting(tilts: F64) -> F64:
    """Return the rotations by tilts (about x and y, rad), shape (n, 2) to (n, 3, 3)."""
    from scipy.spatial.transform import Rotation

    rotations: F64 = Rotation.from_rotvec(np.column_stack([tilts, np.zeros(len(tilts))])).as_matrix()
    return rotations


def _front(normals: F64) -> F64:
    """Return the head's front where the scalp lets it, else its left (straight over nose and nape)."""
    front = np.broadcast_to([0.0, 1.0, 0.0], normals.shape)
    steep = np.abs(normals[:, 1]) > 0.98
    return np.where(steep[:, None], [0.0, 0.0, 1.0], front)


def _all_turns(axes: F64, contacts: F64, angles: F64, distances: F64) -> tuple[F64, F64]:
    """Return rotations and origins of all angles at each contact."""
    rotations = _turned(np.repeat(axes, len(angles), axis=0), np.tile(angles, len(axes)))
    origins = np.repeat(contacts, len(angles), axis=0) - distances.reshape(-1, 1) * rotations[:, :, 2]
    return rotations, origins


def _turned(rotations: F64, angles: F64) -> F64:
    """Turn each frame about its outward normal (-z), counter-clockwise seen from outside."""
    x, y, z = rotations[:, :, 0], rotations[:, :, 1], rotations[:, :, 2]
    c, s = np.cos(angles)[:, None], np.sin(angles)[:, None]
    # Seen from outside (along +z) with y up, x points to the left: a counter-clockwise turn takes y to x.
    return np.ascontiguousarray(np.stack([c * x - s * y, c * y + s * x, z], axis=2))
