"""Layers that move, join or reduce axes; the rows stay on axis 0 in all of them."""

import math

from torch import nn

from shoal.compressor.network.layers import Concat, Mean, Reshape, Squeeze, Transpose, Unsqueeze
from shoal.compressor.network.node import Node
from shoal.compressor.network.writing import Writer


def read_flatten(node: Node) -> nn.Module:
    """Flatten behind the row axis."""
    if node.attribute("axis", 1) % (len(node.shapes[0]) + 1) != 1:
        node.refuse("it does not keep the rows apart")
    return nn.Flatten(1)


def read_reshape(node: Node) -> nn.Module:
    """Reshape; a target of two axes is a flatten, whose width follows a narrower layer.

    The target is for one row, so its first axis is that of the rows when it comes out as one.
    """
    asked = node.numbers("shape", 1)
    if asked is None:
        node.refuse("its target is computed from the data")
    target = resolved_shape(node.shapes[0], asked)
    if math.prod(target) != math.prod(node.shapes[0]) or target[0] != 1:
        node.refuse("it does not keep the rows apart")
    return nn.Flatten(1) if len(target) == 2 else Reshape(target[1:])


def resolved_shape(shape: tuple[int, ...], asked: list[int]) -> list[int]:
    """The target with 0 (as in the input) and -1 (what is left) replaced.

    Worked example: (1, 16, 4, 4) asked for [0, -1] -> [1, 256].
    """
    target = [shape[axis] if size == 0 else size for axis, size in enumerate(asked)]
    if -1 in target:
        known = math.prod(size for size in target if size != -1)
        target[target.index(-1)] = math.prod(shape) // known
    return target


def write_flatten(layer: nn.Module, writer: Writer, inputs: list[str], output: str) -> None:
    """One Flatten node."""
    assert isinstance(layer, nn.Flatten)
    writer.add("Flatten", inputs, output)


def write_reshape(layer: nn.Module, writer: Writer, inputs: list[str], output: str) -> None:
    """One Reshape node; 0 keeps the number of rows open."""
    if isinstance(layer, nn.Flatten):
        write_flatten(layer, writer, inputs, output)
        return
    assert isinstance(layer, Reshape)
    writer.add("Reshape", [*inputs, writer.integers([0, *layer.tail])], output)


def read_transpose(node: Node) -> nn.Module:
    """Transpose that leaves the rows in front."""
    rank = len(node.shapes[0])
    order = node.attribute("perm", list(reversed(range(rank))))
    if order[0] != 0:
        node.refuse("it moves the row axis")
    return Transpose(order)


def write_transpose(layer: nn.Module, writer: Writer, inputs: list[str], output: str) -> None:
    """One Transpose node."""
    assert isinstance(layer, Transpose)
    writer.add("Transpose", inputs, output, perm=list(layer.order))


def read_concat(node: Node) -> nn.Module:
    """Concat of activations."""
    if len(node.shapes) != len(node.proto.input):
        node.refuse("a constant among its inputs")
    (axis,) = node.rows_stay([node.attribute("axis")])
    return Concat(axis)


def write_concat(layer: nn.Module, writer: Writer, inputs: list[str], output: str) -> None:
    """One Concat node."""
    assert isinstance(layer, Concat)
    writer.add("Concat", inputs, output, axis=layer.axis)


def read_reduce_mean(node: Node) -> nn.Module:
    """ReduceMean over named axes."""
    axes = node.numbers("axes", 1)
    if axes is None:
        node.refuse("it works across rows")
    return Mean(node.rows_stay(axes), keep=bool(node.attribute("keepdims", 1)))


def write_reduce_mean(layer: nn.Module, writer: Writer, inputs: list[str], output: str) -> None:
    """One ReduceMean node."""
    assert isinstance(layer, Mean)
    keep = None if layer.keep else 0
    writer.add("ReduceMean", inputs, output, axes=list(layer.axes), keepdims=keep)


def read_squeeze(node: Node) -> nn.Module:
    """Squeeze of named axes; without names it would drop the row axis of a single row."""
    axes = node.numbers("axes", 1)
    if axes is None:
        node.refuse("it moves the row axis")
    return Squeeze(node.rows_stay(axes))


def write_squeeze(layer: nn.Module, writer: Writer, inputs: list[str], output: str) -> None:
    """One Squeeze node."""
    assert isinstance(layer, Squeeze)
    writer.add("Squeeze", [*inputs, writer.integers(layer.axes)], output)


def read_unsqueeze(node: Node) -> nn.Module:
    """Unsqueeze behind the row axis; axes count in the result."""
    axes = node.numbers("axes", 1) or []
    rank = len(node.shapes[0]) + len(axes)
    positive = sorted(axis % rank for axis in axes)
    if not positive or positive[0] == 0:
        node.refuse("it moves the row axis")
    return Unsqueeze(positive)


def write_unsqueeze(layer: nn.Module, writer: Writer, inputs: list[str], output: str) -> None:
    """One Unsqueeze node."""
    assert isinstance(layer, Unsqueeze)
    writer.add("Unsqueeze", [*inputs, writer.integers(layer.axes)], output)
