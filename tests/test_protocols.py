"""Protocols, pulse trains and safety tables: clocks, numbers typed again, what the stricter entry is, and the words."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

import coils
import efield
from coils.stimulator_pairs import discharge_for, stimulator_for
from efield.dose import MARKS, MotorThreshold
from efield.protocols import (
    TABLES,
    Fact,
    PulseTrain,
    SafetyTable,
    check_safety,
    heating_of,
    list_protocols,
    load_protocol,
    plan_session,
)

# No text may read as a clearance or an advice: "no clearance", "no recommendation" and "safety" are allowed.
ADVICE = re.compile(
    r"\bsafe\b|\bsafely\b|(?<!no )\bclearance\b|\bcleared\b|(?<!no )\brecommend|\bshould be (used|given)\b"
)


# --------------------------------------------------------------------------------------------------- trains


@pytest.mark.parametrize(
    ("train", "duration"),
    [
        (PulseTrain(10, 40, trains=75, inter_train_interval=26), 37.0 * 60 + 4.0),  # 75 x 4 s + 74 x 26 s
        (PulseTrain(5, 50, trains=10, inter_train_interval=50), 550.0),
        (PulseTrain(1, 1000), 1000.0),
        (PulseTrain(3, 7, trains=4, inter_train_interval=0.1), 28 / 3 + 0.3),
    ],
)
def test_pulses_by_a_clock(train: PulseTrain, duration: float) -> None:
    """Step a clock from pulse to pulse: a period after each, and the pause after the last of a train."""
    clock, expected = 0.0, []
    for number in range(train.trains):
        for _ in range(train.pulses_per_train):
            expected.append(clock)
            clock += 1.0 / train.frequency
        clock += train.inter_train_interval if number < train.trains - 1 else 0.0
    np.testing.assert_allclose(train.times, expected, rtol=1e-12, atol=1e-12)
    assert train.duration == pytest.approx(clock, rel=1e-12) == pytest.approx(duration, rel=1e-12)
    assert train.pulses == len(expected)
    assert train.mean_rate * train.duration == pytest.approx(len(expected), rel=1e-12)
    assert train.duty == pytest.approx(train.mean_rate / train.frequency, rel=1e-12)


def test_without_pauses_all_pulses_are_regular() -> None:
    np.testing.assert_allclose(np.diff(PulseTrain(4, 5, trains=6).times), 0.25, rtol=1e-12)
    assert PulseTrain(4, 5, trains=6).duty == pytest.approx(1.0)


def test_a_train_from_text() -> None:
    assert PulseTrain.from_text("10, 40, 75, 26") == PulseTrain(10, 40, trains=75, inter_train_interval=26)
    assert PulseTrain.from_text("1,600") == PulseTrain(1.0, 600)
    assert (
        "75 trains of 40 pulses at 10 Hz (4 s), pauses of 26 s: 3000 pulses in 37.1 min"
        in PulseTrain.from_text("10,40,75,26").text
    )


# --------------------------------------------------------------------------------------------------- presets


def test_every_protocol_names_what_can_be_searched_and_where_it_comes_from() -> None:
    assert {"cpsp-hand", "rls-leg", "rls-s1"} <= set(list_protocols())
    for name in list_protocols():
        protocol = load_protocol(name)
        assert protocol.name == name
        assert protocol.target.value in efield.list_targets()
        assert protocol.side_rule.value in ("contralateral", "left", "both")
        assert protocol.source
        assert protocol.doi
        assert protocol.evidence.count(".") >= 1
        for fact in protocol.facts.values():
            assert fact.mark in MARKS


def test_settings_typed_again_from_the_sources() -> None:
    """Frequency, pulses, intensity and marks, from shared/reference/targets.md, 8d, and the abstracts named there."""
    expected = {
        "cpsp-hand": ("m1-hand", 10, "seen", 2000, "seen", 80, "recalled"),
        "cpsp-hand-5hz": ("m1-hand", 5, "seen", 500, "seen", 90, "seen"),
        "rls-leg": ("m1-leg", 15, "seen", None, "recalled", 100, "seen"),
        "rls-s1": ("s1-hand", 1, "seen", 1000, "computed", 90, "recalled"),
    }
    for name, values in expected.items():
        p = load_protocol(name)
        found = (p.frequency, p.pulses, p.intensity)
        assert (p.target.value, *(part for fact in found for part in (fact.value, fact.mark))) == values


@pytest.mark.parametrize("name", list_protocols())
def test_every_shown_value_carries_its_mark(name: str) -> None:
    protocol = load_protocol(name)
    said = dict(protocol.lines())
    for label, fact in protocol.facts.items():
        line = said[label.capitalize()]
        assert line == "not found" if fact.value is None else f"({fact.mark}" in line
    data = json.loads(json.dumps(protocol.as_dict(), allow_nan=False))
    assert data["intensity"] == {
        "value": protocol.intensity.value,
        "mark": protocol.intensity.mark,
        "source": protocol.intensity.source,
    }
    assert "no clearance" in protocol.text
    assert not ADVICE.search(protocol.text)


@pytest.mark.parametrize("name", list_protocols())
def test_trains_add_up_to_the_pulses_or_are_not_timed(name: str) -> None:
    protocol = load_protocol(name)
    train = protocol.train()
    if train is None:
        assert None in (protocol.pulses.value, protocol.pulses_per_train.value, protocol.inter_train_interval.value)
        assert "cannot be timed" in protocol.text
    else:
        assert train.pulses == protocol.pulses.value
        assert train.frequency == protocol.frequency.value


def test_a_protocol_in_a_line() -> None:
    assert load_protocol("cpsp-hand").summary == (
        "acute central post-stroke pain: m1-hand, 10 Hz, 2000 pulses, [80 % of rMT]"
    )
    assert load_protocol("rls-leg").summary == "restless legs syndrome: m1-leg, 15 Hz, ? pulses, 100 % of rMT"


def test_the_side_rule() -> None:
    assert [load_protocol("cpsp-hand").side(side) for side in ("left", "right")] == ["right", "left"]
    assert load_protocol("rls-s1").side("right") == "left"
    assert load_protocol("rls-leg").side() == "both"


# --------------------------------------------------------------------------------------------------- safety tables

RETYPED = (
    """1 >1800 >1800 >1800 >360 >50
       5 >10 >10 >10 >10 >10
       10 >5 >5 >5 4.2 2.9
       20 2.05 2.05 1.6 1.0 0.55
       25 1.28 1.28 0.84 0.4 0.24""",
    """1 >270 >270 >180 50
       5 10 10 10 10
       10 5 5 3.2 2.2
       20 1.5 1.2 0.8 0.4
       25 1.0 0.7 0.3 0.2""",
)


@pytest.mark.parametrize(("table", "text"), list(zip(TABLES, RETYPED, strict=True)))
def test_tables_typed_again(table: SafetyTable, text: str) -> None:
    assert table.intensities[-1] == 130.0
    for line in text.splitlines():
        frequency, *entries = line.split()
        assert table.rows[float(frequency)] == tuple(entries)
        for intensity, entry in zip(table.intensities, entries, strict=True):
            assert table.limit(float(frequency), intensity) == entry


def test_the_later_table_is_the_earlier_one_cut_by_a_quarter() -> None:
    """As Chen et al. say; the numbers are recalled, so this is what speaks for them. Rounded to a tenth."""
    earlier, later = TABLES
    pairs = [
        (float(earlier.rows[row][column + 1]), float(later.rows[row][column]))
        for row in later.rows
        for column in range(4)
        if not earlier.rows[row][column + 1].startswith(">")
    ]
    assert len(pairs) == 10
    for before, after in pairs:
        assert after == pytest.approx(0.75 * before, abs=0.08)


@pytest.mark.parametrize("table", TABLES)
def test_between_entries_the_stricter_one_holds(table: SafetyTable, rng: np.random.Generator) -> None:
    """So it never grows with frequency or intensity, and is never above an entry that is slower or weaker."""

    def seconds(frequency: float, intensity: float) -> float:
        entry = table.limit(frequency, intensity)
        assert entry is not None
        return float(entry.removeprefix(">"))

    for frequency, intensity in zip(rng.uniform(0.3, 25.0, 300), rng.uniform(60.0, 130.0, 300), strict=True):
        here = seconds(frequency, intensity)
        assert seconds(min(frequency * 1.3, 25.0), intensity) <= here
        assert seconds(frequency, min(intensity * 1.05, 130.0)) <= here
        entries = [
            float(entry.removeprefix(">"))
            for row, line in table.rows.items()
            for column, entry in zip(table.intensities, line, strict=True)
            if row <= frequency and column <= intensity
        ]
        assert all(here <= entry for entry in entries)
    assert table.limit(25.1, 100.0) is None
    assert table.limit(10.0, 130.1) is None


@pytest.mark.parametrize(
    ("train", "intensity", "verdicts"),
    [
        (PulseTrain(20, 32, trains=10, inter_train_interval=5), 110, ("within", "exceeds", "within")),  # Chen's own
        (PulseTrain(20, 24, trains=10, inter_train_interval=5), 110, ("within", "within", "within")),
        (PulseTrain(20, 24, trains=10, inter_train_interval=1), 110, ("within", "within", "exceeds")),
        (PulseTrain(20, 24, trains=10, inter_train_interval=1), 100, ("within", "within", "unknown")),
        (PulseTrain(20, 24, trains=20, inter_train_interval=5), 110, ("within", "within", "unknown")),
        (PulseTrain(10, 60), 100, ("unknown", "exceeds")),  # 6 s: longer than >5, and than 5
        (PulseTrain(10, 43), 120, ("exceeds", "exceeds")),
        (PulseTrain(10, 42), 120, ("within", "exceeds")),
        (PulseTrain(50, 15), 80, ("unknown", "unknown")),
        (PulseTrain(1, 100), 140, ("unknown", "unknown")),
    ],
)
def test_verdicts(train: PulseTrain, intensity: float, verdicts: tuple[str, ...]) -> None:
    found = check_safety(train, intensity)
    assert tuple(finding.verdict for finding in found[: len(verdicts)]) == verdicts
    assert found[-1].verdict == "note"
    assert "no clearance" in found[-1].text
    for finding in found:
        assert not ADVICE.search(finding.text)
        if finding.verdict == "within":
            assert finding.text.endswith("no clearance.")
        if finding.verdict in ("within", "exceeds"):
            assert finding.source in finding.text
            assert finding.mark is not None
            assert finding.mark in finding.text


def test_a_limit_says_whether_it_is_the_table_s_own_entry() -> None:
    assert "the stricter entry beside it" in check_safety(PulseTrain(15, 10), 100)[0].text
    assert "the stricter entry beside it" in check_safety(PulseTrain(20, 10), 85)[0].text
    assert "the stricter entry beside it" not in check_safety(PulseTrain(20, 10), 90)[0].text


def test_a_threshold_by_eye_is_held_higher() -> None:
    """100 % of a threshold by eye is 111.3 % of the EMG's: at 20 Hz 1.0 s instead of 2.05 s."""
    train = PulseTrain(20, 30)
    assert check_safety(train, 100)[0].verdict == "within"
    assert check_safety(train, 100, method="visual")[0].verdict == "exceeds"
    assert "11.3 %" in check_safety(train, 100, method="visual")[-1].text


# --------------------------------------------------------------------------------------------------- heat


def test_heat_of_a_session() -> None:
    """Energy and loss written out, with the period and the decay of the recorded pulse (344.5 us, 1148/s)."""
    coil, train = coils.load_coil("magstim-70mm"), PulseTrain(10, 50, trains=20, inter_train_interval=55)
    didt = stimulator_for("magstim-70mm").didt(50)
    heat = heating_of(coil, didt, train)
    assert heat is not None
    inductance = coils.inductance(coil)
    capacitance = 1.0 / (inductance * ((2.0 * np.pi / 344.5e-6) ** 2 + 1148.1**2))
    energy = 0.5 * capacitance * (inductance * didt) ** 2
    assert heat.pulse_energy == pytest.approx(energy, rel=1e-6)
    assert heat.pulse_energy == pytest.approx(discharge_for("magstim-70mm", inductance=inductance).energy(didt))
    assert heat.pulse_heat == pytest.approx(energy * (1.0 - np.exp(-2.0 * 1148.1 * 344.5e-6)), rel=1e-6)
    assert heat.mean_power * train.duration == pytest.approx(train.pulses * heat.pulse_heat, rel=1e-12)
    assert heat.train_power * train.train_duration == pytest.approx(50 * heat.pulse_heat, rel=1e-12)


def test_no_heat_without_a_recorded_pulse() -> None:
    assert heating_of(coils.load_coil("magventure-twin"), 1e8, PulseTrain(1, 10)) is None
    bare = coils.Coil(positions=[[0, 0, -10]], moments=[[0, 0, 0.04]], name="magstim-70mm")
    assert heating_of(bare, 1e8, PulseTrain(1, 10)) is None


# --------------------------------------------------------------------------------------------------- plans


@pytest.fixture(scope="module")
def threshold(small_result: efield.SearchResult) -> MotorThreshold:
    return MotorThreshold.of_result(small_result, mso=45.0)


def test_a_plan_takes_intensity_and_pulses_from_the_protocol(small_result, threshold) -> None:
    plan = plan_session(small_result, threshold=threshold, protocol="cpsp-hand-5hz", affected="right")
    assert plan.dose.mso == pytest.approx(0.9 * 45.0, rel=1e-12)
    assert plan.train == load_protocol("cpsp-hand-5hz").train()
    assert [finding.verdict for finding in plan.findings[:2]] == ["within", "within"]
    assert plan.warnings == ()
    assert plan.heating is not None
    assert plan.remarks == ()


def test_a_plan_of_one_s_own(small_result, threshold) -> None:
    train = PulseTrain(20, 40, trains=5, inter_train_interval=0.5)
    plan = plan_session(small_result, threshold=threshold, intensity=110, train=train)
    assert plan.dose.mso == pytest.approx(49.5, rel=1e-12)
    assert len(plan.warnings) == 3  # both tables, and the pause
    assert plan.protocol is None
    strong = plan_session(small_result, threshold=threshold, intensity=300, train=train)
    assert strong.warnings[0].startswith("The pair of stimulator and coil CANNOT reach this dose")


def test_the_safety_tables_are_held_at_the_stimulator_s_setting_over_a_weaker_place(small_result) -> None:
    """The threshold measured where the field is 1.4 times stronger: 90 % there are 126 % of its dI/dt here."""
    measured = MotorThreshold(mso=45, field_per_didt=1.4 * small_result.field_at_target, coil="magstim-70mm")
    plan = plan_session(small_result, threshold=measured, intensity=90, train=PulseTrain(10, 40))
    assert plan.dose.percent_of_threshold == pytest.approx(126.0, rel=1e-12)
    assert "and 126 % of rMT" in plan.findings[0].text
    assert plan.findings[0].verdict == "exceeds"  # 4 s at 10 Hz: 2.9 s at 130 %


def test_a_plan_says_what_differs_and_what_is_missing(small_result, threshold) -> None:
    plan = plan_session(small_result, protocol="rls-leg")
    said = " ".join((*plan.mismatches, *plan.remarks))
    assert any("stimulates m1-leg; this result is for m1-hand" in warning for warning in plan.warnings)
    assert "stimulates m1-leg; this result is for m1-hand" in said
    assert "side is both; this result's is left" in said
    assert "their trains are not known" in said
    assert "No motor threshold was given" in said
    assert plan.findings == ()
    other = plan_session(small_result, threshold=threshold, protocol="cpsp-hand", affected="left")
    assert "side is right; this result's is left" in " ".join(other.warnings)
    unasked = plan_session(small_result, threshold=threshold, protocol="cpsp-hand")
    assert "that side was not given" in " ".join(unasked.remarks)
    no_intensity = plan_session(small_result, train=PulseTrain(10, 50))
    assert "the intensity is not known" in " ".join(no_intensity.remarks)


def test_both_sides_at_once_get_the_dose_of_the_weaker_one(small_result, threshold) -> None:
    """A result for two targets, the second with half of the field: rls-leg's side is met, the dose is doubled."""
    other = replace(small_result.target, side="right")
    both = replace(
        small_result,
        targets=(small_result.target, other),
        patches=2 * small_result.patches,
        vectors_at_targets=np.stack([small_result.vector_at_target, 0.5 * small_result.vector_at_target]),
        reciprocal_vectors=np.repeat(small_result.reciprocal_vectors[:1], 2, axis=0),
    )
    plan = plan_session(both, threshold=threshold, protocol="rls-leg")
    assert plan.dose.what == "100 % of the threshold's field at m1-hand left and right"
    assert plan.dose.mso == pytest.approx(90.0, rel=1e-12)
    assert "side" not in " ".join((*plan.mismatches, *plan.remarks))


@pytest.mark.parametrize("name", list_protocols())
def test_a_plan_as_plain_data_and_as_lines(small_result, threshold, name: str) -> None:
    plan = plan_session(small_result, threshold=threshold, protocol=name)
    data = json.loads(json.dumps(plan.as_dict(), allow_nan=False))
    assert data["dose"]["mso_percent"] == plan.dose.mso
    assert data["protocol"]["name"] == name
    assert [entry["verdict"] for entry in data["safety_tables"]] == [finding.verdict for finding in plan.findings]
    for label, text in plan.lines():
        assert label
        assert text
        assert not ADVICE.search(text), text
    assert "no clearance" in plan.lines()[-1][1]


# --------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: PulseTrain(0, 10), ValueError, r"^frequency must be a positive number; got 0"),
        (lambda: PulseTrain(2000, 10), ValueError, r"^frequency must be at most 1000 Hz; got 2000"),
        (lambda: PulseTrain("fast", 10), ValueError, r"^frequency must be a positive number; got 'fast'"),
        (lambda: PulseTrain(10, 2.5), ValueError, r"^pulses_per_train must be a whole number; got 2\.5"),
        (lambda: PulseTrain(10, -5), ValueError, r"^pulses_per_train must be a positive number; got -5"),
        (lambda: PulseTrain(10, 10, trains=0), ValueError, r"^trains must be a positive number; got 0"),
        (
            lambda: PulseTrain(10, 10, inter_train_interval=-1),
            ValueError,
            r"^inter_train_interval must be zero or a positive number; got -1",
        ),
        (lambda: PulseTrain(10, 10**5, trains=100), ValueError, r"^pulses_per_train times trains must be at most"),
        (lambda: PulseTrain.from_text("10"), ValueError, r"^train must be two to four numbers, .*; got '10'"),
        (lambda: PulseTrain.from_text("10 Hz, 40"), ValueError, r"^train must be two to four numbers, .*'10 Hz, 40'"),
        (lambda: PulseTrain.from_text("1,2,3,4,5"), ValueError, r"^train must be two to four numbers, .*'1,2,3,4,5'"),
        (lambda: load_protocol("cpsp"), ValueError, r"^protocol must be one of cpsp-hand, .*; got 'cpsp'"),
        (lambda: load_protocol("rls-legs"), ValueError, r"got 'rls-legs'\. Did you mean 'rls-leg'\?"),
        (lambda: load_protocol("cpsp-hand").side(), ValueError, r"^affected must be 'left' or 'right', .*; got None"),
        (lambda: load_protocol("rls-s1").side("up"), ValueError, r"^affected must be one of 'left', 'right'; got 'up'"),
        (lambda: check_safety("10 Hz", 90), TypeError, r"^train must be an efield\.protocols\.PulseTrain; got str"),
        (lambda: check_safety(PulseTrain(1, 1), 0), ValueError, r"^intensity_percent_rmt must be a positive number"),
        (
            lambda: check_safety(PulseTrain(1, 1), 90, method="guess"),
            ValueError,
            r"^method must be one of 'emg', 'visual'; got 'guess'",
        ),
        (lambda: Fact(1.0, "sure"), ValueError, r"^mark must be one of .*; got 'sure'"),
        (lambda: plan_session("result"), TypeError, r"^result must be an efield\.SearchResult; got str"),
        (
            lambda: heating_of(coils.load_coil("magstim-70mm"), -1.0, PulseTrain(1, 1)),
            ValueError,
            r"^didt must be a positive number; got -1",
        ),
    ],
)
def test_bad_input_gets_a_sentence(call, kind, words) -> None:
    with pytest.raises(kind) as caught:
        call()
    message = str(caught.value)
    assert re.search(words, message), message
    assert re.match(r"^\S[^\n]* must [^\n]+; got [^\n]+[.?]$", message), message


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ({"threshold": 45}, TypeError, r"^threshold must be an efield\.dose\.MotorThreshold; got int"),
        ({"protocol": "depression"}, ValueError, r"^protocol must be one of cpsp-hand, .*; got 'depression'"),
        ({"protocol": 3}, TypeError, r"^protocol must be a Protocol or a name; got int"),
        ({"train": "10,40"}, TypeError, r"^train must be an efield\.protocols\.PulseTrain; got str"),
        ({"intensity": -90}, ValueError, r"^intensity must be a positive number; got -90"),
        ({"field": 0}, ValueError, r"^field must be a positive number; got 0"),
        ({"protocol": "cpsp-hand", "affected": "both"}, ValueError, r"^affected must be one of 'left', 'right'"),
        ({"level": 1}, ValueError, r"^level must be a probability between 0 and 1; got 1"),
    ],
)
def test_a_plan_that_cannot_be(small_result, arguments, kind, words) -> None:
    with pytest.raises(kind, match=words):
        plan_session(small_result, **arguments)
