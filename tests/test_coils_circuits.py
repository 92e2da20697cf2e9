"""Circuits: open wires are found, closed and measured."""

from pathlib import Path

import numpy as np
import pytest

from coils import Segments, Wire, coil_from_wires, read_coil, spiral, write_coil
from coils.circuits import centred, close, close_parts, divergence, fault, find_ends
from coils.potential import element_potential, turn_potential

POINTS = np.array([[0.0, 0.0, 40.0], [30.0, -20.0, 60.0], [90.0, 5.0, -10.0]])


def ring(count: int = 400, radius: float = 40.0, *, share: float = 1.0, shift: float = 0.5) -> Segments:
    """Chords of a circle of which the first `share` is kept; points `shift` of the vector after the start."""
    angle = 2.0 * np.pi * np.arange(count + 1) / count
    corners = radius * np.column_stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)])
    vectors = np.diff(corners, axis=0)
    kept = round(share * count)
    return Segments((corners[:-1] + shift * vectors)[:kept], vectors[:kept])


@pytest.mark.parametrize(("shift", "place"), [(0.5, "middles"), (0.0, "starts"), (1.0, "ends")])
def test_points_are_recognised_and_moved_to_the_middles(shift: float, place: str) -> None:
    wire = ring(shift=shift)
    ends = find_ends(wire)
    assert ends.place == place
    assert not len(ends.sinks)
    np.testing.assert_allclose(centred(wire).points, ring().points, atol=1e-13)  # rounding at 40 mm
    closed, leads = close(wire)
    assert len(leads) == 0
    np.testing.assert_allclose(closed.points, ring().points, atol=1e-13)


def test_order_of_the_elements_does_not_matter() -> None:
    wire = ring(share=0.8)
    order = np.random.default_rng(1).permutation(len(wire))
    shuffled = Segments(wire.points[order], wire.vectors[order])
    np.testing.assert_allclose(find_ends(shuffled).sinks, find_ends(wire).sinks, atol=1e-12)
    np.testing.assert_allclose(close(shuffled)[1], close(wire)[1], atol=1e-12)


def test_arc_is_closed_by_its_chord() -> None:
    """Three quarters of a circle: the lead runs from the end at -90 degrees back to the start at 0."""
    wire = ring(share=0.75)
    closed, leads = close(wire)
    np.testing.assert_allclose(leads, [[[0, -40, 0], [40, 0, 0]]], atol=1e-12)
    np.testing.assert_allclose(closed.vectors.sum(axis=0), 0.0, atol=1e-12)
    lengths = np.linalg.norm(closed.vectors, axis=1)
    assert lengths.max() <= np.median(np.linalg.norm(wire.vectors, axis=1)) * (1 + 1e-9)
    np.testing.assert_allclose(lengths[len(wire) :].sum(), 40.0 * np.sqrt(2.0), rtol=1e-12)


def test_divergence_telescopes_for_an_open_wire_and_vanishes_for_a_closed_one() -> None:
    """div A of a wire from a to b is 1/|r-a| - 1/|r-b|, by the gradient theorem; taking points is of second order."""
    errors = []
    for count in (400, 800):
        wire = ring(count, share=0.75)
        a, b = np.array([40.0, 0, 0]), np.array([0, -40.0, 0])
        exact = 1.0 / np.linalg.norm(POINTS - a, axis=1) - 1.0 / np.linalg.norm(POINTS - b, axis=1)
        errors.append(np.abs(divergence(wire, POINTS) - exact).max() / np.abs(exact).max())
        assert np.abs(divergence(close(wire)[0], POINTS)).max() < 1e-4 * np.abs(exact).max()
    assert errors[0] < 1e-3
    assert 3.6 < errors[0] / errors[1] < 4.4  # order 2


def test_points_at_the_starts_leave_a_divergence_of_first_order() -> None:
    """Why `close` moves them, from below the ring's edge: it falls with the length, not with its square."""
    first, second = (np.abs(divergence(ring(count, shift=0.0), POINTS)).max() for count in (400, 800))
    assert 1.8 < first / second < 2.2
    assert np.abs(divergence(ring(400), POINTS)).max() < 1e-3 * first


def test_divergence_is_that_of_the_potential() -> None:
    """Against central differences of the potential."""
    wire = ring(share=0.6)
    step = 1e-3
    for point, expected in zip(POINTS, divergence(wire, POINTS), strict=True):
        sides = np.concatenate([point + step * np.eye(3), point - step * np.eye(3)])
        potential = element_potential(sides, wire.points, wire.vectors)
        difference = sum((potential[k, k] - potential[k + 3, k]) / (2 * step) for k in range(3))
        np.testing.assert_allclose(difference, expected, rtol=1e-6, atol=1e-9)


def test_closed_ring_has_the_potential_of_the_turn_in_closed_form() -> None:
    wire, _ = close(ring(2000, shift=0.0))
    rho = np.linalg.norm(POINTS[:, :2], axis=1)
    exact = turn_potential(rho, POINTS[:, 2], 40.0)
    azimuth = np.column_stack([-POINTS[:, 1], POINTS[:, 0], np.zeros(3)]) / np.maximum(rho, 1e-300)[:, None]
    potential = element_potential(POINTS, wire.points, wire.vectors)
    np.testing.assert_allclose(potential, exact[:, None] * azimuth, atol=1e-5 * np.abs(exact).max())  # chords, points


def test_several_gaps_are_paired_by_the_least_length() -> None:
    """Two arcs, cut at different places: each is closed by its own short lead, not crosswise."""
    first, second = ring(share=0.95), ring(share=0.9)
    wires = Segments(
        np.concatenate([first.points, second.points + np.array([200.0, 0, 0])]),
        np.concatenate([first.vectors, second.vectors]),
    )
    _, leads = close(wires)
    assert len(leads) == 2
    assert np.linalg.norm(leads[:, 1] - leads[:, 0], axis=1).max() < 30.0


def test_parts_in_series_share_one_gap() -> None:
    """Pieces of one wire that join exactly leave the gap between the first and the last only."""
    wire = ring(share=0.9)
    assert len(find_ends(Segments(wire.points[:100], wire.vectors[:100])).sinks) == 1
    assert len(find_ends(Segments(wire.points[200:], wire.vectors[200:])).sinks) == 1
    assert len(find_ends(wire).sinks) == 1


def test_leads_between_moved_parts_go_to_their_own_turn() -> None:
    """A spiral cut in two halves of which one is turned by more than the spacing of its turns.

    Each of its arcs keeps its partner, though the end of the neighbouring turn has come nearer.
    """
    angle = np.linspace(0.0, 6.0 * np.pi, 601)
    corners = (40.0 + 2.0 * angle / (2.0 * np.pi))[:, None] * np.column_stack([np.cos(angle), np.sin(angle), 0 * angle])
    middles, vectors = (corners[1:] + corners[:-1]) / 2.0, np.diff(corners, axis=0)
    right = np.cos(angle[:-1] + np.pi / 600) > 0
    parts = [Segments(middles[side], vectors[side]) for side in (right, ~right)]
    still, leads = close_parts(parts, [np.eye(4)] * 2)
    assert len(leads) == 1  # from the outer end to the inner one
    motion = np.eye(4)
    motion[0, 3] = 5.0
    motion[1, 3] = 3.0
    moved, leads = close_parts(parts, [motion, np.eye(4)])
    lengths = np.sort(np.linalg.norm(leads[:, 1] - leads[:, 0], axis=1))
    np.testing.assert_allclose(lengths[:-1], np.hypot(5.0, 3.0), atol=1e-12)  # each of the six cuts, opened alike
    assert len(lengths) == 7
    np.testing.assert_allclose(moved.vectors.sum(axis=0), 0.0, atol=1e-12)
    assert np.abs(divergence(moved, POINTS)).max() < 1e-5
    assert len(still) < len(moved)


def test_two_turns_through_one_point_are_closed() -> None:
    """A figure of eight that crosses itself in a node: two arrive, two leave."""
    left = ring()
    mirrored = Segments(left.points * [-1, 1, 1] + [80.0, 0, 0], left.vectors * [-1, 1, 1])
    both = Segments(np.concatenate([left.points, mirrored.points]), np.concatenate([left.vectors, mirrored.vectors]))
    assert not len(find_ends(both).sinks)


def test_zero_length_is_dropped_and_all_zero_refused() -> None:
    wire = ring()
    padded = Segments(np.vstack([wire.points, [[0, 0, 9]]]), np.vstack([wire.vectors, [[0, 0, 0]]]))
    assert len(close(padded)[0]) == len(wire)
    with pytest.raises(ValueError, match=r"vectors must not all be zero; got 2 current elements without length\."):
        close(Segments(np.zeros((2, 3)), np.zeros((2, 3))))


def test_vectors_of_several_turns_cannot_be_followed() -> None:
    """Chords of uneven length: each stands for nine turns, so that its ends lie far beyond its neighbours'."""
    angle = np.sort(np.random.default_rng(4).uniform(0.0, 2.0 * np.pi, 400))
    corners = 40.0 * np.column_stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)])
    vectors = np.roll(corners, -1, axis=0) - corners
    assert not len(find_ends(Segments(corners + vectors / 2.0, vectors)).sinks)
    with pytest.raises(ValueError, match=r"must follow each other from end to start; got \d+ loose ends among 400"):
        find_ends(Segments(corners + vectors / 2.0, 9.0 * vectors))


def test_many_elements_in_one_place_stay_cheap() -> None:
    """Twenty thousand copies of one element: nodes are found by cells, not by 4e8 pairs."""
    copies = Segments(np.zeros((20_000, 3)), np.tile([1.0, 0.0, 0.0], (20_000, 1)))
    with pytest.raises(ValueError, match="must follow each other"):
        find_ends(copies)


@pytest.mark.parametrize("height", [0.0, -3.0])
def test_own_current_elements_are_closed(height: float, tmp_path: Path) -> None:
    # Elements at Gauss points do not touch: on the lead of this spiral they were taken for three open ends.
    path = spiral(inner_diameter=30, outer_diameter=50, turns=4, return_height=height) - [0.0, 0.0, 8.0]
    coil = coil_from_wires([Wire(path=path)], name="spiral", max_error=3e-3, elements=True)
    assert coil.segments is not None
    assert fault(coil.segments, "wires", closing=True) == ""
    closed, leads = close(coil.segments)
    assert (len(closed), len(leads)) == (len(coil.segments), 0)
    write_coil(coil, tmp_path / "spiral.tcd")
    again = read_coil(tmp_path / "spiral.tcd")  # a warning would be an error
    np.testing.assert_allclose(again.potential(POINTS), coil.potential(POINTS), rtol=1e-12)


@pytest.mark.parametrize("offset", [[3.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
def test_gaps_of_real_wires_are_still_found(offset: list[float]) -> None:
    # Longer than those of Gauss weights, a fifth of the element, or not along it.
    corners = np.array([[0.0, 0, 0], [10, 0, 0], [10, 10, 0], [0, 10, 0], [0, 0, 0]])
    corners[-1] += [0.0, *offset[:1], offset[2]]
    vectors = np.diff(corners, axis=0)
    ends = find_ends(Segments(corners[:-1] + 0.5 * vectors, vectors))
    np.testing.assert_allclose(ends.sinks, corners[-1:], atol=1e-12)
    np.testing.assert_allclose(ends.sources, corners[:1], atol=1e-12)
