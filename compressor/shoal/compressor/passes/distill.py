"""Distillation: a narrower student of the same architecture learns the source's answers."""

from dataclasses import dataclass, field
from typing import Literal

import onnx
from shoal.compressor.network.cut import Cut, Scope
from shoal.compressor.passes.protocol import PassContext, PassResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Distill:
    """Teach a student whose every layer has `width` times the source's channels.

    The student starts from the strongest channels of the source and learns from its answers alone:
    no label is looked at, so the rows may be training or calibration rows. `mixed_share` adds that
    many rows for every real one, each between two real ones and answered by the source too; that
    helps where there are few. `temperature` None matches the answers as they are, for regressors
    and embeddings.

    Notes: as those of pruning.
    """

    method: Literal["distill"] = field(default="distill", init=False)
    width: float = 0.5
    multiple: int = 4
    steps: int = 400
    batch_rows: int = 32
    learning_rate: float = 2e-3
    temperature: float | None = 4.0
    mixed_share: float = 1.0

    def apply(self, model: onnx.ModelProto, context: PassContext) -> PassResult:
        """A narrower model with the same inputs and outputs.

        Raises:
            PassError: an operator that cannot be trained, no channel to remove, or failed parity.
        """
        from shoal.compressor.passes import finetune, shrinking  # noqa: PLC0415 - imports torch

        schedule = finetune.Schedule(
            steps=self.steps,
            batch_rows=self.batch_rows,
            learning_rate=self.learning_rate,
            temperature=self.temperature,
            label_weight=0.0,
        )
        cut = Cut(ratio=1 - self.width, scope=Scope.LAYER, multiple=self.multiple)
        plan = shrinking.Plan(
            cut=cut, schedule=schedule, labels=False, mixed_share=self.mixed_share
        )
        return shrinking.shrink(model, context, plan)
