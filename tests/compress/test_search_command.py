"""What a profile changes in a search: another machine's instructions, a memory of few megabytes."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.compress.workshop import Workshop, write_digits

WIDTH = 1024
LAYERS = 4
ARM = """
apiVersion: shoal/v1
kind: DeviceProfile
metadata: {name: arm}
spec:
  hardware: {arch: arm64, isa: [asimddp]}
"""


def a_wide_net() -> onnx.ModelProto:
    """Layers of 4 MB each, too many for a small memory to hold at once."""
    random = np.random.default_rng(0)
    nodes, weights, last = [], [], "x"
    for layer in range(LAYERS):
        weight = (random.normal(size=(WIDTH, WIDTH)) / np.sqrt(WIDTH)).astype(np.float32)
        weights.append(numpy_helper.from_array(weight, f"w{layer}"))
        nodes.append(helper.make_node("MatMul", [last, f"w{layer}"], [f"m{layer}"]))
        last = f"r{layer}" if layer < LAYERS - 1 else "y"
        nodes.append(helper.make_node("Relu", [f"m{layer}"], [last]))
    graph = helper.make_graph(
        nodes,
        "wide",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", WIDTH])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", WIDTH])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """The report of a search under 24 MB, and its folder."""
    folder = tmp_path_factory.mktemp("wide")
    onnx.save(a_wide_net(), folder / "source.onnx")
    rows = np.random.default_rng(1).normal(size=(60, WIDTH)).astype(np.float32)
    np.savez(folder / "calibration.npz", x=rows[:30])
    np.savez(folder / "evaluation.npz", x=rows[30:])
    shop = Workshop(folder=folder, cache=folder / "cache")
    ran = shop.run("--methods", "split", "--budget", "memory=24MB", "--metric", "cosine")
    assert ran.code == 0, ran.err
    return ran.json, folder / "out"


def test_what_fits_no_memory_whole_is_chosen_in_stages(staged: tuple[Any, Path]) -> None:
    report, out = staged
    chosen = report["chosen"]
    assert report["source"]["peak_memory_bytes"] > 24_000_000 >= chosen["peak_memory_bytes"]
    assert chosen["file"].endswith(".stages")
    assert chosen["runtime"] == "onnxruntime"
    assert len(chosen["stages"]) > 1
    with zipfile.ZipFile(out / chosen["file"]) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
    for stage in chosen["stages"]:
        assert sizes[stage["file"]] == stage["bytes"]
        assert 0 < stage["peak_memory_bytes"] <= 24_000_000
        assert stage["cut_bytes"] >= 0


def test_stages_answer_as_the_whole_and_say_that_loading_takes_time(
    staged: tuple[Any, Path],
) -> None:
    chosen = staged[0]["chosen"]
    assert chosen["parity"] == {"agreement": 1.0, "max_abs": 0.0}
    assert chosen["score"] == 1.0
    assert chosen["latency_ratio"] > 1.03
    assert chosen["slower_than_source"] is True


@pytest.fixture(scope="module")
def foretold(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The report of a search for ARM."""
    folder = tmp_path_factory.mktemp("arm")
    write_digits(folder)
    (folder / "arm.yaml").write_text(ARM)
    shop = Workshop(folder=folder, cache=folder / "cache")
    options = ("--methods", "quantize", "--profile", str(folder / "arm.yaml"))
    first = shop.run(*options, "--max-drop", "0.05")
    assert first.code == 0, first.err
    again = shop.run(*options, "--max-drop", "0.05")
    assert json.loads(again.out)["order"] == first.json["order"]
    return first.json


def test_candidates_for_another_machine_suit_its_instructions(foretold: Any) -> None:
    schemes = {
        step["integers"]
        for row in (*foretold["pareto"], *foretold["rejected"], *foretold["dominated"])
        for step in row["recipe"]["passes"]
        if step.get("scheme") == "static"
    }
    assert schemes == {"s8s8"}
    assert foretold["profile"]["arch"] == "aarch64"
    assert foretold["profile"]["isa"] == ["asimddp"]


def test_latency_on_another_machine_is_marked_as_foretold(foretold: Any) -> None:
    for row in foretold["pareto"]:
        assert row["latency_predicted"] is True
        low, high = row["latency_interval_ms"]
        assert low < row["latency_ms"]["p50"] < high
        assert row["latency_basis"] == "table"
