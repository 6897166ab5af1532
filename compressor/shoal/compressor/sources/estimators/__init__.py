"""scikit-learn estimators as sources: read safely, written as one ONNX graph, held against it."""

from typing import TYPE_CHECKING

from shoal.compressor.sources.origin import Origin

if TYPE_CHECKING:
    from shoal.compressor.sources.estimators.converter import EstimatorConverter


def open_origin(origin: Origin) -> "EstimatorConverter":
    """The converter of a `.skops` file, or of a pickle that the user trusts.

    Raises:
        InvalidError: the file is damaged, holds a type that is not trusted, or no estimator.
    """
    from shoal.compressor.sources.estimators import (  # noqa: PLC0415 - imports scikit-learn
        converter,
        reading,
    )

    return converter.EstimatorConverter(reading.read(origin))
