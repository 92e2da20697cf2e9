"""Heads whose tissues touch along lines, with an exact field in one of them."""

import numpy as np
import numpy.typing as npt
from scipy.special import lpmv, roots_legendre

import meshes
from meshes import HeadModel, Interface, Surface

F64 = npt.NDArray[np.float64]

RADIUS = 80.0
SIGMAS = (0.33, 1.2)
"""Conductivities of the upper and of the lower half (S/m)."""


def octahedral_sphere(parts: int) -> Surface:
    """Return a sphere of 8 parts^2 triangles with whole edges along the three coordinate planes."""
    vertices: dict[tuple[float, ...], int] = {}
    triangles = []
    for signs in np.stack(np.meshgrid([1, -1], [1, -1], [1, -1]), axis=-1).reshape(-1, 3):
        number = {}
        for i in range(parts + 1):
            for j in range(parts + 1 - i):
                point = np.sin(0.5 * np.pi / parts * np.array([i, j, parts - i - j]))
                point *= signs / np.linalg.norm(point)
                key = tuple(np.round(point, 12) + 0.0)
                number[i, j] = vertices.setdefault(key, len(vertices))
        for i in range(parts):
            for j in range(parts - i):
                cells = [[number[i, j], number[i + 1, j], number[i, j + 1]]]
                if i + j < parts - 1:
                    cells.append([number[i + 1, j], number[i + 1, j + 1], number[i, j + 1]])
                triangles += [cell if np.prod(signs) > 0 else cell[::-1] for cell in cells]
    return Surface(RADIUS * np.array(list(vertices)), np.array(triangles, dtype=np.int32), "scalp")


def disc_of(ball: Surface) -> Surface:
    """Return the plane z = 0 inside a sphere, its edge on the sphere's own vertices, normals up."""
    upper = ball.triangles[ball.centroids[:, 2] > 0.0]
    used, triangles = np.unique(upper, return_inverse=True)
    points = ball.vertices[used]
    across = np.hypot(points[:, 0], points[:, 1])
    spread = RADIUS * np.arccos(np.clip(points[:, 2] / RADIUS, -1.0, 1.0)) * 2.0 / np.pi
    flat = points * (spread / np.maximum(across, 1e-300))[:, None] * [1.0, 1.0, 0.0]
    flat[points[:, 2] == 0.0] = points[points[:, 2] == 0.0]
    return Surface(flat, triangles.reshape(-1, 3).astype(np.int32), "disc")


def two_halves(parts: int, sigmas: tuple[float, float] = SIGMAS) -> HeadModel:
    """Return a ball whose upper and lower halves differ in conductivity."""
    ball = octahedral_sphere(parts)
    upper, lower = sigmas
    inside = np.where(ball.centroids[:, 2] > 0.0, upper, lower)
    ball_within = meshes.icosphere(3, radius=25.0)  # clear of the plane, at which the field jumps
    return HeadModel(
        name="two halves",
        interfaces=(Interface(ball, inside, 0.0), Interface(disc_of(ball), lower, upper)),
        cortex=Surface(ball_within.vertices + np.array([0.0, 0.0, 40.0]), ball_within.triangles, "cortex"),
    )


def uniform_primary(points: F64) -> F64:
    """Return the primary field of a uniform dB/dt = 1 T/s along x (mV/m for mm): -x cross r / 2."""
    return 0.5 * np.stack([0.0 * points[:, 0], points[:, 2], -points[:, 1]], axis=1)


def two_halves_field(points: F64, sigmas: tuple[float, float] = SIGMAS, degree: int = 79) -> F64:
    r"""Return the field in `two_halves` for `uniform_primary` at points off the plane, well inside.

    The primary field has no normal component on the sphere, so the potential is even in z. With
    :math:`p = -yz/2`, whose normal derivative on the plane is the primary field's normal component, it is

    .. math:: \phi = \frac{s_1 - s_2}{s_1 + s_2} \left(-\tfrac12 y |z|
       + R \sum_{l\,odd} \frac{a_l}{l} \left(\frac rR\right)^l P_l^1(|\cos\theta|) \sin\varphi\right),

    where :math:`a_l` expands :math:`|\cos\theta| \sin\theta`, which cancels p's normal derivative on the sphere.
    """
    node, weight = roots_legendre(400)
    half, weight = 0.5 * (node + 1.0), 0.5 * weight
    factor = (sigmas[0] - sigmas[1]) / (sigmas[0] + sigmas[1])

    def potential(at: F64) -> F64:
        height, radius = np.abs(at[:, 2]), np.linalg.norm(at, axis=1)
        sine = at[:, 1] / np.hypot(at[:, 0], at[:, 1])
        total = -0.5 * at[:, 1] * height
        for order in range(1, degree + 1, 2):
            overlap = 2.0 * weight @ (half * np.sqrt(1.0 - half**2) * lpmv(1, order, half))
            a = overlap * (2 * order + 1) / (2 * order * (order + 1))
            total += RADIUS**2 * a / order * (radius / RADIUS) ** order * lpmv(1, order, height / radius) * sine
        return factor * total

    step = 1e-3
    gradient = [(potential(points + step * e) - potential(points - step * e)) / (2.0 * step) for e in np.eye(3)]
    return uniform_primary(points) - np.stack(gradient, axis=1)
