"""Heads put together from tetrahedra whose tissues meet along lines, with air inside or without."""

import numpy as np
import pytest

import coils
import efield
import meshes
from efield.metrics import relative_error
from meshes import Surface, read_head
from meshes.checks import winding_numbers
from meshes.touching import depths, touching_interfaces
from tests.msh_cases import cube_mesh, msh_bytes

CORTEX = Surface(*(lambda ball: (ball.vertices, ball.triangles))(meshes.icosphere(2, radius=35.0)), "cortex")


def _file(folder, tissue, counts=(6, 6, 6)):
    nodes, tetrahedra, tags = cube_mesh(counts, tissue)
    file = folder / "head.msh"
    file.write_bytes(msh_bytes("4.1", "little", nodes, [(4, tetrahedra, tags)]))
    return file


def _crossed(centre):
    """Scalp around a cube that is bone below, CSF and grey matter above, the latter two side by side."""
    if np.abs(centre).max() > 40.0:
        return 5
    if centre[2] < 0.0:
        return 4
    return 3 if centre[0] > 0.0 else 2


def test_tissues_that_meet_along_lines(tmp_path):
    head = read_head(_file(tmp_path, _crossed), cortex=CORTEX)
    assert head.touching
    assert [interface.name for interface in head.interfaces] == ["scalp", "skull", "csf", "grey"]
    assert head.scalp.is_closed
    assert [interface.surface.is_closed for interface in head.interfaces[1:]] == [
        False,
        False,
        True,
    ]  # of two, the outer one ends
    sides = {
        interface.name: {tuple(map(float, row)) for row in np.unique(interface.sigmas, axis=0)}
        for interface in head.interfaces
    }
    assert sides == {
        "scalp": {(0.465, 0.0)},
        "skull": {(0.01, 0.465)},
        "csf": {(1.654, 0.01), (1.654, 0.465)},
        "grey": {(0.275, 0.01), (0.275, 0.465), (0.275, 1.654)},
    }
    # Each tissue has the volume of its cubes of 20 mm, all triangles together the area of faces between tissues.
    volumes = [surface.volume for surface in head.enclosures]
    assert volumes == pytest.approx([20.0**3 * n for n in (32, 16, 216 - 64, 16)])  # rising conductivity
    area = sum(float(interface.surface.areas.sum()) for interface in head.interfaces)
    assert area == pytest.approx(20.0**2 * (6 * 36 + 6 * 16 + 16 + 8))


def test_air_within(tmp_path):
    head = read_head(_file(tmp_path, lambda c: 0 if np.abs(c - [0, 0, 10]).max() < 20 else 5), cortex=CORTEX)
    assert [interface.name for interface in head.interfaces] == ["scalp", "cavities"]
    assert head.touching
    cavity = head.interfaces[1].surface
    assert cavity.is_closed
    assert cavity.volume == pytest.approx(-(20.0**3) * 4)
    assert winding_numbers([[10.0, 10.0, 10.0]], head.enclosures[0]) == pytest.approx(0.0, abs=1e-9)


def _shell(radius: float, hole: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    outer, inner = meshes.icosphere(3, radius=radius), meshes.icosphere(3, radius=hole)
    triangles = np.concatenate([outer.triangles, inner.triangles + len(outer.vertices)]).astype(np.int64)
    sides = np.array([["scalp", "air"]] * len(outer.triangles) + [["air", "scalp"]] * len(inner.triangles))
    return np.concatenate([outer.vertices, inner.vertices]), triangles, sides


def test_field_around_a_cavity():
    """A hollow ball has the field of a full one: in spheres around one centre inner surfaces carry no charge."""
    interfaces = touching_interfaces(*_shell(90.0, 40.0), {"scalp": 0.33})
    head = meshes.HeadModel("hollow", interfaces, meshes.icosphere(3, radius=65.0))
    pose = meshes.Pose([[1.0, 0, 0, 0], [0, -1.0, 0, 0], [0, 0, -1.0, 100.0], [0, 0, 0, 1.0]])
    coil = coils.load_coil("magstim-70mm")
    field = efield.simulate(head, coil, pose)
    exact = efield.analytic.sphere_field(field.points, pose.apply(coil.positions), pose.apply_vectors(coil.moments))
    assert relative_error(field.vectors, exact) < 0.01
    # And one that does charge: off the centre the current has to go round it, none goes into it.
    at = np.array([0.0, 0.0, 30.0])
    vertices, triangles, sides = _shell(90.0, 20.0)
    vertices[len(vertices) // 2 :] += at
    shifted = meshes.HeadModel("hollow", touching_interfaces(vertices, triangles, sides, {"scalp": 0.33}), head.cortex)
    way = meshes.icosphere(2).vertices
    wall = efield.BemSolver(shifted).solve(coil, pose, points=at + 20.5 * way)
    through = np.einsum("ij,ij->i", wall.vectors, way)
    full = efield.analytic.sphere_field(wall.points, pose.apply(coil.positions), pose.apply_vectors(coil.moments))
    assert np.linalg.norm(through) < 0.12 * np.linalg.norm(np.einsum("ij,ij->i", full, way))


def test_unknown_tissues_lie_deepest():
    assert depths(np.array(["tumour", "white", "air", "lesion"])).tolist() == [14, 12, 0, 13]


def test_nothing_but_inside():
    vertices, triangles, sides = _shell(90.0, 40.0)
    with pytest.raises(ValueError, match="must meet the air somewhere"):
        touching_interfaces(vertices, triangles, np.full(sides.shape, "scalp"), {"scalp": 0.33})


def test_cortex_must_be_given_without_white_matter(tmp_path):
    with pytest.raises(
        ValueError, match=r"^cortex must be given for a head without grey and white matter; got air, csf"
    ):
        read_head(_file(tmp_path, _crossed))
