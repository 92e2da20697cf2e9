"""Casings clear of scalps: what lies between the vertices counts, shown by another library and by slow twins."""

import manifold3d
import numpy as np
import pytest

import coils
import meshes
from efield.casing_height import CELL, CasingHeight, Skin, casing_height
from efield.kernels.between import stand_off_between
from efield.kernels.placement import stand_off
from efield.placement import Clearance, frames
from meshes import Surface
from tests import reference

NAMES = ("magstim-70mm", "magstim-90mm-circular", "magstim-double-cone", "magventure-twin")


@pytest.fixture(scope="module")
def head():
    """A real head, with ears and nose, in triangles of 7 mm."""
    return meshes.load_head("pycortex", resolution="fast")


@pytest.fixture(scope="module")
def poses(head):
    """Contacts over random cortex, at random angles, tilted by up to 15 degrees."""
    rng = np.random.default_rng(11)
    points = head.cortex.vertices[rng.integers(len(head.cortex.vertices), size=40)]
    contacts, normals = meshes.scalp_points(head, points)
    axes = frames(normals, rng.normal(size=(40, 3)))
    tilt = np.tan(np.radians(rng.uniform(0.0, 15.0, 40)))[:, None]
    leaning = normals + tilt * axes[:, :, 0]
    return frames(leaning / np.linalg.norm(leaning, axis=1)[:, None], rng.normal(size=(40, 3))), contacts


def solid(surface):
    """The same closed surface in manifold3d, in double precision."""
    return manifold3d.Manifold(manifold3d.Mesh64(surface.vertices, surface.triangles.astype(np.uint64)))


def gaps(coil, head, rotations, origins):
    """Least distance between the triangles of casing and scalp (mm); 0 if they cross or touch."""
    casing, scalp = solid(coil.casing), solid(head.scalp)
    matrices = np.concatenate([rotations, origins[:, :, None]], axis=2)
    return np.array([casing.transform(matrix).min_gap(scalp, 30.0) for matrix in matrices])


@pytest.mark.parametrize("name", NAMES)
def test_no_casing_cuts_the_scalp(head, poses, name):
    """Half a millimetre is left in every pose; looking at vertices alone leaves 0.3 to 0.49 mm in some of each coil."""
    coil = coils.load_coil(name)
    rotations, contacts = poses
    origins = Clearance(head, coil, 0.5).origins(rotations, contacts)
    found = gaps(coil, head, rotations, origins)
    # Wings keep off 0.8 mm times their slope, or so, beyond what is asked.
    assert found.min() > 0.499
    assert np.median(found) < 1.3


def test_at_no_distance_a_casing_touches(head, poses):
    coil = coils.load_coil("magstim-90mm-circular")
    rotations, contacts = poses
    origins = Clearance(head, coil, 0.0).origins(rotations, contacts)
    scalp, casing = solid(head.scalp), solid(coil.casing)
    matrices = np.concatenate([rotations, origins[:, :, None]], axis=2)
    shared = [(casing.transform(matrix) ^ scalp).volume() for matrix in matrices]
    assert max(shared) < 0.1  # mm^3: rounding, and a rim that leans between two samples
    inwards = origins + 1.0 * rotations[:, :, 2]
    assert (gaps(coil, head, rotations, inwards) == 0.0).mean() > 0.9  # beside a steep rim 1 mm may be left over


def test_all_angles_at_once_are_the_single_ones(head, poses):
    rotations, contacts = poses[0][:6], poses[1][:6]
    clearance = Clearance(head, coils.load_coil("magstim-double-cone"), 2.0)
    angles = np.radians([0.0, 50.0, 190.0])
    together, _ = clearance.of_turns(rotations, contacts, angles)
    for column, angle in enumerate(angles):
        x, y, z = (rotations[:, :, axis] for axis in range(3))
        c, s = np.cos(angle), np.sin(angle)
        turned = np.ascontiguousarray(np.stack([c * x - s * y, c * y + s * x, z], axis=2))
        alone = np.linalg.norm(contacts - clearance.origins(turned, contacts), axis=1)
        np.testing.assert_allclose(together[:, column], alone, atol=1e-9)


def test_a_rim_between_two_vertices_counts():
    """A roof whose ridge rises beyond the casing: its rim must stay under the slope, not under the last vertex."""
    x, y = 30.0, 100.0
    vertices = np.array([[-x, -y, 0], [x, -y, 30], [x, y, 30], [-x, y, 0], [0, 0, -60]], dtype=float)
    triangles = np.array([[0, 1, 2], [0, 2, 3], [1, 0, 4], [2, 1, 4], [3, 2, 4], [0, 3, 4]])
    roof = Surface(vertices, triangles, "roof")
    assert roof.volume > 0.0
    skin = Skin(roof)
    plate = np.array([[-5, -5, -4], [5, -5, -4], [5, 5, -4], [-5, 5, -4]], dtype=float)
    box = np.vstack([plate, plate + np.array([0, 0, 4])])
    faces = [[0, 2, 1], [0, 3, 2], [4, 5, 6], [4, 6, 7]]
    for a, b in ((0, 1), (1, 2), (2, 3), (3, 0)):
        faces += [[a, b, b + 4], [a, b + 4, a + 4]]
    maps = CasingHeight(Surface(box, np.array(faces), "box"))
    axes = np.array([[[1.0, 0, 0], [0, -1.0, 0], [0, 0, -1.0]]])  # z down, onto the roof
    need = np.full((1, 1), -np.inf)
    contact = np.array([[0.0, 0.0, 15.0]])
    scalp = (skin.vertices, skin.triangles, skin.parts)
    heights = (maps.coarse, maps.coarse_most, maps.fine, maps.corner, CELL)
    stand_off_between(need, axes, contact, np.ones(1), np.zeros(1), *scalp, *heights)
    # At the rim, 5 mm up a slope of one half, and at most two cells and a part of a triangle beyond it.
    assert 2.5 <= need[0, 0] <= 2.5 + 0.5 * (2 * CELL + 0.1)


def test_the_maps_hold_every_point_of_a_casing():
    casing = coils.load_coil("magventure-cool-d-b80").casing
    maps = casing_height(casing)
    rng = np.random.default_rng(3)
    facing = casing.corners[casing.normals[:, 2] > 0.5]
    corners = facing[rng.integers(len(facing), size=5000)]
    points = np.einsum("nc,ncd->nd", rng.dirichlet(np.ones(3), size=5000), corners)
    cell = np.floor((points[:, :2] - maps.corner) / CELL).astype(int)
    # Samples are at most 0.15 mm away, on slopes of up to 1.7.
    assert (maps.fine[tuple(cell.T)] >= points[:, 2] - 0.25).all()
    # Rings hold their circles.
    ring = (np.hypot(points[:, 0], points[:, 1]) / CELL).astype(int)
    assert (maps.most[ring] >= maps.fine[tuple(cell.T)]).all()
    assert (maps.least[ring] <= maps.fine[tuple(cell.T)]).all()


def test_the_coarse_map_leaves_out_nothing(head, poses):
    """Against the slow twin, which looks at every point of every triangle; where the vertices alone fall most short."""
    maps, skin = casing_height(coils.load_coil("magstim-70mm").casing), Skin(head.scalp)
    rotations, contacts = poses
    needed = np.empty((len(contacts), 1))
    stand_off(needed[:, 0], rotations, contacts, skin.vertices, maps.fine, maps.corner, CELL)
    found = needed.copy()
    scalp = (skin.vertices, skin.triangles, skin.parts)
    heights = (maps.coarse, maps.coarse_most, maps.fine, maps.corner, CELL)
    stand_off_between(found, rotations, contacts, np.ones(1), np.zeros(1), *scalp, *heights)
    chosen = np.argsort((found - needed)[:, 0])[-2:]
    assert (found - needed)[chosen].min() > 0.1
    expected = reference.stand_off_between(
        needed[chosen], rotations[chosen], contacts[chosen], [0.0], *scalp, maps.fine, maps.corner, CELL
    )
    # Where the casing is plane the vertices are taken to suffice: its samples are uneven by so much.
    np.testing.assert_allclose(found[chosen], expected, atol=0.01)
