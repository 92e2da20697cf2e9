"""Damaged and hostile coil files: one clear sentence each, bounded memory, bounded work.

Each row of `TABLE` is a file name, a function that writes the file, and words of the sentence that it gets. Files of
.tcd have a table of the same form in tests/test_coils_tcd_malformed.py.
"""

import gzip
import os
import pickle
import re
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import coils.files.ccd
import coils.files.nifti_image
from coils.files import read_coil
from meshes import icosphere

SENTENCE = re.compile(r"^\S[^\n]* must [^\n]+; got [^\n]+\.( [^\n]+[.?])?$")

# What a file may make the program hold at once (bytes); the largest here would unpack to 100 MB and more.
MOST_MEMORY = 64 << 20

ROW = "0.03 0 -0.006 0 0 0.04\n"
GOOD_CCD = f"# x version 1.1;dIdtmax=100.0;\n1\n# c\n{ROW}"

Writer = Callable[[Path], object]


def text(content: str) -> Writer:
    return lambda path: path.write_bytes(content.encode())


def raw(content: bytes) -> Writer:
    return lambda path: path.write_bytes(content)


def row(line: str) -> Writer:
    return text(f"# x\n1\n# c\n{line}\n")


def header(pairs: str) -> Writer:
    return text(f"# x version 1.1;{pairs}\n1\n# c\n{ROW}")


def sparse(size: int, start: bytes = b"") -> Writer:
    """Write a file of `size` bytes, zeros but for its start, that takes no room on the disk."""

    def write(path: Path) -> None:
        path.write_bytes(start)
        os.truncate(path, size)

    return write


def beside(suffix: str, content: bytes) -> Writer:
    """Write a good .ccd with something else beside it."""

    def write(path: Path) -> None:
        path.write_text(GOOD_CCD)
        path.with_suffix(suffix).write_bytes(content)

    return write


def nifti(
    *, cut: int | None = None, more: bytes = b"", packed: bool = True, values: object = None, **fields: object
) -> Writer:
    """Write an image of 2 x 2 x 2 vectors whose header then has fields set, true or not."""

    def write(path: Path) -> None:
        stored = np.ones((2, 2, 2, 3), dtype=np.float32) if values is None else np.asarray(values)
        image = nib.Nifti1Image(stored, np.eye(4))
        image.header.set_xyzt_units("mm")
        content = bytearray(image.to_bytes())
        layout = nib.Nifti1Header.template_dtype.fields
        assert layout is not None
        for name, value in fields.items():
            kind, start = layout[name][:2]
            content[start : start + kind.itemsize] = (
                np.array(value, dtype=kind.base).tobytes().ljust(kind.itemsize, b"\0")
            )
        content = (content + more)[:cut]
        path.write_bytes(gzip.compress(bytes(content)) if packed else bytes(content))

    return write


def cut_gzip(path: Path) -> None:
    nifti()(path)
    path.write_bytes(path.read_bytes()[:-30])


def broken_gzip(path: Path) -> None:
    nifti()(path)
    content = bytearray(path.read_bytes())
    content[-6] ^= 0xFF  # in the checksum
    path.write_bytes(bytes(content))


def bomb(path: Path) -> None:
    """Write a true image with 100 MB of zeros behind it, in 100 kB."""
    nifti()(path)
    start = gzip.decompress(path.read_bytes())
    with gzip.open(path, "wb", compresslevel=9) as file:
        file.write(start)
        for _ in range(100):
            file.write(bytes(1 << 20))


def promising_bomb(path: Path) -> None:
    """Write 50 MB of zeros behind a header that promises 480 MB of vectors, in 50 kB."""
    nifti(dim=(4, 300, 300, 220, 3, 1, 1, 1))(path)
    start = gzip.decompress(path.read_bytes())
    with gzip.open(path, "wb", compresslevel=9) as file:
        file.write(start)
        for _ in range(50):
            file.write(bytes(1 << 20))


class Payload:
    """What a pickle would do when it is loaded."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("pickle-was-loaded",)


PICKLE = pickle.dumps(Payload())
BALL = icosphere(1).corners.astype("<f4")
NAN_STL = bytes(80) + struct.pack("<I", 1) + np.full(12, np.nan, "<f4").tobytes() + b"\0\0"
OPEN_STL = bytes(80) + struct.pack("<I", 79) + b"".join(bytes(12) + c.tobytes() + b"\0\0" for c in BALL[1:])
WRONG_NII = np.ones((2, 2, 2, 3), dtype=np.float32)

TABLE: list[tuple[str, Writer, str]] = [
    # Any format
    ("missing.ccd", lambda _: None, r"a file that exists; got .*missing.ccd"),
    ("missing.nii.gz", lambda _: None, r"a file that exists; got .*missing.nii.gz"),
    ("file.ccd/x.ccd", lambda path: path.parent.write_text("no folder"), r"a file that exists; got .*x.ccd"),
    ("folder.ccd", lambda path: path.mkdir(), r"must be a file; got the folder .*folder.ccd"),
    ("folder.nii.gz", lambda path: path.mkdir(), r"must be a file; got the folder .*folder.nii.gz"),
    ("pipe.ccd", os.mkfifo, r"plain file; got the device or pipe .*pipe.ccd"),
    ("empty.ccd", text(""), r"a file with content; got .*empty.ccd"),
    ("empty.nii.gz", text(""), r"a file with content; got .*empty.nii.gz"),
    ("coil.txt", text(GOOD_CCD), r"must end in .ccd, .tcd, .nii.gz or .nii; got 'coil.txt'"),
    ("coil.ccd.gz", raw(gzip.compress(GOOD_CCD.encode())), r"must end in .*; got 'coil.ccd.gz'"),
    ("huge.ccd", sparse(1 << 40), r"at most 67,108,864 bytes, as coil files are; got .*huge.ccd of 1,099,511,627,776"),
    ("huge.nii.gz", sparse(1 << 40), r"at most 537,919,488 bytes, .*huge.nii.gz"),
    # .ccd: the count
    ("no-count.ccd", text("# only a header\n"), r"must stand in the second line of no-count.ccd; got none"),
    ("count-text.ccd", text(f"# x\nmany\n{ROW}"), r"line 2 of count-text.ccd must be a whole number; got 'many'"),
    ("count-fraction.ccd", text(f"# x\n1.5\n{ROW}"), r"a whole number; got '1.5'"),
    ("count-missing.ccd", text(f"# x\n# c\n{ROW}"), r"line 3 of count-missing.ccd must be a whole number; got '0.03"),
    ("count-negative.ccd", text(f"# x\n-1\n{ROW}"), r"count-negative.ccd must be from 1 to 2, .*; got -1"),
    ("count-zero.ccd", text("# x\n0\n# c\n"), r"count-zero.ccd must be from 1 to .*; got 0"),
    ("count-huge.ccd", text(f"# x\n999999999999\n{ROW}"), r"count-huge.ccd must be from 1 to 2, .*; got 999999999999"),
    ("count-absurd.ccd", text(f"# x\n{'9' * 4000}\n{ROW}"), r"count-absurd.ccd must be a whole number; got '999"),
    ("count-more.ccd", text(f"# x\n3\n# c\n{ROW}{ROW}"), r"count-more.ccd must be as many as .* 3; got 2. Is it cut"),
    (
        "count-less.ccd",
        text(f"# x\n1\n# c\n{ROW}{ROW}"),
        r"count-less.ccd must be as many as .* 1; got more, in line 5",
    ),
    # .ccd: the rows
    ("cut.ccd", text(f"# x\n2\n# c\n{ROW}0.03 0 -0.0"), r"line 5 of cut.ccd must be six numbers"),
    ("five.ccd", row("1 2 3 4 5"), r"line 4 of five.ccd must be six numbers, .*; got '1 2 3 4 5'"),
    ("commas.ccd", row("0,0,0,0,0,1"), r"line 4 of commas.ccd must be six numbers"),
    ("nan.ccd", row("0 0 nan 0 0 1"), r"line 4 of nan.ccd must be six numbers, .*; got '0 0 nan 0 0 1'"),
    ("inf.ccd", row("0 0 0 0 0 -inf"), r"line 4 of inf.ccd must be six numbers"),
    (
        "overflow.ccd",
        row("0 0 0 0 0 1e999"),
        r"line 4 of overflow.ccd must be .* of finite moment; got '0 0 0 0 0 1e999'",
    ),
    ("exponent.ccd", row("0 0 0 0 0 1e9999999999999999"), r"line 4 of exponent.ccd must be six numbers"),
    ("python.ccd", row("0 0 0 0 0 1_0"), r"line 4 of python.ccd must be six numbers"),
    (
        "millimetres.ccd",
        row("30 0 -6 0 0 0.04"),
        r"millimetres.ccd must be a dipole in metres, .* Divide positions in mi",
    ),
    ("zero.ccd", row("0.03 0 0 0 0 0"), r"moments in zero.ccd must not all be zero"),
    ("long-line.ccd", sparse(1 << 26, b"# "), r"line 1 of long-line.ccd must be at most 4096 bytes long"),
    ("digits.ccd", row("1" * 4000), r"line 4 of digits.ccd must be six numbers"),
    ("digits-points.ccd", row(" ".join(["1" * 600 + ".1e1"] * 5) + " x"), r"line 4 of digits-points.ccd must be six"),
    ("long-row.ccd", text("# x\n1\n# c\n" + "1 " * 5000), r"line 4 of long-row.ccd must be at most 4096 bytes long"),
    (
        "latin.ccd",
        raw(b"# Spule f\xfcr\n1\n" + ROW.encode()),
        r"line 1 of latin.ccd must be UTF-8 text; .* Save the file",
    ),
    ("junk.ccd", raw(bytes(range(256)) * 8), r"line \d+ of junk.ccd must be"),
    ("nulls.ccd", raw(bytes(1000)), r"line 1 of nulls.ccd must be a whole number"),
    ("pickle.ccd", raw(PICKLE), r"line 1 of pickle.ccd must be"),
    ("packed.ccd", raw(gzip.compress(GOOD_CCD.encode())), r"line 1 of packed.ccd must be"),
    # .ccd: the header
    ("rate-text.ccd", header("dIdtmax=fast"), r"dIdtmax in the header of rate-text.ccd must be positive.*got 'fast'"),
    ("rate-negative.ccd", header("dIdtmax=-100.0"), r"dIdtmax in the header of rate-negative.ccd must be positive"),
    ("rate-zero.ccd", header("dIdtstim=0"), r"dIdtstim in the header of rate-zero.ccd must be positive"),
    (
        "rate-nan.ccd",
        header("dIdtmax=nan"),
        r"dIdtmax in the header of rate-nan.ccd must be positive numbers; got 'nan'",
    ),
    (
        "rate-twice.ccd",
        header("dIdtmax=1;didtmax=2"),
        r"header of rate-twice.ccd must give 'didtmax' once; got it twice",
    ),
    ("box.ccd", header("x=300,-300"), r"x in the header of box.ccd must be its lowest and highest value"),
    ("box-three.ccd", header("z=1,2,3"), r"z in the header of box-three.ccd must be its lowest"),
    ("box-text.ccd", header("y=wide"), r"y in the header of box-text.ccd must be numbers; got 'wide'"),
    ("resolution.ccd", header("resolution=0"), r"resolution in the header of resolution.ccd must be positive"),
    # What lies beside a .ccd
    ("stl-cut.ccd", beside(".stl", OPEN_STL[:-10]), r"stl-cut.stl must be .* 79 triangles of its header"),
    ("stl-huge.ccd", beside(".stl", bytes(80) + b"\xff" * 54), r"stl-huge.stl must be .* 4,294,967,295 triangles"),
    ("stl-open.ccd", beside(".stl", OPEN_STL), r"stl-open.stl must be closed; .* sidecars=False"),
    ("stl-nan.ccd", beside(".stl", NAN_STL), r"stl-nan.stl must be finite"),
    ("stl-none.ccd", beside(".stl", bytes(84)), r"stl-none.stl must be at least 4; got none"),
    ("stl-empty.ccd", beside(".stl", b""), r"a file with content; got .*stl-empty.stl"),
    ("stl-text.ccd", beside(".stl", b"solid x\nvertex 1 2\n"), r"line 2 of stl-text.stl must be 'vertex x y z'"),
    ("stl-few.ccd", beside(".stl", b"solid x\nvertex 1 2 3\n"), r"stl-few.stl must be three per triangle; got 1"),
    ("stl-nans.ccd", beside(".stl", b"solid x\n" + b"vertex nan 2 3\n" * 3), r"stl-nans.stl must be finite"),
    ("tsv-text.ccd", beside(".tsv", b"# Time\tp\n" + b"now\tthen\n" * 12), r"tsv-text.tsv"),
    # .nii.gz
    ("plain.nii.gz", nifti(packed=False), r"plain.nii.gz must be a file packed by gzip, as its suffix says"),
    ("packed.nii", nifti(), r"packed.nii must be a plain file, not packed"),
    ("pickle.nii.gz", raw(PICKLE), r"pickle.nii.gz must be a file packed by gzip"),
    ("pickle-packed.nii.gz", raw(gzip.compress(PICKLE)), r"pickle-packed.nii.gz must begin with a NIfTI header"),
    ("pickle.nii", raw(PICKLE), r"pickle.nii must begin with a NIfTI header"),
    ("junk.nii", raw(bytes(range(256)) * 8), r"junk.nii must begin with a NIfTI header"),
    ("cut.nii.gz", cut_gzip, r"cut.nii.gz must be a complete gzip file; got a damaged or truncated one"),
    ("broken.nii.gz", broken_gzip, r"broken.nii.gz must be a complete gzip file"),
    ("gzip-junk.nii.gz", raw(b"\x1f\x8b" + bytes(100)), r"gzip-junk.nii.gz must be a complete gzip file"),
    ("header.nii.gz", nifti(cut=200), r"header.nii.gz must hold a header of 348 bytes; got 200"),
    ("data.nii.gz", nifti(cut=400), r"data of data.nii.gz must be 96 bytes, .*; got fewer"),
    ("data.nii", nifti(cut=400, packed=False), r"dim of data.nii must be a shape that the file has room for"),
    ("more.nii.gz", nifti(more=b"\0"), r"data of more.nii.gz must be 96 bytes, .*; got more"),
    ("bomb.nii.gz", bomb, r"data of bomb.nii.gz must be 96 bytes, .*; got more"),
    ("promise.nii.gz", promising_bomb, r"dim of promise.nii.gz must be a shape that the file has room for"),
    (
        "lie.nii.gz",
        nifti(dim=(4, 200, 200, 200, 3, 1, 1, 1)),
        r"dim of lie.nii.gz must be a shape that the file has room",
    ),
    (
        "large.nii.gz",
        nifti(dim=(4, 32767, 32767, 32767, 3, 1, 1, 1)),
        r"dim of large.nii.gz must be at most 22,369,621",
    ),
    (
        "scalar.nii.gz",
        nifti(values=np.ones((4, 4, 4), np.float32)),
        r"scalar.nii.gz must be a grid of vectors, .*head\?",
    ),
    ("four.nii.gz", nifti(dim=(4, 2, 2, 2, 4, 1, 1, 1)), r"dim of four.nii.gz must be a grid of vectors"),
    ("dims.nii.gz", nifti(dim=(6, 2, 2, 2, 1, 3, 1, 1)), r"dim of dims.nii.gz must be a grid of vectors"),
    ("negative.nii.gz", nifti(dim=(4, 2, -2, 2, 3, 1, 1, 1)), r"dim of negative.nii.gz must be a grid of vectors"),
    ("nothing.nii.gz", nifti(dim=(4, 2, 0, 2, 3, 1, 1, 1)), r"dim of nothing.nii.gz must be a grid of vectors"),
    ("thin.nii.gz", nifti(values=np.ones((8, 1, 8, 3), np.float32)), r"thin.nii.gz: values must have at least 2 nodes"),
    (
        "integers.nii.gz",
        nifti(values=np.ones((2, 2, 2, 3), np.int16)),
        r"datatype of integers.nii.gz must be .*; got 4",
    ),
    ("complex.nii.gz", nifti(values=np.ones((2, 2, 2, 3), np.complex64)), r"datatype of complex.nii.gz must be"),
    ("type.nii.gz", nifti(datatype=-7), r"datatype of type.nii.gz must be 16 \(float32\) or 64 \(float64\); got -7"),
    ("nan.nii.gz", nifti(values=np.where(WRONG_NII, np.nan, 0)), r"nan.nii.gz: values must be finite; got 8 nodes"),
    ("zero.nii.gz", nifti(values=0 * WRONG_NII), r"zero.nii.gz: values must not all be zero"),
    ("metres.nii.gz", nifti(xyzt_units=1), r"unit of metres.nii.gz must be mm; got metres"),
    ("microns.nii.gz", nifti(xyzt_units=3), r"unit of microns.nii.gz must be mm; got micrometres"),
    ("unit.nii.gz", nifti(xyzt_units=7), r"unit of unit.nii.gz must be mm; got code 7"),
    ("nowhere.nii.gz", nifti(sform_code=0, qform_code=0), r"nowhere.nii.gz must say where its grid lies"),
    ("flat.nii.gz", nifti(srow_x=(0, 0, 0, 0)), r"flat.nii.gz: affine must span space"),
    ("affine.nii.gz", nifti(srow_y=(0, np.nan, 0, 0)), r"sform or qform of affine.nii.gz must be finite"),
    ("turn.nii.gz", nifti(sform_code=0, qform_code=1, quatern_b=3), r"sform or qform of turn.nii.gz must be finite"),
    ("slope.nii.gz", nifti(scl_slope=np.inf), r"scl_slope and scl_inter of slope.nii.gz must be finite"),
    (
        "slopes.nii.gz",
        nifti(scl_slope=3e38, values=1e300 * np.ones((2, 2, 2, 3))),
        r"slopes.nii.gz: values must be finite",
    ),
    ("offset.nii.gz", nifti(vox_offset=1e9), r"vox_offset of offset.nii.gz must be from 352 to 1048576; got 1e\+09"),
    ("offset-nan.nii.gz", nifti(vox_offset=np.nan), r"vox_offset of offset-nan.nii.gz must be"),
    ("offset-low.nii.gz", nifti(vox_offset=100), r"vox_offset of offset-low.nii.gz must be"),
    ("pair.nii.gz", nifti(magic=b"ni1"), r"pair.nii.gz must be a NIfTI file of one piece; got the magic b'ni1'"),
    (
        "rates.nii.gz",
        nifti(descrip=b"dIdtmax=1,2,3"),
        r"dIdtmax in the header of rates.nii.gz must be one per .*, 1; got 3",
    ),
    ("rate.nii.gz", nifti(descrip=b"dIdtmax=none at all"), r"dIdtmax in the header of rate.nii.gz must be positive"),
]


@pytest.mark.parametrize(("name", "write", "words"), TABLE, ids=[entry[0] for entry in TABLE])
def test_one_sentence_each(
    name: str, write: Writer, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    write(path)
    tracemalloc.start()
    try:
        with pytest.raises((ValueError, OSError)) as caught:
            read_coil(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert re.search(words, message), message
    assert SENTENCE.match(message), message
    assert peak < MOST_MEMORY, f"{peak / 2**20:.0f} MB"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None  # no second traceback above it
    assert not (tmp_path / "pickle-was-loaded").exists()


def test_the_good_file_of_this_table_is_good(tmp_path: Path) -> None:
    """Without what each row does to them the files are read: the rows test what they say."""
    text(GOOD_CCD)(tmp_path / "x.ccd")
    assert read_coil(tmp_path / "x.ccd").max_didt == 1e8
    for name, packed in (("x.nii.gz", True), ("x.nii", False)):
        nifti(packed=packed)(tmp_path / name)
        assert read_coil(tmp_path / name).grid is not None
    nifti(dim=(5, 2, 2, 1, 2, 3, 1, 1), values=np.ones((2, 2, 2, 3)))(tmp_path / "y.nii")
    assert len(TABLE) >= 30


def test_paths_that_are_none() -> None:
    with pytest.raises(TypeError, match=r"path must be a text or a path; got int"):
        read_coil(7)  # type: ignore[arg-type]  # on purpose
    with pytest.raises(ValueError, match=r"path must be the name of a file; got .*"):
        read_coil("a\0b.ccd")


@pytest.mark.parametrize("name", ["long-line.ccd", "count-huge.ccd", "junk.ccd"])
def test_bad_text_is_left_at_the_first_bad_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However large the file is: of the 64 MB of the first no more than one line."""
    opened: list[coils.files.limits.Lines] = []

    class Watched(coils.files.limits.Lines):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)  # type: ignore[arg-type]  # passed on
            opened.append(self)

    monkeypatch.setattr("coils.files.limits.Lines", Watched)
    next(write for known, write, _ in TABLE if known == name)(tmp_path / name)
    with pytest.raises(ValueError, match="must be"):
        read_coil(tmp_path / name)
    assert opened[0].bytes_read <= 4097


@pytest.mark.parametrize(
    ("name", "most"),
    [("bomb.nii.gz", 352 + 96 + 1), ("promise.nii.gz", 348), ("large.nii.gz", 348), ("metres.nii.gz", 348)],
)
def test_bad_images_are_left_before_they_are_unpacked(
    name: str, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Count the bytes that are asked of the gzip stream: the header's, and no data if it is wrong."""
    asked: list[int] = []

    class Watched(gzip.GzipFile):
        def read(self, size: int | None = -1) -> bytes:
            assert size is not None
            assert size >= 0, "all of it was asked for"
            asked.append(size)
            return super().read(size)

    next(write for known, write, _ in TABLE if known == name)(tmp_path / name)
    monkeypatch.setattr(coils.files.nifti_image.gzip, "GzipFile", Watched)
    with pytest.raises(ValueError, match="must be"):
        read_coil(tmp_path / name)
    assert 0 < sum(asked) <= most
