"""Metrics by the command: errors that should be small, pairs, sequences, functions of one's own."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.compress.workshop import Array, Ran, Workshop, linear

FLOAT = TensorProto.FLOAT
OWN = """
import numpy

def hits(answers, labels):
    return (answers.argmax(axis=1) == labels).astype(float)

def share(answers, labels):
    return float(hits(answers, labels).mean())

def broken(answers, labels):
    return answers[labels.missing]

def crooked(answers, labels):
    return numpy.zeros((2, 3))
"""


def rows(count: int, seed: int, width: int = 16) -> Array:
    return np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)


def workshop_of(folder: Path, model: onnx.ModelProto, evaluation: Any) -> Workshop:
    onnx.save(model, folder / "source.onnx")
    np.savez(folder / "calibration.npz", x=rows(60, 1))
    np.savez(folder / "evaluation.npz", **evaluation)
    return Workshop(folder=folder, cache=folder / "cache")


def answered(model: onnx.ModelProto, x: Array) -> Array:
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString())
    return np.asarray(session.run(None, {"x": x})[0])


def run(workshop: Workshop, *options: str) -> Ran:
    return workshop.run("--methods", "quantize", "--objective", "bytes", *options)


@pytest.fixture(scope="module")
def regression(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    model = linear([("x", FLOAT, ["N", 16])])
    x = rows(80, 2)
    noise = np.random.default_rng(3).normal(0, 0.5, (80, 3))
    folder = tmp_path_factory.mktemp("regression")
    return workshop_of(folder, model, {"x": x, "y": answered(model, x) + noise})


def test_an_error_may_rise_by_the_drop_and_is_reported_as_it_is(regression: Workshop) -> None:
    ran = run(regression, "--max-drop", "0.2")
    assert ran.code == 0, ran.err
    report = ran.json
    assert (report["metric"], report["smaller_is_better"]) == ("mse", True)
    own = report["source"]["score"]
    assert own == pytest.approx(0.25, abs=0.1)
    assert report["constraints"]["min_score"] == pytest.approx(own + 0.2)
    assert report["validation"]["against"] == "source"
    for row in report["pareto"]:
        assert 0 <= row["score_interval"][0] <= row["score"] <= row["score_interval"][1]
        assert row["score"] <= own + 0.2
        assert row["validation_score"] >= 0


def test_the_most_an_error_may_be(regression: Workshop) -> None:
    refused = run(regression, "--metric", "mae", "--min-score", "0.05")
    assert refused.code == 2
    assert "--min-score 0.05 is below the source's own 0." in refused.json["error"]["message"]
    nothing = run(regression, "--metric", "mae", "--max-drop", "0.1", "--budget", "artifact=9B")
    assert nothing.code == 1
    assert "nan" not in nothing.out.lower()


@pytest.mark.parametrize("metric", ["sqnr", "max_abs"])
def test_distances_to_the_source_need_no_labels(regression: Workshop, metric: str) -> None:
    ran = run(regression, "--metric", metric)
    assert ran.code == 0, ran.err
    assert ran.json["metric"] == metric
    assert ran.json["source"]["score"] == (200 if metric == "sqnr" else 0)


def test_pairs_are_scored_by_rank(tmp_path: Path) -> None:
    model = linear([("x", FLOAT, ["N", 16])])
    a, b = rows(70, 4), rows(70, 5)
    left, right = answered(model, a), answered(model, b)
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    cosine = (left * right).sum(axis=1) / norms
    workshop = workshop_of(tmp_path, model, {"a.x": a, "b.x": b, "y": cosine})
    ran = run(workshop, "--max-drop", "0.1")
    assert ran.code == 0, ran.err
    assert ran.json["metric"] == "spearman"
    assert ran.json["source"]["score"] == pytest.approx(1)


def _tagger() -> onnx.ModelProto:
    """Scores of 5 tags at each of 8 places."""
    weight = numpy_helper.from_array(rows(4, 9, 5), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["tags"])],
        "tagger",
        [helper.make_tensor_value_info("x", FLOAT, ["N", 8, 4])],
        [helper.make_tensor_value_info("tags", FLOAT, ["N", 8, 5])],
        [weight],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_padding_of_a_token_classifier_is_left_out(tmp_path: Path) -> None:
    model = _tagger()
    x = rows(50, 2, 32).reshape(50, 8, 4)
    y = answered(model, x).argmax(axis=-1)
    y[:, 0] = (y[:, 0] + 1) % 5
    y[:, 6:] = -100
    workshop = workshop_of(tmp_path, model, {"x": x, "y": y})
    np.savez(tmp_path / "calibration.npz", x=rows(60, 1, 32).reshape(60, 8, 4))
    ran = run(workshop, "--max-drop", "0.2")
    assert ran.code == 0, ran.err
    assert ran.json["source"]["score"] == pytest.approx(5 / 6, abs=1e-6)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    folder = tmp_path_factory.mktemp("own")
    (folder / "mine.py").write_text(OWN)
    model = linear([("x", FLOAT, ["N", 16])])
    x = rows(60, 2)
    return workshop_of(folder, model, {"x": x, "y": answered(model, x).argmax(axis=1)})


@pytest.mark.parametrize("function", ["hits", "share"])
def test_a_function_of_ones_own_scores(
    labelled: Workshop, function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(labelled.folder)
    ran = run(labelled, "--metric", f"mine:{function}", "--max-drop", "0.3")
    assert ran.code == 0, ran.err
    assert ran.json["metric"] == f"mine:{function}"
    assert ran.json["source"]["score"] == 1
    for row in ran.json["pareto"]:
        assert row["score_interval"][0] <= row["score"] <= row["score_interval"][1]


@pytest.mark.parametrize(
    ("metric", "told", "place"),
    [
        ("mine:absent", "has no function 'absent'", None),
        ("mine:broken", "mine:broken raised AttributeError", "mine.py:11"),
        ("mine:crooked", "returned an array of shape [2, 3]; expected one number", None),
        ("nowhere:score", "importing nowhere raised ModuleNotFoundError", None),
    ],
)
def test_what_is_wrong_with_a_function_is_told(
    labelled: Workshop, metric: str, told: str, place: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(labelled.folder)
    ran = run(labelled, "--metric", metric)
    assert ran.code == 2, ran.err
    error = ran.json["error"]
    assert error["reason"] == "UnknownMetric"
    assert told in error["message"]
    assert place is None or error["location"].endswith(place)
