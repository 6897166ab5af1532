"""The front keeps whatever any budget may ask for, and the source."""

from dataclasses import replace

from shoal.compressor.artifacts import Format
from shoal.compressor.passes.graph import Clean
from shoal.compressor.recipe import Recipe
from shoal.compressor.search.floor import Floor
from shoal.compressor.search.front import front, point, untimed_point
from shoal.compressor.search.values import Candidate, Costs, Scored, Scores
from shoal.contract import choice, digest
from shoal.contract.budget import Budget
from shoal.contract.choice import Objective

SCORES = Scores(
    score=0.98,
    interval=(0.96, 1.0),
    agreement=0.99,
    max_abs=0.5,
    largest=10.0,
    validation_score=0.98,
    validation_interval=(0.96, 1.0),
    validation_agreement=0.99,
)
FLOOR = Floor(min_score=0.9, proven=False)
COSTS = Costs(p50_ms=0.9, p95_ms=1.0, latency_ratio=1.0, peak_memory_bytes=10 << 20)


def a_candidate(
    name: str,
    size: int,
    *,
    p95_ms: float = 1.0,
    agreement: float = 0.99,
    is_source: bool = False,
) -> Candidate:
    return Candidate(
        recipe=Recipe((Clean(),)),
        digest=digest.of_bytes(name.encode()),
        format=Format.ONNX,
        bytes=size,
        notes=(),
        scores=replace(SCORES, validation_agreement=agreement),
        costs=replace(COSTS, p95_ms=p95_ms, latency_ratio=p95_ms),
        is_source=is_source,
    )


def test_a_larger_one_that_is_better_in_nothing_goes() -> None:
    small, large = a_candidate("small", 10), a_candidate("large", 20)
    assert front([small, large]) == (small,)


def test_the_source_stays_even_when_beaten() -> None:
    small, source = a_candidate("small", 10), a_candidate("source", 20, is_source=True)
    assert front([small, source]) == (source, small)


def test_latencies_within_noise_do_not_keep_a_larger_one() -> None:
    small, large = a_candidate("small", 10, p95_ms=1.0), a_candidate("large", 20, p95_ms=0.99)
    assert front([small, large]) == (small,)
    faster = a_candidate("large", 20, p95_ms=0.5)
    assert front([small, faster]) == (faster, small)


def test_what_answers_more_like_the_source_stays() -> None:
    small, alike = a_candidate("small", 10), a_candidate("alike", 20, agreement=0.9999)
    assert front([small, alike]) == (alike, small)


def test_equal_models_are_one_point() -> None:
    assert len(front([a_candidate("one", 10), a_candidate("one", 10)])) == 1


def test_a_budget_picks_from_the_front_what_it_would_pick_from_all() -> None:
    everything = [
        a_candidate("source", 100, agreement=1.0, is_source=True),
        a_candidate("int8", 30, agreement=0.999),
        a_candidate("pruned", 35, agreement=0.98, p95_ms=0.5),
        a_candidate("both", 8, agreement=0.97),
        a_candidate("worse", 40, agreement=0.97),
    ]
    kept = front(everything)
    assert len(kept) == 4
    for limit in (8, 30, 35, 50, 200):
        for objective in Objective:
            budget = Budget(artifact_bytes=limit)
            of_all, of_front = (
                choice.ranked([point(c, FLOOR) for c in group], budget, 0.9, objective)[0]
                for group in (everything, kept)
            )
            assert of_all == of_front


def test_the_floor_counts_the_point_estimate_or_the_whole_interval() -> None:
    measured = Floor(min_score=0.97, proven=False)
    assert measured.refusal(SCORES) is None
    assert not measured.is_proven(SCORES)
    assert "interval" in str(replace(measured, proven=True).refusal(SCORES))
    assert "by 0.0100" in str(Floor(min_score=0.99, proven=False).refusal(SCORES))
    assert Floor(min_score=0.96, proven=True).refusal(SCORES) is None


def test_what_was_never_timed_meets_no_latency_or_memory_limit() -> None:
    untimed = untimed_point(Scored(digest=digest.of_bytes(b"x"), bytes=5, scores=SCORES), FLOOR)
    for budget in (Budget(latency_p95_ms=1e9), Budget(memory_bytes=1 << 40)):
        assert not choice.ranked([untimed], budget, 0.0, Objective.BYTES)


def test_a_floor_to_be_proven_judges_by_the_lower_end_the_source_included() -> None:
    proven = Floor(min_score=0.97, proven=True)
    source = a_candidate("source", 10, is_source=True)
    assert choice.ranked([point(source, proven)], Budget(), 0.97, Objective.BYTES) == ()
    (miss,) = choice.nearest([point(source, proven)], Budget(), 0.97)
    assert (miss.constraint, miss.nearest) == ("min_score", 0.96)


def test_a_floor_that_is_a_hair_above_the_score_by_rounding_is_met() -> None:
    scores = replace(SCORES, score=0.7)
    floor = Floor(min_score=0.8 - 0.1, proven=False)
    assert floor.min_score > scores.score
    assert floor.refusal(scores) is None
    one = point(replace(a_candidate("one", 10), scores=scores), floor)
    assert choice.ranked([one], Budget(), floor.min_score, Objective.BYTES) == (one,)


def test_where_every_point_misses_two_limits_the_nearest_are_still_told() -> None:
    budget = Budget(artifact_bytes=50, latency_p95_ms=1.0)
    weak_and_large = a_candidate("a", 60)
    large_and_slow = a_candidate("b", 70, p95_ms=2.0)
    weak_and_slow = a_candidate("c", 40, p95_ms=3.0)
    weak = replace(SCORES, score=0.5)
    points = [
        point(replace(weak_and_large, scores=weak), FLOOR),
        point(large_and_slow, FLOOR),
        point(replace(weak_and_slow, scores=weak), FLOOR),
    ]
    nearest = {
        miss.constraint: miss.digest for miss in choice.nearest(points, budget, FLOOR.min_score)
    }
    assert nearest["artifact_bytes"] == weak_and_large.digest
    assert nearest["latency_ms_p95"] == large_and_slow.digest
    assert set(nearest) == {"min_score", "artifact_bytes", "latency_ms_p95"}
