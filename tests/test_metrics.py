"""Field metrics against identities and closed forms."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efield import metrics

SEEDS = st.integers(0, 2**32 - 1)


def two_fields(seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(20, 3)), rng.normal(size=(20, 3)), rng.uniform(0.1, 2.0, 20)


@settings(deadline=None)
@given(SEEDS)
def test_error_splits_into_magnitude_and_pattern(seed):
    """With g = ||a|| / ||b||: error^2 = (1 - g)^2 + g rdm^2, and mag = abs(ln g)."""
    a, b, weights = two_fields(seed)
    pattern = metrics.rdm(a, b, weights=weights)
    ratio = np.linalg.norm(a * np.sqrt(weights)[:, None]) / np.linalg.norm(b * np.sqrt(weights)[:, None])
    expected = np.sqrt((1.0 - ratio) ** 2 + ratio * pattern**2)
    np.testing.assert_allclose(metrics.relative_error(a, b, weights=weights), expected, rtol=1e-12)
    np.testing.assert_allclose(metrics.mag(a, b, weights=weights), abs(np.log(ratio)), rtol=1e-10, atol=1e-12)


@settings(deadline=None)
@given(SEEDS)
def test_weights_count_like_repeated_points(seed):
    a, b, _ = two_fields(seed)
    times = np.random.default_rng(seed).integers(1, 4, 20)
    for metric in (metrics.relative_error, metrics.rdm, metrics.mag):
        repeated = metric(np.repeat(a, times, axis=0), np.repeat(b, times, axis=0))
        np.testing.assert_allclose(metric(a, b, weights=times), repeated, rtol=1e-12, atol=1e-14)


def test_known_values():
    a = np.array([[3.0, 0.0, 4.0]])
    assert metrics.relative_error(1.25 * a, a) == 0.25
    assert metrics.rdm(7.0 * a, a) < 1e-15
    assert metrics.rdm(-a, a) == pytest.approx(2.0, rel=1e-15)
    assert metrics.mag(-7.0 * a, a) == pytest.approx(np.log(7.0), rel=1e-14)
    assert metrics.relative_error([1.0, 2.0], [1.0, 1.0]) == pytest.approx(np.sqrt(0.5), rel=1e-15)


def test_peak_ignores_the_last_per_mille_of_the_area():
    magnitude = np.arange(1.0, 1001.0)
    assert metrics.peak(magnitude) == 999.0
    assert metrics.peak(magnitude, percentile=100.0) == 1000.0
    # one bad triangle of no area does not move it, one of large area does
    spoilt = np.append(magnitude, 1e6)
    assert metrics.peak(spoilt, areas=np.append(np.ones(1000), 0.0)) == 999.0
    assert metrics.peak(spoilt, areas=np.append(np.ones(1000), 10.0)) == 1e6


@settings(deadline=None)
@given(SEEDS)
def test_peak_and_focality_do_not_depend_on_order_or_subdivision(seed):
    field, _, areas = two_fields(seed)
    order = np.random.default_rng(seed).permutation(20)
    halves = np.concatenate([areas / 2, areas / 2])
    assert metrics.peak(field[order], areas=areas[order], percentile=90) == metrics.peak(
        field, areas=areas, percentile=90
    )
    assert metrics.peak(np.tile(field, (2, 1)), areas=halves) == metrics.peak(field, areas=areas)
    np.testing.assert_allclose(
        metrics.focality(np.tile(field, (2, 1)), halves, fraction=0.7),
        metrics.focality(field, areas, fraction=0.7),
        rtol=1e-13,
    )


def test_focality_of_a_linear_field():
    """Magnitude x on the unit interval: the upper 1 - f of it lies above f times the peak."""
    x = (np.arange(10_000) + 0.5) / 10_000
    for fraction in (0.5, 0.7):
        area = metrics.focality(x, np.full(10_000, 2e-3), fraction=fraction, percentile=100.0)
        assert area == pytest.approx(20.0 * (1.0 - fraction), abs=2e-3 * 2)  # two cells


def test_half_values_of_uniform_flux():
    """E = omega cross x: half of the peak is reached outside of the cylinder of half the sphere's radius."""
    radius, centre = 70.0, np.array([5.0, -3.0, 8.0])
    omega = 0.02 * np.array([2.0, -1.0, 2.0]) / 3.0
    found = metrics.half_values(lambda x: np.cross(omega, x - centre), radius=radius, centre=centre)
    volume = 4.0 / 3.0 * np.pi * radius**3 * 0.75**1.5
    assert found.peak == pytest.approx(0.02 * radius, rel=1e-7)  # the local search stops at 1e-8
    # neighbouring rays are 2.5 mm apart: (1.25 / 70)^2 / 2 = 1.6e-4 of the radius at most
    assert found.depth == pytest.approx(radius / 2.0, rel=3.2e-4)
    assert found.volume == pytest.approx(volume, rel=1e-3)  # measured 1e-5
    assert found.spread == pytest.approx(found.volume / found.depth, rel=1e-15)


def test_half_values_counts_everything_above_half():
    """A magnitude that rises with depth and never falls below half: the whole sphere counts, down to its centre."""
    found = metrics.half_values(
        lambda x: np.ones_like(x) * (2.0 - (x**2).sum(axis=1, keepdims=True)), radius=1.0, spacing=0.1
    )
    assert found.depth == pytest.approx(1.0, rel=1e-12)
    assert found.volume == pytest.approx(4.0 / 3.0 * np.pi, rel=1e-12)


def test_half_value_functions_agree_with_half_values():
    def field(x):
        return np.cross([0.0, 0.0, 1.0], x)

    both = metrics.half_values(field, spacing=8.0)
    assert metrics.half_value_depth(field, spacing=8.0) == both.depth
    assert metrics.half_value_spread(field, spacing=8.0) == both.spread


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: metrics.relative_error([[1, 2, 3]], [[1, 2, 3]] * 2), "field must be of the shape of reference"),
        (lambda: metrics.relative_error([[1, 2, 3]], [[0, 0, 0]]), "reference must not be zero everywhere"),
        (lambda: metrics.rdm([[0, 0, 0]], [[1, 2, 3]]), "field must not be zero everywhere"),
        (lambda: metrics.mag([[np.nan, 0, 0]], [[1, 2, 3]]), "field and reference must be finite"),
        (lambda: metrics.relative_error([], []), "field must be of shape (n, 3) or (n,)"),
        (lambda: metrics.relative_error([1.0], [1.0], weights=[1, 2]), "weights must be one number per point"),
        (lambda: metrics.peak([1.0, 2.0], areas=[1.0, -1.0]), "areas must be finite, not negative"),
        (lambda: metrics.peak([1.0, -2.0]), "field must be finite, and not negative"),
        (lambda: metrics.peak(np.zeros((0, 3))), "field must be a field at one point at least"),
        (lambda: metrics.peak([1.0], percentile=0.0), "percentile must be above 0 and at most 100"),
        (lambda: metrics.focality([1.0], [1.0], fraction=1.1), "fraction must be above 0 and at most 1"),
        (lambda: metrics.half_values(np.zeros_like, spacing=20.0), "field must not be zero"),
        (lambda: metrics.half_values(lambda x: x[:1], spacing=20.0), "field(points) must be of shape"),
        (lambda: metrics.half_values(np.zeros_like, radius=0.0), "radius must be a positive number"),
    ],
)
def test_bad_input(call, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        call()
