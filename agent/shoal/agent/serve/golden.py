"""The golden set on a device: rows of inputs, fed one by one as clients feed them.

Row by row on purpose: dynamic quantization takes its range from the whole batch, so a batch would
answer differently from the requests that the set stands for.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from shoal.agent.errors import EngineError
from shoal.agent.serve import answers
from shoal.agent.serve.sessions import Array, Session, TensorSpec
from shoal.contract.reason import Reason

LABELS = "y"
ONLY_INPUT = "x"  # what a set may call the input of a model that has one


class Golden:
    """Inputs by name, rows first; a 0-d array is a constant fed with every row."""

    def __init__(self, path: Path, session: Session) -> None:
        """Read the set and fit it to the model's inputs.

        Raises:
            EngineError: BAD_DATA, it is not a set for this model.
        """
        self._inputs = {one.name: one for one in session.inputs}
        self._arrays = _read(path, session.inputs)
        lengths = {len(array) for array in self._arrays.values() if array.ndim}
        if len(lengths) != 1:
            raise _bad(path, f"its arrays have {sorted(lengths)} rows")
        self.rows = lengths.pop()

    def feeds(self) -> Iterator[Mapping[str, Array]]:
        """What to feed for each row in order."""
        for row in range(self.rows):
            yield {
                name: _shaped(array if array.ndim == 0 else array[row], self._inputs[name])
                for name, array in self._arrays.items()
            }


def outputs(session: Session, golden: Golden) -> list[Array]:
    """The answering output on every row."""
    name = [session.answering.name]
    return [session.run(feeds, name)[0] for feeds in golden.feeds()]


def answer_all(session: Session, golden: Golden) -> tuple[int, ...]:
    """The class of every row; NO_ANSWER where there is none."""
    return tuple(answers.classes(output, 1)[0] for output in outputs(session, golden))


def _shaped(row: Array, spec: TensorSpec) -> Array:
    """A row as the model takes it: with a batch axis of one, where the model has one."""
    if len(spec.shape) == row.ndim + 1 and spec.shape[0] in {1, -1}:
        return row[np.newaxis]
    return np.ascontiguousarray(row)


def _read(path: Path, inputs: tuple[TensorSpec, ...]) -> dict[str, Array]:
    try:
        with np.load(path, allow_pickle=False) as file:
            names = set(file.files)
            arrays = {}
            for spec in inputs:
                name = spec.name
                if name not in names and len(inputs) == 1:
                    name = ONLY_INPUT
                if name not in names:
                    raise _bad(path, f"it has no array {spec.name!r}")
                arrays[spec.name] = file[name].astype(spec.dtype, copy=False)
            return arrays
    except (OSError, ValueError) as error:
        raise _bad(path, str(error)) from error


def _bad(path: Path, why: str) -> EngineError:
    return EngineError(Reason.BAD_DATA, f"golden set {path.name} does not fit the model: {why}")
