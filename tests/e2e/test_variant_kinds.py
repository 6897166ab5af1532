"""A `.tflite` and a staged variant: from a manifest through search and rollout to answers."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from tests.e2e.one_device import OneDevice
from tests.unit.agent_serve.test_runtimes import needs_litert

Array = np.ndarray[Any, Any]
BUDGET = "20MiB"  # of which a session takes about half, whatever the model


@pytest.fixture
def device(tmp_path: Path) -> Iterator[OneDevice]:
    running = OneDevice(tmp_path, tmp_path / "cache")
    yield running
    running.close()


def dense(*widths: int) -> onnx.ModelProto:
    """Products and rectifiers from `x` [N, widths[0]] to `scores` [N, widths[-1]]."""
    random = np.random.default_rng(5)
    nodes, stored, x = [], [], "x"
    for i, (left, right) in enumerate(itertools.pairwise(widths)):
        weights = random.normal(size=(left, right)) * np.sqrt(2 / left)
        stored.append(numpy_helper.from_array(weights.astype(np.float32), f"w{i}"))
        last = i == len(widths) - 2
        nodes.append(helper.make_node("MatMul", [x, f"w{i}"], ["scores" if last else f"m{i}"]))
        if not last:
            x = f"h{i}"
            nodes.append(helper.make_node("Relu", [f"m{i}"], [x]))
    ends = [
        helper.make_tensor_value_info(name, 1, ["N", width])
        for name, width in (("x", widths[0]), ("scores", widths[-1]))
    ]
    graph = helper.make_graph(nodes, "dense", ends[:1], ends[1:], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def rows(count: int, width: int, seed: int) -> Array:
    return np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)


def manifests(source: str, model: dict[str, Any], profile: dict[str, Any]) -> str:
    """A Model, its DeviceProfile and its Deployment."""
    data = {"calibration": "calibration.npz", "evaluation": "evaluation.npz", "golden": 40}
    kinds = {
        "Model": {"source": source, "data": data, **model},
        "DeviceProfile": profile,
        "Deployment": {
            "model": "net",
            "selector": {"matchLabels": {"app": "reader"}},
            "strategy": {"waves": [{"name": "all", "size": "100%", "soak": "1s"}], "gates": []},
        },
    }
    documents = [
        {"apiVersion": "shoal/v1", "kind": kind, "metadata": {"name": "net"}, "spec": spec}
        for kind, spec in kinds.items()
    ]
    return "\n---\n".join(json.dumps(one) for one in documents)


def write_rows(folder: Path, width: int) -> None:
    np.savez(folder / "calibration.npz", x=rows(48, width, 1))
    np.savez(folder / "evaluation.npz", x=rows(64, width, 2))


def served(device: OneDevice, asked: Array) -> tuple[dict[str, Any], Array]:
    """The Variant that answers on the device, and its answers."""
    tensor = {"name": "x", "datatype": "FP32", "shape": list(asked.shape)}
    reply = device.infer("net", {**tensor, "data": asked.ravel().tolist()})
    (output,) = [one for one in reply["outputs"] if one["name"] == "scores"]
    variants = device.shoal("get", "variants")["items"]
    variant = reply["parameters"]["variant"]
    (found,) = [one for one in variants if one["status"]["digest"] == variant]
    return found, np.array(output["data"], np.float32).reshape(output["shape"])


def answers(model: onnx.ModelProto, asked: Array) -> Array:
    found: Array = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": asked})[
        0
    ]
    return found


@needs_litert
def test_a_tflite_source_is_judged_by_its_errors_and_served_by_litert(
    device: OneDevice, tmp_path: Path
) -> None:
    from shoal.compressor.litert import writing

    folder = tmp_path / "manifests"
    folder.mkdir()
    model = dense(16, 32, 8)
    (folder / "net.tflite").write_bytes(writing.write(model, {}).data)
    (folder / "labels.txt").write_text("eight\nclasses\n")
    write_rows(folder, 16)
    quality = {"metric": "max_abs", "maxDrop": 0.4}
    compression = {"methods": ["quantize"], "objective": "bytes", "effort": "quick"}
    spec = {"quality": quality, "compression": compression, "assets": ["labels.txt"]}
    profile = {"runtime": {"engines": ["litert"]}}
    (folder / "net.yaml").write_text(manifests("net.tflite", spec, profile))

    device.shoal("apply", "-f", str(folder))
    device.join()
    device.rolled_out("net")

    asked = rows(3, 16, 3)  # a batch, though the file takes rows one by one
    variant, given = served(device, asked)
    status = variant["status"]
    assert (status["runtime"], status["format"]) == ("litert", "tflite")
    assert status["smaller_is_better"]
    assert 0 < status["score"] <= 0.4  # an 8-bit form: the float one errs by nothing
    np.testing.assert_allclose(given, answers(model, asked), atol=0.8)
    told = device.shoal("get", "device", "cam")
    assert "litert" in json.dumps(told["status"])
    assert device.asset("net", "labels.txt") == b"eight\nclasses\n"


def test_what_fits_no_memory_whole_is_served_in_stages(device: OneDevice, tmp_path: Path) -> None:
    folder = tmp_path / "manifests"
    folder.mkdir()
    model = dense(64, 1536, 1536, 8)
    onnx.save(model, folder / "net.onnx")
    write_rows(folder, 64)
    quality = {"metric": "agreement", "maxDrop": 0.1}
    compression = {"methods": ["split"], "objective": "memory", "effort": "quick"}
    profile = {"budget": {"memory": BUDGET}}
    spec = {"quality": quality, "compression": compression}
    (folder / "net.yaml").write_text(manifests("net.onnx", spec, profile))

    device.shoal("apply", "-f", str(folder))
    device.join()
    device.rolled_out("net")

    asked = rows(2, 64, 3)
    variant, given = served(device, asked)
    status = variant["status"]
    assert (status["runtime"], status["format"]) == ("onnxruntime", "stages")
    assert len(status["stages"]) > 1
    assert status["peak_memory_bytes"] <= 20 << 20
    np.testing.assert_allclose(given, answers(model, asked), rtol=1e-4, atol=1e-4)
