"""From outputs to answers: which class each row got.

An integer vector of labels is the answer as it is. Scores are decided by their maximum over the
last axis; a single score a row by its side of 0.5.
"""

import numpy as np

from shoal.agent.serve.sessions import Array

NO_ANSWER = -1
_ROUNDING = 1e-3  # int8 shares are that coarse


def decisions(output: Array, rows: int) -> Array:
    """Every decision in an output, integers of shape (rows, …); NO_ANSWER where a score is NaN.

    Scores (2, 10) give (2,); labels (2,) and (2, 1) give (2,); scores of a sequence (2, 7, 10) give
    (2, 7); a single score (2, 1) or (2,) gives 0 or 1 a row.
    """
    flat = _one_a_row(output, rows)
    if flat is not None:
        if output.dtype.kind != "f":
            return flat.astype(np.int64)
        return np.where(np.isnan(flat), NO_ANSWER, flat > 0.5).astype(np.int64)
    if output.ndim == 0 or output.shape[-1] == 0:
        return np.full((rows,), NO_ANSWER, np.int64)
    scores = output if output.ndim > 1 else output[np.newaxis]
    best = scores.argmax(-1)
    if output.dtype.kind == "f":
        best = np.where(np.isnan(scores.max(-1)), NO_ANSWER, best)
    result: Array = best.astype(np.int64)
    return result


def classes(output: Array, rows: int) -> list[int]:
    """One class a row; NO_ANSWER where a row has none, or several."""
    decided = decisions(output, rows)
    if decided.size != rows:
        return [NO_ANSWER] * rows
    result: list[int] = decided.reshape(rows).tolist()
    return result


def confidences(output: Array, rows: int) -> list[float]:
    """How sure each row's answer is, from 0 to 1; nothing where the output holds no scores.

    Shares that add up to 1 are taken as they are, other scores go through a softmax: logits (0, 2)
    are 0.88 sure. A single score p a row is max(p, 1 - p) sure, a logit first goes through the
    logistic function. Rows without an answer are left out.
    """
    if output.dtype.kind != "f" or output.size == 0:
        return []
    flat = _one_a_row(output, rows)
    if flat is not None:
        shares = flat if _are_shares(flat) else _logistic(flat)
        sure = np.maximum(shares, 1 - shares)
    elif output.ndim == 2 and len(output) == rows:
        top = output.max(-1)
        adds_up = _are_shares(output) and bool(np.all(np.abs(output.sum(-1) - 1) < _ROUNDING))
        sure = top if adds_up else 1 / np.exp(output - top[:, np.newaxis]).sum(-1)
    else:
        return []
    result: list[float] = sure[np.isfinite(sure)].tolist()
    return result


def values(output: Array, rows: int) -> list[float]:
    """The number that each row was answered with; nothing where an answer is not one number."""
    flat = _one_a_row(output, rows) if output.dtype.kind == "f" else None
    result: list[float] = [] if flat is None else flat.tolist()
    return result


def _are_shares(scores: Array) -> bool:
    return bool(scores.min() >= 0 and scores.max() <= 1 + _ROUNDING)


def _logistic(scores: Array) -> Array:
    # tanh does not overflow where exp would.
    result: Array = 0.5 + 0.5 * np.tanh(scores / 2)
    return result


def _one_a_row(output: Array, rows: int) -> Array | None:
    """The output as (rows,) where it holds one number a row; a lone vector of scores does not."""
    if output.size != rows or (output.ndim > 1 and output.shape[-1] != 1):
        return None
    flat: Array = output.reshape(rows)
    return flat
