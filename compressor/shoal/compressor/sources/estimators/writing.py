"""Writes a fitted estimator as an ONNX graph: skl2onnx, and what it leaves to be tidied.

Plain operators are asked for first, so that the graph can be quantized, pruned and trained like any
network; where skl2onnx cannot do that, its own operators of ai.onnx.ml serve.
"""

import warnings
from collections.abc import Callable
from typing import Any, Final

import onnx

from shoal.compressor import errors
from shoal.compressor.sources.estimators import boosting, labels, probing, scaling, tidying
from shoal.contract.problem import InvalidError
from shoal.contract.reason import Reason

INPUT: Final = "x"
LABEL: Final = "label"
PROBABILITIES: Final = "probabilities"
SCORES: Final = "scores"
PREDICTION: Final = "prediction"
OUTPUT: Final = "output"
_OPSETS: Final = {"": 17, "ai.onnx.ml": 3}
_IR_VERSION: Final = 8
_NOT_PLAIN: Final = {"LinearClassifier", "LinearRegressor", "Scaler", "Normalizer"}


def write(estimator: Any) -> onnx.ModelProto:
    """The graph from `x` [rows, features] to the outputs that `answers` knows.

    Raises:
        InvalidError: no way to write this estimator, by name.
    """
    from sklearn.base import is_classifier, is_regressor  # noqa: PLC0415

    boosting.register()
    model = _unscaled(estimator) or _converted(estimator)
    if is_classifier(estimator):
        probable = _has(estimator, "predict_proba")
        names = [LABEL, PROBABILITIES if probable else SCORES]
    elif is_regressor(estimator):
        names = [PREDICTION]
    elif _has(estimator, "transform") and len(model.graph.output) == 1:
        names = [OUTPUT]
    else:
        raise _refuse(estimator, "it neither classifies, nor regresses, nor transforms")
    if len(names) != len(model.graph.output):
        raise _refuse(estimator, f"its graph has {len(model.graph.output)} outputs")
    classes = labels.classes_of(estimator) if is_classifier(estimator) else None
    model = tidying.tidy(model, names, classes)
    model.ir_version = _IR_VERSION
    probing.settle(model, estimator)
    return model


def _unscaled(estimator: Any) -> onnx.ModelProto | None:
    """Trees behind scalers as trees alone, which part rows exactly as scikit-learn does."""
    parted = scaling.parted(estimator)
    if parted is None:
        return None
    scalers, last = parted
    model = _converted(last)
    if not scaling.only_trees(model, INPUT):
        return None
    scaling.move(model, scalers, INPUT)
    return model


def _converted(estimator: Any) -> onnx.ModelProto:
    """The first of skl2onnx's ways that works; the last one's error where none does."""
    from skl2onnx import convert_sklearn  # noqa: PLC0415
    from skl2onnx.common.data_types import FloatTensorType  # noqa: PLC0415

    width = int(estimator.n_features_in_)
    failure: Exception | None = None
    for options in _ways(estimator):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model: onnx.ModelProto = convert_sklearn(
                    estimator,
                    initial_types=[(INPUT, FloatTensorType([None, width]))],
                    target_opset=_OPSETS,
                    **options,
                )
                return model
        except InvalidError:
            raise
        except Exception as error:  # noqa: BLE001 - skl2onnx raises whatever its converters do
            failure = error
    raise _refuse(estimator, _first_line(failure))


def _ways(estimator: Any) -> list[dict[str, Any]]:
    """With and without maps to arrays, with and without plain operators: not all know both."""
    last = estimator
    while getattr(last, "steps", None):
        last = last.steps[-1][1]
    arrays = {id(last): {"zipmap": False}, id(estimator): {"zipmap": False}}
    plain = {"black_op": _NOT_PLAIN}
    scores = {id(last): {"raw_scores": True}}
    return [
        {"options": arrays, **plain},
        plain,
        {"options": arrays},
        {"options": scores, **plain},
        {"options": scores},
        {},
    ]


def _has(estimator: Any, method: str) -> bool:
    found: Callable[..., Any] | None = getattr(estimator, method, None)
    return found is not None


def _first_line(error: Exception | None) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def _refuse(estimator: Any, why: str) -> InvalidError:
    return errors.invalid(
        Reason.CONVERSION_FAILED,
        f"a {type(estimator).__name__} like this cannot be written as ONNX: {why}",
        field="MODEL",
        hint="convert it to ONNX yourself (skl2onnx.update_registered_converter teaches skl2onnx "
        "other estimators) and give that file",
    )
