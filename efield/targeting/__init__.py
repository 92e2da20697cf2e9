"""Where to put the coil: targets, the search over placements, its result, and what errors of placement cost."""

from efield.targeting.casings import CasingGap
from efield.targeting.losses import Robustness
from efield.targeting.masks import target_of_mask
from efield.targeting.placement_errors import PlacementError, list_placement_errors
from efield.targeting.result import SearchResult
from efield.targeting.robust_placement import optimize_expected
from efield.targeting.robustness import of_result as robustness_of
from efield.targeting.search import optimize
from efield.targeting.target import Target, list_targets
from efield.targeting.target_field import TargetField
from efield.targeting.two_coils import TwoCoils, optimize_two

__all__ = [
    "CasingGap",
    "PlacementError",
    "Robustness",
    "SearchResult",
    "Target",
    "TargetField",
    "TwoCoils",
    "list_placement_errors",
    "list_targets",
    "optimize",
    "optimize_expected",
    "optimize_two",
    "robustness_of",
    "target_of_mask",
]
