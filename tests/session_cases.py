"""A small coil and poses of it, for the tests of sessions."""

import numpy as np
from scipy.spatial.transform import Rotation

import coils
import meshes
from efield.navigation import RecordedPose
from meshes import Pose

RADIUS = 90.0
SPOT = np.array([-0.5, 0.1, 0.86]) / np.linalg.norm([-0.5, 0.1, 0.86])


def eight() -> coils.Coil:
    """Return two wings of four dipoles each in a flat box: what a figure-of-eight is, with few sources."""
    ring = np.array([[30.0, 0, -6], [60, 0, -6], [45, 15, -6], [45, -15, -6]])
    positions = np.concatenate([ring, ring * [-1, 1, 1]])
    moments = np.concatenate([np.tile([0, 0, 0.002], (4, 1)), np.tile([0, 0, -0.002], (4, 1))])
    return coils.Coil(positions=positions, moments=moments, name="eight", casing=box(70.0, 40.0, 12.0), max_didt=1e8)


def box(x: float, y: float, depth: float) -> meshes.Surface:
    """Return a closed box with its head side at z = 0."""
    corners = np.array([[i, j, k] for k in (-depth, 0.0) for j in (-y, y) for i in (-x, x)])
    faces = [[0, 2, 3], [0, 3, 1], [4, 5, 7], [4, 7, 6], [0, 1, 5], [0, 5, 4], [2, 6, 7], [2, 7, 3], [0, 4, 6]]
    faces += [[0, 6, 2], [1, 3, 7], [1, 7, 5]]
    return meshes.Surface(corners, np.array(faces, dtype=np.int32), "casing")


def moved(pose: Pose, *, shift=(0.0, 0.0, 0.0), turn=(0.0, 0.0, 0.0)) -> Pose:
    """Shift (mm) and turn (degrees, a rotation vector) a pose in the coil's own frame."""
    change = np.eye(4)
    change[:3, :3] = Rotation.from_rotvec(np.radians(turn)).as_matrix()
    change[:3, 3] = shift
    return Pose(pose.matrix @ change)


def recorded(pose: Pose, name: str = "p", **more: object) -> RecordedPose:
    return RecordedPose(name=name, pose=pose, kind="trigger", **more)
