"""Sphere heads: geometry, order of convergence, displaced centres."""

import numpy as np
import pytest

import meshes

RADII = [90, 84, 78, 68, 58]
SIGMAS = [0.465, 0.010, 1.654, 0.275, 0.126]


def test_icosphere_counts_and_radius():
    for n in range(4):
        sphere = meshes.icosphere(n, radius=90.0, centre=(1, 2, 3))
        assert len(sphere.triangles) == 20 * 4**n
        assert len(sphere.vertices) == 10 * 4**n + 2
        assert sphere.is_closed
        distance = np.linalg.norm(sphere.vertices - (1, 2, 3), axis=1)
        assert np.allclose(distance, 90.0, rtol=1e-14, atol=0)


def test_icosphere_volume_and_area_converge_with_second_order():
    spheres = [meshes.icosphere(n) for n in (3, 4, 5)]
    for exact, values in (
        (4 / 3 * np.pi, [s.volume for s in spheres]),
        (4 * np.pi, [s.areas.sum() for s in spheres]),
    ):
        errors = exact - np.array(values)
        assert (errors > 0.0).all()
        # Halving the edges quarters the error; the next term of the expansion is below 1 % at 3 subdivisions.
        assert np.allclose(errors[:-1] / errors[1:], 4.0, rtol=0.02, atol=0)


def test_vertex_normals_of_a_sphere_are_radial():
    sphere = meshes.icosphere(4)
    cosine = np.einsum("ij,ij->i", sphere.vertex_normals, sphere.vertices)
    # The meshes' few irregular places leave less than a tenth of the facets' own tilt, 2.5 degrees.
    assert np.degrees(np.arccos(cosine.clip(-1, 1))).max() < 0.25


def test_head_follows_its_radii_and_conductivities():
    head = meshes.sphere_head(RADII, SIGMAS, subdivisions=2)
    assert [i.sigma_inside for i in head.interfaces] == SIGMAS
    assert [i.sigma_outside for i in head.interfaces] == [0.0, *SIGMAS[:-1]]
    assert head.scalp is head.interfaces[0].surface
    # 1.5 mm below the innermost but one, as issue 2 asks of the accuracy bars.
    assert np.allclose(np.linalg.norm(head.cortex.vertices, axis=1), 66.5, rtol=1e-14, atol=0)


def test_displaced_spheres_and_their_cortex():
    centres = np.array([[0, 0, 0], [0, 0, 0], [0, 0, 0], [3, 0, 2], [4, -2, 3]], dtype=float)
    head = meshes.sphere_head(RADII, SIGMAS, subdivisions=2, centres=centres)
    for interface, centre, radius in zip(head.interfaces, centres, RADII, strict=True):
        assert np.allclose(np.linalg.norm(interface.surface.vertices - centre, axis=1), radius, rtol=1e-13, atol=0)
    assert np.allclose(np.linalg.norm(head.cortex.vertices - centres[3], axis=1), 66.5, rtol=1e-13, atol=0)


def test_cortex_lies_midway_where_the_gap_is_thin():
    head = meshes.sphere_head([90, 80, 76], [0.465, 0.275, 0.126], centres=[[0, 0, 0], [0, 0, 0], [3, 0, 0]])
    out = 80.0 - np.linalg.norm(head.cortex.vertices, axis=1)
    inside = np.linalg.norm(head.cortex.vertices - (3, 0, 0), axis=1) - 76.0
    # The gap is 1 mm to 7 mm wide and the cortex within a few per cent of its middle.
    assert np.allclose(out, inside, rtol=0, atol=0.1)
    assert min(out.min(), inside.min()) > 0.45


def test_one_sphere_has_a_cortex_too():
    head = meshes.sphere_head([80], [0.33], subdivisions=1)
    assert np.allclose(np.linalg.norm(head.cortex.vertices, axis=1), 78.5, rtol=1e-14, atol=0)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (([90, 95], [1, 1]), r"radii must shrink .* got 95 mm in 90 mm with centres 0 mm apart \(gap -5 mm\)"),
        (([90, 80], [1]), r"conductivities must be as many as the radii, at least one; got 1 for 2 radii"),
        (([], []), r"conductivities must be as many as the radii, at least one; got 0 for 0 radii"),
        (([90, -3], [1, 1]), r"radii\[1\] must be a positive number; got -3\.0"),
        (([90], [0]), r"conductivities\[0\] must be a positive number; got 0\.0"),
        (([90], [float("nan")]), r"conductivities\[0\] must be a positive number; got nan"),
    ],
)
def test_bad_input_gets_a_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        meshes.sphere_head(*arguments)


def test_centres_and_subdivisions_are_checked():
    with pytest.raises(ValueError, match=r"radii must shrink .* centres 12 mm apart \(gap -2 mm\)"):
        meshes.sphere_head([90, 80], [1, 1], centres=[[0, 0, 0], [12, 0, 0]])
    with pytest.raises(ValueError, match=r"centres must be as many as the radii, 1; got 2"):
        meshes.sphere_head([90], [1], centres=np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"subdivisions must be a whole number from 0 to 8; got 2\.5"):
        meshes.icosphere(2.5)
