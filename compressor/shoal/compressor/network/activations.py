"""Functions of one value: activations, elementary functions, casts, clips, softmax."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional

from shoal.compressor.network.layers import Function, Layer
from shoal.compressor.network.node import Node
from shoal.compressor.network.writing import Writer

# Before this opset softmax flattened everything behind its axis into one.
_SOFTMAX_OF_ONE_AXIS = 13


def _selu(value: Tensor, alpha: float, gamma: float) -> Tensor:
    return gamma * torch.where(value > 0, value, alpha * torch.expm1(value))


def _hard_sigmoid(value: Tensor, alpha: float, beta: float) -> Tensor:
    return torch.clamp(value * alpha + beta, 0, 1)


def _thresholded(value: Tensor, alpha: float) -> Tensor:
    return torch.where(value > alpha, value, torch.zeros((), dtype=value.dtype))


# What each function is in torch, and its attributes with ONNX's defaults.
# fmt: off
FUNCTIONS: Mapping[str, tuple[Callable[..., Tensor], Mapping[str, float]]] = {
    "Abs":             (torch.abs,               {}),
    "Ceil":            (torch.ceil,              {}),
    "Celu":            (functional.celu,         {"alpha": 1.0}),
    "Cos":             (torch.cos,               {}),
    "Elu":             (functional.elu,          {"alpha": 1.0}),
    "Erf":             (torch.erf,               {}),
    "Exp":             (torch.exp,               {}),
    "Floor":           (torch.floor,             {}),
    "HardSigmoid":     (_hard_sigmoid,           {"alpha": 0.2, "beta": 0.5}),
    "HardSwish":       (functional.hardswish,    {}),
    "Log":             (torch.log,               {}),
    "Neg":             (torch.neg,               {}),
    "Not":             (torch.logical_not,       {}),
    "Reciprocal":      (torch.reciprocal,        {}),
    "Relu":            (torch.relu,              {}),
    "Round":           (torch.round,             {}),
    "Selu":            (_selu,                   {"alpha": 1.67326319217681884765625,
                                                  "gamma": 1.05070102214813232421875}),
    "Sigmoid":         (torch.sigmoid,           {}),
    "Sign":            (torch.sign,              {}),
    "Sin":             (torch.sin,               {}),
    "Softplus":        (functional.softplus,     {}),
    "Softsign":        (functional.softsign,     {}),
    "Sqrt":            (torch.sqrt,              {}),
    "Tanh":            (torch.tanh,              {}),
    "ThresholdedRelu": (_thresholded,            {"alpha": 1.0}),
}
# fmt: on


def read_function(node: Node) -> nn.Module:
    """A function of each element."""
    operator = node.proto.op_type
    function, defaults = FUNCTIONS[operator]
    found = {name: float(node.attribute(name, value)) for name, value in defaults.items()}
    return Function(operator, partial(function, **found) if found else function, **found)


def read_leaky_relu(node: Node) -> nn.Module:
    """LeakyRelu with its slope."""
    slope = float(node.attribute("alpha", 0.01))
    function = partial(functional.leaky_relu, negative_slope=slope)
    return Function("LeakyRelu", function, alpha=slope)


def write_function(layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]) -> None:
    """One node of the function's own name."""
    assert isinstance(layer, Function)
    writer.add(layer.operator, inputs, outputs, **layer.attributes)


class Gelu(Layer):
    """Gaussian error linear unit (Hendrycks and Gimpel, arXiv:1606.08415), exact or by tanh."""

    def __init__(self, approximate: str) -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, value: Tensor) -> Tensor:
        """Apply it."""
        return functional.gelu(value, approximate=self.approximate)


def read_gelu(node: Node) -> nn.Module:
    """Gelu of opset 20."""
    return Gelu(node.attribute("approximate", "none"))


def write_gelu(layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]) -> None:
    """The formula in the form that runtimes fuse, as older opsets have no Gelu."""
    assert isinstance(layer, Gelu)
    (value,) = inputs

    def number(of: float) -> str:
        return writer.weight(np.array(of, np.float32))

    if layer.approximate == "none":
        scaled = writer.via("Div", [value, number(math.sqrt(2))])
        shape = writer.via("Erf", [scaled])
    else:
        cube = writer.via("Pow", [value, number(3.0)])
        rest = writer.via("Mul", [cube, number(0.044715)])
        inner = writer.via("Add", [value, rest])
        scaled = writer.via("Mul", [inner, number(math.sqrt(2 / math.pi))])
        shape = writer.via("Tanh", [scaled])
    gate = writer.via("Add", [shape, number(1.0)])
    # Halved first: a product right behind would take a half at the end for a scale of its own.
    half = writer.via("Mul", [value, number(0.5)])
    writer.add("Mul", [half, gate], outputs)


def read_mish(node: Node) -> nn.Module:  # noqa: ARG001 - every reader takes a node
    """Mish of opset 18 (Misra, arXiv:1908.08681)."""
    return Function("Mish", functional.mish)


def write_mish(layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]) -> None:  # noqa: ARG001 - every writer takes a layer
    """X * tanh(softplus(x)), as older opsets have no Mish."""
    gate = writer.via("Tanh", [writer.via("Softplus", inputs)])
    writer.add("Mul", [*inputs, gate], outputs)


class Clamp(Layer):
    """Values held between two bounds, infinite ones included."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.low = low
        self.high = high

    def forward(self, value: Tensor) -> Tensor:
        """Element by element."""
        if (self.low, self.high) == (0.0, 6.0):
            return functional.relu6(value)
        return torch.clamp(value, self.low, self.high)


def read_clip(node: Node) -> nn.Module:
    """Clip; ReLU6 is Clip between 0 and 6."""
    if node.types[0].is_floating_point:
        return Clamp(node.scalar("min", 1, -math.inf), node.scalar("max", 2, math.inf))
    return node.refuse("whole numbers")


def write_clip(layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]) -> None:
    """One Clip node, its bounds constants so that runtimes fuse it; an infinite one is left out."""
    assert isinstance(layer, Clamp)
    bounds = [
        writer.weight(np.array(bound, np.float32)) if abs(bound) < np.finfo(np.float32).max else ""
        for bound in (layer.low, layer.high)
    ]
    while bounds and not bounds[-1]:
        bounds.pop()
    writer.add("Clip", [*inputs, *bounds], outputs)


class Cast(Layer):
    """Another type of numbers."""

    def __init__(self, to: torch.dtype) -> None:
        super().__init__()
        self.to_type = to

    def forward(self, value: Tensor) -> Tensor:
        """Convert."""
        return value.to(self.to_type)


_TYPES: Mapping[int, torch.dtype] = {
    onnx.TensorProto.FLOAT: torch.float32,
    onnx.TensorProto.DOUBLE: torch.float64,
    onnx.TensorProto.FLOAT16: torch.float16,
    onnx.TensorProto.INT8: torch.int8,
    onnx.TensorProto.UINT8: torch.uint8,
    onnx.TensorProto.INT16: torch.int16,
    onnx.TensorProto.INT32: torch.int32,
    onnx.TensorProto.INT64: torch.int64,
    onnx.TensorProto.BOOL: torch.bool,
}
_CODES = {dtype: code for code, dtype in _TYPES.items()}


def read_cast(node: Node) -> nn.Module:
    """Cast, and CastLike with the type of its second input."""
    if node.proto.op_type == "Cast":
        to = _TYPES.get(node.attribute("to"))
    elif 1 in node.types:
        to = node.types[1]
    else:
        to = torch.from_numpy(node.weight(1).reshape(-1)[:1].copy()).dtype
    if to is None:
        node.refuse("a type that is not trained with")
    return Cast(to) if len(node.views) == 1 else node.refuse("the type of another value")


def write_cast(layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]) -> None:
    """One Cast node."""
    assert isinstance(layer, Cast)
    writer.add("Cast", inputs, outputs, to=_CODES[layer.to_type])


class OverAxis(Layer):
    """A function along one axis that keeps the shape: softmax and its kin."""

    def __init__(self, operator: str, axis: int, **attributes: Any) -> None:
        super().__init__()
        self.operator = operator
        self.axis = axis
        self.attributes = attributes

    def forward(self, value: Tensor) -> Tensor:
        """Apply it."""
        if self.operator == "Softmax":
            return torch.softmax(value, self.axis)
        if self.operator == "LogSoftmax":
            return torch.log_softmax(value, self.axis)
        if self.operator == "CumSum":
            return torch.cumsum(value, self.axis)
        order = float(self.attributes["p"])
        norm: Tensor = torch.linalg.vector_norm(value, order, self.axis, keepdim=True)
        return value / norm


def read_softmax(node: Node) -> nn.Module:
    """Softmax or LogSoftmax over one axis."""
    old = node.opset < _SOFTMAX_OF_ONE_AXIS
    default = 1 if old else -1
    axis = node.axis(default)
    behind = node.view.shape[node.attribute("axis", default) % node.rank + 1 :]
    if old and any(size != 1 for size in behind):
        node.refuse(f"several axes at once (opset {node.opset})")
    return OverAxis(node.proto.op_type, axis)


def read_lp_normalization(node: Node) -> nn.Module:
    """LpNormalization over one axis."""
    return OverAxis("LpNormalization", node.axis(-1), p=int(node.attribute("p", 2)))


def read_cumulative_sum(node: Node) -> nn.Module:
    """CumSum from the front, the element itself included."""
    if node.attribute("exclusive", 0) or node.attribute("reverse", 0):
        node.refuse("exclusive or reverse")
    (axis,) = node.rows_stay([int(node.weight(1).reshape(-1)[0])])
    return OverAxis("CumSum", axis)


def write_over_axis(
    layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]
) -> None:
    """One node along the axis."""
    assert isinstance(layer, OverAxis)
    if layer.operator == "CumSum":
        axis = writer.weight(np.array(layer.axis, np.int64))
        writer.add("CumSum", [*inputs, axis], outputs)
    else:
        writer.add(layer.operator, inputs, outputs, axis=layer.axis, **layer.attributes)
