"""Scores: one number a row, so that two models can be compared pairwise."""

import enum
from typing import Final

import numpy as np
import numpy.typing as npt

from shoal.compressor.sources.rows import Array

_HALF: Final = 0.5
_ROUNDING: Final = 1e-2  # how far int8 softmax sums stray from 1


class Metric(enum.StrEnum):
    """What a score means. `agreement` and `cosine` compare with the source's own answers."""

    TOP1 = "top1"
    AGREEMENT = "agreement"
    COSINE = "cosine"


class LabelsError(Exception):
    """Labels that cannot be held against the answers."""


def classes(answers: Array) -> npt.NDArray[np.int64]:
    """The class of every row: a label itself, the side of 0.5 of a single score, else the argmax.

    `answers` is (rows,), (rows, 1) or (rows, …, scores); positions before the last axis each have
    their class.
    """
    if answers.dtype.kind in "iub":
        return answers.astype(np.int64)
    if answers.ndim == 1 or answers.shape[-1] == 1:
        return (answers.reshape(answers.shape[:1] + answers.shape[1:-1]) >= _HALF).astype(np.int64)
    result: npt.NDArray[np.int64] = answers.argmax(axis=-1).astype(np.int64)
    return result


def row_scores(
    metric: Metric, answers: Array, source: Array, labels: Array | None
) -> npt.NDArray[np.float64]:
    """One score a row, in [0, 1] for top1 and agreement, in [-1, 1] for cosine.

    Raises:
        LabelsError: the labels are not one class for each answer.
    """
    match metric:
        case Metric.TOP1:
            found = classes(answers)
            if labels is None:
                raise RuntimeError("top1 needs labels")
            if labels.size != found.size:
                raise LabelsError(
                    f"labels 'y' have shape {list(labels.shape)}, and the answers are classes of "
                    f"shape {list(found.shape)}"
                )
            return _share_equal(found, labels)
        case Metric.AGREEMENT:
            return _share_equal(classes(answers), classes(source))
        case Metric.COSINE:
            return _cosine(answers, source)


def likeness(answers: Array, source: Array) -> float:
    """How closely answers follow the source's, 1 for equal ones; finer than equal classes.

    Labels: the share of equal ones. One score: 1 minus the mean distance. Scores of classes: 1
    minus the mean total variation distance of the distributions (softmax of what is none yet).
    """
    if answers.dtype.kind in "iub":
        return float(_share_equal(answers, source).mean())
    ours, theirs = answers.astype(np.float64), source.astype(np.float64)
    if answers.ndim == 1 or answers.shape[-1] == 1:
        return float(1 - np.minimum(np.abs(ours - theirs), 1).mean())
    distance = np.abs(_distribution(ours) - _distribution(theirs)).sum(axis=-1) / 2
    return float(1 - distance.mean())


def _distribution(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    if (scores >= 0).all() and np.allclose(scores.sum(axis=-1), 1, atol=_ROUNDING):
        return scores
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True), np.float64)


def max_abs(answers: Array, source: Array) -> float:
    """The largest absolute difference of any number in the answers."""
    return float(np.abs(answers.astype(np.float64) - source.astype(np.float64)).max())


def _share_equal(found: Array, wanted: Array) -> npt.NDArray[np.float64]:
    equal = (found == wanted.reshape(found.shape)).reshape(len(found), -1)
    return np.asarray(equal.mean(axis=1), np.float64)


def _cosine(answers: Array, source: Array) -> npt.NDArray[np.float64]:
    a = answers.reshape(len(answers), -1).astype(np.float64)
    b = source.reshape(len(source), -1).astype(np.float64)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    both_zero = ~(a.any(axis=1) | b.any(axis=1))
    cosine = np.divide((a * b).sum(axis=1), norms, out=np.zeros(len(a)), where=norms > 0)
    return np.where(both_zero, 1.0, np.clip(cosine, -1.0, 1.0))
