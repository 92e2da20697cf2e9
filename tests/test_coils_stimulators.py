"""Stimulators: percentages, limits, and the sentences for bad input."""

import math

import numpy as np
import pytest
from scipy.integrate import trapezoid

from coils import Coil, load_coil
from coils.discharge import pulse_energy
from coils.stimulator_pairs import discharge_for, list_stimulator_coils, stimulator_for
from coils.stimulators import Stimulator, Waveform

RAPID = Stimulator("Rapid", max_didt=114.73e6, brand="Magstim", coil="D70")


def test_percent_to_rate_and_back() -> None:
    for percent in (0.0, 1.0, 33.3, 50.0, 99.9, 100.0):
        assert RAPID.mso(RAPID.didt(percent)) == pytest.approx(percent, rel=1e-15)  # rounding
    assert RAPID.didt(100) == 114.73e6
    assert RAPID.mso(RAPID.max_didt or 0.0) == 100.0


def test_the_conversion_is_a_proportion() -> None:
    assert RAPID.didt(60) == pytest.approx(RAPID.didt(20) + RAPID.didt(40), rel=1e-15)  # rounding


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: RAPID.didt(100.1), "mso must be from 0 to 100 percent; got 100.1, more than Magstim Rapid with D70"),
        (lambda: RAPID.didt(-1), "mso must be zero or a positive number; got -1"),
        (lambda: RAPID.didt(math.nan), "mso must be zero or a positive number; got nan"),
        (
            lambda: RAPID.mso(115e6),
            "didt must be at most 114.73 A/us, 100 percent of Magstim Rapid with D70; got 115 A/us",
        ),
        (lambda: RAPID.mso(-1.0), "didt must be zero or a positive number; got -1"),
        (lambda: Stimulator("").didt(50), "max_didt must be known to compute didt; got None for unnamed stimulator"),
        (lambda: Stimulator("X").mso(1e6), "max_didt must be known to compute mso; got None for X"),
        (lambda: Stimulator("X", max_didt=0.0), "max_didt must be a positive number; got 0"),
        (lambda: Stimulator("X", displayed_didt=-1.0), "displayed_didt must be a positive number; got -1"),
        (
            lambda: RAPID.measured_didt(1e6),
            "displayed_didt must be known to compute measured_didt; got None for Magstim",
        ),
        (lambda: RAPID.measured_didt(-1), "displayed must be zero or a positive number; got -1"),
        (lambda: Stimulator(None), "name must be a text; got None"),  # type: ignore[arg-type]
        (lambda: Stimulator("X", waveforms=("biphasic",)), "waveforms must be a tuple of coils.Waveform; got str"),  # type: ignore[arg-type]
    ],
)
def test_bad_input_gets_one_sentence(call: "object", message: str) -> None:
    with pytest.raises(ValueError, match="^" + message.replace("(", r"\(")):
        call()  # type: ignore[operator]


def test_waveforms_are_kept_as_given() -> None:
    waveform = Waveform(name="p", time=[0, 1e-6, 3e-6], signal=[0.1, -7.0, 1 / 3], fit=[0.0, 1.0, 2.0])  # type: ignore[arg-type]
    stimulator = Stimulator(name="", brand="", max_didt=None, waveforms=[waveform])  # type: ignore[arg-type]
    assert stimulator.waveforms == (waveform,)
    assert waveform.signal.tolist() == [0.1, -7.0, 1 / 3]
    assert waveform.fit is not None
    assert waveform.fit.tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("name", list_stimulator_coils())
def test_every_pair_is_whole(name: str) -> None:
    stimulator = stimulator_for(name)
    assert "Drakaki" in stimulator.source
    assert stimulator.coil
    assert stimulator.coil in stimulator.label
    assert stimulator.max_didt is not None
    assert 80e6 < stimulator.max_didt < 250e6  # the table's range, 84.37 to 249.55 A/us
    # The makers' readings are within a tenth of the measured values: MC-125 new shows 162 for 146.92.
    if stimulator.displayed_didt is not None:
        assert stimulator.displayed_didt == pytest.approx(stimulator.max_didt, rel=0.11)
        assert stimulator.measured_didt(stimulator.displayed_didt) == pytest.approx(stimulator.max_didt, rel=1e-15)
    has_fit = stimulator.name in ("Rapid", "DuoMAG XT", "MagPro X100")
    assert len(stimulator.waveforms) == int(has_fit)


def test_pairs_against_the_table_of_the_paper() -> None:
    """Rows typed again from the model files' headers, in A/us."""
    expected = {
        "magstim-70mm": ("Rapid", 114.73, None),
        "magstim-double-cone": ("Rapid", 84.37, None),
        "magventure-mc-b70": ("MagPro X100", 155.33, 151),
        "magventure-c-b60": ("MagPro X100", 155.40, 161),
        "magventure-cool-d-b80": ("MagPro X100", 146.44, 151),
        "magventure-twin": ("MagPro XP", 200.08, 204),
        "deymed-120bfv": ("DuoMAG XT", 102.93, None),
        "magmore-pmd45": ("PowerMAG", 249.55, None),
    }
    for name, (model, max_didt, displayed) in expected.items():
        stimulator = stimulator_for(name)
        assert stimulator.name == model
        assert stimulator.max_didt == pytest.approx(1e6 * max_didt, rel=1e-15)
        assert stimulator.displayed_didt == (None if displayed is None else 1e6 * displayed)


def test_named_coil_and_pair_agree() -> None:
    assert stimulator_for("magstim-70mm").max_didt == load_coil("magstim-70mm").max_didt


def charge(name: str, *, displayed: bool = False) -> float:
    """V C = dI/dt L C (A s): the capacitor's charge at 100 %, from dI/dt and the fitted pulse."""
    stimulator, circuit = stimulator_for(name), discharge_for(name, inductance=16e-6)
    didt = stimulator.displayed_didt if displayed else stimulator.max_didt
    assert didt is not None
    return circuit.capacitance * circuit.voltage(didt)


def test_one_stimulator_has_one_capacitor_at_one_voltage() -> None:
    """So dI/dt L C is the same with every coil: dI/dt and period were measured apart, and bear each other out."""
    pairs = [name for name in list_stimulator_coils() if stimulator_for(name).waveforms]
    for model, spread in (("MagPro X100", 0.085), ("DuoMAG XT", 0.02)):
        charges = np.array([charge(name) for name in pairs if stimulator_for(name).name == model])
        np.testing.assert_allclose(charges / np.median(charges), 1.0, atol=spread)  # as measured: -6.9 to 8.1, +-1.9 %
    magpro = [name for name in pairs if stimulator_for(name).name == "MagPro X100"]
    # The readings agree within 1.2 %. These two do not, by +3 and -6 %.
    odd = ("magventure-cool-b35", "magventure-cool-b65")
    shown = np.array([charge(name, displayed=True) for name in magpro if name not in odd])
    assert len(shown) == 14
    np.testing.assert_allclose(shown / np.median(shown), 1.0, atol=0.012)


def test_limit_belongs_to_the_pair() -> None:
    """One stimulator, three coils, three limits."""
    limits = {stimulator_for(name).max_didt for name in ("magventure-mc-b70", "magventure-c-b60", "magventure-mri-b91")}
    assert len(limits) == 3


def test_unknown_pair_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"^coil must be one of deymed-120bfv, .*mc-b70.*; got 'magstim-25mm'"):
        stimulator_for("magstim-25mm")


def test_coil_takes_the_limit_of_its_stimulator() -> None:
    coil = Coil(positions=[[0, 0, -10]], moments=[[0, 0, 0.04]], name="one dipole", stimulator=RAPID)  # type: ignore[arg-type]
    assert coil.max_didt == RAPID.max_didt


def test_energy_and_peak_current_of_a_rapid_on_the_70_mm_coil() -> None:
    """With 16.0 uH (computed from Deng's winding, coils.md 7c): about 188 uF, 1.8 kV, 5.9 kA, 0.32 kJ.

    Magstim's own capacitor of 185 uF is recalled, not confirmed: 2 % away. The voltage of 1.65 kV (recalled) asks for
    10 % less inductance or dI/dt.
    """
    stimulator = stimulator_for("magstim-70mm")
    assert stimulator.max_didt is not None
    pulse = stimulator.waveforms[0]
    circuit = discharge_for("magstim-70mm", inductance=16.0e-6)
    assert circuit.period == pytest.approx(pulse.duration, rel=1e-12)
    assert circuit.capacitance == pytest.approx((344.5e-6 / (2.0 * math.pi)) ** 2 / 16.0e-6, rel=0.005)  # decay: 0.4 %
    assert circuit.capacitance == pytest.approx(185e-6, rel=0.03)
    assert pulse.peak_current(stimulator.max_didt) == pytest.approx(circuit.peak_current(stimulator.max_didt), rel=1e-5)
    magnetic = pulse_energy(16.0e-6, circuit.peak_current(stimulator.max_didt))
    assert magnetic < circuit.energy(stimulator.max_didt)
    # What is missing at the current's peak is heat in the loop.
    w, a = circuit.angular_frequency, circuit.decay
    time = np.linspace(0.0, math.atan2(w, a) / w, 20001)
    current = stimulator.max_didt * np.exp(-a * time) * np.sin(w * time) / w
    heat = trapezoid(circuit.resistance * current**2, time)
    left = 0.5 * circuit.capacitance * (circuit.resistance * current[-1]) ** 2  # dI/dt = 0: v = R I
    assert magnetic + heat + left == pytest.approx(circuit.energy(stimulator.max_didt), rel=1e-7)


def test_circuit_needs_a_fitted_pulse_and_an_inductance() -> None:
    with pytest.raises(ValueError, match=r"^coil must be one whose pulse was fitted, .*; got 'magmore-pmd45'"):
        discharge_for("magmore-pmd45", inductance=16e-6)
    with pytest.raises(ValueError, match=r"^inductance must be a positive number; got 0"):
        discharge_for("magstim-70mm", inductance=0.0)
    with pytest.raises(ValueError, match=r"^coil must be one of .*; got 'h7'"):
        discharge_for("h7", inductance=16e-6)
