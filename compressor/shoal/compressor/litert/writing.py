"""Writes an ONNX graph as a float `.tflite` file of the same names, shapes and numbers.

Channels lie last inside; the edges keep the shapes of the ONNX graph. An operator outside the table
ends as `UnsupportedOperator`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import onnx

from shoal.compressor.litert import dense, graph, pointwise, shaping, spatial
from shoal.compressor.litert.draft import Draft
from shoal.compressor.litert.graph import Node
from shoal.compressor.passes.protocol import Array

Writer = Callable[[Draft, Node], None]

OPERATORS: Final[Mapping[str, Writer]] = {
    "Conv": spatial.conv,
    "ConvTranspose": spatial.conv_transpose,
    "MaxPool": spatial.pool,
    "AveragePool": spatial.pool,
    "BatchNormalization": spatial.batch_normalization,
    "Resize": spatial.resize,
    "Upsample": spatial.resize,
    "DepthToSpace": spatial.blocks,
    "SpaceToDepth": spatial.blocks,
    "GlobalAveragePool": dense.global_pool,
    "GlobalMaxPool": dense.global_pool,
    **dict.fromkeys(dense.REDUCERS, dense.reduce),
    "Gemm": dense.gemm,
    "MatMul": dense.matmul,
    "Softmax": dense.softmax,
    "ArgMax": dense.arg_max,
    **dict.fromkeys(pointwise.BINARY, pointwise.binary),
    **dict.fromkeys(pointwise.UNARY, pointwise.unary),
    "Elu": pointwise.elu,
    "LeakyRelu": pointwise.leaky_relu,
    "PRelu": pointwise.prelu,
    "Relu": pointwise.clip,
    "Clip": pointwise.clip,
    "HardSigmoid": pointwise.hard_sigmoid,
    "Identity": pointwise.identity,
    "Dropout": pointwise.identity,
    "Reshape": shaping.reshape,
    "Flatten": shaping.reshape,
    "Squeeze": shaping.reshape,
    "Unsqueeze": shaping.reshape,
    "Transpose": shaping.transpose,
    "Concat": shaping.concat,
    "Split": shaping.split,
    "Pad": shaping.pad,
    "Slice": shaping.cut,
    "Gather": shaping.gather,
    "Cast": shaping.cast,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The file, and the tensors in it that carry each value of the ONNX graph."""

    data: bytes
    tensors: Mapping[str, tuple[str, ...]]


def write(model: onnx.ModelProto, constants: Mapping[str, Array]) -> Written:
    """`model` as a float file for one row; `constants` are the inputs fed whole with every row.

    Raises:
        PassError: UnsupportedOperator, something in it has no form in LiteRT.
    """
    read = graph.read(model, constants)
    unknown = sorted({node.kind for node in read.nodes} - set(OPERATORS))
    if unknown:
        raise graph.refusal(f"no form in LiteRT is known here for {', '.join(unknown)}")
    draft = Draft(read)
    for node in read.nodes:
        if node.index not in draft.done:
            OPERATORS[node.kind](draft, node)
    return Written(data=draft.finish(), tensors=draft.tensor_names())
