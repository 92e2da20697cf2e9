"""Stimulators: percentages, limits, and the sentences for bad input."""

import math

import pytest

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
