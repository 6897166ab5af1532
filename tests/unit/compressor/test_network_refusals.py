"""What cannot be trained is refused with the operator, the node and the reason."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from shoal.compressor.network import parity
from shoal.compressor.passes.protocol import PassError
from shoal.compressor.rejections import Rejection
from tests.unit.compressor.networks import IMAGE, ROWS, Array, a_graph, node, random, round_trip


def test_softmax_over_several_axes_of_old_opsets_is_refused() -> None:
    with pytest.raises(PassError, match="Softmax of node 'y'"):
        round_trip(a_graph([node("Softmax")], {}, opset=11))


def test_an_unknown_operator_is_refused_by_name() -> None:
    proto = helper.make_node("Det", ["x"], ["y"], name="volume/Det")
    with pytest.raises(PassError, match="operator Det of node 'volume/Det'") as caught:
        round_trip(a_graph([proto], {}))
    assert caught.value.reason is Rejection.UNSUPPORTED_OPERATOR


def test_an_operator_of_another_domain_is_refused_by_name() -> None:
    proto = helper.make_node("Relu", ["x"], ["y"], domain="com.example")
    with pytest.raises(PassError, match=r"operator com\.example\.Relu"):
        round_trip(a_graph([proto], {}))


@pytest.mark.parametrize(
    ("proto", "constants", "why"),
    [
        (node("ReduceMean", axes=[0, 2]), {}, "across rows"),
        (node("ReduceMean"), {}, "across rows"),
        (node("Softmax", axis=0), {}, "across rows"),
        (node("Squeeze"), {}, "'y' of several rows is"),
        (helper.make_node("Concat", ["x", "x"], ["y"], axis=0), {}, "across rows"),
        (node("Flatten", axis=2), {}, "'y' of several rows is"),
        (node("Reshape", "s"), {"s": np.array([4, -1])}, "'y' of several rows is"),
        (node("Pad", "p"), {"p": np.array([1, 0, 0, 0, 0, 0, 0, 0])}, "of the rows"),
        (node("Add", "c"), {"c": random(3, 4, 1, 1)}, "cannot take several rows"),
        (node("Gather", "i", axis=0), {"i": np.array([0, 0])}, "across rows"),
        (node("Slice", "a", "b"), {"a": np.array([1]), "b": np.array([9])}, "across rows"),
        (node("Tile", "r"), {"r": np.array([2, 1, 1, 1])}, "repeats rows"),
        (node("Expand", "e"), {"e": np.array([3, 4, 6, 6])}, "cannot take several rows"),
        (helper.make_node("Einsum", ["x", "x"], ["y"], equation="abcd,ebcd->ae"), {}, "letters"),
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
        (node("MaxPool", kernel_shape=[2, 2], storage_order=1), {}, "indices"),
        (node("AveragePool", kernel_shape=[2, 2], dilations=[2, 2]), {}, "dilations"),
        (node("Pad", "p", mode="wrap"), {"p": np.array([0] * 8)}, "mode wrap"),
        (node("MatMul", "w"), {"w": random(6)}, "a product with a vector"),
        (node("Resize", "", "s", mode="linear"), {"s": np.ones(4, np.float32) * 2}, "rows or"),
        (
            node("BatchNormalization", "s", "s", "s", "s", training_mode=1),
            {"s": random(4)},
            "training_mode",
        ),
        (node("Cast", to=TensorProto.STRING), {}, "not trained with"),
        (helper.make_node("Reshape", ["x", "x"], ["y"]), {}, "not a constant"),
        (node("Squeeze", "a"), {"a": np.array([1])}, "it cannot be read"),
        (helper.make_node("Gather", ["x", "x"], ["y"]), {}, "computed from the data"),
    ],
)
def test_a_form_that_cannot_be_trained_is_refused(
    proto: onnx.NodeProto, constants: dict[str, Array], why: str
) -> None:
    with pytest.raises(PassError, match=why) as caught:
        round_trip(a_graph([proto], constants, opset=18 if proto.op_type == "Pad" else 17))
    assert caught.value.reason is Rejection.UNSUPPORTED_OPERATOR


@pytest.mark.parametrize(
    ("attributes", "extra", "why"),
    [
        ({"linear_before_reset": 0}, [], "linear_before_reset 0"),
        ({"linear_before_reset": 1, "clip": 1.0}, [], "clip"),
        ({"linear_before_reset": 1, "activations": ["Relu", "Tanh"]}, [], "activations"),
        ({"linear_before_reset": 1}, ["", "lengths"], "different lengths"),
    ],
)
def test_a_recurrent_cell_that_torch_lacks_is_refused(
    attributes: dict[str, Any], extra: list[str], why: str
) -> None:
    nodes = [
        helper.make_node("Transpose", ["x"], ["sequence"], perm=[1, 0, 2]),
        helper.make_node("GRU", ["sequence", "w", "r", *extra], ["y"], hidden_size=3, **attributes),
    ]
    constants = {"w": random(1, 9, 2), "r": random(1, 9, 3), "lengths": np.array([4], np.int32)}
    with pytest.raises(PassError, match=why):
        round_trip(a_graph(nodes, constants, (5, 2)), (5, 2))


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
