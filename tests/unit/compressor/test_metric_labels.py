"""Labels that do not fit the answers: told with what was expected, what was got, what to do."""

import numpy as np
import pytest

from shoal.compressor.evaluate.metrics import choosing, own
from shoal.compressor.evaluate.metrics.labels import LabelsError
from shoal.compressor.evaluate.metrics.measures import Against, Named
from shoal.compressor.evaluate.metrics.names import Metric
from shoal.compressor.sources.rows import Array, Rows
from shoal.compressor.sources.signature import Tensor
from shoal.compressor.sources.splits import Data
from shoal.contract.problem import InvalidError

SCORES = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
SEQUENCES = np.zeros((6, 4, 3), np.float32)
SINGLE = SCORES[:, :1]
WIDE = np.zeros((6, 8), np.float32)


@pytest.mark.parametrize(
    ("metric", "answers", "labels", "message", "hint"),
    [
        (
            *(Metric.TOP1, SCORES, np.array([0, 1, 2, 3, 0, 1])),
            "labels 'y' hold 3 in row 3; the model answers with 3 classes, 0 to 2",
            "check how y was made",
        ),
        (
            *(Metric.TOP1, SCORES, np.array([1, 1, 2, 3, 3, 1])),
            "labels 'y' hold 3 in row 3; the model answers with 3 classes, 0 to 2",
            "they seem to count from 1: give y - 1",
        ),
        (
            *(Metric.TOP1, SCORES, np.array([0, -100, 2, 0, 0, 1])),
            "labels 'y' hold -100 in row 1; the model answers with 3 classes, 0 to 2",
            "check how y was made",
        ),
        (
            *(Metric.F1_MACRO, SINGLE, np.array([0, 1, 1, 0, 5, 0])),
            "labels 'y' hold 5 in row 4; the model answers with a single score, so 0 or 1",
            "check how y was made",
        ),
        (
            *(Metric.TOP1, SCORES, np.eye(3, dtype=np.int64)[[0, 1, 2, 0, 1, 2]]),
            "labels 'y' have shape [6, 3]; the answers take [6]",
            "one-hot labels: give y.argmax(axis=-1)",
        ),
        (
            *(Metric.TOP1, SCORES, np.zeros(6, np.float32)),
            "labels 'y' are float32; a metric of classes takes integers",
            "classes: y.astype(numpy.int64); measured values: --metric mse or mae",
        ),
        (
            *(Metric.TOP1, np.zeros((6, 3, 5, 5), np.float32), np.zeros((6, 5, 5), np.int64)),
            "labels 'y' have shape [6, 5, 5]; the answers take [6, 3, 5]",
            "scores of classes must be the model's last axis: transpose its output",
        ),
        (
            *(Metric.TOP1, SEQUENCES, np.full((6, 4), -100)),
            "labels 'y' are -100 (padding) everywhere",
            "label some positions",
        ),
        (
            *(Metric.TOP5, SCORES, np.zeros(6, np.int64)),
            "top5 needs scores of at least 6 classes; the answers have shape [6, 3] of float32",
            "use --metric top1",
        ),
        (
            *(Metric.AUROC, SCORES, np.ones(6, np.int64)),
            "auroc needs rows of at least two classes",
            "add rows of another class",
        ),
        (
            *(Metric.AUROC, SEQUENCES, np.zeros((6, 4), np.int64)),
            "auroc needs one score a class, and the answers have shape [6, 4, 3] of float32",
            "name an output of scores with --model-output",
        ),
        (
            *(Metric.AUROC, SCORES, np.full((6, 3), 2)),
            "labels 'y' have one number for every class, and not all are 0 or 1",
            "give one class a row, or 0 and 1 for every class",
        ),
        (
            *(Metric.MSE, SCORES, np.zeros((6, 2))),
            "labels 'y' have shape [6, 2]; the answers take [6, 3]",
            "give one number for each that the model answers",
        ),
        (
            *(Metric.MAE, SINGLE, np.array([0, 1, np.nan, 0, 0, 0])),
            "labels 'y' are not finite numbers, first in row 2",
            "drop such rows",
        ),
        (
            *(Metric.MSE, SINGLE, np.array(list("abcdef"))),
            "labels 'y' are str32, not numbers",
            "give numbers",
        ),
        (
            *(Metric.SPEARMAN, SCORES, np.zeros(6)),
            "spearman needs pairs of rows, or a model that answers one number a row",
            "name the arrays a.<input> and b.<input>, and the pairs' scores y",
        ),
    ],
)
def test_labels_that_do_not_fit_are_told(
    metric: Metric, answers: Array, labels: Array, message: str, hint: str
) -> None:
    with pytest.raises(LabelsError) as caught:
        Named(metric=metric, against=Against.LABELS).reference(answers, labels)
    assert (str(caught.value), caught.value.hint) == (message, hint)


def rows(labels: Array | None, *, pairs: bool = False) -> Rows:
    return Rows(
        inputs={"x": WIDE}, constants={}, labels=labels, count=6, whole=frozenset(), pairs=pairs
    )


def data(evaluation: Rows, validation: Rows | None = None) -> Data:
    plain = rows(None)
    return Data(
        calibration=plain,
        train=None,
        validation=validation or plain,
        agreement=plain,
        evaluation=evaluation,
        warnings=(),
    )


CLASSIFIER = Tensor(name="scores", dtype="float32", shape=(None, 10))
EMBEDDING = Tensor(name="embedding", dtype="float32", shape=(None, 384))
ONE_NUMBER = Tensor(name="price", dtype="float32", shape=(None, 1))


@pytest.mark.parametrize(
    ("evaluation", "output", "judged", "validated"),
    [
        (rows(np.zeros(6, np.int64)), CLASSIFIER, "top1", "agreement"),
        (rows(np.zeros(6)), ONE_NUMBER, "mse", "mse"),
        (rows(np.zeros(3), pairs=True), EMBEDDING, "spearman", "cosine"),
        (rows(None), CLASSIFIER, "agreement", "agreement"),
        (rows(None), EMBEDDING, "cosine", "cosine"),
    ],
)
def test_the_default_follows_rows_and_model(
    evaluation: Rows, output: Tensor, judged: str, validated: str
) -> None:
    measures = choosing.choose(None, data(evaluation), output)
    assert (measures.evaluation.name, measures.validation.name) == (judged, validated)
    assert measures.validation.against is Against.SOURCE


def test_labelled_validation_rows_are_scored_as_evaluation_rows_are() -> None:
    labelled = rows(np.zeros(6, np.int64))
    measures = choosing.choose("f1_macro", data(labelled, labelled), CLASSIFIER)
    assert measures.validation == measures.evaluation


def test_a_metric_without_its_labels_says_so() -> None:
    with pytest.raises(InvalidError) as caught:
        choosing.choose("auroc", data(rows(None)), CLASSIFIER)
    assert caught.value.problem.message == "auroc needs labels 'y' in the evaluation rows"


def test_a_function_that_raises_on_a_resample_is_left_out_of_the_interval() -> None:
    def picky(answers: Array, labels: Array | None) -> float:
        assert labels is not None
        if len(set(labels.tolist())) < 2:
            raise ValueError("one class")
        return float(answers.mean())

    measure = own.Own(name="mine:picky", function=picky, has_labels=True, causes="")
    found = measure.statistic(SCORES, np.array([0, 0, 0, 0, 0, 1]))
    values = found.resampled(np.array([[1, 1, 1, 1, 1, 1], [2, 2, 2, 0, 0, 0.0]]).T)
    assert values[0] == pytest.approx(SCORES.mean())
    assert np.isnan(values[1])
