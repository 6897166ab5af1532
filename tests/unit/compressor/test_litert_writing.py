"""Written for LiteRT, every operator answers as in onnxruntime, or is refused by name."""

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert", reason="the extra litert is not installed")

from onnx import TensorProto, helper

from shoal.compressor.litert import flatfile, verdict, versions, writing
from shoal.compressor.litert.choices import WRITABLE
from shoal.compressor.passes.protocol import PassError
from shoal.compressor.rejections import Rejection
from tests.unit.compressor import lite_graphs
from tests.unit.compressor.networks import Array, a_graph, node, random

VECTOR = (7,)


def kinds(data: bytes) -> list[str]:
    model = flatfile.unpack(data)
    return [versions.kind_of(model, one) for one in model.subgraphs[0].operators]


def filters(*shape: int) -> dict[str, Array]:
    return {"w": random(*shape), "b": random(shape[0])}


def two(*values: float) -> dict[str, Array]:
    return {f"k{place}": np.array(value, np.float32) for place, value in enumerate(values)}


CASES = {
    "conv": (node("Conv", "w", "b"), filters(8, 4, 3, 3), (4, 6, 6)),
    "conv same": (node("Conv", "w", pads=[1, 1, 1, 1]), filters(8, 4, 3, 3), (4, 6, 6)),
    "conv uneven": (node("Conv", "w", pads=[2, 0, 1, 3]), filters(8, 4, 3, 3), (4, 6, 6)),
    "conv strided": (
        node("Conv", "w", pads=[1, 1, 1, 1], strides=[2, 2]),
        filters(8, 4, 3, 3),
        (4, 6, 6),
    ),
    "conv dilated": (
        node("Conv", "w", pads=[2, 2, 2, 2], dilations=[2, 2]),
        filters(8, 4, 3, 3),
        (4, 6, 6),
    ),
    "conv grouped": (node("Conv", "w", group=2), filters(8, 2, 3, 3), (4, 6, 6)),
    "depthwise": (node("Conv", "w", "b", group=4), filters(4, 1, 3, 3), (4, 6, 6)),
    "depthwise twice": (node("Conv", "w", "b", group=4), filters(8, 1, 3, 3), (4, 6, 6)),
    "transposed": (
        node("ConvTranspose", "w", strides=[2, 2]),
        {"w": random(4, 3, 2, 2)},
        (4, 5, 5),
    ),
    "max pool": (node("MaxPool", kernel_shape=[3, 3], pads=[1, 1, 1, 1]), {}, (4, 6, 6)),
    "average pool": (node("AveragePool", kernel_shape=[2, 2], strides=[2, 2]), {}, (4, 6, 6)),
    "global pool": (node("GlobalAveragePool"), {}, (4, 6, 6)),
    "gemm": (node("Gemm", "w", "b", transB=1), filters(5, 7), VECTOR),
    "matmul": (node("MatMul", "w"), {"w": random(7, 3)}, VECTOR),
    "softmax of channels": (node("Softmax", axis=1), {}, (4, 6, 6)),
    "clip": (node("Clip", "k0", "k1"), two(-0.5, 0.25), (4, 6, 6)),
    "relu6": (node("Clip", "k0", "k1"), two(0.0, 6.0), VECTOR),
    "hard sigmoid": (node("HardSigmoid", alpha=0.2, beta=0.5), {}, VECTOR),
    "hard swish": (node("HardSwish"), {}, (4, 6, 6)),
    "prelu": (node("PRelu", "s"), {"s": random(4, 1, 1)}, (4, 6, 6)),
    "flatten": (node("Flatten"), {}, (4, 6, 6)),
    "pad": (node("Pad", "p"), {"p": np.array([0, 0, 1, 2, 0, 0, 3, 4])}, (4, 6, 6)),
    "transpose": (node("Transpose", perm=[0, 2, 1, 3]), {}, (4, 6, 6)),
    "to last": (node("Transpose", perm=[0, 2, 3, 1]), {}, (4, 6, 6)),
    "mean of channels": (node("ReduceMean", axes=[1], keepdims=0), {}, (4, 6, 6)),
    "add per channel": (node("Add", "s"), {"s": random(4, 1, 1)}, (4, 6, 6)),
}


@pytest.mark.parametrize("name", CASES)
def test_an_operator_answers_as_in_onnxruntime(name: str) -> None:
    made, constants, shape = CASES[name]
    model = a_graph([made], constants, shape)
    x = random(1, *shape)
    runner = verdict.load(writing.write(model, {}).data)
    (found,), (wanted,) = runner.run(["y"], {"x": x}), lite_graphs.answers(model, {"x": x})
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, atol=2e-5)


def test_a_net_keeps_names_and_shapes_and_moves_nothing_inside() -> None:
    model = lite_graphs.a_speech_net()
    data = writing.write(model, {}).data
    assert kinds(data) == [
        *("RESHAPE", "CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D"),
        *("RESHAPE", "FULLY_CONNECTED", "SOFTMAX"),
    ]
    feed = {"sound": lite_graphs.sounds(1)}
    (found,) = verdict.load(data).run(["classes"], feed)
    np.testing.assert_allclose(found, lite_graphs.answers(model, feed)[0], atol=1e-6)


def test_channels_last_between_two_transposes_is_read_as_it_lies() -> None:
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["t", "w"], ["c"]),
        helper.make_node("Transpose", ["c"], ["y"], perm=[0, 2, 3, 1]),
    ]
    model = a_graph(nodes, {"w": random(3, 4, 3, 3)}, (6, 5, 4))
    data = writing.write(model, {}).data
    assert kinds(data) == ["CONV_2D"]
    x = random(1, 6, 5, 4)
    (found,) = verdict.load(data).run(None, {"x": x})
    np.testing.assert_allclose(found, lite_graphs.answers(model, {"x": x})[0], atol=1e-5)


def test_an_input_fed_whole_stays_whole() -> None:
    model = a_graph([helper.make_node("Mul", ["x", "gain"], ["y"])], {}, VECTOR)
    model.graph.input.append(helper.make_tensor_value_info("gain", TensorProto.FLOAT, ["M", 7]))
    gain = random(1, 7)
    runner = verdict.load(writing.write(model, {"gain": gain}).data)
    x = random(2, 7)[:1]
    np.testing.assert_allclose(runner.run(None, {"x": x, "gain": gain})[0], x * gain)


def test_an_unknown_operator_is_refused_by_name() -> None:
    model = a_graph([node("Erf")], {}, VECTOR)
    with pytest.raises(PassError, match="Erf") as caught:
        writing.write(model, {})
    assert caught.value.reason is Rejection.UNSUPPORTED_OPERATOR


def test_an_open_axis_besides_the_rows_is_refused() -> None:
    model = a_graph([node("Relu")], {}, VECTOR)
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "L"
    with pytest.raises(PassError, match="open axis"):
        writing.write(model, {})


def test_plans_know_the_operators_that_the_writer_knows() -> None:
    assert {*writing.OPERATORS, "Constant"} == WRITABLE


def test_equal_numbers_are_stored_once() -> None:
    nodes = [
        helper.make_node("Add", ["x", "a"], ["t"]),
        helper.make_node("Add", ["t", "b"], ["y"]),
    ]
    vector = random(7)
    data = writing.write(a_graph(nodes, {"a": vector, "b": vector.copy()}, VECTOR), {}).data
    assert data.count(vector.tobytes()) == 1
    assert data[4:8] == flatfile.IDENTIFIER
