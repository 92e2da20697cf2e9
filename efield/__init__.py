"""Electric field of transcranial magnetic stimulation in a head, and the best coil placement for a target."""

from efield import analytic, dose, metrics, navigation, objectives, protocols
from efield._version import __version__
from efield.bem import BemSolver
from efield.fields import EField, ErrorEstimate
from efield.placement import place
from efield.simulation import simulate
from efield.targeting import (
    PlacementError,
    SearchResult,
    Target,
    TargetField,
    list_placement_errors,
    list_targets,
    optimize,
    optimize_expected,
    robustness_of,
    target_of_mask,
)

__all__ = [
    "BemSolver",
    "EField",
    "ErrorEstimate",
    "PlacementError",
    "SearchResult",
    "Target",
    "TargetField",
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
    "place",
    "protocols",
    "robustness_of",
    "simulate",
    "target_of_mask",
]
