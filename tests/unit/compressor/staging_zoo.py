"""Graphs of every shape that stages must get right, each with rows to run it on."""

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Array = npt.NDArray[Any]
ROWS = 3
Value = tuple[str, int, list[int | str]]


def random(*shape: int) -> Array:
    return (np.random.default_rng(list(shape)).normal(size=shape) * 0.2).astype(np.float32)


def a_model(
    nodes: list[onnx.NodeProto], inputs: list[Value], outputs: list[str], weights: dict[str, Array]
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "zoo",
        [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def residual_cnn() -> tuple[onnx.ModelProto, dict[str, Array]]:
    """Three blocks of 3x3 convolutions, each around a skip connection."""
    node, channels = helper.make_node, 48
    weights = {f"w{i}": random(channels, channels, 3, 3) for i in range(1, 7)}
    weights |= {f"b{i}": random(channels) for i in range(1, 7)}
    weights |= {"w0": random(channels, 3, 3, 3), "wf": random(channels, 5)}
    nodes = [node("Conv", ["x", "w0"], ["r0"], pads=[1, 1, 1, 1])]
    for block in range(3):
        one, two = 2 * block + 1, 2 * block + 2
        nodes += [
            node("Conv", [f"r{block}", f"w{one}", f"b{one}"], [f"c{one}"], pads=[1, 1, 1, 1]),
            node("Relu", [f"c{one}"], [f"a{one}"]),
            node("Conv", [f"a{one}", f"w{two}", f"b{two}"], [f"c{two}"], pads=[1, 1, 1, 1]),
            node("Add", [f"c{two}", f"r{block}"], [f"s{block}"]),
            node("Relu", [f"s{block}"], [f"r{block + 1}"]),
        ]
    nodes += [
        node("GlobalAveragePool", ["r3"], ["p"]),
        node("Flatten", ["p"], ["f"]),
        node("MatMul", ["f", "wf"], ["y"]),
    ]
    model = a_model(nodes, [("x", TensorProto.FLOAT, ["N", 3, 8, 8])], ["y"], weights)
    return model, {"x": random(ROWS, 3, 8, 8)}


def two_in_two_out() -> tuple[onnx.ModelProto, dict[str, Array]]:
    """Two inputs that meet late, an early and a late output, one weight read at both ends."""
    node = helper.make_node
    weights = {"u": random(64, 128), "v": random(128, 128), "w": random(128, 64)}
    nodes = [
        node("MatMul", ["x", "u"], ["a"]),
        node("Tanh", ["a"], ["early"]),
        node("MatMul", ["early", "v"], ["b"]),
        node("Relu", ["b"], ["c"]),
        node("MatMul", ["c", "w"], ["d"]),
        node("Add", ["d", "z"], ["e"]),
        node("MatMul", ["e", "u"], ["g"]),
        node("Sigmoid", ["g"], ["late"]),
    ]
    inputs: list[Value] = [(n, TensorProto.FLOAT, ["N", 64]) for n in ("x", "z")]
    model = a_model(nodes, inputs, ["early", "late"], weights)
    return model, {"x": random(ROWS, 64), "z": random(ROWS, 64) * 2}


def recurrent() -> tuple[onnx.ModelProto, dict[str, Array]]:
    """An LSTM whose state comes in and goes out, between two products."""
    node, width = helper.make_node, 64
    weights = {"i": random(16, width), "o": random(width, 8)}
    weights |= {"w": random(1, 4 * width, width), "r": random(1, 4 * width, width)}
    nodes = [
        node("MatMul", ["x", "i"], ["a"]),
        node("LSTM", ["a", "w", "r", "", "", "h", "c"], ["s", "h2", "c2"], hidden_size=width),
        node("MatMul", ["s", "o"], ["y"]),
    ]
    inputs: list[Value] = [("x", TensorProto.FLOAT, [4, 1, 16])]
    inputs += [(name, TensorProto.FLOAT, [1, 1, width]) for name in ("h", "c")]
    rows = {"x": random(ROWS, 4, 1, 16), "h": random(ROWS, 1, 1, width)}
    return a_model(nodes, inputs, ["y", "h2", "c2"], weights), rows | {
        "c": random(ROWS, 1, 1, width)
    }


def transformer_block() -> tuple[onnx.ModelProto, dict[str, Array]]:
    """Token numbers into an embedding, attention of one head, a dense block around GELU."""
    node, width = helper.make_node, 64
    weights = {n: random(width, width) for n in ("q", "k", "v", "o")}
    weights |= {"table": random(500, width), "up": random(width, 256), "down": random(256, width)}
    weights |= {n: np.ones(width, np.float32) for n in ("g1", "g2")}
    weights |= {"root": np.array(2**0.5, "f"), "one": np.array(1, "f"), "half": np.array(0.5, "f")}
    nodes = [
        node("Gather", ["table", "ids"], ["e"]),
        *(node("MatMul", ["e", n], [f"{n}x"]) for n in ("q", "k", "v")),
        node("Transpose", ["kx"], ["kt"], perm=[0, 2, 1]),
        node("MatMul", ["qx", "kt"], ["l"]),
        node("Softmax", ["l"], ["p"], axis=-1),
        node("MatMul", ["p", "vx"], ["m"]),
        node("MatMul", ["m", "o"], ["ox"]),
        node("Add", ["ox", "e"], ["s1"]),
        node("LayerNormalization", ["s1", "g1"], ["n1"], axis=-1),
        node("MatMul", ["n1", "up"], ["u"]),
        node("Div", ["u", "root"], ["ur"]),
        node("Erf", ["ur"], ["er"]),
        node("Add", ["er", "one"], ["e1"]),
        node("Mul", ["u", "e1"], ["ue"]),
        node("Mul", ["ue", "half"], ["g"]),
        node("MatMul", ["g", "down"], ["d"]),
        node("Add", ["d", "n1"], ["s2"]),
        node("LayerNormalization", ["s2", "g2"], ["y"], axis=-1),
    ]
    model = a_model(nodes, [("ids", TensorProto.INT64, ["N", 12])], ["y"], weights)
    ids = np.random.default_rng(3).integers(-500, 500, (ROWS, 12))
    return model, {"ids": ids}


def int8_table() -> tuple[onnx.ModelProto, dict[str, Array]]:
    """A table of bytes, its rows scaled, then a product."""
    node = helper.make_node
    numbers = np.random.default_rng(4).integers(-127, 128, (4_000, 64)).astype(np.int8)
    weights = {"table": numbers, "scale": np.abs(random(4_000, 1)), "w": random(64, 16)}
    nodes = [
        node("Gather", ["table", "ids"], ["rows"]),
        node("Gather", ["scale", "ids"], ["scales"]),
        node("Cast", ["rows"], ["f"], to=TensorProto.FLOAT),
        node("Mul", ["f", "scales"], ["e"]),
        node("MatMul", ["e", "w"], ["y"]),
    ]
    model = a_model(nodes, [("ids", TensorProto.INT32, ["N", 6])], ["y"], weights)
    ids = np.random.default_rng(5).integers(-4_000, 4_000, (ROWS, 6)).astype(np.int32)
    return model, {"ids": ids}


def chain(widths: list[int]) -> tuple[onnx.ModelProto, dict[str, Array]]:
    """Products one after another: as many stages as the widths and a budget say."""
    pairs = list(itertools.pairwise(widths))
    weights = {f"w{i}": random(a, b) for i, (a, b) in enumerate(pairs)}
    names = ["x", *(f"h{i}" for i in range(len(pairs) - 1)), "y"]
    nodes = [
        helper.make_node("MatMul", [names[i], f"w{i}"], [names[i + 1]]) for i in range(len(pairs))
    ]
    model = a_model(nodes, [("x", TensorProto.FLOAT, ["N", widths[0]])], ["y"], weights)
    return model, {"x": random(ROWS, widths[0])}


ZOO: Mapping[str, Callable[[], tuple[onnx.ModelProto, dict[str, Array]]]] = {
    "residual_cnn": residual_cnn,
    "two_in_two_out": two_in_two_out,
    "recurrent": recurrent,
    "transformer_block": transformer_block,
    "int8_table": int8_table,
}


def feeds(model: onnx.ModelProto, rows: Mapping[str, Array]) -> list[dict[str, Array]]:
    """The rows one by one, batch 1 where the model has a batch."""
    ranks = {v.name: len(v.type.tensor_type.shape.dim) for v in model.graph.input}
    return [
        {n: a[i : i + 1] if a.ndim == ranks[n] else a[i] for n, a in rows.items()}
        for i in range(ROWS)
    ]
