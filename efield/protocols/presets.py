"""Published protocols for central post-stroke pain and restless legs, each fact with its source and its certainty.

They describe what was done in named studies. They are no recommendation, and no treatment plan.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

from efield.dose.marks import Mark, check_mark
from efield.protocols.trains import PulseTrain
from meshes import arrays

__all__ = ["Fact", "Protocol", "list_protocols", "load_protocol"]

_OPPOSITE = {"left": "right", "right": "left"}

_RULES = {
    "contralateral": "opposite to the affected side of the body",
    "left": "left hemisphere",
    "both": "both hemispheres",
}


@dataclass(frozen=True)
class Fact:
    """One setting of a protocol.

    Parameters
    ----------
    value : float, str or None
        None if it was not found.
    mark : {"seen", "computed", "recalled", "assumed"}
        How certain it is; see `efield.dose.MARKS`.
    source : str, optional
        Where it stands, if not in the protocol's own source.
    """

    value: float | str | None
    mark: Mark = "recalled"
    source: str = ""

    def __post_init__(self) -> None:
        check_mark(self.mark)

    @property
    def value_text(self) -> str:
        """The value alone; "?" if it was not found."""
        if self.value is None:
            return "?"
        return self.value if isinstance(self.value, str) else f"{self.value:g}"

    def said(self, unit: str = "") -> str:
        """Return value, unit, mark and source in a few words."""
        if self.value is None:
            return "not found"
        return f"{self.value_text}{unit} ({self.mark}{f': {self.source}' if self.source else ''})"

    def as_dict(self) -> dict[str, Any]:
        """Return the fact as plain data."""
        return {"value": self.value, "mark": None if self.value is None else self.mark, "source": self.source}


_UNKNOWN = Fact(None)


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """What one study did.

    Parameters
    ----------
    name : str
        As `load_protocol` knows it.
    condition : str
        The patients.
    target : Fact
        A name of `efield.list_targets`.
    side_rule : Fact
        "contralateral" to the affected side of the body, "left" or "both".
    coil : Fact
        Type of the coil.
    frequency : Fact
        Within trains (Hz).
    pulses : Fact
        Of a session.
    intensity : Fact
        In percent of the resting motor threshold.
    sessions : Fact
        How many, and over what time.
    pulses_per_train, inter_train_interval : Fact, optional
        The interval in seconds.
    source, doi : str
        The study.
    evidence : str
        What came out, in a sentence.
    """

    name: str
    condition: str
    target: Fact
    side_rule: Fact
    coil: Fact
    frequency: Fact
    pulses: Fact
    intensity: Fact
    sessions: Fact
    pulses_per_train: Fact = _UNKNOWN
    inter_train_interval: Fact = _UNKNOWN
    source: str
    doi: str
    evidence: str

    @property
    def facts(self) -> dict[str, Fact]:
        """All settings by name."""
        return {
            "target": self.target,
            "side rule": self.side_rule,
            "coil": self.coil,
            "frequency": self.frequency,
            "pulses": self.pulses,
            "intensity": self.intensity,
            "pulses per train": self.pulses_per_train,
            "inter-train interval": self.inter_train_interval,
            "sessions": self.sessions,
        }

    def side(self, affected: str | None = None) -> str:
        """Return which hemisphere the side rule names.

        Parameters
        ----------
        affected : {"left", "right"}, optional
            The affected side of the body; needed where the rule is "contralateral".

        Returns
        -------
        str
            "left", "right" or "both".

        Raises
        ------
        ValueError
            If the affected side is needed and not given, or is another word.

        Examples
        --------
        >>> load_protocol("cpsp-hand").side("left"), load_protocol("rls-s1").side()
        ('right', 'left')
        """
        rule = str(self.side_rule.value)
        if affected is not None:
            arrays.choice(affected, "affected", _OPPOSITE)
        if rule != "contralateral":
            return rule
        if affected is None:
            raise ValueError(
                f"affected must be 'left' or 'right', as {self.name} stimulates the hemisphere opposite to the pain; "
                "got None. Name the affected side of the body."
            )
        return _OPPOSITE[affected]

    def train(self) -> PulseTrain | None:
        """Return the pulses of one session; None where the sources did not tell enough to time them."""
        parts = (self.frequency, self.pulses, self.pulses_per_train, self.inter_train_interval)
        if any(fact.value is None for fact in parts):
            return None
        frequency, pulses, each, pause = (float(fact.value or 0.0) for fact in parts)
        return PulseTrain(frequency, int(each), trains=round(pulses / each), inter_train_interval=pause)

    @property
    def summary(self) -> str:
        """Patients, target, frequency, pulses and intensity in a line, what is recalled in brackets."""
        units = ("", " Hz", " pulses", " % of rMT")
        parts = []
        for fact, unit in zip((self.target, self.frequency, self.pulses, self.intensity), units, strict=True):
            said = f"{fact.value_text}{unit}"
            parts.append(f"[{said}]" if fact.mark == "recalled" and fact.value is not None else said)
        return f"{self.condition}: {', '.join(parts)}"

    @property
    def text(self) -> str:
        """All of it, a line for each fact."""
        return "\n".join(f"{name}: {value}" for name, value in self.lines())

    def lines(self) -> tuple[tuple[str, str], ...]:
        """Return name and value of each line of a table; each value with its mark of certainty."""
        train = self.train()
        units = {"frequency": " Hz", "intensity": " % of rMT", "inter-train interval": " s"}
        rows = [("Protocol", f"{self.name}: {self.condition}")]
        for name, fact in self.facts.items():
            said = fact.said(units.get(name, ""))
            if name == "side rule":
                said = said.replace(str(fact.value), _RULES[str(fact.value)], 1)
            rows.append((name.capitalize(), said))
        rows.append(("Trains", "cannot be timed: not all of it was found" if train is None else train.text))
        rows.append(("Source", f"{self.source}; doi {self.doi}"))
        rows.append(("Evidence", self.evidence))
        rows.append(("What this is", "What a study did; no recommendation and no clearance. Research software."))
        return tuple(rows)

    def as_dict(self) -> dict[str, Any]:
        """Return the protocol as plain data."""
        train = self.train()
        return {
            "name": self.name,
            "condition": self.condition,
            **{name.replace(" ", "_").replace("-", "_"): fact.as_dict() for name, fact in self.facts.items()},
            "train": None if train is None else train.as_dict(),
            "source": self.source,
            "doi": self.doi,
            "evidence": self.evidence,
            "what": "What a study did; no recommendation and no clearance.",
        }


_REVIEW = "table of studies in Radiansyah and Hadi, Korean J Pain 2023;36(4)"
_FIGURE_8 = Fact("figure-of-eight", "seen", "Radiansyah and Hadi 2023, abstract, of such trials in general")
_PAIN_SIDE = Fact("contralateral", "recalled", "usual in trials of pain, and IFCN's guideline of 2020")
_PAIN_SITE = "area of the painful part of the body: Hosomi et al. 2020, Pain 161:351, abstract"

_PROTOCOLS: tuple[Protocol, ...] = (
    Protocol(
        name="cpsp-hand",
        condition="acute central post-stroke pain",
        target=Fact("m1-hand", "seen"),
        side_rule=_PAIN_SIDE,
        coil=_FIGURE_8,
        frequency=Fact(10.0, "seen"),
        pulses=Fact(2000.0, "seen"),
        intensity=Fact(80.0, "recalled"),
        sessions=Fact("3 weeks; how many a week was not found", "seen"),
        source="Zhao et al. 2021, Pain Ther 10:1085-1100, abstract seen (pages recalled)",
        doi="10.1007/s40122-021-00261-0",
        evidence="Randomised against sham, 20 and 20: less pain on day 7 (Cohen's d 1.302) and in week 3 (0.860) "
        "[seen]; 10 Hz and 2000 pulses, five daily sessions and then one a week, gave no significant relief in 30 "
        "with neuropathic pain of the upper limb (Mori et al. 2024, Sci Rep, doi 10.1038/s41598-024-62018-x) [seen].",
    ),
    Protocol(
        name="cpsp-hand-5hz",
        condition="neuropathic pain, 21 of 64 after a stroke",
        target=Fact("m1-hand", "seen", _PAIN_SITE),
        side_rule=_PAIN_SIDE,
        coil=_FIGURE_8,
        frequency=Fact(5.0, "seen"),
        pulses=Fact(500.0, "seen"),
        intensity=Fact(90.0, "seen", _REVIEW),
        pulses_per_train=Fact(50.0, "recalled"),
        inter_train_interval=Fact(50.0, "seen", _REVIEW),
        sessions=Fact("10, daily", "seen"),
        source="Hosomi et al. 2013, Pain 154:1065-1072, abstract seen",
        doi="10.1016/j.pain.2013.03.016",
        evidence="Randomised crossover against sham, 64 in 7 centres: modest relief for a short time [seen]; a later "
        "trial of 144 with 5 sessions found none (Hosomi et al. 2020, Pain 161:351) [seen].",
    ),
    Protocol(
        name="cpsp-leg-5hz",
        condition="neuropathic pain of the leg, some after a stroke",
        target=Fact("m1-leg", "seen", _PAIN_SITE),
        side_rule=_PAIN_SIDE,
        coil=_FIGURE_8,
        frequency=Fact(5.0, "seen"),
        pulses=Fact(500.0, "seen"),
        intensity=Fact(90.0, "recalled"),
        pulses_per_train=Fact(50.0, "recalled"),
        inter_train_interval=Fact(50.0, "recalled"),
        sessions=Fact("5, daily", "seen"),
        source="Hosomi et al. 2020, Pain 161:351-360, abstract seen",
        doi="10.1097/j.pain.0000000000001712",
        evidence="Randomised against sham, 144 with pain of all sites: no difference (P = 0.58) [seen]; the effect "
        "depends on the site of pain (Mori et al. 2021, Front Hum Neurosci 15:786225) [seen].",
    ),
    Protocol(
        name="cpsp-hand-10hz-single",
        condition="neuropathic pain, 7 of 14 after a stroke",
        target=Fact("m1-hand", "recalled"),
        side_rule=_PAIN_SIDE,
        coil=_FIGURE_8,
        frequency=Fact(10.0, "seen", _REVIEW),
        pulses=Fact(1000.0, "seen", _REVIEW),
        intensity=Fact(80.0, "seen", _REVIEW),
        pulses_per_train=Fact(50.0, "recalled"),
        inter_train_interval=Fact(55.0, "seen", _REVIEW),
        sessions=Fact("1", "seen", _REVIEW),
        source="Lefaucheur et al. 2001, through the table of Radiansyah and Hadi, Korean J Pain 2023;36(4)",
        doi="not found; the review: synapse.koreamed.org/articles/1516083974",
        evidence="Crossover of 14: relief of pain after one session [seen in the review's table].",
    ),
    Protocol(
        name="cpsp-hand-20hz",
        condition="neuropathic pain, 24 of 48 after a stroke",
        target=Fact("m1-hand", "recalled"),
        side_rule=_PAIN_SIDE,
        coil=_FIGURE_8,
        frequency=Fact(20.0, "seen", _REVIEW),
        pulses=Fact(2000.0, "seen", _REVIEW),
        intensity=Fact(80.0, "seen", _REVIEW),
        pulses_per_train=Fact(200.0, "recalled"),
        inter_train_interval=Fact(50.0, "recalled"),
        sessions=Fact("5", "seen", _REVIEW),
        source="Khedr et al. 2005, through the table of Radiansyah and Hadi, Korean J Pain 2023;36(4)",
        doi="10.1136/jnnp.2004.055806 (recalled)",
        evidence="Parallel groups, 48: relief of pain [seen in the review's table]; the trains, as recalled, exceed "
        "the safety tables (see `check_safety`).",
    ),
    Protocol(
        name="rls-leg",
        condition="restless legs syndrome",
        target=Fact("m1-leg", "seen"),
        side_rule=Fact("both", "assumed", "the abstract names no side; symptoms are of both legs"),
        coil=Fact("figure-of-eight", "recalled"),
        frequency=Fact(15.0, "seen"),
        pulses=_UNKNOWN,
        intensity=Fact(100.0, "seen", "abstract; which muscle's threshold is not said"),
        sessions=Fact("14 in 18 days", "seen"),
        source="Lin et al. 2015, Chin Med J 128:1728-1731, abstract seen",
        doi="10.4103/0366-6999.159344",
        evidence="14 patients, compared with themselves: IRLS from 23.86 to 11.21 at the end [seen]; a thesis of 2012 "
        "with the same 14 patients' figures gives the prefrontal cortex as the target (Feng 2012, abstract) [seen].",
    ),
    Protocol(
        name="rls-s1",
        condition="restless legs syndrome",
        target=Fact("s1-hand", "recalled", "the abstract says left S1; 2 cm behind the hand's hot spot is recalled"),
        side_rule=Fact("left", "seen"),
        coil=Fact("figure-of-eight", "recalled"),
        frequency=Fact(1.0, "seen"),
        pulses=Fact(1000.0, "computed", "20 trains of 50"),
        intensity=Fact(90.0, "recalled"),
        pulses_per_train=Fact(50.0, "seen"),
        inter_train_interval=_UNKNOWN,
        sessions=Fact("1, in the evening", "seen"),
        source="Lanza et al. 2018, Ther Adv Neurol Disord 11, abstract seen (journal recalled)",
        doi="10.1177/1756286418759973 (recalled)",
        evidence="13 patients, left S1, left M1 and sham in random order: they reported better sleep in the night "
        "after S1 [seen].",
    ),
)


def list_protocols() -> tuple[str, ...]:
    """Return the names that `load_protocol` knows, in alphabetical order.

    Examples
    --------
    >>> "cpsp-hand" in list_protocols()
    True
    """
    return tuple(sorted(protocol.name for protocol in _PROTOCOLS))


def load_protocol(name: str) -> Protocol:
    """Return a published protocol by name.

    Parameters
    ----------
    name : str
        One of `list_protocols()`.

    Returns
    -------
    Protocol

    Raises
    ------
    ValueError
        If there is no protocol of this name; the message lists all names.

    Examples
    --------
    >>> load_protocol("cpsp-hand").frequency.said(" Hz")
    '10 Hz (seen)'
    """
    known = {protocol.name: protocol for protocol in _PROTOCOLS}
    if name not in known:
        near = difflib.get_close_matches(str(name), known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"protocol must be one of {', '.join(list_protocols())}; got {name!r}.{hint}")
    return known[name]
