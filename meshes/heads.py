"""Load the heads that ship with the package."""

import hashlib
import io
from dataclasses import replace
from importlib import resources

import numpy as np

from meshes import arrays
from meshes.anatomy.labels import regions_of_codes
from meshes.files.imported import load_imported, made_folder
from meshes.head import HeadModel, Interface
from meshes.registry import HEADS, HeadFile
from meshes.surface import Surface
from meshes.tissues import TISSUES, ConductivitiesLike, conductivity_provenance, conductivity_table

__all__ = ["CONDUCTIVITIES", "head_resolutions", "list_heads", "load_head"]

# S/m, isotropic: the tissues of the shipped heads; sources in meshes.tissues.
CONDUCTIVITIES = {name: TISSUES[name].conductivity for name in ("scalp", "skull", "csf", "grey", "white")}

# Surface: the tissue just inside and the one just outside; "air" is the only one that does not conduct.
_TISSUES = {
    "scalp": ("scalp", "air"),
    "outer_skull": ("skull", "scalp"),
    "inner_skull": ("csf", "skull"),
    "cerebellum": ("grey", "csf"),
    "pial_lh": ("grey", "csf"),
    "white_lh": ("white", "grey"),
    "pial_rh": ("grey", "csf"),
    "white_rh": ("white", "grey"),
    "ventricle_lh": ("csf", "white"),
    "ventricle_rh": ("csf", "white"),
}


FINE = "fine"
"""The resolution of the default head that is made on request."""


def list_heads() -> tuple[str, ...]:
    """Return the names of the heads that ship with the package, the default one first.

    Examples
    --------
    >>> list_heads()
    ('pycortex', 'fsaverage')
    """
    return tuple(dict.fromkeys(head.name for head in HEADS))


def head_resolutions(name: str) -> tuple[str, ...]:
    """Return the resolutions of a head, its default one first; raise `ValueError` for an unknown name.

    Examples
    --------
    >>> head_resolutions("pycortex")
    ('fast', 'standard')
    """
    arrays.choice(name, "name", list_heads())
    return tuple(head.resolution for head in HEADS if head.name == name)


def load_head(
    name: str = "pycortex",
    *,
    resolution: str | None = None,
    conductivities: ConductivitiesLike | None = None,
) -> HeadModel:
    """Load a head that ships with the package, or one that was imported.

    Parameters
    ----------
    name : str, optional
        One of `list_heads`, or of `meshes.imported_heads`.
    resolution : str, optional
        One of ``head_resolutions(name)``; by default the first: "fast" for pycortex (59,000 triangles), "standard"
        for fsaverage (131,000). "fine" of pycortex is made on request: by splitting all triangles of "standard" in
        four and rounding them (702,000; 17 seconds), or what `meshes.recipes.pycortex` has put into the user's cache.
    conductivities : str, mapping of str to float, or ConductivityTable, optional
        Conductivities (S/m) to use instead of `CONDUCTIVITIES`: a table by name (`meshes.CONDUCTIVITY_TABLES`), or by
        tissue: "scalp", "skull", "csf", "grey", "white". ``head.provenance["conductivities"]`` says what was used.

    Returns
    -------
    HeadModel
        Scalp, outer skull, inner skull, cerebellum, and for each hemisphere pial and white surface (mm, RAS), with
        the cortex halfway through the grey matter (left hemisphere first) and the regions m1-hand-left and so on; on
        fsaverage also the labels of Desikan-Killiany and HCP-MMP, such as ``desikan:precentral-left``.

    Raises
    ------
    ValueError
        If the name, the resolution or a tissue is unknown, a conductivity is not positive, or the file is damaged.

    Examples
    --------
    >>> head = load_head("pycortex")
    >>> head.name, head.resolution, len(head.interfaces)
    ('pycortex', 'fast', 10)
    """
    if name not in list_heads():
        return load_imported(name, resolution=resolution, conductivities=conductivities)
    resolutions = head_resolutions(name)
    if name == "pycortex" and resolution == FINE:
        return _made_fine(conductivities)
    wanted = resolutions[0] if resolution is None else arrays.choice(resolution, "resolution", resolutions)
    entry = next(head for head in HEADS if (head.name, head.resolution) == (name, wanted))
    return _read((resources.files("meshes") / "data" / entry.file).read_bytes(), entry, conductivities)


def _made_fine(conductivities: ConductivitiesLike | None) -> HeadModel:
    """Return the default head's fine resolution, which does not ship: from the recipe's file, or by splitting."""
    standard = next(head for head in HEADS if (head.name, head.resolution) == ("pycortex", "standard"))
    file = made_folder() / f"pycortex_{FINE}.npz"
    if not file.is_file():
        from meshes.refine import split_head  # here, because it loads what most uses do not need

        head = load_head("pycortex", resolution="standard", conductivities=conductivities)
        finer, _ = split_head(head, curved=True)
        source = f"{standard.source} All triangles split in four and rounded (meshes.refine.split_head)."
        return replace(finer, resolution=FINE, provenance={**head.provenance, "source": source})
    content = file.read_bytes()
    # Made here, so that nobody knows its checksum beforehand; the result's provenance records it.
    entry = replace(
        standard,
        resolution=FINE,
        file=file.name,
        sha256=hashlib.sha256(content).hexdigest(),
        source="Subject S1 of pycortex 1.2.12; made on request by meshes.recipes.pycortex.",
    )
    return _read(content, entry, conductivities)


def _read(content: bytes, entry: HeadFile, conductivities: ConductivitiesLike | None) -> HeadModel:
    checksum = hashlib.sha256(content).hexdigest()
    if checksum != entry.sha256:
        raise ValueError(
            f"{entry.file} must have the SHA-256 {entry.sha256}; got {checksum}. "
            "The file is damaged or was changed: install the package again."
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        data = {key: file[key] for key in file.files}
    sigmas = conductivity_table(CONDUCTIVITIES, conductivities)
    interfaces = [
        Interface(Surface(data[f"{name}_v"], data[f"{name}_f"], str(name)), *(sigmas[side] for side in _TISSUES[name]))
        for name in map(str, data["names"])
    ]

    def named(prefix: str) -> dict[str, np.ndarray]:
        return {key.removeprefix(prefix): data[key] for key in data if key.startswith(prefix)}

    cortex = Surface(data["cortex_v"], data["cortex_f"], "cortex")
    regions = named("region_")
    for atlas in ("desikan", "mmp"):
        if f"labels_{atlas}" in data:
            regions |= regions_of_codes(cortex, data[f"labels_{atlas}"], data[f"labels_{atlas}_names"], atlas)
    return HeadModel(
        name=entry.name,
        interfaces=tuple(interfaces),
        cortex=cortex,
        regions=regions,
        fiducials=named("fiducial_") | {key: np.array(point) for key, point in entry.fiducials.items()},
        targets={key: np.array(point) for key, point in entry.targets.items()},
        resolution=entry.resolution,
        provenance={"source": entry.source, "licence": entry.licence, "file": entry.file, "sha256": entry.sha256}
        | conductivity_provenance(CONDUCTIVITIES, conductivities),
    )
