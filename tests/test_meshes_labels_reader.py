"""Heads from label volumes: fields against closed forms and directly meshed ellipsoids, tables, cleaning, cortex."""

import json

import numpy as np
import pytest

import coils
import efield
import meshes
from efield.metrics import relative_error
from meshes import HeadModel, Interface, Surface
from meshes.checks import winding_numbers
from meshes.labels import LABEL_TABLES, read_labels
from meshes.labels.tables import label_table
from meshes.labels.volumes import cleaned, resampled
from tests.label_cases import ellipsoids, write_volume
from tests.touching_cases import RADIUS, SIGMAS, two_halves_field, uniform_primary

# From outside inwards, a third of a head's size: at 1 mm the layers are as few voxels thick as a head's at 3 mm.
SEMI_AXES = ((31.0, 25.0, 28.0), (27.0, 21.0, 24.0), (23.0, 17.0, 20.0), (19.5, 13.5, 16.5))
TISSUES = {1: "scalp", 2: "skull", 3: "grey", 4: "white"}


@pytest.fixture(scope="module")
def nested(tmp_path_factory):
    """Return a head of four ellipsoids from labels."""
    path = tmp_path_factory.mktemp("labels") / "ellipsoids.nii.gz"
    write_volume(path, *ellipsoids(SEMI_AXES))
    return read_labels(path, labels=TISSUES, triangles=12_000)


def test_field_in_ellipsoids_is_that_of_ellipsoids_meshed_directly(nested):
    ball = meshes.icosphere(4)
    names = list(TISSUES.values())
    sigmas = [0.0] + [meshes.TISSUES[name].conductivity for name in names]
    surfaces = [Surface(ball.vertices * axes, ball.triangles, n) for axes, n in zip(SEMI_AXES, names, strict=True)]
    direct = HeadModel(
        name="direct",
        interfaces=tuple(Interface(s, sigmas[k + 1], sigmas[k]) for k, s in enumerate(surfaces)),
        cortex=nested.cortex,
    )
    points = np.random.default_rng(7).normal(size=(400, 3))
    points *= 0.9 * np.random.default_rng(8).random((400, 1)) ** (1 / 3) / np.linalg.norm(points, axis=1, keepdims=True)
    points *= SEMI_AXES[-1]
    coil = coils.load_coil("magstim-70mm")
    pose = meshes.Pose([[0, 0, 1, -37], [0, 1, 0, 5], [-1, 0, 0, 10], [0, 0, 0, 1]])
    ours, theirs = (efield.BemSolver(head).solve(coil, pose, points=points).vectors for head in (nested, direct))
    assert relative_error(ours, theirs) < 0.012  # measured 0.007


def test_nested_head_is_what_was_put_in(nested):
    assert [interface.name for interface in nested.interfaces] == ["scalp", "skull", "grey", "white"]
    assert not nested.touching
    for interface, axes in zip(nested.interfaces, SEMI_AXES, strict=True):
        assert interface.surface.volume == pytest.approx(4.0 / 3.0 * np.pi * np.prod(axes), rel=0.004)
    assert sum(len(interface.surface.triangles) for interface in nested.interfaces) <= 12_000
    tissues = json.loads(nested.provenance["tissues"])
    assert tissues["skull"] == [0.01, "simnibs"]
    assert nested.provenance["labels"].startswith("own: given by the caller")
    assert nested.provenance["cleaned"] == "nothing to change"
    volumes = nested.provenance["volumes"]
    assert float(volumes.split("white ")[1].split()[0]) == pytest.approx(
        4e-3 / 3 * np.pi * np.prod(SEMI_AXES[3]), rel=0.01
    )


def test_cortex_is_the_middle_of_the_grey_matter(nested):
    cortex = nested.cortex
    assert cortex.is_closed
    assert cortex.volume > 0.0
    pial, white = nested.interface("grey").surface, nested.interface("white").surface
    assert (winding_numbers(cortex.vertices, pial) > 0.5).all()
    assert (winding_numbers(cortex.vertices, white) < 0.5).all()
    import igl

    near = [
        np.sqrt(igl.point_mesh_squared_distance(cortex.vertices, s.vertices, s.triangles.astype(np.int64))[0])
        for s in (pial, white)
    ]
    assert np.median(near[0] - near[1]) == pytest.approx(0.0, abs=0.1)
    assert np.percentile(np.abs(near[0] - near[1]), 95) < 0.5  # of 3 to 3.5 mm


def _halves(spacing, path):
    """Return the head of a ball whose halves differ, from labels."""
    labels, affine = ellipsoids([(RADIUS,) * 3], spacing=spacing, offset=(0.2 * spacing, 0.1 * spacing, 0.5 * spacing))
    z = (np.arange(labels.shape[2]) * spacing + affine[2, 3])[None, None, :]
    labels[(labels > 0) & (z < 0.0)] = 2
    return read_labels(
        write_volume(path, labels, affine),
        labels={1: "upper", 2: "lower"},
        conductivities={"upper": SIGMAS[0], "lower": SIGMAS[1]},
        cortex=meshes.icosphere(3, radius=0.9 * RADIUS),
        triangles=round(75_000 / spacing**2),
    )


def test_two_halves_of_a_ball_come_to_the_series(tmp_path):
    points = np.random.default_rng(4).normal(size=(300, 3))
    points *= (
        0.85
        * RADIUS
        * np.random.default_rng(5).random((300, 1)) ** (1 / 3)
        / np.linalg.norm(points, axis=1, keepdims=True)
    )
    points = points[np.abs(points[:, 2]) > 5.0]
    exact = two_halves_field(points)
    errors = []
    for spacing in (5.0, 2.5):
        head = _halves(spacing, tmp_path / f"{spacing:g}.nii.gz")
        assert head.touching
        assert head.scalp.is_closed
        operator = efield.BemSolver(head).operator
        normal = np.einsum("ij,ij->i", uniform_primary(operator.surface.centroids), operator.surface.normals)
        result = operator.solve(operator.contrast[:, None] * operator.without_net_flux(normal[:, None]), tolerance=1e-6)
        field = uniform_primary(points) + operator.layer.field(points, result.solution)[:, :, 0]
        errors.append(relative_error(field, exact))
    assert errors[1] < 0.01
    assert errors[1] < 0.6 * errors[0]


def test_touching_tissues_fill_the_head_and_meet_in_the_very_same_vertices(tmp_path):
    labels, affine = ellipsoids([(20.0, 18.0, 19.0), (16.0, 14.0, 15.0), (13.0, 11.0, 12.0)])
    # Without CSF above: there the brain touches the skull.
    shifted = np.roll(labels == 3, 3, axis=2) & (labels > 1)
    labels[labels == 3] = 2
    labels[shifted] = 3
    path = write_volume(tmp_path / "touching.nii", labels, affine)
    head = read_labels(path, labels={1: "skull", 2: "csf", 3: "brain"}, conductivities={"brain": 0.3}, triangles=6000)
    assert head.touching
    sides = {tuple(row) for interface in head.interfaces for row in interface.sigmas.tolist()}
    assert sides == {(0.01, 0.0), (1.654, 0.01), (0.3, 1.654), (0.3, 0.01)}
    own, csf = (head.interface(name).surface.vertices for name in ("brain", "csf"))
    common = {tuple(v) for v in own.tolist()} & {tuple(v) for v in csf.tolist()}
    assert len(common) > 10
    assert head.provenance["cortex"] == "1.5 mm below the surface of brain"


def test_tables_are_recognised_only_when_one_fits():
    def found(*values, file="labels.nii"):
        return label_table(None, np.array([0, *values]), file).name

    assert found(1, 2, 3, 4, 5) == "simnibs"
    assert found(1, 2, 3, 5, 6, 7, 8, 9) == "simnibs"
    assert found(1, 2, 3, 4, 5, 6, file="final_tissues.nii.gz") == "simnibs"
    assert found(2, 3, 41, 42, 24, 165, 258, 259) == "freesurfer"
    for ambiguous in ((1, 2, 3, 4, 5, 6), (1, 99)):
        with pytest.raises(
            ValueError, match=r"labels must be given for x.nii; got none, and its values 1, .* Pass labels="
        ):
            found(*ambiguous, file="x.nii")


def test_tables_hold_both_hemispheres_and_known_tissues():
    table = LABEL_TABLES["freesurfer"]
    for left, right in ((2, 41), (3, 42), (4, 43), (8, 47), (10, 49), (17, 53), (1024, 2024), (3024, 4024)):
        assert table.tissues[left] == table.tissues[right]
    for one in LABEL_TABLES.values():
        assert set(one.tissues.values()) <= set(meshes.TISSUES)
    assert all(table.tissues[label] == "grey" for label in table.cortical)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("own.toml", '[labels]\n1 = "scalp"\n2 = "skull"\n3 = "grey"\n4 = "white"\n'),
        ("plain.toml", '1 = "skin"\n2 = "Bone"\n3 = "GM"\n4 = "WM"\n'),
        (
            "lut.txt",
            "#No.\tLabel Name:\tR G B A\n0 Background 0 0 0 0\n1\tScalp\t1 2 3 0\n2 Bone 1 1 1 0\n3 GM\n4 WM # white\n",
        ),
    ],
)
def test_own_tables_are_read(tmp_path, file, text):
    path = tmp_path / file
    path.write_text(text)
    table = label_table(path, np.array([0, 1, 2, 3, 4]), "volume.nii")
    assert {label: tissue for label, tissue in table.tissues.items() if label} == TISSUES


def test_cleaning_fills_holes_and_joins_islands():
    labels = np.zeros((16, 16, 16), dtype=np.uint8)
    labels[2:14, 2:14, 2:14] = 1
    labels[5:11, 5:11, 5:11] = 2
    whole = labels.copy()
    labels[3, 3, 3] = 0  # a cavity
    labels[7:9, 7:9, 7] = 1  # an island in tissue 2
    labels[15, 15, 15] = 2  # apart from the head
    result, changed = cleaned(labels, {0: "air", 1: "scalp", 2: "skull"}, smallest=10)
    np.testing.assert_array_equal(result[2:-2, 2:-2, 2:-2], whole)
    assert changed == {
        "apart from the head, left out": 1,
        "small pieces of scalp, joined to their surroundings": 4,
        "air inside, filled with the nearest tissue": 1,
    }


def test_cleaning_leaves_an_outside_that_is_a_manifold():
    rng = np.random.default_rng(2)
    labels = np.zeros((14, 14, 14), dtype=np.uint8)
    labels[2:-2, 2:-2, 2:-2] = rng.random((10, 10, 10)) < 0.8
    labels[4:-4, 4:-4, 4:-4] = 2
    result, changed = cleaned(labels, {0: "air", 1: "scalp", 2: "skull"}, smallest=0)
    assert changed["air between voxels that touch at an edge, filled"] > 0
    from meshes.labels.nets import surface_net

    assert surface_net(result, np.eye(4)).region([1, 2]).is_closed


def test_resampling_keeps_place_and_volume():
    labels, affine = ellipsoids([(15.0, 12.0, 13.0), (9.0, 8.0, 7.0)])
    affine = affine @ np.diag([1.0, 1.4, 0.8, 1.0])
    coarse, moved = resampled(labels, affine, 2.0)
    for label in (1, 2):
        at = np.argwhere(labels == label).mean(axis=0) @ affine[:3, :3].T + affine[:3, 3]
        new = np.argwhere(coarse == label).mean(axis=0) @ moved[:3, :3].T + moved[:3, 3]
        np.testing.assert_allclose(new, at, atol=0.1)
        assert (coarse == label).sum() * 8.0 == pytest.approx((labels == label).sum() * 1.12, rel=0.06)


def test_head_read_twice_is_the_same_and_merged_tissues_go(tmp_path):
    path = write_volume(tmp_path / "head.nii.gz", *ellipsoids(((14.0, 12.0, 13.0), (11.0, 9.0, 10.0), (8.0, 6.0, 7.0))))
    settings = {"labels": {1: "scalp", 2: "eyes", 3: "skull"}, "merge": {"eyes": "scalp"}, "triangles": 2500}
    first, second = (read_labels(path, **settings) for _ in range(2))
    assert first.checksum == second.checksum
    assert [interface.name for interface in first.interfaces] == ["scalp", "skull"]
    assert first.name == "head"


def test_read_head_takes_label_volumes(tmp_path):
    path = write_volume(tmp_path / "small.nii.gz", *ellipsoids(((14.0, 12.0, 13.0), (9.0, 7.0, 8.0))))
    head = meshes.read_head(path, labels={1: "scalp", 2: "skull"}, conductivities={"skull": 0.02}, spacing=1.5)
    assert (head.name, head.interface("skull").sigma_inside) == ("small", 0.02)
    with pytest.raises(ValueError, match=r"tissues must be left out but for a mesh; got them for small\.nii\.gz"):
        meshes.read_head(path, tissues={1: "scalp"})
    (tmp_path / "x.toml").write_text("")
    with pytest.raises(ValueError, match=r"labels and spacing must be left out but for a label volume; got them for x"):
        meshes.read_head(tmp_path / "x.toml", labels="roast")


def test_freesurfer_labels_tell_the_cortex_from_other_grey_matter(tmp_path):
    labels, affine = ellipsoids(((20.0, 18.0, 19.0), (18.0, 16.0, 17.0), (15.5, 13.5, 14.5), (11.5, 9.5, 10.5)))
    numbers = np.array([0, 258, 165, 3, 2])[labels]
    x = (np.arange(labels.shape[0]) + affine[0, 3])[:, None, None]
    numbers[(labels == 3) & (x > 0.0)] = 47  # the right half is cerebellar cortex
    path = write_volume(tmp_path / "samseg.mgz", numbers, affine, np.int16)
    head = read_labels(path, triangles=5000)
    assert [interface.name for interface in head.interfaces] == ["scalp", "skull", "grey", "white"]
    assert head.provenance["labels"].startswith("freesurfer: ")
    assert head.provenance["cortex"].endswith("; cerebral cortex")
    assert head.cortex.vertices[:, 0].max() < 2.5
    assert head.cortex.vertices[:, 0].min() < -12.5
    outward = np.einsum("ij,ij->i", head.cortex.normals, head.cortex.centroids)
    assert (outward > 0.0).all()
