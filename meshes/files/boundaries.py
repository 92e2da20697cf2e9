"""Find the closed surfaces between the tissues of a tetrahedral mesh."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meshes.arrays import FloatArray
from meshes.checks import winding_numbers
from meshes.files.surfaces import joined
from meshes.surface import Surface

__all__ = ["Boundary", "meet_along_lines", "tissue_boundaries", "tissue_faces", "tissue_volumes"]

IndexArray = npt.NDArray[np.int64]

# Corners of the four faces of a tetrahedron with positive volume, counter-clockwise seen from outside.
_FACES = ((0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3))
AIR = "air"


@dataclass(frozen=True, eq=False)
class Boundary:
    """A closed surface between two tissues.

    Parameters
    ----------
    surface : Surface
        Closed, outward.
    inside, outside : str
        The tissues just inside and just outside.
    """

    surface: Surface
    inside: str
    outside: str


def tissue_volumes(vertices: FloatArray, tetrahedra: IndexArray, tissues: npt.NDArray[np.str_]) -> dict[str, float]:
    """Return the summed volumes of the tetrahedra of each tissue, whichever way they are turned (mm^3).

    Parameters
    ----------
    vertices : ndarray, shape (n_vertices, 3)
        Positions (mm).
    tetrahedra : ndarray of int, shape (n_tetrahedra, 4)
        Vertex indices.
    tissues : ndarray of str, shape (n_tetrahedra,)
        Tissue of each.
    """
    volumes = np.abs(_determinants(vertices, tetrahedra)) / 6.0
    return {str(name): float(volumes[tissues == name].sum()) for name in np.unique(tissues)}


def tissue_boundaries(
    vertices: FloatArray, tetrahedra: IndexArray, tissues: npt.NDArray[np.str_]
) -> tuple[Boundary, ...]:
    """Return the surfaces between tissues of a tetrahedral mesh, and between tissues and the air around.

    Parameters
    ----------
    vertices : ndarray, shape (n_vertices, 3)
        Positions (mm).
    tetrahedra : ndarray of int, shape (n_tetrahedra, 4)
        Vertex indices; either way round.
    tissues : ndarray of str, shape (n_tetrahedra,)
        Tissue of each; "air" is left out, as if it were not meshed.

    Returns
    -------
    tuple of Boundary
        By falling volume, so that an outer surface comes before those it holds. All pieces with the same tissue inside
        and the same outside are one surface, unless one piece lies within another: then there are several.

    Raises
    ------
    ValueError
        If a tetrahedron has no volume, three of them share a face, or more than two tissues meet along a line: then
        the surfaces between pairs of tissues are not closed, and no nested surfaces describe the head.

    Notes
    -----
    A face belongs to a boundary if the tetrahedra on its two sides differ in tissue. It is turned out of the first
    tissue of the pair; the sign of the volume that a connected piece encloses then tells which of the two is inside.
    """
    faces, first, second, labels = _labelled_faces(vertices, tetrahedra, tissues)
    _check_closed(vertices, faces, first, second, labels)
    pieces = []
    for pair in np.unique(np.stack([first, second], axis=1), axis=0):
        members = faces[(first == pair[0]) & (second == pair[1])]
        for piece in _pieces(members, len(vertices)):
            surface = _compact(vertices, piece)
            sides = [labels[side] for side in pair]
            if surface.volume < 0.0:
                surface, sides = Surface(surface.vertices, surface.triangles[:, ::-1]), sides[::-1]
            pieces.append(Boundary(surface, sides[0], sides[1]))
    _check_air(pieces)
    return _grouped(pieces)


def tissue_faces(
    vertices: FloatArray, tetrahedra: IndexArray, tissues: npt.NDArray[np.str_]
) -> tuple[IndexArray, npt.NDArray[np.str_]]:
    """Return the faces between tissues of a tetrahedral mesh, and between tissues and air.

    Parameters
    ----------
    vertices, tetrahedra, tissues
        See `tissue_boundaries`.

    Returns
    -------
    faces : ndarray of int, shape (n_faces, 3)
        Vertex indices.
    sides : ndarray of str, shape (n_faces, 2)
        The tissue behind each face, from which its normal points away, and the one in front.
    """
    faces, first, second, labels = _labelled_faces(vertices, tetrahedra, tissues)
    return faces, np.array(labels)[np.stack([first, second], axis=1)]


def _labelled_faces(
    vertices: FloatArray, tetrahedra: IndexArray, tissues: npt.NDArray[np.str_]
) -> tuple[IndexArray, IndexArray, IndexArray, list[str]]:
    """Return the faces between tissues, the tissues behind and in front of each as numbers, and their names."""
    conducting = tissues != AIR
    tetrahedra, tissues = tetrahedra[conducting], tissues[conducting]
    names, of_tetrahedron = np.unique(tissues, return_inverse=True)
    faces, first, second = _interface_faces(vertices, _turned(vertices, tetrahedra), of_tetrahedron)
    return faces, first, second, [*map(str, names), AIR]  # -1 stands for the air, as the last label


def meet_along_lines(faces: IndexArray, sides: npt.NDArray[np.str_]) -> bool:
    """Tell whether more than two tissues meet along an edge, or air lies within the head.

    Parameters
    ----------
    faces, sides
        See `tissue_faces`.
    """
    start, end = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    pair = np.repeat(np.unique(sides, axis=0, return_inverse=True)[1].reshape(-1), 3)
    edges = np.stack([np.minimum(start, end), np.maximum(start, end)], axis=1)
    both = np.unique(np.column_stack([edges, pair]), axis=0)
    return bool((both[1:, :2] == both[:-1, :2]).all(axis=1).any())


def _determinants(vertices: FloatArray, tetrahedra: IndexArray) -> FloatArray:
    corners = vertices[tetrahedra]
    edges = corners[:, 1:] - corners[:, :1]
    return np.asarray(np.einsum("ij,ij->i", edges[:, 0], np.cross(edges[:, 1], edges[:, 2])))


def _turned(vertices: FloatArray, tetrahedra: IndexArray) -> IndexArray:
    """Return the tetrahedra, those of negative volume turned round."""
    determinants = _determinants(vertices, tetrahedra)
    if (determinants == 0.0).any():
        raise ValueError(
            f"tetrahedra must have a volume; got {int((determinants == 0.0).sum())} that are flat, first at "
            f"{_place(vertices[tetrahedra[determinants == 0.0][0]].mean(axis=0))}. Mesh the head again."
        )
    return np.where((determinants < 0.0)[:, None], tetrahedra[:, [0, 2, 1, 3]], tetrahedra)


def _interface_faces(
    vertices: FloatArray, tetrahedra: IndexArray, tissue: IndexArray
) -> tuple[IndexArray, IndexArray, IndexArray]:
    """Return the faces between tissues, turned out of the first of the two, and both tissues; -1 is air."""
    faces = np.concatenate([tetrahedra[:, corners] for corners in _FACES])
    owner = np.tile(tissue, len(_FACES))
    keys = np.sort(faces, axis=1)
    order = np.lexsort((keys[:, 2], keys[:, 1], keys[:, 0]))
    keys = keys[order]
    same = (keys[1:] == keys[:-1]).all(axis=1)
    if (same[1:] & same[:-1]).any():
        where = vertices[keys[:-2][same[1:] & same[:-1]][0]].mean(axis=0)
        raise ValueError(f"tetrahedra must share each face with one other; got a face of three at {_place(where)}.")
    paired = np.flatnonzero(same)
    alone = np.ones(len(order), dtype=bool)
    alone[paired] = alone[paired + 1] = False
    one, other = order[paired], order[paired + 1]
    between = owner[one] != owner[other]
    one, other = one[between], other[between]
    one, other = np.where(owner[one] < owner[other], one, other), np.where(owner[one] < owner[other], other, one)
    outer = order[alone]
    chosen = np.concatenate([one, outer])
    return faces[chosen], owner[chosen], np.concatenate([owner[other], np.full(len(outer), -1)])


def _check_closed(
    vertices: FloatArray, faces: IndexArray, first: IndexArray, second: IndexArray, labels: list[str]
) -> None:
    """Raise if the faces of a pair of tissues end at a line: there, three or more tissues meet."""
    start, end = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    low, high = np.minimum(start, end), np.maximum(start, end)
    pair = np.repeat(first * (len(labels) + 1) + second, 3)
    order = np.lexsort((pair, high, low))
    low, high, pair = low[order], high[order], pair[order]
    new_edge = np.concatenate([[True], (low[1:] != low[:-1]) | (high[1:] != high[:-1])])
    new_pair = new_edge | np.concatenate([[True], pair[1:] != pair[:-1]])
    mixed = new_pair & ~new_edge
    if not mixed.any():
        return
    edge = np.cumsum(new_edge) - 1
    at = int(np.flatnonzero(mixed)[0])
    rows = order[edge == edge[at]] // 3
    meeting = sorted({labels[side] for row in rows for side in (first[row], second[row])})
    place = _place(vertices[[low[at], high[at]]].mean(axis=0))
    raise ValueError(
        f"tissues must be nested, each surface between two tissues closed; got {len(np.unique(edge[mixed]))} edges "
        f"where more than two meet, first {', '.join(meeting[:-1])} and {meeting[-1]} at {place}. Merge one of "
        f"them into another, for example merge={{{meeting[-1]!r}: {meeting[-2]!r}}}, or mesh the head again with a gap."
    )


def _pieces(faces: IndexArray, n_vertices: int) -> list[IndexArray]:
    """Return the connected pieces of a set of triangles."""
    # Here, so that importing the package loads no SciPy.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = np.concatenate([faces[:, :2], faces[:, 1:]])
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(n_vertices, n_vertices))
    label = connected_components(graph, directed=False)[1][faces[:, 0]]
    order = np.argsort(label, kind="stable")
    return np.split(faces[order], np.flatnonzero(np.diff(label[order])) + 1)


def _compact(vertices: FloatArray, faces: IndexArray) -> Surface:
    """Return the faces as a surface with no other vertices than theirs."""
    used, triangles = np.unique(faces, return_inverse=True)
    return Surface(vertices[used], triangles.reshape(-1, 3).astype(np.int32))


def _check_air(pieces: list[Boundary]) -> None:
    hollow = [piece for piece in pieces if piece.inside == AIR]
    if hollow:
        place = _place(hollow[0].surface.centroids[0])
        raise ValueError(
            f"tissues must fill the head, as air is taken to lie outside only; got {len(hollow)} hollows, first in "
            f"{hollow[0].outside} at {place}. Fill them with tetrahedra of a tissue."
        )


def _grouped(pieces: list[Boundary]) -> tuple[Boundary, ...]:
    """Join pieces with the same tissues on both sides, but not a piece with one that it lies within."""
    groups: list[list[Boundary]] = []
    for piece in sorted(pieces, key=lambda piece: -piece.surface.volume):
        point = piece.surface.vertices[:1]
        for group in groups:
            if (group[0].inside, group[0].outside) == (piece.inside, piece.outside) and not any(
                winding_numbers(point, other.surface)[0] > 0.5 for other in group
            ):
                group.append(piece)
                break
        else:
            groups.append([piece])
    boundaries = []
    for group in groups:
        surface = joined([piece.surface for piece in group], "")
        boundaries.append(Boundary(surface, group[0].inside, group[0].outside))
    return tuple(sorted(boundaries, key=lambda boundary: -boundary.surface.volume))


def _place(point: FloatArray) -> str:
    return f"({point[0]:.1f}, {point[1]:.1f}, {point[2]:.1f}) mm"
