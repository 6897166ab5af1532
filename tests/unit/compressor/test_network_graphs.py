"""Graphs of several operators: recurrent nets, attention, masks, integers, branches, constants."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from shoal.compressor.network import parity
from tests.unit.compressor.networks import (
    ROWS,
    Array,
    a_graph,
    operators,
    random,
    round_trip,
)

make = helper.make_node


def graph_of(
    nodes: Sequence[onnx.NodeProto],
    constants: Mapping[str, Array],
    inputs: Mapping[str, tuple[int, list[int | str]]],
    outputs: Mapping[str, int] = MappingProxyType({"y": TensorProto.FLOAT}),
) -> onnx.ModelProto:
    """A graph with inputs of any type and shape."""
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info(n, kind, shape) for n, (kind, shape) in inputs.items()],
        [helper.make_tensor_value_info(n, kind, None) for n, kind in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def survives(model: onnx.ModelProto, rows: Mapping[str, Array]) -> onnx.ModelProto:
    """Parity in both directions, twice."""
    return round_trip(model, rows=rows)


GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("operator", GATES)
def test_a_recurrent_net_survives_with_its_states(operator: str, direction: str) -> None:
    count, gates, hidden = (2 if direction == "bidirectional" else 1), GATES[operator], 3
    attributes: dict[str, Any] = {"hidden_size": hidden, "direction": direction}
    if operator == "GRU":
        attributes["linear_before_reset"] = 1
    states = ["", "h", "c"] if operator == "LSTM" else ["", "h"]
    results = ["whole", "last", "cell"] if operator == "LSTM" else ["whole", "last"]
    nodes = [
        make("Transpose", ["x"], ["sequence"], perm=[1, 0, 2]),
        make(operator, ["sequence", "w", "r", "b", *states], results, **attributes),
        make("Transpose", ["whole"], ["back"], perm=[2, 0, 1, 3]),
        make("Reshape", ["back", "flat"], ["y"]),
        make("Transpose", ["last"], ["z"], perm=[1, 0, 2]),
    ]
    constants = {
        "w": random(count, gates * hidden, 2),
        "r": random(count, gates * hidden, hidden),
        "b": random(count, 2 * gates * hidden),
        "c": random(count, 1, hidden),
        "flat": np.array([0, 5, -1]),
    }
    inputs: dict[str, tuple[int, list[int | str]]] = {"x": (TensorProto.FLOAT, [1, 5, 2])}
    inputs["h"] = (TensorProto.FLOAT, [count, 1, hidden])
    rows = {"x": random(ROWS, 5, 2), "h": random(ROWS, count, 1, hidden)}
    if count == 1:
        rows["h"] = rows["h"][:, 0]
    if operator != "LSTM":
        del constants["c"]
    survives(graph_of(nodes, constants, inputs, dict.fromkeys("yz", TensorProto.FLOAT)), rows)


def test_rows_on_the_second_axis_survive_in_batches() -> None:
    nodes = [
        make("Transpose", ["x"], ["sequence"], perm=[1, 0, 2]),
        make("GRU", ["sequence", "w", "r"], ["", "last"], hidden_size=3, linear_before_reset=1),
        make("Squeeze", ["last", "first"], ["flat"]),
        make("Gemm", ["flat", "g"], ["y"]),
    ]
    constants = {"w": random(1, 9, 2), "r": random(1, 9, 3), "g": random(3, 2)}
    constants["first"] = np.array([0])
    round_trip(a_graph(nodes, constants, (5, 2)), (5, 2))


def attention(*, merged: bool) -> list[onnx.NodeProto]:
    """Two heads of two over five places; merged, rows and heads share an axis as torch has it."""
    nodes = [make("Transpose", ["x"], ["t"], perm=[1, 0, 2])]
    for name in "qkv":
        nodes.append(make("MatMul", ["t", f"w{name}"], [f"{name}0"]))
        nodes.append(make("Reshape", [f"{name}0", "merged"], [f"{name}1"]))
        nodes.append(make("Transpose", [f"{name}1"], [f"{name}2"], perm=[1, 0, 2]))
        if not merged:
            nodes.append(make("Reshape", [f"{name}2", "heads"], [f"{name}3"]))
    last, swap = ("2", [0, 2, 1]) if merged else ("3", [0, 1, 3, 2])
    nodes += [
        make("Transpose", [f"k{last}"], ["turned"], perm=swap),
        make("MatMul", [f"q{last}", "turned"], ["scores"]),
        make("Softmax", ["scores"], ["weights"], axis=-1),
        make("MatMul", ["weights", f"v{last}"], ["heard"]),
    ]
    if merged:
        nodes.append(make("Transpose", ["heard"], ["apart"], perm=[1, 0, 2]))
    else:
        nodes.append(make("Transpose", ["heard"], ["apart"], perm=[2, 0, 1, 3]))
    nodes += [
        make("Reshape", ["apart", "joined"], ["whole"]),
        make("Transpose", ["whole"], ["y"], perm=[1, 0, 2]),
    ]
    return nodes


@pytest.mark.parametrize("merged", [True, False])
def test_attention_survives_wherever_the_rows_are(merged: bool) -> None:  # noqa: FBT001 - a case
    constants = {f"w{name}": random(4, 4 + index)[:, :4] for index, name in enumerate("qkv")}
    constants |= {"merged": np.array([5, -1, 2]), "heads": np.array([-1, 2, 5, 2])}
    constants["joined"] = np.array([5, -1, 4])
    model = a_graph(attention(merged=merged), constants, (5, 4))
    assert "Softmax" in operators(round_trip(model, (5, 4)))


def test_words_and_masks_survive() -> None:
    nodes = [
        make("Gather", ["table", "words"], ["vectors"]),
        make("Add", ["vectors", "places"], ["placed"]),
        make("Cast", ["mask"], ["shown"], to=TensorProto.BOOL),
        make("Unsqueeze", ["shown", "last"], ["wide"]),
        make("Where", ["wide", "placed", "zero"], ["heard"]),
        make("ReduceSum", ["heard", "second"], ["total"], keepdims=0),
        make("Greater", ["total", "zero"], ["some"]),
        make("Not", ["some"], ["none"]),
        make("Or", ["some", "none"], ["all"]),
        make("And", ["all", "some"], ["kept"]),
        make("Xor", ["kept", "none"], ["ones"]),
        make("Cast", ["ones"], ["factor"], to=TensorProto.FLOAT),
        make("Mul", ["total", "factor"], ["y"]),
        make("Equal", ["words", "three"], ["threes"]),
        make("Less", ["words", "three"], ["fewer"]),
        make("GreaterOrEqual", ["words", "three"], ["more"]),
        make("LessOrEqual", ["words", "three"], ["most"]),
        make("ArgMax", ["total"], ["best"], axis=1, keepdims=0),
        make("ArgMin", ["total"], ["worst"], axis=-1),
    ]
    constants = {
        "table": random(9, 4),
        "places": random(1, 6, 4),
        "zero": np.array(0, np.float32),
        "three": np.array(3),
        "last": np.array([-1]),
        "second": np.array([1]),
    }
    words: tuple[int, list[int | str]] = (TensorProto.INT64, ["N", 6])
    rows = {
        "words": np.random.default_rng(0).integers(0, 9, (ROWS, 6)),
        "mask": np.tril(np.ones((ROWS, 6), np.int64)),
    }
    outputs: dict[str, int] = {"y": TensorProto.FLOAT}
    outputs |= dict.fromkeys(("threes", "fewer", "more", "most"), TensorProto.BOOL)
    outputs |= dict.fromkeys(("best", "worst"), TensorProto.INT64)
    model = graph_of(nodes, constants, {"words": words, "mask": words}, outputs)
    network = parity.import_checked(model, rows).network
    assert network.parameter_count == 9 * 4
    assert network.taught_values("best") == ["total", "y"]
    survives(model, rows)


def test_an_axis_in_parts_survives() -> None:
    nodes = [
        make("Split", ["x", "sizes"], ["a", "b"], axis=1),
        make("Split", ["a"], ["c", "d"], axis=-1),
        make("Mul", ["c", "d"], ["y"]),
    ]
    model = a_graph(nodes, {"sizes": np.array([1, 3])})
    model.graph.output.append(helper.make_tensor_value_info("b", TensorProto.FLOAT, None))
    assert operators(survives(model, {"x": random(ROWS, 4, 6, 6)})).count("Split") == 2


def a_branch(operator: str) -> onnx.GraphProto:
    return helper.make_graph(
        [make(operator, ["x"], [f"{operator}ed"])],
        operator,
        [],
        [helper.make_tensor_value_info(f"{operator}ed", TensorProto.FLOAT, None)],
    )


def test_a_branch_on_a_constant_that_every_row_is_fed_with_is_taken() -> None:
    branches: dict[str, Any] = {"then_branch": a_branch("Relu"), "else_branch": a_branch("Tanh")}
    nodes = [make("Equal", ["rate", "eight"], ["slow"]), make("If", ["slow"], ["y"], **branches)]
    inputs: dict[str, tuple[int, list[int | str]]] = {
        "x": (TensorProto.FLOAT, ["N", 4]),
        "rate": (TensorProto.INT64, []),
    }
    model = graph_of(nodes, {"eight": np.array(8000)}, inputs)
    rows = {"x": random(ROWS, 4), "rate": np.array(16000)}
    written = survives(model, rows)
    assert operators(written) == ["Tanh"]
    assert [port.name for port in written.graph.input] == ["x", "rate"]


def test_an_input_that_is_fed_whole_survives() -> None:
    inputs: dict[str, tuple[int, list[int | str]]] = {
        "x": (TensorProto.FLOAT, [1, 4]),
        "state": (TensorProto.FLOAT, [2, 4]),
    }
    nodes = [make("Add", ["x", "state"], ["y"]), make("Neg", ["state"], ["z"])]
    model = graph_of(nodes, {}, inputs, dict.fromkeys("yz", TensorProto.FLOAT))
    survives(model, {"x": random(ROWS, 4), "state": random(ROWS, 2, 4)})


def test_functions_of_the_graph_itself_are_inlined() -> None:
    function = helper.make_function(
        "own",
        "Twice",
        ["a"],
        ["b"],
        [make("Add", ["a", "a"], ["b"])],
        [helper.make_opsetid("", 17)],
    )
    model = a_graph([make("Twice", ["x"], ["y"], domain="own")], {})
    model.functions.append(function)
    model.opset_import.append(helper.make_opsetid("own", 1))
    assert operators(round_trip(model)) == ["Add"]


@pytest.mark.parametrize("order", ["half last", "half first", "multiplied"])
def test_gelu_in_parts_is_one_layer_and_is_written_halved_first(order: str) -> None:
    scaling = "Mul" if order == "multiplied" else "Div"
    nodes = [
        make(scaling, ["x", "root"], ["scaled"]),
        make("Erf", ["scaled"], ["erf"]),
        make("Add", ["erf", "one"], ["gate"]),
    ]
    if order == "half first":
        nodes += [make("Mul", ["half", "x"], ["h"]), make("Mul", ["h", "gate"], ["y"])]
    else:
        nodes += [make("Mul", ["x", "gate"], ["h"]), make("Mul", ["h", "half"], ["y"])]
    root = np.sqrt(0.5 if order == "multiplied" else 2).astype(np.float32)
    numbers = {"root": root, "one": np.array(1, np.float32), "half": np.array(0.5, np.float32)}
    model = a_graph(nodes, numbers)
    rows = {"x": random(ROWS, 4, 6, 6)}
    assert len(parity.import_checked(model, rows).network.steps) == 1
    assert operators(round_trip(model)) == ["Div", "Erf", "Add", "Mul", "Mul"]
    numbers["half"] = np.array(0.25, np.float32)
    assert len(parity.import_checked(a_graph(nodes, numbers), rows).network.steps) == 5


def test_batch_norm_becomes_part_of_the_layer_before() -> None:
    weights = {name: random(3) for name in "sbm"} | {"v": np.abs(random(3)) + 0.5}
    nodes = [
        make("Conv", ["x", "w"], ["c"]),
        make("BatchNormalization", ["c", *weights], ["n"]),
        make("Relu", ["n"], ["y"]),
    ]
    model = a_graph(nodes, {"w": random(3, 4, 3, 3), **weights})
    assert operators(round_trip(model)) == ["Conv", "Relu"]
    model.graph.output.append(helper.make_tensor_value_info("c", TensorProto.FLOAT, None))
    assert operators(round_trip(model)) == ["Conv", "BatchNormalization", "Relu"]
