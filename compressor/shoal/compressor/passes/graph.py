"""Cleans a graph: newer operators, folded constants, fused normalisation, nothing dead.

Three tools in a row, each skipped where it fails on a graph: onnx's version converter (old opsets
stop the quantizer), onnxslim, and onnxruntime's own basic level, which folds biases and batch
normalisation into convolutions and writes standard operators only.
"""

import enum
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import onnx
from onnx import version_converter

from shoal.compressor.passes import compact
from shoal.compressor.passes.protocol import PassContext, PassResult

_OPSET_AT_LEAST: Final = 13  # per-channel Q/DQ begins here
_OPSET: Final = 17
_IR_AT_LEAST: Final = 8
_FOREIGN_OPERATORS: Final = {"FusedConv", "FusedGemm", "FusedMatMul"}


class Step(enum.StrEnum):
    """One tool of the clean-up."""

    OPSET = "opset"
    SLIM = "slim"
    BASIC = "basic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clean:
    """Clean-up that leaves the computation as it is; fewer `steps` where a tool breaks a graph."""

    method: Literal["graph"] = field(default="graph", init=False)
    steps: tuple[Step, ...] = tuple(Step)

    def apply(self, model: onnx.ModelProto, context: PassContext) -> PassResult:
        """The cleaned model, and the steps that did not work on it."""
        del context
        notes: dict[str, Any] = {"nodes_before": len(model.graph.node)}
        cleaned = compact.compact(model)
        skipped = []
        for step in self.steps:
            try:
                cleaned = _with_inputs_of(cleaned, _TOOLS[step](cleaned))
            except Exception as error:  # noqa: BLE001 - a foreign tool's failure skips its step
                why = (str(error).splitlines() or [type(error).__name__])[0]
                skipped.append({"step": step.value, "why": why[:200]})
        notes |= {"nodes": len(cleaned.graph.node), "skipped": skipped}
        return PassResult(model=cleaned, notes=notes)


def _with_inputs_of(before: onnx.ModelProto, after: onnx.ModelProto) -> onnx.ModelProto:
    """Whoever calls a graph feeds every input, also one that no node reads and a tool left out."""
    inputs = list(before.graph.input)
    del after.graph.input[:]
    after.graph.input.extend(inputs)
    return after


def _convert(model: onnx.ModelProto) -> onnx.ModelProto:
    model.ir_version = max(model.ir_version, _IR_AT_LEAST)
    opset = next((o.version for o in model.opset_import if o.domain in {"", "ai.onnx"}), _OPSET)
    if opset >= _OPSET_AT_LEAST:
        return model
    return version_converter.convert_version(model, _OPSET)


def _slim(model: onnx.ModelProto) -> onnx.ModelProto:
    import onnxslim  # noqa: PLC0415 - half a second that a cached run does not pay

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    slimmed: onnx.ModelProto = onnxslim.slim(copy)
    return slimmed


def _basic(model: onnx.ModelProto) -> onnx.ModelProto:
    import onnxruntime  # noqa: PLC0415 - not paid by a cached run

    level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    optimised = runtime_graph(model.SerializeToString(), level)
    if any(node.op_type in _FOREIGN_OPERATORS for node in optimised.graph.node):
        return model
    return optimised


_TOOLS: Final[dict[Step, Callable[[onnx.ModelProto], onnx.ModelProto]]] = {
    Step.OPSET: _convert,
    Step.SLIM: _slim,
    Step.BASIC: _basic,
}


def runtime_graph(model: bytes, level: Any) -> onnx.ModelProto:
    """The graph as the runtime rewrites it at optimisation `level`."""
    import onnxruntime  # noqa: PLC0415 - not paid by a cached run

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "optimised.onnx"
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.graph_optimization_level = level
        options.optimized_model_filepath = str(path)
        onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        return onnx.load(path)
