"""The one table of operators: how each is read from ONNX and written back.

An operator that is not here is refused by name. Identity, Dropout, Constant, Shape and everything
that depends on constants alone leave no layer: the importer resolves them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import nn

from shoal.compressor.network import pointwise, shaping, spatial, weighted
from shoal.compressor.network.node import Node
from shoal.compressor.network.writing import Writer

Read = Callable[[Node], nn.Module]
Write = Callable[[nn.Module, Writer, list[str], str], None]


@dataclass(frozen=True, slots=True)
class Operator:
    """Both directions of one operator."""

    read: Read
    write: Write


# fmt: off
OPERATORS: Mapping[str, Operator] = {
    "Add":                Operator(pointwise.read_arithmetic,   pointwise.write_arithmetic),
    "AveragePool":        Operator(spatial.read_average_pool,   spatial.write_average_pool),
    "BatchNormalization": Operator(weighted.read_batch_norm,    weighted.write_batch_norm),
    "Clip":               Operator(pointwise.read_clip,         pointwise.write_clip),
    "Concat":             Operator(shaping.read_concat,         shaping.write_concat),
    "Conv":               Operator(weighted.read_convolution,   weighted.write_convolution),
    "Div":                Operator(pointwise.read_arithmetic,   pointwise.write_arithmetic),
    "Flatten":            Operator(shaping.read_flatten,        shaping.write_flatten),
    "Gemm":               Operator(weighted.read_gemm,          weighted.write_gemm),
    "GlobalAveragePool":  Operator(spatial.read_global_pool,    spatial.write_global_pool),
    "HardSigmoid":        Operator(pointwise.read_hard_sigmoid, pointwise.write_hard_sigmoid),
    "HardSwish":          Operator(pointwise.read_plain,        pointwise.write_plain),
    "MatMul":             Operator(weighted.read_matmul,        weighted.write_matmul),
    "MaxPool":            Operator(spatial.read_max_pool,       spatial.write_max_pool),
    "Mul":                Operator(pointwise.read_arithmetic,   pointwise.write_arithmetic),
    "Pad":                Operator(spatial.read_pad,            spatial.write_pad),
    "ReduceMean":         Operator(shaping.read_reduce_mean,    shaping.write_reduce_mean),
    "Relu":               Operator(pointwise.read_plain,        pointwise.write_plain),
    "Reshape":            Operator(shaping.read_reshape,        shaping.write_reshape),
    "Sigmoid":            Operator(pointwise.read_plain,        pointwise.write_plain),
    "Softmax":            Operator(pointwise.read_softmax,      pointwise.write_softmax),
    "Squeeze":            Operator(shaping.read_squeeze,        shaping.write_squeeze),
    "Sub":                Operator(pointwise.read_arithmetic,   pointwise.write_arithmetic),
    "Tanh":               Operator(pointwise.read_plain,        pointwise.write_plain),
    "Transpose":          Operator(shaping.read_transpose,      shaping.write_transpose),
    "Unsqueeze":          Operator(shaping.read_unsqueeze,      shaping.write_unsqueeze),
}
# fmt: on
