"""What a session costs on this machine whatever the model: measured with a model of nothing."""

import functools
import tempfile
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, helper

from shoal.compressor.evaluate import memory

_RUNS: Final = 3


@functools.cache
def session_bytes(threads: int) -> int:
    """Peak memory of a graph of one Relu over one number.

    Raises:
        MeasuringError: the runtime does not start in a fresh process.
    """
    with tempfile.TemporaryDirectory() as folder:
        model, feed = Path(folder) / "nothing.onnx", Path(folder) / "feed.npz"
        onnx.save(_nothing(), model)
        memory.store_feed({"x": np.zeros((1, 1), np.float32)}, feed)
        return memory.start(model, feed, threads, _RUNS).result().peak_bytes


def _nothing() -> onnx.ModelProto:
    shape = [1, 1]
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "nothing",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
