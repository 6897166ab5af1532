"""Pruning and distillation bring a narrower model close to its source again, the same each time."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from shoal.compressor.network.cut import Scope
from shoal.compressor.passes.distill import Distill
from shoal.compressor.passes.protocol import PassContext, PassError, TrainRows
from shoal.compressor.passes.prune import Prune
from shoal.compressor.recipe import Recipe
from shoal.compressor.rejections import Rejection

Array = npt.NDArray[Any]
SHAPE = (2, 6, 6)
CLASSES = 4


def a_source(*, softmax: bool = False, classes: int = CLASSES) -> onnx.ModelProto:
    """A small convolutional classifier with random weights: `image` to `answer`."""
    random = np.random.default_rng(3)

    def weight(name: str, *shape: int) -> onnx.TensorProto:
        scale = np.sqrt(2 / np.prod(shape[1:]))
        return numpy_helper.from_array((random.normal(size=shape) * scale).astype("f"), name)

    scores = "scores" if softmax else "answer"
    nodes = [
        helper.make_node("Conv", ["image", "w0", "b0"], ["c0"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c0"], ["r0"]),
        helper.make_node("Conv", ["r0", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Flatten", ["r1"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w2", "b2"], [scores], transB=1),
    ]
    if softmax:
        nodes.append(helper.make_node("Softmax", [scores], ["answer"], axis=-1))
    weights = [
        weight("w0", 16, 2, 3, 3),
        weight("b0", 16),
        weight("w1", 16, 16, 3, 3),
        weight("b1", 16),
        weight("w2", classes, 144),
        weight("b2", classes),
    ]
    graph = helper.make_graph(
        nodes,
        "source",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", *SHAPE])],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, ["N", classes])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def images(count: int, seed: int) -> Array:
    return np.random.default_rng(seed).normal(size=(count, *SHAPE)).astype(np.float32)


def answers(model: onnx.ModelProto, rows: Array) -> Array:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (answer,) = session.run(None, {"image": rows})
    return np.asarray(answer)


def a_context(source: onnx.ModelProto, *, labelled: bool = False, rows: int = 300) -> PassContext:
    """Random images; labels, where wanted, are the source's own answers."""
    inputs = images(rows, seed=1)
    y = answers(source, inputs).argmax(axis=1)
    return PassContext(
        calibration={"image": inputs},
        train=TrainRows(inputs={"image": inputs}, y=y) if labelled else None,
        source=source,
        output="answer",
        seed=0,
    )


def agreement(one: onnx.ModelProto, other: onnx.ModelProto) -> float:
    rows = images(400, seed=2)
    same = answers(one, rows).argmax(axis=1) == answers(other, rows).argmax(axis=1)
    return float(same.mean())


PASSES = [
    Prune(ratio=0.5, steps=150),
    Prune(ratio=0.5, steps=150, scope=Scope.GLOBAL),
    Distill(width=0.5, steps=150),
]


@pytest.mark.parametrize("config", PASSES, ids=lambda config: config.method)
@pytest.mark.parametrize("labelled", [True, False])
def test_training_brings_the_source_back(config: Prune | Distill, labelled: bool) -> None:  # noqa: FBT001 - pytest's parameter
    source = a_source()
    result = config.apply(source, a_context(source, labelled=labelled))
    untrained_config = type(config)(steps=1, learning_rate=1e-9)
    untrained = untrained_config.apply(source, a_context(source, labelled=labelled))
    assert result.model.ByteSize() < 0.6 * source.ByteSize()
    assert agreement(source, result.model) > agreement(source, untrained.model) + 0.05
    onnx.checker.check_model(result.model, full_check=True)


def test_notes_say_what_was_removed_and_what_it_cost() -> None:
    source = a_source()
    notes = Prune(ratio=0.75, steps=150).apply(source, a_context(source, labelled=True)).notes
    assert [(group["channels"], group["kept"]) for group in notes["groups"]] == [(16, 4), (16, 4)]
    assert all(group["importance"][0] <= notes["threshold"] for group in notes["groups"])
    assert notes["weights_removed"] == notes["weights_before"] - notes["weights_after"] > 0
    validation = notes["validation"]
    assert (validation["metric"], validation["rows"]) == ("top1", 30)
    assert validation["after_fine_tuning"] > validation["before_fine_tuning"]
    assert max(notes["parity_max_abs"].values()) < 1e-4


def test_without_labels_the_notes_score_the_agreement_with_the_source() -> None:
    source = a_source()
    notes = Distill(width=0.5, steps=20).apply(source, a_context(source)).notes
    assert notes["validation"]["metric"] == "agreement"


@pytest.mark.parametrize("config", PASSES, ids=lambda config: config.method)
def test_the_same_seed_gives_the_same_bytes_and_another_one_others(
    config: Prune | Distill,
) -> None:
    source = a_source()
    quick = type(config)(steps=20)
    context = a_context(source)
    once = quick.apply(source, context).model.SerializeToString()
    torch.rand(7)  # somebody else's use of torch changes nothing
    assert quick.apply(source, context).model.SerializeToString() == once
    other = PassContext(
        calibration=context.calibration, train=None, source=source, output="answer", seed=1
    )
    assert quick.apply(source, other).model.SerializeToString() != once


def test_the_model_that_was_given_and_torch_are_left_as_they_were() -> None:
    source = a_source()
    before = source.SerializeToString()
    threads = torch.get_num_threads()
    Prune(steps=2).apply(source, a_context(source))
    assert source.SerializeToString() == before
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()


def test_a_softmax_at_the_end_stays_and_is_trained_through() -> None:
    source = a_source(softmax=True)
    result = Distill(width=0.5, steps=150).apply(source, a_context(source))
    assert [node.op_type for node in result.model.graph.node][-1] == "Softmax"
    assert agreement(source, result.model) > 0.8


def test_a_single_score_is_matched_as_it_is() -> None:
    source = a_source(classes=1)
    result = Prune(ratio=0.5, steps=150).apply(source, a_context(source))
    validation = result.notes["validation"]
    assert validation["metric"] == "cosine"
    assert validation["after_fine_tuning"] > validation["before_fine_tuning"]


def test_measured_labels_are_learnt_where_they_have_all_the_weight() -> None:
    source = a_source(classes=1)
    inputs = images(300, seed=1)
    higher = answers(source, inputs)[:, 0].astype(np.float64) + 5
    context = PassContext(
        calibration={"image": inputs},
        train=TrainRows(inputs={"image": inputs}, y=higher),
        source=source,
        output="answer",
        seed=0,
    )
    result = Prune(ratio=0.5, steps=150, label_weight=1.0).apply(source, context)
    rows = images(400, seed=2)
    assert (answers(result.model, rows) - answers(source, rows)).mean() > 3


def test_other_outputs_follow_the_source_too() -> None:
    source = a_source()
    source.graph.output.append(helper.make_tensor_value_info("flat", TensorProto.FLOAT, None))
    source.graph.node.append(helper.make_node("ReduceMean", ["flat"], ["mean"], axes=[1]))
    source.graph.output[1].name = "mean"
    result = Prune(ratio=0.5, steps=150).apply(source, a_context_of_many(source))
    session = onnxruntime.InferenceSession(result.model.SerializeToString())
    assert [port.name for port in session.get_outputs()] == ["answer", "mean"]
    rows = images(400, seed=2)
    (mine,) = session.run(["mean"], {"image": rows})
    teacher = onnxruntime.InferenceSession(source.SerializeToString())
    (theirs,) = teacher.run(["mean"], {"image": rows})
    assert np.corrcoef(mine[:, 0], theirs[:, 0])[0, 1] > 0.8


def a_context_of_many(source: onnx.ModelProto) -> PassContext:
    return PassContext(
        calibration={"image": images(300, seed=1)},
        train=None,
        source=source,
        output="answer",
        seed=0,
    )


def test_a_label_that_is_no_class_is_an_error() -> None:
    source = a_source()
    context = a_context(source, labelled=True)
    assert context.train is not None
    train = TrainRows(inputs=context.train.inputs, y=np.full(300, CLASSES))
    wrong = PassContext(
        calibration=context.calibration, train=train, source=source, output="answer", seed=0
    )
    with pytest.raises(PassError, match=r"outside 0\.\.3") as caught:
        Prune().apply(source, wrong)
    assert caught.value.reason is Rejection.BUILD_FAILED


def test_few_rows_are_enough_to_run() -> None:
    source = a_source()
    for rows in (1, 2, 5):
        Distill(steps=3).apply(source, a_context(source, rows=rows))


def test_a_quantized_model_is_refused_by_name() -> None:
    source = a_source()
    quantized = a_source()
    quantized.graph.node[0].op_type = "QLinearConv"
    with pytest.raises(PassError, match="QLinearConv") as caught:
        Prune().apply(quantized, a_context(source))
    assert caught.value.reason is Rejection.UNSUPPORTED_OPERATOR


def test_a_graph_that_torch_cannot_run_is_a_refusal_not_a_crash() -> None:
    broken = a_source()
    broken.graph.node[1].CopyFrom(helper.make_node("Mul", ["c0", "five"], ["r0"]))
    broken.graph.initializer.append(numpy_helper.from_array(np.ones((5, 1, 1), "f"), "five"))
    with pytest.raises(PassError, match="The size of tensor a") as caught:
        Prune().apply(broken, a_context(a_source()))
    assert caught.value.reason is Rejection.UNSUPPORTED_OPERATOR


def test_training_that_ends_in_no_number_is_a_refusal() -> None:
    source = a_source()
    with pytest.raises(PassError, match="parity"):
        Prune(steps=30, learning_rate=1e30).apply(source, a_context(source))


def test_configs_have_canonical_json() -> None:
    assert Recipe((Prune(),)).to_json() == {
        "passes": [
            {
                "method": "prune",
                "ratio": 0.5,
                "scope": "layer",
                "importance": "magnitude",
                "multiple": 4,
                "steps": 200,
                "batch_rows": 64,
                "learning_rate": 1e-2,
                "temperature": 8.0,
                "label_weight": 0.2,
            }
        ]
    }
    assert Recipe((Distill(),)).to_json()["passes"][0]["method"] == "distill"
