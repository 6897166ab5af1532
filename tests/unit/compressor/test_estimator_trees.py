"""Tree ensembles are read, followed, cut and written as the runtime understands them."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from sklearn import ensemble

from shoal.compressor.passes.estimators import branches, ordering
from shoal.compressor.passes.estimators.trim import Trim, Trimming
from shoal.compressor.passes.protocol import PassError
from shoal.compressor.rejections import Rejection
from shoal.compressor.sources.estimators import forest
from tests.unit.compressor import estimators

FITTED = {
    "forest-of-3": lambda x, y: ensemble.RandomForestClassifier(12, random_state=0).fit(x, y % 3),
    "forest-of-2": lambda x, y: ensemble.ExtraTreesClassifier(12, random_state=0).fit(x, y % 2),
    "boosting-of-3": lambda x, y: ensemble.GradientBoostingClassifier(n_estimators=12).fit(
        x, y % 3
    ),
    "histogram-of-2": lambda x, y: ensemble.HistGradientBoostingClassifier(max_iter=12).fit(
        x, y % 2
    ),
}
NUMBERS = {
    "forest": lambda x, y: ensemble.RandomForestRegressor(12, random_state=0).fit(x, y),
    "boosting": lambda x, y: ensemble.HistGradientBoostingRegressor(max_iter=12).fit(x, y),
}


def of_classes(name: str) -> tuple[onnx.ModelProto, estimators.Array, estimators.Array]:
    count = int(name[-1])
    rows, labels = estimators.classes(count, rows=300)
    return estimators.graph_of(FITTED[name](rows, labels)), rows, labels


def of_numbers(name: str) -> tuple[onnx.ModelProto, estimators.Array, estimators.Array]:
    rows, wanted = estimators.numbers(rows=300)
    return estimators.graph_of(NUMBERS[name](rows, wanted)), rows, wanted


def only(model: onnx.ModelProto) -> onnx.NodeProto:
    (node,) = (one for one in model.graph.node if one.op_type in forest.OPERATORS)
    return node


def nodes(model: onnx.ModelProto) -> int:
    return forest.read(only(model)).size


@pytest.mark.parametrize("name", FITTED)
def test_reading_and_writing_again_changes_no_bit_of_an_answer(name: str) -> None:
    model, rows, _ = of_classes(name)
    again = onnx.ModelProto()
    again.CopyFrom(model)
    only(again).CopyFrom(forest.rewritten(only(model), forest.read(only(model))))
    ours, theirs = estimators.answers(again, rows), estimators.answers(model, rows)
    assert all(np.array_equal(ours[one], theirs[one]) for one in theirs)


def test_rows_go_down_every_kind_of_branch() -> None:
    lists: dict[str, Any] = {
        "nodes_treeids": [0] * 3,
        "nodes_nodeids": [4, 9, 7],
        "nodes_featureids": [1, 0, 0],
        "nodes_values": [0.5, 0.0, 0.0],
        "nodes_truenodeids": [9, 0, 0],
        "nodes_falsenodeids": [7, 0, 0],
        "nodes_missing_value_tracks_true": [1, 0, 0],
        "target_treeids": [0, 0],
        "target_nodeids": [9, 7],
        "target_ids": [0, 0],
        "target_weights": [1.0, 2.0],
    }
    rows = np.array([[9, 0.25], [9, 0.5], [9, 0.75], [9, np.nan]], np.float32)
    yes = {
        "BRANCH_LEQ": [1, 1, 2, 1],
        "BRANCH_LT": [1, 2, 2, 1],
        "BRANCH_GTE": [2, 1, 1, 1],
        "BRANCH_GT": [2, 2, 1, 1],
        "BRANCH_EQ": [2, 1, 2, 1],
    }
    for mode, wanted in yes.items():
        node = helper.make_node(
            "TreeEnsembleRegressor",
            ["x"],
            ["y"],
            domain="ai.onnx.ml",
            nodes_modes=[mode, "LEAF", "LEAF"],
            **lists,
        )
        (tree,) = forest.read(node).trees
        assert tree.values[tree.leaf_of(rows), 0].tolist() == wanted


def test_two_branches_that_meet_are_no_tree() -> None:
    model, _, _ = of_numbers("boosting")
    node = only(model)
    for attribute in node.attribute:
        if attribute.name == "nodes_truenodeids":
            falses = next(one for one in node.attribute if one.name == "nodes_falsenodeids")
            attribute.ints[0] = falses.ints[0]
    with pytest.raises(forest.ForestError):
        forest.read(node)


def test_the_worked_example_of_cutting_branches() -> None:
    tree = forest.Tree(
        mode=np.array([forest.LEQ, forest.LEAF, forest.LEAF]),
        feature=np.zeros(3, np.int64),
        threshold=np.zeros(3, np.float32),
        yes=np.array([1, 0, 0]),
        no=np.array([2, 0, 0]),
        missing_yes=np.zeros(3, np.bool_),
        values=np.array([[0.0], [0.0], [1.0]]),
    )
    whole = forest.Forest(trees=(tree,), targets=(0,))
    taught, untaught, cuts = branches.prune(whole, [np.array([1, 1, 1, 2])], 1)
    assert [(cut.node, cut.alpha, cut.leaves) for cut in cuts] == [(0, 0.75, 2)]
    assert (taught.trees[0].values[0, 0], untaught.trees[0].values[0, 0]) == (0.25, 0.5)


def test_the_worked_example_of_ordering_trees() -> None:
    given = np.array([[[0.0]], [[4.0]], [[1.0]]])
    order, errors = ordering.greedy(given, np.array([[2.0]]), 2)
    assert (order, errors) == ([2, 1], [1.0, 0.25])


def test_the_worked_example_of_fitting_what_is_kept() -> None:
    factor, shift = ordering.fitted(np.array([[1.0], [2], [3]]), np.array([[3.0], [5], [7]]))
    assert (factor.tolist(), shift.tolist()) == ([2.0], [1.0])


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("name", FITTED)
def test_less_is_kept_and_answers_stay_close(name: str, labelled: bool) -> None:  # noqa: FBT001 - pytest's parameter
    model, rows, labels = of_classes(name)
    whole = Trimming.TREES if name.startswith("forest") else Trimming.STAGES
    context = estimators.a_context(model, rows, labels if labelled else None)
    theirs = estimators.answers(model, rows)["label"]
    for what in (Trimming.BRANCHES, whole):
        result = Trim(what=what, keep=0.5).apply(model, context)
        assert isinstance(result.model, onnx.ModelProto)
        assert nodes(result.model) <= 0.62 * nodes(model)
        assert (estimators.answers(result.model, rows)["label"] == theirs).mean() > 0.9
        notes = result.notes
        assert notes["weights_removed"] == nodes(model) - nodes(result.model)
        assert notes["validation"]["metric"] == ("top1" if labelled else "agreement")
        assert notes["importance"]["values"]
        assert notes["threshold"] >= 0


@pytest.mark.parametrize(
    ("name", "whole"), [("forest", Trimming.TREES), ("boosting", Trimming.STAGES)]
)
def test_regressors_are_trimmed_too(name: str, whole: Trimming) -> None:
    model, rows, wanted = of_numbers(name)
    context = estimators.a_context(model, rows, wanted)
    theirs = estimators.answers(model, rows)["prediction"][:, 0]
    for what in (Trimming.BRANCHES, whole):
        result = Trim(what=what, keep=0.5).apply(model, context)
        assert isinstance(result.model, onnx.ModelProto)
        ours = estimators.answers(result.model, rows)["prediction"][:, 0]
        assert np.corrcoef(ours, theirs)[0, 1] > 0.95
        assert nodes(result.model) <= 0.62 * nodes(model)
        assert result.notes["validation"]["metric"] == "r2"


def test_boosting_left_early_is_set_right_by_its_scale() -> None:
    model, rows, wanted = of_numbers("boosting")
    context = estimators.a_context(model, rows, wanted)
    figures = Trim(what=Trimming.STAGES, keep=0.25).apply(model, context).notes["validation"]
    assert figures["after_retraining"] > figures["before_retraining"] + 0.1


def test_zeros_go_without_a_trace_in_the_answers() -> None:
    model, rows, labels = of_classes("forest-of-3")
    node = only(model)
    padded = onnx.ModelProto()
    padded.CopyFrom(model)
    lists: dict[str, Any] = {one.name: one for one in only(padded).attribute}
    leaf = lists["class_nodeids"].ints[0]
    for _ in range(node.ByteSize() // 50):
        lists["class_treeids"].ints.append(0)
        lists["class_nodeids"].ints.append(leaf)
        lists["class_ids"].ints.append(0)
        lists["class_weights"].floats.append(0.0)
    context = estimators.a_context(padded, rows, labels)
    result = Trim(what=Trimming.ZEROS).apply(padded, context)
    assert isinstance(result.model, onnx.ModelProto)
    assert only(result.model) == node
    with pytest.raises(PassError, match="nothing that could be left out"):
        Trim(what=Trimming.ZEROS).apply(model, context)
    theirs = estimators.answers(padded, rows)
    ours = estimators.answers(result.model, rows)
    assert all(np.array_equal(ours[one], theirs[one]) for one in theirs)


@pytest.mark.parametrize(
    ("name", "what", "words"),
    [
        ("forest-of-3", Trimming.STAGES, "no stages"),
        ("boosting-of-3", Trimming.TREES, "do not average"),
        ("histogram-of-2", Trimming.TREES, "do not average"),
        ("forest-of-2", Trimming.STAGES, "no stages"),
    ],
)
def test_what_does_not_suit_an_ensemble_is_refused(name: str, what: Trimming, words: str) -> None:
    model, rows, labels = of_classes(name)
    with pytest.raises(PassError, match=words):
        Trim(what=what).apply(model, estimators.a_context(model, rows, labels))


def test_a_graph_without_trees_is_refused() -> None:
    from sklearn.linear_model import LogisticRegression

    rows, labels = estimators.classes(2)
    model = estimators.graph_of(LogisticRegression().fit(rows, labels))
    with pytest.raises(PassError, match="no tree ensemble") as caught:
        Trim().apply(model, estimators.a_context(model, rows, labels))
    assert caught.value.reason is Rejection.UNSUPPORTED_OPERATOR


def test_trimming_is_the_same_each_time_and_leaves_the_model_alone() -> None:
    model, rows, labels = of_classes("forest-of-3")
    before = model.SerializeToString()
    context = estimators.a_context(model, rows, labels)
    for what in (Trimming.BRANCHES, Trimming.TREES):
        once, twice = (Trim(what=what, keep=0.4).apply(model, context).model for _ in range(2))
        assert isinstance(once, onnx.ModelProto)
        assert isinstance(twice, onnx.ModelProto)
        assert once.SerializeToString() == twice.SerializeToString()
    assert model.SerializeToString() == before
