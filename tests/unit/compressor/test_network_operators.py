"""Every operator of the table is read and written so that onnxruntime agrees, on several rows."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from shoal.compressor.network import geometry, layers, parity, shaping
from shoal.compressor.network.table import OPERATORS
from shoal.compressor.passes.protocol import PassError
from shoal.compressor.rejections import Rejection

Array = npt.NDArray[Any]
ROWS = 5
IMAGE = (4, 6, 6)


def random(*shape: int) -> Array:
    return np.random.default_rng(list(shape)).normal(size=shape).astype(np.float32)


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


def round_trip(model: onnx.ModelProto, shape: tuple[int, ...] = IMAGE) -> onnx.ModelProto:
    """Import and export; parity is checked on the way, and once more by reading the result."""
    rows = {"x": random(ROWS, *shape)}
    written = parity.export_checked(parity.import_checked(model, rows).network, rows).model
    again = parity.import_checked(written, rows).network
    assert parity.export_checked(again, rows).model.SerializeToString() == (
        written.SerializeToString()
    )
    return written


def operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def node(operator: str, *inputs: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, ["x", *inputs], ["y"], **attributes)


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


def test_softmax_over_several_axes_of_old_opsets_is_refused() -> None:
    with pytest.raises(PassError, match="Softmax of node 'y'"):
        round_trip(a_graph([node("Softmax")], {}, opset=11))


def test_an_unknown_operator_is_refused_by_name() -> None:
    proto = helper.make_node("Erf", ["x"], ["y"], name="gelu/Erf")
    with pytest.raises(PassError, match="operator Erf of node 'gelu/Erf'") as caught:
        round_trip(a_graph([proto], {}))
    assert caught.value.reason is Rejection.UNSUPPORTED_OPERATOR


def test_an_operator_of_another_domain_is_refused_by_name() -> None:
    proto = helper.make_node("Relu", ["x"], ["y"], domain="com.example")
    with pytest.raises(PassError, match=r"operator com\.example\.Relu"):
        round_trip(a_graph([proto], {}))


@pytest.mark.parametrize(
    ("proto", "constants", "why"),
    [
        (node("Transpose", perm=[1, 0, 2, 3]), {}, "moves the row axis"),
        (node("ReduceMean", axes=[0, 2]), {}, "across rows"),
        (node("ReduceMean"), {}, "across rows"),
        (node("Squeeze"), {}, "moves the row axis"),
        (helper.make_node("Concat", ["x", "x"], ["y"], axis=0), {}, "across rows"),
        (node("Flatten", axis=2), {}, "keep the rows apart"),
        (node("Reshape", "s"), {"s": np.array([4, -1])}, "keep the rows apart"),
        (node("Unsqueeze", "a"), {"a": np.array([0])}, "moves the row axis"),
        (node("Pad", "p"), {"p": np.array([1, 0, 0, 0, 0, 0, 0, 0])}, "of the rows"),
        (helper.make_node("MatMul", ["x", "x"], ["y"]), {}, "not a constant"),
        (node("Add", "c"), {"c": random(3, 4, 1, 1)}, "one value a row"),
    ],
)
def test_what_mixes_rows_is_refused(
    proto: onnx.NodeProto, constants: dict[str, Array], why: str
) -> None:
    with pytest.raises(PassError, match=why):
        round_trip(a_graph([proto], constants))


@pytest.mark.parametrize(
    ("proto", "constants", "why"),
    [
        (node("Conv", "x"), {}, "not a constant"),
        (node("Conv", "w"), {"w": random(8, 4, 3, 3, 3)}, "3 spatial axes"),
        (node("MaxPool", kernel_shape=[2, 2, 2]), {}, "3 spatial axes"),
        (node("MaxPool", kernel_shape=[2, 2], storage_order=1), {}, "indices"),
        (
            node("AveragePool", kernel_shape=[3, 3], pads=[0, 0, 1, 1]),
            {},
            "uneven pads that do not count",
        ),
        (node("AveragePool", kernel_shape=[2, 2], dilations=[2, 2]), {}, "dilations"),
        (node("Pad", "p", mode="reflect"), {"p": np.array([0] * 8)}, "mode reflect"),
        (node("MatMul", "w"), {"w": random(4, 6, 3)}, "a constant with 3 axes"),
        (node("Concat", "c", axis=1), {"c": random(1, 4, 6, 6)}, "a constant among its inputs"),
        (
            node("BatchNormalization", "s", "s", "s", "s", training_mode=1),
            {"s": random(4)},
            "training_mode",
        ),
        (helper.make_node("Gemm", ["x", "w"], ["y"], transA=1), {"w": random(4, 3)}, "transA"),
        (helper.make_node("Reshape", ["x", "x"], ["y"]), {}, "computed from the data"),
    ],
)
def test_a_form_that_cannot_be_trained_is_refused(
    proto: onnx.NodeProto, constants: dict[str, Array], why: str
) -> None:
    with pytest.raises(PassError, match=why) as caught:
        round_trip(a_graph([proto], constants))
    assert caught.value.reason is Rejection.UNSUPPORTED_OPERATOR


def test_constants_that_cannot_be_worked_out_are_refused_by_node() -> None:
    nodes = [
        helper.make_node("Reshape", ["w", "s"], ["v"], name="folded"),
        helper.make_node("Add", ["x", "v"], ["y"]),
    ]
    with pytest.raises(PassError, match="node 'folded': its constants cannot be worked out"):
        round_trip(a_graph(nodes, {"w": random(4, 1, 1), "s": np.array([3, 3])}))


def test_an_output_that_is_a_constant_is_refused() -> None:
    model = a_graph([helper.make_node("Identity", ["c"], ["y"])], {"c": random(1, 4)})
    with pytest.raises(PassError, match="output 'y' is one"):
        round_trip(model)


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


def test_failing_parity_is_an_error_with_its_size() -> None:
    rows = {"x": random(ROWS, *IMAGE)}
    network = parity.import_checked(a_graph([node("Relu")], {}), rows).network
    network.layers["layer0"].register_forward_hook(lambda _layer, _inputs, answer: answer + 1)
    with pytest.raises(PassError, match="export failed parity: error") as caught:
        parity.export_checked(network, rows)
    assert caught.value.reason is Rejection.BUILD_FAILED


def test_an_input_without_rows_or_row_axis_is_an_error() -> None:
    model = a_graph([node("Relu")], {})
    with pytest.raises(PassError, match="no rows for input 'x'"):
        parity.import_checked(model, {"image": random(ROWS, *IMAGE)})
    with pytest.raises(PassError, match="input 'x' has no row axis"):
        parity.import_checked(a_graph([node("Relu")], {}, batch=3), {"x": random(ROWS, *IMAGE)})


def test_worked_examples_of_pads_and_shapes() -> None:
    assert geometry.same_pad(28, 5, 1, 1) == 4
    assert layers.torch_pads((4, 1), (5, 2)) == (1, 2, 4, 5)
    assert geometry.onnx_pads((0, 0), (1, 2, 4, 5)) == [4, 1, 5, 2]
    assert shaping.resolved_shape((1, 16, 4, 4), [0, -1]) == [1, 256]
    assert math.prod(shaping.resolved_shape((1, 16, 4, 4), [0, 2, -1])) == 256
