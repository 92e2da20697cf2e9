"""Run ``efield simulate``: one pose, one field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from efield.cli.names import check_names, open_coil, open_head
from efield.cli.target import say_written
from efield.cli.terminal import show_facts, stages

if TYPE_CHECKING:
    from meshes import Pose
    from meshes.tissues import ConductivitiesLike

__all__ = ["read_pose", "run"]

# Where a JSON file may hold the matrix: summary.json of this program, or a plain object.
_KEYS = ("pose", "matrix_coil_to_head_mm", "matrix", "matsimnibs")


def run(
    *,
    pose_file: Path | None,
    centre: str | None,
    handle: str | None,
    current: str | None,
    coil_name: str,
    head_name: str,
    resolution: str,
    out: Path,
    distance: float,
    didt: float,
    figure: bool,
    conductivities: ConductivitiesLike | None = None,
) -> None:
    """Compute the field of one pose and write the result.

    Raises
    ------
    ValueError, OSError
        If the input cannot be used or the folder cannot take a result; before anything long is computed.
    """
    from efield import report
    from meshes import arrays

    report.check_folder(out)
    arrays.positive(didt, "--didt")
    arrays.non_negative(distance, "--distance")
    if (pose_file is None) == (centre is None):
        raise ValueError("pose must be given by either --pose FILE or --centre x,y,z; got both or neither.")
    if handle is not None and centre is None:
        raise ValueError("--handle must be given with --centre; got it with --pose, which says it already.")
    if current is not None and (centre is None or handle is not None):
        other = "--pose" if centre is None else "--handle"
        raise ValueError(f"--current must be given with --centre alone; got it with {other}, which says it already.")
    pose = None if pose_file is None else read_pose(pose_file)
    # Three numbers, or a name; names that are none are told by `place`.
    point = _triple(centre, "--centre") if centre is not None and not centre.isalnum() else centre
    grip = None if handle is None else _triple(handle, "--handle")
    flow = _triple(current, "--current") if current is not None and "," in current else current

    import efield

    check_names(head=head_name, resolution=resolution)
    coil = open_coil(coil_name)
    with stages() as progress:
        progress(f"load head {head_name}")
        head = open_head(head_name, resolution=resolution, conductivities=conductivities)
        if pose is None and point is not None:
            pose = efield.place(head, point, handle=grip, current=flow, distance=distance, coil=coil)
        assert pose is not None  # for the type checker: one of the two is given
        progress("prepare the solver")
        solver = efield.BemSolver(head)
        progress("solve")
        field = solver.solve(coil, pose, didt=didt, progress=lambda done, total: progress("solve", done, total))
        progress("write the result" + (" and draw the figure" if figure else ""))
        problem = report.write_field(head, coil, pose, field, out, figure=figure)
    show_facts(f"{coil.name} on {head.name}", report.facts_of_field(head, coil, pose, field))
    say_written(out, problem)


def read_pose(path: Path, *, option: str = "--pose") -> Pose:
    """Read the pose of a coil from a file.

    Parameters
    ----------
    path : Path
        .json (a 4 x 4 list, or an object that holds one under "pose", "matrix" or "matsimnibs", as summary.json
        does), .npy, or a text file of four rows of four numbers (.txt, .csv); mm.
    option : str, optional
        Where the path comes from, for messages.

    Returns
    -------
    Pose

    Raises
    ------
    ValueError
        If the file holds no such matrix, or the matrix is no rigid motion.
    OSError
        If it cannot be read.
    """
    from meshes import Pose

    if not path.is_file():
        raise ValueError(f"{option} must be a file with a 4 x 4 matrix; got {path}, which is not a file.")
    try:
        if path.suffix == ".json":
            matrix = _matrix_in(json.loads(path.read_text()))
        elif path.suffix == ".npy":
            matrix = np.load(path, allow_pickle=False)
        else:
            text = path.read_text()
            if not text.strip():
                raise ValueError("it is empty")
            matrix = np.loadtxt(path, delimiter="," if "," in text else None)
    except (ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"{option} must be a file with a 4 x 4 matrix; got {path}: {error}.") from None
    return Pose(matrix)


def _matrix_in(content: Any) -> Any:
    """Follow the keys under which a matrix may stand down to a list."""
    while isinstance(content, dict):
        key = next((key for key in _KEYS if key in content), None)
        if key is None:
            raise ValueError(f"no matrix under any of {', '.join(_KEYS)}")
        content = content[key]
    return content


def _triple(text: str, option: str) -> list[float]:
    """Read three numbers separated by commas."""
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) != 3 or not np.isfinite(values).all():
        raise ValueError(f"{option} must be three numbers x,y,z; got {text!r}.")
    return values
