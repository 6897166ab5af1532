"""Layers that give a value another shape or order of axes; the rows stay on axis 0 in all of them.

Flatten, Reshape, Squeeze and Unsqueeze are one layer here, and none at all where they only move
axes of length one that the network does not hold.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from shoal.compressor.network.layers import Layer
from shoal.compressor.network.layout import Shape, View, regrouped, resolved_shape
from shoal.compressor.network.node import Node, Reading
from shoal.compressor.network.writing import Writer


class Reshape(Layer):
    """A new shape for each row: `tail` is the shape behind the row axis; -1 is what is left."""

    def __init__(self, tail: Sequence[int]) -> None:
        super().__init__()
        # A vector's width follows a narrower layer before it.
        self.tail = tuple(tail) if len(tail) != 1 else (-1,)

    def forward(self, value: Tensor) -> Tensor:
        """Rows stay."""
        return value.reshape(value.shape[0], *self.tail)


class Transpose(Layer):
    """Axes in a new order, the rows in front."""

    def __init__(self, order: Sequence[int]) -> None:
        super().__init__()
        self.order = tuple(order)

    def forward(self, value: Tensor) -> Tensor:
        """Permute."""
        return value.permute(self.order)


def _reshaped(node: Node, target: Shape) -> Reading:
    try:
        view = regrouped(node.view, target)
    except ZeroDivisionError:
        node.refuse("an axis of length zero")
    return _seen_as(node, view)


def _seen_as(node: Node, view: View) -> Reading:
    """No layer where the network holds the same shape either way."""
    same = view.held == node.view.held
    return Reading(layer=None if same else Reshape(view.held[1:]), rows=(view.rows,))


def read_flatten(node: Node) -> Reading:
    """Flatten into two axes."""
    axis = node.attribute("axis", 1)
    place = axis % node.rank if axis != node.rank else axis
    sizes = node.view.shape
    return _reshaped(node, (_product(sizes[:place]), _product(sizes[place:])))


def _product(sizes: Sequence[int]) -> int:
    total = 1
    for size in sizes:
        total *= size
    return total


def read_reshape(node: Node) -> Reading:
    """Reshape; the target is for one row.

    Raises:
        PassError: the target is computed from the data.
    """
    asked = node.numbers("shape", 1)
    if asked is None:
        node.refuse("no target")
    target = resolved_shape(node.view.shape, asked)
    if _product(target) != _product(node.view.shape):
        node.refuse(f"{list(node.view.shape)} cannot become {asked}")
    return _reshaped(node, target)


def write_reshape(layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]) -> None:
    """Flatten for vectors, else Reshape; 0 keeps the number of rows open."""
    assert isinstance(layer, Reshape)
    if layer.tail == (-1,):
        writer.add("Flatten", inputs, outputs)
    else:
        writer.add("Reshape", [*inputs, writer.integers([0, *layer.tail])], outputs)


def read_squeeze(node: Node) -> Reading:
    """Squeeze of named axes, or of all that are one long."""
    axes = node.numbers("axes", 1)
    sizes = node.view.shape
    gone = {axis % node.rank for axis in axes or []} if node.rank else set()
    if axes is None:
        gone = {axis for axis, size in enumerate(sizes) if size == 1}
    kept = [axis for axis in range(node.rank) if axis not in gone]
    rows = node.view.rows
    shape = tuple(sizes[axis] for axis in kept)
    return _seen_as(node, View(shape=shape, rows=kept.index(rows) if rows in kept else None))


def read_unsqueeze(node: Node) -> Reading:
    """Unsqueeze; axes count in the result. Rows without an axis take the first new one."""
    axes = node.numbers("axes", 1)
    if not axes:
        node.refuse("no axes")
    rank = node.rank + len(axes)
    new = {axis % rank for axis in axes}
    sizes = iter(node.view.shape)
    shape = tuple(1 if axis in new else next(sizes) for axis in range(rank))
    kept = [axis for axis in range(rank) if axis not in new]
    rows = min(new) if node.view.rows is None else kept[node.view.rows]
    return _seen_as(node, View(shape=shape, rows=rows))


def read_transpose(node: Node) -> Reading:
    """Transpose; where only the rows move, nothing does."""
    order = node.attribute("perm", list(reversed(range(node.rank))))
    rows = node.view.rows
    held = (0, *(node.view.axis(axis) for axis in order if axis != rows))
    moved = None if rows is None else list(order).index(rows)
    layer = None if held == tuple(range(len(held))) else Transpose(held)
    return Reading(layer=layer, rows=(moved,))


def write_transpose(
    layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]
) -> None:
    """One Transpose node."""
    assert isinstance(layer, Transpose)
    writer.add("Transpose", inputs, outputs, perm=list(layer.order))
