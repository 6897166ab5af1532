"""Selection keeps what counts, a small net learns what trees say, and the plan asks for both."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from sklearn import ensemble, linear_model, svm
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from shoal.compressor.evaluate.environment import Machine
from shoal.compressor.passes.estimators import importance, munging
from shoal.compressor.passes.estimators.select import Select
from shoal.compressor.passes.estimators.student import DistillTable
from shoal.compressor.passes.estimators.trim import Trim, Trimming
from shoal.compressor.passes.protocol import Effort, Pass, PassContext, PassError, PassResult
from shoal.compressor.recipe import Recipe
from shoal.compressor.rejections import Rejection
from shoal.compressor.search import trimming
from shoal.compressor.search.plan import Situation
from shoal.compressor.sources.origin import OriginFormat
from tests.unit.compressor import estimators

COUNTING = [0, 2]
QUICK = DistillTable(widths=(32,), steps=500, invented_share=2.0, learning_rate=1e-2)


def rows_where_two_features_count(count: int = 240) -> tuple[estimators.Array, estimators.Array]:
    rows = np.random.default_rng(4).normal(size=(count, estimators.FEATURES)).astype(np.float32)
    rows[:, 5] *= 1_000  # large, and says nothing
    return rows, (rows[:, 0] + 2 * rows[:, 2] > 0).astype(int)


def applied(
    one: Pass, source: onnx.ModelProto, context: PassContext
) -> tuple[onnx.ModelProto, Any]:
    result = one.apply(source, context)
    assert isinstance(result, PassResult)
    json.dumps(result.notes)
    onnx.checker.check_model(result.model)
    assert list(result.model.graph.input) == list(source.graph.input)
    ours, theirs = list(result.model.graph.output), list(source.graph.output)
    assert [value.name for value in ours] == [value.name for value in theirs]
    return result.model, result.notes


FITTED = {
    "coefficient": lambda: make_pipeline(StandardScaler(), linear_model.LogisticRegression()),
    "impurity": lambda: ensemble.RandomForestClassifier(20, random_state=0),
    "gain": lambda: ensemble.HistGradientBoostingClassifier(max_iter=20),
    "permutation": lambda: make_pipeline(PCA(), linear_model.LogisticRegression(max_iter=1_000)),
}


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("kind", FITTED)
def test_features_that_count_are_kept_and_the_others_go(
    kind: str,
    labelled: bool,  # noqa: FBT001 - pytest's parameter
    tmp_path: Path,
) -> None:
    rows, labels = rows_where_two_features_count()
    fitted = FITTED[kind]().fit(rows, labels)
    source = estimators.graph_of(fitted)
    origin = estimators.saved(fitted, tmp_path / "model.skops")
    context = estimators.a_context(source, rows, labels if labelled else None, origin)
    model, notes = applied(Select(keep=0.8), source, context)
    assert notes["importance"]["kind"] == kind
    kept = [one["feature"] for one in notes["importance"]["features"] if one["kept"]]
    assert set(COUNTING) <= set(kept)
    assert notes["features_after"] == len(kept) < estimators.FEATURES
    assert notes["validation"]["metric"] == ("top1" if labelled else "agreement")
    assert notes["validation"]["after_retraining"] > 0.9
    gone = rows.copy()
    gone[:, [one for one in range(estimators.FEATURES) if one not in kept]] = 77.0
    ours, blind = estimators.answers(model, rows), estimators.answers(model, gone)
    assert all(np.array_equal(ours[name], blind[name]) for name in ours)
    assert (ours["label"] == labels).mean() > 0.9


def test_units_do_not_matter_to_coefficients() -> None:
    rows, labels = rows_where_two_features_count()
    fitted = linear_model.LogisticRegression(max_iter=5_000).fit(rows, labels)
    plain = importance.of(fitted, rows, seed=0)
    scaled = rows * np.array([100, 1, 0.01, 1, 1, 1e-4], np.float32)
    other = linear_model.LogisticRegression(max_iter=5_000, C=1e6).fit(scaled, labels)
    found = importance.of(other, scaled, seed=0)
    assert sorted(np.argsort(-plain.values)[:2].tolist()) == COUNTING
    assert sorted(np.argsort(-found.values)[:2].tolist()) == COUNTING


def test_the_worked_example_of_keeping_a_share() -> None:
    one = importance.Importance(kind=importance.Kind.COEFFICIENT, values=np.array([0.1, 0.6, 0.3]))
    assert importance.kept(one, 0.85).tolist() == [1, 2]
    assert importance.kept(one, 1.0).tolist() == [0, 1, 2]


@pytest.mark.parametrize("words", [True, False])
def test_a_scaler_before_a_linear_model_becomes_part_of_it(words: bool, tmp_path: Path) -> None:  # noqa: FBT001
    rows, labels = rows_where_two_features_count()
    named = np.array(["no", "yes"])[labels] if words else labels
    fitted = FITTED["coefficient"]().fit(rows, named)
    source = estimators.graph_of(fitted)
    origin = estimators.saved(fitted, tmp_path / "model.skops")
    context = estimators.a_context(source, rows, labels, origin)
    model, notes = applied(Select(keep=0.9), source, context)
    assert [node.op_type for node in model.graph.node][:2] == ["Gather", "Gemm"]
    kept = [one["feature"] for one in notes["importance"]["features"] if one["kept"]]
    again = FITTED["coefficient"]().fit(rows[:, sorted(kept)], labels)
    wanted = again.predict_proba(rows[:, sorted(kept)])
    found = estimators.answers(model, rows)
    np.testing.assert_allclose(found["probabilities"], wanted, atol=1e-5)
    np.testing.assert_array_equal(found["label"], again.predict(rows[:, sorted(kept)]))


def test_the_worked_example_of_folding() -> None:
    from onnx import helper

    from shoal.compressor.passes.estimators import folding
    from tests.unit.compressor.networks import a_graph

    steps = [("Sub", "x", "m", "a"), ("Mul", "a", "s", "b"), ("MatMul", "b", "w", "c")]
    nodes = [helper.make_node(kind, [first, second], [to]) for kind, first, second, to in steps]
    nodes.append(helper.make_node("Add", ["c", "d"], ["y"]))
    numbers = {"m": [2.0], "s": [3.0], "w": [[5.0]], "d": [7.0]}
    constants = {name: np.array(value, np.float32) for name, value in numbers.items()}
    model = a_graph(nodes, constants, shape=(1,))
    folding.fold(model, "x")
    assert [node.op_type for node in model.graph.node] == ["Gemm"]
    weight, bias = (onnx.numpy_helper.to_array(one) for one in model.graph.initializer)
    assert (weight.tolist(), bias.tolist()) == ([[15.0]], [-23.0])


def test_selection_needs_the_estimator_itself() -> None:
    rows, labels = rows_where_two_features_count()
    source = estimators.graph_of(linear_model.LogisticRegression().fit(rows, labels))
    with pytest.raises(PassError, match="no scikit-learn estimator") as caught:
        Select().apply(source, estimators.a_context(source, rows, labels))
    assert caught.value.reason is Rejection.UNSUPPORTED_OPERATOR


def test_a_class_without_rows_is_told(tmp_path: Path) -> None:
    rows, labels = estimators.classes(3)
    fitted = FITTED["coefficient"]().fit(rows, labels)
    source = estimators.graph_of(fitted)
    origin = estimators.saved(fitted, tmp_path / "model.skops")
    two = labels < 2
    context = estimators.a_context(source, rows[two], labels[two], origin)
    with pytest.raises(PassError, match="fitted again it answers"):
        Select(keep=0.5).apply(source, context)


TAUGHT = {
    "forest": lambda: ensemble.RandomForestClassifier(20, random_state=0),
    "boosting": lambda: ensemble.HistGradientBoostingClassifier(max_iter=20),
    "vectors": lambda: make_pipeline(StandardScaler(), svm.SVC()),
}


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("name", TAUGHT)
def test_a_net_learns_the_answers_of_what_it_cannot_read(name: str, count: int) -> None:
    rows, labels = estimators.classes(count, rows=300)
    numbers = np.array([5, 9, 2])[labels]
    source = estimators.graph_of(TAUGHT[name]().fit(rows, numbers))
    model, notes = applied(QUICK, source, estimators.a_context(source, rows, None))
    assert {node.domain for node in model.graph.node} == {""}
    ours, theirs = estimators.answers(model, rows), estimators.answers(source, rows)
    assert {one: found.shape for one, found in ours.items()} == {
        one: found.shape for one, found in theirs.items()
    }
    assert (ours["label"] == theirs["label"]).mean() > 0.85
    assert notes["validation"]["after_training"] > notes["validation"]["before_training"]
    assert notes["rows"] == {"real": 270, "invented": 540}


def test_a_net_learns_numbers_in_their_own_scale() -> None:
    rows, wanted = estimators.numbers(rows=300)
    fitted = ensemble.RandomForestRegressor(20, random_state=0).fit(rows, wanted * 1_000)
    source = estimators.graph_of(fitted)
    model, _ = applied(QUICK, source, estimators.a_context(source, rows, None))
    ours, theirs = (estimators.answers(one, rows)["prediction"][:, 0] for one in (model, source))
    assert np.corrcoef(ours, theirs)[0, 1] > 0.9
    assert abs(ours.mean() / theirs.mean() - 1) < 0.05


def test_the_same_seed_teaches_the_same_net() -> None:
    rows, labels = estimators.classes(2)
    source = estimators.graph_of(ensemble.RandomForestClassifier(5).fit(rows, labels))
    context = estimators.a_context(source, rows, labels)
    short = DistillTable(widths=(8,), steps=20)
    once, twice = (applied(short, source, context)[0] for _ in range(2))
    assert once.SerializeToString() == twice.SerializeToString()


def test_a_model_of_images_is_no_table() -> None:
    from tests.unit.compressor.networks import a_graph, node

    graph = a_graph([node("Relu")], {})
    with pytest.raises(PassError, match="one float32 matrix"):
        QUICK.apply(graph, estimators.a_context(graph, np.zeros((20, 4, 6, 6), "f"), None))


def test_invented_rows_look_like_the_real_ones() -> None:
    generator = np.random.default_rng(0)
    real = generator.normal(size=(200, 3)).astype(np.float32)
    real[:, 2] = generator.integers(0, 3, 200)
    made = munging.munge(real, 500, 0.5, np.random.default_rng(1))
    assert made.shape == (500, 3)
    assert set(np.unique(made[:, 2])) <= {0.0, 1.0, 2.0}
    assert np.abs(made.mean(axis=0) - real.mean(axis=0)).max() < 0.25
    assert munging.munge(real[:1], 4, 0.5, generator).tolist() == [real[0].tolist()] * 4


def facts(**changes: Any) -> trimming.Facts:
    values: dict[str, Any] = {
        "estimator": True,
        "features": 30,
        "trees": 100,
        "nodes": 9_000,
        "boosted": False,
        "foreign": True,
        "bytes": 500_000,
    }
    return trimming.Facts(**{**values, **changes})


def situation(effort: Effort) -> Situation:
    machine = Machine(cpu="a", arch="x86_64", isa=("avx2",), versions=())
    return Situation(machine=machine, effort=effort, classifies=True)


def kinds(planned: tuple[Pass, ...]) -> set[str]:
    return {f"{one.method} {getattr(one, 'what', '')}".strip() for one in planned}


@pytest.mark.parametrize("effort", Effort)
def test_the_plan_follows_the_facts(effort: Effort) -> None:
    forest = trimming.passes(facts(), situation(effort))
    again = {"select"} if effort is not Effort.QUICK else set()  # a second fit of many trees
    assert kinds(forest) == {"trim zeros", "trim trees", "trim branches", "distill", *again}
    assert kinds(trimming.passes(facts(boosted=True, estimator=False), situation(effort))) == {
        *("trim zeros", "trim stages", "trim branches", "distill")
    }
    linear = facts(trees=0, nodes=0, foreign=False, bytes=600)
    assert kinds(trimming.passes(linear, situation(effort))) == {"select"}
    assert trimming.passes(facts(features=0), situation(effort)) == ()
    assert "trim branches" not in kinds(trimming.passes(facts(nodes=5_000_000), situation(effort)))
    for one in forest:
        assert Recipe((one,)).canonical


@pytest.mark.parametrize(
    ("estimator", "trees", "boosted"),
    [
        (ensemble.RandomForestClassifier(7, random_state=0), 7, False),
        (ensemble.GradientBoostingClassifier(n_estimators=4), 12, True),
        (linear_model.LogisticRegression(), 0, False),
    ],
    ids=lambda one: type(one).__name__,
)
def test_facts_are_read_from_a_graph(estimator: Any, trees: int, boosted: bool) -> None:  # noqa: FBT001
    rows, labels = estimators.classes(3)
    model = estimators.graph_of(estimator.fit(rows, labels))
    found = trimming.read(model, OriginFormat.SKOPS)
    assert (found.features, found.trees, found.boosted) == (estimators.FEATURES, trees, boosted)
    assert found.estimator
    assert found.foreign == (trees > 0)
    assert not trimming.read(model, OriginFormat.ONNX).estimator


def test_titles_name_what_differs() -> None:
    trimmed = Recipe((Trim(what=Trimming.TREES, keep=0.3),)).title
    assert trimmed == "trim(what=trees, keep=0.3)"
    assert Recipe((Select(),)).title == "select(keep=0.95)"
