"""Tiny ONNX models, built here and nowhere stored."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FEATURES = 4
CLASSES = 3


def save(path: Path, graph: Any) -> Path:
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path
    )
    return path


def tensor(name: str, kind: int, shape: list[int | str]) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def constant(name: str, array: Any) -> Any:
    return numpy_helper.from_array(np.asarray(array, order="C"), name)


def always(path: Path, answer: int, batch: int | str = "n") -> Path:
    """Scores (batch, 3) of which `answer` is the highest whatever x (batch, 4) is."""
    bias = np.zeros(CLASSES, np.float32)
    bias[answer] = 1000
    return linear(path, np.ones((FEATURES, CLASSES), np.float32), bias, batch)


def linear(path: Path, weights: Any, bias: Any, batch: int | str = "n") -> Path:
    """scores = x @ weights + bias."""
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["scores"])],
        "linear",
        [tensor("x", TensorProto.FLOAT, [batch, len(weights)])],
        [tensor("scores", TensorProto.FLOAT, [batch, len(bias)])],
        [constant("w", weights), constant("b", bias)],
    )
    return save(path, graph)


def pick(path: Path, batch: int | str = "n") -> Path:
    """Scores are the first three features: the answer is the highest of them."""
    weights = np.eye(FEATURES, CLASSES, dtype=np.float32)
    return linear(path, weights, np.zeros(CLASSES, np.float32), batch)


def identity(path: Path, kind: int) -> Path:
    """y (n, 2) is x, of any element type."""
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "identity",
        [tensor("x", kind, ["n", 2])],
        [tensor("y", kind, ["n", 2])],
    )
    return save(path, graph)


def labelled(path: Path) -> Path:
    """Two inputs and two outputs: scores = a + b (n, 3) and the integer vector `label` (n,)."""
    graph = helper.make_graph(
        [
            helper.make_node("Add", ["a", "b"], ["scores"]),
            helper.make_node("ArgMax", ["scores"], ["label"], axis=1, keepdims=0),
        ],
        "labelled",
        [tensor("a", TensorProto.FLOAT, ["n", 3]), tensor("b", TensorProto.FLOAT, ["n", 3])],
        [tensor("scores", TensorProto.FLOAT, ["n", 3]), tensor("label", TensorProto.INT64, ["n"])],
    )
    return save(path, graph)


def endless(path: Path, turns: int = 2**60) -> Path:
    """scores = x after so many turns of a loop that does nothing: it loads and never ends."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("Identity", ["v"], ["v_out"]),
        ],
        "body",
        [
            tensor("i", TensorProto.INT64, []),
            tensor("go", TensorProto.BOOL, []),
            tensor("v", TensorProto.FLOAT, ["n", FEATURES]),
        ],
        [
            tensor("go_on", TensorProto.BOOL, []),
            tensor("v_out", TensorProto.FLOAT, ["n", FEATURES]),
        ],
    )
    graph = helper.make_graph(
        [helper.make_node("Loop", ["turns", "true", "x"], ["scores"], body=body)],
        "endless",
        [tensor("x", TensorProto.FLOAT, ["n", FEATURES])],
        [tensor("scores", TensorProto.FLOAT, ["n", FEATURES])],
        [constant("turns", np.array(turns)), constant("true", np.array(True))],
    )
    return save(path, graph)


def huge(path: Path, elements: int) -> Path:
    """scores = x + the sum of as many zeros, all of them in memory at once."""
    graph = helper.make_graph(
        [
            helper.make_node("Shape", ["x"], ["rows"], start=0, end=1),
            helper.make_node("Mul", ["rows", "elements"], ["size"]),
            helper.make_node("ConstantOfShape", ["size"], ["zeros"]),
            helper.make_node("ReduceSum", ["zeros"], ["sum"], keepdims=0),
            helper.make_node("Add", ["x", "sum"], ["scores"]),
        ],
        "huge",
        [tensor("x", TensorProto.FLOAT, ["n", FEATURES])],
        [tensor("scores", TensorProto.FLOAT, ["n", FEATURES])],
        [constant("elements", np.array([elements]))],
    )
    return save(path, graph)


def strings(path: Path) -> Path:
    """A model of strings, which nothing here serves."""
    return identity(path, TensorProto.STRING)
