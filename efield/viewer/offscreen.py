"""Draw the three-dimensional views of a scene with VTK, in a process of its own.

Where no OpenGL library is installed VTK does not raise an error, it crashes the process (measured with VTK 9.7). So
the views are drawn by a child process: a crash there costs the pictures, not the numbers.
"""

from __future__ import annotations

import logging
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from efield.viewer.scene import Scene
from efield.viewer.view import View
from meshes import Surface
from meshes.arrays import FloatArray

if TYPE_CHECKING:
    import pyvista

__all__ = ["COLOURS", "RenderError", "render"]

logger = logging.getLogger(__name__)

Image = npt.NDArray[np.uint8]

# The views are drawn larger by this factor and averaged: smooth edges on every OpenGL, hardware or Mesa.
_OVERSAMPLING = 2

# Tissue inside each enclosing surface, as seen where the head is cut.
COLOURS = {"scalp": "#e3b796", "outer_skull": "#f4ecd8", "inner_skull": "#b7d7e8", "cerebellum": "#b9aea8"}

_OTHER_COLOURS = ("#e3b796", "#f4ecd8", "#b7d7e8", "#cfc4bf", "#e6dfda")

_INSTALL = (
    "Install an OpenGL library that needs no display, on Debian and Ubuntu: "
    "apt-get install libegl1 libgl1-mesa-dri (or libosmesa6)."
)


class RenderError(RuntimeError):
    """The pictures could not be drawn; the message says what to install."""


def render(scene: Scene, views: Sequence[View], *, timeout: float = 300.0) -> dict[str, Image]:
    """Draw the views ``"head"`` and ``"cortex"`` of a scene in a child process.

    Parameters
    ----------
    scene : Scene
        What to draw.
    views : sequence of View
        From where; their names say what is shown.
    timeout : float, optional
        How long to wait (s).

    Returns
    -------
    dict of str to ndarray of uint8, shape (height, width, 3)
        One picture per view, by name.

    Raises
    ------
    RenderError
        If the child crashes, fails or takes longer; the message says what to install.
    """
    with tempfile.TemporaryDirectory(prefix="efield-") as folder:
        task, answer = Path(folder, "task"), Path(folder, "images.npz")
        # A pickle is right here: it lives for a second, in a private folder, between two processes of one program.
        task.write_bytes(pickle.dumps((scene, tuple(views))))
        command = [sys.executable, "-m", "efield.viewer.offscreen", str(task), str(answer)]
        try:
            done = subprocess.run(command, env=_environment(), capture_output=True, text=True, timeout=timeout)
        except subprocess.TimeoutExpired:
            raise RenderError(f"drawing must take at most {timeout:.0f} s; it took longer and was stopped.") from None
        logger.debug("drawing: exit code %d\n%s%s", done.returncode, done.stdout, done.stderr)
        if done.returncode != 0 or not answer.is_file():
            raise RenderError(f"the 3D views could not be drawn ({_reason(done)}). {_INSTALL}")
        with np.load(answer) as images:
            return {view.name: images[view.name] for view in views}


def _environment() -> dict[str, str]:
    """Return the child's environment: the same packages, and on Linux without a display no attempt to open one."""
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        # VTK falls back from EGL to OSMesa by itself.
        environment.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
    return environment


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    """Say in a few words why the child failed: its last message, or the signal that ended it."""
    if done.returncode < 0:
        return f"VTK crashed with signal {-done.returncode}, as it does when it finds no OpenGL"
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return lines[-1][:200] if lines else f"exit code {done.returncode}"


def colour_of(surface: Surface, index: int) -> str:
    """Return the colour of the tissue just inside a surface, by its name or, failing that, its place."""
    return COLOURS.get(surface.name, _OTHER_COLOURS[index % len(_OTHER_COLOURS)])


def _draw(scene: Scene, view: View) -> Image:
    """Draw one view in this process."""
    import pyvista

    size = [_OVERSAMPLING * pixels for pixels in view.pixels]
    plotter = pyvista.Plotter(off_screen=True, window_size=size, lighting="none")
    plotter.background_color = pyvista.Color("white")
    painter = {"head": _paint_head, "cortex": _paint_cortex}[view.name]
    painter(plotter, scene, view)
    plotter.camera.parallel_projection = True
    plotter.camera.focal_point = tuple(view.centre)
    plotter.camera.position = tuple(view.centre + 1000.0 * view.towards)
    plotter.camera.up = tuple(view.up)
    plotter.camera.parallel_scale = view.height / 2.0
    plotter.camera.clipping_range = (1.0, 2000.0)
    _light(plotter, view)
    image = np.asarray(plotter.screenshot(return_img=True))
    plotter.close()
    return _averaged(image[..., :3])


def _light(plotter: pyvista.Plotter, view: View) -> None:
    """Set a key light from the upper left and a weaker one from the eye, so that colours stay legible."""
    import pyvista

    for direction, intensity in ((view.towards - 0.6 * view.right + 0.7 * view.up, 0.65), (view.towards, 0.45)):
        light = pyvista.Light(
            position=tuple(view.centre + 1000.0 * direction), focal_point=tuple(view.centre), intensity=intensity
        )
        light.positional = False
        plotter.add_light(light)


def _averaged(image: npt.NDArray[Any]) -> Image:
    height, width = (length // _OVERSAMPLING for length in image.shape[:2])
    blocks = image.reshape(height, _OVERSAMPLING, width, _OVERSAMPLING, 3)
    image8: Image = np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8)
    return image8


def _poly(surface: Surface, values: Mapping[str, FloatArray] | None = None) -> pyvista.PolyData:
    import pyvista

    faces: Any = surface.triangles  # pyvista's hint asks for dtype[int], which no NumPy dtype is
    mesh: pyvista.PolyData = pyvista.PolyData.from_regular_faces(surface.vertices, faces)
    for name, data in (values or {}).items():
        mesh.point_data[name] = data
    return mesh


def _paint_head(plotter: pyvista.Plotter, scene: Scene, view: View) -> None:
    """Paint the head with the half towards the eye taken off, down to the cortex, and the coil over it."""
    across = _cut_normal(scene, view)
    for index, surface in enumerate(scene.enclosing):
        # Each inner tissue's cut face lies a little nearer to the eye than the one around it, so that it is seen.
        half = _poly(surface).clip_closed_surface(normal=-across, origin=scene.focus + (0.5 * index + 1.0) * across)
        outermost = index == 0
        plotter.add_mesh(
            half,
            color=colour_of(surface, index),
            ambient=0.5,
            diffuse=0.55,
            smooth_shading=True,
            split_sharp_edges=True,
            feature_angle=60.0,
            specular=0.1 if outermost else 0.0,
        )
    for surface in scene.surfaces:
        if surface.name == "cerebellum":
            plotter.add_mesh(_poly(surface), color=COLOURS["cerebellum"], smooth_shading=True)
    _paint_field(plotter, scene, np.ones(len(scene.cortex.vertices), dtype=np.bool_))
    _paint_coil(plotter, scene)


def _cut_normal(scene: Scene, view: View) -> FloatArray:
    """Return the normal of the cut through the coil's axis that faces the eye."""
    from efield.viewer.view import tangent

    return tangent(view.towards, scene.outward)


def _paint_cortex(plotter: pyvista.Plotter, scene: Scene, view: View) -> None:  # noqa: ARG001  # as _paint_head
    """Paint the stimulated hemisphere."""
    _paint_field(plotter, scene, scene.hemisphere())


def _paint_field(plotter: pyvista.Plotter, scene: Scene, shown: npt.NDArray[np.bool_]) -> None:
    mesh = _poly(scene.cortex, {"E": scene.magnitude})
    if not shown.all():
        kept: Any = np.flatnonzero(shown)
        mesh = mesh.extract_points(kept, adjacent_cells=False).extract_surface(algorithm="dataset_surface")
    plotter.add_mesh(
        mesh,
        scalars="E",
        cmap="viridis",
        clim=(0.0, scene.peak),
        show_scalar_bar=False,
        ambient=0.42,
        diffuse=0.68,
        smooth_shading=True,
    )


def _paint_coil(plotter: pyvista.Plotter, scene: Scene) -> None:
    import pyvista

    for path in scene.windings:
        line = pyvista.lines_from_points(np.concatenate([path, path[:1]]))
        plotter.add_mesh(line.tube(radius=0.8, n_sides=8), color="#b0541f", ambient=0.3, smooth_shading=True)
    if scene.casing is not None:
        plotter.add_mesh(_poly(scene.casing), color="#5b6b7f", opacity=0.22, smooth_shading=False)
    start, end = handle_ends(scene)
    grip = pyvista.Tube(start, end, radius=9.0, n_sides=40, capping=True)
    plotter.add_mesh(grip, color="#5b6b7f", opacity=0.22)


def handle_ends(scene: Scene) -> tuple[FloatArray, FloatArray]:
    """Return where the drawn handle begins, at the casing's edge, and ends (mm)."""
    body = scene.casing.vertices if scene.casing is not None else np.concatenate([scene.pose.origin[None]])
    middle = (body - scene.pose.origin) @ scene.outward
    reach = float(((body - scene.pose.origin) @ scene.handle).max())
    start = scene.pose.origin + 0.5 * float(middle.max()) * scene.outward + (0.9 * reach) * scene.handle
    return start, start + 80.0 * scene.handle


def _main(task: str, answer: str) -> None:
    """Draw what the parent process asks for."""
    scene, views = pickle.loads(Path(task).read_bytes())
    images: dict[str, Any] = {view.name: _draw(scene, view) for view in views}
    with Path(answer).open("wb") as file:
        np.savez(file, **images)


if __name__ == "__main__":
    _main(*sys.argv[1:])
