"""A metric made ready for one set of rows: what it is read against, and the statistic it gives."""

import enum
from dataclasses import dataclass
from typing import Any, Final, Protocol, assert_never

import numpy as np

from shoal.compressor.evaluate.metrics import labels, readings, statistics
from shoal.compressor.evaluate.metrics.labels import LabelsError
from shoal.compressor.evaluate.metrics.names import CLEAN_DB, Metric
from shoal.compressor.evaluate.metrics.ranking import Auroc, MacroF1, Spearman
from shoal.compressor.evaluate.metrics.statistics import Decibels, Largest, Ratio, Statistic
from shoal.compressor.sources.rows import Array

_TOP: Final = 5


class Against(enum.StrEnum):
    """What answers are held against."""

    LABELS = "labels"
    SOURCE = "source"


class Measure(Protocol):
    """One way to score answers."""

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    @property
    def against(self) -> Against:
        """What it reads besides the answers."""
        ...

    @property
    def smaller_is_better(self) -> bool:
        """Whether it counts errors."""
        ...

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest value."""
        ...

    @property
    def causes(self) -> Any:
        """What decides its values, for cache keys."""
        ...

    def reference(self, source: Array, given: Array | None) -> Array:
        """The other side: labels `given` in the shape that the source's answers ask for, or those.

        Raises:
            LabelsError: the labels do not fit.
        """
        ...

    def statistic(self, answers: Array, reference: Array) -> Statistic:
        """The statistic of these answers."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A metric of the contract; one that reads labels may be read against the source instead."""

    metric: Metric
    against: Against

    @property
    def name(self) -> str:
        """Its word."""
        return self.metric.value

    @property
    def smaller_is_better(self) -> bool:
        """Whether it counts errors."""
        return self.metric.smaller_is_better

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest value."""
        return self.metric.bounds

    @property
    def causes(self) -> Any:
        """Its word and what it is read against."""
        return [self.metric.value, self.against.value]

    def reference(self, source: Array, given: Array | None) -> Array:
        """The labels, aligned and checked, or the source's answers.

        Raises:
            LabelsError: the labels do not fit.
        """
        if self.against is Against.SOURCE:
            return source
        if given is None:
            raise RuntimeError(f"{self.metric} needs labels")
        return _aligned(self.metric, source, given)

    def statistic(self, answers: Array, reference: Array) -> Statistic:
        """The statistic of these answers."""
        match self.metric:
            case Metric.TOP1 | Metric.TOP5 | Metric.AGREEMENT:
                return _hits(self.metric, answers, reference)
            case Metric.F1_MACRO:
                counted = _counted(reference)
                found = readings.classes(answers)
                return MacroF1(found=found, wanted=reference, counted=counted)
            case Metric.AUROC:
                return Auroc(scores=_class_scores(answers), positive=reference)
            case Metric.SPEARMAN:
                return Spearman(a=_similarities(answers, len(reference)), b=reference)
            case Metric.COSINE:
                return statistics.mean(readings.cosines(answers, reference))
            case Metric.MSE | Metric.MAE | Metric.SQNR | Metric.MAX_ABS:
                return _distance(self.metric, answers, reference)
            case _:
                assert_never(self.metric)


def _aligned(metric: Metric, source: Array, given: Array) -> Array:
    match metric:
        case Metric.AUROC:
            return _two_classes(labels.as_indicators(source, given))
        case Metric.SPEARMAN:
            return labels.as_values(_similarities(source, len(given)), given)
        case Metric.TOP5:
            _check_six_classes(source)
            return labels.as_classes(source, given)
        case Metric.TOP1 | Metric.F1_MACRO:
            return labels.as_classes(source, given)
        case _:
            return labels.as_values(source, given)


def _hits(metric: Metric, answers: Array, reference: Array) -> Ratio:
    """Right answers over answers; of sequences, over the positions that are not padding."""
    if metric is Metric.TOP5:
        equal, counted = _among_the_first(answers, reference), _counted(reference)
    elif metric is Metric.TOP1:
        equal, counted = readings.classes(answers) == reference, _counted(reference)
    else:
        equal = readings.classes(answers) == readings.classes(reference)
        counted = np.ones(equal.shape, np.bool_)
    rows = len(equal)
    return Ratio(
        above=(equal & counted).reshape(rows, -1).sum(axis=1).astype(np.float64),
        below=counted.reshape(rows, -1).sum(axis=1).astype(np.float64),
    )


def _counted(reference: Array) -> Array:
    return np.asarray(
        (reference != labels.IGNORED) if reference.ndim > 1 else np.ones(len(reference), np.bool_)
    )


def _among_the_first(answers: Array, reference: Array) -> Array:
    """Whether fewer than five classes score higher; of equal scores the first class wins."""
    place = np.maximum(reference, 0)[..., None]
    own = np.take_along_axis(answers, place, axis=-1)
    earlier = np.arange(answers.shape[-1]) < place
    above = (answers > own) | ((answers == own) & earlier)
    return np.asarray(above.sum(axis=-1) < _TOP)


def _check_six_classes(source: Array) -> None:
    if readings.are_labels(source) or source.ndim == 1 or source.shape[-1] <= _TOP:
        raise LabelsError(
            "top5 needs scores of at least 6 classes; the answers have shape "
            f"[{', '.join(str(size) for size in source.shape)}] of {source.dtype.name}",
            "use --metric top1",
        )


def _two_classes(indicators: Array) -> Array:
    varies = indicators.any(axis=0) & ~indicators.all(axis=0)
    if not varies.any():
        raise LabelsError("auroc needs rows of at least two classes", "add rows of another class")
    return indicators


def _class_scores(answers: Array) -> Array:
    """Scores that can be ranked across rows: logits become shares first."""
    if readings.are_single(answers):
        return answers.reshape(len(answers), 1).astype(np.float64)
    return readings.distribution(answers)


def _similarities(answers: Array, pairs: int) -> Array:
    """The cosine of each pair's two answers, which follow one another; else the single scores.

    Raises:
        LabelsError: neither pairs nor one number a row.
    """
    if len(answers) == 2 * pairs:
        return readings.cosines(answers[0::2], answers[1::2])
    if len(answers) != pairs or answers.size != pairs:
        raise LabelsError(
            "spearman needs pairs of rows, or a model that answers one number a row",
            "name the arrays a.<input> and b.<input>, and the pairs' scores y",
        )
    return answers.reshape(pairs).astype(np.float64)


def _distance(metric: Metric, answers: Array, reference: Array) -> Statistic:
    rows = len(answers)
    wanted = reference.reshape(rows, -1).astype(np.float64)
    error = answers.reshape(rows, -1).astype(np.float64) - wanted
    match metric:
        case Metric.MSE:
            return statistics.mean((error**2).mean(axis=1))
        case Metric.MAE:
            return statistics.mean(np.abs(error).mean(axis=1))
        case Metric.MAX_ABS:
            return Largest(values=np.abs(error).max(axis=1))
        case _:
            return Decibels(
                signal=(wanted**2).sum(axis=1), noise=(error**2).sum(axis=1), most=CLEAN_DB
            )
