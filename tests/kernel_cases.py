"""Random triangles, rotations and tolerances that the tests of several kernels share."""

import numpy as np

# Re-association and fused multiply-adds move a sum of a few hundred terms by some units in the last place.
ROUNDING = 1e-12
# Entries and coefficients are stored in single precision, eps = 6e-8, and summed over some ten of them.
SINGLE = 1e-6


def random_triangles(rng, count, *, size=1.0, spread=4.0):
    return rng.uniform(-spread, spread, (count, 1, 3)) + size * rng.normal(size=(count, 3, 3))


def octahedron():
    """A closed surface of eight triangles, outward."""
    axes = np.eye(3)
    faces = []
    for signs in np.array(np.meshgrid([-1.0, 1.0], [-1.0, 1.0], [-1.0, 1.0])).reshape(3, -1).T:
        a, b, c = signs[:, None] * axes
        faces.append([a, b, c] if signs.prod() > 0.0 else [a, c, b])
    return np.array(faces)


def scaled(values):
    """Absolute tolerance scale: the greatest magnitude."""
    return float(np.abs(values).max())


def random_rotations(rng, count):
    rotations = np.linalg.qr(rng.normal(size=(count, 3, 3)))[0]
    return np.ascontiguousarray(rotations * np.sign(np.linalg.det(rotations))[:, None, None])
