"""Teaches a small dense network what trees, or any other model of a table, answer."""

from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import onnx

from shoal.compressor.passes.estimators import heads, munging, tabular
from shoal.compressor.passes.protocol import IN_TITLE, PassContext, PassError, PassResult
from shoal.compressor.passes.teaching import Schedule
from shoal.compressor.rejections import Rejection

Array = npt.NDArray[Any]

_LEAST_PROBABILITY: Final = 1e-3
_ROWS_AT_MOST: Final = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillTable:
    """Teach a network of dense layers of these `widths` to answer as the source does.

    The source may be anything that runs: no operator of it is read. It answers the training rows,
    or the calibration rows where there are none, and `invented_share` rows for every real one, made
    by trading the values of `trade` of their features with their nearest rows; labels are not
    looked at. The network has the source's inputs and outputs, and passes for networks may follow.

    Notes: score before and after training on rows set aside, sizes, how many rows were invented.
    """

    method: Literal["distill"] = field(default="distill", init=False)
    scheme: Literal["table"] = field(default="table", init=False)
    widths: tuple[int, ...] = field(default=(64, 64), metadata=IN_TITLE)
    invented_share: float = 8.0
    trade: float = 0.3
    steps: int = 3_000
    batch_rows: int = 128
    learning_rate: float = 3e-3

    def apply(self, model: onnx.ModelProto, context: PassContext) -> PassResult:
        """A dense network in place of the source.

        Raises:
            PassError: other inputs or outputs than those of a table, or training that fails.
        """
        del model  # the teacher is the source itself, whatever was made of it since
        from shoal.compressor.network import parity  # noqa: PLC0415 - imports torch
        from shoal.compressor.passes import finetune  # noqa: PLC0415 - imports torch

        table = tabular.read(context.source, context)
        held, fit = tabular.divide(table, context.seed)
        head = heads.of(context.source, tabular.run(context.source, held.rows))
        seed = tabular.seed_of(context, "student")
        rows = self._rows(fit.rows, np.random.default_rng(seed))
        wanted, scale = _lesson(tabular.ask(context.source, rows), head)
        port = next(one for one in context.source.graph.input if one.name == table.name)
        start = heads.untaught(port, fit.rows, (*self.widths, wanted.shape[1]), seed)
        with finetune.reproducible(context.threads):
            student = parity.import_checked(start, {table.name: fit.rows[:32]}).network
            lesson = finetune.Lesson(
                inputs=parity.tensors({table.name: rows}),
                taught=tuple(parity.tensors({"wanted": wanted}).values()),
                labels=None,
            )
            finetune.fine_tune(student, heads.LOGITS, lesson, self._schedule(head), context.seed)
            exported = parity.export_checked(student, {table.name: fit.rows[:32]})
        taught = heads.complete(exported.model, context.source, head, scale)
        notes = self._notes(
            context, held, heads.complete(start, context.source, head, scale), taught
        )
        return PassResult(
            model=taught,
            notes={
                **notes,
                "rows": {"real": len(fit.rows), "invented": len(rows) - len(fit.rows)},
                "parity_max_abs": {"export": exported.max_abs_error},
            },
        )

    def _rows(self, real: Array, generator: np.random.Generator) -> Array:
        count = min(round(len(real) * self.invented_share), _ROWS_AT_MOST)
        if not count:
            return real
        return np.concatenate([real, munging.munge(real, count, self.trade, generator)])

    def _schedule(self, head: heads.Head) -> Schedule:
        return Schedule(
            steps=self.steps,
            batch_rows=self.batch_rows,
            learning_rate=self.learning_rate,
            temperature=1.0 if head.softmax else None,
            label_weight=0.0,
        )

    def _notes(
        self,
        context: PassContext,
        held: tabular.Table,
        untaught: onnx.ModelProto,
        taught: onnx.ModelProto,
    ) -> dict[str, Any]:
        source = tabular.ask(context.source, held.rows)
        before = tabular.quality(tabular.ask(untaught, held.rows), held.labels, source)
        after = tabular.quality(tabular.ask(taught, held.rows), held.labels, source)
        return {
            "validation": {
                "metric": after["metric"],
                "rows": len(held.rows),
                "source": tabular.quality(source, held.labels, source)["value"],
                "before_training": before["value"],
                "after_training": after["value"],
            },
            "bytes_before": context.source.ByteSize(),
            "bytes_after": taught.ByteSize(),
        }


def _lesson(answers: tabular.Answers, head: heads.Head) -> tuple[Array, tuple[Array, Array]]:
    """What the student's scores are to be, and the scale that makes them the source's.

    Probabilities are learnt as their logarithms, which softmax turns back; none is below a
    thousandth, so that certain answers stay within reach. Other scores are standardised.
    """
    scores = answers.scores
    if scores is None or not np.isfinite(scores).all():
        raise PassError(Rejection.BUILD_FAILED, "the source's scores are not finite numbers")
    if head.softmax:
        wanted = np.log(np.maximum(scores, _LEAST_PROBABILITY))
        return wanted.astype(np.float32), (np.zeros(1), np.ones(1))
    mean, spread = scores.mean(axis=0), scores.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    return ((scores - mean) / spread).astype(np.float32), (mean, spread)
