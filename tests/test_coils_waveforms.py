"""Waveforms: the circuit's closed forms against its differential equations, phases, files, and bad files."""

import math
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp, trapezoid

from coils.discharge import Discharge, pulse_energy
from coils.waveform_files import read_waveform, write_waveform
from coils.waveforms import Waveform, rectangular

RAPID = Discharge(capacitance=188e-6, inductance=16e-6, resistance=0.0367)
LOSSLESS = Discharge(capacitance=185e-6, inductance=16e-6)


def solved(circuit: Discharge, time: np.ndarray, shunt: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Current and voltage by Runge-Kutta of order 8 on L dI/dt = v - R I, C dv/dt = -I (- v / shunt while v < 0)."""

    def slope(_: float, state: np.ndarray, conducts: bool) -> list[float]:
        current, voltage = state
        through = voltage / shunt if conducts and shunt is not None else 0.0
        return [
            (voltage - circuit.resistance * current) / circuit.inductance,
            -(current + through) / circuit.capacitance,
        ]

    def turnover(_: float, state: np.ndarray, __: bool) -> float:
        return float(state[1])

    turnover.terminal = shunt is not None  # type: ignore[attr-defined]
    options = dict(method="DOP853", rtol=1e-12, atol=1e-16, dense_output=True, max_step=2e-6)
    first = solve_ivp(slope, (0.0, time[-1]), [0.0, circuit.inductance], args=(False,), events=turnover, **options)
    states = first.sol(np.minimum(time, first.t[-1]))
    late = time > first.t[-1]
    if late.any():
        second = solve_ivp(slope, (first.t[-1], time[-1]), [first.y[0, -1], 0.0], args=(True,), **options)
        states[:, late] = second.sol(time[late])
    return states[0], states[1]


@pytest.mark.parametrize("circuit", [RAPID, LOSSLESS, Discharge.from_period(303e-6, inductance=12e-6, decay=806.7)])
@pytest.mark.parametrize("half_cycles", [1, 2, 4])
def test_sine_pulses_solve_the_circuit(circuit: Discharge, half_cycles: int) -> None:
    pulse = circuit.sine(half_cycles)
    current, voltage = solved(circuit, pulse.time, None)
    expected = (voltage - circuit.resistance * current) / circuit.inductance
    np.testing.assert_allclose(pulse.signal, expected, rtol=0, atol=1e-9)  # Runge-Kutta at rtol 1e-12
    assert abs(current[-1]) < 1e-9 * np.abs(current).max()  # the thyristor opens at the current's zero


@pytest.mark.parametrize("resistance", [0.0, 0.0367, 0.45])
@pytest.mark.parametrize("share", [0.2, 0.7, 1.0, 1.4, 5.0])
def test_monophasic_pulse_solves_the_circuit(resistance: float, share: float) -> None:
    """Below, at and above the critical shunt; with 0.45 ohm and a large shunt the coil's own losses end the pulse."""
    circuit = Discharge(capacitance=185e-6, inductance=16e-6, resistance=resistance)
    shunt = share * circuit.critical_shunt
    pulse = circuit.monophasic(shunt)
    current, voltage = solved(circuit, pulse.time, shunt)
    mine, my_voltage = circuit.monophasic_state(pulse.time, shunt)
    scale = circuit.peak_current(1.0)
    np.testing.assert_allclose(mine, current, rtol=0, atol=2e-9 * scale)  # Runge-Kutta at rtol 1e-12
    np.testing.assert_allclose(my_voltage, voltage, rtol=0, atol=2e-9 * circuit.inductance)
    expected = (voltage - resistance * current) / circuit.inductance
    np.testing.assert_allclose(pulse.signal, expected, rtol=0, atol=1e-8)
    assert -1e-9 <= current[-1] / scale <= 1.000001e-3  # ends at the zero, or at `cut`
    assert np.all(current[1:-1] > 0.0)


def test_monophasic_pulse_above_the_critical_shunt_ends_at_the_zero_of_the_current() -> None:
    pulse = LOSSLESS.monophasic(2.0 * LOSSLESS.critical_shunt)
    assert abs(LOSSLESS.monophasic_state(pulse.time[-1:], 2.0 * LOSSLESS.critical_shunt)[0][0]) < 1e-12 * math.sqrt(
        LOSSLESS.inductance * LOSSLESS.capacitance
    )


def test_small_shunt_lets_the_current_run_free() -> None:
    """The limit without capacitor: I = I0 exp(-S t / L) after the turnover, wrong by (S / critical)^2."""
    errors = []
    for share in (1e-1, 1e-2, 1e-3, 1e-6):
        shunt = share * LOSSLESS.critical_shunt
        pulse = LOSSLESS.monophasic(shunt)
        assert [phase.polarity for phase in pulse.phases] == ["rising", "falling"]
        assert all(phase.start < phase.end for phase in pulse.phases)
        assert abs(pulse.imbalance) < 2e-3  # `cut`, 1e-3, and the straight lines
        late = pulse.time > LOSSLESS.period / 4.0
        current = LOSSLESS.monophasic_state(pulse.time, shunt)[0][late]
        free = np.exp(-shunt * (pulse.time[late] - LOSSLESS.period / 4.0) / LOSSLESS.inductance)
        errors.append(np.abs(current * LOSSLESS.angular_frequency - free).max())
    assert 1.9 < math.log10(errors[1] / errors[2]) < 2.1
    assert errors[3] < 1e-9  # without cancellation of the two roots, which differ by 12 orders of magnitude


def test_critical_monophasic_pulse_in_closed_form() -> None:
    """Without losses dI/dt = cos(w t), then -w s exp(-w s) from the turnover on: second peak -1/e, a quarter period."""
    pulse = LOSSLESS.monophasic(samples=20001, cut=1e-6)
    w = LOSSLESS.angular_frequency
    late = pulse.time - math.pi / (2.0 * w)
    expected = np.where(late < 0.0, np.cos(w * pulse.time), -w * late * np.exp(-w * late))
    np.testing.assert_allclose(pulse.signal, expected, rtol=0, atol=1e-7)  # the double root's rounding
    first, second = pulse.phases
    assert (first.polarity, second.polarity) == ("rising", "falling")
    assert second.peak == pytest.approx(-math.exp(-1.0), abs=1e-7)  # nearest sample
    assert first.end == pytest.approx(LOSSLESS.period / 4.0, rel=1e-6)  # straight line between samples


def test_biphasic_pulse_in_round_figures() -> None:
    """Phases of a quarter, a half and a quarter period, peaks 1, -1, 1 and the current back at zero, without losses."""
    pulse = LOSSLESS.sine(samples=4001)
    assert [phase.polarity for phase in pulse.phases] == ["rising", "falling", "rising"]
    np.testing.assert_allclose([phase.peak for phase in pulse.phases], [1, -1, 1], atol=1e-6)  # nearest sample
    edges = [edge for phase in pulse.phases for edge in (phase.start, phase.end)]
    np.testing.assert_allclose(np.array(edges) / LOSSLESS.period, [0, 0.25, 0.25, 0.75, 0.75, 1], atol=1e-6)
    assert pulse.duration == LOSSLESS.period
    assert abs(pulse.imbalance) < 1e-12  # the trapezoidal rule is exact over a period


def test_current_converges_with_the_square_of_the_step() -> None:
    errors = []
    for samples in (501, 1001, 2001, 4001):
        pulse = RAPID.sine(samples=samples)
        exact = np.exp(-RAPID.decay * pulse.time) * np.sin(RAPID.angular_frequency * pulse.time)
        errors.append(np.abs(pulse.current - exact / RAPID.angular_frequency).max())
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(orders, 2.0, atol=0.02)
    assert RAPID.sine(samples=4001).peak_current(1e8) == pytest.approx(RAPID.peak_current(1e8), rel=1e-6)
    assert abs(RAPID.sine(samples=4001).imbalance) < 1e-6


def test_period_and_decay_come_back() -> None:
    circuit = Discharge.from_period(344.5e-6, inductance=16e-6, decay=1148.1)
    assert circuit.period == pytest.approx(344.5e-6, rel=1e-12)
    assert circuit.decay == pytest.approx(1148.1, rel=1e-12)
    plain = Discharge.from_period(344.5e-6, inductance=16e-6)
    assert plain.capacitance == pytest.approx((344.5e-6 / (2.0 * math.pi)) ** 2 / 16e-6, rel=1e-12)


def test_energy_is_conserved() -> None:
    """Capacitor before = heat in the loop + capacitor after; without losses the field at the peak holds all of it."""
    didt = 114.73e6
    heat = quad(
        lambda t: (
            RAPID.resistance
            * (didt * math.exp(-RAPID.decay * t) * math.sin(RAPID.angular_frequency * t) / RAPID.angular_frequency) ** 2
        ),
        0.0,
        RAPID.period,
        epsabs=1e-9,
    )[0]
    assert heat == pytest.approx(RAPID.loss() * RAPID.energy(didt), rel=1e-10)
    after = RAPID.voltage(didt) * RAPID.sine().signal[-1]  # at the current's zero the voltage is L dI/dt
    assert 0.5 * RAPID.capacitance * after**2 == pytest.approx((1.0 - RAPID.loss()) * RAPID.energy(didt), rel=1e-12)
    assert pulse_energy(LOSSLESS.inductance, LOSSLESS.peak_current(didt)) == pytest.approx(
        LOSSLESS.energy(didt), rel=1e-12
    )
    assert LOSSLESS.loss() == 0.0


def test_monophasic_pulse_turns_all_energy_into_heat() -> None:
    circuit, shunt = RAPID, RAPID.critical_shunt
    time = np.linspace(0.0, 3e-3, 300_001)
    current, voltage = circuit.monophasic_state(time, shunt)
    power = circuit.resistance * current**2 + np.where(voltage < 0.0, voltage**2, 0.0) / shunt
    heat = trapezoid(power, time)
    assert heat == pytest.approx(circuit.energy(1.0), rel=1e-6)  # trapezoidal rule, kink at the turnover


def test_shape_does_not_depend_on_the_inductance() -> None:
    one, other = (Discharge.from_period(3e-4, inductance=value, decay=800.0) for value in (1e-6, 20e-6))
    np.testing.assert_allclose(one.sine().signal, other.sine().signal, atol=1e-12)
    np.testing.assert_allclose(one.monophasic().signal, other.monophasic().signal, atol=1e-6)  # double root


def test_sign_and_unit_of_the_samples_do_not_matter() -> None:
    pulse = RAPID.sine()
    turned = Waveform("probe", time=pulse.time, signal=-0.037 * pulse.signal)
    np.testing.assert_allclose(turned.rate, pulse.rate, atol=1e-14)
    assert turned.phases[1].polarity == "falling"
    np.testing.assert_allclose(turned.phases[1].peak, pulse.phases[1].peak, rtol=1e-12)


def test_first_phase_counts_even_if_a_later_one_is_greater() -> None:
    """Half-sine and polyphasic devices may give a second phase that is greater; dI/dt is named after the first."""
    pulse = Waveform("", time=np.array([0.0, 1.0, 1.5, 2.5]) * 1e-4, signal=np.array([0.5, 0.5, -2.0, -2.0]))
    assert [phase.peak for phase in pulse.phases] == [1.0, -4.0]


def test_fit_is_used_where_there_is_one_and_noise_makes_no_phase() -> None:
    clean = RAPID.sine()
    rng = np.random.default_rng(4)
    time = np.concatenate([np.linspace(-2e-5, -1e-7, 200), clean.time, clean.time[-1] + np.linspace(1e-7, 1e-4, 400)])
    curve = np.concatenate([np.zeros(200), clean.signal, np.zeros(400)])
    noisy = curve + 0.004 * rng.standard_normal(len(curve))
    recorded = Waveform("recorded", time=time, signal=noisy)
    assert [phase.polarity for phase in recorded.phases] == ["rising", "falling", "rising"]
    assert recorded.duration == pytest.approx(clean.duration, abs=1e-6)  # the step of the samples around
    fitted = Waveform("recorded", time=time, signal=noisy, fit=curve)
    np.testing.assert_array_equal(fitted.rate, curve)
    np.testing.assert_allclose(fitted.at(clean.time), clean.rate, atol=1e-12)
    np.testing.assert_array_equal(fitted.at([-1.0, 1.0]), [0.0, 0.0])


def test_spike_before_the_pulse_and_ringing_after_it_are_no_phases() -> None:
    """Both are found in recordings of real stimulators: a spike of 6 % before the pulse, ringing of the open switch."""
    clean = RAPID.sine()
    step = clean.time[1]
    before = -step * np.arange(40, 0, -1)
    after = clean.time[-1] + step * np.arange(1, 200)
    ringing = -0.5 * np.exp(-(after - clean.time[-1]) / 3e-6) * np.cos((after - clean.time[-1]) / 2e-6)
    spike = np.where(np.arange(40) == 20, -0.06, 0.0)
    signal = np.concatenate([spike, clean.signal, ringing])
    pulse = Waveform("", time=np.concatenate([before, clean.time, after]), signal=signal)
    assert [phase.polarity for phase in pulse.phases] == ["rising", "falling", "rising"]
    np.testing.assert_allclose([p.peak for p in pulse.phases], [p.peak for p in clean.phases], rtol=1e-12)


def test_triangle_of_three_samples() -> None:
    """Rises and falls in straight lines; begins and ends where it goes through 2 % of its height."""
    pulse = Waveform("", time=np.array([0.0, 1e-4, 2e-4]), signal=np.array([0.0, 7.0, 0.0]))
    (phase,) = pulse.phases
    assert (phase.start, phase.end, phase.peak) == (pytest.approx(2e-6), pytest.approx(1.98e-4), 1.0)
    assert pulse.peak_current(1.0) == pytest.approx(1e-4, rel=1e-15)


def test_rectangular_pulse_leaves_its_current() -> None:
    pulse = rectangular(1e-4)
    assert pulse.imbalance == 1.0
    assert pulse.peak_current(2e6) == pytest.approx(200.0, rel=1e-15)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Waveform(3, [0, 1], [1, 1]), "name must be a text; got 3"),
        (lambda: Waveform("", [0.0], [1.0]), "time must hold from 2 to 1000000 samples; got 1"),
        (
            lambda: Waveform("", [0, 1, 1], [1, 1, 1]),
            "time must increase from sample to sample; got 1 s and then 1 s at",
        ),
        (lambda: Waveform("", [0, math.nan], [1, 1]), "time must be finite; got nan at sample 1"),
        (lambda: Waveform("", [0, 1], [1, 1, 1]), "signal must be one number per time, 2; got 3"),
        (lambda: Waveform("", [0, 1], [0, 0]), "signal must not be zero throughout"),
        (lambda: Waveform("", [0, 1], [1, 1], [math.inf, 0]), "fit must be finite; got inf at sample 0"),
        (lambda: Waveform("", [0, 1], [1, 1], [0, 0]), "fit must not be zero throughout"),
        (lambda: Waveform("", [[0, 1]], [1, 1]), "time must be a list of numbers, shape (n,); got shape (1, 2)"),
        (lambda: Waveform("", [0, 1], ["a", "b"]), "signal must be a list of real numbers; got list"),
        (lambda: Waveform("", [0, 1], [True, True]), "signal must be a list of real numbers"),
        (lambda: rectangular(0.0), "width must be a positive number; got 0"),
        (lambda: rectangular(1e-4).at([0.0, math.nan]), "time must be numbers; got NaN"),
        (lambda: rectangular(1e-4).peak_current(-1), "didt must be zero or a positive number; got -1"),
        (lambda: Discharge(capacitance=0, inductance=1e-5), "capacitance must be a positive number; got 0"),
        (
            lambda: Discharge(capacitance=1e-4, inductance=1e-5, resistance=0.7),
            "resistance must be below 2 sqrt(L / C)",
        ),
        (lambda: Discharge.from_period(-1.0, inductance=1e-5), "period must be a positive number; got -1"),
        (lambda: RAPID.sine(0), "half_cycles must be a whole number of at least 1; got 0"),
        (lambda: RAPID.sine(2, samples=31), "samples must be a whole number of at least 32; got 31"),
        (lambda: RAPID.monophasic(-1.0), "shunt must be a positive number; got -1"),
        (lambda: RAPID.monophasic(cut=0.5), "cut must be above 0 and at most 0.1; got 0.5"),
        (lambda: pulse_energy(0.0, 1.0), "inductance must be a positive number; got 0"),
    ],
)
def test_bad_input_gets_one_sentence(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        call()


def test_files_come_back_bit_by_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    time = np.cumsum(rng.uniform(1e-8, 1e-6, 500)) - 2e-5
    for name, fit in (("MagPro X100", rng.standard_normal(500)), ("", None), ("täst", None)):
        waveform = Waveform(name, time=time, signal=rng.standard_normal(500) * 1e-7, fit=fit)
        back = Waveform.from_file(write_waveform(waveform, tmp_path / "pulse.tsv"))
        assert back.name == name
        np.testing.assert_array_equal(back.time, waveform.time)
        np.testing.assert_array_equal(back.signal, waveform.signal)
        assert (back.fit is None) == (fit is None)
        if fit is not None:
            np.testing.assert_array_equal(back.fit, fit)
    assert [path.name for path in tmp_path.iterdir()] == ["pulse.tsv"]


def test_simnibs_file(tmp_path: Path) -> None:
    """The layout of SimNIBS' files: header with tabs, three columns, a zero baseline before the pulse."""
    clean = RAPID.sine(samples=400)
    rows = [f"{t:.18e}\t{s + 0.001:.18e}\t{s:.18e}" for t, s in zip(clean.time, clean.signal, strict=True)]
    before = [f"{t:.18e}\t{0.001:.18e}\t{0.0:.18e}" for t in np.linspace(-2e-5, -1e-7, 50)]
    path = tmp_path / "Magstim_D70.tsv"
    path.write_text("\n".join(["# Time\tMagStim_Rapid\tMagStim_Rapid_fit", *before, *rows]) + "\n")
    waveform = read_waveform(path)
    assert waveform.name == "MagStim_Rapid"
    assert len(waveform.time) == 450
    np.testing.assert_array_equal(waveform.rate[50:], clean.signal)


@pytest.mark.parametrize(("separator", "unit"), [(" ", 1.0), ("\t", 1e-6), (", ", 1e-3)])
def test_plain_columns(tmp_path: Path, separator: str, unit: float) -> None:
    pulse = RAPID.sine(samples=100)
    path = tmp_path / "my probe.txt"
    lines = (f"{t / unit!r}{separator}{s!r}" for t, s in zip(pulse.time.tolist(), pulse.signal.tolist(), strict=True))
    path.write_text("\r\n".join(lines))
    waveform = read_waveform(path, seconds_per_unit=unit)
    assert waveform.name == "my probe"
    np.testing.assert_allclose(waveform.time, pulse.time, rtol=1e-15)
    np.testing.assert_array_equal(waveform.signal, pulse.signal)


ROWS = [f"{1e-6 * index!r}\t{math.cos(index / 3)!r}" for index in range(20)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "bad.tsv must hold at least 10 samples; got none"),
        ("# Time\tX\n", "bad.tsv must hold at least 10 samples; got none"),
        ("\n".join(ROWS[:9]), "bad.tsv must hold at least 10 samples; got 9"),
        ("\n".join([*ROWS, "2.1e-05"]), "bad.tsv, line 21, must hold 2 numbers as the lines above; got 1. Is it cut?"),
        ("\n".join([*ROWS, "2.1e-05\t0.3\t0.3"]), "bad.tsv, line 21, must hold 2 numbers as the lines above; got 3"),
        ("\n".join([*ROWS, "2.1e-05\t0.3e"]), "bad.tsv, line 21, must hold numbers; got '0.3e'"),
        ("\n".join([*ROWS, "2.1e-05\tnan"]), "bad.tsv: signal must be finite; got nan at sample 20"),
        ("\n".join([*ROWS, "2.1e-05\t1e999"]), "bad.tsv: signal must be finite; got inf at sample 20"),
        (
            "\n".join([*ROWS, ROWS[3]]),
            "bad.tsv: time must increase from sample to sample; got 1.9e-05 s and then 3e-06",
        ),
        (
            "\n".join(f"{index}\t1" for index in range(20)),
            "bad.tsv must hold times in seconds, over 1e-6 to 0.1 s; got 19",
        ),
        ("\n".join(f"{index * 1e-6}\t0" for index in range(20)), "bad.tsv: signal must not be zero throughout"),
        ("1 2 3 4\n" * 20, "bad.tsv, line 1, must hold 2 or 3 numbers: time, signal and perhaps its fit; got 4"),
        ("<html>", "bad.tsv, line 1, must hold 2 or 3 numbers"),
        ("# Time\ta\tb\n" + "\n".join(f"{row}\t1" for row in ROWS), "bad.tsv must hold one signal, and in the third"),
        ("\n".join(ROWS) + "\x00", "bad.tsv, line 20, must hold numbers"),
        (b"\xff\xfe\x00\x01", "path must be a text file; got bad.tsv"),
    ],
)
def test_bad_files_get_one_sentence(tmp_path: Path, text: str | bytes, message: str) -> None:
    path = tmp_path / "bad.tsv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match="^" + re.escape(message)) as caught:
        read_waveform(path)
    assert len(str(caught.value)) < 250


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"^path must be a file; got"):
        read_waveform(tmp_path / "none.tsv")
    with pytest.raises(FileNotFoundError, match=r"^path must lie in a folder that exists; got"):
        write_waveform(rectangular(1e-4), tmp_path / "none" / "x.tsv")
    with pytest.raises(ValueError, match=r"^name must hold no tab and no line break"):
        write_waveform(Waveform("a\tb", time=[0, 1], signal=[1, 1]), tmp_path / "x.tsv")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_huge_files_are_refused_with_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "huge.tsv"
    with path.open("wb") as file:
        file.truncate(101_000_000)  # sparse: no disk used
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"^path must be a file of at most 100 MB; got huge\.tsv of 101000000 bytes"):
        read_waveform(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_one_endless_line_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "line.tsv"
    path.write_text("1 " * 20_000_000)
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"^line\.tsv, line 1, must be shorter than 1000 characters; got more"):
        read_waveform(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_too_many_samples_are_refused_while_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coils.waveform_files.MOST_SAMPLES", 15)
    path = tmp_path / "long.tsv"
    path.write_text("\n".join(ROWS))
    with pytest.raises(ValueError, match=r"^long\.tsv, line 16, must not follow: a pulse has at most 15 samples"):
        read_waveform(path)
