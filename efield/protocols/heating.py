"""How much heat pulses leave behind, where the pair of stimulator and coil is known well enough to tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from coils import Coil, Discharge, discharge_for, inductance
from efield.protocols.trains import PulseTrain
from meshes import arrays

__all__ = ["Heating", "heating_of"]


@dataclass(frozen=True)
class Heating:
    """Energy of the pulses of a session.

    Parameters
    ----------
    pulse_energy : float
        On the capacitor before each pulse (J).
    pulse_heat : float
        What of it becomes heat in coil, cable and stimulator (J).
    mean_power : float
        That heat over the whole session (W).
    train_power : float
        The same within a train (W).
    """

    pulse_energy: float
    pulse_heat: float
    mean_power: float
    train_power: float

    @property
    def text(self) -> str:
        """The heat in a line."""
        return (
            f"{self.pulse_energy:.0f} J a pulse, of which {self.pulse_heat:.0f} J become heat in coil, cable and "
            f"stimulator: {self.train_power:.0f} W within a train, {self.mean_power:.0f} W on average (computed; the "
            "inductance of the cable is left out)"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the heat as plain data; units stand in the names."""
        return {
            "pulse_energy_J": self.pulse_energy,
            "pulse_heat_J": self.pulse_heat,
            "mean_power_W": self.mean_power,
            "train_power_W": self.train_power,
        }


def heating_of(coil: Coil, didt: float, train: PulseTrain) -> Heating | None:
    """Compute the heat of biphasic pulses from the coil's inductance and the pulse recorded with its stimulator.

    Parameters
    ----------
    coil : Coil
        One with windings, whose pair with a stimulator was measured.
    didt : float
        Rate of change of the current at the peak of the first phase (A/s).
    train : PulseTrain
        The pulses.

    Returns
    -------
    Heating or None
        None if the coil has no windings or no pulse with it was recorded.

    Raises
    ------
    ValueError
        If `didt` is not positive.

    Notes
    -----
    E = C (L dI/dt)^2 / 2 with C from the recorded period, and the share 1 - exp(-2 a T) lost over the period T at the
    decay a (`coils.Discharge`). How it is shared between coil, cable and stimulator is not known, so no temperature.
    """
    rate = arrays.positive(didt, "didt")
    circuit = _circuit(coil)
    if circuit is None:
        return None
    energy = circuit.energy(rate)
    heat = energy * circuit.loss()
    return Heating(energy, heat, heat * train.mean_rate, heat * train.frequency)


def _circuit(coil: Coil) -> Discharge | None:
    """Return the discharge of a coil's pair."""
    if not coil.wires:
        return None
    try:
        return discharge_for(coil.name, inductance=inductance(coil))
    except ValueError:
        return None
