"""The source's own answers to one set of rows: what every candidate is held against.

Inside the search a score is a *merit*: larger is always better, so that floors, choice and front
need one rule. Of a metric that counts errors the merit is the negative; reports turn it back.
"""

from dataclasses import dataclass

import numpy as np

from shoal.compressor.evaluate import interval
from shoal.compressor.evaluate.metrics.measures import Measure
from shoal.compressor.sources.rows import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A score as a merit, with the interval of its paired difference to the source's, moved there.

    Example: source 0.95, candidate 0.94, difference [-0.03, 0.01]: interval [0.92, 0.96].
    """

    merit: float
    interval: tuple[float, float]


def shown(value: float, *, smaller_is_better: bool) -> float:
    """A merit as the metric's value, or a value as a merit."""
    return 0.0 - value if smaller_is_better else value


class Standard:
    """One measure, one set of rows."""

    def __init__(self, measure: Measure, source: Array, labels: Array | None, seed: int) -> None:
        """Raises LabelsError or InvalidError where labels or the source's answers do not fit."""
        self.source = source
        self._measure = measure
        self._seed = seed
        self._reference = measure.reference(source, labels)
        self._own = measure.statistic(source, self._reference)

    def judge(self, answers: Array) -> Judged:
        """How `answers` to the same rows score."""
        level = self._own.value
        if np.array_equal(answers, self.source):
            merit = self._merit(level)
            return Judged(merit=merit, interval=(merit, merit))
        found = self._measure.statistic(answers, self._reference)
        score = found.value
        low, high = interval.paired_difference(found, self._own, self._seed)
        least, most = self._measure.bounds
        ends = (
            max(min(level + low, score), least),
            min(max(level + high, score), most),
        )
        first, last = sorted(self._merit(end) for end in ends)
        return Judged(merit=self._merit(score), interval=(first, last))

    def _merit(self, value: float) -> float:
        return shown(value, smaller_is_better=self._measure.smaller_is_better)
