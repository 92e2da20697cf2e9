"""Read and write .nii.gz files: a coil as its vector potential on a grid."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from coils.assembly import Assembly, Casing, Element
from coils.coil import Coil
from coils.files import limits
from coils.files.ccd import check_handle
from coils.files.ccd_header import Header
from coils.files.nifti_image import MOST_BYTES, MOST_DESCRIPTION, Image, read_image, write_image
from coils.files.stl import casing_beside, read_stl, write_stl
from coils.grid import PotentialGrid
from coils.stimulators import Stimulator
from meshes import arrays
from meshes.arrays import FloatArray

__all__ = ["read_nifti", "write_nifti"]

# Box and spacing (mm) for coils that say nothing of their own: the box in the headers of the files of Drakaki et al.,
# Brain Stimul 2022;15:697-706.
_BOX = np.array([[-300.0, -200.0, -200.0], [300.0, 200.0, 200.0]])
_SPACING = 5.0

# Share of the spacing within which a node is on a dipole, where the potential is infinite.
_ON = 1e-3

# Pairs of node and source computed at once: few enough for the cache, and a few MB.
_PAIRS = 1 << 16


def read_nifti(path: str | os.PathLike[str], *, sidecars: bool = True) -> Coil:
    """Read a coil from a NIfTI file of its vector potential.

    Parameters
    ----------
    path : str or path
        File with an image of shape (nx, ny, nz, 3), or (nx, ny, nz, n_stimulators, 3), of float32 or float64: the
        vector potential for one ampere (T m per A), components along the coil's axes. Its sform or qform maps voxels to
        the coil's frame (mm).
    sidecars : bool, optional
        Whether to read the casing beside it, ``x.nii.stl`` or ``x.stl`` for ``x.nii.gz``.

    Returns
    -------
    Coil
        With a grid; with an assembly of one element per stimulator if there are several. Handle along -y.

    Raises
    ------
    ValueError
        If the header breaks these rules, promises more data than the file can hold or than 512 MB, or a number is not
        finite; all but the last before any data are read.
    OSError
        If the file is missing or cannot be read.
    """
    path = Path(path)
    image = read_image(path)
    values = image.values
    header = Header.parse(f"#;{image.description}", path.name)
    stimulators = _stimulators(header, values.shape[3], path.name)
    casing = casing_beside(path) if sidecars else None
    try:
        grids = [PotentialGrid(values[:, :, :, index], image.affine) for index in range(values.shape[3])]
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None
    name = header.name or path.name[: path.name.lower().index(".nii")] or path.name
    surface = read_stl(casing) if casing else None
    source = f"{path.name} (sha256 {image.checksum[:12]})" + (f", {casing.name}" if casing else "")
    if len(grids) == 1:
        return Coil(grid=grids[0], name=name, casing=surface, stimulator=stimulators[0], source=source)
    elements = tuple(Element(grid, f"grid {index + 1}", stimulator=index) for index, grid in enumerate(grids))
    known = tuple(stimulator or Stimulator("") for stimulator in stimulators)
    housing = Casing(surface) if surface else None
    return Assembly(name=name, elements=elements, stimulators=known, source=source, casing=housing).coil()


def _stimulators(header: Header, count: int, name: str) -> list[Stimulator | None]:
    """Return the stimulators that the description gives, None where it gives nothing."""
    rates = header.max_didt
    if rates and len(rates) != count:
        raise ValueError(f"dIdtmax in the header of {name} must be one per stimulator, {count}; got {len(rates)}.")
    if not (rates or header.stimulator or header.brand):
        return [None] * count
    return [
        Stimulator(header.stimulator or "", max_didt=rates[i] if rates else None, brand=header.brand or "")
        for i in range(count)
    ]


def write_nifti(
    coil: Coil,
    path: str | os.PathLike[str],
    *,
    spacing: float | npt.ArrayLike | None = None,
    extent: npt.ArrayLike | None = None,
) -> None:
    """Write a coil as its vector potential on a grid.

    Parameters
    ----------
    coil : Coil
        The coil, its handle along -y. A coil of several stimulators gives a 5-D image.
    path : str or path
        Where to, .nii.gz or .nii. The casing goes beside it, where SimNIBS looks: ``x.nii.stl`` for ``x.nii.gz``. What
        is there is replaced, once all is written.
    spacing : float or array_like, shape (3,), optional
        Distance of the nodes (mm); 5 by default.
    extent : array_like, shape (2, 3), optional
        Lowest and highest corner of the grid (mm, coil frame); x from -300 to 300, y and z from -200 to 200 by default.
        The highest is moved outward to a whole number of spacings.

    Raises
    ------
    ValueError
        If `spacing` or `extent` make no grid, or one of more than 22 million nodes, a node falls on a dipole or current
        element, or the format cannot hold the coil; nothing is written then.
    OSError
        If the folder is missing or cannot be written.

    Notes
    -----
    A coil that is a grid already is written as it stands, bit by bit, if neither `spacing` nor `extent` is given. The
    numbers are float64; the file is NIfTI-1, or NIfTI-2 where single precision would change the affine. The header's
    description holds as much of dIdtmax, name, stimulator and brand as fits in 79 bytes.

    Between the nodes readers interpolate linearly. For the Magstim D70, on a plane 20 mm below the origin, this is off
    by 0.35 % at 5 mm, 0.22 % at 4 mm and 0.06 % at 2 mm (L2); about a spacing from the winding it means nothing.
    """
    path = Path(path)
    check_handle(coil, ".nii.gz")
    beside = path.with_suffix(".stl")
    stale = casing_beside(path)
    if coil.casing is None and stale is not None:
        raise ValueError(
            f"path must have no casing of another coil beside it; got {stale}, which readers would take for this "
            "coil's. Remove it, or choose another name."
        )
    grids = _grids(coil, spacing, extent)
    values = np.stack([grid.values for grid in grids], axis=3)
    with limits.replacing(*([beside] if coil.casing is not None else []), path) as drafts:
        if coil.casing is not None:
            write_stl(coil.casing, drafts[0])
        write_image(Image(values, grids[0].affine, _description(coil)), drafts[-1])


def _grids(coil: Coil, spacing: float | npt.ArrayLike | None, extent: npt.ArrayLike | None) -> list[PotentialGrid]:
    """Return the grids of all channels, on the same nodes."""
    channels = coil.channels
    own = [c.grid for c in channels if c.grid is not None and c.segments is None and not c.n_dipoles]
    if spacing is None and extent is None and len(own) == len(channels):
        if all(np.array_equal(g.affine, own[0].affine) and g.shape == own[0].shape for g in own):
            return own
        raise ValueError(
            "grids of all stimulators must be alike to be written as they are; got different ones. Give spacing."
        )
    affine, shape = _lattice(spacing, extent, len(channels))
    for channel in channels:
        _check_nodes(channel, affine, shape)
    nodes = PotentialGrid(np.ones((*shape, 3)), affine).nodes()
    grids = []
    for channel in channels:
        values = np.empty((len(nodes), 3))
        sources = channel.n_dipoles + (len(channel.segments) if channel.segments is not None else 0)
        step = max(1, _PAIRS // max(sources, 1))
        for first in range(0, len(nodes), step):
            values[first : first + step] = 1e-7 * channel.potential(nodes[first : first + step])
        grids.append(PotentialGrid(values.reshape(*shape, 3), affine))
    return grids


def _lattice(
    spacing: float | npt.ArrayLike | None, extent: npt.ArrayLike | None, n_channels: int
) -> tuple[FloatArray, tuple[int, int, int]]:
    """Return affine and shape of a grid from its spacing and extent, both checked."""
    try:
        step = np.broadcast_to(np.asarray(_SPACING if spacing is None else spacing, dtype=np.float64), (3,))
        if not (np.isfinite(step).all() and (step > 0.0).all()):
            raise ValueError
    except (TypeError, ValueError):
        raise ValueError(f"spacing must be one or three positive numbers; got {limits.brief(spacing)}.") from None
    box = _BOX if extent is None else arrays.vectors(extent, "extent")
    if len(box) != 2 or not (box[0] < box[1]).all():
        raise ValueError(f"extent must be a lowest and a highest corner; got {box.tolist()}.")
    low, high = box
    # Rounding must not add a layer of nodes.
    counts = np.ceil((high - low) / step * (1.0 - 1e-12)) + 1.0
    if counts.prod() * 24.0 * n_channels > MOST_BYTES:
        raise ValueError(
            f"spacing and extent must make at most {MOST_BYTES // 24 // n_channels:,} nodes; got {counts.prod():,.3g}."
        )
    affine = np.diag([*step, 1.0])
    affine[:3, 3] = low
    # The header of NIfTI-1 holds single precision: nodes that it can state exactly.
    affine = affine.astype(np.float32).astype(np.float64)
    return affine, (int(counts[0]), int(counts[1]), int(counts[2]))


def _check_nodes(coil: Coil, affine: FloatArray, shape: tuple[int, int, int]) -> None:
    """Raise if a node of the grid lies on a dipole or current element."""
    sources = coil.positions if coil.segments is None else np.vstack([coil.positions, coil.segments.points])
    voxels = (sources - affine[:3, 3]) / np.diag(affine)[:3]
    nearest = np.rint(voxels)
    on = (np.abs(voxels - nearest) < _ON).all(axis=1) & (nearest >= 0.0).all(axis=1) & (nearest < shape).all(axis=1)
    if on.any():
        raise ValueError(
            f"grid must have no node on a dipole or current element; got {int(on.sum())}, first at "
            f"{sources[on][0].tolist()} mm. Shift extent by a part of the spacing."
        )


def _description(coil: Coil) -> str:
    """Return as much as fits of what is known of the coil, as ``key=value`` pairs."""
    rates = [channel.max_didt for channel in coil.channels]
    header = Header(max_didt=tuple(rate for rate in rates if rate is not None) if None not in rates else ())
    pairs = [part for part in header.line().split(";") if part.startswith("dIdtmax")]
    named = coil.stimulator or Stimulator("")
    for key, text in (("coilname", coil.name), ("stimulator", named.name), ("brand", named.brand)):
        # What could be taken for the end of a pair, or for nothing, is left out.
        if text.strip() == text and text.isprintable() and text.lower() not in ("", "none") and ";" not in text:
            pairs.append(f"{key}={text}")
    found = ""
    for pair in pairs:
        longer = f"{found};{pair}" if found else pair
        found = longer if len(longer.encode("utf-8")) <= MOST_DESCRIPTION else found
    return found
