"""What answers say: the class of a row, a distribution over classes, the distance of two answers.

Answers are (rows, …): one row's output without its batch axis.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from shoal.compressor.sources.rows import Array

Scores = npt.NDArray[np.float64]

_HALF: Final = 0.5
_ROUNDING: Final = 1e-2  # how far int8 softmax sums stray from 1


def are_labels(answers: Array) -> bool:
    """Whether the answers are classes themselves."""
    return answers.dtype.kind in "iub"


def are_single(answers: Array) -> bool:
    """Whether a row's answer is one score, whose class is its side of 0.5."""
    return answers.ndim == 1 or answers.shape[-1] == 1


def classes(answers: Array) -> npt.NDArray[np.int64]:
    """The class of every row: a label itself, the side of 0.5 of a single score, else the argmax.

    `answers` is (rows,), (rows, 1) or (rows, …, scores); positions before the last axis each have
    their class.
    """
    if are_labels(answers):
        return answers.astype(np.int64)
    if are_single(answers):
        return (answers.reshape(answers.shape[:1] + answers.shape[1:-1]) >= _HALF).astype(np.int64)
    result: npt.NDArray[np.int64] = answers.argmax(axis=-1).astype(np.int64)
    return result


def distribution(scores: Array) -> Scores:
    """Scores of classes as shares of one: as they are, or the softmax of what is none yet."""
    scores = scores.astype(np.float64)
    if _are_shares(scores):
        return scores
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True), np.float64)


def _are_shares(scores: Array) -> bool:
    return bool((scores >= 0).all() and np.allclose(scores.sum(axis=-1), 1, atol=_ROUNDING))


def likeness(answers: Array, source: Array) -> float:
    """How closely answers follow the source's, 1 for equal ones; finer than equal classes.

    Labels: the share of equal ones. One score: 1 minus the mean distance. Scores of classes: 1
    minus the mean total variation distance of the distributions. Where the source's scores are
    shares of one the answers are shares of their sum, however far 8 bits make it stray.
    """
    if are_labels(answers):
        return float((answers == source).mean())
    if are_single(answers):
        ours, theirs = answers.astype(np.float64), source.astype(np.float64)
        return float(1 - np.minimum(np.abs(ours - theirs), 1).mean())
    if _are_shares(source.astype(np.float64)):
        held = np.maximum(answers.astype(np.float64), 0)
        ours = held / np.maximum(held.sum(axis=-1, keepdims=True), np.finfo(np.float64).tiny)
    else:
        ours = distribution(answers)
    distance = np.abs(ours - distribution(source)).sum(axis=-1) / 2
    return float(1 - distance.mean())


def agreement(answers: Array, source: Array) -> float:
    """The share of positions with the source's class."""
    return float((classes(answers) == classes(source)).mean())


def max_abs(answers: Array, source: Array) -> float:
    """The largest absolute difference of any number in the answers."""
    return float(np.abs(answers.astype(np.float64) - source.astype(np.float64)).max())


def cosines(a: Array, b: Array) -> Scores:
    """The cosine of each row of `a` with its row of `b`; 1 where both are zero."""
    a = a.reshape(len(a), -1).astype(np.float64)
    b = b.reshape(len(b), -1).astype(np.float64)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    both_zero = ~(a.any(axis=1) | b.any(axis=1))
    found = np.divide((a * b).sum(axis=1), norms, out=np.zeros(len(a)), where=norms > 0)
    return np.where(both_zero, 1.0, np.clip(found, -1.0, 1.0))
