"""Inference sessions as the device's engine opens them, and the answers they give."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import onnxruntime

from shoal.compressor.evaluate import batches
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
    answers differently in a batch; many small rows go in batches where those are seen to answer
    bit for bit alike. A recurrent model gets its own states fed back, from zero at the start of
    every stream.

    Raises:
        AnswerError: the runtime failed on a row, or an answer is not finite.
    """
    stacked = batches.answers(session, rows, output)
    if stacked is None:
        collected = [np.asarray(given[0]) for given in _steps(session, rows, [output])]
        if len({answer.shape for answer in collected}) != 1:
            raise AnswerError("the answering output changes its shape from row to row")
        stacked = np.stack(collected)
        if stacked.ndim > 1 and stacked.shape[1] == 1:
            stacked = stacked[:, 0]
    if not np.isfinite(stacked).all():
        row = int(np.argwhere(~np.isfinite(stacked))[0][0])
        raise AnswerError(f"the answer to {rows.name_of(row)} is not a finite number")
    return stacked


def recorded_states(session: Any, rows: Rows) -> dict[str, Array]:
    """Each state as it was before every step, by input name, the row axis first.

    Raises:
        AnswerError: the runtime failed on a row, or a state changes its shape.
    """
    before: dict[str, list[Array]] = {state.into: [] for state in rows.states}
    for _ in _steps(session, rows, [], before):
        pass
    recorded = {}
    for state in rows.states:
        steps = before[state.into]
        if len({one.shape for one in steps}) != 1:
            raise AnswerError(f"the state {state.into!r} changes its shape from step to step")
        stacked = np.stack(steps)
        batch_of_one = state.zero.ndim > 1 and state.zero.shape[0] == 1
        recorded[state.into] = stacked[:, 0] if batch_of_one else stacked
    return recorded


def _steps(
    session: Any, rows: Rows, outputs: list[str], before: dict[str, list[Array]] | None = None
) -> Iterator[list[Any]]:
    """What the model gives for every row; `before` collects the states that rows were fed with."""
    asked = [*outputs, *(state.out for state in rows.states)]
    held: dict[str, Array] = {}
    for row in range(rows.count):
        feed = rows.feed(row)
        if rows.states:
            if rows.starts is None or rows.starts[row]:
                held = {state.into: state.zero for state in rows.states}
            feed |= held
        try:
            given = session.run(asked, feed)
        except Exception as error:
            text = str(error).splitlines()[0][:300]
            raise AnswerError(f"{rows.name_of(row)} cannot be run: {text}") from error
        if before is not None:
            for name, array in held.items():
                before[name].append(array)
        held = {
            state.into: np.asarray(array)
            for state, array in zip(rows.states, given[len(outputs) :], strict=True)
        }
        yield given


def version() -> str:
    """The runtime's version, for cache keys."""
    return str(onnxruntime.__version__)
