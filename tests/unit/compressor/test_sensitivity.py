"""Sensitivity finds the layers that wreck a network, and leaving them out brings it back."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from shoal.compressor.analyse import facts, sensitivity
from shoal.compressor.analyse.facts import Family
from shoal.compressor.passes.protocol import PassContext
from shoal.compressor.passes.quantize import WEIGHT_OPERATORS, StaticInt8

Array = npt.NDArray[Any]
ROWS = np.random.default_rng(1).normal(size=(24, 4, 6, 6)).astype(np.float32)
HUGE = 3_000.0


def listener() -> onnx.ModelProto:
    """Three convolutions; the second reads one channel that dwarfs the others and is not needed."""
    random = np.random.default_rng(6)
    weights = {
        "w0": random.normal(0, 0.3, (8, 4, 3, 3)),
        "b0": np.zeros(8),
        "w1": random.normal(0, 0.3, (8, 8, 3, 3)),
        "w2": random.normal(0, 0.3, (6, 8, 6, 6)),
    }
    weights["b0"][3] = HUGE
    weights["w1"][:, 3] *= 0.0
    nodes = [
        helper.make_node("Conv", ["x", "w0", "b0"], ["c0"], pads=[1] * 4),
        helper.make_node("Relu", ["c0"], ["r0"]),
        helper.make_node("Conv", ["r0", "w1"], ["c1"], pads=[1] * 4),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2"], ["c2"]),
        helper.make_node("Flatten", ["c2"], ["answer"]),
    ]
    return a_model(nodes, weights, [1, 4, 6, 6])


def a_model(
    nodes: list[onnx.NodeProto], weights: Mapping[str, Array], shape: list[int]
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(a.astype(np.float32), name) for name, a in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def a_context(model: onnx.ModelProto) -> PassContext:
    return PassContext(calibration={"x": ROWS}, train=None, source=model, output="answer", seed=0)


def decibels(model: onnx.ModelProto, source: onnx.ModelProto) -> float:
    both = []
    for one in (model, source):
        session = onnxruntime.InferenceSession(one.SerializeToString())
        both.append(np.stack([session.run(["answer"], {"x": row[None]})[0] for row in ROWS]))
    ours, truth = both
    return float(10 * np.log10(np.square(truth).sum() / np.square(ours - truth).sum()))


def test_the_layers_that_wreck_a_network_come_first() -> None:
    model = listener()
    context = a_context(model)
    maker, reader, other = sensitivity.layers(model, context)
    assert {maker.name, reader.name} == {"c0", "c1"}  # the tensor between them bears no 8 bits
    assert max(maker.sqnr_db, reader.sqnr_db) < other.sqnr_db - 20
    whole = StaticInt8(operators=WEIGHT_OPERATORS).apply(model, context).model
    spared = StaticInt8(operators=WEIGHT_OPERATORS, exclude=(maker.name, reader.name))
    assert decibels(whole, model) < 10
    assert decibels(spared.apply(model, context).model, model) > 25


def test_the_same_rows_give_the_same_order() -> None:
    model = listener()
    assert sensitivity.layers(model, a_context(model)) == sensitivity.layers(
        model, a_context(model)
    )


def test_large_models_are_looked_at_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    count = 12
    weights = {f"w{i}": np.eye(6) * (1 + i / 10) for i in range(count)}
    names = ["x", *(f"m{i}" for i in range(count - 1)), "answer"]
    nodes = [helper.make_node("MatMul", [names[i], f"w{i}"], [names[i + 1]]) for i in range(count)]
    model = a_model(nodes, weights, [1, 4, 6, 6])
    assert len(sensitivity.layers(model, a_context(model))) == count
    monkeypatch.setattr(sensitivity, "_WORK", 1.0)
    found = {layer.name for layer in sensitivity.layers(model, a_context(model))}
    assert len(found) == 8
    assert {"m0", "answer"} <= found


def test_a_product_counts_its_positions() -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"], strides=[1, 1])
    kernel = 16 * 8 * 3 * 3
    assert sensitivity._products(node, np.zeros((1, 8, 10, 10)), {"y": kernel}) == 115_200


@pytest.mark.parametrize(
    ("operators", "family"),
    [
        (["Conv", "Relu", "Gemm"], Family.CONVOLUTIONAL),
        (["MatMul", "LayerNormalization", "Softmax", "MatMul"], Family.TRANSFORMER),
        (["Gemm", "Relu", "Softmax"], Family.DENSE),
        (["LSTM", "Relu"], Family.RECURRENT),
        (["TreeEnsembleClassifier"], Family.TREES),
        (["Relu"], Family.OTHER),
    ],
)
def test_networks_have_families(operators: list[str], family: Family) -> None:
    weighted = {"Conv": (8, 4, 3, 3), "MatMul": (6, 6), "Gemm": (6, 6), "LSTM": (1, 24, 6)}
    nodes, weights = [], {}
    for place, operator in enumerate(operators):
        inputs = [f"v{place}"]
        if operator in weighted:
            inputs.append(f"w{place}")
            weights[f"w{place}"] = np.zeros(weighted[operator])
        nodes.append(helper.make_node(operator, inputs, [f"v{place + 1}"]))
    found = facts.read(a_model(nodes, weights, [1, 6]))
    assert found.family is family
    assert found.nodes == len(operators)
    assert not found.quantized
