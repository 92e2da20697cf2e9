"""FreeSurfer subjects, written here with nibabel: spheres in a scanner frame, and any surfaces."""

import numpy as np
from nibabel.freesurfer import MGHImage, write_annot, write_geometry
from nibabel.freesurfer.mghformat import MGHHeader

import meshes
from tests.test_meshes_files_surfaces import volume_info

AXES = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])  # conformed: x left, y down, z to the front
TILT = 0.2  # of the head in the scanner (rad)
CENTRE = np.array([3.5, -17.25, 21.0])
BEM = {"outer_skin": 100.0, "outer_skull": 93.0, "inner_skull": 87.0}
SHEETS = {"pial": 36.0, "white": 32.0}
OFFSET = {"lh": -40.0, "rh": 40.0}


def axes():
    """Return the volume's axes in the scanner, by row: the conformed ones turned about x."""
    cos, sin = np.cos(TILT), np.sin(TILT)
    return AXES @ np.array([[1.0, 0.0, 0.0], [0.0, cos, sin], [0.0, -sin, cos]])


def frame(directions=None, centre=CENTRE):
    """Return the matrix from surface RAS to scanner RAS, by nibabel."""
    header = MGHHeader()
    header.set_data_shape((256, 256, 256))
    header["Mdc"], header["Pxyz_c"] = axes() if directions is None else directions, centre
    return header.get_vox2ras() @ np.linalg.inv(header.get_vox2ras_tkr())


def write_sheet(file, surface, *, footer=True, directions=None, centre=CENTRE):
    """Write a surface that is given in scanner RAS as FreeSurfer has it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    to_scanner = frame(directions, centre)
    points = (surface.vertices - to_scanner[:3, 3]) @ np.linalg.inv(to_scanner[:3, :3]).T
    info = volume_info(axes() if directions is None else directions, centre) if footer else None
    write_geometry(file, points, surface.triangles, volume_info=info)


def write_volume(file, directions=None, centre=CENTRE):
    """Write an empty volume whose header says where the surfaces lie."""
    file.parent.mkdir(parents=True, exist_ok=True)
    header = MGHHeader()
    header.set_data_shape((16, 16, 16))
    header["Mdc"], header["Pxyz_c"] = axes() if directions is None else directions, centre
    MGHImage(np.zeros((16, 16, 16), dtype=np.uint8), None, header).to_filename(file)


def write_labels(file, count, labels):
    """Write an .annot file: vertex lists by label; all others are "unknown"."""
    file.parent.mkdir(parents=True, exist_ok=True)
    values = np.zeros(count, dtype=int)
    for number, vertices in enumerate(labels.values(), start=1):
        values[vertices] = number
    colours = [[10 * number, 20, 30, 0] for number in range(len(labels) + 1)]
    write_annot(file, values, np.array(colours), ["unknown", *labels])


def write_subject(folder, *, footer=True, bem=True):
    """Write a subject of spheres about the scanner's origin, without labels."""
    if bem:
        for name, radius in BEM.items():
            write_sheet(folder / "bem" / f"{name}.surf", meshes.icosphere(2, radius=radius), footer=footer)
    for side, x in OFFSET.items():
        for name, radius in SHEETS.items():
            ball = meshes.icosphere(2, radius=radius, centre=(x, 0.0, 0.0))
            write_sheet(folder / "surf" / f"{side}.{name}", ball, footer=footer)
    return folder
