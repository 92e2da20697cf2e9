"""A table of broken heads and files, each with the sentence that it gets, and little memory whatever a header claims.

Readers have their own tables of damage in tests/test_meshes_files_*.py; here is one row for each kind of fault that a
person may meet, through the functions that they would call.
"""

import gzip
import re
import struct
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

import meshes
from meshes.anatomy.mni import MniAffine
from meshes.conductivities import with_conductivities
from meshes.files.imported import import_head, load_imported
from meshes.heads import load_head
from tests.broken_cases import (
    annotation_without,
    bent,
    built,
    changed,
    counted,
    cut,
    damaged,
    empty_folder,
    garbage,
    huge_header,
    lines,
    listed,
    load_sphere,
    mirrored,
    other_about,
    pinched,
    scaled,
    swap,
    turned,
    twice,
    whole_file,
    with_list,
)
from tests.msh_cases import FORMS

# "NAME must be WHAT; got VALUE." and perhaps how to mend it.
SENTENCE = re.compile(r"^\S[^\n]* must [^\n]+; got [^\n]+[.?]$")
# nibabel reads GIFTI through a buffer of 35 MB; all else takes a fraction of that.
MOST_MEMORY = 45_000_000

TABLE = {
    # Surfaces
    "a hole": (changed("bone", triangles=lambda f: f[3:]), r"^bone must be closed; got \d+ open edges.*Fill the holes"),
    "inside out": (
        changed("bone", triangles=lambda f: f[:, ::-1]),
        r"^bone must be counter-clockwise seen from outside.*Swap two columns",
    ),
    "a patch turned": (
        changed("bone", triangles=turned),
        r"^bone must have all triangles turned the same way; got \d+",
    ),
    "crossing itself": (changed("bone", vertices=bent), r"^bone must not cross itself|^skin and bone must not cross"),
    "crossing another": (
        changed("bone", vertices=lambda p: np.add(p, [8.0, 0.0, 0.0])),
        r"^skin and bone must not cross or touch; got \d+ pairs of triangles.*first at \(",
    ),
    "a triangle twice": (changed("bone", triangles=twice), r"^bone must (have two triangles at each edge|be closed)"),
    "triangles without area": (changed("bone", vertices=pinched), r"^bone must have no triangle without area; got \d"),
    "vertices of no triangle": (
        changed("bone", vertices=lambda p: np.concatenate([p, [[0.0, 0.0, 1.0]]])),
        r"^bone must use each of its vertices; got 1 in no triangle",
    ),
    "nested wrongly": (
        with_list('"csf"\noutside = "skull"', '"csf"\noutside = "scalp"'),
        r"^brain must be nested as its conductivities say; got sigma_outside = 0\.465 S/m, but",
    ),
    "outside the head": (
        changed("brain", vertices=lambda p: np.add(p, [300.0, 0.0, 0.0])),
        r"^brain must lie inside skin, the first surface; got its vertex at .* outside\. Check units",
    ),
    "metres for mm": (scaled(0.001), r"^skin must be 5 to 1000 mm across; got 0\.18 mm\. Check the unit of the file"),
    "micrometres for mm": (scaled(1000.0), r"^skin must be 5 to 1000 mm across; got 1\.8e\+05 mm"),
    "one surface in metres": (
        changed("bone", vertices=lambda p: 0.001 * p),
        r"^bone must be 0\.5 to 1000 mm across; got 0\.168 mm\. Check the unit",
    ),
    "NaN as position": (
        lambda folder: lines(folder, lambda d: re.sub(rb"\n\S+ ", b"\nnan ", d, count=2)),
        r"^(positions|vertices) of bone\.off must be finite|^bone\.off must begin with the counts",
    ),
    "infinity as position": (
        lambda folder: lines(folder, lambda d: re.sub(rb"(\n\d+ \d+ \d+\n)\S+ ", rb"\g<1>inf ", d, count=1)),
        r"bone\.off must be finite; got",
    ),
    "an index out of range": (
        lambda folder: lines(folder, lambda d: re.sub(rb"\n3 \d+ ", b"\n3 162 ", d, count=1)),
        r"^triangles of bone\.off must be indices from 0 to 161, the last vertex; got",
    ),
    "words for numbers": (
        lambda folder: lines(folder, lambda d: re.sub(rb"\n3 \d+ ", b"\n3 two ", d, count=1)),
        r"^bone\.off must hold numbers only; got other text",
    ),
    "names twice": (
        built(
            interfaces=lambda w: (
                w["interfaces"][0],
                w["interfaces"][1],
                replace(w["interfaces"][2], surface=meshes.icosphere(2, radius=78.0, name="bone")),
            )
        ),
        r"^interfaces must have different names; got 'bone' 2 times",
    ),
    "no surface": (built(interfaces=lambda _: ()), r"^interfaces must hold at least the scalp; got none"),
    # What is wrong with cortex, regions, points
    "cortex outside": (
        built(cortex=lambda _: meshes.icosphere(2, radius=70.0, centre=(100.0, 0.0, 0.0))),
        r"^cortex must lie inside the scalp and fill a good part of it; got \d+ vertices outside",
    ),
    "cortex in metres": (
        built(cortex=lambda _: meshes.icosphere(2, radius=0.07)),
        r"^cortex must lie inside the scalp",
    ),
    "cortex inside out": (
        built(cortex=lambda w: meshes.Surface(w["cortex"].vertices, w["cortex"].triangles[:, ::-1])),
        r"^cortex must have normals out of the brain, positive volume; got -",
    ),
    "an empty region": (
        built(regions=lambda _: {"hand": []}),
        r"^region 'hand' must be a list of cortex vertex indices",
    ),
    "a region elsewhere": (built(regions=lambda _: {"hand": [162]}), r"^region 'hand' must index the cortex, 0 to 161"),
    "a fiducial of NaN": (
        with_list("[[interface]]", "fiducials = {nasion = [0.0, nan, 0.0]}\n[[interface]]"),
        r"^fiducial 'nasion' must be finite; got \[0\.0, nan, 0\.0\]",
    ),
    "a left-handed pose": (mirrored, r"^matrix must be right-handed"),
    "a left-handed map to MNI": (
        lambda _: lambda: MniAffine(np.diag([-1.0, 1.0, 1.0, 1.0]), source="a test"),
        r"must keep left and right apart; got a matrix that mirrors",
    ),
    # What is wrong with tissues
    "a tissue without conductivity": (
        with_list('"csf"', '"jelly"'),
        r"^tissue 'jelly' must have a conductivity; got none",
    ),
    "a conductivity below zero": (
        with_list('inside = "csf"', "inside = -0.3"),
        r"^inside of interface 3 of head\.toml must be zero or a positive number; got -0\.3",
    ),
    "a conductivity of NaN": (
        lambda _: lambda: load_head(conductivities={"skull": float("nan")}),
        r"^conductivity of skull must be a positive number; got nan",
    ),
    "an unknown tissue": (
        lambda _: lambda: load_head(conductivities={"bone": 0.01}),
        r"^tissue in conductivities must be one of 'scalp', 'skull', .*; got 'bone'",
    ),
    "an unknown table": (
        lambda _: lambda: load_head(conductivities="gabriel"),
        r"^conductivities must be one of 'simnibs', 'mccann2019', .*; got 'gabriel'",
    ),
    "tissues of a head without any": (
        lambda _: lambda: with_conductivities(load_sphere(), {"skull": 0.01}),
        r"^head must know its tissues, to have other conductivities by name; got",
    ),
    "labels without a vertex": (annotation_without([1, 2]), r"^lh\.aparc\.annot must label some vertices; got none"),
    # What is wrong with files: cut off
    **{
        f"cut: {version} {form}.msh": (
            damaged(f"{version} {form}.msh", cut(0.7)),
            r"^[24.12]+ \w+\.msh.* must .*; got",
        )
        for version, form in FORMS
    },
    "cut: fif": (damaged("a.fif", cut(0.5)), r"^a\.fif must hold \d+ bytes for its tag \d+; got \d+\. It is truncated"),
    "cut: GIFTI": (damaged("a.gii", cut(0.5)), r"^a\.gii must be a GIFTI file; got a damaged one"),
    "cut: STL": (damaged("a.stl", cut(0.5)), r"^a\.stl must be an STL file.*; got \d+ bytes for 320 triangles"),
    "cut: PLY": (damaged("a.ply", cut(0.5)), r"^a\.ply must hold \d+ bytes, as its counts say; got \d+\."),
    "cut: OFF": (damaged("a.off", cut(0.5)), r"^a\.off must hold \d+ numbers for 162 vertices and 320 triangles; got"),
    "cut: VTP": (damaged("a.vtp", cut(0.5)), r"^a\.vtp must be a VTP file from <VTKFile to </VTKFile>; got"),
    "cut: npz": (damaged("a.npz", cut(0.5)), r"^a\.npz must be an \.npz file; got a damaged one"),
    "cut: npz of a head": (damaged("head.npz", cut(0.9)), r"^head\.npz must be an \.npz file; got a damaged one"),
    "cut: FreeSurfer surface": (
        damaged("lh.pial", cut(0.5)),
        r"^lh\.pial must hold 162 vertices and 320 triangles, as",
    ),
    "cut: annot": (
        damaged("annot", cut(0.5)),
        r"^lh\.aparc\.annot must hold 162 labelled vertices, as its count says; got",
    ),
    "cut: annot's table": (damaged("annot", cut(0.97)), r"^lh\.aparc\.annot must hold .*; got \d+ bytes"),
    "cut: label": (
        damaged("label", cut(0.8)),
        r"^lh\.a\.label must hold 3 rows of five numbers, as its count says; got",
    ),
    "cut: GIFTI labels": (
        damaged("label.gii", cut(0.8)),
        r"^lh\.a\.label\.gii must be a GIFTI file; got a damaged one",
    ),
    "cut: volume": (damaged("orig.mgz", cut(0.001)), r"^orig\.mgz must be a FreeSurfer volume; got a damaged one"),
    "cut: NIfTI": (damaged("labels.nii", cut(0.5)), r"^labels\.nii must "),
    # Headers that claim more than any memory holds
    "huge: STL": (
        damaged("a.stl", lambda d: d[:80] + b"\xff" * 4 + d[84:]),
        r"got 16084 bytes for 4294967295 triangles",
    ),
    "huge: PLY": (
        damaged("a.ply", swap(b"vertex 162", b"vertex 1000000000000")),
        r"^a\.ply must hold 24000000004160 bytes",
    ),
    "huge: OFF": (damaged("a.off", swap(b"162 320", b"1000000000000 320")), r"^a\.off must hold 3000000001280 numbers"),
    "huge: VTP": (
        damaged("a.vtp", swap(b'NumberOfPoints="162"', b'NumberOfPoints="1000000000000"')),
        r"^a\.vtp must hold 1000000000320 points and triangles; got \d+ bytes",
    ),
    "huge: GIFTI": (
        damaged("a.gii", swap(b'Dim0="162"', b'Dim0="1000000000000"')),
        r"^a\.gii must be a GIFTI file; got",
    ),
    "huge: FreeSurfer surface": (
        damaged("lh.pial", lambda d: counted(d.find(b"\n", d.find(b"\n", 3) + 1) + 1, 2**31 - 1)(d)),
        r"^lh\.pial must hold 2147483647 vertices and 320 triangles",
    ),
    "huge: annot": (
        damaged("annot", counted(0, 2**31 - 1)),
        r"^lh\.aparc\.annot must hold 2147483647 labelled vertices",
    ),
    "huge: annot's table": (
        damaged("annot", lambda d: d.replace(struct.pack(">3i", 1, -2, 2), struct.pack(">3i", 1, 2**31 - 1, 2), 1)),
        r"^lh\.aparc\.annot must ",
    ),
    "huge: label": (
        damaged("label", swap(b"\n3\n", b"\n1000000000000\n")),
        r"^lh\.a\.label must hold 1000000000000 rows",
    ),
    "huge: fif": (
        damaged("a.fif", swap(struct.pack(">i", 1956), struct.pack(">i", 2**31 - 1))),
        r"^a\.fif must hold 2147483647 bytes for its tag 3105; got",
    ),
    "huge: msh 2.2": (
        damaged("2.2 text.msh", swap(b"$Nodes\n27", b"$Nodes\n1000000000000")),
        r"^2\.2 text\.msh, \$Nodes, must hold 4000000000000 more numbers",
    ),
    "huge: msh 4.1": (
        damaged("4.1 text.msh", lambda d: re.sub(rb"\$Nodes\n\d+ \d+", b"$Nodes\n1 1000000000000", d)),
        r"must .*; got",
    ),
    "huge: npz of a head": (
        damaged("head.npz", huge_header),
        r"^vertices_0 of head\.npz must be an array of shape \(1000000000000, 3\), as its header says; got \d+ bytes",
    ),
    "huge: NIfTI": (
        damaged("labels.nii", lambda d: d[:42] + struct.pack("<3h", 32000, 32000, 32000) + d[48:]),
        r"^labels\.nii must ",
    ),
    # Files of another kind
    **{
        f"garbage: {kind}": (damaged(kind, garbage), r" must .*; got")
        for kind in (
            "2.2 text.msh",
            "a.fif",
            "a.gii",
            "a.stl",
            "a.ply",
            "a.off",
            "a.vtp",
            "a.npz",
            "head.npz",
            "annot",
            "label",
            "label.gii",
            "orig.mgz",
        )
    },
    "garbage: a gzip file": (
        damaged("orig.mgz", lambda _: gzip.compress(b"no volume" * 50)),
        r"^orig\.mgz must be a Free",
    ),
    "no list": (
        lambda folder: listed(folder, text="\x00\x01"),
        r"^head\.toml must be a TOML file; got one that cannot",
    ),
    "an unknown key": (
        with_list("name =", "colour ="),
        r"^key of interface 1 of head\.toml must be one of .*got 'colour'",
    ),
    "a file that is not there": (
        with_list("bone.off", "none.off"),
        r"^file of interface 2 of head\.toml must name a file",
    ),
    "a folder without files": (empty_folder, r"^m2m_nobody must hold nobody\.msh, or one \.msh file; got \[\]"),
    "no such path": (
        lambda folder: lambda: meshes.read_head(folder / "nobody.msh"),
        r"^path must be a file or folder that exists; got '.*nobody\.msh'",
    ),
    "an ending that no head has": (
        lambda folder: (folder / "a.docx").write_text("x") and (lambda: meshes.read_head(folder / "a.docx")),
        r"^path must be a \.msh, \.toml, .*; got a\.docx",
    ),
    "npz of a surface": (
        lambda folder: (lambda file, _: lambda: meshes.read_head(file))(*whole_file(folder, "a.npz")),
        r"^a\.npz must hold the arrays about; got",
    ),
    "npz of a later version": (damaged("head.npz", other_about(version=2)), r"^head\.npz must be of version 1; got 2"),
    "npz of something else": (
        damaged("head.npz", other_about(format="x")),
        r"^head\.npz must be a head of meshes\.write_head",
    ),
    "npz that was changed": (
        damaged("head.npz", other_about(name="other")),
        r"^head\.npz must hold what its digest says",
    ),
    "an import under a head's name": (
        lambda _: lambda: import_head(load_sphere(), name="pycortex"),
        r"^name must not be that of a head that ships with the package; got 'pycortex'",
    ),
    "an import under a path": (lambda _: lambda: import_head(load_sphere(), name="../x"), r"^name must be of letters"),
    "an unknown name": (
        lambda _: lambda: load_imported("nobody"),
        r"^name must be one of 'pycortex', .*; got 'nobody'",
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_broken_input_gets_a_sentence(case, tmp_path, monkeypatch):
    monkeypatch.setenv("EFIELD_HEADS", str(tmp_path / "heads"))
    build, words = TABLE[case]
    action = build(tmp_path)
    tracemalloc.start()
    try:
        with pytest.raises((ValueError, FileNotFoundError)) as caught:
            action()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert re.search(words, message), message
    assert SENTENCE.match(message), message
    assert peak < MOST_MEMORY


def test_the_table_is_long_enough():
    assert len(TABLE) >= 25
