"""Every wrong file or word ends in the contract's error shape, with its reason, never a trace."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

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


def hide_it_in_a_mistyped_attribute(folder: Path) -> None:
    model = onnx.load(folder / "source.onnx")
    attribute = model.graph.node[0].attribute.add(name="note", type=onnx.AttributeProto.FLOAT)
    attribute.t.data_location = TensorProto.EXTERNAL
    attribute.t.external_data.add(key="location", value="../../etc/passwd")
    (folder / "source.onnx").write_bytes(model.SerializeToString())


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
        (hide_it_in_a_mistyped_attribute, "ExternalData"),
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
        ("model.pt2", "TruncatedModel"),
        ("model.skops", "TruncatedModel"),
        ("model.h5", "NotOnnx"),
        ("absent.onnx", "NotFound"),
    ],
)
def test_another_format_is_refused_by_name(workshop: Workshop, name: str, reason: str) -> None:
    if "absent" not in name:
        (workshop.folder / name).write_bytes(b"\x80\x04")
    error = refused(workshop, model=name)
    assert error["reason"] == reason
    assert error["hint"]


def test_a_folder_or_a_pipe_is_no_file(workshop: Workshop) -> None:
    (workshop.folder / "folder.onnx").mkdir()
    os.mkfifo(workshop.folder / "pipe.npz")
    folder = refused(workshop, model="folder.onnx")
    assert folder["message"].endswith("folder.onnx is a folder, not a file")
    pipe = refused(workshop, "--evaluation", str(workshop.folder / "pipe.npz"))
    assert (pipe["reason"], pipe["field"]) == ("Invalid", "--evaluation")


def test_a_name_that_is_not_utf8_is_refused(workshop: Workshop) -> None:
    odd = os.fsdecode(b"m\xff.onnx")
    (workshop.folder / odd).write_bytes((workshop.folder / "source.onnx").read_bytes())
    assert "is not UTF-8" in refused(workshop, model=odd)["message"]


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
        (("--metric", "top5"), "BadData"),
        (("--metric", "agreemnt"), "UnknownMetric"),
        (("--metric", "nowhere:score"), "UnknownMetric"),
        (("--min-score", "1.5"), "Invalid"),
        (("--metric", "top1"), "BadData"),
        (("--methods", "quantise"), "Invalid"),
        (("--state", "in=out"), "Invalid"),
        (("--max-drop", "0.1", "--min-score", "0.5"), "Invalid"),
        (("--budget", "artifact=5"), "Invalid"),
        (("--budget", "artefact=5KiB"), "Invalid"),
        (("--model-output", "absent"), "Invalid"),
        (("--profile", "p.yaml", "--budget", "artifact=5KiB"), "Invalid"),
        (("--max-drop", "nan"), "Invalid"),
        (("--min-score", "inf"), "Invalid"),
        (("--seed", "-1"), "Usage"),
        (("--out", "/dev/null/out"), "Invalid"),
        (("--no-such-option",), "Usage"),
        (("--max-drop", "much"), "Usage"),
    ],
)
def test_a_wrong_word_is_answered_in_json(
    workshop: Workshop, options: tuple[str, ...], reason: str
) -> None:
    assert refused(workshop, *options)["reason"] == reason


def test_labels_that_are_not_one_class_a_row_are_refused(workshop: Workshop) -> None:
    one_hot = np.eye(3, dtype=np.int64)[np.arange(30) % 3]
    np.savez(workshop.folder / "evaluation.npz", x=rows(30, seed=2), y=one_hot)
    error = refused(workshop)
    assert error["reason"] == "BadData"
    assert "labels 'y' have shape [30, 3]" in error["message"]


def test_rows_that_the_source_cannot_answer_are_refused_by_number(workshop: Workshop) -> None:
    table = numpy_helper.from_array(rows(10), "table")
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "ids"], ["scores"])],
        "lookup",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["N"])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 4])],
        [table],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, workshop.folder / "source.onnx")
    np.savez(workshop.folder / "calibration.npz", ids=np.arange(5))
    np.savez(workshop.folder / "evaluation.npz", ids=np.arange(5, 13))
    error = refused(workshop)
    assert error["reason"] == "BadData"
    assert "row 5 cannot be run" in error["message"]


def test_ctrl_c_before_anything_is_measured_is_one_answer(workshop: Workshop) -> None:
    with subprocess.Popen(
        workshop.command(),
        env=workshop.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("checking")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(out)["error"]["reason"] == "Interrupted"
    assert "Traceback" not in err


def test_a_near_miss_is_answered_with_the_right_word(workshop: Workshop) -> None:
    assert "agreement" in refused(workshop, "--metric", "agreemnt")["hint"]
