"""What one device's counts become, and what is no count."""

import math

import pytest

from shoal.controller.gates import effects
from shoal.controller.gates.effects import LEAST_SAMPLES, Counts, Effect


def test_worse_answers_are_positive() -> None:
    assert effects.paired(3, 1, 20) == pytest.approx(0.1)
    before, after = Counts(events=10, n=100), Counts(events=30, n=200)
    assert effects.rate_change(before, after) == pytest.approx(0.05)
    assert effects.log_change(100.0, 110.0) == pytest.approx(math.log(1.1))


@pytest.mark.parametrize("counts", [(-1, 0, 10), (0, -1, 10), (6, 5, 10), (0, 0, 0), (0, 0, -1)])
def test_impossible_pairs_are_refused(counts: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="no counts of pairs"):
        effects.paired(*counts)


@pytest.mark.parametrize(("events", "n"), [(-1, 10), (11, 10), (0, -1)])
def test_impossible_events_are_refused(events: int, n: int) -> None:
    with pytest.raises(ValueError, match="no count of events"):
        Counts(events=events, n=n)


def test_a_change_needs_both_windows() -> None:
    some, nothing = Counts(events=1, n=10), Counts(events=0, n=0)
    for before, after in ((some, nothing), (nothing, some)):
        with pytest.raises(ValueError, match="before and after"):
            effects.rate_change(before, after)
    assert nothing.rate == nothing.noise == 0.0


@pytest.mark.parametrize(
    ("before", "after"), [(0.0, 1.0), (1.0, -1.0), (math.nan, 1.0), (1, math.inf)]
)
def test_ratios_need_positive_numbers(before: float, after: float) -> None:
    with pytest.raises(ValueError, match="positive numbers"):
        effects.log_change(before, after)


def test_the_noise_of_a_rate_is_never_nothing() -> None:
    assert Counts(events=0, n=100).noise == pytest.approx(1e-4)
    assert Counts(events=50, n=100).noise == pytest.approx(26 / 10_000)


def test_rarer_things_need_more_samples() -> None:
    assert set(LEAST_SAMPLES) == set(Effect)
    order = (Effect.LATENCY_P50, Effect.PAIRED, Effect.ACCURACY, Effect.LATENCY_P99)
    assert [LEAST_SAMPLES[one] for one in order] == [10, 20, 30, 300]
    assert LEAST_SAMPLES[Effect.LATENCY_P95] == LEAST_SAMPLES[Effect.ERROR_RATE] == 60
