"""Same input, same machine: same bits, whatever the number of threads of numba and of BLAS.

Run as a program, this file prints the checksums of everything that is computed on the way to a result; the test
runs it once for each setting, as the number of threads is fixed when a process starts.
"""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import coils
import efield
import meshes
from efield.bem.krylov import gmres
from efield.bem.operator import BemOperator

# numba's threads, then those of BLAS. OpenBLAS goes parallel from 10,000 entries of a dot product on.
SETTINGS = [(1, 1), (2, 2), (3, 1), (4, 2)]


def checksum(*arrays):
    digest = hashlib.sha256()
    for array in arrays:
        assert np.isfinite(array).all()
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def head():
    """Three spheres, 15,360 triangles: above the length from which BLAS splits a dot product."""
    return meshes.sphere_head([90.0, 84.0, 78.0], [0.465, 0.01, 0.275], subdivisions=4)


def krylov(rng):
    """GMRES over vectors of 200,000 entries, where matrix-vector products of BLAS are split as well."""
    diagonal = rng.uniform(0.5, 2.0, (200_000, 1))
    result = gmres(lambda x, _: diagonal * x, rng.normal(size=(200_000, 3)), tolerance=1e-6)
    return checksum(result.solution, *(np.array(history) for history in result.residuals))


def one_surface(rng):
    """A product where the fluxes through a surface are one long dot product of BLAS."""
    operator = BemOperator(meshes.sphere_head([90.0], [0.33], subdivisions=5), tolerance=1e-2)
    return checksum(operator.apply(rng.normal(size=(len(operator.part), 1))))


def checksums():
    """Return the checksum of each stage, from the matrix to the search."""
    rng = np.random.default_rng(12)
    solver = efield.BemSolver(head(), tolerance=1e-5)
    operator = solver.operator
    vectors = rng.normal(size=(len(operator.part), 5))
    coil = coils.load_coil("magstim-70mm")
    target = efield.Target(position=[-38.0, -6.0, 65.0], radius=8.0)
    found = efield.optimize(solver, coil, target, spacing=8.0, angle_step=15.0, radius=8.0, gap=0.05)
    points = rng.uniform(-40.0, 40.0, (500, 3))
    charges = operator.solve(vectors[:, :1], tolerance=1e-4)
    reversed_ = operator.solve_transposed(vectors, tolerance=1e-3)
    return {
        "layer": checksum(operator.layer.normal_field(vectors)),
        "layer, transposed": checksum(operator.layer.normal_field_transposed(vectors)),
        "product": checksum(operator.apply(vectors)),
        "product, transposed": checksum(operator.apply_transposed(vectors)),
        "charges": checksum(charges.solution, np.array(charges.residuals[0])),
        "transposed solve, five at once": checksum(reversed_.solution),
        "field at points": checksum(operator.layer.field(points, vectors)),
        "primary field": checksum(solver.normal_primary(coil, found.pose, 1e6)),
        "product, one surface": one_surface(rng),
        "GMRES, long vectors": krylov(rng),
        "search: pose": checksum(found.pose.matrix),
        "search: field": checksum(found.field.vectors, found.vector_at_target, found.reciprocal_vector),
        "search: error estimate": checksum(np.array(found.field.error_estimate.relative_error)),
    }


def in_a_child(numba_threads, blas_threads):
    threads = {
        "NUMBA_NUM_THREADS": numba_threads,
        "OPENBLAS_NUM_THREADS": blas_threads,
        "OMP_NUM_THREADS": blas_threads,
        "MKL_NUM_THREADS": blas_threads,
    }
    path = os.pathsep.join(sys.path)  # what pytest imports is what the child tests
    done = subprocess.run(
        [sys.executable, __file__],
        env={**os.environ, **{name: str(count) for name, count in threads.items()}, "PYTHONPATH": path},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def runs():
    return {setting: in_a_child(*setting) for setting in SETTINGS}


@pytest.mark.slow
@pytest.mark.parametrize("setting", SETTINGS[1:])
def test_bits_do_not_depend_on_threads(runs, setting):
    one = runs[SETTINGS[0]]
    assert len(one) == 13
    different = [stage for stage, value in runs[setting].items() if value != one[stage]]
    assert not different, f"with {setting} threads of numba and BLAS other bits than with one: {', '.join(different)}"


def test_the_checksum_sees_one_bit():
    """The comparison can fail: one unit in the last place changes it."""
    values = np.linspace(0.1, 1.0, 7)
    assert checksum(values) == checksum(values.copy())
    moved = values.copy()
    moved[3] = np.nextafter(moved[3], 2.0)
    assert checksum(moved) != checksum(values)


if __name__ == "__main__":
    print(json.dumps(checksums()))
