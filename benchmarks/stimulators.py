"""Compute what the measured pairs of stimulator and coil imply: circuit, energy, and threshold against other pulses.

    python benchmarks/stimulators.py                 # all tables
    python benchmarks/stimulators.py --markdown      # the README's tables
    python benchmarks/stimulators.py --quick         # smoke test

Greatest dI/dt, period and decay are measured (Drakaki et al., Brain Stimul 2022;15:697-706); the inductance is computed
from the winding, without cable and stimulator, so that capacitance is an upper and voltage and energy are lower bounds.
All coils of one stimulator share its capacitor: that this column differs for MagPro X100, 203 to 252 uF, shows how much
cable and the guesses in the drawings count. Recalled, not confirmed: Magstim's capacitor of 185 uF, 1.65 kV for the
Rapid, coils of 16.35 uH (70 mm) and 17.92 uH (double cone). Thresholds are those of a membrane with one time constant,
196 us (Peterchev et al., Clin Neurophysiol 2013;124:1364-1372), peaks of E over that of a long pulse.
A few seconds on one core.
"""

import argparse
from collections.abc import Sequence

from coils import list_coils, load_coil
from coils.discharge import Discharge
from coils.inductance import inductance
from coils.stimulator_pairs import discharge_for, list_stimulator_coils, stimulator_for
from coils.strength_duration import TIME_CONSTANTS, threshold_factor
from coils.waveforms import Waveform, rectangular

TAU = TIME_CONSTANTS["motor-cortex"].value


def pair_rows(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Return a row per coil whose stimulator's pulse was fitted."""
    rows: list[tuple[str, ...]] = []
    for name in names:
        if name not in list_stimulator_coils() or not stimulator_for(name).waveforms:
            continue
        stimulator = stimulator_for(name)
        didt = stimulator.didt(100)
        henry = inductance(load_coil(name))
        circuit = discharge_for(name, inductance=henry)
        rows.append(
            (
                f"{stimulator.brand} {stimulator.name}" if stimulator.brand not in stimulator.name else stimulator.name,
                name,
                f"{didt / 1e6:.1f}",
                f"{1e6 * circuit.period:.0f}",
                f"{1e6 * henry:.1f}",
                f"{1e6 * circuit.capacitance:.0f}",
                f"{circuit.voltage(didt) / 1e3:.2f}",
                f"{circuit.peak_current(didt) / 1e3:.1f}",
                f"{circuit.energy(didt):.0f}",
                f"{100.0 * circuit.loss():.0f}",
                f"{threshold_factor(stimulator.waveforms[0], TAU):.2f}",
            )
        )
    return rows


def pulse_rows() -> list[tuple[str, ...]]:
    """Return a row per kind of pulse: thresholds by either direction of E, with one capacitor on one coil."""
    circuit = Discharge(capacitance=185e-6, inductance=16e-6, resistance=0.03)
    pulses: list[Waveform] = [rectangular(width) for width in (30e-6, 60e-6, 120e-6)]
    pulses += [circuit.sine(1), circuit.sine(2), circuit.monophasic()]
    rows: list[tuple[str, ...]] = []
    for pulse in pulses:
        first, second = (threshold_factor(pulse, TAU, direction=direction) for direction in ("first", "second"))
        name = pulse.name if pulse.name != "rectangular" else f"rectangular {1e6 * pulse.duration:.0f} us"
        rows.append((name, f"{first:.2f}", f"{second:.2f}", f"{100.0 * pulse.imbalance:.1f}"))
    return rows


PAIR_TITLES = (
    "stimulator",
    "coil",
    "max dI/dt, A/us",
    "period, us",
    "inductance, uH",
    "capacitor, uF",
    "voltage, kV",
    "peak current, kA",
    "energy, J",
    "heat, %",
    "threshold / rheobase",
)
PULSE_TITLES = ("pulse", "threshold / rheobase, E of first phase", "E of second phase", "current left, %")


def show(titles: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int, markdown: bool) -> None:
    """Print a table whose first columns hold texts and the others numbers."""
    if markdown:
        print("| " + " | ".join(titles) + " |")
        print("|" + "---|" * texts + "---:|" * (len(titles) - texts))
        for row in rows:
            print("| " + " | ".join(row) + " |")
    else:
        widths = [max(len(row[i]) for row in (titles, *rows)) for i in range(len(titles))]
        for row in (titles, *rows):
            print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    print()


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="smoke test: one coil")
    parser.add_argument("--markdown", action="store_true", help="tables for the README")
    options = parser.parse_args(arguments)
    names = list_coils()[:2] if options.quick else list_coils()
    show(PAIR_TITLES, pair_rows(names), texts=2, markdown=options.markdown)
    show(PULSE_TITLES, pulse_rows(), texts=1, markdown=options.markdown)


if __name__ == "__main__":
    main()
