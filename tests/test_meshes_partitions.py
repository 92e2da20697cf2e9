"""Heads whose tissues touch: what is accepted, and the sentence for what is not."""

import numpy as np
import pytest

import meshes
from meshes import HeadModel, Interface, Surface
from meshes.checks import winding_numbers
from meshes.partitions import _folded_pairs, merged_surface
from tests.touching_cases import RADIUS, disc_of, octahedral_sphere, two_halves

CORTEX = meshes.icosphere(2, radius=0.6 * RADIUS)
BALL = octahedral_sphere(4)
DISC = disc_of(BALL)
UPPER = BALL.centroids[:, 2] > 0.0


def _head(*interfaces: Interface) -> HeadModel:
    return HeadModel("test", interfaces, CORTEX)


def test_two_halves_are_accepted() -> None:
    head = two_halves(4)
    assert head.touching
    lower, upper = (0.33, 1.2)
    np.testing.assert_array_equal(np.unique(head.interfaces[0].sigmas[:, 0]), [lower, upper])
    # By rising conductivity: the upper half (0.33 S/m) and the lower one.
    for region, sign in zip(head.enclosures, (1.0, -1.0), strict=True):
        inside = winding_numbers([[1.0, 2.0, 30.0 * sign], [1.0, 2.0, -30.0 * sign]], region)
        np.testing.assert_allclose(inside, [1.0, 0.0], atol=1e-9)
        # Half a ball of flat triangles.
        assert region.volume == pytest.approx(0.5 * BALL.volume, rel=1e-9)


def test_vertices_on_lines_are_merged() -> None:
    merged = merged_surface([BALL, DISC])
    rim = int((BALL.vertices[:, 2] == 0.0).sum())
    assert len(merged.vertices) == len(BALL.vertices) + len(DISC.vertices) - rim
    np.testing.assert_array_equal(merged.areas, np.concatenate([BALL.areas, DISC.areas]))


def test_an_array_of_equal_conductivities_is_one_number() -> None:
    interface = Interface(BALL, np.full(len(BALL.triangles), 0.3), 0.0)
    assert interface.is_uniform
    assert interface.sigma_inside == 0.3
    with pytest.raises(ValueError, match="must be one number, or one for each of 128 triangles"):
        Interface(BALL, np.full(3, 0.3), 0.0)
    with pytest.raises(ValueError, match="positive"):
        Interface(BALL, np.where(UPPER, 0.3, 0.0), 0.0)


def test_checksum_sees_each_triangle() -> None:
    sigmas = np.where(UPPER, 0.33, 1.2)
    first = _head(Interface(BALL, sigmas, 0.0), Interface(DISC, 1.2, 0.33))
    assert first.checksum == _head(*two_halves(4).interfaces).checksum
    second = _head(Interface(BALL, np.where(UPPER, 0.34, 1.2), 0.0), Interface(DISC, 1.2, 0.34))
    assert first.checksum != second.checksum


def _moved(surface: Surface, shift: list[float]) -> Surface:
    return Surface(surface.vertices + shift, surface.triangles, surface.name)


def _lens(radius: float, name: str) -> Surface:
    ball = meshes.icosphere(2, radius=radius)
    return Surface(ball.vertices + np.array([0.0, 0.0, 10.0]), ball.triangles, name)


SIDES = np.where(UPPER, 0.33, 1.2)
BAD = {
    "the line does not fit": ([(BALL, SIDES, 0.0), (_moved(DISC, [0.0, 0.0, 0.5]), 1.2, 0.33)], "must be closed; got"),
    "no disc": ([(BALL, SIDES, 0.0)], "region of .* S/m must be closed; got 16 open edges"),
    "sides of the disc exchanged": ([(BALL, SIDES, 0.0), (DISC, 0.33, 1.2)], "must be closed; got"),
    "disc turned round": (
        [(BALL, SIDES, 0.0), (Surface(DISC.vertices, DISC.triangles[:, ::-1], "disc"), 1.2, 0.33)],
        "must be closed; got",
    ),
    "a tissue that is not there": ([(BALL, SIDES, 0.0), (DISC, 1.2, 0.5)], "must be closed; got"),
    "crossing": ([(BALL, SIDES, 0.0), (DISC, 1.2, 0.33), (_lens(30.0, "lens"), 0.1, 0.33)], "must not cross"),
    "lens in the wrong tissue": (
        [(BALL, SIDES, 0.0), (DISC, 1.2, 0.33), (_moved(_lens(5.0, "lens"), [0.0, 0.0, 10.0]), 0.1, 1.2)],
        "lens must have the tissues on its sides that its conductivities say; got 0.1 S/m inside",
    ),
    "lens outside the scalp": (
        [(BALL, SIDES, 0.0), (DISC, 1.2, 0.33), (_moved(_lens(5.0, "lens"), [0.0, 0.0, 200.0]), 0.1, 0.33)],
        "lens must have the tissues on its sides",
    ),
    "air inside": ([(BALL, SIDES, 0.0), (DISC, 1.2, 0.33), (_lens(5.0, "lens"), 0.1, 0.0)], "positive sigma_outside"),
    "no air outside": ([(BALL, SIDES, 0.1), (DISC, 1.2, 0.33)], "must have sigma_outside = 0"),
    "open scalp": ([(Surface(BALL.vertices, BALL.triangles[1:], "scalp"), 0.3, 0.0)], "scalp must be closed; got 3"),
    "disc twice": ([(BALL, SIDES, 0.0), (DISC, 1.2, 0.33), (Surface(DISC.vertices, DISC.triangles, "again"), 0.5, 0.5)],
                   "must not cross"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_sentences(case: str) -> None:
    rows, sentence = BAD[case]
    with pytest.raises(ValueError, match=sentence):
        _head(*(Interface(*row) for row in rows))  # type: ignore[arg-type]  # rows of mixed types


FLAT = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.5, 1.0, 0.0], [0.5, -1.0, 0.0], [0.5, 0.0, 1.0], [0.6, 0.5, 0.0]])
FOLDS = {
    "side by side, turned alike": ([[0, 1, 2], [1, 0, 3]], 0),
    "side by side, turned differently": ([[0, 1, 2], [0, 1, 3]], 0),
    "three on a line": ([[0, 1, 2], [1, 0, 3], [0, 1, 4]], 0),
    "on each other, turned alike": ([[0, 1, 2], [0, 1, 5]], 1),
    "on each other, turned differently": ([[0, 1, 2], [1, 0, 5]], 1),
    "two of three on each other": ([[0, 1, 2], [0, 1, 4], [1, 0, 5]], 1),
}


@pytest.mark.parametrize("case", FOLDS)
def test_triangles_on_each_other_are_found(case: str) -> None:
    triangles, count = FOLDS[case]
    assert len(_folded_pairs(Surface(FLAT, np.array(triangles, dtype=np.int32)))) == count


def test_open_surfaces_that_end_on_others_are_not_called_holes() -> None:
    # A crack in the ball is not mended by closing the disc, which is as open as it should be.
    cracked = Surface(DISC.vertices, np.delete(DISC.triangles, 40, axis=0), "disc")
    with pytest.raises(ValueError, match=r"^The region of .* must be closed; got 3 open edges"):
        _head(Interface(BALL, SIDES, 0.0), Interface(cracked, 1.2, 0.33))


def _spindle(radius: float, length: float, sides: int = 12) -> Surface:
    """Return two cones base to base along x, one tip at the origin."""
    turn = 2.0 * np.pi * np.arange(sides) / sides
    ring = np.column_stack([np.full(sides, 0.5 * length), radius * np.cos(turn), radius * np.sin(turn)])
    here, there = np.arange(sides) + 1, np.arange(sides) % sides + 2
    there[-1] = 1
    first, last = np.zeros(sides, dtype=int), np.full(sides, sides + 1)
    triangles = np.concatenate([np.column_stack([first, there, here]), np.column_stack([last, here, there])])
    surface = Surface(np.vstack([[0.0, 0.0, 0.0], ring, [length, 0.0, 0.0]]), triangles.astype(np.int32), "spindle")
    return surface if surface.volume > 0.0 else Surface(surface.vertices, triangles[:, ::-1].astype(np.int32))


def _both(one: Surface, other: Surface, name: str) -> Surface:
    triangles = np.concatenate([one.triangles, other.triangles + len(one.vertices)])
    return Surface(np.concatenate([one.vertices, other.vertices]), triangles, name)


def test_each_patch_is_probed() -> None:
    """Of two pairs of nested spindles that meet in a tip, the smaller pair has its outer and inner one exchanged."""
    right, left = (_spindle(30.0, 60.0), _spindle(18.0, 50.0)), (_spindle(10.0, -30.0), _spindle(4.0, -20.0))
    sound = (_both(right[0], left[0], "shell"), _both(right[1], left[1], "core"))
    swapped = (_both(right[0], left[1], "shell"), _both(right[1], left[0], "core"))
    head = _head(Interface(BALL, 0.3, 0.0), Interface(sound[0], 1.6, 0.3), Interface(sound[1], 0.1, 1.6))
    assert head.touching
    with pytest.raises(ValueError, match="must have the tissues on its sides that its conductivities say"):
        _head(Interface(BALL, 0.3, 0.0), Interface(swapped[0], 1.6, 0.3), Interface(swapped[1], 0.1, 1.6))
