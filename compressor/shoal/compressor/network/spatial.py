"""Layers over the spatial axes: pooling, global pooling and pads."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from shoal.compressor.network.geometry import Window, onnx_attributes, onnx_pads
from shoal.compressor.network.layers import Layer, torch_pads
from shoal.compressor.network.node import Node
from shoal.compressor.network.reducing import Reduce
from shoal.compressor.network.writing import Writer

MaxPools = nn.MaxPool1d | nn.MaxPool2d | nn.MaxPool3d
AveragePools = nn.AvgPool1d | nn.AvgPool2d | nn.AvgPool3d
_MAX = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
_AVERAGE = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
_MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}


class Pool(Layer):
    """A pooling of torch behind uneven pads in the order of torch's `pad`, filled with `fill`.

    With `counted` false the padded places do not count in a mean.
    """

    def __init__(
        self, pool: nn.Module, uneven: tuple[int, ...], fill: float, *, counted: bool = True
    ) -> None:
        super().__init__()
        self.pool = pool
        self.uneven = uneven
        self.fill = fill
        self.counted = counted

    def forward(self, value: Tensor) -> Tensor:
        """Pad, then pool."""
        if not self.uneven:
            whole: Tensor = self.pool(value)
            return whole
        pooled: Tensor = self.pool(functional.pad(value, self.uneven, value=self.fill))
        if self.counted:
            return pooled
        ones = torch.ones((1, 1, *value.shape[2:]), dtype=value.dtype)
        places: Tensor = self.pool(functional.pad(ones, self.uneven))
        return pooled / places


def _window(node: Node) -> Window:
    kernel = tuple(node.attribute("kernel_shape", []))
    if not 1 <= len(kernel) <= len(_MAX):
        node.refuse(f"{len(kernel)} spatial axes")
    return Window.of(node, kernel)


def read_max_pool(node: Node) -> nn.Module:
    """MaxPool with one output."""
    window = _window(node)
    if len(node.proto.output) > 1 or node.attribute("storage_order", 0):
        node.refuse("indices as a second output")
    pool = _MAX[len(window.kernel) - 1](
        window.kernel,
        window.strides,
        window.torch_padding,
        window.dilations,
        ceil_mode=bool(node.attribute("ceil_mode", 0)),
    )
    return Pool(pool, window.uneven, fill=float("-inf"))


def write_max_pool(layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]) -> None:
    """One MaxPool node."""
    assert isinstance(layer, Pool)
    pool = layer.pool
    assert isinstance(pool, MaxPools)
    pads = onnx_pads(pool.padding, layer.uneven)
    attributes = onnx_attributes(pool.kernel_size, pool.stride, pool.dilation, pads)
    writer.add("MaxPool", inputs, outputs, ceil_mode=1 if pool.ceil_mode else None, **attributes)


def read_average_pool(node: Node) -> nn.Module:
    """AveragePool, whether or not the padded places count."""
    window = _window(node)
    if any(dilation != 1 for dilation in window.dilations):
        node.refuse("dilations")
    counted = bool(node.attribute("count_include_pad", 0))
    kind = _AVERAGE[len(window.kernel) - 1]
    pool = kind(
        window.kernel,  # type: ignore[arg-type]  # a tuple of as many numbers as the layer has axes
        window.strides,  # type: ignore[arg-type]
        window.torch_padding,  # type: ignore[arg-type]
        bool(node.attribute("ceil_mode", 0)),
        counted,
    )
    return Pool(pool, window.uneven, fill=0.0, counted=counted)


def write_average_pool(
    layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]
) -> None:
    """One AveragePool node."""
    assert isinstance(layer, Pool)
    pool = layer.pool
    assert isinstance(pool, AveragePools)
    pads = onnx_pads(pool.padding, layer.uneven)
    attributes = onnx_attributes(pool.kernel_size, pool.stride, (), pads)
    counted = 1 if any(pads) and layer.counted else None
    ceil = 1 if pool.ceil_mode else None
    writer.add(
        "AveragePool", inputs, outputs, ceil_mode=ceil, count_include_pad=counted, **attributes
    )


def read_global_pool(node: Node) -> nn.Module:
    """The mean or maximum over every spatial axis, which stay as axes of length one."""
    operator = "ReduceMean" if node.proto.op_type == "GlobalAveragePool" else "ReduceMax"
    return Reduce(operator, range(2, node.rank), keep=True)


def write_global_pool(
    layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]
) -> None:
    """One GlobalAveragePool or GlobalMaxPool node."""
    assert isinstance(layer, Reduce)
    mean = layer.operator == "ReduceMean"
    writer.add("GlobalAveragePool" if mean else "GlobalMaxPool", inputs, outputs)


class Pad(Layer):
    """Elements around the tensor, or fewer of them: `begin` and `end` count for every axis."""

    def __init__(self, begin: Sequence[int], end: Sequence[int], value: float, mode: str) -> None:
        super().__init__()
        self.begin = tuple(begin)
        self.end = tuple(end)
        self.value = value
        self.mode = mode
        padded = [axis for axis, pads in enumerate(zip(begin, end, strict=True)) if any(pads)]
        self.first = min(padded, default=len(begin) - 1)

    def forward(self, value: Tensor) -> Tensor:
        """Torch counts pads from the last axis, begin and end by turns."""
        pads = torch_pads(self.begin[self.first :], self.end[self.first :])
        if self.mode == "constant":
            return functional.pad(value, pads, value=self.value)
        return functional.pad(value, pads, mode=_MODES[self.mode])


def read_pad(node: Node) -> nn.Module:
    """Pad, on all axes but that of the rows."""
    mode = node.attribute("mode", "constant")
    if mode not in _MODES:
        node.refuse(f"mode {mode}")
    pads = node.numbers("pads", 1) or []
    axes = node.optional(3)
    places = range(node.rank) if axes is None else [int(axis) for axis in axes.reshape(-1)]
    if len(pads) != 2 * len(places):
        node.refuse(f"{len(pads)} pads for {len(places)} axes")
    rank = len(node.shapes[0])
    begin, end = [0] * rank, [0] * rank
    for place, axis in enumerate(places):
        held = node.view.axis(axis)
        begin[held] += pads[place]
        end[held] += pads[place + len(places)]
    if begin[0] or end[0]:
        node.refuse("pads of the rows")
    return Pad(begin, end, node.scalar("value", 2, 0.0), mode)


def write_pad(layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]) -> None:
    """One Pad node."""
    assert isinstance(layer, Pad)
    names = [*inputs, writer.integers([*layer.begin, *layer.end])]
    if layer.value:
        names.append(writer.weight(np.array(layer.value, np.float32)))
    mode = None if layer.mode == "constant" else layer.mode
    writer.add("Pad", names, outputs, mode=mode)
