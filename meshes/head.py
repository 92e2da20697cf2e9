"""Describe a head: surfaces with a conductivity on either side, and the cortex where fields are asked for."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from meshes import arrays
from meshes.arrays import FloatArray
from meshes.surface import Surface

if TYPE_CHECKING:
    from meshes.lesions import LesionLike

__all__ = ["HeadModel", "Interface"]

IndexArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Interface:
    """A surface between tissues.

    Parameters
    ----------
    surface : Surface
        Triangles counter-clockwise seen from outside (mm). Closed, unless the tissues of the head touch along lines
        (see `HeadModel`).
    sigma_inside : float or array_like, shape (n_triangles,)
        Conductivity just inside (S/m), positive; one per triangle where the tissues change along the surface.
    sigma_outside : float or array_like, shape (n_triangles,)
        Conductivity just outside (S/m), positive, or 0 for the air around the head.

    Attributes
    ----------
    sigma_inside, sigma_outside : float or ndarray, shape (n_triangles,)
        A float wherever all triangles have the same value.

    Raises
    ------
    ValueError
        If a conductivity is not finite, or is negative, or the inner one is zero, or there is not one per triangle.
    TypeError
        If `surface` is no `Surface`.

    Examples
    --------
    >>> import meshes, numpy as np
    >>> ball = meshes.icosphere(1)
    >>> upper = ball.centroids[:, 2] > 0.0
    >>> interface = Interface(ball, np.where(upper, 0.3, 0.6), 0.0)
    >>> interface.is_uniform, interface.contrast.shape
    (False, (80,))
    """

    surface: Surface
    sigma_inside: float | FloatArray
    sigma_outside: float | FloatArray

    def __post_init__(self) -> None:
        if not isinstance(self.surface, Surface):
            raise TypeError(f"surface must be a meshes.Surface; got {type(self.surface).__name__}.")
        label = self.surface.name or "surface"
        count = len(self.surface.triangles)
        inside = _sigma(self.sigma_inside, f"sigma_inside of {label}", count, arrays.positive)
        outside = _sigma(self.sigma_outside, f"sigma_outside of {label}", count, arrays.non_negative)
        object.__setattr__(self, "sigma_inside", inside)
        object.__setattr__(self, "sigma_outside", outside)

    @property
    def name(self) -> str:
        """Name of the surface."""
        return self.surface.name

    @property
    def is_uniform(self) -> bool:
        """Whether all triangles have the same two conductivities."""
        return isinstance(self.sigma_inside, float) and isinstance(self.sigma_outside, float)

    @cached_property
    def sigmas(self) -> FloatArray:
        """Conductivity inside and outside of each triangle (S/m), shape (n_triangles, 2)."""
        sides = np.empty((len(self.surface.triangles), 2))
        sides[:, 0], sides[:, 1] = self.sigma_inside, self.sigma_outside
        return sides

    @property
    def contrast(self) -> FloatArray:
        """Inside minus outside over their sum for each triangle, -1 to 1, shape (n_triangles,)."""
        inside, outside = self.sigmas.T
        contrast: FloatArray = (inside - outside) / (inside + outside)
        return contrast


def _sigma(
    value: float | npt.ArrayLike, name: str, count: int, check: Callable[[float, str], float]
) -> float | FloatArray:
    """Return a conductivity as a float, or an array where it varies; `check` raises for what is not allowed."""
    if np.ndim(value) == 0:
        return check(value, name)  # type: ignore[arg-type]  # `check` tells what is no number
    values = np.array(value, dtype=np.float64)  # a copy, as it is made read-only
    if values.shape != (count,):
        raise ValueError(f"{name} must be one number, or one for each of {count} triangles; got shape {values.shape}.")
    for sigma in np.unique(values):
        check(float(sigma), name)
    if (values == values[0]).all():
        return float(values[0])
    values.flags.writeable = False
    return values


@dataclass(frozen=True, eq=False)
class HeadModel:
    """A head as surfaces between tissues of constant isotropic conductivity.

    The surfaces are closed and nested; or tissues touch (`touching`): then surfaces may be open where several meet
    along a line, and the tissues on their sides may change from triangle to triangle. Vertices on such a line must
    have the very same coordinates in all surfaces that meet there.

    Parameters
    ----------
    name : str
        Name in messages and files.
    interfaces : iterable of Interface
        The scalp first: closed, with air outside (conductivity 0); then the others, an outer one before those it holds.
    cortex : Surface
        Where fields are asked for: the middle of the grey matter, normals out of the brain (mm).
    regions : mapping of str to array_like of int, optional
        Cortex vertices of named regions, for example ``"m1-hand-left"``.
    fiducials : mapping of str to array_like, shape (3,), optional
        Named points on the head (mm), for example ``"nasion"``.
    resolution : str, optional
        Which of several meshes of the same head this is.
    provenance : mapping of str to str, optional
        Where the head comes from: ``"source"``, ``"licence"``, ``"sha256"``.
    targets : mapping of str to array_like, shape (3,), optional
        Where in a region to aim (mm), by the region's name; the same for every resolution of a head.

    Raises
    ------
    ValueError
        If a surface is open, flipped, crossing another or itself, or not nested as the conductivities say (see
        `meshes.checks.check_head`; it takes less than a second for 174,000 triangles); where tissues touch, if the
        conductivities on the sides of the triangles do not fit together (`meshes.partitions.check_partition`).

    Examples
    --------
    >>> import meshes
    >>> head = meshes.sphere_head(radii=[90, 80], conductivities=[0.33, 1.0], subdivisions=2)
    >>> [interface.name for interface in head.interfaces]
    ['sphere-1', 'sphere-2']
    """

    name: str
    interfaces: tuple[Interface, ...]
    cortex: Surface
    regions: Mapping[str, IndexArray] = field(default_factory=dict)
    fiducials: Mapping[str, FloatArray] = field(default_factory=dict)
    resolution: str = ""
    provenance: Mapping[str, str] = field(default_factory=dict)
    targets: Mapping[str, FloatArray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        from meshes.checks import check_head  # here, because checks imports this module

        interfaces = tuple(self.interfaces)
        if not interfaces:
            raise ValueError("interfaces must hold at least the scalp; got none.")
        for interface in interfaces:
            if not isinstance(interface, Interface):
                raise TypeError(f"interfaces must be of meshes.Interface; got {type(interface).__name__}.")
        if not isinstance(self.cortex, Surface):
            raise TypeError(f"cortex must be a meshes.Surface; got {type(self.cortex).__name__}.")
        object.__setattr__(self, "interfaces", interfaces)
        object.__setattr__(self, "regions", _regions(self.regions, len(self.cortex.vertices)))
        points = {key: arrays.vector(point, f"fiducial {key!r}") for key, point in self.fiducials.items()}
        object.__setattr__(self, "fiducials", points)
        aims = {key: arrays.vector(point, f"target {key!r}") for key, point in self.targets.items()}
        object.__setattr__(self, "targets", aims)
        object.__setattr__(self, "provenance", dict(self.provenance))
        check_head(self)

    def __repr__(self) -> str:
        count = sum(len(interface.surface.triangles) for interface in self.interfaces)
        return f"HeadModel({self.name!r}, {len(self.interfaces)} surfaces, {count} triangles)"

    @property
    def scalp(self) -> Surface:
        """The outermost surface."""
        return self.interfaces[0].surface

    @cached_property
    def touching(self) -> bool:
        """Whether tissues meet along lines: some surface is open, or has several tissues on one side.

        Also if there is air within the head, on the other side of a surface that is turned inwards, or if closed
        surfaces meet in vertices of the very same coordinates.
        """
        plain = all(interface.is_uniform and interface.surface.is_closed for interface in self.interfaces)
        air_within = plain and any(interface.sigma_outside == 0.0 for interface in self.interfaces[1:])
        return not plain or air_within or _meeting([interface.surface for interface in self.interfaces])

    @cached_property
    def enclosures(self) -> tuple[Surface, ...]:
        """Closed surfaces that tell tissues apart: those of the interfaces, or of the regions where tissues touch.

        Two points are in one tissue if they are inside the same of these surfaces.
        """
        if not self.touching:
            return tuple(interface.surface for interface in self.interfaces)
        from meshes.partitions import regions  # here, because it imports this module

        return regions(self.interfaces)

    def interface(self, name: str) -> Interface:
        """Return the interface called `name`; raise `ValueError` that lists the names if there is none."""
        names = [interface.name for interface in self.interfaces]
        return self.interfaces[names.index(arrays.choice(name, "name", names))]

    def with_lesion(
        self,
        region: "LesionLike | None" = None,
        *,
        centre: npt.ArrayLike | None = None,
        radius: float | None = None,
        radii: npt.ArrayLike | None = None,
        rotation: npt.ArrayLike | None = None,
        threshold: float = 0.5,
        smooth: float | None = None,
        conductivity: float | str = "csf",
        tissues: Sequence[str | float] = ("grey", "white"),
        name: str = "lesion",
        edge: float | None = None,
        margin: float = 1.0,
    ) -> "HeadModel":
        """Return the head with a lesion in the place of grey and white matter.

        Parameters
        ----------
        region : Surface, path, or tuple of array_like, optional
            Where: a closed surface (mm, outward), the path of a mask volume (NIfTI), or a mask's values and its affine
            map (voxels to mm of the head's space). Several pieces are allowed.
        centre, radius : array_like, shape (3,), and float, optional
            Instead of `region`: a sphere (mm).
        radii, rotation : array_like, shape (3,) and (3, 3), optional
            Instead of `radius`: half the length of each axis of an ellipsoid (mm), and the axes' directions in columns.
        threshold, smooth : float, optional
            Of a mask: voxels above the threshold belong to it; the standard deviation of the smoothing (mm), by default
            the size of a voxel.
        conductivity : float or str, optional
            Of the lesion (S/m), or a tissue whose conductivity it has; by default CSF.
        tissues : sequence of str or float, optional
            What it takes the place of, by name or conductivity (S/m). CSF, ventricles and bone stay what they are.
        name : str, optional
            Name of the lesion's surface.
        edge : float, optional
            Edge of its triangles, and near it of the others where theirs are longer (mm); by default 2 mm, or a fifth
            of the smallest radius if that is less. A surface keeps its own triangles.
        margin : float, optional
            Cortex in the lesion, or nearer to it than this (mm), is dropped, and with it that part of the regions.

        Returns
        -------
        HeadModel
            Surfaces that the lesion cuts end on its wall (`touching`). ``provenance["lesions"]`` tells what it took.

        Raises
        ------
        ValueError
            If the lesion lies outside these tissues, swallows a surface or the cortex, a surface is open, a mask is
            empty, or a number is out of range.

        Warns
        -----
        UserWarning
            If cortex of named regions is lost, with the share of each.

        Notes
        -----
        Cavities of chronic stroke are filled with CSF: S. Minjoli et al., NeuroImage: Clinical 15:106-117, 2017. See
        `meshes.lesions` for how surfaces are cut.

        Examples
        --------
        >>> import meshes
        >>> head = meshes.load_head("pycortex").with_lesion(centre=(-25, -20, 35), radius=6)
        >>> head.interfaces[-1].name, head.interfaces[-1].sigma_inside
        ('lesion', 1.654)
        """
        from meshes.lesions import insert_lesion, lesion_surface  # here, because it imports this module

        surface = lesion_surface(
            region,
            centre=centre,
            radius=radius,
            radii=radii,
            rotation=rotation,
            threshold=threshold,
            smooth=smooth,
            edge=edge,
            name=name,
        )
        return insert_lesion(self, surface, conductivity=conductivity, tissues=tissues, edge=edge, margin=margin)

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of surfaces, conductivities, cortex and regions as hexadecimal digits."""
        digest = hashlib.sha256(b"head ")
        for interface in self.interfaces:
            digest.update(bytes.fromhex(interface.surface.checksum))
            sides = interface.sigmas[:1] if interface.is_uniform else interface.sigmas
            digest.update(sides.astype("<f8").tobytes())
        digest.update(bytes.fromhex(self.cortex.checksum))
        for name in sorted(self.regions):
            digest.update(name.encode() + b"\0")
            digest.update(self.regions[name].astype("<i8", copy=False).tobytes())
        return digest.hexdigest()


def _meeting(surfaces: Sequence[Surface]) -> bool:
    """Tell whether vertices of different surfaces have the very same coordinates."""
    points = np.concatenate([surface.vertices for surface in surfaces])
    owner = np.repeat(np.arange(len(surfaces)), [len(surface.vertices) for surface in surfaces])
    # Sorted by one coordinate, which is quick and leaves few that need a closer look.
    order = np.argsort(points[:, 0], kind="stable")
    same = points[order[1:], 0] == points[order[:-1], 0]
    rows = order[np.concatenate([same, [False]]) | np.concatenate([[False], same])]
    which = np.unique(points[rows] + 0.0, axis=0, return_inverse=True)[1].reshape(-1)
    pairs = np.unique(np.stack([which, owner[rows]], axis=1), axis=0)
    return bool((np.bincount(pairs[:, 0]) > 1).any())


def _regions(regions: Mapping[str, npt.ArrayLike], n_vertices: int) -> dict[str, IndexArray]:
    """Check that every region is a list of cortex vertices, and return sorted copies without repeats."""
    checked = {}
    for name, value in regions.items():
        indices = np.asarray(value)
        if indices.ndim != 1 or not indices.size or not np.issubdtype(indices.dtype, np.integer):
            raise ValueError(
                f"region {name!r} must be a list of cortex vertex indices; got shape {indices.shape}, {indices.dtype}."
            )
        if indices.min() < 0 or indices.max() >= n_vertices:
            raise ValueError(
                f"region {name!r} must index the cortex, 0 to {n_vertices - 1}; "
                f"got {int(indices.min())} to {int(indices.max())}."
            )
        checked[name] = np.unique(indices).astype(np.int64)
    return checked
