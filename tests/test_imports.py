"""What importing the packages loads: nothing that only some uses need."""

import subprocess
import sys

import pytest

HEAVY = ("igl", "matplotlib", "pyvista", "rich", "scipy", "trimesh", "typer", "vtk", "vtkmodules")


def loaded_by(statement):
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return {name for name in done.stdout.split() if name.split(".")[0] in HEAVY}


@pytest.mark.parametrize("package", ["meshes", "coils", "efield"])
def test_import_loads_nothing_heavy(package):
    # numba itself looks at the version of SciPy, in some ten modules without compiled routines.
    assert loaded_by(f"import {package}") <= loaded_by("import numba")


def test_heavy_imports_would_be_seen():
    assert "scipy.spatial" in loaded_by("import scipy.spatial") - loaded_by("import numba")
