"""Files of dipoles: what they say, what is written, and real ones against published figures."""

import re
import struct
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import coils
from coils import Coil, Segments
from coils.assembly import Assembly, Dipoles, Element
from coils.files import read_coil, write_coil
from coils.files.ccd_header import Header, shifted
from coils.grid import PotentialGrid
from coils.stimulators import Stimulator
from coils.waveforms import Waveform
from efield import analytic, metrics
from meshes import Surface, icosphere

REAL = Path(__file__).parents[2] / "shared" / "data" / "formats"
needs_real_files = pytest.mark.skipif(not REAL.is_dir(), reason="the real files of other programs are not here")

BALL = icosphere(2)
CASING = Surface(30.0 * BALL.vertices + (0.0, 0.0, -30.5), BALL.triangles, "casing")
PULSE = Waveform("pulse", time=np.arange(12) * 1e-5, signal=np.cos(np.arange(12.0)))
ROWS = "0.03 0 -0.006 0 0 0.04\n-0.03 0 -0.006 0 0 -0.04\n"
GRID = PotentialGrid(np.ones((2, 2, 2, 3)), np.diag([50.0, 50.0, 50.0, 1.0]))


def pair(**more: object) -> Coil:
    """Return a coil of two dipoles whose numbers have all their digits."""
    positions = [[30.1, 1 / 3, -6.0 / 7.0], [-30.1, 1e-9, -6.000000000000001]]
    return Coil(**{"positions": positions, "moments": [[0, -0.0, 0.04], [1e-20, 0, -1 / 30]], "name": "pair"} | more)


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def as_simnibs_reads(path: Path) -> tuple[dict[str, object], np.ndarray]:
    """Read a .ccd by the rules of formats.md 2.2: two lines skipped, pairs with one equal sign, points make numbers."""
    first = path.read_text(encoding="utf-8").splitlines()[0]
    found: dict[str, object] = {}
    for part in filter(None, (part.strip() for part in first.split(";")[1:])):
        key, value = part.split("=")
        found[key] = float(value) if "." in value else value
    return found, np.loadtxt(path, skiprows=2, ndmin=2)


# Real files


@needs_real_files
def test_magstim_d70() -> None:
    coil = read_coil(REAL / "MagStim_D70.ccd")
    assert (coil.name, coil.n_dipoles, coil.max_didt) == ("D70", 964, 114.73e6)
    assert coil.stimulator is not None
    assert (coil.stimulator.name, coil.stimulator.brand) == ("Magstim Rapid", "Magstim")
    assert re.fullmatch(r"MagStim_D70\.ccd \(sha256 708ab8fee074\)", coil.source)
    field = -1e6 * 1e-7 * coil.potential(np.array([[0.0, 0.0, 20.0]]))[0]
    assert field[1] == pytest.approx(1.804, abs=5e-4)  # formats.md 2.9
    assert coil.current_direction[1] > 0.999
    assert "current_direction  (+0.00, +1.00, +0.00)" in coil.summary()
    assert [np.linalg.norm(moment).round(4) for moment in coil.wing_moments] == [0.0371, 0.0379]  # coils.md 7c


@needs_real_files
def test_magstim_d70_over_a_sphere() -> None:
    """Casing plane 4 mm above a sphere of 85 mm, brain of 70 mm: coils.md 7d, 1.47 cm and 16.3 cm2."""
    coil = read_coil(REAL / "MagStim_D70.ccd")
    down = np.array([1.0, -1.0, -1.0])
    positions = coil.positions * down + (0.0, 0.0, 85.0 + 4.0)
    found = metrics.half_values(
        lambda points: analytic.sphere_field(points, positions, coil.moments * down, radius=85.0),
        radius=70.0,
        spacing=4.0,
    )
    assert found.depth == pytest.approx(14.7, rel=0.02)
    assert found.spread == pytest.approx(1630.0, rel=0.02)


@needs_real_files
@pytest.mark.parametrize("name", ["MagStim_D70", "testcoil"])
def test_real_files_read_write_read(name: str, tmp_path: Path) -> None:
    coil = read_coil(REAL / f"{name}.ccd")
    numbers = np.loadtxt(REAL / f"{name}.ccd", skiprows=2)
    np.testing.assert_allclose(coil.positions, 1e3 * numbers[:, :3], rtol=3e-16, atol=0.0)  # one unit of the last place
    np.testing.assert_array_equal(coil.moments, numbers[:, 3:])
    write_coil(coil, tmp_path / "again.ccd")
    again = read_coil(tmp_path / "again.ccd")
    assert again.checksum == coil.checksum
    assert (again.name, again.max_didt) == (coil.name, coil.max_didt)
    assert again.stimulator is not None
    assert coil.stimulator is not None
    assert vars(again.stimulator) == vars(coil.stimulator)


@needs_real_files
def test_header_of_testcoil() -> None:
    """The texts "None" are nothing, and the display is kept."""
    coil = read_coil(REAL / "testcoil.ccd")
    assert coil.name == "Test coil"
    assert coil.stimulator is not None
    assert (coil.stimulator.name, coil.stimulator.brand, coil.stimulator.displayed_didt) == ("", "", 100e6)


# What is written


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.floats(-1999.0, 1999.0), min_size=3, max_size=3),
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=3).filter(any),
    st.floats(1e-3, 1e12),
)
def test_every_float_survives(position: list[float], moment: list[float], max_didt: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "one.ccd"
        write_coil(Coil(positions=[position], moments=[moment], name="one", max_didt=max_didt), file)
        again = read_coil(file)
    assert again.positions.tobytes() == np.array([position]).tobytes()
    assert again.moments.tobytes() == np.array([moment]).tobytes()
    assert again.max_didt == max_didt


@pytest.mark.parametrize("name", coils.list_coils())
def test_named_coils_come_back(name: str, tmp_path: Path) -> None:
    coil = coils.load_coil(name)
    write_coil(coil, tmp_path / "x.ccd")
    again = read_coil(tmp_path / "x.ccd")
    assert coil.casing is not None
    assert again.casing is not None
    np.testing.assert_array_equal(again.positions, coil.positions)
    np.testing.assert_array_equal(again.moments, coil.moments)
    np.testing.assert_array_equal(again.handle, coil.handle)
    assert (again.name, again.max_didt) == (coil.name, coil.max_didt)
    assert again.casing.volume == pytest.approx(coil.casing.volume, rel=1e-5)  # single precision
    # From then on, bit by bit: casing too.
    write_coil(again, tmp_path / "y.ccd")
    third = read_coil(tmp_path / "y.ccd")
    assert third.checksum == again.checksum
    assert (tmp_path / "y.stl").read_bytes() == (tmp_path / "x.stl").read_bytes()
    assert (tmp_path / "y.ccd").read_bytes() == (tmp_path / "x.ccd").read_bytes()


@pytest.mark.parametrize(
    "name", ["pair", "v1.5", "a, b", "x=y", "none", "12", "# hash", "Spule ä", "a version 2.0", "x.ccd"]
)
def test_simnibs_reads_what_is_written(name: str, tmp_path: Path) -> None:
    stimulator = Stimulator("Rapid 2", max_didt=114.73e6, brand="Mag&More", displayed_didt=151e6)
    coil = pair(name=name, stimulator=stimulator)
    write_coil(coil, tmp_path / "x.ccd")
    found, numbers = as_simnibs_reads(tmp_path / "x.ccd")
    assert found["dIdtmax"] == 114.73
    assert found["dIdtstim"] == 151.0
    assert (found["stimulator"], found["brand"]) == ("Rapid 2", "Mag&More")
    assert found.get("coilname", name) == name
    assert len(numbers) == 2
    np.testing.assert_allclose(1e3 * numbers[:, :3], coil.positions, rtol=3e-16, atol=0.0)
    np.testing.assert_array_equal(numbers[:, 3:], coil.moments)
    again = read_coil(tmp_path / "x.ccd")
    assert again.name == name
    assert again.stimulator is not None
    assert vars(again.stimulator) == vars(stimulator)


@settings(deadline=None, max_examples=300)
@given(st.text("aZ0 .,=#-_ä/versionccdnone12", min_size=1, max_size=24).map(str.strip).filter(bool))
def test_any_name_comes_back_and_leaves_simnibs_a_line_that_it_reads(name: str) -> None:
    line = Header(name=name, max_didt=(1e8,), displayed_didt=2e8).line()
    again = Header.parse(line, "x.ccd")
    assert (again.name, again.max_didt, again.displayed_didt) == (name, (1e8,), 2e8)
    for part in filter(None, line.split(";")[1:]):
        key, value = part.split("=")
        assert key == "coilname" or float(value) > 0.0
        assert key != "coilname" or not ("." in value or "," in value or value.isdigit() or value == "none")


def test_unknown_limits_stay_unknown(tmp_path: Path) -> None:
    write_coil(pair(), tmp_path / "x.ccd")
    again = read_coil(tmp_path / "x.ccd")
    assert again.max_didt is None
    assert again.stimulator is None
    assert sorted(file.name for file in tmp_path.iterdir()) == ["x.ccd"]


def test_a_file_of_one_dipole(tmp_path: Path) -> None:
    write_coil(Coil(positions=[[1, 2, 3]], moments=[[0, 0, 1]], name="one"), tmp_path / "x.ccd")
    assert read_coil(tmp_path / "x.ccd").positions.tolist() == [[1.0, 2.0, 3.0]]
    assert as_simnibs_reads(tmp_path / "x.ccd")[1].shape == (1, 6)


@pytest.mark.parametrize(
    ("coil", "words"),
    [
        (pair(segments=Segments([[0, 0, -5]], [[1, 0, 0]])), "dipoles alone .* current elements"),
        (Coil(grid=GRID, name="grid"), "dipoles alone .* a grid"),
        (pair(handle=(0, 1, 0)), r"handle must be along -y .* got \[0.0, 1.0, 0.0\]"),
        (pair(name="a;b"), "name must be printable and without ';'"),
        (pair(name="a\nb"), "name must be printable"),
        (pair(stimulator=Stimulator("Rapid 2.0")), "stimulator must be .* got 'Rapid 2.0'"),
        (pair(stimulator=Stimulator("12")), "stimulator must be"),
        (pair(stimulator=Stimulator("x", brand="a=b")), "brand must be .* got 'a=b'"),
        (pair(stimulator=Stimulator("x", waveforms=(PULSE, PULSE))), "at most one waveform"),
    ],
)
def test_what_a_ccd_cannot_hold(coil: Coil, words: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        write_coil(coil, tmp_path / "x.ccd")
    assert re.match(r"^\S[^\n]* must [^\n]+; got [^\n]+\.$", str(caught.value))
    assert not list(tmp_path.iterdir())


def test_two_stimulators_do_not_fit_in_a_ccd(tmp_path: Path) -> None:
    elements = [Element(Dipoles([[x, 0, -6]], [[0, 0, 0.04]]), stimulator=i) for i, x in enumerate((-30, 30))]
    coil = Assembly(name="two", elements=tuple(elements)).coil()
    with pytest.raises(ValueError, match=r"one stimulator for .ccd; got two, which has 2"):
        write_coil(coil, tmp_path / "x.ccd")
    for number, channel in enumerate(coil.channels):
        write_coil(channel, tmp_path / f"{number}.ccd")
        assert read_coil(tmp_path / f"{number}.ccd").positions[0, 0] == 60.0 * number - 30.0


def test_arguments_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"left out for .ccd"):
        write_coil(pair(), tmp_path / "x.ccd", spacing=3.0)
    with pytest.raises(TypeError, match=r"coil must be a coils.Coil; got str"):
        write_coil("pair", tmp_path / "x.ccd")  # type: ignore[arg-type]  # on purpose
    with pytest.raises(FileNotFoundError, match="folder that exists"):
        write_coil(pair(), tmp_path / "missing" / "x.ccd")
    (tmp_path / "folder.ccd").mkdir()
    with pytest.raises(IsADirectoryError, match=r"got the folder .*folder.ccd"):
        write_coil(pair(), tmp_path / "folder.ccd")


# Files beside it


def test_casing_and_pulse_beside_it(tmp_path: Path) -> None:
    stimulator = Stimulator("X100", max_didt=150e6, waveforms=(PULSE,))
    write_coil(pair(casing=CASING, stimulator=stimulator), tmp_path / "x.ccd")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["x.ccd", "x.stl", "x.tsv"]
    again = read_coil(tmp_path / "x.ccd")
    assert again.casing is not None
    assert again.casing.is_closed
    assert len(again.casing.vertices) == len(CASING.vertices)
    order = np.lexsort(CASING.vertices.astype(np.float32).T[::-1])
    np.testing.assert_array_equal(again.casing.vertices, CASING.vertices[order].astype(np.float32))
    assert again.stimulator is not None
    (pulse,) = again.stimulator.waveforms
    assert pulse.fit is None
    np.testing.assert_array_equal(pulse.time, PULSE.time)
    np.testing.assert_array_equal(pulse.signal, PULSE.signal)
    # SimNIBS takes the third column for granted.
    assert np.genfromtxt(tmp_path / "x.tsv", delimiter="\t", names=True).dtype.names == ("Time", "pulse", "pulse_fit")
    alone = read_coil(tmp_path / "x.ccd", sidecars=False)
    assert alone.casing is None
    assert alone.stimulator is not None
    assert not alone.stimulator.waveforms


def test_a_pulse_alone_and_one_with_a_fit(tmp_path: Path) -> None:
    fitted = replace(PULSE, fit=0.9 * PULSE.signal)
    write_coil(pair(stimulator=Stimulator("", waveforms=(fitted,))), tmp_path / "x.ccd")
    again = read_coil(tmp_path / "x.ccd").stimulator
    assert again is not None
    assert again.waveforms[0].fit is not None
    np.testing.assert_array_equal(again.waveforms[0].fit, 0.9 * PULSE.signal)


@pytest.mark.parametrize("suffix", [".stl", ".tsv"])
def test_files_of_another_coil_are_not_taken_over(suffix: str, tmp_path: Path) -> None:
    stranger = tmp_path / f"x{suffix}"
    stranger.write_bytes(b"another coil's")
    with pytest.raises(ValueError, match=rf"no {suffix} of another coil beside it; got .*x{suffix}"):
        write_coil(pair(), tmp_path / "x.ccd")
    assert [file.name for file in tmp_path.iterdir()] == [stranger.name]


def test_nothing_is_left_when_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "x.ccd", "before")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("coils.files.ccd.write_stl", fail)
    with pytest.raises(OSError, match="disk full"):
        write_coil(pair(casing=CASING), file)
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.ccd"]
    assert file.read_text() == "before"


def ascii_stl(surface: Surface) -> str:
    facets = "".join(
        "facet normal 0 0 0\n outer loop\n"
        + "".join(f"  vertex {x!r} {y!r} {z!r}\n" for x, y, z in corners.tolist())
        + " endloop\nendfacet\n"
        for corners in surface.corners
    )
    return f"solid casing\n{facets}endsolid casing\n"


def test_casings_as_text_and_inside_out(tmp_path: Path) -> None:
    write(tmp_path / "x.ccd", f"# x\n2\n# c\n{ROWS}")
    turned = Surface(CASING.vertices, CASING.triangles[:, ::-1])
    write(tmp_path / "x.stl", ascii_stl(turned))
    found = read_coil(tmp_path / "x.ccd").casing
    assert found is not None
    assert found.volume == pytest.approx(CASING.volume, rel=1e-12)
    # Corners that differ in the last digits of single precision are one vertex.
    noise = np.random.default_rng(1).uniform(-1e-5, 1e-5, CASING.corners.shape)
    records = np.zeros(len(CASING.triangles), dtype=[("n", "<f4", 3), ("c", "<f4", (3, 3)), ("a", "<u2")])
    records["c"] = np.round(CASING.corners, 1) + noise
    (tmp_path / "x.stl").write_bytes(b" " * 80 + struct.pack("<I", len(records)) + records.tobytes())
    found = read_coil(tmp_path / "x.ccd").casing
    assert found is not None
    assert len(found.vertices) == len(CASING.vertices)


# What is read


@pytest.mark.parametrize(
    "text",
    [
        f"# x\n2\n# centers\n{ROWS}",
        f"2\n{ROWS}",
        f"# number of elements\r\n2\r\n# centers\r\n{ROWS}".replace("\n", "\r\n").replace("\r\r", "\r"),
        f"\ufeff# x\n\n 2 \n# centers\n\n{ROWS.rstrip()}",
        f"# x\n2\n{ROWS.replace(' ', chr(9))}# the end\n\n",
        "#\n2\n.03E0 +0. -6e-3 0 0 4E-2\n-3.e-2 0 -0.006 -0 0 -.4e-1\n",
    ],
    ids=["usual", "bare", "windows", "mark", "tabs", "notations"],
)
def test_old_and_odd_files(text: str, tmp_path: Path) -> None:
    coil = read_coil(write(tmp_path / "odd.coil.ccd", text))
    assert coil.name == "odd.coil"
    assert coil.max_didt is None
    assert coil.positions.tolist() == [[30.0, 0.0, -6.0], [-30.0, 0.0, -6.0]]
    assert coil.moments.tolist() == [[0.0, 0.0, 0.04], [0.0, 0.0, -0.04]]
    assert coil.handle.tolist() == [0.0, -1.0, 0.0]


def test_several_stimulators_in_a_header(tmp_path: Path) -> None:
    file = write(tmp_path / "x.ccd", f"# x version 1.1;dIdtmax=147,100;stimulator=A,B\n2\n#\n{ROWS}")
    with pytest.warns(UserWarning, match=r"x.ccd gives the greatest dI/dt of 2 stimulators, 147, 100 A/us; the first"):
        coil = read_coil(file)
    assert coil.max_didt == 147e6


def test_suffix_in_capitals_and_path_as_text(tmp_path: Path) -> None:
    assert read_coil(str(write(tmp_path / "X.CCD", f"#\n2\n#\n{ROWS}"))).name == "X"


def test_parsed_header() -> None:
    header = Header.parse("# D70.ccd version 1.0 number;resolution=3;x=100;y=-20,30;z=-1.5,2;stimulator=none;free", "f")
    assert header.limits == ((-100.0, 100.0), (-20.0, 30.0), (-1.5, 2.0))
    assert header.resolution == (3.0, 3.0, 3.0)
    assert (header.name, header.version, header.stimulator) == ("D70", "1.0", None)
    assert Header.parse("# x;resolution=1,2,3", "f").resolution == (1.0, 2.0, 3.0)
    assert Header.parse("", "f") == Header()


@pytest.mark.parametrize("text", ["nan", "inf", "1_0", "", "1e", "--1", "0x10", "1e5e3", "٣"])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(ValueError, match="number must be a finite decimal number"):
        shifted(text, 3)


def test_moving_the_point_is_exact() -> None:
    """1000 times the float of 0.0206 m is not the float of 20.6 mm."""
    assert shifted("0.0206", 3) == 20.6
    assert [x for x in range(1, 4000) if shifted(f"{x / 10000}", 3) != x / 10.0] == []
    assert any(1e3 * float(f"{x / 10000}") != x / 10.0 for x in range(1, 4000))
