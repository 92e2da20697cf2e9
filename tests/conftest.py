"""Fixtures that several test files share."""

import numpy as np
import pytest

import coils
import efield
import meshes


@pytest.fixture
def rng() -> np.random.Generator:
    """Return the random numbers of one test, the same in each run."""
    return np.random.default_rng(11)


@pytest.fixture(scope="session")
def small_head() -> meshes.HeadModel:
    """Return three spheres of 320 triangles with the region m1-hand on both sides: solved in a second."""
    spheres = meshes.sphere_head([90.0, 84.0, 78.0], [0.465, 0.01, 0.275], subdivisions=2)
    regions = {}
    for side, sign in (("left", -1.0), ("right", 1.0)):
        direction = np.array([sign * 0.5, -0.1, 0.86])
        heights = spheres.cortex.vertices @ direction
        regions[f"m1-hand-{side}"] = np.flatnonzero(heights > 0.9 * heights.max())
    return meshes.HeadModel(
        name="small", interfaces=spheres.interfaces, cortex=spheres.cortex, regions=regions, resolution="coarse"
    )


@pytest.fixture(scope="session")
def small_solver(small_head: meshes.HeadModel) -> efield.BemSolver:
    return efield.BemSolver(small_head)


@pytest.fixture(scope="session")
def small_result(small_solver: efield.BemSolver, small_head: meshes.HeadModel) -> efield.SearchResult:
    """Return the best placement over the region of the small head, by a coarse search."""
    target = efield.Target.named("m1-hand", small_head, side="left", radius=12.0)
    coil = coils.load_coil("magstim-70mm")
    return efield.optimize(small_solver, coil, target, spacing=8.0, angle_step=15.0, radius=8.0, gap=0.05)
