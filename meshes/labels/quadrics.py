"""Squared distances from planes as quadrics: ten coefficients, of (xx, xy, xz, yy, yz, zz, x, y, z, 1)."""

import numpy as np

from meshes.arrays import FloatArray
from meshes.labels.mesh import LabelMesh

__all__ = ["distances", "matrices", "plane_quadrics", "solved"]


def plane_quadrics(mesh: LabelMesh) -> tuple[FloatArray, FloatArray]:
    """Return the sum of squared distances from the planes around each vertex as ten coefficients, and its weight.

    Weights are areas. Each coefficient belongs to (xx, xy, xz, yy, yz, zz, x, y, z, 1).
    """
    corners = mesh.corners
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    double = np.linalg.norm(normal, axis=1)
    n = normal / np.maximum(double, 1e-30)[:, None]
    d = -np.einsum("ij,ij->i", n, corners[:, 0])
    area = double / 6.0
    x, y, z = n.T
    terms = np.stack([x * x, x * y, x * z, y * y, y * z, z * z, x * d, y * d, z * d, d * d], axis=1) * area[:, None]
    count = len(mesh.vertices)
    quadrics = np.stack(
        [np.bincount(mesh.triangles.ravel(), np.repeat(terms[:, k], 3), count) for k in range(10)], axis=1
    )
    weights: FloatArray = np.bincount(mesh.triangles.ravel(), np.repeat(area, 3), count).astype(np.float64)
    return np.ascontiguousarray(quadrics), weights


def matrices(quadric: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the matrices (n, 3, 3) and vectors (n, 3) of quadrics."""
    return quadric[:, [0, 1, 2, 1, 3, 4, 2, 4, 5]].reshape(-1, 3, 3), quadric[:, 6:9]


def distances(quadric: FloatArray, points: FloatArray) -> FloatArray:
    """Return the sum of squared distances from the planes at points."""
    matrix, vector = matrices(quadric)
    square = np.einsum("ni,nij,nj->n", points, matrix, points)
    value: FloatArray = np.maximum(square + 2.0 * np.einsum("ni,ni->n", vector, points) + quadric[:, 9], 0.0)
    return value


def solved(quadric: FloatArray, diagonal: FloatArray, right: FloatArray) -> FloatArray:
    """Return the solutions of the equations of quadrics with something added on the diagonal, by cofactors."""
    xx, xy, xz, yy, yz, zz = quadric[:, :6].T
    xx, yy, zz = xx + diagonal, yy + diagonal, zz + diagonal
    rows = np.stack(
        [
            yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy, xx * zz - xz * xz, xy * xz - xx * yz,
            xx * yy - xy * xy,
        ],
        axis=1,
    )  # fmt: skip
    determinant = xx * rows[:, 0] + xy * rows[:, 1] + xz * rows[:, 2]
    inverse = rows[:, [0, 1, 2, 1, 3, 4, 2, 4, 5]].reshape(-1, 3, 3) / determinant[:, None, None]
    solution: FloatArray = np.einsum("nij,nj->ni", inverse, right)
    return solution
