"""One fitted estimator as a source: its graph, and its own answers to hold the graph against."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from shoal.compressor import errors
from shoal.compressor.sources.estimators import labels, positions, writing
from shoal.contract.reason import Reason

Array = npt.NDArray[Any]


class EstimatorConverter:
    """Converts a fitted estimator; every input is one float32 matrix `x` of its features."""

    def __init__(self, estimator: Any) -> None:
        self._estimator = positions.by_position(estimator)
        self._graph: onnx.ModelProto | None = None

    def convert(self) -> onnx.ModelProto:
        """The graph, with an open row axis.

        Classifiers answer `label` (int64, one a row) and `probabilities`, or `scores` where the
        estimator has no probabilities; regressors `prediction` (rows, targets); transformers
        `output`. String labels become their place among the sorted classes.

        Raises:
            InvalidError: an estimator that cannot be written as ONNX, by name.
        """
        if self._graph is None:
            self._graph = writing.write(self._estimator)
        return self._graph

    def answers(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        """scikit-learn's own answers, by the graph's output names and in its shapes.

        Raises:
            InvalidError: scikit-learn raises on these rows.
        """
        graph = self.convert().graph
        (rows,) = feed.values()
        try:
            return {output.name: self._answer(output.name, output, rows) for output in graph.output}
        except Exception as error:
            what = (str(error).splitlines() or [type(error).__name__])[0][:300]
            raise errors.invalid(
                Reason.BAD_DATA,
                f"scikit-learn fails on the rows: {what}",
                field="--calibration",
                hint="give rows like those the estimator was fitted on",
            ) from error

    def _answer(self, name: str, output: onnx.ValueInfoProto, rows: Array) -> Array:
        estimator = self._estimator
        if name == writing.LABEL:
            return labels.as_integers(estimator.predict(rows), labels.classes_of(estimator))
        method = {
            writing.PROBABILITIES: "predict_proba",
            writing.SCORES: "decision_function",
            writing.PREDICTION: "predict",
            writing.OUTPUT: "transform",
        }[name]
        found = np.asarray(getattr(estimator, method)(rows), np.float32)
        columns = output.type.tensor_type.shape.dim[1].dim_value or 1
        if found.ndim == 1 and columns == 2:  # one score, said as two that differ in their sign
            return np.stack([-found, found], axis=1)
        return found.reshape(len(rows), -1)
