"""The .tcd format: every field survives, real files and plain coils round trip."""

import base64
import json
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coils import Coil, Segments, load_coil
from coils.assembly import Assembly, Casing, Deformation, Dipoles, Element, Motion
from coils.files.tcd import read_tcd, write_tcd
from coils.grid import PotentialGrid
from coils.potential import element_potential
from coils.stimulators import Stimulator
from coils.waveforms import Waveform
from meshes import Surface, icosphere

FORMATS = Path(__file__).parents[2] / "shared" / "data" / "formats"
POINTS = np.array([[0.0, 0.0, 40.0], [35.0, -10.0, 60.0], [-50.0, 40.0, 80.0]])


def real(name: str) -> Path:
    path = FORMATS / name
    if not path.is_file():
        pytest.skip(f"{name} of another program is not on this machine")
    return path


def ball(x: float) -> Surface:
    unit = icosphere(1)
    return Surface(9.7 * unit.vertices + [x, 0.1, -20.0], unit.triangles)


def full_assembly() -> Assembly:
    """Build a coil that uses every field of the format, with numbers of all digits."""
    rng = np.random.default_rng(11)
    angle = np.linspace(0.0, 2.0 * np.pi, 51)
    corners = 33.3 * np.column_stack([np.cos(angle), np.sin(angle), 0 * angle]) - [0, 0, np.pi]
    shared = Motion("rotation_2", "rotation", axis=rng.normal(size=(2, 3)))
    time = np.cumsum(rng.uniform(1e-7, 2e-7, 60))
    pulse = Waveform("biphasic", time=time, signal=np.sin(2e5 * time), fit=np.sin(2.1e5 * time))
    affine = np.array([[90.0, 1.0, 0, -80], [0, 120, 0, -60], [2, 0, 60, -70], [0, 0, 0, 1]])
    grid = PotentialGrid(1e-7 * rng.normal(size=(3, 2, 4, 3)), affine)
    return Assembly(
        name="every field",
        brand="Brand é",
        version="1.2.o",
        limits=[[-100.1, 100], [-90, 90], [-1 / 3, 200]],
        resolution=[1, 1.5, 1 / 3],
        casing=Casing(ball(0.0), distance_points=rng.normal(size=(5, 3)), intersection_points=rng.normal(size=(4, 3))),
        elements=(
            Element(
                Dipoles(rng.normal(size=(7, 3)), 0.01 * rng.normal(size=(7, 3))),
                "dipoles",
                casing=Casing(ball(40.0)),
                motions=(Motion("shift_x_1", "x"), shared),
            ),
            Element(
                Segments((corners[1:] + corners[:-1]) / 2, np.diff(corners, axis=0)),
                "wire",
                stimulator=1,
                motions=(
                    shared,
                    Motion("rotation_2", "rotation", axis=rng.normal(size=(2, 3))),
                    Motion("shift_x_1", "z"),
                ),
            ),
            Element(grid, stimulator=2),
        ),
        deformations=(
            Deformation("shift_x_1", (-10.5, 20.25), 1 / 7),
            Deformation("rotation_2", (-45.0, 45.0), -12.3),
            Deformation("unused_3", (0.0, 0.0)),
        ),
        stimulators=(
            Stimulator("one", 114.7e6, "Magstim", waveforms=(pulse, Waveform("", time=[0, 1e-4], signal=[1, 0.5]))),
            Stimulator("", 1e8 / 3),
            Stimulator("third"),
        ),
        groups=((0, 1), (1, 2, 3)),
        spare_casings=(Casing(ball(80.0)),),
        spare_motions=(Motion("shift_x_1", "y"),),
    )


def content(value: Any) -> Any:
    """Turn an assembly into plain values for comparison by ==, arrays by their bytes."""
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype.str, value.tobytes()
    if isinstance(value, tuple):
        return tuple(content(item) for item in value)
    if hasattr(value, "__dataclass_fields__"):
        names = [name for name in value.__dataclass_fields__ if name not in ("source", "name")]
        kept = value.name if not isinstance(value, Surface) and hasattr(value, "name") else ""
        return type(value).__name__, kept, tuple((name, content(getattr(value, name))) for name in names)
    return value


def test_every_field_survives_bitwise(tmp_path: Path) -> None:
    assembly = full_assembly()
    path = tmp_path / "full.tcd"
    write_tcd(assembly.coil(), path)
    again = read_tcd(path)
    assert again.assembly is not None
    assert content(again.assembly) == content(assembly)
    assert again.checksum == assembly.coil().checksum
    # What two elements share they still share, so that a second writing gives the same bytes.
    assert again.assembly.elements[0].motions[1] is again.assembly.elements[1].motions[0]
    write_tcd(again, tmp_path / "second.tcd")
    assert (tmp_path / "second.tcd").read_bytes() == path.read_bytes()


def test_the_comparison_sees_one_bit() -> None:
    first, second = full_assembly(), full_assembly()
    assert content(first) == content(second)
    second.elements[0].sources.moments[3, 1] *= 1 + 2**-52
    assert content(first) != content(second)


def test_writer_keeps_to_the_schema(tmp_path: Path) -> None:
    """Required keys are there, optional ones not when empty, and indices are those of the lists."""
    write_tcd(full_assembly().coil(), tmp_path / "full.tcd")
    tree = json.loads((tmp_path / "full.tcd").read_text(encoding="utf-8"))
    assert set(tree) == {
        *("name", "brand", "version", "limits", "resolution", "coilCasing", "coilElementList", "stimulatorList"),
        *("deformList", "deformRangeList", "coilModels", "selfIntersectionTest"),
    }
    assert [element["type"] for element in tree["coilElementList"]] == [1, 2, 3]
    assert set(tree["coilElementList"][2]) == {"type", "stimulator", "data", "affine"}
    assert [motion["type"] for motion in tree["deformList"]] == ["x", "rot2p", "rot2p", "z", "y"]
    assert [motion["deformRange"] for motion in tree["deformList"]] == [0, 1, 1, 0, 0]
    assert tree["coilElementList"][1]["deformations"] == [1, 2, 3]
    assert tree["stimulatorList"][2] == {"name": "third"}
    faces = np.frombuffer(zlib.decompress(base64.b64decode(tree["coilModels"][0]["faces"])), "<i8")
    assert faces.size == 3 * len(ball(0.0).triangles)
    write_tcd(load_coil("magstim-90mm-circular"), tmp_path / "plain.tcd")
    plain = json.loads((tmp_path / "plain.tcd").read_text(encoding="utf-8"))
    assert set(plain) == {"name", "coilCasing", "coilElementList", "stimulatorList", "coilModels"}
    assert plain["stimulatorList"] == [{"name": ""}]


def test_nested_lists_are_the_same_as_packed_arrays(tmp_path: Path) -> None:
    write_tcd(full_assembly().coil(), tmp_path / "packed.tcd")
    tree = json.loads((tmp_path / "packed.tcd").read_text(encoding="utf-8"))

    def unpack(owner: dict[str, Any], key: str, columns: int, dtype: str = "<f8") -> None:
        if isinstance(owner.get(key), str):
            array = np.frombuffer(zlib.decompress(base64.b64decode(owner[key])), dtype)
            owner[key] = (array.reshape(-1, columns) if columns > 1 else array).tolist()

    for element in tree["coilElementList"]:
        unpack(element, "points", 3)
        unpack(element, "values", 3)
    for model in tree["coilModels"]:
        unpack(model, "faces", 3, "<i8")
        for key in ("points", "minDistancePoints", "intersectPoints"):
            unpack(model, key, 3)
    for waveform in tree["stimulatorList"][0]["waveformList"]:
        for key in ("time", "signal", "fit"):
            unpack(waveform, key, 1)
    (tmp_path / "lists.tcd").write_text(json.dumps(tree, indent=4), encoding="utf-8")
    packed, lists = read_tcd(tmp_path / "packed.tcd"), read_tcd(tmp_path / "lists.tcd")
    assert content(packed.assembly) == content(lists.assembly)


@pytest.mark.parametrize("name", ["magstim-70mm", "magstim-90mm-circular"])
def test_plain_coil_round_trips_bitwise(name: str, tmp_path: Path) -> None:
    coil = load_coil(name)
    write_tcd(coil, tmp_path / "x.tcd")
    again = read_tcd(tmp_path / "x.tcd")
    assert (again.name, again.max_didt) == (coil.name, coil.max_didt)
    assert again.checksum == coil.checksum
    assert (again.stimulator is None) == (coil.max_didt is None)


def test_segments_and_grid_of_a_plain_coil_round_trip(tmp_path: Path) -> None:
    wire = full_assembly().elements[1].sources
    grid = full_assembly().elements[2].sources
    assert isinstance(wire, Segments)
    assert isinstance(grid, PotentialGrid)
    coil = Coil(positions=[[0, 0, -9.1]], moments=[[0, 0, 0.02]], segments=wire, grid=grid, name="all three")
    write_tcd(coil, tmp_path / "x.tcd")
    assert read_tcd(tmp_path / "x.tcd").checksum == coil.checksum


def test_deformed_coil_is_written_as_it_stands(tmp_path: Path) -> None:
    coil = full_assembly().coil().deform(shift_x_1=5.5, rotation_2=31.0)
    write_tcd(coil, tmp_path / "x.tcd")
    again = read_tcd(tmp_path / "x.tcd")
    assert again.assembly is not None
    assert again.assembly.settings == {"shift_x_1": 5.5, "rotation_2": 31.0, "unused_3": 0.0}
    assert again.checksum == coil.checksum


def test_other_handle_is_told_of(tmp_path: Path) -> None:
    coil = Coil(positions=[[0, 0, -9]], moments=[[0, 0, 0.02]], name="side", handle=(1, 0, 0))
    with pytest.warns(UserWarning, match=r"handle of side must be along -y to be kept in a \.tcd"):
        write_tcd(coil, tmp_path / "x.tcd")
    assert read_tcd(tmp_path / "x.tcd").handle.tolist() == [0.0, -1.0, 0.0]


def test_failed_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x.tcd"
    write_tcd(load_coil("magstim-70mm"), path)
    before = path.read_bytes()
    large = PotentialGrid(np.broadcast_to([0.0, 1.0, 0.0], (120, 120, 120, 3)), np.eye(4))
    with pytest.raises(
        ValueError, match=r"must have at most 1,500,000 nodes in a \.tcd; got 1,728,000\. Write a \.nii\.gz"
    ):
        write_tcd(Coil(grid=large, name="large"), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(FileNotFoundError, match="folder that exists"):
        write_tcd(load_coil("magstim-70mm"), tmp_path / "none" / "x.tcd")


def test_nameless_file_is_called_after_itself(tmp_path: Path) -> None:
    element = {"type": 1, "stimulator": 0, "points": [[0, 0, -5]], "values": [[0, 0, 0.1]]}
    (tmp_path / "my coil.tcd").write_text(json.dumps({"coilElementList": [element], "stimulatorList": [{"name": "s"}]}))
    assert read_tcd(tmp_path / "my coil.tcd").name == "my coil"


def test_inverted_casing_is_turned_round(tmp_path: Path) -> None:
    good = ball(0.0)
    element = {"type": 1, "stimulator": 0, "points": [[0, 0, -5]], "values": [[0, 0, 0.1]]}
    model = {"points": good.vertices.tolist(), "faces": good.triangles[:, ::-1].tolist()}
    tree = {"coilElementList": [element], "stimulatorList": [{"name": "s"}], "coilModels": [model], "coilCasing": 0}
    (tmp_path / "x.tcd").write_text(json.dumps(tree))
    casing = read_tcd(tmp_path / "x.tcd").casing
    assert casing is not None
    assert casing.volume == pytest.approx(good.volume)


@pytest.mark.parametrize("fault", ["corner twice", "points apart", "both"])
def test_casing_of_loose_triangles_is_mended(fault: str, tmp_path: Path) -> None:
    """As in the MST-Twin's file, where triangles have a corner twice, and in casings that were STL files."""
    good = ball(0.0)
    points, faces = good.vertices, good.triangles
    if fault != "corner twice":
        points, faces = good.corners.reshape(-1, 3), np.arange(3 * len(good.triangles)).reshape(-1, 3)
    if fault != "points apart":
        faces = np.concatenate([faces, [[0, 1, 1], [5, 5, 5]]])
    element = {"type": 1, "stimulator": 0, "points": [[0, 0, -5]], "values": [[0, 0, 0.1]]}
    model = {"points": points.tolist(), "faces": faces.tolist()}
    tree = {"coilElementList": [element], "stimulatorList": [{"name": "s"}], "coilModels": [model], "coilCasing": 0}
    (tmp_path / "x.tcd").write_text(json.dumps(tree))
    casing = read_tcd(tmp_path / "x.tcd").casing
    assert casing is not None
    assert casing.is_closed
    assert casing.volume == pytest.approx(good.volume)
    assert len(casing.vertices) == len(good.vertices)


def test_two_stimulator_file() -> None:
    coil = read_tcd(real("two_stimulator.tcd"))
    assert [channel.max_didt for channel in coil.channels] == [122.22e6, 102.45e6]
    assert coil.max_didt == 102.45e6
    first, second = (channel.potential(POINTS) for channel in coil.channels)
    driven = coil.driven([3e6, -2e6]).potential(POINTS)
    np.testing.assert_allclose(driven, 3.0 * first - 2.0 * second, atol=1e-12 * np.abs(driven).max())
    # Two figures of eight one above the other, across each other: at right angles under the common centre.
    assert abs(first[0] @ second[0]) < 0.05 * np.linalg.norm(first[0]) * np.linalg.norm(second[0])


@pytest.mark.parametrize("name", ["two_stimulator.tcd", "Brainsway_H7.tcd"])
def test_real_files_round_trip(name: str, tmp_path: Path) -> None:
    path = real(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        coil = read_tcd(path)
        write_tcd(coil, tmp_path / name)
        again = read_tcd(tmp_path / name)
    assert content(again.assembly) == content(coil.assembly)
    assert again.checksum == coil.checksum

    def plain(tree: Any) -> Any:
        """Unpack arrays, as packing may differ between versions of zlib."""
        if isinstance(tree, dict):
            return {key: plain(value) for key, value in tree.items()}
        if isinstance(tree, list):
            return [plain(value) for value in tree]
        return zlib.decompress(base64.b64decode(tree)) if isinstance(tree, str) and len(tree) > 500 else tree

    # Not only to this reader: what is written says the same as the file that another program wrote.
    original, written = (json.loads(p.read_text(encoding="utf-8")) for p in (path, tmp_path / name))
    assert plain(written) == plain(original)


def test_h7_is_open_and_closed_over_all_its_parts() -> None:
    """Its three elements are one wire in series whose lead of 18 mm is missing; each alone is open by 42 to 85 mm."""
    message = (
        r"H7 must be closed circuits; got 1 open end, .*\[-16\.3, 7\.9, -0\.1\] mm.*elements' starts.*straight leads"
    )
    with pytest.warns(UserWarning, match=message):
        coil = read_tcd(real("Brainsway_H7.tcd"))
    assert coil.assembly is not None
    assert list(coil.assembly.settings) == ["rotation_1", "rotation_2"]
    assert coil.segments is not None
    np.testing.assert_allclose(coil.segments.vectors.sum(axis=0), 0.0, atol=1e-11)
    with pytest.warns(UserWarning, match="taken as they stand, whose field is that of no real coil"):
        as_is = read_tcd(real("Brainsway_H7.tcd"), close=False)
    assert as_is.segments is not None
    assert len(as_is.segments) == 9970
    sources = [element.sources for element in coil.assembly.elements]
    expected = sum(element_potential(POINTS, s.points, s.vectors) for s in sources)
    np.testing.assert_allclose(as_is.potential(POINTS), expected, rtol=1e-12)
    np.testing.assert_allclose(as_is.segments.vectors.sum(axis=0), [-16.26, 7.94, -0.11], atol=0.01)


@pytest.mark.parametrize("settings", [{}, {"rotation_1": 10.0}, {"rotation_1": -7.0, "rotation_2": 4.0}])
def test_h7_has_no_divergence_at_any_setting(settings: dict[str, float]) -> None:
    from coils.circuits import divergence

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        coil, as_is = (read_tcd(real("Brainsway_H7.tcd"), close=close).deform(**settings) for close in (True, False))
    assert coil.segments is not None
    assert as_is.segments is not None
    assert np.abs(divergence(coil.segments, POINTS)).max() < 1e-3 * np.abs(divergence(as_is.segments, POINTS)).max()
