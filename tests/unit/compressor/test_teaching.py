"""Training a narrower net, whatever the shape of what the source answers."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from shoal.compressor.passes.protocol import PassContext, TrainRows
from shoal.compressor.passes.prune import Prune
from tests.unit.compressor.networks import a_graph, random

ROWS, WIDTH = 60, 12


@pytest.mark.parametrize("answers", [(), (1,), (3, 2)], ids=["a number", "a column", "a grid"])
def test_answers_of_any_rank_are_taught_and_scored(answers: tuple[int, ...]) -> None:
    count = int(np.prod(answers))
    nodes = [
        helper.make_node("Gemm", ["x", "w"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Gemm", ["b", "v"], ["c"]),
        helper.make_node("Reshape", ["c", "shape"], ["y"]),
    ]
    constants = {
        "w": random(WIDTH, 16),
        "v": random(16, count),
        "shape": np.array([-1, *answers], np.int64),
    }
    source = a_graph(nodes, constants, (WIDTH,))
    rows = random(ROWS, WIDTH)
    context = PassContext(
        calibration={"x": rows},
        train=TrainRows(inputs={"x": rows}, y=(rows[:, 0] > 0).astype(np.int64)),
        source=source,
        output="y",
        seed=0,
    )
    notes = Prune(steps=30).apply(source, context).notes
    assert notes["validation"]["metric"] == "cosine"
    assert -1 <= notes["validation"]["after_fine_tuning"] <= 1


def test_a_constant_input_is_fed_with_every_row() -> None:
    nodes = [
        helper.make_node("Mul", ["x", "gain"], ["a"]),
        helper.make_node("Gemm", ["a", "w"], ["b"]),
        helper.make_node("Relu", ["b"], ["c"]),
        helper.make_node("Gemm", ["c", "v"], ["y"]),
    ]
    source = a_graph(nodes, {"w": random(WIDTH, 16), "v": random(16, 3)}, (WIDTH,))
    gain = helper.make_tensor_value_info("gain", TensorProto.FLOAT, [])
    source.graph.input.append(gain)
    context = PassContext(
        calibration={"x": random(ROWS, WIDTH)},
        constants={"gain": np.array(0.5, np.float32)},
        train=None,
        source=source,
        output="y",
        seed=0,
    )
    pruned = Prune(steps=30).apply(source, context).model
    assert [port.name for port in pruned.graph.input] == ["x", "gain"]
