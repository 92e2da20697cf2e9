"""What a search can maximise: see `efield.optimize`."""

from efield.targeting.objectives import (
    Objective,
    across_wall,
    contrast,
    focal,
    limited,
    mean_magnitude,
    percentile,
    strength,
)

__all__ = ["Objective", "across_wall", "contrast", "focal", "limited", "mean_magnitude", "percentile", "strength"]
