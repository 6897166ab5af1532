"""Layers over the spatial axes: pooling, global pooling and pads."""

import torch
from torch import nn

from shoal.compressor.network.geometry import Window, onnx_attributes, onnx_pads
from shoal.compressor.network.layers import Mean, Pad, Pool
from shoal.compressor.network.node import Node
from shoal.compressor.network.writing import Writer

MaxPools = nn.MaxPool1d | nn.MaxPool2d
AveragePools = nn.AvgPool1d | nn.AvgPool2d


def _window(node: Node) -> Window:
    kernel = tuple(node.attribute("kernel_shape", []))
    if len(kernel) not in {1, 2}:
        node.refuse(f"{len(kernel)} spatial axes")
    return Window.of(node, kernel)


def read_max_pool(node: Node) -> nn.Module:
    """MaxPool with one output."""
    window = _window(node)
    if len(node.proto.output) > 1 or node.attribute("storage_order", 0):
        node.refuse("indices as a second output")
    kind = nn.MaxPool1d if len(window.kernel) == 1 else nn.MaxPool2d
    pool = kind(
        window.kernel,
        window.strides,
        window.torch_padding,
        window.dilations,
        ceil_mode=bool(node.attribute("ceil_mode", 0)),
    )
    return Pool(pool, window.uneven, fill=float("-inf"))


def write_max_pool(layer: nn.Module, writer: Writer, inputs: list[str], output: str) -> None:
    """One MaxPool node."""
    assert isinstance(layer, Pool)
    pool = layer.pool
    assert isinstance(pool, MaxPools)
    pads = onnx_pads(pool.padding, layer.uneven)
    attributes = onnx_attributes(pool.kernel_size, pool.stride, pool.dilation, pads)
    writer.add("MaxPool", inputs, output, ceil_mode=1 if pool.ceil_mode else None, **attributes)


def read_average_pool(node: Node) -> nn.Module:
    """AveragePool; uneven pads only where the padded places count."""
    window = _window(node)
    counted = bool(node.attribute("count_include_pad", 0))
    if not window.even and not counted:
        node.refuse("uneven pads that do not count")
    if any(dilation != 1 for dilation in window.dilations):
        node.refuse("dilations")
    ceil = bool(node.attribute("ceil_mode", 0))
    pool: nn.Module
    if len(window.kernel) == 1:
        pool = nn.AvgPool1d(window.kernel, window.strides, window.torch_padding, ceil, counted)  # type: ignore[arg-type]  # tuples of one
    else:
        pool = nn.AvgPool2d(window.kernel, window.strides, window.torch_padding, ceil, counted)  # type: ignore[arg-type]  # tuples of two
    return Pool(pool, window.uneven, fill=0.0)


def write_average_pool(layer: nn.Module, writer: Writer, inputs: list[str], output: str) -> None:
    """One AveragePool node."""
    assert isinstance(layer, Pool)
    pool = layer.pool
    assert isinstance(pool, AveragePools)
    pads = onnx_pads(pool.padding, layer.uneven)
    attributes = onnx_attributes(pool.kernel_size, pool.stride, (), pads)
    counted = 1 if any(pads) and pool.count_include_pad else None
    ceil = 1 if pool.ceil_mode else None
    writer.add(
        "AveragePool", inputs, output, ceil_mode=ceil, count_include_pad=counted, **attributes
    )


def read_global_pool(node: Node) -> nn.Module:
    """The mean over every spatial axis, which stay as axes of length one."""
    return Mean(range(2, len(node.shapes[0])), keep=True)


def write_global_pool(layer: nn.Module, writer: Writer, inputs: list[str], output: str) -> None:
    """One GlobalAveragePool node."""
    assert isinstance(layer, Mean)
    writer.add("GlobalAveragePool", inputs, output)


def read_pad(node: Node) -> nn.Module:
    """Pad with a constant, on all axes but that of the rows."""
    if node.attribute("mode", "constant") != "constant":
        node.refuse(f"mode {node.attribute('mode')}")
    pads = node.numbers("pads", 1)
    rank = len(node.shapes[0])
    if pads is None or len(pads) != 2 * rank or pads[0] or pads[rank]:
        node.refuse("pads of some axes only, or of the rows")
    return Pad(pads[:rank], pads[rank:], node.scalar("value", 2, 0.0))


def write_pad(layer: nn.Module, writer: Writer, inputs: list[str], output: str) -> None:
    """One Pad node."""
    assert isinstance(layer, Pad)
    pads = writer.integers([*layer.begin, *layer.end])
    writer.add("Pad", [*inputs, pads, writer.weight(torch.tensor(layer.value))], output)
