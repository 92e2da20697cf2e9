"""MNE's boundary-element surfaces, from files written here as the FIFF standard has them."""

import struct

import numpy as np
import pytest

import meshes
from meshes.files import read_head

LAYERS = ((4, 90.0, 0.33), (3, 84.0, 0.004), (1, 78.0, 0.3))


def tag(kind, form, data, following=0):
    return struct.pack(">4i", kind, form, len(data), following) + data


def integer(kind, value):
    return tag(kind, 3, struct.pack(">i", value))


def matrix(kind, form, table):
    dtype = {3: ">i4", 4: ">f4"}[form]
    rows, columns = table.shape
    return tag(kind, 0x40000000 | form, table.astype(dtype).tobytes() + struct.pack(">3i", columns, rows, 2))


def layer(number, radius, sigma):
    ball = meshes.icosphere(2, radius=radius / 1000.0)
    out = integer(104, 311) + (integer(3101, number) if number else b"")
    out += tag(3113, 4, struct.pack(">f", sigma)) if sigma else b""
    out += integer(3103, len(ball.vertices)) + integer(3104, len(ball.triangles))
    return out + matrix(3105, 4, ball.vertices) + matrix(3106, 3, ball.triangles + 1) + integer(105, 311)


def fif(*layers):
    head = tag(100, 31, bytes(20)) + tag(101, 3, struct.pack(">i", -1)) + integer(104, 310) + integer(3112, 5)
    return head + b"".join(layer(*one) for one in layers) + integer(105, 310) + tag(108, 0, b"", -1)


def test_three_layers(tmp_path):
    file = tmp_path / "ball-bem.fif"
    file.write_bytes(fif(*reversed(LAYERS)))  # the order in the file does not count
    head = read_head(file)
    assert [i.name for i in head.interfaces] == ["scalp", "outer_skull", "inner_skull"]
    assert [(i.sigma_inside, i.sigma_outside) for i in head.interfaces] == [(0.33, 0.0), (0.004, 0.33), (0.3, 0.004)]
    for interface, (_, radius, _) in zip(head.interfaces, LAYERS, strict=True):
        assert np.linalg.norm(interface.surface.vertices, axis=1) == pytest.approx(radius, rel=1e-6)
    assert head.provenance["cortex"] == "inner_skull, moved inwards by 1.5 mm"
    assert read_head(file, conductivities={"brain": 0.2}).interfaces[2].sigma_inside == 0.2


def test_tags_that_are_linked_and_what_follows_the_last(tmp_path):
    file = tmp_path / "ball-bem.fif"
    whole = fif(*LAYERS)
    # The first tag leads over a gap to the second; after the last tag stands a directory or anything else.
    first, rest = whole[:36], whole[36:]
    file.write_bytes(first[:12] + struct.pack(">i", 136) + first[16:] + bytes(100) + rest + b"anything")
    assert len(read_head(file).interfaces) == 3


def test_conductivities_that_the_file_lacks(tmp_path):
    file = tmp_path / "ball-bem.fif"
    file.write_bytes(fif(*((number, radius, None) for number, radius, _ in LAYERS)))
    with pytest.raises(ValueError, match=r"^tissue 'brain' must have a conductivity; got none"):
        read_head(file)
    head = read_head(file, conductivities={"brain": 0.275})
    assert [i.sigma_inside for i in head.interfaces] == [0.465, 0.010, 0.275]
    file.write_bytes(fif(LAYERS[2]))
    head = read_head(file)
    assert [(i.name, i.sigma_inside, i.sigma_outside) for i in head.interfaces] == [("brain_in_air", 0.3, 0.0)]


def with_nan(data):
    at = data.index(struct.pack(">i", 3105)) + 16
    return data[:at] + b"\x7f\xc0\0\0" + data[at + 4 :]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda _: b"", r"must be a FIFF file and begin with its identity; got nothing"),
        (lambda _: b"solid something else", r"must be a FIFF file and begin with its identity; got 736f6c69"),
        (lambda d: d[:1000], r"must hold 1956 bytes for its tag 3105; got \d+\. It is truncated"),
        (lambda d: d[:-5], r"must hold whole tags of 16 bytes; got 11 at the end"),
        (
            lambda d: d.replace(struct.pack(">i", 1956), struct.pack(">i", -8), 1),
            r"must hold -8 bytes for its tag 3105",
        ),
        (lambda d: d.replace(struct.pack(">i", 1956), struct.pack(">i", 2**31 - 1), 1), r"must hold 2147483647 bytes"),
        (
            lambda d: d.replace(struct.pack(">3i", 3, 162, 2), struct.pack(">3i", 3, 162000000, 2), 1),
            r"162000000 x 3 in",
        ),
        (
            lambda d: d.replace(struct.pack(">3i", 3, 162, 2), struct.pack(">3i", 2, 243, 2), 1),
            r"three columns; got 243 x 2",
        ),
        (lambda d: d.replace(struct.pack(">3i", 3, 162, 2), struct.pack(">3i", 3, 162, 1), 1), r"two axes; got 1"),
        (lambda d: d[:12] + struct.pack(">i", 4) + d[16:], r"tags in order; got one at 0 that leads back to 4"),
        (lambda d: d.replace(integer(104, 311), integer(104, 312)), r"surfaces of boundary elements; got none"),
        (lambda d: d.replace(integer(3101, 4), integer(3101, 9)), r"must be 4, 3 or 1 .*; got 9"),
        (lambda d: d.replace(integer(3101, 4), b""), r"must be 4, 3 or 1 .*; got None"),
        (
            lambda d: d.replace(struct.pack(">i", 3106), struct.pack(">i", 3999)),
            r"scalp of x\.fif must have vertices and",
        ),
        (
            lambda d: d.replace(b"\x40\0\0\4", b"\x40\0\0\x0a", 1),
            r"tag 3105 of x\.fif must be of integers or floats; got type 10",
        ),
        (with_nan, r"vertices of scalp must be finite; got 1 rows with NaN"),
        (lambda _: fif((4, 90.0, 0.3), (4, 80.0, 0.3)), r"must hold each surface once; got scalp, scalp"),
    ],
)
def test_broken_files_say_so(tmp_path, change, words):
    file = tmp_path / "x.fif"
    file.write_bytes(change(fif(*LAYERS)))
    with pytest.raises(ValueError, match=words) as caught:
        read_head(file)
    assert "\n" not in str(caught.value)
