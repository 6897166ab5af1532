"""Structured pruning: whole channels go, and fine-tuning brings the score back."""

from dataclasses import dataclass, field
from typing import Literal

import onnx

from shoal.compressor.network.cut import Cut, Importance, Scope
from shoal.compressor.passes.protocol import IN_TITLE, PassContext, PassResult
from shoal.compressor.passes.teaching import Teaching


@dataclass(frozen=True, slots=True, kw_only=True)
class Prune(Teaching):
    """Remove the channels of least importance, then fine-tune.

    `ratio` is the share of channels to remove, competing over the whole network or layer by layer.
    (With scope sensitivity: the share of weights, each layer losing what the answers miss least.)
    Fine-tuning follows the labels of the training rows (share `label_weight` of the loss) and the
    source's answers; without training rows, the source's answers to the calibration rows alone.

    Notes: importance per coupling group, threshold, weights removed, score before and after
    fine-tuning on rows set aside.
    """

    method: Literal["prune"] = field(default="prune", init=False)
    ratio: float = field(default=0.5, metadata=IN_TITLE)
    scope: Scope = Scope.LAYER
    importance: Importance = Importance.MAGNITUDE
    label_weight: float = 0.2

    def apply(self, model: onnx.ModelProto, context: PassContext) -> PassResult:
        """A narrower model with the same inputs and outputs.

        Raises:
            PassError: an operator that cannot be trained, no channel to remove, or failed parity.
        """
        from shoal.compressor.passes import shrinking  # noqa: PLC0415 - imports torch

        cut = Cut(
            ratio=self.ratio,
            scope=self.scope,
            multiple=self.multiple,
            importance=self.importance,
        )
        plan = shrinking.Plan(cut=cut, schedule=self.schedule(self.label_weight), labels=True)
        return shrinking.shrink(model, context, plan)
