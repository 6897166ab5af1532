"""Every operator of the table is read and written so that onnxruntime agrees, on several rows."""

import math

import numpy as np
import pytest
from onnx import TensorProto, helper

from shoal.compressor.network import geometry, layers, layout
from shoal.compressor.network.table import OPERATORS
from tests.unit.compressor.networks import (
    ROWS,
    a_graph,
    node,
    operators,
    positive,
    random,
    round_trip,
)
from tests.unit.compressor.operator_cases import CASES, ELSEWHERE


@pytest.mark.parametrize("name", CASES)
def test_an_operator_survives_the_round_trip(name: str) -> None:
    case = CASES[name]
    rows = (positive if case.positive else random)(ROWS, *case.shape)
    model = a_graph([case.node], case.constants, case.shape, opset=case.opset)
    round_trip(model, rows={"x": rows})


@pytest.mark.parametrize(
    "name",
    ["Conv", "Expand", "Flatten", "Gather one", "MatMul", "Pad", "Reshape", "Squeeze", "Unsqueeze"],
)
def test_an_operator_survives_where_the_batch_is_fixed(name: str) -> None:
    case = CASES[name]
    model = a_graph([case.node], case.constants, case.shape, opset=case.opset, batch=1)
    round_trip(model, case.shape)


def test_the_table_has_a_case_for_every_operator() -> None:
    tried = {case.node.op_type for case in CASES.values()}
    assert set(OPERATORS) - tried == ELSEWHERE


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
    assert layout.resolved_shape((1, 16, 4, 4), [0, -1]) == (1, 256)
    assert math.prod(layout.resolved_shape((1, 16, 4, 4), [0, 2, -1])) == 256
