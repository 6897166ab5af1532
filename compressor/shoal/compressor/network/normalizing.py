"""Normalisation layers: over rows by stored statistics, over features, channels and groups."""

from collections.abc import Mapping

import numpy as np
from torch import nn

from shoal.compressor.network.node import Node
from shoal.compressor.network.weights import parameter, tensor
from shoal.compressor.network.writing import Writer

BatchNorms = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d
InstanceNorms = nn.InstanceNorm1d | nn.InstanceNorm2d | nn.InstanceNorm3d
_BATCH: Mapping[int, type[BatchNorms]] = {
    2: nn.BatchNorm1d,
    3: nn.BatchNorm1d,
    4: nn.BatchNorm2d,
    5: nn.BatchNorm3d,
}
_INSTANCE: Mapping[int, type[InstanceNorms]] = {
    3: nn.InstanceNorm1d,
    4: nn.InstanceNorm2d,
    5: nn.InstanceNorm3d,
}
# From this opset on GroupNormalization has one scale a channel, before one a group.
_SCALE_A_CHANNEL = 21


def read_batch_norm(node: Node) -> nn.Module:
    """BatchNormalization with its stored statistics."""
    if node.attribute("training_mode", 0) or not node.attribute("spatial", 1):
        node.refuse("training_mode or statistics of every place")
    scale, bias, mean, variance = (node.weight(index) for index in range(1, 5))
    if node.rank not in _BATCH:
        node.refuse(f"an input with {node.rank} axes")
    layer = _BATCH[node.rank](len(scale), eps=node.attribute("epsilon", 1e-5))
    layer.weight = parameter(scale)
    layer.bias = parameter(bias)
    layer.running_mean = tensor(mean)
    layer.running_var = tensor(variance)
    return layer


def write_batch_norm(
    layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]
) -> None:
    """One BatchNormalization node."""
    assert isinstance(layer, BatchNorms)
    assert layer.running_mean is not None
    assert layer.running_var is not None
    values = (layer.weight, layer.bias, layer.running_mean, layer.running_var)
    names = [*inputs, *(writer.weight(value) for value in values)]
    writer.add("BatchNormalization", names, outputs, epsilon=layer.eps)


def read_layer_norm(node: Node) -> nn.Module:
    """LayerNormalization over the last axes."""
    if len([name for name in node.proto.output if name]) > 1:
        node.refuse("mean and deviation as outputs")
    axis = node.axis(-1)
    rows = node.view.rows
    if rows is not None and rows > node.attribute("axis", -1) % node.rank:
        node.refuse("it works across rows")
    scale, bias = node.weight(1), node.optional(2)
    shape = node.shapes[0][axis:]
    epsilon = node.attribute("epsilon", 1e-5)
    layer = nn.LayerNorm(shape, eps=epsilon, bias=bias is not None)
    layer.weight = parameter(np.broadcast_to(scale, shape))
    if bias is not None:
        layer.bias = parameter(np.broadcast_to(bias, shape))
    return layer


def write_layer_norm(
    layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]
) -> None:
    """One LayerNormalization node."""
    assert isinstance(layer, nn.LayerNorm)
    names = [*inputs, writer.weight(layer.weight)]
    if layer.bias is not None:
        names.append(writer.weight(layer.bias))
    axis = -len(layer.normalized_shape)
    writer.add("LayerNormalization", names, outputs, axis=axis, epsilon=layer.eps)


def read_instance_norm(node: Node) -> nn.Module:
    """InstanceNormalization: each channel of each row by its own statistics."""
    if node.rank not in _INSTANCE:
        node.refuse(f"an input with {node.rank} axes")
    scale, bias = node.weight(1), node.weight(2)
    epsilon = node.attribute("epsilon", 1e-5)
    layer = _INSTANCE[node.rank](len(scale), eps=epsilon, affine=True)
    layer.weight = parameter(scale)
    layer.bias = parameter(bias)
    return layer


def write_instance_norm(
    layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]
) -> None:
    """One InstanceNormalization node."""
    assert isinstance(layer, InstanceNorms)
    names = [*inputs, writer.weight(layer.weight), writer.weight(layer.bias)]
    writer.add("InstanceNormalization", names, outputs, epsilon=layer.eps)


class GroupNorm(nn.GroupNorm):
    """GroupNorm that knows how many axes its input has."""

    rank: int = 4


def read_group_norm(node: Node) -> nn.Module:
    """GroupNormalization: groups of channels of each row by their own statistics."""
    scale, bias = node.weight(1), node.weight(2)
    groups, channels = node.attribute("num_groups"), node.shapes[0][1]
    if node.opset < _SCALE_A_CHANNEL:
        scale, bias = (np.repeat(value, channels // groups) for value in (scale, bias))
    layer = GroupNorm(groups, channels, eps=node.attribute("epsilon", 1e-5))
    layer.rank = node.rank
    layer.weight = parameter(scale)
    layer.bias = parameter(bias)
    return layer


def write_group_norm(
    layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]
) -> None:
    """Instances of whole groups, then scale and bias: older opsets have no GroupNormalization."""
    assert isinstance(layer, GroupNorm)
    groups = layer.num_groups
    ones, zeros = np.ones(groups, np.float32), np.zeros(groups, np.float32)
    joined = writer.via("Reshape", [*inputs, writer.integers([0, groups, -1])])
    weights = [writer.weight(ones), writer.weight(zeros)]
    level = writer.via("InstanceNormalization", [joined, *weights], epsilon=layer.eps)
    apart = writer.via("Reshape", [level, writer.via("Shape", inputs)])
    shape = (-1, *(1,) * (layer.rank - 2))
    scaled = writer.via("Mul", [apart, writer.weight(layer.weight.reshape(shape))])
    writer.add("Add", [scaled, writer.weight(layer.bias.reshape(shape))], outputs)


def read_local_response(node: Node) -> nn.Module:
    """LRN across neighbouring channels (Krizhevsky et al. 2012)."""
    return nn.LocalResponseNorm(
        node.attribute("size"),
        alpha=node.attribute("alpha", 1e-4),
        beta=node.attribute("beta", 0.75),
        k=node.attribute("bias", 1.0),
    )


def write_local_response(
    layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]
) -> None:
    """One LRN node."""
    assert isinstance(layer, nn.LocalResponseNorm)
    writer.add(
        "LRN",
        inputs,
        outputs,
        size=layer.size,
        alpha=float(layer.alpha),
        beta=float(layer.beta),
        bias=float(layer.k),
    )
