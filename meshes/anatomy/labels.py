"""Find atlas labels among a head's regions, and carry regions over from one head to another.

A label is a region called ``ATLAS:LABEL-SIDE``, for example ``desikan:precentral-left``, ``mmp:4-right`` or
``label:BA4a_exvivo-left``, as `meshes.read_head` takes them from annotation and label files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt

from meshes import arrays
from meshes.arrays import FloatArray
from meshes.head import HeadModel
from meshes.surface import Surface

__all__ = ["SIDES", "MniMap", "label_vertices", "list_regions", "regions_of_codes", "sides_of", "transfer_regions"]

IndexArray = npt.NDArray[np.int64]

SIDES = ("left", "right")

_TURN = 10.0
"""A right angle between the normals of two places counts as much as this times the root of two in distance (mm).

The two banks of a sulcus are 5 to 10 mm apart and face each other: without normals, the nearest place of another head
is on the wrong bank as often as not. Of 0, 5, 10 and 20 mm, 5 and 10 carry the painted regions over best.
"""

_FARTHEST = 15.0
"""Cortex that is farther (mm, in MNI space) from its counterpart has none."""

_MOSTLY = 0.95
"""A piece of cortex of which this share lies on one side of the midline is a hemisphere of that side."""


class MniMap(Protocol):
    """What is needed of a map between a head and MNI152 space; `meshes.anatomy.mni` has them."""

    @property
    def source(self) -> str:
        """Where the map comes from."""

    def to_mni(self, points: npt.ArrayLike, /) -> FloatArray:
        """Return points of the head (n, 3) in MNI152 space (mm)."""

    def from_mni(self, points: npt.ArrayLike, /) -> FloatArray:
        """Return points of MNI152 space (n, 3) in the head (mm)."""


def label_vertices(regions: Mapping[str, IndexArray], labels: Iterable[str], side: str) -> IndexArray:
    """Return the cortex vertices that belong to any of some labels on one side.

    Parameters
    ----------
    regions : mapping of str to ndarray
        Of a head: `HeadModel.regions`.
    labels : iterable of str
        ``ATLAS:LABEL``, for example ``"mmp:4"``; those that the head has not are passed over.
    side : {"left", "right"}
        Side of the brain.

    Returns
    -------
    ndarray of int, shape (n,)
        Sorted, none if the head has none of the labels.

    Examples
    --------
    >>> label_vertices({"mmp:4-left": np.array([3, 5]), "mmp:3b-left": np.array([9])}, ["mmp:4", "mmp:6"], "left")
    array([3, 5])
    """
    arrays.choice(side, "side", SIDES)
    found = [regions[f"{label}-{side}"] for label in labels if f"{label}-{side}" in regions]
    return np.unique(np.concatenate(found)) if found else np.zeros(0, dtype=np.int64)


def regions_of_codes(cortex: Surface, codes: npt.ArrayLike, names: npt.ArrayLike, atlas: str) -> dict[str, IndexArray]:
    """Return an atlas' labels as regions.

    Parameters
    ----------
    cortex : Surface
        The cortex, left at x < 0 (mm).
    codes : array_like of int, shape (n_vertices,)
        Number of each vertex' label.
    names : array_like of str
        Names of the labels, by their number; vertices of a label without a name belong to none.
    atlas : str
        Name of the atlas, for example "desikan".

    Returns
    -------
    dict of str to ndarray of int
        Vertices by ``ATLAS:LABEL-SIDE``.

    Raises
    ------
    ValueError
        If there is not one number per vertex, or a number has no name.

    Examples
    --------
    >>> import meshes
    >>> points = [[-9, 0, 0], [-9, 1, 0], [-9, 0, 1], [9, 0, 0], [9, 1, 0], [9, 0, 1]]
    >>> cortex = meshes.Surface(points, [[0, 2, 1], [3, 4, 5]])
    >>> regions_of_codes(cortex, [0, 1, 1, 1, 0, 0], ["", "precentral"], "desikan")
    {'desikan:precentral-left': array([1, 2]), 'desikan:precentral-right': array([3])}
    """
    numbers, table = np.asarray(codes).astype(np.int64), [str(name) for name in np.asarray(names)]
    if numbers.shape != (len(cortex.vertices),):
        raise ValueError(f"codes must be one per vertex, {len(cortex.vertices)}; got shape {numbers.shape}.")
    if numbers.size and not 0 <= numbers.min() <= numbers.max() < len(table):
        raise ValueError(f"codes must be 0 to {len(table) - 1}; got {int(numbers.min())} to {int(numbers.max())}.")
    right = sides_of(cortex, cortex.vertices[:, 0])
    found = {
        f"{atlas}:{name}-{side}": np.flatnonzero((numbers == number) & (right == (side == "right")))
        for number, name in enumerate(table)
        if name
        for side in SIDES
    }
    return {name: rows for name, rows in found.items() if len(rows)}


def list_regions(regions: Mapping[str, IndexArray]) -> str:
    """Return the names of regions for messages; of atlases, which have hundreds of labels, the number of labels.

    Examples
    --------
    >>> rows = np.array([0])
    >>> list_regions({"m1-hand-left": rows, "mmp:4-left": rows, "mmp:4-right": rows})
    "m1-hand-left, 2 labels of 'mmp'"
    """
    atlases: dict[str, int] = {}
    for name in regions:
        if ":" in name:
            atlases[name.split(":")[0]] = atlases.get(name.split(":")[0], 0) + 1
    own = sorted(name for name in regions if ":" not in name)
    return ", ".join(own + [f"{count} labels of {atlas!r}" for atlas, count in sorted(atlases.items())]) or "none"


def sides_of(cortex: Surface, mni_x: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Return which vertices of a cortex are on the right.

    Parameters
    ----------
    cortex : Surface
        Of one piece, or of several.
    mni_x : array_like, shape (n_vertices,)
        First coordinate of its vertices in MNI space (mm).

    Returns
    -------
    ndarray of bool, shape (n_vertices,)

    Notes
    -----
    Hemispheres touch at the midline, where the sign of x errs by the map's few millimetres: a piece that lies nearly
    all on one side counts as a whole.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    right = np.asarray(mni_x, dtype=np.float64) > 0.0
    start = cortex.triangles.ravel()
    end = np.roll(cortex.triangles, -1, axis=1).ravel()
    graph = coo_array((np.ones(len(start)), (start, end)), shape=(len(right), len(right)))
    _, piece = connected_components(graph, directed=False)
    share = np.bincount(piece, right) / np.bincount(piece)
    of_piece = share[piece]
    whole: npt.NDArray[np.bool_] = np.where(of_piece >= _MOSTLY, True, np.where(of_piece <= 1 - _MOSTLY, False, right))
    return whole


def transfer_regions(
    source: HeadModel,
    head: HeadModel,
    *,
    source_map: MniMap,
    head_map: MniMap,
    names: Iterable[str] | None = None,
) -> dict[str, IndexArray]:
    """Carry regions over from one head's cortex to another's.

    Parameters
    ----------
    source : HeadModel
        Head with regions.
    head : HeadModel
        Head that wants them.
    source_map, head_map : MniMap
        Of either head, for example from ``meshes.anatomy.mni.mni_transform``.
    names : iterable of str, optional
        Regions, each with its side, for example ``"m1-hand-left"``; by default all that end in a side.

    Returns
    -------
    dict of str to ndarray of int
        Vertices of the head's cortex by name; regions without any are left out.

    Raises
    ------
    ValueError
        If `source` has not a region that is named, or a name has no side.

    Notes
    -----
    Each vertex of the head's cortex takes the regions of its counterpart: the vertex of the source's cortex on the
    same side that is nearest in MNI space in position and in direction of the normal together. What an affine map and
    a direction cannot know is how this person's sulci run; `meshes.anatomy.regions` says what that costs. Aligning the
    folds around each region rigidly as well (iterated closest points) was tried and did not come nearer.
    """
    from scipy.spatial import KDTree  # here, so that importing the package loads no SciPy

    wanted = [name for name in source.regions if _side_of(name)] if names is None else list(names)
    for name in wanted:
        arrays.choice(name, "names", sorted(source.regions))
        if not _side_of(name):
            raise ValueError(f"names must end in -left or -right; got {name!r}.")
    ours, theirs = _in_mni(head, head_map), _in_mni(source, source_map)
    carried: dict[str, IndexArray] = {}
    for side in SIDES:
        own, other = (
            np.flatnonzero(sides_of(sheet, sheet.vertices[:, 0]) == (side == "right")) for sheet in (ours, theirs)
        )
        keys = [name for name in wanted if _side_of(name) == side]
        if not (len(own) and len(other) and keys):
            continue
        _, row = KDTree(_features(theirs, other)).query(_features(ours, own))
        nearest = other[row]
        near = np.linalg.norm(theirs.vertices[nearest] - ours.vertices[own], axis=1) <= _FARTHEST
        for key in keys:
            mine = own[near & np.isin(nearest, source.regions[key])]
            if len(mine):
                carried[key] = mine.astype(np.int64)
    return carried


def _in_mni(head: HeadModel, mni: MniMap) -> Surface:
    return Surface(mni.to_mni(head.cortex.vertices), head.cortex.triangles, "cortex in MNI space")


def _features(surface: Surface, rows: IndexArray) -> FloatArray:
    """Return positions and scaled normals of some vertices, shape (n, 6)."""
    return np.hstack([surface.vertices[rows], _TURN * surface.vertex_normals[rows]])


def _side_of(name: str) -> str:
    """Return the side that a region's name ends in, or nothing."""
    side = name.rpartition("-")[2]
    return side if side in SIDES else ""
