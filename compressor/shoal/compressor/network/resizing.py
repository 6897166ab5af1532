"""Layers that change the grid of an image: resize, depth to space and back, triangles."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from shoal.compressor.network.layers import Function, Layer
from shoal.compressor.network.node import Node
from shoal.compressor.network.writing import Writer

_LINEAR = {3: "linear", 4: "bilinear", 5: "trilinear"}


class Resize(Layer):
    """Another number of places on each spatial axis; `scales` say how many times as many."""

    def __init__(
        self, sizes: Sequence[int], scales: Sequence[float], kind: tuple[str, str, str]
    ) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        self.scales = tuple(scales)
        self.mode, self.coordinates, self.rounding = kind

    def forward(self, value: Tensor) -> Tensor:
        """Interpolate as torch does; whether that is what the graph does, parity says."""
        if self.mode == "nearest":
            exact = self.coordinates == "half_pixel"
            return functional.interpolate(
                value, self.sizes, mode="nearest-exact" if exact else "nearest"
            )
        mode = _LINEAR[value.ndim] if self.mode == "linear" else "bicubic"
        aligned = self.coordinates == "align_corners"
        return functional.interpolate(value, self.sizes, mode=mode, align_corners=aligned)


def read_resize(node: Node) -> nn.Module:
    """Resize of opset 11 on, of opset 10, and Upsample; nearest, linear or cubic."""
    upsample, old = node.proto.op_type == "Upsample", node.opset < 11
    rank = node.rank
    if rank not in _LINEAR:
        node.refuse(f"an input with {rank} axes")
    if node.given(1) and (old or upsample):
        scales = [float(number) for number in node.weight(1).reshape(-1)]
    elif upsample:
        scales = list(node.attribute("scales"))
    else:
        scales = _scales(node)
    kind = (
        node.attribute("mode", "nearest"),
        node.attribute("coordinate_transformation_mode", "asymmetric" if old else "half_pixel"),
        node.attribute("nearest_mode", "floor" if old else "round_prefer_floor"),
    )
    if kind[0] not in {"nearest", "linear", "cubic"} or kind[1] == "tf_crop_and_resize":
        node.refuse(f"mode {kind[0]} {kind[1]}")
    if scales[0] != 1 or scales[1] != 1:
        node.refuse("rows or channels resized")
    sizes = [
        int(np.floor(size * scale + 1e-6))
        for size, scale in zip(node.shapes[0], scales, strict=True)
    ]
    return Resize(sizes[2:], scales, kind)


def _scales(node: Node) -> list[float]:
    """The scales of every axis, from themselves or from the sizes asked for."""
    axes = node.attribute("axes", list(range(node.rank)))
    if (
        node.attribute("antialias", 0)
        or node.attribute("keep_aspect_ratio_policy", "stretch") != "stretch"
    ):
        node.refuse("antialias or keep_aspect_ratio_policy")
    found = [1.0] * node.rank
    scales, sizes = node.optional(2), node.optional(3)
    for place, axis in enumerate(axes):
        if scales is not None and scales.size:
            found[axis] = float(scales[place])
        elif sizes is not None:
            found[axis] = int(sizes[place]) / node.shapes[0][axis]
    return found


def write_resize(layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]) -> None:
    """One Resize node by scales, so that the number of rows stays open."""
    assert isinstance(layer, Resize)
    scales = writer.weight(np.array(layer.scales, np.float32))
    writer.add(
        "Resize",
        [*inputs, "", scales],
        outputs,
        mode=layer.mode,
        coordinate_transformation_mode=layer.coordinates,
        nearest_mode=layer.rounding if layer.mode == "nearest" else None,
    )


class DepthToSpace(Layer):
    """Blocks of channels become blocks of places; `crd` says which part of a channel leads."""

    def __init__(self, block: int, *, crd: bool) -> None:
        super().__init__()
        self.block = block
        self.crd = crd

    def forward(self, value: Tensor) -> Tensor:
        """Rearrange."""
        if self.crd:
            return functional.pixel_shuffle(value, self.block)
        rows, channels, height, width = value.shape
        block = self.block
        parts = value.reshape(rows, block, block, channels // block**2, height, width)
        return parts.permute(0, 3, 4, 1, 5, 2).reshape(rows, -1, height * block, width * block)


def read_depth_to_space(node: Node) -> nn.Module:
    """DepthToSpace in either mode."""
    return DepthToSpace(node.attribute("blocksize"), crd=node.attribute("mode", "DCR") == "CRD")


def write_depth_to_space(
    layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]
) -> None:
    """One DepthToSpace node."""
    assert isinstance(layer, DepthToSpace)
    mode = "CRD" if layer.crd else None
    writer.add("DepthToSpace", inputs, outputs, blocksize=layer.block, mode=mode)


class SpaceToDepth(Layer):
    """Blocks of places become blocks of channels."""

    def __init__(self, block: int) -> None:
        super().__init__()
        self.block = block

    def forward(self, value: Tensor) -> Tensor:
        """Rearrange."""
        rows, channels, height, width = value.shape
        block = self.block
        parts = value.reshape(rows, channels, height // block, block, width // block, block)
        return parts.permute(0, 3, 5, 1, 2, 4).reshape(rows, -1, height // block, width // block)


def read_space_to_depth(node: Node) -> nn.Module:
    """SpaceToDepth."""
    return SpaceToDepth(node.attribute("blocksize"))


def write_space_to_depth(
    layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]
) -> None:
    """One SpaceToDepth node."""
    assert isinstance(layer, SpaceToDepth)
    writer.add("SpaceToDepth", inputs, outputs, blocksize=layer.block)


def read_triangle(node: Node) -> nn.Module:
    """Trilu of the last two axes: the upper or the lower triangle."""
    node.rows_stay([-2, -1])
    upper = bool(node.attribute("upper", 1))
    diagonal = int(node.weight(1).reshape(-1)[0]) if node.given(1) else 0
    triangle = torch.triu if upper else torch.tril
    return Function("Trilu", lambda value: triangle(value, diagonal), upper=upper, k=diagonal)


def write_triangle(layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]) -> None:
    """One Trilu node."""
    assert isinstance(layer, Function)
    diagonal = writer.weight(np.array(layer.attributes["k"], np.int64))
    writer.add("Trilu", [*inputs, diagonal], outputs, upper=int(layer.attributes["upper"]))
