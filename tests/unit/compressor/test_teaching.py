"""Training a narrower net, whatever the shape of what the source answers."""

import numpy as np
import pytest
from onnx import helper

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
