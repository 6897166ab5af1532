"""Convolutions and products with a constant matrix, as torch's own layers.

torch-pruning knows how to narrow those.
"""

from collections.abc import Mapping

import numpy as np
from torch import Tensor, nn
from torch.nn import functional

from shoal.compressor.network.geometry import Window, onnx_attributes, onnx_pads, transposed_pads
from shoal.compressor.network.layers import PaddedConv1d, PaddedConv2d, PaddedConv3d
from shoal.compressor.network.node import Array, Node, Reading
from shoal.compressor.network.weights import parameter
from shoal.compressor.network.writing import Writer

Convolutions = PaddedConv1d | PaddedConv2d | PaddedConv3d
_KINDS: Mapping[int, type[Convolutions]] = {3: PaddedConv1d, 4: PaddedConv2d, 5: PaddedConv3d}


def read_convolution(node: Node) -> nn.Module:
    """Conv over one to three spatial axes; weights `w_OIHW`."""
    weight, bias = node.weight(1), node.optional(2)
    if weight.ndim not in _KINDS:
        node.refuse(f"{weight.ndim - 2} spatial axes")
    window = Window.of(node, tuple(weight.shape[2:]))
    groups = int(node.attribute("group", 1))
    layer = _KINDS[weight.ndim](
        weight.shape[1] * groups,
        weight.shape[0],
        window.kernel,  # type: ignore[arg-type]  # a tuple of as many numbers as the layer has axes
        stride=window.strides,  # type: ignore[arg-type]
        padding=window.torch_padding,  # type: ignore[arg-type]
        dilation=window.dilations,  # type: ignore[arg-type]
        groups=groups,
        bias=bias is not None,
        device="meta",  # the weights come from the graph, so none are drawn
    )
    layer.uneven = window.uneven
    layer.weight = parameter(weight)
    if bias is not None:
        layer.bias = parameter(bias)
    return layer


def write_convolution(
    layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]
) -> None:
    """One Conv node."""
    assert isinstance(layer, Convolutions)
    names = [*inputs, writer.weight(layer.weight)]
    if layer.bias is not None:
        names.append(writer.weight(layer.bias))
    pads = onnx_pads(layer.padding, layer.uneven)
    attributes = onnx_attributes(layer.kernel_size, layer.stride, layer.dilation, pads)
    groups = layer.groups if layer.groups > 1 else None
    writer.add("Conv", names, outputs, group=groups, **attributes)


class CroppedConvTranspose1d(nn.ConvTranspose1d):
    """ConvTranspose1d whose pads may be uneven: `crop` is what goes at either end."""

    crop: tuple[int, ...] = ()

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:  # noqa: A002 - torch's own name
        """Convolve, then crop."""
        return _cropped(super().forward(input, output_size), self.crop)


class CroppedConvTranspose2d(nn.ConvTranspose2d):
    """ConvTranspose2d whose pads may be uneven: `crop` is what goes at either end."""

    crop: tuple[int, ...] = ()

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:  # noqa: A002 - torch's own name
        """Convolve, then crop."""
        return _cropped(super().forward(input, output_size), self.crop)


class CroppedConvTranspose3d(nn.ConvTranspose3d):
    """ConvTranspose3d whose pads may be uneven: `crop` is what goes at either end."""

    crop: tuple[int, ...] = ()

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:  # noqa: A002 - torch's own name
        """Convolve, then crop."""
        return _cropped(super().forward(input, output_size), self.crop)


def _cropped(value: Tensor, crop: tuple[int, ...]) -> Tensor:
    return functional.pad(value, [-size for size in crop]) if crop else value


TransposedConvolutions = CroppedConvTranspose1d | CroppedConvTranspose2d | CroppedConvTranspose3d
_TRANSPOSED: Mapping[int, type[TransposedConvolutions]] = {
    3: CroppedConvTranspose1d,
    4: CroppedConvTranspose2d,
    5: CroppedConvTranspose3d,
}


def read_transposed(node: Node) -> nn.Module:
    """ConvTranspose over one to three spatial axes; weights `w_IOHW`."""
    weight, bias = node.weight(1), node.optional(2)
    if weight.ndim not in _TRANSPOSED:
        node.refuse(f"{weight.ndim - 2} spatial axes")
    kernel = tuple(weight.shape[2:])
    groups = int(node.attribute("group", 1))
    extra = tuple(node.attribute("output_padding", [0] * len(kernel)))
    window = transposed_pads(node, kernel, extra)
    layer = _TRANSPOSED[weight.ndim](
        weight.shape[0],
        weight.shape[1] * groups,
        kernel,  # a tuple of as many numbers as the layer has axes
        stride=window.strides,  # type: ignore[arg-type]
        padding=window.torch_padding,  # type: ignore[arg-type]
        output_padding=extra,
        groups=groups,
        bias=bias is not None,
        dilation=window.dilations,  # type: ignore[arg-type]
        device="meta",  # the weights come from the graph, so none are drawn
    )
    layer.crop = window.uneven
    layer.weight = parameter(weight)
    if bias is not None:
        layer.bias = parameter(bias)
    return layer


def write_transposed(
    layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]
) -> None:
    """One ConvTranspose node."""
    assert isinstance(layer, TransposedConvolutions)
    names = [*inputs, writer.weight(layer.weight)]
    if layer.bias is not None:
        names.append(writer.weight(layer.bias))
    pads = onnx_pads(layer.padding, layer.crop)
    attributes = onnx_attributes(layer.kernel_size, layer.stride, layer.dilation, pads)
    groups = layer.groups if layer.groups > 1 else None
    extra = list(layer.output_padding) if any(layer.output_padding) else None
    writer.add("ConvTranspose", names, outputs, group=groups, output_padding=extra, **attributes)


def linear(weight_OI: Array, bias: Array | None = None) -> nn.Linear:  # noqa: N803 - (out, in)
    """The layer of a constant matrix."""
    layer = nn.Linear(weight_OI.shape[1], weight_OI.shape[0], bias=bias is not None, device="meta")
    layer.weight = parameter(weight_OI)
    if bias is not None:
        layer.bias = parameter(np.broadcast_to(bias, weight_OI.shape[:1]))
    return layer


def read_gemm(node: Node) -> nn.Module | Reading:
    """Gemm with constant weights; alpha and beta are multiplied into them."""
    if 0 not in node.views or len(node.views) != 1:
        node.refuse("a product of two values that depend on the inputs")
    weight, bias = node.weight(1), node.optional(2)
    across, rows = bool(node.attribute("transA", 0)), node.view.rows
    # Gemm has two axes: one is summed over, so the rows must be the other or in front of both.
    if rows == (0 if across else 1) or (rows is None and across):
        node.refuse("transA" if across else "it works across rows")
    if bias is not None and bias.size not in {1, bias.shape[-1]}:
        node.refuse("an addend with one value a row")
    weight_OI = weight if node.attribute("transB", 0) else weight.T  # noqa: N806 - (out, in)
    if bias is not None:
        bias = (bias * np.asarray(node.attribute("beta", 1.0), bias.dtype)).reshape(-1)
    alpha = np.asarray(node.attribute("alpha", 1.0), weight.dtype)
    return Reading(layer=linear(weight_OI * alpha, bias), rows=(0 if rows == 1 else rows,))


def write_gemm(layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]) -> None:
    """One Gemm node, for rows of vectors."""
    assert isinstance(layer, nn.Linear)
    names = [*inputs, writer.weight(layer.weight)]
    if layer.bias is not None:
        names.append(writer.weight(layer.bias))
    writer.add("Gemm", names, outputs, transB=1)


def write_linear(layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]) -> None:
    """MatMul, and Add where there is a bias: serves any number of axes."""
    assert isinstance(layer, nn.Linear)
    names = [*inputs, writer.weight(layer.weight.T)]
    if layer.bias is None:
        writer.add("MatMul", names, outputs)
    else:
        writer.add("Add", [writer.via("MatMul", names), writer.weight(layer.bias)], outputs)


def is_depthwise(layer: nn.Module) -> bool:
    """Whether each channel has its own filter, one in and one out."""
    if not isinstance(layer, nn.modules.conv._ConvNd):  # noqa: SLF001 - the class torch-pruning names too
        return False
    return 1 < layer.groups == layer.in_channels == layer.out_channels
