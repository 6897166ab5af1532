"""Recurrent models by the command: states fed back, streams kept together, golden rows complete."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.compress.workshop import Array, Workshop

UNITS, FEATURES = 48, 12


def gru(batch: int | str = 1) -> onnx.ModelProto:
    """A step of a GRU and a head: `x` and the state `h` in, `score` and `h_next` out."""
    random = np.random.default_rng(0)

    def weight(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array(random.normal(0, 0.3, shape).astype("f"), name)

    nodes = [
        helper.make_node("Unsqueeze", ["x", "axes"], ["steps"]),
        helper.make_node(
            "GRU", ["steps", "w", "r", "b", "", "h"], ["", "h_next"], hidden_size=UNITS
        ),
        helper.make_node("Squeeze", ["h_next", "axes"], ["flat"]),
        helper.make_node("Gemm", ["flat", "wide"], ["sums"]),
        helper.make_node("Relu", ["sums"], ["rich"]),
        helper.make_node("Gemm", ["rich", "head"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["score"]),
    ]
    state = [1, batch, UNITS]
    graph = helper.make_graph(
        nodes,
        "gru",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, FEATURES]),
            helper.make_tensor_value_info("h", TensorProto.FLOAT, state),
        ],
        [
            helper.make_tensor_value_info("score", TensorProto.FLOAT, [batch, 1]),
            helper.make_tensor_value_info("h_next", TensorProto.FLOAT, state),
        ],
        [
            weight("w", 1, 3 * UNITS, FEATURES),
            weight("r", 1, 3 * UNITS, UNITS),
            weight("b", 1, 6 * UNITS),
            weight("wide", UNITS, 600),
            weight("head", 600, 1),
            numpy_helper.from_array(np.array([0], np.int64), "axes"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def steps(count: int, seed: int) -> Array:
    return np.random.default_rng(seed).normal(size=(count, FEATURES)).astype(np.float32)


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    folder = tmp_path_factory.mktemp("gru")
    onnx.save(gru(), folder / "source.onnx")
    np.savez(folder / "calibration.npz", x=steps(200, 1), stream=np.arange(200) // 25)
    np.savez(folder / "evaluation.npz", x=steps(120, 2), stream=np.arange(120) // 40)
    return Workshop(folder=folder, cache=folder / "cache")


@pytest.fixture(scope="module")
def report(workshop: Workshop) -> Any:
    ran = workshop.run(
        *("--state", "h=h_next", "--methods", "quantize", "--max-drop", "0.2", "--golden", "50")
    )
    assert ran.code == 0, ran.err
    return ran.json


def free_run(path: Path) -> Array:
    """The scores of the evaluation steps, as a user would compute them."""
    session = onnxruntime.InferenceSession(str(path))
    scores = []
    for step, x in enumerate(steps(120, 2)):
        if step % 40 == 0:
            state = np.zeros((1, 1, UNITS), np.float32)
        score, state = session.run(["score", "h_next"], {"x": x[None], "h": state})
        scores.append(score[0, 0])
    return np.array(scores)


def test_candidates_are_scored_on_their_own_states(workshop: Workshop, report: Any) -> None:
    source = free_run(workshop.folder / "source.onnx")
    assert report["metric"] == "agreement"
    assert any(not row["is_source"] for row in report["pareto"])
    for row in report["pareto"]:
        answers = free_run(workshop.folder / "out" / row["file"])
        assert row["score"] == pytest.approx(((answers >= 0.5) == (source >= 0.5)).mean())
        assert row["parity"]["max_abs"] == pytest.approx(np.abs(answers - source).max(), abs=1e-6)


def test_golden_rows_carry_the_states_of_the_source(workshop: Workshop, report: Any) -> None:
    with np.load(workshop.folder / "out" / "golden.npz") as golden:
        inputs = {name: golden[name] for name in golden.files}
    assert inputs["x"].shape == (50, FEATURES)
    assert inputs["h"].shape == (50, 1, UNITS)
    assert not inputs["h"][[0, 40]].any()
    assert inputs["h"][[1, 39, 41]].any(axis=(1, 2)).all()
    session = onnxruntime.InferenceSession(str(workshop.folder / "source.onnx"))
    for row, (reference, score) in enumerate(
        zip(
            report["golden"]["source_answers"],
            free_run(workshop.folder / "source.onnx"),
            strict=False,
        )
    ):
        (given,) = session.run(
            ["score"], {"x": inputs["x"][row : row + 1], "h": inputs["h"][row : row + 1]}
        )
        assert given[0, 0] == pytest.approx(score, abs=1e-6)
        assert reference == int(score >= 0.5)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--state", "hh=h_next"), "the model has no input 'hh' | did you mean 'h'?"),
        (("--state", "h=h_nxt"), "the model has no output 'h_nxt' | did you mean 'h_next'?"),
        (
            ("--state", "h=score"),
            "the output 'score' (float32 [1, 1]) does not fit the input 'h' (float32 [1, 1, 48])",
        ),
        (("--state", "h"), "'h' is not a state as IN=OUT"),
        (("--state", "h=h_next", "--state", "h=h_next"), "the input 'h' is named twice"),
        ((), "says where streams change ('stream'), and the model has no state"),
    ],
)
def test_a_wrong_state_is_told_with_the_right_one(
    workshop: Workshop, options: tuple[str, ...], told: str
) -> None:
    ran = workshop.run(*options)
    assert ran.code == 2
    error = ran.json["error"]
    assert told in f"{error['message']} | {error['hint']}"
