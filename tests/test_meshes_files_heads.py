"""Heads from lists of surfaces and from folders: tissues, units, order, cortex; and lists that are wrong."""

import numpy as np
import pytest

import meshes
from meshes.files import read_head, write_surface
from meshes.tissues import TISSUES, conductivity_table, tissue_of_tag
from tests.msh_cases import msh_bytes, nested_cubes

LIST = """
name = "subject 7"
source = "made here"
[[interface]]
file = "skull.off"
inside = 0.01
outside = "scalp"
[[interface]]
file = "skin.stl"
name = "skin"
inside = "scalp"
outside = "air"
[[interface]]
file = "brain.npz"
inside = "jelly"
outside = 0.01
[conductivities]
jelly = 0.3
scalp = 0.4
[fiducials]
nasion = [0.0, 90.0, 0.0]
"""


@pytest.fixture
def folder(tmp_path):
    """Return a folder with three spheres, a cortex in two halves, and head.toml that lists them."""
    for name, radius in (("skin.stl", 90), ("skull.off", 84), ("brain.npz", 78), ("mid.gii", 70), ("small.ply", 3)):
        write_surface(meshes.icosphere(2, radius=radius), tmp_path / name)
    ball = meshes.icosphere(2, radius=70)
    for side, sign in (("lh", -1.0), ("rh", 1.0)):
        half = ball.triangles[sign * ball.centroids[:, 0] > 0]
        used, triangles = np.unique(half, return_inverse=True)
        write_surface(meshes.Surface(ball.vertices[used], triangles.reshape(-1, 3)), tmp_path / f"{side}.vtp")
    (tmp_path / "head.toml").write_text(LIST)
    return tmp_path


def test_list_of_surfaces(folder):
    head = read_head(folder / "head.toml")
    assert head.name == "subject 7"
    assert [i.name for i in head.interfaces] == ["skin", "skull", "brain"]
    assert [(i.sigma_inside, i.sigma_outside) for i in head.interfaces] == [(0.4, 0.0), (0.01, 0.4), (0.3, 0.01)]
    assert [np.linalg.norm(i.surface.vertices, axis=1).mean().round(4) for i in head.interfaces] == [90.0, 84.0, 78.0]
    assert np.array_equal(head.fiducials["nasion"], [0.0, 90.0, 0.0])
    assert head.provenance["source"] == "made here"
    assert head.provenance["cortex"] == "brain, moved inwards by 1.5 mm"
    assert np.linalg.norm(head.cortex.vertices, axis=1) == pytest.approx(76.5, abs=0.01)
    changed = read_head(folder / "head.toml", conductivities={"jelly": 0.2}, name="mine")
    assert (changed.name, changed.interfaces[2].sigma_inside, changed.interfaces[0].sigma_inside) == ("mine", 0.2, 0.4)
    with pytest.raises(ValueError, match=r"^tissue in conductivities must be one of .*'scalp', 'jelly'.*; got 'skull'"):
        read_head(folder / "head.toml", conductivities={"skull": 0.2})


def test_cortex_of_the_list_and_of_the_caller(folder):
    (folder / "head.toml").write_text('cortex = ["lh.vtp", "rh.vtp"]\n' + LIST)
    head = read_head(folder / "head.toml")
    assert head.provenance["cortex"] == "by head.toml: lh.vtp, rh.vtp"
    assert np.linalg.norm(head.cortex.vertices, axis=1) == pytest.approx(70.0)
    assert (
        head.cortex.areas.sum() < meshes.icosphere(2, radius=70).areas.sum()
    )  # triangles across the middle are left out
    for cortex in (folder / "mid.gii", [folder / "mid.gii"], meshes.icosphere(1, radius=70)):
        head = read_head(folder / "head.toml", cortex=cortex)
        assert head.provenance["cortex"] == "given by the caller"
        assert np.linalg.norm(head.cortex.vertices, axis=1) == pytest.approx(70.0)


def test_metres(folder):
    (folder / "head.toml").write_text('unit = "m"\n' + LIST.replace("90.0", "0.09"))
    for name in ("skin.stl", "skull.off", "brain.npz"):
        surface = meshes.files.read_surface(folder / name)
        write_surface(meshes.Surface(surface.vertices / 1000, surface.triangles), folder / name)
    head = read_head(folder / "head.toml")
    assert np.linalg.norm(head.scalp.vertices, axis=1) == pytest.approx(90.0)
    assert head.fiducials["nasion"][1] == pytest.approx(90.0)


def test_cortex_lies_halfway_between_grey_and_white(folder):
    for name, radius in (("pia", 70), ("wm", 66)):
        for side, x in (("l", -71.0), ("r", 71.0)):
            write_surface(meshes.icosphere(3, radius=radius, centre=(x, 0, 0)), folder / f"{name}.{side}.ply")
    write_surface(meshes.icosphere(3, radius=200), folder / "skin.ply")
    text = '[[interface]]\nfile = "skin.ply"\ninside = "csf"\noutside = "air"\n'
    for side in "lr":
        text += f'[[interface]]\nfile = "pia.{side}.ply"\ninside = "grey"\noutside = "csf"\n'
        text += f'[[interface]]\nfile = "wm.{side}.ply"\nname = "wm {side}"\ninside = "white"\noutside = "grey"\n'
    (folder / "brain.toml").write_text(text)
    head = read_head(folder / "brain.toml")
    assert [i.name for i in head.interfaces] == ["skin", "pial", "pial-2", "wm l", "wm r"]
    assert head.provenance["cortex"] == "halfway between grey and white matter's surfaces"
    centred = head.cortex.vertices - 71.0 * np.sign(head.cortex.vertices[:, :1]) * [1, 0, 0]
    assert np.linalg.norm(centred, axis=1) == pytest.approx(68.0, abs=0.01)


def test_simnibs_folder(tmp_path):
    nodes, tetrahedra, tags = nested_cubes()
    subject = tmp_path / "m2m_ernie"
    (subject / "surfaces").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"^m2m_ernie must hold ernie\.msh, or one \.msh file; got \[\]"):
        read_head(subject)
    (subject / "ernie.msh").write_bytes(msh_bytes("4.1", "little", nodes, [(4, tetrahedra, tags)]))
    (subject / "other.msh").write_bytes(b"")
    head = read_head(subject)
    assert (head.name, len(head.interfaces)) == ("ernie", 3)
    for side, x in (("lh", -9.0), ("rh", 9.0)):
        write_surface(meshes.icosphere(2, radius=8, centre=(x, 0, 0)), subject / "surfaces" / f"{side}.central.gii")
    head = read_head(subject)
    assert head.provenance["cortex"] == "surfaces/lh.central.gii and rh.central.gii"
    assert len(head.cortex.triangles) == 640
    assert read_head(subject, cortex=meshes.icosphere(1, radius=18)).provenance["cortex"] == "given by the caller"


@pytest.mark.parametrize(
    ("old", "new", "kind", "words"),
    [
        ("name = ", "name == ", ValueError, r"^head\.toml must be a TOML file; got one that cannot be read"),
        ("[[interface]]", "[[surface]]", ValueError, r"^key of head\.toml must be one of 'name', .*; got 'surface'"),
        (LIST, "name = 'x'", ValueError, r"^head\.toml must list its surfaces as \[\[interface\]\]; got 'none'"),
        (LIST, "interface = 3", ValueError, r"^head\.toml must list its surfaces as \[\[interface\]\]; got 3"),
        ("source = ", "unit = ", ValueError, r"^unit in head\.toml must be one of 'mm', 'm'; got 'made here'"),
        ('"made here"', "3", ValueError, r"^source in head\.toml must be a str; got 3"),
        (
            "skull.off",
            "bone.off",
            FileNotFoundError,
            r"^file of interface 1 of head\.toml must name a file that exists",
        ),
        (
            'file = "skin.stl"\n',
            "",
            ValueError,
            r"^interface 2 of head\.toml must have the keys file, inside and outside",
        ),
        ('name = "skin"', "colour = 1", ValueError, r"^key of interface 2 of head\.toml must be one of .*got 'colour'"),
        ('name = "skin"', "name = 1", ValueError, r"^interface 2 of head\.toml must have text as file and name"),
        (
            "inside = 0.01",
            "inside = -0.01",
            ValueError,
            r"^inside of interface 1 of head\.toml must be zero or a positive",
        ),
        ("inside = 0.01", "inside = 0.02", ValueError, r"must be nested as its conductivities say"),
        ("jelly = 0.3", "", ValueError, r"^tissue 'jelly' must have a conductivity; got none"),
        ("jelly = 0.3", "jelly = -1", ValueError, r"^conductivity of jelly must be a positive number; got -1"),
        ("jelly = 0.3", 'jelly = "a"', ValueError, r"^conductivity of jelly must be a positive number; got 'a'"),
        ("source = ", "scalp = ", ValueError, r"^scalp in head\.toml must be the one interface with air outside; got"),
        ('"air"', '"csf"', ValueError, r"^skin, the first surface, must have sigma_outside = 0, air; got 1\.654"),
        (
            'inside = "scalp"',
            'inside = "air"',
            ValueError,
            r"^sigma_inside of skin must be a positive number; got 0\.0",
        ),
        ("skull.off", "skin.stl", ValueError, r"must not cross"),
        ("skin.stl", "lh.vtp", ValueError, r"^skin must be closed; got 24 open edges"),
        ("brain.npz", "head.toml", ValueError, r"^head\.toml must be a surface: \.stl"),
        ("source = ", "cortex = ", FileNotFoundError, r"^cortex must name a file that exists; got '.*made here'"),
        (
            'source = "made here"',
            "cortex = 3",
            ValueError,
            r"^cortex in head\.toml must be a file name or several; got 3",
        ),
        ('source = "made here"', "cortex = []", ValueError, r"^cortex must name one or more files; got none"),
        ('"made here"', '"made here"\ncortex = "small.ply"', ValueError, r"^cortex must lie inside the scalp and fill"),
        ("[0.0, 90.0, 0.0]", "[0.0, 90.0]", ValueError, r"^fiducial 'nasion' must be a vector of shape \(3,\)"),
    ],
)
def test_lists_that_are_wrong(folder, old, new, kind, words):
    assert old in LIST
    (folder / "head.toml").write_text(LIST.replace(old, new, 1))
    with pytest.raises(kind, match=words) as caught:
        read_head(folder / "head.toml")
    assert "\n" not in str(caught.value)


def test_inverted_surface_and_other_arguments(folder):
    skull = meshes.files.read_surface(folder / "skull.off")
    write_surface(meshes.Surface(skull.vertices, skull.triangles[:, ::-1]), folder / "skull.off")
    with pytest.raises(ValueError, match=r"must be counter-clockwise seen from outside.*Swap two columns"):
        read_head(folder / "head.toml")
    with pytest.raises(
        ValueError, match=r"^tissues and merge must be left out but for a mesh; got them for head\.toml"
    ):
        read_head(folder / "head.toml", merge={"csf": "grey"})
    with pytest.raises(ValueError, match=r"^path must be a \.msh, \.toml, \.fif, \.nii, \.mgz or \.npz file, or an"):
        read_head(folder / "skin.stl")
    (folder / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"^bytes\.toml must be a TOML file; got one that cannot be read"):
        read_head(folder / "bytes.toml")


def test_table_of_tissues():
    expected = {
        "white": 0.126, "grey": 0.275, "csf": 1.654, "skull": 0.01, "scalp": 0.465, "eyes": 0.5, "compact_bone": 0.008,
        "spongy_bone": 0.025, "blood": 0.6, "muscle": 0.16, "cartilage": 0.88, "fat": 0.078,
    }  # fmt: skip
    assert {name: tissue.conductivity for name, tissue in TISSUES.items() if name != "air"} == expected
    assert [tissue_of_tag(tag) for tag in range(13)] == [None, *expected]
    assert [tissue_of_tag(1000 + tag) for tag in range(13)] == [None, *expected]
    assert all(tissue.source and tissue.name == name for name, tissue in TISSUES.items())
    assert {name: expected[name] for name in meshes.CONDUCTIVITIES} == meshes.CONDUCTIVITIES
    assert conductivity_table(["fat", "air", "fat"], {"fat": 1}) == {"air": 0.0, "fat": 1.0}
    with pytest.raises(ValueError, match=r"^tissue in conductivities must be one of 'fat'; got 'air'"):
        conductivity_table(["fat", "air"], {"air": 0.1})
