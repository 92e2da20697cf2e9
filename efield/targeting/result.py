"""The best placement and all that was found on the way."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coils import Coil
from efield.bem import BemSolver
from efield.fields import EField
from efield.targeting.certificate import Certificate
from efield.targeting.objectives import Objective
from efield.targeting.patch import Patch
from efield.targeting.target import Target
from efield.targeting.target_field import TargetField
from meshes import HeadModel, Pose, arrays, scalp_point
from meshes.anatomy.walls import angle_across

F64 = NDArray[np.float64]

SUMMARY = "summary.json"
"""The file that marks a folder as holding a result."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SearchResult:
    """The best placement of a coil for a target.

    Attributes
    ----------
    pose : Pose
        Coil to head.
    coil, head, targets, patches
        What was asked; the patches are the targets on this head. `target` and `patch` are the first.
    field : EField
        Field on the head's cortex for 1 A/us, solved directly at the best pose.
    vectors_at_targets : ndarray, shape (n_targets, 3)
        Mean field over each target (V/m at 1 A/us), from `field`.
    reciprocal_vectors : ndarray, shape (n_targets, 3)
        The same from the search (tabulated reciprocity), for comparison.
    scalp_position : ndarray, shape (3,)
        Scalp point nearest to the coil's origin (mm).
    distance : float
        Asked distance from casing to scalp along the coil's axis (mm).
    table : mapping of str to ndarray
        Every position tried: "position" (n, 3) on the scalp, "centre" (n, 3) of the coil, best "angle" (n,) in degrees,
        best "value" (n,) in V/m at 1 A/us (or what else was maximised), "handle" (n, 3).
    objective : Objective
        What was maximised.
    score : float
        Its value at the pose, by the search.
    certificate : Certificate
        How far below any other legal placement the pose could be.
    settings : mapping of str to float
        What was searched: "distance_mm", "radius_mm", "spacing_mm", "angle_step_deg", "tilt_deg".
    fields : TargetField
        The reciprocal fields: the field at the targets for any other pose.
    """

    pose: Pose
    coil: Coil
    head: HeadModel
    targets: tuple[Target, ...]
    patches: tuple[Patch, ...]
    field: EField
    vectors_at_targets: F64
    reciprocal_vectors: F64
    scalp_position: F64
    distance: float
    table: Mapping[str, F64]
    objective: Objective
    score: float
    certificate: Certificate
    settings: Mapping[str, float]
    fields: TargetField

    def __repr__(self) -> str:
        return (
            f"SearchResult({self.name}: {self.field_at_target:.3f} V/m per A/us, "
            f"coil at {np.round(self.pose.origin, 1).tolist()} mm, handle {np.round(self.handle, 2).tolist()})"
        )

    @property
    def target(self) -> Target:
        """The first target."""
        return self.targets[0]

    @property
    def patch(self) -> Patch:
        """The first target on this head."""
        return self.patches[0]

    @property
    def name(self) -> str:
        """Names and sides of the targets, for messages and files: "m1-leg left and right"."""
        names = dict.fromkeys(target.name for target in self.targets)
        sides = " and ".join(dict.fromkeys(target.side for target in self.targets if target.side))
        return f"{' and '.join(filter(None, names))} {sides}".strip()

    @property
    def vector_at_target(self) -> F64:
        """Mean field over the first target (V/m at 1 A/us), shape (3,)."""
        vector: F64 = self.vectors_at_targets[0]
        return vector

    @property
    def reciprocal_vector(self) -> F64:
        """The same from the search."""
        vector: F64 = self.reciprocal_vectors[0]
        return vector

    @property
    def fields_at_targets(self) -> tuple[float, ...]:
        """Magnitude of the mean field over each target, or its wanted component (V/m at 1 A/us)."""
        return tuple(
            float(np.linalg.norm(vector) if target.direction is None else vector @ target.direction)
            for target, vector in zip(self.targets, self.vectors_at_targets, strict=True)
        )

    @property
    def field_at_target(self) -> float:
        """The least of `fields_at_targets` (V/m at 1 A/us)."""
        return min(self.fields_at_targets)

    @property
    def normal_at_target(self) -> float:
        """Component of the mean field along the cortex' outward normal (V/m at 1 A/us); NaN for a free point."""
        return float("nan") if self.patch.normal is None else float(self.vector_at_target @ self.patch.normal)

    @property
    def handle(self) -> F64:
        """Direction in head space in which the handle leaves, shape (3,)."""
        direction: F64 = self.pose.apply_vectors(self.coil.handle[None])[0]
        return direction

    @property
    def current_direction(self) -> F64:
        """Direction in head space of the induced field under the coil's centre for rising current, shape (3,)."""
        direction: F64 = self.pose.apply_vectors(self.coil.current_direction[None])[0]
        return direction

    @property
    def angle_to_midline(self) -> float:
        """Angle between the handle and the head's midline, seen from above (degrees, 0 to 90)."""
        return float(np.degrees(np.arctan2(abs(self.handle[0]), abs(self.handle[1]))))

    @property
    def angle_to_sulcus(self) -> float:
        """Angle between the induced current and the normal of the target's wall, seen along the coil's axis (degrees).

        0 to 90; NaN where no one wall of a sulcus is the target's (see `Target.wall`), or the wall is a crown and its
        normal within 10 degrees of the coil's axis.
        """
        wall = self.target.wall(self.head)
        if wall is None or abs(wall.normal @ self.pose.z_axis) > np.cos(np.radians(10.0)):
            return float("nan")
        return angle_across(self.current_direction, wall.normal, self.pose.z_axis)[0]

    @property
    def coil_to_scalp(self) -> float:
        """Distance from the coil's origin to the nearest scalp point (mm)."""
        return float(np.linalg.norm(self.pose.origin - self.scalp_position))

    @property
    def target_depth(self) -> float:
        """Distance from the target's position to the nearest scalp point (mm)."""
        from meshes import closest_points

        return float(closest_points(self.head.scalp, self.target.position[None])[2][0])

    @property
    def search_error(self) -> float:
        """Relative difference at the targets between the search (reciprocity, table) and the direct solution."""
        worst = 0.0
        for target, found, direct in zip(self.targets, self.reciprocal_vectors, self.vectors_at_targets, strict=True):
            if target.direction is None:
                error = np.linalg.norm(found - direct) / np.linalg.norm(direct)
            else:
                error = abs((found - direct) @ target.direction) / abs(direct @ target.direction)
            worst = max(worst, float(error))
        return worst

    def at(self, pose: Pose, solver: BemSolver) -> SearchResult:
        """Return the same for another pose of the coil, solved directly.

        Parameters
        ----------
        pose : Pose
            Coil to head.
        solver : BemSolver
            Of the same head.

        Returns
        -------
        SearchResult
            Its gap is widened by what the search's own answer scores more.
        """
        field = solver.solve(self.coil, pose)
        matrix = pose.matrix[None]
        means = self.fields.means(self.coil, matrix[:, :3, :3].copy(), matrix[:, :3, 3].copy())
        moved = replace(
            self,
            pose=pose,
            field=field,
            vectors_at_targets=np.array([patch.mean(field.at(patch.points)) for patch in self.patches]),
            reciprocal_vectors=means[0, : len(self.patches)],
            score=float(self.objective.prepare(self.head, self.targets).score(means)[0]),
            scalp_position=scalp_point(self.head, pose.origin)[0],
        )
        return replace(moved, certificate=self.certificate.widened(self.score, moved.score))

    def didt_for(self, field: float = 60.0) -> float:
        """Return the rate of change of the current that gives a wanted field at the target.

        Parameters
        ----------
        field : float, optional
            Wanted field (V/m).

        Returns
        -------
        float
            A/s.
        """
        return arrays.positive(field, "field") / self.field_at_target * 1e6

    def as_dict(self, *, field: float = 60.0) -> dict[str, Any]:
        """Return the result as plain data for JSON; `field` is the wanted field (V/m)."""
        peak = self.field.peak()
        didt = self.didt_for(field)
        limit = self.coil.max_didt
        return {
            "what": "Placement of a TMS coil. Research software, not a medical device; no clinical clearance.",
            "targets": [
                {
                    "name": target.name,
                    "side": target.side,
                    "position_mm": _plain(target.position),
                    "field_V_per_m_at_1_A_per_us": field_there,
                    "vector_V_per_m_at_1_A_per_us": _plain(vector),
                }
                for target, vector, field_there in zip(
                    self.targets, self.vectors_at_targets, self.fields_at_targets, strict=True
                )
            ],
            "target": {
                "name": self.target.name,
                "side": self.target.side,
                "position_mm": _plain(self.target.position),
                "direction": None if self.target.direction is None else _plain(self.target.direction),
                "radius_mm": self.target.radius,
                "cortex_mm2": self.patch.area,
                "points": len(self.patch.points),
                "share_left_out_of_grey_matter": self.patch.dropped,
                "normal": None if self.patch.normal is None else _plain(self.patch.normal),
                "depth_mm": self.target_depth,
            },
            "pose": {
                "matrix_coil_to_head_mm": _plain(self.pose.matrix),
                "convention": "columns x, y (away from the handle), z (into the head), origin; RAS mm; as matsimnibs",
                "centre_mm": _plain(self.pose.origin),
                "scalp_mm": _plain(self.scalp_position),
                "handle": _plain(self.handle),
                "current_direction": _plain(self.current_direction),
                "handle_to_midline_deg": self.angle_to_midline,
                "current_to_sulcus_normal_deg": None if np.isnan(angle := self.angle_to_sulcus) else angle,
                "casing_to_scalp_along_axis_mm": self.distance,
                "centre_to_scalp_mm": self.coil_to_scalp,
            },
            "field_at_1_A_per_us": {
                "at_target_V_per_m": self.field_at_target,
                "vector_at_target_V_per_m": _plain(self.vector_at_target),
                "normal_at_target_V_per_m": self.normal_at_target if self.patch.normal is not None else None,
                "cortex_maximum_V_per_m": self.field.maximum,
                "cortex_peak_V_per_m": peak.value,
                "cortex_peak_is": "99.9th percentile over cortex vertices",
                "cortex_peak_mm": _plain(peak.position),
                "cortex_peak_to_target_mm": float(np.linalg.norm(peak.position - self.target.position)),
                "target_share_of_peak": self.field_at_target / peak.value,
            },
            "dose": {
                "wanted_V_per_m": field,
                "didt_A_per_s": didt,
                "share_of_max_didt": None if limit is None else didt / limit,
            },
            "search": {
                "objective": self.objective.name,
                "maximised": self.objective.text,
                "score": self.score,
                **self.settings,
                "certificate": self.certificate.as_dict(),
            },
            "error_estimate": {**self.field.error_estimate.as_dict(), "search_against_direct": self.search_error},
            "provenance": dict(self.field.provenance) | ({"target": self.target.source} if self.target.source else {}),
        }

    def save(self, folder: str | os.PathLike[str], *, field: float = 60.0) -> None:
        """Write summary.json and field.vtp into a new or empty folder.

        Raises
        ------
        ValueError
            If the folder already holds a result.
        OSError
            If it cannot be written.

        Notes
        -----
        Both files are finished in a temporary folder beside it and then moved, so that nothing half-written stays.
        """
        target = Path(folder)
        check_folder(target)
        target.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".writing-", dir=target))
        try:
            self.field.save(draft / "field.vtp")
            text = json.dumps(self.as_dict(field=field), indent=2, allow_nan=False)
            (draft / SUMMARY).write_text(text + "\n", encoding="utf-8")
            for name in ("field.vtp", SUMMARY):
                os.replace(draft / name, target / name)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def check_folder(folder: str | os.PathLike[str]) -> None:
    """Raise ValueError if a folder already holds a result, or is a file; OSError if it cannot be written."""
    target = Path(folder)
    if (target / SUMMARY).exists():
        raise ValueError(f"folder must not hold a result yet; got {target} with a {SUMMARY}. Name another.")
    if target.exists() and not target.is_dir():
        raise ValueError(f"folder must be a folder; got the file {target}.")
    existing = target
    while not existing.exists():
        existing = existing.parent
    if not os.access(existing, os.W_OK | os.X_OK):
        raise PermissionError(f"folder must be writable; got {target}. Name another with --out.")


def _plain(values: F64) -> list[Any]:
    rounded: list[Any] = np.round(values, 9).tolist()
    return rounded
