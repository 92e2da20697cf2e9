"""Fits of dipoles: thin turns, the rim of what they span, and the memory that potentials take."""

import numpy as np
import pytest

from coils import Wire, coil_from_wires
from coils.fitting import middle
from coils.potential import dipole_potential, element_potential
from coils.wires import cut_wires, wire_potential

ANGLE = 2.0 * np.pi * np.arange(200) / 200
RING = np.column_stack([20.0 * np.cos(ANGLE), 20.0 * np.sin(ANGLE), np.full(200, -10.0)])
SQUARE = np.array([[-15.0, -15, -10], [15, -15, -10], [15, 15, -10], [-15, 15, -10]])


@pytest.mark.parametrize("path", [RING, SQUARE])
def test_dipoles_reach_the_error_of_a_single_turn(path: np.ndarray) -> None:
    # A turn's field is that of its rim: dipoles that all lie inside it came no nearer than 2 % for this ring.
    wire = Wire(path=path)
    coil = coil_from_wires([wire], name="turn", max_error=1e-3, elements=False)
    assert coil.n_dipoles < 100
    rng = np.random.default_rng(0)
    points = rng.uniform(-60.0, 60.0, (4000, 3))
    fan = np.concatenate([share * (path - [0, 0, -10]) + [0, 0, -10] for share in np.linspace(0.0, 1.0, 21)])
    near = np.concatenate([fan, cut_wires([wire], 1.0).points])
    points = points[np.linalg.norm(points[:, None] - near, axis=2).min(axis=1) > 11.0]
    exact = wire_potential(points, [wire])
    greatest = np.linalg.norm(wire_potential(path * [1.0, 1.0, 0.0], [wire]), axis=1).max()
    assert np.linalg.norm(coil.potential(points) - exact, axis=1).max() < 1.1e-3 * greatest


def test_middle_flattens_a_plate_and_leaves_its_rim() -> None:
    x, y, z = np.meshgrid(np.arange(-30.0, 31.0, 2.0), np.arange(-30.0, 31.0, 2.0), [-2.0, 2.0])
    plate = np.column_stack([x.ravel(), y.ravel(), z.ravel()])
    flat = middle(plate, 10.0)
    inner = np.abs(flat[:, :2]).max(axis=1) < 22.0
    assert np.abs(flat[inner, 2]).max() < 1.0
    assert np.abs(flat).max() < 30.5
    assert np.abs(flat[:, :2]).max() > 29.0


def test_potentials_of_many_sources_come_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    points, positions, vectors = (rng.normal(size=(count, 3)) for count in (50, 30, 30))
    points[:, 2] += 9.0
    whole = [potential(points, positions, vectors) for potential in (dipole_potential, element_potential)]
    monkeypatch.setattr("coils.potential._PAIRS", 210)  # seven points at a time
    parts = [potential(points, positions, vectors) for potential in (dipole_potential, element_potential)]
    np.testing.assert_allclose(parts, whole, rtol=1e-12, atol=1e-13)
    offset = points[:, None] - positions
    direct = (np.cross(vectors, offset) / np.linalg.norm(offset, axis=2)[..., None] ** 3).sum(axis=1)
    np.testing.assert_allclose(parts[0], direct, rtol=1e-9, atol=1e-12)
