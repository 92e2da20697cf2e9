"""Strength and duration: closed forms, order of convergence, a differential equation, and figures from papers."""

import math
import re
from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from coils.discharge import Discharge
from coils.stimulator_pairs import stimulator_for
from coils.strength_duration import TIME_CONSTANTS, chronaxie, membrane_response, threshold_factor, threshold_ratio
from coils.waveforms import Waveform, rectangular

TAU = TIME_CONSTANTS["motor-cortex"].value
CIRCUIT = Discharge.from_period(303e-6, inductance=16e-6, decay=806.7)


def damped_cosine_response(circuit: Discharge, time: np.ndarray, tau: float) -> np.ndarray:
    """Solve the low-pass for E = Re K exp(l t), K = 1 + i a / w: Re K (exp(l t) - exp(-t / tau)) / (1 + l tau)."""
    a, w = circuit.decay, circuit.angular_frequency
    root = complex(-a, w)
    return np.real(complex(1.0, a / w) * (np.exp(root * time) - np.exp(-time / tau)) / (1.0 + root * tau))


@pytest.mark.parametrize("width", [1e-6, 30e-6, 60e-6, 120e-6, 1e-3, 0.1])
def test_rectangular_pulse_is_lapicque(width: float) -> None:
    expected = 1.0 / -math.expm1(-width / TAU)
    assert threshold_factor(rectangular(width), TAU) == pytest.approx(expected, rel=1e-13)  # rounding


@pytest.mark.parametrize("tau", [50e-6, TAU, 1e-3])
def test_chronaxie_is_twice_the_rheobase(tau: float) -> None:
    assert threshold_factor(rectangular(chronaxie(tau)), tau) == pytest.approx(2.0, rel=1e-13)  # rounding
    assert chronaxie(tau) == pytest.approx(tau * 0.6931471805599453, rel=1e-15)


def test_short_pulses_need_the_same_area() -> None:
    """For widths far below tau only the area of E counts: factor times width is tau (1 + w / 2 tau + ...)."""
    for width in (1e-7, 1e-6):
        area = threshold_factor(rectangular(width), TAU) * width
        assert area == pytest.approx(TAU + 0.5 * width, rel=(width / TAU) ** 2)


@pytest.mark.parametrize("half_cycles", [1, 2, 3])
def test_response_to_a_damped_cosine_in_closed_form_converges_with_order_two(half_cycles: int) -> None:
    errors = []
    for samples in (251, 501, 1001, 2001):
        pulse = CIRCUIT.sine(half_cycles, samples=samples)
        errors.append(np.abs(membrane_response(pulse, TAU) - damped_cosine_response(CIRCUIT, pulse.time, TAU)).max())
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(orders, 2.0, atol=0.02)
    assert errors[-1] < 1e-6


@pytest.mark.parametrize("tau", [20e-6, TAU, 5e-3])
@pytest.mark.parametrize("direction", ["first", "second"])
def test_threshold_of_the_biphasic_pulse_in_closed_form(tau: float, direction: str) -> None:
    sign = 1.0 if direction == "first" else -1.0
    time = np.linspace(0.0, CIRCUIT.period, 10001)
    near = time[np.argmax(sign * damped_cosine_response(CIRCUIT, time, tau))]
    step = time[1]
    best = minimize_scalar(
        lambda t: -sign * damped_cosine_response(CIRCUIT, np.array([t]), tau)[0],
        bounds=(near - step, near + step),
        options=dict(xatol=1e-14),
        method="bounded",
    )
    factor = threshold_factor(CIRCUIT.sine(samples=4001), tau, direction=direction)  # type: ignore[arg-type]
    assert factor == pytest.approx(-1.0 / best.fun, rel=1e-6)  # straight lines between 4001 samples


def test_peak_between_two_samples_is_found() -> None:
    """E falls in a straight line from 1 to -1 within tau: with x = t / tau, v = 3 (1 - exp(-x)) - 2 x.

    v' = 0 at exp(-x) = 2 / 3, so v = 1 - 2 ln(3 / 2).
    """
    pulse = Waveform("ramp", time=np.array([0.0, TAU]), signal=np.array([1.0, -1.0]))
    expected = 1.0 / (1.0 - 2.0 * math.log(1.5))
    assert threshold_factor(pulse, TAU, direction="first") == pytest.approx(expected, rel=1e-13)  # rounding


def test_more_samples_on_the_same_straight_lines_change_nothing() -> None:
    corners = np.array([0.0, 20e-6, 21e-6, 90e-6, 400e-6])
    values = np.array([1.0, 0.8, -0.7, -0.2, 0.0])
    fine = np.unique(np.concatenate([corners, np.linspace(0.0, 400e-6, 3001)]))
    coarse = Waveform("", time=corners, signal=values)
    dense = Waveform("", time=fine, signal=np.interp(fine, corners, values))
    for direction in ("first", "second", "either"):
        assert threshold_factor(coarse, TAU, direction=direction) == pytest.approx(  # type: ignore[arg-type]
            threshold_factor(dense, TAU, direction=direction),  # type: ignore[arg-type]
            rel=1e-10,  # rounding of 3000 steps
        )


def test_long_time_constant_integrates_and_short_one_follows() -> None:
    """tau far above the pulse: v is the current over tau; far below: v is E."""
    pulse = CIRCUIT.sine()
    np.testing.assert_allclose(
        1.0 * membrane_response(pulse, 1.0), pulse.current, rtol=0, atol=1e-3 * pulse.current.max()
    )
    inside = slice(50, None)
    np.testing.assert_allclose(membrane_response(pulse, 1e-8)[inside], pulse.rate[inside], rtol=0, atol=3e-4)


def test_direction_either_takes_the_easier_one_and_turns_over_with_the_coil() -> None:
    pulse = CIRCUIT.sine()
    first, second = (threshold_factor(pulse, TAU, direction=direction) for direction in ("first", "second"))  # type: ignore[arg-type]
    assert threshold_factor(pulse, TAU) == min(first, second)
    # The second half period, twice as long as the first quarter, is the stronger one: known of biphasic pulses since
    # Maccabee et al., J Physiol 1998;513:571-585.
    assert second < first
    monophasic = CIRCUIT.monophasic()
    assert threshold_factor(monophasic, TAU, direction="first") < threshold_factor(monophasic, TAU, direction="second")


def test_one_phase_never_excites_the_other_way() -> None:
    assert threshold_factor(rectangular(1e-4), TAU, direction="second") == math.inf


def test_ratio_is_one_of_factors_and_scales_nothing_else() -> None:
    a, b, c = CIRCUIT.sine(), CIRCUIT.monophasic(), rectangular(60e-6)
    assert threshold_ratio(a, a, TAU) == 1.0
    assert threshold_ratio(a, b, TAU) * threshold_ratio(b, c, TAU) == pytest.approx(
        threshold_ratio(a, c, TAU), rel=1e-14
    )
    louder = Waveform("volts", time=a.time, signal=-250.0 * a.signal)
    assert threshold_ratio(louder, a, TAU) == pytest.approx(1.0, rel=1e-13)  # rounding


def test_same_circuit_scaled_in_time_has_the_same_factor_at_a_scaled_time_constant() -> None:
    slow = Discharge.from_period(606e-6, inductance=16e-6, decay=403.35)
    assert threshold_factor(slow.sine(), 2.0 * TAU) == pytest.approx(threshold_factor(CIRCUIT.sine(), TAU), rel=1e-12)


def test_published_time_constants() -> None:
    """As in the abstracts named in `source`."""
    values = {name: round(1e6 * constant.value, 1) for name, constant in TIME_CONSTANTS.items()}
    assert values == {"motor-cortex": 196.0, "motor-cortex-pa": 230.9, "motor-cortex-ap": 294.2, "ulnar-nerve": 197.0}
    assert all(constant.source and constant.spread for constant in TIME_CONSTANTS.values())


def energy_at_threshold(period: float, kind: str) -> float:
    """C V^2 / 2 for a rheobase of 1 A/s and 16 uH, without losses."""
    circuit = Discharge.from_period(period, inductance=16e-6)
    pulse = circuit.monophasic() if kind == "monophasic" else circuit.sine({"half": 1, "biphasic": 2}[kind])
    return circuit.energy(threshold_factor(pulse, TAU, direction="first"))


@pytest.mark.parametrize("kind", ["monophasic", "half", "biphasic"])
def test_energy_of_short_pulses_at_threshold_is_that_of_the_current_tau_times_rheobase(kind: str) -> None:
    """Far below tau the response is I / tau for any shape: the field needs L tau^2 / 2; the excess is of order one."""
    limit = 0.5 * 16e-6 * TAU**2
    excess = np.array([energy_at_threshold(period, kind) / limit - 1.0 for period in (2e-6, 1e-6, 0.5e-6)])
    assert np.all(np.abs(excess) < 0.01)
    np.testing.assert_allclose(excess[:-1] / excess[1:], 2.0, atol=0.02)


def test_wider_pulses_have_lower_thresholds_and_need_more_energy() -> None:
    """Peterchev et al. 2013, abstract: "Increasing pulse width decreased the motor threshold and increased the pulse
    energy". Here for the first phase of half-sine and monophasic pulses.
    """
    periods = (100e-6, 200e-6, 300e-6, 400e-6)
    for kind in ("monophasic", "half"):
        assert np.all(np.diff([energy_at_threshold(period, kind) for period in periods]) > 0.0)
    factors = [threshold_factor(Discharge.from_period(period, inductance=1.0).sine(), TAU) for period in periods]
    assert np.all(np.diff(factors) < 0.0)


def test_magstim_rapid_against_magpro() -> None:
    """The slower pulse of the Rapid needs less dI/dt; both within the range between their half periods' bounds."""
    rapid, magpro = (stimulator_for(name).waveforms[0] for name in ("magstim-70mm", "magventure-mc-b70"))
    ratio = threshold_ratio(rapid, magpro, TAU)
    assert 303.0 / 344.5 < ratio < 1.0  # between equal areas (tau infinite) and equal peaks (tau zero)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: threshold_factor(rectangular(1e-4), 0.0), "tau must be a positive number; got 0"),
        (lambda: membrane_response(rectangular(1e-4), math.nan), "tau must be a positive number; got nan"),
        (lambda: chronaxie(-1.0), "tau must be a positive number; got -1"),
        (
            lambda: threshold_factor(rectangular(1e-4), TAU, direction="up"),  # type: ignore[arg-type]
            "direction must be one of 'either', 'first', 'second'; got 'up'",
        ),
        (
            lambda: threshold_ratio(rectangular(1e-4), CIRCUIT.sine(), TAU, direction="second"),
            "direction must be one in which both pulses drive the membrane; got 'second'",
        ),
    ],
)
def test_bad_input_gets_one_sentence(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        call()
