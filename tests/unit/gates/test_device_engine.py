"""The laws of the device engine: what no data, no order and no liar can change."""

import dataclasses
import json
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.controller.domain.evidence import Verdict
from shoal.controller.gates import engine
from shoal.controller.gates.effects import Counts
from shoal.controller.gates.engine import Design, Estimate

EFFECT = st.floats(-1, 1).map(lambda one: round(one, 6))
EFFECTS = st.lists(EFFECT, min_size=8, max_size=45)
FLOOR = 1e-7
BADNESS = {Verdict.PASS: 0, Verdict.INCONCLUSIVE: 1, Verdict.FAIL: 2}


def a_design(margin: float = 0.02, alpha: float = 0.05, **changed: float) -> Design:
    fields = {"margin": margin, "alpha_fail": alpha, "alpha_pass": alpha, "mde": 1.0} | changed
    return Design(**fields)


def a_comparison(
    candidate: list[float],
    baseline: list[float] | None = None,
    design: Design | None = None,
    floor: float = FLOOR,
) -> Estimate:
    found = engine.compare(candidate, baseline, design or a_design(), floor=floor)
    assert found is not None
    return found


@pytest.mark.parametrize("devices", [0, 1, 7])
def test_fewer_than_eight_devices_give_no_interval(devices: int) -> None:
    few, enough = [0.5] * devices, [0.0, 0.1] * 10
    for candidate, baseline in ((few, None), (few, enough), (enough, few), (few, few)):
        found = engine.compare(candidate, baseline, a_design(), floor=FLOOR)
        assert found is None
        assert engine.verdict(found, a_design()) is Verdict.INCONCLUSIVE


def test_where_nothing_scatters_only_a_floor_says_how_little_that_proves() -> None:
    assert engine.compare([0.1] * 20, None, a_design()) is None
    assert engine.compare([0.0] * 20, None, a_design(), floor=0.5) is not None
    narrow = a_comparison([0.0] * 20, floor=1e-8)
    assert engine.verdict(narrow, a_design()) is Verdict.PASS


def test_an_interval_that_spans_everything_is_none() -> None:
    values = [-0.5, 0.5] * 4
    assert engine.compare(values, None, a_design(mde=0.01)) is None
    assert engine.compare(values, None, a_design(mde=1.0)) is not None


@given(EFFECTS, st.one_of(st.none(), EFFECTS), st.randoms())
def test_no_order_of_devices_changes_a_bit(
    candidate: list[float], baseline: list[float] | None, chance: random.Random
) -> None:
    first = engine.compare(candidate, baseline, a_design(), floor=FLOOR)
    mixed, others = list(candidate), None if baseline is None else list(baseline)
    chance.shuffle(mixed)
    if others is not None:
        chance.shuffle(others)
    again = engine.compare(mixed, others, a_design(), floor=FLOOR)
    assert first is not None
    assert again is not None
    assert dataclasses.replace(again, trimmed=()) == dataclasses.replace(first, trimmed=())


@given(EFFECTS)
def test_saved_and_loaded_counts_give_the_same_bounds(candidate: list[float]) -> None:
    loaded = json.loads(json.dumps(candidate))
    assert a_comparison(loaded) == a_comparison(candidate)


@given(EFFECTS, EFFECTS)
def test_swapping_the_sides_mirrors_the_interval(one: list[float], other: list[float]) -> None:
    there, back = a_comparison(one, other), a_comparison(other, one)
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low))
    assert there.value == pytest.approx(-back.value)


@given(EFFECTS)
def test_without_another_side_signs_mirror_too(values: list[float]) -> None:
    there, back = a_comparison(values), a_comparison([-one for one in values])
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low))


@given(EFFECTS, st.floats(-1, 1))
def test_a_constant_on_every_device_moves_the_interval(values: list[float], shift: float) -> None:
    before, after = a_comparison(values), a_comparison([one + shift for one in values])
    assert after.low == pytest.approx(before.low + shift, abs=1e-6)
    assert after.high == pytest.approx(before.high + shift, abs=1e-6)


@given(EFFECTS, st.one_of(st.none(), EFFECTS), st.floats(-0.3, 0.3), st.floats(0, 0.3))
def test_a_larger_margin_never_makes_a_verdict_worse(
    candidate: list[float], baseline: list[float] | None, margin: float, more: float
) -> None:
    small, large = a_design(margin), a_design(margin + more)
    one = engine.verdict(a_comparison(candidate, baseline, small), small)
    other = engine.verdict(a_comparison(candidate, baseline, large), large)
    assert BADNESS[other] <= BADNESS[one]


@given(EFFECTS, st.floats(1e-3, 0.049))
def test_a_smaller_alpha_decides_nothing_more(values: list[float], alpha: float) -> None:
    wide = a_comparison(values, design=a_design(alpha=alpha))
    narrow = a_comparison(values, design=a_design(alpha=0.05))
    assert wide.low <= narrow.low <= narrow.value <= narrow.high <= wide.high


@given(EFFECTS, st.data())
def test_one_worse_device_never_lowers_the_value(values: list[float], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(values) - 1))
    worse = list(values)
    worse[at] += data.draw(st.floats(0, 1))
    assert a_comparison(worse).value >= a_comparison(values).value - 1e-12


@given(EFFECTS, st.data())
def test_as_many_liars_as_are_cut_keep_the_value_among_the_honest(
    values: list[float], data: st.DataObject
) -> None:
    lying = engine.extremes(len(values), engine.EPS)
    lies = data.draw(st.lists(EFFECT, min_size=lying, max_size=lying))
    honest = values[lying:]
    found = a_comparison(lies + honest)
    assert min(honest) - 1e-12 <= found.value <= max(honest) + 1e-12


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_effect_is_refused(value: float) -> None:
    for candidate, baseline in (([value] + [0.1] * 9, None), ([0.1, 0.2] * 5, [value] * 9)):
        with pytest.raises(ValueError, match="finite"):
            engine.compare(candidate, baseline, a_design())
    with pytest.raises(ValueError, match="finite"):
        engine.compare([0.1, 0.2] * 5, None, a_design(), floor=value)


def test_the_most_extreme_devices_are_named() -> None:
    values = [0.01 * one for one in range(20)]
    values[3], values[11] = 5.0, -5.0
    found = a_comparison(values)
    assert found.trimmed == (3, 11)
    assert (found.devices, found.baseline_devices) == (20, 0)
    assert a_comparison(values, values[:10]).baseline_devices == 10


def test_how_many_may_lie_is_rounded_up() -> None:
    assert [engine.extremes(one, 0.05) for one in (8, 20, 21, 60, 100)] == [1, 1, 2, 3, 5]


def test_a_mean_without_extremes_bears_a_liar_and_takes_what_little_there_is() -> None:
    assert engine.trimmed_mean([0.01] * 19 + [1.0]) == pytest.approx(0.01)
    assert engine.trimmed_mean([0.0, 1.0]) == 0.5
    assert engine.trimmed_mean([0.25]) == 0.25
    with pytest.raises(ValueError, match="no mean"):
        engine.trimmed_mean([])


def test_the_parts_of_the_width_add_up() -> None:
    values = [0.01 * (one % 5) for one in range(40)]
    for floor in (FLOOR, 1e-5, 1e-3):
        shares = a_comparison(values, floor=floor).shares
        assert shares.sampling + shares.devices + shares.liars == pytest.approx(1)
        assert min(shares.sampling, shares.devices, shares.liars) >= 0
    assert a_comparison(values, floor=1e-3).shares.devices == pytest.approx(0)


def test_the_floor_of_pairs_drops_the_most_discordant_devices() -> None:
    counts = [(1, 1, 100)] * 9 + [(3, 0, 90)] * 10 + [(100, 0, 100)]
    # 20 devices: the one with 100 of 100 goes, 18 + 30 differences of 1800 inputs stay.
    assert engine.paired_floor(counts) == pytest.approx((18 + 30 + 1) / 1800**2)
    assert engine.paired_floor(list(reversed(counts))) == engine.paired_floor(counts)
    assert engine.paired_floor([]) == 0.0
    assert engine.paired_floor([(0, 0, 20)] * 8) == pytest.approx(1 / 140**2)


def test_the_floor_of_rates_is_the_noise_since_the_switch() -> None:
    change = (Counts(events=10, n=500), Counts(events=2, n=100))
    worst = (Counts(events=0, n=500), Counts(events=100, n=100))
    expected = Counts(events=38, n=1900).noise
    assert engine.rate_floor([*[change] * 19, worst]) == pytest.approx(expected)
    assert engine.rate_floor([worst, *[change] * 19]) == pytest.approx(expected)
    assert engine.rate_floor([]) == 0.0
    silent = (Counts(events=0, n=500), Counts(events=0, n=60))
    assert engine.rate_floor([silent] * 8) == pytest.approx(1 / 420**2)


def test_how_much_more_data_a_verdict_needs() -> None:
    a_width = a_comparison([0.0, 0.01] * 10)
    wide = dataclasses.replace(a_width, value=0.0, low=-0.03, high=0.03)
    assert engine.data_factor(wide, a_design(0.02)) == pytest.approx(2.25)
    assert engine.data_factor(dataclasses.replace(wide, value=0.02), a_design(0.02)) is None


def test_the_boundary_is_tuned_for_the_margin_or_the_least_effect() -> None:
    assert engine.least_effect(0.05) == 0.05
    assert engine.least_effect(0.0) == engine.LEAST_DIFFERENCE
    assert engine.least_effect(0.0, engine.LEAST_LOG_RATIO) == math.log(1.1)


CANDIDATE = [
    *(0.02, -0.01, 0.0, 0.03, 0.01, 0.05, -0.04, 0.0, 0.02, 0.01),
    *(0.3, -0.2, 0.0, 0.01, 0.02, 0.03, -0.02, 0.04, 0.01, 0.0),
]
OTHERS = [0.0, 0.01, -0.01, 0.02, -0.02, 0.0, 0.01, 0.0, 0.03, -0.03]


def test_the_interval_agrees_with_scipy() -> None:
    # trim_mean, winsorize and the exact t of scipy 1.17; ours is a hair wider.
    design = a_design(mde=0.02)
    alone, beside = a_comparison(CANDIDATE, None, design), a_comparison(CANDIDATE, OTHERS, design)
    assert (alone.value, beside.value) == pytest.approx((0.01, 0.00875))
    assert (alone.low, alone.high) == pytest.approx((-0.012575, 0.032575), abs=1.5e-5)
    assert (beside.low, beside.high) == pytest.approx((-0.021859, 0.039359), abs=1.5e-5)


def test_either_side_has_its_own_level() -> None:
    design = dataclasses.replace(a_design(mde=0.02), alpha_fail=0.001)
    both, strict = (
        a_comparison(CANDIDATE, None, a_design(mde=0.02)),
        a_comparison(CANDIDATE, None, design),
    )
    assert strict.low < both.low
    assert strict.high == both.high


def test_the_allowance_for_liars_does_not_shrink_with_more_devices() -> None:
    few, many = (a_comparison(CANDIDATE * times).shares for times in (1, 50))
    assert many.liars > few.liars
    blind = a_comparison(CANDIDATE * 50, design=a_design(beta=0.0))
    wide = a_comparison(CANDIDATE * 50)
    assert blind.low - wide.low == pytest.approx(0.11 * 0.0244, rel=0.01)
