"""The loss of field at the target by errors of placement: numbers, curves and maps, and the words for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from efield.targeting.placement_errors import KINDS, REPLICATES, PlacementError
from meshes import Pose

F64 = NDArray[np.float64]

__all__ = ["LOW", "Curve", "Loss", "Robustness", "RobustnessMap"]

LOW = 0.05
"""The percentile that stands for a bad placement."""

_CAUSES = {
    "position": "shift along the scalp",
    "angle": "turn about the coil's axis",
    "tilt": "tilt",
    "distance": "lift-off",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Loss:
    """How the field at the target is spread by errors of placement, as shares of the planned field.

    Attributes
    ----------
    expected, expected_error : float
        Mean share, and the standard error of this estimate.
    low, low_error : float
        5th percentile of the share: 19 of 20 placements give more; and its standard error.
    """

    expected: float
    expected_error: float
    low: float
    low_error: float

    @classmethod
    def of(cls, shares: F64) -> Loss:
        """Estimate from samples, replicate by replicate; shape (n_samples,)."""
        parts = shares.reshape(REPLICATES, -1)
        means, lows = parts.mean(axis=1), np.quantile(parts, LOW, axis=1)
        return cls(
            expected=float(shares.mean()),
            expected_error=float(means.std(ddof=1) / np.sqrt(REPLICATES)),
            low=float(np.quantile(shares, LOW)),
            low_error=float(lows.std(ddof=1) / np.sqrt(REPLICATES)),
        )

    def as_dict(self) -> dict[str, float]:
        """Return plain data for JSON."""
        return {
            "expected_share": self.expected,
            "expected_share_standard_error": self.expected_error,
            "5th_percentile_share": self.low,
            "5th_percentile_share_standard_error": self.low_error,
        }


@dataclass(frozen=True, eq=False, kw_only=True)
class Curve:
    """The field at the target against the size of one kind of error alone.

    Attributes
    ----------
    sizes : ndarray, shape (n,)
        mm or degrees.
    mean, least : ndarray, shape (n,)
        Share of the planned field: mean over the directions of the error, and in the worst of them.
    unit : str
        Of `sizes`.
    """

    sizes: F64
    mean: F64
    least: F64
    unit: str


@dataclass(frozen=True, eq=False, kw_only=True)
class RobustnessMap:
    """The field at the target for placements planned at other places, each with its best angle.

    Attributes
    ----------
    positions : ndarray, shape (n, 3)
        Scalp points under the coil's centre (mm).
    handles : ndarray, shape (n, 3)
        Direction of the handle there.
    planned, expected, low : ndarray, shape (n,)
        Field at the target (V/m at 1 A/us): without error, its mean, and its 5th percentile.
    samples : int
        Placements with error behind each number.
    """

    positions: F64
    handles: F64
    planned: F64
    expected: F64
    low: F64
    samples: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Robustness:
    """What errors of placement do to the field at the target.

    Attributes
    ----------
    error : PlacementError
        How large the errors are.
    pose : Pose
        The planned placement.
    planned : float
        Field at the target there (V/m at 1 A/us).
    total : Loss
        With errors of all kinds together.
    alone : mapping of str to Loss
        With errors of one kind alone: "position", "angle", "tilt", "distance".
    shares : ndarray, shape (n_samples,)
        Field at the target over the planned one, for each sample.
    curves : mapping of str to Curve
        Against the size of an error of each kind.
    counted : str
        What counts as the field at the target, in words.
    gap : float
        Planned distance from casing to scalp along the coil's axis (mm).
    seed : int
        Of the samples.
    map : RobustnessMap or None
        The same for placements planned around this one.
    """

    error: PlacementError
    pose: Pose
    planned: float
    total: Loss
    alone: Mapping[str, Loss]
    shares: F64
    curves: Mapping[str, Curve]
    counted: str
    gap: float
    seed: int
    map: RobustnessMap | None = None

    def __repr__(self) -> str:
        return (
            f"Robustness({self.error.name}: expected {self.total.expected:.1%} of {self.planned:.3f} V/m per A/us, "
            f"5th percentile {self.total.low:.1%})"
        )

    @property
    def expected(self) -> float:
        """Expected field at the target (V/m at 1 A/us)."""
        return self.planned * self.total.expected

    @property
    def low(self) -> float:
        """5th percentile of the field at the target (V/m at 1 A/us)."""
        return self.planned * self.total.low

    def lines(self) -> list[tuple[str, str]]:
        """Say it in words: name and text of each line of a report."""
        total = self.total
        parts = ", ".join(f"{_CAUSES[kind]} {_percent(1.0 - self.alone[kind].expected)}" for kind in KINDS)
        lows = ", ".join(f"{_CAUSES[kind]} {_percent(1.0 - self.alone[kind].low)}" for kind in KINDS)
        found = [
            ("Errors of placement", f"{self.error.text}: {self.error.say()}"),
            ("Field that counts", self.counted),
            (
                "Expected field",
                f"{_percent(total.expected, total.expected_error)} of that of the planned placement "
                f"({self.expected:.3f} of {self.planned:.3f} V/m per A/µs)",
            ),
            (
                "5th percentile",
                f"{_percent(total.low, total.low_error)}: 19 of 20 placements give more",
            ),
            ("Mean loss by each error alone", parts),
            ("Loss by each alone in the worst 1 of 20", lows),
        ]
        found += [
            (f"Origin of the {figure.kind} error ({figure.certainty})", f"{figure.text}. {figure.source}.")
            for figure in self.error.figures
        ]
        return found

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "placement_error": self.error.as_dict(),
            "counted": self.counted,
            "samples": len(self.shares),
            "seed": self.seed,
            "casing_to_scalp_along_axis_mm": self.gap,
            "planned_V_per_m_at_1_A_per_us": self.planned,
            "all_errors_together": self.total.as_dict(),
            "each_error_alone": {kind: loss.as_dict() for kind, loss in self.alone.items()},
            "curves": {
                kind: {
                    "unit": curve.unit,
                    "size": _plain(curve.sizes),
                    "mean_share": _plain(curve.mean),
                    "least_share": _plain(curve.least),
                }
                for kind, curve in self.curves.items()
            },
            "map": None
            if self.map is None
            else {
                "samples": self.map.samples,
                "scalp_mm": _plain(self.map.positions),
                "planned_V_per_m": _plain(self.map.planned),
                "expected_V_per_m": _plain(self.map.expected),
                "5th_percentile_V_per_m": _plain(self.map.low),
            },
        }


def _percent(share: float, error: float | None = None) -> str:
    """Write a share, with its standard error if there is one (never less than 0.1 %, the table's own error)."""
    value = f"{round(100.0 * share, 1) + 0.0:.1f}"
    return f"{value} %" if error is None else f"{value} ± {max(100.0 * error, 0.1):.1f} %"


def _plain(values: F64) -> list[Any]:
    rounded: list[Any] = np.round(values, 6).tolist()
    return rounded
