"""The models that tests find through SHOAL_TEST_MODELS: an old opset with batch 1, and a DS-CNN."""

from pathlib import Path

import numpy as np
import pytest

from tests.compress.workshop import Workshop


@pytest.fixture
def mnist(test_models: Path, tmp_path: Path) -> Workshop:
    for name in ("model.onnx", "calibration.npz", "evaluation.npz"):
        (tmp_path / name).symlink_to(test_models / "mnist" / name)
    return Workshop(folder=tmp_path, cache=tmp_path / "cache")


@pytest.fixture
def keyword_spotting(test_models: Path, tmp_path: Path) -> Workshop:
    for name in ("model.onnx", "evaluation.npz"):
        (tmp_path / name).symlink_to(test_models / "keyword_spotting" / name)
    inputs = np.load(test_models / "keyword_spotting" / "calibration.npz")["input"]
    judged = {row.tobytes() for row in np.load(tmp_path / "evaluation.npz")["input"]}
    kept = np.stack([row for row in inputs if row.tobytes() not in judged])
    np.savez(tmp_path / "calibration.npz", input=kept)
    return Workshop(folder=tmp_path, cache=tmp_path / "cache")


def test_an_old_graph_with_batch_one_becomes_half_its_size(mnist: Workshop) -> None:
    ran = mnist.run(
        *("--methods", "quantize", "--objective", "bytes", "--max-drop", "0.005"),
        model="model.onnx",
    )
    assert ran.code == 0, ran.err
    report = ran.json
    assert report["chosen"]["bytes"] <= 13_000
    assert report["chosen"]["score"] >= report["source"]["score"] - 0.005


def test_a_depthwise_network_is_never_chosen_slower_for_latency(
    keyword_spotting: Workshop,
) -> None:
    ran = keyword_spotting.run(
        *("--methods", "quantize", "--objective", "bytes"), model="model.onnx"
    )
    assert ran.code == 0, ran.err
    assert ran.json["chosen"]["bytes"] <= 40_000
    fast = keyword_spotting.run("--methods", "quantize", model="model.onnx").json["chosen"]
    assert fast["is_source"] or fast["latency_ratio"] <= 1.03
