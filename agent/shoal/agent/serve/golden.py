"""The golden set on a device: rows of inputs, fed one by one as clients feed them.

Row by row on purpose: dynamic quantization takes its range from the whole batch, so a batch would
answer differently from the requests that the set stands for.
"""

import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from shoal.agent.errors import EngineError
from shoal.agent.serve import answers
from shoal.agent.serve.sessions import Array, Session, TensorSpec
from shoal.contract.reason import Reason

ONLY_INPUT = "x"  # what a set may call the input of a model that has one


class Golden:
    """Inputs by name, rows first; a 0-d array is a constant fed with every row."""

    def __init__(self, arrays: Mapping[str, Array], session: Session) -> None:
        """Fit what `read` returned to the model's inputs.

        Raises:
            EngineError: BAD_DATA, it is no set for this model.
        """
        self._inputs = {one.name: one for one in session.inputs}
        self._arrays = {one.name: _array(arrays, one, session) for one in session.inputs}
        lengths = {len(array) for array in self._arrays.values() if array.ndim}
        if len(lengths) != 1:
            raise _bad(f"its arrays have {sorted(lengths)} rows")
        self.rows = lengths.pop()

    def feed(self, row: int) -> Mapping[str, Array]:
        """What to feed for one row."""
        return {
            name: _shaped(array if array.ndim == 0 else array[row], self._inputs[name])
            for name, array in self._arrays.items()
        }


def read(path: Path) -> Mapping[str, Array]:
    """The arrays in an npz; object arrays, which could run code, are refused.

    Raises:
        EngineError: BAD_DATA, it is no npz of plain arrays.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise _bad(str(error)) from error


def outputs(session: Session, golden: Golden) -> list[Array]:
    """The answering output on every row."""
    rows = [golden.feed(row) for row in range(golden.rows)]
    return session.run_rows(rows, session.answering.name)


def classes(outputs_of_rows: Iterable[Array]) -> tuple[int, ...]:
    """The class of every row; NO_ANSWER where there is none."""
    return tuple(answers.classes(output, 1)[0] for output in outputs_of_rows)


def _array(arrays: Mapping[str, Array], spec: TensorSpec, session: Session) -> Array:
    name = spec.name
    if name not in arrays and len(session.inputs) == 1:
        name = ONLY_INPUT
    if name not in arrays:
        raise _bad(f"it has no array {spec.name!r}")
    if arrays[name].dtype.kind not in "biuf":
        raise _bad(f"{name!r} holds no numbers")
    return arrays[name].astype(spec.dtype, copy=False)


def _shaped(row: Array, spec: TensorSpec) -> Array:
    """A row as the model takes it: with a batch axis of one, where the model has one."""
    if len(spec.shape) == row.ndim + 1 and spec.shape[0] in {1, -1}:
        row = row[np.newaxis]
    return np.asarray(row, order="C")


def _bad(why: str) -> EngineError:
    return EngineError(Reason.BAD_DATA, f"the golden set does not fit the model: {why}")
