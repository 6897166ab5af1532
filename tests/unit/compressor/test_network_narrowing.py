"""Whole channels go, together with everything that depends on them, and nothing else changes."""

import numpy as np
import pytest
import torch
from onnx import numpy_helper

from shoal.compressor.network import narrowing, parity
from shoal.compressor.network.cut import Cut, Scope
from shoal.compressor.network.graph import Network
from shoal.compressor.passes.protocol import PassError
from shoal.compressor.rejections import Rejection
from tests.unit.compressor.layered import IMAGES, Builder

HALF = Cut(ratio=0.5, scope=Scope.LAYER, multiple=1)


def narrowed(network: Network, cut: Cut = HALF) -> dict[str, tuple[int, int]]:
    """Remove channels and tell the (in, out) channels of each layer by the name of its value."""
    narrowing.narrow(network, (torch.from_numpy(IMAGES["x"][:1]),), cut)
    parity.export_checked(network, IMAGES)
    sizes = {}
    for step in network.steps:
        layer = network.layers[step.layer]
        if isinstance(layer, torch.nn.Conv2d):
            sizes[step.output] = (layer.in_channels, layer.out_channels)
        elif isinstance(layer, torch.nn.Linear):
            sizes[step.output] = (layer.in_features, layer.out_features)
    return sizes


def test_a_chain_narrows_inside_and_keeps_its_ends() -> None:
    build = Builder()
    build.conv("x", "a", 8, 3, 3, 3)
    build.add("Relu", ["a"], "b")
    build.conv("b", "c", 16, 8, 3, 3)
    build.head("c", 16)
    assert narrowed(build.network()) == {"a": (3, 4), "c": (4, 8), "y": (8, 5)}


def test_a_sum_narrows_both_branches_together() -> None:
    build = Builder()
    build.conv("x", "a", 8, 3, 3, 3)
    build.conv("a", "b", 8, 8, 3, 3)
    build.add("Add", ["a", "b"], "c")
    build.head("c", 8)
    network = build.network()
    row = (torch.from_numpy(IMAGES["x"][:1]),)
    result = narrowing.narrow(network, row, HALF)
    assert [(set(g.layers), g.channels, g.kept) for g in result.groups] == [
        ({"the a", "the b", "the y"}, 8, 4)
    ]
    parity.export_checked(network, IMAGES)


def test_a_depthwise_convolution_follows_its_input() -> None:
    build = Builder()
    build.conv("x", "a", 8, 3, 1, 1)
    build.conv("a", "b", 8, 1, 3, 3, group=8)
    build.conv("b", "c", 8, 8, 1, 1)
    build.head("c", 8)
    assert narrowed(build.network()) == {"a": (3, 4), "b": (4, 4), "c": (4, 4), "y": (4, 5)}


def test_a_joint_of_two_branches_narrows_each() -> None:
    build = Builder()
    build.conv("x", "a", 8, 3, 3, 3)
    build.conv("x", "b", 4, 3, 3, 3)
    build.add("Concat", ["a", "b"], "c", axis=1)
    build.conv("c", "d", 8, 12, 3, 3)
    build.head("d", 8)
    assert narrowed(build.network()) == {"a": (3, 4), "b": (3, 2), "d": (6, 4), "y": (4, 5)}


def test_batch_norm_and_one_value_a_channel_go_with_their_channel() -> None:
    build = Builder()
    build.conv("x", "a", 8, 3, 3, 3)
    statistics = [build.weight(8) for _ in range(3)]
    build.weights.append(numpy_helper.from_array(np.ones(8, np.float32), "variance"))
    build.add("BatchNormalization", ["a", *statistics, "variance"], "b")
    build.add("Mul", ["b", build.weight(8, 1, 1)], "c")
    build.head("c", 8)
    assert narrowed(build.network()) == {"a": (3, 4), "y": (4, 5)}


def test_a_flatten_of_images_narrows_the_product_behind_it() -> None:
    build = Builder()
    build.conv("x", "a", 8, 3, 3, 3)
    build.add("MaxPool", ["a"], "b", kernel_shape=[4, 4], strides=[4, 4])
    build.add("Reshape", ["b", build.integers(-1, 32)], "c")
    build.add("MatMul", ["c", build.weight(32, 5)], "y")
    assert narrowed(build.network()) == {"a": (3, 4), "y": (16, 5)}


def test_channels_that_a_reshape_reorders_stay() -> None:
    build = Builder()
    build.conv("x", "a", 8, 3, 3, 3)
    build.conv("a", "b", 8, 8, 3, 3)
    build.add("Reshape", ["b", build.integers(0, 2, 4, 64)], "c")
    build.add("ReduceMean", ["c"], "d", axes=[1, 3], keepdims=0)
    build.add("Gemm", ["d", build.weight(5, 4)], "y", transB=1)
    assert narrowed(build.network()) == {"a": (3, 4), "b": (4, 8), "y": (4, 5)}


def test_convolutions_in_groups_of_several_channels_stay() -> None:
    build = Builder()
    build.conv("x", "a", 8, 3, 3, 3)
    build.conv("a", "b", 8, 4, 3, 3, group=2)
    build.conv("b", "c", 8, 8, 3, 3)
    build.head("c", 8)
    assert narrowed(build.network()) == {"a": (3, 8), "b": (8, 8), "c": (8, 4), "y": (4, 5)}


def test_a_network_without_inner_channels_is_refused() -> None:
    build = Builder()
    build.head("x", 3)
    with pytest.raises(PassError, match="no channel can be removed") as caught:
        narrowed(build.network())
    assert caught.value.reason is Rejection.BUILD_FAILED


def test_what_was_removed_is_reported() -> None:
    build = Builder()
    build.conv("x", "a", 8, 3, 3, 3)
    build.head("a", 8)
    network = build.network()
    convolution, *_, product = network.layers.values()
    assert isinstance(convolution, torch.nn.Conv2d)
    assert isinstance(product, torch.nn.Linear)
    norms = convolution.weight.detach().square().sum(dim=(1, 2, 3))
    norms += product.weight.detach().square().sum(dim=0)
    importance = norms / norms.mean()
    result = narrowing.narrow(network, (torch.from_numpy(IMAGES["x"][:1]),), HALF)
    assert result.weights_before == 8 * 27 + 40
    assert result.weights_after == 4 * 27 + 20
    assert result.threshold == pytest.approx(float(importance.sort().values[3]))
    (group,) = result.groups
    assert group.importance == pytest.approx(
        (float(importance.min()), float(importance.median()), float(importance.max()))
    )


def test_how_many_channels_stay() -> None:
    scores = [
        torch.tensor([1.0, 2, 3, 4, 5, 6, 7, 20]),
        torch.tensor([7.5, 9, 10, 11, 12, 13, 14, 15]),
    ]
    assert narrowing.shares(scores, HALF) == [0.5, 0.5]
    globally = Cut(ratio=0.5, scope=Scope.GLOBAL, multiple=1)
    assert narrowing.shares(scores, globally) == [0.875, 0.125]
    everything = Cut(ratio=1.0, scope=Scope.GLOBAL, multiple=1)
    assert narrowing.shares(scores, everything) == [0.875, 0.875]
    assert narrowing.keep_counts([0.875, 0.125], [8, 8], 1) == [1, 7]
    assert narrowing.keep_counts([0.875, 0.125], [8, 8], 4) == [4, 8]
