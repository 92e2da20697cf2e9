"""FreeSurfer folders: where surfaces lie, which files count, labels, cortex, repair; and folders that are wrong."""

import json
import struct

import nibabel
import numpy as np
import pytest
from nibabel.freesurfer import read_annot
from nibabel.gifti import GiftiDataArray, GiftiImage, GiftiLabel, GiftiLabelTable

import meshes
from meshes.files.annotations import read_annotation, region_names
from meshes.files.freesurfer import is_subject_folder
from tests import subject_cases as cases
from tests.test_meshes_files_fiff import fif, integer, tag

N = len(meshes.icosphere(2).vertices)
NAMES = ["scalp", "outer_skull", "inner_skull", "pial_lh", "white_lh", "pial_rh", "white_rh"]


@pytest.fixture
def subject(tmp_path):
    return cases.write_subject(tmp_path / "sub-01")


def radii(surface, x=0.0):
    return np.linalg.norm(surface.vertices - [x, 0.0, 0.0], axis=1)


def test_surfaces_come_in_scanner_ras(subject):
    head = meshes.read_head(subject)
    assert head.name == "sub-01"
    assert [interface.name for interface in head.interfaces] == NAMES
    wanted = [(radius, 0.0) for radius in cases.BEM.values()]
    wanted += [(radius, x) for x in cases.OFFSET.values() for radius in cases.SHEETS.values()]
    for interface, (radius, x) in zip(head.interfaces, wanted, strict=True):
        # FreeSurfer's files are in single precision: 1e-5 mm at 100 mm, and axes of 1e-7.
        assert np.abs(radii(interface.surface, x) - radius).max() < 1e-4
    sigmas = [(i.sigma_inside, i.sigma_outside) for i in head.interfaces]
    assert sigmas[:3] == [(0.465, 0.0), (0.01, 0.465), (1.654, 0.01)]
    assert sigmas[3:] == 2 * [(0.275, 1.654), (0.126, 0.275)]
    assert head.provenance["frame"] == "scanner RAS"
    assert head.provenance["file"] == "bem/outer_skin.surf, bem/outer_skull.surf, bem/inner_skull.surf"


def test_cortex_is_the_mean_of_pial_and_white_surface(subject):
    head = meshes.read_head(subject)
    assert head.provenance["cortex"] == "mean of pial and white surface, vertex by vertex"
    pials, whites = ([head.interface(f"{kind}_{side}").surface for side in ("lh", "rh")] for kind in ("pial", "white"))
    means = [0.5 * (pial.vertices + white.vertices) for pial, white in zip(pials, whites, strict=True)]
    assert np.abs(head.cortex.vertices - np.concatenate(means)).max() < 1e-12
    assert (head.cortex.vertices[:N, 0] < 0.0).all()
    ball = meshes.icosphere(1, radius=30)
    other = meshes.read_head(subject, cortex=ball, name="mine", conductivities={"skull": 0.008})
    assert (other.name, other.interfaces[1].sigma_inside, other.provenance["cortex"]) == (
        "mine",
        0.008,
        "given by the caller",
    )


def test_labels_become_regions(subject):
    cases.write_labels(subject / "label" / "lh.aparc.annot", N, {"precentral": [3, 1, 2], "empty": []})
    cases.write_labels(subject / "label" / "rh.aparc.annot", N, {"precentral": [7]})
    cases.write_labels(subject / "label" / "lh.HCPMMP1.annot", N, {"L_4_ROI": [5, 6], "L_3b_ROI": [9]})
    (subject / "label" / "rh.hand_knob.label").write_text("#!ascii\n2\n8 1 2 3 0\n4 1 2 3 0.5\n")
    # Labels of another numbering, and files that are no labels, do not count.
    (subject / "label" / "lh.nofix.cortex.label").write_text("#!ascii\n1\n999999 1 2 3 0\n")
    (subject / "label" / "lh.aparc.stats").write_text("nothing")
    table = GiftiLabelTable()
    for key, label in ((0, "???"), (4, "Area 4a (PreCG)")):
        table.labels.append(GiftiLabel(key))
        table.labels[-1].label = label
    rows = np.zeros(N, dtype=np.int32)
    rows[[0, 11]] = 4
    image = GiftiImage(labeltable=table, darrays=[GiftiDataArray(rows, "NIFTI_INTENT_LABEL", "NIFTI_TYPE_INT32")])
    nibabel.save(image, subject / "label" / "lh.JulichBrain.label.gii")
    head = meshes.read_head(subject)
    assert {name: list(vertices) for name, vertices in head.regions.items()} == {
        "desikan:precentral-left": [1, 2, 3],
        "desikan:precentral-right": [N + 7],
        "mmp:4-left": [5, 6],
        "mmp:3b-left": [9],
        "juelich:4a-left": [0, 11],
        "label:hand_knob-right": [N + 4, N + 8],
    }


def test_annotations_as_nibabel_reads_them(tmp_path, rng):
    file = tmp_path / "lh.some.annot"
    parts = np.array_split(rng.permutation(N), 6)
    cases.write_labels(file, N, {f"part {i}": part for i, part in enumerate(parts[:5])})
    numbers, _, names = read_annot(file)
    found = read_annotation(file)
    assert found.n_vertices == N
    assert list(found.labels) == [name.decode() for name in names]
    for i, name in enumerate(names):
        assert np.array_equal(found.labels[name.decode()], np.flatnonzero(numbers == i))


@pytest.mark.parametrize(
    ("file", "label", "expected"),
    [
        ("lh.aparc.a2009s.annot", "G_precentral", "destrieux:G_precentral-left"),
        ("lh.aparc.DKTatlas.annot", "precentral", "dkt:precentral-left"),
        ("lh.BA_exvivo.annot", "BA4a_exvivo", "BA_exvivo:BA4a_exvivo-left"),
        ("lh.aparc.annot", "ctx-lh-precentral", "desikan:precentral-left"),
        ("lh.HCP-MMP1.annot", "L_55b_ROI", "mmp:55b-left"),
        ("lh.JulichBrainAtlas_3.0.annot", "Area 3b (PostCG) left", "juelich:3b-left"),
        ("lh.aparc.annot", "???", None),
        ("lh.BA_exvivo.annot", "Medial_wall", None),
    ],
)
def test_names_of_regions(file, label, expected):
    assert region_names(file, label, "left") == expected


@pytest.mark.parametrize("watershed", [True, False])
def test_surfaces_that_do_not_say_where_they_lie_take_it_from_the_volume(tmp_path, watershed):
    """Files of the watershed may have no footer, and MNE's are in metres of surface RAS."""
    subject = cases.write_subject(tmp_path / "sub-02", footer=False, bem=False)
    with pytest.raises(ValueError, match=r"^sub-02 must hold a surface of the scalp, one of bem/outer_skin\.surf, "):
        meshes.read_head(subject)
    to_scanner = cases.frame()
    if watershed:
        for name, radius in cases.BEM.items():
            file = subject / "bem" / "watershed" / f"sub-02_{name}_surface"
            cases.write_sheet(file, meshes.icosphere(2, radius=radius), footer=False)
        words = r"_outer_skin_surface must say where its volume lies"
    else:
        # Spheres about the volume's middle, in surface RAS.
        (subject / "bem").mkdir()
        layers = ((4, 130.0, None), (3, 125.0, None), (1, 120.0, None))
        (subject / "bem" / "sub-02-320-320-320-bem.fif").write_bytes(fif(*layers))
        words = r"^sub-02-320-320-320-bem\.fif must be moved to scanner RAS by mri/orig\.mgz; got none"
    with pytest.raises(ValueError, match=words):
        meshes.read_head(subject)
    cases.write_volume(subject / "mri" / "orig.mgz")
    head = meshes.read_head(subject)
    if watershed:
        assert np.abs(radii(head.scalp) - 100.0).max() < 1e-4
    else:
        assert np.abs(np.linalg.norm(head.scalp.vertices - to_scanner[:3, 3], axis=1) - 130.0).max() < 1e-4
    assert np.abs(radii(head.interface("pial_lh").surface, -40.0) - 36.0).max() < 1e-4


def test_scalp_of_its_own_file(subject):
    (subject / "bem" / "outer_skin.surf").unlink()
    cases.write_sheet(subject / "surf" / "lh.seghead", meshes.icosphere(2, radius=110.0))
    head = meshes.read_head(subject)
    assert np.abs(radii(head.scalp) - 110.0).max() < 1e-4
    assert head.provenance["file"].startswith("surf/lh.seghead, bem/outer_skull.surf")


def points_fif(points, frame=5):
    """Return MNE's file of fiducials: digitised points of kind 1 (metres)."""
    body = tag(100, 31, bytes(20)) + integer(104, 107) + integer(3506, frame)
    for number, point in points.items():
        body += tag(213, 33, struct.pack(">2i3f", 1, number, *np.divide(point, 1000.0)))
    return body + integer(105, 107) + tag(108, 0, b"", -1)


def test_fiducials_of_mne(subject):
    """In surface RAS as the surfaces of MNE are, so that the volume's place is needed."""
    file = subject / "bem" / "sub-01-fiducials.fif"
    points = {1: (-80.0, -20.0, -40.0), 2: (1.0, 85.0, -35.0), 3: (82.0, -21.0, -41.0)}
    file.write_bytes(points_fif(points))
    with pytest.raises(ValueError, match=r"^sub-01-fiducials\.fif must be moved to scanner RAS by mri/orig\.mgz"):
        meshes.read_head(subject)
    cases.write_volume(subject / "mri" / "orig.mgz")
    head = meshes.read_head(subject)
    matrix = cases.frame()
    for number, name in ((1, "lpa"), (2, "nasion"), (3, "rpa")):
        assert head.fiducials[name] == pytest.approx(matrix[:3, :3] @ points[number] + matrix[:3, 3], abs=1e-4)
    file.write_bytes(points_fif(points, frame=4))
    with pytest.raises(ValueError, match=r"^sub-01-fiducials\.fif must be in the MR image's frame \(5\); got 00000004"):
        meshes.read_head(subject)


def test_talairach_goes_into_the_provenance(subject):
    file = subject / "mri" / "transforms" / "talairach.xfm"
    file.parent.mkdir(parents=True)
    file.write_text("MNI Transform File\n% a comment\n\nTransform_Type = Linear;\nLinear_Transform =\n"
                    "1.0 0.1 0.0 -2.5\n0.0 1.1 0.0 3.0\n0.0 0.0 1.2 4.0;\n")  # fmt: skip
    matrix = json.loads(meshes.read_head(subject).provenance["talairach"])
    assert matrix == [[1.0, 0.1, 0.0, -2.5], [0.0, 1.1, 0.0, 3.0], [0.0, 0.0, 1.2, 4.0], [0.0, 0.0, 0.0, 1.0]]
    file.write_text("Linear_Transform =\n1.0 0.1 0.0;\n")
    with pytest.raises(ValueError, match=r"^talairach\.xfm must hold a Linear_Transform of three rows of four numbers"):
        meshes.read_head(subject)


def test_surfaces_that_touch_are_refused_and_can_be_repaired(subject):
    """Where the white surface leaves the pial one, as at a medial wall; regions keep their vertices."""
    ball = meshes.icosphere(2, radius=32.0, centre=(-40.0, 0.0, 0.0))
    beyond = ball.vertices[:, 0] > -12.0
    points = ball.vertices + np.where(beyond, 6.0, 0.0)[:, None] * [1.0, 0.0, 0.0]
    cases.write_sheet(subject / "surf" / "lh.white", meshes.Surface(points, ball.triangles))
    cases.write_labels(subject / "label" / "lh.aparc.annot", N, {"precentral": [1, 2, 3]})
    words = r"^pial_lh and white_lh must not cross or touch; got \d+ pairs .* repair=True moves them apart"
    with pytest.raises(ValueError, match=words):
        meshes.read_head(subject)
    head = meshes.read_head(subject, repair=True)
    assert "white_lh: " in head.provenance["repair"]
    assert "vertices moved" in head.provenance["repair"]
    assert list(head.regions["desikan:precentral-left"]) == [1, 2, 3]
    gaps = meshes.closest_points(head.interface("pial_lh").surface, head.interface("white_lh").surface.vertices)[2]
    assert gaps.min() > 0.15  # what meshes.repair keeps is 0.2 mm, within a few per cent
    # What was well before stays where it was.
    assert np.abs(radii(head.scalp) - 100.0).max() < 1e-4


def test_fsaverage_as_a_folder_is_fsaverage(tmp_path):
    """The shipped head, written as FreeSurfer has it and read again: same surfaces, same cortex, same regions."""
    shipped = meshes.load_head("fsaverage")
    folder = tmp_path / "fsaverage"
    where = {"directions": cases.AXES, "centre": (0.0, 0.0, 0.0)}
    for layer, file in (
        ("scalp", "outer_skin.surf"), ("outer_skull", "outer_skull.surf"), ("inner_skull", "inner_skull.surf"),
    ):  # fmt: skip
        cases.write_sheet(folder / "bem" / file, shipped.interface(layer).surface, **where)
    count = {}
    for side in ("lh", "rh"):
        for kind in ("pial", "white"):
            surface = shipped.interface(f"{kind}_{side}").surface
            cases.write_sheet(folder / "surf" / f"{side}.{kind}", surface, **where)
            count[side] = len(surface.vertices)
    for side, word, first in (("lh", "left", 0), ("rh", "right", count["lh"])):
        labels = {f"m1-{part}": shipped.regions[f"m1-{part}-{word}"] - first for part in ("hand", "leg", "mouth")}
        cases.write_labels(folder / "label" / f"{side}.mine.annot", count[side], labels)
    head = meshes.read_head(folder)
    for interface in head.interfaces:
        assert np.abs(interface.surface.vertices - shipped.interface(interface.name).surface.vertices).max() < 2e-5
    assert np.array_equal(head.cortex.triangles, shipped.cortex.triangles)
    assert np.abs(head.cortex.vertices - shipped.cortex.vertices).max() < 2e-5
    for name in ("m1-hand-left", "m1-leg-right"):
        assert np.array_equal(head.regions[f"mine:{name}"], shipped.regions[name])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: (s / "surf" / "rh.white").unlink(), r"^sub-01 must hold surf/rh\.white; got none\. Let recon-all"),
        (
            lambda s: (s / "bem" / "inner_skull.surf").unlink(),
            r"^sub-01 must hold a surface of the inner skull, .* mne watershed_bem .* label volume",
        ),
        (
            lambda s: (s / "surf" / "lh.pial").write_bytes(b"solid"),
            r"^lh\.pial must be a FreeSurfer surface; got b'solid' first",
        ),
        (
            lambda s: cases.write_labels(s / "label" / "lh.aparc.annot", N - 1, {"precentral": [1]}),
            rf"^lh\.aparc\.annot must label the {N} vertices of lh\.pial; got {N - 1}\. It belongs to another surface",
        ),
        (
            lambda s: ((s / "label").mkdir(), (s / "label" / "rh.a.label").write_text(f"#\n1\n{N} 1 2 3 0\n")),
            rf"^rh\.a\.label must label vertices from 0 to {N - 1} of rh\.pial; got {N}",
        ),
        (
            lambda s: ((s / "mri").mkdir(), (s / "mri" / "orig.mgz").write_bytes(b"no volume")),
            r"^orig\.mgz must be a FreeSurfer volume; got a damaged one",
        ),
        (
            lambda s: cases.write_sheet(s / "bem" / "outer_skull.surf", meshes.icosphere(2, radius=101.0)),
            r"^interfaces must begin with the scalp; got scalp first, which lies inside outer_skull",
        ),
    ],
)
def test_folders_that_are_wrong(subject, change, words):
    change(subject)
    with pytest.raises(ValueError, match=words) as caught:
        meshes.read_head(subject)
    assert "\n" not in str(caught.value)


def test_other_folders_are_no_subjects(tmp_path, subject):
    assert is_subject_folder(subject)
    assert not is_subject_folder(tmp_path)
    (tmp_path / "m2m_x" / "surfaces").mkdir(parents=True)
    assert not is_subject_folder(tmp_path / "m2m_x")
    with pytest.raises(ValueError, match=r"^tissues and merge must be left out but for a mesh; got them for sub-01"):
        meshes.read_head(subject, merge={"csf": "grey"})
