"""The top level of a file tells a whole model from a cut one and from something else."""

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from shoal.compressor.sources.wire import Shape, shape


def a_model() -> bytes:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [value], [])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    data: bytes = model.SerializeToString()
    return data


MODEL = a_model()


def test_a_whole_model_is_complete() -> None:
    assert shape(memoryview(MODEL)) is Shape.COMPLETE


@pytest.mark.parametrize("length", range(1, len(MODEL)))
def test_every_beginning_of_a_model_is_truncated_or_too_short_to_tell(length: int) -> None:
    expected = {Shape.TRUNCATED} if length > 1 else {Shape.TRUNCATED, Shape.FOREIGN}
    assert shape(memoryview(MODEL[:length])) in expected


@pytest.mark.parametrize("data", [b"PK\x03\x04rest", b"\x89HDF\r\n", b"hello world", b"{}", b""])
def test_other_files_are_foreign(data: bytes) -> None:
    assert shape(memoryview(data)) is Shape.FOREIGN


@given(st.binary(max_size=200))
def test_any_bytes_are_one_of_the_three(data: bytes) -> None:
    assert shape(memoryview(data)) in set(Shape)


def test_a_model_without_operator_sets_was_cut_between_fields() -> None:
    model = onnx.ModelProto()
    model.ParseFromString(MODEL)
    del model.opset_import[:]
    assert shape(memoryview(model.SerializeToString())) is Shape.TRUNCATED
