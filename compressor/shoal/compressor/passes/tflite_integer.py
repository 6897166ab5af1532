"""Files of integers from edge to edge: for an Edge TPU, or an interpreter on a microcontroller.

Shapes are static, inputs and outputs are of 8 bits, and nothing stays in float unless an operator
has no integer form. Source: Jacob et al. 2018 (arXiv 1712.05877).
"""

import enum
from dataclasses import dataclass, field
from typing import Any, Literal

import onnx

from shoal.compressor.artifacts import Artifact, Format
from shoal.compressor.litert.choices import Edges, Ranges, Scheme
from shoal.compressor.passes.protocol import IN_TITLE, Finished, PassContext
from shoal.compressor.passes.tflite import observed, write


class Chip(enum.StrEnum):
    """What runs the file."""

    MICRO = "micro"
    EDGE_TPU = "edgetpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegerTflite:
    """The graph in integers; its notes tell what would fall to the CPU, or to float.

    What `edgetpu_compiler` makes of it stands beside it in the output folder, because no ordinary
    machine can run, score or time a compiled file.
    """

    method: Literal["quantize"] = field(default="quantize", init=False)
    scheme: Literal["litert integers"] = field(default="litert integers", init=False)
    chip: Chip = field(default=Chip.MICRO, metadata=IN_TITLE)
    ranges: Ranges = Ranges.MINMAX

    def apply(self, model: onnx.ModelProto, context: PassContext) -> Finished:
        """The file, its operators, and for an Edge TPU where each would run."""
        written = write(model, context)
        from shoal.compressor.litert import (  # noqa: PLC0415 - an optional extra
            edgetpu,
            quantizing,
            verdict,
        )

        settings = quantizing.Settings(scheme=Scheme.STATIC, edges=Edges.INT8, kept=())
        data = quantizing.quantize(
            written.data, settings, observed(written.data, self.ranges, model, context)
        )
        verdict.load(data)
        operators = verdict.operators(data)
        notes: dict[str, Any] = {
            "operators": operators,
            "in_float": [name for name in operators if name.endswith("float32")],
        }
        if self.chip is Chip.EDGE_TPU:
            notes["edgetpu"] = edgetpu.report(data)
        return Finished(artifact=Artifact(format=Format.TFLITE, data=data), notes=notes)
