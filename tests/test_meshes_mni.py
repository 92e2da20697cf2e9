"""Maps between heads and MNI space: matrices, SimNIBS' fields, the estimate from the shape of the brain."""

import gzip
import json
from pathlib import Path

import nibabel
import numpy as np
import pytest

import meshes
from meshes import HeadModel, Interface, Surface
from meshes.anatomy.fitting import estimate_mni_affine
from meshes.anatomy.mni import FIDUCIALS_MNI152, MNI305_TO_MNI152, MniAffine, mni_transform
from meshes.anatomy.mni_files import read_mni_transform
from meshes.anatomy.warps import CoordinateField, MniWarp

POINTS = np.random.default_rng(3).uniform([-60, -90, -40], [60, 60, 70], (200, 3))
LINEAR = np.array([[1.05, 0.02, -0.01, 1.0], [-0.03, 0.95, 0.1, -12.0], [0.01, -0.12, 1.08, 6.0], [0, 0, 0, 1.0]])


@pytest.fixture(scope="module")
def pycortex() -> HeadModel:
    return meshes.load_head("pycortex", resolution="fast")


@pytest.fixture(scope="module")
def fsaverage() -> HeadModel:
    return meshes.load_head("fsaverage")


def turned(head: HeadModel, matrix: np.ndarray, **more: object) -> HeadModel:
    """The head moved, without name, registration and the surfaces of pia and white matter."""
    kept = [i for i in head.interfaces if not i.name.startswith(("pial", "white", "ventricle"))]
    interfaces = [Interface(i.surface.transformed(matrix), i.sigma_inside, i.sigma_outside) for i in kept]
    return HeadModel(name="moved", interfaces=tuple(interfaces), cortex=head.cortex.transformed(matrix), **more)


def about_x(degrees: float, shift: tuple[float, float, float]) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[1, 0, 0, shift[0]], [0, c, -s, shift[1]], [0, s, c, shift[2]], [0, 0, 0, 1.0]])


# ---- matrices -------------------------------------------------------------------------------------------------------


def test_mni305_to_mni152_is_the_published_matrix(fsaverage: HeadModel) -> None:
    """FreeSurfer's page CoordinateSystems prints examples of both directions (8a, 8b), and the inverse matrix."""
    mni = mni_transform(fsaverage)
    np.testing.assert_allclose(mni.to_mni([[10, -20, 35]])[0], [10.695, -18.409, 36.137], atol=5e-3)
    np.testing.assert_allclose(mni.from_mni([[10, -20, 35]])[0], [9.3131, -21.5849, 33.8345], atol=5e-3)
    back = [[1.0022, 0.0071, -0.0177, 0.0528], [-0.0146, 0.9990, 0.0027, -1.5519], [0.0129, 0.0094, 1.0027, -1.2012]]
    np.testing.assert_allclose(np.linalg.inv(mni.matrix)[:3], back, atol=1e-4)
    np.testing.assert_allclose(mni.from_mni(mni.to_mni(POINTS)), POINTS, atol=1e-12)


@pytest.mark.parametrize(
    ("matrix", "sentence"),
    [
        (np.eye(3), r"matrix must be a matrix of shape \(4, 4\); got shape \(3, 3\)"),
        ("MNI", r"matrix must be a matrix of shape \(4, 4\)"),
        (np.full((4, 4), np.nan), "matrix must be finite"),
        (LINEAR.T, "matrix must end with the row 0 0 0 1; .* Is it transposed"),
        (np.diag([-1.0, 1, 1, 1]), "matrix must keep left and right apart; got a matrix that mirrors, determinant -1"),
        (np.diag([1.0, 1, 0, 1]), "matrix must stretch a head by 0.4 to 2.5; got 0 to 1"),
        (np.diag([1e-3, 1e-3, 1e-3, 1]), "got 0.001 to 0.001. Does it map mm to mm, and not voxels or metres"),
    ],
)
def test_impossible_matrices_get_one_sentence(matrix: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        MniAffine(matrix, "made up")  # type: ignore[arg-type]


# ---- fields ---------------------------------------------------------------------------------------------------------


def bend(points: np.ndarray) -> np.ndarray:
    """Map head to MNI: a bend of up to 10 mm with a closed inverse, then a matrix."""
    x, y, z = points.T
    bent = np.stack([x + 6.0 * np.sin(y / 30.0), y + 8.0 * np.cos(z / 40.0), z], axis=1)
    return bent @ LINEAR[:3, :3].T + LINEAR[:3, 3]


def unbend(points: np.ndarray) -> np.ndarray:
    x, y, z = ((points - LINEAR[:3, 3]) @ np.linalg.inv(LINEAR[:3, :3]).T).T
    y = y - 8.0 * np.cos(z / 40.0)
    return np.stack([x - 6.0 * np.sin(y / 30.0), y, z], axis=1)


def sampled(map_points: object, spacing: float, *, mirrored: bool = False, name: str = "field") -> CoordinateField:
    """Sample a map on a grid of 260 mm; an image like SimNIBS', also one whose first axis runs to the left."""
    count = int(260 / spacing) + 1
    affine = np.diag([-spacing if mirrored else spacing, spacing, spacing, 1.0])
    affine[:3, 3] = [130 if mirrored else -130, -150, -120]
    index = np.stack(np.meshgrid(*[np.arange(count)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    values = map_points(index @ affine[:3, :3].T + affine[:3, 3])  # type: ignore[operator]
    return CoordinateField(values.reshape(count, count, count, 3).astype(np.float32), affine, name)


@pytest.fixture(scope="module")
def warp() -> MniWarp:
    return MniWarp(sampled(bend, 4.0), sampled(unbend, 4.0, mirrored=True), "synthetic")


def test_the_bend_has_the_inverse_it_claims() -> None:
    np.testing.assert_allclose(unbend(bend(POINTS)), POINTS, atol=1e-10)


def test_a_field_gives_the_map_it_samples(warp: MniWarp) -> None:
    """Linear interpolation: h^2 / 8 times the second derivatives (6/900 and 8/1600 per mm) of what was sampled."""
    np.testing.assert_allclose(warp.to_mni(POINTS), bend(POINTS), atol=0.05)
    np.testing.assert_allclose(warp.from_mni(bend(POINTS)), POINTS, atol=0.05)
    assert warp.round_trip(POINTS).max() < 0.05


def test_interpolation_converges_quadratically() -> None:
    worst = [np.abs(sampled(bend, h).at(POINTS) - bend(POINTS)).max() for h in (13.0, 6.5, 3.25)]
    orders = np.log2(np.array(worst[:-1]) / worst[1:])
    assert (orders > 1.7).all()
    assert (orders < 2.4).all()


@pytest.mark.parametrize("kept", ["forward", "backward"])
def test_one_field_is_inverted(warp: MniWarp, kept: str) -> None:
    alone = MniWarp(**{"forward": None, "backward": None, kept: getattr(warp, kept)}, source="one way")
    assert alone.round_trip(POINTS).max() < 2e-3
    np.testing.assert_allclose(alone.to_mni(POINTS), bend(POINTS), atol=0.06)
    np.testing.assert_allclose(alone.from_mni(bend(POINTS)), POINTS, atol=0.06)


def test_points_outside_are_refused_or_mapped_with_a_warning(warp: MniWarp) -> None:
    far = np.vstack([POINTS[:3], [[0.0, 500.0, 0.0]]])
    with pytest.raises(ValueError, match=r"got 1 of 4 points outside field, first at \[0.0, 500.0, 0.0\] mm"):
        warp.to_mni(far)
    forgiving = MniWarp(warp.forward, warp.backward, "synthetic", outside="affine")
    with pytest.warns(UserWarning, match="1 of 4 points outside field.*which the others leave by up to"):
        found = forgiving.to_mni(far)
    np.testing.assert_allclose(found[:3], warp.to_mni(POINTS[:3]), atol=1e-12)
    np.testing.assert_allclose(found[3], forgiving.affine.to_mni(far[3:])[0], atol=1e-9)
    # The inverse refuses as well what nothing in the grid goes to.
    with pytest.raises(ValueError, match="1 of 1 points outside field"):
        MniWarp(warp.forward, None, "one way").from_mni([[0.0, 500.0, 0.0]])


def test_unknown_voxels_are_outside(warp: MniWarp) -> None:
    """SPM's fields end in NaN."""
    values = warp.forward.values.copy()  # type: ignore[union-attr]
    values[:20] = np.nan
    holed = MniWarp(CoordinateField(values, warp.forward.affine, "holed"), None, "holed")  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="outside holed"):
        holed.to_mni([[-100.0, 0.0, 0.0]])
    np.testing.assert_array_equal(holed.to_mni([[40.0, 0.0, 0.0]]), warp.to_mni([[40.0, 0.0, 0.0]]))


def test_what_is_no_map_of_coordinates_is_refused() -> None:
    with pytest.raises(ValueError, match=r"affine part of field must stretch.*or displacements"):
        sampled(lambda p: bend(p) - p @ np.diag([1.05, 0.95, 1.08]), 20.0)
    with pytest.raises(ValueError, match=r"affine part of field must stretch.*metres"):
        sampled(lambda p: 1e-3 * bend(p), 20.0)
    with pytest.raises(ValueError, match="affine part of field must keep left and right apart"):
        sampled(lambda p: bend(p) * [-1.0, 1.0, 1.0], 20.0)
    with pytest.raises(ValueError, match="hardly any"):
        sampled(lambda p: np.full_like(p, np.nan), 20.0)
    with pytest.raises(ValueError, match=r"values of field must have the shape \(nx, ny, nz, 3\)"):
        CoordinateField(np.zeros((4, 4, 4)), np.eye(4))
    with pytest.raises(ValueError, match="affine of field must be invertible"):
        CoordinateField(np.zeros((4, 4, 4, 3)), np.diag([1.0, 1.0, 0.0, 1.0]))
    with pytest.raises(ValueError, match="forward or backward must be a CoordinateField; got None for both"):
        MniWarp(None, None, "nothing")


# ---- files ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def m2m(tmp_path: Path, warp: MniWarp) -> Path:
    """A folder as SimNIBS writes it."""
    folder = tmp_path / "m2m_ernie" / "toMNI"
    folder.mkdir(parents=True)
    for field, name in ((warp.forward, "Conform2MNI_nonl"), (warp.backward, "MNI2Conform_nonl")):
        nibabel.Nifti1Image(field.values, field.affine).to_filename(folder / f"{name}.nii.gz")  # type: ignore[union-attr]
    np.savetxt(folder / "MNI2conform_12DOF.txt", np.linalg.inv(LINEAR))
    return folder.parent


def test_a_simnibs_folder_is_read(m2m: Path, warp: MniWarp) -> None:
    both = read_mni_transform(m2m)
    assert both.source == "SimNIBS: Conform2MNI_nonl.nii.gz and MNI2Conform_nonl.nii.gz"
    np.testing.assert_allclose(both.to_mni(POINTS), warp.to_mni(POINTS), atol=1e-5)
    np.testing.assert_allclose(both.from_mni(POINTS), warp.from_mni(POINTS), atol=1e-5)
    forward = read_mni_transform(m2m / "toMNI" / "Conform2MNI_nonl.nii.gz")
    np.testing.assert_array_equal(forward.to_mni(POINTS), both.to_mni(POINTS))
    backward = read_mni_transform(m2m / "toMNI" / "MNI2Conform_nonl.nii.gz")
    np.testing.assert_array_equal(backward.from_mni(POINTS), both.from_mni(POINTS))
    affine = read_mni_transform(m2m, kind="12dof")
    np.testing.assert_allclose(affine.to_mni(POINTS), POINTS @ LINEAR[:3, :3].T + LINEAR[:3, 3], atol=1e-9)
    sphere = meshes.sphere_head([90], [0.33], subdivisions=1)
    np.testing.assert_array_equal(mni_transform(sphere, path=m2m).to_mni(POINTS), both.to_mni(POINTS))
    with pytest.raises(ValueError, match="got m2m_ernie without those of kind '6dof'"):
        read_mni_transform(m2m, kind="6dof")


def test_an_image_of_five_axes_is_read(m2m: Path, warp: MniWarp) -> None:
    values = warp.forward.values[:, :, :, None]  # type: ignore[union-attr]
    file = m2m / "toMNI" / "Conform2MNI_nonl.nii.gz"
    nibabel.Nifti1Image(values, warp.forward.affine).to_filename(file)  # type: ignore[union-attr]
    np.testing.assert_allclose(read_mni_transform(file).to_mni(POINTS), warp.to_mni(POINTS), atol=1e-5)


XFM = "MNI Transform File\n% tkregister2\nTransform_Type = Linear;\nLinear_Transform =\n{};\n"


def test_a_freesurfer_subject_is_read(tmp_path: Path) -> None:
    """Scanner RAS to MNI305 by the file; surface RAS as well, by the place of the volume's middle, here (5, -7, 11)."""
    folder = tmp_path / "bert" / "mri" / "transforms"
    folder.mkdir(parents=True)
    rows = "\n".join(" ".join(f"{number:.6f}" for number in row) for row in LINEAR[:3])
    (folder / "talairach.xfm").write_text(XFM.format(rows))
    # A conformed volume, x left, y down, z to the front, whose middle lies at (5, -7, 11) in the scanner.
    middle, axes = np.array([5.0, -7.0, 11.0]), np.array([[-1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    voxels = np.eye(4)
    voxels[:3, :3], voxels[:3, 3] = axes, middle - axes @ [128, 128, 128]
    volume = nibabel.freesurfer.MGHImage(np.zeros((256, 256, 256), dtype=np.uint8), voxels)
    volume.to_filename(folder.parent / "orig.mgz")
    mni305 = POINTS @ LINEAR[:3, :3].T + LINEAR[:3, 3]
    expected = mni305 @ MNI305_TO_MNI152[:3, :3].T + MNI305_TO_MNI152[:3, 3]
    for path in (tmp_path / "bert", folder / "talairach.xfm"):
        np.testing.assert_allclose(read_mni_transform(path).to_mni(POINTS), expected, atol=1e-9)
        surface = read_mni_transform(path, frame="surface")
        np.testing.assert_allclose(surface.to_mni(POINTS - middle), expected, atol=1e-4)
    (folder.parent / "orig.mgz").write_bytes(b"no volume")
    with pytest.raises(ValueError, match=r"orig.mgz must be a FreeSurfer volume"):
        read_mni_transform(tmp_path / "bert", frame="surface")


def test_a_head_that_was_read_brings_its_map(m2m: Path, tmp_path: Path) -> None:
    """read_head says where the mesh lay, and what talairach.xfm holds."""
    sphere = meshes.sphere_head([90], [0.33], subdivisions=1)

    def read_from(**provenance: str) -> HeadModel:
        return HeadModel(name="read", interfaces=sphere.interfaces, cortex=sphere.cortex, provenance=provenance)

    (m2m / "ernie.msh").write_text("stands for the mesh")
    found = mni_transform(read_from(source=str(m2m / "ernie.msh")))
    np.testing.assert_array_equal(found.to_mni(POINTS), read_mni_transform(m2m).to_mni(POINTS))
    found = mni_transform(read_from(talairach=json.dumps(LINEAR.tolist())))
    expected = MniAffine(MNI305_TO_MNI152 @ LINEAR, "").to_mni(POINTS)
    np.testing.assert_allclose(found.to_mni(POINTS), expected, atol=1e-9)
    assert found.source == "FreeSurfer: talairach.xfm, then MNI305 to MNI152"
    with pytest.raises(ValueError, match=r"talairach\.xfm of read must keep left and right apart"):
        mni_transform(read_from(talairach=json.dumps((LINEAR @ np.diag([-1.0, 1, 1, 1])).tolist())))
    with pytest.raises(ValueError, match="to be laid over fsaverage; got 'read'"):
        mni_transform(read_from(source=str(tmp_path / "gone.msh")))


def broken(kind: str, m2m: Path) -> Path:
    """Return a damaged file or folder of some kind."""
    file = m2m / "toMNI" / "Conform2MNI_nonl.nii.gz"
    plain = gzip.decompress(file.read_bytes())
    if kind == "truncated":
        file.write_bytes(file.read_bytes()[:20000])
    elif kind == "cut header":
        file.write_bytes(gzip.compress(plain[:200]))
    elif kind == "huge header":
        file.write_bytes(gzip.compress(plain[:42] + np.array([32767] * 3, dtype="<i2").tobytes() + plain[48:3000]))
    elif kind == "garbage":
        file.write_bytes(b"\x00\xff" * 500)
    elif kind == "one value":
        nibabel.Nifti1Image(np.zeros((5, 5, 5), np.float32), np.eye(4)).to_filename(file)
    elif kind == "mirrored":
        np.savetxt(m2m / "toMNI" / "MNI2conform_12DOF.txt", np.diag([-1.0, 1.0, 1.0, 1.0]))
        return m2m / "toMNI" / "MNI2conform_12DOF.txt"
    elif kind == "short":
        (m2m / "toMNI" / "MNI2conform_6DOF.txt").write_text("1 0 0 0\n0 1 0 0\n")
        return m2m / "toMNI" / "MNI2conform_6DOF.txt"
    elif kind == "words":
        (m2m / "toMNI" / "MNI2conform_6DOF.txt").write_text("one two three")
        return m2m / "toMNI" / "MNI2conform_6DOF.txt"
    elif kind == "grid xfm":
        (m2m / "talairach.xfm").write_text("MNI Transform File\nTransform_Type = Grid_Transform;\n")
        return m2m / "talairach.xfm"
    elif kind == "unknown name":
        return file.rename(file.with_name("y_warp.nii.gz"))
    elif kind == "empty":
        (m2m / "empty").mkdir()
        return m2m / "empty"
    return file


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("truncated", "Conform2MNI_nonl.nii.gz must hold .* numbers; got fewer .* It is truncated"),
        ("cut header", "Conform2MNI_nonl.nii.gz must be a NIfTI image; got one that cannot be read"),
        ("huge header", r"must have a shape that the file has room for, .* got \(32767, 32767, 32767, 3\) in"),
        ("garbage", "Conform2MNI_nonl.nii.gz must be a NIfTI image"),
        ("one value", r"must hold coordinates, shape \(nx, ny, nz, 3\); got shape \(5, 5, 5\)"),
        ("mirrored", "MNI2conform_12DOF.txt: matrix must keep left and right apart"),
        ("short", "MNI2conform_6DOF.txt must hold 4 rows of 4 numbers; got 8 numbers"),
        ("words", "MNI2conform_6DOF.txt must hold 4 rows of 4 numbers; got 'one two three'"),
        ("grid xfm", "talairach.xfm must begin with 'MNI Transform File' and hold a Linear_Transform"),
        ("unknown name", r"path must be called Conform2MNI.* which tells which way the map goes; got y_warp.nii.gz"),
        ("empty", r"path must be a folder with Conform2MNI_nonl.nii.gz, .* got empty without"),
    ],
)
def test_damaged_files_get_one_sentence(kind: str, sentence: str, m2m: Path) -> None:
    with pytest.raises(ValueError, match=sentence):
        read_mni_transform(broken(kind, m2m))


def test_a_missing_file_and_unknown_options() -> None:
    with pytest.raises(FileNotFoundError, match="path must name a file or folder that exists; got 'm2m_nobody'"):
        read_mni_transform("m2m_nobody")
    with pytest.raises(ValueError, match="frame must be one of"):
        read_mni_transform(".", frame="tkr")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"head must be a meshes\.HeadModel; got NoneType"):
        mni_transform(None)  # type: ignore[arg-type]


# ---- the estimate ---------------------------------------------------------------------------------------------------


def test_the_registered_map_is_found_again_on_a_head_that_is_turned(pycortex: HeadModel) -> None:
    """Nodded by 30 degrees and shifted by 6 cm: the same places in MNI, up to the resolution."""
    move = about_x(-30.0, (10.0, -60.0, 20.0))
    found = estimate_mni_affine(turned(pycortex, move))
    points = pycortex.cortex.vertices[::20]
    expected = mni_transform(pycortex).to_mni(points)
    apart = np.linalg.norm(found.to_mni(points @ move[:3, :3].T + move[:3, 3]) - expected, axis=1)
    assert apart.max() < 3.0  # 2.3 mm (0.9 in the mean) from the map of the skull before it was rebuilt
    assert found.residual == pytest.approx(3.3, abs=0.4)
    assert "inner_skull, cerebellum, cortex of moved over fsaverage's" in found.source


def test_an_affine_image_of_fsaverage_is_mapped_back_exactly(fsaverage: HeadModel) -> None:
    found = estimate_mni_affine(turned(fsaverage, np.linalg.inv(LINEAR)))
    np.testing.assert_allclose(found.to_mni(POINTS), POINTS @ (MNI305_TO_MNI152 @ LINEAR)[:3, :3].T
                               + (MNI305_TO_MNI152 @ LINEAR)[:3, 3], atol=0.05)  # fmt: skip
    assert found.residual is not None
    assert found.residual < 0.05


def test_the_commissures_of_the_default_head_lie_where_mni152_has_them(pycortex: HeadModel) -> None:
    """Read off the T1 of the pycortex distribution (to about 1 mm), where no surface that is fitted comes near.

    MNI152: (0, 4, -5) and (0, -24, -2), from M. Brett's page on the MNI brain and Talairach's atlas (voxels (91, 131,
    67) and (91, 103, 70) of the 1 mm template there, to a voxel).
    """
    anterior, posterior = (0.5, 40.5, -1.5), (0.5, 13.5, -5.5)
    found = mni_transform(pycortex).to_mni([anterior, posterior])
    assert (np.linalg.norm(found - [(0.0, 4.0, -5.0), (0.0, -24.0, -2.0)], axis=1) < 4.5).all()


def test_painted_regions_lie_near_their_usual_coordinates(pycortex: HeadModel) -> None:
    """M1 hand (+-37, -21, 58), leg (+-6, -28, 70), S1 hand (+-40, -24, 50): reviews, to 5 mm; people differ by 10."""
    usual = {"m1-hand": (37, -21, 58), "m1-leg": (6, -28, 70), "s1-hand": (40, -24, 50)}
    mni = mni_transform(pycortex)
    distances = []
    for name, point in usual.items():
        for side, sign in (("left", -1.0), ("right", 1.0)):
            centre = pycortex.cortex.vertices[pycortex.regions[f"{name}-{side}"]].mean(axis=0)
            distances.append(np.linalg.norm(mni.to_mni([centre])[0] - np.array(point) * [sign, 1, 1]))
    assert np.median(distances) < 9.0
    assert max(distances) < 15.0


def test_a_head_without_folds_is_laid_by_its_fiducials_with_a_warning() -> None:
    """A sphere that carries MNI152's fiducials, turned and shrunk: the similarity is found exactly."""
    move = about_x(25.0, (5.0, 6.0, 7.0)) @ np.diag([0.9, 0.9, 0.9, 1.0])
    points = {name: (move @ [*point, 1.0])[:3] for name, point in FIDUCIALS_MNI152.items()}
    sphere = turned(meshes.sphere_head([90], [0.33], subdivisions=2), np.eye(4), fiducials=points)
    with pytest.warns(UserWarning, match="MNI coordinates of moved rest on its fiducials only"):
        found = mni_transform(sphere)
    np.testing.assert_allclose(found.to_mni(POINTS @ move[:3, :3].T + move[:3, 3]), POINTS, atol=1e-9)
    with pytest.raises(
        ValueError, match="head must have a folded cortex, an interface 'inner_skull', or the fiducials"
    ):
        mni_transform(meshes.sphere_head([90], [0.33], subdivisions=2))


def test_a_shape_that_is_no_brain_is_refused() -> None:
    spheres = meshes.sphere_head([90, 80], [0.465, 0.01], subdivisions=3)
    named = tuple(
        Interface(Surface(i.surface.vertices, i.surface.triangles, name), i.sigma_inside, i.sigma_outside)
        for i, name in zip(spheres.interfaces, ("scalp", "inner_skull"), strict=True)
    )
    head = HeadModel(name="ball", interfaces=named, cortex=spheres.cortex)
    with pytest.raises(
        ValueError, match=r"head must have the shape of a human brain, .* got 'ball', whose surfaces stay"
    ):
        mni_transform(head)
