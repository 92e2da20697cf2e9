"""A place in the brain where the field is wanted."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.targeting.patch import Patch, cut, patch_around
from meshes import HeadModel, Surface, arrays, closest_points
from meshes.anatomy.coordinates import cortex_at_mni
from meshes.anatomy.labels import SIDES, MniMap, list_regions
from meshes.anatomy.regions import Place, find_region, lost_share
from meshes.anatomy.walls import Wall, bank_of, wall_around
from meshes.checks import winding_numbers

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_PIECE = 1.5
"""Greatest edge of the pieces of cortex among which a named position is sought (mm)."""

_MOST = 2e3
"""As many squares of a piece's edge make up a region at most: all pairs are looked at, and a label can be a lobe."""

_ROWS = 500
"""So many pieces at once are set against all others: bounds the memory."""

_NAMES = {
    "m1-hand": "primary motor cortex, hand",
    "m1-leg": "primary motor cortex, leg and foot",
    "m1-mouth": "primary motor cortex, mouth",
    "s1-hand": "primary somatosensory cortex, hand",
    "s1-leg": "primary somatosensory cortex, leg and foot",
    "s1-mouth": "primary somatosensory cortex, mouth",
}


def list_targets() -> dict[str, str]:
    """Return the names of targets and what they are; each exists on the left and on the right side."""
    return dict(_NAMES)


@dataclass(frozen=True, eq=False, kw_only=True)
class Target:
    """A patch of cortex over which the field is averaged.

    Parameters
    ----------
    position : array_like, shape (3,)
        Centre (mm, head space), inside the head.
    direction : array_like, shape (3,), optional
        Component of the field that is wanted, any length; by default its magnitude.
    radius : float, optional
        Cortex within this distance (mm), and joined to the nearest cortex within it, is averaged over, by area. Where
        no cortex is so near (a deep target), the field at `position` alone counts.
    name, side : str, optional
        For messages and files.
    region : array_like of int, optional
        Only these vertices of the head's cortex count, each with the third of its triangles that is nearest to it.
    source : str, optional
        How the place was found, in a sentence, for reports.

    Raises
    ------
    ValueError
        If a number is not finite, `direction` is zero, `radius` is not positive or `region` is no list of indices.
    """

    position: F64
    direction: F64 | None = None
    radius: float = 5.0
    name: str = "target"
    side: str = ""
    region: I64 | None = None
    source: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "position", arrays.vector(self.position, "position"))
        if self.direction is not None:
            object.__setattr__(self, "direction", arrays.unit_vector(self.direction, "direction"))
        object.__setattr__(self, "radius", arrays.positive(self.radius, "radius"))
        if self.region is not None:
            object.__setattr__(self, "region", _indices(self.region))

    @classmethod
    def named(
        cls,
        name: str,
        head: HeadModel,
        *,
        side: str = "left",
        radius: float = 5.0,
        direction: ArrayLike | None = None,
        by: str | None = None,
        mni: MniMap | None = None,
    ) -> Target:
        """Return a named target of any head.

        Parameters
        ----------
        name : str
            For example "m1-hand"; see `list_targets`.
        head : HeadModel
            A head with that region; or with labels on its cortex; or one that can be laid over MNI152.
        side : {"left", "right"}, optional
            Side of the brain.
        radius : float, optional
            See `Target` (mm).
        direction : array_like, shape (3,), optional
            See `Target`.
        by : {"region", "labels", "transfer", "mni"}, optional
            How to find it, see Notes; by default the first way that the head allows. `source` says which it was.
        mni : MniMap, optional
            Map between the head and MNI152, if there is a better one than `meshes.anatomy.mni.mni_transform` finds.

        Returns
        -------
        Target
            The region counts, around the position of `named_position`: the one that the head brings along
            (`HeadModel.targets`), so that every resolution of a head has the same, or else found on this mesh; in
            either case the nearest point of the region's cortex.

        Raises
        ------
        ValueError
            If the name or the side is unknown, or the head has nothing to find the region by.

        Warns
        -----
        UserWarning
            If the region is carried over from another head, or only MNI coordinates are left.

        Notes
        -----
        The ways are those of `meshes.anatomy.regions.find_region`: the head's own region; labels of Desikan-Killiany,
        HCP-MMP or Juelich on its cortex; the region of the fsaverage head, carried over; MNI coordinates.
        """
        place = find_region(head, name, side=side, by=by, mni=mni)
        if place.expected_error is not None:
            warnings.warn(f"{name} {side} of {head.name} is a guess: {place.source}.", stacklevel=2)
        elif lost_share(head, f"{name}-{side}") > 0.0:
            warnings.warn(f"{name} {side} of {head.name} is what is left of it: {place.source}.", stacklevel=2)
        centre, region = _aim(head, place)
        return cls(
            position=centre,
            direction=_unit(direction),
            radius=radius,
            name=name,
            side=side,
            region=region,
            source=place.source,
        )

    @classmethod
    def at_mni(
        cls,
        point: ArrayLike,
        head: HeadModel,
        *,
        radius: float = 5.0,
        direction: ArrayLike | None = None,
        name: str = "target",
        mni: MniMap | None = None,
    ) -> Target:
        """Return the target at a point of MNI152 space.

        Parameters
        ----------
        point : array_like, shape (3,)
            MNI152 (mm).
        head : HeadModel
            The head.
        radius : float, optional
            See `Target` (mm).
        direction : array_like, shape (3,), optional
            See `Target`; in the head's space.
        name : str, optional
            For messages and files.
        mni : MniMap, optional
            Map between the head and MNI152, if there is a better one than `meshes.anatomy.mni.mni_transform` finds.

        Returns
        -------
        Target
            On the nearest cortex of the point's side, if that is within 8 mm; else the mapped point itself. `source`
            says how far it was moved.

        Raises
        ------
        ValueError
            If the point is not finite or not in the head, or the head cannot be laid over MNI152.
        """
        if not isinstance(head, HeadModel):
            raise TypeError(f"head must be a meshes.HeadModel; got {type(head).__name__}. Use meshes.load_head(name).")
        position, source = cortex_at_mni(head, point, mni=mni)
        if not winding_numbers(position[None], head.scalp)[0] > 0.5:
            raise ValueError(
                f"point must lie in the head, as MNI152 coordinates in millimetres; got {point!r}, outside the scalp "
                f"of {head.name}."
            )
        return cls(
            position=position,
            direction=_unit(direction),
            radius=radius,
            name=name,
            source=source,
        )

    @classmethod
    def of_region(
        cls,
        name: str,
        head: HeadModel,
        *,
        side: str | None = None,
        radius: float = 5.0,
        direction: ArrayLike | None = None,
    ) -> Target:
        """Return a target in any region or label of a head.

        Parameters
        ----------
        name : str
            One of ``head.regions``, for example "desikan:precentral-left"; or without its side, if `side` is given.
        head : HeadModel
            The head.
        side : {"left", "right"}, optional
            Side of the brain.
        radius : float, optional
            See `Target` (mm).
        direction : array_like, shape (3,), optional
            See `Target`.

        Returns
        -------
        Target
            In the middle of the half of the region that is next to the scalp; the region alone counts.

        Raises
        ------
        ValueError
            If the head has no such region.
        """
        if not isinstance(head, HeadModel):
            raise TypeError(f"head must be a meshes.HeadModel; got {type(head).__name__}. Use meshes.load_head(name).")
        key = name if side is None else f"{name}-{arrays.choice(side, 'side', SIDES)}"
        if key not in head.regions:
            near = difflib.get_close_matches(key, head.regions, n=3, cutoff=0.5)
            raise ValueError(
                f"name must be a region of {head.name}, with its side; got {key!r}. There are: "
                f"{list_regions(head.regions)}.{' Like it: ' + ', '.join(near) + '.' if near else ''}"
            )
        base, _, end = key.rpartition("-")
        place = Place(key=key, way="region", source=f"region {key} of {head.name}", regions=head.regions)
        centre, region = _aim(head, place)
        return cls(
            position=centre,
            direction=_unit(direction),
            radius=radius,
            name=base if end in SIDES else key,
            side=end if end in SIDES else "",
            region=region,
            source=place.source,
        )

    def on(self, head: HeadModel) -> Patch:
        """Return the points and weights that stand for the target on a head.

        Raises
        ------
        ValueError
            If the position is not inside the scalp.
        """
        if winding_numbers(self.position[None], head.scalp)[0] < 0.5:
            raise ValueError(
                f"position must be inside the head; got {_text(self.position)} mm, which is outside the scalp. "
                "Positions are in the head's own space, millimetres, RAS."
            )
        if self.region is not None and self.region.max(initial=-1) >= len(head.cortex.vertices):
            last = len(head.cortex.vertices) - 1
            raise ValueError(f"region must index the cortex of {head.name}, 0 to {last}; got {self.region.max()}.")
        patch = patch_around(head, self.position, self.radius, self.region)
        if patch is None:
            return Patch(self.position[None], np.ones(1), np.empty(0, dtype=np.int64), None)
        return patch

    def wall(self, head: HeadModel) -> Wall | None:
        """Return the wall of the sulcus that the target is on, within 12 mm; None where no one wall is the target's.

        That is so for deep targets, where the mesh has no vertex so near, and for legs.

        Legs lie where the central sulcus ends, on the crown and the medial wall: no one wall is theirs. Of a hand or a
        mouth the wall is the bank that faces its counterpart across the sulcus (`meshes.anatomy.walls.bank_of`); of
        other targets, what faces the same way as the cortex of the target's patch.
        """
        if self.name.endswith("-leg"):
            return None
        key = f"{self.name}-{self.side}"
        named = self.region is not None and np.array_equal(head.regions.get(key, ()), self.region)
        normal = None if named else self.on(head).normal
        if not named and normal is None:
            return None
        try:
            if named:
                return wall_around(head.cortex, self.position, vertices=bank_of(head, key))
            return wall_around(head.cortex, self.position, vertices=self.region, facing=normal)
        except ValueError:  # no vertex of the wall within reach
            return None


def _unit(direction: ArrayLike | None) -> F64 | None:
    return None if direction is None else arrays.unit_vector(direction, "direction")


def _indices(region: ArrayLike) -> I64:
    values = np.asarray(region)
    if values.ndim != 1 or not np.issubdtype(values.dtype, np.integer) or (values < 0).any():
        raise ValueError(f"region must be a list of vertex indices; got {values.dtype} of shape {values.shape}.")
    return values.astype(np.int64)


def _aim(head: HeadModel, place: Place) -> tuple[F64, I64 | None]:
    """Return where to aim and which vertices count."""
    region = place.regions.get(place.key)
    if region is None:
        assert place.position is not None  # for the type checker: a place has the one or the other
        return place.position, None
    centre = named_position(head, place.key, regions=place.regions) if place.position is None else place.position
    sheet = Surface(head.cortex.vertices, head.cortex.triangles[_triangles_of(head.cortex, region)], place.key)
    return closest_points(sheet, centre[None])[0][0], region


def named_position(head: HeadModel, key: str, *, regions: Mapping[str, I64] | None = None) -> F64:
    """Return where in a region TMS acts: the middle of its half next to the scalp.

    Parameters
    ----------
    head : HeadModel
        The head.
    key : str
        A region, for example "m1-hand-left".
    regions : mapping of str to ndarray of int, optional
        Regions of its cortex; by default its own.

    Returns
    -------
    ndarray, shape (3,)
        mm: the piece of cortex whose mean distance to the others of that half, weighted with area, is least.

    Notes
    -----
    Of a hand or mouth region only the bank that faces its counterpart across the central sulcus counts (see
    `bank_of`), as the painted regions also wrap around the gyrus; the half next to the scalp is then the sulcus' lip.
    """
    bank = np.zeros(len(head.cortex.vertices), dtype=np.bool_)
    bank[bank_of(head, key, regions=regions)] = True
    triangles = _triangles_of(head.cortex, np.flatnonzero(bank))
    piece = max(_PIECE, float(np.sqrt(head.cortex.areas[triangles].sum() / _MOST)))
    pieces = cut(head.cortex, triangles, piece=piece)
    own = np.flatnonzero(bank[pieces.vertex])
    depth = closest_points(head.scalp, pieces.points[own])[2]
    order = own[np.argsort(depth, kind="stable")]
    covered = np.cumsum(pieces.areas[order])
    lip = order[: 1 + np.searchsorted(covered, 0.5 * covered[-1])]
    points = pieces.points[lip]
    mean = np.concatenate(
        [
            np.linalg.norm(points[first : first + _ROWS, None] - points[None], axis=2) @ pieces.areas[lip]
            for first in range(0, len(points), _ROWS)
        ]
    )
    middle: F64 = points[int(mean.argmin())]
    return middle


def _triangles_of(surface: Surface, vertices: I64) -> I64:
    """Return the triangles that have a corner among some vertices."""
    mine = np.zeros(len(surface.vertices), dtype=np.bool_)
    mine[vertices] = True
    return np.flatnonzero(mine[surface.triangles].any(axis=1))


def _text(point: F64) -> str:
    return "(" + ", ".join(f"{value:.1f}" for value in point) + ")"
