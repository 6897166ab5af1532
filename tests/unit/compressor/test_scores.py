"""Metrics and intervals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.compressor.evaluate import interval, metrics
from shoal.compressor.evaluate.metrics import Metric
from shoal.compressor.sources.signature import Signature, Tensor, answering, classifies
from shoal.contract.problem import InvalidError

SOURCE = np.array([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0], [1.0, 0.0, 5.0], [4.0, 0.0, 0.0]])


def test_top1_reads_the_argmax() -> None:
    scores = metrics.row_scores(Metric.TOP1, SOURCE, SOURCE, np.array([0, 1, 2, 1]))
    assert scores.tolist() == [1, 1, 1, 0]


def test_agreement_needs_no_labels() -> None:
    other = SOURCE[:, ::-1]
    assert metrics.row_scores(Metric.AGREEMENT, other, SOURCE, None).tolist() == [0, 1, 0, 0]


def test_a_single_score_has_two_sides() -> None:
    assert metrics.classes(np.array([[0.4], [0.5], [0.9]])).tolist() == [0, 1, 1]
    assert metrics.classes(np.array([0.4, 0.5])).tolist() == [0, 1]


def test_labels_are_their_own_classes() -> None:
    assert metrics.classes(np.array([3, 1], np.int64)).tolist() == [3, 1]


def test_every_position_of_a_sequence_counts() -> None:
    answers = np.stack([SOURCE, SOURCE])
    labels = np.array([[0, 1, 2, 0], [0, 1, 0, 1]])
    assert metrics.row_scores(Metric.TOP1, answers, answers, labels).tolist() == [1.0, 0.5]


def test_cosine_of_equal_rows_is_one_and_of_opposite_ones_minus_one() -> None:
    scores = metrics.row_scores(Metric.COSINE, -SOURCE, SOURCE, None)
    assert scores == pytest.approx([-1] * 4)
    zeros = np.zeros_like(SOURCE)
    assert metrics.row_scores(Metric.COSINE, zeros, zeros, None).tolist() == [1] * 4
    assert metrics.row_scores(Metric.COSINE, zeros, SOURCE, None).tolist() == [0] * 4


def test_likeness_is_finer_than_equal_classes() -> None:
    push = np.array([[1.0, 0, 0]])
    near, far = SOURCE + 0.1 * push, SOURCE + 0.5 * push
    assert metrics.likeness(SOURCE, SOURCE) == 1
    assert 1 > metrics.likeness(near, SOURCE) > metrics.likeness(far, SOURCE) > 0


def test_likeness_reads_distributions_as_they_are() -> None:
    sure, torn = np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]])
    assert metrics.likeness(torn, sure) == pytest.approx(0.5)


def test_the_worked_example_of_the_paired_interval() -> None:
    source = np.ones(100)
    candidate = np.ones(100)
    candidate[:2] = 0
    low, high = interval.paired_difference(candidate, source, 0)
    assert low == pytest.approx(-0.0578, abs=5e-4)
    assert high == pytest.approx(0.0186, abs=5e-4)


def test_equal_rows_still_leave_a_width() -> None:
    low, high = interval.paired_difference(np.ones(50), np.ones(50), 0)
    assert low < 0 < high


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=5, max_size=60))
def test_swapping_the_sides_mirrors_the_interval(pairs: list[tuple[bool, bool]]) -> None:
    ours = np.array([float(a) for a, _ in pairs])
    theirs = np.array([float(b) for _, b in pairs])
    low, high = interval.paired_difference(ours, theirs, 0)
    mirrored = interval.paired_difference(theirs, ours, 0)
    assert (low, high) == pytest.approx((-mirrored[1], -mirrored[0]))
    assert -1 <= low <= high <= 1


def test_the_bootstrap_of_fine_scores_is_seeded_and_holds_the_mean() -> None:
    random = np.random.default_rng(0)
    ours, theirs = random.uniform(size=80), random.uniform(size=80)
    first = interval.paired_difference(ours, theirs, 7)
    assert first == interval.paired_difference(ours, theirs, 7)
    assert first[0] < (ours - theirs).mean() < first[1]


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
    assert "scores" in str(caught.value.problem.hint)


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
