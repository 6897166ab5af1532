"""Reads operators that take numbers one by one, in whichever layout they come."""

from typing import Final

import numpy as np

from shoal.compressor.sources.litert.building import Building, refuse
from shoal.compressor.sources.litert.values import Operator

BINARY: Final = {
    "ADD": "Add",
    "SUB": "Sub",
    "MUL": "Mul",
    "DIV": "Div",
    "MAXIMUM": "Max",
    "MINIMUM": "Min",
    "POW": "Pow",
}
UNARY: Final = {
    "RELU": "Relu",
    "LOGISTIC": "Sigmoid",
    "TANH": "Tanh",
    "EXP": "Exp",
    "LOG": "Log",
    "SQRT": "Sqrt",
    "ABS": "Abs",
    "NEG": "Neg",
    "FLOOR": "Floor",
    "CEIL": "Ceil",
    "ELU": "Elu",
    "HARD_SWISH": "HardSwish",
}
CLIPS: Final = {"RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0), "RELU_0_TO_1": (0.0, 1.0)}


def binary(b: Building, op: Operator) -> None:
    """Sums, products and the like, with the same broadcasting as in ONNX."""
    _many(b, op, BINARY[op.kind])


def squared_difference(b: Building, op: Operator) -> None:
    """(x - y) ** 2."""
    x, y = op.input(0), op.input(1)
    first = _works_first(b, op)
    names = [b.first(x), b.first(y)] if first else [b.plain(x), b.plain(y)]
    apart = b.node("Sub", names)
    (b.put_first if first else b.put)(op, "Mul", [apart, apart])


def unary(b: Building, op: Operator) -> None:
    """Functions of one number that ONNX has too."""
    _one(b, op, UNARY[op.kind])


def clip(b: Building, op: Operator) -> None:
    """RELU6 and its kin."""
    bounds = [b.constant(np.array(bound, np.float32)) for bound in CLIPS[op.kind]]
    _one(b, op, "Clip", *bounds)


def rsqrt(b: Building, op: Operator) -> None:
    """1 / sqrt(x)."""
    x = op.input(0)
    first = b.prefers_first(x)
    root = b.node("Sqrt", [b.first(x) if first else b.plain(x)])
    (b.put_first if first else b.put)(op, "Reciprocal", [root])


def square(b: Building, op: Operator) -> None:
    """X * x."""
    x = op.input(0)
    first = b.prefers_first(x)
    name = b.first(x) if first else b.plain(x)
    (b.put_first if first else b.put)(op, "Mul", [name, name])


def leaky_relu(b: Building, op: Operator) -> None:
    """LEAKY_RELU with its slope."""
    x = op.input(0)
    alpha = float(op.options.get("alpha") or 0.0)
    if b.prefers_first(x):
        b.put_first(op, "LeakyRelu", [b.first(x)], alpha=alpha)
    else:
        b.put(op, "LeakyRelu", [b.plain(x)], alpha=alpha)


def prelu(b: Building, op: Operator) -> None:
    """PRELU, whose slopes lie like the input without its rows."""
    x = op.input(0)
    slopes = b.stored(op.input(1), "the slope of PRELU")
    if b.prefers_first(x):
        wide = slopes.reshape((1,) * (3 - slopes.ndim) + slopes.shape)
        b.put_first(op, "PRelu", [b.first(x), b.constant(wide.transpose(2, 0, 1))])
    else:
        b.put(op, "PRelu", [b.plain(x), b.constant(slopes)])


def quantize(b: Building, op: Operator) -> None:
    """QUANTIZE rounds to the steps of what it makes; DEQUANTIZE only tells what they stand for."""
    x, made = op.input(0), op.outputs[0]
    if b.is_stored(x):
        b.set_plain(made, b.constant(b.stored(x, "a weight").astype(np.float32)))
    elif b.tensor(made).is_quantized:
        name = b.first(x) if b.prefers_first(x) else b.plain(x)
        (b.end_first if b.prefers_first(x) else b.end)(op, name)
    else:
        b.alias(made, x)


def cast(b: Building, op: Operator) -> None:
    """CAST between kinds of numbers."""
    from onnx import helper  # noqa: PLC0415 - one operator needs it

    element = helper.np_dtype_to_tensor_dtype(np.dtype(b.tensor(op.outputs[0]).dtype))
    _one(b, op, "Cast", to=element)


def _many(b: Building, op: Operator, kind: str) -> None:
    if len(op.inputs) != 2:
        raise refuse(f"{op.kind} of {len(op.inputs)} values has no form in ONNX")
    if _works_first(b, op):
        b.put_first(op, kind, [b.first(one) for one in op.inputs])
    else:
        b.put(op, kind, [b.plain(one) for one in op.inputs])


def _works_first(b: Building, op: Operator) -> bool:
    """Whether an operator on several values is written with channels first."""
    computed = [one for one in op.inputs if not b.is_stored(one)]
    if len(b.shape(op.outputs[0])) != 4 or any(len(b.shape(one)) != 4 for one in computed):
        return False
    return any(b.prefers_first(one) for one in computed)


def _one(b: Building, op: Operator, kind: str, *more: str, **attributes: int) -> None:
    x = op.input(0)
    if b.prefers_first(x):
        b.put_first(op, kind, [b.first(x), *more], **attributes)
    else:
        b.put(op, kind, [b.plain(x), *more], **attributes)
