"""Every estimator of the tested list answers as ONNX what it answers in scikit-learn."""

from typing import Any

import numpy as np
import onnx
import pytest
from sklearn import ensemble, linear_model, naive_bayes, neighbors, neural_network, svm, tree
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, PolynomialFeatures, RobustScaler, StandardScaler

from shoal.compressor.sources.estimators import boosting, forest, open_origin
from shoal.compressor.sources.estimators.converter import EstimatorConverter
from shoal.contract.problem import InvalidError
from tests.unit.compressor import estimators

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
TOLERANCE = 1e-5


def scaled(last: Any) -> Any:
    return make_pipeline(StandardScaler(), last)


def columns() -> Any:
    return ColumnTransformer([("a", StandardScaler(), [0, 2]), ("b", MinMaxScaler(), [1, 5])])


CLASSIFIERS = {
    "logistic": linear_model.LogisticRegression,
    "scaled-logistic": lambda: scaled(linear_model.LogisticRegression()),
    "robust-logistic": lambda: make_pipeline(
        SimpleImputer(), RobustScaler(), linear_model.LogisticRegression()
    ),
    "columns-logistic": lambda: make_pipeline(columns(), linear_model.LogisticRegression()),
    "kbest-logistic": lambda: make_pipeline(SelectKBest(k=3), linear_model.LogisticRegression()),
    "pca-logistic": lambda: make_pipeline(PCA(3), linear_model.LogisticRegression()),
    "ridge": linear_model.RidgeClassifier,
    "sgd": lambda: scaled(linear_model.SGDClassifier(loss="log_loss", random_state=0)),
    "perceptron": linear_model.Perceptron,
    "linear-svc": lambda: scaled(svm.LinearSVC()),
    "svc": lambda: scaled(svm.SVC()),
    "svc-linear": lambda: scaled(svm.SVC(kernel="linear")),
    "mlp": lambda: scaled(neural_network.MLPClassifier(hidden_layer_sizes=(8,), max_iter=20)),
    "tree": lambda: tree.DecisionTreeClassifier(random_state=0),
    "forest": lambda: ensemble.RandomForestClassifier(10, random_state=0),
    "extra-forest": lambda: ensemble.ExtraTreesClassifier(10, random_state=0),
    "boosting": lambda: ensemble.GradientBoostingClassifier(n_estimators=8),
    "boosting-from-zero": lambda: ensemble.GradientBoostingClassifier(n_estimators=8, init="zero"),
    "histogram-boosting": lambda: ensemble.HistGradientBoostingClassifier(max_iter=8),
    "scaled-histogram-boosting": lambda: scaled(
        ensemble.HistGradientBoostingClassifier(max_iter=8)
    ),
    "neighbours": neighbors.KNeighborsClassifier,
    "bayes": naive_bayes.GaussianNB,
    "ada": lambda: ensemble.AdaBoostClassifier(n_estimators=4, random_state=0),
    "bagging": lambda: ensemble.BaggingClassifier(n_estimators=3, random_state=0),
    "voting": lambda: ensemble.VotingClassifier(
        [
            ("a", linear_model.LogisticRegression()),
            ("b", ensemble.HistGradientBoostingClassifier(max_iter=3)),
        ],
        voting="soft",
    ),
    "calibrated": lambda: CalibratedClassifierCV(svm.LinearSVC(), cv=2),
}
REGRESSORS = {
    "linear": linear_model.LinearRegression,
    "ridge": lambda: scaled(linear_model.Ridge()),
    "elastic": linear_model.ElasticNet,
    "polynomial": lambda: make_pipeline(PolynomialFeatures(2), linear_model.Ridge()),
    "svr": lambda: scaled(svm.SVR()),
    "mlp": lambda: scaled(neural_network.MLPRegressor(hidden_layer_sizes=(8,), max_iter=20)),
    "tree": lambda: tree.DecisionTreeRegressor(random_state=0),
    "forest": lambda: ensemble.RandomForestRegressor(10, random_state=0),
    "extra-forest": lambda: ensemble.ExtraTreesRegressor(10, random_state=0),
    "boosting": lambda: ensemble.GradientBoostingRegressor(n_estimators=8),
    "histogram-boosting": lambda: ensemble.HistGradientBoostingRegressor(max_iter=8),
    "histogram-boosting-poisson": lambda: ensemble.HistGradientBoostingRegressor(
        max_iter=8, loss="poisson"
    ),
    "neighbours": neighbors.KNeighborsRegressor,
    "ada": lambda: ensemble.AdaBoostRegressor(n_estimators=3, random_state=0),
}


def check(estimator: Any, rows: estimators.Array) -> onnx.ModelProto:
    """The graph of a fitted estimator, alike row by row and in a batch."""
    converter = EstimatorConverter(estimator)
    model = converter.convert()
    onnx.checker.check_model(model)
    for part in (rows, rows[:1]):
        theirs, ours = converter.answers({"x": part}), estimators.answers(model, part)
        assert list(theirs) == list(ours)
        for name, found in ours.items():
            assert found.shape == theirs[name].shape
            assert found.dtype == theirs[name].dtype
            largest = max(1.0, float(np.abs(theirs[name]).max()))
            np.testing.assert_allclose(found, theirs[name], atol=TOLERANCE * largest)
    return model


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize(("count", "seed"), [(2, 0), (3, 1)])
def test_classifiers(name: str, count: int, seed: int) -> None:
    rows, labels = estimators.classes(count, seed)
    model = check(CLASSIFIERS[name]().fit(rows[:120], labels[:120]), rows)
    assert model.graph.output[0].name == "label"
    assert model.graph.output[1].name in {"probabilities", "scores"}


@pytest.mark.parametrize("name", REGRESSORS)
@pytest.mark.parametrize("seed", [0, 1])
def test_regressors(name: str, seed: int) -> None:
    rows, wanted = estimators.numbers(seed)
    model = check(REGRESSORS[name]().fit(rows[:120], wanted[:120]), rows)
    assert [value.name for value in model.graph.output] == ["prediction"]


def test_a_transformer_alone_gives_its_output() -> None:
    rows, _ = estimators.classes(2)
    model = check(make_pipeline(StandardScaler(), PCA(2)).fit(rows), rows)
    assert [value.name for value in model.graph.output] == ["output"]


@pytest.mark.parametrize("name", ["logistic", "mlp", "forest", "histogram-boosting", "svc"])
def test_words_become_their_place_among_the_sorted_classes(name: str) -> None:
    rows, labels = estimators.classes(3)
    words = np.array(["oak", "ash", "elm"])[labels]
    fitted = CLASSIFIERS[name]().fit(rows, words)
    model = check(fitted, rows)
    found = estimators.answers(model, rows)["label"]
    assert found.dtype == np.int64
    np.testing.assert_array_equal(np.array(["ash", "elm", "oak"])[found], fitted.predict(rows))


@pytest.mark.parametrize("name", ["logistic", "mlp", "forest", "histogram-boosting"])
def test_numbers_as_labels_stay_what_they_are(name: str) -> None:
    rows, labels = estimators.classes(3)
    check(CLASSIFIERS[name]().fit(rows, np.array([7, 3, 40])[labels]), rows)


@pytest.mark.parametrize("name", ["scaled-logistic", "columns-logistic", "kbest-logistic", "mlp"])
def test_dense_models_use_none_but_onnxs_own_operators(name: str) -> None:
    rows, labels = estimators.classes(3)
    model = check(CLASSIFIERS[name]().fit(rows, labels), rows)
    assert {node.domain for node in model.graph.node} == {""}


def test_thresholds_part_the_same_floats() -> None:
    """Worked example of `floor32`: 0.1 lies between two floats, and the lower one is taken."""
    lower = np.nextafter(np.float32(0.1), np.float32(0))
    assert boosting.floor32(np.array([0.1, 0.5, np.inf])).tolist() == [lower, 0.5, np.inf]
    rows, labels = estimators.classes(2, rows=400)
    fitted = ensemble.HistGradientBoostingClassifier(max_iter=10).fit(rows, labels)
    edges = np.concatenate([tree.threshold for tree in boosting.forest_of(fitted).trees])
    near = [np.nextafter(edges, np.float32(side * np.inf)) for side in (-1, 1)]
    around = np.concatenate([edges, *near])
    close = np.repeat(rows[:1], len(around), axis=0)
    for column in range(estimators.FEATURES):
        close[:, column] = around
        check(fitted, close)


@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler(), RobustScaler()])
def test_scaling_before_trees_moves_into_thresholds_exactly(scaler: Any) -> None:
    rows, labels = estimators.classes(2, rows=400)
    rows = rows * np.float32(1e-3) + np.float32(700)  # neighbours that scaling rounds together
    fitted = make_pipeline(scaler, ensemble.RandomForestClassifier(5, random_state=0))
    model = check(fitted.fit(rows, labels), rows)
    assert [node.op_type for node in model.graph.node] == ["TreeEnsembleClassifier"]
    edges = np.concatenate([one.threshold for one in forest.read(model.graph.node[0]).trees])
    close = np.repeat(rows[:1], len(edges), axis=0)
    for column in range(estimators.FEATURES):
        for side in (-1, 0, 1):
            close[:, column] = np.nextafter(edges, np.float32(side * np.inf)) if side else edges
            check(fitted, close)


@pytest.mark.parametrize("count", [2, 3])
def test_missing_values_go_where_histogram_boosting_sends_them(count: int) -> None:
    rows, labels = estimators.classes(count)
    rows[::3, 1] = np.nan
    rows[::7, 4] = np.nan
    check(ensemble.HistGradientBoostingClassifier(max_iter=8).fit(rows, labels), rows)


def test_splits_by_category_are_refused_by_name() -> None:
    rows, labels = estimators.classes(2)
    rows[:, 0] = np.arange(len(rows)) % 5
    labels = (rows[:, 0] % 2).astype(int)
    fitted = ensemble.HistGradientBoostingClassifier(max_iter=3, categorical_features=[0])
    with pytest.raises(InvalidError, match="categorical features cannot be written"):
        estimators.graph_of(fitted.fit(rows, labels))


def test_boosting_that_starts_from_another_estimator_is_refused_by_name() -> None:
    rows, labels = estimators.classes(2)
    start = linear_model.LogisticRegression()
    fitted = ensemble.GradientBoostingClassifier(n_estimators=2, init=start).fit(rows, labels)
    with pytest.raises(InvalidError, match="starts from a LogisticRegression"):
        estimators.graph_of(fitted)


def test_exponential_loss_keeps_its_own_probabilities() -> None:
    rows, labels = estimators.classes(2)
    check(
        ensemble.GradientBoostingClassifier(n_estimators=4, loss="exponential").fit(rows, labels),
        rows,
    )


def test_what_no_graph_can_say_is_refused_by_name() -> None:
    rows, _ = estimators.classes(2)
    from sklearn.cluster import DBSCAN

    with pytest.raises(InvalidError, match="a DBSCAN like this cannot be written") as caught:
        estimators.graph_of(DBSCAN().fit(rows))
    assert caught.value.problem.reason == "ConversionFailed"


def test_a_saved_pipeline_opens_as_a_converter(tmp_path: Any) -> None:
    rows, labels = estimators.classes(2)
    fitted = scaled(linear_model.LogisticRegression()).fit(rows, labels)
    converter = open_origin(estimators.saved(fitted, tmp_path / "model.skops"))
    ours = estimators.answers(converter.convert(), rows)
    np.testing.assert_array_equal(ours["label"], fitted.predict(rows))
