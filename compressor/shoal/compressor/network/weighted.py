"""Layers with weights: convolution, matrix products, batch normalisation.

Weights are real torch layers, so that torch-pruning knows how to narrow them.
"""

import numpy as np
import torch
from torch import Tensor, nn

from shoal.compressor.network.geometry import Window, onnx_attributes, onnx_pads
from shoal.compressor.network.layers import PaddedConv1d, PaddedConv2d
from shoal.compressor.network.node import Array, Node
from shoal.compressor.network.writing import Writer


def tensor(array: Array) -> Tensor:
    """A copy that torch may train."""
    return torch.from_numpy(np.array(array))


def read_convolution(node: Node) -> nn.Module:
    """Conv over one or two spatial axes; weights `w_OIHW`."""
    weight = node.weight(1)
    bias = node.weight(2) if len(node.proto.input) > 2 and node.proto.input[2] else None
    if weight.ndim not in {3, 4}:
        node.refuse(f"{weight.ndim - 2} spatial axes")
    window = Window.of(node, tuple(weight.shape[2:]))
    groups = int(node.attribute("group", 1))
    kind = PaddedConv1d if weight.ndim == 3 else PaddedConv2d
    layer = kind(
        weight.shape[1] * groups,
        weight.shape[0],
        window.kernel,  # type: ignore[arg-type]  # a tuple of as many numbers as the layer has axes
        stride=window.strides,  # type: ignore[arg-type]
        padding=window.torch_padding,  # type: ignore[arg-type]
        dilation=window.dilations,  # type: ignore[arg-type]
        groups=groups,
        bias=bias is not None,
    )
    layer.uneven = window.uneven
    layer.weight = nn.Parameter(tensor(weight))
    if bias is not None:
        layer.bias = nn.Parameter(tensor(bias))
    return layer


def write_convolution(layer: nn.Module, writer: Writer, inputs: list[str], output: str) -> None:
    """One Conv node."""
    assert isinstance(layer, PaddedConv1d | PaddedConv2d)
    names = [*inputs, writer.weight(layer.weight)]
    if layer.bias is not None:
        names.append(writer.weight(layer.bias))
    pads = onnx_pads(layer.padding, layer.uneven)
    attributes = onnx_attributes(layer.kernel_size, layer.stride, layer.dilation, pads)
    groups = layer.groups if layer.groups > 1 else None
    writer.add("Conv", names, output, group=groups, **attributes)


def read_gemm(node: Node) -> nn.Module:
    """Gemm with constant weights; alpha and beta are multiplied into them."""
    weight = node.weight(1)
    bias = node.weight(2) if len(node.proto.input) > 2 and node.proto.input[2] else None
    if node.attribute("transA", 0):
        node.refuse("transA")
    if bias is not None and bias.ndim == 2 and bias.shape[0] != 1:
        node.refuse("an addend with one value a row")
    weight_OI = weight if node.attribute("transB", 0) else weight.T  # noqa: N806 - (out, in)
    layer = _linear(weight_OI * np.float32(node.attribute("alpha", 1.0)))
    if bias is not None:
        scaled = (bias * np.float32(node.attribute("beta", 1.0))).reshape(-1)
        layer.bias = nn.Parameter(tensor(np.broadcast_to(scaled, weight_OI.shape[:1])))
    return layer


def read_matmul(node: Node) -> nn.Module:
    """MatMul of an activation and a constant matrix."""
    weight = node.weight(1)
    if weight.ndim != 2:
        node.refuse(f"a constant with {weight.ndim} axes")
    return _linear(weight.T)


def _linear(weight_OI: Array) -> nn.Linear:  # noqa: N803 - (out, in)
    layer = nn.Linear(weight_OI.shape[1], weight_OI.shape[0], bias=False)
    layer.weight = nn.Parameter(tensor(weight_OI))
    return layer


def write_gemm(layer: nn.Module, writer: Writer, inputs: list[str], output: str) -> None:
    """One Gemm node, for activations with two axes."""
    assert isinstance(layer, nn.Linear)
    names = [*inputs, writer.weight(layer.weight)]
    if layer.bias is not None:
        names.append(writer.weight(layer.bias))
    writer.add("Gemm", names, output, transB=1)


def write_matmul(layer: nn.Module, writer: Writer, inputs: list[str], output: str) -> None:
    """MatMul, and Add where there is a bias: serves activations of any rank."""
    assert isinstance(layer, nn.Linear)
    product = output if layer.bias is None else writer.name("t")
    writer.add("MatMul", [*inputs, writer.weight(layer.weight.T)], product)
    if layer.bias is not None:
        writer.add("Add", [product, writer.weight(layer.bias)], output)


def read_batch_norm(node: Node) -> nn.Module:
    """BatchNormalization with its stored statistics."""
    if node.attribute("training_mode", 0):
        node.refuse("training_mode")
    scale, bias, mean, variance = (tensor(node.weight(index)) for index in range(1, 5))
    kinds = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d}
    rank = len(node.shapes[0])
    if rank not in kinds:
        node.refuse(f"an input with {rank} axes")
    layer = kinds[rank](len(scale), eps=node.attribute("epsilon", 1e-5))
    layer.weight = nn.Parameter(scale)
    layer.bias = nn.Parameter(bias)
    layer.running_mean = mean
    layer.running_var = variance
    return layer


def write_batch_norm(layer: nn.Module, writer: Writer, inputs: list[str], output: str) -> None:
    """One BatchNormalization node."""
    assert isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)
    assert layer.running_mean is not None
    assert layer.running_var is not None
    values = (layer.weight, layer.bias, layer.running_mean, layer.running_var)
    names = [*inputs, *(writer.weight(value) for value in values)]
    writer.add("BatchNormalization", names, output, epsilon=layer.eps)
