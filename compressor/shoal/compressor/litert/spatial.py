"""Operators over height and width: convolutions, pools, resizing. All work with channels last."""

import numpy as np

from shoal.compressor.litert import windows
from shoal.compressor.litert.draft import Draft
from shoal.compressor.litert.graph import Node, refusal
from shoal.compressor.passes.protocol import Array


def conv(draft: Draft, node: Node) -> None:
    """Conv: depthwise where each channel is its own group, else with `group` as filters say."""
    w_oihw = draft.stored(node.input(1), "the weight of a convolution")
    x = node.inputs[0]
    channels, sizes = draft.shape(x)[1], draft.shape(x)[2:]
    found = windows.window(node, w_oihw.shape[2:], sizes)
    groups = int(node.attributes.get("group", 1))
    fused, name = draft.activation(node)
    outputs = draft.shape(name)[2:]
    source = draft.last(x)
    padding = windows.scheme(found, sizes, outputs)
    if padding is None:
        source = windows.padded(draft, source, draft.last_shape(x), found)
        padding = windows.VALID
    options = {
        "padding": padding,
        "strideH": found.strides[0],
        "strideW": found.strides[1],
        "dilationHFactor": found.dilations[0],
        "dilationWFactor": found.dilations[1],
        "fusedActivationFunction": fused,
    }
    bias = draft.constant(_bias(draft, node, len(w_oihw)))
    if groups == channels > 1:
        w_1hwo = draft.constant(w_oihw.transpose(1, 2, 3, 0))
        options |= {
            "Options": "DepthwiseConv2DOptions",
            "depthMultiplier": len(w_oihw) // channels,
        }
        draft.put_last("DEPTHWISE_CONV_2D", [source, w_1hwo, bias], name, **options)
        return
    w_ohwi = draft.constant(w_oihw.transpose(0, 2, 3, 1))
    draft.put_last("CONV_2D", [source, w_ohwi, bias], name, Options="Conv2DOptions", **options)


def conv_transpose(draft: Draft, node: Node) -> None:
    """ConvTranspose without groups, padded as SAME or VALID would be."""
    w_iohw = draft.stored(node.input(1), "the weight of a convolution")
    x, name = node.inputs[0], node.outputs[0]
    found = windows.window(node, w_iohw.shape[2:], draft.shape(x)[2:])
    outputs = draft.shape(name)[2:]
    plain = int(node.attributes.get("group", 1)) == 1 and found.dilations == (1, 1)
    padding = windows.scheme(found, outputs, draft.shape(x)[2:])
    if not plain or padding is None:
        raise refusal("a grouped, dilated or unevenly padded ConvTranspose has no form in LiteRT")
    inputs = [
        draft.integers(draft.last_shape(name)),
        draft.constant(w_iohw.transpose(1, 2, 3, 0)),
        draft.last(x),
        draft.constant(_bias(draft, node, w_iohw.shape[1])),
    ]
    draft.put_last(
        "TRANSPOSE_CONV",
        inputs,
        name,
        Options="TransposeConvOptions",
        padding=padding,
        strideH=found.strides[0],
        strideW=found.strides[1],
    )


def pool(draft: Draft, node: Node) -> None:
    """MaxPool and AveragePool."""
    x = node.inputs[0]
    sizes = draft.shape(x)[2:]
    found = windows.window(node, node.attributes["kernel_shape"], sizes)
    if found.dilations != (1, 1) or len(node.outputs) > 1:
        raise refusal(f"a dilated {node.kind}, or one with indices, has no form in LiteRT")
    fused, name = draft.activation(node)
    source = draft.last(x)
    padding = windows.scheme(found, sizes, draft.shape(name)[2:])
    counts_pads = bool(node.attributes.get("count_include_pad", 0))
    averages = node.kind == "AveragePool"
    if padding is None or (averages and found.is_padded and counts_pads):
        if averages and not counts_pads:
            raise refusal("an AveragePool padded otherwise than SAME has no form in LiteRT")
        source = _padded_for(draft, node, source, found)
        padding = windows.VALID
        wider = [s + a + b for s, a, b in zip(sizes, found.pads[:2], found.pads[2:], strict=True)]
        bare = windows.Window(
            kernel=found.kernel, strides=found.strides, dilations=(1, 1), pads=(0, 0, 0, 0)
        )
        if windows.scheme(bare, wider, draft.shape(name)[2:]) != windows.VALID:
            raise refusal(f"a {node.kind} whose windows end outside has no form in LiteRT")
    draft.put_last(
        "AVERAGE_POOL_2D" if averages else "MAX_POOL_2D",
        [source],
        name,
        Options="Pool2DOptions",
        padding=padding,
        strideH=found.strides[0],
        strideW=found.strides[1],
        filterHeight=found.kernel[0],
        filterWidth=found.kernel[1],
        fusedActivationFunction=fused,
    )


def batch_normalization(draft: Draft, node: Node) -> None:
    """BatchNormalization that follows no convolution: a product and a sum per channel."""
    names = ("scale", "shift", "mean", "variance")
    scale, shift, mean, variance = (
        draft.stored(node.input(place), f"the {name} of BatchNormalization").astype(np.float64)
        for place, name in enumerate(names, start=1)
    )
    factor = scale / np.sqrt(variance + node.attributes.get("epsilon", 1e-5))
    offset = shift - mean * factor
    x = node.inputs[0]
    fused, name = draft.activation(node)
    if len(draft.shape(x)) == 4:
        source, shape, put = draft.last(x), draft.last_shape(x), draft.put_last
    elif len(draft.shape(x)) == 2:
        source, shape, put = draft.plain(x), draft.shape(x), draft.put
    else:
        raise refusal("BatchNormalization over neither two nor four dimensions")
    scaled = draft.inner("MUL", [source, draft.constant(factor)], shape, Options="MulOptions")
    put(
        "ADD",
        [scaled, draft.constant(offset)],
        name,
        Options="AddOptions",
        fusedActivationFunction=fused,
    )


def resize(draft: Draft, node: Node) -> None:
    """Resize of height and width, nearest or linear, with LiteRT's three ways to count pixels."""
    x, name = node.inputs[0], node.outputs[0]
    before, after = draft.shape(x), draft.shape(name)
    if len(before) != 4 or before[:2] != after[:2]:
        raise refusal("a Resize of other axes than height and width has no form in LiteRT")
    counting = node.attributes.get("coordinate_transformation_mode", b"half_pixel")
    mode = node.attributes.get("mode", b"nearest")
    if node.kind == "Upsample":
        counting = b"asymmetric"
    if mode not in {b"nearest", b"linear"} or counting not in {
        *(b"half_pixel", b"align_corners", b"asymmetric"),
    }:
        raise refusal(f"a Resize {mode!r} by {counting!r} has no form in LiteRT")
    rounding = node.attributes.get("nearest_mode", b"round_prefer_floor")
    grows = all(b % a == 0 for a, b in zip(before[2:], after[2:], strict=True))
    if mode == b"nearest" and counting == b"asymmetric" and rounding != b"floor" and not grows:
        raise refusal("a Resize to the nearest pixel rounded so has no form in LiteRT")
    kind = "RESIZE_NEAREST_NEIGHBOR" if mode == b"nearest" else "RESIZE_BILINEAR"
    table = "ResizeNearestNeighborOptions" if mode == b"nearest" else "ResizeBilinearOptions"
    draft.put_last(
        kind,
        [draft.last(x), draft.integers(after[2:])],
        name,
        Options=table,
        alignCorners=counting == b"align_corners",
        halfPixelCenters=counting == b"half_pixel",
    )


def blocks(draft: Draft, node: Node) -> None:
    """DepthToSpace (DCR) and SpaceToDepth."""
    size = int(node.attributes["blocksize"])
    if node.attributes.get("mode", b"DCR") != b"DCR":
        raise refusal("DepthToSpace in the order CRD has no form in LiteRT")
    kind = "DEPTH_TO_SPACE" if node.kind == "DepthToSpace" else "SPACE_TO_DEPTH"
    draft.put_last(
        kind,
        [draft.last(node.inputs[0])],
        node.outputs[0],
        Options=node.kind + "Options",
        blockSize=size,
    )


def _bias(draft: Draft, node: Node, channels: int) -> Array:
    name = node.input(2)
    if not name:
        return np.zeros(channels, np.float32)
    return draft.stored(name, "the bias of a convolution")


def _padded_for(draft: Draft, node: Node, source: int, found: windows.Window) -> int:
    """Zeros around an average; the least number there is around a maximum."""
    x = node.inputs[0]
    if node.kind == "AveragePool":
        return windows.padded(draft, source, draft.last_shape(x), found)
    n, h, w, c = draft.last_shape(x)
    top, left, bottom, right = found.pads
    amounts = np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32)
    least = np.array(np.finfo(np.float32).min, np.float32)
    inputs = [source, draft.constant(amounts), draft.constant(least)]
    wider = (n, h + top + bottom, w + left + right, c)
    return draft.inner("PADV2", inputs, wider, Options="PadV2Options")
