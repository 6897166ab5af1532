"""Every metric against an oracle: scikit-learn's own, scipy's, or arithmetic on paper."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats  # type: ignore[import-untyped] # ships no stubs
from sklearn import metrics as sklearn_metrics

from shoal.compressor.evaluate import interval
from shoal.compressor.evaluate.metrics.measures import Against, Named
from shoal.compressor.evaluate.metrics.names import CLEAN_DB, Metric
from shoal.compressor.evaluate.metrics.statistics import Statistic

Array = npt.NDArray[Any]
RANDOM = np.random.default_rng(11)
ROWS = 200
CLASSES = RANDOM.integers(0, 7, ROWS)
LOGITS = RANDOM.normal(size=(ROWS, 7)) + 1.5 * np.eye(7)[CLASSES]
SHARES = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
SINGLE = RANDOM.uniform(size=ROWS).round(2)  # rounded, so that there are ties
SIDES = (SINGLE + RANDOM.normal(0, 0.4, ROWS) > 0.5).astype(np.int64)
VALUES = RANDOM.normal(size=(ROWS, 3))
TARGETS = VALUES + RANDOM.normal(0, 0.3, (ROWS, 3))


def statistic(metric: Metric, answers: Array, other: Array, *, source: bool = False) -> Statistic:
    against = Against.SOURCE if source or not metric.needs_labels else Against.LABELS
    measure = Named(metric=metric, against=against)
    given = measure.reference(other if against is Against.SOURCE else answers, other)
    return measure.statistic(answers, given)


def macro_auroc(labels: Array, scores: Array) -> float:
    return float(sklearn_metrics.roc_auc_score(labels, scores, multi_class="ovr"))


ORACLES: dict[str, tuple[Metric, Array, Array, Callable[[Array, Array], float]]] = {
    "top1": (
        *(Metric.TOP1, LOGITS, CLASSES),
        lambda y, a: float(sklearn_metrics.accuracy_score(y, a.argmax(axis=1))),
    ),
    "top5": (
        *(Metric.TOP5, LOGITS, CLASSES),
        lambda y, a: float(sklearn_metrics.top_k_accuracy_score(y, a, k=5, labels=range(7))),
    ),
    "f1 of classes": (
        *(Metric.F1_MACRO, LOGITS, CLASSES),
        lambda y, a: float(sklearn_metrics.f1_score(y, a.argmax(axis=1), average="macro")),
    ),
    "f1 of sides": (
        *(Metric.F1_MACRO, SINGLE, SIDES),
        lambda y, a: float(sklearn_metrics.f1_score(y, a >= 0.5, average="macro")),
    ),
    "auroc of one score": (
        *(Metric.AUROC, SINGLE[:, None], SIDES),
        lambda y, a: float(sklearn_metrics.roc_auc_score(y, a[:, 0])),
    ),
    "auroc of shares": (Metric.AUROC, SHARES, CLASSES, macro_auroc),
    "auroc of several labels a row": (
        *(Metric.AUROC, SHARES, (SHARES + RANDOM.uniform(size=SHARES.shape) > 0.6).astype(int)),
        lambda y, a: float(sklearn_metrics.roc_auc_score(y, a)),
    ),
    "mse": (
        *(Metric.MSE, VALUES, TARGETS),
        lambda y, a: float(sklearn_metrics.mean_squared_error(y, a)),
    ),
    "mae": (
        *(Metric.MAE, VALUES[:, :1], TARGETS[:, 0]),
        lambda y, a: float(sklearn_metrics.mean_absolute_error(y, a[:, 0])),
    ),
    "spearman of single scores": (
        *(Metric.SPEARMAN, SINGLE[:, None], TARGETS[:, 0].round(1)),
        lambda y, a: float(stats.spearmanr(y, a[:, 0]).statistic),
    ),
}


@pytest.mark.parametrize("name", ORACLES)
def test_a_metric_is_what_its_oracle_says(name: str) -> None:
    metric, answers, labels, oracle = ORACLES[name]
    assert statistic(metric, answers, labels).value == pytest.approx(oracle(labels, answers))


@pytest.mark.parametrize("name", ORACLES)
def test_a_resample_is_the_metric_of_the_drawn_rows(name: str) -> None:
    metric, answers, labels, oracle = ORACLES[name]
    (counts,) = interval.draws(ROWS, 4, 5)
    found = statistic(metric, answers, labels).resampled(counts)
    for value, count in zip(found, counts.T, strict=True):
        drawn = np.repeat(np.arange(ROWS), count.astype(int))
        assert value == pytest.approx(oracle(labels[drawn], answers[drawn]))


def test_auroc_of_logits_is_that_of_their_shares() -> None:
    found = statistic(Metric.AUROC, LOGITS, CLASSES).value
    assert found == pytest.approx(statistic(Metric.AUROC, SHARES, CLASSES).value)
    two = statistic(Metric.AUROC, LOGITS[:, :2], SIDES).value
    assert two == pytest.approx(sklearn_metrics.roc_auc_score(SIDES, LOGITS[:, 1] - LOGITS[:, 0]))


def test_many_classes_are_counted_as_few_are() -> None:
    """Beyond a table's size classes are counted one resample at a time: the same numbers."""
    answers = RANDOM.normal(size=(3_000, 900))
    labels = RANDOM.integers(0, 900, 3_000)
    (counts,) = interval.draws(3_000, 2, 1)
    found = statistic(Metric.F1_MACRO, answers, labels).resampled(counts)
    drawn = np.repeat(np.arange(3_000), counts[:, 1].astype(int))
    wanted = sklearn_metrics.f1_score(
        labels[drawn], answers[drawn].argmax(axis=1), average="macro", zero_division=0
    )
    assert found[1] == pytest.approx(wanted)


def test_pairs_are_ranked_by_the_cosine_of_their_two_answers() -> None:
    a, b = RANDOM.normal(size=(2, 50, 8))
    scores = RANDOM.uniform(size=50)
    cosine = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    answers = np.stack([a, b], axis=1).reshape(100, 8)
    found = statistic(Metric.SPEARMAN, answers, scores)
    assert found.rows == 50
    assert found.value == pytest.approx(stats.spearmanr(cosine, scores).statistic)


def test_padding_in_sequences_does_not_count() -> None:
    """Two sequences, 3 of 4 and 1 of 2 positions right: 4 / 6."""
    answers = np.eye(3)[np.array([[0, 1, 2, 0], [1, 1, 0, 0]])]
    labels = np.array([[0, 1, 2, 1], [1, 0, -100, -100]])
    assert statistic(Metric.TOP1, answers, labels).value == pytest.approx(4 / 6)
    kept = labels >= 0
    wanted = sklearn_metrics.f1_score(labels[kept], answers.argmax(axis=-1)[kept], average="macro")
    assert statistic(Metric.F1_MACRO, answers, labels).value == pytest.approx(wanted)


def test_a_model_that_answers_labels_is_read_as_it_is() -> None:
    answers = np.array([7, 3, 3, 9], np.int64)
    assert statistic(Metric.TOP1, answers, np.array([7, 3, 1, 9])).value == 0.75


def test_without_labels_answers_are_held_against_the_source() -> None:
    answers, source = np.array([[3.0, 4.0], [0.0, 2.0]]), np.array([[3.0, 4.0], [0.0, 1.0]])
    found = {m: statistic(m, answers, source).value for m in Metric if not m.needs_labels}
    assert found == {
        Metric.AGREEMENT: 1.0,
        Metric.COSINE: 1.0,
        Metric.SQNR: pytest.approx(10 * np.log10((9 + 16 + 1) / 1)),
        Metric.MAX_ABS: 1.0,
    }
    assert statistic(Metric.MSE, answers, source, source=True).value == 0.25


def test_agreement_of_single_scores_is_the_same_side_of_a_half() -> None:
    found = statistic(Metric.AGREEMENT, np.array([0.1, 0.6, 0.5]), np.array([0.4, 0.4, 0.9]))
    assert found.value == pytest.approx(2 / 3)


def test_cosine_of_zeros() -> None:
    zeros, ones = np.zeros((4, 3)), np.ones((4, 3))
    assert statistic(Metric.COSINE, zeros, zeros).value == 1
    assert statistic(Metric.COSINE, zeros, ones).value == 0
    assert statistic(Metric.COSINE, -ones, ones).value == pytest.approx(-1)


def test_sqnr_is_bounded_where_nothing_differs_and_where_nothing_is_left() -> None:
    ones = np.ones((5, 2))
    assert statistic(Metric.SQNR, ones, ones).value == CLEAN_DB
    assert statistic(Metric.SQNR, ones * 0, ones * 0).value == CLEAN_DB
    assert statistic(Metric.SQNR, ones, ones * 0).value == -CLEAN_DB


def test_the_largest_of_a_resample_is_among_its_rows() -> None:
    found = statistic(Metric.MAX_ABS, np.array([1.0, 5.0, 2.0]), np.zeros(3))
    assert found.resampled(np.array([[1, 0], [0, 3], [2, 0.0]])).tolist() == [2, 5]
