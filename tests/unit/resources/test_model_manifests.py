"""What a Model and a DeviceProfile may ask for, and what their metrics and floors mean."""

import pytest

from shoal.resources import checks
from shoal.resources.deployment import Deployment
from shoal.resources.model import Model
from shoal.resources.parsing import parse
from tests.unit.resources.documents import DEPLOYMENT, MODEL, PROFILE, refused, with_field

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    "source",
    [
        "teacher.onnx",
        "net.pt2",
        "forest.SKOPS",
        "net.tflite",
        "https://example.org/models/net.tflite?download=true",
        DIGEST,
    ],
)
def test_a_source_is_a_file_of_a_known_kind_or_a_digest(source: str) -> None:
    assert parse(with_field(MODEL, "spec.source", source)).spec["source"] == source


@pytest.mark.parametrize(
    ("source", "reason", "way"),
    [
        ("mine.models:load", "UnsafeFormat", "torch.export"),
        ("model.pkl", "UnsafeFormat", "skops"),
        ("model.ckpt", "UnsafeFormat", ".pt2"),
        ("model.h5", "Invalid", ".tflite"),
        ("https://example.org/model.zip", "Invalid", ".onnx"),
    ],
)
def test_another_source_is_refused_with_what_to_do(source: str, reason: str, way: str) -> None:
    problem = refused(with_field(MODEL, "spec.source", source))
    assert (problem.reason, problem.field) == (reason, "spec.source")
    assert way in (problem.hint or "")


@pytest.mark.parametrize(
    ("quality", "floors"),
    [
        ({"metric": "auroc"}, (0.01, None)),
        ({"metric": "mse", "maxDrop": 3.5}, (3.5, None)),
        ({"metric": "mae", "minScore": 250.0}, (None, 250.0)),
        ({"metric": "spearman", "maxDrop": 0.05, "minScore": -0.5}, (0.05, -0.5)),
        ({"metric": "sqnr"}, (None, 20.0)),
        ({"metric": "sqnr", "minScore": 35.0}, (None, 35.0)),
        ({"metric": "max_abs", "maxDrop": 2.0, "floor": "proven"}, (2.0, None)),
    ],
)
def test_floors_are_in_the_unit_of_the_metric(
    quality: dict[str, object], floors: tuple[float | None, float | None]
) -> None:
    spec = parse(with_field(MODEL, "spec.quality", quality)).spec["quality"]
    assert (spec["maxDrop"], spec["minScore"]) == floors


@pytest.mark.parametrize(
    ("quality", "field"),
    [
        ({"maxDrop": 1.5}, "maxDrop"),
        ({"maxDrop": float("nan")}, "maxDrop"),
        ({"minScore": 1.5}, "minScore"),
        ({"minScore": -0.5}, "minScore"),
        ({"metric": "cosine", "maxDrop": 2.5}, "maxDrop"),
        ({"metric": "mse", "minScore": -1.0}, "minScore"),
        ({"metric": "mse", "maxDrop": float("inf")}, "maxDrop"),
        ({"metric": "sqnr", "maxDrop": 0.1}, "maxDrop"),
        ({"maxDrop": None}, "maxDrop"),
    ],
)
def test_a_floor_that_the_metric_cannot_have_is_refused(
    quality: dict[str, object], field: str
) -> None:
    problem = refused(with_field(MODEL, "spec.quality", quality))
    assert (problem.reason, problem.field) == ("Invalid", f"spec.quality.{field}")


def test_a_metric_of_ones_own_is_refused_with_where_it_works() -> None:
    problem = refused(with_field(MODEL, "spec.quality.metric", "mine.metrics:score"))
    assert problem.reason == "UnknownMetric"
    assert "shoal-compress" in (problem.hint or "")


def test_an_accuracy_gate_on_a_model_of_values_is_warned_about() -> None:
    gates = [{"metric": "accuracy", "maxDrop": 0.5}]
    deployment = parse(with_field(DEPLOYMENT, "spec.strategy.gates", gates)).resource
    values = parse(with_field(MODEL, "spec.quality.metric", "mae")).resource
    classes = parse(MODEL).resource
    assert isinstance(deployment, Deployment)
    assert isinstance(values, Model)
    assert isinstance(classes, Model)
    (warning,) = checks.golden_warnings(deployment, values)
    assert "class labels" in warning
    assert list(checks.golden_warnings(deployment, classes)) == []


def test_assets_are_paths_urls_or_names_with_digests() -> None:
    assets = ["data/labels.txt", "https://example.org/vocabulary.json", f"readme={DIGEST}"]
    assert parse(with_field(MODEL, "spec.assets", assets)).spec["assets"] == assets


@pytest.mark.parametrize("asset", [DIGEST, f"../labels={DIGEST}", ".hidden", "a=sha256:1", ""])
def test_an_asset_without_a_plain_name_is_refused(asset: str) -> None:
    assert refused(with_field(MODEL, "spec.assets", [asset])).field == "spec.assets[0]"


def test_two_assets_of_one_name_are_refused() -> None:
    problem = refused(with_field(MODEL, "spec.assets", ["a/labels.txt", f"labels.txt={DIGEST}"]))
    assert problem.field == "spec.assets[1]"
    assert "labels.txt" in problem.message


def test_a_profile_names_its_engines_and_precisions() -> None:
    runtime = {"engines": ["onnxruntime", "litert"], "precisions": ["int8", "int4", "fp16"]}
    spec = parse(with_field(PROFILE, "spec.runtime", runtime)).spec["runtime"]
    assert (spec["engines"], spec["precisions"]) == (runtime["engines"], runtime["precisions"])
