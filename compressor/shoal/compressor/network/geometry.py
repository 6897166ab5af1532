"""The window of a convolution or pooling: kernel, strides, dilations, pads."""

from dataclasses import dataclass, replace
from typing import Any

from shoal.compressor.network.layers import torch_pads
from shoal.compressor.network.node import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One number a spatial axis in each tuple; `begin` and `end` are the pads on either side."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    begin: tuple[int, ...]
    end: tuple[int, ...]

    @classmethod
    def of(cls, node: Node, kernel: tuple[int, ...]) -> "Window":
        """Read a node's attributes; `auto_pad` is worked out from the input's shape."""
        axes = len(kernel)
        strides = tuple(node.attribute("strides", [1] * axes))
        dilations = tuple(node.attribute("dilations", [1] * axes))
        pads = tuple(node.attribute("pads", [0] * 2 * axes))
        begin, end = pads[:axes], pads[axes:]
        auto = node.attribute("auto_pad", "NOTSET")
        if auto.startswith("SAME"):
            totals = [
                same_pad(size, window, stride, dilation)
                for size, window, stride, dilation in zip(
                    node.shapes[0][2:], kernel, strides, dilations, strict=True
                )
            ]
            halves = tuple(total // 2 for total in totals)
            rests = tuple(total - half for total, half in zip(totals, halves, strict=True))
            begin, end = (halves, rests) if auto == "SAME_UPPER" else (rests, halves)
        elif auto == "VALID":
            begin = end = (0,) * axes
        return cls(kernel=kernel, strides=strides, dilations=dilations, begin=begin, end=end)

    @property
    def even(self) -> bool:
        """Whether both sides of every axis have the same pads."""
        return self.begin == self.end

    @property
    def torch_padding(self) -> tuple[int, ...]:
        """What a torch layer pads by itself: nothing where the pads are uneven."""
        return self.begin if self.even else (0,) * len(self.begin)

    @property
    def uneven(self) -> tuple[int, ...]:
        """What has to be padded before, in torch's order; empty where the layer does it."""
        return () if self.even else torch_pads(self.begin, self.end)


def same_pad(size: int, kernel: int, stride: int, dilation: int) -> int:
    """The pads of both sides together, so that the output has ceil(size / stride) places.

    Worked example: size 28, kernel 5, stride 1 -> 28 places need 27 + 5 - 28 = 4.
    """
    places = -(-size // stride)
    return max((places - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)


def onnx_attributes(kernel: Any, strides: Any, dilations: Any, pads: list[int]) -> dict[str, Any]:
    """The attributes of a node, without those that have their default value."""
    return {
        "kernel_shape": list(kernel),
        "strides": list(strides) if any(stride != 1 for stride in strides) else None,
        "dilations": list(dilations) if any(dilation != 1 for dilation in dilations) else None,
        "pads": pads if any(pads) else None,
    }


def onnx_pads(padding: Any, uneven: tuple[int, ...]) -> list[int]:
    """Begin of every axis, then end of every axis, from a torch layer's padding.

    Worked example: uneven (1, 2, 4, 5), padding (0, 0) -> [4, 1, 5, 2].
    """
    if not uneven:
        return [*padding, *padding]
    begin = list(reversed(uneven[0::2]))
    end = list(reversed(uneven[1::2]))
    return begin + end


def transposed_pads(node: Node, kernel: tuple[int, ...], extra: tuple[int, ...]) -> Window:
    """The window of a transposed convolution; its pads may follow from the output's shape.

    ONNX: output = stride * (input - 1) + extra + (kernel - 1) * dilation + 1 - pads.

    Worked example: 4 places, kernel 3, stride 2, output asked 8 -> 2 * 3 + 2 + 1 - 8 = 1 to crop.
    """
    window = Window.of(node, kernel)
    asked = node.attribute("output_shape")
    auto = node.attribute("auto_pad", "NOTSET")
    if asked is None and not auto.startswith("SAME"):
        return window
    sizes = node.shapes[0][2:]
    totals = []
    for axis, size in enumerate(sizes):
        reach = (kernel[axis] - 1) * window.dilations[axis] + 1
        full = window.strides[axis] * (size - 1) + extra[axis] + reach
        wanted = asked[len(asked) - len(sizes) + axis] if asked else size * window.strides[axis]
        totals.append(max(full - wanted, 0))
    halves = tuple(total // 2 for total in totals)
    rests = tuple(total - half for total, half in zip(totals, halves, strict=True))
    # The odd place is cropped at the end for SAME_UPPER, at the beginning otherwise.
    begin, end = (halves, rests) if auto == "SAME_UPPER" else (rests, halves)
    return replace(window, begin=begin, end=end)
