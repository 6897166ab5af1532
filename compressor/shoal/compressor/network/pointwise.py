"""Layers that work element by element, and softmax."""

import math

import torch
from torch import nn

from shoal.compressor.network.layers import Arithmetic, Clamp, HardSigmoid
from shoal.compressor.network.node import Node
from shoal.compressor.network.weighted import tensor
from shoal.compressor.network.writing import Writer

_PLAIN = {
    nn.ReLU: "Relu",
    nn.Sigmoid: "Sigmoid",
    nn.Tanh: "Tanh",
    nn.Hardswish: "HardSwish",
}
_LAYERS: dict[str, type[nn.Module]] = {name: kind for kind, name in _PLAIN.items()}
# Before this opset softmax flattened everything behind its axis into one.
_SOFTMAX_OF_ONE_AXIS = 13


def read_plain(node: Node) -> nn.Module:
    """An activation function without parameters."""
    return _LAYERS[node.proto.op_type]()


def write_plain(layer: nn.Module, writer: Writer, inputs: list[str], output: str) -> None:
    """One node of the function's own name."""
    writer.add(_PLAIN[type(layer)], inputs, output)


def read_arithmetic(node: Node) -> nn.Module:
    """Add, Sub, Mul or Div; a constant operand becomes part of the layer."""
    operator = node.proto.op_type
    if len(node.shapes) == 2:
        return Arithmetic(operator)
    first = node.constant(0) is not None
    constant = node.weight(0 if first else 1)
    rank = len(node.shapes[0])
    if constant.ndim > rank or (constant.ndim == rank and constant.shape[0] != 1):
        node.refuse("a constant with one value a row")
    shape = (1,) * (rank - constant.ndim) + constant.shape
    return Arithmetic(operator, tensor(constant.reshape(shape)), first=first)


def write_arithmetic(layer: nn.Module, writer: Writer, inputs: list[str], output: str) -> None:
    """One node, the constant where it was."""
    assert isinstance(layer, Arithmetic)
    names = list(inputs)
    if layer.constant is not None:
        names.insert(0 if layer.first else 1, writer.weight(layer.constant))
    writer.add(layer.operator, names, output)


def read_clip(node: Node) -> nn.Module:
    """Clip; ReLU6 is Clip between 0 and 6."""
    return Clamp(node.scalar("min", 1, -math.inf), node.scalar("max", 2, math.inf))


def write_clip(layer: nn.Module, writer: Writer, inputs: list[str], output: str) -> None:
    """One Clip node; an infinite bound is left out."""
    assert isinstance(layer, Clamp)
    bounds = [
        writer.weight(torch.tensor(bound)) if math.isfinite(bound) else ""
        for bound in (layer.low, layer.high)
    ]
    writer.add("Clip", [*inputs, *bounds], output)


def read_hard_sigmoid(node: Node) -> nn.Module:
    """HardSigmoid with its slope and offset."""
    return HardSigmoid(node.attribute("alpha", 0.2), node.attribute("beta", 0.5))


def write_hard_sigmoid(layer: nn.Module, writer: Writer, inputs: list[str], output: str) -> None:
    """One HardSigmoid node."""
    assert isinstance(layer, HardSigmoid)
    writer.add("HardSigmoid", inputs, output, alpha=layer.alpha, beta=layer.beta)


def read_softmax(node: Node) -> nn.Module:
    """Softmax over one axis."""
    old = node.opset < _SOFTMAX_OF_ONE_AXIS
    (axis,) = node.rows_stay([node.attribute("axis", 1 if old else -1)])
    if old and axis != len(node.shapes[0]) - 1:
        node.refuse(f"several axes at once (opset {node.opset})")
    return nn.Softmax(dim=axis)


def write_softmax(layer: nn.Module, writer: Writer, inputs: list[str], output: str) -> None:
    """One Softmax node."""
    assert isinstance(layer, nn.Softmax)
    writer.add("Softmax", inputs, output, axis=layer.dim)
