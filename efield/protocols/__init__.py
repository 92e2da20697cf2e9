"""Published protocols, the timing of their pulses, and published safety tables: facts with marks, never a clearance."""

from efield.protocols.heating import Heating, heating_of
from efield.protocols.plan import SessionPlan, plan_session
from efield.protocols.presets import Fact, Protocol, list_protocols, load_protocol
from efield.protocols.safety import TABLES, Finding, SafetyTable, check_safety
from efield.protocols.trains import PulseTrain

__all__ = [
    "TABLES",
    "Fact",
    "Finding",
    "Heating",
    "Protocol",
    "PulseTrain",
    "SafetyTable",
    "SessionPlan",
    "check_safety",
    "heating_of",
    "list_protocols",
    "load_protocol",
    "plan_session",
]
