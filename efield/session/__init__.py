"""A session of recorded pulses: what each of them brought to the targets, and how far from the optimum it was."""

from efield.session.result import Session, TargetStatistics
from efield.session.simulate import simulate_session

__all__ = ["Session", "TargetStatistics", "simulate_session"]
