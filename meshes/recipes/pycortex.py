"""Make the default head from the source distribution of pycortex and samseg's labels.

Run as ``python -m meshes.recipes.pycortex --sdist pycortex-1.2.12.tar.gz --labels LABELS --resolution standard --out
OUT.npz`` with the extra "recipes" installed. Getting the two inputs::

    pip download --no-deps --no-binary pycortex pycortex==1.2.12
    pip install samseg==0.4a0                        # in an environment of its own
    python -m meshes.recipes.pycortex --sdist pycortex-1.2.12.tar.gz --samseg FOLDER --resolution standard --out OUT.npz

``--samseg FOLDER`` writes the T1 to FOLDER and runs ``run_samseg`` there (12 minutes on two cores, no download), unless
FOLDER holds its labels, `seg.mgz`, already. Then, deterministically (10 to 40 minutes, by resolution):

1. FreeSurfer's pial and white surfaces are decimated without crossings (quadrics, by libigl).
2. Thin triangles are mended: short edges collapsed, long ones flipped (`meshes.recipes.untangle`).
3. Scalp, outer and inner skull, cerebellum with brain stem, and the lateral ventricles are contours of smooth fields
   (`meshes.recipes.pycortex_layers`), meshed evenly.
4. Surfaces are pushed apart until they keep the clearances below, and 2 is repeated.
5. The regions painted on the flattened cortex go to the nearest vertices of the middle of the grey matter.
6. The full check of `meshes.checks`; distances, volumes and shapes of triangles are printed.
"""

import argparse
import hashlib
import logging
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

from meshes.arrays import FloatArray
from meshes.checks import check_crossings, check_surface, crossing_pairs
from meshes.measures import aspects
from meshes.midsurface import neighbour_mean
from meshes.recipes.clearances import Clearance, keep_clear, relax_crossings, signed_depth
from meshes.recipes.fast_head import decimate
from meshes.recipes.layers import contour, remeshed
from meshes.recipes.pack_head import PAINTED, Regions, cortex_of
from meshes.recipes.pack_head import SIDES as SIDE_NAMES
from meshes.recipes.pycortex_layers import head_fields, ventricle_field, volumes
from meshes.recipes.pycortex_source import SIDES, Subject, read_subject
from meshes.recipes.triangle_shape import round_thin
from meshes.recipes.untangle import mend_shapes
from meshes.surface import Surface

ORDER = ("scalp", "outer_skull", "inner_skull", "cerebellum",
         "pial_lh", "white_lh", "ventricle_lh", "pial_rh", "white_rh", "ventricle_rh")  # fmt: skip

# Triangles of scalp, outer skull, inner skull, cerebellum, and of each pial surface, white surface, ventricle.
COUNTS = {
    "fast": (6600, 4800, 5600, 1800, 10000, 10000, 500),
    "standard": (18000, 13000, 17000, 5000, 31000, 31000, 1200),
    "fine": (34000, 24000, 34000, 9000, 78000, 72000, 3000),
}
# In this order each surface gives way to those settled before (mm).
DEMANDS = (
    Clearance("pial_lh", "pial_rh", inside=False, distance=0.5),
    Clearance("pial_rh", "pial_lh", inside=False, distance=0.5),
    Clearance("white_lh", "pial_lh", inside=True, distance=0.6),
    Clearance("white_rh", "pial_rh", inside=True, distance=0.6),
    Clearance("ventricle_lh", "white_lh", inside=True, distance=0.6),
    Clearance("ventricle_rh", "white_rh", inside=True, distance=0.6),
    Clearance("cerebellum", "pial_lh", inside=False, distance=0.6),
    Clearance("cerebellum", "pial_rh", inside=False, distance=0.6),
    Clearance("inner_skull", "pial_lh", inside=False, distance=1.05, around=True),
    Clearance("inner_skull", "pial_rh", inside=False, distance=1.05, around=True),
    Clearance("inner_skull", "cerebellum", inside=False, distance=1.05, around=True),
    Clearance("outer_skull", "inner_skull", inside=False, distance=2.3, around=True),
    Clearance("scalp", "outer_skull", inside=False, distance=2.3, around=True),
)
# Aspects (longest edge over shortest height) aimed at; 10 is what is asked for of 99.9 % of all triangles.
ASPECT, REMAINING = 6.0, 9.0

Content = dict[str, npt.NDArray[np.generic]]

log = logging.getLogger(__name__)


def brain(subject: Subject, resolution: str) -> dict[str, Surface]:
    """Return pial and white surfaces with the triangles of a resolution, not crossing themselves."""
    surfaces = {}
    for kind, sides, count in (("pial", subject.pial, 4), ("white", subject.white, 5)):
        for side in SIDES:
            name = f"{kind}_{side}"
            log.info("%s: decimate", name)
            few = decimate(sides[side], COUNTS[resolution][count])
            few = relax_crossings(mend_shapes(few, limit=ASPECT))
            surfaces[name] = Surface(few.vertices, few.triangles, name)
    return surfaces


def contours(subject: Subject, labels: npt.NDArray[np.int32]) -> dict[str, Surface]:
    """Return scalp, skull, cerebellum and ventricles as contours of several hundred thousand triangles."""
    data = volumes(subject.t1, subject.affine, labels)
    fields = head_fields(data, subject.pial)
    for side in SIDES:
        log.info("ventricle_%s", side)
        fields[f"ventricle_{side}"] = ventricle_field(data, subject.white[side], side)
    return {name: contour(field, data.grid, name) for name, field in fields.items()}


def meshed(fine: dict[str, Surface], resolution: str) -> dict[str, Surface]:
    """Return the contours with the triangles of a resolution."""
    counts = dict(zip(("scalp", "outer_skull", "inner_skull", "cerebellum"), COUNTS[resolution], strict=False))
    counts |= {f"ventricle_{side}": COUNTS[resolution][6] for side in SIDES}
    return {name: remeshed(fine[name], count) for name, count in counts.items()}


def settled(surfaces: dict[str, Surface], *, rounds: int = 20) -> dict[str, Surface]:
    """Push surfaces apart and mend their triangles until neither is needed any more.

    Raises
    ------
    RuntimeError
        If a demand is still not met after so many rounds.
    """
    current = {name: Surface(s.vertices.astype(np.float32), s.triangles, name) for name, s in surfaces.items()}
    done: dict[tuple[str, str], tuple[str, str]] = {}
    for attempt in range(rounds):
        missed = 0.0
        for demand in DEMANDS:
            key, state = (demand.moved, demand.fixed), (current[demand.moved], current[demand.fixed])
            if done.get(key) == tuple(surface.checksum for surface in state):
                continue  # it held when last looked at, and neither has changed
            # The hemispheres share the way; later rounds push a little farther, past what mending takes back.
            share = 0.5 if demand.moved[:4] == demand.fixed[:4] == "pial" else 1.0 + 0.05 * attempt
            after, lacking = keep_clear(*state, demand, share=share)
            missed = max(missed, lacking)
            if not np.array_equal(after.vertices, state[0].vertices):
                after = _rounded(round_thin(relax_crossings(_rounded(after)), limit=REMAINING))
                current[demand.moved] = after
                missed = max(missed, 1e-6)
            else:
                done[key] = (state[0].checksum, state[1].checksum)
            log.info("round %d: %s from %s lacks %.3f mm", attempt, *key, lacking)
        if missed == 0.0:
            parted = _parted(current)
            if parted is current:
                return current
            current = parted
        current = {name: _mended(surface) for name, surface in current.items()}
    raise RuntimeError(f"the surfaces did not come to rest in {rounds} rounds; the last lack was {missed:.3f} mm.")


def _parted(surfaces: dict[str, Surface]) -> dict[str, Surface]:
    """Smooth surfaces where they cross between the points that `keep_clear` looks at; the argument if nowhere."""
    listed = list(surfaces.values())
    bounds = np.cumsum([0] + [len(surface.triangles) for surface in listed])
    crossing = np.unique(np.concatenate(crossing_pairs(listed)))
    log.info("%d triangles cross", len(crossing))
    if not len(crossing):
        return surfaces
    result = dict(surfaces)
    for k, surface in enumerate(listed):
        own = crossing[(crossing >= bounds[k]) & (crossing < bounds[k + 1])] - bounds[k]
        touched = np.unique(surface.triangles[own])
        if len(touched):
            vertices = surface.vertices.copy()
            vertices[touched] = 0.5 * vertices[touched] + 0.5 * (neighbour_mean(surface)[touched] @ vertices)
            result[surface.name] = _rounded(Surface(vertices, surface.triangles, surface.name))
    return result


def _mended(surface: Surface) -> Surface:
    """Return the surface with its thin triangles mended, itself if it has none."""
    if aspects(surface).max() <= REMAINING:
        return surface
    return _rounded(mend_shapes(surface, limit=REMAINING))


def _rounded(surface: Surface) -> Surface:
    """Return the surface as a file of float32 holds it, so that what is checked is what is read back."""
    return Surface(surface.vertices.astype(np.float32), surface.triangles, surface.name)


def painted(subject: Subject, cortex: Surface, count: int) -> Regions:
    """Return the painted regions on the cortex, whose first `count` vertices are of the left hemisphere.

    A vertex belongs to a region if the nearest vertex of the full surface's middle of the grey matter does.
    """
    regions: Regions = {}
    parts = {"lh": slice(0, count), "rh": slice(count, None)}
    nearest = {
        side: KDTree(0.5 * (subject.pial[side].vertices + subject.white[side].vertices)).query(cortex.vertices[part])[1]
        for side, part in parts.items()
    }
    for name, code in PAINTED.items():
        for side, own in subject.region(code).items():
            regions[f"{name}-{SIDE_NAMES[side]}"] = np.flatnonzero(np.isin(nearest[side], own)) + (
                0 if side == "lh" else count
            )
    return regions


def gaps(surfaces: dict[str, Surface]) -> list[str]:
    """Return one line per demand: distance from vertices and centroids of either surface to the other (mm)."""
    lines = []
    for demand in DEMANDS:
        one, other = surfaces[demand.moved], surfaces[demand.fixed]
        distance = np.concatenate([_distance(one, other), _distance(other, one)])
        low = np.percentile(distance, [0, 1, 50])
        lines.append(f"{demand.moved} - {demand.fixed}: least {low[0]:.2f}, 1 % {low[1]:.2f}, median {low[2]:.2f} mm")
    return lines


def _distance(of: Surface, to: Surface) -> FloatArray:
    points = np.concatenate([of.vertices, of.centroids])
    nearest = signed_depth(points, to, 0.0)[1]
    distance: FloatArray = np.linalg.norm(points - nearest, axis=1)
    return distance


def shapes(surfaces: dict[str, Surface]) -> list[str]:
    """Return one line per surface and one for all: triangles, volume, edge, aspects."""
    lines = []
    every = {name: aspects(surface) for name, surface in surfaces.items()}
    for name, surface in surfaces.items():
        lines.append(
            f"{name:13s} {len(surface.triangles):6d} triangles, {surface.volume / 1e3:7.1f} cm3, mean edge "
            f"{surface.mean_edge:.2f} mm, aspect 99.9 % {np.percentile(every[name], 99.9):.1f}, "
            f"largest {every[name].max():.1f}"
        )
    both = np.concatenate(list(every.values()))
    lines.append(f"all {len(both)} triangles: {100.0 * np.mean(both < 10.0):.3f} % have an aspect below 10")
    return lines


def packed(surfaces: dict[str, Surface], cortex: Surface, regions: Regions) -> Content:
    """Return the content of a head file (see `meshes.heads`)."""
    content: Content = {"names": np.array(list(surfaces))}
    for surface in [*surfaces.values(), cortex]:
        content[f"{surface.name}_v"] = surface.vertices.astype(np.float32)
        content[f"{surface.name}_f"] = surface.triangles
    return content | {f"region_{name}": indices.astype(np.int32) for name, indices in regions.items()}


def samseg_labels(subject: Subject, folder: Path) -> Path:
    """Run samseg on the T1 in a folder, unless it was run there before, and return the file of labels."""
    from nibabel.nifti1 import Nifti1Image

    labels = folder / "seg.mgz"
    if not labels.exists():
        program = shutil.which("run_samseg")
        if program is None:
            raise FileNotFoundError("run_samseg must be on the PATH; got none. Install it: pip install samseg==0.4a0.")
        folder.mkdir(parents=True, exist_ok=True)
        t1 = folder / "t1.nii.gz"
        nifti: Any = Nifti1Image  # without type information
        nifti(subject.t1.astype(np.uint8), subject.affine).to_filename(t1)
        subprocess.run([program, "-o", str(folder), "-i", str(t1), "--threads", "2"], check=True)
    return labels


def read_labels(path: Path, subject: Subject) -> npt.NDArray[np.int32]:
    """Return the labels voxel for voxel with the T1; raise `ValueError` if they are on another grid."""
    import nibabel

    image: Any = nibabel.load(path)
    if image.shape != subject.t1.shape or not np.allclose(image.affine, subject.affine, rtol=0, atol=1e-3):
        raise ValueError(
            f"{path.name} must have the voxels of the T1, shape {subject.t1.shape}; got shape {image.shape} or "
            "another affine. Run samseg on the T1 of this subject."
        )
    return np.asarray(image.dataobj, dtype=np.int32)


def build(
    subject: Subject,
    labels: npt.NDArray[np.int32],
    resolution: str,
    *,
    report: Callable[[str], object] = log.info,
) -> Content:
    """Return the content of the head file."""
    parts = meshed(contours(subject, labels), resolution) | brain(subject, resolution)
    surfaces = settled({name: parts[name] for name in ORDER})
    for surface in surfaces.values():
        check_surface(surface)
    check_crossings(list(surfaces.values()))
    cortex = cortex_of(surfaces)
    regions = painted(subject, cortex, len(surfaces["pial_lh"].vertices))
    for line in [*shapes(surfaces), *gaps(surfaces)]:
        report(line)
    for name, indices in regions.items():
        report(f"{name}: {len(indices)} vertices")
    return packed(surfaces, cortex, regions)


def main(arguments: list[str] | None = None) -> None:
    """Read the inputs, write OUT, print what came out and the checksum."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sdist", type=Path, required=True, metavar="pycortex-1.2.12.tar.gz")
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("--labels", type=Path, metavar="FILE", help="samseg's labels of the T1 (seg.mgz or NIfTI)")
    given.add_argument("--samseg", type=Path, metavar="FOLDER", help="run samseg here if it has not been run yet")
    parser.add_argument("--resolution", choices=tuple(COUNTS), default="standard")
    parser.add_argument("--out", type=Path, required=True, metavar="OUT.npz")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    subject = read_subject(options.sdist)
    path = options.labels if options.labels is not None else samseg_labels(subject, options.samseg)
    content = build(
        subject, read_labels(path, subject), options.resolution, report=lambda line: sys.stdout.write(line + "\n")
    )
    np.savez_compressed(options.out, allow_pickle=False, **content)
    sys.stdout.write(f"sha256 {hashlib.sha256(options.out.read_bytes()).hexdigest()}\n")


if __name__ == "__main__":
    main()
