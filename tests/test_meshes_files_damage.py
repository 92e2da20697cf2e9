"""Damage of every kind, at random: a reader returns what is still whole, or raises one sentence, and nothing else."""

import re

import numpy as np
import pytest
from nibabel.freesurfer import write_geometry

import meshes
from meshes.files import read_head, read_surface, write_surface
from tests.msh_cases import FORMS, cube_mesh, msh_bytes, skins
from tests.test_meshes_files_fiff import LAYERS, fif
from tests.test_meshes_files_surfaces import volume_info

SENTENCE = re.compile(r"^\S[^\n]* must [^\n]+; got [^\n]*$")
PIECES = (b"9", b"-", b"\0", b"nan ", b"\n", b"1e300 ", b"\xff\xff\xff\x7f")
CASES = [f"{version} {form}.msh" for version, form in FORMS] + [
    "a.stl",
    "a.ply",
    "a.off",
    "a.npz",
    "a.gii",
    "lh.pial",
    "a.fif",
]


def whole(case, folder):
    """Return the bytes of an undamaged file."""
    file = folder / case
    ball = meshes.icosphere(1, radius=50)
    if case.endswith(".msh"):
        nodes, tetrahedra, tags = cube_mesh((3, 3, 3), lambda centre: 3 if np.abs(centre).max() < 10 else 5)
        cells = [(2, *skins(nodes, tetrahedra, tags)), (4, tetrahedra, tags)]
        return msh_bytes(*case.removesuffix(".msh").split(), nodes, cells, names={(3, 5): "scalp"})
    if case == "a.fif":
        return fif(*LAYERS)
    if case == "lh.pial":
        info = volume_info(np.array([[-1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]]), (1.0, 2.0, 3.0))
        write_geometry(file, ball.vertices, ball.triangles, volume_info=info)
    else:
        write_surface(ball, file)
    return file.read_bytes()


def damaged(data, rng):
    """Return bytes with one to three bytes changed, left out or put in, often near the beginning."""
    out = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        at = int(rng.integers(len(out) if rng.random() < 0.5 else min(len(out), 600)))
        change = rng.integers(3)
        if change == 0:
            out[at] = rng.integers(256)
        elif change == 1:
            del out[at : at + int(rng.integers(1, 20))]
        else:
            out[at:at] = PIECES[rng.integers(len(PIECES))]
    return bytes(out)


@pytest.mark.parametrize("case", CASES)
def test_random_damage(tmp_path, rng, case):
    data = whole(case, tmp_path)
    file = tmp_path / case
    read = read_head if case.endswith((".msh", ".fif")) else read_surface
    file.write_bytes(data)
    read(file)
    said = []
    for _ in range(60):
        file.write_bytes(damaged(data, rng))
        try:
            read(file)
        except ValueError as error:
            said.append(str(error))
    assert len(said) > 5
    assert not [text for text in said if not SENTENCE.match(text)]
