"""What the passes of this package see of a model: a matrix of features in, an answer a row out."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto

from shoal.compressor.evaluate import session
from shoal.compressor.passes.protocol import PassContext, PassError
from shoal.compressor.rejections import Rejection

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

HELD_SHARE: Final = 0.1
HELD_ROWS_AT_LEAST: Final = 20
HELD_ROWS_AT_MOST: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """Rows (rows, features) of the input `name`; `labels` where the user gave any."""

    name: str
    rows: Array
    labels: Array | None

    def take(self, chosen: Array) -> "Table":
        """These rows alone."""
        return Table(
            name=self.name,
            rows=self.rows[chosen],
            labels=None if self.labels is None else self.labels[chosen],
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """What a model says of each row: `labels` where it classifies, `scores` (rows, numbers)."""

    labels: Array | None
    scores: Floats | None

    @property
    def classifies(self) -> bool:
        """Whether a row's answer is a choice among classes."""
        return self.labels is not None

    @property
    def truth(self) -> Array:
        """What stands for labels where the user gave none."""
        if self.labels is not None:
            return self.labels
        if self.scores is None:
            raise RuntimeError("a model without answers")
        return self.scores[:, 0] if self.scores.shape[1] == 1 else self.scores


def read(model: onnx.ModelProto, context: PassContext) -> Table:
    """The training rows of a model of one matrix; the calibration rows where there are none.

    Raises:
        PassError: the model has other inputs than one float matrix.
    """
    stored = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in stored]
    kind = inputs[0].type.tensor_type if len(inputs) == 1 else None
    if kind is None or kind.elem_type != TensorProto.FLOAT or len(kind.shape.dim) != 2:
        raise PassError(
            Rejection.UNSUPPORTED_OPERATOR, "the model has other inputs than one float32 matrix"
        )
    name = inputs[0].name
    given = context.calibration if context.train is None else context.train.inputs
    labels = None if context.train is None else np.asarray(context.train.y)
    return Table(name=name, rows=np.asarray(given[name]), labels=labels)


def divide(table: Table, seed: int) -> tuple[Table, Table]:
    """Rows to score on and the rest: a tenth, at least 20, at most 200 and a quarter of all.

    Worked example: 100 rows are 20 and 80, 1,000 are 100 and 900; 40 rows are 10 and 30.
    """
    count = len(table.rows)
    order = np.random.default_rng(seed).permutation(count)
    held = max(round(count * HELD_SHARE), min(HELD_ROWS_AT_LEAST, count // 4), 1)
    held = min(held, HELD_ROWS_AT_MOST)
    if count <= held:
        return table, table
    return table.take(np.sort(order[:held])), table.take(np.sort(order[held:]))


def ask(model: onnx.ModelProto, rows: Array) -> Answers:
    """The answers of a model to rows, in one batch where its row axis is open.

    Raises:
        PassError: RuntimeFailed.
    """
    return understood(run(model, rows))


def run(model: onnx.ModelProto, rows: Array, extra: tuple[str, ...] = ()) -> dict[str, Array]:
    """All outputs by name, and `extra` values of the graph.

    Raises:
        PassError: RuntimeFailed.
    """
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    known = {value.name for value in (*model.graph.input, *model.graph.output)}
    watched.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        for name in extra
        if name not in known
    )
    try:
        opened = session.open_session(watched.SerializeToString(), 1)
        (port,) = opened.get_inputs()
        names = [value.name for value in opened.get_outputs()]
        batches = [rows] if port.shape[0] != 1 else [rows[i : i + 1] for i in range(len(rows))]
        parts = [opened.run(names, {port.name: batch}) for batch in batches]
    except Exception as error:
        text = (str(error).splitlines() or [""])[0][:300]
        raise PassError(Rejection.RUNTIME_FAILED, f"it cannot be run on rows: {text}") from error
    found = {name: np.concatenate(one) for name, one in zip(names, zip(*parts), strict=True)}  # noqa: B905 - as many parts as batches
    return {name: rows if name == port.name else found[name] for name in (*names, *extra)}


def understood(outputs: Mapping[str, Array]) -> Answers:
    """Which output is the label and which the scores.

    Raises:
        PassError: neither is there.
    """
    labels = next((o for o in outputs.values() if o.ndim == 1 and o.dtype.kind in "iu"), None)
    scores = next((o for o in outputs.values() if o.dtype.kind == "f" and o.ndim in {1, 2}), None)
    if labels is None and scores is None:
        raise PassError(Rejection.UNSUPPORTED_OPERATOR, "the model gives neither labels nor scores")
    found = None if scores is None else scores.reshape(len(scores), -1).astype(np.float64)
    if labels is None and found is not None and found.shape[1] > 1:
        labels = found.argmax(axis=1)
    return Answers(labels=labels, scores=found)


def quality(answers: Answers, labels: Array | None, source: Answers) -> dict[str, Any]:
    """One figure of how good answers are: `top1` or `r2` with labels, else of agreement.

    `agreement` is the share of the source's classes, `r2_to_source` what of its numbers is
    explained.
    """
    if answers.classifies:
        right = source.labels if labels is None else labels
        assert right is not None
        found = answers.labels
        assert found is not None
        name = "agreement" if labels is None else "top1"
        return {"metric": name, "value": float((found == right.reshape(-1)).mean())}
    wanted = source.scores if labels is None else labels.reshape(len(labels), -1)
    assert wanted is not None
    assert answers.scores is not None
    spread = float(((wanted - wanted.mean(axis=0)) ** 2).sum()) or 1.0
    left = float(((wanted - answers.scores) ** 2).sum())
    return {"metric": "r2_to_source" if labels is None else "r2", "value": 1 - left / spread}


def seed_of(context: PassContext, *words: str) -> int:
    """A seed for one purpose, so that two draws of one pass are not the same."""
    text = f"{context.seed} {' '.join(words)}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "little")
