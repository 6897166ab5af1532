"""Which metric judges a run: the one that was asked for, or the default for rows and model."""

from dataclasses import dataclass

from shoal.compressor import errors
from shoal.compressor.evaluate.metrics import own
from shoal.compressor.evaluate.metrics.measures import Against, Measure, Named
from shoal.compressor.evaluate.metrics.names import Metric
from shoal.compressor.sources import signature
from shoal.compressor.sources.rows import Array
from shoal.compressor.sources.signature import Tensor
from shoal.compressor.sources.splits import Data
from shoal.contract.reason import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """`evaluation` decides the floor; `validation` the choice, on rows that may lack labels."""

    evaluation: Measure
    validation: Measure


def choose(word: str | None, data: Data, output: Tensor) -> Measures:
    """The measures of a run; `word` is a metric's name, a function, or None for the default.

    Raises:
        InvalidError: BadData, the metric needs labels that are not there; UnknownMetric, the
            function cannot be had.
    """
    labels, validation = data.evaluation.labels, data.validation.labels
    if word is not None and ":" in word:
        if validation is None and labels is not None:
            validating: Measure = _stand_in(output)
        else:
            validating = own.load(word, has_labels=validation is not None)
        return Measures(
            evaluation=own.load(word, has_labels=labels is not None), validation=validating
        )
    metric = _default(labels, data.evaluation.pairs, output) if word is None else Metric(word)
    if not metric.needs_labels:
        measure = Named(metric=metric, against=Against.SOURCE)
        return Measures(evaluation=measure, validation=measure)
    if labels is None:
        raise errors.invalid(
            Reason.BAD_DATA,
            f"{metric} needs labels 'y' in the evaluation rows",
            field="--metric",
            hint="add an array y, or use --metric agreement",
        )
    judged = Named(metric=metric, against=Against.LABELS)
    if validation is None:
        fallback = Named(metric=metric.unlabelled, against=Against.SOURCE)
        return Measures(evaluation=judged, validation=fallback)
    return Measures(evaluation=judged, validation=judged)


def _default(labels: Array | None, pairs: bool, output: Tensor) -> Metric:  # noqa: FBT001 - a fact
    """top1 for classes, mse for measured values, spearman for pairs (contracts: section 3)."""
    if labels is None:
        return _stand_in(output).metric
    if pairs:
        return Metric.SPEARMAN
    measured = labels.dtype.kind == "f" and not output.is_integer
    same_rank = len(labels.shape) == len(output.shape) or output.shape[-1:] == (1,)
    return Metric.MSE if measured and same_rank else Metric.TOP1


def _stand_in(output: Tensor) -> Named:
    classifies = signature.classifies(output)
    metric = Metric.AGREEMENT if classifies else Metric.COSINE
    return Named(metric=metric, against=Against.SOURCE)
