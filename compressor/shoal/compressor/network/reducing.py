"""Layers that reduce axes: sums, means, extremes, norms, and the place of the largest."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from shoal.compressor.network.layers import Layer
from shoal.compressor.network.node import Node, Reading
from shoal.compressor.network.writing import Writer

Axes = tuple[int, ...]
# From these opsets on, the axes of an operator are an input instead of an attribute.
_AXES_AS_INPUT = frozenset({"ReduceSum"})


def _product(value: Tensor, axes: Axes, keep: bool) -> Tensor:  # noqa: FBT001 - torch's order
    for axis in sorted(axes, reverse=True):
        value = value.prod(dim=axis, keepdim=keep)
    return value


def _norm(order: int) -> Callable[[Tensor, Axes, bool], Tensor]:
    return lambda value, axes, keep: torch.linalg.vector_norm(value, order, axes, keepdim=keep)


# fmt: off
FUNCTIONS: Mapping[str, Callable[[Tensor, Axes, bool], Tensor]] = {
    "ReduceL1":        _norm(1),
    "ReduceL2":        _norm(2),
    "ReduceLogSumExp": torch.logsumexp,
    "ReduceMax":       torch.amax,
    "ReduceMean":      torch.mean,
    "ReduceMin":       torch.amin,
    "ReduceProd":      _product,
    "ReduceSum":       torch.sum,
    "ReduceSumSquare": lambda value, axes, keep: value.square().sum(axes, keep),
}
# fmt: on


class Reduce(Layer):
    """One of the functions over some axes."""

    def __init__(self, operator: str, axes: Sequence[int], *, keep: bool) -> None:
        super().__init__()
        self.operator = operator
        self.function = FUNCTIONS[operator]
        self.axes = tuple(axes)
        self.keep = keep

    def forward(self, value: Tensor) -> Tensor:
        """Reduce."""
        return self.function(value, self.axes, self.keep)


def read_reduce(node: Node) -> Reading:
    """A reduction over named axes.

    Raises:
        PassError: the axis of the rows is among them, as it is where none are named.
    """
    axes = node.numbers("axes", 1)
    if not axes and node.attribute("noop_with_empty_axes", 0):
        return Reading(layer=None, rows=(node.view.rows,))
    keep = bool(node.attribute("keepdims", 1))
    named = axes or list(range(node.rank))
    layer = Reduce(node.proto.op_type, node.rows_stay(named), keep=keep)
    return Reading(layer=layer, rows=(rows_after(node, named, keep=keep),))


def rows_after(node: Node, axes: Sequence[int], *, keep: bool) -> int | None:
    """Where the graph has the rows once some axes are gone."""
    rows = node.view.rows
    if rows is None or keep:
        return rows
    return rows - sum(axis % node.rank < rows for axis in axes)


def write_reduce(layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]) -> None:
    """One node of the function's own name."""
    assert isinstance(layer, Reduce)
    keep = None if layer.keep else 0
    if layer.operator in _AXES_AS_INPUT:
        names = [*inputs, writer.integers(layer.axes)]
        writer.add(layer.operator, names, outputs, keepdims=keep)
    else:
        writer.add(layer.operator, inputs, outputs, axes=list(layer.axes), keepdims=keep)


class ArgExtreme(Layer):
    """The place of the largest or smallest element along an axis."""

    def __init__(self, operator: str, axis: int, *, keep: bool) -> None:
        super().__init__()
        self.operator = operator
        self.axis = axis
        self.keep = keep

    def forward(self, value: Tensor) -> Tensor:
        """The first of equals."""
        extreme = torch.argmax if self.operator == "ArgMax" else torch.argmin
        return extreme(value, self.axis, self.keep)


def read_arg(node: Node) -> Reading:
    """ArgMax or ArgMin; no gradient flows back through it."""
    if node.attribute("select_last_index", 0):
        node.refuse("select_last_index")
    axis = node.axis(0)
    keep = bool(node.attribute("keepdims", 1))
    layer = ArgExtreme(node.proto.op_type, axis, keep=keep)
    return Reading(layer=layer, rows=(rows_after(node, [node.attribute("axis", 0)], keep=keep),))


def write_arg(layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]) -> None:
    """One ArgMax or ArgMin node."""
    assert isinstance(layer, ArgExtreme)
    keep = None if layer.keep else 0
    writer.add(layer.operator, inputs, outputs, axis=layer.axis, keepdims=keep)
