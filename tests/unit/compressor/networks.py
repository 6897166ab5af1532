"""Graphs from `x` to `y` of one operator or a few, and the way through training and back."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from shoal.compressor.network import parity

Array = npt.NDArray[Any]
ROWS = 5
IMAGE = (4, 6, 6)


def random(*shape: int) -> Array:
    return np.random.default_rng(list(shape)).normal(size=shape).astype(np.float32)


def positive(*shape: int) -> Array:
    return np.abs(random(*shape)) + 0.5


def a_graph(
    nodes: list[onnx.NodeProto],
    constants: Mapping[str, Array],
    shape: tuple[int, ...] = IMAGE,
    *,
    opset: int = 17,
    batch: int | str = "N",
) -> onnx.ModelProto:
    """A graph from `x` to `y`."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, *shape])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def round_trip(
    model: onnx.ModelProto, shape: tuple[int, ...] = IMAGE, rows: Mapping[str, Array] | None = None
) -> onnx.ModelProto:
    """Import and export; parity is checked on the way, and once more by reading the result."""
    rows = rows or {"x": random(ROWS, *shape)}
    written = parity.export_checked(parity.import_checked(model, rows).network, rows).model
    again = parity.import_checked(written, rows).network
    third = parity.export_checked(again, rows).model
    # What asks for shapes is worked out when read again; all else is written as it was.
    if "Shape" not in operators(written):
        assert operators(third) == operators(written)
    return written


def operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def node(operator: str, *inputs: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, ["x", *inputs], ["y"], **attributes)
