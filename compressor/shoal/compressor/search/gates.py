"""Gates before any row is run: loads, has kernels, and the runtime fuses its integers.

After onnxruntime has optimised a graph, ConvInteger, bounds left in float between integers, and
weights that are dequantized at every call tell in a tenth of a second what a stopwatch would tell
later: this variant is slow.
"""

from collections.abc import Iterator
from typing import Final

import onnx

from shoal.compressor.passes import graph
from shoal.compressor.passes.protocol import PassError
from shoal.compressor.rejections import Rejection

_SLOW: Final = {"ConvInteger"}
_BOUNDS: Final = {"Clip", "Relu"}  # an integer operator before them could have done it
_WEIGHTED: Final = {"Conv", "FusedConv", "MatMul", "FusedMatMul", "Gemm", "FusedGemm"}
_NO_KERNEL: Final = ("NOT_IMPLEMENTED", "Could not find an implementation", "is not a registered")


def check(model: bytes, *, quantized: bool) -> None:
    """Passes a model that loads; one that a pass `quantized` is fused too.

    A source that came with such operators is as fast as itself, whatever they are.

    Raises:
        PassError: RuntimeFailed, UnsupportedOperator or NotFused.
    """
    import onnxruntime  # noqa: PLC0415 - not paid by a cached run

    level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    try:
        optimised = graph.runtime_graph(model, level)
    except Exception as error:
        text = str(error).splitlines()[0][:300]
        reason = (
            Rejection.UNSUPPORTED_OPERATOR
            if any(mark in text for mark in _NO_KERNEL)
            else Rejection.RUNTIME_FAILED
        )
        raise PassError(reason, f"the runtime does not load it: {text}") from error
    stranded = unfused(optimised) if quantized else ()
    if stranded:
        raise PassError(Rejection.NOT_FUSED, f"the runtime leaves {', '.join(stranded)}")


def unfused(optimised: onnx.ModelProto) -> tuple[str, ...]:
    """What the runtime left unfused in its own optimised graph, as phrases.

    A float operator behind a DequantizeLinear of an *activation* is a layer kept in float on
    purpose; one behind a DequantizeLinear of a stored weight pays for it at every call.
    """
    stored = {tensor.name for tensor in optimised.graph.initializer}
    found = [
        f"{node.op_type} {node.name or node.output[0]}"
        for node in optimised.graph.node
        if node.op_type in _SLOW
    ]
    dequantized = {
        node.output[0]
        for node in optimised.graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in stored
    }
    found += [f"{kind} between integers" for kind in _stranded(optimised.graph)]
    found += [
        f"a weight of {node.op_type} dequantized at every call"
        for node in optimised.graph.node
        if node.op_type in _WEIGHTED and dequantized & set(node.input[1:2])
    ]
    return tuple(dict.fromkeys(found))


def _stranded(graph: onnx.GraphProto) -> Iterator[str]:
    """Bounds computed in float on what was integers before and becomes integers again."""
    makers = {name: node for node in graph.node for name in node.output}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    for node in graph.node:
        before = makers.get(node.input[0]) if node.op_type in _BOUNDS else None
        after = readers.get(node.output[0], [])
        is_between = before is not None and before.op_type == "DequantizeLinear" and after
        if is_between and all(one.op_type == "QuantizeLinear" for one in after):
            yield node.op_type
