"""Broken heads and files: each function returns what a test calls with a folder, to get what reads the broken thing."""

import io
import json
import struct
import zipfile

import nibabel
import numpy as np
from nibabel.gifti import GiftiDataArray, GiftiImage, GiftiLabel, GiftiLabelTable

import meshes
from meshes.files.annotations import read_annotation
from meshes.files.archive import write_head
from meshes.labels.volumes import read_volume
from tests import subject_cases
from tests.msh_cases import cube_mesh, msh_bytes
from tests.test_meshes_files_fiff import LAYERS, fif

RADII = {"skin": 90.0, "bone": 84.0, "brain": 78.0}
LIST = "".join(
    f'[[interface]]\nfile = "{name}.off"\nname = "{name}"\ninside = "{inside}"\noutside = "{outside}"\n'
    for name, inside, outside in (("skin", "scalp", "air"), ("bone", "skull", "scalp"), ("brain", "csf", "skull"))
)


def ball(name, **changes):
    return meshes.icosphere(2, radius=RADII[name], name=name, **changes)


def put(folder, name, surface):
    meshes.write_surface(surface, folder / f"{name}.off")


def listed(folder, *, text=LIST, **other):
    """Return what reads a list of three spheres, some of them exchanged."""
    for name in RADII:
        put(folder, name, other.get(name, ball(name)))
    (folder / "head.toml").write_text(text)
    return lambda: meshes.read_head(folder / "head.toml")


def with_list(old, new):
    assert old in LIST
    return lambda folder: listed(folder, text=LIST.replace(old, new, 1))


def changed(name, vertices=None, triangles=None):
    """Return what reads the spheres with one of them changed by functions of its arrays."""

    def action(folder):
        surface = ball(name)
        points = surface.vertices if vertices is None else vertices(surface.vertices.copy())
        faces = surface.triangles if triangles is None else triangles(surface.triangles.copy())
        return listed(folder, **{name: meshes.Surface(points, faces, name)})

    return action


def bent(points):
    """Return the sphere with one vertex pushed through the opposite side."""
    points[0] *= -1.2
    return points


def turned(faces):
    faces[:40] = faces[:40, ::-1]
    return faces


def twice(faces):
    faces[5] = faces[4]
    return faces


def pinched(points):
    """Return the sphere with two neighbours at one place: triangles without area."""
    faces = ball("bone").triangles
    points[faces[0, 0]] = points[faces[0, 1]]
    return points


def lines(folder, change):
    """Return what reads the spheres with the text of the skull's file changed; OFF as text, so that a row is a line."""
    action = listed(folder)
    text = (folder / "bone.off").read_bytes()
    new = change(text)
    assert new != text
    (folder / "bone.off").write_bytes(new)
    return action


def built(**changes):
    """Return what builds a head of spheres in Python with something else."""

    def action(_):
        whole = {
            "name": "ball",
            "interfaces": tuple(
                meshes.Interface(ball(name), inside, outside)
                for name, inside, outside in (("skin", 0.4, 0.0), ("bone", 0.01, 0.4), ("brain", 0.3, 0.01))
            ),
            "cortex": meshes.icosphere(2, radius=70.0, name="cortex"),
        }
        return lambda: meshes.HeadModel(**(whole | {key: value(whole) for key, value in changes.items()}))

    return action


def whole_file(folder, kind):
    """Return an undamaged file of a kind and what reads it."""
    file = folder / {"annot": "lh.aparc.annot", "label": "lh.a.label", "label.gii": "lh.a.label.gii"}.get(kind, kind)
    surface = ball("skin")
    read = meshes.read_surface
    if kind.endswith(".msh"):
        nodes, tetrahedra, tags = cube_mesh((2, 2, 2), lambda _: 5)
        file.write_bytes(msh_bytes(*kind.removesuffix(".msh").split(), nodes, [(4, tetrahedra, tags)]))
        read = meshes.read_head
    elif kind == "a.fif":
        file.write_bytes(fif(*LAYERS))
        read = meshes.read_head
    elif kind == "head.npz":
        write_head(load_sphere(), file)
        read = meshes.read_head
    elif kind == "annot":
        subject_cases.write_labels(file, 162, {"precentral": [1, 2]})
        read = read_annotation
    elif kind == "label":
        file.write_text("#!ascii label\n3\n" + "".join(f"{i} 1.0 2.0 3.0 0.0\n" for i in range(3)))
        read = read_annotation
    elif kind == "label.gii":
        table = GiftiLabelTable()
        table.labels.append(GiftiLabel(1))
        table.labels[-1].label = "hand"
        rows = GiftiDataArray(np.ones(162, dtype=np.int32), "NIFTI_INTENT_LABEL", "NIFTI_TYPE_INT32")
        nibabel.save(GiftiImage(labeltable=table, darrays=[rows]), file)
        read = read_annotation
    elif kind == "lh.pial":
        subject_cases.write_sheet(file, surface)
    elif kind == "labels.nii":
        away = np.linalg.norm(np.indices((16, 16, 16)) - 7.5, axis=0)
        values = np.select([away < 3, away < 5, away < 7], [3, 4, 5], 0).astype(np.uint8)
        nibabel.save(nibabel.Nifti1Image(values, np.diag([4.0, 4.0, 4.0, 1.0])), file)
        read = read_volume
    elif kind == "orig.mgz":
        subject_cases.write_subject(folder / "sub-01")
        file = folder / "sub-01" / "mri" / "orig.mgz"
        subject_cases.write_volume(file)
        return file, lambda _: meshes.read_head(folder / "sub-01")
    else:
        meshes.write_surface(surface, file)
    return file, read


def load_sphere():
    return meshes.sphere_head([90.0, 80.0], [0.33, 1.0], subdivisions=2)


def damaged(kind, change):
    """Return what reads a file of a kind with its bytes changed."""

    def action(folder):
        file, read = whole_file(folder, kind)
        read(file)  # undamaged, it is read
        data = file.read_bytes()
        new = change(data)
        assert new != data
        file.write_bytes(new)
        return lambda: read(file)

    return action


def cut(share):
    return lambda data: data[: int(share * len(data))]


def garbage(_):
    return bytes(np.random.default_rng(5).integers(0, 256, 4000, dtype=np.uint8))


def swap(old, new):
    return lambda data: data.replace(old, new, 1)


def counted(at, value, size=4):
    """Return what writes a big-endian count into a file."""
    return lambda data: data[:at] + struct.pack(">i", value) + data[at + size :]


def huge_header(data):
    """Return an .npz file of a head with an array that claims 10^12 rows."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "vertices_0.npy":
                header = io.BytesIO()
                shape = {"descr": "<f8", "fortran_order": False, "shape": (10**12, 3)}
                np.lib.format.write_array_header_1_0(header, shape)
                content = header.getvalue() + content[128:]
            new.writestr(name, content)
    return out.getvalue()


def other_about(**changes):
    """Return what changes the description in an .npz file of a head."""

    def change(data):
        with np.load(io.BytesIO(data)) as file:
            tables = {key: file[key] for key in file.files}
        tables["about"] = np.array(json.dumps(json.loads(str(tables["about"])) | changes))
        out = io.BytesIO()
        np.savez_compressed(out, **tables)
        return out.getvalue()

    return change


def annotation_without(vertices):
    def action(folder):
        subject_cases.write_labels(folder / "lh.aparc.annot", 20, {"precentral": vertices})
        data = (folder / "lh.aparc.annot").read_bytes()
        # All vertices get a colour that the table does not have.
        blank = b"".join(struct.pack(">2i", i, 77) for i in range(20))
        (folder / "lh.aparc.annot").write_bytes(data[:4] + blank + data[164:])
        return lambda: read_annotation(folder / "lh.aparc.annot")

    return action


def empty_folder(folder):
    (folder / "m2m_nobody").mkdir()
    return lambda: meshes.read_head(folder / "m2m_nobody")


def mirrored(_):
    return lambda: meshes.Pose(np.diag([-1.0, 1.0, 1.0, 1.0]))


def scaled(factor):
    return lambda folder: listed(
        folder, **{name: meshes.Surface(factor * ball(name).vertices, ball(name).triangles, name) for name in RADII}
    )
