"""How far off a coil is placed: standard deviations, with published figures, and samples of them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from meshes import arrays

F64 = NDArray[np.float64]

__all__ = ["KINDS", "Figure", "Moves", "PlacementError", "list_placement_errors", "sample_normals"]

KINDS = ("position", "angle", "tilt", "distance")
"""The kinds of error, in the order of `Moves`."""

UNITS = {"position": "mm", "angle": "degrees", "tilt": "degrees", "distance": "mm"}

REPLICATES = 8
"""Independent randomisations of the same points, from whose spread the error of an estimate is known."""

_LARGEST = {"position": 50.0, "angle": 180.0, "tilt": 45.0, "distance": 50.0}

_MOST = 65536
"""Samples: more do not change the fourth digit."""

_BITS = 30

# What a standard deviation per axis is to be multiplied with to give the statistic that was published.
_MEAN_ABSOLUTE = float(np.sqrt(2.0 / np.pi))  # mean of |x|, one axis
_MEAN_RADIUS = float(np.sqrt(np.pi / 2.0))  # mean length of two axes (Rayleigh)
_MEDIAN_RADIUS = float(np.sqrt(2.0 * np.log(2.0)))  # median length of two axes
_MEDIAN_LENGTH = 1.5381722544550522  # median length of three axes (Maxwell): root of the median of chi squared, 3 dof

# Published figures are means of the size of an error; a standing offset cannot be told from scatter, so all of it is
# taken as scatter. The abstracts do not say whether roll and pitch were one angle or two: one is assumed.
_CAULFIELD = (
    "Caulfield et al., Brain Stimul 2022;15:1192-1205, doi 10.1016/j.brs.2022.08.013, PMC10026380: 42 people, 3408 "
    "distances and 6816 angles against a saved placement over the forehead's side (Beam F3)"
)
_GOETZ = (
    "Goetz et al. 2019, Accuracy of robotic coil positioning during transcranial magnetic stimulation: 21 people, 79 "
    "sessions, 160 hours with an ANT Neuro robot, read by a second navigation system"
)
_RICHTER = "Richter, Robotized Transcranial Magnetic Stimulation, Springer 2013, section 1.2, citing others"


@dataclass(frozen=True, eq=False, kw_only=True)
class Figure:
    """One number behind a preset, and how it is known.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    text : str
        What was published (or taken without a publication), in words.
    source : str
        Where.
    certainty : {"seen", "computed", "assumed"}
        "seen": read in the named source; "computed": derived from one that was; "assumed": nobody's measurement.
    """

    kind: str
    text: str
    source: str
    certainty: str


@dataclass(frozen=True, eq=False, kw_only=True)
class PlacementError:
    """Standard deviations of how a coil comes to lie, against how it was meant to.

    Parameters
    ----------
    position : float, optional
        Along the scalp, along each of two axes (mm).
    angle : float, optional
        About the coil's own axis (degrees).
    tilt : float, optional
        About each of two axes across the coil's own (degrees).
    distance : float, optional
        Of the normal distribution whose magnitude is the gap beyond the planned one (mm): the coil cannot go into the
        head, so this error has one sign and a mean of 0.8 times this number.
    name : str, optional
        For reports.
    text : str, optional
        What it stands for.
    figures : tuple of Figure, optional
        Where the numbers come from.

    Raises
    ------
    ValueError
        If a number is negative, not finite, or no error of placement any more (50 mm, 180 degrees, 45 degrees of
        tilt).

    Examples
    --------
    >>> error = PlacementError(position=3.0, angle=5.0)
    >>> error.tilt
    0.0
    >>> round(PlacementError.named("hand-held").position, 1)
    8.5
    """

    position: float = 0.0
    angle: float = 0.0
    tilt: float = 0.0
    distance: float = 0.0
    name: str = "own figures"
    text: str = "standard deviations given by the user"
    figures: tuple[Figure, ...] = ()

    def __post_init__(self) -> None:
        for kind in KINDS:
            value = arrays.non_negative(getattr(self, kind), kind)
            if value > _LARGEST[kind]:
                raise ValueError(
                    f"{kind} must be at most {_LARGEST[kind]:g} {UNITS[kind]} (a standard deviation); got {value:g}."
                )
            object.__setattr__(self, kind, value)

    @classmethod
    def named(cls, name: str) -> PlacementError:
        """Return published figures by their name; see `list_placement_errors`.

        Raises
        ------
        ValueError
            If there is no such name.
        """
        return _PRESETS[arrays.choice(name, "name", _PRESETS)]

    def __repr__(self) -> str:
        return f"PlacementError({self.name}: {self.say()})"

    def say(self) -> str:
        """Say the numbers in one line."""
        lift = f"{self.distance:.2g} mm of lift-off" if self.distance > 0.0 else "lift-off not included"
        return (
            f"{self.position:.2g} mm along the scalp and {self.tilt:.2g}° of tilt per axis, {self.angle:.2g}° about "
            f"the coil's axis, {lift} (standard deviations)"
        )

    def only(self, kind: str) -> PlacementError:
        """Return the error of one kind alone; the others are zero."""
        arrays.choice(kind, "kind", KINDS)
        others: dict[str, Any] = {other: 0.0 for other in KINDS if other != kind}
        return replace(self, **others, name=f"{self.name}, {kind} alone")

    def scaled(self, factor: float) -> PlacementError:
        """Return errors `factor` times as large."""
        arrays.non_negative(factor, "factor")
        changed: dict[str, Any] = {kind: factor * getattr(self, kind) for kind in KINDS}
        return replace(self, **changed, name=f"{factor:g} times {self.name}")

    def moves(self, normals: F64) -> Moves:
        """Turn standard normal numbers, shape (n, 6), into errors of placement."""
        return Moves(
            shift=self.position * normals[:, :2],
            angle=np.radians(self.angle) * normals[:, 2],
            tilt=np.radians(self.tilt) * normals[:, 3:5],
            lift=self.distance * np.abs(normals[:, 5]),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers and their origin as plain data for JSON."""
        return {
            "name": self.name,
            "text": self.text,
            "position_sd_mm_per_axis": self.position,
            "angle_sd_deg": self.angle,
            "tilt_sd_deg_per_axis": self.tilt,
            "lift_off_sd_mm_one_sided": self.distance,
            "figures": [
                {field.name: getattr(figure, field.name) for field in fields(figure)} for figure in self.figures
            ],
        }


@dataclass(frozen=True, eq=False)
class Moves:
    """Errors of single placements, relative to the planned one.

    Attributes
    ----------
    shift : ndarray, shape (n, 2)
        In the plane that touches the scalp, along the coil's x and y axes (mm).
    angle : ndarray, shape (n,)
        About the outward normal, counter-clockwise seen from outside (rad).
    tilt : ndarray, shape (n, 2)
        Rotation vector along the coil's x and y axes (rad).
    lift : ndarray, shape (n,)
        Back along the coil's axis, beyond the planned gap (mm).
    """

    shift: F64
    angle: F64
    tilt: F64
    lift: F64

    def __len__(self) -> int:
        return len(self.angle)

    @classmethod
    def of(cls, kind: str, sizes: F64, directions: int) -> Moves:
        """Return errors of one kind and given sizes (mm, rad), each in several directions; size by size."""
        turns = 2.0 * np.pi * np.arange(directions) / directions
        size = np.repeat(sizes, directions)
        around = np.tile(np.column_stack([np.cos(turns), np.sin(turns)]), (len(sizes), 1))
        none = np.zeros(len(size))
        spread = size[:, None] * around
        return cls(
            shift=spread if kind == "position" else np.zeros_like(spread),
            angle=size * np.sign(around[:, 0]) if kind == "angle" else none,
            tilt=spread if kind == "tilt" else np.zeros_like(spread),
            lift=size if kind == "distance" else none,
        )


def list_placement_errors() -> dict[str, str]:
    """Return the names of the presets and what each stands for."""
    return {name: error.text for name, error in _PRESETS.items()}


def sample_normals(samples: int, seed: int, *, replicates: int = REPLICATES) -> F64:
    """Return quasi-random standard normal numbers in six dimensions.

    Parameters
    ----------
    samples : int
        How many in all, a power of two of at least 8 for each replicate.
    seed : int
        Of the randomisation.
    replicates : int, optional
        Independent randomisations, one after another.

    Returns
    -------
    ndarray, shape (samples, 6)

    Raises
    ------
    ValueError
        If `samples` is no such number, or `seed` is negative.
    TypeError
        If either is no integer.

    Notes
    -----
    The first points of Sobol's sequence, their binary digits flipped at random and alike for all points of a replicate
    (a random digital shift: every point is then uniform, and the points still form a net), through the inverse of the
    normal distribution. See Lemieux, Monte Carlo and Quasi-Monte Carlo Sampling, Springer 2009, chapter 6 (recalled).
    """
    from scipy.special import ndtri  # here, so that importing the package loads no SciPy
    from scipy.stats import qmc

    for name, value in (("samples", samples), ("seed", seed)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
            raise TypeError(f"{name} must be a whole number; got {value!r}.")
    if seed < 0:
        raise ValueError(f"seed must not be negative; got {seed}.")
    least = 8 * replicates
    if samples < least or samples > _MOST or samples & (samples - 1):
        raise ValueError(f"samples must be a power of two from {least} to {_MOST}; got {samples}. Try 1024.")
    rng = np.random.default_rng(seed)
    net = qmc.Sobol(d=6, scramble=False).random_base2(int(samples // replicates).bit_length() - 1)
    digits = np.round(net * 2**_BITS).astype(np.int64)
    flips = rng.integers(0, 2**_BITS, size=(replicates, 1, 6))
    # Half a step up, so that neither 0 nor 1 occurs.
    uniform = ((digits[None] ^ flips) + 0.5) / 2**_BITS
    normals: F64 = ndtri(uniform.reshape(-1, 6))
    return normals


_SYSTEM = 5.5 / _MEAN_RADIUS
_TURN = float(np.degrees(np.arctan2(_SYSTEM, 90.0)))

_NO_LIFT = Figure(
    kind="distance",
    text="0 mm: lift-off is not included",
    source="No measurement of it was found",
    certainty="assumed",
)

_PRESETS = {
    "hand-held": PlacementError(
        position=10.66 / _MEAN_RADIUS,
        angle=5.99 / _MEAN_ABSOLUTE,
        tilt=7.79 / _MEAN_RADIUS,
        name="hand-held",
        text="hand-held by marks on a cap, without navigation",
        figures=(
            Figure(kind="position", text="10.66 mm off on average", source=_CAULFIELD, certainty="seen"),
            Figure(kind="angle", text="yaw 5.99 degrees off on average", source=_CAULFIELD, certainty="seen"),
            Figure(kind="tilt", text="roll/pitch 7.79 degrees off on average", source=_CAULFIELD, certainty="seen"),
            _NO_LIFT,
        ),
    ),
    "navigated": PlacementError(
        position=float(np.hypot(_SYSTEM, 0.3 / _MEAN_RADIUS)),
        angle=float(np.hypot(_TURN, 0.22 / _MEAN_ABSOLUTE)),
        tilt=float(np.hypot(_TURN, 0.34 / _MEAN_RADIUS)),
        name="navigated",
        text="hand-held with navigation, the system's own error (registration of the head, tracking) included",
        figures=(
            Figure(
                kind="position", text="overall accuracy of systems roughly 5 to 6 mm", source=_RICHTER, certainty="seen"
            ),
            Figure(kind="position", text="0.3 mm off the saved placement", source=_CAULFIELD, certainty="seen"),
            Figure(
                kind="angle",
                text="2.8 degrees: the turn about the head's centre, 90 mm away, that shifts by as much; and 0.22",
                source=f"geometry from {_RICHTER}; {_CAULFIELD}",
                certainty="computed",
            ),
            Figure(
                kind="tilt",
                text="2.8 degrees as for the angle; and 0.34",
                source=f"geometry from {_RICHTER}; {_CAULFIELD}",
                certainty="computed",
            ),
            _NO_LIFT,
        ),
    ),
    "navigated-repeat": PlacementError(
        position=0.3 / _MEAN_RADIUS,
        angle=0.22 / _MEAN_ABSOLUTE,
        tilt=0.34 / _MEAN_RADIUS,
        name="navigated-repeat",
        text="hand-held with navigation, against a placement saved under the same registration: the operator alone",
        figures=(
            Figure(kind="position", text="0.3 mm off on average", source=_CAULFIELD, certainty="seen"),
            Figure(kind="angle", text="yaw 0.22 degrees off on average", source=_CAULFIELD, certainty="seen"),
            Figure(kind="tilt", text="roll/pitch 0.34 degrees off on average", source=_CAULFIELD, certainty="seen"),
            _NO_LIFT,
        ),
    ),
    "robotic": PlacementError(
        position=1.34 / _MEDIAN_RADIUS,
        angle=3.48 / _MEDIAN_LENGTH,
        tilt=3.48 / _MEDIAN_LENGTH,
        name="robotic",
        text="held by a robot that follows the head; registration of the head to its image not included",
        figures=(
            Figure(kind="position", text="median 1.34 mm, taken as along the scalp", source=_GOETZ, certainty="seen"),
            Figure(kind="angle", text="median 3.48 degrees, taken as of three axes", source=_GOETZ, certainty="seen"),
            Figure(kind="tilt", text="median 3.48 degrees, taken as of three axes", source=_GOETZ, certainty="seen"),
            _NO_LIFT,
        ),
    ),
}
