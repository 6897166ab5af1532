"""Fitted estimators, their graphs, and the rows that both answer."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import skops.io
from sklearn.datasets import make_classification, make_regression

from shoal.compressor.passes.protocol import PassContext, TrainRows
from shoal.compressor.sources.estimators.converter import EstimatorConverter
from shoal.compressor.sources.origin import Origin, OriginFormat

Array = npt.NDArray[Any]
Fitted = Callable[[], Any]
FEATURES = 6


def classes(count: int, seed: int = 0, rows: int = 160) -> tuple[Array, Array]:
    """Float32 rows of `FEATURES` columns, and labels from 0."""
    x, y = make_classification(
        rows, FEATURES, n_informative=4, n_redundant=1, n_classes=count, random_state=seed
    )
    return x.astype(np.float32), y


def numbers(seed: int = 0, rows: int = 160) -> tuple[Array, Array]:
    """Float32 rows and a positive number for each."""
    x, y = make_regression(rows, FEATURES, noise=5.0, random_state=seed)
    return x.astype(np.float32), np.abs(y) / 10 + 1


def answers(model: onnx.ModelProto, rows: Array) -> dict[str, Array]:
    """All outputs of a graph by name."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    opened = onnxruntime.InferenceSession(model.SerializeToString(), options)
    names = [value.name for value in opened.get_outputs()]
    return dict(zip(names, opened.run(names, {"x": rows}), strict=True))


def graph_of(estimator: Any) -> onnx.ModelProto:
    """The estimator as ONNX."""
    return EstimatorConverter(estimator).convert()


def saved(estimator: Any, path: Path, *trusted: str) -> Origin:
    """The estimator in a .skops file."""
    skops.io.dump(estimator, path)
    return Origin(format=OriginFormat.SKOPS, location=str(path), trusted=trusted)


def a_context(
    source: onnx.ModelProto, rows: Array, labels: Array | None, origin: Origin | None = None
) -> PassContext:
    """What a pass is given; labelled rows where there are labels."""
    context = PassContext(
        calibration={"x": rows},
        train=None if labels is None else TrainRows(inputs={"x": rows}, y=labels),
        source=source,
        output=source.graph.output[0].name,
        seed=0,
    )
    return dataclasses.replace(context, origin=origin)
