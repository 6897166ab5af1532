"""The example of a dense net: it trains, and becomes 8 bits for both engines."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("ai_edge_litert", reason="the extra litert is not installed")
pytest.importorskip("ai_edge_quantizer", reason="the extra litert is not installed")

from tests.compress.workshop import Workshop

EXAMPLE = Path(__file__).parents[2] / "examples" / "dense"


def test_the_dense_net_becomes_eight_bits_as_onnx_and_as_tflite(tmp_path: Path) -> None:
    trained = subprocess.run(
        [sys.executable, str(EXAMPLE / "train.py"), "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert trained.returncode == 0, trained.stderr
    assert "accuracy on 360 images: 0.9" in trained.stdout
    ran = Workshop(folder=tmp_path, cache=tmp_path / "cache").run(
        *("--methods", "quantize", "--engines", "onnxruntime,litert", "--objective", "bytes"),
        model="model.onnx",
    )
    assert ran.code == 0, ran.err
    report = ran.json
    quantized = [
        point for point in report["pareto"] if point["recipe"]["passes"][-1]["method"] == "quantize"
    ]
    assert {point["runtime"] for point in quantized} == {"onnxruntime", "litert"}
    for point in quantized:
        assert (tmp_path / "out" / point["file"]).is_file()
    assert report["chosen"]["bytes"] < 0.35 * report["source"]["bytes"]
    assert report["chosen"]["score"] >= report["source"]["score"] - 0.01
