"""Every operator of the table is read and written so that onnxruntime agrees, on several rows."""

import math

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from shoal.compressor.network import geometry, layers, shaping
from shoal.compressor.network.table import OPERATORS
from tests.unit.compressor.networks import Array, a_graph, node, operators, random, round_trip

CASES: dict[str, tuple[onnx.NodeProto, dict[str, Array]]] = {
    "Conv": (node("Conv", "w", pads=[1, 1, 1, 1]), {"w": random(8, 4, 3, 3)}),
    "Conv with bias, strides and dilations": (
        node("Conv", "w", "b", strides=[2, 1], dilations=[1, 2]),
        {"w": random(8, 4, 3, 3), "b": random(8)},
    ),
    "Conv with uneven pads": (node("Conv", "w", pads=[0, 1, 2, 1]), {"w": random(8, 4, 3, 3)}),
    "Conv SAME_UPPER": (
        node("Conv", "w", auto_pad="SAME_UPPER", strides=[2, 2]),
        {"w": random(8, 4, 3, 3)},
    ),
    "Conv SAME_LOWER": (node("Conv", "w", auto_pad="SAME_LOWER"), {"w": random(8, 4, 4, 4)}),
    "Conv VALID": (node("Conv", "w", auto_pad="VALID"), {"w": random(8, 4, 2, 2)}),
    "Conv depthwise": (node("Conv", "w", group=4), {"w": random(4, 1, 3, 3)}),
    "Conv in groups": (node("Conv", "w", group=2), {"w": random(6, 2, 3, 3)}),
    "BatchNormalization": (
        node("BatchNormalization", "s", "b", "m", "v", epsilon=1e-3),
        {"s": random(4), "b": random(4), "m": random(4), "v": np.abs(random(4))},
    ),
    "MaxPool": (node("MaxPool", kernel_shape=[2, 2], strides=[2, 2]), {}),
    "MaxPool with uneven pads": (node("MaxPool", kernel_shape=[3, 3], pads=[0, 0, 1, 1]), {}),
    "MaxPool ceil_mode": (node("MaxPool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1), {}),
    "AveragePool": (node("AveragePool", kernel_shape=[3, 2], pads=[1, 0, 1, 0]), {}),
    "AveragePool counting uneven pads": (
        node("AveragePool", kernel_shape=[3, 3], pads=[0, 0, 1, 1], count_include_pad=1),
        {},
    ),
    "GlobalAveragePool": (node("GlobalAveragePool"), {}),
    "ReduceMean": (node("ReduceMean", axes=[2, -1], keepdims=0), {}),
    "Pad": (
        node("Pad", "p", "v"),
        {"p": np.array([0, 0, 1, 2, 0, 0, 0, 1]), "v": np.array(0.5, np.float32)},
    ),
    "Relu": (node("Relu"), {}),
    "Sigmoid": (node("Sigmoid"), {}),
    "Tanh": (node("Tanh"), {}),
    "HardSwish": (node("HardSwish"), {}),
    "HardSigmoid": (node("HardSigmoid", alpha=0.3), {}),
    "Clip": (
        node("Clip", "low", "high"),
        {"low": np.array(0, np.float32), "high": np.array(6, np.float32)},
    ),
    "Clip from above": (node("Clip", "", "high"), {"high": np.array(0.2, np.float32)}),
    "Softmax": (node("Softmax", axis=1), {}),
    "Add one value a channel": (node("Add", "c"), {"c": random(4, 1, 1)}),
    "Mul one value": (node("Mul", "c"), {"c": np.array(0.5, np.float32)}),
    "Div": (node("Div", "c"), {"c": np.abs(random(1, 4, 6, 6)) + 1}),
    "Sub from a constant": (
        helper.make_node("Sub", ["c", "x"], ["y"]),
        {"c": random(1, 4, 1, 1)},
    ),
    "Sub of itself": (helper.make_node("Sub", ["x", "x"], ["y"]), {}),
    "Concat": (helper.make_node("Concat", ["x", "x"], ["y"], axis=1), {}),
    "Flatten": (node("Flatten"), {}),
    "Reshape to two axes": (node("Reshape", "s"), {"s": np.array([0, -1])}),
    "Reshape to three axes": (node("Reshape", "s"), {"s": np.array([-1, 8, 18])}),
    "Transpose": (node("Transpose", perm=[0, 2, 3, 1]), {}),
    "Unsqueeze": (node("Unsqueeze", "a"), {"a": np.array([2])}),
    "MatMul on the last axis": (node("MatMul", "w"), {"w": random(6, 3)}),
}


@pytest.mark.parametrize("name", CASES)
def test_an_operator_survives_the_round_trip(name: str) -> None:
    proto, constants = CASES[name]
    round_trip(a_graph([proto], constants))


@pytest.mark.parametrize(
    ("proto", "constants"),
    [
        (node("Gemm", "w", "b", transB=1), {"w": random(3, 7), "b": random(3)}),
        (node("Gemm", "w", "b", alpha=0.5, beta=2.0), {"w": random(7, 3), "b": random(1, 3)}),
        (node("Gemm", "w"), {"w": random(7, 3)}),
        (
            node("BatchNormalization", "s", "s", "s", "v"),
            {"s": random(7), "v": np.abs(random(7))},
        ),
    ],
)
def test_an_operator_on_vectors_survives(
    proto: onnx.NodeProto, constants: dict[str, Array]
) -> None:
    round_trip(a_graph([proto], constants, (7,)), (7,))


@pytest.mark.parametrize(
    ("proto", "constants"),
    [
        (node("Conv", "w", pads=[1, 2]), {"w": random(3, 2, 3)}),
        (node("MaxPool", kernel_shape=[2]), {}),
        (node("AveragePool", kernel_shape=[2]), {}),
        (node("Squeeze", "a"), {"a": np.array([2])}),
    ],
)
def test_an_operator_on_series_survives(proto: onnx.NodeProto, constants: dict[str, Array]) -> None:
    shape = (2, 9) if proto.op_type != "Squeeze" else (9, 1)
    round_trip(a_graph([proto], constants, shape), shape)


def test_the_table_has_a_case_for_every_operator() -> None:
    tried = {proto.op_type for proto, _ in CASES.values()} | {"Gemm", "Squeeze"}
    assert set(OPERATORS) <= tried


@pytest.mark.parametrize("opset", [7, 11, 13, 18])
def test_old_and_new_forms_of_one_operator_mean_the_same(opset: int) -> None:
    axes = {"a": np.array([2, 3])}
    by_input = opset >= 18
    mean = node("ReduceMean", "a") if by_input else node("ReduceMean", axes=[2, 3])
    written = round_trip(a_graph([mean], axes if by_input else {}, opset=opset))
    assert operators(written) == ["ReduceMean"]


def test_a_fixed_batch_of_one_takes_any_number_of_rows_in_training() -> None:
    nodes = [
        helper.make_node("Reshape", ["x", "s"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["product"]),
        helper.make_node("Add", ["product", "b"], ["y"]),
    ]
    constants = {"s": np.array([1, 144]), "w": random(144, 3), "b": random(1, 3)}
    model = a_graph(nodes, constants, batch=1)
    written = round_trip(model)
    assert operators(written) == ["Flatten", "Gemm"]
    assert written.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 1


def test_constants_are_worked_out_and_a_shape_of_the_data_is_one() -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["rows"]),
        helper.make_node("Concat", ["rows", "rest"], ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["flat"]),
        helper.make_node("Constant", [], ["half"], value_float=0.5),
        helper.make_node("Mul", ["flat", "half"], ["scaled"]),
        helper.make_node("Dropout", ["scaled"], ["dropped"]),
        helper.make_node("Identity", ["dropped"], ["y"]),
    ]
    written = round_trip(a_graph(nodes, {"zero": np.array([0]), "rest": np.array([-1])}))
    assert operators(written) == ["Flatten", "Mul"]


def test_an_added_constant_becomes_the_bias_of_the_convolution_before() -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("Add", ["c", "b"], ["y"]),
    ]
    written = round_trip(a_graph(nodes, {"w": random(8, 4, 3, 3), "b": random(8, 1, 1)}))
    assert operators(written) == ["Conv"]
    assert len(written.graph.node[0].input) == 3


def test_a_value_read_twice_keeps_its_addition() -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("Add", ["c", "b"], ["d"]),
        helper.make_node("Mul", ["c", "d"], ["y"]),
    ]
    written = round_trip(a_graph(nodes, {"w": random(8, 4, 3, 3), "b": random(8, 1, 1)}))
    assert operators(written) == ["Conv", "Add", "Mul"]


def test_an_output_that_is_also_used_and_named_twice_keeps_both_names() -> None:
    model = a_graph([helper.make_node("Relu", ["x"], ["y"])], {})
    model.graph.node.append(helper.make_node("Identity", ["y"], ["z"]))
    model.graph.output.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, None))
    written = round_trip(model)
    assert [port.name for port in written.graph.output] == ["y", "z"]


def test_worked_examples_of_pads_and_shapes() -> None:
    assert geometry.same_pad(28, 5, 1, 1) == 4
    assert layers.torch_pads((4, 1), (5, 2)) == (1, 2, 4, 5)
    assert geometry.onnx_pads((0, 0), (1, 2, 4, 5)) == [4, 1, 5, 2]
    assert shaping.resolved_shape((1, 16, 4, 4), [0, -1]) == [1, 256]
    assert math.prod(shaping.resolved_shape((1, 16, 4, 4), [0, 2, -1])) == 256
