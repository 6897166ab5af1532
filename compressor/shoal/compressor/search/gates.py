"""Gates before any row is run: loads, has kernels, and the runtime fuses its integers.

After onnxruntime has optimised a graph, ConvInteger and weights that are dequantized at every call
tell in a tenth of a second what a stopwatch would tell later: this variant is slow.
"""

from typing import Final

import onnx

from shoal.compressor.passes import graph
from shoal.compressor.passes.protocol import PassError
from shoal.compressor.rejections import Rejection

_SLOW: Final = {"ConvInteger"}
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
    found += [
        f"a weight of {node.op_type} dequantized at every call"
        for node in optimised.graph.node
        if node.op_type in _WEIGHTED and dequantized & set(node.input[1:2])
    ]
    return tuple(dict.fromkeys(found))
