"""Build heads of nested spheres, for which the field has a closed form."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from meshes import arrays
from meshes.arrays import FloatArray, IntArray
from meshes.head import HeadModel, Interface
from meshes.surface import Surface

__all__ = ["icosphere", "sphere_head"]

# The conventional evaluation surface lies this far below the boundary of the brain (mm).
CORTEX_DEPTH = 1.5


def icosphere(subdivisions: int, *, radius: float = 1.0, centre: npt.ArrayLike = (0, 0, 0), name: str = "") -> Surface:
    """Return a sphere made from an icosahedron by splitting each triangle into four, several times.

    Parameters
    ----------
    subdivisions : int
        How often, from 0 to 8; the sphere has ``20 * 4**subdivisions`` triangles.
    radius : float, optional
        Distance of every vertex from the centre (mm). The volume within the flat triangles is therefore smaller
        than the sphere's, by about 1.5 % at 3 subdivisions and a quarter of that for each further one.
    centre : array_like, shape (3,), optional
        Centre (mm).
    name : str, optional
        Name of the surface.

    Returns
    -------
    Surface
        Closed, outward.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Examples
    --------
    >>> icosphere(2, radius=90)
    Surface('', 162 vertices, 320 triangles)
    """
    if int(subdivisions) != subdivisions or not 0 <= subdivisions <= 8:
        raise ValueError(f"subdivisions must be a whole number from 0 to 8; got {subdivisions!r}.")
    radius = arrays.positive(radius, "radius")
    vertices, triangles = _icosahedron()
    for _ in range(int(subdivisions)):
        vertices, triangles = _split(vertices, triangles)
    return Surface(radius * vertices + arrays.vector(centre, "centre"), triangles, name)


def _icosahedron() -> tuple[FloatArray, IntArray]:
    golden = (1.0 + np.sqrt(5.0)) / 2.0
    short = np.array([[0, s, t * golden] for s in (1, -1) for t in (1, -1)])
    vertices = np.vstack([short, short[:, [2, 0, 1]], short[:, [1, 2, 0]]]) / np.hypot(1.0, golden)
    # The faces are the triples of mutual neighbours: all edges of the icosahedron have one length.
    near = np.isclose(np.linalg.norm(vertices[:, None] - vertices, axis=2), 2.0 / np.hypot(1.0, golden))
    faces = []
    for i in range(12):
        for j in range(i + 1, 12):
            for k in range(j + 1, 12):
                if near[i, j] and near[j, k] and near[i, k]:
                    outward = np.linalg.det(vertices[[i, j, k]]) > 0.0
                    faces.append((i, j, k) if outward else (i, k, j))
    return vertices, np.array(faces, dtype=np.int32)


def _split(vertices: FloatArray, triangles: IntArray) -> tuple[FloatArray, IntArray]:
    """Split each triangle into four at its edges' middles, which are pushed out to the unit sphere."""
    edges = np.stack([triangles, np.roll(triangles, -1, axis=1)], axis=2).reshape(-1, 2)
    unique, which = np.unique(np.sort(edges, axis=1), axis=0, return_inverse=True)
    middles = vertices[unique].sum(axis=1)
    middles /= np.linalg.norm(middles, axis=1, keepdims=True)
    a, b, c = triangles.T
    ab, bc, ca = which.reshape(-1, 3).T + len(vertices)
    quarters = np.stack([a, ab, ca, ab, b, bc, ca, bc, c, ab, bc, ca], axis=1).reshape(-1, 3)
    return np.vstack([vertices, middles]), quarters.astype(np.int32)


def sphere_head(
    radii: Sequence[float],
    conductivities: Sequence[float],
    *,
    subdivisions: int = 4,
    centres: npt.ArrayLike | None = None,
) -> HeadModel:
    """Return a head of nested spheres.

    Parameters
    ----------
    radii : sequence of float, length n
        Radii, outermost first (mm).
    conductivities : sequence of float, length n
        Conductivity of the tissue just inside each sphere (S/m); outside the first is air.
    subdivisions : int, optional
        Fineness of each sphere: ``20 * 4**subdivisions`` triangles (4: 5120).
    centres : array_like, shape (n, 3), optional
        Centres (mm) of displaced spheres; all at the origin by default.

    Returns
    -------
    HeadModel
        Its surfaces are called "sphere-1" (the scalp) to "sphere-n". Its cortex is a sphere 1.5 mm below the
        innermost but one sphere and around the same centre (below the only one, if there is but one); where the
        innermost sphere leaves less than 3 mm there, it lies midway between the two.

    Raises
    ------
    ValueError
        If the lengths differ, a number is not positive, or the spheres touch.

    Examples
    --------
    >>> head = sphere_head([90, 84, 78], [0.465, 0.01, 1.654], subdivisions=2)
    >>> head.scalp.name, len(head.scalp.triangles)
    ('sphere-1', 320)
    """
    sizes = [arrays.positive(radius, f"radii[{i}]") for i, radius in enumerate(radii)]
    sigmas = [arrays.positive(sigma, f"conductivities[{i}]") for i, sigma in enumerate(conductivities)]
    if not sizes or len(sizes) != len(sigmas):
        raise ValueError(
            f"conductivities must be as many as the radii, at least one; got {len(sigmas)} for {len(sizes)} radii."
        )
    middles = np.zeros((len(sizes), 3)) if centres is None else arrays.vectors(centres, "centres")
    if len(middles) != len(sizes):
        raise ValueError(f"centres must be as many as the radii, {len(sizes)}; got {len(middles)}.")
    _check_gaps(sizes, middles)
    unit = icosphere(subdivisions)
    surfaces = [
        Surface(radius * unit.vertices + middle, unit.triangles, f"sphere-{i + 1}")
        for i, (radius, middle) in enumerate(zip(sizes, middles, strict=True))
    ]
    outside = [0.0, *sigmas[:-1]]
    return HeadModel(
        name="spheres",
        interfaces=tuple(map(Interface, surfaces, sigmas, outside)),
        cortex=_cortex(sizes, middles, unit),
        provenance={"source": "meshes.sphere_head", "radii (mm)": ", ".join(f"{size:g}" for size in sizes)},
    )


def _check_gaps(sizes: Sequence[float], middles: FloatArray) -> None:
    """Raise `ValueError` unless each sphere lies inside the one before."""
    for i in range(1, len(sizes)):
        offset = float(np.linalg.norm(middles[i] - middles[i - 1]))
        gap = sizes[i - 1] - sizes[i] - offset
        if gap <= 0.0:
            raise ValueError(
                f"radii must shrink from the outermost sphere to the innermost, each inside the one before; got "
                f"{sizes[i]:g} mm in {sizes[i - 1]:g} mm with centres {offset:g} mm apart (gap {gap:g} mm)."
            )


def _cortex(sizes: Sequence[float], middles: FloatArray, unit: Surface) -> Surface:
    host = max(len(sizes) - 2, 0)
    depth = CORTEX_DEPTH
    centre = middles[host]
    radius = sizes[host] - depth
    if len(sizes) >= 2:
        offset = float(np.linalg.norm(middles[-1] - middles[-2]))
        if sizes[-2] - sizes[-1] - offset < 2.0 * depth:
            # Midway between the two spheres: mean radius, mean centre, for which the gaps are equal all around.
            centre = 0.5 * (middles[-1] + middles[-2])
            radius = 0.5 * (sizes[-1] + sizes[-2])
    if radius <= 0.0:
        radius = 0.5 * sizes[host]
    return Surface(radius * unit.vertices + centre, unit.triangles, "cortex")
