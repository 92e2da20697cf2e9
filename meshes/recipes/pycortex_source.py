"""Read subject S1 from the source distribution of pycortex: T1, pial and white surfaces, painted regions."""

import gzip
import re
import tarfile
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.gifti.gifti import GiftiImage

from meshes.arrays import FloatArray
from meshes.surface import Surface

__all__ = ["SIDES", "Subject", "points_within", "read_subject"]

SIDES = ("lh", "rh")
FOLDER = "filestore/db/S1"
T1 = "anatomicals/raw.nii.gz"

_SVG = "{http://www.w3.org/2000/svg}"
_LABEL = "{http://www.inkscape.org/namespaces/inkscape}label"
_STEP = re.compile(r"[A-Za-z]|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Subject:
    """What the recipe takes from the source distribution.

    Parameters
    ----------
    t1 : ndarray, shape (nx, ny, nz)
        Intensities.
    affine : ndarray, shape (4, 4)
        From voxels to mm: scanner RAS, the frame of all surfaces.
    pial, white : dict of str to Surface
        By hemisphere, "lh" and "rh"; FreeSurfer's, full resolution, with the same triangles.
    flat : dict of str to Surface
        The cut and flattened cortex: the same vertices, fewer triangles.
    overlays : bytes
        The SVG drawing over the two flat maps side by side in which regions are painted.
    """

    t1: FloatArray
    affine: FloatArray
    pial: dict[str, Surface]
    white: dict[str, Surface]
    flat: dict[str, Surface]
    overlays: bytes

    @cached_property
    def positions(self) -> FloatArray:
        """Vertices of both flat maps, left first, in the drawing's units from its upper left corner, shape (n, 2)."""
        left, right = (self.flat[side].vertices[:, :2].copy() for side in SIDES)
        left[:, 0] -= left[:, 0].max()
        right[:, 0] -= right[:, 0].min()
        both = np.concatenate([left, right])
        root = ElementTree.fromstring(self.overlays)
        width, height = float(root.attrib["width"]), float(root.attrib["height"])
        share = (both - both.min(axis=0)) / np.ptp(both, axis=0)
        return np.column_stack([width * share[:, 0], height * (1.0 - share[:, 1])])

    def region(self, code: str) -> dict[str, IntArray]:
        """Return the vertices of a painted region (for example "M1H") by hemisphere.

        Vertices that the flat map left out along its cuts belong to the region if a neighbour does.
        """
        inside = points_within(self.positions, self._paths(code))
        count = len(self.flat["lh"].vertices)
        result = {}
        for side, part in zip(SIDES, (inside[:count], inside[count:]), strict=True):
            kept = np.zeros(len(part), dtype=np.bool_)
            kept[self.flat[side].triangles] = True
            own = part & kept
            touched = own[self.pial[side].triangles].any(axis=1)
            near = np.zeros(len(part), dtype=np.bool_)
            near[self.pial[side].triangles[touched]] = True
            result[side] = np.flatnonzero(own | (near & ~kept))
        return result

    def _paths(self, code: str) -> list[str]:
        root = ElementTree.fromstring(self.overlays)
        for group in root.iterfind(f"./{_SVG}g[@{_LABEL}='rois']/{_SVG}g/{_SVG}g"):
            if group.get(_LABEL) == code:
                return [path.attrib["d"] for path in group.iterfind(f"{_SVG}path")]
        raise ValueError(f"region must be painted in the overlays; got {code!r}, which is not.")


def points_within(points: FloatArray, paths: list[str]) -> npt.NDArray[np.bool_]:
    """Return which points lie within any of some closed SVG paths.

    Parameters
    ----------
    points : ndarray, shape (n, 2)
        x to the right and y down, as in SVG.
    paths : list of str
        Path data (W3C, Scalable Vector Graphics 1.1, 8.3) of the commands m, l, h, v, c and z, absolute and relative.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    from matplotlib.path import Path as Outline

    inside = np.zeros(len(points), dtype=np.bool_)
    for data in paths:
        vertices, codes = _outline(data)
        inside |= Outline(vertices, codes, closed=False).contains_points(points)
    return inside


def _outline(data: str) -> tuple[FloatArray, list[int]]:
    """Return the vertices and matplotlib's codes of SVG path data."""
    move, line, curve, close = 1, 2, 4, 79
    takes = {"m": 2, "l": 2, "h": 1, "v": 1, "c": 6}
    tokens = _STEP.findall(data)
    vertices: list[FloatArray] = []
    codes: list[int] = []
    pen, start, command, at = np.zeros(2), np.zeros(2), "m", 0
    while at < len(tokens):
        if tokens[at].isalpha():
            command, at = tokens[at], at + 1
            if command.lower() == "z":
                vertices.append(start.copy())
                codes.append(close)
                pen = start.copy()
                continue
            if command.lower() not in takes:
                raise ValueError(f"path must be of the commands m, l, h, v, c, z; got {command!r}.")
        name, base = command.lower(), pen if command.islower() else np.zeros(2)
        values = np.array([float(token) for token in tokens[at : at + takes[name]]])
        at += takes[name]
        if name in "hv":
            axis = "hv".index(name)
            points = pen[None].copy()
            points[0, axis] = base[axis] + values[0]
        else:
            points = base + values.reshape(-1, 2)
        vertices.extend(points)
        codes.extend({"m": [move], "c": [curve] * 3}.get(name, [line]))
        pen = points[-1].copy()
        if name == "m":
            start = pen.copy()
            command = "l" if command == "m" else "L"  # further pairs after a move are lines
    return np.array(vertices), codes


def read_subject(sdist: Path) -> Subject:
    """Read subject S1 from pycortex-1.2.12.tar.gz (``pip download --no-deps --no-binary pycortex pycortex==1.2.12``).

    Parameters
    ----------
    sdist : Path
        The archive.

    Returns
    -------
    Subject

    Raises
    ------
    ValueError
        If a file is missing in the archive.
    """
    wanted = [T1, "overlays.svg"]
    wanted += [f"surfaces/{kind}_{side}.gii" for kind in ("pia", "wm", "flat") for side in SIDES]
    content: dict[str, bytes] = {}
    with tarfile.open(sdist) as archive:
        for member in archive:
            name = member.name.partition(f"/{FOLDER}/")[2]
            file = archive.extractfile(member) if name in wanted else None
            if file is not None:
                content[name] = file.read()
    for name in wanted:
        if name not in content:
            raise ValueError(f"{sdist.name} must hold {FOLDER}/{name}; got an archive without it.")
    image = nib.Nifti1Image.from_bytes(gzip.decompress(content[T1]))
    surfaces = {
        kind: {side: _surface(content[f"surfaces/{kind}_{side}.gii"], f"{kind}_{side}") for side in SIDES}
        for kind in ("pia", "wm", "flat")
    }
    return Subject(
        np.asarray(image.dataobj, dtype=np.float64),
        np.asarray(image.affine, dtype=np.float64),
        surfaces["pia"],
        surfaces["wm"],
        surfaces["flat"],
        content["overlays.svg"],
    )


def _surface(content: bytes, name: str) -> Surface:
    image: Any = GiftiImage.from_bytes(content)
    points = image.agg_data("NIFTI_INTENT_POINTSET")
    return Surface(points, image.agg_data("NIFTI_INTENT_TRIANGLE"), name)
