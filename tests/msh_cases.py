"""Small tetrahedral meshes, and their Gmsh files written here, apart from the reader."""

import itertools
import struct

import numpy as np

FORMS = [(version, form) for version in ("2.2", "4.1") for form in ("text", "little", "big")]
VALUES = {"csf": 3, "skull": 4, "scalp": 5}


def cube_mesh(counts, tissue_of, *, size=20.0):
    """Return nodes, tetrahedra and tags of cubes of edge `size` about the origin, each cut into six; tag 0: no cube."""
    axes = [size * (np.arange(n + 1) - n / 2) for n in counts]
    nodes = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    number = np.arange(len(nodes)).reshape([n + 1 for n in counts])
    tetrahedra, tags = [], []
    for cell in itertools.product(*map(range, counts)):
        tag = tissue_of(size * (np.array(cell) + 0.5 - np.array(counts) / 2))
        for order in itertools.permutations(range(3)) if tag else ():
            corner, path = np.array(cell), []
            for axis in (None, *order):
                if axis is not None:
                    corner = corner + np.eye(3, dtype=int)[axis]
                path.append(number[tuple(corner)])
            tetrahedra.append(path)  # half of them are turned inside out
            tags.append(tag)
    used, which = np.unique(tetrahedra, return_inverse=True)
    return nodes[used], which.reshape(-1, 4), np.array(tags)


def nested_cubes():
    """Return a cube of CSF of 40 mm in one of bone of 80 mm in one of scalp of 120 mm."""
    return cube_mesh((6, 6, 6), lambda centre: (3, 4, 5)[int(np.abs(centre).max() // 20)])


def skins(nodes, tetrahedra, tags):
    """Return the outer faces of the union of all tissues up to each tag, turned outwards, and their tags + 1000."""
    triangles, labels = [], []
    for tag in np.unique(tags):
        seen = {}
        for a, b, c, d in tetrahedra[tags <= tag]:
            if np.linalg.det(nodes[[b, c, d]] - nodes[a]) < 0.0:
                b, c = c, b
            for face in ((a, c, b), (a, b, d), (a, d, c), (b, c, d)):
                key = tuple(sorted(face))
                if key in seen:
                    del seen[key]
                else:
                    seen[key] = face
        triangles += seen.values()
        labels += [1000 + tag] * len(seen)
    return np.array(triangles), np.array(labels)


def msh_bytes(version, form, nodes, cells, numbers=None, names=None):
    """Return a Gmsh file; `cells` are (type, vertex indices, tags), `numbers` the nodes' numbers in the file."""
    numbers = np.arange(1, len(nodes) + 1) if numbers is None else numbers
    write = _old if version == "2.2" else _new
    order = {"text": None, "little": "<", "big": ">"}[form]
    head = f"$MeshFormat\n{version} {int(order is not None)} 8\n".encode()
    if order:
        head += struct.pack(f"{order}i", 1) + b"\n"
    head += b"$EndMeshFormat\n"
    if names:
        lines = [f'{dimension} {tag} "{name}"\n' for (dimension, tag), name in names.items()]
        head += f"$PhysicalNames\n{len(lines)}\n{''.join(lines)}$EndPhysicalNames\n".encode()
    return head + write(order, nodes, cells, numbers)


def _old(order, nodes, cells, numbers):
    total = sum(len(rows) for _, rows, _ in cells)
    out = f"$Nodes\n{len(nodes)}\n".encode()
    if order is None:
        out += "".join(
            f"{n} {x!r} {y!r} {z!r}\n" for n, (x, y, z) in zip(numbers, nodes.tolist(), strict=True)
        ).encode()
    else:
        for n, row in zip(numbers, nodes, strict=True):
            out += struct.pack(f"{order}i3d", n, *row)
        out += b"\n"
    out += f"$EndNodes\n$Elements\n{total}\n".encode()
    count = itertools.count(1)
    for kind, rows, tags in cells:
        if order is not None:
            out += struct.pack(f"{order}3i", kind, len(rows), 2)
        for row, tag in zip(numbers[rows], tags, strict=True):
            values = [next(count), tag, tag, *row] if order else [next(count), kind, 2, tag, tag, *row]
            out += (
                struct.pack(f"{order}{len(values)}i", *values)
                if order
                else (" ".join(map(str, values)) + "\n").encode()
            )
    return out + (b"\n" if order else b"") + b"$EndElements\n"


def _new(order, nodes, cells, numbers):
    """Write 4.1: an entity of number 100 + tag for each tag, with the tag as its physical one."""

    def put(kind, *values):
        if order is None:
            return (" ".join(repr(float(v)) if kind == "d" else str(int(v)) for v in values) + "\n").encode()
        return struct.pack(f"{order}{len(values)}{kind}", *values)

    dimension = {1: 1, 2: 2, 4: 3, 15: 0}
    blocks = [(k, rows[tags == tag], tag) for k, rows, tags in cells for tag in np.unique(tags)]
    entities = [[(dimension[k], tag) for k, _, tag in blocks if dimension[k] == d] for d in range(4)]
    out = b"$Entities\n" + put("Q", *(len(group) for group in entities))
    for d, tag in itertools.chain(*entities):
        out += put("i", 100 + tag) + put("d", *[0.0] * (6 if d else 3)) + put("Q", 1) + put("i", tag)
        out += put("Q", 0) if d else b""
    half = len(nodes) // 2
    out += b"\n$EndEntities\n$Nodes\n" + put("Q", 2, len(nodes), min(numbers), max(numbers))
    for part, parametric in ((slice(0, half), 0), (slice(half, None), 1)):  # the second with two parameters
        rows = nodes[part]
        out += put("i", 2, 1, parametric) + put("Q", len(rows)) + put("Q", *numbers[part])
        out += put("d", *(np.hstack([rows, 7.0 + rows[:, :2]]) if parametric else rows).ravel())
    total = sum(len(rows) for _, rows, _ in cells)
    out += b"\n$EndNodes\n$Elements\n" + put("Q", len(blocks), total, 1, total)
    count = itertools.count(1)
    for kind, rows, tag in blocks:
        out += put("i", dimension[kind], 100 + tag, kind) + put("Q", len(rows))
        for row in numbers[rows]:
            out += put("Q", next(count), *row)
    return out + b"\n$EndElements\n"
