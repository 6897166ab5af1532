"""Writes gradient boosting as one TreeEnsemble node.

skl2onnx cannot write HistGradientBoosting, nor GradientBoosting of several classes with init=zero.

Thresholds are 64-bit numbers that scikit-learn compares 64-bit inputs with; the graph compares
32-bit ones. Each threshold becomes the greatest 32-bit number that is not above it, so that for
every 32-bit x the answer to `x <= threshold` is the same:

    t = 0.1            its nearest float32 is 0.100000001…, above t: x = that number would go right
    floor32(t)         0.09999999…, the float32 just below
"""

from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from shoal.compressor import errors
from shoal.compressor.sources.estimators.forest import (
    DOMAIN,
    LEAF,
    LEQ,
    Forest,
    Tree,
    lists_of,
)
from shoal.compressor.sources.estimators.regrowing import scaled
from shoal.contract.reason import Reason

_OPSET_ML: Final = 3


def register() -> None:
    """Makes skl2onnx write these estimators, alone or inside pipelines, with this module."""
    from skl2onnx import update_registered_converter  # noqa: PLC0415
    from skl2onnx.common import shape_calculator  # noqa: PLC0415
    from sklearn import ensemble  # noqa: PLC0415

    for classifier in (
        ensemble.HistGradientBoostingClassifier,
        ensemble.GradientBoostingClassifier,
    ):
        update_registered_converter(
            classifier,
            f"Shoal{classifier.__name__}",
            shape_calculator.calculate_linear_classifier_output_shapes,
            write_classifier,
            options={"zipmap": [True, False, "columns"], "nocl": [True, False]},
        )
    for regressor in (ensemble.HistGradientBoostingRegressor, ensemble.GradientBoostingRegressor):
        update_registered_converter(
            regressor,
            f"Shoal{regressor.__name__}",
            shape_calculator.calculate_linear_regressor_output_shapes,
            write_regressor,
        )


def floor32(threshold: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """The greatest float32 that is not above each number."""
    with np.errstate(over="ignore"):
        nearest = threshold.astype(np.float32)
    above = nearest.astype(np.float64) > threshold
    return np.where(above, np.nextafter(nearest, np.float32(-np.inf)), nearest)


def forest_of(estimator: Any) -> Forest:
    """The trees of a fitted boosting estimator, one target for each class.

    Raises:
        InvalidError: a split by category, which no 32-bit comparison says.
    """
    histogram = type(estimator).__name__.startswith("Hist")
    if histogram:
        stages = [
            [_of_nodes(one.nodes) for one in stage]
            for stage in estimator._predictors  # noqa: SLF001 - where scikit-learn keeps the trees
        ]
    else:
        rate = estimator.learning_rate
        stages = [[_of_tree(one.tree_, rate) for one in stage] for stage in estimator.estimators_]
    width = len(stages[0])
    trees = [_aimed(one, target, width) for stage in stages for target, one in enumerate(stage)]
    return Forest(trees=tuple(trees), targets=tuple(range(width)))


def _of_nodes(nodes: Any) -> Tree:
    leaf = nodes["is_leaf"].astype(bool)
    if (nodes["is_categorical"].astype(bool) & ~leaf).any():
        raise errors.invalid(
            Reason.CONVERSION_FAILED,
            "HistGradientBoosting with categorical features cannot be written as ONNX",
            field="MODEL",
            hint="encode the categories as numbers before the estimator, and fit it again without "
            "categorical_features",
        )
    return Tree(
        mode=np.where(leaf, LEAF, LEQ).astype(np.int64),
        feature=np.where(leaf, 0, nodes["feature_idx"]).astype(np.int64),
        threshold=floor32(np.where(leaf, 0.0, nodes["num_threshold"])),
        yes=np.where(leaf, 0, nodes["left"]).astype(np.int64),
        no=np.where(leaf, 0, nodes["right"]).astype(np.int64),
        missing_yes=nodes["missing_go_to_left"].astype(bool) & ~leaf,
        values=np.where(leaf, nodes["value"], 0.0)[:, None],
    )


def _of_tree(tree: Any, rate: float) -> Tree:
    leaf = tree.children_left < 0
    return Tree(
        mode=np.where(leaf, LEAF, LEQ).astype(np.int64),
        feature=np.where(leaf, 0, tree.feature).astype(np.int64),
        threshold=floor32(np.where(leaf, 0.0, tree.threshold)),
        yes=np.where(leaf, 0, tree.children_left).astype(np.int64),
        no=np.where(leaf, 0, tree.children_right).astype(np.int64),
        missing_yes=tree.missing_go_to_left.astype(bool) & ~leaf,
        values=np.where(leaf, tree.value[:, 0, 0] * rate, 0.0)[:, None],
    )


def _aimed(tree: Tree, target: int, width: int) -> Tree:
    """`tree` with its one column of values at the place of its target."""
    values = np.zeros((tree.size, width))
    values[:, target] = tree.values[:, 0]
    return replace(tree, values=values)


def _base(estimator: Any) -> list[float]:
    """What boosting starts from, before the first tree.

    Raises:
        InvalidError: it starts from another estimator, which answers each row on its own.
    """
    if type(estimator).__name__.startswith("Hist"):
        start = estimator._baseline_prediction  # noqa: SLF001
    elif type(estimator.init_).__name__.startswith("Dummy") or estimator.init_ == "zero":
        start = estimator._raw_predict_init(  # noqa: SLF001
            np.zeros((1, estimator.n_features_in_), np.float32)
        )
    else:
        raise errors.invalid(
            Reason.CONVERSION_FAILED,
            f"GradientBoosting that starts from a {type(estimator.init_).__name__} cannot be "
            "written as ONNX",
            field="MODEL",
            hint="fit it again with init=None or init='zero'",
        )
    return [float(one) for one in np.ravel(start)]


def _link(estimator: Any) -> str:
    return type(estimator._loss.link).__name__  # noqa: SLF001


def write_classifier(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter protocol: labels and probabilities of a classifier.

    Two classes have one score, of the second; the operator makes 1 - p of it for the first.
    """
    del scope
    estimator = operator.raw_operator
    forest = forest_of(estimator)
    binary = len(estimator.classes_) == 2
    exponential = type(estimator._loss).__name__ == "ExponentialLoss"  # noqa: SLF001
    if exponential:  # its probability is the logistic function of twice the score
        forest = scaled(forest, 2.0)
    classes = estimator.classes_
    labels: dict[str, list[Any]]
    if classes.dtype.kind in "OUS":
        labels = {"classlabels_strings": [str(one).encode() for one in classes]}
    else:
        labels = {"classlabels_int64s": [int(one) for one in classes]}
    base = [one * (2.0 if exponential else 1.0) for one in _base(estimator)]
    container.add_node(
        "TreeEnsembleClassifier",
        operator.input_full_names,
        [output.full_name for output in operator.outputs[:2]],
        op_domain=DOMAIN,
        op_version=_OPSET_ML,
        name="boosting",
        post_transform="LOGISTIC" if binary else "SOFTMAX",
        base_values=base,
        **labels,
        **lists_of(forest, "class"),
    )


def write_regressor(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter protocol: the prediction of a regressor, through its link."""
    estimator = operator.raw_operator
    link = _link(estimator)
    raw = operator.outputs[0].full_name
    if link == "LogLink":
        raw = scope.get_unique_variable_name("raw_prediction")
        container.add_node("Exp", [raw], [operator.outputs[0].full_name], op_version=13, name="exp")
    elif link != "IdentityLink":
        raise errors.invalid(
            Reason.CONVERSION_FAILED,
            f"HistGradientBoosting with the link {link} cannot be written as ONNX",
            field="MODEL",
            hint="fit it with the loss squared_error, absolute_error, quantile, poisson or gamma",
        )
    container.add_node(
        "TreeEnsembleRegressor",
        operator.input_full_names,
        [raw],
        op_domain=DOMAIN,
        op_version=_OPSET_ML,
        name="boosting",
        n_targets=1,
        base_values=_base(estimator),
        **lists_of(forest_of(estimator), "target"),
    )
