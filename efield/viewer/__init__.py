"""Draw results and coils. Fields come from elsewhere; pyvista and matplotlib are imported inside functions only."""

from efield.viewer.figure import save_figure
from efield.viewer.offscreen import RenderError
from efield.viewer.scene import Scene, Search, scene_of_field, scene_of_search
from efield.viewer.sheet import coil_facts, coil_sheet

__all__ = [
    "RenderError",
    "Scene",
    "Search",
    "coil_facts",
    "coil_sheet",
    "save_figure",
    "scene_of_field",
    "scene_of_search",
]
