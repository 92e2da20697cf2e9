"""Electric field of transcranial magnetic stimulation in a head, and the best coil placement for a target."""

from efield import analytic, dose, metrics, navigation, objectives, protocols
from efield._version import __version__
from efield.bem import BemSolver
from efield.fields import EField, ErrorEstimate
from efield.placement import place
from efield.simulation import simulate
from efield.targeting import SearchResult, Target, list_targets, optimize

__all__ = [
    "BemSolver",
    "EField",
    "ErrorEstimate",
    "SearchResult",
    "Target",
    "__version__",
    "analytic",
    "dose",
    "list_targets",
    "metrics",
    "navigation",
    "objectives",
    "optimize",
    "place",
    "protocols",
    "simulate",
]
