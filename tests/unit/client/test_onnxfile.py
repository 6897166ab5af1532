"""A model and the plain data files beside it become one file; anything else is refused."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from shoal.client import onnxfile, wire
from shoal.contract.problem import InvalidError

WEIGHTS = np.arange(6000, dtype=np.float32).reshape(60, 100)
SMALL = np.ones(4, dtype=np.float32)


def a_model() -> onnx.ModelProto:
    """Weights in the main graph, in a constant, and in both branches of an If."""
    branch = helper.make_graph(
        [helper.make_node("Identity", ["inner"], ["y"])],
        "branch",
        [],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [60, 100])],
        initializer=[numpy_helper.from_array(WEIGHTS, "inner")],
    )
    nodes = [
        helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(WEIGHTS, "c")),
        helper.make_node("If", ["condition"], ["z"], then_branch=branch, else_branch=branch),
        helper.make_node("Sum", ["x", "w", "c", "z"], ["out"]),
    ]
    graph = helper.make_graph(
        nodes,
        "main",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [60, 100]),
            helper.make_tensor_value_info("condition", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [60, 100])],
        initializer=[numpy_helper.from_array(WEIGHTS, "w"), numpy_helper.from_array(SMALL, "s")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def saved(folder: Path, model: onnx.ModelProto | None = None) -> Path:
    path = folder / "model.onnx"
    onnx.save_model(
        model or a_model(),
        str(path),
        save_as_external_data=True,
        all_tensors_to_one_file=True,
        location="weights.bin",
        size_threshold=1024,
        convert_attribute=True,
    )
    return path


def with_location(folder: Path, change: Callable[[TensorProto], object]) -> Path:
    """The saved model after `change` was applied to its first external tensor."""
    path = saved(folder)
    model = onnx.load(str(path), load_external_data=False)
    change(model.graph.initializer[0])
    path.write_bytes(model.SerializeToString())
    return path


def set_entry(key: str, value: str) -> Callable[[TensorProto], object]:
    def change(tensor: TensorProto) -> None:
        for entry in tensor.external_data:
            if entry.key == key:
                entry.value = value

    return change


def refusal(path: Path, scratch: Path) -> InvalidError:
    with pytest.raises(InvalidError) as caught:
        onnxfile.as_one_file(path, scratch)
    return caught.value


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


def test_data_beside_the_model_is_folded_in(tmp_path: Path, scratch: Path) -> None:
    folded = onnxfile.as_one_file(saved(tmp_path), scratch)
    alone = onnx.load(str(folded), load_external_data=False)
    assert folded.parent == scratch
    onnx.checker.check_model(alone)
    np.testing.assert_array_equal(numpy_helper.to_array(alone.graph.initializer[0]), WEIGHTS)
    constant = alone.graph.node[0].attribute[0].t
    np.testing.assert_array_equal(numpy_helper.to_array(constant), WEIGHTS)
    for attribute in alone.graph.node[1].attribute:
        np.testing.assert_array_equal(numpy_helper.to_array(attribute.g.initializer[0]), WEIGHTS)
    assert b"weights.bin" not in folded.read_bytes()


def test_folding_is_the_same_every_time(tmp_path: Path, scratch: Path) -> None:
    first = onnxfile.as_one_file(saved(tmp_path), scratch).read_bytes()
    assert onnxfile.as_one_file(saved(tmp_path), scratch).read_bytes() == first


def test_a_model_in_one_file_is_left_as_it_is(tmp_path: Path, scratch: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save_model(a_model(), str(path))
    assert onnxfile.as_one_file(path, scratch) == path


def test_data_without_offset_and_length_is_the_whole_file(tmp_path: Path, scratch: Path) -> None:
    def whole_file(tensor: TensorProto) -> None:
        del tensor.external_data[:]
        tensor.external_data.add(key="location", value="whole.bin")

    path = with_location(tmp_path, whole_file)
    (tmp_path / "whole.bin").write_bytes(WEIGHTS.tobytes())
    alone = onnx.load(str(onnxfile.as_one_file(path, scratch)), load_external_data=False)
    np.testing.assert_array_equal(numpy_helper.to_array(alone.graph.initializer[0]), WEIGHTS)


@pytest.mark.parametrize(
    "location", ["../secret", "/etc/passwd", "sub/weights.bin", "..", "", "a\\b", "x" * 300]
)
def test_data_outside_the_folder_is_refused(tmp_path: Path, scratch: Path, location: str) -> None:
    path = with_location(tmp_path, set_entry("location", location))
    assert refusal(path, scratch).problem.reason == "ExternalData"


def test_a_link_is_refused(tmp_path: Path, scratch: Path) -> None:
    path = with_location(tmp_path, set_entry("location", "link.bin"))
    (tmp_path / "link.bin").symlink_to("/etc/passwd")
    assert refusal(path, scratch).problem.reason == "ExternalData"


def test_what_is_no_regular_file_is_refused(tmp_path: Path, scratch: Path) -> None:
    path = with_location(tmp_path, set_entry("location", "pipe"))
    os.mkfifo(tmp_path / "pipe")
    assert "regular file" in refusal(path, scratch).problem.message


@pytest.mark.parametrize(
    ("key", "value"),
    [("length", "999999999"), ("offset", "999999999"), ("offset", "-1"), ("length", "many")],
)
def test_bytes_that_are_not_there_are_refused(
    tmp_path: Path, scratch: Path, key: str, value: str
) -> None:
    path = with_location(tmp_path, set_entry(key, value))
    assert refusal(path, scratch).problem.reason == "ExternalData"


def test_a_missing_data_file_is_named(tmp_path: Path, scratch: Path) -> None:
    path = saved(tmp_path)
    (tmp_path / "weights.bin").unlink()
    assert "weights.bin" in refusal(path, scratch).problem.message


def test_a_truncated_model_is_refused(tmp_path: Path, scratch: Path) -> None:
    path = saved(tmp_path)
    path.write_bytes(path.read_bytes()[:-40])
    assert refusal(path, scratch).problem.reason == "TruncatedModel"


@pytest.mark.parametrize(
    "content", [b"", b"hello, world", b"\x00" * 64, b"PK\x03\x04zip", b"\x08\x07"]
)
def test_what_is_not_onnx_is_refused(tmp_path: Path, scratch: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    error = refusal(path, scratch)
    assert error.problem.reason in {"NotOnnx", "TruncatedModel"}
    assert str(path) in error.problem.message


def test_a_model_nested_without_end_is_refused(tmp_path: Path) -> None:
    body = b""
    for _ in range(200):  # a graph in an attribute of a node of a graph …
        body = wire.header(6, len(body)) + body
        body = wire.header(5, len(body)) + body
        body = wire.header(1, len(body)) + body
    path = tmp_path / "model.onnx"
    path.write_bytes(wire.header(7, len(body)) + body)
    with pytest.raises(InvalidError, match="nested"):
        onnxfile.fold(path, tmp_path / "out")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_wire_error(data: bytes) -> None:
    try:
        found = list(wire.fields(data, 0, len(data)))
    except wire.WireError:
        return
    assert sum(field.end - field.start for field in found) == len(data)


@given(st.integers(min_value=0, max_value=2**63))
def test_a_number_survives_its_encoding(value: int) -> None:
    encoded = wire.encode_varint(value)
    assert wire.varint(encoded, 0, len(encoded)) == (value, len(encoded))


def test_300_is_two_bytes() -> None:
    assert wire.encode_varint(300) == b"\xac\x02"
