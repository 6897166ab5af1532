"""A conversion is held against its origin row by row, in batches, padded and cut."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from shoal.compressor.sources import likeness
from shoal.compressor.sources.rows import Array
from shoal.contract.problem import InvalidError

WEIGHT = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)


class Origin:
    """scores = mean of the embedded tokens that the mask counts, as plain numpy."""

    def __init__(self, *, wrong: str = "") -> None:
        self.wrong = wrong
        self.asked: list[tuple[int, ...]] = []

    def answers(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        self.asked.append(feed["ids"].shape)
        return {"scores": self._values(feed)["scores"]}

    def trace(self, feed: Mapping[str, Array]) -> Iterator[tuple[str, str, Array]]:
        for name, value in self._values(feed).items():
            yield f"layer {name}", name, value

    def _values(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        mask = feed["mask"].astype(np.float32)
        if self.wrong == "padding":
            mask = np.ones_like(mask)
        embedded = WEIGHT[feed["ids"]]
        if self.wrong == "batch" and len(mask) > 1:
            embedded = embedded + 1
        counted = embedded * mask[:, :, None]
        return {"embedded": embedded, "counted": counted, "scores": counted.sum(axis=1)}


def a_graph(*, length: str | int = "L") -> onnx.ModelProto:
    nodes = [
        helper.make_node("Gather", ["weight", "ids"], ["embedded"]),
        helper.make_node("Cast", ["mask"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["float", "two"], ["wide"]),
        helper.make_node("Mul", ["embedded", "wide"], ["counted"]),
        helper.make_node("ReduceSum", ["counted", "one"], ["scores"], keepdims=0),
    ]
    kind = TensorProto.INT64
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, kind, ["N", length]) for name in ("ids", "mask")],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 3])],
        [
            numpy_helper.from_array(WEIGHT, "weight"),
            numpy_helper.from_array(np.array([1]), "one"),
            numpy_helper.from_array(np.array([2]), "two"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def rows(folder: Path, *, full: bool = False) -> Path:
    random = np.random.default_rng(1)
    mask = np.ones((10, 5), np.int64)
    if not full:
        mask[:, 3:] = 0
    path = folder / "rows.npz"
    np.savez(path, ids=random.integers(0, 6, (10, 5)), mask=mask)
    return path


def test_rows_a_batch_padding_and_cut_rows_are_all_asked(tmp_path: Path) -> None:
    origin = Origin()
    notes = likeness.prove(origin, a_graph(), rows(tmp_path))
    assert notes | {"max_abs": 0} == {
        "rows": 10,
        "batch": 8,
        "padded": True,
        "cut": True,
        "max_abs": 0,
    }
    assert notes["max_abs"] < 1e-5
    assert {(1, 5), (8, 5), (1, 3)} == set(origin.asked)


def test_a_length_that_is_fixed_is_not_cut(tmp_path: Path) -> None:
    notes = likeness.prove(Origin(), a_graph(length=5), rows(tmp_path))
    assert notes["padded"]
    assert not notes["cut"]


@pytest.mark.parametrize(
    ("wrong", "full", "on"),
    [
        ("padding", False, "row 0"),
        ("padding", True, "row 0 padded after 3 of 5 positions"),
        ("batch", False, "a batch of 8 rows"),
    ],
)
def test_a_difference_names_its_first_layer(
    wrong: str, on: str, *, full: bool, tmp_path: Path
) -> None:
    with pytest.raises(InvalidError) as caught:
        likeness.prove(Origin(wrong=wrong), a_graph(), rows(tmp_path, full=full))
    problem = caught.value.problem
    assert problem.reason == "ParityFailed"
    assert f"on {on} " in problem.message
    assert problem.hint
    first = "layer embedded" if wrong == "batch" else "layer counted"
    assert f"the first layer to differ is {first}" in problem.message


class Other(Origin):
    """Answers of another shape, kind, or not a number."""

    def answers(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        right = super().answers(feed)["scores"]
        spoilt = {
            "shape": right[:, :2],
            "kind": right.astype(np.int64),
            "nan": np.full_like(right, np.nan),
        }
        return {"scores": spoilt[self.wrong]}


@pytest.mark.parametrize("wrong", ["shape", "kind", "nan"])
def test_another_shape_kind_or_no_number_is_a_difference(wrong: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="otherwise"):
        likeness.prove(Other(wrong=wrong), a_graph(), rows(tmp_path))


class Failing(Origin):
    """Raises on every row, or on more than one alone."""

    def answers(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        if self.wrong == "always" or len(feed["ids"]) > 1:
            raise RuntimeError("index out of range")
        return super().answers(feed)


def test_rows_on_which_the_model_itself_fails_are_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="itself fails on row 0: index out of range") as caught:
        likeness.prove(Failing(wrong="always"), a_graph(), rows(tmp_path))
    assert caught.value.problem.field == "--calibration"


def test_a_batch_that_the_model_itself_refuses_proves_nothing(tmp_path: Path) -> None:
    notes = likeness.prove(Failing(), a_graph(), rows(tmp_path))
    assert (notes["rows"], notes["batch"]) == (10, 1)


@pytest.mark.parametrize("arrays", [{}, {"ids": np.zeros((3, 5), np.float32)}])
def test_random_numbers_are_asked_where_no_rows_suit(
    arrays: dict[str, Array], tmp_path: Path
) -> None:
    np.savez(tmp_path / "rows.npz", allow_pickle=False, **arrays)
    for path in (tmp_path / "rows.npz", tmp_path / "absent.npz", None):
        notes = likeness.prove(Origin(), a_graph(), path)
        assert notes["rows"] > 1
        assert notes["batch"] == 8
        assert notes["invented"]
        with pytest.raises(InvalidError):
            likeness.prove(Other(wrong="nan"), a_graph(), path)
