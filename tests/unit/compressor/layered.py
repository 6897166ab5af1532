"""Networks over small images, built layer by layer with random weights."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from shoal.compressor.network import parity
from shoal.compressor.network.graph import Network

IMAGES = {"x": np.random.default_rng(0).normal(size=(40, 3, 8, 8)).astype(np.float32)}


class Builder:
    """Nodes in a row, each with random weights of its own."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(1)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def weight(self, *shape: int) -> str:
        name = f"w{len(self.weights)}"
        array = self.random.normal(size=shape).astype(np.float32) / np.sqrt(np.prod(shape[1:]))
        self.weights.append(numpy_helper.from_array(array.astype(np.float32), name))
        return name

    def integers(self, *values: int) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.array(values), name))
        return name

    def add(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        name = f"the {output}"
        self.nodes.append(helper.make_node(operator, inputs, [output], name=name, **attributes))
        return output

    def conv(self, value: str, output: str, *shape: int, group: int = 1) -> str:
        weight = self.weight(*shape)
        pads = [shape[2] // 2] * 4
        return self.add("Conv", [value, weight], output, pads=pads, group=group)

    def head(self, value: str, channels: int, classes: int = 5) -> None:
        self.add("GlobalAveragePool", [value], "pooled")
        self.add("Flatten", ["pooled"], "flat")
        self.add("Gemm", ["flat", self.weight(classes, channels)], "y", transB=1)

    def network(self) -> Network:
        graph = helper.make_graph(
            self.nodes,
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 8, 8])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            self.weights,
        )
        opset = helper.make_opsetid("", 17)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
        return parity.import_checked(model, IMAGES).network
