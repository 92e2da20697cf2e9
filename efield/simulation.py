"""One call from head, coil and pose to the field."""

from __future__ import annotations

from numpy.typing import ArrayLike

from coils import Coil
from efield.bem import BemSolver
from efield.fields import EField
from meshes import HeadModel, Pose


def simulate(head: HeadModel, coil: Coil, pose: Pose, *, didt: float = 1e6, points: ArrayLike | None = None) -> EField:
    """Return the electric field of a coil in a head.

    Parameters
    ----------
    head : HeadModel
        The head.
    coil : Coil
        The coil.
    pose : Pose
        Coil to head.
    didt : float, optional
        Rate of change of the coil current (A/s).
    points : array_like, shape (n, 3), optional
        Where (mm); the vertices of ``head.cortex`` by default.

    Returns
    -------
    EField

    Notes
    -----
    All cost that depends on the head alone is paid anew in each call; for several poses or coils keep one `BemSolver`.
    """
    return BemSolver(head).solve(coil, pose, didt=didt, points=points)
