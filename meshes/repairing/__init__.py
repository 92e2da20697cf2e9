"""The steps of `meshes.repair`: closing, turning, untangling, pushing apart, and mending thin triangles."""
