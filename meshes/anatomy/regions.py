"""Find the motor and somatosensory regions of hand, leg and mouth on any head, and say how they were found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from meshes import arrays
from meshes.anatomy.coordinates import cortex_at_mni, map_of, text_of
from meshes.anatomy.labels import SIDES, MniMap, label_vertices, list_regions, sides_of, transfer_regions
from meshes.arrays import FloatArray
from meshes.head import HeadModel
from meshes.scalp import closest_points

__all__ = ["REGIONS", "WAYS", "Place", "Region", "find_region", "labelled_region"]

IndexArray = npt.NDArray[np.int64]

WAYS = ("region", "labels", "transfer", "mni")
"""The ways of finding a region, the surest first."""

BALL = 12.0
"""Labels count within this distance of a region's MNI point (mm, in MNI space)."""

_TEMPLATE = "fsaverage"

EXPECTED = {
    ("transfer", "hands and legs"): (5.0, 9.0),
    ("transfer", "mouths"): (12.0, 15.0),  # 13.5 at most on the fast mesh
    ("mni", "hands and legs"): (7.0, 9.0),
    ("mni", "mouths"): (15.0, 17.0),
}
"""Median and greatest distance (mm) from the painted target, on either mesh of the one head that has any."""


@dataclass(frozen=True)
class Region:
    """What defines a region on a labelled cortex.

    Parameters
    ----------
    point : tuple of float
        Centre on the left side (MNI152, mm).
    gyri : tuple of str
        Desikan-Killiany labels.
    areas : str
        "m1" or "s1": cytoarchitectonic areas, see `_AREAS`.
    cut : bool
        Whether the areas cut the gyri where a head has both.
    opposite : str
        The region across the central sulcus.
    """

    point: tuple[float, float, float]
    gyri: tuple[str, ...]
    areas: str
    cut: bool
    opposite: str


# M1 hand: the example target of SimNIBS, usually ascribed to Mayka et al., NeuroImage 31:1453-1474 (2006). Leg, S1 hand
# and mouth: recalled, not confirmed against a paper; the mouth points were chosen where the face area lies below the
# hand's. The shipped fsaverage head's regions were made by the same rule (meshes.recipes.pack_head).
REGIONS = {
    "m1-hand": Region((-37.0, -21.0, 58.0), ("precentral",), "m1", False, "s1-hand"),
    "m1-leg": Region((-6.0, -26.0, 66.0), ("paracentral", "precentral"), "m1", True, "s1-leg"),
    "m1-mouth": Region((-54.0, -6.0, 34.0), ("precentral",), "m1", True, "s1-mouth"),
    "s1-hand": Region((-44.0, -28.0, 56.0), ("postcentral",), "s1", False, "m1-hand"),
    "s1-leg": Region((-8.0, -38.0, 68.0), ("postcentral", "paracentral"), "s1", True, "m1-leg"),
    "s1-mouth": Region((-58.0, -14.0, 34.0), ("postcentral",), "s1", True, "m1-mouth"),
}
"""The named regions; each exists on the left and on the right."""

# The same areas in several atlases: HCP-MMP (Glasser et al. 2016), Juelich, and FreeSurfer's labels made from these.
_AREAS = {
    "m1": (("mmp:4",), ("juelich:4a", "juelich:4p"), ("label:BA4a_exvivo", "label:BA4p_exvivo")),
    "s1": (
        ("mmp:3b", "mmp:1", "mmp:2"),
        ("juelich:3b", "juelich:1", "juelich:2"),
        ("label:BA3b_exvivo", "label:BA1_exvivo", "label:BA2_exvivo"),
    ),
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Place:
    """Where a region is on a head, and how that was found.

    Attributes
    ----------
    key : str
        Name and side, for example ``"m1-hand-left"``.
    way : {"region", "labels", "transfer", "mni"}
        How it was found.
    source : str
        The same in a sentence, with distances and the accuracy to expect.
    regions : mapping of str to ndarray of int
        Cortex vertices of the region and, where it is known, of the one across the central sulcus. None by `key` if
        only a position is known.
    position : ndarray, shape (3,), or None
        Where to aim (mm), if something else than the region tells.
    expected_error : float or None
        Median distance from the true place (mm), where it was measured.
    """

    key: str
    way: str
    source: str
    regions: Mapping[str, IndexArray] = field(default_factory=dict)
    position: FloatArray | None = None
    expected_error: float | None = None


def find_region(
    head: HeadModel, name: str, *, side: str = "left", by: str | None = None, mni: MniMap | None = None
) -> Place:
    """Find a named region on any head.

    Parameters
    ----------
    head : HeadModel
        The head.
    name : str
        One of `REGIONS`, for example "m1-hand".
    side : {"left", "right"}, optional
        Side of the brain.
    by : {"region", "labels", "transfer", "mni"}, optional
        The one way that shall be taken; by default the first of them that the head allows.
    mni : MniMap, optional
        Map between the head and MNI152; by default `meshes.anatomy.mni.mni_transform`.

    Returns
    -------
    Place

    Raises
    ------
    ValueError
        If the name, the side or the way is unknown, or the head has nothing to find the region by.

    Notes
    -----
    region: the head's own, of that name (painted on the person, or made with the head), or its own position.

    labels: of Desikan-Killiany the gyrus, cut by area 4 (M1) or 3b, 1 and 2 (S1) for legs and mouths, or else these
    areas of HCP-MMP, of Juelich or of FreeSurfer's Brodmann labels; within 12 mm of the region's point in MNI space.

    transfer: the region of the fsaverage head, carried over by `meshes.anatomy.labels.transfer_regions`.

    mni: what faces the same way as the cortex nearest to the region's point in MNI space, on its side, within 12 mm.
    (The point itself is a mean over people and images, some 7 mm deeper than where TMS acts.)

    Painted regions of one person, the pycortex head, tell what that is worth. From its brain's shape alone
    (`meshes.anatomy.fitting.estimate_mni_affine`), on the standard mesh, the targets come to lie so far from those of
    the painted regions:

    ========  =======================================  =====================================
    way       hands and legs                           mouths
    ========  =======================================  =====================================
    transfer  2.2 to 8.9 mm, median 5.0                10.3 to 13.9 mm, median 12.2
    mni       1.6 to 9.1 mm, median 7.3                12.4 to 17.4 mm, median 14.9
    ========  =======================================  =====================================

    By transfer 11 of the 12 lie within 2.4 mm of their painted region and nearer to it than to the one across the
    central sulcus (the painted S1 leg on the left is 5.8 mm away); by mni 10 of the 12 lie nearer to it. What the
    labels of a person's own cortex are worth could not be measured: no head at hand has both.
    """
    if not isinstance(head, HeadModel):
        raise TypeError(f"head must be a meshes.HeadModel; got {type(head).__name__}. Use meshes.load_head(name).")
    arrays.choice(name, "name", sorted(REGIONS))
    arrays.choice(side, "side", SIDES)
    ways = WAYS if by is None else (arrays.choice(by, "by", WAYS),)
    lost = lost_share(head, f"{name}-{side}")
    if lost == 1.0:
        raise ValueError(
            f"{name}-{side} must have cortex left; got {head.name!r}, in which a lesion takes the whole region. Give a "
            "position instead: Target(position=...)."
        )
    if "region" in ways and (found := _own(head, f"{name}-{side}")) is not None:
        return found if not lost else replace(found, source=f"{found.source}, of which a lesion takes {lost:.0%}")
    reason = ""
    if ways != ("region",):
        try:
            known = map_of(head) if mni is None else mni
        except ValueError as error:
            reason = f" Nor can it be found by MNI coordinates: {error}"
        else:
            for way in ways:
                found = _FINDERS[way](head, name, side, known) if way in _FINDERS else None
                if found is not None:
                    return found
    names = list_regions(head.regions)
    raise ValueError(
        f"head must have the region '{name}-{side}'{'' if by in (None, 'region') else f', or what by={by!r} needs'}; "
        f"got {head.name!r} with regions: {names}.{reason} Give a position instead: Target(position=...)."
    )


def labelled_region(
    regions: Mapping[str, IndexArray], mni_vertices: npt.ArrayLike, name: str, side: str
) -> tuple[IndexArray, tuple[str, ...]]:
    """Return a region of a labelled cortex, and the labels that were used.

    Parameters
    ----------
    regions : mapping of str to ndarray of int
        Labels of a head's cortex, called ``ATLAS:LABEL-SIDE``.
    mni_vertices : array_like, shape (n_vertices, 3)
        The cortex' vertices in MNI152 space (mm).
    name : str
        One of `REGIONS`.
    side : {"left", "right"}
        Side of the brain.

    Returns
    -------
    vertices : ndarray of int, shape (n,)
        Sorted; none if the labels are missing or lie elsewhere.
    labels : tuple of str
        For example ``("desikan:precentral",)``.

    Notes
    -----
    Where a gyrus holds M1 and S1 (the paracentral lobule) and no areas are known to cut it, what is nearer to the point
    of the region across does not count.
    """
    rule = REGIONS[arrays.choice(name, "name", sorted(REGIONS))]
    vertices = arrays.vectors(mni_vertices, "mni_vertices")
    gyri = tuple(f"desikan:{gyrus}" for gyrus in rule.gyri)
    inside = label_vertices(regions, gyri, side)
    areas: IndexArray = np.zeros(0, dtype=np.int64)
    area_names: tuple[str, ...] = ()
    for labels in _AREAS[rule.areas]:
        areas, area_names = label_vertices(regions, labels, side), labels
        if len(areas):
            break
    if not len(inside):
        inside, used = areas, area_names
    elif not rule.cut:
        used = gyri
    elif len(areas):
        inside, used = np.intersect1d(inside, areas), gyri + area_names
    else:
        used = gyri
        ahead, behind = (
            np.linalg.norm(vertices[inside] - _point(which, side), axis=1) for which in (name, rule.opposite)
        )
        inside = inside[ahead <= behind]
    near = np.linalg.norm(vertices[inside] - _point(name, side), axis=1) <= BALL
    return inside[near], tuple(label for label in used if f"{label}-{side}" in regions)


def lost_share(head: HeadModel, key: str) -> float:
    """Return the share of a region's cortex that lesions took, as the head's provenance tells; 0 if it tells none.

    Of several lesions that of the greatest share.
    """
    try:
        lesions = json.loads(head.provenance.get("lesions", "{}"))
        return max((float(lesion["regions lost"].get(key, 0.0)) for lesion in lesions.values()), default=0.0)
    except (ValueError, TypeError, KeyError, AttributeError):
        return 0.0


def _own(head: HeadModel, key: str) -> Place | None:
    """Return the head's own region or position."""
    aim = head.targets.get(key)
    brought = "" if aim is None else ", aimed at the position that the head brings along"
    if key in head.regions:
        return Place(
            key=key, way="region", source=f"region {key} of {head.name}{brought}", regions=head.regions, position=aim
        )
    if aim is not None:
        return Place(key=key, way="region", source=f"position {key} that {head.name} brings along", position=aim)
    return None


def _by_labels(head: HeadModel, name: str, side: str, mni: MniMap) -> Place | None:
    vertices = mni.to_mni(head.cortex.vertices)
    own, labels = labelled_region(head.regions, vertices, name, side)
    if not len(own):
        return None
    regions = {f"{name}-{side}": own}
    opposite = REGIONS[name].opposite
    other, _ = labelled_region(head.regions, vertices, opposite, side)
    if len(other):
        regions[f"{opposite}-{side}"] = other
    where = f"within {BALL:g} mm of MNI {text_of(_point(name, side))} ({mni.source})"
    source = f"labels {', '.join(labels)} of {head.name} {where}"
    return Place(key=f"{name}-{side}", way="labels", source=source, regions=regions)


def _by_transfer(head: HeadModel, name: str, side: str, mni: MniMap) -> Place | None:
    template = _template()
    if head.cortex.checksum == template.cortex.checksum:
        return None
    keys = [f"{which}-{side}" for which in (name, REGIONS[name].opposite)]
    regions = transfer_regions(
        template,
        head,
        source_map=map_of(template),
        head_map=mni,
        names=[k for k in keys if k in template.regions],
    )
    if keys[0] not in regions:
        return None
    source = f"region {keys[0]} of {template.name} carried over ({mni.source}); {_expect('transfer', name)}"
    return Place(
        key=keys[0], way="transfer", source=source, regions=regions, expected_error=_expected("transfer", name)[0]
    )


def _by_mni(head: HeadModel, name: str, side: str, mni: MniMap) -> Place:
    key, point = f"{name}-{side}", _point(name, side)
    position, source = cortex_at_mni(head, point, mni=mni)
    if head.provenance.get("lesions", "{}") != "{}" and "left where it is" in source:
        raise ValueError(
            f"{key} must lie near cortex; got {head.name!r}, which has a lesion there: {source}. Give a position "
            "instead: Target(position=...)."
        )
    cortex, vertices = head.cortex, mni.to_mni(head.cortex.vertices)
    facing = cortex.normals[closest_points(cortex, position[None])[1][0]]
    near = (np.linalg.norm(vertices - point, axis=1) <= BALL) & (cortex.vertex_normals @ facing > 0.0)
    bank = np.flatnonzero(near & (sides_of(cortex, vertices[:, 0]) == (side == "right")))
    if len(bank):
        source += f", and what faces the same way within {BALL:g} mm"
    return Place(
        key=key,
        way="mni",
        source=f"{source}; {_expect('mni', name)}",
        regions={key: bank} if len(bank) else {},
        position=None if len(bank) else position,
        expected_error=_expected("mni", name)[0],
    )


_FINDERS = {"labels": _by_labels, "transfer": _by_transfer, "mni": _by_mni}


@lru_cache(maxsize=1)
def _template() -> HeadModel:
    from meshes.heads import load_head

    return load_head(_TEMPLATE)


def _point(name: str, side: str) -> FloatArray:
    """Return a region's centre in MNI152 space (mm)."""
    sign = -1.0 if side == "right" else 1.0
    return np.array(REGIONS[name].point) * [sign, 1.0, 1.0]


def _parts(name: str) -> str:
    return "mouths" if name.endswith("mouth") else "hands and legs"


def _expected(way: str, name: str) -> tuple[float, float]:
    return EXPECTED[way, _parts(name)]


def _expect(way: str, name: str) -> str:
    middle, most = _expected(way, name)
    return (
        f"on the one head where this could be checked, {_parts(name)} were {middle:.0f} mm (median) and up to "
        f"{most:.0f} mm from the painted target"
    )
