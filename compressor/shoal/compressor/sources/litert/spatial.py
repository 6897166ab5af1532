"""Reads operators over height and width: convolutions, pools, resizing."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from shoal.compressor.sources.litert.building import Building, refuse
from shoal.compressor.sources.litert.values import Operator

_SAME = 0


def conv(b: Building, op: Operator) -> None:
    """CONV_2D; filters of fewer channels than the input has mean groups."""
    x, w = op.input(0), op.input(1)
    filters, *kernel, depth = b.shape(w)
    channels = b.shape(x)[3]
    if depth == 0 or channels % depth:
        raise refuse("CONV_2D with filters that do not divide the channels has no form in ONNX")
    attributes = _window(b, op, kernel) | {"group": channels // depth}
    inputs = [b.first(x), b.weight(w, (0, 3, 1, 2), "a filter"), b.bias(op.input(2), filters)]
    b.put_first(op, "Conv", inputs, **attributes)


def depthwise(b: Building, op: Operator) -> None:
    """DEPTHWISE_CONV_2D: with one channel in, it is a plain convolution."""
    x, w = op.input(0), op.input(1)
    _, height, width, filters = b.shape(w)
    attributes = _window(b, op, (height, width)) | {"group": b.shape(x)[3]}
    inputs = [b.first(x), b.weight(w, (3, 0, 1, 2), "a filter"), b.bias(op.input(2), filters)]
    b.put_first(op, "Conv", inputs, **attributes)


def conv_transpose(b: Building, op: Operator) -> None:
    """TRANSPOSE_CONV: shape, filters, input and perhaps a bias."""
    w, x = op.input(1), op.input(2)
    filters, *kernel, _ = b.shape(w)
    strides = (op.option("strideH", 1), op.option("strideW", 1))
    sizes, outputs = b.shape(x)[1:3], b.shape(op.outputs[0])[1:3]
    totals = [
        max((size - 1) * stride + k - out, 0)
        for size, stride, k, out in zip(sizes, strides, kernel, outputs, strict=True)
    ]
    before = [total // 2 for total in totals]
    after = [total - begin for total, begin in zip(totals, before, strict=True)]
    extra = [
        out - ((size - 1) * stride + k - total)
        for out, size, stride, k, total in zip(outputs, sizes, strides, kernel, totals, strict=True)
    ]
    inputs = [b.first(x), b.weight(w, (3, 0, 1, 2), "a filter"), b.bias(op.input(3), filters)]
    b.put_first(
        op,
        "ConvTranspose",
        inputs,
        strides=list(strides),
        pads=[*before, *after],
        output_padding=extra,
    )


def average_pool(b: Building, op: Operator) -> None:
    """AVERAGE_POOL_2D, which never counts what lies outside."""
    kernel = (op.option("filterHeight", 1), op.option("filterWidth", 1))
    attributes = _window(b, op, kernel)
    attributes.pop("dilations")
    b.put_first(op, "AveragePool", [b.first(op.input(0))], **attributes)


def max_pool(b: Building, op: Operator) -> None:
    """MAX_POOL_2D."""
    kernel = (op.option("filterHeight", 1), op.option("filterWidth", 1))
    attributes = _window(b, op, kernel)
    attributes.pop("dilations")
    b.put_first(op, "MaxPool", [b.first(op.input(0))], **attributes)


def resize(b: Building, op: Operator) -> None:
    """RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR, with their ways to count pixels."""
    x = op.input(0)
    n, height, width, channels = b.shape(x)
    to_height, to_width = b.shape(op.outputs[0])[1:3]
    counting = "asymmetric"
    if op.option("alignCorners"):
        counting = "align_corners"
    elif op.option("halfPixelCenters"):
        counting = "half_pixel"
    nearest = op.kind == "RESIZE_NEAREST_NEIGHBOR"
    attributes: dict[str, Any] = {
        "mode": "nearest" if nearest else "linear",
        "coordinate_transformation_mode": counting,
    }
    if nearest:
        rounds = "floor" if counting == "asymmetric" else "round_prefer_ceil"
        attributes["nearest_mode"] = rounds
    if b.open_rows:
        scales = np.array([1, 1, to_height / height, to_width / width], np.float32)
        inputs = [b.first(x), "", b.constant(scales)]
    else:
        inputs = [b.first(x), "", "", b.integers([n, channels, to_height, to_width])]
    b.put_first(op, "Resize", inputs, **attributes)


def blocks(b: Building, op: Operator) -> None:
    """DEPTH_TO_SPACE and SPACE_TO_DEPTH."""
    kind = "DepthToSpace" if op.kind == "DEPTH_TO_SPACE" else "SpaceToDepth"
    b.put_first(op, kind, [b.first(op.input(0))], blocksize=op.option("blockSize", 1))


def _window(b: Building, op: Operator, kernel: Sequence[int]) -> dict[str, Any]:
    """Attributes of a window over the first input.

    Example: SAME over 49 rows with kernel 10 and stride 2 makes ceil(49 / 2) = 25 rows, which
    needs (25 - 1) * 2 + 10 - 49 = 9 rows of padding: 4 before and 5 after.
    """
    strides = (op.option("strideH", 1), op.option("strideW", 1))
    dilations = (op.option("dilationHFactor", 1), op.option("dilationWFactor", 1))
    sizes = b.shape(op.input(0))[1:3]
    if min(*strides, *dilations, *kernel) < 1 or len(sizes) != 2:
        raise refuse(f"{op.kind} with a window of nothing has no form in ONNX")
    totals = [0, 0]
    if op.option("padding") == _SAME:
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
        totals = [
            max((-(-size // stride) - 1) * stride + r - size, 0)
            for size, stride, r in zip(sizes, strides, reach, strict=True)
        ]
    before = [total // 2 for total in totals]
    after = [total - begin for total, begin in zip(totals, before, strict=True)]
    return {
        "kernel_shape": list(kernel),
        "strides": list(strides),
        "dilations": list(dilations),
        "pads": [*before, *after],
    }
