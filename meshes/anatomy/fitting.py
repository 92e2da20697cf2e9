"""Estimate where a head without a registration lies in MNI space, from the shape of its brain."""

from __future__ import annotations

import warnings
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from meshes.anatomy.mni import FIDUCIALS_MNI152, MNI305_TO_MNI152, MniAffine, apply_affine, inverse_affine
from meshes.arrays import FloatArray
from meshes.head import HeadModel
from meshes.scalp import closest_points
from meshes.surface import Surface

__all__ = ["estimate_mni_affine", "has_brain_shape"]

Pair = tuple[Surface, Surface]

# Surfaces that are laid over each other besides the cortex, where both heads have them.
_SHAPES = ("inner_skull", "cerebellum")
# A cortex with sulci and a medial wall has over twice the area of its convex hull; a smooth brain about as much.
_FOLDED = 1.5
# Vertices of each surface that are compared, and the step (mm) below which they are enough: few far from the goal.
_LEVELS = ((400, 0.1), (2000, 0.02))
_STEPS = 150
# What counts as far apart and weighs less (mm; Huber's weights).
_FAR = 3.0
# Brains of three adults lie 2.4 to 3.3 mm from fsaverage's, a sphere 4.8; beyond this the shape is no brain's (mm).
_WORST = 4.2


def estimate_mni_affine(head: HeadModel) -> MniAffine:
    """Return the affine map that lays a head's brain over fsaverage's, and from there to MNI152.

    Parameters
    ----------
    head : HeadModel
        In RAS, turned by less than about 30 degrees, with a folded cortex or an interface "inner_skull"; a
        "cerebellum" counts as well. Without these shapes, its fiducials nasion, lpa and rpa.

    Returns
    -------
    MniAffine
        Its residual is the root mean square distance between the surfaces laid over each other (mm).

    Raises
    ------
    ValueError
        If the head has neither the shapes nor the fiducials, or they do not fit.

    Warns
    -----
    UserWarning
        If only the fiducials could be used.

    Notes
    -----
    Iterated closest points, both ways, to the tangent planes (Y. Chen and G. Medioni, Image Vision Comput. 10:145-155,
    1992), for the twelve numbers of an affine map, with Huber's weights. It finds the same map from heads nodded by up
    to 35 degrees, to 0.2 mm, and from two resolutions of one head, to 0.4 mm. Without the cerebellum it puts the ears
    and the nose up to 5 mm elsewhere.

    What it is worth: on the pycortex head the commissures of the T1 come to lie 2.5 and 3.4 mm from where MNI152 has
    them. The middles of the hand and leg areas painted on its cortex lie 3 to 12 mm (median 6 mm) from the usual MNI
    coordinates; the cortex nearest to these lies in the painted area or at most 7 mm beside it (median 3 mm): people
    differ by that much. A map made from the image itself, or SimNIBS' non-linear one, is better where there is one.
    """
    fitted = _over_fsaverage(head)
    if fitted is None:
        return _by_fiducials(head)
    names, matrix, residual = fitted
    if residual > _WORST:
        raise ValueError(
            f"head must have the shape of a human brain, in RAS and mm; got {head.name!r}, whose surfaces stay "
            f"{residual:.1f} mm (rms) from fsaverage's. Give its map to MNI space with path=... ."
        )
    source = (
        f"estimated: affine that lays {', '.join(names)} of {head.name} over fsaverage's ({residual:.1f} mm rms), then "
        "MNI305 to MNI152; expect errors of about 5 mm"
    )
    return MniAffine(MNI305_TO_MNI152 @ matrix, source, residual)


@lru_cache(maxsize=8)
def _over_fsaverage(head: HeadModel) -> tuple[list[str], FloatArray, float] | None:
    """Return the surfaces used, the affine map to fsaverage and the rms distance left (mm), or None without a shape."""
    if not has_brain_shape(head):
        return None
    pairs = _pairs(head, _fsaverage())
    return ([surface.name for surface, _ in pairs], *_lay_over(pairs))


@lru_cache(maxsize=1)
def _fsaverage() -> HeadModel:
    from meshes.heads import load_head  # here, because heads imports much that others do not need

    return load_head("fsaverage")


def has_brain_shape(head: HeadModel) -> bool:
    """Tell whether a head has a folded cortex or an interface "inner_skull", by which it can be laid over fsaverage."""
    return "inner_skull" in [interface.name for interface in head.interfaces] or _is_folded(head.cortex)


def _pairs(head: HeadModel, template: HeadModel) -> list[Pair]:
    """Return surfaces of a head with those of the template that they should be laid over."""
    names = [interface.name for interface in head.interfaces]
    pairs = [(head.interface(n).surface, template.interface(n).surface) for n in _SHAPES if n in names]
    return [*pairs, (head.cortex, template.cortex)] if _is_folded(head.cortex) else pairs


def _is_folded(cortex: Surface) -> bool:
    from scipy.spatial import ConvexHull  # here, so that importing the package loads no SciPy

    return float(cortex.areas.sum()) > _FOLDED * float(ConvexHull(cortex.vertices).area)


def _lay_over(pairs: list[Pair]) -> tuple[FloatArray, float]:
    """Return the affine map from the first surfaces to the second ones, and the rms distance left (mm)."""
    weights = [(_shares(one), _shares(other)) for one, other in pairs]
    matrix = _start(pairs, weights)
    corners = _box(pairs)
    for samples, settled in _LEVELS:
        for _ in range(_STEPS):
            parts = [_planes(matrix, pair, weight, samples) for pair, weight in zip(pairs, weights, strict=True)]
            rows, wanted, weight, distance = (np.concatenate(column) for column in zip(*parts, strict=True))
            root = np.sqrt(weight * np.minimum(1.0, _FAR / np.maximum(distance, 1e-9)))
            twelve = np.linalg.lstsq(rows * root[:, None], wanted * root, rcond=None)[0]
            before, matrix = matrix, np.vstack([twelve.reshape(3, 4), [0.0, 0.0, 0.0, 1.0]])
            if np.abs(apply_affine(matrix - before, corners)).max() < settled:
                break
        left = float(np.sqrt((weight * distance**2).sum() / weight.sum()))
        if left > _WORST:
            break
    return matrix, left


def _planes(
    matrix: FloatArray, pair: Pair, weights: tuple[FloatArray, FloatArray], samples: int
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return the linear equations n . (M x - y) = 0 of one pair of surfaces, their weights, and |M x - y|.

    x is a point of the first surface, y of the second; one of them is a vertex, the other the point closest to it, and
    n the normal there. The closest points on the first surface are sought in its own space, so that no tree is built
    anew; stretches of ten per cent make little difference.
    """
    one, other = pair
    first, second = (slice(None, None, max(1, len(surface.vertices) // samples)) for surface in pair)
    moved = apply_affine(matrix, one.vertices[first])
    over, triangle, _ = closest_points(other, moved)
    inverse = inverse_affine(matrix)
    under, below, _ = closest_points(one, apply_affine(inverse, other.vertices[second]))
    normals = one.normals[below] @ inverse[:3, :3]
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    x = np.concatenate([one.vertices[first], under])
    y = np.concatenate([over, other.vertices[second]])
    n = np.concatenate([other.normals[triangle], normals])
    rows = (n[:, :, None] * np.column_stack([x, np.ones(len(x))])[:, None, :]).reshape(len(x), 12)
    weight = np.concatenate(
        [weights[0][first] / weights[0][first].sum(), weights[1][second] / weights[1][second].sum()]
    )
    return rows, (n * y).sum(axis=1), weight, np.linalg.norm(apply_affine(matrix, x) - y, axis=1)


def _start(pairs: list[Pair], weights: list[tuple[FloatArray, FloatArray]]) -> FloatArray:
    """Return the map that gives the surfaces the same centre and the same extent along each axis."""
    moments = []
    for side in (0, 1):
        points = np.concatenate([pair[side].vertices for pair in pairs])
        weight = np.concatenate([pair[side] for pair in weights])
        centre = weight @ points / weight.sum()
        moments.append((centre, np.sqrt(weight @ (points - centre) ** 2 / weight.sum())))
    (here, extent), (there, wanted) = moments
    matrix = np.diag([*(wanted / extent), 1.0])
    matrix[:3, 3] = there - matrix[:3, :3] @ here
    return matrix


def _box(pairs: list[Pair]) -> FloatArray:
    points = np.concatenate([one.vertices for one, _ in pairs])
    low, high = points.min(axis=0), points.max(axis=0)
    return np.array(np.meshgrid(*zip(low, high, strict=True))).reshape(3, -1).T


def _shares(surface: Surface) -> FloatArray:
    """Return the share of the surface's area that each vertex stands for."""
    return np.asarray(surface.vertex_areas / surface.vertex_areas.sum())


def _by_fiducials(head: HeadModel) -> MniAffine:
    """Return the map that turns, shifts and scales a head so that its fiducials come over those of MNI152."""
    names = [name for name in FIDUCIALS_MNI152 if name in head.fiducials]
    if not {"nasion", "lpa", "rpa"} <= set(names):
        raise ValueError(
            "head must have a folded cortex, an interface 'inner_skull', or the fiducials nasion, lpa and rpa, to be "
            f"laid over fsaverage; got {head.name!r}. Give its map to MNI space with path=... ."
        )
    here = np.array([head.fiducials[name] for name in names])
    there = np.array([FIDUCIALS_MNI152[name] for name in names])
    matrix = _similarity(here, there)
    residual = float(np.sqrt(((apply_affine(matrix, here) - there) ** 2).sum(axis=1).mean()))
    warnings.warn(
        f"MNI coordinates of {head.name} rest on its fiducials only ({', '.join(names)}; {residual:.1f} mm rms); "
        "errors of 10 mm or more are likely.",
        stacklevel=4,
    )
    source = f"estimated: {', '.join(names)} of {head.name} laid over those of MNI152 ({residual:.1f} mm rms)"
    return MniAffine(matrix, source, residual)


def _similarity(here: FloatArray, there: npt.NDArray[np.float64]) -> FloatArray:
    """Return the rotation, shift and scale that fit points best (S. Umeyama, IEEE Trans. PAMI 13:376-380, 1991)."""
    middle, wanted = here.mean(axis=0), there.mean(axis=0)
    u, stretch, v = np.linalg.svd((there - wanted).T @ (here - middle))
    turn = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ v))])
    scale = float((stretch * turn.diagonal()).sum() / ((here - middle) ** 2).sum())
    matrix = np.eye(4)
    matrix[:3, :3] = scale * u @ turn @ v
    matrix[:3, 3] = wanted - matrix[:3, :3] @ middle
    return matrix
