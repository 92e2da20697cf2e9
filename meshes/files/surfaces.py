"""Read and write one triangle surface, by the file's name."""

import io
import os
import re
import zlib
from pathlib import Path
from typing import Any, Literal
from xml.parsers.expat import ExpatError

import numpy as np
import numpy.typing as npt

from meshes import arrays
from meshes.arrays import FloatArray
from meshes.files import polygons
from meshes.files.freesurfer_surface import FREESURFER_MAGIC, parse_freesurfer
from meshes.files.npz import first_line, read_arrays
from meshes.surface import Surface

__all__ = ["joined", "read_surface", "write_surface"]

Unit = Literal["mm", "m"]
Arrays = tuple[FloatArray, npt.NDArray[np.int64]]

_READ = (".stl", ".ply", ".off", ".vtp", ".gii", ".npz")


def read_surface(path: str | os.PathLike[str], *, unit: Unit = "mm", name: str | None = None) -> Surface:
    """Read a triangle surface.

    Parameters
    ----------
    path : path-like
        STL, PLY, OFF (text or binary), VTP, GIFTI (.gii, .surf.gii), .npz (arrays "vertices" and "triangles"), or a
        FreeSurfer surface, which is known by its first bytes and may have any name (lh.pial, outer_skin.surf).
    unit : {"mm", "m"}, optional
        The file's unit.
    name : str, optional
        Name of the surface; the file's name without extension by default.

    Returns
    -------
    Surface
        In mm, not checked for being closed.

    Raises
    ------
    ValueError
        If the file is of none of these kinds, damaged, shorter than its counts say, or holds other faces than
        triangles.
    FileNotFoundError
        If there is no such file.

    Notes
    -----
    STL has no vertices of its own: corners at the same place (in single precision) become one. FreeSurfer surfaces
    are in "surface RAS", whose origin is the middle of a volume; they are moved to scanner RAS by what the file says of
    that volume: the point p goes to R p + c_ras, where R is a rotation, the identity for volumes in FreeSurfer's own
    orientation. A file that says nothing of its volume is refused if it would have to be guessed; GIFTI positions are
    taken as they stand.

    Examples
    --------
    >>> import tempfile, pathlib, meshes
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_surface(meshes.icosphere(1, radius=90), pathlib.Path(folder) / "ball.ply")
    ...     read_surface(pathlib.Path(folder) / "ball.ply")
    Surface('ball', 42 vertices, 80 triangles)
    """
    file = Path(path)
    scale = {"mm": 1.0, "m": 1000.0}[arrays.choice(unit, "unit", ("mm", "m"))]
    data = file.read_bytes()
    suffix = file.suffix.lower()
    if data[:3] == FREESURFER_MAGIC:
        vertices, triangles = parse_freesurfer(data, file.name)
    elif suffix == ".stl":
        vertices, triangles = polygons.parse_stl(data, file.name)
    elif suffix == ".ply":
        vertices, triangles = polygons.parse_ply(data, file.name)
    elif suffix == ".off":
        vertices, triangles = polygons.parse_off(data, file.name)
    elif suffix == ".npz":
        vertices, triangles = _parse_npz(data, file.name)
    elif suffix == ".gii":
        vertices, triangles = _parse_gifti(data, file.name)
    elif suffix == ".vtp":
        vertices, triangles = _read_vtp(file, data)
    else:
        raise ValueError(
            f"{file.name} must be a surface: {', '.join(_READ)} or one of FreeSurfer; got {data[:8]!r} first."
        )
    label = file.name.removesuffix(file.suffix) if name is None and suffix in _READ else name or file.name
    if not len(triangles):
        raise ValueError(f"{file.name} must hold triangles; got none.")
    points = scale * polygons.checked_positions(vertices, f"positions of {file.name}")
    return Surface(points, arrays.triangles(triangles, f"triangles of {file.name}", len(points)), label)


def write_surface(surface: Surface, path: str | os.PathLike[str]) -> None:
    """Write a surface, in mm.

    Parameters
    ----------
    surface : Surface
        What to write.
    path : path-like
        Ends in .vtp, .ply, .off or .npz (positions in double precision: read back, they have the same bits), or in
        .stl or .gii (single precision, as these formats have it).

    Raises
    ------
    TypeError
        If `surface` is no `Surface`.
    ValueError
        If the extension is another one, or two vertices of an STL file would fall together.

    Notes
    -----
    The file appears under its name only when it is complete.
    """
    if not isinstance(surface, Surface):
        raise TypeError(f"surface must be a meshes.Surface; got {type(surface).__name__}.")
    file = Path(path)
    suffix = arrays.choice(file.suffix.lower(), "extension of path", _READ)
    temporary = file.with_name(f".{file.stem}.{os.getpid()}{suffix}")
    vertices, triangles = surface.vertices, surface.triangles
    try:
        if suffix == ".vtp":
            import pyvista  # here, so that importing the package is fast

            pyvista.PolyData.from_regular_faces(vertices, triangles.astype(int)).save(temporary)
        elif suffix == ".stl":
            temporary.write_bytes(polygons.stl_bytes(vertices, triangles, surface.name or "surface"))
        elif suffix == ".ply":
            temporary.write_bytes(polygons.ply_bytes(vertices, triangles))
        elif suffix == ".off":
            temporary.write_bytes(polygons.off_bytes(vertices, triangles))
        elif suffix == ".npz":
            content = io.BytesIO()
            np.savez_compressed(content, vertices=vertices, triangles=triangles)
            temporary.write_bytes(content.getvalue())
        else:
            temporary.write_bytes(_gifti_bytes(surface))
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)


def joined(surfaces: list[Surface], name: str) -> Surface:
    """Return several surfaces as one."""
    offsets = np.cumsum([0] + [len(surface.vertices) for surface in surfaces])
    triangles = [surface.triangles + offset for surface, offset in zip(surfaces, offsets[:-1], strict=True)]
    return Surface(np.concatenate([surface.vertices for surface in surfaces]), np.concatenate(triangles), name)


def _parse_npz(data: bytes, name: str) -> Arrays:
    tables = read_arrays(data, name, ("vertices", "triangles"))
    vertices = arrays.vectors(tables["vertices"], f"vertices of {name}")
    triangles = arrays.triangles(tables["triangles"], f"triangles of {name}", len(vertices))
    return vertices, triangles.astype(np.int64)


def _parse_gifti(data: bytes, name: str) -> Arrays:
    from nibabel import gifti  # here, so that importing the package is fast

    loaded: Any = gifti
    try:
        image = loaded.GiftiImage.from_bytes(data)
        points = [array.data for array in image.get_arrays_from_intent("NIFTI_INTENT_POINTSET")]
        faces = [array.data for array in image.get_arrays_from_intent("NIFTI_INTENT_TRIANGLE")]
    except (
        ExpatError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        OSError,
        AssertionError,
        zlib.error,
    ) as error:
        raise ValueError(f"{name} must be a GIFTI file; got a damaged one ({first_line(error)}).") from None
    if len(points) != 1 or len(faces) != 1:
        raise ValueError(
            f"{name} must hold one set of points and one of triangles; got {len(points)} and {len(faces)}."
        )
    vertices = arrays.vectors(points[0], f"positions of {name}")
    return vertices, arrays.triangles(faces[0], f"triangles of {name}", len(vertices)).astype(np.int64)


def _gifti_bytes(surface: Surface) -> bytes:
    from nibabel import gifti  # here, so that importing the package is fast

    loaded: Any = gifti
    table = loaded.GiftiDataArray
    points = table(surface.vertices.astype(np.float32), "NIFTI_INTENT_POINTSET", "NIFTI_TYPE_FLOAT32")
    faces = table(surface.triangles.astype(np.int32), "NIFTI_INTENT_TRIANGLE", "NIFTI_TYPE_INT32")
    return bytes(loaded.GiftiImage(darrays=[points, faces]).to_bytes())


def _read_vtp(file: Path, data: bytes) -> Arrays:
    if b"<VTKFile" not in data[:500] or b"PolyData" not in data[:1000] or b"</VTKFile>" not in data[-100:]:
        raise ValueError(
            f"{file.name} must be a VTP file from <VTKFile to </VTKFile>; got {data[:20]!r}. It is damaged."
        )
    # VTK takes memory for what the counts say; no compression makes more than a thousand bytes of one.
    counts = [int(n) for n in re.findall(rb'NumberOf(?:Points|Polys)="(\d+)"', data)]
    if sum(counts) > 100 * len(data):
        raise ValueError(
            f"{file.name} must hold {sum(counts)} points and triangles; got {len(data)} bytes. It is damaged."
        )
    import pyvista  # here, so that importing the package is fast
    from vtkmodules.vtkIOXML import vtkXMLPolyDataReader

    # VTK's own reader, because pyvista's logs what is wrong, and VTK prints it if it is let.
    reader: Any = vtkXMLPolyDataReader()
    problems: list[str] = []
    reader.AddObserver("ErrorEvent", lambda *_: problems.append("an error"))
    reader.SetFileName(str(file))
    with pyvista.vtk_verbosity("off"):
        reader.Update()
    mesh = pyvista.PolyData(reader.GetOutput())
    if problems:
        raise ValueError(
            f"{file.name} must be a VTP file that VTK can read; got {len(problems)} errors. It is damaged."
        )
    if not mesh.n_cells or not mesh.is_all_triangles:
        raise ValueError(f"{file.name} must hold triangles only; got {mesh.n_cells} cells. Triangulate it first.")
    return np.asarray(mesh.points, dtype=np.float64), np.asarray(mesh.regular_faces, dtype=np.int64)
