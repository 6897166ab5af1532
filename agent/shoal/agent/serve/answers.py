"""From outputs to answers: which class each row got.

An integer vector of labels is the answer as it is. Scores are decided by their maximum over the
last axis; a single score a row by its side of 0.5.
"""

import numpy as np

from shoal.agent.serve.sessions import Array

NO_ANSWER = -1


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


def _one_a_row(output: Array, rows: int) -> Array | None:
    """The output as (rows,) where it holds one number a row; a lone vector of scores does not."""
    if output.size != rows or (output.ndim > 1 and output.shape[-1] != 1):
        return None
    flat: Array = output.reshape(rows)
    return flat
