"""Branch and bound over the cells of a search: its bound holds, shrinks as asked, and finds what the grid missed."""

import numpy as np
import pytest

from efield.targeting.certificate import certify


def peaks(points):
    """A broad peak and a higher narrow one, at (0.31, -0.22) and height 2.2."""
    broad = 2.0 * np.exp(-np.sum((points - [-1.0, 0.5]) ** 2, axis=1))
    narrow = 2.2 * np.exp(-np.sum((points - [0.31, -0.22]) ** 2, axis=1) / 0.08)
    return broad + narrow


def cells(step):
    axis = np.arange(-2.0 + 0.5 * step, 2.0, step)
    x, y = np.meshgrid(axis, axis, indexing="ij")
    points = np.column_stack([x.ravel(), y.ravel()])
    values = peaks(points).reshape(x.shape)
    slopes = []
    for axis_number in range(2):
        change = np.abs(np.diff(values, axis=axis_number)) / step
        pad = [(1, 1) if axis_number == k else (0, 0) for k in range(2)]
        both = np.pad(change, pad, mode="edge")
        low = [slice(None, -1) if axis_number == k else slice(None) for k in range(2)]
        high = [slice(1, None) if axis_number == k else slice(None) for k in range(2)]
        slopes.append(np.maximum(both[tuple(low)], both[tuple(high)]).ravel())
    return points, values.ravel(), np.column_stack(slopes), np.full(2, step)


def everywhere(points, _halves):
    return np.ones(len(points), dtype=bool)


def grid(low, high, count=801):
    axes = [np.linspace(a, b, count) for a, b in zip(low, high, strict=True)]
    return np.column_stack([axis.ravel() for axis in np.meshgrid(*axes)])


TOP = peaks(grid((0.28, -0.25), (0.33, -0.18))).max()


@pytest.mark.parametrize("wanted", [1e-2, 1e-3, 1e-5])
def test_the_bound_holds_and_is_as_tight_as_asked(wanted):
    points, values, slopes, widths = cells(0.25)
    certificate, better = certify(peaks, everywhere, points, values, slopes, widths, found=values.max(), wanted=wanted)
    assert certificate.gap == wanted
    assert better is not None
    best = peaks(better[None])[0]
    assert best <= TOP * (1.0 + 1e-6)
    assert best * (1.0 + certificate.gap) >= TOP


def test_the_true_best_needs_nothing_better():
    points, values, slopes, widths = cells(0.25)
    certificate, better = certify(peaks, everywhere, points, values, slopes, widths, found=TOP * (1.0 + 1e-9))
    assert better is None
    assert certificate.gap == 1e-3
    assert certificate.spacing < 0.25


def test_a_border_through_the_cells_is_kept():
    points, values, slopes, widths = cells(0.25)

    def left(some, halves):
        return some[:, 0] - halves[:, 0] < 0.013

    border = peaks(grid((-2.0, -2.0), (0.013, 2.0))).max()
    found = float(values[left(points, 0.0 * points)].max())
    assert found < border < TOP
    certificate, better = certify(peaks, left, points, values, slopes, widths, found=found)
    assert better is not None
    assert better[0] < 0.013
    best = peaks(better[None])[0]
    assert certificate.gap == 1e-3
    assert border <= best * (1.0 + certificate.gap), "what lies in a cell over the border counts"
    assert best <= border * (1.0 + 1e-9), "and what lies beyond it does not"


def test_too_few_evaluations_leave_a_gap_that_says_so():
    points, values, slopes, widths = cells(0.5)
    certificate, _ = certify(
        peaks, everywhere, points, values, slopes, widths, found=values.max(), most=20, wanted=1e-4
    )
    assert certificate.gap > 1e-2
    assert certificate.placements <= 20
    assert values.max() * (1.0 + certificate.gap) >= TOP
    assert "no mathematical proof" in certificate.text
    assert certificate.as_dict()["gap"] == certificate.gap


def test_kinks_are_bounded_too():
    """Where another part of a casing begins to touch, the field has a kink: the least of two slopes."""

    def roof(points):
        return 3.0 - np.maximum(2.0 * points[:, 0], -0.5 * points[:, 0]) - np.abs(points[:, 1] - 0.03)

    axis = np.arange(-0.95, 1.0, 0.1)
    x, y = np.meshgrid(axis, axis, indexing="ij")
    points = np.column_stack([x.ravel(), y.ravel()])
    values = roof(points)
    slopes = np.tile([2.0, 1.0], (len(points), 1))
    certificate, better = certify(
        roof, everywhere, points, values, slopes, np.full(2, 0.1), found=float(values.max()), wanted=1e-4
    )
    assert better is not None
    assert roof(better[None])[0] * (1.0 + certificate.gap) >= 3.0
