from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from shoal.agent.errors import EngineError
from shoal.agent.serve import golden
from shoal.agent.serve.golden import Golden
from shoal.agent.serve.sessions import Session, SessionOptions
from shoal.contract.reason import Reason
from tests.unit.agent_serve import models

ROWS = np.eye(3, 4, dtype=np.float32)


def a_session(path: Path) -> Session:
    return Session(path, SessionOptions())


def answer(session: Session, **arrays: Any) -> tuple[int, ...]:
    return golden.classes(golden.outputs(session, Golden(arrays, session)))


@pytest.mark.parametrize("batch", [1, "n"])
def test_rows_are_answered_one_by_one(tmp_path: Path, batch: int | str) -> None:
    session = a_session(models.pick(tmp_path / "m", batch))
    assert answer(session, x=ROWS, y=np.arange(3)) == (0, 1, 2)


def test_rows_of_float64_are_taken_by_a_float32_model(tmp_path: Path) -> None:
    assert answer(a_session(models.pick(tmp_path / "m")), x=ROWS.astype(np.float64)) == (0, 1, 2)


def test_the_only_input_may_be_called_x(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Identity", ["picture"], ["scores"])],
        "named",
        [models.tensor("picture", TensorProto.FLOAT, ["n", 4])],
        [models.tensor("scores", TensorProto.FLOAT, ["n", 4])],
    )
    session = a_session(models.save(tmp_path / "m", graph))
    assert answer(session, x=ROWS) == (0, 1, 2)
    assert answer(session, picture=ROWS) == (0, 1, 2)


def test_a_model_without_batch_axis_takes_each_row_as_it_is(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["scores"])],
        "flat",
        [models.tensor("x", TensorProto.FLOAT, [4])],
        [models.tensor("scores", TensorProto.FLOAT, [4])],
    )
    assert answer(a_session(models.save(tmp_path / "m", graph)), x=ROWS) == (0, 1, 2)


def test_a_scalar_is_fed_with_every_row(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Mul", ["x", "sign"], ["scores"])],
        "signed",
        [models.tensor("x", TensorProto.FLOAT, ["n", 4]), models.tensor("sign", 1, [])],
        [models.tensor("scores", TensorProto.FLOAT, ["n", 4])],
    )
    session = a_session(models.save(tmp_path / "m", graph))
    assert answer(session, x=-ROWS, sign=np.float32(-1).reshape(())) == (0, 1, 2)


def test_an_integer_vector_is_the_answer_before_any_scores(tmp_path: Path) -> None:
    path = models.labelled(tmp_path / "m")
    assert a_session(path).answering.name == "label"
    assert Session(path, SessionOptions(output="scores")).answering.name == "scores"
    a = np.eye(3, dtype=np.float32)
    assert answer(a_session(path), a=a, b=a) == (0, 1, 2)


def test_sets_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    session = a_session(models.labelled(tmp_path / "m"))
    three, two = np.zeros((3, 3), np.float32), np.zeros((2, 3), np.float32)
    for arrays, why in (
        ({"a": three}, "no array 'b'"),
        ({"a": three, "b": two}, "[2, 3] rows"),
        ({"a": three, "b": np.array(["x"] * 3)}, "'b' holds no numbers"),
    ):
        with pytest.raises(EngineError) as caught:
            Golden(arrays, session)
        assert caught.value.reason is Reason.BAD_DATA
        assert why in caught.value.message


def test_files_that_are_no_sets_are_refused(tmp_path: Path) -> None:
    text, objects = tmp_path / "text.npz", tmp_path / "objects.npz"
    text.write_text("no archive")
    np.savez(objects, x=np.array([None], dtype=object))
    for path in (text, objects, tmp_path / "absent.npz"):
        with pytest.raises(EngineError) as caught:
            golden.read(path)
        assert caught.value.reason is Reason.BAD_DATA
