"""meshes.arrays: what is accepted, and the sentence for what is not."""

import numpy as np
import pytest

from meshes import arrays


def test_vectors_returns_a_contiguous_copy():
    given = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))
    result = arrays.vectors(given, "points")
    assert result.dtype == np.float64
    assert result.flags["C_CONTIGUOUS"]
    result[:] = -1.0
    assert np.array_equal(given, np.arange(6).reshape(2, 3))


def test_single_vector_only_when_allowed():
    assert arrays.vectors([1, 2, 3], "points", allow_single=True).shape == (1, 3)
    with pytest.raises(ValueError, match=r"^points must be an array of shape \(n, 3\); got shape \(3,\)\.$"):
        arrays.vectors([1, 2, 3], "points")


def test_unit_vector_does_not_overflow():
    # Squares of these overflow or vanish in float64; the direction is exact to rounding.
    for size in (1e-200, 1.0, 1e200):
        assert np.allclose(arrays.unit_vector([3 * size, 0, 4 * size], "y"), [0.6, 0.0, 0.8], rtol=1e-15, atol=0.0)


def test_triangles_are_int32():
    result = arrays.triangles(np.array([[0, 1, 2]], dtype=np.uint64), "triangles", 3)
    assert result.dtype == np.int32
    assert np.array_equal(result, [[0, 1, 2]])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: arrays.vectors([[1, 2, np.nan]], "points"), r"points must be finite; got 1 rows .* first row 0"),
        (lambda: arrays.vectors([[1, 2], [3, 4]], "points"), r"points must be .* got shape \(2, 2\)\."),
        (lambda: arrays.vectors("abc", "points"), r"points must be an array of real numbers; got 'abc'\."),
        (lambda: arrays.vectors([[1j, 0, 0]], "points"), r"points must be an array of real numbers"),
        (lambda: arrays.vector([[1, 2, 3]], "centre"), r"centre must be .* \(3,\); got shape \(1, 3\)\."),
        (lambda: arrays.vector([1, 2, np.inf], "centre"), r"centre must be finite"),
        (lambda: arrays.unit_vector([0, 0, 0], "y"), r"y must be a direction, not the zero vector"),
        (lambda: arrays.triangles([[0, 1, 3]], "t", 3), r"t must be indices from 0 to 2, .* got 0 to 3\."),
        (lambda: arrays.triangles([[0, 1, -1]], "t", 3), r"t must be indices from 0 to 2"),
        (lambda: arrays.triangles([[0, 1, 1.5]], "t", 3), r"t must be whole numbers"),
        (lambda: arrays.triangles([[0, 1, np.nan]], "t", 3), r"t must be whole numbers"),
        (lambda: arrays.positive(0, "radius"), r"radius must be a positive number; got 0\.0\."),
        (lambda: arrays.positive(np.nan, "radius"), r"radius must be a positive number; got nan\."),
        (lambda: arrays.positive(True, "radius"), r"radius must be a positive number; got True\."),
        (lambda: arrays.positive("wide", "radius"), r"radius must be a positive number; got 'wide'\."),
        (lambda: arrays.non_negative(-1, "distance"), r"distance must be zero or a positive number; got -1\.0\."),
        (lambda: arrays.non_negative(np.inf, "distance"), r"distance must be zero or a positive number; got inf\."),
        (lambda: arrays.choice("up", "side", ("left", "right")), r"side must be one of 'left', 'right'; got 'up'\."),
    ],
)
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
