"""Histograms: what they promise of counts, merges and quantiles."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.contract.histogram import Histogram, Recorder, merge_all
from shoal.contract.limits import HISTOGRAM_BUCKETS

VALUES = st.lists(st.just(0.0) | st.floats(1e-3, 1e6), max_size=60)


def recorded(values: list[float]) -> Histogram:
    recorder = Recorder()
    for value in values:
        recorder.record(value)
    return recorder.freeze()


@given(VALUES, VALUES)
def test_merging_is_recording_together(one: list[float], other: list[float]) -> None:
    merged = recorded(one).merge(recorded(other))
    together = recorded(one + other)
    assert (merged.scale, merged.buckets, merged.zeros) == (
        together.scale,
        together.buckets,
        together.zeros,
    )
    assert merged.total == pytest.approx(together.total)


@given(VALUES, VALUES)
def test_merging_has_no_order(one: list[float], other: list[float]) -> None:
    assert recorded(one).merge(recorded(other)) == recorded(other).merge(recorded(one))


@given(st.lists(VALUES, max_size=4))
def test_no_value_is_lost(parts: list[list[float]]) -> None:
    merged = merge_all(recorded(part) for part in parts)
    assert merged.count == sum(len(part) for part in parts)
    assert merged.total == pytest.approx(sum(sum(part) for part in parts))


@given(VALUES)
def test_the_number_of_buckets_is_bounded(values: list[float]) -> None:
    histogram = recorded(values)
    indexes = [index for index, _ in histogram.buckets]
    assert indexes == sorted(set(indexes))
    assert not indexes or indexes[-1] - indexes[0] < HISTOGRAM_BUCKETS


@given(VALUES.filter(bool), st.floats(0, 1))
def test_a_quantile_lies_in_the_bucket_of_the_value_at_its_rank(
    values: list[float], q: float
) -> None:
    histogram = recorded(values)
    found = histogram.quantile(q)
    assert found is not None
    base = 2.0**2.0**-histogram.scale
    rank = q * len(values)
    ordered = sorted(values)
    candidates = {ordered[min(len(values) - 1, max(0, math.ceil(rank + d) - 1))] for d in (0, 1e-9)}
    assert any(one / base * 0.999999 <= found <= one * base * 1.000001 for one in candidates)


@given(VALUES.filter(bool))
def test_quantiles_rise(values: list[float]) -> None:
    histogram = recorded(values)
    found = [histogram.quantile(q / 10) for q in range(11)]
    assert found == sorted(one for one in found if one is not None)


def test_an_empty_histogram_has_no_quantile() -> None:
    assert Histogram().quantile(0.5) is None
    assert merge_all([]) == Histogram()


def test_zeros_come_before_everything() -> None:
    histogram = recorded([0.0, 0.0, 8.0])
    assert histogram.quantile(0.5) == 0.0
    assert histogram.quantile(1.0) == pytest.approx(8.0)


def test_a_value_on_the_border_belongs_to_the_bucket_below() -> None:
    # OpenTelemetry: bucket i holds (base**i, base**(i+1)]; at scale 0 the base is 2.
    recorder = Recorder(scale=0)
    for value in (1.0, 2.0, 2.1, 4.0):
        recorder.record(value)
    assert recorder.freeze().buckets == ((-1, 1), (0, 1), (1, 2))


def test_a_quantile_beyond_the_last_rank_is_the_upper_border() -> None:
    histogram = Histogram(scale=0, buckets=((0, 1),))
    assert histogram.quantile(1.0000001) == 2.0


@pytest.mark.parametrize("value", [-1.0, math.inf, math.nan])
def test_what_is_no_duration_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="finite values from 0 up"):
        Recorder().record(value)
