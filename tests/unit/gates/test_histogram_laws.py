"""What gates rely on when histograms of devices, windows and scales come together."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.contract.histogram import Histogram, Recorder
from shoal.controller.gates import effects

VALUES = st.lists(st.floats(0.01, 1e4), max_size=40)
SCALES = st.integers(0, 6)


def recorded(values: list[float], scale: int) -> Histogram:
    recorder = Recorder(scale=scale)
    for value in values:
        recorder.record(value)
    return recorder.freeze()


def coarse(histogram: Histogram, scale: int) -> Histogram:
    """The histogram at this scale: merging with an empty one of it changes nothing else."""
    return histogram.merge(Histogram(scale=scale))


def counted(histogram: Histogram) -> tuple[int, tuple[tuple[int, int], ...], int]:
    return histogram.scale, histogram.buckets, histogram.zeros


def effect(before: Histogram, after: Histogram, q: float) -> float:
    return effects.log_change(before.quantile(q) or 0.0, after.quantile(q) or 0.0)


HISTOGRAMS = st.builds(recorded, VALUES, SCALES)


@given(HISTOGRAMS, HISTOGRAMS, HISTOGRAMS)
def test_merging_in_any_grouping_is_the_same(
    one: Histogram, two: Histogram, three: Histogram
) -> None:
    left, right = one.merge(two).merge(three), one.merge(two.merge(three))
    assert counted(left) == counted(right)
    assert counted(one.merge(two)) == counted(two.merge(one))


@given(HISTOGRAMS, HISTOGRAMS, st.integers(-2, 4))
def test_making_coarse_and_merging_commute(one: Histogram, two: Histogram, scale: int) -> None:
    merged_first = coarse(one.merge(two), scale)
    assert counted(merged_first) == counted(coarse(one, scale).merge(coarse(two, scale)))


@given(VALUES.filter(bool), SCALES, st.sampled_from([0.5, 0.95, 0.99]))
def test_an_effect_errs_by_two_buckets_at_most(values: list[float], scale: int, q: float) -> None:
    # Twice the latency everywhere is ln 2, whatever buckets the two quantiles fall into.
    before, after = recorded(values, scale), recorded([2 * one for one in values], scale)
    finest = min(before.scale, after.scale)
    error = abs(effect(before, after, q) - math.log(2))
    assert error <= 2 * math.log(2) / 2**finest + 1e-9


def test_an_effect_across_scales_is_still_an_effect() -> None:
    before, after = recorded([10.0] * 99, 5), recorded([20.0] * 99, 2)
    assert effect(before, after, 0.5) == pytest.approx(math.log(2), abs=0.2)


def test_an_empty_histogram_has_no_effect() -> None:
    with pytest.raises(ValueError, match="positive numbers"):
        effect(Histogram(), recorded([1.0], 5), 0.5)
