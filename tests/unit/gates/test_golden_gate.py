"""The count e-process of gates.md section 3, with its regression pins of section 11."""

import itertools
import math

import pytest

from shoal.controller.gates import golden
from shoal.controller.gates.golden import Tally


def a_tally(worse: int = 0, better: int = 0, same: int = 0) -> Tally:
    return Tally(worse=worse, better=better, same=same, active_right=same + worse)


@pytest.mark.parametrize(("inputs", "delta"), [(298, 0.02), (600, 0.01)])
def test_zero_discordance_passes_exactly_from_the_pinned_size_on(inputs: int, delta: float) -> None:
    assert golden.passes(a_tally(same=inputs), delta, 0.05)
    assert not golden.passes(a_tally(same=inputs - 1), delta, 0.05)


def expectation(log_e: object, inputs: int, delta: float, drop: tuple[float, float]) -> float:
    """E[E] over all outcomes of `inputs` independent inputs with these chances of +1 and -1."""
    worse, better = drop
    total = 0.0
    for b, c in itertools.product(range(inputs + 1), repeat=2):
        if b + c > inputs:
            continue
        n0 = inputs - b - c
        ways = math.factorial(inputs) // (
            math.factorial(b) * math.factorial(c) * math.factorial(n0)
        )
        chance = ways * worse**b * better**c * (1 - worse - better) ** n0
        assert callable(log_e)
        total += chance * math.exp(log_e(a_tally(b, c, n0), delta))
    return total


@pytest.mark.parametrize("delta", [0.0, 0.02, 0.1])
@pytest.mark.parametrize("inputs", [1, 5, 12])
def test_the_expectation_is_at_most_one_at_the_null(inputs: int, delta: float) -> None:
    for discordance in (0.1, 0.3, 0.8):
        worse = (discordance + delta) / 2  # E y is exactly delta, the edge of both nulls
        chances = (worse, discordance - worse)
        for log_e in (golden.log_e_fail, golden.log_e_pass):
            assert expectation(log_e, inputs, delta, chances) <= 1 + 1e-9
    harmless = (0.0, 0.2)  # well inside "the drop is at most delta"
    assert expectation(golden.log_e_fail, inputs, delta, harmless) <= 1 + 1e-9


def test_no_data_is_no_evidence() -> None:
    assert golden.log_e_fail(a_tally(), 0.02) == pytest.approx(0.0)
    assert golden.log_e_pass(a_tally(), 0.02) == pytest.approx(0.0)
    assert not golden.passes(a_tally(), 0.9, 0.05)
    assert a_tally().drop == 0.0
    low, high = golden.interval(a_tally(), 0.05, 0.05)
    assert (low, high) == pytest.approx((-1.0, 1.0), abs=1e-6)


def test_fewer_than_fifty_inputs_never_give_a_verdict() -> None:
    assert not golden.fails(a_tally(worse=49), 0.02, 0.05)
    assert golden.fails(a_tally(worse=50), 0.02, 0.05)
    assert not golden.passes(a_tally(better=49), 0.02, 0.05)
    assert golden.passes(a_tally(better=50), 0.02, 0.05)


def test_swapping_the_sides_mirrors_the_interval() -> None:
    low, high = golden.interval(a_tally(30, 10, 400), 0.05, 0.05)
    mirrored = golden.interval(a_tally(10, 30, 400), 0.05, 0.05)
    assert mirrored == pytest.approx((-high, -low), abs=1e-9)


def test_the_interval_holds_the_observed_drop_and_agrees_with_the_verdicts() -> None:
    for worse, better, same in itertools.product((0, 3, 40), (0, 5, 20), (60, 400)):
        counted = a_tally(worse, better, same)
        low, high = golden.interval(counted, 0.05, 0.05)
        assert low <= counted.drop <= high
        for delta in (0.01, 0.05, 0.2):
            assert golden.fails(counted, delta, 0.05) == (delta < low)
            assert golden.passes(counted, delta, 0.05) == (delta > high)


def test_a_smaller_alpha_never_decides_more() -> None:
    counted = a_tally(60, 10, 300)
    assert golden.fails(counted, 0.05, 0.05)
    assert not golden.fails(counted, 0.05, 1e-9)
    wide = golden.interval(counted, 0.001, 0.001)
    narrow = golden.interval(counted, 0.05, 0.05)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_a_larger_margin_never_turns_a_pass_into_a_fail() -> None:
    counted = a_tally(5, 5, 800)
    passed = [golden.passes(counted, delta, 0.05) for delta in (0.005, 0.02, 0.05, 0.2)]
    assert passed == sorted(passed)
    failed = [golden.fails(a_tally(80, 5, 300), delta, 0.05) for delta in (0.0, 0.05, 0.1, 0.3)]
    assert failed == sorted(failed, reverse=True)


def test_one_more_wrong_answer_is_never_evidence_for_the_candidate() -> None:
    before, after = a_tally(10, 4, 200), a_tally(11, 4, 199)
    assert golden.log_e_fail(after, 0.02) > golden.log_e_fail(before, 0.02)
    assert golden.log_e_pass(after, 0.02) < golden.log_e_pass(before, 0.02)
