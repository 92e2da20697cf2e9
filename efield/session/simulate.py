"""Simulate every pulse of a recorded session by reciprocity: the head is solved for the targets, not for the pulses."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coils import Coil
from coils.stimulators import Stimulator
from efield.bem.reciprocity import check_sources
from efield.bem.solver import BemSolver
from efield.navigation import RecordedPose, Recording
from efield.session.gaps import casing_gaps, signed_distances
from efield.session.result import COUNTED, IN_HEAD, OFF_HEAD, Session
from efield.targeting import SearchResult, Target
from efield.targeting.patch import Patch
from efield.targeting.target_field import TargetField
from meshes import HeadModel, Pose

F64 = NDArray[np.float64]

__all__ = ["OFF", "rigid", "simulate_session"]

OFF = 30.0
"""A casing farther than this from the scalp (mm) is off the head: the coil was put down, or the coordinates differ."""

_BATCH = 100_000
"""Sources of so many poses at once are summed one by one, without a table and its error; bounds the memory."""

_NEAR = 5.0
"""Sources may lie on the casing, so that they are looked at if it is nearer than this to the scalp (mm)."""


def simulate_session(
    solver: BemSolver,
    coil: Coil,
    poses: Recording | Sequence[RecordedPose],
    targets: Target | Sequence[Target],
    *,
    optimum: SearchResult | Pose | None = None,
    transform: Pose | ArrayLike | None = None,
    stimulator: Stimulator | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Session:
    """Return what every recorded pulse brought to the targets.

    Parameters
    ----------
    solver : BemSolver
        The head.
    coil : Coil
        The coil that was used.
    poses : Recording or sequence of RecordedPose
        From `efield.navigation.read_recording` (its pulses are taken) or `read_poses`.
    targets : Target or sequence of Target
        Where the field is wanted.
    optimum : SearchResult or Pose, optional
        The placement to compare with; its field is computed in the same way as the pulses'.
    transform : Pose or array_like, shape (4, 4), optional
        Rigid motion (mm) from the coordinates of the recording to the head's; by default they are the same. Systems
        record in the coordinates of the person's own image: for another head it must be given.
    stimulator : Stimulator, optional
        With it, pulses recorded in per cent of the stimulator's output get a dI/dt.
    progress : callable, optional
        Called with (stage, done, total).

    Returns
    -------
    Session
        One row for each pulse. Pulses more than 30 mm off the head, and those whose windings would be in the head, are
        kept as rows without a field and left out of statistics. A casing that cuts the scalp is flagged and counts.

    Raises
    ------
    ValueError
        If there is no pose or no target, none of the poses reaches the head, the transform is not rigid, or the optimum
        is off the head or in it.
    TypeError
        If an argument is of another kind.

    Notes
    -----
    Three transposed solves for each target give its mean field for all pulses (see `efield.bem.reciprocity`). A
    recorded dI/dt is taken as it stands in the file; without one, the stimulator's at the recorded per cent. Zeros are
    taken as not recorded.

    Examples
    --------
    >>> import coils, efield, meshes
    >>> from efield.navigation import RecordedPose
    >>> head = meshes.sphere_head(radii=[90, 80], conductivities=[0.4, 0.3], subdivisions=2)
    >>> coil = coils.load_coil("magstim-25mm")
    >>> poses = [
    ...     RecordedPose(name=str(y), pose=efield.place(head, (0, y, 90), coil=coil), kind="trigger", didt=70e6)
    ...     for y in (0, 10, 20)
    ... ]
    >>> session = simulate_session(efield.BemSolver(head), coil, poses, efield.Target(position=(0, 0, 70)))
    >>> session.vectors.shape, session.statistics[0].count
    ((3, 1, 3), 3)
    """
    recording = _recording(poses)
    wanted = _targets(targets)
    _check_kinds(solver, coil, stimulator)
    check_sources(coil)
    motion = Pose(np.eye(4)) if transform is None else rigid(transform, "transform")
    best = _optimum(optimum)
    say = progress or (lambda *_: None)
    placed = [motion @ recorded.pose for recorded in recording.pulses]
    rotations, origins = _arrays(placed)
    gaps, states = _where(solver.head, coil, rotations, origins, say)
    counted = np.array([state == COUNTED for state in states])
    if not counted.any():
        raise ValueError(_nowhere(gaps))
    best_gap = None if best is None else _check_optimum(solver.head, coil, best)
    fields = _fields(solver, wanted, optimum, say)
    vectors = np.full((len(placed), len(wanted), 3), np.nan)
    vectors[counted] = _means(fields, coil, rotations[counted], origins[counted], say)
    return Session(
        recording=recording,
        poses=tuple(placed),
        transform=motion,
        coil=coil,
        head=solver.head,
        targets=wanted,
        patches=fields.patches,
        vectors=vectors,
        gaps=gaps,
        states=states,
        didt=_didt(recording.pulses, stimulator),
        stimulator=stimulator,
        optimum=best,
        optimum_vectors=None if best is None else fields.of_poses(coil, [best])[0],
        optimum_gap=best_gap,
        provenance=dict(solver.provenance(coil)),
    )


def rigid(transform: Pose | ArrayLike, name: str) -> Pose:
    """Return a 4 x 4 matrix as a rigid motion.

    Raises
    ------
    ValueError
        If it is none; the message begins with `name`.
    """
    if isinstance(transform, Pose):
        return transform
    try:
        return Pose(np.asarray(transform))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be a rigid motion, 4 x 4, in millimetres; got one that fails: {error}") from None


def _recording(poses: Recording | Sequence[RecordedPose]) -> Recording:
    recording = poses if isinstance(poses, Recording) else Recording("", tuple(poses))
    for recorded in recording.poses:
        if not isinstance(recorded, RecordedPose):
            raise TypeError(
                f"poses must be efield.navigation.RecordedPose; got {type(recorded).__name__}. Read them with "
                "efield.navigation.read_recording(path)."
            )
    if not recording.poses:
        raise ValueError("poses must hold at least one recorded pose; got none.")
    return recording


def _targets(targets: Target | Sequence[Target]) -> tuple[Target, ...]:
    wanted = (targets,) if isinstance(targets, Target) else tuple(targets)
    for target in wanted:
        if not isinstance(target, Target):
            raise TypeError(f"targets must be efield.Target; got {type(target).__name__}.")
    if not wanted:
        raise ValueError("targets must hold at least one target; got none.")
    return wanted


def _check_kinds(solver: BemSolver, coil: Coil, stimulator: Stimulator | None) -> None:
    if not isinstance(solver, BemSolver):
        raise TypeError(f"solver must be an efield.BemSolver; got {type(solver).__name__}. Use efield.BemSolver(head).")
    if not isinstance(coil, Coil):
        raise TypeError(f"coil must be a coils.Coil; got {type(coil).__name__}.")
    if stimulator is None:
        return
    if not isinstance(stimulator, Stimulator):
        raise TypeError(f"stimulator must be a coils.Stimulator or None; got {type(stimulator).__name__}.")
    if stimulator.max_didt is None:
        raise ValueError(f"stimulator must have a max_didt, dI/dt at 100 %; got None for {stimulator.label}.")


def _optimum(optimum: SearchResult | Pose | None) -> Pose | None:
    if optimum is None or isinstance(optimum, Pose):
        return optimum
    if not isinstance(optimum, SearchResult):
        raise TypeError(f"optimum must be an efield.SearchResult or a meshes.Pose; got {type(optimum).__name__}.")
    return optimum.pose


def _arrays(poses: Sequence[Pose]) -> tuple[F64, F64]:
    matrices = np.array([pose.matrix for pose in poses])
    return np.ascontiguousarray(matrices[:, :3, :3]), np.ascontiguousarray(matrices[:, :3, 3])


def _where(
    head: HeadModel, coil: Coil, rotations: F64, origins: F64, say: Callable[[str, int, int], None]
) -> tuple[F64, tuple[str, ...]]:
    """Return the distances from casing to scalp, and of each pulse whether it counts."""
    gaps = np.empty(len(origins))
    step = 50
    for first in range(0, len(origins), step):
        say("distances", first, len(origins))
        rows = slice(first, first + step)
        gaps[rows] = casing_gaps(head, coil, rotations[rows], origins[rows])
    say("distances", len(origins), len(origins))
    sources = [coil.positions] if coil.n_dipoles else []
    sources += [] if coil.segments is None else [coil.segments.points]
    positions = np.concatenate(sources)
    reach = _NEAR if coil.casing is not None else _NEAR + float(np.linalg.norm(positions, axis=1).max())
    states = [OFF_HEAD if gap > OFF else COUNTED for gap in gaps]
    for row in np.flatnonzero(gaps < reach):
        if signed_distances(head.scalp, positions @ rotations[row].T + origins[row]).min() <= 0.0:
            states[row] = IN_HEAD
    return gaps, tuple(states)


def _nowhere(gaps: F64) -> str:
    """Say that no pulse reaches the head, and what may be wrong."""
    count, off = len(gaps), gaps[gaps > OFF]
    nearest = f" (the nearest {off.min():.0f} mm)" if len(off) else ""
    return (
        f"poses must reach the head with at least one pulse; got {count}, of which {len(off)} are more than {OFF:g} mm "
        f"off the scalp{nearest} and {count - len(off)} have windings in the head. The coordinates of the recording "
        "are not the head's: give transform= (--transform)."
    )


def _check_optimum(head: HeadModel, coil: Coil, optimum: Pose) -> float:
    """Return the distance from the casing in the optimum to the scalp (mm); raise if it is none."""
    rotations, origins = _arrays([optimum])
    gaps, states = _where(head, coil, rotations, origins, lambda *_: None)
    if states[0] != COUNTED:
        raise ValueError(
            f"optimum must be a pose on the head; got one that is {states[0]}, casing {gaps[0]:.0f} mm from the scalp. "
            "It must be in the head's coordinates, and of the same head and coil."
        )
    return float(gaps[0])


def _fields(
    solver: BemSolver,
    targets: tuple[Target, ...],
    optimum: SearchResult | Pose | None,
    say: Callable[[str, int, int], None],
) -> TargetField:
    """Return the targets' mean field for any pose: that of the search, if it was for these targets on this head."""
    patches = [target.on(solver.head) for target in targets]
    if isinstance(optimum, SearchResult) and optimum.fields.head is solver.head:
        known = optimum.fields.patches
        # A search has other patches too: parts of targets, or places to spare.
        if len(known) == len(patches) and all(_same(own, other) for own, other in zip(patches, known, strict=True)):
            return optimum.fields
    return TargetField(solver, patches, progress=lambda done, total: say("reciprocity", done, total))


def _same(first: Patch, second: Patch) -> bool:
    """Tell whether two patches average alike."""
    return np.array_equal(first.points, second.points) and np.array_equal(first.weights, second.weights)


def _means(fields: TargetField, coil: Coil, rotations: F64, origins: F64, say: Callable[[str, int, int], None]) -> F64:
    count = coil.n_dipoles + (0 if coil.segments is None else len(coil.segments.points))
    step = max(_BATCH // count, 1)
    found = []
    for first in range(0, len(origins), step):
        say("pulses", first, len(origins))
        rows = slice(first, first + step)
        found.append(fields.means(coil, rotations[rows], origins[rows]))
    say("pulses", len(origins), len(origins))
    return np.concatenate(found)


def _didt(pulses: Sequence[RecordedPose], stimulator: Stimulator | None) -> F64:
    """Return the dI/dt of each pulse (A/s); NaN where it is not known.

    Systems write 0 where the stimulator told them nothing.
    """
    found = np.full(len(pulses), np.nan)
    for row, pulse in enumerate(pulses):
        if pulse.didt is not None and pulse.didt > 0.0:
            found[row] = pulse.didt
        elif pulse.mso is not None and stimulator is not None and 0.0 < pulse.mso <= 100.0:
            found[row] = stimulator.didt(pulse.mso)
    return found
