"""Move a placed coil by errors of placement, so that every pose is one that a coil can really have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coils import Coil
from efield.placement import Clearance
from efield.targeting.placement_errors import Moves
from meshes import HeadModel, Pose, Surface, scalp_points

F64 = NDArray[np.float64]

__all__ = ["Disturber", "Seat"]

_INTO = 1.0
"""A casing that reaches this far into the scalp (mm) is an error of the caller's, not of the scalp's sampling."""


@dataclass(frozen=True, eq=False)
class Seat:
    """Where and how a coil sits on the scalp.

    Attributes
    ----------
    contact, normal : ndarray, shape (3,)
        Scalp point on the coil's axis (mm), and the scalp's smoothed outward normal there.
    rotation : ndarray, shape (3, 3)
        Columns are the coil's axes in head space.
    gap : float
        From casing to scalp, along the coil's axis (mm).
    """

    contact: F64
    normal: F64
    rotation: F64
    gap: float


class Disturber:
    """Poses of a coil around a planned one.

    Parameters
    ----------
    head : HeadModel
        The head.
    coil : Coil
        The coil.

    Notes
    -----
    The contact is moved in the plane that touches the scalp and from there to the closest scalp point (an offset of 15
    mm becomes 14.8 mm along a head of 85 mm radius); the coil keeps its tilt against the scalp's smoothed normal,
    without spin (parallel transport); it is then turned about its axis and tilted about the contact, and stands back
    until its casing keeps the planned gap again: a tilted coil rests on its rim. Lift-off comes on top.
    """

    def __init__(self, head: HeadModel, coil: Coil) -> None:
        self.head = head
        self.coil = coil
        self._clearance = Clearance(head, coil, 0.0)

    def seat(self, pose: Pose) -> Seat:
        """Return how a pose sits on the scalp.

        Raises
        ------
        ValueError
            If the coil's axis misses the head, or its casing reaches into it.
        """
        contact = _first_hit(self.head.scalp, pose.origin, pose.z_axis)
        if contact is None:
            raise ValueError(
                "pose must lie over the scalp with +z into the head; got one whose axis misses it. Use efield.place."
            )
        rotation = np.ascontiguousarray(pose.rotation)
        touching = self._clearance.origins(rotation[None], contact[None])[0]
        gap = float((touching - pose.origin) @ pose.z_axis)
        if gap < -_INTO:
            raise ValueError(
                f"pose must keep the coil's casing off the scalp; got one that reaches {-gap:.1f} mm into it. Use "
                "efield.place(..., coil=coil)."
            )
        normal = scalp_points(self.head, contact[None])[1][0]
        return Seat(contact, normal, rotation, gap)

    def tangential(self, contact: F64, normal: F64, forward: F64, gap: float) -> Seat:
        """Return a seat with the coil along the scalp, its y axis along `forward`."""
        y = forward - (forward @ normal) * normal
        y = y / np.linalg.norm(y)
        return Seat(contact, normal, np.column_stack([np.cross(normal, y), y, -normal]), gap)

    def moved(self, seat: Seat, shift: F64, angle: float) -> Seat:
        """Return the seat planned elsewhere: shifted along the scalp (mm) and turned about the coil's axis (rad)."""
        contacts, normals, rotations = self._on_scalp(seat, _single(shift, angle))
        return Seat(contacts[0], normals[0], rotations[0], seat.gap)

    def pose(self, seat: Seat) -> Pose:
        """Return the pose of a seat."""
        rotations, origins = self.poses(seat, _single(np.zeros(2), 0.0))
        return Pose.from_axes(origins[0], rotations[0, :, 2], rotations[0, :, 1])

    def poses(self, seat: Seat, moves: Moves) -> tuple[F64, F64]:
        """Return rotations, shape (n, 3, 3), and origins (mm), shape (n, 3), of a seat after each error."""
        contacts, _, rotations = self._on_scalp(seat, moves)
        rotations = np.ascontiguousarray(rotations)
        origins = self._clearance.origins(rotations, contacts)
        origins = origins - (seat.gap + moves.lift)[:, None] * rotations[:, :, 2]
        return rotations, np.ascontiguousarray(origins)

    def _on_scalp(self, seat: Seat, moves: Moves) -> tuple[F64, F64, F64]:
        """Return contacts, normals and rotations after each error but lift-off."""
        contacts = np.tile(seat.contact, (len(moves), 1))
        normals = np.tile(seat.normal, (len(moves), 1))
        away = moves.shift.any(axis=1)
        if away.any():
            along = seat.rotation[:, 1] - (seat.rotation[:, 1] @ seat.normal) * seat.normal
            along = along / np.linalg.norm(along)
            plane = np.column_stack([np.cross(seat.normal, along), along])
            contacts[away], normals[away] = scalp_points(self.head, seat.contact + moves.shift[away] @ plane.T)
        # Counter-clockwise seen from outside is clockwise about the coil's z.
        own = _rotations(np.column_stack([np.zeros_like(moves.tilt), -moves.angle]))
        own = own @ _rotations(np.column_stack([moves.tilt, np.zeros(len(moves))]))
        rotations = _least_turns(seat.normal, normals) @ seat.rotation @ own
        return contacts, normals, rotations


def _single(shift: F64, angle: float) -> Moves:
    return Moves(shift[None], np.array([angle]), np.zeros((1, 2)), np.zeros(1))


def _least_turns(start: F64, ends: F64) -> F64:
    """Return the rotations that take one unit vector to others by the shortest way, shape (n, 3, 3)."""
    axis = np.cross(start, ends)
    cross = _cross_matrices(axis)
    turns: F64 = np.eye(3) + cross + cross @ cross / (1.0 + ends @ start)[:, None, None]
    return turns


def _rotations(vectors: F64) -> F64:
    """Return rotations by vectors (rad), shape (n, 3) to (n, 3, 3); Rodrigues' formula."""
    angle = np.linalg.norm(vectors, axis=1)[:, None, None]
    cross = _cross_matrices(vectors)
    # sinc and its like stay finite at zero: sin(a)/a and (1 - cos a)/a^2.
    rotations: F64 = np.eye(3) + np.sinc(angle / np.pi) * cross
    rotations = rotations + 0.5 * np.sinc(0.5 * angle / np.pi) ** 2 * (cross @ cross)
    return rotations


def _cross_matrices(vectors: F64) -> F64:
    """Return the matrices that take x to v x x."""
    x, y, z = vectors.T
    none = np.zeros_like(x)
    return np.stack([none, -z, y, z, none, -x, -y, x, none], axis=1).reshape(-1, 3, 3)


def _first_hit(surface: Surface, start: F64, direction: F64) -> F64 | None:
    """Return the point of a surface nearest to `start` on the line through it, towards the head or just behind.

    A coil's origin may lie a few millimetres under the scalp where the casing is bent around the head.
    """
    a, b, c = (surface.corners[:, corner] for corner in range(3))
    normal = np.cross(b - a, c - a)
    facing = normal @ direction
    outside = facing < 0.0  # where the line enters the head
    with np.errstate(divide="ignore", invalid="ignore"):
        along = np.einsum("ij,ij->i", normal, a - start) / facing
    points = start + np.where(outside, along, 0.0)[:, None] * direction
    # Inside of all three edges, with a trace to spare for lines through an edge.
    size = 1e-12 * np.einsum("ij,ij->i", normal, normal)
    for p, q in ((a, b), (b, c), (c, a)):
        outside &= np.einsum("ij,ij->i", np.cross(q - p, points - p), normal) >= -size
    found = np.flatnonzero(outside & (along > -30.0))
    if not len(found):
        return None
    nearest: F64 = points[found[np.abs(along[found]).argmin()]]
    return nearest
