"""Reduce a coil, whatever its sources are, to few dipoles of the same field outside."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from coils.coil import Coil
from coils.fitting import Sample, fewest_dipoles, fit_dipoles, middle, offset_points, relative_maximum
from coils.grid import PotentialGrid
from coils.wires import flatness, smooth_potential, spanned_points, thinned
from meshes import arrays
from meshes.arrays import FloatArray

__all__ = ["reduce_dipoles"]

# Wires stand for the sources if both potentials agree on the surface to this many times the stated error.
_AGREE = 20.0

# Dipoles further than this share of the distance from the fans of the coil's wires are not on them.
_OFF = 0.5

# A grid's node is at a source if its discrete Laplacian, times the spacing squared, is this share of the potential: for
# a dipole, nodes up to three spacings away.
_ROUGH = 0.15


def reduce_dipoles(coil: Coil, *, max_error: float, distance: float = 10.0, head_side: bool = False) -> Coil:
    """Replace a coil's dipoles, current elements and grid by few dipoles of a wanted accuracy.

    Parameters
    ----------
    coil : Coil
        The coil.
    max_error : float
        Wanted error, 0.001 for 0.1 %.
    distance : float, optional
        Distance around the sources at which it is wanted (mm).
    head_side : bool, optional
        Fit only the part of the surface around the sources that faces the head, its normal within 70 degrees of +z.
        This saves about half of the dipoles. The error beside and behind the coil is then neither bounded nor
        measured; in front it is measured at `distance` and at two and four times it, but not bounded.

    Returns
    -------
    Coil
        Dipoles only, at most `max_error` from the coil's exact field: `discretisation_error` says how far. If the coil
        has `wires` that its sources stand for, the difference from these is measured; otherwise that from its sources,
        to which its own `discretisation_error`, if stated, is added. Deformations and separate channels are gone.

    Raises
    ------
    ValueError
        If a number is not positive or `max_error` cannot be reached; the message states the best. So it is where no set
        of dipoles can stand for the sources: the field of a wire that encloses some place outside, as around a head.

    Notes
    -----
    The error is the greatest length of the difference of A over the greatest length of A, both on the surface at
    `distance` around old and new sources; for lack of an inner surface, a grid's is on its nodes at `distance` to twice
    that from where its sources are. The fit is least squares (moment matching: both potentials then have the same
    multipole moments up to the order that matters at `distance`). The dipoles lie on the surface that flat wires span,
    among the old dipoles, or, for current elements alone, on the sheet between them as seen along z: a head that
    reaches through that sheet is not outside.

    Examples
    --------
    >>> from coils.shapes import circular
    >>> coil = circular(inner_diameter=30, outer_diameter=50, turns=4)
    >>> reduced = reduce_dipoles(coil, max_error=0.01)
    >>> reduced.discretisation_error <= 0.01, reduced.n_dipoles < coil.n_dipoles
    (True, True)
    """
    if not isinstance(coil, Coil):
        raise TypeError(f"coil must be a coils.Coil; got {type(coil).__name__}.")
    wanted = arrays.positive(max_error, "max_error")
    if wanted >= 1.0:
        raise ValueError(f"max_error must be less than 1, a share; got {wanted:g}. Give 0.05 for 5 %.")
    distance = arrays.positive(distance, "distance")
    stated, region = 0.0, None
    if coil.grid is None:
        region = _sources(coil, distance)
        stated = region[3]
    if stated >= wanted:
        raise ValueError(
            f"max_error must be greater than the {stated:.2g} by which {coil.name} itself is off its windings; got "
            f"{wanted:g}."
        )
    if coil.grid is not None:
        cloud, samples = _grid_samples(coil, coil.grid, distance)
        positions, moments, error = fewest_dipoles(cloud, cloud, samples, wanted, distance)
    elif region is not None:
        exact, cloud, near, _ = region
        positions, moments, error = fit_dipoles(
            cloud, near, exact, max_error=wanted - stated, distance=distance, head_side=head_side
        )
    return replace(
        coil,
        positions=positions,
        moments=1e-6 * moments,
        segments=None,
        grid=None,
        assembly=None,
        discretisation_error=error + stated,
        source=f"{coil.source}; reduced to {len(positions)} dipoles".removeprefix("; "),
    )


_Sources = tuple[Callable[[FloatArray], FloatArray], FloatArray, FloatArray, float]


def _sources(coil: Coil, distance: float) -> _Sources:
    """Return the exact potential, the region for dipoles, all sources and the error of that potential."""
    places = [coil.positions] if coil.segments is None else [coil.positions, coil.segments.points]
    wired = bool(coil.wires) and max(flatness(wire.path) for wire in coil.wires) <= 0.5 * distance
    if wired:
        fans = spanned_points(coil.wires, 0.1 * distance)
        near = np.concatenate([fans, *places])
        cloud = middle(near, distance)
        if len(coil.positions) and _furthest(coil.positions, fans) > _OFF * distance:
            # Dipoles on a dome behind a ring that the head reaches into: new ones must not lie in the ring's opening.
            cloud = thinned(coil.positions, 0.2 * distance)
            near = np.concatenate([*places, *[wire.path for wire in coil.wires]])
        # A few points tell whether the wires are all that the sources stand for.
        few = offset_points(near, distance, 3.0 * distance)
        limit = _AGREE * (1e-3 if coil.discretisation_error is None else coil.discretisation_error)
        if relative_maximum(coil.potential(few), smooth_potential(few, coil.wires)) <= limit:
            return (lambda points: smooth_potential(points, coil.wires)), cloud, near, 0.0
    region = (
        [coil.positions] if coil.segments is None else [coil.positions, _sheet(coil.segments.points, 0.3 * distance)]
    )
    cloud = thinned(np.concatenate(region), 0.2 * distance)
    return coil.potential, cloud, np.concatenate([cloud, *places]), coil.discretisation_error or 0.0


def _furthest(points: FloatArray, cloud: FloatArray) -> float:
    """Return the greatest distance of a point from the nearest one of a cloud (mm)."""
    from scipy.spatial import cKDTree  # here, so that importing the package loads no SciPy

    return float(np.max(cKDTree(cloud).query(points)[0]))


def _sheet(points: FloatArray, spacing: float) -> FloatArray:
    """Fill the outline of wires, seen along z, with points between them: z is interpolated over triangles."""
    from scipy.spatial import Delaunay, QhullError

    nodes = thinned(points * [1.0, 1.0, 0.0], spacing)[:, :2]
    column = np.floor(points[:, :2] / spacing)
    _, group, count = np.unique(column, axis=0, return_inverse=True, return_counts=True)
    height = np.bincount(group.reshape(-1), points[:, 2]) / count
    try:
        mesh = Delaunay(nodes)
    except QhullError:  # all on a line: no area to fill
        return points
    low, high = nodes.min(axis=0), nodes.max(axis=0)
    lattice = np.stack(np.meshgrid(*[np.arange(a, b, spacing) for a, b in zip(low, high, strict=True)]), -1)
    inside = lattice.reshape(-1, 2)
    triangle = mesh.find_simplex(inside)
    inside, triangle = inside[triangle >= 0], triangle[triangle >= 0]
    affine = mesh.transform[triangle]
    first = np.einsum("nij,nj->ni", affine[:, :2], inside - affine[:, 2])
    weights = np.column_stack([first, 1.0 - first.sum(axis=1)])
    z = np.einsum("ni,ni->n", weights, height[mesh.simplices[triangle]])
    return np.column_stack([inside, z])


def _grid_samples(coil: Coil, grid: PotentialGrid, distance: float) -> tuple[FloatArray, list[Sample]]:
    """Find where a grid's sources are, and return that region with the nodes around it, fit and check.

    Outside the sources A is harmonic: where its discrete Laplacian is not small, there are sources or they are near.
    A grid that ends in front of the winding gets the slab behind z = 0 under its strongest field.
    """
    nodes = grid.nodes()
    spacing = np.linalg.norm(grid.affine[:3, :3], axis=0)
    length = np.linalg.norm(grid.values, axis=3)
    scale = float(np.median(np.sort(length, axis=None)[-max(1, length.size // 100) :]))  # nodes may fall on dipoles
    inner = grid.values[1:-1, 1:-1, 1:-1]
    laplacian = np.zeros_like(inner)
    for axis in range(3):
        ends = [np.roll(grid.values, shift, axis=axis)[1:-1, 1:-1, 1:-1] for shift in (1, -1)]
        laplacian += (ends[0] - 2.0 * inner + ends[1]) * (spacing.min() / spacing[axis]) ** 2
    rough = np.zeros(grid.shape, dtype=bool)
    local = np.maximum(length[1:-1, 1:-1, 1:-1], 0.05 * scale)
    rough[1:-1, 1:-1, 1:-1] = np.linalg.norm(laplacian, axis=3) > _ROUGH * local
    cloud = nodes[rough.ravel() & (nodes[:, 2] < 0.0)]
    if not len(cloud):
        lowest = nodes[:, 2] == nodes[nodes[:, 2] >= 0.0, 2].min()
        under = nodes[lowest & (length.ravel() > 0.2 * length.ravel()[lowest].max())]
        cloud = np.concatenate([under * [1.0, 1.0, 0.0] - [0.0, 0.0, depth] for depth in (4.0, 8.0)])
    from scipy.spatial import cKDTree  # here, so that importing the package loads no SciPy

    gap, _ = cKDTree(cloud).query(nodes)
    shell = (gap >= distance) & (gap < 2.0 * distance + spacing.max())
    even = np.indices(grid.shape).sum(axis=0).ravel() % 2 == 0
    kept = [nodes[shell & even], nodes[shell & ~even]]
    if min(map(len, kept)) < 20:
        raise ValueError(
            f"distance must leave nodes of the grid around its sources; got {distance:g} mm, with "
            f"{int(shell.sum())} nodes between it and twice as far."
        )
    every = max(1, len(kept[0]) // 4000)  # as many as determine a thousand dipoles
    return cloud, [(points, coil.potential(points)) for points in (kept[0][::every], kept[1])]
