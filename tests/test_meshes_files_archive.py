"""Heads in one file, to the bit; imported heads by name; and files that are not what they should be."""

import io
import os
from dataclasses import replace

import numpy as np
import pytest

import meshes
from meshes.files.archive import parse_about, write_head
from meshes.files.imported import describe_imported, import_head, imported_file, imported_heads, load_imported
from meshes.tissues import conductivity_provenance
from tests.touching_cases import two_halves


@pytest.fixture
def rich():
    """Return spheres with all that a head can have, and names that no file name could be."""
    head = meshes.sphere_head([90.0, 80.0], [0.33, 1.0], subdivisions=2)
    return replace(
        head,
        name="tête/π",
        regions={"label:a b-left": [3, 1], "ä/ö": [0]},
        fiducials={"nasion": (0.1, 90.0, 1.0 / 3.0)},
        targets={"label:a b-left": (1e-300, -0.0, 70.0)},
        resolution="coarse",
        provenance={"source": "made\nhere", "licence": "none"},
    )


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EFIELD_HEADS", str(tmp_path / "heads"))
    return tmp_path / "heads"


def same(one, other):
    assert one.checksum == other.checksum
    assert (one.name, one.resolution, one.provenance) == (other.name, other.resolution, other.provenance)
    assert [i.name for i in one.interfaces] == [i.name for i in other.interfaces]
    for a, b in zip((*one.interfaces, one), (*other.interfaces, other), strict=True):
        first, second = (getattr(x, "surface", None) or x.cortex for x in (a, b))
        assert first.vertices.tobytes() == second.vertices.tobytes()
        assert first.triangles.tobytes() == second.triangles.tobytes()
        assert first.name == second.name
    for a, b in zip(one.interfaces, other.interfaces, strict=True):
        assert a.sigmas.tobytes() == b.sigmas.tobytes()
        assert a.is_uniform == b.is_uniform
    for field in ("regions", "fiducials", "targets"):
        assert list(getattr(one, field)) == list(getattr(other, field))
        for key, value in getattr(one, field).items():
            assert value.tobytes() == getattr(other, field)[key].tobytes()


def test_a_head_comes_back_to_the_bit(tmp_path, rich):
    write_head(rich, tmp_path / "head.npz")
    same(meshes.read_head(tmp_path / "head.npz"), rich)
    assert os.listdir(tmp_path) == ["head.npz"]
    first = (tmp_path / "head.npz").read_bytes()
    write_head(rich, tmp_path / "head.npz")
    assert (tmp_path / "head.npz").read_bytes() == first  # same head, same file


def test_a_shipped_head_comes_back_to_the_bit(tmp_path):
    head = meshes.load_head("pycortex")
    write_head(head, tmp_path / "head.npz")
    same(meshes.read_head(tmp_path / "head.npz"), head)


def test_tissues_that_touch_come_back_to_the_bit(tmp_path):
    """Open surfaces, and a conductivity for each triangle."""
    head = two_halves(8)
    assert head.touching
    write_head(head, tmp_path / "head.npz")
    same(meshes.read_head(tmp_path / "head.npz"), head)


def test_other_name_and_other_cortex(tmp_path, rich):
    write_head(rich, tmp_path / "head.npz")
    head = meshes.read_head(tmp_path / "head.npz", name="mine", cortex=meshes.icosphere(1, radius=70))
    assert (head.name, head.provenance["cortex"], dict(head.regions)) == ("mine", "given by the caller", {})
    assert len(head.cortex.triangles) == 80


def test_any_changed_number_is_told(tmp_path, rich):
    """Each array in turn, by one bit of one number; the digest tells it, or NumPy does."""
    file = tmp_path / "head.npz"
    write_head(rich, file)
    with np.load(file) as data:
        tables = {key: data[key] for key in data.files}
    assert {"vertices_1", "inside_0", "outside_0", "region_1", "fiducials", "targets", "cortex_vertices"} <= set(tables)
    for key in tables:
        if key in ("digest", "about"):
            continue
        raw = bytearray(tables[key].tobytes())
        raw[0] ^= 1
        content = io.BytesIO()
        changed = np.frombuffer(bytes(raw), tables[key].dtype).reshape(tables[key].shape)
        np.savez_compressed(content, **(tables | {key: changed}))
        file.write_bytes(content.getvalue())
        with pytest.raises(ValueError, match=r"^head\.npz must hold what its digest says; got other content"):
            meshes.read_head(file)
    file.write_bytes(b"")
    with pytest.raises(ValueError, match=r"^head\.npz must be an \.npz file; got a damaged one"):
        meshes.read_head(file)


@pytest.mark.parametrize("step", range(40))
def test_random_damage_is_told(tmp_path, rich, step):
    """Bytes changed anywhere: either the head is whole, or there is one sentence."""
    file = tmp_path / "head.npz"
    write_head(rich, file)
    rng = np.random.default_rng(step)
    data = bytearray(file.read_bytes())
    for at in rng.integers(0, len(data), 3):
        data[at] ^= int(rng.integers(1, 256))
    file.write_bytes(bytes(data))
    said = ""
    try:
        same(meshes.read_head(file), rich)
    except ValueError as error:
        said = str(error)
    assert not said or (" must " in said and "\n" not in said)


def test_writing_leaves_nothing_behind(tmp_path, rich, monkeypatch):
    with pytest.raises(ValueError, match=r"^path must end in \.npz; got head\.toml"):
        write_head(rich, tmp_path / "head.toml")
    with pytest.raises(TypeError, match=r"^head must be a meshes\.HeadModel; got str"):
        write_head("pycortex", tmp_path / "head.npz")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        write_head(rich, tmp_path / "head.npz")
    assert not list(tmp_path.iterdir())


def test_imported_heads_are_loaded_by_name(cache, rich):
    assert imported_heads() == ()
    tissues = conductivity_provenance(["outer", "inner"], None, {"outer": 0.33, "inner": 1.0})
    head = replace(rich, provenance={"source": "here"} | tissues)
    file = import_head(head, name="sub-01")
    assert file == cache / "sub-01.npz" == imported_file("sub-01")
    import_head(rich, name="a.b_c")
    assert imported_heads() == ("a.b_c", "sub-01")
    same(meshes.load_head("sub-01"), replace(head, name="sub-01"))
    changed = meshes.load_head("sub-01", resolution="coarse", conductivities={"inner": 0.5})
    assert (changed.interfaces[1].sigma_inside, changed.interfaces[0].sigma_outside) == (0.5, 0.0)
    about = describe_imported("sub-01")
    assert (about.name, about.resolution, about.triangles, about.regions) == ("sub-01", "coarse", 640, 2)
    assert about.conductivities == "outer 0.33 (file), inner 1.0 (file) S/m"
    assert about.source == "here"
    with pytest.raises(ValueError, match=r"^resolution must be one of 'coarse'; got 'fast'"):
        meshes.load_head("sub-01", resolution="fast")
    with pytest.raises(ValueError, match=r"^name must be one of 'pycortex', 'fsaverage', 'a\.b_c', 'sub-01'; got 'x'"):
        meshes.load_head("x")


def test_imports_are_not_lost(cache, rich):
    import_head(rich, name="sub-01")
    with pytest.raises(ValueError, match=r"^name must not be taken; got 'sub-01', which is "):
        import_head(rich, name="sub-01")
    import_head(replace(rich, resolution="other"), name="sub-01", overwrite=True)
    assert load_imported("sub-01").resolution == "other"
    with pytest.raises(
        ValueError, match=r"^name must be of letters, digits, dots, dashes and underscores; got 'tête/π'"
    ):
        import_head(rich)
    (cache / "broken.npz").write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"^broken\.npz must be an \.npz file; got a damaged one"):
        describe_imported("broken")


def test_a_folder_that_cannot_be_written(tmp_path, rich, monkeypatch):
    (tmp_path / "taken").write_text("a file")
    monkeypatch.setenv("EFIELD_HEADS", str(tmp_path / "taken"))
    with pytest.raises(OSError, match=r"taken must be writable; got .*EFIELD_HEADS"):
        import_head(rich, name="x")


def test_description_without_the_head(tmp_path, rich):
    write_head(rich, tmp_path / "head.npz")
    about = parse_about((tmp_path / "head.npz").read_bytes(), "head.npz")
    assert about["interfaces"] == ["sphere-1", "sphere-2"]
    assert about["regions"] == ["label:a b-left", "ä/ö"]
    assert about["provenance"] == {"source": "made\nhere", "licence": "none"}
