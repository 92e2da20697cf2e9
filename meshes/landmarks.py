"""Positions of the 10-10 system on a scalp, from nasion, inion and the two preauricular points.

Notes
-----
The unambiguous illustration (UI 10/10) of V. Jurcak, D. Tsuzuki and I. Dan, NeuroImage 34:1600-1611 (2007): curves are
where planes through three points cut the scalp, and positions divide them by length. Fiducials that are not known are
those of MNI152, mapped to the head by the shape of its brain. Where that has no shape, the most posterior point of the
scalp stands for the inion, as in D. Tsuzuki, H. Watanabe, I. Dan and G. Taga, J. Neurosci. Methods 264:86-93 (2016).

On fsaverage the positions lie 2.9 mm (median of 27; at most 5.9 mm) from those of S. Cutini, P. Scatturin and M. Zorzi,
NeuroImage 54:920-927 (2011), in MNI152 space. Preauricular points a centimetre further back, where others put them,
move C3 by 6 mm: positions are as good as the fiducials.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from meshes import arrays
from meshes.arrays import FloatArray
from meshes.head import HeadModel
from meshes.scalp import closest_points
from meshes.surface import Surface

if TYPE_CHECKING:
    from meshes.anatomy.mni import MniAffine
    from meshes.anatomy.warps import MniWarp

__all__ = ["FIDUCIALS", "place_on_curve", "plane_section", "positions_10_10", "scalp_curve"]

FIDUCIALS = ("nasion", "inion", "lpa", "rpa")
"""Names of the fiducials: nasion, inion, left and right preauricular point."""

_MIDLINE = ("Fpz", "AFz", "Fz", "FCz", "Cz", "CPz", "Pz", "POz", "Oz")
_CORONAL = ("T7", "C5", "C3", "C1", "Cz", "C2", "C4", "C6", "T8")
_RIM_LEFT = ("Fp1", "AF7", "F7", "FT7", "T7", "TP7", "P7", "PO7", "O1")
_RIM_RIGHT = ("Fp2", "AF8", "F8", "FT8", "T8", "TP8", "P8", "PO8", "O2")

# Each row from the left rim over the midline to the right rim, divided by quarters of its halves.
_ROWS = {
    "AF": ("AF7", "AF5", "AF3", "AF1", "AFz", "AF2", "AF4", "AF6", "AF8"),
    "F": ("F7", "F5", "F3", "F1", "Fz", "F2", "F4", "F6", "F8"),
    "FC": ("FT7", "FC5", "FC3", "FC1", "FCz", "FC2", "FC4", "FC6", "FT8"),
    "CP": ("TP7", "CP5", "CP3", "CP1", "CPz", "CP2", "CP4", "CP6", "TP8"),
    "P": ("P7", "P5", "P3", "P1", "Pz", "P2", "P4", "P6", "P8"),
    "PO": ("PO7", "PO5", "PO3", "PO1", "POz", "PO2", "PO4", "PO6", "PO8"),
}

# Rounds that find the vertex as the middle of both its curves; it settles to 1e-6 mm in about six.
_ROUNDS = 50
_SETTLED = 1e-6


# The middle of the cortex lies some 30 mm above the plane of nasion and ears; on a sphere it may be in it (mm).
_BELOW = 5.0


def positions_10_10(head: HeadModel, *, fiducials: Mapping[str, npt.ArrayLike] | None = None) -> dict[str, FloatArray]:
    """Return the positions of the 10-10 system on a head.

    Parameters
    ----------
    head : HeadModel
        The head; its scalp is cut.
    fiducials : mapping of str to array_like, shape (3,), optional
        ``"nasion"``, ``"inion"``, ``"lpa"`` and ``"rpa"`` (mm); they snap to the scalp. By default those of the head.
        What is left out is estimated, with a warning.

    Returns
    -------
    dict of str to ndarray, shape (3,)
        69 positions from Fpz to O2 by name (mm), on the scalp, and the four fiducials Nz, Iz, T9 and T10. C3 is the
        old name's place too; T7, T8, P7 and P8 were T3, T4, T5 and T6 in the 10-20 system.

    Raises
    ------
    ValueError
        If a fiducial is missing and the head has no brain to estimate it from, left and right are exchanged, or the
        scalp does not reach between them.

    Warns
    -----
    UserWarning
        If fiducials are estimated; it says which, and how.

    Examples
    --------
    >>> import meshes
    >>> head = meshes.sphere_head(radii=[90], conductivities=[0.33], subdivisions=3)
    >>> points = {"nasion": (0, 90, 0), "inion": (0, -90, 0), "lpa": (-90, 0, 0), "rpa": (90, 0, 0)}
    >>> positions_10_10(head, fiducials=points)["Cz"].round() + 0.0
    array([ 0.,  0., 90.])
    """
    if not isinstance(head, HeadModel):
        raise TypeError(f"head must be a meshes.HeadModel; got {type(head).__name__}.")
    scalp = head.scalp
    known = _fiducials(head, fiducials)
    nasion, inion, left, right = (known[name] for name in FIDUCIALS)
    found = {"Nz": nasion, "Iz": inion, "T9": left, "T10": right}
    vertex = _vertex(scalp, nasion, inion, left, right)
    found |= dict(zip(_MIDLINE, _divided(scalp, nasion, vertex, inion, np.arange(1, 10) / 10.0), strict=True))
    found |= dict(zip(_CORONAL, _divided(scalp, left, vertex, right, np.arange(1, 10) / 10.0), strict=True))
    found["Cz"] = vertex
    for names, side in ((_RIM_LEFT, found["T7"]), (_RIM_RIGHT, found["T8"])):
        found |= dict(
            zip(names, _divided(scalp, found["Fpz"], side, found["Oz"], np.arange(1, 10) / 10.0), strict=True)
        )
    for names in _ROWS.values():
        ends, middle = (found[names[0]], found[names[-1]]), found[names[4]]
        curve, at = scalp_curve(scalp, ends[0], middle, ends[1])
        quarters = np.arange(1, 4) / 4.0
        steps = np.concatenate([quarters * at, at + quarters * (1.0 - at)])
        found |= dict(zip(names[1:4] + names[5:8], _along(curve, steps), strict=True))
    return found


def _fiducials(head: HeadModel, given: Mapping[str, npt.ArrayLike] | None) -> dict[str, FloatArray]:
    """Return the four fiducials on the scalp, the missing ones estimated."""
    source: Mapping[str, npt.ArrayLike] = head.fiducials if given is None else given
    points = {arrays.choice(name, "fiducials", FIDUCIALS): arrays.vector(p, name) for name, p in source.items()}
    missing = [name for name in FIDUCIALS if name not in points]
    if missing:
        points |= _estimated(head, points, missing)
    up = np.cross(points["rpa"] - points["lpa"], points["nasion"] - points["inion"])
    above = float((head.cortex.vertices.mean(axis=0) - points["lpa"]) @ up / max(float(np.linalg.norm(up)), 1e-9))
    if above < -_BELOW:
        raise ValueError(
            f"fiducials must have the brain over their plane; got it {-above:.0f} mm under it. Are lpa (left) and rpa "
            "(right), or nasion and inion, exchanged?"
        )
    on_scalp = closest_points(head.scalp, np.array([points[name] for name in FIDUCIALS]))[0]
    return dict(zip(FIDUCIALS, on_scalp, strict=True))


def _estimated(head: HeadModel, points: Mapping[str, FloatArray], missing: list[str]) -> dict[str, FloatArray]:
    """Return the missing fiducials, with a warning: those of MNI152 on this head, or the furthest point at the back."""
    from meshes.anatomy.mni import FIDUCIALS_MNI152  # here, because it loads SciPy with what it imports

    transform = _mni_by_shape(head, needed=missing != ["inion"])
    if transform is not None:
        warnings.warn(
            f"No {', '.join(missing)} of {head.name} known; estimated from where MNI152 has them ({transform.source}), "
            "to about a centimetre. Give them with fiducials={...}, points in mm.",
            stacklevel=4,
        )
        found = transform.from_mni([FIDUCIALS_MNI152[name] for name in missing])
        return dict(zip(missing, found, strict=True))
    if missing != ["inion"]:
        needed = ", ".join(name for name in missing if name != "inion")
        raise ValueError(
            f"fiducials must hold nasion, lpa and rpa; got a head {head.name!r} without {needed}, and without a folded "
            "cortex or inner_skull to estimate them from. Give them with fiducials={...}, points in mm."
        )
    warnings.warn(
        f"The inion of {head.name} is not known; the most posterior point of the scalp stands for it "
        "(Tsuzuki et al. 2016).",
        stacklevel=4,
    )
    return {"inion": _most_posterior(head.scalp, points["nasion"], points["lpa"], points["rpa"])}


def _mni_by_shape(head: HeadModel, *, needed: bool) -> MniAffine | MniWarp | None:
    """Return the map between MNI152 and a head with the shape of a brain; None for another head, if none is needed."""
    # Here, because they load SciPy.
    from meshes.anatomy.fitting import has_brain_shape
    from meshes.anatomy.mni import mni_transform

    if not has_brain_shape(head):
        return None
    try:
        return mni_transform(head)
    except ValueError:
        if needed:
            raise
        return None


def _most_posterior(scalp: Surface, nasion: FloatArray, left: FloatArray, right: FloatArray) -> FloatArray:
    """Return the scalp's point furthest back on the midline, backwards being from the nasion between the ears."""
    middle = 0.5 * (left + right)
    across = arrays.unit_vector(right - left, "the line between the preauricular points")
    back = middle - nasion
    back -= (back @ across) * across
    back /= np.linalg.norm(back)
    loop = max(plane_section(scalp, middle, across), key=lambda points: float((points @ back).max()))
    furthest: FloatArray = loop[(loop @ back).argmax()]
    return furthest


def _vertex(scalp: Surface, nasion: FloatArray, inion: FloatArray, left: FloatArray, right: FloatArray) -> FloatArray:
    """Return Cz, the middle of the curve from nasion to inion and of that between the preauricular points."""
    up = np.cross(right - left, nasion - inion)
    vertex: FloatArray = scalp.vertices[(scalp.vertices @ up).argmax()]
    for _ in range(_ROUNDS):
        before = vertex
        vertex = _divided(scalp, nasion, vertex, inion, np.array([0.5]))[0]
        vertex = _divided(scalp, left, vertex, right, np.array([0.5]))[0]
        if np.linalg.norm(vertex - before) < _SETTLED:
            break
    return vertex


def _divided(scalp: Surface, start: FloatArray, over: FloatArray, end: FloatArray, shares: FloatArray) -> FloatArray:
    """Return the points at `shares` of the length of the curve from `start` over a point to `end`."""
    return _along(scalp_curve(scalp, start, over, end)[0], shares)


def _along(curve: FloatArray, shares: FloatArray) -> FloatArray:
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    return np.column_stack([np.interp(shares * length[-1], length, curve[:, axis]) for axis in range(3)])


def scalp_curve(scalp: Surface, start: FloatArray, over: FloatArray, end: FloatArray) -> tuple[FloatArray, float]:
    """Cut the scalp by the plane through three of its points; return the curve, and at which share of it `over` is."""
    normal = np.cross(over - start, end - start)
    points = np.array([start, over, end])
    for loop in sorted(plane_section(scalp, start, normal), key=len, reverse=True):
        closed = np.vstack([loop, loop[:1]])
        length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
        at, gap = zip(*(place_on_curve(closed, length, point) for point in points), strict=True)
        if max(gap) > 1.0:
            continue
        first, middle, last = at[0], (at[1] - at[0]) % length[-1], (at[2] - at[0]) % length[-1]
        if middle > last:  # the other way round
            closed, length = closed[::-1], length[-1] - length[::-1]
            first, middle, last = length[-1] - first, length[-1] - middle, length[-1] - last
        corners = length[:-1][((length[:-1] - first) % length[-1]) < last]
        steps = np.unique(np.concatenate([[0.0, last], (corners - first) % length[-1]]))
        where = (first + steps) % length[-1]
        curve = np.column_stack([np.interp(where, length, closed[:, axis]) for axis in range(3)])
        return curve, float(middle / last)
    raise ValueError(
        "fiducials must lie on one closed curve of the scalp; got points between which the scalp has a gap. "
        "Are nasion, inion and preauricular points those of this head, in mm?"
    )


def place_on_curve(closed: FloatArray, length: FloatArray, point: FloatArray) -> tuple[float, float]:
    """Return how far along a polyline its point nearest to `point` is, and how far away that is (mm)."""
    start, step = closed[:-1], np.diff(closed, axis=0)
    square = np.maximum((step**2).sum(axis=1), 1e-30)
    share = np.clip(((point - start) * step).sum(axis=1) / square, 0.0, 1.0)
    gap = np.linalg.norm(start + share[:, None] * step - point, axis=1)
    nearest = int(gap.argmin())
    return float(length[nearest] + share[nearest] * np.sqrt(square[nearest])), float(gap[nearest])


def plane_section(surface: Surface, point: FloatArray, normal: FloatArray) -> list[FloatArray]:
    """Return the closed polylines in which a plane cuts a closed surface."""
    height = (surface.vertices - point) @ (normal / np.linalg.norm(normal))
    # A vertex on the plane counts as above it: then every triangle that is cut has exactly two cut edges.
    above = height >= 0.0
    a, b = surface.triangles, np.roll(surface.triangles, -1, axis=1)
    cut = above[a] != above[b]
    triangle, side = np.nonzero(cut)
    # A closed surface's edge runs once each way. Per triangle one cut edge leads up and one down; the curve enters
    # by the one and leaves by the other, and the neighbour has the same edge the other way.
    first, second = a[triangle, side], b[triangle, side]
    upward = above[second]
    key = np.minimum(first, second).astype(np.int64) * len(surface.vertices) + np.maximum(first, second)
    enters = dict(zip(key[upward].tolist(), triangle[upward].tolist(), strict=True))
    leaves = dict(zip(triangle[~upward].tolist(), key[~upward].tolist(), strict=True))
    loops = []
    while enters:
        start, _ = next(iter(enters.items()))
        edge, edges = start, []
        while edge in enters:
            edges.append(edge)
            edge = leaves[enters.pop(edge)]
        low, high = np.divmod(np.array(edges), len(surface.vertices))
        share = height[low] / (height[low] - height[high])
        loops.append(surface.vertices[low] + share[:, None] * (surface.vertices[high] - surface.vertices[low]))
    return loops
