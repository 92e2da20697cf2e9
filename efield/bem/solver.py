"""Solve for the field of a coil in a head: cost that depends on the head alone is paid once."""

from __future__ import annotations

import logging
import platform
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from importlib import metadata

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coils import Coil
from efield.bem import quadrature
from efield.bem.estimate import cortex_sample, estimate_error
from efield.bem.krylov import KrylovResult
from efield.bem.operator import BemOperator
from efield.bem.refinement import CORTEX_SAMPLE, Refinement, marked_triangles
from efield.fields import EField
from efield.primary import primary_field
from meshes import HeadModel, Pose, Surface, arrays
from meshes.checks import crossing_pairs, winding_numbers
from meshes.refine import split_head

F64 = NDArray[np.float64]

logger = logging.getLogger(__name__)

_UNIT = 1e6
"""Rate of change of current that is solved for (A/s)."""

_BLOCK = 8
"""Poses solved in one block: more share little more, and the common space grows."""


class BemSolver:
    """Boundary-element solver of a head.

    Parameters
    ----------
    head : HeadModel
        The head.
    tolerance : float, optional
        Relative residual at which the linear solver stops.
    accuracy : float, optional
        Relative accuracy of the far part of a matrix product.
    memory_limit : float, optional
        Bytes the solver may use; by default 0.8 of the machine's memory.

    Attributes
    ----------
    cost : dict of str to float
        What the set-up cost: "bytes" stored, and seconds of each part.

    Raises
    ------
    MemoryError
        If the head has too many triangles for the memory, with the number; before it is used.

    Examples
    --------
    >>> import coils, meshes
    >>> head = meshes.sphere_head(radii=[90, 80], conductivities=[0.33, 1.0], subdivisions=2)
    >>> pose = meshes.Pose([[-1, 0, 0, 0], [0, 1, 0, 0], [0, 0, -1, 95], [0, 0, 0, 1]])
    >>> field = BemSolver(head).solve(coils.load_coil("magstim-70mm"), pose)
    >>> field.error_estimate.residual < 1e-5
    True
    """

    def __init__(
        self,
        head: HeadModel,
        *,
        tolerance: float = 1e-5,
        accuracy: float = 1e-4,
        memory_limit: float | None = None,
    ) -> None:
        if not isinstance(head, HeadModel):
            raise TypeError(f"head must be a meshes.HeadModel; got {type(head).__name__}.")
        self.head = head
        self.tolerance = _below_one(tolerance, "tolerance")
        self.accuracy = _below_one(accuracy, "accuracy")
        self.memory_limit = memory_limit
        began = time.perf_counter()
        self.operator = BemOperator(head, tolerance=self.accuracy, memory_limit=memory_limit)
        layer = self.operator.layer
        self.cost = {
            "bytes": float(layer.nbytes),
            **{f"seconds, {part}": seconds for part, seconds in layer.seconds.items()},
            "seconds in all": time.perf_counter() - began,
        }

    def __repr__(self) -> str:
        return f"BemSolver({self.head.name!r}, {len(self.operator.part)} triangles)"

    @cached_property
    def quadrature_points(self) -> F64:
        """Points at which the primary field is averaged over each triangle (mm), shape (n, 7, 3)."""
        return quadrature.points_on(self.operator.surface.corners, quadrature.SEVEN_POINTS)

    def normal_primary(self, coil: Coil, pose: Pose, didt: float) -> F64:
        """Return the mean normal primary field on each triangle (V/m), shape (n,)."""
        points = self.quadrature_points
        field = primary_field(points.reshape(-1, 3), coil, pose, didt=didt).reshape(points.shape)
        normal: F64 = np.einsum("nqd,nd,q->n", field, self.operator.surface.normals, quadrature.SEVEN_WEIGHTS)
        return normal

    def solve(
        self,
        coil: Coil,
        pose: Pose,
        *,
        didt: float = 1e6,
        points: ArrayLike | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> EField:
        """Return the electric field of a coil.

        Parameters
        ----------
        coil : Coil
            The coil.
        pose : Pose
            Coil to head.
        didt : float, optional
            Rate of change of the coil current (A/s).
        points : array_like, shape (n, 3), optional
            Where (mm); the vertices of ``head.cortex`` by default. On an interface the normal component is the
            mean of both sides.
        progress : callable, optional
            Called with (iteration, limit).

        Returns
        -------
        EField

        Raises
        ------
        ValueError
            If the coil cuts into the head, or `points` are not finite.
        RuntimeError
            If the linear solver does not converge.
        """
        surface = None if points is not None else self.head.cortex
        where = self.head.cortex.vertices if points is None else arrays.vectors(points, "points", allow_single=True)
        return self._field(self._charges(coil, pose, progress), coil, pose, _finite(didt, "didt"), where, surface)

    def solve_many(
        self,
        coil: Coil,
        poses: Sequence[Pose],
        *,
        didt: float = 1e6,
        points: ArrayLike | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[EField]:
        """Return the fields of a coil in several poses, solved in blocks: less than half the time of each alone.

        Parameters
        ----------
        coil, didt, points
            As in `solve`.
        poses : sequence of Pose
            Coil to head.
        progress : callable, optional
            Called with (poses done, of).

        Returns
        -------
        list of EField
            In the order of the poses; within the tolerance the same as from `solve`.

        Raises
        ------
        ValueError, RuntimeError
            As `solve`.
        """
        surface = None if points is not None else self.head.cortex
        where = self.head.cortex.vertices if points is None else arrays.vectors(points, "points", allow_single=True)
        didt = _finite(didt, "didt")
        for pose in poses:
            check_outside(self.head, coil, pose)
        fields: list[EField] = []
        for first in range(0, len(poses), _BLOCK):
            block = poses[first : first + _BLOCK]
            normal = np.column_stack([self.normal_primary(coil, pose, _UNIT) for pose in block])
            rhs = self.operator.contrast[:, None] * self.operator.without_net_flux(normal)
            solved = self.operator.solve(rhs, tolerance=self.tolerance)
            for column, pose in enumerate(block):
                own = KrylovResult(
                    solution=np.ascontiguousarray(solved.solution[:, column : column + 1]),
                    residuals=solved.residuals[column : column + 1],
                    products=len(solved.residuals[column]) - 1,
                )
                fields.append(self._field(own, coil, pose, didt, where, surface))
            if progress is not None:
                progress(len(fields), len(poses))
        return fields

    def _charges(self, coil: Coil, pose: Pose, progress: Callable[[int, int], None] | None) -> KrylovResult:
        """Return the charges for `_UNIT`: the solution is linear in dI/dt, so every intensity gets the same bits."""
        check_outside(self.head, coil, pose)
        normal = self.operator.without_net_flux(self.normal_primary(coil, pose, _UNIT)[:, None])
        return self.operator.solve(
            self.operator.contrast[:, None] * normal, tolerance=self.tolerance, progress=progress
        )

    def _field(
        self, result: KrylovResult, coil: Coil, pose: Pose, didt: float, where: F64, surface: Surface | None
    ) -> EField:
        """Return the field of solved charges at points."""
        charge = result.solution

        def evaluate(at: F64) -> F64:
            total: F64 = self.operator.layer.field(at, charge)[:, :, 0] + primary_field(at, coil, pose, didt=_UNIT)
            return total * (didt / _UNIT)

        return EField(
            points=where,
            vectors=evaluate(where),
            didt=didt,
            surface=surface,
            error_estimate=estimate_error(
                self.operator, result, self.head.cortex, lambda at: primary_field(at, coil, pose, didt=_UNIT)
            ),
            provenance=self.provenance(coil),
            evaluate=evaluate,
        )

    def refine(
        self,
        coil: Coil,
        pose: Pose,
        *,
        didt: float = 1e6,
        points: ArrayLike | None = None,
        share: float = 0.7,
        curved: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> Refinement:
        """Split the triangles that matter most at some points, solve again, and tell how the field there moves.

        Parameters
        ----------
        coil, pose, didt, progress
            See `solve`.
        points : array_like, shape (n, 3), optional
            Where the field is to improve (mm), for example those of a target; all of ``head.cortex`` by default. A few
            points gain most: for M1 hand on the default head ("fast"), 500 triangles more move the field as all
            236,000 of a full split do, to 0.5 %. For the whole cortex of smooth surfaces ``share=1`` is better.
        share : float, optional
            The triangles are split that make this share of the expected change, up to 1: all.
        curved : bool, optional
            Whether the surfaces are rounded off on the way. By default they stay what they are: what is added by parts
            is a bulge, and rounds of refinement need not converge to one field. With ``share=1`` the change also tells
            what the flat triangles do.

        Returns
        -------
        Refinement
            With the solver of the finer head, whose cortex is the same.

        Raises
        ------
        ValueError
            If `share` is not above 0 and at most 1, `didt` is 0, or as in `solve`.
        MemoryError
            If the finer problem would not fit.

        Notes
        -----
        Both solvers, and both solutions, cost what they cost alone. If all triangles are split, errors fall to about a
        quarter, so three quarters of what was wrong is the change; if a part is, the change tells what that part does.

        Examples
        --------
        >>> import coils, meshes
        >>> solver = BemSolver(meshes.sphere_head(radii=[90, 80], conductivities=[0.33, 1.0], subdivisions=2))
        >>> pose = meshes.Pose([[-1, 0, 0, 0], [0, 1, 0, 0], [0, 0, -1, 95], [0, 0, 0, 1]])
        >>> finer = solver.refine(coils.load_coil("magstim-70mm"), pose, points=[[0, 0, 70]])
        >>> 640 < finer.triangles_after < 2560
        True
        """
        share = arrays.positive(share, "share")
        if share > 1.0:
            raise ValueError(f"share must be at most 1, which splits all triangles; got {share:g}.")
        didt = _finite(didt, "didt")
        if didt == 0.0:
            raise ValueError("didt must not be 0, as changes are relative to the field; got 0.")
        surface = None if points is not None else self.head.cortex
        where = self.head.cortex.vertices if points is None else arrays.vectors(points, "points", allow_single=True)
        if not len(where):
            raise ValueError("points must be at least one; got none.")
        result = self._charges(coil, pose, progress)
        if surface is None:
            sample, share_of = np.ascontiguousarray(where), np.ones(len(where))
        else:
            sample, share_of = cortex_sample(
                surface, lambda at: primary_field(at, coil, pose, didt=_UNIT), CORTEX_SAMPLE
            )
        marked = marked_triangles(self.operator, result.solution[:, 0], sample, share_of, share=share, curved=curved)
        head, _ = split_head(self.head, marked, curved=curved)
        finer = BemSolver(head, tolerance=self.tolerance, accuracy=self.accuracy, memory_limit=self.memory_limit)
        return Refinement(
            solver=finer,
            before=self._field(result, coil, pose, didt, where, surface),
            field=finer._field(finer._charges(coil, pose, progress), coil, pose, didt, where, surface),
            weights=np.ones(len(where)) if surface is None else surface.vertex_areas,
            triangles_before=len(self.operator.part),
            triangles_after=len(finer.operator.part),
        )

    def provenance(self, coil: Coil) -> dict[str, str]:
        """Return what the result depends on: versions, checksums, settings."""
        from efield._version import __version__

        return {
            "efield": __version__,
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in ("numpy", "scipy", "numba")},
            "head": self.head.name,
            "head resolution": self.head.resolution,
            "head sha256": self.head.checksum,
            "conductivities": self.head.provenance.get("conductivities", "as set on the head's surfaces"),
            "triangles": str(len(self.operator.part)),
            "coil": coil.name,
            "coil sha256": coil.checksum,
            "method": "surface-charge BEM, constant charge per triangle",
            "solver tolerance": f"{self.tolerance:g}",
            "product accuracy": f"{self.accuracy:g}",
        }


def check_outside(head: HeadModel, coil: Coil, pose: Pose) -> None:
    """Raise ValueError if a source or a corner of the casing, or else the coil's origin, lies inside the scalp."""
    if not isinstance(coil, Coil):
        raise TypeError(f"coil must be a coils.Coil; got {type(coil).__name__}.")
    if not isinstance(pose, Pose):
        raise TypeError(f"pose must be a meshes.Pose; got {type(pose).__name__}.")
    bodies = [("dipoles", coil.positions)] if coil.n_dipoles else []
    if coil.segments is not None:
        bodies.append(("current elements", coil.segments.points))
    if coil.casing is not None:
        bodies.append(("casing corners", coil.casing.vertices))
    if not bodies:  # a grid tells nothing of where the windings are
        bodies.append(("origins", np.zeros((1, 3))))
    for what, local in bodies:
        points = pose.apply(local)
        inside = winding_numbers(points, head.scalp) > 0.5
        if inside.any():
            raise ValueError(
                f"pose must leave the coil outside the head; got {int(inside.sum())} of {len(points)} {what} of "
                f"{coil.name} inside the scalp. Move the coil back along its own -z axis, or use efield.place."
            )
    _check_casing(head, coil, pose)


def _check_casing(head: HeadModel, coil: Coil, pose: Pose) -> None:
    """Raise ValueError if the casing and the scalp cross; a touch within 0.1 mm is allowed."""
    if coil.casing is None:
        return
    back = np.eye(4)
    back[:3, 3] = -0.1 * pose.z_axis
    casing = coil.casing.transformed(back @ pose.matrix)
    low, high = casing.vertices.min(axis=0), casing.vertices.max(axis=0)
    corners = head.scalp.corners
    near = ((corners.max(axis=1) >= low) & (corners.min(axis=1) <= high)).all(axis=1)
    if not near.any():
        return
    patch = Surface(head.scalp.vertices, head.scalp.triangles[near], "scalp")
    first, second = crossing_pairs([patch, casing])
    count = int(near.sum())
    crossing = int(((first < count) & (second >= count)).sum())
    if crossing:
        raise ValueError(
            f"pose must leave the coil outside the head; got a casing of {coil.name} that cuts the scalp at {crossing} "
            "pairs of triangles. Move the coil back along its own -z axis, or use efield.place with coil=."
        )


def _finite(value: float, name: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a finite number; got {value!r}.") from None
    if not np.isfinite(number):
        raise ValueError(f"{name} must be a finite number; got {value}.")
    return number


def _below_one(value: float, name: str) -> float:
    number = arrays.positive(value, name)
    if number >= 1.0:
        raise ValueError(f"{name} must be less than 1, as it is relative; got {number:g}.")
    return number
