"""The electric field at a set of points, with its error estimate and its origin."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meshes import Surface, arrays

F64 = NDArray[np.float64]

__all__ = ["EField", "ErrorEstimate", "Peak"]


@dataclass(frozen=True)
class ErrorEstimate:
    """How well the discrete equations are solved and how well they stand for the continuous ones.

    Attributes
    ----------
    residual : float
        Relative residual of the linear system at the end, as the solver follows it. Its later products are less
        accurate: against full products it is up to about twice as large (1.8e-5 for 1e-5 on the default head).
    iterations : int
        GMRES iterations.
    charge_imbalance : float
        Greatest net charge of a closed surface, relative to the sum of its absolute charges; exactly 0 in theory.
    interface_mismatch : float
        How much charge is left out that varies within triangles: its root mean square in the triangles around a sample
        of cortex points, relative to the charge that the primary field would ask for if it were normal to them. It
        falls with the edge length; what it means for the field is `relative_error`.
    flux_error : float
        Worst relative error of the flux of one triangle's charge through a surface before it was corrected: a
        measure of quadrature and far-field accuracy.
    relative_error : float
        Estimated relative L2 error of the field over the head's cortex, weighted with area, from flat triangles and
        constant charge on each: within a factor of 3 in the brain of heads and layered spheres. Conductivities, coil
        and anatomy are not part of it. See `efield.bem.estimate` for what was measured, and `BemSolver.refine` for a
        finer solution to compare with.
    """

    residual: float
    iterations: int
    charge_imbalance: float
    interface_mismatch: float
    flux_error: float
    relative_error: float

    def as_dict(self) -> dict[str, float]:
        """Return the numbers by name."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Peak:
    """A robust peak: the 99.9th percentile of the magnitude, and the point whose magnitude is nearest to it.

    Attributes
    ----------
    value : float
        V/m.
    index : int
        Point number.
    position : ndarray, shape (3,)
        Where (mm).
    """

    value: float
    index: int
    position: F64


@dataclass(frozen=True, eq=False, kw_only=True)
class EField:
    """An electric field at points.

    Attributes
    ----------
    points : ndarray, shape (n, 3)
        Where (mm, head space).
    vectors : ndarray, shape (n, 3)
        Field (V/m).
    didt : float
        Rate of change of the coil current (A/s).
    surface : Surface or None
        The surface whose vertices the points are.
    error_estimate : ErrorEstimate
        How far to trust it.
    provenance : mapping of str to str
        Versions, checksums of head and coil, settings.
    """

    points: F64
    vectors: F64
    didt: float
    surface: Surface | None
    error_estimate: ErrorEstimate
    provenance: Mapping[str, str]
    evaluate: Callable[[F64], F64] = field(repr=False)

    def __post_init__(self) -> None:
        if not np.isfinite(self.vectors).all():
            raise ValueError("points must keep off the coil's dipoles; got a field that is not finite.")

    @cached_property
    def magnitude(self) -> F64:
        """Magnitude at each point (V/m), shape (n,)."""
        magnitude: F64 = np.linalg.norm(self.vectors, axis=1)
        return magnitude

    @cached_property
    def normal(self) -> F64:
        """Component along the surface's outward normal (V/m), shape (n,): positive out of the brain."""
        if self.surface is None:
            raise ValueError("normal must be asked of a field on a surface; got one at free points.")
        component: F64 = np.einsum("ij,ij->i", self.vectors, self.surface.vertex_normals)
        return component

    @property
    def maximum(self) -> float:
        """Greatest magnitude (V/m); one bad triangle can set it, see `peak`."""
        return float(self.magnitude.max())

    def peak(self, *, percentile: float = 99.9) -> Peak:
        """Return the robust peak of the magnitude."""
        value = float(np.percentile(self.magnitude, percentile))
        index = int(np.argmin(np.abs(self.magnitude - value)))
        return Peak(value, index, self.points[index])

    def at(self, points: ArrayLike) -> F64:
        """Return the field at any other points (V/m), shape (n, 3); points in mm."""
        return self.evaluate(arrays.vectors(points, "points", allow_single=True))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the field to a file: .npz (numpy arrays) or .vtp (surface for ParaView and PyVista).

        Raises
        ------
        ValueError
            If the suffix is another one, or .vtp is asked for a field at free points.
        OSError
            If the folder does not exist or cannot be written.
        """
        target = Path(path)
        if not target.parent.is_dir():
            raise FileNotFoundError(f"path must lie in a folder that exists; got {target}.")
        if not os.access(target.parent, os.W_OK | os.X_OK):
            raise PermissionError(f"path must lie in a folder that can be written; got {target}.")
        arrays.choice(target.suffix, "path's suffix", [".npz", ".vtp"])
        if target.suffix == ".vtp" and self.surface is None:
            raise ValueError("path must end in .npz for a field at free points; got .vtp, which holds surfaces.")
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".writing-") as folder:
            draft = Path(folder) / target.name
            if target.suffix == ".npz":
                self._write_npz(draft)
            else:
                self._write_vtp(draft)
            os.replace(draft, target)

    def _about(self) -> str:
        return json.dumps({"error_estimate": self.error_estimate.as_dict(), "provenance": dict(self.provenance)})

    def _write_npz(self, path: Path) -> None:
        triangles = np.empty((0, 3), dtype=np.int32) if self.surface is None else self.surface.triangles
        np.savez_compressed(
            path,
            points=self.points,
            vectors=self.vectors,
            triangles=triangles,
            didt=self.didt,
            about=np.array(self._about()),
        )

    def _write_vtp(self, path: Path) -> None:
        import pyvista as pv  # here, so that `import efield` stays fast

        assert self.surface is not None
        mesh = pv.PolyData.from_regular_faces(self.surface.vertices, self.surface.triangles.astype(int))
        mesh.point_data["E (V/m)"] = self.vectors.astype(np.float32)
        mesh.point_data["|E| (V/m)"] = self.magnitude.astype(np.float32)
        mesh.point_data["E normal (V/m)"] = self.normal.astype(np.float32)
        mesh.field_data["about"] = [self._about()]
        mesh.field_data["didt (A/s)"] = [self.didt]
        mesh.save(path)
