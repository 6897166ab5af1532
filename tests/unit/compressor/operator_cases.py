"""One graph or more for every operator of the table: the node, its constants, its input's shape.

A node reads `x` and whatever constants it names; `opset` is 17 unless said. The parity of the round
trip is the test.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

from shoal.compressor.network import activations, reducing
from tests.unit.compressor.networks import IMAGE, Array, node, positive, random

SERIES = (2, 9)
VECTOR = (7,)
SEQUENCE = (5, 4)
VOLUME = (2, 4, 5, 3)


@dataclass(frozen=True, kw_only=True)
class Case:
    node: onnx.NodeProto
    constants: dict[str, Array] = field(default_factory=dict)
    shape: tuple[int, ...] = IMAGE
    opset: int = 17
    positive: bool = False


def case(operator: str, *inputs: str, **given: Any) -> Case:
    """A case whose keyword arguments are attributes, but for arrays (constants) and Case's own."""
    constants = {name: value for name, value in given.items() if isinstance(value, np.ndarray)}
    own = {name: given[name] for name in ("shape", "opset", "positive") if name in given}
    attributes = {name: value for name, value in given.items() if name not in {*constants, *own}}
    return Case(node=node(operator, *inputs, **attributes), constants=constants, **own)


def between(operator: str, *inputs: str, **given: Any) -> Case:
    """The same, with `x` where the inputs name it."""
    built = case(operator, *inputs, **given)
    del built.node.input[0]
    return built


def integers(*values: int) -> Array:
    return np.array(values, np.int64)


def number(value: float) -> Array:
    return np.array(value, np.float32)


_POSITIVE = {"Log", "Reciprocal", "Sqrt"}
_KERNEL = {"kernel_shape": [2, 2]}

CASES: dict[str, Case] = {
    **{
        name: case(name, positive=name in _POSITIVE)
        for name in activations.FUNCTIONS
        if name != "Not"
    },
    **{
        name: case(name, "axes", axes=integers(2, -1), keepdims=0, opset=18)
        for name in reducing.FUNCTIONS
    },
    **{f"{name} of old": case(name, axes=[1], opset=11) for name in reducing.FUNCTIONS},
    **{name: between(name, "x", "x") for name in ("Add", "Sub", "Mul", "Max", "Min", "Sum")},
    "LeakyRelu": case("LeakyRelu", alpha=0.2),
    "HardSigmoid with a slope": case("HardSigmoid", alpha=0.3),
    "Gelu": case("Gelu", opset=20),
    "Gelu by tanh": case("Gelu", approximate="tanh", opset=20),
    "Mish": case("Mish", opset=18),
    "Clip": case("Clip", "low", "high", low=number(0), high=number(6)),
    "Clip from above": case("Clip", "", "high", high=number(0.2)),
    "Clip of old": case("Clip", min=-0.5, max=0.5, opset=7),
    "Cast": case("Cast", to=TensorProto.FLOAT),
    "CastLike": case("CastLike", "like", like=number(1)),
    "Softmax": case("Softmax", axis=1),
    "Softmax of old": case("Softmax", shape=VECTOR, opset=7),
    "LogSoftmax": case("LogSoftmax", axis=-1),
    "LpNormalization": case("LpNormalization", axis=1, p=1),
    "CumSum": case("CumSum", "axis", axis=np.array(1, np.int64)),
    "Add one value a channel": case("Add", "c", c=random(4, 1, 1)),
    "Add one value a place": case("Add", "c", c=random(6, 6)),
    "Mul one value": case("Mul", "c", c=number(0.5)),
    "Div": case("Div", "c", c=positive(1, 4, 6, 6)),
    "Sub from a constant": between("Sub", "c", "x", c=random(1, 4, 1, 1)),
    "Pow": case("Pow", "c", c=number(2)),
    "Pow of a third": case("Pow", "c", c=number(0.3), positive=True),
    "Max of three": between("Max", "x", "c", "x", c=number(0.1)),
    "PRelu": case("PRelu", "c", c=random(4, 1, 1)),
    "Conv": case("Conv", "w", w=random(8, 4, 3, 3), pads=[1, 1, 1, 1]),
    "Conv with bias, strides and dilations": case(
        "Conv", "w", "b", w=random(8, 4, 3, 3), b=random(8), strides=[2, 1], dilations=[1, 2]
    ),
    "Conv with uneven pads": case("Conv", "w", w=random(8, 4, 3, 3), pads=[0, 1, 2, 1]),
    "Conv SAME_UPPER": case(
        "Conv", "w", w=random(8, 4, 3, 3), auto_pad="SAME_UPPER", strides=[2, 2]
    ),
    "Conv SAME_LOWER": case("Conv", "w", w=random(8, 4, 4, 4), auto_pad="SAME_LOWER"),
    "Conv VALID": case("Conv", "w", w=random(8, 4, 2, 2), auto_pad="VALID"),
    "Conv depthwise": case("Conv", "w", w=random(4, 1, 3, 3), group=4),
    "Conv in groups": case("Conv", "w", w=random(6, 2, 3, 3), group=2),
    "Conv of series": case("Conv", "w", w=random(3, 2, 3), pads=[1, 2], shape=SERIES),
    "Conv of volumes": case("Conv", "w", w=random(3, 2, 2, 2, 2), shape=VOLUME),
    "ConvTranspose": case("ConvTranspose", "w", w=random(4, 3, 2, 2), strides=[2, 2]),
    "ConvTranspose with all": case(
        "ConvTranspose",
        "w",
        "b",
        w=random(4, 2, 3, 3),
        b=random(4),
        strides=[2, 3],
        pads=[1, 0, 0, 1],
        output_padding=[1, 0],
        group=2,
    ),
    "ConvTranspose SAME": case(
        "ConvTranspose", "w", w=random(4, 3, 3, 3), strides=[2, 2], auto_pad="SAME_UPPER"
    ),
    "ConvTranspose by shape": case(
        "ConvTranspose", "w", w=random(4, 3, 3, 3), strides=[2, 2], output_shape=[12, 11]
    ),
    "ConvTranspose of series": case("ConvTranspose", "w", w=random(2, 3, 3), shape=SERIES),
    "Gemm": case("Gemm", "w", "b", w=random(3, 7), b=random(3), transB=1, shape=VECTOR),
    "Gemm scaled": case(
        "Gemm", "w", "b", w=random(7, 3), b=random(1, 3), alpha=0.5, beta=2.0, shape=VECTOR
    ),
    "Gemm without bias": case("Gemm", "w", w=random(7, 3), shape=VECTOR),
    "MatMul": case("MatMul", "w", w=random(7, 3), shape=VECTOR),
    "MatMul on the last axis": case("MatMul", "w", w=random(6, 3)),
    "MatMul of many matrices": case("MatMul", "w", w=random(4, 6, 3)),
    "MatMul from the left": between("MatMul", "w", "x", w=random(5, 6)),
    "MatMul of activations": between("MatMul", "x", "x"),
    "Einsum": case("Einsum", "w", w=random(5, 4), equation="bchw,oc->bohw"),
    "Einsum of activations": between("Einsum", "x", "x", equation="bchw,bchv->bcwv"),
    "BatchNormalization": case(
        "BatchNormalization", *"sbmv", s=random(4), b=random(4), m=random(4), v=positive(4)
    ),
    "BatchNormalization of vectors": case(
        "BatchNormalization", *"sssv", s=random(7), v=positive(7), shape=VECTOR
    ),
    "BatchNormalization of volumes": case(
        "BatchNormalization", *"sssv", s=random(2), v=positive(2), shape=VOLUME
    ),
    "LayerNormalization": case("LayerNormalization", "s", "b", s=random(6), b=random(6)),
    "LayerNormalization of rows": case("LayerNormalization", "s", s=random(4, 6, 6), axis=1),
    "InstanceNormalization": case("InstanceNormalization", "s", "b", s=random(4), b=random(4)),
    "GroupNormalization": case(
        "GroupNormalization", "s", "b", s=random(4), b=random(4), num_groups=2, opset=21
    ),
    "GroupNormalization of old": case(
        "GroupNormalization", "s", "b", s=random(2), b=random(2), num_groups=2, opset=18
    ),
    "LRN": case("LRN", size=3, alpha=0.1),
    "MaxPool": case("MaxPool", **_KERNEL, strides=[2, 2]),
    "MaxPool with uneven pads": case("MaxPool", kernel_shape=[3, 3], pads=[0, 0, 1, 1]),
    "MaxPool ceil_mode": case("MaxPool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    "MaxPool of series": case("MaxPool", kernel_shape=[2], shape=SERIES),
    "MaxPool of volumes": case("MaxPool", kernel_shape=[2, 2, 2], shape=VOLUME),
    "AveragePool": case("AveragePool", kernel_shape=[3, 2], pads=[1, 0, 1, 0]),
    "AveragePool of series": case("AveragePool", kernel_shape=[2], shape=SERIES),
    "AveragePool with uneven pads": case("AveragePool", kernel_shape=[3, 3], pads=[0, 0, 1, 1]),
    "AveragePool counting uneven pads": case(
        "AveragePool", kernel_shape=[3, 3], pads=[0, 0, 1, 1], count_include_pad=1
    ),
    "GlobalAveragePool": case("GlobalAveragePool"),
    "GlobalMaxPool": case("GlobalMaxPool"),
    "Pad": case("Pad", "p", "v", p=integers(0, 0, 1, 2, 0, 0, 0, 1), v=number(0.5)),
    "Pad of old": case("Pad", pads=[0, 0, 1, 2, 0, 0, 0, 1], value=0.5, opset=7),
    "Pad by axes": case("Pad", "p", "", "a", p=integers(1, 2), a=integers(-1), opset=18),
    "Pad reflect": case("Pad", "p", p=integers(0, 0, 1, 2, 0, 0, 0, 1), mode="reflect"),
    "Pad edge": case("Pad", "p", p=integers(0, 0, 1, 2, 0, 0, 0, 1), mode="edge"),
    "Pad less": case("Pad", "p", p=integers(0, 0, -1, 0, 0, 0, 0, -2)),
    "Resize nearest": case(
        "Resize",
        *("", "s"),
        s=np.array([1, 1, 2, 2], np.float32),
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    ),
    "Resize": case("Resize", *("", "", "n"), n=integers(1, 4, 12, 9), mode="linear"),
    "Resize aligned": case(
        "Resize",
        *("", "s"),
        s=np.array([1, 1, 2, 2], np.float32),
        mode="linear",
        coordinate_transformation_mode="align_corners",
    ),
    "Resize of opset 10": case("Resize", "s", s=np.array([1, 1, 2, 2], np.float32), opset=10),
    "Upsample": case("Upsample", "s", s=np.array([1, 1, 2, 3], np.float32), opset=9),
    "Upsample of old": case("Upsample", scales=[1.0, 1.0, 2.0, 2.0], opset=7),
    "DepthToSpace": case("DepthToSpace", blocksize=2, mode="DCR"),
    "DepthToSpace CRD": case("DepthToSpace", blocksize=2, mode="CRD"),
    "SpaceToDepth": case("SpaceToDepth", blocksize=3),
    "Trilu": case("Trilu", "k", k=np.array(1, np.int64), upper=0),
    "Concat": between("Concat", "x", "x", axis=1),
    "Concat with a constant": between("Concat", "c", "x", c=random(1, 2, 6, 6), axis=1),
    "Expand": case("Expand", "e", e=integers(3, 1, 7), shape=(3, 4, 1)),
    "Tile": case("Tile", "r", r=integers(1, 2, 1, 3)),
    "Flatten": case("Flatten"),
    "Reshape to two axes": case("Reshape", "s", s=integers(0, -1)),
    "Reshape": case("Reshape", "s", s=integers(-1, 8, 18)),
    "Transpose": case("Transpose", perm=[0, 2, 3, 1]),
    "Transpose of rows": case("Transpose", perm=[1, 0, 3, 2]),
    "Unsqueeze": case("Unsqueeze", "a", a=integers(2)),
    "Unsqueeze of old": case("Unsqueeze", axes=[2], opset=11),
    "Squeeze": case("Squeeze", "a", a=integers(2), shape=(9, 1)),
    "Squeeze of old": case("Squeeze", axes=[2], opset=11, shape=(9, 1)),
    "Slice": case(
        "Slice", *"seat", s=integers(1, -1), e=integers(9, -9), a=integers(1, 3), t=integers(2, -1)
    ),
    "Slice of old": case("Slice", starts=[1], ends=[-1], axes=[2], opset=9),
    "Gather one": case("Gather", "i", i=np.array(-1), axis=2),
    "Gather": case("Gather", "i", i=np.array([[2, 0], [1, 1]]), axis=2),
}

# Rows of integers, or of several answers: a graph each, in test_network_graphs.
_CHOOSING = {"And", "ArgMax", "ArgMin", "Not", "Or", "Where", "Xor"}
_COMPARING = {"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"}
ELSEWHERE = {"GRU", "LSTM", "RNN", "Split"} | _CHOOSING | _COMPARING
