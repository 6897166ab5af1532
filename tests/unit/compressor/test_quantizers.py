"""Quantizing passes on graphs of a few nodes: what they write, and how close the answers stay."""

import logging
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from shoal.compressor.passes.compact import compact
from shoal.compressor.passes.protocol import PassContext, PassError
from shoal.compressor.passes.quantize import DynamicInt8, StaticInt8
from shoal.compressor.passes.quantize_blocks import WeightBlocks
from shoal.compressor.passes.quantize_half import Half, Halves
from shoal.compressor.passes.quantize_mixed import Mixed, Store
from shoal.compressor.passes.quantize_rows import EmbeddingRows
from shoal.compressor.passes.quantizer import quantizing
from shoal.compressor.recipe import Recipe
from shoal.compressor.rejections import Rejection
from shoal.compressor.search import gates
from tests.unit.compressor.networks import operators

Array = npt.NDArray[Any]
WORDS, WIDTH = 200, 64
IDS = np.random.default_rng(3).integers(0, WORDS, (12, 6))
OUTLIER = 40.0


def reader(*, gemm: bool = False, outlier: bool = False, shared: bool = False) -> onnx.ModelProto:
    """A table looked up by `ids`, two products, and their mean: a text model in miniature."""
    random = np.random.default_rng(4)
    weights = {
        "table": random.normal(0, 1, (WORDS, WIDTH)),
        "w0": random.normal(0, 0.1, (WIDTH, 96)),
        "w1": random.normal(0, 0.1, (96, 32)),
        "b1": random.normal(0, 0.1, (32,)),
    }
    if outlier:
        weights["table"][:, 5] *= OUTLIER
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["words"]),
        helper.make_node("MatMul", ["words", "w0"], ["wide"]),
        helper.make_node("Tanh", ["wide"], ["bent"]),
        helper.make_node("ReduceMean", ["bent"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("Gemm", ["mean", "w1", "b1"], ["answer"])
        if gemm
        else helper.make_node("MatMul", ["mean", "w1"], ["answer"]),
    ]
    outputs = [helper.make_tensor_value_info("answer", TensorProto.FLOAT, ["N", 32])]
    if shared:
        nodes.append(helper.make_node("ReduceMax", ["table"], ["largest"], keepdims=0))
        outputs.append(helper.make_tensor_value_info("largest", TensorProto.FLOAT, []))
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["N", 6])],
        outputs,
        [numpy_helper.from_array(a.astype(np.float32), name) for name, a in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def a_context(model: onnx.ModelProto) -> PassContext:
    return PassContext(calibration={"ids": IDS}, train=None, source=model, output="answer", seed=0)


def answers(model: onnx.ModelProto, feed: Mapping[str, Array] | None = None) -> Array:
    session = onnxruntime.InferenceSession(compact(model).SerializeToString())
    rows: Sequence[Mapping[str, Array]] = (
        [{"ids": IDS[i : i + 1]} for i in range(len(IDS))] if feed is None else [feed]
    )
    return np.concatenate([session.run(["answer"], dict(row))[0] for row in rows])


def noise(model: onnx.ModelProto, source: onnx.ModelProto) -> float:
    """The error's share of the signal."""
    truth = answers(source)
    return float(np.square(answers(model) - truth).sum() / np.square(truth).sum())


def test_tables_keep_their_rows_in_int8_and_only_looked_up_rows_become_floats() -> None:
    model = reader()
    result = EmbeddingRows().apply(model, a_context(model))
    stored = {t.name: t.data_type for t in result.model.graph.initializer}
    assert stored["table"] == TensorProto.INT8
    assert "DequantizeLinear" not in operators(result.model)
    assert result.model.ByteSize() < model.ByteSize() * 0.6
    assert noise(result.model, model) < 1e-4
    assert result.notes["tables"] == 1


def test_a_table_that_others_read_stays() -> None:
    model = reader(shared=True)
    with pytest.raises(PassError, match="Gather alone"):
        EmbeddingRows().apply(model, a_context(model))


def test_tables_of_four_bits_are_smaller_still() -> None:
    model = reader()
    eight, four = (EmbeddingRows(bits=bits).apply(model, a_context(model)).model for bits in (8, 4))
    assert four.ByteSize() < eight.ByteSize()
    assert noise(four, model) < 0.02


@pytest.mark.parametrize("gemm", [False, True])
def test_blocks_ask_for_the_integer_kernel(*, gemm: bool) -> None:
    model = reader(gemm=gemm)
    blocked = WeightBlocks(block_size=32).apply(model, a_context(model)).model
    levels = [
        attribute.i
        for node in blocked.graph.node
        if node.op_type == "MatMulNBits"
        for attribute in node.attribute
        if attribute.name == "accuracy_level"
    ]
    assert levels == [4, 4]
    assert noise(blocked, model) < 1e-3


@pytest.mark.parametrize("gemm", [False, True])
def test_layers_are_chosen_and_left_out_by_their_outputs(*, gemm: bool) -> None:
    model = reader(gemm=gemm)
    context = a_context(model)
    for chosen in (DynamicInt8(layers=("answer",)), DynamicInt8(exclude=("wide",))):
        found = operators(chosen.apply(model, context).model)
        assert (found.count("MatMulInteger"), found.count("MatMul")) == (1, 1)
    for blocks in (WeightBlocks(layers=("answer",)), WeightBlocks(exclude=("wide",))):
        found = operators(blocks.apply(model, context).model)
        assert (found.count("MatMulNBits"), found.count("MatMul")) == (1, 1)


def test_layers_mix_in_one_model() -> None:
    model = reader(gemm=True)
    result = Mixed(blocks8=("answer",)).apply(model, a_context(model))
    found = operators(result.model)
    assert (found.count("MatMulNBits"), found.count("MatMulInteger")) == (1, 1)
    assert noise(result.model, model) < 2e-3
    assert result.notes["tables"]["tables"] == 1
    gates.check(compact(result.model).SerializeToString(), quantized=True)


def test_kept_layers_stay_in_float() -> None:
    model = reader()
    result = Mixed(most=Store.BLOCKS4, table_bits=4, keep=("wide",)).apply(model, a_context(model))
    assert operators(result.model).count("MatMul") == 1
    assert result.notes["kept_float"] == ["wide"]


def test_smoothing_takes_outliers_out_of_dynamic_ranges() -> None:
    model = reader(outlier=True)
    plain, smooth = (Mixed(smooth=on).apply(model, a_context(model)) for on in (False, True))
    assert noise(smooth.model, model) < noise(plain.model, model) / 4
    assert smooth.notes["smoothed"]["words"] > 0


def test_mixing_is_deterministic() -> None:
    model = reader(outlier=True)
    config = Mixed(smooth=True, blocks8=("answer",))
    first, second = (
        compact(config.apply(model, a_context(model)).model).SerializeToString(deterministic=True)
        for _ in range(2)
    )
    assert first == second
    assert Recipe((config,)).digest == Recipe((Mixed(smooth=True, blocks8=("answer",)),)).digest


def test_nothing_to_mix_is_refused() -> None:
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["answer"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3])],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, [1, 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    context = PassContext(
        calibration={"x": np.zeros((2, 3), np.float32)},
        train=None,
        source=model,
        output="answer",
        seed=0,
    )
    for config in (Mixed(), Mixed(smooth=True), WeightBlocks(), DynamicInt8(), Half()):
        with pytest.raises(PassError) as refused:
            config.apply(model, context)
        assert refused.value.reason is Rejection.UNSUPPORTED_OPERATOR


@pytest.mark.parametrize("halves", list(Halves))
def test_halves_take_half_the_bytes(halves: Halves) -> None:
    model = reader()
    half = Half(halves=halves).apply(model, a_context(model)).model
    assert half.ByteSize() < model.ByteSize() * 0.52
    assert noise(half, model) < 1e-5


def test_an_lstm_becomes_dynamic() -> None:
    random = np.random.default_rng(0)
    weights = {
        "W": random.normal(0, 0.2, (1, 128, 16)),
        "R": random.normal(0, 0.2, (1, 128, 32)),
        "B": np.zeros((1, 256)),
    }
    graph = helper.make_graph(
        [helper.make_node("LSTM", ["x", "W", "R", "B"], ["", "answer"], hidden_size=32)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [5, 1, 16])],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, [1, 1, 32])],
        [numpy_helper.from_array(a.astype(np.float32), name) for name, a in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    feed = {"x": random.normal(size=(5, 1, 16)).astype(np.float32)}
    result = DynamicInt8().apply(model, a_context(model)).model
    assert operators(result) == ["DynamicQuantizeLSTM"]
    assert np.allclose(answers(result, feed), answers(model, feed), atol=0.02)


def test_the_quantizer_speaks_to_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers))

    def talk() -> None:
        with quantizing():
            sys.stdout.write("progress of a library")
            root.addHandler(logging.StreamHandler())
            logging.getLogger("library").error("advice")
            raise ValueError("broken")

    with pytest.raises(PassError, match="quantizer raised: broken"):
        talk()
    assert (root.level, list(root.handlers)) == before
    assert capsys.readouterr() == ("", "")


def test_static_ranges_have_rows_to_come_from() -> None:
    model = reader(gemm=True)
    result = StaticInt8(operators=("MatMul", "Gemm")).apply(model, a_context(model))
    assert "QGemm" in operators(result.model)
    assert noise(result.model, model) < 0.01


@pytest.mark.parametrize("config", [Mixed(), Mixed(most=Store.BLOCKS8), StaticInt8()])
def test_products_may_share_one_transposed_weight(config: Mixed | StaticInt8) -> None:
    random = np.random.default_rng(8)
    nodes = [
        helper.make_node("Gemm", ["x", "w"], ["a"], transB=1),
        helper.make_node("Gemm", ["z", "w"], ["b"], transB=1),
        helper.make_node("Add", ["a", "b"], ["y"]),
    ]
    rows = {name: random.normal(size=(40, 32)).astype(np.float32) for name in "xz"}
    weight = numpy_helper.from_array(random.normal(size=(48, 32)).astype(np.float32), "w")
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", 32]) for n in rows]
    answer = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 48])
    graph = helper.make_graph(nodes, "twins", ports, [answer], [weight])
    source = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    context = PassContext(calibration=rows, train=None, source=source, output="y", seed=0)
    built = config.apply(source, context).model
    wanted, found = (
        onnxruntime.InferenceSession(model.SerializeToString()).run(None, rows)[0]
        for model in (source, built)
    )
    assert np.abs(wanted - found).max() < 0.05 * np.abs(wanted).max()
