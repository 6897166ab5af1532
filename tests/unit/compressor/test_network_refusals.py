"""What cannot be trained is refused with the operator, the node and the reason."""

import numpy as np
import onnx
import pytest
from onnx import helper

from shoal.compressor.network import parity
from shoal.compressor.passes.protocol import PassError
from shoal.compressor.rejections import Rejection
from tests.unit.compressor.networks import IMAGE, ROWS, Array, a_graph, node, random, round_trip


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
