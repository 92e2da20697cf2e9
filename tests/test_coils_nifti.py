"""Files of the vector potential on a grid: real ones against dipoles, what headers can say, round trips."""

import gzip
import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import coils
from coils import Coil, Segments
from coils.assembly import Assembly, Dipoles, Element
from coils.files import read_coil, write_coil
from coils.grid import PotentialGrid
from coils.stimulators import Stimulator
from efield import metrics
from meshes import Surface, icosphere

REAL = Path(__file__).parents[2] / "shared" / "data" / "formats"
needs_real_files = pytest.mark.skipif(not REAL.is_dir(), reason="the real files of other programs are not here")

AFFINE = np.array([[2.5, 0.0, 0.0, -5.0], [0.0, 3.0, 0.0, -6.0], [0.0, 0.0, 4.0, 1.0], [0.0, 0.0, 0.0, 1.0]])
SHAPE = (5, 4, 3)
BOX = [[-20.0, -12.0, 4.0], [20.0, 12.0, 20.0]]
BALL = icosphere(1)
CASING = Surface(30.0 * BALL.vertices + (0.0, 0.0, -30.5), BALL.triangles, "casing")


def random_values(*, sets: int | None = None) -> np.ndarray:
    shape = (*SHAPE, 3) if sets is None else (*SHAPE, sets, 3)
    return 1e-7 * np.random.default_rng(5).standard_normal(shape)


def save(path: Path, values: np.ndarray, **header: object) -> Path:
    """Write an image as other programs do: by nibabel, with fields of the header set by hand."""
    image = nib.Nifti1Image(values, AFFINE)
    image.header.set_xyzt_units("mm")
    for key, value in header.items():
        image.header[key] = value
    image.to_filename(path)
    return path


def two_dipoles(**more: object) -> Coil:
    return Coil(
        **{"positions": [[30.1, 0, -6], [-30.2, 0, -6]], "moments": [[0, 0, 0.04], [0, 0, -0.04]], "name": "two"} | more
    )


def two_stimulators() -> Coil:
    stimulators = [Stimulator("A", max_didt=147e6), Stimulator("B", max_didt=100e6)]
    parts = [([[30.1, 0, -6]], [[0, 0, 0.04]]), ([[-30.2, 1, -7]], [[0, 0.01, 0.03]])]
    elements = [Element(Dipoles(*part), stimulator=index) for index, part in enumerate(parts)]
    return Assembly(name="both", elements=tuple(elements), stimulators=tuple(stimulators)).coil()


# Real files


@needs_real_files
def test_testcoil_on_its_grid_is_testcoil_of_dipoles() -> None:
    """No node lies on one of the four dipoles: the nearest is 1 mm off, so all 9261 count."""
    sampled, dipoles = read_coil(REAL / "testcoil.nii.gz"), read_coil(REAL / "testcoil.ccd")
    assert sampled.grid is not None
    nodes = sampled.grid.nodes()
    distance = np.linalg.norm(nodes[:, None] - dipoles.positions, axis=2).min()
    assert distance == pytest.approx(1.0)
    at_nodes = sampled.potential(nodes)
    np.testing.assert_allclose(at_nodes, 1e7 * sampled.grid.values.reshape(-1, 3), rtol=1e-11, atol=1e-20)  # rounding
    # The file is in single precision: measured 2.6e-8, the mean rounding of float32, and at the worst node 5.6e-8.
    assert metrics.relative_error(at_nodes, dipoles.potential(nodes)) < 1e-7
    errors = np.linalg.norm(at_nodes - dipoles.potential(nodes), axis=1)
    assert (errors / np.linalg.norm(dipoles.potential(nodes), axis=1)).max() < 1e-7


@needs_real_files
def test_what_testcoil_says_of_itself() -> None:
    coil = read_coil(REAL / "testcoil.nii.gz")
    assert (coil.name, coil.max_didt, coil.n_dipoles) == ("Test coil", 100e6, 0)
    assert re.fullmatch(r"testcoil\.nii\.gz \(sha256 291c93c6891e\)", coil.source)
    dipoles = read_coil(REAL / "testcoil.ccd")
    # Linear between nodes of 10 mm, 20 mm from the dipoles.
    np.testing.assert_allclose(coil.current_direction, dipoles.current_direction, atol=0.02)
    assert "a grid" in coil.summary()


@needs_real_files
@pytest.mark.parametrize("suffix", [".nii.gz", ".nii"])
def test_testcoil_read_write_read(suffix: str, tmp_path: Path) -> None:
    coil = read_coil(REAL / "testcoil.nii.gz")
    write_coil(coil, tmp_path / f"x{suffix}")
    again = read_coil(tmp_path / f"x{suffix}")
    assert again.checksum == coil.checksum
    assert (again.name, again.max_didt) == (coil.name, coil.max_didt)


@needs_real_files
def test_d70_sampled_is_d70_linearised(tmp_path: Path) -> None:
    """In the plane of the cortex; the error falls with the spacing squared, see write_nifti's notes."""
    coil = read_coil(REAL / "MagStim_D70.ccd")
    points = np.random.default_rng(2).uniform([-60, -40, 18], [60, 40, 30], (2000, 3))
    exact = coil.potential(points)
    errors = []
    for spacing in (8.0, 4.0):
        write_coil(coil, tmp_path / "x.nii.gz", spacing=spacing, extent=[[-64, -48, 16], [64, 48, 32]])
        sampled = read_coil(tmp_path / "x.nii.gz")
        errors.append(metrics.relative_error(sampled.potential(points), exact))
        assert (sampled.name, sampled.max_didt) == ("D70", 114.73e6)
        assert sampled.stimulator is not None
        assert (sampled.stimulator.name, sampled.stimulator.brand) == ("Magstim Rapid", "Magstim")
    assert errors[1] < 3e-3
    assert errors[0] / errors[1] > 3.0


# Written


def test_nodes_hold_the_potential_itself(tmp_path: Path) -> None:
    coil = two_dipoles(segments=Segments([[0.3, 0.1, -5]], [[1.0, 2.0, 0.0]]))
    write_coil(coil, tmp_path / "x.nii.gz", spacing=[3.0, 4.0, 0.1 + 0.2], extent=BOX)
    grid = read_coil(tmp_path / "x.nii.gz").grid
    assert grid is not None
    assert grid.shape == (15, 7, 55)  # 40 / 3, 24 / 4 and 16 / 0.3, rounded up
    np.testing.assert_allclose(grid.extent[0], BOX[0])
    assert (grid.extent[1] >= BOX[1]).all()
    np.testing.assert_array_equal(1e-7 * coil.potential(grid.nodes()).reshape(grid.values.shape), grid.values)


def test_other_programs_read_what_is_written(tmp_path: Path) -> None:
    write_coil(two_dipoles(max_didt=1e8), tmp_path / "x.nii.gz", spacing=4, extent=BOX)
    image = nib.load(tmp_path / "x.nii.gz")
    assert image.shape == (11, 7, 5, 3)
    assert image.get_data_dtype() == np.float64
    assert image.header.get_xyzt_units()[0] == "mm"
    np.testing.assert_array_equal(image.affine[:3], [[4, 0, 0, -20], [0, 4, 0, -12], [0, 0, 4, 4]])
    node = np.array([[-20.0 + 3 * 4, -12.0 + 2 * 4, 4.0 + 4]])
    np.testing.assert_array_equal(image.get_fdata()[3, 2, 1], 1e-7 * two_dipoles().potential(node)[0])
    assert bytes(image.header["descrip"].item()) == b"dIdtmax=100.0;coilname=two"


def test_a_box_of_whole_spacings_gets_no_further_layer(tmp_path: Path) -> None:
    write_coil(two_dipoles(), tmp_path / "x.nii", spacing=0.1, extent=[[0, 0, 0], [0.3, 0.3, 0.6]])
    grid = read_coil(tmp_path / "x.nii").grid
    assert grid is not None
    assert grid.shape == (4, 4, 7)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii"])
def test_the_same_coil_gives_the_same_bits(suffix: str, tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        write_coil(two_dipoles(), tmp_path / name / f"x{suffix}", spacing=8, extent=BOX)
    first, second = ((tmp_path / name / f"x{suffix}").read_bytes() for name in "ab")
    assert first == second


@pytest.mark.parametrize("motion", [np.eye(4), [[0.6, -0.8, 0, 1 / 3], [0.8, 0.6, 0, 7], [0, 0, 1, 2], [0, 0, 0, 1]]])
def test_any_grid_comes_back_bit_by_bit(motion: np.ndarray, tmp_path: Path) -> None:
    """Also one whose affine single precision cannot hold: then the file is NIfTI-2."""
    coil = Coil(grid=PotentialGrid(random_values(), AFFINE).transformed(motion), name="grid")
    write_coil(coil, tmp_path / "x.nii.gz")
    again = read_coil(tmp_path / "x.nii.gz")
    assert again.checksum == coil.checksum
    assert again.name == "grid"
    assert again.stimulator is None
    kind = nib.Nifti1Image if np.array_equal(motion, np.eye(4)) else nib.Nifti2Image
    assert type(nib.load(tmp_path / "x.nii.gz")) is kind


def test_two_stimulators_are_two_channels(tmp_path: Path) -> None:
    coil = two_stimulators()
    write_coil(coil, tmp_path / "x.nii.gz", spacing=4, extent=BOX)
    assert nib.load(tmp_path / "x.nii.gz").shape == (11, 7, 5, 2, 3)
    again = read_coil(tmp_path / "x.nii.gz")
    assert [channel.max_didt for channel in again.channels] == [147e6, 100e6]
    nodes = PotentialGrid(np.ones((11, 7, 5, 3)), np.diag([4.0, 4.0, 4.0, 1.0])).nodes() + BOX[0]
    for channel, original in zip(again.channels, coil.channels, strict=True):
        np.testing.assert_allclose(channel.potential(nodes), original.potential(nodes), rtol=1e-12, atol=1e-15)
    rates = [1.5e6, -0.5e6]
    found, wanted = again.driven(rates).potential(nodes), coil.driven(rates).potential(nodes)
    assert metrics.relative_error(found, wanted) < 1e-12
    # And once more, now from its own grids: the same bits.
    write_coil(again, tmp_path / "y.nii.gz")
    third = read_coil(tmp_path / "y.nii.gz")
    assert [c.checksum for c in third.channels] == [c.checksum for c in again.channels]


def test_casing_where_simnibs_looks(tmp_path: Path) -> None:
    write_coil(two_dipoles(casing=CASING), tmp_path / "x.nii.gz", spacing=8, extent=BOX)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["x.nii.gz", "x.nii.stl"]
    again = read_coil(tmp_path / "x.nii.gz")
    assert again.casing is not None
    assert again.casing.volume == pytest.approx(CASING.volume, rel=1e-6)  # single precision
    assert again.source.endswith(", x.nii.stl")
    (tmp_path / "x.nii.stl").rename(tmp_path / "x.stl")  # that of x.ccd
    assert read_coil(tmp_path / "x.nii.gz").casing is not None
    assert read_coil(tmp_path / "x.nii.gz", sidecars=False).casing is None
    with pytest.raises(ValueError, match=r"no casing of another coil beside it; got .*x.stl"):
        write_coil(two_dipoles(), tmp_path / "x.nii.gz", spacing=8, extent=BOX)


@pytest.mark.parametrize("name", ["a;b", "none", "ü" * 40, "ä;" * 60, "plain"])
def test_names_that_fit_and_names_that_do_not(name: str, tmp_path: Path) -> None:
    write_coil(two_dipoles(name=name, max_didt=1e8), tmp_path / "x.nii.gz", spacing=8, extent=BOX)
    again = read_coil(tmp_path / "x.nii.gz")
    assert again.max_didt == 1e8
    assert again.name == ("plain" if name == "plain" else "x")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"spacing": 0.0}, "spacing must be one or three positive numbers; got 0.0"),
        ({"spacing": [1.0, 2.0]}, "spacing must be one or three positive numbers"),
        ({"spacing": np.nan}, "spacing must be one or three positive numbers"),
        ({"spacing": "fine"}, "spacing must be one or three positive numbers"),
        ({"extent": [[0, 0, 0], [10, 10, 0]]}, "extent must be a lowest and a highest corner"),
        ({"extent": [0, 1, 2]}, "extent must be"),
        ({"extent": [[0, 0, 0]]}, "extent must be a lowest and a highest corner"),
        ({"spacing": 1e-3}, "at most 22,369,621 nodes; got 9.6e"),
        ({"spacing": 5.0, "extent": [[-29.8, -10, -11], [20, 10, 11]]}, "grid must have no node on .* got 1, first"),
    ],
)
def test_grids_that_cannot_be_written(arguments: dict[str, object], words: str, tmp_path: Path) -> None:
    coil = two_dipoles(positions=[[30.1, 0, -6], [0.2, 0, -6]])
    with pytest.raises(ValueError, match=words) as caught:
        write_coil(coil, tmp_path / "x.nii.gz", **arguments)  # type: ignore[arg-type]  # on purpose
    assert re.match(r"^\S[^\n]* must [^\n]+; got [^\n]+\.$", str(caught.value))
    assert not list(tmp_path.iterdir())


def test_a_handle_elsewhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"handle must be along -y for .nii.gz"):
        write_coil(two_dipoles(handle=(1, 0, 0)), tmp_path / "x.nii.gz", spacing=8, extent=BOX)


def test_the_default_grid_holds_a_head_on_any_side() -> None:
    """Named coils have no dipole on a node of it, so that `write_coil(coil, "x.nii.gz")` works."""
    from coils.files.nifti import _check_nodes, _lattice

    affine, shape = _lattice(None, None, 1)
    assert shape == (121, 81, 81)
    for name in coils.list_coils():
        _check_nodes(coils.load_coil(name), affine, shape)


def test_all_formats_hold_the_same_coil(tmp_path: Path) -> None:
    coil = two_dipoles(max_didt=1e8, casing=CASING)
    for suffix in (".ccd", ".tcd", ".nii.gz"):
        write_coil(coil, tmp_path / f"x{suffix}", **({"spacing": 4, "extent": BOX} if suffix == ".nii.gz" else {}))
    from_ccd, from_tcd, sampled = (read_coil(tmp_path / f"x{suffix}") for suffix in (".ccd", ".tcd", ".nii.gz"))
    assert from_tcd.checksum == coil.checksum
    np.testing.assert_array_equal(from_ccd.positions, from_tcd.positions)
    np.testing.assert_array_equal(from_ccd.moments, from_tcd.moments)
    assert from_ccd.max_didt == from_tcd.max_didt == sampled.max_didt == 1e8
    assert sampled.grid is not None
    nodes = sampled.grid.nodes()
    assert metrics.relative_error(sampled.potential(nodes), from_tcd.potential(nodes)) < 1e-12
    np.testing.assert_array_equal(from_tcd.handle, sampled.handle)


# Read


def test_nothing_outside_the_grid(tmp_path: Path) -> None:
    coil = read_coil(save(tmp_path / "x.nii.gz", random_values()))
    with pytest.raises(ValueError, match=r"x -5 to 5, y -6 to 3, z 1 to 9 mm .* got 1 of 2 outside"):
        coil.potential(np.array([[0.0, 0.0, 5.0], [0.0, 0.0, 20.0]]))


def test_one_stimulator_as_five_dimensions(tmp_path: Path) -> None:
    coil = read_coil(save(tmp_path / "x.nii.gz", random_values(sets=1)))
    assert coil.grid is not None
    np.testing.assert_array_equal(coil.grid.values, random_values())
    assert coil.channels == (coil,)
    assert coil.name == "x"


def test_several_stimulators_in_one_file(tmp_path: Path) -> None:
    values = random_values(sets=3)
    coil = read_coil(save(tmp_path / "x.nii.gz", values, descrip=b"dIdtmax=147,100,50;coilname=three"))
    assert coil.name == "three"
    assert [channel.max_didt for channel in coil.channels] == [147e6, 100e6, 50e6]
    for index, channel in enumerate(coil.channels):
        assert channel.grid is not None
        np.testing.assert_array_equal(channel.grid.values, values[:, :, :, index])


@pytest.mark.parametrize("kind", ["<f4", ">f4", "<f8", ">f8"])
def test_byte_orders_and_types(kind: str, tmp_path: Path) -> None:
    values = random_values().astype(kind)
    header = nib.Nifti1Header(endianness=kind[0])
    header.set_data_dtype(kind)
    image = nib.Nifti1Image(values, AFFINE, header)
    image.to_filename(tmp_path / "x.nii")
    grid = read_coil(tmp_path / "x.nii").grid
    assert grid is not None
    np.testing.assert_array_equal(grid.values, values.astype(np.float64))
    np.testing.assert_array_equal(grid.affine, AFFINE)


def test_scaling_qform_extensions_and_second_version(tmp_path: Path) -> None:
    stored = np.round(1e10 * random_values()).astype(np.float32)
    image = nib.Nifti2Image(stored, AFFINE)
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"made by hand" * 20))
    image.set_sform(None, code=0)
    image.set_qform(AFFINE, code=1)
    data = bytearray(image.to_bytes())
    fields = nib.nifti2.Nifti2Header.template_dtype.fields
    assert fields is not None
    for key, value in (("scl_slope", 1e-10), ("scl_inter", 2e-9)):
        start = fields[key][1]
        data[start : start + 8] = np.float64(value).tobytes()
    (tmp_path / "x.nii.gz").write_bytes(gzip.compress(bytes(data)))
    grid = read_coil(tmp_path / "x.nii.gz").grid
    assert grid is not None
    np.testing.assert_array_equal(grid.values, 1e-10 * stored.astype(np.float64) + 2e-9)
    np.testing.assert_allclose(grid.affine, AFFINE, atol=1e-12)  # from a quaternion
    np.testing.assert_array_equal(nib.load(tmp_path / "x.nii.gz").get_fdata(), grid.values)


def test_descriptions_of_other_programs_do_not_matter(tmp_path: Path) -> None:
    coil = read_coil(save(tmp_path / "x.nii.gz", random_values(), descrip=b"FSL5.0 \xff\xfe"))
    assert (coil.name, coil.stimulator) == ("x", None)
