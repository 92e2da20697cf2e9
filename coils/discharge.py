"""The circuit of a stimulator: a capacitor discharged into the coil; pulses in closed form, voltage and energy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from coils.waveforms import Waveform
from meshes import arrays
from meshes.arrays import FloatArray

__all__ = ["Discharge", "pulse_energy"]


@dataclass(frozen=True, kw_only=True)
class Discharge:
    """A capacitor that discharges into a coil.

    Parameters
    ----------
    capacitance : float
        Of the capacitor (F).
    inductance : float
        Of the whole loop (H): the coil's, see `coils.inductance`, and that of cable and stimulator.
    resistance : float, optional
        Of the whole loop (ohm), constant.

    Raises
    ------
    ValueError
        If capacitance or inductance is not positive, the resistance is negative, or so great that the circuit does not
        swing (2 sqrt(L / C) or more).

    Notes
    -----
    From the closing of the switch at time 0, with voltage V on the capacitor, decay a = R / 2L and angular frequency
    w = sqrt(1 / LC - a^2)::

        I = V / (w L) exp(-a t) sin(w t),    dI/dt = V / L exp(-a t) (cos(w t) - a / w sin(w t))

    The thyristor opens when the current comes back to zero. With a diode across it the current swings once to and fro:
    the biphasic pulse, after which most of the energy is on the capacitor again. The fits that Drakaki et al., Brain
    Stimul 2022;15:697-706, give with their recordings of Magstim Rapid, MagPro X100 and DuoMAG are this curve to 1e-10;
    the recordings themselves differ from it by 1 to 2 % of the peak (rms; Rapid, which rings, 3 to 4 %; computed from
    the files in SimNIBS). In the monophasic stimulator a diode and a resistor (here `shunt`) lie across the capacitor
    and take over the current as the capacitor's voltage turns over, so that the current fades instead of swinging
    back: Kammer et al., Clin Neurophysiol 2001;112:250-258; Peterchev et al., J Neural Eng 2011;8:036016 (both circuits
    are recalled from there, not looked up again).

    Examples
    --------
    >>> circuit = Discharge(capacitance=188e-6, inductance=16e-6, resistance=0.0367)
    >>> round(1e6 * circuit.period, 1)  # us
    345.3
    >>> round(circuit.voltage(didt=114.73e6)), round(circuit.energy(didt=114.73e6))  # V, J
    (1836, 317)
    """

    capacitance: float
    inductance: float
    resistance: float = 0.0

    def __post_init__(self) -> None:
        for name in ("capacitance", "inductance"):
            object.__setattr__(self, name, arrays.positive(getattr(self, name), name))
        object.__setattr__(self, "resistance", arrays.non_negative(self.resistance, "resistance"))
        limit = 2.0 * math.sqrt(self.inductance / self.capacitance)
        if self.resistance >= limit:
            raise ValueError(
                f"resistance must be below 2 sqrt(L / C) = {limit:g} ohm for the circuit to swing; "
                f"got {self.resistance:g} ohm."
            )

    @classmethod
    def from_period(cls, period: float, *, inductance: float, decay: float = 0.0) -> Discharge:
        """Find the circuit from the pulse that it gives.

        Parameters
        ----------
        period : float
            Duration of the biphasic pulse, one whole swing of the current (s).
        inductance : float
            Of the whole loop (H).
        decay : float, optional
            Rate at which the swing dies away, R / 2L (1/s).

        Returns
        -------
        Discharge
            Its capacitance is 1 / (L (w^2 + a^2)), which without decay is (T / 2 pi)^2 / L.

        Raises
        ------
        ValueError
            If period or inductance is not positive or the decay is negative.

        Examples
        --------
        >>> Discharge.from_period(300e-6, inductance=16e-6).period * 1e6
        300.0
        """
        w = 2.0 * math.pi / arrays.positive(period, "period")
        a = arrays.non_negative(decay, "decay")
        inductance = arrays.positive(inductance, "inductance")
        return cls(
            capacitance=1.0 / (inductance * (w * w + a * a)), inductance=inductance, resistance=2.0 * a * inductance
        )

    @property
    def decay(self) -> float:
        """Rate at which the swing dies away, R / 2L (1/s)."""
        return self.resistance / (2.0 * self.inductance)

    @cached_property
    def angular_frequency(self) -> float:
        """Of the swing, sqrt(1 / LC - decay^2) (1/s)."""
        return math.sqrt(1.0 / (self.inductance * self.capacitance) - self.decay**2)

    @property
    def period(self) -> float:
        """Of the swing (s): the duration of the biphasic pulse."""
        return 2.0 * math.pi / self.angular_frequency

    def voltage(self, didt: float) -> float:
        """Compute the capacitor's voltage before the pulse (V), L dI/dt, from dI/dt at its beginning (A/s).

        Exact for any resistance, as there is no current yet. It is less than the real voltage if `inductance` leaves
        out cable and stimulator.
        """
        return self.inductance * arrays.non_negative(didt, "didt")

    def energy(self, didt: float) -> float:
        """Compute the energy on the capacitor before the pulse (J), C V^2 / 2, from dI/dt at its beginning (A/s)."""
        return 0.5 * self.capacitance * self.voltage(didt) ** 2

    def peak_current(self, didt: float) -> float:
        """Compute the greatest current (A), a quarter period or less after the beginning, from dI/dt there (A/s)."""
        a, w = self.decay, self.angular_frequency
        return arrays.non_negative(didt, "didt") * math.exp(-a * math.atan2(w, a) / w) / math.hypot(a, w)

    def loss(self, half_cycles: int = 2) -> float:
        """Compute the share of the energy that becomes heat in a pulse of so many half periods; see `sine`."""
        half_cycles = _count(half_cycles)
        return -math.expm1(-half_cycles * self.decay * self.period)

    def sine(self, half_cycles: int = 2, *, samples: int = 2001, name: str = "") -> Waveform:
        """Build the pulse of a number of half periods of the current.

        Parameters
        ----------
        half_cycles : int, optional
            1: half-sine; 2: biphasic; more: polyphasic.
        samples : int, optional
            Number of samples, evenly spaced; the error of the straight lines between them falls with its square.
        name : str, optional
            Name of the waveform; by default the kind and the duration.

        Returns
        -------
        Waveform
            From time 0, where dI/dt jumps to 1, to the zero of the current, where it jumps back to 0.

        Raises
        ------
        ValueError
            If `half_cycles` is below 1 or `samples` below 16 per half period.

        Examples
        --------
        >>> pulse = Discharge.from_period(300e-6, inductance=16e-6, decay=800).sine()
        >>> pulse
        Waveform('biphasic 300 us', 2001 samples)
        >>> [round(phase.peak, 2) for phase in pulse.phases]
        [1.0, -0.89, 0.79]
        """
        half_cycles = _count(half_cycles)
        time = np.linspace(0.0, 0.5 * half_cycles * self.period, _enough(samples, 16 * half_cycles))
        a, w = self.decay, self.angular_frequency
        rate = np.exp(-a * time) * (np.cos(w * time) - a / w * np.sin(w * time))
        kind = {1: "half-sine", 2: "biphasic"}.get(half_cycles, "polyphasic")
        return Waveform(name or f"{kind} {1e6 * time[-1]:.0f} us", time=time, signal=rate)

    @property
    def critical_shunt(self) -> float:
        """Shunt at which the fading current is just about to swing back (ohm), 1 / (C (R / L + 2 / sqrt(LC)))."""
        rate = self.resistance / self.inductance + 2.0 / math.sqrt(self.inductance * self.capacitance)
        return 1.0 / (self.capacitance * rate)

    def monophasic(
        self, shunt: float | None = None, *, samples: int = 2001, cut: float = 1e-3, name: str = ""
    ) -> Waveform:
        """Build the pulse of a monophasic stimulator: the current rises as a sine and fades through diode and resistor.

        Parameters
        ----------
        shunt : float, optional
            Resistance in series with the diode across the capacitor (ohm); by default `critical_shunt`.
        samples : int, optional
            Number of samples: half of them evenly over the rise, half over the fading, denser at its beginning.
        cut : float, optional
            Where the current fades without end, or nearly, the pulse ends when it is this share of the greatest.
        name : str, optional
            Name of the waveform; by default "monophasic" and the duration.

        Returns
        -------
        Waveform
            From time 0, where dI/dt jumps to 1. With a shunt well above `critical_shunt` it ends at the current's zero.

        Raises
        ------
        ValueError
            If `shunt` is not positive, `cut` not between 0 and 0.1, or `samples` below 64.

        Examples
        --------
        >>> pulse = Discharge(capacitance=185e-6, inductance=16e-6).monophasic()
        >>> [(phase.polarity, round(phase.peak, 2)) for phase in pulse.phases]
        [('rising', 1.0), ('falling', -0.37)]
        """
        shunt = self.critical_shunt if shunt is None else arrays.positive(shunt, "shunt")
        cut = arrays.positive(cut, "cut")
        if cut > 0.1:
            raise ValueError(f"cut must be above 0 and at most 0.1; got {cut:g}.")
        half = _enough(samples, 64) // 2
        rise = np.linspace(0.0, self._turnover, half, endpoint=False)
        fade = np.linspace(0.0, 1.0, samples - half) ** 2 * (self._monophasic_end(shunt, cut) - self._turnover)
        time = np.concatenate([rise, self._turnover + fade])
        current, voltage = self.monophasic_state(time, shunt)
        rate = (voltage - self.resistance * current) / self.inductance
        return Waveform(name or f"monophasic {1e6 * time[-1]:.0f} us", time=time, signal=rate)

    @cached_property
    def _turnover(self) -> float:
        """Time at which the capacitor's voltage goes through zero (s): a quarter period, or later with losses."""
        # v = exp(-a t) (cos(w t) + a / w sin(w t)) V.
        return (math.pi - math.atan2(self.angular_frequency, self.decay)) / self.angular_frequency

    def monophasic_state(self, time: FloatArray, shunt: float) -> tuple[FloatArray, FloatArray]:
        """Compute current and capacitor voltage of the monophasic circuit, in closed form.

        Parameters
        ----------
        time : ndarray, shape (n,)
            Times from the beginning of the pulse (s).
        shunt : float
            Resistance in series with the diode (ohm).

        Returns
        -------
        current, voltage : ndarray, shape (n,)
            For dI/dt = 1 A/s at the beginning (A, V).

        Notes
        -----
        Until the voltage is zero the swing of the class' notes; then, with the shunt S in parallel, L dI/dt = v - R I
        and C dv/dt = -I - v / S: x' = M x, solved by exp(M t) = exp(m t) (cosh(q t) + sinh(q t) / q (M - m)) with m
        half the trace of M and q^2 = m^2 - det M, of either sign.
        """
        a, w = self.decay, self.angular_frequency
        early = np.minimum(time, self._turnover)
        swing = np.exp(-a * early)
        current = swing * np.sin(w * early) / w
        voltage = self.inductance * swing * (np.cos(w * early) + a / w * np.sin(w * early))
        late = time > self._turnover
        m, q_squared, g = self._fading(shunt)
        determinant = (1.0 + self.resistance / shunt) / (self.inductance * self.capacitance)
        even, odd = _exponential(time[late] - self._turnover, m, q_squared, determinant)
        start = math.exp(-a * self._turnover) * math.sin(w * self._turnover) / w
        current[late] = start * (even + g * odd)
        voltage[late] = -start / self.capacitance * odd
        return current, voltage

    def _fading(self, shunt: float) -> tuple[float, float, float]:
        """Return m and q^2 of `monophasic_state`, and the entry -R / L - m of M - m."""
        coil, capacitor = self.resistance / self.inductance, 1.0 / (shunt * self.capacitance)
        g = 0.5 * (capacitor - coil)
        return -0.5 * (coil + capacitor), g * g - 1.0 / (self.inductance * self.capacitance), g

    def _monophasic_end(self, shunt: float, cut: float) -> float:
        """Find when the current is zero, or if that is long after, when it has fallen to a share `cut` (s)."""
        limit = cut * self.peak_current(1.0)
        # The current falls all the time, as the voltage is negative: double, then bisect.
        step = 1.0 / self.angular_frequency
        while self._fading_current(step, shunt) > limit:
            step *= 2.0
        low, high = 0.0, step
        for _ in range(60):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if self._fading_current(middle, shunt) > limit else (low, middle)
        zero = self._fading_zero(shunt)
        return self._turnover + (zero if zero < 2.0 * high else high)

    def _fading_current(self, time: float, shunt: float) -> float:
        return float(self.monophasic_state(np.array([self._turnover + time]), shunt)[0][0])

    def _fading_zero(self, shunt: float) -> float:
        """Return the time from the turnover to the zero of the current (s), infinity if there is none."""
        _, q_squared, g = self._fading(shunt)
        q = math.sqrt(abs(q_squared))
        if q_squared < 0.0:
            return (math.pi - math.atan2(q, g)) / q
        if g < 0.0:
            # Losses in the coil's loop outweigh the shunt: through zero once, without a swing.
            return math.atanh(q / -g) / q if q > 0.0 else -1.0 / g
        return math.inf


def pulse_energy(inductance: float, peak_current: float) -> float:
    """Compute the energy of the magnetic field at the peak of the current.

    Parameters
    ----------
    inductance : float
        Of the coil (H).
    peak_current : float
        Current (A).

    Returns
    -------
    float
        L I^2 / 2 (J): what the capacitor must hold at the least. With losses it holds more, see `Discharge.energy`.

    Raises
    ------
    ValueError
        If the inductance is not positive or the current negative.

    Examples
    --------
    >>> pulse_energy(inductance=16e-6, peak_current=5000)
    200.0
    """
    return 0.5 * arrays.positive(inductance, "inductance") * arrays.non_negative(peak_current, "peak_current") ** 2


def _exponential(time: FloatArray, m: float, q_squared: float, determinant: float) -> tuple[FloatArray, FloatArray]:
    """Return exp(m t) cosh(q t) and exp(m t) sinh(q t) / q for q^2 of either sign, without overflow or cancellation."""
    q = math.sqrt(abs(q_squared))
    if q == 0.0:
        return np.exp(m * time), time * np.exp(m * time)
    if q_squared < 0.0:
        return np.exp(m * time) * np.cos(q * time), np.exp(m * time) * np.sin(q * time) / q
    # m + q, where for a small shunt the two cancel.
    slow = np.exp(determinant / (m - q) * time)
    fall = -np.expm1(-2.0 * q * time)
    return slow * (1.0 - 0.5 * fall), slow * fall / (2.0 * q)


def _count(half_cycles: int) -> int:
    if isinstance(half_cycles, bool) or not isinstance(half_cycles, (int, np.integer)) or half_cycles < 1:
        raise ValueError(f"half_cycles must be a whole number of at least 1; got {half_cycles!r}.")
    return int(half_cycles)


def _enough(samples: int, least: int) -> int:
    if isinstance(samples, bool) or not isinstance(samples, (int, np.integer)) or samples < least:
        raise ValueError(f"samples must be a whole number of at least {least}; got {samples!r}.")
    return int(samples)
