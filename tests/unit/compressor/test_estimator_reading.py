"""An estimator's file is refused by name, or read and found within its own bounds."""

import importlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn import ensemble, linear_model, neighbors, neural_network, preprocessing, svm, tree
from sklearn.gaussian_process import GaussianProcessRegressor, kernels
from sklearn.pipeline import make_pipeline

from shoal.compressor.sources.estimators import reading, trusted
from shoal.compressor.sources.origin import Origin, OriginFormat
from shoal.contract.problem import InvalidError
from shoal.contract.reason import Reason
from tests.unit.compressor import estimators

OUTSIDE = 1_000_000


def read(estimator: Any, folder: Path, *names: str) -> Any:
    return reading.read(estimators.saved(estimator, folder / "model.skops", *names))


def refusal(estimator: Any, folder: Path) -> Any:
    with pytest.raises(InvalidError) as caught:
        read(estimator, folder)
    return caught.value.problem


def a_process() -> Any:
    rows, wanted = estimators.numbers(rows=20)
    return GaussianProcessRegressor(kernels.RBF()).fit(rows, wanted)


@pytest.mark.parametrize("name", sorted(trusted.TYPES))
def test_every_trusted_type_exists(name: str) -> None:
    module, _, attribute = name.rpartition(".")
    assert getattr(importlib.import_module(module), attribute) is not None


def test_other_types_are_refused_by_name_with_the_flags_that_admit_them(tmp_path: Path) -> None:
    problem = refusal(a_process(), tmp_path)
    assert problem.reason == Reason.UNSAFE_FORMAT
    assert "'sklearn.gaussian_process.kernels.RBF'" in problem.message
    assert "--trust-type sklearn.gaussian_process.kernels.RBF" in problem.hint


def test_a_type_that_the_user_trusts_is_read(tmp_path: Path) -> None:
    found = read(a_process(), tmp_path, "sklearn.gaussian_process.kernels.RBF")
    assert isinstance(found, GaussianProcessRegressor)


def test_a_pickle_is_read_only_where_the_user_said_so(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    rows, labels = estimators.classes(2)
    path.write_bytes(pickle.dumps(linear_model.LogisticRegression().fit(rows, labels)))
    origin = Origin(format=OriginFormat.PICKLE, location=str(path))
    with pytest.raises(InvalidError, match="would run whatever code it carries") as caught:
        reading.read(origin)
    assert "--trust-pickle" in (caught.value.problem.hint or "")
    trusting = Origin(format=OriginFormat.PICKLE, location=str(path), trust_pickle=True)
    assert isinstance(reading.read(trusting), linear_model.LogisticRegression)


def test_a_truncated_file_says_so(tmp_path: Path) -> None:
    origin = estimators.saved(preprocessing.StandardScaler(), tmp_path / "model.skops")
    path = Path(origin.location)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InvalidError, match="only the beginning of one") as caught:
        reading.read(origin)
    assert caught.value.problem.reason == Reason.TRUNCATED_MODEL


def test_a_file_of_another_version_names_the_version_that_is_here(tmp_path: Path) -> None:
    import zipfile

    import sklearn

    path = tmp_path / "model.skops"
    rows, labels = estimators.classes(2)
    fitted = linear_model.LogisticRegression().fit(rows, labels)
    skops.io.dump(fitted, path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    schema = members["schema.json"].replace(b'"LogisticRegression"', b'"OldRegression"')
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {**members, "schema.json": schema}.items():
            archive.writestr(name, data)
    with pytest.raises(InvalidError) as caught:
        reading.read(Origin(format=OriginFormat.SKOPS, location=str(path)))
    problem = caught.value.problem
    assert "OldRegression" in problem.message or sklearn.__version__ in problem.message


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        ([1, 2], "a list, which is no scikit-learn estimator"),
        (linear_model.LogisticRegression(), "a LogisticRegression that was never fitted"),
    ],
)
def test_what_cannot_answer_is_refused(thing: Any, words: str, tmp_path: Path) -> None:
    problem = refusal(thing, tmp_path)
    assert words in problem.message
    assert problem.hint


def moved(fitted: Any, field: str, value: int) -> Any:
    """The estimator with one number of its first tree's root changed."""
    state = fitted.tree_.__getstate__()
    nodes = state["nodes"].copy()
    nodes[field][0] = value
    other = type(fitted.tree_)(
        fitted.tree_.n_features, np.asarray(fitted.tree_.n_classes), fitted.tree_.n_outputs
    )
    other.__setstate__({**state, "nodes": nodes})
    fitted.tree_ = other
    return fitted


@pytest.mark.parametrize(
    ("field", "value"),
    [("left_child", OUTSIDE), ("right_child", 0), ("feature", OUTSIDE), ("feature", -7)],
)
def test_a_tree_that_points_outside_of_itself_or_in_circles_is_refused(
    field: str, value: int, tmp_path: Path
) -> None:
    rows, labels = estimators.classes(2)
    fitted = tree.DecisionTreeClassifier(random_state=0).fit(rows, labels)
    problem = refusal(moved(fitted, field, value), tmp_path)
    assert problem.reason == Reason.LOAD_FAILED
    assert "point outside of it" in problem.message


def test_so_is_one_inside_a_forest_inside_a_pipeline(tmp_path: Path) -> None:
    rows, labels = estimators.classes(2)
    fitted = make_pipeline(
        preprocessing.StandardScaler(), ensemble.RandomForestClassifier(3, random_state=0)
    ).fit(rows, labels)
    moved(fitted[-1].estimators_[1], "left_child", OUTSIDE)
    assert "point outside" in refusal(fitted, tmp_path).message


def test_a_forest_of_other_width_than_its_trees_is_refused(tmp_path: Path) -> None:
    rows, labels = estimators.classes(2)
    fitted = ensemble.RandomForestClassifier(3, random_state=0).fit(rows, labels)
    fitted.n_features_in_ = 2
    assert "a RandomForestClassifier whose parts" in refusal(fitted, tmp_path).message


@pytest.mark.parametrize(("field", "value"), [("left", OUTSIDE), ("feature_idx", OUTSIDE)])
def test_histogram_boosting_is_looked_at_too(field: str, value: int, tmp_path: Path) -> None:
    rows, labels = estimators.classes(2)
    fitted = ensemble.HistGradientBoostingClassifier(max_iter=2).fit(rows, labels)
    fitted._predictors[0][0].nodes[field][0] = value
    assert "point outside" in refusal(fitted, tmp_path).message


def test_boosting_with_more_trees_a_stage_than_scores_is_refused(tmp_path: Path) -> None:
    rows, labels = estimators.classes(2)
    fitted = ensemble.GradientBoostingClassifier(n_estimators=4).fit(rows, labels)
    fitted.estimators_ = fitted.estimators_.reshape(1, 4)
    assert "a GradientBoostingClassifier whose parts" in refusal(fitted, tmp_path).message


def test_support_vectors_that_do_not_add_up_are_refused(tmp_path: Path) -> None:
    rows, labels = estimators.classes(3)
    fitted = svm.SVC().fit(rows, labels)
    fitted._n_support = fitted._n_support * 50
    assert "an SVC" in refusal(fitted, tmp_path).message.replace("a SVC", "an SVC")


def test_neighbours_are_searched_without_the_tree_that_came_with_the_file(tmp_path: Path) -> None:
    rows, labels = estimators.classes(2)
    fitted = neighbors.KNeighborsClassifier().fit(rows, labels)
    found = read(fitted, tmp_path)
    assert found._tree is None
    np.testing.assert_array_equal(found.predict(rows), fitted.predict(rows))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "estimator",
    [
        ensemble.RandomForestClassifier(3),
        ensemble.ExtraTreesClassifier(3),
        ensemble.GradientBoostingClassifier(n_estimators=3),
        ensemble.HistGradientBoostingClassifier(max_iter=3),
        ensemble.BaggingClassifier(n_estimators=3),
        ensemble.AdaBoostClassifier(n_estimators=3),
        neural_network.MLPClassifier(max_iter=3),
        svm.SVC(),
        svm.NuSVC(),
    ],
    ids=lambda one: type(one).__name__,
)
@pytest.mark.parametrize("count", [2, 3])
def test_what_is_true_passes_every_check(estimator: Any, count: int, tmp_path: Path) -> None:
    rows, labels = estimators.classes(count)
    fitted = estimator.fit(rows, labels)
    np.testing.assert_array_equal(read(fitted, tmp_path).predict(rows), fitted.predict(rows))
