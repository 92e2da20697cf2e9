"""Put a search's result, a measured threshold and a protocol together: dose, pulses, and what safety tables say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from coils import Stimulator
from efield.dose import Dose, MotorThreshold, dose_of
from efield.dose.dose import check_result
from efield.protocols.heating import Heating, heating_of
from efield.protocols.presets import Protocol, load_protocol
from efield.protocols.safety import Finding, check_safety
from efield.protocols.trains import PulseTrain
from meshes import arrays

if TYPE_CHECKING:
    from efield.targeting import SearchResult

__all__ = ["SessionPlan", "plan_session"]

_WHAT = "Numbers of a model and of published studies. Research software, not a medical device; no clearance, no advice."


@dataclass(frozen=True, eq=False, kw_only=True)
class SessionPlan:
    """What a session would give, and against which published figures it was held.

    Parameters
    ----------
    dose : Dose
        Strength of a pulse.
    threshold : MotorThreshold or None
        From which it was carried over.
    protocol : Protocol or None
        The published protocol.
    train : PulseTrain or None
        The pulses; None if they cannot be timed.
    findings : tuple of Finding
        What published safety tables say; none without train and intensity.
    heating : Heating or None
        Heat of the pulses; None if it is not known.
    remarks : tuple of str
        What is missing.
    mismatches : tuple of str
        Where the result is not the protocol's: its target, its side.
    """

    dose: Dose
    threshold: MotorThreshold | None
    protocol: Protocol | None
    train: PulseTrain | None
    findings: tuple[Finding, ...]
    heating: Heating | None
    remarks: tuple[str, ...]
    mismatches: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Where the result is not the protocol's, and what exceeds a limit of the stimulator or a published table."""
        found = [finding.text for finding in self.findings if finding.verdict == "exceeds"]
        found = [*self.mismatches, *found]
        if self.dose.reachable is False:
            found.insert(0, f"The pair of stimulator and coil CANNOT reach this dose: {self.dose.text}.")
        return tuple(found)

    def lines(self) -> tuple[tuple[str, str], ...]:
        """Return name and text of each line of a table, for a report."""
        rows = list(self.dose.lines())
        if self.train is not None:
            rows.append(("Pulses", self.train.text))
        if self.heating is not None:
            rows.append(("Heat", self.heating.text))
        rows.extend((f"Safety tables: {finding.verdict}", finding.text) for finding in self.findings)
        rows.extend(("Not the protocol's", text) for text in self.mismatches)
        rows.extend(("Remark", remark) for remark in self.remarks)
        if self.protocol is not None:
            rows.extend(self.protocol.lines()[:-1])
        rows.append(("What this is", _WHAT))
        return tuple(rows)

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as plain data for JSON."""
        return {
            "what": _WHAT,
            "dose": self.dose.as_dict(),
            "threshold": None if self.threshold is None else self.threshold.as_dict(),
            "protocol": None if self.protocol is None else self.protocol.as_dict(),
            "train": None if self.train is None else self.train.as_dict(),
            "heating": None if self.heating is None else self.heating.as_dict(),
            "safety_tables": [finding.as_dict() for finding in self.findings],
            "warnings": list(self.warnings),
            "remarks": list(self.remarks),
        }


def plan_session(
    result: SearchResult,
    *,
    threshold: MotorThreshold | None = None,
    protocol: Protocol | str | None = None,
    intensity: float | None = None,
    train: PulseTrain | None = None,
    field: float = 60.0,
    affected: str | None = None,
    stimulator: Stimulator | None = None,
    own_head: bool = False,
    placement: float | None = None,
    level: float = 0.9,
) -> SessionPlan:
    """Compute dose, pulses and what published tables say of them, for the best placement of a search.

    Parameters
    ----------
    result : SearchResult
        From `efield.optimize`.
    threshold : MotorThreshold, optional
        Measured; without one the dose is that for `field`.
    protocol : Protocol or str, optional
        A published protocol, or its name: intensity and pulses come from it, where they are not given.
    intensity : float, optional
        Wanted field in percent of the threshold's; by default the protocol's, else 100.
    train : PulseTrain, optional
        By default the protocol's, if its sources tell enough.
    field : float, optional
        Wanted field (V/m); only without a threshold.
    affected : {"left", "right"}, optional
        Affected side of the body, to hold the target's side against the protocol's rule.
    stimulator : Stimulator, optional
        With the result's coil.
    own_head, placement, level
        See `efield.dose.dose_of`.

    Returns
    -------
    SessionPlan

    Raises
    ------
    ValueError
        If a name is unknown or a number is out of range.
    TypeError
        If an argument is something else.

    Notes
    -----
    Safety tables are looked up at the greatest of the intensity and the share of the threshold's dI/dt: over a deep
    target the stimulator is set higher than the field there tells, and the cortex nearer to the coil gets more.
    """
    check_result(result)
    _check_kinds(threshold, train)
    followed = load_protocol(protocol) if isinstance(protocol, str) else protocol
    if followed is not None and not isinstance(followed, Protocol):
        raise TypeError(
            f"protocol must be a Protocol or a name; got {type(followed).__name__}. Use load_protocol(name)."
        )
    share = intensity
    if share is None and followed is not None and followed.intensity.value is not None:
        share = float(followed.intensity.value)
    if share is not None:
        arrays.positive(share, "intensity")
    if threshold is None:
        dose = dose_of(result, field=field, stimulator=stimulator, own_head=own_head, placement=placement, level=level)
    else:
        dose = threshold.carried_to_result(
            result,
            stimulator=stimulator,
            intensity=100.0 if share is None else share,
            own_head=own_head,
            placement=placement,
            level=level,
        )
    pulses = train if train is not None or followed is None else followed.train()
    percent = max(
        (one for one in (dose.intensity or share, dose.percent_of_threshold) if one is not None), default=None
    )
    findings: tuple[Finding, ...] = ()
    if pulses is not None and percent is not None:
        findings = check_safety(pulses, percent, method="emg" if threshold is None else threshold.method)
    return SessionPlan(
        dose=dose,
        threshold=threshold,
        protocol=followed,
        train=pulses,
        findings=findings,
        heating=None if pulses is None else heating_of(result.coil, dose.didt, pulses),
        remarks=tuple(_remarks(followed, threshold, pulses, percent, affected)),
        mismatches=() if followed is None else tuple(_mismatches(result, followed, affected)),
    )


def _check_kinds(threshold: MotorThreshold | None, train: PulseTrain | None) -> None:
    if threshold is not None and not isinstance(threshold, MotorThreshold):
        raise TypeError(
            f"threshold must be an efield.dose.MotorThreshold; got {type(threshold).__name__}. "
            "Use MotorThreshold.of_result(result, mso=...)."
        )
    if train is not None and not isinstance(train, PulseTrain):
        raise TypeError(f"train must be an efield.protocols.PulseTrain; got {type(train).__name__}.")


def _remarks(
    protocol: Protocol | None,
    threshold: MotorThreshold | None,
    train: PulseTrain | None,
    percent: float | None,
    affected: str | None,
) -> Sequence[str]:
    """Say what is missing."""
    found = []
    if threshold is None:
        found.append("No motor threshold was given: the dose is for a field, not for a share of a threshold.")
    if train is None:
        found.append("The pulses were not held against safety tables: their trains are not known. Give the train.")
    elif percent is None:
        found.append("The pulses were not held against safety tables: the intensity is not known.")
    if protocol is not None and str(protocol.side_rule.value) == "contralateral" and affected is None:
        found.append("The protocol stimulates the hemisphere opposite to the affected side; that side was not given.")
    return found


def _mismatches(result: SearchResult, protocol: Protocol, affected: str | None) -> Sequence[str]:
    """Say where the result is not for the protocol's target or side."""
    found = []
    if protocol.target.value != result.target.name:
        found.append(
            f"The protocol {protocol.name} stimulates {protocol.target.value}; this result is for "
            f"{result.target.name or 'another place'}."
        )
    rule, sides = str(protocol.side_rule.value), {target.side for target in result.targets if target.side}
    side = "both" if len(sides) > 1 else "".join(sides)
    if rule != "contralateral" or affected is not None:
        wanted = protocol.side(affected)
        if side and wanted != side:
            found.append(f"The protocol's side is {wanted}; this result's is {side}.")
    return found
