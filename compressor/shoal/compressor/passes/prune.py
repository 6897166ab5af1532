"""Structured pruning: whole channels go, and fine-tuning brings the score back."""

from dataclasses import dataclass, field
from typing import Literal

import onnx
from shoal.compressor.network.cut import Cut, Scope
from shoal.compressor.passes.protocol import PassContext, PassResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Prune:
    """Remove the channels of least magnitude, then fine-tune.

    `ratio` is the share of channels to remove, competing over the whole network or layer by layer.
    Fine-tuning follows the labels of the training rows (share `label_weight` of the loss) and the
    source's answers; without training rows, the source's answers to the calibration rows alone.
    `temperature` None matches the answers as they are, for regressors and embeddings.

    Notes: importance per coupling group, threshold, weights removed, score before and after
    fine-tuning on rows set aside.
    """

    method: Literal["prune"] = field(default="prune", init=False)
    ratio: float = 0.5
    scope: Scope = Scope.LAYER
    multiple: int = 4
    steps: int = 400
    batch_rows: int = 32
    learning_rate: float = 2e-3
    temperature: float | None = 4.0
    label_weight: float = 0.5

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
            label_weight=self.label_weight,
        )
        cut = Cut(ratio=self.ratio, scope=self.scope, multiple=self.multiple)
        plan = shrinking.Plan(cut=cut, schedule=schedule, labels=True)
        return shrinking.shrink(model, context, plan)
