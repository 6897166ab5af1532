"""Rows of every kind by the command: fixed batches, flags, half floats, labels as answers."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.compress.workshop import Array, Workshop

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def floats(*shape: int, seed: int) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def graph_of(
    nodes: list[onnx.NodeProto],
    inputs: list[tuple[str, int, list[Any]]],
    outputs: list[tuple[str, int, list[Any]]],
    weights: dict[str, Array],
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "rows",
        [helper.make_tensor_value_info(*one) for one in inputs],
        [helper.make_tensor_value_info(*one) for one in outputs],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def compressed(folder: Path, model: onnx.ModelProto, rows: Any, *options: str) -> Any:
    onnx.save(model, folder / "source.onnx")
    np.savez(folder / "calibration.npz", **rows(40, 1))
    np.savez(folder / "evaluation.npz", **rows(30, 2))
    workshop = Workshop(folder=folder, cache=folder / "cache")
    ran = workshop.run("--methods", "quantize", "--max-drop", "0.5", *options)
    assert ran.code == 0, ran.err
    return ran.json


def test_a_batch_fixed_at_four_is_fed_whole(tmp_path: Path) -> None:
    """[4, 12] in, [4, 3] out: a row is one whole feed, with four labels."""
    model = graph_of(
        [helper.make_node("MatMul", ["x", "w"], ["scores"])],
        [("x", FLOAT, [4, 12])],
        [("scores", FLOAT, [4, 3])],
        {"w": floats(12, 3, seed=5)},
    )

    def rows(count: int, seed: int) -> dict[str, Array]:
        x = floats(count, 4, 12, seed=seed)
        return {"x": x, "y": (x @ floats(12, 3, seed=5)).argmax(axis=-1)}

    report = compressed(tmp_path, model, rows)
    assert (report["metric"], report["source"]["score"]) == ("top1", 1)
    assert report["validation"]["metric"] == "top1"


def test_inputs_of_several_ranks_and_types(tmp_path: Path) -> None:
    """An image, a flag, a half float and a count, one of each a row; the answer is a label."""
    model = graph_of(
        [
            helper.make_node("Flatten", ["image"], ["flat"]),
            helper.make_node("MatMul", ["flat", "w"], ["products"]),
            helper.make_node("Cast", ["flag"], ["sign"], to=FLOAT),
            helper.make_node("Cast", ["gain"], ["factor"], to=FLOAT),
            helper.make_node("Cast", ["count"], ["number"], to=FLOAT),
            helper.make_node("Mul", ["sign", "factor"], ["shift"]),
            helper.make_node("Add", ["shift", "number"], ["column"]),
            helper.make_node("Unsqueeze", ["column", "axes"], ["wide"]),
            helper.make_node("Add", ["products", "wide"], ["scores"]),
            helper.make_node("ArgMax", ["scores"], ["label"], axis=1, keepdims=0),
        ],
        [
            ("image", FLOAT, ["N", 1, 4, 4]),
            ("flag", TensorProto.BOOL, ["N"]),
            ("gain", TensorProto.FLOAT16, ["N"]),
            ("count", INT64, ["N"]),
        ],
        [("label", INT64, ["N"]), ("scores", FLOAT, ["N", 5])],
        {"w": floats(16, 5, seed=6), "axes": np.array([1], np.int64)},
    )

    def rows(count: int, seed: int) -> dict[str, Array]:
        return {
            "image": floats(count, 1, 4, 4, seed=seed),
            "flag": np.arange(count) % 2 == 0,
            "gain": floats(count, seed=seed).astype(np.float16),
            "count": np.arange(count),
        }

    report = compressed(tmp_path, model, rows)
    assert (report["output"], report["metric"]) == ("label", "agreement")
    assert any(row["is_source"] for row in report["pareto"])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.arange(30), "evaluation rows: labels 'y' hold 3 in row 3; the model answers with 3"),
        (np.zeros((30, 2), int), "evaluation rows: labels 'y' have shape [30, 2]; the answers"),
    ],
)
def test_labels_that_do_not_fit_are_refused_before_anything_is_tried(
    tmp_path: Path, labels: Array, message: str
) -> None:
    model = graph_of(
        [helper.make_node("MatMul", ["x", "w"], ["scores"])],
        [("x", FLOAT, ["N", 12])],
        [("scores", FLOAT, ["N", 3])],
        {"w": floats(12, 3, seed=5)},
    )
    onnx.save(model, tmp_path / "source.onnx")
    np.savez(tmp_path / "calibration.npz", x=floats(40, 12, seed=1))
    np.savez(tmp_path / "evaluation.npz", x=floats(30, 12, seed=2), y=labels)
    ran = Workshop(folder=tmp_path, cache=tmp_path / "cache").run()
    assert ran.code == 2
    error = ran.json["error"]
    assert (error["reason"], error["field"]) == ("BadData", "--evaluation")
    assert error["message"].startswith(message)
    assert error["hint"]
    assert "trying" not in ran.err
