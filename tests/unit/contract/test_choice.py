"""Which variant a budget picks from an archive."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.contract import choice
from shoal.contract.budget import Budget
from shoal.contract.choice import Objective, Point
from shoal.contract.digest import Digest

FREE = Budget()


def a_point(name: str, **changes: Any) -> Point:
    point = Point(
        digest=Digest(name),
        bytes=1000,
        score=0.9,
        validation_score=0.9,
        validation_interval=(0.88, 0.92),
        agreement=0.9,
        latency_p95_ms=1.0,
        latency_ratio=0.9,
        peak_memory_bytes=1000,
    )
    return dataclasses.replace(point, **changes)


def names(points: tuple[Point, ...]) -> list[str]:
    return [str(one.digest) for one in points]


POINTS = st.lists(
    st.builds(
        Point,
        digest=st.uuids().map(lambda one: Digest(str(one))),
        bytes=st.integers(1, 5000),
        score=st.floats(0, 1),
        validation_score=st.floats(0, 1),
        validation_interval=st.tuples(st.floats(0, 1), st.floats(0, 1)).map(
            lambda ends: (min(ends), max(ends))
        ),
        agreement=st.floats(0, 1),
        latency_p95_ms=st.floats(0.01, 10),
        latency_ratio=st.floats(0.1, 2),
        peak_memory_bytes=st.integers(1, 5000),
        is_source=st.booleans(),
    ),
    max_size=6,
    unique_by=lambda one: one.digest,
)
BUDGETS = st.builds(
    Budget,
    artifact_bytes=st.none() | st.integers(1, 5000),
    memory_bytes=st.none() | st.integers(1, 5000),
    latency_p95_ms=st.none() | st.floats(0.01, 10),
)


@given(POINTS, BUDGETS, st.floats(0, 1), st.sampled_from(Objective))
def test_only_what_fits_is_ever_chosen(
    points: list[Point], budget: Budget, floor: float, objective: Objective
) -> None:
    for one in choice.ranked(points, budget, floor, objective):
        assert one.score >= floor - choice.ROUNDING
        assert budget.artifact_bytes is None or one.bytes <= budget.artifact_bytes
        assert budget.memory_bytes is None or one.peak_memory_bytes <= budget.memory_bytes
        assert budget.latency_p95_ms is None or one.latency_p95_ms <= budget.latency_p95_ms


@given(POINTS, BUDGETS, st.floats(0, 1), st.sampled_from(Objective), st.randoms())
def test_the_order_of_the_archive_does_not_matter(
    points: list[Point], budget: Budget, floor: float, objective: Objective, random: Any
) -> None:
    shuffled = list(points)
    random.shuffle(shuffled)
    # Of points equal in score and agreement either may lead; everything else is settled.
    if len({(one.validation_score, one.agreement) for one in points}) == len(points):
        first = choice.ranked(points, budget, floor, objective)
        assert choice.ranked(shuffled, budget, floor, objective) == first


@given(POINTS, BUDGETS, st.floats(0, 1))
def test_what_misses_is_named_with_the_least_miss(
    points: list[Point], budget: Budget, floor: float
) -> None:
    for miss in choice.nearest(points, budget, floor):
        assert miss.missed_by > 0
        assert miss.digest in {one.digest for one in points}


@pytest.mark.parametrize(
    ("objective", "best"),
    [
        (Objective.LATENCY, "fast"),
        (Objective.BYTES, "small"),
        (Objective.MEMORY, "lean"),
        (Objective.ACCURACY, "exact"),
    ],
)
def test_each_objective_has_its_own_best(objective: Objective, best: str) -> None:
    points = [
        a_point("fast", latency_p95_ms=0.1),
        a_point("small", bytes=1),
        a_point("lean", peak_memory_bytes=1),
        a_point("exact", validation_score=0.99, validation_interval=(0.98, 1.0)),
    ]
    assert names(choice.ranked(points, FREE, 0.5, objective))[0] == best


def test_scores_whose_intervals_overlap_are_equal_and_agreement_decides() -> None:
    points = [
        a_point("higher", validation_score=0.91, agreement=0.8),
        a_point("truer", validation_score=0.90, agreement=0.99),
        a_point("worse", validation_score=0.5, validation_interval=(0.4, 0.6), agreement=1.0),
    ]
    assert names(choice.ranked(points, FREE, 0.0, Objective.ACCURACY)) == [
        "truer",
        "higher",
        "worse",
    ]


def test_latencies_within_noise_are_ordered_by_bytes_and_then_digest() -> None:
    points = [
        a_point("b", latency_p95_ms=1.00),
        a_point("a", latency_p95_ms=1.01),
        a_point("small", latency_p95_ms=1.02, bytes=10),
    ]
    assert names(choice.ranked(points, FREE, 0.0, Objective.LATENCY)) == ["small", "a", "b"]


def test_the_steps_of_the_worked_example() -> None:
    assert choice.latency_steps([1.06, 1.00, 1.04]) == {1.00: 0, 1.04: 0, 1.06: 1}
    assert choice.latency_steps([0.0, 1.0]) == {0.0: 0, 1.0: 1}
    assert choice.latency_steps([]) == {}


@given(st.lists(st.floats(0.01, 10)), st.integers(-3, 3))
def test_steps_depend_on_ratios_alone(latencies: list[float], power: int) -> None:
    steps = choice.latency_steps(latencies)
    lowest = min(latencies, default=0.0)
    assert all((steps[one] == 0) == (one <= lowest * 1.05) for one in latencies)
    unit = 2.0**power  # exact in binary, so that no latency crosses a border by rounding
    scaled = choice.latency_steps(one * unit for one in latencies)
    assert scaled == {one * unit: step for one, step in steps.items()}


@pytest.mark.parametrize("objective", [Objective.LATENCY, Objective.ACCURACY])
def test_nothing_slower_than_a_source_that_fits_is_taken(objective: Objective) -> None:
    source = a_point("source", is_source=True, latency_ratio=1.0)
    slow = a_point("slow", latency_ratio=1.04, latency_p95_ms=0.1, agreement=1.0)
    assert names(choice.ranked([source, slow], FREE, 0.0, objective)) == ["source"]
    # Where the source is too large, a slower variant is better than none.
    small = Budget(artifact_bytes=500)
    assert names(
        choice.ranked([source, dataclasses.replace(slow, bytes=1)], small, 0.0, objective)
    ) == ["slow"]


def test_a_slower_variant_may_win_on_bytes() -> None:
    source = a_point("source", is_source=True)
    slow = a_point("slow", latency_ratio=1.5, bytes=1)
    assert names(choice.ranked([source, slow], FREE, 0.0, Objective.BYTES))[0] == "slow"


def test_the_nearest_miss_is_told_for_each_limit_that_rules_all_out() -> None:
    points = [a_point("big", bytes=900, score=0.95), a_point("weak", bytes=600, score=0.7)]
    misses = {
        one.constraint: one for one in choice.nearest(points, Budget(artifact_bytes=500), 0.9)
    }
    assert set(misses) == {"artifact_bytes"}
    assert misses["artifact_bytes"].digest == "big"
    assert (misses["artifact_bytes"].limit, misses["artifact_bytes"].missed_by) == (500, 400)
    assert misses["artifact_bytes"].nearest == 900


def test_a_missed_floor_is_told_as_a_lower_limit() -> None:
    (miss,) = choice.nearest([a_point("weak", score=0.75)], FREE, 0.9)
    assert (miss.constraint, miss.limit, miss.nearest) == ("min_score", 0.9, 0.75)
    assert miss.missed_by == pytest.approx(0.15)


def test_where_something_fits_nothing_is_missed() -> None:
    assert choice.nearest([a_point("fits")], FREE, 0.5) == ()
    assert choice.nearest([], FREE, 0.5) == ()
