"""Draw results. Nothing here computes a field; pyvista and matplotlib are imported inside functions only."""

from efield.viewer.figure import save_figure
from efield.viewer.offscreen import RenderError
from efield.viewer.scene import Scene, Search, scene_of_field, scene_of_search

__all__ = ["RenderError", "Scene", "Search", "save_figure", "scene_of_field", "scene_of_search"]
