"""Measured pairs of stimulator and coil."""

from __future__ import annotations

from dataclasses import dataclass

from coils.discharge import Discharge
from coils.stimulators import Stimulator
from coils.waveforms import Waveform

__all__ = ["discharge_for", "list_stimulator_coils", "stimulator_for"]

_SOURCE = "Drakaki et al., Brain Stimul 2022;15:697-706, model files in SimNIBS"


@dataclass(frozen=True)
class _Pair:
    """One row: dI/dt at 100 % and the stimulator's own reading (A/us); period (us) and decay (1/ms) of the fit."""

    brand: str
    stimulator: str
    coil: str
    max_didt: float
    displayed: float | None = None
    period: float | None = None
    decay: float = 0.0


# max_didt and displayed stand in the headers of the .ccd files (dIdtmax, dIdtstim). Period and decay are computed from
# the fits in the .tsv files beside them, which are the curve of `Discharge.sine` to 1e-10. PowerMAG's pulses (about
# 170 us) and that of MagPro XP have fits of another shape, and so no waveform here. The MST-Twin's model file holds one
# half of the coil; its dI/dt is taken to be that of the whole one.
#
# How good the figures are: one stimulator at 100 % has one capacitor C at one voltage V, so V C = dI/dt L C =
# dI/dt / (w^2 + a^2) must come out the same with every coil. The readings of MagPro X100 do so within 1.2 %, but for
# Cool-B35 (+3 %) and Cool-B65 (-6 %); the measured values scatter by 3.8 % (-7 to +8 %), those of DuoMAG by 1.5 %. The
# DCC has 17 % less than the D70 on the Magstim Rapid: the stimulator gives less there, or one of the two was measured
# otherwise.
_PAIRS: dict[str, _Pair] = {
    "magstim-d70": _Pair("Magstim", "Rapid", "D70", 114.73, None, 344.5, 1.1481),
    "magstim-dcc": _Pair("Magstim", "Rapid", "DCC", 84.37, None, 365.5, 1.1222),
    "deymed-50bf": _Pair("Deymed", "DuoMAG XT", "50BF", 97.59, None, 337.0, 0.4779),
    "deymed-70bf": _Pair("Deymed", "DuoMAG XT", "70BF", 101.06, None, 328.0, 0.4951),
    "deymed-120bfv": _Pair("Deymed", "DuoMAG XT", "120BFV", 102.93, None, 322.1256, 0.5236),
    "magmore-pmd25": _Pair("Mag&More", "PowerMAG", "PMD25-decentral", 220.77),
    "magmore-pmd45": _Pair("Mag&More", "PowerMAG", "PMD45-EEG", 249.55),
    "magmore-pmd70": _Pair("Mag&More", "PowerMAG", "PMD70", 241.28),
    "magventure-mc-b70": _Pair("MagVenture", "MagPro X100", "MC-B70", 155.33, 151.0, 303.0, 0.8067),
    "magventure-c-b60": _Pair("MagVenture", "MagPro X100", "C-B60", 155.40, 161.0, 294.5, 0.8018),
    "magventure-c-b70": _Pair("MagVenture", "MagPro X100", "C-B70", 146.52, 152.0, 304.0, 0.8011),
    "magventure-cool-b35": _Pair("MagVenture", "MagPro X100", "Cool-B35", 141.28, 145.0, 315.0, 1.1561),
    "magventure-cool-b65": _Pair("MagVenture", "MagPro X100", "Cool-B65", 149.77, 155.0, 290.0, 0.7698),
    "magventure-cool-b70": _Pair("MagVenture", "MagPro X100", "Cool-B70", 143.77, 146.0, 308.0, 0.6204),
    "magventure-cool-d-b80": _Pair("MagVenture", "MagPro X100", "Cool-D-B80", 146.44, 151.0, 304.5, 0.7863),
    "magventure-mcf-b65": _Pair("MagVenture", "MagPro X100", "MCF-B65", 147.86, 151.0, 302.5, 0.8118),
    "magventure-mcf-b65-new": _Pair("MagVenture", "MagPro X100", "MCF-B65 new", 153.72, 158.0, 295.5, 0.9041),
    "magventure-mc-b65-ho8": _Pair("MagVenture", "MagPro X100", "MC-B65-HO8", 128.97, 124.0, 337.0, 0.9510),
    "magventure-mri-b91": _Pair("MagVenture", "MagPro X100", "MRI-B91", 194.30, 203.0, 263.5, 1.2674),
    "magventure-c-100": _Pair("MagVenture", "MagPro X100", "C-100", 168.28, 173.0, 283.5, 0.8311),
    "magventure-mc-125": _Pair("MagVenture", "MagPro X100", "MC-125", 151.67, 163.0, 291.0, 0.8632),
    "magventure-mc-125-new": _Pair("MagVenture", "MagPro X100", "MC-125 new", 146.92, 162.0, 293.5, 0.7513),
    "magventure-mcf-75": _Pair("MagVenture", "MagPro X100", "MCF-75", 160.02, 163.0, 291.5, 0.7731),
    "magventure-mmc-140-ii": _Pair("MagVenture", "MagPro X100", "MMC-140-II", 124.39, 124.0, 335.5, 0.7968),
    "magventure-mst-twin": _Pair("MagVenture", "MagPro XP", "MST-Twin", 200.08, 204.0),
}

# Names of `coils.load_coil` whose real coil is a measured one under its maker's other name.
_OTHER_NAMES = {
    "magstim-70mm": "magstim-d70",
    "magstim-double-cone": "magstim-dcc",
    "magventure-twin": "magventure-mst-twin",
}


def list_stimulator_coils() -> tuple[str, ...]:
    """Return the names that `stimulator_for` knows, in alphabetical order.

    Examples
    --------
    >>> len(list_stimulator_coils())
    28
    """
    return tuple(sorted([*_PAIRS, *_OTHER_NAMES]))


def stimulator_for(coil: str) -> Stimulator:
    """Return the stimulator with which the greatest dI/dt of a coil was measured.

    Parameters
    ----------
    coil : str
        One of `list_stimulator_coils()`, as ``"magventure-mc-b70"``; also names of `coils.load_coil`.

    Returns
    -------
    Stimulator
        Its `max_didt` holds for this coil alone. Its one waveform is the biphasic pulse fitted to the recording, as a
        curve in closed form; there is none for PowerMAG and MagPro XP.

    Raises
    ------
    ValueError
        If no pair with this coil is known; the message lists all names.

    Examples
    --------
    >>> magpro = stimulator_for("magventure-mc-b70")
    >>> magpro.label, magpro.max_didt / 1e6, magpro.waveforms[0].name
    ('MagVenture MagPro X100 with MC-B70', 155.33, 'biphasic 303 us')
    """
    pair = _find(coil)
    return Stimulator(
        name=pair.stimulator,
        brand=pair.brand,
        max_didt=1e6 * pair.max_didt,
        displayed_didt=None if pair.displayed is None else 1e6 * pair.displayed,
        waveforms=_waveforms(pair),
        coil=pair.coil,
        source=_SOURCE,
    )


def discharge_for(coil: str, *, inductance: float) -> Discharge:
    """Find the circuit of a measured pair: which capacitor gives its period with the inductance of the coil.

    Parameters
    ----------
    coil : str
        One of `list_stimulator_coils()`.
    inductance : float
        Of coil, cable and stimulator (H). With the coil's alone, from `coils.inductance`, the capacitance is too large
        and voltage and energy too small by the share that cable and stimulator have in the whole.

    Returns
    -------
    Discharge
        Ask it for ``voltage``, ``energy`` and ``peak_current`` at the stimulator's `max_didt`.

    Raises
    ------
    ValueError
        If no pair with this coil or no fit of its pulse is known, or the inductance is not positive.

    Examples
    --------
    >>> circuit = discharge_for("magstim-70mm", inductance=16.0e-6)
    >>> didt = stimulator_for("magstim-70mm").didt(100)
    >>> round(1e6 * circuit.capacitance, 1), round(circuit.voltage(didt)), round(circuit.energy(didt))  # uF, V, J
    (187.1, 1836, 315)
    """
    pair = _find(coil)
    if pair.period is None:
        fitted = ", ".join(name for name in list_stimulator_coils() if _find(name).period is not None)
        raise ValueError(f"coil must be one whose pulse was fitted, {fitted}; got {coil!r}.")
    return Discharge.from_period(1e-6 * pair.period, inductance=inductance, decay=1e3 * pair.decay)


def _find(coil: str) -> _Pair:
    pair = _PAIRS.get(_OTHER_NAMES.get(coil, coil))
    if pair is None:
        raise ValueError(
            f"coil must be one of {', '.join(list_stimulator_coils())}; got {coil!r}. "
            "For another pair build a coils.Stimulator with its own max_didt."
        )
    return pair


def _waveforms(pair: _Pair) -> tuple[Waveform, ...]:
    if pair.period is None:
        return ()
    # The shape does not depend on the inductance.
    circuit = Discharge.from_period(1e-6 * pair.period, inductance=1e-6, decay=1e3 * pair.decay)
    return (circuit.sine(),)
