"""Iteration counts with and without what might speed up the linear solver; a part of speed.py."""

import time
from typing import Any

import numpy as np
import scipy.sparse
from _speed_cases import load, poses_over
from numpy.typing import NDArray

import coils
import efield
from efield.bem import quadrature
from efield.bem.krylov import gmres
from efield.bem.operator import BemOperator

F64 = NDArray[np.float64]


def leaf_inverses(operator: BemOperator) -> scipy.sparse.csr_array:
    """Return the inverses of the equation's blocks of every leaf of the octree, as a block-diagonal matrix.

    Entries are computed afresh, by solid angles from seven points, so as not to lean on how the layer stores its own.
    """
    tree, corners, areas = operator.layer.tree, operator.surface.corners, operator.areas
    rows, columns, values = [], [], []
    for cell in tree.leaves:
        own = tree.order[tree.start[cell] : tree.end[cell]]
        points = quadrature.points_on(corners[own], quadrature.SEVEN_POINTS)
        a, b, c = np.moveaxis(corners[own][:, :, None, None] - points, 1, 0)  # (targets, sources, points, 3)
        la, lb, lc = (np.linalg.norm(v, axis=-1) for v in (a, b, c))
        over = np.einsum("ijqd,ijqd->ijq", a, np.cross(b, c))
        dots = [np.einsum("ijqd,ijqd->ijq", v, w) for v, w in ((a, b), (b, c), (c, a))]
        angle = 2.0 * np.arctan2(over, la * lb * lc + dots[0] * lc + dots[1] * la + dots[2] * lb)
        field = angle @ quadrature.SEVEN_WEIGHTS * areas[own] / (4.0 * np.pi * areas[own, None])
        np.fill_diagonal(field, 0.0)
        block = 0.5 * np.eye(len(own)) - operator.contrast[own, None] * field
        rows.append(np.repeat(own, len(own)))
        columns.append(np.tile(own, len(own)))
        values.append(np.linalg.inv(block).ravel())
    size = len(operator.part)
    return scipy.sparse.csr_array(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=(size, size)
    )


def diagonal(operator: BemOperator) -> F64:
    """Return the diagonal of the whole matrix: 1/2, as K has none, and what moving the eigenvalue adds."""
    whole: F64 = 0.5 + operator.balance.membership @ operator.balance.charge_weight * operator.areas
    return whole


def preconditioners(*, head: str, tolerance: float = 1e-5, limit: int = 200) -> dict[str, Any]:
    """Solve for one pose in several ways, each to the same relative residual in its own norm."""
    model = load(head)
    coil = coils.load_coil("magstim-70mm")
    solver = efield.BemSolver(model, tolerance=tolerance)
    operator = solver.operator
    normal = solver.normal_primary(coil, poses_over(model, coil, 3)[0], 1e6)[:, None]
    rhs = operator.contrast[:, None] * operator.without_net_flux(normal)
    weight = operator.balance.charge_weight
    ones, areas = np.ones((len(rhs), 1)), np.sqrt(operator.areas)[:, None]
    reference = operator.solve(rhs, tolerance=1e-2 * tolerance).solution
    start = time.perf_counter()
    blocks = leaf_inverses(operator)
    inverted = time.perf_counter() - start
    scale = diagonal(operator)[:, None]
    variants = [
        ("as it is: eigenvalue shift, area weights", True, areas, None, 0.0),
        ("without the shift", False, areas, None, 0.0),
        ("without area weights", True, ones, None, 0.0),
        ("without either", False, ones, None, 0.0),
        ("with the diagonal (Jacobi)", True, areas, lambda x: x / scale, 0.0),
        ("with inverted leaf blocks", True, areas, lambda x: blocks @ x, inverted),
    ]
    found = []
    for name, shifted, root, inverse, setup in variants:
        operator.balance.charge_weight = weight if shifted else 0.0 * weight
        found.append({"variant": name, "set-up": setup, **_solve(operator, rhs, root, inverse, tolerance, limit)})
        if found[-1]["iterations"] is not None:
            charge = found[-1].pop("solution")
            distance = np.linalg.norm(areas * (charge - reference)) / np.linalg.norm(areas * reference)
            found[-1]["difference"] = float(distance)
    operator.balance.charge_weight = weight
    return {"head": head, "triangles": len(rhs), "limit": limit, "variants": found}


def _solve(
    operator: BemOperator, rhs: F64, root: F64, inverse: Any, tolerance: float, limit: int
) -> dict[str, Any]:
    """Solve A M^-1 y = b, q = M^-1 y, from the right, so that residuals mean the same with and without M."""

    def preconditioned(y: F64) -> F64:
        return y / root if inverse is None else inverse(y / root)

    start = time.perf_counter()
    try:
        result = gmres(
            lambda y, _: root * operator.apply(preconditioned(y)), root * rhs, tolerance=tolerance, max_iterations=limit
        )
    except RuntimeError:
        return {"iterations": None, "seconds": time.perf_counter() - start}
    taken = time.perf_counter() - start
    return {"iterations": result.iterations, "seconds": taken, "solution": preconditioned(result.solution)}
