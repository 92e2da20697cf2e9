"""Electric field of transcranial magnetic stimulation in a head, and the best coil placement for a target."""

from efield import analytic, dose, metrics, navigation, objectives, protocols
from efield._version import __version__
from efield.bem import BemSolver
from efield.fields import EField, ErrorEstimate
from efield.placement import place
from efield.session import Session, simulate_session
from efield.simulation import simulate
from efield.targeting import (
    CasingGap,
    PlacementError,
    SearchResult,
    Target,
    TargetField,
    TwoCoils,
    list_placement_errors,
    list_targets,
    optimize,
    optimize_expected,
    optimize_two,
    robustness_of,
    target_of_mask,
)

__all__ = [
    "BemSolver",
    "CasingGap",
    "EField",
    "ErrorEstimate",
    "PlacementError",
    "SearchResult",
    "Session",
    "Target",
    "TargetField",
    "TwoCoils",
    "__version__",
    "analytic",
    "dose",
    "list_placement_errors",
    "list_targets",
    "metrics",
    "navigation",
    "objectives",
    "optimize",
    "optimize_expected",
    "optimize_two",
    "place",
    "protocols",
    "robustness_of",
    "simulate",
    "simulate_session",
    "target_of_mask",
]
