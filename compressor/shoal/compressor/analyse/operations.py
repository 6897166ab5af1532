"""What one inference of a graph does: the runtime's own operators with their sums and bytes.

Read from the graph as the runtime rewrites it and from the shapes of one real row, so that a plan
of memory or a guess of latency speaks of the operators that will run, not of those in the file.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import onnx

from shoal.compressor.analyse import liveness, trace
from shoal.compressor.analyse.trace import Seen
from shoal.compressor.passes import graph as runtime
from shoal.compressor.sources.rows import Array

# Family of an operator, and which of its inputs are the two factors of its sums.
_FACTORS: Final[Mapping[str, tuple[str, int, int]]] = {
    "Conv": ("conv", 0, 1),
    "FusedConv": ("conv", 0, 1),
    "ConvTranspose": ("conv", 0, 1),
    "ConvInteger": ("conv", 0, 1),
    "QLinearConv": ("conv", 0, 3),
    "MatMul": ("matmul", 0, 1),
    "FusedMatMul": ("matmul", 0, 1),
    "Gemm": ("matmul", 0, 1),
    "FusedGemm": ("matmul", 0, 1),
    "QLinearMatMul": ("matmul", 0, 3),
    "QGemm": ("matmul", 0, 3),
    "MatMulInteger": ("dynamic", 0, 1),
    "MatMulIntegerToFloat": ("dynamic", 0, 1),
    "DynamicQuantizeMatMul": ("dynamic", 0, 1),
    "MatMulNBits": ("blocks", 0, 1),
    "LSTM": ("recurrent", 0, 1),
    "GRU": ("recurrent", 0, 1),
    "RNN": ("recurrent", 0, 1),
}
_FREE: Final = {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Shape", "Constant"}
_HEAVY: Final = {
    *("Softmax", "LayerNormalization", "SkipLayerNormalization", "Gelu", "BiasGelu", "FastGelu"),
    *("Erf", "Tanh", "Sigmoid", "Exp", "Log", "Pow", "Sqrt", "InstanceNormalization"),
    *("QLinearSoftmax", "QLinearSigmoid", "HardSwish", "Swish", "QuickGelu", "QGelu"),
}
_CONVOLUTIONS: Final = {"conv", "depthwise", "thin"}
_THIN: Final = 8  # channels
_TREES: Final = {"TreeEnsembleClassifier", "TreeEnsembleRegressor", "TreeEnsemble"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One node. `kind` is family/precision, such as conv/fp32; `sums` are multiply-accumulates.

    `read_bytes` are the weights of sums as often as they are read: a recurrent node reads them at
    every step. `places` are the positions of a convolution's output; `taps` counts how often it
    looks under its kernel at them, and `gathered` the numbers that it collects there.
    """

    operator: str
    kind: str
    sums: int
    weight_bytes: int
    read_bytes: int
    activation_bytes: int
    places: int
    taps: int
    gathered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A whole graph: its file's weights and nodes, and what the runtime makes of them."""

    operations: tuple[Operation, ...]
    nodes: int
    weight_bytes: int
    largest_weight_bytes: int
    live_bytes: int


def read(model: bytes, feed: Mapping[str, Array]) -> Work:
    """The work of one inference on `feed`; raises whatever the runtime raises."""
    import onnxruntime  # noqa: PLC0415 - not paid by a cached run

    level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    rewritten = runtime.runtime_graph(model, level)
    tensors = trace.trace(rewritten, feed)
    flow = liveness.flow(rewritten, tensors)
    written = onnx.load_from_string(model)
    stored = [trace.stored(tensor).bytes for tensor in written.graph.initializer]
    return Work(
        operations=tuple(
            _operation(node, set(step.weights), tensors)
            for node, step in zip(rewritten.graph.node, flow.steps, strict=True)
        ),
        nodes=len(written.graph.node),
        weight_bytes=sum(stored),
        largest_weight_bytes=max(stored, default=0),
        live_bytes=max(liveness.live_bytes(flow), default=0),
    )


def _operation(node: onnx.NodeProto, weights: set[str], tensors: Mapping[str, Seen]) -> Operation:
    made = [tensors[name] for name in node.output if name]
    read = [tensors[name] for name in node.input if name and name not in weights]
    first = made[0] if made else Seen(dtype="", shape=())
    family, sums = _sums(node, first, tensors)
    moved = sum(seen.bytes for seen in (*made, *read))
    held = sum(tensors[name].bytes for name in weights)
    places, taps, gathered = _places(node, family, first, tensors)
    often = math.prod(tensors[node.input[0]].shape[:1]) if family == "recurrent" else 1
    if node.op_type not in _FACTORS:  # a constant beside an activation, or the rows of a table
        moved, often = moved + min(held, first.bytes), 0
    if family in {"thin", "depthwise"}:
        often = 0  # a few numbers a channel
    return Operation(
        operator=node.op_type,
        kind=f"{family}/{_precision(node, tensors)}",
        sums=sums,
        weight_bytes=held,
        read_bytes=held * often,
        activation_bytes=0 if family == "free" else moved,
        places=places,
        taps=taps,
        gathered=gathered,
    )


def _sums(node: onnx.NodeProto, made: Seen, tensors: Mapping[str, Seen]) -> tuple[str, int]:
    factors = _FACTORS.get(node.op_type)
    if factors is None:
        return _family(node.op_type), made.numbers
    family, left, right = factors
    first, second = tensors[node.input[left]], tensors[node.input[right]]
    if family == "conv":
        depth = math.prod(second.shape[1:])
        return _convolution(_group(node), second.shape), made.numbers * depth
    if family == "recurrent":
        rows = math.prod(first.shape[:2])
        return family, rows * (second.numbers + tensors[node.input[2]].numbers)
    turned = any(a.name == "transA" and a.i for a in node.attribute)
    return family, made.numbers * (first.shape[0 if turned else -1] if first.shape else 1)


def _convolution(groups: int, kernel: tuple[int, ...]) -> str:
    """Convolutions over few channels are a family of their own: they gather more than they sum."""
    if groups * kernel[1] < _THIN:
        return "thin"
    return "depthwise" if groups > 1 and kernel[1] == 1 else "conv"


def _group(node: onnx.NodeProto) -> int:
    return next((int(a.i) for a in node.attribute if a.name == "group"), 1)


def _places(
    node: onnx.NodeProto, family: str, made: Seen, tensors: Mapping[str, Seen]
) -> tuple[int, int, int]:
    """Positions of a convolution's output, times places under the kernel, times their channels.

    Channels lie first or last, as the runtime likes; a 1x1 kernel gathers nothing.
    """
    if family not in _CONVOLUTIONS:
        return 0, 0, 0
    kernel = tensors[node.input[_FACTORS[node.op_type][2]]].shape
    places = made.numbers // max(kernel[0], 1)
    looks = places * math.prod(kernel[2:])
    if looks == places:
        return places, 0, 0
    return places, looks, looks * _group(node) * kernel[1]


def _family(operator: str) -> str:
    if operator in _FREE:
        return "free"
    if operator in _HEAVY:
        return "curve"
    if operator in _TREES:
        return "trees"
    if "Global" in operator:
        return "simple"  # one pass over its input
    if operator.endswith("AveragePool"):
        return "average"  # in int8 a far slower kernel than that of the maximum
    return "pool" if operator.endswith("Pool") else "simple"


def _precision(node: onnx.NodeProto, tensors: Mapping[str, Seen]) -> str:
    """fp32, fp16, int8, or the bits of weight blocks; integers of indices count as fp32."""
    if node.op_type == "MatMulNBits":
        return f"int{next((a.i for a in node.attribute if a.name == 'bits'), 4)}"
    names = [name for name in node.input if name]
    dtypes = {tensors[name].dtype for name in names}
    if dtypes & {"int8", "uint8"}:
        return "int8"
    return "fp16" if "float16" in dtypes else "fp32"
