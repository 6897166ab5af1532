"""Layers that pick elements: embeddings, gathers, slices, splits."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from shoal.compressor.network.layers import Layer
from shoal.compressor.network.node import Array, Node, Reading
from shoal.compressor.network.weights import parameter, tensor
from shoal.compressor.network.writing import Writer

_FAR = 2**31 - 1  # what exporters write for "to the end"


class Embedding(nn.Embedding):
    """A table of vectors looked up by number."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's own name
        """Negative numbers count from the end, as ONNX has it."""
        numbers = input.long()
        return functional.embedding(numbers.remainder(self.num_embeddings), self.weight)


class Pick(Layer):
    """Elements along an axis at constant places; a single number drops the axis."""

    def __init__(self, axis: int, places: Tensor) -> None:
        super().__init__()
        self.axis = axis
        self.register_buffer("places", places)
        self.places: Tensor

    def forward(self, value: Tensor) -> Tensor:
        """Select."""
        if self.places.ndim == 0:
            return value.select(self.axis, int(self.places))
        picked = value.index_select(self.axis, self.places.reshape(-1))
        shape = (*value.shape[: self.axis], *self.places.shape, *value.shape[self.axis + 1 :])
        return picked.reshape(shape)


def read_gather(node: Node) -> nn.Module | Reading:
    """Gather from a constant table by number, or from an activation at constant places."""
    if len(node.views) == 2:
        node.refuse("places that are computed from the data, in data that is too")
    if 1 in node.views:
        table = node.weight(0)
        if table.ndim != 2 or node.attribute("axis", 0) != 0 or table.dtype.kind != "f":
            node.refuse("a table that is not one of vectors")
        layer = Embedding(table.shape[0], table.shape[1], device="meta")
        layer.weight = parameter(table)
        return layer
    places = node.weight(1).astype(np.int64)
    axis = node.attribute("axis", 0) % node.rank
    if axis == node.view.rows:
        return _row_axis_picked(node, places)
    size = node.view.shape[axis]
    held = node.view.axis(axis)
    rows = node.view.rows
    if rows is not None and axis < rows:
        rows += places.ndim - 1
    return Reading(layer=Pick(held, tensor(places % size)), rows=(rows,))


def _row_axis_picked(node: Node, places: Array) -> Reading:
    """The only row: the axis goes (a number) or stays (a vector of one)."""
    if places.size != 1 or int(places.reshape(-1)[0]) not in {0, -1}:
        node.refuse("it works across rows")
    if places.ndim == 1:
        return Reading(layer=None, rows=(node.view.rows,))
    return Reading(layer=None, rows=(None,))


def write_gather(layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]) -> None:
    """One Gather node."""
    if isinstance(layer, Embedding):
        writer.add("Gather", [writer.weight(layer.weight), *inputs], outputs)
        return
    assert isinstance(layer, Pick)
    writer.add("Gather", [*inputs, writer.weight(layer.places)], outputs, axis=layer.axis)


class Cut(Layer):
    """A part of the tensor: for some axes where it starts and ends, and the stride."""

    def __init__(self, parts: Sequence[tuple[int, int, int, int]]) -> None:
        super().__init__()
        self.parts = tuple(parts)

    def forward(self, value: Tensor) -> Tensor:
        """Slice; a negative stride turns the axis around."""
        for axis, start, end, stride in self.parts:
            if stride < 0:
                places = torch.arange(start, end, stride)
                value = value.index_select(axis, places)
            else:
                value = value[(slice(None),) * axis + (slice(start, end, stride),)]
        return value


def read_slice(node: Node) -> nn.Module | Reading:
    """Slice with constant bounds."""
    starts, ends = node.numbers("starts", 1), node.numbers("ends", 2)
    if starts is None or ends is None:
        node.refuse("no bounds")
    axes = node.numbers("axes", 3) or list(range(len(starts)))
    strides = node.numbers("steps", 4) or [1] * len(starts)
    parts = []
    for axis, start, end, stride in zip(axes, starts, ends, strides, strict=True):
        size = node.view.shape[axis % node.rank]
        first, last, step = slice(start, end if end > -_FAR else None, stride).indices(size)
        if (first, last, step) == (0, size, 1):
            continue
        held = node.view.axis(axis)
        if held == 0:
            node.refuse("it works across rows")
        if len(range(first, last, step)) == 0:
            node.refuse("nothing is left")
        parts.append((held, first, last, step))
    return Cut(parts) if parts else Reading(layer=None, rows=(node.view.rows,))


def write_slice(layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]) -> None:
    """One Slice node."""
    assert isinstance(layer, Cut)
    axes, starts, ends, strides = zip(*layer.parts, strict=True)
    # Turned around, an axis ends before its first element: -1 would mean the last.
    stops = [
        -_FAR if stride < 0 and end < 0 else end for end, stride in zip(ends, strides, strict=True)
    ]
    names = [writer.integers(numbers) for numbers in (starts, stops, axes, strides)]
    writer.add("Slice", [*inputs, *names], outputs)


class Split(Layer):
    """Consecutive parts of one axis."""

    def __init__(self, axis: int, sizes: Sequence[int]) -> None:
        super().__init__()
        self.axis = axis
        self.sizes = tuple(sizes)

    def forward(self, value: Tensor) -> tuple[Tensor, ...]:
        """Every part."""
        return torch.split(value, list(self.sizes), self.axis)


def read_split(node: Node) -> nn.Module:
    """Split into named sizes, or into as many parts as there are outputs."""
    axis = node.axis(0)
    sizes = node.numbers("split", 1)
    if sizes is None:
        size, count = node.shapes[0][axis], len(node.proto.output)
        part = -(-size // count)
        sizes = [min(part, size - part * index) for index in range(count)]
    return Split(axis, sizes)


def write_split(layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]) -> None:
    """One Split node."""
    assert isinstance(layer, Split)
    writer.add("Split", [*inputs, writer.integers(layer.sizes)], outputs, axis=layer.axis)
