"""Where to put the coil: targets, the search over placements, and its result."""

from efield.targeting.result import SearchResult
from efield.targeting.search import optimize
from efield.targeting.target import Target, list_targets

__all__ = ["SearchResult", "Target", "list_targets", "optimize"]
