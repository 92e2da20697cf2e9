"""Put a coil on a scalp: tangential, at a distance, turned as asked, its casing clear of the head."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coils import Coil
from efield.casing_height import CELL, casing_height, skin_of
from efield.directions import current_on_scalp
from efield.kernels.between import stand_off_between
from efield.kernels.placement import stand_off
from efield.kernels.turns import stand_off_of_turns
from meshes import HeadModel, Pose, arrays, positions_10_10, scalp_point

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

__all__ = ["Clearance", "frames", "place"]

_OLD_NAMES = {"t3": "t7", "t4": "t8", "t5": "p7", "t6": "p8"}
"""Names of the 10-20 system that the 10-10 system replaced."""


class Clearance:
    """How far a coil must stand back so that its casing keeps a distance from the scalp along the coil's axis.

    Parameters
    ----------
    head : HeadModel
        The head.
    coil : Coil
        The coil; without a casing only the point under its centre counts.
    distance : float
        Wanted distance from casing to scalp along the coil's axis (mm): hair, cap, cover.
    """

    def __init__(self, head: HeadModel, coil: Coil, distance: float) -> None:
        self.distance = arrays.non_negative(distance, "distance")
        self._skin = skin_of(head.scalp)
        self._maps = None if coil.casing is None else casing_height(coil.casing)

    def origins(self, rotations: F64, contacts: F64) -> F64:
        """Return the coil origins for poses over the scalp points `contacts`.

        Parameters
        ----------
        rotations : ndarray, shape (n, 3, 3)
            Columns are the coil's axes; z into the head.
        contacts : ndarray, shape (n, 3)
            Scalp points under the coil's centre (mm).

        Returns
        -------
        ndarray, shape (n, 3)
            Each contact, moved out along the coil's axis until no point of the scalp under the casing is nearer to
            it than the distance.

        Notes
        -----
        All points of the scalp count, not its vertices alone: to 0.4 mm times the slope between casing and scalp. Where
        the casing slopes it stays farther off by its slope times 0.8 mm; see `efield.casing_height.CasingHeight`.
        """
        need = np.zeros((len(contacts), 1))
        if self._maps is not None:
            places, axes = np.ascontiguousarray(contacts), np.ascontiguousarray(rotations)
            stand_off(need[:, 0], axes, places, self._skin.vertices, self._maps.fine, self._maps.corner, CELL)
            self._between(need, axes, places, np.zeros(1))
        origins: F64 = contacts - (np.maximum(need, 0.0) + self.distance) * rotations[:, :, 2]
        return origins

    def of_turns(self, rotations: F64, contacts: F64, angles: F64) -> tuple[F64, F64]:
        """Return the distance from contact to origin at all angles, and how high the scalp rises beside the contact.

        Parameters
        ----------
        rotations : ndarray, shape (n, 3, 3)
            Columns are the coil's axes at the angle 0; z into the head.
        contacts : ndarray, shape (n, 3)
            Scalp points under the coil's centre (mm).
        angles : ndarray, shape (n_angles,)
            Angles (rad), counter-clockwise seen from outside.

        Returns
        -------
        distances : ndarray, shape (n, n_angles)
            As in `origins`, from each contact out along the coil's axis (mm).
        bumps : ndarray, shape (n,)
            Greatest height of the scalp over the plane through the contact (mm), within a circle around the casing.
        """
        need, bumps = np.zeros((len(contacts), len(angles))), np.zeros(len(contacts))
        if self._maps is None:
            return need + self.distance, bumps
        shape = (self._maps.fine, self._maps.corner, CELL, self._maps.most, self._maps.least)
        places, axes = np.ascontiguousarray(contacts), np.ascontiguousarray(rotations)
        stand_off_of_turns(need, bumps, axes, places, np.cos(angles), np.sin(angles), self._skin.vertices, *shape)
        self._between(need, axes, places, angles)
        return np.maximum(need, 0.0) + self.distance, bumps

    def _between(self, need: F64, axes: F64, contacts: F64, angles: F64) -> None:
        """Raise what the vertices of the scalp need by what the points between them need."""
        skin, maps = self._skin, self._maps
        assert maps is not None  # for the type checker
        turns = (axes, contacts, np.cos(angles), np.sin(angles))
        scalp = (skin.vertices, skin.triangles, skin.parts)
        stand_off_between(need, *turns, *scalp, maps.coarse, maps.coarse_most, maps.fine, maps.corner, CELL)


def frames(outward: F64, forward: F64) -> F64:
    """Return rotations with z = -outward and y the part of `forward` along the scalp, shapes (n, 3) to (n, 3, 3)."""
    z = -outward
    y = forward - np.einsum("ij,ij->i", forward, z)[:, None] * z
    length = np.linalg.norm(y, axis=1)
    if (length < 1e-6).any():
        raise ValueError("handle must not point straight into or out of the head; got the scalp's normal.")
    y = y / length[:, None]
    return np.ascontiguousarray(np.stack([np.cross(y, z), y, z], axis=2))


def place(
    head: HeadModel,
    centre: str | ArrayLike,
    *,
    handle: ArrayLike | None = None,
    current: str | ArrayLike | None = None,
    distance: float = 4.0,
    coil: Coil | None = None,
) -> Pose:
    """Return the pose of a coil laid on the scalp nearest to a point.

    Parameters
    ----------
    head : HeadModel
        The head.
    centre : str or array_like, shape (3,)
        A position of the 10-10 system such as "C3" (see `meshes.positions_10_10`), or a point on, over or under the
        scalp (mm); it snaps to the nearest scalp point. An object with a `position`, such as a Target, will do.
    handle : array_like, shape (3,), optional
        Direction in head space in which the handle leaves (any length); its part along the scalp counts. By
        default to the back.
    current : str or array_like, shape (3,), optional
        Instead of `handle`: the direction in head space of the current that the rising current in the coil induces in
        the head, ``coil.current_direction``; needs `coil`. "PA" (posterior to anterior), "AP", "LM" (lateral to
        medial), "ML", "PL-AM" (posterior-lateral to anterior-medial, 45 degrees from PA), "AM-PL", or a vector; see
        `efield.directions.current_on_scalp`. Under a circular coil it is the direction under the winding on the
        coil's +x side.
    distance : float, optional
        From the casing's head side to the scalp, along the coil's axis (mm).
    coil : Coil, optional
        With it, the coil is moved back until its whole casing keeps that distance; without it, only the point under
        its centre does.

    Returns
    -------
    Pose

    Raises
    ------
    ValueError
        If a number is not finite, the distance is negative, or the handle points along the scalp's normal; if `current`
        is given together with `handle` or without `coil`, is no known name, or asks for a side on the midline.
    TypeError
        If `head` or `coil` is something else.

    Examples
    --------
    >>> import meshes
    >>> head = meshes.sphere_head(radii=[90], conductivities=[0.33], subdivisions=4)
    >>> pose = place(head, (0, 0, 90), handle=(0, -1, 0), distance=4)
    >>> bool(abs(pose.origin[2] - 94) < 0.2)
    True
    """
    if not isinstance(head, HeadModel):
        raise TypeError(f"head must be a meshes.HeadModel; got {type(head).__name__}.")
    if coil is not None and not isinstance(coil, Coil):
        raise TypeError(f"coil must be a coils.Coil or None; got {type(coil).__name__}.")
    wanted = _named(head, centre) if isinstance(centre, str) else _position(centre)
    if handle is not None and current is not None:
        raise ValueError("handle must not be given together with current, which turns the coil too; got both.")
    point, outward = scalp_point(head, wanted)
    if current is None:
        forward = -arrays.unit_vector((0.0, -1.0, 0.0) if handle is None else handle, "handle")
    else:
        forward = _forward(current_on_scalp(current, wanted, outward), outward, coil)
    rotation = frames(outward[None], forward[None])
    distance = arrays.non_negative(distance, "distance")
    if coil is None:
        origin = point + distance * outward
    else:
        origin = Clearance(head, coil, distance).origins(rotation, point[None])[0]
    return Pose.from_axes(origin, -outward, rotation[0, :, 1])


def _named(head: HeadModel, name: str) -> F64:
    """Return a position of the 10-10 system, written in any case."""
    positions = {key.lower(): point for key, point in positions_10_10(head).items()}
    positions |= {old: positions[new] for old, new in _OLD_NAMES.items()}
    if name.lower() not in positions:
        raise ValueError(f'centre must be a point (mm) or a name of the 10-10 system such as "C3"; got {name!r}.')
    return positions[name.lower()]


def _position(centre: ArrayLike) -> F64:
    return arrays.vector(getattr(centre, "position", centre), "centre")


def _forward(direction: F64, outward: F64, coil: Coil | None) -> F64:
    """Return the direction of the coil's y axis for which its induced current runs along `direction`."""
    if coil is None:
        raise ValueError(
            "coil must be given with current, since coils differ in the sign of their current; got None. "
            "Use coil=..., or handle=... instead of current=...."
        )
    x, y, _ = coil.current_direction
    length = float(np.hypot(x, y))
    if length < 0.1:  # 6 degrees from the axis
        raise ValueError(
            f"coil must induce a current along the scalp to be placed by current; got {coil.name}, whose "
            f"current_direction is along its axis. Use handle=...."
        )
    # With c along (x, y) in the coil's plane, y_axis = y c + x (z_axis x c).
    forward: F64 = (y * direction + x * np.cross(-outward, direction)) / length
    return forward
