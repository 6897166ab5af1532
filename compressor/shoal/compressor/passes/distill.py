"""Distillation: a narrower student of the same architecture learns the source's answers."""

from dataclasses import dataclass, field
from typing import Literal

import onnx

from shoal.compressor.network.cut import Cut, Scope
from shoal.compressor.passes.protocol import IN_TITLE, PassContext, PassResult
from shoal.compressor.passes.teaching import Teaching


@dataclass(frozen=True, slots=True, kw_only=True)
class Distill(Teaching):
    """Teach a student whose every layer has `width` times the source's channels.

    The student starts from the strongest channels of the source and learns from its answers alone:
    no label is looked at, so the rows may be training or calibration rows. `mixed_share` adds that
    many rows for every real one, each between two real ones and answered by the source too; that
    helps where there are few.

    Notes: as those of pruning.
    """

    method: Literal["distill"] = field(default="distill", init=False)
    width: float = field(default=0.5, metadata=IN_TITLE)
    mixed_share: float = 1.0

    def apply(self, model: onnx.ModelProto, context: PassContext) -> PassResult:
        """A narrower model with the same inputs and outputs.

        Raises:
            PassError: an operator that cannot be trained, no channel to remove, or failed parity.
        """
        from shoal.compressor.passes import shrinking  # noqa: PLC0415 - imports torch

        cut = Cut(ratio=1 - self.width, scope=Scope.LAYER, multiple=self.multiple)
        plan = shrinking.Plan(
            cut=cut, schedule=self.schedule(0.0), labels=False, mixed_share=self.mixed_share
        )
        return shrinking.shrink(model, context, plan)
