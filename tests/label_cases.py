"""Label volumes for tests: ellipsoids, random labels, files."""

from pathlib import Path

import nibabel
import numpy as np

from meshes.labels.mesh import LabelMesh


def ellipsoids(semi_axes, *, spacing=1.0, offset=(0.13, 0.31, -0.22)):
    """Return labels 1, 2, ... from outside inwards, 0 outside, and the affine; the middle lies off the grid."""
    count = int(np.ceil(np.max(semi_axes) / spacing)) + 2
    axis = np.arange(-count, count + 1) * spacing
    x, y, z = np.meshgrid(*(axis + o for o in offset), indexing="ij")
    labels = np.zeros(x.shape, dtype=np.uint8)
    for number, (a, b, c) in enumerate(semi_axes):
        labels[(x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2 < 1.0] = number + 1
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = axis[0] + np.array(offset)
    return labels, affine


def write_volume(path, labels, affine, dtype=np.uint8):
    """Write a NIfTI or MGH file and return its path."""
    image = nibabel.MGHImage if str(path).endswith(".mgz") else nibabel.Nifti1Image
    nibabel.save(image(np.asarray(labels).astype(dtype), affine), path)
    return Path(path)


def edge_balance(mesh: LabelMesh, label: int):
    """Return how often the boundary of a label's region runs along each edge one way more than the other."""
    behind, before = mesh.sides[:, 0] == label, mesh.sides[:, 1] == label
    triangles = np.concatenate([mesh.triangles[behind], mesh.triangles[before][:, ::-1]])
    start, end = triangles.ravel(), np.roll(triangles, -1, axis=1).ravel()
    key = np.minimum(start, end) * len(mesh.vertices) + np.maximum(start, end)
    return np.bincount(np.unique(key, return_inverse=True)[1].ravel(), np.where(start < end, 1.0, -1.0))


def euler(surface):
    """Return the number of vertices less edges plus triangles."""
    ends = np.sort(np.stack([surface.triangles, np.roll(surface.triangles, -1, axis=1)], axis=2).reshape(-1, 2), axis=1)
    return len(np.unique(surface.triangles)) - len(np.unique(ends, axis=0)) + len(surface.triangles)
