"""Ordinary input that is not a float image classifier: integers, several tensors, batch 1, If."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.compress.workshop import Array, Workshop, linear

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def write(folder: Path, model: onnx.ModelProto, calibration: Any, evaluation: Any) -> Workshop:
    onnx.save(model, folder / "source.onnx")
    np.savez(folder / "calibration.npz", **calibration)
    np.savez(folder / "evaluation.npz", **evaluation)
    return Workshop(folder=folder, cache=folder / "cache")


def floats(*shape: int, seed: int) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def compressed(workshop: Workshop, *options: str) -> Any:
    ran = workshop.run("--methods", "quantize", "--max-drop", "0.5", *options)
    assert ran.code == 0, ran.err
    for row in ran.json["pareto"]:
        onnx.checker.check_model(workshop.folder / "out" / row["file"])
    return ran.json


def test_several_inputs_one_of_integers_and_one_constant(tmp_path: Path) -> None:
    model = linear(
        [("dense", FLOAT, ["N", 4]), ("ids", INT64, ["N", 2]), ("gain", FLOAT, [1, 1])],
        outputs=["scores", "mirrored"],
    )
    random = np.random.default_rng(0)

    def rows(count: int, seed: int) -> dict[str, Any]:
        ids = random.integers(0, 9, (count, 2))
        return {"dense": floats(count, 4, seed=seed), "ids": ids, "gain": np.float32(2.0)}

    workshop = write(tmp_path, model, rows(40, 1), rows(30, 2))
    report = compressed(workshop, "--model-output", "mirrored", "--golden", "10")
    assert report["output"] == "mirrored"
    assert report["metric"] == "agreement"


def test_a_batch_fixed_at_one_is_fed_row_by_row(tmp_path: Path) -> None:
    model = linear([("x", FLOAT, [1, 4])])
    labels = np.arange(30) % 3
    workshop = write(
        tmp_path,
        model,
        {"x": floats(40, 4, seed=1)},
        {"x": floats(30, 4, seed=2), "y": labels},
    )
    report = compressed(workshop)
    assert report["metric"] == "top1"
    assert report["validation"] == {
        "rows": 10,
        "metric": "agreement",
        "against": "source",
        "from": "calibration",
    }


def test_a_single_input_may_be_called_x(tmp_path: Path) -> None:
    model = linear([("dense", FLOAT, ["N", 4])])
    workshop = write(tmp_path, model, {"x": floats(40, 4, seed=1)}, {"x": floats(30, 4, seed=2)})
    assert compressed(workshop)["chosen"] is not None


def test_an_embedding_is_scored_by_cosine(tmp_path: Path) -> None:
    weight = numpy_helper.from_array(floats(16, 160, seed=4), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["embedding"])],
        "embedding",
        [helper.make_tensor_value_info("x", FLOAT, ["N", 16])],
        [helper.make_tensor_value_info("embedding", FLOAT, ["N", 160])],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    workshop = write(tmp_path, model, {"x": floats(40, 16, seed=1)}, {"x": floats(30, 16, seed=2)})
    report = compressed(workshop)
    assert report["metric"] == "cosine"
    assert min(row["bytes"] for row in report["pareto"]) < report["source"]["bytes"] / 2


def test_a_graph_with_a_branch_survives(tmp_path: Path) -> None:
    def branch(name: str, operator: str) -> onnx.GraphProto:
        return helper.make_graph(
            [helper.make_node(operator, ["h"], [name])],
            name,
            [],
            [helper.make_tensor_value_info(name, FLOAT, None)],
        )

    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("ReduceSum", ["h"], ["sum"], keepdims=0),
        helper.make_node("Greater", ["sum", "zero"], ["is_large"]),
        helper.make_node(
            "If",
            ["is_large"],
            ["scores"],
            then_branch=branch("positive", "Relu"),
            else_branch=branch("negative", "Abs"),
        ),
    ]
    weights = [
        numpy_helper.from_array(floats(4, 3, seed=1), "w"),
        numpy_helper.from_array(np.asarray(0, np.float32), "zero"),
    ]
    graph = helper.make_graph(
        nodes,
        "branches",
        [helper.make_tensor_value_info("x", FLOAT, [1, 4])],
        [helper.make_tensor_value_info("scores", FLOAT, [1, 3])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    workshop = write(tmp_path, model, {"x": floats(40, 4, seed=1)}, {"x": floats(30, 4, seed=2)})
    assert any(row["is_source"] for row in compressed(workshop)["pareto"])


def test_plain_data_files_beside_the_model_are_folded_into_one(tmp_path: Path) -> None:
    model = linear([("x", FLOAT, ["N", 4])])
    workshop = write(tmp_path, model, {"x": floats(40, 4, seed=1)}, {"x": floats(30, 4, seed=2)})
    onnx.save(
        model,
        tmp_path / "source.onnx",
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    assert (tmp_path / "weights.bin").exists()
    report = compressed(workshop)
    (tmp_path / "weights.bin").unlink()
    for row in report["pareto"]:
        onnx.load(tmp_path / "out" / row["file"])


def test_a_profile_gives_threads_precisions_and_budget(tmp_path: Path) -> None:
    model = linear([("x", FLOAT, ["N", 4])])
    workshop = write(tmp_path, model, {"x": floats(40, 4, seed=1)}, {"x": floats(30, 4, seed=2)})
    profile = tmp_path / "profile.yaml"
    profile.write_text(
        "apiVersion: shoal/v1\n"
        "kind: DeviceProfile\n"
        "metadata: {name: camera}\n"
        "spec:\n"
        "  budget: {artifact: 64KiB, latency: {p95: 50ms}}\n"
        "  runtime: {threads: 2, precisions: [fp32]}\n"
    )
    report = compressed(workshop, "--profile", str(profile))
    assert report["constraints"]["artifact_bytes"] == 64 * 1024
    assert report["constraints"]["latency_ms_p95"] == pytest.approx(50)
    assert report["environment"]["threads"] == 2
    assert [row["is_source"] for row in report["pareto"]] == [True]


def test_a_profile_without_fp32_gets_no_float_variant(tmp_path: Path) -> None:
    model = linear([("x", FLOAT, ["N", 4])])
    workshop = write(tmp_path, model, {"x": floats(40, 4, seed=1)}, {"x": floats(30, 4, seed=2)})
    profile = tmp_path / "profile.yaml"
    profile.write_text("kind: DeviceProfile\nspec: {runtime: {precisions: [int8]}}\n")
    report = compressed(workshop, "--profile", str(profile))
    assert report["pareto"]
    for row in report["pareto"]:
        assert "quantize" in row["recipe"]["title"]
    assert ("graph", "UnsupportedOperator") in {
        (row["recipe"]["title"], row["reason"]) for row in report["rejected"]
    }


def _dynamic_convolution() -> onnx.ModelProto:
    """What onnxruntime's dynamic quantizer makes of a convolution, slow as it is."""
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "scale", "zero"]),
        helper.make_node("ConvInteger", ["q", "w", "zero"], ["sums"]),
        helper.make_node("Cast", ["sums"], ["cast"], to=FLOAT),
        helper.make_node("Mul", ["cast", "scale"], ["scores"]),
    ]
    weight = np.random.default_rng(0).integers(-90, 90, (6, 1, 3, 3), np.int8)
    graph = helper.make_graph(
        nodes,
        "integers",
        [helper.make_tensor_value_info("x", FLOAT, ["N", 1, 3, 3])],
        [helper.make_tensor_value_info("scores", FLOAT, ["N", 6, 1, 1])],
        [numpy_helper.from_array(weight, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _doubles() -> onnx.ModelProto:
    weights = [
        numpy_helper.from_array(floats(9, 40, seed=1).astype(np.float64), "w"),
        numpy_helper.from_array(floats(40, 3, seed=2).astype(np.float64), "v"),
    ]
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["h"]),
            helper.make_node("MatMul", ["h", "v"], ["scores"]),
        ],
        "doubles",
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, ["N", 9])],
        [helper.make_tensor_value_info("scores", TensorProto.DOUBLE, ["N", 3])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize(
    ("make", "shape", "dtype"),
    [(_dynamic_convolution, (1, 3, 3), np.float32), (_doubles, (9,), np.float64)],
)
def test_a_source_that_no_pass_understands_is_still_a_candidate(
    tmp_path: Path, make: Callable[[], onnx.ModelProto], shape: tuple[int, ...], dtype: type
) -> None:
    def rows(seed: int) -> dict[str, Array]:
        return {"x": floats(40, *shape, seed=seed).astype(dtype)}

    workshop = write(tmp_path, make(), rows(1), rows(2))
    assert any(row["is_source"] for row in compressed(workshop)["pareto"])
