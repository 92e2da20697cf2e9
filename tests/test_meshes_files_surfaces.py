"""Surface files: round trips, to the bit where the format can; other programs; FreeSurfer's frame; bad files."""

import io
import os
import re
import struct
import tracemalloc
import zipfile

import nibabel
import numpy as np
import pytest
from nibabel.freesurfer import write_geometry
from nibabel.freesurfer.mghformat import MGHHeader

import meshes
from meshes.files import read_surface, write_surface

DOUBLE = (".vtp", ".ply", ".off", ".npz")
SINGLE = (".stl", ".gii")


@pytest.fixture
def ball():
    """Return a sphere off the origin with awkward digits."""
    return meshes.icosphere(2, radius=83.0 / 3.0, centre=(1 / 3, -20 / 7, 55.5), name="ball")


def same_triangles(one, other, tolerance):
    """Tell whether two surfaces have the same triangles, turned the same way, in the same order."""
    first, second = one.corners, other.corners
    return first.shape == second.shape and np.abs(first - second).max() <= tolerance


@pytest.mark.parametrize("suffix", DOUBLE)
def test_double_precision_comes_back_to_the_bit(tmp_path, ball, suffix):
    write_surface(ball, tmp_path / f"it{suffix}")
    back = read_surface(tmp_path / f"it{suffix}")
    assert (back.checksum, back.name) == (ball.checksum, "it")
    assert os.listdir(tmp_path) == [f"it{suffix}"]


@pytest.mark.parametrize("suffix", SINGLE)
def test_single_precision_comes_back_to_single_precision(tmp_path, ball, suffix):
    write_surface(ball, tmp_path / f"it{suffix}")
    back = read_surface(tmp_path / f"it{suffix}")
    assert same_triangles(ball, back, 0.5 * np.spacing(np.float32(90.0)))
    assert back.is_closed
    assert len(back.vertices) == len(ball.vertices)
    write_surface(back, tmp_path / f"again{suffix}")
    assert read_surface(tmp_path / f"again{suffix}").checksum == back.checksum


@pytest.mark.parametrize("suffix", [*DOUBLE[:3], *SINGLE])
def test_other_programs_read_what_is_written(tmp_path, ball, suffix):
    file = tmp_path / f"ball{suffix}"
    write_surface(ball, file)
    if suffix == ".gii":
        points, faces = (array.data for array in nibabel.load(file).darrays)
        corners = points[faces].astype(float)
    elif suffix == ".vtp":
        import pyvista

        mesh = pyvista.read(file)
        corners = np.asarray(mesh.points)[mesh.regular_faces]
    else:
        import trimesh

        mesh = trimesh.load_mesh(file, process=False)
        corners = np.asarray(mesh.triangles)
        assert mesh.face_normals == pytest.approx(ball.normals, abs=1e-4)
    assert np.abs(corners - ball.corners).max() < 1e-5


@pytest.mark.parametrize("encoding", ["binary", "ascii"])
@pytest.mark.parametrize("suffix", [".ply", ".stl", ".off", ".vtp"])
def test_what_other_programs_write_is_read(tmp_path, ball, suffix, encoding):
    file = tmp_path / f"ball{suffix}"
    if suffix == ".vtp":
        import pyvista

        mesh = pyvista.PolyData.from_regular_faces(ball.vertices, ball.triangles.astype(int))
        mesh.save(file, binary=encoding == "binary")
    else:
        import trimesh

        mesh = trimesh.Trimesh(ball.vertices, ball.triangles, process=False)
        kind = "stl_ascii" if (suffix, encoding) == (".stl", "ascii") else suffix[1:]
        options = {"encoding": encoding} if suffix == ".ply" else {}
        data = mesh.export(file_type=kind, **options)
        file.write_bytes(data if isinstance(data, bytes) else data.encode())
    back = read_surface(file)
    assert back.is_closed
    assert same_triangles(ball, back, 1e-5)


def test_ply_of_big_endian_with_normals_and_colours(tmp_path, ball):
    head = "ply\r\nformat binary_big_endian 1.0\r\ncomment x\r\nobj_info y\r\n"
    head += f"element vertex {len(ball.vertices)}\r\nproperty uchar red\r\nproperty float x\r\nproperty float y\r\n"
    head += f"property double z\r\nelement face {len(ball.triangles)}\r\nproperty list uint8 uint32 vertex_index\r\n"
    body = b"".join(struct.pack(">Bffd", 7, *row) for row in ball.vertices)
    body += b"".join(struct.pack(">B3I", 3, *row) for row in ball.triangles.tolist())
    (tmp_path / "b.ply").write_bytes(head.encode() + b"end_header\r\n" + body)
    assert same_triangles(ball, read_surface(tmp_path / "b.ply"), 1e-5)


def test_metres_become_millimetres(tmp_path, ball):
    small = meshes.Surface(ball.vertices / 1000.0, ball.triangles)
    write_surface(small, tmp_path / "small.ply")
    back = read_surface(tmp_path / "small.ply", unit="m", name="mine")
    assert back.vertices == pytest.approx(ball.vertices, rel=1e-14)
    assert back.name == "mine"
    with pytest.raises(ValueError, match=r"^unit must be one of 'mm', 'm'; got 'cm'"):
        read_surface(tmp_path / "small.ply", unit="cm")


def volume_info(axes, centre, shape=(256, 200, 180), voxel=(1.0, 0.8, 1.2)):
    return {
        "head": np.array([2, 0, 20], dtype=np.int32), "valid": "1  # volume info valid", "filename": "T1.mgz",
        "volume": np.array(shape), "voxelsize": np.array(voxel),
        "xras": axes[0], "yras": axes[1], "zras": axes[2], "cras": np.array(centre),
    }  # fmt: skip


def rotation(rng):
    matrix = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return matrix * np.sign(np.linalg.det(matrix))


@pytest.mark.parametrize("turned", [False, True])
def test_freesurfer_surface_comes_in_scanner_ras(tmp_path, ball, rng, turned):
    """By nibabel's own matrices of a volume: scanner RAS = vox2ras inv(vox2ras-tkr) surface RAS."""
    axes = np.array([[-1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])
    axes = rotation(rng) @ axes if turned else axes
    info = volume_info(axes, (3.5, -17.25, 21.0))
    write_geometry(tmp_path / "lh.pial", ball.vertices, ball.triangles, volume_info=info)
    header = MGHHeader()
    header.set_data_shape(tuple(info["volume"]))
    header.set_zooms(tuple(info["voxelsize"]))
    header["Mdc"], header["Pxyz_c"] = axes, info["cras"]
    matrix = header.get_vox2ras() @ np.linalg.inv(header.get_vox2ras_tkr())
    back = read_surface(tmp_path / "lh.pial")
    expected = ball.vertices.astype(np.float32) @ matrix[:3, :3].T + matrix[:3, 3]
    assert np.abs(back.vertices - expected).max() < 1e-4  # nibabel keeps the axes in single precision
    assert back.volume == pytest.approx(ball.volume, rel=1e-5)
    assert back.name == "lh.pial"
    if not turned:
        assert np.abs(back.vertices - ball.vertices - info["cras"]).max() < 1e-5


def test_freesurfer_surface_that_does_not_say_where_it_is(tmp_path, ball):
    write_geometry(tmp_path / "lh.pial", ball.vertices, ball.triangles)
    with pytest.raises(ValueError, match=r"^lh\.pial must say where its volume lies .*; got nothing\. Convert it with"):
        read_surface(tmp_path / "lh.pial")
    info = volume_info(np.ones((3, 3)), (0, 0, 0))
    write_geometry(tmp_path / "lh.pial", ball.vertices, ball.triangles, volume_info=info)
    with pytest.raises(ValueError, match=r"^lh\.pial must have orthogonal unit vectors xras, yras and zras; got"):
        read_surface(tmp_path / "lh.pial")


def test_writer_refuses_and_leaves_nothing(tmp_path, ball, monkeypatch):
    with pytest.raises(ValueError, match=r"^extension of path must be one of '\.stl', .*; got '\.obj'"):
        write_surface(ball, tmp_path / "ball.obj")
    with pytest.raises(TypeError, match=r"^surface must be a meshes\.Surface; got ndarray"):
        write_surface(ball.vertices, tmp_path / "ball.ply")
    far = meshes.Surface(1e-3 * ball.vertices + 1e5, ball.triangles, "far")
    with pytest.raises(ValueError, match=r"^far must keep its vertices apart in single precision to be written as STL"):
        write_surface(far, tmp_path / "far.stl")
    write_surface(ball, tmp_path / "ball.ply")
    before = (tmp_path / "ball.ply").read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_surface(meshes.icosphere(1), tmp_path / "ball.ply")
    assert [file.name for file in tmp_path.iterdir()] == ["ball.ply"]
    assert (tmp_path / "ball.ply").read_bytes() == before


def written(suffix, ball, folder):
    write_surface(ball, folder / f"whole{suffix}")
    return (folder / f"whole{suffix}").read_bytes()


def npz_with_shape(shape):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for key in ("vertices", "triangles"):
            header = io.BytesIO()
            np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": shape})
            archive.writestr(f"{key}.npy", header.getvalue() + bytes(240))
    return content.getvalue()


def renamed(data):
    """Return an .npz file whose arrays have other names."""
    with np.load(io.BytesIO(data)) as file:
        content = io.BytesIO()
        np.savez(content, points=file["vertices"], faces=file["triangles"])
    return content.getvalue()


def freesurfer(n_vertices):
    return b"\xff\xff\xfecreated by hand\n\n" + struct.pack(">2i", n_vertices, 10) + bytes(500)


BROKEN = {
    "stl cut": (".stl", lambda d: d[:-7], r"84 \+ 50 bytes per triangle; got 16077 bytes for 320 triangles.*truncated"),
    "stl count": (".stl", lambda d: d[:80] + b"\xff" * 4 + d[84:], r"got 16084 bytes for 4294967295 triangles"),
    "stl short": (".stl", lambda d: d[:50], r"must be an STL file.*; got 50 bytes\. It is too short"),
    "stl nan": (".stl", lambda d: d[:96] + b"\xff" * 8 + d[104:], r"finite positions; got NaN or infinity"),
    "stl text": (
        ".stl",
        lambda _: b"solid x\nfacet normal 0 0 1\nvertex 1 2\n",
        r"end with endsolid; got no such line",
    ),
    "stl words": (
        ".stl",
        lambda _: b"solid x\nfacet normal 0 0 1\nvertex 1 2 a\nvertex 1 1 1\nvertex 2 2 2\nendsolid x",
        r"must hold numbers only; got other text",
    ),
    "ply mark": (".ply", lambda d: b"plx" + d[3:], r"a header from ply to end_header; got b'plx"),
    "ply cut": (".ply", lambda d: d[:-7], r"must hold 8048 bytes, as its counts say; got 8041\. The file is truncated"),
    "ply count": (".ply", lambda d: d.replace(b"vertex 162", b"vertex 162000000000"), r"must hold 3888000004160 bytes"),
    "ply type": (".ply", lambda d: d.replace(b"double x", b"quad x"), r"properties of the types of PLY; got 'quad'"),
    "ply axes": (
        ".ply",
        lambda d: d.replace(b"double x", b"double u"),
        r"vertex properties x, y and z; got \['u', 'y'",
    ),
    "ply form": (
        ".ply",
        lambda d: d.replace(b"binary_little_endian", b"middle"),
        r"or binary_big_endian; got 'middle'",
    ),
    "ply quads": (".ply", lambda d: d[:-13] + b"\4" + d[-12:], r"triangles only; got 1 faces with other counts"),
    "ply index": (
        ".ply",
        lambda d: d[:-4] + b"\0\0\1\0",
        r"must be indices from 0 to 161, the last vertex; got 0 to 65536",
    ),
    "ply order": (
        ".ply",
        lambda d: d.replace(b"element vertex", b"element corner"),
        r"hold vertex and face first; got",
    ),
    "off mark": (".off", lambda d: d[3:], r"must be an OFF file and begin with OFF; got b"),
    "off cut": (".off", lambda d: d[:-40], r"must hold 1766 numbers for 162 vertices and 320 triangles; got 17\d\d"),
    "off count": (".off", lambda d: d.replace(b"162 320", b"-5 320"), r"begin with the counts.*; got \[-5\.0, 320"),
    "off nan": (
        ".off",
        lambda d: re.sub(rb"\n\S+ ", b"\nnan ", d, count=2),
        r"must be finite|must begin with the counts",
    ),
    "off letters": (".off", lambda d: d[:-9] + b"x" + d[-8:], r"must hold numbers only; got other text"),
    "off empty": (".off", lambda _: b"OFF\n0 0 0\n", r"must hold triangles; got none"),
    "npz cut": (".npz", lambda d: d[:-30], r"must be an \.npz file; got a damaged one"),
    "npz names": (".npz", lambda d: renamed(d), r"hold the arrays vertices and triangles; got \['faces\.npy', 'points"),
    "npz huge": (
        ".npz",
        lambda _: npz_with_shape((10**14, 3)),
        r"shape \(100000000000000, 3\), as its header says; got 240",
    ),
    "npz columns": (
        ".npz",
        lambda _: npz_with_shape((15, 2)),
        r"must be an array of shape \(n, 3\); got shape \(15, 2\)",
    ),
    "gii cut": (".gii", lambda d: d[: len(d) // 2], r"must be a GIFTI file; got a damaged one"),
    "gii text": (".gii", lambda _: b"hello", r"must be a GIFTI file; got a damaged one"),
    "gii data": (
        ".gii",
        lambda d: re.sub(rb"<Data>.{30}", b"<Data>AAAA", d, count=1),
        r"GIFTI file; got a damaged one",
    ),
    "gii one": (
        ".gii",
        lambda d: d.replace(b"_TRIANGLE", b"_POINTSET"),
        r"one set of points and one of triangles; got 2 and 0",
    ),
    "vtp cut": (".vtp", lambda d: d[: len(d) // 2], r"must be a VTP file from <VTKFile to </VTKFile>; got"),
    "vtp text": (".vtp", lambda _: b"hello", r"must be a VTP file from <VTKFile to </VTKFile>; got b'hello'"),
    "freesurfer count": (".pial", lambda _: freesurfer(10**9), r"hold 1000000000 vertices and 10 triangles.*; got 528"),
    "freesurfer sign": (
        ".pial",
        lambda _: freesurfer(-5),
        r"must hold -5 vertices and 10 triangles, as its counts say",
    ),
    "freesurfer cut": (".pial", lambda _: freesurfer(3)[:15], r"must be a FreeSurfer surface with a comment and two"),
    "other kind": (
        ".obj",
        lambda _: b"v 0 0 0\n",
        r"must be a surface: \.stl, .* or one of FreeSurfer; got b'v 0 0 0\\n' first",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files_say_so(tmp_path, ball, case):
    suffix, change, words = BROKEN[case]
    data = written(suffix, ball, tmp_path) if suffix in DOUBLE + SINGLE else b""
    file = tmp_path / f"bad{suffix}"
    file.write_bytes(change(data))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=words) as caught:
            read_surface(file)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert f"bad{suffix}" in str(caught.value)
    assert peak < 40_000_000  # whatever the counts say; nibabel reads GIFTI through a buffer of 35 MB
