"""How strong a pulse must be: for a wanted field, or carried over from one measured motor threshold, with intervals."""

from efield.dose.dose import Dose, dose_of
from efield.dose.marks import MARKS
from efield.dose.saved import threshold_of_folder
from efield.dose.threshold import MotorThreshold
from efield.dose.uncertainty import Component, Interval, placement_spread

__all__ = [
    "MARKS",
    "Component",
    "Dose",
    "Interval",
    "MotorThreshold",
    "dose_of",
    "placement_spread",
    "threshold_of_folder",
]
