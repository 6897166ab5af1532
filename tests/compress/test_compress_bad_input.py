"""Every wrong file or word ends in the contract's error shape, with its reason, never a trace."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from tests.compress.workshop import Array, Workshop, linear

Spoil = Callable[[Path], None]


def rows(count: int, *, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=(count, 4)).astype(np.float32)


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    onnx.save(linear([("x", TensorProto.FLOAT, ["N", 4])]), tmp_path / "source.onnx")
    np.savez(tmp_path / "calibration.npz", x=rows(40, seed=1))
    np.savez(tmp_path / "evaluation.npz", x=rows(30, seed=2))
    return Workshop(folder=tmp_path, cache=tmp_path / "cache")


def refused(workshop: Workshop, *options: str, model: str = "source.onnx") -> dict[str, str]:
    ran = workshop.run(*options, model=model)
    assert ran.code in {2, 3}, ran.err
    assert "Traceback" not in ran.err
    error: dict[str, str] = ran.json["error"]
    assert error["message"]
    return error


def truncate(folder: Path) -> None:
    data = (folder / "source.onnx").read_bytes()
    (folder / "source.onnx").write_bytes(data[: len(data) // 2])


def scramble(folder: Path) -> None:
    (folder / "source.onnx").write_bytes(np.random.default_rng(0).bytes(5_000))


def empty(folder: Path) -> None:
    (folder / "source.onnx").write_bytes(b"")


def _external(folder: Path, location: str, offset: int = 0) -> None:
    model = onnx.load(folder / "source.onnx")
    (weight,) = model.graph.initializer
    length = len(weight.raw_data)
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", str(offset)), ("length", str(length))):
        weight.external_data.add(key=key, value=value)
    (folder / "source.onnx").write_bytes(model.SerializeToString())


def leave_the_folder(folder: Path) -> None:
    _external(folder, "../weights.bin")


def leave_by_an_absolute_path(folder: Path) -> None:
    _external(folder, "/etc/passwd")


def leave_by_a_link(folder: Path) -> None:
    (folder / "weights.bin").symlink_to("/etc/passwd")
    _external(folder, "weights.bin")


def point_beyond_the_end(folder: Path) -> None:
    (folder / "weights.bin").write_bytes(b"\0" * 60)
    _external(folder, "weights.bin", offset=32)


def name_nothing(folder: Path) -> None:
    _external(folder, "absent.bin")


def use_a_custom_operator(folder: Path) -> None:
    model = onnx.load(folder / "source.onnx")
    model.graph.node[0].domain = "com.example.secret"
    model.opset_import.add(domain="com.example.secret", version=1)
    onnx.save(model, folder / "source.onnx")


def break_the_graph(folder: Path) -> None:
    model = onnx.load(folder / "source.onnx")
    model.graph.node[0].op_type = "NoSuchOperator"
    (folder / "source.onnx").write_bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (truncate, "TruncatedModel"),
        (scramble, "NotOnnx"),
        (empty, "NotOnnx"),
        (leave_the_folder, "ExternalData"),
        (leave_by_an_absolute_path, "ExternalData"),
        (leave_by_a_link, "ExternalData"),
        (point_beyond_the_end, "ExternalData"),
        (name_nothing, "ExternalData"),
        (use_a_custom_operator, "UnknownDomain"),
        (break_the_graph, "LoadFailed"),
    ],
)
def test_a_spoilt_model_is_refused(workshop: Workshop, spoil: Spoil, reason: str) -> None:
    spoil(workshop.folder)
    error = refused(workshop)
    assert error["reason"] == reason
    assert error["field"] == "MODEL"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("model.pkl", "UnsafeFormat"),
        ("model.joblib", "UnsafeFormat"),
        ("model.pt", "UnsafeFormat"),
        ("model.pt2", "NotBuiltYet"),
        ("model.tflite", "NotBuiltYet"),
        ("model.skops", "NotBuiltYet"),
        ("absent.onnx", "NotFound"),
    ],
)
def test_another_format_is_refused_by_name(workshop: Workshop, name: str, reason: str) -> None:
    if "absent" not in name:
        (workshop.folder / name).write_bytes(b"\x80\x04")
    error = refused(workshop, model=name)
    assert error["reason"] == reason
    assert error["hint"]


def test_a_row_in_both_calibration_and_evaluation_is_named(workshop: Workshop) -> None:
    shared = rows(30, seed=2)
    shared[3] = rows(40, seed=1)[7]
    np.savez(workshop.folder / "evaluation.npz", x=shared)
    error = refused(workshop)
    assert error["reason"] == "BadData"
    assert "row 7 of calibration is row 3 of evaluation" in error["message"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--metric", "top5"), "NotBuiltYet"),
        (("--metric", "agreemnt"), "UnknownMetric"),
        (("--metric", "top1"), "BadData"),
        (("--methods", "quantize,split"), "NotBuiltYet"),
        (("--methods", "quantise"), "Invalid"),
        (("--engines", "onnxruntime,litert"), "NotBuiltYet"),
        (("--state", "in=out"), "NotBuiltYet"),
        (("--max-drop", "0.1", "--min-score", "0.5"), "Invalid"),
        (("--budget", "artifact=5"), "Invalid"),
        (("--budget", "artefact=5KiB"), "Invalid"),
        (("--model-output", "absent"), "Invalid"),
        (("--no-such-option",), "Usage"),
        (("--max-drop", "much"), "Usage"),
    ],
)
def test_a_wrong_word_is_answered_in_json(
    workshop: Workshop, options: tuple[str, ...], reason: str
) -> None:
    assert refused(workshop, *options)["reason"] == reason


def test_a_near_miss_is_answered_with_the_right_word(workshop: Workshop) -> None:
    assert "agreement" in refused(workshop, "--metric", "agreemnt")["hint"]
