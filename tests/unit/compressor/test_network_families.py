"""Channels in transformers, U-shaped, one-dimensional, shared and recurrent networks."""

from typing import Any

import pytest
import torch

from shoal.compressor.network import narrowing, parity
from shoal.compressor.network.cut import Cut, Scope
from shoal.compressor.network.graph import Network
from tests.unit.compressor.layered import IMAGES, Builder

HALF = Cut(ratio=0.5, scope=Scope.LAYER, multiple=1)


def groups(network: Network) -> list[tuple[str, int, int]]:
    """Halve the network: first layer, channels before and after, of each group."""
    result = narrowing.narrow(network, (torch.from_numpy(IMAGES["x"][:1]),), HALF)
    parity.export_checked(network, IMAGES)
    return [(group.layers[0], group.channels, group.kept) for group in result.groups]


def a_block(build: Builder, value: str, *, width: int) -> str:
    """Attention of two heads and a feed-forward part of 24, each added to what came in."""
    for name in "qkv":
        build.add("MatMul", [value, build.weight(width, width)], f"{name}0")
        build.add("Reshape", [f"{name}0", build.integers(0, 3, 2, width // 2)], f"{name}1")
        build.add(
            "Transpose", [f"{name}1"], name, perm=[0, 2, 3, 1] if name == "k" else [0, 2, 1, 3]
        )
    build.add("MatMul", ["q", "k"], "scores")
    build.add("Softmax", ["scores"], "weights", axis=-1)
    build.add("MatMul", ["weights", "v"], "heard")
    build.add("Transpose", ["heard"], "apart", perm=[0, 2, 1, 3])
    build.add("Reshape", ["apart", build.integers(0, 3, width)], "joined")
    build.add("MatMul", ["joined", build.weight(width, width)], "attended")
    build.add("Add", [value, "attended"], "sum")
    build.add("LayerNormalization", ["sum", build.weight(width), build.weight(width)], "norm")
    build.add("MatMul", ["norm", build.weight(width, 24)], "wide")
    build.add("Add", ["wide", build.weight(24)], "biased")
    build.add("Relu", ["biased"], "active")
    build.add("MatMul", ["active", build.weight(24, width)], "narrow")
    return build.add("Add", ["norm", "narrow"], "block")


def test_a_transformer_narrows_its_stream_and_its_feed_forward_part() -> None:
    build = Builder()
    build.add("Reshape", ["x", build.integers(0, 3, 64)], "places")
    build.add("MatMul", ["places", build.weight(64, 16)], "embedded")
    build.add("Add", ["embedded", build.weight(1, 3, 16)], "placed")
    a_block(build, "placed", width=16)
    build.add("ReduceMean", ["block"], "pooled", axes=[1], keepdims=0)
    build.add("Gemm", ["pooled", build.weight(5, 16)], "y", transB=1)
    assert groups(build.network()) == [("the embedded", 16, 8), ("the wide", 24, 12)]


def test_a_stream_that_is_an_output_stays() -> None:
    build = Builder()
    build.add("Reshape", ["x", build.integers(0, 3, 64)], "places")
    build.add("MatMul", ["places", build.weight(64, 16)], "embedded")
    a_block(build, "embedded", width=16)
    build.add("Softmax", ["block"], "y", axis=-1)
    assert groups(build.network()) == [("the wide", 24, 12)]


def test_a_net_in_the_shape_of_a_u_narrows_through_its_skips() -> None:
    build = Builder()
    build.conv("x", "a", 8, 3, 3, 3)
    build.add("MaxPool", ["a"], "pooled", kernel_shape=[2, 2], strides=[2, 2])
    build.conv("pooled", "b", 12, 8, 3, 3)
    build.add("ConvTranspose", ["b", build.weight(12, 6, 2, 2)], "up", strides=[2, 2])
    build.add("Concat", ["up", "a"], "both", axis=1)
    build.add("InstanceNormalization", ["both", build.weight(14), build.weight(14)], "norm")
    build.conv("norm", "y", 2, 14, 1, 1)
    assert groups(build.network()) == [("the a", 8, 4), ("the b", 12, 6), ("the up", 6, 3)]


def test_a_convolution_over_series_narrows_the_product_behind_its_flatten() -> None:
    build = Builder()
    build.add("Reshape", ["x", build.integers(0, 3, 64)], "series")
    build.add("Conv", ["series", build.weight(6, 3, 5)], "a")
    build.add("PRelu", ["a", build.weight(6, 1)], "b")
    build.add("Flatten", ["b"], "flat")
    build.add("Gemm", ["flat", build.weight(5, 360)], "y", transB=1)
    assert groups(build.network()) == [("the a", 6, 3)]


def test_a_layer_that_works_twice_loses_its_channels_once() -> None:
    build = Builder()
    shared, head = build.weight(8, 3, 3, 3), build.weight(5, 8)
    build.add("Neg", ["x"], "turned")
    for value in ("x", "turned"):
        build.add("Conv", [value, shared], f"{value} conv")
        build.add("GlobalAveragePool", [f"{value} conv"], f"{value} pooled")
        build.add("Flatten", [f"{value} pooled"], f"{value} flat")
        build.add("Gemm", [f"{value} flat", head], f"{value} answer", transB=1)
    build.add("Sub", ["x answer", "turned answer"], "y")
    network = build.network()
    assert network.parameter_count == 8 * 27 + 40
    assert groups(network) == [("the x conv", 8, 4)]
    assert network.parameter_count == 4 * 27 + 20


def test_a_recurrent_layer_keeps_what_it_reads_and_gives() -> None:
    build = Builder()
    build.conv("x", "a", 8, 3, 3, 3)
    build.add("ReduceMax", ["a"], "series", axes=[2], keepdims=0)
    build.add("Transpose", ["series"], "sequence", perm=[2, 0, 1])
    weights = [build.weight(1, 12, 8), build.weight(1, 12, 3)]
    build.add("LSTM", ["sequence", *weights], "whole", hidden_size=3)
    build.add("Gather", ["whole", build.integers(-1)], "last", axis=0)
    build.add("Reshape", ["last", build.integers(-1, 3)], "state")
    build.add("Gemm", ["state", build.weight(6, 3)], "wide", transB=1)
    build.add("Gemm", ["wide", build.weight(5, 6)], "y", transB=1)
    assert groups(build.network()) == [("the wide", 6, 3)]


@pytest.mark.parametrize(
    ("operator", "attributes", "channels"),
    [
        ("ReduceMean", {"axes": [1]}, 1),
        ("Softmax", {"axis": 1}, 8),
        ("DepthToSpace", {"blocksize": 2}, 2),
        ("LRN", {"size": 3}, 8),
    ],
)
def test_what_depends_on_the_number_of_channels_keeps_them(
    operator: str, attributes: dict[str, Any], channels: int
) -> None:
    build = Builder()
    build.conv("x", "a", 8, 3, 3, 3)
    build.conv("a", "b", 8, 8, 3, 3)
    build.add(operator, ["b"], "c", **attributes)
    build.add("ReduceMean", ["c"], "d", axes=[2, 3], keepdims=0)
    build.add("Gemm", ["d", build.weight(5, channels)], "y", transB=1)
    assert groups(build.network()) == [("the a", 8, 4)]
