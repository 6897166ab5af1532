"""Models as users bring them, their rows, and scores by other lines than the product's."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Array = npt.NDArray[Any]
Score = Callable[[Array, Array, Array], float]  # answers, the source's answers, labels

_FLOAT, _HALF, _INT = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT64


@dataclass(frozen=True, slots=True, kw_only=True)
class Animal:
    """One model: how to write it into a folder, what to ask of the command, how to score it."""

    write: Callable[[Path], None]
    output: str
    score: Score
    options: tuple[str, ...] = ()
    states: Mapping[str, str] = field(default_factory=dict)
    train: bool = False


def top1(answers: Array, source: Array, labels: Array) -> float:
    del source
    found = answers.argmax(axis=-1).ravel()
    counted = labels.ravel() != -100
    return float((found == labels.ravel())[counted].mean())


def agreement(answers: Array, source: Array, labels: Array) -> float:
    del labels
    return float((answers.argmax(axis=-1) == source.argmax(axis=-1)).mean())


def auroc(answers: Array, source: Array, labels: Array) -> float:
    del source
    above = answers[labels == 1].reshape(-1, 1) - answers[labels == 0].reshape(1, -1)
    return float(((above > 0) + 0.5 * (above == 0)).mean())


def _random(seed: int, *shape: int, scale: float = 1.0) -> Array:
    return np.random.default_rng(seed).normal(0, scale, shape).astype(np.float32)


def _save(
    folder: Path,
    nodes: list[onnx.NodeProto],
    ports: tuple[list[Any], list[Any]],
    weights: Mapping[str, Array],
    opset: int = 17,
) -> None:
    inputs, outputs = ([helper.make_tensor_value_info(*port) for port in side] for side in ports)
    stored = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "g", inputs, outputs, stored)
    opsets = [helper.make_opsetid("", opset)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=7), folder / "source.onnx")


def _rows(folder: Path, counts: tuple[int, int, int], **arrays: Array) -> None:
    """Calibration, evaluation and, where labelled, training rows, in that order."""
    first = 0
    for name, count in zip(("calibration", "evaluation", "train"), counts, strict=True):
        part: dict[str, Any] = {key: rows[first : first + count] for key, rows in arrays.items()}
        if name == "calibration":
            part.pop("y", None)
        if count:
            np.savez(folder / f"{name}.npz", **part)
        first += count


def _centres(count: int, classes: int, width: int) -> tuple[Array, Array, Array]:
    """Rows around a centre for each class, their classes, and the centres."""
    centres = _random(1, classes, width)
    labels = np.random.default_rng(2).integers(0, classes, count)
    return centres[labels] + _random(3, count, width, scale=0.9), labels, centres


def outliers(folder: Path) -> None:
    """Six hidden channels a thousand times the others' size: one scale for all is too coarse."""
    rows, labels, centres = _centres(700, 5, 24)
    sizes = np.where(np.arange(60) < 6, 1000, 1).astype(np.float32)
    hidden = _random(4, 24, 60, scale=0.3)
    whole = np.maximum(rows @ hidden, 0)
    head = np.linalg.lstsq(whole, np.eye(5, dtype=np.float32)[labels] * 6, rcond=None)[0]
    weights = {"w": hidden * sizes, "v": (head / sizes[:, None]).astype(np.float32)}
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("MatMul", ["b", "v"], ["y"]),
    ]
    del centres
    _save(folder, nodes, ([("x", _FLOAT, ["N", 24])], [("y", _FLOAT, ["N", 5])]), weights)
    _rows(folder, (100, 300, 300), x=rows, y=labels)


def two_inputs(folder: Path) -> None:
    """How alike two rows are, as one number without an axis of its own."""
    labels = np.random.default_rng(5).integers(0, 2, 700)
    left = _random(6, 700, 20)
    right = np.where(labels[:, None] == 1, left + _random(7, 700, 20), _random(8, 700, 20))
    nodes = [
        helper.make_node("Sub", ["left", "right"], ["d"]),
        helper.make_node("Abs", ["d"], ["e"]),
        helper.make_node("Gemm", ["e", "w", "b"], ["f"]),
        helper.make_node("Relu", ["f"], ["g"]),
        helper.make_node("MatMul", ["g", "v"], ["h"]),
        helper.make_node("Squeeze", ["h", "last"], ["i"]),
        helper.make_node("Sigmoid", ["i"], ["same"]),
    ]
    weights = {
        "w": -np.abs(_random(9, 20, 64, scale=0.2)),
        "b": np.full(64, 4, np.float32),
        "v": np.abs(_random(10, 64, 1, scale=0.2)),
        "last": np.array([1], np.int64),
    }
    inputs = [(name, _FLOAT, ["N", 20]) for name in ("left", "right")]
    _save(folder, nodes, (inputs, [("same", _FLOAT, ["N"])]), weights)
    _rows(folder, (100, 300, 300), left=left, right=right.astype(np.float32), y=labels)


def tokens(folder: Path) -> None:
    """A class for each token; a mask keeps padding out of the context, -100 out of the score."""
    random = np.random.default_rng(11)
    ids = random.integers(1, 300, (400, 12))
    mask = (np.arange(12) < random.integers(3, 13, (400, 1))).astype(np.int64)
    labels = np.where(mask == 1, ids % 4, -100)
    table = _random(12, 300, 32, scale=0.2)
    table[np.arange(300), np.arange(300) % 4] += 3
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["e"]),
        helper.make_node("Cast", ["mask"], ["m"], to=_FLOAT),
        helper.make_node("Unsqueeze", ["m", "last"], ["n"]),
        helper.make_node("Mul", ["e", "n"], ["f"]),
        helper.make_node("ReduceMean", ["f"], ["c"], axes=[1], keepdims=1),
        helper.make_node("Add", ["e", "c"], ["g"]),
        helper.make_node("MatMul", ["g", "w"], ["h"]),
        helper.make_node("Relu", ["h"], ["i"]),
        helper.make_node("MatMul", ["i", "v"], ["logits"]),
    ]
    hidden = np.hstack([np.eye(32), _random(13, 32, 32, scale=0.1)]).astype(np.float32)
    weights = {
        "table": table,
        "last": np.array([2], np.int64),
        "w": hidden,
        "v": np.vstack([np.eye(4), _random(14, 60, 4, scale=0.02)]).astype(np.float32),
    }
    inputs = [(name, _INT, ["N", 12]) for name in ("ids", "mask")]
    _save(folder, nodes, (inputs, [("logits", _FLOAT, ["N", 12, 4])]), weights)
    _rows(folder, (100, 300, 0), ids=ids, mask=mask, y=labels)


def subgraphs(folder: Path) -> None:
    """A Loop whose body, and an If whose branches, use weights of the graph around them."""

    def info(*port: Any) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(*port)

    row = (_FLOAT, ["N", 16])
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["before", "w"], ["m"]),
            helper.make_node("Tanh", ["m"], ["after"]),
            helper.make_node("Identity", ["go"], ["on"]),
        ],
        "body",
        [info("i", _INT, []), info("go", TensorProto.BOOL, []), info("before", *row)],
        [info("on", TensorProto.BOOL, []), info("after", *row)],
    )
    then, other = (
        helper.make_graph([helper.make_node(kind, ["l"], [kind])], kind, [], [info(kind, *row)])
        for kind in ("Relu", "Neg")
    )
    nodes = [
        helper.make_node("Loop", ["turns", "yes", "x"], ["l"], body=body),
        helper.make_node("ReduceSum", ["l"], ["sum"], keepdims=0),
        helper.make_node("Greater", ["sum", "zero"], ["c"]),
        helper.make_node("If", ["c"], ["b"], then_branch=then, else_branch=other),
        helper.make_node("MatMul", ["b", "v"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("MatMul", ["r", "k"], ["y"]),
    ]
    weights = {
        "w": _random(15, 16, 16, scale=0.3),
        "v": _random(16, 16, 96, scale=0.3),
        "k": _random(17, 96, 4, scale=0.3),
        "turns": np.array(3, np.int64),
        "yes": np.array(True),
        "zero": np.array(0, np.float32),
    }
    _save(folder, nodes, ([("x", *row)], [("y", _FLOAT, ["N", 4])]), weights)
    _rows(folder, (100, 200, 0), x=_random(18, 300, 16))


def streaming(folder: Path) -> None:
    """One step of an LSTM with both its states outside."""
    nodes = [
        helper.make_node("Unsqueeze", ["x", "first"], ["s"]),
        helper.make_node(
            "LSTM", ["s", "w", "r", "", "", "h", "c"], ["", "h2", "c2"], hidden_size=32
        ),
        helper.make_node("Squeeze", ["h2", "first"], ["q"]),
        helper.make_node("MatMul", ["q", "v"], ["y"]),
    ]
    weights = {
        "w": _random(19, 1, 128, 8, scale=0.3),
        "r": _random(20, 1, 128, 32, scale=0.3),
        "v": _random(21, 32, 6),
        "first": np.array([0], np.int64),
    }
    state = (_FLOAT, [1, 1, 32])
    inputs = [("x", _FLOAT, [1, 8]), ("h", *state), ("c", *state)]
    outputs = [("y", _FLOAT, [1, 6]), ("h2", *state), ("c2", *state)]
    _save(folder, nodes, (inputs, outputs), weights, opset=14)
    _rows(folder, (100, 120, 0), x=_random(22, 220, 8), stream=np.arange(220) // 20)


def halves(folder: Path) -> None:
    """Weights, inputs and answers of 16 bits, the batch fixed to one."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Flatten", ["b"], ["c"]),
        helper.make_node("Gemm", ["c", "v"], ["y"]),
    ]
    weights = {
        "w": _random(23, 8, 1, 3, 3).astype(np.float16),
        "v": _random(24, 512, 5, scale=0.1).astype(np.float16),
    }
    ports = ([("x", _HALF, [1, 1, 8, 8])], [("y", _HALF, [1, 5])])
    _save(folder, nodes, ports, weights, opset=13)
    _rows(folder, (100, 200, 0), x=_random(25, 300, 1, 8, 8).astype(np.float16))


def by_chance(folder: Path) -> None:
    """Noise on top of every answer."""
    nodes = [
        helper.make_node("RandomNormalLike", ["x"], ["noise"]),
        helper.make_node("Add", ["x", "noise"], ["y"]),
    ]
    _save(folder, nodes, ([("x", _FLOAT, ["N", 5])], [("y", _FLOAT, ["N", 5])]), {})
    _rows(folder, (30, 30, 0), x=_random(26, 60, 5))


ANIMALS = {
    "outliers": Animal(write=outliers, output="y", score=top1, train=True),
    "two_inputs": Animal(
        write=two_inputs, output="same", score=auroc, options=("--metric", "auroc"), train=True
    ),
    "tokens": Animal(write=tokens, output="logits", score=top1),
    "subgraphs": Animal(write=subgraphs, output="y", score=agreement),
    "streaming": Animal(
        write=streaming,
        output="y",
        score=agreement,
        options=("--state", "h=h2", "--state", "c=c2"),
        states={"h": "h2", "c": "c2"},
    ),
    "halves": Animal(write=halves, output="y", score=agreement),
}
