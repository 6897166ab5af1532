"""The one table of operators: how each is read from ONNX and written back.

An operator that is not here is refused by name. Identity, Dropout, Constant, Shape and everything
that depends on constants alone leave no layer: the importer resolves them.
"""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import nn

from shoal.compressor.network import (
    activations,
    arithmetic,
    indexing,
    joining,
    normalizing,
    products,
    recurrent,
    reducing,
    resizing,
    shaping,
    spatial,
    weighted,
)
from shoal.compressor.network.node import Node, Reading
from shoal.compressor.network.writing import Writer

Read = Callable[[Node], nn.Module | Reading]
Write = Callable[[nn.Module, Writer, list[str], list[str]], None]


class Place(enum.Enum):
    """Where an operator needs the rows of its inputs."""

    ANYWHERE = enum.auto()  # it counts axes itself
    ALIGNED = enum.auto()  # at one place in all operands, which broadcast
    TARGET = enum.auto()  # as if its only constant, a shape, were another operand
    MATRICES = enum.auto()  # at one place, in front of the last two axes
    FIRST = enum.auto()  # on the first axis
    SECOND = enum.auto()  # on the second axis


@dataclass(frozen=True, slots=True)
class Operator:
    """Both directions of one operator."""

    read: Read
    write: Write


_FUNCTION = (activations.read_function, activations.write_function)
_ARITHMETIC = (arithmetic.read_arithmetic, arithmetic.write_arithmetic)
_REDUCE = (reducing.read_reduce, reducing.write_reduce)

# fmt: off
_TABLE: Mapping[str, tuple[Read, Write]] = {
    **dict.fromkeys(activations.FUNCTIONS, _FUNCTION),
    **dict.fromkeys(arithmetic.FUNCTIONS, _ARITHMETIC),
    **dict.fromkeys(reducing.FUNCTIONS, _REDUCE),
    "ArgMax":                (reducing.read_arg,                 reducing.write_arg),
    "ArgMin":                (reducing.read_arg,                 reducing.write_arg),
    "AveragePool":           (spatial.read_average_pool,         spatial.write_average_pool),
    "BatchNormalization":    (normalizing.read_batch_norm,       normalizing.write_batch_norm),
    "Cast":                  (activations.read_cast,             activations.write_cast),
    "CastLike":              (activations.read_cast,             activations.write_cast),
    "Clip":                  (activations.read_clip,             activations.write_clip),
    "Concat":                (joining.read_concat,               joining.write_concat),
    "Conv":                  (weighted.read_convolution,         weighted.write_convolution),
    "ConvTranspose":         (weighted.read_transposed,          weighted.write_transposed),
    "CumSum":                (activations.read_cumulative_sum,   activations.write_over_axis),
    "DepthToSpace":          (resizing.read_depth_to_space,      resizing.write_depth_to_space),
    "Einsum":                (products.read_einsum,              products.write_einsum),
    "Expand":                (joining.read_expand,               joining.write_expand),
    "Flatten":               (shaping.read_flatten,              shaping.write_reshape),
    "GRU":                   (recurrent.read_recurrent,          recurrent.write_recurrent),
    "Gather":                (indexing.read_gather,              indexing.write_gather),
    "Gelu":                  (activations.read_gelu,             activations.write_gelu),
    "Gemm":                  (weighted.read_gemm,                weighted.write_gemm),
    "GlobalAveragePool":     (spatial.read_global_pool,          spatial.write_global_pool),
    "GlobalMaxPool":         (spatial.read_global_pool,          spatial.write_global_pool),
    "GroupNormalization":    (normalizing.read_group_norm,       normalizing.write_group_norm),
    "InstanceNormalization": (normalizing.read_instance_norm,    normalizing.write_instance_norm),
    "LRN":                   (normalizing.read_local_response,   normalizing.write_local_response),
    "LSTM":                  (recurrent.read_recurrent,          recurrent.write_recurrent),
    "LayerNormalization":    (normalizing.read_layer_norm,       normalizing.write_layer_norm),
    "LeakyRelu":             (activations.read_leaky_relu,       activations.write_function),
    "LogSoftmax":            (activations.read_softmax,          activations.write_over_axis),
    "LpNormalization":       (activations.read_lp_normalization, activations.write_over_axis),
    "MatMul":                (products.read_matmul,              products.write_matmul),
    "MaxPool":               (spatial.read_max_pool,             spatial.write_max_pool),
    "Mish":                  (activations.read_mish,             activations.write_mish),
    "Pad":                   (spatial.read_pad,                  spatial.write_pad),
    "RNN":                   (recurrent.read_recurrent,          recurrent.write_recurrent),
    "Reshape":               (shaping.read_reshape,              shaping.write_reshape),
    "Resize":                (resizing.read_resize,              resizing.write_resize),
    "Slice":                 (indexing.read_slice,               indexing.write_slice),
    "Softmax":               (activations.read_softmax,          activations.write_over_axis),
    "SpaceToDepth":          (resizing.read_space_to_depth,      resizing.write_space_to_depth),
    "Split":                 (indexing.read_split,               indexing.write_split),
    "Squeeze":               (shaping.read_squeeze,              shaping.write_reshape),
    "Tile":                  (joining.read_tile,                 joining.write_tile),
    "Transpose":             (shaping.read_transpose,            shaping.write_transpose),
    "Trilu":                 (resizing.read_triangle,            resizing.write_triangle),
    "Unsqueeze":             (shaping.read_unsqueeze,            shaping.write_reshape),
    "Upsample":              (resizing.read_resize,              resizing.write_resize),
}
# fmt: on
OPERATORS: Mapping[str, Operator] = {name: Operator(*row) for name, row in _TABLE.items()}

# Where the operators that are not here need their rows: anywhere.
PLACES: Mapping[str, Place] = {
    **dict.fromkeys(arithmetic.FUNCTIONS, Place.ALIGNED),
    **dict.fromkeys(("GRU", "LSTM", "RNN"), Place.SECOND),
    **dict.fromkeys(
        (
            "AveragePool",
            "BatchNormalization",
            "Conv",
            "ConvTranspose",
            "DepthToSpace",
            "GlobalAveragePool",
            "GlobalMaxPool",
            "GroupNormalization",
            "InstanceNormalization",
            "LRN",
            "MaxPool",
            "Resize",
            "SpaceToDepth",
            "Upsample",
        ),
        Place.FIRST,
    ),
    "Expand": Place.TARGET,
    "MatMul": Place.MATRICES,
}
