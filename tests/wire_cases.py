"""Wires, as current elements and as shells of dipoles, that several tests share."""

import numpy as np

import coils
from tests.reference import triangle_rule


def circle(radius, height, count, centre=(0.0, 0.0)):
    """Return the corners of a regular polygon, counter-clockwise seen from +z."""
    angle = 2.0 * np.pi * np.arange(count) / count
    return np.column_stack(
        [centre[0] + radius * np.cos(angle), centre[1] + radius * np.sin(angle), np.full(count, height)]
    )


def elements_of(path, order):
    """Return current elements at the Gauss points of each side of a closed polygon: its line integral."""
    nodes, weights = np.polynomial.legendre.leggauss(order)
    side = np.roll(path, -1, axis=0) - path
    points = path[:, None] + 0.5 * (1.0 + nodes)[:, None] * side[:, None]
    vectors = 0.5 * weights[:, None] * side[:, None]
    return coils.Segments(points.reshape(-1, 3), vectors.reshape(-1, 3))


def shell_of(path, count=8):
    """Return the dipoles of a shell bounded by the polygon, a fan of triangles around its middle (A m^2)."""
    barycentric, weights = triangle_rule(count)
    middle = path.mean(axis=0)
    following = np.roll(path, -1, axis=0)
    corners = np.stack([np.broadcast_to(middle, path.shape), path, following], axis=1)
    moment = 0.5e-6 * np.cross(path - middle, following - middle)
    return {
        "positions": np.einsum("qv,nvd->nqd", barycentric, corners).reshape(-1, 3),
        "moments": (weights[:, None] * moment[:, None]).reshape(-1, 3),
    }
