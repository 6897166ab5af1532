"""Networks and contexts for the tests of LiteRT files."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from shoal.compressor.passes.protocol import PassContext
from shoal.compressor.sources.origin import Origin
from tests.unit.compressor.networks import Array

ROWS = 24


def a_speech_net(seed: int = 3) -> onnx.ModelProto:
    """A small DS-CNN from `sound` [N,1,16,8] to `classes` [N,5]: thin layers, products, softmax."""
    random = np.random.default_rng(seed)

    def weight(*shape: int) -> Array:
        drawn = random.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape)
        return np.asarray(drawn, np.float32)

    stored = {
        "w0": weight(16, 1, 5, 3),
        "b0": weight(16),
        "w1": weight(16, 1, 3, 3),
        "b1": weight(16),
        "w2": weight(32, 16, 1, 1),
        "b2": weight(32),
        "w3": weight(5, 8 * 4 * 32),
        "b3": weight(5),
    }
    nodes = [
        helper.make_node("Conv", ["sound", "w0", "b0"], ["c0"], pads=[1, 0, 2, 1], strides=[2, 2]),
        helper.make_node("Relu", ["c0"], ["r0"]),
        helper.make_node("Conv", ["r0", "w1", "b1"], ["c1"], group=16, pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2", "b2"], ["c2"]),
        helper.make_node("Relu", ["c2"], ["r2"]),
        helper.make_node("Flatten", ["r2"], ["f"]),
        helper.make_node("Gemm", ["f", "w3", "b3"], ["g"], transB=1),
        helper.make_node("Softmax", ["g"], ["classes"], axis=-1),
    ]
    graph = helper.make_graph(
        nodes,
        "speech",
        [helper.make_tensor_value_info("sound", TensorProto.FLOAT, ["N", 1, 16, 8])],
        [helper.make_tensor_value_info("classes", TensorProto.FLOAT, ["N", 5])],
        [numpy_helper.from_array(array, name) for name, array in stored.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def sounds(rows: int = ROWS) -> Array:
    return np.random.default_rng(9).normal(size=(rows, 1, 16, 8)).astype(np.float32)


def a_context(model: onnx.ModelProto, origin: Origin | None = None) -> PassContext:
    return PassContext(
        calibration={model.graph.input[0].name: sounds()},
        train=None,
        source=model,
        output=model.graph.output[0].name,
        seed=0,
        origin=origin,
    )


def answers(model: onnx.ModelProto, feed: Mapping[str, Array]) -> list[Any]:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    found: list[Any] = session.run(None, dict(feed))
    return found
