"""What the engine's parser makes of any bytes at all."""

import contextlib
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.agent.serve import inference, tensors
from shoal.agent.serve.errors import RequestError
from shoal.agent.serve.sessions import Session, SessionOptions
from tests.unit.agent_serve import models

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return Session(models.pick(tmp_path_factory.mktemp("model") / "m"), SessionOptions())


@given(data=st.binary(max_size=200), json_bytes=st.none() | st.integers(0, 200))
def test_any_bytes_are_a_call_or_a_client_error(
    session: Session, data: bytes, json_bytes: int | None
) -> None:
    with pytest.raises(RequestError) as caught:
        inference.parse(data, json_bytes, session)
    assert caught.value.status == 400


@given(
    fields=st.fixed_dictionaries(
        {"name": st.just("x") | JSON, "datatype": st.just("FP32") | JSON},
        optional={"shape": st.just([1, 4]) | JSON, "data": JSON, "parameters": JSON},
    ),
    rest=st.fixed_dictionaries({}, optional={"id": JSON, "outputs": JSON, "parameters": JSON}),
)
def test_any_document_is_a_call_or_a_client_error(
    session: Session, fields: dict[str, Any], rest: dict[str, Any]
) -> None:
    body = json.dumps({"inputs": [fields], **rest}).encode()
    with contextlib.suppress(RequestError):
        call = inference.parse(body, None, session)
        assert call.feeds["x"].shape == (1, 4)


def test_deep_nesting_is_a_client_error(session: Session) -> None:
    with pytest.raises(RequestError):
        inference.parse(b"[" * 100_000, None, session)


def test_an_empty_batch_is_a_call(session: Session) -> None:
    tensor = {"name": "x", "datatype": "FP32", "shape": [0, 4], "data": []}
    call = inference.parse(json.dumps({"inputs": [tensor]}).encode(), None, session)
    assert call.rows == 0
    assert call.feeds["x"].shape == (0, 4)


@pytest.mark.parametrize("name", tensors.DATATYPES)
def test_bytes_of_every_datatype_come_back_at_any_offset(name: str) -> None:
    dtype = tensors.DATATYPES[name]
    array = np.array([[1, 0, 1], [0, 1, 1]], dtype)
    for offset in range(9):
        data = memoryview(bytes(offset) + tensors.to_bytes(array))[offset:]
        read = tensors.from_bytes("x", data, dtype, (2, 3))
        assert read.flags.aligned
        np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("UINT8", [256]),
        ("UINT8", [-1]),
        ("INT8", [128]),
        ("INT32", [1.5]),
        ("INT32", [True]),
        ("UINT64", [2**64]),
        ("BOOL", [2]),
        ("FP32", [None]),
        ("FP32", ["1"]),
        ("FP32", [[1], [1, 2]]),
    ],
)
def test_numbers_that_do_not_fit_their_datatype_are_refused(name: str, data: list[Any]) -> None:
    with pytest.raises(RequestError):
        tensors.from_list("x", data, tensors.DATATYPES[name], (1,))


def test_integers_stand_for_floats_and_nested_lists_for_flat_ones() -> None:
    nested = tensors.from_list("x", [[1, 2], [3, 4]], tensors.DATATYPES["FP32"], (2, 2))
    flat = tensors.from_list("x", [1.0, 2.0, 3.0, 4.0], tensors.DATATYPES["FP32"], (2, 2))
    np.testing.assert_array_equal(nested, flat)
    truth = tensors.from_list("x", [1, 0], tensors.DATATYPES["BOOL"], (2,))
    assert truth.tolist() == [True, False]
