"""List the sources of error of a dose: how large each is, where the figure comes from, which quantities it enters.

Notes
-----
Conductivities: fast default head, coils over the targets m1-hand, m1-leg, s1-hand and s1-leg of the left side,
magnitude of the mean field over each; 12 sets of conductivities drawn independently from beta distributions (both shape
parameters 3) over the ranges of `meshes.TISSUES`. Standard deviation of the logarithm of the field: 4.3, 1.2, 14 and
3.5 %. Of its ratio between m1-hand and the other three: 3.4, 10 and 2.1 % (the same for three coils to 0.2 %), as part
of the error is common to both. Of the ratio of two coils over the same target: at most 0.2 %, so it is left out there.
"""

from __future__ import annotations

import math

from coils import TIME_CONSTANTS, Stimulator, threshold_ratio
from efield.dose.marks import Mark
from efield.dose.uncertainty import Component, Quantity, spread
from meshes import arrays

__all__ = [
    "DISCRETISATION",
    "THRESHOLD",
    "carried_components",
    "field_components",
    "field_ratio_components",
    "is_same_pair",
    "pulse_ratio",
    "threshold_field_component",
]

THRESHOLD = 0.05
"""Standard error of one measurement of a motor threshold, relative."""

_THRESHOLD = (
    "standard error of a resting motor threshold around 5 %, Shirota et al., Clin Neurophysiol Pract 2025, "
    "doi 10.1016/j.cnp.2025.12.008, abstract; taken as relative"
)

DISCRETISATION = 0.02
"""Relative error of a field whose own estimate is not known."""

_STIMULATOR = 0.04
_PAIRS = (
    "scatter of the capacitor's charge over pairs of MagPro X100 and coil, 3.8 %, from the figures of "
    "Drakaki et al., Brain Stimul 2022;15:697"
)

_CONDUCTIVITIES = 0.14
_CONDUCTIVITIES_SITES = 0.10
_DRAWN = "12 draws over the ranges of meshes.TISSUES on the default head, the largest of its hand and leg targets"

_HEAD = 0.20
_NOT_OWN = "the head is not the person's own"

_HEAD_SITES = 0.26
_CAULFIELD = (
    "prefrontal over motor field of 38 persons from 79.9 to 247.5 %, Caulfield et al., Clin Neurophysiol "
    "2021;132:2199, abstract: a range of 4.3 standard deviations; taken for other pairs of sites, too"
)

_HEAD_COILS = 0.10
_SITES_AS_HEADS = (
    "ratio of two coils over four sites of the default head: within 1 % for two figure-8 coils of 70 mm, 15 % for a "
    "figure-8 and a double cone"
)

_OTHER_SITE = 0.10
_EQUAL_FIELD = "that an equal field acts equally at another site is a convention, its error not known"

_PULSE_UNKNOWN = 0.10
_NO_PULSE = "the shape of one of the two pulses is not known, so the threshold was not corrected for it"

_TAU = TIME_CONSTANTS["motor-cortex"].value
_TAU_SPREAD = 0.42
"""97.2 over 230.9 us: how much time constants differ between persons (D'Ostilio et al. 2016)."""

_ALL: tuple[Quantity, ...] = ("didt", "mso", "percent")


def field_components(*, discretisation: float, own_head: bool, placement: float | None) -> tuple[Component, ...]:
    """Return what makes a dose for a wanted field uncertain: all errors of the modelled field, and the stimulator's.

    Parameters
    ----------
    discretisation : float
        Relative error estimate of the field.
    own_head : bool
        Whether the head was built from the person's own image.
    placement : float or None
        Standard deviation of the logarithm of the field over errors of placement.

    Returns
    -------
    tuple of Component

    Raises
    ------
    ValueError
        If a number is negative.
    """
    of: tuple[Quantity, ...] = ("didt", "mso")
    found = [
        Component("discretisation", discretisation, of, "computed", "error estimate of the field"),
        Component("conductivities", _CONDUCTIVITIES, of, "computed", _DRAWN),
        Component("stimulator's calibration", _STIMULATOR, ("mso",), "computed", _PAIRS),
    ]
    if not own_head:
        found.append(Component("another head", _HEAD, of, "assumed", f"{_NOT_OWN}; no figure was found"))
    return (*found, *_placement(placement, of))


def threshold_field_component(*, discretisation: float, own_head: bool) -> Component:
    """Return how uncertain the modelled field at the threshold is by itself, all its errors together."""
    every = field_components(discretisation=discretisation, own_head=own_head, placement=None)
    sd = spread(every, "didt")
    why = " and ".join(f"{one.name} {100.0 * one.sd:.2g} %" for one in every if "didt" in one.of)
    mark: Mark = "computed" if own_head else "assumed"
    return Component("modelled field", sd, ("field",), mark, f"{why}; in the other quantities a ratio of fields counts")


def field_ratio_components(
    *, discretisation: tuple[float, float], own_head: bool, same_site: bool, same_place: bool
) -> tuple[Component, ...]:
    """Return what makes the ratio of two modelled fields uncertain, that of the threshold and that of the new place.

    Parameters
    ----------
    discretisation : tuple of float
        Relative error estimates of the two fields.
    own_head : bool
        Whether the head was built from the person's own image.
    same_site : bool
        Whether both are fields at one target.
    same_place : bool
        Whether it is the same coil in the same place, so that nothing is left to model.

    Returns
    -------
    tuple of Component
    """
    if same_place:
        return ()
    both = math.hypot(*(arrays.non_negative(one, "discretisation") for one in discretisation))
    found = [Component("discretisation", both, _ALL, "computed", "error estimates of both fields, as independent")]
    if not same_site:
        found.append(Component("conductivities", _CONDUCTIVITIES_SITES, _ALL, "computed", f"{_DRAWN}, against m1-hand"))
        found.append(Component("equal field at another site", _OTHER_SITE, _ALL, "assumed", _EQUAL_FIELD))
    if not own_head:
        sd, mark, why = (
            (_HEAD_COILS, "assumed", _SITES_AS_HEADS) if same_site else (_HEAD_SITES, "computed", _CAULFIELD)
        )
        found.append(Component("another head", sd, _ALL, mark, f"{_NOT_OWN}; {why}"))  # type: ignore[arg-type]  # a Mark
    return tuple(found)


def carried_components(
    *, measured: float, same_pair: bool, pulse: Component | None, placement: float | None
) -> tuple[Component, ...]:
    """Return what else makes a carried threshold uncertain: the measurement, the stimulators, the pulse, the placement.

    Parameters
    ----------
    measured : float
        Standard error of the threshold, relative.
    same_pair : bool
        Whether stimulator and coil are those of the measurement. Then their calibration cancels in the setting.
    pulse : Component or None
        From `pulse_ratio`.
    placement : float or None
        See `field_components`.

    Returns
    -------
    tuple of Component
    """
    source, mark = (_THRESHOLD, "seen") if measured == THRESHOLD else ("as given", "assumed")
    found = [Component("measurement of the threshold", measured, ("field", "didt", "mso"), mark, source)]  # type: ignore[arg-type]  # a Mark
    first: tuple[Quantity, ...] = ("field", "didt") if same_pair else ("field", "didt", "mso")
    found.append(Component("calibration of the stimulator at the threshold", _STIMULATOR, first, "computed", _PAIRS))
    if not same_pair:
        found.append(Component("calibration of the other stimulator", _STIMULATOR, ("mso",), "computed", _PAIRS))
    if pulse is not None:
        found.append(pulse)
    return (*found, *_placement(placement, _ALL))


def pulse_ratio(new: Stimulator | None, measured: Stimulator) -> tuple[float, Component | None]:
    """Return by how much another pulse's threshold is higher, and how sure that is.

    Parameters
    ----------
    new : Stimulator or None
        With another coil perhaps.
    measured : Stimulator
        With which the threshold was measured.

    Returns
    -------
    ratio : float
        Of the thresholds, in dI/dt at the peak of the first phase; 1 if a pulse is not known.
    component : Component or None
        None for one and the same pair.

    Notes
    -----
    `coils.threshold_ratio` with the time constant of 196 us (Peterchev et al. 2013); the component is half the change
    of its logarithm from a constant 42 % shorter to one 42 % longer, the spread over persons (D'Ostilio et al. 2016).
    """
    if is_same_pair(new, measured):
        return 1.0, None
    if new is None or not new.waveforms or not measured.waveforms:
        return 1.0, Component("pulse", _PULSE_UNKNOWN, ("field", *_ALL), "assumed", _NO_PULSE)
    pulses = new.waveforms[0], measured.waveforms[0]
    low, ratio, high = (threshold_ratio(*pulses, _TAU * (1.0 + step)) for step in (-_TAU_SPREAD, 0.0, _TAU_SPREAD))
    source = "strength-duration time constant 196 us +- 42 % (Peterchev 2013, D'Ostilio 2016, abstracts)"
    return ratio, Component("pulse", 0.5 * abs(math.log(high / low)), ("field", *_ALL), "computed", source)


def is_same_pair(new: Stimulator | None, measured: Stimulator) -> bool:
    """Whether two stimulators are the same model with the same coil."""
    if new is None:
        return False
    return new is measured or (new.label == measured.label and new.max_didt == measured.max_didt)


def _placement(placement: float | None, of: tuple[Quantity, ...]) -> tuple[Component, ...]:
    if placement is None:
        return ()
    sd = arrays.non_negative(placement, "placement")
    return (Component("placement of the coil", sd, of, "computed", "errors of placement, as given"),)
