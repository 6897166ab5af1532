"""What an ONNX file may be, and what is refused of it: by reason, by name and with a next step."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from shoal.compressor.sources import check, formats, model
from shoal.compressor.sources.model import Desk
from shoal.contract.problem import InvalidError, Problem

FLOAT = TensorProto.FLOAT
Spoil = Callable[[onnx.ModelProto], None]


def a_model(opset: int = 17) -> onnx.ModelProto:
    """y = relu(x @ w + b), under operators that every opset knows."""
    weights = {"w": np.ones((4, 3), np.float32), "b": np.zeros(3, np.float32)}
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["m"]),
        helper.make_node("Add", ["m", "b"], ["a"]),
        helper.make_node("Relu", ["a"], ["y"]),
    ]
    return of(nodes, {"x": ["N", 4]}, {"y": ["N", 3]}, weights, opset)


def of(
    nodes: list[onnx.NodeProto],
    inputs: dict[str, list[str | int]],
    outputs: dict[str, list[str | int]],
    weights: dict[str, "np.typing.NDArray[np.float32]"] | None = None,
    opset: int = 17,
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()],
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


def read(proto: onnx.ModelProto, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The signature, as the child finds it."""
    path = folder / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    signature: dict[str, list[dict[str, Any]]] = check.check(path, folder / "folded")["signature"]
    return signature


def refusal(proto: onnx.ModelProto, folder: Path) -> Problem:
    with pytest.raises(InvalidError) as caught:
        read(proto, folder)
    assert caught.value.problem.hint
    return caught.value.problem


@pytest.mark.parametrize("opset", [7, 11, 13, 17, 21, 23])
def test_every_opset_since_seven_is_read(opset: int, tmp_path: Path) -> None:
    (tensor,) = read(a_model(opset), tmp_path)["inputs"]
    assert tensor == {"name": "x", "dtype": "float32", "shape": (None, 4)}


def test_subgraphs_sparse_weights_and_text_inside_are_ordinary(tmp_path: Path) -> None:
    branch = helper.make_graph(
        [helper.make_node("Relu", ["m"], ["r"])],
        "then",
        [],
        [helper.make_tensor_value_info("r", FLOAT, None)],
    )
    other = helper.make_graph(
        [helper.make_node("Neg", ["m"], ["n"])],
        "else",
        [],
        [helper.make_tensor_value_info("n", FLOAT, None)],
    )
    words = numpy_helper.from_array(np.array(["cat", "dog"], object), "words")
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["m"]),
        helper.make_node("ReduceSum", ["m"], ["s"], keepdims=0),
        helper.make_node("Greater", ["s", "zero"], ["positive"]),
        helper.make_node("If", ["positive"], ["y"], then_branch=branch, else_branch=other),
        helper.make_node("Constant", [], ["text"], value=words),
        helper.make_node("Identity", ["text"], ["labels"]),
    ]
    proto = of(nodes, {"x": ["N", 4]}, {"y": ["N", 4]}, {"zero": np.zeros((), np.float32)})
    proto.graph.output.append(helper.make_tensor_value_info("labels", TensorProto.STRING, [2]))
    values = helper.make_tensor("w", FLOAT, [2], [1.0, 2.0])
    places = helper.make_tensor("places", TensorProto.INT64, [2], [0, 5])
    proto.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [4, 4]))
    signature = read(proto, tmp_path)
    assert [tensor["dtype"] for tensor in signature["outputs"]] == ["float32", ""]


def test_classical_models_and_several_inputs_and_outputs_are_ordinary(tmp_path: Path) -> None:
    classifier = helper.make_node(
        "LinearClassifier",
        ["sum"],
        ["label", "scores"],
        domain="ai.onnx.ml",
        coefficients=[1.0, 2.0, 3.0, 4.0],
        intercepts=[0.0, 1.0],
        classlabels_ints=[0, 1],
        multi_class=0,
        post_transform="SOFTMAX",
    )
    nodes = [helper.make_node("Add", ["a", "b"], ["sum"]), classifier]
    proto = of(nodes, {"a": ["N", 2], "b": ["N", 2]}, {"scores": ["N", 2]})
    proto.graph.output.append(helper.make_tensor_value_info("label", TensorProto.INT64, ["N"]))
    signature = read(proto, tmp_path)
    assert [tensor["name"] for tensor in signature["inputs"]] == ["a", "b"]
    assert [tensor["dtype"] for tensor in signature["outputs"]] == ["float32", "int64"]


def test_a_mask_of_infinity_and_a_mark_of_missing_values_are_honest(tmp_path: Path) -> None:
    proto = a_model()
    proto.graph.node[1].input[1] = "mask"
    mask = np.array([0, -np.inf, 0], np.float32)
    proto.graph.initializer.append(numpy_helper.from_array(mask, "mask"))
    missing = np.array(np.nan, np.float32)
    proto.graph.initializer.append(numpy_helper.from_array(missing, "missing"))
    assert read(proto, tmp_path)["outputs"]


def weight_of(value: float) -> Spoil:
    def spoil(proto: onnx.ModelProto) -> None:
        array = numpy_helper.to_array(proto.graph.initializer[0]).copy()
        array[1, 2] = value
        proto.graph.initializer[0].CopyFrom(numpy_helper.from_array(array, "w"))

    return spoil


def half_a_weight(proto: onnx.ModelProto) -> None:
    array = np.full((4, 3), np.nan, np.float16)
    proto.graph.initializer[0].CopyFrom(numpy_helper.from_array(array, "w"))


def constant_weight(proto: onnx.ModelProto) -> None:
    value = numpy_helper.from_array(np.full((4, 3), np.nan, np.float32), "hidden")
    proto.graph.initializer.pop(0)
    proto.graph.node.insert(0, helper.make_node("Constant", [], ["w"], value=value))


def coefficient(proto: onnx.ModelProto) -> None:
    node = helper.make_node(
        "LinearRegressor", ["a"], ["z"], "reg", domain="ai.onnx.ml", coefficients=[float("nan")] * 3
    )
    proto.graph.node.append(node)


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (weight_of(np.nan), "'w'"),
        (weight_of(np.inf), "'w'"),
        (half_a_weight, "'w'"),
        (constant_weight, "'w'"),
        (coefficient, "reg.coefficients"),
    ],
)
def test_weights_that_are_no_numbers_are_named(spoil: Spoil, named: str, tmp_path: Path) -> None:
    proto = a_model()
    spoil(proto)
    problem = refusal(proto, tmp_path)
    assert problem.reason == "BadWeights"
    assert named in problem.message


def old(proto: onnx.ModelProto) -> None:
    proto.opset_import[0].version = 6


def text_input(proto: onnx.ModelProto) -> None:
    proto.graph.input.append(helper.make_tensor_value_info("words", TensorProto.STRING, ["N"]))
    proto.graph.node.append(helper.make_node("Identity", ["words"], ["out"]))


def no_room(proto: onnx.ModelProto) -> None:
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 0


def no_input(proto: onnx.ModelProto) -> None:
    del proto.graph.input[:]
    proto.graph.initializer.append(numpy_helper.from_array(np.ones((1, 4), np.float32), "x"))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (old, "opset 6"),
        (text_input, "'words'"),
        (no_room, "dimension of 0"),
        (no_input, "no input"),
    ],
)
def test_what_no_row_can_feed_is_refused_in_words(spoil: Spoil, words: str, tmp_path: Path) -> None:
    proto = a_model()
    spoil(proto)
    assert words in refusal(proto, tmp_path).message


def cycle(proto: onnx.ModelProto) -> None:
    proto.graph.node[0].input[0] = "y"


def two_of_one_name(proto: onnx.ModelProto) -> None:
    proto.graph.node[1].output[0] = "m"


def two_weights_of_one_name(proto: onnx.ModelProto) -> None:
    proto.graph.initializer.append(numpy_helper.from_array(np.ones((4, 5), np.float32), "w"))


def two_inputs_of_one_name(proto: onnx.ModelProto) -> None:
    proto.graph.input.append(proto.graph.input[0])


def weight_without_bytes(proto: onnx.ModelProto) -> None:
    proto.graph.initializer[0].dims[:] = [2**40, 2**20]


def weight_of_negative_size(proto: onnx.ModelProto) -> None:
    proto.graph.initializer[0].dims[:] = [-4, 3]


def call_itself(proto: onnx.ModelProto) -> None:
    node = helper.make_node("Again", ["i"], ["o"], domain="own")
    proto.opset_import.append(helper.make_opsetid("own", 1))
    imports = [helper.make_opsetid("own", 1)]
    proto.functions.append(helper.make_function("own", "Again", ["i"], ["o"], [node], imports))
    proto.graph.node.append(helper.make_node("Again", ["y"], ["z"], domain="own"))


@pytest.mark.parametrize(
    "spoil",
    [
        cycle,
        two_of_one_name,
        two_weights_of_one_name,
        two_inputs_of_one_name,
        weight_without_bytes,
        weight_of_negative_size,
        call_itself,
    ],
)
def test_a_graph_that_cannot_be_is_refused_or_read_in_the_child(
    spoil: Spoil, tmp_path: Path
) -> None:
    proto = a_model()
    spoil(proto)
    path = tmp_path / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(InvalidError) as caught:
        model.read(formats.admit(str(path)), Desk(scratch=tmp_path))
    assert caught.value.problem.reason in {"LoadFailed", "ModelTooLarge"}
    assert caught.value.problem.hint


def field(number: int, data: bytes) -> bytes:
    """One length-delimited field as protobuf writes it; onnx itself refuses to build such depth."""
    length = len(data)
    size = bytearray()
    while length > 0x7F:
        size.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes([number << 3 | 2, *size, length]) + data


def test_nesting_without_end_is_refused(tmp_path: Path) -> None:
    graph: bytes = a_model().graph.SerializeToString()
    for _ in range(1_000):
        branch = field(1, b"body") + field(6, graph)
        graph = field(1, field(4, b"If") + field(5, branch))
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\x08\x08" + field(7, graph) + field(8, b"\x10\x11"))
    with pytest.raises(InvalidError) as caught:
        model.read(formats.admit(str(path)), Desk(scratch=tmp_path))
    assert caught.value.problem.reason == "NotOnnx"
