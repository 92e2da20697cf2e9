"""A coil's potential on a grid: interpolation, motions, checksum, bad input."""

import re

import numpy as np
import pytest

import coils
from coils.grid import PotentialGrid
from coils.potential import dipole_potential
from meshes import Pose

# A sheared, mirrored, shifted grid: 4 x 5 x 6 nodes.
AFFINE = np.array([[-3.0, 0.5, 0.0, 7.0], [0.2, 4.0, 0.1, -9.0], [0.0, -0.3, 2.5, 1.0], [0.0, 0.0, 0.0, 1.0]])
SHAPE = (4, 5, 6)
MOTION = Pose.from_axes((5.0, -3.0, 2.0), z=(0.2, -0.4, 0.9), y=(0.0, 1.0, 0.3)).matrix
DIPOLE = np.array([[3.0, -2.0, -8.0]]), np.array([[20.0, -30.0, 400.0]])  # mm, mm^2


def random_grid(rng: np.random.Generator) -> PotentialGrid:
    return PotentialGrid(1e-7 * rng.standard_normal((*SHAPE, 3)), AFFINE)


def inside(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return voxel coordinates and positions of random points within the grid of `AFFINE`."""
    voxels = rng.random((count, 3)) * (np.array(SHAPE) - 1.0)
    return voxels, voxels @ AFFINE[:3, :3].T + AFFINE[:3, 3]


def test_nodes_give_their_values_back(rng: np.random.Generator) -> None:
    grid = random_grid(rng)
    assert grid.shape == SHAPE
    found = grid.potential(grid.nodes())
    # The node may be missed by rounding of its position, some 1e-15 voxels.
    np.testing.assert_allclose(found, grid.values.reshape(-1, 3), rtol=0.0, atol=1e-13 * np.abs(grid.values).max())


def test_a_potential_that_is_trilinear_is_exact(rng: np.random.Generator) -> None:
    coefficients = rng.standard_normal((8, 3))

    def field(voxels: np.ndarray) -> np.ndarray:
        i, j, k = voxels.T
        return np.column_stack([np.ones_like(i), i, j, k, i * j, j * k, k * i, i * j * k]) @ coefficients

    indices = np.indices(SHAPE, dtype=float).reshape(3, -1).T
    grid = PotentialGrid(field(indices).reshape(*SHAPE, 3), AFFINE)
    voxels, points = inside(rng, 40_000)  # more than one block
    np.testing.assert_allclose(grid.potential(points), field(voxels), rtol=0.0, atol=1e-12 * 250)  # rounding


def test_the_error_falls_with_the_square_of_the_spacing() -> None:
    """Against the dipole itself, 15 to 35 mm below it."""
    points = np.random.default_rng(3).uniform([-15, -15, 15], [15, 15, 30], (500, 3))
    exact = 1e-7 * dipole_potential(points, *DIPOLE)
    errors = []
    for count in (9, 17, 33, 65):
        spacing = 32.0 / (count - 1)
        affine = np.diag([spacing, spacing, spacing, 1.0])
        affine[:3, 3] = (-16.0, -16.0, 6.0)
        nodes = np.indices((count,) * 3, dtype=float).reshape(3, -1).T * spacing + affine[:3, 3]
        grid = PotentialGrid(1e-7 * dipole_potential(nodes, *DIPOLE).reshape(count, count, count, 3), affine)
        errors.append(np.linalg.norm(grid.potential(points) - exact) / np.linalg.norm(exact))
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert (orders > 1.9).all(), orders
    assert errors[-1] < 2e-4  # measured 1.2e-4 at 0.5 mm, 7.5e-3 at 4 mm


def test_outside_is_an_error_and_says_how_many_points(rng: np.random.Generator) -> None:
    grid = PotentialGrid(rng.standard_normal((3, 3, 3, 3)), np.diag([10.0, 10.0, 10.0, 1.0]))
    points = np.array([[5.0, 5.0, 5.0], [20.5, 0.0, 0.0], [0.0, -1e-3, 0.0], [20.0, 20.0, 20.0]])
    with pytest.raises(
        ValueError, match=r"inside the coil's grid, x 0 to 20, y 0 to 20, z 0 to 20 mm .* 2 of 4 outside"
    ):
        grid.potential(points)
    border = np.array([[20.0, 20.0, 20.0], [0.0, 0.0, 0.0], [20.0 + 1e-12, -1e-12, 7.0]])
    assert np.isfinite(grid.potential(border)).all()
    with pytest.raises(ValueError, match="points must be finite"):
        grid.potential([[np.nan, 1.0, 1.0]])


def test_extent_of_a_sheared_grid_holds_all_nodes(rng: np.random.Generator) -> None:
    grid = random_grid(rng)
    nodes = grid.nodes()
    np.testing.assert_allclose(grid.extent, [nodes.min(axis=0), nodes.max(axis=0)], atol=1e-12)  # rounding


def test_a_moved_grid_moves_points_and_vectors(rng: np.random.Generator) -> None:
    grid = random_grid(rng)
    _, points = inside(rng, 50)
    moved = grid.transformed(MOTION).potential(points @ MOTION[:3, :3].T + MOTION[:3, 3])
    expected = grid.potential(points) @ MOTION[:3, :3].T
    np.testing.assert_allclose(moved, expected, rtol=0.0, atol=1e-12 * np.abs(expected).max())  # rounding
    with pytest.raises(ValueError, match="matrix"):
        grid.transformed(np.diag([2.0, 1.0, 1.0, 1.0]))


def test_a_coil_of_a_grid_has_potential_and_direction() -> None:
    grid = PotentialGrid(np.full((3, 3, 3, 3), [0.0, -2e-7, 0.0]), np.diag([50.0, 50.0, 50.0, 1.0]))
    coil = coils.Coil(grid=grid, name="even")
    np.testing.assert_allclose(coil.potential(np.array([[1.0, 2.0, 3.0]])), [[0.0, -2.0, 0.0]], rtol=1e-12)
    np.testing.assert_array_equal(coil.current_direction, [0.0, 1.0, 0.0])
    other = coils.Coil(grid=grid.scaled(2.0), name="even")
    assert coil.checksum != other.checksum
    np.testing.assert_array_equal(grid.scaled(2.0).values, 2.0 * grid.values)
    assert grid.checksum == PotentialGrid(grid.values, grid.affine).checksum
    assert grid.checksum != grid.transformed(MOTION).checksum
    assert "3 x 3 x 3 nodes" in repr(grid)


def test_direction_of_a_circular_coil_on_a_grid_is_taken_beside_its_centre() -> None:
    """At the centre all that is left is rounding, and that has no direction."""
    coil = coils.load_coil("magstim-90mm-circular")
    affine = np.diag([5.0, 5.0, 5.0, 1.0])
    affine[:3, 3] = (-60.0, -20.0, 10.0)
    grid = PotentialGrid(np.ones((25, 9, 5, 3)), affine)
    values = 1e-7 * coil.potential(grid.nodes())
    sampled = coils.Coil(grid=PotentialGrid(values.reshape(grid.values.shape), affine), name="sampled")
    np.testing.assert_allclose(sampled.current_direction, coil.current_direction, atol=1e-3)
    np.testing.assert_allclose(coil.current_direction, [0.0, -1.0, 0.0], atol=1e-12)  # by symmetry: rounding
    assert sampled.grid is not None
    # A grid elsewhere knows no such direction, and the summary says so.
    far = coils.Coil(grid=sampled.grid.transformed(Pose.from_axes((0, 0, 80), (0, 0, 1), (0, 1, 0)).matrix), name="far")
    with pytest.raises(ValueError, match="inside the coil's grid"):
        _ = far.current_direction
    assert "current_direction  unknown, as no field is known 20 mm below the origin" in far.summary()
    assert far.grid is not None
    assert far.grid.contains(np.array([[0, 0, 90], [0, 0, 110], [0, 0, 111], [0, 0, 20.0]])).tolist() == [1, 1, 0, 0]


GOOD = np.ones((2, 2, 2, 3))


@pytest.mark.parametrize(
    ("values", "affine", "words"),
    [
        ("text", np.eye(4), "values must be an array of real numbers; got str"),
        (1j * GOOD, np.eye(4), "values must be an array of real numbers"),
        (GOOD > 0.0, np.eye(4), "values must be an array of real numbers"),
        (np.ones((2, 2, 2)), np.eye(4), r"shape \(nx, ny, nz, 3\); got shape \(2, 2, 2\)"),
        (np.ones((2, 2, 2, 2)), np.eye(4), r"shape \(nx, ny, nz, 3\); got shape"),
        (np.ones((2, 1, 2, 3)), np.eye(4), "at least 2 nodes along each axis"),
        (np.full((2, 2, 2, 3), np.nan), np.eye(4), "finite; got 8 nodes"),
        (0.0 * GOOD, np.eye(4), "not all be zero"),
        (GOOD, np.eye(3), r"affine must be an array of shape \(4, 4\)"),
        (GOOD, "text", "affine must be an array of real numbers"),
        (GOOD, np.full((4, 4), np.inf), "affine must be finite"),
        (GOOD, np.ones((4, 4)), "last row 0, 0, 0, 1"),
        (GOOD, np.diag([1.0, 0.0, 1.0, 1.0]), "affine must span space"),
        (GOOD, [[1, 1, 0, 0], [1, 1 + 1e-9, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], "affine must span space"),
    ],
)
def test_grids_that_cannot_be(values: object, affine: object, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        PotentialGrid(values, affine)  # type: ignore[arg-type]  # on purpose
    assert re.match(r"^\S[^\n]* must [^\n]+; got [^\n]+\.$", str(caught.value))
