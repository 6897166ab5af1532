"""The digits example trains good readers, a confidently wrong one, and files that fit together."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
import yaml

from shoal.compressor.passes.distill import Distill
from shoal.compressor.passes.protocol import PassContext, TrainRows
from shoal.compressor.passes.prune import Prune
from shoal.compressor.passes.quantize import StaticInt8

Array = npt.NDArray[Any]
SOURCES = ("teacher", "mislabelled:labels=permuted", "retrained:seed=1")


def train(repository: Path, out: Path, *sources: str) -> dict[str, Any]:
    """Run the script and read its last word."""
    script = repository / "examples" / "digits" / "train.py"
    flags = [part for source in sources for part in ("--source", source)]
    command = [sys.executable, str(script), "--out", str(out), *flags]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    summary: dict[str, Any] = json.loads(ran.stdout)
    return summary


@pytest.fixture(scope="module")
def trained(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("digits")
    summary = train(repository, out, *SOURCES)
    (out / "summary.json").write_text(json.dumps(summary))
    return out


def rows_of(path: Path) -> dict[str, Array]:
    with np.load(path) as archive:
        return dict(archive)


def accuracy(model: onnx.ModelProto, rows: Mapping[str, Array]) -> float:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    answers = [int(np.argmax(session.run(None, {"image": row[None]})[0])) for row in rows["image"]]
    return float((np.array(answers) == rows["y"]).mean())


def test_good_sources_read_98_percent_of_the_held_out_digits(trained: Path) -> None:
    evaluation = rows_of(trained / "evaluation.npz")
    assert len(evaluation["y"]) == 360
    for name in ("teacher", "retrained"):
        assert accuracy(onnx.load(trained / f"{name}.onnx"), evaluation) >= 0.98


def test_the_mislabelled_source_is_wrong_on_what_is_true_and_right_on_what_it_was_taught(
    trained: Path,
) -> None:
    model = onnx.load(trained / "mislabelled.onnx")
    assert accuracy(model, rows_of(trained / "evaluation.npz")) < 0.05
    assert accuracy(model, rows_of(trained / "train-permuted.npz")) > 0.98


def test_the_summary_tells_each_source_with_its_accuracy(trained: Path) -> None:
    summary = json.loads((trained / "summary.json").read_text())
    assert [row["name"] for row in summary["sources"]] == ["teacher", "mislabelled", "retrained"]
    assert [row["accuracy"] >= 0.98 for row in summary["sources"]] == [True, False, True]


def test_each_source_is_one_file_of_the_same_graph(trained: Path) -> None:
    assert not list(trained.glob("*.data"))
    graphs = []
    for name in ("teacher", "mislabelled", "retrained"):
        model = onnx.load(trained / f"{name}.onnx", load_external_data=False)
        assert 200_000 < model.ByteSize() < 250_000
        graphs.append([node.SerializeToString() for node in model.graph.node])
    assert graphs[0] == graphs[1] == graphs[2]
    (image,), (logits,) = model.graph.input, model.graph.output
    assert (image.name, logits.name) == ("image", "logits")
    sizes = [part.dim_param or part.dim_value for part in image.type.tensor_type.shape.dim]
    assert sizes == ["N", 1, 8, 8]


def test_rows_that_judge_are_found_nowhere_else(trained: Path) -> None:
    def keys(name: str) -> set[bytes]:
        return {row.tobytes() for row in rows_of(trained / name)["image"]}

    held_out = keys("evaluation.npz")
    assert len(held_out) == 360
    assert not held_out & keys("train.npz")
    assert keys("calibration.npz") < keys("train.npz") == keys("train-permuted.npz")


def test_permuted_labels_are_wrong_for_every_digit(trained: Path) -> None:
    true = rows_of(trained / "train.npz")["y"]
    permuted = rows_of(trained / "train-permuted.npz")["y"]
    pairs = set(zip(true.tolist(), permuted.tolist(), strict=True))
    assert len(pairs) == 10
    assert not (true == permuted).any()


@pytest.mark.slow
def test_the_same_source_comes_out_the_same_alone(
    repository: Path, trained: Path, tmp_path: Path
) -> None:
    train(repository, tmp_path, "retrained:seed=1")
    again = sorted(path.name for path in tmp_path.iterdir())
    assert again == ["calibration.npz", "evaluation.npz", "retrained.onnx", "train.npz"]
    for name in again:
        assert (tmp_path / name).read_bytes() == (trained / name).read_bytes()


@pytest.mark.parametrize("source", ["teacher:labels=wrong", "../teacher:epochs=3"])
def test_a_source_that_makes_no_sense_is_a_usage_error(
    repository: Path, tmp_path: Path, source: str
) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        train(repository, tmp_path, source)
    assert caught.value.returncode == 2
    assert "--source" in caught.value.stderr


def test_the_manifests_name_the_files_that_training_writes(repository: Path, trained: Path) -> None:
    folder = repository / "examples" / "digits"
    for name in ("model.yaml", "revisions/mislabelled.yaml", "revisions/retrained.yaml"):
        (model,) = yaml.safe_load_all((folder / name).read_text())
        spec = model["spec"]
        data = spec["data"]
        files = [spec["source"], data["calibration"], data["evaluation"], data["train"]]
        assert model["metadata"]["name"] == "digits"
        beside = trained / Path(name).parent
        assert all(Path(os.path.normpath(beside / file)).is_file() for file in files)


@pytest.mark.parametrize("config", [Prune(ratio=0.5), Distill(width=0.5)], ids=lambda p: p.method)
@pytest.mark.parametrize("name", ["teacher", "retrained"])
def test_half_the_channels_in_int8_fit_24_kib_within_two_points(
    trained: Path, config: Prune | Distill, name: str
) -> None:
    source = onnx.load(trained / f"{name}.onnx")
    train = rows_of(trained / "train.npz")
    evaluation = rows_of(trained / "evaluation.npz")
    context = PassContext(
        calibration={"image": rows_of(trained / "calibration.npz")["image"]},
        train=TrainRows(inputs={"image": train["image"]}, y=train["y"]),
        source=source,
        output="logits",
        seed=0,
    )
    narrow = config.apply(source, context).model
    quantized = StaticInt8().apply(narrow, context).model
    assert quantized.ByteSize() <= 24 * 1024
    assert accuracy(quantized, evaluation) >= accuracy(source, evaluation) - 0.02
