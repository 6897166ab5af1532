"""Layers that join and repeat: concat, expand, tile."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from shoal.compressor.network.layers import Layer
from shoal.compressor.network.node import Node, Reading
from shoal.compressor.network.weights import tensor
from shoal.compressor.network.writing import Writer


class Concat(Layer):
    """Tensors joined along one axis; a constant among them is the same for every row."""

    def __init__(self, axis: int, constants: dict[int, Tensor]) -> None:
        super().__init__()
        self.axis = axis
        self.names = {place: f"constant{place}" for place in sorted(constants)}
        for place, value in constants.items():
            if value.is_floating_point():
                self.register_parameter(self.names[place], nn.Parameter(value))
            else:
                self.register_buffer(self.names[place], value)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Join."""
        if not self.names:
            return torch.cat(inputs, dim=self.axis)
        parts = list(inputs)
        for place, name in self.names.items():
            constant = getattr(self, name)
            parts.insert(place, constant.expand(inputs[0].shape[0], *constant.shape[1:]))
        return torch.cat(parts, dim=self.axis)


def read_concat(node: Node) -> nn.Module:
    """Concat; a constant is given to every row."""
    if len({view.rows for view in node.views.values()}) > 1:
        node.refuse("rows in different places")
    constants = {
        place: tensor(node.placed(place))
        for place in range(len(node.proto.input))
        if place not in node.views
    }
    return Concat(node.axis(1), constants)


def write_concat(layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]) -> None:
    """One Concat node; a constant is first given to every row."""
    assert isinstance(layer, Concat)
    names = list(inputs)
    for place, name in layer.names.items():
        constant = getattr(layer, name)
        rows = writer.via("Shape", inputs[:1], start=0, end=1)
        shape = writer.via("Concat", [rows, writer.integers(constant.shape[1:])], axis=0)
        names.insert(place, writer.via("Expand", [writer.weight(constant), shape]))
    writer.add("Concat", names, outputs, axis=layer.axis)


class Expand(Layer):
    """The value repeated along axes of length one, to `shape` for one row; -1 leaves an axis."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = tuple(shape)

    def forward(self, value: Tensor) -> Tensor:
        """Repeat."""
        return value.expand(value.shape[0], *self.shape[1:])


def read_expand(node: Node) -> nn.Module | Reading:
    """Expand to a constant shape; no layer where nothing is repeated."""
    asked = tuple(int(size) for size in node.weight(1).reshape(-1))
    filled = (1,) * (node.rank - len(asked)) + asked
    sizes = [max(pair) for pair in zip(node.view.shape, filled, strict=True)]
    rows = node.view.rows
    if rows is not None:
        if sizes[rows] != 1:
            node.refuse("it repeats rows")
        del sizes[rows]
    shape = (1, *sizes)
    same = shape == node.shapes[0]
    return Reading(layer=None, rows=(rows,)) if same else Expand(shape)


def write_expand(layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]) -> None:
    """One Expand node."""
    assert isinstance(layer, Expand)
    sizes = [max(size, 1) for size in layer.shape]
    writer.add("Expand", [*inputs, writer.integers(sizes)], outputs)


class Tile(Layer):
    """The value repeated a number of times along each axis."""

    def __init__(self, repeats: Sequence[int]) -> None:
        super().__init__()
        self.repeats = tuple(repeats)

    def forward(self, value: Tensor) -> Tensor:
        """Repeat."""
        return value.repeat(self.repeats)


def read_tile(node: Node) -> nn.Module:
    """Tile; the rows are not repeated."""
    repeats = [1] * len(node.shapes[0])
    for axis, times in enumerate(int(number) for number in node.weight(1)):
        repeats[node.view.axis(axis)] *= times
    if repeats[0] != 1:
        node.refuse("it repeats rows")
    return Tile(repeats)


def write_tile(layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]) -> None:
    """One Tile node."""
    assert isinstance(layer, Tile)
    writer.add("Tile", [*inputs, writer.integers(layer.repeats)], outputs)
