"""Slow twins, in plain numpy, of the compiled kernels: by other formulas where there are any.

Arguments and results have the shapes of the kernels' (see there); results are returned instead of filled in.
"""

import itertools
import math

import numpy as np
from numpy.polynomial import Polynomial, legendre

# ------------------------------------------------------------------------------------------------- quadrature


def triangle_rule(count):
    """Return count**2 barycentric points and weights: Gauss-Legendre on a square folded to a triangle (Duffy)."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    s, ws = 0.5 * (nodes + 1.0), 0.5 * weights
    u = np.repeat(s, count)
    v = np.tile(s, count) * (1.0 - u)
    w = 2.0 * np.repeat(ws, count) * np.tile(ws, count) * (1.0 - u)  # weights sum to one
    return np.column_stack([1.0 - u - v, u, v]), w


def geometry(corners):
    """Return unit normals, areas, centroids and radii of triangles (n, 3, 3)."""
    twice = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = 0.5 * np.linalg.norm(twice, axis=1)
    centroids = corners.mean(axis=1)
    radii = np.linalg.norm(corners - centroids[:, None], axis=2).max(axis=1)
    return twice / (2.0 * areas[:, None]), areas, centroids, radii


# --------------------------------------------------------------------------------------------- dipoles, panels


def dipole_potential(points, positions, moments):
    offset = points[:, None] - positions
    distance = np.linalg.norm(offset, axis=2, keepdims=True)
    return (np.cross(moments[None], offset) / distance**3).sum(axis=1)


def element_potential(points, positions, vectors):
    distance = np.linalg.norm(points[:, None] - positions.T, axis=2)
    return (1.0 / distance) @ vectors.T


def solid_angle(corners, point):
    """Return the signed solid angle of one triangle: the spherical excess (Girard) of its image on a unit sphere."""
    a, b, c = (corner / np.linalg.norm(corner) for corner in corners - point)

    def angle(at, one, other):
        first, second = np.cross(at, one), np.cross(at, other)
        return math.atan2(np.linalg.norm(np.cross(first, second)), first @ second)

    excess = angle(a, b, c) + angle(b, c, a) + angle(c, a, b) - math.pi
    return math.copysign(excess, a @ np.cross(b, c))


def triangle_field(corners, point, count=60):
    """Return Int (x - y) / |x - y|^3 dS(y) over one triangle by Gauss points; the point must stay off it."""
    barycentric, weights = triangle_rule(count)
    offset = point - barycentric @ corners
    area = 0.5 * np.linalg.norm(np.cross(corners[1] - corners[0], corners[2] - corners[0]))
    return area * (weights / np.linalg.norm(offset, axis=1) ** 3) @ offset


def triangle_potential(corners, point):
    """Return Int dS(y) / |x - y| over one triangle by adaptive quadrature of the inner integral's closed form.

    The triangle is covered by lines from its first corner's edge; nothing in it is shared with Wilton's formula but the
    integral of 1 / R along a line.
    """
    from scipy.integrate import quad

    a, b, c = corners
    area = 0.5 * np.linalg.norm(np.cross(b - a, c - a))
    base = np.linalg.norm(b - a)

    def line(t):
        start, end = a + t * (c - a), b + t * (c - b)
        along = (end - start) / np.linalg.norm(end - start)
        u, v = (start - point) @ along, (end - point) @ along
        rho = np.linalg.norm(start - point - u * along)
        return math.asinh(v / rho) - math.asinh(u / rho)

    # Lines parallel to the first edge, 2 area / base (1 - t) apart; the last one is a point.
    value, _ = quad(line, 0.0, 1.0 - 1e-14, epsabs=0.0, epsrel=1e-12, limit=200)
    return 2.0 * area / base * value


def panel_potentials(corners, points):
    """Return the potential (times 4 pi) of each triangle at each point, shape (n_points, n_triangles).

    By Gauss points, the more the nearer; points must be off the triangles by a tenth of their size.
    """
    _, areas, centroids, radii = geometry(corners)
    out = np.empty((len(points), len(corners)))
    for row, point in zip(out, points, strict=True):
        gap = np.linalg.norm(centroids - point, axis=1) / radii
        count = np.where(gap < 2.0, 60, np.where(gap < 5.0, 16, 6))
        for n in np.unique(count):
            barycentric, weights = triangle_rule(n)
            chosen = count == n
            nodes = np.einsum("qv,nvd->nqd", barycentric, corners[chosen])
            row[chosen] = areas[chosen] * ((1.0 / np.linalg.norm(nodes - point, axis=2)) @ weights)
    return out


def panel_fields(corners, points):
    """Return the field (times 4 pi) of each triangle at each point, shape (n_points, n_triangles, 3), in closed form.

    D. R. Wilton et al., IEEE Trans. Antennas Propag. 32:276-281 (1984).
    """
    normals = geometry(corners)[0]
    out = np.empty((len(points), len(corners), 3))
    for field, point in zip(out, points, strict=True):
        at = np.broadcast_to(point, (len(corners), 3))
        field[:] = -solid_angles(corners, at)[:, None] * normals
        for e in range(3):
            start, end = corners[:, e], corners[:, (e + 1) % 3]
            length = np.linalg.norm(end - start, axis=1)
            ends = np.linalg.norm(start - point, axis=1) + np.linalg.norm(end - point, axis=1)
            scale = np.log((ends + length) / (ends - length)) / length
            field += scale[:, None] * np.cross(end - start, normals)
    return out


def pair_entry(corners, i, j, count=12):
    """Return K_ij by a solid angle at many points of triangle j."""
    if i == j:
        return 0.0
    barycentric, weights = triangle_rule(count)
    _, areas, _, _ = geometry(corners[[i, j]])
    angles = [solid_angle(corners[i], point) for point in barycentric @ corners[j]]
    return areas[1] / areas[0] / (4.0 * math.pi) * (weights @ angles)


def solid_angles(corners, points):
    """Return the solid angles of triangles (n, 3, 3) seen from points (n, 3): van Oosterom and Strackee (1983)."""
    a, b, c = np.moveaxis(corners - points[:, None], 1, 0)
    la, lb, lc = (np.linalg.norm(v, axis=1) for v in (a, b, c))

    def dot(v, w):
        return np.einsum("nd,nd->n", v, w)

    return 2.0 * np.arctan2(dot(a, np.cross(b, c)), la * lb * lc + dot(a, b) * lc + dot(b, c) * la + dot(c, a) * lb)


def dense_matrix(corners):
    """Return K, the mean normal field on each triangle of a unit charge on each: more Gauss points the nearer.

    With twice as many points along each edge, products of random vectors with it change by 6e-6.
    """
    _, areas, centroids, radii = geometry(corners)
    gap = np.linalg.norm(centroids[:, None] - centroids, axis=2) / (radii[:, None] + radii)
    count = np.where(gap < 1.0, 16, np.where(gap < 2.0, 5, 3))
    matrix = np.zeros((len(corners), len(corners)))
    for points in np.unique(count):
        barycentric, weights = triangle_rule(points)
        i, j = np.nonzero((count == points) & ~np.eye(len(corners), dtype=bool))
        for b, w in zip(barycentric, weights, strict=True):
            matrix[i, j] += w * solid_angles(corners[i], b @ corners[j])
    return matrix * areas / areas[:, None] / (4.0 * math.pi)


def strips(matrix, leaves, targets, sources, start, end):
    """Entries of all pairs, leaf by leaf of the targets, each leaf a row-major matrix; pairs are sorted by target.

    Also where each leaf's entries start, where its columns start, and the first column of each pair.
    """
    parts, column = [], np.concatenate([[0], np.cumsum((end - start)[sources])])
    for leaf in leaves:
        columns = [np.arange(start[s], end[s]) for t, s in zip(targets, sources, strict=True) if t == leaf]
        parts.append(matrix[start[leaf] : end[leaf], np.concatenate(columns)])
    first_entry = np.concatenate([[0], np.cumsum([part.size for part in parts])])
    first_column = np.concatenate([[0], np.cumsum([part.shape[1] for part in parts])])
    return np.concatenate([part.ravel() for part in parts]), first_entry, first_column, column[:-1]


# --------------------------------------------------------------------------------------------------- harmonics


def orders(degree):
    """Return degree and order at each index n*n + n + m."""
    return [(n, m) for n in range(degree + 1) for m in range(-n, n + 1)]


def associated_legendre(n, m, t):
    """Return P_n^m(t) = (1 - t^2)^(m/2) d^m/dt^m P_n(t), without the Condon-Shortley sign."""
    polynomial = Polynomial(legendre.leg2poly([0.0] * n + [1.0]))
    derivative = polynomial.deriv(m) if m else polynomial
    return (1.0 - t * t) ** (m / 2.0) * derivative(t)


def surface_harmonics(points, degree):
    """Return the real Schmidt semi-normalised surface harmonics, shape (n_points, (degree+1)**2)."""
    x, y, z = points.T
    r = np.linalg.norm(points, axis=1)
    t = np.clip(np.divide(z, r, out=np.ones_like(r), where=r > 0.0), -1.0, 1.0)
    phi = np.arctan2(y, x)
    out = np.empty((len(points), (degree + 1) ** 2))
    for k, (n, m) in enumerate(orders(degree)):
        a = abs(m)
        scale = math.sqrt((2.0 if m else 1.0) * math.factorial(n - a) / math.factorial(n + a))
        out[:, k] = scale * associated_legendre(n, a, t) * (np.sin(a * phi) if m < 0 else np.cos(a * phi))
    return out


def _degrees(degree):
    return np.array([n for n, _ in orders(degree)])


def regular(points, degree):
    """Return R_k = r^n Y_k."""
    return surface_harmonics(points, degree) * np.linalg.norm(points, axis=1)[:, None] ** _degrees(degree)


def irregular(points, degree):
    """Return S_k = r^(-n-1) Y_k."""
    return surface_harmonics(points, degree) / np.linalg.norm(points, axis=1)[:, None] ** (_degrees(degree) + 1)


def regular_gradient(points, degree):
    """Return grad R_k, shape (n_points, (degree+1)**2, 3), by differences exact for polynomials to degree 8."""
    step = 0.05
    # Central differences of order 8: B. Fornberg, Math. Comput. 51:699-706 (1988).
    rule = {1: 4.0 / 5.0, 2: -1.0 / 5.0, 3: 4.0 / 105.0, 4: -1.0 / 280.0}
    return np.stack(
        [
            sum(
                weight * (regular(points + k * step * axis, degree) - regular(points - k * step * axis, degree))
                for k, weight in rule.items()
            )
            / step
            for axis in np.eye(3)
        ],
        axis=2,
    )


def triangle_rows(corners, normals, areas, centres, half_sizes, barycentric, weights, degree):
    """Return the charge and the normal rows."""
    charge, normal = [], []
    for corner, n, area, centre, half in zip(corners, normals, areas, centres, half_sizes, strict=True):
        points = (barycentric @ corner - centre) / half
        charge.append(area * weights @ regular(points, degree))
        normal.append(-weights @ (regular_gradient(points, degree) @ n) / (4.0 * math.pi * half))
    return np.array(charge), np.array(normal)


def local_field(points, cell, local, centres, half_sizes, degree):
    """Return the field of each point's local expansion, shape (n_rhs, n_points, 3)."""
    out = np.empty((local.shape[1], len(points), 3))
    for i, (point, c) in enumerate(zip(points, cell, strict=True)):
        gradient = regular_gradient((point - centres[c])[None] / half_sizes[c], degree)[0]
        out[:, i] = -local[c][:, : len(gradient)] @ gradient / (4.0 * math.pi * half_sizes[c])
    return out


def local_potential(points, cell, local, centres, half_sizes, degree):
    """Return the potential of each point's local expansion, shape (n_rhs, n_points)."""
    values = [
        local[c][:, : (degree + 1) ** 2] @ regular((point - centres[c])[None] / half_sizes[c], degree)[0]
        for point, c in zip(points, cell, strict=True)
    ]
    return np.array(values).T / (4.0 * math.pi)


# --------------------------------------------------------------------------------------------------- the octree


def box(level, index, edge=1.0):
    """Return the lower and the upper corner of a cell, in units of the lattice's edge."""
    low = np.asarray(index) * edge / 2.0**level
    return low, low + edge / 2.0**level


def is_far(level_a, index_a, level_b, index_b):
    """Tell whether the gap of two boxes along some axis is at least the edge of the larger one."""
    (low_a, high_a), (low_b, high_b) = box(level_a, index_a), box(level_b, index_b)
    return bool(np.maximum(low_b - high_a, low_a - high_b).max() >= 2.0 ** -min(level_a, level_b))


def interaction_lists(target, source):
    """Return the sets of far and of near pairs of cells of two octrees, by recursion."""
    far, near = set(), set()

    def children(tree, cell):
        return range(tree.child[cell], tree.child[cell] + tree.children[cell])

    def visit(t, s):
        if is_far(target.level[t], target.index[t], source.level[s], source.index[s]):
            far.add((t, s))
            return
        split_t = target.children[t] > 0 and (source.children[s] == 0 or target.level[t] <= source.level[s])
        split_s = source.children[s] > 0 and (target.children[t] == 0 or source.level[s] <= target.level[t])
        if not (split_t or split_s):
            near.add((t, s))
            return
        for a, b in itertools.product(children(target, t) if split_t else [t], children(source, s) if split_s else [s]):
            visit(a, b)

    for t, s in itertools.product(range(target.n_roots), range(source.n_roots)):
        visit(t, s)
    return far, near


# --------------------------------------------------------------------------------------------------- placement


def stand_off(rotations, origins, scalp, height, corner, step):
    out = np.full(len(rotations), -1e300)
    for i, (rotation, origin) in enumerate(zip(rotations, origins, strict=True)):
        local = (scalp - origin) @ rotation
        cell = np.floor((local[:, :2] - corner) / step).astype(int)
        under = ((cell >= 0) & (cell < height.shape)).all(axis=1)
        out[i] = max(out[i], *(height[tuple(c)] - z for c, z in zip(cell[under], local[under, 2], strict=True)), -1e300)
    return out


def stand_off_between(need, frames, contacts, angles, vertices, triangles, parts, height, corner, step):
    """Look at all points of all triangles; the coarse map of the kernel only saves time."""
    out = need.copy()
    for i, (frame, contact) in enumerate(zip(frames, contacts, strict=True)):
        for j, angle in enumerate(angles):
            c, s = np.cos(angle), np.sin(angle)
            x, y, z = frame.T
            local = (vertices - contact) @ np.column_stack([c * x - s * y, c * y + s * x, z])
            for triangle, k in zip(triangles, parts, strict=True):
                shares = np.array([(k - a - b, a, b) for a in range(k + 1) for b in range(k + 1 - a)]) / k
                points = shares @ local[triangle]
                cell = np.floor((points[:, :2] - corner) / step).astype(int)
                under = ((cell >= 0) & (cell < height.shape)).all(axis=1)
                over = height[tuple(cell[under].T)] - points[under, 2]
                out[i, j] = max(out[i, j], over.max(initial=-np.inf))
    return out


def interpolate(table, corner, step, point):
    """Return the cubic Lagrange interpolant of a table at a point, from the definition of the basis."""
    scaled = (point - corner) / step
    base = np.floor(scaled).astype(int)
    nodes = np.arange(-1, 3)
    basis = []
    for t in scaled - base:
        basis.append([np.prod([(t - o) / (n - o) for o in nodes if o != n]) for n in nodes])
    part = table[tuple(slice(b - 1, b + 3) for b in base)]
    return np.einsum("i,j,k,ijk...->...", *map(np.array, basis), part)


def functional_of_poses(rotations, origins, positions, moments, table, corner, step):
    out = np.zeros((len(rotations), table.shape[3]))
    for i, (rotation, origin) in enumerate(zip(rotations, origins, strict=True)):
        for position, moment in zip(positions, moments, strict=True):
            field = interpolate(table, corner, step, origin + rotation @ position)
            out[i] += field @ (rotation @ moment)
    return out


# --------------------------------------------------------------------------------------------------- long sums


def products(basis, vectors):
    """Return basis @ vectors.T, each a correctly rounded sum of its terms (math.fsum)."""
    return np.array([[math.fsum(row * vector) for vector in vectors] for row in basis]).reshape(
        len(basis), len(vectors)
    )


def combinations(weights, basis):
    """Return weights.T @ basis, one correctly rounded sum of products (math.fsum) for each entry."""
    return np.array([[math.fsum(column * factors) for column in basis.T] for factors in weights.T])
