"""Clean-up, compaction, quantization and the fusion gate, on graphs of a few nodes."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from shoal.compressor.analyse import sensitivity
from shoal.compressor.passes.compact import compact
from shoal.compressor.passes.graph import Clean
from shoal.compressor.passes.protocol import PassContext, PassError
from shoal.compressor.passes.quantize import DynamicInt8, Form, StaticInt8
from shoal.compressor.rejections import Rejection
from shoal.compressor.search import gates

Array = npt.NDArray[Any]
ROWS = np.random.default_rng(0).normal(size=(24, 3, 8, 8)).astype(np.float32)


def a_network(*, opset: int = 17, weights_as_inputs: bool = False) -> onnx.ModelProto:
    """Conv, separate bias, Relu, dead weight, Flatten, Gemm, with long names everywhere."""
    random = np.random.default_rng(2)

    def weight(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array(random.normal(0, 0.2, shape).astype("f"), name)

    nodes = [
        helper.make_node("Conv", ["image", "the/first/weight"], ["conv/out"], pads=[1] * 4),
        helper.make_node("Add", ["conv/out", "the/first/bias"], ["biased/out"]),
        helper.make_node("Relu", ["biased/out"], ["relu/out"], doc_string="a long explanation"),
        helper.make_node("Flatten", ["relu/out"], ["flat/out"]),
        helper.make_node("Gemm", ["flat/out", "the/last/weight"], ["answer"], transB=1),
    ]
    weights = [
        weight("the/first/weight", 16, 3, 3, 3),
        weight("the/first/bias", 16, 1, 1),
        weight("the/last/weight", 5, 1024),
        weight("never/read", 64),
    ]
    inputs = [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, 8, 8])]
    if weights_as_inputs:
        inputs += [
            helper.make_tensor_value_info(w.name, TensorProto.FLOAT, w.dims) for w in weights
        ]
    graph = helper.make_graph(
        nodes,
        "a network",
        inputs,
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, ["N", 5])],
        weights,
        value_info=[helper.make_tensor_value_info("relu/out", TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    model.metadata_props.add(key="author", value="somebody")
    return model


def a_context(model: onnx.ModelProto) -> PassContext:
    return PassContext(
        calibration={"image": ROWS}, train=None, source=model, output="answer", seed=0
    )


def answers(model: onnx.ModelProto) -> Array:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    found: Array = session.run(["answer"], {"image": ROWS})[0]
    return found


@pytest.mark.parametrize("opset", [11, 13, 17])
def test_cleaning_keeps_the_answers_and_folds_the_bias(opset: int) -> None:
    model = a_network(opset=opset, weights_as_inputs=opset < 13)
    before = model.SerializeToString()
    result = Clean().apply(model, a_context(model))
    assert model.SerializeToString() == before
    assert np.allclose(answers(result.model), answers(model), atol=1e-4)
    small = compact(result.model)
    assert len(small.SerializeToString()) < len(before)
    assert [node.op_type for node in small.graph.node].count("Add") == 0
    assert [value.name for value in small.graph.input] == ["image"]
    assert not result.notes["skipped"]


def test_compaction_leaves_the_interface_and_drops_the_rest() -> None:
    small = compact(a_network())
    assert not small.metadata_props
    assert not small.graph.value_info
    assert [v.name for v in (*small.graph.input, *small.graph.output)] == ["image", "answer"]
    names = {tensor.name for tensor in small.graph.initializer}
    assert len(names) == 3
    assert all(len(name) == 1 for name in names)
    assert np.array_equal(answers(small), answers(a_network()))
    assert compact(small) == small


def test_static_int8_is_smaller_alike_and_fused() -> None:
    model = a_network()
    context = a_context(model)
    cleaned = Clean().apply(model, context).model
    for form in Form:
        result = StaticInt8(form=form).apply(cleaned, context).model
        gates.check(result.SerializeToString(), quantized=True)
        truth = answers(model)
        assert np.abs(answers(result) - truth).max() < 0.1 * np.abs(truth).max()
    integers = compact(StaticInt8().apply(cleaned, context).model)
    assert len(integers.SerializeToString()) < len(model.SerializeToString()) / 2


def test_an_excluded_layer_stays_in_float() -> None:
    model = a_network()
    context = a_context(model)
    result = StaticInt8(exclude=("answer",)).apply(model, context)
    assert "Gemm" in {node.op_type for node in result.model.graph.node}


def test_dynamic_int8_leaves_convolutions_alone() -> None:
    model = a_network()
    kinds = {n.op_type for n in DynamicInt8().apply(model, a_context(model)).model.graph.node}
    assert "Conv" in kinds
    assert "ConvInteger" not in kinds


def test_a_graph_without_matrices_has_nothing_to_quantize_dynamically() -> None:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    out = helper.make_tensor_value_info("answer", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["answer"])], "g", [value], [out])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    with pytest.raises(PassError) as caught:
        DynamicInt8().apply(model, a_context(model))
    assert caught.value.reason is Rejection.UNSUPPORTED_OPERATOR


def test_dynamic_convolutions_and_dequantized_weights_are_not_fused() -> None:
    model = a_network()
    nodes = model.graph.node
    nodes[0].op_type = "ConvInteger"
    assert "ConvInteger" in gates.unfused(model)[0]
    again = a_network()
    scale = numpy_helper.from_array(np.asarray(0.1, np.float32), "scale")
    stored = numpy_helper.from_array(np.ones((5, 1024), np.int8), "stored")
    again.graph.initializer.extend([scale, stored])
    again.graph.node.insert(0, helper.make_node("DequantizeLinear", ["stored", "scale"], ["w"]))
    again.graph.node[5].input[1] = "w"
    assert gates.unfused(again) == ("a weight of Gemm dequantized at every call",)
    assert gates.unfused(a_network()) == ()


def test_a_model_that_does_not_load_is_refused_with_a_reason() -> None:
    model = a_network()
    model.graph.node[2].op_type = "NoSuchOperator"
    with pytest.raises(PassError) as caught:
        gates.check(model.SerializeToString(), quantized=False)
    assert caught.value.reason in {Rejection.UNSUPPORTED_OPERATOR, Rejection.RUNTIME_FAILED}


def test_outlying_weights_make_their_layer_sensitive() -> None:
    model = a_network()
    cleaned = Clean().apply(model, a_context(model)).model
    before = {one.operator: one for one in sensitivity.layers(cleaned, a_context(model))}
    gemm = next(n for n in cleaned.graph.node if n.op_type == "Gemm")
    weight = next(t for t in cleaned.graph.initializer if t.name == gemm.input[1])
    values = numpy_helper.to_array(weight).copy()
    values[:, 0] = 1_000.0  # one value a row takes all the levels
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    layers = sensitivity.layers(cleaned, a_context(model))
    assert {layer.operator for layer in layers} == {"Gemm", "Conv"}
    after = {layer.operator: layer for layer in layers}
    assert after["Gemm"].sqnr_db < before["Gemm"].sqnr_db
    assert layers[0].sqnr_db < layers[1].sqnr_db


def test_a_tool_that_fails_only_skips_its_step(monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxslim

    def fail(_: object) -> None:
        raise ValueError("cannot")

    monkeypatch.setattr(onnxslim, "slim", fail)
    model = a_network()
    result = Clean().apply(model, a_context(model))
    assert result.notes["skipped"] == [{"step": "slim", "why": "cannot"}]
    assert np.allclose(answers(result.model), answers(model), atol=1e-4)


def test_an_input_that_nobody_reads_can_still_be_fed() -> None:
    source = a_network()
    source.graph.input.append(helper.make_tensor_value_info("spare", TensorProto.FLOAT, ["N", 2]))
    cleaned = Clean().apply(source, a_context(source)).model
    assert [port.name for port in cleaned.graph.input] == ["image", "spare"]
    session = onnxruntime.InferenceSession(compact(cleaned).SerializeToString())
    assert session.run(None, {"image": ROWS[:1], "spare": np.zeros((1, 2), np.float32)})


def test_compaction_leaves_no_empty_words() -> None:
    node = helper.make_node("Identity", ["x"], ["y"])
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N"]) for name in "xy"]
    graph = helper.make_graph([node], "g", ports[:1], ports[1:])
    source = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    cleaned = Clean().apply(source, a_context(source)).model
    assert compact(cleaned).ByteSize() <= source.ByteSize()
