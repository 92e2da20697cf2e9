"""Label volumes that are refused, each with its sentence."""

import gzip
import re
import struct
import tracemalloc

import nibabel
import numpy as np
import pytest

from meshes.labels import read_labels
from tests.label_cases import ellipsoids, write_volume

LABELS, AFFINE = ellipsoids(((9.0, 8.0, 8.0), (5.0, 5.0, 5.0)))
OWN = {1: "scalp", 2: "skull"}


def sheared():
    affine = AFFINE.copy()
    affine[0, 1] = 0.2
    return affine


def with_value(value, dtype=np.float32):
    labels = LABELS.astype(dtype)
    labels[4, 4, 4] = value
    return labels


SQUASHED = np.array([[1.0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])

CASES = {
    "empty label": (
        LABELS,
        AFFINE,
        {"labels": {**OWN, 7: "csf"}},
        r"labels must be in .*; got 7, of which it has no voxel",
    ),
    "one label": (
        np.ones_like(LABELS),
        AFFINE,
        {"labels": {1: "scalp"}},
        r"must hold several labels; got 1 in all \d+ vox",
    ),
    "one tissue": (
        LABELS > 0,
        AFFINE,
        {"labels": {1: "scalp"}},
        r"labels must be of two tissues at least; got scalp only",
    ),
    "all air": (
        LABELS,
        AFFINE,
        {"labels": {1: "air", 2: "air"}},
        r"labels must be of two tissues at least; got air only",
    ),
    "unknown label": (
        LABELS,
        AFFINE,
        {"labels": {1: "scalp"}},
        r"must stand for tissues; got 2, which the table 'own' does",
    ),
    "unknown to a named table": (
        with_value(99, np.int16),
        AFFINE,
        {"labels": "roast"},
        r"got 99, which the table 'roast'",
    ),
    "not recognised": (
        with_value(99, np.int16),
        AFFINE,
        {},
        r"labels must be given for .*, and its values 1, 2, 99 fit no",
    ),
    "no such table": (
        LABELS,
        AFFINE,
        {"labels": "spm"},
        r"labels \(or a file that exists\) must be one of 'simnibs'",
    ),
    "labels of another kind": (
        LABELS,
        AFFINE,
        {"labels": {"1": "scalp"}},
        r"labels must be numbers from 0 .* got '1'",
    ),
    "tissue without name": (LABELS, AFFINE, {"labels": {1: "scalp", 2: 0.3}}, r"tissue of label 2 must be a name"),
    "background a tissue": (LABELS, AFFINE, {"labels": {0: "scalp", **OWN}}, r"label 0 must stand for air"),
    "tissue without conductivity": (
        LABELS,
        AFFINE,
        {"labels": {1: "scalp", 2: "steel"}},
        r"tissue 'steel' must have a cond",
    ),
    "merge of an absent tissue": (
        LABELS,
        AFFINE,
        {"labels": OWN, "merge": {"eyes": "scalp"}},
        r"tissue in merge must be one",
    ),
    "sheared": (LABELS, sheared(), {"labels": OWN}, r"must have voxel axes at right angles; got a cosine of 0\.196"),
    "flat": (LABELS, SQUASHED, {"labels": OWN}, r"affine of .* must be invertible"),
    "metres": (
        LABELS,
        np.diag([1e-3, 1e-3, 1e-3, 1.0]),
        {"labels": OWN},
        r"0\.1 to 5 mm large; got 0\.001.* affine in mm\?",
    ),
    "four dimensions": (
        np.stack([LABELS] * 3, axis=3),
        AFFINE,
        {"labels": OWN},
        r"three dimensions, a label per voxel; got",
    ),
    "two dimensions": (LABELS[:, :, 9], AFFINE, {"labels": OWN}, r"at least 2 voxels along each axis"),
    "NaN": (with_value(np.nan), AFFINE, {"labels": OWN}, r"must be labels; got 1 voxels of NaN"),
    "probabilities": (
        with_value(0.37),
        AFFINE,
        {"labels": OWN},
        r"whole numbers; got 0\.37 and 0 more .* probability\?",
    ),
    "negative": (with_value(-3, np.int16), AFFINE, {"labels": OWN}, r"labels from 0 to 2147483647; got -3 to 2"),
    "spacing": (LABELS, AFFINE, {"labels": OWN, "spacing": 50}, r"spacing must be 0\.4 to 5 mm; got 50"),
    "triangles": (LABELS, AFFINE, {"labels": OWN, "triangles": -5}, r"triangles must be a positive number; got -5"),
    "conductivity": (
        LABELS,
        AFFINE,
        {"labels": OWN, "conductivities": {"skull": -1}},
        r"conductivity of skull must be a pos",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_refused_with_a_sentence(tmp_path, case):
    labels, affine, settings, sentence = CASES[case]
    path = write_volume(
        tmp_path / "head.nii.gz", labels, affine, np.asarray(labels).dtype if labels.dtype != bool else "u1"
    )
    with pytest.raises(ValueError, match=sentence):
        read_labels(path, **settings)


@pytest.mark.parametrize("name", ["head.nii", "head.nii.gz", "head.mgz"])
def test_damaged_files_get_a_sentence(tmp_path, name):
    path = tmp_path / name
    image = nibabel.MGHImage if name.endswith("mgz") else nibabel.Nifti1Image
    nibabel.save(image(LABELS, AFFINE), path)
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], whole[:40], b"", b"no volume at all" * 40):
        path.write_bytes(content)
        with pytest.raises(
            ValueError, match=r"^head\S+ must be a NIfTI or MGH volume; got a file that cannot be read \("
        ):
            read_labels(path, labels=OWN)


def test_a_header_that_claims_too_much_allocates_nothing(tmp_path):
    path = write_volume(tmp_path / "head.nii", LABELS, AFFINE)
    content = bytearray(path.read_bytes())
    struct.pack_into("<3h", content, 42, 32000, 32000, 32000)
    for file, data in (("head.nii", bytes(content)), ("head.nii.gz", gzip.compress(bytes(content)))):
        (tmp_path / file).write_bytes(data)
        tracemalloc.start()
        with pytest.raises(ValueError, match=r"at most 600,000,000 in all; got \(32000, 32000, 32000\)"):
            read_labels(tmp_path / file, labels=OWN)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 20e6


def test_a_header_that_claims_more_than_the_file_holds(tmp_path):
    path = write_volume(tmp_path / "head.nii", LABELS, AFFINE)
    content = bytearray(path.read_bytes())
    struct.pack_into("<3h", content, 42, 700, 700, 700)
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match=r"got a file that cannot be read"):
        read_labels(path, labels=OWN)


def test_missing_file():
    with pytest.raises(FileNotFoundError, match=r"path must be a file that exists; got 'nowhere.nii'"):
        read_labels("nowhere.nii")


@pytest.mark.parametrize(
    ("file", "text", "what"),
    [
        ("table.toml", "1 = ", "got "),
        ("table.toml", '[labels]\none = "scalp"', "got invalid literal"),
        ("table.txt", "1 scalp\ntwo skull\n", "got 'two skull' in line 2"),
        ("table.txt", "1\n", "got '1' in line 1"),
    ],
)
def test_damaged_tables_get_a_sentence(tmp_path, file, text, what):
    path = write_volume(tmp_path / "head.nii", LABELS, AFFINE)
    (tmp_path / file).write_text(text)
    with pytest.raises(ValueError, match=rf"{re.escape(file)} must list a number and a tissue for each label; {what}"):
        read_labels(path, labels=tmp_path / file)
