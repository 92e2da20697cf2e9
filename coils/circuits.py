"""Follow wires made of current elements, find where they are open, and close them.

An open wire has no field that a real coil could have: div A is not zero, and a solver of surface charges, which takes
div E = 0 of the primary field for granted, has no right answer for it. Files of current elements can be open, because
the lead back to the stimulator or the links between parts were left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from coils.segments import Segments
from meshes.arrays import FloatArray

__all__ = ["Ends", "centred", "close", "close_parts", "divergence", "fault", "find_ends"]

# Ends this close, as a share of the median length of the elements, are joined.
_JOINED = 0.05

# Coarser and coarser tolerances at which the elements are tried to be followed, as shares of the median length.
_TRIALS = (1e-6, 1e-4, 1e-2, _JOINED)

# A wire with more loose ends than this share of its elements is not understood: its vectors stand for several turns,
# or it is no wire.
_LOOSE = 0.05

# More loose ends than this make the assignment slow and its outcome arbitrary.
_MOST_ENDS = 1000

# A sum of vectors below this share of the sum of their lengths is rounding: the circuit is closed.
_CLOSED = 1e-6

# Elements at the Gauss points of an edge, as `coils.wires.cut_wires` makes them, leave gaps and overlaps along it of up
# to 0.16 of their length. They are no open ends: their weights, not their ends, make the sum right.
_GAUSS, _ALONG = 0.2, 1e-3

# What the points of a file's elements are: shares of the element's vector from the point back to its start.
_PLACES = {"middles": 0.5, "starts": 0.0, "ends": 1.0}


class Ends(NamedTuple):
    """Loose ends of wires, and what the elements' points are.

    Parameters
    ----------
    sinks, sources : ndarray, shape (n, 3)
        Where current arrives and does not go on, and where it starts from nothing (mm); equally many.
    place : {"middles", "starts", "ends"}
        Which part of each element its point is, as the way the elements follow each other tells.
    step : float
        Median length of the elements (mm).
    """

    sinks: FloatArray
    sources: FloatArray
    place: str
    step: float


def find_ends(segments: Segments) -> Ends:
    """Follow the elements from end to start and find the loose ends.

    Parameters
    ----------
    segments : Segments
        In any order; elements of length zero are left out.

    Returns
    -------
    Ends

    Raises
    ------
    ValueError
        If the elements do not follow each other, as when each stands for several turns.

    Examples
    --------
    >>> square = Segments([[.5, 0, 0], [1, .5, 0], [.5, 1, 0]], [[1, 0, 0], [0, 1, 0], [-1, 0, 0]])
    >>> ends = find_ends(square)
    >>> ends.sinks.tolist(), ends.sources.tolist(), ends.place
    ([[0.0, 1.0, 0.0]], [[0.0, 0.0, 0.0]], 'middles')
    """
    segments = _without_zeros(segments)
    step = float(np.median(np.linalg.norm(segments.vectors, axis=1)))
    most = max(2.0, _LOOSE * len(segments))
    loose = np.inf
    for share in _TRIALS:
        counts = {place: _loose_count(segments, place, share * step) for place in _PLACES}
        place = min(counts, key=lambda key: counts[key])
        loose = counts[place]
        if loose <= most:
            break
    if loose > min(most, _MOST_ENDS):
        raise ValueError(
            f"segments must follow each other from end to start; got {int(loose)} loose ends among {len(segments)} "
            "elements. Give each turn elements of its own, or keep the wire as it is with close=False."
        )
    nodes, net = _balance(*_start_and_end(segments, place), _JOINED * step)
    sinks = np.repeat(nodes[net > 0], net[net > 0], axis=0)
    sources = np.repeat(nodes[net < 0], -net[net < 0], axis=0)
    if 0 < len(sinks) <= _MOST_ENDS:
        rows, columns = _paired(sinks, sources)
        whole = ~_within_edges(segments, place, sinks[rows], sources[columns], _JOINED * step)
        sinks, sources = sinks[rows[whole]], sources[columns[whole]]
    return Ends(sinks, sources, place, step)


def close(segments: Segments) -> tuple[Segments, FloatArray]:
    """Close open wires by straight leads from where current stops to where it starts.

    Parameters
    ----------
    segments : Segments
        All elements in series with one stimulator.

    Returns
    -------
    closed : Segments
        The elements, without those of length zero and with their points at their middles, and after them those of the
        leads, which are no longer than the median of the others.
    leads : ndarray, shape (n_leads, 2, 3)
        Start and end of each lead (mm); empty for a closed circuit.

    Raises
    ------
    ValueError
        If the elements do not follow each other; see `find_ends`.

    Notes
    -----
    Which sink goes with which source is not known: of all pairings the one of least total length is taken
    (`scipy.optimize.linear_sum_assignment`). The true lead's course is not known either; a twisted pair to the
    stimulator has no field, and then the straight lead across its end is right.

    Points at the elements' starts, as in files that store a path and its differences, leave a divergence as great as
    an open end does (measured on an H coil with elements of 0.5 mm, where it also changes A by 0.6 %), so they are
    moved to the middles; see `centred`.

    Examples
    --------
    >>> square = Segments([[.5, 0, 0], [1, .5, 0], [.5, 1, 0]], [[1, 0, 0], [0, 1, 0], [-1, 0, 0]])
    >>> closed, leads = close(square)
    >>> leads.tolist(), closed.vectors.sum(axis=0).tolist()
    ([[[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]], [0.0, 0.0, 0.0])
    """
    return close_parts([segments], [np.eye(4)])


def close_parts(parts: Sequence[Segments], motions: Sequence[FloatArray]) -> tuple[Segments, FloatArray]:
    """Close the wires of parts in series that have moved against each other.

    Parameters
    ----------
    parts : sequence of Segments
        The elements of each part before it moved.
    motions : sequence of ndarray, shape (4, 4)
        Rigid motion of each part (mm).

    Returns
    -------
    closed, leads
        As `close` returns them, with the leads between the ends where they have gone.

    Raises
    ------
    ValueError
        If the elements do not follow each other; see `find_ends`.

    Notes
    -----
    Which ends belong together is found before the motion, where parts of a file join exactly: after it the nearest end
    may be that of a neighbouring turn.
    """
    kept = [_without_zeros(part) for part in parts]
    everything = Segments(np.concatenate([p.points for p in kept]), np.concatenate([p.vectors for p in kept]))
    whole = find_ends(everything)
    before: tuple[list[FloatArray], list[FloatArray]] = ([], [])
    after: tuple[list[FloatArray], list[FloatArray]] = ([], [])
    points, vectors = [], []
    for part, motion in zip(kept, motions, strict=True):
        nodes, net = _balance(*_start_and_end(part, whole.place), _JOINED * whole.step)
        for side, sign in enumerate((1, -1)):
            ends = np.repeat(nodes, np.maximum(sign * net, 0), axis=0)
            before[side].append(ends)
            after[side].append(_apply(motion, ends))
        centre = _centred(part, whole)
        points.append(_apply(motion, centre.points))
        # A product with the unit matrix would keep the values, too, but turn -0.0 into 0.0.
        vectors.append(centre.vectors if _is_unit(motion) else centre.vectors @ motion[:3, :3].T)
    sinks, sources = (np.concatenate(ends) for ends in before)
    if len(sinks) > _MOST_ENDS:
        raise ValueError(f"parts must have at most {_MOST_ENDS} ends in all; got {len(sinks)}.")
    rows, columns = _paired(sinks, sources)
    leads = np.stack([np.concatenate(after[0])[rows], np.concatenate(after[1])[columns]], axis=1)
    length = np.linalg.norm(leads[:, 1] - leads[:, 0], axis=1)
    gap = np.linalg.norm(sources[columns] - sinks[rows], axis=1)
    kept_whole = np.abs(length - gap) <= 1e-9 * (length + gap)
    kept_whole &= _within_edges(everything, whole.place, sinks[rows], sources[columns], _JOINED * whole.step)
    leads = np.ascontiguousarray(leads[(length > _JOINED * whole.step) & ~kept_whole])
    for start, end in leads:
        count = max(1, int(np.ceil(np.linalg.norm(end - start) / whole.step * (1.0 - 1e-12))))
        points.append(start + (np.arange(count)[:, None] + 0.5) / count * (end - start))
        vectors.append(np.repeat((end - start)[None] / count, count, axis=0))
    return Segments(np.concatenate(points), np.concatenate(vectors)), leads


def centred(segments: Segments) -> Segments:
    """Return the elements with their points at their middles, for files whose points are starts or ends.

    Parameters
    ----------
    segments : Segments
        Elements that follow each other.

    Returns
    -------
    Segments
        The error of a sum over elements taken as points is of second order in their length at the middles, and of
        first order anywhere else.

    Raises
    ------
    ValueError
        If the elements do not follow each other; see `find_ends`.

    Examples
    --------
    >>> corner = Segments([[0, 0, 0], [2, 0, 0], [2, 2, 0]], [[2, 0, 0], [0, 2, 0], [-2, -2, 0]])
    >>> centred(corner).points.tolist()
    [[1.0, 0.0, 0.0], [2.0, 1.0, 0.0], [1.0, 1.0, 0.0]]
    """
    kept = _without_zeros(segments)
    return _centred(kept, find_ends(kept))


def divergence(segments: Segments, points: FloatArray) -> FloatArray:
    """Compute the divergence of the potential of current elements; zero for closed circuits.

    Parameters
    ----------
    segments : Segments
        The elements.
    points : ndarray, shape (n, 3)
        Where (mm).

    Returns
    -------
    ndarray, shape (n,)
        div sum v / |r - p| = -sum v . (r - p) / |r - p|^3 (1/mm). Along a wire from a to b it telescopes to
        1/|r - a| - 1/|r - b|, but for the error of taking elements as points.

    Examples
    --------
    >>> import numpy as np
    >>> divergence(Segments([[0, 0, 0]], [[1, 0, 0]]), np.array([[2.0, 0, 0]])).tolist()
    [-0.25]
    """
    total = np.zeros(len(points))
    for index, point in enumerate(points):
        offset = point - segments.points
        total[index] = -(np.einsum("ij,ij->i", segments.vectors, offset) / np.linalg.norm(offset, axis=1) ** 3).sum()
    return total


def fault(segments: Segments, who: str, *, closing: bool) -> str:
    """Describe in a sentence what is wrong with wires, and what is done about it.

    Parameters
    ----------
    segments : Segments
        All elements in series with one stimulator, not all zero.
    who : str
        What the wires are called.
    closing : bool
        Whether `close` is applied to them, where it can be.

    Returns
    -------
    str
        Empty for closed circuits of elements with their points at the middles.

    Examples
    --------
    >>> hook = Segments([[0.5, 0, 0], [1, 0.5, 0], [0.5, 1, 0]], [[1, 0, 0], [0, 1, 0], [-1, 0, 0]])
    >>> print(fault(hook, "a hook", closing=True).split("; ")[1])
    got 1 open end, with a sum of vectors of [0.0, 1.0, 0.0] mm: closed by straight leads.
    """
    gap = segments.vectors.sum(axis=0)
    as_sum = f"with a sum of vectors of {(gap.round(1) + 0.0).tolist()} mm"
    try:
        ends = find_ends(segments)
    except ValueError:
        if np.linalg.norm(gap) <= _CLOSED * np.linalg.norm(segments.vectors, axis=1).sum():
            return ""
        return f"{who} must be closed circuits; got open ones {as_sum} that cannot be followed: taken as they stand."
    faults, cures = [], []
    if count := len(ends.sinks):
        faults.append(f"{count} open end{'s' if count > 1 else ''}, {as_sum}")
        cures.append("closed by straight leads")
    if ends.place != "middles":
        faults.append(f"points at the elements' {ends.place} instead of their middles")
        cures.append("moved to the middles")
    if not faults:
        return ""
    done = " and ".join(cures) if closing else "taken as they stand, whose field is that of no real coil"
    return f"{who} must be closed circuits; got {', and '.join(faults)}: {done}."


def _centred(segments: Segments, ends: Ends) -> Segments:
    shift = 0.5 - _PLACES[ends.place]
    return segments if shift == 0.0 else Segments(segments.points + shift * segments.vectors, segments.vectors)


def _is_unit(motion: FloatArray) -> bool:
    return np.array_equal(motion, np.eye(4))


def _apply(motion: FloatArray, points: FloatArray) -> FloatArray:
    """Move points, shape (n, 3); the same bits if there is no motion."""
    return points if _is_unit(motion) else points @ motion[:3, :3].T + motion[:3, 3]


def _without_zeros(segments: Segments) -> Segments:
    nonzero = segments.vectors.any(axis=1)
    if nonzero.all():
        return segments
    if not nonzero.any():
        raise ValueError(f"vectors must not all be zero; got {len(segments)} current elements without length.")
    return Segments(segments.points[nonzero], segments.vectors[nonzero])


def _start_and_end(segments: Segments, place: str) -> tuple[FloatArray, FloatArray]:
    start = segments.points - _PLACES[place] * segments.vectors
    return start, start + segments.vectors


def _paired(sinks: FloatArray, sources: FloatArray) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Pair sinks with sources so that the leads between them have the least total length."""
    from scipy.optimize import linear_sum_assignment  # here, so that importing the package loads no SciPy

    rows, columns = linear_sum_assignment(np.linalg.norm(sinks[:, None] - sources, axis=2))
    return rows, columns


def _within_edges(
    segments: Segments, place: str, sinks: FloatArray, sources: FloatArray, tolerance: float
) -> npt.NDArray[np.bool_]:
    """Tell which gaps lie along an element that ends in them and are so short that they come from Gauss weights."""
    from scipy.spatial import cKDTree

    tree = cKDTree(np.concatenate(_start_and_end(segments, place)))
    found = np.zeros(len(sinks), dtype=bool)
    for index, (sink, source) in enumerate(zip(sinks, sources, strict=True)):
        elements = np.concatenate([tree.query_ball_point(end, tolerance) for end in (sink, source)]).astype(np.int64)
        vectors, gap = segments.vectors[elements % len(segments)], source - sink
        reach, width = np.linalg.norm(vectors, axis=1), float(np.linalg.norm(gap))
        across = np.linalg.norm(np.cross(vectors, gap), axis=1)
        found[index] = bool(((width <= _GAUSS * reach) & (across <= _ALONG * width * reach)).any())
    return found


def _loose_count(segments: Segments, place: str, tolerance: float) -> float:
    _, net = _balance(*_start_and_end(segments, place), tolerance)
    return float(np.abs(net).sum() / 2.0)


def _balance(start: FloatArray, end: FloatArray, tolerance: float) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """Join starts and ends closer than about a tolerance to nodes; return their places and ends less starts."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    points = np.concatenate([end, start])
    # Into cells first: so many points in one place make one cell and not their number squared of pairs. Relative to the
    # extent no finer than rounding.
    origin = points.min(axis=0)
    cell = max(tolerance, 1e-12 * float(np.ptp(points, axis=0).max())) or 1.0
    # Half a cell off, so that round coordinates do not fall on the cells' borders.
    cells, member = np.unique(np.floor((points - origin) / cell + 0.5), axis=0, return_inverse=True)
    pairs = cKDTree(cells).query_pairs(1.8, output_type="ndarray")  # the 26 neighbours
    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(cells), len(cells)))
    count, labels = connected_components(links, directed=False)
    node = labels[member.reshape(-1)]
    sign = np.repeat([1, -1], len(end))
    net = np.zeros(count, dtype=np.int64)
    np.add.at(net, node, sign)
    nodes = np.zeros((count, 3))
    np.add.at(nodes, node, points)
    return nodes / np.bincount(node, minlength=count)[:, None], net
