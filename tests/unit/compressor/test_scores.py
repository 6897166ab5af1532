"""Scores of a whole run: which output and metric are read, and how sure one may be of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.compressor.evaluate import interval
from shoal.compressor.evaluate.metrics import readings, statistics
from shoal.compressor.evaluate.metrics.measures import Against, Named
from shoal.compressor.evaluate.metrics.names import Metric
from shoal.compressor.evaluate.standard import Standard
from shoal.compressor.search.floor import Floor
from shoal.compressor.search.values import Scores
from shoal.compressor.sources.signature import Signature, Tensor, answering, classifies
from shoal.contract.problem import InvalidError

SOURCE = np.array([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0], [1.0, 0.0, 5.0], [4.0, 0.0, 0.0]])


def test_a_single_score_has_two_sides() -> None:
    assert readings.classes(np.array([[0.4], [0.5], [0.9]])).tolist() == [0, 1, 1]
    assert readings.classes(np.array([0.4, 0.5])).tolist() == [0, 1]


def test_labels_are_their_own_classes() -> None:
    assert readings.classes(np.array([3, 1], np.int64)).tolist() == [3, 1]


def test_likeness_is_finer_than_equal_classes() -> None:
    push = np.array([[1.0, 0, 0]])
    near, far = SOURCE + 0.1 * push, SOURCE + 0.5 * push
    assert readings.likeness(SOURCE, SOURCE) == 1
    assert 1 > readings.likeness(near, SOURCE) > readings.likeness(far, SOURCE) > 0


def test_likeness_reads_distributions_as_they_are() -> None:
    sure, torn = np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]])
    assert readings.likeness(torn, sure) == pytest.approx(0.5)


def mean(values: object) -> statistics.Ratio:
    return statistics.mean(np.asarray(values, np.float64))


def test_the_worked_example_of_the_paired_interval() -> None:
    candidate = np.ones(100)
    candidate[:2] = 0
    low, high = interval.paired_difference(mean(candidate), mean(np.ones(100)), 0)
    assert low == pytest.approx(-0.0578, abs=5e-4)
    assert high == pytest.approx(0.0186, abs=5e-4)


def test_equal_rows_still_leave_a_width() -> None:
    low, high = interval.paired_difference(mean(np.ones(50)), mean(np.ones(50)), 0)
    assert low < 0 < high


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=5, max_size=60))
def test_swapping_the_sides_mirrors_the_interval(pairs: list[tuple[bool, bool]]) -> None:
    ours, theirs = mean([a for a, _ in pairs]), mean([b for _, b in pairs])
    low, high = interval.paired_difference(ours, theirs, 0)
    mirrored = interval.paired_difference(theirs, ours, 0)
    assert (low, high) == pytest.approx((-mirrored[1], -mirrored[0]))
    assert -1 <= low <= high <= 1


def test_the_bootstrap_of_fine_scores_is_seeded_and_holds_the_mean() -> None:
    random = np.random.default_rng(0)
    ours, theirs = random.uniform(size=80), random.uniform(size=80)
    first = interval.paired_difference(mean(ours), mean(theirs), 7)
    assert first == interval.paired_difference(mean(ours), mean(theirs), 7)
    assert first[0] < (ours - theirs).mean() < first[1]


def test_the_bootstrap_covers_a_known_difference() -> None:
    """Of 100 samples whose true difference is 0, about 95 intervals hold it."""
    random = np.random.default_rng(3)
    held = 0
    for _ in range(100):
        base = random.normal(size=120)
        ours, theirs = base + random.normal(size=120), base + random.normal(size=120)
        low, high = interval.paired_difference(mean(ours), mean(theirs), 0)
        held += low <= 0 <= high
    assert 88 <= held <= 99


def test_resamples_draw_every_row_equally_and_large_sets_less_often() -> None:
    counts = np.concatenate(list(interval.draws(40, 1_000, 0)), axis=1)
    assert counts.shape == (40, 1_000)
    assert (counts.sum(axis=0) == 40).all()
    assert counts.mean(axis=1) == pytest.approx(np.ones(40), abs=0.15)
    assert sum(chunk.shape[1] for chunk in interval.draws(100_000, 1_000, 0)) == 200


def standard(metric: Metric, source: object, labels: object) -> Standard:
    measure = Named(metric=metric, against=Against.LABELS)
    return Standard(measure, np.asarray(source), np.asarray(labels), 0)


def test_an_error_counts_as_a_negative_merit_and_is_shown_as_it_is() -> None:
    """Source mse 0.0, candidate 0.25: merit -0.25, and a floor of 0.2 refuses it."""
    judge = standard(Metric.MSE, [[1.0], [2.0], [3.0]], [1.0, 2.0, 3.0])
    judged = judge.judge(np.array([[1.5], [2.5], [2.5]]))
    assert judged.merit == pytest.approx(-0.25)
    assert judged.interval[0] <= judged.merit <= judged.interval[1] <= 0
    floor = Floor(min_score=-0.2, proven=False, smaller_is_better=True)
    assert floor.shown(judged.merit) == pytest.approx(0.25)
    assert floor.shown_interval((-0.4, -0.1)) == (0.1, 0.4)
    refusal = floor.refusal(scored(judged.merit, judged.interval))
    assert refusal == "score 0.2500 misses the floor 0.2000 by 0.0500"


def scored(merit: float, ends: tuple[float, float]) -> Scores:
    return Scores(
        score=merit,
        interval=ends,
        agreement=1,
        max_abs=0,
        largest=1,
        validation_score=merit,
        validation_interval=ends,
        validation_agreement=1,
    )


def test_the_source_itself_has_no_width() -> None:
    judged = standard(Metric.TOP1, SOURCE, [0, 1, 2, 1]).judge(SOURCE.copy())
    assert (judged.merit, judged.interval) == (0.75, (0.75, 0.75))


def test_an_interval_stays_within_what_the_metric_can_be() -> None:
    judged = standard(Metric.TOP1, SOURCE, [0, 1, 2, 0]).judge(SOURCE + 0.01)
    assert judged.merit == 1
    assert judged.interval[1] == 1
    assert judged.interval[0] < 1


def output(name: str, dtype: str, *shape: int | None) -> Tensor:
    return Tensor(name=name, dtype=dtype, shape=shape)


def test_a_vector_of_labels_answers_before_scores() -> None:
    scores, labels = output("scores", "float32", None, 3), output("label", "int64", None)
    assert answering(Signature(inputs=(), outputs=(scores, labels)), None) is labels
    assert answering(Signature(inputs=(), outputs=(scores, labels)), "scores") is scores
    assert answering(Signature(inputs=(), outputs=(scores,)), None) is scores


def test_an_output_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(InvalidError) as caught:
        answering(Signature(inputs=(), outputs=(output("scores", "float32", 1),)), "score")
    assert caught.value.problem.hint == "did you mean 'scores'? its outputs are: scores"


@pytest.mark.parametrize(
    ("tensor", "expected"),
    [
        (output("o", "int64", None), True),
        (output("o", "float32", None, 10), True),
        (output("o", "float32", None, 1), True),
        (output("o", "float32", None, 384), False),
        (output("o", "float32", None, 16, 10), False),
    ],
)
def test_what_looks_like_a_classifier(tensor: Tensor, *, expected: bool) -> None:
    assert classifies(tensor) is expected
