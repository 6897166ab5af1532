"""shoal-compress takes scikit-learn's files: answers stay the same, hostile ones are refused."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import skops.io
from sklearn import ensemble, tree
from sklearn.datasets import load_wine
from sklearn.gaussian_process import GaussianProcessClassifier

from tests.compress.workshop import Ran, Workshop

EVALUATED = 60


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def wine(tmp_path: Path, cache: Path) -> Workshop:
    """A folder with the rows of 178 wines, the first 60 for evaluation; no source yet."""
    data = load_wine()
    order = np.random.default_rng(0).permutation(len(data.data))
    rows, labels = data.data[order].astype(np.float32), data.target[order]
    np.savez(tmp_path / "evaluation.npz", x=rows[:EVALUATED], y=labels[:EVALUATED])
    np.savez(tmp_path / "train.npz", x=rows[EVALUATED:], y=labels[EVALUATED:])
    np.savez(tmp_path / "calibration.npz", x=rows[EVALUATED:])
    return Workshop(folder=tmp_path, cache=cache)


def rows_of(folder: Path, name: str) -> tuple[Any, Any]:
    with np.load(folder / name) as found:
        return found["x"], found["y"]


def source(workshop: Workshop, estimator: Any) -> Any:
    """`estimator`, fitted and saved as model.skops."""
    fitted = estimator.fit(*rows_of(workshop.folder, "train.npz"))
    skops.io.dump(fitted, workshop.folder / "model.skops")
    return fitted


def compressed(workshop: Workshop, *options: str) -> Ran:
    train = str(workshop.folder / "train.npz")
    return workshop.run("--train", train, *options, model="model.skops")


def test_a_forest_becomes_smaller_and_answers_as_well(wine: Workshop) -> None:
    fitted = source(wine, ensemble.RandomForestClassifier(30, random_state=0))
    rows, labels = rows_of(wine.folder, "evaluation.npz")
    budget = ("--objective", "bytes", "--max-drop", "0.05", "--methods", "prune")
    ran = compressed(wine, *budget)
    assert ran.code == 0, ran.err
    report = ran.json
    assert report["source"]["score"] == pytest.approx(fitted.score(rows, labels), abs=1e-6)
    chosen = report["chosen"]
    assert chosen["bytes"] < 0.6 * report["source"]["bytes"]
    opened = onnxruntime.InferenceSession(str(wine.folder / "out" / chosen["file"]))
    assert [value.name for value in opened.get_outputs()] == ["label", "probabilities"]
    (found,) = opened.run(["label"], {"x": rows})
    assert (found == labels).mean() == pytest.approx(chosen["score"], abs=1e-6)


def test_a_type_that_is_not_trusted_ends_with_the_flags_that_admit_it(wine: Workshop) -> None:
    source(wine, GaussianProcessClassifier())
    ran = compressed(wine)
    assert ran.code == 2
    error = ran.json["error"]
    assert error["reason"] == "UnsafeFormat"
    assert "sklearn.gaussian_process.kernels.ConstantKernel" in error["message"]
    assert "--trust-type sklearn.gaussian_process.kernels.RBF" in error["hint"]


def test_a_tree_that_would_read_foreign_memory_is_refused(wine: Workshop) -> None:
    fitted = source(wine, tree.DecisionTreeClassifier(random_state=0))
    state = fitted.tree_.__getstate__()
    nodes = state["nodes"].copy()
    nodes["left_child"][0] = 1_000_000_000
    hostile = type(fitted.tree_)(
        fitted.tree_.n_features, np.asarray(fitted.tree_.n_classes), fitted.tree_.n_outputs
    )
    hostile.__setstate__({**state, "nodes": nodes})
    fitted.tree_ = hostile
    skops.io.dump(fitted, wine.folder / "model.skops")
    ran = compressed(wine)
    assert ran.code == 2
    assert ran.json["error"]["reason"] == "LoadFailed"
    assert "point outside of it" in ran.json["error"]["message"]


def test_the_iris_example_prunes_by_coefficients(
    tmp_path: Path, cache: Path, repository: Path
) -> None:
    script = repository / "examples" / "iris" / "train.py"
    done = subprocess.run(
        [sys.executable, str(script), "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    readme = (repository / "examples" / "iris" / "README.md").read_text()
    assert done.stdout.splitlines()[-1] in readme
    iris = Workshop(folder=tmp_path, cache=cache)
    ran = compressed(iris, "--objective", "bytes")
    assert ran.code == 0, ran.err
    chosen = ran.json["chosen"]
    assert chosen["bytes"] < ran.json["source"]["bytes"]
    (notes,) = [one for one in chosen["notes"] if one["method"] == "select"]
    assert notes["importance"]["kind"] == "coefficient"
    assert notes["features_after"] < notes["features_before"] == 4
    assert {"before_retraining", "after_retraining"} <= set(notes["validation"])
