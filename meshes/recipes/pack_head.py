"""Add the cortex, named regions and fiducials to a head's surfaces, and write the file that ships.

Run as ``python -m meshes.recipes.pack_head SOURCE.npz OUT.npz [--surfaces FAST.npz]``. SOURCE is a standard head
with its anatomy (painted regions ``roi_*``, or atlas labels ``dk_*`` and ``mmp_*``). With --surfaces, the surfaces
come from that file (see `meshes.recipes.fast_head`) and the regions are carried over to the nearest cortex vertices.
"""

import argparse
import hashlib
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

from meshes.arrays import FloatArray
from meshes.checks import check_crossings, check_surface
from meshes.midsurface import mid_surface
from meshes.recipes.fast_head import read_surfaces
from meshes.surface import Surface

Anatomy = dict[str, npt.NDArray[np.generic]]
Regions = dict[str, npt.NDArray[np.int64]]

PAINTED = {"m1-hand": "M1H", "m1-leg": "M1F", "m1-mouth": "M1M", "s1-hand": "S1H", "s1-leg": "S1F", "s1-mouth": "S1M"}
SIDES = {"lh": "left", "rh": "right"}

# Centre (left side, MNI152, mm), Desikan-Killiany labels, HCP-MMP areas (none: no cut).
# M1 hand: the SimNIBS example target, usually ascribed to Mayka et al. 2006. Leg, S1 hand and mouth: recalled, not
# confirmed against a paper; the mouth points were chosen where the face area lies below the hand's.
ATLAS = {
    "m1-hand": ((-37.0, -21.0, 58.0), ("precentral",), ()),
    "m1-leg": ((-6.0, -26.0, 66.0), ("paracentral", "precentral"), ("4",)),
    "m1-mouth": ((-54.0, -6.0, 34.0), ("precentral",), ("4",)),
    "s1-hand": ((-44.0, -28.0, 56.0), ("postcentral",), ()),
    "s1-leg": ((-8.0, -38.0, 68.0), ("postcentral", "paracentral"), ("3b", "1", "2")),
    "s1-mouth": ((-58.0, -14.0, 34.0), ("postcentral",), ("3b", "1", "2")),
}
RADIUS = 12.0


def join(surfaces: list[Surface], name: str) -> Surface:
    """Return several surfaces as one, vertices and triangles one after the other."""
    offsets = np.cumsum([0] + [len(surface.vertices) for surface in surfaces[:-1]])
    triangles = [surface.triangles + offset for surface, offset in zip(surfaces, offsets, strict=True)]
    return Surface(np.concatenate([surface.vertices for surface in surfaces]), np.concatenate(triangles), name)


def cortex_of(surfaces: dict[str, Surface]) -> Surface:
    """Return the middle of the grey matter of both hemispheres, the left one first, rounded to float32."""
    halves = [mid_surface(surfaces[f"pial_{side}"], surfaces[f"white_{side}"]) for side in SIDES]
    whole = join(halves, "cortex")
    return Surface(whole.vertices.astype(np.float32), whole.triangles, "cortex")


def painted_regions(anatomy: Anatomy) -> Regions:
    """Return the regions painted on the pial surfaces; the cortex has the pial surfaces' vertices in order."""
    offsets = {"lh": 0, "rh": len(anatomy["pial_lh_v"])}
    return {
        f"{name}-{side}": anatomy[f"roi_{code}_{half}"].astype(np.int64) + offsets[half]
        for name, code in PAINTED.items()
        for half, side in SIDES.items()
    }


def atlas_regions(anatomy: Anatomy, cortex: Surface) -> Regions:
    """Return regions as the atlas labels near a point: the rule of `ATLAS`, within `RADIUS` mm in MNI152 space."""
    affine = np.asarray(anatomy["mni305_to_mni152"], dtype=np.float64)
    mni = cortex.vertices @ affine[:3, :3].T + affine[:3, 3]
    count = len(anatomy["dk_lh"])
    regions: Regions = {}
    for half, side in SIDES.items():
        part = slice(0, count) if half == "lh" else slice(count, 2 * count)
        labels = _named(anatomy[f"dk_{half}"], anatomy[f"dk_names_{half}"])
        areas = _named(anatomy[f"mmp_{half}"], anatomy["mmp_names"])
        for name, (centre, wanted, cut) in ATLAS.items():
            point = np.array(centre) * ((1.0, 1.0, 1.0) if half == "lh" else (-1.0, 1.0, 1.0))
            inside = np.linalg.norm(mni[part] - point, axis=1) <= RADIUS
            inside &= np.isin(labels, wanted)
            if cut:
                inside &= np.isin(areas, [f"{half[0].upper()}_{area}" for area in cut])
            regions[f"{name}-{side}"] = np.flatnonzero(inside) + part.start
    return regions


def _named(codes: npt.NDArray[np.generic], names: npt.NDArray[np.generic]) -> npt.NDArray[np.str_]:
    """Return the name of each code, from entries "CODE:NAME"; the codes need not be 0, 1, 2, ..."""
    table = dict(str(entry).split(":", 1) for entry in names)
    return np.array([table[str(code)] for code in codes])


def carried_over(regions: Regions, standard: Surface, cortex: Surface) -> Regions:
    """Return the regions on another cortex: the vertices whose nearest standard vertex belongs to the region.

    The two hemispheres are searched apart, since they nearly touch at the midline.
    """
    carried: Regions = {}
    for start, stop, own_start, own_stop in _halves(standard, cortex):
        _, nearest = KDTree(standard.vertices[start:stop]).query(cortex.vertices[own_start:own_stop])
        for name, indices in regions.items():
            mine = indices[(indices >= start) & (indices < stop)]
            if len(mine):
                carried[name] = np.flatnonzero(np.isin(nearest + start, mine)) + own_start
    return carried


def _halves(standard: Surface, cortex: Surface) -> list[tuple[int, int, int, int]]:
    """Return first and last vertex of each hemisphere in the two surfaces."""
    bounds = []
    for surface in (standard, cortex):
        # The right hemisphere begins where no triangle joins what is before and after.
        last = np.zeros(len(surface.vertices), dtype=np.int64)
        np.maximum.at(last, surface.triangles.min(axis=1), surface.triangles.max(axis=1))
        joined = np.maximum.accumulate(last)
        split = int(np.flatnonzero(joined[:-1] == np.arange(len(joined) - 1))[0]) + 1
        bounds.append((0, split, len(surface.vertices)))
    (a, b, c), (d, e, f) = bounds
    return [(a, b, d, e), (b, c, e, f)]


def centroid(surface: Surface, indices: npt.NDArray[np.int64]) -> FloatArray:
    """Return the mean of some vertices (mm), each weighted by the area around it."""
    middle: FloatArray = np.average(surface.vertices[indices], axis=0, weights=surface.vertex_areas[indices])
    return middle


def main(arguments: list[str] | None = None) -> None:
    """Read SOURCE, write OUT, print regions and checksum."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", type=Path, metavar="SOURCE.npz")
    parser.add_argument("out", type=Path, metavar="OUT.npz")
    parser.add_argument("--surfaces", type=Path, metavar="FAST.npz", default=None)
    options = parser.parse_args(arguments)
    with np.load(options.source, allow_pickle=False) as file:
        anatomy: Anatomy = {key: file[key] for key in file.files}
    standard = cortex_of(read_surfaces(options.source))
    regions = painted_regions(anatomy) if "roi_M1H_lh" in anatomy else atlas_regions(anatomy, standard)
    surfaces, cortex = read_surfaces(options.source), standard
    if options.surfaces is not None:
        surfaces = read_surfaces(options.surfaces)
        cortex = cortex_of(surfaces)
        painted, regions = regions, carried_over(regions, standard, cortex)
        for name, indices in regions.items():
            shift = np.linalg.norm(centroid(cortex, indices) - centroid(standard, painted[name]))
            sys.stdout.write(f"{name}: {len(indices)} vertices, centroid moved {shift:.2f} mm\n")
    for name, indices in regions.items():
        sys.stdout.write(f"{name}: {len(indices)} vertices around {centroid(cortex, indices).round(1).tolist()}\n")
    for surface in surfaces.values():
        check_surface(surface)
    check_crossings(list(surfaces.values()))
    content: Anatomy = {"names": np.array(list(surfaces))}
    for surface in [*surfaces.values(), cortex]:
        content[f"{surface.name}_v"] = surface.vertices.astype(np.float32)
        content[f"{surface.name}_f"] = surface.triangles
    content |= {f"region_{name}": indices.astype(np.int32) for name, indices in regions.items()}
    for index, name in enumerate(anatomy.get("fid_names", ())):
        content[f"fiducial_{str(name).lower()}"] = anatomy["fid"][index].astype(np.float32)
    np.savez_compressed(options.out, allow_pickle=False, **content)
    sys.stdout.write(f"sha256 {hashlib.sha256(options.out.read_bytes()).hexdigest()}\n")


if __name__ == "__main__":
    main()
