"""Programs that made the shipped heads; run them as ``python -m meshes.recipes.NAME``."""
