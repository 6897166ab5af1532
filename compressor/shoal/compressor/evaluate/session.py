"""Inference sessions as the device's engine opens them, and the answers they give."""

from typing import Any, Final

import numpy as np
import onnxruntime

from shoal.compressor.sources.rows import Array, Rows

PROVIDERS: Final = ["CPUExecutionProvider"]


class AnswerError(Exception):
    """The model failed on a row, or gave numbers that are not finite."""


def options(threads: int) -> Any:
    """Session options of the agent's engine: one pool of `threads`, nothing logged."""
    chosen = onnxruntime.SessionOptions()
    chosen.intra_op_num_threads = threads
    chosen.inter_op_num_threads = 1
    chosen.log_severity_level = 4
    return chosen


def open_session(model: bytes | str, threads: int) -> Any:
    """A fresh session over a serialised model or the path of one; raises what the runtime does."""
    return onnxruntime.InferenceSession(model, options(threads), providers=PROVIDERS)


def answers(session: Any, rows: Rows, output: str) -> Array:
    """The answering output of every row, fed one by one; (rows, …) without the batch axis.

    Rows go one by one because that is how a device is asked, and because dynamic quantization
    answers differently in a batch.

    Raises:
        AnswerError: the runtime failed on a row, or an answer is not finite.
    """
    collected = []
    for row in range(rows.count):
        try:
            (answer,) = session.run([output], rows.feed(row))
        except Exception as error:
            text = str(error).splitlines()[0][:300]
            raise AnswerError(f"row {row} cannot be run: {text}") from error
        collected.append(np.asarray(answer))
    if len({answer.shape for answer in collected}) != 1:
        raise AnswerError("the answering output changes its shape from row to row")
    stacked = np.stack(collected)
    if stacked.ndim > 1 and stacked.shape[1] == 1:
        stacked = stacked[:, 0]
    if not np.isfinite(stacked).all():
        raise AnswerError("the answers are not finite numbers")
    return stacked
